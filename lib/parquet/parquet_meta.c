/*
 * Metadata: Thrift structures <-> the structs of parquet.h. A field that is not here is skipped.
 *
 *   file     "PAR1", column chunks, page index, bloom filters, FileMetaData, its length (le32), "PAR1" ("PARE": encrypted)
 *   chunk    [dictionary page] data pages; a page is a PageHeader and its body
 *
 * Spec: parquet-format README.md and parquet.thrift.
 */
#include "parquet/parquet_internal.h"
#include "parquet/parquet_read_internal.h"

const char *parquet_codec_name(int codec)
{
    static const char *const names[] = { "UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW" };
    return codec >= 0 && codec < (int)TSF_ARRAY_LEN(names) ? names[codec] : "?";
}

const char *parquet_encoding_name(int encoding)
{
    static const char *const names[] = { "PLAIN", "?", "PLAIN_DICTIONARY", "RLE", "BIT_PACKED", "DELTA_BINARY_PACKED",
                                         "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "RLE_DICTIONARY",
                                         "BYTE_STREAM_SPLIT" };
    return encoding >= 0 && encoding < (int)TSF_ARRAY_LEN(names) ? names[encoding] : "?";
}

const char *parquet_physical_name(int physical)
{
    static const char *const names[] = { "BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY",
                                         "FIXED_LEN_BYTE_ARRAY" };
    return physical >= 0 && physical < (int)TSF_ARRAY_LEN(names) ? names[physical] : "?";
}

/* ---- row groups ------------------------------------------------------------------------------------------ */

static void read_stats(struct parquet_tread *r, int type, struct parquet_stats *s)
{
    struct tsf_str old_min = { 0 }, old_max = { 0 };
    int16_t id = 0;

    *s = (struct parquet_stats){ .null_count = -1, .distinct_count = -1, .nan_count = -1 };
    if (!parquet_tread_struct(r, type))
        return;
    while (parquet_tread_field(r, &id, &type)) {
        switch (id) {
        case 1: old_max = parquet_tread_binary(r, type); break;
        case 2: old_min = parquet_tread_binary(r, type); break;
        case 3: s->null_count = parquet_tread_i64(r, type); break;
        case 4: s->distinct_count = parquet_tread_i64(r, type); break;
        case 5: s->max = parquet_tread_binary(r, type); break;
        case 6: s->min = parquet_tread_binary(r, type); break;
        case 7:
            s->max_exact = parquet_tread_bool(r, type);
            s->max_cut = !s->max_exact;
            break;
        case 8:
            s->min_exact = parquet_tread_bool(r, type);
            s->min_cut = !s->min_exact;
            break;
        case 9: s->nan_count = parquet_tread_i64(r, type); break;
        default: parquet_tread_skip(r, type);
        }
    }
    if (!s->min.data && !s->max.data && (old_min.data || old_max.data)) {
        s->min = old_min;
        s->max = old_max;
        s->deprecated = true;
    }
    if (s->null_count < 0)
        s->null_count = -1;
}

struct encoding_stat {
    bool any_data, other_data; /* data pages; some of them not dictionary-coded */
};

static void read_encoding_stats(struct parquet_tread *r, int type, struct encoding_stat *out)
{
    int et;
    uint32_t n = parquet_tread_list(r, type, &et);
    for (uint32_t i = 0; i < n && parquet_tread_struct(r, et); i++) {
        int32_t page = -1, encoding = -1, count = 0;
        int16_t id = 0;
        int ft;
        while (parquet_tread_field(r, &id, &ft)) {
            switch (id) {
            case 1: page = parquet_tread_i32(r, ft); break;
            case 2: encoding = parquet_tread_i32(r, ft); break;
            case 3: count = parquet_tread_i32(r, ft); break;
            default: parquet_tread_skip(r, ft);
            }
        }
        if ((page == PARQUET_PAGE_DATA || page == PARQUET_PAGE_DATA_V2) && count > 0) {
            out->any_data = true;
            out->other_data |= encoding != PARQUET_RLE_DICTIONARY && encoding != PARQUET_PLAIN_DICTIONARY;
        }
    }
}

