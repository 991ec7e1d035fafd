/* Aggregates: which one a name means, and helpers of all. */
#include "query/query_agg_internal.h"
#include "query/query_type_internal.h"

static const struct query_agg_entry *const tables[] = {
    query_agg_numbers, query_agg_values, query_agg_distincts, query_agg_percentiles, query_agg_sketches,
};

/* ---- helpers ----------------------------------------------------------------------------------------------------- */

enum tsf_err query_agg_mask_true(const uint64_t *filter, const struct tsf_vector *v, int64_t n, struct tsf_arena *mem,
                                 const uint64_t **mask_out, struct tsf_error *err)
{
    uint64_t *both;

    if (!v->validity || v->shape == TSF_CONSTANT || !filter) {
        *mask_out = v->validity && v->shape != TSF_CONSTANT ? v->validity : filter;
        return TSF_OK;
    }
    if (!(both = tsf_arena_alloc(mem, 8 * tsf_bit_words(n) + 8)))
        return tsf_fail_nomem(err);
    for (size_t w = 0; w < tsf_bit_words(n); w++)
        both[w] = v->validity[w] & filter[w];
    *mask_out = both;
    return TSF_OK;
}

enum tsf_err query_agg_rows_init(struct query_agg_rows *r, const struct tsf_vector *v, const uint64_t *filter, uint8_t *states,
                                 size_t stride, const uint32_t *groups, int64_t n, struct tsf_arena *mem, bool *any_out,
                                 struct tsf_error *err)
{
    uint64_t *own, tail = n & 63 ? (1ULL << (n & 63)) - 1 : 0;
    enum tsf_err rc;

    *r = (struct query_agg_rows){ .states = states, .stride = stride, .groups = groups, .n = n };
    *any_out = n > 0 && v->type->id != TSF_TYPE_NULL && !(v->shape == TSF_CONSTANT && !tsf_vector_present(v, 0)) &&
               !(v->shape == TSF_DICTIONARY && v->dict->length == 0);
    if (!*any_out)
        return TSF_OK;
    r->values = tsf_vector_flat_values(v);
    r->codes = v->shape == TSF_DICTIONARY ? v->values : NULL;
    r->step = v->shape != TSF_CONSTANT;
    if ((rc = query_agg_mask_true(filter, v, n, mem, &r->mask, err)) != TSF_OK)
        return rc;
    if (r->mask && tail && (r->mask[n >> 6] & ~tail)) { /* bits past the end may be anything */
        if (!(own = tsf_arena_memdup(mem, r->mask, 8 * tsf_bit_words(n))))
            return tsf_fail_nomem(err);
        own[n >> 6] &= tail;
        r->mask = own;
    }
    return TSF_OK;
}

enum tsf_err query_agg_result_init(struct query_agg_result *r, const struct tsf_type *t, int64_t n, struct tsf_arena *a,
                                   struct tsf_vector *out, struct tsf_error *err)
{
    enum tsf_err rc = tsf_vector_alloc(t, n, a, out, &r->values, err);

    if (rc != TSF_OK)
        return rc;
    memset(r->values, 0, (size_t)n * (size_t)tsf_type_width(t));
    r->n = n;
    return (r->valid = tsf_arena_calloc(a, tsf_bit_words(n) + 1, 8)) ? TSF_OK : tsf_fail_nomem(err);
}

void query_agg_result_end(struct query_agg_result *r, struct tsf_vector *out)
{
    tsf_vector_set_validity(out, r->valid);
}

enum tsf_err query_agg_cell_set(struct query_agg_cell *cell, const struct tsf_vector *v, int64_t row, struct tsf_arena *mem,
                                struct tsf_error *err)
{
    int width = tsf_type_width(v->type);
    const char *at = (const char *)tsf_vector_flat_values(v) + tsf_vector_at(v, row) * width;
    const struct tsf_sview *s = (const struct tsf_sview *)at;

    if (!tsf_vector_present(v, row)) {
        cell->state = 1;
        return TSF_OK;
    }
    if (tsf_type_is_string(v->type) && s->len > TSF_SVIEW_INLINE) {
        struct tsf_sview own;
        if (s->len > cell->cap) {
            uint32_t cap = TSF_MAX(s->len, TSF_MIN(cell->cap, UINT32_MAX / 4) * 2);
            if (!(cell->buf = tsf_arena_alloc(mem, cap)))
                return tsf_fail_nomem(err);
            cell->cap = cap;
        }
        memmove(cell->buf, s->u.ref.ptr, s->len);
        own = tsf_sview_make(cell->buf, s->len);
        memcpy(cell->raw, &own, 16);
    } else {
        memcpy(cell->raw, at, (size_t)width);
    }
    cell->state = 2;
    return TSF_OK;
}

struct tsf_sview query_agg_cell_view(const struct query_agg_cell *cell)
{
    struct tsf_sview v;
    memcpy(&v, cell->raw, 16);
    return v;
}

const struct tsf_type *query_agg_same_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return args[0]->type;
}

