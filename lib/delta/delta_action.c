#include "delta/delta_internal.h"

#include <stdlib.h>

static enum tsf_err broken(const struct delta_scan *s, struct tsf_str line, const char *what, struct tsf_error *err)
{
    return tsf_fail_at(err, line.data != NULL ? s->p - line.data : 0, "broken JSON in %s at byte %lld of the line", what,
                       line.data != NULL ? (long long)(s->p - line.data) : 0LL);
}

/* A string or null (then out stays). */
static bool opt_string(struct delta_scan *s, struct tsf_str *out)
{
    return delta_scan_null(s) || delta_scan_string(s, out);
}

static bool opt_int(struct delta_scan *s, int64_t *out)
{
    return delta_scan_null(s) || delta_scan_int(s, out);
}

static bool opt_bool(struct delta_scan *s, bool *out)
{
    return delta_scan_null(s) || delta_scan_bool(s, out);
}

static bool opt_object(struct delta_scan *s, struct tsf_str *out)
{
    if (delta_scan_null(s))
        return true;
    if (delta_scan_peek(s) != '{') {
        s->bad = true;
        return false;
    }
    return delta_scan_raw(s, out);
}

bool delta_pairs_parse(struct delta_scan *s, struct delta_pair **out, int *n_out)
{
    struct delta_pair *pairs = NULL, pair;
    size_t n = 0, cap = 0;

    if (!delta_scan_object(s))
        return false;
    while (delta_scan_key(s, &pair.key)) {
        pair.value = (struct tsf_str){ NULL, 0 };
        /* Some writers put bare numbers and booleans where the protocol wants strings. */
        if (!delta_scan_null(s) && !(delta_scan_peek(s) == '"' ? delta_scan_string(s, &pair.value) : delta_scan_raw(s, &pair.value)))
            return false;
        if (n > 100000 || !tsf_arena_grow(s->arena, (void **)&pairs, &cap, n + 1, sizeof *pairs)) {
            s->bad = true;
            return false;
        }
        pairs[n++] = pair;
    }
    *out = pairs;
    *n_out = (int)n;
    return !s->bad;
}

/* ---- add, remove ------------------------------------------------------------------------------------------ */

static bool file_parse(struct delta_scan *s, struct delta_file_action *f)
{
    struct tsf_str key;

    *f = (struct delta_file_action){ .n_partition = -1, .n_rows = -1 };
    if (!delta_scan_object(s))
        return false;
    while (delta_scan_key(s, &key)) {
        bool ok;

        if (tsf_str_eqz(key, "path"))
            ok = opt_string(s, &f->raw_path);
        else if (tsf_str_eqz(key, "size"))
            ok = opt_int(s, &f->size);
        else if (tsf_str_eqz(key, "stats"))
            ok = delta_scan_peek(s) == '{' ? delta_scan_raw(s, &f->stats) : opt_string(s, &f->stats);
        else if (tsf_str_eqz(key, "partitionValues"))
            ok = delta_scan_null(s) || delta_pairs_parse(s, &f->partition, &f->n_partition);
        else if (tsf_str_eqz(key, "modificationTime") || tsf_str_eqz(key, "deletionTimestamp"))
            ok = opt_int(s, &f->time_ms);
        else if (tsf_str_eqz(key, "dataChange"))
            ok = opt_bool(s, &f->data_change);
        else if (tsf_str_eqz(key, "tags"))
            ok = opt_object(s, &f->tags);
        else if (tsf_str_eqz(key, "deletionVector"))
            ok = opt_object(s, &f->dv);
        else
            ok = delta_scan_skip(s);
        if (!ok)
            return false;
    }
    return !s->bad;
}

enum tsf_err delta_dv_parse(struct tsf_str raw, struct tsf_arena *a, struct delta_dv *out, struct tsf_error *err)
{
    struct tsf_str key, storage = { NULL, 0 };
    struct delta_scan s;

