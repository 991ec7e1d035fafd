/*
 * A run: threads take turns reading blocks, parse them on their own, and put them into the WAL and the reject file in the
 * order in which they were read. Any failure makes the run nothing.
 */
#include "ingest/ingest_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_DEFAULT ((int64_t)256 << 20)
#define BLOCK_LEAST ((int64_t)64 << 10)
#define MEMORY_PER_BLOCK 6 /* times its size: text, columns, encoded, compressed */

struct run {
    const struct ingest_options *opts;
    struct ingest_plan plan;
    struct ingest_input *input;
    struct wal_run *wal;
    pthread_mutex_t input_lock;
    struct ingest_block pending;  /* read before there were threads */
    bool has_pending, ended;
    pthread_mutex_t lock;         /* all below */
    pthread_cond_t turn;
    int64_t next_ticket;
    struct ingest_rejecter rejecter;
    int64_t rows, unknown_keys;
    struct ingest_input_counts counts;
    bool failed;
    enum tsf_err rc;
    struct tsf_error err;
};

/* The first cause stays; that others were stopped by it is none. */
static enum tsf_err run_fail(struct run *r, enum tsf_err rc, const struct tsf_error *err)
{
    pthread_mutex_lock(&r->lock);
    if (!r->failed || (r->rc == TSF_ERR_CANCELLED && !tsf_cancelled())) {
        r->rc = rc;
        r->err = *err;
    }
    r->failed = true;
    pthread_cond_broadcast(&r->turn);
    pthread_mutex_unlock(&r->lock);
    wal_run_fail(r->wal);
    return rc;
}

static enum tsf_err block_take(struct run *r, struct ingest_block *blk, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    pthread_mutex_lock(&r->input_lock);
    if (r->has_pending) {
        ingest_block_release(blk);
        *blk = r->pending;
        r->pending = (struct ingest_block){ 0 };
        r->has_pending = false;
    } else if (r->ended) {
        rc = TSF_END;
    } else if ((rc = tsf_cancel_check(err)) == TSF_OK) {
        rc = ingest_input_next(r->input, blk, err);
        r->ended = rc != TSF_OK;
    }
    pthread_mutex_lock(&r->lock);
    ingest_input_counts(r->input, &r->counts);
    pthread_mutex_unlock(&r->lock);
    pthread_mutex_unlock(&r->input_lock);
    return rc;
}

static enum tsf_err too_many_rejects(const struct run *r, struct tsf_error *err)
{
    enum tsf_err rc;

    if (r->opts->max_rejects == 0)
        rc = tsf_fail(err, TSF_ERR_FORMAT, "%s (nothing was ingested)", r->rejecter.first);
    else
        rc = tsf_fail(err, TSF_ERR_FORMAT, "%s (the first of more than %lld bad rows; nothing was ingested)", r->rejecter.first,
                      (long long)r->opts->max_rejects);
    tsf_hint(err, "--reject-file keeps bad rows, --max-rejects lets some pass");
    return rc;
}

/* Under the lock, in ticket order. */
static enum tsf_err block_count(struct run *r, const struct ingest_parser *ps, const struct ingest_block *blk, struct tsf_error *err)
{
    const struct ingest_options *o = r->opts;
    enum tsf_err rc;

    if ((rc = ingest_rejecter_take(&r->rejecter, ps, blk, err)) != TSF_OK)
        return rc;
    r->rows += ps->row;
    r->unknown_keys += ps->n_unknown_keys;
    if (o->max_rejects >= 0 && r->rejecter.count > o->max_rejects)
        return too_many_rejects(r, err);
    if (o->progress)
        o->progress(o->progress_ctx, r->counts.bytes_in, r->counts.bytes_total, r->rows, r->rejecter.count);
    return TSF_OK;
}

static enum tsf_err block_retire(struct run *r, const struct ingest_parser *ps, const struct ingest_block *blk, struct tsf_error *err)
{
    enum tsf_err rc;

    pthread_mutex_lock(&r->lock);
    while (!r->failed && r->next_ticket != blk->ticket)
        pthread_cond_wait(&r->turn, &r->lock);
    rc = r->failed ? tsf_fail(err, TSF_ERR_CANCELLED, "the run has failed") : block_count(r, ps, blk, err);
    r->next_ticket++;
    pthread_cond_broadcast(&r->turn);
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static enum tsf_err block_ingest(struct run *r, struct ingest_parser *ps, const struct ingest_block *blk, struct tsf_error *err)
{
    struct tsf_batch batch;
    enum tsf_err rc;

    if ((rc = ingest_parser_block(ps, blk, err)) == TSF_OK && (rc = ingest_parser_batch(ps, &batch, err)) == TSF_OK &&
        (rc = wal_run_append(r->wal, WAL_INSERT, blk->ticket, &batch, err)) == TSF_OK)
        rc = block_retire(r, ps, blk, err);
    ingest_parser_reset(ps);
    return rc;
}

static enum tsf_err worker_run(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    struct run *r = ctx;
    struct ingest_parser ps;
    struct ingest_block blk = { 0 };
    struct tsf_error e = TSF_ERROR_INIT;
    enum tsf_err rc;

    (void)task, (void)worker, (void)err;
    if ((rc = ingest_parser_init(&ps, &r->plan, tsf_simd_level(), &e)) == TSF_OK)
        while ((rc = block_take(r, &blk, &e)) == TSF_OK)
            if ((rc = block_ingest(r, &ps, &blk, &e)) != TSF_OK)
                break;
    if (rc != TSF_OK && rc != TSF_END)
        rc = run_fail(r, rc, &e);
    ingest_parser_release(&ps);
    ingest_block_release(&blk);
    return rc == TSF_END ? TSF_OK : rc;
}

/* One block needs no threads; only when there may be more are they made. */
static enum tsf_err run_threads(struct run *r, int n_threads, struct tsf_error *err)
{
    struct tsf_pool *pool = NULL;
    enum tsf_err rc;

