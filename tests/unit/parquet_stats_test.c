/* Statistics, page index and bloom filters: what is claimed must hold for every row; what cannot be trusted is not used. */
#include "test_util.h"

#include "parquet/parquet_read_internal.h"

static enum tsf_err mem_write(void *ctx, const void *p, size_t n, struct tsf_error *err)
{
    return tsf_buf_append(ctx, p, n, err);
}

static bool is_nan(const struct tsf_value *v)
{
    return (v->type->id == TSF_TYPE_FLOAT && isnan(v->u.f32)) || (v->type->id == TSF_TYPE_DOUBLE && isnan(v->u.f64));
}

/* The range against the rows [first, first + n) that it speaks of. */
static void expect_range(const struct parquet_range *r, const struct tsf_vector *all, int64_t first, int64_t n, const char *what)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    bool min_seen = false, max_seen = false;
    int64_t nulls = 0;
    for (int64_t i = first; i < first + n; i++) {
        struct tsf_value v;
        CHECK_OK(tsf_vector_get(all, i, &a, &v, &err), &err);
        nulls += v.is_null;
        if (v.is_null)
            continue;
        if (is_nan(&v)) {
            CHECK(!r->has_max);
            continue;
        }
        if (r->has_min && tsf_value_cmp(&v, &r->min) < 0)
            TEST_FAIL("%s: row %lld is below min", what, (long long)i);
        if (r->has_max && tsf_value_cmp(&v, &r->max) > 0)
            TEST_FAIL("%s: row %lld is above max", what, (long long)i);
        min_seen |= r->has_min && tsf_value_cmp(&v, &r->min) == 0;
        max_seen |= r->has_max && tsf_value_cmp(&v, &r->max) == 0;
    }
    if (r->has_min && r->min_exact && !min_seen)
        TEST_FAIL("%s: exact min is not attained", what);
    if (r->has_max && r->max_exact && !max_seen)
        TEST_FAIL("%s: exact max is not attained", what);
    if (r->null_count >= 0)
        CHECK_INT(r->null_count, nulls);
    CHECK_INT(r->n_values, n);
    tsf_arena_release(&a);
}

/* Everything about one flat column. Returns how many bounds there were. */
static int expect_statistics(const struct parquet_file *f, int group, int field, const char *what)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct parquet_column *c;
    struct parquet_range r;
    struct parquet_page_index index;
    struct tsf_vector all;
    const int64_t n = f->meta->row_groups[group].n_rows;
    int bounds = 0;

    CHECK_OK(parquet_chunk_range(f, group, field, &r, &err), &err);
    CHECK_OK(parquet_page_index_read(f, group, field, &a, &index, &err), &err);
    CHECK_OK(parquet_column_open(f, group, field, NULL, &c, &err), &err);
    if (r.n_values >= 0 && parquet_column_read(c, n, &a, &all, &err) == TSF_OK) {
        bounds += r.has_min + r.has_max;
        expect_range(&r, &all, 0, n, what);
        for (int i = 0; i < index.n_pages && index.ranges; i++) {
            bounds += index.ranges[i].has_min;
            expect_range(&index.ranges[i], &all, index.first_row[i], index.first_row[i + 1] - index.first_row[i], what);
            if (index.all_null[i])
                CHECK(!index.ranges[i].has_min && !index.ranges[i].has_max);
        }
        for (int64_t i = 0; i < TSF_MIN(n, 2000); i++) { /* no filter says no to what is there */
            struct tsf_value v;
            bool maybe;
            CHECK_OK(tsf_vector_get(&all, i, &a, &v, &err), &err);
            CHECK_OK(parquet_bloom_check(f, group, field, &v, &maybe, &err), &err);
            if (!maybe)
                TEST_FAIL("%s: the bloom filter denies row %lld", what, (long long)i);
        }
    }
    parquet_column_close(c);
    tsf_arena_release(&a);
    return bounds;
}

