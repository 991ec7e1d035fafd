/*
 * Compaction: which files of which partitions, and the commits. A partition is one commit, so an interrupted run keeps
 * what it finished. What a full run or a recompression made is tagged in the log
 *
 *     tsf.clustering = "full;level=9;target=134217728;order=<hash>;run=<uuid>;part=<i>/<n>"
 *
 * and a partition whose live files are exactly the n files of one run with the same parameters is left alone, on any machine.
 */
#include "maintain/maintain_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_TRIES 3

struct candidate {
    int64_t file;               /* in the snapshot */
    struct delta_file info;
    char *key;                  /* equal within a partition: the folder, and which values are NULL */
};

struct compact {
    struct table *t;
    const struct maintain_compact_options *opts;
    struct tsf_pool *pool;
    struct maintain_filter filter;
    int64_t target, memory, window_us;
    int level, min_files;
    struct tsf_arena arena;     /* of one plan */
    struct candidate *files;
    int64_t n_files;
    int64_t rewritten, skipped, commits;
    bool touched;               /* the partition at hand has been rewritten */
    maintain_manifest_fn *emit;
    void *ctx;
};

/* ---- settings ------------------------------------------------------------------------------------------------------ */

static void settings(struct compact *c)
{
    static const int levels[] = { 3, 9, 19 };
    static const int64_t targets[] = { 16LL << 20, 128LL << 20, 256LL << 20 };
    const struct maintain_compact_options *o = c->opts;

    c->level = o->zstd_level ? o->zstd_level : levels[o->mode];
    c->target = o->target_bytes ? o->target_bytes : targets[o->mode];
    if (!o->target_bytes && o->mode == MAINTAIN_FULL && c->t->props.target_file_size)
        c->target = c->t->props.target_file_size;
    c->memory = o->memory_limit ? o->memory_limit : 512LL << 20;
    c->min_files = o->min_files ? o->min_files : 2;
    c->window_us = o->window_us ? o->window_us : o->mode == MAINTAIN_FULL ? 2 * TSF_US_PER_DAY : 0;
}

static enum tsf_err order_hash(const struct table *t, char out[17], struct tsf_error *err)
{
    struct tsf_buf b = TSF_BUF_INIT(1 << 20);
    enum tsf_err rc = TSF_OK;

    for (int k = 0; rc == TSF_OK && k < t->props.n_sort; k++)
        rc = tsf_buf_printf(&b, err, "%s/%d/%d,", t->schema->fields[t->props.sort[k].field].name, t->props.sort[k].descending,
                            t->props.sort[k].nulls_first);
    if (rc == TSF_OK)
        snprintf(out, 17, "%016" PRIx64, tsf_hash(b.data, b.len, 0));
    tsf_buf_release(&b);
    return rc;
}

/* The tag up to "run=": equal means made with the same parameters. */
static enum tsf_err tag_stem(const struct compact *c, char *out, size_t cap, struct tsf_error *err)
{
    char hash[17];
    enum tsf_err rc = order_hash(c->t, hash, err);

    if (rc == TSF_OK)
        snprintf(out, cap, "%s;level=%d;target=%" PRId64 ";order=%s;", c->opts->mode == MAINTAIN_RECOMPRESS ? "cold" : "full", c->level,
                 c->target, hash);
    return rc;
}

/* ---- planning --------------------------------------------------------------------------------------------------------- */

/* Is a partition of this day within the mode's window? */
static bool in_window(const struct compact *c, const struct delta_file *f)
{
    int64_t now = tsf_now_us(), day = maintain_partition_us(c->t, f->partition, f->modified_ms * 1000);
    int64_t today = now - now % TSF_US_PER_DAY;

    if (c->opts->mode == MAINTAIN_RECOMPRESS)
        return day + TSF_US_PER_DAY <= now - (c->opts->cold_after_us ? c->opts->cold_after_us : 14 * TSF_US_PER_DAY);
    if (c->window_us < 0)
        return true;
    if (c->window_us == 0)
        return day >= today;
    return day + TSF_US_PER_DAY > now - c->window_us;
}

static int candidate_cmp(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int d = strcmp(x->key, y->key);

    if (d)
        return d;
    /* Oldest first, so that light bins hold files that were written one after another. */
    if (x->info.modified_ms != y->info.modified_ms)
        return x->info.modified_ms < y->info.modified_ms ? -1 : 1;
    return tsf_str_cmp(x->info.path, y->info.path);
}

