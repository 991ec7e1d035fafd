/* Topics: where they are, who they belong to, and the state that appenders share. */
#include "wal/wal_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <stdatomic.h>
#include <unistd.h>

/*
 * The mapped state. Writers hold the append lock and write the slot that is not current, then make it current, so a kill
 * at any instruction leaves a whole slot. synced_* has its own lock (sync.lock); its end only grows within a segment.
 */
struct slot {
    struct wal_state s;
    uint64_t sum;
};
struct wal_state_file {
    _Atomic uint32_t current; /* 0 or 1 */
    uint32_t pad;
    struct slot slots[2];
    uint8_t synced_segment[16];
    _Atomic int64_t synced_end;
};

static uint64_t boot_hash(void)
{
    static _Atomic uint64_t cached;
    uint64_t h = cached;

    if (h)
        return h;
    char id[64] = { 0 };
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, id, sizeof id) : -1;
    if (fd >= 0)
        close(fd);
    /* Without a boot id the state is never believed across processes: every open scans. */
    if (n <= 0)
        tsf_random(id, sizeof id);
    h = tsf_hash(id, sizeof id, 1) | 1;
    cached = h;
    return h;
}

enum tsf_err wal_topic_path(const struct wal_topic *t, const char *name, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;

    tsf_buf_reset(out);
    if ((rc = tsf_buf_printf(out, err, "%s/%s", t->dir, name)) != TSF_OK)
        return rc;
    return tsf_buf_cstr(out) ? TSF_OK : tsf_fail_nomem(err);
}

enum tsf_err wal_topic_lock(const struct wal_topic *t, struct tsf_lock *l, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(8192);
    enum tsf_err rc;

    if ((rc = wal_topic_path(t, "lock", &path, err)) == TSF_OK)
        rc = tsf_lock_take(l, (const char *)path.data, false, t->lock_wait_ms, err);
    tsf_buf_release(&path);
    return rc;
}

/* ---- identity ------------------------------------------------------------------------------------------ */

static enum tsf_err topic_dir(const char *data_dir, const char *warehouse, const char *table, struct tsf_buf *out,
                              struct tsf_error *err)
{
    struct tsf_buf key = TSF_BUF_INIT(1 << 16);
    uint8_t hash[16];
    char hex[33];
    enum tsf_err rc;

    /* NUL between the names, so that ("a", "bc") and ("ab", "c") differ. */
    if ((rc = tsf_buf_append(&key, warehouse, strlen(warehouse) + 1, err)) != TSF_OK ||
        (rc = tsf_buf_append(&key, table, strlen(table), err)) != TSF_OK)
        goto done;
    tsf_hash128(key.data, key.len, hash);
    tsf_hex(hash, sizeof hash, hex);
    if ((rc = tsf_buf_printf(out, err, "%s/wal/%s", data_dir, hex)) == TSF_OK && !tsf_buf_cstr(out))
        rc = tsf_fail_nomem(err);
done:
    tsf_buf_release(&key);
    return rc;
}

static enum tsf_err identity_write(const char *path, const char *warehouse, const char *table, struct tsf_error *err)
{
    char uuid[37];
    enum tsf_err rc;

    tsf_uuid4(uuid);
    json_t *o = json_pack("{s:i, s:s, s:s, s:s}", "tsf_wal", 1, "id", uuid, "warehouse", warehouse, "table", table);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (!text)
        return tsf_fail(err, TSF_ERR_INVALID, "table name is not UTF-8");
    rc = tsf_file_write(path, text, strlen(text), TSF_PUBLISH_NEW, err);
    free(text);
    return rc;
}

static enum tsf_err identity_parse(struct tsf_str text, json_t **out, struct tsf_error *err)
{
    json_error_t je;
    json_t *o = json_loadb(text.data, text.len, 0, &je);
    const char *id = json_string_value(json_object_get(o, "id"));

