/* Three-valued logic on bitmaps, and filters. See query_expr.c. */
#include "query/query_expr_internal.h"

static void columns_used(const struct query_expr *e, bool *used)
{
    if (e->kind == QUERY_COLUMN)
        used[e->column] = true;
    for (int i = 0; i < e->n_args; i++)
        columns_used(e->args[i], used);
}

enum tsf_err query_expr_gather(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b, const uint64_t *live,
                               struct tsf_batch *sub, uint32_t **sel_out, struct tsf_error *err)
{
    uint32_t *sel = tsf_arena_alloc(ev->arena, 4 * (size_t)(b->length + 64));
    bool *used = tsf_arena_calloc(ev->arena, (size_t)b->n_columns + 1, 1);
    enum tsf_err rc;

    *sub = (struct tsf_batch){ .n_columns = b->n_columns };
    sub->columns = tsf_arena_calloc(ev->arena, (size_t)b->n_columns + 1, sizeof *sub->columns);
    if (!sel || !used || !sub->columns)
        return tsf_fail_nomem(err);
    sub->length = query_kernels()->mask_sel(live, b->length, sel);
    columns_used(e, used);
    for (int i = 0; i < b->n_columns; i++)
        if (used[i] && (rc = tsf_vector_gather(&b->columns[i], sel, sub->length, ev->arena, &sub->columns[i], err)) != TSF_OK)
            return rc;
    *sel_out = sel;
    return TSF_OK;
}

/* Rows of v that are present, as a bitmap; v's bits past the end may be set, out's are not. */
static void present_bits(const struct tsf_vector *v, int64_t n, uint64_t *out)
{
    if (!v->validity) {
        query_expr_all(out, n);
    } else if (v->shape == TSF_CONSTANT) {
        if (tsf_bit_get(v->validity, 0))
            query_expr_all(out, n);
        else
            memset(out, 0, 8 * tsf_bit_words(n));
    } else {
        memcpy(out, v->validity, 8 * tsf_bit_words(n));
        if (n & 63)
            out[n >> 6] &= (1ULL << (n & 63)) - 1;
    }
}

/* nul = not present; t &= present. */
static void nulls_apply(const struct tsf_vector *v, int64_t n, uint64_t *t, uint64_t *nul)
{
    if (!v->validity)
        return;
    present_bits(v, n, nul);
    for (size_t w = 0; w < tsf_bit_words(n); w++) {
        t[w] &= nul[w];
        nul[w] = ~nul[w];
    }
    if (n & 63)
        nul[n >> 6] &= (1ULL << (n & 63)) - 1;
}

static enum tsf_err vector_bits(struct query_eval *ev, const struct tsf_vector *v, int64_t n, uint64_t *t, uint64_t *nul,
                                struct tsf_error *err)
{
    struct tsf_vector flat;
    enum tsf_err rc;

    if (v->shape == TSF_CONSTANT) {
        if (tsf_vector_present(v, 0) && *(const uint8_t *)v->values)
            query_expr_all(t, n);
        nulls_apply(v, n, t, nul);
        return TSF_OK;
    }
    if (v->shape == TSF_DICTIONARY) {
        if ((rc = tsf_vector_flatten(v, ev->arena, &flat, err)) != TSF_OK)
            return rc;
        v = &flat;
    }
    query_kernels()->bytes_mask(v->values, n, t);
    nulls_apply(v, n, t, nul);
    return TSF_OK;
}

/* ---- leaves ------------------------------------------------------------------------------------------------ */

static void codes_mask(const struct query_slot *s, const struct tsf_vector *arg, int64_t n, uint64_t *t)
{
    const struct query_kernels *k = query_kernels();
    int32_t code;

    if (s->n_true == 0)
        return;
    if (s->n_false == 0) {
        query_expr_all(t, n);
    } else if (s->n_true == 1) {
        code = (int32_t)s->first_true;
        k->cmp_mask[QUERY_I32][QUERY_CMP_EQ](arg->values, &code, n, t);
    } else if (s->n_false == 1) {
        code = (int32_t)s->first_false;
        k->cmp_mask[QUERY_I32][QUERY_CMP_NE](arg->values, &code, n, t);
    } else {
        k->table_mask(s->table, arg->values, n, t);
    }
}

/* Rows whose entry gives NULL are unknown too. */
static void entry_nulls(const struct query_slot *s, const struct tsf_vector *arg, int64_t n, uint64_t *nul)
{
    const int32_t *codes = arg->values;

    if (!s->result.validity)
        return;
    for (int64_t i = 0; i < n; i++)
        nul[i >> 6] |= (uint64_t)!tsf_bit_get(s->result.validity, codes[i]) << (i & 63);
}

