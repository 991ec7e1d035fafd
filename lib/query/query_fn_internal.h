#ifndef TSF_QUERY_FN_INTERNAL_H
#define TSF_QUERY_FN_INTERNAL_H
/*
 * What the evaluator and the kernels of functions share (query_expr*.c, query_fn_*.c, query_agg*.c, query_type*.c).
 *
 * A kernel sees FLAT and CONSTANT arguments. fn_step() is 0 or 1, so that values[i * step] reads either shape; where speed
 * matters a kernel has a loop per combination.
 */
#include "query/query_internal.h"
#include "query/query_kernels.h"

static inline int64_t fn_step(const struct tsf_vector *v)
{
    return v->shape == TSF_CONSTANT ? 0 : 1;
}
static inline bool fn_valid(const struct query_call *c, int64_t i)
{
    return !c->valid || tsf_bit_get(c->valid, i);
}
static inline const struct tsf_sview *fn_view(const struct query_call *c, int k, int64_t i)
{
    return (const struct tsf_sview *)c->args[k].values + i * fn_step(&c->args[k]);
}
/* Borrowed; inline views point into the argument. */
static inline struct tsf_str fn_str(const struct query_call *c, int k, int64_t i)
{
    return tsf_sview_str(fn_view(c, k, i));
}
/* Any integer type, DATE, TIMESTAMP*, TIME. */
static inline int64_t fn_int(const struct query_call *c, int k, int64_t i)
{
    const struct tsf_vector *v = &c->args[k];
    i *= fn_step(v);
    switch (tsf_type_width(v->type)) {
    case 1: return ((const int8_t *)v->values)[i];
    case 2: return ((const int16_t *)v->values)[i];
    case 4: return ((const int32_t *)v->values)[i];
    default: return ((const int64_t *)v->values)[i];
    }
}
static inline bool fn_bool(const struct query_call *c, int k, int64_t i)
{
    return ((const uint8_t *)c->args[k].values)[i * fn_step(&c->args[k])];
}
static inline double fn_f64(const struct query_call *c, int k, int64_t i)
{
    return ((const double *)c->args[k].values)[i * fn_step(&c->args[k])];
}
static inline tsf_int128 fn_i128(const struct query_call *c, int k, int64_t i)
{
    return ((const tsf_int128 *)c->args[k].values)[i * fn_step(&c->args[k])];
}
static inline const struct tsf_interval *fn_interval(const struct query_call *c, int k, int64_t i)
{
    return (const struct tsf_interval *)c->args[k].values + i * fn_step(&c->args[k]);
}
/* Is argument k of a non-strict call present in row i? */
static inline bool fn_present(const struct query_call *c, int k, int64_t i)
{
    const struct tsf_vector *v = &c->args[k];
    return !v->validity || tsf_bit_get(v->validity, i * fn_step(v));
}
#define FN_OUT(c, type) ((type *)(c)->values_out)
/* Rows of a strict call in which all arguments are present. */
#define FN_EACH(c, i)                                                                                                  \
    for (int64_t i = 0; i < (c)->n; i++)                                                                               \
        if (fn_valid(c, i))

/* Row i of the result is NULL; its value becomes zero. */
enum tsf_err query_call_null(struct query_call *c, int64_t i, struct tsf_error *err);
/* Write string row i; more than 12 bytes are borrowed, so they must live in an argument or in c->ev->arena. */
static inline void fn_put(struct query_call *c, int64_t i, const char *p, size_t n)
{
    ((struct tsf_sview *)c->values_out)[i] = tsf_sview_make(p, n);
}
/* Copy to the arena and write. */
enum tsf_err query_call_put_copy(struct query_call *c, int64_t i, const char *p, size_t n, struct tsf_error *err);

/*
 * State of a call that lives with the evaluator (compiled patterns, sets). *free_fn is called with it at the end.
 * Returns where the pointer is kept, NULL at first; NULL when memory is out.
 */
struct query_slot {
    void *state;
    void (*state_free)(void *state);
    struct tsf_arena arena;     /* results on one dictionary */
    uint64_t dict_id;           /* of the argument; 0 = none yet */
    uint64_t out_id;            /* dict_id of the result */
    bool failed;                /* an entry of the dictionary gave an error: rows are evaluated one by one */
    int64_t rows_seen;          /* of this dictionary before its result was made */
    bool ready;
    struct tsf_vector result;   /* FLAT over the entries; validity says which are NULL */
    uint8_t *table;             /* booleans: 1 where true, for each entry; null entries 0 */
    int64_t n_true, first_true, n_false, first_false;
};
struct query_slot *query_slot_get(struct query_eval *ev, uint32_t id, struct tsf_error *err);

/* More tables of functions. */
extern const struct query_function query_fn_pattern[], query_fn_text[];

/* ---- nodes --------------------------------------------------------------------------------------------- */

struct query_expr *query_type_node(enum query_expr_kind kind, const struct tsf_type *t, int n_args, struct query_expr **args,
                                   int location, uint32_t *next_id, struct tsf_arena *a);
/* The cast function between two types (by id), NULL when there is none. */
const struct query_function *query_cast_find(const struct tsf_type *from, const struct tsf_type *to);
/* Comparison operators of query_fn_compare: QUERY_CMP_*, or -1. */
int query_compare_op(const struct query_function *fn);
/* A call that cannot fail on any row, and the same for its arguments. */
bool query_expr_safe(const struct query_expr *e);
/* mask &= rows where the comparison holds; args FLAT or CONSTANT, equal types; no NULLs looked at. */
void query_compare_mask(int op, const struct tsf_vector *a, const struct tsf_vector *b, int64_t n, uint64_t *mask);
/* Bytes 0/1 of a comparison. */
void query_compare_bytes(int op, const struct tsf_vector *a, const struct tsf_vector *b, int64_t n, uint8_t *out);

#endif
