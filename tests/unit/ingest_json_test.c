/* Rows: conversions, nesting, escapes, what is refused and why. Every case runs through each of the parsers. */
#include "ingest_test.h"

#define WIDE "timestamp timestamp; ntz timestamp_ntz; d date; b boolean; i8 byte; i16 short; i32 integer; i64 long; f float; g double; " \
             "dec decimal(10,2); s string; bin binary; js json; l long[]; ls string[]; a___b string; a___c___d integer"

struct parse_case {
    const char *in, *out;
};

static void cases_run(struct table *t, const struct ingest_options *o, const struct parse_case *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int simd = TSF_SIMD_SCALAR; simd <= (int)tsf_simd_level(); simd++) {
            char *got = ingest_test_parse(t, o, (enum tsf_simd)simd, c[i].in, strlen(c[i].in));
            got[strlen(got) ? strlen(got) - 1 : 0] = 0; /* the last newline */
            if (strcmp(got, c[i].out) != 0)
                TEST_FAIL("parser %d on %s\n gives %s\n  want %s", simd, c[i].in, got, c[i].out);
            free(got);
        }
}

#define RUN(t, ...)                                                                                                    \
    do {                                                                                                               \
        const struct parse_case cases_[] = { __VA_ARGS__ };                                                            \
        const struct ingest_options o_ = { .max_rejects = -1 };                                                        \
        cases_run(t, &o_, cases_, TSF_ARRAY_LEN(cases_));                                                              \
    } while (0)

static void test_ingest_json__numbers(void **state)
{
    struct table t;

    (void)state;
    ingest_test_table(&t, WIDE);
    RUN(&t, { "{\"i64\":9223372036854775807}", "{\"i64\":9223372036854775807}" },
        { "{\"i64\":-9223372036854775808}", "{\"i64\":-9223372036854775808}" },
        { "{\"i64\":9223372036854775808}", "1: column i64: \"9223372036854775808\" is not an integer of the column's range" },
        { "{\"i64\":\"17\"}", "{\"i64\":17}" }, { "{\"i64\":2e2}", "{\"i64\":200}" }, { "{\"i64\":200.0}", "{\"i64\":200}" },
        { "{\"i64\":0.5}", "1: column i64: \"0.5\" is not an integer of the column's range" },
        { "{\"i64\":01}", "1: column i64: a number with a leading zero" }, { "{\"i64\":-}", "1: column i64: not a JSON value" },
        { "{\"i64\":-0}", "{\"i64\":0}" }, { "{\"i64\":true}", "1: column i64: a boolean where bigint is wanted" },
        { "{\"i64\":{}}", "1: column i64: an object where a single value is wanted" },
        { "{\"i8\":127,\"i16\":-32768,\"i32\":2147483647}", "{\"i8\":127,\"i16\":-32768,\"i32\":2147483647}" },
        { "{\"i8\":128}", "1: column i8: \"128\" is not within the column's range" },
        { "{\"i32\":-2147483649}", "1: column i32: \"-2147483649\" is not within the column's range" },
        { "{\"g\":0.1}", "{\"g\":0.1}" }, { "{\"g\":1e308}", "{\"g\":1e+308}" }, { "{\"g\":\"2.5\"}", "{\"g\":2.5}" },
        { "{\"g\":123456789.123456789}", "{\"g\":123456789.12345679}" }, { "{\"g\":-12.25}", "{\"g\":-12.25}" },
        { "{\"g\":1.}", "1: column g: a number without digits behind the point" }, { "{\"f\":1.5}", "{\"f\":1.5}" },
        { "{\"f\":1e39}", "1: column f: \"1e39\" is not within the column's range" },
        { "{\"dec\":12345678.91}", "{\"dec\":12345678.91}" }, { "{\"dec\":\"-0.05\"}", "{\"dec\":-0.05}" },
        { "{\"dec\":123456789.5}", "1: column dec: \"123456789.5\" is not within the column's range" },
        { "{\"b\":true}", "{\"b\":true}" }, { "{\"b\":\"false\"}", "{\"b\":false}" }, { "{\"b\":1}", "{\"b\":true}" },
        { "{\"b\":2}", "1: column b: \"2\" is not a boolean" });
    tsf_arena_release(&t.arena);
}

