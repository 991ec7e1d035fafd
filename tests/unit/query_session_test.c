/* Statements from text to answers: DDL, INSERT through the WAL, SELECT over unflushed rows, system tables, tenants. */
#include "test_util.h"

#include "query/query.h"
#include "column/column.h"

/* Rows as "a|b" lines, tags as "=TAG" lines. */
struct capture {
    struct tsf_buf text;
};

static enum tsf_err capture_begin(void *ctx, const struct query_column_info *columns, int n, struct tsf_error *err)
{
    struct capture *c = ctx;
    enum tsf_err rc = TSF_OK;
    for (int i = 0; i < n && rc == TSF_OK; i++)
        rc = tsf_buf_printf(&c->text, err, "%s%s%s", i ? "," : "", columns[i].name, i == n - 1 ? "\n" : "");
    return rc;
}

static enum tsf_err capture_batch(void *ctx, const struct tsf_batch *b, struct tsf_error *err)
{
    struct capture *c = ctx;
    struct tsf_arena a = TSF_ARENA_INIT;
    enum tsf_err rc = TSF_OK;
    for (int64_t i = 0; i < tsf_batch_rows(b) && rc == TSF_OK; i++) {
        for (int k = 0; k < b->n_columns && rc == TSF_OK; k++) {
            struct tsf_value v;
            if ((rc = tsf_vector_get(&b->columns[k], b->sel ? b->sel[i] : i, &a, &v, err)) == TSF_OK &&
                (rc = tsf_buf_append_z(&c->text, k ? "|" : "", err)) == TSF_OK)
                rc = tsf_value_text(&v, &c->text, err);
        }
        if (rc == TSF_OK)
            rc = tsf_buf_append_z(&c->text, "\n", err);
    }
    tsf_arena_release(&a);
    return rc;
}

static enum tsf_err capture_end(void *ctx, const char *tag, struct tsf_error *err)
{
    return tsf_buf_printf(&((struct capture *)ctx)->text, err, "=%s\n", tag);
}

static enum tsf_err run(const char *project, const char *sql, struct tsf_buf *out, struct tsf_error *err)
{
    struct capture c = { .text = TSF_BUF_INIT(0) };
    struct query_consumer consumer = { &c, capture_begin, capture_batch, capture_end };
    struct query_options options = { .data_dir = test_dir(), .project = project, .threads = 2 };
    struct query_session *s = NULL;
    enum tsf_err rc = query_session_new(&options, &s, err);
    if (rc == TSF_OK)
        rc = query_run(s, sql, &consumer, err);
    query_session_free(s);
    tsf_buf_move(out, &c.text);
    return rc;
}

static void expect_as(const char *project, const char *sql, const char *want)
{
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;
    CHECK_OK(run(project, sql, &out, &err), &err);
    CHECK_STR(out.len ? tsf_buf_cstr(&out) : "", want);
    tsf_buf_release(&out);
}

static void expect(const char *sql, const char *want) { expect_as(NULL, sql, want); }

static void expect_error_as(const char *project, const char *sql, const char *sqlstate, int64_t offset)
{
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;
    CHECK(run(project, sql, &out, &err) != TSF_OK);
    CHECK_STR(err.sqlstate, sqlstate);
    CHECK_INT(err.offset, offset);
    tsf_buf_release(&out);
}

static void expect_error(const char *sql, const char *sqlstate, int64_t offset) { expect_error_as(NULL, sql, sqlstate, offset); }

static void make_logs(void)
{
    expect("CREATE TABLE logs (project_id text, date date NOT NULL, timestamp timestamptz NOT NULL, id text, tags text[], "
           "amount numeric(10,2), n int, body jsonb) PARTITION BY LIST (project_id, date) "
           "WITH (tsf.sort_order = 'timestamp DESC, id', tsf.dedup_keys = 'timestamp, id', tsf.bloom_columns = id, "
           "delta.checkpoint_interval = 20)",
           "=CREATE TABLE\n");
    expect("INSERT INTO logs (project_id, timestamp, id, tags, amount, n) VALUES "
           "('p1', '2026-11-20 10:00Z', 'a', '{x,y}', 1.5, 1), ('p2', '2026-11-20 11:00Z', 'b', ARRAY['q'], 2, NULL); "
           "INSERT INTO logs (project_id, timestamp, id) SELECT 'p1', timestamp, id || '2' FROM logs WHERE id = 'b'",
           "=INSERT 0 2\n=INSERT 0 1\n");
}

static void test_query_run__rows_come_back_from_the_wal(void **state)
{
    (void)state;
    make_logs();
    expect("SELECT id, date, tags, amount, n FROM logs ORDER BY id",
           "id,date,tags,amount,n\na|2026-11-20|{x,y}|1.50|1\nb|2026-11-20|{q}|2.00|\nb2|2026-11-20|||\n=SELECT 3\n");
    expect("SELECT project_id, count(*) FROM logs GROUP BY 1 ORDER BY 2 DESC, 1", "project_id,count\np1|2\np2|1\n=SELECT 2\n");
    expect("SELECT id FROM logs ORDER BY timestamp DESC, id LIMIT 2", "id\nb\nb2\n=SELECT 2\n");
    expect("SELECT id FROM logs WHERE timestamp = (SELECT min(timestamp) FROM logs)", "id\na\n=SELECT 1\n");
    expect("SELECT name, rows, unflushed_rows FROM tsf.tables", "name,rows,unflushed_rows\nlogs|0|3\n=SELECT 1\n");
    expect("SELECT name FROM tsf.columns('logs') WHERE partition_key", "name\nproject_id\ndate\n=SELECT 2\n");
}

