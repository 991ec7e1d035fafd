/*
 * Reading checkpoints. A Parquet checkpoint has one nullable struct column per kind of action and one action per row;
 * each column is read by itself, since within a checkpoint nothing depends on order. V2 checkpoints (Parquet or JSON)
 * may name sidecars, which hold the adds and removes.
 */
#include "delta/delta_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_AT_ONCE 4096
#define STATS_DEPTH 16
#define SIDECARS_MAX 100000

struct reader {
    struct store *store;
    struct delta_replay *replay;
    struct tsf_arena arena;  /* of a batch */
    struct tsf_arena keep;   /* sidecar names */
    struct tsf_buf text;     /* JSON made from columns */
    char **sidecars;
    size_t n_sidecars, cap_sidecars;
};

/* ---- cells ------------------------------------------------------------------------------------------------- */

/* Child of a struct vector by name; NULL when there is none (or v is NULL). */
static const struct tsf_vector *child(const struct tsf_vector *v, const char *name)
{
    if (v == NULL || v->type->id != TSF_TYPE_STRUCT)
        return NULL;
    for (int i = 0; i < v->type->n_children; i++)
        if (strcmp(v->type->children[i].name, name) == 0)
            return &v->children[i];
    return NULL;
}

static bool present(const struct tsf_vector *v, int64_t row)
{
    return v != NULL && tsf_vector_present(v, row);
}

static struct tsf_str cell_str(const struct tsf_vector *v, int64_t row)
{
    if (!present(v, row) || !tsf_type_is_string(v->type))
        return (struct tsf_str){ NULL, 0 };
    return tsf_sview_str((const struct tsf_sview *)tsf_vector_flat_values(v) + tsf_vector_at(v, row));
}

static int64_t cell_int(const struct tsf_vector *v, int64_t row, int64_t fallback)
{
    int64_t at;

    if (!present(v, row))
        return fallback;
    at = tsf_vector_at(v, row);
    switch (v->type->id) {
    case TSF_TYPE_INT32: return ((const int32_t *)tsf_vector_flat_values(v))[at];
    case TSF_TYPE_INT64:
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ: return ((const int64_t *)tsf_vector_flat_values(v))[at];
    default: return fallback;
    }
}

static bool cell_bool(const struct tsf_vector *v, int64_t row)
{
    return present(v, row) && v->type->id == TSF_TYPE_BOOL && ((const uint8_t *)tsf_vector_flat_values(v))[tsf_vector_at(v, row)] != 0;
}

/* Elements of a list or map cell: positions in its children. */
static bool cell_range(const struct tsf_vector *v, int64_t row, enum tsf_type_id id, int64_t *first, int64_t *end)
{
    const int32_t *offsets;

    if (!present(v, row) || v->type->id != id || v->shape != TSF_FLAT)
        return false;
    offsets = v->values;
    *first = offsets[row];
    *end = offsets[row + 1];
    return true;
}

static enum tsf_err cell_pairs(const struct tsf_vector *v, int64_t row, struct tsf_arena *a, struct delta_pair **out, int *n_out,
                               struct tsf_error *err)
{
    int64_t first, end;

    *n_out = -1;
    if (!cell_range(v, row, TSF_TYPE_MAP, &first, &end))
        return TSF_OK;
    if ((*out = tsf_arena_calloc(a, (size_t)(end - first) + 1, sizeof **out)) == NULL)
        return tsf_fail_nomem(err);
    for (int64_t i = first; i < end; i++) {
        (*out)[i - first].key = cell_str(&v->children[0], i);
        (*out)[i - first].value = cell_str(&v->children[1], i);
    }
    *n_out = (int)(end - first);
    return TSF_OK;
}

/* ---- columns to JSON -------------------------------------------------------------------------------------------- */

static enum tsf_err put_string(struct tsf_buf *out, const char *name, struct tsf_str s, struct tsf_error *err)
{
    enum tsf_err rc;

    if (s.data == NULL)
        return TSF_OK;
    if ((rc = tsf_buf_printf(out, err, "%s\"%s\":", out->len > 0 && out->data[out->len - 1] != '{' ? "," : "", name)) != TSF_OK)
        return rc;
    return tsf_buf_append_json(out, s, err);
}

static enum tsf_err put_int(struct tsf_buf *out, const char *name, const struct tsf_vector *v, int64_t row, struct tsf_error *err)
{
    if (!present(v, row))
        return TSF_OK;
    return tsf_buf_printf(out, err, "%s\"%s\":%lld", out->len > 0 && out->data[out->len - 1] != '{' ? "," : "", name,
                          (long long)cell_int(v, row, 0));
}

