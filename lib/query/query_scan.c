/* Tables of a statement, and the scan operator. */
#include "query/query_scan.h"

#include <stdlib.h>

/* ---- tables --------------------------------------------------------------------------------------- */

enum tsf_err query_table_open(struct query_session *s, struct tsf_str name, struct query_table **out, struct tsf_error *err)
{
    struct table_env *env;
    enum tsf_err rc;

    for (struct query_table *t = s->tables; t; t = t->next) {
        if (tsf_str_eqz(name, t->name)) {
            *out = t;
            return TSF_OK;
        }
    }
    if ((rc = query_session_env(s, &env, err)) != TSF_OK)
        return rc;
    struct query_table *t = calloc(1, sizeof *t);
    if (!t || !(t->name = strndup(name.data, name.len))) {
        free(t);
        return tsf_fail_nomem(err);
    }
    if ((rc = table_open(env, t->name, TABLE_TAIL, -1, &t->table, err)) != TSF_OK) {
        free(t->name);
        free(t);
        return rc;
    }
    t->next = s->tables;
    s->tables = t;
    *out = t;
    return TSF_OK;
}

const struct tsf_schema *query_table_schema(const struct query_table *t)
{
    return t->table->schema;
}

int query_table_tenant_field(const struct query_table *t)
{
    return t->table->props.tenant_field;
}

void query_tables_close(struct query_session *s)
{
    while (s->tables) {
        struct query_table *t = s->tables;
        s->tables = t->next;
        table_close(t->table);
        free(t->name);
        free(t);
    }
}

/* ---- setting up -------------------------------------------------------------------------------------- */

static int expr_cost(const struct query_expr *e)
{
    int cost = 1;

    if (e->kind == QUERY_COLUMN)
        return e->type->json ? 60 : tsf_type_width(e->type) == 16 || e->type->id >= TSF_TYPE_LIST ? 8 : 2;
    if (e->kind == QUERY_CALL && e->fn && strchr(e->fn->name, '~'))
        cost += 30;
    else if (e->kind == QUERY_CALL)
        cost += 2;
    for (int i = 0; i < e->n_args; i++)
        if (e->kind != QUERY_IN || i == 0)
            cost += expr_cost(e->args[i]);
    return cost;
}

static int conjunct_cmp(const void *a, const void *b)
{
    const struct scan_conjunct *x = a, *y = b;

    return x->cost < y->cost ? -1 : x->cost > y->cost;
}

static enum tsf_err scan_conjuncts(struct scan *s, struct tsf_error *err)
{
    struct query_node *n = s->node;
    bool *used = tsf_arena_calloc(&s->arena, (size_t)s->n_columns + 1, sizeof *used);

    s->n_conjuncts = n->u.scan.n_conjuncts;
    s->conjuncts = tsf_arena_calloc(&s->arena, (size_t)s->n_conjuncts + 1, sizeof *s->conjuncts);
    if (!used || !s->conjuncts)
        return tsf_fail_nomem(err);
    for (int i = 0; i < s->n_conjuncts; i++) {
        struct scan_conjunct *c = &s->conjuncts[i];
        c->expr = n->u.scan.conjuncts[i];
        c->cost = expr_cost(c->expr);
        c->partition_only = true;
        if (!(c->columns = tsf_arena_calloc(&s->arena, (size_t)s->n_columns + 1, sizeof *c->columns)))
            return tsf_fail_nomem(err);
        memset(used, 0, (size_t)s->n_columns);
        query_expr_columns(c->expr, used);
        for (int k = 0; k < s->n_columns; k++) {
            if (!used[k])
                continue;
            c->columns[c->n_columns++] = k;
            s->columns[k].filtered = true;
            c->partition_only &= s->columns[k].partition >= 0;
        }
    }
    qsort(s->conjuncts, (size_t)s->n_conjuncts, sizeof *s->conjuncts, conjunct_cmp);
    return TSF_OK;
}

