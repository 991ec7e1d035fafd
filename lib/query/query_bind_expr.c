/* Expressions of the grammar's tree -> typed trees. Operators and functions go through query_resolve. */
#include <stdio.h>
#include <stdlib.h>

#include "query/query_bind.h"

/* ---- small makers -------------------------------------------------------------------------------------- */

const char *query_bind_name(const PgQuery__Node *n)
{
    return n && n->node_case == PG_QUERY__NODE__NODE_STRING ? n->string->sval : NULL;
}

static struct query_expr *make(struct query_binder *b, enum query_expr_kind kind, const struct tsf_type *type, int n_args,
                               struct query_expr **args, int location)
{
    struct query_expr *e = query_expr_new(kind, type, n_args, args, location, &b->next_id, b->a);
    return e ? e : query_bind_nomem(b);
}

static struct query_expr *make_const(struct query_binder *b, const struct tsf_value *v, int location)
{
    struct query_expr *e = query_expr_const(v, location, &b->next_id, b->a);
    return e ? e : query_bind_nomem(b);
}

struct query_expr *query_bind_null(struct query_binder *b, int location)
{
    struct tsf_value v = { .type = &query_unknown, .is_null = true };
    return make_const(b, &v, location);
}

static struct query_expr *make_string(struct query_binder *b, const char *z, int location)
{
    struct tsf_value v = { .type = &query_unknown, .u.s = tsf_str(z) };
    return make_const(b, &v, location);
}

struct query_expr *query_bind_column(struct query_binder *b, int column, const struct tsf_type *type, int location)
{
    struct query_expr *e = make(b, QUERY_COLUMN, type, 0, NULL, location);
    if (e)
        e->column = column;
    return e;
}

static struct query_expr **pair(struct query_binder *b, struct query_expr *x, struct query_expr *y)
{
    struct query_expr **args = query_bind_alloc(b, 2, sizeof *args);
    if (args)
        args[0] = x, args[1] = y;
    return args;
}

struct query_expr *query_bind_and(struct query_binder *b, enum query_expr_kind kind, int n, struct query_expr **args)
{
    return n == 1 ? args[0] : make(b, kind, TSF_T(BOOL), n, args, args[0]->location);
}

struct query_expr *query_bind_call(struct query_binder *b, const char *name, int n, struct query_expr **args, int location)
{
    struct query_expr *e = NULL;
    enum tsf_err rc = query_resolve(name, args, n, location, &b->next_id, b->a, &e, b->err);
    return rc == TSF_OK ? e : query_bind_pass(b, rc);
}

static struct query_expr *call2(struct query_binder *b, const char *name, struct query_expr *x, struct query_expr *y, int location)
{
    struct query_expr **args = pair(b, x, y);
    return args ? query_bind_call(b, name, 2, args, location) : NULL;
}

static struct query_expr *negate(struct query_binder *b, struct query_expr *e)
{
    struct query_expr **args = e ? query_bind_alloc(b, 1, sizeof *args) : NULL;
    if (!args)
        return NULL;
    args[0] = e;
    return make(b, QUERY_NOT, TSF_T(BOOL), 1, args, e->location);
}

bool query_bind_coerce(struct query_binder *b, struct query_expr **e, const struct tsf_type *t, enum query_coercion how)
{
    enum tsf_err rc = query_coerce(e, t, how, &b->next_id, b->a, b->err);
    if (rc != TSF_OK)
        query_bind_pass(b, rc);
    return rc == TSF_OK;
}

/* Copies, so that no tree shares a node with another: rewriting is then free to change them. */
static struct query_expr *copy(struct query_binder *b, const struct query_expr *e)
{
    struct query_expr *c = query_expr_copy(e, NULL, &b->next_id, b->a);
    return c ? c : query_bind_nomem(b);
}

int query_bind_location(const PgQuery__Node *n)
{
    if (!n)
        return -1;
    switch (n->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF: return n->column_ref->location;
    case PG_QUERY__NODE__NODE_A_CONST: return n->a_const->location;
    case PG_QUERY__NODE__NODE_FUNC_CALL: return n->func_call->location;
    case PG_QUERY__NODE__NODE_PARAM_REF: return n->param_ref->location;
    case PG_QUERY__NODE__NODE_CASE_EXPR: return n->case_expr->location;
    case PG_QUERY__NODE__NODE_SUB_LINK: return n->sub_link->location;
    case PG_QUERY__NODE__NODE_TYPE_CAST: {
        int at = query_bind_location(n->type_cast->arg);
        return at >= 0 ? at : n->type_cast->location;
    }
    case PG_QUERY__NODE__NODE_A_EXPR: {
        int at = query_bind_location(n->a_expr->lexpr);
        return at >= 0 ? at : n->a_expr->location;
    }
    case PG_QUERY__NODE__NODE_BOOL_EXPR: return n->bool_expr->n_args ? query_bind_location(n->bool_expr->args[0]) : -1;
    case PG_QUERY__NODE__NODE_NULL_TEST: return query_bind_location(n->null_test->arg);
    case PG_QUERY__NODE__NODE_COALESCE_EXPR: return n->coalesce_expr->location;
    case PG_QUERY__NODE__NODE_RES_TARGET: return n->res_target->location;
    default: return -1;
    }
}

/* ---- literals --------------------------------------------------------------------------------------------- */

