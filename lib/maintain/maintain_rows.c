/* Batches -> one batch -> order -> writer. Flush and compaction share it. */
#include "maintain/maintain_internal.h"

#include <stdatomic.h>
#include <stdlib.h>

#define WRITE_SLICE (64 << 10)     /* rows gathered at once */
#define DICT_UNITE_MAX (1 << 20)   /* entries of a united dictionary */

enum tsf_err maintain_rows_add(struct maintain_rows *r, const struct tsf_batch *b, struct tsf_error *err)
{
    if (b->length == 0)
        return TSF_OK;
    if (r->n_rows + b->length > UINT32_MAX / 2)
        return tsf_fail(err, TSF_ERR_NOMEM, "more than %u rows at once", UINT32_MAX / 2);
    if (!tsf_realloc_array((void **)&r->batches, &r->cap_batches, r->n_batches + 1, sizeof *r->batches))
        return tsf_fail_nomem(err);
    r->batches[r->n_batches++] = *b;
    r->n_rows += b->length;
    return TSF_OK;
}

void maintain_rows_reset(struct maintain_rows *r)
{
    for (int c = 0; r->arenas && c < r->t->schema->n_fields; c++)
        tsf_arena_release(&r->arenas[c]);
    r->n_batches = 0;
    r->n_rows = 0;
}

void maintain_rows_release(struct maintain_rows *r)
{
    maintain_rows_reset(r);
    free(r->arenas);
    free(r->batches);
    r->arenas = NULL;
    r->batches = NULL;
    r->cap_batches = 0;
}

/* ---- uniting one column ----------------------------------------------------------------------------------------- */

struct unite {
    struct maintain_rows *rows;
    struct tsf_vector *out;
};

static bool all_constant_equal(const struct maintain_rows *r, int c)
{
    const struct tsf_vector *first = &r->batches[0].columns[c];

    for (size_t i = 0; i < r->n_batches; i++) {
        const struct tsf_vector *v = &r->batches[i].columns[c];
        if (v->shape != TSF_CONSTANT || !tsf_vector_rows_equal(first, 0, v, 0))
            return false;
    }
    return true;
}

static enum tsf_err unite_validity(const struct maintain_rows *r, int c, struct tsf_arena *a, struct tsf_vector *out,
                                   struct tsf_error *err)
{
    uint64_t *valid = NULL;
    int64_t at = 0;

    for (size_t i = 0; i < r->n_batches; i++) {
        const struct tsf_vector *v = &r->batches[i].columns[c];
        if (v->validity) {
            if (!valid) {
                if (!(valid = tsf_arena_alloc(a, tsf_bit_words(r->n_rows) * 8 + TSF_PAD)))
                    return tsf_fail_nomem(err);
                tsf_bits_fill(valid, 0, r->n_rows, true);
            }
            if (v->shape == TSF_CONSTANT)
                tsf_bits_fill(valid, at, v->length, tsf_bit_get(v->validity, 0));
            else
                tsf_bits_copy(valid, at, v->validity, 0, v->length);
        }
        at += v->length;
    }
    out->validity = valid;
    out->null_count = valid ? -1 : 0;
    return TSF_OK;
}

static void spread(const struct tsf_vector *v, int width, uint8_t *dst)
{
    const uint8_t *src = tsf_vector_flat_values(v);

    if (v->shape == TSF_FLAT) {
        memcpy(dst, src, (size_t)v->length * (size_t)width);
        return;
    }
    if (v->shape == TSF_DICTIONARY && v->dict->length == 0) { /* all NULL */
        memset(dst, 0, (size_t)v->length * (size_t)width);
        return;
    }
    for (int64_t i = 0; i < v->length; i++)
        memcpy(dst + i * width, src + tsf_vector_at(v, i) * width, (size_t)width);
}

static enum tsf_err unite_flat(const struct maintain_rows *r, int c, struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err)
{
    const struct tsf_type *t = r->t->schema->fields[c].type;
    int width = tsf_type_width(t);
    enum tsf_err rc;
    void *values;

    if ((rc = tsf_vector_alloc(t, r->n_rows, a, out, &values, err)) != TSF_OK)
        return rc;
    uint8_t *dst = values;
    for (size_t i = 0; i < r->n_batches; i++) {
        const struct tsf_vector *v = &r->batches[i].columns[c];
        spread(v, width, dst);
        dst += (size_t)v->length * (size_t)width;
    }
    return unite_validity(r, c, a, out, err);
}

