#ifndef TSF_QUERY_SCAN_H
#define TSF_QUERY_SCAN_H
/*
 * What the files of the scan share.
 *
 *   query_scan.c        tables of a statement; the scan operator
 *   query_scan_prune.c  what a predicate can give on rows of which only bounds are known
 *   query_scan_files.c  which files, row groups and pages are read
 *   query_scan_read.c   rows of one row group: late materialization
 *   query_scan_tail.c   unflushed rows
 *   query_scan_top.c    ORDER BY column LIMIT n
 *   query_scan_meta.c   count, min and max from statistics
 *
 * A conjunct that statistics prove true for all rows of a file, row group or page is not evaluated there, and its columns
 * are not read for it. Only "true for all" drops a conjunct and only "true for none" drops rows; all else is unknown.
 */
#include "query/query_exec.h"
#include "table/table.h"

#define SCAN_BATCH_ROWS 16384

struct query_table {
    struct query_table *next;
    char *name;
    struct table *table;
};

/* ---- predicates over bounds (query_scan_prune.c) ------------------------------------------------------ */

enum query_outcome { QUERY_CAN_TRUE = 1, QUERY_CAN_FALSE = 2, QUERY_CAN_NULL = 4, QUERY_CAN_ANY = 7 };
struct query_bounds {
    bool has_min, has_max;     /* bounds of the values that are not NULL, attained or not */
    struct tsf_value min, max;
    bool maybe_null, all_null;
};
#define QUERY_BOUNDS_UNKNOWN { .maybe_null = true }
/* Bounds of an input column; *out is unknown before the call. */
typedef void query_bounds_fn(void *ctx, int column, struct query_bounds *out);
struct query_prune {
    query_bounds_fn *bounds;
    void *ctx;
    int64_t now_us;
    struct tsf_arena *arena;   /* scratch */
};
/* What the boolean e can give on such rows: a set of enum query_outcome, never too small. */
int query_prune_outcomes(const struct query_prune *p, const struct query_expr *e);
/* Floats: NaN hides from statistics and sorts above all. */
void query_bounds_fix(struct query_bounds *b, const struct tsf_type *t);
/* Is e "column = constant" or "column IN (constants)"? Then *column_out says which, values are e's other arguments. */
bool query_prune_needle(const struct query_expr *e, int *column_out, int *first_arg_out);

/* ---- the scan ---------------------------------------------------------------------------------------------- */

struct scan_conjunct {
    const struct query_expr *expr;
    int n_columns;
    int *columns;      /* output columns that it reads */
    int cost;
    bool partition_only;
};

struct scan_column {
    int field;         /* of the table's schema */
    int partition;     /* position among the partition columns, -1 */
    bool output;       /* someone above wants it */
    bool filtered;     /* a conjunct reads it */
    const struct tsf_type *type;
    const char *physical;
};

/* Rows of a row group that may hold answers. */
struct scan_segment {
    int row_group;     /* -1: the file as a whole, no column of it is needed */
    int64_t first, last;
    uint64_t proven;   /* conjuncts known to be true for all of these rows, by position */
    uint64_t best;     /* ordered scans: no row sorts before this prefix */
};

struct scan_file {
    int64_t index;     /* in the snapshot */
    uint64_t proven;
    uint64_t best;
    struct delta_file info;
    int64_t n_rows;
    bool open;
    struct tsf_arena arena;
    struct tsf_source source;
    struct tsf_str footer;     /* to be cached; empty: came from the cache */
    struct parquet_meta meta;
    struct parquet_file file;
    int *fields;               /* per output column: field of the file, -1 none */
    int64_t *deleted, n_deleted;
    struct scan_segment *segments;
    size_t n_segments, cap_segments;
};

struct scan_slice {
    struct scan_file *file;
    struct scan_segment segment;
};

