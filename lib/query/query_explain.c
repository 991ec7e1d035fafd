/* Plans and expressions as text. */
#include <ctype.h>

#include "query/query_internal.h"

/* ---- expressions ----------------------------------------------------------------------------------------- */

struct writer {
    struct tsf_buf *out;
    struct tsf_error *err;
    const struct query_column *names;
    struct tsf_arena scratch;
    enum tsf_err rc;
};

static void put(struct writer *w, const char *z)
{
    if (w->rc == TSF_OK)
        w->rc = tsf_buf_append_z(w->out, z, w->err);
}

static void put_n(struct writer *w, const char *p, size_t n)
{
    if (w->rc == TSF_OK)
        w->rc = tsf_buf_append(w->out, p, n, w->err);
}

/* 'it''s' */
static void put_quoted(struct writer *w, struct tsf_str s)
{
    put(w, "'");
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '\'')
            put(w, "'");
        if (s.data[i] == '\n' || s.data[i] == '\r')
            put(w, " "); /* a line of the plan is a row of the answer */
        else
            put_n(w, s.data + i, 1);
    }
    put(w, "'");
}

static bool bare_number(const struct tsf_type *t)
{
    return tsf_type_is_integer(t) || t->id == TSF_TYPE_DECIMAL || t->id == TSF_TYPE_FLOAT || t->id == TSF_TYPE_DOUBLE;
}

static void put_value(struct writer *w, const struct tsf_value *v)
{
    struct tsf_buf text = TSF_BUF_INIT(0);
    if (v->is_null) {
        put(w, "NULL");
        return;
    }
    if (v->type->id == TSF_TYPE_BOOL) {
        put(w, v->u.b ? "true" : "false");
        return;
    }
    if (v->type->id == TSF_TYPE_STRING) {
        put_quoted(w, v->u.s);
        return;
    }
    if (w->rc == TSF_OK)
        w->rc = tsf_value_text(v, &text, w->err);
    if (bare_number(v->type))
        put_n(w, (const char *)text.data, text.len);
    else
        put_quoted(w, tsf_buf_str(&text));
    tsf_buf_release(&text);
}

static void put_expr(struct writer *w, const struct query_expr *e);

static void put_list(struct writer *w, struct query_expr *const *e, int n, const char *between)
{
    for (int i = 0; i < n; i++) {
        if (i)
            put(w, between);
        put_expr(w, e[i]);
    }
}

static void put_junction(struct writer *w, const struct query_expr *e, const char *between)
{
    put(w, "(");
    put_list(w, e->args, e->n_args, between);
    put(w, ")");
}

static void put_call(struct writer *w, const struct query_expr *e)
{
    const char *name = e->fn->name;
    bool is_operator = !isalpha((unsigned char)name[0]) && name[0] != '_';
    if (strcmp(name, "cast") == 0 && e->n_args >= 1) {
        put(w, "(");
        put_expr(w, e->args[0]);
        put(w, ")::");
        put(w, tsf_type_sql_name(e->type, &w->scratch));
    } else if (is_operator && e->n_args == 2) {
        put(w, "(");
        put_expr(w, e->args[0]);
        put(w, " "), put(w, name), put(w, " ");
        put_expr(w, e->args[1]);
        put(w, ")");
    } else {
        put(w, name);
        put(w, "(");
        put_list(w, e->args, e->n_args, ", ");
        put(w, ")");
    }
}

static void put_case(struct writer *w, const struct query_expr *e)
{
    put(w, "CASE");
    for (int i = 0; i + 1 < e->n_args; i += 2) {
        put(w, " WHEN "), put_expr(w, e->args[i]);
        put(w, " THEN "), put_expr(w, e->args[i + 1]);
    }
    put(w, " ELSE "), put_expr(w, e->args[e->n_args - 1]);
    put(w, " END");
}

