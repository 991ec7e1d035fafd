#include "delta_helper.h"

/* ---- scanner ---- */

static void test_delta_scan__takes_json_and_nothing_else(void **state)
{
    static const char *const bad[] = { "", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{,\"a\":1}", "{\"a\":1,}",
                                       "{\"a\":\"x}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":tru}", "{\"a\":1}x", "[1]", "{\"a\":[1}" };
    static const char *const good[] = { "{}", " { } ", "{\"a\":1}", "{\"a\":[1,{\"b\":[]}],\"c\":null}", "{\"a\":\"\\\"\\\\\\n\"}\r" };
    struct tsf_arena a = TSF_ARENA_INIT;
    struct delta_action act;

    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(bad); i++)
        if (delta_action_parse(tsf_str(bad[i]), &a, &act, NULL) != TSF_ERR_FORMAT && strstr(bad[i], "\\x") == NULL && strstr(bad[i], "\\u") == NULL)
            TEST_FAIL("taken: %s", bad[i]);
    for (size_t i = 0; i < TSF_ARRAY_LEN(good); i++)
        CHECK_OK(delta_action_parse(tsf_str(good[i]), &a, &act, NULL), NULL);
    tsf_arena_release(&a);
}

static void test_delta_scan__deep_nesting_is_refused(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct delta_action act;
    char text[4096] = "{\"a\":";

    (void)state;
    memset(text + 5, '[', 4000);
    CHECK_ERR(delta_action_parse(tsf_str_n(text, 4005), &a, &act, NULL), TSF_ERR_FORMAT);
    tsf_arena_release(&a);
}

static void test_delta_scan__escapes(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct delta_scan s;
    struct tsf_str got;

    (void)state;
    delta_scan_init(&s, TSF_STR("\"plain\""), &a);
    CHECK(delta_scan_string(&s, &got) && tsf_str_eqz(got, "plain"));
    delta_scan_init(&s, TSF_STR("\"a\\\"b\\\\\\/\\t\\u00e9\\u20ac\\ud83d\\ude00\\ud800x and a long tail behind it\""), &a);
    CHECK(delta_scan_string(&s, &got));
    CHECK(tsf_str_eqz(got, "a\"b\\/\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbdx and a long tail behind it"));
    delta_scan_init(&s, TSF_STR("\"\\ud83d\\u0041\""), &a);
    CHECK(delta_scan_string(&s, &got) && tsf_str_eqz(got, "\xef\xbf\xbd" "A"));
    delta_scan_init(&s, TSF_STR("\"\\q\""), &a);
    CHECK(!delta_scan_string(&s, &got) && s.bad);
    tsf_arena_release(&a);
}

/* ---- paths and partition values ---- */

static void test_delta_path__coding_goes_both_ways(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_buf raw = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_str back;
    bool absolute;
    char path[300];

    (void)state;
    for (int c = 1; c < 256; c++) {
        snprintf(path, sizeof path, "x%cy/%%41", c);
        tsf_buf_reset(&raw);
        CHECK_OK(delta_path_encode(tsf_str(path), &raw, &err), &err);
        CHECK_OK(delta_path_decode(tsf_buf_str(&raw), &a, &back, &absolute, &err), &err);
        CHECK(tsf_str_eqz(back, path) && !absolute);
    }
    CHECK_OK(delta_path_decode(TSF_STR("s3://b/x%20y"), &a, &back, &absolute, &err), &err);
    CHECK(absolute && tsf_str_eqz(back, "s3://b/x y"));
    CHECK_OK(delta_path_decode(TSF_STR("t=10:00/x"), &a, &back, &absolute, &err), &err);
    CHECK(!absolute);
    CHECK_OK(delta_path_decode(TSF_STR("file:///a/b"), &a, &back, &absolute, &err), &err);
    CHECK(absolute && tsf_str_eqz(back, "/a/b"));
    CHECK_ERR(delta_path_decode(TSF_STR(""), &a, &back, &absolute, NULL), TSF_ERR_FORMAT);
    tsf_buf_release(&raw);
    tsf_arena_release(&a);
}

