/* Files written from random batches of every type and shape, read back; statistics, filters and indexes never hide a row. */
#include "test_util.h"

#include "column_random.h"
#include "parquet/parquet.h"

struct memory {
    struct tsf_buf bytes;
    int64_t fail_after; /* refuse to take more than this; 0 = never */
};

static enum tsf_err memory_put(void *ctx, const void *p, size_t n, struct tsf_error *err)
{
    struct memory *m = ctx;
    if (m->fail_after && (int64_t)(m->bytes.len + n) > m->fail_after)
        return tsf_fail(err, TSF_ERR_IO, "disk full");
    return tsf_buf_append(&m->bytes, p, n, err);
}

static struct parquet_writer *open_writer(struct memory *m, const struct tsf_schema *schema, const struct parquet_writer_options *o)
{
    struct tsf_sink sink = { .write = memory_put, .ctx = m };
    struct parquet_writer *w = NULL;
    REQUIRE(parquet_writer_new(&sink, schema, o, &w, err));
    return w;
}

static void open_file(struct parquet_file *f, struct tsf_source *src, const struct memory *m)
{
    tsf_source_memory(src, m->bytes.data, m->bytes.len, "memory");
    REQUIRE(parquet_file_open(f, src, NULL, err));
}

/* ---- random tables ------------------------------------------------------------------------------------------ */

enum { MAX_FIELDS = 8, MAX_BATCHES = 6 };

struct table {
    struct tsf_arena arena;
    struct tsf_field fields[MAX_FIELDS];
    struct tsf_schema schema;
    struct tsf_batch batches[MAX_BATCHES];
    int n_batches;
    int64_t rows;
};

static void random_table(struct table *t)
{
    memset(t, 0, sizeof *t);
    t->schema.fields = t->fields;
    t->schema.n_fields = 1 + (int)(rng() % MAX_FIELDS);
    for (int i = 0; i < t->schema.n_fields; i++) {
        const struct tsf_type *type;
        do
            type = rng() % 12 ? random_type(&t->arena, (int)(rng() % N_RANDOM_TYPES)) : TSF_T(UUID);
        while (type->id == TSF_TYPE_NULL || type->id == TSF_TYPE_INTERVAL);
        t->fields[i] = (struct tsf_field){ .name = tsf_arena_printf(&t->arena, "c%d", i), .type = type, .nullable = true,
                                           .field_id = rng() % 2 ? i : -1 };
    }
    t->n_batches = (int)(rng() % (MAX_BATCHES + 1));
    for (int b = 0; b < t->n_batches; b++) {
        struct tsf_batch *batch = &t->batches[b];
        struct tsf_vector *v = tsf_arena_calloc(&t->arena, MAX_FIELDS, sizeof *v);
        *batch = (struct tsf_batch){ .length = (int64_t)(rng() % 500), .n_columns = t->schema.n_fields, .columns = v };
        for (int i = 0; i < t->schema.n_fields; i++)
            random_vector(&t->arena, t->fields[i].type, batch->length, &v[i]);
        if (rng() % 3 == 0) {
            uint32_t *sel = tsf_arena_calloc(&t->arena, (size_t)batch->length + 1, sizeof *sel);
            for (int64_t r = 0; r < batch->length; r++)
                if (rng() % 3)
                    sel[batch->n_sel++] = (uint32_t)r;
            batch->sel = sel;
        }
        t->rows += tsf_batch_rows(batch);
    }
}

/* Where row `row` of the file came from. */
static const struct tsf_batch *find_row(const struct table *t, int64_t row, int64_t *at)
{
    for (int b = 0; b < t->n_batches; b++) {
        int64_t n = tsf_batch_rows(&t->batches[b]);
        if (row < n) {
            *at = t->batches[b].sel ? t->batches[b].sel[row] : row;
            return &t->batches[b];
        }
        row -= n;
    }
    TEST_FAIL("row out of range");
}

