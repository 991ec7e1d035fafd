/* From SQL to the optimized plan, as EXPLAIN shows it, and the errors on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "query_fake.h"

#define NOW 1795176000000000 /* 2026-11-20 12:00 UTC */

static const char *const param_names[] = { NULL, "svc" };
static const char *const param_values[] = { "7", "api" };

/* Plan text into out, or the error. */
static enum tsf_err explain(const char *project, const char *sql, struct tsf_buf *out, struct tsf_error *err)
{
    struct query_options options = { .project = project, .n_params = 2, .param_names = param_names, .param_values = param_values };
    struct query_session *s = NULL;
    struct tsf_arena tree = TSF_ARENA_INIT;
    struct query_parsed parsed;
    struct query_plan plan = { 0 };
    struct query_insert insert;
    enum tsf_err rc;
    fake_init();
    assert_int_equal(query_session_new(&options, &s, err), TSF_OK);
    s->lookup = fake_lookup;
    if ((rc = query_parse(&s->opts, sql, &tree, &parsed, err)) == TSF_OK) {
        const PgQuery__Node *n = parsed.tree->stmts[0]->stmt;
        if (n->node_case == PG_QUERY__NODE__NODE_INSERT_STMT) {
            rc = query_bind_insert(s, n->insert_stmt, NOW, &insert, err);
            plan = insert.plan;
        } else {
            rc = query_bind(s, n->select_stmt, NOW, &plan, err);
        }
        if (rc == TSF_OK && (rc = query_optimize(s, &plan, &s->stmt, err)) == TSF_OK)
            rc = query_explain(&plan, false, out, err);
    }
    query_session_free(s);
    tsf_arena_release(&tree);
    return rc;
}

static void expect_plan(const char *sql, const char *want)
{
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;
    if (explain(NULL, sql, &out, &err) != TSF_OK)
        fail_msg("%s: %s %s", sql, err.sqlstate, err.msg);
    if (strcmp(tsf_buf_cstr(&out), want) != 0)
        fail_msg("%s\nexpected:\n%sfound:\n%s", sql, want, tsf_buf_cstr(&out));
    tsf_buf_release(&out);
}

/* The scan's filters for a WHERE clause, joined by "; ". */
static void expect_filters(const char *where, const char *want)
{
    struct tsf_buf out = TSF_BUF_INIT(0), sql = TSF_BUF_INIT(0), found = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;
    assert_int_equal(tsf_buf_printf(&sql, &err, "SELECT id FROM t WHERE %s", where), TSF_OK);
    if (explain(NULL, tsf_buf_cstr(&sql), &out, &err) != TSF_OK)
        fail_msg("%s: %s %s", where, err.sqlstate, err.msg);
    for (char *p = strtok(tsf_buf_cstr(&out), "\n"); p; p = strtok(NULL, "\n")) {
        p += strspn(p, " ");
        if (strncmp(p, "Filter: ", 8) == 0)
            assert_int_equal(tsf_buf_printf(&found, &err, "%s%s", found.len ? "; " : "", p + 8), TSF_OK);
    }
    if (!found.len)
        assert_int_equal(tsf_buf_append_z(&found, tsf_buf_cstr(&out), &err), TSF_OK);
    if (strcmp(tsf_buf_cstr(&found), want) != 0)
        fail_msg("%s\nexpected: %s\nfound:    %s", where, want, tsf_buf_cstr(&found));
    tsf_buf_release(&out);
    tsf_buf_release(&sql);
    tsf_buf_release(&found);
}

static void expect_error(const char *sql, const char *sqlstate, int64_t offset, const char *msg)
{
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;
    if (explain(NULL, sql, &out, &err) == TSF_OK)
        fail_msg("%s: expected %s", sql, msg);
    if (strcmp(err.sqlstate, sqlstate) != 0 || err.offset != offset || strcmp(err.msg, msg) != 0)
        fail_msg("%s\nexpected %s at %lld: %s\nfound %s at %lld: %s", sql, sqlstate, (long long)offset, msg, err.sqlstate,
                 (long long)err.offset, err.msg);
    tsf_buf_release(&out);
}

static void test_query_optimize__constants_are_folded(void **state)
{
    (void)state;
    expect_plan("SELECT 1 + 1, 'x', NULL, :svc, $1", "Project: 2, 'x', NULL, 'api', '7'\n  Values (1 rows)\n");
    expect_filters("1 = 1 AND name = 'x'", "(name = 'x')");
    expect_filters("1 = 2", "Values (0 rows)");
    expect_filters("NULL", "Values (0 rows)");
    expect_filters("name = 'a' OR name = 'b' OR name IN ('c')", "(name IN ('a', 'b', 'c'))");
    expect_filters("ok AND ok", "ok");
    expect_filters("timestamp > current_timestamp", "(timestamp > '2026-11-20 12:00:00+00')");
}

