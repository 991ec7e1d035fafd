#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <cmocka.h>

#include "base/base.h"

static bool leap(int64_t y)
{
    return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static int month_days(int64_t y, int m)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return m == 2 && leap(y) ? 29 : days[m - 1];
}

/* Walk day by day with nothing but the calendar's rules. */
static void test_civil__equals_a_walk_over_the_calendar(void **state)
{
    int64_t y = -1200, days = tsf_days_from_civil(-1200, 1, 1), wrong = 0;
    int m = 1, d = 1;

    (void)state;
    while (y < 10100) {
        int64_t y2;
        int m2, d2;

        tsf_civil_from_days(days, &y2, &m2, &d2);
        wrong += y2 != y || m2 != m || d2 != d || tsf_days_from_civil(y, m, d) != days;
        days++;
        if (++d > month_days(y, m)) {
            d = 1;
            if (++m > 12) {
                m = 1;
                y++;
            }
        }
    }
    assert_int_equal(wrong, 0);
}

static void test_civil__epoch_and_ends(void **state)
{
    int64_t y;
    int m, d;

    (void)state;
    assert_int_equal(tsf_days_from_civil(1970, 1, 1), 0);
    assert_int_equal(tsf_days_from_civil(2000, 2, 29), 11016);
    assert_int_equal(tsf_days_from_civil(1, 1, 1), -719162);
    for (int64_t days = INT64_MIN; ; days = INT64_MAX) { /* no overflow; sanitizers watch */
        tsf_civil_from_days(days, &y, &m, &d);
        assert_int_equal(tsf_days_from_civil(y, m, d), days);
        if (days == INT64_MAX)
            break;
    }
    assert_int_equal(tsf_days_from_civil(INT64_MAX, 12, 31), INT64_MAX);
    assert_int_equal(tsf_days_from_civil(INT64_MIN + 1, 3, 1), INT64_MIN);
}

static void test_time_parse__reads_known_times(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
        bool zone;
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0, true },
        { "1970-01-01", 0, false },
        { "2026-11-20T10:11:12Z", 1795169472000000, true },
        { "2026-11-20T10:11:12z", 1795169472000000, true },
        { "2026-11-20t10:11:12Z", 1795169472000000, true },
        { "2026-11-20 10:11:12", 1795169472000000, false },
        { "2026-11-20 10:11", 1795169460000000, false },
        { "2026-11-20T10:11:12.5Z", 1795169472500000, true },
        { "2026-11-20T10:11:12,5Z", 1795169472500000, true },
        { "2026-11-20T10:11:12.000001Z", 1795169472000001, true },
        { "2026-11-20T10:11:12.1234567Z", 1795169472123456, true },
        { "2026-11-20T10:11:12.123456789Z", 1795169472123456, true },
        { "2026-11-20T10:11:12.1234569999999999999999Z", 1795169472123456, true },
        { "2026-11-20 10:11:12.25", 1795169472250000, false },
        { "2026-11-20T10:11:12+00:00", 1795169472000000, true },
        { "2026-11-20T12:11:12+02", 1795169472000000, true },
        { "2026-11-20T12:11:12+0200", 1795169472000000, true },
        { "2026-11-20T12:11:12+02:00", 1795169472000000, true },
        { "2026-11-20T12:11:12.000+02:00", 1795169472000000, true },
        { "2026-11-20T04:41:12-05:30", 1795169472000000, true },
        { "2026-11-20 10:11:12 +00:00", 1795169472000000, true },
        { "2026-11-20 10:11:12 UTC", 1795169472000000, true },
        { "2026-11-20 10:11:42+00:00:30", 1795169472000000, true },
        { "1969-12-31T23:59:59.9999999Z", -1, true },
        { "1969-12-31T23:59:60Z", 0, true },
        { "1969-12-31T23:59:60.5Z", 500000, true },
        { "1969-12-31T24:00:00Z", 0, true },
        { "2024-02-29T00:00:00Z", 1709164800000000, true },
        { "2000-02-29T00:00:00Z", 951782400000000, true },
        { "0001-01-01T00:00:00Z", -62135596800000000, true },
        { "9999-12-31T23:59:59.999999Z", 253402300799999999, true },
        { "10000-01-01T00:00:00Z", 253402300800000000, true },
        { "+10000-01-01", 253402300800000000, false },
        { "+0000-03-01", -62162035200000000, false },
        { "294247-01-10T04:00:54.775807Z", INT64_MAX, true },
        { "-290308-12-21T19:59:05.224192Z", INT64_MIN, true },
        { "-290308-12-21T21:59:05.224192+02", INT64_MIN, true },
        { "2026-1-5 3:04", 1767582240000000, false },
    };

    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(cases); i++) {
        int64_t us = 42;
        bool zone = !cases[i].zone;

        if (!tsf_time_parse(tsf_str(cases[i].text), &us, &zone) || us != cases[i].us || zone != cases[i].zone)
            fail_msg("%s: got %lld, zone %d", cases[i].text, (long long)us, zone);
        assert_true(tsf_time_parse(tsf_str(cases[i].text), &us, NULL));
    }
}

