/* Uncorrelated subqueries: run before the plan that needs them, and become constants in its expressions. */
#include "query/query_exec.h"

/* A subquery may stand in several expressions (a pushed predicate and its copy): it runs once. */
struct subquery_done {
    struct subquery_done *next;
    const struct query_node *node;
    struct tsf_value *values;
    size_t n, cap;
};

struct subqueries {
    struct query_exec_context *cx;
    struct tsf_arena *arena; /* the statement's: what becomes of expressions lives with them */
    struct subquery_done *done;
};

struct collect {
    struct tsf_arena *arena;
    struct subquery_done *into;
    size_t most;
};

static enum tsf_err collect_batch(void *ctx, const struct tsf_batch *b, struct tsf_error *err)
{
    struct collect *c = ctx;
    struct subquery_done *d = c->into;
    struct tsf_vector copy;
    enum tsf_err rc;

    if (!tsf_arena_grow(c->arena, (void **)&d->values, &d->cap, d->n + (size_t)b->length, sizeof *d->values))
        return tsf_fail_nomem(err);
    if ((rc = tsf_vector_copy(&b->columns[0], c->arena, &copy, err)) != TSF_OK)
        return rc;
    struct tsf_vector *kept = tsf_arena_memdup(c->arena, &copy, sizeof copy); /* inline strings borrow from it */
    if (!kept)
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < b->length; i++, d->n++)
        if ((rc = tsf_vector_get(kept, i, c->arena, &d->values[d->n], err)) != TSF_OK)
            return rc;
    return d->n > c->most ? TSF_END : TSF_OK;
}

static enum tsf_err subqueries_node(struct subqueries *s, struct query_node *n, struct tsf_error *err);

static enum tsf_err subquery_values(struct subqueries *s, struct query_node *n, size_t most, struct subquery_done **out,
                                    struct tsf_error *err)
{
    enum tsf_err rc;

    for (struct subquery_done *d = s->done; d; d = d->next) {
        if (d->node == n) {
            *out = d;
            return TSF_OK;
        }
    }
    struct subquery_done *d = tsf_arena_calloc(s->arena, 1, sizeof *d);
    if (!d)
        return tsf_fail_nomem(err);
    struct collect c = { s->arena, d, most };
    struct query_consumer consumer = { .ctx = &c, .batch = collect_batch };
    if ((rc = subqueries_node(s, n, err)) != TSF_OK)
        return rc;
    if ((rc = query_exec_node(s->cx, n, &consumer, err)) != TSF_OK && rc != TSF_END)
        return rc;
    d->node = n;
    d->next = s->done;
    s->done = d;
    *out = d;
    return TSF_OK;
}

static enum tsf_err become_constant(struct subqueries *s, struct query_expr *e, struct tsf_error *err)
{
    struct subquery_done *d;
    enum tsf_err rc = subquery_values(s, e->subquery, 1, &d, err);

    if (rc != TSF_OK)
        return rc;
    if (d->n > 1)
        return tsf_fail_sql(err, "21000", e->location, "more than one row returned by a subquery used as an expression");
    if (d->n)
        e->value = d->values[0];
    else
        e->value = (struct tsf_value){ .is_null = true };
    e->value.type = e->type;
    e->kind = QUERY_CONST;
    return TSF_OK;
}

static enum tsf_err become_list(struct subqueries *s, struct query_expr *e, struct tsf_error *err)
{
    struct subquery_done *d;
    enum tsf_err rc = subquery_values(s, e->subquery, SIZE_MAX, &d, err);

    if (rc != TSF_OK)
        return rc;
    if (d->n >= INT32_MAX)
        return tsf_fail_nomem(err);
    struct query_expr **args = tsf_arena_alloc(s->arena, (d->n + 1) * sizeof *args);
    struct query_expr *values = tsf_arena_calloc(s->arena, d->n + 1, sizeof *values);
    if (!args || !values)
        return tsf_fail_nomem(err);
    args[0] = e->args[0];
    for (size_t i = 0; i < d->n; i++) {
        values[i] = (struct query_expr){ .kind = QUERY_CONST, .type = e->args[0]->type, .value = d->values[i], .location = -1,
                                         .id = e->id };
        values[i].value.type = values[i].type;
        args[i + 1] = &values[i];
    }
    e->args = args;
    e->n_args = 1 + (int)d->n;
    return TSF_OK;
}

static enum tsf_err subqueries_expr(struct subqueries *s, struct query_expr *e, struct tsf_error *err)
{
    enum tsf_err rc;

    if (!e)
        return TSF_OK;
    for (int i = 0; i < e->n_args; i++)
        if ((rc = subqueries_expr(s, e->args[i], err)) != TSF_OK)
            return rc;
    if (e->kind == QUERY_SUBQUERY)
        return become_constant(s, e, err);
    return e->kind == QUERY_IN && e->subquery && e->n_args == 1 ? become_list(s, e, err) : TSF_OK;
}

static enum tsf_err subqueries_list(struct subqueries *s, struct query_expr **e, int n, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (int i = 0; i < n && rc == TSF_OK; i++)
        rc = subqueries_expr(s, e[i], err);
    return rc;
}

static enum tsf_err subqueries_node(struct subqueries *s, struct query_node *n, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (; n && rc == TSF_OK; n = n->input) {
        switch (n->kind) {
        case QUERY_NODE_SCAN: rc = subqueries_list(s, n->u.scan.conjuncts, n->u.scan.n_conjuncts, err); break;
        case QUERY_NODE_FILTER: rc = subqueries_expr(s, n->u.filter.predicate, err); break;
        case QUERY_NODE_PROJECT: rc = subqueries_list(s, n->u.project.exprs, n->n_columns, err); break;
        case QUERY_NODE_VALUES:
            for (int64_t i = 0; i < n->u.values.n_rows && rc == TSF_OK; i++)
                rc = subqueries_list(s, n->u.values.rows[i], n->n_columns, err);
            break;
        case QUERY_NODE_AGGREGATE:
            rc = subqueries_list(s, n->u.aggregate.keys, n->u.aggregate.n_keys, err);
            for (int i = 0; i < n->u.aggregate.n_aggs && rc == TSF_OK; i++) {
                struct query_agg_call *c = &n->u.aggregate.aggs[i];
                if ((rc = subqueries_list(s, c->args, c->n_args, err)) == TSF_OK)
                    rc = subqueries_expr(s, c->filter, err);
            }
            break;
        case QUERY_NODE_SORT:
            for (int i = 0; i < n->u.sort.n_keys && rc == TSF_OK; i++)
                rc = subqueries_expr(s, n->u.sort.keys[i].expr, err);
            break;
        default: break;
        }
    }
    return rc;
}

enum tsf_err query_subqueries_run(struct query_exec_context *cx, struct query_node *root, struct tsf_error *err)
{
    struct subqueries s = { .cx = cx, .arena = &cx->session->stmt };

    return subqueries_node(&s, root, err);
}
