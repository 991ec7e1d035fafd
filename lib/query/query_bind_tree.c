/* Bound expressions as trees: making, comparing, copying. */
#include "query/query_internal.h"

struct query_expr *query_expr_new(enum query_expr_kind kind, const struct tsf_type *type, int n_args, struct query_expr **args,
                                  int location, uint32_t *next_id, struct tsf_arena *a)
{
    struct query_expr *e = tsf_arena_calloc(a, 1, sizeof *e);
    if (!e)
        return NULL;
    e->kind = kind;
    e->type = type;
    e->n_args = n_args;
    e->args = args;
    e->location = location;
    e->id = (*next_id)++;
    return e;
}

struct query_expr *query_expr_const(const struct tsf_value *v, int location, uint32_t *next_id, struct tsf_arena *a)
{
    struct query_expr *e = query_expr_new(QUERY_CONST, v->type, 0, NULL, location, next_id, a);
    if (e)
        e->value = *v;
    return e;
}

static bool value_equal(const struct tsf_value *a, const struct tsf_value *b)
{
    if (a->is_null || b->is_null)
        return a->is_null && b->is_null;
    if (a->type && a->type->id == TSF_TYPE_LIST) {
        if (a->u.list->length != b->u.list->length)
            return false;
        for (int64_t i = 0; i < a->u.list->length; i++)
            if (!tsf_vector_rows_equal(a->u.list, i, b->u.list, i))
                return false;
        return true;
    }
    if (a->type && (a->type->id == TSF_TYPE_STRING || a->type->id == TSF_TYPE_BINARY))
        return tsf_str_eq(a->u.s, b->u.s); /* also the untyped literals, which tsf_value_cmp may not know */
    return tsf_value_cmp(a, b) == 0;
}

bool query_expr_equal(const struct query_expr *a, const struct query_expr *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->n_args != b->n_args || a->negated != b->negated || !tsf_type_eq(a->type, b->type))
        return false;
    switch (a->kind) {
    case QUERY_COLUMN:
    case QUERY_AGG_REF:
        return a->column == b->column;
    case QUERY_CONST:
        if ((a->type == &query_unknown) != (b->type == &query_unknown))
            return false;
        return value_equal(&a->value, &b->value);
    case QUERY_IS_TRUE:
        if (a->value.u.i64 != b->value.u.i64)
            return false;
        break;
    case QUERY_CALL:
        if (a->fn != b->fn || (a->fn && (a->fn->flags & QUERY_FN_VOLATILE)))
            return false;
        break;
    case QUERY_SUBQUERY:
        return false; /* another run of it might differ; never merged */
    default:
        break;
    }
    if (a->subquery || b->subquery)
        return false;
    for (int i = 0; i < a->n_args; i++)
        if (!query_expr_equal(a->args[i], b->args[i]))
            return false;
    return true;
}

struct query_expr *query_expr_copy(const struct query_expr *e, const int *columns, uint32_t *next_id, struct tsf_arena *a)
{
    struct query_expr *c = tsf_arena_memdup(a, e, sizeof *e);
    if (!c)
        return NULL;
    c->id = (*next_id)++;
    if (e->kind == QUERY_COLUMN && columns)
        c->column = columns[e->column];
    if (e->n_args) {
        c->args = tsf_arena_calloc(a, (size_t)e->n_args, sizeof *c->args);
        if (!c->args)
            return NULL;
        for (int i = 0; i < e->n_args; i++)
            if (!(c->args[i] = query_expr_copy(e->args[i], columns, next_id, a)))
                return NULL;
    }
    return c;
}

void query_expr_columns(const struct query_expr *e, bool *used)
{
    if (e->kind == QUERY_COLUMN)
        used[e->column] = true;
    for (int i = 0; i < e->n_args; i++)
        query_expr_columns(e->args[i], used);
}
