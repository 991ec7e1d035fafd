/*
 * Encoders of integers and bits (parquet-format Encodings.md).
 *
 * RLE / bit-packed hybrid: runs of equal codes and literal groups of 8. A run is only worth its own header, and the new
 * header of the literals behind it, when it is long for the bit width, so narrow codes ask for longer runs.
 */
#include "parquet/parquet_encode_internal.h"

int parquet_bit_width(uint64_t v)
{
    return v ? 64 - __builtin_clzll(v) : 0;
}

static size_t varint_put(uint8_t *p, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    return n;
}

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

/* n (a multiple of 8) codes of w bits, w <= 32. Writes n / 8 * w bytes, and may touch 8 more. */
static uint8_t *pack32(const uint32_t *v, int64_t n, int w, uint8_t *p)
{
    uint64_t acc = 0;
    int bits = 0;
    if (w == 8) {
        for (int64_t i = 0; i < n; i++)
            p[i] = (uint8_t)v[i];
        return p + n;
    }
    for (int64_t i = 0; i < n; i += 2) { /* two codes are at most 64 bits */
        uint64_t two = v[i] | (uint64_t)v[i + 1] << w;
        int add = 2 * w;
        acc |= two << bits;
        if (bits + add >= 64) {
            tsf_le64_put(p, acc);
            p += 8;
            acc = bits ? two >> (64 - bits) : 0;
            bits = bits + add - 64;
        } else {
            bits += add;
        }
    }
    tsf_le64_put(p, acc);
    return p + bits / 8;
}

/* 32 values of w bits, w <= 64: 4 * w bytes, and may touch 8 more. */
static uint8_t *pack64(const uint64_t *v, int w, uint8_t *p)
{
    uint64_t acc = 0;
    int bits = 0;
    if (w == 0)
        return p;
    for (int i = 0; i < 32; i++) {
        acc |= v[i] << bits;
        if (bits + w >= 64) {
            tsf_le64_put(p, acc);
            p += 8;
            acc = bits ? v[i] >> (64 - bits) : 0;
            bits = bits + w - 64;
        } else {
            bits += w;
        }
    }
    tsf_le64_put(p, acc);
    return p + bits / 8;
}

static void hybrid_run(struct tsf_buf *out, uint32_t code, int64_t n, int w)
{
    out->len += varint_put(out->data + out->len, (uint64_t)n << 1);
    for (int b = 0; b < w; b += 8)
        out->data[out->len++] = (uint8_t)(code >> b);
}

static void hybrid_literals(struct tsf_buf *out, const uint32_t *v, int64_t n, int w)
{
    int64_t whole = n & ~(int64_t)7;
    uint32_t tail[8] = { 0 };
    out->len += varint_put(out->data + out->len, (uint64_t)(n + 7) / 8 << 1 | 1);
    uint8_t *p = out->data + out->len;
    /* a whole group is 8 * w bits = w bytes, so each call ends on a byte */
    for (int64_t i = 0; i < whole; i += 8)
        if (whole - i >= 64 && (p = pack32(v + i, 64, w, p)))
            i += 56;
        else
            p = pack32(v + i, 8, w, p);
    if (whole < n) {
        memcpy(tail, v + whole, (size_t)(n - whole) * 4);
        p = pack32(tail, 8, w, p);
    }
    out->len = (size_t)(p - out->data);
}

enum tsf_err parquet_encode_hybrid(const uint32_t *v, int64_t n, int w, struct tsf_buf *out, struct tsf_error *err)
{
    const int64_t worth = w <= 1 ? 64 : w == 2 ? 32 : w <= 4 ? 16 : 8;
    int64_t lit = 0, i = 0;
    enum tsf_err rc;
    /* worst case: literals all through, plus a header and a run for each `worth` values */
    if ((rc = tsf_buf_reserve(out, (size_t)n * (size_t)w / 8 + (size_t)(n / worth + 2) * 24 + 64, err)) != TSF_OK)
        return rc;
    while (i < n) {
        uint32_t c = v[i];
        int64_t j = i + 1;
        while (j < n && v[j] == c)
            j++;
        if (j - i >= worth) {
            int64_t fill = -(i - lit) & 7; /* literals come in eights: borrow from the run */
            if (j - i - fill >= worth) {
                if (i + fill > lit)
                    hybrid_literals(out, v + lit, i + fill - lit, w);
                hybrid_run(out, c, j - i - fill, w);
                lit = j;
            }
        }
        i = j;
    }
    if (n > lit)
        hybrid_literals(out, v + lit, n - lit, w);
    return TSF_OK;
}

