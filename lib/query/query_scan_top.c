/*
 * ORDER BY column LIMIT n over a table.
 *
 * First only the order column and the filters are read: files, row groups and pages by their best possible value, so that the
 * n-th best row seen bounds early what is still worth a look. The bound is shared by all workers and only sinks. What can
 * no longer win is not opened, not read, not filtered. Then the remaining columns are fetched for the winners, which are
 * about n rows. Rows that tie with the bound stay: the sort above knows the other keys.
 *
 * Values are compared by their order-preserving prefixes (tsf_sort_prefix), small ones first.
 */
#include "query/query_scan.h"

#include <pthread.h>
#include <stdlib.h>

#define TOP_BATCH 4096
#define TOP_SLICE 20000
#define TOP_ALONE 2      /* slices tried before other threads are called in */
#define TOP_WAVE 8       /* files opened at once, per worker */

struct top_row {
    uint64_t prefix;
    struct scan_file *file;
    int32_t row_group;
    uint32_t row;
};

struct top {
    struct query_tasks tasks;
    struct scan *scan;
    struct tsf_sort_key key;  /* column 0 */
    int column;
    int64_t limit;
    uint64_t bound;           /* atomic; UINT64_MAX: none */
    pthread_mutex_t lock;     /* of what follows */
    struct top_row *rows;
    size_t n_rows, cap_rows;
    uint64_t *seen;           /* prefixes of rows seen, pruned now and then */
    size_t n_seen, cap_seen;
    struct scan_slice *slices; /* of the wave */
    size_t n_slices, cap_slices;
    int64_t first_file, n_files;
};

static uint64_t top_bound(const struct top *t)
{
    return __atomic_load_n(&t->bound, __ATOMIC_RELAXED);
}

/* ---- the best possible value ------------------------------------------------------------------------- */

static uint64_t prefix_of_value(struct top *t, const struct tsf_value *v, struct tsf_arena *a)
{
    struct tsf_vector one;
    uint64_t out;

    if (tsf_vector_constant(v, 1, a, &one, NULL) != TSF_OK || tsf_vector_flatten(&one, a, &one, NULL) != TSF_OK ||
        tsf_sort_prefix(&one, &t->key, &out, NULL) != TSF_OK)
        return 0;
    return out;
}

static uint64_t best_of_bounds(struct top *t, struct query_bounds *b, struct tsf_arena *a)
{
    query_bounds_fix(b, t->scan->columns[t->column].type);
    if ((b->maybe_null && t->key.nulls_first) || b->all_null)
        return 0;
    if (t->key.descending ? !b->has_max : !b->has_min)
        return 0;
    return prefix_of_value(t, t->key.descending ? &b->max : &b->min, a);
}

static uint64_t best_of_file(struct top *t, const struct scan_file *f, struct tsf_arena *a)
{
    struct scan *s = t->scan;
    const struct scan_column *c = &s->columns[t->column];
    struct query_bounds b = QUERY_BOUNDS_UNKNOWN;
    struct tsf_value v;

    if (c->partition >= 0) {
        if (tsf_vector_get(&s->partition[c->partition], f->index, a, &v, NULL) != TSF_OK)
            return 0;
        return prefix_of_value(t, &v, a);
    }
    if (!s->order || !s->order->any)
        return 0;
    const struct tsf_vector *side = t->key.descending ? &s->order->max : &s->order->min;
    if (tsf_type_eq(side->type, c->type) && tsf_vector_get(side, f->index, a, &v, NULL) == TSF_OK && !v.is_null) {
        b.has_min = b.has_max = true;
        b.min = b.max = v;
    }
    b.maybe_null = s->order->null_count[f->index] != 0;
    return best_of_bounds(t, &b, a);
}

static uint64_t best_of_range(struct top *t, const struct parquet_range *r, int64_t rows, struct tsf_arena *a)
{
    const struct tsf_type *type = t->scan->columns[t->column].type;
    struct query_bounds b = { .maybe_null = r->null_count != 0, .all_null = r->null_count == rows };

    b.has_min = r->has_min && tsf_type_eq(r->min.type, type);
    b.has_max = r->has_max && tsf_type_eq(r->max.type, type);
    b.min = r->min;
    b.max = r->max;
    return best_of_bounds(t, &b, a);
}

