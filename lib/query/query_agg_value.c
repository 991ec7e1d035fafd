/* Aggregates that keep values: min and max of strings, first, last, string_agg, array_agg. */
#include "query/query_agg_internal.h"

/* ---- min and max of strings ------------------------------------------------------------------------------------ */

struct extreme {
    struct query_agg_cell cell;
};

/*
 * Without groups the batch's own extreme is found first and copied once; with groups a row that improves is copied at once.
 */
static enum tsf_err string_extreme(int sign, const struct query_agg_rows *r, const struct tsf_vector *v, struct tsf_arena *mem,
                                   struct tsf_error *err)
{
    const struct tsf_sview *vals = r->values;
    int64_t best = -1, i;
    enum tsf_err rc = TSF_OK;

    for (int64_t w = 0; w < (r->n + 63) / 64; w++) {
        uint64_t bits = r->mask ? r->mask[w] : w == r->n / 64 ? (1ULL << (r->n & 63)) - 1 : UINT64_MAX;
        for (; rc == TSF_OK && bits; bits &= bits - 1) {
            const struct tsf_sview *x;
            struct extreme *s;
            struct tsf_sview old;
            i = w * 64 + __builtin_ctzll(bits);
            x = &vals[QUERY_AGG_AT(r, i)];
            if (!r->groups) {
                if (best < 0 || sign * tsf_sview_cmp(x, &vals[QUERY_AGG_AT(r, best)]) < 0)
                    best = i;
                continue;
            }
            s = (struct extreme *)(r->states + r->groups[i] * r->stride);
            old = query_agg_cell_view(&s->cell);
            if (!s->cell.state || sign * tsf_sview_cmp(x, &old) < 0)
                rc = query_agg_cell_set(&s->cell, v, i, mem, err);
        }
    }
    if (rc == TSF_OK && best >= 0) {
        struct extreme *s = (struct extreme *)r->states;
        struct tsf_sview old = query_agg_cell_view(&s->cell);
        if (!s->cell.state || sign * tsf_sview_cmp(&vals[QUERY_AGG_AT(r, best)], &old) < 0)
            rc = query_agg_cell_set(&s->cell, v, best, mem, err);
    }
    return rc;
}

static enum tsf_err extreme_update(int sign, const struct tsf_vector *v, const uint64_t *filter, uint8_t *states, size_t stride,
                                   const uint32_t *groups, int64_t n, struct tsf_arena *mem, struct tsf_error *err)
{
    struct query_agg_rows r;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, v, filter, states, stride, groups, n, mem, &any, err);

    return rc == TSF_OK && any ? string_extreme(sign, &r, v, mem, err) : rc;
}

static QUERY_AGG_UPDATE(min_update)
{
    return extreme_update(1, &args[0], filter, states, stride, groups, n, mem, err);
}

static QUERY_AGG_UPDATE(max_update)
{
    return extreme_update(-1, &args[0], filter, states, stride, groups, n, mem, err);
}

/* The bytes of src stay alive, so cells move as they are. */
static void extreme_combine(int sign, uint8_t *dst, uint8_t *src, size_t stride, const uint32_t *map, int64_t n_groups)
{
    QUERY_AGG_PAIRS(struct extreme) {
        struct tsf_sview x = query_agg_cell_view(&s->cell), y = query_agg_cell_view(&d->cell);
        if (s->cell.state && (!d->cell.state || sign * tsf_sview_cmp(&x, &y) < 0))
            *d = *s;
    }
}

static QUERY_AGG_COMBINE(min_combine)
{
    extreme_combine(1, dst, src, stride, map, n_groups);
    return TSF_OK;
}

static QUERY_AGG_COMBINE(max_combine)
{
    extreme_combine(-1, dst, src, stride, map, n_groups);
    return TSF_OK;
}

/* Strings are copied out: states may go before the result does. */
static enum tsf_err cell_put(const struct query_agg_cell *cell, const struct tsf_type *t, int64_t i, struct query_agg_result *r,
                             struct tsf_arena *a, struct tsf_error *err)
{
    size_t width = (size_t)tsf_type_width(t);
    struct tsf_sview v;