/* "12", "1.50", "1e3": as PostgreSQL types them, with decimals as narrow as the digits. */
static struct query_expr *bind_number(struct query_binder *b, const char *z, int location)
{
    struct tsf_value v = { 0 };
    int64_t i;
    if (tsf_int64_parse(tsf_str(z), &i)) {
        v.type = i >= INT32_MIN && i <= INT32_MAX ? TSF_T(INT32) : TSF_T(INT64);
        v.u.i64 = i;
        return make_const(b, &v, location);
    }
    const char *mantissa_end = z + strcspn(z, "eE");
    long exponent = *mantissa_end ? strtol(mantissa_end + 1, NULL, 10) : 0;
    const char *dot = memchr(z, '.', (size_t)(mantissa_end - z));
    long scale = (dot ? mantissa_end - dot - 1 : 0) - exponent;
    scale = TSF_MAX(scale, 0);
    tsf_int128 digits;
    if (scale <= 38 && tsf_decimal_parse(tsf_str(z), (int)scale, &digits)) {
        int precision = (int)TSF_MAX(scale, 1);
        while (precision < 38 && !tsf_decimal_fits(digits, precision))
            precision++;
        v.type = tsf_type_decimal(precision, (int)scale);
        v.u.i128 = digits;
        if (v.type && tsf_decimal_fits(digits, precision))
            return make_const(b, &v, location);
    }
    v.type = TSF_T(DOUBLE); /* more digits than a decimal has */
    if (!tsf_double_parse(tsf_str(z), &v.u.f64))
        return query_bind_fail(b, "22003", location, "number \"%s\" is out of range", z);
    return make_const(b, &v, location);
}

static struct query_expr *bind_const(struct query_binder *b, const PgQuery__AConst *c)
{
    struct tsf_value v = { 0 };
    if (c->isnull)
        return query_bind_null(b, c->location);
    switch (c->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
        v.type = TSF_T(INT32);
        v.u.i64 = c->ival->ival;
        return make_const(b, &v, c->location);
    case PG_QUERY__A__CONST__VAL_FVAL:
        return bind_number(b, c->fval->fval, c->location);
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
        v.type = TSF_T(BOOL);
        v.u.b = c->boolval->boolval;
        return make_const(b, &v, c->location);
    case PG_QUERY__A__CONST__VAL_SVAL:
        return make_string(b, c->sval->sval, c->location);
    case PG_QUERY__A__CONST__VAL_BSVAL:
        return query_bind_unsupported(b, c->location, "bit strings are");
    default:
        return query_bind_null(b, c->location);
    }
}

static struct query_expr *bind_param(struct query_binder *b, const PgQuery__ParamRef *p)
{
    const struct query_options *o = &b->s->opts;
    if (p->number < 1 || p->number > o->n_params)
        return query_bind_fail(b, "42P02", p->location, "there is no parameter $%d", p->number);
    const char *value = o->param_values[p->number - 1];
    return value ? make_string(b, value, p->location) : query_bind_null(b, p->location);
}

static struct query_expr *bind_now(struct query_binder *b, const PgQuery__SQLValueFunction *f)
{
    struct tsf_value v = { 0 };
    int64_t days = b->now_us / TSF_US_PER_DAY - (b->now_us % TSF_US_PER_DAY < 0);
    switch (f->op) {
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE:
        v.type = TSF_T(DATE), v.u.i64 = days;
        break;
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP_N:
        v.type = TSF_T(TIMESTAMP), v.u.i64 = b->now_us;
        break;
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP_N:
        v.type = TSF_T(TIMESTAMP_NTZ), v.u.i64 = b->now_us;
        break;
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME_N:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME_N:
        v.type = TSF_T(TIME), v.u.i64 = b->now_us - days * TSF_US_PER_DAY;
        break;
    default:
        return query_bind_unsupported(b, f->location, "roles and catalogs are");
    }
    return make_const(b, &v, f->location);
}

/* ---- types and casts ------------------------------------------------------------------------------------------ */

#define MAX_TYPMODS 4

static bool const_int(const PgQuery__Node *n, int *out)
{
    if (!n || n->node_case != PG_QUERY__NODE__NODE_A_CONST || n->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL)
        return false;
    *out = n->a_const->ival->ival;
    return true;
}

const struct tsf_type *query_bind_type(struct query_binder *b, const PgQuery__TypeName *t)
{
    int typmods[MAX_TYPMODS];
    const char *name = t && t->n_names ? query_bind_name(t->names[t->n_names - 1]) : NULL;
    if (!name || t->setof || t->pct_type || t->n_typmods > MAX_TYPMODS)
        return query_bind_unsupported(b, t ? t->location : -1, "types of this form are");
    int n_typmods = 0;
    bool interval = strcmp(name, "interval") == 0; /* its typmods are field masks */
    for (size_t i = 0; i < t->n_typmods && !interval; i++)
        if (!const_int(t->typmods[i], &typmods[n_typmods++]))
            return query_bind_fail(b, "22023", t->location, "type modifiers must be integer constants");
    const struct tsf_type *out = NULL;
    enum tsf_err rc = query_type_by_name(name, typmods, n_typmods, t->n_array_bounds > 0, &out, b->a, b->err);
    if (rc == TSF_OK)
        return out;
    if (b->err && b->err->offset < 0)
        b->err->offset = t->location;
    return query_bind_pass(b, rc);
}

