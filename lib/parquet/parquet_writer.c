/*
 * Writing a file: rows into leaves, row groups to the sink, then indexes and footer.
 *
 * Leaves are independent of one another, so both taking in a batch and encoding a row group run over them in parallel,
 * the one that cost most last time first.
 */
#include "parquet/parquet_writer_internal.h"
#include <stdlib.h>

#define GROUP_ROWS (1 << 20)
#define GROUP_BYTES (128LL << 20)
#define PAGE_ROWS 20000
#define SLICE_ROWS 32768   /* of a long batch; the row group's size is looked at in between */
#define PARALLEL_ROWS 512  /* fewer rows are not worth waking others */

static enum tsf_err sink_put(struct parquet_writer *w, const void *p, size_t n, struct tsf_error *err)
{
    enum tsf_err rc;
    if (n == 0)
        return TSF_OK;
    if ((rc = w->sink.write(w->sink.ctx, p, n, err)) != TSF_OK)
        return rc;
    w->offset += (int64_t)n;
    return TSF_OK;
}

/* ---- making -------------------------------------------------------------------------------------------------- */

static int leaf_of_field(const struct parquet_writer *w, int field)
{
    for (int i = 0; i < w->n_leaves; i++)
        if (w->leaves[i].field == field)
            return w->leaves[i].flat ? i : -1;
    return -1;
}

static enum tsf_err copy_sorting(struct parquet_writer *w, const struct parquet_writer_options *o, struct tsf_error *err)
{
    if (o->n_sorting == 0)
        return TSF_OK;
    if (!(w->sorting = tsf_arena_calloc(&w->arena, (size_t)o->n_sorting, sizeof *w->sorting)))
        return tsf_fail_nomem(err);
    for (int i = 0; i < o->n_sorting; i++) {
        int leaf = leaf_of_field(w, o->sorting[i].leaf);
        if (leaf < 0)
            return tsf_fail(err, TSF_ERR_INVALID, "cannot sort by field %d: no such column, or nested", (int)o->sorting[i].leaf);
        w->sorting[i] = o->sorting[i];
        w->sorting[i].leaf = leaf;
    }
    w->n_sorting = o->n_sorting;
    return TSF_OK;
}

static enum tsf_err copy_key_values(struct parquet_writer *w, const struct parquet_writer_options *o, struct tsf_error *err)
{
    size_t n = (size_t)o->n_key_values;
    if (n == 0)
        return TSF_OK;
    w->keys = tsf_arena_calloc(&w->arena, n, sizeof *w->keys);
    w->values = tsf_arena_calloc(&w->arena, n, sizeof *w->values);
    if (!w->keys || !w->values)
        return tsf_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        if (!(w->keys[i] = tsf_arena_strdup(&w->arena, o->keys[i])))
            return tsf_fail_nomem(err);
        if (o->values[i] && !(w->values[i] = tsf_arena_strdup(&w->arena, o->values[i])))
            return tsf_fail_nomem(err);
    }
    w->n_key_values = o->n_key_values;
    return TSF_OK;
}

static void set_config(struct parquet_writer *w, const struct parquet_writer_options *o)
{
    w->cfg = (struct parquet_encode_config){
        .zstd_level = o->zstd_level ? o->zstd_level : 3, .uncompressed = o->uncompressed, .page_v2 = o->page_v2,
        .no_stats = o->no_stats, .page_rows = o->page_rows > 0 ? o->page_rows : PAGE_ROWS,
        .force_encoding = o->force_encoding, .force_codec = o->force_codec,
    };
    w->group_rows = o->row_group_rows > 0 ? o->row_group_rows : GROUP_ROWS;
    w->group_bytes = o->row_group_bytes > 0 ? o->row_group_bytes : GROUP_BYTES;
    w->pool = o->pool;
    w->n_scratch = o->pool ? tsf_pool_threads(o->pool) : 1;
    tsf_buf_init(&w->index, (size_t)1 << 30);
    tsf_buf_init(&w->footer, (size_t)1 << 30);
}

