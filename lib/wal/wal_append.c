/*
 * Runs. A run of one small record goes to the shared segment: one write under the lock, then a sync that all waiting
 * writers share. A larger run is staged in a file of its own, synced without any lock, and published under the lock, where
 * it takes its LSNs. Either way a crash leaves all of the run or nothing.
 */
#include "wal/wal_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <lz4.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ABANDONED_US (60 * TSF_US_PER_SEC) /* age from which a staged file without its lock is a dead writer's */

struct wal_run {
    struct wal_topic *topic;
    struct tsf_buf schema;
    uint64_t schema_hash;
    uint8_t id[16];              /* of the segment if it is staged */
    uint64_t seed;
    pthread_mutex_t lock;
    pthread_cond_t turn;
    int64_t next_ticket;
    bool failed;
    struct tsf_buf first;        /* the first record's body, while it is the only one */
    struct wal_record_header first_header;
    bool has_first, staged;
    struct tsf_newfile file;
    int64_t n_records, rows, bytes;
};

static enum tsf_err staged_header(const struct wal_run *r, int64_t base_lsn, int64_t data_end, struct tsf_buf *out,
                                  struct tsf_error *err)
{
    struct wal_segment_header h = {
        .base_lsn = base_lsn, .created_us = tsf_now_us(), .n_records = data_end ? r->n_records : 0, .data_end = data_end,
        .warehouse = tsf_str(r->topic->warehouse), .table = tsf_str(r->topic->table),
    };
    memcpy(h.id, r->id, 16);
    memcpy(h.topic, r->topic->id, 16);
    return wal_header_encode(&h, out, err);
}

enum tsf_err wal_run_begin(struct wal_topic *t, const struct tsf_schema *schema, struct wal_run **out, struct tsf_error *err)
{
    struct wal_run *r = calloc(1, sizeof *r);
    enum tsf_err rc;

    if (!r)
        return tsf_fail_nomem(err);
    r->topic = t;
    r->file = (struct tsf_newfile)TSF_NEWFILE_INIT;
    tsf_buf_init(&r->schema, 1 << 24);
    tsf_buf_init(&r->first, (size_t)WAL_RECORD_MAX);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->turn, NULL);
    tsf_random(r->id, sizeof r->id);
    r->seed = wal_seed(r->id);
    if ((rc = wal_schema_encode(schema, &r->schema, err)) != TSF_OK) {
        wal_run_abort(r);
        return rc;
    }
    r->schema_hash = tsf_hash(r->schema.data, r->schema.len, 0);
    *out = r;
    return TSF_OK;
}

void wal_run_abort(struct wal_run *r)
{
    if (!r)
        return;
    tsf_newfile_abort(&r->file);
    tsf_buf_release(&r->schema);
    tsf_buf_release(&r->first);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->turn);
    free(r);
}

void wal_run_fail(struct wal_run *r)
{
    pthread_mutex_lock(&r->lock);
    r->failed = true;
    pthread_cond_broadcast(&r->turn);
    pthread_mutex_unlock(&r->lock);
}

/* ---- one record's bytes ------------------------------------------------------------------------------------ */

/*
 * body: room for the record header, the schema, the batch. LZ4 when it saves an eighth: it costs less than writing the
 * bytes it saves on any disk that is not memory.
 */
static enum tsf_err body_encode(const struct wal_run *r, const struct tsf_batch *b, struct tsf_buf *body,
                                struct wal_record_header *h, struct tsf_error *err)
{
    struct tsf_buf raw = TSF_BUF_INIT((size_t)WAL_RAW_MAX);
    enum tsf_err rc;

    if ((rc = tsf_batch_encode(b, &raw, err)) != TSF_OK)
        goto done;
    h->raw_len = (int64_t)raw.len;
    h->codec = 0;
    if ((rc = tsf_buf_reserve(body, WAL_RECORD_HEADER + r->schema.len + raw.len + 16, err)) != TSF_OK)
        goto done;
    memset(body->data, 0, WAL_RECORD_HEADER);
    memcpy(body->data + WAL_RECORD_HEADER, r->schema.data, r->schema.len);
    uint8_t *dst = body->data + WAL_RECORD_HEADER + r->schema.len;
    size_t stored = 0;
    if (raw.len >= 512 && raw.len <= LZ4_MAX_INPUT_SIZE) {
        /* A destination smaller than the source makes LZ4 give up (0) early enough when it does not pay. */
        int n = LZ4_compress_fast((const char *)raw.data, (char *)dst, (int)raw.len, (int)(raw.len - raw.len / 8), 2);
        if (n > 0) {
            stored = (size_t)n;
            h->codec = 1;
        }
    }
    if (!h->codec) {
        memcpy(dst, raw.data, raw.len);
        stored = raw.len;
    }
    size_t len = WAL_RECORD_HEADER + r->schema.len + stored, padded = (len + 7) & ~(size_t)7;
    memset(body->data + len, 0, padded - len);
    body->len = padded;
    h->stored_len = (int64_t)stored;
    h->schema_len = (uint32_t)r->schema.len;
    h->schema_hash = r->schema_hash;
    h->rows = (uint32_t)tsf_batch_rows(b);
done:
    tsf_buf_release(&raw);
    return rc;
}

