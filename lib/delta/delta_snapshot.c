/*
 * Where a snapshot comes from, cheapest first:
 *
 *   1. the cached blob of a version at or below the wanted one, when the commit file it ended with is still the same
 *      (size and time), plus the commits after it;
 *   2. the newest complete checkpoint at or below the version (_last_checkpoint says where to begin listing), plus the
 *      commits after it;
 *   3. all commits from 0.
 */
#include "delta/delta_internal.h"

#include <stdlib.h>

/* Cache a snapshot again when this share of it is new; a large blob is not worth writing for every commit. */
#define RECACHE_FILES_PER_COMMIT 256
#define LOAD_ATTEMPTS 3

static struct delta_state *state_of(const struct delta_snapshot *s)
{
    return s->state;
}

void delta_head_unref(struct delta_head *h)
{
    if (h == NULL || --h->refs > 0)
        return;
    tsf_arena_release(&h->arena);
    free(h);
}

void delta_snapshot_free(struct delta_snapshot *s)
{
    struct delta_state *st = s != NULL ? s->state : NULL;

    if (st == NULL)
        return;
    if (!st->files.borrowed)
        free((void *)(uintptr_t)st->arrays);
    delta_files_release(&st->files);
    delta_head_unref(st->head);
    tsf_arena_release(&st->arena);
    tsf_arena_release(&st->lazy);
    free(st);
}

/* ---- building ------------------------------------------------------------------------------------------- */

static enum tsf_err head_make(const struct delta_replay *r, struct delta_head **out, struct tsf_error *err)
{
    struct tsf_str protocol = r->protocol_raw.len > 0 ? r->protocol_raw : r->head != NULL ? r->head->protocol_raw : r->protocol_raw;
    struct tsf_str metadata = r->metadata_raw.len > 0 ? r->metadata_raw : r->head != NULL ? r->head->metadata_raw : r->metadata_raw;
    struct delta_head *h;
    enum tsf_err rc = TSF_OK;

    if (protocol.len == 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "the log has no protocol action");
    if ((h = calloc(1, sizeof *h)) == NULL)
        return tsf_fail_nomem(err);
    h->refs = 1;
    h->protocol_raw = tsf_str_n(tsf_arena_strndup(&h->arena, protocol.data, protocol.len), protocol.len);
    if (h->protocol_raw.data == NULL)
        rc = tsf_fail_nomem(err);
    if (rc == TSF_OK && (rc = delta_protocol_parse(h->protocol_raw, &h->arena, &h->protocol, err)) == TSF_OK)
        rc = delta_features_readable(&h->protocol, err);
    if (rc == TSF_OK && metadata.len == 0)
        rc = tsf_fail(err, TSF_ERR_FORMAT, "the log has no metaData action");
    if (rc == TSF_OK) {
        h->metadata_raw = tsf_str_n(tsf_arena_strndup(&h->arena, metadata.data, metadata.len), metadata.len);
        rc = h->metadata_raw.data == NULL ? tsf_fail_nomem(err) : delta_metadata_parse(h->metadata_raw, &h->arena, &h->metadata, err);
    }
    if (rc != TSF_OK)
        delta_head_unref(h);
    else
        *out = h;
    return rc;
}

static enum tsf_err rows_arrays(struct delta_state *st, struct tsf_error *err)
{
    size_t n = (size_t)st->snap.n_files;
    int64_t *a;

    if (st->files.borrowed) {
        st->arrays = delta_blob_arrays(st->files.heap->blob);
    } else {
        if ((a = tsf_malloc_array(n * 3 + 1, sizeof *a)) == NULL)
            return tsf_fail_nomem(err);
        for (size_t i = 0; i < n; i++) {
            a[i] = st->files.rows[i].size;
            a[n + i] = st->files.rows[i].time_ms;
            a[2 * n + i] = st->files.rows[i].n_rows;
        }
        st->arrays = a;
    }
    st->snap.size = st->arrays;
    st->snap.modified_ms = st->arrays + n;
    st->snap.n_rows = st->arrays + 2 * n;
    return TSF_OK;
}

static enum tsf_err lazy_slots(struct delta_state *st, struct tsf_error *err)
{
    const struct delta_metadata *m = &st->head->metadata;

