/*
 * Views. The directory is listed under the append lock (shared): a listing without it could show a later segment and miss
 * an earlier one, and a flush that believed it would lose rows. Segments are mapped, so they outlive their names.
 */
#include "wal/wal_internal.h"

#include <lz4.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

struct view_segment {
    struct tsf_source src;
    char *path;
    const uint8_t *p;
    struct wal_segment_header h;
    int64_t limit;
    bool trusted; /* the limit is known to be a record's end: bodies need no look */
    bool bad;     /* the header does not check: all of it is damage */
    bool closed;  /* nobody appends to it and recovery has cut it: what is past its last record is damage */
    bool torn;    /* it ends in an unfinished append, which the limit leaves out */
    int64_t base_lsn; /* from the name */
};
struct view_record {
    int32_t segment;
    int64_t offset;
    struct wal_record_header h;
    const struct tsf_schema *schema;
};
struct view_schema {
    uint64_t hash;
    struct tsf_schema schema;
    struct view_schema *next;
};
struct wal_view {
    struct wal_topic *topic;
    struct view_segment *segments;
    int n_segments;
    struct view_record *records;
    size_t n_records, cap_records;
    int64_t last_lsn, next_lsn; /* next: as the writers' state says; 0 = unknown */
    struct view_schema *schemas;
    struct tsf_arena arena;
};

void wal_view_free(struct wal_view *v)
{
    if (!v)
        return;
    for (int i = 0; i < v->n_segments; i++) {
        tsf_source_close(&v->segments[i].src);
        free(v->segments[i].path);
    }
    free(v->segments);
    free(v->records);
    tsf_arena_release(&v->arena);
    free(v);
}

static enum tsf_err segment_open(struct wal_view *v, const char *name, struct view_segment *s, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(8192);
    enum tsf_err rc;

    if ((rc = wal_topic_path(v->topic, name, &path, err)) != TSF_OK)
        goto done;
    if (!(s->path = strdup((const char *)path.data))) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    if ((rc = tsf_source_file(&s->src, s->path, err)) != TSF_OK)
        goto done;
    if (s->src.size && !(s->p = tsf_source_view(&s->src, 0, (size_t)s->src.size)))
        rc = tsf_fail(err, TSF_ERR_IO, "%s: cannot be mapped", s->path);
    s->limit = s->src.size;
done:
    tsf_buf_release(&path);
    return rc;
}

/* A segment gets its name after its header is on disk, so a header that does not check is damage, counted when indexed. */
static enum tsf_err segment_header(struct wal_view *v, struct view_segment *s, struct tsf_error *err)
{
    struct tsf_error e = TSF_ERROR_INIT;
    enum tsf_err rc;

    rc = wal_header_decode(s->p, (size_t)s->src.size, &s->h, &e);
    if (rc == TSF_ERR_FORMAT || (rc == TSF_OK && s->h.base_lsn != s->base_lsn)) {
        s->bad = true;
        return TSF_OK;
    }
    if (rc == TSF_OK && memcmp(s->h.topic, v->topic->id, 16) != 0)
        rc = tsf_fail(&e, TSF_ERR_INVALID, "WAL segment belongs to another topic");
    if (rc == TSF_OK &&
        (!tsf_str_eqz(s->h.warehouse, v->topic->warehouse) || !tsf_str_eqz(s->h.table, v->topic->table)))
        rc = tsf_fail(&e, TSF_ERR_INVALID, "WAL segment holds rows of table %.*s of %.*s", (int)s->h.table.len,
                      s->h.table.data, (int)s->h.warehouse.len, s->h.warehouse.data);
    if (rc != TSF_OK) {
        if (err)
            *err = e;
        return tsf_prepend(err, rc, "%s", s->path);
    }
    if (s->h.n_records)
        s->limit = TSF_MIN(s->limit, s->h.data_end);
    return TSF_OK;
}

/*
 * The newest segment after a reboot, before a writer has recovered it: that writer will cut its torn tail off, so this view
 * must never look there again. Found out now, while the lock keeps writers away.
 */
static enum tsf_err limit_to_whole_records(struct view_segment *s, struct tsf_error *err)
{
    struct wal_scan scan;
    enum tsf_err rc;

    if (s->bad || s->h.n_records)
        return TSF_OK;
    if ((rc = wal_scan_segment(s->p, s->src.size, &s->h, s->limit, true, false, &scan, err)) != TSF_OK)
        return tsf_prepend(err, rc, "%s", s->path);
    s->limit = scan.end;
    s->torn = scan.damage.torn_tail;
    wal_scan_release(&scan);
    return TSF_OK;
}

