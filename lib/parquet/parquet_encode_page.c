/*
 * Pages: levels, compression, checksum, header, and the entry in the page index.
 *
 *   v1   header | compressed( [le32 n, repetition levels] [le32 n, definition levels] values )
 *   v2   header | repetition levels, definition levels | values, compressed or not
 *
 * Compression must earn its cost at every scan. In v1 files the codec is the chunk's, so the first page decides for
 * all; in v2 files each page says for itself.
 */
#include "parquet/parquet_encode_internal.h"
#include <stdlib.h>

#define PAGE_BYTES (1 << 20)  /* values of a page before another row is refused */
#define PAGE_ENTRIES 8        /* level entries per row of the page size, for lists */

void parquet_scratch_release(struct parquet_scratch *s)
{
    parquet_codec_release(&s->codec);
    tsf_buf_release(&s->body);
    tsf_buf_release(&s->packed);
    tsf_buf_release(&s->alt);
    tsf_buf_release(&s->dict);
    free(s->idx);
    free(s->map);
    free(s->codes);
    free(s->first);
    free(s->lens);
    memset(s, 0, sizeof *s);
}

int parquet_page_codec(const struct parquet_encode_config *cfg)
{
    if (cfg->force_codec)
        return cfg->force_codec - 1;
    return cfg->uncompressed ? PARQUET_UNCOMPRESSED : PARQUET_ZSTD;
}

/* ---- where pages end ------------------------------------------------------------------------------------- */

static bool span_nested(const struct parquet_leaf *l, bool all, struct parquet_page_span *p)
{
    const int64_t max_levels = (int64_t)l->cfg->page_rows * PAGE_ENTRIES;
    bool raw = l->mode == PARQUET_MODE_RAW, full = false;
    int64_t i = p->level;
    while (i < l->n_levels) {
        if (i > p->level && (l->max_rep == 0 || l->rep[i] == 0)) { /* here a new row begins */
            if (p->n_rows >= l->cfg->page_rows || i - p->level >= max_levels || p->n_bytes >= PAGE_BYTES) {
                full = true;
                break;
            }
        }
        p->n_rows += l->max_rep == 0 || l->rep[i] == 0;
        if (l->def[i] == l->max_def) {
            if (raw)
                p->n_bytes += l->lens[p->value + p->n_values];
            p->n_values++;
        }
        i++;
    }
    p->n_levels = i - p->level;
    return full || (all && p->n_levels > 0);
}

static bool span_flat_raw(const struct parquet_leaf *l, bool all, struct parquet_page_span *p)
{
    int64_t i = p->row, end = TSF_MIN(l->n_rows, p->row + l->cfg->page_rows), value = p->value;
    for (; i < end && p->n_bytes < PAGE_BYTES; i++)
        if (!l->validity || tsf_bit_get(l->validity, i))
            p->n_bytes += l->lens[value++];
    p->n_rows = p->n_levels = i - p->row;
    p->n_values = value - p->value;
    return p->n_rows == l->cfg->page_rows || p->n_bytes >= PAGE_BYTES || (all && p->n_rows > 0);
}

bool parquet_page_next(const struct parquet_leaf *l, bool all, struct parquet_page_span *p)
{
    *p = (struct parquet_page_span){
        .row = p->row + p->n_rows, .level = p->level + p->n_levels, .value = p->value + p->n_values,
        .byte = p->byte + p->n_bytes,
    };
    if (p->row >= l->n_rows)
        return false;
    if (all && l->n_values == 0 && l->n_entries == 0) { /* nothing to skip to: one page of nulls */
        p->n_rows = l->n_rows;
        p->n_levels = l->n_levels;
        return true;
    }
    if (!l->flat)
        return span_nested(l, all, p);
    if (l->mode == PARQUET_MODE_RAW)
        return span_flat_raw(l, all, p);
    p->n_rows = p->n_levels = TSF_MIN(l->cfg->page_rows, l->n_rows - p->row);
    p->n_values = l->validity ? tsf_bits_count(l->validity, p->row, p->n_rows) : p->n_rows;
    return true;
}

