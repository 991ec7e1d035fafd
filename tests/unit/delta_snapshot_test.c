#include "delta_helper.h"

/* ---- logs written by hand ---- */

#define PROTOCOL "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define SCHEMA "{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"x\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}]}"
#define METADATA "{\"metaData\":{\"id\":\"i\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"" SCHEMA "\"," \
                 "\"partitionColumns\":[],\"configuration\":{},\"createdTime\":1}}\n"
#define ADD(path) "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,\"dataChange\":true}}\n"

static struct store *log_store(const char *const *commits, int n)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct store *s = NULL;

    CHECK_OK(store_memory_new(&s, &err), &err);
    for (int i = 0; i < n; i++) {
        char key[DELTA_KEY_MAX];

        delta_log_commit_key(i, key);
        if (commits[i] != NULL)
            CHECK_OK(store_put(s, key, commits[i], strlen(commits[i]), true, &err), &err);
    }
    return s;
}

static void refused(const char *const *commits, int n, enum tsf_err code, const char *words)
{
    struct store *s = log_store(commits, n);
    struct tsf_error err = TSF_ERROR_INIT;
    struct delta_snapshot *snap;

    CHECK_ERR(delta_snapshot_load(s, NULL, -1, &snap, &err), code);
    CHECK_HAS(err.msg, words);
    store_free(s);
}

#define REFUSED(code, words, ...)                                         \
    do {                                                                  \
        const char *commits[] = { __VA_ARGS__ };                          \
        refused(commits, (int)TSF_ARRAY_LEN(commits), code, words);       \
    } while (0)

static void test_delta_load__broken_logs_are_refused(void **state)
{
    (void)state;
    REFUSED(TSF_ERR_FORMAT, "no protocol", METADATA);
    REFUSED(TSF_ERR_FORMAT, "no metaData", PROTOCOL);
    REFUSED(TSF_ERR_FORMAT, "version 1 is missing", PROTOCOL METADATA, NULL, ADD("a"));
    REFUSED(TSF_ERR_FORMAT, "version 0 is missing", NULL, PROTOCOL METADATA);
    REFUSED(TSF_ERR_FORMAT, "00000000000000000000.json line 3", PROTOCOL METADATA "{\"add\":{\"path\":\"a\"");
    REFUSED(TSF_ERR_FORMAT, "without a path", PROTOCOL METADATA "{\"add\":{\"size\":1}}");
    REFUSED(TSF_ERR_FORMAT, "leaves the table", PROTOCOL METADATA ADD("../x"));
    REFUSED(TSF_ERR_FORMAT, "leaves the table", PROTOCOL METADATA ADD("a/%2e%2E/x"));
    REFUSED(TSF_ERR_FORMAT, "percent escape", PROTOCOL METADATA ADD("a%2"));
    REFUSED(TSF_ERR_FORMAT, "NUL", PROTOCOL METADATA ADD("a%00"));
    REFUSED(TSF_ERR_UNSUPPORTED, "version 4", "{\"protocol\":{\"minReaderVersion\":4,\"minWriterVersion\":7}}\n" METADATA);
    REFUSED(TSF_ERR_UNSUPPORTED, "\"flux\"",
            "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"timestampNtz\",\"flux\"],"
            "\"writerFeatures\":[\"flux\"]}}\n" METADATA);
    REFUSED(TSF_ERR_UNSUPPORTED, "\"orc\"", PROTOCOL "{\"metaData\":{\"id\":\"i\",\"format\":{\"provider\":\"orc\"},\"schemaString\":\"" SCHEMA "\"}}");
    REFUSED(TSF_ERR_FORMAT, "partition column \"y\"",
            PROTOCOL "{\"metaData\":{\"id\":\"i\",\"schemaString\":\"" SCHEMA "\",\"partitionColumns\":[\"y\"]}}");
}

