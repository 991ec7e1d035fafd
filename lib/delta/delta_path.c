/*
 * Three codings lie over one another in add.path: a partition value is text (delta_partition_text); Hive escapes it in
 * the folder's name ("a:b" -> "a%3Ab"), which is the name on disk and the object key; the log URL-encodes that name
 * ("a%253Ab"). Keys everywhere in tsf are the middle form.
 */
#include "delta/delta_internal.h"

#define HIVE_NULL "__HIVE_DEFAULT_PARTITION__"

static const char hex_digits[] = "0123456789ABCDEF";

static enum tsf_err put_percent(struct tsf_buf *out, unsigned char c, struct tsf_error *err)
{
    char esc[3] = { '%', hex_digits[c >> 4], hex_digits[c & 15] };

    return tsf_buf_append(out, esc, 3, err);
}

/* ---- partition values ------------------------------------------------------------------------------------ */

static enum tsf_err time_text(const struct tsf_value *v, struct tsf_buf *out, struct tsf_error *err)
{
    char text[TSF_TIME_MAX];
    size_t n;

    if (v->type->id == TSF_TYPE_DATE)
        n = tsf_date_format((int32_t)v->u.i64, text);
    else if (v->type->id == TSF_TYPE_TIMESTAMP)
        n = tsf_time_format(v->u.i64, 6, "Z", 'T', text);
    else
        n = tsf_time_format(v->u.i64, 6, "", ' ', text);
    return tsf_buf_append(out, text, n, err);
}

/* One character per byte, U+0000 to U+00FF. */
static enum tsf_err binary_text(struct tsf_str s, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (size_t i = 0; i < s.len && rc == TSF_OK; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c >= 0x80)
            rc = tsf_buf_append_u8(out, (uint8_t)(0xc0 | c >> 6), err);
        if (rc == TSF_OK)
            rc = tsf_buf_append_u8(out, c >= 0x80 ? (uint8_t)(0x80 | (c & 63)) : c, err);
    }
    return rc;
}

enum tsf_err delta_partition_text(const struct tsf_value *v, struct tsf_buf *out, struct tsf_error *err)
{
    char text[64];

    if (v->is_null)
        return TSF_OK;
    switch (v->type->id) {
    case TSF_TYPE_BOOL: return tsf_buf_append_z(out, v->u.b ? "true" : "false", err);
    case TSF_TYPE_INT8:
    case TSF_TYPE_INT16:
    case TSF_TYPE_INT32:
    case TSF_TYPE_INT64: return tsf_buf_append(out, text, tsf_int64_format(v->u.i64, text), err);
    case TSF_TYPE_FLOAT: return tsf_buf_append(out, text, tsf_float_format(v->u.f32, text), err);
    case TSF_TYPE_DOUBLE: return tsf_buf_append(out, text, tsf_double_format(v->u.f64, text), err);
    case TSF_TYPE_DECIMAL: return tsf_buf_append(out, text, tsf_decimal_format(v->u.i128, v->type->scale, text), err);
    case TSF_TYPE_DATE:
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ: return time_text(v, out, err);
    case TSF_TYPE_STRING: return tsf_buf_append(out, v->u.s.data, v->u.s.len, err);
    case TSF_TYPE_BINARY: return binary_text(v->u.s, out, err);
    default: return tsf_fail(err, TSF_ERR_UNSUPPORTED, "tables cannot be partitioned by a column of this type");
    }
}

static bool int_parse(struct tsf_str text, int bits, int64_t *out)
{
    return tsf_int64_parse(text, out) && (bits == 64 || (*out >= -(1LL << (bits - 1)) && *out < 1LL << (bits - 1)));
}

static bool bool_parse(struct tsf_str text, bool *out)
{
    *out = text.len == 4 && strncasecmp(text.data, "true", 4) == 0;
    return *out || (text.len == 5 && strncasecmp(text.data, "false", 5) == 0);
}