    *out = (struct delta_dv){ .offset = -1 };
    if (raw.len == 0)
        return TSF_OK;
    delta_scan_init(&s, raw, a);
    if (delta_scan_object(&s))
        while (delta_scan_key(&s, &key)) {
            if (tsf_str_eqz(key, "storageType"))
                delta_scan_string(&s, &storage);
            else if (tsf_str_eqz(key, "pathOrInlineDv"))
                delta_scan_string(&s, &out->path_or_inline);
            else if (tsf_str_eqz(key, "offset"))
                opt_int(&s, &out->offset);
            else if (tsf_str_eqz(key, "sizeInBytes"))
                opt_int(&s, &out->size);
            else if (tsf_str_eqz(key, "cardinality"))
                opt_int(&s, &out->cardinality);
            else
                delta_scan_skip(&s);
        }
    if (s.bad)
        return broken(&s, raw, "deletionVector", err);
    if (storage.len != 1 || strchr("uip", storage.data[0]) == NULL)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "deletion vector with storage type \"%.*s\"", (int)TSF_MIN(storage.len, (size_t)20),
                        storage.data != NULL ? storage.data : "");
    if (out->path_or_inline.len == 0 || out->size < 0 || out->cardinality < 0 || out->offset < -1 || out->offset > INT32_MAX)
        return tsf_fail(err, TSF_ERR_FORMAT, "deletion vector descriptor without path, or with numbers out of range");
    out->storage = storage.data[0];
    return TSF_OK;
}

enum tsf_err delta_dv_id(struct tsf_str dv_raw, struct tsf_arena *a, struct tsf_str *out, struct tsf_error *err)
{
    struct delta_dv dv;
    enum tsf_err rc;
    char *id;

    *out = (struct tsf_str){ NULL, 0 };
    if (dv_raw.len == 0)
        return TSF_OK;
    if ((rc = delta_dv_parse(dv_raw, a, &dv, err)) != TSF_OK)
        return rc;
    if ((id = tsf_arena_alloc(a, dv.path_or_inline.len + 32)) == NULL)
        return tsf_fail_nomem(err);
    id[0] = dv.storage;
    memcpy(id + 1, dv.path_or_inline.data, dv.path_or_inline.len);
    id[1 + dv.path_or_inline.len] = '@';
    *out = tsf_str_n(id, dv.path_or_inline.len + 2 + tsf_int64_format(dv.offset, id + dv.path_or_inline.len + 2));
    return TSF_OK;
}

/* ---- txn, domainMetadata, commitInfo, sidecar ------------------------------------------------------------------ */

static char *keep(struct delta_scan *s, struct tsf_str v)
{
    char *z = v.data != NULL && memchr(v.data, 0, v.len) == NULL ? tsf_arena_strndup(s->arena, v.data, v.len) : NULL;

    if (z == NULL)
        s->bad = true;
    return z;
}

static bool txn_parse(struct delta_scan *s, struct delta_txn *t)
{
    struct tsf_str key, app = { NULL, 0 };

    *t = (struct delta_txn){ .version = -1, .updated_ms = -1 };
    if (!delta_scan_object(s))
        return false;
    while (delta_scan_key(s, &key)) {
        if (tsf_str_eqz(key, "appId"))
            delta_scan_string(s, &app);
        else if (tsf_str_eqz(key, "version"))
            delta_scan_int(s, &t->version);
        else if (tsf_str_eqz(key, "lastUpdated"))
            opt_int(s, &t->updated_ms);
        else
            delta_scan_skip(s);
    }
    return !s->bad && (t->app_id = keep(s, app)) != NULL;
}

static bool domain_parse(struct delta_scan *s, struct delta_action *out)
{
    struct tsf_str key, domain = { NULL, 0 }, configuration = TSF_STR("");

    if (!delta_scan_object(s))
        return false;
    while (delta_scan_key(s, &key)) {
        if (tsf_str_eqz(key, "domain"))
            delta_scan_string(s, &domain);
        else if (tsf_str_eqz(key, "configuration"))
            opt_string(s, &configuration);
        else if (tsf_str_eqz(key, "removed"))
            opt_bool(s, &out->domain.removed);
        else
            delta_scan_skip(s);
    }
    return !s->bad && (out->domain.name = keep(s, domain)) != NULL && (out->domain.configuration = keep(s, configuration)) != NULL;
}