/* ---- levels ------------------------------------------------------------------------------------------------ */

static enum tsf_err put_levels(struct parquet_leaf *l, const uint8_t *levels, int max, const struct parquet_page_span *p,
                               struct parquet_scratch *s, size_t *len_out, struct tsf_error *err)
{
    size_t at = s->body.len;
    enum tsf_err rc;
    if (!l->cfg->page_v2 && (rc = tsf_buf_append_le32(&s->body, 0, err)) != TSF_OK)
        return rc;
    if (l->flat) {
        rc = parquet_encode_hybrid_bitmap(l->validity, p->row, p->n_rows, &s->body, err);
    } else {
        if (!tsf_realloc_array((void **)&s->lens, &s->lens_cap, (size_t)p->n_levels, sizeof *s->lens))
            return tsf_fail_nomem(err);
        for (int64_t i = 0; i < p->n_levels; i++)
            s->lens[i] = levels[p->level + i];
        rc = parquet_encode_hybrid(s->lens, p->n_levels, parquet_bit_width((uint64_t)max), &s->body, err);
    }
    if (rc != TSF_OK)
        return rc;
    if (!l->cfg->page_v2)
        tsf_le32_put(s->body.data + at, (uint32_t)(s->body.len - at - 4));
    *len_out = s->body.len - at;
    return TSF_OK;
}

enum tsf_err parquet_page_begin(struct parquet_leaf *l, const struct parquet_page_span *p, struct parquet_scratch *s,
                                struct tsf_error *err)
{
    enum tsf_err rc;
    tsf_buf_reset(&s->body);
    s->rep_len = s->def_len = 0;
    if (l->max_rep && (rc = put_levels(l, l->rep, l->max_rep, p, s, &s->rep_len, err)) != TSF_OK)
        return rc;
    if (l->max_def && (rc = put_levels(l, l->def, l->max_def, p, s, &s->def_len, err)) != TSF_OK)
        return rc;
    return TSF_OK;
}

/* ---- headers ------------------------------------------------------------------------------------------------- */

enum { PAGE_DATA = 0, PAGE_DICTIONARY = 2, PAGE_DATA_V2 = 3 };

struct page_head {
    int type, encoding;
    size_t raw_size, size;
    uint32_t crc;
    int64_t n_values, n_nulls, n_rows;
    size_t rep_len, def_len;
    bool packed;
};

static enum tsf_err put_header(const struct page_head *h, struct tsf_buf *out, struct tsf_error *err)
{
    struct parquet_twrite w;
    parquet_twrite_init(&w, out, err);
    parquet_twrite_begin(&w);
    parquet_twrite_i32(&w, 1, h->type);
    parquet_twrite_i32(&w, 2, (int32_t)h->raw_size);
    parquet_twrite_i32(&w, 3, (int32_t)h->size);
    parquet_twrite_i32(&w, 4, (int32_t)h->crc);
    if (h->type == PAGE_DATA) {
        parquet_twrite_struct(&w, 5);
        parquet_twrite_i32(&w, 1, (int32_t)h->n_values);
        parquet_twrite_i32(&w, 2, h->encoding);
        parquet_twrite_i32(&w, 3, PARQUET_RLE);
        parquet_twrite_i32(&w, 4, PARQUET_RLE);
        parquet_twrite_end(&w);
    } else if (h->type == PAGE_DICTIONARY) {
        parquet_twrite_struct(&w, 7);
        parquet_twrite_i32(&w, 1, (int32_t)h->n_values);
        parquet_twrite_i32(&w, 2, PARQUET_PLAIN);
        parquet_twrite_end(&w);
    } else {
        parquet_twrite_struct(&w, 8);
        parquet_twrite_i32(&w, 1, (int32_t)h->n_values);
        parquet_twrite_i32(&w, 2, (int32_t)h->n_nulls);
        parquet_twrite_i32(&w, 3, (int32_t)h->n_rows);
        parquet_twrite_i32(&w, 4, h->encoding);
        parquet_twrite_i32(&w, 5, (int32_t)h->def_len);
        parquet_twrite_i32(&w, 6, (int32_t)h->rep_len);
        parquet_twrite_bool(&w, 7, h->packed);
        parquet_twrite_end(&w);
    }
    parquet_twrite_end(&w);
    return w.rc;
}

