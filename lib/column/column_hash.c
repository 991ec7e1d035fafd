/* Hashes of rows. See column.h. */
#include "column/column.h"

#include <math.h>

#define CHUNK 1024
#define NULL_HASH 0x6a09e667f3bcc908ULL
#define LIST_HASH 0xbb67ae8584caa73bULL
#define K0 0xa0761d6478bd642fULL
#define K1 0xe7037ed1a0b428dbULL
#define K2 0x9e3779b97f4a7c15ULL

/* Order matters: (a, b) and (b, a) differ. */
static inline uint64_t hash_combine(uint64_t h, uint64_t x)
{
    h = (((h << 29) | (h >> 35)) ^ x) * K2;
    return h ^ (h >> 32);
}

static inline uint64_t hash_mum(uint64_t a, uint64_t b)
{
    tsf_uint128 m = (tsf_uint128)(a ^ K0) * (b ^ K1);
    uint64_t h = ((uint64_t)m ^ (uint64_t)(m >> 64)) * K2;
    return h ^ (h >> 32);
}

/* Equal inline strings have equal 16 bytes, so those are hashed without a look at the length. */
static inline uint64_t hash_sview(const struct tsf_sview *v)
{
    uint64_t a, b;

    if (TSF_UNLIKELY(v->len > TSF_SVIEW_INLINE))
        return tsf_hash(v->u.ref.ptr, v->len, 0);
    memcpy(&a, v, 8);
    memcpy(&b, (const char *)v + 8, 8);
    return hash_mum(a, b);
}

static inline uint64_t hash_double(double d)
{
    uint64_t bits;

    d = d == 0 ? 0 : d;
    memcpy(&bits, &d, 8);
    return tsf_hash_u64(isnan(d) ? 0x7ff8000000000000ULL : bits);
}

static inline uint64_t hash_i128(tsf_int128 x)
{
    return hash_mum((uint64_t)x, (uint64_t)((tsf_uint128)x >> 64));
}

static inline uint64_t hash_interval(const struct tsf_interval *iv)
{
    return hash_i128(((tsf_int128)iv->months * 30 + iv->days) * TSF_US_PER_DAY + iv->us);
}

#define HASH_LOOP(T, EXPR)                                                                                   \
    do {                                                                                                     \
        const T *v_ = values;                                                                                \
        if (rows)                                                                                            \
            for (int64_t i = 0; i < n; i++) {                                                                \
                const T *x = v_ + rows[i];                                                                   \
                out[i] = (EXPR);                                                                             \
            }                                                                                                \
        else                                                                                                 \
            for (int64_t i = 0; i < n; i++) {                                                                \
                const T *x = v_ + first + i;                                                                 \
                out[i] = (EXPR);                                                                             \
            }                                                                                                \
    } while (0)

/* Hash flat primitive values: at rows[0..n), or [first, first + n) when rows is NULL. */
static void values_hash(enum tsf_type_id id, const void *values, const uint32_t *rows, int64_t first, int64_t n, uint64_t *out)
{
    switch (id) {
    case TSF_TYPE_BOOL:
    case TSF_TYPE_INT8: HASH_LOOP(int8_t, tsf_hash_u64((uint64_t)(int64_t)*x)); break;
    case TSF_TYPE_INT16: HASH_LOOP(int16_t, tsf_hash_u64((uint64_t)(int64_t)*x)); break;
    case TSF_TYPE_INT32:
    case TSF_TYPE_DATE: HASH_LOOP(int32_t, tsf_hash_u64((uint64_t)(int64_t)*x)); break;
    case TSF_TYPE_INT64:
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ:
    case TSF_TYPE_TIME: HASH_LOOP(uint64_t, tsf_hash_u64(*x)); break;
    case TSF_TYPE_FLOAT: HASH_LOOP(float, hash_double((double)*x)); break;
    case TSF_TYPE_DOUBLE: HASH_LOOP(double, hash_double(*x)); break;
    case TSF_TYPE_DECIMAL:
    case TSF_TYPE_UUID: HASH_LOOP(tsf_int128, hash_i128(*x)); break;
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY: HASH_LOOP(struct tsf_sview, hash_sview(x)); break;
    case TSF_TYPE_INTERVAL: HASH_LOOP(struct tsf_interval, hash_interval(x)); break;
    default:
        for (int64_t i = 0; i < n; i++)
            out[i] = NULL_HASH;
    }
}

/* ---- nested types ----------------------------------------------------------------------------------------- */

