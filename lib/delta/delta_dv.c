/*
 * Deletion vectors: which rows of a data file are gone.
 *
 * On disk (storage 'u': a file named by a z85-coded UUID, 'p': by path) at the given offset:
 *
 *     size:4 big-endian   payload[size]   crc32(payload):4 big-endian
 *
 * Inline ('i') the payload itself is z85 text. The payload is a RoaringBitmapArray in the portable format:
 *
 *     magic:4 = 1681511377   n_bitmaps:8   n_bitmaps x { key:4   32-bit Roaring bitmap }
 *
 * and row = key << 32 | value. A 32-bit Roaring bitmap (all little-endian):
 *
 *     cookie:4   low 16 bits 12347: containers = (cookie >> 16) + 1, then one run flag bit per container
 *                12346: no runs, containers:4 follows
 *     containers x { key:2  cardinality - 1:2 }
 *     offsets:4 each, when there are no runs or at least 4 containers (not needed: containers follow in order)
 *     containers: run: n:2 then n x { start:2 length - 1:2 }; cardinality > 4096: 8192 bytes of bits; else values:2
 */
#include "delta/delta_internal.h"

#include <stdio.h>
#include <zlib.h>

#define DV_MAGIC 1681511377u
#define COOKIE_NO_RUN 12346u
#define COOKIE_RUN 12347u
#define NO_OFFSET_BELOW 4
#define ARRAY_MAX 4096
#define DV_BYTES_MAX ((int64_t)1 << 30)

struct reader {
    const uint8_t *p, *end;
    int64_t *rows;
    int64_t n, max;
};

static bool take(struct reader *r, size_t n, const uint8_t **out)
{
    if ((size_t)(r->end - r->p) < n)
        return false;
    *out = r->p;
    r->p += n;
    return true;
}

static bool emit(struct reader *r, int64_t row)
{
    if (r->n >= r->max || (r->n > 0 && row <= r->rows[r->n - 1]))
        return false;
    r->rows[r->n++] = row;
    return true;
}

static bool read_run(struct reader *r, int64_t base)
{
    const uint8_t *p;
    size_t n;

    if (!take(r, 2, &p) || !take(r, (n = tsf_le16_get(p)) * 4, &p))
        return false;
    for (size_t i = 0; i < n; i++) {
        int64_t start = tsf_le16_get(p + 4 * i), length = tsf_le16_get(p + 4 * i + 2);

        if (start + length > 0xffff)
            return false;
        for (int64_t k = 0; k <= length; k++)
            if (!emit(r, base | (start + k)))
                return false;
    }
    return true;
}

static bool read_bits(struct reader *r, int64_t base)
{
    const uint8_t *p;

    if (!take(r, 8192, &p))
        return false;
    for (int64_t w = 0; w < 1024; w++)
        for (uint64_t bits = tsf_le64_get(p + 8 * w); bits != 0; bits &= bits - 1)
            if (!emit(r, base | (w * 64 + __builtin_ctzll(bits))))
                return false;
    return true;
}

static bool read_array(struct reader *r, int64_t base, size_t n)
{
    const uint8_t *p;

    if (!take(r, n * 2, &p))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!emit(r, base | tsf_le16_get(p + 2 * i)))
            return false;
    return true;
}

static bool read_bitmap(struct reader *r, int64_t high)
{
    const uint8_t *p, *runs = NULL, *heads;
    uint32_t cookie, n;

    if (!take(r, 4, &p))
        return false;
    cookie = tsf_le32_get(p);
    if ((cookie & 0xffff) == COOKIE_RUN) {
        n = (cookie >> 16) + 1;
        if (!take(r, (n + 7) / 8, &runs))
            return false;
    } else {
        if (cookie != COOKIE_NO_RUN || !take(r, 4, &p) || (n = tsf_le32_get(p)) > 65536)
            return false;
    }
    if (!take(r, (size_t)n * 4, &heads) || ((runs == NULL || n >= NO_OFFSET_BELOW) && !take(r, (size_t)n * 4, &p)))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        int64_t base = high | (int64_t)tsf_le16_get(heads + 4 * i) << 16;
        size_t cardinality = (size_t)tsf_le16_get(heads + 4 * i + 2) + 1;
        bool run = runs != NULL && (runs[i / 8] >> (i % 8) & 1);

        if (!(run ? read_run(r, base) : cardinality > ARRAY_MAX ? read_bits(r, base) : read_array(r, base, cardinality)))
            return false;
    }
    return true;
}

