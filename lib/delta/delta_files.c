/*
 * The file list in the making and at rest: fixed-size rows that refer to one string heap by offsets, so that both can be
 * written to the cache and mapped from there as they are. A logical file is its decoded path and its deletion vector;
 * an index by the hash of both finds what an add replaces and a remove takes away.
 *
 * Partition values in the heap (delta_partition_unpack): per value key_len:4 value_len:4 (~0: null) key value.
 */
#include "delta/delta_internal.h"

#include <stdlib.h>

#define HEAP_MAX ((size_t)1 << 39)
#define REF_LEN_MAX ((1u << 24) - 1)
#define ROWS_MAX 0x7fffffff
#define NULL_LEN 0xffffffffu

/* ---- heap ----------------------------------------------------------------------------------------------- */

struct delta_heap *delta_heap_new(void)
{
    struct delta_heap *h = calloc(1, sizeof *h);

    if (h != NULL) {
        h->refs = 1;
        h->more.max = HEAP_MAX;
    }
    return h;
}

void delta_heap_unref(struct delta_heap *h)
{
    if (h == NULL || --h->refs > 0)
        return;
    cache_view_release(&h->view);
    tsf_buf_release(&h->more);
    free(h);
}

struct tsf_str delta_heap_get(const struct delta_heap *h, struct delta_ref r)
{
    uint64_t off = r.off;

    if (r.len == 0)
        return (struct tsf_str){ NULL, 0 };
    if (off < h->base.len)
        return r.len <= h->base.len - off ? tsf_str_n(h->base.data + off, r.len) : (struct tsf_str){ NULL, 0 };
    off -= h->base.len;
    if (off > h->more.len || r.len > h->more.len - off)
        return (struct tsf_str){ NULL, 0 };
    return tsf_str_n(h->more.data + off, r.len);
}

enum tsf_err delta_heap_put(struct delta_heap *h, struct tsf_str s, struct delta_ref *out, struct tsf_error *err)
{
    uint64_t off = h->base.len + h->more.len;
    enum tsf_err rc;

    *out = (struct delta_ref){ 0 };
    if (s.len == 0)
        return TSF_OK;
    if (s.len > REF_LEN_MAX)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "a path, statistics or tags text of %zu bytes", s.len);
    if ((rc = tsf_buf_append(&h->more, s.data, s.len, err)) != TSF_OK)
        return rc;
    *out = (struct delta_ref){ .off = off, .len = (uint32_t)s.len };
    return TSF_OK;
}

/* ---- partition values ---------------------------------------------------------------------------------------- */

static enum tsf_err partition_pack(struct delta_heap *h, const struct delta_pair *pairs, int n, struct tsf_arena *scratch,
                                   struct delta_ref *out, struct tsf_error *err)
{
    size_t size = 0, at = 0;
    uint8_t *p;

    for (int i = 0; i < n; i++)
        size += 8 + pairs[i].key.len + (pairs[i].value.data != NULL ? pairs[i].value.len : 0);
    if ((p = tsf_arena_alloc(scratch, size)) == NULL)
        return tsf_fail_nomem(err);
    for (int i = 0; i < n; i++) {
        const struct delta_pair *v = &pairs[i];

        if (v->key.len > REF_LEN_MAX || v->value.len > REF_LEN_MAX)
            return tsf_fail(err, TSF_ERR_UNSUPPORTED, "partition value of %zu bytes", v->value.len);
        tsf_le32_put(p + at, (uint32_t)v->key.len);
        tsf_le32_put(p + at + 4, v->value.data != NULL ? (uint32_t)v->value.len : NULL_LEN);
        at += 8;
        if (v->key.len > 0)
            memcpy(p + at, v->key.data, v->key.len);
        at += v->key.len;
        if (v->value.data != NULL && v->value.len > 0)
            memcpy(p + at, v->value.data, v->value.len);
        at += v->value.data != NULL ? v->value.len : 0;
    }
    return delta_heap_put(h, tsf_str_n(p, size), out, err);
}

bool delta_partition_unpack(struct tsf_str packed, struct tsf_arena *a, struct delta_pair **out, int *n_out)
{
    struct delta_pair *pairs = NULL;
    size_t at = 0, n = 0, cap = 0;

    while (at < packed.len) {
        uint32_t klen, vlen;

        if (packed.len - at < 8)
            return false;
        klen = tsf_le32_get(packed.data + at);
        vlen = tsf_le32_get(packed.data + at + 4);
        at += 8;
        if (klen > packed.len - at || (vlen != NULL_LEN && vlen > packed.len - at - klen))
            return false;
        if (!tsf_arena_grow(a, (void **)&pairs, &cap, n + 1, sizeof *pairs))
            return false;
        pairs[n].key = tsf_str_n(packed.data + at, klen);
        pairs[n].value = vlen == NULL_LEN ? (struct tsf_str){ NULL, 0 } : tsf_str_n(packed.data + at + klen, vlen);
        at += klen + (vlen == NULL_LEN ? 0 : vlen);
        n++;
    }
    *out = pairs;
    *n_out = (int)n;
    return true;
}

