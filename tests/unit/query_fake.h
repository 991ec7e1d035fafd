#ifndef QUERY_FAKE_H
#define QUERY_FAKE_H
/* A session that sees one table, t, which is nowhere: for tests of the planner and for fuzzing. */
#include "query/query_bind.h"

static struct tsf_field fake_fields[] = {
    { .name = "project_id", .nullable = true, .field_id = -1 }, { .name = "date", .field_id = -1 },
    { .name = "timestamp", .field_id = -1 },                    { .name = "id", .field_id = -1 },
    { .name = "duration", .nullable = true, .field_id = -1 },   { .name = "name", .nullable = true, .field_id = -1 },
    { .name = "status", .nullable = true, .field_id = -1 },     { .name = "body", .nullable = true, .field_id = -1 },
    { .name = "tags", .nullable = true, .field_id = -1 },       { .name = "ratio", .nullable = true, .field_id = -1 },
    { .name = "amount", .nullable = true, .field_id = -1 },     { .name = "ok", .nullable = true, .field_id = -1 },
    { .name = "seen", .nullable = true, .field_id = -1 },       { .name = "level", .nullable = true, .field_id = -1 },
    { .name = "score", .nullable = true, .field_id = -1 },
};
static const struct tsf_schema fake_schema = { (int)TSF_ARRAY_LEN(fake_fields), fake_fields };

static inline void fake_init(void)
{
    static const struct tsf_field element = { .name = "element", .type = TSF_T(STRING), .nullable = true, .field_id = -1 };
    static const struct tsf_type tags = { .id = TSF_TYPE_LIST, .n_children = 1, .children = &element };
    const struct tsf_type *types[] = {
        TSF_T(STRING), TSF_T(DATE), TSF_T(TIMESTAMP), TSF_T(STRING), TSF_T(INT64), TSF_T(STRING), TSF_T(INT32), &tsf_type_json,
        &tags, TSF_T(FLOAT), tsf_type_decimal(10, 2), TSF_T(BOOL), TSF_T(TIMESTAMP_NTZ), TSF_T(INT16), TSF_T(DOUBLE),
    };
    _Static_assert(TSF_ARRAY_LEN(types) == TSF_ARRAY_LEN(fake_fields), "a type per field");
    for (size_t i = 0; i < TSF_ARRAY_LEN(types); i++)
        fake_fields[i].type = types[i];
}

static inline enum tsf_err fake_lookup(struct query_session *s, struct tsf_str name, struct query_table_info *out, struct tsf_error *err)
{
    (void)s;
    if (!tsf_str_eqz(name, "t"))
        return tsf_fail(err, TSF_ERR_NOT_FOUND, "no such table");
    *out = (struct query_table_info){ .schema = &fake_schema, .tenant_field = 0 };
    return TSF_OK;
}

#endif