enum tsf_err delta_dv_decode(const void *bytes, size_t n, int64_t cardinality, struct tsf_arena *a, int64_t **rows_out, int64_t *n_out,
                             struct tsf_error *err)
{
    struct reader r = { .p = bytes, .end = (const uint8_t *)bytes + n, .max = cardinality };
    const uint8_t *p;
    uint64_t n_bitmaps;

    if (!take(&r, 4, &p) || tsf_le32_get(p) != DV_MAGIC)
        return tsf_fail(err, TSF_ERR_FORMAT, "deletion vector: bad magic number");
    /* A row costs at least one bit (in a container of 8 KiB), or a share of a run of 4 bytes for 65,536. */
    if (cardinality < 0 || (uint64_t)cardinality / 16384 > n)
        return tsf_fail(err, TSF_ERR_FORMAT, "deletion vector: %zu bytes cannot hold %lld rows", n, (long long)cardinality);
    if ((r.rows = tsf_arena_alloc(a, (size_t)cardinality * sizeof *r.rows)) == NULL)
        return tsf_fail_nomem(err);
    if (!take(&r, 8, &p) || (n_bitmaps = tsf_le64_get(p)) > n)
        return tsf_fail(err, TSF_ERR_FORMAT, "deletion vector: truncated or broken bitmap");
    for (uint64_t i = 0; i < n_bitmaps; i++)
        if (!take(&r, 4, &p) || tsf_le32_get(p) > INT32_MAX || !read_bitmap(&r, (int64_t)tsf_le32_get(p) << 32))
            return tsf_fail(err, TSF_ERR_FORMAT, "deletion vector: truncated or broken bitmap, or more than the %lld rows it promises",
                            (long long)cardinality);
    if (r.n != cardinality)
        return tsf_fail(err, TSF_ERR_FORMAT, "deletion vector: %lld rows, %lld were promised", (long long)r.n, (long long)cardinality);
    *rows_out = r.rows;
    *n_out = r.n;
    return TSF_OK;
}

/* ---- where the bytes are ---------------------------------------------------------------------------------- */

static int z85_digit(char c)
{
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    const char *p = c != '\0' ? strchr(alphabet, c) : NULL;

    return p != NULL ? (int)(p - alphabet) : -1;
}

/* Five characters to four bytes, big-endian. */
static bool z85_decode(struct tsf_str s, uint8_t *out)
{
    if (s.len % 5 != 0)
        return false;
    for (size_t i = 0; i < s.len; i += 5) {
        uint64_t v = 0;

        for (size_t k = 0; k < 5; k++) {
            int d = z85_digit(s.data[i + k]);

            if (d < 0)
                return false;
            v = v * 85 + (uint64_t)d;
        }
        if (v > UINT32_MAX)
            return false;
        for (size_t k = 0; k < 4; k++)
            out[i / 5 * 4 + k] = (uint8_t)(v >> (24 - 8 * k));
    }
    return true;
}

static enum tsf_err dv_inline(const struct delta_dv *dv, struct tsf_arena *a, int64_t **rows_out, int64_t *n_out, struct tsf_error *err)
{
    size_t n = dv->path_or_inline.len / 5 * 4;
    uint8_t *bytes = tsf_arena_alloc(a, n);

