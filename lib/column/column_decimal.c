/* 128-bit decimals: unscaled integers with a scale known from the type. See column.h. */
#include "column/column.h"

#include <assert.h>

#define E18 1000000000000000000ULL
#define P38(hi) ((tsf_int128)(hi) * (tsf_int128)E18)

tsf_int128 tsf_pow10(int n)
{
    static const uint64_t small[20] = {
        1ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL, 1000000ULL, 10000000ULL, 100000000ULL, 1000000000ULL,
        10000000000ULL, 100000000000ULL, 1000000000000ULL, 10000000000000ULL, 100000000000000ULL,
        1000000000000000ULL, 10000000000000000ULL, 100000000000000000ULL, E18, 10ULL * E18,
    };
    assert(n >= 0 && n <= 38);
    return n < 20 ? (tsf_int128)small[n] : (tsf_int128)small[19] * (tsf_int128)small[n - 19];
}

bool tsf_decimal_fits(tsf_int128 v, int precision)
{
    tsf_int128 lim = tsf_pow10(precision);
    return v < lim && v > -lim;
}

/* v / 10^n, half away from zero. */
static tsf_int128 shift_right(tsf_int128 v, int n)
{
    tsf_int128 p, q, r;

    if (n > 38)
        return 0;
    p = tsf_pow10(n);
    q = v / p;
    r = v % p;
    if (r < 0)
        r = -r;
    if (r >= p - r)
        q += v < 0 ? -1 : 1;
    return q;
}

bool tsf_decimal_rescale(tsf_int128 v, int from, int to, tsf_int128 *out)
{
    tsf_int128 r;

    if (to <= from) {
        r = to == from ? v : shift_right(v, from - to);
    } else {
        if (v == 0) {
            *out = 0;
            return true;
        }
        if (to - from > 38 || __builtin_mul_overflow(v, tsf_pow10(to - from), &r))
            return false;
    }
    if (!tsf_decimal_fits(r, 38))
        return false;
    *out = r;
    return true;
}

/* Text split into digits and a power of ten; nothing of the text is trusted to be short. */
struct digits {
    tsf_uint128 mantissa; /* leading significant digits, at most 39 of them */
    int64_t exp10;        /* value = mantissa * 10^exp10 */
    bool negative;
    uint8_t next;         /* the first digit that did not fit: decides rounding only when exp10 comes out as scale */
};

static bool exponent_scan(const char **p, const char *end, int64_t *exp_out)
{
    bool neg = false;
    int64_t e = 0;

    if (*p < end && (**p == '+' || **p == '-'))
        neg = *(*p)++ == '-';
    if (*p == end)
        return false;
    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++)
        if (e < 1000000)
            e = e * 10 + (**p - '0');
    *exp_out = neg ? -e : e;
    return true;
}

static bool digits_scan(struct tsf_str s, struct digits *d)
{
    const char *p = s.data, *end = s.data + s.len;
    int n_sig = 0;
    bool any = false, point = false;
    int64_t e = 0;

    *d = (struct digits){ 0 };
    if (p < end && (*p == '-' || *p == '+'))
        d->negative = *p++ == '-';
    for (; p < end; p++) {
        if (*p == '.' && !point) {
            point = true;
            continue;
        }
        if (*p < '0' || *p > '9')
            break;
        any = true;
        if (n_sig < 38) {
            d->mantissa = d->mantissa * 10 + (tsf_uint128)(*p - '0');
            n_sig += d->mantissa != 0;
            d->exp10 -= point;
        } else {
            if (n_sig == 38)
                d->next = (uint8_t)(*p - '0');
            n_sig = 39;
            d->exp10 += !point;
        }
    }
    if (!any)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (!exponent_scan(&p, end, &e))
            return false;
        d->exp10 += e;
    }
    return p == end;
}

bool tsf_decimal_parse(struct tsf_str s, int scale, tsf_int128 *out)
{
    struct digits d;
    tsf_int128 v;
    int64_t shift;

    if (!digits_scan(s, &d))
        return false;
    v = (tsf_int128)d.mantissa;
    shift = d.exp10 + scale;
    if (v == 0) {
        *out = 0;
        return true;
    }
    if (shift > 0) {
        if (shift > 38 || __builtin_mul_overflow(v, tsf_pow10((int)shift), &v))
            return false;
    } else if (shift < 0) {
        v = shift < -38 ? 0 : shift_right(v, (int)-shift);
    } else if (d.next >= 5) {
        v++;
    }
    if (!tsf_decimal_fits(v, 38))
        return false;
    *out = d.negative ? -v : v;
    return true;
}

size_t tsf_decimal_format(tsf_int128 v, int scale, char out[48])
{
    char rev[48];
    int n = 0;
    size_t len = 0;
    tsf_uint128 u = v < 0 ? -(tsf_uint128)v : (tsf_uint128)v;

    while (u > UINT64_MAX) {
        rev[n++] = (char)('0' + (int)(u % 10));
        u /= 10;
    }
    for (uint64_t w = (uint64_t)u; w; w /= 10)
        rev[n++] = (char)('0' + w % 10);
    while (n <= scale)
        rev[n++] = '0';
    if (v < 0)
        out[len++] = '-';
    while (n > 0) {
        if (n == scale)
            out[len++] = '.';
        out[len++] = rev[--n];
    }
    out[len] = 0;
    return len;
}

double tsf_decimal_double(tsf_int128 v, int scale)
{
    char text[48];
    double d;

    /* Both sides exact, so one division rounds once. */
    if (scale <= 22 && v <= (1LL << 53) && v >= -(1LL << 53)) {
        static const double p10[23] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
                                        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
        return (double)(int64_t)v / p10[scale];
    }
    return tsf_double_parse(tsf_str_n(text, tsf_decimal_format(v, scale, text)), &d) ? d : 0;
}