/* Everything that is sized by fields, leaves or threads. */
static enum tsf_err make_arrays(struct parquet_writer *w, const struct parquet_writer_options *o, struct tsf_error *err)
{
    size_t n_fields = (size_t)w->schema.n_fields;
    w->order = tsf_arena_calloc(&w->arena, (size_t)w->n_leaves, sizeof *w->order);
    w->scratch = calloc((size_t)w->n_scratch, sizeof *w->scratch);
    w->stats = tsf_arena_calloc(&w->arena, n_fields, sizeof *w->stats);
    w->ranges = tsf_arena_calloc(&w->arena, n_fields, sizeof *w->ranges);
    w->range_bytes = tsf_arena_calloc(&w->arena, n_fields, 2 * sizeof *w->range_bytes);
    if (!w->order || !w->scratch || !w->stats || !w->ranges || !w->range_bytes)
        return tsf_fail_nomem(err);
    for (int i = 0; i < w->n_scratch; i++) {
        tsf_buf_init(&w->scratch[i].body, (size_t)4 << 30);
        tsf_buf_init(&w->scratch[i].packed, (size_t)4 << 30);
        tsf_buf_init(&w->scratch[i].alt, (size_t)4 << 30);
        tsf_buf_init(&w->scratch[i].dict, (size_t)4 << 30);
    }
    for (size_t i = 0; i < 2 * n_fields; i++)
        tsf_buf_init(&w->range_bytes[i], (size_t)2 << 30);
    for (int i = 0; i < w->n_leaves; i++) {
        w->order[i] = i;
        w->leaves[i].cost = w->leaves[i].kind == PARQUET_KIND_STR; /* a guess for the first row group */
        w->leaves[i].want_bloom = o->bloom && o->bloom[w->leaves[i].field] != PARQUET_BLOOM_NONE &&
                                  w->leaves[i].kind != PARQUET_KIND_BOOL;
    }
    return TSF_OK;
}

enum tsf_err parquet_writer_new(const struct tsf_sink *sink, const struct tsf_schema *schema,
                                const struct parquet_writer_options *opts, struct parquet_writer **out,
                                struct tsf_error *err)
{
    static const struct parquet_writer_options defaults;
    struct parquet_writer *w = calloc(1, sizeof *w);
    enum tsf_err rc;
    if (!w)
        return tsf_fail_nomem(err);
    w->sink = *sink;
    if (!opts)
        opts = &defaults;
    set_config(w, opts);
    if (schema->n_fields == 0)
        rc = tsf_fail(err, TSF_ERR_INVALID, "a Parquet file needs at least one column");
    else
        rc = tsf_schema_copy(schema, &w->arena, &w->schema, err);
    if (rc != TSF_OK || (rc = parquet_writer_leaves(w, err)) != TSF_OK || (rc = make_arrays(w, opts, err)) != TSF_OK ||
        (rc = copy_sorting(w, opts, err)) != TSF_OK || (rc = copy_key_values(w, opts, err)) != TSF_OK) {
        parquet_writer_free(w);
        return rc;
    }
    *out = w;
    return TSF_OK;
}

void parquet_writer_free(struct parquet_writer *w)
{
    if (!w)
        return;
    for (int i = 0; i < w->n_leaves; i++)
        parquet_leaf_release(&w->leaves[i]);
    free(w->leaves);
    for (int i = 0; w->scratch && i < w->n_scratch; i++)
        parquet_scratch_release(&w->scratch[i]);
    free(w->scratch);
    for (int i = 0; w->range_bytes && i < 2 * w->schema.n_fields; i++)
        tsf_buf_release(&w->range_bytes[i]);
    free(w->groups);
    tsf_buf_release(&w->index);
    tsf_buf_release(&w->footer);
    tsf_arena_release(&w->arena);
    free(w);
}

/* ---- row groups ------------------------------------------------------------------------------------------------ */

static enum tsf_err finish_task(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    struct parquet_writer *w = ctx;
    enum tsf_err rc;
    if ((rc = tsf_cancel_check(err)) != TSF_OK)
        return rc;
    return parquet_leaf_finish(&w->leaves[w->order[task]], &w->scratch[worker], err);
}

