/* Which files, row groups and pages are read. */
#include "query/query_scan.h"

#include <stdlib.h>

#define PROVABLE 64 /* conjuncts beyond are always evaluated */

static uint64_t conjunct_bit(int i)
{
    return i < PROVABLE ? 1ULL << i : 0;
}

static uint64_t all_conjuncts(const struct scan *s)
{
    return s->n_conjuncts >= PROVABLE ? s->n_conjuncts > PROVABLE ? 0 : ~0ULL : (1ULL << s->n_conjuncts) - 1;
}

static bool all_proven(const struct scan *s, uint64_t proven)
{
    return s->n_conjuncts == 0 || (s->n_conjuncts <= PROVABLE && proven == all_conjuncts(s));
}

/* ---- files of the snapshot -------------------------------------------------------------------------- */

struct file_bounds {
    struct scan *scan;
    int64_t index;
    struct tsf_arena *arena;
};

static void bounds_constant(const struct tsf_vector *v, int64_t row, struct tsf_arena *a, struct query_bounds *out)
{
    struct tsf_value x;

    if (tsf_vector_get(v, row, a, &x, NULL) != TSF_OK)
        return;
    if (x.is_null)
        *out = (struct query_bounds){ .maybe_null = true, .all_null = true };
    else
        *out = (struct query_bounds){ .has_min = true, .has_max = true, .min = x, .max = x };
}

static void bounds_of_file(void *ctx, int column, struct query_bounds *out)
{
    struct file_bounds *f = ctx;
    const struct scan_column *c = &f->scan->columns[column];
    int64_t rows = f->scan->table->snapshot->n_rows[f->index];

    if (c->partition >= 0) {
        bounds_constant(&f->scan->partition[c->partition], f->index, f->arena, out);
        return;
    }
    const struct delta_bounds *b = f->scan->bounds[column];
    if (!b || !b->any)
        return;
    struct tsf_value v;
    if (tsf_type_eq(b->min.type, c->type) && tsf_vector_get(&b->min, f->index, f->arena, &v, NULL) == TSF_OK && !v.is_null) {
        out->min = v;
        out->has_min = true;
    }
    if (tsf_type_eq(b->max.type, c->type) && tsf_vector_get(&b->max, f->index, f->arena, &v, NULL) == TSF_OK && !v.is_null) {
        out->max = v;
        out->has_max = true;
    }
    if (b->null_count[f->index] >= 0) {
        out->maybe_null = b->null_count[f->index] > 0;
        out->all_null = rows > 0 && b->null_count[f->index] == rows;
    }
}

/* Conjuncts on partition columns alone are evaluated over all files as rows of one batch, and are exact. */
static enum tsf_err files_by_partition(struct scan *s, uint32_t **sel, int64_t *n, uint64_t *proven_out, struct query_worker *w,
                                       struct tsf_error *err)
{
    struct tsf_batch b = { .n_columns = s->n_columns }, part;
    enum tsf_err rc;
    uint32_t *keep = tsf_arena_alloc(&s->arena, (size_t)*n * sizeof *keep + TSF_PAD);

    *proven_out = 0;
    b.length = *n;
    b.columns = tsf_arena_calloc(&s->arena, (size_t)s->n_columns + 1, sizeof *b.columns);
    part.columns = tsf_arena_calloc(&s->arena, (size_t)s->n_columns + 1, sizeof *b.columns);
    if (!keep || !b.columns || !part.columns)
        return tsf_fail_nomem(err);
    for (int i = 0; i < s->n_conjuncts && *n; i++) {
        const struct scan_conjunct *c = &s->conjuncts[i];
        if (!c->partition_only)
            continue;
        part = (struct tsf_batch){ .length = *n, .n_columns = s->n_columns, .columns = part.columns };
        for (int k = 0; k < c->n_columns; k++) {
            int col = c->columns[k];
            if ((rc = tsf_vector_gather(&s->partition[s->columns[col].partition], *sel, *n, &s->arena, &part.columns[col], err)) != TSF_OK)
                return rc;
        }
        int64_t m;
        struct tsf_error e = TSF_ERROR_INIT;
        if (query_eval_filter(&w->ev, c->expr, &part, keep, &m, &e) != TSF_OK) {
            if (c->n_columns) /* a file that other conjuncts drop may fail here: leave it to the rows */
                continue;
            if (err)
                *err = e;
            return e.code;
        }
        for (int64_t k = 0; k < m; k++)
            keep[k] = (*sel)[keep[k]];
        memcpy(*sel, keep, (size_t)m * sizeof *keep);
        *n = m;
        *proven_out |= conjunct_bit(i);
        s->never |= m == 0 && c->n_columns == 0;
    }
    return TSF_OK;
}

