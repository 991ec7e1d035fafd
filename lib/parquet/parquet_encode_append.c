/*
 * Taking rows into a leaf: presence bits, stored widths, and the string dictionary.
 *
 * Every shape of input is brought to "positions in a flat array": dictionary codes are such positions already, a
 * constant is position 0 again and again. A string dictionary is translated once per entry, not once per row, for as
 * long as the input keeps the same dictionary.
 */
#include "parquet/parquet_encode_internal.h"
#include <stdlib.h>

#define STRING_MAX (1u << 30)
#define DICT_KEEP 131072.0 /* distinct values that a row group may come to and still be worth a dictionary */

/* ---- fixed width ------------------------------------------------------------------------------------------- */

#define COPY(src, dst)                                                \
    do {                                                              \
        const src *from = base;                                       \
        dst *to = (dst *)(void *)l->values + l->n_values;             \
        if (idx)                                                      \
            for (int64_t i = 0; i < n; i++)                           \
                to[i] = (dst)from[idx[i]];                            \
        else                                                          \
            for (int64_t i = 0; i < n; i++)                           \
                to[i] = (dst)from[first + i];                         \
    } while (0)

static enum tsf_err append_fixed(struct parquet_leaf *l, const void *base, const uint32_t *idx, int64_t first, int64_t n,
                                 struct tsf_error *err)
{
    if (!tsf_realloc_array((void **)&l->values, &l->values_cap, (size_t)(l->n_values + n) + 1, (size_t)l->width))
        return tsf_fail_nomem(err);
    switch (l->type->id) {
    case TSF_TYPE_BOOL:
        COPY(uint8_t, uint8_t);
        break;
    case TSF_TYPE_INT8:
        COPY(int8_t, int32_t);
        break;
    case TSF_TYPE_INT16:
        COPY(int16_t, int32_t);
        break;
    case TSF_TYPE_INT32: case TSF_TYPE_DATE: case TSF_TYPE_FLOAT:
        COPY(uint32_t, uint32_t);
        break;
    case TSF_TYPE_DECIMAL:
        if (l->kind == PARQUET_KIND_I32)
            COPY(tsf_int128, int32_t);
        else if (l->kind == PARQUET_KIND_I64)
            COPY(tsf_int128, int64_t);
        else
            COPY(tsf_int128, tsf_int128);
        break;
    case TSF_TYPE_UUID:
        COPY(tsf_int128, tsf_int128);
        break;
    default:
        COPY(uint64_t, uint64_t);
        break;
    }
    return TSF_OK;
}

/* ---- strings --------------------------------------------------------------------------------------------------- */

static enum tsf_err put_bloom(struct parquet_leaf *l, uint64_t h, struct tsf_error *err)
{
    if (!tsf_realloc_array((void **)&l->bloom_hashes, &l->bloom_cap, (size_t)l->n_bloom + 1, sizeof *l->bloom_hashes))
        return tsf_fail_nomem(err);
    l->bloom_hashes[l->n_bloom++] = h;
    return TSF_OK;
}

static enum tsf_err too_long(size_t n, struct tsf_error *err)
{
    return tsf_fail(err, TSF_ERR_UNSUPPORTED, "a string of %zu bytes is longer than the %u that a page can hold", n, STRING_MAX);
}

