#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/base.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool range_is_inside(int64_t size, int64_t off, size_t n)
{
    return off >= 0 && off <= size && n <= (uint64_t)(size - off);
}

enum tsf_err tsf_source_read(const struct tsf_source *src, int64_t off, size_t n, void *dst, struct tsf_error *err)
{
    enum tsf_err rc;

    if (!range_is_inside(src->size, off, n))
        return tsf_fail_at(err, off, "%s: truncated: %zu bytes wanted at byte %lld of %lld", src->name, n,
                           (long long)off, (long long)src->size);
    if (n == 0)
        return TSF_OK;
    if ((rc = src->ops->read(src->ctx, off, n, dst, err)) != TSF_OK)
        return tsf_prepend(err, rc, "%s", src->name);
    return TSF_OK;
}

const uint8_t *tsf_source_view(const struct tsf_source *src, int64_t off, size_t n)
{
    if (src->ops->view == NULL || !range_is_inside(src->size, off, n))
        return NULL;
    return src->ops->view(src->ctx, off, n);
}

void tsf_source_close(struct tsf_source *src)
{
    if (src->ops != NULL && src->ops->close != NULL)
        src->ops->close(src->ctx);
    *src = (struct tsf_source){ 0 };
}

/* ---- memory: ctx is the first byte, tsf_source_read and _view keep the bounds ------------------------ */

static enum tsf_err memory_read(void *ctx, int64_t off, size_t n, void *dst, struct tsf_error *err)
{
    (void)err;
    memcpy(dst, (const uint8_t *)ctx + off, n);
    return TSF_OK;
}

static const uint8_t *memory_view(void *ctx, int64_t off, size_t n)
{
    (void)n;
    return (const uint8_t *)ctx + off;
}

static const struct tsf_source_ops memory_ops = { .read = memory_read, .view = memory_view };

void tsf_source_memory(struct tsf_source *src, const void *p, size_t n, const char *name)
{
    *src = (struct tsf_source){
        .ops = &memory_ops,
        .ctx = (void *)(uintptr_t)(p != NULL ? p : ""),
        .size = (int64_t)n,
        .name = name,
    };
}

/* ---- local files -------------------------------------------------------------------------------------- */

/*
 * The file is mapped whole. A file that another process truncates under us would raise SIGBUS; tsf's files are
 * immutable once they have a name (struct tsf_newfile) and are removed by unlink only, which leaves the map intact.
 */
struct file_source {
    int fd;             /* -1 when mapped */
    const uint8_t *map; /* NULL: read with pread */
    int64_t size;
    char name[];
};

static enum tsf_err file_read_at(void *ctx, int64_t off, size_t n, void *dst, struct tsf_error *err)
{
    struct file_source *f = ctx;
    uint8_t *out = dst;

    if (!range_is_inside(f->size, off, n))
        return tsf_fail_at(err, off, "truncated");
    if (f->map != NULL) {
        memcpy(out, f->map + off, n);
        return TSF_OK;
    }
    while (n > 0) {
        ssize_t got = pread(f->fd, out, n, off);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tsf_fail_errno(err, "cannot read %zu bytes at %lld", n, (long long)off);
        if (got == 0)
            return tsf_fail_at(err, off, "truncated");
        out += got;
        off += got;
        n -= (size_t)got;
    }
    return TSF_OK;
}

static const uint8_t *file_view(void *ctx, int64_t off, size_t n)
{
    struct file_source *f = ctx;

    return f->map != NULL && range_is_inside(f->size, off, n) ? f->map + off : NULL;
}

static void file_prefetch(void *ctx, const int64_t *offs, const int64_t *lens, int n)
{
    struct file_source *f = ctx;
    int64_t page = sysconf(_SC_PAGESIZE);

    for (int i = 0; i < n; i++) {
        int64_t first = offs[i] / page * page;

        if (lens[i] <= 0 || !range_is_inside(f->size, offs[i], (size_t)lens[i]))
            continue;
        if (f->map != NULL)
            (void)madvise((void *)(uintptr_t)(f->map + first), (size_t)(offs[i] + lens[i] - first), MADV_WILLNEED);
        else
            (void)posix_fadvise(f->fd, offs[i], lens[i], POSIX_FADV_WILLNEED);
    }
}

static void file_close(void *ctx)
{
    struct file_source *f = ctx;

    if (f->map != NULL)
        munmap((void *)(uintptr_t)f->map, (size_t)f->size);
    if (f->fd >= 0)
        close(f->fd); /* read only: nothing to lose */
    free(f);
}

static const struct tsf_source_ops file_ops = {
    .read = file_read_at,
    .view = file_view,
    .prefetch = file_prefetch,
    .close = file_close,
};

enum tsf_err tsf_source_file(struct tsf_source *src, const char *path, struct tsf_error *err)
{
    size_t name_size = strlen(path) + 1;
    struct file_source *f;
    struct stat st;
    enum tsf_err rc;
    void *map;
    int fd;

    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return tsf_fail_errno(err, "cannot open %s", path);
    if (fstat(fd, &st) != 0) {
        rc = tsf_fail_errno(err, "cannot look at %s", path);
        goto fail;
    }
    if (!S_ISREG(st.st_mode)) {
        rc = tsf_fail(err, TSF_ERR_INVALID, "%s is not a regular file", path);
        goto fail;
    }
    if ((f = malloc(sizeof(*f) + name_size)) == NULL) {
        rc = tsf_fail_nomem(err);
        goto fail;
    }
    *f = (struct file_source){ .fd = fd, .size = st.st_size };
    memcpy(f->name, path, name_size);
    if (st.st_size > 0 && (map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0)) != MAP_FAILED) {
        f->map = map;
        f->fd = -1;
        close(fd);
    }
    *src = (struct tsf_source){ .ops = &file_ops, .ctx = f, .size = st.st_size, .name = f->name };
    return TSF_OK;
fail:
    close(fd);
    return rc;
}