static void test_query_optimize__constant_is_right_and_the_column_bare(void **state)
{
    (void)state;
    expect_filters("5 < status", "(status > 5)");
    expect_filters("status = 2.0", "(status = 2)");
    expect_filters("status > 1.5", "(status > 1)");
    expect_filters("status <= 2.5", "(status <= 2)");
    expect_filters("level IN (1, 2, 70000)", "(level IN (1, 2))");
    expect_filters("name IN ('a')", "(name = 'a')");
    expect_filters("duration BETWEEN 1 AND 10", "(duration >= 1); (duration <= 10)");
    expect_filters("NOT (duration = 5 OR name = 'x')", "(duration <> 5); (name <> 'x')");
    expect_filters("ratio = 1.5", "(ratio = 1.5)");
    expect_filters("amount > 5", "(amount > 5.00)");
    expect_filters("amount < -5.125", "(amount <= -5.13)");
    expect_filters("name = ANY (ARRAY['a', 'b'])", "(name IN ('a', 'b'))");
    expect_filters("name <> ALL ('{a,b}')", "(name NOT IN ('a', 'b'))");
}

static void test_query_optimize__times_meet_dates_on_the_constants_side(void **state)
{
    (void)state;
    expect_filters("timestamp >= '2026-11-20'", "(timestamp >= '2026-11-20 00:00:00+00')");
    expect_filters("timestamp >= date '2026-11-19'", "(timestamp >= '2026-11-19 00:00:00+00')");
    expect_filters("date >= timestamptz '2026-11-19 10:00Z'", "(date > '2026-11-19')");
    expect_filters("timestamp::date = '2026-11-19'",
                   "(timestamp >= '2026-11-19 00:00:00+00'); (timestamp < '2026-11-20 00:00:00+00')");
    expect_filters("timestamp::date <= '2026-11-19'", "(timestamp < '2026-11-20 00:00:00+00')");
    expect_filters("seen > timestamptz '2026-11-19 10:00+02'", "(seen > '2026-11-19 08:00:00')");
}

static void test_query_optimize__buckets_become_ranges(void **state)
{
    (void)state;
    struct tsf_buf out = TSF_BUF_INIT(0);
    enum tsf_err rc = explain(NULL, "SELECT now()", &out, &(struct tsf_error)TSF_ERROR_INIT);
    tsf_buf_release(&out);
    if (rc != TSF_OK) {
        print_message("SKIP: this build has no functions of time\n");
        skip();
    }
    expect_filters("timestamp > now() - interval '1 hour'", "(timestamp > '2026-11-20 11:00:00+00')");
    expect_filters("date_trunc('hour', timestamp) = '2026-11-20 10:00Z'",
                   "(timestamp >= '2026-11-20 10:00:00+00'); (timestamp < '2026-11-20 11:00:00+00')");
    expect_filters("date_trunc('month', timestamp) > '2026-11-20 10:00Z'", "(timestamp >= '2026-12-01 00:00:00+00')");
    expect_filters("time_bucket('5 minutes', timestamp) <= '2026-11-20 10:02Z'", "(timestamp < '2026-11-20 10:05:00+00')");
    expect_filters("now() - timestamp < interval '1 hour'", "(timestamp > '2026-11-20 11:00:00+00')");
    expect_filters("timestamp + interval '1 day' >= '2026-11-20'", "(timestamp >= '2026-11-19 00:00:00+00')");
    expect_plan("SELECT b FROM (SELECT date_trunc('day', timestamp) b FROM t) x WHERE b >= '2026-11-20'",
                "Project: date_trunc('day', timestamp)\n  Scan t\n    Columns: timestamp\n"
                "    Filter: (timestamp >= '2026-11-20 00:00:00+00')\n");
}

static void test_query_optimize__filters_go_down_and_columns_go_away(void **state)
{
    (void)state;
    expect_plan("SELECT n FROM (SELECT name n, count(*) c, max(duration) FROM t GROUP BY 1) x WHERE n = 'a' AND c > 5",
                "Filter: (count > 5)\n  Aggregate\n    Group: name\n    Compute: count(*)\n    Scan t\n      Columns: name\n"
                "      Filter: (name = 'a')\n");
    expect_plan("SELECT a FROM (SELECT id, timestamp, duration FROM t ORDER BY timestamp DESC LIMIT 10) s (a, b) WHERE a = '1'",
                "Filter: (id = '1')\n  Project: id\n    Top-N limit 10\n      Key: timestamp DESC\n      Scan t\n"
                "        Columns: timestamp, id\n        Order: timestamp DESC\n        Rows wanted: 10\n");
}

