/*
 * Values to small numbers: what grouping and DISTINCT stand on.
 *
 * An open table of 8-byte slots, hash tag and number side by side, over arrays of values and hashes by number. Work on
 * a column is split in steps over the whole batch (hash, fetch slots, probe), so that cache misses overlap. Dictionary
 * columns are mapped code by code, through a map per dictionary that is filled as codes occur. Sorted columns come
 * in runs, so integers compare with the row before first.
 */
#include "query/query_exec.h"
#include "query/query_kernels.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SMALL_RANGE 8192
#define SMALL_PENDING UINT32_MAX
#define FIRST_SLOTS 1024
#define BIG_SLOTS (1u << 20)
#define HUGE_PAGE (2u << 20)
#define AHEAD 16 /* rows between fetching a slot and probing it */

static int intern_width(const struct tsf_type *t)
{
    switch (t->id) {
    case TSF_TYPE_DECIMAL:
    case TSF_TYPE_UUID:
    case TSF_TYPE_INTERVAL: return 16;
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY:
    case TSF_TYPE_LIST:
    case TSF_TYPE_MAP:
    case TSF_TYPE_STRUCT: return 0;
    default: return 8;
    }
}

static bool type_is_nested(const struct tsf_type *t)
{
    return t->id == TSF_TYPE_LIST || t->id == TSF_TYPE_MAP || t->id == TSF_TYPE_STRUCT;
}

static size_t value_size(const struct query_intern *in)
{
    return in->width == 8 ? 8 : 16;
}