static void body_seal(struct tsf_buf *body, struct wal_record_header *h, int64_t number, uint64_t seed)
{
    h->number = number;
    h->body_sum = tsf_hash(body->data + WAL_RECORD_HEADER, h->schema_len + (size_t)h->stored_len, seed);
    wal_record_header_encode(h, seed, body->data);
}

/* ---- staging -------------------------------------------------------------------------------------------------- */

static enum tsf_err stage_open(struct wal_run *r, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(8192), head = TSF_BUF_INIT(WAL_HEADER_MAX);
    enum tsf_err rc;

    if ((rc = wal_topic_path(r->topic, "staged", &path, err)) != TSF_OK ||
        (rc = tsf_newfile_open(&r->file, (const char *)path.data, err)) != TSF_OK ||
        (rc = staged_header(r, 1, 0, &head, err)) != TSF_OK || (rc = tsf_newfile_write(&r->file, head.data, head.len, err)) != TSF_OK)
        goto done;
    /* Held while the run lives: tells wal_truncate that this file is not a dead writer's. Nobody else has it locked. */
    (void)flock(r->file.fd, LOCK_EX | LOCK_NB);
    r->staged = true;
done:
    tsf_buf_release(&path);
    tsf_buf_release(&head);
    return rc;
}

static enum tsf_err stage_write(struct wal_run *r, struct tsf_buf *body, struct wal_record_header *h, struct tsf_error *err)
{
    enum tsf_err rc;

    body_seal(body, h, r->n_records, r->seed);
    if ((rc = tsf_newfile_write(&r->file, body->data, body->len, err)) != TSF_OK)
        return rc;
    r->n_records++;
    return TSF_OK;
}

/* Under r->lock. */
static enum tsf_err run_take(struct wal_run *r, struct tsf_buf *body, struct wal_record_header *h, struct tsf_error *err)
{
    enum tsf_err rc;

    r->rows += h->rows;
    r->bytes += (int64_t)body->len;
    if (!r->staged && !r->has_first && body->len <= WAL_SMALL_RUN) {
        tsf_buf_move(&r->first, body);
        r->first_header = *h;
        r->has_first = true;
        return TSF_OK;
    }
    if (!r->staged && (rc = stage_open(r, err)) != TSF_OK)
        return rc;
    if (r->has_first) {
        r->has_first = false;
        if ((rc = stage_write(r, &r->first, &r->first_header, err)) != TSF_OK)
            return rc;
        tsf_buf_release(&r->first);
    }
    return stage_write(r, body, h, err);
}

enum tsf_err wal_run_append(struct wal_run *r, enum wal_kind kind, int64_t ticket, const struct tsf_batch *b, struct tsf_error *err)
{
    struct tsf_buf body = TSF_BUF_INIT((size_t)WAL_RECORD_MAX);
    struct wal_record_header h = { .kind = (uint8_t)kind, .time_us = tsf_now_us() };
    bool empty = tsf_batch_rows(b) == 0;
    enum tsf_err rc = TSF_OK;

    if (tsf_batch_rows(b) > UINT32_MAX)
        return tsf_fail(err, TSF_ERR_INVALID, "WAL record of %lld rows is too large", (long long)tsf_batch_rows(b));
    if (!empty)
        rc = body_encode(r, b, &body, &h, err);
    pthread_mutex_lock(&r->lock);
    if (rc != TSF_OK)
        r->failed = true;
    while (!r->failed && ticket >= 0 && r->next_ticket != ticket)
        pthread_cond_wait(&r->turn, &r->lock);
    if (r->failed) {
        if (rc == TSF_OK)
            rc = tsf_fail(err, TSF_ERR_CANCELLED, "the run has failed");
    } else {
        if (!empty)
            rc = run_take(r, &body, &h, err);
        if (ticket >= 0)
            r->next_ticket++;
    }
    if (rc != TSF_OK)
        r->failed = true;
    pthread_cond_broadcast(&r->turn);
    pthread_mutex_unlock(&r->lock);
    tsf_buf_release(&body);
    return rc;
}