/* Anything may be in here and nothing depends on it, so values of a wrong type are passed over. */
static bool info_parse(struct delta_scan *s, struct delta_commit_line *out)
{
    struct tsf_str key;

    *out = (struct delta_commit_line){ .timestamp_ms = -1, .in_commit_ms = -1 };
    if (!delta_scan_object(s))
        return false;
    while (delta_scan_key(s, &key)) {
        char c = delta_scan_peek(s);
        bool number = c == '-' || (c >= '0' && c <= '9');

        if (tsf_str_eqz(key, "timestamp") && number)
            delta_scan_int(s, &out->timestamp_ms);
        else if (tsf_str_eqz(key, "inCommitTimestamp") && number)
            delta_scan_int(s, &out->in_commit_ms);
        else if (tsf_str_eqz(key, "txnId") && c == '"')
            delta_scan_string(s, &out->txn_id);
        else if (tsf_str_eqz(key, "operation") && c == '"')
            delta_scan_string(s, &out->operation);
        else if (tsf_str_eqz(key, "engineInfo") && c == '"')
            delta_scan_string(s, &out->engine);
        else if (tsf_str_eqz(key, "operationParameters"))
            delta_scan_raw(s, &out->operation_params);
        else if (tsf_str_eqz(key, "operationMetrics"))
            delta_scan_raw(s, &out->operation_metrics);
        else if (tsf_str_eqz(key, "isBlindAppend") && (c == 't' || c == 'f'))
            delta_scan_bool(s, &out->blind_append);
        else
            delta_scan_skip(s);
    }
    return !s->bad;
}

static bool sidecar_parse(struct delta_scan *s, struct delta_action *out)
{
    struct tsf_str key;

    if (!delta_scan_object(s))
        return false;
    while (delta_scan_key(s, &key)) {
        if (tsf_str_eqz(key, "path"))
            delta_scan_string(s, &out->sidecar.path);
        else if (tsf_str_eqz(key, "sizeInBytes"))
            opt_int(s, &out->sidecar.size);
        else
            delta_scan_skip(s);
    }
    return !s->bad;
}

/* ---- lines ---------------------------------------------------------------------------------------------------------- */

static enum delta_action_kind kind_of(struct tsf_str key)
{
    static const struct { const char *name; enum delta_action_kind kind; } kinds[] = {
        { "add", DELTA_ACTION_ADD }, { "remove", DELTA_ACTION_REMOVE }, { "metaData", DELTA_ACTION_METADATA },
        { "protocol", DELTA_ACTION_PROTOCOL }, { "txn", DELTA_ACTION_TXN }, { "commitInfo", DELTA_ACTION_COMMIT_INFO },
        { "domainMetadata", DELTA_ACTION_DOMAIN }, { "sidecar", DELTA_ACTION_SIDECAR },
        { "checkpointMetadata", DELTA_ACTION_CHECKPOINT_METADATA },
    };

    for (size_t i = 0; i < TSF_ARRAY_LEN(kinds); i++)
        if (tsf_str_eqz(key, kinds[i].name))
            return kinds[i].kind;
    return DELTA_ACTION_NONE;
}

static bool body_parse(struct delta_scan *s, struct delta_action *out)
{
    const char *start;
    bool ok;

    delta_scan_peek(s);
    start = s->p;
    switch (out->kind) {
    case DELTA_ACTION_ADD:
    case DELTA_ACTION_REMOVE: ok = file_parse(s, &out->file); break;
    case DELTA_ACTION_TXN: ok = txn_parse(s, &out->txn); break;
    case DELTA_ACTION_DOMAIN: ok = domain_parse(s, out); break;
    case DELTA_ACTION_COMMIT_INFO: ok = info_parse(s, &out->info); break;
    case DELTA_ACTION_SIDECAR: ok = sidecar_parse(s, out); break;
    default: ok = delta_scan_skip(s); break;
    }
    out->raw = tsf_str_n(start, (size_t)(s->p - start));
    return ok;
}

enum tsf_err delta_action_parse(struct tsf_str line, struct tsf_arena *a, struct delta_action *out, struct tsf_error *err)
{
    struct delta_scan s;
    struct tsf_str key;

    *out = (struct delta_action){ .kind = DELTA_ACTION_NONE };
    delta_scan_init(&s, line, a);
    if (!delta_scan_object(&s))
        return broken(&s, line, "an action", err);
    while (delta_scan_key(&s, &key)) {
        enum delta_action_kind kind = kind_of(key);

        if (kind == DELTA_ACTION_NONE || out->kind != DELTA_ACTION_NONE || delta_scan_peek(&s) == 'n') {
            delta_scan_skip(&s);
            continue;
        }
        out->kind = kind;
        if (!body_parse(&s, out))
            break;
    }
    if (s.bad || !delta_scan_end(&s))
        return broken(&s, line, "an action", err);
    if ((out->kind == DELTA_ACTION_ADD || out->kind == DELTA_ACTION_REMOVE) && out->file.raw_path.len == 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "%s action without a path", out->kind == DELTA_ACTION_ADD ? "add" : "remove");
    return TSF_OK;
}