static enum tsf_err put_map(struct tsf_buf *out, const char *name, const struct tsf_vector *v, int64_t row, struct tsf_error *err)
{
    int64_t first, end;
    enum tsf_err rc;

    if (!cell_range(v, row, TSF_TYPE_MAP, &first, &end))
        return TSF_OK;
    rc = tsf_buf_printf(out, err, "%s\"%s\":{", out->len > 0 && out->data[out->len - 1] != '{' ? "," : "", name);
    for (int64_t i = first; i < end && rc == TSF_OK; i++) {
        struct tsf_str value = cell_str(&v->children[1], i);

        if ((i > first && (rc = tsf_buf_append_u8(out, ',', err)) != TSF_OK) ||
            (rc = tsf_buf_append_json(out, cell_str(&v->children[0], i), err)) != TSF_OK ||
            (rc = tsf_buf_append_u8(out, ':', err)) != TSF_OK)
            break;
        rc = value.data != NULL ? tsf_buf_append_json(out, value, err) : tsf_buf_append_z(out, "null", err);
    }
    return rc == TSF_OK ? tsf_buf_append_u8(out, '}', err) : rc;
}

static enum tsf_err put_list(struct tsf_buf *out, const char *name, const struct tsf_vector *v, int64_t row, struct tsf_error *err)
{
    int64_t first, end;
    enum tsf_err rc;

    if (!cell_range(v, row, TSF_TYPE_LIST, &first, &end))
        return TSF_OK;
    rc = tsf_buf_printf(out, err, "%s\"%s\":[", out->len > 0 && out->data[out->len - 1] != '{' ? "," : "", name);
    for (int64_t i = first; i < end && rc == TSF_OK; i++)
        if (i == first || (rc = tsf_buf_append_u8(out, ',', err)) == TSF_OK)
            rc = tsf_buf_append_json(out, cell_str(&v->children[0], i), err);
    return rc == TSF_OK ? tsf_buf_append_u8(out, ']', err) : rc;
}

/* A value as add.stats has it. */
static enum tsf_err put_stats_value(struct tsf_buf *out, const struct tsf_value *v, struct tsf_error *err)
{
    char text[TSF_TIME_MAX];
    size_t n;

    switch (v->type->id) {
    case TSF_TYPE_TIMESTAMP: n = tsf_time_format(v->u.i64, 6, "Z", 'T', text); break;
    case TSF_TYPE_TIMESTAMP_NTZ: n = tsf_time_format(v->u.i64, 6, "", 'T', text); break;
    case TSF_TYPE_DATE: n = tsf_date_format((int32_t)v->u.i64, text); break;
    default: return tsf_value_json(v, out, err);
    }
    return tsf_buf_append_json(out, tsf_str_n(text, n), err);
}

/* stats_parsed as the text it would have been; nulls are left out. */
static enum tsf_err put_stats(struct tsf_buf *out, const struct tsf_vector *v, int64_t row, int depth, struct tsf_arena *a,
                              struct tsf_error *err)
{
    bool first = true;
    enum tsf_err rc = tsf_buf_append_u8(out, '{', err);

    for (int i = 0; i < v->type->n_children && rc == TSF_OK; i++) {
        const struct tsf_vector *c = &v->children[i];
        bool nested = c->type->id == TSF_TYPE_STRUCT;
        struct tsf_value value;

        if (!present(c, row) || depth > STATS_DEPTH || (!nested && c->type->n_children > 0))
            continue;
        if ((!first && (rc = tsf_buf_append_u8(out, ',', err)) != TSF_OK) ||
            (rc = tsf_buf_append_json(out, tsf_str(v->type->children[i].name), err)) != TSF_OK ||
            (rc = tsf_buf_append_u8(out, ':', err)) != TSF_OK)
            break;
        first = false;
        if (nested)
            rc = put_stats(out, c, row, depth + 1, a, err);
        else if ((rc = tsf_vector_get(c, row, a, &value, err)) == TSF_OK)
            rc = put_stats_value(out, &value, err);
    }
    return rc == TSF_OK ? tsf_buf_append_u8(out, '}', err) : rc;
}

