/*
 * Which function a call means, by PostgreSQL's rules (chapter 10.2 and 10.3).
 *
 * Comparisons and arithmetic of two numbers go another way than the rules' search: their arguments are brought to one
 * type first, so that a table with one entry per type does for the 50 mixed operators that PostgreSQL declares.
 */
#include "query/query_fn_internal.h"
#include "query/query_type_internal.h"

#include <ctype.h>
#include <stdio.h>

#define CANDIDATES_MAX 64

static const struct query_function *const tables[] = {
    query_fn_compare, query_fn_math, query_fn_string, query_fn_time, query_fn_cast,
    query_fn_json, query_fn_array, query_fn_misc, query_fn_pattern, query_fn_text,
};

static const struct tsf_type *param(const struct query_function *f, int k)
{
    return f->arg_types[TSF_MIN(k, f->n_args - 1)];
}

enum match { NO, COERCE, EXACT };
static enum match match_arg(const struct tsf_type *arg, const struct tsf_type *p)
{
    const struct query_function *f;

    if (!p)
        return COERCE;
    if (p == &query_any_array)
        return arg->id == TSF_TYPE_LIST ? EXACT : query_type_is_unknown(arg) ? COERCE : NO;
    if (query_type_is_unknown(arg))
        return COERCE;
    if (arg->id == p->id && arg->json == p->json && (arg->id != TSF_TYPE_LIST || tsf_type_eq(arg, p)))
        return EXACT;
    f = query_cast_find(arg, p);
    return f && (f->flags & QUERY_FN_IMPLICIT) ? COERCE : NO;
}

struct candidates {
    const struct query_function *fn[CANDIDATES_MAX];
    int n;
    bool name_known;
};

static void candidates_collect(const char *name, struct query_expr **args, int n_args, struct candidates *c)
{
    c->n = 0;
    c->name_known = false;
    for (size_t t = 0; t < TSF_ARRAY_LEN(tables); t++)
        for (const struct query_function *f = tables[t]; f->name; f++) {
            bool variadic = f->flags & QUERY_FN_VARIADIC, ok;
            if (f->name[0] != name[0] || strcmp(f->name, name) != 0)
                continue;
            c->name_known = true;
            ok = variadic ? n_args >= f->n_args : n_args == f->n_args;
            for (int k = 0; ok && k < n_args; k++)
                ok = match_arg(args[k]->type, param(f, k)) != NO;
            if (ok && c->n < CANDIDATES_MAX)
                c->fn[c->n++] = f;
        }
}

/* Keep the candidates with the highest score. */
static void keep_best(struct candidates *c, const int *score)
{
    int best = 0, m = 0;

    for (int i = 0; i < c->n; i++)
        best = TSF_MAX(best, score[i]);
    for (int i = 0; i < c->n; i++)
        if (score[i] == best)
            c->fn[m++] = c->fn[i];
    c->n = m;
}

static void keep_by_matches(struct candidates *c, struct query_expr **args, int n_args, bool preferred)
{
    int score[CANDIDATES_MAX] = { 0 };

    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < n_args; k++) {
            const struct tsf_type *p = param(c->fn[i], k);
            score[i] += !query_type_is_unknown(args[k]->type) &&
                        (match_arg(args[k]->type, p) == EXACT || (preferred && p && query_type_is_preferred(p)));
        }
    keep_best(c, score);
}

/* For an unknown literal: text wins when some candidate takes it, else the category all agree on. */
static bool keep_by_category(struct candidates *c, struct query_expr **args, int n_args)
{
    for (int k = 0; k < n_args; k++) {
        char category = 0;
        bool same = true, preferred = false;
        int score[CANDIDATES_MAX] = { 0 };
        if (!query_type_is_unknown(args[k]->type))
            continue;
        for (int i = 0; i < c->n; i++) {
            const struct tsf_type *p = param(c->fn[i], k);
            char x = p ? query_type_category(p) : 'S';
            same = same && (category == 0 || x == category || category == 'S' || x == 'S');
            category = category == 'S' || x == 'S' ? 'S' : x;
        }
        if (!same)
            return false;
        for (int i = 0; i < c->n; i++) {
            const struct tsf_type *p = param(c->fn[i], k);
            score[i] = (p ? query_type_category(p) : 'S') == category;
            preferred = preferred || (score[i] && p && query_type_is_preferred(p));
        }
        for (int i = 0; i < c->n; i++)
            if (preferred && score[i] && param(c->fn[i], k) && query_type_is_preferred(param(c->fn[i], k)))
                score[i] = 2;
        keep_best(c, score);
    }
    return true;
}

