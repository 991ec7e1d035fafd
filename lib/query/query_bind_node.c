/* The binder's small change: errors, nodes. */
#include <stdio.h>

#include "query/query_bind.h"

void *query_bind_fail(struct query_binder *b, const char *sqlstate, int location, const char *fmt, ...)
{
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    if (b->rc == TSF_OK)
        b->rc = tsf_fail_sql(b->err, sqlstate, location, "%s", msg);
    return NULL;
}

void *query_bind_nomem(struct query_binder *b)
{
    if (b->rc == TSF_OK)
        b->rc = tsf_fail_nomem(b->err);
    return NULL;
}

void *query_bind_unsupported(struct query_binder *b, int location, const char *what)
{
    return query_bind_fail(b, "0A000", location, "%s not supported yet", what);
}

void *query_bind_pass(struct query_binder *b, enum tsf_err rc)
{
    if (b->rc == TSF_OK)
        b->rc = rc;
    return NULL;
}

void *query_bind_alloc(struct query_binder *b, size_t n, size_t size)
{
    void *p = tsf_arena_calloc(b->a, n, size);
    return p ? p : query_bind_nomem(b);
}

struct query_node *query_node_new(struct query_binder *b, enum query_node_kind kind, struct query_node *input, int n_columns)
{
    struct query_node *n = query_bind_alloc(b, 1, sizeof *n);
    if (!n)
        return NULL;
    n->kind = kind;
    n->input = input;
    n->n_columns = n_columns;
    n->columns = query_bind_alloc(b, (size_t)n_columns, sizeof *n->columns);
    return n->columns ? n : NULL;
}

static struct query_node *like_input(struct query_binder *b, enum query_node_kind kind, struct query_node *input)
{
    struct query_node *n = query_node_new(b, kind, input, input->n_columns);
    if (n && input->n_columns)
        memcpy(n->columns, input->columns, (size_t)input->n_columns * sizeof *n->columns);
    return n;
}

struct query_node *query_node_filter(struct query_binder *b, struct query_node *input, struct query_expr *predicate)
{
    struct query_node *n = like_input(b, QUERY_NODE_FILTER, input);
    if (n)
        n->u.filter.predicate = predicate;
    return n;
}

struct query_node *query_node_limit(struct query_binder *b, struct query_node *input, int64_t limit, int64_t offset)
{
    struct query_node *n = like_input(b, QUERY_NODE_LIMIT, input);
    if (n)
        n->u.limit.limit = limit, n->u.limit.offset = offset;
    return n;
}

struct query_node *query_bind_visible(struct query_binder *b, struct query_node *input, int n_visible)
{
    if (input->n_columns == n_visible)
        return input;
    struct query_node *n = query_node_new(b, QUERY_NODE_PROJECT, input, n_visible);
    if (!n || !(n->u.project.exprs = query_bind_alloc(b, (size_t)n_visible, sizeof *n->u.project.exprs)))
        return NULL;
    for (int i = 0; i < n_visible; i++) {
        n->columns[i] = input->columns[i];
        if (!(n->u.project.exprs[i] = query_bind_column(b, i, input->columns[i].type, -1)))
            return NULL;
    }
    return n;
}
