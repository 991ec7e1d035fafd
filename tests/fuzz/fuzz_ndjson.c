/*
 * NDJSON rows of any bytes, through every parser that this machine has: the same rows, the same refusals for the same
 * reasons, and what came through can be encoded and read again.
 */
#include "ingest/ingest_internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tsf_field fields[] = {
    { "timestamp", TSF_T(TIMESTAMP), true, -1, NULL, NULL }, { "date", TSF_T(DATE), false, -1, NULL, NULL },
    { "b", TSF_T(BOOL), true, -1, NULL, NULL },              { "i", TSF_T(INT32), true, -1, NULL, NULL },
    { "l", TSF_T(INT64), true, -1, NULL, NULL },             { "f", TSF_T(FLOAT), true, -1, NULL, NULL },
    { "g", TSF_T(DOUBLE), true, -1, NULL, NULL },            { "s", TSF_T(STRING), true, -1, NULL, NULL },
    { "x", TSF_T(BINARY), true, -1, NULL, NULL },            { "a___s", TSF_T(STRING), true, -1, NULL, NULL },
    { "attributes", &tsf_type_json, true, -1, NULL, NULL },  { "attributes___k", TSF_T(INT64), true, -1, NULL, NULL },
    { "ls", NULL, true, -1, NULL, NULL },                    { "li", NULL, true, -1, NULL, NULL },
    { "d", NULL, true, -1, NULL, NULL },
};

struct result {
    struct tsf_buf rows, reasons;
    int64_t lines;
    size_t n_rejects;
};

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void parse(const struct ingest_plan *plan, enum tsf_simd simd, struct ingest_block *blk, struct result *out)
{
    struct ingest_parser ps;
    struct tsf_batch b;

    must(ingest_parser_init(&ps, plan, simd, NULL) == TSF_OK);
    must(ingest_parser_block(&ps, blk, NULL) == TSF_OK && ingest_parser_batch(&ps, &b, NULL) == TSF_OK);
    must(tsf_batch_encode(&b, &out->rows, NULL) == TSF_OK);
    must(tsf_buf_append(&out->reasons, ps.reasons.data, ps.reasons.len, NULL) == TSF_OK);
    out->lines = ps.lines;
    out->n_rejects = ps.n_rejects;
    ingest_parser_release(&ps);
}

static void decode(const struct result *r)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_batch b;

    must(tsf_batch_decode(r->rows.data, r->rows.len, &a, &b, NULL) == TSF_OK);
    must(b.length + (int64_t)r->n_rejects <= r->lines);
    tsf_arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ingest_options opts = { .max_rejects = -1 };
    struct tsf_schema schema = { TSF_ARRAY_LEN(fields), fields };
    struct table t = { .name = (char *)"t", .schema = &schema,
                       .props = { .version_field = -1, .tombstone_field = -1, .time_field = 0, .date_field = 1, .tenant_field = -1 } };
    struct ingest_block blk = { .len = size, .name = "x", .first = true };
    struct tsf_arena a = TSF_ARENA_INIT;
    struct result one = { 0 };
    struct ingest_plan plan;

    fields[12].type = tsf_type_list(&a, TSF_T(STRING), true);
    fields[13].type = tsf_type_list(&a, TSF_T(INT64), false);
    fields[14].type = tsf_type_decimal(20, 4);
    must((blk.data = calloc(1, size + INGEST_PAD)) != NULL && fields[12].type && fields[13].type);
    if (size)
        memcpy(blk.data, data, size);
    blk.data[size] = '\n';
    must(ingest_plan_init(&plan, &t, &opts, NULL) == TSF_OK);
    parse(&plan, TSF_SIMD_SCALAR, &blk, &one);
    decode(&one);
    for (int simd = TSF_SIMD_AVX2; simd <= (int)tsf_simd_level(); simd++) {
        struct result two = { 0 };
        parse(&plan, (enum tsf_simd)simd, &blk, &two);
        must(one.lines == two.lines && one.n_rejects == two.n_rejects);
        must(tsf_str_eq(tsf_buf_str(&one.rows), tsf_buf_str(&two.rows)));
        must(tsf_str_eq(tsf_buf_str(&one.reasons), tsf_buf_str(&two.reasons)));
        tsf_buf_release(&two.rows);
        tsf_buf_release(&two.reasons);
    }
    tsf_buf_release(&one.rows);
    tsf_buf_release(&one.reasons);
    ingest_plan_release(&plan);
    tsf_arena_release(&a);
    free(blk.data);
    return 0;
}