/* If all known arguments have one type, take the unknown ones to be of it too. */
static void keep_by_known_type(struct candidates *c, struct query_expr **args, int n_args)
{
    const struct tsf_type *known = NULL;
    int score[CANDIDATES_MAX] = { 0 };

    for (int k = 0; k < n_args; k++) {
        if (query_type_is_unknown(args[k]->type))
            continue;
        if (known && known->id != args[k]->type->id)
            return;
        known = args[k]->type;
    }
    if (!known)
        return;
    for (int i = 0; i < c->n; i++) {
        score[i] = 1;
        for (int k = 0; k < n_args; k++)
            score[i] &= match_arg(known, param(c->fn[i], k)) != NO;
    }
    keep_best(c, score);
}

/* For operators the assumption above comes first, when it gives an exact match. */
static bool pick_operator(struct candidates *c, struct query_expr **args, int n_args)
{
    const struct tsf_type *known;

    if (n_args != 2 || query_type_is_unknown(args[0]->type) == query_type_is_unknown(args[1]->type))
        return false;
    known = args[query_type_is_unknown(args[0]->type)]->type;
    for (int i = 0; i < c->n; i++)
        if (match_arg(known, param(c->fn[i], 0)) == EXACT && match_arg(known, param(c->fn[i], 1)) == EXACT) {
            c->fn[0] = c->fn[i];
            c->n = 1;
            return true;
        }
    return false;
}

static void candidates_narrow(struct candidates *c, struct query_expr **args, int n_args, bool operator)
{
    if (c->n > 1 && operator && pick_operator(c, args, n_args))
        return;
    if (c->n > 1)
        keep_by_matches(c, args, n_args, false);
    if (c->n > 1)
        keep_by_matches(c, args, n_args, true);
    if (c->n > 1) {
        struct candidates before = *c;
        if (!keep_by_category(c, args, n_args))
            *c = before;
    }
    if (c->n > 1)
        keep_by_known_type(c, args, n_args);
}

/* ---- errors ------------------------------------------------------------------------------------------------ */

static int edit_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    int row[64];

    if (n > 60 || m > 60)
        return 99;
    for (size_t j = 0; j <= m; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int x = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = TSF_MIN(x, TSF_MIN(row[j - 1], row[j]) + 1);
        }
    }
    return row[m];
}

static const char *nearest_name(const char *name)
{
    const char *best = NULL;
    int best_distance = 1 + (int)strlen(name) / 3;

    for (size_t t = 0; t < TSF_ARRAY_LEN(tables); t++)
        for (const struct query_function *f = tables[t]; f->name; f++) {
            int d = isalpha((unsigned char)f->name[0]) ? edit_distance(name, f->name) : 99;
            if (d > 0 && d < best_distance) {
                best = f->name;
                best_distance = d;
            }
        }
    return best;
}

static enum tsf_err not_found(const char *name, struct query_expr **args, int n_args, int location, bool known, bool ambiguous,
                              struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_buf b = TSF_BUF_INIT(400);
    const char *near = known ? NULL : nearest_name(name), *state = ambiguous ? "42725" : "42883";
    const char *what = ambiguous ? "is not unique" : "does not exist";
    enum tsf_err rc;

    if (isalpha((unsigned char)name[0]) || name[0] == '_') {
        for (int k = 0; k < n_args; k++)
            (void)tsf_buf_printf(&b, NULL, "%s%s", k ? ", " : "", tsf_type_sql_name(args[k]->type, &a));
        rc = tsf_fail_sql(err, state, location, "function %s(%s) %s", name, n_args && tsf_buf_cstr(&b) ? tsf_buf_cstr(&b) : "", what);
    } else if (n_args == 2) {
        rc = tsf_fail_sql(err, state, location, "operator %s: %s %s %s", what, tsf_type_sql_name(args[0]->type, &a), name,
                          tsf_type_sql_name(args[1]->type, &a));
    } else {
        rc = tsf_fail_sql(err, state, location, "operator %s: %s %s", what, name,
                          n_args ? tsf_type_sql_name(args[0]->type, &a) : "");
    }
    if (near)
        tsf_hint(err, "Perhaps you meant \"%s\".", near);
    else if (known || !isalpha((unsigned char)name[0]))
        tsf_hint(err, "No %s matches the argument types. You might need explicit casts.",
                 isalpha((unsigned char)name[0]) ? "function" : "operator");
    tsf_buf_release(&b);
    tsf_arena_release(&a);
    return rc;
}

/* ---- building the call --------------------------------------------------------------------------------------- */

struct resolve {
    const char *name;
    struct query_expr **args;
    int n_args, location;
    uint32_t *next_id;
    struct tsf_arena *a;
};

static enum tsf_err call_build(const struct resolve *r, const struct query_function *f, struct query_expr **out,
                               struct tsf_error *err)
{
    struct query_expr *call;
    const struct tsf_type *t;
    enum tsf_err rc;

