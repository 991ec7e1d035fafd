/*
 * Writing a classic checkpoint: one Parquet file, one nullable struct column per kind of action, one action per row.
 * Rows go through builders of a few thousand at a time, so memory does not grow with the table.
 */
#include "delta/delta_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_AT_ONCE 4096

/* ---- schema ------------------------------------------------------------------------------------------------ */

#define FIELD(name_, type_) { .name = (name_), .type = (type_), .nullable = true, .field_id = -1 }
#define REQUIRED(name_, type_) { .name = (name_), .type = (type_), .nullable = false, .field_id = -1 }
#define STRUCT_TYPE(name_, fields_) \
    static const struct tsf_type name_ = { .id = TSF_TYPE_STRUCT, .n_children = TSF_ARRAY_LEN(fields_), .children = (fields_) }

static const struct tsf_field map_fields[] = { REQUIRED("key", TSF_T(STRING)), FIELD("value", TSF_T(STRING)) };
static const struct tsf_type map_type = { .id = TSF_TYPE_MAP, .n_children = 2, .children = map_fields };
static const struct tsf_field list_fields[] = { FIELD("element", TSF_T(STRING)) };
static const struct tsf_type list_type = { .id = TSF_TYPE_LIST, .n_children = 1, .children = list_fields };

static const struct tsf_field txn_fields[] = { FIELD("appId", TSF_T(STRING)), FIELD("version", TSF_T(INT64)),
                                               FIELD("lastUpdated", TSF_T(INT64)) };
STRUCT_TYPE(txn_type, txn_fields);
static const struct tsf_field dv_fields[] = { FIELD("storageType", TSF_T(STRING)), FIELD("pathOrInlineDv", TSF_T(STRING)),
                                              FIELD("offset", TSF_T(INT32)), FIELD("sizeInBytes", TSF_T(INT32)),
                                              FIELD("cardinality", TSF_T(INT64)) };
STRUCT_TYPE(dv_type, dv_fields);
static const struct tsf_field add_fields[] = { FIELD("path", TSF_T(STRING)), FIELD("partitionValues", &map_type),
                                               FIELD("size", TSF_T(INT64)), FIELD("modificationTime", TSF_T(INT64)),
                                               FIELD("dataChange", TSF_T(BOOL)), FIELD("tags", &map_type),
                                               FIELD("deletionVector", &dv_type), FIELD("stats", TSF_T(STRING)) };
STRUCT_TYPE(add_type, add_fields);
static const struct tsf_field remove_fields[] = { FIELD("path", TSF_T(STRING)), FIELD("deletionTimestamp", TSF_T(INT64)),
                                                  FIELD("dataChange", TSF_T(BOOL)), FIELD("extendedFileMetadata", TSF_T(BOOL)),
                                                  FIELD("partitionValues", &map_type), FIELD("size", TSF_T(INT64)),
                                                  FIELD("deletionVector", &dv_type) };
STRUCT_TYPE(remove_type, remove_fields);
static const struct tsf_field format_fields[] = { FIELD("provider", TSF_T(STRING)), FIELD("options", &map_type) };
STRUCT_TYPE(format_type, format_fields);
static const struct tsf_field metadata_fields[] = { FIELD("id", TSF_T(STRING)), FIELD("name", TSF_T(STRING)),
                                                    FIELD("description", TSF_T(STRING)), FIELD("format", &format_type),
                                                    FIELD("schemaString", TSF_T(STRING)), FIELD("partitionColumns", &list_type),
                                                    FIELD("configuration", &map_type), FIELD("createdTime", TSF_T(INT64)) };
STRUCT_TYPE(metadata_type, metadata_fields);
static const struct tsf_field protocol_fields[] = { FIELD("minReaderVersion", TSF_T(INT32)), FIELD("minWriterVersion", TSF_T(INT32)),
                                                    FIELD("readerFeatures", &list_type), FIELD("writerFeatures", &list_type) };
STRUCT_TYPE(protocol_type, protocol_fields);
static const struct tsf_field domain_fields[] = { FIELD("domain", TSF_T(STRING)), FIELD("configuration", TSF_T(STRING)),
                                                  FIELD("removed", TSF_T(BOOL)) };
STRUCT_TYPE(domain_type, domain_fields);

enum column { C_TXN, C_ADD, C_REMOVE, C_METADATA, C_PROTOCOL, C_DOMAIN, N_COLUMNS };
static const struct tsf_field columns[N_COLUMNS] = { FIELD("txn", &txn_type), FIELD("add", &add_type), FIELD("remove", &remove_type),
                                                     FIELD("metaData", &metadata_type), FIELD("protocol", &protocol_type),
                                                     FIELD("domainMetadata", &domain_type) };