static void read_column_meta(struct parquet_tread *r, int type, struct parquet_chunk *c)
{
    struct encoding_stat es = { 0 };
    int16_t id = 0;
    int et;

    if (!parquet_tread_struct(r, type))
        return;
    while (parquet_tread_field(r, &id, &type)) {
        switch (id) {
        case 1: c->physical = (int8_t)parquet_tread_i32(r, type); break;
        case 2: {
            uint32_t n = parquet_tread_list(r, type, &et);
            for (uint32_t i = 0; i < n; i++) {
                int32_t e = parquet_tread_i32(r, et);
                if (e >= 0 && e < 32)
                    c->encodings |= 1U << e;
            }
            break;
        }
        case 4: {
            int32_t v = parquet_tread_i32(r, type);
            if (v < INT16_MIN || v > INT16_MAX || v < 0)
                parquet_tread_fail(r, "unknown compression codec");
            c->codec = (int16_t)v;
            break;
        }
        case 5: c->n_values = parquet_tread_i64(r, type); break;
        case 6: c->uncompressed_size = parquet_tread_i64(r, type); break;
        case 7: c->compressed_size = parquet_tread_i64(r, type); break;
        case 9: c->data_page_offset = parquet_tread_i64(r, type); break;
        case 11: c->dictionary_page_offset = parquet_tread_i64(r, type); break;
        case 12: read_stats(r, type, &c->stats); break;
        case 13: read_encoding_stats(r, type, &es); break;
        case 14:
        case 15: /* drafts of the format had something else here */
            if (type != PARQUET_T_I64 && type != PARQUET_T_I32)
                parquet_tread_skip(r, type);
            else if (id == 14)
                c->bloom_offset = parquet_tread_i64(r, type);
            else
                c->bloom_length = parquet_tread_i32(r, type);
            break;
        default: parquet_tread_skip(r, type);
        }
    }
    const uint32_t dict = 1U << PARQUET_PLAIN_DICTIONARY | 1U << PARQUET_RLE_DICTIONARY;
    if (es.any_data)
        c->dictionary_only = !es.other_data;
    else /* without a count per encoding: PLAIN may stand for the dictionary page or for a fall-back */
        c->dictionary_only = (c->encodings & 1U << PARQUET_PLAIN_DICTIONARY) &&
                             !(c->encodings & ~(dict | 1U << PARQUET_RLE | 1U << PARQUET_BIT_PACKED));
}

static void read_chunk(struct parquet_tread *r, int type, struct parquet_chunk *c, bool *has_meta, bool *encrypted,
                       bool *external)
{
    int16_t id = 0;
    *c = (struct parquet_chunk){ .dictionary_page_offset = -1, .column_index_offset = -1, .offset_index_offset = -1,
                                 .bloom_offset = -1, .bloom_length = -1, .physical = -1,
                                 .stats = { .null_count = -1, .distinct_count = -1, .nan_count = -1 } };
    *has_meta = false;
    if (!parquet_tread_struct(r, type))
        return;
    while (parquet_tread_field(r, &id, &type)) {
        switch (id) {
        case 1: *external |= parquet_tread_binary(r, type).len > 0; break;
        case 3:
            read_column_meta(r, type, c);
            *has_meta = true;
            break;
        case 4: c->offset_index_offset = parquet_tread_i64(r, type); break;
        case 5: c->offset_index_length = parquet_tread_i32(r, type); break;
        case 6: c->column_index_offset = parquet_tread_i64(r, type); break;
        case 7: c->column_index_length = parquet_tread_i32(r, type); break;
        case 8:
        case 9:
            *encrypted = true;
            parquet_tread_skip(r, type);
            break;
        default: parquet_tread_skip(r, type);
        }
    }
}

/* Drop a range that does not lie in the file: the page index and bloom filters are only hints. */
static void check_hint(int64_t *off, int32_t *len, int64_t file_size, bool len_optional)
{
    if (*off <= 0 || *off >= file_size || (!len_optional && *len <= 0) || (*len > 0 && *len > file_size - *off))
        *off = -1;
    if (*off < 0)
        *len = len_optional ? -1 : 0;
}

