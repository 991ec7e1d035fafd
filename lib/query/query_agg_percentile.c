/*
 * Exact order statistics: percentile_cont, percentile_disc, mode, median.
 *
 * Values are kept in chunks that are never copied while they grow and that workers hand over by joining lists. At the
 * end they are laid out in one piece, and a selection (not a sort) finds what is asked.
 */
#include "query/query_agg_internal.h"

#include <math.h>
#include <stdlib.h>

/* NaNs are the greatest. */
struct chunk {
    struct chunk *next;
    uint32_t n, cap;
    uint64_t data[]; /* doubles, int64s; two words for decimals and strings */
};
struct bag {
    struct chunk *first, *last;
    int64_t n;
};

static inline enum tsf_err bag_room(struct bag *b, size_t words, struct tsf_arena *mem, struct tsf_error *err)
{
    struct chunk *k = b->last;

    if (TSF_LIKELY(k && k->n < k->cap))
        return TSF_OK;
    uint32_t cap = k ? TSF_MIN(k->cap * 2, 1U << 16) : 8;
    if (!(k = tsf_arena_alloc(mem, sizeof *k + cap * words * 8)))
        return tsf_fail_nomem(err);
    *k = (struct chunk){ .cap = cap };
    if (b->last)
        b->last->next = k;
    else
        b->first = k;
    b->last = k;
    return TSF_OK;
}

#define BAG_ROWS(T, CONVERT)                                                                                           \
    QUERY_AGG_EACH(&r, T, struct bag, {                                                                                \
        uint64_t word_;                                                                                                \
        CONVERT;                                                                                                       \
        if (TSF_UNLIKELY((rc = bag_room(s, 1, mem, err)) != TSF_OK))                                                   \
            return rc;                                                                                                 \
        s->last->data[s->last->n++] = word_;                                                                           \
        s->n++;                                                                                                        \
    })
#define AS_INT word_ = (uint64_t)(int64_t)x
#define AS_DOUBLE                                                                                                      \
    double d_ = (double)x;                                                                                             \
    memcpy(&word_, &d_, 8)

static enum tsf_err wide_rows(const struct query_agg_rows *r, const struct tsf_type *t, struct tsf_arena *mem, struct tsf_error *err)
{
    enum tsf_err rc;

    QUERY_AGG_EACH(r, struct tsf_sview, struct bag, {
        struct tsf_sview v = x;
        if (tsf_type_is_string(t) && v.len > TSF_SVIEW_INLINE) {
            char *p = tsf_arena_memdup(mem, v.u.ref.ptr, v.len);
            if (!p)
                return tsf_fail_nomem(err);
            v = tsf_sview_make(p, v.len);
        }
        if ((rc = bag_room(s, 2, mem, err)) != TSF_OK)
            return rc;
        memcpy(&s->last->data[2 * s->last->n++], &v, 16);
        s->n++;
    });
    return TSF_OK;
}

static QUERY_AGG_UPDATE(bag_update)
{
    struct query_agg_rows r;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);

    if (rc != TSF_OK || !any)
        return rc;
    switch (query_num_of(args[0].type)) {
    case QUERY_U8: BAG_ROWS(uint8_t, AS_INT); break;
    case QUERY_I8: BAG_ROWS(int8_t, AS_INT); break;
    case QUERY_I16: BAG_ROWS(int16_t, AS_INT); break;
    case QUERY_I32: BAG_ROWS(int32_t, AS_INT); break;
    case QUERY_I64: BAG_ROWS(int64_t, AS_INT); break;
    case QUERY_F32: BAG_ROWS(float, AS_DOUBLE); break;
    case QUERY_F64: BAG_ROWS(double, AS_DOUBLE); break;
    default: return wide_rows(&r, args[0].type, mem, err);
    }
    return TSF_OK;
}

static QUERY_AGG_COMBINE(bag_combine)
{
    QUERY_AGG_PAIRS(struct bag) {
        if (!s->n)
            continue;
        if (d->last)
            d->last->next = s->first;
        else
            d->first = s->first;
        d->last = s->last;
        d->n += s->n;
    }
    return TSF_OK;
}

