/* Flush, compaction, warming and vacuum on a local table: what is in the files is what was written, once. */
#include "test_util.h"

#include "maintain/maintain_internal.h"

static struct tsf_field fields[] = {
    { .name = "date", .type = &tsf_types[TSF_TYPE_DATE], .field_id = -1 },
    { .name = "timestamp", .type = &tsf_types[TSF_TYPE_TIMESTAMP], .field_id = -1 },
    { .name = "tenant", .type = &tsf_types[TSF_TYPE_STRING], .nullable = true, .field_id = -1 },
    { .name = "n", .type = &tsf_types[TSF_TYPE_INT64], .field_id = -1 },
    { .name = "text", .type = &tsf_types[TSF_TYPE_STRING], .nullable = true, .field_id = -1 },
};
static const struct tsf_schema schema = { .n_fields = 5, .fields = fields };
#define DAY0 1793577600000000LL /* 2026-11-02 */

static struct table_env *env_open(void)
{
    struct table_env_options opts = { .data_dir = "data", .warehouse = "tables" };
    struct tsf_error err = TSF_ERROR_INIT;
    struct table_env *env;

    CHECK_OK(table_env_open(&opts, &env, &err), &err);
    return env;
}

static void create(struct table_env *env, const char *dedup)
{
    static const int partition[] = { 2, 0 };
    const char *keys[] = { "tsf.sortOrder", "tsf.tenantColumn", "tsf.dedupKeys" };
    const char *values[] = { "timestamp DESC, n", "tenant", dedup };
    struct table_create_options o = { .schema = &schema, .n_partition = 2, .partition_fields = partition,
                                      .n_config = dedup ? 3 : 2, .config_keys = keys, .config_values = values };
    struct tsf_error err = TSF_ERROR_INIT;
    bool created;

    CHECK_OK(table_create(env, "t", &o, &created, &err), &err);
    CHECK(created);
}

static const char *odd_tenant = "p1";

/* Rows first..first+n-1: row i is at DAY0 + (i * 7919 % 86400) s + day (i % days). Commits one run. */
static void put(struct table_env *env, int64_t first, int64_t n, int days)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_builder b[5];
    struct tsf_vector v[5];
    struct wal_receipt receipt;
    struct wal_run *r;
    struct table *t;

    CHECK_OK(table_open(env, "t", TABLE_WAL_CREATE, -1, &t, &err), &err);
    for (int c = 0; c < 5; c++)
        CHECK_OK(tsf_builder_init(&b[c], fields[c].type, &err), &err);
    for (int64_t i = first; i < first + n; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "some text of row %lld", (long long)i);
        CHECK_OK(tsf_builder_null(&b[0], &err), &err); /* derived */
        CHECK_OK(tsf_builder_i64(&b[1], DAY0 + (i * 7919 % 86400) * 1000000 + i % days * TSF_US_PER_DAY, &err), &err);
        if (i % 11 == 5)
            CHECK_OK(tsf_builder_null(&b[2], &err), &err);
        else
            CHECK_OK(tsf_builder_str(&b[2], i % 2 ? odd_tenant : "p 2/%", i % 2 ? strlen(odd_tenant) : 5, &err), &err);
        CHECK_OK(tsf_builder_i64(&b[3], i, &err), &err);
        CHECK_OK(tsf_builder_str(&b[4], text, (size_t)len, &err), &err);
    }
    for (int c = 0; c < 5; c++)
        CHECK_OK(tsf_builder_vector(&b[c], &a, &v[c], &err), &err);
    struct tsf_batch batch = { .length = n, .n_columns = 5, .columns = v };
    CHECK_OK(wal_run_begin(t->wal, t->schema, &r, &err), &err);
    CHECK_OK(wal_run_append(r, WAL_INSERT, -1, &batch, &err), &err);
    CHECK_OK(wal_run_commit(r, &receipt, &err), &err);
    for (int c = 0; c < 5; c++)
        tsf_builder_release(&b[c]);
    tsf_arena_release(&a);
    table_close(t);
}

struct seen {
    int manifests, n_added, n_removed, cached;
    int64_t rows;
    char last[20000];
};

static enum tsf_err note(void *ctx, struct table_manifest *m, struct tsf_error *err)
{
    struct seen *s = ctx;
    struct tsf_buf line = TSF_BUF_INIT(0);