static void test_delta_load__writer_features_keep_writers_out(void **state)
{
    const char *commits[] = { "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"appendOnly\",\"flux\"]}}\n" METADATA };
    struct store *s = log_store(commits, 1);
    struct delta_snapshot *snap = dh_load(s, NULL, -1);
    struct tsf_error err = TSF_ERROR_INIT;

    (void)state;
    CHECK_ERR(delta_snapshot_writable(snap, &err), TSF_ERR_UNSUPPORTED);
    CHECK_HAS(err.msg, "\"flux\"");
    delta_snapshot_free(snap);
    store_free(s);
}

static void test_delta_load__newest_action_wins(void **state)
{
    const char *commits[] = {
        PROTOCOL METADATA ADD("a") ADD("b%20c") ADD("file:/x/y") "\n",
        "{\"remove\":{\"path\":\"a\",\"deletionTimestamp\":5,\"dataChange\":true}}\r\n"
        "{\"remove\":{\"path\":\"file:///x/y\",\"deletionTimestamp\":6,\"dataChange\":true}}\n"
        "{\"txn\":{\"appId\":\"app\",\"version\":3}}\n{\"cdc\":{\"path\":\"_change_data/q\"}}\n{\"future\":{\"a\":[1,{}]}}\n"
        "{\"domainMetadata\":{\"domain\":\"d1\",\"configuration\":\"{}\",\"removed\":false}}\n"
        "{\"domainMetadata\":{\"domain\":\"d2\",\"configuration\":\"x\",\"removed\":false}}\n",
        ADD("a") "{\"txn\":{\"appId\":\"app\",\"version\":4}}\n{\"domainMetadata\":{\"domain\":\"d1\",\"configuration\":\"\",\"removed\":true}}\n"
        "{\"commitInfo\":{\"inCommitTimestamp\":1234567,\"operation\":\"X\",\"operationParameters\":{\"a\":[1]}}}\n",
    };
    struct store *s = log_store(commits, 3);
    struct delta_snapshot *snap = dh_load(s, NULL, -1);

    (void)state;
    CHECK_INT(snap->n_files, 2);
    CHECK_INT(snap->n_removed, 1);
    CHECK(delta_snapshot_find(snap, TSF_STR("a")) >= 0);
    CHECK(delta_snapshot_find(snap, TSF_STR("b c")) >= 0);
    CHECK(delta_snapshot_find(snap, TSF_STR("b%20c")) < 0);
    CHECK_INT(delta_snapshot_txn(snap, "app"), 4);
    CHECK_INT(snap->n_domains, 1);
    CHECK_STR(snap->domains[0].domain, "d2");
    CHECK_INT(snap->timestamp_ms, 1234567);
    CHECK_INT(snap->n_rows[0], -1);
    delta_snapshot_free(snap);
    snap = dh_load(s, NULL, 1);
    CHECK_INT(snap->n_files, 1);
    CHECK_INT(snap->n_removed, 2);
    delta_snapshot_free(snap);
    store_free(s);
}

/* ---- bounds ---- */

#define SCHEMA2 "{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[" \
    "{\\\"name\\\":\\\"i\\\",\\\"type\\\":\\\"integer\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}," \
    "{\\\"name\\\":\\\"f\\\",\\\"type\\\":\\\"double\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}," \
    "{\\\"name\\\":\\\"t\\\",\\\"type\\\":\\\"timestamp\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}," \
    "{\\\"name\\\":\\\"s\\\",\\\"type\\\":\\\"string\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}," \
    "{\\\"name\\\":\\\"d\\\",\\\"type\\\":\\\"decimal(10,2)\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}," \
    "{\\\"name\\\":\\\"l\\\",\\\"type\\\":{\\\"type\\\":\\\"array\\\",\\\"elementType\\\":\\\"long\\\",\\\"containsNull\\\":true},\\\"nullable\\\":true,\\\"metadata\\\":{}}]}"
#define FILE_WITH(path, tags, stats) "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":1000,\"modificationTime\":1,\"dataChange\":true," \
    tags "\"stats\":\"" stats "\"}}\n"

