/*
 * to_char, to_timestamp and to_date by a format. The usual patterns of PostgreSQL's table 9.27; times are in UTC.
 */
#include "query/query_fn_time.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

enum pattern {
    P_AD, P_AD_DOT, P_AM, P_AM_DOT, P_CC, P_DAY, P_DDD, P_DD, P_DY, P_D, P_FF, P_HH24, P_HH12, P_HH, P_IDDD, P_ID, P_IW, P_IYYY,
    P_J, P_MI, P_MM, P_MONTH, P_MON, P_MS, P_OF, P_Q, P_SSSSS, P_SS, P_TZH, P_TZM, P_TZ, P_US, P_WW, P_W, P_Y_YYY, P_YYYY, P_YYY, P_YY, P_Y,
};
/* Longer ones first where one begins another. */
static const struct {
    const char *text;
    uint8_t pattern;
} patterns[] = {
    { "A.D.", P_AD_DOT }, { "B.C.", P_AD_DOT }, { "A.M.", P_AM_DOT }, { "P.M.", P_AM_DOT }, { "AD", P_AD }, { "BC", P_AD }, { "AM", P_AM },
    { "PM", P_AM }, { "CC", P_CC }, { "DAY", P_DAY }, { "DDD", P_DDD }, { "DD", P_DD }, { "DY", P_DY }, { "D", P_D }, { "FF", P_FF },
    { "HH24", P_HH24 }, { "HH12", P_HH12 }, { "HH", P_HH }, { "IDDD", P_IDDD }, { "ID", P_ID }, { "IW", P_IW }, { "IYYY", P_IYYY }, { "J", P_J },
    { "MI", P_MI }, { "MM", P_MM }, { "MONTH", P_MONTH }, { "MON", P_MON }, { "MS", P_MS }, { "OF", P_OF }, { "Q", P_Q },
    { "SSSSS", P_SSSSS }, { "SSSS", P_SSSSS }, { "SS", P_SS }, { "TZH", P_TZH }, { "TZM", P_TZM }, { "TZ", P_TZ }, { "US", P_US }, { "WW", P_WW },
    { "W", P_W }, { "Y,YYY", P_Y_YYY }, { "YYYY", P_YYYY }, { "YYY", P_YYY }, { "YY", P_YY }, { "Y", P_Y },
};
static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                                      "November", "December" };
static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

/* Does a pattern begin at s? Its place in the table, -1 when not. */
static int pattern_at(struct tsf_str s)
{
    for (size_t i = 0; i < TSF_ARRAY_LEN(patterns); i++) {
        size_t n = strlen(patterns[i].text);
        if (s.len >= n && strncasecmp(s.data, patterns[i].text, n) == 0)
            return (int)i;
    }
    return -1;
}

struct parts {
    int64_t year, day_number, iso_year, iso_week, hour; /* hour may pass 23 in intervals */
    int month, dom, minute, second, us, doy, dow;
};

static int64_t iso_week(int64_t day, int64_t *year_out)
{
    int64_t dow = ((day + 3) % 7 + 7) % 7, thursday = day - dow + 3, year;
    int month, dom;

    tsf_civil_from_days(thursday, &year, &month, &dom);
    *year_out = year;
    return (thursday - tsf_days_from_civil(year, 1, 1)) / 7 + 1;
}

static void clock_split(int64_t us, struct parts *p)
{
    p->hour = us / (3600 * TSF_US_PER_SEC);
    p->minute = (int)(us / (60 * TSF_US_PER_SEC) % 60);
    p->second = (int)(us / TSF_US_PER_SEC % 60);
    p->us = (int)(us % TSF_US_PER_SEC);
}

static void time_split(int64_t us, struct parts *p)
{
    int64_t day = time_day_floor(us);

    tsf_civil_from_days(day, &p->year, &p->month, &p->dom);
    clock_split(us - day * TSF_US_PER_DAY, p);
    p->day_number = day;
    p->dow = (int)(((day + 4) % 7 + 7) % 7);
    p->doy = (int)(day - tsf_days_from_civil(p->year, 1, 1)) + 1;
    p->iso_week = iso_week(day, &p->iso_year);
}

/* A word in the case of its pattern: MONTH, Month, month; padded unless FM. */
static enum tsf_err word_put(const char *word, const char *like, size_t len, int pad, struct tsf_buf *b, struct tsf_error *err)
{
    bool upper = isupper((unsigned char)like[0]), all = upper && isupper((unsigned char)like[1]);
    size_t n = strlen(word);
    enum tsf_err rc = TSF_OK;