/* ---- uniting dictionaries of strings ------------------------------------------------------------------------------- */

struct dict_union {
    uint32_t *table; /* code + 1 */
    size_t mask, n, cap;
    struct tsf_sview *entries;
};

static uint64_t sview_hash(const struct tsf_sview *v)
{
    return tsf_hash(tsf_sview_data(v), v->len, 0);
}

static bool dict_grow(struct dict_union *d, size_t size)
{
    uint32_t *table = calloc(size, sizeof *table);

    if (!table)
        return false;
    free(d->table);
    d->table = table;
    d->mask = size - 1;
    for (size_t i = 0; i < d->n; i++) {
        size_t at = sview_hash(&d->entries[i]) & d->mask;
        while (table[at])
            at = (at + 1) & d->mask;
        table[at] = (uint32_t)i + 1;
    }
    return true;
}

/* Code of a string, new ones added; -1 without memory. */
static int64_t dict_code(struct dict_union *d, const struct tsf_sview *v)
{
    if ((d->n + 1) * 2 > d->mask && !dict_grow(d, d->mask ? (d->mask + 1) * 2 : 256))
        return -1;
    size_t at = sview_hash(v) & d->mask;
    for (; d->table[at]; at = (at + 1) & d->mask)
        if (tsf_sview_eq(&d->entries[d->table[at] - 1], v))
            return d->table[at] - 1;
    if (!tsf_realloc_array((void **)&d->entries, &d->cap, d->n + 1, sizeof *d->entries))
        return -1;
    d->entries[d->n] = *v;
    d->table[at] = (uint32_t)++d->n;
    return (int64_t)d->n - 1;
}

/* Worth it when dictionaries are small against the rows; a CONSTANT is a dictionary of one. */
static bool dictionaries_unite(const struct maintain_rows *r, int c)
{
    int64_t entries = 0;
    uint64_t last = 0;

    if (!tsf_type_is_string(r->t->schema->fields[c].type))
        return false;
    for (size_t i = 0; i < r->n_batches; i++) {
        const struct tsf_vector *v = &r->batches[i].columns[c];
        if (v->shape == TSF_CONSTANT) {
            entries++;
        } else if (v->shape == TSF_DICTIONARY) {
            if (v->dict_id != last)
                entries += v->dict->length;
            last = v->dict_id;
        } else {
            return false;
        }
    }
    return entries < DICT_UNITE_MAX && entries < r->n_rows / 4 + 16;
}

static enum tsf_err unite_dictionaries(const struct maintain_rows *r, int c, struct tsf_arena *a, struct tsf_vector *out,
                                       struct tsf_error *err)
{
    static _Atomic uint64_t next_id = 1;
    struct dict_union d = { 0 };
    struct tsf_vector *dict = tsf_arena_calloc(a, 1, sizeof *dict);
    int32_t *map = NULL, *codes;
    size_t cap_map = 0;
    uint64_t last = 0;
    enum tsf_err rc;
    void *values;

    if (!dict)
        return tsf_fail_nomem(err);
    if ((rc = tsf_vector_alloc(TSF_T(INT32), r->n_rows, a, out, &values, err)) != TSF_OK)
        return rc;
    codes = values;
    for (size_t i = 0; i < r->n_batches; i++) {
        const struct tsf_vector *v = &r->batches[i].columns[c];
        const struct tsf_vector *from = v->shape == TSF_CONSTANT ? v : v->dict;
        int64_t n = v->shape == TSF_CONSTANT ? tsf_vector_present(v, 0) : from->length;
        if (v->shape == TSF_CONSTANT || v->dict_id != last || i == 0) {
            if (!tsf_realloc_array((void **)&map, &cap_map, (size_t)n + 1, sizeof *map)) {
                rc = tsf_fail_nomem(err);
                goto done;
            }
            map[0] = 0;
            for (int64_t k = 0; k < n; k++) {
                int64_t code = dict_code(&d, &((const struct tsf_sview *)from->values)[k]);
                if (code < 0) {
                    rc = tsf_fail_nomem(err);
                    goto done;
                }
                map[k] = (int32_t)code;
            }
            last = v->shape == TSF_CONSTANT ? 0 : v->dict_id;
        }
        for (int64_t k = 0; k < v->length; k++)
            codes[k] = map[tsf_vector_at(v, k)];
        codes += v->length;
    }
    void *entries;
    if ((rc = tsf_vector_alloc(r->t->schema->fields[c].type, (int64_t)d.n, a, dict, &entries, err)) != TSF_OK)
        goto done;
    if (d.n)
        memcpy(entries, d.entries, d.n * sizeof *d.entries);
    out->type = r->t->schema->fields[c].type;
    out->shape = TSF_DICTIONARY;
    out->dict = dict;
    /* Ids of readers count up from 1; these have the top bit, so they never meet. */
    out->dict_id = (1ULL << 63) | atomic_fetch_add(&next_id, 1);
    rc = unite_validity(r, c, a, out, err);
    if (rc == TSF_OK && out->validity) /* the contract: NULL rows have code 0 */
        for (int64_t k = 0; k < r->n_rows; k++)
            if (!tsf_bit_get(out->validity, k))
                ((int32_t *)values)[k] = 0;
done:
    free(map);
    free(d.table);
    free(d.entries);
    return rc;
}