const struct tsf_type *query_agg_list_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return tsf_type_list(a, args[0]->type, true);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static const struct tsf_type *arg_type(const struct query_expr *e)
{
    return e->type;
}

/* 0 no, 1 by an implicit cast, 2 by a cast to a preferred type, 3 exactly. */
static int match_score(const struct tsf_type *arg, const struct tsf_type *p)
{
    const struct query_function *f;

    if (!p)
        return 2;
    if (query_type_is_unknown(arg))
        return query_type_is_preferred(p) ? 2 : 1;
    if (arg->id == p->id && (arg->id == TSF_TYPE_STRING || arg->json == p->json))
        return 3;
    if (p == &query_any_array)
        return arg->id == TSF_TYPE_LIST ? 3 : 0;
    f = query_cast_find(arg, p);
    if (!f || !(f->flags & QUERY_FN_IMPLICIT))
        return 0;
    return query_type_is_preferred(p) ? 2 : 1;
}

static const struct query_agg_entry *pick(const char *name, struct query_expr **args, int n_args, bool *known, bool *plain)
{
    const struct query_agg_entry *best = NULL;
    int best_score = 0;

    for (size_t t = 0; t < TSF_ARRAY_LEN(tables); t++)
        for (const struct query_agg_entry *e = tables[t]; e->name; e++) {
            int score = 1;
            if (strcmp(e->name, name) != 0)
                continue;
            *known = true;
            *plain = !e->within_group;
            for (int k = 0; k < n_args && score && e->n_args == n_args; k++) {
                int m = match_score(arg_type(args[k]), e->arg_types[k]);
                score = m ? score + m : 0;
            }
            if (e->n_args == n_args && score > best_score) {
                best = e;
                best_score = score;
            }
        }
    return best;
}

static enum tsf_err no_such(const char *name, struct query_expr **args, int n_args, struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_buf b = TSF_BUF_INIT(400);
    enum tsf_err rc;

    for (int k = 0; k < n_args; k++)
        (void)tsf_buf_printf(&b, NULL, "%s%s", k ? ", " : "", tsf_type_sql_name(args[k]->type, &a));
    rc = tsf_fail_sql(err, "42883", -1, "function %s(%s) does not exist", name, n_args && tsf_buf_cstr(&b) ? tsf_buf_cstr(&b) : "");
    tsf_hint(err, "No aggregate matches the argument types. You might need explicit casts.");
    tsf_buf_release(&b);
    tsf_arena_release(&a);
    return rc;
}

static enum tsf_err coerce_args(const struct query_agg_entry *e, struct query_expr **args, int n_args, uint32_t *next_id,
                                struct tsf_arena *a, struct tsf_error *err)
{
    for (int k = 0; k < n_args; k++) {
        const struct tsf_type *p = e->arg_types[k] ? e->arg_types[k]
                                   : query_type_is_unknown(args[k]->type) ? TSF_T(STRING) : args[k]->type;
        enum tsf_err rc;
        if ((p->id == TSF_TYPE_DECIMAL && args[k]->type->id == TSF_TYPE_DECIMAL) || p == &query_any_array ||
            (p->id == TSF_TYPE_STRING && args[k]->type->id == TSF_TYPE_STRING))
            continue;
        if ((rc = query_coerce(&args[k], p, QUERY_IMPLICIT, next_id, a, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

enum tsf_err query_resolve_aggregate(const char *name, struct query_expr **args, int n_args, bool star, bool distinct,
                                     bool within_group, uint32_t *next_id, struct tsf_arena *a, struct query_agg_call *out,
                                     bool *found_out, struct tsf_error *err)
{
    const struct query_agg_entry *e;
    bool known = false, plain = false;
    enum tsf_err rc;

    *found_out = false;
    if (star && strcmp(name, "count") == 0) {
        *out = (struct query_agg_call){ .agg = &query_agg_count_star, .type = TSF_T(INT64), .star = true, .location = -1 };
        *found_out = true;
        return TSF_OK;
    }
    e = pick(name, args, n_args, &known, &plain);
    if (!known || (!e && strcmp(name, "histogram") != 0 && star))
        return TSF_OK;
    *found_out = true;
    if (!e)
        return no_such(name, args, n_args, err);
    if (within_group != e->within_group)
        return within_group ? tsf_fail_sql(err, "42809", -1, "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP", name)
                            : tsf_fail_sql(err, "42809", -1, "WITHIN GROUP is required for ordered-set aggregate %s", name);
    if ((rc = coerce_args(e, args, n_args, next_id, a, err)) != TSF_OK)
        return rc;
    *out = (struct query_agg_call){ .agg = e->agg, .n_args = n_args, .args = args, .distinct = distinct, .location = -1 };
    if (distinct && strcmp(name, "count") == 0)
        out->agg = &query_agg_count_distinct;
    if (!(out->type = e->ret_fn ? e->ret_fn((const struct query_expr *const *)args, n_args, a) : e->ret))
        return tsf_fail_nomem(err);
    return TSF_OK;
}
