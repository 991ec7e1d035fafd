/* Whole runs: files into the WAL, all or nothing. */
#include "ingest_test.h"

#define SPANS "date date!; timestamp timestamp!; id string!; name string; duration long; project_id string; summary string[]; attributes json"

static void table_begin(struct table *t, const char *spec)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct wal_options o = { .create = true };

    ingest_test_table(t, spec);
    CHECK_OK(wal_topic_open(test_path("data"), "wh", "t", &o, &t->wal, &err), &err);
}

static void table_end(struct table *t)
{
    wal_topic_free(t->wal);
    tsf_arena_release(&t->arena);
}

/* Everything in the WAL, one row per line. */
static char *wal_text(struct table *t)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct wal_damage damage;
    struct wal_view *v;
    int64_t n;

    CHECK_OK(wal_view_open(t->wal, &v, &err), &err);
    CHECK_OK(wal_view_index(v, 0, true, &n, &damage, &err), &err);
    for (int64_t i = 0; i < n; i++) {
        struct tsf_arena a = TSF_ARENA_INIT;
        struct wal_record rec;
        CHECK_OK(wal_view_read(v, i, &a, &rec, &err), &err);
        for (int64_t row = 0; row < rec.rows; row++) {
            ingest_test_row(t->schema, &rec.batch, row, &out);
            CHECK_OK(tsf_buf_append_z(&out, "\n", &err), &err);
        }
        tsf_arena_release(&a);
    }
    wal_view_free(v);
    CHECK_OK(tsf_buf_append_u8(&out, 0, &err), &err);
    return (char *)out.data;
}

static void file_put(const char *name, const char *text)
{
    test_write_file(test_path(name), text, strlen(text));
}

static void test_ingest_run__rows_reach_the_wal(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;
    const char *paths[] = { "a.ndjson", "b.ndjson" };
    struct ingest_options o = { 0 };
    struct ingest_receipt r;
    struct table t;
    char *got;

    (void)state;
    table_begin(&t, SPANS);
    file_put("a.ndjson", "{\"timestamp\":\"2026-11-20T10:00:00Z\",\"id\":\"1\",\"duration\":\"5\",\"summary\":[\"a\",\"b\"]}\n\n"
                         "{\"timestamp\":1763632800,\"id\":\"2\",\"x\":{\"y\":1}}");
    file_put("b.ndjson", "\xef\xbb\xbf{\"timestamp\":\"2026-11-20T10:00:01Z\",\"id\":\"3\"}\r\n");
    CHECK_OK(ingest_run(&t, paths, 2, &o, &r, &err), &err);
    CHECK_INT(r.rows, 3);
    CHECK_INT(r.files, 2);
    CHECK_INT(r.wal.rows, 3);
    got = wal_text(&t);
    CHECK_STR(got, "{\"timestamp\":\"2026-11-20T10:00:00Z\",\"id\":\"1\",\"duration\":5,\"summary\":[\"a\",\"b\"]}\n"
                   "{\"timestamp\":\"2025-11-20T10:00:00Z\",\"id\":\"2\",\"attributes\":{\"x\":{\"y\":1}}}\n"
                   "{\"timestamp\":\"2026-11-20T10:00:01Z\",\"id\":\"3\"}\n");
    free(got);
    table_end(&t);
}

static void test_ingest_run__one_bad_row_makes_it_nothing(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;
    const char *paths[] = { "a.ndjson", "b.ndjson" };
    struct ingest_options o = { .reject_path = "bad.ndjson" };
    struct ingest_receipt r;
    struct table t;
    char *got;

    (void)state;
    table_begin(&t, SPANS);
    file_put("a.ndjson", "{\"timestamp\":\"2026-11-20T10:00:00Z\",\"id\":\"1\"}\n");
    file_put("b.ndjson", "{\"timestamp\":\"2026-11-20T10:00:00Z\",\"id\":\"1\"}\n{\"timestamp\":\"yesterday\",\"id\":\"1\"}\n");
    CHECK_ERR(ingest_run(&t, paths, 2, &o, &r, &err), TSF_ERR_FORMAT);
    CHECK_STR(err.msg, "b.ndjson:2: column timestamp: \"yesterday\" is not a time (nothing was ingested)");
    got = wal_text(&t);
    CHECK_STR(got, "");
    free(got);
    got = test_read_file("bad.ndjson", NULL);
    CHECK_STR(got, "{\"file\":\"b.ndjson\",\"line\":2,\"offset\":46,\"reason\":\"column timestamp: \\\"yesterday\\\" is not a time\","
                   "\"raw\":\"{\\\"timestamp\\\":\\\"yesterday\\\",\\\"id\\\":\\\"1\\\"}\"}\n");
    free(got);

    o.max_rejects = 1;
    tsf_error_reset(&err);
    CHECK_OK(ingest_run(&t, paths, 2, &o, &r, &err), &err);
    CHECK_INT(r.rows, 2);
    CHECK_INT(r.rejects, 1);
    table_end(&t);
}

TEST_MAIN(TEST(test_ingest_run__rows_reach_the_wal), TEST(test_ingest_run__one_bad_row_makes_it_nothing))
