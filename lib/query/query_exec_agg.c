/*
 * GROUP BY, DISTINCT and aggregates without groups.
 *
 * Every worker has groups and states of its own; at the end the others are folded into the first that has any.
 * States of a group lie side by side, one stride per group. DISTINCT arguments are collected as pairs of group and value,
 * and fed to the aggregate when all is known.
 */
#include "query/query_exec.h"

#include <stdlib.h>

struct agg_distinct {
    bool used;
    struct query_intern values;
    struct query_pairs pairs; /* group, value; not used without keys */
};

struct agg_worker {
    bool ready;
    struct query_groups groups;
    uint8_t *states;
    uint32_t cap;              /* states */
    struct tsf_arena mem;      /* what states point to */
    struct agg_distinct *distinct;
    int64_t accounted;
};

struct agg_sink {
    struct query_sink sink;
    struct query_run *run;
    struct query_node *node;
    size_t stride, *offsets;
    struct agg_worker *workers;
};

static bool counts_distinct(const struct query_agg_call *c)
{
    return c->distinct && strcmp(c->agg->name, "count") == 0;
}

static enum tsf_err agg_worker_init(struct agg_sink *s, struct agg_worker *a, struct tsf_error *err)
{
    struct query_node *n = s->node;
    int n_aggs = n->u.aggregate.n_aggs;
    enum tsf_err rc;

    if ((rc = query_groups_init(&a->groups, (const struct query_expr *const *)n->u.aggregate.keys, n->u.aggregate.n_keys, err)) != TSF_OK)
        return rc;
    a->ready = true;
    if (!n->u.aggregate.n_keys)
        a->groups.n = 1;
    if (!(a->distinct = calloc((size_t)n_aggs + 1, sizeof *a->distinct)))
        return tsf_fail_nomem(err);
    for (int i = 0; i < n_aggs; i++) {
        const struct query_agg_call *c = &n->u.aggregate.aggs[i];
        if (!c->distinct || c->n_args < 1)
            continue;
        if ((rc = query_intern_init(&a->distinct[i].values, c->args[0]->type, err)) != TSF_OK)
            return rc;
        a->distinct[i].used = true;
    }
    return TSF_OK;
}

static void agg_worker_release(struct agg_sink *s, struct agg_worker *a)
{
    if (!a->ready)
        return;
    for (int i = 0; a->distinct && i < s->node->u.aggregate.n_aggs; i++) {
        if (a->distinct[i].used)
            query_intern_release(&a->distinct[i].values);
        query_pairs_release(&a->distinct[i].pairs);
    }
    free(a->distinct);
    query_groups_release(&a->groups);
    free(a->states);
    tsf_arena_release(&a->mem);
    *a = (struct agg_worker){ 0 };
}

static enum tsf_err states_reserve(struct agg_sink *s, struct agg_worker *a, struct tsf_error *err)
{
    uint64_t cap = a->cap ? a->cap : 64;
    size_t bytes;

    if (a->groups.n <= a->cap || !s->stride)
        return TSF_OK;
    while (cap < a->groups.n)
        cap *= 2;
    if (!tsf_mul_size(cap, s->stride, &bytes))
        return tsf_fail_nomem(err);
    uint8_t *p = query_huge_realloc(a->states, a->cap * s->stride, bytes);
    if (!p)
        return tsf_fail_nomem(err);
    memset(p + a->cap * s->stride, 0, (cap - a->cap) * s->stride);
    a->states = p;
    a->cap = (uint32_t)cap;
    return TSF_OK;
}

static enum tsf_err agg_account(struct agg_sink *s, struct agg_worker *a, struct tsf_error *err)
{
    int64_t now = query_groups_memory(&a->groups) + (int64_t)(a->cap * s->stride + a->mem.used);

    for (int i = 0; i < s->node->u.aggregate.n_aggs; i++)
        if (a->distinct[i].used)
            now += query_intern_memory(&a->distinct[i].values) + (int64_t)(a->distinct[i].pairs.cap * 16);
    int64_t more = now - a->accounted;
    a->accounted = now;
    return more ? query_run_account(s->run, more, err) : TSF_OK;
}

