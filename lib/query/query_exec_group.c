/* Groups: tuples of keys to numbers. See query_exec.h. */
#include "query/query_exec.h"

#include <stdlib.h>

#define DENSE_BITS 20 /* at most 4 MiB of uint32_t, which L2 and L3 still like */

enum tsf_err query_groups_init(struct query_groups *g, const struct query_expr *const *keys, int n_keys, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    size_t n = (size_t)n_keys + 1;

    *g = (struct query_groups){ 0 };
    g->keys = calloc(n, sizeof *g->keys);
    g->ids = calloc(n, sizeof *g->ids);
    g->bits = calloc(n, sizeof *g->bits);
    g->pairs = calloc(n, sizeof *g->pairs);
    if (!g->keys || !g->ids || !g->bits || !g->pairs)
        rc = tsf_fail_nomem(err);
    for (; g->n_keys < n_keys && rc == TSF_OK; g->n_keys++)
        rc = query_intern_init(&g->keys[g->n_keys], keys[g->n_keys]->type, err);
    if (rc != TSF_OK)
        query_groups_release(g);
    else if (n_keys == 1)
        g->n = g->keys[0].n;
    return rc;
}

void query_groups_release(struct query_groups *g)
{
    for (int k = 0; k < g->n_keys; k++) {
        query_intern_release(&g->keys[k]);
        free(g->ids[k]);
        query_pairs_release(&g->pairs[k]);
    }
    free(g->keys);
    free(g->ids);
    free(g->bits);
    free(g->pairs);
    free(g->dense);
    *g = (struct query_groups){ 0 };
}

int64_t query_groups_memory(const struct query_groups *g)
{
    int64_t n = (int64_t)g->cap * 4 * g->n_keys + (g->dense ? 4 << DENSE_BITS : 0);

    for (int k = 0; k < g->n_keys; k++)
        n += query_intern_memory(&g->keys[k]) + (g->pairs[k].slots ? (int64_t)(g->pairs[k].mask + 1) * 8 : 0);
    return n;
}

static enum tsf_err groups_reserve(struct query_groups *g, int64_t more, struct tsf_error *err)
{
    uint64_t want = (uint64_t)g->n + (uint64_t)more, cap = g->cap ? g->cap : 256;

    if (want <= g->cap)
        return TSF_OK;
    while (cap < want)
        cap *= 2;
    if (cap > UINT32_MAX / 2)
        return tsf_fail_nomem(err);
    for (int k = 0; k < g->n_keys; k++) {
        uint32_t *p = realloc(g->ids[k], cap * sizeof *p);
        if (!p)
            return tsf_fail_nomem(err);
        g->ids[k] = p;
    }
    g->cap = (uint32_t)cap;
    return TSF_OK;
}

static int bits_for(uint32_t n)
{
    return n <= 2 ? 1 : 32 - __builtin_clz(n - 1);
}

/* Put the groups that are there into chained pairs, whose numbers come out the same. */
static enum tsf_err groups_hash(struct query_groups *g, struct tsf_error *err)
{
    uint32_t *ids = malloc(((size_t)g->n + 1) * sizeof *ids);
    enum tsf_err rc = TSF_OK;

    if (!ids)
        return tsf_fail_nomem(err);
    free(g->dense);
    g->dense = NULL;
    g->hashed = true;
    if (g->n)
        memcpy(ids, g->ids[0], g->n * sizeof *ids);
    for (int k = 1; k < g->n_keys && rc == TSF_OK; k++)
        rc = query_pairs_vector(&g->pairs[k - 1], ids, g->ids[k], g->n, ids, err);
    free(ids);
    return rc;
}

/* Lay the array out for the numbers that the keys have now, with some room. */
static enum tsf_err groups_layout(struct query_groups *g, struct tsf_error *err)
{
    int bits = 0, tight = 0;

    for (int k = 0; k < g->n_keys; k++) {
        g->bits[k] = bits_for(g->keys[k].n) + 1;
        bits += g->bits[k];
    }
    tight = bits - g->n_keys;
    if (tight > DENSE_BITS)
        return groups_hash(g, err);
    for (int k = 0; bits > DENSE_BITS; k++, bits--)
        g->bits[k]--;
    free(g->dense);
    g->dense = calloc((size_t)1 << bits, sizeof *g->dense);
    if (!g->dense)
        return tsf_fail_nomem(err);
    for (uint32_t i = 0; i < g->n; i++) {
        uint32_t at = 0;
        for (int k = 0; k < g->n_keys; k++)
            at = at << g->bits[k] | g->ids[k][i];
        g->dense[at] = i + 1;
    }
    return TSF_OK;
}

static bool groups_fit(const struct query_groups *g)
{
    for (int k = 0; k < g->n_keys; k++)
        if (g->keys[k].n > 1u << g->bits[k])
            return false;
    return true;
}

static enum tsf_err groups_dense(struct query_groups *g, uint32_t *const *ids, int64_t n, uint32_t *out, struct tsf_error *err)
{
    int first = g->n_keys - 1;
    enum tsf_err rc;