/* at: number of raw strings so far in this call's view, behind those counted in n_values. */
static enum tsf_err append_raw(struct parquet_leaf *l, const struct tsf_sview *base, const uint32_t *idx, int64_t first,
                               int64_t n, int64_t at, struct tsf_error *err)
{
    size_t total = 0;
    enum tsf_err rc;
    if (!tsf_realloc_array((void **)&l->lens, &l->lens_cap, (size_t)(at + n) + 1, sizeof *l->lens))
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        uint32_t len = base[idx ? idx[i] : first + i].len;
        if (len > STRING_MAX)
            return too_long(len, err);
        l->lens[at + i] = len;
        total += len;
    }
    if ((rc = tsf_buf_reserve(&l->raw, total + TSF_SVIEW_INLINE, err)) != TSF_OK)
        return rc;
    uint8_t *p = l->raw.data + l->raw.len;
    for (int64_t i = 0; i < n; i++) {
        const struct tsf_sview *s = &base[idx ? idx[i] : first + i];
        if (s->len <= TSF_SVIEW_INLINE)
            memcpy(p, s->u.inl, TSF_SVIEW_INLINE); /* a constant length is one move; the rest is overwritten */
        else
            memcpy(p, s->u.ref.ptr, s->len);
        if (l->want_bloom && (rc = put_bloom(l, parquet_bloom_hash(p, s->len), err)) != TSF_OK)
            return rc;
        p += s->len;
    }
    l->raw.len += total;
    l->str_bytes += (int64_t)total;
    return TSF_OK;
}

/* The dictionary does not pay: write its n pending values out as raw strings. */
static enum tsf_err dict_to_raw(struct parquet_leaf *l, int64_t n, struct parquet_scratch *s, struct tsf_error *err)
{
    struct parquet_dict *d = &l->dict;
    uint64_t *hashes = NULL;
    enum tsf_err rc = TSF_OK;
    (void)s;
    if (!tsf_realloc_array((void **)&l->lens, &l->lens_cap, (size_t)n + 1, sizeof *l->lens))
        return tsf_fail_nomem(err);
    if (l->want_bloom) {
        if (!(hashes = tsf_malloc_array((size_t)d->n + 1, sizeof *hashes)))
            return tsf_fail_nomem(err);
        for (uint32_t e = 0; e < d->n; e++) {
            struct tsf_str str = parquet_dict_get(d, e);
            hashes[e] = parquet_bloom_hash(str.data, str.len);
        }
    }
    if ((rc = tsf_buf_reserve(&l->raw, (size_t)l->str_bytes, err)) != TSF_OK)
        goto done;
    for (int64_t i = 0; i < n; i++) {
        struct tsf_str str = parquet_dict_get(d, l->codes[i]);
        l->lens[i] = (uint32_t)str.len;
        if ((rc = tsf_buf_append(&l->raw, str.data, str.len, err)) != TSF_OK ||
            (hashes && (rc = put_bloom(l, hashes[l->codes[i]], err)) != TSF_OK))
            goto done;
    }
    l->mode = PARQUET_MODE_RAW;
    parquet_dict_reset(d);
    l->dict_id = 0;
done:
    free(hashes);
    return rc;
}

enum tsf_err parquet_leaf_give_up_dict(struct parquet_leaf *l, struct parquet_scratch *s, struct tsf_error *err)
{
    return dict_to_raw(l, l->n_values, s, err);
}

bool parquet_leaf_dict_repeats(const struct parquet_leaf *l, int64_t n)
{
    return (double)l->dict.plain.len * 2.5 <= (double)l->str_bytes + 4.0 * (double)n;
}

/*
 * Does the dictionary still pay after n values? Not when it holds 2/5 of all bytes seen, unless the few repeats say that
 * the distinct values are limited and the row group will come to repeat them.
 */
static bool dict_pays(const struct parquet_leaf *l, int64_t n)
{
    const struct parquet_dict *d = &l->dict;
    double repeats = (double)(n - d->n);
    if (d->full)
        return false;
    if (d->n < d->next_check || parquet_leaf_dict_repeats(l, n))
        return true;
    return n < 400000 && repeats > 16 && (double)n * (double)n / (2 * repeats) < DICT_KEEP;
}