/* INTERVAL '5' MINUTE: the unit that the field mask names, or NULL. */
static const char *interval_unit(const PgQuery__TypeName *t)
{
    int mask;
    if (t->n_typmods < 1 || !const_int(t->typmods[0], &mask))
        return NULL;
    switch (mask) { /* INTERVAL_MASK(field) of PostgreSQL's datetime.h; of "DAY TO SECOND" the last field counts */
    case 1 << 2: return "year";
    case 1 << 1:
    case (1 << 2) | (1 << 1): return "month";
    case 1 << 3: return "day";
    case 1 << 10:
    case (1 << 3) | (1 << 10): return "hour";
    case 1 << 11:
    case (1 << 10) | (1 << 11):
    case (1 << 3) | (1 << 10) | (1 << 11): return "minute";
    case 1 << 12:
    case (1 << 11) | (1 << 12):
    case (1 << 10) | (1 << 11) | (1 << 12):
    case (1 << 3) | (1 << 10) | (1 << 11) | (1 << 12): return "second";
    default: return NULL;
    }
}

/* Text types have no length of their own; a cast to varchar(n) or char(n) cuts. */
static struct query_expr *cut_to_length(struct query_binder *b, const PgQuery__TypeName *t, struct query_expr *e)
{
    int length;
    if (e->type->id != TSF_TYPE_STRING || t->n_typmods != 1 || !const_int(t->typmods[0], &length))
        return e;
    struct tsf_value n = { .type = TSF_T(INT32), .u.i64 = length };
    struct query_expr **args = query_bind_alloc(b, 2, sizeof *args);
    if (!args || !(args[1] = query_expr_const(&n, e->location, &b->next_id, b->a)))
        return query_bind_nomem(b);
    args[0] = e;
    return query_bind_call(b, "left", 2, args, e->location);
}

/* ARRAY[]::int[] has its type from the cast. */
static struct query_expr *empty_array(struct query_binder *b, int location)
{
    struct tsf_value v = { .type = &query_unknown, .u.s = TSF_STR("{}") };
    struct query_expr *e = query_expr_const(&v, location, &b->next_id, b->a);
    return e ? e : query_bind_nomem(b);
}

static struct query_expr *bind_cast(struct query_binder *b, const PgQuery__TypeCast *c)
{
    const struct tsf_type *t = query_bind_type(b, c->type_name);
    bool empty = t && t->id == TSF_TYPE_LIST && c->arg && c->arg->node_case == PG_QUERY__NODE__NODE_A_ARRAY_EXPR &&
                 c->arg->a_array_expr->n_elements == 0;
    struct query_expr *e = empty ? empty_array(b, c->arg->a_array_expr->location) : t ? query_bind_expr(b, c->arg) : NULL;
    if (!e)
        return NULL;
    if (t->id == TSF_TYPE_INTERVAL && e->kind == QUERY_CONST && e->type == &query_unknown && !e->value.is_null) {
        const char *unit = interval_unit(c->type_name);
        double bare;
        if (unit && tsf_double_parse(e->value.u.s, &bare)) {
            char *text = tsf_arena_printf(b->a, "%.*s %s", (int)e->value.u.s.len, e->value.u.s.data, unit);
            if (!text)
                return query_bind_nomem(b);
            e->value.u.s = tsf_str(text);
        }
    }
    return query_bind_coerce(b, &e, t, QUERY_EXPLICIT) ? cut_to_length(b, c->type_name, e) : NULL;
}

/* ---- lists of expressions ----------------------------------------------------------------------------------------- */

static struct query_expr **bind_list(struct query_binder *b, size_t n, PgQuery__Node *const *nodes)
{
    struct query_expr **args = query_bind_alloc(b, n ? n : 1, sizeof *args);
    for (size_t i = 0; args && i < n; i++)
        if (!(args[i] = query_bind_expr(b, nodes[i])))
            return NULL;
    return args;
}

/* Coerce all to their common type; NULL when there is none. */
static const struct tsf_type *unify(struct query_binder *b, struct query_expr **args, int n, int first, int step)
{
    struct query_expr **some = query_bind_alloc(b, (size_t)n + 1, sizeof *some);
    const struct tsf_type *t = NULL;
    int k = 0;
    if (!some)
        return NULL;
    for (int i = first; i < n; i += step)
        some[k++] = args[i];
    enum tsf_err rc = query_common_type(some, k, &t, b->err);
    if (rc != TSF_OK)
        return query_bind_pass(b, rc);
    for (int i = first; i < n; i += step)
        if (!query_bind_coerce(b, &args[i], t, QUERY_IMPLICIT))
            return NULL;
    return t;
}

