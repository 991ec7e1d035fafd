/* Single values: out of vectors and into them, order, text and JSON forms. See column.h. */
#include "column/column.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

/* ---- vectors and values ----------------------------------------------------------------------------------- */

static enum tsf_err nested_get(const struct tsf_vector *v, int64_t row, struct tsf_arena *a, struct tsf_value *out,
                               struct tsf_error *err)
{
    struct tsf_vector *part = a ? tsf_arena_alloc(a, sizeof *part) : NULL;
    struct tsf_vector one = *v;
    const int32_t *off;
    enum tsf_err rc;

    if (!part)
        return tsf_fail_nomem(err);
    if (v->shape == TSF_DICTIONARY)
        one = *v->dict;
    one.shape = TSF_FLAT;
    one.length = TSF_MAX(one.length, row + 1);
    if (v->type->id == TSF_TYPE_LIST) {
        off = one.values;
        rc = tsf_vector_slice(&one.children[0], off[row], off[row + 1] - off[row], a, part, err);
    } else {
        rc = tsf_vector_slice(&one, row, 1, a, part, err);
    }
    out->u.list = part;
    return rc;
}

enum tsf_err tsf_vector_get(const struct tsf_vector *v, int64_t row, struct tsf_arena *a, struct tsf_value *out,
                            struct tsf_error *err)
{
    struct tsf_value r = { .type = v->type };
    const void *p = tsf_vector_flat_values(v);
    int64_t at;
    enum tsf_err rc = TSF_OK;

    if (v->type->id == TSF_TYPE_NULL || !tsf_vector_present(v, row)) {
        r.is_null = true;
        *out = r;
        return TSF_OK;
    }
    at = tsf_vector_at(v, row);
    switch (v->type->id) {
    case TSF_TYPE_BOOL: r.u.b = ((const uint8_t *)p)[at] != 0; break;
    case TSF_TYPE_INT8: r.u.i64 = ((const int8_t *)p)[at]; break;
    case TSF_TYPE_INT16: r.u.i64 = ((const int16_t *)p)[at]; break;
    case TSF_TYPE_INT32:
    case TSF_TYPE_DATE: r.u.i64 = ((const int32_t *)p)[at]; break;
    case TSF_TYPE_INT64:
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ:
    case TSF_TYPE_TIME: r.u.i64 = ((const int64_t *)p)[at]; break;
    case TSF_TYPE_FLOAT: r.u.f32 = ((const float *)p)[at]; break;
    case TSF_TYPE_DOUBLE: r.u.f64 = ((const double *)p)[at]; break;
    case TSF_TYPE_DECIMAL:
    case TSF_TYPE_UUID: r.u.i128 = ((const tsf_int128 *)p)[at]; break;
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY: r.u.s = tsf_sview_str((const struct tsf_sview *)p + at); break;
    case TSF_TYPE_INTERVAL: r.u.iv = ((const struct tsf_interval *)p)[at]; break;
    default: rc = nested_get(v, at, a, &r, err); break;
    }
    if (rc == TSF_OK)
        *out = r;
    return rc;
}

static enum tsf_err nested_constant(const struct tsf_value *val, struct tsf_arena *a, struct tsf_vector *out,
                                    struct tsf_error *err)
{
    int32_t *off;

    if (val->type->id != TSF_TYPE_LIST) {
        out->children = val->u.list->children;
        out->values = val->u.list->values;
        return TSF_OK;
    }
    if (!(off = tsf_arena_calloc(a, 2, TSF_PAD)))
        return tsf_fail_nomem(err);
    if (val->u.list->length > INT32_MAX)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "a list of more than 2^31 elements");
    off[1] = (int32_t)val->u.list->length;
    out->values = off;
    out->children = val->u.list;
    return TSF_OK;
}

/* Children of a NULL: no elements, or fields of one row that are NULL too; what gathers rows finds them all the same. */
static enum tsf_err null_children(const struct tsf_type *t, struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err)
{
    struct tsf_vector *child = tsf_arena_calloc(a, (size_t)t->n_children, sizeof *child);

