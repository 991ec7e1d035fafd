/*
 * The metadata tier: one LMDB environment in <dir>/meta-v1, entries as in cache_internal.h.
 *
 * Commits sync the data before the meta page (MDB_NOMETASYNC), so kill -9 loses nothing and a power cut at most the last
 * transaction; the tree itself stays whole. Readers that died leave slots behind, which every writer clears.
 *
 * States of a struct cache: CLOSED (nothing tried yet) -> OPEN; or ABSENT (there is nothing to read: a put may still make
 * it); or DEAD (damaged, not permitted, other process after fork: all misses from here on).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cache/cache_guard.h"
#include "cache/cache_internal.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum cache_state { CACHE_CLOSED, CACHE_ABSENT, CACHE_OPEN, CACHE_DEAD };

struct touched {
    struct cache_key key;
    struct touched *next;
};

struct cache {
    char *dir;
    pthread_mutex_t lock; /* state and touched */
    enum cache_state state;
    bool read_only;
    pid_t pid;
    MDB_env *env;
    MDB_dbi dbi;
    struct touched *touched; /* entries whose time of use is worth writing down */
    struct cache_stats stats;
};

static void stat_add(int64_t *counter, int64_t n)
{
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static uint32_t now_s(void)
{
    return (uint32_t)(tsf_now_us() / TSF_US_PER_SEC);
}

/* ---- opening ------------------------------------------------------------------------------------------ */

struct cache *cache_open(const char *dir)
{
    struct cache *c = calloc(1, sizeof *c);

    if (c == NULL || (c->dir = strdup(dir)) == NULL || pthread_mutex_init(&c->lock, NULL) != 0) {
        if (c != NULL)
            free(c->dir);
        free(c);
        return NULL;
    }
    c->pid = getpid();
    return c;
}

/* A file that lost its end would kill us with SIGBUS on the first look at a page that is not there. */
static bool env_is_whole(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat st;
    struct stat file;
    mdb_filehandle_t fd;

    if (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &st) != 0 || mdb_env_get_fd(env, &fd) != 0 || fstat(fd, &file) != 0)
        return false;
    return (uint64_t)file.st_size >= (info.me_last_pgno + 1) * (uint64_t)st.ms_psize;
}

static void on_assert(MDB_env *env, const char *msg)
{
    (void)env;
    (void)msg;
    cache_guard_fault(); /* returns only outside of a guard; LMDB then aborts */
}

static int env_try(struct cache *c, const char *path, unsigned flags, size_t map_size)
{
    MDB_txn *txn = NULL;
    int rc;

    if ((rc = mdb_env_create(&c->env)) != 0)
        return rc;
    mdb_env_set_assert(c->env, on_assert);
    mdb_env_set_mapsize(c->env, map_size);
    mdb_env_set_maxreaders(c->env, 1022);
    if ((rc = mdb_env_open(c->env, path, flags | MDB_NOTLS | MDB_NOMETASYNC | MDB_NORDAHEAD, 0600)) == 0 && !env_is_whole(c->env))
        rc = MDB_CORRUPTED;
    if (rc == 0 && (rc = mdb_txn_begin(c->env, NULL, MDB_RDONLY, &txn)) == MDB_READERS_FULL) {
        int dead;

        mdb_reader_check(c->env, &dead);
        rc = mdb_txn_begin(c->env, NULL, MDB_RDONLY, &txn);
    }
    if (rc == 0)
        rc = mdb_dbi_open(txn, NULL, 0, &c->dbi);
    if (txn != NULL)
        mdb_txn_abort(txn);
    if (rc != 0) {
        mdb_env_close(c->env);
        c->env = NULL;
    }
    return rc;
}

static int env_open(struct cache *c, const char *path)
{
    /* Address space only. Smaller where a limit forbids it. */
    static const size_t map_sizes[] = { (size_t)1 << 36, (size_t)1 << 32, (size_t)1 << 28 };
    int rc = ENOMEM;

    for (size_t i = 0; i < TSF_ARRAY_LEN(map_sizes) && rc == ENOMEM; i++) {
        c->read_only = false;
        rc = env_try(c, path, 0, map_sizes[i]);
        if (rc == EACCES || rc == EROFS || rc == EPERM) {
            c->read_only = true;
            rc = env_try(c, path, MDB_RDONLY, map_sizes[i]);
        }
    }
    return rc;
}

