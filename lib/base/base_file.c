#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/base.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PUSH_BYTES (8 << 20)

#define FILE_READ_MAX_DEFAULT ((size_t)1 << 30)
#define DIR_MODE 0700
#define FILE_MODE 0600
#define SHARED_DIR_MODE 0777 /* what the umask leaves of it */
#define SHARED_FILE_MODE 0666
#define TMP_PREFIX ".tmp-"
#define UUID_SIZE 37
#define LOCK_POLL_MIN_US 1000
#define LOCK_POLL_MAX_US 20000

/* ---- whole files, plain writes -------------------------------------------------------------------- */

static enum tsf_err fd_read_all(int fd, const char *path, size_t max, struct tsf_buf *out, struct tsf_error *err)
{
    struct stat st;
    enum tsf_err rc;

    if (fstat(fd, &st) != 0)
        return tsf_fail_errno(err, "cannot look at %s", path);
    /* The size is a guess: files of /proc say 0, others may grow. One byte more sees the end without a second turn. */
    if (st.st_size > 0 && (uint64_t)st.st_size < max &&
        (rc = tsf_buf_reserve(out, (size_t)st.st_size + 1, NULL)) == TSF_ERR_NOMEM)
        st.st_size = 0;
    for (;;) {
        size_t room = out->cap - out->len;
        ssize_t got;

        if (room == 0) {
            if ((rc = tsf_buf_reserve(out, 1, err)) != TSF_OK)
                return tsf_prepend(err, rc, "%s", path);
            room = out->cap - out->len;
        }
        got = read(fd, out->data + out->len, TSF_MIN(room, (size_t)SSIZE_MAX));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tsf_fail_errno(err, "cannot read %s", path);
        if (got == 0)
            return TSF_OK;
        out->len += (size_t)got;
        if (out->len > max)
            return tsf_fail(err, TSF_ERR_NOMEM, "%s is larger than %zu bytes", path, max);
    }
}

enum tsf_err tsf_file_read(const char *path, size_t max, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;
    int fd;

    tsf_buf_reset(out);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return tsf_fail_errno(err, "cannot open %s", path);
    rc = fd_read_all(fd, path, max != 0 ? max : FILE_READ_MAX_DEFAULT, out, err);
    close(fd);
    return rc;
}

enum tsf_err tsf_write_all(int fd, const void *p, size_t n, const char *what, struct tsf_error *err)
{
    const uint8_t *in = p;

    while (n > 0) {
        ssize_t put = write(fd, in, TSF_MIN(n, (size_t)1 << 30));

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return tsf_fail_errno(err, "cannot write %s", what);
        in += put;
        n -= (size_t)put;
    }
    return TSF_OK;
}

enum tsf_err tsf_pwrite_all(int fd, const void *p, size_t n, int64_t off, const char *what, struct tsf_error *err)
{
    const uint8_t *in = p;

    while (n > 0) {
        ssize_t put = pwrite(fd, in, TSF_MIN(n, (size_t)1 << 30), off);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return tsf_fail_errno(err, "cannot write %s at %lld", what, (long long)off);
        in += put;
        off += put;
        n -= (size_t)put;
    }
    return TSF_OK;
}

/* ---- directories and paths -------------------------------------------------------------------------- */

enum tsf_err tsf_dir_sync(const char *path, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return tsf_fail_errno(err, "cannot open directory %s", path);
    /* Some file systems have no such thing and say EINVAL; their directories are then as durable as they can be. */
    while (fsync(fd) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EINVAL && errno != EROFS)
            rc = tsf_fail_errno(err, "cannot sync directory %s", path);
        break;
    }
    close(fd);
    return rc;
}

/* Length of the directory part of path, without its last slash (but "/" stays); 0 when there is none. */
static size_t dir_part_len(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return 0;
    while (slash > path && slash[-1] == '/')
        slash--;
    return slash == path ? 1 : (size_t)(slash - path);
}

static enum tsf_err parent_sync(const char *path, struct tsf_error *err)
{
    size_t len = dir_part_len(path);
    char *dir = len == 0 ? strdup(".") : strndup(path, len);
    enum tsf_err rc;

    if (dir == NULL)
        return tsf_fail_nomem(err);
    rc = tsf_dir_sync(dir, err);
    free(dir);
    return rc;
}

/* Make one directory whose parent exists, durably. It is fine when it is there already. */
static enum tsf_err dir_make(const char *path, mode_t mode, struct tsf_error *err)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return parent_sync(path, err);
    if (errno == EEXIST && stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return TSF_OK;
        errno = ENOTDIR;
    }
    return tsf_fail_errno(err, "cannot make directory %s", path);
}

static enum tsf_err mkdirs(const char *path, mode_t mode, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    struct stat st;
    char *copy;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return TSF_OK;
    if ((copy = strdup(path)) == NULL)
        return tsf_fail_nomem(err);
    for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
        copy[len - 1] = '\0';
    for (char *p = copy + 1; *copy != '\0' && rc == TSF_OK; p++) {
        char was = *p;

        if (was != '/' && was != '\0')
            continue;
        *p = '\0';
        if (was == '\0' || stat(copy, &st) != 0 || !S_ISDIR(st.st_mode))
            rc = dir_make(copy, mode, err);
        *p = was;
        if (was == '\0')
            break;
    }
    free(copy);
    return rc;
}

