/*
 * ORDER BY. Every worker keeps its rows in builders, keys that are no columns behind them; one permutation at the end.
 *
 * With a limit, a worker that has gathered a few times as many rows as wanted sorts them and drops the rest. What it
 * keeps bounds what is worth keeping: rows whose first key lies behind the bound are dropped at the door.
 */
#include "query/query_exec.h"

#include <stdlib.h>

#define TOP_ROOM 8192 /* rows gathered beyond the limit before they are sorted */

struct sort_worker {
    struct tsf_builder *columns; /* NULL: no rows yet */
    int64_t rows, accounted;
    bool bounded;
    uint64_t bound;              /* prefix of the last row worth keeping */
};

struct sort_sink {
    struct query_sink sink;
    struct query_run *run;
    struct query_node *node;
    int n_columns;               /* of the input, then computed keys */
    const struct query_column *input;
    struct tsf_sort_key *keys;
    struct query_expr **computed;
    int n_computed;
    int64_t keep;                /* -1: all */
    struct sort_worker *workers;
};

static enum tsf_err sort_worker_init(struct sort_sink *s, struct sort_worker *t, struct tsf_error *err)
{
    enum tsf_err rc;

    t->columns = calloc((size_t)s->n_columns + 1, sizeof *t->columns);
    if (!t->columns)
        return tsf_fail_nomem(err);
    for (int i = 0; i < s->n_columns; i++) {
        int first = s->n_columns - s->n_computed;
        if ((rc = tsf_builder_init(&t->columns[i], i < first ? s->input[i].type : s->computed[i - first]->type, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static void sort_columns_free(struct sort_sink *s, struct tsf_builder *columns)
{
    for (int i = 0; columns && i < s->n_columns; i++)
        tsf_builder_release(&columns[i]);
    free(columns);
}

static enum tsf_err sort_view(struct sort_sink *s, struct sort_worker *t, struct tsf_arena *a, struct tsf_batch *out, struct tsf_error *err)
{
    enum tsf_err rc;

    *out = (struct tsf_batch){ .length = t->rows, .n_columns = s->n_columns };
    if (!(out->columns = tsf_arena_calloc(a, (size_t)s->n_columns + 1, sizeof *out->columns)))
        return tsf_fail_nomem(err);
    for (int i = 0; i < s->n_columns; i++)
        if ((rc = tsf_builder_vector(&t->columns[i], a, &out->columns[i], err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

static enum tsf_err sort_append(struct sort_sink *s, struct sort_worker *t, const struct tsf_batch *b, const uint32_t *sel, int64_t n,
                                struct tsf_error *err)
{
    enum tsf_err rc;

    for (int i = 0; i < s->n_columns; i++)
        if ((rc = tsf_builder_append(&t->columns[i], &b->columns[i], 0, sel, n, err)) != TSF_OK)
            return rc;
    t->rows += n;
    return TSF_OK;
}

static int64_t builder_memory(const struct tsf_builder *b)
{
    int64_t n = b->cap * tsf_type_width(b->type) + (int64_t)b->bytes.used;

    for (int i = 0; b->children && i < b->type->n_children; i++)
        n += builder_memory(&b->children[i]);
    return n;
}

static enum tsf_err sort_account(struct sort_sink *s, struct sort_worker *t, struct tsf_error *err)
{
    int64_t now = 0;

    for (int i = 0; i < s->n_columns; i++)
        now += builder_memory(&t->columns[i]);
    int64_t more = now - t->accounted;
    t->accounted = now;
    return more ? query_run_account(s->run, more, err) : TSF_OK;
}

/* Sort what is there and keep the first rows only. */
static enum tsf_err sort_trim(struct sort_sink *s, struct sort_worker *t, struct tsf_error *err)
{
    struct tsf_arena scratch = TSF_ARENA_INIT;
    struct tsf_builder *old = t->columns;
    struct tsf_batch all;
    uint32_t *perm;
    uint64_t *prefix;
    enum tsf_err rc;

    if ((rc = sort_view(s, t, &scratch, &all, err)) != TSF_OK ||
        (rc = tsf_sort(&all, s->keys, s->node->u.sort.n_keys, NULL, &scratch, &perm, err)) != TSF_OK)
        goto done;
    if (!(prefix = tsf_arena_alloc(&scratch, (size_t)all.length * sizeof *prefix + TSF_PAD))) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    if ((rc = tsf_sort_prefix(&all.columns[s->keys[0].column], &s->keys[0], prefix, err)) != TSF_OK)
        goto done;
    t->bound = prefix[perm[s->keep - 1]];
    t->bounded = true;
    t->columns = NULL;
    t->rows = 0;
    if ((rc = sort_worker_init(s, t, err)) == TSF_OK)
        rc = sort_append(s, t, &all, perm, s->keep, err);
    sort_columns_free(s, old);
done:
    tsf_arena_release(&scratch);
    return rc;
}

/* Rows that may still be among the first. */
static enum tsf_err sort_bound(struct sort_sink *s, struct sort_worker *t, struct query_worker *w, const struct tsf_batch *b,
                               uint32_t **sel_out, int64_t *n_out, struct tsf_error *err)
{
    uint64_t *prefix = tsf_arena_alloc(&w->arena, (size_t)b->length * sizeof *prefix + TSF_PAD);
    uint32_t *sel = tsf_arena_alloc(&w->arena, (size_t)b->length * sizeof *sel + TSF_PAD);
    enum tsf_err rc;
    int64_t n = 0;

    if (!prefix || !sel)
        return tsf_fail_nomem(err);
    if ((rc = tsf_sort_prefix(&b->columns[s->keys[0].column], &s->keys[0], prefix, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < b->length; i++) {
        sel[n] = (uint32_t)i;
        n += prefix[i] <= t->bound;
    }
    *sel_out = sel;
    *n_out = n;
    return TSF_OK;
}

static enum tsf_err sort_push(struct query_sink *sink, struct query_worker *w, struct tsf_batch *b, struct tsf_error *err)
{
    struct sort_sink *s = (struct sort_sink *)sink;
    struct sort_worker *t = &s->workers[w->index];
    struct tsf_batch all = *b;
    uint32_t *sel = NULL;
    int64_t n = b->length;
    enum tsf_err rc;

    if (!n || !s->keep)
        return n ? TSF_END : TSF_OK;
    if (!t->columns && (rc = sort_worker_init(s, t, err)) != TSF_OK)
        return rc;
    if (s->n_computed) {
        struct tsf_batch keys;
        int first = s->n_columns - s->n_computed;
        if ((rc = query_eval_columns(w, s->computed, s->n_computed, b, &keys, err)) != TSF_OK)
            return rc;
        if (!(all.columns = tsf_arena_calloc(&w->arena, (size_t)s->n_columns, sizeof *all.columns)))
            return tsf_fail_nomem(err);
        memcpy(all.columns, b->columns, (size_t)first * sizeof *all.columns);
        memcpy(all.columns + first, keys.columns, (size_t)s->n_computed * sizeof *all.columns);
        all.n_columns = s->n_columns;
    }
    if (t->bounded && (rc = sort_bound(s, t, w, &all, &sel, &n, err)) != TSF_OK)
        return rc;
    if (!n)
        return TSF_OK;
    if ((rc = sort_append(s, t, &all, sel, n, err)) != TSF_OK)
        return rc;
    if (s->keep > 0 && t->rows >= s->keep * 2 + TOP_ROOM && (rc = sort_trim(s, t, err)) != TSF_OK)
        return rc;
    return sort_account(s, t, err);
}

static enum tsf_err sort_emit(struct sort_sink *s, struct query_sink *next, struct tsf_error *err)
{
    struct query_run *r = s->run;
    struct sort_worker *to = NULL;
    struct query_worker *w;
    struct tsf_batch all, out;
    uint32_t *perm;
    enum tsf_err rc;

    if ((rc = query_worker_get(r, 0, &w, err)) != TSF_OK)
        return rc;
    tsf_arena_reset(&w->arena);
    for (int i = 0; i < r->n_workers; i++) {
        struct sort_worker *t = &s->workers[i];
        if (!t->columns)
            continue;
        if (!to) {
            to = t;
            continue;
        }
        if ((rc = sort_view(s, t, &w->arena, &all, err)) != TSF_OK || (rc = sort_append(s, to, &all, NULL, all.length, err)) != TSF_OK)
            return rc;
        sort_columns_free(s, t->columns);
        t->columns = NULL;
    }
    if (!to)
        return TSF_OK;
    if ((rc = sort_account(s, to, err)) != TSF_OK || (rc = sort_view(s, to, &r->arena, &all, err)) != TSF_OK ||
        (rc = tsf_sort(&all, s->keys, s->node->u.sort.n_keys, r->cx->pool, &r->arena, &perm, err)) != TSF_OK)
        return rc;
    all.n_columns -= s->n_computed;
    int64_t first = TSF_MIN(s->node->u.sort.offset, all.length), last = s->keep < 0 ? all.length : TSF_MIN(s->keep, all.length);
    while (first < last) {
        int64_t n = TSF_MIN(last - first, QUERY_EMIT_ROWS);
        tsf_arena_reset(&w->arena);
        if ((rc = query_batch_gather(&all, perm + first, n, &w->arena, &out, err)) != TSF_OK ||
            (rc = next->push(next, w, &out, err)) != TSF_OK)
            return rc == TSF_END ? TSF_OK : rc;
        first += n;
    }
    return TSF_OK;
}

static enum tsf_err sort_keys(struct sort_sink *s, struct tsf_error *err)
{
    struct query_node *n = s->node;
    int n_keys = n->u.sort.n_keys, n_input = n->input->n_columns;
    struct tsf_arena *a = &s->run->arena;

    s->keys = tsf_arena_calloc(a, (size_t)n_keys + 1, sizeof *s->keys);
    s->computed = tsf_arena_calloc(a, (size_t)n_keys + 1, sizeof *s->computed);
    s->workers = tsf_arena_calloc(a, (size_t)s->run->n_workers, sizeof *s->workers);
    if (!s->keys || !s->computed || !s->workers)
        return tsf_fail_nomem(err);
    for (int k = 0; k < n_keys; k++) {
        const struct query_sort_key *key = &n->u.sort.keys[k];
        int column = key->expr->kind == QUERY_COLUMN ? key->expr->column : n_input + s->n_computed;
        if (column >= n_input)
            s->computed[s->n_computed++] = key->expr;
        s->keys[k] = (struct tsf_sort_key){ column, key->descending, key->nulls_first };
    }
    s->input = n->input->columns;
    s->n_columns = n_input + s->n_computed;
    s->keep = -1;
    int64_t end;
    if (n->u.sort.limit >= 0 && !__builtin_add_overflow(n->u.sort.limit, n->u.sort.offset, &end))
        s->keep = end;
    return TSF_OK;
}

enum tsf_err query_run_sort(struct query_run *r, struct query_node *n, struct query_sink *next, struct tsf_error *err)
{
    struct sort_sink s = { .sink.push = sort_push, .run = r, .node = n };
    int64_t held = 0;
    enum tsf_err rc;

    if ((rc = sort_keys(&s, err)) == TSF_OK && (rc = query_run_node(r, n->input, &s.sink, err)) == TSF_OK)
        rc = sort_emit(&s, next, err);
    for (int i = 0; s.workers && i < r->n_workers; i++) {
        held += s.workers[i].accounted;
        sort_columns_free(&s, s.workers[i].columns);
    }
    query_run_account(r, -held, NULL);
    return rc;
}