static void random_options(struct parquet_writer_options *o, struct tsf_pool *pool, uint8_t *bloom)
{
    static const int encodings[] = { PARQUET_PLAIN, PARQUET_RLE, PARQUET_DELTA_BINARY_PACKED, PARQUET_DELTA_LENGTH_BYTE_ARRAY,
                                     PARQUET_DELTA_BYTE_ARRAY, PARQUET_RLE_DICTIONARY, PARQUET_BYTE_STREAM_SPLIT };
    static const int codecs[] = { PARQUET_UNCOMPRESSED, PARQUET_SNAPPY, PARQUET_GZIP, PARQUET_ZSTD, PARQUET_LZ4_RAW };
    *o = (struct parquet_writer_options){ .page_v2 = rng() & 1, .pool = rng() % 2 ? pool : NULL, .bloom = bloom };
    for (int i = 0; i < MAX_FIELDS; i++)
        bloom[i] = rng() % 2;
    if (rng() % 3)
        o->page_rows = 1 + (int32_t)(rng() % 300);
    if (rng() % 2)
        o->row_group_rows = 1 + (int64_t)(rng() % 700);
    if (rng() % 4 == 0)
        o->row_group_bytes = 1 + (int64_t)(rng() % 20000);
    if (rng() % 2)
        o->force_encoding = 1 + encodings[rng() % TSF_ARRAY_LEN(encodings)];
    if (rng() % 2)
        o->force_codec = 1 + codecs[rng() % TSF_ARRAY_LEN(codecs)];
}

static void write_table(struct table *t, const struct parquet_writer_options *o, struct memory *m)
{
    struct parquet_writer *w = open_writer(m, &t->schema, o);
    struct parquet_file_info info;
    for (int b = 0; b < t->n_batches; b++)
        REQUIRE(parquet_writer_write(w, &t->batches[b], err));
    REQUIRE(parquet_writer_finish(w, &info, err));
    CHECK_INT(info.n_rows, t->rows);
    CHECK_INT(info.size, m->bytes.len);
    CHECK_INT(info.footer_offset + info.footer_length + 8, info.size);
    CHECK_MEM(info.footer.data, info.footer.len, m->bytes.data + info.footer_offset, info.footer_length);
    for (int i = 0; i < t->schema.n_fields; i++) {
        int64_t nulls = 0;
        if (t->fields[i].type->n_children)
            continue;
        for (int64_t r = 0, at; r < t->rows; r++) {
            const struct tsf_batch *b = find_row(t, r, &at);
            nulls += !tsf_vector_present(&b->columns[i], at);
        }
        CHECK_INT(info.stats[i].null_count, nulls);
    }
    parquet_writer_free(w);
}

static void check_in_range(const struct parquet_range *range, const struct tsf_value *v)
{
    bool nan = (v->type->id == TSF_TYPE_DOUBLE && isnan(v->u.f64)) || (v->type->id == TSF_TYPE_FLOAT && isnan(v->u.f32));
    if (range->has_min && !nan)
        CHECK(tsf_value_cmp(&range->min, v) <= 0);
    if (range->has_max)
        CHECK(!nan && tsf_value_cmp(&range->max, v) >= 0);
}

static void check_column(const struct parquet_file *f, const struct table *t, int g, int field)
{
    const struct parquet_row_group *group = &f->meta->row_groups[g];
    struct tsf_arena a = TSF_ARENA_INIT;
    struct parquet_column *c = NULL;
    struct parquet_range range = { 0 };
    struct parquet_page_index index = { 0 };
    bool flat = t->fields[field].type->n_children == 0, maybe;
    int page = 0;
    REQUIRE(parquet_column_open(f, g, field, NULL, &c, err));
    if (flat) {
        REQUIRE(parquet_chunk_range(f, g, field, &range, err));
        REQUIRE(parquet_page_index_read(f, g, field, &a, &index, err));
        CHECK(index.n_pages > 0);
    }
    for (int64_t row = 0; row < group->n_rows;) {
        int64_t n = 1 + (int64_t)(rng() % 300);
        struct tsf_vector v;
        n = TSF_MIN(n, group->n_rows - row);
        CHECK_INT(parquet_column_left(c), group->n_rows - row);
        REQUIRE(parquet_column_read(c, n, &a, &v, err));
        CHECK_INT(v.length, n);
        for (int64_t i = 0; i < n; i++, row++) {
            int64_t at;
            const struct tsf_batch *b = find_row(t, group->first_row + row, &at);
            struct tsf_value value;
            if (t->fields[field].type->json) /* comes back as plain text */
                CHECK(tsf_vector_rows_equal(&v, i, &b->columns[field], at));
            else
                expect_rows_same(&v, i, &b->columns[field], at);
            REQUIRE(tsf_vector_get(&v, i, &a, &value, err));
            if (!flat || value.is_null)
                continue;
            check_in_range(&range, &value);
            while (index.first_row[page + 1] <= row)
                page++;
            if (index.ranges) {
                CHECK(!index.all_null[page]);
                check_in_range(&index.ranges[page], &value);
            }
            REQUIRE(parquet_bloom_check(f, g, field, &value, &maybe, err));
            CHECK(maybe);
        }
    }
    parquet_column_close(c);
    tsf_arena_release(&a);
}