static void test_delta_partition__text_goes_both_ways(void **state)
{
    static const struct { const struct tsf_type *type; const char *text, *again; } cases[] = {
        { TSF_T(BOOL), "true", NULL }, { TSF_T(INT8), "-128", NULL }, { TSF_T(INT64), "-9223372036854775808", NULL },
        { TSF_T(DOUBLE), "1.5", NULL }, { TSF_T(DATE), "2026-11-20", NULL }, { TSF_T(DATE), "2026-11-20 00:00:00", "2026-11-20" },
        { TSF_T(TIMESTAMP), "2026-11-20T10:11:12.000001Z", NULL }, { TSF_T(TIMESTAMP), "2026-11-20 10:11:12", "2026-11-20T10:11:12.000000Z" },
        { TSF_T(TIMESTAMP_NTZ), "2026-11-20 10:11:12.500000", NULL }, { TSF_T(STRING), " a b ", NULL },
        { TSF_T(BINARY), "\x01\xc3\xbf", NULL },
    };
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_value v;

    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(cases); i++) {
        tsf_buf_reset(&out);
        CHECK_OK(delta_partition_parse(tsf_str(cases[i].text), cases[i].type, &a, &v, &err), &err);
        CHECK_OK(delta_partition_text(&v, &out, &err), &err);
        CHECK_STR(tsf_buf_cstr(&out), cases[i].again != NULL ? cases[i].again : cases[i].text);
    }
    CHECK_OK(delta_partition_parse(TSF_STR(""), TSF_T(STRING), &a, &v, &err), &err);
    CHECK(v.is_null);
    CHECK_ERR(delta_partition_parse(TSF_STR("128"), TSF_T(INT8), &a, &v, NULL), TSF_ERR_FORMAT);
    CHECK_ERR(delta_partition_parse(TSF_STR("x"), TSF_T(DATE), &a, &v, &err), TSF_ERR_FORMAT);
    CHECK_HAS(err.msg, "\"x\" is no date");
    tsf_buf_release(&out);
    tsf_arena_release(&a);
}

static void test_delta_partition__folder_names_are_escaped(void **state)
{
    static int partition[] = { 0, 1 };
    struct delta_metadata m = { .schema = dh_schema, .n_partition = 2, .partition_fields = partition };
    struct tsf_value v[2] = { { .type = TSF_T(STRING), .u.s = TSF_STR("a/b:c %\xc3\xa9") }, { .type = TSF_T(DATE), .is_null = true } };
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;

    (void)state;
    CHECK_OK(delta_partition_path(&m, v, &out, &err), &err);
    CHECK_STR(tsf_buf_cstr(&out), "p=a%2Fb%3Ac %25\xc3\xa9/d=__HIVE_DEFAULT_PARTITION__");
    CHECK(store_key_ok(tsf_buf_cstr(&out)));
    tsf_buf_release(&out);
}

/* ---- statistics that we write ---- */

