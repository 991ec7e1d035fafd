/* Actions as log lines. */
#include "delta/delta_internal.h"

#define PUT(call)                                                                                                                      \
    do {                                                                                                                               \
        enum tsf_err put_rc = (call);                                                                                                  \
        if (put_rc != TSF_OK)                                                                                                          \
            return put_rc;                                                                                                             \
    } while (0)

static enum tsf_err put_z(struct tsf_buf *out, const char *z, struct tsf_error *err)
{
    return tsf_buf_append_z(out, z, err);
}

static enum tsf_err put_json(struct tsf_buf *out, const char *label, struct tsf_str value, struct tsf_error *err)
{
    PUT(put_z(out, label, err));
    return tsf_buf_append_json(out, value, err);
}

static enum tsf_err put_raw(struct tsf_buf *out, const char *label, struct tsf_str raw, struct tsf_error *err)
{
    PUT(put_z(out, label, err));
    return tsf_buf_append(out, raw.data, raw.len, err);
}

static enum tsf_err put_partition(const struct delta_metadata *m, const struct tsf_value *values, struct tsf_buf *out,
                                  struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(1 << 24);
    enum tsf_err rc = put_z(out, ",\"partitionValues\":{", err);

    for (int k = 0; k < m->n_partition && rc == TSF_OK; k++) {
        const struct tsf_field *f = &m->schema.fields[m->partition_fields[k]];

        tsf_buf_reset(&text);
        if ((rc = put_json(out, k > 0 ? "," : "", tsf_str(f->physical != NULL ? f->physical : f->name), err)) == TSF_OK &&
            (rc = put_z(out, ":", err)) == TSF_OK && (rc = delta_partition_text(&values[k], &text, err)) == TSF_OK)
            rc = text.len == 0 ? put_z(out, "null", err) : tsf_buf_append_json(out, tsf_buf_str(&text), err);
    }
    tsf_buf_release(&text);
    return rc == TSF_OK ? put_z(out, "}", err) : rc;
}

static enum tsf_err put_tags(const struct delta_add *a, struct tsf_buf *out, struct tsf_error *err)
{
    bool footer = a->footer_offset >= 0 && a->footer_length > 0;

    if (!footer && a->clustering == NULL)
        return TSF_OK;
    PUT(put_z(out, ",\"tags\":{", err));
    if (footer)
        PUT(tsf_buf_printf(out, err, "\"" DELTA_TAG_FOOTER "\":\"%lld,%lld\"", (long long)a->footer_offset, (long long)a->footer_length));
    if (a->clustering != NULL)
        PUT(put_json(out, footer ? ",\"" DELTA_TAG_CLUSTERING "\":" : "\"" DELTA_TAG_CLUSTERING "\":", tsf_str(a->clustering), err));
    return put_z(out, "}", err);
}

enum tsf_err delta_render_add(const struct delta_metadata *m, const struct delta_add *a, struct tsf_buf *out, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(1 << 20);
    enum tsf_err rc;

    if ((rc = delta_path_encode(a->path, &path, err)) == TSF_OK)
        rc = put_json(out, "{\"add\":{\"path\":", tsf_buf_str(&path), err);
    tsf_buf_release(&path);
    PUT(rc);
    PUT(put_partition(m, a->partition, out, err));
    PUT(tsf_buf_printf(out, err, ",\"size\":%lld,\"modificationTime\":%lld,\"dataChange\":%s", (long long)a->size,
                       (long long)a->modified_ms, a->data_change ? "true" : "false"));
    if (a->stats.len > 0)
        PUT(put_json(out, ",\"stats\":", a->stats, err));
    PUT(put_tags(a, out, err));
    return put_z(out, "}}\n", err);
}

static enum tsf_err put_dv(const struct delta_dv *dv, struct tsf_buf *out, struct tsf_error *err)
{
    PUT(tsf_buf_printf(out, err, ",\"deletionVector\":{\"storageType\":\"%c\"", dv->storage));
    PUT(put_json(out, ",\"pathOrInlineDv\":", dv->path_or_inline, err));
    if (dv->offset >= 0)
        PUT(tsf_buf_printf(out, err, ",\"offset\":%lld", (long long)dv->offset));
    return tsf_buf_printf(out, err, ",\"sizeInBytes\":%lld,\"cardinality\":%lld}", (long long)dv->size, (long long)dv->cardinality);
}

enum tsf_err delta_render_remove(const struct delta_metadata *m, const struct delta_remove *r, int64_t now_ms, struct tsf_buf *out,
                                 struct tsf_error *err)
{
    PUT(put_json(out, "{\"remove\":{\"path\":", r->raw_path, err));
    PUT(tsf_buf_printf(out, err, ",\"deletionTimestamp\":%lld,\"dataChange\":%s,\"extendedFileMetadata\":%s", (long long)now_ms,
                       r->data_change ? "true" : "false", r->partition != NULL || m->n_partition == 0 ? "true" : "false"));
    if (r->partition != NULL || m->n_partition == 0)
        PUT(put_partition(m, r->partition, out, err));
    PUT(tsf_buf_printf(out, err, ",\"size\":%lld", (long long)r->size));
    if (r->dv.storage != 0)
        PUT(put_dv(&r->dv, out, err));
    if (r->tags.len > 0)
        PUT(put_raw(out, ",\"tags\":", r->tags, err));
    return put_z(out, "}}\n", err);
}

