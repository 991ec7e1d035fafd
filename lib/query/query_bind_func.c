/* Function calls: aggregates are set aside, the rest is resolved as any operator. */
#include "query/query_bind.h"
#include "query/query_fn_internal.h"

/* The function's plain name; NULL (failed) when it lives in a schema that we do not have. */
static const char *function_name(struct query_binder *b, const PgQuery__FuncCall *f)
{
    const char *name = f->n_funcname ? query_bind_name(f->funcname[f->n_funcname - 1]) : NULL;
    const char *schema = f->n_funcname == 2 ? query_bind_name(f->funcname[0]) : NULL;
    if (!name || f->n_funcname > 2 || (schema && strcmp(schema, "pg_catalog") != 0 && strcmp(schema, "public") != 0))
        return query_bind_fail(b, "3F000", f->location, "schema \"%s\" does not exist", schema ? schema : "?");
    return name;
}

static bool refuse(struct query_binder *b, const PgQuery__FuncCall *f)
{
    const char *what = f->over ? "window functions are" : f->func_variadic ? "VARIADIC arguments are" :
                       f->n_agg_order && !f->agg_within_group ? "ORDER BY inside of aggregate calls is" : NULL;
    if (what)
        query_bind_unsupported(b, f->location, what);
    return what != NULL;
}

/* args: ordered argument first for WITHIN GROUP, then the direct ones. */
static struct query_expr **bind_args(struct query_binder *b, const PgQuery__FuncCall *f, int *n_out, bool *desc_out)
{
    struct query_expr **args = query_bind_alloc(b, f->n_args + f->n_agg_order + 1, sizeof *args);
    int n = 0;
    if (!args)
        return NULL;
    for (size_t i = 0; f->agg_within_group && i < f->n_agg_order; i++) {
        const PgQuery__Node *o = f->agg_order[i];
        if (f->n_agg_order > 1 || o->node_case != PG_QUERY__NODE__NODE_SORT_BY)
            return query_bind_unsupported(b, f->location, "several sort keys WITHIN GROUP are");
        *desc_out = o->sort_by->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC;
        if (!(args[n++] = query_bind_expr(b, o->sort_by->node)))
            return NULL;
    }
    for (size_t i = 0; i < f->n_args; i++) {
        if (f->args[i]->node_case == PG_QUERY__NODE__NODE_NAMED_ARG_EXPR)
            return query_bind_unsupported(b, f->location, "named arguments are");
        if (!(args[n++] = query_bind_expr(b, f->args[i])))
            return NULL;
    }
    *n_out = n;
    return args;
}

static bool same_call(const struct query_agg_call *x, const struct query_agg_call *y)
{
    if (x->agg != y->agg || x->n_args != y->n_args || x->distinct != y->distinct || x->star != y->star ||
        x->order_desc != y->order_desc || !tsf_type_eq(x->type, y->type) || !x->filter != !y->filter)
        return false;
    for (int i = 0; i < x->n_args; i++)
        if (!query_expr_equal(x->args[i], y->args[i]))
            return false;
    return !x->filter || query_expr_equal(x->filter, y->filter);
}

static struct query_expr *aggregate_ref(struct query_binder *b, const struct query_agg_call *call)
{
    struct query_aggs *g = b->aggs;
    int at = 0;
    while (at < g->n && !same_call(&g->calls[at], call))
        at++;
    if (at == g->n) {
        void *calls = g->calls;
        if (!tsf_arena_grow(b->a, &calls, &g->cap, (size_t)g->n + 1, sizeof *g->calls))
            return query_bind_nomem(b);
        g->calls = calls;
        g->calls[g->n++] = *call;
    }
    struct query_expr *e = query_bind_column(b, at, call->type, call->location);
    if (e)
        e->kind = QUERY_AGG_REF;
    return e;
}

/* sum(a / b) FILTER (WHERE b <> 0): rows that the filter leaves out give no errors, so such arguments are NULL there. */
static bool guard_args(struct query_binder *b, struct query_agg_call *call)
{
    for (int i = 0; i < call->n_args; i++) {
        struct query_expr *e = call->args[i], **when = query_bind_alloc(b, 3, sizeof *when);
        if (!when)
            return false;
        if (query_expr_safe(e))
            continue;
        when[0] = call->filter;
        when[1] = e;
        if (!(when[2] = query_bind_null(b, e->location)) || !query_bind_coerce(b, &when[2], e->type, QUERY_IMPLICIT))
            return false;
        if (!(call->args[i] = query_type_node(QUERY_CASE, e->type, 3, when, e->location, &b->next_id, b->a)))
            return query_bind_nomem(b);
    }
    return true;
}

static struct query_expr *bind_aggregate(struct query_binder *b, const PgQuery__FuncCall *f, struct query_agg_call *call,
                                         bool nested, bool desc)
{
    call->location = f->location;
    call->order_desc = desc;
    if (nested)
        return query_bind_fail(b, "42803", f->location, "aggregate function calls cannot be nested");
    if (!b->aggs)
        return query_bind_fail(b, "42803", f->location, "aggregate functions are not allowed in %s", b->clause ? b->clause : "this context");
    if (f->agg_filter) {
        b->in_agg = true;
        call->filter = query_bind_bool(b, f->agg_filter, "FILTER");
        b->in_agg = false;
        if (!call->filter || !guard_args(b, call))
            return NULL;
    }
    return aggregate_ref(b, call);
}

static bool has_aggregate(const struct query_expr *e)
{
    if (e->kind == QUERY_AGG_REF)
        return true;
    for (int i = 0; i < e->n_args; i++)
        if (has_aggregate(e->args[i]))
            return true;
    return false;
}

struct query_expr *query_bind_func(struct query_binder *b, const PgQuery__FuncCall *f)
{
    const char *name = function_name(b, f);
    struct query_agg_call call = { 0 };
    bool desc = false, found = false;
    int n = 0;
    if (!name || refuse(b, f))
        return NULL;
    struct query_expr **args = bind_args(b, f, &n, &desc);
    if (!args)
        return NULL;
    enum tsf_err rc = query_resolve_aggregate(name, args, n, f->agg_star, f->agg_distinct, f->agg_within_group, &b->next_id, b->a,
                                              &call, &found, b->err);
    if (rc != TSF_OK) {
        if (b->err && b->err->offset < 0)
            b->err->offset = f->location;
        return query_bind_pass(b, rc);
    }
    if (!found) {
        const char *misuse = f->agg_star ? "(*)" : f->agg_distinct ? "DISTINCT" : f->agg_within_group ? "WITHIN GROUP" : f->agg_filter ? "FILTER" : NULL;
        if (misuse)
            return query_bind_fail(b, "42809", f->location, "%s specified, but %s is not an aggregate function", misuse, name);
        return query_bind_call(b, name, n, args, f->location);
    }
    bool nested = b->in_agg;
    for (int i = 0; i < n && !nested; i++)
        nested = has_aggregate(args[i]);
    return bind_aggregate(b, f, &call, nested, desc);
}
