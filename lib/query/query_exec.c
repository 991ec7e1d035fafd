/* Running a plan: workers, tasks, streaming operators, the way to the consumer. See query_exec.h. */
#include "query/query_exec.h"

#include <stdlib.h>

/* ---- workers and memory ------------------------------------------------------------------------ */

enum tsf_err query_worker_get(struct query_run *r, int worker, struct query_worker **out, struct tsf_error *err)
{
    struct query_worker *w = &r->workers[worker];
    enum tsf_err rc;

    if (!w->ready) {
        if ((rc = query_eval_init(&w->ev, &w->arena, r->cx->n_exprs, r->cx->now_us, r->cx->session, err)) != TSF_OK)
            return rc;
        w->ready = true;
        w->index = worker;
        w->slot = -1;
    }
    *out = w;
    return TSF_OK;
}

enum tsf_err query_run_account(struct query_run *r, int64_t bytes, struct tsf_error *err)
{
    int64_t now = __atomic_add_fetch(&r->memory_used, bytes, __ATOMIC_RELAXED);

    if (bytes <= 0 || !r->cx->memory_limit || now <= r->cx->memory_limit)
        return TSF_OK;
    char used[16], limit[16];
    tsf_size_format(now, used);
    tsf_size_format(r->cx->memory_limit, limit);
    tsf_hint(err, "narrow the query, or raise --memory-limit");
    return tsf_fail_sql(err, "53200", -1, "the query needs more than %s of memory, the limit is %s", used, limit);
}

/* ---- helpers ------------------------------------------------------------------------------------- */

enum tsf_err query_eval_columns(struct query_worker *w, struct query_expr *const *exprs, int n, const struct tsf_batch *b,
                                struct tsf_batch *out, struct tsf_error *err)
{
    enum tsf_err rc;