static void test_stats__hold_for_other_projects_files(void **state)
{
    const char *manifest = test_conformance("parquet/manifest.tsv");
    char root[1024], line[4096], path[4096];
    FILE *in;
    int bounds = 0;
    (void)state;
    snprintf(root, sizeof root, "%.*s", (int)(strrchr(manifest, '/') - manifest), manifest);
    CHECK((in = fopen(manifest, "r")) != NULL);
    while (fgets(line, sizeof line, in)) {
        struct tsf_error err = TSF_ERROR_INIT;
        struct parquet_file f;
        struct tsf_source src;
        char *tab = strchr(line, '\t');
        if (!tab || strncmp(tab, "\tread\t", 6) != 0)
            continue;
        *tab = '\0';
        snprintf(path, sizeof path, "%s/files/%.2000s", root, line);
        CHECK_OK(tsf_source_file(&src, path, &err), &err);
        CHECK_OK(parquet_file_open(&f, &src, NULL, &err), &err);
        for (int g = 0; g < TSF_MIN(f.meta->n_row_groups, 4); g++)
            for (int i = 0; i < f.schema.n_fields; i++)
                if (f.meta->row_groups[g].n_rows <= 20000)
                    bounds += expect_statistics(&f, g, i, path);
        parquet_file_release(&f);
        tsf_source_close(&src);
    }
    fclose(in);
    CHECK(bounds > 300);
}

static void test_stats__of_our_files(void **state)
{
    static const enum tsf_type_id ids[] = { TSF_TYPE_BOOL, TSF_TYPE_INT8, TSF_TYPE_INT16, TSF_TYPE_INT32, TSF_TYPE_INT64,
                                            TSF_TYPE_FLOAT, TSF_TYPE_DOUBLE, TSF_TYPE_DATE, TSF_TYPE_TIMESTAMP, TSF_TYPE_STRING,
                                            TSF_TYPE_DECIMAL };
    uint64_t seed = 31;
    (void)state;
    for (size_t t = 0; t < TSF_ARRAY_LEN(ids); t++)
        for (int kind = 0; kind < 3; kind++) { /* plain; nulls; all null */
            struct tsf_error err = TSF_ERROR_INIT;
            struct tsf_buf file = TSF_BUF_INIT(64 << 20);
            struct tsf_field field = { .name = "x", .nullable = true, .field_id = -1 };
            field.type = ids[t] == TSF_TYPE_DECIMAL ? tsf_type_decimal(30, 4) : &tsf_types[ids[t]];
            const struct tsf_schema schema = { .n_fields = 1, .fields = &field };
            const struct tsf_sink sink = { .write = mem_write, .ctx = &file };
            const uint8_t bloom = PARQUET_BLOOM_YES;
            const struct parquet_writer_options opts = { .page_rows = 500, .row_group_rows = 2500, .bloom = &bloom };
            struct tsf_arena a = TSF_ARENA_INIT;
            struct parquet_writer *w;
            struct parquet_file_info info;
            struct parquet_file f;
            struct tsf_builder b;
            struct tsf_source src;
            struct tsf_vector v;
            char text[100], what[64];
            snprintf(what, sizeof what, "type %d, kind %d", (int)ids[t], kind);
            CHECK_OK(tsf_builder_init(&b, field.type, &err), &err);
            for (int i = 0; i < 6000; i++) {
                uint64_t r = test_random(&seed);
                if (kind == 2 || (kind == 1 && (r >> 40) % 3 == 0))
                    CHECK_OK(tsf_builder_null(&b, &err), &err);
                else if (ids[t] == TSF_TYPE_FLOAT || ids[t] == TSF_TYPE_DOUBLE)
                    CHECK_OK(tsf_builder_f64(&b, r % 100 == 0 ? 0.0 : r % 100 == 1 ? -0.0 : (double)(r % 1000) / 3 - 90, &err), &err);
                else if (ids[t] == TSF_TYPE_STRING)
                    CHECK_OK(tsf_builder_str(&b, text, (size_t)snprintf(text, sizeof text, "%*llu", (int)(r % 90), (unsigned long long)r), &err), &err);
                else if (ids[t] == TSF_TYPE_DECIMAL)
                    CHECK_OK(tsf_builder_i128(&b, (tsf_int128)(int64_t)r * 1000, &err), &err);
                else
                    CHECK_OK(tsf_builder_i64(&b, ids[t] == TSF_TYPE_BOOL ? (int64_t)(r & 1) : (int64_t)r, &err), &err);
            }
            CHECK_OK(tsf_builder_vector(&b, &a, &v, &err), &err);
            const struct tsf_batch batch = { .length = v.length, .n_columns = 1, .columns = &v };
            CHECK_OK(parquet_writer_new(&sink, &schema, &opts, &w, &err), &err);
            CHECK_OK(parquet_writer_write(w, &batch, &err), &err);
            CHECK_OK(parquet_writer_finish(w, &info, &err), &err);
            tsf_source_memory(&src, file.data, file.len, "memory");
            CHECK_OK(parquet_file_open(&f, &src, NULL, &err), &err);
            for (int g = 0; g < f.meta->n_row_groups; g++) {
                int bounds = expect_statistics(&f, g, 0, what);
                CHECK(kind == 2 ? bounds == 0 : bounds > 2);
            }
            if (ids[t] == TSF_TYPE_STRING && kind < 2) { /* and to most of what is not there it says no */
                int denied = 0;
                for (int i = 0; i < 1000; i++) {
                    struct tsf_value absent = { .type = TSF_T(STRING), .u.s = tsf_str_n(text, (size_t)snprintf(text, sizeof text, "absent %d", i)) };
                    bool maybe;
                    CHECK_OK(parquet_bloom_check(&f, 0, 0, &absent, &maybe, &err), &err);
                    denied += !maybe;
                }
                CHECK(denied > 900);
            }
            parquet_file_release(&f);
            parquet_writer_free(w);
            tsf_builder_release(&b);
            tsf_buf_release(&file);
            tsf_arena_release(&a);
        }
}

