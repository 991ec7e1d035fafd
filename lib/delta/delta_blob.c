/*
 * A decoded snapshot as bytes. The cache keeps a checksum over them, so damage is not expected here; still, every length
 * is checked and string references are checked when they are followed.
 *
 *     0  magic:8 "TSFSNAP2"
 *     8  version timestamp_ms mark_size mark_modified_us checkpoint_version n_files n_rows heap_len
 *        protocol_len metadata_len small_len n_columns  (8 bytes each)
 *   104  sections, each padded to 8 bytes:
 *        rows      n_rows x struct delta_row, live ones first; references count from the heap's first byte
 *        arrays    n_files x 8: sizes, then modification times, then row counts
 *        heap, protocol JSON, metaData JSON
 *        small     txns: n:4 { len:4 app_id version:8 updated:8 }; domains: n:4 { len:4 name len:4 configuration }
 *        columns   n_columns x { offset:8 length:8 } into the blob, 0 0: none. One per schema field: a tsf_batch of
 *                  [min, max,] null_count, exact with n_files rows
 *
 * Rows are mapped as they are, so the magic changes with struct delta_row.
 */
#include "delta/delta_internal.h"

#include <stdlib.h>

#define BLOB_MAGIC "TSFSNAP2"
#define HEAD_WORDS 12
#define HEAD_SIZE (8 + HEAD_WORDS * 8)

enum head_word { W_VERSION, W_TIMESTAMP, W_MARK_SIZE, W_MARK_US, W_CHECKPOINT, W_FILES, W_ROWS, W_HEAP, W_PROTOCOL, W_METADATA,
                 W_SMALL, W_COLUMNS };

/* ---- encoding ------------------------------------------------------------------------------------------------ */

static enum tsf_err pad(struct tsf_buf *out, struct tsf_error *err)
{
    static const uint8_t zero[8];

    return tsf_buf_append(out, zero, (8 - out->len % 8) % 8, err);
}

static enum tsf_err repack_ref(const struct delta_heap *from, struct delta_ref *r, struct tsf_buf *heap, struct tsf_error *err)
{
    struct tsf_str s = delta_heap_get(from, *r);

    *r = (struct delta_ref){ .off = heap->len, .len = (uint32_t)s.len };
    return s.len > 0 ? tsf_buf_append(heap, s.data, s.len, err) : TSF_OK;
}

/* Only what rows refer to goes into the new heap. */
static enum tsf_err put_rows(const struct delta_state *st, struct tsf_buf *out, struct tsf_buf *heap, struct tsf_error *err)
{
    const struct delta_heap *h = st->files.heap;
    enum tsf_err rc = tsf_buf_reserve(out, (size_t)st->files.n * sizeof(struct delta_row), err);

    for (int64_t i = 0; i < st->files.n && rc == TSF_OK; i++) {
        struct delta_row row = st->files.rows[i];

        row.blob_row = i < st->snap.n_files ? (uint32_t)i + 1 : 0;
        if ((rc = repack_ref(h, &row.path, heap, err)) == TSF_OK && (rc = repack_ref(h, &row.raw_path, heap, err)) == TSF_OK &&
            (rc = repack_ref(h, &row.partition, heap, err)) == TSF_OK && (rc = repack_ref(h, &row.stats, heap, err)) == TSF_OK &&
            (rc = repack_ref(h, &row.tags, heap, err)) == TSF_OK && (rc = repack_ref(h, &row.dv, heap, err)) == TSF_OK)
            rc = tsf_buf_append(out, &row, sizeof row, err);
    }
    return rc;
}

static enum tsf_err put_z(struct tsf_buf *out, const char *z, struct tsf_error *err)
{
    enum tsf_err rc = tsf_buf_append_le32(out, (uint32_t)strlen(z), err);

    return rc == TSF_OK ? tsf_buf_append(out, z, strlen(z), err) : rc;
}

