#include "base/base.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SEC_PER_DAY 86400
/* Years whose every microsecond fits int64_t, with a little to spare: the sums are checked anyway. */
#define YEAR_MIN (-290308)
#define YEAR_MAX 294276
#define DATE_YEAR_MAX 5881580 /* int32_t days */

/* ---- clocks --------------------------------------------------------------------------------------- */

static pthread_once_t now_once = PTHREAD_ONCE_INIT;
static bool now_is_fixed;
static int64_t now_fixed_us;

static void now_read_env(void)
{
    const char *env = getenv("TSF_NOW");

    now_is_fixed = env != NULL && tsf_time_parse(tsf_str(env), &now_fixed_us, NULL);
}

int64_t tsf_now_us(void)
{
    struct timespec ts;

    pthread_once(&now_once, now_read_env);
    if (now_is_fixed)
        return now_fixed_us;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * TSF_US_PER_SEC + ts.tv_nsec / 1000;
}

int64_t tsf_monotonic_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* ---- calendar ------------------------------------------------------------------------------------- */

/*
 * Both conversions count in eras of 400 years (146097 days) that begin on 1 March, so the leap day is the last of its
 * year. 1970-01-01 is day 719468 from 0000-03-01.
 */
#define ERA_DAYS 146097
#define EPOCH_DAY 719468

static inline int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t tsf_days_from_civil(int64_t year, int month, int day)
{
    int64_t y, era;
    int yoe, doy, doe;
    __int128 days;

    year = TSF_MAX(TSF_MIN(year, INT64_MAX / 16), INT64_MIN / 16); /* days are out of range far before */
    y = year - (month <= 2);
    era = floor_div(y, 400);
    yoe = (int)(y - era * 400);
    doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    days = (__int128)era * ERA_DAYS + doe - EPOCH_DAY;
    return days < INT64_MIN ? INT64_MIN : days > INT64_MAX ? INT64_MAX : (int64_t)days;
}

void tsf_civil_from_days(int64_t days, int64_t *year_out, int *month_out, int *day_out)
{
    int64_t era = floor_div(days, ERA_DAYS);
    int rest = (int)(days % ERA_DAYS), doe, yoe, doy, mp;

    doe = rest + (rest < 0 ? ERA_DAYS : 0) + EPOCH_DAY % ERA_DAYS;
    era += EPOCH_DAY / ERA_DAYS; /* the shift is made after dividing: no overflow at the ends */
    if (doe >= ERA_DAYS) {
        doe -= ERA_DAYS;
        era++;
    }
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    *day_out = doy - (153 * mp + 2) / 5 + 1;
    *month_out = mp < 10 ? mp + 3 : mp - 9;
    *year_out = era * 400 + yoe + (*month_out <= 2);
}

