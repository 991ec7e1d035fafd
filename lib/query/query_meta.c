/*
 * Rows that no table holds: generate_series and unnest in FROM, and what tsf knows of its tables.
 *
 *   tsf.tables             name, uri, version, files, bytes, rows, unflushed_rows
 *   tsf.files('t')         live files with partition, size, rows, time and clustering
 *   tsf.columns('t')       name, position, type, nullable, partition key
 *   tsf.cache_stats        name, value
 *
 * Under a tenant binding the tsf.* ones are refused: they tell of everybody's data.
 */
#include "cache/cache.h"
#include "query/query_bind.h"
#include "table/table.h"

struct meta {
    struct query_session *s;
    const char *table;        /* argument of tsf.files and tsf.columns */
    int n_columns;
    const struct query_column *columns;
    enum tsf_err (*fill)(struct meta *m, struct tsf_error *err);
    struct tsf_builder *builders; /* rows of the tsf.* ones */
    struct tsf_arena *arena;      /* of the batch being made */
    /* generate_series */
    int64_t next, stop, step;
    struct tsf_interval interval;
    bool done;
    const struct tsf_vector *list; /* unnest */
};

/* ---- rows made at once ---------------------------------------------------------------------------------- */

static enum tsf_err put_text(struct meta *m, int column, struct tsf_str s, struct tsf_error *err)
{
    return tsf_builder_str(&m->builders[column], s.data, s.len, err);
}

static enum tsf_err put_int(struct meta *m, int column, int64_t v, bool known, struct tsf_error *err)
{
    return known ? tsf_builder_i64(&m->builders[column], v, err) : tsf_builder_null(&m->builders[column], err);
}

static enum tsf_err open_table(struct meta *m, const char *name, int flags, struct table **out, struct tsf_error *err)
{
    struct table_env *env;
    enum tsf_err rc = query_session_env(m->s, &env, err);
    return rc == TSF_OK ? table_open(env, name, flags, -1, out, err) : rc;
}

static const struct query_column tables_columns[] = {
    { "name", TSF_T(STRING) }, { "uri", TSF_T(STRING) }, { "version", TSF_T(INT64) }, { "files", TSF_T(INT64) },
    { "bytes", TSF_T(INT64) }, { "rows", TSF_T(INT64) }, { "unflushed_rows", TSF_T(INT64) },
};

static enum tsf_err one_table(void *ctx, const char *name, struct tsf_error *err)
{
    struct meta *m = ctx;
    struct table *t;
    enum tsf_err rc = open_table(m, name, TABLE_TAIL, &t, err);
    if (rc != TSF_OK)
        return rc;
    const struct delta_snapshot *s = t->snapshot;
    int64_t bytes = 0, rows = 0, tail = 0;
    bool known = true;
    for (int64_t i = 0; i < s->n_files; i++) {
        bytes += s->size[i];
        known &= s->n_rows[i] >= 0;
        rows += s->n_rows[i];
    }
    for (int64_t i = 0; i < t->n_tail; i++)
        tail += wal_view_rows(t->tail, i);
    if ((rc = put_text(m, 0, tsf_str(name), err)) != TSF_OK || (rc = put_text(m, 1, tsf_str(t->uri), err)) != TSF_OK ||
        (rc = put_int(m, 2, s->version, true, err)) != TSF_OK || (rc = put_int(m, 3, s->n_files, true, err)) != TSF_OK ||
        (rc = put_int(m, 4, bytes, true, err)) != TSF_OK || (rc = put_int(m, 5, rows, known, err)) != TSF_OK)
        goto done;
    rc = put_int(m, 6, tail, true, err);
done:
    table_close(t);
    return rc;
}

static enum tsf_err fill_tables(struct meta *m, struct tsf_error *err)
{
    struct table_env *env;
    enum tsf_err rc = query_session_env(m->s, &env, err);
    return rc == TSF_OK ? table_list(env, one_table, m, err) : rc;
}

static const struct query_column files_columns[] = {
    { "path", TSF_T(STRING) }, { "partition", TSF_T(STRING) }, { "size", TSF_T(INT64) }, { "rows", TSF_T(INT64) },
    { "modified", TSF_T(TIMESTAMP) }, { "clustering", TSF_T(STRING) }, { "deleted_rows", TSF_T(INT64) },
};