    if (!child)
        return tsf_fail_nomem(err);
    for (int i = 0; i < t->n_children; i++) {
        struct tsf_value null = { .type = t->children[i].type, .is_null = true };
        enum tsf_err rc = tsf_vector_constant(&null, t->id == TSF_TYPE_STRUCT, a, &child[i], err);
        if (rc != TSF_OK)
            return rc;
    }
    out->children = child;
    return TSF_OK;
}

static void value_store(const struct tsf_value *val, void *p)
{
    switch (val->type->id) {
    case TSF_TYPE_BOOL: *(uint8_t *)p = val->u.b; break;
    case TSF_TYPE_INT8: *(int8_t *)p = (int8_t)val->u.i64; break;
    case TSF_TYPE_INT16: *(int16_t *)p = (int16_t)val->u.i64; break;
    case TSF_TYPE_INT32:
    case TSF_TYPE_DATE: *(int32_t *)p = (int32_t)val->u.i64; break;
    case TSF_TYPE_FLOAT: *(float *)p = val->u.f32; break;
    case TSF_TYPE_DOUBLE: *(double *)p = val->u.f64; break;
    case TSF_TYPE_DECIMAL:
    case TSF_TYPE_UUID: *(tsf_int128 *)p = val->u.i128; break;
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY: *(struct tsf_sview *)p = tsf_sview_make(val->u.s.data, val->u.s.len); break;
    case TSF_TYPE_INTERVAL: *(struct tsf_interval *)p = val->u.iv; break;
    default: *(int64_t *)p = val->u.i64; break;
    }
}

enum tsf_err tsf_vector_constant(const struct tsf_value *val, int64_t n, struct tsf_arena *a, struct tsf_vector *out,
                                 struct tsf_error *err)
{
    struct tsf_vector r = { .type = val->type, .shape = TSF_CONSTANT, .length = n };
    struct tsf_value copy = *val;
    char *p = tsf_arena_calloc(a, 2, TSF_PAD); /* one value and its pad; a zero word as validity for NULL */
    enum tsf_err rc;

    if (!p)
        return tsf_fail_nomem(err);
    r.values = p;
    if (val->is_null || val->type->id == TSF_TYPE_NULL) {
        r.validity = (const uint64_t *)(const void *)(p + TSF_PAD);
        r.null_count = n;
        if (val->type->n_children && (rc = null_children(val->type, a, &r, err)) != TSF_OK)
            return rc;
    } else if (val->type->n_children) {
        if ((rc = nested_constant(val, a, &r, err)) != TSF_OK)
            return rc;
    } else {
        if (tsf_type_is_string(val->type) && val->u.s.len > TSF_SVIEW_INLINE) {
            if (val->u.s.len > UINT32_MAX)
                return tsf_fail(err, TSF_ERR_UNSUPPORTED, "a string longer than 4 GiB");
            if (!(copy.u.s.data = tsf_arena_memdup(a, val->u.s.data, val->u.s.len)))
                return tsf_fail_nomem(err);
        }
        value_store(&copy, p);
    }
    *out = r;
    return TSF_OK;
}

/* ---- order ----------------------------------------------------------------------------------------------------- */

#define CMP(a, b) (((a) > (b)) - ((a) < (b)))

static int double_cmp(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return CMP(a, b);
}

static int interval_cmp(const struct tsf_interval *a, const struct tsf_interval *b)
{
    tsf_int128 x = ((tsf_int128)a->months * 30 + a->days) * TSF_US_PER_DAY + a->us;
    tsf_int128 y = ((tsf_int128)b->months * 30 + b->days) * TSF_US_PER_DAY + b->us;
    return CMP(x, y);
}

