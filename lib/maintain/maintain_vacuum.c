/*
 * Vacuum: files that no version within the retention needs, and log entries past theirs.
 *
 * A file goes when it is not live, was not removed within the retention (readers of older versions may want it), and is
 * itself older than the retention (a writer may be about to commit it). Only files that are Delta's to have: data files and
 * deletion vectors, and our own temporaries. Names that begin with '_' or '.' are hidden, as the protocol's readers see it.
 */
#include "maintain/maintain_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DELETE_BATCH 1000
#define FORCE_BELOW (24LL * 3600 * TSF_US_PER_SEC)

struct vacuum {
    struct table *t;
    const struct maintain_vacuum_options *opts;
    int64_t started_us;         /* before the snapshot was read */
    int64_t cutoff_us;
    struct tsf_str *keep;       /* sorted: files removed within the retention */
    size_t n_keep;
    struct tsf_arena arena;     /* names to delete, which the manifest lists */
    struct delta_remove *gone;
    size_t n_gone, cap_gone;
    int64_t bytes, n_log, n_temp;
};

static int str_cmp(const void *a, const void *b)
{
    return tsf_str_cmp(*(const struct tsf_str *)a, *(const struct tsf_str *)b);
}

static enum tsf_err load_keep(struct vacuum *v, struct tsf_error *err)
{
    const struct delta_snapshot *s = v->t->snapshot;
    enum tsf_err rc;

    v->keep = tsf_arena_calloc(&v->arena, (size_t)s->n_removed + 1, sizeof *v->keep);
    if (!v->keep)
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < s->n_removed; i++) {
        struct delta_file f;
        int64_t deleted_ms;
        if ((rc = delta_snapshot_removed(s, i, &v->arena, &f, &deleted_ms, err)) != TSF_OK)
            return rc;
        if (deleted_ms * 1000 > v->cutoff_us && !f.is_absolute)
            v->keep[v->n_keep++] = f.path;
    }
    qsort(v->keep, v->n_keep, sizeof *v->keep, str_cmp);
    return TSF_OK;
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), k = strlen(tail);

    return n >= k && strcmp(s + n - k, tail) == 0;
}

static bool is_ours(const struct vacuum *v, const char *key, bool *temp)
{
    const char *base = strrchr(key, '/');

    base = base ? base + 1 : key;
    *temp = strncmp(base, ".tmp-", 5) == 0;
    if (*temp)
        return true;
    if (base[0] == '_' || base[0] == '.')
        return false;
    /* Hidden folders, unless they are a partition column's ("_x=1"). */
    for (const char *p = key; p < base; p = strchr(p, '/') + 1)
        if (p[0] == '.' || (p[0] == '_' && !memchr(p, '=', (size_t)(strchr(p, '/') - p))))
            return false;
    (void)v;
    return ends_with(base, ".parquet") || (strncmp(base, "deletion_vector_", 16) == 0 && ends_with(base, ".bin"));
}

/* Deletion-vector files that live files or kept tombstones name are not found by path here: they are kept by age alone. */
static bool dv_in_use(const struct vacuum *v, const char *key)
{
    if (!ends_with(key, ".bin"))
        return false;
    for (int64_t i = 0; i < v->t->snapshot->n_files; i++)
        if (delta_snapshot_has_dv(v->t->snapshot, i))
            return true;
    return v->n_keep > 0;
}

static enum tsf_err consider(void *ctx, const struct store_item *item, struct tsf_error *err)
{
    struct vacuum *v = ctx;
    struct tsf_str key = tsf_str(item->key);
    bool temp;

    if (item->modified_us > v->cutoff_us || !is_ours(v, item->key, &temp))
        return TSF_OK;
    if (!temp && (delta_snapshot_find(v->t->snapshot, key) >= 0 || dv_in_use(v, item->key) ||
                  bsearch(&key, v->keep, v->n_keep, sizeof *v->keep, str_cmp)))
        return TSF_OK;
    if (!tsf_arena_grow(&v->arena, (void **)&v->gone, &v->cap_gone, v->n_gone + 1, sizeof *v->gone))
        return tsf_fail_nomem(err);
    char *copy = tsf_arena_strdup(&v->arena, item->key);
    if (!copy)
        return tsf_fail_nomem(err);
    v->gone[v->n_gone++] = (struct delta_remove){ .path = tsf_str(copy), .raw_path = tsf_str(copy), .size = item->size, .n_rows = -1 };
    v->bytes += item->size;
    v->n_temp += temp;
    return tsf_cancel_check(err);
}

static enum tsf_err delete_batches(struct vacuum *v, struct tsf_error *err)
{
    const char *keys[DELETE_BATCH];
    struct tsf_str paths[DELETE_BATCH];
    enum tsf_err rc;

