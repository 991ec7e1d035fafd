/* Numbers: arithmetic operators and mathematical functions. Decimals are in query_fn_decimal.c. */
#include "query/query_fn_decimal.h"
#include "query/query_fn_internal.h"

#include <math.h>

static enum tsf_err out_of_range(const char *type, struct tsf_error *err)
{
    return tsf_fail_sql(err, "22003", -1, "%s out of range", type);
}

static enum tsf_err by_zero(struct tsf_error *err)
{
    return tsf_fail_sql(err, "22012", -1, "division by zero");
}

/* ---- integers ------------------------------------------------------------------------------------------------ */

/* Overflow under a NULL is nobody's business, so a loop that saw one looks again at the rows that count. */
#define DEFINE_CHECKED(NAME, T, SQL, BUILTIN)                                                                          \
    static enum tsf_err NAME(struct query_call *c, struct tsf_error *err)                                              \
    {                                                                                                                  \
        const T *a = c->args[0].values, *b = c->args[1].values;                                                        \
        int64_t sa = fn_step(&c->args[0]), sb = fn_step(&c->args[1]);                                                  \
        T *r = c->values_out;                                                                                          \
        bool over = false;                                                                                             \
        for (int64_t i = 0; i < c->n; i++)                                                                             \
            over |= BUILTIN(a[i * sa], b[i * sb], &r[i]);                                                              \
        if (TSF_UNLIKELY(over))                                                                                        \
            FN_EACH(c, i)                                                                                              \
                if (BUILTIN(a[i * sa], b[i * sb], &r[i]))                                                              \
                    return out_of_range(SQL, err);                                                                     \
        return TSF_OK;                                                                                                 \
    }
DEFINE_CHECKED(add_i16, int16_t, "smallint", __builtin_add_overflow)
DEFINE_CHECKED(sub_i16, int16_t, "smallint", __builtin_sub_overflow)
DEFINE_CHECKED(mul_i16, int16_t, "smallint", __builtin_mul_overflow)
DEFINE_CHECKED(mul_i32, int32_t, "integer", __builtin_mul_overflow)
DEFINE_CHECKED(mul_i64, int64_t, "bigint", __builtin_mul_overflow)

