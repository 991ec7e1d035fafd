/* Which partition a row belongs to. */
#include "table/table_internal.h"

#include <stdlib.h>

/* ---- derived columns ----------------------------------------------------------------------------------------- */

static int32_t day_of(int64_t us)
{
    int64_t d = us / TSF_US_PER_DAY;

    if (us % TSF_US_PER_DAY < 0)
        d--;
    return d < INT32_MIN ? INT32_MIN : d > INT32_MAX ? INT32_MAX : (int32_t)d;
}

/* Delta writes a NULL partition value as an empty text: an empty one would turn into NULL with the flush, so it does at once. */
static enum tsf_err empty_to_null(struct tsf_vector *v, struct tsf_arena *a, struct tsf_error *err)
{
    const struct tsf_sview *s = tsf_vector_flat_values(v);
    int64_t n = v->shape == TSF_DICTIONARY ? v->dict->length : v->shape == TSF_CONSTANT ? 1 : v->length, k = 0;
    struct tsf_vector flat;
    enum tsf_err rc;

    while (s && k < n && s[k].len)
        k++;
    if (!s || k == n)
        return TSF_OK;
    if ((rc = tsf_vector_flatten(v, a, &flat, err)) != TSF_OK)
        return rc;
    uint64_t *valid = tsf_arena_calloc(a, tsf_bit_words(flat.length) + 1, sizeof *valid);
    if (!valid)
        return tsf_fail_nomem(err);
    s = flat.values;
    for (int64_t i = 0; i < flat.length; i++)
        if (s[i].len && tsf_vector_present(&flat, i))
            tsf_bit_set(valid, i);
    flat.validity = valid;
    flat.null_count = -1;
    *v = flat;
    return TSF_OK;
}

enum tsf_err table_derive(const struct table *t, struct tsf_batch *b, struct tsf_arena *a, struct tsf_error *err)
{
    int df = t->props.date_field, tf = t->props.time_field;
    struct tsf_vector *date = df >= 0 ? &b->columns[df] : NULL, flat, time;
    enum tsf_err rc;
    void *values;

    for (int i = 0; i < t->n_partition; i++) {
        struct tsf_vector *v = &b->columns[t->partition_fields[i]];
        if (v->type->id == TSF_TYPE_STRING && (rc = empty_to_null(v, a, err)) != TSF_OK)
            return rc;
    }
    if (!date || tsf_vector_null_count(date) == 0)
        return TSF_OK;
    if ((rc = tsf_vector_flatten(&b->columns[tf], a, &time, err)) != TSF_OK ||
        (rc = tsf_vector_flatten(date, a, &flat, err)) != TSF_OK)
        return rc;
    struct tsf_vector out;
    if ((rc = tsf_vector_alloc(TSF_T(DATE), b->length, a, &out, &values, err)) != TSF_OK)
        return rc;
    const int32_t *old = flat.values;
    const int64_t *us = time.values;
    int32_t *days = values;
    for (int64_t i = 0; i < b->length; i++)
        days[i] = flat.validity && !tsf_bit_get(flat.validity, i) ? day_of(us[i]) : old[i];
    /* NULL only where the time is too: such a row has no day. */
    if (flat.validity && time.validity) {
        size_t words = tsf_bit_words(b->length);
        uint64_t *valid = tsf_arena_calloc(a, words, sizeof *valid);
        if (!valid)
            return tsf_fail_nomem(err);
        for (size_t w = 0; w < words; w++)
            valid[w] = flat.validity[w] | time.validity[w];
        out.validity = valid;
        out.null_count = -1;
    } else {
        out.validity = NULL;
        out.null_count = 0;
    }
    *date = out;
    return TSF_OK;
}

/* ---- splitting ------------------------------------------------------------------------------------------------- */

struct groups {
    const struct table *t;
    const struct tsf_batch *b;
    uint32_t *table; /* open addressing: group number + 1 */
    size_t mask;
    int64_t *first;  /* a row of each group */
    uint64_t *hash;
    int64_t n;
    size_t cap, cap_hash;
};

