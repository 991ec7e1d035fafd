/* Arithmetic on decimals. See query_fn_decimal.h for scales. */
#include "query/query_fn_decimal.h"
#include "query/query_fn_internal.h"

#include <math.h>

static enum tsf_err overflow(struct tsf_error *err)
{
    return tsf_fail_sql(err, "22003", -1, "numeric field overflow: more than 38 digits");
}

static enum tsf_err by_zero(struct tsf_error *err)
{
    return tsf_fail_sql(err, "22012", -1, "division by zero");
}

static int scale_of(const struct query_call *c, int k)
{
    return c->args[k].type->scale;
}

static int out_scale(const struct query_call *c)
{
    return c->expr->type->scale;
}

/* ---- result types ------------------------------------------------------------------------------------------------ */

static const struct tsf_type *dec(int integer_digits, int scale)
{
    scale = TSF_MIN(scale, 38);
    return tsf_type_decimal(TSF_MAX(1, TSF_MIN(38, integer_digits + scale)), scale);
}

static int int_digits(const struct tsf_type *t)
{
    return t->precision - t->scale;
}

const struct tsf_type *query_decimal_add_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    const struct tsf_type *x = args[0]->type, *y = args[1]->type;
    return dec(TSF_MAX(int_digits(x), int_digits(y)) + 1, TSF_MAX(x->scale, y->scale));
}

/* Past 20 digits after the point the integer side gets the room. */
const struct tsf_type *query_decimal_mul_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    const struct tsf_type *x = args[0]->type, *y = args[1]->type;
    int scale = x->scale + y->scale, ip = int_digits(x) + int_digits(y);

    if (scale + ip > 38 && scale > 20)
        scale = TSF_MAX(TSF_MAX(x->scale, y->scale), TSF_MAX(20, 38 - ip));
    return dec(ip, scale);
}

/* Base-10000 weight of the leading digit and that digit, as PostgreSQL stores numbers. */
static void leading(tsf_int128 v, int scale, int *weight, int *digit)
{
    tsf_uint128 u = v < 0 ? -(tsf_uint128)v : (tsf_uint128)v;
    int digits = 0, e, lead;

    for (tsf_uint128 t = u; t; t /= 10)
        digits++;
    e = digits - 1 - scale; /* exponent of the leading decimal digit */
    *weight = e >= 0 ? e / 4 : -((-e + 3) / 4);
    lead = e - 4 * *weight + 1;
    for (; digits > lead; digits--)
        u /= 10;
    *digit = (int)u;
    for (; digits < lead; digits++)
        *digit *= 10;
}

static int constant_div_scale(const struct query_expr *x, const struct query_expr *y)
{
    int w1 = 0, w2 = 0, d1 = 0, d2 = 0, q;

    if (x->value.u.i128 != 0)
        leading(x->value.u.i128, x->type->scale, &w1, &d1);
    if (y->value.u.i128 != 0)
        leading(y->value.u.i128, y->type->scale, &w2, &d2);
    q = w1 - w2 - (d1 <= d2);
    return TSF_MAX(16 - q * 4, 0);
}

const struct tsf_type *query_decimal_div_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    const struct tsf_type *x = args[0]->type, *y = args[1]->type;
    int scale = 16;

    if (args[0]->kind == QUERY_CONST && args[1]->kind == QUERY_CONST && !args[0]->value.is_null && !args[1]->value.is_null)
        scale = constant_div_scale(args[0], args[1]);
    return dec(38, TSF_MIN(38, TSF_MAX(scale, TSF_MAX(x->scale, y->scale))));
}

const struct tsf_type *query_decimal_mod_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return dec(38, TSF_MAX(args[0]->type->scale, args[1]->type->scale));
}

const struct tsf_type *query_decimal_int_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return n > 1 ? dec(38, 0) : dec(int_digits(args[0]->type) + 1, 0);
}

const struct tsf_type *query_decimal_same_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return args[0]->type;
}

const struct tsf_type *query_decimal_round_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    const struct tsf_type *t = args[0]->type;
    int64_t s;

    if (args[1]->kind != QUERY_CONST || args[1]->value.is_null)
        return t;
    s = TSF_MAX(0, TSF_MIN(38, args[1]->value.u.i64));
    return dec(int_digits(t) + 1, (int)s);
}

