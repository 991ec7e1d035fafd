/*
 * Write a random table of all types as Parquet, and what it holds as NDJSON, so that other readers can be compared.
 *
 *   write_random [option=value ...] OUT.parquet OUT.ndjson
 *
 *   seed, rows, batch, page_rows, group_rows   numbers
 *   v2, nulls, nested, bloom, threads          0 or 1 (threads: a number)
 *   encoding, codec                            numbers of enum parquet_encoding, parquet_codec; else chosen
 *
 * A line of NDJSON is an array with one entry per column: integers, dates, times and unscaled decimals as numbers in
 * strings, floating point and binary as hexadecimal of their bytes, text as text, lists as arrays, structures as arrays
 * of their fields, maps as arrays of pairs, NULL as null.
 */
#include "parquet/parquet.h"
#include <stdio.h>
#include <stdlib.h>

struct options {
    int64_t seed, rows, batch, page_rows, group_rows, v2, nulls, nested, bloom, threads, encoding, codec;
};

static uint64_t rng;
static uint64_t rnd(void)
{
    rng += 0x9e3779b97f4a7c15ULL;
    return tsf_hash_u64(rng);
}
static uint64_t below(uint64_t n) { return rnd() % n; }

static void die(enum tsf_err rc, const struct tsf_error *err)
{
    if (rc == TSF_OK)
        return;
    fprintf(stderr, "write_random: %s\n", err->msg);
    exit(1);
}

/* ---- values ------------------------------------------------------------------------------------------------- */

/* How the values of a column are spread; each suits another encoding. */
enum spread { FEW, MANY, RISING, FALLING, RUNS, EXTREME, SPREADS };

struct column {
    const struct tsf_type *type;
    enum spread spread;
    int null_percent;
    int64_t last;
};

static int64_t spread_int(struct column *c, int bits)
{
    int64_t mask_shift = 64 - bits, v;
    switch (c->spread) {
    case FEW:
        v = (int64_t)below(7) - 3;
        break;
    case MANY:
        v = (int64_t)rnd();
        break;
    case RISING:
        v = c->last += (int64_t)below(100);
        break;
    case FALLING:
        v = c->last -= (int64_t)below(3);
        break;
    case RUNS:
        if (below(40) == 0)
            c->last = (int64_t)below(1000);
        v = c->last;
        break;
    default:
        v = below(2) ? INT64_MIN : INT64_MAX;
        v = below(4) ? v >> mask_shift : 0;
        break;
    }
    return (int64_t)((uint64_t)v << mask_shift) >> mask_shift;
}

static void random_text(struct column *c, char *out, size_t *len, bool binary)
{
    static const char *const parts[] = { "GET ", "/api", "/v1", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\"q\"", "\\", "\n",
                                         "error", "timeout", " ", "0", "user", "\x7f", "\x01" };
    size_t n = 0;
    if (c->spread == RISING || c->spread == FALLING) {
        *len = (size_t)sprintf(out, "/srv/data/part-%012lld", (long long)spread_int(c, 40));
        return;
    }
    if (c->spread == MANY && !binary) {
        *len = (size_t)sprintf(out, "%016llx%016llx", (unsigned long long)rnd(), (unsigned long long)rnd());
        return;
    }
    if (c->spread == FEW || c->spread == RUNS) {
        *len = (size_t)sprintf(out, "service-%lld%s", (long long)spread_int(c, 30), c->spread == RUNS ? " with a longer name" : "");
        return;
    }
    size_t want = below(8) ? below(20) : below(200);
    while (n < want) {
        if (binary) {
            out[n++] = (char)(below(3) ? rnd() : 0xff);
            continue;
        }
        const char *p = parts[below(TSF_ARRAY_LEN(parts))];
        memcpy(out + n, p, strlen(p));
        n += strlen(p);
    }
    *len = n;
}

static tsf_int128 random_decimal(struct column *c)
{
    tsf_int128 limit = tsf_pow10(c->type->precision), v;
    if (c->spread == EXTREME)
        return below(3) == 0 ? 0 : below(2) ? limit - 1 : 1 - limit;
    if (c->spread == MANY)
        v = (tsf_int128)((tsf_uint128)rnd() << 64 | rnd());
    else
        v = spread_int(c, 40);
    return v % limit;
}