    s->manifests++;
    s->n_added += m->n_added;
    s->n_removed += m->n_removed;
    for (int i = 0; i < m->n_added; i++) {
        s->rows += m->added[i].rows;
        s->cached += m->added[i].cached;
    }
    CHECK_OK(table_manifest_print(m, &line, err), err);
    snprintf(s->last, sizeof s->last, "%.*s", (int)line.len, (const char *)line.data);
    tsf_buf_release(&line);
    return TSF_OK;
}

static int64_t flush_memory;

static struct seen flush(struct table_env *env)
{
    struct maintain_flush_options o = { .threads = 2, .memory_limit = flush_memory };
    struct tsf_error err = TSF_ERROR_INIT;
    struct seen s = { 0 };

    CHECK_OK(maintain_flush(env, "t", &o, note, &s, &err), &err);
    return s;
}

static struct seen compact(struct table_env *env, enum maintain_compact_mode mode, int64_t memory)
{
    struct maintain_compact_options o = { .mode = mode, .window_us = -1, .threads = 2, .memory_limit = memory };
    struct tsf_error err = TSF_ERROR_INIT;
    struct seen s = { 0 };

    CHECK_OK(maintain_compact(env, "t", &o, note, &s, &err), &err);
    return s;
}

struct rows {
    int64_t files, n, sum, unsorted, tail;
};

/* All rows of the live files; checks that each file is sorted and its rows belong to its partition. */
static struct rows read_all(struct table_env *env)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct rows r = { 0 };
    struct table *t;

    CHECK_OK(table_open(env, "t", TABLE_TAIL, -1, &t, &err), &err);
    r.files = t->snapshot->n_files;
    for (int64_t i = 0; i < t->n_tail; i++)
        r.tail += wal_view_rows(t->tail, i);
    for (int64_t i = 0; i < t->snapshot->n_files; i++) {
        struct tsf_source src;
        struct parquet_file pf;
        struct delta_file f;
        int64_t in_file = 0, last = INT64_MAX;
        CHECK_OK(delta_snapshot_file(t->snapshot, i, &a, &f, &err), &err);
        char *path = tsf_arena_strndup(&a, f.path.data, f.path.len);
        CHECK_OK(store_source_open(t->store, path, f.size, &src, &err), &err);
        CHECK_OK(parquet_file_open(&pf, &src, NULL, &err), &err);
        CHECK_INT(pf.schema.n_fields, 3);
        for (int g = 0; g < pf.meta->n_row_groups; g++) {
            struct parquet_column *ts, *n;
            struct tsf_vector vt, vn, ft, fn;
            CHECK_OK(parquet_column_open(&pf, g, 0, NULL, &ts, &err), &err);
            CHECK_OK(parquet_column_open(&pf, g, 1, NULL, &n, &err), &err);
            int64_t rows = parquet_column_left(ts);
            CHECK_OK(parquet_column_read(ts, rows, &a, &vt, &err), &err);
            CHECK_OK(parquet_column_read(n, rows, &a, &vn, &err), &err);
            CHECK_OK(tsf_vector_flatten(&vt, &a, &ft, &err), &err);
            CHECK_OK(tsf_vector_flatten(&vn, &a, &fn, &err), &err);
            for (int64_t k = 0; k < rows; k++) {
                int64_t us = ((const int64_t *)ft.values)[k], x = ((const int64_t *)fn.values)[k];
                r.unsorted += us > last;
                last = us;
                r.sum += x;
                r.n++;
                in_file++;
                CHECK(!f.partition[1].is_null);
                CHECK_INT(us / TSF_US_PER_DAY, f.partition[1].u.i64);
                CHECK_INT(f.partition[0].is_null, x % 11 == 5);
            }
            parquet_column_close(ts);
            parquet_column_close(n);
        }
        CHECK_INT(in_file, f.n_rows);
        parquet_file_release(&pf);
        tsf_source_close(&src);
    }
    table_close(t);
    tsf_arena_release(&a);
    return r;
}

static void check_rows(struct table_env *env, int64_t n, int64_t files)
{
    struct rows r = read_all(env);

    CHECK_INT(r.n, n);
    CHECK_INT(r.sum, n * (n - 1) / 2);
    CHECK_INT(r.unsorted, 0);
    CHECK_INT(r.tail, 0);
    if (files >= 0)
        CHECK_INT(r.files, files);
}

