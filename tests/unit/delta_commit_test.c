#include "delta_helper.h"

#include <sys/wait.h>

static void test_delta_create__is_a_table_once(void **state)
{
    struct store *s = dh_store();
    struct delta_create_options o = { .schema = &dh_schema, .n_partition = 2, .partition_fields = dh_partition };
    struct delta_snapshot *snap;
    struct tsf_error err = TSF_ERROR_INIT;
    bool exists = true;

    (void)state;
    CHECK_OK(delta_table_exists(s, &exists, &err), &err);
    CHECK(!exists);
    CHECK_ERR(delta_snapshot_load(s, NULL, -1, &snap, &err), TSF_ERR_NOT_FOUND);
    CHECK_HAS(err.msg, "not a Delta table");
    dh_create(s, "tsf.sort", "t desc");
    CHECK_OK(delta_table_exists(s, &exists, NULL), &err);
    CHECK(exists);
    CHECK_ERR(delta_create_table(s, &o, NULL), TSF_ERR_CONFLICT);
    snap = dh_load(s, NULL, -1);
    CHECK_INT(snap->version, 0);
    CHECK_INT(snap->n_files, 0);
    CHECK_INT(snap->protocol.min_reader, 1);
    CHECK_INT(snap->protocol.min_writer, 2);
    CHECK_INT(snap->metadata.n_partition, 2);
    CHECK_INT(snap->metadata.partition_fields[1], 1);
    CHECK_INT(snap->metadata.schema.n_fields, 5);
    CHECK_STR(delta_config_get(&snap->metadata, "tsf.sort"), "t desc");
    CHECK(delta_config_get(&snap->metadata, "tsf") == NULL);
    delta_snapshot_free(snap);
    store_free(s);
}

static void test_delta_create__timestamp_ntz_is_a_feature(void **state)
{
    static const struct tsf_field fields[] = { { .name = "n", .type = TSF_T(TIMESTAMP_NTZ), .nullable = true, .field_id = -1 } };
    struct tsf_schema schema = { 1, (struct tsf_field *)(uintptr_t)fields };
    struct delta_create_options o = { .schema = &schema };
    const char *key = "delta.enableChangeDataFeed", *value = "true";
    struct store *s = dh_store();
    struct tsf_error err = TSF_ERROR_INIT;
    struct delta_snapshot *snap;

    (void)state;
    o.n_config = 1;
    o.config_keys = &key;
    o.config_values = &value;
    CHECK_ERR(delta_create_table(s, &o, NULL), TSF_ERR_UNSUPPORTED);
    o.n_config = 0;
    CHECK_OK(delta_create_table(s, &o, &err), &err);
    snap = dh_load(s, NULL, -1);
    CHECK_INT(snap->protocol.min_reader, 3);
    CHECK_INT(snap->protocol.min_writer, 7);
    CHECK_STR(snap->protocol.reader_features[0], "timestampNtz");
    CHECK_OK(delta_snapshot_writable(snap, &err), &err);
    delta_snapshot_free(snap);
    store_free(s);
}

static void test_delta_commit__adds_and_removes(void **state)
{
    struct store *s = dh_store();
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct delta_snapshot *snap, *again;
    struct delta_file f;
    int64_t deleted_ms;
    const char *gone[] = { "f1", NULL };

    (void)state;
    dh_create(s, NULL, NULL);
    snap = dh_load(s, NULL, -1);
    CHECK_OK(dh_commit(&snap, "f", 3, NULL, true, DELTA_READ_NOTHING, &err), &err);
    CHECK_OK(dh_commit(&snap, "g", 1, gone, false, DELTA_READ_FILES, &err), &err);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(snap->version, 2);
        CHECK_INT(snap->n_files, 3);
        CHECK_INT(snap->n_removed, 1);
        CHECK(dh_find(snap, "f1") < 0 && dh_find(snap, "g0") >= 0);
        CHECK_OK(delta_snapshot_file(snap, dh_find(snap, "f2"), &a, &f, &err), &err);
        CHECK_INT(f.size, 1002);
        CHECK_INT(f.n_rows, 10);
        CHECK_INT(f.footer_offset, 500);
        CHECK_INT(f.footer_length, 100);
        CHECK(f.data_change && !f.is_absolute);
        CHECK(tsf_str_eqz(f.clustering, "z1"));
        CHECK(tsf_str_eqz(f.raw_path, "p=a%253Ab/d=2026-11-20/f2"));
        CHECK(tsf_str_eqz(f.partition[0].u.s, "a:b"));
        CHECK_INT(f.partition[1].u.i64, 20777);
        CHECK_OK(delta_snapshot_removed(snap, 0, &a, &f, &deleted_ms, &err), &err);
        CHECK(tsf_str_eqz(f.path, "p=a%3Ab/d=2026-11-20/f1"));
        CHECK(f.partition != NULL && deleted_ms > 1600000000000);
        again = dh_load(s, NULL, -1);
        delta_snapshot_free(snap);
        snap = again;
    }
    delta_snapshot_free(snap);
    snap = dh_load(s, NULL, 1);
    CHECK_INT(snap->n_files, 3);
    CHECK(dh_find(snap, "f1") >= 0);
    delta_snapshot_free(snap);
    CHECK_ERR(delta_snapshot_load(s, NULL, 3, &snap, &err), TSF_ERR_NOT_FOUND);
    CHECK_HAS(err.msg, "newest is 2");
    tsf_arena_release(&a);
    store_free(s);
}

