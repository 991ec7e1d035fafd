#ifndef TSF_QUERY_BIND_H
#define TSF_QUERY_BIND_H
/*
 * What query_parse.c, query_bind*.c, query_ddl.c and query_session.c share and nobody else needs: libpg_query's tree and
 * the binder's state.
 */
#include <pg_query/pg_query.pb-c.h>

#include "query/query_internal.h"

/* ---- parsing (query_parse.c) -------------------------------------------------------------------------- */

#define QUERY_TEXT_MAX (1 << 20) /* bytes of SQL that are parsed at once */
#define QUERY_DEPTH_MAX 1000     /* nesting of expressions; see query_parse.c */

struct query_shift {
    int64_t at, by; /* text positions >= at lie by bytes further right than in the user's SQL */
};
struct query_parsed {
    PgQuery__ParseResult *tree; /* in the arena given */
    const char *text;           /* what the parser saw: named parameters are $n here */
    int n_shifts;
    struct query_shift *shifts;
};
/* Where text stops being UTF-8; -1 when nowhere. Answers are UTF-8 because what goes in is. */
int64_t query_utf8_bad(const char *text);

/*
 * Parse the text. Named parameters (:name) become positional ones before the grammar sees them.
 * Errors: 42601 with the byte offset in sql, 54000 too long, 54001 too deep.
 */
enum tsf_err query_parse(const struct query_options *opts, const char *sql, struct tsf_arena *a, struct query_parsed *out,
                         struct tsf_error *err);
/* Bytes of the first statement with its semicolon; long texts are parsed one statement at a time. */
size_t query_statement_length(const char *sql);
/* Byte in the user's SQL of a position in parsed->text. */
int64_t query_parsed_offset(const struct query_parsed *p, int64_t at);

/* ---- binding -------------------------------------------------------------------------------------------- */

struct query_scope_column {
    const char *table, *name; /* table: alias that qualifies it, may be NULL */
    const struct tsf_type *type;
};
/* Columns that expressions of one SELECT may name; positions are those of the FROM clause's node. */
struct query_scope {
    struct query_scope *outer;
    int n_columns;
    struct query_scope_column *columns;
};
struct query_cte {
    struct query_cte *next; /* older: what its own text may refer to */
    const char *name;
    const PgQuery__CommonTableExpr *cte;
};
/* Aggregate calls of the SELECT being bound; QUERY_AGG_REF numbers index them. */
struct query_aggs {
    int n;
    size_t cap;
    struct query_agg_call *calls;
};
struct query_binder {
    struct query_session *s;
    struct tsf_arena *a;
    struct tsf_error *err;
    enum tsf_err rc;          /* set by query_bind_fail; functions that return pointers give NULL then */
    uint32_t next_id;
    int64_t now_us;
    int depth;
    int n_selects;            /* bounds what inlined CTEs can blow up to */
    struct query_scope *scope;
    struct query_cte *ctes;
    struct query_aggs *aggs;  /* NULL: no aggregates here */
    const char *clause;       /* "WHERE", for messages */
    bool in_agg;              /* inside an aggregate's arguments */
};

/* Record an error; always NULL. */
void *query_bind_fail(struct query_binder *b, const char *sqlstate, int location, const char *fmt, ...) TSF_PRINTF(4, 5);
void *query_bind_nomem(struct query_binder *b);
/* 0A000 "<what> are not supported yet". */
void *query_bind_unsupported(struct query_binder *b, int location, const char *what);
/* Take over the code of a callee that reported through b->err. */
void *query_bind_pass(struct query_binder *b, enum tsf_err rc);
void *query_bind_alloc(struct query_binder *b, size_t n, size_t size); /* zeroed */