static const struct delta_bounds *bounds(struct delta_snapshot *s, int field)
{
    struct tsf_error err = TSF_ERROR_INIT;
    const struct delta_bounds *b = NULL;

    CHECK_OK(delta_snapshot_bounds(s, field, &b, &err), &err);
    return b;
}

static bool bound(const struct tsf_vector *v, int64_t row, struct tsf_value *out)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    bool known = tsf_vector_present(v, row);

    if (known)
        CHECK_OK(tsf_vector_get(v, row, &a, out, NULL), NULL);
    tsf_arena_release(&a);
    return known;
}

static void test_delta_bounds__what_may_be_believed(void **state)
{
    const char *commits[] = {
        PROTOCOL "{\"metaData\":{\"id\":\"i\",\"schemaString\":\"" SCHEMA2 "\",\"partitionColumns\":[],\"configuration\":{}}}\n"
        FILE_WITH("ours", "\"tags\":{\"tsf.footer\":\"100,50\"},",
                  "{\\\"numRecords\\\":7,\\\"minValues\\\":{\\\"i\\\":-3,\\\"f\\\":0.5,\\\"t\\\":\\\"2026-11-20T00:00:00.000001Z\\\",\\\"s\\\":\\\"a\\\\\\\"b\\\",\\\"d\\\":1.25},"
                  "\\\"maxValues\\\":{\\\"i\\\":9,\\\"f\\\":1.5,\\\"t\\\":\\\"2026-11-20T00:00:00.000002Z\\\",\\\"s\\\":\\\"0123456789012345678901234567890x\\\",\\\"d\\\":99999999.99},"
                  "\\\"nullCount\\\":{\\\"i\\\":1,\\\"f\\\":0,\\\"l\\\":2}}")
        FILE_WITH("theirs", "",
                  "{\\\"numRecords\\\":8,\\\"tightBounds\\\":true,\\\"minValues\\\":{\\\"f\\\":0.5,\\\"t\\\":\\\"2026-11-20T00:00:00.001Z\\\",\\\"d\\\":1.255},"
                  "\\\"maxValues\\\":{\\\"f\\\":1.5,\\\"t\\\":\\\"2026-11-20T00:00:00.001Z\\\",\\\"i\\\":99999999999999999999}}")
        FILE_WITH("broken", "", "{\\\"numRecords\\\":9,\\\"minValues\\\":{\\\"i\\\":1},\\\"maxValues\\\":{\\\"i\\\":")
    };
    struct store *s = log_store(commits, 1);
    struct delta_snapshot *snap = dh_load(s, NULL, -1);
    int64_t ours = delta_snapshot_find(snap, TSF_STR("ours")), theirs = delta_snapshot_find(snap, TSF_STR("theirs")),
            broken = delta_snapshot_find(snap, TSF_STR("broken"));
    const struct delta_bounds *b;
    struct tsf_value v;

    (void)state;
    CHECK_INT(snap->n_rows[ours], 7);
    CHECK_INT(snap->n_rows[broken], 9);
    b = bounds(snap, 0);
    CHECK(b->any && bound(&b->min, ours, &v) && v.u.i64 == -3 && bound(&b->max, ours, &v) && v.u.i64 == 9);
    CHECK_INT(b->exact[ours], 3);
    CHECK_INT(b->null_count[ours], 1);
    CHECK_INT(b->null_count[theirs], -1);
    CHECK(!bound(&b->max, theirs, &v) && !bound(&b->min, broken, &v));
    b = bounds(snap, 1);
    CHECK(bound(&b->max, ours, &v) && v.u.f64 == 1.5 && b->exact[ours] == 3);
    CHECK(bound(&b->min, theirs, &v) && !bound(&b->max, theirs, &v)); /* NaN may hide above */
    b = bounds(snap, 2);
    CHECK(bound(&b->min, ours, &v) && v.u.i64 % 1000000 == 1 && b->exact[ours] == 3);
    CHECK(bound(&b->max, theirs, &v) && v.u.i64 % 1000000 == 1999 && b->exact[theirs] == 0);
    b = bounds(snap, 3);
    CHECK(bound(&b->min, ours, &v) && tsf_str_eqz(v.u.s, "a\"b"));
    CHECK_INT(b->exact[ours], 1); /* 32 characters may have been cut */
    b = bounds(snap, 4);
    CHECK(bound(&b->max, ours, &v) && v.u.i128 == 9999999999LL);
    CHECK(!bound(&b->min, theirs, &v)); /* more digits than the type has */
    b = bounds(snap, 5);
    CHECK(!b->any && b->null_count[ours] == 2);
    delta_snapshot_free(snap);
    store_free(s);
}

