/* What predicates can give when only bounds are known. Never too few outcomes. */
#include "query/query_scan.h"

static const struct query_bounds unknown = QUERY_BOUNDS_UNKNOWN;

void query_bounds_fix(struct query_bounds *b, const struct tsf_type *t)
{
    if (t->id == TSF_TYPE_FLOAT || t->id == TSF_TYPE_DOUBLE)
        b->has_max = false;
}

static bool comparable(const struct tsf_type *a, const struct tsf_type *b)
{
    return tsf_type_eq(a, b) || (tsf_type_is_integer(a) && tsf_type_is_integer(b));
}

static bool type_is_scalar(const struct tsf_type *t)
{
    return t->id != TSF_TYPE_NULL && t->id < TSF_TYPE_LIST && t->id != TSF_TYPE_INTERVAL && !t->json;
}

/* Same type, or both integers. */
static int value_cmp(const struct tsf_value *a, const struct tsf_value *b)
{
    struct tsf_value x = *a;

    if (tsf_type_is_integer(a->type))
        return a->u.i64 < b->u.i64 ? -1 : a->u.i64 > b->u.i64;
    x.type = b->type;
    return tsf_value_cmp(&x, b);
}

static struct query_bounds expr_bounds(const struct query_prune *p, const struct query_expr *e);

/* A function that never decreases maps bounds to bounds. */
static struct query_bounds call_bounds(const struct query_prune *p, const struct query_expr *e)
{
    struct query_bounds in, out = unknown;
    int at = -1;

    if (!e->fn || !(e->fn->flags & QUERY_FN_MONOTONIC) || !(e->fn->flags & QUERY_FN_STRICT) || (e->fn->flags & QUERY_FN_VOLATILE) ||
        e->n_args > 8)
        return unknown;
    for (int i = 0; i < e->n_args; i++) {
        if (e->args[i]->kind == QUERY_CONST && !e->args[i]->value.is_null)
            continue;
        if (at >= 0)
            return unknown;
        at = i;
    }
    if (at < 0 || (at != e->n_args - 1 && e->n_args > 1 && e->args[e->n_args - 1]->kind != QUERY_CONST))
        return unknown;
    in = expr_bounds(p, e->args[at]);
    out.maybe_null = in.maybe_null;
    out.all_null = in.all_null;
    if (e->args[at]->type->id == TSF_TYPE_FLOAT || e->args[at]->type->id == TSF_TYPE_DOUBLE)
        return out;
    for (int side = 0; side < 2; side++) {
        struct query_expr call = *e, arg = *e->args[at], *args[8];
        struct tsf_value v;
        if (!(side ? in.has_max : in.has_min))
            continue;
        for (int i = 0; i < e->n_args; i++)
            args[i] = i == at ? &arg : e->args[i];
        arg.kind = QUERY_CONST;
        arg.n_args = 0;
        arg.value = side ? in.max : in.min;
        arg.value.type = arg.type;
        call.args = args;
        if (query_eval_const(&call, p->now_us, p->arena, &v, NULL) != TSF_OK || v.is_null) {
            out.maybe_null = true;
            continue;
        }
        *(side ? &out.max : &out.min) = v;
        *(side ? &out.has_max : &out.has_min) = true;
    }
    return out;
}

static struct query_bounds expr_bounds(const struct query_prune *p, const struct query_expr *e)
{
    struct query_bounds b = unknown;

    if (!type_is_scalar(e->type))
        return b;
    switch (e->kind) {
    case QUERY_COLUMN:
        p->bounds(p->ctx, e->column, &b);
        query_bounds_fix(&b, e->type);
        return b;
    case QUERY_CONST:
        if (e->value.is_null)
            return (struct query_bounds){ .maybe_null = true, .all_null = true };
        return (struct query_bounds){ .has_min = true, .has_max = true, .min = e->value, .max = e->value };
    case QUERY_CALL: return call_bounds(p, e);
    default: return b;
    }
}

static int swap(int outcomes)
{
    return (outcomes & QUERY_CAN_NULL) | (outcomes & QUERY_CAN_TRUE ? QUERY_CAN_FALSE : 0) |
           (outcomes & QUERY_CAN_FALSE ? QUERY_CAN_TRUE : 0);
}

/* Outcomes on rows without NULLs, plus NULL where there may be some. */
static int with_nulls(int outcomes, bool maybe_null, bool all_null)
{
    return all_null ? QUERY_CAN_NULL : outcomes | (maybe_null ? QUERY_CAN_NULL : 0);
}

static int outcomes_less(const struct query_bounds *l, const struct query_bounds *r, bool or_equal)
{
    int out = QUERY_CAN_TRUE | QUERY_CAN_FALSE;

    if (l->has_min && r->has_max) {
        int c = value_cmp(&l->min, &r->max);
        if (or_equal ? c > 0 : c >= 0)
            out &= ~QUERY_CAN_TRUE;
    }
    if (l->has_max && r->has_min) {
        int c = value_cmp(&l->max, &r->min);
        if (or_equal ? c <= 0 : c < 0)
            out &= ~QUERY_CAN_FALSE;
    }
    return out;
}