static struct query_expr *bind_array(struct query_binder *b, const PgQuery__AArrayExpr *x)
{
    int n = (int)x->n_elements;
    if (n == 0)
        return query_bind_fail(b, "42P18", x->location, "cannot determine type of empty array");
    struct query_expr **args = bind_list(b, x->n_elements, x->elements);
    const struct tsf_type *t = args ? unify(b, args, n, 0, 1) : NULL;
    if (!t)
        return NULL;
    bool constant = true;
    for (int i = 0; i < n; i++)
        constant &= args[i]->kind == QUERY_CONST;
    if (!constant)
        return query_bind_call(b, "array", n, args, x->location);
    struct tsf_builder builder;
    struct tsf_vector view, *list = query_bind_alloc(b, 1, sizeof *list);
    enum tsf_err rc = list ? tsf_builder_init(&builder, t, b->err) : TSF_ERR_NOMEM;
    if (rc != TSF_OK)
        return query_bind_pass(b, rc);
    for (int i = 0; rc == TSF_OK && i < n; i++)
        rc = args[i]->value.is_null ? tsf_builder_null(&builder, b->err) : tsf_builder_value(&builder, &args[i]->value, b->err);
    if (rc == TSF_OK)
        rc = tsf_builder_vector(&builder, b->a, &view, b->err);
    if (rc == TSF_OK)
        rc = tsf_vector_copy(&view, b->a, list, b->err);
    tsf_builder_release(&builder);
    if (rc != TSF_OK)
        return query_bind_pass(b, rc);
    struct tsf_value v = { .type = tsf_type_list(b->a, t, true), .u.list = list };
    return v.type ? make_const(b, &v, x->location) : query_bind_nomem(b);
}

static struct query_expr *bind_subscript(struct query_binder *b, const PgQuery__AIndirection *x)
{
    struct query_expr *e = query_bind_expr(b, x->arg);
    for (size_t i = 0; e && i < x->n_indirection; i++) {
        const PgQuery__Node *n = x->indirection[i];
        if (n->node_case != PG_QUERY__NODE__NODE_A_INDICES || n->a_indices->is_slice || !n->a_indices->uidx)
            return query_bind_unsupported(b, e->location, "array slices and fields of composite values are");
        struct query_expr *index = query_bind_expr(b, n->a_indices->uidx);
        if (!index || !query_bind_coerce(b, &index, TSF_T(INT64), QUERY_ASSIGNMENT))
            return NULL;
        if (e->type->id != TSF_TYPE_LIST)
            return query_bind_fail(b, "42804", e->location, "cannot subscript type %s because it does not support subscripting",
                                   tsf_type_sql_name(e->type, b->a));
        e = call2(b, "array_subscript", e, index, e->location);
    }
    return e;
}

/* ---- conditions ------------------------------------------------------------------------------------------------------ */

struct query_expr *query_bind_bool(struct query_binder *b, const PgQuery__Node *n, const char *clause)
{
    struct query_expr *e = query_bind_expr(b, n);
    if (!e)
        return NULL;
    if (e->type->id != TSF_TYPE_BOOL && e->type != &query_unknown)
        return query_bind_fail(b, "42804", query_bind_location(n), "argument of %s must be type boolean, not type %s", clause,
                               tsf_type_sql_name(e->type, b->a));
    return query_bind_coerce(b, &e, TSF_T(BOOL), QUERY_IMPLICIT) ? e : NULL;
}

static struct query_expr *bind_bool_expr(struct query_binder *b, const PgQuery__BoolExpr *x)
{
    bool is_not = x->boolop == PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR, is_and = x->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR;
    struct query_expr **args = query_bind_alloc(b, x->n_args ? x->n_args : 1, sizeof *args);
    for (size_t i = 0; args && i < x->n_args; i++)
        if (!(args[i] = query_bind_bool(b, x->args[i], is_not ? "NOT" : is_and ? "AND" : "OR")))
            return NULL;
    if (!args || x->n_args == 0)
        return NULL;
    return make(b, is_not ? QUERY_NOT : is_and ? QUERY_AND : QUERY_OR, TSF_T(BOOL), (int)x->n_args, args, x->location);
}

static struct query_expr *bind_null_test(struct query_binder *b, const PgQuery__NullTest *x)
{
    struct query_expr **args = bind_list(b, 1, (PgQuery__Node *const *)&x->arg);
    if (!args)
        return NULL;
    if (args[0]->type == &query_unknown && !query_bind_coerce(b, &args[0], TSF_T(STRING), QUERY_IMPLICIT))
        return NULL;
    struct query_expr *e = make(b, QUERY_IS_NULL, TSF_T(BOOL), 1, args, query_bind_location(x->arg));
    if (e)
        e->negated = x->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NOT_NULL;
    return e;
}

static struct query_expr *bind_bool_test(struct query_binder *b, const PgQuery__BooleanTest *x)
{
    static const struct { int64_t which; bool negated; const char *clause; } kinds[] = {
        [PG_QUERY__BOOL_TEST_TYPE__IS_TRUE] = { 0, false, "IS TRUE" },
        [PG_QUERY__BOOL_TEST_TYPE__IS_NOT_TRUE] = { 0, true, "IS NOT TRUE" },
        [PG_QUERY__BOOL_TEST_TYPE__IS_FALSE] = { 1, false, "IS FALSE" },
        [PG_QUERY__BOOL_TEST_TYPE__IS_NOT_FALSE] = { 1, true, "IS NOT FALSE" },
        [PG_QUERY__BOOL_TEST_TYPE__IS_UNKNOWN] = { 2, false, "IS UNKNOWN" },
        [PG_QUERY__BOOL_TEST_TYPE__IS_NOT_UNKNOWN] = { 2, true, "IS NOT UNKNOWN" },
    };
    unsigned k = (unsigned)x->booltesttype;
    if (k >= TSF_ARRAY_LEN(kinds) || !kinds[k].clause)
        return query_bind_unsupported(b, x->location, "this test is");
    struct query_expr *arg = query_bind_bool(b, x->arg, kinds[k].clause), **args = arg ? pair(b, arg, NULL) : NULL;
    struct query_expr *e = args ? make(b, QUERY_IS_TRUE, TSF_T(BOOL), 1, args, arg->location) : NULL;
    if (e)
        e->value.u.i64 = kinds[k].which, e->negated = kinds[k].negated;
    return e;
}

