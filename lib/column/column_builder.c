/*
 * Builders: columns that grow row by row or vector by vector. See column.h.
 *
 * Invariants: validity, once there, has bits at and after length set, so that a parser which writes values[length++]
 * itself need not touch it; values of absent rows are zero; LIST and MAP offsets[0] = 0.
 */
#include "column/column.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_CAP 64

static bool has_offsets(const struct tsf_type *t)
{
    return t->id == TSF_TYPE_LIST || t->id == TSF_TYPE_MAP;
}

enum tsf_err tsf_builder_init(struct tsf_builder *b, const struct tsf_type *t, struct tsf_error *err)
{
    enum tsf_err rc;

    *b = (struct tsf_builder){ .type = t };
    if (t->n_children > 0) {
        if (!(b->children = calloc((size_t)t->n_children, sizeof *b->children)))
            return tsf_fail_nomem(err);
        for (int i = 0; i < t->n_children; i++)
            if ((rc = tsf_builder_init(&b->children[i], t->children[i].type, err)) != TSF_OK) {
                tsf_builder_release(b);
                return rc;
            }
    }
    if (has_offsets(t) && (rc = tsf_builder_reserve(b, FIRST_CAP, err)) != TSF_OK) {
        tsf_builder_release(b);
        return rc;
    }
    return TSF_OK;
}

void tsf_builder_release(struct tsf_builder *b)
{
    for (int i = 0; b->children && i < b->type->n_children; i++)
        if (b->children[i].type)
            tsf_builder_release(&b->children[i]);
    free(b->children);
    free(b->values);
    free(b->validity);
    tsf_arena_release(&b->bytes);
    *b = (struct tsf_builder){ .type = b->type };
}

void tsf_builder_reset(struct tsf_builder *b)
{
    tsf_builder_truncate(b, 0);
    for (int i = 0; b->children && i < b->type->n_children; i++)
        tsf_builder_reset(&b->children[i]);
    tsf_arena_reset(&b->bytes);
    b->n_bytes = 0;
}

static enum tsf_err validity_grow(struct tsf_builder *b, int64_t old_cap, int64_t cap, struct tsf_error *err)
{
    size_t old_words = b->validity ? tsf_bit_words(old_cap) : 0, words = tsf_bit_words(cap) + TSF_PAD / 8;
    uint64_t *p = realloc(b->validity, words * 8);

    if (!p)
        return tsf_fail_nomem(err);
    memset(p + old_words, 0xff, (words - old_words) * 8);
    b->validity = p;
    return TSF_OK;
}

enum tsf_err tsf_builder_reserve(struct tsf_builder *b, int64_t n, struct tsf_error *err)
{
    size_t width = (size_t)tsf_type_width(b->type), bytes;
    int64_t need, cap;
    char *p;
    enum tsf_err rc;

    if (__builtin_add_overflow(b->length, n, &need) || need > INT64_MAX / 64)
        return tsf_fail_nomem(err);
    if (need <= b->cap)
        return TSF_OK;
    cap = TSF_MAX(need, TSF_MAX(b->cap * 2, FIRST_CAP));
    if (width) {
        if (!tsf_mul_size((size_t)cap + has_offsets(b->type), width, &bytes) ||
            !tsf_add_size(bytes, TSF_PAD, &bytes) || !(p = realloc(b->values, bytes)))
            return tsf_fail_nomem(err);
        memset(p + bytes - TSF_PAD, 0, TSF_PAD);
        if (!b->values && has_offsets(b->type))
            memset(p, 0, width);
        b->values = p;
    }
    if (b->validity && (rc = validity_grow(b, b->cap, cap, err)) != TSF_OK)
        return rc;
    b->cap = cap;
    return TSF_OK;
}

static inline enum tsf_err reserve_one(struct tsf_builder *b, struct tsf_error *err)
{
    return TSF_LIKELY(b->length < b->cap) ? TSF_OK : tsf_builder_reserve(b, 1, err);
}

/* ---- nulls ----------------------------------------------------------------------------------------------- */

enum tsf_err tsf_builder_nulls(struct tsf_builder *b, int64_t n, struct tsf_error *err)
{
    size_t width = (size_t)tsf_type_width(b->type);
    enum tsf_err rc;

