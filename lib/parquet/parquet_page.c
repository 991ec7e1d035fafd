/*
 * A column chunk as a sequence of pages.
 *
 *   v1 body, compressed as a whole:   [le32 n, repetition levels] [le32 n, definition levels] values
 *   v2 body:                          repetition levels, definition levels, values (these alone compressed)
 *
 * A page is only looked at (header) until somebody wants its values; then the checksum is verified, it is decompressed
 * and its decoders are set up. Uncompressed pages are used where they lie.
 */
#include <stdlib.h>

#include "parquet/parquet_read_internal.h"

#define PAGE_BUF_MAX (((size_t)1 << 31) + 4096)

/* ---- buffers ---------------------------------------------------------------------------------------------- */

static enum tsf_err kept_push(struct parquet_kept *k, uint8_t *p, struct tsf_error *err)
{
    if (!tsf_realloc_array((void **)&k->bufs, &k->cap, k->n + 1, sizeof *k->bufs)) {
        free(p);
        return tsf_fail_nomem(err);
    }
    k->bufs[k->n++] = p;
    return TSF_OK;
}

static void kept_release(struct parquet_kept *k)
{
    for (size_t i = 0; i < k->n; i++)
        free(k->bufs[i]);
    free(k->bufs);
    *k = (struct parquet_kept){ 0 };
}

/* Views may point into the buffers of the page that ends: put them away, and start with new ones. */
static enum tsf_err page_retire(struct parquet_leaf_reader *l, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    if (!l->page_loaded || l->page_dict || !(l->conv.borrows || l->raw))
        return TSF_OK;
    if (l->page_buf.data && l->page_buf.len > 0) {
        rc = kept_push(&l->kept, l->page_buf.data, err);
        l->page_buf = (struct tsf_buf)TSF_BUF_INIT(PAGE_BUF_MAX);
    }
    if (rc == TSF_OK && l->values.bytes.data && l->values.encoding == PARQUET_DELTA_BYTE_ARRAY) {
        rc = kept_push(&l->kept, l->values.bytes.data, err);
        l->values.bytes = (struct tsf_buf){ 0 };
    }
    return rc;
}

void parquet_leaf_recycle(struct parquet_leaf_reader *l)
{
    for (size_t i = 0; i < l->kept.n; i++)
        free(l->kept.bufs[i]);
    l->kept.n = 0;
}

