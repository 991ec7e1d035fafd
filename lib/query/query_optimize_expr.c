/*
 * Expressions made smaller: constants folded, conditions turned so that a bare column stands left of a constant, which is
 * the form that statistics, bloom filters and kernels use.
 *
 * Comparisons with a monotonic function of a column become ranges of the column itself, exactly: with next(b) the start of
 * the bucket behind b, f = date_trunc or time_bucket or a cast of a time to a date, and C a bucket's start,
 *     f(x) >= C  is  x >= C          f(x) > C   is  x >= next(C)
 *     f(x) <  C  is  x <  C          f(x) <= C  is  x <  next(C)        f(x) = C  is  C <= x < next(C)
 * and for C inside a bucket that starts at B: >= and > are x >= next(B), < and <= are x < next(B).
 */
#include <math.h>

#include "query/query_optimize.h"

void *query_optimize_nomem(struct query_optimizer *o)
{
    if (o->rc == TSF_OK)
        o->rc = tsf_fail_nomem(o->err);
    return NULL;
}

bool query_is_volatile(const struct query_expr *e)
{
    if (e->kind == QUERY_CALL && (e->fn->flags & QUERY_FN_VOLATILE))
        return true;
    for (int i = 0; i < e->n_args; i++)
        if (query_is_volatile(e->args[i]))
            return true;
    return false;
}

static bool is_bool_const(const struct query_expr *e) { return e->kind == QUERY_CONST && e->type->id == TSF_TYPE_BOOL; }
bool query_is_true(const struct query_expr *e) { return is_bool_const(e) && !e->value.is_null && e->value.u.b; }
bool query_is_false_or_null(const struct query_expr *e) { return is_bool_const(e) && (e->value.is_null || !e->value.u.b); }
static bool is_false(const struct query_expr *e) { return is_bool_const(e) && !e->value.is_null && !e->value.u.b; }

struct query_expr *query_substitute(struct query_optimizer *o, const struct query_expr *e, struct query_expr *const *by)
{
    if (e->kind == QUERY_COLUMN) {
        struct query_expr *c = query_expr_copy(by[e->column], NULL, &o->next_id, o->a);
        return c ? c : query_optimize_nomem(o);
    }
    struct query_expr *c = tsf_arena_memdup(o->a, e, sizeof *e);
    if (!c)
        return query_optimize_nomem(o);
    c->id = o->next_id++;
    if (!e->n_args)
        return c;
    if (!(c->args = tsf_arena_calloc(o->a, (size_t)e->n_args, sizeof *c->args)))
        return query_optimize_nomem(o);
    for (int i = 0; i < e->n_args; i++)
        if (!(c->args[i] = query_substitute(o, e->args[i], by)))
            return NULL;
    return c;
}

/* ---- makers: NULL when it cannot be had, which is no failure here ----------------------------------------------- */

static struct query_expr *constant(struct query_optimizer *o, const struct tsf_value *v)
{
    struct query_expr *e = query_expr_const(v, -1, &o->next_id, o->a);
    return e ? e : query_optimize_nomem(o);
}

static struct query_expr *bool_constant(struct query_optimizer *o, bool b)
{
    struct tsf_value v = { .type = TSF_T(BOOL), .u.b = b };
    return constant(o, &v);
}

static struct query_expr *time_constant(struct query_optimizer *o, const struct tsf_type *t, int64_t us)
{
    struct tsf_value v = { .type = t, .u.i64 = us };
    return constant(o, &v);
}

static struct query_expr *call2(struct query_optimizer *o, const char *op, struct query_expr *x, struct query_expr *y)
{
    struct query_expr **args = tsf_arena_calloc(o->a, 2, sizeof *args), *e = NULL;
    if (!args || !x || !y)
        return NULL;
    args[0] = x, args[1] = y;
    return query_resolve(op, args, 2, x->location, &o->next_id, o->a, &e, NULL) == TSF_OK ? e : NULL;
}

static struct query_expr *copy(struct query_optimizer *o, const struct query_expr *e)
{
    return query_expr_copy(e, NULL, &o->next_id, o->a);
}

static struct query_expr *both(struct query_optimizer *o, struct query_expr *x, struct query_expr *y)
{
    struct query_expr **args = tsf_arena_calloc(o->a, 2, sizeof *args);
    if (!args || !x || !y)
        return NULL;
    args[0] = x, args[1] = y;
    return query_expr_new(QUERY_AND, TSF_T(BOOL), 2, args, x->location, &o->next_id, o->a);
}