    if (n <= 0)
        return TSF_OK;
    if ((rc = tsf_builder_reserve(b, n, err)) != TSF_OK ||
        (!b->validity && (rc = validity_grow(b, 0, b->cap, err)) != TSF_OK))
        return rc;
    if (has_offsets(b->type)) {
        int32_t *off = b->values;
        for (int64_t i = b->length; i < b->length + n; i++)
            off[i + 1] = off[i];
    } else if (width) {
        memset((char *)b->values + (size_t)b->length * width, 0, (size_t)n * width);
    }
    if (b->type->id == TSF_TYPE_STRUCT)
        for (int i = 0; i < b->type->n_children; i++)
            if ((rc = tsf_builder_nulls(&b->children[i], b->length + n - b->children[i].length, err)) != TSF_OK)
                return rc;
    tsf_bits_fill(b->validity, b->length, n, false);
    b->length += n;
    b->null_count += n;
    return TSF_OK;
}

enum tsf_err tsf_builder_null(struct tsf_builder *b, struct tsf_error *err)
{
    return tsf_builder_nulls(b, 1, err);
}

void tsf_builder_truncate(struct tsf_builder *b, int64_t length)
{
    assert(length <= b->length);
    if (b->validity && length < b->length) {
        b->null_count -= b->length - length - tsf_bits_count(b->validity, length, b->length - length);
        tsf_bits_fill(b->validity, length, b->length - length, true);
    }
    b->length = length;
    /* Also elements of a row that was never closed. */
    for (int i = 0; b->children && i < b->type->n_children; i++) {
        int64_t keep = has_offsets(b->type) ? ((const int32_t *)b->values)[length] : length;
        tsf_builder_truncate(&b->children[i], TSF_MIN(keep, b->children[i].length));
    }
}

/* ---- one value --------------------------------------------------------------------------------------------- */

enum tsf_err tsf_builder_i64(struct tsf_builder *b, int64_t v, struct tsf_error *err)
{
    enum tsf_err rc = reserve_one(b, err);

    if (rc != TSF_OK)
        return rc;
    switch (tsf_type_width(b->type)) {
    case 1: ((int8_t *)b->values)[b->length] = (int8_t)v; break;
    case 2: ((int16_t *)b->values)[b->length] = (int16_t)v; break;
    case 4: ((int32_t *)b->values)[b->length] = (int32_t)v; break;
    case 8: ((int64_t *)b->values)[b->length] = v; break;
    default: ((tsf_int128 *)b->values)[b->length] = v; break;
    }
    b->length++;
    return TSF_OK;
}

enum tsf_err tsf_builder_f64(struct tsf_builder *b, double v, struct tsf_error *err)
{
    enum tsf_err rc = reserve_one(b, err);

    if (rc != TSF_OK)
        return rc;
    if (b->type->id == TSF_TYPE_FLOAT)
        ((float *)b->values)[b->length] = (float)v;
    else
        ((double *)b->values)[b->length] = v;
    b->length++;
    return TSF_OK;
}

enum tsf_err tsf_builder_i128(struct tsf_builder *b, tsf_int128 v, struct tsf_error *err)
{
    enum tsf_err rc = reserve_one(b, err);

    if (rc == TSF_OK)
        ((tsf_int128 *)b->values)[b->length++] = v;
    return rc;
}

enum tsf_err tsf_builder_str(struct tsf_builder *b, const char *p, size_t n, struct tsf_error *err)
{
    enum tsf_err rc = reserve_one(b, err);
    char *copy;

    if (rc != TSF_OK)
        return rc;
    if (n > TSF_SVIEW_INLINE) {
        if (n > UINT32_MAX)
            return tsf_fail(err, TSF_ERR_UNSUPPORTED, "a string of %zu bytes; the limit is 4 GiB", n);
        if (!(copy = tsf_arena_alloc(&b->bytes, n)))
            return tsf_fail_nomem(err);
        memcpy(copy, p, n);
        p = copy;
    }
    ((struct tsf_sview *)b->values)[b->length++] = tsf_sview_make(p, n);
    b->n_bytes += n;
    return TSF_OK;
}

enum tsf_err tsf_builder_list_end(struct tsf_builder *b, struct tsf_error *err)
{
    enum tsf_err rc = reserve_one(b, err);
    int64_t total;