/* ---- index ------------------------------------------------------------------------------------------------------ */

void delta_files_release(struct delta_files *f)
{
    delta_heap_unref(f->heap);
    if (!f->borrowed)
        free(f->rows);
    free(f->index);
    *f = (struct delta_files){ 0 };
}

static uint32_t identity_hash(struct tsf_str path, struct tsf_str dv_id)
{
    uint64_t h = tsf_hash(path.data, path.len, 0);

    if (dv_id.len > 0)
        h = tsf_hash(dv_id.data, dv_id.len, h);
    return (uint32_t)(h ^ h >> 32);
}

static void index_put(struct delta_files *f, uint32_t hash, uint32_t row)
{
    size_t mask = f->n_slots - 1, i = hash & mask;

    while (f->index[i] != 0)
        i = (i + 1) & mask;
    f->index[i] = row + 1;
}

/* Room for one more row, and an index that is at most half full. */
static enum tsf_err index_ready(struct delta_files *f, struct tsf_error *err)
{
    size_t want = 64;

    if (f->n >= ROWS_MAX)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "more than %d files in a table", ROWS_MAX);
    if (f->index != NULL && (size_t)f->n + 1 <= f->n_slots / 2)
        return TSF_OK;
    while (want < ((size_t)f->n + 1) * 4)
        want *= 2;
    free(f->index);
    if ((f->index = calloc(want, sizeof *f->index)) == NULL)
        return tsf_fail_nomem(err);
    f->n_slots = want;
    for (int64_t i = 0; i < f->n; i++)
        index_put(f, f->rows[i].hash, (uint32_t)i);
    return TSF_OK;
}

struct identity {
    struct tsf_str path, dv;
    uint32_t hash;
};

static bool row_is(const struct delta_files *f, const struct delta_row *row, const struct identity *id, struct tsf_arena *scratch)
{
    struct tsf_str dv;

    if (row->hash != id->hash || !tsf_str_eq(delta_heap_get(f->heap, row->path), id->path))
        return false;
    return delta_dv_id(delta_heap_get(f->heap, row->dv), scratch, &dv, NULL) == TSF_OK && tsf_str_eq(dv, id->dv);
}

static int64_t row_find(const struct delta_files *f, const struct identity *id, struct tsf_arena *scratch)
{
    size_t mask = f->n_slots - 1;

    for (size_t i = id->hash & mask; f->index[i] != 0; i = (i + 1) & mask)
        if (row_is(f, &f->rows[f->index[i] - 1], id, scratch))
            return f->index[i] - 1;
    return -1;
}

int64_t delta_files_find_path(struct delta_files *f, struct tsf_str path, struct tsf_error *err)
{
    struct identity id = { .path = path, .hash = identity_hash(path, (struct tsf_str){ NULL, 0 }) };
    struct tsf_arena scratch = TSF_ARENA_INIT;
    int64_t row = -1;

    if (index_ready(f, err) != TSF_OK)
        return -1;
    row = row_find(f, &id, &scratch);
    tsf_arena_release(&scratch);
    if (row >= 0 && (f->rows[row].flags & DELTA_ROW_LIVE))
        return row;
    /* With a deletion vector the hash is another one: rare, so look at them one by one. */
    for (int64_t i = 0; i < f->n; i++)
        if ((f->rows[i].flags & DELTA_ROW_LIVE) && f->rows[i].dv.len > 0 && tsf_str_eq(delta_heap_get(f->heap, f->rows[i].path), path))
            return i;
    return -1;
}

/* ---- add and remove -------------------------------------------------------------------------------------------------- */

/* "offset,length" under DELTA_TAG_FOOTER. */
static void footer_tag(const struct delta_file_action *act, struct tsf_arena *scratch, struct delta_row *row)
{
    struct tsf_str key, value;
    struct delta_scan s;
    const char *comma;
    int64_t off, len;

    row->footer_offset = -1;
    row->footer_length = -1;
    if (act->tags.len == 0)
        return;
    delta_scan_init(&s, act->tags, scratch);
    if (!delta_scan_object(&s))
        return;
    while (delta_scan_key(&s, &key)) {
        if (!tsf_str_eqz(key, DELTA_TAG_FOOTER) || delta_scan_peek(&s) != '"') {
            delta_scan_skip(&s);
            continue;
        }
        if (!delta_scan_string(&s, &value) || (comma = memchr(value.data, ',', value.len)) == NULL ||
            !tsf_int64_parse(tsf_str_n(value.data, (size_t)(comma - value.data)), &off) ||
            !tsf_int64_parse(tsf_str_n(comma + 1, value.len - (size_t)(comma - value.data) - 1), &len))
            return;
        if (off >= 4 && len > 0 && len <= INT32_MAX && off <= act->size && len <= act->size - off) {
            row->footer_offset = off;
            row->footer_length = (int32_t)len;
        }
        return;
    }
}

