#ifndef TSF_QUERY_EXEC_H
#define TSF_QUERY_EXEC_H
/*
 * What the files of the executor (query_exec*.c, query_scan*.c) share.
 *
 * A plan is a chain of nodes. Streaming nodes (filter, project, limit) are sinks that push into the next sink; a scan
 * pushes into the first one from all workers at once; an aggregate or a sort swallows everything, and then pushes its
 * result from worker 0. The last sink hands batches to the consumer.
 *
 * Memory: the worker's arena holds what belongs to the batch in flight. The source resets it before each batch;
 * whoever keeps rows copies them. Batches are dense (sel == NULL), any shape of vector, possibly without columns.
 *
 * Threads: sinks are shared and take the worker to find their own state. Everything that runs on worker 0 outside
 * a parallel section runs in the caller's thread.
 */
#include "query/query_internal.h"

#define QUERY_EMIT_ROWS 16384 /* rows per batch that an operator makes of its result */

struct query_worker {
    struct tsf_arena arena;  /* the batch in flight */
    struct query_eval ev;    /* evaluates into arena */
    bool ready;
    int index;
    int64_t slot;            /* >= 0: the last sink keeps batches for that place in the order; -1: it hands them on */
};

struct query_sink {
    /* Take a batch; columns may be replaced in place. TSF_END: wants no more. */
    enum tsf_err (*push)(struct query_sink *s, struct query_worker *w, struct tsf_batch *b, struct tsf_error *err);
    bool ordered; /* leads to the consumer, with no operator in between that swallows everything */
};

/* One execution. */
struct query_run {
    struct query_exec_context *cx;
    int n_workers;
    struct query_worker *workers;
    struct tsf_arena arena;      /* life of the execution */
    struct query_last *last;     /* the sink in front of the consumer */
    int64_t memory_used;         /* by sinks that keep rows; atomic */
    int64_t task_ns;             /* EXPLAIN ANALYZE: spent in tasks, by all workers; atomic */
    int64_t input_ns, input_wall_ns; /* of the node that ran last: spent in its sink, and in all */
};
enum tsf_err query_worker_get(struct query_run *r, int worker, struct query_worker **out, struct tsf_error *err);
/* Account for memory that a sink holds now in addition (or, negative, gave back). 53200 beyond the limit. */
enum tsf_err query_run_account(struct query_run *r, int64_t bytes, struct tsf_error *err);
/* Everything that node n gives goes to sink. TSF_END from the sink ends early and is TSF_OK here. */
enum tsf_err query_run_node(struct query_run *r, struct query_node *n, struct query_sink *sink, struct tsf_error *err);
/* Run tasks that push into a sink. With ordered (the sink's) what the consumer sees keeps the order of the tasks. */
struct query_tasks {
    enum tsf_err (*run)(struct query_tasks *t, int64_t task, struct query_worker *w, struct tsf_error *err);
    int64_t n;
};
enum tsf_err query_run_tasks(struct query_run *r, struct query_tasks *t, bool ordered, struct tsf_error *err);
/* Push rows in pieces of QUERY_EMIT_ROWS, from worker 0. */
enum tsf_err query_run_emit(struct query_run *r, const struct tsf_batch *b, struct query_sink *sink, struct tsf_error *err);
/* A plan below another: batches with all columns of root go to the consumer. Subqueries in it have run. */
enum tsf_err query_exec_node(struct query_exec_context *cx, struct query_node *root, const struct query_consumer *consumer,
                             struct tsf_error *err);
/* query_exec_subquery.c: turn the subqueries below root into constants. */
enum tsf_err query_subqueries_run(struct query_exec_context *cx, struct query_node *root, struct tsf_error *err);

/* Sinks that swallow: fed by query_run_node(input), then emptied into the next sink. */
enum tsf_err query_run_aggregate(struct query_run *r, struct query_node *n, struct query_sink *sink, struct tsf_error *err);
enum tsf_err query_run_sort(struct query_run *r, struct query_node *n, struct query_sink *sink, struct tsf_error *err);
/* query_scan.c */
enum tsf_err query_run_scan(struct query_run *r, struct query_node *n, struct query_sink *sink, struct tsf_error *err);

/* query_scan_meta.c: count, min and max over a scan from statistics and the tail, when they are exact. */
enum tsf_err query_scan_meta(struct query_run *r, const struct query_node *agg, bool *answered_out, struct tsf_value *values_out,
                             struct tsf_arena *a, struct tsf_error *err);

/* Evaluate expressions to the columns of a batch with the same rows. */
enum tsf_err query_eval_columns(struct query_worker *w, struct query_expr *const *exprs, int n, const struct tsf_batch *b,
                                struct tsf_batch *out, struct tsf_error *err);
/* Keep rows sel[0..n_sel) of all columns, in the worker's arena. */
enum tsf_err query_batch_gather(const struct tsf_batch *b, const uint32_t *sel, int64_t n_sel, struct tsf_arena *a,
                                struct tsf_batch *out, struct tsf_error *err);