static struct query_expr *folded(struct query_optimizer *o, struct query_expr *e)
{
    struct tsf_value v;
    if (!e || query_eval_const(e, o->now_us, o->a, &v, NULL) != TSF_OK)
        return NULL; /* an error in it is raised by the row that meets it */
    struct query_expr *c = constant(o, &v);
    if (c) {
        c->type = c->value.type = e->type;
        c->location = e->location;
    }
    return c;
}

/* ---- comparisons ---------------------------------------------------------------------------------------------------- */

enum compare { EQ, NE, LT, LE, GT, GE, NO_COMPARE };
static const char *const compare_names[] = { "=", "<>", "<", "<=", ">", ">=" };
static const enum compare mirrored[] = { EQ, NE, GT, GE, LT, LE }, negated[] = { NE, EQ, GE, GT, LE, LT };

static enum compare compare_of(const struct query_expr *e)
{
    if (e->kind == QUERY_CALL && e->n_args == 2)
        for (int i = 0; i < NO_COMPARE; i++)
            if (strcmp(e->fn->name, compare_names[i]) == 0)
                return (enum compare)i;
    return NO_COMPARE;
}

static bool is_cast(const struct query_expr *e) { return e->kind == QUERY_CALL && e->n_args >= 1 && strcmp(e->fn->name, "cast") == 0; }
static bool is_time(const struct tsf_type *t) { return t->id == TSF_TYPE_TIMESTAMP || t->id == TSF_TYPE_TIMESTAMP_NTZ; }

static int64_t floor_day(int64_t us) { return us / TSF_US_PER_DAY - (us % TSF_US_PER_DAY < 0); }

/* Smallest and largest of an integer type. */
static void int_range(const struct tsf_type *t, int64_t *lo, int64_t *hi)
{
    int bits = tsf_type_width(t) * 8;
    *hi = bits == 64 ? INT64_MAX : (1LL << (bits - 1)) - 1;
    *lo = -*hi - 1;
}

/*
 * A constant as floor and whether it is whole: what integers and days can be compared with. False: cannot be told.
 */
static bool whole_part(const struct query_expr *c, int64_t *floor_out, bool *whole_out)
{
    const struct tsf_value *v = &c->value;
    switch (c->type->id) {
    case TSF_TYPE_INT8:
    case TSF_TYPE_INT16:
    case TSF_TYPE_INT32:
    case TSF_TYPE_INT64:
    case TSF_TYPE_DATE:
        *floor_out = v->u.i64, *whole_out = true;
        return true;
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ:
        *floor_out = floor_day(v->u.i64), *whole_out = *floor_out * TSF_US_PER_DAY == v->u.i64;
        return true;
    case TSF_TYPE_DECIMAL: {
        tsf_int128 unit = tsf_pow10(c->type->scale), q = v->u.i128 / unit, r = v->u.i128 % unit;
        q -= r < 0;
        *whole_out = r == 0, *floor_out = (int64_t)q;
        return q == *floor_out;
    }
    case TSF_TYPE_DOUBLE: {
        double f = floor(v->u.f64);
        if (!(fabs(f) < 9007199254740992.0)) /* beyond it, integers and doubles do not match one to one */
            return false;
        *floor_out = (int64_t)f, *whole_out = f == v->u.f64;
        return true;
    }
    default:
        return false;
    }
}

/* cast(x) op c, x an integer (or date) and the cast to something wider: the same on x's own type. */
static struct query_expr *compare_whole(struct query_optimizer *o, enum compare op, struct query_expr *x, const struct query_expr *c)
{
    int64_t at, lo, hi;
    bool whole;
    if (!whole_part(c, &at, &whole))
        return NULL;
    if (!whole) {
        if (op == EQ || op == NE)
            return NULL;
        op = op == GT || op == GE ? GT : LE; /* x > 1.5 is x > 1; x < 1.5 is x <= 1 */
    }
    int_range(x->type->id == TSF_TYPE_DATE ? TSF_T(INT32) : x->type, &lo, &hi);
    if (at < lo || at > hi)
        return NULL;
    struct tsf_value v = { .type = x->type, .u.i64 = at };
    return call2(o, compare_names[op], copy(o, x), constant(o, &v));
}