/* Tables grow big and are probed anywhere: huge pages cost fewer faults and fewer misses. */
static void *huge_alloc(size_t bytes)
{
    void *p = NULL;

    if (bytes < HUGE_PAGE)
        return malloc(bytes);
    if (posix_memalign(&p, HUGE_PAGE, bytes) != 0)
        return NULL;
    madvise(p, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return p;
}

void *query_huge_realloc(void *p, size_t used, size_t bytes)
{
    if (bytes < HUGE_PAGE)
        return realloc(p, bytes);
    void *q = huge_alloc(bytes);
    if (!q)
        return NULL;
    if (used)
        memcpy(q, p, used);
    free(p);
    return q;
}

static enum tsf_err values_grow(struct query_intern *in, struct tsf_error *err)
{
    size_t cap = in->cap ? (size_t)in->cap * 2 : FIRST_SLOTS / 2, size = value_size(in);

    if (cap > UINT32_MAX / 2)
        return tsf_fail_nomem(err);
    void *values = query_huge_realloc(in->values, in->cap * size, cap * size + TSF_PAD);
    if (!values)
        return tsf_fail_nomem(err);
    in->values = values;
    uint64_t *hashes = query_huge_realloc(in->hashes, in->cap * sizeof *hashes, cap * sizeof *hashes);
    if (!hashes)
        return tsf_fail_nomem(err);
    in->hashes = hashes;
    in->cap = (uint32_t)cap;
    return TSF_OK;
}

/* Zeroed. */
static uint64_t *slots_new(uint64_t n)
{
    size_t bytes = n * sizeof(uint64_t);

    if (bytes < HUGE_PAGE)
        return calloc(n, sizeof(uint64_t));
    void *p = huge_alloc(bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

static enum tsf_err slots_grow(struct query_intern *in, struct tsf_error *err)
{
    uint64_t n = !in->mask ? FIRST_SLOTS : (in->mask + 1) * (in->mask + 1 < BIG_SLOTS ? 4 : 2);
    uint64_t *slots = slots_new(n);

    if (!slots)
        return tsf_fail_nomem(err);
    for (uint32_t id = 1; id < in->n; id++) {
        uint64_t h = in->hashes[id], at = h & (n - 1);
        if (id + AHEAD < in->n)
            __builtin_prefetch(&slots[in->hashes[id + AHEAD] & (n - 1)], 1);
        while (slots[at])
            at = (at + 1) & (n - 1);
        slots[at] = (h >> 32) << 32 | id;
    }
    free(in->slots);
    in->slots = slots;
    in->mask = n - 1;
    return TSF_OK;
}

enum tsf_err query_intern_init(struct query_intern *in, const struct tsf_type *type, struct tsf_error *err)
{
    enum tsf_err rc;

    *in = (struct query_intern){ .type = type, .width = intern_width(type), .n = 1 };
    if ((rc = values_grow(in, err)) != TSF_OK || (rc = slots_grow(in, err)) != TSF_OK) {
        query_intern_release(in);
        return rc;
    }
    memset(in->values, 0, value_size(in));
    in->hashes[0] = 0;
    return TSF_OK;
}

void query_intern_release(struct query_intern *in)
{
    free(in->slots);
    free(in->hashes);
    free(in->values);
    free(in->small);
    for (int i = 0; i < QUERY_INTERN_MAPS; i++)
        free(in->maps[i].ids);
    tsf_arena_release(&in->bytes);
    *in = (struct query_intern){ 0 };
}

int64_t query_intern_memory(const struct query_intern *in)
{
    int64_t n = (int64_t)((in->mask + 1) * 8 + in->cap * (8 + value_size(in)) + in->bytes.used);

    for (int i = 0; i < QUERY_INTERN_MAPS; i++)
        n += in->maps[i].cap * 4;
    return n;
}

/* ---- probing ---------------------------------------------------------------------------------- */

static inline uint64_t hash_128(const void *p)
{
    uint64_t a, b;

    memcpy(&a, p, 8);
    memcpy(&b, (const char *)p + 8, 8);
    unsigned __int128 m = (unsigned __int128)(a ^ 0xa0761d6478bd642fULL) * (b ^ 0xe7037ed1a0b428dbULL);
    uint64_t h = ((uint64_t)m ^ (uint64_t)(m >> 64)) * 0x9e3779b97f4a7c15ULL;
    return h ^ (h >> 29);
}

static inline uint64_t hash_sview(const struct tsf_sview *v)
{
    return v->len <= TSF_SVIEW_INLINE ? hash_128(v) : tsf_hash(v->u.ref.ptr, v->len, 0);
}

static inline bool value_equal(const struct query_intern *in, uint32_t id, const void *v)
{
    if (in->width == 8) {
        uint64_t x;
        memcpy(&x, v, 8);
        return ((const uint64_t *)in->values)[id] == x;
    }
    if (in->width == 16)
        return memcmp((const char *)in->values + (size_t)id * 16, v, 16) == 0;
    return tsf_sview_eq((const struct tsf_sview *)in->values + id, v);
}

static __attribute__((noinline)) enum tsf_err value_add(struct query_intern *in, const void *v, uint64_t hash, uint32_t *id_out,
                                                        struct tsf_error *err)
{
    enum tsf_err rc;

    if (in->n == in->cap && (rc = values_grow(in, err)) != TSF_OK)
        return rc;
    if (2 * ((uint64_t)in->n + 1) > in->mask && (rc = slots_grow(in, err)) != TSF_OK)
        return rc;
    uint32_t id = in->n;
    if (in->width == 8) {
        memcpy((char *)in->values + (size_t)id * 8, v, 8);
    } else if (in->width == 16) {
        memcpy((char *)in->values + (size_t)id * 16, v, 16);
    } else {
        struct tsf_sview sv = *(const struct tsf_sview *)v;
        if (sv.len > TSF_SVIEW_INLINE) {
            const char *p = tsf_arena_memdup(&in->bytes, sv.u.ref.ptr, sv.len);
            if (!p)
                return tsf_fail_nomem(err);
            sv.u.ref.ptr = p;
        }
        ((struct tsf_sview *)in->values)[id] = sv;
    }
    in->hashes[id] = hash;
    uint64_t at = hash & in->mask;
    while (in->slots[at])
        at = (at + 1) & in->mask;
    in->slots[at] = (hash >> 32) << 32 | id;
    in->n++;
    *id_out = id;
    return TSF_OK;
}

/* v: width bytes, or a string view. */
static inline enum tsf_err value_find(struct query_intern *in, const void *v, uint64_t hash, uint32_t *id_out, struct tsf_error *err)
{
    uint64_t at = hash & in->mask, tag = hash >> 32;

    for (uint64_t s; (s = in->slots[at]) != 0; at = (at + 1) & in->mask) {
        if (s >> 32 == tag && TSF_LIKELY(value_equal(in, (uint32_t)s, v))) {
            *id_out = (uint32_t)s;
            return TSF_OK;
        }
    }
    return value_add(in, v, hash, id_out, err);
}

/* ---- integers ------------------------------------------------------------------------------------ */

static inline int64_t double_key(double d)
{
    int64_t k;

    d = d == 0 ? 0 : isnan(d) ? (double)NAN : d;
    memcpy(&k, &d, 8);
    return k;
}

#define WIDEN(T)                                                                                              \
    for (int64_t i = 0; i < n; i++)                                                                           \
        out[i] = (int64_t)((const T *)values)[i]

/* Values as 8-byte keys, alike when equal. */
static const int64_t *keys_of(const struct tsf_type *t, const void *values, int64_t n, struct tsf_arena *scratch)
{
    if (tsf_type_width(t) == 8 && t->id != TSF_TYPE_DOUBLE)
        return values;
    int64_t *out = tsf_arena_alloc(scratch, (size_t)n * 8 + TSF_PAD);
    if (!out)
        return NULL;
    switch (t->id) {
    case TSF_TYPE_BOOL: WIDEN(uint8_t); break;
    case TSF_TYPE_INT8: WIDEN(int8_t); break;
    case TSF_TYPE_INT16: WIDEN(int16_t); break;
    case TSF_TYPE_INT32:
    case TSF_TYPE_DATE: WIDEN(int32_t); break;
    case TSF_TYPE_FLOAT:
        for (int64_t i = 0; i < n; i++)
            out[i] = double_key((double)((const float *)values)[i]);
        break;
    case TSF_TYPE_DOUBLE:
        for (int64_t i = 0; i < n; i++)
            out[i] = double_key(((const double *)values)[i]);
        break;
    default: memset(out, 0, (size_t)n * 8); break;
    }
    return out;
}

static enum tsf_err key_find(struct query_intern *in, int64_t key, uint32_t *id_out, struct tsf_error *err)
{
    uint64_t at = (uint64_t)key - (uint64_t)in->small_base;
    int64_t wide[2] = { key, 0 };
    enum tsf_err rc;

    if (at < SMALL_RANGE && in->small && in->small[at]) {
        *id_out = in->small[at];
        return TSF_OK;
    }
    if ((rc = value_find(in, wide, tsf_hash_u64((uint64_t)key), id_out, err)) == TSF_OK && at < SMALL_RANGE && in->small)
        in->small[at] = *id_out;
    return rc;
}

static enum tsf_err keys_intern(struct query_intern *in, const struct tsf_vector *v, struct tsf_arena *scratch, uint32_t *ids,
                                struct tsf_error *err)
{
    int64_t n = v->length;
    const int64_t *keys = keys_of(in->type, v->values, n, scratch);
    enum tsf_err rc;

    if (!keys)
        return tsf_fail_nomem(err);
    if (!in->small && n && in->type->id < TSF_TYPE_FLOAT) {
        in->small = calloc(SMALL_RANGE, sizeof *in->small);
        if (!in->small)
            return tsf_fail_nomem(err);
        int64_t base = keys[0];
        in->small_base = base < SMALL_RANGE && base >= 0 ? 0 : (int64_t)((uint64_t)base - SMALL_RANGE / 2);
    }
    const uint32_t *small = in->small;
    int64_t last = 0;
    uint32_t last_id = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t key = keys[i];
        if (TSF_UNLIKELY(v->validity && !tsf_bit_get(v->validity, i))) {
            ids[i] = 0;
            in->null_seen = true;
            continue;
        }
        if (key == last && last_id) {
            ids[i] = last_id;
            continue;
        }
        uint64_t at = (uint64_t)key - (uint64_t)in->small_base;
        uint32_t id = small && at < SMALL_RANGE ? small[at] : 0;
        if (!id && (rc = key_find(in, key, &id, err)) != TSF_OK)
            return rc;
        ids[i] = last_id = id;
        last = key;
    }
    return TSF_OK;
}

/* ---- wide values and strings ------------------------------------------------------------------------ */

/* Numbers of the values at rows[0..n) (NULL: all of 0..n) to ids. */
static enum tsf_err wide_intern(struct query_intern *in, const void *values, const uint32_t *rows, int64_t n, const uint64_t *valid,
                                struct tsf_arena *scratch, uint32_t *ids, struct tsf_error *err)
{
    const char *p = values;
    uint64_t *hashes = tsf_arena_alloc(scratch, (size_t)n * sizeof *hashes + 8);
    enum tsf_err rc;

    if (!hashes)
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        const void *x = p + (size_t)(rows ? rows[i] : i) * 16;
        hashes[i] = in->width ? hash_128(x) : hash_sview(x);
    }
    for (int64_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(&in->slots[hashes[i + AHEAD] & in->mask]);
        if (i + AHEAD / 2 < n)
            __builtin_prefetch((const char *)in->values + (size_t)(uint32_t)in->slots[hashes[i + AHEAD / 2] & in->mask] * 16);
        if (valid && !tsf_bit_get(valid, i)) {
            ids[i] = 0;
            in->null_seen = true;
        } else if ((rc = value_find(in, p + (size_t)(rows ? rows[i] : i) * 16, hashes[i], &ids[i], err)) != TSF_OK) {
            return rc;
        }
    }
    return TSF_OK;
}

/* Nested rows become strings: the bytes of a batch of one row. */
static enum tsf_err nested_intern(struct query_intern *in, const struct tsf_vector *v, struct tsf_arena *scratch, uint32_t *ids,
                                  struct tsf_error *err)
{
    struct tsf_buf buf = TSF_BUF_INIT(0);
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; i < v->length && rc == TSF_OK; i++) {
        struct tsf_vector one, flat;
        struct tsf_batch b = { .length = 1, .n_columns = 1, .columns = &flat };
        if (!tsf_vector_present(v, i)) {
            ids[i] = 0;
            in->null_seen = true;
            continue;
        }
        uint32_t row = (uint32_t)i;
        tsf_buf_reset(&buf);
        if ((rc = tsf_vector_gather(v, &row, 1, scratch, &one, err)) != TSF_OK ||
            (rc = tsf_vector_flatten(&one, scratch, &flat, err)) != TSF_OK || (rc = tsf_batch_encode(&b, &buf, err)) != TSF_OK)
            break;
        struct tsf_sview sv = tsf_sview_make((const char *)buf.data, buf.len);
        rc = value_find(in, &sv, hash_sview(&sv), &ids[i], err);
    }
    tsf_buf_release(&buf);
    return rc;
}