/* column op constant without a byte in between. */
static bool compare_direct(const struct query_expr *e, const struct tsf_vector *args, int64_t n, uint64_t *t, uint64_t *nul)
{
    int op = e->kind == QUERY_CALL ? query_compare_op(e->fn) : -1;

    if (op < 0 || args[0].shape != TSF_FLAT || args[1].shape != TSF_CONSTANT || !tsf_vector_present(&args[1], 0))
        return false;
    if (query_num_of(args[0].type) < 0 && args[0].type->id != TSF_TYPE_STRING)
        return false;
    if (args[0].type->id == TSF_TYPE_STRING && op != QUERY_CMP_EQ && op != QUERY_CMP_NE)
        return false;
    query_compare_mask(op, &args[0], &args[1], n, t);
    nulls_apply(&args[0], n, t, nul);
    return true;
}

static enum tsf_err leaf_bits(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b, uint64_t *t,
                              uint64_t *nul, struct tsf_error *err)
{
    struct tsf_vector *args, v;
    struct query_slot *slot;
    int64_t n = b->length;
    int k;
    enum tsf_err rc;

    if (e->kind != QUERY_CALL && e->kind != QUERY_IN) {
        if ((rc = query_eval(ev, e, b, &v, err)) != TSF_OK)
            return rc;
        return vector_bits(ev, &v, n, t, nul, err);
    }
    if ((rc = query_expr_args(ev, e, b, &args, err)) != TSF_OK ||
        (rc = query_expr_on_dictionary(ev, e, args, n, &slot, &k, err)) != TSF_OK)
        return rc;
    if (slot) {
        codes_mask(slot, &args[k], n, t);
        nulls_apply(&args[k], n, t, nul);
        entry_nulls(slot, &args[k], n, nul);
        return TSF_OK;
    }
    if (compare_direct(e, args, n, t, nul))
        return TSF_OK;
    if ((rc = query_expr_apply(ev, e, args, n, &v, err)) != TSF_OK)
        return rc;
    return vector_bits(ev, &v, n, t, nul, err);
}

/* A comparison of a column with a constant costs less than choosing its rows. */
static bool is_cheap(const struct query_expr *e)
{
    if (e->kind == QUERY_COLUMN || e->kind == QUERY_CONST)
        return true;
    return e->kind == QUERY_CALL && e->n_args == 2 && query_compare_op(e->fn) >= 0 && e->args[0]->kind == QUERY_COLUMN &&
           e->args[1]->kind == QUERY_CONST && query_num_of(e->args[0]->type) >= 0;
}