/* Where the chunk lies, and whether that can be. */
static enum tsf_err check_chunk(struct parquet_chunk *c, const struct parquet_node *leaf, int64_t n_rows, int64_t file_size,
                                struct tsf_error *err)
{
    if (c->physical != leaf->physical)
        return tsf_fail(err, TSF_ERR_FORMAT, "column chunk is of type %s, the schema says %s",
                        parquet_physical_name(c->physical), parquet_physical_name(leaf->physical));
    if (c->n_values < 0 || c->compressed_size < 0 || c->uncompressed_size < 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "negative size in a column chunk");
    if (leaf->max_rep == 0 && c->n_values != n_rows)
        return tsf_fail(err, TSF_ERR_FORMAT, "column chunk has %lld values in a row group of %lld rows",
                        (long long)c->n_values, (long long)n_rows);
    c->start = c->data_page_offset;
    if (c->dictionary_page_offset > 0 && c->dictionary_page_offset < c->start)
        c->start = c->dictionary_page_offset;
    else
        c->dictionary_page_offset = -1;
    c->length = c->compressed_size;
    if (c->n_values > 0 &&
        (c->start < 4 || c->start > file_size || c->length > file_size - c->start))
        return tsf_fail(err, TSF_ERR_FORMAT, "column chunk at %lld of %lld bytes is not within the file of %lld bytes",
                        (long long)c->start, (long long)c->length, (long long)file_size);
    check_hint(&c->offset_index_offset, &c->offset_index_length, file_size, false);
    check_hint(&c->column_index_offset, &c->column_index_length, file_size, false);
    check_hint(&c->bloom_offset, &c->bloom_length, file_size, true);
    return TSF_OK;
}

static enum tsf_err read_sorting(struct parquet_tread *r, int type, struct tsf_arena *a, struct parquet_sorting **out,
                                 int *n_out, struct tsf_error *err)
{
    int et;
    uint32_t n = parquet_tread_list(r, type, &et);
    struct parquet_sorting *s = tsf_arena_calloc(a, n + 1, sizeof *s);
    if (!s)
        return tsf_fail_nomem(err);
    for (uint32_t i = 0; i < n && parquet_tread_struct(r, et); i++) {
        int16_t id = 0;
        int ft;
        while (parquet_tread_field(r, &id, &ft)) {
            switch (id) {
            case 1: s[i].leaf = parquet_tread_i32(r, ft); break;
            case 2: s[i].descending = parquet_tread_bool(r, ft); break;
            case 3: s[i].nulls_first = parquet_tread_bool(r, ft); break;
            default: parquet_tread_skip(r, ft);
            }
        }
    }
    *out = s;
    *n_out = (int)n;
    return TSF_OK;
}

/* The order holds for the file when all row groups say the same. */
static void merge_sorting(struct parquet_meta *m, bool first, const struct parquet_sorting *s, int n)
{
    if (first) {
        m->sorting = (struct parquet_sorting *)s;
        m->n_sorting = n;
    }
    if (n < m->n_sorting)
        m->n_sorting = n;
    for (int i = 0; i < m->n_sorting; i++) {
        const struct parquet_sorting *x = &m->sorting[i];
        if (s[i].leaf < 0 || s[i].leaf >= m->n_leaves || x->leaf != s[i].leaf || x->descending != s[i].descending ||
            x->nulls_first != s[i].nulls_first)
            m->n_sorting = i;
    }
}

static enum tsf_err read_row_group(struct parquet_tread *r, int type, int64_t file_size, struct tsf_arena *a,
                                   struct parquet_meta *m, int number, struct tsf_error *err)
{
    struct parquet_row_group *g = &m->row_groups[number];
    struct parquet_sorting *sorting = NULL;
    int16_t id = 0;
    int et, n_sorting = 0;
    uint32_t n_chunks = 0;
    enum tsf_err rc;

    if (!parquet_tread_struct(r, type))
        return TSF_OK;
    while (parquet_tread_field(r, &id, &type)) {
        switch (id) {
        case 1:
            n_chunks = parquet_tread_list(r, type, &et);
            if (r->what)
                break;
            if (n_chunks != (uint32_t)m->n_leaves)
                return tsf_fail(err, TSF_ERR_FORMAT, "row group %d has %u column chunks, the schema %d leaves", number,
                                n_chunks, m->n_leaves);
            g->chunks = tsf_arena_calloc(a, n_chunks + 1, sizeof *g->chunks);
            if (!g->chunks)
                return tsf_fail_nomem(err);
            for (uint32_t i = 0; i < n_chunks && !r->what; i++) {
                bool has_meta, encrypted = false, external = false;
                read_chunk(r, et, &g->chunks[i], &has_meta, &encrypted, &external);
                g->chunks[i].leaf = (int32_t)i;
                if (r->what)
                    break;
                if (encrypted)
                    return tsf_fail(err, TSF_ERR_UNSUPPORTED, "row group %d: column %u is encrypted", number, i);
                if (external)
                    return tsf_fail(err, TSF_ERR_UNSUPPORTED, "row group %d: column %u lies in another file", number, i);
                if (!has_meta)
                    return tsf_fail(err, TSF_ERR_FORMAT, "row group %d: column %u has no metadata", number, i);
            }
            break;
        case 2: g->total_byte_size = parquet_tread_i64(r, type); break;
        case 3: g->n_rows = parquet_tread_i64(r, type); break;
        case 4:
            if ((rc = read_sorting(r, type, a, &sorting, &n_sorting, err)) != TSF_OK)
                return rc;
            break;
        default: parquet_tread_skip(r, type);
        }
    }
    if ((rc = parquet_tread_check(r, "row group", err)) != TSF_OK)
        return rc;
    if (g->n_rows < 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "row group %d has a negative number of rows", number);
    for (int i = 0; i < m->n_leaves; i++) {
        if (!g->chunks)
            return tsf_fail(err, TSF_ERR_FORMAT, "row group %d has no columns", number);
        const struct parquet_node *leaf = &m->nodes[m->leaf_nodes[i]];
        if ((rc = check_chunk(&g->chunks[i], leaf, g->n_rows, file_size, err)) != TSF_OK)
            return tsf_prepend(err, rc, "row group %d: column %d (%.*s)", number, i, (int)TSF_MIN(leaf->name.len, 100),
                               leaf->name.data);
    }
    merge_sorting(m, number == 0, sorting, n_sorting);
    return TSF_OK;
}