/* ---- rows ------------------------------------------------------------------------------------------------------ */

struct checkpoint {
    const struct delta_snapshot *s;
    struct tsf_builder b[N_COLUMNS];
    struct parquet_writer *w;
    struct tsf_arena scratch;
    int64_t rows; /* in the builders */
    int64_t total;
    struct tsf_error *err;
};

static bool put_str(struct checkpoint *c, struct tsf_builder *b, struct tsf_str s)
{
    return (s.data == NULL ? tsf_builder_null(b, c->err) : tsf_builder_str(b, s.data, s.len, c->err)) == TSF_OK;
}

static bool put_z(struct checkpoint *c, struct tsf_builder *b, const char *z)
{
    return put_str(c, b, tsf_str(z));
}

static bool put_int(struct checkpoint *c, struct tsf_builder *b, int64_t v)
{
    return tsf_builder_i64(b, v, c->err) == TSF_OK;
}

static bool put_null(struct checkpoint *c, struct tsf_builder *b)
{
    return tsf_builder_null(b, c->err) == TSF_OK;
}

static bool put_end(struct checkpoint *c, struct tsf_builder *b)
{
    return tsf_builder_list_end(b, c->err) == TSF_OK;
}

static bool put_pairs(struct checkpoint *c, struct tsf_builder *b, const struct delta_pair *pairs, int n)
{
    for (int i = 0; i < n; i++)
        if (!put_str(c, &b->children[0], pairs[i].key) || !put_str(c, &b->children[1], pairs[i].value))
            return false;
    return put_end(c, b);
}

static bool put_names(struct checkpoint *c, struct tsf_builder *b, const char *const *names, int n)
{
    if (n < 0)
        return put_null(c, b);
    for (int i = 0; i < n; i++)
        if (!put_z(c, &b->children[0], names[i]))
            return false;
    return put_end(c, b);
}

/* The row is complete in column k: the others are null there. Full batches go to the file. */
static enum tsf_err flush(struct checkpoint *c)
{
    struct tsf_vector v[N_COLUMNS];
    struct tsf_batch batch = { .length = c->rows, .n_columns = N_COLUMNS, .columns = v };
    enum tsf_err rc = TSF_OK;

    if (c->rows == 0)
        return TSF_OK;
    for (int i = 0; i < N_COLUMNS && rc == TSF_OK; i++)
        rc = tsf_builder_vector(&c->b[i], &c->scratch, &v[i], c->err);
    if (rc == TSF_OK)
        rc = parquet_writer_write(c->w, &batch, c->err);
    for (int i = 0; i < N_COLUMNS; i++)
        tsf_builder_reset(&c->b[i]);
    tsf_arena_reset(&c->scratch);
    c->total += c->rows;
    c->rows = 0;
    return rc;
}

static enum tsf_err row_end(struct checkpoint *c, enum column k)
{
    enum tsf_err rc = tsf_builder_list_end(&c->b[k], c->err);

    for (int i = 0; i < N_COLUMNS && rc == TSF_OK; i++)
        if (i != (int)k)
            rc = tsf_builder_null(&c->b[i], c->err);
    c->rows++;
    return rc == TSF_OK && c->rows == ROWS_AT_ONCE ? flush(c) : rc;
}

static enum tsf_err failed(struct checkpoint *c)
{
    return c->err->code != TSF_OK ? c->err->code : tsf_fail_nomem(c->err);
}

static enum tsf_err put_protocol(struct checkpoint *c)
{
    const struct delta_protocol *p = &c->s->protocol;
    struct tsf_builder *f = c->b[C_PROTOCOL].children;

    if (!put_int(c, &f[0], p->min_reader) || !put_int(c, &f[1], p->min_writer) ||
        !put_names(c, &f[2], p->reader_features, p->n_reader_features) ||
        !put_names(c, &f[3], p->writer_features, p->n_writer_features))
        return failed(c);
    return row_end(c, C_PROTOCOL);
}

static enum tsf_err put_metadata(struct checkpoint *c)
{
    const struct delta_metadata *m = &c->s->metadata;
    struct tsf_builder *f = c->b[C_METADATA].children;
    bool ok;

