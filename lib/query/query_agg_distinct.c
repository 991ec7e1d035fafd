/*
 * count(DISTINCT x), exactly and about.
 *
 * Exact: a set per group, open addressing, keys of 8 bytes (numbers, times) or 16 (decimals, string views). About:
 * HyperLogLog with 2^14 registers (0.8% typical error); a group starts with the plain list of its hashes, which is
 * exact and small, and changes over when that outgrows the registers.
 *
 * Dictionaries. Without groups only entries not seen before matter: a byte per entry of the current dictionary (by
 * dict_id) says which were. With groups each entry is hashed once, and while groups times entries are not too many, a bit
 * for each pair says whether it was counted. All that lives at the state that is first in memory.
 */
#include "query/query_agg_internal.h"

/* ---- what is kept of a dictionary ------------------------------------------------------------------------------- */

struct entries {
    uint64_t dict_id;
    int64_t n, cap;
    uint64_t *hashes;
    uint8_t *seen;
    bool hashed;
    uint64_t *pairs;     /* bit group * n + entry */
    int64_t pair_words, pair_cap;
};
#define PAIRS_MAX (1LL << 24)

static uint64_t mix128(const void *p)
{
    uint64_t a, b;
    memcpy(&a, p, 8), memcpy(&b, (const char *)p + 8, 8);
    return tsf_hash_u64(a * 0x9e3779b97f4a7c15ULL ^ tsf_hash_u64(b + 0x632be59bd9b4e019ULL));
}

static uint64_t view_hash(const struct tsf_sview *v)
{
    return v->len > TSF_SVIEW_INLINE ? tsf_hash(v->u.ref.ptr, v->len, 0) : mix128(v);
}

static enum tsf_err entries_get(struct entries **slot, const struct tsf_vector *v, struct tsf_arena *mem, struct entries **out,
                                struct tsf_error *err)
{
    struct entries *e = *slot;
    int64_t n = v->dict->length;

    if (!e && !(e = *slot = tsf_arena_calloc(mem, 1, sizeof *e)))
        return tsf_fail_nomem(err);
    if (e->dict_id != v->dict_id || !v->dict_id || e->n != n) {
        if (n > e->cap) {
            e->cap = n * 2;
            e->hashes = tsf_arena_alloc(mem, 8 * (size_t)e->cap);
            e->seen = tsf_arena_alloc(mem, (size_t)e->cap);
            if (!e->hashes || !e->seen) {
                e->cap = 0;
                return tsf_fail_nomem(err);
            }
        }
        memset(e->seen, 0, (size_t)n);
        e->hashed = false;
        e->pair_words = 0;
        e->dict_id = v->dict_id;
    }
    e->n = n;
    *out = e;
    return TSF_OK;
}

/* Room in pairs for the groups of these rows; false when they are too many, or memory is out. */
static bool pairs_cover(struct entries *e, const uint32_t *groups, int64_t n, struct tsf_arena *mem)
{
    uint32_t top = 0;
    int64_t words;

    for (int64_t i = 0; i < n; i++)
        top = TSF_MAX(top, groups[i]);
    if (((int64_t)top + 1) * e->n > PAIRS_MAX)
        return false;
    words = (int64_t)tsf_bit_words(((int64_t)top + 1) * e->n) + 1;
    if (words > e->pair_cap) {
        int64_t cap = TSF_MIN(words * 2, PAIRS_MAX / 64 + 1);
        uint64_t *more = tsf_arena_alloc(mem, 8 * (size_t)cap);
        if (!more)
            return false;
        if (e->pair_words)
            memcpy(more, e->pairs, 8 * (size_t)e->pair_words);
        e->pairs = more;
        e->pair_cap = cap;
    }
    if (words > e->pair_words) {
        memset(e->pairs + e->pair_words, 0, 8 * (size_t)(words - e->pair_words));
        e->pair_words = words;
    }
    return true;
}

/* True the first time. */
static inline bool pair_new(struct entries *e, uint32_t group, int32_t code)
{
    int64_t at = (int64_t)group * e->n + code;
    uint64_t bit = 1ULL << (at & 63), *w = &e->pairs[at >> 6];
    bool fresh = !(*w & bit);
    *w |= bit;
    return fresh;
}

/* ---- keys ------------------------------------------------------------------------------------------------------------ */

enum key_kind { KEY_8, KEY_16, KEY_VIEW };

static enum key_kind key_kind(const struct tsf_type *t)
{
    return tsf_type_is_string(t) ? KEY_VIEW : tsf_type_width(t) == 16 ? KEY_16 : KEY_8;
}