static bool date_parse(struct tsf_str text, int64_t *out)
{
    int32_t days;
    int64_t us;

    if (tsf_date_parse(text, &days)) {
        *out = days;
        return true;
    }
    if (!tsf_time_parse(text, &us, NULL))
        return false;
    *out = us / TSF_US_PER_DAY - (us % TSF_US_PER_DAY < 0);
    return true;
}

static bool binary_parse(struct tsf_str text, struct tsf_arena *a, struct tsf_str *out)
{
    char *bytes = tsf_arena_alloc(a, text.len);
    size_t n = 0;

    if (bytes == NULL)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if ((c == 0xc2 || c == 0xc3) && i + 1 < text.len)
            c = (unsigned char)((c & 3) << 6 | (text.data[++i] & 63));
        bytes[n++] = (char)c;
    }
    *out = tsf_str_n(bytes, n);
    return true;
}

enum tsf_err delta_partition_parse(struct tsf_str text, const struct tsf_type *t, struct tsf_arena *a, struct tsf_value *out,
                                   struct tsf_error *err)
{
    bool ok = false;
    double d;

    *out = (struct tsf_value){ .type = t, .is_null = true };
    if (text.len == 0)
        return TSF_OK;
    out->is_null = false;
    switch (t->id) {
    case TSF_TYPE_BOOL: ok = bool_parse(text, &out->u.b); break;
    case TSF_TYPE_INT8: ok = int_parse(text, 8, &out->u.i64); break;
    case TSF_TYPE_INT16: ok = int_parse(text, 16, &out->u.i64); break;
    case TSF_TYPE_INT32: ok = int_parse(text, 32, &out->u.i64); break;
    case TSF_TYPE_INT64: ok = int_parse(text, 64, &out->u.i64); break;
    case TSF_TYPE_FLOAT: ok = tsf_double_parse(text, &d); out->u.f32 = ok ? (float)d : 0; break;
    case TSF_TYPE_DOUBLE: ok = tsf_double_parse(text, &out->u.f64); break;
    case TSF_TYPE_DECIMAL: ok = tsf_decimal_parse(text, t->scale, &out->u.i128) && tsf_decimal_fits(out->u.i128, t->precision); break;
    case TSF_TYPE_DATE: ok = date_parse(text, &out->u.i64); break;
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ: ok = tsf_time_parse(text, &out->u.i64, NULL); break;
    case TSF_TYPE_STRING: ok = true; out->u.s = text; break;
    case TSF_TYPE_BINARY: ok = binary_parse(text, a, &out->u.s); break;
    default: return tsf_fail(err, TSF_ERR_UNSUPPORTED, "partition column of a nested or unknown type");
    }
    if (!ok)
        return tsf_fail(err, TSF_ERR_FORMAT, "partition value \"%.*s\" is no %s", (int)TSF_MIN(text.len, (size_t)100), text.data,
                        tsf_type_sql_name(t, a));
    return TSF_OK;
}

static bool hive_special(unsigned char c)
{
    return c < 0x20 || c == 0x7f || strchr("\"#%'*/:=?\\{}[]^", c) != NULL;
}

static enum tsf_err hive_escape(struct tsf_str s, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (size_t i = 0; i < s.len && rc == TSF_OK; i++) {
        unsigned char c = (unsigned char)s.data[i];

        rc = hive_special(c) ? put_percent(out, c, err) : tsf_buf_append_u8(out, c, err);
    }
    return rc;
}

enum tsf_err delta_partition_path(const struct delta_metadata *m, const struct tsf_value *values, struct tsf_buf *out,
                                  struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(1 << 20);
    enum tsf_err rc = TSF_OK;

    for (int k = 0; k < m->n_partition && rc == TSF_OK; k++) {
        const struct tsf_field *f = &m->schema.fields[m->partition_fields[k]];

        tsf_buf_reset(&text);
        if ((k > 0 && (rc = tsf_buf_append_u8(out, '/', err)) != TSF_OK) ||
            (rc = hive_escape(tsf_str(f->physical != NULL ? f->physical : f->name), out, err)) != TSF_OK ||
            (rc = tsf_buf_append_u8(out, '=', err)) != TSF_OK || (rc = delta_partition_text(&values[k], &text, err)) != TSF_OK)
            break;
        rc = text.len == 0 ? tsf_buf_append_z(out, HIVE_NULL, err) : hive_escape(tsf_buf_str(&text), out, err);
    }
    tsf_buf_release(&text);
    return rc;
}