/* Values above the scan of a column that only conjuncts read do not matter. */
static enum tsf_err scan_columns(struct scan *s, struct tsf_error *err)
{
    struct query_node *n = s->node;
    struct table *t = s->table;

    s->n_columns = n->n_columns;
    s->columns = tsf_arena_calloc(&s->arena, (size_t)s->n_columns + 1, sizeof *s->columns);
    if (!s->columns)
        return tsf_fail_nomem(err);
    for (int c = 0; c < s->n_columns; c++) {
        struct scan_column *x = &s->columns[c];
        x->field = n->u.scan.fields[c];
        x->partition = -1;
        x->output = !(n->u.scan.filter_only && n->u.scan.filter_only[c]);
        x->type = n->columns[c].type;
        const struct tsf_field *f = &t->schema->fields[x->field];
        x->physical = f->physical ? f->physical : f->name;
        for (int k = 0; k < t->n_partition; k++)
            if (t->partition_fields[k] == x->field)
                x->partition = k;
    }
    return TSF_OK;
}

/* Records whose very frames are gone: the index knows of them, no read will meet them. */
static enum tsf_err scan_damage(struct scan *s, struct tsf_error *err)
{
    const struct wal_damage *d = &s->table->damage;

    s->damaged = d->records;
    if (!s->table->tail || !d->records)
        return TSF_OK;
    tsf_log(TSF_LOG_WARN, "table %s: %lld WAL records are damaged and left out (LSN %lld to %lld)", s->table->name, (long long)d->records,
            (long long)d->first_lsn, (long long)d->last_lsn);
    return d->records > WAL_DAMAGE_LIMIT ? query_scan_too_damaged(s, err) : TSF_OK;
}

enum tsf_err query_scan_init(struct scan *s, struct query_run *r, struct query_node *n, struct tsf_error *err)
{
    enum tsf_err rc;

    *s = (struct scan){ .run = r, .node = n, .table = n->u.scan.table->table };
    s->n_tail = s->table->tail ? s->table->n_tail : 0;
    if ((rc = scan_damage(s, err)) != TSF_OK || (rc = scan_columns(s, err)) != TSF_OK || (rc = scan_conjuncts(s, err)) != TSF_OK)
        return rc;
    return query_scan_files(s, err);
}

void query_scan_release(struct scan *s)
{
    for (int64_t i = 0; i < s->n_files; i++)
        query_scan_file_close(&s->files[i]);
    tsf_arena_release(&s->arena);
}

/* ---- tasks --------------------------------------------------------------------------------------------- */

/* Beyond this many files each is a task, opened and closed in turn; else all are open at once, and cut in slices. */
#define MANY_FILES 2048
#define SLICE_LEAST 32768
#define SLICE_STEP 20000 /* pages are cut like this by default, and a page is best decoded once */

struct open_task {
    struct query_tasks tasks;
    struct scan *scan;
};

static enum tsf_err open_run(struct query_tasks *t, int64_t task, struct query_worker *w, struct tsf_error *err)
{
    struct scan *s = ((struct open_task *)t)->scan;

    tsf_arena_reset(&w->arena);
    return query_scan_file_look(s, &s->files[task], w, err);
}

static enum tsf_err tail_run(struct scan *s, int64_t i, struct query_worker *w, struct tsf_error *err)
{
    struct scan_rows x;
    enum tsf_err rc;

    tsf_arena_reset(&w->arena);
    if ((rc = query_scan_tail_rows(s, i, &x, w, err)) != TSF_OK)
        return rc;
    return query_scan_rows_push(&x, s, w, err);
}

static enum tsf_err slice_run(struct query_tasks *t, int64_t task, struct query_worker *w, struct tsf_error *err)
{
    struct scan *s = (struct scan *)t;

    return task < s->n_tail ? tail_run(s, task, w, err) : query_scan_slice(s, &s->slices[task - s->n_tail], w, err);
}