static void test_time_parse__refuses_what_is_no_time(void **state)
{
    static const char *const cases[] = {
        "", " ", "x", "2026", "2026-11", "2026-11-", "2026-11-2x", "20261120", "2026-11-20T", "2026-11-20T10",
        "2026-11-20T10:", "2026-11-20T10:1", "2026-11-20T10:11:", "2026-11-20T10:11:1", "2026-11-20T10:11:12.",
        "2026-11-20T10:11:12.Z", "2026-11-20T10:11:12.5.5Z", "2026-11-20T10:11:12ZZ", "2026-11-20T10:11:12Z ",
        " 2026-11-20T10:11:12Z", "2026-11-20T10:11:12 ", "2026-11-20T10:11:12+", "2026-11-20T10:11:12+2",
        "2026-11-20T10:11:12+02:", "2026-11-20T10:11:12+02:0", "2026-11-20T10:11:12+020", "2026-11-20T10:11:12+16",
        "2026-11-20T10:11:12+02:60", "2026-11-20T10:11:12+02:00:60", "2026-11-20T10:11:12+0200:00",
        "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-11-20T24:00:01Z",
        "2026-11-20T24:00:00.1Z", "2026-11-20T25:00:00Z", "2026-11-20T10:60:00Z", "2026-11-20T10:11:61Z",
        "0000-01-01T00:00:00Z", "2026/11/20", "2026-11-20_10:11:12Z", "2026-11-20T10-11-12Z", "2026-11-20T10:11:12Q",
        "2026:11-20T10:11:12Z", "2026-11:20T10:11:12Z", "2026-11-20T10.11:12Z", "202\xb0-11-20T10:11:12Z",
        "2026-11-20\32410:11:12Z", "294247-01-10T04:00:54.775808Z", "-290308-12-21T19:59:05.224191Z",
        "999999-01-01T00:00:00Z", "-290309-01-01", "99999999-01-01", "026-11-20", "2026-11-200", "2026-11-20T100:11:12Z",
    };

    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(cases); i++) {
        int64_t us = 42;

        if (tsf_time_parse(tsf_str(cases[i]), &us, NULL))
            fail_msg("\"%s\" taken as %lld", cases[i], (long long)us);
        assert_int_equal(us, 42);
    }
    assert_false(tsf_time_parse((struct tsf_str){ NULL, 0 }, &(int64_t){ 0 }, NULL));
}

/* One byte of a good text replaced by every other byte: the fast way and the slow way must agree. */
static void test_time_parse__fast_and_slow_ways_agree(void **state)
{
    static const char good[] = "2026-11-20T10:11:12.123456Z";

    (void)state;
    for (size_t at = 0; at < sizeof(good) - 1; at++)
        for (int c = 1; c < 256; c++) {
            char text[64], slow[64];
            int64_t a = 0, b = 0;
            bool a_ok, b_ok;

            memcpy(text, good, sizeof(good));
            text[at] = (char)c;
            /* a plus before the year keeps the meaning and is not for the fast way */
            slow[0] = '+';
            memcpy(slow + 1, text, sizeof(good));
            a_ok = tsf_time_parse(tsf_str(text), &a, NULL);
            b_ok = tsf_time_parse(tsf_str(slow), &b, NULL);
            if (at == 0 && (c == '+' || c == '-'))
                continue;
            if (a_ok != b_ok || a != b)
                fail_msg("%s: %d %lld, slowly %d %lld", text, a_ok, (long long)a, b_ok, (long long)b);
        }
}

