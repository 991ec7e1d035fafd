/*
 * Lists, maps and structs from repetition and definition levels.
 *
 * For the rows of one read, each leaf gathers its levels and its values without nulls. An entry (a pair of levels) begins
 * an instance of a node, a "slot", when
 *
 *     rep <= R   R: repeated ancestors of the node, and
 *     def >= D   D: definition level at which the innermost repeated ancestor's element exists (0: none, a row)
 *
 * and the instance is not null when def >= node's own level. Among the entries of a list (R, D), its elements are
 * those with rep <= R + 1 and def >= elem_def. A group takes its shape from its first leaf; the others must agree on the
 * number of slots.
 */
#include <stdlib.h>

#include "parquet/parquet_read_internal.h"

#define ENTRIES_MAX ((int64_t)1 << 31)

struct parquet_levels {
    struct tsf_buf def, rep, dense;
    int64_t n, n_dense;
};

void parquet_nested_release(struct parquet_column *c)
{
    for (int i = 0; c->levels && i < c->n_leaves; i++) {
        tsf_buf_release(&c->levels[i].def);
        tsf_buf_release(&c->levels[i].rep);
        tsf_buf_release(&c->levels[i].dense);
    }
    free(c->levels);
    c->levels = NULL;
}

static enum tsf_err levels_ready(struct parquet_column *c, struct tsf_error *err)
{
    if (c->levels)
        return TSF_OK;
    if (!(c->levels = calloc((size_t)c->n_leaves + 1, sizeof *c->levels)))
        return tsf_fail_nomem(err);
    for (int i = 0; i < c->n_leaves; i++) {
        tsf_buf_init(&c->levels[i].def, (size_t)ENTRIES_MAX + TSF_PAD);
        tsf_buf_init(&c->levels[i].rep, (size_t)ENTRIES_MAX + TSF_PAD);
        tsf_buf_init(&c->levels[i].dense, (size_t)ENTRIES_MAX * 16 + TSF_PAD);
    }
    return TSF_OK;
}

/* ---- gathering ------------------------------------------------------------------------------------------------------ */

static int64_t count_equal(const uint8_t *p, int64_t n, int v)
{
    int64_t total = 0;
    for (int64_t i = 0; i < n; i++)
        total += p[i] == v;
    return total;
}

/* Entries [page_at, page_at + m) of the page: levels and values into lev, or pass over them (lev NULL). */
static enum tsf_err take_entries(struct parquet_leaf_reader *l, int64_t m, struct parquet_levels *lev, struct tsf_arena *a,
                                 struct tsf_error *err)
{
    const uint8_t *def = l->defs + l->page_at, *rep = l->reps + l->page_at;
    const int64_t present = count_equal(def, m, l->node->max_def);
    const size_t width = (size_t)l->conv.dst_width;
    enum tsf_err rc;

    l->page_at += m;
    if (!lev)
        return parquet_values_skip(&l->values, present, err);
    if (lev->n + m > ENTRIES_MAX)
        return tsf_fail(err, TSF_ERR_NOMEM, "too many list elements in one read");
    if ((rc = tsf_buf_append(&lev->def, def, (size_t)m, err)) != TSF_OK ||
        (rc = tsf_buf_append(&lev->rep, rep, (size_t)m, err)) != TSF_OK ||
        (rc = tsf_buf_reserve(&lev->dense, (size_t)present * width + TSF_PAD, err)) != TSF_OK ||
        (rc = parquet_leaf_read(l, present, NULL, present, lev->dense.data + lev->dense.len, a, err)) != TSF_OK)
        return rc;
    lev->dense.len += (size_t)present * width;
    lev->n += m;
    lev->n_dense += present;
    return TSF_OK;
}

/*
 * Entries of n rows. A row ends where the next begins, so this looks ahead, if need be into the next page. last: these
 * are the last rows of the chunk, nothing may follow.
 */
