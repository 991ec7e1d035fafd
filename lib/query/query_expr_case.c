/* CASE, COALESCE and IN. See query_expr.c. */
#include "query/query_expr_internal.h"

#include <stdlib.h>

/* ---- a result put together from pieces ------------------------------------------------------------------------ */

struct pieces {
    struct query_eval *ev;
    const struct query_expr *e; /* whose result this is */
    const struct tsf_batch *b;
    void *values;
    uint64_t *valid;
    struct tsf_vector out;
};

static enum tsf_err pieces_begin(struct pieces *p, struct tsf_error *err)
{
    enum tsf_err rc = tsf_vector_alloc(p->e->type, p->b->length, p->ev->arena, &p->out, &p->values, err);

    if (rc != TSF_OK)
        return rc;
    memset(p->values, 0, (size_t)p->b->length * (size_t)tsf_type_width(p->e->type));
    return (p->valid = query_expr_words(p->ev, p->b->length, err)) ? TSF_OK : TSF_ERR_NOMEM;
}

static void pieces_end(struct pieces *p, struct tsf_vector *out)
{
    *out = p->out;
    if (query_expr_count(p->valid, p->b->length) < p->b->length) {
        out->validity = p->valid;
        out->null_count = -1;
    }
}

#define COPY_ROWS(T)                                                                                                   \
    for (int64_t i = 0; i < n; i++)                                                                                    \
        ((T *)p->values)[sel[i]] = ((const T *)v)[dense ? tsf_vector_at(src, i) : tsf_vector_at(src, sel[i])]

/* Rows sel of the result = rows of src: row i for sel[i] (dense), or row sel[i]. NULL rows are left out. */
static void pieces_put(struct pieces *p, const struct tsf_vector *src, const uint32_t *sel, int64_t n, bool dense)
{
    const void *v = tsf_vector_flat_values(src);

    if (src->type->id == TSF_TYPE_NULL || (src->shape == TSF_CONSTANT && !tsf_vector_present(src, 0)))
        return;
    for (int64_t i = 0; i < n; i++)
        if (tsf_vector_present(src, dense ? i : sel[i]))
            tsf_bit_set(p->valid, sel[i]);
    if (src->shape == TSF_DICTIONARY && src->dict->length == 0)
        return;
    switch (tsf_type_width(p->e->type)) {
    case 1: COPY_ROWS(uint8_t); break;
    case 2: COPY_ROWS(uint16_t); break;
    case 4: COPY_ROWS(uint32_t); break;
    case 8: COPY_ROWS(uint64_t); break;
    case 16: COPY_ROWS(tsf_int128); break;
    default: break;
    }
}

#define FILL_ROWS(T)                                                                                                   \
    for (size_t w = 0; w < words; w++) {                                                                               \
        T *at = (T *)p->values + w * 64;                                                                               \
        if (mask[w] == UINT64_MAX)                                                                                     \
            for (int k = 0; k < 64; k++)                                                                               \
                at[k] = *(const T *)value;                                                                             \
        else                                                                                                           \
            for (uint64_t x = mask[w]; x; x &= x - 1)                                                                  \
                at[__builtin_ctzll(x)] = *(const T *)value;                                                            \
    }

/* One value for all rows of mask. */
static enum tsf_err constant_put(struct pieces *p, const struct query_expr *piece, const uint64_t *mask, struct tsf_error *err)
{
    size_t words = tsf_bit_words(p->b->length);
    const void *value;
    struct tsf_vector v;
    enum tsf_err rc;

    if (piece->value.is_null)
        return TSF_OK;
    if ((rc = tsf_vector_constant(&piece->value, 1, p->ev->arena, &v, err)) != TSF_OK)
        return rc;
    value = v.values;
    for (size_t w = 0; w < words; w++)
        p->valid[w] |= mask[w];
    switch (tsf_type_width(p->e->type)) {
    case 1: FILL_ROWS(uint8_t) break;
    case 2: FILL_ROWS(uint16_t) break;
    case 4: FILL_ROWS(uint32_t) break;
    case 8: FILL_ROWS(uint64_t) break;
    default: FILL_ROWS(tsf_int128) break;
    }
    return TSF_OK;
}