static enum tsf_err scan_statistics(struct scan *s, struct tsf_error *err)
{
    struct delta_snapshot *snap = s->table->snapshot;
    enum tsf_err rc;

    s->partition = tsf_arena_calloc(&s->arena, (size_t)s->table->n_partition + 1, sizeof *s->partition);
    s->bounds = tsf_arena_calloc(&s->arena, (size_t)s->n_columns + 1, sizeof *s->bounds);
    if (!s->partition || !s->bounds)
        return tsf_fail_nomem(err);
    for (int c = 0; c < s->n_columns; c++) {
        struct scan_column *x = &s->columns[c];
        const struct tsf_vector *v;
        if (x->partition >= 0) {
            if ((rc = delta_snapshot_partition(snap, x->partition, &v, err)) != TSF_OK)
                return rc;
            s->partition[x->partition] = *v;
        } else if (x->filtered && x->type->id < TSF_TYPE_LIST && (rc = delta_snapshot_bounds(snap, x->field, &s->bounds[c], err)) != TSF_OK) {
            return rc;
        }
    }
    int order = s->node->u.scan.order_column;
    if (order >= 0 && s->columns[order].partition < 0 && s->columns[order].type->id < TSF_TYPE_LIST)
        return delta_snapshot_bounds(snap, s->columns[order].field, &s->order, err);
    return TSF_OK;
}

enum tsf_err query_scan_files(struct scan *s, struct tsf_error *err)
{
    struct delta_snapshot *snap = s->table->snapshot;
    int64_t n = snap->n_files, kept = 0;
    struct query_worker *w;
    uint64_t proven;
    enum tsf_err rc;