const struct tsf_type *query_decimal_pow_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return dec(38, 16);
}

const struct tsf_type *query_decimal_irrational_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return dec(38, 16);
}

const struct tsf_type *query_decimal_sqrt_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return dec(38, TSF_MAX(15, args[0]->type->scale));
}

/* ---- sums --------------------------------------------------------------------------------------------------------- */

/* Rows of argument k at the scale of the result, into *v_out with step *s_out. */
static enum tsf_err at_scale(struct query_call *c, int k, int scale, const tsf_int128 **v_out, int64_t *s_out, struct tsf_error *err)
{
    const tsf_int128 *v = c->args[k].values;
    int64_t step = fn_step(&c->args[k]), n = step ? c->n : 1;
    tsf_int128 *w;

    *v_out = v;
    *s_out = step;
    if (scale_of(c, k) == scale)
        return TSF_OK;
    if (!(w = tsf_arena_alloc(c->ev->arena, 16 * (size_t)n)))
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++)
        if (!tsf_decimal_rescale(v[i], scale_of(c, k), scale, &w[i])) {
            w[i] = 0;
            if (!step || fn_valid(c, i))
                return overflow(err);
        }
    *v_out = w;
    return TSF_OK;
}

#define DEFINE_SUM(NAME, OP)                                                                                           \
    enum tsf_err NAME(struct query_call *c, struct tsf_error *err)                                                     \
    {                                                                                                                  \
        const tsf_int128 *a, *b, max = tsf_pow10(38) - 1;                                                              \
        int64_t sa, sb;                                                                                                \
        tsf_int128 *r = c->values_out;                                                                                 \
        bool over = false;                                                                                             \
        enum tsf_err rc;                                                                                               \
        if ((rc = at_scale(c, 0, out_scale(c), &a, &sa, err)) != TSF_OK ||                                             \
            (rc = at_scale(c, 1, out_scale(c), &b, &sb, err)) != TSF_OK)                                               \
            return rc;                                                                                                 \
        for (int64_t i = 0; i < c->n; i++) {                                                                           \
            r[i] = (tsf_int128)((tsf_uint128)a[i * sa] OP (tsf_uint128)b[i * sb]);                                     \
            over |= (r[i] > max) | (r[i] < -max);                                                                      \
        }                                                                                                              \
        if (TSF_UNLIKELY(over))                                                                                        \
            FN_EACH(c, i)                                                                                              \
                if (r[i] > max || r[i] < -max)                                                                         \
                    return overflow(err);                                                                              \
        return TSF_OK;                                                                                                 \
    }
DEFINE_SUM(query_decimal_add, +)
DEFINE_SUM(query_decimal_sub, -)

/* ---- products ------------------------------------------------------------------------------------------------------- */

enum tsf_err query_decimal_mul(struct query_call *c, struct tsf_error *err)
{
    int full = scale_of(c, 0) + scale_of(c, 1), scale = out_scale(c);

    FN_EACH(c, i) {
        tsf_int128 x = fn_i128(c, 0, i), y = fn_i128(c, 1, i), z;
        if (x == (int64_t)x && y == (int64_t)y)
            z = (tsf_int128)(int64_t)x * (int64_t)y;
        else if (__builtin_mul_overflow(x, y, &z))
            return overflow(err);
        if (full != scale && !tsf_decimal_rescale(z, full, scale, &z))
            return overflow(err);
        if (!tsf_decimal_fits(z, 38))
            return overflow(err);
        FN_OUT(c, tsf_int128)[i] = z;
    }
    return TSF_OK;
}

/* r * 10 = digit * b + rest, for r < b that may be too large to multiply. */
static int step_digit(tsf_uint128 *r, tsf_uint128 b)
{
    tsf_uint128 x = 0;
    int q = 0;

    for (int k = 0; k < 10; k++) {
        x += *r;
        if (x >= b) {
            x -= b;
            q++;
        }
    }
    *r = x;
    return q;
}