/* Evaluate piece over the rows of mask and put it there. */
static enum tsf_err piece_eval(struct pieces *p, const struct query_expr *piece, const uint64_t *mask, struct tsf_error *err)
{
    int64_t n = p->b->length, m = query_expr_count(mask, n);
    struct tsf_vector v;
    struct tsf_batch sub;
    uint32_t *sel;
    enum tsf_err rc;

    if (m == 0)
        return TSF_OK;
    if (piece->kind == QUERY_CONST)
        return constant_put(p, piece, mask, err);
    if (piece->kind != QUERY_COLUMN && (m * 4 < n || !query_expr_safe(piece)) && m < n) {
        if ((rc = query_expr_gather(p->ev, piece, p->b, mask, &sub, &sel, err)) != TSF_OK ||
            (rc = query_eval(p->ev, piece, &sub, &v, err)) != TSF_OK)
            return rc;
        pieces_put(p, &v, sel, m, true);
        return TSF_OK;
    }
    if (!(sel = tsf_arena_alloc(p->ev->arena, 4 * (size_t)(n + 64))))
        return tsf_fail_nomem(err);
    m = query_kernels()->mask_sel(mask, n, sel);
    if ((rc = query_eval(p->ev, piece, p->b, &v, err)) != TSF_OK)
        return rc;
    pieces_put(p, &v, sel, m, false);
    return TSF_OK;
}

/* ---- CASE -------------------------------------------------------------------------------------------------------- */

/* WHEN ... THEN 'a' WHEN ... THEN 'b': codes into a dictionary of the results, which the evaluator keeps. */
static bool case_of_strings(const struct query_expr *e)
{
    if (e->type->id != TSF_TYPE_STRING)
        return false;
    for (int i = 1; i <= e->n_args; i += 2) {
        const struct query_expr *r = e->args[TSF_MIN(i, e->n_args - 1)];
        if (r->kind != QUERY_CONST)
            return false;
    }
    return true;
}

struct case_state {
    struct tsf_vector dict; /* entry k: result of branch k; NULL results have no entry that counts */
    uint64_t dict_id;
};

static enum tsf_err case_dictionary(struct query_eval *ev, const struct query_expr *e, struct case_state **out, struct tsf_error *err)
{
    struct query_slot *slot = query_slot_get(ev, e->id, err);
    int n = e->n_args / 2 + 1;
    struct tsf_sview *v;
    struct case_state *s;
    void *values;

    if (!slot)
        return TSF_ERR_NOMEM;
    if (!slot->state) {
        s = tsf_arena_calloc(&ev->keep, 1, sizeof *s);
        if (!s || tsf_vector_alloc(e->type, n, &ev->keep, &s->dict, &values, err) != TSF_OK)
            return tsf_fail_nomem(err);
        v = values;
        for (int k = 0; k < n; k++) {
            const struct query_expr *r = e->args[TSF_MIN(2 * k + 1, e->n_args - 1)];
            v[k] = r->value.is_null ? tsf_sview_make("", 0) : tsf_sview_make(r->value.u.s.data, r->value.u.s.len);
        }
        s->dict_id = tsf_dict_id_new();
        slot->state = s;
    }
    *out = slot->state;
    return TSF_OK;
}

static void codes_put(struct pieces *p, const struct query_expr *r, int code, const uint64_t *mask)
{
    int32_t *codes = p->values;

    if (r->value.is_null)
        return;
    for (size_t w = 0; w < tsf_bit_words(p->b->length); w++) {
        for (uint64_t x = mask[w]; x; x &= x - 1)
            codes[w * 64 + (size_t)__builtin_ctzll(x)] = code;
        p->valid[w] |= mask[w];
    }
}

enum tsf_err query_expr_case(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b, struct tsf_vector *out,
                             struct tsf_error *err)
{
    struct pieces p = { .ev = ev, .e = e, .b = b };
    bool strings = case_of_strings(e);
    struct case_state *s = NULL;
    size_t words = tsf_bit_words(b->length);
    uint64_t *left = query_expr_words(ev, b->length, err), *t = query_expr_words(ev, b->length, err);
    uint64_t *nul = query_expr_words(ev, b->length, err);
    enum tsf_err rc;