/* ---- the shared segment ------------------------------------------------------------------------------------------ */

/* Under the append lock: the state, recovered when it cannot be believed. */
static enum tsf_err state_load(struct wal_topic *t, struct wal_state *s, struct tsf_error *err)
{
    static const uint8_t none[16];
    struct tsf_buf path = TSF_BUF_INIT(8192);
    struct stat st;
    char name[32];
    enum tsf_err rc;

    if (!wal_state_get(t, s))
        return wal_recover(t, s, err);
    if (memcmp(s->segment, none, 16) == 0)
        return TSF_OK;
    wal_segment_name(s->base_lsn, s->segment, name);
    if ((rc = wal_topic_path(t, name, &path, err)) != TSF_OK)
        return rc;
    /* A file that is gone or shorter than it was: someone tampered; scan. */
    if (stat((const char *)path.data, &st) != 0 || st.st_size < s->valid_end)
        rc = wal_recover(t, s, err);
    tsf_buf_release(&path);
    return rc;
}

/* Under the append lock. A name that cannot be made durable is taken back before anybody sees it: the run fails whole. */
static enum tsf_err publish(struct tsf_newfile *file, struct tsf_error *err)
{
    enum tsf_err rc = tsf_newfile_publish(file, TSF_PUBLISH_NEW, err);

    if (rc != TSF_OK && !file->tmp_path && unlink(file->path) != 0)
        tsf_log(TSF_LOG_WARN, "%s: cannot be removed after it could not be synced", file->path);
    return rc;
}

/*
 * Begin a shared segment with the run's record in it: synced before it has a name, so a named segment always has its header.
 * The state knows it first: a kill before the name leaves a state whose file is missing, which recovery sorts out.
 */
static enum tsf_err shared_begin(struct wal_run *r, struct wal_state *s, struct tsf_error *err)
{
    struct wal_topic *t = r->topic;
    struct tsf_buf path = TSF_BUF_INIT(8192), head = TSF_BUF_INIT(WAL_HEADER_MAX);
    struct wal_segment_header h = { .base_lsn = s->next_lsn, .created_us = tsf_now_us(),
                                    .warehouse = tsf_str(t->warehouse), .table = tsf_str(t->table) };
    struct tsf_newfile file = TSF_NEWFILE_INIT;
    struct wal_state before = *s;
    char name[32];
    enum tsf_err rc;

    tsf_random(h.id, sizeof h.id);
    memcpy(h.topic, t->id, 16);
    wal_segment_name(h.base_lsn, h.id, name);
    body_seal(&r->first, &r->first_header, 0, wal_seed(h.id));
    if ((rc = wal_topic_path(t, name, &path, err)) != TSF_OK || (rc = wal_header_encode(&h, &head, err)) != TSF_OK ||
        (rc = tsf_newfile_open(&file, (const char *)path.data, err)) != TSF_OK ||
        (rc = tsf_newfile_write(&file, head.data, head.len, err)) != TSF_OK ||
        (rc = tsf_newfile_write(&file, r->first.data, r->first.len, err)) != TSF_OK)
        goto done;
    memcpy(s->segment, h.id, 16);
    s->base_lsn = h.base_lsn;
    s->n_records = 1;
    s->valid_end = file.size;
    s->next_lsn++;
    if ((rc = wal_state_put(t, s, err)) != TSF_OK)
        goto done;
    if ((rc = publish(&file, err)) != TSF_OK) {
        *s = before;
        if (wal_state_put(t, s, NULL) != TSF_OK)
            tsf_log(TSF_LOG_DEBUG, "WAL of %s: the state is found anew", t->table);
    }
done:
    tsf_newfile_abort(&file);
    tsf_buf_release(&path);
    tsf_buf_release(&head);
    return rc;
}