/* Element by element, a NULL above all values, then the shorter first: PostgreSQL's order of arrays. */
static int list_cmp(const struct tsf_vector *a, const struct tsf_vector *b)
{
    struct tsf_arena scratch = TSF_ARENA_INIT;
    struct tsf_value x, y;
    int c = 0;

    for (int64_t i = 0; c == 0 && i < TSF_MIN(a->length, b->length); i++) {
        if (tsf_vector_get(a, i, &scratch, &x, NULL) != TSF_OK || tsf_vector_get(b, i, &scratch, &y, NULL) != TSF_OK)
            break;
        c = x.is_null || y.is_null ? x.is_null - y.is_null : tsf_value_cmp(&x, &y);
    }
    tsf_arena_release(&scratch);
    return c ? c : CMP(a->length, b->length);
}

int tsf_value_cmp(const struct tsf_value *a, const struct tsf_value *b)
{
    int c = 0;

    switch (a->type->id) {
    case TSF_TYPE_NULL: return 0;
    case TSF_TYPE_BOOL: return CMP(a->u.b, b->u.b);
    case TSF_TYPE_FLOAT: return double_cmp((double)a->u.f32, (double)b->u.f32);
    case TSF_TYPE_DOUBLE: return double_cmp(a->u.f64, b->u.f64);
    case TSF_TYPE_DECIMAL: return CMP(a->u.i128, b->u.i128);
    case TSF_TYPE_UUID: return memcmp(&a->u.i128, &b->u.i128, 16);
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY: return tsf_str_cmp(a->u.s, b->u.s);
    case TSF_TYPE_INTERVAL: return interval_cmp(&a->u.iv, &b->u.iv);
    case TSF_TYPE_LIST: return list_cmp(a->u.list, b->u.list);
    case TSF_TYPE_STRUCT:
        for (int i = 0; c == 0 && i < a->type->n_children; i++)
            c = list_cmp(&a->u.list->children[i], &b->u.list->children[i]);
        return c;
    case TSF_TYPE_MAP: return 0; /* SQL gives maps no order */
    default: return CMP(a->u.i64, b->u.i64);
    }
}

/* ---- text forms --------------------------------------------------------------------------------------------------- */

static enum tsf_err append(struct tsf_buf *out, const char *p, size_t n, struct tsf_error *err)
{
    return tsf_buf_append(out, p, n, err);
}

/* "10:11:12.5": time of day or the clock part of an interval (hours may pass 24). us >= 0. */
static size_t clock_format(uint64_t us, char *out)
{
    uint64_t s = us / 1000000, frac = us % 1000000;
    char num[24];
    size_t n = 0, k;

    k = tsf_int64_format((int64_t)(s / 3600), num);
    if (k < 2)
        out[n++] = '0';
    memcpy(out + n, num, k);
    n += k;
    for (int i = 0; i < 2; i++) {
        uint64_t part = i == 0 ? s / 60 % 60 : s % 60;
        out[n++] = ':';
        out[n++] = (char)('0' + part / 10);
        out[n++] = (char)('0' + part % 10);
    }
    if (frac) {
        out[n++] = '.';
        for (uint64_t p = 100000; frac; p /= 10) {
            out[n++] = (char)('0' + frac / p);
            frac %= p;
        }
    }
    out[n] = 0;
    return n;
}

static enum tsf_err interval_text(const struct tsf_interval *iv, struct tsf_buf *out, struct tsf_error *err)
{
    const struct { int32_t n; const char *word; } part[3] = {
        { iv->months / 12, "year" }, { iv->months % 12, "mon" }, { iv->days, "day" },
    };
    bool any = false, neg = false;
    char clock[48];
    enum tsf_err rc;

    for (int i = 0; i < 3; i++) {
        if (part[i].n == 0)
            continue;
        if ((rc = tsf_buf_printf(out, err, "%s%s%d %s%s", any ? " " : "", neg && part[i].n > 0 ? "+" : "", part[i].n,
                                 part[i].word, part[i].n == 1 ? "" : "s")) != TSF_OK)
            return rc;
        any = true;
        neg = part[i].n < 0;
    }
    if (iv->us == 0 && any)
        return TSF_OK;
    clock_format(iv->us < 0 ? -(uint64_t)iv->us : (uint64_t)iv->us, clock);
    return tsf_buf_printf(out, err, "%s%s%s", any ? " " : "", iv->us < 0 ? "-" : neg ? "+" : "", clock);
}

