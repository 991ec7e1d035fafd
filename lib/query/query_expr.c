/*
 * Vectorized evaluation of bound expressions.
 *
 * query_expr.c       the walk, calls, dictionaries
 * query_expr_bool.c  three-valued logic on bitmaps, filters
 * query_expr_case.c  CASE, COALESCE, IN
 *
 * Dictionaries. A call with one DICTIONARY argument among constants is run on the entries instead of the rows, and
 * what came out is kept in the call's slot for as long as the same dictionary (dict_id) arrives. Entries may outnumber
 * the rows that a query looks at, so rows go one by one until as many were seen as there are entries: at worst twice the
 * work. An entry may fail that no row has; then that dictionary is never used for this call.
 */
#include "query/query_expr_internal.h"

enum tsf_err query_eval_init(struct query_eval *ev, struct tsf_arena *arena, uint32_t n_exprs, int64_t now_us,
                             const struct query_session *session, struct tsf_error *err)
{
    *ev = (struct query_eval){ .arena = arena, .now_us = now_us, .session = session };
    if (n_exprs && !(ev->slots = tsf_arena_calloc(&ev->keep, n_exprs, sizeof(void *))))
        return tsf_fail_nomem(err);
    ev->n_slots = n_exprs;
    return TSF_OK;
}

void query_eval_release(struct query_eval *ev)
{
    for (uint32_t i = 0; i < ev->n_slots; i++) {
        struct query_slot *s = ev->slots[i];
        if (!s)
            continue;
        if (s->state && s->state_free)
            s->state_free(s->state);
        tsf_arena_release(&s->arena);
    }
    tsf_arena_release(&ev->keep);
    *ev = (struct query_eval){ 0 };
}

struct query_slot *query_slot_get(struct query_eval *ev, uint32_t id, struct tsf_error *err)
{
    if (id >= ev->n_slots) {
        uint32_t n = id + 16;
        void **more = tsf_arena_calloc(&ev->keep, n, sizeof(void *));
        if (!more) {
            tsf_fail_nomem(err);
            return NULL;
        }
        if (ev->n_slots)
            memcpy(more, ev->slots, sizeof(void *) * ev->n_slots);
        ev->slots = more;
        ev->n_slots = n;
    }
    if (!ev->slots[id] && !(ev->slots[id] = tsf_arena_calloc(&ev->keep, 1, sizeof(struct query_slot))))
        tsf_fail_nomem(err);
    return ev->slots[id];
}

/* ---- helpers for kernels ------------------------------------------------------------------------------------ */

uint64_t *query_call_validity(struct query_call *c, struct tsf_error *err)
{
    size_t words = tsf_bit_words(c->n);

    if (c->validity_out)
        return c->validity_out;
    if (!(c->validity_out = tsf_arena_alloc(c->ev->arena, 8 * (words + 1)))) {
        tsf_fail_nomem(err);
        return NULL;
    }
    if (c->valid)
        memcpy(c->validity_out, c->valid, 8 * words);
    else
        query_expr_all(c->validity_out, c->n);
    return c->validity_out;
}

enum tsf_err query_call_null(struct query_call *c, int64_t i, struct tsf_error *err)
{
    uint64_t *v = query_call_validity(c, err);
    size_t width = (size_t)tsf_type_width(c->expr->type);

    if (!v)
        return TSF_ERR_NOMEM;
    tsf_bit_clear(v, i);
    if (c->expr->type->id != TSF_TYPE_LIST)
        memset((char *)c->values_out + (size_t)i * width, 0, width);
    return TSF_OK;
}

enum tsf_err query_call_put_copy(struct query_call *c, int64_t i, const char *p, size_t n, struct tsf_error *err)
{
    if (n > TSF_SVIEW_INLINE) {
        if (n > UINT32_MAX / 4)
            return tsf_fail_sql(err, "54000", -1, "string of %zu bytes is too long", n);
        if (!(p = tsf_arena_memdup(c->ev->arena, p, n)))
            return tsf_fail_nomem(err);
    }
    fn_put(c, i, p, n);
    return TSF_OK;
}

bool query_expr_safe(const struct query_expr *e)
{
    if (e->kind == QUERY_SUBQUERY || (e->kind == QUERY_CALL && !(e->fn->flags & QUERY_FN_SAFE)))
        return false;
    for (int i = 0; i < e->n_args; i++)
        if (!query_expr_safe(e->args[i]))
            return false;
    return true;
}

