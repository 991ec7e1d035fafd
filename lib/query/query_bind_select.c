/*
 * SELECT: FROM -> WHERE -> GROUP BY -> HAVING -> targets -> DISTINCT -> ORDER BY -> LIMIT, one node each where needed.
 *
 * Expressions are first bound over the FROM clause's columns, with aggregate calls as QUERY_AGG_REF. When the SELECT groups,
 * lift() turns them into expressions over the aggregate node's output: what equals a group key becomes that key's column,
 * references become columns behind the keys, and any column left over is PostgreSQL's "must appear in the GROUP BY" error.
 */
#include "query/query_bind.h"

struct target {
    const char *name;
    struct query_expr *expr;
    const PgQuery__Node *node; /* NULL for columns that * stands for */
};
struct order {
    int target;                /* position in targets, visible or hidden */
    bool descending, nulls_first;
    int location;
};
struct select {
    struct query_binder *b;
    const PgQuery__SelectStmt *stmt;
    struct query_node *node;
    int n_targets, n_visible;  /* targets [n_visible, n_targets) serve ORDER BY only */
    size_t cap_targets;
    struct target *targets;
    int n_keys;
    struct query_expr **keys;
    int n_orders;
    struct order *orders;
    struct query_expr *having;
    struct query_aggs aggs;
};

/* ---- targets ---------------------------------------------------------------------------------------------- */

static bool add_target(struct select *s, const char *name, struct query_expr *e, const PgQuery__Node *node)
{
    void *targets = s->targets;
    if (!e)
        return false;
    if (!tsf_arena_grow(s->b->a, &targets, &s->cap_targets, (size_t)s->n_targets + 1, sizeof *s->targets))
        return query_bind_nomem(s->b);
    s->targets = targets;
    s->targets[s->n_targets++] = (struct target){ name, e, node };
    return true;
}

static bool add_star(struct select *s, const PgQuery__ColumnRef *r)
{
    struct query_binder *b = s->b;
    const char *table = r->n_fields >= 2 ? query_bind_name(r->fields[r->n_fields - 2]) : NULL;
    bool any = false;
    if (b->scope->n_columns == 0)
        return query_bind_fail(b, "42601", r->location, "SELECT * with no tables specified is not valid");
    for (int i = 0; i < b->scope->n_columns; i++) {
        const struct query_scope_column *c = &b->scope->columns[i];
        if (table && (!c->table || strcmp(c->table, table) != 0))
            continue;
        any = true;
        if (!add_target(s, c->name, query_bind_column(b, i, c->type, r->location), NULL))
            return false;
    }
    if (!any)
        return query_bind_fail(b, "42P01", r->location, "missing FROM-clause entry for table \"%s\"", table);
    return true;
}

static bool is_star(const PgQuery__Node *n)
{
    return n && n->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && n->column_ref->n_fields &&
           n->column_ref->fields[n->column_ref->n_fields - 1]->node_case == PG_QUERY__NODE__NODE_A_STAR;
}

static bool bind_targets(struct select *s)
{
    struct query_binder *b = s->b;
    b->clause = "SELECT", b->aggs = &s->aggs;
    for (size_t i = 0; i < s->stmt->n_target_list; i++) {
        const PgQuery__ResTarget *t = s->stmt->target_list[i]->res_target;
        if (s->stmt->target_list[i]->node_case != PG_QUERY__NODE__NODE_RES_TARGET)
            return query_bind_unsupported(b, -1, "this kind of result column is");
        if (is_star(t->val)) {
            if (!add_star(s, t->val->column_ref))
                return false;
            continue;
        }
        struct query_expr *e = query_bind_expr(b, t->val);
        if (!e || (e->type == &query_unknown && !query_bind_coerce(b, &e, TSF_T(STRING), QUERY_IMPLICIT)))
            return false;
        if (!add_target(s, t->name && *t->name ? t->name : query_bind_output_name(t->val), e, t->val))
            return false;
    }
    s->n_visible = s->n_targets;
    return true;
}

/* ---- names and ordinals of GROUP BY and ORDER BY --------------------------------------------------------------- */

