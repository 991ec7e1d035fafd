#ifndef TSF_QUERY_OPTIMIZE_H
#define TSF_QUERY_OPTIMIZE_H
/* What query_optimize*.c share. */
#include "query/query_internal.h"

struct query_optimizer {
    struct query_session *s;
    struct tsf_arena *a;
    struct tsf_error *err;
    enum tsf_err rc;     /* functions that return pointers give NULL then */
    uint32_t next_id;
    int64_t now_us;
    int depth;
    struct query_done *done; /* subqueries already optimized: copies of an expression share them */
};
struct query_done {
    struct query_done *next;
    struct query_node *from, *to;
};
void *query_optimize_nomem(struct query_optimizer *o);

/* query_optimize_expr.c: constants folded, comparisons with the constant on the right and casts off the column. */
struct query_expr *query_simplify(struct query_optimizer *o, struct query_expr *e);
struct query_expr *query_substitute(struct query_optimizer *o, const struct query_expr *e, struct query_expr *const *by);
bool query_is_volatile(const struct query_expr *e);
bool query_is_true(const struct query_expr *e);
bool query_is_false_or_null(const struct query_expr *e);

/* query_optimize_push.c: filters as far down as they go. */
struct query_node *query_push_filters(struct query_optimizer *o, struct query_node *n);
/* query_optimize_prune.c: only the columns that somebody reads. need: per output column. */
struct query_node *query_prune(struct query_optimizer *o, struct query_node *n, const bool *need, int *map_out);
/* query_optimize_limit.c: top-N, early stops, answers from statistics. */
struct query_node *query_push_limits(struct query_optimizer *o, struct query_node *n);
/* Subqueries inside of e, each optimized once. */
bool query_optimize_subqueries(struct query_optimizer *o, struct query_expr *e);

#endif