    if ((rc = query_worker_get(s->run, 0, &w, err)) != TSF_OK || (rc = scan_statistics(s, err)) != TSF_OK)
        return rc;
    uint32_t *sel = tsf_arena_alloc(&s->arena, (size_t)n * sizeof *sel + TSF_PAD);
    if (!sel)
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++)
        sel[i] = (uint32_t)i;
    if ((rc = files_by_partition(s, &sel, &n, &proven, w, err)) != TSF_OK)
        return rc;
    s->files = tsf_arena_calloc(&s->arena, (size_t)n + 1, sizeof *s->files);
    if (!s->files)
        return tsf_fail_nomem(err);
    struct file_bounds fb = { s, 0, &w->arena };
    struct query_prune p = { bounds_of_file, &fb, s->run->cx->now_us, &w->arena };
    for (int64_t k = 0; k < n; k++) {
        struct scan_file *f = &s->files[kept];
        bool none = false;
        if (k % 1024 == 0)
            tsf_arena_reset(&w->arena);
        f->index = fb.index = sel[k];
        f->proven = proven;
        for (int i = 0; i < s->n_conjuncts && !none; i++) {
            if (proven & conjunct_bit(i))
                continue;
            int out = query_prune_outcomes(&p, s->conjuncts[i].expr);
            none = !(out & QUERY_CAN_TRUE);
            if (out == QUERY_CAN_TRUE)
                f->proven |= conjunct_bit(i);
        }
        if (none) {
            *f = (struct scan_file){ 0 };
            continue;
        }
        f->n_rows = snap->n_rows[f->index];
        kept++;
    }
    s->n_files = kept;
    SCAN_COUNT(s, files, kept);
    SCAN_COUNT(s, files_pruned, snap->n_files - kept);
    for (int64_t k = 0; k < kept; k++)
        if ((rc = delta_snapshot_file(snap, s->files[k].index, &s->arena, &s->files[k].info, err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static enum tsf_err file_source(struct scan *s, struct scan_file *f, struct tsf_error *err)
{
    char *key = tsf_arena_strndup(&f->arena, f->info.path.data, f->info.path.len);

    if (!key)
        return tsf_fail_nomem(err);
    if (f->info.is_absolute)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "%s lies outside of the table", key);
    return store_source_open(s->table->store, key, f->info.size, &f->source, err);
}

static enum tsf_err file_footer(struct scan *s, struct scan_file *f, struct tsf_error *err)
{
    struct cache *cache = s->table->env->cache;
    struct tsf_str raw = { 0 };
    enum tsf_err rc;

    if (cache_footer_get(cache, s->table->uri, f->info.path, f->source.size, &f->arena, &raw)) {
        if (parquet_meta_parse(raw.data, raw.len, f->source.size, &f->arena, &f->meta, NULL) == TSF_OK)
            return parquet_file_open(&f->file, &f->source, &f->meta, err);
    }
    if ((rc = parquet_footer_read(&f->source, f->info.footer_length, &f->arena, &raw, err)) != TSF_OK &&
        f->info.footer_length > 0) { /* a tag that another writer left may be wrong */
        tsf_error_reset(err);
        rc = parquet_footer_read(&f->source, -1, &f->arena, &raw, err);
    }
    if (rc != TSF_OK || (rc = parquet_meta_parse(raw.data, raw.len, f->source.size, &f->arena, &f->meta, err)) != TSF_OK)
        return rc;
    f->footer = raw;
    return parquet_file_open(&f->file, &f->source, &f->meta, err);
}

void query_scan_cache_footers(struct scan *s)
{
    int64_t n = 0;

    for (int64_t i = 0; i < s->n_files; i++)
        n += s->files[i].open && s->files[i].footer.len;
    if (!n || !s->table->env->cache)
        return;
    struct cache_footer *all = tsf_arena_alloc(&s->arena, (size_t)n * sizeof *all);
    if (!all)
        return;
    n = 0;
    for (int64_t i = 0; i < s->n_files; i++) {
        struct scan_file *f = &s->files[i];
        if (f->open && f->footer.len)
            all[n++] = (struct cache_footer){ f->info.path, f->footer, f->source.size };
    }
    cache_footers_put(s->table->env->cache, s->table->uri, all, n);
}

void query_scan_file_close(struct scan_file *f)
{
    if (f->open || f->source.ops)
        parquet_file_release(&f->file);
    tsf_source_close(&f->source);
    tsf_arena_release(&f->arena);
    f->open = false;
    f->segments = NULL;
    f->n_segments = f->cap_segments = 0;
}

static enum tsf_err file_fields(struct scan *s, struct scan_file *f, struct tsf_error *err)
{
    const struct tsf_schema *schema = &f->file.schema;

    if (!(f->fields = tsf_arena_calloc(&f->arena, (size_t)s->n_columns + 1, sizeof *f->fields)))
        return tsf_fail_nomem(err);
    for (int c = 0; c < s->n_columns; c++) {
        const char *name = s->columns[c].physical;
        f->fields[c] = -1;
        for (int i = 0; i < schema->n_fields && f->fields[c] < 0; i++) {
            int at = (i + TSF_MAX(s->columns[c].field, 0)) % schema->n_fields; /* nearly always where the table has it */
            if (strcmp(schema->fields[at].name, name) == 0)
                f->fields[c] = at;
        }
    }
    return TSF_OK;
}

/* ---- row groups and pages ------------------------------------------------------------------------------------ */

struct group_bounds {
    struct scan *scan;
    struct scan_file *file;
    struct tsf_arena *arena;
    int row_group;
    const struct parquet_page_index *index; /* of one column, when pages are asked about */
    int column, page;
};

static void bounds_of_range(const struct parquet_range *r, int64_t rows, const struct tsf_type *t, struct query_bounds *out)
{
    if (r->has_min && tsf_type_eq(r->min.type, t)) {
        out->has_min = true;
        out->min = r->min;
    }
    if (r->has_max && tsf_type_eq(r->max.type, t)) {
        out->has_max = true;
        out->max = r->max;
    }
    if (r->null_count >= 0) {
        out->maybe_null = r->null_count > 0;
        out->all_null = rows > 0 && r->null_count == rows;
    }
}

static void bounds_of_group(void *ctx, int column, struct query_bounds *out)
{
    struct group_bounds *g = ctx;
    const struct scan_column *c = &g->scan->columns[column];
    struct parquet_range r;
    int field = g->file->fields[column];

    if (c->partition >= 0) {
        bounds_constant(&g->scan->partition[c->partition], g->file->index, g->arena, out);
        return;
    }
    if (field < 0) {
        *out = (struct query_bounds){ .maybe_null = true, .all_null = true };
        return;
    }
    if (g->index && column == g->column) {
        int64_t rows = g->index->first_row[g->page + 1] - g->index->first_row[g->page];
        if (g->index->all_null && g->index->all_null[g->page])
            *out = (struct query_bounds){ .maybe_null = true, .all_null = true };
        else
            bounds_of_range(&g->index->ranges[g->page], rows, c->type, out);
        return;
    }
    if (c->type->id < TSF_TYPE_LIST && parquet_chunk_range(&g->file->file, g->row_group, field, &r, NULL) == TSF_OK)
        bounds_of_range(&r, g->file->meta.row_groups[g->row_group].n_rows, c->type, out);
}

/* Can a bloom filter tell that no row has the value? */
static bool bloom_excludes(struct scan *s, struct scan_file *f, int row_group, const struct query_expr *e)
{
    int column, first;

    if (!query_prune_needle(e, &column, &first) || s->columns[column].partition >= 0 || f->fields[column] < 0)
        return false;
    const struct tsf_type *type = s->columns[column].type;
    if (!tsf_type_eq(f->file.schema.fields[f->fields[column]].type, type))
        return false; /* widened: the filter hashed other bytes */
    if (e->n_args - 1 > 64)
        return false;
    for (int i = 0; i < e->n_args; i++) {
        bool maybe = true;
        const struct query_expr *v = e->args[i];
        if (v->kind != QUERY_CONST || v->value.is_null)
            continue;
        if (parquet_bloom_check(&f->file, row_group, f->fields[column], &v->value, &maybe, NULL) != TSF_OK || maybe)
            return false;
    }
    return true;
}

static enum tsf_err segment_add(struct scan *s, struct scan_file *f, struct scan_segment g, struct tsf_error *err)
{
    if (g.first >= g.last)
        return TSF_OK;
    if (f->n_segments) {
        struct scan_segment *last = &f->segments[f->n_segments - 1];
        if (last->row_group == g.row_group && last->last == g.first && last->proven == g.proven) {
            last->last = g.last;
            return TSF_OK;
        }
    }
    if (!tsf_arena_grow(&f->arena, (void **)&f->segments, &f->cap_segments, f->n_segments + 1, sizeof *f->segments))
        return tsf_fail_nomem(err);
    f->segments[f->n_segments++] = g;
    return TSF_OK;
}

/* What pages say about one conjunct: outcome of the rows before each end. */
struct page_verdicts {
    int n, at;
    const int64_t *ends;
    uint8_t *outcomes;
    uint64_t bit;
};

static enum tsf_err pages_judge(struct group_bounds *g, const struct query_prune *p, int i, struct page_verdicts *v, struct tsf_error *err)
{
    struct scan *s = g->scan;
    const struct scan_conjunct *c = &s->conjuncts[i];
    struct parquet_page_index *index = tsf_arena_calloc(g->arena, 1, sizeof *index);

    v->n = 0;
    if (!index)
        return tsf_fail_nomem(err);
    if (c->n_columns != 1 || s->columns[c->columns[0]].partition >= 0 || g->file->fields[c->columns[0]] < 0 ||
        s->columns[c->columns[0]].type->id >= TSF_TYPE_LIST)
        return TSF_OK;
    if (parquet_page_index_read(&g->file->file, g->row_group, g->file->fields[c->columns[0]], g->arena, index, NULL) != TSF_OK ||
        index->n_pages < 2 || !index->ranges)
        return TSF_OK;
    if (!(v->outcomes = tsf_arena_alloc(g->arena, (size_t)index->n_pages)))
        return tsf_fail_nomem(err);
    g->index = index;
    g->column = c->columns[0];
    bool useful = false;
    for (g->page = 0; g->page < index->n_pages; g->page++) {
        int out = query_prune_outcomes(p, c->expr);
        v->outcomes[g->page] = (uint8_t)out;
        useful |= out == QUERY_CAN_TRUE || !(out & QUERY_CAN_TRUE);
        SCAN_COUNT(s, pages_pruned, !(out & QUERY_CAN_TRUE));
    }
    g->index = NULL;
    SCAN_COUNT(s, pages, index->n_pages);
    if (!useful)
        return TSF_OK;
    v->n = index->n_pages;
    v->at = 0;
    v->ends = index->first_row + 1;
    v->bit = conjunct_bit(i);
    return TSF_OK;
}

static enum tsf_err group_pages(struct group_bounds *g, const struct query_prune *p, struct scan_segment whole, struct tsf_error *err)
{
    struct scan *s = g->scan;
    struct page_verdicts *all = tsf_arena_calloc(g->arena, (size_t)s->n_conjuncts + 1, sizeof *all);
    int n = 0;
    enum tsf_err rc = TSF_OK;

    if (!all)
        return tsf_fail_nomem(err);
    for (int i = 0; i < s->n_conjuncts && rc == TSF_OK; i++)
        if (!(whole.proven & conjunct_bit(i)) && (rc = pages_judge(g, p, i, &all[n], err)) == TSF_OK)
            n += all[n].n > 0;
    int64_t at = whole.first;
    while (at < whole.last && rc == TSF_OK) {
        struct scan_segment part = whole;
        bool none = false;
        part.first = at;
        for (int k = 0; k < n; k++) {
            struct page_verdicts *v = &all[k];
            while (v->at < v->n - 1 && v->ends[v->at] <= at)
                v->at++;
            if (v->ends[v->at] > at)
                part.last = TSF_MIN(part.last, v->ends[v->at]);
            none |= !(v->outcomes[v->at] & QUERY_CAN_TRUE);
            if (v->outcomes[v->at] == QUERY_CAN_TRUE)
                part.proven |= v->bit;
        }
        if (!none)
            rc = segment_add(s, g->file, part, err);
        at = part.last;
    }
    return rc;
}

static enum tsf_err file_groups(struct scan *s, struct scan_file *f, struct tsf_arena *scratch, struct tsf_error *err)
{
    struct group_bounds g = { .scan = s, .file = f, .arena = scratch };
    struct query_prune p = { bounds_of_group, &g, s->run->cx->now_us, scratch };
    enum tsf_err rc;

    for (g.row_group = 0; g.row_group < f->meta.n_row_groups; g.row_group++) {
        struct scan_segment whole = { g.row_group, 0, f->meta.row_groups[g.row_group].n_rows, f->proven, 0 };
        bool none = false, bloom = false;
        for (int i = 0; i < s->n_conjuncts && !none; i++) {
            if (whole.proven & conjunct_bit(i))
                continue;
            int out = query_prune_outcomes(&p, s->conjuncts[i].expr);
            none = !(out & QUERY_CAN_TRUE);
            if (out == QUERY_CAN_TRUE)
                whole.proven |= conjunct_bit(i);
        }
        for (int i = 0; i < s->n_conjuncts && !none && !bloom; i++)
            if (!(whole.proven & conjunct_bit(i)))
                bloom = bloom_excludes(s, f, g.row_group, s->conjuncts[i].expr);
        SCAN_COUNT(s, row_groups, !none && !bloom);
        SCAN_COUNT(s, row_groups_pruned, none || bloom);
        SCAN_COUNT(s, bloom_pruned, bloom);
        if (none || bloom)
            continue;
        rc = all_proven(s, whole.proven) ? segment_add(s, f, whole, err) : group_pages(&g, &p, whole, err);
        if (rc != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

enum tsf_err query_scan_file_open(struct scan *s, struct scan_file *f, struct query_worker *w, struct tsf_error *err)
{
    bool needed = false;
    enum tsf_err rc;

    for (int c = 0; c < s->n_columns; c++)
        needed |= s->columns[c].output && s->columns[c].partition < 0;
    if (!needed && all_proven(s, f->proven) && f->n_rows >= 0 && !f->info.dv.storage)
        return segment_add(s, f, (struct scan_segment){ -1, 0, f->n_rows, f->proven, 0 }, err);
    if ((rc = file_source(s, f, err)) != TSF_OK || (rc = file_footer(s, f, err)) != TSF_OK)
        goto fail;
    f->open = true;
    if ((rc = file_fields(s, f, err)) != TSF_OK)
        goto fail;
    if (f->info.dv.storage &&
        (rc = delta_dv_read(s->table->store, &f->info.dv, &f->arena, &f->deleted, &f->n_deleted, err)) != TSF_OK)
        goto fail;
    if ((rc = file_groups(s, f, &w->arena, err)) == TSF_OK)
        return TSF_OK;
fail:
    return tsf_prepend(err, rc, "%.*s", (int)TSF_MIN(f->info.path.len, 200), f->info.path.data);
}

enum tsf_err query_scan_file_look(struct scan *s, struct scan_file *f, struct query_worker *w, struct tsf_error *err)
{
    enum tsf_err rc = query_scan_file_open(s, f, w, err);

    if (rc == TSF_OK && !f->n_segments && !f->footer.len)
        query_scan_file_close(f);
    return rc;
}
