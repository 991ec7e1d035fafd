/* Text to values, in PostgreSQL's input syntax and with its error codes. See column.h. */
#include "column/column.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <strings.h>

#define SYNTAX "22P02"
#define RANGE "22003"
#define DATETIME "22007"

static struct tsf_str trim(struct tsf_str s)
{
    while (s.len && isspace((unsigned char)s.data[0]))
        s.data++, s.len--;
    while (s.len && isspace((unsigned char)s.data[s.len - 1]))
        s.len--;
    return s;
}

static enum tsf_err bad_syntax(struct tsf_error *err, const char *state, const char *type, struct tsf_str s)
{
    return tsf_fail_sql(err, state, -1, "invalid input syntax for type %s: \"%.*s\"", type, (int)TSF_MIN(s.len, 200),
                        s.data ? s.data : "");
}

/* A date by its form that no calendar has is out of range, as PostgreSQL says it; the rest is not a date at all. */
static enum tsf_err bad_time(struct tsf_error *err, const char *type, struct tsf_str s)
{
    size_t i = 0, digits = 0;
    int dashes = 0;

    while (i < s.len && isspace((unsigned char)s.data[i]))
        i++;
    for (; i < s.len && (isdigit((unsigned char)s.data[i]) || (s.data[i] == '-' && digits > 0)); i++) {
        digits = s.data[i] == '-' ? 0 : digits + 1;
        dashes += s.data[i] == '-';
    }
    for (bool clock = dashes == 2 && digits > 0; i < s.len; i++)
        if (!clock || !strchr("0123456789:.+- TtZz", s.data[i]))
            return bad_syntax(err, DATETIME, type, s);
    if (dashes != 2 || !digits)
        return bad_syntax(err, DATETIME, type, s);
    return tsf_fail_sql(err, "22008", -1, "date/time field value out of range: \"%.*s\"", (int)TSF_MIN(s.len, 200), s.data);
}

static enum tsf_err out_of_range(struct tsf_error *err, const char *type, struct tsf_str s)
{
    return tsf_fail_sql(err, RANGE, -1, "value \"%.*s\" is out of range for type %s", (int)TSF_MIN(s.len, 200), s.data, type);
}

static bool word_is(struct tsf_str s, const char *w)
{
    return strlen(w) == s.len && strncasecmp(s.data, w, s.len) == 0;
}

/* ---- booleans and numbers ------------------------------------------------------------------------------------ */

/* Any unique prefix of true, false, yes, no; on, off, 1, 0. */
static bool bool_scan(struct tsf_str s, bool *out)
{
    static const struct { const char *word; size_t min; bool value; } words[] = {
        { "true", 1, true }, { "false", 1, false }, { "yes", 1, true }, { "no", 1, false },
        { "on", 2, true },   { "off", 2, false },   { "1", 1, true },   { "0", 1, false },
    };

    for (size_t i = 0; i < TSF_ARRAY_LEN(words); i++)
        if (s.len >= words[i].min && s.len <= strlen(words[i].word) && strncasecmp(s.data, words[i].word, s.len) == 0) {
            *out = words[i].value;
            return true;
        }
    return false;
}

static enum tsf_err integer_parse(struct tsf_str s, const struct tsf_type *t, int64_t *out, struct tsf_error *err)
{
    static const char *const names[] = { "tinyint", "smallint", "integer", "bigint" };
    const char *name = names[t->id - TSF_TYPE_INT8];
    int bits = 8 * tsf_type_width(t);
    struct tsf_str x = trim(s);
    size_t i = x.len && (x.data[0] == '-' || x.data[0] == '+');

    for (size_t k = i; k < x.len || k == i; k++)
        if (k >= x.len || x.data[k] < '0' || x.data[k] > '9')
            return bad_syntax(err, SYNTAX, name, s);
    if (!tsf_int64_parse(x, out) || (bits < 64 && (*out >= 1LL << (bits - 1) || *out < -(1LL << (bits - 1)))))
        return out_of_range(err, name, x);
    return TSF_OK;
}

static size_t digits_span(struct tsf_str s, size_t i)
{
    size_t first = i;
    while (i < s.len && s.data[i] >= '0' && s.data[i] <= '9')
        i++;
    return i - first;
}