static void bag_flatten(const struct bag *b, size_t words, uint64_t *out)
{
    for (const struct chunk *k = b->first; k; k = k->next) {
        memcpy(out, k->data, k->n * words * 8);
        out += k->n * words;
    }
}

/* ---- selection ------------------------------------------------------------------------------------------------------- */

/*
 * Put the k-th smallest of v[lo..hi) at k, smaller ones before it. Quickselect by Hoare's partition around a sampled
 * pivot; runs of bad luck end in a sort.
 */
#define DEFINE_SELECT(N, T, LESS)                                                                                      \
    static int cmp_##N(const void *a, const void *b)                                                                   \
    {                                                                                                                  \
        const T x = *(const T *)a, y = *(const T *)b;                                                                  \
        return LESS(x, y) ? -1 : LESS(y, x);                                                                           \
    }                                                                                                                  \
    static void select_##N(T *v, int64_t lo, int64_t hi, int64_t k)                                                    \
    {                                                                                                                  \
        int budget = 2 * (64 - __builtin_clzll((uint64_t)(hi - lo) | 1)) + 8;                                          \
        while (hi - lo > 16) {                                                                                         \
            int64_t i = lo - 1, j = hi;                                                                                \
            T a = v[lo + (hi - lo) / 4], b = v[lo + (hi - lo) / 2], p = v[lo + (hi - lo) / 4 * 3];                     \
            if (budget-- == 0)                                                                                         \
                break;                                                                                                 \
            p = LESS(a, b) ? (LESS(b, p) ? b : LESS(a, p) ? p : a) : (LESS(a, p) ? a : LESS(b, p) ? p : b);            \
            for (;;) {                                                                                                 \
                T t;                                                                                                   \
                do                                                                                                     \
                    i++;                                                                                               \
                while (LESS(v[i], p));                                                                                 \
                do                                                                                                     \
                    j--;                                                                                               \
                while (LESS(p, v[j]));                                                                                 \
                if (i >= j)                                                                                            \
                    break;                                                                                             \
                t = v[i], v[i] = v[j], v[j] = t;                                                                       \
            }                                                                                                          \
            if (k <= j)                                                                                                \
                hi = j + 1;                                                                                            \
            else                                                                                                       \
                lo = j + 1;                                                                                            \
        }                                                                                                              \
        qsort(v + lo, (size_t)(hi - lo), sizeof *v, cmp_##N);                                                          \
    }
#define LESS_NUM(x, y) ((x) < (y))
#define LESS_VIEW(x, y) (tsf_sview_cmp(&(x), &(y)) < 0)
#define LESS_SPAN(x, y)                                                                                                \
    (((tsf_int128)(x).months * 30 + (x).days) * TSF_US_PER_DAY + (x).us <                                              \
     ((tsf_int128)(y).months * 30 + (y).days) * TSF_US_PER_DAY + (y).us)
#define LESS_UUID(x, y) (memcmp(&(x), &(y), 16) < 0)
DEFINE_SELECT(f64, double, LESS_NUM)
DEFINE_SELECT(i64, int64_t, LESS_NUM)
DEFINE_SELECT(i128, query_i128, LESS_NUM)
DEFINE_SELECT(view, struct tsf_sview, LESS_VIEW)
DEFINE_SELECT(span, struct tsf_interval, LESS_SPAN)
DEFINE_SELECT(uuid, query_i128, LESS_UUID)

/* NaNs to the end, where they belong; the number of others. Selection then needs no care for them. */
static int64_t nans_last(double *v, int64_t n)
{
    int64_t m = 0;

    for (int64_t i = 0; i < n; i++)
        if (v[i] == v[i]) {
            double t = v[m];
            v[m++] = v[i];
            v[i] = t;
        }
    return m;
}

static size_t words_of(const struct tsf_type *t)
{
    return tsf_type_width(t) == 16 ? 2 : 1;
}

/* The k-th of n values of that type, in place. */
static void *kth(const struct tsf_type *t, uint64_t *v, int64_t n, int64_t k)
{
    int64_t m;

    switch (t->id) {
    case TSF_TYPE_FLOAT:
    case TSF_TYPE_DOUBLE:
        m = nans_last((double *)v, n);
        if (k < m)
            select_f64((double *)v, 0, m, k);
        return v + k;
    case TSF_TYPE_DECIMAL: select_i128((query_i128 *)v, 0, n, k); return v + 2 * k;
    case TSF_TYPE_UUID: select_uuid((query_i128 *)v, 0, n, k); return v + 2 * k;
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY: select_view((struct tsf_sview *)v, 0, n, k); return v + 2 * k;
    case TSF_TYPE_INTERVAL: select_span((struct tsf_interval *)v, 0, n, k); return v + 2 * k;
    default: select_i64((int64_t *)v, 0, n, k); return v + k;
    }
}

/* Store the words of a value as row i of the result. */
static enum tsf_err value_put(const struct tsf_type *t, const void *word, int64_t i, void *values, struct tsf_arena *a,
                              struct tsf_error *err)
{
    int64_t x;
    double d;

    memcpy(&x, word, 8), memcpy(&d, word, 8);
    if (tsf_type_is_string(t)) {
        struct tsf_sview v;
        memcpy(&v, word, 16);
        if (v.len > TSF_SVIEW_INLINE) {
            char *p = tsf_arena_memdup(a, v.u.ref.ptr, v.len);
            if (!p)
                return tsf_fail_nomem(err);
            v = tsf_sview_make(p, v.len);
        }
        ((struct tsf_sview *)values)[i] = v;
        return TSF_OK;
    }
    switch (query_num_of(t)) {
    case QUERY_U8:
    case QUERY_I8: ((int8_t *)values)[i] = (int8_t)x; break;
    case QUERY_I16: ((int16_t *)values)[i] = (int16_t)x; break;
    case QUERY_I32: ((int32_t *)values)[i] = (int32_t)x; break;
    case QUERY_I64: ((int64_t *)values)[i] = x; break;
    case QUERY_F32: ((float *)values)[i] = (float)d; break;
    case QUERY_F64: ((double *)values)[i] = d; break;
    default: memcpy((char *)values + 16 * i, word, 16); break;
    }
    return TSF_OK;
}

/* ---- fractions ------------------------------------------------------------------------------------------------------------- */

/* The direct argument: one fraction, or an array of them. */
struct fractions {
    const double *p;
    const uint64_t *valid;
    int64_t n;
    double one;
    bool array, null;
};

static enum tsf_err fractions_get(const struct query_agg_call *c, struct tsf_arena *a, struct fractions *f, struct tsf_error *err)
{
    struct tsf_value v;
    enum tsf_err rc;

    *f = (struct fractions){ .n = 1, .one = 0.5 };
    if (c->n_args > 1) {
        if ((rc = query_eval_const(c->args[1], 0, a, &v, err)) != TSF_OK)
            return rc;
        f->null = v.is_null;
        if (v.is_null)
            return TSF_OK;
        f->array = v.type->id == TSF_TYPE_LIST;
        if (f->array) {
            f->p = v.u.list->values;
            f->valid = v.u.list->validity;
            f->n = v.u.list->length;
        } else {
            f->one = v.u.f64;
        }
    }
    if (!f->p && !f->array)
        f->p = &f->one;
    for (int64_t i = 0; i < f->n; i++)
        if ((!f->valid || tsf_bit_get(f->valid, i)) && !(f->p[i] >= 0 && f->p[i] <= 1))
            return tsf_fail_sql(err, "22003", c->location, "percentile value %g is not between 0 and 1", f->p[i]);
    return TSF_OK;
}

/* Value at fraction p. cont: between the two neighbours, on doubles and intervals. */
static enum tsf_err at_fraction(const struct query_agg_call *c, uint64_t *v, int64_t n, double p, bool cont, int64_t i, void *values,
                                struct tsf_arena *a, struct tsf_error *err)
{
    const struct tsf_type *t = c->args[0]->type;
    double pos, frac;
    int64_t k;

    if (c->order_desc)
        p = 1 - p;
    if (!cont) {
        k = (int64_t)ceil(p * (double)n);
        if (c->order_desc) /* counted from the other end */
            k = n - ((int64_t)ceil((1 - p) * (double)n) - 1);
        k = TSF_MAX(1, TSF_MIN(n, k));
        return value_put(t, kth(t, v, n, k - 1), i, values, a, err);
    }
    pos = p * (double)(n - 1);
    k = (int64_t)floor(pos);
    frac = pos - (double)k;
    if (t->id == TSF_TYPE_INTERVAL) {
        struct tsf_interval lo, hi, *out = (struct tsf_interval *)values + i;
        memcpy(&lo, kth(t, v, n, k), 16);
        hi = lo;
        if (frac > 0)
            memcpy(&hi, kth(t, v, n, k + 1), 16);
        double months = (hi.months - lo.months) * frac, days = (hi.days - lo.days) * frac + (months - trunc(months)) * 30;
        *out = (struct tsf_interval){ lo.months + (int32_t)months, lo.days + (int32_t)days,
                                      lo.us + (int64_t)rint((double)(hi.us - lo.us) * frac + (days - trunc(days)) * (double)TSF_US_PER_DAY) };
        return TSF_OK;
    }
    double lo = *(double *)kth(t, v, n, k), hi = lo;
    if (frac > 0) { /* the next is the least of what lies behind */
        int64_t m = n;
        double *d = (double *)v;
        hi = d[k + 1];
        for (int64_t j = k + 2; j < m; j++)
            if (d[j] < hi || (hi != hi && d[j] == d[j]))
                hi = d[j];
    }
    ((double *)values)[i] = frac > 0 ? lo + frac * (hi - lo) : lo;
    return TSF_OK;
}

/* One value per group, or a list of them. */
static enum tsf_err fractions_finish(const struct query_agg_call *c, uint8_t *states, size_t stride, int64_t n, bool cont,
                                     struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err)
{
    size_t words = words_of(c->args[0]->type);
    struct tsf_vector *child = NULL, *target = out;
    struct query_agg_result r = { 0 };
    struct fractions f;
    uint64_t *flat = NULL, *list_valid = NULL;
    void *offsets = NULL;
    int64_t most = 0;
    enum tsf_err rc = fractions_get(c, a, &f, err);

    if (rc != TSF_OK)
        return rc;
    for (int64_t i = 0; i < n; i++)
        most = TSF_MAX(most, ((const struct bag *)(states + (size_t)i * stride))->n);
    if (!(flat = malloc((size_t)most * words * 8 + 16)))
        return tsf_fail_nomem(err);
    if (f.array) {
        child = tsf_arena_calloc(a, 1, sizeof *child);
        list_valid = tsf_arena_calloc(a, tsf_bit_words(n) + 1, 8);
        rc = child && list_valid ? tsf_vector_alloc(c->type, n, a, out, &offsets, err) : tsf_fail_nomem(err);
        target = child;
    }
    if (rc == TSF_OK)
        rc = query_agg_result_init(&r, f.array ? c->type->children[0].type : c->type, n * f.n, a, target, err);
    for (int64_t i = 0; rc == TSF_OK && i < n; i++) {
        const struct bag *b = (const struct bag *)(states + (size_t)i * stride);
        if (offsets)
            ((int32_t *)offsets)[i] = (int32_t)(i * f.n);
        if (!b->n || f.null)
            continue;
        bag_flatten(b, words, flat);
        if (list_valid)
            tsf_bit_set(list_valid, i);
        for (int64_t k = 0; rc == TSF_OK && k < f.n; k++) {
            if (f.valid && !tsf_bit_get(f.valid, k))
                continue;
            rc = at_fraction(c, flat, b->n, f.p[k], cont, i * f.n + k, r.values, a, err);
            tsf_bit_set(r.valid, i * f.n + k);
        }
    }
    free(flat);
    if (rc != TSF_OK)
        return rc;
    query_agg_result_end(&r, target);
    if (f.array) {
        ((int32_t *)offsets)[n] = (int32_t)(n * f.n);
        out->children = child;
        tsf_vector_set_validity(out, list_valid);
    }
    return TSF_OK;
}

static QUERY_AGG_FINISH(cont_finish)
{
    return fractions_finish(c, states, stride, n, true, a, out, err);
}

static QUERY_AGG_FINISH(disc_finish)
{
    return fractions_finish(c, states, stride, n, false, a, out, err);
}

/* ---- mode --------------------------------------------------------------------------------------------------------------------- */

static void sort_all(const struct tsf_type *t, uint64_t *v, int64_t n)
{
    switch (t->id) {
    case TSF_TYPE_FLOAT:
    case TSF_TYPE_DOUBLE: qsort(v, (size_t)nans_last((double *)v, n), 8, cmp_f64); break;
    case TSF_TYPE_DECIMAL: qsort(v, (size_t)n, 16, cmp_i128); break;
    case TSF_TYPE_UUID: qsort(v, (size_t)n, 16, cmp_uuid); break;
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY: qsort(v, (size_t)n, 16, cmp_view); break;
    case TSF_TYPE_INTERVAL: qsort(v, (size_t)n, 16, cmp_span); break;
    default: qsort(v, (size_t)n, 8, cmp_i64); break;
    }
}

static bool same(const struct tsf_type *t, const uint64_t *a, const uint64_t *b)
{
    if (tsf_type_is_string(t))
        return tsf_sview_eq((const struct tsf_sview *)a, (const struct tsf_sview *)b);
    return memcmp(a, b, words_of(t) * 8) == 0;
}

/* The value that comes most often, of several the first in order. */
static QUERY_AGG_FINISH(mode_finish)
{
    const struct tsf_type *t = c->args[0]->type;
    size_t words = words_of(t);
    struct query_agg_result r;
    enum tsf_err rc = query_agg_result_init(&r, c->type, n, a, out, err);

    for (int64_t i = 0; rc == TSF_OK && i < n; i++) {
        const struct bag *b = (const struct bag *)(states + (size_t)i * stride);
        int64_t best = 0, best_run = 0, run = 0;
        uint64_t *v;
        if (!b->n)
            continue;
        if (!(v = malloc((size_t)b->n * words * 8)))
            return tsf_fail_nomem(err);
        bag_flatten(b, words, v);
        sort_all(t, v, b->n);
        for (int64_t k = 0; k < b->n; k++) {
            run = k && same(t, v + (size_t)k * words, v + (size_t)(k - 1) * words) ? run + 1 : 1;
            if (run > best_run || (c->order_desc && run == best_run)) {
                best_run = run;
                best = k;
            }
        }
        rc = value_put(t, v + (size_t)best * words, i, r.values, a, err);
        tsf_bit_set(r.valid, i);
        free(v);
    }
    if (rc == TSF_OK)
        query_agg_result_end(&r, out);
    return rc;
}

static const struct query_aggregate agg_cont = { "percentile_cont", sizeof(struct bag), bag_update, bag_combine, cont_finish };
static const struct query_aggregate agg_disc = { "percentile_disc", sizeof(struct bag), bag_update, bag_combine, disc_finish };
static const struct query_aggregate agg_mode = { "mode", sizeof(struct bag), bag_update, bag_combine, mode_finish };
static const struct query_aggregate agg_median = { "median", sizeof(struct bag), bag_update, bag_combine, cont_finish };

static const struct tsf_field double_element = { .name = "element", .type = TSF_T(DOUBLE), .nullable = true, .field_id = -1 };
static const struct tsf_type double_array = { .id = TSF_TYPE_LIST, .n_children = 1, .children = &double_element };

const struct query_agg_entry query_agg_percentiles[] = {
    { "percentile_cont", 2, { TSF_T(DOUBLE), TSF_T(DOUBLE) }, TSF_T(DOUBLE), NULL, true, &agg_cont },
    { "percentile_cont", 2, { TSF_T(INTERVAL), TSF_T(DOUBLE) }, TSF_T(INTERVAL), NULL, true, &agg_cont },
    { "percentile_cont", 2, { TSF_T(DOUBLE), &double_array }, &double_array, NULL, true, &agg_cont },
    { "percentile_disc", 2, { NULL, TSF_T(DOUBLE) }, NULL, query_agg_same_type, true, &agg_disc },
    { "percentile_disc", 2, { NULL, &double_array }, NULL, query_agg_list_type, true, &agg_disc },
    { "mode", 1, { NULL }, NULL, query_agg_same_type, true, &agg_mode },
    { "median", 1, { TSF_T(DOUBLE) }, TSF_T(DOUBLE), NULL, false, &agg_median },
    { "median", 1, { TSF_T(INTERVAL) }, TSF_T(INTERVAL), NULL, false, &agg_median },
    { 0 },
};