    n = len ? TSF_MIN(n, len) : n;
    for (size_t i = 0; rc == TSF_OK && i < n; i++)
        rc = tsf_buf_append_u8(b, (uint8_t)(all || (upper && i == 0) ? toupper((unsigned char)word[i]) : tolower((unsigned char)word[i])), err);
    for (int i = (int)n; rc == TSF_OK && i < pad; i++)
        rc = tsf_buf_append_u8(b, ' ', err);
    return rc;
}

/* Numbers are padded with zeros to `width` unless FM; *last for TH. */
static enum tsf_err number_put(int64_t v, int width, bool fill, int64_t *last, struct tsf_buf *b, struct tsf_error *err)
{
    *last = v;
    return tsf_buf_printf(b, err, "%0*lld", fill ? width + (v < 0) : 0, (long long)v);
}

static enum tsf_err pattern_put(enum pattern p, const char *like, const struct parts *t, bool fill, bool zone, int64_t *last,
                                struct tsf_buf *b, struct tsf_error *err)
{
    int64_t y = t->year > 0 ? t->year : 1 - t->year, h12 = t->hour % 12 == 0 ? 12 : t->hour % 12;

    switch (p) {
    case P_AD: return word_put(t->year > 0 ? "AD" : "BC", like, 0, 0, b, err);
    case P_AD_DOT: return tsf_buf_append_z(b, islower((unsigned char)*like) ? (t->year > 0 ? "a.d." : "b.c.") : t->year > 0 ? "A.D." : "B.C.", err);
    case P_AM: return word_put(t->hour % 24 < 12 ? "AM" : "PM", like, 0, 0, b, err);
    case P_AM_DOT:
        return tsf_buf_append_z(b, islower((unsigned char)*like) ? (t->hour % 24 < 12 ? "a.m." : "p.m.") : t->hour % 24 < 12 ? "A.M." : "P.M.", err);
    case P_CC: return number_put(t->year > 0 ? (t->year + 99) / 100 : t->year / 100 - 1, 2, fill, last, b, err);
    case P_DAY: return word_put(days[t->dow], like, 0, fill ? 9 : 0, b, err);
    case P_DDD: return number_put(t->doy, 3, fill, last, b, err);
    case P_DD: return number_put(t->dom, 2, fill, last, b, err);
    case P_DY: return word_put(days[t->dow], like, 3, 0, b, err);
    case P_D: return number_put(t->dow + 1, 1, fill, last, b, err);
    case P_HH24: return number_put(t->hour, 2, fill, last, b, err);
    case P_HH12:
    case P_HH: return number_put(h12, 2, fill, last, b, err);
    case P_IDDD: return number_put(t->iso_week * 7 - 6 + (t->dow + 6) % 7, 3, fill, last, b, err);
    case P_ID: return number_put(t->dow ? t->dow : 7, 1, fill, last, b, err);
    case P_IW: return number_put(t->iso_week, 2, fill, last, b, err);
    case P_IYYY: return number_put(t->iso_year, 4, fill, last, b, err);
    case P_J: return number_put(t->day_number + 2440588, 1, fill, last, b, err);
    case P_MI: return number_put(t->minute, 2, fill, last, b, err);
    case P_MM: return number_put(t->month, 2, fill, last, b, err);
    case P_MONTH: return t->month ? word_put(months[t->month - 1], like, 0, fill ? 9 : 0, b, err) : TSF_OK;
    case P_MON: return t->month ? word_put(months[t->month - 1], like, 3, 0, b, err) : TSF_OK;
    case P_MS: return number_put(t->us / 1000, 3, true, last, b, err);
    case P_US: return number_put(t->us, 6, true, last, b, err);
    case P_OF: return tsf_buf_append_z(b, "+00", err);
    case P_Q: return number_put((t->month + 2) / 3, 1, fill, last, b, err);
    case P_SSSSS: return number_put((t->hour * 60 + t->minute) * 60 + t->second, 1, fill, last, b, err);
    case P_SS: return number_put(t->second, 2, fill, last, b, err);
    case P_TZH: return tsf_buf_append_z(b, "+00", err);
    case P_TZM: return tsf_buf_append_z(b, "00", err);
    case P_TZ: return zone ? tsf_buf_append_z(b, isupper((unsigned char)*like) ? "UTC" : "utc", err) : TSF_OK;
    case P_WW: return number_put((t->doy - 1) / 7 + 1, 2, fill, last, b, err);
    case P_W: return number_put((t->dom - 1) / 7 + 1, 1, fill, last, b, err);
    case P_Y_YYY: return tsf_buf_printf(b, err, "%lld,%03lld", (long long)(y / 1000), (long long)(y % 1000));
    case P_YYYY: return number_put(y, 4, fill, last, b, err);
    case P_YYY: return number_put(y % 1000, 3, fill, last, b, err);
    case P_YY: return number_put(y % 100, 2, fill, last, b, err);
    case P_Y: return number_put(y % 10, 1, fill, last, b, err);
    case P_FF: break;
    }
    return TSF_OK;
}