    if (cell->state != 2)
        return TSF_OK;
    memcpy((char *)r->values + (size_t)i * width, cell->raw, width);
    tsf_bit_set(r->valid, i);
    if (!tsf_type_is_string(t))
        return TSF_OK;
    v = query_agg_cell_view(cell);
    if (v.len > TSF_SVIEW_INLINE) {
        char *p = tsf_arena_memdup(a, v.u.ref.ptr, v.len);
        if (!p)
            return tsf_fail_nomem(err);
        ((struct tsf_sview *)r->values)[i] = tsf_sview_make(p, v.len);
    }
    return TSF_OK;
}

static QUERY_AGG_FINISH(extreme_finish)
{
    struct query_agg_result r;
    enum tsf_err rc = query_agg_result_init(&r, c->type, n, a, out, err);

    for (int64_t i = 0; rc == TSF_OK && i < n; i++)
        rc = cell_put(&((const struct extreme *)(states + (size_t)i * stride))->cell, c->type, i, &r, a, err);
    if (rc == TSF_OK)
        query_agg_result_end(&r, out);
    return rc;
}
static const struct query_aggregate agg_min = { "min", sizeof(struct extreme), min_update, min_combine, extreme_finish };
static const struct query_aggregate agg_max = { "max", sizeof(struct extreme), max_update, max_combine, extreme_finish };

/* ---- first(value, by), last(value, by) -------------------------------------------------------------------------------- */

struct edge {
    struct query_agg_cell value, by;
};

/* The order of fixed-width and string keys, from their bytes. */
static int key_cmp(const struct tsf_type *t, const void *a, const void *b)
{
    int num = query_num_of(t);

    switch (num) {
#define CMP(T)                                                                                                         \
    {                                                                                                                  \
        T x, y;                                                                                                        \
        memcpy(&x, a, sizeof x), memcpy(&y, b, sizeof y);                                                              \
        return (x > y) - (x < y);                                                                                      \
    }
    case QUERY_U8: CMP(uint8_t)
    case QUERY_I8: CMP(int8_t)
    case QUERY_I16: CMP(int16_t)
    case QUERY_I32: CMP(int32_t)
    case QUERY_I64: CMP(int64_t)
    case QUERY_F32: {
        float x, y;
        memcpy(&x, a, 4), memcpy(&y, b, 4);
        return x != x || y != y ? (x != x) - (y != y) : (x > y) - (x < y);
    }
    case QUERY_F64: {
        double x, y;
        memcpy(&x, a, 8), memcpy(&y, b, 8);
        return x != x || y != y ? (x != x) - (y != y) : (x > y) - (x < y);
    }
    default: break;
    }
    if (t->id == TSF_TYPE_DECIMAL)
        CMP(tsf_int128)
#undef CMP
    if (tsf_type_is_string(t)) {
        struct tsf_sview x, y;
        memcpy(&x, a, 16), memcpy(&y, b, 16);
        return tsf_sview_cmp(&x, &y);
    }
    return memcmp(a, b, 16);
}

static enum tsf_err edge_rows(int sign, const struct query_agg_rows *r, const struct tsf_vector *args, struct tsf_arena *mem,
                              struct tsf_error *err)
{
    const struct tsf_type *t = args[1].type;
    size_t width = (size_t)tsf_type_width(t);
    enum tsf_err rc = TSF_OK;

    for (int64_t w = 0; w < (r->n + 63) / 64; w++) {
        uint64_t bits = r->mask ? r->mask[w] : w == r->n / 64 ? (1ULL << (r->n & 63)) - 1 : UINT64_MAX;
        for (; rc == TSF_OK && bits; bits &= bits - 1) {
            int64_t i = w * 64 + __builtin_ctzll(bits);
            struct edge *s = (struct edge *)(r->states + (r->groups ? r->groups[i] * r->stride : 0));
            const char *x = (const char *)r->values + (size_t)QUERY_AGG_AT(r, i) * width;
            if (s->by.state && sign * key_cmp(t, x, s->by.raw) >= 0)
                continue;
            if ((rc = query_agg_cell_set(&s->by, &args[1], i, mem, err)) == TSF_OK)
                rc = query_agg_cell_set(&s->value, &args[0], i, mem, err);
        }
    }
    return rc;
}