static enum tsf_err leaf_rows(struct parquet_leaf_reader *l, int64_t n, bool last, struct parquet_levels *lev,
                              struct tsf_arena *a, struct tsf_error *err)
{
    int64_t begun = 0;
    enum tsf_err rc;
    for (;;) {
        if ((rc = parquet_leaf_page(l, err)) == TSF_END)
            break;
        if (rc != TSF_OK || (rc = parquet_leaf_load(l, err)) != TSF_OK)
            return rc;
        const uint8_t *rep = l->reps;
        int64_t e = l->page_at;
        if (begun == 0 && rep[e] != 0)
            return tsf_fail(err, TSF_ERR_FORMAT, "a row begins with repetition level %d", rep[e]);
        if (l->node->max_rep == 0) {
            int64_t m = TSF_MIN(n - begun, l->page_n - e);
            e += m;
            begun += m;
        } else {
            while (e < l->page_n) {
                if (rep[e] == 0) {
                    if (begun == n)
                        break;
                    begun++;
                }
                e++;
            }
        }
        const bool next_row = e < l->page_n;
        if ((rc = take_entries(l, e - l->page_at, lev, a, err)) != TSF_OK)
            return rc;
        if (next_row || (l->node->max_rep == 0 && begun == n)) {
            if (last && next_row)
                return tsf_fail(err, TSF_ERR_FORMAT, "the column chunk has more rows than its row group");
            return TSF_OK;
        }
    }
    return begun == n ? TSF_OK : tsf_fail(err, TSF_ERR_FORMAT, "the column chunk has fewer rows than its row group");
}

/* ---- assembling -------------------------------------------------------------------------------------------------------- */

struct assembly {
    struct parquet_column *c;
    struct tsf_arena *a;
    struct tsf_error *err;
    int next_leaf;
};

/* Bits of a validity bitmap, one after another. */
struct bit_writer {
    uint64_t *words, acc;
    int64_t n, nulls;
};

static inline void bit_push(struct bit_writer *b, bool v)
{
    b->acc |= (uint64_t)v << (b->n & 63);
    b->nulls += !v;
    if ((++b->n & 63) == 0) {
        b->words[(b->n >> 6) - 1] = b->acc;
        b->acc = 0;
    }
}

static bool bit_begin(struct bit_writer *b, struct tsf_arena *a, int64_t n_max)
{
    *b = (struct bit_writer){ .words = tsf_arena_alloc(a, tsf_bit_words(n_max) * 8 + TSF_PAD) };
    return b->words != NULL;
}

static void bit_end(struct bit_writer *b, struct tsf_vector *out)
{
    size_t used = (size_t)b->n >> 6;
    b->words[used] = b->acc;
    out->null_count = b->nulls;
    out->validity = b->nulls ? b->words : NULL;
}

static int64_t count_slots(const struct parquet_levels *lev, int rep, int def)
{
    const uint8_t *r = lev->rep.data, *d = lev->def.data;
    int64_t n = 0;
    for (int64_t i = 0; i < lev->n; i++)
        n += (r[i] <= rep) & (d[i] >= def);
    return n;
}

static enum tsf_err build_leaf(struct assembly *s, const struct parquet_plan *p, int def, int64_t slots, struct tsf_vector *out)
{
    const int leaf = s->next_leaf++;
    const struct parquet_levels *lev = &s->c->levels[leaf];
    const int width = s->c->leaves[leaf].conv.dst_width, max_def = s->c->leaves[leaf].node->max_def;
    struct bit_writer bits;
    void *values;
    enum tsf_err rc;

    if ((rc = tsf_vector_alloc(p->type, slots, s->a, out, &values, s->err)) != TSF_OK)
        return rc;
    if (lev->n_dense)
        memcpy(values, lev->dense.data, (size_t)lev->n_dense * (size_t)width);
    out->null_count = 0;
    if (lev->n_dense == slots)
        return TSF_OK;
    if (!bit_begin(&bits, s->a, slots))
        return tsf_fail_nomem(s->err);
    const uint8_t *d = lev->def.data;
    for (int64_t i = 0; i < lev->n; i++)
        if (d[i] >= def)
            bit_push(&bits, d[i] == max_def);
    bit_end(&bits, out);
    parquet_kernels()->expand(values, width, bits.words, 0, slots, lev->n_dense);
    return TSF_OK;
}

static enum tsf_err build(struct assembly *s, const struct parquet_plan *p, int rep, int def, struct tsf_vector *out);

static enum tsf_err build_children(struct assembly *s, const struct parquet_plan *p, int rep, int def, int64_t length,
                                   struct tsf_vector *out)
{
    struct tsf_vector *kids = tsf_arena_calloc(s->a, (size_t)p->n_children, sizeof *kids);
    if (!kids)
        return tsf_fail_nomem(s->err);
    for (int i = 0; i < p->n_children; i++) {
        enum tsf_err rc = build(s, &p->children[i], rep, def, &kids[i]);
        if (rc != TSF_OK)
            return rc;
        if (kids[i].length != length)
            return tsf_fail(s->err, TSF_ERR_FORMAT, "columns of one group disagree: %lld and %lld entries",
                            (long long)kids[i].length, (long long)length);
    }
    out->children = kids;
    return TSF_OK;
}