/* Rows of the batch on which FILTER (WHERE ...) is true: a bitmap. */
static enum tsf_err agg_filter(struct query_worker *w, const struct query_expr *e, const struct tsf_batch *b, uint64_t **out,
                               struct tsf_error *err)
{
    struct tsf_vector v;
    enum tsf_err rc;

    uint64_t *words = tsf_arena_calloc(&w->arena, tsf_bit_words(b->length) + 1, sizeof *words);
    if (!words)
        return tsf_fail_nomem(err);
    if ((rc = query_eval(&w->ev, e, b, &v, err)) != TSF_OK || (rc = tsf_vector_flatten(&v, &w->arena, &v, err)) != TSF_OK)
        return rc;
    const uint8_t *x = v.values;
    for (int64_t i = 0; i < b->length && x; i++)
        words[i >> 6] |= (uint64_t)(x[i] & 1) << (i & 63);
    if (v.validity)
        for (size_t i = 0; i < tsf_bit_words(b->length); i++)
            words[i] &= v.validity[i];
    *out = words;
    return TSF_OK;
}

static enum tsf_err distinct_update(struct agg_sink *s, struct agg_worker *a, int i, struct query_worker *w, const struct tsf_vector *arg,
                                    const uint32_t *groups, bool single, const uint64_t *filter, int64_t n, struct tsf_error *err)
{
    struct agg_distinct *d = &a->distinct[i];
    struct tsf_vector part = *arg;
    enum tsf_err rc;
    uint32_t *ids = tsf_arena_alloc(&w->arena, (size_t)n * sizeof *ids + TSF_PAD), *g = NULL;

    if (!ids)
        return tsf_fail_nomem(err);
    if (s->node->u.aggregate.n_keys) {
        if (!(g = tsf_arena_alloc(&w->arena, (size_t)n * sizeof *g + TSF_PAD)))
            return tsf_fail_nomem(err);
        for (int64_t r = 0; r < n; r++)
            g[r] = groups[single ? 0 : r];
    }
    if (filter) {
        uint32_t *sel = tsf_arena_alloc(&w->arena, (size_t)n * sizeof *sel + 4);
        int64_t m = 0;
        if (!sel)
            return tsf_fail_nomem(err);
        for (int64_t r = 0; r < n; r++) {
            sel[m] = (uint32_t)r;
            m += tsf_bit_get(filter, r);
        }
        if ((rc = tsf_vector_gather(arg, sel, m, &w->arena, &part, err)) != TSF_OK)
            return rc;
        for (int64_t r = 0; r < m && g; r++)
            g[r] = g[sel[r]];
        n = m;
    }
    if ((rc = query_intern_vector(&d->values, &part, &w->arena, ids, NULL, err)) != TSF_OK || !g)
        return rc;
    int64_t m = 0;
    for (int64_t r = 0; r < n; r++) {
        uint32_t id = ids[r], group = g[r];
        g[m] = group;
        ids[m] = id;
        m += id != 0;
    }
    return query_pairs_vector(&d->pairs, g, ids, m, ids, err);
}

static enum tsf_err agg_update(struct agg_sink *s, struct agg_worker *a, int i, struct query_worker *w, const struct tsf_batch *b,
                               const uint32_t *groups, bool single, struct tsf_error *err)
{
    const struct query_agg_call *c = &s->node->u.aggregate.aggs[i];
    struct tsf_batch args = { .length = b->length };
    uint64_t *filter = NULL;
    enum tsf_err rc;

    if (c->state_of)
        return TSF_OK;
    if (c->filter && (rc = agg_filter(w, c->filter, b, &filter, err)) != TSF_OK)
        return rc;
    if ((rc = query_eval_columns(w, c->args, c->n_args, b, &args, err)) != TSF_OK)
        return rc;
    if (a->distinct[i].used)
        return distinct_update(s, a, i, w, &args.columns[0], groups, single, filter, b->length, err);
    uint8_t *states = a->states + s->offsets[i];
    if (single)
        states += (size_t)groups[0] * s->stride;
    return c->agg->update(c, &a->mem, states, s->stride, single ? NULL : groups, args.columns, b->length, filter, err);
}