/* ---- values to small numbers (query_exec_intern.c) ------------------------------------------------------ */

/*
 * Gives each distinct value of a column a number: 0 is NULL, others count from 1 in order of first appearance.
 * A dictionary is looked up once, and only those of its entries that occur.
 */
struct query_intern_map {
    uint64_t dict_id;
    uint32_t *ids;   /* by code; 0 = not yet */
    int64_t n, cap;
};
#define QUERY_INTERN_MAPS 4
struct query_intern {
    const struct tsf_type *type;
    int width;                /* 8, 16, or 0: string views */
    uint64_t *slots;          /* hash tag << 32 | id; id 0 = free */
    uint64_t mask;
    uint32_t n, cap;          /* values, with the NULL at 0 */
    uint64_t *hashes;
    void *values;             /* int64_t, tsf_int128 or struct tsf_sview by id */
    bool null_seen;
    struct tsf_arena bytes;
    struct query_intern_map maps[QUERY_INTERN_MAPS];
    int next_map;
    uint32_t *small;          /* ids of the integers small_base .. + QUERY_INTERN_SMALL */
    int64_t small_base;
};
enum tsf_err query_intern_init(struct query_intern *in, const struct tsf_type *type, struct tsf_error *err);
void query_intern_release(struct query_intern *in);
/* ids_out: v->length entries. *constant_out: all are the same as ids_out[0], and only that one is set (may be NULL: fill all). */
enum tsf_err query_intern_vector(struct query_intern *in, const struct tsf_vector *v, struct tsf_arena *scratch, uint32_t *ids_out,
                                 bool *constant_out, struct tsf_error *err);
/* Numbers of another table's values in this one: map_out has from->n entries. */
enum tsf_err query_intern_merge(struct query_intern *in, const struct query_intern *from, uint32_t *map_out, struct tsf_error *err);
/* Values by number, ids NULL = 1.. (or 0.. with from 0). Flat; long strings borrow from the table. */
enum tsf_err query_intern_values(const struct query_intern *in, const uint32_t *ids, int64_t n, struct tsf_arena *a,
                                 struct tsf_vector *out, struct tsf_error *err);
/* realloc for what may become big; used: bytes to keep. */
void *query_huge_realloc(void *p, size_t used, size_t bytes);
int64_t query_intern_memory(const struct query_intern *in);

/* Pairs of numbers to numbers from 0, in order of first appearance. */
struct query_pairs {
    uint32_t *slots;  /* id + 1; 0 = free */
    uint64_t mask;
    uint64_t *keys;   /* a << 32 | b by id */
    uint32_t n, cap;
};
void query_pairs_release(struct query_pairs *p);
enum tsf_err query_pairs_vector(struct query_pairs *p, const uint32_t *a, const uint32_t *b, int64_t n, uint32_t *ids_out,
                                struct tsf_error *err);

/* ---- groups (query_exec_group.c) -------------------------------------------------------------------------- */

/*
 * Gives each distinct tuple of keys a number. One key: its intern numbers, so that group 0, NULL, may be empty: see
 * query_groups_first. Several: an array indexed by the numbers of the keys side by side while that is small, else
 * chained pairs.
 */
struct query_groups {
    int n_keys;
    struct query_intern *keys;
    uint32_t n;               /* groups so far */
    uint32_t cap;
    uint32_t **ids;           /* several keys: [key][group] */
    uint32_t *dense;          /* group + 1; NULL: not yet, or hashed */
    int *bits;                /* of each key's numbers in an index of dense */
    bool hashed;
    struct query_pairs *pairs; /* [n_keys - 1] */
};
/* The first group that has rows. */
static inline uint32_t query_groups_first(const struct query_groups *g)
{
    return g->n_keys == 1 && !g->keys[0].null_seen ? 1 : 0;
}
enum tsf_err query_groups_init(struct query_groups *g, const struct query_expr *const *keys, int n_keys, struct tsf_error *err);
void query_groups_release(struct query_groups *g);
/* groups_out: n entries. *single_out: all rows are in groups_out[0], and only that one is set. */
enum tsf_err query_groups_batch(struct query_groups *g, const struct tsf_vector *keys, int64_t n, struct tsf_arena *scratch,
                                uint32_t *groups_out, bool *single_out, struct tsf_error *err);
/* Numbers of another's groups in this one: map_out has from->n entries. */
enum tsf_err query_groups_merge(struct query_groups *g, const struct query_groups *from, uint32_t *map_out, struct tsf_arena *scratch,
                                struct tsf_error *err);
/* Keys of groups [first, first + n): n_keys vectors, which may borrow from g. */
enum tsf_err query_groups_keys(const struct query_groups *g, uint32_t first, uint32_t n, struct tsf_arena *a, struct tsf_vector *out,
                               struct tsf_error *err);
int64_t query_groups_memory(const struct query_groups *g);

#endif