static enum tsf_err edge_update(int sign, const struct tsf_vector *args, const uint64_t *filter, uint8_t *states, size_t stride,
                                const uint32_t *groups, int64_t n, struct tsf_arena *mem, struct tsf_error *err)
{
    struct query_agg_rows r;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, &args[1], filter, states, stride, groups, n, mem, &any, err);

    return rc == TSF_OK && any ? edge_rows(sign, &r, args, mem, err) : rc;
}

static QUERY_AGG_UPDATE(first_update)
{
    return edge_update(1, args, filter, states, stride, groups, n, mem, err);
}

static QUERY_AGG_UPDATE(last_update)
{
    return edge_update(-1, args, filter, states, stride, groups, n, mem, err);
}

static void edge_combine(int sign, const struct tsf_type *t, uint8_t *dst, uint8_t *src, size_t stride, const uint32_t *map,
                         int64_t n_groups)
{
    QUERY_AGG_PAIRS(struct edge)
        if (s->by.state && (!d->by.state || sign * key_cmp(t, s->by.raw, d->by.raw) < 0))
            *d = *s;
}

static QUERY_AGG_COMBINE(first_combine)
{
    edge_combine(1, c->args[1]->type, dst, src, stride, map, n_groups);
    return TSF_OK;
}

static QUERY_AGG_COMBINE(last_combine)
{
    edge_combine(-1, c->args[1]->type, dst, src, stride, map, n_groups);
    return TSF_OK;
}

static QUERY_AGG_FINISH(edge_finish)
{
    struct query_agg_result r;
    enum tsf_err rc = query_agg_result_init(&r, c->type, n, a, out, err);

    for (int64_t i = 0; rc == TSF_OK && i < n; i++)
        rc = cell_put(&((const struct edge *)(states + (size_t)i * stride))->value, c->type, i, &r, a, err);
    if (rc == TSF_OK)
        query_agg_result_end(&r, out);
    return rc;
}
static const struct query_aggregate agg_first = { "first", sizeof(struct edge), first_update, first_combine, edge_finish };
static const struct query_aggregate agg_last = { "last", sizeof(struct edge), last_update, last_combine, edge_finish };

static const struct tsf_type *edge_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return args[0]->type->n_children ? NULL : args[0]->type;
}

/* ---- string_agg ----------------------------------------------------------------------------------------------------------- */

struct text {
    char *p;
    uint32_t len, cap;
    uint32_t any;
    uint32_t delim; /* length of the delimiter that stands in front: it goes when nothing is before */
};

static enum tsf_err text_append(struct text *t, const char *p, size_t n, struct tsf_arena *mem, struct tsf_error *err)
{
    size_t need = t->len + n;

    if (need > 1U << 30)
        return tsf_fail_sql(err, "54000", -1, "string_agg: result is longer than 1 GiB");
    if (need > t->cap) {
        size_t cap = TSF_MAX(need, (size_t)t->cap * 2);
        char *more = tsf_arena_alloc(mem, TSF_MAX(cap, (size_t)64));
        if (!more)
            return tsf_fail_nomem(err);
        if (t->len)
            memcpy(more, t->p, t->len);
        t->p = more;
        t->cap = (uint32_t)TSF_MAX(cap, (size_t)64);
    }
    if (n)
        memcpy(t->p + t->len, p, n);
    t->len = (uint32_t)need;
    return TSF_OK;
}

