/*
 * Whole files: any bytes are read or refused. All columns are read three ways: whole; in batches; and every third row of
 * the batches through a selection. What succeeds must agree. Statistics and page index are looked at too.
 */
#include <stdlib.h>

#include "parquet/parquet_read_internal.h"

#define ROWS_MAX 20000
#define BATCH 777

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct tsf_vector *all, int64_t first, int step, const struct tsf_vector *v)
{
    for (int64_t i = 0; i < v->length; i++)
        if (!tsf_vector_rows_equal(all, first + i * step, v, i))
            abort();
}

static void read_column(const struct parquet_file *f, int group, int field)
{
    const int64_t rows = f->meta->row_groups[group].n_rows;
    const struct parquet_column_options flat = { .no_dictionary = true, .no_crc = true }, opts = { .no_crc = true };
    struct parquet_column *c[3] = { NULL, NULL, NULL };
    struct tsf_arena a = TSF_ARENA_INIT, b = TSF_ARENA_INIT;
    struct tsf_vector all, v;
    uint32_t sel[BATCH / 3 + 1];

    for (uint32_t i = 0; i < TSF_ARRAY_LEN(sel); i++)
        sel[i] = i * 3;
    if (parquet_column_open(f, group, field, &opts, &c[0], NULL) == TSF_OK &&
        parquet_column_read(c[0], rows, &a, &all, NULL) == TSF_OK) {
        if (parquet_column_open(f, group, field, &flat, &c[1], NULL) != TSF_OK ||
            parquet_column_open(f, group, field, &opts, &c[2], NULL) != TSF_OK)
            abort();
        for (int64_t at = 0; at < rows; at += BATCH) {
            int64_t n = TSF_MIN(rows - at, BATCH);
            if (parquet_column_read(c[1], n, &b, &v, NULL) != TSF_OK)
                abort();
            same(&all, at, 1, &v);
            if (parquet_column_read_sel(c[2], n, sel, (n + 2) / 3, &b, &v, NULL) != TSF_OK)
                abort();
            same(&all, at, 3, &v);
            tsf_arena_reset(&b);
            parquet_column_recycle(c[1]);
            parquet_column_recycle(c[2]);
        }
    }
    for (int i = 0; i < 3; i++)
        parquet_column_close(c[i]);
    tsf_arena_release(&a);
    tsf_arena_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsf_source src;
    struct parquet_file f;
    tsf_source_memory(&src, data, size, "fuzz");
    if (parquet_file_open(&f, &src, NULL, NULL) == TSF_OK) {
        for (int g = 0; g < TSF_MIN(f.meta->n_row_groups, 4); g++)
            for (int i = 0; i < TSF_MIN(f.schema.n_fields, 64); i++) {
                const struct tsf_value v = { .type = f.schema.fields[i].type };
                struct tsf_arena a = TSF_ARENA_INIT;
                struct parquet_page_index index;
                struct parquet_range range;
                bool maybe;
                (void)parquet_chunk_range(&f, g, i, &range, NULL);
                (void)parquet_page_index_read(&f, g, i, &a, &index, NULL);
                (void)parquet_bloom_check(&f, g, i, &v, &maybe, NULL);
                tsf_arena_release(&a);
                if (f.meta->row_groups[g].n_rows <= ROWS_MAX)
                    read_column(&f, g, i);
            }
        parquet_file_release(&f);
    }
    tsf_source_close(&src);
    return 0;
}
