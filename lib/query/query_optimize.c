/*
 * Bound plan -> plan to run. The order matters: filters first (they simplify what they meet), then limits (which move
 * sorts below projections), then columns (which removes what the others made idle), then the subqueries of what is left.
 */
#include "query/query_optimize.h"

static struct query_node *optimize(struct query_optimizer *o, struct query_node *root, int n_output);
static void share_states(struct query_node *n);

bool query_optimize_subqueries(struct query_optimizer *o, struct query_expr *e)
{
    for (int i = 0; i < e->n_args; i++)
        if (!query_optimize_subqueries(o, e->args[i]))
            return false;
    if (!e->subquery)
        return true;
    for (struct query_done *d = o->done; d; d = d->next)
        if (d->from == e->subquery || d->to == e->subquery) {
            e->subquery = d->to;
            return true;
        }
    struct query_done *d = tsf_arena_calloc(o->a, 1, sizeof *d);
    struct query_node *to = d ? optimize(o, e->subquery, e->subquery->n_columns) : query_optimize_nomem(o);
    if (!to)
        return false;
    *d = (struct query_done){ o->done, e->subquery, to };
    o->done = d;
    e->subquery = to;
    return true;
}

static bool list(struct query_optimizer *o, struct query_expr **e, int n)
{
    for (int i = 0; i < n; i++)
        if (!query_optimize_subqueries(o, e[i]))
            return false;
    return true;
}

static bool subqueries(struct query_optimizer *o, struct query_node *n)
{
    for (; n; n = n->input) {
        bool ok = true;
        switch (n->kind) {
        case QUERY_NODE_SCAN: ok = list(o, n->u.scan.conjuncts, n->u.scan.n_conjuncts); break;
        case QUERY_NODE_FILTER: ok = list(o, &n->u.filter.predicate, 1); break;
        case QUERY_NODE_PROJECT: ok = list(o, n->u.project.exprs, n->n_columns); break;
        case QUERY_NODE_VALUES:
            for (int64_t i = 0; ok && i < n->u.values.n_rows; i++)
                ok = list(o, n->u.values.rows[i], n->n_columns);
            break;
        case QUERY_NODE_AGGREGATE:
            share_states(n);
            ok = list(o, n->u.aggregate.keys, n->u.aggregate.n_keys);
            for (int i = 0; ok && i < n->u.aggregate.n_aggs; i++)
                ok = list(o, n->u.aggregate.aggs[i].args, n->u.aggregate.aggs[i].n_args) &&
                     (!n->u.aggregate.aggs[i].filter || list(o, &n->u.aggregate.aggs[i].filter, 1));
            break;
        case QUERY_NODE_SORT:
            for (int i = 0; ok && i < n->u.sort.n_keys; i++)
                ok = list(o, &n->u.sort.keys[i].expr, 1);
            break;
        default: break;
        }
        if (!ok)
            return false;
    }
    return true;
}

/*
 * Aggregates that keep all values and differ in what they pick at the end (the fraction, the direction) need one state. The
 * owner stands before those that share with it.
 */
static void share_states(struct query_node *n)
{
    static const char *const pickers[] = { "percentile_cont", "percentile_disc", "approx_percentile" };
    for (int i = 1; i < n->u.aggregate.n_aggs; i++) {
        struct query_agg_call *a = &n->u.aggregate.aggs[i];
        bool picks = false;
        for (size_t k = 0; k < TSF_ARRAY_LEN(pickers); k++)
            picks |= strcmp(a->agg->name, pickers[k]) == 0;
        if (!picks || a->distinct || a->n_args != 2 || a->args[1]->kind != QUERY_CONST)
            continue;
        for (int k = 0; k < i && !a->state_of; k++) {
            const struct query_agg_call *b = &n->u.aggregate.aggs[k];
            if (b->agg == a->agg && !b->state_of && !b->distinct && b->n_args == 2 && b->args[1]->kind == QUERY_CONST &&
                query_expr_equal(a->args[0], b->args[0]) && !a->filter == !b->filter &&
                (!a->filter || query_expr_equal(a->filter, b->filter)))
                a->state_of = k + 1;
        }
    }
}

static struct query_node *optimize(struct query_optimizer *o, struct query_node *root, int n_output)
{
    if (!(root = query_push_filters(o, root)) || !(root = query_push_limits(o, root)))
        return NULL;
    bool *need = tsf_arena_calloc(o->a, (size_t)root->n_columns + 1, sizeof *need);
    int *map = tsf_arena_calloc(o->a, (size_t)root->n_columns + 1, sizeof *map);
    if (!need || !map)
        return query_optimize_nomem(o);
    for (int i = 0; i < n_output; i++)
        need[i] = true;
    if (!(root = query_prune(o, root, need, map)))
        return NULL;
    return subqueries(o, root) ? root : NULL;
}

enum tsf_err query_optimize(struct query_session *s, struct query_plan *plan, struct tsf_arena *a, struct tsf_error *err)
{
    struct query_optimizer o = { .s = s, .a = a, .err = err, .next_id = plan->n_exprs, .now_us = plan->now_us };
    struct query_node *root = optimize(&o, plan->root, plan->n_output);
    if (!root)
        return o.rc == TSF_OK ? tsf_fail_nomem(err) : o.rc;
    plan->root = root;
    plan->n_exprs = o.next_id;
    return TSF_OK;
}