enum tsf_err wal_view_open(struct wal_topic *t, struct wal_view **out, struct tsf_error *err)
{
    struct wal_view *v = calloc(1, sizeof *v);
    struct tsf_buf path = TSF_BUF_INIT(8192);
    struct wal_segment_list l = { 0 };
    struct tsf_lock lock = TSF_LOCK_INIT;
    struct tsf_error quiet = TSF_ERROR_INIT;
    struct wal_state state;
    enum tsf_err rc;

    if (!v)
        return tsf_fail_nomem(err);
    v->topic = t;
    if ((rc = wal_topic_path(t, "lock", &path, err)) != TSF_OK)
        goto done;
    rc = tsf_lock_take(&lock, (const char *)path.data, true, t->lock_wait_ms, &quiet);
    if (rc == TSF_ERR_CONFLICT) {
        if (err)
            *err = quiet;
        goto done;
    }
    /* Someone who may only read has no lock: a listing may then miss the newest run, which is only late. */
    bool locked = rc == TSF_OK;
    if ((rc = wal_segments_list(t, &l, err)) != TSF_OK)
        goto done;
    bool has_state = locked && wal_state_get(t, &state);
    if (l.n && !(v->segments = calloc((size_t)l.n, sizeof *v->segments))) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    for (int i = 0; i < l.n; i++) {
        struct view_segment *s = &v->segments[i];
        v->n_segments = i + 1;
        s->base_lsn = l.files[i].base_lsn;
        if ((rc = segment_open(v, l.files[i].name, s, err)) != TSF_OK ||
            (rc = segment_header(v, s, err)) != TSF_OK)
            goto done;
        bool open = has_state && memcmp(s->h.id, state.segment, 16) == 0;
        if (open)
            s->limit = TSF_MIN(s->limit, state.valid_end);
        s->trusted = s->h.n_records || has_state;
        s->closed = has_state || i + 1 < l.n;
        if (!s->closed && (rc = limit_to_whole_records(s, err)) != TSF_OK)
            goto done;
    }
    v->next_lsn = has_state ? state.next_lsn : 0;
    *out = v;
    v = NULL;
done:
    tsf_lock_release(&lock);
    wal_segments_release(&l);
    tsf_buf_release(&path);
    wal_view_free(v);
    return rc;
}

static enum tsf_err schema_for(struct wal_view *v, const uint8_t *record, const struct wal_record_header *h,
                               const struct tsf_schema **out, struct tsf_error *err)
{
    const uint8_t *p = record + WAL_RECORD_HEADER;
    struct view_schema *s;
    enum tsf_err rc;

    for (s = v->schemas; s; s = s->next)
        if (s->hash == h->schema_hash) {
            *out = &s->schema;
            return TSF_OK;
        }
    if (tsf_hash(p, h->schema_len, 0) != h->schema_hash)
        return tsf_fail(err, TSF_ERR_FORMAT, "WAL record: schema fails its checksum");
    if (!(s = tsf_arena_calloc(&v->arena, 1, sizeof *s)))
        return tsf_fail_nomem(err);
    if ((rc = wal_schema_decode(p, h->schema_len, &v->arena, &s->schema, err)) != TSF_OK)
        return rc;
    s->hash = h->schema_hash;
    s->next = v->schemas;
    v->schemas = s;
    *out = &s->schema;
    return TSF_OK;
}

static void damage_add(struct wal_damage *d, int64_t records, int64_t bytes, int64_t first, int64_t last)
{
    if (!records && !bytes)
        return;
    if (!d->records && !d->bytes)
        d->first_lsn = first;
    d->last_lsn = TSF_MAX(d->last_lsn, last);
    d->records += records;
    d->bytes += bytes;
}

/* LSN after the last that this segment can have, by what comes next; 0 when nobody knows. */
static int64_t segment_next(const struct wal_view *v, int i)
{
    return i + 1 < v->n_segments ? v->segments[i + 1].base_lsn : v->next_lsn;
}

/*
 * Bytes that are no records at the end of a closed segment: acknowledged records were there. At most as many as there are
 * LSNs up to the next segment (LSNs that a killed writer had taken may be among them) and as fit.
 */
