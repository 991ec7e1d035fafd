/*
 * Parts of times: date_trunc, time_bucket, extract.
 *
 * Times come in runs. The loops keep the bounds of the bucket in which the last row fell, and do calendar arithmetic only
 * for a row that is not in it.
 */
#include "query/query_fn_time.h"

#include <ctype.h>
#include <math.h>
#include <strings.h>

enum unit {
    U_NONE, U_MICROSECOND, U_MILLISECOND, U_SECOND, U_MINUTE, U_HOUR, U_DAY, U_WEEK, U_MONTH, U_QUARTER, U_YEAR, U_DECADE,
    U_CENTURY, U_MILLENNIUM, U_DOW, U_ISODOW, U_DOY, U_ISOYEAR, U_EPOCH, U_JULIAN, U_TIMEZONE, U_TIMEZONE_HOUR, U_TIMEZONE_MINUTE,
};

static enum unit unit_of(struct tsf_str s)
{
    static const struct {
        const char *word;
        enum unit unit;
    } words[] = {
        { "microseconds", U_MICROSECOND }, { "microsecond", U_MICROSECOND }, { "us", U_MICROSECOND }, { "usec", U_MICROSECOND },
        { "milliseconds", U_MILLISECOND }, { "millisecond", U_MILLISECOND }, { "ms", U_MILLISECOND }, { "msec", U_MILLISECOND },
        { "second", U_SECOND }, { "seconds", U_SECOND }, { "sec", U_SECOND }, { "s", U_SECOND },
        { "minute", U_MINUTE }, { "minutes", U_MINUTE }, { "min", U_MINUTE }, { "m", U_MINUTE },
        { "hour", U_HOUR }, { "hours", U_HOUR }, { "hr", U_HOUR }, { "h", U_HOUR },
        { "day", U_DAY }, { "days", U_DAY }, { "d", U_DAY },
        { "week", U_WEEK }, { "weeks", U_WEEK }, { "w", U_WEEK },
        { "month", U_MONTH }, { "months", U_MONTH }, { "mon", U_MONTH }, { "quarter", U_QUARTER }, { "qtr", U_QUARTER },
        { "year", U_YEAR }, { "years", U_YEAR }, { "y", U_YEAR }, { "yr", U_YEAR }, { "decade", U_DECADE }, { "decades", U_DECADE },
        { "century", U_CENTURY }, { "centuries", U_CENTURY }, { "c", U_CENTURY }, { "millennium", U_MILLENNIUM }, { "millennia", U_MILLENNIUM },
        { "dow", U_DOW }, { "isodow", U_ISODOW }, { "doy", U_DOY }, { "isoyear", U_ISOYEAR }, { "epoch", U_EPOCH },
        { "julian", U_JULIAN }, { "timezone", U_TIMEZONE }, { "timezone_hour", U_TIMEZONE_HOUR }, { "timezone_minute", U_TIMEZONE_MINUTE },
    };

    for (size_t i = 0; i < TSF_ARRAY_LEN(words); i++)
        if (s.len == strlen(words[i].word) && strncasecmp(s.data, words[i].word, s.len) == 0)
            return words[i].unit;
    return U_NONE;
}

static enum tsf_err bad_unit(struct tsf_str s, enum unit u, const struct tsf_type *t, struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    enum tsf_err rc = tsf_fail_sql(err, u == U_NONE ? "22023" : "0A000", -1, "unit \"%.*s\" not %s for type %s", (int)TSF_MIN(s.len, 60),
                                   s.data, u == U_NONE ? "recognized" : "supported", tsf_type_sql_name(t, &a));
    tsf_arena_release(&a);
    return rc;
}

/* ---- buckets ---------------------------------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Width in microseconds of units of fixed length, 0 of others. */
static int64_t unit_width(enum unit u)
{
    switch (u) {
    case U_MICROSECOND: return 1;
    case U_MILLISECOND: return 1000;
    case U_SECOND: return TSF_US_PER_SEC;
    case U_MINUTE: return 60 * TSF_US_PER_SEC;
    case U_HOUR: return 3600 * TSF_US_PER_SEC;
    case U_DAY: return TSF_US_PER_DAY;
    case U_WEEK: return 7 * TSF_US_PER_DAY;
    default: return 0;
    }
}