    if (!o || !json_is_string(json_object_get(o, "warehouse")) || !json_is_string(json_object_get(o, "table")) ||
        !id || strlen(id) != 36) {
        json_decref(o);
        return tsf_fail(err, TSF_ERR_FORMAT, "WAL topic: file \"topic\" is damaged");
    }
    if (json_integer_value(json_object_get(o, "tsf_wal")) != 1) {
        json_decref(o);
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "WAL topic was written by a newer tsf");
    }
    *out = o;
    return TSF_OK;
}

static enum tsf_err identity_check(struct wal_topic *t, json_t *o, struct tsf_error *err)
{
    const char *w = json_string_value(json_object_get(o, "warehouse"));
    const char *n = json_string_value(json_object_get(o, "table"));
    const char *id = json_string_value(json_object_get(o, "id"));
    char hex[33];
    size_t k = 0;

    if (strcmp(w, t->warehouse) != 0 || strcmp(n, t->table) != 0)
        return tsf_fail(err, TSF_ERR_INVALID, "WAL topic %s belongs to table %s of %s, not to %s of %s", t->dir, n, w,
                        t->table, t->warehouse);
    for (const char *c = id; *c && k < 32; c++)
        if (*c != '-')
            hex[k++] = *c;
    if (k != 32 || !tsf_unhex(tsf_str_n(hex, 32), t->id))
        return tsf_fail(err, TSF_ERR_FORMAT, "WAL topic %s: damaged id", t->dir);
    size_t n_app = strlen("tsf-wal-") + 37;
    if (!(t->app_id = malloc(n_app)))
        return tsf_fail_nomem(err);
    snprintf(t->app_id, n_app, "tsf-wal-%s", id);
    return TSF_OK;
}

/*
 * A topic without an identity: new, or a DROP TABLE that was killed half-way. What the latter left is of no table any more, and
 * must not be taken for the new table's. It is set aside rather than deleted, in case it was the identity that got lost.
 */
static enum tsf_err identity_create(struct wal_topic *t, const char *path, struct tsf_error *err)
{
    struct tsf_buf from = TSF_BUF_INIT(8192), to = TSF_BUF_INIT(8192);
    struct wal_segment_list l = { 0 };
    struct tsf_lock lock = TSF_LOCK_INIT;
    char name[64];
    enum tsf_err rc;

    if ((rc = wal_topic_lock(t, &lock, err)) != TSF_OK)
        goto done;
    if (access(path, F_OK) == 0) /* another writer made it just now */
        goto done;
    if ((rc = wal_segments_list(t, &l, err)) != TSF_OK)
        goto done;
    for (int i = 0; i < l.n; i++) {
        snprintf(name, sizeof name, "%s.orphan", l.files[i].name);
        if ((rc = wal_topic_path(t, l.files[i].name, &from, err)) != TSF_OK || (rc = wal_topic_path(t, name, &to, err)) != TSF_OK)
            goto done;
        if ((rc = tsf_file_move((const char *)from.data, (const char *)to.data, err)) != TSF_OK)
            goto done;
        tsf_log(TSF_LOG_WARN, "%s: left by a dropped table; set aside as %s", (const char *)from.data, name);
    }
    static const char *const stale[] = { "floor", "state" };
    for (size_t i = 0; i < TSF_ARRAY_LEN(stale); i++) {
        if ((rc = wal_topic_path(t, stale[i], &from, err)) != TSF_OK)
            goto done;
        if (unlink((const char *)from.data) != 0 && errno != ENOENT) {
            rc = tsf_fail_errno(err, "%s", (const char *)from.data);
            goto done;
        }
    }
    rc = identity_write(path, t->warehouse, t->table, err);
done:
    tsf_lock_release(&lock);
    wal_segments_release(&l);
    tsf_buf_release(&from);
    tsf_buf_release(&to);
    return rc;
}