static enum tsf_err file_run(struct query_tasks *t, int64_t task, struct query_worker *w, struct tsf_error *err)
{
    struct scan *s = (struct scan *)t;
    enum tsf_err rc;

    if (task < s->n_tail)
        return tail_run(s, task, w, err);
    struct scan_file *f = &s->files[task - s->n_tail];
    tsf_arena_reset(&w->arena);
    rc = query_scan_file_open(s, f, w, err);
    for (size_t i = 0; i < f->n_segments && rc == TSF_OK; i++) {
        struct scan_slice slice = { f, f->segments[i] };
        rc = query_scan_slice(s, &slice, w, err);
    }
    query_scan_file_close(f);
    return rc;
}

static int slice_cmp(const void *a, const void *b)
{
    const struct scan_slice *x = a, *y = b;
    int64_t n = x->segment.last - x->segment.first, m = y->segment.last - y->segment.first;

    if (x->segment.row_group < 0 || y->segment.row_group < 0)
        return (x->segment.row_group < 0) - (y->segment.row_group < 0);
    return n > m ? -1 : n < m ? 1 : x->file->index < y->file->index ? -1 : x->file->index > y->file->index;
}

/* Cut segments so that the workers end at about the same time. */
static enum tsf_err scan_slices(struct scan *s, struct tsf_error *err)
{
    int64_t rows = 0, n = 0;
    size_t cap = 0;

    for (int64_t i = 0; i < s->n_files; i++)
        for (size_t k = 0; k < s->files[i].n_segments; k++)
            rows += s->files[i].segments[k].last - s->files[i].segments[k].first;
    int64_t want = TSF_MAX(rows / (8 * s->run->n_workers), SLICE_LEAST);
    want = s->run->n_workers == 1 ? INT64_MAX / 4 : (want + SLICE_STEP - 1) / SLICE_STEP * SLICE_STEP;
    for (int64_t i = 0; i < s->n_files; i++) {
        struct scan_file *f = &s->files[i];
        for (size_t k = 0; k < f->n_segments; k++) {
            struct scan_segment g = f->segments[k];
            int64_t end = g.last;
            while (g.first < end) {
                g.last = g.row_group < 0 || end - g.first <= want + want / 2 ? end : g.first / SLICE_STEP * SLICE_STEP + want;
                if (!tsf_arena_grow(&s->arena, (void **)&s->slices, &cap, (size_t)n + 1, sizeof *s->slices))
                    return tsf_fail_nomem(err);
                s->slices[n++] = (struct scan_slice){ f, g };
                g.first = g.last;
            }
        }
    }
    s->n_slices = n;
    if (n)
        qsort(s->slices, (size_t)n, sizeof *s->slices, slice_cmp);
    return TSF_OK;
}

enum tsf_err query_run_scan(struct query_run *r, struct query_node *n, struct query_sink *sink, struct tsf_error *err)
{
    struct scan s = { 0 };
    enum tsf_err rc;

    if ((rc = query_scan_init(&s, r, n, err)) != TSF_OK || s.never)
        goto done;
    s.sink = sink;
    if (n->u.scan.order_column >= 0 && n->u.scan.limit >= 0 && n->u.scan.limit <= 65536) {
        rc = query_scan_top(&s, err);
        goto done;
    }
    s.tasks.n = s.n_tail + s.n_files;
    s.tasks.run = file_run;
    if (s.n_files <= MANY_FILES) {
        struct open_task open = { { open_run, s.n_files }, &s };
        if ((rc = query_run_tasks(r, &open.tasks, false, err)) != TSF_OK || (rc = scan_slices(&s, err)) != TSF_OK)
            goto done;
        s.tasks.n = s.n_tail + s.n_slices;
        s.tasks.run = slice_run;
    }
    rc = query_run_tasks(r, &s.tasks, sink->ordered, err);
done:
    query_scan_cache_footers(&s);
    query_scan_release(&s);
    return rc;
}