enum tsf_err parquet_leaf_scratch(struct parquet_leaf_reader *l, size_t n, void **out, struct tsf_error *err)
{
    if (n > l->scratch_cap || !l->scratch) {
        free(l->scratch);
        l->scratch_cap = 0;
        l->scratch = malloc(n + TSF_PAD);
        if (!l->scratch)
            return tsf_fail_nomem(err);
        l->scratch_cap = n;
    }
    *out = l->scratch;
    return TSF_OK;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

enum tsf_err parquet_leaf_reader_init(struct parquet_leaf_reader *l, const struct parquet_file *f, int row_group, int node,
                                      const struct tsf_type *as, bool flat, struct tsf_error *err)
{
    const struct parquet_node *n = &f->meta->nodes[node];
    *l = (struct parquet_leaf_reader){
        .meta = f->meta, .src = f->src, .node = n, .chunk = &f->meta->row_groups[row_group].chunks[n->leaf], .flat = flat,
        .page_buf = TSF_BUF_INIT(PAGE_BUF_MAX), .dict_buf = TSF_BUF_INIT(PAGE_BUF_MAX),
        .levels_buf = TSF_BUF_INIT(PAGE_BUF_MAX), .defs_buf = TSF_BUF_INIT(PAGE_BUF_MAX),
        .reps_buf = TSF_BUF_INIT(PAGE_BUF_MAX),
    };
    l->entries_left = l->chunk->n_values;
    return parquet_conv_init(&l->conv, n, as, err);
}

void parquet_leaf_reader_release(struct parquet_leaf_reader *l)
{
    free(l->owned);
    free(l->scratch);
    parquet_codec_release(&l->codec);
    tsf_arena_release(&l->dict_arena);
    tsf_buf_release(&l->dict_buf);
    tsf_buf_release(&l->page_buf);
    tsf_buf_release(&l->levels_buf);
    tsf_buf_release(&l->defs_buf);
    tsf_buf_release(&l->reps_buf);
    parquet_values_release(&l->values);
    kept_release(&l->kept);
    *l = (struct parquet_leaf_reader){ 0 };
}

/* Writers before parquet-mr 1.2.9 left the dictionary page's header out of the chunk's size. */
static bool chunk_too_short(const struct parquet_leaf_reader *l)
{
    static const char *const old[] = { "parquet-mr version 1.0.", "parquet-mr version 1.1.", "parquet-mr version 1.2." };
    for (size_t i = 0; i < TSF_ARRAY_LEN(old); i++)
        if (tsf_str_starts(l->meta->created_by, tsf_str(old[i])))
            return true;
    return false;
}

static enum tsf_err leaf_bytes(struct parquet_leaf_reader *l, struct tsf_error *err)
{
    const int64_t beyond = chunk_too_short(l) ? TSF_MIN(100, l->src->size - l->chunk->start - l->chunk->length) : 0;
    const size_t n = (size_t)(l->chunk->length + beyond);
    l->n_bytes = l->n_safe = n;
    if ((l->bytes = tsf_source_view(l->src, l->chunk->start, n + PARQUET_SLACK))) {
        l->n_safe += PARQUET_SLACK;
        return TSF_OK;
    }
    if ((l->bytes = tsf_source_view(l->src, l->chunk->start, n)))
        return TSF_OK;
    if (!(l->owned = malloc(n + PARQUET_SLACK)))
        return tsf_fail_nomem(err);
    memset(l->owned + n, 0, PARQUET_SLACK);
    l->bytes = l->owned;
    l->n_safe += PARQUET_SLACK;
    return tsf_source_read(l->src, l->chunk->start, n, l->owned, err);
}

/* ---- page bodies ------------------------------------------------------------------------------------------------ */

static enum tsf_err body_check(const struct parquet_leaf_reader *l, const struct parquet_page_header *h, const uint8_t *body,
                               struct tsf_error *err)
{
    if (!h->has_crc || l->no_crc)
        return TSF_OK;
    uint32_t crc = parquet_crc32(body, (size_t)h->compressed_size);
    if (crc != h->crc)
        return tsf_fail_at(err, l->chunk->start + (body - l->bytes), "page checksum is %08x, the header says %08x", crc, h->crc);
    return TSF_OK;
}

/*
 * The uncompressed bytes of src, in place when they are and may be over-read, else in buf (behind `keep` bytes that are
 * copied as they are).
 */
static enum tsf_err body_open(struct parquet_leaf_reader *l, bool compressed, const uint8_t *src, size_t src_n, size_t dst_n,
                              size_t keep, struct tsf_buf *buf, const uint8_t **out, struct tsf_error *err)
{
    const int codec = compressed ? l->chunk->codec : PARQUET_UNCOMPRESSED;
    enum tsf_err rc;

    tsf_buf_reset(buf);
    if (codec == PARQUET_UNCOMPRESSED && src_n == dst_n - keep &&
        (size_t)(src - l->bytes) + src_n + PARQUET_SLACK <= l->n_safe) {
        *out = src - keep;
        return TSF_OK;
    }
    if (dst_n > keep && (rc = parquet_codec_plausible(codec, src, src_n, dst_n - keep, err)) != TSF_OK)
        return rc;
    if ((rc = tsf_buf_reserve(buf, dst_n + PARQUET_SLACK, err)) != TSF_OK)
        return rc;
    if (keep)
        memcpy(buf->data, src - keep, keep);
    if (dst_n > keep &&
        (rc = parquet_decompress(&l->codec, codec, src, src_n, buf->data + keep, dst_n - keep, err)) != TSF_OK)
        return rc;
    memset(buf->data + dst_n, 0, PARQUET_SLACK);
    buf->len = dst_n;
    *out = buf->data;
    return TSF_OK;
}

/* ---- the dictionary ------------------------------------------------------------------------------------------------ */

static enum tsf_err dictionary_convert(struct parquet_leaf_reader *l, struct parquet_values *v, int64_t n, struct tsf_error *err)
{
    const struct parquet_conv *c = &l->conv;
    const void *src;
    void *dst, *tmp = NULL;
    enum tsf_err rc;

