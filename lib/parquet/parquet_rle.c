/*
 * The RLE / bit-packed hybrid: levels, dictionary codes, booleans.
 *
 *   run      varint count << 1, the value in (width + 7) / 8 bytes
 *   packed   varint groups << 1 | 1, groups * 8 values of width bits, low bit first
 */
#include "parquet/parquet_read_internal.h"

enum tsf_err parquet_hybrid_init(struct parquet_hybrid *h, const uint8_t *p, size_t n, int w, struct tsf_error *err)
{
    if (w < 0 || w > 32)
        return tsf_fail(err, TSF_ERR_FORMAT, "RLE: bit width %d", w);
    *h = (struct parquet_hybrid){ .p = p, .end = p + n, .w = w };
    return TSF_OK;
}

static enum tsf_err hybrid_run(struct parquet_hybrid *h, struct tsf_error *err)
{
    uint64_t head;
    if (h->w == 0 && h->p == h->end) {
        h->rle_left = INT64_MAX;
        h->value = 0;
        return TSF_OK;
    }
    if (!parquet_varint_get(&h->p, h->end, &head))
        return tsf_fail(err, TSF_ERR_FORMAT, "RLE: the page ends before its values");
    uint64_t count = head >> 1;
    if (count == 0 || count > INT32_MAX)
        return tsf_fail(err, TSF_ERR_FORMAT, "RLE: run of %llu", (unsigned long long)count);
    if (head & 1) {
        uint64_t bytes = count * (uint64_t)h->w, have = (uint64_t)(h->end - h->p);
        h->packed = h->p;
        h->packed_at = 0;
        h->packed_left = (int64_t)count * 8;
        if (bytes > have) { /* some writers leave the padding of the last run away */
            h->packed_left = (int64_t)(have * 8 / (uint64_t)h->w);
            bytes = have;
        }
        if (h->packed_left == 0)
            return tsf_fail(err, TSF_ERR_FORMAT, "RLE: packed run ends past the page");
        h->p += bytes;
    } else {
        int bytes = (h->w + 7) / 8;
        if (bytes > h->end - h->p)
            return tsf_fail(err, TSF_ERR_FORMAT, "RLE: run ends past the page");
        h->value = 0;
        for (int i = 0; i < bytes; i++)
            h->value |= (uint32_t)h->p[i] << 8 * i;
        h->p += bytes;
        h->rle_left = (int64_t)count;
    }
    return TSF_OK;
}

static inline uint32_t packed_get(const struct parquet_hybrid *h, int64_t i)
{
    uint64_t bit = (uint64_t)i * (uint64_t)h->w;
    return (uint32_t)(tsf_le64_get(h->packed + (bit >> 3)) >> (bit & 7) & ((1ULL << h->w) - 1));
}

static void packed_read(struct parquet_hybrid *h, int64_t n, uint32_t *out)
{
    int64_t i = 0;
    while (i < n && (h->packed_at & 7))
        out[i++] = packed_get(h, h->packed_at++);
    parquet_kernels()->unpack32(h->packed + (h->packed_at >> 3) * h->w, h->w, n - i, out + i);
    h->packed_at += n - i;
    h->packed_left -= n;
}

enum tsf_err parquet_hybrid_read(struct parquet_hybrid *h, int64_t n, uint32_t *out, struct tsf_error *err)
{
    while (n > 0) {
        int64_t m;
        if (h->rle_left > 0) {
            m = TSF_MIN(n, h->rle_left);
            for (int64_t i = 0; i < m; i++)
                out[i] = h->value;
            h->rle_left -= m;
        } else if (h->packed_left > 0) {
            m = TSF_MIN(n, h->packed_left);
            packed_read(h, m, out);
        } else {
            enum tsf_err rc = hybrid_run(h, err);
            if (rc != TSF_OK)
                return rc;
            continue;
        }
        n -= m;
        out += m;
    }
    return TSF_OK;
}

enum tsf_err parquet_hybrid_read8(struct parquet_hybrid *h, int64_t n, uint8_t *out, struct tsf_error *err)
{
    uint32_t block[512];
    while (n > 0) {
        int64_t m;
        if (h->rle_left > 0) {
            m = TSF_MIN(n, h->rle_left);
            memset(out, (int)(h->value & 0xff), (size_t)m);
            h->rle_left -= m;
        } else if (h->packed_left > 0) {
            m = TSF_MIN(TSF_MIN(n, h->packed_left), (int64_t)TSF_ARRAY_LEN(block));
            packed_read(h, m, block);
            for (int64_t i = 0; i < m; i++)
                out[i] = (uint8_t)block[i];
        } else {
            enum tsf_err rc = hybrid_run(h, err);
            if (rc != TSF_OK)
                return rc;
            continue;
        }
        n -= m;
        out += m;
    }
    return TSF_OK;
}

