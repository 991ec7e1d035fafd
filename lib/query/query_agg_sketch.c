/*
 * percentile_agg: a sketch of a distribution, and what is read from it; histogram.
 *
 * The sketch counts values in buckets that are cut by the floating-point format itself: sign, exponent and the leading 7
 * bits of the mantissa. A bucket is at most 1/128 wide relative to its values, so that an answer from its inside is
 * within 0.8%, and finding it is a shift. Counts stand in a window of buckets that grows as values arrive; up to 32
 * values are kept as they are.
 *
 * As bytes (a bytea in SQL, so that it may be stored): "TSK1", then LEB128 numbers:
 *   n; n = 0: the end
 *   kind 0: min, max (8 bytes each, raw doubles), n raw doubles
 *   kind 1: min, max, number of entries, then for each: bucket - bucket before (the first: from 0), count
 */
#include "query/query_agg_internal.h"
#include "query/query_fn_misc.h"

#include <math.h>
#include <stdlib.h>

#define RAW_MAX 32
#define SHIFT 45             /* 52 - 7 bits of mantissa */
#define BUCKETS (1 << 19)    /* sign, 11 bits of exponent, 7 of mantissa */

/* Ascending with the value: negative numbers mirrored below the middle. */
static inline int32_t bucket_of(double x)
{
    int64_t b;
    memcpy(&b, &x, 8);
    b >>= SHIFT;                                              /* sign fills in */
    return (int32_t)(b < 0 ? BUCKETS / 2 - 1 - (b & (BUCKETS / 2 - 1)) : b + BUCKETS / 2);
}

/* The end of a bucket that is nearer to zero, and the other one. */
static void bucket_bounds(int32_t bucket, double *lo, double *hi)
{
    bool neg = bucket < BUCKETS / 2;
    uint64_t m = (uint64_t)(neg ? BUCKETS / 2 - 1 - bucket : bucket - BUCKETS / 2), a = m << SHIFT, b = (m + 1) << SHIFT;
    double x, y;

    memcpy(&x, &a, 8), memcpy(&y, &b, 8);
    if (!(y - y == 0))
        y = x;
    *lo = neg ? -y : x;
    *hi = neg ? -x : y;
}

struct sketch {
    int64_t n;
    double min, max;
    double *raw;          /* n of them while counts is NULL */
    int64_t *counts;      /* of buckets first .. first + cap */
    int32_t first, cap;
};

static enum tsf_err window_grow(struct sketch *s, int32_t bucket, struct tsf_arena *mem, struct tsf_error *err)
{
    int32_t lo = s->cap ? TSF_MIN(s->first, bucket) : bucket - 64, hi = s->cap ? TSF_MAX(s->first + s->cap, bucket + 1) : bucket + 64;
    int32_t slack = s->cap ? (hi - lo) / 2 : 0, cap;
    int64_t *counts;

    if (bucket < s->first && s->cap)
        lo = TSF_MAX(0, lo - slack);
    else if (s->cap)
        hi = TSF_MIN(BUCKETS, hi + slack);
    lo = TSF_MAX(lo, 0);
    cap = hi - lo;
    if (!(counts = tsf_arena_calloc(mem, (size_t)cap, 8)))
        return tsf_fail_nomem(err);
    if (s->cap)
        memcpy(counts + (s->first - lo), s->counts, 8 * (size_t)s->cap);
    s->counts = counts;
    s->first = lo;
    s->cap = cap;
    return TSF_OK;
}

static inline enum tsf_err bucket_add(struct sketch *s, int32_t bucket, int64_t n, struct tsf_arena *mem, struct tsf_error *err)
{
    int32_t at = bucket - s->first;

    if (TSF_UNLIKELY(!s->counts || at < 0 || at >= s->cap)) {
        enum tsf_err rc = window_grow(s, bucket, mem, err);
        if (rc != TSF_OK)
            return rc;
        at = bucket - s->first;
    }
    s->counts[at] += n;
    return TSF_OK;
}