/* The same with a loop of query_kernels.h in front. */
#define DEFINE_FAST(NAME, T, SQL, BUILTIN)                                                                             \
    DEFINE_CHECKED(NAME##_slow, T, SQL, BUILTIN)                                                                       \
    static enum tsf_err NAME(struct query_call *c, struct tsf_error *err)                                              \
    {                                                                                                                  \
        if (TSF_LIKELY(query_kernels()->NAME(c->args[0].values, fn_step(&c->args[0]), c->args[1].values,               \
                                             fn_step(&c->args[1]), c->n, c->values_out)))                              \
            return TSF_OK;                                                                                             \
        return NAME##_slow(c, err);                                                                                    \
    }
DEFINE_FAST(add_i32, int32_t, "integer", __builtin_add_overflow)
DEFINE_FAST(sub_i32, int32_t, "integer", __builtin_sub_overflow)
DEFINE_FAST(add_i64, int64_t, "bigint", __builtin_add_overflow)
DEFINE_FAST(sub_i64, int64_t, "bigint", __builtin_sub_overflow)

#define DEFINE_DIVISION(T, N, MIN, SQL)                                                                                \
    static enum tsf_err div_##N(struct query_call *c, struct tsf_error *err)                                           \
    {                                                                                                                  \
        const T *a = c->args[0].values, *b = c->args[1].values;                                                        \
        int64_t sa = fn_step(&c->args[0]), sb = fn_step(&c->args[1]);                                                  \
        T *r = c->values_out;                                                                                          \
        if (sb == 0 && *b != 0 && *b != -1) {                                                                          \
            T d = *b;                                                                                                  \
            for (int64_t i = 0; i < c->n; i++)                                                                         \
                r[i] = (T)(a[i * sa] / d);                                                                             \
            return TSF_OK;                                                                                             \
        }                                                                                                              \
        FN_EACH(c, i) {                                                                                                \
            T x = a[i * sa], y = b[i * sb];                                                                            \
            if (y == 0)                                                                                                \
                return by_zero(err);                                                                                   \
            if (y == -1 && x == MIN)                                                                                   \
                return out_of_range(SQL, err);                                                                         \
            r[i] = (T)(x / y);                                                                                         \
        }                                                                                                              \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static enum tsf_err mod_##N(struct query_call *c, struct tsf_error *err)                                           \
    {                                                                                                                  \
        const T *a = c->args[0].values, *b = c->args[1].values;                                                        \
        int64_t sa = fn_step(&c->args[0]), sb = fn_step(&c->args[1]);                                                  \
        T *r = c->values_out;                                                                                          \
        FN_EACH(c, i) {                                                                                                \
            T x = a[i * sa], y = b[i * sb];                                                                            \
            if (y == 0)                                                                                                \
                return by_zero(err);                                                                                   \
            r[i] = (T)(y == -1 ? 0 : x % y);                                                                           \
        }                                                                                                              \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static enum tsf_err neg_##N(struct query_call *c, struct tsf_error *err)                                           \
    {                                                                                                                  \
        const T *a = c->args[0].values;                                                                                \
        T *r = c->values_out;                                                                                          \
        FN_EACH(c, i) {                                                                                                \
            if (a[i] == MIN)                                                                                           \
                return out_of_range(SQL, err);                                                                         \
            r[i] = (T)-a[i];                                                                                           \
        }                                                                                                              \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static enum tsf_err abs_##N(struct query_call *c, struct tsf_error *err)                                           \
    {                                                                                                                  \
        const T *a = c->args[0].values;                                                                                \
        T *r = c->values_out;                                                                                          \
        FN_EACH(c, i) {                                                                                                \
            if (a[i] == MIN)                                                                                           \
                return out_of_range(SQL, err);                                                                         \
            r[i] = (T)(a[i] < 0 ? -a[i] : a[i]);                                                                       \
        }                                                                                                              \
        return TSF_OK;                                                                                                 \
    }
DEFINE_DIVISION(int16_t, i16, INT16_MIN, "smallint")
DEFINE_DIVISION(int32_t, i32, INT32_MIN, "integer")
DEFINE_DIVISION(int64_t, i64, INT64_MIN, "bigint")

#define DEFINE_BITS(T, N)                                                                                              \
    static enum tsf_err and_##N(struct query_call *c, struct tsf_error *err)                                           \
    {                                                                                                                  \
        const T *a = c->args[0].values, *b = c->args[1].values;                                                        \
        for (int64_t i = 0; i < c->n; i++)                                                                             \
            FN_OUT(c, T)[i] = a[i * fn_step(&c->args[0])] & b[i * fn_step(&c->args[1])];                               \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static enum tsf_err or_##N(struct query_call *c, struct tsf_error *err)                                            \
    {                                                                                                                  \
        const T *a = c->args[0].values, *b = c->args[1].values;                                                        \
        for (int64_t i = 0; i < c->n; i++)                                                                             \
            FN_OUT(c, T)[i] = a[i * fn_step(&c->args[0])] | b[i * fn_step(&c->args[1])];                               \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static enum tsf_err xor_##N(struct query_call *c, struct tsf_error *err)                                           \
    {                                                                                                                  \
        const T *a = c->args[0].values, *b = c->args[1].values;                                                        \
        for (int64_t i = 0; i < c->n; i++)                                                                             \
            FN_OUT(c, T)[i] = a[i * fn_step(&c->args[0])] ^ b[i * fn_step(&c->args[1])];                               \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static enum tsf_err shl_##N(struct query_call *c, struct tsf_error *err)                                           \
    {                                                                                                                  \
        FN_EACH(c, i)                                                                                                  \
            FN_OUT(c, T)[i] = (T)((uint64_t)fn_int(c, 0, i) << (fn_int(c, 1, i) & (8 * (int)sizeof(T) - 1)));          \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static enum tsf_err shr_##N(struct query_call *c, struct tsf_error *err)                                           \
    {                                                                                                                  \
        FN_EACH(c, i)                                                                                                  \
            FN_OUT(c, T)[i] = (T)(fn_int(c, 0, i) >> (fn_int(c, 1, i) & (8 * (int)sizeof(T) - 1)));                    \
        return TSF_OK;                                                                                                 \
    }                                                                                                                  \
    static enum tsf_err not_##N(struct query_call *c, struct tsf_error *err)                                           \
    {                                                                                                                  \
        for (int64_t i = 0; i < c->n; i++)                                                                             \
            FN_OUT(c, T)[i] = (T)~((const T *)c->args[0].values)[i];                                                   \
        return TSF_OK;                                                                                                 \
    }
DEFINE_BITS(int32_t, i32)
DEFINE_BITS(int64_t, i64)

static enum tsf_err gcd_i64(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        int64_t a = fn_int(c, 0, i), b = fn_int(c, 1, i);
        uint64_t x = a < 0 ? -(uint64_t)a : (uint64_t)a, y = b < 0 ? -(uint64_t)b : (uint64_t)b;
        while (y) {
            uint64_t t = x % y;
            x = y;
            y = t;
        }
        if (x > INT64_MAX)
            return out_of_range("bigint", err);
        FN_OUT(c, int64_t)[i] = (int64_t)x;
    }
    return TSF_OK;
}

static enum tsf_err lcm_i64(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        int64_t a = fn_int(c, 0, i), b = fn_int(c, 1, i), x = a, y = b, r;
        FN_OUT(c, int64_t)[i] = 0;
        if (a == 0 || b == 0)
            continue;
        if (a == INT64_MIN || b == INT64_MIN)
            return out_of_range("bigint", err);
        while (y) {
            int64_t t = x % y;
            x = y;
            y = t;
        }
        if (__builtin_mul_overflow(a / x, b, &r) || r == INT64_MIN)
            return out_of_range("bigint", err);
        FN_OUT(c, int64_t)[i] = r < 0 ? -r : r;
    }
    return TSF_OK;
}

/* ---- floating point -------------------------------------------------------------------------------------------- */

/* PostgreSQL: a result that is infinite though no argument was is an overflow; zero out of non-zeros an underflow. */
#define DEFINE_FLOAT(NAME, T, OP, UNDER, ZERO)                                                                         \
    static enum tsf_err NAME(struct query_call *c, struct tsf_error *err)                                              \
    {                                                                                                                  \
        const T *a = c->args[0].values, *b = c->args[1].values;                                                        \
        int64_t sa = fn_step(&c->args[0]), sb = fn_step(&c->args[1]);                                                  \
        T *r = c->values_out;                                                                                          \
        bool odd = false;                                                                                              \
        for (int64_t i = 0; i < c->n; i++) {                                                                           \
            T x = a[i * sa], y = b[i * sb], z = x OP y;                                                                \
            odd |= (z - z != 0) | (UNDER) | (ZERO);                                                                    \
            r[i] = z;                                                                                                  \
        }                                                                                                              \
        if (TSF_UNLIKELY(odd))                                                                                         \
            FN_EACH(c, i) {                                                                                            \
                T x = a[i * sa], y = b[i * sb], z = r[i];                                                              \
                if ((ZERO) && x == x)                                                                                  \
                    return by_zero(err);                                                                               \
                if (isinf(z) && !isinf(x) && !isinf(y))                                                                \
                    return tsf_fail_sql(err, "22003", -1, "value out of range: overflow");                             \
                if (UNDER)                                                                                             \
                    return tsf_fail_sql(err, "22003", -1, "value out of range: underflow");                            \
            }                                                                                                          \
        return TSF_OK;                                                                                                 \
    }
DEFINE_FLOAT(add_f32, float, +, false, false)
DEFINE_FLOAT(sub_f32, float, -, false, false)
DEFINE_FLOAT(mul_f32, float, *, (z == 0) & (x != 0) & (y != 0), false)
DEFINE_FLOAT(div_f32, float, /, (z == 0) & (x != 0) & (y - y == 0), y == 0)
DEFINE_FLOAT(add_f64_slow, double, +, false, false)
DEFINE_FLOAT(sub_f64_slow, double, -, false, false)
DEFINE_FLOAT(mul_f64_slow, double, *, (z == 0) & (x != 0) & (y != 0), false)
DEFINE_FLOAT(div_f64, double, /, (z == 0) & (x != 0) & (y - y == 0), y == 0)

static enum tsf_err add_f64(struct query_call *c, struct tsf_error *err)
{
    return query_kernels()->add_f64(c->args[0].values, fn_step(&c->args[0]), c->args[1].values, fn_step(&c->args[1]), c->n,
                                    c->values_out) ? TSF_OK : add_f64_slow(c, err);
}

static enum tsf_err sub_f64(struct query_call *c, struct tsf_error *err)
{
    return query_kernels()->sub_f64(c->args[0].values, fn_step(&c->args[0]), c->args[1].values, fn_step(&c->args[1]), c->n,
                                    c->values_out) ? TSF_OK : sub_f64_slow(c, err);
}

static enum tsf_err mul_f64(struct query_call *c, struct tsf_error *err)
{
    return query_kernels()->mul_f64(c->args[0].values, fn_step(&c->args[0]), c->args[1].values, fn_step(&c->args[1]), c->n,
                                    c->values_out) ? TSF_OK : mul_f64_slow(c, err);
}

#define DEFINE_F1(NAME, T, EXPR)                                                                                       \
    static enum tsf_err NAME(struct query_call *c, struct tsf_error *err)                                              \
    {                                                                                                                  \
        const T *a = c->args[0].values;                                                                                \
        for (int64_t i = 0; i < c->n; i++) {                                                                           \
            T x = a[i];                                                                                                \
            FN_OUT(c, T)[i] = EXPR;                                                                                    \
        }                                                                                                              \
        return TSF_OK;                                                                                                 \
    }
DEFINE_F1(neg_f32, float, -x)
DEFINE_F1(abs_f32, float, fabsf(x))
DEFINE_F1(neg_f64, double, -x)
DEFINE_F1(abs_f64, double, fabs(x))
DEFINE_F1(ceil_f64, double, ceil(x))
DEFINE_F1(floor_f64, double, floor(x))
DEFINE_F1(round_f64, double, rint(x))
DEFINE_F1(trunc_f64, double, trunc(x))
DEFINE_F1(sign_f64, double, (double)((x > 0) - (x < 0)))
DEFINE_F1(cbrt_f64, double, cbrt(x))
DEFINE_F1(degrees_f64, double, x * (180.0 / M_PI))
DEFINE_F1(radians_f64, double, x * (M_PI / 180.0))
DEFINE_F1(atan_f64, double, atan(x))
DEFINE_F1(sinh_f64, double, sinh(x))
DEFINE_F1(cosh_f64, double, cosh(x))
DEFINE_F1(tanh_f64, double, tanh(x))
DEFINE_F1(asinh_f64, double, asinh(x))

static enum tsf_err atan2_f64(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++)
        FN_OUT(c, double)[i] = atan2(fn_f64(c, 0, i), fn_f64(c, 1, i));
    return TSF_OK;
}

/* Functions that refuse some numbers. */
#define DEFINE_F1_CHECKED(NAME, EXPR, BAD, STATE, MESSAGE)                                                             \
    static enum tsf_err NAME(struct query_call *c, struct tsf_error *err)                                              \
    {                                                                                                                  \
        FN_EACH(c, i) {                                                                                                \
            double x = ((const double *)c->args[0].values)[i];                                                         \
            if (BAD)                                                                                                   \
                return tsf_fail_sql(err, STATE, -1, MESSAGE);                                                          \
            FN_OUT(c, double)[i] = EXPR;                                                                               \
        }                                                                                                              \
        return TSF_OK;                                                                                                 \
    }
DEFINE_F1_CHECKED(sqrt_f64, sqrt(x), x < 0, "2201F", "cannot take square root of a negative number")
DEFINE_F1_CHECKED(exp_f64, exp(x), (x > 709.782712893384 && !isinf(x)) || (x < -745.2 && !isinf(x)), "22003",
                  "value out of range: overflow or underflow")
DEFINE_F1_CHECKED(sin_f64, sin(x), isinf(x), "22003", "input is out of range")
DEFINE_F1_CHECKED(cos_f64, cos(x), isinf(x), "22003", "input is out of range")
DEFINE_F1_CHECKED(tan_f64, tan(x), isinf(x), "22003", "input is out of range")
DEFINE_F1_CHECKED(cot_f64, 1.0 / tan(x), isinf(x), "22003", "input is out of range")
DEFINE_F1_CHECKED(asin_f64, asin(x), x < -1 || x > 1, "22003", "input is out of range")
DEFINE_F1_CHECKED(acos_f64, acos(x), x < -1 || x > 1, "22003", "input is out of range")
DEFINE_F1_CHECKED(acosh_f64, acosh(x), x < 1, "22003", "input is out of range")
DEFINE_F1_CHECKED(atanh_f64, atanh(x), x < -1 || x > 1, "22003", "input is out of range")

static enum tsf_err log_fault(double x, struct tsf_error *err)
{
    return tsf_fail_sql(err, "2201E", -1, x == 0 ? "cannot take logarithm of zero" : "cannot take logarithm of a negative number");
}

#define DEFINE_LOG(NAME, F)                                                                                            \
    static enum tsf_err NAME(struct query_call *c, struct tsf_error *err)                                              \
    {                                                                                                                  \
        FN_EACH(c, i) {                                                                                                \
            double x = ((const double *)c->args[0].values)[i];                                                         \
            if (x <= 0)                                                                                                \
                return log_fault(x, err);                                                                              \
            FN_OUT(c, double)[i] = F(x);                                                                               \
        }                                                                                                              \
        return TSF_OK;                                                                                                 \
    }
DEFINE_LOG(ln_f64, log)
DEFINE_LOG(log10_f64, log10)
DEFINE_LOG(log2_f64, log2)

static enum tsf_err log_base(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        double b = fn_f64(c, 0, i), x = fn_f64(c, 1, i);
        if (x <= 0 || b <= 0)
            return log_fault(x <= 0 ? x : b, err);
        if (b == 1)
            return by_zero(err);
        FN_OUT(c, double)[i] = log(x) / log(b);
    }
    return TSF_OK;
}

static enum tsf_err pow_f64(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        double x = fn_f64(c, 0, i), y = fn_f64(c, 1, i), z;
        if (x == 0 && y < 0)
            return tsf_fail_sql(err, "2201F", -1, "zero raised to a negative power is undefined");
        if (x < 0 && floor(y) != y)
            return tsf_fail_sql(err, "2201F", -1, "a negative number raised to a non-integer power yields a complex result");
        z = pow(x, y);
        if (isinf(z) && !isinf(x) && !isinf(y))
            return tsf_fail_sql(err, "22003", -1, "value out of range: overflow");
        if (z == 0 && x != 0 && !isinf(x) && !isinf(y))
            return tsf_fail_sql(err, "22003", -1, "value out of range: underflow");
        FN_OUT(c, double)[i] = z;
    }
    return TSF_OK;
}

/* round(double, n) is no function of PostgreSQL, but too handy to refuse. */
static enum tsf_err round2_f64(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        double x = fn_f64(c, 0, i), p = pow(10, fabs((double)fn_int(c, 1, i))), y;
        bool right = fn_int(c, 1, i) >= 0;
        y = right ? round(x * p) / p : round(x / p) * p;
        FN_OUT(c, double)[i] = y - y == 0 ? y : x;
    }
    return TSF_OK;
}

static enum tsf_err pi_f64(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++)
        FN_OUT(c, double)[i] = M_PI;
    return TSF_OK;
}

static enum tsf_err random_f64(struct query_call *c, struct tsf_error *err)
{
    uint64_t x;

    tsf_random(&x, sizeof x);
    for (int64_t i = 0; i < c->n; i++) {
        x += 0x9e3779b97f4a7c15ULL;
        FN_OUT(c, double)[i] = (double)(tsf_hash_u64(x) >> 11) * 0x1p-53;
    }
    return TSF_OK;
}

static enum tsf_err width_bucket_f64(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        double x = fn_f64(c, 0, i), lo = fn_f64(c, 1, i), hi = fn_f64(c, 2, i), r;
        int64_t n = fn_int(c, 3, i);
        if (n <= 0)
            return tsf_fail_sql(err, "2201G", -1, "count must be greater than zero");
        if (isnan(x) || isnan(lo) || isnan(hi))
            return tsf_fail_sql(err, "2201G", -1, "operand, lower bound, and upper bound cannot be NaN");
        if (isinf(lo) || isinf(hi))
            return tsf_fail_sql(err, "2201G", -1, "lower and upper bounds must be finite");
        if (lo == hi)
            return tsf_fail_sql(err, "2201G", -1, "lower bound cannot equal upper bound");
        if (lo < hi)
            r = x < lo ? 0 : x >= hi ? (double)n + 1 : floor((x - lo) / (hi - lo) * (double)n) + 1;
        else
            r = x > lo ? 0 : x <= hi ? (double)n + 1 : floor((lo - x) / (lo - hi) * (double)n) + 1;
        if (r > INT32_MAX)
            return out_of_range("integer", err);
        FN_OUT(c, int32_t)[i] = (int32_t)r;
    }
    return TSF_OK;
}

