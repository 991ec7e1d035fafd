/*
 * lib/delta from outside, for delta_peers_test.py:
 *
 *   delta_tool create DIR            make a table partitioned by p and d
 *   delta_tool append DIR FROM N     N commits, each one file of 10 rows with x from 10 (FROM + i)
 *   delta_tool compact DIR           one commit that replaces all files of partition p = 'a/b c' by one
 *   delta_tool files DIR [VERSION]   what the snapshot says, one JSON object per line: the table, then its files
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "delta/delta.h"

#define ROWS 10

static struct tsf_error err = TSF_ERROR_INIT;
static struct tsf_arena arena = TSF_ARENA_INIT;
static struct tsf_field fields[8];
static struct tsf_schema schema = { 8, fields };
static const char *const partitions[] = { "a/b c", "x=1%", "\xc3\xa9t\xc3\xa9 \"q\"", NULL };

static void must(enum tsf_err rc)
{
    if (rc == TSF_OK)
        return;
    fprintf(stderr, "delta_tool: %s\n", err.msg);
    exit(1);
}

static void make_schema(void)
{
    static const char *const names[] = { "p", "d", "x", "s", "ts", "f", "amount", "tags" };
    const struct tsf_type *types[] = { TSF_T(STRING), TSF_T(DATE), TSF_T(INT64), TSF_T(STRING), TSF_T(TIMESTAMP), TSF_T(DOUBLE),
                                       tsf_type_decimal(20, 4), tsf_type_list(&arena, TSF_T(STRING), true) };
    for (int i = 0; i < schema.n_fields; i++)
        fields[i] = (struct tsf_field){ .name = names[i], .type = types[i], .nullable = true, .field_id = -1 };
}

/* Columns 2 to 7 of n rows with x from first. */
static struct tsf_batch make_batch(struct tsf_builder *b, int64_t first, int64_t n)
{
    struct tsf_batch batch = { .length = n, .n_columns = 6, .columns = tsf_arena_calloc(&arena, 6, sizeof *batch.columns) };

    for (int c = 0; c < 6; c++)
        must(tsf_builder_init(&b[c], fields[c + 2].type, &err));
    for (int64_t i = 0; i < n; i++) {
        int64_t x = first + i;
        char text[80];

        must(tsf_builder_i64(&b[0], x, &err));
        snprintf(text, sizeof text, "value %" PRId64 " %s", x, x % 3 ? "" : "with a tail that is longer than thirty-two");
        must(x % 7 ? tsf_builder_str(&b[1], text, strlen(text), &err) : tsf_builder_null(&b[1], &err));
        must(tsf_builder_i64(&b[2], 1790000000000000 + x * 1234567, &err));
        must(tsf_builder_f64(&b[3], (double)x / 8 - 3, &err));
        must(tsf_builder_i128(&b[4], (tsf_int128)x * 12345 - 1000000, &err));
        for (int64_t k = 0; k < x % 3; k++)
            must(tsf_builder_str(&b[5].children[0], "tag", 3, &err));
        must(x % 4 ? tsf_builder_list_end(&b[5], &err) : tsf_builder_list_end(&b[5], &err));
    }
    for (int c = 0; c < 6; c++)
        must(tsf_builder_vector(&b[c], &arena, &batch.columns[c], &err));
    return batch;
}

static void add_file(struct store *store, const struct delta_snapshot *s, const char *p, int32_t day, int64_t first, int64_t n,
                     bool data_change, struct delta_change *change)
{
    struct tsf_schema inner = { 6, fields + 2 };
    struct tsf_value *values = tsf_arena_calloc(&arena, 2, sizeof *values);
    struct tsf_buf path = TSF_BUF_INIT(0), stats = TSF_BUF_INIT(0);
    struct parquet_file_info info;
    struct parquet_writer *w;
    struct store_writer *out;
    struct tsf_builder b[6];
    struct tsf_batch batch = make_batch(b, first, n);
    struct tsf_sink sink;
    char uuid[37];

    values[0] = (struct tsf_value){ .type = TSF_T(STRING), .is_null = p == NULL, .u.s = tsf_str(p) };
    values[1] = (struct tsf_value){ .type = TSF_T(DATE), .u.i64 = day };
    must(delta_partition_path(&s->metadata, values, &path, &err));
    tsf_uuid4(uuid);
    must(tsf_buf_printf(&path, &err, "/part-%s.parquet", uuid));
    must(store_writer_new(store, tsf_buf_cstr(&path), &out, &err));
    sink = store_writer_sink(out);
    must(parquet_writer_new(&sink, &inner, &(struct parquet_writer_options){ 0 }, &w, &err));
    must(parquet_writer_write(w, &batch, &err));
    must(parquet_writer_finish(w, &info, &err));
    must(store_writer_finish(out, &err));
    must(delta_stats_json(&inner, &info, &stats, &err));
    must(delta_change_add(change, &(struct delta_add){
        .path = tsf_str(tsf_arena_strdup(&arena, tsf_buf_cstr(&path))), .partition = values, .size = info.size,
        .modified_ms = tsf_now_us() / 1000, .n_rows = info.n_rows, .stats = tsf_str(tsf_arena_strdup(&arena, tsf_buf_cstr(&stats))),
        .footer_offset = info.footer_offset, .footer_length = info.footer_length, .data_change = data_change }, &err));
    parquet_writer_free(w);
    store_writer_free(out);
    for (int c = 0; c < 6; c++)
        tsf_builder_release(&b[c]);
    tsf_buf_release(&path);
    tsf_buf_release(&stats);
}

