#include "base/base.h"

#include <stdatomic.h>
#include <stdio.h>

static _Atomic(tsf_log_fn *) log_fn;
static atomic_int log_max;
static atomic_int cancel_flag; /* lock-free, so a signal handler may set it */

void tsf_log_set(tsf_log_fn *fn, enum tsf_level max_level)
{
    atomic_store(&log_max, (int)max_level);
    atomic_store(&log_fn, fn);
}

bool tsf_log_on(enum tsf_level level)
{
    return atomic_load_explicit(&log_fn, memory_order_relaxed) != NULL &&
           (int)level <= atomic_load_explicit(&log_max, memory_order_relaxed);
}

void tsf_log(enum tsf_level level, const char *fmt, ...)
{
    tsf_log_fn *fn = atomic_load(&log_fn);
    char msg[1024];
    va_list ap;

    if (fn == NULL || !tsf_log_on(level))
        return;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    fn(level, msg);
}

void tsf_cancel(void)
{
    atomic_store_explicit(&cancel_flag, 1, memory_order_relaxed);
}

bool tsf_cancelled(void)
{
    return atomic_load_explicit(&cancel_flag, memory_order_relaxed) != 0;
}

enum tsf_err tsf_cancel_check(struct tsf_error *err)
{
    return TSF_UNLIKELY(tsf_cancelled()) ? tsf_fail(err, TSF_ERR_CANCELLED, "interrupted") : TSF_OK;
}
