/* Times, dates, intervals: arithmetic, makers, the clock, and the table of all functions on them. */
#include "query/query_fn_time.h"

#include <math.h>

#define DAY TSF_US_PER_DAY

enum tsf_err query_time_out_of_range(struct tsf_error *err)
{
    return tsf_fail_sql(err, "22008", -1, "timestamp out of range");
}

static enum tsf_err interval_out_of_range(struct tsf_error *err)
{
    return tsf_fail_sql(err, "22008", -1, "interval out of range");
}

static int month_days(int64_t year, int month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

static int64_t add_months(int64_t day, int64_t months)
{
    int64_t year, m;
    int month, dom;

    tsf_civil_from_days(day, &year, &month, &dom);
    m = year * 12 + month - 1 + months;
    year = m / 12 - (m % 12 < 0);
    month = (int)(m - year * 12) + 1;
    return tsf_days_from_civil(year, month, TSF_MIN(dom, month_days(year, month)));
}

bool query_time_add(int64_t us, const struct tsf_interval *iv, int sign, int64_t *out)
{
    int64_t day = time_day_floor(us), clock = us - day * DAY, r;

    if (iv->months)
        day = add_months(day, (int64_t)sign * iv->months);
    day += (int64_t)sign * iv->days;
    if (__builtin_mul_overflow(day, DAY, &r) || __builtin_add_overflow(r, clock, &r))
        return false;
    return sign > 0 ? !__builtin_add_overflow(r, iv->us, out) : !__builtin_sub_overflow(r, iv->us, out);
}

/* ---- timestamp and interval ------------------------------------------------------------------------------------ */

static enum tsf_err shift_rows(struct query_call *c, int time, int interval, int sign, struct tsf_error *err)
{
    const struct tsf_vector *tv = &c->args[time], *iv = &c->args[interval];
    bool date = tv->type->id == TSF_TYPE_DATE;

    if (iv->shape == TSF_CONSTANT && tv->shape == TSF_FLAT && !date) {
        const struct tsf_interval *x = iv->values;
        int64_t us;
        if (!x->months && !__builtin_add_overflow((int64_t)x->days * DAY, x->us, &us) && us != INT64_MIN) {
            us = sign * us;
            if (query_kernels()->add_i64(tv->values, 1, &us, 0, c->n, c->values_out))
                return TSF_OK;
        }
    }
    FN_EACH(c, i) {
        int64_t us = fn_int(c, time, i);
        if ((date && __builtin_mul_overflow(us, DAY, &us)) ||
            !query_time_add(us, fn_interval(c, interval, i), sign, &FN_OUT(c, int64_t)[i]))
            return query_time_out_of_range(err);
    }
    return TSF_OK;
}

static enum tsf_err time_plus(struct query_call *c, struct tsf_error *err)
{
    return shift_rows(c, 0, 1, 1, err);
}

static enum tsf_err time_minus(struct query_call *c, struct tsf_error *err)
{
    return shift_rows(c, 0, 1, -1, err);
}

static enum tsf_err plus_time(struct query_call *c, struct tsf_error *err)
{
    return shift_rows(c, 1, 0, 1, err);
}

static enum tsf_err time_diff(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        int64_t us;
        if (__builtin_sub_overflow(fn_int(c, 0, i), fn_int(c, 1, i), &us))
            return interval_out_of_range(err);
        FN_OUT(c, struct tsf_interval)[i] = (struct tsf_interval){ .days = (int32_t)(us / DAY), .us = us % DAY };
    }
    return TSF_OK;
}

static enum tsf_err clock_diff(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i)
        FN_OUT(c, struct tsf_interval)[i] = (struct tsf_interval){ .us = fn_int(c, 0, i) - fn_int(c, 1, i) };
    return TSF_OK;
}

static enum tsf_err clock_shift(struct query_call *c, struct tsf_error *err)
{
    int sign = c->expr->fn->name[0] == '-' ? -1 : 1;
    FN_EACH(c, i) {
        int64_t us = fn_int(c, 0, i) + sign * (fn_interval(c, 1, i)->us % DAY);
        FN_OUT(c, int64_t)[i] = us - time_day_floor(us) * DAY;
    }
    return TSF_OK;
}

/* ---- dates ----------------------------------------------------------------------------------------------------------- */