    st->partition = tsf_arena_calloc(&st->lazy, (size_t)m->n_partition + 1, sizeof *st->partition);
    st->bounds = tsf_arena_calloc(&st->lazy, (size_t)m->schema.n_fields + 1, sizeof *st->bounds);
    return st->partition != NULL && st->bounds != NULL ? TSF_OK : tsf_fail_nomem(err);
}

enum tsf_err delta_snapshot_build(struct store *store, struct cache *cache, struct delta_replay *r, int64_t version,
                                  const struct delta_mark *mark, struct delta_snapshot **out, struct tsf_error *err)
{
    struct delta_state *st = calloc(1, sizeof *st);
    enum tsf_err rc = TSF_OK;

    if (st == NULL)
        return tsf_fail_nomem(err);
    st->store = store;
    st->cache = cache;
    st->mark = *mark;
    st->cached_version = -1;
    st->snap.state = st;
    if (r->head != NULL && r->protocol_raw.len == 0 && r->metadata_raw.len == 0) {
        st->head = r->head;
        r->head = NULL;
    } else if ((rc = head_make(r, &st->head, err)) != TSF_OK) {
        goto fail;
    }
    if (r->files.heap == NULL && (r->files.heap = delta_heap_new()) == NULL) {
        rc = tsf_fail_nomem(err);
        goto fail;
    }
    if (r->head != NULL && r->metadata_raw.len > 0)
        r->files.heap->blob = (struct tsf_str){ NULL, 0 }; /* its columns are of the old schema */
    st->files = r->files;
    r->files = (struct delta_files){ 0 };
    st->arena = r->arena;
    r->arena = (struct tsf_arena)TSF_ARENA_INIT;
    st->snap.version = version;
    st->snap.timestamp_ms = r->in_commit_ms >= 0 ? r->in_commit_ms : mark->version == version ? mark->modified_us / 1000 :
                            r->info_ms >= 0 ? r->info_ms : 0;
    st->snap.protocol = st->head->protocol;
    st->snap.metadata = st->head->metadata;
    st->snap.txns = r->txns;
    st->snap.n_txns = r->n_txns;
    st->snap.domains = r->domains;
    st->snap.n_domains = r->n_domains;
    st->snap.n_files = st->files.borrowed ? delta_files_live(&st->files) : delta_files_compact(&st->files);
    st->snap.n_removed = st->files.n - st->snap.n_files;
    st->snap.checkpoint_version = -1;
    if ((rc = rows_arrays(st, err)) != TSF_OK || (rc = lazy_slots(st, err)) != TSF_OK)
        goto fail;
    *out = &st->snap;
    return TSF_OK;
fail:
    delta_snapshot_free(&st->snap);
    return rc;
}

static enum tsf_err copy_small(const struct delta_snapshot *s, struct delta_replay *r, struct tsf_error *err)
{
    r->cap_txns = (size_t)s->n_txns;
    r->cap_domains = (size_t)s->n_domains;
    r->txns = tsf_arena_calloc(&r->arena, r->cap_txns + 1, sizeof *r->txns);
    r->domains = tsf_arena_calloc(&r->arena, r->cap_domains + 1, sizeof *r->domains);
    if (r->txns == NULL || r->domains == NULL)
        return tsf_fail_nomem(err);
    for (int i = 0; i < s->n_txns; i++) {
        r->txns[i] = s->txns[i];
        if ((r->txns[i].app_id = tsf_arena_strdup(&r->arena, s->txns[i].app_id)) == NULL)
            return tsf_fail_nomem(err);
    }
    for (int i = 0; i < s->n_domains; i++) {
        r->domains[i].domain = tsf_arena_strdup(&r->arena, s->domains[i].domain);
        r->domains[i].configuration = tsf_arena_strdup(&r->arena, s->domains[i].configuration);
        if (r->domains[i].domain == NULL || r->domains[i].configuration == NULL)
            return tsf_fail_nomem(err);
    }
    r->n_txns = s->n_txns;
    r->n_domains = s->n_domains;
    return TSF_OK;
}

enum tsf_err delta_snapshot_reopen(const struct delta_snapshot *s, struct delta_replay *r, struct tsf_error *err)
{
    struct delta_state *st = state_of(s);
    size_t n = (size_t)st->files.n;