    if (l->raw) { /* physical values as they are */
        if (!(dst = tsf_arena_alloc(&l->dict_arena, (size_t)n * (size_t)v->width + TSF_PAD)))
            return tsf_fail_nomem(err);
        l->dict = (struct tsf_vector){ .length = n, .values = dst };
    } else if ((rc = tsf_vector_alloc(c->type, n, &l->dict_arena, &l->dict, &dst, err)) != TSF_OK) {
        return rc;
    }
    const bool same = l->raw || c->same;
    if (!same && !(tmp = tsf_arena_alloc(&l->dict_arena, (size_t)n * (size_t)v->width + TSF_PAD)))
        return tsf_fail_nomem(err);
    if ((rc = parquet_values_read(v, n, same ? dst : tmp, &src, err)) != TSF_OK)
        return rc;
    if (same && src != dst)
        memcpy(dst, src, (size_t)n * (size_t)v->width);
    return same ? TSF_OK : c->fn(c, src, n, dst, err);
}

enum tsf_err parquet_leaf_dictionary(struct parquet_leaf_reader *l, struct tsf_error *err)
{
    const struct parquet_page_header *h = &l->dict_header;
    struct parquet_values v = { 0 };
    const uint8_t *p;
    enum tsf_err rc;

    if (l->dict_loaded)
        return TSF_OK;
    if (!l->dict_body)
        return tsf_fail(err, TSF_ERR_FORMAT, "dictionary-coded page, but there is no dictionary before it");
    if (h->encoding != PARQUET_PLAIN && h->encoding != PARQUET_PLAIN_DICTIONARY)
        return tsf_fail(err, TSF_ERR_FORMAT, "dictionary of encoding %d (%s)", h->encoding, parquet_encoding_name(h->encoding));
    const size_t n_bytes = (size_t)h->uncompressed_size;
    if ((rc = body_check(l, h, l->dict_body, err)) != TSF_OK ||
        (rc = body_open(l, true, l->dict_body, (size_t)h->compressed_size, n_bytes, 0, &l->dict_buf, &p, err)) != TSF_OK ||
        (rc = parquet_values_begin(&v, PARQUET_PLAIN, l->node->physical, l->node->type_length, p, n_bytes, h->n_values,
                                   err)) != TSF_OK)
        return tsf_prepend(err, rc, "dictionary page");
    if (h->n_values > v.left || (l->node->physical == PARQUET_BYTE_ARRAY && (size_t)h->n_values > n_bytes / 4))
        return tsf_fail(err, TSF_ERR_FORMAT, "dictionary of %d values in %zu bytes", h->n_values, n_bytes);
    if ((rc = dictionary_convert(l, &v, h->n_values, err)) != TSF_OK)
        return tsf_prepend(err, rc, "dictionary page");
    l->dict.null_count = 0;
    l->dict.dict_id = tsf_dict_id_new();
    l->dict_loaded = true;
    return TSF_OK;
}

/* ---- from page to page ------------------------------------------------------------------------------------------------ */

/* Header at pos; pos moves behind the body. */
static enum tsf_err page_next(struct parquet_leaf_reader *l, struct parquet_page_header *h, const uint8_t **body,
                              struct tsf_error *err)
{
    size_t used;
    enum tsf_err rc;
    if (l->pos >= l->n_bytes)
        return tsf_fail(err, TSF_ERR_FORMAT, "column chunk ends %lld values early", (long long)l->entries_left);
    if ((rc = parquet_page_header_parse(l->bytes + l->pos, l->n_bytes - l->pos, h, &used, err)) != TSF_OK)
        return rc;
    l->pos += used;
    if ((size_t)h->compressed_size > l->n_bytes - l->pos)
        return tsf_fail_at(err, l->chunk->start + (int64_t)l->pos, "page of %d bytes, the column chunk has %zu left",
                           h->compressed_size, l->n_bytes - l->pos);
    *body = l->bytes + l->pos;
    l->pos += (size_t)h->compressed_size;
    return TSF_OK;
}

enum tsf_err parquet_leaf_page(struct parquet_leaf_reader *l, struct tsf_error *err)
{
    enum tsf_err rc;
    if (l->page_at < l->page_n)
        return TSF_OK;
    if ((rc = page_retire(l, err)) != TSF_OK)
        return rc;
    l->page_loaded = false;
    l->page_n = l->page_at = l->lazy = 0;
    if (l->entries_left <= 0)
        return TSF_END;
    if (!l->bytes && (rc = leaf_bytes(l, err)) != TSF_OK)
        return rc;
    for (;;) {
        struct parquet_page_header h;
        const uint8_t *body = NULL;
        if ((rc = page_next(l, &h, &body, err)) != TSF_OK)
            return rc;
        if (h.type == PARQUET_PAGE_INDEX)
            continue;
        if (h.type == PARQUET_PAGE_DICTIONARY) {
            if (l->dict_body)
                return tsf_fail(err, TSF_ERR_FORMAT, "a second dictionary page in a column chunk");
            l->dict_header = h;
            l->dict_body = body;
            continue;
        }
        if (h.n_values > l->entries_left)
            return tsf_fail(err, TSF_ERR_FORMAT, "page of %d values, the column chunk has %lld left", h.n_values,
                            (long long)l->entries_left);
        l->entries_left -= h.n_values;
        l->page = h;
        l->page_body = body;
        l->page_n = h.n_values;
        if (h.n_values > 0)
            return TSF_OK;
        if (l->entries_left == 0)
            return TSF_END;
    }
}

static int level_width(int max)
{
    return max == 0 ? 0 : 32 - __builtin_clz((unsigned)max);
}

/* v1: cut the bytes of one kind of levels off the front of [*p, end). */
static enum tsf_err levels_v1(struct parquet_leaf_reader *l, int encoding, int max, const uint8_t **p, const uint8_t *end,
                              struct tsf_buf *buf, struct parquet_hybrid *out, struct tsf_error *err)
{
    const int w = level_width(max);
    enum tsf_err rc;
    if (encoding == PARQUET_BIT_PACKED) {
        size_t n = ((size_t)l->page_n * (size_t)w + 7) / 8;
        if (n > (size_t)(end - *p))
            return tsf_fail(err, TSF_ERR_FORMAT, "levels end past the page");
        if ((rc = parquet_bit_packed_convert(*p, n, w, l->page_n, buf, err)) != TSF_OK)
            return rc;
        *p += n;
        return parquet_hybrid_init(out, buf->data, buf->len, w, err);
    }
    if (encoding != PARQUET_RLE)
        return tsf_fail(err, TSF_ERR_FORMAT, "levels of encoding %d (%s)", encoding, parquet_encoding_name(encoding));
    if (end - *p < 4 || tsf_le32_get(*p) > (uint64_t)(end - *p - 4))
        return tsf_fail(err, TSF_ERR_FORMAT, "levels end past the page");
    const size_t n = tsf_le32_get(*p);
    rc = parquet_hybrid_init(out, *p + 4, n, w, err);
    *p += 4 + n;
    return rc;
}

static enum tsf_err levels_check(const uint8_t *v, int64_t n, int max, const char *what, struct tsf_error *err)
{
    uint8_t top = 0;
    for (int64_t i = 0; i < n; i++)
        top = v[i] > top ? v[i] : top;
    return top > max ? tsf_fail(err, TSF_ERR_FORMAT, "%s level %d, the highest is %d", what, top, max) : TSF_OK;
}

/* Nested: all levels of the page at once. */
static enum tsf_err levels_decode(struct parquet_hybrid *h, int64_t n, int max, const char *what, struct tsf_buf *buf,
                                  uint8_t **out, struct tsf_error *err)
{
    enum tsf_err rc;
    tsf_buf_reset(buf);
    if ((rc = tsf_buf_reserve(buf, (size_t)n + PARQUET_SLACK, err)) != TSF_OK)
        return rc;
    *out = buf->data;
    if (max == 0) {
        memset(buf->data, 0, (size_t)n);
        return TSF_OK;
    }
    rc = parquet_hybrid_read8(h, n, buf->data, err);
    return rc != TSF_OK ? rc : levels_check(buf->data, n, max, what, err);
}

static enum tsf_err page_levels(struct parquet_leaf_reader *l, const uint8_t **p, const uint8_t *end, struct tsf_error *err)
{
    const struct parquet_page_header *h = &l->page;
    const int max_rep = l->node->max_rep, max_def = l->node->max_def;
    struct parquet_hybrid rep = { 0 };
    enum tsf_err rc;