    if (rc != TSF_OK)
        return rc;
    total = b->type->n_children ? b->children[0].length : b->length + 1;
    for (int i = 1; i < b->type->n_children; i++)
        if (b->children[i].length != total)
            return tsf_fail(err, TSF_ERR_INVALID, "children of a nested row have different lengths");
    if (has_offsets(b->type)) {
        if (total > INT32_MAX)
            return tsf_fail(err, TSF_ERR_UNSUPPORTED, "lists of more than 2^31 elements in one column");
        ((int32_t *)b->values)[b->length + 1] = (int32_t)total;
    } else if (total != b->length + 1) {
        return tsf_fail(err, TSF_ERR_INVALID, "a struct row was closed without its fields");
    }
    b->length++;
    return TSF_OK;
}

static enum tsf_err nested_value(struct tsf_builder *b, const struct tsf_vector *v, struct tsf_error *err)
{
    enum tsf_err rc;

    if (b->type->id != TSF_TYPE_LIST) /* a vector of this one row */
        return tsf_builder_append(b, v, 0, NULL, 1, err);
    if (v && (rc = tsf_builder_append(&b->children[0], v, 0, NULL, v->length, err)) != TSF_OK)
        return rc;
    return tsf_builder_list_end(b, err);
}

enum tsf_err tsf_builder_value(struct tsf_builder *b, const struct tsf_value *v, struct tsf_error *err)
{
    enum tsf_err rc;

    if (v->is_null || b->type->id == TSF_TYPE_NULL)
        return tsf_builder_null(b, err);
    switch (b->type->id) {
    case TSF_TYPE_BOOL: return tsf_builder_i64(b, v->u.b, err);
    case TSF_TYPE_FLOAT: return tsf_builder_f64(b, (double)v->u.f32, err);
    case TSF_TYPE_DOUBLE: return tsf_builder_f64(b, v->u.f64, err);
    case TSF_TYPE_DECIMAL:
    case TSF_TYPE_UUID: return tsf_builder_i128(b, v->u.i128, err);
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY: return tsf_builder_str(b, v->u.s.data, v->u.s.len, err);
    case TSF_TYPE_INTERVAL:
        if ((rc = reserve_one(b, err)) == TSF_OK)
            ((struct tsf_interval *)b->values)[b->length++] = v->u.iv;
        return rc;
    case TSF_TYPE_LIST:
    case TSF_TYPE_STRUCT:
    case TSF_TYPE_MAP: return nested_value(b, v->u.list, err);
    default: return tsf_builder_i64(b, v->u.i64, err);
    }
}

/* ---- many values ------------------------------------------------------------------------------------------------ */

typedef struct { uint64_t w[2]; } word16;

#define COPY_ROWS(T)                                                                                         \
    do {                                                                                                     \
        const T *s_ = src;                                                                                   \
        T *d_ = (T *)b->values + b->length;                                                                  \
        if (v->shape == TSF_CONSTANT)                                                                        \
            for (int64_t i = 0; i < n; i++)                                                                  \
                d_[i] = s_[0];                                                                               \
        else if (code && sel)                                                                                \
            for (int64_t i = 0; i < n; i++)                                                                  \
                d_[i] = s_[code[sel[i]]];                                                                    \
        else if (code)                                                                                       \
            for (int64_t i = 0; i < n; i++)                                                                  \
                d_[i] = s_[code[first + i]];                                                                 \
        else if (sel)                                                                                        \
            for (int64_t i = 0; i < n; i++)                                                                  \
                d_[i] = s_[sel[i]];                                                                          \
        else if (n)                                                                                          \
            memcpy(d_, s_ + first, (size_t)n * sizeof(T));                                                   \
    } while (0)

/* Values of the rows to the end of b, whatever the shape; src is the flat values (or copies of them). */
static void rows_copy(struct tsf_builder *b, const void *src, const struct tsf_vector *v, int64_t first,
                      const uint32_t *sel, int64_t n)
{
    const int32_t *code = v->shape == TSF_DICTIONARY ? v->values : NULL;

    switch (tsf_type_width(b->type)) {
    case 1: COPY_ROWS(uint8_t); break;
    case 2: COPY_ROWS(uint16_t); break;
    case 4: COPY_ROWS(uint32_t); break;
    case 8: COPY_ROWS(uint64_t); break;
    case 16: COPY_ROWS(word16); break;
    default: break;
    }
}

