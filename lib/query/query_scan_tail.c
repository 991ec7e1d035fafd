/* Unflushed rows. A record is a batch of all fields of the table. */
#include "query/query_scan.h"

enum tsf_err query_scan_too_damaged(const struct scan *s, struct tsf_error *err)
{
    tsf_hint(err, "tsf-flush --salvage writes what is whole and drops the damaged records");
    return tsf_fail(err, TSF_ERR_FORMAT, "table %s: more than %d damaged WAL records", s->table->name, WAL_DAMAGE_LIMIT);
}

/* A record that is damaged is skipped with a word, up to a limit. */
static enum tsf_err tail_damaged(struct scan *s, int64_t i, const struct tsf_error *e, struct tsf_error *err)
{
    int64_t n = __atomic_add_fetch(&s->damaged, 1, __ATOMIC_RELAXED);

    tsf_log(TSF_LOG_WARN, "table %s: WAL record LSN %lld is damaged and left out: %s", s->table->name,
            (long long)wal_view_lsn(s->table->tail, i), e->msg);
    return n > WAL_DAMAGE_LIMIT ? query_scan_too_damaged(s, err) : TSF_OK;
}

enum tsf_err query_scan_tail_rows(struct scan *s, int64_t i, struct scan_rows *x, struct query_worker *w, struct tsf_error *err)
{
    struct tsf_error e = TSF_ERROR_INIT;
    struct tsf_batch b;
    enum tsf_err rc;

    if ((rc = query_scan_rows_begin(x, s, NULL, 0, 0, w, err)) != TSF_OK)
        return rc;
    if ((rc = table_tail_read(s->table, i, &w->arena, &b, &e)) != TSF_OK) {
        if (rc == TSF_ERR_FORMAT)
            return tail_damaged(s, i, &e, err);
        if (err)
            *err = e;
        return rc;
    }
    SCAN_COUNT(s, wal_rows, b.length);
    x->n = x->n_sel = b.length;
    for (int c = 0; c < s->n_columns; c++) {
        x->vectors[c] = b.columns[s->columns[c].field];
        x->vectors[c].type = s->columns[c].type;
        x->loaded[c] = true;
    }
    return query_scan_rows_filter(x, s, 0, w, err);
}
