/*
 * Time zones: UTC, fixed offsets, and names through the system's zone files (RFC 8536, version 1 or 2 block).
 */
#include "query/query_fn_time.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define ZONE_FILE_MAX (1 << 20)
#define ZONE_DIR "/usr/share/zoneinfo/"

struct query_zone {
    struct query_zone *next;
    char name[64];
    int n;               /* transitions */
    int64_t *at;         /* UTC seconds, ascending */
    int32_t *offset;     /* from at[i] on */
    int32_t first;       /* before at[0] */
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const uint8_t *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* "+02", "-03:30", "UTC+3": POSIX counts them west of Greenwich, and so does PostgreSQL. *out: seconds east. */
static bool fixed_offset(struct tsf_str s, int32_t *out)
{
    static const char *const utc[] = { "utc", "gmt", "z", "zulu", "universal", "etc/utc", "uct", "greenwich" };
    int sign, part[3] = { 0 }, k = 0;
    size_t i = 0, digits = 0;

    for (size_t n = 0; n < TSF_ARRAY_LEN(utc); n++)
        if (s.len == strlen(utc[n]) && strncasecmp(s.data, utc[n], s.len) == 0) {
            *out = 0;
            return true;
        }
    if (s.len > 3 && (strncasecmp(s.data, "utc", 3) == 0 || strncasecmp(s.data, "gmt", 3) == 0))
        i = 3;
    if (i >= s.len || (s.data[i] != '+' && s.data[i] != '-'))
        return false;
    sign = s.data[i++] == '-' ? -1 : 1;
    for (; i < s.len; i++) {
        if (s.data[i] == ':' && digits && k < 2) {
            k++;
            digits = 0;
        } else if (isdigit((unsigned char)s.data[i]) && digits < 4) {
            part[k] = part[k] * 10 + (s.data[i] - '0');
            digits++;
        } else {
            return false;
        }
    }
    if (k == 0 && digits > 2) { /* hhmm */
        part[1] = part[0] % 100;
        part[0] /= 100;
    }
    if (!digits || part[0] > 15 || part[1] > 59 || part[2] > 59)
        return false;
    *out = -sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    return true;
}

static bool name_ok(struct tsf_str s)
{
    if (s.len == 0 || s.len >= sizeof(((struct query_zone *)0)->name) || s.data[0] == '/' || s.data[0] == '.')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.data[i]) && !strchr("_+-/", s.data[i]))
            return false;
    return true;
}

/* Transitions of one block with times of `width` bytes. */
static bool block_read(const uint8_t *p, size_t len, int width, struct tsf_arena *a, struct query_zone *z)
{
    uint32_t isut = be32(p + 20), isstd = be32(p + 24), leap = be32(p + 28), n = be32(p + 32), types = be32(p + 36), chars = be32(p + 40);
    const uint8_t *times = p + 44, *index, *info;

    if (n > 100000 || types == 0 || types > 256 || chars > 10000 || leap > 10000 || isut > 256 || isstd > 256 ||
        len < 44 + (size_t)n * (size_t)width + n + (size_t)types * 6)
        return false;
    index = times + (size_t)n * (size_t)width;
    info = index + n;
    z->at = tsf_arena_alloc(a, 8 * ((size_t)n + 1));
    z->offset = tsf_arena_alloc(a, 4 * ((size_t)n + 1));
    if (!z->at || !z->offset)
        return false;
    z->n = (int)n;
    z->first = (int32_t)be32(info);
    for (uint32_t i = 0; i < n; i++) {
        if (index[i] >= types)
            return false;
        z->at[i] = width == 8 ? be64(times + 8 * i) : (int32_t)be32(times + 4 * i);
        z->offset[i] = (int32_t)be32(info + 6 * index[i]);
        if (z->offset[i] > 86400 || z->offset[i] < -86400 || (i && z->at[i] < z->at[i - 1]))
            return false;
    }
    return z->first <= 86400 && z->first >= -86400;
}

/* ---- the rule for later years: "CET-1CEST,M3.5.0,M10.5.0/3" --------------------------------------------------------- */

#define RULE_YEARS 400 /* after the file's last transition */

struct rule {
    int month, week, weekday; /* week 5: the last */
    int32_t at;               /* seconds after midnight, of the time before the change */
};

static bool rule_name(const char **p, const char *end)
{
    const char *q = *p;

    if (q < end && *q == '<') {
        while (q < end && *q != '>')
            q++;
        *p = q + 1;
        return q < end;
    }
    while (q < end && isalpha((unsigned char)*q))
        q++;
    bool ok = q - *p >= 3;
    *p = q;
    return ok;
}