static enum tsf_err put_small(const struct delta_snapshot *s, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc = tsf_buf_append_le32(out, (uint32_t)s->n_txns, err);

    for (int i = 0; i < s->n_txns && rc == TSF_OK; i++)
        if ((rc = put_z(out, s->txns[i].app_id, err)) == TSF_OK &&
            (rc = tsf_buf_append_le64(out, (uint64_t)s->txns[i].version, err)) == TSF_OK)
            rc = tsf_buf_append_le64(out, (uint64_t)s->txns[i].updated_ms, err);
    if (rc == TSF_OK)
        rc = tsf_buf_append_le32(out, (uint32_t)s->n_domains, err);
    for (int i = 0; i < s->n_domains && rc == TSF_OK; i++)
        if ((rc = put_z(out, s->domains[i].domain, err)) == TSF_OK)
            rc = put_z(out, s->domains[i].configuration, err);
    return rc;
}

static enum tsf_err put_column(const struct delta_bounds *b, int64_t n, struct tsf_buf *out, struct tsf_error *err)
{
    struct tsf_vector columns[4];
    struct tsf_batch batch = { .length = n, .columns = columns };

    if (b->any) {
        columns[batch.n_columns++] = b->min;
        columns[batch.n_columns++] = b->max;
    }
    columns[batch.n_columns++] = (struct tsf_vector){ .type = TSF_T(INT64), .length = n, .values = b->null_count };
    columns[batch.n_columns++] = (struct tsf_vector){ .type = TSF_T(INT8), .length = n, .values = b->exact };
    return tsf_batch_encode(&batch, out, err);
}

static enum tsf_err put_columns(struct delta_snapshot *s, struct tsf_buf *out, struct tsf_error *err)
{
    size_t n = (size_t)s->metadata.schema.n_fields, index = out->len;
    enum tsf_err rc;