/* ---- cache ---- */

static void same_snapshot(struct delta_snapshot *a, struct delta_snapshot *b)
{
    CHECK_INT(a->version, b->version);
    CHECK_INT(a->n_files, b->n_files);
    CHECK_INT(a->n_removed, b->n_removed);
    CHECK_INT(a->n_txns, b->n_txns);
    CHECK_INT(a->timestamp_ms, b->timestamp_ms);
    CHECK_STR(a->metadata.id, b->metadata.id);
    for (int64_t i = 0; i < a->n_files; i++) {
        int64_t j = delta_snapshot_find(b, delta_snapshot_path(a, i));
        struct tsf_arena arena = TSF_ARENA_INIT;
        struct delta_file x, y;

        CHECK(j >= 0);
        CHECK_OK(delta_snapshot_file(a, i, &arena, &x, NULL), NULL);
        CHECK_OK(delta_snapshot_file(b, j, &arena, &y, NULL), NULL);
        CHECK(tsf_str_eq(x.raw_path, y.raw_path) && tsf_str_eq(x.stats, y.stats) && tsf_str_eq(x.clustering, y.clustering));
        CHECK_INT(a->size[i], b->size[j]);
        CHECK_INT(a->n_rows[i], b->n_rows[j]);
        CHECK_INT(x.footer_offset, y.footer_offset);
        for (int f = 0; f < 5; f++) {
            const struct delta_bounds *p = bounds(a, f), *q = bounds(b, f);
            struct tsf_value v, w;

            CHECK(p->any == q->any);
            CHECK_INT(p->null_count[i], q->null_count[j]);
            CHECK_INT(p->exact[i], q->exact[j]);
            CHECK(bound(&p->min, i, &v) == bound(&q->min, j, &w));
            if (tsf_vector_present(&p->min, i))
                CHECK(tsf_value_cmp(&v, &w) == 0);
            CHECK(bound(&p->max, i, &v) == bound(&q->max, j, &w));
            if (tsf_vector_present(&p->max, i))
                CHECK(tsf_value_cmp(&v, &w) == 0);
        }
        for (int k = 0; k < 2; k++) {
            const struct tsf_vector *p, *q;
            struct tsf_value v, w;

            CHECK_OK(delta_snapshot_partition(a, k, &p, NULL), NULL);
            CHECK_OK(delta_snapshot_partition(b, k, &q, NULL), NULL);
            CHECK(bound(p, i, &v) && bound(q, j, &w) && tsf_value_cmp(&v, &w) == 0);
        }
        tsf_arena_release(&arena);
    }
}