static void test_ingest_json__times(void **state)
{
    struct table t;

    (void)state;
    ingest_test_table(&t, WIDE);
    RUN(&t, { "{\"timestamp\":\"2026-11-20T10:11:12.123456789+02:00\"}", "{\"timestamp\":\"2026-11-20T08:11:12.123456Z\"}" },
        { "{\"timestamp\":1763632800}", "{\"timestamp\":\"2025-11-20T10:00:00Z\"}" },
        { "{\"timestamp\":1763632800123}", "{\"timestamp\":\"2025-11-20T10:00:00.123Z\"}" },
        { "{\"timestamp\":1763632800123456}", "{\"timestamp\":\"2025-11-20T10:00:00.123456Z\"}" },
        { "{\"timestamp\":1763632800123456789}", "{\"timestamp\":\"2025-11-20T10:00:00.123456Z\"}" },
        { "{\"timestamp\":1763632800.25}", "{\"timestamp\":\"2025-11-20T10:00:00.25Z\"}" },
        { "{\"timestamp\":\"1763632800123\"}", "{\"timestamp\":\"2025-11-20T10:00:00.123Z\"}" },
        { "{\"timestamp\":\"soon\"}", "1: column timestamp: \"soon\" is not a time" },
        { "{\"d\":\"2026-11-20\"}", "{\"d\":\"2026-11-20\"}" }, { "{\"d\":20000}", "{\"d\":\"2024-10-04\"}" },
        { "{\"d\":\"2026-11-20T23:00:00Z\"}", "{\"d\":\"2026-11-20\"}" }, { "{\"d\":1763632800}", "{\"d\":\"2025-11-20\"}" },
        { "{\"ntz\":\"2026-11-20 10:00:00\"}", "{\"ntz\":\"2026-11-20T10:00:00\"}" });
    tsf_arena_release(&t.arena);
}

static void test_ingest_json__text(void **state)
{
    struct table t;

    (void)state;
    ingest_test_table(&t, WIDE);
    RUN(&t, { "{\"s\":\"\"}", "{\"s\":\"\"}" }, { "{\"s\":12.50}", "{\"s\":\"12.50\"}" }, { "{\"s\":true}", "{\"s\":\"true\"}" },
        { "{\"s\":null}", "{}" }, { "{\"s\":{\"x\": [1]}}", "{\"s\":\"{\\\"x\\\": [1]}\"}" },
        { "{\"s\":\"a\\n\\\"\\u00e9\\ud83d\\ude00\"}", "{\"s\":\"a\\n\\\"\xc3\xa9\xf0\x9f\x98\x80\"}" },
        { "{\"s\":\"\\ud83d\"}", "1: column s: half a surrogate pair: \\ud83d" },
        { "{\"s\":\"\\x\"}", "1: column s: an unknown escape in a string" },
        { "{\"s\":\"a", "1: column s: the string has no end" }, { "{\"s\":\"a\tb\"}", "1: column s: a control character in a string" },
        { "{\"s\":\"\xff\"}", "1: column s: invalid UTF-8" }, { "{\"s\":\"\xed\xa0\x80\"}", "1: column s: invalid UTF-8" },
        { "{\"s\":\"a long string that does not fit a view \xe2\x87\x92 at all, so that several words are read\"}",
          "{\"s\":\"a long string that does not fit a view \xe2\x87\x92 at all, so that several words are read\"}" },
        { "{\"bin\":\"aGVsbG8=\"}", "{\"bin\":\"68656c6c6f\"}" }, { "{\"bin\":\"hello\"}", "{\"bin\":\"68656c6c6f\"}" },
        { "{\"js\":{\"a\": 1}}", "{\"js\":{\"a\": 1}}" }, { "{\"js\":\"{\\\"a\\\":[1]}\"}", "{\"js\":{\"a\":[1]}}" },
        { "{\"js\":\"x\\ny\"}", "{\"js\":\"x\\ny\"}" }, { "{\"js\":\"{a\"}", "{\"js\":\"{a\"}" }, { "{\"js\":1.0}", "{\"js\":1.0}" },
        { "{\"js\":[1,]}", "1: column js: not a JSON value" }, { "{\"l\":[1,\"2\",null]}", "{\"l\":[1,2,null]}" },
        { "{\"l\":5}", "{\"l\":[5]}" }, { "{\"l\":[]}", "{\"l\":[]}" }, { "{\"l\":[1,\"x\"]}\n{\"l\":[7]}",
          "{\"l\":[7]}\n1: column l: \"x\" is not an integer of the column's range" },
        { "{\"ls\":[\"a\",{\"b\":1},[2]]}", "{\"ls\":[\"a\",\"{\\\"b\\\":1}\",\"[2]\"]}" });
    tsf_arena_release(&t.arena);
}