/* A number by its syntax: one that tsf_double_parse refuses is then too large. */
static bool is_number(struct tsf_str s)
{
    size_t i = s.len && (s.data[0] == '-' || s.data[0] == '+'), n = digits_span(s, i);

    i += n;
    if (i < s.len && s.data[i] == '.') {
        size_t frac = digits_span(s, ++i);
        i += frac;
        n += frac;
    }
    if (n && i < s.len && (s.data[i] == 'e' || s.data[i] == 'E')) {
        i++;
        i += i < s.len && (s.data[i] == '-' || s.data[i] == '+');
        n = digits_span(s, i);
        i += n;
    }
    return n && i == s.len;
}

static enum tsf_err double_parse(struct tsf_str s, const struct tsf_type *t, struct tsf_value *out, struct tsf_error *err)
{
    const char *name = t->id == TSF_TYPE_FLOAT ? "real" : "double precision";
    struct tsf_str x = trim(s);
    double v;

    if (!tsf_double_parse(x, &v)) {
        if (!is_number(x))
            return bad_syntax(err, SYNTAX, name, s);
        v = INFINITY;
    } else if (isinf(v)) {
        out->u.f64 = v;
        if (t->id == TSF_TYPE_FLOAT)
            out->u.f32 = (float)v;
        return TSF_OK;
    }
    if (t->id == TSF_TYPE_FLOAT)
        v = (double)(out->u.f32 = (float)v);
    else
        out->u.f64 = v;
    if (isinf(v))
        return tsf_fail_sql(err, RANGE, -1, "\"%.*s\" is out of range for type %s", (int)TSF_MIN(x.len, 200), x.data, name);
    return TSF_OK;
}

static enum tsf_err decimal_parse(struct tsf_str s, const struct tsf_type *t, tsf_int128 *out, struct tsf_error *err)
{
    struct tsf_str x = trim(s);

    if (!tsf_decimal_parse(x, t->scale, out))
        return is_number(x) ? out_of_range(err, "numeric", x) : bad_syntax(err, SYNTAX, "numeric", s);
    if (!tsf_decimal_fits(*out, t->precision))
        return tsf_fail_sql(err, RANGE, -1, "numeric field overflow: \"%.*s\" does not fit numeric(%d,%d)",
                            (int)TSF_MIN(x.len, 200), x.data, t->precision, t->scale);
    return TSF_OK;
}

/* ---- times ----------------------------------------------------------------------------------------------------- */

/* "hh:mm[:ss[.ffffff]]"; hours may have up to 9 digits (intervals). */
static bool clock_scan(struct tsf_str s, int64_t *us_out)
{
    int64_t part[3] = { 0 }, us = 0, unit = 100000;
    size_t i = 0;
    int k;

    for (k = 0; k < 3; k++) {
        size_t first = i;
        for (; i < s.len && s.data[i] >= '0' && s.data[i] <= '9' && i - first < 9; i++)
            part[k] = part[k] * 10 + (s.data[i] - '0');
        if (i == first || (k > 0 && (i - first > 2 || part[k] > (k == 2 ? 60 : 59))))
            return false;
        if (i == s.len || s.data[i] != ':')
            break;
        i++;
    }
    if (k == 0 || k == 3)
        return false;
    if (k == 2 && i < s.len && s.data[i] == '.') {
        for (i++; i < s.len && s.data[i] >= '0' && s.data[i] <= '9'; i++) {
            us += unit * (s.data[i] - '0');
            unit /= 10;
        }
    }
    *us_out = ((part[0] * 60 + part[1]) * 60 + part[2]) * TSF_US_PER_SEC + us;
    return i == s.len;
}