static enum tsf_err put_dv(struct tsf_buf *out, const struct tsf_vector *v, int64_t row, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = tsf_buf_append_u8(out, '{', err)) != TSF_OK ||
        (rc = put_string(out, "storageType", cell_str(child(v, "storageType"), row), err)) != TSF_OK ||
        (rc = put_string(out, "pathOrInlineDv", cell_str(child(v, "pathOrInlineDv"), row), err)) != TSF_OK ||
        (rc = put_int(out, "offset", child(v, "offset"), row, err)) != TSF_OK ||
        (rc = put_int(out, "sizeInBytes", child(v, "sizeInBytes"), row, err)) != TSF_OK ||
        (rc = put_int(out, "cardinality", child(v, "cardinality"), row, err)) != TSF_OK)
        return rc;
    return tsf_buf_append_u8(out, '}', err);
}

/* What was put since start, kept in the batch's arena. */
static enum tsf_err take_text(struct reader *r, struct tsf_str *out, struct tsf_error *err)
{
    char *copy = tsf_arena_strndup(&r->arena, (const char *)r->text.data, r->text.len);

    if (copy == NULL)
        return tsf_fail_nomem(err);
    *out = tsf_str_n(copy, r->text.len);
    tsf_buf_reset(&r->text);
    return TSF_OK;
}

/* ---- actions -------------------------------------------------------------------------------------------------------- */

static enum tsf_err read_file(struct reader *r, const struct tsf_vector *v, int64_t row, struct delta_action *act, struct tsf_error *err)
{
    const struct tsf_vector *dv = child(v, "deletionVector"), *tags = child(v, "tags"), *parsed = child(v, "stats_parsed");
    struct delta_file_action *f = &act->file;
    enum tsf_err rc;

    f->raw_path = cell_str(child(v, "path"), row);
    if (f->raw_path.len == 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "%s action without a path", act->kind == DELTA_ACTION_ADD ? "add" : "remove");
    f->size = cell_int(child(v, "size"), row, 0);
    f->time_ms = cell_int(child(v, act->kind == DELTA_ACTION_ADD ? "modificationTime" : "deletionTimestamp"), row, 0);
    f->data_change = cell_bool(child(v, "dataChange"), row);
    f->stats = cell_str(child(v, "stats"), row);
    f->n_rows = cell_int(child(parsed, "numRecords"), row, -1);
    if ((rc = cell_pairs(child(v, "partitionValues"), row, &r->arena, &f->partition, &f->n_partition, err)) != TSF_OK)
        return rc;
    if (f->stats.len == 0 && present(parsed, row) && parsed->type->id == TSF_TYPE_STRUCT &&
        ((rc = put_stats(&r->text, parsed, row, 0, &r->arena, err)) != TSF_OK || (rc = take_text(r, &f->stats, err)) != TSF_OK))
        return rc;
    if (present(dv, row) && ((rc = put_dv(&r->text, dv, row, err)) != TSF_OK || (rc = take_text(r, &f->dv, err)) != TSF_OK))
        return rc;
    if (present(tags, row)) {
        if ((rc = tsf_buf_append_u8(&r->text, '{', err)) != TSF_OK || (rc = put_map(&r->text, "t", tags, row, err)) != TSF_OK)
            return rc;
        if (r->text.len > 6) { /* {"t":{} */
            f->tags = tsf_str_n(r->text.data + 5, r->text.len - 5);
            if ((f->tags.data = tsf_arena_strndup(&r->arena, f->tags.data, f->tags.len)) == NULL)
                return tsf_fail_nomem(err);
        }
        tsf_buf_reset(&r->text);
    }
    return delta_replay_action(r->replay, act, err);
}

static enum tsf_err read_metadata(struct reader *r, const struct tsf_vector *v, int64_t row, struct delta_action *act, struct tsf_error *err)
{
    struct tsf_buf *out = &r->text;
    enum tsf_err rc;

    if ((rc = tsf_buf_append_u8(out, '{', err)) != TSF_OK || (rc = put_string(out, "id", cell_str(child(v, "id"), row), err)) != TSF_OK ||
        (rc = put_string(out, "name", cell_str(child(v, "name"), row), err)) != TSF_OK ||
        (rc = put_string(out, "description", cell_str(child(v, "description"), row), err)) != TSF_OK ||
        (rc = tsf_buf_append_z(out, out->len > 1 ? ",\"format\":{" : "\"format\":{", err)) != TSF_OK ||
        (rc = put_string(out, "provider", cell_str(child(child(v, "format"), "provider"), row), err)) != TSF_OK ||
        (rc = put_map(out, "options", child(child(v, "format"), "options"), row, err)) != TSF_OK ||
        (rc = tsf_buf_append_u8(out, '}', err)) != TSF_OK ||
        (rc = put_string(out, "schemaString", cell_str(child(v, "schemaString"), row), err)) != TSF_OK ||
        (rc = put_list(out, "partitionColumns", child(v, "partitionColumns"), row, err)) != TSF_OK ||
        (rc = put_map(out, "configuration", child(v, "configuration"), row, err)) != TSF_OK ||
        (rc = put_int(out, "createdTime", child(v, "createdTime"), row, err)) != TSF_OK ||
        (rc = tsf_buf_append_u8(out, '}', err)) != TSF_OK || (rc = take_text(r, &act->raw, err)) != TSF_OK)
        return rc;
    return delta_replay_action(r->replay, act, err);
}

