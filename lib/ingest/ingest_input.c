/*
 * Files and pipes into blocks of whole lines. What is plain text is read in large pieces; what is not goes through
 * libarchive. A file is read, not mapped: one that is cut while we read is an error and not a signal.
 */
#include "ingest/ingest_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define OVERSIZE_KEEP ((size_t)64 << 10) /* of a row over the limit, for the reject file */

struct ingest_input {
    const char *const *paths;
    int n_paths, next_path;
    int64_t block_bytes, max_row_bytes;
    int fd;
    bool open, ended;               /* a stream is open; its bytes have all been read */
    struct ingest_archive *archive; /* of the file, while its members are read */
    const char *path, *name;        /* of the file, of the stream */
    struct tsf_buf carry;           /* the beginning of a line, for the next block */
    int64_t offset, ticket;
    bool first;
    struct ingest_input_counts counts;
    struct tsf_arena arena;
};

void ingest_block_release(struct ingest_block *b)
{
    free(b->data);
    *b = (struct ingest_block){ 0 };
}

static bool block_room(struct ingest_block *b, size_t n, struct tsf_error *err)
{
    char *p;

    if (n <= b->cap)
        return true;
    if (!(p = realloc(b->data, n + INGEST_PAD))) {
        (void)tsf_fail_nomem(err);
        return false;
    }
    b->data = p;
    b->cap = n;
    return true;
}

/* ---- what it is ------------------------------------------------------------------------------------------------- */