static enum tsf_err shared_fd(struct wal_topic *t, const struct wal_state *s, int *fd_out, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(8192);
    char name[32];
    enum tsf_err rc;

    wal_segment_name(s->base_lsn, s->segment, name);
    if ((rc = wal_topic_path(t, name, &path, err)) == TSF_OK &&
        (*fd_out = open((const char *)path.data, O_RDWR | O_CLOEXEC)) < 0)
        rc = tsf_fail_errno(err, "%s", (const char *)path.data);
    tsf_buf_release(&path);
    return rc;
}

/* Under the append lock: no shared segment after this; what it held is synced. */
static enum tsf_err shared_close(struct wal_topic *t, struct wal_state *s, struct tsf_error *err)
{
    static const uint8_t none[16];
    enum tsf_err rc;
    int fd = -1;

    if (memcmp(s->segment, none, 16) == 0)
        return TSF_OK;
    if ((rc = shared_fd(t, s, &fd, err)) != TSF_OK)
        return rc;
    /* Bytes past the valid end are of a writer that was killed between its write and the state. */
    if (ftruncate(fd, s->valid_end) != 0 || fsync(fd) != 0)
        rc = tsf_fail_errno(err, "WAL segment %016llx", (unsigned long long)s->base_lsn);
    close(fd);
    if (rc != TSF_OK)
        return rc;
    memset(s->segment, 0, 16);
    return wal_state_put(t, s, err);
}

/* After the append lock is gone: wait until [.., end) of the segment is on disk, by our sync or another's. */
static enum tsf_err group_sync(struct wal_topic *t, int fd, const uint8_t segment[16], int64_t end, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(8192);
    struct tsf_lock lock = TSF_LOCK_INIT;
    struct wal_state s;
    enum tsf_err rc;

    if ((rc = wal_topic_path(t, "sync.lock", &path, err)) != TSF_OK ||
        (rc = tsf_lock_take(&lock, (const char *)path.data, false, -1, err)) != TSF_OK)
        goto done;
    if (wal_state_synced(t, segment, end))
        goto done;
    /* All that is written by now is covered by the sync that comes next. */
    int64_t upto = wal_state_get(t, &s) && memcmp(s.segment, segment, 16) == 0 ? TSF_MAX(s.valid_end, end) : end;
    if (fdatasync(fd) != 0) {
        /* After a failed sync the kernel may have dropped the pages: nothing may be claimed for this segment. */
        rc = tsf_fail_errno(err, "WAL of %s: sync", t->table);
        goto done;
    }
    wal_state_set_synced(t, segment, upto);
done:
    tsf_lock_release(&lock);
    tsf_buf_release(&path);
    return rc;
}

static enum tsf_err commit_small(struct wal_run *r, struct wal_receipt *out, struct tsf_error *err)
{
    static const uint8_t none[16];
    struct wal_topic *t = r->topic;
    struct tsf_lock lock = TSF_LOCK_INIT;
    struct wal_state s;
    uint8_t segment[16];
    enum tsf_err rc;
    int fd = -1;