static unsigned bitmap_group(const uint64_t *words, int64_t bit, int64_t n)
{
    uint64_t g = words[bit >> 6] >> (bit & 63);
    if ((bit & 63) > 56 && (bit & 63) + n > 64)
        g |= words[(bit >> 6) + 1] << (64 - (bit & 63));
    if (n < 8) {
        g &= (1u << n) - 1;
        if (g == (1u << n) - 1)
            g = 0xff;
    }
    return (unsigned)(g & 0xff);
}

enum tsf_err parquet_encode_hybrid_bitmap(const uint64_t *words, int64_t first, int64_t n, struct tsf_buf *out,
                                          struct tsf_error *err)
{
    enum tsf_err rc;
    int64_t groups = (n + 7) / 8, i = 0, lit = 0;
    if ((rc = tsf_buf_reserve(out, (size_t)groups + (size_t)(groups / 8 + 2) * 16 + 64, err)) != TSF_OK)
        return rc;
    if (n == 0)
        return TSF_OK;
    if (!words) {
        hybrid_run(out, 1, n, 1);
        return TSF_OK;
    }
#define GROUP(g) bitmap_group(words, first + (g) * 8, n - (g) * 8)
    while (i <= groups) {
        int64_t j = i;
        unsigned c = i < groups ? GROUP(i) : 1;
        if (c == 0 || c == 0xff)
            for (j = i + 1; j < groups && GROUP(j) == c; j++)
                ;
        if (j - i >= 8 || i == groups) {
            if (i > lit) {
                out->len += varint_put(out->data + out->len, (uint64_t)(i - lit) << 1 | 1);
                for (int64_t g = lit; g < i; g++)
                    out->data[out->len++] = (uint8_t)GROUP(g);
            }
            if (i == groups)
                break;
            hybrid_run(out, c & 1, TSF_MIN(j * 8, n) - i * 8, 1);
            lit = j;
        }
        i = j > i ? j : i + 1;
    }
#undef GROUP
    return TSF_OK;
}

/* ---- DELTA_BINARY_PACKED -------------------------------------------------------------------------------- */

#define DELTA_BLOCK 128
#define DELTA_MINI 32

/* Bytes of a block at most: minimum, 4 widths, 128 values of 8 bytes, and slack for whole-word stores. */
#define DELTA_BLOCK_MAX (10 + 4 + DELTA_BLOCK * 8 + 16)

static uint8_t *delta_block(const int64_t *delta, int n, uint8_t *p)
{
    uint64_t off[DELTA_BLOCK];
    uint8_t *widths;
    int64_t min = delta[0];
    for (int i = 1; i < n; i++)
        min = delta[i] < min ? delta[i] : min;
    for (int i = 0; i < n; i++)
        off[i] = (uint64_t)delta[i] - (uint64_t)min;
    for (int i = n; i < DELTA_BLOCK; i++)
        off[i] = 0;
    p += varint_put(p, zigzag(min));
    widths = p;
    p += 4;
    for (int m = 0; m < 4; m++) {
        uint64_t any = 0;
        for (int i = 0; i < DELTA_MINI; i++)
            any |= off[m * DELTA_MINI + i];
        widths[m] = (uint8_t)parquet_bit_width(any);
        if (m * DELTA_MINI < n)
            p = pack64(off + m * DELTA_MINI, widths[m], p);
    }
    return p;
}