static void test_parquet_writer__random_tables_read_back(void **state)
{
    struct tsf_pool *pool = NULL;
    (void)state;
    REQUIRE(tsf_pool_new(3, &pool, err));
    for (int round = 0; round < 150; round++) {
        struct memory m = { 0 };
        struct table t;
        struct parquet_file f;
        struct tsf_source src;
        struct parquet_writer_options o;
        uint8_t bloom[MAX_FIELDS];
        random_table(&t);
        random_options(&o, pool, bloom);
        write_table(&t, &o, &m);
        open_file(&f, &src, &m);
        CHECK_INT(f.meta->n_rows, t.rows);
        CHECK_INT(f.schema.n_fields, t.schema.n_fields);
        for (int i = 0; i < t.schema.n_fields; i++) {
            CHECK_STR(f.schema.fields[i].name, t.fields[i].name);
            CHECK_INT(f.schema.fields[i].field_id, t.fields[i].field_id);
            for (int g = 0; g < f.meta->n_row_groups; g++)
                check_column(&f, &t, g, i);
        }
        parquet_file_release(&f);
        tsf_source_close(&src);
        tsf_buf_release(&m.bytes);
        tsf_arena_release(&t.arena);
    }
    tsf_pool_free(pool);
}

/* ---- what the footer says ------------------------------------------------------------------------------------------ */

struct one {
    struct memory m;
    struct tsf_arena arena;
    struct parquet_file f;
    struct tsf_source src;
    struct parquet_file_info info;
    struct parquet_writer *w;
};

/* A file of one column from a builder's rows. */
static void one_column(struct one *x, const struct tsf_type *t, struct tsf_builder *b, const struct parquet_writer_options *o)
{
    struct tsf_field field = { .name = "x", .type = t, .nullable = true, .field_id = -1 };
    struct tsf_schema schema = { 1, &field };
    struct tsf_vector v;
    memset(x, 0, sizeof *x);
    x->w = open_writer(&x->m, &schema, o);
    REQUIRE(tsf_builder_vector(b, &x->arena, &v, err));
    struct tsf_batch batch = { .length = v.length, .n_columns = 1, .columns = &v };
    REQUIRE(parquet_writer_write(x->w, &batch, err));
    REQUIRE(parquet_writer_finish(x->w, &x->info, err));
    open_file(&x->f, &x->src, &x->m);
}

static void one_release(struct one *x)
{
    parquet_file_release(&x->f);
    tsf_source_close(&x->src);
    parquet_writer_free(x->w);
    tsf_buf_release(&x->m.bytes);
    tsf_arena_release(&x->arena);
}