/* Equal values, equal keys: -0.0 is 0.0, every NaN the same, an interval its length. */
static uint64_t key8(const struct tsf_type *t, const void *values, int64_t i)
{
    switch (t->id) {
    case TSF_TYPE_FLOAT: {
        float x = ((const float *)values)[i];
        uint32_t u;
        x = x == 0 ? 0 : x;
        memcpy(&u, &x, 4);
        return x != x ? 0x7fc00000U : u;
    }
    case TSF_TYPE_DOUBLE: {
        double x = ((const double *)values)[i];
        uint64_t u;
        x = x == 0 ? 0 : x;
        memcpy(&u, &x, 8);
        return x != x ? 0x7ff8000000000000ULL : u;
    }
    default: break;
    }
    switch (tsf_type_width(t)) {
    case 1: return ((const uint8_t *)values)[i];
    case 2: return ((const uint16_t *)values)[i];
    case 4: return ((const uint32_t *)values)[i];
    default: return ((const uint64_t *)values)[i];
    }
}

static struct tsf_sview key16(const struct tsf_type *t, const void *values, int64_t i)
{
    struct tsf_sview key;

    if (t->id == TSF_TYPE_INTERVAL) {
        const struct tsf_interval *x = (const struct tsf_interval *)values + i;
        tsf_int128 span = ((tsf_int128)x->months * 30 + x->days) * TSF_US_PER_DAY + x->us;
        memcpy(&key, &span, 16);
        return key;
    }
    memcpy(&key, (const char *)values + 16 * i, 16);
    return key;
}

static uint64_t value_hash(const struct tsf_type *t, const void *values, int64_t i)
{
    struct tsf_sview k;

    switch (key_kind(t)) {
    case KEY_8: return tsf_hash_u64(key8(t, values, i) + 0x9e3779b97f4a7c15ULL);
    case KEY_16: k = key16(t, values, i); return mix128(&k);
    default: return view_hash((const struct tsf_sview *)values + i);
    }
}

static void entries_hash(struct entries *e, const struct tsf_vector *dict)
{
    if (e->hashed)
        return;
    for (int64_t i = 0; i < e->n; i++)
        e->hashes[i] = value_hash(dict->type, dict->values, i);
    e->hashed = true;
}

/* ---- exact -------------------------------------------------------------------------------------------------------------- */

struct set {
    int64_t n;
    uint64_t cap;            /* power of two, 0 before the first */
    void *keys;              /* uint64_t, or tsf_sview */
    uint8_t *full;
    struct entries *entries;
};

static enum tsf_err set_grow(struct set *s, bool wide, bool views, struct tsf_arena *mem, struct tsf_error *err)
{
    struct set old = *s;
    size_t width = wide ? 16 : 8;

    s->cap = old.cap ? old.cap * 2 : 8;
    s->keys = tsf_arena_alloc(mem, s->cap * width);
    s->full = tsf_arena_calloc(mem, s->cap, 1);
    if (!s->keys || !s->full) {
        *s = old;
        return tsf_fail_nomem(err);
    }
    for (uint64_t i = 0; i < old.cap; i++) {
        const char *key = (const char *)old.keys + i * width;
        uint64_t h, k;
        if (!old.full[i])
            continue;
        memcpy(&k, key, 8);
        h = !wide ? tsf_hash_u64(k + 0x9e3779b97f4a7c15ULL) : views ? view_hash((const struct tsf_sview *)key) : mix128(key);
        for (h &= s->cap - 1; s->full[h]; h = (h + 1) & (s->cap - 1))
            ;
        s->full[h] = 1;
        memcpy((char *)s->keys + h * width, key, width);
    }
    return TSF_OK;
}

static inline enum tsf_err set_add8(struct set *s, uint64_t key, uint64_t h, struct tsf_arena *mem, struct tsf_error *err)
{
    uint64_t *keys;

    if (TSF_UNLIKELY((uint64_t)s->n * 2 >= s->cap)) {
        enum tsf_err rc = set_grow(s, false, false, mem, err);
        if (rc != TSF_OK)
            return rc;
    }
    keys = s->keys;
    for (h &= s->cap - 1; s->full[h]; h = (h + 1) & (s->cap - 1))
        if (keys[h] == key)
            return TSF_OK;
    s->full[h] = 1;
    keys[h] = key;
    s->n++;
    return TSF_OK;
}