uint64_t *query_expr_words(struct query_eval *ev, int64_t n, struct tsf_error *err)
{
    uint64_t *w = tsf_arena_calloc(ev->arena, tsf_bit_words(n) + 1, 8);
    if (!w)
        tsf_fail_nomem(err);
    return w;
}

void query_expr_all(uint64_t *w, int64_t n)
{
    memset(w, 0xff, 8 * tsf_bit_words(n));
    if (n & 63)
        w[n >> 6] = (1ULL << (n & 63)) - 1;
}

int64_t query_expr_count(const uint64_t *w, int64_t n)
{
    int64_t c = 0;
    for (size_t i = 0; i < tsf_bit_words(n); i++)
        c += __builtin_popcountll(w[i]);
    return c;
}

enum tsf_err query_expr_null_constant(struct query_eval *ev, const struct tsf_type *t, int64_t n, struct tsf_vector *out,
                                      struct tsf_error *err)
{
    struct tsf_value v = { .type = t, .is_null = true };
    return tsf_vector_constant(&v, n, ev->arena, out, err);
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

/* Rows on which all of args are present, in *valid_out (NULL = all). A NULL constant: *null_out. */
static enum tsf_err args_valid(struct query_eval *ev, const struct tsf_vector *args, int n_args, int64_t n,
                               const uint64_t **valid_out, bool *null_out, struct tsf_error *err)
{
    const uint64_t *valid = NULL;
    uint64_t *own = NULL;

    *null_out = false;
    for (int k = 0; k < n_args; k++) {
        if (!args[k].validity)
            continue;
        if (args[k].shape == TSF_CONSTANT) {
            if (!tsf_bit_get(args[k].validity, 0))
                *null_out = true;
            continue;
        }
        if (!valid) {
            valid = args[k].validity;
            continue;
        }
        if (!own) {
            if (!(own = tsf_arena_memdup(ev->arena, valid, 8 * tsf_bit_words(n))))
                return tsf_fail_nomem(err);
            valid = own;
        }
        for (size_t w = 0; w < tsf_bit_words(n); w++)
            own[w] &= args[k].validity[w];
    }
    *valid_out = valid;
    return TSF_OK;
}

/* args FLAT or CONSTANT. */
static enum tsf_err kernel_run(struct query_eval *ev, const struct query_expr *e, const struct tsf_vector *args, int64_t n,
                               struct tsf_vector *out, struct tsf_error *err)
{
    struct query_call c = { .ev = ev, .expr = e, .args = args, .n_args = e->n_args, .n = n };
    bool null = false;
    enum tsf_err rc;

    if ((e->fn->flags & QUERY_FN_STRICT) && (rc = args_valid(ev, args, e->n_args, n, &c.valid, &null, err)) != TSF_OK)
        return rc;
    if (null)
        return query_expr_null_constant(ev, e->type, n, out, err);
    if ((rc = tsf_vector_alloc(e->type, n, ev->arena, out, &c.values_out, err)) != TSF_OK)
        return rc;
    if (c.valid || e->type->id == TSF_TYPE_STRING || e->type->id == TSF_TYPE_BINARY)
        memset(c.values_out, 0, (size_t)n * (size_t)tsf_type_width(e->type));
    c.out = out;
    if ((rc = e->fn->kernel(&c, err)) != TSF_OK) {
        if (err && err->offset < 0)
            err->offset = e->location;
        return rc;
    }
    out->validity = c.validity_out ? c.validity_out : c.valid;
    out->null_count = out->validity ? -1 : 0;
    return TSF_OK;
}

static enum tsf_err distinct_run(struct query_eval *ev, const struct query_expr *e, const struct tsf_vector *args, int64_t n,
                                 struct tsf_vector *out, struct tsf_error *err)
{
    void *values;
    uint8_t *r;
    enum tsf_err rc = tsf_vector_alloc(e->type, n, ev->arena, out, &values, err);