static void put_expr(struct writer *w, const struct query_expr *e)
{
    static const char *const truths[] = { "TRUE", "FALSE", "UNKNOWN" };
    if (w->rc != TSF_OK)
        return;
    switch (e->kind) {
    case QUERY_COLUMN:
        if (w->names)
            put(w, w->names[e->column].name);
        else
            w->rc = tsf_buf_printf(w->out, w->err, "$%d", e->column);
        break;
    case QUERY_AGG_REF: w->rc = tsf_buf_printf(w->out, w->err, "agg%d", e->column); break;
    case QUERY_CONST: put_value(w, &e->value); break;
    case QUERY_CALL: put_call(w, e); break;
    case QUERY_AND: put_junction(w, e, " AND "); break;
    case QUERY_OR: put_junction(w, e, " OR "); break;
    case QUERY_NOT: put(w, "(NOT "), put_expr(w, e->args[0]), put(w, ")"); break;
    case QUERY_IS_NULL: put(w, "("), put_expr(w, e->args[0]), put(w, e->negated ? " IS NOT NULL)" : " IS NULL)"); break;
    case QUERY_IS_TRUE:
        put(w, "("), put_expr(w, e->args[0]), put(w, e->negated ? " IS NOT " : " IS ");
        put(w, truths[e->value.u.i64]), put(w, ")");
        break;
    case QUERY_CASE: put_case(w, e); break;
    case QUERY_COALESCE: put(w, "COALESCE("), put_list(w, e->args, e->n_args, ", "), put(w, ")"); break;
    case QUERY_IN:
        put(w, "("), put_expr(w, e->args[0]), put(w, e->negated ? " NOT IN (" : " IN (");
        if (e->subquery)
            put(w, "subquery");
        else
            put_list(w, e->args + 1, e->n_args - 1, ", ");
        put(w, "))");
        break;
    case QUERY_DISTINCT_FROM:
        put(w, "("), put_expr(w, e->args[0]), put(w, e->negated ? " IS NOT DISTINCT FROM " : " IS DISTINCT FROM ");
        put_expr(w, e->args[1]), put(w, ")");
        break;
    case QUERY_SUBQUERY: put(w, "(subquery)"); break;
    }
}

enum tsf_err query_expr_text(const struct query_expr *e, const struct query_column *names, struct tsf_buf *out, struct tsf_error *err)
{
    struct writer w = { .out = out, .err = err, .names = names };
    put_expr(&w, e);
    tsf_arena_release(&w.scratch);
    return w.rc;
}

/* ---- plans -------------------------------------------------------------------------------------------------- */

struct explain {
    struct writer w;
    bool analyze;
};

static void line(struct explain *x, int depth, const char *label)
{
    for (int i = 0; i < depth; i++)
        put(&x->w, "  ");
    put(&x->w, label);
}

static void number(struct explain *x, const char *format, int64_t n)
{
    if (x->w.rc == TSF_OK)
        x->w.rc = tsf_buf_printf(x->w.out, x->w.err, format, (long long)n);
}

static void actual(struct explain *x, const struct query_node *n)
{
    if (x->analyze && x->w.rc == TSF_OK)
        x->w.rc = tsf_buf_printf(x->w.out, x->w.err, "  (rows=%lld, %.3f ms)", (long long)n->counters.rows_out,
                                 (double)n->counters.ns / 1e6);
    put(&x->w, "\n");
}