    if (h->type == PARQUET_PAGE_DATA) {
        if (max_rep > 0) {
            if ((rc = levels_v1(l, h->rep_encoding, max_rep, p, end, &l->levels_buf, &rep, err)) != TSF_OK ||
                (rc = levels_decode(&rep, l->page_n, max_rep, "repetition", &l->reps_buf, &l->reps, err)) != TSF_OK)
                return rc;
        }
        if (max_def > 0 && (rc = levels_v1(l, h->def_encoding, max_def, p, end, &l->levels_buf, &l->page_def, err)) != TSF_OK)
            return rc;
    } else {
        if (max_rep > 0) {
            if ((rc = parquet_hybrid_init(&rep, *p, (size_t)h->rep_length, level_width(max_rep), err)) != TSF_OK ||
                (rc = levels_decode(&rep, l->page_n, max_rep, "repetition", &l->reps_buf, &l->reps, err)) != TSF_OK)
                return rc;
        }
        *p += h->rep_length;
        if (max_def > 0 &&
            (rc = parquet_hybrid_init(&l->page_def, *p, (size_t)h->def_length, level_width(max_def), err)) != TSF_OK)
            return rc;
        *p += h->def_length;
    }
    if (l->flat)
        return TSF_OK;
    if (max_rep == 0 && (rc = levels_decode(&rep, l->page_n, 0, "repetition", &l->reps_buf, &l->reps, err)) != TSF_OK)
        return rc;
    return levels_decode(&l->page_def, l->page_n, max_def, "definition", &l->defs_buf, &l->defs, err);
}

static enum tsf_err page_open(struct parquet_leaf_reader *l, struct tsf_error *err)
{
    const struct parquet_page_header *h = &l->page;
    const size_t src_n = (size_t)h->compressed_size, dst_n = (size_t)h->uncompressed_size;
    const uint8_t *p, *body = l->page_body;
    enum tsf_err rc;

