/* Sessions, and the loop over statements. */
#include "query/query_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "query/query_bind.h"
#include "table/table.h"

/* ---- life ------------------------------------------------------------------------------------------------ */

/* 70% of the machine's memory or of the cgroup's limit, whichever is less. */
static int64_t default_memory_limit(void)
{
    int64_t limit = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    struct tsf_buf text = TSF_BUF_INIT(64);
    int64_t cgroup;
    if (tsf_file_read("/sys/fs/cgroup/memory.max", 64, &text, NULL) == TSF_OK && text.len > 1 &&
        tsf_int64_parse(tsf_str_n(text.data, text.len - 1), &cgroup) && cgroup > 0)
        limit = TSF_MIN(limit, cgroup);
    tsf_buf_release(&text);
    return limit <= 0 ? 1LL << 30 : limit / 10 * 7;
}

static enum tsf_err copy_options(struct query_session *s, const struct query_options *o, struct tsf_error *err)
{
    const char **names = tsf_arena_calloc(&s->arena, (size_t)o->n_params + 1, sizeof *names);
    const char **values = tsf_arena_calloc(&s->arena, (size_t)o->n_params + 1, sizeof *values);
    if (!names || !values)
        return tsf_fail_nomem(err);
    s->opts = *o;
    for (int i = 0; i < o->n_params; i++) {
        const char *name = o->param_names ? o->param_names[i] : NULL;
        if (o->param_values[i] && query_utf8_bad(o->param_values[i]) >= 0)
            return tsf_fail_sql(err, "22021", -1, "parameter %d is not UTF-8", i + 1);
        if ((name && !(names[i] = tsf_arena_strdup(&s->arena, name))) ||
            (o->param_values[i] && !(values[i] = tsf_arena_strdup(&s->arena, o->param_values[i]))))
            return tsf_fail_nomem(err);
    }
    s->opts.param_names = names;
    s->opts.param_values = values;
    const char **texts[] = { &s->opts.warehouse, &s->opts.data_dir, &s->opts.project };
    for (size_t i = 0; i < TSF_ARRAY_LEN(texts); i++)
        if (*texts[i] && !(*texts[i] = tsf_arena_strdup(&s->arena, *texts[i])))
            return tsf_fail_nomem(err);
    return TSF_OK;
}

enum tsf_err query_session_new(const struct query_options *opts, struct query_session **out, struct tsf_error *err)
{
    struct query_session *s = calloc(1, sizeof *s);
    enum tsf_err rc;
    if (!s)
        return tsf_fail_nomem(err);
    if ((rc = copy_options(s, opts, err)) != TSF_OK) {
        query_session_free(s);
        return rc;
    }
    s->memory_limit = opts->memory_limit > 0 ? opts->memory_limit : default_memory_limit();
    *out = s;
    return TSF_OK;
}

void query_session_free(struct query_session *s)
{
    if (!s)
        return;
    query_tables_close(s);
    table_env_free(s->env);
    tsf_pool_free(s->pool);
    tsf_arena_release(&s->stmt);
    tsf_arena_release(&s->arena);
    free(s);
}

enum tsf_err query_session_env(struct query_session *s, struct table_env **out, struct tsf_error *err)
{
    struct table_env_options o = { .warehouse = s->opts.warehouse, .data_dir = s->opts.data_dir, .no_cache = s->opts.no_cache };
    enum tsf_err rc = s->env ? TSF_OK : table_env_open(&o, &s->env, err);
    if (rc == TSF_OK)
        *out = s->env;
    return rc;
}

enum tsf_err query_session_pool(struct query_session *s, struct tsf_pool **out, struct tsf_error *err)
{
    enum tsf_err rc = s->pool ? TSF_OK : tsf_pool_new(s->opts.threads, &s->pool, err);
    if (rc == TSF_OK)
        *out = s->pool;
    return rc;
}