static void lost_tail(const struct wal_view *v, int i, const struct wal_scan *scan, struct wal_damage *damage)
{
    const struct view_segment *s = &v->segments[i];
    int64_t first = s->h.base_lsn + (scan->n ? scan->found[scan->n - 1].h.number + 1 : 0);
    int64_t bytes = s->limit - scan->end, records = TSF_MIN(segment_next(v, i) - first, wal_records_most(bytes));

    records = TSF_MAX(records, 1);
    damage_add(damage, records, bytes, first, first + records - 1);
}

static enum tsf_err index_segment(struct wal_view *v, int i, int64_t after_lsn, bool verify, struct wal_damage *damage,
                                  struct tsf_error *err)
{
    struct view_segment *s = &v->segments[i];
    struct wal_scan scan = { 0 };
    enum tsf_err rc;

    if ((rc = wal_scan_segment(s->p, s->src.size, &s->h, s->limit, verify || !s->trusted, verify, &scan, err)) != TSF_OK)
        return tsf_prepend(err, rc, "%s", s->path);
    damage_add(damage, scan.damage.records, scan.damage.bytes, scan.damage.first_lsn, scan.damage.last_lsn);
    if (scan.damage.torn_tail && s->closed)
        lost_tail(v, i, &scan, damage);
    else
        damage->torn_tail |= scan.damage.torn_tail || s->torn;
    for (size_t k = 0; k < scan.n; k++) {
        struct wal_record_header *h = &scan.found[k].h;
        int64_t lsn = s->h.base_lsn + h->number;
        const struct tsf_schema *schema = NULL;

        v->last_lsn = TSF_MAX(v->last_lsn, lsn);
        if (lsn <= after_lsn)
            continue;
        rc = schema_for(v, s->p + scan.found[k].offset, h, &schema, err);
        if (rc == TSF_ERR_FORMAT) {
            tsf_error_reset(err);
            damage_add(damage, 1, wal_record_size(h), lsn, lsn);
            continue;
        }
        if (rc != TSF_OK)
            goto done;
        if (!tsf_realloc_array((void **)&v->records, &v->cap_records, v->n_records + 1, sizeof *v->records)) {
            rc = tsf_fail_nomem(err);
            goto done;
        }
        v->records[v->n_records++] =
            (struct view_record){ .segment = i, .offset = scan.found[k].offset, .h = *h, .schema = schema };
    }
    rc = TSF_OK;
done:
    wal_scan_release(&scan);
    return rc;
}

enum tsf_err wal_view_index(struct wal_view *v, int64_t after_lsn, bool verify, int64_t *n_out, struct wal_damage *damage,
                            struct tsf_error *err)
{
    struct wal_damage d = { 0 };
    enum tsf_err rc;

    v->n_records = 0;
    v->last_lsn = 0;
    for (int i = 0; i < v->n_segments; i++) {
        const struct view_segment *s = &v->segments[i];
        int64_t next = segment_next(v, i);
        /* Wholly behind: what comes next begins at or before what is asked for. */
        if (next && next <= after_lsn + 1) {
            v->last_lsn = TSF_MAX(v->last_lsn, next - 1);
            continue;
        }
        if (s->bad) { /* how many records it had is known when something follows; else as many as recovery passes over */
            int64_t records = next ? TSF_MAX(next - s->base_lsn, 1) : wal_records_most(s->src.size);
            damage_add(&d, records, s->src.size, s->base_lsn, s->base_lsn + records - 1);
            v->last_lsn = TSF_MAX(v->last_lsn, s->base_lsn + records - 1);
            continue;
        }
        if ((rc = index_segment(v, i, after_lsn, verify, &d, err)) != TSF_OK)
            return rc;
    }
    *n_out = (int64_t)v->n_records;
    *damage = d;
    return TSF_OK;
}

void wal_view_unload(const struct wal_view *v)
{
    for (int i = 0; i < v->n_segments; i++)
        if (v->segments[i].p)
            (void)madvise((void *)(uintptr_t)v->segments[i].p, (size_t)v->segments[i].src.size, MADV_DONTNEED);
}

int64_t wal_view_last_lsn(const struct wal_view *v) { return v->last_lsn; }
int64_t wal_view_rows(const struct wal_view *v, int64_t i) { return v->records[i].h.rows; }
int64_t wal_view_bytes(const struct wal_view *v, int64_t i) { return v->records[i].h.raw_len; }

int64_t wal_view_lsn(const struct wal_view *v, int64_t i)
{
    return v->segments[v->records[i].segment].h.base_lsn + v->records[i].h.number;
}