/* Damaged beyond reading: begin a new one. Whoever has the old one open keeps it. */
static int env_replace(struct cache *c, const char *path)
{
    char file[4096];
    static const char *const names[] = { "data.mdb", "lock.mdb" };

    tsf_log(TSF_LOG_INFO, "cache %s is damaged: starting it afresh", path);
    stat_add(&c->stats.damaged, 1);
    for (size_t i = 0; i < TSF_ARRAY_LEN(names); i++)
        if (snprintf(file, sizeof file, "%s/%s", path, names[i]) < (int)sizeof file)
            (void)unlink(file);
    return env_open(c, path);
}

/* Is the environment usable now? create: make it when it is not there. */
static bool cache_ready(struct cache *c, bool create)
{
    char path[4096], data[4160];
    bool ready;
    int rc;

    if (c == NULL)
        return false;
    if (c->pid != getpid())
        return false; /* the environment belongs to the parent */
    pthread_mutex_lock(&c->lock);
    if (c->state == CACHE_CLOSED || (c->state == CACHE_ABSENT && create)) {
        if (snprintf(path, sizeof path, "%s/" CACHE_FORMAT_DIR, c->dir) >= (int)sizeof path) {
            c->state = CACHE_DEAD;
            goto done;
        }
        snprintf(data, sizeof data, "%s/data.mdb", path);
        if (!create && access(data, F_OK) != 0) {
            c->state = CACHE_ABSENT;
            goto done;
        }
        if (create && tsf_mkdirs(path, NULL) != TSF_OK) {
            c->state = CACHE_DEAD;
            goto done;
        }
        rc = env_open(c, path);
        if (rc == MDB_CORRUPTED || rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH || rc == MDB_PAGE_NOTFOUND)
            rc = env_replace(c, path);
        if (rc != 0)
            tsf_log(TSF_LOG_INFO, "cache %s is of no use: %s", path, mdb_strerror(rc));
        c->state = rc == 0 ? CACHE_OPEN : CACHE_DEAD;
    }
done:
    ready = c->state == CACHE_OPEN && !(create && c->read_only);
    pthread_mutex_unlock(&c->lock);
    return ready;
}

/* ---- transactions ----------------------------------------------------------------------------------------- */

static MDB_txn *read_begin(struct cache *c)
{
    MDB_txn *txn = NULL;
    int dead, rc = mdb_txn_begin(c->env, NULL, MDB_RDONLY, &txn);

    if (rc == MDB_READERS_FULL && mdb_reader_check(c->env, &dead) == 0)
        rc = mdb_txn_begin(c->env, NULL, MDB_RDONLY, &txn);
    return rc == 0 ? txn : NULL;
}

static MDB_txn *write_begin(struct cache *c)
{
    MDB_txn *txn = NULL;
    int dead;

    mdb_reader_check(c->env, &dead);
    return mdb_txn_begin(c->env, NULL, 0, &txn) == 0 ? txn : NULL;
}

static MDB_val key_val(const struct cache_key *k)
{
    return (MDB_val){ k->len, (void *)(uintptr_t)k->bytes };
}

static bool key_has_prefix(const MDB_val *key, const struct cache_key *prefix)
{
    return key->mv_size >= prefix->len && memcmp(key->mv_data, prefix->bytes, prefix->len) == 0;
}

static bool entry_put(struct cache *c, MDB_txn *txn, const struct cache_key *key, const struct cache_entry *e)
{
    MDB_val k = key_val(key), v = { cache_entry_size(e), NULL };

    if (e->uri.len > UINT32_MAX / 4 || e->path.len > UINT32_MAX / 4 || v.mv_size > UINT32_MAX / 2)
        return false;
    if (mdb_put(txn, c->dbi, &k, &v, MDB_RESERVE) != 0)
        return false;
    cache_entry_write(e, v.mv_data);
    return true;
}

