/* LIMIT: with a sort it makes a top-N, on a bare scan it stops early. Also: aggregates that statistics may answer. */
#include "query/query_optimize.h"

/* Rows that a limit above wants from n itself; -1 all. */
static int64_t wanted(int64_t limit, int64_t offset)
{
    int64_t rows;
    return limit < 0 || __builtin_add_overflow(limit, offset, &rows) ? -1 : rows;
}

/* SORT over PROJECT, few rows wanted: sort first, compute for those rows only. */
static struct query_node *sort_below_project(struct query_optimizer *o, struct query_node *sort)
{
    struct query_node *project = sort->input;
    for (int i = 0; i < project->n_columns; i++)
        if (query_is_volatile(project->u.project.exprs[i]))
            return sort;
    for (int i = 0; i < sort->u.sort.n_keys; i++)
        if (!(sort->u.sort.keys[i].expr = query_substitute(o, sort->u.sort.keys[i].expr, project->u.project.exprs)))
            return NULL;
    sort->input = project->input;
    sort->columns = project->input->columns;
    sort->n_columns = project->input->n_columns;
    project->input = sort;
    return project;
}

static void hint_order(struct query_node *sort)
{
    struct query_node *scan = sort->input;
    const struct query_sort_key *key = &sort->u.sort.keys[0];
    if (scan->kind != QUERY_NODE_SCAN || key->expr->kind != QUERY_COLUMN)
        return;
    scan->u.scan.order_column = key->expr->column;
    scan->u.scan.order_desc = key->descending;
    scan->u.scan.order_nulls_first = key->nulls_first;
    scan->u.scan.limit = wanted(sort->u.sort.limit, sort->u.sort.offset);
}

static struct query_node *limit_sort(struct query_optimizer *o, struct query_node *n)
{
    struct query_node *sort = n->input, *top = sort;
    sort->u.sort.limit = n->u.limit.limit;
    sort->u.sort.offset = n->u.limit.offset;
    if (sort->u.sort.limit >= 0)
        while (sort->input->kind == QUERY_NODE_PROJECT) {
            struct query_node *project = sort->input, *above = top == sort ? NULL : top;
            struct query_node *t = sort_below_project(o, sort);
            if (!t)
                return NULL;
            if (t == sort)
                break;
            if (!above)
                top = project;
            else {
                while (above->input != sort)
                    above = above->input;
                above->input = project;
            }
        }
    if (sort->u.sort.limit >= 0)
        hint_order(sort);
    return top;
}

static bool statistics_may_answer(const struct query_node *n)
{
    if (n->u.aggregate.n_keys || n->input->kind != QUERY_NODE_SCAN || n->u.aggregate.n_aggs == 0)
        return false;
    for (int i = 0; i < n->u.aggregate.n_aggs; i++) {
        const struct query_agg_call *a = &n->u.aggregate.aggs[i];
        bool plain = a->star || (a->n_args == 1 && a->args[0]->kind == QUERY_COLUMN);
        if (!plain || a->filter || (a->distinct && strcmp(a->agg->name, "count") == 0) ||
            (strcmp(a->agg->name, "count") != 0 && strcmp(a->agg->name, "min") != 0 && strcmp(a->agg->name, "max") != 0))
            return false;
    }
    return true;
}

struct query_node *query_push_limits(struct query_optimizer *o, struct query_node *n)
{
    if (n->input && !(n->input = query_push_limits(o, n->input)))
        return NULL;
    if (n->kind == QUERY_NODE_AGGREGATE)
        n->u.aggregate.from_statistics = statistics_may_answer(n);
    if (n->kind != QUERY_NODE_LIMIT)
        return n;
    if (n->input->kind == QUERY_NODE_SORT && n->input->u.sort.limit < 0 && n->input->u.sort.offset == 0)
        return limit_sort(o, n);
    struct query_node *below = n->input;
    while (below->kind == QUERY_NODE_PROJECT)
        below = below->input;
    if (below->kind == QUERY_NODE_SCAN)
        below->u.scan.limit = wanted(n->u.limit.limit, n->u.limit.offset);
    return n;
}