enum tsf_err parquet_hybrid_skip(struct parquet_hybrid *h, int64_t n, struct tsf_error *err)
{
    while (n > 0) {
        int64_t m;
        if (h->rle_left > 0) {
            m = TSF_MIN(n, h->rle_left);
            h->rle_left -= m;
        } else if (h->packed_left > 0) {
            m = TSF_MIN(n, h->packed_left);
            h->packed_left -= m;
            h->packed_at += m;
        } else {
            enum tsf_err rc = hybrid_run(h, err);
            if (rc != TSF_OK)
                return rc;
            continue;
        }
        n -= m;
    }
    return TSF_OK;
}

/* Put the low m bits of x (m 1..64, the rest zero) at bit `at`; bits after are undefined to the end of their words. */
static inline void bits_put(uint64_t *bits, int64_t at, int m, uint64_t x)
{
    int s = (int)(at & 63);
    uint64_t *w = bits + (at >> 6);
    w[0] = (w[0] & ((1ULL << s) - 1)) | x << s;
    if (s + m > 64)
        w[1] = x >> (64 - s);
}

/* Bits from a byte-aligned run. */
static int64_t bits_from_packed(const uint8_t *p, int64_t from, int64_t n, uint64_t *bits, int64_t first)
{
    int64_t ones = 0;
    for (int64_t i = 0; i < n;) {
        int m = (int)TSF_MIN(n - i, 56);
        uint64_t x = tsf_le64_get(p + ((from + i) >> 3)) >> ((from + i) & 7);
        x &= (1ULL << m) - 1;
        ones += __builtin_popcountll(x);
        bits_put(bits, first + i, m, x);
        i += m;
    }
    return ones;
}

enum tsf_err parquet_hybrid_bits(struct parquet_hybrid *h, int64_t n, uint64_t *bits, int64_t first, int64_t *ones_out,
                                 struct tsf_error *err)
{
    int64_t ones = 0;
    while (n > 0) {
        int64_t m;
        if (h->rle_left > 0) {
            m = TSF_MIN(n, h->rle_left);
            if (h->value > 1)
                return tsf_fail(err, TSF_ERR_FORMAT, "RLE: value %u of width 1", h->value);
            for (int64_t i = 0; i < m; i += 64) /* each word is written whole, later bits are overwritten later */
                bits_put(bits, first + i, (int)TSF_MIN(m - i, 64),
                         h->value ? ~0ULL >> (64 - TSF_MIN(m - i, 64)) : 0);
            ones += h->value ? m : 0;
            h->rle_left -= m;
        } else if (h->packed_left > 0) {
            m = TSF_MIN(n, h->packed_left);
            ones += bits_from_packed(h->packed, h->packed_at, m, bits, first);
            h->packed_at += m;
            h->packed_left -= m;
        } else {
            enum tsf_err rc = hybrid_run(h, err);
            if (rc != TSF_OK)
                return rc;
            continue;
        }
        n -= m;
        first += m;
    }
    *ones_out = ones;
    return TSF_OK;
}

enum tsf_err parquet_bit_packed_convert(const uint8_t *p, size_t n, int w, int64_t n_values, struct tsf_buf *out,
                                        struct tsf_error *err)
{
    int64_t groups = (n_values + 7) / 8;
    size_t bytes = (size_t)groups * (size_t)w;
    uint8_t head[10];
    size_t n_head = 0;
    enum tsf_err rc;

    if (w > 8 || ((uint64_t)n_values * (uint64_t)w + 7) / 8 > n)
        return tsf_fail(err, TSF_ERR_FORMAT, "BIT_PACKED: levels end past the page");
    for (uint64_t x = (uint64_t)groups << 1 | 1; ; x >>= 7) {
        head[n_head++] = (uint8_t)(x & 0x7f) | (x > 0x7f ? 0x80 : 0);
        if (x <= 0x7f)
            break;
    }
    tsf_buf_reset(out);
    if ((rc = tsf_buf_append(out, head, n_head, err)) != TSF_OK ||
        (rc = tsf_buf_reserve(out, bytes + PARQUET_SLACK, err)) != TSF_OK)
        return rc;
    uint8_t *q = out->data + out->len;
    memset(q, 0, bytes + PARQUET_SLACK);
    for (int64_t i = 0, bit = 0; i < n_values; i++)
        for (int j = w - 1; j >= 0; j--, bit++)
            if (p[bit >> 3] >> (7 - (bit & 7)) & 1)
                q[(i * w + j) >> 3] |= (uint8_t)(1 << ((i * w + j) & 7));
    out->len += bytes;
    return TSF_OK;
}