/* Integer literal: an ordinal. 0 = it is none; -1 = failed. */
static int ordinal(struct select *s, const PgQuery__Node *n, const char *clause)
{
    if (n->node_case != PG_QUERY__NODE__NODE_A_CONST)
        return 0;
    const PgQuery__AConst *c = n->a_const;
    if (c->isnull || c->val_case != PG_QUERY__A__CONST__VAL_IVAL) {
        query_bind_fail(s->b, "42601", c->location, "non-integer constant in %s", clause);
        return -1;
    }
    if (c->ival->ival < 1 || c->ival->ival > s->n_visible) {
        query_bind_fail(s->b, "42P10", c->location, "%s position %d is not in select list", clause, c->ival->ival);
        return -1;
    }
    return c->ival->ival;
}

static const char *plain_name(const PgQuery__Node *n)
{
    return n->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && n->column_ref->n_fields == 1 ? query_bind_name(n->column_ref->fields[0]) : NULL;
}

/* Result column of that name: position, -1 none, -2 failed. */
static int target_named(struct select *s, const char *name, const char *clause, int location)
{
    int at = -1;
    for (int i = 0; i < s->n_visible; i++) {
        if (strcmp(s->targets[i].name, name) != 0)
            continue;
        if (at >= 0 && !query_expr_equal(s->targets[at].expr, s->targets[i].expr)) {
            query_bind_fail(s->b, "42702", location, "%s \"%s\" is ambiguous", clause, name);
            return -2;
        }
        if (at < 0)
            at = i;
    }
    return at;
}

static bool contains_agg(const struct query_expr *e)
{
    if (e->kind == QUERY_AGG_REF)
        return true;
    for (int i = 0; i < e->n_args; i++)
        if (contains_agg(e->args[i]))
            return true;
    return false;
}

static struct query_expr *group_key(struct select *s, const PgQuery__Node *n)
{
    struct query_binder *b = s->b;
    int at = ordinal(s, n, "GROUP BY");
    if (at < 0)
        return NULL;
    const char *name = plain_name(n);
    if (name && query_scope_find(b->scope, NULL, name) == -1) { /* the table's column comes first */
        int t = target_named(s, name, "GROUP BY", query_bind_location(n));
        if (t == -2)
            return NULL;
        at = t + 1;
    }
    struct query_expr *e = at ? query_expr_copy(s->targets[at - 1].expr, NULL, &b->next_id, b->a) : query_bind_expr(b, n);
    if (e && contains_agg(e))
        return query_bind_fail(b, "42803", query_bind_location(n), "aggregate functions are not allowed in GROUP BY");
    if (e && e->type == &query_unknown && !query_bind_coerce(b, &e, TSF_T(STRING), QUERY_IMPLICIT))
        return NULL;
    return e;
}

static bool bind_group(struct select *s)
{
    struct query_binder *b = s->b;
    b->clause = "GROUP BY", b->aggs = NULL;
    if (!(s->keys = query_bind_alloc(b, s->stmt->n_group_clause + 1, sizeof *s->keys)))
        return false;
    for (size_t i = 0; i < s->stmt->n_group_clause; i++) {
        const PgQuery__Node *n = s->stmt->group_clause[i];
        if (n->node_case == PG_QUERY__NODE__NODE_GROUPING_SET) {
            if (n->grouping_set->kind == PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_EMPTY)
                continue; /* GROUP BY (): one group */
            return query_bind_unsupported(b, n->grouping_set->location, "GROUPING SETS, ROLLUP and CUBE are");
        }
        struct query_expr *key = group_key(s, n);
        if (!key)
            return false;
        bool known = false;
        for (int k = 0; k < s->n_keys; k++)
            known |= query_expr_equal(s->keys[k], key);
        if (!known)
            s->keys[s->n_keys++] = key;
    }
    return true;
}

