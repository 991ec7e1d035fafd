/*
 * The worker pool. A job lives on the stack of the thread that submitted it:
 *
 *   listed    in pool->jobs; idle workers may join it (n_joined++, under the pool's lock)
 *   unlisted  the submitter ran out of tasks to take: nobody joins any more
 *   finished  n_joined fell to 0; the submitter returns
 *
 * Tasks are handed out by one atomic counter. The submitter is worker 0 of its own job and pool threads are 1..n-1, so
 * a number is unique within a job, even when several threads submit at the same time.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/base.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#define STACK_SIZE ((size_t)1 << 20)
#define POOL_THREADS_MAX 1024

struct job {
    struct job *next;
    tsf_task_fn *fn;
    void *ctx;
    int64_t n_tasks;
    _Atomic int64_t next_task;
    atomic_bool stop;
    int n_joined; /* pool threads inside; pool->lock */
    enum tsf_err rc; /* first failure; pool->lock */
    struct tsf_error err;
};

struct pool_thread {
    struct tsf_pool *pool;
    pthread_t id;
    int worker;
};

struct tsf_pool {
    int n_threads; /* the submitter counts as one */
    pthread_mutex_t lock;
    pthread_cond_t wake, left; /* a job was listed; somebody left a job */
    struct job *jobs;
    int n_idle, n_started;
    bool begun, quit;
    struct pool_thread threads[];
};

/* What the running thread is to the pool it runs a task of; a nested call keeps the number, for per-worker state. */
static _Thread_local const struct tsf_pool *current_pool;
static _Thread_local int current_worker;

enum tsf_err tsf_pool_new(int n_threads, struct tsf_pool **out, struct tsf_error *err)
{
    struct tsf_pool *p;

    if (n_threads < 0)
        return tsf_fail(err, TSF_ERR_INVALID, "a pool of %d threads", n_threads);
    if (n_threads == 0)
        n_threads = tsf_cpu_count();
    n_threads = TSF_MIN(n_threads, POOL_THREADS_MAX);
    if ((p = calloc(1, sizeof(*p) + (size_t)n_threads * sizeof(p->threads[0]))) == NULL)
        return tsf_fail_nomem(err);
    p->n_threads = n_threads;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->left, NULL);
    *out = p;
    return TSF_OK;
}

void tsf_pool_free(struct tsf_pool *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    assert(p->jobs == NULL);
    p->quit = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_started; i++)
        pthread_join(p->threads[i].id, NULL);
    pthread_cond_destroy(&p->left);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int tsf_pool_threads(const struct tsf_pool *p)
{
    return p != NULL ? p->n_threads : 1;
}

static void job_fail(struct tsf_pool *p, struct job *j, enum tsf_err rc, const struct tsf_error *err)
{
    atomic_store_explicit(&j->stop, true, memory_order_relaxed);
    pthread_mutex_lock(&p->lock);
    if (j->rc == TSF_OK) {
        j->rc = rc;
        j->err = *err;
    }
    pthread_mutex_unlock(&p->lock);
}

/* Take tasks until there are none; not under the lock. */
static void job_work(struct tsf_pool *p, struct job *j, int worker)
{
    struct tsf_error err = TSF_ERROR_INIT;
    enum tsf_err rc;

    while (!atomic_load_explicit(&j->stop, memory_order_relaxed)) {
        int64_t task = atomic_fetch_add_explicit(&j->next_task, 1, memory_order_relaxed);

        if (task >= j->n_tasks)
            return;
        if ((rc = tsf_cancel_check(&err)) != TSF_OK || (rc = j->fn(j->ctx, task, worker, &err)) != TSF_OK) {
            job_fail(p, j, rc, &err);
            return;
        }
        if (TSF_UNLIKELY(err.code != TSF_OK)) /* a failure the task got over */
            tsf_error_reset(&err);
    }
}

static bool job_has_tasks(const struct job *j)
{
    return !atomic_load_explicit(&j->stop, memory_order_relaxed) &&
           atomic_load_explicit(&j->next_task, memory_order_relaxed) < j->n_tasks;
}