static bool rule_number(const char **p, const char *end, int max, int *out)
{
    int n = 0;
    const char *q = *p;

    while (q < end && isdigit((unsigned char)*q) && n <= max)
        n = n * 10 + (*q++ - '0');
    bool ok = q > *p && n <= max;
    *p = q;
    *out = n;
    return ok;
}

/* [+-]hh[:mm[:ss]] */
static bool rule_time(const char **p, const char *end, int32_t *out)
{
    bool minus = *p < end && **p == '-';
    int part[3] = { 0 };

    *p += minus || (*p < end && **p == '+');
    for (int i = 0; i < 3; i++) {
        if (!rule_number(p, end, i ? 59 : 167, &part[i]))
            return false;
        if (*p == end || **p != ':')
            break;
        (*p)++;
    }
    *out = (part[0] * 3600 + part[1] * 60 + part[2]) * (minus ? -1 : 1);
    return true;
}

static bool rule_read(const char **p, const char *end, struct rule *r)
{
    r->at = 7200;
    if (end - *p < 2 || **p != ',' || (*p)[1] != 'M') /* no zone of today has the day-of-year forms */
        return false;
    *p += 2;
    if (!rule_number(p, end, 12, &r->month) || r->month == 0 || *p == end || *(*p)++ != '.' || !rule_number(p, end, 5, &r->week) ||
        r->week == 0 || *p == end || *(*p)++ != '.' || !rule_number(p, end, 6, &r->weekday))
        return false;
    if (*p == end || **p != '/')
        return true;
    (*p)++;
    return rule_time(p, end, &r->at);
}

/* Days from 1970 of the rule's day in a year. */
static int64_t rule_day(const struct rule *r, int year)
{
    int64_t first = tsf_days_from_civil(year, r->month, 1);
    int64_t next = r->month == 12 ? tsf_days_from_civil(year + 1, 1, 1) : tsf_days_from_civil(year, r->month + 1, 1);
    int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    int64_t day = first + (r->weekday - weekday + 7) % 7 + (r->week - 1) * 7;

    return day >= next ? day - 7 : day;
}

/* Years after the file's last transition follow its footer; a footer without changes needs nothing. */
static bool footer_apply(const char *p, const char *end, struct tsf_arena *a, struct query_zone *z)
{
    struct rule to_dst, to_std;
    int32_t std, dst;

    if (!rule_name(&p, end) || !rule_time(&p, end, &std))
        return false;
    std = -std; /* POSIX counts west of Greenwich */
    if (p == end)
        return true;
    if (!rule_name(&p, end))
        return false;
    dst = std + 3600;
    if (p < end && *p != ',') {
        if (!rule_time(&p, end, &dst))
            return false;
        dst = -dst;
    }
    if (!rule_read(&p, end, &to_dst) || !rule_read(&p, end, &to_std))
        return false;
    int n = z->n;
    int64_t last = n ? z->at[n - 1] : INT64_MIN, *at = tsf_arena_alloc(a, 8 * ((size_t)n + 2 * RULE_YEARS + 4));
    int32_t *offset = tsf_arena_alloc(a, 4 * ((size_t)n + 2 * RULE_YEARS + 4));
    if (!at || !offset)
        return false;
    if (n) {
        memcpy(at, z->at, 8 * (size_t)n);
        memcpy(offset, z->offset, 4 * (size_t)n);
    }
    int year = n ? (int)(last / 31556952 + 1970) : 1970;
    for (int stop = year + RULE_YEARS; year <= stop; year++) {
        int64_t s = rule_day(&to_dst, year) * 86400 + to_dst.at - std, e = rule_day(&to_std, year) * 86400 + to_std.at - dst;
        bool south = e < s;
        for (int k = 0; k < 2; k++) {
            bool summer = (k == 0) != south;
            if ((summer ? s : e) <= last)
                continue;
            at[n] = summer ? s : e;
            offset[n++] = summer ? dst : std;
        }
    }
    z->at = at;
    z->offset = offset;
    z->n = n;
    return true;
}

/* Where the second block ends and the footer begins. */
static void footer_read(const uint8_t *p, size_t len, struct tsf_arena *a, struct query_zone *z)
{
    size_t skip = 44 + (size_t)be32(p + 32) * 9 + (size_t)be32(p + 36) * 6 + be32(p + 40) + (size_t)be32(p + 28) * 12 + be32(p + 24) + be32(p + 20);
    const char *text, *end;

    if (skip + 2 > len || p[skip] != '\n')
        return;
    text = (const char *)p + skip + 1;
    if ((end = memchr(text, '\n', len - skip - 1)) && end > text)
        (void)footer_apply(text, end, a, z); /* what it cannot say stays as the last transition left it */
}