    if ((rc = wal_topic_lock(t, &lock, err)) != TSF_OK || (rc = state_load(t, &s, err)) != TSF_OK)
        goto done;
    if (memcmp(s.segment, none, 16) != 0 && s.valid_end >= WAL_SEGMENT_TARGET && (rc = shared_close(t, &s, err)) != TSF_OK)
        goto done;
    if (memcmp(s.segment, none, 16) == 0) {
        if ((rc = shared_begin(r, &s, err)) == TSF_OK)
            *out = (struct wal_receipt){ .first_lsn = s.base_lsn, .last_lsn = s.base_lsn, .rows = r->rows, .bytes = r->bytes };
        goto done;
    }
    if ((rc = shared_fd(t, &s, &fd, err)) != TSF_OK)
        goto done;
    body_seal(&r->first, &r->first_header, s.n_records, wal_seed(s.segment));
    if ((rc = tsf_pwrite_all(fd, r->first.data, r->first.len, s.valid_end, "WAL segment", err)) != TSF_OK) {
        /* A full disk leaves a part of the record: the state does not cover it and the next append overwrites it. */
        if (ftruncate(fd, s.valid_end) != 0)
            tsf_log(TSF_LOG_WARN, "WAL of %s: cannot cut a failed append", t->table);
        goto done;
    }
    int64_t lsn = s.next_lsn;
    s.n_records++;
    s.next_lsn++;
    s.valid_end += (int64_t)r->first.len;
    int64_t end = s.valid_end;
    memcpy(segment, s.segment, 16);
    if ((rc = wal_state_put(t, &s, err)) != TSF_OK)
        goto done;
    tsf_lock_release(&lock);
    if ((rc = group_sync(t, fd, segment, end, err)) != TSF_OK)
        goto done;
    *out = (struct wal_receipt){ .first_lsn = lsn, .last_lsn = lsn, .rows = r->rows, .bytes = r->bytes };
done:
    tsf_lock_release(&lock);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* ---- publishing a staged segment ------------------------------------------------------------------------------------ */

static enum tsf_err commit_staged(struct wal_run *r, struct wal_receipt *out, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(8192), head = TSF_BUF_INIT(WAL_HEADER_MAX);
    struct wal_topic *t = r->topic;
    struct tsf_lock lock = TSF_LOCK_INIT;
    struct wal_state s;
    char name[32];
    enum tsf_err rc = TSF_OK;

    /* The bulk goes to disk before the lock is taken, so that others wait only for the header. */
    if (fdatasync(r->file.fd) != 0) {
        rc = tsf_fail_errno(err, "WAL of %s: sync", t->table);
        goto done;
    }
    if ((rc = wal_topic_lock(t, &lock, err)) != TSF_OK || (rc = state_load(t, &s, err)) != TSF_OK ||
        (rc = shared_close(t, &s, err)) != TSF_OK || (rc = staged_header(r, s.next_lsn, r->file.size, &head, err)) != TSF_OK ||
        (rc = tsf_pwrite_all(r->file.fd, head.data, head.len, 0, "WAL segment", err)) != TSF_OK)
        goto done;
    wal_segment_name(s.next_lsn, r->id, name);
    if ((rc = wal_topic_path(t, name, &path, err)) != TSF_OK)
        goto done;
    free(r->file.path);
    if (!(r->file.path = strdup((const char *)path.data))) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    int64_t first = s.next_lsn;
    /* The LSNs are taken first: a crash between leaves a gap that no record has, never two records with one LSN. */
    s.next_lsn += r->n_records;
    if ((rc = wal_state_put(t, &s, err)) != TSF_OK || (rc = publish(&r->file, err)) != TSF_OK)
        goto done;
    *out = (struct wal_receipt){ .first_lsn = first, .last_lsn = first + r->n_records - 1, .rows = r->rows, .bytes = r->bytes };
done:
    tsf_lock_release(&lock);
    tsf_buf_release(&path);
    tsf_buf_release(&head);
    return rc;
}

enum tsf_err wal_run_commit(struct wal_run *r, struct wal_receipt *out, struct tsf_error *err)
{
    enum tsf_err rc;

    if (r->failed)
        rc = tsf_fail(err, TSF_ERR_CANCELLED, "the run has failed");
    else if (r->staged)
        rc = commit_staged(r, out, err);
    else if (r->has_first)
        rc = commit_small(r, out, err);
    else {
        *out = (struct wal_receipt){ 0 };
        rc = TSF_OK;
    }
    wal_run_abort(r);
    return rc;
}

/* ---- flushing --------------------------------------------------------------------------------------------------------- */

enum tsf_err wal_flush_lock(struct wal_topic *t, int wait_ms, struct tsf_lock *lock, struct tsf_error *err)
{
    struct tsf_buf path = TSF_BUF_INIT(8192);
    enum tsf_err rc;

    if ((rc = wal_topic_path(t, "flush.lock", &path, err)) == TSF_OK)
        rc = tsf_lock_take(lock, (const char *)path.data, false, wait_ms, err);
    tsf_buf_release(&path);
    return rc;
}

enum tsf_err wal_rotate(struct wal_topic *t, struct tsf_error *err)
{
    struct tsf_lock lock = TSF_LOCK_INIT;
    struct wal_state s;
    enum tsf_err rc;

    if ((rc = wal_topic_lock(t, &lock, err)) == TSF_OK && (rc = state_load(t, &s, err)) == TSF_OK)
        rc = shared_close(t, &s, err);
    tsf_lock_release(&lock);
    return rc;
}

/*
 * The table may be ahead of its WAL: after a power loss a flush has committed records whose sync never came, or an older WAL
 * was put back from a backup. New records with those LSNs would count as flushed and never be seen.
 */
enum tsf_err wal_topic_advance(struct wal_topic *t, int64_t flushed_lsn, struct tsf_error *err)
{
    struct tsf_lock lock = TSF_LOCK_INIT;
    struct wal_state s;
    enum tsf_err rc;

