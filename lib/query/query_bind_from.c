/* FROM: tables, subqueries, CTEs (inlined), VALUES. */
#include "query/query_bind.h"

/* ---- scopes ------------------------------------------------------------------------------------------- */

/* The node's leading n columns become the scope's, under the alias's names. */
static bool scope_set(struct query_binder *b, const struct query_node *n, int n_columns, const char *table,
                      const PgQuery__Alias *alias, size_t n_names, PgQuery__Node *const *names)
{
    struct query_scope *s = b->scope;
    if (alias) {
        table = alias->aliasname;
        if (alias->n_colnames)
            n_names = alias->n_colnames, names = alias->colnames;
    }
    if (n_names > (size_t)n_columns)
        return query_bind_fail(b, "42P10", -1, "table \"%s\" has %d columns available but %zu columns specified",
                               table ? table : "", n_columns, n_names);
    if (!(s->columns = query_bind_alloc(b, (size_t)n_columns + 1, sizeof *s->columns)))
        return false;
    s->n_columns = n_columns;
    for (int i = 0; i < n_columns; i++) {
        const char *name = (size_t)i < n_names ? query_bind_name(names[i]) : NULL;
        s->columns[i] = (struct query_scope_column){ table, name ? name : n->columns[i].name, n->columns[i].type };
    }
    return true;
}

/* ---- tables ---------------------------------------------------------------------------------------------- */

/* Under a tenant binding every scan begins with tenant = 'project'. No SQL text comes near this. */
static bool bind_tenant(struct query_binder *b, struct query_node *scan, const struct query_table_info *info, int location)
{
    const char *project = b->s->opts.project;
    if (!project)
        return true;
    if (info->tenant_field < 0)
        return query_bind_fail(b, "42501", location, "table \"%s\" has no tenant column, so it cannot be read under a project binding",
                               scan->u.scan.name);
    struct tsf_value v = { .type = TSF_T(STRING), .u.s = tsf_str(project) };
    struct query_expr **args = query_bind_alloc(b, 2, sizeof *args), *literal = query_expr_const(&v, -1, &b->next_id, b->a);
    if (!args || !literal)
        return query_bind_nomem(b);
    args[0] = query_bind_column(b, info->tenant_field, scan->columns[info->tenant_field].type, -1);
    args[1] = literal;
    struct query_expr **conjuncts = query_bind_alloc(b, 1, sizeof *conjuncts);
    if (!args[0] || !conjuncts || !(conjuncts[0] = query_bind_call(b, "=", 2, args, -1)))
        return false;
    scan->u.scan.conjuncts = conjuncts;
    scan->u.scan.n_conjuncts = 1;
    return true;
}

struct query_node *query_bind_table(struct query_binder *b, const PgQuery__RangeVar *r, struct query_table_info *info)
{
    if (r->schemaname && *r->schemaname && strcmp(r->schemaname, "public") != 0)
        return query_bind_fail(b, "42P01", r->location, "relation \"%s.%s\" does not exist", r->schemaname, r->relname);
    memset(info, 0, sizeof *info);
    info->tenant_field = -1;
    enum tsf_err rc;
    if (b->s->lookup) {
        rc = b->s->lookup(b->s, tsf_str(r->relname), info, b->err);
    } else if ((rc = query_table_open(b->s, tsf_str(r->relname), &info->table, b->err)) == TSF_OK) {
        info->schema = query_table_schema(info->table);
        info->tenant_field = query_table_tenant_field(info->table);
    }
    if (rc == TSF_ERR_NOT_FOUND) {
        char hint[sizeof b->err->hint] = "";
        if (b->err) {
            memcpy(hint, b->err->hint, sizeof hint);
            tsf_error_reset(b->err);
        }
        query_bind_fail(b, "42P01", r->location, "relation \"%s\" does not exist", r->relname);
        if (hint[0])
            tsf_hint(b->err, "%s", hint);
        return NULL;
    }
    if (rc != TSF_OK)
        return query_bind_pass(b, rc);
    int n = info->schema->n_fields;
    struct query_node *scan = query_node_new(b, QUERY_NODE_SCAN, NULL, n);
    if (!scan)
        return NULL;
    scan->u.scan.table = info->table;
    scan->u.scan.name = r->relname;
    scan->u.scan.limit = -1;
    scan->u.scan.order_column = -1;
    scan->u.scan.fields = query_bind_alloc(b, (size_t)n, sizeof *scan->u.scan.fields);
    scan->u.scan.filter_only = query_bind_alloc(b, (size_t)n, sizeof *scan->u.scan.filter_only);
    if (!scan->u.scan.fields || !scan->u.scan.filter_only)
        return NULL;
    for (int i = 0; i < n; i++) {
        scan->u.scan.fields[i] = i;
        scan->columns[i] = (struct query_column){ info->schema->fields[i].name, info->schema->fields[i].type };
    }
    return bind_tenant(b, scan, info, r->location) ? scan : NULL;
}