static const char *ordinal(int64_t v)
{
    int64_t two = (v < 0 ? -v : v) % 100;
    if (two >= 11 && two <= 13)
        return "th";
    return two % 10 == 1 ? "st" : two % 10 == 2 ? "nd" : two % 10 == 3 ? "rd" : "th";
}

static enum tsf_err fraction_put(const struct parts *t, int digits, struct tsf_buf *b, struct tsf_error *err)
{
    int v = t->us;
    for (int k = digits; k < 6; k++)
        v /= 10;
    return tsf_buf_printf(b, err, "%0*d", digits, v);
}

static enum tsf_err format_put(struct tsf_str f, const struct parts *t, bool zone, struct tsf_buf *b, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    bool fill = true;
    int64_t last;

    for (size_t i = 0; rc == TSF_OK && i < f.len;) {
        struct tsf_str rest = tsf_str_n(f.data + i, f.len - i);
        int k;
        if (rest.len >= 2 && strncasecmp(rest.data, "FM", 2) == 0) {
            fill = false;
            i += 2;
            continue;
        }
        if (*rest.data == '"') {
            for (i++; rc == TSF_OK && i < f.len && f.data[i] != '"'; i++) {
                if (f.data[i] == '\\' && i + 1 < f.len)
                    i++;
                rc = tsf_buf_append_u8(b, (uint8_t)f.data[i], err);
            }
            i++;
            continue;
        }
        if ((k = pattern_at(rest)) < 0 || (patterns[k].pattern == P_FF && (rest.len < 3 || rest.data[2] < '1' || rest.data[2] > '6'))) {
            if (*rest.data == '\\' && rest.len > 1 && rest.data[1] == '"')
                i++;
            rc = tsf_buf_append_u8(b, (uint8_t)f.data[i++], err);
            continue;
        }
        last = INT64_MIN;
        i += strlen(patterns[k].text);
        if (patterns[k].pattern == P_FF)
            rc = fraction_put(t, f.data[i++] - '0', b, err);
        else
            rc = pattern_put(patterns[k].pattern, rest.data, t, fill, zone, &last, b, err);
        if (last != INT64_MIN && i + 1 < f.len && strncasecmp(f.data + i, "TH", 2) == 0) {
            const char *th = ordinal(last);
            for (int j = 0; rc == TSF_OK && j < 2; j++)
                rc = tsf_buf_append_u8(b, (uint8_t)(f.data[i] == 'T' ? toupper((unsigned char)th[j]) : th[j]), err);
            i += 2;
        }
        fill = true;
    }
    return rc;
}

static enum tsf_err rows_format(struct query_call *c, struct tsf_error *err)
{
    struct tsf_buf b = TSF_BUF_INIT(1 << 20);
    bool zone = c->args[0].type->id == TSF_TYPE_TIMESTAMP;
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        struct parts p = { 0 };
        tsf_buf_reset(&b);
        if (c->args[0].type->id == TSF_TYPE_INTERVAL) {
            const struct tsf_interval *iv = fn_interval(c, 0, i);
            p.year = iv->months / 12;
            p.month = iv->months % 12;
            p.dom = iv->days;
            p.doy = iv->months * 30 + iv->days;
            clock_split(iv->us < 0 ? -iv->us : iv->us, &p);
            p.hour = iv->us < 0 ? -p.hour : p.hour;
        } else {
            time_split(fn_int(c, 0, i), &p);
        }
        if ((rc = format_put(fn_str(c, 1, i), &p, zone, &b, err)) != TSF_OK ||
            (rc = query_call_put_copy(c, i, (const char *)b.data, b.len, err)) != TSF_OK)
            break;
    }
    tsf_buf_release(&b);
    return rc;
}