static void uuid_format(const tsf_int128 *v, char out[37])
{
    char hex[33];
    static const uint8_t part[5] = { 8, 4, 4, 4, 12 };
    const char *h = hex;

    tsf_hex(v, 16, hex);
    for (int i = 0; i < 5; i++) {
        memcpy(out, h, part[i]);
        h += part[i];
        out += part[i];
        *out++ = i < 4 ? '-' : 0;
    }
}

static enum tsf_err hex_append(struct tsf_str s, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc = tsf_buf_reserve(out, s.len * 2 + 1, err);

    if (rc != TSF_OK)
        return rc;
    tsf_hex(s.data, s.len, (char *)out->data + out->len);
    out->len += s.len * 2;
    return TSF_OK;
}

/* Array elements are quoted when the bare form would read back as something else. */
static bool needs_quotes(struct tsf_str s)
{
    if (s.len == 0 || (s.len == 4 && strncasecmp(s.data, "null", 4) == 0))
        return true;
    for (size_t i = 0; i < s.len; i++)
        if (memchr("{},\"\\ \t\n\r\v\f()", s.data[i], 14))
            return true;
    return false;
}

static enum tsf_err quoted_append(struct tsf_str s, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;

    if (!needs_quotes(s))
        return append(out, s.data, s.len, err);
    if ((rc = tsf_buf_append_u8(out, '"', err)) != TSF_OK)
        return rc;
    for (size_t i = 0; i < s.len; i++)
        if (((s.data[i] == '"' || s.data[i] == '\\') && (rc = tsf_buf_append_u8(out, '\\', err)) != TSF_OK) ||
            (rc = tsf_buf_append_u8(out, (uint8_t)s.data[i], err)) != TSF_OK)
            return rc;
    return tsf_buf_append_u8(out, '"', err);
}

/* Append one element: NULL as null_word, nested ones bare, others quoted as needed. */
static enum tsf_err element_text(const struct tsf_vector *v, int64_t row, const char *null_word, struct tsf_arena *scratch,
                                 struct tsf_buf *out, struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(0);
    struct tsf_value x;
    enum tsf_err rc = tsf_vector_get(v, row, scratch, &x, err);

    if (rc != TSF_OK)
        return rc;
    if (x.is_null)
        return tsf_buf_append_z(out, null_word, err);
    if (v->type->id == TSF_TYPE_LIST)
        return tsf_value_text(&x, out, err);
    if ((rc = tsf_value_text(&x, &text, err)) == TSF_OK)
        rc = quoted_append(tsf_buf_str(&text), out, err);
    tsf_buf_release(&text);
    return rc;
}

static enum tsf_err nested_text(const struct tsf_value *v, struct tsf_buf *out, struct tsf_error *err)
{
    struct tsf_arena scratch = TSF_ARENA_INIT;
    const struct tsf_vector *l = v->u.list;
    bool is_struct = v->type->id == TSF_TYPE_STRUCT, is_map = v->type->id == TSF_TYPE_MAP;
    int64_t first = 0, n = is_struct ? v->type->n_children : l->length;
    enum tsf_err rc;

    if (is_map) {
        first = ((const int32_t *)l->values)[0];
        n = ((const int32_t *)l->values)[1] - first;
    }
    rc = tsf_buf_append_u8(out, is_struct ? '(' : '{', err);
    for (int64_t i = 0; rc == TSF_OK && i < n; i++) {
        if (i && (rc = tsf_buf_append_u8(out, ',', err)) != TSF_OK)
            break;
        if (is_struct) {
            rc = element_text(&l->children[i], 0, "", &scratch, out, err);
        } else if (!is_map) {
            rc = element_text(l, i, "NULL", &scratch, out, err);
        } else if ((rc = element_text(&l->children[0], first + i, "NULL", &scratch, out, err)) == TSF_OK &&
                   (rc = tsf_buf_append_u8(out, '=', err)) == TSF_OK) {
            rc = element_text(&l->children[1], first + i, "NULL", &scratch, out, err);
        }
    }
    tsf_arena_release(&scratch);
    return rc != TSF_OK ? rc : tsf_buf_append_u8(out, is_struct ? ')' : '}', err);
}

