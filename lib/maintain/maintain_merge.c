/*
 * Merging the files of one partition in bounded memory.
 *
 * First the leading sort key of every file is read and turned into an order-preserving 64-bit prefix: 8 bytes a row, a small
 * part of what the rows weigh. The prefixes cut the partition into ranges of so many rows that a range fits in memory,
 * at the same values in every file, so ranges follow one another in the output without overlap. Then range after range is
 * read from all files, sorted as one heap (nearly sorted runs: the sort sees that) and written.
 *
 * A file whose prefixes do not descend (ascend) is cut by selecting rows instead of by position; everything else is the
 * same, so files of other writers and files with deletion vectors need no path of their own. Without a sort key a range is
 * the next so many rows, file after file.
 */
#include "maintain/maintain_internal.h"

#include <stdlib.h>

#define DECODED_PER_STORED 8       /* first guess of decoded bytes per byte of file */
#define RANGE_ROWS_MIN 8192
#define RANGE_ROWS_MAX (4 << 20)

struct input {
    struct tsf_source src;
    struct parquet_file file;
    bool open;
    int64_t n_rows;                /* physical */
    uint64_t *prefix;              /* of every physical row; NULL without a sort key */
    bool sorted;                   /* prefixes never fall */
    uint64_t *gone;                /* bit per row that a deletion vector removes; NULL = none */
    int *fields;                   /* file field of each table field; -1 = not in the file */
    struct tsf_value *partition;   /* per table field; type NULL when it is no partition column */
    /* Where the range readers stand. */
    int64_t next;                  /* sorted files and tables without a sort key: first row not yet taken */
    struct tsf_arena arena;        /* metadata and prefixes */
};

struct merge {
    struct table *t;
    struct tsf_pool *pool;
    struct input *inputs;
    int n_inputs;
    int key_field;                 /* table field of the leading sort key; -1 none */
    struct tsf_sort_key key;
    int64_t range_rows, n_rows;
};

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static enum tsf_err open_fields(struct merge *m, struct input *in, const struct delta_file *file, struct tsf_error *err)
{
    const struct tsf_schema *s = m->t->schema;

    in->fields = tsf_arena_calloc(&in->arena, (size_t)s->n_fields + 1, sizeof *in->fields);
    in->partition = tsf_arena_calloc(&in->arena, (size_t)s->n_fields + 1, sizeof *in->partition);
    if (!in->fields || !in->partition)
        return tsf_fail_nomem(err);
    for (int f = 0; f < s->n_fields; f++) {
        const char *name = s->fields[f].physical ? s->fields[f].physical : s->fields[f].name;
        in->fields[f] = -1;
        for (int i = 0; i < in->file.schema.n_fields; i++)
            if (strcmp(in->file.schema.fields[i].name, name) == 0)
                in->fields[f] = i;
    }
    for (int k = 0; k < m->t->n_partition; k++) {
        in->partition[m->t->partition_fields[k]] = file->partition[k];
        in->fields[m->t->partition_fields[k]] = -1;
    }
    return TSF_OK;
}

static enum tsf_err open_dv(struct merge *m, struct input *in, const struct delta_file *file, struct tsf_error *err)
{
    int64_t *rows, n;
    enum tsf_err rc;

