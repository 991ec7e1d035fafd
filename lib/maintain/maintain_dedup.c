/*
 * Dedup keys across the chunks of a flush. Chunks go from the newest to the oldest, and the keys that were written are
 * remembered as 128-bit hashes, so a row of an older chunk whose key came again does not get in. The memory is bounded: when
 * it is full, the newest keys are the ones that it has.
 */
#include "maintain/maintain_internal.h"

#include <stdlib.h>

struct key {
    uint64_t a, b; /* both 0: empty slot */
};
struct maintain_seen {
    struct key *keys;
    size_t n, size, max;
};

enum tsf_err maintain_seen_new(int64_t bytes, struct maintain_seen **out, struct tsf_error *err)
{
    struct maintain_seen *s = calloc(1, sizeof *s);

    if (!s)
        return tsf_fail_nomem(err);
    s->max = 1024;
    while (s->max * 2 * sizeof *s->keys <= (size_t)TSF_MAX(bytes, 0))
        s->max *= 2;
    *out = s;
    return TSF_OK;
}

void maintain_seen_free(struct maintain_seen *s)
{
    if (!s)
        return;
    free(s->keys);
    free(s);
}

static struct key *slot(struct key *keys, size_t size, const struct key *k)
{
    size_t at = k->a & (size - 1);

    while ((keys[at].a || keys[at].b) && (keys[at].a != k->a || keys[at].b != k->b))
        at = (at + 1) & (size - 1);
    return &keys[at];
}

/* Room for one more key; false when there is none or may be none. */
static bool seen_room(struct maintain_seen *s)
{
    if (s->n * 2 < s->size)
        return true;
    size_t size = s->size ? s->size * 2 : 1024;
    struct key *keys = size <= s->max ? calloc(size, sizeof *keys) : NULL;
    if (!keys)
        return false;
    for (size_t i = 0; i < s->size; i++)
        if (s->keys[i].a || s->keys[i].b)
            *slot(keys, size, &s->keys[i]) = s->keys[i];
    free(s->keys);
    s->keys = keys;
    s->size = size;
    return true;
}

/* Mix a column into the keys of all rows. NULLs are equal to each other and to nothing else. */
static enum tsf_err mix_column(const struct tsf_vector *v, struct key *keys, struct tsf_arena *a, struct tsf_error *err)
{
    bool string = tsf_type_is_string(v->type);
    size_t width = string ? 0 : (size_t)tsf_type_width(v->type);
    struct tsf_vector flat;
    enum tsf_err rc;

    if ((rc = tsf_vector_flatten(v, a, &flat, err)) != TSF_OK)
        return rc;
    const uint8_t *values = flat.values;
    for (int64_t i = 0; i < v->length; i++) {
        const void *p = values + (size_t)i * width;
        size_t n = width;
        if (flat.validity && !tsf_bit_get(flat.validity, i)) {
            p = "NULL of a key";
            n = 13;
        } else if (string) {
            const struct tsf_sview *s = &((const struct tsf_sview *)flat.values)[i];
            p = tsf_sview_data(s);
            n = s->len;
        }
        keys[i].a = tsf_hash(p, n, keys[i].a + 1);
        keys[i].b = tsf_hash(p, n, keys[i].b ^ 0x9e3779b97f4a7c15u);
    }
    return TSF_OK;
}

static enum tsf_err row_keys(const struct table *t, const struct tsf_batch *b, struct tsf_arena *a, struct key **out, struct tsf_error *err)
{
    struct key *keys = tsf_arena_calloc(a, (size_t)b->length + 1, sizeof *keys);
    enum tsf_err rc = TSF_OK;

    if (!keys)
        return tsf_fail_nomem(err);
    for (int k = 0; rc == TSF_OK && k < t->props.n_dedup; k++)
        rc = mix_column(&b->columns[t->props.dedup[k]], keys, a, err);
    for (int k = 0; rc == TSF_OK && k < t->n_partition; k++)
        rc = mix_column(&b->columns[t->partition_fields[k]], keys, a, err);
    *out = keys;
    return rc;
}

enum tsf_err maintain_seen_drop(struct maintain_seen *s, const struct table *t, const struct tsf_batch *b, uint32_t *perm, int64_t *n,
                                struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct key *keys = NULL;
    int64_t kept = 0;
    enum tsf_err rc;

    if ((rc = row_keys(t, b, &a, &keys, err)) != TSF_OK)
        goto done;
    for (int64_t i = 0; i < *n; i++) {
        struct key *k = &keys[perm[i]], *at = s->size ? slot(s->keys, s->size, k) : NULL;
        if (at && (at->a || at->b))
            continue;
        if (seen_room(s)) {
            *slot(s->keys, s->size, k) = *k;
            s->n++;
        }
        perm[kept++] = perm[i];
    }
    *n = kept;
done:
    tsf_arena_release(&a);
    return rc;
}
