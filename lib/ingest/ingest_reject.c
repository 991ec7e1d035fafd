/* Bad rows as JSON Lines: {"file":…,"line":…,"offset":…,"reason":…,"raw":…}. Lines count from 1, offsets from 0. */
#include "ingest/ingest_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define WRITE_AT ((size_t)1 << 20)

enum tsf_err ingest_rejecter_open(struct ingest_rejecter *r, const char *path, struct tsf_error *err)
{
    *r = (struct ingest_rejecter){ .fd = -1, .path = path };
    if (!path)
        return TSF_OK;
    r->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return r->fd < 0 ? tsf_fail_errno(err, "%s", path) : TSF_OK;
}

static enum tsf_err buffer_write(struct ingest_rejecter *r, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    if (r->fd >= 0 && r->buf.len)
        rc = tsf_write_all(r->fd, r->buf.data, r->buf.len, r->path, err);
    r->buf.len = 0;
    return rc;
}

static enum tsf_err line_add(struct ingest_rejecter *r, const struct ingest_block *blk, const struct ingest_reject *x,
                             const char *reason, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = tsf_buf_append_z(&r->buf, "{\"file\":", err)) != TSF_OK ||
        (rc = tsf_buf_append_json(&r->buf, tsf_str(blk->name), err)) != TSF_OK ||
        (rc = tsf_buf_printf(&r->buf, err, ",\"line\":%lld,\"offset\":%lld,\"reason\":", (long long)(r->lines + x->line + 1),
                             (long long)(blk->offset + x->start))) != TSF_OK ||
        (rc = tsf_buf_append_json(&r->buf, tsf_str(reason), err)) != TSF_OK ||
        (rc = tsf_buf_append_z(&r->buf, ",\"raw\":", err)) != TSF_OK ||
        (rc = tsf_buf_append_json(&r->buf, tsf_str_n(blk->data + x->start, x->len), err)) != TSF_OK ||
        (blk->oversize && (rc = tsf_buf_printf(&r->buf, err, ",\"bytes\":%lld", (long long)blk->oversize)) != TSF_OK))
        return rc;
    if ((rc = tsf_buf_append_z(&r->buf, "}\n", err)) != TSF_OK)
        return rc;
    return r->buf.len >= WRITE_AT ? buffer_write(r, err) : TSF_OK;
}

enum tsf_err ingest_rejecter_take(struct ingest_rejecter *r, const struct ingest_parser *ps, const struct ingest_block *blk,
                                  struct tsf_error *err)
{
    enum tsf_err rc;

    if (blk->first) {
        r->stream = blk->name;
        r->lines = 0;
    }
    for (size_t i = 0; i < ps->n_rejects; i++) {
        const struct ingest_reject *x = &ps->rejects[i];
        const char *reason = (const char *)ps->reasons.data + x->reason;
        if (r->count++ == 0)
            snprintf(r->first, sizeof r->first, "%s:%lld: %s", blk->name, (long long)(r->lines + x->line + 1), reason);
        if (r->fd >= 0 && (rc = line_add(r, blk, x, reason, err)) != TSF_OK)
            return rc;
    }
    r->lines += ps->lines;
    return TSF_OK;
}

enum tsf_err ingest_rejecter_close(struct ingest_rejecter *r, struct tsf_error *err)
{
    enum tsf_err rc = buffer_write(r, err);

    /* Terminals and pipes cannot be synced. */
    if (r->fd >= 0 && rc == TSF_OK && r->count && fsync(r->fd) != 0 && errno != EINVAL && errno != EROFS)
        rc = tsf_fail_errno(err, "%s", r->path);
    if (r->fd >= 0 && close(r->fd) != 0 && rc == TSF_OK)
        rc = tsf_fail_errno(err, "%s", r->path);
    r->fd = -1;
    tsf_buf_release(&r->buf);
    return rc;
}