/* ---- candidates ------------------------------------------------------------------------------------------ */

static int u64_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Under the lock. */
static void top_lower(struct top *t)
{
    size_t n = 0;

    if (t->n_seen < (size_t)t->limit)
        return;
    qsort(t->seen, t->n_seen, sizeof *t->seen, u64_cmp);
    uint64_t bound = t->seen[t->limit - 1];
    t->n_seen = (size_t)t->limit;
    __atomic_store_n(&t->bound, bound, __ATOMIC_RELAXED);
    for (size_t i = 0; i < t->n_rows; i++)
        if (t->rows[i].prefix <= bound)
            t->rows[n++] = t->rows[i];
    t->n_rows = n;
}

/* file NULL: rows of the tail, which are emitted already and only count for the bound. */
static enum tsf_err top_offer(struct top *t, struct scan_file *f, int row_group, int64_t first, const uint32_t *sel, const uint64_t *prefix,
                              int64_t n, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    pthread_mutex_lock(&t->lock);
    if (!tsf_realloc_array((void **)&t->seen, &t->cap_seen, t->n_seen + (size_t)n, sizeof *t->seen) ||
        (f && !tsf_realloc_array((void **)&t->rows, &t->cap_rows, t->n_rows + (size_t)n, sizeof *t->rows)))
        rc = tsf_fail_nomem(err);
    for (int64_t i = 0; i < n && rc == TSF_OK; i++) {
        t->seen[t->n_seen++] = prefix[i];
        if (f)
            t->rows[t->n_rows++] = (struct top_row){ prefix[i], f, row_group, (uint32_t)(first + (sel ? sel[i] : i)) };
    }
    if (rc == TSF_OK && (t->bound == UINT64_MAX || t->n_seen > (size_t)t->limit * 2 + 1024))
        top_lower(t);
    pthread_mutex_unlock(&t->lock);
    return rc;
}

/* Drop rows beyond the bound; prefixes of the others to *prefix_out. */
static enum tsf_err top_thin(struct top *t, struct scan_rows *x, uint64_t done, uint64_t **prefix_out, struct query_worker *w,
                             struct tsf_error *err)
{
    uint64_t *prefix = tsf_arena_alloc(&w->arena, (size_t)x->n_sel * sizeof *prefix + TSF_PAD), bound = top_bound(t);
    uint32_t *keep = tsf_arena_alloc(&w->arena, (size_t)x->n_sel * sizeof *keep + TSF_PAD);
    int64_t n = 0;
    enum tsf_err rc;