static void test_delta_cache__a_cached_snapshot_is_the_same(void **state)
{
    struct cache *c = cache_open(test_path("cache"));
    struct store *s = dh_store();
    struct tsf_error err = TSF_ERROR_INIT;
    struct delta_snapshot *writer, *cached, *plain;
    const char *f1[] = { "b1", "b2", NULL };

    (void)state;
    dh_create(s, NULL, NULL);
    writer = dh_load(s, NULL, -1);
    for (int round = 0; round < 3; round++) {
        char prefix[2] = { (char)('b' + round), 0 };

        CHECK_OK(dh_commit(&writer, prefix, 20, round == 1 ? f1 : NULL, true, DELTA_READ_NOTHING, &err), &err);
        for (int pass = 0; pass < 3; pass++) {
            cached = dh_load(s, c, -1);
            plain = dh_load(s, NULL, -1);
            CHECK(cached->from_cache == (round > 0 || pass > 0));
            CHECK_INT(cached->n_commits_read, pass == 0 ? (round == 0 ? 2 : 1) : 0);
            same_snapshot(cached, plain);
            same_snapshot(plain, cached);
            delta_snapshot_free(cached);
            delta_snapshot_free(plain);
        }
    }
    cached = dh_load(s, c, 1); /* older than the blob: from the log */
    CHECK_INT(cached->version, 1);
    CHECK(!cached->from_cache);
    CHECK_OK(delta_snapshot_refresh(&cached, &err), &err);
    CHECK_INT(cached->version, 3);
    same_snapshot(cached, writer);
    delta_snapshot_free(cached);
    delta_snapshot_free(writer);
    store_free(s);
    cache_free(c);
}

static void test_delta_cache__another_table_of_the_same_name_is_noticed(void **state)
{
    struct cache *c = cache_open(test_path("cache"));
    struct store *s = dh_store();
    struct delta_snapshot *snap;
    struct tsf_error err = TSF_ERROR_INIT;
    char id[64], key[DELTA_KEY_MAX];
    const char *keys[] = { key };

    (void)state;
    dh_create(s, NULL, NULL);
    snap = dh_load(s, c, -1);
    snprintf(id, sizeof id, "%s", snap->metadata.id);
    delta_snapshot_free(snap);
    delta_log_commit_key(0, key);
    CHECK_OK(store_delete(s, keys, 1, &err), &err);
    CHECK_ERR(delta_snapshot_load(s, c, -1, &snap, NULL), TSF_ERR_NOT_FOUND);
    dh_create(s, NULL, NULL);
    snap = dh_load(s, c, -1);
    CHECK(strcmp(id, snap->metadata.id) != 0);
    CHECK(!snap->from_cache);
    delta_snapshot_free(snap);
    snap = dh_load(s, c, -1);
    CHECK(snap->from_cache);
    delta_snapshot_free(snap);
    store_free(s);
    cache_free(c);
}

/* ---- checkpoints ---- */

static void test_delta_checkpoint__is_what_the_log_was(void **state)
{
    struct store *s = dh_store();
    struct tsf_error err = TSF_ERROR_INIT;
    struct delta_snapshot *writer, *snap, *full;
    const char *f[] = { "c1", "c2", NULL };
    char **keys;
    struct tsf_arena a = TSF_ARENA_INIT;
    int64_t n;

    (void)state;
    dh_create(s, "delta.checkpointInterval", "4");
    writer = dh_load(s, NULL, -1);
    for (int i = 0; i < 9; i++) {
        char prefix[2] = { (char)('b' + i), 0 };

        CHECK_OK(dh_commit(&writer, prefix, 5, i == 3 ? f : NULL, i % 2, DELTA_READ_FILES, &err), &err);
    }
    CHECK_INT(writer->checkpoint_version, 8);
    CHECK_INT(delta_log_last_checkpoint(s), 8);
    snap = dh_load(s, NULL, -1);
    CHECK_INT(snap->checkpoint_version, 8);
    CHECK_INT(snap->n_commits_read, 1);
    CHECK_INT(snap->n_files, 43);
    same_snapshot(snap, writer);
    CHECK_INT(snap->n_removed, 2);
    delta_snapshot_free(snap);
    full = dh_load(s, NULL, 6);
    CHECK_INT(full->checkpoint_version, 4);
    delta_snapshot_free(full);

    CHECK_OK(delta_log_expired(s, tsf_now_us() / 1000 + 1000, &a, &keys, &n, &err), &err);
    CHECK_INT(n, 9); /* commits 0 to 7 and checkpoint 4 */
    CHECK_OK(store_delete(s, (const char *const *)keys, n, &err), &err);
    snap = dh_load(s, NULL, -1);
    same_snapshot(snap, writer);
    delta_snapshot_free(snap);
    CHECK_ERR(delta_snapshot_load(s, NULL, 7, &snap, &err), TSF_ERR_NOT_FOUND);
    CHECK_HAS(err.msg, "any more");
    CHECK_OK(store_put(s, "_delta_log/_last_checkpoint", "{\"version\":77}", 14, false, NULL), NULL); /* a hint that lies */
    snap = dh_load(s, NULL, -1);
    same_snapshot(snap, writer);
    delta_snapshot_free(snap);
    CHECK_OK(delta_log_expired(s, 0, &a, &keys, &n, NULL), NULL);
    CHECK_INT(n, 0);
    tsf_arena_release(&a);
    delta_snapshot_free(writer);
    store_free(s);
}