enum tsf_err query_session_exec(struct query_session *s, const struct query_plan *plan, bool analyze,
                                const struct query_consumer *consumer, struct tsf_error *err)
{
    struct query_exec_context cx = { .session = s, .memory_limit = s->memory_limit, .now_us = plan->now_us,
                                     .n_exprs = plan->n_exprs, .analyze = analyze };
    enum tsf_err rc = query_session_pool(s, &cx.pool, err);
    return rc == TSF_OK ? query_exec(&cx, plan, consumer, err) : rc;
}

/* ---- statements with rows ------------------------------------------------------------------------------------ */

struct counted {
    const struct query_consumer *to;
    int64_t rows;
};

static enum tsf_err count_batch(void *ctx, const struct tsf_batch *b, struct tsf_error *err)
{
    struct counted *c = ctx;
    c->rows += tsf_batch_rows(b);
    return c->to ? c->to->batch(c->to->ctx, b, err) : TSF_OK;
}

static enum tsf_err run_select(struct query_session *s, const PgQuery__SelectStmt *stmt, int64_t now_us,
                               const struct query_consumer *consumer, struct tsf_error *err)
{
    struct query_plan plan;
    struct counted counted = { .to = consumer };
    struct query_consumer counter = { .ctx = &counted, .batch = count_batch };
    enum tsf_err rc;
    if ((rc = query_bind(s, stmt, now_us, &plan, err)) != TSF_OK)
        return rc;
    /* Names are the bound plan's; the optimizer is free to lose them. */
    struct query_column_info *columns = tsf_arena_calloc(&s->stmt, (size_t)plan.n_output + 1, sizeof *columns);
    if (!columns)
        return tsf_fail_nomem(err);
    for (int i = 0; i < plan.n_output; i++)
        columns[i] = (struct query_column_info){ plan.root->columns[i].name, plan.root->columns[i].type };
    if ((rc = query_optimize(s, &plan, &s->stmt, err)) != TSF_OK ||
        (rc = consumer->begin(consumer->ctx, columns, plan.n_output, err)) != TSF_OK ||
        (rc = query_session_exec(s, &plan, false, &counter, err)) != TSF_OK)
        return rc;
    char tag[64];
    snprintf(tag, sizeof tag, "SELECT %lld", (long long)counted.rows);
    return consumer->end(consumer->ctx, tag, err);
}

/* One column of text, a row per line. */
static enum tsf_err give_lines(struct query_session *s, const char *name, struct tsf_str text, const char *tag,
                               const struct query_consumer *consumer, struct tsf_error *err)
{
    struct query_column_info column = { name, TSF_T(STRING) };
    struct tsf_builder b;
    struct tsf_vector v;
    enum tsf_err rc = tsf_builder_init(&b, TSF_T(STRING), err);
    if (rc != TSF_OK)
        return rc;
    while (text.len && rc == TSF_OK) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t n = end ? (size_t)(end - text.data) : text.len;
        rc = tsf_builder_str(&b, text.data, n, err);
        n += end != NULL;
        text = tsf_str_n(text.data + n, text.len - n);
    }
    if (rc == TSF_OK && (rc = tsf_builder_vector(&b, &s->stmt, &v, err)) == TSF_OK &&
        (rc = consumer->begin(consumer->ctx, &column, 1, err)) == TSF_OK) {
        struct tsf_batch batch = { .length = v.length, .n_columns = 1, .columns = &v };
        if ((rc = consumer->batch(consumer->ctx, &batch, err)) == TSF_OK)
            rc = consumer->end(consumer->ctx, tag, err);
    }
    tsf_builder_release(&b);
    return rc;
}

static bool option_on(const PgQuery__DefElem *d)
{
    if (!d->arg)
        return true;
    if (d->arg->node_case == PG_QUERY__NODE__NODE_INTEGER)
        return d->arg->integer->ival != 0;
    const char *z = query_bind_name(d->arg);
    return !z || (strcasecmp(z, "off") != 0 && strcasecmp(z, "false") != 0 && strcmp(z, "0") != 0);
}

