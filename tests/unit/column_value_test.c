/* Values: text, JSON, parsing and order; numbers; decimals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "column/column.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t rng_state = 88172645463325252ULL;
static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

/* text of `type` parsed and printed again, as PostgreSQL prints it */
static void expect_text(const struct tsf_type *t, const char *in, const char *want)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_value v;

    if (tsf_value_parse(tsf_str(in), t, &a, &v, &err) != TSF_OK)
        fail_msg("%s: %s", in, err.msg);
    assert_int_equal(tsf_value_text(&v, &out, NULL), TSF_OK);
    assert_string_equal(out.len ? tsf_buf_cstr(&out) : "", want);
    tsf_buf_release(&out);
    tsf_arena_release(&a);
}

static void expect_json(const struct tsf_type *t, const char *in, const char *want)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_value v;

    assert_int_equal(tsf_value_parse(tsf_str(in), t, &a, &v, NULL), TSF_OK);
    assert_int_equal(tsf_value_json(&v, &out, NULL), TSF_OK);
    assert_string_equal(tsf_buf_cstr(&out), want);
    tsf_buf_release(&out);
    tsf_arena_release(&a);
}

static void expect_refused(const struct tsf_type *t, const char *in, const char *sqlstate)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_value v;

    if (tsf_value_parse(tsf_str(in), t, &a, &v, &err) == TSF_OK)
        fail_msg("accepted: %s", in);
    assert_string_equal(err.sqlstate, sqlstate);
    tsf_arena_release(&a);
}