    delta_replay_init(r);
    r->head = st->head;
    r->head->refs++;
    r->files.heap = st->files.heap;
    r->files.heap->refs++;
    if (n > 0) {
        if ((r->files.rows = tsf_malloc_array(n + n / 8 + 16, sizeof *r->files.rows)) == NULL)
            return tsf_fail_nomem(err);
        r->files.cap = n + n / 8 + 16;
        memcpy(r->files.rows, st->files.rows, n * sizeof *r->files.rows);
        r->files.n = st->files.n;
    }
    return copy_small(s, r, err);
}

enum tsf_err delta_snapshot_apply(const struct delta_snapshot *s, struct tsf_str commit, int64_t version, const struct delta_mark *mark,
                                  struct delta_snapshot **out, struct tsf_error *err)
{
    struct delta_state *st = state_of(s);
    struct delta_replay r;
    char key[DELTA_KEY_MAX];
    enum tsf_err rc;

    delta_log_commit_key(version, key);
    if ((rc = delta_snapshot_reopen(s, &r, err)) == TSF_OK && (rc = delta_replay_text(&r, commit, key, err)) == TSF_OK &&
        (rc = delta_snapshot_build(st->store, st->cache, &r, version, mark, out, err)) == TSF_OK) {
        state_of(*out)->cached_version = st->cached_version;
        (*out)->checkpoint_version = s->checkpoint_version;
        (*out)->from_cache = s->from_cache;
        (*out)->n_commits_read = 1;
    }
    delta_replay_release(&r);
    return rc;
}

/* ---- loading from the log --------------------------------------------------------------------------------- */

/* Replay commits first..last of the list, which must follow one another from version + 1. */
static enum tsf_err replay_commits(struct store *store, struct delta_replay *r, const struct delta_log_list *l, int64_t from,
                                   int64_t target, int *n_out, struct delta_mark *mark, struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(DELTA_COMMIT_MAX + 16);
    int64_t want = from;
    enum tsf_err rc = TSF_OK;

    for (size_t i = 0; i < l->n_commits && want <= target && rc == TSF_OK; i++) {
        const struct delta_log_commit *c = &l->commits[i];
        char key[DELTA_KEY_MAX];

        if (c->version < want)
            continue;
        if (c->version > want)
            break;
        delta_log_commit_key(want, key);
        if ((rc = tsf_cancel_check(err)) != TSF_OK || (rc = store_get(store, key, DELTA_COMMIT_MAX, &text, err)) != TSF_OK)
            break;
        rc = delta_replay_text(r, tsf_buf_str(&text), key, err);
        *mark = (struct delta_mark){ c->version, c->size, c->modified_us };
        (*n_out)++;
        want++;
    }
    if (rc == TSF_OK && want <= target)
        rc = tsf_fail(err, TSF_ERR_FORMAT, "the log has a gap: version %lld is missing", (long long)want);
    tsf_buf_release(&text);
    return rc;
}

static enum tsf_err no_version(const struct store *store, int64_t version, int64_t latest, struct tsf_error *err)
{
    return tsf_fail(err, TSF_ERR_NOT_FOUND, "%s has no version %lld: the newest is %lld", store->uri, (long long)version,
                    (long long)latest);
}

/* List what is needed for a version: from the checkpoint that the hint names, or everything. */
static enum tsf_err log_read(struct store *store, int64_t version, struct delta_log_list *l, struct tsf_error *err)
{
    int64_t hint = delta_log_last_checkpoint(store);
    size_t first, n;
    enum tsf_err rc;

    if (hint > 0 && (version < 0 || hint <= version)) {
        if ((rc = delta_log_list_read(store, hint, l, err)) != TSF_OK)
            return rc;
        if (delta_log_checkpoint_pick(l, version, &first, &n))
            return TSF_OK;
        delta_log_list_release(l); /* the hint is wrong */
    }
    return delta_log_list_read(store, 0, l, err);
}

static enum tsf_err load_log(struct store *store, struct cache *cache, int64_t version, struct delta_snapshot **out, struct tsf_error *err)
{
    struct delta_mark mark = { -1, 0, 0 };
    struct delta_log_list l = { 0 };
    int64_t latest, target, checkpoint = -1;
    struct delta_replay r;
    size_t first = 0, n = 0;
    int n_commits = 0;
    enum tsf_err rc;