static enum tsf_err agg_push(struct query_sink *sink, struct query_worker *w, struct tsf_batch *b, struct tsf_error *err)
{
    struct agg_sink *s = (struct agg_sink *)sink;
    struct agg_worker *a = &s->workers[w->index];
    struct query_node *n = s->node;
    struct tsf_batch keys;
    uint32_t zero = 0, *groups = &zero;
    bool single = true;
    enum tsf_err rc;

    if (!b->length)
        return TSF_OK;
    if (!a->ready && (rc = agg_worker_init(s, a, err)) != TSF_OK)
        return rc;
    if (n->u.aggregate.n_keys) {
        if (!(groups = tsf_arena_alloc(&w->arena, (size_t)b->length * sizeof *groups + TSF_PAD)))
            return tsf_fail_nomem(err);
        if ((rc = query_eval_columns(w, n->u.aggregate.keys, n->u.aggregate.n_keys, b, &keys, err)) != TSF_OK ||
            (rc = query_groups_batch(&a->groups, keys.columns, b->length, &w->arena, groups, &single, err)) != TSF_OK)
            return rc;
    }
    if ((rc = states_reserve(s, a, err)) != TSF_OK)
        return rc;
    for (int i = 0; i < n->u.aggregate.n_aggs; i++)
        if ((rc = agg_update(s, a, i, w, b, groups, single, err)) != TSF_OK)
            return rc;
    return agg_account(s, a, err);
}

/* ---- the end ------------------------------------------------------------------------------------------ */

static enum tsf_err distinct_merge(struct agg_distinct *d, const struct agg_distinct *from, const uint32_t *map, bool keys,
                                   struct tsf_arena *scratch, struct tsf_error *err)
{
    enum tsf_err rc;
    uint32_t n = from->pairs.n;
    uint32_t *values = tsf_arena_alloc(scratch, from->values.n * sizeof *values);
    uint32_t *g = tsf_arena_alloc(scratch, n * sizeof *g + 4), *v = tsf_arena_alloc(scratch, n * sizeof *v + 4);

    if (!values || !g || !v)
        return tsf_fail_nomem(err);
    if ((rc = query_intern_merge(&d->values, &from->values, values, err)) != TSF_OK || !keys)
        return rc;
    for (uint32_t i = 0; i < n; i++) {
        g[i] = map[from->pairs.keys[i] >> 32];
        v[i] = values[(uint32_t)from->pairs.keys[i]];
    }
    return query_pairs_vector(&d->pairs, g, v, n, g, err);
}

/* Fold `from` into `to`. Its memory stays: states of `to` may point into it. */
static enum tsf_err agg_merge(struct agg_sink *s, struct agg_worker *to, struct agg_worker *from, struct tsf_arena *scratch,
                              struct tsf_error *err)
{
    struct query_node *n = s->node;
    enum tsf_err rc;
    uint32_t *map = tsf_arena_alloc(scratch, ((size_t)from->groups.n + 1) * sizeof *map);