static int unit_months(enum unit u)
{
    return u == U_MONTH ? 1 : u == U_QUARTER ? 3 : u == U_YEAR ? 12 : u == U_DECADE ? 120 : u == U_CENTURY ? 1200 : u == U_MILLENNIUM ? 12000 : 0;
}

#define MONDAY (4 * TSF_US_PER_DAY) /* 1970-01-05 */

static int64_t month_start(int64_t month) /* months since year 0 */
{
    return tsf_days_from_civil(floor_div(month, 12), (int)(month - floor_div(month, 12) * 12) + 1, 1);
}

/* The bucket of `months` months, counted from month `origin`, that day is in; bounds in days. */
static void month_bucket(int64_t day, int months, int64_t origin, int64_t *low, int64_t *high)
{
    int64_t year, m;
    int month, dom;

    tsf_civil_from_days(day, &year, &month, &dom);
    m = year * 12 + month - 1;
    m = origin + floor_div(m - origin, months) * months;
    *low = month_start(m);
    *high = month_start(m + months);
}

/* Centuries and millennia begin with year 1. */
static int64_t unit_origin(enum unit u)
{
    return u == U_CENTURY || u == U_MILLENNIUM ? 12 : 0;
}

static enum tsf_err floor_months(const int64_t *v, int64_t n, int months, int64_t origin, int64_t *r, struct tsf_error *err)
{
    int64_t low = 0, high = 0;

    for (int64_t i = 0; i < n; i++) {
        if (TSF_UNLIKELY(v[i] < low || v[i] >= high)) {
            month_bucket(time_day_floor(v[i]), months, origin, &low, &high);
            if (__builtin_mul_overflow(low, TSF_US_PER_DAY, &low) || __builtin_mul_overflow(high, TSF_US_PER_DAY, &high))
                return query_time_out_of_range(err);
        }
        r[i] = low;
    }
    return TSF_OK;
}

static enum tsf_err trunc_run(struct tsf_str name, const struct tsf_type *t, const int64_t *v, int64_t n, int64_t *r, struct tsf_error *err)
{
    enum unit u = unit_of(name);
    int64_t width = unit_width(u);

    if (width) {
        query_kernels()->floor_i64(v, n, u == U_WEEK ? MONDAY : 0, width, r);
        return TSF_OK;
    }
    return unit_months(u) ? floor_months(v, n, unit_months(u), unit_origin(u), r, err) : bad_unit(name, u, t, err);
}

/* date_trunc(unit, timestamp) */
enum tsf_err query_date_trunc(struct query_call *c, struct tsf_error *err)
{
    const int64_t *v = c->args[1].values;
    enum tsf_err rc = TSF_OK;

    if (c->args[0].shape == TSF_CONSTANT && c->args[1].shape == TSF_FLAT)
        return trunc_run(fn_str(c, 0, 0), c->args[1].type, v, c->n, c->values_out, err);
    FN_EACH(c, i)
        if ((rc = trunc_run(fn_str(c, 0, i), c->args[1].type, &v[i * fn_step(&c->args[1])], 1, &FN_OUT(c, int64_t)[i], err)) != TSF_OK)
            return rc;
    return rc;
}

/* date_trunc(unit, timestamptz, zone) */
enum tsf_err query_date_trunc_zone(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc;

    FN_EACH(c, i) {
        const struct query_zone *z;
        int64_t us = fn_int(c, 1, i), r;
        if ((rc = query_zone_get(c, fn_str(c, 2, i), &z, err)) != TSF_OK)
            return rc;
        us += query_zone_offset(z, us) * TSF_US_PER_SEC;
        if ((rc = trunc_run(fn_str(c, 0, i), c->args[1].type, &us, 1, &r, err)) != TSF_OK)
            return rc;
        FN_OUT(c, int64_t)[i] = query_zone_from_local(z, r);
    }
    return TSF_OK;
}

enum tsf_err query_date_trunc_interval(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        enum unit u = unit_of(fn_str(c, 0, i));
        struct tsf_interval x = *fn_interval(c, 1, i);
        int64_t width = unit_width(u);
        int months = u == U_QUARTER ? 3 : unit_months(u);
        if (u == U_WEEK || (!width && !months))
            return bad_unit(fn_str(c, 0, i), u, c->args[1].type, err);
        if (months)
            x = (struct tsf_interval){ .months = x.months / months * months };
        else if (u == U_DAY)
            x.us = 0;
        else
            x.us = x.us / width * width;
        FN_OUT(c, struct tsf_interval)[i] = x;
    }
    return TSF_OK;
}