static enum tsf_err identity_load(struct wal_topic *t, bool create, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(8192), text = TSF_BUF_INIT(1 << 16);
    struct tsf_error quiet = TSF_ERROR_INIT;
    json_t *o = NULL;
    enum tsf_err rc;

    if ((rc = wal_topic_path(t, "topic", &path, err)) != TSF_OK)
        goto done;
    rc = tsf_file_read((const char *)path.data, 1 << 16, &text, &quiet);
    if (rc == TSF_ERR_NOT_FOUND && create) {
        if ((rc = identity_create(t, (const char *)path.data, err)) != TSF_OK)
            goto done;
        rc = tsf_file_read((const char *)path.data, 1 << 16, &text, err);
    } else if (rc != TSF_OK && err) {
        *err = quiet;
    }
    if (rc != TSF_OK)
        goto done;
    if ((rc = identity_parse(tsf_buf_str(&text), &o, err)) != TSF_OK)
        goto done;
    rc = identity_check(t, o, err);
done:
    json_decref(o);
    tsf_buf_release(&path);
    tsf_buf_release(&text);
    return rc;
}

static enum tsf_err state_map(struct wal_topic *t, bool create, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(8192);
    enum tsf_err rc;
    struct stat st;
    int fd = -1;

    if ((rc = wal_topic_path(t, "state", &path, err)) != TSF_OK)
        goto done;
    fd = open((const char *)path.data, (create ? O_CREAT : 0) | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        /* A reader without the right to write, or before the first append: it scans instead. */
        if (create)
            rc = tsf_fail_errno(err, "%s", (const char *)path.data);
        goto done;
    }
    if (fstat(fd, &st) != 0) {
        if (create)
            rc = tsf_fail_errno(err, "%s", (const char *)path.data);
        goto done;
    }
    /* Blocks and not a hole: the first store into a hole on a full disk is a SIGBUS. */
    if (st.st_size < (off_t)sizeof *t->state || !st.st_blocks) {
        if (!create)
            goto done;
        if ((errno = posix_fallocate(fd, 0, sizeof *t->state)) != 0) {
            rc = tsf_fail_errno(err, "%s", (const char *)path.data);
            goto done;
        }
    }
    void *p = mmap(NULL, sizeof *t->state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED)
        t->state = p;
    else if (create)
        rc = tsf_fail_errno(err, "%s", (const char *)path.data);
done:
    if (fd >= 0)
        close(fd);
    tsf_buf_release(&path);
    return rc;
}

enum tsf_err wal_topic_open(const char *data_dir, const char *warehouse, const char *table, const struct wal_options *opts,
                            struct wal_topic **out, struct tsf_error *err)
{
    struct tsf_buf dir = TSF_BUF_INIT(8192);
    struct wal_topic *t = calloc(1, sizeof *t);
    enum tsf_err rc;

    if (!t)
        return tsf_fail_nomem(err);
    t->lock_wait_ms = opts->lock_wait_ms ? opts->lock_wait_ms : 60000;
    if ((rc = topic_dir(data_dir, warehouse, table, &dir, err)) != TSF_OK)
        goto fail;
    t->dir = strdup((const char *)dir.data);
    t->warehouse = strdup(warehouse);
    t->table = strdup(table);
    if (!t->dir || !t->warehouse || !t->table) {
        rc = tsf_fail_nomem(err);
        goto fail;
    }
    if (opts->create && (rc = tsf_mkdirs(t->dir, err)) != TSF_OK)
        goto fail;
    if ((rc = identity_load(t, opts->create, err)) != TSF_OK || (rc = state_map(t, opts->create, err)) != TSF_OK)
        goto fail;
    tsf_buf_release(&dir);
    *out = t;
    return TSF_OK;
fail:
    tsf_buf_release(&dir);
    wal_topic_free(t);
    return rc;
}

void wal_topic_free(struct wal_topic *t)
{
    if (!t)
        return;
    if (t->state)
        munmap(t->state, sizeof *t->state);
    free(t->dir);
    free(t->warehouse);
    free(t->table);
    free(t->app_id);
    free(t);
}

const char *wal_topic_app_id(const struct wal_topic *t) { return t->app_id; }
const char *wal_topic_table(const struct wal_topic *t) { return t->table; }
const char *wal_topic_warehouse(const struct wal_topic *t) { return t->warehouse; }

/* ---- registry -------------------------------------------------------------------------------------------- */

