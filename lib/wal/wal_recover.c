/* Finding what is good in a segment, and making a topic fit for appending after a crash. */
#include "wal/wal_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORGET_BYTES (64 << 20)

/* ---- listing ------------------------------------------------------------------------------------------- */

void wal_segment_name(int64_t base_lsn, const uint8_t id[16], char out[32])
{
    snprintf(out, 32, "%016llx-%02x%02x%02x%02x.wal", (unsigned long long)base_lsn, id[0], id[1], id[2], id[3]);
}

static bool segment_name_parse(const char *name, int64_t *base_lsn)
{
    uint8_t raw[12], id[4];

    if (strlen(name) != 29 || name[16] != '-' || strcmp(name + 25, ".wal") != 0 ||
        !tsf_unhex(tsf_str_n(name, 16), raw) || !tsf_unhex(tsf_str_n(name + 17, 8), id))
        return false;
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | raw[i];
    *base_lsn = (int64_t)v;
    return *base_lsn >= 1;
}

static int segment_cmp(const void *a, const void *b)
{
    const struct wal_segment_file *x = a, *y = b;

    if (x->base_lsn != y->base_lsn)
        return x->base_lsn < y->base_lsn ? -1 : 1;
    return strcmp(x->name, y->name);
}

void wal_segments_release(struct wal_segment_list *l)
{
    for (int i = 0; i < l->n; i++)
        free(l->files[i].name);
    free(l->files);
    *l = (struct wal_segment_list){ 0 };
}

enum tsf_err wal_segments_list(const struct wal_topic *t, struct wal_segment_list *out, struct tsf_error *err)
{
    struct wal_segment_list l = { 0 };
    enum tsf_err rc = TSF_OK;
    struct dirent *e;
    size_t cap = 0;
    int64_t base;
    DIR *d = opendir(t->dir);

    if (!d)
        return tsf_fail_errno(err, "%s", t->dir);
    while ((errno = 0, e = readdir(d))) {
        if (!segment_name_parse(e->d_name, &base))
            continue;
        if (!tsf_realloc_array((void **)&l.files, &cap, (size_t)l.n + 1, sizeof *l.files)) {
            rc = tsf_fail_nomem(err);
            goto fail;
        }
        char *name = strdup(e->d_name);
        if (!name) {
            rc = tsf_fail_nomem(err);
            goto fail;
        }
        l.files[l.n++] = (struct wal_segment_file){ .name = name, .base_lsn = base };
    }
    if (errno) {
        rc = tsf_fail_errno(err, "%s", t->dir);
        goto fail;
    }
    closedir(d);
    if (l.n)
        qsort(l.files, (size_t)l.n, sizeof *l.files, segment_cmp);
    *out = l;
    return TSF_OK;
fail:
    closedir(d);
    wal_segments_release(&l);
    return rc;
}

int64_t wal_records_most(int64_t size)
{
    return size / WAL_RECORD_HEADER + 1;
}

/* Whole pages of a shared file mapping leave memory; they come back from the file when asked for. */
void wal_pages_forget(const uint8_t *from, const uint8_t *to)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t a = ((uintptr_t)from + page - 1) & ~(page - 1), b = (uintptr_t)to & ~(page - 1);

    if (b > a)
        (void)madvise((void *)a, b - a, MADV_DONTNEED);
}

/* ---- scanning -------------------------------------------------------------------------------------------- */

void wal_scan_release(struct wal_scan *s)
{
    free(s->found);
    *s = (struct wal_scan){ 0 };
}

/* Record k has k records before it, so its number is bounded by its place, whatever it claims. */
static bool number_ok(const struct wal_record_header *h, int64_t min_number, int64_t off)
{
    return h->number >= min_number && h->number <= off / WAL_RECORD_HEADER;
}

/* The next place at or after off where a whole good record with a later number stands; size when there is none. */
static int64_t resync(const uint8_t *p, int64_t off, int64_t limit, uint64_t seed, int64_t min_number)
{
    struct wal_record_header h;

    for (off = (off + 7) & ~7LL; off + WAL_RECORD_HEADER <= limit; off += 8)
        if (tsf_le32_get(p + off) == WAL_RECORD_MAGIC && wal_record_header_decode(p + off, seed, &h) &&
            number_ok(&h, min_number, off) && off + wal_record_size(&h) <= limit && wal_body_ok(p + off, &h, seed))
            return off;
    return limit;
}