/* Move the bytes of n views into the builder's blocks. */
static enum tsf_err strings_own(struct tsf_builder *b, struct tsf_sview *s, int64_t n, struct tsf_error *err)
{
    size_t total = 0;
    char *p;

    for (int64_t i = 0; i < n; i++)
        total += s[i].len > TSF_SVIEW_INLINE ? s[i].len : 0;
    if (total == 0)
        return TSF_OK;
    if (!(p = tsf_arena_alloc(&b->bytes, total)))
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        if (s[i].len <= TSF_SVIEW_INLINE)
            continue;
        memcpy(p, s[i].u.ref.ptr, s[i].len);
        s[i].u.ref.ptr = p;
        p += s[i].len;
    }
    return TSF_OK;
}

static enum tsf_err strings_append(struct tsf_builder *b, const struct tsf_vector *v, int64_t first, const uint32_t *sel,
                                   int64_t n, struct tsf_error *err)
{
    struct tsf_sview *dst = (struct tsf_sview *)b->values + b->length, *own = NULL;
    int64_t n_own = v->shape == TSF_CONSTANT ? tsf_vector_present(v, 0) : v->shape == TSF_DICTIONARY ? v->dict->length : 0;
    enum tsf_err rc = TSF_OK;

    /* Where rows share strings, copy each once, unless a few rows come from a large dictionary. */
    if (v->shape != TSF_FLAT && n_own <= n) {
        if (!(own = tsf_malloc_array((size_t)n_own + 1, sizeof *own)))
            return tsf_fail_nomem(err);
        memcpy(own, tsf_vector_flat_values(v), (size_t)n_own * sizeof *own);
        if ((rc = strings_own(b, own, n_own, err)) == TSF_OK)
            rows_copy(b, own, v, first, sel, n);
        free(own);
    } else {
        rows_copy(b, tsf_vector_flat_values(v), v, first, sel, n);
        rc = strings_own(b, dst, n, err);
    }
    for (int64_t i = 0; rc == TSF_OK && i < n; i++)
        b->n_bytes += dst[i].len;
    return rc;
}

/* Element ranges of the rows, then the offsets. v is FLAT or CONSTANT. */
static enum tsf_err lists_append(struct tsf_builder *b, const struct tsf_vector *v, int64_t first, const uint32_t *sel,
                                 int64_t n, struct tsf_error *err)
{
    const int32_t *off = v->values;
    int32_t *dst = b->values;
    enum tsf_err rc;

    for (int64_t i = 0; i < n; i++) {
        int64_t row = v->shape == TSF_CONSTANT ? 0 : sel ? sel[i] : first + i;
        int64_t m = tsf_vector_present(v, row) ? off[row + 1] - off[row] : 0;
        for (int c = 0; c < v->type->n_children; c++)
            if (m && (rc = tsf_builder_append(&b->children[c], &v->children[c], off[row], NULL, m, err)) != TSF_OK)
                return rc;
        if (b->children[0].length > INT32_MAX)
            return tsf_fail(err, TSF_ERR_UNSUPPORTED, "lists of more than 2^31 elements in one column");
        dst[b->length + i + 1] = (int32_t)b->children[0].length;
    }
    return TSF_OK;
}

static enum tsf_err struct_append(struct tsf_builder *b, const struct tsf_vector *v, int64_t first, const uint32_t *sel,
                                  int64_t n, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (int c = 0; rc == TSF_OK && c < v->type->n_children; c++) {
        struct tsf_vector kid = v->children[c];
        if (v->shape == TSF_CONSTANT && kid.shape == TSF_FLAT) { /* row 0 stands for all */
            kid.shape = TSF_CONSTANT;
            kid.length = v->length;
            kid.null_count = -1;
        }
        rc = tsf_builder_append(&b->children[c], &kid, first, sel, n, err);
    }
    return rc;
}

