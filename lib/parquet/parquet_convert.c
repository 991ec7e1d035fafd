/*
 * Physical values to tsf types: the file's own type, or a wider one that the caller wants.
 *
 * Sources may be unaligned (they often lie in the page), so they are read through memcpy.
 */
#include <math.h>

#include "parquet/parquet_read_internal.h"

#define JULIAN_EPOCH 2440588 /* Julian day of 1970-01-01 */

/* ---- what a leaf is --------------------------------------------------------------------------------------- */

static const struct tsf_type *decimal_type(const struct parquet_node *n)
{
    if (n->precision < 1 || n->scale < 0 || n->scale > n->precision)
        return NULL;
    return tsf_type_decimal(n->precision, n->scale);
}

static const struct tsf_type *int_type(const struct parquet_node *n)
{
    switch (n->int_bits) {
    case 8: return n->int_signed ? TSF_T(INT8) : TSF_T(INT16);
    case 16: return n->int_signed ? TSF_T(INT16) : TSF_T(INT32);
    case 32: return n->int_signed ? TSF_T(INT32) : TSF_T(INT64);
    default: return n->int_signed ? TSF_T(INT64) : tsf_type_decimal(20, 0);
    }
}

/* The type that the annotation gives to this physical type; NULL when it gives none or does not fit. */
static const struct tsf_type *logical_type(const struct parquet_node *n)
{
    const int p = n->physical;
    switch (n->logical) {
    case PARQUET_LOGICAL_STRING:
    case PARQUET_LOGICAL_ENUM: return p == PARQUET_BYTE_ARRAY ? TSF_T(STRING) : NULL;
    case PARQUET_LOGICAL_JSON: return p == PARQUET_BYTE_ARRAY ? &tsf_type_json : NULL;
    case PARQUET_LOGICAL_UUID: return p == PARQUET_FIXED_LEN_BYTE_ARRAY && n->type_length == 16 ? TSF_T(UUID) : NULL;
    case PARQUET_LOGICAL_FLOAT16: return p == PARQUET_FIXED_LEN_BYTE_ARRAY && n->type_length == 2 ? TSF_T(FLOAT) : NULL;
    case PARQUET_LOGICAL_INTERVAL: return p == PARQUET_FIXED_LEN_BYTE_ARRAY && n->type_length == 12 ? TSF_T(INTERVAL) : NULL;
    case PARQUET_LOGICAL_DATE: return p == PARQUET_INT32 ? TSF_T(DATE) : NULL;
    case PARQUET_LOGICAL_TIME:
        return p == (n->unit == PARQUET_MILLIS ? PARQUET_INT32 : PARQUET_INT64) ? TSF_T(TIME) : NULL;
    case PARQUET_LOGICAL_TIMESTAMP:
        return p != PARQUET_INT64 ? NULL : n->utc ? TSF_T(TIMESTAMP) : TSF_T(TIMESTAMP_NTZ);
    case PARQUET_LOGICAL_INT:
        return p == (n->int_bits == 64 ? PARQUET_INT64 : PARQUET_INT32) ? int_type(n) : NULL;
    case PARQUET_LOGICAL_DECIMAL:
        return p == PARQUET_INT32 || p == PARQUET_INT64 || p == PARQUET_BYTE_ARRAY || p == PARQUET_FIXED_LEN_BYTE_ARRAY
                   ? decimal_type(n) : NULL;
    default: return NULL;
    }
}