struct scan {
    struct query_tasks tasks;
    struct query_run *run;
    struct query_node *node;
    struct query_sink *sink;
    struct table *table;
    struct tsf_arena arena;
    int n_columns, n_conjuncts;
    struct scan_column *columns;
    struct scan_conjunct *conjuncts; /* cheap ones first */
    bool never;                      /* a conjunct without columns is not true */
    struct tsf_vector *partition;    /* per partition column: values of all live files */
    const struct delta_bounds **bounds; /* per output column; NULL when not filtered */
    const struct delta_bounds *order;   /* of the order column */
    struct scan_file *files;
    int64_t n_files;
    struct scan_slice *slices;
    int64_t n_slices;
    int64_t n_tail;                  /* records, which come as tasks before the slices */
    int64_t damaged;                 /* atomic */
};

/* Files that survive partition values and file statistics. */
enum tsf_err query_scan_files(struct scan *s, struct tsf_error *err);
/* Open a file, find its segments. Any thread, one per file. */
enum tsf_err query_scan_file_open(struct scan *s, struct scan_file *f, struct query_worker *w, struct tsf_error *err);
/* The same, but a file without segments is closed again, unless its footer is to be cached. */
enum tsf_err query_scan_file_look(struct scan *s, struct scan_file *f, struct query_worker *w, struct tsf_error *err);
void query_scan_file_close(struct scan_file *f);
/* Put footers that were read into the cache. */
void query_scan_cache_footers(struct scan *s);

/* Reads columns of one row group, front to back. */
struct scan_reader {
    struct scan *scan;
    struct scan_file *file;
    int row_group;
    struct parquet_column **columns;
    int64_t *at;
};
enum tsf_err query_scan_reader_init(struct scan_reader *r, struct scan *s, struct scan_file *f, int row_group, struct tsf_error *err);
void query_scan_reader_release(struct scan_reader *r);
/* Column c of rows first.. first + n of the row group; sel NULL = all. */
enum tsf_err query_scan_load(struct scan_reader *r, int c, int64_t first, int64_t n, const uint32_t *sel, int64_t n_sel,
                             struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err);

/* Rows of one batch while conjuncts thin them out. */
struct scan_rows {
    struct scan_reader *reader; /* NULL: all columns are there (tail) */
    int64_t first, n;
    const uint32_t *sel;        /* NULL: all n */
    int64_t n_sel;
    struct tsf_vector *vectors; /* of the n_sel rows */
    bool *loaded;
};
enum tsf_err query_scan_rows_begin(struct scan_rows *x, struct scan *s, struct scan_reader *r, int64_t first, int64_t n,
                                   struct query_worker *w, struct tsf_error *err);
/* Keep rows keep[0..n) of those that are there. */
enum tsf_err query_scan_rows_keep(struct scan_rows *x, struct scan *s, const uint32_t *keep, int64_t n, uint64_t done,
                                  struct query_worker *w, struct tsf_error *err);
enum tsf_err query_scan_rows_need(struct scan_rows *x, struct scan *s, int c, struct query_worker *w, struct tsf_error *err);
/* Evaluate the conjuncts that are not proven. x->n_sel is 0 when nothing is left. */
enum tsf_err query_scan_rows_filter(struct scan_rows *x, struct scan *s, uint64_t proven, struct query_worker *w, struct tsf_error *err);
/* Load what the operators above want, and push. */
enum tsf_err query_scan_rows_push(struct scan_rows *x, struct scan *s, struct query_worker *w, struct tsf_error *err);

enum tsf_err query_scan_slice(struct scan *s, const struct scan_slice *slice, struct query_worker *w, struct tsf_error *err);
/* Rows of tail record i that pass; n_sel 0 also when the record is damaged and skipped. */
enum tsf_err query_scan_too_damaged(const struct scan *s, struct tsf_error *err);
enum tsf_err query_scan_tail_rows(struct scan *s, int64_t i, struct scan_rows *x, struct query_worker *w, struct tsf_error *err);
enum tsf_err query_scan_top(struct scan *s, struct tsf_error *err);

/* Set up everything up to the list of files, for a scan node or an aggregate over one. */
enum tsf_err query_scan_init(struct scan *s, struct query_run *r, struct query_node *n, struct tsf_error *err);
void query_scan_release(struct scan *s);

#define SCAN_COUNT(s, what, n) __atomic_add_fetch(&(s)->node->counters.what, (n), __ATOMIC_RELAXED)

#endif