/* ---- time_bucket(width, time [, origin or offset]) --------------------------------------------------------------------- */

#define ORIGIN_DAYS 10959  /* Monday 2000-01-03 */
#define ORIGIN_MONTH 24000 /* January 2000 */

/* Width in microseconds, or in months. */
static enum tsf_err width_get(const struct tsf_interval *w, int64_t *us, int *months, struct tsf_error *err)
{
    *months = w->months;
    if (w->months) {
        if (w->days || w->us)
            return tsf_fail_sql(err, "0A000", -1, "time_bucket: months cannot be combined with days or times");
        return w->months > 0 ? TSF_OK : tsf_fail_sql(err, "22023", -1, "time_bucket: period must be greater than 0");
    }
    if (__builtin_mul_overflow((int64_t)w->days, TSF_US_PER_DAY, us) || __builtin_add_overflow(*us, w->us, us) || *us <= 0)
        return tsf_fail_sql(err, "22023", -1, "time_bucket: period must be greater than 0");
    return TSF_OK;
}

/* shift: an offset argument, taken off before and put on after. */
static enum tsf_err bucket_run(const struct tsf_interval *w, const int64_t *origin, const struct tsf_interval *shift, const int64_t *v,
                               int64_t n, int64_t *r, struct tsf_error *err)
{
    int64_t us = 0, base = origin ? *origin : ORIGIN_DAYS * TSF_US_PER_DAY, first_month = ORIGIN_MONTH, year;
    int months, month, day;
    enum tsf_err rc = width_get(w, &us, &months, err);

    if (rc != TSF_OK)
        return rc;
    if (shift) {
        if (shift->months)
            return tsf_fail_sql(err, "0A000", -1, "time_bucket: an offset in months is not supported");
        for (int64_t i = 0; i < n; i++)
            if (!query_time_add(v[i], shift, -1, &r[i]))
                return query_time_out_of_range(err);
        v = r;
    }
    if (months) {
        if (origin) {
            tsf_civil_from_days(time_day_floor(*origin), &year, &month, &day);
            if (day != 1 || *origin % TSF_US_PER_DAY)
                return tsf_fail_sql(err, "0A000", -1, "time_bucket: the origin of buckets of months must be the first of a month");
            first_month = year * 12 + month - 1;
        }
        rc = floor_months(v, n, months, first_month, r, err);
    } else {
        query_kernels()->floor_i64(v, n, base, us, r);
    }
    for (int64_t i = 0; shift && rc == TSF_OK && i < n; i++)
        if (!query_time_add(r[i], shift, 1, &r[i]))
            rc = query_time_out_of_range(err);
    return rc;
}

enum tsf_err query_time_bucket(struct query_call *c, struct tsf_error *err)
{
    bool has3 = c->n_args > 2, shift = has3 && c->args[2].type->id == TSF_TYPE_INTERVAL, date_bin = strcmp(c->expr->fn->name, "date_bin") == 0;
    const int64_t *v = c->args[1].values;
    enum tsf_err rc = TSF_OK;

    if (date_bin && c->n && fn_interval(c, 0, 0)->months)
        return tsf_fail_sql(err, "0A000", -1, "timestamps cannot be binned into intervals containing months or years");
    if (c->args[0].shape == TSF_CONSTANT && c->args[1].shape == TSF_FLAT && (!has3 || c->args[2].shape == TSF_CONSTANT)) {
        int64_t origin = has3 && !shift ? fn_int(c, 2, 0) : 0;
        return bucket_run(fn_interval(c, 0, 0), has3 && !shift ? &origin : NULL, shift ? fn_interval(c, 2, 0) : NULL, v, c->n, c->values_out, err);
    }
    FN_EACH(c, i) {
        int64_t origin = has3 && !shift ? fn_int(c, 2, i) : 0, x = v[i * fn_step(&c->args[1])];
        if ((rc = bucket_run(fn_interval(c, 0, i), has3 && !shift ? &origin : NULL, shift ? fn_interval(c, 2, i) : NULL, &x, 1,
                             &FN_OUT(c, int64_t)[i], err)) != TSF_OK)
            return rc;
    }
    return rc;
}