static enum tsf_err plan(struct compact *c, struct tsf_error *err)
{
    const struct delta_snapshot *s = c->t->snapshot;
    struct tsf_buf key = TSF_BUF_INIT(1 << 16);
    enum tsf_err rc = TSF_OK;

    tsf_arena_reset(&c->arena);
    c->n_files = 0;
    if ((rc = maintain_filter_parse(c->t, c->opts->partition, &c->arena, &c->filter, err)) != TSF_OK)
        return rc;
    if (!(c->files = tsf_arena_calloc(&c->arena, (size_t)s->n_files + 1, sizeof *c->files)))
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < s->n_files; i++) {
        struct candidate *f = &c->files[c->n_files];
        if ((rc = delta_snapshot_file(s, i, &c->arena, &f->info, err)) != TSF_OK)
            goto done;
        if (!maintain_filter_match(&c->filter, f->info.partition) || !in_window(c, &f->info) || f->info.is_absolute)
            continue;
        tsf_buf_reset(&key);
        if ((rc = delta_partition_path(&s->metadata, f->info.partition, &key, err)) != TSF_OK)
            goto done;
        /* A text may spell the folder's word for NULL; it is another partition all the same. */
        for (int k = 0; k < c->t->n_partition; k++)
            if (f->info.partition[k].is_null && (rc = tsf_buf_printf(&key, err, "/%d:NULL", k)) != TSF_OK)
                goto done;
        f->file = i;
        if (!(f->key = tsf_arena_strndup(&c->arena, (const char *)key.data, key.len))) {
            rc = tsf_fail_nomem(err);
            goto done;
        }
        c->n_files++;
    }
    qsort(c->files, (size_t)c->n_files, sizeof *c->files, candidate_cmp);
done:
    tsf_buf_release(&key);
    return rc;
}

/* "...;run=U;part=i/n": are these files all n parts of one run with this stem? */
static bool clustered(const struct candidate *f, int64_t n, const char *stem)
{
    size_t len = strlen(stem);
    struct tsf_str run = { 0 };

    for (int64_t i = 0; i < n; i++) {
        struct tsf_str tag = f[i].info.clustering;
        const char *part = tag.len ? memmem(tag.data, tag.len, ";part=", 6) : NULL;
        if (f[i].info.dv.storage || tag.len < len || memcmp(tag.data, stem, len) != 0 || !part)
            return false;
        struct tsf_str this_run = tsf_str_n(tag.data + len, (size_t)(part - tag.data) - len);
        const char *slash = memchr(part, '/', (size_t)(tag.data + tag.len - part));
        int64_t of;
        if (!slash || !tsf_int64_parse(tsf_str_n(slash + 1, (size_t)(tag.data + tag.len - slash - 1)), &of) || of != n)
            return false;
        if (i == 0)
            run = this_run;
        else if (!tsf_str_eq(run, this_run))
            return false;
    }
    return true;
}

/* ---- one merge ------------------------------------------------------------------------------------------------------------ */

static enum tsf_err emit_manifest(struct compact *c, const struct delta_change *change, int64_t version, int64_t rows, int64_t started_ns,
                                  struct tsf_error *err)
{
    static const char *const modes[] = { "light", "full", "recompress" };
    struct table_manifest m = TABLE_MANIFEST_INIT;
    int64_t in = 0, out = 0;
    char metrics[400];
    enum tsf_err rc;

    for (int64_t i = 0; i < change->n_removes; i++)
        in += change->removes[i].size;
    for (int64_t i = 0; i < change->n_adds; i++)
        out += change->adds[i].size;
    snprintf(metrics, sizeof metrics,
             "{\"mode\":\"%s\",\"rows\":%" PRId64 ",\"files_in\":%" PRId64 ",\"files_out\":%" PRId64 ",\"bytes_in\":%" PRId64
             ",\"bytes_out\":%" PRId64 ",\"partitions_rewritten\":%" PRId64 ",\"partitions_skipped\":%" PRId64
             ",\"dry_run\":%s,\"seconds\":%.3f}",
             modes[c->opts->mode], rows, change->n_removes, change->n_adds, in, out, c->rewritten, c->skipped,
             c->opts->dry_run ? "true" : "false", (double)(tsf_monotonic_ns() - started_ns) / 1e9);
    if ((rc = table_manifest_from_change(&m, c->t, "compact", version, change, metrics, err)) == TSF_OK)
        rc = c->emit(c->ctx, &m, err);
    table_manifest_release(&m);
    return rc;
}

/* The part numbers are known only when all files are: adds get their tags now. */
static enum tsf_err tag_adds(struct compact *c, struct delta_change *change, struct tsf_error *err)
{
    char stem[160], uuid[37];
    enum tsf_err rc;

