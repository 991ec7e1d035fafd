/*
 * Vectors: slices, gathers, flattening, copies. See column.h.
 *
 * A CONSTANT LIST, MAP or STRUCT keeps its one row at position 0 of offsets and children.
 */
#include "column/column.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

uint64_t tsf_dict_id_new(void)
{
    static _Atomic uint64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

int tsf_sview_cmp(const struct tsf_sview *a, const struct tsf_sview *b)
{
    uint32_t pa, pb, n = TSF_MIN(a->len, b->len);
    int c;

    /* The first four bytes lie at the same place in both forms; the zeros after a short string order it as its end does. */
    memcpy(&pa, a->u.inl, 4);
    memcpy(&pb, b->u.inl, 4);
    if (pa != pb) {
        pa = __builtin_bswap32(pa);
        pb = __builtin_bswap32(pb);
        return pa < pb ? -1 : 1;
    }
    c = memcmp(tsf_sview_data(a), tsf_sview_data(b), n);
    return c ? c : (a->len > b->len) - (a->len < b->len);
}

int64_t tsf_vector_null_count(const struct tsf_vector *v)
{
    if (v->type->id == TSF_TYPE_NULL)
        return v->length;
    if (v->null_count >= 0)
        return v->null_count;
    if (!v->validity)
        return 0;
    if (v->shape == TSF_CONSTANT)
        return tsf_bit_get(v->validity, 0) ? 0 : v->length;
    return v->length - tsf_bits_count(v->validity, 0, v->length);
}

void tsf_vector_set_validity(struct tsf_vector *v, const uint64_t *words)
{
    int64_t nulls = words ? v->length - tsf_bits_count(words, 0, v->length) : 0;

    v->validity = nulls ? words : NULL;
    v->null_count = nulls;
}

static bool has_offsets(const struct tsf_type *t)
{
    return t->id == TSF_TYPE_LIST || t->id == TSF_TYPE_MAP;
}

enum tsf_err tsf_vector_alloc(const struct tsf_type *t, int64_t n, struct tsf_arena *a, struct tsf_vector *out,
                              void **values_out, struct tsf_error *err)
{
    size_t bytes, rows = (size_t)n + has_offsets(t);
    void *p = NULL;

    assert(n >= 0);
    if (!tsf_mul_size(rows, (size_t)tsf_type_width(t), &bytes) || !tsf_add_size(bytes, TSF_PAD, &bytes) ||
        !(p = tsf_arena_alloc(a, bytes)))
        return tsf_fail_nomem(err);
    memset((char *)p + bytes - TSF_PAD, 0, TSF_PAD);
    *out = (struct tsf_vector){ .type = t, .shape = TSF_FLAT, .length = n, .values = p };
    if (values_out)
        *values_out = p;
    return TSF_OK;
}

static uint64_t *validity_alloc(int64_t n, struct tsf_arena *a)
{
    return tsf_arena_alloc(a, tsf_bit_words(n) * 8 + TSF_PAD);
}

/* ---- slices ------------------------------------------------------------------------------------------ */

static enum tsf_err children_slice(const struct tsf_vector *v, int64_t first, int64_t n, struct tsf_arena *a,
                                   struct tsf_vector *out, struct tsf_error *err)
{
    struct tsf_vector *kids = tsf_arena_calloc(a, (size_t)v->type->n_children + 1, sizeof *kids);
    enum tsf_err rc;

    if (!kids)
        return tsf_fail_nomem(err);
    for (int i = 0; i < v->type->n_children; i++)
        if ((rc = tsf_vector_slice(&v->children[i], first, n, a, &kids[i], err)) != TSF_OK)
            return rc;
    out->children = kids;
    return TSF_OK;
}

enum tsf_err tsf_vector_slice(const struct tsf_vector *v, int64_t first, int64_t n, struct tsf_arena *a,
                              struct tsf_vector *out, struct tsf_error *err)
{
    struct tsf_vector r = *v;
    enum tsf_err rc;
    uint64_t *words;

    assert(first >= 0 && n >= 0 && first + n <= v->length);
    r.length = n;
    if (v->shape == TSF_CONSTANT) {
        r.null_count = v->null_count <= 0 ? v->null_count : n;
        *out = r;
        return TSF_OK;
    }
    if (v->null_count == 0 || !v->validity) {
        r.validity = NULL;
        r.null_count = 0;
    } else if (first % 64 == 0) {
        r.validity = v->validity + first / 64;
        r.null_count = n == v->length ? v->null_count : -1;
    } else {
        if (!(words = validity_alloc(n, a)))
            return tsf_fail_nomem(err);
        tsf_bits_copy(words, 0, v->validity, first, n);
        tsf_vector_set_validity(&r, words);
    }
    if (v->values)
        r.values = (const char *)v->values + first * (v->shape == TSF_DICTIONARY ? 4 : tsf_type_width(v->type));
    if (v->shape == TSF_FLAT && v->type->id == TSF_TYPE_STRUCT && (rc = children_slice(v, first, n, a, &r, err)) != TSF_OK)
        return rc;
    *out = r;
    return TSF_OK;
}

/* ---- gathers ------------------------------------------------------------------------------------------- */

static enum tsf_err validity_gather(const uint64_t *bits, const uint32_t *sel, int64_t n, struct tsf_arena *a,
                                    struct tsf_vector *out, struct tsf_error *err)
{
    uint64_t *words = validity_alloc(n, a);

    if (!words)
        return tsf_fail_nomem(err);
    for (int64_t w = 0; w * 64 < n; w++) {
        int64_t m = TSF_MIN(n - w * 64, 64);
        uint64_t x = 0;
        for (int64_t i = 0; i < m; i++)
            x |= (uint64_t)tsf_bit_get(bits, sel[w * 64 + i]) << i;
        words[w] = x;
    }
    tsf_vector_set_validity(out, words);
    return TSF_OK;
}

typedef struct { uint64_t w[2]; } word16;

#define GATHER(T, IDX)                                                                                       \
    do {                                                                                                     \
        const T *s_ = src;                                                                                   \
        T *d_ = dst;                                                                                         \
        for (int64_t i = 0; i < n; i++)                                                                      \
            d_[i] = s_[IDX];                                                                                 \
    } while (0)

static void values_gather(const void *src, int width, const uint32_t *sel, int64_t n, void *dst)
{
    switch (width) {
    case 1: GATHER(uint8_t, sel[i]); break;
    case 2: GATHER(uint16_t, sel[i]); break;
    case 4: GATHER(uint32_t, sel[i]); break;
    case 8: GATHER(uint64_t, sel[i]); break;
    case 16: GATHER(word16, sel[i]); break;
    default: break;
    }
}

/* New offsets, and the elements that the rows pick in the children. Null rows become empty. */
static enum tsf_err list_gather(const struct tsf_vector *v, const uint32_t *sel, int64_t n, struct tsf_arena *a,
                                struct tsf_vector *out, struct tsf_error *err)
{
    const int32_t *off = v->values;
    struct tsf_vector *kids = tsf_arena_calloc(a, (size_t)v->type->n_children, sizeof *kids);
    uint32_t *pick;
    int32_t *dst;
    int64_t total = 0;
    void *values;
    enum tsf_err rc;

    if (!kids)
        return tsf_fail_nomem(err);
    if ((rc = tsf_vector_alloc(v->type, n, a, out, &values, err)) != TSF_OK)
        return rc;
    dst = values;
    dst[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        if (tsf_vector_present(v, sel[i]))
            total += off[sel[i] + 1] - off[sel[i]];
        if (total > INT32_MAX)
            return tsf_fail(err, TSF_ERR_UNSUPPORTED, "lists of more than 2^31 elements in one vector");
        dst[i + 1] = (int32_t)total;
    }
    if (!(pick = tsf_arena_alloc(a, (size_t)total * 4 + 4)))
        return tsf_fail_nomem(err);
    for (int64_t i = 0, k = 0; i < n; i++)
        for (int32_t j = 0, m = dst[i + 1] - dst[i]; j < m; j++)
            pick[k++] = (uint32_t)(off[sel[i]] + j);
    for (int c = 0; c < v->type->n_children; c++)
        if ((rc = tsf_vector_gather(&v->children[c], pick, total, a, &kids[c], err)) != TSF_OK)
            return rc;
    out->children = kids;
    return TSF_OK;
}

static enum tsf_err struct_gather(const struct tsf_vector *v, const uint32_t *sel, int64_t n, struct tsf_arena *a,
                                  struct tsf_vector *out, struct tsf_error *err)
{
    struct tsf_vector *kids = tsf_arena_calloc(a, (size_t)v->type->n_children + 1, sizeof *kids);
    enum tsf_err rc;

    if (!kids)
        return tsf_fail_nomem(err);
    *out = (struct tsf_vector){ .type = v->type, .shape = TSF_FLAT, .length = n, .children = kids };
    for (int c = 0; c < v->type->n_children; c++)
        if ((rc = tsf_vector_gather(&v->children[c], sel, n, a, &kids[c], err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

enum tsf_err tsf_vector_gather(const struct tsf_vector *v, const uint32_t *sel, int64_t n, struct tsf_arena *a,
                               struct tsf_vector *out, struct tsf_error *err)
{
    struct tsf_vector r;
    void *values;
    enum tsf_err rc;

    if (v->shape == TSF_CONSTANT || v->type->id == TSF_TYPE_NULL) {
        r = *v;
        r.length = n;
        r.null_count = v->null_count <= 0 ? v->null_count : n;
        *out = r;
        return TSF_OK;
    }
    if (v->shape == TSF_DICTIONARY) {
        if ((rc = tsf_vector_alloc(TSF_T(INT32), n, a, &r, &values, err)) != TSF_OK)
            return rc;
        values_gather(v->values, 4, sel, n, values);
        r.type = v->type;
        r.shape = TSF_DICTIONARY;
        r.dict = v->dict;
        r.dict_id = v->dict_id;
    } else if (has_offsets(v->type)) {
        if ((rc = list_gather(v, sel, n, a, &r, err)) != TSF_OK)
            return rc;
    } else if (v->type->id == TSF_TYPE_STRUCT) {
        if ((rc = struct_gather(v, sel, n, a, &r, err)) != TSF_OK)
            return rc;
    } else {
        if ((rc = tsf_vector_alloc(v->type, n, a, &r, &values, err)) != TSF_OK)
            return rc;
        values_gather(v->values, tsf_type_width(v->type), sel, n, values);
    }
    if (v->validity && v->null_count != 0 && (rc = validity_gather(v->validity, sel, n, a, &r, err)) != TSF_OK)
        return rc;
    *out = r;
    return TSF_OK;
}

/* ---- flattening ---------------------------------------------------------------------------------------------- */

static void values_fill(const void *src, int width, int64_t n, void *dst)
{
    switch (width) {
    case 1: memset(dst, *(const uint8_t *)src, (size_t)n); break;
    case 2: GATHER(uint16_t, 0); break;
    case 4: GATHER(uint32_t, 0); break;
    case 8: GATHER(uint64_t, 0); break;
    case 16: GATHER(word16, 0); break;
    default: break;
    }
}

/* Zero the values of absent rows. */
static void nulls_zero(const uint64_t *bits, int width, int64_t n, char *values)
{
    for (int64_t w = 0; w * 64 < n; w++) {
        uint64_t absent = ~bits[w];
        if (n - w * 64 < 64)
            absent &= (1ULL << (n - w * 64)) - 1;
        for (; absent; absent &= absent - 1)
            memset(values + (w * 64 + __builtin_ctzll(absent)) * width, 0, (size_t)width);
    }
}

static enum tsf_err constant_flatten(const struct tsf_vector *v, struct tsf_arena *a, struct tsf_vector *out,
                                     struct tsf_error *err)
{
    int width = tsf_type_width(v->type);
    bool null = v->validity && !tsf_bit_get(v->validity, 0);
    uint64_t *words;
    void *values;
    enum tsf_err rc;

    if (v->type->id == TSF_TYPE_STRUCT || has_offsets(v->type)) {
        /* Rare: as a gather of row 0 from a flat vector of one row. */
        struct tsf_vector one = *v;
        uint32_t *zero = tsf_arena_calloc(a, (size_t)v->length + 1, 4);
        if (!zero)
            return tsf_fail_nomem(err);
        one.shape = TSF_FLAT;
        one.length = 1;
        one.null_count = -1;
        return tsf_vector_gather(&one, zero, v->length, a, out, err);
    }
    if ((rc = tsf_vector_alloc(v->type, v->length, a, out, &values, err)) != TSF_OK)
        return rc;
    if (!null) {
        values_fill(v->values, width, v->length, values);
        return TSF_OK;
    }
    memset(values, 0, (size_t)v->length * (size_t)width);
    if (!(words = validity_alloc(v->length, a)))
        return tsf_fail_nomem(err);
    memset(words, 0, tsf_bit_words(v->length) * 8);
    tsf_vector_set_validity(out, words);
    return TSF_OK;
}

static void codes_gather(const void *src, int width, const int32_t *code, int64_t n, void *dst)
{
    switch (width) {
    case 1: GATHER(uint8_t, code[i]); break;
    case 2: GATHER(uint16_t, code[i]); break;
    case 4: GATHER(uint32_t, code[i]); break;
    case 8: GATHER(uint64_t, code[i]); break;
    case 16: GATHER(word16, code[i]); break;
    default: break;
    }
}

static enum tsf_err dictionary_flatten(const struct tsf_vector *v, struct tsf_arena *a, struct tsf_vector *out,
                                       struct tsf_error *err)
{
    int width = tsf_type_width(v->type);
    void *values;
    enum tsf_err rc;

    if (v->type->id == TSF_TYPE_STRUCT || has_offsets(v->type)) { /* codes are never negative: they serve as sel */
        if ((rc = tsf_vector_gather(v->dict, v->values, v->length, a, out, err)) != TSF_OK)
            return rc;
    } else {
        if ((rc = tsf_vector_alloc(v->type, v->length, a, out, &values, err)) != TSF_OK)
            return rc;
        if (v->dict->length == 0)
            memset(values, 0, (size_t)v->length * (size_t)width);
        else
            codes_gather(v->dict->values, width, v->values, v->length, values);
        if (v->validity && v->null_count != 0)
            nulls_zero(v->validity, width, v->length, values);
    }
    out->validity = v->null_count == 0 ? NULL : v->validity;
    out->null_count = v->null_count;
    return TSF_OK;
}

enum tsf_err tsf_vector_flatten(const struct tsf_vector *v, struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err)
{
    struct tsf_vector r;
    enum tsf_err rc = TSF_OK;

    if (v->shape == TSF_FLAT)
        r = *v;
    else if (v->type->id == TSF_TYPE_NULL)
        r = (struct tsf_vector){ .type = v->type, .length = v->length, .null_count = v->length };
    else if (v->shape == TSF_CONSTANT)
        rc = constant_flatten(v, a, &r, err);
    else
        rc = dictionary_flatten(v, a, &r, err);
    if (rc == TSF_OK)
        *out = r;
    return rc;
}

/* ---- deep copies ------------------------------------------------------------------------------------------------ */

/* Give n views bytes of their own in one block. */
static enum tsf_err strings_own(struct tsf_sview *s, int64_t n, struct tsf_arena *a, struct tsf_error *err)
{
    size_t total = 0;
    char *p;

    for (int64_t i = 0; i < n; i++)
        total += s[i].len > TSF_SVIEW_INLINE ? s[i].len : 0;
    if (total == 0)
        return TSF_OK;
    if (!(p = tsf_arena_alloc(a, total + TSF_PAD)))
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

static enum tsf_err children_copy(const struct tsf_vector *v, struct tsf_arena *a, struct tsf_vector *out,
                                  struct tsf_error *err)
{
    struct tsf_vector *kids = tsf_arena_calloc(a, (size_t)v->type->n_children + 1, sizeof *kids);
    enum tsf_err rc;

    if (!kids)
        return tsf_fail_nomem(err);
    for (int i = 0; i < v->type->n_children; i++)
        if ((rc = tsf_vector_copy(&v->children[i], a, &kids[i], err)) != TSF_OK)
            return rc;
    out->children = kids;
    return TSF_OK;
}

enum tsf_err tsf_vector_copy(const struct tsf_vector *v, struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err)
{
    int64_t n = v->shape == TSF_CONSTANT ? 1 : v->length;
    const struct tsf_type *t = v->shape == TSF_DICTIONARY ? TSF_T(INT32) : v->type;
    struct tsf_vector r = *v, scratch, *dict;
    void *values;
    enum tsf_err rc;

    if (v->values) {
        if ((rc = tsf_vector_alloc(t, n, a, &scratch, &values, err)) != TSF_OK)
            return rc;
        memcpy(values, v->values, (size_t)(n + has_offsets(t)) * (size_t)tsf_type_width(t));
        r.values = values;
        if (tsf_type_is_string(t) && (rc = strings_own(values, n, a, err)) != TSF_OK)
            return rc;
    }
    if (v->validity) {
        uint64_t *words = validity_alloc(n, a);
        if (!words)
            return tsf_fail_nomem(err);
        memcpy(words, v->validity, tsf_bit_words(n) * 8);
        r.validity = words;
    }
    if (v->shape == TSF_DICTIONARY) {
        if (!(dict = tsf_arena_alloc(a, sizeof *dict)))
            return tsf_fail_nomem(err);
        if ((rc = tsf_vector_copy(v->dict, a, dict, err)) != TSF_OK)
            return rc;
        r.dict = dict;
    } else if (v->children && (rc = children_copy(v, a, &r, err)) != TSF_OK) {
        return rc;
    }
    *out = r;
    return TSF_OK;
}

/* ---- concatenation ------------------------------------------------------------------------------------------------- */

static enum tsf_err validity_concat(const struct tsf_vector *const *v, int n, struct tsf_arena *a, struct tsf_vector *out,
                                    struct tsf_error *err)
{
    uint64_t *words;
    int64_t at = 0;
    bool any = false;

    for (int i = 0; i < n; i++)
        any |= v[i]->validity != NULL;
    if (!any)
        return TSF_OK;
    if (!(words = validity_alloc(out->length, a)))
        return tsf_fail_nomem(err);
    for (int i = 0; i < n; at += v[i++]->length) {
        if (v[i]->validity && v[i]->shape != TSF_CONSTANT)
            tsf_bits_copy(words, at, v[i]->validity, 0, v[i]->length);
        else
            tsf_bits_fill(words, at, v[i]->length, tsf_vector_present(v[i], 0));
    }
    tsf_vector_set_validity(out, words);
    return TSF_OK;
}

static enum tsf_err dictionary_concat(const struct tsf_vector *const *v, int n, int64_t total, struct tsf_arena *a,
                                      struct tsf_vector *out, struct tsf_error *err)
{
    struct tsf_vector *dict = tsf_arena_alloc(a, sizeof *dict);
    void *values;
    int32_t *dst;
    enum tsf_err rc;

    if (!dict)
        return tsf_fail_nomem(err);
    if ((rc = tsf_vector_alloc(TSF_T(INT32), total, a, out, &values, err)) != TSF_OK ||
        (rc = tsf_vector_copy(v[0]->dict, a, dict, err)) != TSF_OK)
        return rc;
    dst = values;
    for (int i = 0; i < n; dst += v[i++]->length)
        memcpy(dst, v[i]->values, (size_t)v[i]->length * 4);
    out->type = v[0]->type;
    out->shape = TSF_DICTIONARY;
    out->dict = dict;
    out->dict_id = v[0]->dict_id;
    return validity_concat(v, n, a, out, err);
}

/* Nested types go through a builder: rare, and it knows how to copy every shape. */
static enum tsf_err nested_concat(const struct tsf_vector *const *v, int n, struct tsf_arena *a, struct tsf_vector *out,
                                  struct tsf_error *err)
{
    struct tsf_builder b = { 0 };
    struct tsf_vector all;
    enum tsf_err rc = tsf_builder_init(&b, v[0]->type, err);

    for (int i = 0; rc == TSF_OK && i < n; i++)
        rc = tsf_builder_append(&b, v[i], 0, NULL, v[i]->length, err);
    if (rc == TSF_OK && (rc = tsf_builder_vector(&b, a, &all, err)) == TSF_OK)
        rc = tsf_vector_copy(&all, a, out, err);
    tsf_builder_release(&b);
    return rc;
}

/* Write v's rows, flat, at dst. */
static void values_concat(const struct tsf_vector *v, int width, char *dst)
{
    size_t bytes = (size_t)v->length * (size_t)width;

    if (v->shape == TSF_FLAT) {
        memcpy(dst, v->values, bytes);
    } else if (v->shape == TSF_CONSTANT && tsf_vector_present(v, 0)) {
        values_fill(v->values, width, v->length, dst);
    } else if (v->shape == TSF_CONSTANT || v->dict->length == 0) {
        memset(dst, 0, bytes);
    } else {
        codes_gather(v->dict->values, width, v->values, v->length, dst);
        if (v->validity)
            nulls_zero(v->validity, width, v->length, dst);
    }
}

enum tsf_err tsf_vector_concat(const struct tsf_vector *const *v, int n, struct tsf_arena *a, struct tsf_vector *out,
                               struct tsf_error *err)
{
    struct tsf_vector r;
    int64_t total = 0;
    bool one_dict;
    void *values;
    char *dst;
    int width;
    enum tsf_err rc;

    if (n <= 0)
        return tsf_fail(err, TSF_ERR_INVALID, "nothing to concatenate");
    one_dict = v[0]->shape == TSF_DICTIONARY;
    for (int i = 0; i < n; i++) {
        if (v[i]->type->id != v[0]->type->id)
            return tsf_fail(err, TSF_ERR_INVALID, "vectors of different types");
        total += v[i]->length;
        one_dict &= v[i]->shape == TSF_DICTIONARY && v[i]->dict_id == v[0]->dict_id;
    }
    if (v[0]->type->id == TSF_TYPE_NULL) {
        *out = (struct tsf_vector){ .type = v[0]->type, .length = total, .null_count = total };
        return TSF_OK;
    }
    if (one_dict && v[0]->dict_id)
        return dictionary_concat(v, n, total, a, out, err);
    if (v[0]->type->id == TSF_TYPE_STRUCT || has_offsets(v[0]->type))
        return nested_concat(v, n, a, out, err);
    if ((rc = tsf_vector_alloc(v[0]->type, total, a, &r, &values, err)) != TSF_OK)
        return rc;
    width = tsf_type_width(r.type);
    dst = values;
    for (int i = 0; i < n; dst += v[i++]->length * width)
        values_concat(v[i], width, dst);
    if ((tsf_type_is_string(r.type) && (rc = strings_own(values, total, a, err)) != TSF_OK) ||
        (rc = validity_concat(v, n, a, &r, err)) != TSF_OK)
        return rc;
    *out = r;
    return TSF_OK;
}