    if (rc != TSF_OK)
        return rc;
    r = values;
    if (query_num_of(args[0].type) >= 0 || args[0].type->id != TSF_TYPE_NULL)
        query_compare_bytes(QUERY_CMP_NE, &args[0], &args[1], n, r);
    else
        memset(r, 0, (size_t)n);
    for (int64_t i = 0; i < n && (args[0].validity || args[1].validity || args[0].type->id == TSF_TYPE_NULL); i++) {
        bool a = tsf_vector_present(&args[0], i), b = tsf_vector_present(&args[1], i);
        if (!a || !b)
            r[i] = a != b;
    }
    for (int64_t i = 0; e->negated && i < n; i++)
        r[i] ^= 1;
    return TSF_OK;
}

static enum tsf_err run(struct query_eval *ev, const struct query_expr *e, const struct tsf_vector *args, int64_t n,
                        struct tsf_vector *out, struct tsf_error *err)
{
    switch (e->kind) {
    case QUERY_CALL: return kernel_run(ev, e, args, n, out, err);
    case QUERY_IN: return query_expr_in(ev, e, &args[0], n, out, err);
    default: return distinct_run(ev, e, args, n, out, err);
    }
}

/* How many of e's arguments are evaluated as vectors: IN keeps its list to itself. */
static int vector_args(const struct query_expr *e)
{
    return e->kind == QUERY_IN ? 1 : e->n_args;
}

static void table_make(struct query_slot *s, int64_t n, const uint64_t *validity)
{
    s->n_true = s->n_false = 0;
    for (int64_t i = 0; i < n; i++) {
        bool present = !validity || tsf_bit_get(validity, i);
        s->table[i] = s->table[i] && present;
        if (s->table[i] && s->n_true++ == 0)
            s->first_true = i;
        if (!s->table[i] && s->n_false++ == 0)
            s->first_false = i;
    }
}

/* Run e over the entries of args[k]'s dictionary and keep what comes out. */
static enum tsf_err slot_fill(struct query_eval *ev, const struct query_expr *e, const struct tsf_vector *args, int k,
                              struct query_slot *s, struct tsf_error *err)
{
    struct tsf_arena *arena = ev->arena;
    struct tsf_vector *entries = tsf_arena_memdup(arena, args, sizeof *args * (size_t)vector_args(e));
    struct tsf_error fault = TSF_ERROR_INIT;
    int64_t n = args[k].dict->length;
    enum tsf_err rc;

    if (!entries)
        return tsf_fail_nomem(err);
    entries[k] = *args[k].dict;
    for (int i = 0; i < vector_args(e); i++)
        entries[i].length = n;
    ev->arena = &s->arena;
    rc = run(ev, e, entries, n, &s->result, &fault);
    if (rc == TSF_OK && s->result.shape != TSF_FLAT)
        rc = tsf_vector_flatten(&s->result, &s->arena, &s->result, &fault);
    if (rc == TSF_OK && e->type->id == TSF_TYPE_BOOL) {
        s->table = tsf_arena_memdup(&s->arena, s->result.values, (size_t)n);
        if (s->table)
            table_make(s, n, s->result.validity);
        else
            rc = TSF_ERR_NOMEM;
    }
    ev->arena = arena;
    s->failed = rc != TSF_OK;
    s->ready = rc == TSF_OK;
    s->out_id = tsf_dict_id_new();
    return rc == TSF_ERR_NOMEM ? tsf_fail_nomem(err) : TSF_OK;
}

enum tsf_err query_expr_on_dictionary(struct query_eval *ev, const struct query_expr *e, const struct tsf_vector *args, int64_t n,
                                      struct query_slot **slot_out, int *k_out, struct tsf_error *err)
{
    struct query_slot *s;
    int k = -1;