static void test_ingest_json__rows(void **state)
{
    struct table t;

    (void)state;
    ingest_test_table(&t, WIDE);
    RUN(&t, { "", "" }, { " \r\n\n", "" }, { "{}", "{}" }, { " { \"i64\" : 1 , \"s\" : \"x\" } \r\n", "{\"i64\":1,\"s\":\"x\"}" },
        { "\xef\xbb\xbf{\"i64\":1}", "{\"i64\":1}" }, { "[1]", "1: an array; rows are JSON objects, one per line" },
        { "x", "1: not a JSON object" }, { "{\"i64\":1}x", "1: something follows the object" },
        { "{\"i64\":1,}", "1: a key must be a string" }, { "{\"i64\" 1}", "1: no colon after a key" },
        { "{\"i64\":1 \"s\":2}", "1: no comma or brace after a member" }, { "{\"i64\":1", "1: no comma or brace after a member" },
        { "{\"i64\":1,\"i64\":2,\"i64\":3}", "{\"i64\":3}" }, { "{\"i64\":1,\"i64\":null}", "{}" },
        { "{\"i64\":1,\"i64\":\"x\"}\n{\"s\":\"y\"}", "{\"s\":\"y\"}\n1: column i64: \"x\" is not an integer of the column's range" },
        { "{\"l\":[1,2],\"l\":[3]}", "{\"l\":[3]}" }, { "{\"\\u0069\\u00364\":1}", "{\"i64\":1}" },
        { "{\"a\":{\"b\":\"x\",\"c\":{\"d\":7}}}", "{\"a___b\":\"x\",\"a___c___d\":7}" },
        { "{\"a.b\":\"x\",\"a\":{\"c.d\":7}}", "{\"a___b\":\"x\",\"a___c___d\":7}" },
        { "{\"a___b\":\"x\",\"a\":{\"c___d\":7}}", "{\"a___b\":\"x\",\"a___c___d\":7}" },
        { "{\"i64\":1}\n{\"s\":\"x\"}\n{\"i64\":3,\"s\":\"y\"}", "{\"i64\":1}\n{\"s\":\"x\"}\n{\"i64\":3,\"s\":\"y\"}" });
    tsf_arena_release(&t.arena);
}

static void test_ingest_json__unknown_keys(void **state)
{
    struct table t;

    (void)state;
    ingest_test_table(&t, "id long; attributes json; attributes___http___method string; r___s string");
    RUN(&t, { "{\"x\":1,\"y\":[2]}", "{\"attributes\":{\"x\":1,\"y\":[2]}}" },
        { "{\"x\":1,\"attributes\":{\"a\":2} }", "{\"attributes\":{\"a\":2,\"x\":1}}" },
        { "{\"attributes\":{},\"x\":\"\\u00e9\"}", "{\"attributes\":{\"x\":\"\\u00e9\"}}" },
        { "{\"attributes\":7,\"x\":1}", "{\"attributes\":{\"attributes\":7,\"x\":1}}" },
        { "{\"attributes\":{\"http\":{\"method\":\"GET\"},\"b\":1}}",
          "{\"attributes\":{\"http\":{\"method\":\"GET\"},\"b\":1},\"attributes___http___method\":\"GET\"}" },
        { "{\"attributes\":{\"http.method\":\"GET\"}}", "{\"attributes\":{\"http.method\":\"GET\"},\"attributes___http___method\":\"GET\"}" },
        { "{\"r\":{\"s\":\"a\",\"t\":1}}", "{\"attributes\":{\"r.t\":1},\"r___s\":\"a\"}" }, { "{\"r\":5}", "{\"attributes\":{\"r\":5}}" },
        { "{\"x\":tru}", "1: not a JSON value" });
    tsf_arena_release(&t.arena);
}