/* copy: bytes of long strings go to mem. */
static enum tsf_err set_add16(struct set *s, const struct tsf_sview *key, bool views, bool copy, uint64_t h, struct tsf_arena *mem,
                              struct tsf_error *err)
{
    struct tsf_sview *keys;

    if (TSF_UNLIKELY((uint64_t)s->n * 2 >= s->cap)) {
        enum tsf_err rc = set_grow(s, true, views, mem, err);
        if (rc != TSF_OK)
            return rc;
    }
    keys = s->keys;
    for (h &= s->cap - 1; s->full[h]; h = (h + 1) & (s->cap - 1))
        if (views ? tsf_sview_eq(&keys[h], key) : memcmp(&keys[h], key, 16) == 0)
            return TSF_OK;
    keys[h] = *key;
    if (views && copy && key->len > TSF_SVIEW_INLINE) {
        char *p = tsf_arena_memdup(mem, key->u.ref.ptr, key->len);
        if (!p)
            return tsf_fail_nomem(err);
        keys[h] = tsf_sview_make(p, key->len);
    }
    s->full[h] = 1;
    s->n++;
    return TSF_OK;
}

static enum tsf_err set_add(struct set *s, const struct tsf_type *t, const void *values, int64_t i, const uint64_t *hash,
                            struct tsf_arena *mem, struct tsf_error *err)
{
    struct tsf_sview k;
    uint64_t x;

    switch (key_kind(t)) {
    case KEY_8:
        x = key8(t, values, i);
        return set_add8(s, x, tsf_hash_u64(x + 0x9e3779b97f4a7c15ULL), mem, err);
    case KEY_16:
        k = key16(t, values, i);
        return set_add16(s, &k, false, false, mix128(&k), mem, err);
    default:
        return set_add16(s, (const struct tsf_sview *)values + i, true, true,
                         hash ? *hash : view_hash((const struct tsf_sview *)values + i), mem, err);
    }
}

#define ROWS_EACH(r, i)                                                                                                \
    for (int64_t w_ = 0; w_ < ((r)->n + 63) / 64; w_++)                                                                \
        for (uint64_t bits_ = (r)->mask ? (r)->mask[w_] : w_ == (r)->n / 64 ? (1ULL << ((r)->n & 63)) - 1 : UINT64_MAX,\
                      i; bits_ && ((i = (uint64_t)w_ * 64 + (uint64_t)__builtin_ctzll(bits_)), true); bits_ &= bits_ - 1)

/* Mark the entries of the rows; *fresh_out gets those not marked before (room for as many entries as there are rows). */
static int64_t entries_fresh(struct entries *e, const struct query_agg_rows *r, int32_t *fresh)
{
    int64_t m = 0;

    ROWS_EACH(r, i) {
        int32_t code = r->codes[i];
        if (!e->seen[code]) {
            e->seen[code] = 1;
            fresh[m++] = code;
        }
    }
    return m;
}

static enum tsf_err distinct_dictionary(const struct query_agg_rows *r, const struct tsf_vector *v, struct set *base,
                                        struct tsf_arena *mem, struct tsf_error *err)
{
    int32_t fresh[1024];
    struct entries *e;
    enum tsf_err rc = entries_get(&base->entries, v, mem, &e, err);

    if (rc != TSF_OK)
        return rc;
    if (r->groups) {
        bool pairs = pairs_cover(e, r->groups, r->n, mem);
        entries_hash(e, v->dict);
        ROWS_EACH(r, i)
            if ((!pairs || pair_new(e, r->groups[i], r->codes[i])) &&
                (rc = set_add((struct set *)(r->states + r->groups[i] * r->stride), v->type, r->values, r->codes[i],
                              &e->hashes[r->codes[i]], mem, err)) != TSF_OK)
                return rc;
        return TSF_OK;
    }
    for (int64_t at = 0; at < r->n; at += 1024) {
        struct query_agg_rows part = *r;
        int64_t m;
        part.n = TSF_MIN(r->n - at, 1024);
        part.codes += at;
        part.mask = r->mask ? r->mask + at / 64 : NULL;
        m = entries_fresh(e, &part, fresh);
        for (int64_t k = 0; k < m; k++)
            if ((rc = set_add(base, v->type, r->values, fresh[k], NULL, mem, err)) != TSF_OK)
                return rc;
    }
    return TSF_OK;
}

