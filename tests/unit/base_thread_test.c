#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

#define N_THREADS 4

struct tally {
    _Atomic int64_t sum, n;
    atomic_int inside[N_THREADS], clashes;
    atomic_uchar seen[5000];
};

static enum tsf_err tally_task(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    struct tally *t = ctx;

    (void)err;
    if (worker < 0 || worker >= N_THREADS || atomic_fetch_add(&t->inside[worker], 1) != 0)
        atomic_fetch_add(&t->clashes, 1);
    atomic_fetch_add(&t->sum, task);
    atomic_fetch_add(&t->n, 1);
    atomic_fetch_add(&t->seen[task % 5000], 1);
    if (worker >= 0 && worker < N_THREADS)
        atomic_fetch_sub(&t->inside[worker], 1);
    return TSF_OK;
}

static void test_parallel_for__each_task_once_each_worker_alone(void **state)
{
    struct tsf_pool *p;

    (void)state;
    assert_int_equal(tsf_pool_new(N_THREADS, &p, NULL), TSF_OK);
    assert_int_equal(tsf_pool_threads(p), N_THREADS);
    for (int64_t n = 0; n <= 5000; n = n * 2 + 1) {
        struct tally *t = calloc(1, sizeof(*t));

        assert_non_null(t);
        assert_int_equal(tsf_parallel_for(p, n, tally_task, t, NULL), TSF_OK);
        assert_int_equal(t->n, n);
        assert_int_equal(t->sum, n * (n - 1) / 2);
        assert_int_equal(t->clashes, 0);
        for (int64_t i = 0; i < n; i++)
            assert_int_equal(t->seen[i], 1);
        free(t);
    }
    tsf_pool_free(p);
}

static void test_parallel_for__without_pool_or_with_one_thread_is_serial(void **state)
{
    struct tally t = { 0 };
    struct tsf_pool *p;

    (void)state;
    assert_int_equal(tsf_parallel_for(NULL, 100, tally_task, &t, NULL), TSF_OK);
    assert_int_equal(tsf_pool_new(1, &p, NULL), TSF_OK);
    assert_int_equal(tsf_parallel_for(p, 100, tally_task, &t, NULL), TSF_OK);
    tsf_pool_free(p);
    tsf_pool_free(NULL);
    assert_int_equal(t.n, 200);
    assert_int_equal(tsf_pool_threads(NULL), 1);
    assert_int_equal(tsf_pool_new(-1, &p, NULL), TSF_ERR_INVALID);
}

struct failing {
    int64_t at;
    _Atomic int64_t begun;
};

static enum tsf_err failing_task(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    struct failing *f = ctx;

    (void)worker;
    atomic_fetch_add(&f->begun, 1);
    if (task >= f->at)
        return tsf_fail_at(err, task, "task %s", "failed");
    return TSF_OK;
}

static void test_parallel_for__first_error_stops_the_rest(void **state)
{
    struct tsf_pool *p;

    (void)state;
    for (int threads = 1; threads <= N_THREADS; threads++) {
        assert_int_equal(tsf_pool_new(threads, &p, NULL), TSF_OK);
        for (int round = 0; round < 50; round++) {
            struct failing f = { .at = 10 };
            struct tsf_error err = TSF_ERROR_INIT;

            assert_int_equal(tsf_parallel_for(p, 1000000, failing_task, &f, &err), TSF_ERR_FORMAT);
            assert_int_equal(err.code, TSF_ERR_FORMAT);
            assert_string_equal(err.msg, "task failed");
            assert_in_range(err.offset, 10, 10 + N_THREADS);
            assert_in_range(f.begun, 11, 11 + N_THREADS);
            assert_int_equal(tsf_parallel_for(p, 100, failing_task, &f, NULL), TSF_ERR_FORMAT);
        }
        tsf_pool_free(p);
    }
}

/* A task that meets an error, gets over it and succeeds must not lend its message to a later one. */
static enum tsf_err forgiving_task(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    (void)ctx;
    (void)worker;
    if (task == 99)
        return tsf_fail(err, TSF_ERR_CONFLICT, "the real one");
    tsf_fail(err, TSF_ERR_NOT_FOUND, "no matter");
    return TSF_OK;
}

static void test_parallel_for__forgiven_errors_are_forgotten(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_pool *p;

    (void)state;
    assert_int_equal(tsf_pool_new(2, &p, NULL), TSF_OK);
    assert_int_equal(tsf_parallel_for(p, 100, forgiving_task, NULL, &err), TSF_ERR_CONFLICT);
    assert_string_equal(err.msg, "the real one");
    tsf_error_reset(&err);
    assert_int_equal(tsf_parallel_for(NULL, 100, forgiving_task, NULL, &err), TSF_ERR_CONFLICT);
    assert_string_equal(err.msg, "the real one");
    tsf_pool_free(p);
}

struct nest {
    struct tsf_pool *pool;
    atomic_int wrong;
    _Atomic int64_t inner;
};

struct nest_inner {
    struct nest *nest;
    int worker;
    int64_t next;
    pthread_t thread;
};

static enum tsf_err nest_inner_task(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    struct nest_inner *in = ctx;

    (void)err;
    if (task != in->next++ || worker != in->worker || !pthread_equal(in->thread, pthread_self()))
        atomic_fetch_add(&in->nest->wrong, 1);
    atomic_fetch_add(&in->nest->inner, 1);
    return TSF_OK;
}