static enum tsf_err raw_spill(struct sketch *s, struct tsf_arena *mem, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; rc == TSF_OK && i < s->n; i++)
        rc = bucket_add(s, bucket_of(s->raw[i]), 1, mem, err);
    s->raw = NULL;
    return rc;
}

static inline enum tsf_err sketch_add(struct sketch *s, double x, struct tsf_arena *mem, struct tsf_error *err)
{
    enum tsf_err rc;

    if (TSF_UNLIKELY(x != x))
        return TSF_OK; /* a NaN is no place in a distribution */
    x += 0.0;
    if (s->n == 0) {
        s->min = s->max = x;
        if (!s->counts && !(s->raw = tsf_arena_alloc(mem, 8 * RAW_MAX)))
            return tsf_fail_nomem(err);
    }
    s->min = x < s->min ? x : s->min;
    s->max = x > s->max ? x : s->max;
    if (!s->counts) {
        if (s->n < RAW_MAX) {
            s->raw[s->n++] = x;
            return TSF_OK;
        }
        if ((rc = raw_spill(s, mem, err)) != TSF_OK)
            return rc;
    }
    s->n++;
    return bucket_add(s, bucket_of(x), 1, mem, err);
}

static QUERY_AGG_UPDATE(sketch_update)
{
    struct query_agg_rows r;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);

    if (rc != TSF_OK || !any)
        return rc;
    QUERY_AGG_EACH(&r, double, struct sketch, {
        if (TSF_UNLIKELY((rc = sketch_add(s, x, mem, err)) != TSF_OK))
            return rc;
    });
    return TSF_OK;
}

static enum tsf_err sketch_merge(struct sketch *d, const struct sketch *s, struct tsf_arena *mem, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    if (s->n == 0)
        return TSF_OK;
    if (d->n == 0) {
        *d = *s;
        return TSF_OK;
    }
    if (!s->counts) {
        for (int64_t i = 0; rc == TSF_OK && i < s->n; i++)
            rc = sketch_add(d, s->raw[i], mem, err);
        return rc;
    }
    if (!d->counts && (rc = raw_spill(d, mem, err)) != TSF_OK)
        return rc;
    for (int32_t i = 0; rc == TSF_OK && i < s->cap; i++)
        if (s->counts[i])
            rc = bucket_add(d, s->first + i, s->counts[i], mem, err);
    d->n += s->n;
    d->min = TSF_MIN(d->min, s->min);
    d->max = TSF_MAX(d->max, s->max);
    return rc;
}

static QUERY_AGG_COMBINE(sketch_combine)
{
    enum tsf_err rc = TSF_OK;
    QUERY_AGG_PAIRS(struct sketch)
        if (rc == TSF_OK)
            rc = sketch_merge(d, s, mem, err);
    return rc;
}

/* ---- bytes ----------------------------------------------------------------------------------------------------------- */

static enum tsf_err put_number(struct tsf_buf *b, uint64_t v, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    for (; rc == TSF_OK && v >= 0x80; v >>= 7)
        rc = tsf_buf_append_u8(b, (uint8_t)(v | 0x80), err);
    return rc == TSF_OK ? tsf_buf_append_u8(b, (uint8_t)v, err) : rc;
}

static enum tsf_err sketch_encode(const struct sketch *s, struct tsf_buf *b, struct tsf_error *err)
{
    int64_t entries = 0;
    int32_t before = 0;
    enum tsf_err rc;

    tsf_buf_reset(b);
    if ((rc = tsf_buf_append_z(b, "TSK1", err)) != TSF_OK || (rc = put_number(b, (uint64_t)s->n, err)) != TSF_OK || s->n == 0)
        return rc;
    if ((rc = tsf_buf_append_u8(b, s->counts != NULL, err)) != TSF_OK || (rc = tsf_buf_append(b, &s->min, 8, err)) != TSF_OK ||
        (rc = tsf_buf_append(b, &s->max, 8, err)) != TSF_OK)
        return rc;
    if (!s->counts)
        return tsf_buf_append(b, s->raw, 8 * (size_t)s->n, err);
    for (int32_t i = 0; i < s->cap; i++)
        entries += s->counts[i] != 0;
    rc = put_number(b, (uint64_t)entries, err);
    for (int32_t i = 0; rc == TSF_OK && i < s->cap; i++)
        if (s->counts[i]) {
            if ((rc = put_number(b, (uint64_t)(s->first + i - before), err)) == TSF_OK)
                rc = put_number(b, (uint64_t)s->counts[i], err);
            before = s->first + i;
        }
    return rc;
}

