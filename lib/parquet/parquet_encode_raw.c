/*
 * Pages of strings that have no dictionary: PLAIN, DELTA_LENGTH_BYTE_ARRAY or DELTA_BYTE_ARRAY, chosen on the first page.
 * They are made as soon as they are full, so that only one page of such a column waits in memory.
 */
#include "parquet/parquet_encode_internal.h"

static enum tsf_err encode_plain_strings(const uint32_t *lens, const uint8_t *p, int64_t n, size_t n_bytes, struct tsf_buf *out,
                                         struct tsf_error *err)
{
    enum tsf_err rc;
    if ((rc = tsf_buf_reserve(out, n_bytes + (size_t)n * 4, err)) != TSF_OK)
        return rc;
    uint8_t *q = out->data + out->len;
    for (int64_t i = 0; i < n; i++) {
        tsf_le32_put(q, lens[i]);
        if (lens[i])
            memcpy(q + 4, p, lens[i]);
        p += lens[i];
        q += 4 + lens[i];
    }
    out->len = (size_t)(q - out->data);
    return TSF_OK;
}

static enum tsf_err encode_delta_length(const uint32_t *lens, const uint8_t *p, int64_t n, size_t n_bytes, struct tsf_buf *out,
                                        struct tsf_error *err)
{
    enum tsf_err rc = parquet_encode_delta32((const int32_t *)lens, n, out, err);
    return rc != TSF_OK ? rc : tsf_buf_append(out, p, n_bytes, err);
}

static uint32_t common_prefix(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
    uint32_t n = TSF_MIN(a_len, b_len), i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t x = tsf_le64_get(a + i) ^ tsf_le64_get(b + i);
        if (x)
            return i + (uint32_t)__builtin_ctzll(x) / 8;
    }
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* Prefix lengths into s->lens, suffix lengths into s->first; returns the sum of prefixes. */
static enum tsf_err find_prefixes(const uint32_t *lens, const uint8_t *p, int64_t n, struct parquet_scratch *s, size_t *sum_out,
                                  struct tsf_error *err)
{
    const uint8_t *last = p;
    size_t sum = 0;
    if (!tsf_realloc_array((void **)&s->lens, &s->lens_cap, (size_t)n + 1, sizeof *s->lens) ||
        !tsf_realloc_array((void **)&s->first, &s->first_cap, (size_t)n + 1, sizeof *s->first))
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        s->lens[i] = i ? common_prefix(last, lens[i - 1], p, lens[i]) : 0;
        s->first[i] = lens[i] - s->lens[i];
        sum += s->lens[i];
        last = p;
        p += lens[i];
    }
    *sum_out = sum;
    return TSF_OK;
}

