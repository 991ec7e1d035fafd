/*
 * Choosing encodings and making the pages of a row group.
 *
 * The choice weighs bytes against the work of every later scan:
 *
 *   dictionary             first choice when it is not larger: codes scan as they lie, and filters and groups look at
 *                          each distinct value once
 *   DELTA_BINARY_PACKED    integers and times that the dictionary does not suit
 *   DELTA_LENGTH_BYTE_ARRAY  raw strings: the bytes lie together and can be used in place
 *   DELTA_BYTE_ARRAY       raw strings whose prefixes repeat so much that it saves a quarter even after compression
 *   BYTE_STREAM_SPLIT      floating point when it compresses clearly better than PLAIN
 *   PLAIN                  the rest
 */
#include "parquet/parquet_encode_internal.h"
#include <stdlib.h>

#define FIXED_DICT_MAX 65536u /* entries of a dictionary of numbers */
#define DICT_PACK_MIN 2048    /* bytes of codes and dictionary that are left as they are */
#define BLOOM_FPP 0.01

void parquet_leaf_release(struct parquet_leaf *l)
{
    free(l->validity);
    free(l->def);
    free(l->rep);
    free(l->values);
    free(l->codes);
    free(l->map);
    free(l->lens);
    free(l->entries);
    free(l->bloom_hashes);
    parquet_dict_release(&l->dict);
    tsf_buf_release(&l->raw);
    tsf_buf_release(&l->pages);
    tsf_buf_release(&l->dict_page);
    tsf_buf_release(&l->stat_bytes);
    tsf_buf_release(&l->range_min);
    tsf_buf_release(&l->range_max);
    tsf_buf_release(&l->bloom);
    memset(l, 0, sizeof *l);
}

void parquet_leaf_reset(struct parquet_leaf *l)
{
    l->n_rows = l->n_levels = l->n_values = 0;
    free(l->validity); /* NULL says that nothing is null yet */
    l->validity = NULL;
    l->validity_cap = 0;
    if (l->kind == PARQUET_KIND_STR)
        l->mode = PARQUET_MODE_DICT;
    parquet_dict_reset(&l->dict);
    l->dict_id = 0;
    tsf_buf_reset(&l->raw);
    l->str_bytes = 0;
    l->codec_known = l->pages_plain = false;
    l->level = l->dict_level = 0;
    l->raw_encoding = -1;
    tsf_buf_reset(&l->pages);
    tsf_buf_reset(&l->dict_page);
    tsf_buf_reset(&l->stat_bytes);
    tsf_buf_reset(&l->bloom);
    l->n_entries = 0;
    l->rows_out = l->levels_out = l->nulls_out = l->uncompressed_size = 0;
    l->encodings = 0;
    l->n_dict_pages = l->n_other_pages = 0;
    l->distinct = -1;
    memset(&l->range, 0, sizeof l->range);
    l->n_bloom = 0;
}

int64_t parquet_leaf_size(const struct parquet_leaf *l)
{
    int64_t n = (int64_t)l->pages.len + (int64_t)l->dict_page.len + l->n_levels / 16;
    if (l->mode == PARQUET_MODE_FIXED)
        n += l->n_values * l->width / 2;
    else if (l->mode == PARQUET_MODE_DICT)
        n += (int64_t)l->dict.plain.len / 2 + l->n_values * parquet_bit_width(l->dict.n) / 8;
    else
        n += (int64_t)l->raw.len / 3;
    return n;
}

/* ---- dictionary pages --------------------------------------------------------------------------------------------- */

/*
 * v1 has one codec for codes and dictionary. Codes that do not shrink are better left alone, but a large dictionary
 * may tip the scales: compare on the first page and a sample of the dictionary.
 */
