/* Names: columns in scope, the nearest name to a wrong one, what result columns are called. */
#include <strings.h>

#include "query/query_bind.h"

int query_scope_find(const struct query_scope *s, const char *table, const char *name)
{
    int found = -1;
    for (int i = 0; i < s->n_columns; i++) {
        const struct query_scope_column *c = &s->columns[i];
        if (strcmp(c->name, name) != 0 || (table && (!c->table || strcmp(c->table, table) != 0)))
            continue;
        if (found >= 0)
            return -2;
        found = i;
    }
    if (found >= 0)
        return found;
    /* Delta's names keep their case, SQL's fold to lower case unless quoted: a caseless match serves when it is the only one. */
    for (int i = 0; i < s->n_columns; i++) {
        const struct query_scope_column *c = &s->columns[i];
        if (strcasecmp(c->name, name) != 0 || (table && (!c->table || strcmp(c->table, table) != 0)))
            continue;
        if (found >= 0)
            return -2;
        found = i;
    }
    return found;
}

static int edit_distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    int row[MAX + 1];
    size_t na = strlen(a), nb = strlen(b);
    if (na > MAX || nb > MAX)
        return 1000;
    for (size_t j = 0; j <= nb; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int replace = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = TSF_MIN(replace, TSF_MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[nb];
}

static void hint_nearest(struct query_binder *b, const char *name)
{
    int best = 1000;
    const char *nearest = NULL;
    for (int i = 0; i < b->scope->n_columns; i++) {
        int d = edit_distance(name, b->scope->columns[i].name);
        if (d < best)
            best = d, nearest = b->scope->columns[i].name;
    }
    if (nearest && best <= 1 + (int)strlen(name) / 3)
        tsf_hint(b->err, "Perhaps you meant to reference the column \"%s\".", nearest);
}

static bool table_in(const struct query_scope *s, const char *table)
{
    for (int i = 0; i < s->n_columns; i++)
        if (s->columns[i].table && strcmp(s->columns[i].table, table) == 0)
            return true;
    return false;
}

struct query_expr *query_bind_column_ref(struct query_binder *b, const PgQuery__ColumnRef *r)
{
    const char *parts[4];
    if (r->n_fields < 1 || r->n_fields > 3)
        return query_bind_fail(b, "42601", r->location, "improper qualified name (too many dotted names)");
    for (size_t i = 0; i < r->n_fields; i++)
        if (!(parts[i] = query_bind_name(r->fields[i])))
            return query_bind_fail(b, "42601", r->location, "\"*\" is not allowed here");
    const char *name = parts[r->n_fields - 1], *table = r->n_fields > 1 ? parts[r->n_fields - 2] : NULL;
    int at = query_scope_find(b->scope, table, name);
    if (at >= 0)
        return query_bind_column(b, at, b->scope->columns[at].type, r->location);
    if (at == -2)
        return query_bind_fail(b, "42702", r->location, "column reference \"%s\" is ambiguous", name);
    for (const struct query_scope *s = b->scope->outer; s; s = s->outer)
        if (query_scope_find(s, table, name) >= 0)
            return query_bind_unsupported(b, r->location, "subqueries that refer to columns outside of them are");
    if (table && !table_in(b->scope, table))
        return query_bind_fail(b, "42P01", r->location, "missing FROM-clause entry for table \"%s\"", table);
    query_bind_fail(b, "42703", r->location, table ? "column %s%s%s does not exist" : "column \"%s%s%s\" does not exist",
                    table ? table : "", table ? "." : "", name);
    hint_nearest(b, name);
    return NULL;
}

/* PostgreSQL's FigureColname: strength 2 is a name worth keeping, 1 a guess, 0 none. */
static int figure_name(const PgQuery__Node *n, const char **name)
{
    if (!n)
        return 0;
    switch (n->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF: {
        const PgQuery__ColumnRef *r = n->column_ref;
        const char *last = r->n_fields ? query_bind_name(r->fields[r->n_fields - 1]) : NULL;
        if (last)
            *name = last;
        return last ? 2 : 0;
    }
    case PG_QUERY__NODE__NODE_A_INDIRECTION:
        return figure_name(n->a_indirection->arg, name);
    case PG_QUERY__NODE__NODE_FUNC_CALL: {
        const PgQuery__FuncCall *f = n->func_call;
        const char *last = f->n_funcname ? query_bind_name(f->funcname[f->n_funcname - 1]) : NULL;
        if (last)
            *name = last;
        return last ? 2 : 0;
    }
    case PG_QUERY__NODE__NODE_A_EXPR:
        if (n->a_expr->kind != PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF)
            return 0;
        *name = "nullif";
        return 2;
    case PG_QUERY__NODE__NODE_TYPE_CAST: {
        int strength = figure_name(n->type_cast->arg, name);
        const PgQuery__TypeName *t = n->type_cast->type_name;
        if (strength <= 1 && t && t->n_names && query_bind_name(t->names[t->n_names - 1])) {
            *name = query_bind_name(t->names[t->n_names - 1]);
            return 1;
        }
        return strength;
    }
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
        return figure_name(n->collate_clause->arg, name);
    case PG_QUERY__NODE__NODE_SUB_LINK: {
        const PgQuery__SubLink *l = n->sub_link;
        if (l->sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK) {
            *name = "exists";
            return 2;
        }
        if (l->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK) {
            *name = "array";
            return 2;
        }
        const PgQuery__Node *q = l->subselect;
        if (l->sub_link_type != PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK || !q || q->node_case != PG_QUERY__NODE__NODE_SELECT_STMT ||
            q->select_stmt->n_target_list == 0 || q->select_stmt->target_list[0]->node_case != PG_QUERY__NODE__NODE_RES_TARGET)
            return 0;
        const PgQuery__ResTarget *t = q->select_stmt->target_list[0]->res_target;
        if (t->name && *t->name) {
            *name = t->name;
            return 2;
        }
        return figure_name(t->val, name);
    }
    case PG_QUERY__NODE__NODE_CASE_EXPR: {
        int strength = figure_name(n->case_expr->defresult, name);
        if (strength <= 1) {
            *name = "case";
            return 1;
        }
        return strength;
    }
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
        *name = "array";
        return 2;
    case PG_QUERY__NODE__NODE_ROW_EXPR:
        *name = "row";
        return 2;
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        *name = "coalesce";
        return 2;
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
        *name = n->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_GREATEST ? "greatest" : "least";
        return 2;
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        switch (n->sqlvalue_function->op) {
        case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE: *name = "current_date"; return 2;
        case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME:
        case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME_N: *name = "current_time"; return 2;
        case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
        case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP_N: *name = "current_timestamp"; return 2;
        case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME:
        case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME_N: *name = "localtime"; return 2;
        case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
        case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP_N: *name = "localtimestamp"; return 2;
        default: return 0;
        }
    default:
        return 0;
    }
}

const char *query_bind_output_name(const PgQuery__Node *n)
{
    const char *name = "?column?";
    figure_name(n, &name);
    return name;
}
