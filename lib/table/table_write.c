/* Rows of one partition as Parquet files under their final names. Only a commit makes them part of the table. */
#include "table/table_internal.h"

#include <stdio.h>
#include <stdlib.h>

struct done_file {
    char *path;
    int64_t size, n_rows, footer_offset, footer_length;
    struct tsf_buf stats, footer;
};

struct table_writer {
    struct table *t;
    struct table_writer_options opts;
    struct tsf_arena arena;
    char *folder;                 /* "" or "a=1/b=2/" */
    const struct tsf_value *partition;
    struct tsf_schema schema;     /* of the files: no partition columns */
    int *fields;                  /* table field of each file column */
    struct parquet_writer_options popts;
    struct tsf_vector *columns;   /* scratch */
    struct store_writer *out;
    struct tsf_sink sink;
    struct parquet_writer *pq;
    char *path;                   /* of the file being written */
    struct done_file *files;
    size_t n_files, cap_files;
};

static enum tsf_err copy_partition(struct table_writer *w, const struct tsf_value *partition, struct tsf_error *err)
{
    struct tsf_buf folder = TSF_BUF_INIT(1 << 16);
    struct tsf_value *values = tsf_arena_calloc(&w->arena, (size_t)w->t->n_partition + 1, sizeof *values);
    enum tsf_err rc = TSF_OK;

    if (!values)
        return tsf_fail_nomem(err);
    for (int k = 0; k < w->t->n_partition; k++) {
        values[k] = partition[k];
        if (!values[k].is_null && tsf_type_is_string(values[k].type) &&
            !(values[k].u.s.data = tsf_arena_strndup(&w->arena, partition[k].u.s.data, partition[k].u.s.len)))
            return tsf_fail_nomem(err);
    }
    w->partition = values;
    if (w->t->n_partition && ((rc = delta_partition_path(&w->t->snapshot->metadata, values, &folder, err)) != TSF_OK ||
                              (rc = tsf_buf_append_z(&folder, "/", err)) != TSF_OK))
        goto done;
    if (!(w->folder = tsf_arena_strndup(&w->arena, (const char *)folder.data, folder.len)))
        rc = tsf_fail_nomem(err);
done:
    tsf_buf_release(&folder);
    return rc;
}

/* Columns of the files, their bloom filters and order. A sort key that is a partition column is constant in a file. */
static enum tsf_err layout(struct table_writer *w, struct tsf_error *err)
{
    const struct table *t = w->t;
    size_t n = (size_t)t->schema->n_fields;
    int *position = tsf_arena_calloc(&w->arena, n + 1, sizeof *position);
    uint8_t *bloom = tsf_arena_calloc(&w->arena, n + 1, 1);
    struct parquet_sorting *sorting = tsf_arena_calloc(&w->arena, n + 1, sizeof *sorting);

    w->schema.fields = tsf_arena_calloc(&w->arena, n + 1, sizeof *w->schema.fields);
    w->fields = tsf_arena_calloc(&w->arena, n + 1, sizeof *w->fields);
    w->columns = tsf_arena_calloc(&w->arena, n + 1, sizeof *w->columns);
    if (!position || !bloom || !sorting || !w->schema.fields || !w->fields || !w->columns)
        return tsf_fail_nomem(err);
    for (int f = 0; f < t->schema->n_fields; f++) {
        position[f] = -1;
        if (table_is_partition_field(t, f))
            continue;
        int c = w->schema.n_fields++;
        position[f] = c;
        w->schema.fields[c] = t->schema->fields[f];
        if (w->schema.fields[c].physical)
            w->schema.fields[c].name = w->schema.fields[c].physical;
        w->fields[c] = f;
        bloom[c] = t->props.bloom[f] ? PARQUET_BLOOM_YES : PARQUET_BLOOM_NONE;
    }
    if (!w->schema.n_fields)
        return tsf_fail(err, TSF_ERR_INVALID, "table %s has only partition columns: there is nothing to store", t->name);
    for (int k = 0; k < t->props.n_sort; k++) {
        const struct table_sort_key *key = &t->props.sort[k];
        if (position[key->field] >= 0)
            sorting[w->popts.n_sorting++] = (struct parquet_sorting){ .leaf = position[key->field], .descending = key->descending,
                                                                      .nulls_first = key->nulls_first };
    }
    w->popts.sorting = sorting;
    w->popts.bloom = bloom;
    w->popts.zstd_level = w->opts.zstd_level;
    w->popts.pool = w->opts.pool;
    return TSF_OK;
}

enum tsf_err table_writer_new(struct table *t, const struct tsf_value *partition, const struct table_writer_options *opts,
                              struct table_writer **out, struct tsf_error *err)
{
    struct table_writer *w = calloc(1, sizeof *w);
    enum tsf_err rc;

    if (!w)
        return tsf_fail_nomem(err);
    w->t = t;
    w->opts = *opts;
    if ((rc = copy_partition(w, partition, err)) != TSF_OK || (rc = layout(w, err)) != TSF_OK) {
        table_writer_free(w);
        return rc;
    }
    *out = w;
    return TSF_OK;
}

static enum tsf_err file_begin(struct table_writer *w, struct tsf_error *err)
{
    char uuid[37];
    enum tsf_err rc;