    *prefix_out = prefix;
    if (!prefix || !keep)
        return tsf_fail_nomem(err);
    if ((rc = tsf_sort_prefix(&x->vectors[t->column], &t->key, prefix, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < x->n_sel; i++) {
        uint64_t p = prefix[i];
        keep[n] = (uint32_t)i;
        prefix[n] = p;
        n += p <= bound;
    }
    return query_scan_rows_keep(x, t->scan, keep, n, done, w, err);
}

/* Rows of one batch: order column, bound, filters, bound again (it may have sunk). *end_out: no later row can win. */
static enum tsf_err top_batch(struct top *t, struct scan_reader *r, const struct scan_slice *slice, int64_t at, int64_t n, bool sorted,
                              bool *end_out, struct query_worker *w, struct tsf_error *err)
{
    struct scan *s = t->scan;
    struct scan_rows x;
    uint64_t *prefix = NULL;
    enum tsf_err rc;

    if ((rc = query_scan_rows_begin(&x, s, r, at, n, w, err)) != TSF_OK || (rc = query_scan_rows_need(&x, s, t->column, w, err)) != TSF_OK)
        return rc;
    int64_t before = x.n_sel;
    if ((rc = top_thin(t, &x, 0, &prefix, w, err)) != TSF_OK)
        return rc;
    *end_out = sorted && x.n_sel < before;
    if (!x.n_sel || (rc = query_scan_rows_filter(&x, s, slice->segment.proven, w, err)) != TSF_OK || !x.n_sel ||
        (rc = top_thin(t, &x, slice->segment.proven, &prefix, w, err)) != TSF_OK || !x.n_sel)
        return rc;
    return top_offer(t, slice->file, slice->segment.row_group, at, x.sel, prefix, x.n_sel, err);
}

static bool file_is_sorted(const struct top *t, const struct scan_file *f)
{
    const struct parquet_meta *m = &f->meta;

    if (!f->fields || f->fields[t->column] < 0 || m->n_sorting < 1)
        return false;
    const struct parquet_node *node = &m->nodes[f->file.field_nodes[f->fields[t->column]]];
    return node->leaf == m->sorting[0].leaf && m->sorting[0].descending == t->key.descending;
}

static enum tsf_err top_slice(struct top *t, const struct scan_slice *slice, struct query_worker *w, struct tsf_error *err)
{
    const struct scan_segment *g = &slice->segment;
    struct scan_reader r;
    bool end = false, sorted = file_is_sorted(t, slice->file);
    enum tsf_err rc;

    if (g->best > top_bound(t))
        return TSF_OK;
    if ((rc = query_scan_reader_init(&r, t->scan, slice->file, g->row_group, err)) != TSF_OK)
        return rc;
    for (int64_t at = g->first; at < g->last && rc == TSF_OK && !end; at += TOP_BATCH) {
        tsf_arena_reset(&w->arena);
        if ((rc = tsf_cancel_check(err)) == TSF_OK)
            rc = top_batch(t, &r, slice, at, TSF_MIN(TOP_BATCH, g->last - at), sorted, &end, w, err);
    }
    query_scan_reader_release(&r);
    return rc;
}

/* ---- slices ------------------------------------------------------------------------------------------------- */

static int slice_cmp(const void *a, const void *b)
{
    const struct scan_slice *x = a, *y = b;

    if (x->segment.best != y->segment.best)
        return x->segment.best < y->segment.best ? -1 : 1;
    if (x->file->index != y->file->index)
        return x->file->index < y->file->index ? -1 : 1;
    return x->segment.row_group != y->segment.row_group ? (x->segment.row_group < y->segment.row_group ? -1 : 1)
           : x->segment.first < y->segment.first        ? -1
                                                        : x->segment.first > y->segment.first;
}

/* Cut the file's segments at pages of the order column, each with its best value. Single thread. */
static enum tsf_err top_cut(struct top *t, struct scan_file *f, struct tsf_arena *scratch, struct tsf_error *err)
{
    struct parquet_page_index index = { 0 };
    struct parquet_range range;
    int at_group = -2;
    uint64_t group_best = 0;

    for (size_t k = 0; k < f->n_segments; k++) {
        struct scan_segment g = f->segments[k];
        int64_t end = g.last;
        int field = f->fields ? f->fields[t->column] : -1;
        if (g.row_group != at_group) {
            at_group = g.row_group;
            index.n_pages = 0;
            group_best = f->best;
            if (g.row_group >= 0 && field >= 0) {
                if (parquet_chunk_range(&f->file, g.row_group, field, &range, NULL) == TSF_OK)
                    group_best = TSF_MAX(group_best, best_of_range(t, &range, f->meta.row_groups[g.row_group].n_rows, scratch));
                if (parquet_page_index_read(&f->file, g.row_group, field, scratch, &index, NULL) != TSF_OK || !index.ranges)
                    index.n_pages = 0;
            }
        }
        int page = 0;
        while (g.first < end) {
            g.last = TSF_MIN(end, g.first + TOP_SLICE);
            g.best = group_best;
            while (page < index.n_pages && index.first_row[page + 1] <= g.first)
                page++;
            if (page < index.n_pages) {
                g.last = TSF_MIN(end, index.first_row[page + 1]);
                if (!(index.all_null && index.all_null[page]))
                    g.best = TSF_MAX(g.best, best_of_range(t, &index.ranges[page],
                                                           index.first_row[page + 1] - index.first_row[page], scratch));
            }
            if (!tsf_realloc_array((void **)&t->slices, &t->cap_slices, t->n_slices + 1, sizeof *t->slices))
                return tsf_fail_nomem(err);
            t->slices[t->n_slices++] = (struct scan_slice){ f, g };
            g.first = g.last;
        }
    }
    return TSF_OK;
}

static enum tsf_err open_run(struct query_tasks *tasks, int64_t task, struct query_worker *w, struct tsf_error *err)
{
    struct top *t = (struct top *)tasks;
    struct scan_file *f = &t->scan->files[t->first_file + task];

    tsf_arena_reset(&w->arena);
    return query_scan_file_look(t->scan, f, w, err);
}

static enum tsf_err slice_run(struct query_tasks *tasks, int64_t task, struct query_worker *w, struct tsf_error *err)
{
    struct top *t = (struct top *)tasks;

    return top_slice(t, &t->slices[task], w, err);
}

/* Open the next n files and look through their slices, best first. */
static enum tsf_err top_wave(struct top *t, int64_t n, struct query_worker *w, struct tsf_error *err)
{
    struct scan *s = t->scan;
    size_t done = 0;
    enum tsf_err rc;

    t->tasks = (struct query_tasks){ open_run, n };
    if ((rc = query_run_tasks(s->run, &t->tasks, false, err)) != TSF_OK)
        return rc;
    t->n_slices = 0;
    tsf_arena_reset(&w->arena);
    for (int64_t i = 0; i < n && rc == TSF_OK; i++)
        rc = top_cut(t, &s->files[t->first_file + i], &w->arena, err);
    t->first_file += n;
    if (t->n_slices)
        qsort(t->slices, t->n_slices, sizeof *t->slices, slice_cmp);
    for (; done < TSF_MIN(t->n_slices, TOP_ALONE) && rc == TSF_OK; done++)
        rc = top_slice(t, &t->slices[done], w, err);
    if (rc != TSF_OK)
        return rc;
    while (t->n_slices > done && t->slices[t->n_slices - 1].segment.best > top_bound(t))
        t->n_slices--;
    if (t->n_slices == done)
        return TSF_OK;
    memmove(t->slices, t->slices + done, (t->n_slices - done) * sizeof *t->slices);
    t->tasks = (struct query_tasks){ slice_run, (int64_t)(t->n_slices - done) };
    return query_run_tasks(s->run, &t->tasks, false, err);
}

/* ---- the winners ------------------------------------------------------------------------------------------------ */

static int row_cmp(const void *a, const void *b)
{
    const struct top_row *x = a, *y = b;

    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    if (x->row_group != y->row_group)
        return x->row_group < y->row_group ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Columns of winners in one row group; each task reads one. Arenas live until the batch is pushed. */
struct fetch {
    struct query_tasks tasks;
    struct scan *scan;
    struct scan_reader reader;
    int64_t first, n;
    uint32_t *sel;
    int64_t n_sel;
    struct tsf_vector *vectors;
    struct tsf_arena *arenas; /* per column */
};

static enum tsf_err fetch_run(struct query_tasks *tasks, int64_t task, struct query_worker *w, struct tsf_error *err)
{
    struct fetch *f = (struct fetch *)tasks;
    struct scan *s = f->scan;
    int c = (int)task;

    if (!s->columns[c].output) {
        struct tsf_value null = { .type = s->columns[c].type, .is_null = true };
        return tsf_vector_constant(&null, f->n_sel, &f->arenas[c], &f->vectors[c], err);
    }
    return query_scan_load(&f->reader, c, f->first, f->n, f->sel, f->n_sel, &f->arenas[c], &f->vectors[c], err);
}

static enum tsf_err fetch_group(struct top *t, const struct top_row *rows, size_t n, struct query_worker *w, struct tsf_error *err)
{
    struct scan *s = t->scan;
    struct fetch f = { .tasks = { fetch_run, s->n_columns }, .scan = s, .n_sel = (int64_t)n, .first = rows[0].row };
    enum tsf_err rc;

    f.n = (int64_t)rows[n - 1].row + 1 - f.first;
    tsf_arena_reset(&w->arena);
    f.sel = tsf_arena_alloc(&s->arena, n * sizeof *f.sel + TSF_PAD);
    f.vectors = tsf_arena_calloc(&s->arena, (size_t)s->n_columns + 1, sizeof *f.vectors);
    f.arenas = tsf_arena_calloc(&s->arena, (size_t)s->n_columns + 1, sizeof *f.arenas);
    if (!f.sel || !f.vectors || !f.arenas)
        return tsf_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        f.sel[i] = rows[i].row - rows[0].row;
    if ((rc = query_scan_reader_init(&f.reader, s, rows[0].file, rows[0].row_group, err)) != TSF_OK)
        return rc;
    if ((rc = query_run_tasks(s->run, &f.tasks, false, err)) == TSF_OK) {
        struct tsf_batch b = { .length = f.n_sel, .n_columns = s->n_columns, .columns = f.vectors };
        rc = s->sink->push(s->sink, w, &b, err);
    }
    query_scan_reader_release(&f.reader);
    for (int c = 0; c < s->n_columns; c++)
        tsf_arena_release(&f.arenas[c]);
    return rc;
}

static enum tsf_err top_fetch(struct top *t, struct query_worker *w, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    if (t->n_rows)
        qsort(t->rows, t->n_rows, sizeof *t->rows, row_cmp);
    for (size_t i = 0, k; i < t->n_rows && rc == TSF_OK; i = k) {
        for (k = i; k < t->n_rows && t->rows[k].file == t->rows[i].file && t->rows[k].row_group == t->rows[i].row_group;)
            k++;
        rc = fetch_group(t, t->rows + i, k - i, w, err);
    }
    return rc;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static enum tsf_err top_tail(struct top *t, struct query_worker *w, struct tsf_error *err)
{
    struct scan *s = t->scan;
    struct scan_rows x;
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; i < s->n_tail && rc == TSF_OK; i++) {
        uint64_t *prefix;
        tsf_arena_reset(&w->arena);
        if ((rc = tsf_cancel_check(err)) != TSF_OK || (rc = query_scan_tail_rows(s, i, &x, w, err)) != TSF_OK || !x.n_sel ||
            (rc = top_thin(t, &x, ~0ULL, &prefix, w, err)) != TSF_OK || !x.n_sel ||
            (rc = top_offer(t, NULL, 0, 0, NULL, prefix, x.n_sel, err)) != TSF_OK)
            continue;
        rc = query_scan_rows_push(&x, s, w, err);
    }
    return rc;
}

static int file_cmp(const void *a, const void *b)
{
    const struct scan_file *x = a, *y = b;

    return x->best != y->best ? (x->best < y->best ? -1 : 1) : x->index < y->index ? -1 : x->index > y->index;
}

enum tsf_err query_scan_top(struct scan *s, struct tsf_error *err)
{
    const struct query_node *n = s->node;
    struct top t = { .scan = s, .key = { 0, n->u.scan.order_desc, n->u.scan.order_nulls_first }, .column = n->u.scan.order_column,
                     .limit = n->u.scan.limit, .bound = UINT64_MAX };
    struct query_worker *w;
    enum tsf_err rc;

    if (!t.limit)
        return TSF_OK;
    if ((rc = query_worker_get(s->run, 0, &w, err)) != TSF_OK)
        return rc;
    pthread_mutex_init(&t.lock, NULL);
    tsf_arena_reset(&w->arena);
    for (int64_t i = 0; i < s->n_files; i++)
        s->files[i].best = best_of_file(&t, &s->files[i], &w->arena);
    qsort(s->files, (size_t)s->n_files, sizeof *s->files, file_cmp);
    rc = top_tail(&t, w, err);
    for (int64_t wave = 1; rc == TSF_OK && t.first_file < s->n_files && s->files[t.first_file].best <= top_bound(&t);) {
        rc = top_wave(&t, TSF_MIN(wave, s->n_files - t.first_file), w, err);
        wave = (int64_t)TOP_WAVE * s->run->n_workers;
    }
    if (rc == TSF_OK) {
        top_lower(&t);
        rc = top_fetch(&t, w, err);
    }
    free(t.rows);
    free(t.seen);
    free(t.slices);
    pthread_mutex_destroy(&t.lock);
    return rc == TSF_END ? TSF_OK : rc;
}