struct interval_unit {
    const char *word;
    int months;
    int64_t us; /* TSF_US_PER_DAY multiples count as days */
};
static const struct interval_unit units[] = {
    { "microsecond", 0, 1 }, { "us", 0, 1 }, { "usec", 0, 1 }, { "millisecond", 0, 1000 }, { "ms", 0, 1000 }, { "msec", 0, 1000 },
    { "second", 0, TSF_US_PER_SEC }, { "sec", 0, TSF_US_PER_SEC }, { "s", 0, TSF_US_PER_SEC },
    { "minute", 0, 60 * TSF_US_PER_SEC }, { "min", 0, 60 * TSF_US_PER_SEC }, { "m", 0, 60 * TSF_US_PER_SEC },
    { "hour", 0, 3600 * TSF_US_PER_SEC }, { "hr", 0, 3600 * TSF_US_PER_SEC }, { "h", 0, 3600 * TSF_US_PER_SEC },
    { "day", 0, TSF_US_PER_DAY }, { "d", 0, TSF_US_PER_DAY },
    { "week", 0, 7 * TSF_US_PER_DAY }, { "w", 0, 7 * TSF_US_PER_DAY },
    { "month", 1, 0 }, { "mon", 1, 0 }, { "year", 12, 0 }, { "yr", 12, 0 }, { "y", 12, 0 },
    { "decade", 120, 0 }, { "century", 1200, 0 }, { "centurie", 1200, 0 }, { "millennium", 12000, 0 },
};

static const struct interval_unit *unit_find(struct tsf_str w)
{
    for (int plural = 0; plural < 2; plural++) {
        for (size_t i = 0; i < TSF_ARRAY_LEN(units); i++)
            if (word_is(w, units[i].word))
                return &units[i];
        if (w.len < 3 || (w.data[w.len - 1] != 's' && w.data[w.len - 1] != 'S'))
            break;
        w.len--;
    }
    return NULL;
}

/* months, days and microseconds in wide integers until the end, so that no sum of parts overflows. */
struct interval_sum {
    tsf_int128 months, days, us;
};

/* whole + frac / 10^9 units; fractions of months fall into days of 30, fractions of days into microseconds. */
static void interval_add(struct interval_sum *sum, const struct interval_unit *u, int64_t whole, int64_t frac)
{
    const int64_t giga = 1000000000;

    if (u->months) {
        tsf_int128 part = (tsf_int128)u->months * frac;
        sum->months += (tsf_int128)whole * u->months + part / giga;
        part = part % giga * 30;
        sum->days += part / giga;
        sum->us += part % giga * TSF_US_PER_DAY / giga;
    } else if (u->us >= TSF_US_PER_DAY) {
        tsf_int128 part = (tsf_int128)(u->us / TSF_US_PER_DAY) * frac;
        sum->days += (tsf_int128)whole * (u->us / TSF_US_PER_DAY) + part / giga;
        sum->us += part % giga * TSF_US_PER_DAY / giga;
    } else {
        sum->us += (tsf_int128)whole * u->us + (tsf_int128)frac * u->us / giga;
    }
}

/* A number with up to nine fraction digits at *p. */
static bool number_scan(const char **p, const char *end, int64_t *whole_out, int64_t *frac_out)
{
    bool neg = false, any = false;
    int64_t whole = 0, frac = 0, unit = 100000000;
    const char *q = *p;

    if (q < end && (*q == '-' || *q == '+'))
        neg = *q++ == '-';
    for (; q < end && *q >= '0' && *q <= '9'; q++) {
        if (whole > 1000000000000000LL)
            return false;
        whole = whole * 10 + (*q - '0');
        any = true;
    }
    if (q < end && *q == '.')
        for (q++; q < end && *q >= '0' && *q <= '9'; q++) {
            frac += unit * (*q - '0');
            unit /= 10;
            any = true;
        }
    *whole_out = neg ? -whole : whole;
    *frac_out = neg ? -frac : frac;
    *p = q;
    return any;
}

/* "P1Y2M3DT4H5M6.5S" after the P. */
static bool iso_scan(const char *p, const char *end, struct interval_sum *sum)
{
    static const struct interval_unit date[] = { { "Y", 12, 0 }, { "M", 1, 0 }, { "W", 0, 7 * TSF_US_PER_DAY }, { "D", 0, TSF_US_PER_DAY } };
    static const struct interval_unit clock[] = { { "H", 0, 3600 * TSF_US_PER_SEC }, { "M", 0, 60 * TSF_US_PER_SEC }, { "S", 0, TSF_US_PER_SEC } };
    bool time = false, any = false;

    while (p < end) {
        const struct interval_unit *u = NULL;
        int64_t whole, frac;
        if ((*p == 'T' || *p == 't') && !time) {
            time = true;
            p++;
            continue;
        }
        if (!number_scan(&p, end, &whole, &frac) || p == end)
            return false;
        for (size_t i = 0; i < (time ? TSF_ARRAY_LEN(clock) : TSF_ARRAY_LEN(date)); i++)
            if (toupper((unsigned char)*p) == (time ? clock : date)[i].word[0])
                u = &(time ? clock : date)[i];
        if (!u)
            return false;
        interval_add(sum, u, whole, frac);
        any = true;
        p++;
    }
    return any;
}