static double random_double(struct column *c)
{
    static const double odd[] = { 0.0, -0.0, 1e308, -1e308, 5e-324, __builtin_inf(), -__builtin_inf(), __builtin_nan("") };
    if (c->spread == EXTREME)
        return odd[below(TSF_ARRAY_LEN(odd))];
    if (c->spread == MANY)
        return (double)(int64_t)rnd() / 1e12;
    return (double)spread_int(c, 30) / 8;
}

static enum tsf_err add_value(struct column *c, struct tsf_builder *b, struct tsf_error *err)
{
    char text[1024];
    size_t len;
    switch (c->type->id) {
    case TSF_TYPE_BOOL:
        return tsf_builder_i64(b, spread_int(c, 8) & 1, err);
    case TSF_TYPE_INT8:
        return tsf_builder_i64(b, spread_int(c, 8), err);
    case TSF_TYPE_INT16:
        return tsf_builder_i64(b, spread_int(c, 16), err);
    case TSF_TYPE_INT32:
        return tsf_builder_i64(b, spread_int(c, 32), err);
    case TSF_TYPE_DATE: /* within what Python can show */
        return tsf_builder_i64(b, spread_int(c, 64) % 700000, err);
    case TSF_TYPE_TIMESTAMP: case TSF_TYPE_TIMESTAMP_NTZ:
        return tsf_builder_i64(b, spread_int(c, 64) % (700000 * TSF_US_PER_DAY), err);
    case TSF_TYPE_FLOAT: case TSF_TYPE_DOUBLE:
        return tsf_builder_f64(b, random_double(c), err);
    case TSF_TYPE_DECIMAL:
        return tsf_builder_i128(b, random_decimal(c), err);
    case TSF_TYPE_STRING: case TSF_TYPE_BINARY:
        random_text(c, text, &len, c->type->id == TSF_TYPE_BINARY);
        return tsf_builder_str(b, text, len, err);
    default:
        return tsf_builder_i64(b, spread_int(c, 64), err);
    }
}

static enum tsf_err add_row(struct column *c, struct tsf_builder *b, struct tsf_error *err)
{
    enum tsf_err rc;
    if (below(100) < (uint64_t)c->null_percent)
        return tsf_builder_null(b, err);
    if (c->type->n_children == 0)
        return add_value(c, b, err);
    struct column element = *c;
    element.null_percent = TSF_MIN(c->null_percent, 90);
    uint64_t n = c->type->id == TSF_TYPE_STRUCT ? 1 : below(4) ? below(4) : below(30);
    for (uint64_t i = 0; i < n; i++) {
        for (int k = 0; k < c->type->n_children; k++) {
            element.type = c->type->children[k].type;
            if (c->type->id == TSF_TYPE_MAP && k == 0)
                rc = tsf_builder_i64(&b->children[0], (int64_t)i * 10, err); /* keys differ */
            else
                rc = add_row(&element, &b->children[k], err);
            if (rc != TSF_OK)
                return rc;
        }
    }
    c->last = element.last;
    return tsf_builder_list_end(b, err);
}

/* A vector of n rows in a random shape. */
static void random_vector(struct column *c, int64_t n, struct tsf_arena *a, struct tsf_vector *out)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_builder b;
    struct tsf_vector flat, *dict;
    int shape = (int)below(4);
    bool nested = c->type->n_children > 0;
    int64_t k = nested || shape > 1 ? n : shape == 1 ? 1 : 1 + (int64_t)below(300);
    int nulls = c->null_percent;
    die(tsf_builder_init(&b, c->type, &err), &err);
    if (!nested && shape == 0)
        c->null_percent = 0;
    for (int64_t i = 0; i < k; i++)
        die(add_row(c, &b, &err), &err);
    c->null_percent = nulls;
    die(tsf_builder_vector(&b, a, &flat, &err), &err);
    die(tsf_vector_copy(&flat, a, out, &err), &err);
    tsf_builder_release(&b);
    if (nested || shape > 1)
        return;
    if (shape == 1) {
        out->shape = TSF_CONSTANT;
        out->length = n;
        return;
    }
    int32_t *codes = tsf_arena_calloc(a, (size_t)n + TSF_PAD, sizeof *codes);
    uint64_t *validity = tsf_arena_calloc(a, tsf_bit_words(n) + 1, sizeof *validity);
    if (!codes || !validity || !(dict = tsf_arena_memdup(a, out, sizeof *out)))
        die(tsf_fail_nomem(&err), &err);
    for (int64_t i = 0; i < n; i++) {
        bool present = below(100) >= (uint64_t)c->null_percent;
        codes[i] = present ? (int32_t)below((uint64_t)k) : 0;
        tsf_bit_put(validity, i, present);
    }
    *out = (struct tsf_vector){ .type = c->type, .shape = TSF_DICTIONARY, .length = n, .null_count = -1, .values = codes,
                                .validity = nulls ? validity : NULL, .dict = dict, .dict_id = rnd() | 1 };
}