    delta_replay_init(&r);
    if ((rc = log_read(store, version, &l, err)) != TSF_OK)
        goto done;
    if (l.n_commits == 0 && l.n_checkpoints == 0) {
        rc = tsf_fail(err, TSF_ERR_NOT_FOUND, "%s is not a Delta table: it has no _delta_log", store->uri);
        goto done;
    }
    latest = TSF_MAX(l.n_commits > 0 ? l.commits[l.n_commits - 1].version : -1,
                     l.n_checkpoints > 0 ? l.checkpoints[l.n_checkpoints - 1].version : -1);
    target = version < 0 ? latest : version;
    if (target > latest) {
        rc = no_version(store, version, latest, err);
        goto done;
    }
    if (delta_log_checkpoint_pick(&l, target, &first, &n)) {
        checkpoint = l.checkpoints[first].version;
        if ((rc = delta_checkpoint_read(store, &r, l.checkpoints + first, n, err)) != TSF_OK)
            goto done;
    } else if (version >= 0 && l.n_commits > 0 && l.commits[0].version > target) {
        rc = tsf_fail(err, TSF_ERR_NOT_FOUND, "%s has no version %lld any more: its log begins at %lld", store->uri, (long long)version,
                      (long long)l.commits[0].version);
        goto done;
    }
    for (size_t i = 0; i < l.n_commits; i++)
        if (l.commits[i].version == checkpoint)
            mark = (struct delta_mark){ checkpoint, l.commits[i].size, l.commits[i].modified_us };
    if ((rc = replay_commits(store, &r, &l, checkpoint + 1, target, &n_commits, &mark, err)) != TSF_OK ||
        (rc = delta_snapshot_build(store, cache, &r, target, &mark, out, err)) != TSF_OK)
        goto done;
    (*out)->checkpoint_version = checkpoint;
    (*out)->n_commits_read = n_commits;
done:
    delta_replay_release(&r);
    delta_log_list_release(&l);
    return rc;
}

/* ---- loading through the cache ------------------------------------------------------------------------------- */

/* Advance to target (-1 = latest) by the commits after s. *out NULL: s is current. NOT_FOUND quietly: begin afresh. */
static enum tsf_err advance(const struct delta_snapshot *s, int64_t target, struct delta_snapshot **out, struct tsf_error *err)
{
    struct delta_state *st = state_of(s);
    struct delta_log_list l = { 0 };
    struct delta_mark mark = st->mark;
    struct delta_replay r;
    bool same = false;
    int n_commits = 0;
    int64_t last;
    enum tsf_err rc;

    *out = NULL;
    delta_replay_init(&r);
    if (mark.version != s->version)
        return TSF_ERR_NOT_FOUND;
    if ((rc = delta_log_commits_after(st->store, &mark, &same, &l, err)) != TSF_OK)
        goto done;
    last = l.n_commits > 0 ? l.commits[l.n_commits - 1].version : s->version;
    if (!same) {
        rc = TSF_ERR_NOT_FOUND;
    } else if (target > last) {
        rc = TSF_ERR_INVALID; /* the log itself will say it in words */
    } else if (target == s->version || l.n_commits == 0) {
        rc = TSF_OK;
    } else if ((rc = delta_snapshot_reopen(s, &r, err)) == TSF_OK &&
               (rc = replay_commits(st->store, &r, &l, s->version + 1, target < 0 ? last : target, &n_commits, &mark, err)) == TSF_OK &&
               (rc = delta_snapshot_build(st->store, st->cache, &r, target < 0 ? last : target, &mark, out, err)) == TSF_OK) {
        state_of(*out)->cached_version = st->cached_version;
        (*out)->checkpoint_version = s->checkpoint_version;
        (*out)->from_cache = s->from_cache;
        (*out)->n_commits_read = n_commits;
    }
done:
    delta_replay_release(&r);
    delta_log_list_release(&l);
    return rc;
}

