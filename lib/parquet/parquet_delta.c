/*
 * DELTA_BINARY_PACKED.
 *
 *   head     varints: values in a block, miniblocks in a block, values in all; zigzag: the first value
 *   block    zigzag: least delta; one byte per miniblock: its width; miniblocks of packed deltas less the least one
 */
#include "parquet/parquet_read_internal.h"

#define DELTA_BLOCK_MAX 65536

bool parquet_varint_get(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t b = *(*p)++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return shift < 63 || b <= 1;
        }
    }
    return false;
}

struct delta {
    const uint8_t *p, *end;
    uint64_t block, minis, total, per_mini, value;
};

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static enum tsf_err delta_head(struct delta *d, int64_t max, struct tsf_error *err)
{
    if (!parquet_varint_get(&d->p, d->end, &d->block) || !parquet_varint_get(&d->p, d->end, &d->minis) ||
        !parquet_varint_get(&d->p, d->end, &d->total) || !parquet_varint_get(&d->p, d->end, &d->value))
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: truncated header");
    if (d->block == 0 || d->block > DELTA_BLOCK_MAX || d->minis == 0 || d->minis > d->block || d->block % d->minis ||
        d->block / d->minis % 8)
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: blocks of %llu in %llu miniblocks",
                        (unsigned long long)d->block, (unsigned long long)d->minis);
    if (d->total > (uint64_t)max)
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: %llu values, the page has %lld",
                        (unsigned long long)d->total, (long long)max);
    d->per_mini = d->block / d->minis;
    /* before anything is allocated: each block has a byte of delta and one per miniblock in use */
    if (d->total > 1 && (d->total - 2) / d->block + 1 > (uint64_t)(d->end - d->p) / 2)
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: the page ends before its %llu values",
                        (unsigned long long)d->total);
    d->value = (uint64_t)unzigzag(d->value);
    return TSF_OK;
}

/* Running sums; the kernels unpack, the chain of additions is one cycle a value. */
static uint64_t delta_sum64(uint64_t acc, uint64_t min, int w, const uint8_t *p, int64_t n, uint64_t *out)
{
    if (w == 0) {
        for (int64_t i = 0; i < n; i++)
            out[i] = acc + min * (uint64_t)(i + 1);
        return acc + min * (uint64_t)n;
    }
    parquet_kernels()->unpack64(p, w, n, out);
    for (int64_t i = 0; i < n; i++)
        out[i] = acc += min + out[i];
    return acc;
}

static uint64_t delta_sum32(uint64_t acc64, uint64_t min64, int w, const uint8_t *p, int64_t n, uint32_t *out)
{
    uint32_t acc = (uint32_t)acc64, min = (uint32_t)min64;
    if (w == 0) {
        for (int64_t i = 0; i < n; i++)
            out[i] = acc + min * (uint32_t)(i + 1);
        return acc + min * (uint32_t)n;
    }
    if (w <= 32) {
        parquet_kernels()->unpack32(p, w, n, out);
        for (int64_t i = 0; i < n; i++)
            out[i] = acc += min + out[i];
        return acc;
    }
    for (int64_t i = 0; i < n; i += 64) { /* legal though wasteful */
        uint64_t tmp[64];
        int64_t m = TSF_MIN(n - i, 64);
        parquet_kernels()->unpack64(p + i * w / 8, w, m, tmp);
        for (int64_t j = 0; j < m; j++)
            out[i + j] = acc += min + (uint32_t)tmp[j];
    }
    return acc;
}

static enum tsf_err delta_block(struct delta *d, int width, uint64_t *left, uint8_t **out, struct tsf_error *err)
{
    uint64_t min;
    if (!parquet_varint_get(&d->p, d->end, &min) || d->minis > (uint64_t)(d->end - d->p))
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: truncated block");
    const uint8_t *widths = d->p;
    min = (uint64_t)unzigzag(min);
    d->p += d->minis;
    for (uint64_t m = 0; m < d->minis && *left > 0; m++) {
        int w = widths[m];
        uint64_t n = TSF_MIN(*left, d->per_mini), bytes = d->per_mini / 8 * (uint64_t)w;
        if (w > 64)
            return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: bit width %d", w);
        if (bytes > (uint64_t)(d->end - d->p)) {
            bytes = (n * (uint64_t)w + 7) / 8; /* some writers cut the last miniblock short */
            if (n < *left || bytes > (uint64_t)(d->end - d->p))
                return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: the page ends before its values");
        }
        d->value = width == 8 ? delta_sum64(d->value, min, w, d->p, (int64_t)n, (uint64_t *)*out)
                              : delta_sum32(d->value, min, w, d->p, (int64_t)n, (uint32_t *)*out);
        *out += n * (uint64_t)width;
        *left -= n;
        d->p += bytes;
    }
    return TSF_OK;
}

enum tsf_err parquet_delta_decode(const uint8_t *p, size_t n, int width, int64_t max, struct tsf_buf *out,
                                  int64_t *n_out, size_t *used_out, struct tsf_error *err)
{
    struct delta d = { .p = p, .end = p + n };
    enum tsf_err rc;

    if ((rc = delta_head(&d, max, err)) != TSF_OK)
        return rc;
    tsf_buf_reset(out);
    if ((rc = tsf_buf_reserve(out, d.total * (uint64_t)width + PARQUET_SLACK, err)) != TSF_OK)
        return rc;
    uint8_t *o = out->data;
    uint64_t left = d.total;
    if (left > 0) {
        memcpy(o, &d.value, (size_t)width);
        o += width;
        left--;
    }
    while (left > 0)
        if ((rc = delta_block(&d, width, &left, &o, err)) != TSF_OK)
            return rc;
    out->len = d.total * (uint64_t)width;
    *n_out = (int64_t)d.total;
    *used_out = (size_t)(d.p - p);
    return TSF_OK;
}