/* ---- compression ---------------------------------------------------------------------------------------------- */

#define LEVEL_SAMPLE (64u << 10)
#define PACK_MIN 64 /* bytes that compression cannot make much of */

/*
 * Is it worth unpacking at every scan what packing saves? Codes and packed integers are cheap to scan as they lie, and the
 * columns that every query reads: a few bits a row are no reason.
 */
bool parquet_page_pays(int encoding, double n_rows, double bytes, double saved)
{
    if (encoding == PARQUET_RLE_DICTIONARY)
        return saved >= bytes / 5 && (saved >= bytes / 2 || saved >= 0.3 * n_rows);
    if (encoding == PARQUET_DELTA_BINARY_PACKED || encoding == PARQUET_RLE)
        return saved >= bytes / 5;
    return saved >= bytes / 12;
}

/*
 * Random ids shrink by their alphabet alone, which the fastest level finds as well as the slowest: when a sample says so,
 * it is taken instead.
 */
enum tsf_err parquet_page_level(const struct parquet_leaf *l, const void *p, size_t n, struct parquet_scratch *s, int *level_out,
                                struct tsf_error *err)
{
    size_t fast, full, take = TSF_MIN(n, LEVEL_SAMPLE), from = n >= 2 * take ? n - take : 0;
    int level = l->cfg->zstd_level;
    enum tsf_err rc;
    *level_out = level;
    if (n < LEVEL_SAMPLE / 4 || level <= 1 || parquet_page_codec(l->cfg) != PARQUET_ZSTD)
        return TSF_OK;
    tsf_buf_reset(&s->packed);
    if ((rc = parquet_compress(&s->codec, PARQUET_ZSTD, 1, (const char *)p + from, take, &s->packed, err)) != TSF_OK)
        return rc;
    fast = s->packed.len;
    if ((rc = parquet_compress(&s->codec, PARQUET_ZSTD, level, (const char *)p + from, take, &s->packed, err)) != TSF_OK)
        return rc;
    full = s->packed.len - fast;
    if (fast * 100 <= full * (level <= 5 ? 102 : 101))
        *level_out = 1;
    return TSF_OK;
}

static enum tsf_err compress(int codec, int level, const void *p, size_t n, struct parquet_scratch *s, struct tsf_error *err)
{
    return parquet_compress(&s->codec, codec, codec == PARQUET_ZSTD ? level : 0, p, n, &s->packed, err);
}

enum tsf_err parquet_page_packed_size(const struct parquet_leaf *l, const struct tsf_buf *b, int level, struct parquet_scratch *s,
                                      size_t *out, struct tsf_error *err)
{
    int codec = parquet_page_codec(l->cfg);
    enum tsf_err rc;
    *out = b->len;
    if (codec == PARQUET_UNCOMPRESSED)
        return TSF_OK;
    tsf_buf_reset(&s->packed);
    rc = compress(codec, level, b->data, b->len, s, err);
    *out = TSF_MIN(s->packed.len, b->len);
    return rc;
}

/*
 * Compress the page into s->packed, levels (v2) as they are, when that pays; *packed_out says. Decides the chunk's codec on its
 * first page.
 */