/* Remember that an entry was used, at most once per half TTL per entry, written down when the cache is freed. */
static void entry_touch(struct cache *c, MDB_txn *txn, const struct cache_key *key, uint32_t put_s)
{
    struct cache_key used;
    struct touched *t;
    MDB_val k, v;
    uint32_t last = put_s, now = now_s();

    if (c->read_only || now <= last || now - last < CACHE_TTL_S / 2)
        return;
    cache_key_used(&used, key->bytes, key->len);
    k = key_val(&used);
    if (mdb_get(txn, c->dbi, &k, &v) == 0 && v.mv_size == 4)
        last = TSF_MAX(last, tsf_le32_get(v.mv_data));
    if (now <= last || now - last < CACHE_TTL_S / 2 || (t = malloc(sizeof *t)) == NULL)
        return;
    t->key = used;
    pthread_mutex_lock(&c->lock);
    t->next = c->touched;
    c->touched = t;
    pthread_mutex_unlock(&c->lock);
}

static void touched_write(struct cache *c)
{
    MDB_txn *txn = c->touched != NULL && cache_ready(c, true) ? write_begin(c) : NULL;
    uint8_t now[4];

    tsf_le32_put(now, now_s());
    for (struct touched *t = c->touched, *next; t != NULL; t = next) {
        MDB_val k = key_val(&t->key), v = { 4, now };

        next = t->next;
        if (txn != NULL && mdb_put(txn, c->dbi, &k, &v, 0) != 0) {
            mdb_txn_abort(txn);
            txn = NULL;
        }
        free(t);
    }
    c->touched = NULL;
    if (txn != NULL)
        (void)mdb_txn_commit(txn);
}

void cache_free(struct cache *c)
{
    if (c == NULL)
        return;
    if (c->pid == getpid()) {
        touched_write(c);
        if (c->env != NULL)
            mdb_env_close(c->env);
    }
    pthread_mutex_destroy(&c->lock);
    free(c->dir);
    free(c);
}

/* ---- footers -------------------------------------------------------------------------------------------------- */

static bool footer_find(struct cache *c, MDB_txn *txn, const char *table_uri, struct tsf_str path, int64_t file_size, bool verify,
                        struct cache_key *key, struct cache_entry *out)
{
    MDB_val k, v;

    cache_key_footer(key, table_uri, path, file_size);
    k = key_val(key);
    if (mdb_get(txn, c->dbi, &k, &v) != 0)
        return false;
    if (!cache_entry_read(v.mv_data, v.mv_size, verify, out)) {
        stat_add(&c->stats.damaged, 1);
        return false;
    }
    return tsf_str_eqz(out->uri, table_uri) && tsf_str_eq(out->path, path);
}

static bool footer_get(struct cache *c, const char *table_uri, struct tsf_str path, int64_t file_size, struct tsf_arena *a,
                      struct tsf_str *footer_out)
{
    struct cache_entry e;
    struct cache_key key;
    MDB_txn *txn;
    void *copy = NULL;

    if (c == NULL)
        return false;
    if (cache_ready(c, false) && (txn = read_begin(c)) != NULL) {
        if (footer_find(c, txn, table_uri, path, file_size, true, &key, &e) &&
            (copy = tsf_arena_memdup(a, e.data.data, e.data.len)) != NULL) {
            *footer_out = tsf_str_n(copy, e.data.len);
            entry_touch(c, txn, &key, e.put_s);
        }
        mdb_txn_abort(txn);
    }
    stat_add(copy != NULL ? &c->stats.footer_hits : &c->stats.footer_misses, 1);
    return copy != NULL;
}

static bool footer_has(struct cache *c, const char *table_uri, struct tsf_str path, int64_t file_size)
{
    struct cache_entry e;
    struct cache_key key;
    MDB_txn *txn;
    bool has;

    if (!cache_ready(c, false) || (txn = read_begin(c)) == NULL)
        return false;
    has = footer_find(c, txn, table_uri, path, file_size, false, &key, &e);
    mdb_txn_abort(txn);
    return has;
}

static int64_t footers_put(struct cache *c, const char *table_uri, const struct cache_footer *footers, int64_t n)
{
    MDB_txn *txn;

    if (n == 0 || !cache_ready(c, true) || (txn = write_begin(c)) == NULL)
        return 0;
    for (int64_t i = 0; i < n; i++) {
        struct cache_entry e = { tsf_str(table_uri), footers[i].path, footers[i].footer, now_s() };
        struct cache_key key;

        cache_key_footer(&key, table_uri, footers[i].path, footers[i].file_size);
        if (!entry_put(c, txn, &key, &e)) { /* full: all or nothing */
            mdb_txn_abort(txn);
            return 0;
        }
    }
    if (mdb_txn_commit(txn) != 0)
        return 0;
    stat_add(&c->stats.puts, n);
    return n;
}