static enum tsf_err explain_options(const PgQuery__ExplainStmt *stmt, bool *analyze, struct tsf_error *err)
{
    static const char *const harmless[] = { "verbose", "costs", "settings", "buffers", "wal", "timing", "summary" };
    for (size_t i = 0; i < stmt->n_options; i++) {
        const PgQuery__DefElem *d = stmt->options[i]->node_case == PG_QUERY__NODE__NODE_DEF_ELEM ? stmt->options[i]->def_elem : NULL;
        bool known = false;
        if (d && strcmp(d->defname, "analyze") == 0)
            *analyze = option_on(d), known = true;
        for (size_t k = 0; d && k < TSF_ARRAY_LEN(harmless); k++)
            known |= strcmp(d->defname, harmless[k]) == 0;
        if (d && strcmp(d->defname, "format") == 0 && query_bind_name(d->arg) && strcasecmp(query_bind_name(d->arg), "text") == 0)
            known = true;
        if (!known)
            return tsf_fail_sql(err, "0A000", d ? d->location : -1, "EXPLAIN option \"%s\" is not supported yet", d ? d->defname : "?");
    }
    return TSF_OK;
}

static enum tsf_err run_explain(struct query_session *s, const PgQuery__ExplainStmt *stmt, int64_t now_us,
                                const struct query_consumer *consumer, struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(16 << 20);
    struct counted counted = { 0 };
    struct query_consumer nobody = { .ctx = &counted, .batch = count_batch };
    struct query_plan plan;
    bool analyze = false;
    enum tsf_err rc;
    if ((rc = explain_options(stmt, &analyze, err)) != TSF_OK)
        return rc;
    if (!stmt->query || stmt->query->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return tsf_fail_sql(err, "0A000", -1, "EXPLAIN of statements other than SELECT is not supported yet");
    if ((rc = query_bind(s, stmt->query->select_stmt, now_us, &plan, err)) != TSF_OK ||
        (rc = query_optimize(s, &plan, &s->stmt, err)) != TSF_OK)
        return rc;
    int64_t start = tsf_monotonic_ns();
    if (analyze && (rc = query_session_exec(s, &plan, true, &nobody, err)) != TSF_OK)
        return rc;
    int64_t ns = tsf_monotonic_ns() - start;
    rc = query_explain(&plan, analyze, &text, err);
    if (rc == TSF_OK && analyze)
        rc = tsf_buf_printf(&text, err, "Rows: %lld\nExecution time: %.3f ms\n", (long long)counted.rows, (double)ns / 1e6);
    if (rc == TSF_OK)
        rc = give_lines(s, "QUERY PLAN", tsf_buf_str(&text), "EXPLAIN", consumer, err);
    tsf_buf_release(&text);
    return rc;
}

static enum tsf_err run_insert(struct query_session *s, const PgQuery__InsertStmt *stmt, int64_t now_us, char *tag, size_t tag_size,
                               struct tsf_error *err)
{
    struct query_insert insert;
    int64_t rows = 0;
    enum tsf_err rc;
    if ((rc = query_bind_insert(s, stmt, now_us, &insert, err)) != TSF_OK ||
        (rc = query_optimize(s, &insert.plan, &s->stmt, err)) != TSF_OK || (rc = query_insert_run(s, &insert, &rows, err)) != TSF_OK)
        return rc;
    snprintf(tag, tag_size, "INSERT 0 %lld", (long long)rows);
    return TSF_OK;
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static enum tsf_err unsupported(const PgQuery__Node *n, struct tsf_error *err)
{
    const char *what = "this statement";
    switch (n->node_case) {
    case PG_QUERY__NODE__NODE_DELETE_STMT: what = "DELETE"; break;
    case PG_QUERY__NODE__NODE_UPDATE_STMT: what = "UPDATE"; break;
    case PG_QUERY__NODE__NODE_MERGE_STMT: what = "MERGE"; break;
    case PG_QUERY__NODE__NODE_TRUNCATE_STMT: what = "TRUNCATE"; break;
    case PG_QUERY__NODE__NODE_ALTER_TABLE_STMT: what = "ALTER TABLE"; break;
    case PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT: what = "CREATE TABLE AS"; break;
    case PG_QUERY__NODE__NODE_VIEW_STMT: what = "CREATE VIEW"; break;
    case PG_QUERY__NODE__NODE_INDEX_STMT: what = "CREATE INDEX"; break;
    case PG_QUERY__NODE__NODE_COPY_STMT: what = "COPY"; break;
    case PG_QUERY__NODE__NODE_TRANSACTION_STMT: what = "transaction control"; break;
    case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT: what = "SET"; break;
    case PG_QUERY__NODE__NODE_VARIABLE_SHOW_STMT: what = "SHOW"; break;
    default: break;
    }
    return tsf_fail_sql(err, "0A000", -1, "%s is not supported yet", what);
}

static enum tsf_err run_statement(struct query_session *s, const PgQuery__Node *n, int64_t now_us,
                                  const struct query_consumer *consumer, struct tsf_error *err)
{
    char tag[64] = "";
    enum tsf_err rc;
    switch (n->node_case) {
    case PG_QUERY__NODE__NODE_SELECT_STMT:
        return run_select(s, n->select_stmt, now_us, consumer, err);
    case PG_QUERY__NODE__NODE_EXPLAIN_STMT:
        return run_explain(s, n->explain_stmt, now_us, consumer, err);
    case PG_QUERY__NODE__NODE_INSERT_STMT:
        rc = run_insert(s, n->insert_stmt, now_us, tag, sizeof tag, err);
        break;
    case PG_QUERY__NODE__NODE_CREATE_STMT:
        rc = query_create_table(s, n->create_stmt, err);
        snprintf(tag, sizeof tag, "CREATE TABLE");
        break;
    case PG_QUERY__NODE__NODE_DROP_STMT:
        rc = query_drop(s, n->drop_stmt, err);
        snprintf(tag, sizeof tag, "DROP TABLE");
        break;
    default:
        return unsupported(n, err);
    }
    if (rc != TSF_OK || (rc = consumer->begin(consumer->ctx, NULL, 0, err)) != TSF_OK)
        return rc;
    return consumer->end(consumer->ctx, tag, err);
}

/* Parse all of the text, then run it. base: where it stands in the user's text. */
static enum tsf_err run_text(struct query_session *s, const char *sql, int64_t base, const struct query_consumer *consumer,
                             struct tsf_error *err)
{
    struct tsf_arena tree = TSF_ARENA_INIT;
    struct query_parsed parsed = { 0 };
    bool mapped = true; /* offsets are of the user's text already */
    enum tsf_err rc = query_parse(&s->opts, sql, &tree, &parsed, err);
    for (size_t i = 0; rc == TSF_OK && i < parsed.tree->n_stmts; i++) {
        if ((rc = tsf_cancel_check(err)) != TSF_OK)
            break;
        rc = run_statement(s, parsed.tree->stmts[i]->stmt, tsf_now_us(), consumer, err);
        mapped = false;
        query_tables_close(s);
        tsf_arena_reset(&s->stmt);
    }
    if (rc != TSF_OK && rc != TSF_END && err->offset >= 0 && err->sqlstate[0])
        err->offset = base + (mapped ? err->offset : query_parsed_offset(&parsed, err->offset));
    tsf_arena_release(&tree);
    return rc;
}

enum tsf_err query_run(struct query_session *s, const char *sql, const struct query_consumer *consumer, struct tsf_error *err)
{
    struct tsf_error own = TSF_ERROR_INIT;
    enum tsf_err rc = TSF_OK;
    if (!err)
        err = &own;
    if (strlen(sql) <= QUERY_TEXT_MAX)
        return run_text(s, sql, 0, consumer, err);
    for (const char *p = sql; *p && rc == TSF_OK;) {
        size_t n = query_statement_length(p);
        char *one = malloc(n + 1);
        if (!one)
            return tsf_fail_nomem(err);
        memcpy(one, p, n);
        one[n] = 0;
        rc = run_text(s, one, p - sql, consumer, err);
        free(one);
        p += n;
    }
    return rc;
}