/* cast(x to a wider decimal) op c: on x's own precision and scale. */
static struct query_expr *compare_decimal(struct query_optimizer *o, enum compare op, struct query_expr *x, const struct query_expr *c)
{
    const struct tsf_type *t = x->type;
    int shift = c->type->scale - t->scale;
    tsf_int128 at = c->value.u.i128;
    if (shift < 0) {
        if (!tsf_decimal_rescale(at, c->type->scale, t->scale, &at))
            return NULL;
    } else if (shift > 0) {
        tsf_int128 unit = tsf_pow10(shift), rest = at % unit;
        at = at / unit - (rest < 0);
        if (rest) {
            if (op == EQ || op == NE)
                return NULL;
            op = op == GT || op == GE ? GT : LE;
        }
    }
    if (!tsf_decimal_fits(at, t->precision))
        return NULL;
    struct tsf_value v = { .type = t, .u.i128 = at };
    return call2(o, compare_names[op], copy(o, x), constant(o, &v));
}

/* The start of the bucket after b for f (see above), or NULL. */
static struct query_expr *bucket_next(struct query_optimizer *o, const struct query_expr *f, struct query_expr *b)
{
    static const struct { const char *unit, *step; } units[] = {
        { "microseconds", "1 microsecond" }, { "microsecond", "1 microsecond" }, { "milliseconds", "1 millisecond" },
        { "millisecond", "1 millisecond" }, { "second", "1 second" }, { "minute", "1 minute" }, { "hour", "1 hour" },
        { "day", "1 day" }, { "week", "7 days" }, { "month", "1 month" }, { "quarter", "3 months" }, { "year", "1 year" },
        { "decade", "10 years" }, { "century", "100 years" }, { "millennium", "1000 years" },
    };
    struct query_expr *step = NULL;
    if (strcmp(f->fn->name, "date_trunc") == 0) {
        for (size_t i = 0; i < TSF_ARRAY_LEN(units); i++)
            if (tsf_str_eqz(f->args[0]->value.u.s, units[i].unit)) {
                struct tsf_value v = { .type = &query_unknown, .u.s = tsf_str(units[i].step) };
                step = constant(o, &v);
                if (step && query_coerce(&step, TSF_T(INTERVAL), QUERY_EXPLICIT, &o->next_id, o->a, NULL) != TSF_OK)
                    return NULL;
            }
    } else {
        step = copy(o, f->args[0]);
    }
    struct query_expr *next = step ? folded(o, call2(o, "+", copy(o, b), step)) : NULL;
    return next && tsf_type_eq(next->type, b->type) && !next->value.is_null ? next : NULL;
}

/* f(x) op c for a truncation of times. */
static struct query_expr *compare_bucket(struct query_optimizer *o, enum compare op, struct query_expr *f, struct query_expr *c)
{
    if (f->kind != QUERY_CALL || f->n_args != 2 || f->args[0]->kind != QUERY_CONST || f->args[0]->value.is_null || op == NE ||
        (strcmp(f->fn->name, "date_trunc") != 0 && strcmp(f->fn->name, "time_bucket") != 0))
        return NULL;
    struct query_expr *x = f->args[1];
    if (!is_time(x->type) || !tsf_type_eq(f->type, x->type) || !tsf_type_eq(c->type, x->type) ||
        (strcmp(f->fn->name, "time_bucket") == 0 && f->args[0]->type->id != TSF_TYPE_INTERVAL))
        return NULL;
    struct query_expr **args = tsf_arena_calloc(o->a, 2, sizeof *args), *call = copy(o, f);
    if (!args || !call)
        return NULL;
    args[0] = copy(o, f->args[0]), args[1] = copy(o, c);
    call->args = args;
    struct query_expr *start = args[0] && args[1] ? folded(o, call) : NULL;
    struct query_expr *next = start && !start->value.is_null ? bucket_next(o, f, start) : NULL;
    if (!next)
        return NULL;
    bool on_start = tsf_value_cmp(&start->value, &c->value) == 0;
    if (op == EQ)
        return on_start ? both(o, call2(o, ">=", copy(o, x), start), call2(o, "<", copy(o, x), next)) : NULL;
    if (on_start && (op == GE || op == LT))
        return call2(o, compare_names[op], copy(o, x), start);
    return call2(o, op == GE || op == GT ? ">=" : "<", copy(o, x), next);
}