/* Codes for rows of an input dictionary; *n_done: how many went in before ours was full. */
static enum tsf_err append_mapped(struct parquet_leaf *l, const struct tsf_vector *v, const uint32_t *idx, int64_t first,
                                  int64_t n, int64_t *n_done, struct tsf_error *err)
{
    const int32_t *codes = v->values;
    const struct tsf_sview *base = v->dict->values;
    uint32_t *out = l->codes + l->n_values;
    enum tsf_err rc;
    if (l->dict_id != v->dict_id || v->dict_id == 0) {
        if (!tsf_realloc_array((void **)&l->map, &l->map_cap, (size_t)v->dict->length + 1, sizeof *l->map))
            return tsf_fail_nomem(err);
        memset(l->map, 0xff, (size_t)v->dict->length * sizeof *l->map);
        l->dict_id = v->dict_id;
    }
    for (int64_t i = 0; i < n; i++) {
        int32_t c = codes[idx ? idx[i] : first + i];
        if (l->map[c] < 0) {
            uint32_t code;
            if ((rc = parquet_dict_put(&l->dict, &base[c], &code, err)) != TSF_OK)
                return rc;
            if (l->dict.full) {
                *n_done = i;
                return TSF_OK;
            }
            l->map[c] = (int32_t)code;
        }
        out[i] = (uint32_t)l->map[c];
        l->str_bytes += base[c].len;
    }
    *n_done = n;
    return TSF_OK;
}

/* Positions of v's rows in its flat array. NULL stays NULL when that is [*first, + n). */
static enum tsf_err positions(const struct tsf_vector *v, const uint32_t **idx, int64_t *first, int64_t n,
                              struct parquet_scratch *s, struct tsf_error *err)
{
    if (v->shape == TSF_FLAT)
        return TSF_OK;
    if (v->shape == TSF_DICTIONARY && !*idx) {
        *idx = (const uint32_t *)v->values + *first;
        *first = 0;
        return TSF_OK;
    }
    if (!tsf_realloc_array((void **)&s->map, &s->map_cap, (size_t)n + 1, sizeof *s->map))
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++)
        s->map[i] = v->shape == TSF_CONSTANT ? 0 : ((const uint32_t *)v->values)[(*idx)[i]];
    *idx = s->map;
    *first = 0;
    return TSF_OK;
}

static enum tsf_err append_strings(struct parquet_leaf *l, const struct tsf_vector *v, const uint32_t *idx, int64_t first,
                                   int64_t n, struct parquet_scratch *s, struct tsf_error *err)
{
    int64_t done = 0;
    enum tsf_err rc;
    if (l->mode == PARQUET_MODE_DICT) {
        if (!tsf_realloc_array((void **)&l->codes, &l->codes_cap, (size_t)(l->n_values + n) + 1, sizeof *l->codes))
            return tsf_fail_nomem(err);
        if (v->shape == TSF_DICTIONARY) {
            rc = append_mapped(l, v, idx, first, n, &done, err);
        } else {
            if ((rc = positions(v, &idx, &first, n, s, err)) == TSF_OK)
                rc = parquet_dict_put_many(&l->dict, v->values, idx, first, n, l->codes + l->n_values, &done, &l->str_bytes, err);
        }
        if (rc != TSF_OK)
            return rc;
        if (!dict_pays(l, l->n_values + done)) {
            if ((rc = dict_to_raw(l, l->n_values + done, s, err)) != TSF_OK)
                return rc;
        } else {
            while (l->dict.next_check <= l->dict.n)
                l->dict.next_check += 4096;
        }
        if (done == n)
            return TSF_OK;
        if (idx)
            idx += done;
        first += done;
        if (v->shape == TSF_CONSTANT)
            return append_raw(l, v->values, idx, first, n - done, l->n_values + done, err);
    }
    if ((rc = positions(v, &idx, &first, n - done, s, err)) != TSF_OK)
        return rc;
    return append_raw(l, tsf_vector_flat_values(v), idx, first, n - done, l->n_values + done, err);
}

enum tsf_err parquet_leaf_values(struct parquet_leaf *l, const struct tsf_vector *v, const uint32_t *idx, int64_t first,
                                 int64_t n, struct parquet_scratch *s, struct tsf_error *err)
{
    enum tsf_err rc;
    if (l->kind == PARQUET_KIND_STR)
        return append_strings(l, v, idx, first, n, s, err);
    if ((rc = positions(v, &idx, &first, n, s, err)) != TSF_OK)
        return rc;
    return append_fixed(l, tsf_vector_flat_values(v), idx, first, n, err);
}