static enum tsf_err row_fill(struct delta_files *f, const struct delta_file_action *act, const struct identity *id, bool absolute,
                             struct tsf_arena *scratch, struct delta_row *row, struct tsf_error *err)
{
    enum tsf_err rc;

    *row = (struct delta_row){ .size = act->size, .time_ms = act->time_ms, .hash = id->hash };
    row->flags = (act->data_change ? DELTA_ROW_DATA_CHANGE : 0) | (absolute ? DELTA_ROW_ABSOLUTE : 0) |
                 (act->n_partition >= 0 ? DELTA_ROW_PARTITION : 0);
    footer_tag(act, scratch, row);
    row->n_rows = act->n_rows >= 0 ? act->n_rows : delta_stats_rows(act->stats, scratch);
    if ((rc = delta_heap_put(f->heap, id->path, &row->path, err)) != TSF_OK ||
        (!tsf_str_eq(id->path, act->raw_path) && (rc = delta_heap_put(f->heap, act->raw_path, &row->raw_path, err)) != TSF_OK) ||
        (rc = delta_heap_put(f->heap, act->stats, &row->stats, err)) != TSF_OK ||
        (rc = delta_heap_put(f->heap, act->tags, &row->tags, err)) != TSF_OK ||
        (rc = delta_heap_put(f->heap, act->dv, &row->dv, err)) != TSF_OK)
        return rc;
    return act->n_partition > 0 ? partition_pack(f->heap, act->partition, act->n_partition, scratch, &row->partition, err) : TSF_OK;
}

static enum tsf_err row_set(struct delta_files *f, const struct delta_file_action *act, bool live, struct tsf_arena *scratch,
                            struct tsf_error *err)
{
    struct identity id;
    struct delta_row row;
    bool absolute;
    int64_t at;
    enum tsf_err rc;

    if (act->size < 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "file size %lld", (long long)act->size);
    if ((rc = delta_path_decode(act->raw_path, scratch, &id.path, &absolute, err)) != TSF_OK ||
        (rc = delta_dv_id(act->dv, scratch, &id.dv, err)) != TSF_OK || (rc = index_ready(f, err)) != TSF_OK)
        return rc;
    id.hash = identity_hash(id.path, id.dv);
    if ((rc = row_fill(f, act, &id, absolute, scratch, &row, err)) != TSF_OK)
        return rc;
    row.flags |= live ? DELTA_ROW_LIVE : 0;
    if ((at = row_find(f, &id, scratch)) < 0) {
        if (!tsf_realloc_array((void **)&f->rows, &f->cap, (size_t)f->n + 1, sizeof *f->rows))
            return tsf_fail_nomem(err);
        at = f->n++;
        index_put(f, id.hash, (uint32_t)at);
    } else if (!live && f->rows[at].n_rows >= 0 && row.n_rows < 0) {
        row.n_rows = f->rows[at].n_rows;
    }
    f->rows[at] = row;
    return TSF_OK;
}

enum tsf_err delta_files_add(struct delta_files *f, const struct delta_file_action *act, struct tsf_arena *scratch, struct tsf_error *err)
{
    return row_set(f, act, true, scratch, err);
}

enum tsf_err delta_files_remove(struct delta_files *f, const struct delta_file_action *act, struct tsf_arena *scratch,
                                struct tsf_error *err)
{
    return row_set(f, act, false, scratch, err);
}

int64_t delta_files_compact(struct delta_files *f)
{
    int64_t lo = 0, hi = f->n;

    /* Partition in place; order is of no use to anyone. */
    while (lo < hi) {
        if (f->rows[lo].flags & DELTA_ROW_LIVE) {
            lo++;
        } else {
            struct delta_row t = f->rows[--hi];

            f->rows[hi] = f->rows[lo];
            f->rows[lo] = t;
        }
    }
    free(f->index);
    f->index = NULL;
    f->n_slots = 0;
    return lo;
}

int64_t delta_files_live(const struct delta_files *f)
{
    int64_t lo = 0, hi = f->n;

    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;

        if (f->rows[mid].flags & DELTA_ROW_LIVE)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}