    rc = ingest_input_next(r->input, &r->pending, err);
    if (rc != TSF_OK)
        return rc == TSF_END ? TSF_OK : rc;
    r->has_pending = true;
    if (n_threads > 1 && ingest_input_more(r->input)) {
        if ((rc = tsf_pool_new(n_threads, &pool, err)) != TSF_OK)
            return rc;
        (void)tsf_parallel_for(pool, n_threads, worker_run, r, NULL);
        tsf_pool_free(pool);
    } else {
        (void)worker_run(r, 0, 0, NULL);
    }
    if (r->failed && err)
        *err = r->err;
    return r->failed ? r->rc : TSF_OK;
}

static void limits_set(const struct ingest_options *o, int *threads, int64_t *block)
{
    int64_t memory = o->memory_limit > 0 ? o->memory_limit : MEMORY_DEFAULT;

    *threads = o->threads > 0 ? o->threads : tsf_cpu_count();
    *block = INGEST_BLOCK;
    while (*block > BLOCK_LEAST * 4 && *block * MEMORY_PER_BLOCK * *threads > memory)
        *block /= 2;
    while (*threads > 1 && *block * MEMORY_PER_BLOCK * *threads > memory)
        --*threads;
    while (*block > BLOCK_LEAST && *block * MEMORY_PER_BLOCK > memory)
        *block /= 2;
}

static enum tsf_err format_check(const char *format, struct tsf_error *err)
{
    if (format && strcmp(format, "auto") != 0 && strcmp(format, "ndjson") != 0)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "input format %s is not known; there is ndjson", format);
    return TSF_OK;
}

static enum tsf_err run_all(struct run *r, struct table *t, const char *const *paths, int n_paths, struct ingest_receipt *out,
                            struct tsf_error *err)
{
    struct ingest_input_counts c;
    int64_t block;
    int threads;
    enum tsf_err rc;

    limits_set(r->opts, &threads, &block);
    if ((rc = format_check(r->opts->format, err)) != TSF_OK || (rc = ingest_plan_init(&r->plan, t, r->opts, err)) != TSF_OK ||
        (rc = ingest_rejecter_open(&r->rejecter, r->opts->reject_path, err)) != TSF_OK ||
        (rc = ingest_input_open(paths, n_paths, block, r->plan.max_row_bytes, &r->input, err)) != TSF_OK ||
        (rc = wal_run_begin(t->wal, t->schema, &r->wal, err)) != TSF_OK || (rc = run_threads(r, threads, err)) != TSF_OK ||
        (rc = ingest_rejecter_close(&r->rejecter, err)) != TSF_OK)
        return rc;
    struct wal_run *wal = r->wal;
    r->wal = NULL;
    if ((rc = wal_run_commit(wal, &out->wal, err)) != TSF_OK)
        return rc;
    ingest_input_counts(r->input, &c);
    out->rows = r->rows;
    out->rejects = r->rejecter.count;
    out->unknown_keys = r->unknown_keys;
    out->bytes_in = c.bytes_in;
    out->bytes_decoded = c.bytes_decoded;
    out->files = c.files;
    return TSF_OK;
}

/* The reject file is emptied when the run begins: it must not be one of the files that are read. */
static enum tsf_err check_reject_path(const char *reject, const char *const *paths, int n_paths, struct tsf_error *err)
{
    struct stat r, p;

    if (!reject || stat(reject, &r) != 0 || !S_ISREG(r.st_mode))
        return TSF_OK;
    for (int i = 0; i < n_paths; i++) {
        int rc = strcmp(paths[i], "-") == 0 ? fstat(STDIN_FILENO, &p) : stat(paths[i], &p);
        if (rc == 0 && p.st_dev == r.st_dev && p.st_ino == r.st_ino)
            return tsf_fail(err, TSF_ERR_INVALID, "%s is both an input and the reject file", reject);
    }
    return TSF_OK;
}

enum tsf_err ingest_run(struct table *t, const char *const *paths, int n_paths, const struct ingest_options *opts,
                        struct ingest_receipt *out, struct tsf_error *err)
{
    struct run r = { .opts = opts, .rejecter = { .fd = -1 }, .err = TSF_ERROR_INIT };
    int64_t start = tsf_monotonic_ns();
    enum tsf_err rc;

    *out = (struct ingest_receipt){ 0 };
    if (!t->wal)
        return tsf_fail(err, TSF_ERR_INVALID, "%s was opened without its WAL", t->name);
    if ((rc = check_reject_path(opts->reject_path, paths, n_paths, err)) != TSF_OK)
        return rc;
    pthread_mutex_init(&r.input_lock, NULL);
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.turn, NULL);
    rc = run_all(&r, t, paths, n_paths, out, err);
    wal_run_abort(r.wal);
    ingest_input_close(r.input);
    (void)ingest_rejecter_close(&r.rejecter, NULL);
    ingest_block_release(&r.pending);
    ingest_plan_release(&r.plan);
    pthread_mutex_destroy(&r.input_lock);
    pthread_mutex_destroy(&r.lock);
    pthread_cond_destroy(&r.turn);
    out->seconds = (double)(tsf_monotonic_ns() - start) / 1e9;
    return rc;
}