static void test_delta_stats__are_cut_without_lying(void **state)
{
    static const struct tsf_field fields[] = {
        { .name = "s", .type = TSF_T(STRING), .nullable = true }, { .name = "m", .type = TSF_T(STRING), .nullable = true },
        { .name = "b", .type = TSF_T(BOOL), .nullable = true },   { .name = "t", .type = TSF_T(TIMESTAMP), .nullable = true },
        { .name = "f", .type = TSF_T(DOUBLE), .nullable = true }, { .name = "q\"", .type = TSF_T(INT32), .nullable = true },
    };
    struct tsf_schema schema = { 6, (struct tsf_field *)(uintptr_t)fields };
    char top[33 * 4 + 1] = "";
    struct parquet_field_stats st[6] = {
        { .null_count = 1, .has_range = true, .min = { .type = TSF_T(STRING), .u.s = TSF_STR("0123456789012345678901234567890123456789") },
          .max = { .type = TSF_T(STRING), .u.s = TSF_STR("012345678901234567890123456789\xc3\xa9\xed\x9f\xbf" "9") } },
        { .null_count = 0, .has_range = true, .min = { .type = TSF_T(STRING), .u.s = TSF_STR("short") },
          .max = { .type = TSF_T(STRING) } },
        { .null_count = 2, .has_range = true, .min = { .type = TSF_T(BOOL) }, .max = { .type = TSF_T(BOOL), .u.b = true } },
        { .null_count = 3, .has_range = true, .min = { .type = TSF_T(TIMESTAMP), .u.i64 = -1 },
          .max = { .type = TSF_T(TIMESTAMP), .u.i64 = 1790000000000001 } },
        { .null_count = 4 },
        { .null_count = 0, .has_range = true, .min = { .type = TSF_T(INT32), .u.i64 = -5 }, .max = { .type = TSF_T(INT32), .u.i64 = 5 } },
    };
    struct parquet_file_info info = { .n_rows = 10, .n_fields = 6, .stats = st };
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;

    (void)state;
    for (int i = 0; i < 33; i++)
        strcat(top, "\xf4\x8f\xbf\xbf"); /* the last code point there is: nothing above it */
    st[1].max.u.s = tsf_str(top);
    CHECK_OK(delta_stats_json(&schema, &info, &out, &err), &err);
    CHECK_STR(tsf_buf_cstr(&out),
              "{\"numRecords\":10,\"minValues\":{\"s\":\"01234567890123456789012345678901\",\"m\":\"short\","
              "\"t\":\"1969-12-31T23:59:59.999999Z\",\"q\\\"\":-5},"
              "\"maxValues\":{\"s\":\"012345678901234567890123456789\xc3\xa9\xee\x80\x80\",\"t\":\"2026-09-21T14:13:20.000001Z\",\"q\\\"\":5},"
              "\"nullCount\":{\"s\":1,\"m\":0,\"b\":2,\"t\":3,\"f\":4,\"q\\\"\":0}}");
    tsf_buf_release(&out);
}

/* ---- deletion vectors ---- */

static void test_delta_dv__inline_example_of_the_protocol(void **state)
{
    struct delta_dv dv = { .storage = 'i', .path_or_inline = TSF_STR("^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"),
                           .offset = -1, .size = 44, .cardinality = 6 };
    static const int64_t want[] = { 3, 4, 7, 11, 18, 29 };
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    int64_t *rows, n;

    (void)state;
    CHECK_OK(delta_dv_read(NULL, &dv, &a, &rows, &n, &err), &err);
    CHECK_MEM(rows, (size_t)n * 8, want, sizeof want);
    dv.cardinality = 5;
    CHECK_ERR(delta_dv_read(NULL, &dv, &a, &rows, &n, NULL), TSF_ERR_FORMAT);
    dv.cardinality = 7;
    CHECK_ERR(delta_dv_read(NULL, &dv, &a, &rows, &n, NULL), TSF_ERR_FORMAT);
    dv.cardinality = 6;
    dv.size = 43;
    CHECK_ERR(delta_dv_read(NULL, &dv, &a, &rows, &n, NULL), TSF_ERR_FORMAT);
    tsf_arena_release(&a);
}

static void put16(uint8_t **p, unsigned v)
{
    tsf_le16_put(*p, (uint16_t)v);
    *p += 2;
}

static void put32(uint8_t **p, uint32_t v)
{
    tsf_le32_put(*p, v);
    *p += 4;
}