    if ((rc = body_check(l, h, body, err)) != TSF_OK)
        return rc;
    if (h->type == PARQUET_PAGE_DATA) {
        rc = body_open(l, true, body, src_n, dst_n, 0, &l->page_buf, &p, err);
    } else {
        const size_t levels = (size_t)h->def_length + (size_t)h->rep_length;
        if (src_n == levels && dst_n > levels)
            return tsf_fail(err, TSF_ERR_FORMAT, "page of %zu bytes has no values, its header says %zu bytes", src_n, dst_n - levels);
        /* Old Arrow writers said "not compressed" of pages that are. */
        rc = body_open(l, h->is_compressed || src_n != dst_n, body + levels, src_n - levels, dst_n, levels, &l->page_buf, &p, err);
    }
    if (rc != TSF_OK)
        return rc;
    const uint8_t *end = p + dst_n;
    if ((rc = page_levels(l, &p, end, err)) != TSF_OK)
        return rc;
    if ((rc = parquet_values_begin(&l->values, h->encoding, l->node->physical, l->node->type_length, p, (size_t)(end - p),
                                   l->page_n, err)) != TSF_OK)
        return rc;
    l->page_dict = parquet_values_is_dictionary(&l->values);
    if (l->page_dict && (rc = parquet_leaf_dictionary(l, err)) != TSF_OK)
        return rc;
    l->page_loaded = true;
    return TSF_OK;
}

/* Count the present ones among the next n entries, throwing the levels away. */
static enum tsf_err flat_count(struct parquet_leaf_reader *l, int64_t n, int64_t *out, struct tsf_error *err)
{
    uint64_t bits[64];
    int64_t total = 0;
    if (l->node->max_def == 0) {
        *out = n;
        return TSF_OK;
    }
    while (n > 0) {
        int64_t m = TSF_MIN(n, (int64_t)sizeof bits * 8), ones;
        enum tsf_err rc = parquet_hybrid_bits(&l->page_def, m, bits, 0, &ones, err);
        if (rc != TSF_OK)
            return rc;
        total += ones;
        n -= m;
    }
    *out = total;
    return TSF_OK;
}

enum tsf_err parquet_leaf_load(struct parquet_leaf_reader *l, struct tsf_error *err)
{
    enum tsf_err rc;
    int64_t dense;
    if (!l->page_loaded && (rc = page_open(l, err)) != TSF_OK)
        return rc;
    if (l->lazy == 0)
        return TSF_OK;
    if ((rc = flat_count(l, l->lazy, &dense, err)) != TSF_OK)
        return rc;
    l->lazy = 0;
    return parquet_values_skip(&l->values, dense, err);
}

void parquet_leaf_pass(struct parquet_leaf_reader *l, int64_t n)
{
    l->page_at += n;
    l->lazy += n;
}

/* ---- values --------------------------------------------------------------------------------------------------------------- */

#define LOOKUP(T)                                                                                            \
    do {                                                                                                     \
        const T *d_ = dict->values;                                                                          \
        T *o_ = values;                                                                                      \
        for (int64_t i = 0; i < n; i++)                                                                      \
            o_[i] = d_[codes[i]];                                                                            \
    } while (0)

typedef struct { uint64_t w[2]; } word16;

static void lookup(const struct tsf_vector *dict, int width, const int32_t *codes, int64_t n, void *values)
{
    switch (width) {
    case 1: LOOKUP(uint8_t); break;
    case 2: LOOKUP(uint16_t); break;
    case 4: LOOKUP(uint32_t); break;
    case 8: LOOKUP(uint64_t); break;
    case 16: LOOKUP(word16); break;
    default:
        for (int64_t i = 0; i < n; i++)
            memcpy((char *)values + i * width, (const char *)dict->values + (int64_t)codes[i] * width, (size_t)width);
    }
}

void parquet_lookup(const struct tsf_vector *dict, const int32_t *codes, int64_t n, void *values)
{
    lookup(dict, tsf_type_width(dict->type), codes, n, values);
}

enum tsf_err parquet_leaf_codes(struct parquet_leaf_reader *l, int64_t n, const uint32_t *idx, int64_t k, int32_t *dst,
                                struct tsf_error *err)
{
    const void *p;
    void *all = dst;
    enum tsf_err rc;
    if (n == 0 || k == 0)
        return n == 0 ? TSF_OK : parquet_values_skip(&l->values, n, err);
    if (idx && (rc = parquet_leaf_scratch(l, (size_t)n * 4, &all, err)) != TSF_OK)
        return rc;
    if ((rc = parquet_values_read(&l->values, n, all, &p, err)) != TSF_OK)
        return rc;
    uint32_t max = parquet_kernels()->max32(all, n);
    if (max >= (uint64_t)l->dict.length)
        return tsf_fail(err, TSF_ERR_FORMAT, "dictionary code %u, there are %lld values", max, (long long)l->dict.length);
    if (idx)
        for (int64_t i = 0; i < k; i++)
            dst[i] = ((const int32_t *)all)[idx[i]];
    return TSF_OK;
}

/* n codes at a time, so that they stay in the first-level cache. */
static enum tsf_err dictionary_values(struct parquet_leaf_reader *l, int64_t n, const uint32_t *idx, int64_t k, void *dst,
                                      struct tsf_error *err)
{
    const int width = l->raw ? l->values.width : l->conv.dst_width;
    int32_t block[1024];
    enum tsf_err rc;
    if (idx) {
        int32_t *codes = malloc((size_t)k * 4 + 4);
        if (!codes)
            return tsf_fail_nomem(err);
        if ((rc = parquet_leaf_codes(l, n, idx, k, codes, err)) == TSF_OK)
            lookup(&l->dict, width, codes, k, dst);
        free(codes);
        return rc;
    }
    for (int64_t i = 0; i < n; i += (int64_t)TSF_ARRAY_LEN(block)) {
        int64_t m = TSF_MIN(n - i, (int64_t)TSF_ARRAY_LEN(block));
        if ((rc = parquet_leaf_codes(l, m, NULL, m, block, err)) != TSF_OK)
            return rc;
        lookup(&l->dict, width, block, m, (char *)dst + i * width);
    }
    return TSF_OK;
}

/* Values that need converting, a block at a time. What the result will point to must stay: it goes to the arena. */
static enum tsf_err converted_values(struct parquet_leaf_reader *l, int64_t n, void *dst, struct tsf_arena *a,
                                     struct tsf_error *err)
{
    const struct parquet_conv *c = &l->conv;
    const bool stays = c->borrows && l->values.encoding != PARQUET_PLAIN;
    const int64_t block = TSF_MAX(1, 65536 / c->src_width);
    enum tsf_err rc;