/* Two writers from one snapshot; the second's commit meets the first's. */
static enum tsf_err race(const char *config, const char *const *removes1, bool change1, enum delta_read read1,
                         const char *const *removes2, bool change2, enum delta_read read2, struct tsf_error *err)
{
    static int n;
    struct store *s = NULL;
    struct delta_snapshot *one, *two;
    char dir[32];
    enum tsf_err rc;

    snprintf(dir, sizeof dir, "race%d", n++);
    CHECK_OK(store_open(test_path(dir), &s, err), err);
    dh_create(s, config != NULL ? "delta.isolationLevel" : NULL, config);
    one = dh_load(s, NULL, -1);
    CHECK_OK(dh_commit(&one, "f", 4, NULL, true, DELTA_READ_NOTHING, err), err);
    two = dh_load(s, NULL, -1);
    CHECK_OK(dh_commit(&one, "one", 1, removes1, change1, read1, err), err);
    rc = dh_commit(&two, "two", 1, removes2, change2, read2, err);
    CHECK_INT(two->version, rc == TSF_OK ? 3 : 2);
    delta_snapshot_free(one);
    delta_snapshot_free(two);
    store_free(s);
    return rc;
}

static void test_delta_commit__conflict_rules(void **state)
{
    const char *f0[] = { "f0", NULL }, *f1[] = { "f1", NULL };
    struct tsf_error err = TSF_ERROR_INIT;

    (void)state;
    /* append meets append, compaction, delete */
    CHECK_OK(race(NULL, NULL, true, DELTA_READ_NOTHING, NULL, true, DELTA_READ_NOTHING, &err), &err);
    CHECK_OK(race(NULL, f0, false, DELTA_READ_FILES, NULL, true, DELTA_READ_NOTHING, &err), &err);
    CHECK_OK(race(NULL, f0, true, DELTA_READ_TABLE, NULL, true, DELTA_READ_NOTHING, &err), &err);
    /* compaction meets append, other compaction, same file */
    CHECK_OK(race(NULL, NULL, true, DELTA_READ_NOTHING, f0, false, DELTA_READ_FILES, &err), &err);
    CHECK_OK(race(NULL, f1, false, DELTA_READ_FILES, f0, false, DELTA_READ_FILES, &err), &err);
    CHECK_ERR(race(NULL, f0, false, DELTA_READ_FILES, f0, false, DELTA_READ_FILES, &err), TSF_ERR_CONFLICT);
    CHECK_HAS(err.msg, "concurrent delete");
    tsf_error_reset(&err);
    /* a read of the table meets blind append, append that read, compaction */
    CHECK_OK(race(NULL, NULL, true, DELTA_READ_NOTHING, f0, true, DELTA_READ_TABLE, &err), &err);
    CHECK_ERR(race("Serializable", NULL, true, DELTA_READ_NOTHING, f0, true, DELTA_READ_TABLE, &err), TSF_ERR_CONFLICT);
    CHECK_HAS(err.msg, "concurrent append");
    tsf_error_reset(&err);
    CHECK_ERR(race(NULL, NULL, true, DELTA_READ_TABLE, f0, true, DELTA_READ_TABLE, NULL), TSF_ERR_CONFLICT);
    CHECK_ERR(race(NULL, f1, false, DELTA_READ_FILES, f0, true, DELTA_READ_TABLE, NULL), TSF_ERR_CONFLICT);
}

static enum tsf_err commit_txn(struct delta_snapshot **s, int64_t from, int64_t to, struct delta_commit_result *result, struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct delta_change c = DELTA_CHANGE_INIT(&a);
    char name[64];
    enum tsf_err rc;

    snprintf(name, sizeof name, "wal-%lld", (long long)to);
    dh_add(&c, name, to, true);
    c.app_id = "tsf-wal-x";
    c.txn_from = from;
    c.txn_version = to;
    rc = delta_commit(s, &c, NULL, result, err);
    tsf_arena_release(&a);
    return rc;
}