/* cast(time as date) op day */
static struct query_expr *compare_day(struct query_optimizer *o, enum compare op, struct query_expr *x, const struct query_expr *c)
{
    int64_t start, next;
    if (op == NE || __builtin_mul_overflow(c->value.u.i64, TSF_US_PER_DAY, &start) || __builtin_add_overflow(start, TSF_US_PER_DAY, &next))
        return NULL;
    struct query_expr *from = time_constant(o, x->type, start), *to = time_constant(o, x->type, next);
    switch (op) {
    case EQ: return both(o, call2(o, ">=", copy(o, x), from), call2(o, "<", copy(o, x), to));
    case GE: return call2(o, ">=", copy(o, x), from);
    case GT: return call2(o, ">=", copy(o, x), to);
    case LT: return call2(o, "<", copy(o, x), from);
    default: return call2(o, "<", copy(o, x), to);
    }
}

static bool is_plain_interval(const struct query_expr *e, int64_t *us_out)
{
    if (e->kind != QUERY_CONST || e->type->id != TSF_TYPE_INTERVAL || e->value.is_null || e->value.u.iv.months)
        return false;
    return !__builtin_mul_overflow((int64_t)e->value.u.iv.days, TSF_US_PER_DAY, us_out) &&
           !__builtin_add_overflow(*us_out, e->value.u.iv.us, us_out);
}

/* x + '1 hour' op c is x op c - '1 hour', and now - x op '1 hour' is x op' now - '1 hour': intervals without months. */
static struct query_expr *compare_shifted(struct query_optimizer *o, enum compare op, const struct query_expr *f, const struct query_expr *c)
{
    int64_t shift, at;
    if (f->kind != QUERY_CALL || f->n_args != 2 || (strcmp(f->fn->name, "+") != 0 && strcmp(f->fn->name, "-") != 0))
        return NULL;
    bool plus = f->fn->name[0] == '+';
    const struct query_expr *l = f->args[0], *r = f->args[1];
    if (plus && is_plain_interval(l, &shift))
        r = f->args[0], l = f->args[1];
    if (is_time(l->type) && is_time(c->type) && tsf_type_eq(l->type, c->type) && is_plain_interval(r, &shift)) {
        if (plus ? __builtin_sub_overflow(c->value.u.i64, shift, &at) : __builtin_add_overflow(c->value.u.i64, shift, &at))
            return NULL;
        return call2(o, compare_names[op], copy(o, l), time_constant(o, l->type, at));
    }
    if (!plus && l->kind == QUERY_CONST && !l->value.is_null && is_time(l->type) && tsf_type_eq(l->type, r->type) && is_plain_interval(c, &shift) &&
        !__builtin_sub_overflow(l->value.u.i64, shift, &at))
        return call2(o, compare_names[mirrored[op]], copy(o, r), time_constant(o, r->type, at));
    return NULL;
}

/* A form of e (column side op constant) that leaves the column bare, or NULL. */
static struct query_expr *uncast(struct query_optimizer *o, enum compare op, struct query_expr *e)
{
    struct query_expr *f = e->args[0], *c = e->args[1];
    if (!is_cast(f)) {
        struct query_expr *shifted = compare_shifted(o, op, f, c);
        return shifted ? shifted : compare_bucket(o, op, f, c);
    }
    struct query_expr *x = f->args[0];
    const struct tsf_type *from = x->type, *to = f->type;
    if (tsf_type_is_integer(from) && (tsf_type_is_integer(to) ? tsf_type_width(to) >= tsf_type_width(from) :
                                      to->id == TSF_TYPE_DECIMAL || to->id == TSF_TYPE_DOUBLE))
        return compare_whole(o, op, x, c);
    if (from->id == TSF_TYPE_DECIMAL && to->id == TSF_TYPE_DECIMAL && to->scale >= from->scale)
        return compare_decimal(o, op, x, c);
    if (from->id == TSF_TYPE_DATE && is_time(to))
        return compare_whole(o, op, x, c);
    if (is_time(from) && is_time(to)) /* the session's zone is UTC: same microseconds */
        return call2(o, compare_names[op], copy(o, x), time_constant(o, from, c->value.u.i64));
    if (is_time(from) && to->id == TSF_TYPE_DATE)
        return compare_day(o, op, x, c);
    if (from->id == TSF_TYPE_FLOAT && to->id == TSF_TYPE_DOUBLE && (double)(float)c->value.u.f64 == c->value.u.f64) {
        struct tsf_value v = { .type = from, .u.f32 = (float)c->value.u.f64 };
        return call2(o, compare_names[op], copy(o, x), constant(o, &v));
    }
    return NULL;
}