    if (!map)
        return tsf_fail_nomem(err);
    map[0] = 0;
    if (n->u.aggregate.n_keys && (rc = query_groups_merge(&to->groups, &from->groups, map, scratch, err)) != TSF_OK)
        return rc;
    if ((rc = states_reserve(s, to, err)) != TSF_OK)
        return rc;
    for (int i = 0; i < n->u.aggregate.n_aggs; i++) {
        const struct query_agg_call *c = &n->u.aggregate.aggs[i];
        if (c->state_of)
            continue;
        if (to->distinct[i].used)
            rc = distinct_merge(&to->distinct[i], &from->distinct[i], map, n->u.aggregate.n_keys > 0, scratch, err);
        else
            rc = c->agg->combine(c, &to->mem, to->states + s->offsets[i], from->states + s->offsets[i], s->stride, map,
                                 from->groups.n, err);
        if (rc != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

/* Of every group. */
static enum tsf_err distinct_counts(struct agg_sink *s, struct agg_worker *a, int i, int64_t **out, struct tsf_error *err)
{
    struct agg_distinct *d = &a->distinct[i];
    int64_t *counts = tsf_arena_calloc(&s->run->arena, (size_t)a->groups.n + 1, sizeof *counts);

    if (!counts)
        return tsf_fail_nomem(err);
    if (!s->node->u.aggregate.n_keys)
        counts[0] = d->values.n - 1;
    for (uint32_t p = 0; p < d->pairs.n; p++)
        counts[d->pairs.keys[p] >> 32]++;
    *out = counts;
    return TSF_OK;
}

/* Feed the collected pairs to the aggregate, once each. */
static enum tsf_err distinct_feed(struct agg_sink *s, struct agg_worker *a, int i, struct query_worker *w, struct tsf_error *err)
{
    const struct query_agg_call *c = &s->node->u.aggregate.aggs[i];
    struct agg_distinct *d = &a->distinct[i];
    bool keys = s->node->u.aggregate.n_keys > 0;
    uint32_t n = keys ? d->pairs.n : d->values.n - 1;
    uint32_t *groups = tsf_arena_calloc(&w->arena, (size_t)n + 1, sizeof *groups), *ids = tsf_arena_alloc(&w->arena, (size_t)n * 4 + 4);
    struct tsf_vector *args = tsf_arena_calloc(&w->arena, (size_t)c->n_args + 1, sizeof *args);
    enum tsf_err rc;

    if (!groups || !ids || !args)
        return tsf_fail_nomem(err);
    for (uint32_t p = 0; p < n; p++) {
        groups[p] = keys ? (uint32_t)(d->pairs.keys[p] >> 32) : 0;
        ids[p] = keys ? (uint32_t)d->pairs.keys[p] : p + 1;
    }
    if ((rc = query_intern_values(&d->values, ids, n, &w->arena, &args[0], err)) != TSF_OK)
        return rc;
    struct tsf_batch none = { .length = n };
    for (int k = 1; k < c->n_args; k++)
        if ((rc = query_eval(&w->ev, c->args[k], &none, &args[k], err)) != TSF_OK)
            return rc;
    return c->agg->update(c, &a->mem, a->states + s->offsets[i], s->stride, groups, args, n, NULL, err);
}

/* What has to happen once before groups can be emitted: counts[i] for count(DISTINCT), NULL else. */
static enum tsf_err agg_distincts(struct agg_sink *s, struct agg_worker *a, struct query_worker *w, int64_t **counts, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (int i = 0; i < s->node->u.aggregate.n_aggs && rc == TSF_OK; i++)
        if (a->distinct[i].used)
            rc = counts_distinct(&s->node->u.aggregate.aggs[i]) ? distinct_counts(s, a, i, &counts[i], err)
                                                                : distinct_feed(s, a, i, w, err);
    return rc;
}

/* Groups [first, first + n) as a batch. */
static enum tsf_err agg_finish(struct agg_sink *s, struct agg_worker *a, int64_t *const *counts, uint32_t first, uint32_t n,
                               struct tsf_arena *arena, struct tsf_batch *out, struct tsf_error *err)
{
    struct query_node *node = s->node;
    int n_keys = node->u.aggregate.n_keys, n_aggs = node->u.aggregate.n_aggs;
    enum tsf_err rc;

    *out = (struct tsf_batch){ .length = n, .n_columns = n_keys + n_aggs };
    if (!(out->columns = tsf_arena_calloc(arena, (size_t)out->n_columns + 1, sizeof *out->columns)))
        return tsf_fail_nomem(err);
    if (n_keys && (rc = query_groups_keys(&a->groups, first, n, arena, out->columns, err)) != TSF_OK)
        return rc;
    for (int i = 0; i < n_aggs; i++) {
        const struct query_agg_call *c = &node->u.aggregate.aggs[i];
        struct tsf_vector *v = &out->columns[n_keys + i];
        void *values;
        if (!counts[i])
            rc = c->agg->finish(c, a->states + s->offsets[i] + first * s->stride, s->stride, n, arena, v, err);
        else if ((rc = tsf_vector_alloc(TSF_T(INT64), n, arena, v, &values, err)) == TSF_OK)
            memcpy(values, counts[i] + first, n * sizeof **counts);
        if (rc != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static enum tsf_err agg_emit(struct agg_sink *s, struct query_sink *next, struct tsf_error *err)
{
    struct agg_worker *to = NULL;
    struct query_worker *w;
    struct tsf_batch out;
    int64_t **counts = tsf_arena_calloc(&s->run->arena, (size_t)s->node->u.aggregate.n_aggs + 1, sizeof *counts);
    enum tsf_err rc;

    if (!counts)
        return tsf_fail_nomem(err);

    if ((rc = query_worker_get(s->run, 0, &w, err)) != TSF_OK)
        return rc;
    tsf_arena_reset(&w->arena);
    for (int i = 0; i < s->run->n_workers; i++) {
        struct agg_worker *a = &s->workers[i];
        if (!a->ready)
            continue;
        if (!to)
            to = a;
        else if ((rc = agg_merge(s, to, a, &w->arena, err)) != TSF_OK)
            return rc;
    }
    if (!to) {
        if (s->node->u.aggregate.n_keys)
            return TSF_OK;
        to = &s->workers[0];
        if ((rc = agg_worker_init(s, to, err)) != TSF_OK || (rc = states_reserve(s, to, err)) != TSF_OK)
            return rc;
    }
    rc = agg_distincts(s, to, w, counts, err);
    for (uint32_t first = query_groups_first(&to->groups), n; rc == TSF_OK && first < to->groups.n; first += n) {
        n = TSF_MIN(to->groups.n - first, QUERY_EMIT_ROWS);
        tsf_arena_reset(&w->arena);
        if ((rc = tsf_cancel_check(err)) == TSF_OK && (rc = agg_finish(s, to, counts, first, n, &w->arena, &out, err)) == TSF_OK)
            rc = next->push(next, w, &out, err);
    }
    return rc == TSF_END ? TSF_OK : rc;
}

/* count(*), min(timestamp) ...: no row is read when the snapshot's statistics know. */
static enum tsf_err agg_from_statistics(struct query_run *r, struct query_node *n, struct query_sink *next, bool *done_out,
                                        struct tsf_error *err)
{
    int n_aggs = n->u.aggregate.n_aggs;
    struct tsf_value *values = tsf_arena_calloc(&r->arena, (size_t)n_aggs + 1, sizeof *values);
    struct tsf_batch b = { .length = 1, .n_columns = n_aggs };
    enum tsf_err rc;

    b.columns = tsf_arena_calloc(&r->arena, (size_t)n_aggs + 1, sizeof *b.columns);
    if (!values || !b.columns)
        return tsf_fail_nomem(err);
    if ((rc = query_scan_meta(r, n, done_out, values, &r->arena, err)) != TSF_OK || !*done_out)
        return rc;
    for (int i = 0; i < n_aggs; i++)
        if ((rc = tsf_vector_constant(&values[i], 1, &r->arena, &b.columns[i], err)) != TSF_OK)
            return rc;
    return query_run_emit(r, &b, next, err);
}

enum tsf_err query_run_aggregate(struct query_run *r, struct query_node *n, struct query_sink *next, struct tsf_error *err)
{
    struct agg_sink s = { .sink.push = agg_push, .run = r, .node = n };
    int n_aggs = n->u.aggregate.n_aggs;
    bool done = false;
    enum tsf_err rc;

    if (n->u.aggregate.from_statistics && n->input->kind == QUERY_NODE_SCAN && !n->u.aggregate.n_keys &&
        ((rc = agg_from_statistics(r, n, next, &done, err)) != TSF_OK || done))
        return rc;
    s.offsets = tsf_arena_calloc(&r->arena, (size_t)n_aggs + 1, sizeof *s.offsets);
    s.workers = calloc((size_t)r->n_workers, sizeof *s.workers);
    if (!s.offsets || !s.workers) {
        free(s.workers);
        return tsf_fail_nomem(err);
    }
    for (int i = 0; i < n_aggs; i++) {
        int owner = n->u.aggregate.aggs[i].state_of - 1;
        s.offsets[i] = owner >= 0 ? s.offsets[owner] : s.stride;
        if (owner < 0 && !counts_distinct(&n->u.aggregate.aggs[i]))
            s.stride += n->u.aggregate.aggs[i].agg->state_size;
    }
    if ((rc = query_run_node(r, n->input, &s.sink, err)) == TSF_OK)
        rc = agg_emit(&s, next, err);
    int64_t held = 0;
    for (int i = 0; i < r->n_workers; i++) {
        held += s.workers[i].accounted;
        agg_worker_release(&s, &s.workers[i]);
    }
    free(s.workers);
    query_run_account(r, -held, NULL);
    return rc;
}