static void test_delta_commit__a_txn_is_written_once(void **state)
{
    struct store *s = dh_store();
    struct tsf_error err = TSF_ERROR_INIT;
    struct delta_snapshot *one, *two;
    struct delta_commit_result r;

    (void)state;
    dh_create(s, NULL, NULL);
    one = dh_load(s, NULL, -1);
    two = dh_load(s, NULL, -1);
    CHECK_OK(commit_txn(&one, -1, 10, &r, &err), &err);
    CHECK_INT(r.outcome, DELTA_COMMITTED);
    CHECK_INT(delta_snapshot_txn(one, "tsf-wal-x"), 10);
    CHECK_INT(delta_snapshot_txn(one, "other"), -1);
    CHECK_OK(commit_txn(&two, -1, 10, &r, &err), &err); /* found out by the lost race */
    CHECK_INT(r.outcome, DELTA_TXN_SEEN);
    CHECK_INT(two->version, 1);
    CHECK_OK(commit_txn(&two, -1, 7, &r, &err), &err); /* known from the snapshot */
    CHECK_INT(r.outcome, DELTA_TXN_SEEN);
    CHECK_ERR(commit_txn(&two, 5, 20, &r, &err), TSF_ERR_CONFLICT);
    CHECK_OK(commit_txn(&one, 10, 12, &r, NULL), NULL);
    CHECK_ERR(commit_txn(&two, 10, 20, &r, NULL), TSF_ERR_CONFLICT); /* theirs is newer but does not cover ours */
    CHECK_INT(two->version, 2);
    CHECK_INT(two->n_files, 2);
    delta_snapshot_free(one);
    delta_snapshot_free(two);
    store_free(s);
}

static void test_delta_commit__metadata_changes_conflict(void **state)
{
    struct store *s = dh_store();
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct delta_change c = DELTA_CHANGE_INIT(&a);
    const char *key = "delta.appendOnly", *value = "true", *f0[] = { "f0", NULL };
    struct delta_create_options o = { .schema = &dh_schema, .n_partition = 2, .partition_fields = dh_partition, .n_config = 1,
                                      .config_keys = &key, .config_values = &value };
    struct delta_snapshot *one, *two;
    struct delta_commit_result r;

    (void)state;
    dh_create(s, NULL, NULL);
    one = dh_load(s, NULL, -1);
    CHECK_OK(dh_commit(&one, "f", 1, NULL, true, DELTA_READ_NOTHING, &err), &err);
    two = dh_load(s, NULL, -1);
    c.metadata = &o;
    c.operation = "SET TBLPROPERTIES";
    CHECK_OK(delta_commit(&one, &c, NULL, &r, &err), &err);
    CHECK_STR(delta_config_get(&one->metadata, key), value);
    CHECK_ERR(dh_commit(&two, "g", 1, NULL, true, DELTA_READ_NOTHING, &err), TSF_ERR_CONFLICT);
    CHECK_HAS(err.msg, "metadata");
    CHECK_STR(delta_config_get(&two->metadata, key), value);
    CHECK_ERR(dh_commit(&two, "g", 1, f0, true, DELTA_READ_NOTHING, NULL), TSF_ERR_INVALID);
    CHECK_OK(dh_commit(&two, "g", 1, f0, false, DELTA_READ_FILES, NULL), NULL);
    delta_snapshot_free(one);
    delta_snapshot_free(two);
    tsf_arena_release(&a);
    store_free(s);
}

/* No version lost, none doubled, every file there. */
static void test_delta_commit__eight_processes_take_turns(void **state)
{
    enum { WRITERS = 8, COMMITS = 50 };
    struct store *s = dh_store();
    struct tsf_error err = TSF_ERROR_INIT;
    struct delta_snapshot *snap;
    int status;

    (void)state;
    dh_create(s, NULL, NULL);
    for (int w = 0; w < WRITERS; w++)
        if (fork() == 0) {
            snap = dh_load(s, NULL, -1);
            for (int i = 0; i < COMMITS; i++) {
                struct tsf_arena a = TSF_ARENA_INIT;
                struct delta_change c = DELTA_CHANGE_INIT(&a);
                struct delta_commit_options o = { .max_retries = 1000, .no_checkpoint = i % 4 != 0 };
                struct delta_commit_result r;
                char name[64];

                snprintf(name, sizeof name, "w%d-%d", w, i);
                dh_add(&c, name, i, true);
                if (delta_commit(&snap, &c, &o, &r, &err) != TSF_OK) {
                    fprintf(stderr, "%s\n", err.msg);
                    _exit(1);
                }
                tsf_arena_release(&a);
            }
            _exit(0);
        }
    for (int w = 0; w < WRITERS; w++) {
        CHECK(wait(&status) > 0);
        CHECK_INT(status, 0);
    }
    snap = dh_load(s, NULL, -1);
    CHECK_INT(snap->version, WRITERS * COMMITS);
    CHECK_INT(snap->n_files, WRITERS * COMMITS);
    for (int w = 0; w < WRITERS; w++)
        for (int i = 0; i < COMMITS; i++) {
            char name[64];

            snprintf(name, sizeof name, "w%d-%d", w, i);
            CHECK(dh_find(snap, name) >= 0);
        }
    delta_snapshot_free(snap);
    store_free(s);
}

TEST_MAIN(TEST(test_delta_create__is_a_table_once), TEST(test_delta_create__timestamp_ntz_is_a_feature),
          TEST(test_delta_commit__adds_and_removes), TEST(test_delta_commit__conflict_rules),
          TEST(test_delta_commit__a_txn_is_written_once), TEST(test_delta_commit__metadata_changes_conflict),
          TEST(test_delta_commit__eight_processes_take_turns))
