#ifndef INGEST_TEST_H
#define INGEST_TEST_H
/* What the tests of ingest share: tables that exist in memory only, rows as JSON. */
#include "test_util.h"

#include "ingest/ingest_internal.h"

/* "name type[!], ..." : ! is NOT NULL, type[] a list, json JSON text, else Delta's names. */
static void ingest_test_schema(const char *spec, struct tsf_arena *a, struct tsf_schema *out)
{
    char *text = tsf_arena_strdup(a, spec), *save = NULL;

    *out = (struct tsf_schema){ .fields = tsf_arena_calloc(a, 64, sizeof *out->fields) };
    for (char *item = strtok_r(text, ";", &save); item; item = strtok_r(NULL, ";", &save)) {
        struct tsf_field *f = &out->fields[out->n_fields++];
        char *type;
        item += strspn(item, " ");
        type = strchr(item, ' ');
        *type++ = 0;
        *f = (struct tsf_field){ .name = item, .nullable = true, .field_id = -1 };
        if (type[strlen(type) - 1] == '!') {
            f->nullable = false;
            type[strlen(type) - 1] = 0;
        }
        size_t n = strlen(type);
        bool list = n > 2 && strcmp(type + n - 2, "[]") == 0;
        n -= list ? 2 : 0;
        if (n == 4 && memcmp(type, "json", 4) == 0) {
            f->type = &tsf_type_json;
        } else {
            struct tsf_error err = TSF_ERROR_INIT;
            CHECK_OK(tsf_type_from_delta(tsf_str_n(type, n), &f->type, &err), &err);
        }
        if (list)
            f->type = tsf_type_list(a, f->type, true);
    }
}

TEST_UNUSED static void ingest_test_table(struct table *t, const char *spec)
{
    struct tsf_schema *s;

    *t = (struct table){ .name = (char *)"t", .props = { .version_field = -1, .tombstone_field = -1, .time_field = -1,
                                                         .date_field = -1, .tenant_field = -1 } };
    s = tsf_arena_calloc(&t->arena, 1, sizeof *s);
    ingest_test_schema(spec, &t->arena, s);
    t->schema = s;
    t->props.time_field = tsf_schema_find(s, TSF_STR("timestamp"));
    t->props.date_field = tsf_schema_find(s, TSF_STR("date"));
    t->props.tenant_field = tsf_schema_find(s, TSF_STR("project_id"));
    t->props.version_field = tsf_schema_find(s, TSF_STR("updated_at"));
}

/* {"a":1,"b":"x"}: columns that are not null. */
static void ingest_test_row(const struct tsf_schema *s, const struct tsf_batch *b, int64_t row, struct tsf_buf *out)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_value v;
    bool any = false;

    CHECK_OK(tsf_buf_append_z(out, "{", &err), &err);
    for (int c = 0; c < b->n_columns; c++) {
        CHECK_OK(tsf_vector_get(&b->columns[c], row, &a, &v, &err), &err);
        if (v.is_null)
            continue;
        CHECK_OK(tsf_buf_printf(out, &err, "%s\"%s\":", any ? "," : "", s->fields[c].name), &err);
        CHECK_OK(tsf_value_json(&v, out, &err), &err);
        any = true;
    }
    CHECK_OK(tsf_buf_append_z(out, "}", &err), &err);
    tsf_arena_release(&a);
}

/* Text of a block through the parser; rows and reasons, one per line, for the caller to free. */
TEST_UNUSED static char *ingest_test_parse(struct table *t, const struct ingest_options *opts, enum tsf_simd simd, const char *text,
                                           size_t len)
{
    struct ingest_plan plan;
    struct ingest_parser ps;
    struct ingest_block blk = { .len = len, .name = "x", .first = true };
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_batch b;

    blk.data = calloc(1, len + INGEST_PAD);
    memcpy(blk.data, text, len);
    blk.data[len] = '\n';
    CHECK_OK(ingest_plan_init(&plan, t, opts, &err), &err);
    CHECK_OK(ingest_parser_init(&ps, &plan, simd, &err), &err);
    CHECK_OK(ingest_parser_block(&ps, &blk, &err), &err);
    CHECK_OK(ingest_parser_batch(&ps, &b, &err), &err);
    for (int64_t i = 0; i < b.length; i++) {
        ingest_test_row(t->schema, &b, i, &out);
        CHECK_OK(tsf_buf_append_z(&out, "\n", &err), &err);
    }
    for (size_t i = 0; i < ps.n_rejects; i++)
        CHECK_OK(tsf_buf_printf(&out, &err, "%lld: %s\n", (long long)ps.rejects[i].line + 1,
                                (const char *)ps.reasons.data + ps.rejects[i].reason), &err);
    ingest_parser_release(&ps);
    ingest_plan_release(&plan);
    free(blk.data);
    CHECK_OK(tsf_buf_append_u8(&out, 0, &err), &err);
    return (char *)out.data;
}

#endif