enum tsf_err tsf_mkdirs(const char *path, struct tsf_error *err)
{
    return mkdirs(path, DIR_MODE, err);
}

enum tsf_err tsf_path_join(struct tsf_buf *out, const char *dir, const char *rel, struct tsf_error *err)
{
    size_t dir_len = strlen(dir);
    enum tsf_err rc;

    tsf_buf_reset(out);
    if ((rc = tsf_buf_append(out, dir, dir_len, err)) != TSF_OK)
        return rc;
    if (dir_len > 0) {
        while (*rel == '/')
            rel++;
        if (dir[dir_len - 1] != '/' && (rc = tsf_buf_append_u8(out, '/', err)) != TSF_OK)
            return rc;
    }
    if ((rc = tsf_buf_append_z(out, rel, err)) != TSF_OK)
        return rc;
    return tsf_buf_cstr(out) != NULL ? TSF_OK : tsf_fail_nomem(err);
}

/* ---- new files -------------------------------------------------------------------------------------- */

static int newfile_create(const char *tmp_path, mode_t mode)
{
    return open(tmp_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
}

static enum tsf_err newfile_open(struct tsf_newfile *f, const char *path, bool shared, struct tsf_error *err)
{
    mode_t mode = shared ? SHARED_FILE_MODE : FILE_MODE;
    size_t dir_len = dir_part_len(path), len = strlen(path);
    size_t tmp_size = dir_len + 1 + sizeof(TMP_PREFIX) + UUID_SIZE;
    char uuid[UUID_SIZE], *dir;
    const char *slash;
    enum tsf_err rc;

    *f = (struct tsf_newfile)TSF_NEWFILE_INIT;
    if (len == 0 || path[len - 1] == '/')
        return tsf_fail(err, TSF_ERR_INVALID, "not a file name: \"%s\"", path);
    tsf_uuid4(uuid);
    f->path = strdup(path);
    f->tmp_path = malloc(tmp_size);
    if (f->path == NULL || f->tmp_path == NULL) {
        rc = tsf_fail_nomem(err);
        goto fail;
    }
    slash = dir_len > 0 && path[dir_len - 1] != '/' ? "/" : "";
    snprintf(f->tmp_path, tmp_size, "%.*s%s" TMP_PREFIX "%s", (int)dir_len, path, slash, uuid);
    f->fd = newfile_create(f->tmp_path, mode);
    if (f->fd < 0 && errno == ENOENT && dir_len > 0) {
        if ((dir = strndup(path, dir_len)) == NULL) {
            rc = tsf_fail_nomem(err);
            goto fail;
        }
        rc = mkdirs(dir, shared ? SHARED_DIR_MODE : DIR_MODE, err);
        free(dir);
        if (rc != TSF_OK)
            goto fail;
        f->fd = newfile_create(f->tmp_path, mode);
    }
    if (f->fd < 0) {
        rc = tsf_fail_errno(err, "cannot create %s", f->tmp_path);
        goto fail;
    }
    return TSF_OK;
fail:
    free(f->tmp_path); /* never came to be: nothing to unlink */
    f->tmp_path = NULL;
    tsf_newfile_abort(f);
    return rc;
}

enum tsf_err tsf_newfile_open(struct tsf_newfile *f, const char *path, struct tsf_error *err)
{
    return newfile_open(f, path, false, err);
}

enum tsf_err tsf_newfile_open_shared(struct tsf_newfile *f, const char *path, struct tsf_error *err)
{
    return newfile_open(f, path, true, err);
}

enum tsf_err tsf_newfile_write(struct tsf_newfile *f, const void *p, size_t n, struct tsf_error *err)
{
    enum tsf_err rc;

    assert(f->fd >= 0);
    if ((rc = tsf_write_all(f->fd, p, n, f->path, err)) != TSF_OK)
        return rc;
    f->size += (int64_t)n;
    /* The disk works while the caller makes the next bytes; the sync at the end then waits for little. Only a hint. */
    if (f->size - f->pushed >= PUSH_BYTES) {
        (void)sync_file_range(f->fd, f->pushed, f->size - f->pushed, SYNC_FILE_RANGE_WRITE);
        f->pushed = f->size;
    }
    return TSF_OK;
}

static enum tsf_err newfile_sync_and_close(struct tsf_newfile *f, struct tsf_error *err)
{
    int fd = f->fd, rc;

    while ((rc = fdatasync(fd)) != 0 && errno == EINTR)
        ;
    if (rc != 0)
        return tsf_fail_errno(err, "cannot sync %s", f->path);
    f->fd = -1; /* after close the number is gone, whatever it returns */
    if (close(fd) != 0 && errno != EINTR)
        return tsf_fail_errno(err, "cannot close %s", f->path);
    return TSF_OK;
}

/* Give the temporary its name unless that is taken. Ends with the temporary gone, errno set on failure. */
static int name_new(const char *tmp_path, const char *path)
{
    if (link(tmp_path, path) == 0) {
        (void)unlink(tmp_path); /* a leftover costs space, not truth: vacuum takes it */
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return -1;
    /* No hard links here (FAT, some network file systems). */
    return renameat2(AT_FDCWD, tmp_path, AT_FDCWD, path, RENAME_NOREPLACE);
}

enum tsf_err tsf_newfile_publish(struct tsf_newfile *f, enum tsf_publish how, struct tsf_error *err)
{
    enum tsf_err rc;
    int named;

    assert(f->fd >= 0);
    if ((rc = newfile_sync_and_close(f, err)) != TSF_OK)
        return rc;
    named = how == TSF_PUBLISH_NEW ? name_new(f->tmp_path, f->path) : rename(f->tmp_path, f->path);
    if (named != 0 && how == TSF_PUBLISH_NEW && errno == EEXIST)
        return tsf_fail(err, TSF_ERR_CONFLICT, "%s exists already", f->path);
    if (named != 0)
        return tsf_fail_errno(err, "cannot publish %s", f->path);
    free(f->tmp_path);
    f->tmp_path = NULL;
    return parent_sync(f->path, err);
}

void tsf_newfile_abort(struct tsf_newfile *f)
{
    if (f->fd >= 0 && f->path != NULL)
        close(f->fd); /* the bytes are given up */
    if (f->tmp_path != NULL)
        (void)unlink(f->tmp_path);
    free(f->tmp_path);
    free(f->path);
    *f = (struct tsf_newfile)TSF_NEWFILE_INIT;
}

enum tsf_err tsf_file_write(const char *path, const void *p, size_t n, enum tsf_publish how, struct tsf_error *err)
{
    struct tsf_newfile f = TSF_NEWFILE_INIT;
    enum tsf_err rc;

    if ((rc = tsf_newfile_open(&f, path, err)) == TSF_OK && (rc = tsf_newfile_write(&f, p, n, err)) == TSF_OK)
        rc = tsf_newfile_publish(&f, how, err);
    tsf_newfile_abort(&f);
    return rc;
}

enum tsf_err tsf_file_move(const char *from, const char *to, struct tsf_error *err)
{
    if (rename(from, to) != 0)
        return tsf_fail_errno(err, "cannot rename %s", from);
    return parent_sync(to, err);
}

/* ---- locks ------------------------------------------------------------------------------------------ */

static int lock_open(const char *path, bool shared)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);

    if (fd < 0 && shared && (errno == EACCES || errno == EROFS || errno == EPERM))
        fd = open(path, O_RDONLY | O_CLOEXEC); /* a reader of a table that is not its own */
    return fd;
}

