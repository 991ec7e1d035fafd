/* Reading batches from bytes. The format stands in column_internal.h; nothing in the bytes is trusted. */
#include "column/column_internal.h"

struct reader {
    const uint8_t *first, *p, *end;
    struct tsf_arena *a;
    struct tsf_error *err;
};

static enum tsf_err vector_read(struct reader *r, const struct tsf_type *t, int64_t n, int depth, struct tsf_vector *out);

static enum tsf_err bad(struct reader *r, const char *what)
{
    return tsf_fail_at(r->err, r->p - r->first, "batch: %s", what);
}

static bool left(const struct reader *r, uint64_t n)
{
    return (uint64_t)(r->end - r->p) >= n;
}

static bool u8_read(struct reader *r, uint8_t *out)
{
    if (!left(r, 1))
        return false;
    *out = *r->p++;
    return true;
}

static bool varint_read(struct reader *r, uint64_t *out)
{
    uint64_t v = 0;
    uint8_t b;

    for (int shift = 0; shift < 64; shift += 7) {
        if (!u8_read(r, &b) || (shift == 63 && b > 1))
            return false;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *out = v;
            return true;
        }
    }
    return false;
}

static bool width_read(struct reader *r, int max, uint8_t *out)
{
    return u8_read(r, out) && (*out == 1 || *out == 2 || *out == 4 || *out == 8) && *out <= max;
}

/* ---- types ------------------------------------------------------------------------------------------------ */

static enum tsf_err type_read(struct reader *r, int depth, const struct tsf_type **out);

static enum tsf_err child_read(struct reader *r, enum tsf_type_id parent, int i, int depth, struct tsf_field *f)
{
    uint64_t n;
    uint8_t nullable = 0;

    f->field_id = -1;
    f->name = parent == TSF_TYPE_LIST ? "element" : i == 0 ? "key" : "value";
    if (parent == TSF_TYPE_STRUCT) {
        if (!varint_read(r, &n) || !left(r, n) || memchr(r->p, 0, (size_t)n))
            return bad(r, "bad field name");
        if (!(f->name = tsf_arena_strndup(r->a, (const char *)r->p, (size_t)n)))
            return tsf_fail_nomem(r->err);
        r->p += n;
    }
    if (!(parent == TSF_TYPE_MAP && i == 0) && (!u8_read(r, &nullable) || nullable > 1))
        return bad(r, "bad field");
    f->nullable = nullable;
    return type_read(r, depth + 1, &f->type);
}

static enum tsf_err nested_type_read(struct reader *r, uint8_t id, int depth, const struct tsf_type **out)
{
    uint64_t n = id == TSF_TYPE_LIST ? 1 : 2;
    struct tsf_field *f;
    struct tsf_type *t;
    enum tsf_err rc;

    if (id == TSF_TYPE_STRUCT && (!varint_read(r, &n) || !left(r, n)))
        return bad(r, "bad number of fields");
    if (!(t = tsf_arena_calloc(r->a, 1, sizeof *t)) || !(f = tsf_arena_calloc(r->a, (size_t)n + 1, sizeof *f)))
        return tsf_fail_nomem(r->err);
    t->id = (enum tsf_type_id)id;
    t->n_children = (int)n;
    t->children = f;
    for (int i = 0; i < (int)n; i++)
        if ((rc = child_read(r, t->id, i, depth, &f[i])) != TSF_OK)
            return rc;
    *out = t;
    return TSF_OK;
}

static enum tsf_err type_read(struct reader *r, int depth, const struct tsf_type **out)
{
    uint8_t id, x, y;

    if (depth > CODEC_DEPTH_MAX)
        return bad(r, "types nested too deep");
    if (!u8_read(r, &id) || id >= TSF_TYPE_COUNT)
        return bad(r, "unknown type");
    switch (id) {
    case TSF_TYPE_DECIMAL:
        if (!u8_read(r, &x) || !u8_read(r, &y) || !(*out = tsf_type_decimal(x, y)))
            return bad(r, "bad decimal type");
        return TSF_OK;
    case TSF_TYPE_STRING:
        if (!u8_read(r, &x) || x > 1)
            return bad(r, "bad string type");
        *out = x ? &tsf_type_json : TSF_T(STRING);
        return TSF_OK;
    case TSF_TYPE_LIST:
    case TSF_TYPE_STRUCT:
    case TSF_TYPE_MAP: return nested_type_read(r, id, depth, out);
    default: *out = &tsf_types[id]; return TSF_OK;
    }
}

