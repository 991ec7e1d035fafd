/*
 * Decoding speed per type, encoding and codec: bench_parquet [rows] [filter], or per column of a file: bench_parquet FILE
 *
 * Each line: what, bytes per value in the file, million values per second to read all of them in batches of 64 Ki
 * rows, and the same for every 100th row through a selection.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "parquet/parquet_internal.h"

#define BATCH 65536
#define REPEAT 5

struct spec {
    const char *name;
    enum tsf_type_id type;
    int shape;               /* what the values are like, see make_value */
    int null_percent, encoding, codec;
};

enum { RANDOM, SORTED, FEW, SHORT, LONG };

static uint64_t rng = 88172645463325252ULL;
static uint64_t next_random(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

static void die(struct tsf_error *err)
{
    fprintf(stderr, "bench_parquet: %s\n", err->msg);
    exit(1);
}

static enum tsf_err mem_write(void *ctx, const void *p, size_t n, struct tsf_error *err)
{
    return tsf_buf_append(ctx, p, n, err);
}

static void make_value(struct tsf_builder *b, const struct spec *s, int64_t i, struct tsf_error *err)
{
    char text[64];
    enum tsf_err rc;
    uint64_t r = next_random();
    if (s->null_percent && r % 100 < (uint64_t)s->null_percent) {
        rc = tsf_builder_null(b, err);
    } else if (s->type == TSF_TYPE_STRING) {
        int n = s->shape == FEW ? snprintf(text, sizeof text, "service-number-%d", (int)(r >> 32) % 200)
              : s->shape == SHORT ? snprintf(text, sizeof text, "%08x", (unsigned)(r >> 32))
              : snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)r, (unsigned long long)next_random());
        rc = tsf_builder_str(b, text, (size_t)n, err);
    } else if (s->type == TSF_TYPE_DOUBLE || s->type == TSF_TYPE_FLOAT) {
        rc = tsf_builder_f64(b, s->shape == FEW ? (double)(r >> 32 & 255) : sqrt((double)(r >> 40)), err);
    } else if (s->type == TSF_TYPE_DECIMAL) {
        rc = tsf_builder_i128(b, (tsf_int128)(r >> 40), err);
    } else {
        int64_t v = s->shape == SORTED ? 1700000000000000 + i * 1000 + (int64_t)(r >> 32) % 900
                  : s->shape == FEW ? (int64_t)(r >> 32) % 500 : (int64_t)(r >> 33);
        rc = tsf_builder_i64(b, s->type == TSF_TYPE_BOOL ? v & 1 : v, err);
    }
    if (rc != TSF_OK)
        die(err);
}

static void write_file(const struct spec *s, int64_t rows, struct tsf_buf *out)
{
    struct tsf_error err = TSF_ERROR_INIT;
    const struct tsf_type *t = s->type == TSF_TYPE_DECIMAL ? tsf_type_decimal(12, 2) : &tsf_types[s->type];
    struct tsf_field field = { .name = "x", .type = t, .nullable = s->null_percent > 0, .field_id = -1 };
    const struct tsf_schema schema = { .n_fields = 1, .fields = &field };
    const struct tsf_sink sink = { .write = mem_write, .ctx = out };
    const struct parquet_writer_options opts = { .force_encoding = s->encoding + 1, .force_codec = s->codec + 1 };
    struct parquet_writer *w;
    struct parquet_file_info info;
    struct tsf_builder b;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_vector v;

    if (parquet_writer_new(&sink, &schema, &opts, &w, &err) != TSF_OK || tsf_builder_init(&b, t, &err) != TSF_OK)
        die(&err);
    for (int64_t at = 0; at < rows; at += BATCH) {
        tsf_builder_reset(&b);
        for (int64_t i = at; i < TSF_MIN(at + BATCH, rows); i++)
            make_value(&b, s, i, &err);
        const struct tsf_batch batch = { .length = b.length, .n_columns = 1, .columns = &v };
        if (tsf_builder_vector(&b, &a, &v, &err) != TSF_OK || parquet_writer_write(w, &batch, &err) != TSF_OK)
            die(&err);
    }
    if (parquet_writer_finish(w, &info, &err) != TSF_OK)
        die(&err);
    parquet_writer_free(w);
    tsf_builder_release(&b);
    tsf_arena_release(&a);
}

