#ifndef TSF_QUERY_INTERNAL_H
#define TSF_QUERY_INTERNAL_H
/*
 * What the files of lib/query share: bound expressions, functions, plans, execution.
 *
 * Life of a statement: query_parse -> query_bind (arena: everything of a plan dies with the statement) -> query_optimize
 * -> query_exec. Expressions are bound trees of typed nodes; columns are positions in the batch of the node below.
 */
#include "query/query.h"

/* ---- expressions ----------------------------------------------------------------------------------- */

enum query_expr_kind {
    QUERY_COLUMN,   /* column of the input batch */
    QUERY_CONST,    /* value */
    QUERY_CALL,     /* fn(args): functions, operators, casts, comparisons, LIKE, ... */
    QUERY_AND,      /* n-ary, three-valued */
    QUERY_OR,
    QUERY_NOT,
    QUERY_IS_NULL,  /* negated: IS NOT NULL */
    QUERY_IS_TRUE,  /* IS [NOT] TRUE / FALSE / UNKNOWN: which in value.u.i64 (0 true, 1 false, 2 unknown), negated */
    QUERY_CASE,     /* args: when1, then1, when2, then2, ..., else (always there, maybe NULL const); lazy */
    QUERY_COALESCE, /* lazy */
    QUERY_IN,       /* args[0] IN (args[1..]) all constants of one type: hashed; negated; NULL rules of SQL. With
                       subquery set, args has one entry and the executor appends the subquery's values (see QUERY_SUBQUERY) */
    QUERY_AGG_REF,  /* during binding only: becomes QUERY_COLUMN of the aggregate's output */
    QUERY_DISTINCT_FROM, /* args[0] IS [NOT: negated] DISTINCT FROM args[1] */
    QUERY_SUBQUERY, /* scalar subquery not yet run; the executor turns it into QUERY_CONST (uncorrelated) */
};

struct query_function;
struct query_node;
struct table_env;
struct query_expr {
    enum query_expr_kind kind;
    const struct tsf_type *type;
    int column;                      /* QUERY_COLUMN, QUERY_AGG_REF */
    bool negated;
    struct tsf_value value;          /* QUERY_CONST */
    const struct query_function *fn; /* QUERY_CALL */
    int n_args;
    struct query_expr **args;
    struct query_node *subquery;
    int location;                    /* byte in the SQL text, -1 */
    uint32_t id;                     /* unique in the statement: index of per-worker evaluator state (caches) */
};

/*
 * Names that the binder hands to query_resolve for syntax that is no plain function call or operator:
 *   "greatest", "least"      args already of one type, variadic
 *   "array"                  ARRAY[a, b] with elements that are not constants, args of one type -> list (constants become QUERY_CONST)
 *   "array_subscript"        (list, bigint) 1-based, NULL outside
 *   "array_contains"         (list, element): element = ANY (list), NULL rules of SQL
 *   "extract", "timezone", "position", "substring", "overlay", "btrim", "ltrim", "rtrim", "like_escape", "similar_to_escape",
 *   "date_trunc", ...        as PostgreSQL's grammar names them, args in its order (position(string, substring), timezone(zone, time))
 *   "-" with one arg         negation. "now" for current_timestamp; "localtimestamp", "current_date", "current_time" by name
 *   LIKE "~~", ILIKE "~~*", regular expressions "~", "~*"; their negations arrive as QUERY_NOT over these
 * "<>" arrives as such ("!=" never). NULL literals are QUERY_CONST of type &query_unknown with value.is_null.
 */

/* Evaluator: one per worker and expression list; caches dictionary results, compiled patterns, hash sets. */
struct query_eval {
    struct tsf_arena *arena;      /* results of the current batch; the operator resets it */
    struct tsf_arena keep;        /* lives with the evaluator: compiled patterns, dictionary caches */
    int64_t now_us;               /* fixed for the statement */
    void **slots;                 /* per expr id, owned by query_expr.c / functions */
    uint32_t n_slots;
    const struct query_session *session;
};
enum tsf_err query_eval_init(struct query_eval *ev, struct tsf_arena *arena, uint32_t n_exprs, int64_t now_us,
                             const struct query_session *session, struct tsf_error *err);
void query_eval_release(struct query_eval *ev);
/*
 * Evaluate e over all rows of the batch (b->sel is ignored; operators hand dense batches). out: any shape, length
 * b->length, in ev->arena or borrowed from the batch. A strict deterministic call on one dictionary column and
 * constants is evaluated on the dictionary, once per dict_id, and gives a DICTIONARY (or for booleans FLAT) vector.
 */
enum tsf_err query_eval(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b,
                        struct tsf_vector *out, struct tsf_error *err);