/* True when the cache had what is needed. Whatever is wrong with it, the log decides. */
static bool load_cached(struct store *store, struct cache *cache, int64_t version, struct delta_snapshot **out)
{
    struct cache_view view = CACHE_VIEW_INIT;
    struct delta_snapshot *s = NULL, *next;
    int64_t cached;
    enum tsf_err rc = TSF_OK;

    if (!cache_snapshot_get(cache, store->uri, version, &view, &cached))
        return false;
    if (delta_blob_decode(store, cache, &view, &s, NULL) != TSF_OK) {
        cache_view_release(&view);
        return false;
    }
    if (s->version == cached && (rc = advance(s, version, &next, NULL)) == TSF_OK) {
        if (next != NULL) {
            delta_snapshot_free(s);
            s = next;
        }
        *out = s;
        return true;
    }
    if (s->version != cached || rc == TSF_ERR_NOT_FOUND) { /* another table lives here now */
        delta_snapshot_free(s);
        cache_evict_table(cache, store->uri, NULL);
        return false;
    }
    delta_snapshot_free(s);
    return false;
}

void delta_snapshot_cache(struct delta_snapshot *s)
{
    struct delta_state *st = state_of(s);
    struct tsf_buf blob = TSF_BUF_INIT((size_t)1 << 31);

    if (st->cache == NULL || st->cached_version == s->version || st->mark.version != s->version)
        return;
    if (delta_blob_encode(s, &blob, NULL) == TSF_OK && cache_snapshot_put(st->cache, st->store->uri, s->version, tsf_buf_str(&blob)))
        st->cached_version = s->version;
    tsf_buf_release(&blob);
}

void delta_snapshot_cache_soon(struct delta_snapshot *s)
{
    int64_t behind = s->version - state_of(s)->cached_version;

    if (state_of(s)->cached_version < 0 || behind > s->n_files / RECACHE_FILES_PER_COMMIT)
        delta_snapshot_cache(s);
}

enum tsf_err delta_snapshot_load(struct store *store, struct cache *cache, int64_t version, struct delta_snapshot **out,
                                 struct tsf_error *err)
{
    struct delta_snapshot *s = NULL;
    struct tsf_error local;
    enum tsf_err rc = TSF_OK;

    if (cache != NULL && load_cached(store, cache, version, &s)) {
        if (version < 0)
            delta_snapshot_cache_soon(s);
        *out = s;
        return TSF_OK;
    }
    /* A cleanup may delete commits between the listing and the reading: then look again. */
    for (int i = 0; i < LOAD_ATTEMPTS; i++) {
        local = (struct tsf_error)TSF_ERROR_INIT;
        rc = load_log(store, cache, version, &s, &local);
        if (rc != TSF_ERR_NOT_FOUND || local.sys_errno == 0)
            break;
    }
    if (rc != TSF_OK) {
        if (err != NULL && err->code == TSF_OK)
            *err = local;
        return rc;
    }
    if (version < 0)
        delta_snapshot_cache_soon(s);
    *out = s;
    return TSF_OK;
}

enum tsf_err delta_snapshot_refresh(struct delta_snapshot **s, struct tsf_error *err)
{
    struct delta_state *st = state_of(*s);
    struct delta_snapshot *next = NULL;
    enum tsf_err rc = advance(*s, -1, &next, err);

    if (rc == TSF_ERR_NOT_FOUND)
        rc = load_log(st->store, st->cache, -1, &next, err);
    if (rc != TSF_OK || next == NULL)
        return rc;
    delta_snapshot_free(*s);
    *s = next;
    delta_snapshot_cache_soon(next);
    return TSF_OK;
}

enum tsf_err delta_snapshot_load_at(struct store *store, struct cache *cache, int64_t timestamp_ms, struct delta_snapshot **out,
                                    struct tsf_error *err)
{
    struct delta_log_list l = { 0 };
    int64_t version = -1, before = INT64_MIN;
    enum tsf_err rc = delta_log_list_read(store, 0, &l, err);

    /* File times may go backwards between writers; a version counts as no older than the one before it. */
    for (size_t i = 0; i < l.n_commits && rc == TSF_OK; i++) {
        before = TSF_MAX(before, l.commits[i].modified_us / 1000);
        if (before <= timestamp_ms)
            version = l.commits[i].version;
    }
    delta_log_list_release(&l);
    if (rc != TSF_OK)
        return rc;
    if (version < 0)
        return tsf_fail(err, TSF_ERR_NOT_FOUND, "%s has no version that old", store->uri);
    return delta_snapshot_load(store, cache, version, out, err);
}

struct exists {
    bool yes;
};

