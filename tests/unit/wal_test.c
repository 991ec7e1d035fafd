/* The WAL as its users see it: what is committed is there once, in order, after any crash we can play. */
#include "test_util.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "wal/wal_internal.h"

static const struct tsf_field fields[] = {
    { .name = "n", .type = &tsf_types[TSF_TYPE_INT64], .field_id = -1 },
    { .name = "s", .type = &tsf_types[TSF_TYPE_STRING], .nullable = true, .field_id = -1 },
};
static const struct tsf_schema schema = { .n_fields = 2, .fields = (struct tsf_field *)fields };

static struct wal_topic *topic_open(void)
{
    struct wal_options opts = { .create = true };
    struct tsf_error err = TSF_ERROR_INIT;
    struct wal_topic *t = NULL;

    CHECK_OK(wal_topic_open("data", "/wh", "spans", &opts, &t, &err), &err);
    return t;
}

/* n rows first, first+1, ... with a long string each. */
static enum tsf_err append(struct wal_run *r, int64_t ticket, int64_t first, int64_t n, struct tsf_error *err)
{
    struct tsf_builder b[2];
    struct tsf_vector v[2];
    struct tsf_arena a = TSF_ARENA_INIT;
    enum tsf_err rc = TSF_OK;

    for (int c = 0; c < 2; c++)
        if ((rc = tsf_builder_init(&b[c], fields[c].type, err)) != TSF_OK)
            return rc;
    for (int64_t i = 0; rc == TSF_OK && i < n; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "row number %lld of a run", (long long)(first + i));
        if ((rc = tsf_builder_i64(&b[0], first + i, err)) == TSF_OK)
            rc = i % 7 == 3 ? tsf_builder_null(&b[1], err) : tsf_builder_str(&b[1], text, (size_t)len, err);
    }
    for (int c = 0; rc == TSF_OK && c < 2; c++)
        rc = tsf_builder_vector(&b[c], &a, &v[c], err);
    struct tsf_batch batch = { .length = n, .n_columns = 2, .columns = v };
    if (rc == TSF_OK)
        rc = wal_run_append(r, WAL_INSERT, ticket, &batch, err);
    for (int c = 0; c < 2; c++)
        tsf_builder_release(&b[c]);
    tsf_arena_release(&a);
    return rc;
}

static struct wal_receipt run(struct wal_topic *t, int64_t first, int64_t n, int64_t per_record)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct wal_receipt receipt;
    struct wal_run *r;

    CHECK_OK(wal_run_begin(t, &schema, &r, &err), &err);
    for (int64_t i = 0; i < n; i += per_record)
        CHECK_OK(append(r, -1, first + i, TSF_MIN(per_record, n - i), &err), &err);
    CHECK_OK(wal_run_commit(r, &receipt, &err), &err);
    return receipt;
}

struct content {
    int64_t records, rows, sum, first, last_lsn;
    bool ordered;
    struct wal_damage damage;
};

/* Everything after an LSN; checks the strings. */
static struct content content(struct wal_topic *t, int64_t after, bool verify)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct content c = { .ordered = true, .first = -1 };
    struct tsf_arena a = TSF_ARENA_INIT;
    struct wal_view *v;
    int64_t last = after;

    CHECK_OK(wal_view_open(t, &v, &err), &err);
    CHECK_OK(wal_view_index(v, after, verify, &c.records, &c.damage, &err), &err);
    c.last_lsn = wal_view_last_lsn(v);
    for (int64_t i = 0; i < c.records; i++) {
        struct wal_record rec;
        CHECK_OK(wal_view_read(v, i, &a, &rec, &err), &err);
        c.ordered &= rec.lsn > last;
        last = rec.lsn;
        CHECK_INT(rec.schema->n_fields, 2);
        CHECK_STR(rec.schema->fields[1].name, "s");
        for (int64_t r = 0; r < rec.rows; r++) {
            struct tsf_value val;
            CHECK_OK(tsf_vector_get(&rec.batch.columns[0], r, &a, &val, &err), &err);
            if (c.first < 0)
                c.first = val.u.i64;
            c.sum += val.u.i64;
            c.rows++;
        }
        tsf_arena_reset(&a);
    }
    wal_view_free(v);
    tsf_arena_release(&a);
    return c;
}