/* ---- trust, with metadata made by hand ------------------------------------------------------------------------- */

struct made {
    struct parquet_node nodes[2];
    int32_t leaf_nodes[1], field_nodes[1];
    struct parquet_chunk chunk;
    struct parquet_row_group group;
    struct parquet_meta meta;
    struct parquet_file file;
    int8_t order;
};

static struct parquet_range range_of(struct made *m, int physical, int logical, const void *min, const void *max, size_t n)
{
    struct parquet_range r;
    struct tsf_error err = TSF_ERROR_INIT;
    m->nodes[1].physical = (int8_t)physical;
    m->nodes[1].logical = (int8_t)logical;
    m->nodes[1].max_def = 1;
    m->chunk.n_values = 10;
    m->chunk.stats.min = tsf_str_n(min, n);
    m->chunk.stats.max = tsf_str_n(max, n);
    m->group = (struct parquet_row_group){ .n_rows = 10, .chunks = &m->chunk };
    m->field_nodes[0] = 1;
    m->meta.nodes = m->nodes;
    m->meta.row_groups = &m->group;
    m->meta.column_orders = &m->order;
    m->file.meta = &m->meta;
    m->file.field_nodes = m->field_nodes;
    CHECK_OK(parquet_chunk_range(&m->file, 0, 0, &r, &err), &err);
    return r;
}