    if ((rc = delta_bounds_all(s, err)) != TSF_OK || (rc = tsf_buf_reserve(out, n * 16, err)) != TSF_OK)
        return rc;
    memset(out->data + index, 0, n * 16);
    out->len += n * 16;
    for (size_t i = 0; i < n; i++) {
        size_t at = out->len;

        if ((rc = put_column(&s->state->bounds[i], s->n_files, out, err)) != TSF_OK)
            return rc;
        tsf_le64_put(out->data + index + 16 * i, at);
        tsf_le64_put(out->data + index + 16 * i + 8, out->len - at);
        if ((rc = pad(out, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

enum tsf_err delta_blob_encode(struct delta_snapshot *s, struct tsf_buf *out, struct tsf_error *err)
{
    const struct delta_state *st = s->state;
    struct tsf_buf heap = TSF_BUF_INIT((size_t)1 << 31);
    struct tsf_str protocol = st->head->protocol_raw, metadata = st->head->metadata_raw;
    int64_t words[HEAD_WORDS] = { s->version, s->timestamp_ms, st->mark.size, st->mark.modified_us, s->checkpoint_version, s->n_files,
                                  st->files.n, 0, (int64_t)protocol.len, (int64_t)metadata.len, 0, s->metadata.schema.n_fields };
    size_t small_at;
    enum tsf_err rc;

    tsf_buf_reset(out);
    if ((rc = tsf_buf_append(out, BLOB_MAGIC, 8, err)) != TSF_OK || (rc = tsf_buf_append(out, words, sizeof words, err)) != TSF_OK ||
        (rc = put_rows(st, out, &heap, err)) != TSF_OK ||
        (rc = tsf_buf_append(out, st->arrays, (size_t)s->n_files * 24, err)) != TSF_OK ||
        (rc = tsf_buf_append(out, heap.data, heap.len, err)) != TSF_OK || (rc = pad(out, err)) != TSF_OK ||
        (rc = tsf_buf_append(out, protocol.data, protocol.len, err)) != TSF_OK || (rc = pad(out, err)) != TSF_OK ||
        (rc = tsf_buf_append(out, metadata.data, metadata.len, err)) != TSF_OK || (rc = pad(out, err)) != TSF_OK)
        goto done;
    small_at = out->len;
    if ((rc = put_small(s, out, err)) != TSF_OK)
        goto done;
    tsf_le64_put(out->data + 8 + 8 * W_HEAP, heap.len);
    tsf_le64_put(out->data + 8 + 8 * W_SMALL, out->len - small_at);
    if ((rc = pad(out, err)) == TSF_OK)
        rc = put_columns(s, out, err);
done:
    tsf_buf_release(&heap);
    return rc;
}

/* ---- decoding --------------------------------------------------------------------------------------------------- */

struct blob {
    int64_t w[HEAD_WORDS];
    const uint8_t *rows, *arrays;
    struct tsf_str heap, protocol, metadata, small, columns;
};

/* Next section of n items of size bytes. */
static bool section(struct tsf_str all, size_t *at, int64_t n, size_t size, struct tsf_str *out)
{
    size_t bytes;

    if (n < 0 || !tsf_mul_size((size_t)n, size, &bytes) || bytes > all.len - *at)
        return false;
    *out = tsf_str_n(all.data + *at, bytes);
    *at = TSF_MIN(all.len, (*at + bytes + 7) & ~(size_t)7);
    return true;
}

static bool blob_open(struct tsf_str all, struct blob *b)
{
    struct tsf_str rows, arrays;
    size_t at = HEAD_SIZE;

    if (all.len < HEAD_SIZE || ((uintptr_t)all.data & 7) != 0 || memcmp(all.data, BLOB_MAGIC, 8) != 0)
        return false;
    memcpy(b->w, all.data + 8, sizeof b->w);
    if (b->w[W_VERSION] < 0 || b->w[W_FILES] < 0 || b->w[W_ROWS] < b->w[W_FILES] || b->w[W_ROWS] > INT32_MAX ||
        !section(all, &at, b->w[W_ROWS], sizeof(struct delta_row), &rows) || !section(all, &at, b->w[W_FILES], 24, &arrays) ||
        !section(all, &at, b->w[W_HEAP], 1, &b->heap) || !section(all, &at, b->w[W_PROTOCOL], 1, &b->protocol) ||
        !section(all, &at, b->w[W_METADATA], 1, &b->metadata) || !section(all, &at, b->w[W_SMALL], 1, &b->small) ||
        !section(all, &at, b->w[W_COLUMNS], 16, &b->columns))
        return false;
    b->rows = (const uint8_t *)rows.data;
    b->arrays = (const uint8_t *)arrays.data;
    return true;
}

struct cursor {
    struct tsf_str s;
    size_t at;
    bool bad;
};

static uint64_t get_number(struct cursor *c, size_t size)
{
    uint64_t v;

    if (c->bad || c->s.len - c->at < size) {
        c->bad = true;
        return 0;
    }
    v = size == 4 ? tsf_le32_get(c->s.data + c->at) : tsf_le64_get(c->s.data + c->at);
    c->at += size;
    return v;
}

static char *get_z(struct cursor *c, struct tsf_arena *a)
{
    size_t n = get_number(c, 4);
    char *z = NULL;

    if (!c->bad && n <= c->s.len - c->at) {
        z = tsf_arena_strndup(a, c->s.data + c->at, n);
        c->at += n;
    }
    c->bad |= z == NULL;
    return z;
}

static bool small_decode(struct tsf_str text, struct delta_replay *r)
{
    struct cursor c = { .s = text };
    uint64_t n = get_number(&c, 4);

    if (n > text.len / 20 || (r->txns = tsf_arena_calloc(&r->arena, n + 1, sizeof *r->txns)) == NULL)
        return false;
    r->cap_txns = n;
    for (; (uint64_t)r->n_txns < n && !c.bad; r->n_txns++) {
        r->txns[r->n_txns].app_id = get_z(&c, &r->arena);
        r->txns[r->n_txns].version = (int64_t)get_number(&c, 8);
        r->txns[r->n_txns].updated_ms = (int64_t)get_number(&c, 8);
    }
    n = get_number(&c, 4);
    if (c.bad || n > text.len / 8 || (r->domains = tsf_arena_calloc(&r->arena, n + 1, sizeof *r->domains)) == NULL)
        return false;
    r->cap_domains = n;
    for (; (uint64_t)r->n_domains < n && !c.bad; r->n_domains++) {
        r->domains[r->n_domains].domain = get_z(&c, &r->arena);
        r->domains[r->n_domains].configuration = get_z(&c, &r->arena);
    }
    return !c.bad;
}

static bool rows_are_sorted(const struct blob *b)
{
    const struct delta_row *rows = (const struct delta_row *)(const void *)b->rows;

    for (int64_t i = 0; i < b->w[W_ROWS]; i++)
        if (((rows[i].flags & DELTA_ROW_LIVE) != 0) != (i < b->w[W_FILES]))
            return false;
    return true;
}

enum tsf_err delta_blob_decode(struct store *store, struct cache *cache, struct cache_view *view, struct delta_snapshot **out,
                               struct tsf_error *err)
{
    struct blob b;
    struct delta_replay r;
    struct delta_mark mark;
    struct delta_heap *heap;
    enum tsf_err rc;

    delta_replay_init(&r);
    if (!blob_open(view->data, &b) || !rows_are_sorted(&b) || !small_decode(b.small, &r)) {
        delta_replay_release(&r);
        return tsf_fail(err, TSF_ERR_FORMAT, "not a decoded snapshot of this version, or damaged");
    }
    if ((heap = delta_heap_new()) == NULL) {
        delta_replay_release(&r);
        return tsf_fail_nomem(err);
    }
    heap->base = b.heap;
    heap->blob = view->data;
    r.files = (struct delta_files){ .heap = heap, .rows = (struct delta_row *)(uintptr_t)b.rows, .n = b.w[W_ROWS], .borrowed = true };
    r.protocol_raw = b.protocol;
    r.metadata_raw = b.metadata;
    mark = (struct delta_mark){ b.w[W_VERSION], b.w[W_MARK_SIZE], b.w[W_MARK_US] };
    if ((rc = delta_snapshot_build(store, cache, &r, b.w[W_VERSION], &mark, out, err)) == TSF_OK) {
        heap->view = *view;
        *view = (struct cache_view)CACHE_VIEW_INIT;
        (*out)->timestamp_ms = b.w[W_TIMESTAMP];
        (*out)->checkpoint_version = b.w[W_CHECKPOINT];
        (*out)->from_cache = true;
        (*out)->state->cached_version = b.w[W_VERSION];
    }
    delta_replay_release(&r);
    return rc;
}

/* The arrays as they lie in the blob; NULL when the rows are not a blob's. */
const int64_t *delta_blob_arrays(struct tsf_str all)
{
    struct blob b;

    return blob_open(all, &b) ? (const int64_t *)(const void *)b.arrays : NULL;
}

bool delta_blob_bounds(struct tsf_str all, int field, const struct tsf_type *t, struct tsf_arena *a, struct delta_bounds *out,
                       int64_t *n_out)
{
    struct tsf_vector columns[4];
    struct tsf_batch batch;
    uint64_t off, len;
    struct blob b;

    if (!blob_open(all, &b) || field >= b.w[W_COLUMNS])
        return false;
    off = tsf_le64_get(b.columns.data + 16 * field);
    len = tsf_le64_get(b.columns.data + 16 * field + 8);
    if (len == 0 || off > all.len || len > all.len - off || tsf_batch_decode(all.data + off, len, a, &batch, NULL) != TSF_OK ||
        batch.length != b.w[W_FILES] || (batch.n_columns != 2 && batch.n_columns != 4))
        return false;
    for (int i = 0; i < batch.n_columns; i++)
        if (tsf_vector_flatten(&batch.columns[i], a, &columns[i], NULL) != TSF_OK)
            return false;
    *out = (struct delta_bounds){ .any = batch.n_columns == 4 };
    if (out->any) {
        out->min = columns[0];
        out->max = columns[1];
        if (!tsf_type_eq(out->min.type, t) || !tsf_type_eq(out->max.type, t))
            return false;
        out->min.type = out->max.type = t;
    }
    if (columns[batch.n_columns - 2].type->id != TSF_TYPE_INT64 || columns[batch.n_columns - 1].type->id != TSF_TYPE_INT8 ||
        columns[batch.n_columns - 2].validity != NULL || columns[batch.n_columns - 1].validity != NULL)
        return false;
    out->null_count = columns[batch.n_columns - 2].values;
    out->exact = columns[batch.n_columns - 1].values;
    *n_out = batch.length;
    return true;
}