/* Seconds for one pass; sel NULL: all rows. */
static double read_file(const struct parquet_file *f, int field, const uint32_t *sel, int64_t n_sel)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_arena a = TSF_ARENA_INIT;
    int64_t start = tsf_monotonic_ns();
    for (int g = 0; g < f->meta->n_row_groups; g++) {
        struct parquet_column *c;
        if (parquet_column_open(f, g, field, NULL, &c, &err) != TSF_OK)
            die(&err);
        while (parquet_column_left(c) > 0) {
            struct tsf_vector v;
            int64_t n = TSF_MIN(parquet_column_left(c), BATCH);
            tsf_arena_reset(&a);
            parquet_column_recycle(c);
            if ((sel ? parquet_column_read_sel(c, n, sel, TSF_MIN(n_sel, (n + 99) / 100), &a, &v, &err)
                     : parquet_column_read(c, n, &a, &v, &err)) != TSF_OK)
                die(&err);
        }
        parquet_column_close(c);
    }
    double s = (double)(tsf_monotonic_ns() - start) / 1e9;
    tsf_arena_release(&a);
    return s;
}

static void run(const struct spec *s, int64_t rows)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_buf file = TSF_BUF_INIT((size_t)8 << 30);
    struct tsf_source src;
    struct parquet_file f;
    static uint32_t sel[BATCH];
    double all = 1e9, some = 1e9;

    write_file(s, rows, &file);
    tsf_source_memory(&src, file.data, file.len, "memory");
    if (parquet_file_open(&f, &src, NULL, &err) != TSF_OK)
        die(&err);
    for (int i = 0; i < BATCH / 100 + 1; i++)
        sel[i] = (uint32_t)i * 100;
    for (int i = 0; i < REPEAT; i++) {
        all = fmin(all, read_file(&f, 0, NULL, 0));
        some = fmin(some, read_file(&f, 0, sel, (BATCH + 99) / 100));
    }
    printf("%-34s %2d%% nulls  %-12s %7.2f B/value %9.0f M/s %9.0f M/s picking\n", s->name, s->null_percent,
           parquet_codec_name(s->codec), (double)file.len / (double)rows, (double)rows / all / 1e6, (double)rows / some / 1e6);
    fflush(stdout);
    parquet_file_release(&f);
    tsf_source_close(&src);
    tsf_buf_release(&file);
}

