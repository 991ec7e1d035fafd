/*
 * Flush: the WAL's rows become files, and one commit names them together with the LSN that it reaches. That txn action makes
 * a flush exactly-once: whatever dies in between, the snapshot says which prefix of the WAL is in the table.
 *
 * Rows are taken in chunks of a fifth of the memory limit (decoded rows, their united columns, the sort and the encoders each
 * want a share); each chunk gives one sorted file per partition. All chunks are one commit.
 */
#include "maintain/maintain_internal.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct flush {
    struct table *t;
    const struct maintain_flush_options *opts;
    struct tsf_pool *pool;
    struct table_publisher *publisher;
    struct maintain_seen *seen; /* tables with dedup keys, when there is more than one chunk */
    struct delta_change change;
    struct tsf_arena arena;   /* the change's */
    pthread_mutex_t lock;     /* the change, while partitions are written in parallel */
    int64_t rows, bytes, duplicates, through_lsn, started_ns;
};

/* ---- reading a chunk -------------------------------------------------------------------------------------------- */

struct chunk {
    struct flush *f;
    int64_t first, n;         /* records of the view */
    struct tsf_arena *arenas;
    struct tsf_batch *batches;
};

static enum tsf_err decode_record(void *ctx, int64_t i, int worker, struct tsf_error *err)
{
    struct chunk *c = ctx;

    (void)worker;
    return table_tail_read(c->f->t, c->first + i, &c->arenas[i], &c->batches[i], err);
}

static void chunk_release(struct chunk *c)
{
    for (int64_t i = 0; c->arenas && i < c->n; i++)
        tsf_arena_release(&c->arenas[i]);
    free(c->arenas);
    free(c->batches);
    c->arenas = NULL;
    c->batches = NULL;
}

/* ---- writing a chunk ------------------------------------------------------------------------------------------------ */

struct spread {
    struct flush *f;
    const struct tsf_batch *b;
    const struct table_groups *groups;
    uint32_t *rows;           /* sorted within each group */
    int64_t *starts;
    struct tsf_pool *pool;    /* for the encoder; NULL when groups run in parallel */
};

static enum tsf_err write_group(void *ctx, int64_t g, int worker, struct tsf_error *err)
{
    struct spread *s = ctx;
    struct table *t = s->f->t;
    struct table_writer_options opts = { .zstd_level = s->f->opts->zstd_level, .target_bytes = t->props.target_file_size,
                                         .pool = s->pool, .data_change = true, .cache_footer = true,
                                         .publisher = s->f->publisher };
    struct tsf_value *partition;
    struct table_writer *w = NULL;
    struct tsf_arena a = TSF_ARENA_INIT;
    int64_t n = s->starts[g + 1] - s->starts[g];
    const uint32_t *rows = s->rows + s->starts[g];
    enum tsf_err rc = TSF_OK;

    (void)worker;
    if (!n)
        return TSF_OK;
    if (!(partition = tsf_arena_calloc(&a, (size_t)t->n_partition + 1, sizeof *partition))) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    for (int k = 0; k < t->n_partition; k++)
        if ((rc = tsf_vector_get(&s->b->columns[t->partition_fields[k]], rows[0], &a, &partition[k], err)) != TSF_OK)
            goto done;
    if ((rc = table_writer_new(t, partition, &opts, &w, err)) != TSF_OK ||
        (rc = maintain_rows_write(s->b, rows, n, w, s->pool, err)) != TSF_OK)
        goto done;
    if ((rc = table_writer_close(w, err)) != TSF_OK) /* encodes what is left: not under the lock */
        goto done;
    pthread_mutex_lock(&s->f->lock);
    rc = table_writer_finish(w, &s->f->change, &s->f->arena, err);
    pthread_mutex_unlock(&s->f->lock);
done:
    table_writer_free(w);
    tsf_arena_release(&a);
    return rc;
}