/* ---- VALUES -------------------------------------------------------------------------------------------------- */

/* Common types of the columns, as UNION has them. */
static bool unify_rows(struct query_binder *b, struct query_expr ***rows, size_t n_rows, int n, const struct tsf_type **types)
{
    struct query_expr **column = query_bind_alloc(b, n_rows, sizeof *column);
    if (!column)
        return false;
    for (int c = 0; c < n; c++) {
        for (size_t i = 0; i < n_rows; i++)
            column[i] = rows[i][c];
        enum tsf_err rc = query_common_type(column, (int)n_rows, &types[c], b->err);
        if (rc != TSF_OK)
            return query_bind_pass(b, rc);
        if (types[c] == &query_unknown)
            types[c] = TSF_T(STRING);
    }
    return true;
}

bool query_bind_assign(struct query_binder *b, struct query_expr **e, const struct tsf_field *f)
{
    const struct query_expr *from = *e;
    if (from->type == &query_unknown)
        return query_bind_coerce(b, e, f->type, QUERY_ASSIGNMENT);
    struct tsf_error why = TSF_ERROR_INIT;
    if (query_coerce(e, f->type, QUERY_ASSIGNMENT, &b->next_id, b->a, &why) == TSF_OK)
        return true;
    if (strncmp(why.sqlstate, "22", 2) == 0) /* the type would do, the constant does not */
        return query_bind_fail(b, why.sqlstate, from->location, "%s", why.msg);
    return query_bind_fail(b, "42804", from->location, "column \"%s\" is of type %s but expression is of type %s", f->name,
                           tsf_type_sql_name(f->type, b->a), tsf_type_sql_name(from->type, b->a));
}

struct query_node *query_bind_values(struct query_binder *b, size_t n_rows, PgQuery__Node *const *lists,
                                     const struct tsf_field *const *fields, int n_fields)
{
    struct query_expr ***rows = query_bind_alloc(b, n_rows + 1, sizeof *rows);
    int n = -1;
    if (!rows)
        return NULL;
    for (size_t i = 0; i < n_rows; i++) {
        const PgQuery__List *list = lists[i]->node_case == PG_QUERY__NODE__NODE_LIST ? lists[i]->list : NULL;
        int k = list ? (int)list->n_items : 0;
        if (n >= 0 && k != n)
            return query_bind_fail(b, "42601", k ? query_bind_location(list->items[0]) : -1, "VALUES lists must all be the same length");
        n = k;
        if (fields && n > n_fields)
            return query_bind_fail(b, "42601", query_bind_location(list->items[n_fields]), "INSERT has more expressions than target columns");
        if (!(rows[i] = query_bind_alloc(b, (size_t)n + 1, sizeof **rows)))
            return NULL;
        for (int c = 0; c < n; c++) {
            bool is_default = fields && list->items[c]->node_case == PG_QUERY__NODE__NODE_SET_TO_DEFAULT;
            if (!(rows[i][c] = is_default ? query_bind_null(b, -1) : query_bind_expr(b, list->items[c])))
                return NULL;
        }
    }
    const struct tsf_type **own = query_bind_alloc(b, (size_t)TSF_MAX(n, 0) + 1, sizeof *own);
    struct query_node *v = query_node_new(b, QUERY_NODE_VALUES, NULL, TSF_MAX(n, 0));
    if (!own || !v || (!fields && !unify_rows(b, rows, n_rows, v->n_columns, own)))
        return NULL;
    for (int c = 0; c < v->n_columns; c++) {
        const struct tsf_type *t = fields ? fields[c]->type : own[c];
        char *name = tsf_arena_printf(b->a, "column%d", c + 1);
        if (!name)
            return query_bind_nomem(b);
        v->columns[c] = (struct query_column){ name, t };
        for (size_t i = 0; i < n_rows; i++) {
            int at = rows[i][c]->location;
            if (fields ? !query_bind_assign(b, &rows[i][c], fields[c]) : !query_bind_coerce(b, &rows[i][c], t, QUERY_IMPLICIT)) {
                if (b->err && b->err->offset < 0)
                    b->err->offset = at;
                return NULL;
            }
        }
    }
    v->u.values.n_rows = (int64_t)n_rows;
    v->u.values.rows = rows;
    return v;
}

