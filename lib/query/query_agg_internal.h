#ifndef TSF_QUERY_AGG_INTERNAL_H
#define TSF_QUERY_AGG_INTERNAL_H
/* What the files of the aggregates share. */
#include "query/query_fn_internal.h"

/* State addresses are multiples of 8 only. */
typedef tsf_int128 query_i128 __attribute__((aligned(8)));

/* The argument rows of one update. */
struct query_agg_rows {
    const void *values;     /* flat values of the vector or of its dictionary */
    const int32_t *codes;   /* DICTIONARY */
    int64_t step;           /* 0 for CONSTANT */
    const uint64_t *mask;   /* rows that count: present and let through; NULL = all */
    const uint32_t *groups;
    uint8_t *states;
    size_t stride;
    int64_t n;
};
/* False: no row counts. Memory for the mask comes from mem. */
enum tsf_err query_agg_rows_init(struct query_agg_rows *r, const struct tsf_vector *v, const uint64_t *filter, uint8_t *states,
                                 size_t stride, const uint32_t *groups, int64_t n, struct tsf_arena *mem, bool *any_out,
                                 struct tsf_error *err);

/*
 * BODY for every row that counts, with x (its T) and s (its S *). The four loops differ in what they test per row.
 */
#define QUERY_AGG_AT(r, i) ((r)->codes ? (int64_t)(r)->codes[i] : (i) * (r)->step)
#define QUERY_AGG_EACH(r, T, S, BODY)                                                                                  \
    do {                                                                                                               \
        const T *vals_ = (r)->values;                                                                                  \
        if ((r)->mask) {                                                                                               \
            for (int64_t w_ = 0; w_ < ((r)->n + 63) / 64; w_++)                                                        \
                for (uint64_t bits_ = (r)->mask[w_]; bits_; bits_ &= bits_ - 1) {                                      \
                    int64_t i_ = w_ * 64 + __builtin_ctzll(bits_);                                                     \
                    S *s = (S *)((r)->states + ((r)->groups ? (r)->groups[i_] * (r)->stride : 0));                     \
                    const T x = vals_[QUERY_AGG_AT(r, i_)];                                                            \
                    BODY;                                                                                              \
                }                                                                                                      \
        } else if ((r)->groups) {                                                                                      \
            for (int64_t i_ = 0; i_ < (r)->n; i_++) {                                                                  \
                S *s = (S *)((r)->states + (r)->groups[i_] * (r)->stride);                                             \
                const T x = vals_[QUERY_AGG_AT(r, i_)];                                                                \
                BODY;                                                                                                  \
            }                                                                                                          \
        } else {                                                                                                       \
            S *s = (S *)(r)->states;                                                                                   \
            for (int64_t i_ = 0; i_ < (r)->n; i_++) {                                                                  \
                const T x = vals_[QUERY_AGG_AT(r, i_)];                                                                \
                BODY;                                                                                                  \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

/* Signatures, to keep definitions short. */
#define QUERY_AGG_UPDATE(NAME)                                                                                         \
    enum tsf_err NAME(const struct query_agg_call *c, struct tsf_arena *mem, uint8_t *states, size_t stride,           \
                      const uint32_t *groups, const struct tsf_vector *args, int64_t n, const uint64_t *filter,        \
                      struct tsf_error *err)
#define QUERY_AGG_COMBINE(NAME)                                                                                        \
    enum tsf_err NAME(const struct query_agg_call *c, struct tsf_arena *mem, uint8_t *dst, uint8_t *src, size_t stride, \
                      const uint32_t *map, int64_t n_groups, struct tsf_error *err)
#define QUERY_AGG_FINISH(NAME)                                                                                         \
    enum tsf_err NAME(const struct query_agg_call *c, uint8_t *states, size_t stride, int64_t n, struct tsf_arena *a,  \
                      struct tsf_vector *out, struct tsf_error *err)
#define QUERY_AGG_PAIRS(S)                                                                                             \
    for (int64_t i_ = 0; i_ < n_groups; i_++)                                                                          \
        for (S *d = (S *)(dst + (map ? map[i_] : (uint64_t)i_) * stride), *s = (S *)(src + (size_t)i_ * stride); d; d = NULL)

/* A flat result of c->type, zeroed, all NULL until query_agg_result_set() of a row. */
struct query_agg_result {
    void *values;
    uint64_t *valid;
    int64_t n;
};
enum tsf_err query_agg_result_init(struct query_agg_result *r, const struct tsf_type *t, int64_t n, struct tsf_arena *a,
                                   struct tsf_vector *out, struct tsf_error *err);
void query_agg_result_end(struct query_agg_result *r, struct tsf_vector *out);

/* A value of any fixed width, or bytes of their own that later values reuse. */
struct query_agg_cell {
    uint8_t raw[16];
    char *buf;
    uint32_t cap;
    uint8_t state; /* 0 never set, 1 NULL, 2 present */
};
enum tsf_err query_agg_cell_set(struct query_agg_cell *cell, const struct tsf_vector *v, int64_t row, struct tsf_arena *mem,
                                struct tsf_error *err);
struct tsf_sview query_agg_cell_view(const struct query_agg_cell *cell); /* strings */

enum tsf_err query_agg_mask_true(const uint64_t *filter, const struct tsf_vector *v, int64_t n, struct tsf_arena *mem,
                                 const uint64_t **mask_out, struct tsf_error *err);

struct query_agg_entry {
    const char *name;
    int n_args;
    const struct tsf_type *arg_types[4]; /* NULL = any */
    const struct tsf_type *ret;          /* NULL: ret_fn */
    const struct tsf_type *(*ret_fn)(const struct query_expr *const *args, int n, struct tsf_arena *a);
    bool within_group;
    const struct query_aggregate *agg;
};
extern const struct query_agg_entry query_agg_numbers[], query_agg_values[], query_agg_distincts[], query_agg_percentiles[],
    query_agg_sketches[];
extern const struct query_aggregate query_agg_count_star, query_agg_count_distinct;
const struct tsf_type *query_agg_same_type(const struct query_expr *const *args, int n, struct tsf_arena *a);
const struct tsf_type *query_agg_list_type(const struct query_expr *const *args, int n, struct tsf_arena *a);

#endif