/* ---- what was written ------------------------------------------------------------------------------------------ */

static void put_value(struct tsf_buf *out, const struct tsf_value *v)
{
    char text[64], hex[2 * 16 + 1];
    char *long_hex;
    switch (v->type->id) {
    case TSF_TYPE_BOOL:
        tsf_buf_append_z(out, v->u.b ? "\"1\"" : "\"0\"", NULL);
        return;
    case TSF_TYPE_FLOAT:
        tsf_hex(&v->u.f32, 4, hex);
        tsf_buf_printf(out, NULL, "\"%s\"", hex);
        return;
    case TSF_TYPE_DOUBLE:
        tsf_hex(&v->u.f64, 8, hex);
        tsf_buf_printf(out, NULL, "\"%s\"", hex);
        return;
    case TSF_TYPE_DECIMAL:
        text[tsf_decimal_format(v->u.i128, 0, text)] = 0;
        tsf_buf_printf(out, NULL, "\"%s\"", text);
        return;
    case TSF_TYPE_STRING:
        tsf_buf_append_json(out, v->u.s, NULL);
        return;
    case TSF_TYPE_BINARY:
        if (!(long_hex = malloc(2 * v->u.s.len + 1)))
            exit(1);
        tsf_hex(v->u.s.data, v->u.s.len, long_hex);
        tsf_buf_printf(out, NULL, "\"%s\"", long_hex);
        free(long_hex);
        return;
    default:
        tsf_buf_printf(out, NULL, "\"%lld\"", (long long)v->u.i64);
    }
}

static void put_cell(struct tsf_buf *out, const struct tsf_vector *v, int64_t row)
{
    const struct tsf_type *t = v->type;
    const int32_t *offsets = v->values;
    struct tsf_value value;
    struct tsf_error err = TSF_ERROR_INIT;
    if (!tsf_vector_present(v, row)) {
        tsf_buf_append_z(out, "null", NULL);
        return;
    }
    if (t->n_children == 0) {
        die(tsf_vector_get(v, row, NULL, &value, &err), &err);
        put_value(out, &value);
        return;
    }
    tsf_buf_append_z(out, "[", NULL);
    int64_t first = t->id == TSF_TYPE_STRUCT ? row : offsets[row], end = t->id == TSF_TYPE_STRUCT ? row + 1 : offsets[row + 1];
    for (int64_t i = first; i < end; i++) {
        if (t->id == TSF_TYPE_MAP)
            tsf_buf_append_z(out, i > first ? ",[" : "[", NULL);
        for (int k = 0; k < t->n_children; k++) {
            if (k > 0 || (i > first && t->id != TSF_TYPE_MAP))
                tsf_buf_append_z(out, ",", NULL);
            put_cell(out, &v->children[k], i);
        }
        if (t->id == TSF_TYPE_MAP)
            tsf_buf_append_z(out, "]", NULL);
    }
    tsf_buf_append_z(out, "]", NULL);
}

static void put_rows(FILE *f, const struct tsf_batch *b, struct tsf_buf *line)
{
    for (int64_t i = 0; i < tsf_batch_rows(b); i++) {
        int64_t row = b->sel ? b->sel[i] : i;
        tsf_buf_reset(line);
        for (int c = 0; c < b->n_columns; c++) {
            tsf_buf_append_z(line, c ? "," : "[", NULL);
            put_cell(line, &b->columns[c], row);
        }
        tsf_buf_append_z(line, "]\n", NULL);
        fwrite(line->data, 1, line->len, f);
    }
}

/* ---- the table ---------------------------------------------------------------------------------------------------- */