static struct query_expr *simplify_compare(struct query_optimizer *o, enum compare op, struct query_expr *e)
{
    struct query_expr *t;
    if (e->args[0]->kind == QUERY_CONST && e->args[1]->kind != QUERY_CONST &&
        (t = call2(o, compare_names[mirrored[op]], copy(o, e->args[1]), copy(o, e->args[0]))))
        e = t, op = mirrored[op];
    if (e->args[1]->kind != QUERY_CONST || e->args[1]->value.is_null || compare_of(e) != op)
        return e;
    for (int i = 0; i < 4 && (t = uncast(o, op, e)); i++) { /* casts may be nested */
        e = t;
        if (compare_of(e) == NO_COMPARE)
            break;
        op = compare_of(e);
    }
    return e;
}

/* ---- IN, NOT, AND, OR, CASE -------------------------------------------------------------------------------------------- */

/* cast(x) IN (wider integers): those that fit, on x itself. One value: an equality. */
static struct query_expr *simplify_in(struct query_optimizer *o, struct query_expr *e)
{
    if (e->subquery)
        return e;
    struct query_expr *f = e->args[0], *x = is_cast(f) ? f->args[0] : NULL;
    if (x && tsf_type_is_integer(x->type) && tsf_type_is_integer(f->type)) {
        int64_t lo, hi;
        int n = 1;
        struct query_expr **args = tsf_arena_calloc(o->a, (size_t)e->n_args, sizeof *args);
        if (!args)
            return query_optimize_nomem(o);
        int_range(x->type, &lo, &hi);
        args[0] = x;
        for (int i = 1; i < e->n_args; i++) {
            struct tsf_value v = e->args[i]->value;
            if (!v.is_null && (v.u.i64 < lo || v.u.i64 > hi))
                continue;
            v.type = x->type;
            if (!(args[n++] = constant(o, &v)))
                return NULL;
        }
        if (n > 1)
            e->args = args, e->n_args = n;
    }
    if (e->n_args == 2 && !e->args[1]->value.is_null) {
        struct query_expr *t = call2(o, e->negated ? "<>" : "=", copy(o, e->args[0]), copy(o, e->args[1]));
        if (t)
            return compare_of(t) != NO_COMPARE ? simplify_compare(o, compare_of(t), t) : t;
    }
    return e;
}

static struct query_expr *simplify_not(struct query_optimizer *o, struct query_expr *e)
{
    struct query_expr *x = e->args[0], *t;
    enum compare op = compare_of(x);
    if (x->kind == QUERY_NOT)
        return x->args[0];
    if (x->kind == QUERY_IS_NULL || x->kind == QUERY_IS_TRUE || x->kind == QUERY_IN || x->kind == QUERY_DISTINCT_FROM) {
        x->negated = !x->negated;
        return x;
    }
    if (op != NO_COMPARE && (t = call2(o, compare_names[negated[op]], x->args[0], x->args[1])))
        return simplify_compare(o, negated[op], t);
    if (x->kind == QUERY_OR || x->kind == QUERY_AND) { /* De Morgan, so that conditions can be taken apart */
        for (int i = 0; i < x->n_args; i++) {
            struct query_expr **args = tsf_arena_calloc(o->a, 1, sizeof *args);
            if (!args)
                return query_optimize_nomem(o);
            args[0] = x->args[i];
            struct query_expr *n = query_expr_new(QUERY_NOT, TSF_T(BOOL), 1, args, args[0]->location, &o->next_id, o->a);
            if (!n || !(x->args[i] = simplify_not(o, n)))
                return query_optimize_nomem(o);
        }
        x->kind = x->kind == QUERY_OR ? QUERY_AND : QUERY_OR;
    }
    else
        return e;
    return x;
}

/* x and its constants of "x = c" or "x IN (c...)"; 0 when e is neither. */
static int equal_to(struct query_expr *e, struct query_expr ***constants)
{
    if (e->kind == QUERY_IN && !e->negated && !e->subquery) {
        *constants = e->args + 1;
        return e->n_args - 1;
    }
    if (compare_of(e) != EQ || e->args[1]->kind != QUERY_CONST || e->args[1]->value.is_null ||
        !tsf_type_eq(e->args[0]->type, e->args[1]->type))
        return 0;
    *constants = e->args + 1;
    return 1;
}