enum tsf_err parquet_node_type(const struct parquet_node *n, const struct tsf_type **out, struct tsf_error *err)
{
    const struct tsf_type *t = logical_type(n);
    if (!t && n->logical == PARQUET_LOGICAL_DECIMAL && n->precision > 38)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "decimal of %d digits; at most 38 are supported", n->precision);
    if (!t) {
        switch (n->physical) {
        case PARQUET_BOOLEAN: t = TSF_T(BOOL); break;
        case PARQUET_INT32: t = TSF_T(INT32); break;
        case PARQUET_INT64: t = TSF_T(INT64); break;
        case PARQUET_INT96: t = TSF_T(TIMESTAMP); break;
        case PARQUET_FLOAT: t = TSF_T(FLOAT); break;
        case PARQUET_DOUBLE: t = TSF_T(DOUBLE); break;
        default: t = TSF_T(BINARY);
        }
    }
    *out = t;
    return TSF_OK;
}

/* ---- conversions -------------------------------------------------------------------------------------------- */

#define EACH(S, D, EXPR)                                                                                     \
    do {                                                                                                     \
        const uint8_t *s_ = src;                                                                             \
        D *d_ = dst;                                                                                         \
        for (int64_t i_ = 0; i_ < n; i_++) {                                                                 \
            S x;                                                                                             \
            memcpy(&x, s_ + i_ * (int64_t)sizeof(S), sizeof(S));                                             \
            d_[i_] = (EXPR);                                                                                 \
        }                                                                                                    \
    } while (0)
#define CONV_FN(NAME)                                                                                        \
    static enum tsf_err NAME(const struct parquet_conv *c, const void *src, int64_t n, void *dst, struct tsf_error *err)

CONV_FN(i32_to_i8) { (void)c, (void)err; EACH(int32_t, int8_t, (int8_t)x); return TSF_OK; }
CONV_FN(i32_to_i16) { (void)c, (void)err; EACH(int32_t, int16_t, (int16_t)x); return TSF_OK; }
CONV_FN(i32_to_i64) { (void)c, (void)err; EACH(int32_t, int64_t, x); return TSF_OK; }
CONV_FN(u32_to_i64) { (void)c, (void)err; EACH(uint32_t, int64_t, x); return TSF_OK; }
CONV_FN(u8_to_i16) { (void)c, (void)err; EACH(uint32_t, int16_t, (uint8_t)x); return TSF_OK; }
CONV_FN(u16_to_i32) { (void)c, (void)err; EACH(uint32_t, int32_t, (uint16_t)x); return TSF_OK; }
CONV_FN(i32_to_f64) { (void)c, (void)err; EACH(int32_t, double, x); return TSF_OK; }
CONV_FN(f32_to_f64) { (void)c, (void)err; EACH(float, double, (double)x); return TSF_OK; }
CONV_FN(i32_times) { (void)err; EACH(int32_t, int64_t, x * c->mul); return TSF_OK; }

static enum tsf_err out_of_range(struct tsf_error *err)
{
    return tsf_fail(err, TSF_ERR_UNSUPPORTED, "time outside the range of microseconds in 64 bits");
}

CONV_FN(i64_times)
{
    const int64_t max = INT64_MAX / c->mul;
    bool bad = false;
    EACH(int64_t, int64_t, (bad |= x > max || x < -max, (int64_t)((uint64_t)x * (uint64_t)c->mul)));
    return bad ? out_of_range(err) : TSF_OK;
}

CONV_FN(ns_to_us) /* toward the past */
{
    (void)c, (void)err;
    EACH(int64_t, int64_t, x / 1000 - (x % 1000 < 0));
    return TSF_OK;
}

static inline tsf_int128 scaled(tsf_int128 v, int64_t mul, bool *bad)
{
    tsf_int128 r;
    if (mul > 1)
        *bad |= __builtin_mul_overflow(v, (tsf_int128)mul, &r);
    else
        r = v;
    return r;
}

static enum tsf_err decimal_done(bool bad, struct tsf_error *err)
{
    return bad ? tsf_fail(err, TSF_ERR_FORMAT, "decimal of more than 38 digits") : TSF_OK;
}

