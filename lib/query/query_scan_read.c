/*
 * Rows of one row group. Columns of the cheapest conjunct are read first; of every other column only the rows that are
 * left are decoded, and pages without any are not even decompressed. Readers lag behind until someone needs them.
 */
#include "query/query_scan.h"

#include <stdlib.h>

enum tsf_err query_scan_reader_init(struct scan_reader *r, struct scan *s, struct scan_file *f, int row_group, struct tsf_error *err)
{
    *r = (struct scan_reader){ s, f, row_group, NULL, NULL };
    r->columns = calloc((size_t)s->n_columns + 1, sizeof *r->columns);
    r->at = calloc((size_t)s->n_columns + 1, sizeof *r->at);
    if (r->columns && r->at)
        return TSF_OK;
    query_scan_reader_release(r);
    return tsf_fail_nomem(err);
}

void query_scan_reader_release(struct scan_reader *r)
{
    for (int c = 0; r->columns && c < r->scan->n_columns; c++)
        parquet_column_close(r->columns[c]);
    free(r->columns);
    free(r->at);
    r->columns = NULL;
    r->at = NULL;
}

static enum tsf_err column_null(const struct tsf_type *t, int64_t n, struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err)
{
    struct tsf_value null = { .type = t, .is_null = true };

    return tsf_vector_constant(&null, n, a, out, err);
}

/* Does the file name the fields of structs as the table does? Column mapping gives them other names. */
static bool fields_named(const struct tsf_type *have, const struct tsf_type *want)
{
    for (int i = 0; i < want->n_children; i++) {
        int k = i;
        if (want->id == TSF_TYPE_STRUCT && have->id == TSF_TYPE_STRUCT)
            for (k = 0; k < have->n_children && strcmp(have->children[k].name, want->children[i].name) != 0; k++)
                ;
        if (k >= have->n_children || !fields_named(have->children[k].type, want->children[i].type))
            return false;
    }
    return true;
}

/* Alike but for the names of fields. */
static bool types_alike(const struct tsf_type *a, const struct tsf_type *b)
{
    if (a->id != b->id || a->n_children != b->n_children || a->precision != b->precision || a->scale != b->scale)
        return false;
    for (int i = 0; i < a->n_children; i++)
        if (!types_alike(a->children[i].type, b->children[i].type))
            return false;
    return true;
}

/* A nested vector's types belong to the reader, and rows may outlive it: the table's take their place. */
static enum tsf_err adopt_type(struct tsf_vector *v, const struct tsf_type *t, struct tsf_arena *a, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    v->type = t;
    if (!t->n_children || !v->children)
        return TSF_OK;
    struct tsf_vector *children = tsf_arena_memdup(a, v->children, (size_t)t->n_children * sizeof *children);
    if (!children)
        return tsf_fail_nomem(err);
    v->children = children;
    for (int i = 0; i < t->n_children && rc == TSF_OK; i++)
        rc = adopt_type(&children[i], t->children[i].type, a, err);
    return rc;
}

/* Of a flat column; the sum of its leaves else. */
static int64_t column_bytes(const struct scan_file *f, int row_group, int field)
{
    const struct parquet_meta *m = &f->meta;
    int first = f->file.field_nodes[field], end = m->nodes[first].next_sibling < 0 ? m->n_nodes : m->nodes[first].next_sibling;
    int64_t n = 0;

    for (int i = first; i < end; i++)
        if (m->nodes[i].leaf >= 0)
            n += m->row_groups[row_group].chunks[m->nodes[i].leaf].length;
    return n;
}