/* The sorted order cut by partition: a stable counting sort by group keeps each group sorted. */
static enum tsf_err cut_by_group(struct spread *s, const uint32_t *perm, int64_t n, struct tsf_arena *a, struct tsf_error *err)
{
    const struct table_groups *g = s->groups;
    uint32_t *group = tsf_arena_alloc(a, sizeof *group * (size_t)(s->b->length + 1));
    int64_t *next = tsf_arena_calloc(a, (size_t)g->n_groups + 2, sizeof *next);

    s->rows = tsf_arena_alloc(a, sizeof *s->rows * (size_t)(n + 1));
    s->starts = tsf_arena_calloc(a, (size_t)g->n_groups + 2, sizeof *s->starts);
    if (!group || !next || !s->rows || !s->starts)
        return tsf_fail_nomem(err);
    for (int64_t k = 0; k < g->n_groups; k++)
        for (int64_t i = g->starts[k]; i < g->starts[k + 1]; i++)
            group[g->order[i]] = (uint32_t)k;
    for (int64_t i = 0; i < n; i++)
        s->starts[group[perm[i]] + 1]++;
    for (int64_t k = 0; k < g->n_groups; k++)
        s->starts[k + 1] += s->starts[k];
    memcpy(next, s->starts, sizeof *next * (size_t)g->n_groups);
    for (int64_t i = 0; i < n; i++)
        s->rows[next[group[perm[i]]]++] = perm[i];
    return TSF_OK;
}

static enum tsf_err write_chunk(struct flush *f, struct maintain_rows *rows, struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct table_groups groups;
    struct tsf_batch b;
    struct spread s = { .f = f, .b = &b, .groups = &groups };
    uint32_t *perm;
    enum tsf_err rc;

    if ((rc = maintain_rows_unite(rows, &a, &b, err)) != TSF_OK || (rc = maintain_rows_order(rows, &b, &a, &perm, err)) != TSF_OK)
        goto done;
    int64_t n = b.length;
    if ((rc = maintain_rows_dedup(f->t, &b, perm, &n, &a, err)) != TSF_OK ||
        (f->seen && (rc = maintain_seen_drop(f->seen, f->t, &b, perm, &n, err)) != TSF_OK) ||
        (rc = table_partition_split(f->t, &b, &a, &groups, err)) != TSF_OK || (rc = cut_by_group(&s, perm, n, &a, err)) != TSF_OK)
        goto done;
    f->rows += n;
    f->duplicates += b.length - n;
    /* Many partitions: one core each. Few: the columns of one file on all cores. */
    bool across = groups.n_groups >= 2 * tsf_pool_threads(f->pool);
    s.pool = across ? NULL : f->pool;
    rc = tsf_parallel_for(across ? f->pool : NULL, groups.n_groups, write_group, &s, err);
done:
    tsf_arena_release(&a);
    return rc;
}

static enum tsf_err flush_chunk(struct flush *f, int64_t first, int64_t n, struct tsf_error *err)
{
    struct chunk c = { .f = f, .first = first, .n = n };
    struct maintain_rows rows = { .t = f->t, .pool = f->pool };
    enum tsf_err rc;

    c.arenas = calloc((size_t)n, sizeof *c.arenas);
    c.batches = calloc((size_t)n, sizeof *c.batches);
    if (!c.arenas || !c.batches) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    if ((rc = tsf_parallel_for(f->pool, n, decode_record, &c, err)) != TSF_OK)
        goto done;
    for (int64_t i = 0; i < n; i++)
        if ((rc = maintain_rows_add(&rows, &c.batches[i], err)) != TSF_OK)
            goto done;
    rc = rows.n_rows ? write_chunk(f, &rows, err) : TSF_OK;
done:
    maintain_rows_release(&rows);
    chunk_release(&c);
    wal_view_forget(f->t->tail, first, n); /* each record is read once */
    return rc;
}

/* Where the chunk that ends before record `end` begins. */
static int64_t chunk_first(const struct flush *f, int64_t end, int64_t limit, int64_t *bytes_out)
{
    int64_t first = end, bytes = 0;

    while (first > 0 && (first == end || bytes + wal_view_bytes(f->t->tail, first - 1) <= limit))
        bytes += wal_view_bytes(f->t->tail, --first);
    *bytes_out = bytes;
    return first;
}