static int outcomes_equal(const struct query_bounds *l, const struct query_bounds *r)
{
    if ((l->has_min && r->has_max && value_cmp(&l->min, &r->max) > 0) || (l->has_max && r->has_min && value_cmp(&l->max, &r->min) < 0))
        return QUERY_CAN_FALSE;
    if (l->has_min && l->has_max && r->has_min && r->has_max && value_cmp(&l->min, &r->max) == 0 && value_cmp(&l->max, &r->min) == 0)
        return QUERY_CAN_TRUE;
    return QUERY_CAN_TRUE | QUERY_CAN_FALSE;
}

static int outcomes_compare(const struct query_prune *p, const struct query_expr *e, const char *op)
{
    const struct tsf_type *t = e->args[0]->type, *u = e->args[1]->type;
    int out;

    if (!comparable(t, u) || !type_is_scalar(t) || !type_is_scalar(u))
        return QUERY_CAN_ANY;
    struct query_bounds l = expr_bounds(p, e->args[0]), r = expr_bounds(p, e->args[1]);
    if (strcmp(op, "=") == 0)
        out = outcomes_equal(&l, &r);
    else if (strcmp(op, "<>") == 0)
        out = swap(outcomes_equal(&l, &r));
    else if (op[0] == '<')
        out = outcomes_less(&l, &r, op[1] == '=');
    else
        out = outcomes_less(&r, &l, op[1] == '=');
    return with_nulls(out, l.maybe_null || r.maybe_null, l.all_null || r.all_null);
}

/* LIKE 'abc%': the text before the first wildcard bounds what matches. */
static int outcomes_like(const struct query_prune *p, const struct query_expr *e)
{
    const struct query_expr *pattern = e->args[1];

    if (pattern->kind != QUERY_CONST || pattern->value.is_null || !tsf_type_is_string(pattern->type))
        return QUERY_CAN_ANY;
    struct query_bounds b = expr_bounds(p, e->args[0]);
    struct tsf_str s = pattern->value.u.s;
    size_t n = 0;
    while (n < s.len && s.data[n] != '%' && s.data[n] != '_' && s.data[n] != '\\')
        n++;
    struct tsf_str prefix = tsf_str_n(s.data, n);
    int out = QUERY_CAN_TRUE | QUERY_CAN_FALSE;
    if (b.has_max && tsf_type_is_string(b.max.type) && tsf_str_cmp(b.max.u.s, prefix) < 0)
        out = QUERY_CAN_FALSE;
    if (b.has_min && tsf_type_is_string(b.min.type) && tsf_str_cmp(b.min.u.s, prefix) > 0 && !tsf_str_starts(b.min.u.s, prefix))
        out = QUERY_CAN_FALSE;
    return with_nulls(out, b.maybe_null, b.all_null);
}

static int outcomes_in(const struct query_prune *p, const struct query_expr *e)
{
    struct query_bounds b = expr_bounds(p, e->args[0]);
    bool null_listed = false, hit = false, sure = false;

    if (!type_is_scalar(e->args[0]->type))
        return QUERY_CAN_ANY;
    for (int i = 1; i < e->n_args; i++) {
        const struct query_expr *v = e->args[i];
        if (v->kind != QUERY_CONST)
            return QUERY_CAN_ANY;
        if (v->value.is_null) {
            null_listed = true;
            continue;
        }
        if (!comparable(v->type, e->args[0]->type))
            return QUERY_CAN_ANY;
        struct query_bounds c = { .has_min = true, .has_max = true, .min = v->value, .max = v->value };
        int o = outcomes_equal(&b, &c);
        hit |= (o & QUERY_CAN_TRUE) != 0;
        sure |= o == QUERY_CAN_TRUE;
    }
    if (e->n_args == 1 && !e->subquery)
        return QUERY_CAN_ANY;
    int out = sure ? QUERY_CAN_TRUE : (hit ? QUERY_CAN_TRUE : 0) | (null_listed ? QUERY_CAN_NULL : QUERY_CAN_FALSE);
    if (!sure && hit && null_listed)
        out |= QUERY_CAN_NULL;
    if (e->n_args == 1) /* IN of nothing is false, even for NULL */
        out = QUERY_CAN_FALSE;
    else
        out = with_nulls(out, b.maybe_null, b.all_null);
    return e->negated ? swap(out) : out;
}