static enum tsf_err pack_page(struct parquet_leaf *l, const struct parquet_page_span *p, int encoding, bool *packed_out,
                              struct parquet_scratch *s, struct tsf_error *err)
{
    size_t plain = l->cfg->page_v2 ? s->rep_len + s->def_len : 0, n = s->body.len - plain;
    int codec = l->codec_known ? l->codec : parquet_page_codec(l->cfg);
    bool packed = codec != PARQUET_UNCOMPRESSED && !l->pages_plain;
    bool only = l->n_entries == 0 && p->n_rows == l->n_rows; /* a chunk of one page is not worth a trial of levels */
    bool verdict = !l->codec_known && (only || n > 256);     /* what a scrap says does not hold for the pages behind it */
    enum tsf_err rc;
    if (packed && only && n < PACK_MIN && !l->cfg->force_codec)
        packed = false;
    if (packed) {
        if (!l->level && !only && (rc = parquet_page_level(l, s->body.data + plain, n, s, &l->level, err)) != TSF_OK)
            return rc;
        tsf_buf_reset(&s->packed);
        if ((rc = tsf_buf_append(&s->packed, s->body.data, plain, err)) != TSF_OK ||
            (rc = compress(codec, l->level ? l->level : l->cfg->zstd_level, s->body.data + plain, n, s, err)) != TSF_OK)
            return rc;
        double saved = (double)n - (double)(s->packed.len - plain);
        if (!l->cfg->force_codec && (verdict || l->cfg->page_v2) &&
            !parquet_page_pays(encoding, (double)p->n_rows, (double)n, saved)) {
            packed = false;
            l->pages_plain = verdict && l->cfg->page_v2;
        }
    }
    if (!packed && !l->cfg->page_v2)
        codec = PARQUET_UNCOMPRESSED;
    l->codec = codec;
    l->codec_known = true;
    *packed_out = packed;
    return TSF_OK;
}

/* ---- page index entries --------------------------------------------------------------------------------------- */

static enum tsf_err put_bound(struct parquet_leaf *l, const struct parquet_bound *b, bool is_max, uint32_t *off,
                              uint32_t *len, bool *ok, struct tsf_error *err)
{
    uint8_t bytes[PARQUET_STAT_MAX];
    size_t n = 0;
    bool exact;
    if (!parquet_bound_bytes(l->kind, l->type, l->type_length, b, is_max, bytes, &n, &exact)) {
        *ok = false;
        return TSF_OK;
    }
    *off = (uint32_t)l->stat_bytes.len;
    *len = (uint32_t)n;
    return tsf_buf_append(&l->stat_bytes, bytes, n, err);
}

/* Keep the row group's range; strings of a page go with it, so their bytes are copied. */
static enum tsf_err merge_range(struct parquet_leaf *l, const struct parquet_minmax *m, struct tsf_error *err)
{
    struct parquet_minmax *r = &l->range;
    enum tsf_err rc;
    bool new_min = m->has && (!r->has || parquet_bound_cmp(l->kind, &m->min, &r->min) < 0);
    bool new_max = m->has && (!r->has || parquet_bound_cmp(l->kind, &m->max, &r->max) > 0);
    parquet_minmax_merge(r, l->kind, m);
    if (l->kind != PARQUET_KIND_STR)
        return TSF_OK;
    if (new_min) {
        tsf_buf_reset(&l->range_min);
        if ((rc = tsf_buf_append(&l->range_min, m->min.u.s.data, m->min.u.s.len, err)) != TSF_OK)
            return rc;
        r->min.u.s = tsf_buf_str(&l->range_min);
    }
    if (new_max) {
        tsf_buf_reset(&l->range_max);
        if ((rc = tsf_buf_append(&l->range_max, m->max.u.s.data, m->max.u.s.len, err)) != TSF_OK)
            return rc;
        r->max.u.s = tsf_buf_str(&l->range_max);
    }
    return TSF_OK;
}

static enum tsf_err add_entry(struct parquet_leaf *l, const struct parquet_page_span *p, size_t size,
                              const struct parquet_minmax *m, struct tsf_error *err)
{
    struct parquet_page_entry *e;
    enum tsf_err rc;
    bool ok = m->has && !m->nan;
    if (!tsf_realloc_array((void **)&l->entries, &l->entries_cap, l->n_entries + 1, sizeof *e))
        return tsf_fail_nomem(err);
    e = &l->entries[l->n_entries];
    *e = (struct parquet_page_entry){
        .offset = (int64_t)(l->pages.len - size), .size = (int32_t)size, .first_row = l->rows_out,
        .n_nulls = p->n_levels - p->n_values, .all_null = p->n_values == 0,
    };
    if (ok && ((rc = put_bound(l, &m->min, false, &e->min_off, &e->min_len, &ok, err)) != TSF_OK ||
               (ok && (rc = put_bound(l, &m->max, true, &e->max_off, &e->max_len, &ok, err)) != TSF_OK)))
        return rc;
    e->has_range = ok;
    l->n_entries++;
    return merge_range(l, m, err);
}