static void keys(struct explain *x, const struct query_node *n)
{
    for (int i = 0; i < n->u.sort.n_keys; i++) {
        const struct query_sort_key *k = &n->u.sort.keys[i];
        put(&x->w, i ? ", " : "");
        put_expr(&x->w, k->expr);
        put(&x->w, k->descending ? " DESC" : "");
        if (k->nulls_first != k->descending)
            put(&x->w, k->nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
    put(&x->w, "\n");
}

static void scan_lines(struct explain *x, const struct query_node *n, int depth)
{
    const struct query_counters *c = &n->counters;
    if (n->n_columns) {
        line(x, depth, "Columns: ");
        bool first = true;
        for (int i = 0; i < n->n_columns; i++) {
            put(&x->w, first ? "" : ", ");
            put(&x->w, n->columns[i].name);
            put(&x->w, n->u.scan.filter_only[i] ? " (filter)" : "");
            first = false;
        }
        put(&x->w, "\n");
    }
    for (int i = 0; i < n->u.scan.n_conjuncts; i++) {
        line(x, depth, "Filter: ");
        put_expr(&x->w, n->u.scan.conjuncts[i]);
        put(&x->w, "\n");
    }
    if (n->u.scan.order_column >= 0) {
        line(x, depth, "Order: ");
        put(&x->w, n->columns[n->u.scan.order_column].name);
        put(&x->w, n->u.scan.order_desc ? " DESC\n" : "\n");
    }
    if (n->u.scan.limit >= 0) {
        line(x, depth, "Rows wanted: ");
        number(x, "%lld\n", n->u.scan.limit);
    }
    if (!x->analyze || x->w.rc != TSF_OK)
        return;
    static const struct { const char *label; size_t read, pruned; } parts[] = {
        { "Files", offsetof(struct query_counters, files), offsetof(struct query_counters, files_pruned) },
        { "Row groups", offsetof(struct query_counters, row_groups), offsetof(struct query_counters, row_groups_pruned) },
        { "Pages", offsetof(struct query_counters, pages), offsetof(struct query_counters, pages_pruned) },
    };
    for (size_t i = 0; i < TSF_ARRAY_LEN(parts) && x->w.rc == TSF_OK; i++) {
        int64_t got, pruned;
        memcpy(&got, (const char *)c + parts[i].read, sizeof got);
        memcpy(&pruned, (const char *)c + parts[i].pruned, sizeof pruned);
        line(x, depth, parts[i].label);
        x->w.rc = tsf_buf_printf(x->w.out, x->w.err, ": %lld read, %lld pruned\n", (long long)got, (long long)pruned);
    }
    line(x, depth, "");
    if (x->w.rc == TSF_OK)
        x->w.rc = tsf_buf_printf(x->w.out, x->w.err, "Bytes read: %lld; bloom filters pruned: %lld; unflushed rows: %lld; rows in: %lld\n",
                                 (long long)c->bytes_read, (long long)c->bloom_pruned, (long long)c->wal_rows, (long long)c->rows_in);
}

static void explain_node(struct explain *x, const struct query_node *n, int depth);

static void explain_subqueries(struct explain *x, const struct query_expr *e, int depth)
{
    for (int i = 0; i < e->n_args; i++)
        explain_subqueries(x, e->args[i], depth);
    if (e->subquery) {
        line(x, depth, "Subquery\n");
        explain_node(x, e->subquery, depth + 1);
    }
}

static void explain_agg(struct explain *x, const struct query_agg_call *a)
{
    put(&x->w, a->agg ? a->agg->name : "?");
    put(&x->w, a->star ? "(*" : a->distinct ? "(DISTINCT " : "(");
    put_list(&x->w, a->args, a->n_args, ", ");
    put(&x->w, ")");
    if (a->filter) {
        put(&x->w, " FILTER (WHERE ");
        put_expr(&x->w, a->filter);
        put(&x->w, ")");
    }
}

static void aggregate_lines(struct explain *x, const struct query_node *n, int depth)
{
    if (n->u.aggregate.n_keys) {
        line(x, depth, "Group: ");
        put_list(&x->w, n->u.aggregate.keys, n->u.aggregate.n_keys, ", ");
        put(&x->w, "\n");
    }
    if (n->u.aggregate.n_aggs) {
        line(x, depth, "Compute: ");
        for (int i = 0; i < n->u.aggregate.n_aggs; i++) {
            put(&x->w, i ? ", " : "");
            explain_agg(x, &n->u.aggregate.aggs[i]);
        }
        put(&x->w, "\n");
    }
    if (n->u.aggregate.from_statistics)
        line(x, depth, "From statistics where they are exact\n");
}

static void limits(struct explain *x, int64_t limit, int64_t offset)
{
    if (limit >= 0)
        number(x, " limit %lld", limit);
    if (offset > 0)
        number(x, " offset %lld", offset);
}

static void explain_node(struct explain *x, const struct query_node *n, int depth)
{
    x->w.names = n->input ? n->input->columns : n->columns;
    line(x, depth, "");
    switch (n->kind) {
    case QUERY_NODE_SCAN:
        put(&x->w, "Scan "), put(&x->w, n->u.scan.name), actual(x, n);
        scan_lines(x, n, depth + 1);
        for (int i = 0; i < n->u.scan.n_conjuncts; i++)
            explain_subqueries(x, n->u.scan.conjuncts[i], depth + 1);
        break;
    case QUERY_NODE_VALUES:
        put(&x->w, "Values"), number(x, " (%lld rows)", n->u.values.n_rows), actual(x, n);
        break;
    case QUERY_NODE_META:
        put(&x->w, n->u.meta.name), actual(x, n);
        break;
    case QUERY_NODE_FILTER:
        put(&x->w, "Filter: "), put_expr(&x->w, n->u.filter.predicate), actual(x, n);
        explain_subqueries(x, n->u.filter.predicate, depth + 1);
        break;
    case QUERY_NODE_PROJECT:
        put(&x->w, "Project: "), put_list(&x->w, n->u.project.exprs, n->n_columns, ", "), actual(x, n);
        for (int i = 0; i < n->n_columns; i++)
            explain_subqueries(x, n->u.project.exprs[i], depth + 1);
        break;
    case QUERY_NODE_AGGREGATE:
        put(&x->w, "Aggregate"), actual(x, n);
        aggregate_lines(x, n, depth + 1);
        break;
    case QUERY_NODE_SORT:
        put(&x->w, n->u.sort.limit >= 0 ? "Top-N" : "Sort"), limits(x, n->u.sort.limit, n->u.sort.offset), actual(x, n);
        line(x, depth + 1, "Key: "), keys(x, n);
        break;
    case QUERY_NODE_LIMIT:
        put(&x->w, "Limit"), limits(x, n->u.limit.limit, n->u.limit.offset), actual(x, n);
        break;
    }
    if (n->input)
        explain_node(x, n->input, depth + 1);
}

enum tsf_err query_explain(const struct query_plan *plan, bool analyze, struct tsf_buf *out, struct tsf_error *err)
{
    struct explain x = { .w = { .out = out, .err = err }, .analyze = analyze };
    explain_node(&x, plan->root, 0);
    tsf_arena_release(&x.w.scratch);
    return x.w.rc;
}