static QUERY_AGG_FINISH(sketch_finish)
{
    struct query_agg_result r;
    struct tsf_buf b = TSF_BUF_INIT(0);
    enum tsf_err rc = query_agg_result_init(&r, c->type, n, a, out, err);

    for (int64_t i = 0; rc == TSF_OK && i < n; i++) {
        const struct sketch *s = (const struct sketch *)(states + (size_t)i * stride);
        char *p;
        if (!s->n)
            continue;
        if ((rc = sketch_encode(s, &b, err)) != TSF_OK)
            break;
        if (!(p = tsf_arena_memdup(a, b.data, b.len))) {
            rc = tsf_fail_nomem(err);
            break;
        }
        ((struct tsf_sview *)r.values)[i] = tsf_sview_make(p, b.len);
        tsf_bit_set(r.valid, i);
    }
    tsf_buf_release(&b);
    if (rc == TSF_OK)
        query_agg_result_end(&r, out);
    return rc;
}
static const struct query_aggregate agg_sketch = { "percentile_agg", sizeof(struct sketch), sketch_update, sketch_combine, sketch_finish };

/* A sketch read back; nothing of it is trusted. */
struct reader {
    const uint8_t *p, *end;
    bool bad;
};

static uint64_t get_number(struct reader *r)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t b;
        if (r->p == r->end)
            break;
        b = *r->p++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    r->bad = true;
    return 0;
}

static double get_double(struct reader *r)
{
    double v = 0;
    if (r->end - r->p < 8) {
        r->bad = true;
        return 0;
    }
    memcpy(&v, r->p, 8);
    r->p += 8;
    return v;
}

/* After the magic: n, kind, min, max. */
static bool header_read(struct tsf_str s, struct reader *r, uint64_t *n, int *kind, double *min, double *max)
{
    *r = (struct reader){ (const uint8_t *)s.data + 4, (const uint8_t *)s.data + s.len, false };
    if (s.len < 5 || memcmp(s.data, "TSK1", 4) != 0)
        return false;
    *n = get_number(r);
    if (r->bad || *n == 0)
        return !r->bad;
    if (r->p == r->end)
        return false;
    *kind = *r->p++;
    *min = get_double(r);
    *max = get_double(r);
    return !r->bad && *kind <= 1 && *n <= INT64_MAX;
}

static int double_cmp(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool raw_percentile(struct reader *r, uint64_t n, double p, double *out)
{
    double v[RAW_MAX], pos = p * (double)(n - 1), lo;
    int64_t k = (int64_t)floor(pos);

    if (n > RAW_MAX)
        return false;
    for (uint64_t i = 0; i < n; i++)
        v[i] = get_double(r);
    if (r->bad)
        return false;
    qsort(v, n, sizeof *v, double_cmp);
    lo = v[k];
    *out = k + 1 < (int64_t)n ? lo + (pos - (double)k) * (v[k + 1] - lo) : lo;
    return true;
}

static bool sketch_percentile(struct tsf_str s, double p, bool *none, double *out)
{
    struct reader r;
    uint64_t n = 0, entries, bucket = 0, seen = 0;
    double min = 0, max = 0, pos, lo, hi;
    int kind = 0;

    if (!header_read(s, &r, &n, &kind, &min, &max))
        return false;
    if ((*none = n == 0))
        return true;
    if (kind == 0)
        return raw_percentile(&r, n, p, out);
    pos = p * (double)(n - 1);
    entries = get_number(&r);
    for (uint64_t i = 0; i < entries && !r.bad; i++) {
        uint64_t count;
        bucket += get_number(&r);
        count = get_number(&r);
        if (bucket >= BUCKETS || count > n - seen)
            return false;
        if (pos < (double)(seen + count) || i + 1 == entries) {
            bucket_bounds((int32_t)bucket, &lo, &hi);
            *out = lo + (hi - lo) * TSF_MIN(1.0, (pos - (double)seen + 0.5) / (double)TSF_MAX(count, 1));
            *out = *out < min ? min : *out > max ? max : *out;
            return !r.bad;
        }
        seen += count;
    }
    return false;
}

static enum tsf_err bad_sketch(struct tsf_error *err)
{
    return tsf_fail_sql(err, "22P03", -1, "not a sketch that percentile_agg made");
}

enum tsf_err query_sketch_percentile(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        double p = fn_f64(c, 0, i), v = 0;
        bool none = false;
        if (!(p >= 0 && p <= 1))
            return tsf_fail_sql(err, "22003", -1, "percentile value %g is not between 0 and 1", p);
        if (!sketch_percentile(fn_str(c, 1, i), p, &none, &v))
            return bad_sketch(err);
        if (none && query_call_null(c, i, err) != TSF_OK)
            return TSF_ERR_NOMEM;
        if (!none)
            FN_OUT(c, double)[i] = v;
    }
    return TSF_OK;
}