/* ---- URL coding ---------------------------------------------------------------------------------------------- */

static bool url_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != 0 && strchr("-._~/!$&'()*+,;=@:", c) != NULL);
}

enum tsf_err delta_path_encode(struct tsf_str path, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (size_t i = 0; i < path.len && rc == TSF_OK; i++) {
        unsigned char c = (unsigned char)path.data[i];

        rc = url_plain(c) ? tsf_buf_append_u8(out, c, err) : put_percent(out, c, err);
    }
    return rc;
}

/* "scheme:/..." or "/...". A colon after anything that is no scheme ("t=10:00/x") is part of a relative path. */
static size_t scheme_length(struct tsf_str raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.data[i];

        if (c == ':')
            return i > 0 && i + 1 < raw.len && raw.data[i + 1] == '/' ? i + 1 : 0;
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (i > 0 && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'))))
            return 0;
    }
    return 0;
}

static bool leaves_table(struct tsf_str path)
{
    const char *p = path.data, *end = p + path.len;

    while (p < end) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        size_t n = (size_t)((slash != NULL ? slash : end) - p);

        if (n == 2 && p[0] == '.' && p[1] == '.')
            return true;
        p += n + 1;
    }
    return false;
}

static enum tsf_err percent_decode(struct tsf_str raw, char *out, size_t *n_out, struct tsf_error *err)
{
    size_t n = 0;

    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.data[i];

        if (c == '%') {
            if (i + 2 >= raw.len || !tsf_unhex(tsf_str_n(raw.data + i + 1, 2), &c))
                return tsf_fail(err, TSF_ERR_FORMAT, "bad percent escape in path \"%.*s\"", (int)TSF_MIN(raw.len, (size_t)200), raw.data);
            i += 2;
        }
        if (c == '\0')
            return tsf_fail(err, TSF_ERR_FORMAT, "NUL byte in path \"%.*s\"", (int)TSF_MIN(raw.len, (size_t)200), raw.data);
        out[n++] = c;
    }
    *n_out = n;
    return TSF_OK;
}

enum tsf_err delta_path_decode(struct tsf_str raw, struct tsf_arena *a, struct tsf_str *out, bool *absolute_out, struct tsf_error *err)
{
    struct tsf_str rest = raw;
    size_t scheme = scheme_length(raw), n = 0;
    bool absolute = scheme > 0 || (raw.len > 0 && raw.data[0] == '/');
    enum tsf_err rc;
    char *path;

    /* "file:///x", "file:/x" and "/x" are one file. Other absolute URIs stay whole. */
    if (scheme == 5 && memcmp(raw.data, "file:", 5) == 0) {
        rest = tsf_str_n(raw.data + 5, raw.len - 5);
        while (rest.len > 1 && rest.data[1] == '/')
            rest = tsf_str_n(rest.data + 1, rest.len - 1);
    }
    if (memchr(rest.data, '%', rest.len) == NULL && memchr(rest.data, 0, rest.len) == NULL) {
        *out = rest;
    } else {
        if ((path = tsf_arena_alloc(a, rest.len + 1)) == NULL)
            return tsf_fail_nomem(err);
        if ((rc = percent_decode(rest, path, &n, err)) != TSF_OK)
            return rc;
        *out = tsf_str_n(path, n);
    }
    if (!absolute && (out->len == 0 || leaves_table(*out)))
        return tsf_fail(err, TSF_ERR_FORMAT, "path \"%.*s\" leaves the table", (int)TSF_MIN(raw.len, (size_t)200), raw.data);
    *absolute_out = absolute;
    return TSF_OK;
}