#define DELTA_ENCODER(name, type, utype)                                                                       \
    enum tsf_err name(const type *v, int64_t n, struct tsf_buf *out, struct tsf_error *err)                    \
    {                                                                                                          \
        enum tsf_err rc;                                                                                       \
        int64_t delta[DELTA_BLOCK];                                                                            \
        if ((rc = tsf_buf_reserve(out, 64, err)) != TSF_OK)                                                    \
            return rc;                                                                                         \
        uint8_t *p = out->data + out->len;                                                                     \
        p += varint_put(p, DELTA_BLOCK);                                                                       \
        p += varint_put(p, DELTA_BLOCK / DELTA_MINI);                                                          \
        p += varint_put(p, (uint64_t)n);                                                                       \
        p += varint_put(p, zigzag(n ? v[0] : 0));                                                              \
        out->len = (size_t)(p - out->data);                                                                    \
        for (int64_t at = 1; at < n; at += DELTA_BLOCK) {                                                      \
            int len = (int)TSF_MIN(n - at, DELTA_BLOCK);                                                       \
            for (int i = 0; i < len; i++)                                                                      \
                delta[i] = (type)((utype)v[at + i] - (utype)v[at + i - 1]);                                    \
            if ((rc = tsf_buf_reserve(out, DELTA_BLOCK_MAX, err)) != TSF_OK)                                   \
                return rc;                                                                                     \
            out->len = (size_t)(delta_block(delta, len, out->data + out->len) - out->data);                    \
        }                                                                                                      \
        return TSF_OK;                                                                                         \
    }

DELTA_ENCODER(parquet_encode_delta64, int64_t, uint64_t)
DELTA_ENCODER(parquet_encode_delta32, int32_t, uint32_t)

double parquet_delta_estimate(const void *v, int width, int64_t n)
{
    int64_t n_blocks = n / (DELTA_BLOCK + 1), step, bytes = 0, sampled = 0;
    int64_t delta[DELTA_BLOCK];
    uint8_t out[DELTA_BLOCK_MAX];
    if (n < DELTA_BLOCK + 1)
        n_blocks = n > 1;
    step = TSF_MAX(n_blocks / 64, 1);
    for (int64_t b = 0; b < n_blocks; b += step) {
        int64_t at = b * (DELTA_BLOCK + 1);
        int len = (int)TSF_MIN(n - at - 1, DELTA_BLOCK);
        for (int i = 0; i < len; i++)
            delta[i] = width == 8 ? (int64_t)(((const uint64_t *)v)[at + i + 1] - ((const uint64_t *)v)[at + i])
                                  : (int32_t)(((const uint32_t *)v)[at + i + 1] - ((const uint32_t *)v)[at + i]);
        bytes += delta_block(delta, len, out) - out;
        sampled += len;
    }
    return sampled ? (double)bytes * 8 / (double)sampled : width * 8;
}

/* ---- the rest ------------------------------------------------------------------------------------------------ */

enum tsf_err parquet_encode_stream_split(const void *v, int width, int64_t n, struct tsf_buf *out, struct tsf_error *err)
{
    const uint8_t *p = v;
    enum tsf_err rc;
    if ((rc = tsf_buf_reserve(out, (size_t)n * (size_t)width, err)) != TSF_OK)
        return rc;
    uint8_t *q = out->data + out->len;
    for (int b = 0; b < width; b++)
        for (int64_t i = 0; i < n; i++)
            *q++ = p[i * width + b];
    out->len += (size_t)n * (size_t)width;
    return TSF_OK;
}

enum tsf_err parquet_encode_bools(const uint8_t *v, int64_t n, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;
    int64_t i = 0;
    if ((rc = tsf_buf_reserve(out, (size_t)n / 8 + 8, err)) != TSF_OK)
        return rc;
    uint8_t *q = out->data + out->len;
    for (; i + 8 <= n; i += 8) /* gathers the low bit of 8 bytes into one byte */
        *q++ = (uint8_t)((tsf_le64_get(v + i) * 0x0102040810204080ULL) >> 56);
    if (i < n) {
        unsigned last = 0;
        for (int b = 0; i + b < n; b++)
            last |= (unsigned)(v[i + b] & 1) << b;
        *q++ = (uint8_t)last;
    }
    out->len = (size_t)(q - out->data);
    return TSF_OK;
}