/* lhs IN (items). All constants of one type with lhs: QUERY_IN; else lhs = item OR ... */
static struct query_expr *make_in(struct query_binder *b, struct query_expr *lhs, int n, struct query_expr **items, bool negated,
                                  int location)
{
    bool constant = true;
    struct query_expr **args = query_bind_alloc(b, (size_t)n + 1, sizeof *args), *e;
    const struct tsf_type *t = NULL;
    if (!args)
        return NULL;
    args[0] = lhs;
    for (int i = 0; i < n; i++) {
        args[i + 1] = items[i];
        constant &= items[i]->kind == QUERY_CONST;
    }
    if (constant && query_common_type(args, n + 1, &t, NULL) == TSF_OK && t) {
        for (int i = 0; i <= n; i++)
            if (!query_bind_coerce(b, &args[i], t, QUERY_IMPLICIT))
                return NULL;
        for (int i = 1; i <= n; i++)
            constant &= args[i]->kind == QUERY_CONST;
        if (constant) {
            if ((e = make(b, QUERY_IN, TSF_T(BOOL), n + 1, args, location)))
                e->negated = negated;
            return e;
        }
    }
    struct query_expr **tests = query_bind_alloc(b, (size_t)n, sizeof *tests);
    for (int i = 0; tests && i < n; i++) {
        struct query_expr *left = i ? copy(b, lhs) : lhs;
        if (!left || !(tests[i] = call2(b, negated ? "<>" : "=", left, items[i], location)))
            return NULL;
    }
    return tests ? query_bind_and(b, negated ? QUERY_AND : QUERY_OR, n, tests) : NULL;
}

static struct query_expr *bind_in(struct query_binder *b, const PgQuery__AExpr *x)
{
    bool negated = x->n_name && query_bind_name(x->name[0]) && strcmp(query_bind_name(x->name[0]), "<>") == 0;
    if (!x->rexpr || x->rexpr->node_case != PG_QUERY__NODE__NODE_LIST)
        return query_bind_unsupported(b, x->location, "this form of IN is");
    struct query_expr *lhs = query_bind_expr(b, x->lexpr);
    struct query_expr **items = lhs ? bind_list(b, x->rexpr->list->n_items, x->rexpr->list->items) : NULL;
    return items ? make_in(b, lhs, (int)x->rexpr->list->n_items, items, negated, x->location) : NULL;
}

static struct query_expr *bind_between(struct query_binder *b, const PgQuery__AExpr *x)
{
    bool negated = x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN || x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
    bool symmetric = x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM || x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
    if (!x->rexpr || x->rexpr->node_case != PG_QUERY__NODE__NODE_LIST || x->rexpr->list->n_items != 2)
        return query_bind_unsupported(b, x->location, "this form of BETWEEN is");
    struct query_expr *v = query_bind_expr(b, x->lexpr), **bounds = v ? bind_list(b, 2, x->rexpr->list->items) : NULL, *out[2];
    if (!bounds)
        return NULL;
    for (int i = 0; i < (symmetric ? 2 : 1); i++) {
        struct query_expr *lo = bounds[i], *hi = bounds[1 - i], *v2 = copy(b, v), *v1 = i ? copy(b, v) : v;
        if (i && (!(lo = copy(b, lo)) || !(hi = copy(b, hi))))
            return NULL;
        if (i == 0 && symmetric && (!(lo = copy(b, lo)) || !(hi = copy(b, hi))))
            return NULL;
        if (!v1 || !v2)
            return NULL;
        struct query_expr *ge = call2(b, negated ? "<" : ">=", v1, lo, x->location);
        struct query_expr *le = ge ? call2(b, negated ? ">" : "<=", v2, hi, x->location) : NULL;
        struct query_expr **both = le ? pair(b, ge, le) : NULL;
        if (!both || !(out[i] = query_bind_and(b, negated ? QUERY_OR : QUERY_AND, 2, both)))
            return NULL;
    }
    if (!symmetric)
        return out[0];
    struct query_expr **both = pair(b, out[0], out[1]);
    return both ? query_bind_and(b, negated ? QUERY_AND : QUERY_OR, 2, both) : NULL;
}

