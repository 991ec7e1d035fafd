/*
 * Smallest and largest values, and the bytes that statistics hold for them.
 *
 * Orders are those of TypeDefinedOrder: signed numbers, unsigned bytes for strings. NaN takes part in no bound. A zero
 * bound is written as -0.0 for min and +0.0 for max, since readers compare either sign.
 */
#include "parquet/parquet_encode_internal.h"

static int i128_cmp(tsf_int128 a, tsf_int128 b) { return (a > b) - (a < b); }

static tsf_uint128 uuid_key(tsf_int128 w) /* bytes in memory order as a big-endian number */
{
    uint64_t hi, lo;
    memcpy(&hi, &w, 8);
    memcpy(&lo, (const char *)&w + 8, 8);
    return (tsf_uint128)__builtin_bswap64(hi) << 64 | __builtin_bswap64(lo);
}

int parquet_bound_cmp(enum parquet_kind k, const struct parquet_bound *a, const struct parquet_bound *b)
{
    switch (k) {
    case PARQUET_KIND_BOOL: case PARQUET_KIND_I32: case PARQUET_KIND_I64:
        return (a->u.i > b->u.i) - (a->u.i < b->u.i);
    case PARQUET_KIND_F32: case PARQUET_KIND_F64:
        return (a->u.f > b->u.f) - (a->u.f < b->u.f);
    case PARQUET_KIND_I128:
        return i128_cmp(a->u.w, b->u.w);
    case PARQUET_KIND_UUID: {
        tsf_uint128 x = uuid_key(a->u.w), y = uuid_key(b->u.w);
        return (x > y) - (x < y);
    }
    case PARQUET_KIND_STR:
        break;
    }
    return tsf_str_cmp(a->u.s, b->u.s);
}

static void minmax_add(struct parquet_minmax *m, enum parquet_kind k, const struct parquet_bound *lo,
                       const struct parquet_bound *hi)
{
    if (!m->has || parquet_bound_cmp(k, lo, &m->min) < 0)
        m->min = *lo;
    if (!m->has || parquet_bound_cmp(k, hi, &m->max) > 0)
        m->max = *hi;
    m->has = true;
}

#define MINMAX_INTS(type)                                     \
    do {                                                      \
        const type *p = v;                                    \
        type mn = p[0], mx = p[0];                            \
        for (int64_t i = 1; i < n; i++) {                     \
            mn = p[i] < mn ? p[i] : mn;                       \
            mx = p[i] > mx ? p[i] : mx;                       \
        }                                                     \
        lo.u.i = mn, hi.u.i = mx;                             \
    } while (0)

#define MINMAX_FLOATS(type)                                   \
    do {                                                      \
        const type *p = v;                                    \
        type mn = (type)__builtin_inf(), mx = -mn;            \
        bool nan = false;                                     \
        for (int64_t i = 0; i < n; i++) {                     \
            mn = p[i] < mn ? p[i] : mn;                       \
            mx = p[i] > mx ? p[i] : mx;                       \
            nan |= p[i] != p[i];                              \
        }                                                     \
        m->nan |= nan;                                        \
        if (mn > mx) { /* nothing but NaN */                  \
            return;                                           \
        }                                                     \
        lo.u.f = mn, hi.u.f = mx;                             \
    } while (0)

void parquet_minmax_fixed(struct parquet_minmax *m, enum parquet_kind k, const void *v, int64_t n)
{
    struct parquet_bound lo = { 0 }, hi = { 0 };
    if (n == 0)
        return;
    switch (k) {
    case PARQUET_KIND_BOOL:
        MINMAX_INTS(uint8_t);
        break;
    case PARQUET_KIND_I32:
        MINMAX_INTS(int32_t);
        break;
    case PARQUET_KIND_I64:
        MINMAX_INTS(int64_t);
        break;
    case PARQUET_KIND_F32:
        MINMAX_FLOATS(float);
        break;
    case PARQUET_KIND_F64:
        MINMAX_FLOATS(double);
        break;
    default:
        for (int64_t i = 0; i < n; i++) {
            lo.u.w = ((const tsf_int128 *)v)[i];
            minmax_add(m, k, &lo, &lo);
        }
        return;
    }
    minmax_add(m, k, &lo, &hi);
}

void parquet_minmax_str(struct parquet_minmax *m, struct tsf_str s)
{
    if (!m->has || tsf_str_cmp(s, m->min.u.s) < 0)
        m->min.u.s = s;
    if (!m->has || tsf_str_cmp(s, m->max.u.s) > 0)
        m->max.u.s = s;
    m->has = true;
}

/* The first 8 bytes as a number that sorts alike; shorter strings are filled with zeros. */
static inline uint64_t str_prefix(const uint8_t *p, uint32_t len)
{
    uint64_t v = 0;
    if (len >= 8)
        v = tsf_le64_get(p);
    else if (len)
        memcpy(&v, p, len);
    return __builtin_bswap64(v);
}

void parquet_minmax_strs(struct parquet_minmax *m, const uint32_t *lens, const uint8_t *p, int64_t n)
{
    uint64_t lo = 0, hi = UINT64_MAX; /* prefixes of min and max: what lies strictly between needs no closer look */
    for (int64_t i = 0; i < n; p += lens[i++]) {
        uint64_t v = str_prefix(p, lens[i]);
        if (m->has && v > lo && v < hi)
            continue;
        parquet_minmax_str(m, tsf_str_n(p, lens[i]));
        lo = str_prefix((const uint8_t *)m->min.u.s.data, (uint32_t)m->min.u.s.len);
        hi = str_prefix((const uint8_t *)m->max.u.s.data, (uint32_t)m->max.u.s.len);
    }
}

