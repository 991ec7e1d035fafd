/*
 * Columns. Flat ones (top-level primitives) are assembled here: definition levels go straight into the validity bitmap,
 * dense values into the vector, and are then spread over the present rows in place. Nested ones: parquet_nested.c.
 */
#include <stdlib.h>

#include "parquet/parquet_read_internal.h"

/* ---- life ------------------------------------------------------------------------------------------------------ */

static int plan_leaves(const struct parquet_plan *p)
{
    int n = 0;
    if (p->shape == PARQUET_SHAPE_LEAF)
        return 1;
    for (int i = 0; i < p->n_children; i++)
        n += plan_leaves(&p->children[i]);
    return n;
}

static enum tsf_err open_leaves(struct parquet_column *c, const struct parquet_plan *p, int row_group, bool no_crc, int *next,
                                struct tsf_error *err)
{
    if (p->shape == PARQUET_SHAPE_LEAF) {
        struct parquet_leaf_reader *l = &c->leaves[(*next)++];
        enum tsf_err rc = parquet_leaf_reader_init(l, c->file, row_group, p->node, p->type, c->flat, err);
        l->no_crc = no_crc;
        return rc;
    }
    for (int i = 0; i < p->n_children; i++) {
        enum tsf_err rc = open_leaves(c, &p->children[i], row_group, no_crc, next, err);
        if (rc != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

enum tsf_err parquet_column_open(const struct parquet_file *f, int row_group, int field,
                                 const struct parquet_column_options *opts, struct parquet_column **out,
                                 struct tsf_error *err)
{
    struct parquet_column *c;
    int next = 0;
    enum tsf_err rc;

    if (row_group < 0 || row_group >= f->meta->n_row_groups || field < 0 || field >= f->schema.n_fields)
        return tsf_fail(err, TSF_ERR_INVALID, "no such row group or column");
    if (!(c = calloc(1, sizeof *c)))
        return tsf_fail_nomem(err);
    c->file = f;
    c->left = f->meta->row_groups[row_group].n_rows;
    c->no_dictionary = opts && opts->no_dictionary;
    rc = parquet_plan_make(f->meta, f->field_nodes[field], opts ? opts->as : NULL, &c->arena, &c->plan, err);
    if (rc == TSF_OK) {
        c->flat = c->plan.shape == PARQUET_SHAPE_LEAF && f->meta->nodes[c->plan.node].max_rep == 0;
        c->n_leaves = plan_leaves(&c->plan);
        c->leaves = tsf_arena_calloc(&c->arena, (size_t)c->n_leaves + 1, sizeof *c->leaves);
        rc = c->leaves ? open_leaves(c, &c->plan, row_group, opts && opts->no_crc, &next, err) : tsf_fail_nomem(err);
    }
    if (rc != TSF_OK) {
        parquet_column_close(c);
        return rc;
    }
    *out = c;
    return TSF_OK;
}

void parquet_column_close(struct parquet_column *c)
{
    if (!c)
        return;
    for (int i = 0; c->leaves && i < c->n_leaves; i++)
        parquet_leaf_reader_release(&c->leaves[i]);
    parquet_nested_release(c);
    tsf_arena_release(&c->arena);
    free(c);
}

int64_t parquet_column_left(const struct parquet_column *c)
{
    return c->left;
}

void parquet_column_recycle(struct parquet_column *c)
{
    for (int i = 0; i < c->n_leaves; i++)
        parquet_leaf_recycle(&c->leaves[i]);
}

static enum tsf_err column_prepend(const struct parquet_column *c, enum tsf_err rc, struct tsf_error *err)
{
    const struct parquet_node *n = &c->file->meta->nodes[c->plan.node];
    if (rc == TSF_OK || rc == TSF_END)
        return rc;
    tsf_prepend(err, rc, "column %.*s", (int)TSF_MIN(n->name.len, 100), n->name.data);
    return c->file->src->name ? tsf_prepend(err, rc, "%s", c->file->src->name) : rc;
}

/* ---- flat columns ------------------------------------------------------------------------------------------------- */

/* A flat vector in the making. */
struct flat {
    struct parquet_leaf_reader *l;
    struct tsf_arena *a;
    int64_t n, done;       /* rows wanted, rows there */
    int64_t present;
    uint64_t *validity;    /* NULL: the column is required */
    int32_t *codes;        /* while all pages are dictionary-coded */
    void *values;
    bool want_codes;
};

static enum tsf_err flat_begin(struct flat *f, struct parquet_column *c, int64_t n, struct tsf_arena *a, struct tsf_error *err)
{
    *f = (struct flat){ .l = &c->leaves[0], .a = a, .n = n, .want_codes = !c->no_dictionary };
    if (f->l->node->max_def > 0) {
        size_t bytes = tsf_bit_words(n) * 8;
        if (!(f->validity = tsf_arena_alloc(a, bytes + TSF_PAD)))
            return tsf_fail_nomem(err);
        memset((uint8_t *)f->validity + bytes, 0, TSF_PAD);
        if (bytes)
            f->validity[tsf_bit_words(n) - 1] = 0;
    }
    return TSF_OK;
}

static enum tsf_err alloc_padded(struct flat *f, int width, void **out, struct tsf_error *err)
{
    size_t bytes;
    uint8_t *p = NULL;
    if (!tsf_mul_size((size_t)f->n, (size_t)width, &bytes) || !tsf_add_size(bytes, TSF_PAD, &bytes) ||
        !(p = tsf_arena_alloc(f->a, bytes)))
        return tsf_fail_nomem(err);
    memset(p + bytes - TSF_PAD, 0, TSF_PAD);
    *out = p;
    return TSF_OK;
}

/* The rows so far are codes, but now comes a page that is not: look them up. */
static enum tsf_err flat_give_up_codes(struct flat *f, struct tsf_error *err)
{
    const int width = f->l->conv.dst_width;
    enum tsf_err rc = alloc_padded(f, width, &f->values, err);
    if (rc != TSF_OK || !f->codes)
        return rc;
    if (f->l->dict.length > 0) {
        parquet_lookup(&f->l->dict, f->codes, f->done, f->values);
        for (int64_t i = 0; f->validity && f->present < f->done && i < f->done; i++)
            if (!tsf_bit_get(f->validity, i))
                memset((char *)f->values + i * width, 0, (size_t)width);
    } else {
        memset(f->values, 0, (size_t)f->done * (size_t)width);
    }
    f->codes = NULL;
    return TSF_OK;
}

/*
 * Append `rows` rows of the current page, whose bits are in validity already: `present` of them have a value. These are
 * the next n dense values, or those at idx.
 */
static enum tsf_err flat_values(struct flat *f, int64_t rows, int64_t present, int64_t n, const uint32_t *idx,
                                struct tsf_error *err)
{
    struct parquet_leaf_reader *l = f->l;
    const bool codes = l->page_dict && f->want_codes && !f->values;
    const int width = codes ? 4 : l->conv.dst_width;
    enum tsf_err rc;
    void *dst = NULL;

    if (codes && !f->codes) {
        if ((rc = alloc_padded(f, 4, &dst, err)) != TSF_OK)
            return rc;
        f->codes = dst;
    }
    if (!codes && !f->values && (rc = flat_give_up_codes(f, err)) != TSF_OK)
        return rc;
    dst = (char *)(codes ? (void *)f->codes : f->values) + f->done * width;
    rc = codes ? parquet_leaf_codes(l, n, idx, present, dst, err) : parquet_leaf_read(l, n, idx, present, dst, f->a, err);
    if (rc != TSF_OK)
        return rc;
    if (present < rows)
        parquet_kernels()->expand(dst, width, f->validity, f->done, rows, present);
    f->present += present;
    f->done += rows;
    return TSF_OK;
}

static void flat_end(const struct flat *f, struct tsf_vector *out)
{
    *out = (struct tsf_vector){ .type = f->l->conv.type, .shape = TSF_FLAT, .length = f->n, .values = f->values };
    out->null_count = f->n - f->present;
    out->validity = out->null_count ? f->validity : NULL;
    if (f->codes) {
        out->shape = TSF_DICTIONARY;
        out->values = f->codes;
        out->dict = &f->l->dict;
        out->dict_id = f->l->dict.dict_id;
    }
}

/* The next m rows of the page, all of them. */
static enum tsf_err flat_segment(struct flat *f, int64_t m, struct tsf_error *err)
{
    int64_t present = m;
    enum tsf_err rc;
    if (f->validity &&
        (rc = parquet_hybrid_bits(&f->l->page_def, m, f->validity, f->done, &present, err)) != TSF_OK)
        return rc;
    f->l->page_at += m;
    return flat_values(f, m, present, present, NULL, err);
}

static enum tsf_err flat_page(struct flat *f, struct tsf_error *err)
{
    enum tsf_err rc = parquet_leaf_page(f->l, err);
    return rc == TSF_END ? tsf_fail(err, TSF_ERR_FORMAT, "the column chunk has fewer values than rows") : rc;
}

/* A read of no rows, or of none with a page, has neither codes nor values yet. */
static enum tsf_err flat_finish(struct flat *f, struct tsf_vector *out, struct tsf_error *err)
{
    enum tsf_err rc;
    if (!f->codes && !f->values && (rc = alloc_padded(f, f->l->conv.dst_width, &f->values, err)) != TSF_OK)
        return rc;
    flat_end(f, out);
    return TSF_OK;
}

static enum tsf_err flat_read(struct parquet_column *c, int64_t n, struct tsf_arena *a, struct tsf_vector *out,
                              struct tsf_error *err)
{
    struct flat f;
    enum tsf_err rc;
    if ((rc = flat_begin(&f, c, n, a, err)) != TSF_OK)
        return rc;
    while (f.done < n) {
        if ((rc = flat_page(&f, err)) != TSF_OK || (rc = parquet_leaf_load(f.l, err)) != TSF_OK ||
            (rc = flat_segment(&f, TSF_MIN(n - f.done, f.l->page_n - f.l->page_at), err)) != TSF_OK)
            return rc;
    }
    return flat_finish(&f, out, err);
}

static enum tsf_err flat_skip(struct parquet_column *c, int64_t n, struct tsf_error *err)
{
    struct flat f = { .l = &c->leaves[0] };
    while (n > 0) {
        enum tsf_err rc = flat_page(&f, err);
        if (rc != TSF_OK)
            return rc;
        int64_t m = TSF_MIN(n, f.l->page_n - f.l->page_at);
        parquet_leaf_pass(f.l, m);
        n -= m;
    }
    return TSF_OK;
}

/*
 * Of the next `rows` rows of the page those at sel[0..k) - base: their bits into the result, and which dense values they
 * are into idx. *dense_out: dense values in all these rows.
 */
static enum tsf_err flat_ranks(struct flat *f, int64_t rows, const uint32_t *sel, int64_t k, int64_t base, uint32_t *idx,
                               int64_t *present_out, int64_t *dense_out, struct tsf_error *err)
{
    if (!f->validity) {
        for (int64_t i = 0; i < k; i++)
            idx[i] = (uint32_t)(sel[i] - base);
        *present_out = k;
        *dense_out = rows;
        return TSF_OK;
    }
    size_t words = tsf_bit_words(rows);
    uint64_t *bits = malloc(words * 8 + TSF_PAD);
    if (!bits)
        return tsf_fail_nomem(err);
    enum tsf_err rc = parquet_hybrid_bits(&f->l->page_def, rows, bits, 0, dense_out, err);
    int64_t word = 0, before = 0, present = 0; /* before: ones in words below `word` */
    for (int64_t i = 0; rc == TSF_OK && i < k; i++) {
        int64_t row = sel[i] - base;
        for (; word < row >> 6; word++)
            before += __builtin_popcountll(bits[word]);
        uint64_t bit = bits[word] >> (row & 63) & 1;
        idx[present] = (uint32_t)(before + __builtin_popcountll(bits[word] & ((1ULL << (row & 63)) - 1)));
        present += (int64_t)bit;
        tsf_bit_put(f->validity, f->done + i, bit);
    }
    free(bits);
    *present_out = present;
    return rc;
}

static enum tsf_err flat_read_sel(struct parquet_column *c, int64_t n, const uint32_t *sel, int64_t n_sel, struct tsf_arena *a,
                                  struct tsf_vector *out, struct tsf_error *err)
{
    struct flat f;
    uint32_t *idx = NULL;
    enum tsf_err rc;

    if ((rc = flat_begin(&f, c, n_sel, a, err)) != TSF_OK)
        return rc;
    if (!(idx = malloc((size_t)n_sel * 4 + 4)))
        return tsf_fail_nomem(err);
    for (int64_t base = 0, j = 0; base < n && j < n_sel;) {
        if ((rc = flat_page(&f, err)) != TSF_OK)
            goto done;
        int64_t m = TSF_MIN(n - base, f.l->page_n - f.l->page_at), k = 0;
        while (j + k < n_sel && sel[j + k] < base + m)
            k++;
        if (k > 0) {
            int64_t rows = sel[j + k - 1] - base + 1, present = 0, dense = 0;
            if ((rc = parquet_leaf_load(f.l, err)) != TSF_OK)
                goto done;
            if (rows == k) {
                rc = flat_segment(&f, k, err);
            } else if ((rc = flat_ranks(&f, rows, sel + j, k, base, idx, &present, &dense, err)) == TSF_OK) {
                f.l->page_at += rows;
                rc = flat_values(&f, k, present, dense, idx, err);
            }
            if (rc != TSF_OK)
                goto done;
            parquet_leaf_pass(f.l, m - rows);
        } else {
            parquet_leaf_pass(f.l, m);
        }
        j += k;
        base += m;
        if (j == n_sel && (rc = flat_skip(c, n - base, err)) != TSF_OK)
            goto done;
    }
    if (n_sel == 0)
        rc = flat_skip(c, n, err);
    if (rc == TSF_OK)
        rc = flat_finish(&f, out, err);
done:
    free(idx);
    return rc;
}

/* ---- any column ----------------------------------------------------------------------------------------------------- */

static enum tsf_err check_rows(const struct parquet_column *c, int64_t n, struct tsf_error *err)
{
    if (n < 0 || n > c->left)
        return tsf_fail(err, TSF_ERR_INVALID, "%lld rows wanted, %lld are left", (long long)n, (long long)c->left);
    return TSF_OK;
}

enum tsf_err parquet_column_read(struct parquet_column *c, int64_t n, struct tsf_arena *a, struct tsf_vector *out,
                                 struct tsf_error *err)
{
    enum tsf_err rc = check_rows(c, n, err);
    if (rc != TSF_OK)
        return rc;
    if (c->flat)
        c->left -= n;
    rc = c->flat ? flat_read(c, n, a, out, err) : parquet_nested_read(c, n, a, out, err);
    return column_prepend(c, rc, err);
}

enum tsf_err parquet_column_skip(struct parquet_column *c, int64_t n, struct tsf_error *err)
{
    enum tsf_err rc = check_rows(c, n, err);
    if (rc != TSF_OK)
        return rc;
    if (c->flat)
        c->left -= n;
    rc = c->flat ? flat_skip(c, n, err) : parquet_nested_skip(c, n, err);
    return column_prepend(c, rc, err);
}

/* Nested rows have no fixed place: read them all, unless none or few at the end are wanted. */
static enum tsf_err nested_read_sel(struct parquet_column *c, int64_t n, const uint32_t *sel, int64_t n_sel,
                                    struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err)
{
    const int64_t first = n_sel ? sel[0] : 0, rows = n_sel ? sel[n_sel - 1] + (int64_t)1 - first : 0;
    struct tsf_vector all;
    enum tsf_err rc;

    if (n_sel == 0) {
        rc = parquet_nested_skip(c, n, err);
        return rc != TSF_OK ? rc : parquet_nested_read(c, 0, a, out, err);
    }
    if ((rc = parquet_nested_skip(c, first, err)) != TSF_OK)
        return rc;
    if (rows == n_sel) {
        rc = parquet_nested_read(c, rows, a, out, err);
    } else if ((rc = parquet_nested_read(c, rows, a, &all, err)) == TSF_OK) {
        uint32_t *shifted = malloc((size_t)n_sel * 4);
        if (!shifted)
            return tsf_fail_nomem(err);
        for (int64_t i = 0; i < n_sel; i++)
            shifted[i] = (uint32_t)(sel[i] - first);
        rc = tsf_vector_gather(&all, shifted, n_sel, a, out, err);
        free(shifted);
    }
    return rc != TSF_OK ? rc : parquet_nested_skip(c, n - first - rows, err);
}

enum tsf_err parquet_column_read_sel(struct parquet_column *c, int64_t n, const uint32_t *sel, int64_t n_sel,
                                     struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err)
{
    enum tsf_err rc = check_rows(c, n, err);
    if (rc != TSF_OK)
        return rc;
    if (n_sel < 0 || n_sel > n || (n_sel > 0 && sel[n_sel - 1] >= n))
        return tsf_fail(err, TSF_ERR_INVALID, "selection beyond the rows read");
    if (c->flat)
        c->left -= n;
    rc = c->flat ? flat_read_sel(c, n, sel, n_sel, a, out, err) : nested_read_sel(c, n, sel, n_sel, a, out, err);
    return column_prepend(c, rc, err);
}

enum tsf_err parquet_column_dictionary(struct parquet_column *c, const struct tsf_vector **dict_out, struct tsf_error *err)
{
    struct parquet_leaf_reader *l = c->leaves;
    enum tsf_err rc;
    *dict_out = NULL;
    if (!c->flat || !l->chunk->dictionary_only)
        return TSF_OK;
    if ((rc = parquet_leaf_page(l, err)) == TSF_END)
        return TSF_OK;
    if (rc == TSF_OK && l->dict_body && (rc = parquet_leaf_dictionary(l, err)) == TSF_OK)
        *dict_out = &l->dict;
    return column_prepend(c, rc, err);
}