static enum tsf_err read_row_groups(struct parquet_tread *r, int type, int64_t file_size, struct tsf_arena *a,
                                    struct parquet_meta *m, struct tsf_error *err)
{
    int et;
    uint32_t n = parquet_tread_list(r, type, &et);
    int64_t rows = 0;
    if (n > INT32_MAX / 2)
        return tsf_fail(err, TSF_ERR_FORMAT, "too many row groups");
    m->row_groups = tsf_arena_calloc(a, n + 1, sizeof *m->row_groups);
    if (!m->row_groups)
        return tsf_fail_nomem(err);
    m->n_row_groups = (int)n;
    for (int i = 0; i < (int)n && !r->what; i++) {
        enum tsf_err rc = read_row_group(r, et, file_size, a, m, i, err);
        if (rc != TSF_OK)
            return rc;
        m->row_groups[i].first_row = rows;
        if (__builtin_add_overflow(rows, m->row_groups[i].n_rows, &rows))
            return tsf_fail(err, TSF_ERR_FORMAT, "too many rows");
    }
    return parquet_tread_check(r, "row groups", err);
}

/* ---- the footer ---------------------------------------------------------------------------------------------- */

static enum tsf_err read_key_values(struct parquet_tread *r, int type, struct tsf_arena *a, struct parquet_meta *m,
                                    struct tsf_error *err)
{
    int et;
    uint32_t n = parquet_tread_list(r, type, &et);
    m->keys = tsf_arena_calloc(a, n + 1, sizeof *m->keys);
    m->values = tsf_arena_calloc(a, n + 1, sizeof *m->values);
    if (!m->keys || !m->values)
        return tsf_fail_nomem(err);
    for (uint32_t i = 0; i < n && parquet_tread_struct(r, et); i++) {
        int16_t id = 0;
        int ft;
        while (parquet_tread_field(r, &id, &ft)) {
            if (ft != PARQUET_T_BINARY) /* seen in files: booleans */
                parquet_tread_skip(r, ft);
            else if (id == 1)
                m->keys[i] = parquet_tread_binary(r, ft);
            else if (id == 2)
                m->values[i] = parquet_tread_binary(r, ft);
            else
                parquet_tread_skip(r, ft);
        }
    }
    m->n_key_values = (int)n;
    return TSF_OK;
}

static void read_column_orders(struct parquet_tread *r, int type, struct parquet_meta *m)
{
    int et;
    uint32_t n = parquet_tread_list(r, type, &et);
    for (uint32_t i = 0; i < n && parquet_tread_struct(r, et); i++) {
        int16_t id = 0;
        int ft;
        while (parquet_tread_field(r, &id, &ft)) {
            if (i < (uint32_t)m->n_leaves)
                m->column_orders[i] = id == 1;
            parquet_tread_skip(r, ft);
        }
    }
}

/* Row groups need the schema, so a first pass notes where each field stands. */
enum tsf_err parquet_meta_parse(const void *p, size_t n, int64_t file_size, struct tsf_arena *a, struct parquet_meta *out,
                                struct tsf_error *err)
{
    struct parquet_meta m = { 0 };
    struct parquet_tread r, at[10];
    int types[10] = { 0 };
    int16_t id = 0;
    int type;
    enum tsf_err rc;