void parquet_minmax_merge(struct parquet_minmax *m, enum parquet_kind k, const struct parquet_minmax *other)
{
    m->nan |= other->nan;
    if (other->has)
        minmax_add(m, k, &other->min, &other->max);
}

/* ---- as bytes --------------------------------------------------------------------------------------------- */

/* Length of the prefix of at most max bytes that ends between characters. */
static size_t cut_text(struct tsf_str s, size_t max)
{
    size_t n = TSF_MIN(s.len, max);
    if (n == s.len)
        return n;
    while (n > 0 && ((uint8_t)s.data[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* Raise the character at p (len bytes) to the next of the same length. */
static bool raise_char(uint8_t *p, size_t len)
{
    static const uint32_t limit[5] = { 0, 0x7f, 0x7ff, 0xffff, 0x10ffff };
    uint32_t cp = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    if (len == 0 || len > 4)
        return false;
    for (size_t i = 1; i < len; i++)
        cp = cp << 6 | (p[i] & 0x3f);
    if (cp >= limit[len])
        return false;
    if (++cp == 0xd800)
        cp = 0xe000;
    for (size_t i = len; i-- > 1; cp >>= 6)
        p[i] = (uint8_t)(0x80 | (cp & 0x3f));
    if (len == 1)
        p[0] = (uint8_t)cp;
    else
        p[0] = (uint8_t)((0xf00u >> len & 0xff) | cp);
    return true;
}

/* Smallest simple string above every string that begins with p[0..n). */
static bool raise_prefix(uint8_t *p, size_t *n, bool text)
{
    while (*n > 0) {
        size_t at = *n - 1;
        if (!text) {
            if (p[at] < 0xff) {
                p[at]++;
                return true;
            }
        } else {
            while (at > 0 && (p[at] & 0xc0) == 0x80)
                at--;
            if (raise_char(p + at, *n - at))
                return true;
        }
        *n = at;
    }
    return false;
}

static bool str_bound(struct tsf_str s, bool text, bool is_max, uint8_t *out, size_t *len_out, bool *exact_out)
{
    size_t n = s.len <= PARQUET_STAT_MAX ? s.len : text ? cut_text(s, PARQUET_STAT_MAX) : PARQUET_STAT_MAX;
    if (n)
        memcpy(out, s.data, n);
    *exact_out = n == s.len;
    if (!*exact_out && is_max && !raise_prefix(out, &n, text))
        return false;
    *len_out = n;
    return true;
}

bool parquet_bound_bytes(enum parquet_kind k, const struct tsf_type *t, int type_length, const struct parquet_bound *b,
                         bool is_max, uint8_t *out, size_t *len_out, bool *exact_out)
{
    double f = b->u.f;
    float f32;
    *exact_out = true;
    switch (k) {
    case PARQUET_KIND_BOOL:
        out[0] = (uint8_t)b->u.i;
        *len_out = 1;
        return true;
    case PARQUET_KIND_I32:
        tsf_le32_put(out, (uint32_t)b->u.i);
        *len_out = 4;
        return true;
    case PARQUET_KIND_I64:
        tsf_le64_put(out, (uint64_t)b->u.i);
        *len_out = 8;
        return true;
    case PARQUET_KIND_F32: case PARQUET_KIND_F64:
        if (f == 0)
            f = is_max ? 0.0 : -0.0;
        *len_out = k == PARQUET_KIND_F64 ? 8 : 4;
        f32 = (float)f;
        memcpy(out, k == PARQUET_KIND_F64 ? (const void *)&f : (const void *)&f32, *len_out);
        return true;
    case PARQUET_KIND_I128:
        for (int i = 0; i < type_length; i++)
            out[i] = (uint8_t)(b->u.w >> (8 * (type_length - 1 - i)));
        *len_out = (size_t)type_length;
        return true;
    case PARQUET_KIND_UUID:
        memcpy(out, &b->u.w, 16);
        *len_out = 16;
        return true;
    case PARQUET_KIND_STR:
        break;
    }
    return str_bound(b->u.s, t->id == TSF_TYPE_STRING, is_max, out, len_out, exact_out);
}

void parquet_bound_value(enum parquet_kind k, const struct tsf_type *t, const struct parquet_bound *b, struct tsf_value *out)
{
    memset(out, 0, sizeof *out);
    out->type = t;
    switch (k) {
    case PARQUET_KIND_BOOL:
        out->u.b = b->u.i != 0;
        break;
    case PARQUET_KIND_I32: case PARQUET_KIND_I64:
        if (t->id == TSF_TYPE_DECIMAL)
            out->u.i128 = b->u.i;
        else
            out->u.i64 = b->u.i;
        break;
    case PARQUET_KIND_F32:
        out->u.f32 = (float)b->u.f;
        break;
    case PARQUET_KIND_F64:
        out->u.f64 = b->u.f;
        break;
    case PARQUET_KIND_I128: case PARQUET_KIND_UUID:
        out->u.i128 = b->u.w;
        break;
    case PARQUET_KIND_STR:
        out->u.s = b->u.s;
        break;
    }
}