    if (c->opts->mode == MAINTAIN_LIGHT)
        return TSF_OK;
    if ((rc = tag_stem(c, stem, sizeof stem, err)) != TSF_OK)
        return rc;
    tsf_uuid4(uuid);
    for (int64_t i = 0; i < change->n_adds; i++)
        if (!(change->adds[i].clustering = tsf_arena_printf(change->arena, "%srun=%s;part=%" PRId64 "/%" PRId64, stem, uuid, i,
                                                            change->n_adds)))
            return tsf_fail_nomem(err);
    return TSF_OK;
}

static enum tsf_err build_change(struct compact *c, const struct candidate *files, int64_t n, struct delta_change *change,
                                 int64_t *rows, struct tsf_error *err)
{
    struct table_writer_options wopts = { .zstd_level = c->level, .target_bytes = c->target, .pool = c->pool,
                                          .data_change = false, .cache_footer = true };
    struct maintain_merge_input *inputs = tsf_arena_calloc(change->arena, (size_t)n, sizeof *inputs);
    struct table_writer *w = NULL;
    enum tsf_err rc = TSF_OK;

    if (!inputs)
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        inputs[i].file = files[i].info;
        if ((rc = delta_change_remove(change, c->t->snapshot, files[i].file, false, err)) != TSF_OK)
            return rc;
    }
    if (c->opts->dry_run) {
        *rows = 0;
        return TSF_OK;
    }
    if ((rc = table_writer_new(c->t, files[0].info.partition, &wopts, &w, err)) != TSF_OK ||
        (rc = maintain_merge(c->t, inputs, (int)n, w, c->pool, c->memory, rows, err)) != TSF_OK ||
        (rc = table_writer_finish(w, change, change->arena, err)) != TSF_OK || (rc = tag_adds(c, change, err)) != TSF_OK)
        goto done;
done:
    table_writer_free(w);
    return rc;
}

/* CONFLICT: somebody removed one of the files meanwhile; the caller plans again. */
static enum tsf_err merge_files(struct compact *c, const struct candidate *files, int64_t n, struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct delta_change change = DELTA_CHANGE_INIT(&a);
    struct delta_commit_options copts = { 0 };
    struct delta_commit_result res = { .version = c->t->snapshot->version };
    int64_t rows, started = tsf_monotonic_ns();
    enum tsf_err rc;

    if ((rc = build_change(c, files, n, &change, &rows, err)) != TSF_OK) {
        maintain_discard(c->t, &change);
        goto done;
    }
    change.read = DELTA_READ_FILES;
    change.operation = "OPTIMIZE";
    change.operation_params = "{\"predicate\":\"[]\",\"auto\":\"false\"}";
    if (!c->opts->dry_run && (rc = delta_commit(&c->t->snapshot, &change, &copts, &res, err)) != TSF_OK) {
        if (rc == TSF_ERR_CONFLICT)
            maintain_discard(c->t, &change);
        goto done;
    }
    c->t->schema = &c->t->snapshot->metadata.schema;
    c->t->partition_fields = c->t->snapshot->metadata.partition_fields;
    c->commits++;
    c->rewritten += !c->touched; /* a partition counts once, however many light merges it takes */
    c->touched = true;
    rc = emit_manifest(c, &change, res.version, rows, started, err);
done:
    tsf_arena_release(&a);
    return rc;
}

/* ---- one partition --------------------------------------------------------------------------------------------------------- */

/* Small files in bins of about the target. A bin of one gains nothing. */
static enum tsf_err light_partition(struct compact *c, struct candidate *files, int64_t n, struct tsf_error *err)
{
    struct candidate *bin = tsf_malloc_array((size_t)n + 1, sizeof *bin);
    int64_t n_bin = 0, bytes = 0, merged = 0;
    enum tsf_err rc = TSF_OK;

    if (!bin)
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i <= n && rc == TSF_OK; i++) {
        if (i < n && files[i].info.size >= c->target / 2) /* else what one bin made would be merged again and again */
            continue;
        if (i == n || (n_bin && bytes + files[i].info.size > c->target + c->target / 4)) {
            if (n_bin >= c->min_files) {
                rc = merge_files(c, bin, n_bin, err);
                merged++;
                /* The commit moved the snapshot: file numbers of the plan are old, so the partition is looked at again. */
                break;
            }
            n_bin = bytes = 0;
        }
        if (i < n) {
            bin[n_bin++] = files[i];
            bytes += files[i].info.size;
        }
    }
    free(bin);
    if (rc == TSF_OK && !merged)
        return TSF_END;
    return rc;
}

