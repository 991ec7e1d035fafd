/*
 * Numbers as text. See column.h.
 *
 * Both directions work in exact 128-bit integers where the numbers of everyday fit them, and leave what remains to the C
 * library, which rounds correctly; nothing in tsf calls setlocale(LC_NUMERIC), so its decimal point is a point.
 *
 * Printing looks for the shortest decimal between the two midpoints to the neighbouring doubles. Reading multiplies or
 * divides the digits by a power of ten with a sticky bit for what is lost, and rounds once. (A double divided by a power
 * of ten up to 10^22 is correctly rounded at once when both are exact: W. Clinger, "How to read floating point numbers
 * accurately".)
 */
#include "column/column.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static const double pow10_exact[23] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
                                        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

static size_t u64_format(uint64_t v, char *out)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    char tmp[20];
    int at = 20;

    for (; v >= 100; v /= 100) {
        at -= 2;
        memcpy(tmp + at, pairs + v % 100 * 2, 2);
    }
    if (v >= 10) {
        at -= 2;
        memcpy(tmp + at, pairs + v * 2, 2);
    } else {
        tmp[--at] = (char)('0' + v);
    }
    memcpy(out, tmp + at, (size_t)(20 - at));
    return (size_t)(20 - at);
}

size_t tsf_int64_format(int64_t v, char out[24])
{
    size_t n = 0;

    if (v < 0)
        out[n++] = '-';
    n += u64_format(v < 0 ? -(uint64_t)v : (uint64_t)v, out + n);
    out[n] = 0;
    return n;
}

/* ---- floating point to text ----------------------------------------------------------------------------- */

/* PostgreSQL's layout of digits d1d2..dn * 10^exp (d1 before the point): fixed for -4 <= exp < fixed_max. */
static size_t digits_layout(const char *digits, int n, int exp, int fixed_max, char *out)
{
    size_t len = 0;

    if (exp >= -4 && exp < 0) {
        memcpy(out, "0.000", 5);
        len = (size_t)(1 - exp);
        memcpy(out + len, digits, (size_t)n);
        return len + (size_t)n;
    }
    if (exp >= 0 && exp < fixed_max) {
        int whole = exp + 1;
        memcpy(out, digits, (size_t)TSF_MIN(n, whole));
        if (n <= whole) {
            memset(out + n, '0', (size_t)(whole - n));
            return (size_t)whole;
        }
        out[whole] = '.';
        memcpy(out + whole + 1, digits + whole, (size_t)(n - whole));
        return (size_t)n + 1;
    }
    out[len++] = digits[0];
    if (n > 1) {
        out[len++] = '.';
        memcpy(out + len, digits + 1, (size_t)n - 1);
        len += (size_t)n - 1;
    }
    out[len++] = 'e';
    out[len++] = exp < 0 ? '-' : '+';
    exp = abs(exp);
    if (exp < 10)
        out[len++] = '0';
    return len + u64_format((uint64_t)exp, out + len);
}

/* v > 0 as at most 15 digits with at most three after the point: what most columns hold. */
static bool plain_digits(double v, uint64_t *mantissa_out, int *exp10_out)
{
    if (v >= 1e15 || v < 1e-3)
        return false;
    for (int k = 0; k <= 3; k++) {
        double scaled = v * pow10_exact[k];
        uint64_t m = (uint64_t)(scaled + 0.5);
        if (scaled < 1e15 && m && (double)m / pow10_exact[k] == v) {
            *mantissa_out = m;
            *exp10_out = -k;
            return true;
        }
    }
    return false;
}

static const uint64_t pow10_u64[20] = {
    1ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL, 1000000ULL, 10000000ULL, 100000000ULL, 1000000000ULL,
    10000000000ULL, 100000000000ULL, 1000000000000ULL, 10000000000000ULL, 100000000000000ULL, 1000000000000000ULL,
    10000000000000000ULL, 100000000000000000ULL, 1000000000000000000ULL, 10000000000000000000ULL,
};

/* Is n + frac/one nearer to n than to n + unit? A tie goes to the even multiple of unit. */
static bool down_is_nearer(uint64_t n, uint64_t unit, tsf_uint128 frac, tsf_uint128 one)
{
    uint64_t rem = n % unit;
    tsf_uint128 half = unit == 1 ? one / 2 : 0;

    if (unit > 1 && rem * 2 != unit)
        return rem * 2 < unit;
    return frac != half ? frac < half : n / unit % 2 == 0;
}

/*
 * Shortest digits of v = m * 2^e exactly, for 1e-5 <= v < 1e15. Scaled by 10^k to 17 digits before the point, the decimals
 * that read back as v lie from lo to hi, all over 2^s: 4m +- 2 times 10^21 < 2^126. One with fewer digits is a multiple
 * of 10^j. single: v is a float, whose neighbours are 2^29 times as far.
 */