    for (size_t i = 0; i < v->n_gone;) {
        int64_t n = 0;
        for (; n < DELETE_BATCH && i < v->n_gone; i++, n++) {
            keys[n] = v->gone[i].path.data;
            paths[n] = v->gone[i].path;
        }
        if ((rc = store_delete(v->t->store, keys, n, err)) != TSF_OK || (rc = tsf_cancel_check(err)) != TSF_OK)
            return rc;
        cache_evict_files(v->t->env->cache, v->t->store->uri, paths, n, NULL);
    }
    return TSF_OK;
}

static enum tsf_err trim_log(struct vacuum *v, struct tsf_error *err)
{
    int64_t before_ms = (tsf_now_us() - delta_log_retention_us(&v->t->snapshot->metadata)) / 1000, n;
    char **keys;
    enum tsf_err rc;

    if ((rc = delta_log_expired(v->t->store, before_ms, &v->arena, &keys, &n, err)) != TSF_OK)
        return rc;
    v->n_log = n;
    return n && !v->opts->dry_run ? store_delete(v->t->store, (const char *const *)keys, n, err) : TSF_OK;
}

static enum tsf_err set_cutoff(struct vacuum *v, struct tsf_error *err)
{
    int64_t own = delta_file_retention_us(&v->t->snapshot->metadata);
    int64_t retention = v->opts->retention_us ? v->opts->retention_us : own;

    if (retention < 0) /* --retention 0 */
        retention = 0;
    if (retention < FORCE_BELOW && !v->opts->force) {
        tsf_hint(err, "readers and writers that run longer than that would lose files; --force if there are none");
        return tsf_fail(err, TSF_ERR_INVALID, "a retention below 24h needs --force");
    }
    /* A default is nobody's wish, and cron would mail the warning every night. */
    if (retention < own && delta_config_get(&v->t->snapshot->metadata, "delta.deletedFileRetentionDuration"))
        tsf_log(TSF_LOG_WARN, "retention of %lld h is below the table's delta.deletedFileRetentionDuration of %lld h",
                (long long)(retention / TSF_US_PER_SEC / 3600), (long long)(own / TSF_US_PER_SEC / 3600));
    v->cutoff_us = v->started_us - retention;
    return TSF_OK;
}

static enum tsf_err emit(struct vacuum *v, int64_t started_ns, maintain_manifest_fn *fn, void *ctx, struct tsf_error *err)
{
    struct table_manifest m = TABLE_MANIFEST_INIT;
    struct delta_change change = DELTA_CHANGE_INIT(&v->arena);
    char metrics[300];
    enum tsf_err rc;

    change.removes = v->gone;
    change.n_removes = (int64_t)v->n_gone;
    snprintf(metrics, sizeof metrics,
             "{\"files\":%zu,\"bytes\":%" PRId64 ",\"temporaries\":%" PRId64 ",\"log_files\":%" PRId64 ",\"dry_run\":%s,\"seconds\":%.3f}",
             v->n_gone, v->bytes, v->n_temp, v->n_log, v->opts->dry_run ? "true" : "false",
             (double)(tsf_monotonic_ns() - started_ns) / 1e9);
    if ((rc = table_manifest_from_change(&m, v->t, "vacuum", v->t->snapshot->version, &change, metrics, err)) == TSF_OK)
        rc = fn(ctx, &m, err);
    table_manifest_release(&m);
    return rc;
}

enum tsf_err maintain_vacuum(struct table_env *env, const char *table, const struct maintain_vacuum_options *opts,
                             maintain_manifest_fn *fn, void *ctx, struct tsf_error *err)
{
    struct vacuum v = { .opts = opts, .started_us = tsf_now_us() };
    int64_t started = tsf_monotonic_ns();
    enum tsf_err rc;

    if ((rc = table_open(env, table, 0, -1, &v.t, err)) != TSF_OK || (rc = delta_snapshot_writable(v.t->snapshot, err)) != TSF_OK ||
        (rc = set_cutoff(&v, err)) != TSF_OK || (rc = load_keep(&v, err)) != TSF_OK)
        goto done;
    /*
     * The listing comes after the snapshot: a file that a commit adds in between was written before it, so only its age
     * protects it, which is why the retention may not be short.
     */
    if ((rc = store_list(v.t->store, "", NULL, STORE_LIST_TEMP, consider, &v, err)) != TSF_OK)
        goto done;
    if (!opts->dry_run && (rc = delete_batches(&v, err)) != TSF_OK)
        goto done;
    if ((rc = trim_log(&v, err)) != TSF_OK)
        goto done;
    rc = emit(&v, started, fn, ctx, err);
done:
    table_close(v.t);
    tsf_arena_release(&v.arena);
    return rc;
}