/* ---- snapshots ---------------------------------------------------------------------------------------------------- */

/* Newest snapshot entry of a table at or below max_version. */
static bool snapshot_seek(MDB_cursor *cur, const char *table_uri, int64_t max_version, MDB_val *k, MDB_val *v)
{
    struct cache_key key, prefix;

    cache_key_prefix(&prefix, 'S', table_uri, (struct tsf_str){ NULL, 0 });
    cache_key_snapshot(&key, table_uri, max_version < 0 ? INT64_MAX : max_version);
    *k = key_val(&key);
    if (mdb_cursor_get(cur, k, v, MDB_SET_RANGE) != 0) {
        if (mdb_cursor_get(cur, k, v, MDB_LAST) != 0)
            return false;
    } else if (k->mv_size != key.len || memcmp(k->mv_data, key.bytes, key.len) != 0) {
        if (mdb_cursor_get(cur, k, v, MDB_PREV) != 0)
            return false;
    }
    return key_has_prefix(k, &prefix) && k->mv_size == key.len;
}

static bool snapshot_view(struct cache *c, MDB_txn *txn, const char *table_uri, int64_t max_version, struct cache_view *out,
                          int64_t *version_out)
{
    struct cache_entry e;
    struct cache_key key;
    MDB_cursor *cur;
    MDB_val k, v;
    bool found;

    if (mdb_cursor_open(txn, c->dbi, &cur) != 0)
        return false;
    found = snapshot_seek(cur, table_uri, max_version, &k, &v);
    mdb_cursor_close(cur);
    if (!found)
        return false;
    if (!cache_entry_read(v.mv_data, v.mv_size, true, &e)) {
        stat_add(&c->stats.damaged, 1);
        return false;
    }
    if (!tsf_str_eqz(e.uri, table_uri))
        return false;
    *out = (struct cache_view){ .data = e.data };
    if (((uintptr_t)e.data.data & 7) != 0) { /* small values lie where they fit */
        if ((out->copy = malloc(e.data.len + 1)) == NULL)
            return false;
        memcpy(out->copy, e.data.data, e.data.len);
        out->data.data = out->copy;
    }
    out->txn = txn;
    *version_out = cache_key_version(k.mv_data);
    cache_key_snapshot(&key, table_uri, *version_out);
    entry_touch(c, txn, &key, e.put_s);
    return true;
}

static bool snapshot_get(struct cache *c, const char *table_uri, int64_t max_version, struct cache_view *view_out,
                        int64_t *version_out)
{
    bool hit = false;
    MDB_txn *txn;

    if (c == NULL)
        return false;
    if (cache_ready(c, false) && (txn = read_begin(c)) != NULL) {
        hit = snapshot_view(c, txn, table_uri, max_version, view_out, version_out);
        if (!hit)
            mdb_txn_abort(txn);
    }
    stat_add(hit ? &c->stats.snapshot_hits : &c->stats.snapshot_misses, 1);
    return hit;
}

void cache_view_release(struct cache_view *v)
{
    if (v->txn != NULL)
        mdb_txn_abort(v->txn);
    free(v->copy);
    *v = (struct cache_view)CACHE_VIEW_INIT;
}

static bool snapshot_put(struct cache *c, const char *table_uri, int64_t version, struct tsf_str blob)
{
    struct cache_entry e = { tsf_str(table_uri), { NULL, 0 }, blob, now_s() };
    struct cache_key key;
    MDB_cursor *cur;
    MDB_txn *txn;
    MDB_val k, v;

    if (!cache_ready(c, true) || (txn = write_begin(c)) == NULL)
        return false;
    if (mdb_cursor_open(txn, c->dbi, &cur) != 0)
        goto fail;
    while (snapshot_seek(cur, table_uri, -1, &k, &v))
        if (cache_key_version(k.mv_data) > version || mdb_cursor_del(cur, 0) != 0) {
            mdb_cursor_close(cur);
            goto fail;
        }
    mdb_cursor_close(cur);
    cache_key_snapshot(&key, table_uri, version);
    if (!entry_put(c, txn, &key, &e))
        goto fail;
    if (mdb_txn_commit(txn) != 0)
        return false;
    stat_add(&c->stats.puts, 1);
    return true;
fail:
    mdb_txn_abort(txn);
    return false;
}