/* One item: a clock, or a number with its unit (a bare last number is seconds). */
static bool item_scan(const char **p, const char *end, struct interval_sum *sum)
{
    const char *q = *p, *first = q, *word;
    const struct interval_unit *u;
    int64_t whole, frac, us;
    bool neg = false;

    while (q < end && !isspace((unsigned char)*q))
        q++;
    if (memchr(first, ':', (size_t)(q - first))) {
        if (*first == '-' || *first == '+')
            neg = *first++ == '-';
        if (!clock_scan(tsf_str_n(first, (size_t)(q - first)), &us))
            return false;
        sum->us += neg ? -us : us;
        *p = q;
        return true;
    }
    q = *p;
    if (!number_scan(&q, end, &whole, &frac))
        return false;
    while (q < end && isspace((unsigned char)*q))
        q++;
    for (word = q; q < end && isalpha((unsigned char)*q); q++)
        ;
    if (q == word) {
        if (q < end)
            return false;
        word = "s";
        u = unit_find(TSF_STR("s"));
    } else {
        u = unit_find(tsf_str_n(word, (size_t)(q - word)));
    }
    if (!u)
        return false;
    interval_add(sum, u, whole, frac);
    *p = q;
    return true;
}

static enum tsf_err interval_parse(struct tsf_str s, struct tsf_interval *out, struct tsf_error *err)
{
    struct tsf_str x = trim(s);
    const char *p = x.data, *end = x.data + x.len;
    struct interval_sum sum = { 0 };
    bool ok = x.len > 0;

    if (ok && (*p == 'P' || *p == 'p')) {
        ok = iso_scan(p + 1, end, &sum);
    } else {
        if (ok && *p == '@') /* PostgreSQL's verbose style begins so */
            p++;
        while (ok) {
            while (p < end && isspace((unsigned char)*p))
                p++;
            if (p == end)
                break;
            if (end - p == 3 && strncasecmp(p, "ago", 3) == 0 && p != x.data) {
                sum = (struct interval_sum){ -sum.months, -sum.days, -sum.us };
                break;
            }
            ok = item_scan(&p, end, &sum);
        }
    }
    if (!ok)
        return bad_syntax(err, DATETIME, "interval", s);
    if (sum.months > INT32_MAX || sum.months < INT32_MIN || sum.days > INT32_MAX || sum.days < INT32_MIN ||
        sum.us > INT64_MAX || sum.us < INT64_MIN)
        return tsf_fail_sql(err, "22015", -1, "interval out of range");
    *out = (struct tsf_interval){ (int32_t)sum.months, (int32_t)sum.days, (int64_t)sum.us };
    return TSF_OK;
}

/* A whole timestamp is a date too, and a date a timestamp. */
static enum tsf_err date_parse(struct tsf_str s, int64_t *out, struct tsf_error *err)
{
    struct tsf_str x = trim(s);
    int64_t us;
    int32_t days;

    if (tsf_date_parse(x, &days)) {
        *out = days;
        return TSF_OK;
    }
    if (!tsf_time_parse(x, &us, NULL))
        return bad_time(err, "date", s);
    *out = us / TSF_US_PER_DAY - (us % TSF_US_PER_DAY < 0);
    return TSF_OK;
}

/* timestamp without time zone ignores a zone that is written: parse the text without it. */
static enum tsf_err ntz_parse(struct tsf_str s, int64_t *out, struct tsf_error *err)
{
    struct tsf_str x = trim(s);
    bool zone;

    if (!tsf_time_parse(x, out, &zone))
        return bad_time(err, "timestamp", s);
    if (zone) {
        size_t n = x.len;
        if (x.data[n - 1] == 'Z' || x.data[n - 1] == 'z')
            n--;
        else
            while (n > 10 && x.data[n - 1] != '+' && x.data[n - 1] != '-')
                n--;
        if (n < x.len && n > 10 && (x.data[n - 1] == '+' || x.data[n - 1] == '-'))
            n--;
        if (!tsf_time_parse(trim(tsf_str_n(x.data, n)), out, NULL))
            return bad_time(err, "timestamp", s);
    }
    return TSF_OK;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

static enum tsf_err bytea_parse(struct tsf_str s, struct tsf_arena *a, struct tsf_str *out, struct tsf_error *err)
{
    char *p = tsf_arena_alloc(a, s.len + 1);
    size_t n = 0;