    *out = (struct tsf_batch){ .length = b->length, .n_columns = n };
    if (!(out->columns = tsf_arena_calloc(&w->arena, (size_t)n + 1, sizeof *out->columns)))
        return tsf_fail_nomem(err);
    for (int i = 0; i < n; i++) {
        if (exprs[i]->kind == QUERY_COLUMN)
            out->columns[i] = b->columns[exprs[i]->column];
        else if ((rc = query_eval(&w->ev, exprs[i], b, &out->columns[i], err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

enum tsf_err query_batch_gather(const struct tsf_batch *b, const uint32_t *sel, int64_t n_sel, struct tsf_arena *a,
                                struct tsf_batch *out, struct tsf_error *err)
{
    enum tsf_err rc;

    *out = (struct tsf_batch){ .length = n_sel, .n_columns = b->n_columns };
    if (!(out->columns = tsf_arena_calloc(a, (size_t)b->n_columns + 1, sizeof *out->columns)))
        return tsf_fail_nomem(err);
    for (int i = 0; i < b->n_columns; i++)
        if ((rc = tsf_vector_gather(&b->columns[i], sel, n_sel, a, &out->columns[i], err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

enum tsf_err query_run_emit(struct query_run *r, const struct tsf_batch *b, struct query_sink *sink, struct tsf_error *err)
{
    struct query_worker *w;
    enum tsf_err rc = query_worker_get(r, 0, &w, err);

    for (int64_t first = 0; rc == TSF_OK && first < b->length; first += QUERY_EMIT_ROWS) {
        struct tsf_batch part = { .length = TSF_MIN(QUERY_EMIT_ROWS, b->length - first), .n_columns = b->n_columns };
        tsf_arena_reset(&w->arena);
        if ((rc = tsf_cancel_check(err)) != TSF_OK)
            break;
        if (!(part.columns = tsf_arena_calloc(&w->arena, (size_t)b->n_columns + 1, sizeof *part.columns)))
            return tsf_fail_nomem(err);
        for (int i = 0; i < b->n_columns && rc == TSF_OK; i++)
            rc = tsf_vector_slice(&b->columns[i], first, part.length, &w->arena, &part.columns[i], err);
        if (rc == TSF_OK)
            rc = sink->push(sink, w, &part, err);
    }
    return rc == TSF_END ? TSF_OK : rc;
}

/* ---- the last sink ---------------------------------------------------------------------------------- */

/*
 * The consumer lives in the caller's thread and wants rows in order. Tasks of a parallel section therefore run in waves:
 * each keeps copies of its batches in a slot, and after the wave the slots are handed on one after another.
 */
struct query_slot {
    struct tsf_arena arena;
    struct tsf_batch *batches;
    size_t n, cap;
};
struct query_last {
    struct query_sink sink;
    const struct query_consumer *consumer;
    int n_output;
    struct query_slot *slots;
    int64_t n_slots;
};

static enum tsf_err last_keep(struct query_slot *slot, const struct tsf_batch *b, struct tsf_error *err)
{
    enum tsf_err rc;

    if (!tsf_arena_grow(&slot->arena, (void **)&slot->batches, &slot->cap, slot->n + 1, sizeof *slot->batches))
        return tsf_fail_nomem(err);
    struct tsf_batch *copy = &slot->batches[slot->n];
    *copy = (struct tsf_batch){ .length = b->length, .n_columns = b->n_columns };
    if (!(copy->columns = tsf_arena_calloc(&slot->arena, (size_t)b->n_columns + 1, sizeof *copy->columns)))
        return tsf_fail_nomem(err);
    for (int i = 0; i < b->n_columns; i++)
        if ((rc = tsf_vector_copy(&b->columns[i], &slot->arena, &copy->columns[i], err)) != TSF_OK)
            return rc;
    slot->n++;
    return TSF_OK;
}

static enum tsf_err last_push(struct query_sink *s, struct query_worker *w, struct tsf_batch *b, struct tsf_error *err)
{
    struct query_last *last = (struct query_last *)s;
    struct tsf_batch shown = *b;

    if (!b->length)
        return TSF_OK;
    shown.n_columns = TSF_MIN(b->n_columns, last->n_output);
    if (w->slot >= 0)
        return last_keep(&last->slots[w->slot], &shown, err);
    return last->consumer->batch(last->consumer->ctx, &shown, err);
}

static enum tsf_err last_hand_on(struct query_last *last, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; i < last->n_slots; i++) {
        struct query_slot *slot = &last->slots[i];
        for (size_t k = 0; k < slot->n && rc == TSF_OK; k++)
            rc = last->consumer->batch(last->consumer->ctx, &slot->batches[k], err);
        slot->batches = NULL;
        slot->n = slot->cap = 0;
        tsf_arena_reset(&slot->arena);
    }
    return rc;
}

static void last_release(struct query_last *last)
{
    for (int64_t i = 0; i < last->n_slots; i++)
        tsf_arena_release(&last->slots[i].arena);
    free(last->slots);
}

/* ---- tasks -------------------------------------------------------------------------------------------- */

struct task_wave {
    struct query_run *run;
    struct query_tasks *tasks;
    int64_t first;
    bool slots;
};

static enum tsf_err task_run(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    struct task_wave *t = ctx;
    struct query_worker *w;
    int64_t start = t->run->cx->analyze ? tsf_monotonic_ns() : 0;
    enum tsf_err rc;

    if ((rc = tsf_cancel_check(err)) != TSF_OK || (rc = query_worker_get(t->run, worker, &w, err)) != TSF_OK)
        return rc;
    w->slot = t->slots ? task : -1;
    rc = t->tasks->run(t->tasks, t->first + task, w, err);
    w->slot = -1;
    if (start)
        __atomic_add_fetch(&t->run->task_ns, tsf_monotonic_ns() - start, __ATOMIC_RELAXED);
    return rc;
}

static enum tsf_err tasks_in_order(struct query_run *r, struct query_tasks *t, struct tsf_error *err)
{
    struct query_last *last = r->last;
    int64_t wave = r->n_workers, most = (int64_t)r->n_workers * 8;
    enum tsf_err rc = TSF_OK;

    if (!last->slots) {
        if (!(last->slots = calloc((size_t)most, sizeof *last->slots)))
            return tsf_fail_nomem(err);
        last->n_slots = most;
    }
    for (int64_t first = 0; first < t->n && rc == TSF_OK; first += wave, wave = TSF_MIN(wave * 2, most)) {
        struct task_wave w = { r, t, first, true };
        wave = TSF_MIN(wave, t->n - first);
        rc = tsf_parallel_for(r->cx->pool, wave, task_run, &w, err);
        if (rc == TSF_OK || rc == TSF_END) {
            enum tsf_err rc2 = last_hand_on(last, err);
            rc = rc2 != TSF_OK ? rc2 : rc;
        }
    }
    return rc;
}

enum tsf_err query_run_tasks(struct query_run *r, struct query_tasks *t, bool ordered, struct tsf_error *err)
{
    struct task_wave w = { r, t, 0, false };
    enum tsf_err rc;

    if (ordered && t->n > 1 && r->n_workers > 1)
        rc = tasks_in_order(r, t, err);
    else
        rc = tsf_parallel_for(t->n > 1 ? r->cx->pool : NULL, t->n, task_run, &w, err);
    return rc == TSF_END ? TSF_OK : rc;
}

/* ---- streaming operators ---------------------------------------------------------------------------------- */

struct stream_sink {
    struct query_sink sink;
    struct query_sink *next;
    struct query_node *node;
    int64_t seen;   /* limit: rows so far; atomic */
    int64_t ns;     /* count: spent in next; atomic */
};

static enum tsf_err filter_push(struct query_sink *sink, struct query_worker *w, struct tsf_batch *b, struct tsf_error *err)
{
    struct stream_sink *s = (struct stream_sink *)sink;
    uint32_t *sel = tsf_arena_alloc(&w->arena, (size_t)b->length * sizeof *sel + TSF_PAD);
    struct tsf_batch out;
    int64_t n;
    enum tsf_err rc;

    if (!sel)
        return tsf_fail_nomem(err);
    if ((rc = query_eval_filter(&w->ev, s->node->u.filter.predicate, b, sel, &n, err)) != TSF_OK || n == 0)
        return rc;
    if (n == b->length)
        return s->next->push(s->next, w, b, err);
    if ((rc = query_batch_gather(b, sel, n, &w->arena, &out, err)) != TSF_OK)
        return rc;
    return s->next->push(s->next, w, &out, err);
}

static enum tsf_err project_push(struct query_sink *sink, struct query_worker *w, struct tsf_batch *b, struct tsf_error *err)
{
    struct stream_sink *s = (struct stream_sink *)sink;
    struct tsf_batch out;
    enum tsf_err rc = query_eval_columns(w, s->node->u.project.exprs, s->node->n_columns, b, &out, err);

    return rc == TSF_OK ? s->next->push(s->next, w, &out, err) : rc;
}

static enum tsf_err limit_push(struct query_sink *sink, struct query_worker *w, struct tsf_batch *b, struct tsf_error *err)
{
    struct stream_sink *s = (struct stream_sink *)sink;
    int64_t at = __atomic_fetch_add(&s->seen, b->length, __ATOMIC_RELAXED), end = at + b->length;
    int64_t from = s->node->u.limit.offset, to = INT64_MAX;
    struct tsf_batch part = *b;
    enum tsf_err rc;

    if (s->node->u.limit.limit >= 0 && __builtin_add_overflow(from, s->node->u.limit.limit, &to))
        to = INT64_MAX;
    if (at >= to)
        return TSF_END;
    int64_t first = TSF_MAX(from, at), last = TSF_MIN(to, end);
    if (first >= last)
        return end >= to ? TSF_END : TSF_OK;
    if (first != at || last != end) {
        part.length = last - first;
        if (!(part.columns = tsf_arena_calloc(&w->arena, (size_t)b->n_columns + 1, sizeof *part.columns)))
            return tsf_fail_nomem(err);
        for (int i = 0; i < b->n_columns; i++)
            if ((rc = tsf_vector_slice(&b->columns[i], first - at, part.length, &w->arena, &part.columns[i], err)) != TSF_OK)
                return rc;
    }
    rc = s->next->push(s->next, w, &part, err);
    return rc == TSF_OK && end >= to ? TSF_END : rc;
}

static enum tsf_err count_push(struct query_sink *sink, struct query_worker *w, struct tsf_batch *b, struct tsf_error *err)
{
    struct stream_sink *s = (struct stream_sink *)sink;
    int64_t start = tsf_monotonic_ns();
    enum tsf_err rc;

    __atomic_add_fetch(&s->node->counters.rows_out, b->length, __ATOMIC_RELAXED);
    __atomic_add_fetch(&s->node->counters.batches, 1, __ATOMIC_RELAXED);
    rc = s->next->push(s->next, w, b, err);
    __atomic_add_fetch(&s->ns, tsf_monotonic_ns() - start, __ATOMIC_RELAXED);
    return rc;
}

/* ---- sources ------------------------------------------------------------------------------------------------- */

static enum tsf_err run_values(struct query_run *r, struct query_node *n, struct query_sink *sink, struct tsf_error *err)
{
    struct tsf_batch b = { .length = n->u.values.n_rows, .n_columns = n->n_columns };
    struct tsf_builder *builders = calloc((size_t)n->n_columns + 1, sizeof *builders);
    int done = 0;
    enum tsf_err rc = TSF_OK;

    b.columns = tsf_arena_calloc(&r->arena, (size_t)n->n_columns + 1, sizeof *b.columns);
    if (!builders || !b.columns)
        rc = tsf_fail_nomem(err);
    for (; done < n->n_columns && rc == TSF_OK; done++) {
        if ((rc = tsf_builder_init(&builders[done], n->columns[done].type, err)) != TSF_OK)
            break;
        for (int64_t i = 0; i < n->u.values.n_rows && rc == TSF_OK; i++) {
            struct tsf_value v;
            if ((rc = query_eval_const(n->u.values.rows[i][done], r->cx->now_us, &r->arena, &v, err)) == TSF_OK)
                rc = v.is_null ? tsf_builder_null(&builders[done], err) : tsf_builder_value(&builders[done], &v, err);
        }
        if (rc == TSF_OK)
            rc = tsf_builder_vector(&builders[done], &r->arena, &b.columns[done], err);
    }
    if (rc == TSF_OK)
        rc = query_run_emit(r, &b, sink, err);
    for (int i = 0; builders && i < TSF_MIN(done + 1, n->n_columns); i++)
        tsf_builder_release(&builders[i]);
    free(builders);
    return rc;
}

static enum tsf_err run_meta(struct query_run *r, struct query_node *n, struct query_sink *sink, struct tsf_error *err)
{
    struct query_worker *w;
    bool more = true;
    enum tsf_err rc = query_worker_get(r, 0, &w, err);

    while (more && rc == TSF_OK) {
        struct tsf_batch b = { 0 };
        tsf_arena_reset(&w->arena);
        if ((rc = tsf_cancel_check(err)) == TSF_OK && (rc = n->u.meta.produce(n->u.meta.ctx, &w->arena, &b, &more, err)) == TSF_OK &&
            b.length)
            rc = sink->push(sink, w, &b, err);
    }
    return rc == TSF_END ? TSF_OK : rc;
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

static enum tsf_err run_stream(struct query_run *r, struct query_node *n, struct query_sink *sink, struct tsf_error *err)
{
    struct stream_sink s = { .next = sink, .node = n, .sink.ordered = sink->ordered };

    s.sink.push = n->kind == QUERY_NODE_FILTER ? filter_push : n->kind == QUERY_NODE_PROJECT ? project_push : limit_push;
    if (n->kind == QUERY_NODE_LIMIT && n->u.limit.limit == 0)
        return TSF_OK;
    return query_run_node(r, n->input, &s.sink, err);
}

static enum tsf_err run_kind(struct query_run *r, struct query_node *n, struct query_sink *sink, struct tsf_error *err)
{
    switch (n->kind) {
    case QUERY_NODE_SCAN: return query_run_scan(r, n, sink, err);
    case QUERY_NODE_VALUES: return run_values(r, n, sink, err);
    case QUERY_NODE_META: return run_meta(r, n, sink, err);
    case QUERY_NODE_AGGREGATE: return query_run_aggregate(r, n, sink, err);
    case QUERY_NODE_SORT: return query_run_sort(r, n, sink, err);
    default: return run_stream(r, n, sink, err);
    }
}

/* Time spent in a node is what its input spent in its sink, and it alone, less what it spent in the next. */
static enum tsf_err run_counted(struct query_run *r, struct query_node *n, struct query_sink *sink, struct tsf_error *err)
{
    struct stream_sink s = { .sink = { .push = count_push, .ordered = sink->ordered }, .next = sink, .node = n };
    int64_t start = tsf_monotonic_ns(), own;

    r->input_ns = r->input_wall_ns = r->task_ns = 0;
    enum tsf_err rc = run_kind(r, n, &s.sink, err);
    int64_t wall = tsf_monotonic_ns() - start;
    if (n->kind == QUERY_NODE_SCAN)
        own = TSF_MAX(r->task_ns, wall);
    else if (n->kind == QUERY_NODE_FILTER || n->kind == QUERY_NODE_PROJECT || n->kind == QUERY_NODE_LIMIT)
        own = r->input_ns;
    else
        own = r->input_ns + wall - r->input_wall_ns;
    n->counters.ns += TSF_MAX(own - s.ns, 0);
    if (n->input)
        n->counters.rows_in = n->input->counters.rows_out;
    r->input_ns = s.ns;
    r->input_wall_ns = wall;
    return rc;
}

enum tsf_err query_run_node(struct query_run *r, struct query_node *n, struct query_sink *sink, struct tsf_error *err)
{
    return r->cx->analyze ? run_counted(r, n, sink, err) : run_kind(r, n, sink, err);
}

/* ---- whole plans --------------------------------------------------------------------------------------------------- */

static enum tsf_err run_root(struct query_exec_context *cx, struct query_node *root, int n_output, const struct query_consumer *consumer,
                             struct tsf_error *err)
{
    struct query_last last = { .sink = { .push = last_push, .ordered = true }, .consumer = consumer, .n_output = n_output };
    struct query_run r = { .cx = cx, .n_workers = cx->pool ? tsf_pool_threads(cx->pool) : 1, .last = &last };
    enum tsf_err rc;

    if (!(r.workers = calloc((size_t)r.n_workers, sizeof *r.workers)))
        return tsf_fail_nomem(err);
    rc = query_run_node(&r, root, &last.sink, err);
    for (int i = 0; i < r.n_workers; i++) {
        if (r.workers[i].ready)
            query_eval_release(&r.workers[i].ev);
        tsf_arena_release(&r.workers[i].arena);
    }
    free(r.workers);
    last_release(&last);
    tsf_arena_release(&r.arena);
    return rc;
}

enum tsf_err query_exec(struct query_exec_context *cx, const struct query_plan *plan, const struct query_consumer *consumer,
                        struct tsf_error *err)
{
    enum tsf_err rc = query_subqueries_run(cx, plan->root, err);

    return rc == TSF_OK ? run_root(cx, plan->root, plan->n_output, consumer, err) : rc;
}

enum tsf_err query_exec_node(struct query_exec_context *cx, struct query_node *root, const struct query_consumer *consumer,
                             struct tsf_error *err)
{
    return run_root(cx, root, root->n_columns, consumer, err);
}
