#ifndef TSF_QUERY_EXPR_INTERNAL_H
#define TSF_QUERY_EXPR_INTERNAL_H
/* What the files of the evaluator share. */
#include "query/query_fn_internal.h"

/* args: evaluated, any shape. out as query_eval. */
enum tsf_err query_expr_apply(struct query_eval *ev, const struct query_expr *e, const struct tsf_vector *args, int64_t n,
                              struct tsf_vector *out, struct tsf_error *err);
/* The arguments of e over b, into an array from the arena. */
enum tsf_err query_expr_args(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b,
                             struct tsf_vector **out, struct tsf_error *err);
/*
 * The slot of e with its result on the dictionary of args[*k_out], when that is how e is best evaluated; else NULL in
 * *slot_out: no dictionary, more than one argument that is not constant, too few rows so far to be worth it, ...
 */
enum tsf_err query_expr_on_dictionary(struct query_eval *ev, const struct query_expr *e, const struct tsf_vector *args, int64_t n,
                                      struct query_slot **slot_out, int *k_out, struct tsf_error *err);
/*
 * A boolean over the batch as bitmaps: t where true, nul where unknown, neither where false; bits past the end are 0.
 * live: only these rows matter (NULL = all); the others' bits are 0. Rows outside are not evaluated when that could fail.
 * filter: the caller does not tell false from unknown.
 */
enum tsf_err query_expr_bits(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b, const uint64_t *live,
                             bool filter, uint64_t *t, uint64_t *nul, struct tsf_error *err);
/* The rows of live as a batch of their own: only columns that e reads are filled. */
enum tsf_err query_expr_gather(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b, const uint64_t *live,
                               struct tsf_batch *sub, uint32_t **sel_out, struct tsf_error *err);
enum tsf_err query_expr_case(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b, struct tsf_vector *out,
                             struct tsf_error *err);
enum tsf_err query_expr_coalesce(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b,
                                 struct tsf_vector *out, struct tsf_error *err);
/* args[0] FLAT: bytes in out; *validity_out NULL or a bitmap. */
enum tsf_err query_expr_in(struct query_eval *ev, const struct query_expr *e, const struct tsf_vector *v, int64_t n,
                           struct tsf_vector *out, struct tsf_error *err);
enum tsf_err query_expr_null_constant(struct query_eval *ev, const struct tsf_type *t, int64_t n, struct tsf_vector *out,
                                      struct tsf_error *err);
uint64_t *query_expr_words(struct query_eval *ev, int64_t n, struct tsf_error *err); /* a zeroed bitmap */
void query_expr_all(uint64_t *w, int64_t n); /* the first n bits set, the rest of the last word 0 */
int64_t query_expr_count(const uint64_t *w, int64_t n);

#endif