    if (!p)
        return tsf_fail_nomem(err);
    if (s.len >= 2 && s.data[0] == '\\' && (s.data[1] == 'x' || s.data[1] == 'X')) {
        if (s.len % 2 || !tsf_unhex(tsf_str_n(s.data + 2, s.len - 2), p))
            return tsf_fail_sql(err, SYNTAX, -1, "invalid hexadecimal data in a bytea value");
        *out = tsf_str_n(p, s.len / 2 - 1);
        return TSF_OK;
    }
    for (size_t i = 0; i < s.len; i++) { /* the older escape form: \\ and \nnn */
        if (s.data[i] != '\\') {
            p[n++] = s.data[i];
        } else if (i + 1 < s.len && s.data[i + 1] == '\\') {
            p[n++] = '\\';
            i++;
        } else if (i + 3 < s.len && s.data[i + 1] >= '0' && s.data[i + 1] <= '3' && s.data[i + 2] >= '0' &&
                   s.data[i + 2] <= '7' && s.data[i + 3] >= '0' && s.data[i + 3] <= '7') {
            p[n++] = (char)((s.data[i + 1] - '0') * 64 + (s.data[i + 2] - '0') * 8 + (s.data[i + 3] - '0'));
            i += 3;
        } else {
            return bad_syntax(err, SYNTAX, "bytea", s);
        }
    }
    *out = tsf_str_n(p, n);
    return TSF_OK;
}

/* 32 hex digits, hyphens after any group of four, braces around. */
static enum tsf_err uuid_parse(struct tsf_str s, tsf_int128 *out, struct tsf_error *err)
{
    struct tsf_str x = trim(s);
    char hex[32];
    size_t n = 0;

    if (x.len >= 2 && x.data[0] == '{' && x.data[x.len - 1] == '}')
        x = tsf_str_n(x.data + 1, x.len - 2);
    for (size_t i = 0; i < x.len; i++) {
        if (x.data[i] == '-' && n > 0 && n < 32 && n % 4 == 0 && x.data[i - 1] != '-')
            continue;
        if (n == 32)
            return bad_syntax(err, SYNTAX, "uuid", s);
        hex[n++] = x.data[i];
    }
    if (n != 32 || !tsf_unhex(tsf_str_n(hex, 32), out))
        return bad_syntax(err, SYNTAX, "uuid", s);
    return TSF_OK;
}

static enum tsf_err json_check(struct tsf_str s, struct tsf_error *err)
{
    json_t *j = json_loadb(s.data ? s.data : "", s.len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);

    if (!j)
        return bad_syntax(err, SYNTAX, "json", s);
    json_decref(j);
    return TSF_OK;
}

/* ---- arrays: {a,"b c",NULL} ----------------------------------------------------------------------------------------- */

/* The text of one element at *p, unescaped into buf; *quoted_out tells NULL from "NULL". */
static bool element_scan(const char **p, const char *end, struct tsf_buf *buf, bool *quoted_out)
{
    const char *q = *p;
    size_t keep = 0;
    bool in = false;

    *quoted_out = false;
    tsf_buf_reset(buf);
    while (q < end && isspace((unsigned char)*q))
        q++;
    for (; q < end && (in || (*q != ',' && *q != '}')); q++) {
        if (*q == '"') {
            in = !in;
            *quoted_out = true;
            keep = buf->len;
            continue;
        }
        if (!in && *q == '{')
            return false;
        if (*q == '\\' && ++q == end)
            return false;
        if (tsf_buf_append_u8(buf, (uint8_t)*q, NULL) != TSF_OK)
            return false;
        if (in || !isspace((unsigned char)*q))
            keep = buf->len;
    }
    buf->len = keep; /* blanks after the element do not count */
    *p = q;
    return !in && q < end && (*quoted_out || keep > 0);
}

static enum tsf_err list_parse(struct tsf_str s, const struct tsf_type *t, struct tsf_arena *a, struct tsf_value *out,
                               struct tsf_error *err)
{
    struct tsf_str x = trim(s);
    const char *p = x.data, *end = x.data + x.len;
    const struct tsf_type *et = t->children[0].type;
    struct tsf_buf text = TSF_BUF_INIT(0);
    struct tsf_builder b = { 0 };
    struct tsf_vector all, *list = tsf_arena_alloc(a, sizeof *list);
    bool quoted, ok;
    enum tsf_err rc = list ? tsf_builder_init(&b, et, err) : tsf_fail_nomem(err);

