/* Casts. The table says which types and in which contexts; text goes both ways through PostgreSQL's text forms. */
#include "query/query_fn_internal.h"

#include <math.h>
#include <stdio.h>

static enum tsf_err out_of_range(const struct tsf_type *t, struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    enum tsf_err rc = tsf_fail_sql(err, "22003", -1, "%s out of range", t->id == TSF_TYPE_DECIMAL ? "numeric" : tsf_type_sql_name(t, &a));
    tsf_arena_release(&a);
    return rc;
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */

#define DEFINE_WIDEN(FROM, TO, N)                                                                                      \
    static enum tsf_err N(struct query_call *c, struct tsf_error *err)                                                 \
    {                                                                                                                  \
        const FROM *restrict a = c->args[0].values;                                                                    \
        TO *restrict r = c->values_out;                                                                                \
        for (int64_t i = 0; i < c->n; i++)                                                                             \
            r[i] = (TO)a[i];                                                                                           \
        return TSF_OK;                                                                                                 \
    }
DEFINE_WIDEN(int8_t, int16_t, i8_i16)
DEFINE_WIDEN(int8_t, int32_t, i8_i32)
DEFINE_WIDEN(int8_t, int64_t, i8_i64)
DEFINE_WIDEN(int16_t, int32_t, i16_i32)
DEFINE_WIDEN(int16_t, int64_t, i16_i64)
DEFINE_WIDEN(int32_t, int64_t, i32_i64)
DEFINE_WIDEN(int8_t, float, i8_f32)
DEFINE_WIDEN(int16_t, float, i16_f32)
DEFINE_WIDEN(int32_t, float, i32_f32)
DEFINE_WIDEN(int64_t, float, i64_f32)
DEFINE_WIDEN(int8_t, double, i8_f64)
DEFINE_WIDEN(int16_t, double, i16_f64)
DEFINE_WIDEN(int32_t, double, i32_f64)
DEFINE_WIDEN(int64_t, double, i64_f64)
DEFINE_WIDEN(float, double, f32_f64)
DEFINE_WIDEN(uint8_t, int32_t, bool_i32)
DEFINE_WIDEN(uint8_t, int64_t, bool_i64)

#define DEFINE_NARROW(FROM, TO, N)                                                                                     \
    static enum tsf_err N(struct query_call *c, struct tsf_error *err)                                                 \
    {                                                                                                                  \
        const FROM *a = c->args[0].values;                                                                             \
        TO *r = c->values_out;                                                                                         \
        bool over = false;                                                                                             \
        for (int64_t i = 0; i < c->n; i++) {                                                                           \
            r[i] = (TO)a[i];                                                                                           \
            over |= r[i] != a[i];                                                                                      \
        }                                                                                                              \
        if (TSF_UNLIKELY(over))                                                                                        \
            FN_EACH(c, i)                                                                                              \
                if ((TO)a[i] != a[i])                                                                                  \
                    return out_of_range(c->expr->type, err);                                                           \
        return TSF_OK;                                                                                                 \
    }
DEFINE_NARROW(int64_t, int32_t, i64_i32)
DEFINE_NARROW(int64_t, int16_t, i64_i16)
DEFINE_NARROW(int64_t, int8_t, i64_i8)
DEFINE_NARROW(int32_t, int16_t, i32_i16)
DEFINE_NARROW(int32_t, int8_t, i32_i8)
DEFINE_NARROW(int16_t, int8_t, i16_i8)

/* Half to even; the limits are powers of two, so exact in both types. */
#define DEFINE_FLOAT_INT(FROM, TO, LIMIT, N)                                                                           \
    static enum tsf_err N(struct query_call *c, struct tsf_error *err)                                                 \
    {                                                                                                                  \
        const FROM *a = c->args[0].values;                                                                             \
        FN_EACH(c, i) {                                                                                                \
            FROM x = (FROM)rint((double)a[i]);                                                                         \
            if (!(x >= (FROM)-LIMIT && x < (FROM)LIMIT))                                                               \
                return out_of_range(c->expr->type, err);                                                               \
            FN_OUT(c, TO)[i] = (TO)x;                                                                                  \
        }                                                                                                              \
        return TSF_OK;                                                                                                 \
    }
DEFINE_FLOAT_INT(double, int64_t, 0x1p63, f64_i64)
DEFINE_FLOAT_INT(double, int32_t, 0x1p31, f64_i32)
DEFINE_FLOAT_INT(double, int16_t, 0x1p15, f64_i16)
DEFINE_FLOAT_INT(double, int8_t, 0x1p7, f64_i8)
DEFINE_FLOAT_INT(float, int64_t, 0x1p63, f32_i64)
DEFINE_FLOAT_INT(float, int32_t, 0x1p31, f32_i32)
DEFINE_FLOAT_INT(float, int16_t, 0x1p15, f32_i16)
DEFINE_FLOAT_INT(float, int8_t, 0x1p7, f32_i8)

static enum tsf_err f64_f32(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        double x = fn_f64(c, 0, i);
        float y = (float)x;
        if ((isinf(y) && !isinf(x)) || (y == 0 && x != 0))
            return tsf_fail_sql(err, "22003", -1, "value out of range: %s", y == 0 ? "underflow" : "overflow");
        FN_OUT(c, float)[i] = y;
    }
    return TSF_OK;
}