static bool blank(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    return p == end;
}

enum tsf_err delta_lines_each(struct tsf_str text, const char *name, struct tsf_arena *a,
                              enum tsf_err (*fn)(void *ctx, const struct delta_action *act, struct tsf_error *err), void *ctx,
                              struct tsf_error *err)
{
    const char *p = text.data != NULL ? text.data : "", *end = p + text.len;
    int64_t line_no = 0;
    enum tsf_err rc;

    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl != NULL ? nl : end;
        struct delta_action act;

        line_no++;
        if (!blank(p, stop)) {
            tsf_arena_reset(a);
            if ((rc = delta_action_parse(tsf_str_n(p, (size_t)(stop - p)), a, &act, err)) != TSF_OK ||
                (rc = fn(ctx, &act, err)) != TSF_OK)
                return rc == TSF_END ? TSF_OK : tsf_prepend(err, rc, "%s line %lld", name, (long long)line_no);
        }
        p = stop + 1;
    }
    return TSF_OK;
}

/* ---- protocol, metaData ------------------------------------------------------------------------------------------------ */

/* ["a","b"] as NUL-terminated strings; null gives n = -1. */
static bool names_parse(struct delta_scan *s, const char ***out, int *n_out)
{
    const char **names = NULL;
    size_t n = 0, cap = 0;
    struct tsf_str v;

    *n_out = -1;
    if (delta_scan_null(s))
        return true;
    if (!delta_scan_array(s))
        return false;
    while (delta_scan_element(s)) {
        if (!delta_scan_string(s, &v))
            return false;
        if (n > 100000 || !tsf_arena_grow(s->arena, (void **)&names, &cap, n + 1, sizeof *names))
            s->bad = true;
        else
            names[n++] = keep(s, v);
    }
    *out = names;
    *n_out = (int)n;
    return !s->bad;
}

enum tsf_err delta_protocol_parse(struct tsf_str raw, struct tsf_arena *a, struct delta_protocol *out, struct tsf_error *err)
{
    int64_t reader = -1, writer = -1;
    struct delta_scan s;
    struct tsf_str key;

    *out = (struct delta_protocol){ .n_reader_features = -1, .n_writer_features = -1 };
    delta_scan_init(&s, raw, a);
    if (delta_scan_object(&s))
        while (delta_scan_key(&s, &key)) {
            if (tsf_str_eqz(key, "minReaderVersion"))
                delta_scan_int(&s, &reader);
            else if (tsf_str_eqz(key, "minWriterVersion"))
                delta_scan_int(&s, &writer);
            else if (tsf_str_eqz(key, "readerFeatures"))
                names_parse(&s, &out->reader_features, &out->n_reader_features);
            else if (tsf_str_eqz(key, "writerFeatures"))
                names_parse(&s, &out->writer_features, &out->n_writer_features);
            else
                delta_scan_skip(&s);
        }
    if (s.bad)
        return broken(&s, raw, "protocol", err);
    if (reader < 1 || writer < 1 || reader > INT32_MAX || writer > INT32_MAX)
        return tsf_fail(err, TSF_ERR_FORMAT, "protocol action without minReaderVersion and minWriterVersion");
    out->min_reader = (int)reader;
    out->min_writer = (int)writer;
    return TSF_OK;
}

struct metadata_text {
    struct tsf_str id, name, description, schema, provider;
    const char **partition;
    int n_partition, n_config;
    struct delta_pair *config;
    int64_t created_ms;
};

static void format_parse(struct delta_scan *s, struct metadata_text *t)
{
    struct tsf_str key;

    if (delta_scan_null(s) || !delta_scan_object(s))
        return;
    while (delta_scan_key(s, &key))
        (void)(tsf_str_eqz(key, "provider") ? opt_string(s, &t->provider) : delta_scan_skip(s));
}