enum tsf_err wal_topics_each(const char *data_dir, enum tsf_err (*fn)(void *ctx, const char *warehouse, const char *table,
                             struct tsf_error *err), void *ctx, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(8192), text = TSF_BUF_INIT(1 << 16);
    enum tsf_err rc;
    struct dirent *e;
    DIR *d = NULL;

    if ((rc = tsf_buf_printf(&path, err, "%s/wal", data_dir)) != TSF_OK)
        goto done;
    if (!tsf_buf_cstr(&path)) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    if (!(d = opendir((const char *)path.data))) {
        if (errno != ENOENT)
            rc = tsf_fail_errno(err, "%s", (const char *)path.data);
        goto done;
    }
    while ((errno = 0, e = readdir(d))) {
        json_t *o = NULL;
        if (strlen(e->d_name) != 32)
            continue;
        tsf_buf_reset(&path);
        tsf_buf_reset(&text);
        if ((rc = tsf_buf_printf(&path, err, "%s/wal/%s/topic", data_dir, e->d_name)) != TSF_OK)
            goto done;
        if (!tsf_buf_cstr(&path)) {
            rc = tsf_fail_nomem(err);
            goto done;
        }
        struct tsf_error quiet = TSF_ERROR_INIT;
        if ((rc = tsf_file_read((const char *)path.data, 1 << 16, &text, &quiet)) == TSF_ERR_NOT_FOUND) {
            rc = TSF_OK; /* just being made or dropped */
            continue;
        }
        if (rc != TSF_OK) {
            if (err)
                *err = quiet;
            goto done;
        }
        if ((rc = identity_parse(tsf_buf_str(&text), &o, err)) != TSF_OK) {
            tsf_prepend(err, rc, "%s", (const char *)path.data);
            goto done;
        }
        rc = fn(ctx, json_string_value(json_object_get(o, "warehouse")), json_string_value(json_object_get(o, "table")), err);
        json_decref(o);
        if (rc != TSF_OK)
            goto done;
    }
    if (errno)
        rc = tsf_fail_errno(err, "%s/wal", data_dir);
done:
    if (d)
        closedir(d);
    tsf_buf_release(&path);
    tsf_buf_release(&text);
    return rc;
}

enum tsf_err wal_topic_drop(const char *data_dir, const char *warehouse, const char *table, struct tsf_error *err)
{
    struct wal_options opts = { .create = false, .lock_wait_ms = 5000 };
    struct tsf_buf path = TSF_BUF_INIT(8192);
    struct tsf_lock flush = TSF_LOCK_INIT, append = TSF_LOCK_INIT;
    struct tsf_error quiet = TSF_ERROR_INIT;
    struct wal_topic *t = NULL;
    enum tsf_err rc;
    struct dirent *e;
    DIR *d = NULL;