static enum tsf_err date_shift(struct query_call *c, struct tsf_error *err)
{
    bool minus = c->expr->fn->name[0] == '-', swapped = c->args[0].type->id != TSF_TYPE_DATE;
    FN_EACH(c, i) {
        int64_t d = fn_int(c, swapped, i) + (minus ? -1 : 1) * fn_int(c, !swapped, i);
        if (d != (int32_t)d)
            return tsf_fail_sql(err, "22008", -1, "date out of range");
        FN_OUT(c, int32_t)[i] = (int32_t)d;
    }
    return TSF_OK;
}

static enum tsf_err date_diff(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i)
        FN_OUT(c, int32_t)[i] = (int32_t)(fn_int(c, 0, i) - fn_int(c, 1, i));
    return TSF_OK;
}

static enum tsf_err date_plus_time(struct query_call *c, struct tsf_error *err)
{
    bool swapped = c->args[0].type->id != TSF_TYPE_DATE;
    FN_EACH(c, i)
        FN_OUT(c, int64_t)[i] = fn_int(c, swapped, i) * DAY + fn_int(c, !swapped, i);
    return TSF_OK;
}

/* ---- intervals --------------------------------------------------------------------------------------------------------- */

static enum tsf_err interval_sum(struct query_call *c, struct tsf_error *err)
{
    bool minus = c->expr->fn->name[0] == '-';
    FN_EACH(c, i) {
        const struct tsf_interval *a = fn_interval(c, 0, i), *b = fn_interval(c, 1, i);
        struct tsf_interval r;
        if (minus ? __builtin_sub_overflow(a->months, b->months, &r.months) || __builtin_sub_overflow(a->days, b->days, &r.days) ||
                        __builtin_sub_overflow(a->us, b->us, &r.us)
                  : __builtin_add_overflow(a->months, b->months, &r.months) || __builtin_add_overflow(a->days, b->days, &r.days) ||
                        __builtin_add_overflow(a->us, b->us, &r.us))
            return interval_out_of_range(err);
        FN_OUT(c, struct tsf_interval)[i] = r;
    }
    return TSF_OK;
}

static enum tsf_err interval_neg(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        const struct tsf_interval *a = fn_interval(c, 0, i);
        if (a->months == INT32_MIN || a->days == INT32_MIN || a->us == INT64_MIN)
            return interval_out_of_range(err);
        FN_OUT(c, struct tsf_interval)[i] = (struct tsf_interval){ -a->months, -a->days, -a->us };
    }
    return TSF_OK;
}

static double round6(double x)
{
    return rint(x * 1e6) / 1e6;
}

/* Fractions of months go to days of 30, fractions of days to microseconds. */
static enum tsf_err interval_scale(const struct tsf_interval *a, double f, struct tsf_interval *out, struct tsf_error *err)
{
    double months = a->months * f, days = a->days * f, rest, us;
    struct tsf_interval r;

    if (!(fabs(months) <= INT32_MAX) || !(fabs(days) <= INT32_MAX))
        return interval_out_of_range(err);
    r.months = (int32_t)months;
    r.days = (int32_t)days;
    rest = round6((months - r.months) * 30); /* days */
    us = round6((days - r.days + rest - (int32_t)rest) * 86400);
    if (fabs(us) >= 86400) {
        rest += (int32_t)(us / 86400);
        us -= (int32_t)(us / 86400) * 86400.0;
    }
    r.days += (int32_t)rest;
    us = rint((double)a->us * f + us * 1e6);
    if (!(fabs(us) < 0x1p63))
        return interval_out_of_range(err);
    r.us = (int64_t)us;
    *out = r;
    return TSF_OK;
}

static enum tsf_err interval_mul(struct query_call *c, struct tsf_error *err)
{
    bool swapped = c->args[0].type->id != TSF_TYPE_INTERVAL;
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i)
        if ((rc = interval_scale(fn_interval(c, swapped, i), fn_f64(c, !swapped, i), &FN_OUT(c, struct tsf_interval)[i], err)) != TSF_OK)
            return rc;
    return rc;
}

static enum tsf_err interval_div(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i) {
        double by = fn_f64(c, 1, i);
        if (by == 0)
            return tsf_fail_sql(err, "22012", -1, "division by zero");
        if ((rc = interval_scale(fn_interval(c, 0, i), 1 / by, &FN_OUT(c, struct tsf_interval)[i], err)) != TSF_OK)
            return rc;
    }
    return rc;
}