static const struct { const char *name; enum tsf_type_id id; int precision, scale; } kinds[] = {
    { "bool", TSF_TYPE_BOOL }, { "byte", TSF_TYPE_INT8 }, { "short", TSF_TYPE_INT16 }, { "int", TSF_TYPE_INT32 },
    { "long", TSF_TYPE_INT64 }, { "float", TSF_TYPE_FLOAT }, { "double", TSF_TYPE_DOUBLE },
    { "dec9", TSF_TYPE_DECIMAL, 9, 2 }, { "dec18", TSF_TYPE_DECIMAL, 18, 6 }, { "dec19", TSF_TYPE_DECIMAL, 19, 0 },
    { "dec38", TSF_TYPE_DECIMAL, 38, 10 }, { "date", TSF_TYPE_DATE }, { "ts", TSF_TYPE_TIMESTAMP },
    { "ntz", TSF_TYPE_TIMESTAMP_NTZ }, { "string", TSF_TYPE_STRING }, { "binary", TSF_TYPE_BINARY },
};
enum { PER_TYPE = 2, N_DEEP = 4, MAX_COLUMNS = TSF_ARRAY_LEN(kinds) * (PER_TYPE + 1) + N_DEEP };

/* Lists in lists, structures, maps, and all of them together. */
static const struct tsf_type *deep_type(struct tsf_arena *a, int which)
{
    static const struct tsf_field pair[2] = {
        { .name = "x", .type = TSF_T(INT64), .nullable = true, .field_id = -1 },
        { .name = "y", .type = TSF_T(STRING), .nullable = true, .field_id = -1 },
    };
    static const struct tsf_type pair_type = { .id = TSF_TYPE_STRUCT, .n_children = 2, .children = pair };
    static const struct tsf_field entry[2] = {
        { .name = "key", .type = TSF_T(INT64), .field_id = -1 },
        { .name = "value", .type = &pair_type, .nullable = true, .field_id = -1 },
    };
    static const struct tsf_type map_type = { .id = TSF_TYPE_MAP, .n_children = 2, .children = entry };
    switch (which) {
    case 0: return tsf_type_list(a, tsf_type_list(a, TSF_T(INT64), true), true);
    case 1: return &pair_type;
    case 2: return &map_type;
    default: return tsf_type_list(a, &map_type, true);
    }
}

static int make_schema(const struct options *o, struct tsf_arena *a, struct tsf_schema *schema, struct column *columns)
{
    int n = 0;
    for (size_t k = 0; k < TSF_ARRAY_LEN(kinds); k++) {
        for (int i = 0; i < PER_TYPE + (o->nested ? 1 : 0); i++, n++) {
            struct column *c = &columns[n];
            c->type = kinds[k].precision ? tsf_type_decimal(kinds[k].precision, kinds[k].scale) : &tsf_types[kinds[k].id];
            if (i == PER_TYPE)
                c->type = tsf_type_list(a, c->type, true);
            c->spread = (enum spread)below(SPREADS);
            c->null_percent = !o->nulls || i == 0 ? 0 : below(4) == 0 ? 100 : (int)below(100);
            schema->fields[n] = (struct tsf_field){
                .name = tsf_arena_printf(a, "%s_%s%d", i == PER_TYPE ? "list" : "flat", kinds[k].name, i), .type = c->type,
                .nullable = c->null_percent > 0 || below(2), .field_id = -1,
            };
        }
    }
    for (int i = 0; o->nested && i < N_DEEP; i++, n++) {
        columns[n] = (struct column){ .type = deep_type(a, i), .spread = (enum spread)below(SPREADS),
                                      .null_percent = o->nulls ? (int)below(60) : 0 };
        schema->fields[n] = (struct tsf_field){ .name = tsf_arena_printf(a, "deep_%d", i), .type = columns[n].type,
                                                .nullable = o->nulls != 0, .field_id = -1 };
    }
    return n;
}

static enum tsf_err file_put(void *ctx, const void *p, size_t n, struct tsf_error *err)
{
    return fwrite(p, 1, n, ctx) == n ? TSF_OK : tsf_fail_errno(err, "write");
}