/* ---- values ------------------------------------------------------------------------------------------------- */

#define UNPACK(D, S, EXPR)                                                                                   \
    do {                                                                                                     \
        D *d_ = values;                                                                                      \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            S x;                                                                                             \
            memcpy(&x, p + i * (int64_t)sizeof x, sizeof x);                                                 \
            d_[i] = (D)(EXPR);                                                                               \
        }                                                                                                    \
    } while (0)

#define UNPACK_FOR(D)                                                                                        \
    switch (w) {                                                                                             \
    case 1: UNPACK(D, uint8_t, (int64_t)(min + x)); break;                                                   \
    case 2: UNPACK(D, uint16_t, (int64_t)(min + x)); break;                                                  \
    case 4: UNPACK(D, uint32_t, (int64_t)(min + x)); break;                                                  \
    default: UNPACK(D, uint64_t, (int64_t)(min + x)); break;                                                 \
    }

static void for_unpack(const uint8_t *p, int w, int64_t n, uint64_t min, int width, void *values)
{
    switch (width) {
    case 1: UNPACK_FOR(int8_t); break;
    case 2: UNPACK_FOR(int16_t); break;
    case 4: UNPACK_FOR(int32_t); break;
    case 8: UNPACK_FOR(int64_t); break;
    default: UNPACK_FOR(tsf_int128); break;
    }
}

#define DELTA_LOOP(D, S)                                                                                     \
    do {                                                                                                     \
        D *d_ = values;                                                                                      \
        d_[0] = (D)(int64_t)v;                                                                               \
        for (int64_t i = 1; i < n; i++) {                                                                    \
            S x;                                                                                             \
            memcpy(&x, p + (i - 1) * (int64_t)sizeof x, sizeof x);                                           \
            v += min + x;                                                                                    \
            d_[i] = (D)(int64_t)v;                                                                           \
        }                                                                                                    \
    } while (0)
#define DELTA_WIDTHS(D)                                                                                      \
    switch (w) {                                                                                             \
    case 1: DELTA_LOOP(D, uint8_t); break;                                                                   \
    case 2: DELTA_LOOP(D, uint16_t); break;                                                                  \
    case 4: DELTA_LOOP(D, uint32_t); break;                                                                  \
    default: DELTA_LOOP(D, uint64_t); break;                                                                 \
    }

static void delta_unpack(const uint8_t *p, int w, int64_t n, uint64_t v, uint64_t min, int width, void *values)
{
    switch (width) {
    case 1: DELTA_WIDTHS(int8_t); break;
    case 2: DELTA_WIDTHS(int16_t); break;
    case 4: DELTA_WIDTHS(int32_t); break;
    case 8: DELTA_WIDTHS(int64_t); break;
    default: DELTA_WIDTHS(tsf_int128); break;
    }
}

static enum tsf_err ints_read(struct reader *r, const struct tsf_type *t, int64_t n, bool delta, struct tsf_vector *out)
{
    size_t head = delta ? 16 : 8;
    const uint8_t *at = r->p;
    int width = tsf_type_width(t);
    void *values;
    uint8_t w;
    enum tsf_err rc;

    if (!codec_is_integer(t->id) || n < 1)
        return bad(r, "this type has no such encoding");
    if (!left(r, head))
        return bad(r, "truncated");
    r->p += head;
    if (!width_read(r, 8, &w) || !left(r, (uint64_t)(n - delta) * w))
        return bad(r, "truncated");
    if ((rc = tsf_vector_alloc(t, n, r->a, out, &values, r->err)) != TSF_OK)
        return rc;
    if (delta)
        delta_unpack(r->p, w, n, tsf_le64_get(at), tsf_le64_get(at + 8), width, values);
    else
        for_unpack(r->p, w, n, tsf_le64_get(at), width, values);
    r->p += (n - delta) * w;
    return TSF_OK;
}

static enum tsf_err plain_read(struct reader *r, const struct tsf_type *t, int64_t n, struct tsf_vector *out)
{
    size_t bytes = (size_t)n * (size_t)tsf_type_width(t);
    void *values;
    enum tsf_err rc;

