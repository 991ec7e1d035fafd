/* count, sum, avg, min, max of numbers and times, bool_and, bool_or, variance. */
#include "query/query_agg_internal.h"
#include "query/query_fn_decimal.h"
#include "query/query_type_internal.h"

#include <math.h>

static enum tsf_err out_of_range(const char *type, struct tsf_error *err)
{
    return tsf_fail_sql(err, "22003", -1, "%s out of range", type);
}

/* ---- count --------------------------------------------------------------------------------------------------------- */

struct count {
    int64_t n;
};

static void count_rows(const uint64_t *mask, uint8_t *states, size_t stride, const uint32_t *groups, int64_t n)
{
    if (!groups) {
        ((struct count *)states)->n += mask ? tsf_bits_count(mask, 0, n) : n;
    } else if (!mask) {
        for (int64_t i = 0; i < n; i++)
            ((struct count *)(states + groups[i] * stride))->n++;
    } else {
        for (int64_t w = 0; w < (n + 63) / 64; w++) {
            uint64_t bits = mask[w];
            if (w == n / 64)
                bits &= (1ULL << (n & 63)) - 1;
            for (; bits; bits &= bits - 1)
                ((struct count *)(states + groups[w * 64 + __builtin_ctzll(bits)] * stride))->n++;
        }
    }
}

static QUERY_AGG_UPDATE(count_star_update)
{
    count_rows(filter, states, stride, groups, n);
    return TSF_OK;
}

static QUERY_AGG_UPDATE(count_update)
{
    struct query_agg_rows r;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);

    if (rc == TSF_OK && any)
        count_rows(r.mask, states, stride, groups, n);
    return rc;
}

static QUERY_AGG_COMBINE(count_combine)
{
    QUERY_AGG_PAIRS(struct count)
        d->n += s->n;
    return TSF_OK;
}

static QUERY_AGG_FINISH(count_finish)
{
    void *values;
    enum tsf_err rc = tsf_vector_alloc(c->type, n, a, out, &values, err);

    for (int64_t i = 0; rc == TSF_OK && i < n; i++)
        ((int64_t *)values)[i] = ((struct count *)(states + (size_t)i * stride))->n;
    return rc;
}

const struct query_aggregate query_agg_count_star = { "count", sizeof(struct count), count_star_update, count_combine, count_finish };
static const struct query_aggregate agg_count = { "count", sizeof(struct count), count_update, count_combine, count_finish };

/* ---- sums ------------------------------------------------------------------------------------------------------------ */

struct sum {
    int64_t n;
    union {
        query_i128 i;
        double d;
    } u;
};

#define SUM_WHOLE(EXPR)                                                                                                \
    if (!r.mask && !groups && !r.codes && r.step) {                                                                    \
        struct sum *s = (struct sum *)states;                                                                          \
        s->n += n;                                                                                                     \
        EXPR;                                                                                                          \
        return TSF_OK;                                                                                                 \
    }
#define DEFINE_SUM(NAME, T, FIELD, WHOLE)                                                                              \
    static QUERY_AGG_UPDATE(NAME)                                                                                      \
    {                                                                                                                  \
        struct query_agg_rows r;                                                                                       \
        bool any;                                                                                                      \
        enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);        \
        if (rc != TSF_OK || !any)                                                                                      \
            return rc;                                                                                                 \
        WHOLE                                                                                                          \
        QUERY_AGG_EACH(&r, T, struct sum, (s->n++, s->u.FIELD += x));                                                  \
        return TSF_OK;                                                                                                 \
    }
DEFINE_SUM(sum_i16, int16_t, i, )
DEFINE_SUM(sum_i32, int32_t, i, SUM_WHOLE(s->u.i += query_kernels()->sum_i32(r.values, n)))
DEFINE_SUM(sum_i64, int64_t, i, SUM_WHOLE(s->u.i += query_kernels()->sum_i64(r.values, n)))
DEFINE_SUM(sum_f32, float, d, )
DEFINE_SUM(sum_f64, double, d, SUM_WHOLE(s->u.d += query_kernels()->sum_f64(r.values, n)))

