/*
 * Tables read by SQL: what pruning, late materialization and ordered scans leave out is what a scan of everything would
 * have dropped. Tables have many small row groups and pages, NULLs, NaN, several partitions, and rows in the WAL.
 */
#include "query/query_internal.h"
#include "table/table.h"
#include "test_util.h"

static uint64_t seed = 1;
static uint64_t rnd(void)
{
    seed += 0x9e3779b97f4a7c15ULL;
    return tsf_hash_u64(seed);
}
static int64_t below(int64_t n)
{
    return (int64_t)(rnd() % (uint64_t)n);
}

/* ---- SQL to text ---------------------------------------------------------------------------------- */

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
            CHECK_OK(tsf_buf_append_u8(ctx, c + 1 < b->n_columns ? '|' : '\n', err), err);
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

static char *run(const char *sql, int threads)
{
    struct query_options opts = { .warehouse = "wh", .data_dir = "data", .threads = threads };
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct query_consumer consumer = { &out, take_begin, take_batch, take_end };
    struct tsf_error err = TSF_ERROR_INIT;
    struct query_session *s;

    CHECK_OK(query_session_new(&opts, &s, &err), &err);
    if (query_run(s, sql, &consumer, &err) != TSF_OK)
        TEST_FAIL("%s: %s", sql, err.msg);
    query_session_free(s);
    return tsf_buf_cstr(&out);
}

#define CHECK_SQL(sql, expected)                                                                                       \
    do {                                                                                                               \
        char *got_ = run(sql, 2);                                                                                      \
        CHECK_STR(got_, expected);                                                                                     \
        free(got_);                                                                                                    \
    } while (0)

/* ---- a table --------------------------------------------------------------------------------------- */

#define CREATE                                                                                                         \
    "CREATE TABLE t (part text, ts timestamptz NOT NULL, id bigint NOT NULL, k integer, s text, d double precision)"   \
    " PARTITION BY LIST (part) WITH (tsf.sort_order = 'ts DESC', tsf.bloom_columns = 's')"

static int ts_desc(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x > y ? -1 : x < y;
}

static void null_some(struct tsf_vector *v, struct tsf_arena *a, int one_in)
{
    uint64_t *valid = tsf_arena_calloc(a, tsf_bit_words(v->length) + 8, 8);
    for (int64_t i = 0; i < v->length; i++)
        if (one_in && below(one_in))
            tsf_bit_set(valid, i);
    tsf_vector_set_validity(v, valid);
}

/* n rows of one partition; nulls: one in so many, 0 = all. */
static void make_rows(struct tsf_arena *a, const char *part, int64_t n, int64_t first_id, int nulls, struct tsf_batch *out)
{
    static char texts[64][24];
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_vector *c = tsf_arena_calloc(a, 6, sizeof *c);
    struct tsf_value p = { .type = TSF_T(STRING), .u.s = tsf_str(part) };
    void *values;
    int64_t base = 1790000000000000 + below(1000) * 1000000, spread = 1 + below(3000000000), low = below(100);

    CHECK_OK(tsf_vector_constant(&p, n, a, &c[0], &err), &err);
    CHECK_OK(tsf_vector_alloc(TSF_T(TIMESTAMP), n, a, &c[1], &values, &err), &err);
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)values)[i] = base + (below(4) ? below(spread) : below(50) * 1000);
    qsort(values, (size_t)n, 8, ts_desc);
    CHECK_OK(tsf_vector_alloc(TSF_T(INT64), n, a, &c[2], &values, &err), &err);
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)values)[i] = first_id + i;
    CHECK_OK(tsf_vector_alloc(TSF_T(INT32), n, a, &c[3], &values, &err), &err);
    for (int64_t i = 0; i < n; i++)
        ((int32_t *)values)[i] = (int32_t)(low + below(30) + i / 100);
    null_some(&c[3], a, nulls);
    CHECK_OK(tsf_vector_alloc(TSF_T(STRING), n, a, &c[4], &values, &err), &err);
    for (int i = 0; i < 64; i++)
        snprintf(texts[i], sizeof texts[i], i % 2 ? "text-%d" : "a longer text, %d", i);
    for (int64_t i = 0; i < n; i++) {
        char *x = texts[(low + i / 200 + below(3)) % 64];
        ((struct tsf_sview *)values)[i] = tsf_sview_make(x, strlen(x));
    }
    null_some(&c[4], a, nulls);
    CHECK_OK(tsf_vector_alloc(TSF_T(DOUBLE), n, a, &c[5], &values, &err), &err);
    for (int64_t i = 0; i < n; i++)
        ((double *)values)[i] = below(50) ? (double)below(1000) / 8 : (double)NAN;
    null_some(&c[5], a, nulls);
    *out = (struct tsf_batch){ .length = n, .n_columns = 6, .columns = c };
}

