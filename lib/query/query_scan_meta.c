/*
 * count, min and max without reading rows: from the statistics of files, and the rows of the tail. Answers only what is
 * exact: every file that is not pruned must be covered by its statistics alone.
 */
#include "query/query_scan.h"

struct meta_state {
    int64_t count;
    struct tsf_value best;
    bool any;
};

static void meta_offer(struct meta_state *m, const struct tsf_value *v, bool max)
{
    if (!m->any || (max ? tsf_value_cmp(v, &m->best) > 0 : tsf_value_cmp(v, &m->best) < 0))
        m->best = *v;
    m->any = true;
}

/* One aggregate over file f; false when its statistics do not say. */
static bool meta_file(struct scan *s, const struct scan_file *f, const struct query_agg_call *c, struct meta_state *m, struct tsf_arena *a)
{
    const struct delta_bounds *b;
    bool max = strcmp(c->agg->name, "max") == 0;
    struct tsf_value v;

    if (c->star) {
        m->count += f->n_rows - (f->info.dv.storage ? f->info.dv.cardinality : 0);
        return true;
    }
    const struct scan_column *col = &s->columns[c->args[0]->column];
    if (col->partition >= 0) {
        if (tsf_vector_get(&s->partition[col->partition], f->index, a, &v, NULL) != TSF_OK)
            return false;
        int64_t rows = f->n_rows - (f->info.dv.storage ? f->info.dv.cardinality : 0);
        if (v.is_null || !rows)
            return true;
        m->count += rows;
        meta_offer(m, &v, max);
        return true;
    }
    if (f->info.dv.storage || col->type->id >= TSF_TYPE_LIST ||
        delta_snapshot_bounds(s->table->snapshot, col->field, &b, NULL) != TSF_OK || !b->any || b->null_count[f->index] < 0)
        return false;
    m->count += f->n_rows - b->null_count[f->index];
    if (strcmp(c->agg->name, "count") == 0 || b->null_count[f->index] == f->n_rows)
        return true;
    const struct tsf_vector *bound = max ? &b->max : &b->min;
    if (!(b->exact[f->index] & (max ? 2 : 1)) || !tsf_type_eq(bound->type, col->type) || col->type->id == TSF_TYPE_FLOAT ||
        col->type->id == TSF_TYPE_DOUBLE || tsf_vector_get(bound, f->index, a, &v, NULL) != TSF_OK || v.is_null)
        return false;
    meta_offer(m, &v, max);
    return true;
}

static enum tsf_err meta_tail(struct scan *s, const struct query_node *agg, struct meta_state *m, struct tsf_arena *a, struct tsf_error *err)
{
    struct query_worker *w;
    struct scan_rows x;
    enum tsf_err rc = query_worker_get(s->run, 0, &w, err);

    for (int64_t i = 0; i < s->n_tail && rc == TSF_OK; i++) {
        tsf_arena_reset(&w->arena);
        if ((rc = tsf_cancel_check(err)) != TSF_OK || (rc = query_scan_tail_rows(s, i, &x, w, err)) != TSF_OK)
            return rc;
        for (int k = 0; k < agg->u.aggregate.n_aggs; k++) {
            const struct query_agg_call *c = &agg->u.aggregate.aggs[k];
            if (c->star) {
                m[k].count += x.n_sel;
                continue;
            }
            const struct tsf_vector *v = &x.vectors[c->args[0]->column];
            bool max = strcmp(c->agg->name, "max") == 0, count = strcmp(c->agg->name, "count") == 0;
            for (int64_t r = 0; r < x.n_sel; r++) {
                struct tsf_value value;
                if (!tsf_vector_present(v, r))
                    continue;
                m[k].count++;
                if (count)
                    continue;
                if ((rc = tsf_vector_get(v, r, &w->arena, &value, err)) != TSF_OK)
                    return rc;
                struct tsf_value before = m[k].best;
                bool had = m[k].any;
                meta_offer(&m[k], &value, max);
                if (tsf_type_is_string(value.type) && (!had || before.u.s.data != m[k].best.u.s.data)) {
                    char *copy = tsf_arena_memdup(a, m[k].best.u.s.data, m[k].best.u.s.len);
                    if (!copy)
                        return tsf_fail_nomem(err);
                    m[k].best.u.s.data = copy;
                }
            }
        }
    }
    return rc;
}

static enum tsf_err meta_answer(struct scan *s, const struct query_node *agg, bool *answered_out, struct tsf_value *values_out,
                                struct tsf_arena *a, struct tsf_error *err)
{
    int n = agg->u.aggregate.n_aggs;
    struct meta_state *m = tsf_arena_calloc(&s->arena, (size_t)n + 1, sizeof *m);
    enum tsf_err rc;

    if (!m)
        return tsf_fail_nomem(err);
    uint64_t all = s->n_conjuncts >= 64 ? ~0ULL : (1ULL << s->n_conjuncts) - 1;
    for (int64_t i = 0; i < s->n_files; i++) {
        const struct scan_file *f = &s->files[i];
        if (s->n_conjuncts > 64 || (f->proven & all) != all || f->n_rows < 0)
            return TSF_OK;
        for (int k = 0; k < n; k++)
            if (!meta_file(s, f, &agg->u.aggregate.aggs[k], &m[k], a))
                return TSF_OK;
    }
    if (!s->never && (rc = meta_tail(s, agg, m, a, err)) != TSF_OK)
        return rc;
    for (int k = 0; k < n; k++) {
        const struct query_agg_call *c = &agg->u.aggregate.aggs[k];
        bool count = strcmp(c->agg->name, "count") == 0;
        values_out[k] = count ? (struct tsf_value){ .type = TSF_T(INT64), .u.i64 = m[k].count } : m[k].best;
        values_out[k].is_null = !count && !m[k].any;
        values_out[k].type = c->type;
    }
    *answered_out = true;
    return TSF_OK;
}

enum tsf_err query_scan_meta(struct query_run *r, const struct query_node *agg, bool *answered_out, struct tsf_value *values_out,
                             struct tsf_arena *a, struct tsf_error *err)
{
    struct scan s = { 0 };
    enum tsf_err rc;

    *answered_out = false;
    if ((rc = query_scan_init(&s, r, agg->input, err)) == TSF_OK)
        rc = meta_answer(&s, agg, answered_out, values_out, a, err);
    if (!*answered_out)
        agg->input->counters = (struct query_counters){ 0 };
    query_scan_release(&s);
    return rc;
}