enum tsf_err query_sketch_count(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct reader r;
        uint64_t n = 0;
        double min, max;
        int kind;
        if (!header_read(fn_str(c, 0, i), &r, &n, &kind, &min, &max))
            return bad_sketch(err);
        FN_OUT(c, double)[i] = (double)n;
    }
    return TSF_OK;
}

/* rollup(sketch): sketches of sketches. */
static enum tsf_err sketch_decode(struct tsf_str s, struct sketch *out, struct tsf_arena *mem, struct tsf_error *err)
{
    struct reader r;
    uint64_t n = 0, entries, bucket = 0, seen = 0;
    int kind = 0;
    enum tsf_err rc = TSF_OK;

    *out = (struct sketch){ 0 };
    if (!header_read(s, &r, &n, &kind, &out->min, &out->max) || (n && kind == 0 && n > RAW_MAX))
        return bad_sketch(err);
    if (n == 0)
        return TSF_OK;
    if (kind == 0) {
        for (uint64_t i = 0; rc == TSF_OK && i < n; i++)
            rc = sketch_add(out, get_double(&r), mem, err);
        return r.bad ? bad_sketch(err) : rc;
    }
    out->n = (int64_t)n;
    entries = get_number(&r);
    for (uint64_t i = 0; rc == TSF_OK && i < entries; i++) {
        uint64_t count;
        bucket += get_number(&r);
        count = get_number(&r);
        if (r.bad || bucket >= BUCKETS || count > n - seen)
            return bad_sketch(err);
        seen += count;
        rc = bucket_add(out, (int32_t)bucket, (int64_t)count, mem, err);
    }
    return rc != TSF_OK ? rc : seen != n ? bad_sketch(err) : TSF_OK;
}

static QUERY_AGG_UPDATE(rollup_update)
{
    struct query_agg_rows r;
    struct sketch one;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);

    if (rc != TSF_OK || !any)
        return rc;
    QUERY_AGG_EACH(&r, struct tsf_sview, struct sketch, {
        if ((rc = sketch_decode(tsf_sview_str(&x), &one, mem, err)) != TSF_OK || (rc = sketch_merge(s, &one, mem, err)) != TSF_OK)
            return rc;
    });
    return TSF_OK;
}
static const struct query_aggregate agg_rollup = { "rollup", sizeof(struct sketch), rollup_update, sketch_combine, sketch_finish };

/* ---- histogram(x, min, max, n): n buckets and one outside at either end ------------------------------------------------------ */

struct histogram {
    int64_t *counts;
    int64_t n;
};