static enum tsf_err validity_append(struct tsf_builder *b, const struct tsf_vector *v, int64_t first, const uint32_t *sel,
                                    int64_t n, struct tsf_error *err)
{
    int64_t nulls = 0;
    enum tsf_err rc;

    if (!v->validity || v->null_count == 0)
        return TSF_OK;
    if (!b->validity && (rc = validity_grow(b, 0, b->cap, err)) != TSF_OK)
        return rc;
    if (v->shape == TSF_CONSTANT) {
        nulls = tsf_vector_present(v, 0) ? 0 : n;
        tsf_bits_fill(b->validity, b->length, n, nulls == 0);
    } else if (!sel) {
        tsf_bits_copy(b->validity, b->length, v->validity, first, n);
        nulls = n - tsf_bits_count(b->validity, b->length, n);
    } else {
        for (int64_t i = 0; i < n; i++)
            if (!tsf_bit_get(v->validity, sel[i])) {
                tsf_bit_clear(b->validity, b->length + i);
                nulls++;
            }
    }
    b->null_count += nulls;
    return TSF_OK;
}

/* Values of absent rows become zero where the source could not promise it (dictionaries, constants). */
static void absent_zero(struct tsf_builder *b, int64_t n)
{
    size_t width = (size_t)tsf_type_width(b->type);

    for (int64_t i = b->length; i < b->length + n; i++)
        if (!tsf_bit_get(b->validity, i))
            memset((char *)b->values + (size_t)i * width, 0, width);
}

enum tsf_err tsf_builder_append(struct tsf_builder *b, const struct tsf_vector *v, int64_t first, const uint32_t *sel, int64_t n,
                                struct tsf_error *err)
{
    int64_t nulls = b->null_count;
    struct tsf_arena scratch = TSF_ARENA_INIT;
    struct tsf_vector flat;
    enum tsf_err rc;

    if (n <= 0)
        return TSF_OK;
    if (v->type->id == TSF_TYPE_NULL || (v->shape == TSF_CONSTANT && !tsf_vector_present(v, 0)) ||
        (v->shape == TSF_DICTIONARY && v->dict->length == 0))
        return tsf_builder_nulls(b, n, err);
    if (v->type->id != b->type->id || v->type->n_children != b->type->n_children)
        return tsf_fail(err, TSF_ERR_INVALID, "cannot append a vector of another type");
    if (v->type->n_children && v->shape == TSF_DICTIONARY) {
        if ((rc = tsf_vector_flatten(v, &scratch, &flat, err)) == TSF_OK)
            rc = tsf_builder_append(b, &flat, first, sel, n, err);
        tsf_arena_release(&scratch);
        return rc;
    }
    if ((rc = tsf_builder_reserve(b, n, err)) != TSF_OK)
        return rc;
    if (has_offsets(v->type))
        rc = lists_append(b, v, first, sel, n, err);
    else if (v->type->id == TSF_TYPE_STRUCT)
        rc = struct_append(b, v, first, sel, n, err);
    else if (tsf_type_is_string(v->type))
        rc = strings_append(b, v, first, sel, n, err);
    else
        rows_copy(b, tsf_vector_flat_values(v), v, first, sel, n);
    if (rc != TSF_OK || (rc = validity_append(b, v, first, sel, n, err)) != TSF_OK)
        return rc;
    if (b->null_count != nulls && v->shape == TSF_DICTIONARY)
        absent_zero(b, n);
    b->length += n;
    return TSF_OK;
}

/* ---- the result --------------------------------------------------------------------------------------------------- */

enum tsf_err tsf_builder_vector(const struct tsf_builder *b, struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err)
{
    struct tsf_vector *kids = NULL;
    static const uint64_t nothing[TSF_PAD / 8 + 2];
    enum tsf_err rc;

    if (b->children) {
        if (!(kids = tsf_arena_calloc(a, (size_t)b->type->n_children, sizeof *kids)))
            return tsf_fail_nomem(err);
        for (int i = 0; i < b->type->n_children; i++)
            if ((rc = tsf_builder_vector(&b->children[i], a, &kids[i], err)) != TSF_OK)
                return rc;
    }
    *out = (struct tsf_vector){
        .type = b->type, .shape = TSF_FLAT, .length = b->length, .null_count = b->null_count,
        .validity = b->null_count ? b->validity : NULL, .values = b->values ? b->values : nothing, .children = kids,
    };
    return TSF_OK;
}
