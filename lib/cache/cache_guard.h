#ifndef TSF_CACHE_GUARD_H
#define TSF_CACHE_GUARD_H
/*
 * Turning a fault inside of LMDB into a miss. While a guard is entered, SIGBUS and SIGSEGV of this thread jump back to
 * its sigsetjmp; outside of guards they do what they did before.
 */
#include <setjmp.h>

struct cache_guard {
    sigjmp_buf env;
    struct cache_guard *outer;
};
void cache_guard_enter(struct cache_guard *g); /* then sigsetjmp(g->env, 1) */
void cache_guard_leave(struct cache_guard *g);
void cache_guard_fault(void); /* as if a signal had come */

#endif