static void write_batch(struct parquet_writer *w, struct column *columns, int n_columns, const struct options *o, int64_t rows,
                        FILE *f, struct tsf_buf *line)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_vector v[MAX_COLUMNS];
    struct tsf_error err = TSF_ERROR_INIT;
    bool some = below(3) == 0;
    struct tsf_batch b = { .length = some ? rows * 2 : rows, .n_columns = n_columns, .columns = v };
    for (int c = 0; c < n_columns; c++)
        random_vector(&columns[c], b.length, &a, &v[c]);
    if (some) {
        uint32_t *sel = tsf_arena_calloc(&a, (size_t)rows + 1, sizeof *sel);
        if (!sel)
            die(tsf_fail_nomem(&err), &err);
        for (int64_t i = 0; i < rows; i++)
            sel[i] = (uint32_t)(2 * i + (int64_t)below(2));
        b.sel = sel;
        b.n_sel = rows;
    }
    die(parquet_writer_write(w, &b, &err), &err);
    put_rows(f, &b, line);
    tsf_arena_release(&a);
}

static bool set_option(struct options *o, const char *arg)
{
    static const struct { const char *name; size_t at; } names[] = {
        { "seed", offsetof(struct options, seed) }, { "rows", offsetof(struct options, rows) },
        { "batch", offsetof(struct options, batch) }, { "page_rows", offsetof(struct options, page_rows) },
        { "group_rows", offsetof(struct options, group_rows) }, { "v2", offsetof(struct options, v2) },
        { "nulls", offsetof(struct options, nulls) }, { "nested", offsetof(struct options, nested) },
        { "bloom", offsetof(struct options, bloom) }, { "threads", offsetof(struct options, threads) },
        { "encoding", offsetof(struct options, encoding) }, { "codec", offsetof(struct options, codec) },
    };
    const char *eq = strchr(arg, '=');
    for (size_t i = 0; eq && i < TSF_ARRAY_LEN(names); i++) {
        if (strlen(names[i].name) == (size_t)(eq - arg) && strncmp(names[i].name, arg, (size_t)(eq - arg)) == 0) {
            *(int64_t *)(void *)((char *)o + names[i].at) = strtoll(eq + 1, NULL, 10);
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    struct options o = { .seed = 1, .rows = 1000, .batch = 700, .nulls = 1, .nested = 1, .encoding = -1, .codec = -1 };
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_field fields[MAX_COLUMNS];
    struct column columns[MAX_COLUMNS] = { 0 };
    struct tsf_schema schema = { .fields = fields };
    struct tsf_buf line = TSF_BUF_INIT(0);
    uint8_t bloom[MAX_COLUMNS];
    struct tsf_pool *pool = NULL;
    struct parquet_writer *w;
    struct parquet_file_info info;
    int at = 1;
    while (at < argc && set_option(&o, argv[at]))
        at++;
    if (argc - at != 2) {
        fprintf(stderr, "usage: write_random [option=value ...] OUT.parquet OUT.ndjson\n");
        return 2;
    }
    rng = (uint64_t)o.seed * 7919;
    schema.n_fields = make_schema(&o, &a, &schema, columns);
    memset(bloom, o.bloom ? PARQUET_BLOOM_YES : PARQUET_BLOOM_NONE, sizeof bloom);
    FILE *out = fopen(argv[at], "wb"), *expected = fopen(argv[at + 1], "wb");
    if (!out || !expected) {
        perror("write_random");
        return 1;
    }
    if (o.threads > 1)
        die(tsf_pool_new((int)o.threads, &pool, &err), &err);
    struct parquet_writer_options wo = {
        .page_rows = (int32_t)o.page_rows, .row_group_rows = o.group_rows, .page_v2 = o.v2 != 0, .bloom = bloom, .pool = pool,
        .force_encoding = (int)o.encoding + 1, .force_codec = (int)o.codec + 1,
    };
    struct tsf_sink sink = { .write = file_put, .ctx = out };
    die(parquet_writer_new(&sink, &schema, &wo, &w, &err), &err);
    for (int64_t row = 0; row < o.rows; row += o.batch)
        write_batch(w, columns, schema.n_fields, &o, TSF_MIN(o.batch, o.rows - row), expected, &line);
    die(parquet_writer_finish(w, &info, &err), &err);
    parquet_writer_free(w);
    tsf_pool_free(pool);
    tsf_buf_release(&line);
    tsf_arena_release(&a);
    if (fclose(out) != 0 || fclose(expected) != 0) {
        perror("write_random");
        return 1;
    }
    return 0;
}