static enum tsf_err batch_bytes(const struct wal_record_header *h, const uint8_t *stored, struct tsf_arena *a,
                                const uint8_t **out, struct tsf_error *err)
{
    if (h->codec == 0) {
        if (h->raw_len != h->stored_len)
            return tsf_fail(err, TSF_ERR_FORMAT, "two lengths for one plain batch");
        *out = stored;
        return TSF_OK;
    }
    /* LZ4 expands at most 255 times: a length that claims more is a lie and not worth its memory. */
    if (h->raw_len > INT32_MAX || h->stored_len > INT32_MAX || h->raw_len / 255 > h->stored_len)
        return tsf_fail(err, TSF_ERR_FORMAT, "impossible decoded length %lld", (long long)h->raw_len);
    uint8_t *raw = tsf_arena_alloc(a, (size_t)h->raw_len + TSF_PAD);
    if (!raw)
        return tsf_fail_nomem(err);
    if (LZ4_decompress_safe((const char *)stored, (char *)raw, (int)h->stored_len, (int)h->raw_len) != h->raw_len)
        return tsf_fail(err, TSF_ERR_FORMAT, "batch does not decompress");
    *out = raw;
    return TSF_OK;
}

enum tsf_err wal_view_read(const struct wal_view *v, int64_t i, struct tsf_arena *a, struct wal_record *out, struct tsf_error *err)
{
    const struct view_record *r = &v->records[i];
    const struct view_segment *s = &v->segments[r->segment];
    const uint8_t *p = s->p + r->offset, *bytes = NULL;
    struct tsf_batch batch;
    enum tsf_err rc;

    if (!wal_body_ok(p, &r->h, wal_seed(s->h.id)))
        rc = tsf_fail_at(err, r->offset, "record fails its checksum");
    else if ((rc = batch_bytes(&r->h, p + WAL_RECORD_HEADER + r->h.schema_len, a, &bytes, err)) == TSF_OK)
        rc = tsf_batch_decode(bytes, (size_t)r->h.raw_len, a, &batch, err);
    if (rc == TSF_OK && (batch.n_columns != r->schema->n_fields || batch.length != r->h.rows))
        rc = tsf_fail(err, TSF_ERR_FORMAT, "batch has %d columns and %lld rows, its record says %d and %u", batch.n_columns,
                      (long long)batch.length, r->schema->n_fields, r->h.rows);
    for (int c = 0; rc == TSF_OK && c < batch.n_columns; c++)
        if (!tsf_type_eq(batch.columns[c].type, r->schema->fields[c].type))
            rc = tsf_fail(err, TSF_ERR_FORMAT, "column %s is not of its type", r->schema->fields[c].name);
    if (rc != TSF_OK)
        return tsf_prepend(err, rc, "WAL LSN %lld", (long long)wal_view_lsn(v, i));
    *out = (struct wal_record){ .lsn = wal_view_lsn(v, i), .kind = (enum wal_kind)r->h.kind, .time_us = r->h.time_us,
                                .rows = r->h.rows, .schema = r->schema, .batch = batch };
    return TSF_OK;
}

void wal_view_forget(const struct wal_view *v, int64_t first, int64_t n)
{
    for (int64_t i = first; i < first + n;) {
        const struct view_record *r = &v->records[i], *last = r;
        while (i < first + n && v->records[i].segment == r->segment)
            last = &v->records[i++];
        const uint8_t *p = v->segments[r->segment].p;
        wal_pages_forget(p + r->offset, p + last->offset + wal_record_size(&last->h));
    }
}

enum tsf_err wal_topic_status(struct wal_topic *t, int64_t after_lsn, struct wal_status *out, struct tsf_error *err)
{
    struct wal_status st = { 0 };
    struct wal_view *v = NULL;
    enum tsf_err rc;
    int64_t n;

    if ((rc = wal_view_open(t, &v, err)) != TSF_OK || (rc = wal_view_index(v, after_lsn, false, &n, &st.damage, err)) != TSF_OK)
        goto done;
    for (int i = 0; i < v->n_segments; i++) {
        st.segments++;
        st.bytes += v->segments[i].src.size;
    }
    st.records = n;
    st.last_lsn = v->last_lsn;
    for (int64_t i = 0; i < n; i++)
        st.rows += v->records[i].h.rows;
    if (n) {
        st.first_lsn = wal_view_lsn(v, 0);
        st.oldest_us = v->records[0].h.time_us;
    }
    *out = st;
done:
    wal_view_free(v);
    return rc;
}