/* ---- flat columns ------------------------------------------------------------------------------------------------ */

static bool validity_reserve(struct parquet_leaf *l, int64_t n)
{
    bool fresh = !l->validity;
    if (!tsf_realloc_array((void **)&l->validity, &l->validity_cap, tsf_bit_words(l->n_rows + n) + 1, sizeof *l->validity))
        return false;
    if (fresh)
        tsf_bits_fill(l->validity, 0, l->n_rows, true);
    return true;
}

/* Rows of v that are present, as s->idx; their bits go to l->validity. */
static int64_t present_rows(struct parquet_leaf *l, const struct tsf_vector *v, const uint32_t *sel, int64_t first, int64_t n,
                            uint32_t *idx)
{
    int64_t n_idx = 0;
    if (sel) {
        for (int64_t i = 0; i < n; i++) {
            bool present = tsf_bit_get(v->validity, sel[first + i]);
            tsf_bit_put(l->validity, l->n_rows + i, present);
            idx[n_idx] = sel[first + i];
            n_idx += present;
        }
        return n_idx;
    }
    tsf_bits_copy(l->validity, l->n_rows, v->validity, first, n);
    for (int64_t i = first; i < first + n;) {
        uint64_t w = v->validity[i >> 6] >> (i & 63);
        int64_t m = TSF_MIN(64 - (i & 63), first + n - i);
        if (m < 64)
            w &= (1ULL << m) - 1;
        for (; w; w &= w - 1)
            idx[n_idx++] = (uint32_t)(i + __builtin_ctzll(w));
        i += m;
    }
    return n_idx;
}

static enum tsf_err append_flat(struct parquet_leaf *l, const struct tsf_vector *v, const uint32_t *sel, int64_t first,
                                int64_t n, struct parquet_scratch *s, struct tsf_error *err)
{
    bool all_null = v->type->id == TSF_TYPE_NULL || (v->shape == TSF_CONSTANT && !tsf_vector_present(v, 0));
    bool nulls = all_null || (v->validity && v->shape != TSF_CONSTANT);
    const uint32_t *idx = sel ? sel + first : NULL;
    int64_t n_present = n;
    enum tsf_err rc;
    if (l->nullable && (nulls || l->validity)) {
        if (!validity_reserve(l, n))
            return tsf_fail_nomem(err);
        if (!nulls || all_null)
            tsf_bits_fill(l->validity, l->n_rows, n, !all_null);
    }
    if (all_null) {
        n_present = 0;
    } else if (nulls && l->nullable) {
        if (!tsf_realloc_array((void **)&s->idx, &s->idx_cap, (size_t)n + 1, sizeof *s->idx))
            return tsf_fail_nomem(err);
        n_present = present_rows(l, v, sel, first, n, s->idx);
        idx = s->idx;
    } else if (nulls) {
        for (int64_t i = 0; i < n; i++)
            n_present -= !tsf_vector_present(v, sel ? sel[first + i] : first + i);
    }
    if (n_present < n && !l->nullable)
        return tsf_fail(err, TSF_ERR_INVALID, "null in a column that is declared not null");
    if (n_present && (rc = parquet_leaf_values(l, v, idx, idx ? 0 : first, n_present, s, err)) != TSF_OK)
        return rc;
    l->n_values += n_present;
    l->n_rows += n;
    l->n_levels += n;
    return TSF_OK;
}

enum tsf_err parquet_leaf_append(struct parquet_leaf *l, const struct tsf_vector *v, const uint32_t *sel, int64_t first,
                                 int64_t n, struct parquet_scratch *s, struct tsf_error *err)
{
    enum tsf_err rc;
    if (n == 0)
        return TSF_OK;
    rc = l->flat ? append_flat(l, v, sel, first, n, s, err) : parquet_leaf_shred(l, v, sel, first, n, s, err);
    if (rc == TSF_OK && l->mode == PARQUET_MODE_RAW)
        rc = parquet_leaf_full_pages(l, s, err);
    return rc;
}