/* An array, a run and a bitmap container, in the second 32-bit bitmap. */
static void test_delta_dv__all_kinds_of_containers(void **state)
{
    uint8_t bytes[9000] = { 0 }, *p = bytes;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    int64_t *rows, n;

    (void)state;
    put32(&p, 1681511377);
    tsf_le64_put(p, 1);
    p += 8;
    put32(&p, 1);
    put32(&p, 12347 | 2 << 16); /* three containers, run flags follow */
    *p++ = 2;
    put16(&p, 0), put16(&p, 1);     /* array of 2 */
    put16(&p, 1), put16(&p, 99);    /* run of 100 */
    put16(&p, 9), put16(&p, 4999);  /* bitmap of 5000 */
    put16(&p, 7), put16(&p, 65535);
    put16(&p, 1), put16(&p, 10), put16(&p, 99);
    memset(p, 0xff, 625);
    p += 8192;
    CHECK_OK(delta_dv_decode(bytes, (size_t)(p - bytes), 5102, &a, &rows, &n, &err), &err);
    CHECK_INT(n, 5102);
    CHECK_INT(rows[0], (1LL << 32) + 7);
    CHECK_INT(rows[1], (1LL << 32) + 65535);
    CHECK_INT(rows[2], (1LL << 32) + 65536 + 10);
    CHECK_INT(rows[101], (1LL << 32) + 65536 + 109);
    CHECK_INT(rows[102], (1LL << 32) + 9 * 65536);
    CHECK_INT(rows[5101], (1LL << 32) + 9 * 65536 + 4999);
    for (size_t cut = 0; cut < (size_t)(p - bytes); cut += 7)
        CHECK_ERR(delta_dv_decode(bytes, cut, 5102, &a, &rows, &n, NULL), TSF_ERR_FORMAT);
    CHECK_ERR(delta_dv_decode(bytes, (size_t)(p - bytes), INT64_MAX / 16, &a, &rows, &n, NULL), TSF_ERR_FORMAT);
    tsf_arena_release(&a);
}

static void test_delta_dv__file_with_checksum(void **state)
{
    struct delta_dv dv = { .storage = 'u', .path_or_inline = TSF_STR("ab^-aqEH.-t@S}K{vb[*k^"), .offset = 1, .size = 33, .cardinality = 10 };
    struct store *s = dh_store();
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    /* version 1, big-endian size, run container 1: 3 to 12 of key 1, crc32 */
    uint8_t file[1 + 4 + 33 + 4] = { 1, 0, 0, 0, 33 }, *p = file + 5;
    const char *key = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
    int64_t *rows, n;

    (void)state;
    put32(&p, 1681511377);
    tsf_le64_put(p, 1);
    p += 8;
    put32(&p, 0);
    put32(&p, 12347);
    *p++ = 1;
    put16(&p, 0), put16(&p, 9);
    put16(&p, 1), put16(&p, 3), put16(&p, 9);
    dv.size = p - (file + 5);
    file[4] = (uint8_t)dv.size;
    CHECK_ERR(delta_dv_read(s, &dv, &a, &rows, &n, NULL), TSF_ERR_NOT_FOUND);
    CHECK_OK(store_put(s, key, file, (size_t)(p + 4 - file), true, &err), &err);
    CHECK_ERR(delta_dv_read(s, &dv, &a, &rows, &n, &err), TSF_ERR_FORMAT);
    CHECK_HAS(err.msg, "checksum");
    store_free(s);
    tsf_arena_release(&a);
}

TEST_MAIN(TEST(test_delta_scan__takes_json_and_nothing_else), TEST(test_delta_scan__deep_nesting_is_refused),
          TEST(test_delta_scan__escapes), TEST(test_delta_path__coding_goes_both_ways), TEST(test_delta_partition__text_goes_both_ways),
          TEST(test_delta_partition__folder_names_are_escaped), TEST(test_delta_stats__are_cut_without_lying),
          TEST(test_delta_dv__inline_example_of_the_protocol), TEST(test_delta_dv__all_kinds_of_containers),
          TEST(test_delta_dv__file_with_checksum))