static bool dedups_across(const struct table *t)
{
    for (int k = 0; k < t->props.n_dedup; k++)
        if (t->schema->fields[t->props.dedup[k]].type->n_children)
            return false;
    return t->props.n_dedup > 0;
}

/* From the newest chunk to the oldest: the last write of a key is the one that stays. */
static enum tsf_err flush_rows(struct flush *f, int64_t n_records, struct tsf_error *err)
{
    int64_t memory = f->opts->memory_limit ? f->opts->memory_limit : 512LL << 20;
    enum tsf_err rc;

    for (int64_t end = n_records; end > 0;) {
        int64_t bytes, first = chunk_first(f, end, memory / 5, &bytes);
        if (first > 0 && !f->seen && dedups_across(f->t) && (rc = maintain_seen_new(memory / 4, &f->seen, err)) != TSF_OK)
            return rc;
        if ((rc = flush_chunk(f, first, end - first, err)) != TSF_OK)
            return rc;
        wal_view_unload(f->t->tail);
        f->bytes += bytes;
        end = first;
    }
    return table_publisher_flush(f->publisher, err);
}

/* ---- committing --------------------------------------------------------------------------------------------------------- */

static enum tsf_err emit(struct flush *f, int64_t version, maintain_manifest_fn *fn, void *ctx, struct tsf_error *err)
{
    struct table_manifest m = TABLE_MANIFEST_INIT;
    char metrics[400];
    enum tsf_err rc;

    snprintf(metrics, sizeof metrics,
             "{\"rows\":%" PRId64 ",\"duplicates\":%" PRId64 ",\"files\":%" PRId64 ",\"wal_bytes\":%" PRId64
             ",\"last_lsn\":%" PRId64 ",\"damaged_records\":%" PRId64 ",\"seconds\":%.3f}",
             f->rows, f->duplicates, f->change.n_adds, f->bytes, f->through_lsn, f->t->damage.records,
             (double)(tsf_monotonic_ns() - f->started_ns) / 1e9);
    if ((rc = table_manifest_from_change(&m, f->t, "flush", version, &f->change, metrics, err)) == TSF_OK)
        rc = fn(ctx, &m, err);
    table_manifest_release(&m);
    return rc;
}

static enum tsf_err commit(struct flush *f, maintain_manifest_fn *fn, void *ctx, struct tsf_error *err)
{
    struct table *t = f->t;
    struct delta_commit_options opts = { 0 };
    struct delta_commit_result res;
    int64_t segments, bytes;
    enum tsf_err rc;

    f->change.app_id = wal_topic_app_id(t->wal);
    f->change.txn_from = delta_snapshot_txn(t->snapshot, f->change.app_id);
    f->change.txn_version = f->through_lsn;
    f->change.operation = "WRITE";
    f->change.operation_params = "{\"mode\":\"Append\",\"source\":\"flush\"}";
    if ((rc = delta_commit(&t->snapshot, &f->change, &opts, &res, err)) != TSF_OK) {
        /* An I/O error leaves open whether the commit landed: its files stay, vacuum knows. A conflict does not. */
        if (rc == TSF_ERR_CONFLICT)
            maintain_discard(t, &f->change);
        return rc;
    }
    if (res.outcome == DELTA_TXN_SEEN) {
        maintain_discard(t, &f->change);
        return wal_truncate(t->wal, delta_snapshot_txn(t->snapshot, f->change.app_id), &segments, &bytes, err);
    }
    /* The commit stands: a WAL that cannot be trimmed now is trimmed by the next flush. */
    struct tsf_error quiet = TSF_ERROR_INIT;
    if (wal_truncate(t->wal, f->through_lsn, &segments, &bytes, &quiet) != TSF_OK)
        tsf_log(TSF_LOG_WARN, "WAL of %s: %s", t->name, quiet.msg);
    t->schema = &t->snapshot->metadata.schema;
    t->partition_fields = t->snapshot->metadata.partition_fields;
    return emit(f, res.version, fn, ctx, err);
}