static bool metadata_scan(struct delta_scan *s, struct metadata_text *t)
{
    struct tsf_str key;

    if (!delta_scan_object(s))
        return false;
    while (delta_scan_key(s, &key)) {
        if (tsf_str_eqz(key, "id"))
            opt_string(s, &t->id);
        else if (tsf_str_eqz(key, "name"))
            opt_string(s, &t->name);
        else if (tsf_str_eqz(key, "description"))
            opt_string(s, &t->description);
        else if (tsf_str_eqz(key, "format"))
            format_parse(s, t);
        else if (tsf_str_eqz(key, "schemaString"))
            opt_string(s, &t->schema);
        else if (tsf_str_eqz(key, "partitionColumns"))
            names_parse(s, &t->partition, &t->n_partition);
        else if (tsf_str_eqz(key, "configuration"))
            (void)(delta_scan_null(s) || delta_pairs_parse(s, &t->config, &t->n_config));
        else if (tsf_str_eqz(key, "createdTime"))
            opt_int(s, &t->created_ms);
        else
            delta_scan_skip(s);
    }
    return !s->bad;
}

static int pair_cmp(const void *a, const void *b)
{
    return tsf_str_cmp(((const struct delta_pair *)a)->key, ((const struct delta_pair *)b)->key);
}

static enum tsf_err metadata_config(const struct metadata_text *t, struct tsf_arena *a, struct delta_metadata *out, struct tsf_error *err)
{
    size_t n = (size_t)t->n_config;

    out->config_keys = tsf_arena_calloc(a, n + 1, sizeof *out->config_keys);
    out->config_values = tsf_arena_calloc(a, n + 1, sizeof *out->config_values);
    if (out->config_keys == NULL || out->config_values == NULL)
        return tsf_fail_nomem(err);
    if (n > 1)
        qsort(t->config, n, sizeof *t->config, pair_cmp);
    for (size_t i = 0; i < n; i++) {
        const struct delta_pair *p = &t->config[i];

        if (p->value.data == NULL)
            continue;
        out->config_keys[out->n_config] = tsf_arena_strndup(a, p->key.data, p->key.len);
        out->config_values[out->n_config] = tsf_arena_strndup(a, p->value.data, p->value.len);
        if (out->config_keys[out->n_config] == NULL || out->config_values[out->n_config] == NULL)
            return tsf_fail_nomem(err);
        out->n_config++;
    }
    return TSF_OK;
}

static const char *keep_or_null(struct tsf_arena *a, struct tsf_str s)
{
    return s.data != NULL ? tsf_arena_strndup(a, s.data, s.len) : NULL;
}

enum tsf_err delta_metadata_parse(struct tsf_str raw, struct tsf_arena *a, struct delta_metadata *out, struct tsf_error *err)
{
    struct metadata_text t = { .created_ms = -1 };
    struct delta_scan s;
    enum tsf_err rc;

    *out = (struct delta_metadata){ .created_ms = -1 };
    delta_scan_init(&s, raw, a);
    if (!metadata_scan(&s, &t))
        return broken(&s, raw, "metaData", err);
    if (t.schema.len == 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "metaData action without schemaString");
    if (t.provider.data != NULL && !tsf_str_eqz(t.provider, "parquet"))
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "data files of format \"%.*s\", not parquet", (int)TSF_MIN(t.provider.len, (size_t)40),
                        t.provider.data);
    if ((rc = tsf_schema_from_delta(t.schema, a, &out->schema, err)) != TSF_OK)
        return tsf_prepend(err, rc, "metaData.schemaString");
    out->id = tsf_arena_strndup(a, t.id.data != NULL ? t.id.data : "", t.id.len);
    out->name = keep_or_null(a, t.name);
    out->description = keep_or_null(a, t.description);
    out->schema_json = keep_or_null(a, t.schema);
    out->created_ms = t.created_ms;
    if (out->id == NULL || out->schema_json == NULL)
        return tsf_fail_nomem(err);
    out->n_partition = TSF_MAX(t.n_partition, 0);
    if ((out->partition_fields = tsf_arena_calloc(a, (size_t)out->n_partition + 1, sizeof *out->partition_fields)) == NULL)
        return tsf_fail_nomem(err);
    for (int i = 0; i < out->n_partition; i++)
        if ((out->partition_fields[i] = tsf_schema_find(&out->schema, tsf_str(t.partition[i]))) < 0)
            return tsf_fail(err, TSF_ERR_FORMAT, "partition column \"%.100s\" is not in the schema", t.partition[i]);
    return metadata_config(&t, a, out, err);
}

const char *delta_config_get(const struct delta_metadata *m, const char *key)
{
    for (int i = 0; i < m->n_config; i++)
        if (strcmp(m->config_keys[i], key) == 0)
            return m->config_values[i];
    return NULL;
}