static bool same_partition(const struct groups *g, int64_t i, int64_t j)
{
    for (int k = 0; k < g->t->n_partition; k++) {
        const struct tsf_vector *v = &g->b->columns[g->t->partition_fields[k]];
        if (!tsf_vector_rows_equal(v, i, v, j))
            return false;
    }
    return true;
}

static enum tsf_err groups_rehash(struct groups *g, size_t size, struct tsf_error *err)
{
    uint32_t *table = calloc(size, sizeof *table);

    if (!table)
        return tsf_fail_nomem(err);
    free(g->table);
    g->table = table;
    g->mask = size - 1;
    for (int64_t i = 0; i < g->n; i++) {
        size_t at = g->hash[i] & g->mask;
        while (table[at])
            at = (at + 1) & g->mask;
        table[at] = (uint32_t)i + 1;
    }
    return TSF_OK;
}

static enum tsf_err group_of(struct groups *g, int64_t row, uint64_t hash, uint32_t *out, struct tsf_error *err)
{
    size_t at = hash & g->mask;

    for (; g->table[at]; at = (at + 1) & g->mask) {
        uint32_t k = g->table[at] - 1;
        if (g->hash[k] == hash && same_partition(g, g->first[k], row)) {
            *out = k;
            return TSF_OK;
        }
    }
    if (!tsf_realloc_array((void **)&g->first, &g->cap, (size_t)g->n + 1, sizeof *g->first) ||
        !tsf_realloc_array((void **)&g->hash, &g->cap_hash, (size_t)g->n + 1, sizeof *g->hash))
        return tsf_fail_nomem(err);
    g->first[g->n] = row;
    g->hash[g->n] = hash;
    *out = (uint32_t)g->n;
    g->table[at] = (uint32_t)++g->n;
    return (size_t)g->n * 2 > g->mask ? groups_rehash(g, (g->mask + 1) * 2, err) : TSF_OK;
}

/* Rows of one partition mostly come together, so the last group is tried before the hash table. */
static enum tsf_err assign(struct groups *g, const uint64_t *hash, uint32_t *group, struct tsf_error *err)
{
    uint64_t last_hash = 0;
    uint32_t last = 0;
    enum tsf_err rc;

    for (int64_t i = 0; i < g->b->length; i++) {
        if (!(i && hash[i] == last_hash && same_partition(g, g->first[last], i))) {
            if ((rc = group_of(g, i, hash[i], &last, err)) != TSF_OK)
                return rc;
            last_hash = hash[i];
        }
        group[i] = last;
    }
    return TSF_OK;
}

enum tsf_err table_partition_split(const struct table *t, const struct tsf_batch *b, struct tsf_arena *a, struct table_groups *out,
                                   struct tsf_error *err)
{
    struct groups g = { .t = t, .b = b };
    size_t n = (size_t)b->length;
    uint64_t *hash = tsf_arena_calloc(a, n + 1, sizeof *hash);
    uint32_t *group = tsf_arena_calloc(a, n + 1, sizeof *group);
    uint32_t *order = tsf_arena_calloc(a, n + 1, sizeof *order);
    enum tsf_err rc;

    if (b->length > UINT32_MAX)
        return tsf_fail(err, TSF_ERR_INVALID, "batch of %lld rows is too large to split", (long long)b->length);
    if (!hash || !group || !order)
        return tsf_fail_nomem(err);
    for (int k = 0; k < t->n_partition; k++)
        if ((rc = tsf_hash_vector(&b->columns[t->partition_fields[k]], NULL, b->length, k > 0, hash, a, err)) != TSF_OK)
            goto done;
    if ((rc = groups_rehash(&g, 64, err)) != TSF_OK || (rc = assign(&g, hash, group, err)) != TSF_OK)
        goto done;
    int64_t *starts = tsf_arena_calloc(a, (size_t)g.n + 2, sizeof *starts);
    if (!starts) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        starts[group[i] + 2]++;
    for (int64_t k = 0; k < g.n; k++)
        starts[k + 2] += starts[k + 1];
    for (size_t i = 0; i < n; i++)
        order[starts[group[i] + 1]++] = (uint32_t)i;
    *out = (struct table_groups){ .n_groups = g.n, .order = order, .starts = starts };
done:
    free(g.table);
    free(g.first);
    free(g.hash);
    return rc;
}