enum tsf_err query_scan_load(struct scan_reader *r, int c, int64_t first, int64_t n, const uint32_t *sel, int64_t n_sel,
                             struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err)
{
    struct scan *s = r->scan;
    const struct scan_column *col = &s->columns[c];
    struct scan_file *f = r->file;
    enum tsf_err rc;

    if (col->partition >= 0) {
        struct tsf_value v;
        if ((rc = tsf_vector_get(&s->partition[col->partition], f->index, a, &v, err)) != TSF_OK)
            return rc;
        v.type = col->type;
        return tsf_vector_constant(&v, n_sel, a, out, err);
    }
    if (f->fields[c] < 0)
        return column_null(col->type, n_sel, a, out, err);
    if (!r->columns[c]) {
        const struct tsf_type *want = s->table->schema->fields[col->field].type, *have = f->file.schema.fields[f->fields[c]].type;
        struct parquet_column_options opts = { .as = have->n_children && !fields_named(have, want) && types_alike(have, want) ? NULL : want };
        if ((rc = parquet_column_open(&f->file, r->row_group, f->fields[c], &opts, &r->columns[c], err)) != TSF_OK)
            return rc;
        SCAN_COUNT(s, bytes_read, column_bytes(f, r->row_group, f->fields[c]));
    }
    if (r->at[c] < first && (rc = parquet_column_skip(r->columns[c], first - r->at[c], err)) != TSF_OK)
        return rc;
    r->at[c] = first + n;
    rc = sel ? parquet_column_read_sel(r->columns[c], n, sel, n_sel, a, out, err) : parquet_column_read(r->columns[c], n, a, out, err);
    return rc == TSF_OK ? adopt_type(out, col->type, a, err) : rc;
}

/* ---- batches ------------------------------------------------------------------------------------------ */

/* Rows that a deletion vector left. */
static enum tsf_err rows_not_deleted(struct scan_rows *x, struct query_worker *w, struct tsf_error *err)
{
    const struct scan_file *f = x->reader->file;
    int64_t base = f->meta.row_groups[x->reader->row_group].first_row + x->first, lo = 0, hi = f->n_deleted;

    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (f->deleted[mid] < base)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == f->n_deleted || f->deleted[lo] >= base + x->n)
        return TSF_OK;
    uint32_t *sel = tsf_arena_alloc(&w->arena, (size_t)x->n * sizeof *sel + TSF_PAD);
    if (!sel)
        return tsf_fail_nomem(err);
    int64_t m = 0;
    for (int64_t i = 0; i < x->n; i++) {
        if (lo < f->n_deleted && f->deleted[lo] == base + i)
            lo++;
        else
            sel[m++] = (uint32_t)i;
    }
    x->sel = sel;
    x->n_sel = m;
    return TSF_OK;
}

enum tsf_err query_scan_rows_begin(struct scan_rows *x, struct scan *s, struct scan_reader *r, int64_t first, int64_t n,
                                   struct query_worker *w, struct tsf_error *err)
{
    *x = (struct scan_rows){ .reader = r, .first = first, .n = n, .n_sel = n };
    x->vectors = tsf_arena_calloc(&w->arena, (size_t)s->n_columns + 1, sizeof *x->vectors);
    x->loaded = tsf_arena_calloc(&w->arena, (size_t)s->n_columns + 1, sizeof *x->loaded);
    if (!x->vectors || !x->loaded)
        return tsf_fail_nomem(err);
    return r && r->file->n_deleted ? rows_not_deleted(x, w, err) : TSF_OK;
}

enum tsf_err query_scan_rows_need(struct scan_rows *x, struct scan *s, int c, struct query_worker *w, struct tsf_error *err)
{
    enum tsf_err rc;

    if (x->loaded[c])
        return TSF_OK;
    if ((rc = query_scan_load(x->reader, c, x->first, x->n, x->sel, x->n_sel, &w->arena, &x->vectors[c], err)) == TSF_OK)
        x->loaded[c] = true;
    return rc;
}

/* Does anyone but the conjuncts in done want column c? */
static bool column_wanted(const struct scan *s, int c, uint64_t done)
{
    if (s->columns[c].output)
        return true;
    for (int i = 0; i < s->n_conjuncts; i++) {
        if (i < 64 && (done >> i & 1))
            continue;
        for (int k = 0; k < s->conjuncts[i].n_columns; k++)
            if (s->conjuncts[i].columns[k] == c)
                return true;
    }
    return false;
}

enum tsf_err query_scan_rows_keep(struct scan_rows *x, struct scan *s, const uint32_t *keep, int64_t n, uint64_t done,
                                  struct query_worker *w, struct tsf_error *err)
{
    enum tsf_err rc;