static void append(struct store *store, int64_t from, int64_t n)
{
    struct delta_snapshot *s;
    struct delta_commit_result result;

    must(delta_snapshot_load(store, NULL, -1, &s, &err));
    for (int64_t i = from; i < from + n; i++) {
        struct delta_change change = DELTA_CHANGE_INIT(&arena);
        struct delta_commit_options opts = { .max_retries = 1000 };

        add_file(store, s, partitions[i % 4], 20777 + (int32_t)(i % 2), i * ROWS, ROWS, true, &change);
        change.operation = "WRITE";
        change.operation_params = "{\"mode\":\"Append\"}";
        must(delta_commit(&s, &change, &opts, &result, &err));
    }
    delta_snapshot_free(s);
}

static void compact(struct store *store)
{
    struct delta_change change = DELTA_CHANGE_INIT(&arena);
    struct delta_commit_result result;
    const struct tsf_vector *p;
    struct delta_snapshot *s;

    must(delta_snapshot_load(store, NULL, -1, &s, &err));
    must(delta_snapshot_partition(s, 0, &p, &err));
    for (int64_t i = 0; i < s->n_files; i++) {
        struct tsf_value v;

        must(tsf_vector_get(p, i, &arena, &v, &err));
        if (!v.is_null && tsf_str_eqz(v.u.s, partitions[0]))
            must(delta_change_remove(&change, s, i, false, &err));
    }
    change.read = DELTA_READ_FILES;
    change.operation = "OPTIMIZE";
    add_file(store, s, partitions[0], 20777, 1000000, ROWS * change.n_removes, false, &change);
    must(delta_commit(&s, &change, NULL, &result, &err));
    delta_snapshot_free(s);
}

static void files(struct store *store, int64_t version)
{
    struct tsf_buf out = TSF_BUF_INIT(0);
    const struct delta_bounds *x;
    struct delta_snapshot *s;

    must(delta_snapshot_load(store, NULL, version, &s, &err));
    must(delta_snapshot_bounds(s, 2, &x, &err));
    printf("{\"version\":%lld,\"files\":%lld,\"removed\":%lld,\"checkpoint\":%lld}\n", (long long)s->version, (long long)s->n_files,
           (long long)s->n_removed, (long long)s->checkpoint_version);
    for (int64_t i = 0; i < s->n_files; i++) {
        struct delta_file f;
        struct tsf_value lo, hi;

        must(delta_snapshot_file(s, i, &arena, &f, &err));
        must(tsf_vector_get(&x->min, i, &arena, &lo, &err));
        must(tsf_vector_get(&x->max, i, &arena, &hi, &err));
        tsf_buf_reset(&out);
        must(tsf_buf_append_json(&out, f.path, &err));
        printf("{\"path\":%.*s,\"size\":%lld,\"rows\":%lld,\"min\":%lld,\"max\":%lld", (int)out.len, (char *)out.data, (long long)f.size,
               (long long)f.n_rows, lo.is_null ? -1 : (long long)lo.u.i64, hi.is_null ? -1 : (long long)hi.u.i64);
        for (int k = 0; k < s->metadata.n_partition; k++) {
            tsf_buf_reset(&out);
            must(f.partition[k].is_null ? tsf_buf_append_z(&out, "null", &err) : tsf_value_json(&f.partition[k], &out, &err));
            printf(",\"%s\":%.*s", s->metadata.schema.fields[s->metadata.partition_fields[k]].name, (int)out.len, (char *)out.data);
        }
        printf("}\n");
    }
    tsf_buf_release(&out);
    delta_snapshot_free(s);
}

int main(int argc, char **argv)
{
    static const int partition[] = { 0, 1 };
    struct delta_create_options o = { .schema = &schema, .n_partition = 2, .partition_fields = partition, .name = "peers" };
    struct store *store;

    if (argc < 3)
        return 2;
    make_schema();
    must(store_open(argv[2], &store, &err));
    if (strcmp(argv[1], "create") == 0)
        must(delta_create_table(store, &o, &err));
    else if (strcmp(argv[1], "append") == 0 && argc == 5)
        append(store, atoll(argv[3]), atoll(argv[4]));
    else if (strcmp(argv[1], "compact") == 0)
        compact(store);
    else if (strcmp(argv[1], "files") == 0)
        files(store, argc > 3 ? atoll(argv[3]) : -1);
    else
        return 2;
    store_free(store);
    tsf_arena_release(&arena);
    return 0;
}