static void test_maintain_flush__rows_land_once_sorted_in_their_partitions(void **state)
{
    struct table_env *env = env_open();

    create(env, NULL);
    put(env, 0, 1000, 3);
    put(env, 1000, 1, 3);
    CHECK_INT(read_all(env).tail, 1001);
    struct seen s = flush(env);
    CHECK_INT(s.manifests, 1);
    CHECK_INT(s.rows, 1001);
    CHECK_INT(s.cached, s.n_added);
    check_rows(env, 1001, 9); /* 3 tenants (one NULL) x 3 days */
    s = flush(env);
    CHECK_INT(s.manifests, 0);
    put(env, 1001, 50, 1);
    CHECK_INT(flush(env).rows, 50);
    check_rows(env, 1051, -1);
    table_env_free(env);
}

static void test_maintain_flush__a_flush_that_died_after_its_commit_is_not_repeated(void **state)
{
    struct table_env *env = env_open();
    struct tsf_error err = TSF_ERROR_INIT;

    create(env, NULL);
    put(env, 0, 500, 2);
    /* The WAL as it was before the flush comes back, as if the machine stopped before segments were deleted. */
    CHECK_INT(system("cp -a data/wal saved"), 0);
    CHECK_INT(flush(env).rows, 500);
    CHECK_INT(system("rm -rf data/wal && mv saved data/wal"), 0);
    table_env_free(env);
    env = env_open();
    struct rows r = read_all(env);
    CHECK_INT(r.n, 500);
    CHECK_INT(r.tail, 0);
    CHECK_INT(flush(env).manifests, 0);
    put(env, 500, 5, 2);
    flush(env);
    check_rows(env, 505, -1);
    (void)err;
    table_env_free(env);
}

/* A power loss took what the flush had already committed, and the floor with it; or an old WAL came back from a backup. */
static void test_maintain_flush__a_wal_behind_its_table_loses_no_new_row(void **state)
{
    struct table_env *env = env_open();

    create(env, NULL);
    for (int i = 0; i < 4; i++)
        put(env, i * 10, 10, 2);
    CHECK_INT(flush(env).rows, 40);
    CHECK_INT(system("cd data/wal/* && rm -f floor state *.wal"), 0);
    put(env, 40, 10, 2);
    CHECK_INT(read_all(env).tail, 10);
    CHECK_INT(flush(env).rows, 10);
    check_rows(env, 50, -1);
    table_env_free(env);
}

static void test_maintain_flush__the_last_write_of_a_key_wins(void **state)
{
    struct table_env *env = env_open();

    create(env, "n");
    put(env, 0, 100, 2);
    put(env, 50, 100, 2);
    struct seen s = flush(env);
    CHECK_INT(s.rows, 150);
    CHECK_HAS(s.last, "\"duplicates\":50");
    check_rows(env, 150, -1);
    table_env_free(env);
}

static void test_maintain_flush__the_last_write_wins_whatever_the_memory(void **state)
{
    struct table_env *env = env_open();

    flush_memory = 1 << 20; /* a chunk is a few records */
    create(env, "n");
    for (int i = 0; i < 8; i++)
        put(env, i * 800, 1600, 2);
    struct seen s = flush(env);
    flush_memory = 0;
    CHECK_INT(s.rows, 7200);
    CHECK_HAS(s.last, "\"duplicates\":5600");
    check_rows(env, 7200, -1);
    table_env_free(env);
}

static void test_maintain_compact__merges_and_then_leaves_alone(void **state)
{
    struct table_env *env = env_open();

    create(env, NULL);
    for (int i = 0; i < 6; i++) {
        put(env, i * 400, 400, 3);
        flush(env);
    }
    check_rows(env, 2400, 54);
    struct seen s = compact(env, MAINTAIN_FULL, 0);
    CHECK_INT(s.manifests, 9);
    CHECK_INT(s.n_removed, 54);
    CHECK_INT(s.n_added, 9);
    CHECK_INT(s.rows, 2400);
    check_rows(env, 2400, 9);
    s = compact(env, MAINTAIN_FULL, 0);
    CHECK_INT(s.n_added, 0);
    CHECK_INT(s.n_removed, 0);
    CHECK_HAS(s.last, "\"partitions_skipped\":9");
    put(env, 2400, 10, 1);
    flush(env);
    s = compact(env, MAINTAIN_FULL, 0);
    CHECK_INT(s.rows > 0, 1);
    check_rows(env, 2410, 9);
    table_env_free(env);
}