static enum tsf_err build_struct(struct assembly *s, const struct parquet_plan *p, int rep, int def, int64_t slots,
                                 struct tsf_vector *out)
{
    const struct parquet_levels *lev = &s->c->levels[s->next_leaf];
    *out = (struct tsf_vector){ .type = p->type, .shape = TSF_FLAT, .length = slots };
    if (p->def > def) {
        struct bit_writer bits;
        const uint8_t *r = lev->rep.data, *d = lev->def.data;
        if (!bit_begin(&bits, s->a, slots))
            return tsf_fail_nomem(s->err);
        for (int64_t i = 0; i < lev->n; i++)
            if (r[i] <= rep && d[i] >= def)
                bit_push(&bits, d[i] >= p->def);
        bit_end(&bits, out);
    }
    return build_children(s, p, rep, def, slots, out);
}

static enum tsf_err build_list(struct assembly *s, const struct parquet_plan *p, int rep, int def, int64_t slots,
                               struct tsf_vector *out)
{
    const struct parquet_levels *lev = &s->c->levels[s->next_leaf];
    const uint8_t *r = lev->rep.data, *d = lev->def.data;
    struct bit_writer bits;
    int64_t slot = 0, elements = 0;
    void *values;
    enum tsf_err rc;

    if ((rc = tsf_vector_alloc(p->type, slots, s->a, out, &values, s->err)) != TSF_OK)
        return rc;
    if (!bit_begin(&bits, s->a, slots))
        return tsf_fail_nomem(s->err);
    int32_t *offsets = values;
    for (int64_t i = 0; i < lev->n; i++) {
        if (r[i] <= rep && d[i] >= def) {
            offsets[slot++] = (int32_t)elements;
            bit_push(&bits, d[i] >= p->def);
        }
        elements += (r[i] <= rep + 1) & (d[i] >= p->elem_def);
        if (elements > INT32_MAX)
            return tsf_fail(s->err, TSF_ERR_NOMEM, "too many list elements in one read");
    }
    offsets[slot] = (int32_t)elements;
    bit_end(&bits, out);
    return build_children(s, p, rep + 1, p->elem_def, elements, out);
}

static enum tsf_err build(struct assembly *s, const struct parquet_plan *p, int rep, int def, struct tsf_vector *out)
{
    const int64_t slots = count_slots(&s->c->levels[s->next_leaf], rep, def);
    switch (p->shape) {
    case PARQUET_SHAPE_LEAF: return build_leaf(s, p, def, slots, out);
    case PARQUET_SHAPE_STRUCT: return build_struct(s, p, rep, def, slots, out);
    default: return build_list(s, p, rep, def, slots, out);
    }
}

enum tsf_err parquet_nested_read(struct parquet_column *c, int64_t n, struct tsf_arena *a, struct tsf_vector *out,
                                 struct tsf_error *err)
{
    struct assembly s = { .c = c, .a = a, .err = err };
    enum tsf_err rc = levels_ready(c, err);
    if (rc != TSF_OK)
        return rc;
    c->left -= n;
    for (int i = 0; i < c->n_leaves; i++) {
        struct parquet_levels *lev = &c->levels[i];
        tsf_buf_reset(&lev->def);
        tsf_buf_reset(&lev->rep);
        tsf_buf_reset(&lev->dense);
        lev->n = lev->n_dense = 0;
        if (n > 0 && (rc = leaf_rows(&c->leaves[i], n, c->left == 0, lev, a, err)) != TSF_OK)
            return rc;
    }
    if ((rc = build(&s, &c->plan, 0, 0, out)) != TSF_OK)
        return rc;
    if (out->length != n)
        return tsf_fail(err, TSF_ERR_FORMAT, "%lld rows where there should be %lld", (long long)out->length, (long long)n);
    return TSF_OK;
}

enum tsf_err parquet_nested_skip(struct parquet_column *c, int64_t n, struct tsf_error *err)
{
    c->left -= n;
    for (int i = 0; n > 0 && i < c->n_leaves; i++) {
        enum tsf_err rc = leaf_rows(&c->leaves[i], n, c->left == 0, NULL, NULL, err);
        if (rc != TSF_OK)
            return rc;
    }
    return TSF_OK;
}