/* Decimals may leave 38 digits, and even 128 bits: then the sum is marked by n < 0. */
static QUERY_AGG_UPDATE(sum_dec)
{
    struct query_agg_rows r;
    bool any, over = false;
    enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);

    if (rc != TSF_OK || !any)
        return rc;
    QUERY_AGG_EACH(&r, tsf_int128, struct sum, {
        tsf_int128 z = s->u.i;
        s->n++;
        over |= __builtin_add_overflow(z, x, &z);
        s->u.i = z;
    });
    return over ? out_of_range("numeric", err) : TSF_OK;
}

static QUERY_AGG_COMBINE(sum_combine_i)
{
    QUERY_AGG_PAIRS(struct sum) {
        tsf_int128 z = d->u.i;
        if (__builtin_add_overflow(z, (tsf_int128)s->u.i, &z))
            return out_of_range("numeric", err);
        d->n += s->n;
        d->u.i = z;
    }
    return TSF_OK;
}

static QUERY_AGG_COMBINE(sum_combine_d)
{
    QUERY_AGG_PAIRS(struct sum) {
        d->n += s->n;
        d->u.d += s->u.d;
    }
    return TSF_OK;
}

/* One loop for all results: EXPR stores row i of struct sum *s and may fail. */
#define DEFINE_SUM_FINISH(NAME, EXPR)                                                                                  \
    static QUERY_AGG_FINISH(NAME)                                                                                      \
    {                                                                                                                  \
        struct query_agg_result r;                                                                                     \
        enum tsf_err rc = query_agg_result_init(&r, c->type, n, a, out, err);                                          \
        if (rc != TSF_OK)                                                                                              \
            return rc;                                                                                                 \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const struct sum *s = (const struct sum *)(states + (size_t)i * stride);                                   \
            if (s->n == 0)                                                                                             \
                continue;                                                                                              \
            tsf_bit_set(r.valid, i);                                                                                   \
            EXPR;                                                                                                      \
        }                                                                                                              \
        query_agg_result_end(&r, out);                                                                                 \
        return TSF_OK;                                                                                                 \
    }
DEFINE_SUM_FINISH(sum_finish_i64, {
    if (s->u.i != (int64_t)s->u.i)
        return out_of_range("bigint", err);
    ((int64_t *)r.values)[i] = (int64_t)s->u.i;
})
DEFINE_SUM_FINISH(sum_finish_dec, {
    if (!tsf_decimal_fits(s->u.i, 38))
        return out_of_range("numeric", err);
    ((tsf_int128 *)r.values)[i] = s->u.i;
})
DEFINE_SUM_FINISH(sum_finish_f64, ((double *)r.values)[i] = s->u.d)
DEFINE_SUM_FINISH(sum_finish_f32, ((float *)r.values)[i] = (float)s->u.d)
DEFINE_SUM_FINISH(avg_finish_f64, ((double *)r.values)[i] = s->u.d / (double)s->n)
DEFINE_SUM_FINISH(avg_finish_dec, {
    int scale = c->args[0]->type->id == TSF_TYPE_DECIMAL ? c->args[0]->type->scale : 0;
    if (!query_decimal_divide(s->u.i, scale, s->n, 0, c->type->scale, &((tsf_int128 *)r.values)[i]))
        return out_of_range("numeric", err);
})

#define SUM_AGG(NAME, LABEL, UPDATE, COMBINE, FINISH)                                                                  \
    static const struct query_aggregate NAME = { LABEL, sizeof(struct sum), UPDATE, COMBINE, FINISH }
SUM_AGG(agg_sum_i16, "sum", sum_i16, sum_combine_i, sum_finish_i64);
SUM_AGG(agg_sum_i32, "sum", sum_i32, sum_combine_i, sum_finish_i64);
SUM_AGG(agg_sum_i64, "sum", sum_i64, sum_combine_i, sum_finish_dec);
SUM_AGG(agg_sum_dec, "sum", sum_dec, sum_combine_i, sum_finish_dec);
SUM_AGG(agg_sum_f32, "sum", sum_f32, sum_combine_d, sum_finish_f32);
SUM_AGG(agg_sum_f64, "sum", sum_f64, sum_combine_d, sum_finish_f64);
SUM_AGG(agg_avg_i16, "avg", sum_i16, sum_combine_i, avg_finish_dec);
SUM_AGG(agg_avg_i32, "avg", sum_i32, sum_combine_i, avg_finish_dec);
SUM_AGG(agg_avg_i64, "avg", sum_i64, sum_combine_i, avg_finish_dec);
SUM_AGG(agg_avg_dec, "avg", sum_dec, sum_combine_i, avg_finish_dec);
SUM_AGG(agg_avg_f32, "avg", sum_f32, sum_combine_d, avg_finish_f64);
SUM_AGG(agg_avg_f64, "avg", sum_f64, sum_combine_d, avg_finish_f64);

