#ifndef TSF_QUERY_H
#define TSF_QUERY_H
/*
 * query: SQL text in, batches out.
 *
 *   query_session.c   settings, parameters, the statement loop
 *   query_ddl.c       CREATE TABLE, DROP TABLE
 *   query_insert.c    INSERT into the WAL
 *   query_parse.c     text -> libpg_query's tree; positions for errors
 *   query_bind_*.c    names and types: tree -> bound plan
 *   query_meta.c      tsf.tables, tsf.files and their like
 *   query_optimize.c  the order of the passes
 *   query_optimize_*.c  folding, pushing predicates down, pruning columns, limits
 *   query_explain.c   plans as text
 *   query_type.c      SQL types, coercion rules
 *   query_type_resolve.c  overload resolution
 *   query_expr.c      vectorized evaluation of bound expressions
 *   query_expr_*.c    three-valued logic, CASE and COALESCE
 *   query_kernels.c   comparisons and filters over plain vectors
 *   query_kernels_avx2.c  the same, wider
 *   query_fn_*.c      functions, operators and casts by theme
 *   query_agg.c       resolving aggregates; counts and booleans
 *   query_agg_*.c     aggregates by theme
 *   query_scan.c      tables: opening, morsels, union with the WAL
 *   query_scan_*.c    pruning, late materialization, answers from statistics, newest rows first
 *   query_exec.c      operators: pipelines, filter, project, limit
 *   query_exec_*.c    grouping and aggregation, sort, subqueries
 *   query_format.c    results as table, csv, tsv, json, ndjson, markdown
 *
 * Threads: a session belongs to one thread; it uses its pool inside.
 */
#include "column/column.h"

struct query_options {
    const char *warehouse;        /* URI or path; NULL = environment's */
    const char *data_dir;         /* NULL = environment's */
    const char *project;          /* tenant binding; NULL = none. No SQL widens it */
    int threads;                  /* 0 = all CPUs */
    int64_t memory_limit;         /* bytes; 0 = default (70% of what the machine or cgroup has) */
    int n_params;                 /* $1.. by position and :name by name */
    const char *const *param_names; /* entries may be NULL for positional ones */
    const char *const *param_values;
    bool no_cache;
};

/* What a statement gives. Calls come in this order: begin, batch*, end; all from the caller's thread. */
struct query_column_info {
    const char *name;
    const struct tsf_type *type;
};
struct query_consumer {
    void *ctx;
    /* n_columns 0: a statement without rows (DDL, INSERT). */
    enum tsf_err (*begin)(void *ctx, const struct query_column_info *columns, int n_columns, struct tsf_error *err);
    enum tsf_err (*batch)(void *ctx, const struct tsf_batch *b, struct tsf_error *err);
    /* tag: "SELECT 5", "INSERT 0 3", "CREATE TABLE" */
    enum tsf_err (*end)(void *ctx, const char *tag, struct tsf_error *err);
};

struct query_session;
enum tsf_err query_session_new(const struct query_options *opts, struct query_session **out, struct tsf_error *err);
void query_session_free(struct query_session *s);
/* Run every statement of the text in order; stops at the first error (sqlstate and offset set). */
enum tsf_err query_run(struct query_session *s, const char *sql, const struct query_consumer *consumer, struct tsf_error *err);

/* Ready-made consumers that write text. */
enum query_format { QUERY_FORMAT_TABLE, QUERY_FORMAT_CSV, QUERY_FORMAT_TSV, QUERY_FORMAT_JSON, QUERY_FORMAT_NDJSON, QUERY_FORMAT_MARKDOWN };
struct query_format_options {
    enum query_format format;
    bool no_header;
    const char *null_text;  /* NULL = "" (table, csv, tsv, markdown) */
    int terminal_width;     /* 0 = do not fit (table) */
    bool unicode;           /* box-drawing lines in tables */
};
struct query_formatter;
enum tsf_err query_formatter_new(const struct query_format_options *opts, const struct tsf_sink *out,
                                 struct query_formatter **fmt_out, struct tsf_error *err);
struct query_consumer query_formatter_consumer(struct query_formatter *f);
void query_formatter_free(struct query_formatter *f);

#endif