static int order_target(struct select *s, const PgQuery__Node *n)
{
    struct query_binder *b = s->b;
    int at = ordinal(s, n, "ORDER BY");
    if (at)
        return at < 0 ? -1 : at - 1;
    const char *name = plain_name(n);
    if (name) {
        at = target_named(s, name, "ORDER BY", query_bind_location(n));
        if (at != -1)
            return at < 0 ? -1 : at;
    }
    b->clause = "ORDER BY", b->aggs = &s->aggs;
    struct query_expr *e = query_bind_expr(b, n);
    if (!e || (e->type == &query_unknown && !query_bind_coerce(b, &e, TSF_T(STRING), QUERY_IMPLICIT)))
        return -1;
    for (int i = 0; i < s->n_targets; i++)
        if (query_expr_equal(s->targets[i].expr, e))
            return i;
    if (s->stmt->n_distinct_clause) {
        query_bind_fail(b, "42P10", query_bind_location(n), "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
        return -1;
    }
    return add_target(s, "?sort?", e, n) ? s->n_targets - 1 : -1;
}

static bool bind_order(struct select *s)
{
    struct query_binder *b = s->b;
    if (!(s->orders = query_bind_alloc(b, s->stmt->n_sort_clause + 1, sizeof *s->orders)))
        return false;
    for (size_t i = 0; i < s->stmt->n_sort_clause; i++) {
        const PgQuery__SortBy *o = s->stmt->sort_clause[i]->sort_by;
        if (s->stmt->sort_clause[i]->node_case != PG_QUERY__NODE__NODE_SORT_BY || o->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_USING)
            return query_bind_unsupported(b, -1, "ORDER BY ... USING is");
        struct order *k = &s->orders[s->n_orders++];
        k->location = query_bind_location(o->node);
        if ((k->target = order_target(s, o->node)) < 0)
            return false;
        k->descending = o->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC;
        k->nulls_first = o->sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST ||
                         (o->sortby_nulls != PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_LAST && k->descending);
    }
    return true;
}

/* ---- grouping ----------------------------------------------------------------------------------------------------- */

static struct query_expr *lift(struct select *s, struct query_expr *e)
{
    struct query_binder *b = s->b;
    for (int k = 0; k < s->n_keys; k++)
        if (query_expr_equal(s->keys[k], e))
            return query_bind_column(b, k, e->type, e->location);
    if (e->kind == QUERY_AGG_REF)
        return query_bind_column(b, s->n_keys + e->column, e->type, e->location);
    if (e->kind == QUERY_COLUMN) {
        const struct query_scope_column *c = &b->scope->columns[e->column];
        return query_bind_fail(b, "42803", e->location,
                               "column \"%s%s%s\" must appear in the GROUP BY clause or be used in an aggregate function",
                               c->table ? c->table : "", c->table ? "." : "", c->name);
    }
    for (int i = 0; i < e->n_args; i++)
        if (!(e->args[i] = lift(s, e->args[i])))
            return NULL;
    return e;
}

static bool aggregate(struct select *s)
{
    struct query_binder *b = s->b;
    if (s->n_keys == 0 && s->aggs.n == 0 && !s->having && s->stmt->n_group_clause == 0)
        return true;
    struct query_node *n = query_node_new(b, QUERY_NODE_AGGREGATE, s->node, s->n_keys + s->aggs.n);
    if (!n)
        return false;
    n->u.aggregate.n_keys = s->n_keys;
    n->u.aggregate.keys = s->keys;
    n->u.aggregate.n_aggs = s->aggs.n;
    n->u.aggregate.aggs = s->aggs.calls;
    for (int k = 0; k < s->n_keys; k++) {
        const struct query_expr *key = s->keys[k];
        const char *name = key->kind == QUERY_COLUMN ? b->scope->columns[key->column].name : key->kind == QUERY_CALL ? key->fn->name : "key";
        n->columns[k] = (struct query_column){ name, key->type };
    }
    for (int k = 0; k < s->aggs.n; k++)
        n->columns[s->n_keys + k] = (struct query_column){ s->aggs.calls[k].agg ? s->aggs.calls[k].agg->name : "agg", s->aggs.calls[k].type };
    for (int i = 0; i < s->n_targets; i++)
        if (!(s->targets[i].expr = lift(s, s->targets[i].expr)))
            return false;
    s->node = n;
    if (s->having) {
        if (!(s->having = lift(s, s->having)) || !(s->node = query_node_filter(b, n, s->having)))
            return false;
    }
    return true;
}

/* ---- what follows the targets ------------------------------------------------------------------------------------------ */

static bool project(struct select *s)
{
    struct query_binder *b = s->b;
    struct query_node *n = query_node_new(b, QUERY_NODE_PROJECT, s->node, s->n_targets);
    if (!n || !(n->u.project.exprs = query_bind_alloc(b, (size_t)s->n_targets + 1, sizeof *n->u.project.exprs)))
        return false;
    for (int i = 0; i < s->n_targets; i++) {
        n->u.project.exprs[i] = s->targets[i].expr;
        n->columns[i] = (struct query_column){ s->targets[i].name, s->targets[i].expr->type };
    }
    s->node = n;
    return true;
}

static bool distinct(struct select *s)
{
    struct query_binder *b = s->b;
    if (s->stmt->n_distinct_clause == 0)
        return true;
    if (s->stmt->distinct_clause[0]->node_case != PG_QUERY__NODE__NODE__NOT_SET)
        return query_bind_unsupported(b, query_bind_location(s->stmt->distinct_clause[0]), "SELECT DISTINCT ON is");
    struct query_node *n = query_node_new(b, QUERY_NODE_AGGREGATE, s->node, s->node->n_columns);
    if (!n || !(n->u.aggregate.keys = query_bind_alloc(b, (size_t)n->n_columns + 1, sizeof *n->u.aggregate.keys)))
        return false;
    n->u.aggregate.n_keys = n->n_columns;
    for (int i = 0; i < n->n_columns; i++) {
        n->columns[i] = s->node->columns[i];
        if (!(n->u.aggregate.keys[i] = query_bind_column(b, i, n->columns[i].type, -1)))
            return false;
    }
    s->node = n;
    return true;
}

static bool sort(struct select *s)
{
    struct query_binder *b = s->b;
    if (s->n_orders == 0)
        return true;
    struct query_node *n = query_node_new(b, QUERY_NODE_SORT, s->node, s->node->n_columns);
    if (!n || !(n->u.sort.keys = query_bind_alloc(b, (size_t)s->n_orders, sizeof *n->u.sort.keys)))
        return false;
    memcpy(n->columns, s->node->columns, (size_t)n->n_columns * sizeof *n->columns);
    n->u.sort.n_keys = s->n_orders;
    n->u.sort.limit = -1;
    for (int i = 0; i < s->n_orders; i++) {
        const struct order *o = &s->orders[i];
        const struct tsf_type *t = s->node->columns[o->target].type;
        if (t->id == TSF_TYPE_STRUCT || t->id == TSF_TYPE_MAP)
            return query_bind_fail(b, "42883", o->location, "could not identify an ordering operator for type %s", tsf_type_sql_name(t, b->a));
        struct query_expr *e = query_bind_column(b, o->target, t, o->location);
        if (!e)
            return false;
        n->u.sort.keys[i] = (struct query_sort_key){ e, o->descending, o->nulls_first };
    }
    s->node = n;
    return true;
}

/* LIMIT or OFFSET: a constant by now, or -1 for none (NULL, ALL). */
static bool bound(struct query_binder *b, const PgQuery__Node *n, const char *what, const char *sqlstate, int64_t none, int64_t *out)
{
    struct query_scope nothing = { 0 }, *scope = b->scope;
    struct tsf_value v;
    *out = none;
    if (!n)
        return true;
    b->clause = what, b->aggs = NULL;
    b->scope = &nothing;
    struct query_expr *e = query_bind_expr(b, n);
    b->scope = scope;
    if (!e || !query_bind_coerce(b, &e, TSF_T(INT64), QUERY_ASSIGNMENT))
        return false;
    if (e->kind == QUERY_SUBQUERY)
        return query_bind_unsupported(b, e->location, "subqueries in LIMIT and OFFSET are");
    enum tsf_err rc = query_eval_const(e, b->now_us, b->a, &v, b->err);
    if (rc != TSF_OK)
        return query_bind_pass(b, rc);
    if (v.is_null)
        return true;
    if (v.u.i64 < 0)
        return query_bind_fail(b, sqlstate, query_bind_location(n), "%s must not be negative", what);
    *out = v.u.i64;
    return true;
}

static bool limit(struct select *s)
{
    struct query_binder *b = s->b;
    int64_t count, offset;
    if (s->stmt->limit_option == PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES)
        return query_bind_unsupported(b, -1, "WITH TIES is");
    if (!bound(b, s->stmt->limit_count, "LIMIT", "2201W", -1, &count) || !bound(b, s->stmt->limit_offset, "OFFSET", "2201X", 0, &offset))
        return false;
    if (count < 0 && offset == 0)
        return true;
    return (s->node = query_node_limit(b, s->node, count, offset)) != NULL;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------------- */

static bool refuse(struct query_binder *b, const PgQuery__SelectStmt *s)
{
    const char *what = s->op == PG_QUERY__SET_OPERATION__SETOP_UNION ? "UNION is" :
                       s->op == PG_QUERY__SET_OPERATION__SETOP_INTERSECT ? "INTERSECT is" :
                       s->op == PG_QUERY__SET_OPERATION__SETOP_EXCEPT ? "EXCEPT is" :
                       s->into_clause ? "SELECT INTO is" : s->n_locking_clause ? "FOR UPDATE and FOR SHARE are" :
                       s->n_window_clause ? "window functions are" : NULL;
    if (what)
        query_bind_unsupported(b, -1, what);
    return what != NULL;
}

static bool with(struct query_binder *b, const PgQuery__WithClause *w)
{
    if (!w)
        return true;
    if (w->recursive)
        return query_bind_unsupported(b, w->location, "WITH RECURSIVE is");
    for (size_t i = 0; i < w->n_ctes; i++) {
        const PgQuery__CommonTableExpr *x = w->ctes[i]->node_case == PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR ? w->ctes[i]->common_table_expr : NULL;
        struct query_cte *c = x ? query_bind_alloc(b, 1, sizeof *c) : NULL;
        if (!c)
            return false;
        *c = (struct query_cte){ b->ctes, x->ctename, x };
        b->ctes = c;
    }
    return true;
}

static bool select_values(struct select *s)
{
    struct query_binder *b = s->b;
    b->clause = "VALUES", b->aggs = NULL;
    if (!(s->node = query_bind_values(b, s->stmt->n_values_lists, s->stmt->values_lists, NULL, 0)))
        return false;
    struct query_scope_column *columns = query_bind_alloc(b, (size_t)s->node->n_columns + 1, sizeof *columns);
    if (!columns)
        return false;
    for (int i = 0; i < s->node->n_columns; i++)
        columns[i] = (struct query_scope_column){ NULL, s->node->columns[i].name, s->node->columns[i].type };
    b->scope->n_columns = s->node->n_columns;
    b->scope->columns = columns;
    for (int i = 0; i < s->node->n_columns; i++)
        if (!add_target(s, columns[i].name, query_bind_column(b, i, columns[i].type, -1), NULL))
            return false;
    s->n_visible = s->n_targets;
    return bind_order(s) && project(s) && sort(s) && limit(s);
}

static bool select_query(struct select *s)
{
    struct query_binder *b = s->b;
    const PgQuery__SelectStmt *stmt = s->stmt;
    if (!(s->node = query_bind_from(b, stmt->n_from_clause, stmt->from_clause)))
        return false;
    if (stmt->where_clause) {
        b->clause = "WHERE", b->aggs = NULL;
        struct query_expr *e = query_bind_bool(b, stmt->where_clause, "WHERE");
        if (!e || !(s->node = query_node_filter(b, s->node, e)))
            return false;
    }
    if (!bind_targets(s) || !bind_group(s))
        return false;
    if (stmt->having_clause) {
        b->clause = "HAVING", b->aggs = &s->aggs;
        if (!(s->having = query_bind_bool(b, stmt->having_clause, "HAVING")))
            return false;
    }
    return bind_order(s) && aggregate(s) && project(s) && distinct(s) && sort(s) && limit(s);
}

struct query_node *query_bind_select(struct query_binder *b, const PgQuery__SelectStmt *stmt, int *n_visible_out)
{
    struct query_scope scope = { .outer = b->scope };
    struct select s = { .b = b, .stmt = stmt };
    struct query_cte *ctes = b->ctes;
    struct query_aggs *aggs = b->aggs;
    const char *clause = b->clause;
    bool in_agg = b->in_agg, ok;
    if (refuse(b, stmt))
        return NULL;
    if (b->depth >= QUERY_DEPTH_MAX || ++b->n_selects > 1000)
        return query_bind_fail(b, "54001", -1, "the statement has too many subqueries");
    b->depth++;
    b->scope = &scope;
    b->in_agg = false;
    ok = with(b, stmt->with_clause) && (stmt->n_values_lists ? select_values(&s) : select_query(&s));
    b->depth--;
    b->scope = scope.outer;
    b->ctes = ctes;
    b->aggs = aggs, b->clause = clause, b->in_agg = in_agg;
    if (!ok)
        return NULL;
    *n_visible_out = s.n_visible;
    return s.node;
}

enum tsf_err query_bind(struct query_session *session, const PgQuery__SelectStmt *stmt, int64_t now_us, struct query_plan *out,
                        struct tsf_error *err)
{
    struct query_binder b = { .s = session, .a = &session->stmt, .err = err, .now_us = now_us };
    int n_visible = 0;
    struct query_node *root = query_bind_select(&b, stmt, &n_visible);
    if (!root)
        return b.rc == TSF_OK ? tsf_fail_nomem(err) : b.rc;
    *out = (struct query_plan){ .root = root, .n_exprs = b.next_id, .now_us = now_us, .n_output = n_visible };
    return TSF_OK;
}