static const struct tsf_type *sum_dec_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return tsf_type_decimal(38, args[0]->type->scale);
}

static const struct tsf_type *avg_dec_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return tsf_type_decimal(38, TSF_MAX(16, args[0]->type->scale));
}

/* ---- intervals ------------------------------------------------------------------------------------------------------- */

struct sum_interval {
    int64_t n, months, days;
    query_i128 us;
};

static QUERY_AGG_UPDATE(interval_update)
{
    struct query_agg_rows r;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);

    if (rc == TSF_OK && any)
        QUERY_AGG_EACH(&r, struct tsf_interval, struct sum_interval,
                       (s->n++, s->months += x.months, s->days += x.days, s->us += x.us));
    return rc;
}

static QUERY_AGG_COMBINE(interval_combine)
{
    QUERY_AGG_PAIRS(struct sum_interval) {
        d->n += s->n, d->months += s->months, d->days += s->days;
        d->us += s->us;
    }
    return TSF_OK;
}

/* Fractions of months fall into days of 30, fractions of days into microseconds, as interval / n does. */
static QUERY_AGG_FINISH(interval_finish)
{
    bool avg = strcmp(c->agg->name, "avg") == 0;
    struct query_agg_result r;
    enum tsf_err rc = query_agg_result_init(&r, c->type, n, a, out, err);

    for (int64_t i = 0; rc == TSF_OK && i < n; i++) {
        const struct sum_interval *s = (const struct sum_interval *)(states + (size_t)i * stride);
        int64_t by = avg ? s->n : 1;
        tsf_int128 months, days, us;
        if (s->n == 0)
            continue; /* a whole sum keeps its parts */
        tsf_bit_set(r.valid, i);
        months = s->months / by;
        days = (tsf_int128)s->days + (tsf_int128)(s->months % by) * 30;
        us = s->us;
        if (by > 1) {
            us += (days % by) * TSF_US_PER_DAY;
            days /= by;
            us = us / by;
        }
        if (months != (int32_t)months || days != (int32_t)days || us != (int64_t)us)
            return tsf_fail_sql(err, "22008", -1, "interval out of range");
        ((struct tsf_interval *)r.values)[i] = (struct tsf_interval){ (int32_t)months, (int32_t)days, (int64_t)us };
    }
    if (rc == TSF_OK)
        query_agg_result_end(&r, out);
    return rc;
}
static const struct query_aggregate agg_sum_interval = { "sum", sizeof(struct sum_interval), interval_update, interval_combine, interval_finish };
static const struct query_aggregate agg_avg_interval = { "avg", sizeof(struct sum_interval), interval_update, interval_combine, interval_finish };

/* ---- min and max of fixed-width values ---------------------------------------------------------------------------------- */

#define LESS_NUM(x, y) ((x) < (y))
#define LESS_REAL(x, y) ((x) < (y) || ((y) != (y) && (x) == (x))) /* NaN is the greatest */
#define SPAN(v) (((tsf_int128)(v).months * 30 + (v).days) * TSF_US_PER_DAY + (v).us)
#define LESS_SPAN(x, y) (SPAN(x) < SPAN(y))
#define LESS_UUID(x, y) (memcmp(&(x), &(y), 16) < 0)