/* ---- dictionaries ------------------------------------------------------------------------------------- */

static enum tsf_err map_get(struct query_intern *in, const struct tsf_vector *v, struct query_intern_map **out, struct tsf_error *err)
{
    for (int i = 0; i < QUERY_INTERN_MAPS; i++) {
        if (in->maps[i].dict_id == v->dict_id && in->maps[i].n >= v->dict->length) {
            *out = &in->maps[i];
            return TSF_OK;
        }
    }
    struct query_intern_map *m = &in->maps[in->next_map++ % QUERY_INTERN_MAPS];
    int64_t n = TSF_MAX(v->dict->length, 1);
    if (m->cap < n) {
        free(m->ids);
        *m = (struct query_intern_map){ 0 };
        m->ids = tsf_malloc_array((size_t)n, sizeof *m->ids);
        if (!m->ids)
            return tsf_fail_nomem(err);
        m->cap = n;
    }
    memset(m->ids, 0, (size_t)n * sizeof *m->ids);
    m->n = n;
    m->dict_id = v->dict_id;
    *out = m;
    return TSF_OK;
}

/* Look up codes[0..n), which were marked as pending in the map. */
static enum tsf_err map_fill(struct query_intern *in, struct query_intern_map *m, const struct tsf_vector *dict, const uint32_t *codes,
                             int64_t n, struct tsf_arena *scratch, struct tsf_error *err)
{
    uint32_t *ids = tsf_arena_alloc(scratch, (size_t)n * sizeof *ids);
    enum tsf_err rc = TSF_OK;

    if (!ids)
        return tsf_fail_nomem(err);
    if (in->width == 8) {
        const int64_t *keys = keys_of(in->type, dict->values, dict->length, scratch);
        if (!keys)
            return tsf_fail_nomem(err);
        for (int64_t i = 0; i < n && rc == TSF_OK; i++)
            rc = key_find(in, keys[codes[i]], &ids[i], err);
    } else {
        rc = wide_intern(in, dict->values, codes, n, NULL, scratch, ids, err);
    }
    for (int64_t i = 0; i < n && rc == TSF_OK; i++)
        m->ids[codes[i]] = ids[i];
    if (rc != TSF_OK)
        m->dict_id = 0; /* still has pending entries */
    return rc;
}