static void test_time_parse__every_fraction_length(void **state)
{
    static const char digits[] = "987654321012";

    (void)state;
    for (int n = 1; n <= 12; n++) {
        char text[64];
        int64_t us, want = 0;

        for (int i = 0; i < 6; i++)
            want = want * 10 + (i < n ? digits[i] - '0' : 0);
        for (int zone = 0; zone < 3; zone++) {
            static const char *const zones[] = { "Z", "", "+00:00" };

            snprintf(text, sizeof(text), "1970-01-01T00:00:01.%.*s%s", n, digits, zones[zone]);
            assert_true(tsf_time_parse(tsf_str(text), &us, NULL));
            assert_int_equal(us, TSF_US_PER_SEC + want);
        }
    }
}

static void test_time_format__comes_back(void **state)
{
    uint64_t x = 1;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t us, back;
        char text[TSF_TIME_MAX];
        size_t len;
        bool zone;

        x = tsf_hash_u64(x + (uint64_t)i);
        us = i == 0 ? INT64_MIN : i == 1 ? INT64_MAX : (int64_t)x >> (i % 24);
        len = tsf_time_format(us, -1, i & 1 ? "Z" : "+00", 'T', text);
        assert_int_equal(len, strlen(text));
        if (!tsf_time_parse(tsf_str(text), &back, &zone) || back != us || !zone)
            fail_msg("%lld is %s", (long long)us, text);
    }
}

static void assert_time_text(int64_t us, int digits, const char *suffix, char sep, const char *want)
{
    char text[TSF_TIME_MAX];

    tsf_time_format(us, digits, suffix, sep, text);
    assert_string_equal(text, want);
}

static void test_time_format__digits_and_suffix(void **state)
{
    (void)state;
    assert_time_text(1795169472123456, 6, "Z", 'T', "2026-11-20T10:11:12.123456Z");
    assert_time_text(1795169472123456, 3, "Z", 'T', "2026-11-20T10:11:12.123Z");
    assert_time_text(1795169472123456, 0, "Z", 'T', "2026-11-20T10:11:12Z");
    assert_time_text(1795169472120000, -1, "+00", ' ', "2026-11-20 10:11:12.12+00");
    assert_time_text(1795169472000000, -1, NULL, ' ', "2026-11-20 10:11:12");
    assert_time_text(1795169472000000, 3, "", ' ', "2026-11-20 10:11:12.000");
    assert_time_text(-1, 6, "Z", 'T', "1969-12-31T23:59:59.999999Z");
    assert_time_text(-1, 0, "Z", 'T', "1969-12-31T23:59:59Z");
    assert_time_text(INT64_MIN, 6, "0123456789abcdef", 'T', "-290308-12-21T19:59:05.2241920123456789");
}

static void test_date__parse_and_format(void **state)
{
    char text[TSF_TIME_MAX];
    int32_t days = 7;

    (void)state;
    assert_true(tsf_date_parse(TSF_STR("2026-11-20"), &days));
    assert_int_equal(days, 20777);
    assert_false(tsf_date_parse(TSF_STR("2026-11-20 "), &days));
    assert_false(tsf_date_parse(TSF_STR("2026-11-20T00:00"), &days));
    assert_false(tsf_date_parse(TSF_STR("2026-02-30"), &days));
    assert_false(tsf_date_parse(TSF_STR(""), &days));
    assert_int_equal(days, 20777);
    for (int i = 0; i < 20000; i++) {
        int32_t d = i == 0 ? INT32_MIN : i == 1 ? INT32_MAX : (int32_t)tsf_hash_u64((uint64_t)i) >> (i % 16);
        size_t len = tsf_date_format(d, text);

        assert_int_equal(len, strlen(text));
        if (!tsf_date_parse(tsf_str(text), &days) || days != d)
            fail_msg("%d is %s", d, text);
    }
}

