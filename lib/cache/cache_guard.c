/* Faults while reading a damaged cache file. */
#include "cache/cache_guard.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

static __thread struct cache_guard *innermost;
static struct sigaction before[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;

void cache_guard_fault(void)
{
    struct cache_guard *g = innermost;

    if (g) {
        innermost = g->outer;
        siglongjmp(g->env, 1);
    }
}

static void on_fault(int sig)
{
    cache_guard_fault();
    /* Not ours: the old disposition, and the instruction that faulted runs again. */
    sigaction(sig, &before[sig == SIGBUS ? 0 : 1], NULL);
}

static void install(void)
{
    struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

    sigemptyset(&sa.sa_mask);
    sigaction(SIGBUS, &sa, &before[0]);
    sigaction(SIGSEGV, &sa, &before[1]);
}

void cache_guard_enter(struct cache_guard *g)
{
    pthread_once(&once, install);
    g->outer = innermost;
    innermost = g;
}

void cache_guard_leave(struct cache_guard *g)
{
    innermost = g->outer;
}