static enum tsf_err dict_intern(struct query_intern *in, const struct tsf_vector *v, struct tsf_arena *scratch, uint32_t *ids,
                                struct tsf_error *err)
{
    struct query_intern_map *m = NULL;
    const int32_t *codes = v->values;
    uint32_t *fresh = NULL;
    int64_t n = v->length, n_fresh = 0;
    enum tsf_err rc;

    if ((rc = map_get(in, v, &m, err)) != TSF_OK)
        return rc;
    uint32_t *map = m->ids;
    const uint64_t *valid = v->validity && v->null_count != 0 ? v->validity : NULL;
    if (valid && tsf_vector_null_count(v) > 0)
        in->null_seen = true;
    else
        valid = NULL;
    if (!query_kernels()->map_codes(map, codes, valid, n, ids))
        return TSF_OK;
    fresh = tsf_arena_alloc(scratch, (size_t)TSF_MIN(n, v->dict->length) * sizeof *fresh + 4);
    if (!fresh)
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        if (!map[codes[i]] && tsf_vector_present(v, i)) {
            map[codes[i]] = SMALL_PENDING;
            fresh[n_fresh++] = (uint32_t)codes[i];
        }
    }
    if ((rc = map_fill(in, m, v->dict, fresh, n_fresh, scratch, err)) != TSF_OK)
        return rc;
    query_kernels()->map_codes(map, codes, valid, n, ids);
    return TSF_OK;
}

