/* Eviction: what a commit removed, or chosen partitions, out of the cache. Never touches the table. */
#include "maintain/maintain_internal.h"

#include <stdio.h>
#include <stdlib.h>

static enum tsf_err push(struct tsf_arena *a, struct tsf_str **paths, size_t *n, size_t *cap, struct tsf_str p, struct tsf_error *err)
{
    if (!tsf_arena_grow(a, (void **)paths, cap, *n + 1, sizeof **paths))
        return tsf_fail_nomem(err);
    (*paths)[(*n)++] = p;
    return TSF_OK;
}

/* Live files of the chosen partitions. Without a filter the whole table goes, also what no version names any more. */
static enum tsf_err of_table(struct table *t, const struct maintain_cache_options *opts, struct tsf_arena *a, struct tsf_str **paths,
                             size_t *n, struct tsf_error *err)
{
    struct maintain_filter filter;
    size_t cap = 0;
    enum tsf_err rc;

    if ((rc = maintain_filter_parse(t, opts->partition, a, &filter, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < t->snapshot->n_files; i++) {
        struct delta_file f;
        if ((rc = delta_snapshot_file(t->snapshot, i, a, &f, err)) != TSF_OK)
            return rc;
        if (maintain_filter_match(&filter, f.partition) && (rc = push(a, paths, n, &cap, f.path, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

enum tsf_err maintain_evict(struct table_env *env, const char *table, struct table_manifest *m,
                            const struct maintain_cache_options *opts, struct maintain_cache_result *out, struct tsf_error *err)
{
    struct maintain_cache_result res = { 0 };
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_str *paths = NULL;
    struct table *t = NULL;
    size_t n = 0, cap = 0;
    char note[160];
    enum tsf_err rc;

    if ((rc = table_open(env, m ? m->table : table, 0, -1, &t, err)) != TSF_OK)
        goto done;
    for (int i = 0; m && i < m->n_removed; i++) {
        /* A file that is live again or still must keep its entries: the manifest is old. */
        if (delta_snapshot_find(t->snapshot, tsf_str(m->removed[i].path)) >= 0) {
            res.foreign++;
            tsf_log(TSF_LOG_INFO, "%s is a live file of %s and stays", m->removed[i].path, t->name);
        } else if ((rc = push(&a, &paths, &n, &cap, tsf_str(m->removed[i].path), err)) != TSF_OK) {
            goto done;
        }
    }
    if (!m && (rc = of_table(t, opts, &a, &paths, &n, err)) != TSF_OK)
        goto done;
    res.files = (int64_t)n;
    if (!opts->dry_run)
        res.hits = !m && !opts->partition ? cache_evict_table(env->cache, t->store->uri, &res.bytes)
                                          : cache_evict_files(env->cache, t->store->uri, paths, (int64_t)n, &res.bytes);
    if (m) {
        snprintf(note, sizeof note, "{\"files\":%lld,\"evicted\":%lld,\"bytes\":%lld,\"foreign\":%lld}", (long long)res.files,
                 (long long)res.hits, (long long)res.bytes, (long long)res.foreign);
        if ((rc = table_manifest_annotate(m, "evict", note, err)) != TSF_OK)
            goto done;
    }
    *out = res;
done:
    table_close(t);
    tsf_arena_release(&a);
    return rc;
}
