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

/* Rows 0..n-1 with ids in order, every bad-th without an id; long enough for many blocks. */
static void rows_put(const char *name, int n, int bad)
{
    FILE *f = fopen(name, "w");

    CHECK(f != NULL);
    for (int i = 0; i < n; i++)
        if (bad && i % bad == bad - 1)
            fprintf(f, "{\"timestamp\":%d,\"id\":null,\"n\":%d}\n", 1763632800 + i, i);
        else
            fprintf(f, "{\"timestamp\":%d,\"id\":\"%d\",\"name\":\"%0200d\"}\n", 1763632800 + i, i, i);
    CHECK(fclose(f) == 0);
}

static void test_ingest_run__threads_keep_the_order(void **state)
{
    const char *paths[] = { "a.ndjson" };
    struct ingest_options o = { .threads = 2, .memory_limit = 3 << 20, .max_rejects = -1, .reject_path = "bad" };
    struct tsf_error err = TSF_ERROR_INIT;
    struct ingest_receipt r;
    struct table t;
    char *got, *line, *save = NULL;
    int i = 0;

    (void)state;
    table_begin(&t, SPANS);
    rows_put("a.ndjson", 6000, 50);
    CHECK_OK(ingest_run(&t, paths, 1, &o, &r, &err), &err);
    CHECK_INT(r.rows, 5880);
    CHECK_INT(r.rejects, 120);
    CHECK(r.wal.last_lsn > r.wal.first_lsn);
    got = wal_text(&t);
    for (line = strtok_r(got, "\n", &save); line; line = strtok_r(NULL, "\n", &save), i++) {
        char want[32];
        i += i % 50 == 49;
        snprintf(want, sizeof want, "\"id\":\"%d\"", i);
        CHECK_HAS(line, want);
    }
    CHECK_INT(i, 5999);
    free(got);
    got = test_read_file("bad", NULL);
    i = 49;
    for (line = strtok_r(got, "\n", &save); line; line = strtok_r(NULL, "\n", &save), i += 50) {
        char want[64];
        snprintf(want, sizeof want, "{\"file\":\"a.ndjson\",\"line\":%d,", i + 1);
        CHECK_HAS(line, want);
        snprintf(want, sizeof want, "\\\"n\\\":%d}\"}", i);
        CHECK_HAS(line, want);
    }
    CHECK_INT(i, 6049);
    free(got);
    table_end(&t);
}

static void test_ingest_run__a_late_failure_leaves_nothing(void **state)
{
    const char *paths[] = { "a.ndjson", "absent" };
    struct ingest_options o = { .threads = 2, .memory_limit = 3 << 20, .max_rejects = 100 };
    struct tsf_error err = TSF_ERROR_INIT;
    struct ingest_receipt r;
    struct table t;
    char *got;

    (void)state;
    table_begin(&t, SPANS);
    rows_put("a.ndjson", 6000, 50);
    CHECK_ERR(ingest_run(&t, paths, 1, &o, &r, &err), TSF_ERR_FORMAT);
    CHECK_STR(err.msg, "a.ndjson:50: column id: no value, and it is NOT NULL (the first of more than 100 bad rows; nothing was ingested)");
    rows_put("a.ndjson", 6000, 0);
    tsf_error_reset(&err);
    CHECK_ERR(ingest_run(&t, paths, 2, &o, &r, &err), TSF_ERR_NOT_FOUND);
    CHECK_HAS(err.msg, "absent: ");
    got = wal_text(&t);
    CHECK_STR(got, "");
    free(got);
    CHECK_OK(ingest_run(&t, paths, 1, &o, &r, &err), &err);
    CHECK_INT(r.rows, 6000);
    CHECK_INT(r.wal.first_lsn, 1);
    table_end(&t);
}