bool ingest_is_packed(const void *bytes, size_t n)
{
    static const struct {
        unsigned char len;
        const char *magic;
    } text[] = { { 3, "BZh" }, { 2, "PK" }, { 4, "Rar!" }, { 8, "!<arch>\n" }, { 6, "070701" }, { 6, "070702" }, { 6, "070707" },
                 { 4, "LZIP" }, { 4, "LRZI" }, { 4, "xar!" }, { 4, "MSCF" }, { 5, "WARC/" }, { 6, "begin " }, { 2, "7z" } };
    const unsigned char *p = bytes;

    if (n > 262 && memcmp(p + 257, "ustar", 5) == 0)
        return true;
    for (size_t i = 0; i < TSF_ARRAY_LEN(text); i++)
        if (n >= text[i].len && memcmp(p, text[i].magic, text[i].len) == 0)
            return true;
    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        return false;
    /* A line of JSON, however broken, begins with something else than this. */
    for (size_t i = 0; i < TSF_MIN(n, 4u); i++)
        if (p[i] >= 0x80 || (p[i] < 0x20 && p[i] != '\t' && p[i] != '\n' && p[i] != '\r'))
            return true;
    return n > 0 && p[0] != '{' && memchr(p, 0, TSF_MIN(n, 512u)); /* old tar: a name and NULs */
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

enum tsf_err ingest_input_open(const char *const *paths, int n_paths, int64_t block_bytes, int64_t max_row_bytes,
                               struct ingest_input **out, struct tsf_error *err)
{
    struct ingest_input *in = calloc(1, sizeof *in);
    struct stat st;

    if (!in)
        return tsf_fail_nomem(err);
    *in = (struct ingest_input){ .paths = paths, .n_paths = n_paths, .block_bytes = block_bytes, .max_row_bytes = max_row_bytes, .fd = -1 };
    tsf_buf_init(&in->carry, (size_t)-1 >> 2);
    for (int i = 0; i < n_paths && in->counts.bytes_total >= 0; i++) {
        if (strcmp(paths[i], "-") == 0 ? fstat(0, &st) == 0 : stat(paths[i], &st) == 0)
            in->counts.bytes_total = S_ISREG(st.st_mode) ? in->counts.bytes_total + st.st_size : -1;
        else
            in->counts.bytes_total = -1;
    }
    *out = in;
    return TSF_OK;
}

static void file_close(struct ingest_input *in)
{
    if (in->archive)
        in->counts.bytes_in += ingest_archive_bytes_in(in->archive);
    while (in->archive)
        in->archive = ingest_archive_close(in->archive);
    if (in->fd > 0)
        close(in->fd);
    in->fd = -1;
    in->open = false;
}

void ingest_input_close(struct ingest_input *in)
{
    if (!in)
        return;
    file_close(in);
    tsf_buf_release(&in->carry);
    tsf_arena_release(&in->arena);
    free(in);
}

bool ingest_input_more(const struct ingest_input *in)
{
    return in->open || in->archive || in->next_path < in->n_paths;
}

void ingest_input_counts(const struct ingest_input *in, struct ingest_input_counts *out)
{
    *out = in->counts;
    if (in->archive)
        out->bytes_in += ingest_archive_bytes_in(in->archive);
}

static void stream_begin(struct ingest_input *in, const char *name)
{
    in->name = name;
    in->open = true;
    in->ended = false;
    in->first = true;
    in->offset = 0;
    in->carry.len = 0;
}

static enum tsf_err file_open(struct ingest_input *in, struct tsf_error *err)
{
    struct stat st;

    if (in->next_path == in->n_paths)
        return TSF_END;
    in->path = in->paths[in->next_path++];
    if (strcmp(in->path, "-") == 0) {
        in->path = "stdin";
        in->fd = 0;
    } else if ((in->fd = open(in->path, O_RDONLY | O_CLOEXEC)) < 0) {
        return tsf_fail_errno(err, "%s", in->path);
    }
    if (fstat(in->fd, &st) != 0)
        return tsf_fail_errno(err, "%s", in->path);
    if (S_ISDIR(st.st_mode))
        return tsf_fail(err, TSF_ERR_INVALID, "%s is a directory", in->path);
    if (S_ISREG(st.st_mode))
        (void)posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    in->counts.files++;
    stream_begin(in, in->path);
    return TSF_OK;
}

static enum tsf_err member_open(struct ingest_input *in, struct tsf_error *err)
{
    const char *member, *name = ingest_archive_name(in->archive);
    enum tsf_err rc = ingest_archive_next(in->archive, &member, err);
    int64_t bytes_in = ingest_archive_bytes_in(in->archive);

    if (rc == TSF_END && !(in->archive = ingest_archive_close(in->archive)))
        in->counts.bytes_in += bytes_in;
    if (rc != TSF_OK)
        return rc;
    if (member && !(name = tsf_arena_printf(&in->arena, "%s:%s", name, member)))
        return tsf_fail_nomem(err);
    stream_begin(in, name);
    return TSF_OK;
}

/* The next file, or the next member of the archive that we are in. */
static enum tsf_err stream_open(struct ingest_input *in, struct tsf_error *err)
{
    enum tsf_err rc;

    while (in->archive)
        if ((rc = member_open(in, err)) != TSF_END)
            return rc;
    file_close(in);
    return file_open(in, err);
}

/* ---- bytes ------------------------------------------------------------------------------------------------------------ */

/* Up to n bytes; 0 at the end. */
static enum tsf_err stream_read(struct ingest_input *in, char *p, size_t n, size_t *n_out, struct tsf_error *err)
{
    ssize_t got;

    *n_out = 0;
    if (in->archive) {
        enum tsf_err rc = ingest_archive_read(in->archive, p, n, n_out, err);
        if (rc != TSF_OK)
            return tsf_prepend(err, rc, "%s", in->name);
    } else {
        do
            got = read(in->fd, p, n);
        while (got < 0 && errno == EINTR && !tsf_cancelled());
        if (got < 0)
            return errno == EINTR ? tsf_cancel_check(err) : tsf_fail_errno(err, "%s", in->path);
        *n_out = (size_t)got;
        in->counts.bytes_in += got;
    }
    in->counts.bytes_decoded += (int64_t)*n_out;
    in->ended = *n_out == 0;
    return TSF_OK;
}

/* Fill the block up to its target size or the end of the stream. */
static enum tsf_err block_fill(struct ingest_input *in, struct ingest_block *blk, size_t target, struct tsf_error *err)
{
    enum tsf_err rc;
    size_t n;

    if (!block_room(blk, target, err))
        return TSF_ERR_NOMEM;
    while (!in->ended && blk->len < target) {
        if ((rc = stream_read(in, blk->data + blk->len, target - blk->len, &n, err)) != TSF_OK)
            return rc;
        blk->len += n;
    }
    return TSF_OK;
}

/* The row at the start of the block is over the limit: keep its beginning, read on to its end. */
static enum tsf_err oversize_take(struct ingest_input *in, struct ingest_block *blk, struct tsf_error *err)
{
    size_t keep = TSF_MIN(blk->len, OVERSIZE_KEEP), n;
    char *rest, *nl = NULL;
    int64_t total = (int64_t)blk->len;
    enum tsf_err rc;

    if (!block_room(blk, keep + OVERSIZE_KEEP, err))
        return TSF_ERR_NOMEM;
    rest = blk->data + keep;
    while (!nl && !in->ended) {
        if ((rc = stream_read(in, rest, blk->cap - keep, &n, err)) != TSF_OK)
            return rc;
        if ((nl = memchr(rest, '\n', n))) {
            total += nl - rest;
            in->carry.len = 0;
            if ((rc = tsf_buf_append(&in->carry, nl + 1, n - (size_t)(nl + 1 - rest), err)) != TSF_OK)
                return rc;
        } else {
            total += (int64_t)n;
        }
    }
    blk->len = keep;
    blk->oversize = total;
    in->offset += total + (nl != NULL);
    return TSF_OK;
}

/* Cut the block behind its last line; the rest waits. */
static enum tsf_err block_cut(struct ingest_input *in, struct ingest_block *blk, struct tsf_error *err)
{
    size_t target = blk->len;
    enum tsf_err rc;
    char *nl = NULL;

    while (!in->ended && !(nl = memrchr(blk->data, '\n', blk->len))) {
        if ((int64_t)blk->len > in->max_row_bytes)
            return oversize_take(in, blk, err);
        target = (size_t)TSF_MIN((int64_t)target * 2, in->max_row_bytes + 1);
        if ((rc = block_fill(in, blk, target, err)) != TSF_OK)
            return rc;
    }
    if (nl) {
        size_t keep = (size_t)(nl + 1 - blk->data);
        if ((rc = tsf_buf_append(&in->carry, nl + 1, blk->len - keep, err)) != TSF_OK)
            return rc;
        blk->len = keep;
    }
    in->offset += (int64_t)blk->len;
    return TSF_OK;
}

/* A small file does not need a whole block. */
static size_t block_target(const struct ingest_input *in)
{
    struct stat st;

    if (in->first && !in->archive && fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < in->block_bytes)
        return TSF_MAX((size_t)st.st_size + 1, 4096u);
    return (size_t)in->block_bytes;
}

static enum tsf_err block_read(struct ingest_input *in, struct ingest_block *blk, struct tsf_error *err)
{
    enum tsf_err rc;

    blk->len = 0;
    blk->oversize = 0;
    if (!block_room(blk, in->carry.len, err))
        return TSF_ERR_NOMEM;
    if (in->carry.len)
        memcpy(blk->data, in->carry.data, in->carry.len);
    blk->len = in->carry.len;
    in->carry.len = 0;
    if ((rc = block_fill(in, blk, TSF_MAX(block_target(in), blk->len + 1), err)) != TSF_OK)
        return rc;
    if (!in->first || !ingest_is_packed(blk->data, blk->len))
        return TSF_OK;
    if (!in->archive)
        in->counts.bytes_in -= (int64_t)blk->len;
    in->counts.bytes_decoded -= (int64_t)blk->len;
    if ((rc = ingest_archive_open(in->fd, in->archive, blk->data, blk->len, in->name, &in->archive, err)) != TSF_OK)
        return rc;
    in->open = false;
    blk->len = 0;
    return TSF_OK;
}

enum tsf_err ingest_input_next(struct ingest_input *in, struct ingest_block *blk, struct tsf_error *err)
{
    enum tsf_err rc;

    for (;;) {
        if (!in->open && (rc = stream_open(in, err)) != TSF_OK)
            return rc;
        if ((rc = block_read(in, blk, err)) != TSF_OK)
            return rc;
        if (in->open && blk->len > 0)
            break;
        if (in->open && in->ended) {
            in->open = false;
            if (!in->archive)
                file_close(in);
        }
    }
    blk->name = in->name;
    blk->first = in->first;
    blk->offset = in->offset;
    blk->ticket = in->ticket++;
    in->first = false;
    if ((rc = block_cut(in, blk, err)) != TSF_OK)
        return rc;
    blk->data[blk->len] = '\n';
    memset(blk->data + blk->len + 1, 0, INGEST_PAD - 1);
    if (in->ended && in->carry.len == 0) {
        in->open = false;
        if (!in->archive)
            file_close(in);
    }
    return TSF_OK;
}