    tsf_uuid4(uuid);
    if (!(w->path = tsf_arena_printf(&w->arena, "%spart-%s.parquet", w->folder, uuid)))
        return tsf_fail_nomem(err);
    if ((rc = store_writer_new(w->t->store, w->path, &w->out, err)) != TSF_OK)
        return rc;
    w->sink = store_writer_sink(w->out);
    return parquet_writer_new(&w->sink, &w->schema, &w->popts, &w->pq, err);
}

static enum tsf_err file_end(struct table_writer *w, struct tsf_error *err)
{
    struct parquet_file_info info;
    struct done_file *f;
    enum tsf_err rc;

    if (!w->pq)
        return TSF_OK;
    if (!tsf_realloc_array((void **)&w->files, &w->cap_files, w->n_files + 1, sizeof *w->files))
        return tsf_fail_nomem(err);
    if ((rc = parquet_writer_finish(w->pq, &info, err)) != TSF_OK)
        return rc;
    f = &w->files[w->n_files];
    *f = (struct done_file){ .path = w->path, .size = info.size, .n_rows = info.n_rows,
                             .footer_offset = info.footer_offset, .footer_length = info.footer_length };
    tsf_buf_init(&f->stats, 16 << 20);
    tsf_buf_init(&f->footer, 256 << 20);
    w->n_files++;
    if ((rc = delta_stats_json(&w->schema, &info, &f->stats, err)) != TSF_OK ||
        (w->opts.cache_footer && (rc = tsf_buf_append(&f->footer, info.footer.data, info.footer.len, err)) != TSF_OK))
        return rc;
    parquet_writer_free(w->pq);
    w->pq = NULL;
    struct store_writer *out = w->out;
    w->out = NULL;
    if (w->opts.publisher)
        return table_publisher_add(w->opts.publisher, out, err);
    rc = store_writer_finish(out, err);
    store_writer_free(out);
    return rc;
}

enum tsf_err table_writer_write(struct table_writer *w, const struct tsf_batch *b, struct tsf_error *err)
{
    enum tsf_err rc;

    if (tsf_batch_rows(b) == 0)
        return TSF_OK;
    if (!w->pq && (rc = file_begin(w, err)) != TSF_OK)
        return rc;
    for (int c = 0; c < w->schema.n_fields; c++)
        w->columns[c] = b->columns[w->fields[c]];
    struct tsf_batch part = *b;
    part.n_columns = w->schema.n_fields;
    part.columns = w->columns;
    if ((rc = parquet_writer_write(w->pq, &part, err)) != TSF_OK)
        return rc;
    return w->opts.target_bytes && parquet_writer_size(w->pq) >= w->opts.target_bytes ? file_end(w, err) : TSF_OK;
}

enum tsf_err table_writer_close(struct table_writer *w, struct tsf_error *err)
{
    return file_end(w, err);
}

static void cache_footers(const struct table_writer *w)
{
    struct cache_footer *f = tsf_malloc_array(w->n_files + 1, sizeof *f);

    if (!f)
        return; /* only a hint */
    for (size_t i = 0; i < w->n_files; i++)
        f[i] = (struct cache_footer){ .path = tsf_str(w->files[i].path), .footer = tsf_buf_str(&w->files[i].footer),
                                      .file_size = w->files[i].size };
    cache_footers_put(w->t->env->cache, w->t->store->uri, f, (int64_t)w->n_files);
    free(f);
}

enum tsf_err table_writer_finish(struct table_writer *w, struct delta_change *change, struct tsf_arena *a, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = file_end(w, err)) != TSF_OK)
        return rc;
    struct tsf_value *partition = tsf_arena_memdup(a, w->partition, sizeof *partition * ((size_t)w->t->n_partition + 1));
    if (!partition)
        return tsf_fail_nomem(err);
    for (int k = 0; k < w->t->n_partition; k++)
        if (!partition[k].is_null && tsf_type_is_string(partition[k].type) &&
            !(partition[k].u.s.data = tsf_arena_strndup(a, partition[k].u.s.data, partition[k].u.s.len)))
            return tsf_fail_nomem(err);
    for (size_t i = 0; i < w->n_files; i++) {
        const struct done_file *f = &w->files[i];
        struct delta_add add = {
            .path = { tsf_arena_strdup(a, f->path), strlen(f->path) }, .partition = partition, .size = f->size,
            .modified_ms = tsf_now_us() / 1000, .n_rows = f->n_rows,
            .stats = { tsf_arena_memdup(a, f->stats.data, f->stats.len), f->stats.len },
            .footer_offset = f->footer_offset, .footer_length = f->footer_length,
            .clustering = w->opts.clustering ? tsf_arena_strdup(a, w->opts.clustering) : NULL,
            .data_change = w->opts.data_change,
        };
        if (!add.path.data || !add.stats.data || (w->opts.clustering && !add.clustering))
            return tsf_fail_nomem(err);
        if ((rc = delta_change_add(change, &add, err)) != TSF_OK)
            return rc;
    }
    if (w->opts.cache_footer)
        cache_footers(w);
    return TSF_OK;
}

void table_writer_free(struct table_writer *w)
{
    if (!w)
        return;
    parquet_writer_free(w->pq);
    store_writer_free(w->out);
    for (size_t i = 0; i < w->n_files; i++) {
        tsf_buf_release(&w->files[i].stats);
        tsf_buf_release(&w->files[i].footer);
    }
    free(w->files);
    tsf_arena_release(&w->arena);
    free(w);
}