static bool justify_hours(struct tsf_interval *r)
{
    int64_t days = r->us / DAY;
    if (__builtin_add_overflow(r->days, (int32_t)days, &r->days))
        return false;
    r->us -= days * DAY;
    if (r->days > 0 && r->us < 0) {
        r->us += DAY;
        r->days--;
    } else if (r->days < 0 && r->us > 0) {
        r->us -= DAY;
        r->days++;
    }
    return true;
}

static bool justify_days(struct tsf_interval *r)
{
    int32_t months = r->days / 30;
    if (__builtin_add_overflow(r->months, months, &r->months))
        return false;
    r->days -= months * 30;
    if (r->months > 0 && r->days < 0) {
        r->days += 30;
        r->months--;
    } else if (r->months < 0 && r->days > 0) {
        r->days -= 30;
        r->months++;
    }
    return true;
}

static enum tsf_err justify(struct query_call *c, struct tsf_error *err)
{
    const char *what = c->expr->fn->name + 8; /* after "justify_" */
    FN_EACH(c, i) {
        struct tsf_interval r = *fn_interval(c, 0, i);
        if ((what[0] != 'd' && !justify_hours(&r)) || (what[0] != 'h' && !justify_days(&r)))
            return interval_out_of_range(err);
        if (what[0] == 'i' && r.months > 0 && (r.days < 0 || (r.days == 0 && r.us < 0)))
            r.days += 30, r.months--;
        else if (what[0] == 'i' && r.months < 0 && (r.days > 0 || (r.days == 0 && r.us > 0)))
            r.days -= 30, r.months++;
        if (what[0] == 'i' && r.days > 0 && r.us < 0)
            r.us += DAY, r.days--;
        else if (what[0] == 'i' && r.days < 0 && r.us > 0)
            r.us -= DAY, r.days++;
        FN_OUT(c, struct tsf_interval)[i] = r;
    }
    return TSF_OK;
}

/* Years, months and days between two times, as a calendar counts. */
static struct tsf_interval age_of(int64_t a, int64_t b)
{
    bool neg = a < b;
    int64_t hi = neg ? b : a, lo = neg ? a : b, y1, y2, us;
    int m1, m2, d1, d2, months, days;

    tsf_civil_from_days(time_day_floor(hi), &y1, &m1, &d1);
    tsf_civil_from_days(time_day_floor(lo), &y2, &m2, &d2);
    us = (hi - time_day_floor(hi) * DAY) - (lo - time_day_floor(lo) * DAY);
    days = d1 - d2;
    months = (int)((y1 - y2) * 12) + m1 - m2;
    if (us < 0) {
        us += DAY;
        days--;
    }
    if (days < 0) { /* borrow the month of the earlier time when the later is first, as PostgreSQL */
        days += neg ? month_days(y1, m1) : month_days(y2, m2);
        months--;
    }
    return neg ? (struct tsf_interval){ -months, -days, -us } : (struct tsf_interval){ months, days, us };
}

static enum tsf_err age(struct query_call *c, struct tsf_error *err)
{
    int64_t today = time_day_floor(c->ev->now_us) * DAY;
    FN_EACH(c, i)
        FN_OUT(c, struct tsf_interval)[i] = c->n_args > 1 ? age_of(fn_int(c, 0, i), fn_int(c, 1, i)) : age_of(today, fn_int(c, 0, i));
    return TSF_OK;
}

/* ---- the clock ------------------------------------------------------------------------------------------------------------- */

static enum tsf_err now(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++)
        FN_OUT(c, int64_t)[i] = c->ev->now_us;
    return TSF_OK;
}

static enum tsf_err clock_now(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++)
        FN_OUT(c, int64_t)[i] = tsf_now_us();
    return TSF_OK;
}

static enum tsf_err today(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++)
        FN_OUT(c, int32_t)[i] = (int32_t)time_day_floor(c->ev->now_us);
    return TSF_OK;
}

static enum tsf_err now_clock(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++)
        FN_OUT(c, int64_t)[i] = c->ev->now_us - time_day_floor(c->ev->now_us) * DAY;
    return TSF_OK;
}

/* ---- makers -------------------------------------------------------------------------------------------------------------------- */

static enum tsf_err field_out_of_range(struct tsf_error *err)
{
    return tsf_fail_sql(err, "22008", -1, "date/time field value out of range");
}