static enum tsf_err nest_task(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    struct nest *n = ctx;
    struct nest_inner in = { .nest = n, .worker = worker, .thread = pthread_self() };

    (void)task;
    return tsf_parallel_for(n->pool, 20, nest_inner_task, &in, err);
}

static void test_parallel_for__nested_calls_are_serial_and_keep_the_worker(void **state)
{
    struct nest n = { 0 };

    (void)state;
    assert_int_equal(tsf_pool_new(N_THREADS, &n.pool, NULL), TSF_OK);
    assert_int_equal(tsf_parallel_for(n.pool, 200, nest_task, &n, NULL), TSF_OK);
    assert_int_equal(n.wrong, 0);
    assert_int_equal(n.inner, 4000);
    tsf_pool_free(n.pool);
}

static void *submitter_main(void *arg)
{
    struct tsf_pool *p = arg;
    struct tally *t = calloc(1, sizeof(*t));
    intptr_t wrong = t == NULL;

    for (int i = 0; i < 100 && t != NULL; i++)
        wrong += tsf_parallel_for(p, 50, tally_task, t, NULL) != TSF_OK;
    if (t != NULL)
        wrong += t->n != 5000 || t->clashes != 0;
    free(t);
    return (void *)wrong;
}

static void test_parallel_for__several_threads_submit(void **state)
{
    struct tsf_pool *p;
    pthread_t ids[3];

    (void)state;
    assert_int_equal(tsf_pool_new(N_THREADS, &p, NULL), TSF_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, submitter_main, p), 0);
    for (size_t i = 0; i < 3; i++) {
        void *wrong;

        assert_int_equal(pthread_join(ids[i], &wrong), 0);
        assert_null(wrong);
    }
    tsf_pool_free(p);
}

static int n_said;
static char said[1100];

static void say(enum tsf_level level, const char *msg)
{
    (void)level;
    n_said++;
    snprintf(said, sizeof(said), "%s", msg);
}

static void test_log__hook_and_level(void **state)
{
    (void)state;
    tsf_log(TSF_LOG_WARN, "nobody hears");
    assert_false(tsf_log_on(TSF_LOG_WARN));
    tsf_log_set(say, TSF_LOG_INFO);
    assert_true(tsf_log_on(TSF_LOG_INFO));
    assert_false(tsf_log_on(TSF_LOG_DEBUG));
    tsf_log(TSF_LOG_DEBUG, "too fine");
    tsf_log(TSF_LOG_INFO, "n = %d", 7);
    assert_int_equal(n_said, 1);
    assert_string_equal(said, "n = 7");
    tsf_log_set(NULL, TSF_LOG_WARN);
}

static void test_cpu__threads_and_simd_follow_the_environment(void **state)
{
    (void)state;
    unsetenv("TSF_THREADS");
    assert_in_range(tsf_cpu_count(), 1, 1024);
    setenv("TSF_THREADS", "7", 1);
    assert_int_equal(tsf_cpu_count(), 7);
    setenv("TSF_THREADS", "999999999999", 1);
    assert_int_equal(tsf_cpu_count(), 1024);
    setenv("TSF_THREADS", "many", 1);
    assert_in_range(tsf_cpu_count(), 1, 1024);
    unsetenv("TSF_THREADS");
    setenv("TSF_SIMD", "scalar", 1);
    assert_int_equal(tsf_simd_level(), TSF_SIMD_SCALAR); /* first call in this process */
}

static void test_now__env_fixes_it(void **state)
{
    (void)state;
    setenv("TSF_NOW", "2026-11-20T10:11:12.5Z", 1);
    assert_int_equal(tsf_now_us(), 1795169472500000); /* first call in this process */
    assert_true(tsf_monotonic_ns() <= tsf_monotonic_ns());
}

/* The last: the flag stays up. */
static void test_cancel__stops_between_tasks(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tally *t = calloc(1, sizeof(*t));
    struct tsf_pool *p;

    (void)state;
    assert_non_null(t);
    assert_int_equal(tsf_cancel_check(&err), TSF_OK);
    assert_int_equal(tsf_pool_new(2, &p, NULL), TSF_OK);
    tsf_cancel();
    assert_true(tsf_cancelled());
    assert_int_equal(tsf_parallel_for(p, 100, tally_task, t, &err), TSF_ERR_CANCELLED);
    assert_int_equal(err.code, TSF_ERR_CANCELLED);
    assert_int_equal(tsf_parallel_for(NULL, 100, tally_task, t, NULL), TSF_ERR_CANCELLED);
    assert_int_equal(t->n, 0);
    tsf_pool_free(p);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parallel_for__each_task_once_each_worker_alone),
        cmocka_unit_test(test_parallel_for__without_pool_or_with_one_thread_is_serial),
        cmocka_unit_test(test_parallel_for__first_error_stops_the_rest),
        cmocka_unit_test(test_parallel_for__forgiven_errors_are_forgotten),
        cmocka_unit_test(test_parallel_for__nested_calls_are_serial_and_keep_the_worker),
        cmocka_unit_test(test_parallel_for__several_threads_submit),
        cmocka_unit_test(test_log__hook_and_level),
        cmocka_unit_test(test_cpu__threads_and_simd_follow_the_environment),
        cmocka_unit_test(test_now__env_fixes_it),
        cmocka_unit_test(test_cancel__stops_between_tasks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