bool query_decimal_divide(tsf_int128 a, int scale_a, tsf_int128 b, int scale_b, int scale, tsf_int128 *out)
{
    bool negative = (a < 0) != (b < 0);
    tsf_uint128 x = a < 0 ? -(tsf_uint128)a : (tsf_uint128)a, y = b < 0 ? -(tsf_uint128)b : (tsf_uint128)b, q, r;
    const tsf_uint128 max = (tsf_uint128)tsf_pow10(38) - 1, small = ~(tsf_uint128)0 / 10;
    int k = scale + scale_b - scale_a;
    tsf_int128 z;

    if (k < 0) {
        if (!query_decimal_divide(a, scale_a, b, scale_b, scale_a - scale_b, &z))
            return false;
        return tsf_decimal_rescale(z, scale_a - scale_b, scale, out);
    }
    if (k <= 19 && x <= UINT64_MAX / 2 && y <= UINT64_MAX) { /* the product stays below 2^127 */
        x *= (tsf_uint128)tsf_pow10(k);
        q = x / y;
        r = x % y;
    } else {
        q = x / y;
        r = x % y;
        for (; k > 0; k--) {
            int d;
            if (q > max / 10)
                return false;
            if (y <= small) {
                r *= 10;
                d = (int)(r / y);
                r %= y;
            } else {
                d = step_digit(&r, y);
            }
            q = q * 10 + (unsigned)d;
        }
    }
    if (r >= y - r)
        q++;
    if (q > max)
        return false;
    *out = negative ? -(tsf_int128)q : (tsf_int128)q;
    return true;
}

enum tsf_err query_decimal_div(struct query_call *c, struct tsf_error *err)
{
    int sa = scale_of(c, 0), sb = scale_of(c, 1), scale = out_scale(c);

    FN_EACH(c, i) {
        tsf_int128 y = fn_i128(c, 1, i);
        if (y == 0)
            return by_zero(err);
        if (!query_decimal_divide(fn_i128(c, 0, i), sa, y, sb, scale, &FN_OUT(c, tsf_int128)[i]))
            return overflow(err);
    }
    return TSF_OK;
}

static enum tsf_err divide_parts(struct query_call *c, bool quotient, struct tsf_error *err)
{
    int scale = TSF_MAX(scale_of(c, 0), scale_of(c, 1));
    const tsf_int128 *a, *b;
    int64_t sa, sb;
    enum tsf_err rc;

    if ((rc = at_scale(c, 0, scale, &a, &sa, err)) != TSF_OK || (rc = at_scale(c, 1, scale, &b, &sb, err)) != TSF_OK)
        return rc;
    FN_EACH(c, i) {
        if (b[i * sb] == 0)
            return by_zero(err);
        FN_OUT(c, tsf_int128)[i] = quotient ? a[i * sa] / b[i * sb] : a[i * sa] % b[i * sb];
    }
    return TSF_OK;
}

enum tsf_err query_decimal_mod(struct query_call *c, struct tsf_error *err)
{
    return divide_parts(c, false, err);
}

enum tsf_err query_decimal_intdiv(struct query_call *c, struct tsf_error *err)
{
    return divide_parts(c, true, err);
}

/* ---- one argument ------------------------------------------------------------------------------------------------------ */

#define DEFINE_ONE(NAME, EXPR)                                                                                         \
    enum tsf_err NAME(struct query_call *c, struct tsf_error *err)                                                     \
    {                                                                                                                  \
        tsf_int128 p = tsf_pow10(scale_of(c, 0));                                                                      \
        (void)p;                                                                                                       \
        for (int64_t i = 0; i < c->n; i++) {                                                                           \
            tsf_int128 x = fn_i128(c, 0, i);                                                                           \
            FN_OUT(c, tsf_int128)[i] = EXPR;                                                                           \
        }                                                                                                              \
        return TSF_OK;                                                                                                 \
    }
DEFINE_ONE(query_decimal_neg, -x)
DEFINE_ONE(query_decimal_plus, x)
DEFINE_ONE(query_decimal_abs, x < 0 ? -x : x)
DEFINE_ONE(query_decimal_ceil, x / p + (x > 0 && x % p != 0))
DEFINE_ONE(query_decimal_floor, x / p - (x < 0 && x % p != 0))
DEFINE_ONE(query_decimal_sign, (x > 0) - (x < 0))

#define DEFINE_PLUS(NAME, T)                                                                                           \
    enum tsf_err NAME(struct query_call *c, struct tsf_error *err)                                                     \
    {                                                                                                                  \
        memcpy(c->values_out, c->args[0].values, sizeof(T) * (size_t)(c->n));                                          \
        return TSF_OK;                                                                                                 \
    }