static enum tsf_err fill_files(struct meta *m, struct tsf_error *err)
{
    struct tsf_buf partition = TSF_BUF_INIT(1 << 20);
    struct table *t;
    enum tsf_err rc = open_table(m, m->table, 0, &t, err);
    if (rc != TSF_OK)
        return rc;
    for (int64_t i = 0; i < t->snapshot->n_files && rc == TSF_OK; i++) {
        struct delta_file f;
        if ((rc = delta_snapshot_file(t->snapshot, i, m->arena, &f, err)) != TSF_OK)
            break;
        tsf_buf_reset(&partition);
        if ((rc = delta_partition_path(&t->snapshot->metadata, f.partition, &partition, err)) != TSF_OK ||
            (rc = put_text(m, 0, f.path, err)) != TSF_OK || (rc = put_text(m, 1, tsf_buf_str(&partition), err)) != TSF_OK ||
            (rc = put_int(m, 2, f.size, true, err)) != TSF_OK || (rc = put_int(m, 3, f.n_rows, f.n_rows >= 0, err)) != TSF_OK ||
            (rc = put_int(m, 4, f.modified_ms * 1000, true, err)) != TSF_OK || (rc = put_text(m, 5, f.clustering, err)) != TSF_OK)
            break;
        rc = put_int(m, 6, f.dv.storage ? f.dv.cardinality : 0, true, err);
    }
    tsf_buf_release(&partition);
    table_close(t);
    return rc;
}

static const struct query_column columns_columns[] = {
    { "name", TSF_T(STRING) }, { "position", TSF_T(INT32) }, { "type", TSF_T(STRING) }, { "nullable", TSF_T(BOOL) },
    { "partition_key", TSF_T(BOOL) }, { "bloom_filter", TSF_T(BOOL) },
};

static enum tsf_err fill_columns(struct meta *m, struct tsf_error *err)
{
    struct table *t;
    enum tsf_err rc = open_table(m, m->table, 0, &t, err);
    if (rc != TSF_OK)
        return rc;
    for (int i = 0; i < t->schema->n_fields && rc == TSF_OK; i++) {
        const struct tsf_field *f = &t->schema->fields[i];
        bool key = false;
        for (int k = 0; k < t->n_partition; k++)
            key |= t->partition_fields[k] == i;
        if ((rc = put_text(m, 0, tsf_str(f->name), err)) != TSF_OK || (rc = put_int(m, 1, i + 1, true, err)) != TSF_OK ||
            (rc = put_text(m, 2, tsf_str(tsf_type_sql_name(f->type, m->arena)), err)) != TSF_OK ||
            (rc = put_int(m, 3, f->nullable, true, err)) != TSF_OK || (rc = put_int(m, 4, key, true, err)) != TSF_OK)
            break;
        rc = put_int(m, 5, t->props.bloom && t->props.bloom[i], true, err);
    }
    table_close(t);
    return rc;
}

static const struct query_column cache_columns[] = { { "name", TSF_T(STRING) }, { "value", TSF_T(INT64) } };

static enum tsf_err fill_cache(struct meta *m, struct tsf_error *err)
{
    struct table_env *env;
    struct cache_stats c = { 0 };
    enum tsf_err rc = query_session_env(m->s, &env, err);
    if (rc != TSF_OK)
        return rc;
    if (env->cache)
        cache_stats_get(env->cache, &c);
    const struct { const char *name; int64_t value; } rows[] = {
        { "usable", env->cache && c.usable }, { "entries", c.entries }, { "bytes", c.bytes }, { "footer_hits", c.footer_hits },
        { "footer_misses", c.footer_misses }, { "snapshot_hits", c.snapshot_hits }, { "snapshot_misses", c.snapshot_misses },
        { "puts", c.puts }, { "evictions", c.evictions }, { "damaged", c.damaged },
    };
    for (size_t i = 0; i < TSF_ARRAY_LEN(rows) && rc == TSF_OK; i++)
        if ((rc = put_text(m, 0, tsf_str(rows[i].name), err)) == TSF_OK)
            rc = put_int(m, 1, rows[i].value, true, err);
    return rc;
}