enum tsf_err parquet_page_end(struct parquet_leaf *l, const struct parquet_page_span *p, int encoding,
                              const struct parquet_minmax *m, struct parquet_scratch *s, struct tsf_error *err)
{
    size_t before = l->pages.len;
    const uint8_t *bytes;
    struct page_head h = {
        .type = l->cfg->page_v2 ? PAGE_DATA_V2 : PAGE_DATA, .encoding = encoding, .n_values = p->n_levels,
        .n_nulls = p->n_levels - p->n_values, .n_rows = p->n_rows, .rep_len = s->rep_len, .def_len = s->def_len,
        .raw_size = s->body.len,
    };
    enum tsf_err rc;
    if (s->body.len > INT32_MAX)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "a page of %zu bytes is larger than Parquet can hold", s->body.len);
    if ((rc = pack_page(l, p, encoding, &h.packed, s, err)) != TSF_OK)
        return rc;
    bytes = h.packed ? s->packed.data : s->body.data;
    h.size = h.packed ? s->packed.len : s->body.len;
    h.crc = parquet_crc32(bytes, h.size);
    if (h.size > INT32_MAX)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "a page of %zu bytes is larger than Parquet can hold", h.size);
    if ((rc = put_header(&h, &l->pages, err)) != TSF_OK ||
        (rc = tsf_buf_append(&l->pages, bytes, h.size, err)) != TSF_OK)
        return rc;
    l->uncompressed_size += (int64_t)(l->pages.len - before - h.size + h.raw_size);
    l->encodings |= 1u << encoding;
    if (l->max_def)
        l->encodings |= 1u << PARQUET_RLE;
    if (encoding == PARQUET_RLE_DICTIONARY) {
        l->n_dict_pages++;
    } else {
        l->n_other_pages++;
        l->page_encoding = encoding;
    }
    if ((rc = add_entry(l, p, l->pages.len - before, m, err)) != TSF_OK)
        return rc;
    l->rows_out += p->n_rows;
    l->levels_out += p->n_levels;
    l->nulls_out += p->n_levels - p->n_values;
    return TSF_OK;
}

enum tsf_err parquet_page_dictionary(struct parquet_leaf *l, const void *plain, size_t n, uint32_t n_entries,
                                     struct parquet_scratch *s, struct tsf_error *err)
{
    struct page_head h = { .type = PAGE_DICTIONARY, .n_values = n_entries, .raw_size = n, .size = n };
    const void *bytes = plain;
    enum tsf_err rc;
    if (l->codec != PARQUET_UNCOMPRESSED) {
        if (!l->dict_level && (rc = parquet_page_level(l, plain, n, s, &l->dict_level, err)) != TSF_OK)
            return rc;
        tsf_buf_reset(&s->packed);
        if ((rc = compress(l->codec, l->dict_level, plain, n, s, err)) != TSF_OK)
            return rc;
        bytes = s->packed.data;
        h.size = s->packed.len;
    }
    h.crc = parquet_crc32(bytes, h.size);
    tsf_buf_reset(&l->dict_page);
    if ((rc = put_header(&h, &l->dict_page, err)) != TSF_OK ||
        (rc = tsf_buf_append(&l->dict_page, bytes, h.size, err)) != TSF_OK)
        return rc;
    l->uncompressed_size += (int64_t)(l->dict_page.len - h.size + n);
    l->encodings |= 1u << PARQUET_PLAIN;
    l->distinct = n_entries;
    return TSF_OK;
}