    ok = put_z(c, &f[0], m->id) && put_z(c, &f[1], m->name) && put_z(c, &f[2], m->description) &&
         put_z(c, &f[3].children[0], "parquet") && put_end(c, &f[3].children[1]) && put_end(c, &f[3]) && put_z(c, &f[4], m->schema_json);
    for (int k = 0; ok && k < m->n_partition; k++)
        ok = put_z(c, &f[5].children[0], m->schema.fields[m->partition_fields[k]].name);
    ok = ok && put_end(c, &f[5]);
    for (int i = 0; ok && i < m->n_config; i++)
        ok = put_z(c, &f[6].children[0], m->config_keys[i]) && put_z(c, &f[6].children[1], m->config_values[i]);
    ok = ok && put_end(c, &f[6]) && (m->created_ms >= 0 ? put_int(c, &f[7], m->created_ms) : put_null(c, &f[7]));
    return ok ? row_end(c, C_METADATA) : failed(c);
}

static enum tsf_err put_small(struct checkpoint *c)
{
    enum tsf_err rc = TSF_OK;

    for (int i = 0; i < c->s->n_txns && rc == TSF_OK; i++) {
        const struct delta_txn *t = &c->s->txns[i];
        struct tsf_builder *f = c->b[C_TXN].children;
        bool ok = put_z(c, &f[0], t->app_id) && put_int(c, &f[1], t->version) &&
                  (t->updated_ms >= 0 ? put_int(c, &f[2], t->updated_ms) : put_null(c, &f[2]));

        rc = ok ? row_end(c, C_TXN) : failed(c);
    }
    for (int i = 0; i < c->s->n_domains && rc == TSF_OK; i++) {
        struct tsf_builder *f = c->b[C_DOMAIN].children;
        bool ok = put_z(c, &f[0], c->s->domains[i].domain) && put_z(c, &f[1], c->s->domains[i].configuration) && put_int(c, &f[2], 0);

        rc = ok ? row_end(c, C_DOMAIN) : failed(c);
    }
    return rc;
}

static bool put_dv(struct checkpoint *c, struct tsf_builder *b, struct tsf_str raw)
{
    struct tsf_builder *f = b->children;
    struct delta_dv dv;

    if (raw.len == 0)
        return put_null(c, b);
    return delta_dv_parse(raw, &c->scratch, &dv, c->err) == TSF_OK && put_str(c, &f[0], tsf_str_n(&dv.storage, 1)) &&
           put_str(c, &f[1], dv.path_or_inline) && (dv.offset >= 0 ? put_int(c, &f[2], dv.offset) : put_null(c, &f[2])) &&
           put_int(c, &f[3], dv.size) && put_int(c, &f[4], dv.cardinality) && put_end(c, b);
}

static bool put_tags(struct checkpoint *c, struct tsf_builder *b, struct tsf_str raw)
{
    struct delta_pair *pairs;
    struct delta_scan s;
    int n;

    if (raw.len == 0)
        return put_null(c, b);
    delta_scan_init(&s, raw, &c->scratch);
    return delta_pairs_parse(&s, &pairs, &n) ? put_pairs(c, b, pairs, n) : put_null(c, b);
}

static bool put_partition(struct checkpoint *c, struct tsf_builder *b, const struct delta_row *row)
{
    struct delta_pair *pairs = NULL;
    int n = 0;

    if (!delta_partition_unpack(delta_heap_get(c->s->state->files.heap, row->partition), &c->scratch, &pairs, &n)) {
        tsf_fail(c->err, TSF_ERR_FORMAT, "damaged partition values");
        return false;
    }
    return put_pairs(c, b, pairs, n);
}

static struct tsf_str row_path(const struct delta_heap *h, const struct delta_row *row)
{
    return delta_heap_get(h, row->raw_path.len > 0 ? row->raw_path : row->path);
}

static enum tsf_err put_add(struct checkpoint *c, const struct delta_row *row)
{
    const struct delta_heap *h = c->s->state->files.heap;
    struct tsf_builder *f = c->b[C_ADD].children;

    if (!put_str(c, &f[0], row_path(h, row)) || !put_partition(c, &f[1], row) || !put_int(c, &f[2], row->size) ||
        !put_int(c, &f[3], row->time_ms) || !put_int(c, &f[4], 0) || !put_tags(c, &f[5], delta_heap_get(h, row->tags)) ||
        !put_dv(c, &f[6], delta_heap_get(h, row->dv)) || !put_str(c, &f[7], delta_heap_get(h, row->stats)))
        return failed(c);
    return row_end(c, C_ADD);
}

static enum tsf_err put_remove(struct checkpoint *c, const struct delta_row *row)
{
    const struct delta_heap *h = c->s->state->files.heap;
    struct tsf_builder *f = c->b[C_REMOVE].children;
    bool extended = (row->flags & DELTA_ROW_PARTITION) != 0;