static enum tsf_err full_partition(struct compact *c, const struct candidate *files, int64_t n, struct tsf_error *err)
{
    char stem[160];
    enum tsf_err rc;

    if ((rc = tag_stem(c, stem, sizeof stem, err)) != TSF_OK)
        return rc;
    if (clustered(files, n, stem))
        return TSF_END;
    bool single = n == 1 && !files[0].info.dv.storage && c->opts->mode == MAINTAIN_FULL;
    if (single || (n < c->min_files && c->opts->mode == MAINTAIN_FULL))
        return TSF_END;
    rc = merge_files(c, files, n, err);
    return rc;
}

/* Work on the partition with this key until it is in shape. Plans afresh after every commit or lost race. */
static enum tsf_err compact_partition(struct compact *c, const char *key, struct tsf_error *err)
{
    int lost = 0;
    bool changed = false;

    c->touched = false;

    for (;;) {
        int64_t first = 0, n = 0;
        enum tsf_err rc;

        if ((changed || lost) && (rc = plan(c, err)) != TSF_OK)
            return rc;
        for (int64_t i = 0; i < c->n_files; i++)
            if (strcmp(c->files[i].key, key) == 0) {
                if (!n)
                    first = i;
                n++;
            }
        if (!n)
            break;
        rc = c->opts->mode == MAINTAIN_LIGHT ? light_partition(c, c->files + first, n, err) : full_partition(c, c->files + first, n, err);
        if (rc == TSF_END)
            break;
        if (rc == TSF_ERR_CONFLICT && ++lost < MAX_TRIES) {
            tsf_log(TSF_LOG_INFO, "%s: another writer was first; planning again", key);
            tsf_error_reset(err);
            if ((rc = table_refresh(c->t, err)) != TSF_OK)
                return rc;
            continue;
        }
        if (rc != TSF_OK)
            return rc;
        changed = true;
        if (c->opts->mode != MAINTAIN_LIGHT || c->opts->dry_run)
            break;
    }
    if (!changed)
        c->skipped++;
    return TSF_OK;
}

static enum tsf_err compact_all(struct compact *c, struct tsf_error *err)
{
    struct tsf_arena keys = TSF_ARENA_INIT;
    char **list = NULL;
    size_t n = 0, cap = 0;
    enum tsf_err rc;

    if ((rc = delta_snapshot_writable(c->t->snapshot, err)) != TSF_OK || (rc = plan(c, err)) != TSF_OK)
        goto done;
    for (int64_t i = 0; i < c->n_files; i++) {
        if (n && strcmp(list[n - 1], c->files[i].key) == 0)
            continue;
        if (!tsf_arena_grow(&keys, (void **)&list, &cap, n + 1, sizeof *list) ||
            !(list[n] = tsf_arena_strdup(&keys, c->files[i].key))) {
            rc = tsf_fail_nomem(err);
            goto done;
        }
        n++;
    }
    for (size_t k = 0; k < n; k++) {
        /* Every partition starts from a plan of the snapshot as it is now: commits before it have moved file numbers. */
        if (k && c->commits && (rc = plan(c, err)) != TSF_OK)
            goto done;
        if ((rc = compact_partition(c, list[k], err)) != TSF_OK || (rc = tsf_cancel_check(err)) != TSF_OK)
            goto done;
    }
    if (!c->commits) { /* one line even when there was nothing to do: it says what was skipped */
        struct tsf_arena a = TSF_ARENA_INIT;
        struct delta_change nothing = DELTA_CHANGE_INIT(&a);
        rc = emit_manifest(c, &nothing, c->t->snapshot->version, 0, tsf_monotonic_ns(), err);
    }
done:
    tsf_arena_release(&keys);
    return rc;
}

enum tsf_err maintain_compact(struct table_env *env, const char *table, const struct maintain_compact_options *opts,
                              maintain_manifest_fn *emit, void *ctx, struct tsf_error *err)
{
    struct compact c = { .opts = opts, .emit = emit, .ctx = ctx };
    enum tsf_err rc;

    if ((rc = table_open(env, table, 0, -1, &c.t, err)) != TSF_OK || (rc = tsf_pool_new(opts->threads, &c.pool, err)) != TSF_OK)
        goto done;
    settings(&c);
    rc = compact_all(&c, err);
done:
    tsf_pool_free(c.pool);
    table_close(c.t);
    tsf_arena_release(&c.arena);
    return rc;
}