#define DEFINE_EXTREME(N, T, ST, LESS, WHOLE_MIN, WHOLE_MAX)                                                           \
    struct extreme_##N {                                                                                               \
        int64_t set;                                                                                                   \
        ST v;                                                                                                          \
    };                                                                                                                 \
    static QUERY_AGG_UPDATE(min_##N)                                                                                   \
    {                                                                                                                  \
        struct query_agg_rows r;                                                                                       \
        bool any;                                                                                                      \
        enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);        \
        if (rc != TSF_OK || !any)                                                                                      \
            return rc;                                                                                                 \
        WHOLE_MIN                                                                                                      \
        QUERY_AGG_EACH(&r, T, struct extreme_##N, {                                                                    \
            const T y = (T)s->v;                                                                                       \
            s->v = !s->set || LESS(x, y) ? (ST)x : s->v;                                                               \
            s->set = 1;                                                                                                \
        });                                                                                                            \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static QUERY_AGG_UPDATE(max_##N)                                                                                   \
    {                                                                                                                  \
        struct query_agg_rows r;                                                                                       \
        bool any;                                                                                                      \
        enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);        \
        if (rc != TSF_OK || !any)                                                                                      \
            return rc;                                                                                                 \
        WHOLE_MAX                                                                                                      \
        QUERY_AGG_EACH(&r, T, struct extreme_##N, {                                                                    \
            const T y = (T)s->v;                                                                                       \
            s->v = !s->set || LESS(y, x) ? (ST)x : s->v;                                                               \
            s->set = 1;                                                                                                \
        });                                                                                                            \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static QUERY_AGG_COMBINE(min_combine_##N)                                                                          \
    {                                                                                                                  \
        QUERY_AGG_PAIRS(struct extreme_##N)                                                                            \
            if (s->set && (!d->set || LESS(s->v, d->v)))                                                               \
                *d = *s;                                                                                               \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static QUERY_AGG_COMBINE(max_combine_##N)                                                                          \
    {                                                                                                                  \
        QUERY_AGG_PAIRS(struct extreme_##N)                                                                            \
            if (s->set && (!d->set || LESS(d->v, s->v)))                                                               \
                *d = *s;                                                                                               \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static QUERY_AGG_FINISH(extreme_finish_##N)                                                                        \
    {                                                                                                                  \
        struct query_agg_result r;                                                                                     \
        enum tsf_err rc = query_agg_result_init(&r, c->type, n, a, out, err);                                          \
        if (rc != TSF_OK)                                                                                              \
            return rc;                                                                                                 \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const struct extreme_##N *s = (const struct extreme_##N *)(states + (size_t)i * stride);                   \
            if (!s->set)                                                                                               \
                continue;                                                                                              \
            ((T *)r.values)[i] = (T)s->v;                                                                              \
            tsf_bit_set(r.valid, i);                                                                                   \
        }                                                                                                              \
        query_agg_result_end(&r, out);                                                                                 \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static const struct query_aggregate agg_min_##N = { "min", (sizeof(struct extreme_##N) + 7) / 8 * 8, min_##N,      \
                                                        min_combine_##N, extreme_finish_##N };                         \
    static const struct query_aggregate agg_max_##N = { "max", (sizeof(struct extreme_##N) + 7) / 8 * 8, max_##N,      \
                                                        max_combine_##N, extreme_finish_##N };

#define WHOLE(N, T, PICK, LESS_TEST)                                                                                   \
    if (!r.mask && !groups && !r.codes && r.step) {                                                                    \
        struct extreme_##N *s = (struct extreme_##N *)states;                                                          \
        T lo, hi;                                                                                                      \
        query_kernels()->minmax_##N(r.values, n, &lo, &hi);                                                            \
        if (!s->set || LESS_TEST)                                                                                      \
            s->v = PICK;                                                                                               \
        s->set = 1;                                                                                                    \
        return TSF_OK;                                                                                                 \
    }
DEFINE_EXTREME(i8, int8_t, int64_t, LESS_NUM, , )
DEFINE_EXTREME(i16, int16_t, int64_t, LESS_NUM, , )
DEFINE_EXTREME(i32, int32_t, int64_t, LESS_NUM, WHOLE(i32, int32_t, lo, lo < s->v), WHOLE(i32, int32_t, hi, hi > s->v))
DEFINE_EXTREME(i64, int64_t, int64_t, LESS_NUM, WHOLE(i64, int64_t, lo, lo < s->v), WHOLE(i64, int64_t, hi, hi > s->v))
DEFINE_EXTREME(f32, float, float, LESS_REAL, , )
DEFINE_EXTREME(f64, double, double, LESS_REAL, , )
DEFINE_EXTREME(i128, tsf_int128, query_i128, LESS_NUM, , )
DEFINE_EXTREME(interval, struct tsf_interval, struct tsf_interval, LESS_SPAN, , )
DEFINE_EXTREME(uuid, tsf_int128, query_i128, LESS_UUID, , )

/* ---- booleans ---------------------------------------------------------------------------------------------------------------- */

struct bools {
    int64_t n, n_true;
};

static QUERY_AGG_UPDATE(bool_update)
{
    struct query_agg_rows r;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);

    if (rc == TSF_OK && any)
        QUERY_AGG_EACH(&r, uint8_t, struct bools, (s->n++, s->n_true += x));
    return rc;
}

static QUERY_AGG_COMBINE(bool_combine)
{
    QUERY_AGG_PAIRS(struct bools)
        d->n += s->n, d->n_true += s->n_true;
    return TSF_OK;
}

static QUERY_AGG_FINISH(bool_finish)
{
    bool and = strcmp(c->agg->name, "bool_or") != 0;
    struct query_agg_result r;
    enum tsf_err rc = query_agg_result_init(&r, c->type, n, a, out, err);

    for (int64_t i = 0; rc == TSF_OK && i < n; i++) {
        const struct bools *s = (const struct bools *)(states + (size_t)i * stride);
        if (!s->n)
            continue;
        ((uint8_t *)r.values)[i] = and ? s->n_true == s->n : s->n_true > 0;
        tsf_bit_set(r.valid, i);
    }
    if (rc == TSF_OK)
        query_agg_result_end(&r, out);
    return rc;
}
static const struct query_aggregate agg_bool_and = { "bool_and", sizeof(struct bools), bool_update, bool_combine, bool_finish };
static const struct query_aggregate agg_bool_or = { "bool_or", sizeof(struct bools), bool_update, bool_combine, bool_finish };

/* ---- variance: Youngs and Cramer, as PostgreSQL --------------------------------------------------------------------------------- */

struct spread {
    int64_t n;
    double sum, sxx;
};

static inline void spread_add(struct spread *s, double x)
{
    double t;
    s->n++;
    s->sum += x;
    if (s->n > 1) {
        t = x * (double)s->n - s->sum;
        s->sxx += t * t / ((double)s->n * (double)(s->n - 1));
    } else if (x - x != 0) {
        s->sxx = NAN;
    }
}

static QUERY_AGG_UPDATE(spread_update)
{
    struct query_agg_rows r;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);

    int scale = args[0].type->scale;
    if (rc != TSF_OK || !any)
        return rc;
    switch (args[0].type->id) {
    case TSF_TYPE_INT16: QUERY_AGG_EACH(&r, int16_t, struct spread, spread_add(s, (double)x)); break;
    case TSF_TYPE_INT32: QUERY_AGG_EACH(&r, int32_t, struct spread, spread_add(s, (double)x)); break;
    case TSF_TYPE_INT64: QUERY_AGG_EACH(&r, int64_t, struct spread, spread_add(s, (double)x)); break;
    case TSF_TYPE_FLOAT: QUERY_AGG_EACH(&r, float, struct spread, spread_add(s, (double)x)); break;
    case TSF_TYPE_DECIMAL: QUERY_AGG_EACH(&r, tsf_int128, struct spread, spread_add(s, tsf_decimal_double(x, scale))); break;
    default: QUERY_AGG_EACH(&r, double, struct spread, spread_add(s, x)); break;
    }
    return TSF_OK;
}

static QUERY_AGG_COMBINE(spread_combine)
{
    QUERY_AGG_PAIRS(struct spread) {
        double t;
        if (s->n == 0)
            continue;
        if (d->n == 0) {
            *d = *s;
            continue;
        }
        t = d->sum / (double)d->n - s->sum / (double)s->n;
        d->sxx += s->sxx + (double)d->n * (double)s->n * t * t / (double)(d->n + s->n);
        d->n += s->n;
        d->sum += s->sum;
    }
    return TSF_OK;
}

static enum tsf_err spread_result(const struct query_agg_call *c, uint8_t *states, size_t stride, int64_t n, bool pop, bool root,
                                  struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err)
{
    struct query_agg_result r;
    enum tsf_err rc = query_agg_result_init(&r, c->type, n, a, out, err);

    for (int64_t i = 0; rc == TSF_OK && i < n; i++) {
        const struct spread *s = (const struct spread *)(states + (size_t)i * stride);
        double v;
        if (s->n < (pop ? 1 : 2))
            continue;
        v = s->sxx / (double)(pop ? s->n : s->n - 1);
        if (root)
            v = sqrt(v);
        tsf_bit_set(r.valid, i);
        if (c->type->id == TSF_TYPE_DOUBLE) {
            ((double *)r.values)[i] = v;
        } else {
            long double x = roundl((long double)v * (long double)tsf_pow10(c->type->scale));
            if (!(fabsl(x) < 1e38L))
                return out_of_range("numeric", err);
            ((tsf_int128 *)r.values)[i] = (tsf_int128)x;
        }
    }
    if (rc == TSF_OK)
        query_agg_result_end(&r, out);
    return rc;
}

#define DEFINE_SPREAD(NAME, POP, ROOT)                                                                                 \
    static QUERY_AGG_FINISH(NAME##_finish)                                                                             \
    {                                                                                                                  \
        return spread_result(c, states, stride, n, POP, ROOT, a, out, err);                                            \
    }                                                                                                                  \
    static const struct query_aggregate agg_##NAME = { #NAME, sizeof(struct spread), spread_update, spread_combine,    \
                                                       NAME##_finish };
DEFINE_SPREAD(var_samp, false, false)
DEFINE_SPREAD(var_pop, true, false)
DEFINE_SPREAD(stddev_samp, false, true)
DEFINE_SPREAD(stddev_pop, true, true)

static const struct tsf_type numeric16 = { .id = TSF_TYPE_DECIMAL, .precision = 38, .scale = 16 };
static const struct tsf_type numeric0 = { .id = TSF_TYPE_DECIMAL, .precision = 38 };

#define A1(NAME, ARG, RET, AGG) { NAME, 1, { TSF_T(ARG) }, RET, NULL, false, &AGG }
#define A1F(NAME, ARG, RET_FN, AGG) { NAME, 1, { TSF_T(ARG) }, NULL, RET_FN, false, &AGG }
#define EXTREMES(ARG, N) A1F("min", ARG, query_agg_same_type, agg_min_##N), A1F("max", ARG, query_agg_same_type, agg_max_##N)
#define SPREAD(NAME, AGG)                                                                                              \
    A1(NAME, DOUBLE, TSF_T(DOUBLE), AGG), A1(NAME, FLOAT, TSF_T(DOUBLE), AGG), A1(NAME, INT16, &numeric16, AGG),       \
    A1(NAME, INT32, &numeric16, AGG), A1(NAME, INT64, &numeric16, AGG), A1(NAME, DECIMAL, &numeric16, AGG)
const struct query_agg_entry query_agg_numbers[] = {
    { "count", 1, { NULL }, TSF_T(INT64), NULL, false, &agg_count },
    A1("sum", INT16, TSF_T(INT64), agg_sum_i16), A1("sum", INT32, TSF_T(INT64), agg_sum_i32), A1("sum", INT64, &numeric0, agg_sum_i64),
    A1F("sum", DECIMAL, sum_dec_type, agg_sum_dec), A1("sum", FLOAT, TSF_T(FLOAT), agg_sum_f32), A1("sum", DOUBLE, TSF_T(DOUBLE), agg_sum_f64),
    A1("sum", INTERVAL, TSF_T(INTERVAL), agg_sum_interval), A1("avg", INTERVAL, TSF_T(INTERVAL), agg_avg_interval),
    A1("avg", INT16, &numeric16, agg_avg_i16), A1("avg", INT32, &numeric16, agg_avg_i32), A1("avg", INT64, &numeric16, agg_avg_i64),
    A1F("avg", DECIMAL, avg_dec_type, agg_avg_dec), A1("avg", FLOAT, TSF_T(DOUBLE), agg_avg_f32), A1("avg", DOUBLE, TSF_T(DOUBLE), agg_avg_f64),
    EXTREMES(INT8, i8), EXTREMES(INT16, i16), EXTREMES(INT32, i32), EXTREMES(INT64, i64), EXTREMES(FLOAT, f32), EXTREMES(DOUBLE, f64),
    EXTREMES(DECIMAL, i128), EXTREMES(DATE, i32), EXTREMES(TIMESTAMP, i64), EXTREMES(TIMESTAMP_NTZ, i64), EXTREMES(TIME, i64),
    EXTREMES(INTERVAL, interval), EXTREMES(UUID, uuid),
    A1("bool_and", BOOL, TSF_T(BOOL), agg_bool_and), A1("bool_or", BOOL, TSF_T(BOOL), agg_bool_or), A1("every", BOOL, TSF_T(BOOL), agg_bool_and),
    SPREAD("variance", agg_var_samp), SPREAD("var_samp", agg_var_samp), SPREAD("var_pop", agg_var_pop),
    SPREAD("stddev", agg_stddev_samp), SPREAD("stddev_samp", agg_stddev_samp), SPREAD("stddev_pop", agg_stddev_pop),
    { 0 },
};