    for (int k = 0; k < r->n_args; k++) {
        const struct tsf_type *p = param(f, k);
        if (!p)
            p = query_type_is_unknown(r->args[k]->type) ? TSF_T(STRING) : r->args[k]->type;
        else if (p == &query_any_array)
            p = r->args[k]->type;
        if (p->id == TSF_TYPE_DECIMAL && r->args[k]->type->id == TSF_TYPE_DECIMAL)
            continue;
        if (p->id == TSF_TYPE_STRING && r->args[k]->type->id == TSF_TYPE_STRING && !p->json)
            continue; /* JSON text is text */
        if ((rc = query_coerce(&r->args[k], p, QUERY_IMPLICIT, r->next_id, r->a, err)) != TSF_OK)
            return rc;
    }
    t = f->ret_fn ? f->ret_fn((const struct query_expr *const *)r->args, r->n_args, r->a) : f->ret;
    if (!t)
        return not_found(r->name, r->args, r->n_args, r->location, true, false, err);
    if (!(call = query_type_node(QUERY_CALL, t, r->n_args, r->args, r->location, r->next_id, r->a)))
        return tsf_fail_nomem(err);
    call->fn = f;
    *out = call;
    return TSF_OK;
}

/* An integer constant beside a narrower integer column takes the column's type when it fits, so that columns stay as they are. */
static bool narrow_constant(const struct resolve *r, int k, struct tsf_error *err)
{
    const struct query_expr *c = r->args[k], *v = r->args[1 - k];
    struct tsf_value x;
    int bits = 8 * tsf_type_width(v->type);
    struct query_expr *e;

    if (c->kind != QUERY_CONST || c->value.is_null || v->kind == QUERY_CONST || !tsf_type_is_integer(c->type) ||
        !tsf_type_is_integer(v->type) || c->type->id <= v->type->id)
        return false;
    x = c->value;
    if (x.u.i64 >= 1LL << (bits - 1) || x.u.i64 < -(1LL << (bits - 1)))
        return false;
    x.type = v->type;
    if (!(e = query_type_node(QUERY_CONST, v->type, 0, NULL, c->location, r->next_id, r->a)))
        return false;
    e->value = x;
    r->args[k] = e;
    return true;
}

static enum tsf_err compare_resolve(const struct resolve *r, const struct query_function *f, struct query_expr **out,
                                    struct tsf_error *err)
{
    const struct tsf_type *t;
    enum tsf_err rc;

    if (!narrow_constant(r, 0, err))
        (void)narrow_constant(r, 1, err);
    t = query_type_common(r->args[0]->type, r->args[1]->type, true);
    if (!t || t->id == TSF_TYPE_MAP || t->id == TSF_TYPE_STRUCT)
        return not_found(r->name, r->args, 2, r->location, true, false, err);
    if (query_type_is_unknown(t))
        t = TSF_T(STRING);
    for (int k = 0; k < 2; k++)
        if (!(t->id == TSF_TYPE_STRING && r->args[k]->type->id == TSF_TYPE_STRING) &&
            (rc = query_coerce(&r->args[k], t, QUERY_IMPLICIT, r->next_id, r->a, err)) != TSF_OK)
            return rc;
    return call_build(r, f, out, err);
}

static enum tsf_err arithmetic_resolve(const struct resolve *r, struct query_expr **out, struct tsf_error *err)
{
    const struct tsf_type *t = query_type_promote(r->args[0]->type, r->args[1]->type, true);
    enum tsf_type_id id = t->id == TSF_TYPE_INT8 ? TSF_TYPE_INT16 : t->id;

    for (const struct query_function *f = query_fn_math; f->name; f++)
        if (strcmp(f->name, r->name) == 0 && f->n_args == 2 && f->arg_types[0]->id == id && f->arg_types[1]->id == id)
            return call_build(r, f, out, err);
    return not_found(r->name, r->args, r->n_args, r->location, true, false, err);
}

enum tsf_err query_resolve(const char *name, struct query_expr **args, int n_args, int location, uint32_t *next_id,
                           struct tsf_arena *a, struct query_expr **out, struct tsf_error *err)
{
    struct resolve r = { name, args, n_args, location, next_id, a };
    bool operator = !isalpha((unsigned char)name[0]) && name[0] != '_';
    struct candidates c;

    if (n_args == 2 && operator) {
        for (const struct query_function *f = query_fn_compare; f->name; f++)
            if (strcmp(f->name, name) == 0)
                return compare_resolve(&r, f, out, err);
        if (strchr("+-*/%", name[0]) && !name[1] && query_type_is_numeric(args[0]->type) && query_type_is_numeric(args[1]->type))
            return arithmetic_resolve(&r, out, err);
    }
    candidates_collect(name, args, n_args, &c);
    candidates_narrow(&c, args, n_args, operator);
    if (c.n != 1)
        return not_found(name, args, n_args, location, c.name_known, c.n > 1, err);
    return call_build(&r, c.fn[0], out, err);
}