    ok = x.len >= 2 && *p == '{' && end[-1] == '}' && et->n_children == 0;
    p++;
    if (ok && trim(tsf_str_n(p, (size_t)(end - p - 1))).len == 0)
        p = end;
    while (rc == TSF_OK && ok && p < end) {
        struct tsf_value v = { .type = et, .is_null = true };
        if (!(ok = element_scan(&p, end, &text, &quoted)))
            break;
        if (quoted || !word_is(tsf_buf_str(&text), "null"))
            rc = tsf_value_parse(tsf_buf_str(&text), et, a, &v, err);
        if (rc == TSF_OK)
            rc = tsf_builder_value(&b, &v, err);
        ok = *p++ == ',' ? p < end : p == end;
    }
    if (rc == TSF_OK && !ok)
        rc = tsf_fail_sql(err, SYNTAX, -1, "malformed array literal: \"%.*s\"", (int)TSF_MIN(s.len, 200), s.data ? s.data : "");
    if (rc == TSF_OK && (rc = tsf_builder_vector(&b, a, &all, err)) == TSF_OK &&
        (rc = tsf_vector_copy(&all, a, list, err)) == TSF_OK)
        out->u.list = list;
    tsf_builder_release(&b);
    tsf_buf_release(&text);
    return rc;
}

/* ---- all types --------------------------------------------------------------------------------------------------------- */

enum tsf_err tsf_value_parse(struct tsf_str s, const struct tsf_type *t, struct tsf_arena *a, struct tsf_value *out,
                             struct tsf_error *err)
{
    struct tsf_value r = { .type = t };
    enum tsf_err rc = TSF_OK;

    switch (t->id) {
    case TSF_TYPE_NULL: r.is_null = true; break;
    case TSF_TYPE_BOOL: rc = bool_scan(trim(s), &r.u.b) ? TSF_OK : bad_syntax(err, SYNTAX, "boolean", s); break;
    case TSF_TYPE_INT8:
    case TSF_TYPE_INT16:
    case TSF_TYPE_INT32:
    case TSF_TYPE_INT64: rc = integer_parse(s, t, &r.u.i64, err); break;
    case TSF_TYPE_FLOAT:
    case TSF_TYPE_DOUBLE: rc = double_parse(s, t, &r, err); break;
    case TSF_TYPE_DECIMAL: rc = decimal_parse(s, t, &r.u.i128, err); break;
    case TSF_TYPE_DATE: rc = date_parse(s, &r.u.i64, err); break;
    case TSF_TYPE_TIMESTAMP:
        if (!tsf_time_parse(trim(s), &r.u.i64, NULL))
            rc = bad_time(err, "timestamp with time zone", s);
        break;
    case TSF_TYPE_TIMESTAMP_NTZ: rc = ntz_parse(s, &r.u.i64, err); break;
    case TSF_TYPE_TIME:
        if (!clock_scan(trim(s), &r.u.i64) || r.u.i64 > TSF_US_PER_DAY)
            rc = bad_syntax(err, DATETIME, "time", s);
        break;
    case TSF_TYPE_STRING:
        r.u.s = s;
        rc = t->json ? json_check(s, err) : TSF_OK;
        break;
    case TSF_TYPE_BINARY: rc = bytea_parse(s, a, &r.u.s, err); break;
    case TSF_TYPE_INTERVAL: rc = interval_parse(s, &r.u.iv, err); break;
    case TSF_TYPE_UUID: rc = uuid_parse(s, &r.u.i128, err); break;
    case TSF_TYPE_LIST: rc = list_parse(s, t, a, &r, err); break;
    default: rc = tsf_fail(err, TSF_ERR_UNSUPPORTED, "text cannot be read as a record or a map");
    }
    if (rc == TSF_OK)
        *out = r;
    return rc;
}