enum tsf_err query_to_char_time(struct query_call *c, struct tsf_error *err)
{
    return rows_format(c, err);
}

enum tsf_err query_to_char_interval(struct query_call *c, struct tsf_error *err)
{
    return rows_format(c, err);
}

/* ---- reading by a format --------------------------------------------------------------------------------------------- */

struct scan {
    struct tsf_str s;
    size_t at;
};

static bool number_get(struct scan *in, int most, int64_t *out)
{
    size_t first;
    bool neg = false;

    while (in->at < in->s.len && isspace((unsigned char)in->s.data[in->at]))
        in->at++;
    if (in->at < in->s.len && (in->s.data[in->at] == '-' || in->s.data[in->at] == '+'))
        neg = in->s.data[in->at++] == '-';
    first = in->at;
    *out = 0;
    while (in->at < in->s.len && in->at - first < (size_t)most && isdigit((unsigned char)in->s.data[in->at]))
        *out = *out * 10 + (in->s.data[in->at++] - '0');
    if (neg)
        *out = -*out;
    return in->at > first;
}

static bool word_get(struct scan *in, const char *const *words, int n, size_t len, int *out)
{
    for (int i = 0; i < n; i++) {
        size_t k = len ? len : strlen(words[i]);
        if (in->s.len - in->at >= k && strncasecmp(in->s.data + in->at, words[i], k) == 0) {
            in->at += k;
            *out = i;
            return true;
        }
    }
    return false;
}

static bool fraction_get(struct scan *in, int digits, struct parts *p)
{
    size_t first = in->at;
    int64_t v;

    if (!number_get(in, digits, &v) || v < 0)
        return false;
    for (size_t k = in->at - first; k < 6; k++)
        v *= 10;
    p->us = (int)v;
    return true;
}

struct reading {
    struct parts p;
    bool pm, has_pm, bc, twelve;
    int64_t epoch_day; /* J or DDD */
    bool has_doy, has_julian;
    int32_t offset;
};

static bool pattern_get(enum pattern k, struct scan *in, struct reading *r)
{
    static const char *const halves[] = { "am", "pm" }, *const halves_dot[] = { "a.m.", "p.m." };
    static const char *const eras[] = { "ad", "bc" }, *const eras_dot[] = { "a.d.", "b.c." };
    struct parts *p = &r->p;
    int64_t v;
    int w;

#define NUMBER(MOST, FIELD)                                                                                            \
    if (!number_get(in, MOST, &v))                                                                                     \
        return false;                                                                                                  \
    FIELD = (__typeof__(FIELD))v;                                                                                      \
    return true
    switch (k) {
    case P_YYYY: NUMBER(4, p->year);
    case P_IYYY: NUMBER(4, p->year);
    case P_YYY: NUMBER(3, p->year);
    case P_YY:
        if (!number_get(in, 2, &v))
            return false;
        p->year = v + (v < 70 ? 2000 : 1900);
        return true;
    case P_Y: NUMBER(1, p->year);
    case P_MM: NUMBER(2, p->month);
    case P_DD: NUMBER(2, p->dom);
    case P_DDD: r->has_doy = true; NUMBER(3, p->doy);
    case P_HH24: NUMBER(2, p->hour);
    case P_HH12:
    case P_HH: r->twelve = true; NUMBER(2, p->hour);
    case P_MI: NUMBER(2, p->minute);
    case P_SS: NUMBER(2, p->second);
    case P_SSSSS:
        if (!number_get(in, 5, &v))
            return false;
        clock_split(v * TSF_US_PER_SEC, p);
        return true;
    case P_MS: return fraction_get(in, 3, p);
    case P_US: return fraction_get(in, 6, p);
    case P_J: r->has_julian = true; NUMBER(9, r->epoch_day);
    case P_MONTH:
        if (!word_get(in, months, 12, 0, &w))
            return false;
        p->month = w + 1;
        return true;
    case P_MON:
        if (!word_get(in, months, 12, 3, &w))
            return false;
        p->month = w + 1;
        return true;
    case P_DAY: return word_get(in, days, 7, 0, &w);
    case P_DY: return word_get(in, days, 7, 3, &w);
    case P_AM:
    case P_AM_DOT:
        if (!word_get(in, k == P_AM ? halves : halves_dot, 2, 0, &w))
            return false;
        r->has_pm = true;
        r->pm = w;
        return true;
    case P_AD:
    case P_AD_DOT:
        if (!word_get(in, k == P_AD ? eras : eras_dot, 2, 0, &w))
            return false;
        r->bc = w;
        return true;
    case P_TZH:
        if (!number_get(in, 2, &v))
            return false;
        r->offset += (int32_t)v * 3600;
        return true;
    case P_TZM:
        if (!number_get(in, 2, &v))
            return false;
        r->offset += (int32_t)(r->offset < 0 ? -v : v) * 60;
        return true;
    default: return number_get(in, 9, &v); /* weeks and the like are read and passed over */
    }
#undef NUMBER
}