static enum tsf_err dict_codec(struct parquet_leaf *l, const uint32_t *codes, int bits, const void *plain, size_t n_plain,
                               struct parquet_scratch *s, struct tsf_error *err)
{
    size_t sample = TSF_MIN(n_plain, 256u << 10), packed;
    double pages = (double)l->n_rows / l->cfg->page_rows, saved, total;
    struct tsf_buf some = { .data = (uint8_t *)(uintptr_t)plain, .len = sample };
    struct parquet_page_span sp = { 0 };
    enum tsf_err rc;
    l->codec = parquet_page_codec(l->cfg);
    l->codec_known = true;
    if (l->cfg->force_codec || l->codec == PARQUET_UNCOMPRESSED || l->cfg->page_v2)
        return TSF_OK;
    if (n_plain + (size_t)(l->n_values * bits / 8) < DICT_PACK_MIN) {
        l->codec = PARQUET_UNCOMPRESSED;
        return TSF_OK;
    }
    if (pages > 1 && (rc = parquet_page_level(l, plain, n_plain, s, &l->dict_level, err)) != TSF_OK)
        return rc;
    if (pages <= 1) {
        pages = 1;
        l->level = l->dict_level = l->cfg->zstd_level;
    }
    if ((rc = parquet_page_packed_size(l, &some, l->dict_level, s, &packed, err)) != TSF_OK)
        return rc;
    saved = (double)(sample - packed) / (double)TSF_MAX(sample, 1) * (double)n_plain;
    total = (double)n_plain;
    if (parquet_page_next(l, true, &sp)) {
        if ((rc = parquet_page_begin(l, &sp, s, err)) != TSF_OK ||
            (rc = parquet_encode_hybrid(codes, sp.n_values, bits, &s->body, err)) != TSF_OK ||
            (!l->level && (rc = parquet_page_level(l, s->body.data, s->body.len, s, &l->level, err)) != TSF_OK) ||
            (rc = parquet_page_packed_size(l, &s->body, l->level, s, &packed, err)) != TSF_OK)
            return rc;
        saved += (double)(s->body.len - packed) * pages;
        total += (double)s->body.len * pages;
    }
    if (!parquet_page_pays(PARQUET_RLE_DICTIONARY, (double)l->n_rows, total, saved))
        l->codec = PARQUET_UNCOMPRESSED;
    return TSF_OK;
}

/* Range of a page of string codes: every entry is compared once a page, whoever often it occurs. */
static void dict_range(const struct parquet_dict *d, const uint32_t *codes, int64_t n, uint32_t *seen, uint32_t page,
                       struct parquet_minmax *m)
{
    for (int64_t i = 0; i < n; i++) {
        if (seen[codes[i]] == page)
            continue;
        seen[codes[i]] = page;
        parquet_minmax_str(m, parquet_dict_get(d, codes[i]));
    }
}

/*
 * Pages of codes. values: the fixed-width values that the codes stand for, NULL for strings in l->dict.
 */
static enum tsf_err dict_pages(struct parquet_leaf *l, const uint32_t *codes, uint32_t n_entries, const void *plain,
                               size_t n_plain, const uint8_t *values, struct parquet_scratch *s, struct tsf_error *err)
{
    int bits = parquet_bit_width(n_entries ? n_entries - 1 : 0);
    struct parquet_page_span sp = { 0 };
    uint32_t *seen = NULL, page = 0;
    enum tsf_err rc;
    if ((rc = dict_codec(l, codes, bits, plain, n_plain, s, err)) != TSF_OK)
        return rc;
    if (!values && !(seen = calloc((size_t)n_entries + 1, sizeof *seen)))
        return tsf_fail_nomem(err);
    while (parquet_page_next(l, true, &sp)) {
        struct parquet_minmax m = { 0 };
        if (l->cfg->no_stats)
            ;
        else if (values)
            parquet_minmax_fixed(&m, l->kind, values + sp.value * l->width, sp.n_values);
        else
            dict_range(&l->dict, codes + sp.value, sp.n_values, seen, ++page, &m);
        if ((rc = parquet_page_begin(l, &sp, s, err)) != TSF_OK ||
            (rc = tsf_buf_append_u8(&s->body, (uint8_t)bits, err)) != TSF_OK ||
            (rc = parquet_encode_hybrid(codes + sp.value, sp.n_values, bits, &s->body, err)) != TSF_OK ||
            (rc = parquet_page_end(l, &sp, PARQUET_RLE_DICTIONARY, &m, s, err)) != TSF_OK)
            goto done;
    }
    rc = parquet_page_dictionary(l, plain, n_plain, n_entries, s, err);
done:
    free(seen);
    return rc;
}