static void test_stats__trust(void **state)
{
    static const int32_t one = 1, minus = -1;
    static const double low = -1, high = 5, nan_value = NAN, zero = 0.0, minus_zero = -0.0;
    struct made m = { .order = 1 };
    struct parquet_range r;
    (void)state;
    m.chunk.stats.null_count = m.chunk.stats.nan_count = -1;
    r = range_of(&m, PARQUET_INT32, 0, &minus, &one, 4);
    CHECK(r.has_min && r.has_max && r.min_exact && r.min.u.i64 == -1 && r.max.u.i64 == 1 && r.null_count == -1);
    r = range_of(&m, PARQUET_INT32, 0, &one, &minus, 4); /* min above max */
    CHECK(!r.has_min && !r.has_max);
    r = range_of(&m, PARQUET_INT32, 0, &minus, &one, 3); /* wrong length */
    CHECK(!r.has_min && !r.has_max);
    m.nodes[1].int_bits = 32; /* unsigned: -1 is the largest */
    r = range_of(&m, PARQUET_INT32, PARQUET_LOGICAL_INT, &one, &minus, 4);
    CHECK(r.has_min && r.has_max && r.max.u.i64 == 0xffffffffLL);
    r = range_of(&m, PARQUET_BYTE_ARRAY, PARQUET_LOGICAL_STRING, "ab", "cd", 2);
    CHECK(r.has_min && !r.min_exact);
    m.chunk.stats.min_exact = true;
    r = range_of(&m, PARQUET_BYTE_ARRAY, PARQUET_LOGICAL_STRING, "ab", "cd", 2);
    CHECK(r.min_exact && !r.max_exact);
    r = range_of(&m, PARQUET_INT96, 0, "aaaaaaaaaaaa", "bbbbbbbbbbbb", 12);
    CHECK(!r.has_min && !r.has_max);
    r = range_of(&m, PARQUET_BYTE_ARRAY, PARQUET_LOGICAL_OTHER, "a", "b", 1);
    CHECK(!r.has_min && !r.has_max);
    m.order = 0; /* no order said */
    r = range_of(&m, PARQUET_BYTE_ARRAY, PARQUET_LOGICAL_STRING, "ab", "cd", 2);
    CHECK(!r.has_min && !r.has_max);
    m.chunk.stats.deprecated = true; /* old fields: signed types only */
    r = range_of(&m, PARQUET_BYTE_ARRAY, PARQUET_LOGICAL_STRING, "ab", "cd", 2);
    CHECK(!r.has_min && !r.has_max);
    r = range_of(&m, PARQUET_INT32, PARQUET_LOGICAL_INT, &one, &minus, 4);
    CHECK(!r.has_min && !r.has_max);
    m.nodes[1].int_signed = true;
    r = range_of(&m, PARQUET_INT32, PARQUET_LOGICAL_INT, &minus, &one, 4);
    CHECK(r.has_min && r.has_max);

    m = (struct made){ .order = 1 };
    m.chunk.stats.nan_count = -1;
    r = range_of(&m, PARQUET_DOUBLE, 0, &low, &high, 8); /* there may be NaNs, which sort above */
    CHECK(r.has_min && !r.has_max);
    m.chunk.stats.nan_count = 0;
    r = range_of(&m, PARQUET_DOUBLE, 0, &low, &high, 8);
    CHECK(r.has_min && r.has_max && r.max.u.f64 == 5);
    r = range_of(&m, PARQUET_DOUBLE, 0, &nan_value, &high, 8);
    CHECK(!r.has_min && !r.has_max);
    r = range_of(&m, PARQUET_DOUBLE, 0, &zero, &minus_zero, 8);
    CHECK(r.has_min && r.has_max && signbit(r.min.u.f64) && !signbit(r.max.u.f64) && !r.min_exact && !r.max_exact);
    m.chunk.stats.null_count = 11; /* more than rows */
    r = range_of(&m, PARQUET_DOUBLE, 0, &low, &high, 8);
    CHECK_INT(r.null_count, -1);
}

TEST_MAIN(TEST(test_stats__hold_for_other_projects_files), TEST(test_stats__of_our_files), TEST(test_stats__trust))