static void test_ingest_run__rows_have_a_limit(void **state)
{
    const char *paths[] = { "a.ndjson" };
    struct ingest_options o = { .max_row_bytes = 100, .max_rejects = 2, .reject_path = "bad" };
    struct tsf_error err = TSF_ERROR_INIT;
    struct ingest_receipt r;
    struct table t;
    FILE *f = fopen("a.ndjson", "w");
    char *got;

    (void)state;
    table_begin(&t, SPANS);
    CHECK(f != NULL);
    fprintf(f, "{\"timestamp\":0,\"id\":\"1\"}\n{\"timestamp\":0,\"id\":\"%0200d\"}\n{\"timestamp\":0,\"id\":\"%0*d\"}\n", 2, 8 << 20, 3);
    fprintf(f, "{\"timestamp\":0,\"id\":\"4\"}\n");
    CHECK(fclose(f) == 0);
    CHECK_OK(ingest_run(&t, paths, 1, &o, &r, &err), &err);
    CHECK_INT(r.rows, 2);
    CHECK_INT(r.rejects, 2);
    got = test_read_file("bad", NULL);
    CHECK_HAS(got, "\"line\":2,\"offset\":25,\"reason\":\"the row has 223 bytes, the limit is 100\"");
    CHECK_HAS(got, "\"line\":3,\"offset\":249,\"reason\":\"the row has 8388631 bytes, the limit is 100\"");
    CHECK_HAS(got, "\"bytes\":8388631}");
    free(got);
    table_end(&t);
}

static void test_ingest_run__version_is_the_time_of_writing(void **state)
{
    const char *paths[] = { "a.ndjson" };
    struct ingest_options o = { 0 };
    struct tsf_error err = TSF_ERROR_INIT;
    struct ingest_receipt r;
    struct table t;
    char *got;

    (void)state;
    CHECK(setenv("TSF_NOW", "2026-11-20T12:00:00Z", 1) == 0);
    table_begin(&t, "timestamp timestamp!; updated_at timestamp!");
    file_put("a.ndjson", "{\"timestamp\":0}\n{\"timestamp\":0,\"updated_at\":5}\n{\"timestamp\":0,\"nowhere\":1}");
    CHECK_OK(ingest_run(&t, paths, 1, &o, &r, &err), &err);
    CHECK_INT(r.unknown_keys, 1);
    got = wal_text(&t);
    CHECK_STR(got, "{\"timestamp\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"2026-11-20T12:00:00Z\"}\n"
                   "{\"timestamp\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"1970-01-01T00:00:05Z\"}\n"
                   "{\"timestamp\":\"1970-01-01T00:00:00Z\",\"updated_at\":\"2026-11-20T12:00:00Z\"}\n");
    free(got);
    table_end(&t);
}

static void test_ingest_run__refusals(void **state)
{
    const char *paths[] = { "a.ndjson" };
    struct ingest_options format = { .format = "csv" }, project = { .project = "p" }, reject = { .reject_path = "no/such/dir" };
    struct tsf_error err = TSF_ERROR_INIT;
    struct ingest_receipt r;
    struct table t;

    (void)state;
    table_begin(&t, "timestamp timestamp!");
    file_put("a.ndjson", "");
    CHECK_ERR(ingest_run(&t, paths, 1, &format, &r, &err), TSF_ERR_UNSUPPORTED);
    CHECK_ERR(ingest_run(&t, paths, 1, &project, &r, &err), TSF_ERR_INVALID);
    CHECK_ERR(ingest_run(&t, paths, 1, &reject, &r, &err), TSF_ERR_NOT_FOUND);
    table_end(&t);
}

TEST_MAIN(TEST(test_ingest_run__version_is_the_time_of_writing), TEST(test_ingest_run__rows_reach_the_wal),
          TEST(test_ingest_run__one_bad_row_makes_it_nothing), TEST(test_ingest_run__threads_keep_the_order),
          TEST(test_ingest_run__a_late_failure_leaves_nothing), TEST(test_ingest_run__rows_have_a_limit), TEST(test_ingest_run__refusals))
