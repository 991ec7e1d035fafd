/* add.stats of files that we write. */
#include "delta/delta_internal.h"

#define STRING_CHARS_MAX 32

/* Bytes of the first n characters; false when the bytes are not UTF-8. chars_out: how many there are up to n. */
static bool utf8_prefix(struct tsf_str s, size_t n, size_t *bytes_out, size_t *chars_out)
{
    size_t i = 0, chars = 0;

    while (i < s.len && chars < n) {
        unsigned char c = (unsigned char)s.data[i];
        size_t len = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;

        if (len == 0 || len > s.len - i)
            return false;
        for (size_t k = 1; k < len; k++)
            if ((s.data[i + k] & 0xc0) != 0x80)
                return false;
        i += len;
        chars++;
    }
    *bytes_out = i;
    *chars_out = chars;
    return true;
}

/* The next code point after the one at p[0..len); 0 when there is none. */
static uint32_t code_point_next(const unsigned char *p, size_t len)
{
    uint32_t c = len == 1 ? p[0] : len == 2 ? (p[0] & 31u) : len == 3 ? (p[0] & 15u) : (p[0] & 7u);

    for (size_t k = 1; k < len; k++)
        c = c << 6 | (p[k] & 63u);
    if (c >= 0x10ffff)
        return 0;
    c++;
    return c >= 0xd800 && c < 0xe000 ? 0xe000 : c;
}

static size_t utf8_put(uint32_t c, char *o)
{
    if (c < 0x80) {
        o[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        o[0] = (char)(0xc0 | c >> 6);
        o[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        o[0] = (char)(0xe0 | c >> 12);
        o[1] = (char)(0x80 | (c >> 6 & 63));
        o[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    o[0] = (char)(0xf0 | c >> 18);
    o[1] = (char)(0x80 | (c >> 12 & 63));
    o[2] = (char)(0x80 | (c >> 6 & 63));
    o[3] = (char)(0x80 | (c & 63));
    return 4;
}

/*
 * A string bound of at most 32 characters: the minimum cut, the maximum cut with its last character raised, so that it
 * stays above everything that begins alike. out has room for 33 characters. False: no such bound.
 */
static bool string_bound(struct tsf_str s, bool is_max, char *out, size_t *n_out)
{
    size_t n, chars, last;
    uint32_t next;

    if (!utf8_prefix(s, STRING_CHARS_MAX, &n, &chars))
        return false;
    if (n > 0)
        memcpy(out, s.data, n);
    if (n < s.len && is_max) {
        for (last = n - 1; last > 0 && (out[last] & 0xc0) == 0x80;)
            last--;
        if ((next = code_point_next((const unsigned char *)out + last, n - last)) == 0)
            return false;
        n = last + utf8_put(next, out + last);
    }
    *n_out = n;
    return true;
}

/* False: the type or value has no bound in statistics. */
static bool bound_text(const struct tsf_value *v, bool is_max, char *out, size_t *n_out, bool *quoted)
{
    *quoted = false;
    switch (v->type->id) {
    case TSF_TYPE_INT8:
    case TSF_TYPE_INT16:
    case TSF_TYPE_INT32:
    case TSF_TYPE_INT64: *n_out = tsf_int64_format(v->u.i64, out); return true;
    case TSF_TYPE_FLOAT: *n_out = tsf_float_format(v->u.f32, out); return __builtin_isfinite(v->u.f32);
    case TSF_TYPE_DOUBLE: *n_out = tsf_double_format(v->u.f64, out); return __builtin_isfinite(v->u.f64);
    case TSF_TYPE_DECIMAL: *n_out = tsf_decimal_format(v->u.i128, v->type->scale, out); return true;
    case TSF_TYPE_DATE: *n_out = tsf_date_format((int32_t)v->u.i64, out); break;
    case TSF_TYPE_TIMESTAMP: *n_out = tsf_time_format(v->u.i64, 6, "Z", 'T', out); break;
    case TSF_TYPE_TIMESTAMP_NTZ: *n_out = tsf_time_format(v->u.i64, 6, "", 'T', out); break;
    case TSF_TYPE_STRING:
        *quoted = true;
        return string_bound(v->u.s, is_max, out, n_out);
    default: return false;
    }
    *quoted = true;
    return true;
}

static enum tsf_err put_name(struct tsf_buf *out, const struct tsf_field *f, bool *first, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    if (!*first)
        rc = tsf_buf_append_u8(out, ',', err);
    *first = false;
    if (rc == TSF_OK && (rc = tsf_buf_append_json(out, tsf_str(f->physical != NULL ? f->physical : f->name), err)) == TSF_OK)
        rc = tsf_buf_append_u8(out, ':', err);
    return rc;
}

static enum tsf_err put_bounds(const struct tsf_schema *schema, const struct parquet_file_info *info, bool is_max, struct tsf_buf *out,
                               struct tsf_error *err)
{
    bool first = true, quoted;
    char text[4 * STRING_CHARS_MAX + 8];
    enum tsf_err rc = TSF_OK;
    size_t n;

    for (int i = 0; i < schema->n_fields && i < info->n_fields && rc == TSF_OK; i++) {
        const struct parquet_field_stats *st = &info->stats[i];

        if (!st->has_range || !bound_text(is_max ? &st->max : &st->min, is_max, text, &n, &quoted))
            continue;
        if ((rc = put_name(out, &schema->fields[i], &first, err)) == TSF_OK)
            rc = quoted ? tsf_buf_append_json(out, tsf_str_n(text, n), err) : tsf_buf_append(out, text, n, err);
    }
    return rc;
}

static bool is_nested(const struct tsf_type *t)
{
    return t->id == TSF_TYPE_STRUCT;
}

static enum tsf_err put_nulls(const struct tsf_schema *schema, const struct parquet_file_info *info, struct tsf_buf *out,
                              struct tsf_error *err)
{
    bool first = true;
    enum tsf_err rc = TSF_OK;

    for (int i = 0; i < schema->n_fields && i < info->n_fields && rc == TSF_OK; i++) {
        if (info->stats[i].null_count < 0 || is_nested(schema->fields[i].type))
            continue;
        if ((rc = put_name(out, &schema->fields[i], &first, err)) == TSF_OK)
            rc = tsf_buf_printf(out, err, "%lld", (long long)info->stats[i].null_count);
    }
    return rc;
}

enum tsf_err delta_stats_json(const struct tsf_schema *schema, const struct parquet_file_info *info, struct tsf_buf *out,
                              struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = tsf_buf_printf(out, err, "{\"numRecords\":%lld,\"minValues\":{", (long long)info->n_rows)) != TSF_OK ||
        (rc = put_bounds(schema, info, false, out, err)) != TSF_OK || (rc = tsf_buf_append_z(out, "},\"maxValues\":{", err)) != TSF_OK ||
        (rc = put_bounds(schema, info, true, out, err)) != TSF_OK || (rc = tsf_buf_append_z(out, "},\"nullCount\":{", err)) != TSF_OK ||
        (rc = put_nulls(schema, info, out, err)) != TSF_OK)
        return rc;
    return tsf_buf_append_z(out, "}}", err);
}