static int segments(char names[][300], int max)
{
    int n = 0;
    DIR *root = opendir("data/wal"), *d;
    struct dirent *e, *f;
    char path[600];

    while (root && (e = readdir(root))) {
        if (strlen(e->d_name) != 32)
            continue;
        snprintf(path, sizeof path, "data/wal/%s", e->d_name);
        d = opendir(path);
        while ((f = readdir(d)))
            if (strlen(f->d_name) > 4 && strcmp(f->d_name + strlen(f->d_name) - 4, ".wal") == 0 && n < max)
                snprintf(names[n++], 300, "%.100s/%.100s", path, f->d_name);
        closedir(d);
    }
    closedir(root);
    return n;
}

/* What a machine that restarts does to the state: it is of another boot. */
static void forget_state(void)
{
    CHECK_INT(system("rm -f data/wal/*/state"), 0);
}

static void flip(const char *path, int64_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t b;

    CHECK(fd >= 0);
    CHECK_INT(pread(fd, &b, 1, at), 1);
    b ^= 0x10;
    CHECK_INT(pwrite(fd, &b, 1, at), 1);
    close(fd);
}

static void test_wal__small_runs_share_a_segment_and_come_back_in_order(void **state)
{
    struct wal_topic *t = topic_open();
    char names[4][300];

    for (int i = 0; i < 50; i++) {
        struct wal_receipt r = run(t, i * 10, 10, 100);
        CHECK_INT(r.first_lsn, i + 1);
        CHECK_INT(r.last_lsn, i + 1);
    }
    CHECK_INT(segments(names, 4), 1);
    struct content c = content(t, 0, true);
    CHECK_INT(c.records, 50);
    CHECK_INT(c.rows, 500);
    CHECK_INT(c.sum, 500 * 499 / 2);
    CHECK(c.ordered);
    CHECK_INT(content(t, 20, false).first, 200);
    wal_topic_free(t);
}

static void test_wal__large_run_is_one_staged_segment_between_small_ones(void **state)
{
    struct wal_topic *t = topic_open();
    char names[8][300];

    run(t, 0, 10, 10);
    struct wal_receipt r = run(t, 10, 100000, 5000);
    CHECK_INT(r.first_lsn, 2);
    CHECK_INT(r.last_lsn, 21);
    CHECK_INT(run(t, 100010, 5, 5).first_lsn, 22);
    CHECK_INT(segments(names, 8), 3);
    struct content c = content(t, 0, true);
    CHECK_INT(c.rows, 100015);
    CHECK_INT(c.sum, 100015LL * 100014 / 2);
    CHECK(c.ordered);
    wal_topic_free(t);
}

static void test_wal__aborted_or_failed_run_leaves_nothing(void **state)
{
    struct wal_topic *t = topic_open();
    struct tsf_error err = TSF_ERROR_INIT;
    struct wal_receipt receipt;
    struct wal_run *r;

    CHECK_OK(wal_run_begin(t, &schema, &r, &err), &err);
    for (int i = 0; i < 20; i++)
        CHECK_OK(append(r, -1, 0, 5000, &err), &err);
    wal_run_abort(r);
    CHECK_OK(wal_run_begin(t, &schema, &r, &err), &err);
    CHECK_OK(append(r, -1, 0, 10, &err), &err);
    wal_run_fail(r);
    CHECK_ERR(wal_run_commit(r, &receipt, &err), TSF_ERR_CANCELLED);
    CHECK_INT(content(t, 0, true).records, 0);
    CHECK_INT(system("test -z \"$(find data/wal -name '.tmp*')\""), 0);
    wal_topic_free(t);
}

struct ticket_job {
    struct wal_run *run;
    int64_t ticket;
};

static void *ticket_thread(void *arg)
{
    struct ticket_job *j = arg;
    struct tsf_error err = TSF_ERROR_INIT;

    return append(j->run, j->ticket, j->ticket * 100, 100, &err) == TSF_OK ? NULL : arg;
}