/* ---- items ------------------------------------------------------------------------------------------------------ */

static struct query_node *bind_nested(struct query_binder *b, const PgQuery__Node *q, int *n_visible)
{
    if (!q || q->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return query_bind_unsupported(b, -1, "statements other than SELECT inside of FROM or WITH are");
    struct query_scope *scope = b->scope;
    struct query_aggs *aggs = b->aggs;
    struct query_node *n;
    b->scope = scope->outer; /* siblings are not in sight: no LATERAL */
    b->aggs = NULL;
    n = query_bind_select(b, q->select_stmt, n_visible);
    b->scope = scope;
    b->aggs = aggs;
    return n;
}

static struct query_cte *find_cte(struct query_binder *b, const PgQuery__RangeVar *r)
{
    if (r->schemaname && *r->schemaname)
        return NULL;
    for (struct query_cte *c = b->ctes; c; c = c->next)
        if (strcmp(c->name, r->relname) == 0)
            return c;
    return NULL;
}

static struct query_node *from_relation(struct query_binder *b, const PgQuery__RangeVar *r)
{
    struct query_cte *cte = find_cte(b, r);
    struct query_node *n;
    if (cte) {
        struct query_cte *all = b->ctes;
        int n_visible;
        b->ctes = cte->next;
        n = bind_nested(b, cte->cte->ctequery, &n_visible);
        b->ctes = all;
        return n && scope_set(b, n, n_visible, r->relname, r->alias, cte->cte->n_aliascolnames, cte->cte->aliascolnames) ? n : NULL;
    }
    struct query_table_info info;
    bool system = r->schemaname && strcmp(r->schemaname, "tsf") == 0;
    n = system ? query_bind_system(b, r->relname, NULL, r->location) : query_bind_table(b, r, &info);
    return n && scope_set(b, n, n->n_columns, r->relname, r->alias, 0, NULL) ? n : NULL;
}

/* A function's one column is called like the alias. */
static struct query_node *from_function(struct query_binder *b, const PgQuery__RangeFunction *r)
{
    const char *name = NULL;
    struct query_node *n = query_bind_range_function(b, r, &name);
    if (!n || !scope_set(b, n, n->n_columns, name, r->alias, 0, NULL))
        return NULL;
    if (n->n_columns == 1 && r->alias && r->alias->n_colnames == 0)
        b->scope->columns[0].name = r->alias->aliasname;
    return n;
}

struct query_node *query_bind_from(struct query_binder *b, size_t n_items, PgQuery__Node *const *items)
{
    struct query_node *n;
    if (n_items == 0) { /* one row without columns */
        if (!(n = query_node_new(b, QUERY_NODE_VALUES, NULL, 0)) || !(n->u.values.rows = query_bind_alloc(b, 1, sizeof *n->u.values.rows)))
            return NULL;
        n->u.values.n_rows = 1;
        return n;
    }
    if (n_items > 1)
        return query_bind_unsupported(b, items[1]->node_case == PG_QUERY__NODE__NODE_RANGE_VAR ? items[1]->range_var->location : -1, "joins are");
    switch (items[0]->node_case) {
    case PG_QUERY__NODE__NODE_RANGE_VAR:
        return from_relation(b, items[0]->range_var);
    case PG_QUERY__NODE__NODE_RANGE_SUBSELECT: {
        const PgQuery__RangeSubselect *r = items[0]->range_subselect;
        int n_visible;
        n = bind_nested(b, r->subquery, &n_visible);
        return n && scope_set(b, n, n_visible, NULL, r->alias, 0, NULL) ? n : NULL;
    }
    case PG_QUERY__NODE__NODE_JOIN_EXPR:
        return query_bind_unsupported(b, -1, "joins are");
    case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
        return from_function(b, items[0]->range_function);
    case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
        return query_bind_unsupported(b, items[0]->range_table_sample->location, "TABLESAMPLE is");
    default:
        return query_bind_unsupported(b, -1, "this kind of FROM item is");
    }
}