static void test_parquet_writer__long_strings_are_cut_in_the_file_and_whole_for_the_caller(void **state)
{
    struct tsf_builder b;
    char low[300], high[300];
    struct one x;
    (void)state;
    memset(low, 'a', sizeof low);
    memset(high, 'y', sizeof high);
    REQUIRE(tsf_builder_init(&b, TSF_T(STRING), err));
    REQUIRE(tsf_builder_str(&b, "m", 1, err));
    REQUIRE(tsf_builder_str(&b, high, sizeof high, err));
    REQUIRE(tsf_builder_null(&b, err));
    REQUIRE(tsf_builder_str(&b, low, sizeof low, err));
    one_column(&x, TSF_T(STRING), &b, NULL);
    const struct parquet_stats *s = &x.f.meta->row_groups[0].chunks[0].stats;
    CHECK_INT(s->min.len, 64);
    CHECK_INT(s->max.len, 64);
    CHECK_INT(s->max.data[63], 'z');
    CHECK(!s->min_exact && !s->max_exact);
    CHECK_INT(s->null_count, 1);
    CHECK(x.info.stats[0].has_range);
    CHECK(tsf_str_eq(x.info.stats[0].min.u.s, tsf_str_n(low, sizeof low)));
    CHECK(tsf_str_eq(x.info.stats[0].max.u.s, tsf_str_n(high, sizeof high)));
    CHECK_INT(x.info.stats[0].null_count, 1);
    one_release(&x);
    tsf_builder_release(&b);
}

static void test_parquet_writer__nan_leaves_no_range(void **state)
{
    struct tsf_builder b;
    struct one x;
    (void)state;
    REQUIRE(tsf_builder_init(&b, TSF_T(DOUBLE), err));
    REQUIRE(tsf_builder_f64(&b, 1.5, err));
    REQUIRE(tsf_builder_f64(&b, (double)NAN, err));
    one_column(&x, TSF_T(DOUBLE), &b, NULL);
    const struct parquet_chunk *c = &x.f.meta->row_groups[0].chunks[0];
    CHECK(!c->stats.min.data && !c->stats.max.data);
    CHECK_INT(c->column_index_offset, -1);
    CHECK(c->offset_index_offset > 0);
    CHECK(!x.info.stats[0].has_range);
    one_release(&x);
    tsf_builder_release(&b);
}

static void test_parquet_writer__nothing_but_nulls_is_one_page(void **state)
{
    struct parquet_writer_options o = { .page_rows = 10 };
    struct parquet_page_index index;
    struct tsf_builder b;
    struct one x;
    (void)state;
    REQUIRE(tsf_builder_init(&b, TSF_T(STRING), err));
    REQUIRE(tsf_builder_nulls(&b, 100000, err));
    one_column(&x, TSF_T(STRING), &b, &o);
    REQUIRE(parquet_page_index_read(&x.f, 0, 0, &x.arena, &index, err));
    CHECK_INT(index.n_pages, 1);
    CHECK(index.all_null[0]);
    CHECK_INT(x.info.stats[0].null_count, 100000);
    CHECK(x.m.bytes.len < 1000);
    one_release(&x);
    tsf_builder_release(&b);
}

static void test_parquet_writer__encodings_follow_the_data(void **state)
{
    enum { N = 50000 };
    static const struct { enum tsf_type_id id; int kind; int encoding; } cases[] = {
        { TSF_TYPE_TIMESTAMP, 0, PARQUET_DELTA_BINARY_PACKED }, /* rising */
        { TSF_TYPE_INT64, 1, PARQUET_RLE_DICTIONARY },          /* few values, far apart */
        { TSF_TYPE_INT64, 2, PARQUET_PLAIN },                   /* anything */
        { TSF_TYPE_STRING, 1, PARQUET_RLE_DICTIONARY },
        { TSF_TYPE_STRING, 2, PARQUET_DELTA_LENGTH_BYTE_ARRAY },
        { TSF_TYPE_STRING, 0, PARQUET_DELTA_BYTE_ARRAY },       /* sorted paths */
        { TSF_TYPE_DOUBLE, 1, PARQUET_RLE_DICTIONARY },
        { TSF_TYPE_BOOL, 1, PARQUET_PLAIN },
    };
    (void)state;
    for (size_t k = 0; k < TSF_ARRAY_LEN(cases); k++) {
        struct tsf_builder b;
        struct one x;
        REQUIRE(tsf_builder_init(&b, &tsf_types[cases[k].id], err));
        for (int64_t i = 0; i < N; i++) {
            int64_t v = cases[k].kind == 0 ? 1790000000000000 + i * 1000 + (int64_t)(rng() % 900)
                      : cases[k].kind == 1 ? (int64_t)(rng() % 5) * 1000000007 : (int64_t)rng();
            char text[128];
            if (cases[k].id == TSF_TYPE_STRING) {
                int n = snprintf(text, sizeof text, cases[k].kind ? "%llx" : "/a/rather/long/path/that/repeats/itself/%lld",
                                 (long long)v);
                REQUIRE(tsf_builder_str(&b, text, (size_t)n, err));
            } else if (cases[k].id == TSF_TYPE_DOUBLE) {
                REQUIRE(tsf_builder_f64(&b, (double)v / 3, err));
            } else {
                REQUIRE(tsf_builder_i64(&b, cases[k].id == TSF_TYPE_BOOL ? v & 1 : v, err));
            }
        }
        one_column(&x, &tsf_types[cases[k].id], &b, NULL);
        uint32_t encodings = x.f.meta->row_groups[0].chunks[0].encodings;
        if (!(encodings >> cases[k].encoding & 1))
            TEST_FAIL("case %zu: encodings 0x%x, want %s", k, encodings, parquet_encoding_name(cases[k].encoding));
        one_release(&x);
        tsf_builder_release(&b);
    }
}