static bool exact_digits(double v, bool single, uint64_t *mantissa_out, int *exp10_out)
{
    int e2, k, s, j = 0;
    uint64_t m, half = single ? 2ULL << 29 : 2, lo, hi, q, u, best;
    tsf_uint128 ten, low, mid, high, one;
    bool even;

    if (!(v >= 1e-5 && v < 1e15))
        return false;
    m = (uint64_t)ldexp(frexp(v, &e2), 53);
    even = !(m >> (single ? 29 : 0) & 1);
    s = 55 - e2;
    one = (tsf_uint128)1 << s;
    k = TSF_MIN(16 - (int)floor((e2 - 1) * 0.30102999566398119521), 21);
    for (;; k--) { /* the estimate may be one too large */
        ten = (tsf_uint128)pow10_u64[k > 19 ? 19 : k] * pow10_u64[k > 19 ? k - 19 : 0];
        mid = 4 * (tsf_uint128)m * ten;
        if (mid >> s < 100000000000000000ULL)
            break;
    }
    low = mid - (m == 1ULL << 52 ? half / 2 : half) * ten; /* below a power of two the neighbour is nearer */
    high = mid + half * ten;
    lo = (uint64_t)(low >> s) + (!even || (low & (one - 1)) != 0);
    hi = (uint64_t)(high >> s) - (!even && (high & (one - 1)) == 0);
    q = (uint64_t)(mid >> s);
    while (j < 17 && hi / pow10_u64[j + 1] * pow10_u64[j + 1] >= lo)
        j++;
    u = pow10_u64[j];
    best = q - q % u;
    if (best < lo || (best + u <= hi && !down_is_nearer(q, u, mid & (one - 1), one)))
        best += u;
    *mantissa_out = best / u;
    *exp10_out = j - k;
    return true;
}