static void test_wal__tickets_order_records_of_several_threads(void **state)
{
    struct wal_topic *t = topic_open();
    struct tsf_error err = TSF_ERROR_INIT;
    struct ticket_job jobs[8];
    pthread_t threads[8];
    struct wal_receipt receipt;
    struct wal_run *r;
    void *failed;

    CHECK_OK(wal_run_begin(t, &schema, &r, &err), &err);
    for (int i = 7; i >= 0; i--) {
        jobs[i] = (struct ticket_job){ r, i };
        CHECK_INT(pthread_create(&threads[i], NULL, ticket_thread, &jobs[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], &failed);
        CHECK(!failed);
    }
    CHECK_OK(wal_run_commit(r, &receipt, &err), &err);
    for (int i = 0; i < 8; i++)
        CHECK_INT(content(t, i, false).first, i * 100);
    wal_topic_free(t);
}

static void test_wal__torn_tail_is_dropped_and_the_next_append_works(void **state)
{
    struct wal_topic *t = topic_open();
    char names[4][300];
    struct stat st;

    run(t, 0, 10, 10);
    run(t, 10, 10, 10);
    run(t, 20, 10, 10);
    wal_topic_free(t);
    CHECK_INT(segments(names, 4), 1);
    CHECK_INT(stat(names[0], &st), 0);
    for (int64_t cut = 1; cut < 200; cut += 37) {
        forget_state();
        CHECK_INT(truncate(names[0], st.st_size - cut), 0);
        t = topic_open();
        struct content c = content(t, 0, true);
        CHECK_INT(c.rows, 20);
        CHECK(c.damage.torn_tail || cut >= 200);
        CHECK_INT(c.damage.records, 0);
        wal_topic_free(t);
    }
    t = topic_open();
    CHECK_INT(run(t, 30, 10, 10).first_lsn, 3); /* the torn record's number was never acknowledged */
    CHECK_INT(content(t, 0, true).rows, 30);
    CHECK_INT(content(t, 0, true).damage.torn_tail, 0);
    wal_topic_free(t);
}

static void test_wal__every_flipped_byte_is_found(void **state)
{
    struct wal_topic *t = topic_open();
    char names[4][300];
    struct stat st;

    for (int i = 0; i < 3; i++)
        run(t, i * 10, 10, 10);
    struct tsf_error err = TSF_ERROR_INIT;
    CHECK_OK(wal_rotate(t, &err), &err);
    run(t, 30, 10, 10);
    CHECK_INT(segments(names, 4), 2);
    const char *first = strcmp(names[0], names[1]) < 0 ? names[0] : names[1];
    CHECK_INT(stat(first, &st), 0);
    for (int64_t at = 0; at < st.st_size; at += 5) {
        struct wal_view *v = NULL;
        struct wal_damage d = { 0 };
        int64_t n = 0;
        flip(first, at);
        struct tsf_error e = TSF_ERROR_INIT;
        enum tsf_err rc = wal_view_open(t, &v, &e);
        if (rc == TSF_OK)
            rc = wal_view_index(v, 0, true, &n, &d, &e);
        /* Either an error that says so, or counted damage with all other rows there. Padding may be anything. */
        if (rc == TSF_OK && n < 4)
            CHECK(d.records + d.torn_tail >= 4 - n);
        wal_view_free(v);
        flip(first, at);
    }
    CHECK_INT(content(t, 0, true).rows, 40);
    wal_topic_free(t);
}

static void test_wal__damage_in_the_middle_costs_only_what_it_hit(void **state)
{
    struct wal_topic *t = topic_open();
    char names[4][300];
    struct stat st;

    for (int i = 0; i < 9; i++)
        run(t, i * 10, 10, 10);
    CHECK_INT(segments(names, 4), 1);
    CHECK_INT(stat(names[0], &st), 0);
    flip(names[0], st.st_size / 2);
    struct content c = content(t, 0, true);
    CHECK_INT(c.rows, 80);
    CHECK_INT(c.damage.records, 1);
    CHECK_INT(c.damage.first_lsn, c.damage.last_lsn);
    CHECK(!c.damage.torn_tail);
    wal_topic_free(t);
}

static void test_wal__damage_at_the_end_of_a_closed_segment_counts(void **state)
{
    struct wal_topic *t = topic_open();
    struct tsf_error err = TSF_ERROR_INIT;
    char names[4][300];
    struct stat st;

    for (int i = 0; i < 5; i++)
        run(t, i * 10, 10, 10);
    CHECK_OK(wal_rotate(t, &err), &err);
    CHECK_INT(segments(names, 4), 1);
    CHECK_INT(stat(names[0], &st), 0);
    flip(names[0], st.st_size - 20);
    struct content c = content(t, 0, true);
    CHECK_INT(c.rows, 40);
    CHECK_INT(c.damage.records, 1);
    CHECK_INT(c.damage.first_lsn, 5);
    CHECK_INT(c.damage.last_lsn, 5);
    CHECK(!c.damage.torn_tail);
    run(t, 50, 10, 10);
    c = content(t, 0, true);
    CHECK_INT(c.rows, 50);
    CHECK_INT(c.damage.records, 1);
    CHECK_INT(c.damage.last_lsn, 5);
    wal_topic_free(t);
}

static void test_wal__lsns_go_on_after_what_the_table_has(void **state)
{
    struct wal_topic *t = topic_open();
    struct tsf_error err = TSF_ERROR_INIT;
    int64_t n, bytes;

    run(t, 0, 10, 10);
    CHECK_OK(wal_topic_advance(t, 1, &err), &err);
    CHECK_INT(run(t, 10, 10, 10).first_lsn, 2);
    CHECK_OK(wal_topic_advance(t, 40, &err), &err);
    CHECK_INT(run(t, 20, 10, 10).first_lsn, 41);
    struct content c = content(t, 40, true);
    CHECK_INT(c.rows, 10);
    CHECK_INT(c.damage.records, 0);
    wal_topic_free(t);
    forget_state();
    t = topic_open();
    CHECK_OK(wal_truncate(t, 40, &n, &bytes, &err), &err);
    CHECK_INT(n, 1);
    CHECK_INT(run(t, 30, 10, 10).first_lsn, 42);
    wal_topic_free(t);
}

static void test_wal__half_a_drop_leaves_nothing_to_the_next_table(void **state)
{
    struct wal_topic *t = topic_open();

    run(t, 0, 10, 10);
    wal_topic_free(t);
    CHECK_INT(system("rm data/wal/*/topic"), 0);
    t = topic_open();
    CHECK_INT(content(t, 0, true).rows, 0);
    CHECK_INT(run(t, 10, 10, 10).first_lsn, 1);
    CHECK_INT(content(t, 0, true).rows, 10);
    CHECK_INT(system("test $(ls data/wal/*/*.orphan | wc -l) = 1"), 0);
    wal_topic_free(t);
}

static void test_wal__truncate_deletes_covered_segments_and_lsns_go_on(void **state)
{
    struct wal_topic *t = topic_open();
    struct tsf_error err = TSF_ERROR_INIT;
    char names[8][300];
    int64_t n, bytes;

    run(t, 0, 10, 10);
    CHECK_OK(wal_rotate(t, &err), &err);
    run(t, 10, 10, 10);
    CHECK_OK(wal_truncate(t, 1, &n, &bytes, &err), &err);
    CHECK_INT(n, 1);
    CHECK_INT(content(t, 0, true).first, 10);
    CHECK_OK(wal_rotate(t, &err), &err);
    CHECK_OK(wal_truncate(t, 2, &n, &bytes, &err), &err);
    CHECK_INT(segments(names, 8), 0);
    wal_topic_free(t);
    forget_state(); /* nothing but the floor remembers */
    t = topic_open();
    CHECK_INT(run(t, 20, 10, 10).first_lsn, 3);
    CHECK_ERR(wal_truncate(t, 99, &n, &bytes, &err), TSF_ERR_INVALID);
    wal_topic_free(t);
}

static void test_wal__staged_files_of_dead_writers_go_and_others_stay(void **state)
{
    struct wal_topic *t = topic_open();
    struct tsf_error err = TSF_ERROR_INIT;
    struct wal_receipt receipt;
    struct wal_run *r;
    int64_t n, bytes;

    run(t, 0, 10, 10);
    CHECK_OK(wal_run_begin(t, &schema, &r, &err), &err);
    for (int i = 0; i < 3; i++)
        CHECK_OK(append(r, -1, 10 + i * 5000, 5000, &err), &err);
    CHECK_INT(system("for d in data/wal/*; do touch $d/.tmp-dead; done; touch -d '1 hour ago' data/wal/*/.tmp-*"), 0);
    CHECK_OK(wal_rotate(t, &err), &err);
    CHECK_OK(wal_truncate(t, 1, &n, &bytes, &err), &err);
    CHECK_INT(system("test $(ls -A data/wal/*/ | grep -c '^.tmp-') -eq 1"), 0);
    CHECK_OK(wal_run_commit(r, &receipt, &err), &err);
    CHECK_INT(content(t, 0, true).rows, 15000);
    wal_topic_free(t);
}

static void test_wal__view_outlives_truncation(void **state)
{
    struct wal_topic *t = topic_open();
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct wal_damage d;
    struct wal_record rec;
    struct wal_view *v;
    int64_t n, segs, bytes;

    run(t, 0, 10, 10);
    CHECK_OK(wal_view_open(t, &v, &err), &err);
    CHECK_OK(wal_view_index(v, 0, false, &n, &d, &err), &err);
    CHECK_OK(wal_rotate(t, &err), &err);
    CHECK_OK(wal_truncate(t, 1, &segs, &bytes, &err), &err);
    CHECK_INT(segs, 1);
    CHECK_OK(wal_view_read(v, 0, &a, &rec, &err), &err);
    CHECK_INT(rec.rows, 10);
    wal_view_free(v);
    tsf_arena_release(&a);
    wal_topic_free(t);
}

static void test_wal__another_tables_segment_is_an_error(void **state)
{
    struct wal_options opts = { .create = true };
    struct tsf_error err = TSF_ERROR_INIT;
    struct wal_topic *t = topic_open(), *other;
    char names[4][300];
    struct wal_view *v;

    run(t, 0, 10, 10);
    CHECK_INT(segments(names, 4), 1);
    CHECK_OK(wal_topic_open("data", "/wh", "logs", &opts, &other, &err), &err);
    char cmd[700];
    snprintf(cmd, sizeof cmd, "for d in data/wal/*; do cp -n %s $d/ 2>/dev/null; done; true", names[0]);
    CHECK_INT(system(cmd), 0);
    CHECK_ERR(wal_view_open(other, &v, &err), TSF_ERR_INVALID);
    CHECK_HAS(err.msg, "another topic");
    wal_topic_free(other);
    wal_topic_free(t);
}

static void test_wal__a_version_from_the_future_is_refused_and_kept(void **state)
{
    struct wal_topic *t = topic_open();
    struct tsf_error err = TSF_ERROR_INIT;
    char names[4][300];
    struct wal_view *v;

    run(t, 0, 10, 10);
    CHECK_INT(segments(names, 4), 1);
    flip(names[0], 8);
    CHECK_ERR(wal_view_open(t, &v, &err), TSF_ERR_UNSUPPORTED);
    CHECK_HAS(err.msg, "version");
    CHECK_INT(segments(names, 4), 1);
    wal_topic_free(t);
}

static enum tsf_err count_topic(void *ctx, const char *warehouse, const char *table, struct tsf_error *err)
{
    CHECK_STR(warehouse, "/wh");
    CHECK_STR(table, "spans");
    ++*(int *)ctx;
    return TSF_OK;
}

static void test_wal__topics_are_listed_and_dropped(void **state)
{
    struct wal_topic *t = topic_open();
    struct wal_options opts = { 0 };
    struct tsf_error err = TSF_ERROR_INIT;
    int n = 0;

    run(t, 0, 10, 10);
    CHECK_OK(wal_topics_each("data", count_topic, &n, &err), &err);
    CHECK_INT(n, 1);
    wal_topic_free(t);
    CHECK_OK(wal_topic_drop("data", "/wh", "spans", &err), &err);
    CHECK_OK(wal_topics_each("data", count_topic, &n, &err), &err);
    CHECK_INT(n, 1);
    CHECK_ERR(wal_topic_open("data", "/wh", "spans", &opts, &t, &err), TSF_ERR_NOT_FOUND);
    CHECK_OK(wal_topics_each("nowhere", count_topic, &n, &err), &err);
}

/* Children append small and large runs until they are killed; each notes what was acknowledged in a pipe. */
static void test_wal__kill_9_loses_and_doubles_nothing(void **state)
{
    enum { CHILDREN = 4, ROUNDS = 12 };
    struct tsf_error err = TSF_ERROR_INIT;
    int64_t acked = 0, acked_rows = 0, next = 1;

    wal_topic_free(topic_open());
    for (int round = 0; round < ROUNDS; round++) {
        int fds[2];
        pid_t pids[CHILDREN];
        CHECK_INT(pipe(fds), 0);
        for (int c = 0; c < CHILDREN; c++) {
            int64_t base = next;
            next += 1000000;
            if ((pids[c] = fork()) == 0) {
                struct wal_topic *t = topic_open();
                for (int i = 0; i < 1000; i++) {
                    int64_t n = i % 5 == 4 ? 3000 : 7;
                    struct wal_receipt r = run(t, base, n, 1000);
                    int64_t note[2] = { base * n + n * (n - 1) / 2, n };
                    base += n;
                    if (r.rows != n || write(fds[1], note, sizeof note) != sizeof note)
                        _exit(1);
                }
                _exit(0);
            }
        }
        close(fds[1]);
        /* Kill after some acknowledgements, a different number each round. */
        int64_t note[2];
        int wait_for = 3 + round * 5;
        for (int k = 0; read(fds[0], note, sizeof note) == sizeof note; k++) {
            acked += note[0];
            acked_rows += note[1];
            if (k == wait_for)
                for (int c = 0; c < CHILDREN; c++)
                    kill(pids[c], SIGKILL);
        }
        for (int c = 0; c < CHILDREN; c++)
            waitpid(pids[c], NULL, 0);
        close(fds[0]);
        if (round % 3 == 2)
            forget_state();
        struct wal_topic *t = topic_open();
        struct content got = content(t, 0, true);
        CHECK(got.ordered);
        CHECK_INT(got.damage.records, 0);
        /* A run may be durable whose acknowledgement the kill cut off: count those as seen from now on. */
        CHECK(got.rows >= acked_rows && got.rows - acked_rows <= CHILDREN * 3000);
        CHECK(got.sum >= acked);
        acked = got.sum;
        acked_rows = got.rows;
        CHECK_OK(wal_rotate(t, &err), &err);
        CHECK_INT(content(t, 0, true).rows, acked_rows);
        wal_topic_free(t);
    }
}

TEST_MAIN(TEST(test_wal__small_runs_share_a_segment_and_come_back_in_order),
          TEST(test_wal__large_run_is_one_staged_segment_between_small_ones),
          TEST(test_wal__aborted_or_failed_run_leaves_nothing), TEST(test_wal__tickets_order_records_of_several_threads),
          TEST(test_wal__torn_tail_is_dropped_and_the_next_append_works), TEST(test_wal__every_flipped_byte_is_found),
          TEST(test_wal__damage_in_the_middle_costs_only_what_it_hit),
          TEST(test_wal__damage_at_the_end_of_a_closed_segment_counts),
          TEST(test_wal__lsns_go_on_after_what_the_table_has),
          TEST(test_wal__half_a_drop_leaves_nothing_to_the_next_table),
          TEST(test_wal__truncate_deletes_covered_segments_and_lsns_go_on), TEST(test_wal__view_outlives_truncation),
          TEST(test_wal__staged_files_of_dead_writers_go_and_others_stay),
          TEST(test_wal__another_tables_segment_is_an_error), TEST(test_wal__a_version_from_the_future_is_refused_and_kept),
          TEST(test_wal__topics_are_listed_and_dropped), TEST(test_wal__kill_9_loses_and_doubles_nothing))