/* Rows for which the boolean e is true, ascending, into sel_out (room for b->length). */
enum tsf_err query_eval_filter(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b,
                               uint32_t *sel_out, int64_t *n_out, struct tsf_error *err);
/* Value of an expression without columns (folding, LIMIT, INSERT VALUES). Result in arena. */
enum tsf_err query_eval_const(const struct query_expr *e, int64_t now_us, struct tsf_arena *arena,
                              struct tsf_value *out, struct tsf_error *err);

/*
 * Call context of a kernel. args have length n; CONSTANT args stay CONSTANT so kernels can hoist. With fn->strict the
 * evaluator has intersected validity: the kernel fills values for all rows (it may compute under nulls but must not
 * fail there: check `valid` before raising row errors such as division by zero) and leaves validity alone, unless it
 * makes NULLs of its own (then it sets call->validity_out, an all-ones-or-intersection bitmap it may clear bits of).
 * FLAT unless fn->any_shape: the evaluator flattens DICTIONARY args.
 */
struct query_call {
    struct query_eval *ev;
    const struct query_expr *expr;
    const struct tsf_vector *args;
    int n_args;
    int64_t n;                 /* rows */
    const uint64_t *valid;     /* rows on which all args are present; NULL = all */
    void *values_out;          /* n values of expr->type, padded, uninitialised */
    uint64_t *validity_out;    /* see above; NULL until query_call_validity() makes it */
    struct tsf_vector *out;    /* the result; kernels of LIST type set its children */
};
uint64_t *query_call_validity(struct query_call *c, struct tsf_error *err); /* NULL on no memory */
typedef enum tsf_err query_kernel(struct query_call *c, struct tsf_error *err);

enum query_fn_flags {
    QUERY_FN_STRICT = 1,    /* NULL in, NULL out: evaluator does it */
    QUERY_FN_VOLATILE = 2,  /* not folded (random) */
    QUERY_FN_STABLE = 4,    /* same within a statement (now) */
    QUERY_FN_VARIADIC = 8,  /* last arg type repeats */
    QUERY_FN_SAFE = 32,     /* never fails on a row: may run on rows that a lazy construct excludes */
    QUERY_FN_ASSIGN = 64,   /* casts: allowed in assignments */
    QUERY_FN_IMPLICIT = 128, /* casts: allowed everywhere */
    QUERY_FN_MONOTONIC = 16, /* non-decreasing in its last (or only) column argument: pruning may look through it (date_trunc, time_bucket, casts ts->date) */
};
/* Type patterns in signatures; concrete types are resolved by query_type.c. */
struct query_function {
    const char *name;          /* SQL name; operators by their symbol ("+", "~~" for LIKE), casts "cast" */
    const struct tsf_type *ret; /* NULL: computed by ret_fn (decimals, anyelement, arrays) */
    const struct tsf_type *(*ret_fn)(const struct query_expr *const *args, int n, struct tsf_arena *a);
    int n_args;
    const struct tsf_type *arg_types[6]; /* NULL = any; TSF_T(DECIMAL)-id matches every decimal; query_any_array = any list */
    uint32_t flags;
    query_kernel *kernel;
};
extern const struct tsf_type query_any_array;

/* All tables of functions, by theme file. NULL-name terminated. */
extern const struct query_function query_fn_math[], query_fn_string[], query_fn_time[], query_fn_compare[],
    query_fn_cast[], query_fn_json[], query_fn_array[], query_fn_misc[];

/* Implicit / assignment / explicit coercion contexts, as in PostgreSQL. */
enum query_coercion { QUERY_IMPLICIT, QUERY_ASSIGNMENT, QUERY_EXPLICIT };
/* Wrap e so that it has type t (folds constants; unknown-typed literals are parsed as t). sqlstate 42846 when there is no such cast. */
enum tsf_err query_coerce(struct query_expr **e, const struct tsf_type *t, enum query_coercion how, uint32_t *next_id,
                          struct tsf_arena *a, struct tsf_error *err);
/* String literals not yet typed have this type (PostgreSQL's unknown); values are STRING-like. */
extern const struct tsf_type query_unknown;
/* Pick the overload by PostgreSQL's rules (10.3) and coerce args in place. 42883 with a hint naming the nearest names. */
enum tsf_err query_resolve(const char *name, struct query_expr **args, int n_args, int location, uint32_t *next_id,
                           struct tsf_arena *a, struct query_expr **out, struct tsf_error *err);
/* Common type of CASE, COALESCE, UNION, IN lists, arrays (10.5). */
enum tsf_err query_common_type(struct query_expr *const *e, int n, const struct tsf_type **out, struct tsf_error *err);
/* "timestamp with time zone", typmods, arrays: SQL type name -> type. names as in the TypeName node (last one counts). */
enum tsf_err query_type_by_name(const char *name, const int *typmods, int n_typmods, bool array, const struct tsf_type **out,
                                struct tsf_arena *a, struct tsf_error *err);