static enum tsf_err check_damage(struct flush *f, struct tsf_error *err)
{
    const struct wal_damage *d = &f->t->damage;

    if (!d->records && !d->bytes)
        return TSF_OK;
    tsf_log(TSF_LOG_WARN, "WAL of %s: %" PRId64 " records (%" PRId64 " bytes) are damaged, LSN %" PRId64 " to %" PRId64, f->t->name,
            d->records, d->bytes, d->first_lsn, d->last_lsn);
    if (d->records > WAL_DAMAGE_LIMIT && !f->opts->salvage) {
        tsf_hint(err, "tsf-flush --salvage writes what is whole and drops the damaged records");
        return tsf_fail(err, TSF_ERR_FORMAT, "WAL of %s has %" PRId64 " damaged records (LSN %" PRId64 " to %" PRId64 ")",
                        f->t->name, d->records, d->first_lsn, d->last_lsn);
    }
    return TSF_OK;
}

static enum tsf_err flush_table(struct flush *f, maintain_manifest_fn *fn, void *ctx, struct tsf_error *err)
{
    struct table *t = f->t;
    int64_t n, segments, bytes;
    enum tsf_err rc;

    if ((rc = delta_snapshot_writable(t->snapshot, err)) != TSF_OK)
        return rc;
    if (t->flushed_lsn > 0 && (rc = wal_truncate(t->wal, t->flushed_lsn, &segments, &bytes, err)) != TSF_OK)
        return rc;
    if ((rc = wal_view_index(t->tail, t->flushed_lsn, true, &n, &t->damage, err)) != TSF_OK || (rc = check_damage(f, err)) != TSF_OK)
        return rc;
    wal_view_unload(t->tail);
    t->n_tail = n;
    f->through_lsn = TSF_MAX(wal_view_last_lsn(t->tail), t->damage.last_lsn);
    if (!n && f->through_lsn <= t->flushed_lsn)
        return TSF_OK;
    if ((rc = flush_rows(f, n, err)) != TSF_OK) {
        maintain_discard(t, &f->change);
        return rc;
    }
    return commit(f, fn, ctx, err);
}

enum tsf_err maintain_flush(struct table_env *env, const char *table, const struct maintain_flush_options *opts,
                            maintain_manifest_fn *fn, void *ctx, struct tsf_error *err)
{
    struct flush f = { .opts = opts, .started_ns = tsf_monotonic_ns() };
    struct tsf_lock lock = TSF_LOCK_INIT;
    struct table *probe = NULL;
    enum tsf_err rc;

    f.change = (struct delta_change)DELTA_CHANGE_INIT(&f.arena);
    pthread_mutex_init(&f.lock, NULL);
    /* Lock and rotate first, then look: the view must be the one that the lock protects. */
    if ((rc = table_open(env, table, TABLE_WAL_CREATE, -1, &probe, err)) != TSF_OK ||
        (rc = wal_flush_lock(probe->wal, opts->wait_ms, &lock, err)) != TSF_OK || (rc = wal_rotate(probe->wal, err)) != TSF_OK ||
        (rc = tsf_pool_new(opts->threads, &f.pool, err)) != TSF_OK || (rc = table_publisher_new(&f.publisher, err)) != TSF_OK ||
        (rc = table_open(env, table, TABLE_TAIL | TABLE_WAL_CREATE, -1, &f.t, err)) != TSF_OK)
        goto done;
    rc = flush_table(&f, fn, ctx, err);
done:
    tsf_lock_release(&lock);
    table_publisher_free(f.publisher);
    maintain_seen_free(f.seen);
    tsf_pool_free(f.pool);
    table_close(f.t);
    table_close(probe);
    tsf_arena_release(&f.arena);
    pthread_mutex_destroy(&f.lock);
    return rc;
}