    if (t->n_children || tsf_type_is_string(t) || t->id == TSF_TYPE_BOOL || t->id == TSF_TYPE_NULL ||
        tsf_type_width(t) == 0 || t->id == TSF_TYPE_LIST || t->id == TSF_TYPE_MAP)
        return bad(r, "this type has no such encoding");
    if (!left(r, bytes))
        return bad(r, "truncated");
    if ((rc = tsf_vector_alloc(t, n, r->a, out, &values, r->err)) != TSF_OK)
        return rc;
    memcpy(values, r->p, bytes);
    r->p += bytes;
    return TSF_OK;
}

static enum tsf_err bits_read(struct reader *r, const struct tsf_type *t, int64_t n, struct tsf_vector *out)
{
    size_t bytes = (size_t)(n + 7) / 8;
    void *values;
    uint8_t *d;
    enum tsf_err rc;

    if (t->id != TSF_TYPE_BOOL)
        return bad(r, "this type has no such encoding");
    if (!left(r, bytes))
        return bad(r, "truncated");
    if ((rc = tsf_vector_alloc(t, n, r->a, out, &values, r->err)) != TSF_OK)
        return rc;
    d = values;
    for (int64_t i = 0; i < n; i++)
        d[i] = (r->p[i >> 3] >> (i & 7)) & 1;
    r->p += bytes;
    return TSF_OK;
}

/* ---- strings -------------------------------------------------------------------------------------------------- */

/* Views into the bytes themselves; the lengths must add up to the bytes exactly. */
#define VIEWS(T)                                                                                             \
    for (int64_t i = 0; i < n; i++) {                                                                        \
        T len;                                                                                               \
        memcpy(&len, lens + i * (int64_t)sizeof len, sizeof len);                                            \
        if (len > total - used)                                                                              \
            return bad(r, "string lengths exceed the bytes");                                                \
        s[i] = tsf_sview_make((const char *)p + used, len);                                                  \
        used += len;                                                                                         \
    }

static enum tsf_err strings_read(struct reader *r, const struct tsf_type *t, int64_t n, struct tsf_vector *out)
{
    uint64_t total, used = 0;
    const uint8_t *lens, *p;
    struct tsf_sview *s;
    void *values;
    uint8_t w;
    enum tsf_err rc;

    if (!tsf_type_is_string(t))
        return bad(r, "this type has no such encoding");
    if (!varint_read(r, &total) || !width_read(r, 4, &w) || !left(r, (uint64_t)n * w) ||
        !left(r, total) || (uint64_t)(r->end - r->p) - (uint64_t)n * w < total)
        return bad(r, "truncated");
    lens = r->p;
    p = lens + n * w;
    if ((rc = tsf_vector_alloc(t, n, r->a, out, &values, r->err)) != TSF_OK)
        return rc;
    s = values;
    switch (w) {
    case 1: VIEWS(uint8_t); break;
    case 2: VIEWS(uint16_t); break;
    default: VIEWS(uint32_t); break;
    }
    if (used != total)
        return bad(r, "string lengths do not add up");
    r->p = p + total;
    return TSF_OK;
}

static enum tsf_err dict_read(struct reader *r, const struct tsf_type *t, int64_t n, struct tsf_vector *out)
{
    struct tsf_vector *dict = tsf_arena_alloc(r->a, sizeof *dict);
    const uint8_t *p;
    uint64_t n_dict;
    uint32_t max = 0;
    uint32_t *codes;
    void *values;
    uint8_t w;
    enum tsf_err rc;

    if (!dict)
        return tsf_fail_nomem(r->err);
    if (!varint_read(r, &n_dict) || n_dict > CODEC_ROWS_MAX || !width_read(r, 4, &w) || !left(r, (uint64_t)n * w))
        return bad(r, "truncated");
    if ((rc = tsf_vector_alloc(TSF_T(INT32), n, r->a, out, &values, r->err)) != TSF_OK)
        return rc;
    p = r->p;
    switch (w) {
    case 1: UNPACK(uint32_t, uint8_t, x); break;
    case 2: UNPACK(uint32_t, uint16_t, x); break;
    default: UNPACK(uint32_t, uint32_t, x); break;
    }
    codes = values;
    for (int64_t i = 0; i < n; i++)
        max = codes[i] > max ? codes[i] : max;
    if (max >= n_dict)
        return bad(r, "dictionary code out of range");
    r->p += n * w;
    if ((rc = strings_read(r, t, (int64_t)n_dict, dict)) != TSF_OK)
        return rc;
    out->type = t;
    out->shape = TSF_DICTIONARY;
    out->dict = dict;
    out->dict_id = tsf_dict_id_new();
    return TSF_OK;
}

/* ---- constants -------------------------------------------------------------------------------------------------- */