/* out[i] = the hashes of the elements of row i, folded. hashes[c] belong to all elements of child c. */
static void lists_fold(const struct tsf_vector *v, uint64_t *const *hashes, const uint32_t *rows, int64_t first, int64_t n,
                       uint64_t *out)
{
    const int32_t *off = v->values;

    for (int64_t i = 0; i < n; i++) {
        int64_t row = rows ? rows[i] : first + i;
        uint64_t h = LIST_HASH;
        if (tsf_vector_present(v, row))
            for (int32_t e = off[row]; e < off[row + 1]; e++)
                for (int c = 0; c < v->type->n_children; c++)
                    h = hash_combine(h, hashes[c][e]);
        out[i] = h;
    }
}

/* The per-element hashes of a LIST or MAP, once per call. */
static enum tsf_err elements_hash(const struct tsf_vector *v, struct tsf_arena *scratch, uint64_t **hashes,
                                  struct tsf_error *err)
{
    enum tsf_err rc;

    for (int c = 0; c < v->type->n_children; c++) {
        const struct tsf_vector *kid = &v->children[c];
        if (!(hashes[c] = tsf_arena_alloc(scratch, (size_t)kid->length * 8)))
            return tsf_fail_nomem(err);
        if ((rc = tsf_hash_vector(kid, NULL, kid->length, false, hashes[c], scratch, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static enum tsf_err struct_hash(const struct tsf_vector *v, const uint32_t *rows, int64_t first, int64_t n, uint64_t *out,
                                struct tsf_arena *scratch, struct tsf_error *err)
{
    uint32_t seq[CHUNK];
    enum tsf_err rc;

    for (int64_t i = 0; i < n; i++) {
        out[i] = LIST_HASH;
        seq[i] = (uint32_t)(rows ? rows[i] : first + i);
    }
    for (int c = 0; c < v->type->n_children; c++)
        if ((rc = tsf_hash_vector(&v->children[c], seq, n, true, out, scratch, err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

/* ---- vectors --------------------------------------------------------------------------------------------------- */

static void result_put(const struct tsf_vector *v, const uint32_t *rows, int64_t first, int64_t n, bool combine,
                       uint64_t *h, uint64_t *out)
{
    if (v->validity && v->null_count != 0)
        for (int64_t i = 0; i < n; i++)
            h[i] = tsf_bit_get(v->validity, rows ? rows[i] : first + i) ? h[i] : NULL_HASH;
    if (!combine)
        memcpy(out, h, (size_t)n * 8);
    else
        for (int64_t i = 0; i < n; i++)
            out[i] = hash_combine(out[i], h[i]);
}

static enum tsf_err flat_hash(const struct tsf_vector *v, const uint32_t *sel, int64_t n, bool combine, uint64_t *out,
                              struct tsf_arena *scratch, struct tsf_error *err)
{
    bool lists = v->type->id == TSF_TYPE_LIST || v->type->id == TSF_TYPE_MAP;
    uint64_t h[CHUNK], *elements[2];
    enum tsf_err rc;

    if (lists && (rc = elements_hash(v, scratch, elements, err)) != TSF_OK)
        return rc;
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t m = TSF_MIN(n - at, CHUNK);
        const uint32_t *rows = sel ? sel + at : NULL;
        if (lists)
            lists_fold(v, elements, rows, at, m, h);
        else if (v->type->id != TSF_TYPE_STRUCT)
            values_hash(v->type->id, v->values, rows, at, m, h);
        else if ((rc = struct_hash(v, rows, at, m, h, scratch, err)) != TSF_OK)
            return rc;
        result_put(v, rows, at, m, combine, h, out + at);
    }
    return TSF_OK;
}

/* Each dictionary entry is hashed once, unless a few rows come from a large dictionary. */
static enum tsf_err dictionary_hash(const struct tsf_vector *v, const uint32_t *sel, int64_t n, bool combine, uint64_t *out,
                                    struct tsf_arena *scratch, struct tsf_error *err)
{
    const int32_t *code = v->values;
    bool whole = v->dict->length <= 2 * n + 64 || v->type->n_children;
    uint64_t h[CHUNK], *entry = NULL;
    uint32_t at_dict[CHUNK];
    enum tsf_err rc;

    if (whole) {
        if (!(entry = tsf_arena_alloc(scratch, (size_t)v->dict->length * 8 + 8)))
            return tsf_fail_nomem(err);
        entry[0] = NULL_HASH; /* an empty dictionary means that all rows are NULL */
        if ((rc = flat_hash(v->dict, NULL, v->dict->length, false, entry, scratch, err)) != TSF_OK)
            return rc;
    }
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t m = TSF_MIN(n - at, CHUNK);
        const uint32_t *rows = sel ? sel + at : NULL;
        if (entry) {
            for (int64_t i = 0; i < m; i++)
                h[i] = entry[code[rows ? rows[i] : at + i]];
        } else {
            for (int64_t i = 0; i < m; i++)
                at_dict[i] = (uint32_t)code[rows ? rows[i] : at + i];
            values_hash(v->type->id, v->dict->values, at_dict, 0, m, h);
        }
        result_put(v, rows, at, m, combine, h, out + at);
    }
    return TSF_OK;
}

static enum tsf_err constant_hash(const struct tsf_vector *v, int64_t n, bool combine, uint64_t *out,
                                  struct tsf_arena *scratch, struct tsf_error *err)
{
    struct tsf_vector one = *v;
    uint64_t h = NULL_HASH;
    enum tsf_err rc;

    one.shape = TSF_FLAT;
    one.length = 1;
    one.null_count = -1;
    if (n > 0 && tsf_vector_present(v, 0) && (rc = flat_hash(&one, NULL, 1, false, &h, scratch, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < n; i++)
        out[i] = combine ? hash_combine(out[i], h) : h;
    return TSF_OK;
}

enum tsf_err tsf_hash_vector(const struct tsf_vector *v, const uint32_t *sel, int64_t n, bool combine, uint64_t *out,
                             struct tsf_arena *scratch, struct tsf_error *err)
{
    if (v->shape == TSF_CONSTANT)
        return constant_hash(v, n, combine, out, scratch, err);
    if (v->shape == TSF_DICTIONARY)
        return dictionary_hash(v, sel, n, combine, out, scratch, err);
    return flat_hash(v, sel, n, combine, out, scratch, err);
}

/* ---- equality ------------------------------------------------------------------------------------------------------ */

static bool lists_equal(const struct tsf_vector *a, int64_t i, const struct tsf_vector *b, int64_t j)
{
    const int32_t *x = a->values, *y = b->values;

    if (x[i + 1] - x[i] != y[j + 1] - y[j])
        return false;
    for (int32_t e = 0; e < x[i + 1] - x[i]; e++)
        for (int c = 0; c < a->type->n_children; c++)
            if (!tsf_vector_rows_equal(&a->children[c], x[i] + e, &b->children[c], y[j] + e))
                return false;
    return true;
}

static bool struct_equal(const struct tsf_vector *a, int64_t i, const struct tsf_vector *b, int64_t j)
{
    for (int c = 0; c < a->type->n_children; c++)
        if (!tsf_vector_rows_equal(&a->children[c], i, &b->children[c], j))
            return false;
    return true;
}

bool tsf_vector_rows_equal(const struct tsf_vector *a, int64_t i, const struct tsf_vector *b, int64_t j)
{
    const struct tsf_vector *fa = a->shape == TSF_DICTIONARY ? a->dict : a, *fb = b->shape == TSF_DICTIONARY ? b->dict : b;
    bool pa = a->type->id != TSF_TYPE_NULL && tsf_vector_present(a, i);
    bool pb = b->type->id != TSF_TYPE_NULL && tsf_vector_present(b, j);
    const void *x = fa->values, *y = fb->values;
    int width = tsf_type_width(a->type);

    if (!pa || !pb)
        return pa == pb;
    i = tsf_vector_at(a, i);
    j = tsf_vector_at(b, j);
    switch (a->type->id) {
    case TSF_TYPE_FLOAT: {
        float p = ((const float *)x)[i], q = ((const float *)y)[j];
        return p == q || (isnan(p) && isnan(q));
    }
    case TSF_TYPE_DOUBLE: {
        double p = ((const double *)x)[i], q = ((const double *)y)[j];
        return p == q || (isnan(p) && isnan(q));
    }
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY: return tsf_sview_eq((const struct tsf_sview *)x + i, (const struct tsf_sview *)y + j);
    case TSF_TYPE_INTERVAL: {
        struct tsf_value p = { .type = a->type, .u.iv = ((const struct tsf_interval *)x)[i] };
        struct tsf_value q = { .type = a->type, .u.iv = ((const struct tsf_interval *)y)[j] };
        return tsf_value_cmp(&p, &q) == 0;
    }
    case TSF_TYPE_LIST:
    case TSF_TYPE_MAP: return lists_equal(fa, i, fb, j);
    case TSF_TYPE_STRUCT: return struct_equal(fa, i, fb, j);
    default: return memcmp((const char *)x + i * width, (const char *)y + j * width, (size_t)width) == 0;
    }
}
