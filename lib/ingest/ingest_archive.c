/*
 * Compressed and archived input through libarchive, which brings a tree of shared libraries: it is opened at the first input
 * that is not plain text. Every filter and format it has is tried, but mtree, which takes text for its own.
 */
#include "ingest/ingest_internal.h"

#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY "libarchive.so.13"
#define READ_SIZE ((size_t)1 << 20)
#define DEPTH_MAX 8

#define FUNCTIONS(X)                                                                                                          \
    X(archive_read_new) X(archive_read_free) X(archive_read_support_filter_all) X(archive_read_support_format_7zip)           \
    X(archive_read_support_format_ar) X(archive_read_support_format_cab) X(archive_read_support_format_cpio)                  \
    X(archive_read_support_format_empty) X(archive_read_support_format_iso9660) X(archive_read_support_format_lha)            \
    X(archive_read_support_format_rar) X(archive_read_support_format_rar5) X(archive_read_support_format_raw)                 \
    X(archive_read_support_format_tar) X(archive_read_support_format_warc) X(archive_read_support_format_xar)                 \
    X(archive_read_support_format_zip) X(archive_read_open_fd) X(archive_read_open) X(archive_read_next_header)               \
    X(archive_read_data) X(archive_filter_bytes) X(archive_error_string) X(archive_format) X(archive_entry_pathname)          \
    X(archive_entry_filetype) X(archive_filter_code)

#define MEMBER(f) __typeof__(f) *f;
static struct library {
    void *handle;
    FUNCTIONS(MEMBER)
} lib;
static pthread_once_t lib_once = PTHREAD_ONCE_INIT;

static void library_load(void)
{
    void *h = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    bool ok = h != NULL;

#define LOAD(f) ok = ok && (*(void **)&lib.f = dlsym(h, #f)) != NULL;
    FUNCTIONS(LOAD)
    lib.handle = ok ? h : NULL;
}

struct ingest_archive {
    struct archive *a;
    struct ingest_archive *parent; /* we decode its member; NULL: we decode fd */
    int fd, depth;
    const char *name;
    char *head, *chunk; /* what was read before us; room for what comes after it */
    size_t n_head;
};

static enum tsf_err archive_fail(const struct ingest_archive *x, struct tsf_error *err)
{
    const char *why = lib.archive_error_string(x->a);

    return tsf_fail(err, TSF_ERR_FORMAT, "%s: %s", x->name, why ? why : "damaged");
}

static la_ssize_t pipe_read(struct archive *a, void *ctx, const void **out)
{
    struct ingest_archive *x = ctx;
    size_t got = 0;
    ssize_t n;

    (void)a;
    if (x->n_head) {
        n = (ssize_t)x->n_head;
        *out = x->head;
        x->n_head = 0;
        return n;
    }
    *out = x->chunk;
    if (x->parent)
        return ingest_archive_read(x->parent, x->chunk, READ_SIZE, &got, NULL) == TSF_OK ? (la_ssize_t)got : ARCHIVE_FATAL;
    do
        n = read(x->fd, x->chunk, READ_SIZE);
    while (n < 0 && errno == EINTR && !tsf_cancelled());
    return n < 0 ? ARCHIVE_FATAL : n;
}

static int archive_start(struct ingest_archive *x, const void *head, size_t n_head)
{
    lib.archive_read_support_filter_all(x->a);
    lib.archive_read_support_format_7zip(x->a);
    lib.archive_read_support_format_ar(x->a);
    lib.archive_read_support_format_cab(x->a);
    lib.archive_read_support_format_cpio(x->a);
    lib.archive_read_support_format_empty(x->a);
    lib.archive_read_support_format_iso9660(x->a);
    lib.archive_read_support_format_lha(x->a);
    lib.archive_read_support_format_rar(x->a);
    lib.archive_read_support_format_rar5(x->a);
    lib.archive_read_support_format_raw(x->a);
    lib.archive_read_support_format_tar(x->a);
    lib.archive_read_support_format_warc(x->a);
    lib.archive_read_support_format_xar(x->a);
    lib.archive_read_support_format_zip(x->a);
    /* Some formats need to seek, which a file can. */
    if (!x->parent && lseek(x->fd, 0, SEEK_CUR) >= 0 && lseek(x->fd, 0, SEEK_SET) == 0)
        return lib.archive_read_open_fd(x->a, x->fd, READ_SIZE);
    if (!(x->head = malloc(n_head + 1)) || !(x->chunk = malloc(READ_SIZE)))
        return ARCHIVE_FATAL;
    memcpy(x->head, head, n_head);
    x->n_head = n_head;
    return lib.archive_read_open(x->a, x, NULL, pipe_read, NULL);
}