static void test_maintain_compact__null_and_its_name_are_two_partitions(void **state)
{
    struct table_env *env = env_open();

    odd_tenant = "__HIVE_DEFAULT_PARTITION__";
    create(env, NULL);
    for (int i = 0; i < 2; i++) {
        put(env, i * 400, 400, 2);
        flush(env);
    }
    compact(env, MAINTAIN_FULL, 0);
    check_rows(env, 800, 4);
    odd_tenant = "p1";
    table_env_free(env);
}

static void test_maintain_compact__no_order_is_merged_piece_by_piece(void **state)
{
    struct table_create_options o = { .schema = &schema, .n_partition = 2, .partition_fields = (const int[]){ 2, 0 } };
    struct table_env *env = env_open();
    struct tsf_error err = TSF_ERROR_INIT;
    bool created;

    CHECK_OK(table_create(env, "t", &o, &created, &err), &err);
    for (int i = 0; i < 3; i++) {
        put(env, i * 30000, 30000, 1);
        flush(env);
    }
    compact(env, MAINTAIN_FULL, 1);
    struct rows r = read_all(env);
    CHECK_INT(r.n, 90000);
    CHECK_INT(r.sum, 90000LL * 89999 / 2);
    CHECK_INT(r.files, 3);
    table_env_free(env);
}

static void test_maintain_compact__light_packs_small_files(void **state)
{
    struct table_env *env = env_open();

    create(env, NULL);
    for (int i = 0; i < 5; i++) {
        put(env, i * 100, 100, 1);
        flush(env);
    }
    struct seen s = compact(env, MAINTAIN_LIGHT, 0);
    CHECK_INT(s.n_added, 3);
    check_rows(env, 500, 3);
    CHECK_INT(compact(env, MAINTAIN_LIGHT, 0).n_added, 0);
    table_env_free(env);
}

static void test_maintain_compact__little_memory_gives_the_same_rows(void **state)
{
    struct table_env *env = env_open();

    create(env, NULL);
    for (int i = 0; i < 3; i++) {
        put(env, i * 40000, 40000, 1);
        flush(env);
    }
    compact(env, MAINTAIN_FULL, 1 << 20); /* several ranges */
    check_rows(env, 120000, 3);
    table_env_free(env);
}

static void test_maintain_vacuum__deletes_what_was_replaced_and_nothing_else(void **state)
{
    struct table_env *env = env_open();
    struct maintain_vacuum_options o = { .retention_us = -1 };
    struct tsf_error err = TSF_ERROR_INIT;
    struct seen s = { 0 };

    create(env, NULL);
    for (int i = 0; i < 3; i++) {
        put(env, i * 100, 100, 1);
        flush(env);
    }
    compact(env, MAINTAIN_FULL, 0);
    CHECK_INT(system("touch tables/t/README tables/t/_hidden.parquet tables/t/orphan.parquet"), 0);
    CHECK_ERR(maintain_vacuum(env, "t", &o, note, &s, &err), TSF_ERR_INVALID);
    CHECK_HAS(err.msg, "24h");
    o.force = o.dry_run = true;
    tsf_error_reset(&err);
    CHECK_OK(maintain_vacuum(env, "t", &o, note, &s, &err), &err);
    CHECK_INT(s.n_removed, 10);
    check_rows(env, 300, 3);
    o.dry_run = false;
    CHECK_OK(maintain_vacuum(env, "t", &o, note, &s, &err), &err);
    check_rows(env, 300, 3);
    CHECK_INT(system("test $(find tables/t -name '*.parquet' ! -path '*/_delta_log/*' | wc -l) -eq 4 && test -e tables/t/README"), 0);
    s = (struct seen){ 0 };
    CHECK_OK(maintain_vacuum(env, "t", &o, note, &s, &err), &err);
    CHECK_INT(s.n_removed, 0);
    table_env_free(env);
}