static bool reading_time(struct reading *r, int64_t *us)
{
    struct parts *p = &r->p;
    int64_t day;

    if (r->twelve || r->has_pm) {
        if (p->hour < 1 || p->hour > 12)
            return false;
        p->hour = p->hour % 12 + (r->pm ? 12 : 0);
    }
    if (r->bc)
        p->year = 1 - p->year;
    if (p->month < 1 || p->month > 12 || p->dom < 1 || p->hour < 0 || p->hour > 24 || p->minute < 0 || p->minute > 59 || p->second < 0 || p->second > 60 ||
        p->year > 290000 || p->year < -290000)
        return false;
    day = tsf_days_from_civil(p->year, p->month, 1) + p->dom - 1;
    if (r->has_doy)
        day = tsf_days_from_civil(p->year, 1, 1) + p->doy - 1;
    else if (r->has_julian)
        day = r->epoch_day - 2440588;
    else if (day >= tsf_days_from_civil(p->month == 12 ? p->year + 1 : p->year, p->month % 12 + 1, 1))
        return false;
    *us = day * TSF_US_PER_DAY + ((p->hour * 60 + p->minute) * 60 + p->second) * TSF_US_PER_SEC + p->us - r->offset * TSF_US_PER_SEC;
    return true;
}

static enum tsf_err format_get(struct tsf_str s, struct tsf_str f, int64_t *us, struct tsf_error *err)
{
    struct reading r = { .p = { .year = 1, .month = 1, .dom = 1 } };
    struct scan in = { s, 0 };

    for (size_t i = 0; i < f.len && in.at <= s.len;) {
        struct tsf_str rest = tsf_str_n(f.data + i, f.len - i);
        int k;
        if (rest.len >= 2 && (strncasecmp(rest.data, "FM", 2) == 0 || strncasecmp(rest.data, "TH", 2) == 0)) {
            i += 2;
            continue;
        }
        if (*rest.data == '"') {
            for (i++; i < f.len && f.data[i] != '"'; i++)
                in.at += in.at < s.len;
            i++;
            continue;
        }
        if ((k = pattern_at(rest)) < 0) {
            if (in.at < s.len && !isalnum((unsigned char)s.data[in.at]))
                in.at++;
            else if (isalpha((unsigned char)*rest.data) && in.at < s.len)
                in.at++;
            i++;
            continue;
        }
        if (in.at == s.len)
            break;
        i += strlen(patterns[k].text);
        if (!pattern_get(patterns[k].pattern, &in, &r))
            return tsf_fail_sql(err, "22007", -1, "invalid value \"%.*s\" for \"%s\"", (int)TSF_MIN(s.len - in.at, 20), s.data + in.at, patterns[k].text);
    }
    if (!reading_time(&r, us))
        return tsf_fail_sql(err, "22008", -1, "date/time field value out of range: \"%.*s\"", (int)TSF_MIN(s.len, 60), s.data);
    return TSF_OK;
}

enum tsf_err query_to_timestamp_text(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i)
        if ((rc = format_get(fn_str(c, 0, i), fn_str(c, 1, i), &FN_OUT(c, int64_t)[i], err)) != TSF_OK)
            return rc;
    return rc;
}

enum tsf_err query_to_date(struct query_call *c, struct tsf_error *err)
{
    int64_t us;
    enum tsf_err rc = TSF_OK;
    FN_EACH(c, i) {
        if ((rc = format_get(fn_str(c, 0, i), fn_str(c, 1, i), &us, err)) != TSF_OK)
            return rc;
        FN_OUT(c, int32_t)[i] = (int32_t)time_day_floor(us);
    }
    return rc;
}