static int outcomes_is_true(const struct query_prune *p, const struct query_expr *e)
{
    static const int which[3] = { QUERY_CAN_TRUE, QUERY_CAN_FALSE, QUERY_CAN_NULL };
    int in = query_prune_outcomes(p, e->args[0]);

    if (e->value.u.i64 < 0 || e->value.u.i64 > 2)
        return QUERY_CAN_ANY;
    int yes = which[e->value.u.i64];
    int out = (in & yes ? QUERY_CAN_TRUE : 0) | (in & ~yes ? QUERY_CAN_FALSE : 0);
    return e->negated ? swap(out) : out;
}

static int outcomes_call(const struct query_prune *p, const struct query_expr *e)
{
    const char *op = e->fn ? e->fn->name : "";

    if (e->n_args != 2)
        return QUERY_CAN_ANY;
    if (strcmp(op, "=") == 0 || strcmp(op, "<>") == 0 || strcmp(op, "<") == 0 || strcmp(op, "<=") == 0 || strcmp(op, ">") == 0 ||
        strcmp(op, ">=") == 0)
        return outcomes_compare(p, e, op);
    if (strcmp(op, "~~") == 0)
        return outcomes_like(p, e);
    return QUERY_CAN_ANY;
}

static int outcomes_bool(const struct query_bounds *b)
{
    int out = QUERY_CAN_TRUE | QUERY_CAN_FALSE;

    if (b->has_min && b->min.u.b)
        out &= ~QUERY_CAN_FALSE;
    if (b->has_max && !b->max.u.b)
        out &= ~QUERY_CAN_TRUE;
    return with_nulls(out, b->maybe_null, b->all_null);
}

/* AND of outcome sets; OR is the same on swapped ones. */
static int outcomes_and(int a, int b)
{
    int out = 0;

    if ((a & QUERY_CAN_TRUE) && (b & QUERY_CAN_TRUE))
        out |= QUERY_CAN_TRUE;
    if ((a | b) & QUERY_CAN_FALSE)
        out |= QUERY_CAN_FALSE;
    if (((a & QUERY_CAN_NULL) && (b & (QUERY_CAN_NULL | QUERY_CAN_TRUE))) || ((b & QUERY_CAN_NULL) && (a & QUERY_CAN_TRUE)))
        out |= QUERY_CAN_NULL;
    return out;
}

int query_prune_outcomes(const struct query_prune *p, const struct query_expr *e)
{
    int out;

    switch (e->kind) {
    case QUERY_AND:
    case QUERY_OR:
        out = QUERY_CAN_TRUE;
        for (int i = 0; i < e->n_args; i++) {
            int x = query_prune_outcomes(p, e->args[i]);
            out = outcomes_and(out, e->kind == QUERY_OR ? swap(x) : x);
        }
        return e->kind == QUERY_OR ? swap(out) : out;
    case QUERY_NOT: return swap(query_prune_outcomes(p, e->args[0]));
    case QUERY_IS_NULL: {
        struct query_bounds b = unknown;
        if (e->args[0]->kind == QUERY_COLUMN)
            p->bounds(p->ctx, e->args[0]->column, &b);
        else
            b = expr_bounds(p, e->args[0]);
        out = b.all_null ? QUERY_CAN_TRUE : QUERY_CAN_FALSE | (b.maybe_null ? QUERY_CAN_TRUE : 0);
        return e->negated ? swap(out) : out;
    }
    case QUERY_IS_TRUE: return outcomes_is_true(p, e);
    case QUERY_IN: return outcomes_in(p, e);
    case QUERY_CALL: return outcomes_call(p, e);
    case QUERY_CONST:
        if (e->type->id != TSF_TYPE_BOOL)
            return QUERY_CAN_ANY;
        return e->value.is_null ? QUERY_CAN_NULL : e->value.u.b ? QUERY_CAN_TRUE : QUERY_CAN_FALSE;
    case QUERY_COLUMN: {
        struct query_bounds b = expr_bounds(p, e);
        return e->type->id == TSF_TYPE_BOOL ? outcomes_bool(&b) : QUERY_CAN_ANY;
    }
    default: return QUERY_CAN_ANY;
    }
}

bool query_prune_needle(const struct query_expr *e, int *column_out, int *first_arg_out)
{
    int column = 0, first = 1;

    if (e->kind == QUERY_CALL && e->fn && e->n_args == 2 && strcmp(e->fn->name, "=") == 0) {
        if (e->args[0]->kind == QUERY_CONST)
            column = 1, first = 0;
    } else if (e->kind != QUERY_IN || e->negated || e->n_args < 2) {
        return false;
    }
    if (e->args[column]->kind != QUERY_COLUMN || e->args[column]->type->json)
        return false;
    for (int i = 0; i < e->n_args; i++)
        if (i != column && (e->args[i]->kind != QUERY_CONST || !tsf_type_eq(e->args[i]->type, e->args[column]->type)))
            return false;
    *column_out = e->args[column]->column;
    *first_arg_out = first;
    return true;
}