    if (!left || !t || !nul)
        return TSF_ERR_NOMEM;
    if (e->type->n_children)
        return tsf_fail_sql(err, "0A000", e->location, "CASE over arrays is not supported");
    if (strings && (rc = case_dictionary(ev, e, &s, err)) != TSF_OK)
        return rc;
    if ((rc = pieces_begin(&p, err)) != TSF_OK)
        return rc;
    query_expr_all(left, b->length);
    for (int i = 0; i + 1 < e->n_args; i += 2) {
        memset(t, 0, 8 * words);
        memset(nul, 0, 8 * words);
        if ((rc = query_expr_bits(ev, e->args[i], b, i ? left : NULL, true, t, nul, err)) != TSF_OK)
            return rc;
        if (strings)
            codes_put(&p, e->args[i + 1], i / 2, t);
        else if ((rc = piece_eval(&p, e->args[i + 1], t, err)) != TSF_OK)
            return rc;
        for (size_t w = 0; w < words; w++)
            left[w] &= ~t[w];
    }
    if (strings)
        codes_put(&p, e->args[e->n_args - 1], e->n_args / 2, left);
    else if ((rc = piece_eval(&p, e->args[e->n_args - 1], left, err)) != TSF_OK)
        return rc;
    pieces_end(&p, out);
    if (strings) {
        out->shape = TSF_DICTIONARY;
        out->dict = &s->dict;
        out->dict_id = s->dict_id;
    }
    return TSF_OK;
}

/* ---- COALESCE ------------------------------------------------------------------------------------------------------ */

/* coalesce(dictionary column, 'constant'): the constant becomes one more entry. */
static enum tsf_err coalesce_dictionary(struct query_eval *ev, const struct query_expr *e, const struct tsf_vector *v,
                                        struct tsf_vector *out, struct tsf_error *err)
{
    struct query_slot *s = query_slot_get(ev, e->id, err);
    int64_t n = v->length, entries = v->dict->length;
    int32_t *codes = tsf_arena_alloc(ev->arena, 4 * (size_t)n + TSF_PAD);
    struct tsf_vector *dict = tsf_arena_alloc(ev->arena, sizeof *dict);
    const int32_t *from = v->values;
    void *values;
    enum tsf_err rc;

    if (!s || !codes || !dict)
        return tsf_fail_nomem(err);
    if (!s->ready || s->dict_id != v->dict_id || s->result.length != entries + 1) {
        tsf_arena_reset(&s->arena);
        s->ready = false;
        if ((rc = tsf_vector_alloc(e->type, entries + 1, &s->arena, &s->result, &values, err)) != TSF_OK)
            return rc;
        memcpy(values, v->dict->values, 16 * (size_t)entries);
        ((struct tsf_sview *)values)[entries] = tsf_sview_make(e->args[1]->value.u.s.data, e->args[1]->value.u.s.len);
        s->dict_id = v->dict_id;
        s->out_id = tsf_dict_id_new();
        s->ready = true;
    }
    for (int64_t i = 0; i < n; i++)
        codes[i] = tsf_bit_get(v->validity, i) ? from[i] : (int32_t)entries;
    *dict = s->result;
    *out = *v;
    out->values = codes;
    out->validity = NULL;
    out->null_count = 0;
    out->dict = dict;
    out->dict_id = s->out_id;
    return TSF_OK;
}

enum tsf_err query_expr_coalesce(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b,
                                 struct tsf_vector *out, struct tsf_error *err)
{
    struct pieces p = { .ev = ev, .e = e, .b = b };
    struct tsf_vector first;
    uint32_t *sel = tsf_arena_alloc(ev->arena, 4 * (size_t)(b->length + 64));
    uint64_t *left = query_expr_words(ev, b->length, err);
    enum tsf_err rc;

    if (!sel || !left)
        return tsf_fail_nomem(err);
    if ((rc = query_eval(ev, e->args[0], b, &first, err)) != TSF_OK)
        return rc;
    if (!first.validity && first.type->id != TSF_TYPE_NULL) {
        *out = first;
        return TSF_OK;
    }
    if (e->type->n_children)
        return tsf_fail_sql(err, "0A000", e->location, "COALESCE over arrays is not supported");
    if (e->n_args == 2 && first.shape == TSF_DICTIONARY && first.dict_id && e->type->id == TSF_TYPE_STRING &&
        e->args[1]->kind == QUERY_CONST && !e->args[1]->value.is_null)
        return coalesce_dictionary(ev, e, &first, out, err);
    if ((rc = pieces_begin(&p, err)) != TSF_OK)
        return rc;
    query_expr_all(left, b->length);
    pieces_put(&p, &first, sel, query_kernels()->mask_sel(left, b->length, sel), false);
    for (int i = 1; i < e->n_args; i++) {
        for (size_t w = 0; w < tsf_bit_words(b->length); w++)
            left[w] &= ~p.valid[w];
        if ((rc = piece_eval(&p, e->args[i], left, err)) != TSF_OK)
            return rc;
    }
    pieces_end(&p, out);
    return TSF_OK;
}