/* Forms that text and JSON share; 0 when the type has none of them. out has 64 bytes. */
static size_t number_format(const struct tsf_value *v, char *out)
{
    switch (v->type->id) {
    case TSF_TYPE_INT8:
    case TSF_TYPE_INT16:
    case TSF_TYPE_INT32:
    case TSF_TYPE_INT64: return tsf_int64_format(v->u.i64, out);
    case TSF_TYPE_FLOAT: return tsf_float_format(v->u.f32, out);
    case TSF_TYPE_DOUBLE: return tsf_double_format(v->u.f64, out);
    case TSF_TYPE_DECIMAL: return tsf_decimal_format(v->u.i128, v->type->scale, out);
    default: return 0;
    }
}

enum tsf_err tsf_value_text(const struct tsf_value *v, struct tsf_buf *out, struct tsf_error *err)
{
    char text[64];
    size_t n;
    enum tsf_err rc;

    if (v->is_null || v->type->id == TSF_TYPE_NULL)
        return TSF_OK;
    if ((n = number_format(v, text)) > 0)
        return append(out, text, n, err);
    switch (v->type->id) {
    case TSF_TYPE_BOOL: return tsf_buf_append_u8(out, v->u.b ? 't' : 'f', err);
    case TSF_TYPE_DATE: return append(out, text, tsf_date_format((int32_t)v->u.i64, text), err);
    case TSF_TYPE_TIMESTAMP: return append(out, text, tsf_time_format(v->u.i64, -1, "+00", ' ', text), err);
    case TSF_TYPE_TIMESTAMP_NTZ: return append(out, text, tsf_time_format(v->u.i64, -1, "", ' ', text), err);
    case TSF_TYPE_TIME: return append(out, text, clock_format((uint64_t)v->u.i64, text), err);
    case TSF_TYPE_STRING: return append(out, v->u.s.data, v->u.s.len, err);
    case TSF_TYPE_BINARY: return (rc = append(out, "\\x", 2, err)) != TSF_OK ? rc : hex_append(v->u.s, out, err);
    case TSF_TYPE_INTERVAL: return interval_text(&v->u.iv, out, err);
    case TSF_TYPE_UUID: uuid_format(&v->u.i128, text); return append(out, text, 36, err);
    default: return nested_text(v, out, err);
    }
}

/* ---- JSON form ------------------------------------------------------------------------------------------------------- */

static enum tsf_err element_json(const struct tsf_vector *v, int64_t row, struct tsf_arena *scratch, struct tsf_buf *out,
                                 struct tsf_error *err)
{
    struct tsf_value x;
    enum tsf_err rc = tsf_vector_get(v, row, scratch, &x, err);

    return rc != TSF_OK ? rc : tsf_value_json(&x, out, err);
}

/* Object keys are strings whatever the map's key type. */
static enum tsf_err key_json(const struct tsf_vector *v, int64_t row, struct tsf_arena *scratch, struct tsf_buf *out,
                             struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(0);
    struct tsf_value x;
    enum tsf_err rc = tsf_vector_get(v, row, scratch, &x, err);

    if (rc == TSF_OK && (rc = tsf_value_text(&x, &text, err)) == TSF_OK)
        rc = tsf_buf_append_json(out, tsf_buf_str(&text), err);
    tsf_buf_release(&text);
    return rc;
}