static enum tsf_err make_day(struct query_call *c, int64_t i, int64_t *day, struct tsf_error *err)
{
    int64_t y = fn_int(c, 0, i), m = fn_int(c, 1, i), d = fn_int(c, 2, i);

    if (y < 0)
        y++; /* there is no year 0 */
    else if (y == 0)
        return field_out_of_range(err);
    if (m < 1 || m > 12 || d < 1 || d > month_days(y, (int)m) || y > 5874897 || y < -4713)
        return field_out_of_range(err);
    *day = tsf_days_from_civil(y, (int)m, (int)d);
    return TSF_OK;
}

static enum tsf_err make_clock(struct query_call *c, int k, int64_t i, int64_t *us, struct tsf_error *err)
{
    int64_t h = fn_int(c, k, i), m = fn_int(c, k + 1, i);
    double s = fn_f64(c, k + 2, i);

    if (h < 0 || h > 24 || m < 0 || m > 59 || !(s >= 0 && s <= 60) || (h == 24 && (m || s > 0)))
        return field_out_of_range(err);
    *us = (h * 60 + m) * 60 * TSF_US_PER_SEC + (int64_t)rint(s * 1e6);
    return TSF_OK;
}

static enum tsf_err make_date(struct query_call *c, struct tsf_error *err)
{
    int64_t day;
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i) {
        if ((rc = make_day(c, i, &day, err)) != TSF_OK)
            return rc;
        FN_OUT(c, int32_t)[i] = (int32_t)day;
    }
    return rc;
}

static enum tsf_err make_timestamp(struct query_call *c, struct tsf_error *err)
{
    int64_t day, us = 0;
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i) {
        if ((rc = make_day(c, i, &day, err)) != TSF_OK || (rc = make_clock(c, 3, i, &us, err)) != TSF_OK)
            return rc;
        if (__builtin_mul_overflow(day, DAY, &day) || __builtin_add_overflow(day, us, &FN_OUT(c, int64_t)[i]))
            return query_time_out_of_range(err);
    }
    return rc;
}

static enum tsf_err make_time(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i)
        if ((rc = make_clock(c, 0, i, &FN_OUT(c, int64_t)[i], err)) != TSF_OK)
            return rc;
    return rc;
}

/* make_interval(years, months, weeks, days, hours, mins), any number of them from the left */
static enum tsf_err make_interval(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        int64_t p[6] = { 0 }, months, days, us;
        for (int k = 0; k < c->n_args; k++)
            p[k] = fn_int(c, k, i);
        months = p[0] * 12 + p[1];
        days = p[2] * 7 + p[3];
        us = (p[4] * 60 + p[5]) * 60 * TSF_US_PER_SEC;
        if (months != (int32_t)months || days != (int32_t)days)
            return interval_out_of_range(err);
        FN_OUT(c, struct tsf_interval)[i] = (struct tsf_interval){ (int32_t)months, (int32_t)days, us };
    }
    return TSF_OK;
}

static enum tsf_err to_timestamp(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        double s = fn_f64(c, 0, i);
        if (isnan(s))
            return tsf_fail_sql(err, "22008", -1, "timestamp cannot be NaN");
        if (!(fabs(s) < 9.2e12))
            return tsf_fail_sql(err, "22008", -1, "timestamp out of range: \"%g\"", s);
        FN_OUT(c, int64_t)[i] = (int64_t)rint(s * 1e6);
    }
    return TSF_OK;
}

/* epoch_us, epoch_ms, epoch_ns and back */
static enum tsf_err epoch_of(struct query_call *c, struct tsf_error *err)
{
    const char *unit = c->expr->fn->name + 6;
    FN_EACH(c, i) {
        int64_t us = fn_int(c, 0, i), r = us;
        if (unit[0] == 'm')
            r = us / 1000 - (us % 1000 < 0);
        else if (unit[0] == 'n' && __builtin_mul_overflow(us, 1000, &r))
            return query_time_out_of_range(err);
        FN_OUT(c, int64_t)[i] = r;
    }
    return TSF_OK;
}

static enum tsf_err is_finite(struct query_call *c, struct tsf_error *err)
{
    memset(c->values_out, 1, (size_t)c->n);
    return TSF_OK;
}

/* ---- the table -------------------------------------------------------------------------------------------------------------------- */