static enum tsf_err read_protocol(struct reader *r, const struct tsf_vector *v, int64_t row, struct delta_action *act, struct tsf_error *err)
{
    struct tsf_buf *out = &r->text;
    enum tsf_err rc;

    if ((rc = tsf_buf_append_u8(out, '{', err)) != TSF_OK ||
        (rc = put_int(out, "minReaderVersion", child(v, "minReaderVersion"), row, err)) != TSF_OK ||
        (rc = put_int(out, "minWriterVersion", child(v, "minWriterVersion"), row, err)) != TSF_OK ||
        (rc = put_list(out, "readerFeatures", child(v, "readerFeatures"), row, err)) != TSF_OK ||
        (rc = put_list(out, "writerFeatures", child(v, "writerFeatures"), row, err)) != TSF_OK ||
        (rc = tsf_buf_append_u8(out, '}', err)) != TSF_OK || (rc = take_text(r, &act->raw, err)) != TSF_OK)
        return rc;
    return delta_replay_action(r->replay, act, err);
}

static const char *arena_z(struct tsf_arena *a, struct tsf_str s)
{
    return tsf_arena_strndup(a, s.data != NULL ? s.data : "", s.len);
}

static enum tsf_err read_small(struct reader *r, const struct tsf_vector *v, int64_t row, struct delta_action *act, struct tsf_error *err)
{
    if (act->kind == DELTA_ACTION_TXN) {
        act->txn.app_id = arena_z(&r->arena, cell_str(child(v, "appId"), row));
        act->txn.version = cell_int(child(v, "version"), row, -1);
        act->txn.updated_ms = cell_int(child(v, "lastUpdated"), row, -1);
        if (act->txn.app_id == NULL)
            return tsf_fail_nomem(err);
    } else {
        act->domain.name = arena_z(&r->arena, cell_str(child(v, "domain"), row));
        act->domain.configuration = arena_z(&r->arena, cell_str(child(v, "configuration"), row));
        act->domain.removed = cell_bool(child(v, "removed"), row);
        if (act->domain.name == NULL || act->domain.configuration == NULL)
            return tsf_fail_nomem(err);
    }
    return delta_replay_action(r->replay, act, err);
}

static enum tsf_err sidecar_push(struct reader *r, struct tsf_str path, struct tsf_error *err)
{
    char *key;

    if (path.len == 0 || memchr(path.data, '/', path.len) != NULL)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "checkpoint sidecar outside of _delta_log/_sidecars: \"%.*s\"",
                        (int)TSF_MIN(path.len, (size_t)200), path.data != NULL ? path.data : "");
    if (r->n_sidecars >= SIDECARS_MAX ||
        !tsf_arena_grow(&r->keep, (void **)&r->sidecars, &r->cap_sidecars, r->n_sidecars + 1, sizeof *r->sidecars) ||
        (key = tsf_arena_printf(&r->keep, DELTA_LOG_DIR "_sidecars/%.*s", (int)path.len, path.data)) == NULL)
        return tsf_fail_nomem(err);
    r->sidecars[r->n_sidecars++] = key;
    return TSF_OK;
}

static enum tsf_err read_row(struct reader *r, enum delta_action_kind kind, const struct tsf_vector *v, int64_t row, struct tsf_error *err)
{
    struct delta_action act = { .kind = kind, .file = { .n_partition = -1, .n_rows = -1 } };

