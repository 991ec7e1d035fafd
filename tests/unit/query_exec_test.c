/* Operators over VALUES: sorting, limits, grouping, distinct arguments, subqueries, the memory limit. */
#include "query/query_exec.h"
#include "test_util.h"

static enum tsf_err take_begin(void *ctx, const struct query_column_info *columns, int n, struct tsf_error *err)
{
    (void)ctx, (void)columns, (void)n, (void)err;
    return TSF_OK;
}

static enum tsf_err take_batch(void *ctx, const struct tsf_batch *b, struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    for (int64_t i = 0; i < b->length; i++) {
        for (int c = 0; c < b->n_columns; c++) {
            struct tsf_value v;
            CHECK_OK(tsf_vector_get(&b->columns[c], i, &a, &v, err), err);
            CHECK_OK(tsf_value_text(&v, ctx, err), err);
            CHECK_OK(tsf_buf_append_u8(ctx, c + 1 < b->n_columns ? '|' : ' ', err), err);
        }
    }
    tsf_arena_release(&a);
    return TSF_OK;
}

static enum tsf_err take_end(void *ctx, const char *tag, struct tsf_error *err)
{
    (void)ctx, (void)tag, (void)err;
    return TSF_OK;
}

static enum tsf_err run(const char *sql, int64_t memory, struct tsf_buf *out, struct tsf_error *err)
{
    struct query_options opts = { .warehouse = "wh", .data_dir = "data", .threads = 2, .memory_limit = memory };
    struct query_consumer consumer = { out, take_begin, take_batch, take_end };
    struct query_session *s;
    CHECK_OK(query_session_new(&opts, &s, err), err);
    enum tsf_err rc = query_run(s, sql, &consumer, err);
    query_session_free(s);
    return rc;
}

static void check(const char *sql, const char *expected)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_buf out = TSF_BUF_INIT(0);
    if (run(sql, 0, &out, &err) != TSF_OK)
        TEST_FAIL("%s: %s", sql, err.msg);
    CHECK_STR(tsf_buf_cstr(&out), expected);
    tsf_buf_release(&out);
}

#define V "(VALUES (1, 'x', 10), (2, 'y', NULL), (3, 'x', 30), (4, NULL, 30), (5, 'y', 10)) v(a, b, c)"

static void test_query_exec__sorts_and_limits(void **state)
{
    (void)state;
    check("SELECT a FROM " V " ORDER BY c DESC NULLS LAST, a", "3 4 1 5 2 ");
    check("SELECT a FROM " V " ORDER BY -a LIMIT 2", "5 4 ");
    check("SELECT a FROM " V " ORDER BY b, a DESC LIMIT 2 OFFSET 1", "1 5 ");
    check("SELECT a FROM " V " LIMIT 2 OFFSET 2", "3 4 ");
    check("SELECT a FROM " V " WHERE c > 10 ORDER BY a LIMIT 0", "");
    check("SELECT a FROM " V " ORDER BY a OFFSET 9", "");
}

static void test_query_exec__groups(void **state)
{
    (void)state;
    check("SELECT b, count(*), sum(c) FROM " V " GROUP BY b ORDER BY b", "x|2|40 y|2|10 |1|30 ");
    check("SELECT b, c, count(*) FROM " V " GROUP BY 1, 2 ORDER BY 1, 2", "x|10|1 x|30|1 y|10|1 y||1 |30|1 ");
    check("SELECT DISTINCT c FROM " V " ORDER BY c", "10 30  ");
    check("SELECT b FROM " V " GROUP BY b HAVING count(*) > 1 ORDER BY b", "x y ");
    check("SELECT count(*), sum(a) FROM " V " WHERE a > 9", "0| ");
    check("SELECT b, count(*) FROM " V " WHERE a > 9 GROUP BY b", "");
    check("SELECT count(*) FILTER (WHERE b = 'x'), count(*) FILTER (WHERE b <> 'x') FROM " V, "2|2 ");
}

static void test_query_exec__distinct_arguments_count_once(void **state)
{
    (void)state;
    check("SELECT count(DISTINCT c), sum(DISTINCT c), count(DISTINCT b) FROM " V, "2|40|2 ");
    check("SELECT b, count(DISTINCT c), sum(DISTINCT c) FROM " V " GROUP BY b ORDER BY b", "x|2|40 y|1|10 |1|30 ");
    check("SELECT count(DISTINCT c) FILTER (WHERE a > 2) FROM " V, "2 ");
    check("SELECT b, count(DISTINCT c) FILTER (WHERE a > 2) FROM " V " GROUP BY b ORDER BY b", "x|1 y|1 |1 ");
}