static void test_query_run__selects_without_a_table(void **state)
{
    (void)state;
    expect("SELECT 1 + 1 AS two, 'x'", "two,?column?\n2|x\n=SELECT 1\n");
    expect("VALUES (1, 'a'), (2, NULL) ORDER BY 1 DESC", "column1,column2\n2|\n1|a\n=SELECT 2\n");
    expect("SELECT x * 2 FROM generate_series(1, 5, 2) AS x WHERE x > 1", "?column?\n6\n10\n=SELECT 2\n");
    expect("SELECT unnest FROM unnest(ARRAY['a', 'b']) LIMIT 1 OFFSET 1", "unnest\nb\n=SELECT 1\n");
    expect("SELECT 2 IN (SELECT x FROM generate_series(1, 3) x), EXISTS (SELECT 1 WHERE false)", "?column?,exists\nt|f\n=SELECT 1\n");
    expect("", "");
    expect(";", "");
}

/* More than is parsed at once: statement by statement. */
static void test_query_run__long_texts(void **state)
{
    static const char one[] = "SELECT 1 WHERE false; -- a long comment to make it longer and longer and longer and longer\n";
    struct tsf_buf sql = TSF_BUF_INIT(0), out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;
    (void)state;
    while (sql.len < 3 << 20)
        CHECK_OK(tsf_buf_append_z(&sql, one, &err), &err);
    size_t n = sql.len;
    CHECK_OK(tsf_buf_append_z(&sql, "SELECT nosuch", &err), &err);
    CHECK(run(NULL, tsf_buf_cstr(&sql), &out, &err) != TSF_OK);
    CHECK_STR(err.sqlstate, "42703");
    CHECK_INT(err.offset, (int64_t)n + 7);
    tsf_buf_release(&sql);
    tsf_buf_release(&out);
}

static void test_query_run__ddl(void **state)
{
    (void)state;
    make_logs();
    expect_error("CREATE TABLE logs (a int)", "42P07", 13);
    expect("CREATE TABLE IF NOT EXISTS logs (a int)", "=CREATE TABLE\n");
    expect_error("CREATE TABLE x (a int PRIMARY KEY)", "0A000", 22);
    expect_error("CREATE TABLE x (a int, A text)", "42701", 23);
    expect_error("CREATE TABLE x (a int) WITH (tsf.nosuch = 1)", "22023", 29);
    expect_error("CREATE TABLE x (a nosuch)", "42704", 18);
    expect("DROP TABLE logs; DROP TABLE IF EXISTS logs", "=DROP TABLE\n=DROP TABLE\n");
    expect_error("DROP TABLE logs", "42P01", -1);
    expect_error("SELECT 1; SELECT * FROM logs", "42P01", 24);
}

static void test_query_run__insert_is_checked(void **state)
{
    (void)state;
    make_logs();
    expect_error("INSERT INTO logs (id) VALUES ('x')", "23502", -1);
    expect_error("INSERT INTO logs (id, nosuch) VALUES ('x', 1)", "42703", 22);
    expect_error("INSERT INTO logs (id, id) VALUES ('x', 'y')", "42701", 22);
    expect_error("INSERT INTO logs (id) VALUES ('x', 1)", "42601", 35);
    expect_error("INSERT INTO logs (timestamp) VALUES ('yesterday or so')", "22007", 37);
    expect_error("INSERT INTO logs (timestamp, n) SELECT timestamp, true FROM logs", "42804", -1);
    expect_error("INSERT INTO logs (id, n) VALUES ('x', true)", "42804", 38);
    expect("SELECT count(*) FROM logs", "count\n3\n=SELECT 1\n");
}

static void test_query_run__a_project_sees_and_writes_its_own_rows_only(void **state)
{
    (void)state;
    make_logs();
    expect("CREATE TABLE plain (a int)", "=CREATE TABLE\n");
    expect_as("p1", "SELECT id FROM logs WHERE project_id = 'p2' OR true ORDER BY id", "id\na\nb2\n=SELECT 2\n");
    expect_as("p2", "SELECT count(*) FROM (SELECT * FROM logs) x", "count\n1\n=SELECT 1\n");
    expect_as("p2", "INSERT INTO logs (timestamp, id) VALUES ('2026-11-20 12:00Z', 'c')", "=INSERT 0 1\n");
    expect_as("p2", "SELECT project_id, id FROM logs ORDER BY id", "project_id,id\np2|b\np2|c\n=SELECT 2\n");
    expect_error_as("p2", "INSERT INTO logs (project_id, timestamp) VALUES ('p1', '2026-11-20 12:00Z')", "42501", -1);
    expect_error_as("p2", "SELECT * FROM plain", "42501", 14);
    expect_error_as("p2", "SELECT * FROM tsf.tables", "42501", 14);
    expect_error_as("p2", "DROP TABLE logs", "42501", -1);
    expect_error_as("p2", "CREATE TABLE y (a int)", "42501", -1);
}

TEST_MAIN(TEST(test_query_run__long_texts), TEST(test_query_run__rows_come_back_from_the_wal), TEST(test_query_run__selects_without_a_table), TEST(test_query_run__ddl),
          TEST(test_query_run__insert_is_checked), TEST(test_query_run__a_project_sees_and_writes_its_own_rows_only))