static QUERY_AGG_UPDATE(distinct_update)
{
    struct query_agg_rows r;
    const struct tsf_type *t = args[0].type;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);

    if (rc != TSF_OK || !any)
        return rc;
    if (r.codes && args[0].dict_id)
        return distinct_dictionary(&r, &args[0], (struct set *)states, mem, err);
    if (t->id == TSF_TYPE_INT64 || t->id == TSF_TYPE_TIMESTAMP) { /* the usual wide numbers, without a switch per row */
        ROWS_EACH(&r, i) {
            uint64_t x = ((const uint64_t *)r.values)[QUERY_AGG_AT(&r, (int64_t)i)];
            if ((rc = set_add8((struct set *)(states + (groups ? groups[i] * stride : 0)), x,
                               tsf_hash_u64(x + 0x9e3779b97f4a7c15ULL), mem, err)) != TSF_OK)
                return rc;
        }
        return TSF_OK;
    }
    ROWS_EACH(&r, i)
        if ((rc = set_add((struct set *)(states + (groups ? groups[i] * stride : 0)), t, r.values, QUERY_AGG_AT(&r, (int64_t)i), NULL,
                          mem, err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

static enum tsf_err set_merge(struct set *d, const struct set *s, enum key_kind kind, struct tsf_arena *mem, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (uint64_t i = 0; rc == TSF_OK && i < s->cap; i++) {
        if (!s->full[i])
            continue;
        if (kind == KEY_8) {
            uint64_t x = ((const uint64_t *)s->keys)[i];
            rc = set_add8(d, x, tsf_hash_u64(x + 0x9e3779b97f4a7c15ULL), mem, err);
        } else {
            const struct tsf_sview *k = (const struct tsf_sview *)s->keys + i;
            rc = set_add16(d, k, kind == KEY_VIEW, false, kind == KEY_VIEW ? view_hash(k) : mix128(k), mem, err);
        }
    }
    return rc;
}

static QUERY_AGG_COMBINE(distinct_combine)
{
    enum key_kind kind = key_kind(c->args[0]->type);
    enum tsf_err rc = TSF_OK;

    QUERY_AGG_PAIRS(struct set) {
        struct set *from = s;
        if (rc != TSF_OK || !s->n)
            continue;
        if (d->n < s->n) { /* the smaller goes into the larger */
            struct set swap = *d;
            struct entries *mine = d->entries;
            *d = *s;
            d->entries = mine;
            *s = swap;
            from = s;
            if (!from->n)
                continue;
        }
        rc = set_merge(d, from, kind, mem, err);
    }
    return rc;
}

static QUERY_AGG_FINISH(distinct_finish)
{
    void *values;
    enum tsf_err rc = tsf_vector_alloc(c->type, n, a, out, &values, err);

    for (int64_t i = 0; rc == TSF_OK && i < n; i++)
        ((int64_t *)values)[i] = ((const struct set *)(states + (size_t)i * stride))->n;
    return rc;
}
const struct query_aggregate query_agg_count_distinct = { "count", sizeof(struct set), distinct_update, distinct_combine, distinct_finish };

/* ---- about ------------------------------------------------------------------------------------------------------------------ */

#define HLL_BITS 14
#define HLL_SIZE (1 << HLL_BITS)
#define SPARSE_MAX 1024

struct hll {
    uint8_t *registers;
    struct set sparse; /* of hashes; sparse.entries is the dictionary's */
};

static void registers_add(uint8_t *registers, uint64_t h)
{
    uint32_t at = (uint32_t)(h >> (64 - HLL_BITS));
    uint64_t rest = h << HLL_BITS | 1ULL << (HLL_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    registers[at] = TSF_MAX(registers[at], rank);
}

static enum tsf_err hll_dense(struct hll *s, struct tsf_arena *mem, struct tsf_error *err)
{
    if (!(s->registers = tsf_arena_calloc(mem, HLL_SIZE, 1)))
        return tsf_fail_nomem(err);
    for (uint64_t i = 0; i < s->sparse.cap; i++)
        if (s->sparse.full[i])
            registers_add(s->registers, ((const uint64_t *)s->sparse.keys)[i]);
    s->sparse = (struct set){ .entries = s->sparse.entries };
    return TSF_OK;
}

static inline enum tsf_err hll_add(struct hll *s, uint64_t h, struct tsf_arena *mem, struct tsf_error *err)
{
    if (s->registers) {
        registers_add(s->registers, h);
        return TSF_OK;
    }
    if (TSF_UNLIKELY(s->sparse.n >= SPARSE_MAX)) {
        enum tsf_err rc = hll_dense(s, mem, err);
        if (rc == TSF_OK)
            registers_add(s->registers, h);
        return rc;
    }
    return set_add8(&s->sparse, h, tsf_hash_u64(h + 0x9e3779b97f4a7c15ULL), mem, err);
}

static enum tsf_err hll_dictionary(const struct query_agg_rows *r, const struct tsf_vector *v, struct hll *base,
                                   struct tsf_arena *mem, struct tsf_error *err)
{
    struct entries *e;
    bool pairs;
    enum tsf_err rc = entries_get(&base->sparse.entries, v, mem, &e, err);

    if (rc != TSF_OK)
        return rc;
    entries_hash(e, v->dict);
    pairs = r->groups && pairs_cover(e, r->groups, r->n, mem);
    ROWS_EACH(r, i) {
        int32_t code = r->codes[i];
        if (pairs && !pair_new(e, r->groups[i], code))
            continue;
        if (!r->groups) {
            if (e->seen[code])
                continue;
            e->seen[code] = 1;
        }
        if ((rc = hll_add((struct hll *)(r->states + (r->groups ? r->groups[i] * r->stride : 0)), e->hashes[code], mem, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static QUERY_AGG_UPDATE(hll_update)
{
    struct query_agg_rows r;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);

    if (rc != TSF_OK || !any)
        return rc;
    if (r.codes && args[0].dict_id)
        return hll_dictionary(&r, &args[0], (struct hll *)states, mem, err);
    ROWS_EACH(&r, i)
        if ((rc = hll_add((struct hll *)(states + (groups ? groups[i] * stride : 0)),
                          value_hash(args[0].type, r.values, QUERY_AGG_AT(&r, (int64_t)i)), mem, err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

static QUERY_AGG_COMBINE(hll_combine)
{
    enum tsf_err rc = TSF_OK;

    QUERY_AGG_PAIRS(struct hll) {
        if (rc != TSF_OK)
            continue;
        if (s->registers && !d->registers && (rc = hll_dense(d, mem, err)) != TSF_OK)
            continue;
        for (uint64_t k = 0; s->registers && k < HLL_SIZE; k++)
            d->registers[k] = TSF_MAX(d->registers[k], s->registers[k]);
        for (uint64_t k = 0; !s->registers && rc == TSF_OK && k < s->sparse.cap; k++)
            if (s->sparse.full[k])
                rc = hll_add(d, ((const uint64_t *)s->sparse.keys)[k], mem, err);
    }
    return rc;
}

/* Ertl's improved estimator: one formula for all counts, without tables. */
static double sigma(double x)
{
    double y = 1, z = x, old;

    if (x == 1)
        return 1e300;
    do {
        x *= x;
        old = z;
        z += x * y;
        y += y;
    } while (z != old);
    return z;
}

static double tau(double x)
{
    double y = 1, z = 1 - x, old;

    if (x == 0 || x == 1)
        return 0;
    do {
        double d;
        x = __builtin_sqrt(x);
        old = z;
        y *= 0.5;
        d = 1 - x;
        z -= d * d * y;
    } while (z != old);
    return z / 3;
}

static int64_t hll_estimate(const uint8_t *registers)
{
    const int q = 64 - HLL_BITS;
    int counts[66] = { 0 };
    double m = HLL_SIZE, z;

    for (int i = 0; i < HLL_SIZE; i++)
        counts[TSF_MIN(registers[i], q + 1)]++;
    z = m * tau(1 - counts[q + 1] / m);
    for (int k = q; k >= 1; k--)
        z = 0.5 * (z + counts[k]);
    z += m * sigma(counts[0] / m);
    return (int64_t)(m * m / (2 * 0.69314718055994530942 * z) + 0.5);
}

static QUERY_AGG_FINISH(hll_finish)
{
    void *values;
    enum tsf_err rc = tsf_vector_alloc(c->type, n, a, out, &values, err);

    for (int64_t i = 0; rc == TSF_OK && i < n; i++) {
        const struct hll *s = (const struct hll *)(states + (size_t)i * stride);
        ((int64_t *)values)[i] = s->registers ? hll_estimate(s->registers) : s->sparse.n;
    }
    return rc;
}
static const struct query_aggregate agg_hll = { "approx_count_distinct", sizeof(struct hll), hll_update, hll_combine, hll_finish };

const struct query_agg_entry query_agg_distincts[] = {
    { "approx_count_distinct", 1, { NULL }, TSF_T(INT64), NULL, false, &agg_hll },
    { "distinct_count", 1, { NULL }, TSF_T(INT64), NULL, false, &agg_hll },
    { 0 },
};