/* x = 1 OR x = 2 OR x IN (3, 4): one hash set. NULL when the alternatives are not all of that kind. */
static struct query_expr *merge_equals(struct query_optimizer *o, struct query_expr *e)
{
    struct query_expr **constants;
    int n = 0;
    for (int i = 0; i < e->n_args; i++) {
        int k = equal_to(e->args[i], &constants);
        if (k == 0 || !query_expr_equal(e->args[i]->args[0], e->args[0]->args[0]))
            return NULL;
        n += k;
    }
    struct query_expr **args = tsf_arena_calloc(o->a, (size_t)n + 1, sizeof *args);
    if (!args)
        return NULL;
    args[0] = e->args[0]->args[0];
    n = 1;
    for (int i = 0; i < e->n_args; i++)
        for (int k = equal_to(e->args[i], &constants), c = 0; c < k; c++)
            args[n++] = constants[c];
    return query_expr_new(QUERY_IN, TSF_T(BOOL), n, args, e->location, &o->next_id, o->a);
}

/* Flat, without neutral constants; a decisive constant is the whole. */
static struct query_expr *simplify_junction(struct query_optimizer *o, struct query_expr *e)
{
    bool is_and = e->kind == QUERY_AND;
    int n = 0;
    for (int i = 0; i < e->n_args; i++)
        n += e->args[i]->kind == e->kind ? e->args[i]->n_args : 1;
    struct query_expr **args = tsf_arena_calloc(o->a, (size_t)n + 1, sizeof *args);
    if (!args)
        return query_optimize_nomem(o);
    n = 0;
    for (int i = 0; i < e->n_args; i++) {
        struct query_expr *x = e->args[i];
        for (int k = 0; k < (x->kind == e->kind ? x->n_args : 1); k++) {
            struct query_expr *y = x->kind == e->kind ? x->args[k] : x;
            if (is_and ? is_false(y) : query_is_true(y))
                return bool_constant(o, !is_and);
            if (!(is_and ? query_is_true(y) : is_false(y)))
                args[n++] = y;
        }
    }
    if (n == 0)
        return bool_constant(o, is_and);
    if (n == 1)
        return args[0];
    e->args = args, e->n_args = n;
    struct query_expr *in = is_and ? NULL : merge_equals(o, e);
    return in ? in : e;
}

static struct query_expr *simplify_case(struct query_expr *e)
{
    int n = 0;
    for (int i = 0; i + 1 < e->n_args; i += 2) {
        if (query_is_false_or_null(e->args[i]))
            continue;
        if (query_is_true(e->args[i])) {
            e->args[n++] = e->args[i + 1];
            e->n_args = n;
            return n == 1 ? e->args[0] : e;
        }
        e->args[n++] = e->args[i];
        e->args[n++] = e->args[i + 1];
    }
    e->args[n++] = e->args[e->n_args - 1];
    e->n_args = n;
    return n == 1 ? e->args[0] : e;
}

static struct query_expr *simplify_coalesce(struct query_expr *e)
{
    int n = 0;
    for (int i = 0; i < e->n_args; i++) {
        bool is_const = e->args[i]->kind == QUERY_CONST;
        if (is_const && e->args[i]->value.is_null && i + 1 < e->n_args)
            continue;
        e->args[n++] = e->args[i];
        if (is_const && !e->args[i]->value.is_null)
            break; /* nothing behind it is reached */
    }
    e->n_args = n;
    return n == 1 ? e->args[0] : e;
}

struct query_expr *query_simplify(struct query_optimizer *o, struct query_expr *e)
{
    bool constants = e->n_args > 0 && !e->subquery;
    enum compare op;
    for (int i = 0; i < e->n_args; i++) {
        if (!(e->args[i] = query_simplify(o, e->args[i])))
            return NULL;
        constants &= e->args[i]->kind == QUERY_CONST;
    }
    if (e->kind == QUERY_CALL && e->n_args == 0)
        constants = true; /* now() */
    if (e->kind == QUERY_CALL && (e->fn->flags & QUERY_FN_VOLATILE))
        return e;
    if (constants && e->kind != QUERY_CONST) {
        struct query_expr *c = folded(o, e);
        if (c || o->rc != TSF_OK)
            return c;
    }
    switch (e->kind) {
    case QUERY_CALL:
        return (op = compare_of(e)) != NO_COMPARE ? simplify_compare(o, op, e) : e;
    case QUERY_AND:
    case QUERY_OR: return simplify_junction(o, e);
    case QUERY_NOT: return simplify_not(o, e);
    case QUERY_IN: return simplify_in(o, e);
    case QUERY_CASE: return simplify_case(e);
    case QUERY_COALESCE: return simplify_coalesce(e);
    default: return e;
    }
}