/* A batch of all that fill gave. */
static enum tsf_err produce_filled(void *ctx, struct tsf_arena *a, struct tsf_batch *out, bool *more_out, struct tsf_error *err)
{
    struct meta *m = ctx;
    struct tsf_vector *columns = tsf_arena_calloc(a, (size_t)m->n_columns, sizeof *columns);
    enum tsf_err rc = columns ? TSF_OK : tsf_fail_nomem(err);
    int n = 0;
    *more_out = false;
    m->arena = a;
    if (!(m->builders = tsf_arena_calloc(a, (size_t)m->n_columns, sizeof *m->builders)) && rc == TSF_OK)
        rc = tsf_fail_nomem(err);
    for (; n < m->n_columns && rc == TSF_OK; n++)
        rc = tsf_builder_init(&m->builders[n], m->columns[n].type, err);
    if (rc == TSF_OK)
        rc = m->fill(m, err);
    for (int i = 0; i < n && rc == TSF_OK; i++) {
        struct tsf_vector view;
        if ((rc = tsf_builder_vector(&m->builders[i], a, &view, err)) == TSF_OK)
            rc = tsf_vector_copy(&view, a, &columns[i], err);
    }
    for (int i = 0; i < n; i++)
        tsf_builder_release(&m->builders[i]);
    if (rc == TSF_OK)
        *out = (struct tsf_batch){ .length = columns[0].length, .n_columns = m->n_columns, .columns = columns };
    return rc;
}

/* ---- generate_series, unnest -------------------------------------------------------------------------------- */

/* The time after t; false past the end of time. */
static bool add_interval(int64_t t, const struct tsf_interval *iv, int64_t *out)
{
    int64_t days = t / TSF_US_PER_DAY - (t % TSF_US_PER_DAY < 0), rest = t - days * TSF_US_PER_DAY;
    if (iv->months) {
        int64_t year;
        int month, day;
        tsf_civil_from_days(days, &year, &month, &day);
        int64_t m = year * 12 + (month - 1) + iv->months;
        year = m / 12 - (m % 12 < 0);
        month = (int)(m - year * 12) + 1;
        int64_t first = tsf_days_from_civil(year, month, 1);
        int64_t last = tsf_days_from_civil(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1) - 1;
        days = TSF_MIN(first + day - 1, last);
    }
    return !__builtin_add_overflow(days, iv->days, &days) && !__builtin_mul_overflow(days, TSF_US_PER_DAY, &days) &&
           !__builtin_add_overflow(days, rest, out) && !__builtin_add_overflow(*out, iv->us, out);
}

static bool series_step(struct meta *m)
{
    int64_t before = m->next;
    if (m->step ? __builtin_add_overflow(m->next, m->step, &m->next) : !add_interval(m->next, &m->interval, &m->next))
        return false;
    return m->next != before;
}

static bool series_in(const struct meta *m, bool up) { return up ? m->next <= m->stop : m->next >= m->stop; }

static enum tsf_err produce_series(void *ctx, struct tsf_arena *a, struct tsf_batch *out, bool *more_out, struct tsf_error *err)
{
    struct meta *m = ctx;
    struct tsf_vector *v = tsf_arena_calloc(a, 1, sizeof *v);
    void *values;
    int64_t n = 0;
    bool up = m->step > 0 || (!m->step && (m->interval.months > 0 || m->interval.days > 0 || m->interval.us > 0));
    if (!v)
        return tsf_fail_nomem(err);
    enum tsf_err rc = tsf_vector_alloc(m->columns[0].type, TSF_BATCH_ROWS, a, v, &values, err);
    if (rc != TSF_OK)
        return rc;
    while (n < TSF_BATCH_ROWS && !m->done && series_in(m, up)) {
        if (tsf_type_width(v->type) == 4)
            ((int32_t *)values)[n++] = (int32_t)m->next;
        else
            ((int64_t *)values)[n++] = m->next;
        m->done = !series_step(m);
    }
    v->length = n;
    *out = (struct tsf_batch){ .length = n, .n_columns = 1, .columns = v };
    *more_out = n == TSF_BATCH_ROWS;
    return TSF_OK;
}

static enum tsf_err produce_list(void *ctx, struct tsf_arena *a, struct tsf_batch *out, bool *more_out, struct tsf_error *err)
{
    struct meta *m = ctx;
    struct tsf_vector *v = tsf_arena_memdup(a, m->list, sizeof *v);
    *more_out = false;
    if (!v)
        return tsf_fail_nomem(err);
    *out = (struct tsf_batch){ .length = v->length, .n_columns = 1, .columns = v };
    return TSF_OK;
}