enum tsf_err delta_render_txn(const char *app_id, int64_t version, int64_t now_ms, struct tsf_buf *out, struct tsf_error *err)
{
    PUT(put_json(out, "{\"txn\":{\"appId\":", tsf_str(app_id), err));
    return tsf_buf_printf(out, err, ",\"version\":%lld,\"lastUpdated\":%lld}}\n", (long long)version, (long long)now_ms);
}

static enum tsf_err put_names(const char *label, const char *const *names, int n, struct tsf_buf *out, struct tsf_error *err)
{
    PUT(put_z(out, label, err));
    for (int i = 0; i < n; i++)
        PUT(put_json(out, i > 0 ? "," : "", tsf_str(names[i]), err));
    return put_z(out, "]", err);
}

enum tsf_err delta_render_protocol(const struct delta_protocol *p, struct tsf_buf *out, struct tsf_error *err)
{
    PUT(tsf_buf_printf(out, err, "{\"protocol\":{\"minReaderVersion\":%d,\"minWriterVersion\":%d", p->min_reader, p->min_writer));
    if (p->n_reader_features >= 0)
        PUT(put_names(",\"readerFeatures\":[", p->reader_features, p->n_reader_features, out, err));
    if (p->n_writer_features >= 0)
        PUT(put_names(",\"writerFeatures\":[", p->writer_features, p->n_writer_features, out, err));
    return put_z(out, "}}\n", err);
}

enum tsf_err delta_render_metadata(const struct delta_create_options *o, const char *id, int64_t created_ms, struct tsf_buf *out,
                                   struct tsf_error *err)
{
    struct tsf_buf schema = TSF_BUF_INIT(1 << 26);
    enum tsf_err rc;

    PUT(put_json(out, "{\"metaData\":{\"id\":", tsf_str(id), err));
    if (o->name != NULL)
        PUT(put_json(out, ",\"name\":", tsf_str(o->name), err));
    PUT(put_z(out, ",\"format\":{\"provider\":\"parquet\",\"options\":{}}", err));
    if ((rc = tsf_schema_to_delta(o->schema, &schema, err)) == TSF_OK)
        rc = put_json(out, ",\"schemaString\":", tsf_buf_str(&schema), err);
    tsf_buf_release(&schema);
    PUT(rc);
    PUT(put_z(out, ",\"partitionColumns\":[", err));
    for (int k = 0; k < o->n_partition; k++)
        PUT(put_json(out, k > 0 ? "," : "", tsf_str(o->schema->fields[o->partition_fields[k]].name), err));
    PUT(put_z(out, "],\"configuration\":{", err));
    for (int i = 0; i < o->n_config; i++) {
        PUT(put_json(out, i > 0 ? "," : "", tsf_str(o->config_keys[i]), err));
        PUT(put_json(out, ":", tsf_str(o->config_values[i]), err));
    }
    return tsf_buf_printf(out, err, "},\"createdTime\":%lld}}\n", (long long)created_ms);
}

static enum tsf_err put_metrics(const struct delta_change *c, struct tsf_buf *out, struct tsf_error *err)
{
    int64_t rows = 0, added = 0, removed = 0;

    if (c->operation_metrics != NULL)
        return put_z(out, c->operation_metrics, err);
    for (int64_t i = 0; i < c->n_adds; i++) {
        rows += TSF_MAX(c->adds[i].n_rows, 0);
        added += c->adds[i].size;
    }
    for (int64_t i = 0; i < c->n_removes; i++)
        removed += c->removes[i].size;
    PUT(tsf_buf_printf(out, err, "{\"numFiles\":\"%lld\",\"numOutputRows\":\"%lld\",\"numOutputBytes\":\"%lld\"", (long long)c->n_adds,
                       (long long)rows, (long long)added));
    if (c->n_removes > 0)
        PUT(tsf_buf_printf(out, err, ",\"numRemovedFiles\":\"%lld\",\"numRemovedBytes\":\"%lld\"", (long long)c->n_removes,
                           (long long)removed));
    return put_z(out, "}", err);
}

enum tsf_err delta_render_info(const struct delta_change *c, const char *txn_id, int64_t now_ms, int64_t read_version, struct tsf_buf *out,
                               struct tsf_error *err)
{
    PUT(tsf_buf_printf(out, err, "{\"commitInfo\":{\"timestamp\":%lld", (long long)now_ms));
    PUT(put_json(out, ",\"operation\":", tsf_str(c->operation != NULL ? c->operation : "WRITE"), err));
    PUT(put_z(out, ",\"operationParameters\":", err));
    PUT(put_z(out, c->operation_params != NULL ? c->operation_params : "{}", err));
    if (read_version >= 0)
        PUT(tsf_buf_printf(out, err, ",\"readVersion\":%lld", (long long)read_version));
    PUT(put_z(out, ",\"operationMetrics\":", err));
    PUT(put_metrics(c, out, err));
    PUT(tsf_buf_printf(out, err, ",\"isBlindAppend\":%s", c->read == DELTA_READ_NOTHING && c->n_removes == 0 ? "true" : "false"));
    PUT(put_json(out, ",\"engineInfo\":", TSF_STR(DELTA_ENGINE_INFO), err));
    PUT(put_json(out, ",\"txnId\":", tsf_str(txn_id), err));
    return put_z(out, "}}\n", err);
}