/* query_bind_expr.c. NULL: failed. */
struct query_expr *query_bind_expr(struct query_binder *b, const PgQuery__Node *n);
struct query_expr *query_bind_bool(struct query_binder *b, const PgQuery__Node *n, const char *clause); /* must be boolean */
const struct tsf_type *query_bind_type(struct query_binder *b, const PgQuery__TypeName *t);
struct query_expr *query_bind_column(struct query_binder *b, int column, const struct tsf_type *type, int location);
struct query_expr *query_bind_null(struct query_binder *b, int location);
struct query_expr *query_bind_and(struct query_binder *b, enum query_expr_kind kind, int n, struct query_expr **args);
struct query_expr *query_bind_call(struct query_binder *b, const char *name, int n, struct query_expr **args, int location);
bool query_bind_coerce(struct query_binder *b, struct query_expr **e, const struct tsf_type *t, enum query_coercion how);
const char *query_bind_name(const PgQuery__Node *n); /* text of a String node, or NULL */
int query_bind_location(const PgQuery__Node *n);
/* query_bind_func.c */
struct query_expr *query_bind_func(struct query_binder *b, const PgQuery__FuncCall *f);
/* query_bind_name.c */
struct query_expr *query_bind_column_ref(struct query_binder *b, const PgQuery__ColumnRef *r);
/* Find an unqualified or qualified name: position, -1 absent, -2 ambiguous. */
int query_scope_find(const struct query_scope *s, const char *table, const char *name);
const char *query_bind_output_name(const PgQuery__Node *n); /* as PostgreSQL names result columns */
/* query_bind_select.c. n_visible_out: leading columns that the SELECT names; the rest serve ORDER BY only. */
struct query_node *query_bind_select(struct query_binder *b, const PgQuery__SelectStmt *s, int *n_visible_out);
struct query_node *query_bind_visible(struct query_binder *b, struct query_node *n, int n_visible); /* drop the rest */
/* query_bind_from.c: makes b->scope's columns and the node that gives them. */
struct query_node *query_bind_from(struct query_binder *b, size_t n, PgQuery__Node *const *items);
struct query_node *query_bind_table(struct query_binder *b, const PgQuery__RangeVar *r, struct query_table_info *info_out);
struct query_node *query_bind_values(struct query_binder *b, size_t n_rows, PgQuery__Node *const *rows,
                                     const struct tsf_field *const *fields, int n_fields);
/* Make e a value of the field, as INSERT does. 42804 when its type cannot become the field's. */
bool query_bind_assign(struct query_binder *b, struct query_expr **e, const struct tsf_field *f);

/* query_meta.c: rows without a table. table: argument of a function, NULL for a relation. */
struct query_node *query_bind_system(struct query_binder *b, const char *name, const char *table, int location);
struct query_node *query_bind_range_function(struct query_binder *b, const PgQuery__RangeFunction *r, const char **name_out);

/* query_bind_node.c */
struct query_node *query_node_new(struct query_binder *b, enum query_node_kind kind, struct query_node *input, int n_columns);
struct query_node *query_node_filter(struct query_binder *b, struct query_node *input, struct query_expr *predicate);
struct query_node *query_node_limit(struct query_binder *b, struct query_node *input, int64_t limit, int64_t offset);

/* A whole SELECT (or VALUES) statement -> plan, not yet optimized. */
enum tsf_err query_bind(struct query_session *s, const PgQuery__SelectStmt *stmt, int64_t now_us, struct query_plan *out,
                        struct tsf_error *err);
/* INSERT: plan whose columns are the table's fields, in order. */
struct query_insert {
    struct query_plan plan;
    struct query_table_info table;
    const char *name;
};
enum tsf_err query_bind_insert(struct query_session *s, const PgQuery__InsertStmt *stmt, int64_t now_us,
                               struct query_insert *out, struct tsf_error *err);

/* ---- statements without rows (query_ddl.c) ------------------------------------------------------------------ */

enum tsf_err query_create_table(struct query_session *s, const PgQuery__CreateStmt *stmt, struct tsf_error *err);
enum tsf_err query_drop(struct query_session *s, const PgQuery__DropStmt *stmt, struct tsf_error *err);

#endif
