/*
 * Reading columns: whole, in pieces, through selections and skips must all give the same rows; for files of ours in every
 * encoding and for other projects' files.
 */
#include "test_util.h"

#include "parquet/parquet_read_internal.h"

static enum tsf_err mem_write(void *ctx, const void *p, size_t n, struct tsf_error *err)
{
    return tsf_buf_append(ctx, p, n, err);
}

/* ---- one way of reading against another ---------------------------------------------------------------------- */

static void expect_rows(const struct tsf_vector *all, int64_t first, const uint32_t *sel, int64_t n, const struct tsf_vector *v,
                        bool flat_only, const char *what)
{
    CHECK_INT(v->length, n);
    CHECK(!flat_only || v->shape == TSF_FLAT);
    int64_t nulls = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = first + (sel ? sel[i] : i);
        if (!tsf_vector_rows_equal(all, row, v, i))
            TEST_FAIL("%s: row %lld differs", what, (long long)row);
        nulls += !tsf_vector_present(v, i);
        if (v->shape == TSF_FLAT && !tsf_vector_present(v, i) && tsf_type_width(v->type) > 0 && v->type->n_children == 0) {
            static const char zero[16];
            CHECK_MEM((const char *)v->values + i * tsf_type_width(v->type), tsf_type_width(v->type), zero, tsf_type_width(v->type));
        }
        if (v->shape == TSF_DICTIONARY)
            CHECK(((const int32_t *)v->values)[i] >= 0 && ((const int32_t *)v->values)[i] <= v->dict->length);
    }
    if (v->null_count >= 0)
        CHECK_INT(v->null_count, nulls);
}

/* Random pieces of random kinds. */
static void compare_pieces(const struct parquet_file *f, int group, int field, const struct tsf_vector *all, bool flat_only,
                           uint64_t *seed, const char *what)
{
    const struct parquet_column_options opts = { .no_dictionary = flat_only };
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct parquet_column *c;
    struct tsf_vector v;
    const int64_t rows = all->length;
    uint32_t *sel = malloc((size_t)rows * 4 + 4);

    CHECK(sel != NULL);
    CHECK_OK(parquet_column_open(f, group, field, &opts, &c, &err), &err);
    for (int64_t at = 0; at < rows;) {
        int64_t left = rows - at, n = 1 + (int64_t)(test_random(seed) % (uint64_t)TSF_MIN(left, 1 + rows / 3)), n_sel = 0;
        CHECK_INT(parquet_column_left(c), left);
        switch (test_random(seed) % 5) {
        case 0:
            CHECK_OK(parquet_column_skip(c, n, &err), &err);
            break;
        case 1:
            CHECK_OK(parquet_column_read(c, n, &a, &v, &err), &err);
            expect_rows(all, at, NULL, n, &v, flat_only, what);
            break;
        default: {
            const uint64_t one_in = 1 + (test_random(seed) % 3 ? test_random(seed) % 40 : 0);
            for (int64_t i = 0; i < n; i++)
                if (test_random(seed) % one_in == 0)
                    sel[n_sel++] = (uint32_t)i;
            CHECK_OK(parquet_column_read_sel(c, n, sel, n_sel, &a, &v, &err), &err);
            expect_rows(all, at, sel, n_sel, &v, flat_only, what);
        }
        }
        parquet_column_recycle(c);
        tsf_arena_reset(&a);
        at += n;
    }
    CHECK_INT(parquet_column_left(c), 0);
    parquet_column_close(c);
    tsf_arena_release(&a);
    free(sel);
}

static void compare_column(const struct parquet_file *f, int group, int field, uint64_t *seed, const char *what)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct parquet_column *c;
    struct tsf_vector all;
    enum tsf_err rc;
    CHECK_OK(parquet_column_open(f, group, field, NULL, &c, &err), &err);
    if ((rc = parquet_column_read(c, parquet_column_left(c), &a, &all, &err)) != TSF_ERR_UNSUPPORTED) {
        CHECK_OK(rc, &err);
        for (int i = 0; i < 4; i++)
            compare_pieces(f, group, field, &all, i % 2, seed, what);
    }
    parquet_column_close(c);
    tsf_arena_release(&a);
}