enum tsf_err query_intern_vector(struct query_intern *in, const struct tsf_vector *v, struct tsf_arena *scratch, uint32_t *ids_out,
                                 bool *constant_out, struct tsf_error *err)
{
    enum tsf_err rc;

    if (constant_out)
        *constant_out = false;
    if (!v->length)
        return TSF_OK;
    if (v->shape == TSF_CONSTANT || v->type->id == TSF_TYPE_NULL) {
        struct tsf_vector one = *v;
        one.length = 1;
        one.shape = TSF_FLAT;
        if (v->type->id == TSF_TYPE_NULL || !tsf_vector_present(v, 0)) {
            ids_out[0] = 0;
            in->null_seen = true;
        } else if ((rc = query_intern_vector(in, &one, scratch, ids_out, NULL, err)) != TSF_OK) {
            return rc;
        }
        if (constant_out)
            *constant_out = true;
        else
            for (int64_t i = 1; i < v->length; i++)
                ids_out[i] = ids_out[0];
        return TSF_OK;
    }
    if (type_is_nested(in->type))
        return nested_intern(in, v, scratch, ids_out, err);
    if (v->shape == TSF_DICTIONARY)
        return dict_intern(in, v, scratch, ids_out, err);
    if (in->width == 8)
        return keys_intern(in, v, scratch, ids_out, err);
    return wide_intern(in, v->values, NULL, v->length, v->null_count == 0 ? NULL : v->validity, scratch, ids_out, err);
}

enum tsf_err query_intern_merge(struct query_intern *in, const struct query_intern *from, uint32_t *map_out, struct tsf_error *err)
{
    size_t size = value_size(from);
    enum tsf_err rc;

