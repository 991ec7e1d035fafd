/* Types and schemas: Delta's JSON both ways, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "column/column.h"

#include <stdlib.h>

static const char schema_json[] =
    "{\"type\":\"struct\",\"fields\":["
    "{\"name\":\"s\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"l\",\"type\":\"long\",\"nullable\":false,\"metadata\":{}},"
    "{\"name\":\"i\",\"type\":\"integer\",\"nullable\":true,\"metadata\":{\"comment\":\"x \\\"y\\\"\",\"n\":{\"a\":[1,2.5]}}},"
    "{\"name\":\"h\",\"type\":\"short\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"b\",\"type\":\"byte\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"f\",\"type\":\"float\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"d\",\"type\":\"double\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"n\",\"type\":\"decimal(12,3)\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"t\",\"type\":\"boolean\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"x\",\"type\":\"binary\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"day\",\"type\":\"date\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"ts\",\"type\":\"timestamp\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"nz\",\"type\":\"timestamp_ntz\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"j\",\"type\":\"string\",\"nullable\":true,\"metadata\":{\"tsf.type\":\"json\"}},"
    "{\"name\":\"m\",\"type\":\"string\",\"nullable\":true,\"metadata\":{\"delta.columnMapping.id\":7,"
    "\"delta.columnMapping.physicalName\":\"col-7\"}},"
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"elementType\":\"string\",\"containsNull\":false},\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"o\",\"type\":{\"type\":\"struct\",\"fields\":[{\"name\":\"k\",\"type\":{\"type\":\"map\",\"keyType\":\"string\","
    "\"valueType\":\"long\",\"valueContainsNull\":true},\"nullable\":true,\"metadata\":{}}]},\"nullable\":true,\"metadata\":{}}]}";

static void test_schema__delta_both_ways(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT, b = TSF_ARENA_INIT;
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_schema s, copy;
    (void)state;

    if (tsf_schema_from_delta(TSF_STR(schema_json), &a, &s, &err) != TSF_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(s.n_fields, 17);
    assert_false(s.fields[1].nullable);
    assert_true(tsf_type_eq(s.fields[7].type, tsf_type_decimal(12, 3)));
    assert_ptr_equal(s.fields[13].type, &tsf_type_json);
    assert_int_equal(s.fields[14].field_id, 7);
    assert_string_equal(s.fields[14].physical, "col-7");
    assert_int_equal(s.fields[0].field_id, -1);
    assert_int_equal(s.fields[15].type->id, TSF_TYPE_LIST);
    assert_false(s.fields[15].type->children[0].nullable);
    assert_int_equal(s.fields[16].type->children[0].type->id, TSF_TYPE_MAP);
    assert_int_equal(tsf_schema_copy(&s, &b, &copy, &err), TSF_OK);
    tsf_arena_release(&a);
    assert_int_equal(tsf_schema_to_delta(&copy, &out, &err), TSF_OK);
    assert_string_equal(tsf_buf_cstr(&out), schema_json);
    tsf_buf_release(&out);
    tsf_arena_release(&b);
}

static void test_schema__members_become_metadata(void **state)
{
    struct tsf_field f[2] = {
        { .name = "j", .type = &tsf_type_json, .nullable = true, .field_id = -1 },
        { .name = "c\"d", .type = TSF_T(INT64), .nullable = true, .field_id = 3, .physical = "p", .metadata = "{\"x\":1}" },
    };
    struct tsf_schema s = { 2, f };
    struct tsf_buf out = TSF_BUF_INIT(0);
    (void)state;

    assert_int_equal(tsf_schema_to_delta(&s, &out, NULL), TSF_OK);
    assert_string_equal(tsf_buf_cstr(&out),
                        "{\"type\":\"struct\",\"fields\":[{\"name\":\"j\",\"type\":\"string\",\"nullable\":true,"
                        "\"metadata\":{\"tsf.type\":\"json\"}},{\"name\":\"c\\\"d\",\"type\":\"long\",\"nullable\":true,"
                        "\"metadata\":{\"x\":1,\"delta.columnMapping.id\":3,\"delta.columnMapping.physicalName\":\"p\"}}]}");
    tsf_buf_release(&out);
}

static void expect_error(const char *json, enum tsf_err want, const char *words)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_schema s;

    assert_int_equal(tsf_schema_from_delta(tsf_str(json), &a, &s, &err), want);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
    tsf_arena_release(&a);
}

static void test_schema__errors_name_the_column(void **state)
{
    (void)state;
    expect_error("{\"type\":\"struct\",\"fields\":[{\"name\":\"v\",\"type\":\"variant\"}]}", TSF_ERR_UNSUPPORTED,
                 "column \"v\": type \"variant\"");
    expect_error("{\"type\":\"struct\",\"fields\":[{\"name\":\"o\",\"type\":{\"type\":\"struct\",\"fields\":"
                 "[{\"name\":\"i\",\"type\":\"interval day to second\"}]}}]}", TSF_ERR_UNSUPPORTED, "interval day to second");
    expect_error("{\"type\":\"struct\",\"fields\":[{\"name\":\"n\",\"type\":\"decimal(39,0)\"}]}", TSF_ERR_FORMAT, "decimal(39,0)");
    expect_error("{\"type\":\"struct\",\"fields\":[{\"type\":\"long\"}]}", TSF_ERR_FORMAT, "no name");
    expect_error("{\"type\":\"struct\"}", TSF_ERR_FORMAT, "fields");
    expect_error("[1]", TSF_ERR_FORMAT, "not a struct");
    expect_error("{\"type\":", TSF_ERR_FORMAT, "schema");
    expect_error("", TSF_ERR_FORMAT, "schema");
}

static void test_schema__depth_is_bounded(void **state)
{
    struct tsf_buf json = TSF_BUF_INIT(0);
    (void)state;

    assert_int_equal(tsf_buf_append_z(&json, "{\"type\":\"struct\",\"fields\":[{\"name\":\"x\",\"type\":", NULL), TSF_OK);
    for (int i = 0; i < 60; i++)
        assert_int_equal(tsf_buf_append_z(&json, "{\"type\":\"array\",\"elementType\":", NULL), TSF_OK);
    assert_int_equal(tsf_buf_append_z(&json, "\"long\"", NULL), TSF_OK);
    for (int i = 0; i < 60; i++)
        assert_int_equal(tsf_buf_append_z(&json, "}", NULL), TSF_OK);
    assert_int_equal(tsf_buf_append_z(&json, "}]}", NULL), TSF_OK);
    expect_error(tsf_buf_cstr(&json), TSF_ERR_UNSUPPORTED, "deeper than 32");
    tsf_buf_release(&json);
}

static void test_type__names(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    const struct tsf_type *t;
    (void)state;

    assert_int_equal(tsf_type_from_delta(TSF_STR("decimal"), &t, NULL), TSF_OK);
    assert_ptr_equal(t, tsf_type_decimal(10, 0));
    assert_int_equal(tsf_type_from_delta(TSF_STR("decimal( 5 , 2 )"), &t, NULL), TSF_OK);
    assert_ptr_equal(t, tsf_type_decimal(5, 2));
    assert_int_equal(tsf_type_from_delta(TSF_STR("decimal(5,2)x"), &t, NULL), TSF_ERR_FORMAT);
    assert_int_equal(tsf_type_from_delta(TSF_STR("void"), &t, NULL), TSF_ERR_UNSUPPORTED);
    assert_null(tsf_type_decimal(0, 0));
    assert_null(tsf_type_decimal(5, 6));
    assert_int_equal(tsf_type_decimal(38, 38)->scale, 38);
    assert_string_equal(tsf_type_sql_name(tsf_type_decimal(10, 2), &a), "numeric(10,2)");
    assert_string_equal(tsf_type_sql_name(tsf_type_list(&a, TSF_T(STRING), true), &a), "text[]");
    assert_string_equal(tsf_type_sql_name(TSF_T(TIMESTAMP), &a), "timestamp with time zone");
    assert_string_equal(tsf_type_sql_name(&tsf_type_json, &a), "jsonb");
    for (int i = 0; i < TSF_TYPE_COUNT; i++)
        assert_int_equal(tsf_types[i].id, i);
    tsf_arena_release(&a);
}

static void test_schema__find(void **state)
{
    struct tsf_field f[3] = { { .name = "Level" }, { .name = "level" }, { .name = "Body" } };
    struct tsf_schema s = { 3, f };
    (void)state;

    assert_int_equal(tsf_schema_find(&s, TSF_STR("level")), 1);
    assert_int_equal(tsf_schema_find(&s, TSF_STR("LEVEL")), 0);
    assert_int_equal(tsf_schema_find(&s, TSF_STR("body")), 2);
    assert_int_equal(tsf_schema_find(&s, TSF_STR("bod")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema__delta_both_ways),      cmocka_unit_test(test_schema__members_become_metadata),
        cmocka_unit_test(test_schema__errors_name_the_column), cmocka_unit_test(test_schema__depth_is_bounded),
        cmocka_unit_test(test_type__names),                  cmocka_unit_test(test_schema__find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