static enum tsf_err int_bool(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++)
        FN_OUT(c, uint8_t)[i] = fn_int(c, 0, i) != 0;
    return TSF_OK;
}

/* ---- decimals --------------------------------------------------------------------------------------------------- */

static enum tsf_err field_overflow(const struct tsf_type *t, struct tsf_error *err)
{
    return tsf_fail_sql(err, "22003", -1, "numeric field overflow: does not fit numeric(%d,%d)", t->precision, t->scale);
}

static enum tsf_err int_dec(struct query_call *c, struct tsf_error *err)
{
    const struct tsf_type *t = c->expr->type;
    tsf_int128 p = tsf_pow10(t->scale), limit = tsf_pow10(t->precision), v;

    FN_EACH(c, i) {
        if (__builtin_mul_overflow((tsf_int128)fn_int(c, 0, i), p, &v) || v >= limit || v <= -limit)
            return field_overflow(t, err);
        FN_OUT(c, tsf_int128)[i] = v;
    }
    return TSF_OK;
}

static enum tsf_err dec_dec(struct query_call *c, struct tsf_error *err)
{
    const struct tsf_type *t = c->expr->type, *from = c->args[0].type;
    tsf_int128 v;

    FN_EACH(c, i) {
        if (!tsf_decimal_rescale(fn_i128(c, 0, i), from->scale, t->scale, &v) || !tsf_decimal_fits(v, t->precision))
            return field_overflow(t, err);
        FN_OUT(c, tsf_int128)[i] = v;
    }
    return TSF_OK;
}

static enum tsf_err dec_int(struct query_call *c, struct tsf_error *err)
{
    const struct tsf_type *t = c->expr->type;
    int bits = 8 * tsf_type_width(t);
    tsf_int128 v, limit = (tsf_int128)1 << (bits - 1);

    FN_EACH(c, i) {
        if (!tsf_decimal_rescale(fn_i128(c, 0, i), c->args[0].type->scale, 0, &v) || v >= limit || v < -limit)
            return out_of_range(t, err);
        switch (bits) {
        case 8: FN_OUT(c, int8_t)[i] = (int8_t)v; break;
        case 16: FN_OUT(c, int16_t)[i] = (int16_t)v; break;
        case 32: FN_OUT(c, int32_t)[i] = (int32_t)v; break;
        default: FN_OUT(c, int64_t)[i] = (int64_t)v; break;
        }
    }
    return TSF_OK;
}

static enum tsf_err dec_f64(struct query_call *c, struct tsf_error *err)
{
    int scale = c->args[0].type->scale;
    FN_EACH(c, i)
        FN_OUT(c, double)[i] = tsf_decimal_double(fn_i128(c, 0, i), scale);
    return TSF_OK;
}

static enum tsf_err dec_f32(struct query_call *c, struct tsf_error *err)
{
    int scale = c->args[0].type->scale;
    FN_EACH(c, i)
        FN_OUT(c, float)[i] = (float)tsf_decimal_double(fn_i128(c, 0, i), scale);
    return TSF_OK;
}

