/*
 * A commit is the creation of _delta_log/<version>.json that fails when somebody else was first. Then what they did is
 * read, held against what we read and remove (the table below), and when nothing stands in the way the next version is
 * tried.
 *
 *   they did                        we lose when
 *   protocol, metaData              always: our files were made under the old ones
 *   txn of our application          always; when theirs is at or past ours the change is in already (DELTA_TXN_SEEN)
 *   remove of a file                we remove the same one, or read the whole table
 *   add of data (dataChange)        we read the whole table, unless theirs was a blind append and the table does not ask
 *                                   for delta.isolationLevel = Serializable
 *
 * So appends never conflict with appends or compactions, and two compactions only when they share a file.
 */
#include "delta/delta_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RETRIES_DEFAULT 15
#define BACKOFF_US 4000
#define BACKOFF_DOUBLINGS 6
#define CHECKPOINT_INTERVAL 10
#define FEATURES_MAX 64

/* ---- changes ------------------------------------------------------------------------------------------------ */

enum tsf_err delta_change_add(struct delta_change *c, const struct delta_add *add, struct tsf_error *err)
{
    if (!tsf_arena_grow(c->arena, (void **)&c->adds, &c->cap_adds, (size_t)c->n_adds + 1, sizeof *c->adds))
        return tsf_fail_nomem(err);
    c->adds[c->n_adds++] = *add;
    return TSF_OK;
}

static bool own(struct tsf_arena *a, struct tsf_str *s)
{
    if (s->len == 0)
        return true;
    s->data = tsf_arena_strndup(a, s->data, s->len);
    return s->data != NULL;
}

enum tsf_err delta_change_remove(struct delta_change *c, const struct delta_snapshot *s, int64_t i, bool data_change,
                                 struct tsf_error *err)
{
    const struct delta_metadata *m = &s->metadata;
    struct tsf_value *values;
    struct delta_remove r;
    struct delta_file f;
    enum tsf_err rc;

    if ((rc = delta_snapshot_file(s, i, c->arena, &f, err)) != TSF_OK)
        return rc;
    r = (struct delta_remove){ .path = f.path, .raw_path = f.raw_path, .size = f.size, .n_rows = f.n_rows, .tags = f.tags,
                               .stats = { NULL, 0 }, .dv = f.dv, .data_change = data_change };
    values = tsf_arena_memdup(c->arena, f.partition, ((size_t)m->n_partition + 1) * sizeof *values);
    if (values == NULL || !own(c->arena, &r.path) || !own(c->arena, &r.raw_path) || !own(c->arena, &r.tags) ||
        !own(c->arena, &r.dv.path_or_inline))
        return tsf_fail_nomem(err);
    for (int k = 0; k < m->n_partition; k++)
        if (!values[k].is_null && tsf_type_is_string(values[k].type) && !own(c->arena, &values[k].u.s))
            return tsf_fail_nomem(err);
    r.partition = values;
    if (!tsf_arena_grow(c->arena, (void **)&c->removes, &c->cap_removes, (size_t)c->n_removes + 1, sizeof *c->removes))
        return tsf_fail_nomem(err);
    c->removes[c->n_removes++] = r;
    return TSF_OK;
}

/* ---- creating --------------------------------------------------------------------------------------------------- */

static bool type_has_ntz(const struct tsf_type *t, int depth)
{
    bool has = t->id == TSF_TYPE_TIMESTAMP_NTZ;

    for (int i = 0; !has && depth < DELTA_JSON_DEPTH && i < t->n_children; i++)
        has = type_has_ntz(t->children[i].type, depth + 1);
    return has;
}

static bool schema_has_ntz(const struct tsf_schema *s)
{
    for (int i = 0; i < s->n_fields; i++)
        if (type_has_ntz(s->fields[i].type, 0))
            return true;
    return false;
}