static enum tsf_err unite_column(void *ctx, int64_t c, int worker, struct tsf_error *err)
{
    struct unite *u = ctx;
    const struct maintain_rows *r = u->rows;
    struct tsf_arena *a = &r->arenas[c];

    (void)worker;
    if (r->n_batches == 1) {
        u->out[c] = r->batches[0].columns[c];
        return TSF_OK;
    }
    if (all_constant_equal(r, (int)c)) {
        u->out[c] = r->batches[0].columns[c];
        u->out[c].length = r->n_rows;
        u->out[c].null_count = tsf_vector_present(&u->out[c], 0) ? 0 : r->n_rows;
        return TSF_OK;
    }
    if (r->t->schema->fields[c].type->n_children) {
        const struct tsf_vector **list = tsf_malloc_array(r->n_batches, sizeof *list);
        if (!list)
            return tsf_fail_nomem(err);
        for (size_t i = 0; i < r->n_batches; i++)
            list[i] = &r->batches[i].columns[c];
        enum tsf_err rc = tsf_vector_concat(list, (int)r->n_batches, a, &u->out[c], err);
        free(list);
        return rc;
    }
    return dictionaries_unite(r, (int)c) ? unite_dictionaries(r, (int)c, a, &u->out[c], err)
                                         : unite_flat(r, (int)c, a, &u->out[c], err);
}

enum tsf_err maintain_rows_unite(struct maintain_rows *r, struct tsf_arena *a, struct tsf_batch *out, struct tsf_error *err)
{
    int n = r->t->schema->n_fields;
    struct unite u = { .rows = r };

    u.out = tsf_arena_calloc(a, (size_t)n + 1, sizeof *u.out);
    if (!r->arenas)
        r->arenas = calloc((size_t)n + 1, sizeof *r->arenas);
    if (!u.out || !r->arenas)
        return tsf_fail_nomem(err);
    enum tsf_err rc = tsf_parallel_for(r->pool, n, unite_column, &u, err);
    if (rc == TSF_OK)
        *out = (struct tsf_batch){ .length = r->n_rows, .n_columns = n, .columns = u.out };
    return rc;
}

/* ---- order ------------------------------------------------------------------------------------------------------------ */

enum tsf_err maintain_rows_order(const struct maintain_rows *r, const struct tsf_batch *b, struct tsf_arena *a, uint32_t **perm_out,
                                 struct tsf_error *err)
{
    const struct table_props *p = &r->t->props;
    struct tsf_sort_key *keys = tsf_arena_calloc(a, (size_t)p->n_sort + 1, sizeof *keys);

    if (!keys)
        return tsf_fail_nomem(err);
    if (!p->n_sort) {
        uint32_t *perm = tsf_arena_alloc(a, sizeof *perm * (size_t)(b->length + 1));
        if (!perm)
            return tsf_fail_nomem(err);
        for (int64_t i = 0; i < b->length; i++)
            perm[i] = (uint32_t)i;
        *perm_out = perm;
        return TSF_OK;
    }
    for (int k = 0; k < p->n_sort; k++)
        keys[k] = (struct tsf_sort_key){ .column = p->sort[k].field, .descending = p->sort[k].descending,
                                         .nulls_first = p->sort[k].nulls_first };
    return tsf_sort(b, keys, p->n_sort, r->pool, a, perm_out, err);
}