static int days_of_month(int64_t year, int month)
{
    static const uint8_t days[13] = { 0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : days[month];
}

/* Days of years 1..9999, without the general code's divisions by era. */
static inline int32_t days_from_civil_4(unsigned year, unsigned month, unsigned day)
{
    unsigned y = year - (month <= 2), c = y / 100;
    unsigned doy = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;

    return (int32_t)(365 * y + y / 4 - c + c / 4 + doy) - EPOCH_DAY;
}

/* ---- reading times -------------------------------------------------------------------------------- */

static inline unsigned digit_at(const char *p)
{
    return (unsigned)(uint8_t)*p - '0';
}

/* Parse min..max digits (max <= 9); returns how many, 0 when there are fewer than min. */
static int digits_parse(const char *p, const char *end, int min, int max, int *out)
{
    int n = 0, v = 0;

    while (n < max && p + n < end && digit_at(p + n) <= 9)
        v = v * 10 + (int)digit_at(p + n++);
    if (n < min)
        return 0;
    *out = v;
    return n;
}

/* ".5", ",123456789": microseconds in *us, digits beyond are dropped. Returns the end, NULL when no digit follows. */
static const char *fraction_parse(const char *p, const char *end, int *us)
{
    const char *start = ++p;
    int v = 0, n = 0;

    for (; p < end && digit_at(p) <= 9; p++)
        if (n < 6) {
            v = v * 10 + (int)digit_at(p);
            n++;
        }
    if (p == start)
        return NULL;
    for (; n < 6; n++)
        v *= 10;
    *us = v;
    return p;
}

static bool word_at(const char *p, const char *end, const char *upper)
{
    size_t n = strlen(upper);

    if ((size_t)(end - p) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((p[i] & ~0x20) != upper[i])
            return false;
    return true;
}

/* All of [p, end) as a zone: "", "Z", "UTC", "+02", "+0200", "+02:00", "+02:00:30". Bounds as PostgreSQL has them. */
static bool zone_parse(const char *p, const char *end, int *offset_s, bool *has_zone)
{
    int hour, min = 0, sec = 0, n, sign;

    *offset_s = 0;
    *has_zone = p < end;
    if (p == end)
        return true;
    if (*p == ' ' && ++p == end)
        return false;
    if (word_at(p, end, "Z") || word_at(p, end, "UTC") || word_at(p, end, "GMT"))
        return true;
    if (*p != '+' && *p != '-')
        return false;
    sign = *p++ == '-' ? -1 : 1;
    if ((n = digits_parse(p, end, 2, 2, &hour)) == 0)
        return false;
    p += n;
    if (p < end && *p != ':') {
        if ((n = digits_parse(p, end, 2, 2, &min)) == 0)
            return false;
        p += n;
    } else if (p < end) {
        if ((n = digits_parse(++p, end, 2, 2, &min)) == 0)
            return false;
        p += n;
        if (p < end && *p == ':') {
            if ((n = digits_parse(++p, end, 2, 2, &sec)) == 0)
                return false;
            p += n;
        }
    }
    if (p != end || hour > 15 || min > 59 || sec > 59)
        return false;
    *offset_s = sign * (hour * 3600 + min * 60 + sec);
    return true;
}

/*
 * "2026-11-20", "2026-1-5", "-0044-03-15", "+12345-01-01". Returns the end, NULL when it is no date. The year zero
 * needs a sign: PostgreSQL knows no year 0000, ISO 8601 does.
 */
static const char *date_prefix_parse(const char *p, const char *end, int64_t *days_out)
{
    bool sign = p < end && (*p == '-' || *p == '+'), negative = sign && *p == '-';
    int year, month, day, n;

    p += sign;
    if ((n = digits_parse(p, end, 4, 7, &year)) == 0 || (year == 0 && !sign) || year > DATE_YEAR_MAX)
        return NULL;
    p += n;
    if (p == end || *p++ != '-' || (n = digits_parse(p, end, 1, 2, &month)) == 0 || month < 1 || month > 12)
        return NULL;
    p += n;
    if (p == end || *p++ != '-' || (n = digits_parse(p, end, 1, 2, &day)) == 0)
        return NULL;
    p += n;
    year = negative ? -year : year;
    if (day < 1 || day > days_of_month(year, month))
        return NULL;
    *days_out = tsf_days_from_civil(year, month, day);
    return p;
}

/* "10:11", "10:11:12", "10:11:12.5"; 24:00:00 ends the day and second 60 begins the next minute, as in PostgreSQL. */
static const char *clock_prefix_parse(const char *p, const char *end, int64_t *us_out)
{
    int hour, min, sec = 0, us = 0, n;

    if ((n = digits_parse(p, end, 1, 2, &hour)) == 0)
        return NULL;
    p += n;
    if (p == end || *p++ != ':' || (n = digits_parse(p, end, 2, 2, &min)) == 0)
        return NULL;
    p += n;
    if (p < end && *p == ':') {
        if ((n = digits_parse(++p, end, 2, 2, &sec)) == 0)
            return NULL;
        p += n;
        if (p < end && (*p == '.' || *p == ',') && (p = fraction_parse(p, end, &us)) == NULL)
            return NULL;
    }
    if (hour > 24 || min > 59 || sec > 60 || (hour == 24 && (min | sec | us) != 0))
        return NULL;
    *us_out = (hour * 3600LL + min * 60 + sec) * TSF_US_PER_SEC + us;
    return p;
}

/* Any form we know, one piece after the other. */
static bool time_parse_slow(struct tsf_str s, int64_t *us_out, bool *has_zone_out)
{
    const char *p = s.data, *end = s.data + s.len;
    int64_t days, us = 0, total;
    bool has_zone = false;
    int offset_s = 0;

    if (s.len == 0 || (p = date_prefix_parse(p, end, &days)) == NULL)
        return false;
    if (p < end) {
        if (*p != 'T' && *p != 't' && *p != ' ')
            return false;
        if ((p = clock_prefix_parse(p + 1, end, &us)) == NULL || !zone_parse(p, end, &offset_s, &has_zone))
            return false;
    }
    if (days < tsf_days_from_civil(YEAR_MIN, 1, 1) || days > tsf_days_from_civil(YEAR_MAX, 12, 31))
        return false;
    us -= offset_s * TSF_US_PER_SEC; /* of the same sign as what the days lack at the ends, so add it before */
    if (days < 0) {
        days++;
        us -= TSF_US_PER_DAY;
    }
    if (__builtin_mul_overflow(days, TSF_US_PER_DAY, &total) || __builtin_add_overflow(total, us, &total))
        return false;
    *us_out = total;
    if (has_zone_out != NULL)
        *has_zone_out = has_zone;
    return true;
}

#define SWAR_HIGH 0x8080808080808080ULL
/* Bytes to xor: '0' makes a digit its value, a separator becomes zero. Little-endian. */
#define SWAR_DATE 0x2d30302d30303030ULL  /* "0000-00-" */
#define SWAR_CLOCK 0x30303a3030003030ULL /* "00?00:00" */
/* Bytes to add: a digit's high bit comes up above 9, a separator's above 0. */
#define SWAR_DATE_LIMIT 0x7f76767f76767676ULL
#define SWAR_CLOCK_LIMIT 0x76767f7676007676ULL

/*
 * The fraction whose digits begin at p, when at least eight bytes of text lie before end: its digits, counted by the
 * same check, are moved to the top six bytes of a word (so missing ones read as trailing zeros) and folded pairwise.
 */
static inline const char *fraction_parse_fast(const char *p, const char *end, int *us)
{
    size_t left = (size_t)(end - p), n;
    uint64_t w, bad;

    if (left == 0)
        return NULL;
    w = left >= 8 ? tsf_le64_get(p) : tsf_le64_get(end - 8) >> (8 * (8 - left));
    w ^= 0x3030303030303030ULL;
    bad = (w | (w + 0x7676767676767676ULL)) & SWAR_HIGH;
    n = bad != 0 ? (size_t)__builtin_ctzll(bad) >> 3 : 8;
    if (n == 0)
        return NULL;
    w &= n >= 6 ? 0xffffffffffffULL : (1ULL << (8 * n)) - 1;
    w <<= 16;
    w = w * 10 + (w >> 8); /* pairs in bytes 0, 2, 4, 6 */
    *us = (int)((((w & 0x000000ff000000ffULL) * (100 + (1000000ULL << 32))) +
                 (((w >> 16) & 0x000000ff000000ffULL) * (1 + (10000ULL << 32)))) >>
                32);
    p += n;
    while (n >= 8 && p < end && digit_at(p) <= 9)
        p++;
    return p;
}

/*
 * The form that machines write, "YYYY-MM-DDTHH:MM:SS[.fff]Z" and the same with a blank or another zone, is checked and
 * read sixteen bytes at once: xor leaves digit values, one addition checks all of them, a multiply-add pairs them.
 * All else, and all that fails a range here, takes the slow way, which also decides about 24:00 and second 60.
 */
bool tsf_time_parse(struct tsf_str s, int64_t *us_out, bool *has_zone_out)
{
    const char *p = s.data;
    uint64_t date, clock, sep;
    unsigned year, month, day, hour, min, sec, sec10, sec1;
    int us = 0, offset_s = 0;
    bool has_zone = true;

    if (s.len < 20 || p[16] != ':')
        return time_parse_slow(s, us_out, has_zone_out);
    date = tsf_le64_get(p) ^ SWAR_DATE;
    clock = tsf_le64_get(p + 8) ^ SWAR_CLOCK;
    sep = (clock >> 16) & 0xff;
    clock &= ~0xff0000ULL;
    sec10 = digit_at(p + 17);
    sec1 = digit_at(p + 18);
    if ((((date | (date + SWAR_DATE_LIMIT)) | (clock | (clock + SWAR_CLOCK_LIMIT))) & SWAR_HIGH) != 0 || sec10 > 5 ||
        sec1 > 9 || (sep != 'T' && sep != ' '))
        return time_parse_slow(s, us_out, has_zone_out);
    date = date * 10 + (date >> 8); /* byte i: the pair i, i + 1; at most 99, so nothing carries */
    clock = clock * 10 + (clock >> 8);
    year = (unsigned)(date & 0xff) * 100 + (unsigned)(date >> 16 & 0xff);
    month = (unsigned)(date >> 40 & 0xff);
    day = (unsigned)(clock & 0xff);
    hour = (unsigned)(clock >> 24 & 0xff);
    min = (unsigned)(clock >> 48 & 0xff);
    sec = sec10 * 10 + sec1;
    if (year == 0 || month - 1 > 11 || day - 1 > 30 || hour > 23 || min > 59 ||
        (day > 28 && (int)day > days_of_month((int64_t)year, (int)month)))
        return time_parse_slow(s, us_out, has_zone_out);
    p += 19;
    if (*p == '.' && (p = fraction_parse_fast(p + 1, s.data + s.len, &us)) == NULL)
        return false;
    if (TSF_UNLIKELY(!(p + 1 == s.data + s.len && *p == 'Z')) &&
        !zone_parse(p, s.data + s.len, &offset_s, &has_zone))
        return time_parse_slow(s, us_out, has_zone_out);
    *us_out = days_from_civil_4(year, month, day) * TSF_US_PER_DAY +
              ((int64_t)(hour * 3600 + min * 60 + sec) - offset_s) * TSF_US_PER_SEC + us;
    if (has_zone_out != NULL)
        *has_zone_out = has_zone;
    return true;
}

bool tsf_date_parse(struct tsf_str s, int32_t *days_out)
{
    const char *end = s.data + s.len;
    int64_t days;

    if (s.len == 0 || date_prefix_parse(s.data, end, &days) != end || days < INT32_MIN || days > INT32_MAX)
        return false;
    *days_out = (int32_t)days;
    return true;
}

/* ---- writing times -------------------------------------------------------------------------------- */

static inline char *put2(char *out, int v)
{
    out[0] = (char)('0' + v / 10);
    out[1] = (char)('0' + v % 10);
    return out + 2;
}

static char *put_date(char *out, int64_t days)
{
    int64_t year;
    int month, day;

    tsf_civil_from_days(days, &year, &month, &day);
    if (year >= 1 && year <= 9999) {
        out = put2(out, (int)year / 100);
        out = put2(out, (int)year % 100);
    } else if (year > 9999) {
        out += snprintf(out, 20, "%lld", (long long)year);
    } else {
        out += snprintf(out, 20, "%c%04lld", year == 0 ? '+' : '-', (long long)-year);
    }
    *out++ = '-';
    out = put2(out, month);
    *out++ = '-';
    return put2(out, day);
}

/* ".123": digits of a fraction 0..999999, or as many as it needs when digits < 0. */
static char *put_fraction(char *out, int us, int digits)
{
    int n = digits < 0 ? 6 : TSF_MIN(digits, 6);

    if (digits < 0 && us == 0)
        return out;
    for (int i = n; i < 6; i++)
        us /= 10;
    for (; digits < 0 && us % 10 == 0; n--)
        us /= 10;
    if (n == 0)
        return out;
    out[0] = '.';
    for (int i = n; i > 0; i--) {
        out[i] = (char)('0' + us % 10);
        us /= 10;
    }
    return out + n + 1;
}

size_t tsf_time_format(int64_t us, int digits, const char *zone_suffix, char sep, char *out)
{
    int64_t days = floor_div(us, TSF_US_PER_DAY);
    /* days * day can lie below INT64_MIN although the difference is small: subtract without sign */
    int64_t rest = (int64_t)((uint64_t)us - (uint64_t)days * (uint64_t)TSF_US_PER_DAY);
    int sec = (int)(rest / TSF_US_PER_SEC);
    size_t suffix_len = zone_suffix != NULL ? strlen(zone_suffix) : 0;
    char *p = put_date(out, days);

    *p++ = sep;
    p = put2(p, sec / 3600);
    *p++ = ':';
    p = put2(p, sec / 60 % 60);
    *p++ = ':';
    p = put2(p, sec % 60);
    p = put_fraction(p, (int)(rest % TSF_US_PER_SEC), digits);
    suffix_len = TSF_MIN(suffix_len, (size_t)(out + TSF_TIME_MAX - 1 - p));
    if (suffix_len > 0)
        memcpy(p, zone_suffix, suffix_len);
    p += suffix_len;
    *p = '\0';
    return (size_t)(p - out);
}

size_t tsf_date_format(int32_t days, char *out)
{
    char *end = put_date(out, days);

    *end = '\0';
    return (size_t)(end - out);
}

/* ---- durations and sizes --------------------------------------------------------------------------- */

/* A decimal number "12", "1.5", ".5": units of 10^-9. False when there is no digit or too many. */
static bool decimal_parse(const char **z, __int128 *nano_out)
{
    const char *p = *z;
    __int128 v = 0, scale = 1000000000;
    int n = 0;

    for (; digit_at(p) <= 9; p++, n++) {
        v = v * 10 + digit_at(p);
        if (v > INT64_MAX)
            return false;
    }
    v *= scale;
    if (*p == '.')
        for (p++; digit_at(p) <= 9; p++, n++) {
            scale /= 10;
            v += digit_at(p) * scale;
        }
    *z = p;
    *nano_out = v;
    return n > 0;
}

/* The letters at *z as a unit of time in microseconds; 0 when unknown. */
static int64_t duration_unit(const char **z)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {
        { "us", 1 },
        { "ms", 1000 },
        { "s", TSF_US_PER_SEC },
        { "m", 60 * TSF_US_PER_SEC },
        { "min", 60 * TSF_US_PER_SEC },
        { "h", 3600 * TSF_US_PER_SEC },
        { "d", TSF_US_PER_DAY },
        { "w", 7 * TSF_US_PER_DAY },
    };
    size_t len = 0;

    while ((*z)[len] >= 'a' && (*z)[len] <= 'z')
        len++;
    for (size_t i = 0; i < TSF_ARRAY_LEN(units); i++)
        if (strlen(units[i].name) == len && memcmp(units[i].name, *z, len) == 0) {
            *z += len;
            return units[i].us;
        }
    return 0;
}

bool tsf_duration_parse(const char *z, int64_t *us_out)
{
    __int128 total = 0, nano;
    bool bare = true;

    do {
        int64_t unit;

        if (!decimal_parse(&z, &nano))
            return false;
        if (*z == '\0' && bare)
            unit = TSF_US_PER_SEC;
        else if ((unit = duration_unit(&z)) == 0)
            return false;
        bare = false;
        /* nano < 2^63 * 10^9 < 2^93; times a week in microseconds (2^40) could pass 2^127 */
        if (nano / 1000000000 > INT64_MAX / unit)
            return false;
        total += nano * unit / 1000000000;
        if (total > INT64_MAX)
            return false;
    } while (*z != '\0');
    *us_out = (int64_t)total;
    return true;
}

static const char size_letters[] = "KMGTPE";

bool tsf_size_parse(const char *z, int64_t *bytes_out)
{
    const char *letter;
    __int128 nano;
    int shift = 0;

    if (!decimal_parse(&z, &nano))
        return false;
    if (*z != '\0' && (letter = strchr(size_letters, *z & ~0x20)) != NULL && *letter != '\0') {
        shift = 10 * (int)(letter - size_letters + 1);
        z++;
        if (*z == 'i' && (z[1] == 'B' || z[1] == 'b' || z[1] == '\0'))
            z++;
    }
    if (*z == 'B' || *z == 'b')
        z++;
    if (*z != '\0' || nano / 1000000000 > INT64_MAX >> shift)
        return false;
    nano = (nano << shift) / 1000000000;
    if (nano > INT64_MAX)
        return false;
    *bytes_out = (int64_t)nano;
    return true;
}

size_t tsf_size_format(int64_t bytes, char out[16])
{
    const char *sign = bytes < 0 ? "-" : "";
    double v = bytes < 0 ? -(double)bytes : (double)bytes;
    int unit = -1;

    if (v < 1024)
        return (size_t)snprintf(out, 16, "%lld", (long long)bytes);
    while (v >= 1023.95 && size_letters[unit + 1] != '\0') { /* what would print as 1024.0 */
        v /= 1024;
        unit++;
    }
    return (size_t)snprintf(out, 16, "%s%.1f%c", sign, v, size_letters[unit]);
}