CONV_FN(i32_to_i128) { bool bad = false; EACH(int32_t, tsf_int128, scaled(x, c->mul, &bad)); return decimal_done(bad, err); }
CONV_FN(i64_to_i128) { bool bad = false; EACH(int64_t, tsf_int128, scaled(x, c->mul, &bad)); return decimal_done(bad, err); }
CONV_FN(u64_to_i128) { bool bad = false; EACH(uint64_t, tsf_int128, scaled((tsf_int128)x, c->mul, &bad)); return decimal_done(bad, err); }

/* Big-endian two's complement of any length; longer than 16 bytes only when the rest is sign. */
static inline tsf_int128 be_get(const uint8_t *p, size_t len, bool *bad)
{
    if (len == 0)
        return 0;
    tsf_uint128 v = p[0] & 0x80 ? ~(tsf_uint128)0 : 0;
    uint8_t sign = (uint8_t)v;
    for (; len > 16; len--, p++)
        *bad |= *p != sign || (len == 17 && (p[1] ^ sign) & 0x80);
    for (size_t i = 0; i < len; i++)
        v = v << 8 | p[i];
    return (tsf_int128)v;
}

CONV_FN(fixed_to_i128)
{
    const uint8_t *p = src;
    tsf_int128 *d = dst;
    bool bad = false;
    for (int64_t i = 0; i < n; i++, p += c->src_width)
        d[i] = scaled(be_get(p, (size_t)c->src_width, &bad), c->mul, &bad);
    return decimal_done(bad, err);
}

CONV_FN(views_to_i128)
{
    const struct tsf_sview *s = src;
    tsf_int128 *d = dst;
    bool bad = false;
    for (int64_t i = 0; i < n; i++)
        d[i] = scaled(be_get((const uint8_t *)tsf_sview_data(&s[i]), s[i].len, &bad), c->mul, &bad);
    return decimal_done(bad, err);
}

CONV_FN(fixed_to_views)
{
    (void)err;
    const char *p = src;
    struct tsf_sview *d = dst;
    for (int64_t i = 0; i < n; i++, p += c->src_width)
        d[i] = tsf_sview_make(p, (size_t)c->src_width);
    return TSF_OK;
}

CONV_FN(int96_to_us) /* nanoseconds of the day (le64), Julian day (le32) */
{
    (void)c;
    const uint8_t *p = src;
    int64_t *d = dst;
    bool bad = false;
    for (int64_t i = 0; i < n; i++, p += 12) {
        int64_t ns = (int64_t)tsf_le64_get(p), days = (int64_t)(int32_t)tsf_le32_get(p + 8) - JULIAN_EPOCH;
        int64_t us = ns / 1000 - (ns % 1000 < 0);
        bad |= __builtin_mul_overflow(days, TSF_US_PER_DAY, &days);
        bad |= __builtin_add_overflow(days, us, &d[i]);
    }
    return bad ? out_of_range(err) : TSF_OK;
}