static int run_columns(const char *path)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_source src;
    struct parquet_file f;
    if (tsf_source_file(&src, path, &err) != TSF_OK || parquet_file_open(&f, &src, NULL, &err) != TSF_OK)
        die(&err);
    for (int i = 0; i < f.schema.n_fields; i++) {
        double best = 1e9;
        int64_t packed = 0, plain = 0;
        const int32_t leaf = f.meta->nodes[f.field_nodes[i]].leaf;
        for (int g = 0; leaf >= 0 && g < f.meta->n_row_groups; g++) {
            packed += f.meta->row_groups[g].chunks[leaf].compressed_size;
            plain += f.meta->row_groups[g].chunks[leaf].uncompressed_size;
        }
        for (int k = 0; k < 3; k++)
            best = fmin(best, read_file(&f, i, NULL, 0));
        printf("%-30s %8.1f MB of %8.1f MB  %8.1f ms %8.0f M rows/s\n", f.schema.fields[i].name, (double)packed / 1e6,
               (double)plain / 1e6, best * 1e3, (double)f.meta->n_rows / best / 1e6);
    }
    parquet_file_release(&f);
    tsf_source_close(&src);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct spec specs[] = {
        { "long random PLAIN", TSF_TYPE_INT64, RANDOM, 0, PARQUET_PLAIN, 0 },
        { "long random PLAIN", TSF_TYPE_INT64, RANDOM, 20, PARQUET_PLAIN, 0 },
        { "timestamp sorted DELTA", TSF_TYPE_TIMESTAMP, SORTED, 0, PARQUET_DELTA_BINARY_PACKED, 0 },
        { "timestamp sorted DELTA", TSF_TYPE_TIMESTAMP, SORTED, 20, PARQUET_DELTA_BINARY_PACKED, 0 },
        { "integer random DELTA", TSF_TYPE_INT32, RANDOM, 0, PARQUET_DELTA_BINARY_PACKED, 0 },
        { "long few RLE_DICTIONARY", TSF_TYPE_INT64, FEW, 0, PARQUET_RLE_DICTIONARY, 0 },
        { "short PLAIN", TSF_TYPE_INT16, FEW, 0, PARQUET_PLAIN, 0 },
        { "integer PLAIN", TSF_TYPE_INT32, RANDOM, 20, PARQUET_PLAIN, 0 },
        { "double PLAIN", TSF_TYPE_DOUBLE, RANDOM, 0, PARQUET_PLAIN, 0 },
        { "double BYTE_STREAM_SPLIT", TSF_TYPE_DOUBLE, RANDOM, 0, PARQUET_BYTE_STREAM_SPLIT, 0 },
        { "double BYTE_STREAM_SPLIT", TSF_TYPE_DOUBLE, RANDOM, 0, PARQUET_BYTE_STREAM_SPLIT, PARQUET_ZSTD },
        { "float BYTE_STREAM_SPLIT", TSF_TYPE_FLOAT, RANDOM, 0, PARQUET_BYTE_STREAM_SPLIT, 0 },
        { "boolean", TSF_TYPE_BOOL, RANDOM, 0, PARQUET_PLAIN, 0 },
        { "boolean", TSF_TYPE_BOOL, RANDOM, 20, PARQUET_PLAIN, 0 },
        { "decimal(12,2) PLAIN", TSF_TYPE_DECIMAL, RANDOM, 0, PARQUET_PLAIN, 0 },
        { "string few RLE_DICTIONARY", TSF_TYPE_STRING, FEW, 0, PARQUET_RLE_DICTIONARY, 0 },
        { "string few RLE_DICTIONARY", TSF_TYPE_STRING, FEW, 20, PARQUET_RLE_DICTIONARY, PARQUET_ZSTD },
        { "string of 8 PLAIN", TSF_TYPE_STRING, SHORT, 0, PARQUET_PLAIN, 0 },
        { "string of 32 PLAIN", TSF_TYPE_STRING, LONG, 0, PARQUET_PLAIN, 0 },
        { "string of 32 PLAIN", TSF_TYPE_STRING, LONG, 20, PARQUET_PLAIN, PARQUET_ZSTD },
        { "string of 32 PLAIN", TSF_TYPE_STRING, LONG, 0, PARQUET_PLAIN, PARQUET_SNAPPY },
        { "string of 32 PLAIN", TSF_TYPE_STRING, LONG, 0, PARQUET_PLAIN, PARQUET_LZ4_RAW },
        { "string of 32 DELTA_LENGTH", TSF_TYPE_STRING, LONG, 0, PARQUET_DELTA_LENGTH_BYTE_ARRAY, 0 },
        { "string of 32 DELTA_BYTE_ARRAY", TSF_TYPE_STRING, LONG, 0, PARQUET_DELTA_BYTE_ARRAY, 0 },
    };
    if (argc > 1 && strchr(argv[1], '.'))
        return run_columns(argv[1]);
    const int64_t rows = argc > 1 ? atoll(argv[1]) : 4000000;
    if (rows < 1) {
        fprintf(stderr, "usage: bench_parquet [rows] [filter]\n");
        return 2;
    }
    for (size_t i = 0; i < TSF_ARRAY_LEN(specs); i++)
        if (argc < 3 || strstr(specs[i].name, argv[2]))
            run(&specs[i], rows);
    return 0;
}