/* PostgreSQL goes through the printed form: 15 digits of a double, 6 of a real. */
static enum tsf_err real_dec(double x, int digits, const struct tsf_type *t, tsf_int128 *out, struct tsf_error *err)
{
    char text[48];
    int n = snprintf(text, sizeof text, "%.*g", digits, x);

    if (x - x != 0)
        return tsf_fail_sql(err, "22003", -1, "cannot convert %s to numeric", isnan(x) ? "NaN" : "infinity");
    if (!tsf_decimal_parse(tsf_str_n(text, (size_t)n), t->scale, out) || !tsf_decimal_fits(*out, t->precision))
        return field_overflow(t, err);
    return TSF_OK;
}

static enum tsf_err f64_dec(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i)
        if ((rc = real_dec(fn_f64(c, 0, i), 15, c->expr->type, &FN_OUT(c, tsf_int128)[i], err)) != TSF_OK)
            return rc;
    return rc;
}

static enum tsf_err f32_dec(struct query_call *c, struct tsf_error *err)
{
    const float *a = c->args[0].values;
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i)
        if ((rc = real_dec((double)a[i], 6, c->expr->type, &FN_OUT(c, tsf_int128)[i], err)) != TSF_OK)
            return rc;
    return rc;
}

/* ---- times ---------------------------------------------------------------------------------------------------------- */

static enum tsf_err date_ts(struct query_call *c, struct tsf_error *err)
{
    const int32_t *a = c->args[0].values;
    int64_t *r = c->values_out;
    bool over = false;

    for (int64_t i = 0; i < c->n; i++) {
        r[i] = (int64_t)((uint64_t)a[i] * (uint64_t)TSF_US_PER_DAY);
        over |= a[i] > 106751990 || a[i] < -106751990;
    }
    if (over)
        FN_EACH(c, i)
            if (a[i] > 106751990 || a[i] < -106751990)
                return tsf_fail_sql(err, "22008", -1, "date out of range for timestamp");
    return TSF_OK;
}

static inline int64_t day_floor(int64_t us)
{
    return us / TSF_US_PER_DAY - (us % TSF_US_PER_DAY < 0);
}

static enum tsf_err ts_date(struct query_call *c, struct tsf_error *err)
{
    const int64_t *a = c->args[0].values;
    int32_t *r = c->values_out;
    int64_t low = 0, high = 0, day = 0; /* of the row before, as times come in runs */

    for (int64_t i = 0; i < c->n; i++) {
        if (TSF_UNLIKELY(a[i] < low || a[i] >= high)) {
            day = day_floor(a[i]);
            if (__builtin_mul_overflow(day, TSF_US_PER_DAY, &low) || __builtin_add_overflow(low, TSF_US_PER_DAY, &high))
                low = high = 0;
        }
        r[i] = (int32_t)day;
    }
    return TSF_OK;
}

static enum tsf_err ts_time(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++) {
        int64_t us = fn_int(c, 0, i);
        FN_OUT(c, int64_t)[i] = us - day_floor(us) * TSF_US_PER_DAY;
    }
    return TSF_OK;
}

static enum tsf_err time_interval(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++)
        FN_OUT(c, struct tsf_interval)[i] = (struct tsf_interval){ .us = fn_int(c, 0, i) };
    return TSF_OK;
}

static enum tsf_err interval_time(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++) {
        int64_t us = fn_interval(c, 0, i)->us;
        FN_OUT(c, int64_t)[i] = us - day_floor(us) * TSF_US_PER_DAY;
    }
    return TSF_OK;
}

/* ---- text -------------------------------------------------------------------------------------------------------------- */

static enum tsf_err int_text(struct query_call *c, struct tsf_error *err)
{
    char text[24];
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        size_t n = tsf_int64_format(fn_int(c, 0, i), text);
        if ((rc = query_call_put_copy(c, i, text, n, err)) != TSF_OK)
            return rc;
    }
    return rc;
}

/* As a type's own output, but booleans are spelled out when cast. */
static enum tsf_err bool_text(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i)
        fn_put(c, i, fn_bool(c, 0, i) ? "true" : "false", fn_bool(c, 0, i) ? 4 : 5);
    return TSF_OK;
}