/* Needs find_prefixes() on the same strings. */
static enum tsf_err encode_delta_bytes(const uint32_t *lens, const uint8_t *p, int64_t n, struct parquet_scratch *s,
                                       struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;
    if ((rc = parquet_encode_delta32((const int32_t *)s->lens, n, out, err)) != TSF_OK ||
        (rc = parquet_encode_delta32((const int32_t *)s->first, n, out, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < n; i++) {
        if ((rc = tsf_buf_append(out, p + s->lens[i], s->first[i], err)) != TSF_OK)
            return rc;
        p += lens[i];
    }
    return TSF_OK;
}

/* Set l->raw_encoding from the first page. */
static enum tsf_err choose_raw(struct parquet_leaf *l, const uint32_t *lens, const uint8_t *p, const struct parquet_page_span *sp,
                               struct parquet_scratch *s, struct tsf_error *err)
{
    size_t prefixes, with, without;
    enum tsf_err rc;
    int force = l->cfg->force_encoding - 1;
    l->raw_encoding = PARQUET_DELTA_LENGTH_BYTE_ARRAY;
    if (force == PARQUET_PLAIN || force == PARQUET_DELTA_LENGTH_BYTE_ARRAY || force == PARQUET_DELTA_BYTE_ARRAY) {
        l->raw_encoding = force;
        return TSF_OK;
    }
    if ((rc = find_prefixes(lens, p, sp->n_values, s, &prefixes, err)) != TSF_OK)
        return rc;
    if (prefixes * 5 < (size_t)sp->n_bytes * 2)
        return TSF_OK;
    tsf_buf_reset(&s->alt);
    if ((rc = encode_delta_bytes(lens, p, sp->n_values, s, &s->alt, err)) != TSF_OK ||
        (rc = parquet_page_packed_size(l, &s->alt, l->cfg->zstd_level, s, &with, err)) != TSF_OK)
        return rc;
    tsf_buf_reset(&s->alt);
    if ((rc = encode_delta_length(lens, p, sp->n_values, (size_t)sp->n_bytes, &s->alt, err)) != TSF_OK ||
        (rc = parquet_page_packed_size(l, &s->alt, l->cfg->zstd_level, s, &without, err)) != TSF_OK)
        return rc;
    if (with * 4 < without * 3)
        l->raw_encoding = PARQUET_DELTA_BYTE_ARRAY;
    return TSF_OK;
}

static enum tsf_err raw_page(struct parquet_leaf *l, const struct parquet_page_span *sp, struct parquet_scratch *s,
                             struct tsf_error *err)
{
    const uint32_t *lens = l->lens + sp->value;
    const uint8_t *p = l->raw.data ? l->raw.data + sp->byte : (const uint8_t *)"";
    struct parquet_minmax m = { 0 };
    size_t prefixes;
    enum tsf_err rc;
    if (l->raw_encoding < 0 && (rc = choose_raw(l, lens, p, sp, s, err)) != TSF_OK)
        return rc;
    if (!l->cfg->no_stats)
        parquet_minmax_strs(&m, lens, p, sp->n_values);
    if ((rc = parquet_page_begin(l, sp, s, err)) != TSF_OK)
        return rc;
    if (l->raw_encoding == PARQUET_PLAIN)
        rc = encode_plain_strings(lens, p, sp->n_values, (size_t)sp->n_bytes, &s->body, err);
    else if (l->raw_encoding == PARQUET_DELTA_LENGTH_BYTE_ARRAY)
        rc = encode_delta_length(lens, p, sp->n_values, (size_t)sp->n_bytes, &s->body, err);
    else if ((rc = find_prefixes(lens, p, sp->n_values, s, &prefixes, err)) == TSF_OK)
        rc = encode_delta_bytes(lens, p, sp->n_values, s, &s->body, err);
    if (rc != TSF_OK)
        return rc;
    return parquet_page_end(l, sp, l->raw_encoding, &m, s, err);
}

/* Drop the first span of pending data, which now is in pages. */
static void drop_pending(struct parquet_leaf *l, const struct parquet_page_span *end)
{
    int64_t rows = l->n_rows - end->row, levels = l->n_levels - end->level, values = l->n_values - end->value;
    if (end->row == 0)
        return;
    if (l->flat && l->validity) {
        if (rows)
            tsf_bits_copy(l->validity, 0, l->validity, end->row, rows);
    } else if (!l->flat) {
        memmove(l->def, l->def + end->level, (size_t)levels);
        memmove(l->rep, l->rep + end->level, (size_t)levels);
    }
    if (l->mode == PARQUET_MODE_RAW) {
        memmove(l->lens, l->lens + end->value, (size_t)values * sizeof *l->lens);
        l->raw.len -= (size_t)end->byte;
        memmove(l->raw.data, l->raw.data + end->byte, l->raw.len);
    }
    l->n_rows = rows;
    l->n_levels = levels;
    l->n_values = values;
}

enum tsf_err parquet_leaf_raw_pages(struct parquet_leaf *l, bool all, struct parquet_scratch *s, struct tsf_error *err)
{
    struct parquet_page_span sp = { 0 };
    enum tsf_err rc;
    while (parquet_page_next(l, all, &sp))
        if ((rc = raw_page(l, &sp, s, err)) != TSF_OK)
            return rc;
    drop_pending(l, &sp); /* sp is where the search ended */
    return TSF_OK;
}

enum tsf_err parquet_leaf_full_pages(struct parquet_leaf *l, struct parquet_scratch *s, struct tsf_error *err)
{
    if (l->n_rows < l->cfg->page_rows && l->raw.len < (1u << 20) && l->n_levels < (int64_t)l->cfg->page_rows * 8)
        return TSF_OK;
    return parquet_leaf_raw_pages(l, false, s, err);
}