    if (bytes == NULL)
        return tsf_fail_nomem(err);
    if (!z85_decode(dv->path_or_inline, bytes) || (size_t)dv->size > n)
        return tsf_fail(err, TSF_ERR_FORMAT, "deletion vector: broken inline text");
    return delta_dv_decode(bytes, (size_t)dv->size, dv->cardinality, a, rows_out, n_out, err);
}

/* "<prefix><z85 of a UUID>" names prefix/deletion_vector_<uuid>.bin. */
static enum tsf_err dv_key(const struct delta_dv *dv, struct tsf_arena *a, const char **out, struct tsf_error *err)
{
    struct tsf_str s = dv->path_or_inline, path;
    uint8_t id[16];
    bool absolute;
    enum tsf_err rc;
    char hex[33];

    if (dv->storage == 'p') {
        if ((rc = delta_path_decode(s, a, &path, &absolute, err)) != TSF_OK)
            return rc;
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "deletion vector outside of the table: %.*s", (int)TSF_MIN(s.len, (size_t)200), s.data);
    }
    if (s.len < 20 || !z85_decode(tsf_str_n(s.data + s.len - 20, 20), id))
        return tsf_fail(err, TSF_ERR_FORMAT, "deletion vector: broken file name \"%.*s\"", (int)TSF_MIN(s.len, (size_t)100), s.data);
    tsf_hex(id, 16, hex);
    *out = tsf_arena_printf(a, "%.*s%sdeletion_vector_%.8s-%.4s-%.4s-%.4s-%.12s.bin", (int)(s.len - 20), s.data, s.len > 20 ? "/" : "",
                            hex, hex + 8, hex + 12, hex + 16, hex + 20);
    return *out != NULL ? TSF_OK : tsf_fail_nomem(err);
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum tsf_err dv_file(struct store *store, const struct delta_dv *dv, struct tsf_arena *a, int64_t **rows_out, int64_t *n_out,
                            struct tsf_error *err)
{
    struct tsf_source src = { 0 };
    int64_t off = TSF_MAX(dv->offset, 0);
    const char *key;
    uint8_t *bytes;
    enum tsf_err rc;

    if (dv->size > DV_BYTES_MAX)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "deletion vector of %lld bytes", (long long)dv->size);
    if ((rc = dv_key(dv, a, &key, err)) != TSF_OK || (rc = store_source_open(store, key, -1, &src, err)) != TSF_OK)
        return tsf_prepend(err, rc, "deletion vector");
    if (off > src.size || dv->size + 8 > src.size - off)
        rc = tsf_fail(err, TSF_ERR_FORMAT, "%s: deletion vector lies outside of the file", key);
    else if ((bytes = tsf_arena_alloc(a, (size_t)dv->size + 8)) == NULL)
        rc = tsf_fail_nomem(err);
    else if ((rc = tsf_source_read(&src, off, (size_t)dv->size + 8, bytes, err)) == TSF_OK) {
        if (be32(bytes) != (uint64_t)dv->size)
            rc = tsf_fail_at(err, off, "%s: deletion vector of %u bytes, the log says %lld", key, be32(bytes), (long long)dv->size);
        else if (be32(bytes + 4 + dv->size) != crc32(0, bytes + 4, (uInt)dv->size))
            rc = tsf_fail_at(err, off, "%s: deletion vector checksum does not match", key);
        else
            rc = delta_dv_decode(bytes + 4, (size_t)dv->size, dv->cardinality, a, rows_out, n_out, err);
    }
    tsf_source_close(&src);
    return rc;
}

enum tsf_err delta_dv_read(struct store *store, const struct delta_dv *dv, struct tsf_arena *a, int64_t **rows_out, int64_t *n_out,
                           struct tsf_error *err)
{
    if (dv->storage == 0) {
        *rows_out = NULL;
        *n_out = 0;
        return TSF_OK;
    }
    return dv->storage == 'i' ? dv_inline(dv, a, rows_out, n_out, err) : dv_file(store, dv, a, rows_out, n_out, err);
}