/* x op ANY (array), x op ALL (array). */
static struct query_expr *bind_any(struct query_binder *b, const PgQuery__AExpr *x, const char *op)
{
    bool any = x->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY;
    struct query_expr *lhs = query_bind_expr(b, x->lexpr), *array = lhs ? query_bind_expr(b, x->rexpr) : NULL;
    if (!array)
        return NULL;
    if (array->type == &query_unknown) { /* '{a,b}' */
        const struct tsf_type *t = tsf_type_list(b->a, lhs->type == &query_unknown ? TSF_T(STRING) : lhs->type, true);
        if (!t || !query_bind_coerce(b, &array, t, QUERY_IMPLICIT))
            return NULL;
    }
    if (array->type->id != TSF_TYPE_LIST)
        return query_bind_fail(b, "42809", x->location, "op ANY/ALL (array) requires array on right side");
    bool equals = any && strcmp(op, "=") == 0, differs = !any && strcmp(op, "<>") == 0;
    if (array->kind == QUERY_CONST && !array->value.is_null) {
        const struct tsf_vector *list = array->value.u.list;
        int n = (int)list->length;
        struct query_expr **items = query_bind_alloc(b, (size_t)n + 1, sizeof *items);
        if (!items)
            return NULL;
        for (int i = 0; i < n; i++) {
            struct tsf_value v;
            enum tsf_err rc = tsf_vector_get(list, i, b->a, &v, b->err);
            if (rc != TSF_OK)
                return query_bind_pass(b, rc);
            if (!(items[i] = make_const(b, &v, x->location)))
                return NULL;
        }
        if (n == 0) {
            struct tsf_value v = { .type = TSF_T(BOOL), .u.b = !any };
            return make_const(b, &v, x->location);
        }
        if (equals || differs)
            return make_in(b, lhs, n, items, differs, x->location);
        for (int i = 0; i < n; i++) {
            struct query_expr *left = i ? copy(b, lhs) : lhs;
            bool inverse = op[0] == '!' && op[1] == '~';
            if (!left || !(items[i] = call2(b, inverse ? op + 1 : op, left, items[i], x->location)) ||
                (inverse && !(items[i] = negate(b, items[i]))))
                return NULL;
        }
        return query_bind_and(b, any ? QUERY_OR : QUERY_AND, n, items);
    }
    if (!equals && !differs)
        return query_bind_unsupported(b, x->location, "this operator with ANY or ALL of an array column is");
    struct query_expr *e = call2(b, "array_contains", array, lhs, x->location);
    return differs ? negate(b, e) : e;
}

static struct query_expr *bind_distinct(struct query_binder *b, const PgQuery__AExpr *x, bool negated)
{
    struct query_expr *l = query_bind_expr(b, x->lexpr), *r = l ? query_bind_expr(b, x->rexpr) : NULL;
    struct query_expr *e, *eq = r ? call2(b, "=", l, r, x->location) : NULL; /* for its coercions */
    if (!eq || eq->kind != QUERY_CALL)
        return eq;
    if ((e = make(b, QUERY_DISTINCT_FROM, TSF_T(BOOL), 2, eq->args, x->location)))
        e->negated = negated;
    return e;
}

/* NULLIF(a, b): CASE WHEN a = b THEN NULL ELSE a END */
static struct query_expr *bind_nullif(struct query_binder *b, const PgQuery__AExpr *x)
{
    struct query_expr *l = query_bind_expr(b, x->lexpr), *r = l ? query_bind_expr(b, x->rexpr) : NULL;
    struct query_expr *keep = r ? copy(b, l) : NULL, *eq = keep ? call2(b, "=", l, r, x->location) : NULL;
    struct query_expr **args = eq ? query_bind_alloc(b, 3, sizeof *args) : NULL;
    if (!args)
        return NULL;
    if (keep->type == &query_unknown && !query_bind_coerce(b, &keep, TSF_T(STRING), QUERY_IMPLICIT))
        return NULL;
    args[0] = eq, args[1] = query_bind_null(b, x->location), args[2] = keep;
    if (!args[1] || !query_bind_coerce(b, &args[1], keep->type, QUERY_IMPLICIT))
        return NULL;
    return make(b, QUERY_CASE, keep->type, 3, args, x->location);
}

static struct query_expr *bind_operator(struct query_binder *b, const PgQuery__AExpr *x, const char *op)
{
    static const char *const inverse[] = { "!~~", "!~~*", "!~", "!~*" };
    struct query_expr **args = query_bind_alloc(b, 2, sizeof *args);
    int n = 0;
    if (!args || (x->lexpr && !(args[n++] = query_bind_expr(b, x->lexpr))) || !(args[n++] = query_bind_expr(b, x->rexpr)))
        return NULL;
    if (n == 1 && strcmp(op, "+") == 0 && args[0]->type != &query_unknown)
        return args[0];
    for (size_t i = 0; i < TSF_ARRAY_LEN(inverse); i++)
        if (n == 2 && strcmp(op, inverse[i]) == 0)
            return negate(b, query_bind_call(b, op + 1, n, args, x->location));
    return query_bind_call(b, op, n, args, x->location);
}

static struct query_expr *bind_a_expr(struct query_binder *b, const PgQuery__AExpr *x)
{
    const char *op = x->n_name ? query_bind_name(x->name[x->n_name - 1]) : NULL;
    if (!op)
        return query_bind_unsupported(b, x->location, "this operator is");
    switch (x->kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
    case PG_QUERY__A__EXPR__KIND__AEXPR_LIKE:
    case PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE:
        return bind_operator(b, x, op);
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL:
        return bind_any(b, x, op);
    case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
        return bind_distinct(b, x, false);
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
        return bind_distinct(b, x, true);
    case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF:
        return bind_nullif(b, x);
    case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
        return bind_in(b, x);
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM:
        return bind_between(b, x);
    case PG_QUERY__A__EXPR__KIND__AEXPR_SIMILAR:
        return query_bind_unsupported(b, x->location, "SIMILAR TO is");
    default:
        return query_bind_unsupported(b, x->location, "this operator is");
    }
}

/* ---- CASE, COALESCE, GREATEST, subqueries ---------------------------------------------------------------------------- */