static enum tsf_err factorial(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        int64_t n = fn_int(c, 0, i);
        tsf_int128 r = 1;
        if (n < 0)
            return tsf_fail_sql(err, "22003", -1, "factorial of a negative number is undefined");
        if (n > 33)
            return out_of_range("numeric", err);
        for (int64_t k = 2; k <= n; k++)
            r *= k;
        FN_OUT(c, tsf_int128)[i] = r;
    }
    return TSF_OK;
}

#define S QUERY_FN_STRICT
#define SS (QUERY_FN_STRICT | QUERY_FN_SAFE)
#define OP2(NAME, T, F) { NAME, TSF_T(T), NULL, 2, { TSF_T(T), TSF_T(T) }, S, F }
#define OP1(NAME, T, F) { NAME, TSF_T(T), NULL, 1, { TSF_T(T) }, S, F }
#define F1(NAME, F) { NAME, TSF_T(DOUBLE), NULL, 1, { TSF_T(DOUBLE) }, S, F }
#define F1S(NAME, F) { NAME, TSF_T(DOUBLE), NULL, 1, { TSF_T(DOUBLE) }, SS, F }
#define DEC2(NAME, RET, F) { NAME, NULL, RET, 2, { TSF_T(DECIMAL), TSF_T(DECIMAL) }, S, F }
#define DEC1(NAME, RET, F) { NAME, NULL, RET, 1, { TSF_T(DECIMAL) }, S, F }
#define DECN(NAME, RET, F) { NAME, NULL, RET, 2, { TSF_T(DECIMAL), TSF_T(INT32) }, S, F }
#define INTS2(NAME, F) OP2(NAME, INT16, F##_i16), OP2(NAME, INT32, F##_i32), OP2(NAME, INT64, F##_i64)
#define INTS1(NAME, F) OP1(NAME, INT16, F##_i16), OP1(NAME, INT32, F##_i32), OP1(NAME, INT64, F##_i64)
#define FLOATS2(NAME, F) OP2(NAME, FLOAT, F##_f32), OP2(NAME, DOUBLE, F##_f64)