/* One file with small row groups and pages, committed with its statistics. */
static void add_file(struct table *t, const char *part, int64_t n, int64_t first_id, int nulls)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_buf stats = TSF_BUF_INIT(0), folder = TSF_BUF_INIT(0);
    struct tsf_field fields[5];
    struct tsf_schema schema = { 5, fields };
    uint8_t bloom[5] = { 0, 0, 0, PARQUET_BLOOM_YES, 0 };
    struct parquet_sorting sorting = { .leaf = 0, .descending = true };
    struct parquet_writer_options opts = { .row_group_rows = 700, .page_rows = 100, .bloom = bloom, .sorting = &sorting, .n_sorting = 1 };
    struct parquet_file_info info;
    struct delta_change change = DELTA_CHANGE_INIT(&a);
    struct delta_commit_result result;
    struct tsf_value value = { .type = TSF_T(STRING), .u.s = tsf_str(part) };
    struct parquet_writer *pw;
    struct store_writer *sw;
    struct tsf_batch b;
    char uuid[37];

    make_rows(&a, part, n, first_id, nulls, &b);
    for (int i = 0; i < 5; i++)
        fields[i] = t->schema->fields[i + 1];
    struct tsf_batch file = { .length = n, .n_columns = 5, .columns = b.columns + 1 };
    CHECK_OK(delta_partition_path(&t->snapshot->metadata, &value, &folder, &err), &err);
    tsf_uuid4(uuid);
    CHECK_OK(tsf_buf_printf(&folder, &err, "/part-%s.parquet", uuid), &err);
    CHECK_OK(store_writer_new(t->store, tsf_buf_cstr(&folder), &sw, &err), &err);
    struct tsf_sink sink = store_writer_sink(sw);
    CHECK_OK(parquet_writer_new(&sink, &schema, &opts, &pw, &err), &err);
    CHECK_OK(parquet_writer_write(pw, &file, &err), &err);
    CHECK_OK(parquet_writer_finish(pw, &info, &err), &err);
    CHECK_OK(store_writer_finish(sw, &err), &err);
    CHECK_OK(delta_stats_json(&schema, &info, &stats, &err), &err);
    struct delta_add add = { .path = tsf_buf_str(&folder), .partition = &value, .size = info.size, .n_rows = n,
                             .stats = below(8) ? tsf_buf_str(&stats) : (struct tsf_str){ 0 }, .footer_offset = -1, .footer_length = -1,
                             .data_change = true };
    change.operation = "WRITE";
    CHECK_OK(delta_change_add(&change, &add, &err), &err);
    CHECK_OK(delta_commit(&t->snapshot, &change, NULL, &result, &err), &err);
    t->schema = &t->snapshot->metadata.schema;
    parquet_writer_free(pw);
    store_writer_free(sw);
    tsf_buf_release(&stats);
    tsf_buf_release(&folder);
    tsf_arena_release(&a);
}

static void add_tail(struct table *t, int64_t n, int64_t first_id)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct wal_receipt receipt;
    struct tsf_batch b;
    struct wal_run *r;

    make_rows(&a, "tail", n, first_id, 5, &b);
    CHECK_OK(wal_run_begin(t->wal, t->schema, &r, &err), &err);
    CHECK_OK(wal_run_append(r, WAL_INSERT, -1, &b, &err), &err);
    CHECK_OK(wal_run_commit(r, &receipt, &err), &err);
    tsf_arena_release(&a);
}

