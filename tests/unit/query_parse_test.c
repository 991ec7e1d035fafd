/* Text before the grammar: parameters, offsets, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "query/query_bind.h"

static const char *const names[] = { NULL, "svc", "a", "x", "x4", "x5", "x6", "x7", "x8", "z" };
static const char *const values[] = { "1", "2", "3", "4", "5", "6", "7", "8", "9", "10" };
static const struct query_options options = { .n_params = 10, .param_names = names, .param_values = values };

static void expect_text(const char *sql, const char *want)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct query_parsed p;
    if (query_parse(&options, sql, &a, &p, &err) != TSF_OK)
        fail_msg("%s: %s", sql, err.msg);
    assert_string_equal(p.text, want);
    tsf_arena_release(&a);
}

static void expect_error(const char *sql, const char *sqlstate, int64_t offset)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct query_parsed p;
    assert_int_not_equal(query_parse(&options, sql, &a, &p, &err), TSF_OK);
    assert_string_equal(err.sqlstate, sqlstate);
    assert_int_equal(err.offset, offset);
    tsf_arena_release(&a);
}

static void test_query_parse__named_parameters_become_positional(void **state)
{
    (void)state;
    expect_text("SELECT :svc, :a::int", "SELECT $2  , $3::int");
    expect_text("SELECT :z, 1", "SELECT $10, 1");
    expect_error("SELECT :nosuch", "42601", 7);
}

static void test_query_parse__quotes_hide_parameters(void **state)
{
    (void)state;
    static const char *const same[] = {
        "SELECT ':svc', \":a\" FROM t", "SELECT E'\\':svc'", "SELECT $$:svc$$", "SELECT $t$ :a $t$", "SELECT 1 -- :svc",
        "SELECT /* :a /* :a */ :a */ 1", "SELECT 'it''s :a'", "SELECT x::a", "SELECT E'x'\n'\\':a'", "SELECT U&':a'",
    };
    for (size_t i = 0; i < TSF_ARRAY_LEN(same); i++)
        expect_text(same[i], same[i]);
}

static void test_query_parse__errors_point_into_the_users_text(void **state)
{
    (void)state;
    expect_error("selec 1", "42601", 0);
    expect_error("select 1 +", "42601", 10);
    expect_error("select :a, fro m,", "42601", 17);
    expect_error("select '\xc3\xbc\xc3\xb1', 1 +", "42601", 18);
    expect_error("select :z, :z, 1 +", "42601", 18); /* $10 is longer than :z */
    expect_error("select 'x", "42601", 7);
}

static char *repeat(const char *head, const char *unit, int n, const char *tail)
{
    size_t lu = strlen(unit), lh = strlen(head);
    char *z = malloc(lh + lu * (size_t)n + strlen(tail) + 1);
    assert_non_null(z);
    memcpy(z, head, lh);
    for (int i = 0; i < n; i++)
        memcpy(z + lh + lu * (size_t)i, unit, lu);
    strcpy(z + lh + lu * (size_t)n, tail);
    return z;
}

static void test_query_parse__deep_nesting_is_refused(void **state)
{
    static const struct { const char *head, *unit, *tail; } cases[] = {
        { "select ", "1+", "1" }, { "select ", "- ", "a" }, { "select ", "not ", "a" }, { "select ", "(", "1" },
        { "select ", "f(", "1" }, { "select a", "::int", "" }, { "select 1 ", "union select 1 ", "" },
        { "select ", "case when a then ", "1" }, { "select a", " is null", "" }, { "select ", "array[", "" },
        { "select * from a", " join b on true", "" }, { "select 1 and ", "not ", "a" },
    };
    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(cases); i++) {
        struct tsf_arena a = TSF_ARENA_INIT;
        struct tsf_error err = TSF_ERROR_INIT;
        struct query_parsed p;
        char *sql = repeat(cases[i].head, cases[i].unit, 20000, cases[i].tail);
        assert_int_not_equal(query_parse(&options, sql, &a, &p, &err), TSF_OK);
        if (strcmp(err.sqlstate, "54001") != 0)
            fail_msg("%s...: %s %s", cases[i].unit, err.sqlstate, err.msg);
        free(sql);
        tsf_arena_release(&a);
    }
}

static void test_query_parse__long_flat_lists_are_fine(void **state)
{
    static const struct { const char *head, *unit, *tail; } cases[] = {
        { "select a in (", "1,", "1)" }, { "select ", "a = 1 or ", "b" }, { "select ", "-1,", "1" }, { "", "select 1;", "" },
        { "values ", "(1, -2), ", "(3, 4)" }, { "select ", "case when a then 1 end, ", "1" },
    };
    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(cases); i++) {
        struct tsf_arena a = TSF_ARENA_INIT;
        struct tsf_error err = TSF_ERROR_INIT;
        struct query_parsed p;
        char *sql = repeat(cases[i].head, cases[i].unit, 5000, cases[i].tail);
        if (query_parse(&options, sql, &a, &p, &err) != TSF_OK)
            fail_msg("%s...: %s", cases[i].unit, err.msg);
        free(sql);
        tsf_arena_release(&a);
    }
}

static void test_query_statement_length__ends_behind_the_semicolon(void **state)
{
    (void)state;
    assert_int_equal(query_statement_length("select 1; select 2"), 9);
    assert_int_equal(query_statement_length("select ';' /* ; */ -- ;\n, $$;$$;x"), 32);
    assert_int_equal(query_statement_length("select 1"), 8);
    assert_int_equal(query_statement_length("select (1;2)"), 12);
    assert_int_equal(query_statement_length(""), 0);
}

static void test_query_parse__text_has_a_ceiling(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct query_parsed p;
    char *sql = repeat("select 1", " ", QUERY_TEXT_MAX, "");
    (void)state;
    assert_int_not_equal(query_parse(&options, sql, &a, &p, &err), TSF_OK);
    assert_string_equal(err.sqlstate, "54000");
    free(sql);
    tsf_arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_parse__named_parameters_become_positional),
        cmocka_unit_test(test_query_parse__quotes_hide_parameters),
        cmocka_unit_test(test_query_parse__errors_point_into_the_users_text),
        cmocka_unit_test(test_query_parse__deep_nesting_is_refused),
        cmocka_unit_test(test_query_parse__long_flat_lists_are_fine),
        cmocka_unit_test(test_query_statement_length__ends_behind_the_semicolon),
        cmocka_unit_test(test_query_parse__text_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