static enum tsf_err constant_read(struct reader *r, const struct tsf_type *t, int64_t n, struct tsf_vector *out)
{
    uint64_t len = (uint64_t)tsf_type_width(t);
    struct tsf_sview s;
    void *values;
    enum tsf_err rc;

    if (t->n_children || len == 0 || t->id == TSF_TYPE_LIST || t->id == TSF_TYPE_MAP)
        return bad(r, "this type has no such encoding");
    if (tsf_type_is_string(t) && (!varint_read(r, &len) || len > UINT32_MAX))
        return bad(r, "bad string length");
    if (!left(r, len))
        return bad(r, "truncated");
    if (t->id == TSF_TYPE_BOOL && *r->p > 1)
        return bad(r, "bad boolean");
    if ((rc = tsf_vector_alloc(t, 1, r->a, out, &values, r->err)) != TSF_OK)
        return rc;
    if (tsf_type_is_string(t)) {
        s = tsf_sview_make((const char *)r->p, (size_t)len);
        memcpy(values, &s, sizeof s);
    } else {
        memcpy(values, r->p, (size_t)len);
    }
    r->p += len;
    out->shape = TSF_CONSTANT;
    out->length = n;
    return TSF_OK;
}

static enum tsf_err none_read(struct reader *r, const struct tsf_type *t, int64_t n, int depth, struct tsf_vector *out)
{
    struct tsf_vector *kids = tsf_arena_calloc(r->a, (size_t)t->n_children + 1, sizeof *kids);
    void *zero = tsf_arena_calloc(r->a, 2, TSF_PAD);
    enum tsf_err rc;

    if (!zero || !kids)
        return tsf_fail_nomem(r->err);
    for (int c = 0; c < t->n_children; c++)
        if ((rc = none_read(r, t->children[c].type, t->id == TSF_TYPE_STRUCT, depth + 1, &kids[c])) != TSF_OK)
            return rc;
    *out = (struct tsf_vector){ .type = t, .shape = TSF_CONSTANT, .length = n, .null_count = n, .values = zero,
                                .validity = (const uint64_t *)zero + TSF_PAD / 8, .children = kids };
    return TSF_OK;
}

/* ---- nested ------------------------------------------------------------------------------------------------------- */

static enum tsf_err list_read(struct reader *r, const struct tsf_type *t, int64_t n, int depth, struct tsf_vector *out)
{
    struct tsf_vector *kids = tsf_arena_calloc(r->a, (size_t)t->n_children + 1, sizeof *kids);
    uint64_t total = 0;
    void *values;
    int32_t *off;
    uint8_t w;
    enum tsf_err rc;

    if (!kids)
        return tsf_fail_nomem(r->err);
    if ((t->id != TSF_TYPE_LIST && t->id != TSF_TYPE_MAP) || !width_read(r, 4, &w) || !left(r, (uint64_t)n * w))
        return bad(r, "truncated");
    if ((rc = tsf_vector_alloc(t, n, r->a, out, &values, r->err)) != TSF_OK)
        return rc;
    off = values;
    off[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        total += w == 1 ? r->p[i] : w == 2 ? tsf_le16_get(r->p + i * 2) : tsf_le32_get(r->p + i * 4);
        if (total > CODEC_ROWS_MAX)
            return bad(r, "lists too long");
        off[i + 1] = (int32_t)total;
    }
    r->p += n * w;
    for (int c = 0; c < t->n_children; c++)
        if ((rc = vector_read(r, t->children[c].type, (int64_t)total, depth + 1, &kids[c])) != TSF_OK)
            return rc;
    out->children = kids;
    return TSF_OK;
}

static enum tsf_err struct_read(struct reader *r, const struct tsf_type *t, int64_t n, int depth, struct tsf_vector *out)
{
    struct tsf_vector *kids = tsf_arena_calloc(r->a, (size_t)t->n_children + 1, sizeof *kids);
    enum tsf_err rc;

    if (!kids)
        return tsf_fail_nomem(r->err);
    if (t->id != TSF_TYPE_STRUCT)
        return bad(r, "this type has no such encoding");
    for (int c = 0; c < t->n_children; c++)
        if ((rc = vector_read(r, t->children[c].type, n, depth + 1, &kids[c])) != TSF_OK)
            return rc;
    *out = (struct tsf_vector){ .type = t, .shape = TSF_FLAT, .length = n, .children = kids };
    return TSF_OK;
}