static void sleep_us(int64_t us)
{
    struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

    (void)nanosleep(&ts, NULL); /* a signal ends it early, and the caller looks at the cancel flag */
}

/* flock with a limit: the kernel has none, so ask again and again, less often as time goes. */
static enum tsf_err lock_wait(int fd, const char *path, int op, int wait_ms, struct tsf_error *err)
{
    int64_t deadline_ns = tsf_monotonic_ns() + (int64_t)wait_ms * 1000000, poll_us = LOCK_POLL_MIN_US;
    enum tsf_err rc;

    for (;;) {
        int64_t left_us;

        if (flock(fd, wait_ms < 0 ? op : op | LOCK_NB) == 0)
            return TSF_OK;
        if (errno != EINTR && errno != EWOULDBLOCK)
            return tsf_fail_errno(err, "cannot lock %s", path);
        if ((rc = tsf_cancel_check(err)) != TSF_OK)
            return rc;
        if (wait_ms < 0)
            continue;
        if ((left_us = (deadline_ns - tsf_monotonic_ns()) / 1000) <= 0)
            return tsf_fail(err, TSF_ERR_CONFLICT, "%s is locked by another process", path);
        sleep_us(TSF_MIN(poll_us, left_us));
        poll_us = TSF_MIN(poll_us * 2, LOCK_POLL_MAX_US);
    }
}

/* False when the file we locked no longer has this name: whoever comes next would lock another one. */
static bool lock_is_of_path(int fd, const char *path)
{
    struct stat ours, named;

    return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

enum tsf_err tsf_lock_take(struct tsf_lock *l, const char *path, bool shared, int wait_ms, struct tsf_error *err)
{
    enum tsf_err rc;
    int fd;

    l->fd = -1;
    for (;;) {
        if ((fd = lock_open(path, shared)) < 0)
            return tsf_fail_errno(err, "cannot open lock %s", path);
        if ((rc = lock_wait(fd, path, shared ? LOCK_SH : LOCK_EX, wait_ms, err)) != TSF_OK) {
            close(fd);
            return rc;
        }
        if (lock_is_of_path(fd, path))
            break;
        close(fd); /* removed while we waited: once more */
    }
    l->fd = fd;
    return TSF_OK;
}

void tsf_lock_release(struct tsf_lock *l)
{
    if (l->fd >= 0)
        close(l->fd); /* ends the description, and the lock with it */
    l->fd = -1;
}