    map_out[0] = 0;
    in->null_seen |= from->null_seen;
    for (uint32_t id = 1; id < from->n; id++) {
        if (id + AHEAD < from->n)
            __builtin_prefetch(&in->slots[from->hashes[id + AHEAD] & in->mask]);
        if ((rc = value_find(in, (const char *)from->values + size * id, from->hashes[id], &map_out[id], err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

/* ---- back to values ------------------------------------------------------------------------------------- */

static enum tsf_err nested_values(const struct query_intern *in, const uint32_t *ids, int64_t n, struct tsf_arena *a,
                                  struct tsf_vector *out, struct tsf_error *err)
{
    struct tsf_builder b;
    enum tsf_err rc;

    if ((rc = tsf_builder_init(&b, in->type, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < n && rc == TSF_OK; i++) {
        struct tsf_batch one;
        if (!ids[i]) {
            rc = tsf_builder_null(&b, err);
            continue;
        }
        struct tsf_str s = tsf_sview_str((const struct tsf_sview *)in->values + ids[i]);
        if ((rc = tsf_batch_decode(s.data, s.len, a, &one, err)) == TSF_OK)
            rc = tsf_builder_append(&b, &one.columns[0], 0, NULL, 1, err);
    }
    struct tsf_vector v;
    if (rc == TSF_OK && (rc = tsf_builder_vector(&b, a, &v, err)) == TSF_OK)
        rc = tsf_vector_copy(&v, a, out, err);
    tsf_builder_release(&b);
    return rc;
}

#define NARROW(T)                                                                                             \
    for (int64_t i = 0; i < n; i++)                                                                           \
        ((T *)values)[i] = (T)keys[ids[i]]

static void keys_back(const struct tsf_type *t, const int64_t *keys, const uint32_t *ids, int64_t n, void *values)
{
    switch (tsf_type_width(t)) {
    case 1: NARROW(int8_t); break;
    case 2: NARROW(int16_t); break;
    case 4:
        if (t->id != TSF_TYPE_FLOAT) {
            NARROW(int32_t);
            break;
        }
        for (int64_t i = 0; i < n; i++) {
            double d;
            memcpy(&d, &keys[ids[i]], 8);
            ((float *)values)[i] = (float)d;
        }
        break;
    case 8: NARROW(int64_t); break;
    default: break;
    }
}

enum tsf_err query_intern_values(const struct query_intern *in, const uint32_t *ids, int64_t n, struct tsf_arena *a,
                                 struct tsf_vector *out, struct tsf_error *err)
{
    enum tsf_err rc;
    void *values;
    uint64_t *valid = NULL;

    if (type_is_nested(in->type))
        return nested_values(in, ids, n, a, out, err);
    if ((rc = tsf_vector_alloc(in->type, n, a, out, &values, err)) != TSF_OK)
        return rc;
    if (in->width == 8)
        keys_back(in->type, in->values, ids, n, values);
    else
        for (int64_t i = 0; i < n; i++)
            memcpy((char *)values + (size_t)i * 16, (const char *)in->values + (size_t)ids[i] * 16, 16);
    if (in->null_seen) {
        if (!(valid = tsf_arena_calloc(a, tsf_bit_words(n) + 1, 8)))
            return tsf_fail_nomem(err);
        for (int64_t i = 0; i < n; i++)
            valid[i >> 6] |= (uint64_t)(ids[i] != 0) << (i & 63);
        tsf_vector_set_validity(out, valid);
    }
    return TSF_OK;
}

/* ---- pairs ------------------------------------------------------------------------------------------------- */

void query_pairs_release(struct query_pairs *p)
{
    free(p->slots);
    free(p->keys);
    *p = (struct query_pairs){ 0 };
}

static enum tsf_err pairs_grow(struct query_pairs *p, struct tsf_error *err)
{
    uint64_t n = p->slots ? (p->mask + 1) * 2 : FIRST_SLOTS;

    if (n > (uint64_t)UINT32_MAX)
        return tsf_fail_nomem(err);
    uint64_t *keys = query_huge_realloc(p->keys, p->cap * sizeof *keys, n / 2 * sizeof *keys);
    if (!keys)
        return tsf_fail_nomem(err);
    p->keys = keys;
    uint32_t *slots = calloc(n, sizeof *slots);
    if (!slots)
        return tsf_fail_nomem(err);
    for (uint32_t id = 0; id < p->n; id++) {
        uint64_t at = tsf_hash_u64(keys[id]) & (n - 1);
        while (slots[at])
            at = (at + 1) & (n - 1);
        slots[at] = id + 1;
    }
    free(p->slots);
    p->slots = slots;
    p->mask = n - 1;
    p->cap = (uint32_t)(n / 2);
    return TSF_OK;
}

enum tsf_err query_pairs_vector(struct query_pairs *p, const uint32_t *a, const uint32_t *b, int64_t n, uint32_t *ids_out,
                                struct tsf_error *err)
{
    uint64_t last = 0;
    uint32_t last_id = 0; /* id + 1 */
    enum tsf_err rc;

    for (int64_t i = 0; i < n; i++) {
        uint64_t key = (uint64_t)a[i] << 32 | b[i];
        if (key == last && last_id) {
            ids_out[i] = last_id - 1;
            continue;
        }
        if (p->n == p->cap && (rc = pairs_grow(p, err)) != TSF_OK)
            return rc;
        uint64_t at = tsf_hash_u64(key) & p->mask;
        while (p->slots[at] && p->keys[p->slots[at] - 1] != key)
            at = (at + 1) & p->mask;
        if (!p->slots[at]) {
            p->keys[p->n] = key;
            p->slots[at] = ++p->n;
        }
        last = key;
        last_id = p->slots[at];
        ids_out[i] = last_id - 1;
    }
    return TSF_OK;
}