    if (!put_str(c, &f[0], row_path(h, row)) || !put_int(c, &f[1], row->time_ms) || !put_int(c, &f[2], 0) || !put_int(c, &f[3], extended) ||
        !(extended ? put_partition(c, &f[4], row) : put_null(c, &f[4])) || !put_int(c, &f[5], row->size) ||
        !put_dv(c, &f[6], delta_heap_get(h, row->dv)))
        return failed(c);
    return row_end(c, C_REMOVE);
}

static enum tsf_err put_files(struct checkpoint *c)
{
    const struct delta_row *rows = c->s->state->files.rows;
    int64_t expired_ms = (tsf_now_us() - delta_file_retention_us(&c->s->metadata)) / 1000, n = c->s->n_files + c->s->n_removed;
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; i < n && rc == TSF_OK; i++) {
        if (i % ROWS_AT_ONCE == 0 && (rc = tsf_cancel_check(c->err)) != TSF_OK)
            break;
        if (i < c->s->n_files)
            rc = put_add(c, &rows[i]);
        else if (rows[i].time_ms > expired_ms)
            rc = put_remove(c, &rows[i]);
    }
    return rc;
}

/* ---- file -------------------------------------------------------------------------------------------------------- */

static enum tsf_err write_rows(struct checkpoint *c, struct store_writer *w, struct tsf_error *err)
{
    struct tsf_schema schema = { N_COLUMNS, (struct tsf_field *)(uintptr_t)columns };
    struct parquet_writer_options opts = { .page_rows = ROWS_AT_ONCE };
    struct tsf_sink sink = store_writer_sink(w);
    struct parquet_file_info info;
    enum tsf_err rc;

    for (int i = 0; i < N_COLUMNS; i++)
        if ((rc = tsf_builder_init(&c->b[i], columns[i].type, err)) != TSF_OK)
            return rc;
    if ((rc = parquet_writer_new(&sink, &schema, &opts, &c->w, err)) != TSF_OK || (rc = put_protocol(c)) != TSF_OK ||
        (rc = put_metadata(c)) != TSF_OK || (rc = put_small(c)) != TSF_OK || (rc = put_files(c)) != TSF_OK || (rc = flush(c)) != TSF_OK)
        return rc;
    return parquet_writer_finish(c->w, &info, err);
}

static enum tsf_err write_file(struct checkpoint *c, const char *key, int64_t *size_out, struct tsf_error *err)
{
    struct store_writer *w = NULL;
    enum tsf_err rc;

    if ((rc = store_writer_new(c->s->state->store, key, &w, err)) != TSF_OK)
        return rc;
    if ((rc = write_rows(c, w, err)) == TSF_OK)
        rc = store_writer_finish(w, err);
    *size_out = w->size;
    parquet_writer_free(c->w);
    for (int i = 0; i < N_COLUMNS; i++)
        if (c->b[i].type != NULL)
            tsf_builder_release(&c->b[i]);
    tsf_arena_release(&c->scratch);
    store_writer_free(w);
    return rc;
}

static enum tsf_err write_hint(const struct checkpoint *c, int64_t size, struct tsf_error *err)
{
    char text[256];
    int n;

    /* Never turn the hint back: another writer may be ahead of us. */
    if (delta_log_last_checkpoint(c->s->state->store) >= c->s->version)
        return TSF_OK;
    n = snprintf(text, sizeof text, "{\"version\":%lld,\"size\":%lld,\"sizeInBytes\":%lld,\"numOfAddFiles\":%lld}\n",
                 (long long)c->s->version, (long long)c->total, (long long)size, (long long)c->s->n_files);
    return store_put(c->s->state->store, DELTA_LOG_DIR "_last_checkpoint", text, (size_t)n, false, err);
}

enum tsf_err delta_checkpoint_write(struct delta_snapshot *s, struct tsf_error *err)
{
    struct tsf_error local = TSF_ERROR_INIT;
    struct checkpoint c = { .s = s, .err = &local };
    char key[DELTA_KEY_MAX + 16];
    int64_t size = 0;
    enum tsf_err rc;

    snprintf(key, sizeof key, DELTA_LOG_DIR "%020lld.checkpoint.parquet", (long long)s->version);
    rc = write_file(&c, key, &size, &local);
    if (rc == TSF_OK) {
        s->checkpoint_version = s->version;
        rc = write_hint(&c, size, &local);
    } else if (rc == TSF_ERR_CONFLICT) {
        s->checkpoint_version = s->version; /* another process wrote the same one */
        return TSF_OK;
    }
    if (rc != TSF_OK && err != NULL && err->code == TSF_OK)
        *err = local;
    return rc;
}