/* ---- IN ------------------------------------------------------------------------------------------------------------- */

/* Open addressing over the constants; number entries by value, strings by view. */
struct in_set {
    bool has_null, numbers, strings;
    int64_t n;
    uint64_t mask;            /* table size - 1 */
    uint8_t *full;
    int64_t *keys;            /* numbers */
    struct tsf_sview *views;  /* strings */
    const struct tsf_value **values; /* other types: compared one by one */
};

static uint64_t view_hash(const struct tsf_sview *v)
{
    uint64_t a, b;
    if (v->len > TSF_SVIEW_INLINE)
        return tsf_hash(v->u.ref.ptr, v->len, 0);
    memcpy(&a, v, 8), memcpy(&b, (const char *)v + 8, 8);
    return tsf_hash_u64(a * 0x9e3779b97f4a7c15ULL ^ b);
}

static int64_t number_of(const struct tsf_value *v)
{
    return v->type->id == TSF_TYPE_BOOL ? v->u.b : v->u.i64;
}

static void set_add(struct in_set *s, const struct tsf_value *v)
{
    struct tsf_sview view = { 0 };
    uint64_t i;

    if (s->numbers) {
        i = tsf_hash_u64((uint64_t)number_of(v));
    } else {
        view = tsf_sview_make(v->u.s.data, v->u.s.len);
        i = view_hash(&view);
    }
    for (i &= s->mask; s->full[i]; i = (i + 1) & s->mask)
        if (s->numbers ? s->keys[i] == number_of(v) : tsf_sview_eq(&s->views[i], &view))
            return;
    s->full[i] = 1;
    if (s->numbers)
        s->keys[i] = number_of(v);
    else
        s->views[i] = view;
}

static enum tsf_err set_build(struct query_eval *ev, const struct query_expr *e, struct in_set **out, struct tsf_error *err)
{
    const struct tsf_type *t = e->args[0]->type;
    struct in_set *s = tsf_arena_calloc(&ev->keep, 1, sizeof *s);
    uint64_t size = 8;

    while (size < 2 * (uint64_t)e->n_args)
        size *= 2;
    if (!s)
        return tsf_fail_nomem(err);
    s->numbers = query_num_of(t) >= 0 && t->id != TSF_TYPE_FLOAT && t->id != TSF_TYPE_DOUBLE;
    s->strings = tsf_type_is_string(t);
    s->mask = size - 1;
    s->full = tsf_arena_calloc(&ev->keep, size, 1);
    s->keys = s->numbers ? tsf_arena_calloc(&ev->keep, size, 8) : NULL;
    s->views = s->strings ? tsf_arena_calloc(&ev->keep, size, 16) : NULL;
    s->values = tsf_arena_calloc(&ev->keep, (size_t)e->n_args, sizeof(void *));
    if (!s->full || !s->values || (s->numbers && !s->keys) || (s->strings && !s->views))
        return tsf_fail_nomem(err);
    for (int i = 1; i < e->n_args; i++) {
        const struct tsf_value *v = &e->args[i]->value;
        if (e->args[i]->kind != QUERY_CONST)
            return tsf_fail_sql(err, "XX000", e->location, "IN list holds more than constants");
        if (v->is_null)
            s->has_null = true;
        else if (s->numbers || s->strings)
            set_add(s, v);
        if (!v->is_null)
            s->values[s->n++] = v;
    }
    *out = s;
    return TSF_OK;
}

#define PROBE_NUMBERS(T)                                                                                               \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        int64_t x = ((const T *)v->values)[i];                                                                         \
        uint64_t h = tsf_hash_u64((uint64_t)x) & s->mask;                                                              \
        while (s->full[h] && s->keys[h] != x)                                                                          \
            h = (h + 1) & s->mask;                                                                                     \
        r[i] = s->full[h];                                                                                             \
    }