static struct job *pool_job_to_join(struct tsf_pool *p)
{
    struct job *j = p->jobs;

    while (j != NULL && !job_has_tasks(j))
        j = j->next;
    return j;
}

static void *pool_thread_main(void *arg)
{
    struct pool_thread *t = arg;
    struct tsf_pool *p = t->pool;

    current_pool = p;
    current_worker = t->worker;
    pthread_mutex_lock(&p->lock);
    while (!p->quit) {
        struct job *j = pool_job_to_join(p);

        if (j == NULL) {
            p->n_idle++;
            pthread_cond_wait(&p->wake, &p->lock);
            p->n_idle--;
            continue;
        }
        j->n_joined++;
        pthread_mutex_unlock(&p->lock);
        job_work(p, j, t->worker);
        pthread_mutex_lock(&p->lock);
        if (--j->n_joined == 0)
            pthread_cond_broadcast(&p->left);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Under the lock, once. A system that refuses threads makes the pool slower, not wrong. */
static void pool_begin(struct tsf_pool *p)
{
    pthread_attr_t attr;
    sigset_t all, old;

    p->begun = true;
    if (pthread_attr_init(&attr) != 0)
        return;
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    sigfillset(&all); /* signals are for the thread that runs main */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (p->n_started < p->n_threads - 1) {
        struct pool_thread *t = &p->threads[p->n_started];

        t->pool = p;
        t->worker = p->n_started + 1;
        if (pthread_create(&t->id, &attr, pool_thread_main, t) != 0)
            break;
        p->n_started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
}

static void pool_list_job(struct tsf_pool *p, struct job *j)
{
    int64_t want = j->n_tasks - 1;

    pthread_mutex_lock(&p->lock);
    if (!p->begun)
        pool_begin(p);
    j->next = NULL;
    struct job **tail = &p->jobs;
    while (*tail != NULL) /* oldest first; as many jobs as threads that submit */
        tail = &(*tail)->next;
    *tail = j;
    if (want >= p->n_idle)
        pthread_cond_broadcast(&p->wake);
    else
        for (int64_t i = 0; i < want; i++)
            pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void pool_unlist_job(struct tsf_pool *p, struct job *j)
{
    struct job **at = &p->jobs;

    pthread_mutex_lock(&p->lock);
    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    while (j->n_joined > 0)
        pthread_cond_wait(&p->left, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static enum tsf_err run_serially(int worker, int64_t n_tasks, tsf_task_fn *fn, void *ctx, struct tsf_error *err)
{
    bool clean = err != NULL && err->code == TSF_OK;
    enum tsf_err rc;

    for (int64_t task = 0; task < n_tasks; task++) {
        if ((rc = tsf_cancel_check(err)) != TSF_OK || (rc = fn(ctx, task, worker, err)) != TSF_OK)
            return rc;
        if (clean && TSF_UNLIKELY(err->code != TSF_OK)) /* a failure the task got over */
            tsf_error_reset(err);
    }
    return TSF_OK;
}

enum tsf_err tsf_parallel_for(struct tsf_pool *p, int64_t n_tasks, tsf_task_fn *fn, void *ctx, struct tsf_error *err)
{
    const struct tsf_pool *outer_pool = current_pool;
    struct job j = { .fn = fn, .ctx = ctx, .n_tasks = n_tasks, .err = TSF_ERROR_INIT };

    if (outer_pool != NULL) /* nested */
        return run_serially(outer_pool == p ? current_worker : 0, n_tasks, fn, ctx, err);
    if (p == NULL || p->n_threads == 1 || n_tasks <= 1)
        return run_serially(0, n_tasks, fn, ctx, err);
    pool_list_job(p, &j);
    current_pool = p;
    current_worker = 0;
    job_work(p, &j, 0);
    current_pool = NULL;
    pool_unlist_job(p, &j);
    if (j.rc != TSF_OK && err != NULL && err->code == TSF_OK)
        *err = j.err;
    return j.rc;
}