/* ---- eviction -------------------------------------------------------------------------------------------------------- */

/* Delete all keys with a prefix, and what is known of their use. */
static int64_t prefix_del(struct cache *c, MDB_txn *txn, const struct cache_key *prefix, int64_t *bytes)
{
    MDB_val k = key_val(prefix), v;
    MDB_cursor *cur;
    int64_t n = 0;

    if (mdb_cursor_open(txn, c->dbi, &cur) != 0)
        return 0;
    while (mdb_cursor_get(cur, &k, &v, MDB_SET_RANGE) == 0 && key_has_prefix(&k, prefix)) {
        struct cache_key used;
        MDB_val used_key;

        cache_key_used(&used, k.mv_data, k.mv_size);
        *bytes += (int64_t)v.mv_size;
        if (mdb_cursor_del(cur, 0) != 0)
            break;
        n++;
        used_key = key_val(&used);
        (void)mdb_del(txn, c->dbi, &used_key, NULL);
        k = key_val(prefix);
    }
    mdb_cursor_close(cur);
    return n;
}

static int64_t evict_end(struct cache *c, MDB_txn *txn, int64_t n, int64_t bytes, int64_t *bytes_out)
{
    if (n == 0)
        mdb_txn_abort(txn);
    else if (mdb_txn_commit(txn) != 0)
        n = bytes = 0;
    stat_add(&c->stats.evictions, n);
    if (bytes_out != NULL)
        *bytes_out = bytes;
    return n;
}

static int64_t evict_files(struct cache *c, const char *table_uri, const struct tsf_str *paths, int64_t n, int64_t *bytes_out)
{
    int64_t dropped = 0, bytes = 0;
    MDB_txn *txn;

    if (bytes_out != NULL)
        *bytes_out = 0;
    if (!cache_ready(c, false) || c->read_only || (txn = write_begin(c)) == NULL)
        return 0;
    for (int64_t i = 0; i < n; i++) {
        struct cache_key prefix;

        cache_key_prefix(&prefix, 'F', table_uri, paths[i].data != NULL ? paths[i] : tsf_str(""));
        dropped += prefix_del(c, txn, &prefix, &bytes);
    }
    return evict_end(c, txn, dropped, bytes, bytes_out);
}

static int64_t evict_table(struct cache *c, const char *table_uri, int64_t *bytes_out)
{
    int64_t dropped = 0, bytes = 0;
    MDB_txn *txn;

    if (bytes_out != NULL)
        *bytes_out = 0;
    if (!cache_ready(c, false) || c->read_only || (txn = write_begin(c)) == NULL)
        return 0;
    for (const char *kind = "FS"; *kind != '\0'; kind++) {
        struct cache_key prefix;

        cache_key_prefix(&prefix, *kind, table_uri, (struct tsf_str){ NULL, 0 });
        dropped += prefix_del(c, txn, &prefix, &bytes);
    }
    return evict_end(c, txn, dropped, bytes, bytes_out);
}

struct aged {
    struct cache_key key;
    uint32_t used_s;
    int64_t bytes;
};