static bool features_have(const char *const *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

/* Properties that turn on features we do not write must not get into a table that we make. */
static enum tsf_err config_check(const struct delta_create_options *o, struct tsf_error *err)
{
    static const char *const switches[] = { "delta.enableChangeDataFeed", "delta.enableRowTracking", "delta.enableDeletionVectors",
                                            "delta.enableInCommitTimestamps", "delta.enableTypeWidening", "delta.enableIcebergCompatV1",
                                            "delta.enableIcebergCompatV2" };

    for (int i = 0; i < o->n_config; i++) {
        const char *k = o->config_keys[i], *v = o->config_values[i];
        bool bad = strncmp(k, "delta.constraints.", 18) == 0 || strncmp(k, "delta.feature.", 14) == 0 ||
                   strcmp(k, "delta.minReaderVersion") == 0 || strcmp(k, "delta.minWriterVersion") == 0 ||
                   (strcmp(k, "delta.columnMapping.mode") == 0 && strcmp(v, "none") != 0) ||
                   (strcmp(k, "delta.checkpointPolicy") == 0 && strcmp(v, "classic") != 0) ||
                   (features_have(switches, TSF_ARRAY_LEN(switches), k) && strcasecmp(v, "true") == 0);

        if (bad)
            return tsf_fail(err, TSF_ERR_UNSUPPORTED, "table property %s = '%s' is not supported", k, v);
    }
    return TSF_OK;
}

static enum tsf_err partition_check(const struct delta_create_options *o, struct tsf_error *err)
{
    if (o->n_partition >= o->schema->n_fields)
        return tsf_fail(err, TSF_ERR_INVALID, "a table needs a column that it is not partitioned by");
    for (int k = 0; k < o->n_partition; k++) {
        const struct tsf_field *f = &o->schema->fields[o->partition_fields[k]];

        if (f->type->n_children > 0 || f->type->id == TSF_TYPE_NULL)
            return tsf_fail(err, TSF_ERR_INVALID, "cannot partition by column \"%s\"", f->name);
    }
    return TSF_OK;
}

enum tsf_err delta_create_table(struct store *store, const struct delta_create_options *o, struct tsf_error *err)
{
    static const char *const ntz_reader[] = { "timestampNtz" };
    static const char *const ntz_writer[] = { "timestampNtz", "appendOnly", "invariants" };
    struct delta_protocol protocol = { .min_reader = 1, .min_writer = 2, .n_reader_features = -1, .n_writer_features = -1 };
    struct delta_change change = { .operation = "CREATE TABLE", .read = DELTA_READ_NOTHING, .operation_metrics = "{}" };
    struct tsf_buf text = TSF_BUF_INIT(1 << 27);
    int64_t now_ms = tsf_now_us() / 1000;
    char key[DELTA_KEY_MAX], txn_id[37], id[37];
    bool exists = false;
    enum tsf_err rc;

    if ((rc = config_check(o, err)) != TSF_OK || (rc = partition_check(o, err)) != TSF_OK ||
        (rc = delta_table_exists(store, &exists, err)) != TSF_OK)
        return rc;
    if (exists)
        return tsf_fail(err, TSF_ERR_CONFLICT, "%s is a Delta table already", store->uri);
    if (schema_has_ntz(o->schema))
        protocol = (struct delta_protocol){ 3, 7, 1, 3, (const char **)(uintptr_t)ntz_reader, (const char **)(uintptr_t)ntz_writer };
    tsf_uuid4(txn_id);
    tsf_uuid4(id);
    delta_log_commit_key(0, key);
    if ((rc = delta_render_info(&change, txn_id, now_ms, -1, &text, err)) == TSF_OK &&
        (rc = delta_render_protocol(&protocol, &text, err)) == TSF_OK &&
        (rc = delta_render_metadata(o, id, now_ms, &text, err)) == TSF_OK)
        rc = store_put(store, key, text.data, text.len, true, err);
    tsf_buf_release(&text);
    return rc;
}

/* ---- rendering a commit ------------------------------------------------------------------------------------------ */

/* A schema that now has timestamp_ntz needs the feature in the protocol. */
static enum tsf_err render_upgrade(const struct delta_snapshot *s, const struct tsf_schema *schema, struct tsf_buf *out,
                                   struct tsf_error *err)
{
    const struct delta_protocol *p = &s->protocol;
    const char *reader[FEATURES_MAX], *writer[FEATURES_MAX];
    struct delta_protocol next = { .min_reader = 3, .min_writer = 7, .reader_features = reader, .writer_features = writer };

    if (!schema_has_ntz(schema) || features_have(p->reader_features, p->n_reader_features, "timestampNtz"))
        return TSF_OK;
    if (p->n_reader_features + 1 >= FEATURES_MAX || p->n_writer_features + 3 >= FEATURES_MAX)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "too many table features");
    for (int i = 0; i < p->n_reader_features; i++)
        reader[next.n_reader_features++] = p->reader_features[i];
    for (int i = 0; i < p->n_writer_features; i++)
        writer[next.n_writer_features++] = p->writer_features[i];
    if (p->n_writer_features < 0) {
        writer[next.n_writer_features++] = "appendOnly";
        writer[next.n_writer_features++] = "invariants";
    }
    reader[next.n_reader_features++] = writer[next.n_writer_features++] = "timestampNtz";
    return delta_render_protocol(&next, out, err);
}