static float half_get(const uint8_t *p)
{
    uint32_t h = tsf_le16_get(p), sign = (h & 0x8000) << 16, e = h >> 10 & 31, m = h & 0x3ff, bits;
    if (e == 0) {
        float f = ldexpf((float)m, -24);
        return sign ? -f : f;
    }
    bits = e == 31 ? sign | 0x7f800000 | m << 13 : sign | (e + 112) << 23 | m << 13;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

CONV_FN(half_to_f32)
{
    (void)c, (void)err;
    for (int64_t i = 0; i < n; i++)
        ((float *)dst)[i] = half_get((const uint8_t *)src + 2 * i);
    return TSF_OK;
}

CONV_FN(half_to_f64)
{
    (void)c, (void)err;
    for (int64_t i = 0; i < n; i++)
        ((double *)dst)[i] = (double)half_get((const uint8_t *)src + 2 * i);
    return TSF_OK;
}

CONV_FN(interval_get) /* months, days, milliseconds: le32 each */
{
    (void)c, (void)err;
    const uint8_t *p = src;
    struct tsf_interval *d = dst;
    for (int64_t i = 0; i < n; i++, p += 12)
        d[i] = (struct tsf_interval){ .months = (int32_t)tsf_le32_get(p), .days = (int32_t)tsf_le32_get(p + 4),
                                      .us = (int64_t)tsf_le32_get(p + 8) * 1000 };
    return TSF_OK;
}

/* ---- the choice ------------------------------------------------------------------------------------------------ */

static enum tsf_err no_conversion(const struct parquet_node *n, const struct tsf_type *from, const struct tsf_type *to,
                                  struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    const char *f = tsf_type_sql_name(from, &a), *t = tsf_type_sql_name(to, &a);
    enum tsf_err rc = tsf_fail(err, TSF_ERR_UNSUPPORTED, "column %.*s is of type %s and cannot be read as %s",
                               (int)TSF_MIN(n->name.len, 100), n->name.data, f ? f : "?", t ? t : "?");
    tsf_arena_release(&a);
    return rc;
}

static bool scale_up(struct parquet_conv *c, int from_scale, const struct tsf_type *to)
{
    int up = to->scale - from_scale;
    if (up < 0 || up > 18)
        return false;
    c->mul = (int64_t)tsf_pow10(up);
    return true;
}

static void pick_int32(struct parquet_conv *c, const struct parquet_node *n, const struct tsf_type *from,
                       const struct tsf_type *to)
{
    const bool is_unsigned = n->logical == PARQUET_LOGICAL_INT && !n->int_signed;
    const int bits = from->id == TSF_TYPE_DATE || n->logical != PARQUET_LOGICAL_INT ? 32 : n->int_bits;
    const bool is_int = tsf_type_is_integer(from);

    if (from->id == TSF_TYPE_DECIMAL) {
        if (to->id == TSF_TYPE_DECIMAL && scale_up(c, from->scale, to))
            c->fn = i32_to_i128;
        return;
    }
    if (from->id == TSF_TYPE_TIME) {
        c->mul = 1000;
        c->fn = to->id == TSF_TYPE_TIME ? i32_times : NULL;
        return;
    }
    if (from->id == TSF_TYPE_DATE) {
        c->same = to->id == TSF_TYPE_DATE;
        c->mul = TSF_US_PER_DAY; /* every 32-bit day times this fits when checked as 64 bits */
        if (to->id == TSF_TYPE_TIMESTAMP_NTZ)
            c->fn = i32_times;
        return;
    }
    if (!is_int)
        return;
    switch (to->id) {
    case TSF_TYPE_INT8: c->fn = from->id == TSF_TYPE_INT8 ? i32_to_i8 : NULL; break;
    case TSF_TYPE_INT16:
        c->fn = is_unsigned && bits == 8 ? u8_to_i16 : from->id <= TSF_TYPE_INT16 ? i32_to_i16 : NULL;
        break;
    case TSF_TYPE_INT32:
        if (is_unsigned && bits == 16)
            c->fn = u16_to_i32;
        else
            c->same = from->id <= TSF_TYPE_INT32;
        break;
    case TSF_TYPE_INT64: c->fn = is_unsigned ? u32_to_i64 : i32_to_i64; break;
    case TSF_TYPE_DOUBLE: c->fn = is_unsigned ? NULL : i32_to_f64; break;
    case TSF_TYPE_DECIMAL: c->fn = !is_unsigned && scale_up(c, 0, to) ? i32_to_i128 : NULL; break;
    default: break;
    }
}

static void pick_int64(struct parquet_conv *c, const struct parquet_node *n, const struct tsf_type *from,
                       const struct tsf_type *to)
{
    if (from->id == TSF_TYPE_DECIMAL) {
        bool is_unsigned = n->logical == PARQUET_LOGICAL_INT;
        if (to->id == TSF_TYPE_DECIMAL && scale_up(c, from->scale, to))
            c->fn = is_unsigned ? u64_to_i128 : i64_to_i128;
    } else if (from->id == TSF_TYPE_INT64) {
        c->same = to->id == TSF_TYPE_INT64;
        if (to->id == TSF_TYPE_DECIMAL && scale_up(c, 0, to))
            c->fn = i64_to_i128;
        /* Plain integers that a table calls a timestamp are microseconds. */
        c->same |= to->id == TSF_TYPE_TIMESTAMP || to->id == TSF_TYPE_TIMESTAMP_NTZ;
    } else if (from->id == to->id || (from->id != TSF_TYPE_TIME &&
                                      (to->id == TSF_TYPE_TIMESTAMP || to->id == TSF_TYPE_TIMESTAMP_NTZ))) {
        c->same = n->unit == PARQUET_MICROS;
        c->mul = 1000;
        c->fn = n->unit == PARQUET_MILLIS ? i64_times : n->unit == PARQUET_NANOS ? ns_to_us : NULL;
    }
}

static void pick_fixed(struct parquet_conv *c, const struct tsf_type *from, const struct tsf_type *to)
{
    switch (from->id) {
    case TSF_TYPE_DECIMAL:
        c->fn = to->id == TSF_TYPE_DECIMAL && scale_up(c, from->scale, to) ? fixed_to_i128 : NULL;
        break;
    case TSF_TYPE_UUID: c->same = to->id == TSF_TYPE_UUID; break;
    case TSF_TYPE_FLOAT: c->fn = to->id == TSF_TYPE_FLOAT ? half_to_f32 : to->id == TSF_TYPE_DOUBLE ? half_to_f64 : NULL; break;
    case TSF_TYPE_INTERVAL: c->fn = to->id == TSF_TYPE_INTERVAL ? interval_get : NULL; break;
    default: break;
    }
    if (!c->same && !c->fn && tsf_type_is_string(to) && (from->id == TSF_TYPE_BINARY || from->id == TSF_TYPE_UUID)) {
        c->fn = fixed_to_views;
        c->borrows = true;
    }
}

enum tsf_err parquet_conv_init(struct parquet_conv *c, const struct parquet_node *n, const struct tsf_type *as,
                               struct tsf_error *err)
{
    const struct tsf_type *from = NULL;
    enum tsf_err rc = parquet_node_type(n, &from, err);
    if (rc != TSF_OK)
        return rc;
    *c = (struct parquet_conv){ .type = as ? as : from, .mul = 1 };
    c->src_width = parquet_physical_width(n->physical, n->type_length);
    c->dst_width = tsf_type_width(c->type);
    switch (n->physical) {
    case PARQUET_BOOLEAN: c->same = c->type->id == TSF_TYPE_BOOL; break;
    case PARQUET_INT32: pick_int32(c, n, from, c->type); break;
    case PARQUET_INT64: pick_int64(c, n, from, c->type); break;
    case PARQUET_INT96:
        if (c->type->id == TSF_TYPE_TIMESTAMP || c->type->id == TSF_TYPE_TIMESTAMP_NTZ)
            c->fn = int96_to_us;
        break;
    case PARQUET_FLOAT:
        c->same = c->type->id == TSF_TYPE_FLOAT;
        c->fn = c->type->id == TSF_TYPE_DOUBLE ? f32_to_f64 : NULL;
        break;
    case PARQUET_DOUBLE: c->same = c->type->id == TSF_TYPE_DOUBLE; break;
    case PARQUET_BYTE_ARRAY:
        if (from->id == TSF_TYPE_DECIMAL)
            c->fn = c->type->id == TSF_TYPE_DECIMAL && scale_up(c, from->scale, c->type) ? views_to_i128 : NULL;
        else
            c->same = c->borrows = tsf_type_is_string(c->type);
        break;
    default: pick_fixed(c, from, c->type);
    }
    if (!c->same && !c->fn)
        return no_conversion(n, from, c->type, err);
    return TSF_OK;
}