static void test_ingest_json__what_must_be_there(void **state)
{
    struct ingest_options bound = { .max_rejects = -1, .project = "p1" };
    const char *in = "{\"id\":1,\"timestamp\":0}\n{\"id\":2,\"timestamp\":0,\"project_id\":\"p1\"}\n"
                     "{\"id\":3,\"timestamp\":0,\"project_id\":\"p2\"}\n";
    struct table t;
    char *got;

    (void)state;
    ingest_test_table(&t, "date date!; timestamp timestamp; id long!; project_id string");
    RUN(&t, { "{\"id\":1,\"timestamp\":0}", "{\"timestamp\":\"1970-01-01T00:00:00Z\",\"id\":1}" },
        { "{\"timestamp\":0}", "1: column id: no value, and it is NOT NULL" },
        { "{\"id\":null,\"timestamp\":0}", "1: column id: no value, and it is NOT NULL" },
        { "{\"id\":1}", "1: column date: no value, and no time to take it from" },
        { "{\"id\":1,\"date\":\"2026-01-01\"}", "{\"date\":\"2026-01-01\",\"id\":1}" });
    got = ingest_test_parse(&t, &bound, TSF_SIMD_SCALAR, in, strlen(in));
    CHECK_STR(got, "{\"timestamp\":\"1970-01-01T00:00:00Z\",\"id\":1,\"project_id\":\"p1\"}\n"
                   "{\"timestamp\":\"1970-01-01T00:00:00Z\",\"id\":2,\"project_id\":\"p1\"}\n"
                   "3: column project_id: \"p2\" is not the project that this run is bound to\n");
    free(got);
    tsf_arena_release(&t.arena);
}

/* Strings of every length up to two vectors, ending in something that each parser must see. */
static void test_ingest_json__parsers_agree_on_every_length(void **state)
{
    static const char *const tails[] = { "", "\\n", "\xc3\xa9", "\xff", "\x01", "\\", "\\\"x" };
    const struct ingest_options o = { .max_rejects = -1 };
    struct table t;

    (void)state;
    ingest_test_table(&t, WIDE);
    for (int n = 0; n < 130; n++)
        for (size_t k = 0; k < TSF_ARRAY_LEN(tails); k++) {
            char text[512], *want;
            int len = snprintf(text, sizeof text, "{\"s\":\"%.*s%s\",\"js\":[\"%.*s%s\"]}\n{\"i64\":7}", n,
                               "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrs"
                               "tuvwxyz0123456789abcdefghijklmnopqrstuvwxyz", tails[k], n / 2,
                               "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~", tails[k]);
            want = ingest_test_parse(&t, &o, TSF_SIMD_SCALAR, text, (size_t)len);
            CHECK_HAS(want, "{\"i64\":7}");
            CHECK_INT(strstr(want, "1: ") != NULL, k >= 3 && k <= 5);
            for (int simd = TSF_SIMD_AVX2; simd <= (int)tsf_simd_level(); simd++) {
                char *got = ingest_test_parse(&t, &o, (enum tsf_simd)simd, text, (size_t)len);
                CHECK_STR(got, want);
                free(got);
            }
            free(want);
        }
    tsf_arena_release(&t.arena);
}

TEST_MAIN(TEST(test_ingest_json__parsers_agree_on_every_length), TEST(test_ingest_json__numbers), TEST(test_ingest_json__times), TEST(test_ingest_json__text), TEST(test_ingest_json__rows),
          TEST(test_ingest_json__unknown_keys), TEST(test_ingest_json__what_must_be_there))