static struct query_expr *bind_case(struct query_binder *b, const PgQuery__CaseExpr *x)
{
    int n = (int)x->n_args * 2 + 1;
    struct query_expr **args = query_bind_alloc(b, (size_t)n, sizeof *args), *arg = NULL;
    if (!args || (x->arg && !(arg = query_bind_expr(b, x->arg))))
        return NULL;
    for (size_t i = 0; i < x->n_args; i++) {
        if (x->args[i]->node_case != PG_QUERY__NODE__NODE_CASE_WHEN)
            return query_bind_unsupported(b, x->location, "this form of CASE is");
        const PgQuery__CaseWhen *w = x->args[i]->case_when;
        if (arg) {
            struct query_expr *subject = copy(b, arg), *value = subject ? query_bind_expr(b, w->expr) : NULL;
            args[2 * i] = value ? call2(b, "=", subject, value, w->location) : NULL;
        } else {
            args[2 * i] = query_bind_bool(b, w->expr, "CASE/WHEN");
        }
        if (!args[2 * i] || !(args[2 * i + 1] = query_bind_expr(b, w->result)))
            return NULL;
    }
    args[n - 1] = x->defresult ? query_bind_expr(b, x->defresult) : query_bind_null(b, x->location);
    if (!args[n - 1])
        return NULL;
    /* PostgreSQL looks at ELSE first, then at the results in order; so does query_common_type with ELSE in front. */
    struct query_expr **results = query_bind_alloc(b, x->n_args + 1, sizeof *results);
    if (!results)
        return NULL;
    results[0] = args[n - 1];
    for (size_t i = 0; i < x->n_args; i++)
        results[i + 1] = args[2 * i + 1];
    const struct tsf_type *t = unify(b, results, (int)x->n_args + 1, 0, 1);
    if (!t)
        return NULL;
    args[n - 1] = results[0];
    for (size_t i = 0; i < x->n_args; i++)
        args[2 * i + 1] = results[i + 1];
    return make(b, QUERY_CASE, t, n, args, x->location);
}

static struct query_expr *bind_coalesce(struct query_binder *b, const PgQuery__CoalesceExpr *x)
{
    struct query_expr **args = bind_list(b, x->n_args, x->args);
    const struct tsf_type *t = args ? unify(b, args, (int)x->n_args, 0, 1) : NULL;
    return t ? make(b, QUERY_COALESCE, t, (int)x->n_args, args, x->location) : NULL;
}

static struct query_expr *bind_min_max(struct query_binder *b, const PgQuery__MinMaxExpr *x)
{
    struct query_expr **args = bind_list(b, x->n_args, x->args);
    if (!args || !unify(b, args, (int)x->n_args, 0, 1))
        return NULL;
    return query_bind_call(b, x->op == PG_QUERY__MIN_MAX_OP__IS_GREATEST ? "greatest" : "least", (int)x->n_args, args, x->location);
}