static enum tsf_err nested_json(const struct tsf_value *v, struct tsf_buf *out, struct tsf_error *err)
{
    struct tsf_arena scratch = TSF_ARENA_INIT;
    const struct tsf_vector *l = v->u.list;
    bool is_list = v->type->id == TSF_TYPE_LIST, is_map = v->type->id == TSF_TYPE_MAP;
    int64_t first = 0, n = is_list ? l->length : v->type->n_children;
    enum tsf_err rc;

    if (is_map) {
        first = ((const int32_t *)l->values)[0];
        n = ((const int32_t *)l->values)[1] - first;
    }
    rc = tsf_buf_append_u8(out, is_list ? '[' : '{', err);
    for (int64_t i = 0; rc == TSF_OK && i < n; i++) {
        if (i && (rc = tsf_buf_append_u8(out, ',', err)) != TSF_OK)
            break;
        if (is_list) {
            rc = element_json(l, i, &scratch, out, err);
            continue;
        }
        rc = is_map ? key_json(&l->children[0], first + i, &scratch, out, err)
                    : tsf_buf_append_json(out, tsf_str(v->type->children[i].name), err);
        if (rc == TSF_OK && (rc = tsf_buf_append_u8(out, ':', err)) == TSF_OK)
            rc = element_json(&l->children[is_map ? 1 : i], is_map ? first + i : 0, &scratch, out, err);
    }
    tsf_arena_release(&scratch);
    return rc != TSF_OK ? rc : tsf_buf_append_u8(out, is_list ? ']' : '}', err);
}

static enum tsf_err quote(struct tsf_buf *out, const char *p, size_t n, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = tsf_buf_append_u8(out, '"', err)) != TSF_OK || (rc = tsf_buf_append(out, p, n, err)) != TSF_OK)
        return rc;
    return tsf_buf_append_u8(out, '"', err);
}

enum tsf_err tsf_value_json(const struct tsf_value *v, struct tsf_buf *out, struct tsf_error *err)
{
    char text[64];
    size_t n;
    enum tsf_err rc;

    if (v->is_null || v->type->id == TSF_TYPE_NULL)
        return tsf_buf_append(out, "null", 4, err);
    if ((n = number_format(v, text)) > 0) {
        if ((v->type->id == TSF_TYPE_DOUBLE && !isfinite(v->u.f64)) ||
            (v->type->id == TSF_TYPE_FLOAT && !isfinite(v->u.f32)))
            return quote(out, text, n, err);
        return append(out, text, n, err);
    }
    switch (v->type->id) {
    case TSF_TYPE_BOOL: return tsf_buf_append_z(out, v->u.b ? "true" : "false", err);
    case TSF_TYPE_DATE: return quote(out, text, tsf_date_format((int32_t)v->u.i64, text), err);
    case TSF_TYPE_TIMESTAMP: return quote(out, text, tsf_time_format(v->u.i64, -1, "Z", 'T', text), err);
    case TSF_TYPE_TIMESTAMP_NTZ: return quote(out, text, tsf_time_format(v->u.i64, -1, "", 'T', text), err);
    case TSF_TYPE_TIME: return quote(out, text, clock_format((uint64_t)v->u.i64, text), err);
    case TSF_TYPE_STRING:
        if (v->type->json && v->u.s.len)
            return append(out, v->u.s.data, v->u.s.len, err);
        return tsf_buf_append_json(out, v->u.s, err);
    case TSF_TYPE_BINARY:
        if ((rc = tsf_buf_append_u8(out, '"', err)) != TSF_OK || (rc = hex_append(v->u.s, out, err)) != TSF_OK)
            return rc;
        return tsf_buf_append_u8(out, '"', err);
    case TSF_TYPE_INTERVAL:
        if ((rc = tsf_buf_append_u8(out, '"', err)) != TSF_OK || (rc = interval_text(&v->u.iv, out, err)) != TSF_OK)
            return rc;
        return tsf_buf_append_u8(out, '"', err);
    case TSF_TYPE_UUID: uuid_format(&v->u.i128, text); return quote(out, text, 36, err);
    default: return nested_json(v, out, err);
    }
}