    rc = wal_topic_open(data_dir, warehouse, table, &opts, &t, &quiet);
    if (rc == TSF_ERR_NOT_FOUND)
        return TSF_OK;
    if (rc != TSF_OK) {
        if (err)
            *err = quiet;
        return rc;
    }
    if ((rc = wal_flush_lock(t, 5000, &flush, err)) != TSF_OK || (rc = wal_topic_lock(t, &append, err)) != TSF_OK)
        goto done;
    /* The identity goes first: without it the topic does not exist, whatever else a crash leaves behind. */
    if ((rc = wal_topic_path(t, "topic", &path, err)) != TSF_OK)
        goto done;
    if (unlink((const char *)path.data) != 0 && errno != ENOENT) {
        rc = tsf_fail_errno(err, "%s", (const char *)path.data);
        goto done;
    }
    if ((rc = tsf_dir_sync(t->dir, err)) != TSF_OK)
        goto done;
    if (!(d = opendir(t->dir))) {
        rc = tsf_fail_errno(err, "%s", t->dir);
        goto done;
    }
    while ((e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if ((rc = wal_topic_path(t, e->d_name, &path, err)) != TSF_OK)
            goto done;
        if (unlink((const char *)path.data) != 0 && errno != ENOENT) {
            rc = tsf_fail_errno(err, "%s", (const char *)path.data);
            goto done;
        }
    }
    if (rmdir(t->dir) != 0 && errno != ENOENT && errno != ENOTEMPTY)
        rc = tsf_fail_errno(err, "%s", t->dir);
done:
    if (d)
        closedir(d);
    tsf_lock_release(&append);
    tsf_lock_release(&flush);
    tsf_buf_release(&path);
    wal_topic_free(t);
    return rc;
}

/* ---- floor --------------------------------------------------------------------------------------------------- */

enum tsf_err wal_floor_get(const struct wal_topic *t, int64_t *out, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(8192), text = TSF_BUF_INIT(64);
    struct tsf_error quiet = TSF_ERROR_INIT;
    enum tsf_err rc;

    if ((rc = wal_topic_path(t, "floor", &path, err)) != TSF_OK)
        goto done;
    rc = tsf_file_read((const char *)path.data, 64, &text, &quiet);
    if (rc == TSF_ERR_NOT_FOUND) {
        *out = 0;
        rc = TSF_OK;
        goto done;
    }
    if (rc != TSF_OK) {
        if (err)
            *err = quiet;
        goto done;
    }
    struct tsf_str s = tsf_buf_str(&text);
    if (s.len && s.data[s.len - 1] == '\n')
        s.len--;
    if (!tsf_int64_parse(s, out) || *out < 0)
        rc = tsf_fail(err, TSF_ERR_FORMAT, "%s is damaged: expected one number", (const char *)path.data);
done:
    tsf_buf_release(&path);
    tsf_buf_release(&text);
    return rc;
}

enum tsf_err wal_floor_put(const struct wal_topic *t, int64_t lsn, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(8192);
    char text[32];
    enum tsf_err rc;

    int n = snprintf(text, sizeof text, "%lld\n", (long long)lsn);
    if ((rc = wal_topic_path(t, "floor", &path, err)) == TSF_OK)
        rc = tsf_file_write((const char *)path.data, text, (size_t)n, TSF_PUBLISH_REPLACE, err);
    tsf_buf_release(&path);
    return rc;
}

/* ---- state -------------------------------------------------------------------------------------------------------- */

static uint64_t slot_sum(const struct wal_state *s)
{
    return tsf_hash(s, sizeof *s, 0x7773);
}

bool wal_state_get(const struct wal_topic *t, struct wal_state *out)
{
    if (!t->state)
        return false;
    for (int tries = 0; tries < 4; tries++) {
        struct slot copy = t->state->slots[atomic_load_explicit(&t->state->current, memory_order_acquire) & 1];
        /* A reader without the lock may copy a slot that is being rewritten: the checksum tells. */
        if (copy.sum == slot_sum(&copy.s) && copy.s.boot == boot_hash()) {
            *out = copy.s;
            return true;
        }
    }
    return false;
}

enum tsf_err wal_state_put(const struct wal_topic *t, const struct wal_state *s, struct tsf_error *err)
{
    if (!t->state)
        return tsf_fail(err, TSF_ERR_INVALID, "WAL topic was not opened for writing");
    uint32_t next = (atomic_load_explicit(&t->state->current, memory_order_relaxed) & 1) ^ 1;
    struct slot *slot = &t->state->slots[next];
    slot->s = *s;
    slot->s.boot = boot_hash();
    slot->sum = slot_sum(&slot->s);
    atomic_store_explicit(&t->state->current, next, memory_order_release);
    return TSF_OK;
}

bool wal_state_synced(const struct wal_topic *t, const uint8_t segment[16], int64_t end)
{
    return t->state && memcmp(t->state->synced_segment, segment, 16) == 0 &&
           atomic_load_explicit(&t->state->synced_end, memory_order_acquire) >= end;
}

void wal_state_set_synced(const struct wal_topic *t, const uint8_t segment[16], int64_t end)
{
    if (!t->state)
        return;
    /* The end is made small before the segment changes: a kill in between claims less, never more. */
    if (memcmp(t->state->synced_segment, segment, 16) != 0) {
        atomic_store_explicit(&t->state->synced_end, -1, memory_order_release);
        memcpy(t->state->synced_segment, segment, 16);
        atomic_thread_fence(memory_order_release);
    }
    atomic_store_explicit(&t->state->synced_end, end, memory_order_release);
}