static void test_value__text_as_postgres(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    (void)state;
    expect_text(TSF_T(BOOL), " tRue ", "t");
    expect_text(TSF_T(BOOL), "of", "f");
    expect_text(TSF_T(INT8), "-128", "-128");
    expect_text(TSF_T(INT64), " +9223372036854775807 ", "9223372036854775807");
    expect_text(TSF_T(INT64), "-9223372036854775808", "-9223372036854775808");
    expect_text(TSF_T(DOUBLE), "1e16", "1e+16");
    expect_text(TSF_T(DOUBLE), "1e15", "1e+15");
    expect_text(TSF_T(DOUBLE), "100000000000000", "100000000000000");
    expect_text(TSF_T(DOUBLE), "0.0001", "0.0001");
    expect_text(TSF_T(DOUBLE), "0.00001", "1e-05");
    expect_text(TSF_T(DOUBLE), "-0", "-0");
    expect_text(TSF_T(DOUBLE), "-inf", "-Infinity");
    expect_text(TSF_T(DOUBLE), "nan", "NaN");
    expect_text(TSF_T(DOUBLE), "0.1", "0.1");
    expect_text(TSF_T(DOUBLE), "123456.789", "123456.789");
    expect_text(TSF_T(DOUBLE), "5e-324", "5e-324");
    expect_text(TSF_T(DOUBLE), "1.7976931348623157e308", "1.7976931348623157e+308");
    expect_text(TSF_T(FLOAT), "0.1", "0.1");
    expect_text(TSF_T(FLOAT), "1000000", "1e+06");
    expect_text(TSF_T(FLOAT), "123456", "123456");
    expect_text(tsf_type_decimal(10, 2), "12.345", "12.35");
    expect_text(tsf_type_decimal(10, 2), "-0.005", "-0.01");
    expect_text(tsf_type_decimal(38, 0), "-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999");
    expect_text(TSF_T(DATE), "2026-11-20", "2026-11-20");
    expect_text(TSF_T(TIMESTAMP), "2026-11-20T10:11:12.5+02", "2026-11-20 08:11:12.5+00");
    expect_text(TSF_T(TIMESTAMP_NTZ), "2026-11-20T10:11:12.5+02:00", "2026-11-20 10:11:12.5");
    expect_text(TSF_T(TIMESTAMP_NTZ), "2026-11-20 10:11:12Z", "2026-11-20 10:11:12");
    expect_text(TSF_T(TIME), "10:11", "10:11:00");
    expect_text(TSF_T(TIME), "10:11:12.000001", "10:11:12.000001");
    expect_text(TSF_T(BINARY), "\\xDEadbeef", "\\xdeadbeef");
    expect_text(TSF_T(BINARY), "a\\\\b\\001", "\\x615c6201");
    expect_text(TSF_T(UUID), "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    expect_text(TSF_T(INTERVAL), "1 year 2 mons 3 days 04:05:06.7", "1 year 2 mons 3 days 04:05:06.7");
    expect_text(TSF_T(INTERVAL), "1 day 2 hours ago", "-1 days -02:00:00");
    expect_text(TSF_T(INTERVAL), "-1 month 3 days", "-1 mons +3 days");
    expect_text(TSF_T(INTERVAL), "90 minutes", "01:30:00");
    expect_text(TSF_T(INTERVAL), "1.5 days", "1 day 12:00:00");
    expect_text(TSF_T(INTERVAL), "P1Y2M10DT2H30M", "1 year 2 mons 10 days 02:30:00");
    expect_text(TSF_T(INTERVAL), "0", "00:00:00");
    expect_text(tsf_type_list(&a, TSF_T(STRING), true), "{a, \"b c\" ,NULL,\"NULL\",\"\",\"q\\\"\"}",
                "{a,\"b c\",NULL,\"NULL\",\"\",\"q\\\"\"}");
    expect_text(tsf_type_list(&a, TSF_T(INT64), true), "{}", "{}");
    expect_text(tsf_type_list(&a, TSF_T(INT64), true), "{1,null,3}", "{1,NULL,3}");
    tsf_arena_release(&a);
}

static void test_value__json(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    (void)state;
    expect_json(TSF_T(DOUBLE), "1.0", "1");
    expect_json(TSF_T(DOUBLE), "nan", "\"NaN\"");
    expect_json(TSF_T(BOOL), "t", "true");
    expect_json(TSF_T(TIMESTAMP), "2026-11-20 10:11:12.5", "\"2026-11-20T10:11:12.5Z\"");
    expect_json(TSF_T(TIMESTAMP_NTZ), "2026-11-20 10:11:12", "\"2026-11-20T10:11:12\"");
    expect_json(TSF_T(STRING), "a\"b", "\"a\\\"b\"");
    expect_json(&tsf_type_json, "{\"a\": [1]}", "{\"a\": [1]}");
    expect_json(TSF_T(BINARY), "\\x00ff", "\"00ff\"");
    expect_json(tsf_type_list(&a, TSF_T(STRING), true), "{a,NULL}", "[\"a\",null]");
    tsf_arena_release(&a);
}

static void test_value__bad_text_is_refused(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    (void)state;
    expect_refused(TSF_T(INT32), "2147483648", "22003");
    expect_refused(TSF_T(INT32), "1.0", "22P02");
    expect_refused(TSF_T(INT32), "", "22P02");
    expect_refused(TSF_T(INT64), "9223372036854775808", "22003");
    expect_refused(TSF_T(INT8), "-129", "22003");
    expect_refused(TSF_T(DOUBLE), "1e999", "22003");
    expect_refused(TSF_T(DOUBLE), "0x10", "22P02");
    expect_refused(TSF_T(DOUBLE), "1e", "22P02");
    expect_refused(TSF_T(DOUBLE), ".", "22P02");
    expect_refused(TSF_T(BOOL), "o", "22P02");
    expect_refused(tsf_type_decimal(4, 2), "100", "22003");
    expect_refused(TSF_T(DATE), "2026-02-30", "22008");
    expect_refused(TSF_T(TIMESTAMP), "yesterday-ish", "22007");
    expect_refused(TSF_T(UUID), "a0eebc99", "22P02");
    expect_refused(TSF_T(BINARY), "\\xabc", "22P02");
    expect_refused(&tsf_type_json, "{\"a\":}", "22P02");
    expect_refused(TSF_T(INTERVAL), "1 fortnight", "22007");
    expect_refused(TSF_T(INTERVAL), "9999999999 years", "22015");
    expect_refused(tsf_type_list(&a, TSF_T(INT64), true), "{1,}", "22P02");
    expect_refused(tsf_type_list(&a, TSF_T(INT64), true), "{1", "22P02");
    expect_refused(tsf_type_list(&a, TSF_T(INT64), true), "{,1}", "22P02");
    tsf_arena_release(&a);
}

static void test_number__doubles_read_back(void **state)
{
    char text[32], shorter[40];
    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = rng();
        double v, back;
        switch (i % 4) {
        case 0: memcpy(&v, &bits, 8); break;
        case 1: v = (double)(int64_t)(bits >> (bits & 63)) / 1000.0; break;
        case 2: v = (double)(int64_t)(rng() % 100000000) / pow(10, (double)(bits % 12)); break;
        default: v = (double)(bits >> 11) * 0x1p-53; break;
        }
        if (isnan(v))
            continue;
        size_t n = tsf_double_format(v, text);
        assert_int_equal(strlen(text), n);
        assert_true(n < 32);
        assert_true(tsf_double_parse(tsf_str_n(text, n), &back));
        if (memcmp(&v, &back, 8) != 0)
            fail_msg("%.17g printed as %s", v, text);
        if (isfinite(v) && v != 0 && i % 8 == 0) { /* no shorter form: one digit less does not read back */
            int digits = 0, trailing = 0;
            for (const char *p = text; *p && *p != 'e'; p++)
                if (*p >= '0' && *p <= '9') {
                    digits += digits || *p != '0';
                    trailing = *p == '0' ? trailing + 1 : 0;
                }
            digits -= trailing;
            if (digits > 1) {
                snprintf(shorter, sizeof shorter, "%.*e", digits - 2, v);
                assert_true(strtod(shorter, NULL) != v);
            }
        }
    }
}