/* ---- fixed-width values --------------------------------------------------------------------------------------------- */

static enum tsf_err encode_flba(const struct parquet_leaf *l, const uint8_t *v, int64_t n, struct tsf_buf *out,
                                struct tsf_error *err)
{
    enum tsf_err rc;
    if ((rc = tsf_buf_reserve(out, (size_t)n * (size_t)l->type_length, err)) != TSF_OK)
        return rc;
    uint8_t *q = out->data + out->len;
    for (int64_t i = 0; i < n; i++, q += l->type_length) {
        uint8_t be[16];
        uint64_t half[2];
        memcpy(half, v + i * 16, 16);
        if (l->kind == PARQUET_KIND_UUID) {
            memcpy(q, half, 16);
            continue;
        }
        tsf_le64_put(be, __builtin_bswap64(half[1]));
        tsf_le64_put(be + 8, __builtin_bswap64(half[0]));
        memcpy(q, be + 16 - l->type_length, (size_t)l->type_length);
    }
    out->len = (size_t)(q - out->data);
    return TSF_OK;
}

static enum tsf_err encode_plain(const struct parquet_leaf *l, const uint8_t *v, int64_t n, struct tsf_buf *out,
                                 struct tsf_error *err)
{
    if (l->kind == PARQUET_KIND_BOOL)
        return parquet_encode_bools(v, n, out, err);
    if (l->width == 16)
        return encode_flba(l, v, n, out, err);
    return tsf_buf_append(out, v, (size_t)n * (size_t)l->width, err);
}

static enum tsf_err encode_bool_runs(const uint8_t *v, int64_t n, struct parquet_scratch *s, struct tsf_error *err)
{
    size_t at = s->body.len;
    enum tsf_err rc;
    if (!tsf_realloc_array((void **)&s->lens, &s->lens_cap, (size_t)n + 1, sizeof *s->lens))
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++)
        s->lens[i] = v[i];
    if ((rc = tsf_buf_append_le32(&s->body, 0, err)) != TSF_OK ||
        (rc = parquet_encode_hybrid(s->lens, n, 1, &s->body, err)) != TSF_OK)
        return rc;
    tsf_le32_put(s->body.data + at, (uint32_t)(s->body.len - at - 4));
    return TSF_OK;
}

