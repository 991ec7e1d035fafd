/*
 * Bytes become a table and writer options; what is written must read back the same.
 *
 * The input is a stream of decisions: number of columns, types, options, then for each batch its rows, shapes and
 * values. When it ends, everything is zero, so short inputs are small tables.
 */
#include "parquet/parquet.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_FIELDS = 4, MAX_BATCHES = 4, MAX_ROWS = 400 };

struct input {
    const uint8_t *p, *end;
    uint64_t state; /* of a generator seeded by the input, for columns that want much */
};

static unsigned byte(struct input *in) { return in->p < in->end ? *in->p++ : 0; }

static uint64_t word(struct input *in)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | byte(in);
    return v;
}

static uint64_t next(struct input *in)
{
    in->state += 0x9e3779b97f4a7c15ULL;
    return tsf_hash_u64(in->state);
}

static void must(enum tsf_err rc, const struct tsf_error *err)
{
    if (rc == TSF_OK)
        return;
    fprintf(stderr, "fuzz_parquet_write: %s\n", err->msg);
    abort();
}

static const struct tsf_type *pick_type(struct input *in, struct tsf_arena *a, int depth)
{
    static const struct tsf_field pair[2] = {
        { .name = "x", .type = TSF_T(INT32), .nullable = true, .field_id = -1 },
        { .name = "y", .type = TSF_T(STRING), .nullable = true, .field_id = -1 },
    };
    static const struct tsf_field entry[2] = {
        { .name = "key", .type = TSF_T(STRING), .field_id = -1 },
        { .name = "value", .type = TSF_T(DOUBLE), .nullable = true, .field_id = -1 },
    };
    static const struct tsf_type pair_type = { .id = TSF_TYPE_STRUCT, .n_children = 2, .children = pair };
    static const struct tsf_type map_type = { .id = TSF_TYPE_MAP, .n_children = 2, .children = entry };
    static const enum tsf_type_id plain[] = { TSF_TYPE_BOOL, TSF_TYPE_INT8, TSF_TYPE_INT16, TSF_TYPE_INT32, TSF_TYPE_INT64,
        TSF_TYPE_FLOAT, TSF_TYPE_DOUBLE, TSF_TYPE_DATE, TSF_TYPE_TIMESTAMP, TSF_TYPE_TIMESTAMP_NTZ, TSF_TYPE_STRING,
        TSF_TYPE_BINARY, TSF_TYPE_TIME, TSF_TYPE_UUID };
    unsigned b = byte(in) % 24;
    if (b < TSF_ARRAY_LEN(plain))
        return &tsf_types[plain[b]];
    if (b < 18)
        return tsf_type_decimal(1 + (int)byte(in) % 38, 0);
    if (b == 18)
        return &pair_type;
    if (b == 19)
        return &map_type;
    return depth < 3 ? tsf_type_list(a, pick_type(in, a, depth + 1), true) : TSF_T(STRING);
}