static void test_number__floats_read_back(void **state)
{
    char text[32];
    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint32_t bits = (uint32_t)rng();
        float v, back;
        memcpy(&v, &bits, 4);
        if (isnan(v))
            continue;
        tsf_float_format(v, text);
        if (isinf(v))
            continue;
        back = strtof(text, NULL);
        assert_memory_equal(&v, &back, 4);
    }
}

static void test_number__parse_rounds_as_strtod(void **state)
{
    static const char *const hard[] = {
        "9007199254740993", "9007199254740992.99999999999999999999999999", "2.2250738585072011e-308", "1.7976931348623158e308",
        "0.500000000000000166533453693773481063544750213623046875", "3.518437208883201171875e13",
        "6.8985865317742005e-308", "1e-400", "123456789012345678901234567890", "0.000000000000000000000000000000000001",
        "8.41e21", "9.5367431640625e-7", "1e23", "1.00000000000000011102230246251565",
    };
    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(hard); i++) {
        double v, want = strtod(hard[i], NULL);
        assert_true(tsf_double_parse(tsf_str(hard[i]), &v));
        assert_memory_equal(&v, &want, 8);
    }
    for (int i = 0; i < 50000; i++) {
        char text[64];
        double v, want;
        snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)(rng() >> (rng() & 63)),
                 (unsigned long long)(rng() >> (rng() & 63)), (int)(rng() % 600) - 300);
        want = strtod(text, NULL);
        if (isinf(want)) {
            assert_false(tsf_double_parse(tsf_str(text), &v));
            continue;
        }
        assert_true(tsf_double_parse(tsf_str(text), &v));
        assert_memory_equal(&v, &want, 8);
    }
    /* A digit far past the 767th still decides a tie. */
    char *big = malloc(2000);
    double v;
    assert_non_null(big);
    memcpy(big, "9007199254740993.", 17);
    memset(big + 17, '0', 1982);
    big[1999] = 0;
    assert_true(tsf_double_parse(tsf_str_n(big, 1999), &v));
    assert_true(v == 9007199254740992.0);
    big[1998] = '1';
    assert_true(tsf_double_parse(tsf_str_n(big, 1999), &v));
    assert_true(v == 9007199254740994.0);
    free(big);
}

