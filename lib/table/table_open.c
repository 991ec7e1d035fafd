/* Opening, creating, dropping, listing. */
#include "table/table_internal.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * A table is the folder that it lies in, and its WAL topic goes by the last part of the folder's path and what is before
 * it. So rows land in one WAL whether the table was given by name, by a path, or through a link.
 */
struct resolved {
    char *warehouse, *name, *uri;
};

static void resolved_release(struct resolved *r)
{
    free(r->warehouse);
    free(r->name);
    free(r->uri);
    *r = (struct resolved){ 0 };
}

static bool name_ok(const char *name)
{
    return name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, "_delta_log") != 0;
}

static enum tsf_err resolve(const struct table_env *env, const char *name, struct resolved *out, struct tsf_error *err)
{
    struct resolved r = { 0 };
    char *path = NULL;

    if (!name || !name[0])
        return tsf_fail(err, TSF_ERR_INVALID, "a table needs a name");
    if (!strchr(name, '/')) {
        if (!name_ok(name))
            return tsf_fail(err, TSF_ERR_INVALID, "\"%s\" cannot be the name of a table", name);
        size_t n = strlen(env->warehouse) + strlen(name) + 2;
        if ((path = malloc(n)))
            snprintf(path, n, "%s/%s", env->warehouse, name);
        name = path;
    }
    if (name && (r.uri = table_canonical_path(name))) {
        const char *slash = strrchr(r.uri, '/');
        r.name = strdup(slash + 1);
        r.warehouse = strndup(r.uri, (size_t)(slash - r.uri));
        if (r.name && !name_ok(r.name)) {
            enum tsf_err rc = tsf_fail(err, TSF_ERR_INVALID, "\"%s\" cannot be the name of a table", name);
            resolved_release(&r);
            free(path);
            return rc;
        }
    }
    free(path);
    if (!r.uri || !r.name || !r.warehouse) {
        resolved_release(&r);
        return tsf_fail_nomem(err);
    }
    *out = r;
    return TSF_OK;
}

static enum tsf_err adopt_snapshot(struct table *t, struct tsf_error *err)
{
    t->schema = &t->snapshot->metadata.schema;
    t->n_partition = t->snapshot->metadata.n_partition;
    t->partition_fields = t->snapshot->metadata.partition_fields;
    enum tsf_err rc = table_props_load(t, err);
    return rc == TSF_OK ? rc : tsf_prepend(err, rc, "table %s", t->name);
}

static enum tsf_err open_wal(struct table *t, const struct resolved *r, int flags, struct tsf_error *err)
{
    struct wal_options opts = { .create = flags & TABLE_WAL_CREATE };
    struct tsf_error e = TSF_ERROR_INIT;
    enum tsf_err rc;

    rc = wal_topic_open(t->env->data_dir, r->warehouse, r->name, &opts, &t->wal, &e);
    if (rc == TSF_ERR_NOT_FOUND && !opts.create)
        return TSF_OK;
    if (rc == TSF_OK && (flags & TABLE_TAIL))
        rc = wal_view_open(t->wal, &t->tail, &e);
    if (rc != TSF_OK && err)
        *err = e;
    return rc;
}

enum tsf_err table_open(struct table_env *env, const char *name, int flags, int64_t version, struct table **out, struct tsf_error *err)
{
    struct table *t = calloc(1, sizeof *t);
    struct resolved r = { 0 };
    bool exists = false;
    enum tsf_err rc;

    if (!t)
        return tsf_fail_nomem(err);
    t->env = env;
    if ((rc = resolve(env, name, &r, err)) != TSF_OK)
        goto done;
    t->name = r.name;
    t->uri = r.uri;
    r.name = r.uri = NULL;
    if ((rc = store_open(t->uri, &t->store, err)) != TSF_OK)
        goto done;
    r.name = t->name; /* borrowed for open_wal */
    /* A topic is only made for a table that is there, so that a typo leaves nothing behind. */
    if (flags & TABLE_WAL_CREATE) {
        if ((rc = delta_table_exists(t->store, &exists, err)) != TSF_OK)
            goto done;
        if (!exists) {
            tsf_hint(err, "create it first: tsf-query -f share/tsf/schemas/NAME.sql, or tsf-query 'CREATE TABLE ...'");
            rc = tsf_fail(err, TSF_ERR_NOT_FOUND, "table %s does not exist (no Delta table at %s)", t->name, t->uri);
            goto done;
        }
    }
    if (((flags & TABLE_TAIL) || (flags & TABLE_WAL_CREATE)) && (rc = open_wal(t, &r, flags, err)) != TSF_OK)
        goto done;
    if ((rc = delta_snapshot_load(t->store, env->cache, version, &t->snapshot, err)) != TSF_OK) {
        if (rc == TSF_ERR_NOT_FOUND && version < 0)
            tsf_hint(err, "tables are looked up in %.80s (TSF_WAREHOUSE)", env->warehouse);
        tsf_prepend(err, rc, "table %s", t->name);
        goto done;
    }
    if ((rc = adopt_snapshot(t, err)) != TSF_OK)
        goto done;
    if (t->wal && (flags & TABLE_WAL_CREATE) && version < 0 &&
        (rc = wal_topic_advance(t->wal, delta_snapshot_txn(t->snapshot, wal_topic_app_id(t->wal)), err)) != TSF_OK)
        goto done;
    if (t->tail) {
        int64_t seen = delta_snapshot_txn(t->snapshot, wal_topic_app_id(t->wal));
        t->flushed_lsn = TSF_MAX(seen, 0);
        rc = wal_view_index(t->tail, t->flushed_lsn, false, &t->n_tail, &t->damage, err);
    }
    if (rc == TSF_OK) {
        *out = t;
        t = NULL;
    }
done:
    r.name = NULL;
    resolved_release(&r);
    table_close(t);
    return rc;
}