static enum tsf_err exists_item(void *ctx, const struct store_item *item, struct tsf_error *err)
{
    const char *name = item->key + sizeof DELTA_LOG_DIR - 1;

    (void)err;
    if (item->is_prefix || strnlen(name, 22) < 22 || strspn(name, "0123456789") != 20)
        return TSF_OK;
    ((struct exists *)ctx)->yes = true;
    return TSF_END;
}

enum tsf_err delta_table_exists(struct store *store, bool *exists_out, struct tsf_error *err)
{
    struct exists e = { false };
    enum tsf_err rc = store_list(store, DELTA_LOG_DIR, NULL, STORE_LIST_FLAT | STORE_LIST_NO_STAT, exists_item, &e, err);

    if (rc == TSF_OK)
        *exists_out = e.yes;
    return rc;
}

/* ---- lookups --------------------------------------------------------------------------------------------------- */

struct tsf_str delta_snapshot_path(const struct delta_snapshot *s, int64_t i)
{
    return delta_heap_get(state_of(s)->files.heap, state_of(s)->files.rows[i].path);
}

bool delta_snapshot_has_dv(const struct delta_snapshot *s, int64_t i)
{
    return state_of(s)->files.rows[i].dv.len > 0;
}

int64_t delta_snapshot_find(struct delta_snapshot *s, struct tsf_str path)
{
    return delta_files_find_path(&state_of(s)->files, path, NULL);
}

int64_t delta_snapshot_txn(const struct delta_snapshot *s, const char *app_id)
{
    for (int i = 0; i < s->n_txns; i++)
        if (strcmp(s->txns[i].app_id, app_id) == 0)
            return s->txns[i].version;
    return -1;
}

/* The text of a partition column in a row's pairs; data NULL: null or absent. */
static struct tsf_str pair_value(const struct delta_pair *pairs, int n, const struct tsf_field *f)
{
    const char *name = f->physical != NULL ? f->physical : f->name;

    for (int i = 0; i < n; i++)
        if (tsf_str_eqz(pairs[i].key, name))
            return pairs[i].value;
    for (int i = 0; i < n; i++)
        if (pairs[i].key.len == strlen(name) && strncasecmp(pairs[i].key.data, name, pairs[i].key.len) == 0)
            return pairs[i].value;
    return (struct tsf_str){ NULL, 0 };
}

static enum tsf_err row_partition(const struct delta_state *st, const struct delta_row *row, struct tsf_arena *a,
                                  const struct tsf_value **out, struct tsf_error *err)
{
    const struct delta_metadata *m = &st->head->metadata;
    struct delta_pair *pairs;
    struct tsf_value *values;
    int n;

    *out = NULL;
    if (!delta_partition_unpack(delta_heap_get(st->files.heap, row->partition), a, &pairs, &n))
        return tsf_fail(err, TSF_ERR_FORMAT, "damaged partition values");
    if ((values = tsf_arena_calloc(a, (size_t)m->n_partition + 1, sizeof *values)) == NULL)
        return tsf_fail_nomem(err);
    for (int k = 0; k < m->n_partition; k++) {
        const struct tsf_field *f = &m->schema.fields[m->partition_fields[k]];
        enum tsf_err rc = delta_partition_parse(pair_value(pairs, n, f), f->type, a, &values[k], err);

        if (rc != TSF_OK)
            return tsf_prepend(err, rc, "partition column \"%s\"", f->name);
    }
    *out = values;
    return TSF_OK;
}

static struct tsf_str tag_value(struct tsf_str tags, const char *name, struct tsf_arena *a)
{
    struct tsf_str key, value = { NULL, 0 };
    struct delta_scan s;

    if (tags.len == 0)
        return value;
    delta_scan_init(&s, tags, a);
    if (!delta_scan_object(&s))
        return value;
    while (delta_scan_key(&s, &key))
        (void)(tsf_str_eqz(key, name) && delta_scan_peek(&s) == '"' ? delta_scan_string(&s, &value) : delta_scan_skip(&s));
    return s.bad ? (struct tsf_str){ NULL, 0 } : value;
}

static enum tsf_err row_file(const struct delta_state *st, const struct delta_row *row, bool partition, struct tsf_arena *a,
                             struct delta_file *out, struct tsf_error *err)
{
    const struct delta_heap *h = st->files.heap;
    enum tsf_err rc;