static void add_row(struct input *in, struct tsf_builder *b, unsigned how, int64_t row)
{
    struct tsf_error err = TSF_ERROR_INIT;
    const struct tsf_type *t = b->type;
    uint64_t r = how & 1 ? next(in) : how & 2 ? (uint64_t)row * (how >> 3) : word(in) >> (how >> 2);
    char text[512];
    size_t n = 0;
    if ((how & 4) && r % 5 == 0) {
        must(tsf_builder_null(b, &err), &err);
        return;
    }
    switch (t->id) {
    case TSF_TYPE_FLOAT: case TSF_TYPE_DOUBLE: {
        double d;
        memcpy(&d, &r, sizeof d);
        must(tsf_builder_f64(b, d, &err), &err);
        return;
    }
    case TSF_TYPE_DECIMAL: case TSF_TYPE_UUID: {
        tsf_int128 v = (tsf_int128)((tsf_uint128)r << 64 | tsf_hash_u64(r));
        must(tsf_builder_i128(b, t->id == TSF_TYPE_UUID ? v : v % tsf_pow10(t->precision), &err), &err);
        return;
    }
    case TSF_TYPE_STRING: case TSF_TYPE_BINARY:
        if (how & 8)
            n = (size_t)snprintf(text, sizeof text, "common/prefix/%lld", (long long)(r % 1000));
        else
            for (n = r % 300 * (r % 7 == 0), memset(text, (int)(r >> 32), n); n < r % 40; n++)
                text[n] = (char)(r >> (n % 8 * 8));
        must(tsf_builder_str(b, text, n, &err), &err);
        return;
    case TSF_TYPE_LIST: case TSF_TYPE_MAP: case TSF_TYPE_STRUCT:
        for (uint64_t i = 0; i < (t->id == TSF_TYPE_STRUCT ? 1 : r % 4); i++)
            for (int c = 0; c < t->n_children; c++)
                add_row(in, &b->children[c], t->id == TSF_TYPE_MAP && c == 0 ? how & ~4u : how, row + (int64_t)i);
        must(tsf_builder_list_end(b, &err), &err);
        return;
    case TSF_TYPE_BOOL:
        must(tsf_builder_i64(b, (int64_t)(r & 1), &err), &err);
        return;
    case TSF_TYPE_TIME:
        must(tsf_builder_i64(b, (int64_t)(r % TSF_US_PER_DAY), &err), &err);
        return;
    default:
        must(tsf_builder_i64(b, (int64_t)(how & 16 ? r % 9 : r), &err), &err);
    }
}

static void make_vector(struct input *in, const struct tsf_type *t, int64_t n, struct tsf_arena *a, struct tsf_vector *out)
{
    struct tsf_builder b;
    struct tsf_vector v;
    struct tsf_error err = TSF_ERROR_INIT;
    unsigned how = byte(in), shape = t->n_children ? 0 : byte(in) % 4;
    int64_t k = shape == 1 ? 1 : shape == 2 ? TSF_MIN(n, 50) : n;
    must(tsf_builder_init(&b, t, &err), &err);
    for (int64_t i = 0; i < k; i++)
        add_row(in, &b, shape == 2 ? how & ~4u : how, i);
    must(tsf_builder_vector(&b, a, &v, &err), &err);
    must(tsf_vector_copy(&v, a, out, &err), &err);
    tsf_builder_release(&b);
    if (shape == 1 && n) {
        out->shape = TSF_CONSTANT;
        out->length = n;
    } else if (shape == 2 && n) {
        struct tsf_vector *dict = tsf_arena_memdup(a, out, sizeof *out);
        int32_t *codes = tsf_arena_calloc(a, (size_t)n + TSF_PAD, sizeof *codes);
        uint64_t *validity = tsf_arena_calloc(a, tsf_bit_words(n) + 1, sizeof *validity);
        if (!dict || !codes || !validity)
            abort();
        for (int64_t i = 0; i < n; i++) {
            bool present = !(how & 4) || next(in) % 3;
            codes[i] = present ? (int32_t)(next(in) % (uint64_t)k) : 0;
            tsf_bit_put(validity, i, present);
        }
        *out = (struct tsf_vector){ .type = t, .shape = TSF_DICTIONARY, .length = n, .null_count = -1, .validity = validity,
                                    .values = codes, .dict = dict, .dict_id = next(in) | 1 };
    }
}

static enum tsf_err put(void *ctx, const void *p, size_t n, struct tsf_error *err) { return tsf_buf_append(ctx, p, n, err); }

static void compare(const struct tsf_buf *file, const struct tsf_batch *batches, int n_batches, int n_fields)
{
    struct tsf_source src;
    struct parquet_file f;
    struct tsf_error err = TSF_ERROR_INIT;
    tsf_source_memory(&src, file->data, file->len, "fuzz");
    must(parquet_file_open(&f, &src, NULL, &err), &err);
    for (int i = 0; i < n_fields; i++) {
        int b = 0;
        int64_t at = 0;
        for (int g = 0; g < f.meta->n_row_groups; g++) {
            struct tsf_arena a = TSF_ARENA_INIT;
            struct parquet_column *c = NULL;
            struct tsf_vector v;
            must(parquet_column_open(&f, g, i, NULL, &c, &err), &err);
            must(parquet_column_read(c, f.meta->row_groups[g].n_rows, &a, &v, &err), &err);
            for (int64_t row = 0; row < v.length; row++, at++) {
                while (at == tsf_batch_rows(&batches[b])) {
                    at = 0;
                    if (++b == n_batches)
                        abort();
                }
                if (!tsf_vector_rows_equal(&v, row, &batches[b].columns[i], batches[b].sel ? batches[b].sel[at] : at))
                    abort();
            }
            parquet_column_close(c);
            tsf_arena_release(&a);
        }
    }
    parquet_file_release(&f);
    tsf_source_close(&src);
}