/* ---- binding -------------------------------------------------------------------------------------------------- */

static struct query_node *meta_node(struct query_binder *b, const char *name, const struct query_column *columns, int n, struct meta **m_out)
{
    struct query_node *node = query_node_new(b, QUERY_NODE_META, NULL, n);
    struct meta *m = query_bind_alloc(b, 1, sizeof *m);
    if (!node || !m)
        return NULL;
    memcpy(node->columns, columns, (size_t)n * sizeof *columns);
    m->s = b->s;
    m->n_columns = n;
    m->columns = node->columns;
    node->u.meta.ctx = m;
    node->u.meta.name = name;
    node->u.meta.produce = produce_filled;
    *m_out = m;
    return node;
}

static const struct system {
    const char *name;
    bool of_table;
    const struct query_column *columns;
    int n_columns;
    enum tsf_err (*fill)(struct meta *m, struct tsf_error *err);
} systems[] = {
    { "tables", false, tables_columns, TSF_ARRAY_LEN(tables_columns), fill_tables },
    { "files", true, files_columns, TSF_ARRAY_LEN(files_columns), fill_files },
    { "columns", true, columns_columns, TSF_ARRAY_LEN(columns_columns), fill_columns },
    { "cache_stats", false, cache_columns, TSF_ARRAY_LEN(cache_columns), fill_cache },
};

struct query_node *query_bind_system(struct query_binder *b, const char *name, const char *table, int location)
{
    for (size_t i = 0; i < TSF_ARRAY_LEN(systems); i++) {
        const struct system *y = &systems[i];
        struct meta *m;
        if (strcmp(y->name, name) != 0 || y->of_table != (table != NULL))
            continue;
        if (b->s->opts.project)
            return query_bind_fail(b, "42501", location, "tsf.%s cannot be read under a project binding", name);
        struct query_node *n = meta_node(b, tsf_arena_printf(b->a, "tsf.%s", name), y->columns, y->n_columns, &m);
        if (n)
            m->fill = y->fill, m->table = table;
        return n;
    }
    return query_bind_fail(b, "42P01", location, table ? "function tsf.%s(text) does not exist" : "relation \"tsf.%s\" does not exist", name);
}

static bool constant_args(struct query_binder *b, const PgQuery__FuncCall *f, struct query_expr **args, size_t n)
{
    b->clause = "functions in FROM", b->aggs = NULL;
    for (size_t i = 0; i < n; i++)
        if (!(args[i] = query_bind_expr(b, f->args[i])))
            return false;
    return true;
}

static bool value_of(struct query_binder *b, struct query_expr *e, struct tsf_value *out)
{
    enum tsf_err rc = query_eval_const(e, b->now_us, b->a, out, b->err);
    if (rc != TSF_OK)
        query_bind_pass(b, rc);
    return rc == TSF_OK;
}

static struct query_node *bind_series(struct query_binder *b, const PgQuery__FuncCall *f)
{
    struct query_expr *args[3] = { 0 };
    struct tsf_value v[3] = { 0 };
    struct query_column column = { "generate_series", NULL };
    struct meta *m;
    if (f->n_args < 2 || f->n_args > 3 || !constant_args(b, f, args, f->n_args))
        return b->rc == TSF_OK ? query_bind_fail(b, "42883", f->location, "generate_series takes a start, a stop and a step") : NULL;
    const struct tsf_type *t = args[0]->type, *step;
    if (t == &query_unknown || t->id == TSF_TYPE_DATE)
        t = args[1]->type == &query_unknown || args[1]->type->id == TSF_TYPE_DATE ? TSF_T(TIMESTAMP) : args[1]->type;
    if (tsf_type_is_integer(t) && tsf_type_is_integer(args[1]->type)) {
        t = step = t->id == TSF_TYPE_INT64 || args[1]->type->id == TSF_TYPE_INT64 || (args[2] && args[2]->type->id == TSF_TYPE_INT64) ?
                       TSF_T(INT64) : TSF_T(INT32);
    } else if (t->id == TSF_TYPE_TIMESTAMP || t->id == TSF_TYPE_TIMESTAMP_NTZ) {
        step = TSF_T(INTERVAL);
    } else {
        return query_bind_unsupported(b, f->location, "generate_series of this type is");
    }
    for (int i = 0; i < 3; i++)
        if (args[i] && (!query_bind_coerce(b, &args[i], i == 2 ? step : t, QUERY_IMPLICIT) || !value_of(b, args[i], &v[i])))
            return NULL;
    column.type = t;
    struct query_node *n = meta_node(b, "generate_series", &column, 1, &m);
    if (!n)
        return NULL;
    n->u.meta.produce = produce_series;
    m->next = v[0].u.i64, m->stop = v[1].u.i64;
    m->done = v[0].is_null || v[1].is_null || v[2].is_null;
    if (step->id != TSF_TYPE_INTERVAL)
        m->step = args[2] ? v[2].u.i64 : 1;
    else if (args[2])
        m->interval = v[2].u.iv;
    else
        return query_bind_fail(b, "42883", f->location, "generate_series of times needs a step");
    const struct tsf_interval *iv = &m->interval;
    bool up = iv->months > 0 || iv->days > 0 || iv->us > 0, down = iv->months < 0 || iv->days < 0 || iv->us < 0;
    if (!m->done && !m->step && !up && !down)
        return query_bind_fail(b, "22023", f->location, "step size cannot equal zero");
    if (!m->step && up && down)
        return query_bind_unsupported(b, f->location, "steps of mixed signs are");
    return n;
}