/* ---- one vector ----------------------------------------------------------------------------------------------------- */

static enum tsf_err validity_read(struct reader *r, int64_t n, uint64_t **words_out)
{
    size_t bytes = (size_t)(n + 7) / 8;
    uint64_t *words;

    if (!left(r, bytes))
        return bad(r, "truncated");
    if (!(words = tsf_arena_calloc(r->a, tsf_bit_words(n) + TSF_PAD / 8, 8)))
        return tsf_fail_nomem(r->err);
    memcpy(words, r->p, bytes);
    r->p += bytes;
    *words_out = words;
    return TSF_OK;
}

/* Whatever was written under absent rows becomes zero. Offsets stay: an absent list is empty to every kernel. */
static void absent_zero(struct tsf_vector *v)
{
    size_t width = v->shape == TSF_DICTIONARY ? 4 : (size_t)tsf_type_width(v->type);
    char *values = (char *)(uintptr_t)v->values;

    if (!v->validity || v->type->n_children || !values)
        return;
    for (int64_t w = 0; w * 64 < v->length; w++) {
        uint64_t absent = ~v->validity[w];
        if (v->length - w * 64 < 64)
            absent &= (1ULL << (v->length - w * 64)) - 1;
        for (; absent; absent &= absent - 1)
            memset(values + (size_t)(w * 64 + __builtin_ctzll(absent)) * width, 0, width);
    }
}

static enum tsf_err vector_read(struct reader *r, const struct tsf_type *t, int64_t n, int depth, struct tsf_vector *out)
{
    uint64_t *words = NULL;
    uint8_t tag;
    enum tsf_err rc;

    if (!u8_read(r, &tag))
        return bad(r, "truncated");
    if (tag == CODEC_NONE)
        return none_read(r, t, n, depth, out);
    if (tag == CODEC_CONST)
        return constant_read(r, t, n, out);
    if (tag & CODEC_NULLS && (rc = validity_read(r, n, &words)) != TSF_OK)
        return rc;
    switch (tag & ~CODEC_NULLS) {
    case CODEC_PLAIN: rc = plain_read(r, t, n, out); break;
    case CODEC_BITS: rc = bits_read(r, t, n, out); break;
    case CODEC_FOR: rc = ints_read(r, t, n, false, out); break;
    case CODEC_DELTA: rc = ints_read(r, t, n, true, out); break;
    case CODEC_STRINGS: rc = strings_read(r, t, n, out); break;
    case CODEC_DICT: rc = dict_read(r, t, n, out); break;
    case CODEC_LIST: rc = list_read(r, t, n, depth, out); break;
    case CODEC_STRUCT: rc = struct_read(r, t, n, depth, out); break;
    default: return bad(r, "unknown encoding");
    }
    if (rc != TSF_OK || !words)
        return rc;
    tsf_vector_set_validity(out, words);
    absent_zero(out);
    return TSF_OK;
}

enum tsf_err tsf_batch_decode(const void *p, size_t n, struct tsf_arena *a, struct tsf_batch *out, struct tsf_error *err)
{
    struct reader r = { .first = p, .p = p, .end = (const uint8_t *)p + n, .a = a, .err = err };
    const struct tsf_type *t;
    struct tsf_vector *columns;
    uint64_t n_columns, rows;
    uint8_t version;
    enum tsf_err rc;

    if (!u8_read(&r, &version))
        return bad(&r, "truncated");
    if (version != CODEC_VERSION)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "batch: version %d; this build knows %d", version, CODEC_VERSION);
    if (!varint_read(&r, &n_columns) || !varint_read(&r, &rows) || !left(&r, n_columns) || n_columns > INT32_MAX)
        return bad(&r, "truncated");
    if (rows > CODEC_ROWS_MAX)
        return bad(&r, "too many rows");
    if (!(columns = tsf_arena_calloc(a, (size_t)n_columns + 1, sizeof *columns)))
        return tsf_fail_nomem(err);
    for (uint64_t c = 0; c < n_columns; c++)
        if ((rc = type_read(&r, 0, &t)) != TSF_OK ||
            (rc = vector_read(&r, t, (int64_t)rows, 0, &columns[c])) != TSF_OK)
            return tsf_prepend(err, rc, "column %d", (int)c);
    if (r.p != r.end)
        return bad(&r, "bytes after the last column");
    *out = (struct tsf_batch){ .length = (int64_t)rows, .n_columns = (int)n_columns, .columns = columns };
    return TSF_OK;
}