DEFINE_PLUS(query_decimal_plus_i16, int16_t)
DEFINE_PLUS(query_decimal_plus_i32, int32_t)
DEFINE_PLUS(query_decimal_plus_i64, int64_t)
DEFINE_PLUS(query_decimal_plus_f64, double)

/* To n digits after the point (below 0: before it), then to the scale of the result. */
static enum tsf_err to_digits(struct query_call *c, bool round, struct tsf_error *err)
{
    int from = scale_of(c, 0), to = out_scale(c);

    FN_EACH(c, i) {
        tsf_int128 x = fn_i128(c, 0, i), p;
        int64_t n = c->n_args > 1 ? TSF_MAX(-60, TSF_MIN(60, fn_int(c, 1, i))) : 0;
        int drop = (int)(from - n);
        if (drop > 38) {
            x = 0;
        } else if (drop > 0) {
            tsf_int128 rest;
            p = tsf_pow10(drop);
            rest = x % p;
            x -= rest;
            if (round && rest >= p - rest)
                x += p;
            else if (round && -rest >= p + rest)
                x -= p;
        }
        if (!tsf_decimal_rescale(x, from, to, &x))
            return overflow(err);
        FN_OUT(c, tsf_int128)[i] = x;
    }
    return TSF_OK;
}

enum tsf_err query_decimal_round(struct query_call *c, struct tsf_error *err)
{
    return to_digits(c, true, err);
}

enum tsf_err query_decimal_trunc(struct query_call *c, struct tsf_error *err)
{
    return to_digits(c, false, err);
}

/* ---- through long double ---------------------------------------------------------------------------------------------- */

static long double real_of(const struct query_call *c, int k, int64_t i)
{
    return (long double)fn_i128(c, k, i) / (long double)tsf_pow10(scale_of(c, k));
}

static enum tsf_err real_put(struct query_call *c, int64_t i, long double x, struct tsf_error *err)
{
    x = roundl(x * (long double)tsf_pow10(out_scale(c)));
    if (!(fabsl(x) < 1e38L))
        return overflow(err);
    FN_OUT(c, tsf_int128)[i] = (tsf_int128)x;
    return TSF_OK;
}

enum tsf_err query_decimal_sqrt(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i) {
        long double x = real_of(c, 0, i);
        if (x < 0)
            return tsf_fail_sql(err, "2201F", -1, "cannot take square root of a negative number");
        if ((rc = real_put(c, i, sqrtl(x), err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

enum tsf_err query_decimal_exp(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i)
        if ((rc = real_put(c, i, expl(real_of(c, 0, i)), err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

static enum tsf_err log_check(long double x, struct tsf_error *err)
{
    if (x > 0)
        return TSF_OK;
    return tsf_fail_sql(err, "2201E", -1, x == 0 ? "cannot take logarithm of zero" : "cannot take logarithm of a negative number");
}

enum tsf_err query_decimal_ln(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i)
        if ((rc = log_check(real_of(c, 0, i), err)) != TSF_OK || (rc = real_put(c, i, logl(real_of(c, 0, i)), err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

enum tsf_err query_decimal_log10(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i)
        if ((rc = log_check(real_of(c, 0, i), err)) != TSF_OK || (rc = real_put(c, i, log10l(real_of(c, 0, i)), err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

enum tsf_err query_decimal_log(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i) {
        long double b = real_of(c, 0, i), x = real_of(c, 1, i);
        if ((rc = log_check(b, err)) != TSF_OK || (rc = log_check(x, err)) != TSF_OK)
            return rc;
        if (b == 1)
            return by_zero(err);
        if ((rc = real_put(c, i, logl(x) / logl(b), err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

enum tsf_err query_decimal_pow(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i) {
        long double x = real_of(c, 0, i), y = real_of(c, 1, i);
        if (x == 0 && y < 0)
            return tsf_fail_sql(err, "2201F", -1, "zero raised to a negative power is undefined");
        if (x < 0 && floorl(y) != y)
            return tsf_fail_sql(err, "2201F", -1, "a negative number raised to a non-integer power yields a complex result");
        if ((rc = real_put(c, i, powl(x, y), err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}