static void test_query_optimize__limits_make_top_n(void **state)
{
    (void)state;
    expect_plan("SELECT timestamp, id FROM t ORDER BY timestamp DESC LIMIT 251",
                "Top-N limit 251\n  Key: timestamp DESC\n  Scan t\n    Columns: timestamp, id\n    Order: timestamp DESC\n"
                "    Rows wanted: 251\n");
    expect_plan("SELECT coalesce(name, id) FROM t ORDER BY timestamp DESC, id LIMIT 3 OFFSET 2",
                "Project: COALESCE(name, id)\n  Top-N limit 3 offset 2\n    Key: timestamp DESC, id\n    Scan t\n"
                "      Columns: timestamp, id, name\n      Order: timestamp DESC\n      Rows wanted: 5\n");
    expect_plan("SELECT id FROM t LIMIT 5 OFFSET 1", "Limit limit 5 offset 1\n  Scan t\n    Columns: id\n    Rows wanted: 6\n");
    expect_plan("SELECT count(*) FROM (SELECT id FROM t LIMIT 5) x",
                "Aggregate\n  Compute: count(*)\n  Limit limit 5\n    Scan t\n      Rows wanted: 5\n");
}

static void test_query_bind__grouping(void **state)
{
    (void)state;
    expect_plan("SELECT name, count(*) c FROM t GROUP BY 1 HAVING count(*) FILTER (WHERE ok) > 3 ORDER BY c DESC, name LIMIT 5",
                "Top-N limit 5\n  Key: count DESC, name\n  Filter: (count > 3)\n    Aggregate\n      Group: name\n"
                "      Compute: count(*), count(*) FILTER (WHERE ok)\n      Scan t\n        Columns: name, ok\n");
    expect_plan("SELECT DISTINCT name, id FROM t ORDER BY 2",
                "Sort\n  Key: id\n  Aggregate\n    Group: name, id\n    Scan t\n      Columns: id, name\n");
    expect_plan("SELECT count(*), max(timestamp) FROM t",
                "Aggregate\n  Compute: count(*), max(timestamp)\n  From statistics where they are exact\n  Scan t\n    Columns: timestamp\n");
    expect_plan("SELECT upper(name) AS u, count(*) FROM t GROUP BY u",
                "Aggregate\n  Group: upper(name)\n  Compute: count(*)\n  Scan t\n    Columns: name\n");
    expect_plan("WITH q AS (SELECT name n FROM t) SELECT n FROM q WHERE n = 'x'",
                "Scan t\n  Columns: name\n  Filter: (name = 'x')\n");
}

static void test_query_bind__subqueries(void **state)
{
    (void)state;
    expect_plan("SELECT EXISTS (SELECT 1 FROM t WHERE ok)",
                "Project: (subquery)\n  Subquery\n    Project: (count > 0)\n      Aggregate\n        Compute: count(*)\n"
                "        Limit limit 1\n          Scan t\n            Columns: ok (filter)\n            Filter: ok\n"
                "            Rows wanted: 1\n  Values (1 rows)\n");
    expect_plan("SELECT id FROM t WHERE name IN (SELECT name FROM t WHERE ok)",
                "Scan t\n  Columns: id, name (filter)\n  Filter: (name IN (subquery))\n  Subquery\n    Scan t\n"
                "      Columns: name, ok (filter)\n      Filter: ok\n");
}