/* A handful of numbers: as many passes of a vectorized comparison. */
static void probe_few(const struct in_set *s, const struct tsf_vector *v, int64_t n, uint8_t *r)
{
    struct tsf_vector c = { .type = v->type, .shape = TSF_CONSTANT };
    uint8_t t[1024];

    for (int64_t at = 0; at < n; at += 1024) {
        int64_t m = TSF_MIN(n - at, 1024);
        struct tsf_vector part = *v;
        part.values = (const char *)v->values + at * tsf_type_width(v->type);
        for (int64_t k = 0; k < s->n; k++) {
            int64_t x = number_of(s->values[k]);
            c.values = &x; /* little-endian: any width reads its low bytes */
            query_compare_bytes(QUERY_CMP_EQ, &part, &c, m, k ? t : r + at);
            for (int64_t i = 0; k && i < m; i++)
                r[at + i] |= t[i];
        }
    }
}

static void probe_views(const struct in_set *s, const struct tsf_sview *v, int64_t n, uint8_t *r)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t h = view_hash(&v[i]) & s->mask;
        while (s->full[h] && !tsf_sview_eq(&s->views[h], &v[i]))
            h = (h + 1) & s->mask;
        r[i] = s->full[h];
    }
}

static enum tsf_err probe_values(struct query_eval *ev, const struct in_set *s, const struct tsf_vector *v, int64_t n, uint8_t *r,
                                 struct tsf_error *err)
{
    struct tsf_value x;
    enum tsf_err rc;

    for (int64_t i = 0; i < n; i++) {
        r[i] = 0;
        if (!tsf_vector_present(v, i))
            continue;
        if ((rc = tsf_vector_get(v, i, ev->arena, &x, err)) != TSF_OK)
            return rc;
        for (int64_t k = 0; k < s->n && !r[i]; k++)
            r[i] = tsf_value_cmp(&x, s->values[k]) == 0;
    }
    return TSF_OK;
}

/* x IN (..., NULL) is unknown where nothing matches. */
static enum tsf_err in_validity(struct query_eval *ev, const struct in_set *s, const struct tsf_vector *v, int64_t n, const uint8_t *r,
                                struct tsf_vector *out, struct tsf_error *err)
{
    uint64_t *valid;

    if (!s->has_null) {
        out->validity = s->n ? v->validity : NULL; /* an empty list knows its answer even for NULL */
        out->null_count = out->validity ? -1 : 0;
        return TSF_OK;
    }
    if (!(valid = query_expr_words(ev, n, err)))
        return TSF_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        if (r[i] && tsf_vector_present(v, i))
            tsf_bit_set(valid, i);
    out->validity = valid;
    out->null_count = -1;
    return TSF_OK;
}

enum tsf_err query_expr_in(struct query_eval *ev, const struct query_expr *e, const struct tsf_vector *v, int64_t n,
                           struct tsf_vector *out, struct tsf_error *err)
{
    struct query_slot *slot = query_slot_get(ev, e->id, err);
    struct in_set *s;
    void *values;
    uint8_t *r;
    enum tsf_err rc = TSF_OK;

    if (!slot)
        return TSF_ERR_NOMEM;
    if (!(s = slot->state)) {
        if ((rc = set_build(ev, e, &s, err)) != TSF_OK)
            return rc;
        slot->state = s;
    }
    if (v->shape == TSF_CONSTANT && v->validity && n == 1 && s->n > 0 && !tsf_bit_get(v->validity, 0))
        return query_expr_null_constant(ev, e->type, n, out, err);
    if ((rc = tsf_vector_alloc(e->type, n, ev->arena, out, &values, err)) != TSF_OK)
        return rc;
    r = values;
    if (v->type->id == TSF_TYPE_NULL || s->n == 0)
        memset(r, 0, (size_t)n);
    else if (s->numbers && s->n <= 6)
        probe_few(s, v, n, r);
    else if (s->numbers)
        switch (tsf_type_width(v->type)) {
        case 1: PROBE_NUMBERS(int8_t) break;
        case 2: PROBE_NUMBERS(int16_t) break;
        case 4: PROBE_NUMBERS(int32_t) break;
        default: PROBE_NUMBERS(int64_t) break;
        }
    else if (s->strings)
        probe_views(s, v->values, n, r);
    else if ((rc = probe_values(ev, s, v, n, r, err)) != TSF_OK)
        return rc;
    if ((rc = in_validity(ev, s, v, n, r, out, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; e->negated && i < n; i++)
        r[i] ^= 1;
    return TSF_OK;
}