static void test_duration_parse__units(void **state)
{
    static const struct {
        const char *text;
        int64_t us; /* -1: refused */
    } cases[] = {
        { "500ms", 500000 },
        { "30s", 30000000 },
        { "30", 30000000 },
        { "0", 0 },
        { "1.5", 1500000 },
        { "5m", 300000000 },
        { "5min", 300000000 },
        { "48h", 172800000000 },
        { "7d", 604800000000 },
        { "2w", 1209600000000 },
        { "12us", 12 },
        { "1h30m", 5400000000 },
        { "1h30m5s", 5405000000 },
        { "1.5h", 5400000000 },
        { "9223372036854775807us", INT64_MAX },
        { "9223372036854775808us", -1 },
        { "9223372036855s", -1 },
        { "9223372036854775807w", -1 },
        { "99999999999999999999999999999999999999999999s", -1 },
        { "1w9223372036854775807us", -1 },
        { "", -1 },
        { "-1s", -1 },
        { "+1s", -1 },
        { "s", -1 },
        { "1x", -1 },
        { "1hh", -1 },
        { "1h30", -1 },
        { "1 h", -1 },
        { ".", -1 },
        { "1.5.5s", -1 },
        { "1e3s", -1 },
    };

    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(cases); i++) {
        int64_t us = -1;
        bool ok = tsf_duration_parse(cases[i].text, &us);

        if (ok != (cases[i].us >= 0) || us != cases[i].us)
            fail_msg("\"%s\": %d %lld", cases[i].text, ok, (long long)us);
    }
}

static void test_size_parse__units(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes; /* -1: refused */
    } cases[] = {
        { "4096", 4096 },
        { "0", 0 },
        { "128M", 128 << 20 },
        { "16MB", 16 << 20 },
        { "16mb", 16 << 20 },
        { "1.5GiB", 3LL << 29 },
        { "1.5gib", 3LL << 29 },
        { "2Ki", 2048 },
        { "1k", 1024 },
        { "512B", 512 },
        { "7E", 7LL << 60 },
        { "8E", -1 },
        { "9223372036854775807", INT64_MAX },
        { "9223372036854775808", -1 },
        { "", -1 },
        { "-1", -1 },
        { "M", -1 },
        { "1iB", -1 },
        { "1MM", -1 },
        { "1 M", -1 },
        { "1BB", -1 },
    };

    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(cases); i++) {
        int64_t bytes = -1;
        bool ok = tsf_size_parse(cases[i].text, &bytes);

        if (ok != (cases[i].bytes >= 0) || bytes != cases[i].bytes)
            fail_msg("\"%s\": %d %lld", cases[i].text, ok, (long long)bytes);
    }
}

static void test_size_format__is_short(void **state)
{
    char out[16];

    (void)state;
    tsf_size_format(0, out);
    assert_string_equal(out, "0");
    tsf_size_format(1023, out);
    assert_string_equal(out, "1023");
    tsf_size_format(1024, out);
    assert_string_equal(out, "1.0K");
    tsf_size_format((1 << 20) - 1, out);
    assert_string_equal(out, "1.0M");
    tsf_size_format(12897484, out);
    assert_string_equal(out, "12.3M");
    tsf_size_format(INT64_MAX, out);
    assert_string_equal(out, "8.0E");
    tsf_size_format(INT64_MIN, out);
    assert_string_equal(out, "-8.0E");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_civil__equals_a_walk_over_the_calendar),
        cmocka_unit_test(test_civil__epoch_and_ends),
        cmocka_unit_test(test_time_parse__reads_known_times),
        cmocka_unit_test(test_time_parse__refuses_what_is_no_time),
        cmocka_unit_test(test_time_parse__fast_and_slow_ways_agree),
        cmocka_unit_test(test_time_parse__every_fraction_length),
        cmocka_unit_test(test_time_format__comes_back),
        cmocka_unit_test(test_time_format__digits_and_suffix),
        cmocka_unit_test(test_date__parse_and_format),
        cmocka_unit_test(test_duration_parse__units),
        cmocka_unit_test(test_size_parse__units),
        cmocka_unit_test(test_size_format__is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