#define S QUERY_FN_STRICT
#define SS (QUERY_FN_STRICT | QUERY_FN_SAFE)
#define ST (QUERY_FN_STRICT | QUERY_FN_SAFE | QUERY_FN_STABLE)
#define MONO QUERY_FN_MONOTONIC
#define TZ TSF_T(TIMESTAMP)
#define TS TSF_T(TIMESTAMP_NTZ)
#define DT TSF_T(DATE)
#define IV TSF_T(INTERVAL)
#define TM TSF_T(TIME)
#define TXT TSF_T(STRING)
#define I4 TSF_T(INT32)
#define I8 TSF_T(INT64)
#define F8 TSF_T(DOUBLE)
#define PART(A)                                                                                                        \
    { "date_part", F8, NULL, 2, { TXT, A }, S, query_date_part },                                                      \
    { "extract", NULL, query_extract_type, 2, { TXT, A }, S, query_extract }
#define BUCKET(A, F)                                                                                                   \
    { "time_bucket", A, NULL, 2, { IV, A }, S | MONO, F }, { "time_bucket", A, NULL, 3, { IV, A, A }, S | MONO, F }
const struct query_function query_fn_time[] = {
    { "+", TZ, NULL, 2, { TZ, IV }, S | MONO, time_plus }, { "+", TS, NULL, 2, { TS, IV }, S | MONO, time_plus },
    { "+", TS, NULL, 2, { DT, IV }, S | MONO, time_plus }, { "-", TZ, NULL, 2, { TZ, IV }, S, time_minus },
    { "-", TS, NULL, 2, { TS, IV }, S, time_minus }, { "-", TS, NULL, 2, { DT, IV }, S, time_minus },
    { "+", TZ, NULL, 2, { IV, TZ }, S, plus_time }, { "+", TS, NULL, 2, { IV, TS }, S, plus_time }, { "+", TS, NULL, 2, { IV, DT }, S, plus_time },
    { "-", IV, NULL, 2, { TZ, TZ }, S, time_diff }, { "-", IV, NULL, 2, { TS, TS }, S, time_diff }, { "-", IV, NULL, 2, { TM, TM }, SS, clock_diff },
    { "+", TM, NULL, 2, { TM, IV }, SS, clock_shift }, { "-", TM, NULL, 2, { TM, IV }, SS, clock_shift },
    { "+", DT, NULL, 2, { DT, I4 }, S | MONO, date_shift }, { "+", DT, NULL, 2, { I4, DT }, S, date_shift }, { "-", DT, NULL, 2, { DT, I4 }, S, date_shift },
    { "-", I4, NULL, 2, { DT, DT }, SS, date_diff }, { "+", TS, NULL, 2, { DT, TM }, S, date_plus_time }, { "+", TS, NULL, 2, { TM, DT }, S, date_plus_time },
    { "+", IV, NULL, 2, { IV, IV }, S, interval_sum }, { "-", IV, NULL, 2, { IV, IV }, S, interval_sum }, { "-", IV, NULL, 1, { IV }, S, interval_neg },
    { "*", IV, NULL, 2, { IV, F8 }, S, interval_mul }, { "*", IV, NULL, 2, { F8, IV }, S, interval_mul }, { "/", IV, NULL, 2, { IV, F8 }, S, interval_div },
    { "justify_hours", IV, NULL, 1, { IV }, S, justify }, { "justify_days", IV, NULL, 1, { IV }, S, justify }, { "justify_interval", IV, NULL, 1, { IV }, S, justify },
    { "age", IV, NULL, 2, { TZ, TZ }, S, age }, { "age", IV, NULL, 2, { TS, TS }, S, age }, { "age", IV, NULL, 1, { TZ }, S | QUERY_FN_STABLE, age },
    { "age", IV, NULL, 1, { TS }, S | QUERY_FN_STABLE, age },
    { "now", TZ, NULL, 0, { 0 }, ST, now }, { "transaction_timestamp", TZ, NULL, 0, { 0 }, ST, now }, { "statement_timestamp", TZ, NULL, 0, { 0 }, ST, now },
    { "current_timestamp", TZ, NULL, 0, { 0 }, ST, now }, { "localtimestamp", TS, NULL, 0, { 0 }, ST, now }, { "current_date", DT, NULL, 0, { 0 }, ST, today },
    { "current_time", TM, NULL, 0, { 0 }, ST, now_clock }, { "localtime", TM, NULL, 0, { 0 }, ST, now_clock },
    { "clock_timestamp", TZ, NULL, 0, { 0 }, SS | QUERY_FN_VOLATILE, clock_now },
    { "date_trunc", TZ, NULL, 2, { TXT, TZ }, S | MONO, query_date_trunc }, { "date_trunc", TS, NULL, 2, { TXT, TS }, S | MONO, query_date_trunc },
    { "date_trunc", TZ, NULL, 3, { TXT, TZ, TXT }, S, query_date_trunc_zone }, { "date_trunc", IV, NULL, 2, { TXT, IV }, S, query_date_trunc_interval },
    BUCKET(TZ, query_time_bucket), BUCKET(TS, query_time_bucket), BUCKET(DT, query_time_bucket_date),
    { "time_bucket", TZ, NULL, 3, { IV, TZ, IV }, S | MONO, query_time_bucket }, { "time_bucket", TS, NULL, 3, { IV, TS, IV }, S | MONO, query_time_bucket },
    { "time_bucket", I8, NULL, 2, { I8, I8 }, S | MONO, query_time_bucket_int }, { "time_bucket", I4, NULL, 2, { I4, I4 }, S | MONO, query_time_bucket_int },
    { "time_bucket", I8, NULL, 3, { I8, I8, I8 }, S, query_time_bucket_int }, { "time_bucket", I4, NULL, 3, { I4, I4, I4 }, S, query_time_bucket_int },
    { "date_bin", TZ, NULL, 3, { IV, TZ, TZ }, S | MONO, query_time_bucket }, { "date_bin", TS, NULL, 3, { IV, TS, TS }, S | MONO, query_time_bucket },
    PART(TZ), PART(TS), PART(DT), PART(TM), PART(IV),
    { "timezone", TS, NULL, 2, { TXT, TZ }, S, query_zone_to_local }, { "timezone", TZ, NULL, 2, { TXT, TS }, S, query_zone_to_utc },
    { "timezone", TS, NULL, 2, { IV, TZ }, S, query_zone_to_local }, { "timezone", TZ, NULL, 2, { IV, TS }, S, query_zone_to_utc },
    { "to_timestamp", TZ, NULL, 1, { F8 }, S | MONO, to_timestamp }, { "to_timestamp", TZ, NULL, 2, { TXT, TXT }, S, query_to_timestamp_text },
    { "to_date", DT, NULL, 2, { TXT, TXT }, S, query_to_date },
    { "to_char", TXT, NULL, 2, { TZ, TXT }, S, query_to_char_time }, { "to_char", TXT, NULL, 2, { TS, TXT }, S, query_to_char_time },
    { "to_char", TXT, NULL, 2, { IV, TXT }, S, query_to_char_interval },
    { "make_date", DT, NULL, 3, { I4, I4, I4 }, S, make_date }, { "make_time", TM, NULL, 3, { I4, I4, F8 }, S, make_time },
    { "make_timestamp", TS, NULL, 6, { I4, I4, I4, I4, I4, F8 }, S, make_timestamp },
    { "make_timestamptz", TZ, NULL, 6, { I4, I4, I4, I4, I4, F8 }, S, make_timestamp },
    { "make_interval", IV, NULL, 0, { 0 }, S, make_interval }, { "make_interval", IV, NULL, 1, { I4 }, S, make_interval },
    { "make_interval", IV, NULL, 2, { I4, I4 }, S, make_interval }, { "make_interval", IV, NULL, 3, { I4, I4, I4 }, S, make_interval },
    { "make_interval", IV, NULL, 4, { I4, I4, I4, I4 }, S, make_interval }, { "make_interval", IV, NULL, 5, { I4, I4, I4, I4, I4 }, S, make_interval },
    { "make_interval", IV, NULL, 6, { I4, I4, I4, I4, I4, I4 }, S, make_interval },
    { "epoch_us", I8, NULL, 1, { TZ }, S | MONO, epoch_of }, { "epoch_ms", I8, NULL, 1, { TZ }, S | MONO, epoch_of }, { "epoch_ns", I8, NULL, 1, { TZ }, S | MONO, epoch_of },
    { "isfinite", TSF_T(BOOL), NULL, 1, { TZ }, SS, is_finite }, { "isfinite", TSF_T(BOOL), NULL, 1, { TS }, SS, is_finite },
    { "isfinite", TSF_T(BOOL), NULL, 1, { DT }, SS, is_finite }, { "isfinite", TSF_T(BOOL), NULL, 1, { IV }, SS, is_finite },
    { 0 },
};
