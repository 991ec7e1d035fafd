/*
 * Warming: the snapshot and the footers of live files into the metadata tier. Best effort: a file that cannot be read is
 * counted, and the rest goes on.
 */
#include "maintain/maintain_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define PUT_BATCH 256

struct warm_file {
    char *path;
    int64_t size, footer_length;
};

struct warm {
    struct table *t;
    struct tsf_pool *pool;
    struct warm_file *files;
    size_t n, cap;
    struct tsf_arena arena;
    /* One batch: */
    size_t first;
    struct tsf_arena arenas[PUT_BATCH];
    struct tsf_str footers[PUT_BATCH];
    int64_t read[PUT_BATCH];
};

static enum tsf_err warm_add(struct warm *w, struct tsf_str path, int64_t size, int64_t footer_length, struct tsf_error *err)
{
    struct warm_file *f;

    if (!tsf_arena_grow(&w->arena, (void **)&w->files, &w->cap, w->n + 1, sizeof *w->files))
        return tsf_fail_nomem(err);
    f = &w->files[w->n];
    *f = (struct warm_file){ .path = tsf_arena_strndup(&w->arena, path.data, path.len), .size = size, .footer_length = footer_length };
    if (!f->path)
        return tsf_fail_nomem(err);
    w->n++;
    return TSF_OK;
}

/* A file that is not in the snapshot any more, or never was: not ours to warm. */
static enum tsf_err from_manifest(struct warm *w, const struct table_manifest *m, struct maintain_cache_result *res, struct tsf_error *err)
{
    for (int i = 0; i < m->n_added; i++) {
        int64_t at = delta_snapshot_find(w->t->snapshot, tsf_str(m->added[i].path));
        struct delta_file f;
        enum tsf_err rc;
        if (at < 0) {
            res->foreign++;
            tsf_log(TSF_LOG_INFO, "%s is not a live file of %s", m->added[i].path, w->t->name);
            continue;
        }
        if ((rc = delta_snapshot_file(w->t->snapshot, at, &w->arena, &f, err)) != TSF_OK ||
            (rc = warm_add(w, f.path, f.size, f.footer_length, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static enum tsf_err from_table(struct warm *w, const struct maintain_cache_options *opts, struct tsf_error *err)
{
    struct maintain_filter filter;
    enum tsf_err rc;

    if ((rc = maintain_filter_parse(w->t, opts->partition, &w->arena, &filter, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < w->t->snapshot->n_files; i++) {
        struct delta_file f;
        if ((rc = delta_snapshot_file(w->t->snapshot, i, &w->arena, &f, err)) != TSF_OK)
            return rc;
        int64_t day = maintain_partition_us(w->t, f.partition, f.modified_ms * 1000);
        if (f.is_absolute || !maintain_filter_match(&filter, f.partition) || (opts->since_us && day + TSF_US_PER_DAY <= opts->since_us))
            continue;
        if ((rc = warm_add(w, f.path, f.size, f.footer_length, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static enum tsf_err read_footer(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    struct warm *w = ctx;
    const struct warm_file *f = &w->files[w->first + (size_t)task];
    struct tsf_source src;
    struct tsf_error e = TSF_ERROR_INIT;
    enum tsf_err rc;

    (void)worker;
    (void)err;
    w->footers[task] = (struct tsf_str){ 0 };
    w->read[task] = 0;
    if (cache_footer_has(w->t->env->cache, w->t->store->uri, tsf_str(f->path), f->size)) {
        w->read[task] = -1;
        return TSF_OK;
    }
    if ((rc = store_source_open(w->t->store, f->path, f->size, &src, &e)) == TSF_OK) {
        rc = parquet_footer_read(&src, f->footer_length, &w->arenas[task], &w->footers[task], &e);
        /* The bytes may be a view of the source. */
        if (rc == TSF_OK) {
            const void *copy = tsf_arena_memdup(&w->arenas[task], w->footers[task].data, w->footers[task].len);
            w->footers[task].data = copy;
            w->read[task] = copy ? (int64_t)w->footers[task].len : 0;
        }
        tsf_source_close(&src);
    }
    if (rc != TSF_OK)
        tsf_log(TSF_LOG_WARN, "%s: %s", f->path, e.msg);
    return TSF_OK;
}

static enum tsf_err warm_batch(struct warm *w, size_t n, struct maintain_cache_result *res, struct tsf_error *err)
{
    struct cache_footer put[PUT_BATCH];
    int64_t n_put = 0;
    enum tsf_err rc = tsf_parallel_for(w->pool, (int64_t)n, read_footer, w, err);

    for (size_t i = 0; rc == TSF_OK && i < n; i++) {
        const struct warm_file *f = &w->files[w->first + i];
        if (w->read[i] < 0) {
            res->hits++;
        } else if (w->read[i] == 0) {
            res->failed++;
        } else {
            put[n_put++] = (struct cache_footer){ .path = tsf_str(f->path), .footer = w->footers[i], .file_size = f->size };
            res->bytes += w->read[i];
        }
    }
    if (n_put && cache_footers_put(w->t->env->cache, w->t->store->uri, put, n_put) < n_put)
        tsf_log(TSF_LOG_WARN, "the cache took not all footers of %s", w->t->name);
    for (size_t i = 0; i < n; i++)
        tsf_arena_release(&w->arenas[i]);
    return rc;
}

enum tsf_err maintain_warm(struct table_env *env, const char *table, struct table_manifest *m,
                           const struct maintain_cache_options *opts, struct maintain_cache_result *out, struct tsf_error *err)
{
    struct maintain_cache_result res = { 0 };
    struct warm *w = calloc(1, sizeof *w);
    char note[200];
    enum tsf_err rc;

    if (!w)
        return tsf_fail_nomem(err);
    /* Loading the snapshot through the cache is what warms it. */
    if ((rc = table_open(env, m ? m->table : table, 0, -1, &w->t, err)) != TSF_OK || (rc = tsf_pool_new(4, &w->pool, err)) != TSF_OK)
        goto done;
    delta_snapshot_cache(w->t->snapshot);
    if ((rc = m ? from_manifest(w, m, &res, err) : from_table(w, opts, err)) != TSF_OK)
        goto done;
    res.files = (int64_t)w->n;
    for (w->first = 0; !opts->dry_run && w->first < w->n; w->first += PUT_BATCH)
        if ((rc = warm_batch(w, TSF_MIN(w->n - w->first, (size_t)PUT_BATCH), &res, err)) != TSF_OK)
            goto done;
    if (m) {
        snprintf(note, sizeof note, "{\"files\":%lld,\"hits\":%lld,\"bytes\":%lld,\"failed\":%lld,\"foreign\":%lld}",
                 (long long)res.files, (long long)res.hits, (long long)res.bytes, (long long)res.failed, (long long)res.foreign);
        if ((rc = table_manifest_annotate(m, "warm", note, err)) != TSF_OK)
            goto done;
    }
    *out = res;
done:
    tsf_pool_free(w->pool);
    table_close(w->t);
    tsf_arena_release(&w->arena);
    free(w);
    return rc;
}
