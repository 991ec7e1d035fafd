/*
 * Filters go down: through projections (columns replaced by what they stand for), below GROUP BY when they read keys only,
 * and end as the scan's conjuncts. A condition that can never hold makes the node an empty VALUES.
 */
#include "query/query_optimize.h"

struct conjuncts {
    int n;
    size_t cap;
    struct query_expr **e;
};

static bool add(struct query_optimizer *o, struct conjuncts *c, struct query_expr *e)
{
    void *p = c->e;
    if (!tsf_arena_grow(o->a, &p, &c->cap, (size_t)c->n + 1, sizeof *c->e))
        return query_optimize_nomem(o);
    c->e = p;
    c->e[c->n++] = e;
    return true;
}

/* Simplify, split at AND, drop what is true and what is there already. */
static bool split(struct query_optimizer *o, struct conjuncts *c, struct query_expr *e)
{
    if (!(e = query_simplify(o, e)))
        return false;
    if (e->kind == QUERY_AND) {
        for (int i = 0; i < e->n_args; i++)
            if (!split(o, c, e->args[i]))
                return false;
        return true;
    }
    if (query_is_true(e))
        return true;
    for (int i = 0; i < c->n; i++)
        if (query_expr_equal(c->e[i], e))
            return true;
    return add(o, c, e);
}

static struct query_node *empty(struct query_optimizer *o, const struct query_node *n)
{
    struct query_node *v = tsf_arena_calloc(o->a, 1, sizeof *v);
    if (!v)
        return query_optimize_nomem(o);
    v->kind = QUERY_NODE_VALUES;
    v->n_columns = n->n_columns;
    v->columns = n->columns;
    return v;
}

/* n under a filter of what could not go further. */
static struct query_node *filtered(struct query_optimizer *o, struct query_node *n, const struct conjuncts *c)
{
    if (c->n == 0)
        return n;
    for (int i = 0; i < c->n; i++)
        if (query_is_false_or_null(c->e[i]))
            return empty(o, n);
    struct query_node *f = tsf_arena_calloc(o->a, 1, sizeof *f);
    if (!f)
        return query_optimize_nomem(o);
    f->kind = QUERY_NODE_FILTER;
    f->input = n;
    f->n_columns = n->n_columns;
    f->columns = n->columns;
    f->u.filter.predicate = c->n == 1 ? c->e[0] : query_expr_new(QUERY_AND, TSF_T(BOOL), c->n, c->e, -1, &o->next_id, o->a);
    return f->u.filter.predicate ? f : query_optimize_nomem(o);
}

static struct query_node *push(struct query_optimizer *o, struct query_node *n, struct conjuncts *c);

static struct query_node *push_project(struct query_optimizer *o, struct query_node *n, struct conjuncts *c)
{
    struct conjuncts down = { 0 }, stay = { 0 };
    for (int i = 0; i < n->n_columns; i++)
        if (!(n->u.project.exprs[i] = query_simplify(o, n->u.project.exprs[i])))
            return NULL;
    for (int i = 0; i < c->n; i++) {
        struct query_expr *e = query_substitute(o, c->e[i], n->u.project.exprs);
        if (!e || !(query_is_volatile(e) ? add(o, &stay, c->e[i]) : split(o, &down, e)))
            return NULL;
    }
    return (n->input = push(o, n->input, &down)) ? filtered(o, n, &stay) : NULL;
}

static bool keys_only(const struct query_expr *e, int n_keys)
{
    if (e->kind == QUERY_COLUMN && e->column >= n_keys)
        return false;
    for (int i = 0; i < e->n_args; i++)
        if (!keys_only(e->args[i], n_keys))
            return false;
    return true;
}

/* count(1) is count(*). */
static void count_rows(struct query_optimizer *o, struct query_agg_call *a)
{
    struct query_agg_call star = *a;
    bool found = false;
    if (a->star || a->distinct || a->n_args != 1 || a->args[0]->kind != QUERY_CONST || a->args[0]->value.is_null ||
        strcmp(a->agg->name, "count") != 0)
        return;
    if (query_resolve_aggregate("count", NULL, 0, true, false, false, &o->next_id, o->a, &star, &found, NULL) != TSF_OK || !found)
        return;
    star.filter = a->filter;
    star.location = a->location;
    star.star = true;
    *a = star;
}

static void count_columns(const struct query_expr *e, int *uses)
{
    if (e->kind == QUERY_COLUMN)
        uses[e->column]++;
    for (int i = 0; i < e->n_args; i++)
        count_columns(e->args[i], uses);
}