static enum tsf_err leaf_sparse(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b,
                                const uint64_t *live, uint64_t *t, uint64_t *nul, struct tsf_error *err)
{
    struct tsf_batch sub;
    uint32_t *sel;
    uint64_t *st, *sn;
    enum tsf_err rc;

    if ((rc = query_expr_gather(ev, e, b, live, &sub, &sel, err)) != TSF_OK)
        return rc;
    if (!(st = query_expr_words(ev, sub.length, err)) || !(sn = query_expr_words(ev, sub.length, err)))
        return TSF_ERR_NOMEM;
    if ((rc = leaf_bits(ev, e, &sub, st, sn, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < sub.length; i++) {
        t[sel[i] >> 6] |= (uint64_t)tsf_bit_get(st, i) << (sel[i] & 63);
        nul[sel[i] >> 6] |= (uint64_t)tsf_bit_get(sn, i) << (sel[i] & 63);
    }
    return TSF_OK;
}

static enum tsf_err leaf(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b, const uint64_t *live,
                         uint64_t *t, uint64_t *nul, struct tsf_error *err)
{
    int64_t n_live = live ? query_expr_count(live, b->length) : b->length;
    enum tsf_err rc;

    if (n_live == 0)
        return TSF_OK;
    if (live && !is_cheap(e) && (n_live * 8 < b->length || (n_live < b->length && !query_expr_safe(e))))
        return leaf_sparse(ev, e, b, live, t, nul, err);
    rc = leaf_bits(ev, e, b, t, nul, err);
    for (size_t w = 0; live && w < tsf_bit_words(b->length); w++) {
        t[w] &= live[w];
        nul[w] &= live[w];
    }
    return rc;
}

/* ---- AND, OR, NOT ------------------------------------------------------------------------------------------- */

static void live_copy(const uint64_t *live, int64_t n, uint64_t *out)
{
    if (live)
        memcpy(out, live, 8 * tsf_bit_words(n));
    else
        query_expr_all(out, n);
}

/*
 * Rows leave `cur` as soon as an argument decides them, and later arguments do not look at them: x <> 0 AND 1 / x > 2
 * never divides by zero, and a costly test runs on what the cheap ones left.
 */
static enum tsf_err nary_bits(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b, const uint64_t *live,
                              bool filter, uint64_t *t, uint64_t *nul, struct tsf_error *err)
{
    size_t words = tsf_bit_words(b->length);
    uint64_t *cur = query_expr_words(ev, b->length, err), *at = query_expr_words(ev, b->length, err);
    uint64_t *an = query_expr_words(ev, b->length, err);
    bool and = e->kind == QUERY_AND;
    enum tsf_err rc;

    if (!cur || !at || !an)
        return TSF_ERR_NOMEM;
    live_copy(live, b->length, cur);
    for (int i = 0; i < e->n_args; i++) {
        uint64_t left = 0;
        memset(at, 0, 8 * words);
        memset(an, 0, 8 * words);
        if ((rc = query_expr_bits(ev, e->args[i], b, i || live ? cur : NULL, filter, at, an, err)) != TSF_OK)
            return rc;
        for (size_t w = 0; w < words; w++) {
            if (and) {
                uint64_t is_false = cur[w] & ~at[w] & ~an[w];
                nul[w] = (nul[w] | an[w]) & ~is_false;
                cur[w] = filter ? cur[w] & at[w] : cur[w] & ~is_false;
            } else {
                t[w] |= at[w];
                nul[w] = (nul[w] | an[w]) & ~at[w];
                cur[w] &= ~at[w];
            }
            left |= cur[w];
        }
        if (!left)
            break;
    }
    for (size_t w = 0; and && w < words; w++)
        t[w] = cur[w] & ~nul[w];
    return TSF_OK;
}

static enum tsf_err is_null_bits(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b,
                                 const uint64_t *live, uint64_t *t, struct tsf_error *err)
{
    struct tsf_vector v;
    struct tsf_batch sub;
    uint32_t *sel;
    int64_t n = b->length;
    enum tsf_err rc;

    if (live && !query_expr_safe(e) && query_expr_count(live, n) < n) {
        if ((rc = query_expr_gather(ev, e, b, live, &sub, &sel, err)) != TSF_OK ||
            (rc = query_eval(ev, e->args[0], &sub, &v, err)) != TSF_OK)
            return rc;
        for (int64_t i = 0; i < sub.length; i++)
            if (tsf_vector_present(&v, i) == e->negated)
                tsf_bit_set(t, sel[i]);
        return TSF_OK;
    }
    if ((rc = query_eval(ev, e->args[0], b, &v, err)) != TSF_OK)
        return rc;
    if (v.type->id != TSF_TYPE_NULL)
        present_bits(&v, n, t);
    for (size_t w = 0; w < tsf_bit_words(n); w++) {
        t[w] = e->negated ? t[w] : ~t[w];
        if (live)
            t[w] &= live[w];
    }
    if (n & 63)
        t[n >> 6] &= (1ULL << (n & 63)) - 1;
    return TSF_OK;
}

/* t, nul hold the argument on entry. */
static void is_true_bits(const struct query_expr *e, const uint64_t *all, int64_t n, uint64_t *t, uint64_t *nul)
{
    for (size_t w = 0; w < tsf_bit_words(n); w++) {
        uint64_t x = e->value.u.i64 == 0 ? t[w] : e->value.u.i64 == 1 ? ~t[w] & ~nul[w] : nul[w];
        t[w] = (e->negated ? ~x : x) & all[w];
        nul[w] = 0;
    }
}

enum tsf_err query_expr_bits(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b, const uint64_t *live,
                             bool filter, uint64_t *t, uint64_t *nul, struct tsf_error *err)
{
    uint64_t *all;
    enum tsf_err rc;

    switch (e->kind) {
    case QUERY_AND:
    case QUERY_OR:
        return nary_bits(ev, e, b, live, filter, t, nul, err);
    case QUERY_IS_NULL:
        return is_null_bits(ev, e, b, live, t, err);
    case QUERY_NOT:
    case QUERY_IS_TRUE:
        if (!(all = query_expr_words(ev, b->length, err)))
            return TSF_ERR_NOMEM;
        live_copy(live, b->length, all);
        if ((rc = query_expr_bits(ev, e->args[0], b, live, false, t, nul, err)) != TSF_OK)
            return rc;
        if (e->kind == QUERY_IS_TRUE)
            is_true_bits(e, all, b->length, t, nul);
        for (size_t w = 0; e->kind == QUERY_NOT && w < tsf_bit_words(b->length); w++)
            t[w] = all[w] & ~t[w] & ~nul[w];
        return TSF_OK;
    default:
        return leaf(ev, e, b, live, t, nul, err);
    }
}

enum tsf_err query_eval_filter(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b, uint32_t *sel_out,
                               int64_t *n_out, struct tsf_error *err)
{
    uint64_t *t = query_expr_words(ev, b->length, err), *nul = query_expr_words(ev, b->length, err);
    enum tsf_err rc;

    if (!t || !nul)
        return TSF_ERR_NOMEM;
    if ((rc = query_expr_bits(ev, e, b, NULL, true, t, nul, err)) != TSF_OK)
        return rc;
    *n_out = query_kernels()->mask_sel(t, b->length, sel_out);
    return TSF_OK;
}
