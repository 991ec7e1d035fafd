/*
 * Column pruning: every node keeps the columns that somebody above reads. Columns keep their order, so the leading ones
 * that the user sees stay leading. map_out[old column] = new column, -1 when gone.
 */
#include "query/query_optimize.h"

static void *alloc(struct query_optimizer *o, size_t n, size_t size)
{
    void *p = tsf_arena_calloc(o->a, n ? n : 1, size);
    return p ? p : query_optimize_nomem(o);
}

static struct query_expr *remap(struct query_optimizer *o, const struct query_expr *e, const int *map)
{
    struct query_expr *c = query_expr_copy(e, map, &o->next_id, o->a);
    return c ? c : query_optimize_nomem(o);
}

/* New numbers of the columns to keep; returns how many. */
static int number(const bool *keep, int n, int *map)
{
    int k = 0;
    for (int i = 0; i < n; i++)
        map[i] = keep[i] ? k++ : -1;
    return k;
}

static bool compact_columns(struct query_optimizer *o, struct query_node *n, const int *map, int n_new)
{
    struct query_column *columns = alloc(o, (size_t)n_new, sizeof *columns);
    if (!columns)
        return false;
    for (int i = 0; i < n->n_columns; i++)
        if (map[i] >= 0)
            columns[map[i]] = n->columns[i];
    n->columns = columns;
    n->n_columns = n_new;
    return true;
}

static struct query_node *prune_scan(struct query_optimizer *o, struct query_node *n, const bool *need, int *map)
{
    int old = n->n_columns;
    bool *keep = alloc(o, (size_t)old, sizeof *keep);
    if (!keep)
        return NULL;
    memcpy(keep, need, (size_t)old * sizeof *keep);
    for (int i = 0; i < n->u.scan.n_conjuncts; i++)
        query_expr_columns(n->u.scan.conjuncts[i], keep);
    if (n->u.scan.order_column >= 0)
        keep[n->u.scan.order_column] = true;
    int n_new = number(keep, old, map);
    int *fields = alloc(o, (size_t)n_new, sizeof *fields);
    bool *filter_only = alloc(o, (size_t)n_new, sizeof *filter_only);
    if (!fields || !filter_only || !compact_columns(o, n, map, n_new))
        return NULL;
    for (int i = 0; i < old; i++)
        if (map[i] >= 0)
            fields[map[i]] = n->u.scan.fields[i], filter_only[map[i]] = !need[i];
    n->u.scan.fields = fields;
    n->u.scan.filter_only = filter_only;
    for (int i = 0; i < n->u.scan.n_conjuncts; i++)
        if (!(n->u.scan.conjuncts[i] = remap(o, n->u.scan.conjuncts[i], map)))
            return NULL;
    if (n->u.scan.order_column >= 0)
        n->u.scan.order_column = map[n->u.scan.order_column];
    return n;
}

static struct query_node *prune_values(struct query_optimizer *o, struct query_node *n, const bool *need, int *map)
{
    int old = n->n_columns, n_new = number(need, old, map);
    struct query_expr ***rows = alloc(o, (size_t)n->u.values.n_rows, sizeof *rows);
    if (!rows)
        return NULL;
    for (int64_t i = 0; i < n->u.values.n_rows; i++) {
        if (!(rows[i] = alloc(o, (size_t)n_new, sizeof **rows)))
            return NULL;
        for (int k = 0; k < old; k++)
            if (map[k] >= 0)
                rows[i][map[k]] = n->u.values.rows[i][k];
    }
    n->u.values.rows = rows;
    return compact_columns(o, n, map, n_new) ? n : NULL;
}

static struct query_node *prune_project(struct query_optimizer *o, struct query_node *n, const bool *need, int *map)
{
    int old = n->n_columns, n_new = number(need, old, map), n_in = n->input->n_columns;
    bool *below = alloc(o, (size_t)n_in, sizeof *below);
    int *in = alloc(o, (size_t)n_in, sizeof *in);
    struct query_expr **exprs = alloc(o, (size_t)n_new, sizeof *exprs);
    if (!below || !in || !exprs)
        return NULL;
    for (int i = 0; i < old; i++)
        if (need[i])
            query_expr_columns(n->u.project.exprs[i], below);
    if (!(n->input = query_prune(o, n->input, below, in)))
        return NULL;
    bool same = n_new <= n->input->n_columns;
    for (int i = 0; i < old; i++) {
        if (!need[i])
            continue;
        struct query_expr *e = exprs[map[i]] = remap(o, n->u.project.exprs[i], in);
        if (!e)
            return NULL;
        same &= e->kind == QUERY_COLUMN && e->column == map[i];
    }
    if (same)
        return n->input; /* it would only pass on what leads there already; names are the session's */
    n->u.project.exprs = exprs;
    return compact_columns(o, n, map, n_new) ? n : NULL;
}