static enum tsf_err run(struct parquet_writer *w, bool alone, tsf_task_fn *fn, void *ctx, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    if (w->pool && !alone)
        return tsf_parallel_for(w->pool, w->n_leaves, fn, ctx, err);
    for (int i = 0; i < w->n_leaves && rc == TSF_OK; i++)
        rc = fn(ctx, i, 0, err);
    return rc;
}

/* Most costly leaf first. There are tens of them, and they stay nearly in order. */
static void sort_order(struct parquet_writer *w)
{
    for (int i = 1; i < w->n_leaves; i++) {
        int32_t leaf = w->order[i];
        int j = i;
        for (; j > 0 && w->leaves[w->order[j - 1]].cost < w->leaves[leaf].cost; j--)
            w->order[j] = w->order[j - 1];
        w->order[j] = leaf;
    }
}

static enum tsf_err keep(struct tsf_buf *b, struct tsf_str *s, struct tsf_error *err)
{
    enum tsf_err rc;
    tsf_buf_reset(b);
    if ((rc = tsf_buf_append(b, s->data, s->len, err)) != TSF_OK)
        return rc;
    *s = tsf_buf_str(b);
    return TSF_OK;
}

/* Field statistics over the file; the leaf's strings do not outlive the row group. */
static enum tsf_err merge_stats(struct parquet_writer *w, const struct parquet_leaf *l, struct tsf_error *err)
{
    struct parquet_minmax *m = &w->ranges[l->field];
    struct tsf_buf *bytes = &w->range_bytes[2 * l->field];
    enum tsf_err rc;
    if (!l->flat)
        return TSF_OK;
    w->stats[l->field].null_count += l->nulls_out;
    bool new_min = l->range.has && (!m->has || parquet_bound_cmp(l->kind, &l->range.min, &m->min) < 0);
    bool new_max = l->range.has && (!m->has || parquet_bound_cmp(l->kind, &l->range.max, &m->max) > 0);
    parquet_minmax_merge(m, l->kind, &l->range);
    if (l->kind != PARQUET_KIND_STR)
        return TSF_OK;
    if (new_min && (rc = keep(&bytes[0], &m->min.u.s, err)) != TSF_OK)
        return rc;
    if (new_max && (rc = keep(&bytes[1], &m->max.u.s, err)) != TSF_OK)
        return rc;
    return TSF_OK;
}

static void chunk_stats(const struct parquet_leaf *l, struct parquet_chunk_out *c)
{
    size_t n = 0;
    c->n_nulls = l->nulls_out;
    c->distinct = l->distinct;
    if (!l->range.has || l->range.nan)
        return;
    c->has_min = parquet_bound_bytes(l->kind, l->type, l->type_length, &l->range.min, false, c->min, &n, &c->min_exact);
    c->min_len = (uint8_t)n;
    c->has_max = parquet_bound_bytes(l->kind, l->type, l->type_length, &l->range.max, true, c->max, &n, &c->max_exact);
    c->max_len = (uint8_t)n;
}

static enum tsf_err put_chunk(struct parquet_writer *w, struct parquet_leaf *l, struct parquet_chunk_out *c, struct tsf_error *err)
{
    enum tsf_err rc;
    *c = (struct parquet_chunk_out){
        .codec = l->codec, .encodings = l->encodings, .page_encoding = l->page_encoding, .n_dict_pages = l->n_dict_pages,
        .n_other_pages = l->n_other_pages, .n_values = l->levels_out, .uncompressed_size = l->uncompressed_size,
        .compressed_size = (int64_t)(l->dict_page.len + l->pages.len), .dictionary_offset = -1, .bloom_offset = -1,
    };
    chunk_stats(l, c);
    if (l->dict_page.len) {
        c->dictionary_offset = w->offset;
        if ((rc = sink_put(w, l->dict_page.data, l->dict_page.len, err)) != TSF_OK)
            return rc;
    }
    c->data_offset = w->offset;
    if ((rc = sink_put(w, l->pages.data, l->pages.len, err)) != TSF_OK ||
        (rc = parquet_writer_put_index(w, l, c->data_offset, c, err)) != TSF_OK)
        return rc;
    return merge_stats(w, l, err);
}