void table_close(struct table *t)
{
    if (!t)
        return;
    wal_view_free(t->tail);
    wal_topic_free(t->wal);
    delta_snapshot_free(t->snapshot);
    store_free(t->store);
    tsf_arena_release(&t->arena);
    free(t->name);
    free(t->uri);
    free(t);
}

enum tsf_err table_refresh(struct table *t, struct tsf_error *err)
{
    enum tsf_err rc = delta_snapshot_refresh(&t->snapshot, err);

    return rc == TSF_OK ? adopt_snapshot(t, err) : rc;
}

/* ---- creating, dropping ------------------------------------------------------------------------------------- */

enum tsf_err table_create(struct table_env *env, const char *name, const struct table_create_options *opts, bool *created_out,
                          struct tsf_error *err)
{
    struct delta_create_options d = { .schema = opts->schema, .n_partition = opts->n_partition,
                                      .partition_fields = opts->partition_fields, .n_config = opts->n_config,
                                      .config_keys = opts->config_keys, .config_values = opts->config_values };
    struct resolved r = { 0 };
    struct store *store = NULL;
    struct tsf_error e = TSF_ERROR_INIT;
    enum tsf_err rc;

    if ((rc = resolve(env, name, &r, err)) != TSF_OK || (rc = table_props_check(opts, err)) != TSF_OK ||
        (rc = store_open(r.uri, &store, err)) != TSF_OK)
        goto done;
    d.name = r.name;
    rc = delta_create_table(store, &d, &e);
    if (rc == TSF_ERR_CONFLICT && opts->if_not_exists) {
        *created_out = false;
        rc = TSF_OK;
    } else if (rc == TSF_OK) {
        *created_out = true;
    } else if (err) {
        *err = e;
    }
done:
    store_free(store);
    resolved_release(&r);
    return rc;
}

struct key_list {
    struct tsf_arena arena;
    char **keys;
    size_t n, cap;
};

static enum tsf_err collect_key(void *ctx, const struct store_item *item, struct tsf_error *err)
{
    struct key_list *l = ctx;

    if (!tsf_arena_grow(&l->arena, (void **)&l->keys, &l->cap, l->n + 1, sizeof *l->keys) ||
        !(l->keys[l->n] = tsf_arena_strdup(&l->arena, item->key)))
        return tsf_fail_nomem(err);
    l->n++;
    return TSF_OK;
}

/* The log goes first: a crash then leaves files that belong to no table, never a table without its files. */
static enum tsf_err delete_all(struct store *store, struct tsf_error *err)
{
    static const char *const prefixes[] = { "_delta_log/", "" };
    enum tsf_err rc = TSF_OK;

    for (size_t i = 0; rc == TSF_OK && i < TSF_ARRAY_LEN(prefixes); i++) {
        struct key_list l = { 0 };
        if ((rc = store_list(store, prefixes[i], NULL, STORE_LIST_NO_STAT | STORE_LIST_TEMP, collect_key, &l, err)) == TSF_OK && l.n)
            rc = store_delete(store, (const char *const *)l.keys, (int64_t)l.n, err);
        tsf_arena_release(&l.arena);
    }
    return rc;
}

enum tsf_err table_drop(struct table_env *env, const char *name, struct tsf_error *err)
{
    struct resolved r = { 0 };
    struct store *store = NULL;
    bool exists;
    enum tsf_err rc;

    if ((rc = resolve(env, name, &r, err)) != TSF_OK || (rc = store_open(r.uri, &store, err)) != TSF_OK ||
        (rc = delta_table_exists(store, &exists, err)) != TSF_OK)
        goto done;
    if (!exists) {
        rc = tsf_fail(err, TSF_ERR_NOT_FOUND, "table %s does not exist", r.name);
        goto done;
    }
    if ((rc = wal_topic_drop(env->data_dir, r.warehouse, r.name, err)) != TSF_OK || (rc = delete_all(store, err)) != TSF_OK)
        goto done;
    cache_evict_table(env->cache, store->uri, NULL);
done:
    store_free(store);
    resolved_release(&r);
    return rc;
}

/* ---- listing ---------------------------------------------------------------------------------------------------- */

static enum tsf_err collect_folder(void *ctx, const struct store_item *item, struct tsf_error *err)
{
    return item->is_prefix ? collect_key(ctx, item, err) : TSF_OK;
}

enum tsf_err table_list(struct table_env *env, enum tsf_err (*fn)(void *ctx, const char *name, struct tsf_error *err), void *ctx,
                        struct tsf_error *err)
{
    struct key_list l = { 0 };
    struct store *warehouse = NULL, *store = NULL;
    struct resolved r = { 0 };
    bool exists;
    enum tsf_err rc;

    if ((rc = store_open(env->warehouse, &warehouse, err)) != TSF_OK ||
        (rc = store_list(warehouse, "", NULL, STORE_LIST_FLAT | STORE_LIST_NO_STAT, collect_folder, &l, err)) != TSF_OK)
        goto done;
    for (size_t i = 0; i < l.n; i++) {
        char *name = l.keys[i];
        name[strlen(name) - 1] = 0; /* the slash */
        if (!name_ok(name))
            continue;
        if ((rc = resolve(env, name, &r, err)) != TSF_OK || (rc = store_open(r.uri, &store, err)) != TSF_OK ||
            (rc = delta_table_exists(store, &exists, err)) != TSF_OK || (exists && (rc = fn(ctx, name, err)) != TSF_OK))
            goto done;
        store_free(store);
        store = NULL;
        resolved_release(&r);
    }
done:
    store_free(store);
    store_free(warehouse);
    resolved_release(&r);
    tsf_arena_release(&l.arena);
    return rc;
}