enum tsf_err query_time_bucket_date(struct query_call *c, struct tsf_error *err)
{
    bool has3 = c->n_args > 2;
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        int64_t origin = has3 ? fn_int(c, 2, i) * TSF_US_PER_DAY : 0, x = fn_int(c, 1, i) * TSF_US_PER_DAY, r;
        if ((rc = bucket_run(fn_interval(c, 0, i), has3 ? &origin : NULL, NULL, &x, 1, &r, err)) != TSF_OK)
            return rc;
        FN_OUT(c, int32_t)[i] = (int32_t)time_day_floor(r);
    }
    return rc;
}

enum tsf_err query_time_bucket_int(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        int64_t w = fn_int(c, 0, i), x = fn_int(c, 1, i), shift = c->n_args > 2 ? fn_int(c, 2, i) : 0, r;
        if (w <= 0)
            return tsf_fail_sql(err, "22023", -1, "time_bucket: period must be greater than 0");
        r = (int64_t)((uint64_t)floor_div((int64_t)((uint64_t)x - (uint64_t)shift), w) * (uint64_t)w + (uint64_t)shift);
        if (c->expr->type->id == TSF_TYPE_INT64)
            FN_OUT(c, int64_t)[i] = r;
        else
            FN_OUT(c, int32_t)[i] = (int32_t)r;
    }
    return TSF_OK;
}

/* ---- extract -------------------------------------------------------------------------------------------------------------- */

static int64_t iso_week(int64_t day, int64_t *year_out)
{
    int64_t dow = ((day + 3) % 7 + 7) % 7, thursday = day - dow + 3, year;
    int month, dom;

    tsf_civil_from_days(thursday, &year, &month, &dom);
    *year_out = year;
    return (thursday - tsf_days_from_civil(year, 1, 1)) / 7 + 1;
}

static int64_t year_part(enum unit u, int64_t y)
{
    switch (u) {
    case U_DECADE: return floor_div(y, 10);
    case U_CENTURY: return y > 0 ? (y + 99) / 100 : (y - 100) / 100;
    case U_MILLENNIUM: return y > 0 ? (y + 999) / 1000 : (y - 1000) / 1000;
    default: return y > 0 ? y : y - 1; /* there is no year 0 */
    }
}

/* The part times 10^6, of a day and the microseconds in it. False: no such part. */
static bool day_part(enum unit u, int64_t day, int64_t *out)
{
    int64_t year, iso, x;
    int month, dom;

    tsf_civil_from_days(day, &year, &month, &dom);
    switch (u) {
    case U_DAY: x = dom; break;
    case U_MONTH: x = month; break;
    case U_QUARTER: x = (month + 2) / 3; break;
    case U_YEAR:
    case U_DECADE:
    case U_CENTURY:
    case U_MILLENNIUM: x = year_part(u, year); break;
    case U_WEEK: x = iso_week(day, &iso); break;
    case U_ISOYEAR:
        iso_week(day, &iso);
        x = iso > 0 ? iso : iso - 1;
        break;
    case U_DOW: x = ((day + 4) % 7 + 7) % 7; break;
    case U_ISODOW: x = ((day + 3) % 7 + 7) % 7 + 1; break;
    case U_DOY: x = day - tsf_days_from_civil(year, 1, 1) + 1; break;
    case U_JULIAN: x = day + 2440588; break;
    default: return false;
    }
    *out = x * TSF_US_PER_SEC;
    return true;
}

static bool clock_part(enum unit u, int64_t us, int64_t *out)
{
    switch (u) {
    case U_MICROSECOND: *out = us % (60 * TSF_US_PER_SEC) * TSF_US_PER_SEC; return true;
    case U_MILLISECOND: *out = us % (60 * TSF_US_PER_SEC) * 1000; return true;
    case U_SECOND: *out = us % (60 * TSF_US_PER_SEC); return true;
    case U_MINUTE: *out = us / (60 * TSF_US_PER_SEC) % 60 * TSF_US_PER_SEC; return true;
    case U_HOUR: *out = us / (3600 * TSF_US_PER_SEC) * TSF_US_PER_SEC; return true;
    default: return false;
    }
}

#define PART_TOO_LARGE INT64_MIN