    if (n == x->n_sel)
        return TSF_OK;
    for (int c = 0; c < s->n_columns && n; c++) {
        if (!x->loaded[c] || (!column_wanted(s, c, done) && x->reader)) {
            x->loaded[c] = false; /* of other rows than those left, but nobody asks */
            continue;
        }
        if ((rc = tsf_vector_gather(&x->vectors[c], keep, n, &w->arena, &x->vectors[c], err)) != TSF_OK)
            return rc;
    }
    if (x->sel) {
        uint32_t *sel = tsf_arena_alloc(&w->arena, (size_t)n * sizeof *sel + TSF_PAD);
        if (!sel)
            return tsf_fail_nomem(err);
        for (int64_t i = 0; i < n; i++)
            sel[i] = x->sel[keep[i]];
        x->sel = sel;
    } else {
        x->sel = keep;
    }
    x->n_sel = n;
    return TSF_OK;
}

enum tsf_err query_scan_rows_filter(struct scan_rows *x, struct scan *s, uint64_t proven, struct query_worker *w, struct tsf_error *err)
{
    enum tsf_err rc;

    for (int i = 0; i < s->n_conjuncts && x->n_sel; i++) {
        const struct scan_conjunct *c = &s->conjuncts[i];
        if (i < 64 && (proven >> i & 1))
            continue;
        for (int k = 0; k < c->n_columns; k++)
            if ((rc = query_scan_rows_need(x, s, c->columns[k], w, err)) != TSF_OK)
                return rc;
        uint32_t *keep = tsf_arena_alloc(&w->arena, (size_t)x->n_sel * sizeof *keep + TSF_PAD);
        if (!keep)
            return tsf_fail_nomem(err);
        struct tsf_batch b = { .length = x->n_sel, .n_columns = s->n_columns, .columns = x->vectors };
        int64_t n;
        if ((rc = query_eval_filter(&w->ev, c->expr, &b, keep, &n, err)) != TSF_OK)
            return rc;
        if (i < 64)
            proven |= 1ULL << i;
        if ((rc = query_scan_rows_keep(x, s, keep, n, proven, w, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

enum tsf_err query_scan_rows_push(struct scan_rows *x, struct scan *s, struct query_worker *w, struct tsf_error *err)
{
    enum tsf_err rc;

    if (!x->n_sel)
        return TSF_OK;
    for (int c = 0; c < s->n_columns; c++) {
        rc = s->columns[c].output ? query_scan_rows_need(x, s, c, w, err)
                                  : column_null(s->columns[c].type, x->n_sel, &w->arena, &x->vectors[c], err);
        if (rc != TSF_OK)
            return rc;
    }
    struct tsf_batch b = { .length = x->n_sel, .n_columns = s->n_columns, .columns = x->vectors };
    return s->sink->push(s->sink, w, &b, err);
}

/* ---- slices ------------------------------------------------------------------------------------------------ */

static bool slice_is_constant(const struct scan *s, const struct scan_slice *slice)
{
    if (slice->file->n_deleted)
        return false;
    for (int c = 0; c < s->n_columns; c++)
        if (s->columns[c].output && s->columns[c].partition < 0 && slice->file->fields[c] >= 0)
            return false;
    for (int i = 0; i < s->n_conjuncts; i++)
        if (i >= 64 || !(slice->segment.proven >> i & 1))
            return false;
    return true;
}

enum tsf_err query_scan_slice(struct scan *s, const struct scan_slice *slice, struct query_worker *w, struct tsf_error *err)
{
    const struct scan_segment *g = &slice->segment;
    struct scan_reader r;
    struct scan_rows x;
    enum tsf_err rc;

    if ((rc = query_scan_reader_init(&r, s, slice->file, g->row_group, err)) != TSF_OK)
        return rc;
    int64_t step = g->row_group < 0 || slice_is_constant(s, slice) ? g->last - g->first : SCAN_BATCH_ROWS;
    for (int64_t at = g->first; at < g->last && rc == TSF_OK; at += step) {
        tsf_arena_reset(&w->arena);
        if ((rc = tsf_cancel_check(err)) == TSF_OK &&
            (rc = query_scan_rows_begin(&x, s, &r, at, TSF_MIN(step, g->last - at), w, err)) == TSF_OK &&
            (rc = query_scan_rows_filter(&x, s, g->proven, w, err)) == TSF_OK)
            rc = query_scan_rows_push(&x, s, w, err);
    }
    query_scan_reader_release(&r);
    return rc;
}