/* "d.ddde-dd" as the C library prints it, into bare digits without trailing zeros. */
static int printed_digits(const char *text, char *digits, int *exp_out)
{
    int n = 0;

    for (; *text && *text != 'e'; text++)
        if (*text != '.')
            digits[n++] = *text;
    *exp_out = atoi(text + 1);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

/* mantissa * 10^e as digits with the point after the first. */
static int digits_spell(uint64_t mantissa, int e, char *digits, int *exp_out)
{
    int n = (int)u64_format(mantissa, digits);

    *exp_out = n - 1 + e;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

static int double_digits(double v, char *digits, int *exp_out)
{
    char text[40];
    uint64_t m;
    int e;

    if (plain_digits(v, &m, &e) || exact_digits(v, false, &m, &e))
        return digits_spell(m, e, digits, exp_out);
    /* Any number of at most 15 digits survives a normal double, so fewer digits show as trailing zeros. */
    for (int p = v < DBL_MIN ? 0 : 14; p <= 16; p++) {
        snprintf(text, sizeof text, "%.*e", p, v);
        if (p == 16 || strtod(text, NULL) == v)
            break;
    }
    return printed_digits(text, digits, exp_out);
}

static int float_digits(float v, char *digits, int *exp_out)
{
    char text[40];
    uint64_t m;
    int e;

    if (exact_digits((double)v, true, &m, &e))
        return digits_spell(m, e, digits, exp_out);
    for (int p = v < FLT_MIN ? 0 : 5; p <= 8; p++) {
        snprintf(text, sizeof text, "%.*e", p, (double)v);
        if (p == 8 || strtof(text, NULL) == v)
            break;
    }
    return printed_digits(text, digits, exp_out);
}

static size_t special_format(double v, char *out)
{
    const char *word = isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity";
    size_t len = strlen(word);
    memcpy(out, word, len + 1);
    return len;
}

size_t tsf_double_format(double v, char out[32])
{
    char digits[40];
    size_t len = 0;
    int n, exp;

    if (!isfinite(v))
        return special_format(v, out);
    if (signbit(v))
        out[len++] = '-';
    if (v == 0) {
        out[len++] = '0';
    } else {
        n = double_digits(fabs(v), digits, &exp);
        len += digits_layout(digits, n, exp, 15, out + len);
    }
    out[len] = 0;
    return len;
}

size_t tsf_float_format(float v, char out[32])
{
    char digits[40];
    size_t len = 0;
    int n, exp;

    if (!isfinite(v))
        return special_format((double)v, out);
    if (signbit(v))
        out[len++] = '-';
    if (v == 0) {
        out[len++] = '0';
    } else {
        n = float_digits(fabsf(v), digits, &exp);
        len += digits_layout(digits, n, exp, 6, out + len);
    }
    out[len] = 0;
    return len;
}

/* ---- text to numbers ------------------------------------------------------------------------------------- */

bool tsf_int64_parse(struct tsf_str s, int64_t *out)
{
    const char *p = s.data, *end = s.data + s.len;
    bool neg = false;
    uint64_t v = 0, lim;

    if (p < end && (*p == '-' || *p == '+'))
        neg = *p++ == '-';
    if (p == end)
        return false;
    while (end - p > 1 && *p == '0')
        p++;
    if (end - p > 19)
        return false;
    for (; p < end; p++) {
        unsigned d = (unsigned)(unsigned char)*p - '0';
        if (d > 9)
            return false;
        v = v * 10 + d;
    }
    lim = (uint64_t)INT64_MAX + neg;
    if (v > lim)
        return false;
    *out = (int64_t)(neg ? -v : v);
    return true;
}

static bool word_parse(const char *p, size_t n, bool neg, double *out)
{
    if (n == 3 && strncasecmp(p, "nan", 3) == 0)
        *out = (double)NAN;
    else if ((n == 3 && strncasecmp(p, "inf", 3) == 0) || (n == 8 && strncasecmp(p, "infinity", 8) == 0))
        *out = neg ? -(double)INFINITY : (double)INFINITY;
    else
        return false;
    return true;
}

/*
 * Hand digits and exponent to strtod in a bounded form: a double depends on no more than its first 767 significant
 * digits and on whether any digit after them is not zero.
 */
#define DIGITS_MAX 780
static bool slow_parse(const char *p, const char *end, int64_t exp10, bool neg, double *out)
{
    char text[DIGITS_MAX + 40];
    int n = 0;
    bool point = false, sticky = false;
    double v;

    for (; p < end && (*p == '.' || (*p >= '0' && *p <= '9')); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        if (n < DIGITS_MAX) {
            if (n || *p != '0')
                text[n++] = *p;
            exp10 -= point;
        } else {
            sticky |= *p != '0';
            exp10 += !point;
        }
    }
    if (n == 0) {
        *out = neg ? -0.0 : 0.0;
        return true;
    }
    if (sticky) {
        text[n++] = '1';
        exp10--;
    }
    exp10 = TSF_MAX(TSF_MIN(exp10, 100000), -100000);
    snprintf(text + n, sizeof text - (size_t)n, "e%lld", (long long)exp10);
    v = strtod(text, NULL);
    if (isinf(v))
        return false;
    *out = neg ? -v : v;
    return true;
}

static bool exponent_parse(const char *p, const char *end, int64_t *exp_out)
{
    bool neg = false;
    int64_t e = 0;

    if (p < end && (*p == '+' || *p == '-'))
        neg = *p++ == '-';
    if (p == end)
        return false;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return false;
        if (e < 1000000000000LL)
            e = e * 10 + (*p - '0');
    }
    *exp_out = neg ? -e : e;
    return true;
}

/* w * 10^e for -19 <= e <= 19, exact to the last rounding. The quotient has at least 62 bits, so bit 0 may be sticky. */
static double exact_parse(uint64_t w, int e)
{
    tsf_uint128 num, q;
    int lz;

    if (w == 0)
        return 0;
    if (e >= 0)
        return (double)((tsf_uint128)w * pow10_u64[e]);
    lz = __builtin_clzll(w);
    num = (tsf_uint128)(w << lz) << 63;
    q = num / pow10_u64[-e];
    q |= q * pow10_u64[-e] != num;
    return ldexp((double)q, -63 - lz);
}

bool tsf_double_parse(struct tsf_str s, double *out)
{
    const char *p = s.data, *end = s.data + s.len, *first;
    bool neg = false, point = false;
    int n_digits = 0, n_sig = 0;
    int64_t exp10 = 0, frac = 0;
    uint64_t m = 0;

    if (p < end && (*p == '-' || *p == '+'))
        neg = *p++ == '-';
    if (p < end && *p > '9')
        return word_parse(p, (size_t)(end - p), neg, out);
    for (first = p; p < end; p++) {
        unsigned d = (unsigned)(unsigned char)*p - '0';
        if (d > 9) {
            if (*p != '.' || point)
                break;
            point = true;
            continue;
        }
        n_digits = 1;
        if (n_sig < 19)
            m = m * 10 + d;
        n_sig = TSF_MIN(n_sig + (m != 0), 20);
        frac += point;
    }
    if (!n_digits)
        return false;
    if (p < end) {
        if ((*p != 'e' && *p != 'E') || !exponent_parse(p + 1, end, &exp10))
            return false;
    }
    if (n_sig <= 19 && m <= (1ULL << 53) && exp10 - frac >= -22 && exp10 - frac <= 22) {
        double v = (double)m;
        v = exp10 < frac ? v / pow10_exact[frac - exp10] : v * pow10_exact[exp10 - frac];
        *out = neg ? -v : v;
        return true;
    }
    if (n_sig <= 19 && exp10 - frac >= -19 && exp10 - frac <= 19) {
        double v = exact_parse(m, (int)(exp10 - frac));
        *out = neg ? -v : v;
        return true;
    }
    return slow_parse(first, end, exp10, neg, out);
}