static void test_parquet_writer__sorting_and_key_values_are_in_the_footer(void **state)
{
    static const char *const keys[] = { "a", "tsf.level" }, *const values[] = { "1", "hot" };
    static const struct parquet_sorting sorting[] = { { .leaf = 0, .descending = true, .nulls_first = true } };
    struct parquet_writer_options o = { .n_key_values = 2, .keys = keys, .values = values, .sorting = sorting, .n_sorting = 1 };
    struct tsf_builder b;
    struct one x;
    (void)state;
    REQUIRE(tsf_builder_init(&b, TSF_T(INT32), err));
    REQUIRE(tsf_builder_i64(&b, 7, err));
    one_column(&x, TSF_T(INT32), &b, &o);
    const struct parquet_meta *m = x.f.meta;
    CHECK_INT(m->n_sorting, 1);
    CHECK(m->sorting[0].leaf == 0 && m->sorting[0].descending && m->sorting[0].nulls_first);
    CHECK_INT(m->n_key_values, 2);
    CHECK(tsf_str_eqz(m->keys[1], "tsf.level") && tsf_str_eqz(m->values[1], "hot"));
    CHECK(tsf_str_eqz(m->created_by, "tsf version " TSF_VERSION));
    CHECK_INT(m->column_orders[0], 1);
    one_release(&x);
    tsf_builder_release(&b);
}

static void test_parquet_writer__bloom_filters_refuse_most_strangers(void **state)
{
    static const uint8_t bloom[] = { PARQUET_BLOOM_YES };
    struct parquet_writer_options o = { .bloom = bloom };
    struct tsf_builder b;
    struct one x;
    int wrong = 0;
    (void)state;
    REQUIRE(tsf_builder_init(&b, TSF_T(STRING), err));
    for (int i = 0; i < 50000; i++) {
        char text[40];
        REQUIRE(tsf_builder_str(&b, text, (size_t)snprintf(text, sizeof text, "id-%016llx", (unsigned long long)rng()), err));
    }
    one_column(&x, TSF_T(STRING), &b, &o);
    for (int i = 0; i < 10000; i++) {
        char text[40];
        bool maybe;
        struct tsf_value v = { .type = TSF_T(STRING), .u.s = tsf_str_n(text, (size_t)snprintf(text, sizeof text, "no-%d", i)) };
        REQUIRE(parquet_bloom_check(&x.f, 0, 0, &v, &maybe, err));
        wrong += maybe;
    }
    CHECK(wrong < 400);
    CHECK(x.f.meta->row_groups[0].chunks[0].bloom_length < 100000);
    one_release(&x);
    tsf_builder_release(&b);
}

/* ---- refusals --------------------------------------------------------------------------------------------------------- */