static struct query_node *bind_unnest(struct query_binder *b, const PgQuery__FuncCall *f)
{
    struct query_expr *arg;
    struct tsf_value v;
    struct meta *m;
    if (f->n_args != 1 || !constant_args(b, f, &arg, 1))
        return b->rc == TSF_OK ? query_bind_fail(b, "42883", f->location, "unnest takes one array") : NULL;
    if (arg->type->id != TSF_TYPE_LIST)
        return query_bind_fail(b, "42883", f->location, "function unnest(%s) does not exist", tsf_type_sql_name(arg->type, b->a));
    if (!value_of(b, arg, &v))
        return NULL;
    struct query_column column = { "unnest", arg->type->children[0].type };
    struct query_node *n = meta_node(b, "unnest", &column, 1, &m);
    if (!n)
        return NULL;
    n->u.meta.produce = produce_list;
    struct tsf_vector *none = query_bind_alloc(b, 1, sizeof *none);
    if (!none)
        return NULL;
    *none = (struct tsf_vector){ .type = column.type };
    m->list = v.is_null ? none : v.u.list;
    return n;
}

struct query_node *query_bind_range_function(struct query_binder *b, const PgQuery__RangeFunction *r, const char **name_out)
{
    const PgQuery__Node *first = r->n_functions == 1 && r->functions[0]->node_case == PG_QUERY__NODE__NODE_LIST && r->functions[0]->list->n_items ?
                                 r->functions[0]->list->items[0] : NULL;
    const PgQuery__FuncCall *f = first && first->node_case == PG_QUERY__NODE__NODE_FUNC_CALL ? first->func_call : NULL;
    if (!f || r->ordinality || r->n_coldeflist || f->over || f->agg_filter || f->agg_distinct || f->n_agg_order)
        return query_bind_unsupported(b, f ? f->location : -1, "this form of a function in FROM is");
    const char *name = query_bind_name(f->funcname[f->n_funcname - 1]), *schema = f->n_funcname > 1 ? query_bind_name(f->funcname[0]) : NULL;
    *name_out = name;
    if (name && schema && strcmp(schema, "tsf") == 0) {
        struct query_expr *arg;
        struct tsf_value v;
        if (f->n_args != 1)
            return query_bind_fail(b, "42883", f->location, "tsf.%s takes the name of a table", name);
        if (!constant_args(b, f, &arg, 1) || !query_bind_coerce(b, &arg, TSF_T(STRING), QUERY_IMPLICIT) || !value_of(b, arg, &v))
            return NULL;
        if (v.is_null)
            return query_bind_fail(b, "22004", f->location, "the name of a table must not be null");
        char *table = tsf_arena_strndup(b->a, v.u.s.data, v.u.s.len);
        return table ? query_bind_system(b, name, table, f->location) : query_bind_nomem(b);
    }
    if (name && strcmp(name, "generate_series") == 0)
        return bind_series(b, f);
    if (name && strcmp(name, "unnest") == 0)
        return bind_unnest(b, f);
    return query_bind_unsupported(b, f->location, "this function in FROM is");
}