/* ---- aggregates -------------------------------------------------------------------------------------- */

struct query_agg_call;
/*
 * Table of functions of an aggregate over one argument type. States are fixed-size and zero-initialised by the caller;
 * bigger memory hangs off them in the arena given. Dispatch once per batch.
 */
struct query_aggregate {
    const char *name;
    size_t state_size; /* multiple of 8 */
    /*
     * args: the call's argument vectors, length n, any shape; states + groups[i] * stride is row i's state; groups NULL =
     * all rows to state 0. Rows where filter (NULL = all) is 0 do not count.
     */
    enum tsf_err (*update)(const struct query_agg_call *c, struct tsf_arena *mem, uint8_t *states, size_t stride,
                           const uint32_t *groups, const struct tsf_vector *args, int64_t n, const uint64_t *filter,
                           struct tsf_error *err);
    /* Fold src states (another worker's) into dst: dst[map[i]] += src[i]; map NULL: identity. src memory stays alive. */
    enum tsf_err (*combine)(const struct query_agg_call *c, struct tsf_arena *mem, uint8_t *dst, uint8_t *src, size_t stride,
                            const uint32_t *map, int64_t n_groups, struct tsf_error *err);
    /* n results as a flat vector of c->type. */
    enum tsf_err (*finish)(const struct query_agg_call *c, uint8_t *states, size_t stride, int64_t n, struct tsf_arena *a,
                           struct tsf_vector *out, struct tsf_error *err);
};
struct query_agg_call {
    const struct query_aggregate *agg;
    const struct tsf_type *type;     /* result */
    int n_args;
    struct query_expr **args;        /* over the aggregate node's input; constants (percentile fraction) come last */
    struct query_expr *filter;       /* FILTER (WHERE ...) or NULL */
    bool distinct;                   /* DISTINCT: the operator feeds each (group, value) once, unless agg is count (own set) */
    bool star;                       /* count(*) */
    bool order_desc;                 /* WITHIN GROUP (ORDER BY ... DESC) */
    int state_of;                    /* 1 + the call whose state this one finishes (p50, p95 of one column); 0: its own */
    int location;
};
/* Resolve an aggregate by name and argument expressions (coerced in place). *found_out false when the name is no aggregate. */
enum tsf_err query_resolve_aggregate(const char *name, struct query_expr **args, int n_args, bool star, bool distinct,
                                     bool within_group, uint32_t *next_id, struct tsf_arena *a, struct query_agg_call *out,
                                     bool *found_out, struct tsf_error *err);

/* ---- plans ---------------------------------------------------------------------------------------------- */

enum query_node_kind {
    QUERY_NODE_SCAN,      /* a table (snapshot + WAL tail), with pushed predicates */
    QUERY_NODE_VALUES,    /* constant rows; one row without columns for SELECT without FROM */
    QUERY_NODE_FILTER,
    QUERY_NODE_PROJECT,
    QUERY_NODE_AGGREGATE, /* GROUP BY; also DISTINCT (no aggregates) */
    QUERY_NODE_SORT,      /* full sort, or top-N when limit >= 0 */
    QUERY_NODE_LIMIT,
    QUERY_NODE_META,      /* table function or system table: batches made by a callback */
};

struct query_column {
    const char *name;
    const struct tsf_type *type;
};

struct query_sort_key {
    struct query_expr *expr;  /* over the input */
    bool descending, nulls_first;
};

struct query_table;           /* an opened table: query_scan.c; see query_table_open */

/* Filled by execution when wanted (EXPLAIN ANALYZE, --timing). Summed over workers. */
struct query_counters {
    int64_t rows_in, rows_out, batches, ns;
    int64_t files, files_pruned, row_groups, row_groups_pruned, pages, pages_pruned, bytes_read, wal_rows, bloom_pruned;
};