static void test_parquet_writer__a_null_in_a_required_column_is_refused(void **state)
{
    struct tsf_field field = { .name = "must", .type = TSF_T(INT64), .field_id = -1 };
    struct tsf_schema schema = { 1, &field };
    struct memory m = { 0 };
    struct parquet_writer *w = open_writer(&m, &schema, NULL);
    struct tsf_value null = { .type = TSF_T(INT64), .is_null = true };
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_vector v;
    struct parquet_file_info info;
    (void)state;
    CHECK_OK(tsf_vector_constant(&null, 3, &a, &v, &err), &err);
    struct tsf_batch batch = { .length = 3, .n_columns = 1, .columns = &v };
    CHECK_ERR(parquet_writer_write(w, &batch, &err), TSF_ERR_INVALID);
    CHECK_HAS(err.msg, "must");
    CHECK_ERR(parquet_writer_finish(w, &info, NULL), TSF_ERR_INVALID);
    parquet_writer_free(w);
    tsf_buf_release(&m.bytes);
    tsf_arena_release(&a);
}

static void test_parquet_writer__other_types_and_widths_are_refused(void **state)
{
    struct tsf_field field = { .name = "n", .type = TSF_T(INT64), .nullable = true, .field_id = -1 };
    struct tsf_schema schema = { 1, &field };
    struct memory m = { 0 };
    struct parquet_writer *w = open_writer(&m, &schema, NULL);
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_vector v[2];
    struct tsf_value text = { .type = TSF_T(STRING), .u.s = TSF_STR("x") };
    struct tsf_batch batch = { .length = 1, .n_columns = 1, .columns = v };
    (void)state;
    CHECK_OK(tsf_vector_constant(&text, 1, &a, &v[0], &err), &err);
    CHECK_ERR(parquet_writer_write(w, &batch, NULL), TSF_ERR_INVALID);
    batch.n_columns = 2;
    CHECK_ERR(parquet_writer_write(w, &batch, NULL), TSF_ERR_INVALID);
    parquet_writer_free(w);
    field.type = TSF_T(INTERVAL);
    struct tsf_sink sink = { .write = memory_put, .ctx = &m };
    CHECK_ERR(parquet_writer_new(&sink, &schema, NULL, &w, &err), TSF_ERR_UNSUPPORTED);
    tsf_buf_release(&m.bytes);
    tsf_arena_release(&a);
}

static void test_parquet_writer__a_failing_sink_ends_it(void **state)
{
    struct table t;
    (void)state;
    random_table(&t);
    for (int64_t limit = 1; limit < 4000; limit += 1 + limit / 8) {
        struct memory m = { .fail_after = limit };
        struct parquet_writer_options o = { .row_group_rows = 100 };
        struct parquet_writer *w = open_writer(&m, &t.schema, &o);
        struct parquet_file_info info;
        enum tsf_err rc = TSF_OK;
        for (int b = 0; b < t.n_batches && rc == TSF_OK; b++)
            rc = parquet_writer_write(w, &t.batches[b], NULL);
        if (rc == TSF_OK)
            rc = parquet_writer_finish(w, &info, NULL);
        CHECK(rc == TSF_OK || rc == TSF_ERR_IO);
        if (rc == TSF_ERR_IO)
            CHECK_ERR(parquet_writer_finish(w, &info, NULL), TSF_ERR_IO);
        parquet_writer_free(w);
        tsf_buf_release(&m.bytes);
    }
    tsf_arena_release(&t.arena);
}

TEST_MAIN(TEST(test_parquet_writer__random_tables_read_back),
          TEST(test_parquet_writer__long_strings_are_cut_in_the_file_and_whole_for_the_caller),
          TEST(test_parquet_writer__nan_leaves_no_range), TEST(test_parquet_writer__nothing_but_nulls_is_one_page),
          TEST(test_parquet_writer__encodings_follow_the_data),
          TEST(test_parquet_writer__sorting_and_key_values_are_in_the_footer),
          TEST(test_parquet_writer__bloom_filters_refuse_most_strangers),
          TEST(test_parquet_writer__a_null_in_a_required_column_is_refused),
          TEST(test_parquet_writer__other_types_and_widths_are_refused), TEST(test_parquet_writer__a_failing_sink_ends_it))