/* Decimal parse and rescale against arithmetic on strings of digits. */
static void test_decimal__against_strings(void **state)
{
    (void)state;
    for (int i = 0; i < 50000; i++) {
        char digits[80], text[48], want[80];
        int nd = 1 + (int)(rng() % 37), scale = (int)(rng() % (unsigned)nd), to = (int)(rng() % 38);
        bool neg = rng() & 1, carry, lost = false;
        tsf_int128 v, r;
        int n = 0, keep;

        for (int k = 0; k < nd; k++)
            digits[k] = (char)('0' + (k == 0 && nd > 1 ? 1 + rng() % 9 : rng() % 10));
        if (neg)
            text[n++] = '-';
        for (int k = 0; k < nd; k++) {
            if (k == nd - scale)
                text[n++] = '.';
            text[n++] = digits[k];
        }
        assert_true(tsf_decimal_parse(tsf_str_n(text, (size_t)n), scale, &v));
        char printed[48];
        size_t pn = tsf_decimal_format(v, scale, printed);
        if (!(neg && v == 0)) {
            assert_int_equal(pn, n);
            assert_memory_equal(printed, text, (size_t)n);
        }
        /* expected digits at scale `to` */
        memset(digits + nd, '0', 40);
        keep = nd - scale + to;
        carry = keep < nd && digits[keep] >= '5';
        memcpy(want + 1, digits, (size_t)keep);
        want[0] = '0';
        for (int k = keep; carry; k--) {
            carry = want[k] == '9';
            want[k] = carry ? '0' : (char)(want[k] + 1);
        }
        tsf_int128 exp = 0;
        for (int k = 0; k <= keep; k++) {
            lost |= __builtin_mul_overflow(exp, (tsf_int128)10, &exp);
            lost |= __builtin_add_overflow(exp, (tsf_int128)(want[k] - '0'), &exp);
        }
        lost |= !tsf_decimal_fits(exp, 38);
        assert_int_equal(tsf_decimal_rescale(v, scale, to, &r), !lost);
        if (!lost)
            assert_true(r == (neg ? -exp : exp));
        assert_int_equal(tsf_decimal_parse(tsf_str_n(text, (size_t)n), to, &r), !lost);
        if (!lost)
            assert_true(r == (neg ? -exp : exp));
        assert_true(tsf_decimal_double(v, scale) == strtod(printed, NULL));
    }
}

static void test_decimal__edges(void **state)
{
    tsf_int128 v;
    (void)state;
    assert_true(tsf_decimal_parse(TSF_STR("1e5"), 2, &v));
    assert_true(v == 10000000);
    assert_true(tsf_decimal_parse(TSF_STR("125e-3"), 2, &v));
    assert_true(v == 13);
    assert_true(tsf_decimal_parse(TSF_STR("1e-999999999999"), 2, &v));
    assert_true(v == 0);
    assert_true(tsf_decimal_parse(TSF_STR("0e999999999999"), 2, &v));
    assert_false(tsf_decimal_parse(TSF_STR("1e999999999999"), 2, &v));
    assert_false(tsf_decimal_parse(TSF_STR("100000000000000000000000000000000000000"), 0, &v));
    assert_true(tsf_decimal_parse(TSF_STR("0.99999999999999999999999999999999999999999999"), 3, &v));
    assert_true(v == 1000);
    assert_false(tsf_decimal_parse(TSF_STR(""), 0, &v));
    assert_false(tsf_decimal_parse(TSF_STR("-"), 0, &v));
    assert_false(tsf_decimal_parse(TSF_STR("1.2.3"), 0, &v));
    assert_false(tsf_decimal_parse(TSF_STR("1e"), 0, &v));
}

static void test_value__order(void **state)
{
    struct tsf_value a = { .type = TSF_T(DOUBLE), .u.f64 = (double)NAN }, b = { .type = TSF_T(DOUBLE), .u.f64 = INFINITY };
    (void)state;
    assert_int_equal(tsf_value_cmp(&a, &a), 0);
    assert_true(tsf_value_cmp(&a, &b) > 0);
    a.u.f64 = -0.0;
    b.u.f64 = 0.0;
    assert_int_equal(tsf_value_cmp(&a, &b), 0);
    a = (struct tsf_value){ .type = TSF_T(INTERVAL), .u.iv = { .months = 1 } };
    b = (struct tsf_value){ .type = TSF_T(INTERVAL), .u.iv = { .days = 30 } };
    assert_int_equal(tsf_value_cmp(&a, &b), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value__text_as_postgres),      cmocka_unit_test(test_value__json),
        cmocka_unit_test(test_value__bad_text_is_refused),   cmocka_unit_test(test_number__doubles_read_back),
        cmocka_unit_test(test_number__floats_read_back),     cmocka_unit_test(test_number__parse_rounds_as_strtod),
        cmocka_unit_test(test_decimal__against_strings),     cmocka_unit_test(test_decimal__edges),
        cmocka_unit_test(test_value__order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