    if (n > l->values.left)
        return tsf_fail(err, TSF_ERR_FORMAT, "%s: the page ends before its values", parquet_encoding_name(l->values.encoding));
    for (int64_t i = 0; i < n; i += block) {
        int64_t m = TSF_MIN(n - i, block);
        size_t bytes = (size_t)m * (size_t)c->src_width;
        const void *src;
        void *tmp = NULL;
        if (stays ? !(tmp = tsf_arena_alloc(a, bytes + TSF_PAD)) : false)
            return tsf_fail_nomem(err);
        if (!tmp && (rc = parquet_leaf_scratch(l, bytes, &tmp, err)) != TSF_OK)
            return rc;
        if ((rc = parquet_values_read(&l->values, m, tmp, &src, err)) != TSF_OK ||
            (rc = c->fn(c, src, m, (char *)dst + i * c->dst_width, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static enum tsf_err picked_values(struct parquet_leaf_reader *l, int64_t n, const uint32_t *idx, int64_t k, void *dst,
                                  struct tsf_arena *a, struct tsf_error *err)
{
    const struct parquet_conv *c = &l->conv;
    void *tmp = NULL;
    enum tsf_err rc;
    if (c->same)
        return parquet_values_pick(&l->values, n, idx, k, dst, err);
    if (n > l->values.left)
        return tsf_fail(err, TSF_ERR_FORMAT, "%s: the page ends before its values", parquet_encoding_name(l->values.encoding));
    if (c->borrows) {
        if (!(tmp = tsf_arena_alloc(a, (size_t)k * (size_t)c->src_width + TSF_PAD)))
            return tsf_fail_nomem(err);
    } else if ((rc = parquet_leaf_scratch(l, (size_t)k * (size_t)c->src_width, &tmp, err)) != TSF_OK) {
        return rc;
    }
    if ((rc = parquet_values_pick(&l->values, n, idx, k, tmp, err)) != TSF_OK)
        return rc;
    return c->fn(c, tmp, k, dst, err);
}

enum tsf_err parquet_leaf_read(struct parquet_leaf_reader *l, int64_t n, const uint32_t *idx, int64_t k, void *dst,
                                 struct tsf_arena *a, struct tsf_error *err)
{
    const void *src;
    enum tsf_err rc;
    if (n == 0)
        return TSF_OK;
    if (l->page_dict)
        return dictionary_values(l, n, idx, k, dst, err);
    if (idx)
        return picked_values(l, n, idx, k, dst, a, err);
    if (!l->conv.same && !l->raw)
        return converted_values(l, n, dst, a, err);
    if ((rc = parquet_values_read(&l->values, n, dst, &src, err)) != TSF_OK)
        return rc;
    if (src != dst)
        memcpy(dst, src, (size_t)n * (size_t)l->values.width);
    return TSF_OK;
}