enum tsf_err ingest_archive_open(int fd, struct ingest_archive *parent, const void *head, size_t n_head, const char *name,
                                 struct ingest_archive **out, struct tsf_error *err)
{
    struct ingest_archive *x;
    enum tsf_err rc;

    pthread_once(&lib_once, library_load);
    if (!lib.handle) {
        rc = tsf_fail(err, TSF_ERR_UNSUPPORTED, "%s is not plain text, and %s, which could decode it, is not installed", name, LIBRARY);
        tsf_hint(err, "install the package libarchive13");
        return rc;
    }
    if (parent && parent->depth == DEPTH_MAX)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "%s: archives inside archives deeper than %d", name, DEPTH_MAX);
    if (!(x = calloc(1, sizeof *x)))
        return tsf_fail_nomem(err);
    x->fd = fd;
    x->parent = parent;
    x->depth = parent ? parent->depth + 1 : 1;
    x->name = name;
    if (!(x->a = lib.archive_read_new()))
        rc = tsf_fail_nomem(err);
    else
        rc = archive_start(x, head, n_head) == ARCHIVE_OK ? TSF_OK : archive_fail(x, err);
    if (rc != TSF_OK) {
        (void)ingest_archive_close(x);
        return rc;
    }
    *out = x;
    return TSF_OK;
}

enum tsf_err ingest_archive_next(struct ingest_archive *x, const char **member_out, struct tsf_error *err)
{
    struct archive_entry *e;
    int r;

    for (;;) {
        enum tsf_err rc = tsf_cancel_check(err);
        if (rc != TSF_OK)
            return rc;
        r = lib.archive_read_next_header(x->a, &e);
        if (r == ARCHIVE_EOF)
            return TSF_END;
        if (r == ARCHIVE_RETRY)
            continue;
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
            return archive_fail(x, err);
        bool raw = (lib.archive_format(x->a) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_RAW;
        if (raw && lib.archive_filter_code(x->a, 0) == ARCHIVE_FILTER_NONE)
            return tsf_fail(err, TSF_ERR_FORMAT, "%s: neither text nor compressed nor an archive in a form that libarchive knows", x->name);
        if (!raw && (lib.archive_entry_filetype(e) & S_IFMT) != S_IFREG)
            continue;
        *member_out = raw ? NULL : lib.archive_entry_pathname(e);
        if (!raw && !*member_out)
            *member_out = "?";
        return TSF_OK;
    }
}

const char *ingest_archive_name(const struct ingest_archive *x)
{
    return x->name;
}

enum tsf_err ingest_archive_read(struct ingest_archive *x, void *p, size_t n, size_t *n_out, struct tsf_error *err)
{
    la_ssize_t got;

    do
        got = lib.archive_read_data(x->a, p, n);
    while (got == ARCHIVE_RETRY);
    if (got < 0) {
        const char *why = lib.archive_error_string(x->a);
        return tsf_fail(err, TSF_ERR_FORMAT, "%s", why ? why : "damaged");
    }
    *n_out = (size_t)got;
    return TSF_OK;
}

int64_t ingest_archive_bytes_in(const struct ingest_archive *x)
{
    while (x->parent)
        x = x->parent;
    return lib.archive_filter_bytes(x->a, -1);
}

struct ingest_archive *ingest_archive_close(struct ingest_archive *x)
{
    struct ingest_archive *parent;

    if (!x)
        return NULL;
    parent = x->parent;
    if (x->a)
        lib.archive_read_free(x->a);
    free(x->head);
    free(x->chunk);
    free(x);
    return parent;
}