    switch (kind) {
    case DELTA_ACTION_ADD:
    case DELTA_ACTION_REMOVE: return read_file(r, v, row, &act, err);
    case DELTA_ACTION_METADATA: return read_metadata(r, v, row, &act, err);
    case DELTA_ACTION_PROTOCOL: return read_protocol(r, v, row, &act, err);
    case DELTA_ACTION_SIDECAR: return sidecar_push(r, cell_str(child(v, "path"), row), err);
    default: return read_small(r, v, row, &act, err);
    }
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static enum tsf_err read_column(struct reader *r, const struct parquet_file *f, int group, int field, enum delta_action_kind kind,
                                struct tsf_error *err)
{
    struct parquet_column_options opts = { .no_dictionary = true };
    struct parquet_column *c = NULL;
    int64_t left = f->meta->row_groups[group].n_rows;
    enum tsf_err rc = parquet_column_open(f, group, field, &opts, &c, err);

    while (rc == TSF_OK && left > 0) {
        int64_t n = TSF_MIN(left, ROWS_AT_ONCE);
        struct tsf_vector v;

        tsf_arena_reset(&r->arena);
        if ((rc = tsf_cancel_check(err)) != TSF_OK || (rc = parquet_column_read(c, n, &r->arena, &v, err)) != TSF_OK)
            break;
        for (int64_t row = 0; row < n && rc == TSF_OK; row++)
            if (tsf_vector_present(&v, row)) {
                tsf_arena_reset(&r->replay->scratch);
                rc = read_row(r, kind, &v, row, err);
            }
        left -= n;
    }
    parquet_column_close(c);
    return rc;
}

static enum tsf_err read_parquet(struct reader *r, const char *key, int64_t size, struct tsf_error *err)
{
    static const struct { const char *name; enum delta_action_kind kind; } columns[] = {
        { "protocol", DELTA_ACTION_PROTOCOL }, { "metaData", DELTA_ACTION_METADATA }, { "add", DELTA_ACTION_ADD },
        { "remove", DELTA_ACTION_REMOVE }, { "txn", DELTA_ACTION_TXN }, { "domainMetadata", DELTA_ACTION_DOMAIN },
        { "sidecar", DELTA_ACTION_SIDECAR },
    };
    struct parquet_file f = { 0 };
    struct tsf_source src = { 0 };
    enum tsf_err rc;

    if ((rc = store_source_open(r->store, key, size, &src, err)) != TSF_OK)
        return tsf_prepend(err, rc, "checkpoint");
    if ((rc = parquet_file_open(&f, &src, NULL, err)) == TSF_OK) {
        for (size_t i = 0; i < TSF_ARRAY_LEN(columns) && rc == TSF_OK; i++) {
            int field = tsf_schema_find(&f.schema, tsf_str(columns[i].name));

            if (field < 0 || f.schema.fields[field].type->id != TSF_TYPE_STRUCT)
                continue;
            for (int group = 0; group < f.meta->n_row_groups && rc == TSF_OK; group++)
                rc = read_column(r, &f, group, field, columns[i].kind, err);
        }
    }
    parquet_file_release(&f);
    tsf_source_close(&src);
    return rc == TSF_OK ? rc : tsf_prepend(err, rc, "%s", key);
}

static enum tsf_err json_action(void *ctx, const struct delta_action *act, struct tsf_error *err)
{
    struct reader *r = ctx;

    return act->kind == DELTA_ACTION_SIDECAR ? sidecar_push(r, act->sidecar.path, err) : delta_replay_action(r->replay, act, err);
}

static enum tsf_err read_json(struct reader *r, const char *key, struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(DELTA_COMMIT_MAX + 16);
    enum tsf_err rc;

    if ((rc = store_get(r->store, key, DELTA_COMMIT_MAX, &text, err)) == TSF_OK)
        rc = delta_lines_each(tsf_buf_str(&text), key, &r->replay->scratch, json_action, r, err);
    tsf_buf_release(&text);
    return rc;
}

enum tsf_err delta_checkpoint_read(struct store *store, struct delta_replay *replay, const struct delta_checkpoint_file *files, size_t n,
                                   struct tsf_error *err)
{
    struct reader r = { .store = store, .replay = replay, .text = TSF_BUF_INIT(1 << 28) };
    enum tsf_err rc = TSF_OK;

    for (size_t i = 0; i < n && rc == TSF_OK; i++)
        rc = files[i].json ? read_json(&r, files[i].key, err) : read_parquet(&r, files[i].key, files[i].size, err);
    for (size_t i = 0; i < r.n_sidecars && rc == TSF_OK; i++) /* sidecars name no sidecars: n_sidecars grows no more */
        rc = read_parquet(&r, r.sidecars[i], -1, err);
    tsf_arena_release(&r.arena);
    tsf_arena_release(&r.keep);
    tsf_buf_release(&r.text);
    return rc;
}