static enum tsf_err any_text(struct query_call *c, struct tsf_error *err)
{
    struct tsf_buf b = TSF_BUF_INIT(0);
    struct tsf_value v;
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        tsf_buf_reset(&b);
        if ((rc = tsf_vector_get(&c->args[0], i, c->ev->arena, &v, err)) != TSF_OK ||
            (rc = tsf_value_text(&v, &b, err)) != TSF_OK ||
            (rc = query_call_put_copy(c, i, (const char *)b.data, b.len, err)) != TSF_OK)
            break;
    }
    tsf_buf_release(&b);
    return rc;
}

static void value_put(struct query_call *c, int64_t i, const struct tsf_value *v)
{
    switch (v->type->id) {
    case TSF_TYPE_BOOL: FN_OUT(c, uint8_t)[i] = v->u.b; break;
    case TSF_TYPE_FLOAT: FN_OUT(c, float)[i] = v->u.f32; break;
    case TSF_TYPE_DOUBLE: FN_OUT(c, double)[i] = v->u.f64; break;
    case TSF_TYPE_DECIMAL:
    case TSF_TYPE_UUID: FN_OUT(c, tsf_int128)[i] = v->u.i128; break;
    case TSF_TYPE_INTERVAL: FN_OUT(c, struct tsf_interval)[i] = v->u.iv; break;
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY: fn_put(c, i, v->u.s.data, v->u.s.len); break;
    default:
        switch (tsf_type_width(v->type)) {
        case 1: FN_OUT(c, int8_t)[i] = (int8_t)v->u.i64; break;
        case 2: FN_OUT(c, int16_t)[i] = (int16_t)v->u.i64; break;
        case 4: FN_OUT(c, int32_t)[i] = (int32_t)v->u.i64; break;
        default: FN_OUT(c, int64_t)[i] = v->u.i64; break;
        }
    }
}

static enum tsf_err text_list(struct query_call *c, struct tsf_error *err);

static enum tsf_err text_any(struct query_call *c, struct tsf_error *err)
{
    struct tsf_value v;
    enum tsf_err rc = TSF_OK;

    if (c->expr->type->id == TSF_TYPE_LIST)
        return text_list(c, err);
    FN_EACH(c, i) {
        if ((rc = tsf_value_parse(fn_str(c, 0, i), c->expr->type, c->ev->arena, &v, err)) != TSF_OK)
            return rc;
        value_put(c, i, &v);
    }
    return rc;
}

/* ---- lists ----------------------------------------------------------------------------------------------------------------- */

static enum tsf_err text_list(struct query_call *c, struct tsf_error *err)
{
    struct tsf_builder b = { 0 };
    struct tsf_vector all, own;
    struct tsf_value v;
    enum tsf_err rc = tsf_builder_init(&b, c->expr->type, err);

    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++) {
        if (!fn_valid(c, i))
            rc = tsf_builder_null(&b, err);
        else if ((rc = tsf_value_parse(fn_str(c, 0, i), c->expr->type, c->ev->arena, &v, err)) == TSF_OK)
            rc = tsf_builder_value(&b, &v, err);
    }
    if (rc == TSF_OK && (rc = tsf_builder_vector(&b, c->ev->arena, &all, err)) == TSF_OK &&
        (rc = tsf_vector_copy(&all, c->ev->arena, &own, err)) == TSF_OK) {
        memcpy(c->values_out, own.values, 4 * (size_t)(c->n + 1));
        c->out->children = own.children;
    }
    tsf_builder_release(&b);
    return rc;
}

/* The elements are cast as a column of their own. */
static enum tsf_err list_list(struct query_call *c, struct tsf_error *err)
{
    const struct tsf_type *from = c->args[0].type->children[0].type, *to = c->expr->type->children[0].type;
    const struct query_function *f = query_cast_find(from, to);
    struct query_expr column = { .kind = QUERY_COLUMN, .type = from, .location = -1 }, *arg = &column;
    struct query_expr cast = { .kind = QUERY_CALL, .type = to, .fn = f, .n_args = 1, .args = &arg, .location = -1, .id = c->expr->id };
    struct tsf_vector *child = tsf_arena_alloc(c->ev->arena, sizeof *child);
    struct tsf_batch b = { .n_columns = 1, .columns = (struct tsf_vector *)c->args[0].children };
    enum tsf_err rc;