/* ---- history ---- */

static enum tsf_err history_one(void *ctx, const struct delta_commit_info *info, struct tsf_error *err)
{
    int64_t *next = ctx;

    (void)err;
    CHECK_INT(info->version, *next);
    CHECK(tsf_str_eqz(info->operation, info->version == 0 ? "CREATE TABLE" : "WRITE"));
    CHECK(tsf_str_eqz(info->engine, DELTA_ENGINE_INFO));
    CHECK_INT(info->n_adds, info->version == 0 ? 0 : 2);
    CHECK(info->timestamp_ms > 1600000000000);
    return --*next == 1 ? TSF_END : TSF_OK;
}

static void test_delta_history__newest_first(void **state)
{
    struct store *s = dh_store();
    struct tsf_error err = TSF_ERROR_INIT;
    struct delta_snapshot *writer;
    int64_t next = 3;

    (void)state;
    dh_create(s, NULL, NULL);
    writer = dh_load(s, NULL, -1);
    for (int i = 0; i < 3; i++) {
        char prefix[2] = { (char)('b' + i), 0 };

        CHECK_OK(dh_commit(&writer, prefix, 2, NULL, true, DELTA_READ_NOTHING, &err), &err);
    }
    CHECK_OK(delta_history(s, 0, history_one, &next, &err), &err);
    CHECK_INT(next, 1);
    delta_snapshot_free(writer);
    CHECK_OK(delta_snapshot_load_at(s, NULL, tsf_now_us() / 1000 + 1000, &writer, &err), &err);
    CHECK_INT(writer->version, 3);
    delta_snapshot_free(writer);
    CHECK_ERR(delta_snapshot_load_at(s, NULL, 1000, &writer, NULL), TSF_ERR_NOT_FOUND);
    store_free(s);
}

static void test_delta_interval__of_table_properties(void **state)
{
    int64_t us = 0;

    (void)state;
    CHECK(delta_interval_parse("interval 1 week", &us) && us == 7 * TSF_US_PER_DAY);
    CHECK(delta_interval_parse("INTERVAL 2 days 3 hours", &us) && us == 51 * 3600 * TSF_US_PER_SEC);
    CHECK(delta_interval_parse("30 days", &us) && us == 30 * TSF_US_PER_DAY);
    CHECK(delta_interval_parse("48h", &us) && us == 2 * TSF_US_PER_DAY);
    CHECK(!delta_interval_parse("interval", &us));
    CHECK(!delta_interval_parse("interval 3 moons", &us));
    CHECK(!delta_interval_parse("interval 9223372036854775807 weeks", &us));
}

TEST_MAIN(TEST(test_delta_load__broken_logs_are_refused), TEST(test_delta_load__writer_features_keep_writers_out),
          TEST(test_delta_load__newest_action_wins), TEST(test_delta_bounds__what_may_be_believed),
          TEST(test_delta_cache__a_cached_snapshot_is_the_same),
          TEST(test_delta_cache__another_table_of_the_same_name_is_noticed), TEST(test_delta_checkpoint__is_what_the_log_was),
          TEST(test_delta_history__newest_first), TEST(test_delta_interval__of_table_properties))