    if (!file->dv.storage)
        return TSF_OK;
    if (!(in->gone = tsf_arena_calloc(&in->arena, tsf_bit_words(in->n_rows) + 1, sizeof *in->gone)))
        return tsf_fail_nomem(err);
    if ((rc = delta_dv_read(m->t->store, &file->dv, &in->arena, &rows, &n, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < n; i++) {
        if (rows[i] < 0 || rows[i] >= in->n_rows)
            return tsf_fail(err, TSF_ERR_FORMAT, "deletion vector removes row %lld of %lld", (long long)rows[i], (long long)in->n_rows);
        tsf_bit_set(in->gone, rows[i]);
    }
    return TSF_OK;
}

static enum tsf_err input_open(struct merge *m, struct input *in, const struct delta_file *file, struct tsf_error *err)
{
    char *path = tsf_arena_strndup(&in->arena, file->path.data, file->path.len);
    enum tsf_err rc;

    if (!path)
        return tsf_fail_nomem(err);
    if (file->is_absolute)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "file %s lies outside of the table", path);
    if ((rc = store_source_open(m->t->store, path, file->size, &in->src, err)) != TSF_OK)
        return rc;
    in->open = true;
    if ((rc = parquet_file_open(&in->file, &in->src, NULL, err)) != TSF_OK)
        return tsf_prepend(err, rc, "%s", path);
    in->n_rows = in->file.meta->n_rows;
    in->sorted = true;
    if ((rc = open_fields(m, in, file, err)) != TSF_OK || (rc = open_dv(m, in, file, err)) != TSF_OK)
        return tsf_prepend(err, rc, "%s", path);
    return TSF_OK;
}

static void input_release(struct input *in)
{
    if (in->open) {
        parquet_file_release(&in->file);
        tsf_source_close(&in->src);
    }
    tsf_arena_release(&in->arena);
    in->open = false;
}

/* ---- reading rows of one file ---------------------------------------------------------------------------------------- */

/* Column `field` of rows [first, first + n) of the file, wherever the row groups end. */
static enum tsf_err read_column(struct merge *m, struct input *in, int field, int64_t first, int64_t n, struct tsf_arena *a,
                                struct parquet_column **keep, size_t *n_keep, struct tsf_vector *out, struct tsf_error *err)
{
    struct parquet_column_options opts = { .as = m->t->schema->fields[field].type };
    const struct tsf_vector **parts;
    struct tsf_vector *v;
    int n_parts = 0;
    enum tsf_err rc;

    if (in->fields[field] < 0) {
        struct tsf_value null = { .type = m->t->schema->fields[field].type, .is_null = true };
        const struct tsf_value *val = in->partition[field].type ? &in->partition[field] : &null;
        return tsf_vector_constant(val, n, a, out, err);
    }
    v = tsf_arena_calloc(a, (size_t)in->file.meta->n_row_groups + 1, sizeof *v);
    parts = tsf_arena_calloc(a, (size_t)in->file.meta->n_row_groups + 1, sizeof *parts);
    if (!v || !parts)
        return tsf_fail_nomem(err);
    for (int g = 0; g < in->file.meta->n_row_groups && n > 0; g++) {
        const struct parquet_row_group *rg = &in->file.meta->row_groups[g];
        struct parquet_column *c;
        if (rg->first_row + rg->n_rows <= first || rg->n_rows == 0)
            continue;
        int64_t skip = first - rg->first_row, take = TSF_MIN(n, rg->n_rows - skip);
        if ((rc = parquet_column_open(&in->file, g, in->fields[field], &opts, &c, err)) != TSF_OK)
            return rc;
        keep[(*n_keep)++] = c; /* the vector borrows from it */
        if ((rc = parquet_column_skip(c, skip, err)) != TSF_OK || (rc = parquet_column_read(c, take, a, &v[n_parts], err)) != TSF_OK)
            return rc;
        parts[n_parts] = &v[n_parts];
        n_parts++;
        first += take;
        n -= take;
    }
    if (n_parts == 1) {
        *out = v[0];
        return TSF_OK;
    }
    return tsf_vector_concat(parts, n_parts, a, out, err);
}

/* ---- prefixes ------------------------------------------------------------------------------------------------------------ */

static enum tsf_err read_prefixes(void *ctx, int64_t i, int worker, struct tsf_error *err)
{
    struct merge *m = ctx;
    struct input *in = &m->inputs[i];
    struct parquet_column **keep = calloc((size_t)in->file.meta->n_row_groups + 1, sizeof *keep);
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_vector v;
    size_t n_keep = 0;
    enum tsf_err rc = TSF_OK;