    if (!child)
        return tsf_fail_nomem(err);
    b.length = c->args[0].children[0].length;
    if (tsf_type_eq(from, to)) {
        *child = c->args[0].children[0];
    } else if (!f) {
        return tsf_fail_sql(err, "42846", -1, "cannot cast the elements of this array");
    } else {
        if (c->args[0].children[0].shape == TSF_DICTIONARY) { /* no slot of its own for the entries */
            if ((rc = tsf_vector_flatten(&b.columns[0], c->ev->arena, child, err)) != TSF_OK)
                return rc;
            b.columns = child;
        }
        if ((rc = query_eval(c->ev, &cast, &b, child, err)) != TSF_OK)
            return rc;
    }
    memcpy(c->values_out, c->args[0].values, 4 * (size_t)(c->n + 1));
    c->out->children = child;
    return TSF_OK;
}

/* ---- the table ---------------------------------------------------------------------------------------------------------------- */

#define S QUERY_FN_STRICT
#define SAFE QUERY_FN_SAFE
#define MONO QUERY_FN_MONOTONIC
#define CAST(FROM, TO, FLAGS, F) { "cast", TSF_T(TO), NULL, 1, { TSF_T(FROM) }, S | (FLAGS), F }
#define IMP (QUERY_FN_IMPLICIT | SAFE | MONO)
#define ASG QUERY_FN_ASSIGN
const struct query_function query_fn_cast[] = {
    CAST(INT8, INT16, IMP, i8_i16), CAST(INT8, INT32, IMP, i8_i32), CAST(INT8, INT64, IMP, i8_i64),
    CAST(INT16, INT32, IMP, i16_i32), CAST(INT16, INT64, IMP, i16_i64), CAST(INT32, INT64, IMP, i32_i64),
    CAST(INT8, FLOAT, IMP, i8_f32), CAST(INT16, FLOAT, IMP, i16_f32), CAST(INT32, FLOAT, IMP, i32_f32),
    CAST(INT64, FLOAT, IMP, i64_f32), CAST(INT8, DOUBLE, IMP, i8_f64), CAST(INT16, DOUBLE, IMP, i16_f64),
    CAST(INT32, DOUBLE, IMP, i32_f64), CAST(INT64, DOUBLE, IMP, i64_f64), CAST(FLOAT, DOUBLE, IMP, f32_f64),
    CAST(INT64, INT32, ASG, i64_i32), CAST(INT64, INT16, ASG, i64_i16), CAST(INT64, INT8, ASG, i64_i8),
    CAST(INT32, INT16, ASG, i32_i16), CAST(INT32, INT8, ASG, i32_i8), CAST(INT16, INT8, ASG, i16_i8),
    CAST(DOUBLE, FLOAT, ASG, f64_f32), CAST(DOUBLE, INT64, ASG, f64_i64), CAST(DOUBLE, INT32, ASG, f64_i32),
    CAST(DOUBLE, INT16, ASG, f64_i16), CAST(DOUBLE, INT8, ASG, f64_i8), CAST(FLOAT, INT64, ASG, f32_i64),
    CAST(FLOAT, INT32, ASG, f32_i32), CAST(FLOAT, INT16, ASG, f32_i16), CAST(FLOAT, INT8, ASG, f32_i8),
    CAST(INT8, DECIMAL, QUERY_FN_IMPLICIT, int_dec), CAST(INT16, DECIMAL, QUERY_FN_IMPLICIT, int_dec),
    CAST(INT32, DECIMAL, QUERY_FN_IMPLICIT, int_dec), CAST(INT64, DECIMAL, QUERY_FN_IMPLICIT, int_dec),
    CAST(DECIMAL, DECIMAL, QUERY_FN_IMPLICIT, dec_dec), CAST(DECIMAL, DOUBLE, IMP, dec_f64),
    CAST(DECIMAL, FLOAT, QUERY_FN_IMPLICIT, dec_f32), CAST(DECIMAL, INT64, ASG, dec_int), CAST(DECIMAL, INT32, ASG, dec_int),
    CAST(DECIMAL, INT16, ASG, dec_int), CAST(DECIMAL, INT8, ASG, dec_int), CAST(DOUBLE, DECIMAL, ASG, f64_dec),
    CAST(FLOAT, DECIMAL, ASG, f32_dec),
    CAST(BOOL, INT32, SAFE, bool_i32), CAST(BOOL, INT64, SAFE, bool_i64), CAST(INT32, BOOL, SAFE, int_bool),
    CAST(INT64, BOOL, SAFE, int_bool), CAST(INT16, BOOL, SAFE, int_bool),
    CAST(DATE, TIMESTAMP, QUERY_FN_IMPLICIT | MONO, date_ts), CAST(DATE, TIMESTAMP_NTZ, QUERY_FN_IMPLICIT | MONO, date_ts),
    CAST(TIMESTAMP_NTZ, TIMESTAMP, IMP, NULL), CAST(TIMESTAMP, TIMESTAMP_NTZ, ASG | SAFE | MONO, NULL),
    CAST(TIMESTAMP, DATE, ASG | SAFE | MONO, ts_date), CAST(TIMESTAMP_NTZ, DATE, ASG | SAFE | MONO, ts_date),
    CAST(TIMESTAMP, TIME, ASG | SAFE, ts_time), CAST(TIMESTAMP_NTZ, TIME, ASG | SAFE, ts_time),
    CAST(TIME, INTERVAL, QUERY_FN_IMPLICIT | SAFE, time_interval), CAST(INTERVAL, TIME, ASG | SAFE, interval_time),
    CAST(INT8, STRING, ASG | SAFE, int_text), CAST(INT16, STRING, ASG | SAFE, int_text), CAST(INT32, STRING, ASG | SAFE, int_text),
    CAST(INT64, STRING, ASG | SAFE, int_text), CAST(BOOL, STRING, ASG | SAFE, bool_text),
    { 0 },
};