struct query_node {
    enum query_node_kind kind;
    struct query_node *input;
    int n_columns;
    struct query_column *columns; /* output */
    struct query_counters counters;
    union {
        struct {
            struct query_table *table;
            const char *name;         /* for EXPLAIN */
            int *fields;              /* per output column: field of the table's schema */
            int n_conjuncts;
            struct query_expr **conjuncts; /* booleans over the output columns; all must be true */
            /*
             * Set by the optimizer. limit -1: all. order_column -1: any limit rows will do. Else a sort above wants the
             * first limit rows by that column and those that tie with the last of them; other rows need not be emitted.
             */
            int64_t limit;            /* rows wanted after filtering */
            int order_column;         /* output column, -1 none */
            bool order_desc, order_nulls_first;
            bool *filter_only;        /* per output column: only used by conjuncts, need not be emitted (values undefined above) */
        } scan;
        struct {
            int64_t n_rows;
            struct query_expr ***rows; /* [row][column] constants */
        } values;
        struct { struct query_expr *predicate; } filter; /* an AND of conjuncts, or one */
        struct { struct query_expr **exprs; } project;
        struct {
            int n_keys;
            struct query_expr **keys;     /* over the input; output columns: keys then aggregates */
            int n_aggs;
            struct query_agg_call *aggs;
            bool from_statistics;         /* no keys, over a scan: try snapshot statistics first */
        } aggregate;
        struct {
            int n_keys;
            struct query_sort_key *keys;
            int64_t limit, offset;        /* limit -1 = all */
        } sort;
        struct { int64_t limit, offset; } limit; /* limit -1 = none */
        struct {
            enum tsf_err (*produce)(void *ctx, struct tsf_arena *a, struct tsf_batch *out, bool *more_out, struct tsf_error *err);
            void *ctx;
            const char *name;
        } meta;
    } u;
};

struct query_plan {
    struct query_node *root;
    uint32_t n_exprs;        /* ids handed out */
    int64_t now_us;
    int n_output;            /* leading columns of root that the user sees; the rest are sort helpers */
};

/* ---- building and rewriting expressions (query_bind_tree.c) -------------------------------------------------- */

/* NULL when memory is out. args are not copied. */
struct query_expr *query_expr_new(enum query_expr_kind kind, const struct tsf_type *type, int n_args, struct query_expr **args,
                                  int location, uint32_t *next_id, struct tsf_arena *a);
struct query_expr *query_expr_const(const struct tsf_value *v, int location, uint32_t *next_id, struct tsf_arena *a);
bool query_expr_equal(const struct query_expr *a, const struct query_expr *b);
/* Deep copy with new ids; columns[i] is the new number of column i (NULL = unchanged). */
struct query_expr *query_expr_copy(const struct query_expr *e, const int *columns, uint32_t *next_id, struct tsf_arena *a);
/* used[i] = true for every column that e reads. */
void query_expr_columns(const struct query_expr *e, bool *used);
/* SQL text of an expression, for EXPLAIN; names: columns of the input, NULL = $0. */
enum tsf_err query_expr_text(const struct query_expr *e, const struct query_column *names, struct tsf_buf *out, struct tsf_error *err);

/* ---- tables (query_scan.c) --------------------------------------------------------------------------------- */

/* Opens WAL, then snapshot; cached per session and statement so that all references see one state. */
enum tsf_err query_table_open(struct query_session *s, struct tsf_str name, struct query_table **out, struct tsf_error *err);
const struct tsf_schema *query_table_schema(const struct query_table *t);
/* Field number of the tenant column, -1 when the table has none. */
int query_table_tenant_field(const struct query_table *t);
void query_tables_close(struct query_session *s);

/* ---- stages -------------------------------------------------------------------------------------------------- */

struct query_exec_context {
    struct query_session *session;
    struct tsf_pool *pool;
    int64_t memory_limit;
    int64_t now_us;
    uint32_t n_exprs;
    bool analyze;
};
/*
 * Run the plan; batches go to consumer->batch in order of the result, from the caller's thread. Only plan->n_output columns
 * are shown. The session calls begin and end.
 */
enum tsf_err query_exec(struct query_exec_context *cx, const struct query_plan *plan, const struct query_consumer *consumer,
                        struct tsf_error *err);
/* Folds, pushes filters into scans, prunes columns, marks top-N and ordered scans. */
enum tsf_err query_optimize(struct query_session *s, struct query_plan *plan, struct tsf_arena *a, struct tsf_error *err);
enum tsf_err query_explain(const struct query_plan *plan, bool analyze, struct tsf_buf *out, struct tsf_error *err);

/* What the binder needs to know of a table. */
struct query_table_info {
    struct query_table *table;
    const struct tsf_schema *schema;
    int tenant_field;
};

struct query_session {
    struct query_options opts;
    struct tsf_pool *pool;         /* made on first use: query_session_pool */
    struct tsf_arena arena;        /* session life */
    struct tsf_arena stmt;         /* statement life */
    struct query_table *tables;    /* opened in this statement */
    struct table_env *env;         /* opened on first use: query_session_env */
    int64_t memory_limit;
    /* Tests and fuzzing: tables that are not there. NULL = query_table_open. */
    enum tsf_err (*lookup)(struct query_session *s, struct tsf_str name, struct query_table_info *out, struct tsf_error *err);
};
/* Warehouse and data directory; "SELECT 1" never opens them. */
enum tsf_err query_session_env(struct query_session *s, struct table_env **out, struct tsf_error *err);
enum tsf_err query_session_pool(struct query_session *s, struct tsf_pool **out, struct tsf_error *err);

#endif