static bool interval_part(enum unit u, const struct tsf_interval *v, int64_t *out)
{
    tsf_int128 seconds;
    int64_t x;

    switch (u) {
    case U_YEAR: x = v->months / 12; break;
    case U_MONTH: x = v->months % 12; break;
    case U_QUARTER: x = v->months % 12 / 3 + 1; break;
    case U_DECADE: x = v->months / 120; break;
    case U_CENTURY: x = v->months / 1200; break;
    case U_MILLENNIUM: x = v->months / 12000; break;
    case U_DAY: x = v->days; break;
    case U_EPOCH:
        seconds = (tsf_int128)(v->months / 12) * 36525 * 864 * TSF_US_PER_SEC +
                  (tsf_int128)((v->months % 12) * 30LL + v->days) * TSF_US_PER_DAY + v->us;
        *out = seconds == (int64_t)seconds ? (int64_t)seconds : PART_TOO_LARGE;
        return true;
    default: return clock_part(u, v->us, out);
    }
    *out = x * TSF_US_PER_SEC;
    return true;
}

static bool part_of(enum unit u, const struct tsf_type *t, const void *values, int64_t i, int64_t *out)
{
    int64_t us;

    switch (t->id) {
    case TSF_TYPE_INTERVAL: return interval_part(u, (const struct tsf_interval *)values + i, out);
    case TSF_TYPE_DATE:
        if (u == U_EPOCH) {
            *out = ((const int32_t *)values)[i] * TSF_US_PER_DAY;
            return true;
        }
        return day_part(u, ((const int32_t *)values)[i], out);
    case TSF_TYPE_TIME:
        us = ((const int64_t *)values)[i];
        *out = us;
        return u == U_EPOCH || clock_part(u, us, out);
    default:
        us = ((const int64_t *)values)[i];
        *out = u == U_EPOCH ? us : 0;
        if (u == U_EPOCH)
            return true;
        if (u >= U_TIMEZONE)
            return t->id == TSF_TYPE_TIMESTAMP;
        if (u <= U_HOUR)
            return clock_part(u, us - time_day_floor(us) * TSF_US_PER_DAY, out);
        return day_part(u, time_day_floor(us), out);
    }
}

/* Parts times 10^6 of every row, into memory of the arena. */
static enum tsf_err parts(struct query_call *c, int64_t **out, struct tsf_error *err)
{
    int64_t *r = tsf_arena_calloc(c->ev->arena, (size_t)c->n + 8, 8);
    enum unit u = U_NONE;

    if (!r)
        return tsf_fail_nomem(err);
    FN_EACH(c, i) {
        if (c->args[0].shape != TSF_CONSTANT || u == U_NONE)
            u = unit_of(fn_str(c, 0, i));
        if (u == U_NONE || !part_of(u, c->args[1].type, c->args[1].values, i * fn_step(&c->args[1]), &r[i]))
            return bad_unit(fn_str(c, 0, i), u, c->args[1].type, err);
        if (r[i] == PART_TOO_LARGE)
            return tsf_fail_sql(err, "22008", -1, "interval out of range");
        if (u == U_JULIAN && c->args[1].type->id != TSF_TYPE_DATE) /* the time of day as a fraction */
            r[i] += (fn_int(c, 1, i) - time_day_floor(fn_int(c, 1, i)) * TSF_US_PER_DAY) / 86400;
    }
    *out = r;
    return TSF_OK;
}

enum tsf_err query_date_part(struct query_call *c, struct tsf_error *err)
{
    int64_t *p;
    enum tsf_err rc = parts(c, &p, err);

    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++)
        FN_OUT(c, double)[i] = (double)p[i] / 1e6;
    return rc;
}

const struct tsf_type *query_extract_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    enum unit u = args[0]->kind == QUERY_CONST && !args[0]->value.is_null ? unit_of(args[0]->value.u.s) : U_EPOCH;
    bool whole = args[1]->type->id == TSF_TYPE_DATE;

    if (u == U_EPOCH || u == U_SECOND || (u == U_JULIAN && !whole))
        return tsf_type_decimal(20, whole ? 0 : 6);
    return tsf_type_decimal(20, u == U_MILLISECOND ? 3 : 0);
}

enum tsf_err query_extract(struct query_call *c, struct tsf_error *err)
{
    int64_t *p, by = 1;
    enum tsf_err rc = parts(c, &p, err);

    for (int s = c->expr->type->scale; s < 6; s++)
        by *= 10;
    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++)
        FN_OUT(c, tsf_int128)[i] = p[i] / by;
    return rc;
}