static void test_query_bind__errors_are_postgresqls(void **state)
{
    (void)state;
    expect_error("SELECT nam FROM t", "42703", 7, "column \"nam\" does not exist");
    expect_error("SELECT x.name FROM t", "42P01", 7, "missing FROM-clause entry for table \"x\"");
    expect_error("SELECT 1 FROM nowhere", "42P01", 14, "relation \"nowhere\" does not exist");
    expect_error("SELECT name FROM t GROUP BY id", "42803", 7,
                 "column \"t.name\" must appear in the GROUP BY clause or be used in an aggregate function");
    expect_error("SELECT sum(count(*)) FROM t", "42803", 7, "aggregate function calls cannot be nested");
    expect_error("SELECT 1 FROM t WHERE count(*) > 1", "42803", 22, "aggregate functions are not allowed in WHERE");
    expect_error("SELECT DISTINCT name FROM t ORDER BY id", "42P10", 37,
                 "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
    expect_error("SELECT name FROM t ORDER BY 2", "42P10", 28, "ORDER BY position 2 is not in select list");
    expect_error("SELECT 1 FROM t LIMIT -1", "2201W", 22, "LIMIT must not be negative");
    expect_error("SELECT $3", "42P02", 7, "there is no parameter $3");
    expect_error("SELECT 1 WHERE 1", "42804", 15, "argument of WHERE must be type boolean, not type integer");
    expect_error("SELECT nosuch(1)", "42883", 7, "function nosuch(integer) does not exist");
    expect_error("SELECT (SELECT t.id FROM (SELECT 1) x) FROM t", "0A000", 15,
                 "subqueries that refer to columns outside of them are not supported yet");
    expect_error("SELECT row_number() OVER () FROM t", "0A000", 7, "window functions are not supported yet");
    expect_error("SELECT * FROM t, t b", "0A000", 17, "joins are not supported yet");
}

static void test_query_bind__output_names(void **state)
{
    static const char sql[] = "SELECT t.id, count(*), 1 + 1, name::text, '1'::int, CASE WHEN ok THEN 1 END, coalesce(name, id), "
                              "(SELECT 1 AS z), current_date, ARRAY[1], nullif(1, 2), greatest(1, 2), EXISTS (SELECT 1), max(id) AS m "
                              "FROM t GROUP BY t.id, name, ok";
    static const char *const want[] = { "id", "count", "?column?", "name", "int4", "case", "coalesce", "z", "current_date", "array",
                                        "nullif", "greatest", "exists", "m" };
    struct query_options options = { 0 };
    struct query_session *s = NULL;
    struct tsf_arena tree = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct query_parsed parsed;
    struct query_plan plan;
    (void)state;
    fake_init();
    assert_int_equal(query_session_new(&options, &s, &err), TSF_OK);
    s->lookup = fake_lookup;
    assert_int_equal(query_parse(&s->opts, sql, &tree, &parsed, &err), TSF_OK);
    if (query_bind(s, parsed.tree->stmts[0]->stmt->select_stmt, NOW, &plan, &err) != TSF_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(plan.n_output, TSF_ARRAY_LEN(want));
    for (size_t i = 0; i < TSF_ARRAY_LEN(want); i++)
        assert_string_equal(plan.root->columns[i].name, want[i]);
    query_session_free(s);
    tsf_arena_release(&tree);
}

/* Whatever the SQL, every scan of a bound session has the tenant's condition in front. */
static void test_query_bind__project_binds_every_scan(void **state)
{
    static const char *const texts[] = {
        "SELECT id FROM t", "SELECT id FROM t WHERE project_id = 'other' OR true", "SELECT (SELECT max(id) FROM t)",
        "SELECT count(*) FROM (SELECT * FROM t x) y", "WITH project_id AS (SELECT id FROM t) SELECT id FROM project_id",
        "SELECT 1 WHERE 'x' IN (SELECT id FROM t)", "INSERT INTO t (id) SELECT id FROM t",
    };
    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(texts); i++) {
        struct tsf_buf out = TSF_BUF_INIT(0);
        struct tsf_error err = TSF_ERROR_INIT;
        if (explain("p1", texts[i], &out, &err) != TSF_OK)
            fail_msg("%s: %s", texts[i], err.msg);
        int scans = 0, bound = 0;
        for (char *p = tsf_buf_cstr(&out); (p = strstr(p, "Scan t")); p++)
            scans++;
        for (char *p = tsf_buf_cstr(&out); (p = strstr(p, "Filter: (project_id = 'p1')")); p++)
            bound++;
        assert_int_equal(scans, 1);
        assert_int_equal(bound, 1);
        tsf_buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_optimize__constants_are_folded),
        cmocka_unit_test(test_query_optimize__constant_is_right_and_the_column_bare),
        cmocka_unit_test(test_query_optimize__times_meet_dates_on_the_constants_side),
        cmocka_unit_test(test_query_optimize__buckets_become_ranges),
        cmocka_unit_test(test_query_optimize__filters_go_down_and_columns_go_away),
        cmocka_unit_test(test_query_optimize__limits_make_top_n),
        cmocka_unit_test(test_query_bind__grouping),
        cmocka_unit_test(test_query_bind__subqueries),
        cmocka_unit_test(test_query_bind__errors_are_postgresqls),
        cmocka_unit_test(test_query_bind__output_names),
        cmocka_unit_test(test_query_bind__project_binds_every_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
