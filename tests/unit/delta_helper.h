#ifndef DELTA_HELPER_H
#define DELTA_HELPER_H
/* What the tests of lib/delta share: a small table, adds and removes without data files. */
#include "test_util.h"

#include "delta/delta_internal.h"

static const struct tsf_field dh_fields[] = {
    { .name = "p", .type = TSF_T(STRING), .nullable = true, .field_id = -1 },
    { .name = "d", .type = TSF_T(DATE), .nullable = true, .field_id = -1 },
    { .name = "x", .type = TSF_T(INT64), .nullable = true, .field_id = -1 },
    { .name = "s", .type = TSF_T(STRING), .nullable = true, .field_id = -1 },
    { .name = "t", .type = TSF_T(TIMESTAMP), .nullable = true, .field_id = -1 },
};
static const struct tsf_schema dh_schema = { TSF_ARRAY_LEN(dh_fields), (struct tsf_field *)(uintptr_t)dh_fields };
static const int dh_partition[] = { 0, 1 };

TEST_UNUSED static void dh_create(struct store *s, const char *key, const char *value)
{
    struct delta_create_options o = { .schema = &dh_schema, .n_partition = 2, .partition_fields = dh_partition, .n_config = key != NULL,
                                      .config_keys = &key, .config_values = &value };
    struct tsf_error err = TSF_ERROR_INIT;

    CHECK_OK(delta_create_table(s, &o, &err), &err);
}

TEST_UNUSED static struct store *dh_store(void)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct store *s = NULL;

    CHECK_OK(store_open(test_path("table"), &s, &err), &err);
    return s;
}

TEST_UNUSED static struct delta_snapshot *dh_load(struct store *s, struct cache *c, int64_t version)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct delta_snapshot *snap = NULL;

    CHECK_OK(delta_snapshot_load(s, c, version, &snap, &err), &err);
    return snap;
}

/* An add of partition ("a:b", 2026-11-20) with x from 10 i to 10 i + 9. */
TEST_UNUSED static void dh_add(struct delta_change *c, const char *name, int64_t i, bool data_change)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_value *p = tsf_arena_calloc(c->arena, 2, sizeof *p);
    char *stats = tsf_arena_printf(c->arena, "{\"numRecords\":10,\"minValues\":{\"x\":%lld,\"s\":\"a\"},\"maxValues\":{\"x\":%lld,\"s\":\"z\"},"
                                             "\"nullCount\":{\"x\":0,\"s\":%lld,\"t\":10}}",
                                   (long long)(10 * i), (long long)(10 * i + 9), (long long)(i % 10));
    struct delta_add add = { .partition = p, .size = 1000 + i, .modified_ms = 1790000000000, .n_rows = 10, .stats = tsf_str(stats),
                             .footer_offset = 500, .footer_length = 100, .clustering = "z1", .data_change = data_change };

    p[0] = (struct tsf_value){ .type = TSF_T(STRING), .u.s = TSF_STR("a:b") };
    p[1] = (struct tsf_value){ .type = TSF_T(DATE), .u.i64 = 20777 };
    add.path = tsf_str(tsf_arena_printf(c->arena, "p=a%%3Ab/d=2026-11-20/%s", name));
    CHECK_OK(delta_change_add(c, &add, &err), &err);
}

TEST_UNUSED static int64_t dh_find(struct delta_snapshot *s, const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "p=a%%3Ab/d=2026-11-20/%s", name);
    return delta_snapshot_find(s, tsf_str(path));
}

/* Commit n adds named <prefix><i> and removes of the live files named in removes (NULL-terminated, may be NULL). */
TEST_UNUSED static enum tsf_err dh_commit(struct delta_snapshot **s, const char *prefix, int n, const char *const *removes, bool data_change,
                                          enum delta_read read, struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct delta_change c = DELTA_CHANGE_INIT(&a);
    struct delta_commit_result result;
    enum tsf_err rc;

    c.read = read;
    c.operation = data_change ? "WRITE" : "OPTIMIZE";
    for (int i = 0; i < n; i++) {
        char name[64];

        snprintf(name, sizeof name, "%s%d", prefix, i);
        dh_add(&c, name, i, data_change);
    }
    for (; removes != NULL && *removes != NULL; removes++) {
        int64_t at = dh_find(*s, *removes);

        CHECK(at >= 0);
        CHECK_OK(delta_change_remove(&c, *s, at, data_change, err), err);
    }
    rc = delta_commit(s, &c, NULL, &result, err);
    if (rc == TSF_OK)
        CHECK_INT(result.version, (*s)->version);
    tsf_arena_release(&a);
    return rc;
}

#endif