/* ---- files of ours --------------------------------------------------------------------------------------------- */

static void random_value(struct tsf_builder *b, int few, uint64_t *seed)
{
    struct tsf_error err = TSF_ERROR_INIT;
    const struct tsf_type *t = b->type;
    uint64_t r = test_random(seed);
    char text[64];
    if (few)
        r %= 37;
    switch (t->id) {
    case TSF_TYPE_FLOAT:
    case TSF_TYPE_DOUBLE: CHECK_OK(tsf_builder_f64(b, (double)(int64_t)r / 8, &err), &err); break;
    case TSF_TYPE_DECIMAL: CHECK_OK(tsf_builder_i128(b, (tsf_int128)(int64_t)r % tsf_pow10(t->precision), &err), &err); break;
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY: {
        int n = snprintf(text, sizeof text, "%.*s%llu", (int)(r % 20), "common beginning 1234567890", (unsigned long long)r);
        CHECK_OK(tsf_builder_str(b, text, (size_t)n, &err), &err);
        break;
    }
    default: CHECK_OK(tsf_builder_i64(b, t->id == TSF_TYPE_BOOL ? (int64_t)(r & 1) : (int64_t)r, &err), &err);
    }
}

static void fill(struct tsf_builder *b, int64_t n, int null_in, int few, uint64_t *seed)
{
    struct tsf_error err = TSF_ERROR_INIT;
    for (int64_t i = 0; i < n; i++) {
        bool burst = i / 300 % 3 == 1; /* runs of nulls and of values */
        if (null_in && (burst || test_random(seed) % (uint64_t)null_in == 0)) {
            CHECK_OK(tsf_builder_null(b, &err), &err);
        } else if (b->type->id == TSF_TYPE_LIST) {
            for (uint64_t k = test_random(seed) % 5; k > 0; k--)
                if (test_random(seed) % 6 == 0)
                    CHECK_OK(tsf_builder_null(&b->children[0], &err), &err);
                else
                    random_value(&b->children[0], few, seed);
            CHECK_OK(tsf_builder_list_end(b, &err), &err);
        } else {
            random_value(b, few, seed);
        }
    }
}

static void round_trip(const struct tsf_type *t, int null_in, int few, const struct parquet_writer_options *opts, uint64_t *seed)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_buf file = TSF_BUF_INIT(64 << 20);
    struct tsf_field field = { .name = "x", .type = t, .nullable = null_in > 0, .field_id = -1 };
    const struct tsf_schema schema = { .n_fields = 1, .fields = &field };
    const struct tsf_sink sink = { .write = mem_write, .ctx = &file };
    struct tsf_arena a = TSF_ARENA_INIT;
    struct parquet_writer *w;
    struct parquet_file_info info;
    struct parquet_file f;
    struct parquet_column *c;
    struct tsf_builder b;
    struct tsf_source src;
    struct tsf_vector v, got;
    char what[128];

    snprintf(what, sizeof what, "type %d, encoding %d, codec %d, nulls %d, few %d, v2 %d", (int)t->id, opts->force_encoding - 1,
             opts->force_codec - 1, null_in, few, opts->page_v2);
    CHECK_OK(tsf_builder_init(&b, t, &err), &err);
    fill(&b, 5000, null_in, few, seed);
    CHECK_OK(tsf_builder_vector(&b, &a, &v, &err), &err);
    const struct tsf_batch batch = { .length = v.length, .n_columns = 1, .columns = &v };
    CHECK_OK(parquet_writer_new(&sink, &schema, opts, &w, &err), &err);
    CHECK_OK(parquet_writer_write(w, &batch, &err), &err);
    CHECK_OK(parquet_writer_finish(w, &info, &err), &err);
    CHECK_INT(info.size, file.len);
    tsf_source_memory(&src, file.data, file.len, "memory");
    CHECK_OK(parquet_file_open(&f, &src, NULL, &err), &err);
    CHECK_INT(f.meta->n_rows, 5000);
    CHECK(tsf_type_eq(f.schema.fields[0].type, t));
    for (int g = 0; g < f.meta->n_row_groups; g++) {
        const struct parquet_row_group *group = &f.meta->row_groups[g];
        CHECK_OK(parquet_column_open(&f, g, 0, NULL, &c, &err), &err);
        CHECK_OK(parquet_column_read(c, group->n_rows, &a, &got, &err), &err);
        expect_rows(&v, group->first_row, NULL, group->n_rows, &got, false, what);
        parquet_column_close(c);
        compare_column(&f, g, 0, seed, what);
    }
    parquet_file_release(&f);
    parquet_writer_free(w);
    tsf_builder_release(&b);
    tsf_buf_release(&file);
    tsf_arena_release(&a);
}