static int aged_cmp(const void *a, const void *b)
{
    const struct aged *x = a, *y = b;

    return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

static uint32_t used_of(struct cache *c, MDB_txn *txn, const MDB_val *key, uint32_t put_s)
{
    struct cache_key used;
    MDB_val k, v;

    cache_key_used(&used, key->mv_data, key->mv_size);
    k = key_val(&used);
    return mdb_get(txn, c->dbi, &k, &v) == 0 && v.mv_size == 4 ? TSF_MAX(put_s, tsf_le32_get(v.mv_data)) : put_s;
}

/* Every footer and snapshot entry; damaged ones as used at 0. Stops when fn says false. */
static void each_entry(struct cache *c, MDB_txn *txn,
                       bool (*fn)(void *ctx, const MDB_val *k, const struct cache_entry *e, int64_t bytes, uint32_t used_s), void *ctx)
{
    MDB_val k, v;
    MDB_cursor *cur;
    int rc;

    if (mdb_cursor_open(txn, c->dbi, &cur) != 0)
        return;
    for (rc = mdb_cursor_get(cur, &k, &v, MDB_FIRST); rc == 0; rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) {
        struct cache_entry e = { .put_s = 0 };
        char kind = k.mv_size > 0 ? *(const char *)k.mv_data : 0;

        if (kind == 'U')
            break; /* sorts last */
        if (!cache_entry_read(v.mv_data, v.mv_size, false, &e))
            e = (struct cache_entry){ .put_s = 0 };
        if (!fn(ctx, &k, &e, (int64_t)v.mv_size, used_of(c, txn, &k, e.put_s)))
            break;
    }
    mdb_cursor_close(cur);
}

struct trim {
    struct aged *list;
    size_t n, cap;
    int64_t bytes;
};

static bool trim_collect(void *ctx, const MDB_val *k, const struct cache_entry *e, int64_t bytes, uint32_t used_s)
{
    struct trim *t = ctx;

    (void)e;
    if (k->mv_size > CACHE_KEY_MAX || !tsf_realloc_array((void **)&t->list, &t->cap, t->n + 1, sizeof *t->list))
        return false;
    t->list[t->n] = (struct aged){ .used_s = used_s, .bytes = bytes };
    memcpy(t->list[t->n].key.bytes, k->mv_data, k->mv_size);
    t->list[t->n].key.len = k->mv_size;
    t->bytes += bytes;
    t->n++;
    return true;
}

static int64_t trim(struct cache *c, int64_t before_us, int64_t max_bytes, int64_t *bytes_out)
{
    struct trim t = { 0 };
    int64_t dropped = 0, bytes = 0;
    MDB_txn *txn;

    if (bytes_out != NULL)
        *bytes_out = 0;
    if (!cache_ready(c, false) || c->read_only || (txn = write_begin(c)) == NULL)
        return 0;
    each_entry(c, txn, trim_collect, &t);
    if (t.n > 1)
        qsort(t.list, t.n, sizeof *t.list, aged_cmp);
    for (size_t i = 0; i < t.n; i++) {
        if ((int64_t)t.list[i].used_s * TSF_US_PER_SEC >= before_us && (max_bytes < 0 || t.bytes - bytes <= max_bytes))
            break;
        dropped += prefix_del(c, txn, &t.list[i].key, &bytes);
    }
    free(t.list);
    return evict_end(c, txn, dropped, bytes, bytes_out);
}

/* ---- statistics --------------------------------------------------------------------------------------------------------- */

static bool stats_count(void *ctx, const MDB_val *k, const struct cache_entry *e, int64_t bytes, uint32_t used_s)
{
    struct cache_stats *st = ctx;

    (void)k, (void)e, (void)used_s;
    st->entries++;
    st->bytes += bytes;
    return true;
}

static void stats_get(struct cache *c, struct cache_stats *out)
{
    MDB_txn *txn;

    *out = c != NULL ? c->stats : (struct cache_stats){ 0 };
    out->usable = cache_ready(c, false);
    if (!out->usable || (txn = read_begin(c)) == NULL)
        return;
    each_entry(c, txn, stats_count, out);
    mdb_txn_abort(txn);
}

struct each {
    bool (*fn)(void *ctx, const char *kind, struct tsf_str table_uri, struct tsf_str path, int64_t bytes, int64_t used_us);
    void *ctx;
    const char *table_uri;
};

static bool each_forward(void *ctx, const MDB_val *k, const struct cache_entry *e, int64_t bytes, uint32_t used_s)
{
    struct each *each = ctx;

    if (e->uri.data == NULL || (each->table_uri != NULL && !tsf_str_eqz(e->uri, each->table_uri)))
        return true;
    return each->fn(each->ctx, *(const char *)k->mv_data == 'F' ? "footer" : "snapshot", e->uri, e->path, bytes,
                    (int64_t)used_s * TSF_US_PER_SEC);
}

static void entries_each(struct cache *c, const char *table_uri,
                        bool (*fn)(void *ctx, const char *kind, struct tsf_str uri, struct tsf_str path, int64_t bytes,
                                   int64_t used_us),
                        void *ctx)
{
    struct each each = { fn, ctx, table_uri };
    MDB_txn *txn;

    if (!cache_ready(c, false) || (txn = read_begin(c)) == NULL)
        return;
    each_entry(c, txn, each_forward, &each);
    mdb_txn_abort(txn);
}

/* ---- the room's functions, guarded against damage that LMDB follows -------------------------------------------------- */

/* LMDB trusts its pages: a damaged one may lead it out of the file. That ends the cache, never the process. */
static void poison(struct cache *c)
{
    static const char *const names[] = { "data.mdb", "lock.mdb" };
    char file[4160];

    tsf_log(TSF_LOG_INFO, "cache %s is damaged: the next process starts it afresh", c->dir);
    stat_add(&c->stats.damaged, 1);
    c->state = CACHE_DEAD; /* the environment is left as it is: closing it would touch it again */
    c->env = NULL;
    pthread_mutex_init(&c->lock, NULL); /* the fault may have come while it was held */
    for (size_t i = 0; i < TSF_ARRAY_LEN(names); i++)
        if (snprintf(file, sizeof file, "%s/" CACHE_FORMAT_DIR "/%s", c->dir, names[i]) < (int)sizeof file)
            (void)unlink(file);
}

#define CACHE_GUARDED(c, call)                                                                                         \
    do {                                                                                                               \
        struct cache_guard guard;                                                                                      \
        if (c == NULL) {                                                                                               \
            call;                                                                                                      \
        } else if (cache_guard_enter(&guard), sigsetjmp(guard.env, 1) == 0) {                                          \
            call;                                                                                                      \
            cache_guard_leave(&guard);                                                                                 \
        } else {                                                                                                       \
            cache_guard_leave(&guard);                                                                                 \
            poison(c);                                                                                                 \
        }                                                                                                              \
    } while (0)

bool cache_footer_get(struct cache *c, const char *table_uri, struct tsf_str path, int64_t file_size, struct tsf_arena *a,
                      struct tsf_str *footer_out)
{
    volatile bool r = false;

    CACHE_GUARDED(c, r = footer_get(c, table_uri, path, file_size, a, footer_out));
    return r;
}

bool cache_footer_has(struct cache *c, const char *table_uri, struct tsf_str path, int64_t file_size)
{
    volatile bool r = false;

    CACHE_GUARDED(c, r = footer_has(c, table_uri, path, file_size));
    return r;
}

int64_t cache_footers_put(struct cache *c, const char *table_uri, const struct cache_footer *footers, int64_t n)
{
    volatile int64_t r = 0;

    CACHE_GUARDED(c, r = footers_put(c, table_uri, footers, n));
    return r;
}

bool cache_snapshot_get(struct cache *c, const char *table_uri, int64_t max_version, struct cache_view *view_out,
                        int64_t *version_out)
{
    volatile bool r = false;

    CACHE_GUARDED(c, r = snapshot_get(c, table_uri, max_version, view_out, version_out));
    return r;
}

bool cache_snapshot_put(struct cache *c, const char *table_uri, int64_t version, struct tsf_str blob)
{
    volatile bool r = false;

    CACHE_GUARDED(c, r = snapshot_put(c, table_uri, version, blob));
    return r;
}

int64_t cache_evict_files(struct cache *c, const char *table_uri, const struct tsf_str *paths, int64_t n, int64_t *bytes_out)
{
    volatile int64_t r = 0;

    CACHE_GUARDED(c, r = evict_files(c, table_uri, paths, n, bytes_out));
    return r;
}

int64_t cache_evict_table(struct cache *c, const char *table_uri, int64_t *bytes_out)
{
    volatile int64_t r = 0;

    CACHE_GUARDED(c, r = evict_table(c, table_uri, bytes_out));
    return r;
}

int64_t cache_trim(struct cache *c, int64_t before_us, int64_t max_bytes, int64_t *bytes_out)
{
    volatile int64_t r = 0;

    CACHE_GUARDED(c, r = trim(c, before_us, max_bytes, bytes_out));
    return r;
}

void cache_stats_get(struct cache *c, struct cache_stats *out)
{
    memset(out, 0, sizeof *out);
    CACHE_GUARDED(c, stats_get(c, out));
}

void cache_entries_each(struct cache *c, const char *table_uri,
                        bool (*fn)(void *ctx, const char *kind, struct tsf_str uri, struct tsf_str path, int64_t bytes,
                                   int64_t used_us),
                        void *ctx)
{
    CACHE_GUARDED(c, entries_each(c, table_uri, fn, ctx));
}