/* AGGREGATE over PROJECT: compute on the projection's input, when nothing is then computed twice. */
static bool skip_project(struct query_optimizer *o, struct query_node *n)
{
    struct query_node *p = n->input;
    int *uses = tsf_arena_calloc(o->a, (size_t)p->n_columns + 1, sizeof *uses);
    if (!uses)
        return query_optimize_nomem(o);
    for (int i = 0; i < n->u.aggregate.n_keys; i++)
        count_columns(n->u.aggregate.keys[i], uses);
    for (int i = 0; i < n->u.aggregate.n_aggs; i++) {
        const struct query_agg_call *a = &n->u.aggregate.aggs[i];
        for (int k = 0; k < a->n_args; k++)
            count_columns(a->args[k], uses);
        if (a->filter)
            count_columns(a->filter, uses);
    }
    for (int i = 0; i < p->n_columns; i++) {
        const struct query_expr *e = p->u.project.exprs[i];
        if (query_is_volatile(e) || (uses[i] > 1 && e->kind != QUERY_COLUMN && e->kind != QUERY_CONST))
            return true;
    }
    for (int i = 0; i < n->u.aggregate.n_keys; i++)
        if (!(n->u.aggregate.keys[i] = query_substitute(o, n->u.aggregate.keys[i], p->u.project.exprs)))
            return false;
    for (int i = 0; i < n->u.aggregate.n_aggs; i++) {
        struct query_agg_call *a = &n->u.aggregate.aggs[i];
        for (int k = 0; k < a->n_args; k++)
            if (!(a->args[k] = query_substitute(o, a->args[k], p->u.project.exprs)))
                return false;
        if (a->filter && !(a->filter = query_substitute(o, a->filter, p->u.project.exprs)))
            return false;
    }
    n->input = p->input;
    return true;
}

static bool simplify_aggregate(struct query_optimizer *o, struct query_node *n)
{
    for (int i = 0; i < n->u.aggregate.n_keys; i++)
        if (!(n->u.aggregate.keys[i] = query_simplify(o, n->u.aggregate.keys[i])))
            return false;
    for (int i = 0; i < n->u.aggregate.n_aggs; i++) {
        struct query_agg_call *a = &n->u.aggregate.aggs[i];
        for (int k = 0; k < a->n_args; k++)
            if (!(a->args[k] = query_simplify(o, a->args[k])))
                return false;
        if (a->filter && (!(a->filter = query_simplify(o, a->filter))))
            return false;
        if (a->filter && query_is_true(a->filter))
            a->filter = NULL;
        count_rows(o, a);
    }
    return true;
}

static struct query_node *push_aggregate(struct query_optimizer *o, struct query_node *n, struct conjuncts *c)
{
    struct conjuncts down = { 0 }, stay = { 0 };
    int n_keys = n->u.aggregate.n_keys;
    for (int i = 0; i < c->n; i++) {
        bool goes = n_keys > 0 && keys_only(c->e[i], n_keys) && !query_is_volatile(c->e[i]);
        if (!goes) {
            if (!add(o, &stay, c->e[i]))
                return NULL;
            continue;
        }
        struct query_expr *e = query_substitute(o, c->e[i], n->u.aggregate.keys);
        if (!e || !split(o, &down, e))
            return NULL;
    }
    if (!(n->input = push(o, n->input, &down)))
        return NULL;
    while (n->input->kind == QUERY_NODE_PROJECT) {
        const struct query_node *before = n->input;
        if (!skip_project(o, n))
            return NULL;
        if (n->input == before)
            break;
    }
    return simplify_aggregate(o, n) ? filtered(o, n, &stay) : NULL;
}

static struct query_node *push_scan(struct query_optimizer *o, struct query_node *n, struct conjuncts *c)
{
    struct conjuncts all = { 0 };
    for (int i = 0; i < n->u.scan.n_conjuncts; i++) /* the tenant's binding stays in front */
        if (!split(o, &all, n->u.scan.conjuncts[i]))
            return NULL;
    for (int i = 0; i < c->n; i++)
        if (!split(o, &all, c->e[i]))
            return NULL;
    for (int i = 0; i < all.n; i++)
        if (query_is_false_or_null(all.e[i]))
            return empty(o, n);
    n->u.scan.n_conjuncts = all.n;
    n->u.scan.conjuncts = all.e;
    return n;
}

static struct query_node *push(struct query_optimizer *o, struct query_node *n, struct conjuncts *c)
{
    struct conjuncts none = { 0 };
    switch (n->kind) {
    case QUERY_NODE_FILTER:
        return split(o, c, n->u.filter.predicate) ? push(o, n->input, c) : NULL;
    case QUERY_NODE_PROJECT:
        return push_project(o, n, c);
    case QUERY_NODE_AGGREGATE:
        return push_aggregate(o, n, c);
    case QUERY_NODE_SCAN:
        return push_scan(o, n, c);
    case QUERY_NODE_SORT:
        return (n->input = push(o, n->input, c)) ? n : NULL;
    case QUERY_NODE_LIMIT:
        return (n->input = push(o, n->input, &none)) ? filtered(o, n, c) : NULL;
    case QUERY_NODE_VALUES:
        for (int64_t i = 0; i < n->u.values.n_rows; i++)
            for (int k = 0; k < n->n_columns; k++)
                if (!(n->u.values.rows[i][k] = query_simplify(o, n->u.values.rows[i][k])))
                    return NULL;
        return filtered(o, n, c);
    default:
        return filtered(o, n, c);
    }
}

struct query_node *query_push_filters(struct query_optimizer *o, struct query_node *n)
{
    struct conjuncts none = { 0 };
    return push(o, n, &none);
}