    *slot_out = NULL;
    if (e->type->n_children || (e->kind == QUERY_CALL && (e->fn->flags & (QUERY_FN_VOLATILE | QUERY_FN_STRICT)) != QUERY_FN_STRICT) ||
        e->kind == QUERY_DISTINCT_FROM)
        return TSF_OK;
    for (int i = 0; i < vector_args(e); i++) {
        if (args[i].shape == TSF_CONSTANT)
            continue;
        if (args[i].shape != TSF_DICTIONARY || k >= 0)
            return TSF_OK;
        k = i;
    }
    if (k < 0 || !args[k].dict_id || args[k].dict->length == 0)
        return TSF_OK;
    if (!(s = query_slot_get(ev, e->id, err)))
        return TSF_ERR_NOMEM;
    if (s->dict_id != args[k].dict_id || (s->ready && s->result.length != args[k].dict->length)) {
        tsf_arena_reset(&s->arena);
        s->dict_id = args[k].dict_id;
        s->rows_seen = 0;
        s->failed = s->ready = false;
    }
    if (s->failed)
        return TSF_OK;
    if (!s->ready) {
        enum tsf_err rc;
        s->rows_seen += n;
        if (s->rows_seen < args[k].dict->length)
            return TSF_OK;
        if ((rc = slot_fill(ev, e, args, k, s, err)) != TSF_OK)
            return rc;
        if (s->failed)
            return TSF_OK;
    }
    *slot_out = s;
    *k_out = k;
    return TSF_OK;
}

/* Row validity where entries may be NULL in the result; the codes of such rows become 0. */
static enum tsf_err entry_nulls(struct query_eval *ev, const struct query_slot *s, const struct tsf_vector *arg, int64_t n,
                                struct tsf_vector *out, struct tsf_error *err)
{
    uint64_t *valid = query_expr_words(ev, n, err);
    const int32_t *codes = arg->values;
    int32_t *own = tsf_arena_alloc(ev->arena, 4 * (size_t)n + TSF_PAD);

    if (!valid || !own)
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        bool ok = tsf_vector_present(arg, i) && tsf_bit_get(s->result.validity, codes[i]);
        own[i] = ok ? codes[i] : 0;
        valid[i >> 6] |= (uint64_t)ok << (i & 63);
    }
    out->values = own;
    out->validity = valid;
    out->null_count = -1;
    return TSF_OK;
}

static enum tsf_err dictionary_result(struct query_eval *ev, const struct query_expr *e, const struct query_slot *s,
                                      const struct tsf_vector *arg, int64_t n, struct tsf_vector *out, struct tsf_error *err)
{
    struct tsf_vector *dict;
    void *values;
    enum tsf_err rc;

    *out = *arg;
    out->type = e->type;
    if (s->result.validity && (rc = entry_nulls(ev, s, arg, n, out, err)) != TSF_OK)
        return rc;
    if (e->type->id == TSF_TYPE_BOOL) {
        struct tsf_vector flat;
        if ((rc = tsf_vector_alloc(e->type, n, ev->arena, &flat, &values, err)) != TSF_OK)
            return rc;
        query_kernels()->table_bytes(s->table, out->values, n, values);
        flat.validity = out->validity;
        flat.null_count = out->validity ? -1 : 0;
        *out = flat;
        return TSF_OK;
    }
    if (!(dict = tsf_arena_memdup(ev->arena, &s->result, sizeof *dict)))
        return tsf_fail_nomem(err);
    dict->validity = NULL;
    dict->null_count = 0;
    out->dict = dict;
    out->dict_id = s->out_id;
    return TSF_OK;
}

static bool all_constant(const struct query_expr *e, const struct tsf_vector *args)
{
    if (e->kind == QUERY_CALL && (e->fn->flags & QUERY_FN_VOLATILE))
        return false;
    for (int i = 0; i < vector_args(e); i++)
        if (args[i].shape != TSF_CONSTANT)
            return false;
    return true;
}

enum tsf_err query_expr_apply(struct query_eval *ev, const struct query_expr *e, const struct tsf_vector *args, int64_t n,
                              struct tsf_vector *out, struct tsf_error *err)
{
    struct tsf_vector *flat = NULL;
    struct query_slot *slot;
    int k;
    enum tsf_err rc;

    if (e->kind == QUERY_CALL && !e->fn->kernel) { /* a new name for the same bytes */
        *out = args[0];
        out->type = e->type;
        return TSF_OK;
    }
    if (all_constant(e, args)) {
        if ((rc = run(ev, e, args, 1, out, err)) != TSF_OK)
            return rc;
        out->shape = TSF_CONSTANT;
        out->length = n;
        return TSF_OK;
    }
    if ((rc = query_expr_on_dictionary(ev, e, args, n, &slot, &k, err)) != TSF_OK)
        return rc;
    if (slot)
        return dictionary_result(ev, e, slot, &args[k], n, out, err);
    for (int i = 0; i < vector_args(e); i++) {
        if (args[i].shape != TSF_DICTIONARY)
            continue;
        if (!flat && !(flat = tsf_arena_memdup(ev->arena, args, sizeof *args * (size_t)vector_args(e))))
            return tsf_fail_nomem(err);
        if ((rc = tsf_vector_flatten(&args[i], ev->arena, &flat[i], err)) != TSF_OK)
            return rc;
    }
    return run(ev, e, flat ? flat : args, n, out, err);
}