static void make_table(int n_files, int64_t rows, bool tail)
{
    struct table_env_options o = { .warehouse = "wh", .data_dir = "data" };
    struct tsf_error err = TSF_ERROR_INIT;
    struct table_env *env;
    struct table *t;

    free(run(CREATE, 1));
    CHECK_OK(table_env_open(&o, &env, &err), &err);
    CHECK_OK(table_open(env, "t", TABLE_WAL_CREATE, -1, &t, &err), &err);
    for (int i = 0; i < n_files; i++)
        add_file(t, i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c d", rows - below(rows / 2), i * rows, i % 5 == 4 ? 0 : 1 + (int)below(20));
    if (tail) {
        add_tail(t, 300, n_files * rows);
        add_tail(t, 1, n_files * rows + 300);
    }
    table_close(t);
    table_env_free(env);
}

/* ---- random predicates -------------------------------------------------------------------------------- */

static void predicate(struct tsf_buf *out, int depth)
{
    static const char *const cmp[] = { "=", "<>", "<", "<=", ">", ">=" };
    const char *op = cmp[below(6)];
    struct tsf_error err = TSF_ERROR_INIT;
    char time[TSF_TIME_MAX], later[TSF_TIME_MAX];
    int64_t us = 1790000000000000 + below(4000) * 1000000;

    if (depth > 0 && below(2)) {
        int n = 2 + (int)below(2);
        const char *word = below(2) ? " AND " : " OR ";
        if (!below(4))
            tsf_buf_append_z(out, "NOT ", &err);
        tsf_buf_append_z(out, "(", &err);
        for (int i = 0; i < n; i++) {
            if (i)
                tsf_buf_append_z(out, word, &err);
            predicate(out, depth - 1);
        }
        tsf_buf_append_z(out, ")", &err);
        return;
    }
    tsf_time_format(us, -1, "Z", 'T', time);
    tsf_time_format(us + below(2000) * 1000000, -1, "Z", 'T', later);
    switch (below(13)) {
    case 0: tsf_buf_printf(out, &err, "ts %s '%s'", op, time); break;
    case 1: tsf_buf_printf(out, &err, "(ts >= '%s' AND ts < '%s')", time, later); break;
    case 2: tsf_buf_printf(out, &err, "k %s %d", op, (int)below(180)); break;
    case 3: tsf_buf_printf(out, &err, "id %s %d", op, (int)below(40000)); break;
    case 4: tsf_buf_printf(out, &err, "s %s 'text-%d'", op, (int)below(64)); break;
    case 5: tsf_buf_printf(out, &err, "s IN ('text-%d', 'a longer text, %d')", (int)below(64), (int)below(64)); break;
    case 6: tsf_buf_printf(out, &err, "k NOT IN (%d, %d%s)", (int)below(180), (int)below(180), below(3) ? "" : ", NULL"); break;
    case 7: tsf_buf_printf(out, &err, "s LIKE '%s%%'", below(2) ? "text-1" : "a l"); break;
    case 8: tsf_buf_printf(out, &err, "%s IS %sNULL", below(2) ? "k" : below(2) ? "s" : "d", below(2) ? "" : "NOT "); break;
    case 9: tsf_buf_printf(out, &err, "d %s %s", op, below(4) ? "60.5" : "'NaN'"); break;
    case 10: tsf_buf_printf(out, &err, "part %s '%s'", op, below(2) ? "b" : "c d"); break;
    case 11: tsf_buf_printf(out, &err, "(k %s %d) IS %s", op, (int)below(180), below(2) ? "UNKNOWN" : "NOT TRUE"); break;
    default: tsf_buf_printf(out, &err, "upper(part) = 'B'"); break;
    }
}

static void check_same(const char *where, const char *a, const char *b)
{
    char *x = run(a, 1 + (int)below(2)), *y = run(b, 1 + (int)below(2));
    if (strcmp(x, y) != 0)
        TEST_FAIL("%s\n%s\nbut %s\n%s\nwhere %s", a, x, b, y, where);
    free(x);
    free(y);
}

/* CASE hides a predicate from pruning. */
static void test_query_scan__pruning_changes_no_answer(void **state)
{
    (void)state;
    seed = 7;
    make_table(9, 2600, true);
    for (int i = 0; i < 150; i++) {
        struct tsf_buf p = TSF_BUF_INIT(0);
        char a[2048], b[2048];
        predicate(&p, 2);
        const char *where = tsf_buf_cstr(&p), *what = "count(*), count(k), sum(id), min(ts), max(ts), min(s), max(d), sum(k)";
        snprintf(a, sizeof a, "SELECT %s FROM t WHERE %s", what, where);
        snprintf(b, sizeof b, "SELECT %s FROM t WHERE CASE WHEN %s THEN true ELSE false END", what, where);
        check_same(where, a, b);
        snprintf(a, sizeof a, "SELECT count(*), max(ts) FROM t WHERE %s", where);
        snprintf(b, sizeof b, "SELECT count(*), max(ts) FROM t WHERE CASE WHEN %s THEN true ELSE false END", where);
        check_same(where, a, b);
        tsf_buf_release(&p);
    }
}

static void test_query_scan__ordered_scans_give_the_first_rows(void **state)
{
    static const char *const orders[] = { "ts DESC", "ts", "k DESC", "k NULLS FIRST", "s DESC NULLS LAST", "d", "part DESC", "id" };

    (void)state;
    seed = 11;
    make_table(7, 2600, true);
    for (int i = 0; i < 120; i++) {
        struct tsf_buf p = TSF_BUF_INIT(0);
        char a[2048], b[2048];
        const char *order = orders[below((int64_t)TSF_ARRAY_LEN(orders))];
        int limit = (int)below(3) ? (int)below(20) : (int)below(4000), offset = below(3) ? 0 : (int)below(50);
        if (below(4))
            predicate(&p, 1);
        else
            tsf_buf_append_z(&p, "true", NULL);
        const char *where = tsf_buf_cstr(&p), *space = strchr(order, ' ');
        snprintf(a, sizeof a, "SELECT id, ts, k, s, d, part FROM t WHERE %s ORDER BY %s, id LIMIT %d OFFSET %d", where, order, limit, offset);
        snprintf(b, sizeof b,
                 "SELECT id, ts, k, s, d, part FROM t WHERE CASE WHEN %s THEN true ELSE false END ORDER BY coalesce(%.*s, NULL)%s, id"
                 " LIMIT %d OFFSET %d",
                 where, space ? (int)(space - order) : (int)strlen(order), order, space ? space : "", limit, offset);
        check_same(where, a, b);
        tsf_buf_release(&p);
    }
}

static void test_query_scan__groups_are_alike_on_every_path(void **state)
{
    static const char *const keys[] = { "part", "s", "k", "part, s", "k, s, part", "d", "ts", "id / 7, s, k, part" };

    (void)state;
    seed = 3;
    make_table(6, 2600, true);
    for (size_t i = 0; i < TSF_ARRAY_LEN(keys); i++) {
        char a[1024], b[1024];
        snprintf(a, sizeof a, "SELECT sum(n), sum(m), count(*), sum(u) FROM (SELECT %s, count(*) AS n, count(k) AS m, count(DISTINCT s) AS u FROM t GROUP BY %s) x",
                 keys[i], keys[i]);
        char *one = run(a, 1), *two = run(a, 2);
        CHECK_STR(one, two);
        free(one);
        free(two);
        snprintf(b, sizeof b, "SELECT count(*) FROM (SELECT DISTINCT %s FROM t) x", keys[i]);
        snprintf(a, sizeof a, "SELECT count(*) FROM (SELECT %s FROM t GROUP BY %s) x", keys[i], keys[i]);
        check_same(keys[i], a, b);
    }
}

static void test_query_scan__statistics_count_the_tail_too(void **state)
{
    (void)state;
    make_table(0, 2, true);
    CHECK_SQL("SELECT count(*), count(part), count(DISTINCT part) FROM t", "301|301|1\n");
    CHECK_SQL("SELECT count(*) FROM t WHERE part = 'tail'", "301\n");
    CHECK_SQL("SELECT count(*) FROM t WHERE part = 'a'", "0\n");
    CHECK_SQL("SELECT max(id) - min(id) FROM t", "300\n");
}

static void test_query_scan__an_empty_table(void **state)
{
    (void)state;
    free(run(CREATE, 1));
    CHECK_SQL("SELECT count(*), min(ts), sum(k) FROM t", "0||\n");
    CHECK_SQL("SELECT s, count(*) FROM t GROUP BY s", "");
    CHECK_SQL("SELECT * FROM t ORDER BY ts DESC LIMIT 3", "");
    CHECK_SQL("SELECT * FROM t WHERE false", "");
}

TEST_MAIN(TEST(test_query_scan__an_empty_table), TEST(test_query_scan__statistics_count_the_tail_too),
          TEST(test_query_scan__pruning_changes_no_answer), TEST(test_query_scan__ordered_scans_give_the_first_rows),
          TEST(test_query_scan__groups_are_alike_on_every_path))