static const struct query_function json_to_text = { "cast", TSF_T(STRING), NULL, 1, { &tsf_type_json }, S | SAFE | QUERY_FN_IMPLICIT, NULL };
static const struct query_function text_to_any = { "cast", NULL, NULL, 1, { TSF_T(STRING) }, S, text_any };
static const struct query_function any_to_text = { "cast", TSF_T(STRING), NULL, 1, { NULL }, S | ASG | SAFE, any_text };
static const struct query_function list_to_list = { "cast", NULL, NULL, 1, { &query_any_array }, S, list_list };
static const struct query_function list_to_list_implicit = { "cast", NULL, NULL, 1, { &query_any_array }, S | QUERY_FN_IMPLICIT, list_list };

/* Arrays are cast where their elements are. */
static const struct query_function *list_cast(const struct tsf_type *from, const struct tsf_type *to)
{
    const struct query_function *f = query_cast_find(from, to);

    if (tsf_type_eq(from, to))
        return &list_to_list_implicit;
    return !f ? NULL : f->flags & QUERY_FN_IMPLICIT ? &list_to_list_implicit : &list_to_list;
}

const struct query_function *query_cast_find(const struct tsf_type *from, const struct tsf_type *to)
{
    if (from->id == TSF_TYPE_STRING && to->id == TSF_TYPE_STRING)
        return from->json == to->json || from->json ? &json_to_text : &text_to_any;
    if (from->id == TSF_TYPE_LIST && to->id == TSF_TYPE_LIST && from->n_children && to->n_children)
        return list_cast(from->children[0].type, to->children[0].type);
    for (const struct query_function *f = query_fn_cast; f->name; f++)
        if (f->arg_types[0]->id == from->id && f->ret->id == to->id && !to->json && !from->json)
            return f;
    if (to->id == TSF_TYPE_STRING && !to->json)
        return &any_to_text;
    if (from->id == TSF_TYPE_STRING && to->id != TSF_TYPE_STRUCT && to->id != TSF_TYPE_MAP)
        return &text_to_any;
    return NULL;
}
