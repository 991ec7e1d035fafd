/* What this build may read and write. A name that is not in these lists is a promise we cannot keep. */
#include "delta/delta_internal.h"

#define READER_VERSION_MAX 3
#define WRITER_VERSION_MAX 7

static const char *const reader_known[] = { "columnMapping", "deletionVectors", "timestampNtz", "v2Checkpoint", "vacuumProtocolCheck" };

/*
 * deletionVectors: files that have one are only ever removed, and none is made. v2Checkpoint: allows the classic ones
 * that we write. invariants: only while the schema has none.
 */
static const char *const writer_known[] = { "appendOnly", "invariants", "timestampNtz", "domainMetadata", "vacuumProtocolCheck",
                                            "deletionVectors", "v2Checkpoint" };

static bool known(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

enum tsf_err delta_features_readable(const struct delta_protocol *p, struct tsf_error *err)
{
    if (p->min_reader > READER_VERSION_MAX)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "the table needs Delta reader version %d; this build knows up to %d", p->min_reader,
                        READER_VERSION_MAX);
    if (p->min_reader == 3 && p->n_reader_features < 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "protocol with reader version 3 but without readerFeatures");
    for (int i = 0; i < p->n_reader_features; i++)
        if (!known(p->reader_features[i], reader_known, TSF_ARRAY_LEN(reader_known)))
            return tsf_fail(err, TSF_ERR_UNSUPPORTED, "the table needs reader feature \"%.100s\", which this build does not know",
                            p->reader_features[i]);
    return TSF_OK;
}

static bool field_has(const struct tsf_schema *s, const char *key)
{
    for (int i = 0; i < s->n_fields; i++)
        if (s->fields[i].metadata != NULL && strstr(s->fields[i].metadata, key) != NULL)
            return true;
    return false;
}

static bool config_has_prefix(const struct delta_metadata *m, const char *prefix)
{
    for (int i = 0; i < m->n_config; i++)
        if (strncmp(m->config_keys[i], prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

static bool config_true(const struct delta_metadata *m, const char *key)
{
    const char *v = delta_config_get(m, key);

    return v != NULL && strcasecmp(v, "true") == 0;
}

static enum tsf_err cannot(const char *what, struct tsf_error *err)
{
    return tsf_fail(err, TSF_ERR_UNSUPPORTED, "cannot write to this table: it uses %s, which this build does not know", what);
}

/* Features that are on by what the table says of itself, whatever the protocol lists. */
static enum tsf_err features_in_use(const struct delta_protocol *p, const struct delta_metadata *m, struct tsf_error *err)
{
    const char *mapping = delta_config_get(m, "delta.columnMapping.mode");

    if (field_has(&m->schema, "delta.invariants"))
        return cannot("column invariants", err);
    if (p->min_writer >= 3 && config_has_prefix(m, "delta.constraints."))
        return cannot("CHECK constraints", err);
    if (p->min_writer >= 4 && (field_has(&m->schema, "delta.generationExpression") || config_true(m, "delta.enableChangeDataFeed")))
        return cannot("generated columns or the change data feed", err);
    if (p->min_writer >= 6 && field_has(&m->schema, "delta.identity."))
        return cannot("identity columns", err);
    if (mapping != NULL && strcmp(mapping, "none") != 0)
        return cannot("column mapping", err);
    return TSF_OK;
}

enum tsf_err delta_features_writable(const struct delta_protocol *p, const struct delta_metadata *m, struct tsf_error *err)
{
    if (p->min_writer > WRITER_VERSION_MAX)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "the table needs Delta writer version %d; this build knows up to %d", p->min_writer,
                        WRITER_VERSION_MAX);
    if (p->min_writer == 7 && p->n_writer_features < 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "protocol with writer version 7 but without writerFeatures");
    for (int i = 0; i < p->n_writer_features; i++)
        if (!known(p->writer_features[i], writer_known, TSF_ARRAY_LEN(writer_known)))
            return tsf_fail(err, TSF_ERR_UNSUPPORTED,
                            "cannot write to this table: it needs writer feature \"%.100s\", which this build does not know",
                            p->writer_features[i]);
    return features_in_use(p, m, err);
}

enum tsf_err delta_snapshot_writable(const struct delta_snapshot *s, struct tsf_error *err)
{
    return delta_features_writable(&s->protocol, &s->metadata, err);
}