enum tsf_err query_expr_args(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b,
                             struct tsf_vector **out, struct tsf_error *err)
{
    int n = vector_args(e);
    struct tsf_vector *args = tsf_arena_alloc(ev->arena, sizeof *args * (size_t)(n + 1));
    enum tsf_err rc;

    if (!args)
        return tsf_fail_nomem(err);
    for (int i = 0; i < n; i++)
        if ((rc = query_eval(ev, e->args[i], b, &args[i], err)) != TSF_OK)
            return rc;
    *out = args;
    return TSF_OK;
}

/* ---- the walk -------------------------------------------------------------------------------------------------------- */

static enum tsf_err logic_eval(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b,
                               struct tsf_vector *out, struct tsf_error *err)
{
    int64_t n = b->length;
    uint64_t *t = query_expr_words(ev, n, err), *nul = query_expr_words(ev, n, err), any = 0;
    void *values;
    uint8_t *r;
    enum tsf_err rc;

    if (!t || !nul)
        return TSF_ERR_NOMEM;
    if ((rc = query_expr_bits(ev, e, b, NULL, false, t, nul, err)) != TSF_OK ||
        (rc = tsf_vector_alloc(e->type, n, ev->arena, out, &values, err)) != TSF_OK)
        return rc;
    r = values;
    for (int64_t i = 0; i < n; i++)
        r[i] = (t[i >> 6] >> (i & 63)) & 1;
    for (size_t w = 0; w < tsf_bit_words(n); w++) {
        any |= nul[w];
        nul[w] = ~nul[w];
    }
    if (any) {
        if (n & 63)
            nul[n >> 6] &= (1ULL << (n & 63)) - 1;
        out->validity = nul;
        out->null_count = -1;
    }
    return TSF_OK;
}

enum tsf_err query_eval(struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b, struct tsf_vector *out,
                        struct tsf_error *err)
{
    struct tsf_vector *args = NULL;
    enum tsf_err rc;

    switch (e->kind) {
    case QUERY_COLUMN:
        *out = b->columns[e->column];
        return TSF_OK;
    case QUERY_CONST:
        return tsf_vector_constant(&e->value, b->length, ev->arena, out, err);
    case QUERY_CALL:
    case QUERY_IN:
    case QUERY_DISTINCT_FROM:
        if ((rc = query_expr_args(ev, e, b, &args, err)) != TSF_OK)
            return rc;
        return query_expr_apply(ev, e, args, b->length, out, err);
    case QUERY_AND:
    case QUERY_OR:
    case QUERY_NOT:
    case QUERY_IS_NULL:
    case QUERY_IS_TRUE:
        return logic_eval(ev, e, b, out, err);
    case QUERY_CASE:
        return query_expr_case(ev, e, b, out, err);
    case QUERY_COALESCE:
        return query_expr_coalesce(ev, e, b, out, err);
    case QUERY_AGG_REF:
    case QUERY_SUBQUERY:
        break;
    }
    return tsf_fail_sql(err, "XX000", e->location, "expression of kind %d cannot be evaluated", (int)e->kind);
}

enum tsf_err query_eval_const(const struct query_expr *e, int64_t now_us, struct tsf_arena *arena, struct tsf_value *out,
                              struct tsf_error *err)
{
    struct tsf_batch one = { .length = 1 };
    struct tsf_vector v, own;
    struct query_eval ev;
    struct tsf_value r;
    enum tsf_err rc = query_eval_init(&ev, arena, 0, now_us, NULL, err);

    if (rc == TSF_OK && (rc = query_eval(&ev, e, &one, &v, err)) == TSF_OK) {
        v.length = 1;
        /* Pieces may live in slots that go away. */
        if ((rc = tsf_vector_copy(&v, arena, &own, err)) == TSF_OK && (rc = tsf_vector_get(&own, 0, arena, &r, err)) == TSF_OK) {
            r.type = e->type;
            *out = r;
        }
    }
    query_eval_release(&ev);
    return rc;
}