    if (flushed_lsn <= 0 || (wal_state_get(t, &s) && s.next_lsn > flushed_lsn))
        return TSF_OK;
    if (flushed_lsn == INT64_MAX)
        return tsf_fail(err, TSF_ERR_FORMAT, "the table says that WAL LSN %lld is flushed", (long long)flushed_lsn);
    if ((rc = wal_topic_lock(t, &lock, err)) != TSF_OK || (rc = state_load(t, &s, err)) != TSF_OK || s.next_lsn > flushed_lsn)
        goto done;
    tsf_log(TSF_LOG_INFO, "WAL of %s ends at LSN %lld, the table at %lld: going on from there", t->table, (long long)s.next_lsn - 1,
            (long long)flushed_lsn);
    if ((rc = shared_close(t, &s, err)) != TSF_OK || (rc = wal_floor_put(t, flushed_lsn, err)) != TSF_OK)
        goto done;
    s.next_lsn = flushed_lsn + 1;
    rc = wal_state_put(t, &s, err);
done:
    tsf_lock_release(&lock);
    return rc;
}

/* Staged files of writers that were killed. Best effort: what stays is looked at again next time. */
static void clean_abandoned(const struct wal_topic *t)
{
    struct tsf_buf path = TSF_BUF_INIT(8192);
    DIR *d = opendir(t->dir);
    struct dirent *e;
    struct stat st;

    while (d && (e = readdir(d))) {
        if (strncmp(e->d_name, ".tmp-", 5) != 0 || wal_topic_path(t, e->d_name, &path, NULL) != TSF_OK)
            continue;
        int fd = open((const char *)path.data, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
            st.st_mtim.tv_sec * TSF_US_PER_SEC < tsf_now_us() - ABANDONED_US && unlink((const char *)path.data) == 0)
            tsf_log(TSF_LOG_INFO, "%s: removed, its writer died", (const char *)path.data);
        close(fd);
    }
    if (d)
        closedir(d);
    tsf_buf_release(&path);
}

/*
 * The last LSN of a segment is one less than the base of the next segment, or of what comes next at all. An empty remainder
 * of a crash goes with it.
 */
enum tsf_err wal_truncate(struct wal_topic *t, int64_t through_lsn, int64_t *segments_out, int64_t *bytes_out, struct tsf_error *err)
{
    static const uint8_t none[16];
    struct tsf_buf path = TSF_BUF_INIT(8192);
    struct wal_segment_list l = { 0 };
    struct tsf_lock lock = TSF_LOCK_INIT;
    struct wal_state s;
    int64_t floor, n = 0, bytes = 0;
    struct stat st;
    char open_name[32] = "";
    enum tsf_err rc;

    if ((rc = wal_topic_lock(t, &lock, err)) != TSF_OK || (rc = state_load(t, &s, err)) != TSF_OK ||
        (rc = wal_floor_get(t, &floor, err)) != TSF_OK || (rc = wal_segments_list(t, &l, err)) != TSF_OK)
        goto done;
    if (through_lsn >= s.next_lsn) {
        rc = tsf_fail(err, TSF_ERR_INVALID, "WAL of %s ends at LSN %lld but the table says that %lld is flushed", t->table,
                      (long long)s.next_lsn - 1, (long long)through_lsn);
        goto done;
    }
    if (memcmp(s.segment, none, 16) != 0)
        wal_segment_name(s.base_lsn, s.segment, open_name);
    if (through_lsn > floor && (rc = wal_floor_put(t, through_lsn, err)) != TSF_OK)
        goto done;
    for (int i = 0; i < l.n; i++) {
        int64_t next = i + 1 < l.n ? l.files[i + 1].base_lsn : s.next_lsn;
        if (next - 1 > through_lsn)
            break;
        if (strcmp(l.files[i].name, open_name) == 0)
            continue;
        if ((rc = wal_topic_path(t, l.files[i].name, &path, err)) != TSF_OK)
            goto done;
        if (stat((const char *)path.data, &st) == 0)
            bytes += st.st_size;
        if (unlink((const char *)path.data) != 0 && errno != ENOENT) {
            rc = tsf_fail_errno(err, "%s", (const char *)path.data);
            goto done;
        }
        n++;
    }
    if (n && (rc = tsf_dir_sync(t->dir, err)) != TSF_OK)
        goto done;
    clean_abandoned(t);
    *segments_out = n;
    *bytes_out = bytes;
done:
    tsf_lock_release(&lock);
    wal_segments_release(&l);
    tsf_buf_release(&path);
    return rc;
}