static enum tsf_err bounds_get(const struct query_agg_call *c, double *lo, double *hi, int64_t *n, struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_value v[3] = { 0 };
    enum tsf_err rc = TSF_OK;

    for (int k = 0; rc == TSF_OK && k < 3; k++)
        rc = query_eval_const(c->args[k + 1], 0, &a, &v[k], err);
    if (rc == TSF_OK && (v[0].is_null || v[1].is_null || v[2].is_null || !(v[0].u.f64 < v[1].u.f64) || v[2].u.i64 < 1 || v[2].u.i64 > 100000))
        rc = tsf_fail_sql(err, "2201G", c->location, "histogram: lower bound must be below upper bound, and the number of buckets between 1 and 100000");
    *lo = v[0].u.f64, *hi = v[1].u.f64, *n = v[2].u.i64;
    tsf_arena_release(&a);
    return rc;
}

static QUERY_AGG_UPDATE(histogram_update)
{
    struct query_agg_rows r;
    double lo, hi;
    int64_t nb;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);

    if (rc != TSF_OK || !any || (rc = bounds_get(c, &lo, &hi, &nb, err)) != TSF_OK)
        return rc;
    QUERY_AGG_EACH(&r, double, struct histogram, {
        int64_t b = x < lo ? 0 : !(x < hi) ? nb + 1 : (int64_t)((x - lo) / (hi - lo) * (double)nb) + 1;
        if (!s->counts && !(s->counts = tsf_arena_calloc(mem, (size_t)nb + 2, 8)))
            return tsf_fail_nomem(err);
        s->n = nb + 2;
        s->counts[TSF_MIN(b, nb + 1)]++;
    });
    return TSF_OK;
}

static QUERY_AGG_COMBINE(histogram_combine)
{
    QUERY_AGG_PAIRS(struct histogram) {
        if (!s->counts)
            continue;
        if (!d->counts)
            *d = *s;
        else
            for (int64_t k = 0; k < d->n; k++)
                d->counts[k] += s->counts[k];
    }
    return TSF_OK;
}

static QUERY_AGG_FINISH(histogram_finish)
{
    struct tsf_vector *child = tsf_arena_calloc(a, 1, sizeof *child);
    uint64_t *valid = tsf_arena_calloc(a, tsf_bit_words(n) + 1, 8);
    int64_t total = 0;
    void *offsets, *values;
    enum tsf_err rc;

    for (int64_t i = 0; i < n; i++)
        total += ((const struct histogram *)(states + (size_t)i * stride))->n;
    if (!child || !valid)
        return tsf_fail_nomem(err);
    if ((rc = tsf_vector_alloc(c->type, n, a, out, &offsets, err)) != TSF_OK ||
        (rc = tsf_vector_alloc(TSF_T(INT64), total, a, child, &values, err)) != TSF_OK)
        return rc;
    total = 0;
    for (int64_t i = 0; i < n; i++) {
        const struct histogram *s = (const struct histogram *)(states + (size_t)i * stride);
        ((int32_t *)offsets)[i] = (int32_t)total;
        if (!s->counts)
            continue;
        memcpy((int64_t *)values + total, s->counts, 8 * (size_t)s->n);
        total += s->n;
        tsf_bit_set(valid, i);
    }
    ((int32_t *)offsets)[n] = (int32_t)total;
    out->children = child;
    tsf_vector_set_validity(out, valid);
    return TSF_OK;
}
static const struct query_aggregate agg_histogram = { "histogram", sizeof(struct histogram), histogram_update, histogram_combine, histogram_finish };

static const struct tsf_field count_element = { .name = "element", .type = TSF_T(INT64), .nullable = true, .field_id = -1 };
static const struct tsf_type count_array = { .id = TSF_TYPE_LIST, .n_children = 1, .children = &count_element };

const struct query_agg_entry query_agg_sketches[] = {
    { "percentile_agg", 1, { TSF_T(DOUBLE) }, TSF_T(BINARY), NULL, false, &agg_sketch },
    { "rollup", 1, { TSF_T(BINARY) }, TSF_T(BINARY), NULL, false, &agg_rollup },
    { "histogram", 4, { TSF_T(DOUBLE), TSF_T(DOUBLE), TSF_T(DOUBLE), TSF_T(INT64) }, &count_array, NULL, false, &agg_histogram },
    { 0 },
};