static void test_maintain_cache__warm_and_evict_by_manifest_and_by_hand(void **state)
{
    struct table_env *env = env_open();
    struct maintain_cache_options o = { 0 };
    struct maintain_cache_result r;
    struct tsf_error err = TSF_ERROR_INIT;
    struct table_manifest m = TABLE_MANIFEST_INIT;
    struct tsf_buf line = TSF_BUF_INIT(0);

    create(env, NULL);
    put(env, 0, 100, 3);
    struct seen s = flush(env);
    CHECK_OK(table_manifest_parse(&m, tsf_str(s.last), &err), &err);
    CHECK_OK(maintain_warm(env, NULL, &m, &o, &r, &err), &err);
    CHECK_INT(r.files, 9);
    CHECK_INT(r.hits, 9); /* the flush left them there */
    CHECK_OK(table_manifest_print(&m, &line, &err), &err);
    CHECK_HAS(tsf_buf_cstr(&line), "\"warm\":{\"files\":9");
    o.partition = "tenant=p 2%2F%25";
    CHECK_OK(maintain_evict(env, "t", NULL, &o, &r, &err), &err);
    CHECK_INT(r.files, 3);
    CHECK_INT(r.hits, 3);
    o.partition = NULL;
    CHECK_OK(maintain_warm(env, "t", NULL, &o, &r, &err), &err);
    CHECK_INT(r.hits, 6);
    CHECK_INT(r.failed, 0);
    put(env, 100, 100, 3);
    flush(env);
    s = compact(env, MAINTAIN_FULL, 0);
    CHECK_OK(table_manifest_parse(&m, tsf_str(s.last), &err), &err);
    CHECK_OK(maintain_evict(env, NULL, &m, &o, &r, &err), &err);
    CHECK_INT(r.files, m.n_removed);
    CHECK_INT(r.hits, m.n_removed);
    o.partition = "nosuch=1";
    CHECK_ERR(maintain_warm(env, "t", NULL, &o, &r, &err), TSF_ERR_INVALID);
    table_manifest_release(&m);
    tsf_buf_release(&line);
    table_env_free(env);
}

static void test_table_manifest__hostile_lines_are_refused(void **state)
{
    static const char *const bad[] = {
        "", "{", "[]", "{\"tsf\":2,\"op\":\"x\",\"table\":\"t\"}", "{\"op\":\"x\",\"table\":\"t\"}",
        "{\"tsf\":1,\"op\":\"x\"}", "{\"tsf\":1,\"op\":\"x\",\"table\":\"t\",\"added\":{}}",
        "{\"tsf\":1,\"op\":\"x\",\"table\":\"t\",\"added\":[{\"path\":\"../x\"}]}",
        "{\"tsf\":1,\"op\":\"x\",\"table\":\"t\",\"added\":[{\"path\":\"/etc/passwd\"}]}",
        "{\"tsf\":1,\"op\":\"x\",\"table\":\"t\",\"added\":[{\"path\":\"a//b\"}]}",
        "{\"tsf\":1,\"op\":\"x\",\"table\":\"t\",\"removed\":[{\"path\":\"s3://other/x\"}]}",
        "{\"tsf\":1,\"op\":\"x\",\"table\":\"t\",\"removed\":[{\"path\":\"a\\u0000b\"}]}",
        "{\"tsf\":1,\"op\":\"x\",\"table\":\"t\",\"added\":[{\"path\":\"a\",\"size\":-1}]}",
        "{\"tsf\":1,\"op\":\"x\",\"table\":\"t\",\"added\":[{\"path\":\"a\",\"footer\":[1]}]}",
    };
    for (size_t i = 0; i < TSF_ARRAY_LEN(bad); i++) {
        struct table_manifest m = TABLE_MANIFEST_INIT;
        struct tsf_error err = TSF_ERROR_INIT;
        if (table_manifest_parse(&m, tsf_str(bad[i]), &err) == TSF_OK)
            TEST_FAIL("accepted: %s", bad[i]);
        CHECK(err.msg[0]);
        table_manifest_release(&m);
    }
}

TEST_MAIN(TEST(test_maintain_flush__rows_land_once_sorted_in_their_partitions),
          TEST(test_maintain_flush__a_flush_that_died_after_its_commit_is_not_repeated),
          TEST(test_maintain_flush__the_last_write_of_a_key_wins), TEST(test_maintain_compact__merges_and_then_leaves_alone),
          TEST(test_maintain_flush__the_last_write_wins_whatever_the_memory),
          TEST(test_maintain_flush__a_wal_behind_its_table_loses_no_new_row),
          TEST(test_maintain_compact__null_and_its_name_are_two_partitions),
          TEST(test_maintain_compact__no_order_is_merged_piece_by_piece),
          TEST(test_maintain_compact__light_packs_small_files), TEST(test_maintain_compact__little_memory_gives_the_same_rows),
          TEST(test_maintain_vacuum__deletes_what_was_replaced_and_nothing_else),
          TEST(test_maintain_cache__warm_and_evict_by_manifest_and_by_hand), TEST(test_table_manifest__hostile_lines_are_refused))