static void pick_options(struct input *in, struct parquet_writer_options *o, uint8_t *bloom)
{
    static const int codecs[] = { PARQUET_UNCOMPRESSED, PARQUET_SNAPPY, PARQUET_GZIP, PARQUET_ZSTD, PARQUET_LZ4_RAW };
    unsigned flags = byte(in), encoding = byte(in) % 16, codec = byte(in) % 8;
    *o = (struct parquet_writer_options){ .page_v2 = flags & 1, .no_stats = flags & 2, .uncompressed = flags & 4, .bloom = bloom };
    o->page_rows = (int32_t)byte(in);
    o->row_group_rows = flags & 8 ? 1 + (int64_t)byte(in) * 3 : 0;
    o->row_group_bytes = flags & 16 ? 1 + (int64_t)byte(in) * 50 : 0;
    o->force_encoding = encoding < 10 ? 1 + (int)encoding : 0;
    o->force_codec = codec < TSF_ARRAY_LEN(codecs) ? 1 + codecs[codec] : 0;
    memset(bloom, flags >> 7, MAX_FIELDS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size, size };
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_buf file = TSF_BUF_INIT(64 << 20);
    struct tsf_sink sink = { .write = put, .ctx = &file };
    struct parquet_writer_options o;
    struct parquet_file_info info;
    struct parquet_writer *w = NULL;
    struct tsf_field fields[MAX_FIELDS];
    struct tsf_batch batches[MAX_BATCHES];
    struct tsf_schema schema = { .n_fields = 1 + (int)byte(&in) % MAX_FIELDS, .fields = fields };
    uint8_t bloom[MAX_FIELDS];
    int n_batches = 1 + (int)byte(&in) % MAX_BATCHES;
    pick_options(&in, &o, bloom);
    for (int i = 0; i < schema.n_fields; i++)
        fields[i] = (struct tsf_field){ .name = tsf_arena_printf(&a, "c%d", i), .type = pick_type(&in, &a, 0), .nullable = true,
                                        .field_id = -1 };
    must(parquet_writer_new(&sink, &schema, &o, &w, &err), &err);
    for (int b = 0; b < n_batches; b++) {
        int64_t n = (int64_t)((byte(&in) << 8 | byte(&in)) % MAX_ROWS);
        struct tsf_vector *v = tsf_arena_calloc(&a, MAX_FIELDS, sizeof *v);
        if (!v)
            abort();
        batches[b] = (struct tsf_batch){ .length = n, .n_columns = schema.n_fields, .columns = v };
        for (int i = 0; i < schema.n_fields; i++)
            make_vector(&in, fields[i].type, n, &a, &v[i]);
        if (byte(&in) & 1) {
            uint32_t *sel = tsf_arena_calloc(&a, (size_t)n + 1, sizeof *sel);
            if (!sel)
                abort();
            for (int64_t r = 0; r < n; r++)
                if (next(&in) & 1)
                    sel[batches[b].n_sel++] = (uint32_t)r;
            batches[b].sel = sel;
        }
        must(parquet_writer_write(w, &batches[b], &err), &err);
    }
    must(parquet_writer_finish(w, &info, &err), &err);
    if (info.size != (int64_t)file.len)
        abort();
    compare(&file, batches, n_batches, schema.n_fields);
    parquet_writer_free(w);
    tsf_buf_release(&file);
    tsf_arena_release(&a);
    return 0;
}