/* The SELECT of a subquery, bound in a scope of its own. */
static struct query_node *bind_subselect(struct query_binder *b, const PgQuery__SubLink *x)
{
    if (!x->subselect || x->subselect->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return query_bind_unsupported(b, x->location, "this subquery is");
    struct query_aggs *aggs = b->aggs;
    const char *clause = b->clause;
    bool in_agg = b->in_agg;
    int n_visible;
    b->aggs = NULL, b->in_agg = false;
    struct query_node *n = query_bind_select(b, x->subselect->select_stmt, &n_visible);
    b->aggs = aggs, b->clause = clause, b->in_agg = in_agg;
    return n ? query_bind_visible(b, n, n_visible) : NULL;
}

/* EXISTS (q): (SELECT count(*) > 0 FROM q LIMIT 1) */
static struct query_node *exists_plan(struct query_binder *b, struct query_node *q)
{
    struct query_agg_call *call = query_bind_alloc(b, 1, sizeof *call);
    struct query_node *limit = query_node_limit(b, q, 1, 0), *agg, *project;
    bool found = false;
    if (!call || !limit)
        return NULL;
    enum tsf_err rc = query_resolve_aggregate("count", NULL, 0, true, false, false, &b->next_id, b->a, call, &found, b->err);
    if (rc != TSF_OK)
        return query_bind_pass(b, rc);
    if (!(agg = query_node_new(b, QUERY_NODE_AGGREGATE, limit, 1)) || !(project = query_node_new(b, QUERY_NODE_PROJECT, agg, 1)))
        return NULL;
    agg->u.aggregate.n_aggs = 1;
    agg->u.aggregate.aggs = call;
    agg->columns[0] = (struct query_column){ "count", call->type };
    struct tsf_value zero = { .type = TSF_T(INT64) };
    struct query_expr *count = query_bind_column(b, 0, call->type, -1), *none = count ? make_const(b, &zero, -1) : NULL;
    struct query_expr **exprs = query_bind_alloc(b, 1, sizeof *exprs);
    if (!none || !exprs || !(exprs[0] = call2(b, ">", count, none, -1)))
        return NULL;
    project->u.project.exprs = exprs;
    project->columns[0] = (struct query_column){ "exists", TSF_T(BOOL) };
    return project;
}

static struct query_expr *bind_in_subquery(struct query_binder *b, const PgQuery__SubLink *x, struct query_node *q)
{
    struct query_expr *lhs = query_bind_expr(b, x->testexpr);
    struct query_expr *value = lhs ? query_bind_column(b, 0, q->columns[0].type, x->location) : NULL;
    struct query_expr **args = value ? pair(b, lhs, value) : NULL;
    const struct tsf_type *t = args ? unify(b, args, 2, 0, 1) : NULL;
    if (!t)
        return NULL;
    if (args[1]->kind != QUERY_COLUMN) { /* the subquery's values need the cast */
        struct query_node *project = query_node_new(b, QUERY_NODE_PROJECT, q, 1);
        struct query_expr **exprs = project ? query_bind_alloc(b, 1, sizeof *exprs) : NULL;
        if (!exprs)
            return NULL;
        exprs[0] = args[1];
        project->u.project.exprs = exprs;
        project->columns[0] = (struct query_column){ q->columns[0].name, t };
        q = project;
    }
    struct query_expr *e = make(b, QUERY_IN, TSF_T(BOOL), 1, args, x->location);
    if (e)
        e->subquery = q;
    return e;
}

static struct query_expr *bind_sublink(struct query_binder *b, const PgQuery__SubLink *x)
{
    struct query_node *q = bind_subselect(b, x);
    if (!q)
        return NULL;
    switch (x->sub_link_type) {
    case PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK:
        if (!(q = exists_plan(b, q)))
            return NULL;
        break;
    case PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK:
    case PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK:
        if (q->n_columns != 1)
            return query_bind_fail(b, "42601", x->location, q->n_columns ? "subquery must return only one column" : "subquery must return a column");
        if (x->sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK)
            break;
        if (x->n_oper_name && query_bind_name(x->oper_name[0]) && strcmp(query_bind_name(x->oper_name[0]), "=") != 0)
            return query_bind_unsupported(b, x->location, "operators other than = with ANY (subquery) are");
        return bind_in_subquery(b, x, q);
    default:
        return query_bind_unsupported(b, x->location, "this kind of subquery is");
    }
    struct query_expr *e = make(b, QUERY_SUBQUERY, q->columns[0].type, 0, NULL, x->location);
    if (e)
        e->subquery = q;
    return e;
}

static struct query_expr *bind_collate(struct query_binder *b, const PgQuery__CollateClause *x)
{
    const char *name = x->n_collname ? query_bind_name(x->collname[x->n_collname - 1]) : NULL;
    if (!name || (strcmp(name, "C") != 0 && strcmp(name, "POSIX") != 0 && strcmp(name, "default") != 0 && strcmp(name, "ucs_basic") != 0))
        return query_bind_unsupported(b, x->location, "collations other than \"C\" are");
    return query_bind_expr(b, x->arg);
}

static struct query_expr *bind_node(struct query_binder *b, const PgQuery__Node *n)
{
    switch (n->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF: return query_bind_column_ref(b, n->column_ref);
    case PG_QUERY__NODE__NODE_A_CONST: return bind_const(b, n->a_const);
    case PG_QUERY__NODE__NODE_PARAM_REF: return bind_param(b, n->param_ref);
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION: return bind_now(b, n->sqlvalue_function);
    case PG_QUERY__NODE__NODE_TYPE_CAST: return bind_cast(b, n->type_cast);
    case PG_QUERY__NODE__NODE_A_EXPR: return bind_a_expr(b, n->a_expr);
    case PG_QUERY__NODE__NODE_BOOL_EXPR: return bind_bool_expr(b, n->bool_expr);
    case PG_QUERY__NODE__NODE_NULL_TEST: return bind_null_test(b, n->null_test);
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST: return bind_bool_test(b, n->boolean_test);
    case PG_QUERY__NODE__NODE_CASE_EXPR: return bind_case(b, n->case_expr);
    case PG_QUERY__NODE__NODE_COALESCE_EXPR: return bind_coalesce(b, n->coalesce_expr);
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR: return bind_min_max(b, n->min_max_expr);
    case PG_QUERY__NODE__NODE_FUNC_CALL: return query_bind_func(b, n->func_call);
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR: return bind_array(b, n->a_array_expr);
    case PG_QUERY__NODE__NODE_A_INDIRECTION: return bind_subscript(b, n->a_indirection);
    case PG_QUERY__NODE__NODE_SUB_LINK: return bind_sublink(b, n->sub_link);
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE: return bind_collate(b, n->collate_clause);
    case PG_QUERY__NODE__NODE_ROW_EXPR: return query_bind_unsupported(b, n->row_expr->location, "row values are");
    case PG_QUERY__NODE__NODE_GROUPING_FUNC: return query_bind_unsupported(b, n->grouping_func->location, "GROUPING is");
    case PG_QUERY__NODE__NODE_SET_TO_DEFAULT:
        return query_bind_fail(b, "42601", n->set_to_default->location, "DEFAULT is not allowed in this context");
    default: return query_bind_unsupported(b, -1, "this kind of expression is");
    }
}

struct query_expr *query_bind_expr(struct query_binder *b, const PgQuery__Node *n)
{
    if (!n)
        return query_bind_unsupported(b, -1, "this kind of expression is");
    if (b->depth >= QUERY_DEPTH_MAX)
        return query_bind_fail(b, "54001", query_bind_location(n), "the expression is nested too deeply");
    b->depth++;
    struct query_expr *e = bind_node(b, n);
    b->depth--;
    return e;
}