static enum tsf_err render_commit(const struct delta_snapshot *s, const struct delta_change *c, const char *txn_id, int64_t now_ms,
                                  struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;

    tsf_buf_reset(out);
    if ((rc = delta_render_info(c, txn_id, now_ms, s->version, out, err)) != TSF_OK)
        return rc;
    if (c->app_id != NULL && (rc = delta_render_txn(c->app_id, c->txn_version, now_ms, out, err)) != TSF_OK)
        return rc;
    if (c->metadata != NULL && ((rc = render_upgrade(s, c->metadata->schema, out, err)) != TSF_OK ||
                                (rc = delta_render_metadata(c->metadata, s->metadata.id, s->metadata.created_ms >= 0 ?
                                                            s->metadata.created_ms : now_ms, out, err)) != TSF_OK))
        return rc;
    for (int64_t i = 0; i < c->n_removes; i++)
        if ((rc = delta_render_remove(&s->metadata, &c->removes[i], now_ms, out, err)) != TSF_OK)
            return rc;
    for (int64_t i = 0; i < c->n_adds; i++)
        if ((rc = delta_render_add(&s->metadata, &c->adds[i], out, err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

/* ---- conflicts -------------------------------------------------------------------------------------------------------- */

struct rival {
    const struct delta_change *change;
    const char *txn_id;
    bool serializable;
    bool ours, txn_seen, blind;
    struct tsf_arena arena;
    uint64_t *removes; /* sorted hashes of the paths that we remove */
    struct tsf_error lost; /* why we lose, when code is set */
    int64_t version;
};

static int u64_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static enum tsf_err rival_init(struct rival *r, const struct delta_snapshot *s, const struct delta_change *c, const char *txn_id,
                               struct tsf_error *err)
{
    const char *level = delta_config_get(&s->metadata, "delta.isolationLevel");

    *r = (struct rival){ .change = c, .txn_id = txn_id, .serializable = level != NULL && strcasecmp(level, "Serializable") == 0 };
    if ((r->removes = tsf_malloc_array((size_t)c->n_removes + 1, sizeof *r->removes)) == NULL)
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < c->n_removes; i++)
        r->removes[i] = tsf_hash(c->removes[i].path.data, c->removes[i].path.len, 0);
    qsort(r->removes, (size_t)c->n_removes, sizeof *r->removes, u64_cmp);
    return TSF_OK;
}

static void rival_release(struct rival *r)
{
    tsf_arena_release(&r->arena);
    free(r->removes);
}

static bool we_remove(const struct rival *r, struct tsf_str path)
{
    uint64_t h = tsf_hash(path.data, path.len, 0);

    if (bsearch(&h, r->removes, (size_t)r->change->n_removes, sizeof h, u64_cmp) == NULL)
        return false;
    for (int64_t i = 0; i < r->change->n_removes; i++)
        if (tsf_str_eq(r->change->removes[i].path, path))
            return true;
    return false;
}

static void lose(struct rival *r, const char *why)
{
    tsf_fail(&r->lost, TSF_ERR_CONFLICT, "commit conflict with version %lld: %s", (long long)r->version, why);
}

static enum tsf_err rival_remove(struct rival *r, const struct delta_action *act, struct tsf_error *err)
{
    struct tsf_str path;
    bool absolute;
    enum tsf_err rc;

    if ((rc = delta_path_decode(act->file.raw_path, &r->arena, &path, &absolute, err)) != TSF_OK)
        return rc;
    if (we_remove(r, path))
        lose(r, "a file that this commit removes was removed (concurrent delete)");
    else if (r->change->read == DELTA_READ_TABLE)
        lose(r, "a file that this commit read was removed (concurrent delete)");
    return TSF_OK;
}

static enum tsf_err rival_action(void *ctx, const struct delta_action *act, struct tsf_error *err)
{
    struct rival *r = ctx;

    switch (act->kind) {
    case DELTA_ACTION_COMMIT_INFO:
        r->ours |= tsf_str_eqz(act->info.txn_id, r->txn_id);
        r->blind = act->info.blind_append;
        return TSF_OK;
    case DELTA_ACTION_PROTOCOL: lose(r, "the protocol was changed"); return TSF_OK;
    case DELTA_ACTION_METADATA: lose(r, "the table's metadata was changed"); return TSF_OK;
    case DELTA_ACTION_TXN:
        if (r->change->app_id == NULL || strcmp(act->txn.app_id, r->change->app_id) != 0)
            return TSF_OK;
        r->txn_seen |= act->txn.version >= r->change->txn_version;
        lose(r, "the same application committed (concurrent transaction)");
        return TSF_OK;
    case DELTA_ACTION_REMOVE: return rival_remove(r, act, err);
    case DELTA_ACTION_ADD:
        if (r->change->read == DELTA_READ_TABLE && act->file.data_change && (r->serializable || !r->blind))
            lose(r, "data was added to what this commit read (concurrent append)");
        return TSF_OK;
    default: return TSF_OK;
    }
}

/* ---- committing --------------------------------------------------------------------------------------------------------- */

struct committer {
    struct delta_snapshot **s;
    struct store *store;
    const struct delta_change *change;
    struct rival rival;
    struct tsf_buf text; /* a rival's commit */
};

static enum tsf_err snapshot_step(struct delta_snapshot **s, struct tsf_str text, int64_t version, struct tsf_error *err)
{
    struct delta_mark mark = { version, 0, 0 };
    struct delta_snapshot *next;
    struct store_stat st;
    char key[DELTA_KEY_MAX];
    enum tsf_err rc;

    delta_log_commit_key(version, key);
    if ((rc = store_stat((*s)->state->store, key, &st, err)) != TSF_OK)
        return rc;
    mark.size = st.size;
    mark.modified_us = st.modified_us;
    if ((rc = delta_snapshot_apply(*s, text, version, &mark, &next, err)) != TSF_OK)
        return rc;
    delta_snapshot_free(*s);
    *s = next;
    return TSF_OK;
}

/*
 * Take in what others committed. TSF_END: one of them was us after all (an attempt that seemed to fail), or the txn is
 * there. CONFLICT: we lose; *s is caught up all the same.
 */
static enum tsf_err catch_up(struct committer *c, struct tsf_error *err)
{
    for (;;) {
        int64_t version = (*c->s)->version + 1;
        char key[DELTA_KEY_MAX];
        enum tsf_err rc;

        delta_log_commit_key(version, key);
        rc = store_get(c->store, key, DELTA_COMMIT_MAX, &c->text, NULL);
        if (rc == TSF_ERR_NOT_FOUND)
            break;
        if (rc != TSF_OK)
            return store_get(c->store, key, DELTA_COMMIT_MAX, &c->text, err);
        c->rival.version = version;
        c->rival.blind = false;
        if (!c->rival.ours &&
            (rc = delta_lines_each(tsf_buf_str(&c->text), key, &c->rival.arena, rival_action, &c->rival, err)) != TSF_OK)
            return rc;
        if ((rc = snapshot_step(c->s, tsf_buf_str(&c->text), version, err)) != TSF_OK)
            return rc;
        if (c->rival.ours)
            return TSF_END;
    }
    if (c->rival.txn_seen)
        return TSF_END;
    if (c->rival.lost.code != TSF_OK) {
        if (err != NULL && err->code == TSF_OK)
            *err = c->rival.lost;
        return c->rival.lost.code;
    }
    return TSF_OK;
}

static void back_off(int attempt)
{
    uint64_t random, limit = (uint64_t)BACKOFF_US << TSF_MIN(attempt, BACKOFF_DOUBLINGS);
    struct timespec ts = { 0 };

    tsf_random(&random, sizeof random);
    ts.tv_nsec = (long)(random % limit * 1000);
    (void)nanosleep(&ts, NULL);
}

static enum tsf_err change_check(const struct delta_snapshot *s, const struct delta_change *c, struct tsf_error *err)
{
    const char *append_only = delta_config_get(&s->metadata, "delta.appendOnly");
    enum tsf_err rc;

    if ((rc = delta_snapshot_writable(s, err)) != TSF_OK)
        return rc;
    if (append_only != NULL && strcasecmp(append_only, "true") == 0)
        for (int64_t i = 0; i < c->n_removes; i++)
            if (c->removes[i].data_change)
                return tsf_fail(err, TSF_ERR_INVALID, "the table is append-only (delta.appendOnly)");
    if (c->metadata != NULL && (rc = config_check(c->metadata, err)) != TSF_OK)
        return rc;
    return TSF_OK;
}

/* Where the application's txn stands in the snapshot: TSF_END when our change is in already. */
static enum tsf_err txn_check(const struct delta_snapshot *s, const struct delta_change *c, struct tsf_error *err)
{
    int64_t at;

    if (c->app_id == NULL)
        return TSF_OK;
    at = delta_snapshot_txn(s, c->app_id);
    if (at >= c->txn_version)
        return TSF_END;
    if (at != c->txn_from)
        return tsf_fail(err, TSF_ERR_CONFLICT, "commit conflict: application %s is at %lld in the table, not at %lld", c->app_id,
                        (long long)at, (long long)c->txn_from);
    return TSF_OK;
}

/* One try at the next version. CONFLICT quietly: somebody was first. */
static enum tsf_err attempt(struct committer *c, int64_t now_ms, struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(DELTA_COMMIT_MAX);
    int64_t version = (*c->s)->version + 1;
    struct tsf_error local = TSF_ERROR_INIT;
    char key[DELTA_KEY_MAX];
    enum tsf_err rc;

    delta_log_commit_key(version, key);
    if ((rc = render_commit(*c->s, c->change, c->rival.txn_id, now_ms, &text, err)) == TSF_OK) {
        rc = store_put(c->store, key, text.data, text.len, true, &local);
        if (rc == TSF_OK)
            rc = snapshot_step(c->s, tsf_buf_str(&text), version, err);
        else if (rc != TSF_ERR_CONFLICT && err != NULL && err->code == TSF_OK)
            *err = local;
    }
    tsf_buf_release(&text);
    return rc;
}

static void checkpoint_when_due(struct delta_snapshot *s)
{
    const char *text = delta_config_get(&s->metadata, "delta.checkpointInterval");
    struct tsf_error local = TSF_ERROR_INIT;
    int64_t interval;

    if (text == NULL || !tsf_int64_parse(tsf_str(text), &interval) || interval <= 0)
        interval = CHECKPOINT_INTERVAL;
    if (s->version == 0 || s->version % interval != 0)
        return;
    if (delta_checkpoint_write(s, &local) != TSF_OK)
        tsf_log(TSF_LOG_WARN, "no checkpoint of version %lld: %s", (long long)s->version, local.msg);
}

static enum tsf_err commit_loop(struct committer *c, int max_retries, struct delta_commit_result *out, struct tsf_error *err)
{
    enum tsf_err rc = txn_check(*c->s, c->change, err);

    for (int i = 0; rc == TSF_OK; i++) {
        int64_t now_ms = tsf_now_us() / 1000;

        out->retries = i;
        if ((rc = tsf_cancel_check(err)) != TSF_OK || (rc = attempt(c, now_ms, err)) != TSF_ERR_CONFLICT)
            break;
        if (i >= max_retries)
            return tsf_fail(err, TSF_ERR_CONFLICT, "commit lost the race for a version %d times", i + 1);
        if (i > 0)
            back_off(i);
        rc = catch_up(c, err);
    }
    if (rc == TSF_END) {
        out->outcome = c->rival.ours ? DELTA_COMMITTED : DELTA_TXN_SEEN;
        return TSF_OK;
    }
    return rc;
}

enum tsf_err delta_commit(struct delta_snapshot **s, const struct delta_change *change, const struct delta_commit_options *opts,
                          struct delta_commit_result *out, struct tsf_error *err)
{
    int max_retries = opts != NULL && opts->max_retries > 0 ? opts->max_retries : RETRIES_DEFAULT;
    struct committer c = { .s = s, .store = (*s)->state->store, .change = change, .text = TSF_BUF_INIT(DELTA_COMMIT_MAX + 16) };
    struct delta_commit_result result = { .outcome = DELTA_COMMITTED };
    char txn_id[37];
    enum tsf_err rc;

    tsf_uuid4(txn_id);
    if ((rc = change_check(*s, change, err)) != TSF_OK)
        return rc;
    if ((rc = rival_init(&c.rival, *s, change, txn_id, err)) == TSF_OK)
        rc = commit_loop(&c, max_retries, &result, err);
    rival_release(&c.rival);
    tsf_buf_release(&c.text);
    if (rc != TSF_OK)
        return rc;
    result.version = (*s)->version;
    result.timestamp_ms = (*s)->timestamp_ms;
    if (result.outcome == DELTA_COMMITTED) {
        if (opts == NULL || !opts->no_checkpoint)
            checkpoint_when_due(*s);
        delta_snapshot_cache_soon(*s);
    }
    *out = result;
    return TSF_OK;
}
