/* INSERT: a plan whose columns are the table's fields in order; what the statement does not name is NULL. */
#include <strings.h>

#include "query/query_bind.h"

static int field_named(const struct tsf_schema *s, const char *name)
{
    return tsf_schema_find(s, tsf_str(name));
}

/* targets[i] = field of the i-th inserted value. */
static int *bind_targets(struct query_binder *b, const PgQuery__InsertStmt *stmt, const struct query_table_info *info, int *n_out)
{
    int n_fields = info->schema->n_fields;
    int n = stmt->n_cols ? (int)stmt->n_cols : n_fields;
    bool *taken = query_bind_alloc(b, (size_t)n_fields + 1, sizeof *taken);
    int *targets = query_bind_alloc(b, (size_t)n + 1, sizeof *targets);
    if (!taken || !targets)
        return NULL;
    for (int i = 0; i < n; i++) {
        targets[i] = i;
        if (!stmt->n_cols)
            continue;
        const PgQuery__ResTarget *r = stmt->cols[i]->node_case == PG_QUERY__NODE__NODE_RES_TARGET ? stmt->cols[i]->res_target : NULL;
        if (!r || r->n_indirection)
            return query_bind_unsupported(b, r ? r->location : -1, "inserting into parts of a column is");
        if ((targets[i] = field_named(info->schema, r->name)) < 0)
            return query_bind_fail(b, "42703", r->location, "column \"%s\" of relation \"%s\" does not exist", r->name, stmt->relation->relname);
        if (taken[targets[i]])
            return query_bind_fail(b, "42701", r->location, "column \"%s\" specified more than once", r->name);
        taken[targets[i]] = true;
    }
    *n_out = n;
    return targets;
}

/* Literals of VALUES take the target's type at once; the values of a SELECT are cast as in an assignment. */
static struct query_node *bind_source(struct query_binder *b, const PgQuery__InsertStmt *stmt, const struct query_table_info *info,
                                      const int *targets, int n_targets, int *n_out)
{
    const PgQuery__SelectStmt *q = stmt->select_stmt && stmt->select_stmt->node_case == PG_QUERY__NODE__NODE_SELECT_STMT ?
                                   stmt->select_stmt->select_stmt : NULL;
    if (!q)
        return query_bind_unsupported(b, -1, "INSERT ... DEFAULT VALUES is");
    if (q->n_values_lists && !q->n_sort_clause && !q->limit_count && !q->limit_offset && !q->with_clause) {
        struct query_scope nothing = { 0 };
        const struct tsf_field **fields = query_bind_alloc(b, (size_t)n_targets + 1, sizeof *fields);
        if (!fields)
            return NULL;
        for (int i = 0; i < n_targets; i++)
            fields[i] = &info->schema->fields[targets[i]];
        b->scope = &nothing;
        b->clause = "VALUES";
        struct query_node *v = query_bind_values(b, q->n_values_lists, q->values_lists, fields, n_targets);
        b->scope = NULL;
        if (v)
            *n_out = v->n_columns;
        return v;
    }
    return query_bind_select(b, q, n_out);
}

static struct query_expr *insert_value(struct query_binder *b, const struct query_node *source, int at, const struct tsf_field *f)
{
    const struct tsf_type *from = source->columns[at].type;
    struct query_expr *e = query_bind_column(b, at, from, -1);
    /* Text from a SELECT is parsed as the column's type: literals there have become text already. */
    bool text = from->id == TSF_TYPE_STRING && source->kind != QUERY_NODE_VALUES;
    if (!e || tsf_type_eq(from, f->type))
        return e;
    return (text ? query_bind_coerce(b, &e, f->type, QUERY_EXPLICIT) : query_bind_assign(b, &e, f)) ? e : NULL;
}

static struct query_node *bind_insert(struct query_binder *b, const PgQuery__InsertStmt *stmt, struct query_insert *out)
{
    int n_targets = 0, n_values = 0;
    if (stmt->on_conflict_clause)
        return query_bind_unsupported(b, stmt->on_conflict_clause->location, "INSERT ... ON CONFLICT is");
    if (stmt->n_returning_list)
        return query_bind_unsupported(b, query_bind_location(stmt->returning_list[0]), "RETURNING is");
    if (stmt->with_clause)
        return query_bind_unsupported(b, stmt->with_clause->location, "WITH before INSERT is");
    struct query_node *scan = query_bind_table(b, stmt->relation, &out->table);
    int *targets = scan ? bind_targets(b, stmt, &out->table, &n_targets) : NULL;
    struct query_node *source = targets ? bind_source(b, stmt, &out->table, targets, n_targets, &n_values) : NULL;
    if (!source)
        return NULL;
    if (n_values > n_targets)
        return query_bind_fail(b, "42601", -1, "INSERT has more expressions than target columns");
    if (n_values < n_targets && stmt->n_cols)
        return query_bind_fail(b, "42601", -1, "INSERT has more target columns than expressions");
    const struct tsf_schema *schema = out->table.schema;
    struct query_node *n = query_node_new(b, QUERY_NODE_PROJECT, source, schema->n_fields);
    if (!n || !(n->u.project.exprs = query_bind_alloc(b, (size_t)schema->n_fields + 1, sizeof *n->u.project.exprs)))
        return NULL;
    for (int i = 0; i < n_values; i++)
        if (!(n->u.project.exprs[targets[i]] = insert_value(b, source, i, &schema->fields[targets[i]])))
            return NULL;
    for (int f = 0; f < schema->n_fields; f++) {
        n->columns[f] = (struct query_column){ schema->fields[f].name, schema->fields[f].type };
        struct query_expr **e = &n->u.project.exprs[f];
        if (*e)
            continue;
        /* Under a tenant binding, rows that do not say whose they are belong to the tenant. */
        if (b->s->opts.project && f == out->table.tenant_field) {
            struct tsf_value v = { .type = TSF_T(STRING), .u.s = tsf_str(b->s->opts.project) };
            *e = query_expr_const(&v, -1, &b->next_id, b->a);
        } else {
            *e = query_bind_null(b, -1);
        }
        if (!*e || !query_bind_coerce(b, e, schema->fields[f].type, QUERY_ASSIGNMENT))
            return query_bind_nomem(b);
    }
    out->name = stmt->relation->relname;
    return n;
}

enum tsf_err query_bind_insert(struct query_session *session, const PgQuery__InsertStmt *stmt, int64_t now_us,
                               struct query_insert *out, struct tsf_error *err)
{
    struct query_binder b = { .s = session, .a = &session->stmt, .err = err, .now_us = now_us };
    memset(out, 0, sizeof *out);
    struct query_node *root = bind_insert(&b, stmt, out);
    if (!root)
        return b.rc == TSF_OK ? tsf_fail_nomem(err) : b.rc;
    out->plan = (struct query_plan){ .root = root, .n_exprs = b.next_id, .now_us = now_us, .n_output = root->n_columns };
    return TSF_OK;
}