static enum tsf_err put_blooms(struct parquet_writer *w, struct parquet_group_out *g, struct tsf_error *err)
{
    enum tsf_err rc;
    for (int i = 0; i < w->n_leaves; i++) {
        const struct tsf_buf *b = &w->leaves[i].bloom;
        if (b->len == 0)
            continue;
        g->chunks[i].bloom_offset = w->offset;
        g->chunks[i].bloom_length = (int32_t)b->len;
        if ((rc = sink_put(w, b->data, b->len, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static enum tsf_err flush_group(struct parquet_writer *w, struct tsf_error *err)
{
    struct parquet_group_out *g;
    enum tsf_err rc;
    if (w->rows == 0)
        return TSF_OK;
    if (!tsf_realloc_array((void **)&w->groups, &w->groups_cap, w->n_groups + 1, sizeof *g))
        return tsf_fail_nomem(err);
    g = &w->groups[w->n_groups];
    memset(g, 0, sizeof *g);
    if (!(g->chunks = tsf_arena_calloc(&w->arena, (size_t)w->n_leaves, sizeof *g->chunks)))
        return tsf_fail_nomem(err);
    sort_order(w);
    if ((rc = run(w, w->rows < PARALLEL_ROWS, finish_task, w, err)) != TSF_OK)
        return rc;
    if (w->offset == 0 && (rc = sink_put(w, "PAR1", 4, err)) != TSF_OK)
        return rc;
    g->offset = w->offset;
    g->n_rows = w->rows;
    for (int i = 0; i < w->n_leaves; i++) {
        if ((rc = put_chunk(w, &w->leaves[i], &g->chunks[i], err)) != TSF_OK)
            return rc;
        g->uncompressed_size += g->chunks[i].uncompressed_size;
        g->compressed_size += g->chunks[i].compressed_size;
    }
    if ((rc = put_blooms(w, g, err)) != TSF_OK)
        return rc;
    for (int i = 0; i < w->n_leaves; i++)
        parquet_leaf_reset(&w->leaves[i]);
    w->n_groups++;
    w->rows = 0;
    return TSF_OK;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

struct append {
    struct parquet_writer *w;
    const struct tsf_batch *b;
    int64_t first, n;
};

static enum tsf_err append_task(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    const struct append *a = ctx;
    struct parquet_leaf *l = &a->w->leaves[a->w->order[task]];
    enum tsf_err rc = parquet_leaf_append(l, &a->b->columns[l->field], a->b->sel, a->first, a->n, &a->w->scratch[worker], err);
    if (rc != TSF_OK)
        tsf_prepend(err, rc, "column \"%s\"", a->w->schema.fields[l->field].name);
    return rc;
}

/* Same stored form, all the way down. Whether text is JSON does not matter here. */
static bool same_type(const struct tsf_type *a, const struct tsf_type *b, int depth)
{
    if (a->id != b->id || a->n_children != b->n_children || depth > 64)
        return false;
    if (a->id == TSF_TYPE_DECIMAL && (a->precision != b->precision || a->scale != b->scale))
        return false;
    for (int i = 0; i < a->n_children; i++)
        if (!same_type(a->children[i].type, b->children[i].type, depth + 1))
            return false;
    return true;
}

static enum tsf_err check_batch(const struct parquet_writer *w, const struct tsf_batch *b, struct tsf_error *err)
{
    if (b->n_columns != w->schema.n_fields)
        return tsf_fail(err, TSF_ERR_INVALID, "a batch of %d columns for a file of %d", b->n_columns, w->schema.n_fields);
    if (b->length > UINT32_MAX)
        return tsf_fail(err, TSF_ERR_INVALID, "a batch of %lld rows is too long", (long long)b->length);
    for (int i = 0; i < b->n_columns; i++) {
        const struct tsf_type *t = b->columns[i].type;
        bool flat = w->schema.fields[i].type->n_children == 0;
        if (!(t->id == TSF_TYPE_NULL && flat) && !same_type(t, w->schema.fields[i].type, 0))
            return tsf_fail(err, TSF_ERR_INVALID, "column \"%s\": the batch has another type than the file", w->schema.fields[i].name);
        if (b->columns[i].length < b->length)
            return tsf_fail(err, TSF_ERR_INVALID, "column \"%s\" is shorter than its batch", w->schema.fields[i].name);
    }
    return TSF_OK;
}

enum tsf_err parquet_writer_write(struct parquet_writer *w, const struct tsf_batch *b, struct tsf_error *err)
{
    int64_t total = tsf_batch_rows(b), at = 0;
    enum tsf_err rc;
    if (w->failed || w->finished)
        return tsf_fail(err, w->failed ? w->failed : TSF_ERR_INVALID, "this Parquet file takes no more rows");
    if ((rc = check_batch(w, b, err)) != TSF_OK)
        return rc;
    while (at < total) {
        struct append a = { .w = w, .b = b, .first = at, .n = TSF_MIN(total - at, SLICE_ROWS) };
        a.n = TSF_MIN(a.n, w->group_rows - w->rows);
        if ((rc = run(w, a.n < PARALLEL_ROWS, append_task, &a, err)) != TSF_OK)
            goto failed;
        w->rows += a.n;
        w->n_rows += a.n;
        at += a.n;
        if ((w->rows == w->group_rows || parquet_writer_size(w) - w->offset >= w->group_bytes) &&
            (rc = flush_group(w, err)) != TSF_OK)
            goto failed;
    }
    return TSF_OK;
failed:
    w->failed = rc;
    return rc;
}

int64_t parquet_writer_size(const struct parquet_writer *w)
{
    int64_t n = w->offset + (int64_t)w->index.len;
    for (int i = 0; i < w->n_leaves; i++)
        n += parquet_leaf_size(&w->leaves[i]);
    return n;
}

/* ---- end ------------------------------------------------------------------------------------------------------------ */

static void publish_stats(struct parquet_writer *w)
{
    for (int i = 0; i < w->n_leaves; i++) {
        const struct parquet_leaf *l = &w->leaves[i];
        const struct parquet_minmax *m = &w->ranges[l->field];
        struct parquet_field_stats *s = &w->stats[l->field];
        s->has_range = l->flat && m->has && !m->nan && l->type->id != TSF_TYPE_BINARY;
        if (!s->has_range)
            continue;
        parquet_bound_value(l->kind, l->type, &m->min, &s->min);
        parquet_bound_value(l->kind, l->type, &m->max, &s->max);
    }
}

enum tsf_err parquet_writer_finish(struct parquet_writer *w, struct parquet_file_info *info, struct tsf_error *err)
{
    uint8_t tail[8];
    int64_t index_offset;
    enum tsf_err rc;
    if (w->failed || w->finished)
        return tsf_fail(err, w->failed ? w->failed : TSF_ERR_INVALID, "this Parquet file cannot be finished");
    if ((rc = flush_group(w, err)) != TSF_OK)
        goto failed;
    if (w->offset == 0 && (rc = sink_put(w, "PAR1", 4, err)) != TSF_OK)
        goto failed;
    index_offset = w->offset;
    if ((rc = sink_put(w, w->index.data, w->index.len, err)) != TSF_OK ||
        (rc = parquet_writer_put_footer(w, index_offset, err)) != TSF_OK)
        goto failed;
    tsf_le32_put(tail, (uint32_t)w->footer.len);
    memcpy(tail + 4, "PAR1", 4);
    *info = (struct parquet_file_info){
        .n_rows = w->n_rows, .footer_offset = w->offset, .footer_length = (int64_t)w->footer.len,
        .n_fields = w->schema.n_fields, .stats = w->stats, .footer = tsf_buf_str(&w->footer),
    };
    if ((rc = sink_put(w, w->footer.data, w->footer.len, err)) != TSF_OK || (rc = sink_put(w, tail, 8, err)) != TSF_OK)
        goto failed;
    info->size = w->offset;
    publish_stats(w);
    w->finished = true;
    return TSF_OK;
failed:
    w->failed = rc;
    return rc;
}