    parquet_tread_init(&r, p, n);
    while (parquet_tread_field(&r, &id, &type)) {
        if (id >= 1 && id < (int)TSF_ARRAY_LEN(at)) {
            at[id] = r;
            types[id] = type;
        }
        parquet_tread_skip(&r, type);
    }
    if ((rc = parquet_tread_check(&r, "footer", err)) != TSF_OK)
        return rc;
    if (types[8])
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "the file is encrypted");
    if (!types[2] || !types[3] || !types[4])
        return tsf_fail(err, TSF_ERR_FORMAT, "footer: schema, number of rows or row groups are missing");
    m.n_rows = parquet_tread_i64(&at[3], types[3]);
    if ((rc = parquet_tread_check(&at[3], "footer", err)) != TSF_OK)
        return rc;
    if (m.n_rows < 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "footer: negative number of rows");
    if ((rc = parquet_meta_schema(&at[2], types[2], a, &m, err)) != TSF_OK ||
        (rc = read_row_groups(&at[4], types[4], file_size, a, &m, err)) != TSF_OK)
        return rc;
    if (types[5] && (rc = read_key_values(&at[5], types[5], a, &m, err)) != TSF_OK)
        return rc;
    if (types[5] && (rc = parquet_tread_check(&at[5], "key-value metadata", err)) != TSF_OK)
        return rc;
    if (types[6])
        m.created_by = parquet_tread_binary(&at[6], types[6]);
    m.column_orders = tsf_arena_calloc(a, (size_t)m.n_leaves + 1, 1);
    if (!m.column_orders)
        return tsf_fail_nomem(err);
    if (types[7]) {
        read_column_orders(&at[7], types[7], &m);
        if ((rc = parquet_tread_check(&at[7], "column orders", err)) != TSF_OK)
            return rc;
    }
    *out = m;
    return TSF_OK;
}

static enum tsf_err footer_range(struct tsf_arena *a, const struct tsf_source *src, int64_t off, size_t n,
                                 const uint8_t **out, struct tsf_error *err)
{
    const uint8_t *view = tsf_source_view(src, off, n);
    if (view) {
        *out = view;
        return TSF_OK;
    }
    uint8_t *p = tsf_arena_alloc(a, n);
    if (!p)
        return tsf_fail_nomem(err);
    *out = p;
    return tsf_source_read(src, off, n, p, err);
}

static enum tsf_err check_tail(const uint8_t *tail, int64_t file_size, int64_t *length_out, struct tsf_error *err)
{
    if (memcmp(tail + 4, "PARE", 4) == 0)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "the file is encrypted");
    if (memcmp(tail + 4, "PAR1", 4) != 0)
        return tsf_fail_at(err, file_size - 4, "not a Parquet file: no PAR1 at the end");
    uint32_t length = tsf_le32_get(tail);
    if (length > file_size - 12)
        return tsf_fail_at(err, file_size - 8, "footer of %u bytes in a file of %lld bytes", length, (long long)file_size);
    *length_out = length;
    return TSF_OK;
}

#define FOOTER_GUESS 65536

enum tsf_err parquet_footer_read(const struct tsf_source *src, int64_t footer_length, struct tsf_arena *a,
                                 struct tsf_str *raw_out, struct tsf_error *err)
{
    const uint8_t *p = NULL;
    int64_t length = 0;
    enum tsf_err rc;

    if (src->size < 12)
        return tsf_fail(err, TSF_ERR_FORMAT, "not a Parquet file: only %lld bytes", (long long)src->size);
    int64_t want = footer_length > 0 && footer_length <= src->size - 12 ? footer_length + 8
                                                                        : TSF_MIN(src->size, FOOTER_GUESS);
    if ((rc = footer_range(a, src, src->size - want, (size_t)want, &p, err)) != TSF_OK)
        return rc;
    const uint8_t *magic = want == src->size ? p : tsf_source_view(src, 0, 4);
    if (magic && memcmp(magic, "PARE", 4) == 0)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "the file is encrypted");
    if (magic && memcmp(magic, "PAR1", 4) != 0)
        return tsf_fail_at(err, 0, "not a Parquet file: no PAR1 at the start");
    if ((rc = check_tail(p + want - 8, src->size, &length, err)) != TSF_OK)
        return rc;
    if (length + 8 > want) {
        if ((rc = footer_range(a, src, src->size - length - 8, (size_t)length, &p, err)) != TSF_OK)
            return rc;
        *raw_out = tsf_str_n(p, (size_t)length);
    } else {
        *raw_out = tsf_str_n(p + want - 8 - length, (size_t)length);
    }
    return TSF_OK;
}