static void test_query_exec__subqueries_run_first(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_buf out = TSF_BUF_INIT(0);

    (void)state;
    check("SELECT a FROM " V " WHERE c = (SELECT max(c) FROM " V ") ORDER BY a", "3 4 ");
    check("SELECT a FROM " V " WHERE a IN (SELECT a + 1 FROM " V ") ORDER BY a", "2 3 4 5 ");
    check("SELECT a FROM " V " WHERE a NOT IN (SELECT c FROM " V ") ORDER BY a", "");
    check("SELECT (SELECT a FROM " V " WHERE a > 9)", " ");
    CHECK_ERR(run("SELECT (SELECT a FROM " V ")", 0, &out, &err), TSF_ERR_INVALID);
    CHECK_STR(err.sqlstate, "21000");
    tsf_buf_release(&out);
}

/* Every type of key, against the text of the key. */
static void test_query_exec__interning_tells_values_apart(void **state)
{
    static const enum tsf_type_id ids[] = { TSF_TYPE_BOOL, TSF_TYPE_INT8, TSF_TYPE_INT16, TSF_TYPE_INT32, TSF_TYPE_INT64,
                                            TSF_TYPE_DATE, TSF_TYPE_TIMESTAMP, TSF_TYPE_DOUBLE, TSF_TYPE_STRING };
    struct tsf_error err = TSF_ERROR_INIT;
    uint64_t seed = 5;

    (void)state;
    for (size_t t = 0; t < TSF_ARRAY_LEN(ids); t++) {
        struct tsf_arena a = TSF_ARENA_INIT;
        struct query_intern in;
        struct tsf_builder b;
        struct tsf_vector v, back;
        uint32_t out[3000];
        CHECK_OK(tsf_builder_init(&b, &tsf_types[ids[t]], &err), &err);
        CHECK_OK(query_intern_init(&in, &tsf_types[ids[t]], &err), &err);
        for (int i = 0; i < 3000; i++) {
            char text[40];
            int64_t x = (int64_t)(tsf_hash_u64(seed++) % 700) - 350;
            if (x == 0)
                CHECK_OK(tsf_builder_null(&b, &err), &err);
            else if (ids[t] == TSF_TYPE_STRING)
                CHECK_OK(tsf_builder_str(&b, text, (size_t)snprintf(text, sizeof text, x % 2 ? "%d" : "a text of %d bytes", (int)x), &err), &err);
            else if (ids[t] == TSF_TYPE_DOUBLE)
                CHECK_OK(tsf_builder_f64(&b, (double)x / 4, &err), &err);
            else
                CHECK_OK(tsf_builder_i64(&b, ids[t] == TSF_TYPE_BOOL ? x & 1 : ids[t] == TSF_TYPE_INT8 ? x % 128 : x * (ids[t] == TSF_TYPE_INT64 ? 1000003 : 1), &err), &err);
        }
        CHECK_OK(tsf_builder_vector(&b, &a, &v, &err), &err);
        CHECK_OK(query_intern_vector(&in, &v, &a, out, NULL, &err), &err);
        CHECK_OK(query_intern_values(&in, out, v.length, &a, &back, &err), &err);
        for (int i = 0; i < 3000; i++) {
            CHECK(tsf_vector_rows_equal(&v, i, &back, i));
            CHECK_INT(out[i] == 0, !tsf_vector_present(&v, i));
        }
        for (int i = 1; i < 3000; i++)
            CHECK_INT(out[i] == out[i - 1], tsf_vector_rows_equal(&v, i, &v, i - 1));
        query_intern_release(&in);
        tsf_builder_release(&b);
        tsf_arena_release(&a);
    }
}

static void test_query_exec__the_memory_limit_is_an_error(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_buf out = TSF_BUF_INIT(0);

    (void)state;
    CHECK_ERR(run("SELECT a FROM " V " ORDER BY a", 100, &out, &err), TSF_ERR_INVALID);
    CHECK_STR(err.sqlstate, "53200");
    tsf_buf_release(&out);
}

TEST_MAIN(TEST(test_query_exec__sorts_and_limits), TEST(test_query_exec__groups), TEST(test_query_exec__distinct_arguments_count_once),
          TEST(test_query_exec__subqueries_run_first), TEST(test_query_exec__interning_tells_values_apart),
          TEST(test_query_exec__the_memory_limit_is_an_error))