const struct query_function query_fn_math[] = {
    INTS2("+", add), FLOATS2("+", add), DEC2("+", query_decimal_add_type, query_decimal_add),
    INTS2("-", sub), FLOATS2("-", sub), DEC2("-", query_decimal_add_type, query_decimal_sub),
    INTS2("*", mul), FLOATS2("*", mul), DEC2("*", query_decimal_mul_type, query_decimal_mul),
    INTS2("/", div), FLOATS2("/", div), DEC2("/", query_decimal_div_type, query_decimal_div),
    INTS2("%", mod), DEC2("%", query_decimal_mod_type, query_decimal_mod),
    INTS2("mod", mod), DEC2("mod", query_decimal_mod_type, query_decimal_mod),
    DEC2("div", query_decimal_int_type, query_decimal_intdiv),
    INTS1("-", neg), OP1("-", FLOAT, neg_f32), OP1("-", DOUBLE, neg_f64), DEC1("-", query_decimal_same_type, query_decimal_neg),
    INTS1("+", query_decimal_plus), OP1("+", DOUBLE, query_decimal_plus_f64), DEC1("+", query_decimal_same_type, query_decimal_plus),
    INTS1("abs", abs), OP1("abs", FLOAT, abs_f32), OP1("abs", DOUBLE, abs_f64), DEC1("abs", query_decimal_same_type, query_decimal_abs),
    INTS1("@", abs), OP1("@", DOUBLE, abs_f64), DEC1("@", query_decimal_same_type, query_decimal_abs),
    OP2("^", DOUBLE, pow_f64), OP2("power", DOUBLE, pow_f64), OP2("pow", DOUBLE, pow_f64),
    DEC2("^", query_decimal_pow_type, query_decimal_pow), DEC2("power", query_decimal_pow_type, query_decimal_pow),
    DEC2("pow", query_decimal_pow_type, query_decimal_pow),
    OP2("&", INT32, and_i32), OP2("&", INT64, and_i64), OP2("|", INT32, or_i32), OP2("|", INT64, or_i64),
    OP2("#", INT32, xor_i32), OP2("#", INT64, xor_i64), OP1("~", INT32, not_i32), OP1("~", INT64, not_i64),
    { "<<", TSF_T(INT32), NULL, 2, { TSF_T(INT32), TSF_T(INT32) }, S, shl_i32 },
    { "<<", TSF_T(INT64), NULL, 2, { TSF_T(INT64), TSF_T(INT32) }, S, shl_i64 },
    { ">>", TSF_T(INT32), NULL, 2, { TSF_T(INT32), TSF_T(INT32) }, S, shr_i32 },
    { ">>", TSF_T(INT64), NULL, 2, { TSF_T(INT64), TSF_T(INT32) }, S, shr_i64 },
    F1S("ceil", ceil_f64), DEC1("ceil", query_decimal_int_type, query_decimal_ceil),
    F1S("ceiling", ceil_f64), DEC1("ceiling", query_decimal_int_type, query_decimal_ceil),
    F1S("floor", floor_f64), DEC1("floor", query_decimal_int_type, query_decimal_floor),
    F1S("round", round_f64), DEC1("round", query_decimal_int_type, query_decimal_round), DECN("round", query_decimal_round_type, query_decimal_round),
    { "round", TSF_T(DOUBLE), NULL, 2, { TSF_T(DOUBLE), TSF_T(INT32) }, S, round2_f64 },
    F1S("trunc", trunc_f64), DEC1("trunc", query_decimal_int_type, query_decimal_trunc), DECN("trunc", query_decimal_round_type, query_decimal_trunc),
    F1S("sign", sign_f64), DEC1("sign", query_decimal_int_type, query_decimal_sign),
    F1("sqrt", sqrt_f64), DEC1("sqrt", query_decimal_sqrt_type, query_decimal_sqrt), F1("|/", sqrt_f64),
    F1S("cbrt", cbrt_f64), F1S("||/", cbrt_f64),
    F1("exp", exp_f64), DEC1("exp", query_decimal_irrational_type, query_decimal_exp),
    F1("ln", ln_f64), DEC1("ln", query_decimal_irrational_type, query_decimal_ln),
    F1("log", log10_f64), DEC1("log", query_decimal_irrational_type, query_decimal_log10), F1("log10", log10_f64),
    DEC1("log10", query_decimal_irrational_type, query_decimal_log10), F1("log2", log2_f64),
    DEC2("log", query_decimal_irrational_type, query_decimal_log), OP2("log", DOUBLE, log_base),
    F1S("degrees", degrees_f64), F1S("radians", radians_f64), F1("sin", sin_f64), F1("cos", cos_f64), F1("tan", tan_f64),
    F1("cot", cot_f64), F1("asin", asin_f64), F1("acos", acos_f64), F1S("atan", atan_f64), OP2("atan2", DOUBLE, atan2_f64),
    F1S("sinh", sinh_f64), F1S("cosh", cosh_f64), F1S("tanh", tanh_f64), F1S("asinh", asinh_f64), F1("acosh", acosh_f64),
    F1("atanh", atanh_f64),
    { "pi", TSF_T(DOUBLE), NULL, 0, { 0 }, SS, pi_f64 },
    { "random", TSF_T(DOUBLE), NULL, 0, { 0 }, SS | QUERY_FN_VOLATILE, random_f64 },
    OP2("gcd", INT64, gcd_i64), OP2("lcm", INT64, lcm_i64),
    { "factorial", &(const struct tsf_type){ .id = TSF_TYPE_DECIMAL, .precision = 38 }, NULL, 1, { TSF_T(INT64) }, S, factorial },
    { "width_bucket", TSF_T(INT32), NULL, 4, { TSF_T(DOUBLE), TSF_T(DOUBLE), TSF_T(DOUBLE), TSF_T(INT32) }, S, width_bucket_f64 },
    { 0 },
};