    *out = (struct delta_file){
        .path = delta_heap_get(h, row->path),
        .raw_path = delta_heap_get(h, row->raw_path.len > 0 ? row->raw_path : row->path),
        .is_absolute = (row->flags & DELTA_ROW_ABSOLUTE) != 0,
        .data_change = (row->flags & DELTA_ROW_DATA_CHANGE) != 0,
        .size = row->size,
        .modified_ms = row->time_ms,
        .n_rows = row->n_rows,
        .footer_offset = row->footer_offset,
        .footer_length = row->footer_length,
        .stats = delta_heap_get(h, row->stats),
        .tags = delta_heap_get(h, row->tags),
    };
    out->clustering = tag_value(out->tags, DELTA_TAG_CLUSTERING, a);
    if ((rc = delta_dv_parse(delta_heap_get(h, row->dv), a, &out->dv, err)) != TSF_OK ||
        (partition && (rc = row_partition(st, row, a, &out->partition, err)) != TSF_OK))
        return tsf_prepend(err, rc, "%.*s", (int)TSF_MIN(out->path.len, (size_t)200), out->path.data);
    return TSF_OK;
}

enum tsf_err delta_snapshot_file(const struct delta_snapshot *s, int64_t i, struct tsf_arena *a, struct delta_file *out,
                                 struct tsf_error *err)
{
    return row_file(state_of(s), &state_of(s)->files.rows[i], true, a, out, err);
}

enum tsf_err delta_snapshot_removed(const struct delta_snapshot *s, int64_t i, struct tsf_arena *a, struct delta_file *out,
                                    int64_t *deleted_ms_out, struct tsf_error *err)
{
    const struct delta_row *row = &state_of(s)->files.rows[s->n_files + i];

    *deleted_ms_out = row->time_ms;
    return row_file(state_of(s), row, (row->flags & DELTA_ROW_PARTITION) != 0, a, out, err);
}

/* ---- partition columns --------------------------------------------------------------------------------------------- */

static enum tsf_err partition_column(struct delta_state *st, const struct tsf_field *f, struct tsf_builder *b, struct tsf_error *err)
{
    struct tsf_arena scratch = TSF_ARENA_INIT;
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; i < st->snap.n_files && rc == TSF_OK; i++) {
        struct delta_pair *pairs;
        struct tsf_value v;
        int n;

        tsf_arena_reset(&scratch);
        if (!delta_partition_unpack(delta_heap_get(st->files.heap, st->files.rows[i].partition), &scratch, &pairs, &n))
            rc = tsf_fail(err, TSF_ERR_FORMAT, "damaged partition values");
        else if ((rc = delta_partition_parse(pair_value(pairs, n, f), f->type, &scratch, &v, err)) == TSF_OK)
            rc = v.is_null ? tsf_builder_null(b, err) : tsf_builder_value(b, &v, err);
    }
    tsf_arena_release(&scratch);
    return rc == TSF_OK ? rc : tsf_prepend(err, rc, "partition column \"%s\"", f->name);
}

enum tsf_err delta_snapshot_partition(struct delta_snapshot *s, int k, const struct tsf_vector **out, struct tsf_error *err)
{
    struct delta_state *st = state_of(s);
    const struct tsf_field *f = &s->metadata.schema.fields[s->metadata.partition_fields[k]];
    struct tsf_arena scratch = TSF_ARENA_INIT;
    struct tsf_builder b;
    struct tsf_vector v;
    enum tsf_err rc;

    if (st->partition[k].type != NULL) {
        *out = &st->partition[k];
        return TSF_OK;
    }
    if ((rc = tsf_builder_init(&b, f->type, err)) != TSF_OK)
        return rc;
    if ((rc = tsf_builder_reserve(&b, s->n_files, err)) == TSF_OK && (rc = partition_column(st, f, &b, err)) == TSF_OK &&
        (rc = tsf_builder_vector(&b, &scratch, &v, err)) == TSF_OK &&
        (rc = tsf_vector_copy(&v, &st->lazy, &st->partition[k], err)) == TSF_OK)
        *out = &st->partition[k];
    tsf_builder_release(&b);
    tsf_arena_release(&scratch);
    return rc;
}
