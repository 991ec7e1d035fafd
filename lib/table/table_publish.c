/* Publishing many files at once. */
#include "table/table_internal.h"

#include <pthread.h>
#include <stdlib.h>

#define PUBLISH_THREADS 16 /* they wait for the disk, not for a core */
#define PENDING_MAX 256    /* open files */

struct table_publisher {
    pthread_mutex_t lock;
    struct store_writer **pending;
    size_t n, cap;
};

enum tsf_err table_publisher_new(struct table_publisher **out, struct tsf_error *err)
{
    struct table_publisher *p = calloc(1, sizeof *p);

    if (!p)
        return tsf_fail_nomem(err);
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    return TSF_OK;
}

static enum tsf_err publish_one(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    struct store_writer **pending = ctx;

    (void)worker;
    return store_writer_finish(pending[task], err);
}

/* Under the lock: whoever hands over one file too many waits for all of them, and so do the others. */
static enum tsf_err publish_pending(struct table_publisher *p, struct tsf_error *err)
{
    struct tsf_pool *pool = NULL;
    enum tsf_err rc;

    if (!p->n)
        return TSF_OK;
    if ((rc = tsf_pool_new(TSF_MIN((int)p->n, PUBLISH_THREADS), &pool, err)) == TSF_OK)
        rc = tsf_parallel_for(pool, (int64_t)p->n, publish_one, p->pending, err);
    tsf_pool_free(pool);
    for (size_t i = 0; i < p->n; i++)
        store_writer_free(p->pending[i]);
    p->n = 0;
    return rc;
}

enum tsf_err table_publisher_add(struct table_publisher *p, struct store_writer *w, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    pthread_mutex_lock(&p->lock);
    if (p->n >= PENDING_MAX)
        rc = publish_pending(p, err);
    if (rc == TSF_OK && !tsf_realloc_array((void **)&p->pending, &p->cap, p->n + 1, sizeof *p->pending))
        rc = tsf_fail_nomem(err);
    if (rc == TSF_OK)
        p->pending[p->n++] = w;
    else
        store_writer_free(w);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

enum tsf_err table_publisher_flush(struct table_publisher *p, struct tsf_error *err)
{
    pthread_mutex_lock(&p->lock);
    enum tsf_err rc = publish_pending(p, err);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

void table_publisher_free(struct table_publisher *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++)
        store_writer_free(p->pending[i]);
    free(p->pending);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