    (void)worker;
    if (!keep || !(in->prefix = tsf_arena_alloc(&in->arena, sizeof *in->prefix * (size_t)(in->n_rows + 1)))) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    if (in->n_rows && ((rc = read_column(m, in, m->key_field, 0, in->n_rows, &a, keep, &n_keep, &v, err)) != TSF_OK ||
                       (rc = tsf_sort_prefix(&v, &m->key, in->prefix, err)) != TSF_OK))
        goto done;
    for (int64_t r = 1; in->sorted && r < in->n_rows; r++)
        in->sorted = in->prefix[r - 1] <= in->prefix[r];
done:
    for (size_t k = 0; k < n_keep; k++)
        parquet_column_close(keep[k]);
    free(keep);
    tsf_arena_release(&a);
    return rc;
}

static int u64_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Upper bounds (inclusive) of the ranges, from an even sample of all prefixes. The last is UINT64_MAX. */
static enum tsf_err choose_cuts(struct merge *m, struct tsf_arena *a, uint64_t **cuts_out, int64_t *n_out, struct tsf_error *err)
{
    int64_t n_ranges = (m->n_rows + m->range_rows - 1) / m->range_rows;
    uint64_t *cuts;

    n_ranges = TSF_MAX(n_ranges, 1);
    int64_t step = TSF_MAX(1, m->n_rows / (n_ranges * 256)), n_sample = 0;
    uint64_t *sample = tsf_arena_alloc(a, sizeof *sample * (size_t)(m->n_rows / step + m->n_inputs + 1));
    if (!sample || !(cuts = tsf_arena_alloc(a, sizeof *cuts * (size_t)(n_ranges + 1))))
        return tsf_fail_nomem(err);
    int64_t n_cuts = 0;
    if (n_ranges > 1) {
        for (int i = 0; i < m->n_inputs; i++)
            for (int64_t r = 0; r < m->inputs[i].n_rows; r += step)
                sample[n_sample++] = m->inputs[i].prefix[r];
        qsort(sample, (size_t)n_sample, sizeof *sample, u64_cmp);
        for (int64_t k = 1; k < n_ranges; k++) {
            uint64_t cut = sample[k * n_sample / n_ranges];
            if (!n_cuts || cut > cuts[n_cuts - 1]) /* one value with many rows is one range, however large */
                cuts[n_cuts++] = cut;
        }
    }
    if (!n_cuts || cuts[n_cuts - 1] != UINT64_MAX)
        cuts[n_cuts++] = UINT64_MAX;
    *cuts_out = cuts;
    *n_out = n_cuts;
    return TSF_OK;
}

/* ---- one range -------------------------------------------------------------------------------------------------------------- */

struct part {
    struct input *in;
    int64_t first, n;              /* physical rows read */
    uint32_t *sel;                 /* of those, the ones in the range; NULL = all */
    int64_t n_sel;
    struct tsf_vector *columns;
};

struct range {
    struct merge *m;
    struct part *parts;
    struct tsf_arena *arenas;      /* per (part, column) */
    struct parquet_column ***keep; /* per (part, column) */
    size_t *n_keep;
};

/* First row whose prefix is above cut, from row `from` on. */
static int64_t upper(const struct input *in, int64_t from, uint64_t cut)
{
    int64_t lo = from, hi = in->n_rows;

    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (in->prefix[mid] <= cut)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Rows [in->next, end), without those that a deletion vector removes. */
static enum tsf_err part_take(struct input *in, int64_t end, struct tsf_arena *a, struct part *p, struct tsf_error *err)
{
    p->first = in->next;
    p->n = p->n_sel = end - in->next;
    in->next = end;
    if (!in->gone || !p->n)
        return TSF_OK;
    if (!(p->sel = tsf_arena_alloc(a, sizeof *p->sel * (size_t)p->n)))
        return tsf_fail_nomem(err);
    p->n_sel = 0;
    for (int64_t r = 0; r < p->n; r++)
        if (!tsf_bit_get(in->gone, p->first + r))
            p->sel[p->n_sel++] = (uint32_t)r;
    return TSF_OK;
}

static enum tsf_err part_choose(struct input *in, bool has_low, uint64_t low, uint64_t cut, struct tsf_arena *a, struct part *p,
                                struct tsf_error *err)
{
    if (in->sorted)
        return part_take(in, upper(in, in->next, cut), a, p, err);
    if (!(p->sel = tsf_arena_alloc(a, sizeof *p->sel * (size_t)(in->n_rows + 1))))
        return tsf_fail_nomem(err);
    int64_t first = -1, last = -1;
    for (int64_t r = 0; r < in->n_rows; r++) {
        bool in_range = in->prefix[r] <= cut && (!has_low || in->prefix[r] > low);
        if (!in_range || (in->gone && tsf_bit_get(in->gone, r)))
            continue;
        if (first < 0)
            first = r;
        last = r;
        p->sel[p->n_sel++] = (uint32_t)(r - first);
    }
    if (first >= 0) {
        p->first = first;
        p->n = last - first + 1;
    }
    return TSF_OK;
}

static enum tsf_err read_task(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    struct range *r = ctx;
    int n_fields = r->m->t->schema->n_fields;
    struct part *p = &r->parts[task / n_fields];
    int field = (int)(task % n_fields);
    struct tsf_vector v;
    enum tsf_err rc;

    (void)worker;
    if (!p->n_sel)
        return TSF_OK;
    if (!(r->keep[task] = calloc((size_t)p->in->file.meta->n_row_groups + 1, sizeof **r->keep)))
        return tsf_fail_nomem(err);
    if ((rc = read_column(r->m, p->in, field, p->first, p->n, &r->arenas[task], r->keep[task], &r->n_keep[task], &v, err)) != TSF_OK)
        return tsf_prepend(err, rc, "%s", p->in->src.name ? p->in->src.name : "data file");
    if (!p->sel || p->n_sel == p->n) {
        p->columns[field] = v;
        return TSF_OK;
    }
    return tsf_vector_gather(&v, p->sel, p->n_sel, &r->arenas[task], &p->columns[field], err);
}

static enum tsf_err sort_and_write(struct merge *m, struct range *r, struct maintain_rows *rows, struct table_writer *w, struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_batch b;
    uint32_t *perm;
    enum tsf_err rc = TSF_OK;

    for (int i = 0; i < m->n_inputs; i++) {
        struct tsf_batch part = { .length = r->parts[i].n_sel, .n_columns = m->t->schema->n_fields, .columns = r->parts[i].columns };
        if ((rc = maintain_rows_add(rows, &part, err)) != TSF_OK)
            goto done;
    }
    if (!rows->n_rows)
        goto done;
    if ((rc = maintain_rows_unite(rows, &a, &b, err)) != TSF_OK || (rc = maintain_rows_order(rows, &b, &a, &perm, err)) != TSF_OK)
        goto done;
    rc = maintain_rows_write(&b, perm, b.length, w, m->pool, err);
done:
    tsf_arena_release(&a);
    return rc;
}

static enum tsf_err merge_range(struct merge *m, bool has_low, uint64_t low, uint64_t cut, struct maintain_rows *rows,
                                struct table_writer *w, struct tsf_error *err)
{
    int64_t room = m->range_rows; /* without a sort key */
    size_t n_fields = (size_t)m->t->schema->n_fields, n_tasks = (size_t)m->n_inputs * n_fields;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct range r = { .m = m };
    enum tsf_err rc = TSF_OK;

    r.parts = calloc((size_t)m->n_inputs + 1, sizeof *r.parts);
    r.arenas = calloc(n_tasks + 1, sizeof *r.arenas);
    r.keep = calloc(n_tasks + 1, sizeof *r.keep);
    r.n_keep = calloc(n_tasks + 1, sizeof *r.n_keep);
    if (!r.parts || !r.arenas || !r.keep || !r.n_keep) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    for (int i = 0; i < m->n_inputs; i++) {
        struct input *in = r.parts[i].in = &m->inputs[i];
        if (m->key_field >= 0)
            rc = part_choose(in, has_low, low, cut, &a, &r.parts[i], err);
        else
            rc = part_take(in, in->next + TSF_MIN(room, in->n_rows - in->next), &a, &r.parts[i], err);
        if (rc != TSF_OK)
            goto done;
        room -= r.parts[i].n;
        if (!(r.parts[i].columns = tsf_arena_calloc(&a, n_fields + 1, sizeof(struct tsf_vector)))) {
            rc = tsf_fail_nomem(err);
            goto done;
        }
    }
    if ((rc = tsf_parallel_for(m->pool, (int64_t)n_tasks, read_task, &r, err)) != TSF_OK)
        goto done;
    rc = sort_and_write(m, &r, rows, w, err);
done:
    maintain_rows_reset(rows);
    for (size_t k = 0; r.keep && r.n_keep && r.arenas && k < n_tasks; k++) {
        for (size_t c = 0; c < r.n_keep[k]; c++)
            parquet_column_close(r.keep[k][c]);
        free(r.keep[k]);
        tsf_arena_release(&r.arenas[k]);
    }
    free(r.parts);
    free(r.arenas);
    free(r.keep);
    free(r.n_keep);
    tsf_arena_release(&a);
    return rc;
}

enum tsf_err maintain_merge(struct table *t, const struct maintain_merge_input *inputs, int n_inputs, struct table_writer *w,
                            struct tsf_pool *pool, int64_t memory_limit, int64_t *rows_out, struct tsf_error *err)
{
    struct merge m = { .t = t, .pool = pool, .n_inputs = n_inputs, .key_field = -1 };
    struct maintain_rows rows = { .t = t, .pool = pool };
    struct tsf_arena a = TSF_ARENA_INIT;
    int64_t stored = 0, n_cuts = 0, gone = 0;
    uint64_t *cuts = NULL;
    enum tsf_err rc = TSF_OK;

    if (!(m.inputs = calloc((size_t)n_inputs + 1, sizeof *m.inputs))) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    for (int i = 0; i < n_inputs; i++) {
        if ((rc = input_open(&m, &m.inputs[i], &inputs[i].file, err)) != TSF_OK)
            goto done;
        stored += inputs[i].file.size;
        m.n_rows += m.inputs[i].n_rows;
        if (m.inputs[i].gone)
            gone += tsf_bits_count(m.inputs[i].gone, 0, m.inputs[i].n_rows);
    }
    for (int k = 0; k < t->props.n_sort && m.key_field < 0; k++) {
        if (table_is_partition_field(t, t->props.sort[k].field))
            continue; /* constant within the partition */
        m.key_field = t->props.sort[k].field;
        m.key = (struct tsf_sort_key){ .descending = t->props.sort[k].descending, .nulls_first = t->props.sort[k].nulls_first };
    }
    if (m.key_field >= 0 && (rc = tsf_parallel_for(pool, n_inputs, read_prefixes, &m, err)) != TSF_OK)
        goto done;
    /* Rows, their united copy, the encoder's row group: a third each. */
    int64_t row_bytes = TSF_MAX(64, stored * DECODED_PER_STORED / TSF_MAX(1, m.n_rows));
    m.range_rows = TSF_MIN(TSF_MAX(memory_limit / 3 / row_bytes, RANGE_ROWS_MIN), RANGE_ROWS_MAX);
    if (m.key_field < 0)
        n_cuts = (m.n_rows + m.range_rows - 1) / m.range_rows;
    else if ((rc = choose_cuts(&m, &a, &cuts, &n_cuts, err)) != TSF_OK)
        goto done;
    for (int64_t k = 0; k < n_cuts; k++)
        if ((rc = merge_range(&m, k > 0, k && cuts ? cuts[k - 1] : 0, cuts ? cuts[k] : 0, &rows, w, err)) != TSF_OK)
            goto done;
    *rows_out = m.n_rows - gone;
done:
    maintain_rows_release(&rows);
    for (int i = 0; m.inputs && i < n_inputs; i++)
        input_release(&m.inputs[i]);
    free(m.inputs);
    tsf_arena_release(&a);
    return rc;
}