static enum tsf_err fixed_pages(struct parquet_leaf *l, int encoding, struct parquet_scratch *s, struct tsf_error *err)
{
    struct parquet_page_span sp = { 0 };
    enum tsf_err rc;
    while (parquet_page_next(l, true, &sp)) {
        const uint8_t *v = l->values ? l->values + sp.value * l->width : (const uint8_t *)"";
        struct parquet_minmax m = { 0 };
        if (!l->cfg->no_stats)
            parquet_minmax_fixed(&m, l->kind, v, sp.n_values);
        if ((rc = parquet_page_begin(l, &sp, s, err)) != TSF_OK)
            return rc;
        if (encoding == PARQUET_RLE)
            rc = encode_bool_runs(v, sp.n_values, s, err);
        else if (encoding == PARQUET_DELTA_BINARY_PACKED && l->width == 8)
            rc = parquet_encode_delta64((const void *)v, sp.n_values, &s->body, err);
        else if (encoding == PARQUET_DELTA_BINARY_PACKED)
            rc = parquet_encode_delta32((const void *)v, sp.n_values, &s->body, err);
        else if (encoding == PARQUET_BYTE_STREAM_SPLIT)
            rc = parquet_encode_stream_split(v, l->width, sp.n_values, &s->body, err);
        else
            rc = encode_plain(l, v, sp.n_values, &s->body, err);
        if (rc != TSF_OK || (rc = parquet_page_end(l, &sp, encoding, &m, s, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

/* How many neighbours differ, of all. */
static int64_t count_changes(const struct parquet_leaf *l)
{
    const uint8_t *v = l->values;
    int64_t changes = 0;
    if (l->width == 4) {
        for (int64_t i = 1; i < l->n_values; i++)
            changes += ((const uint32_t *)(const void *)v)[i] != ((const uint32_t *)(const void *)v)[i - 1];
    } else if (l->width == 8) {
        for (int64_t i = 1; i < l->n_values; i++)
            changes += ((const uint64_t *)(const void *)v)[i] != ((const uint64_t *)(const void *)v)[i - 1];
    } else {
        for (int64_t i = 1; i < l->n_values; i++)
            changes += memcmp(v + i * l->width, v + (i - 1) * l->width, (size_t)l->width) != 0;
    }
    return changes;
}

/* Could a dictionary of these values pay? A look at a sample, so that unique values cost no table of all. */
static enum tsf_err sample_says_dict(const struct parquet_leaf *l, struct parquet_scratch *s, bool *out, struct tsf_error *err)
{
    enum { SAMPLE = 4096 };
    int64_t n = TSF_MIN(l->n_values, SAMPLE), at = (l->n_values - n) / 2;
    uint32_t distinct = 0;
    double repeats;
    enum tsf_err rc;
    *out = true;
    if (l->n_values <= SAMPLE)
        return TSF_OK;
    rc = parquet_dict_fixed(l->values + at * l->width, l->width, false, n, SAMPLE, s->codes, s->first, &distinct, err);
    repeats = (double)n - distinct;
    if (distinct > SAMPLE / 2)
        *out = repeats > 8 && (double)n * (double)n / (2 * repeats) < TSF_MIN((double)FIXED_DICT_MAX, (double)l->n_values / 4);
    return rc;
}

/*
 * Codes into s->codes and entries into s->dict when a dictionary is possible; *bits_out: its cost per value. No
 * dictionary: *n_out = 0.
 */
static enum tsf_err fixed_dict(struct parquet_leaf *l, struct parquet_scratch *s, uint32_t *n_out, double *bits_out,
                               struct tsf_error *err)
{
    int64_t n = l->n_values, changes;
    uint32_t max = l->cfg->force_encoding ? UINT32_MAX >> 2 : FIXED_DICT_MAX;
    bool may;
    enum tsf_err rc;
    *n_out = 0;
    max = (uint32_t)TSF_MIN((int64_t)max, TSF_MAX(n, 1));
    if (!tsf_realloc_array((void **)&s->codes, &s->codes_cap, (size_t)TSF_MAX(n, 4096) + 1, sizeof *s->codes) ||
        !tsf_realloc_array((void **)&s->first, &s->first_cap, (size_t)TSF_MAX(max, 4096) + 1, sizeof *s->first))
        return tsf_fail_nomem(err);
    if ((rc = sample_says_dict(l, s, &may, err)) != TSF_OK || (!may && !l->cfg->force_encoding))
        return rc;
    bool is_int = l->kind == PARQUET_KIND_I32 || l->kind == PARQUET_KIND_I64;
    if ((rc = parquet_dict_fixed(l->values, l->width, is_int, n, max, s->codes, s->first, n_out, err)) != TSF_OK)
        return rc;
    tsf_buf_reset(&s->dict);
    for (uint32_t e = 0; e < *n_out; e++)
        if ((rc = encode_plain(l, l->values + (int64_t)s->first[e] * l->width, 1, &s->dict, err)) != TSF_OK)
            return rc;
    if (*n_out) {
        int bits = parquet_bit_width(*n_out - 1);
        changes = count_changes(l) + 1;
        *bits_out = TSF_MIN((double)bits, (double)changes * (bits + 24) / (double)n) + (double)s->dict.len * 8 / (double)n;
    }
    return TSF_OK;
}

/* Compressed bytes of the middle page's worth of values in one encoding. */
static enum tsf_err try_encoding(const struct parquet_leaf *l, int encoding, struct parquet_scratch *s, size_t *out,
                                 struct tsf_error *err)
{
    int64_t n = TSF_MIN(l->n_values, l->cfg->page_rows);
    const uint8_t *v = l->values + (l->n_values - n) / 2 * l->width;
    enum tsf_err rc;
    tsf_buf_reset(&s->alt);
    rc = encoding == PARQUET_PLAIN ? encode_plain(l, v, n, &s->alt, err)
                                   : parquet_encode_stream_split(v, l->width, n, &s->alt, err);
    return rc != TSF_OK ? rc : parquet_page_packed_size(l, &s->alt, l->cfg->zstd_level, s, out, err);
}

/* The best encoding but a dictionary, and its bits per value. */
static enum tsf_err choose_fixed(const struct parquet_leaf *l, struct parquet_scratch *s, int *encoding, double *bits,
                                 struct tsf_error *err)
{
    size_t plain, split;
    enum tsf_err rc;
    *encoding = PARQUET_PLAIN;
    *bits = l->width == 16 ? l->type_length * 8 : l->width * 8;
    if (l->kind == PARQUET_KIND_I32 || l->kind == PARQUET_KIND_I64) {
        double delta = parquet_delta_estimate(l->values, l->width, l->n_values);
        if (delta < *bits * 0.85) {
            *encoding = PARQUET_DELTA_BINARY_PACKED;
            *bits = delta;
        }
    } else if (l->kind == PARQUET_KIND_F32 || l->kind == PARQUET_KIND_F64) {
        if ((rc = try_encoding(l, PARQUET_PLAIN, s, &plain, err)) != TSF_OK ||
            (rc = try_encoding(l, PARQUET_BYTE_STREAM_SPLIT, s, &split, err)) != TSF_OK)
            return rc;
        if ((double)split < 0.9 * (double)plain)
            *encoding = PARQUET_BYTE_STREAM_SPLIT;
        *bits = (double)TSF_MIN(plain, split) * 8 / (double)TSF_MIN(l->n_values, l->cfg->page_rows);
    }
    return TSF_OK;
}

static bool fixed_can(const struct parquet_leaf *l, int encoding)
{
    bool ints = l->kind == PARQUET_KIND_I32 || l->kind == PARQUET_KIND_I64;
    bool floats = l->kind == PARQUET_KIND_F32 || l->kind == PARQUET_KIND_F64;
    switch (encoding) {
    case PARQUET_PLAIN:
        return true;
    case PARQUET_RLE:
        return l->kind == PARQUET_KIND_BOOL;
    case PARQUET_DELTA_BINARY_PACKED:
        return ints;
    case PARQUET_BYTE_STREAM_SPLIT:
        return ints || floats;
    case PARQUET_RLE_DICTIONARY:
        return l->kind != PARQUET_KIND_BOOL;
    default:
        return false;
    }
}

static enum tsf_err fixed_bloom(struct parquet_leaf *l, const uint8_t *plain, int width, int64_t n, struct tsf_error *err)
{
    if (!l->want_bloom)
        return TSF_OK;
    if (!tsf_realloc_array((void **)&l->bloom_hashes, &l->bloom_cap, (size_t)n + 1, sizeof *l->bloom_hashes))
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++)
        l->bloom_hashes[i] = parquet_bloom_hash(plain + i * width, (size_t)width);
    l->n_bloom = n;
    return TSF_OK;
}

static enum tsf_err finish_fixed(struct parquet_leaf *l, struct parquet_scratch *s, struct tsf_error *err)
{
    int force = l->cfg->force_encoding - 1, encoding = PARQUET_PLAIN;
    int plain_width = l->width == 16 ? l->type_length : l->width;
    double bits = 0, dict_bits = 0;
    uint32_t n_entries = 0;
    enum tsf_err rc;
    if (l->n_values == 0)
        return fixed_pages(l, PARQUET_PLAIN, s, err);
    if (force >= 0 && fixed_can(l, force))
        encoding = force;
    else if (l->kind == PARQUET_KIND_BOOL)
        encoding = count_changes(l) < l->n_values / 256 ? PARQUET_RLE : PARQUET_PLAIN;
    else if ((rc = choose_fixed(l, s, &encoding, &bits, err)) != TSF_OK)
        return rc;
    if (l->kind != PARQUET_KIND_BOOL && (force < 0 || force == PARQUET_RLE_DICTIONARY)) {
        if ((rc = fixed_dict(l, s, &n_entries, &dict_bits, err)) != TSF_OK)
            return rc;
        if (force < 0 && dict_bits > bits * (n_entries <= 4096 ? 1.1 : 0.8))
            n_entries = 0;
        else if (n_entries)
            encoding = PARQUET_RLE_DICTIONARY;
    }
    if (encoding == PARQUET_RLE_DICTIONARY && n_entries) {
        if ((rc = fixed_bloom(l, s->dict.data, plain_width, n_entries, err)) != TSF_OK)
            return rc;
        return dict_pages(l, s->codes, n_entries, s->dict.data, s->dict.len, l->values, s, err);
    }
    if (encoding == PARQUET_RLE_DICTIONARY)
        encoding = PARQUET_PLAIN;
    if (l->want_bloom && l->kind != PARQUET_KIND_BOOL) {
        tsf_buf_reset(&s->dict);
        if ((rc = encode_plain(l, l->values, l->n_values, &s->dict, err)) != TSF_OK ||
            (rc = fixed_bloom(l, s->dict.data, plain_width, l->n_values, err)) != TSF_OK)
            return rc;
    }
    return fixed_pages(l, encoding, s, err);
}

/* ---- the row group --------------------------------------------------------------------------------------------------- */

static enum tsf_err finish_strings(struct parquet_leaf *l, struct parquet_scratch *s, struct tsf_error *err)
{
    const struct parquet_dict *d = &l->dict;
    int force = l->cfg->force_encoding - 1;
    enum tsf_err rc;
    if (l->mode == PARQUET_MODE_DICT) {
        double codes = (double)l->n_values * parquet_bit_width(d->n ? d->n - 1 : 0) / 8;
        bool pays = codes + (double)d->plain.len < 0.75 * (double)(l->str_bytes + l->n_values) &&
                    (d->n < 4096 || parquet_leaf_dict_repeats(l, l->n_values));
        if (l->n_values && (force == PARQUET_RLE_DICTIONARY || (force < 0 && pays))) {
            if (l->want_bloom) {
                if (!tsf_realloc_array((void **)&l->bloom_hashes, &l->bloom_cap, (size_t)d->n + 1, sizeof *l->bloom_hashes))
                    return tsf_fail_nomem(err);
                for (uint32_t e = 0; e < d->n; e++) {
                    struct tsf_str str = parquet_dict_get(d, e);
                    l->bloom_hashes[e] = parquet_bloom_hash(str.data, str.len);
                }
                l->n_bloom = d->n;
            }
            return dict_pages(l, l->codes, d->n, d->plain.data, d->plain.len, NULL, s, err);
        }
        if ((rc = parquet_leaf_give_up_dict(l, s, err)) != TSF_OK)
            return rc;
    }
    return parquet_leaf_raw_pages(l, true, s, err);
}

static enum tsf_err finish_bloom(struct parquet_leaf *l, struct tsf_error *err)
{
    size_t n = parquet_bloom_size(l->n_bloom, BLOOM_FPP);
    uint8_t *bits;
    enum tsf_err rc;
    /* a power of two is asked for; half of it is enough when that leaves a byte to a value (2 % instead of 1 %) */
    if (n / 2 >= (size_t)l->n_bloom && n > 32)
        n /= 2;
    if (!(bits = calloc(n, 1)))
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < l->n_bloom; i++)
        parquet_bloom_insert(bits, n, l->bloom_hashes[i]);
    rc = parquet_bloom_write(bits, n, &l->bloom, err);
    free(bits);
    return rc;
}

enum tsf_err parquet_leaf_finish(struct parquet_leaf *l, struct parquet_scratch *s, struct tsf_error *err)
{
    int64_t t0 = tsf_monotonic_ns();
    enum tsf_err rc = l->kind == PARQUET_KIND_STR ? finish_strings(l, s, err) : finish_fixed(l, s, err);
    if (rc == TSF_OK && l->want_bloom && l->n_bloom)
        rc = finish_bloom(l, err);
    l->has_column_index = !l->cfg->no_stats;
    for (size_t i = 0; i < l->n_entries; i++)
        if (!l->entries[i].all_null && !l->entries[i].has_range)
            l->has_column_index = false;
    l->cost = (uint64_t)(tsf_monotonic_ns() - t0);
    return rc;
}