static struct query_node *prune_aggregate(struct query_optimizer *o, struct query_node *n, const bool *need, int *map)
{
    int old = n->n_columns, n_keys = n->u.aggregate.n_keys, n_in = n->input->n_columns, n_aggs = 0;
    bool *keep = alloc(o, (size_t)old, sizeof *keep), *below = alloc(o, (size_t)n_in, sizeof *below);
    int *in = alloc(o, (size_t)n_in, sizeof *in);
    if (!keep || !below || !in)
        return NULL;
    for (int i = 0; i < old; i++)
        keep[i] = i < n_keys || need[i];
    if (n_keys == 0 && old > 0 && number(keep, old, map) == 0)
        keep[0] = true; /* one row comes even if nobody looks at it */
    int n_new = number(keep, old, map);
    for (int i = 0; i < n_keys; i++)
        query_expr_columns(n->u.aggregate.keys[i], below);
    struct query_agg_call *aggs = alloc(o, (size_t)n->u.aggregate.n_aggs, sizeof *aggs);
    if (!aggs)
        return NULL;
    for (int i = 0; i < n->u.aggregate.n_aggs; i++) {
        if (!keep[n_keys + i])
            continue;
        struct query_agg_call *a = &aggs[n_aggs++];
        *a = n->u.aggregate.aggs[i];
        for (int k = 0; k < a->n_args; k++)
            query_expr_columns(a->args[k], below);
        if (a->filter)
            query_expr_columns(a->filter, below);
    }
    if (!(n->input = query_prune(o, n->input, below, in)))
        return NULL;
    for (int i = 0; i < n_keys; i++)
        if (!(n->u.aggregate.keys[i] = remap(o, n->u.aggregate.keys[i], in)))
            return NULL;
    for (int i = 0; i < n_aggs; i++) {
        for (int k = 0; k < aggs[i].n_args; k++)
            if (!(aggs[i].args[k] = remap(o, aggs[i].args[k], in)))
                return NULL;
        if (aggs[i].filter && !(aggs[i].filter = remap(o, aggs[i].filter, in)))
            return NULL;
    }
    n->u.aggregate.aggs = aggs;
    n->u.aggregate.n_aggs = n_aggs;
    return compact_columns(o, n, map, n_new) ? n : NULL;
}

/* FILTER, SORT, LIMIT: columns of the input as they are. */
static struct query_node *prune_through(struct query_optimizer *o, struct query_node *n, const bool *need, int *map)
{
    bool *below = alloc(o, (size_t)n->n_columns, sizeof *below);
    if (!below)
        return NULL;
    memcpy(below, need, (size_t)n->n_columns * sizeof *below);
    if (n->kind == QUERY_NODE_FILTER)
        query_expr_columns(n->u.filter.predicate, below);
    if (n->kind == QUERY_NODE_SORT)
        for (int i = 0; i < n->u.sort.n_keys; i++)
            query_expr_columns(n->u.sort.keys[i].expr, below);
    if (!(n->input = query_prune(o, n->input, below, map)))
        return NULL;
    n->columns = n->input->columns;
    n->n_columns = n->input->n_columns;
    if (n->kind == QUERY_NODE_FILTER && !(n->u.filter.predicate = remap(o, n->u.filter.predicate, map)))
        return NULL;
    if (n->kind == QUERY_NODE_SORT)
        for (int i = 0; i < n->u.sort.n_keys; i++)
            if (!(n->u.sort.keys[i].expr = remap(o, n->u.sort.keys[i].expr, map)))
                return NULL;
    return n;
}

struct query_node *query_prune(struct query_optimizer *o, struct query_node *n, const bool *need, int *map)
{
    switch (n->kind) {
    case QUERY_NODE_SCAN: return prune_scan(o, n, need, map);
    case QUERY_NODE_VALUES: return prune_values(o, n, need, map);
    case QUERY_NODE_PROJECT: return prune_project(o, n, need, map);
    case QUERY_NODE_AGGREGATE: return prune_aggregate(o, n, need, map);
    case QUERY_NODE_FILTER:
    case QUERY_NODE_SORT:
    case QUERY_NODE_LIMIT: return prune_through(o, n, need, map);
    default:
        for (int i = 0; i < n->n_columns; i++)
            map[i] = i;
        return n;
    }
}
