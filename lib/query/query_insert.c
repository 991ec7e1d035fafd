/* INSERT: rows of the plan go to the table's WAL as one run, all or nothing. */
#include "query/query_bind.h"
#include "query/query_session.h"
#include "table/table.h"

struct insert {
    struct query_session *s;
    const struct query_insert *stmt;
    struct table *table;
    struct wal_run *run;
    int64_t rows;
    struct tsf_arena arena; /* of one batch */
};

static enum tsf_err check_not_null(const struct insert *x, const struct tsf_batch *b, struct tsf_error *err)
{
    for (int i = 0; i < b->n_columns; i++)
        if (!x->table->schema->fields[i].nullable && tsf_vector_null_count(&b->columns[i]) > 0)
            return tsf_fail_sql(err, "23502", -1, "null value in column \"%s\" of relation \"%s\" violates not-null constraint",
                                x->table->schema->fields[i].name, x->stmt->name);
    return TSF_OK;
}

/* Rows of other tenants never get in under a binding. */
static enum tsf_err check_tenant(const struct insert *x, const struct tsf_batch *b, struct tsf_error *err)
{
    const char *project = x->s->opts.project;
    int tenant = x->stmt->table.tenant_field;
    if (!project)
        return TSF_OK;
    for (int64_t i = 0; i < b->length; i++) {
        const struct tsf_vector *v = &b->columns[tenant];
        const struct tsf_sview *views = tsf_vector_flat_values(v);
        if (!tsf_vector_present(v, i) || !tsf_str_eqz(tsf_sview_str(&views[tsf_vector_at(v, i)]), project))
            return tsf_fail_sql(err, "42501", -1, "new row for relation \"%s\" is not of the project that the session is bound to", x->stmt->name);
    }
    return TSF_OK;
}

static enum tsf_err insert_batch(void *ctx, const struct tsf_batch *in, struct tsf_error *err)
{
    struct insert *x = ctx;
    struct tsf_batch b = *in;
    enum tsf_err rc = TSF_OK;
    int n = x->table->schema->n_fields;
    tsf_arena_reset(&x->arena);
    b.n_columns = n;
    b.length = tsf_batch_rows(in);
    b.sel = NULL;
    if (b.length == 0)
        return TSF_OK;
    if (!(b.columns = tsf_arena_calloc(&x->arena, (size_t)n, sizeof *b.columns)))
        return tsf_fail_nomem(err);
    for (int i = 0; i < n && rc == TSF_OK; i++) {
        if (in->sel)
            rc = tsf_vector_gather(&in->columns[i], in->sel, b.length, &x->arena, &b.columns[i], err);
        else
            b.columns[i] = in->columns[i];
        b.columns[i].type = x->table->schema->fields[i].type;
    }
    if (rc != TSF_OK || (rc = table_derive(x->table, &b, &x->arena, err)) != TSF_OK || (rc = check_not_null(x, &b, err)) != TSF_OK ||
        (rc = check_tenant(x, &b, err)) != TSF_OK)
        return rc;
    x->rows += b.length;
    return wal_run_append(x->run, WAL_INSERT, -1, &b, err);
}

enum tsf_err query_insert_run(struct query_session *s, struct query_insert *stmt, int64_t *rows_out, struct tsf_error *err)
{
    struct insert x = { .s = s, .stmt = stmt };
    struct query_consumer sink = { .ctx = &x, .batch = insert_batch };
    struct wal_receipt receipt;
    struct table_env *env;
    enum tsf_err rc;
    if (s->opts.project && stmt->table.tenant_field < 0) /* the binder has refused it already */
        return tsf_fail_sql(err, "42501", -1, "table \"%s\" has no tenant column", stmt->name);
    if ((rc = query_session_env(s, &env, err)) != TSF_OK || (rc = table_open(env, stmt->name, TABLE_WAL_CREATE, -1, &x.table, err)) != TSF_OK)
        return rc;
    if (x.table->schema->n_fields != stmt->plan.root->n_columns)
        rc = tsf_fail(err, TSF_ERR_CONFLICT, "the schema of table %s has changed meanwhile", stmt->name);
    if (rc == TSF_OK && (rc = wal_run_begin(x.table->wal, x.table->schema, &x.run, err)) == TSF_OK) {
        rc = query_session_exec(s, &stmt->plan, false, &sink, err);
        if (rc == TSF_OK) {
            rc = wal_run_commit(x.run, &receipt, err);
            x.run = NULL;
        }
    }
    if (x.run)
        wal_run_abort(x.run);
    *rows_out = x.rows;
    tsf_arena_release(&x.arena);
    table_close(x.table);
    return rc;
}