static QUERY_AGG_UPDATE(string_update)
{
    struct query_agg_rows r;
    bool any;
    enum tsf_err rc = query_agg_rows_init(&r, &args[0], filter, states, stride, groups, n, mem, &any, err);

    for (int64_t i = 0; rc == TSF_OK && any && i < n; i++) {
        const struct tsf_sview *x = (const struct tsf_sview *)r.values + QUERY_AGG_AT(&r, i);
        struct text *t = (struct text *)(states + (groups ? groups[i] * stride : 0));
        if (r.mask && !tsf_bit_get(r.mask, i))
            continue;
        if (tsf_vector_present(&args[1], i)) {
            const struct tsf_sview *d = (const struct tsf_sview *)tsf_vector_flat_values(&args[1]) + tsf_vector_at(&args[1], i);
            if (!t->any)
                t->delim = d->len;
            rc = text_append(t, tsf_sview_data(d), d->len, mem, err);
        }
        t->any = 1;
        if (rc == TSF_OK)
            rc = text_append(t, tsf_sview_data(x), x->len, mem, err);
    }
    return rc;
}

static QUERY_AGG_COMBINE(string_combine)
{
    QUERY_AGG_PAIRS(struct text) {
        enum tsf_err rc;
        if (!s->any)
            continue;
        if (!d->any) {
            *d = *s;
            continue;
        }
        if ((rc = text_append(d, s->p, s->len, mem, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static QUERY_AGG_FINISH(string_finish)
{
    struct query_agg_result r;
    enum tsf_err rc = query_agg_result_init(&r, c->type, n, a, out, err);

    for (int64_t i = 0; rc == TSF_OK && i < n; i++) {
        const struct text *t = (const struct text *)(states + (size_t)i * stride);
        char *p;
        if (!t->any)
            continue;
        if (!(p = tsf_arena_memdup(a, t->len ? t->p + t->delim : "", t->len - t->delim)))
            return tsf_fail_nomem(err);
        ((struct tsf_sview *)r.values)[i] = tsf_sview_make(p, t->len - t->delim);
        tsf_bit_set(r.valid, i);
    }
    if (rc == TSF_OK)
        query_agg_result_end(&r, out);
    return rc;
}
static const struct query_aggregate agg_string = { "string_agg", sizeof(struct text), string_update, string_combine, string_finish };

/* ---- array_agg --------------------------------------------------------------------------------------------------------------- */

/* Values in a list of chunks, so that a long list is never copied while it grows. */
struct chunk {
    struct chunk *next;
    uint32_t n, cap;
    uint8_t *valid; /* a byte per value */
    uint8_t data[];
};
struct list {
    struct chunk *first, *last;
    int64_t n;
};

static enum tsf_err list_add(struct list *l, const struct tsf_vector *v, int64_t row, size_t width, struct tsf_arena *mem,
                             struct tsf_error *err)
{
    const char *at = (const char *)tsf_vector_flat_values(v) + (size_t)tsf_vector_at(v, row) * width;
    struct chunk *k = l->last;

    if (!k || k->n == k->cap) {
        uint32_t cap = k ? TSF_MIN(k->cap * 2, 65536) : 4;
        if (!(k = tsf_arena_alloc(mem, sizeof *k + cap * (width + 1))))
            return tsf_fail_nomem(err);
        *k = (struct chunk){ .cap = cap };
        k->valid = k->data + cap * width;
        if (l->last)
            l->last->next = k;
        else
            l->first = k;
        l->last = k;
    }
    k->valid[k->n] = tsf_vector_present(v, row);
    memset(k->data + k->n * width, 0, width);
    if (k->valid[k->n]) {
        const struct tsf_sview *s = (const struct tsf_sview *)at;
        memcpy(k->data + k->n * width, at, width);
        if (tsf_type_is_string(v->type) && s->len > TSF_SVIEW_INLINE) {
            char *p = tsf_arena_memdup(mem, s->u.ref.ptr, s->len);
            struct tsf_sview own;
            if (!p)
                return tsf_fail_nomem(err);
            own = tsf_sview_make(p, s->len);
            memcpy(k->data + k->n * width, &own, 16);
        }
    }
    k->n++;
    l->n++;
    return TSF_OK;
}

static QUERY_AGG_UPDATE(array_update)
{
    size_t width = (size_t)tsf_type_width(args[0].type);
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; rc == TSF_OK && i < n; i++)
        if (!filter || tsf_bit_get(filter, i))
            rc = list_add((struct list *)(states + (groups ? groups[i] * stride : 0)), &args[0], i, width, mem, err);
    return rc;
}

static QUERY_AGG_COMBINE(array_combine)
{
    QUERY_AGG_PAIRS(struct list) {
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

static enum tsf_err array_child(const struct query_agg_call *c, uint8_t *states, size_t stride, int64_t n, int64_t total,
                                int32_t *offsets, struct tsf_arena *a, struct tsf_vector *child, struct tsf_error *err)
{
    const struct tsf_type *t = c->type->children[0].type;
    size_t width = (size_t)tsf_type_width(t);
    struct query_agg_result r;
    int64_t at = 0;
    enum tsf_err rc = query_agg_result_init(&r, t, total, a, child, err);

    if (rc != TSF_OK)
        return rc;
    for (int64_t i = 0; i < n; i++) {
        const struct list *l = (const struct list *)(states + (size_t)i * stride);
        int64_t left = l->n;
        offsets[i] = (int32_t)at;
        for (const struct chunk *k = l->first; k && left > 0; k = k->next) {
            memcpy((char *)r.values + (size_t)at * width, k->data, k->n * width);
            for (uint32_t j = 0; j < k->n; j++)
                tsf_bit_put(r.valid, at + j, k->valid[j]);
            at += k->n;
            left -= k->n;
        }
    }
    offsets[n] = (int32_t)at;
    if (tsf_type_is_string(t)) { /* out of the states' memory */
        struct tsf_vector own;
        query_agg_result_end(&r, child);
        if ((rc = tsf_vector_copy(child, a, &own, err)) == TSF_OK)
            *child = own;
        return rc;
    }
    query_agg_result_end(&r, child);
    return TSF_OK;
}

static QUERY_AGG_FINISH(array_finish)
{
    struct tsf_vector *child = tsf_arena_calloc(a, 1, sizeof *child);
    uint64_t *valid = tsf_arena_calloc(a, tsf_bit_words(n) + 1, 8);
    int64_t total = 0;
    void *offsets;
    enum tsf_err rc = tsf_vector_alloc(c->type, n, a, out, &offsets, err);

    if (rc != TSF_OK || !child || !valid)
        return rc != TSF_OK ? rc : tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        int64_t k = ((const struct list *)(states + (size_t)i * stride))->n;
        total += k;
        tsf_bit_put(valid, i, k > 0);
    }
    if (total > INT32_MAX)
        return tsf_fail_sql(err, "54000", -1, "array_agg: more than %d elements", INT32_MAX);
    if ((rc = array_child(c, states, stride, n, total, offsets, a, child, err)) != TSF_OK)
        return rc;
    out->children = child;
    tsf_vector_set_validity(out, valid);
    return TSF_OK;
}
static const struct query_aggregate agg_array = { "array_agg", sizeof(struct list), array_update, array_combine, array_finish };

static const struct tsf_type *array_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return args[0]->type->n_children || args[0]->type->id == TSF_TYPE_NULL ? NULL : query_agg_list_type(args, n, a);
}

const struct query_agg_entry query_agg_values[] = {
    { "min", 1, { TSF_T(STRING) }, NULL, query_agg_same_type, false, &agg_min },
    { "max", 1, { TSF_T(STRING) }, NULL, query_agg_same_type, false, &agg_max },
    { "min", 1, { TSF_T(BINARY) }, NULL, query_agg_same_type, false, &agg_min },
    { "max", 1, { TSF_T(BINARY) }, NULL, query_agg_same_type, false, &agg_max },
    { "first", 2, { NULL, NULL }, NULL, edge_type, false, &agg_first },
    { "last", 2, { NULL, NULL }, NULL, edge_type, false, &agg_last },
    { "string_agg", 2, { TSF_T(STRING), TSF_T(STRING) }, TSF_T(STRING), NULL, false, &agg_string },
    { "array_agg", 1, { NULL }, NULL, array_type, false, &agg_array },
    { 0 },
};