static void test_read__every_type_and_encoding_in_pieces(void **state)
{
    static const int encodings[] = { -1, PARQUET_PLAIN, PARQUET_RLE_DICTIONARY, PARQUET_DELTA_BINARY_PACKED, PARQUET_RLE,
                                     PARQUET_DELTA_LENGTH_BYTE_ARRAY, PARQUET_DELTA_BYTE_ARRAY, PARQUET_BYTE_STREAM_SPLIT };
    static const enum tsf_type_id ids[] = { TSF_TYPE_BOOL, TSF_TYPE_INT8, TSF_TYPE_INT16, TSF_TYPE_INT32, TSF_TYPE_INT64,
                                            TSF_TYPE_FLOAT, TSF_TYPE_DOUBLE, TSF_TYPE_DATE, TSF_TYPE_TIMESTAMP,
                                            TSF_TYPE_TIMESTAMP_NTZ, TSF_TYPE_STRING, TSF_TYPE_BINARY };
    struct tsf_arena a = TSF_ARENA_INIT;
    uint64_t seed = 17;
    (void)state;
    for (size_t e = 0; e < TSF_ARRAY_LEN(encodings); e++)
        for (size_t i = 0; i < TSF_ARRAY_LEN(ids) + 3; i++) {
            const struct tsf_type *t = i < TSF_ARRAY_LEN(ids) ? &tsf_types[ids[i]]
                                     : tsf_type_decimal(i % 3 == 0 ? 9 : i % 3 == 1 ? 18 : 38, 2);
            struct parquet_writer_options opts = { .page_rows = 700, .row_group_rows = 3000, .page_v2 = (i + e) % 2 };
            opts.force_encoding = encodings[e] + 1;
            opts.force_codec = (i + e) % 3 ? 1 + PARQUET_ZSTD : 1 + PARQUET_UNCOMPRESSED;
            for (int few = 0; few < 2; few++)
                for (int null_in = 0; null_in < 10; null_in += 5)
                    round_trip(t, null_in, few, &opts, &seed);
            if (e < 3) {
                round_trip(tsf_type_list(&a, t, true), 7, 1, &opts, &seed);
                round_trip(tsf_type_list(&a, t, true), 0, 0, &opts, &seed);
            }
        }
    tsf_arena_release(&a);
}

/* ---- other projects' files --------------------------------------------------------------------------------------- */

static void test_read__other_projects_files_in_pieces(void **state)
{
    const char *manifest = test_conformance("parquet/manifest.tsv");
    char root[1024], line[4096], path[4096];
    uint64_t seed = 23;
    FILE *in;
    int files = 0;
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
                    compare_column(&f, g, i, &seed, path);
        files++;
        parquet_file_release(&f);
        tsf_source_close(&src);
    }
    fclose(in);
    CHECK(files > 100);
}

TEST_MAIN(TEST(test_read__every_type_and_encoding_in_pieces), TEST(test_read__other_projects_files_in_pieces))