static bool same_keys(const struct table *t, const struct tsf_batch *b, int64_t i, int64_t j)
{
    for (int k = 0; k < t->props.n_dedup; k++) {
        const struct tsf_vector *v = &b->columns[t->props.dedup[k]];
        if (!tsf_vector_rows_equal(v, i, v, j))
            return false;
    }
    for (int k = 0; k < t->n_partition; k++) {
        const struct tsf_vector *v = &b->columns[t->partition_fields[k]];
        if (!tsf_vector_rows_equal(v, i, v, j))
            return false;
    }
    return true;
}

enum tsf_err maintain_rows_dedup(const struct table *t, const struct tsf_batch *b, uint32_t *perm, int64_t *n, struct tsf_arena *a,
                                 struct tsf_error *err)
{
    size_t rows = (size_t)b->length, size = 1;
    enum tsf_err rc;

    if (!t->props.n_dedup || !rows)
        return TSF_OK;
    while (size < rows * 2)
        size *= 2;
    uint64_t *hash = tsf_arena_alloc(a, sizeof *hash * (rows + 1));
    uint32_t *table = tsf_arena_calloc(a, size, sizeof *table);
    uint64_t *dead = tsf_arena_calloc(a, tsf_bit_words((int64_t)rows) + 1, sizeof *dead);
    if (!hash || !table || !dead)
        return tsf_fail_nomem(err);
    for (int k = 0; k < t->props.n_dedup; k++)
        if ((rc = tsf_hash_vector(&b->columns[t->props.dedup[k]], NULL, b->length, k > 0, hash, a, err)) != TSF_OK)
            return rc;
    int64_t n_dead = 0;
    for (size_t i = 0; i < rows; i++) {
        size_t at = hash[i] & (size - 1);
        for (; table[at]; at = (at + 1) & (size - 1)) {
            uint32_t j = table[at] - 1;
            if (hash[j] == hash[i] && same_keys(t, b, (int64_t)i, j)) {
                tsf_bit_set(dead, j); /* rows are in WAL order: the later one wins */
                n_dead++;
                break;
            }
        }
        table[at] = (uint32_t)i + 1;
    }
    if (!n_dead)
        return TSF_OK;
    int64_t kept = 0;
    for (int64_t i = 0; i < *n; i++)
        if (!tsf_bit_get(dead, perm[i]))
            perm[kept++] = perm[i];
    *n = kept;
    return TSF_OK;
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

struct gather {
    const struct tsf_batch *b;
    const uint32_t *perm;
    int64_t n;
    struct tsf_arena *arenas;
    struct tsf_vector *out;
};

static enum tsf_err gather_column(void *ctx, int64_t c, int worker, struct tsf_error *err)
{
    struct gather *g = ctx;

    (void)worker;
    tsf_arena_reset(&g->arenas[c]);
    return tsf_vector_gather(&g->b->columns[c], g->perm, g->n, &g->arenas[c], &g->out[c], err);
}

enum tsf_err maintain_rows_write(const struct tsf_batch *b, const uint32_t *perm, int64_t n, struct table_writer *w,
                                 struct tsf_pool *pool, struct tsf_error *err)
{
    struct gather g = { .b = b };
    enum tsf_err rc = TSF_OK;

    g.arenas = calloc((size_t)b->n_columns + 1, sizeof *g.arenas);
    g.out = calloc((size_t)b->n_columns + 1, sizeof *g.out);
    if (!g.arenas || !g.out) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    for (int64_t at = 0; at < n; at += WRITE_SLICE) {
        g.perm = perm + at;
        g.n = TSF_MIN(n - at, WRITE_SLICE);
        if ((rc = tsf_parallel_for(pool, b->n_columns, gather_column, &g, err)) != TSF_OK)
            goto done;
        struct tsf_batch slice = { .length = g.n, .n_columns = b->n_columns, .columns = g.out };
        if ((rc = table_writer_write(w, &slice, err)) != TSF_OK || (rc = tsf_cancel_check(err)) != TSF_OK)
            goto done;
    }
done:
    for (int c = 0; g.arenas && c < b->n_columns; c++)
        tsf_arena_release(&g.arenas[c]);
    free(g.arenas);
    free(g.out);
    return rc;
}