static bool file_parse(struct tsf_str f, struct tsf_arena *a, struct query_zone *z)
{
    const uint8_t *p = (const uint8_t *)f.data;
    size_t skip;

    if (f.len < 44 || memcmp(p, "TZif", 4) != 0)
        return false;
    if (p[4] < '2')
        return block_read(p, f.len, 4, a, z);
    skip = 44 + (size_t)be32(p + 32) * 5 + (size_t)be32(p + 36) * 6 + be32(p + 40) + (size_t)be32(p + 28) * 8 + be32(p + 24) + be32(p + 20);
    if (skip > f.len || f.len - skip < 44 || memcmp(p + skip, "TZif", 4) != 0)
        return false;
    if (!block_read(p + skip, f.len - skip, 8, a, z))
        return false;
    footer_read(p + skip, f.len - skip, a, z);
    return true;
}

static enum tsf_err zone_load(struct query_call *c, struct tsf_str name, struct query_zone *z, struct tsf_error *err)
{
    struct tsf_buf file = TSF_BUF_INIT(ZONE_FILE_MAX);
    char path[128];
    bool ok = false;

    if (fixed_offset(name, &z->first))
        return TSF_OK;
    if (name_ok(name)) {
        snprintf(path, sizeof path, ZONE_DIR "%.*s", (int)name.len, name.data);
        ok = tsf_file_read(path, ZONE_FILE_MAX, &file, NULL) == TSF_OK && file_parse(tsf_buf_str(&file), &c->ev->keep, z);
        tsf_buf_release(&file);
    }
    return ok ? TSF_OK : tsf_fail_sql(err, "22023", -1, "time zone \"%.*s\" not recognized", (int)TSF_MIN(name.len, 60), name.data);
}

enum tsf_err query_zone_get(struct query_call *c, struct tsf_str name, const struct query_zone **out, struct tsf_error *err)
{
    struct query_slot *slot = query_slot_get(c->ev, c->expr->id, err);
    struct query_zone *z;
    enum tsf_err rc;

    if (!slot)
        return TSF_ERR_NOMEM;
    for (z = slot->state; z; z = z->next)
        if (tsf_str_eqz(name, z->name)) {
            *out = z;
            return TSF_OK;
        }
    if (!(z = tsf_arena_calloc(&c->ev->keep, 1, sizeof *z)))
        return tsf_fail_nomem(err);
    if ((rc = zone_load(c, name, z, err)) != TSF_OK)
        return rc;
    memcpy(z->name, name.data, TSF_MIN(name.len, sizeof z->name - 1));
    z->next = slot->state;
    slot->state = z;
    *out = z;
    return TSF_OK;
}

int32_t query_zone_offset(const struct query_zone *z, int64_t utc_us)
{
    int64_t s = utc_us / TSF_US_PER_SEC - (utc_us % TSF_US_PER_SEC < 0);
    int lo = 0, hi = z->n;

    while (lo < hi) { /* the first transition after s */
        int mid = (lo + hi) / 2;
        if (z->at[mid] <= s)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo ? z->offset[lo - 1] : z->first;
}

/* A time that a change skips is taken by the offset before the change, one that it repeats by the offset after. */
int64_t query_zone_from_local(const struct query_zone *z, int64_t local_us)
{
    int32_t before = query_zone_offset(z, local_us - TSF_US_PER_DAY), after = query_zone_offset(z, local_us + TSF_US_PER_DAY);
    int64_t a = local_us - before * TSF_US_PER_SEC, b = local_us - after * TSF_US_PER_SEC;

    return before != after && query_zone_offset(z, b) == after ? b : a;
}

/* timezone(zone, timestamptz) -> timestamp; zone a name or an interval */
static enum tsf_err convert(struct query_call *c, bool to_local, struct tsf_error *err)
{
    enum tsf_err rc;

    FN_EACH(c, i) {
        int64_t us = fn_int(c, 1, i);
        if (c->args[0].type->id == TSF_TYPE_INTERVAL) {
            const struct tsf_interval *iv = fn_interval(c, 0, i);
            if (iv->months || iv->days)
                return tsf_fail_sql(err, "22023", -1, "interval time zone must not include months or days");
            us += to_local ? iv->us : -iv->us;
        } else {
            const struct query_zone *z;
            if ((rc = query_zone_get(c, fn_str(c, 0, i), &z, err)) != TSF_OK)
                return rc;
            us = to_local ? us + query_zone_offset(z, us) * TSF_US_PER_SEC : query_zone_from_local(z, us);
        }
        FN_OUT(c, int64_t)[i] = us;
    }
    return TSF_OK;
}

enum tsf_err query_zone_to_local(struct query_call *c, struct tsf_error *err)
{
    return convert(c, true, err);
}

enum tsf_err query_zone_to_utc(struct query_call *c, struct tsf_error *err)
{
    return convert(c, false, err);
}