    memcpy(out, ids[0], (size_t)n * sizeof *out);
    for (int k = 1; k <= first; k++) {
        const uint32_t *x = ids[k];
        int bits = g->bits[k];
        for (int64_t i = 0; i < n; i++)
            out[i] = out[i] << bits | x[i];
    }
    for (int64_t i = 0; i < n; i++) {
        uint32_t group = g->dense[out[i]];
        if (TSF_UNLIKELY(!group)) {
            if (g->n == g->cap && (rc = groups_reserve(g, 1, err)) != TSF_OK)
                return rc;
            for (int k = 0; k < g->n_keys; k++)
                g->ids[k][g->n] = ids[k][i];
            group = g->dense[out[i]] = ++g->n;
        }
        out[i] = group - 1;
    }
    return TSF_OK;
}

static enum tsf_err groups_chain(struct query_groups *g, uint32_t *const *ids, int64_t n, uint32_t *out, struct tsf_error *err)
{
    enum tsf_err rc;

    memcpy(out, ids[0], (size_t)n * sizeof *out);
    for (int k = 1; k < g->n_keys; k++)
        if ((rc = query_pairs_vector(&g->pairs[k - 1], out, ids[k], n, out, err)) != TSF_OK)
            return rc;
    uint32_t seen = g->pairs[g->n_keys - 2].n;
    if (seen == g->n)
        return TSF_OK;
    if ((rc = groups_reserve(g, seen - g->n, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < n; i++) {
        if (out[i] == g->n) { /* numbers come in order of appearance */
            for (int k = 0; k < g->n_keys; k++)
                g->ids[k][g->n] = ids[k][i];
            g->n++;
        }
    }
    return TSF_OK;
}

static enum tsf_err groups_of_ids(struct query_groups *g, uint32_t *const *ids, int64_t n, uint32_t *out, struct tsf_error *err)
{
    enum tsf_err rc;

    if (!g->hashed && (!g->dense || !groups_fit(g)) && (rc = groups_layout(g, err)) != TSF_OK)
        return rc;
    return g->hashed ? groups_chain(g, ids, n, out, err) : groups_dense(g, ids, n, out, err);
}

enum tsf_err query_groups_batch(struct query_groups *g, const struct tsf_vector *keys, int64_t n, struct tsf_arena *scratch,
                                uint32_t *groups_out, bool *single_out, struct tsf_error *err)
{
    enum tsf_err rc;
    bool all = true;

    if (g->n_keys == 1) {
        if ((rc = query_intern_vector(&g->keys[0], &keys[0], scratch, groups_out, single_out, err)) == TSF_OK)
            g->n = g->keys[0].n;
        return rc;
    }
    uint32_t **ids = tsf_arena_alloc(scratch, (size_t)g->n_keys * sizeof *ids);
    bool *constant = tsf_arena_alloc(scratch, (size_t)g->n_keys * sizeof *constant);
    if (!ids || !constant)
        return tsf_fail_nomem(err);
    for (int k = 0; k < g->n_keys; k++) {
        if (!(ids[k] = tsf_arena_alloc(scratch, (size_t)n * sizeof **ids + TSF_PAD)))
            return tsf_fail_nomem(err);
        if ((rc = query_intern_vector(&g->keys[k], &keys[k], scratch, ids[k], &constant[k], err)) != TSF_OK)
            return rc;
        all &= constant[k];
    }
    *single_out = all && n > 0;
    for (int k = 0; k < g->n_keys && !all; k++)
        if (constant[k])
            for (int64_t i = 1; i < n; i++)
                ids[k][i] = ids[k][0];
    return groups_of_ids(g, ids, *single_out ? 1 : n, groups_out, err);
}

enum tsf_err query_groups_merge(struct query_groups *g, const struct query_groups *from, uint32_t *map_out, struct tsf_arena *scratch,
                                struct tsf_error *err)
{
    enum tsf_err rc;

    if (g->n_keys == 1) {
        if ((rc = query_intern_merge(&g->keys[0], &from->keys[0], map_out, err)) == TSF_OK)
            g->n = g->keys[0].n;
        return rc;
    }
    uint32_t **ids = tsf_arena_alloc(scratch, (size_t)g->n_keys * sizeof *ids);
    if (!ids)
        return tsf_fail_nomem(err);
    for (int k = 0; k < g->n_keys; k++) {
        uint32_t *map = tsf_arena_alloc(scratch, from->keys[k].n * sizeof *map);
        if (!map || !(ids[k] = tsf_arena_alloc(scratch, from->n * sizeof **ids + TSF_PAD)))
            return tsf_fail_nomem(err);
        if ((rc = query_intern_merge(&g->keys[k], &from->keys[k], map, err)) != TSF_OK)
            return rc;
        for (uint32_t i = 0; i < from->n; i++)
            ids[k][i] = map[from->ids[k][i]];
    }
    return groups_of_ids(g, ids, from->n, map_out, err);
}

enum tsf_err query_groups_keys(const struct query_groups *g, uint32_t first, uint32_t n, struct tsf_arena *a, struct tsf_vector *out,
                               struct tsf_error *err)
{
    enum tsf_err rc;

    if (g->n_keys == 1) {
        uint32_t *ids = tsf_arena_alloc(a, (size_t)n * sizeof *ids + 4);
        if (!ids)
            return tsf_fail_nomem(err);
        for (uint32_t i = 0; i < n; i++)
            ids[i] = i + first;
        return query_intern_values(&g->keys[0], ids, n, a, &out[0], err);
    }
    for (int k = 0; k < g->n_keys; k++)
        if ((rc = query_intern_values(&g->keys[k], g->ids[k] + first, n, a, &out[k], err)) != TSF_OK)
            return rc;
    return TSF_OK;
}