enum tsf_err wal_scan_segment(const uint8_t *p, int64_t size, const struct wal_segment_header *h, int64_t limit, bool check_all,
                              bool forget, struct wal_scan *out, struct tsf_error *err)
{
    uint64_t seed = wal_seed(h->id);
    int64_t off = h->header_len, next = 0;
    struct wal_scan s = { .end = off };
    int64_t forgotten = off;

    if (limit > size)
        limit = size;
    while (off + WAL_RECORD_HEADER <= limit) {
        struct wal_record_header rh;
        bool good = wal_record_header_decode(p + off, seed, &rh) && number_ok(&rh, next, off) &&
                    off + wal_record_size(&rh) <= limit && (!check_all || wal_body_ok(p + off, &rh, seed));
        if (!good) {
            int64_t again = resync(p, off, limit, seed, next);
            if (again >= limit)
                break;
            s.damage.bytes += again - off;
            off = again;
            continue;
        }
        if (rh.number > next) { /* numbers jump over what was damaged */
            if (!s.damage.records)
                s.damage.first_lsn = h->base_lsn + next;
            s.damage.last_lsn = h->base_lsn + rh.number - 1;
            s.damage.records += rh.number - next;
        }
        if (!tsf_realloc_array((void **)&s.found, &s.cap, s.n + 1, sizeof *s.found)) {
            wal_scan_release(&s);
            return tsf_fail_nomem(err);
        }
        s.found[s.n++] = (struct wal_found){ .offset = off, .h = rh };
        next = rh.number + 1;
        off += wal_record_size(&rh);
        if (forget && check_all && off - forgotten >= FORGET_BYTES) {
            wal_pages_forget(p + forgotten, p + off);
            forgotten = off;
        }
        s.end = off;
    }
    if (h->n_records > next) { /* sealed: what is missing at its end is damage, not a torn tail */
        if (!s.damage.records)
            s.damage.first_lsn = h->base_lsn + next;
        s.damage.last_lsn = h->base_lsn + h->n_records - 1;
        s.damage.records += h->n_records - next;
        s.damage.bytes += h->data_end > s.end ? h->data_end - s.end : 0;
    } else if (!h->n_records && s.end < limit) {
        s.damage.torn_tail = true;
    }
    *out = s;
    return TSF_OK;
}

/* ---- recovery --------------------------------------------------------------------------------------------------- */

struct tail {
    int64_t next_lsn;
    int64_t cut;     /* truncate the file to this; -1 leave it */
};

static enum tsf_err tail_examine(const uint8_t *p, int64_t size, struct tail *out, struct tsf_error *err)
{
    struct wal_segment_header h;
    struct wal_scan s;
    enum tsf_err rc;

    if ((rc = wal_header_decode(p, (size_t)size, &h, err)) != TSF_OK)
        return rc;
    if (h.n_records) {
        *out = (struct tail){ .next_lsn = h.base_lsn + h.n_records, .cut = -1 };
        return TSF_OK;
    }
    if ((rc = wal_scan_segment(p, size, &h, size, true, false, &s, err)) != TSF_OK)
        return rc;
    *out = (struct tail){ .next_lsn = h.base_lsn + (s.n ? s.found[s.n - 1].h.number + 1 : 0),
                          .cut = s.damage.torn_tail ? s.end : -1 };
    wal_scan_release(&s);
    return TSF_OK;
}

/*
 * A damaged header on the newest segment hides how many LSNs are taken: as many as fit are passed over, so that none is
 * given twice.
 */
static enum tsf_err tail_of(const struct wal_topic *t, const struct wal_segment_file *file, struct tail *out, struct tsf_error *err)
{
    const char *name = file->name;
    struct tsf_buf path = TSF_BUF_INIT(8192);
    struct tsf_source src = { 0 };
    enum tsf_err rc;
    int fd = -1;

    *out = (struct tail){ .cut = -1 };
    if ((rc = wal_topic_path(t, name, &path, err)) != TSF_OK || (rc = tsf_source_file(&src, (const char *)path.data, err)) != TSF_OK)
        goto done;
    const uint8_t *p = src.size ? tsf_source_view(&src, 0, (size_t)src.size) : NULL;
    if (src.size && !p) {
        rc = tsf_fail(err, TSF_ERR_IO, "%s: cannot be mapped", (const char *)path.data);
        goto done;
    }
    struct tsf_error e = TSF_ERROR_INIT;
    rc = tail_examine(p, src.size, out, &e);
    if (rc == TSF_ERR_FORMAT) {
        tsf_log(TSF_LOG_WARN, "%s: %s", (const char *)path.data, e.msg);
        *out = (struct tail){ .next_lsn = file->base_lsn + wal_records_most(src.size), .cut = -1 };
        rc = TSF_OK;
    } else if (rc != TSF_OK) {
        if (err)
            *err = e;
        tsf_prepend(err, rc, "%s", (const char *)path.data);
    }
    if (rc == TSF_OK && out->cut >= 0) {
        tsf_log(TSF_LOG_INFO, "%s: cutting an unfinished append of %lld bytes", (const char *)path.data,
                (long long)(src.size - out->cut));
        fd = open((const char *)path.data, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || ftruncate(fd, out->cut) != 0 || fsync(fd) != 0)
            rc = tsf_fail_errno(err, "%s", (const char *)path.data);
    }
done:
    if (fd >= 0)
        close(fd);
    tsf_source_close(&src);
    tsf_buf_release(&path);
    return rc;
}

enum tsf_err wal_recover(struct wal_topic *t, struct wal_state *out, struct tsf_error *err)
{
    struct wal_segment_list l = { 0 };
    struct tail tail = { 0 };
    int64_t next, floor;
    enum tsf_err rc;

    if ((rc = wal_floor_get(t, &floor, err)) != TSF_OK || (rc = wal_segments_list(t, &l, err)) != TSF_OK)
        goto done;
    next = floor + 1;
    if (l.n) {
        int i = l.n - 1; /* bases ascend, so the newest segment has the last LSN */
        if ((rc = tail_of(t, &l.files[i], &tail, err)) != TSF_OK)
            goto done;
        next = TSF_MAX(next, tail.next_lsn);
    }
    /* A new shared segment is begun rather than the old one continued: its pages may not be on disk. */
    *out = (struct wal_state){ .next_lsn = next };
    rc = wal_state_put(t, out, err);
done:
    wal_segments_release(&l);
    return rc;
}
