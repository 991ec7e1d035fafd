/*
 * Page compression. Every codec gets the exact size of its output from the page header and must fill it.
 *
 * GZIP is one or more members one after another; LZ4 (5) is what Hadoop wrote: blocks framed by two big-endian lengths,
 * or one bare block; LZ4_RAW (7) is one bare block.
 */
#include <brotli/decode.h>
#include <lz4.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "parquet/parquet_internal.h"

#define GZIP_MAX_RATIO 1100 /* deflate cannot do better than 1032:1 */
#define LZ4_MAX_RATIO 256

void parquet_codec_release(struct parquet_codec_state *s)
{
    ZSTD_freeDCtx(s->zstd_d);
    ZSTD_freeCCtx(s->zstd_c);
    *s = (struct parquet_codec_state){ 0 };
}

static enum tsf_err codec_bad(struct tsf_error *err, const char *codec, const char *why)
{
    return tsf_fail(err, TSF_ERR_FORMAT, "%s: %s", codec, why);
}

static enum tsf_err decompress_zstd(struct parquet_codec_state *s, const void *src, size_t src_n, void *dst, size_t dst_n,
                                    struct tsf_error *err)
{
    if (!s->zstd_d && !(s->zstd_d = ZSTD_createDCtx()))
        return tsf_fail_nomem(err);
    size_t n = ZSTD_decompressDCtx(s->zstd_d, dst, dst_n, src, src_n);
    if (ZSTD_isError(n))
        return codec_bad(err, "zstd", ZSTD_getErrorName(n));
    if (n != dst_n)
        return codec_bad(err, "zstd", "page is shorter than its header says");
    return TSF_OK;
}

static enum tsf_err decompress_snappy(const void *src, size_t src_n, void *dst, size_t dst_n, struct tsf_error *err)
{
    size_t n = 0;
    if (snappy_uncompressed_length(src, src_n, &n) != SNAPPY_OK || n != dst_n)
        return codec_bad(err, "snappy", "length is not the one in the page header");
    if (snappy_uncompress(src, src_n, dst, &n) != SNAPPY_OK || n != dst_n)
        return codec_bad(err, "snappy", "corrupt data");
    return TSF_OK;
}

static enum tsf_err decompress_gzip(const void *src, size_t src_n, void *dst, size_t dst_n, struct tsf_error *err)
{
    z_stream z = { .next_in = (Bytef *)src, .avail_in = (uInt)src_n, .next_out = dst, .avail_out = (uInt)dst_n };
    uint8_t beyond; /* dst may be full before the trailer was read */
    bool spare = false;
    enum tsf_err rc = TSF_OK;
    int zrc;

    if (src_n > UINT32_MAX || dst_n > UINT32_MAX)
        return codec_bad(err, "gzip", "page too large");
    if ((zrc = inflateInit2(&z, 15 + 32)) != Z_OK)
        return tsf_fail_nomem(err);
    for (;;) {
        if (z.avail_out == 0 && !spare) {
            z.next_out = &beyond;
            z.avail_out = 1;
            spare = true;
        }
        zrc = inflate(&z, Z_NO_FLUSH);
        if (spare && z.avail_out == 0) {
            rc = codec_bad(err, "gzip", "page is longer than its header says");
            break;
        }
        if (zrc == Z_STREAM_END) {
            if (z.avail_in == 0)
                break;
            if (inflateReset(&z) != Z_OK) {
                rc = codec_bad(err, "gzip", "corrupt data");
                break;
            }
        } else if (zrc != Z_OK || (z.avail_in == 0 && !(z.avail_out == 0 && !spare))) {
            rc = zrc == Z_MEM_ERROR ? tsf_fail_nomem(err) : codec_bad(err, "gzip", z.msg ? z.msg : "truncated");
            break;
        }
    }
    if (rc == TSF_OK && !spare && z.avail_out != 0)
        rc = codec_bad(err, "gzip", "page is shorter than its header says");
    inflateEnd(&z);
    return rc;
}

static enum tsf_err decompress_lz4_raw(const void *src, size_t src_n, void *dst, size_t dst_n, struct tsf_error *err)
{
    if (src_n > INT32_MAX || dst_n > INT32_MAX)
        return codec_bad(err, "lz4", "page too large");
    int n = LZ4_decompress_safe(src, dst, (int)src_n, (int)dst_n);
    if (n < 0 || (size_t)n != dst_n)
        return codec_bad(err, "lz4", "corrupt data");
    return TSF_OK;
}

static bool lz4_hadoop(const uint8_t *p, size_t n, uint8_t *dst, size_t dst_n)
{
    const uint8_t *end = p + n, *dst_end = dst + dst_n;
    while (end - p >= 8) {
        uint32_t out_n = __builtin_bswap32(tsf_le32_get(p)), in_n = __builtin_bswap32(tsf_le32_get(p + 4));
        p += 8;
        if (in_n > (size_t)(end - p) || out_n > (size_t)(dst_end - dst) || in_n > INT32_MAX || out_n > INT32_MAX)
            return false;
        if (LZ4_decompress_safe((const char *)p, (char *)dst, (int)in_n, (int)out_n) != (int)out_n)
            return false;
        p += in_n;
        dst += out_n;
    }
    return p == end && dst == dst_end;
}

static enum tsf_err decompress_brotli(const void *src, size_t src_n, void *dst, size_t dst_n, struct tsf_error *err)
{
    size_t n = dst_n;
    if (BrotliDecoderDecompress(src_n, src, &n, dst) != BROTLI_DECODER_RESULT_SUCCESS || n != dst_n)
        return codec_bad(err, "brotli", "corrupt data");
    return TSF_OK;
}

enum tsf_err parquet_decompress(struct parquet_codec_state *s, int codec, const void *src, size_t src_n, void *dst,
                                size_t dst_n, struct tsf_error *err)
{
    if (src_n == 0 && dst_n == 0)
        return TSF_OK;
    switch (codec) {
    case PARQUET_UNCOMPRESSED:
        if (src_n != dst_n)
            return codec_bad(err, "uncompressed page", "the two sizes in its header differ");
        memcpy(dst, src, dst_n);
        return TSF_OK;
    case PARQUET_SNAPPY: return decompress_snappy(src, src_n, dst, dst_n, err);
    case PARQUET_GZIP: return decompress_gzip(src, src_n, dst, dst_n, err);
    case PARQUET_BROTLI: return decompress_brotli(src, src_n, dst, dst_n, err);
    case PARQUET_LZ4:
        if (lz4_hadoop(src, src_n, dst, dst_n))
            return TSF_OK;
        return decompress_lz4_raw(src, src_n, dst, dst_n, err);
    case PARQUET_LZ4_RAW: return decompress_lz4_raw(src, src_n, dst, dst_n, err);
    case PARQUET_ZSTD: return decompress_zstd(s, src, src_n, dst, dst_n, err);
    default:
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "compression codec %d (%s) is not supported", codec,
                        parquet_codec_name(codec));
    }
}

enum tsf_err parquet_codec_plausible(int codec, const void *src, size_t src_n, size_t dst_n, struct tsf_error *err)
{
    size_t n;
    bool ok = true;
    switch (codec) {
    case PARQUET_UNCOMPRESSED: ok = src_n == dst_n; break;
    case PARQUET_SNAPPY: ok = dst_n == 0 || (snappy_uncompressed_length(src, src_n, &n) == SNAPPY_OK && n == dst_n); break;
    case PARQUET_GZIP: ok = dst_n / GZIP_MAX_RATIO <= src_n; break;
    case PARQUET_LZ4:
    case PARQUET_LZ4_RAW: ok = dst_n / LZ4_MAX_RATIO <= src_n; break;
    case PARQUET_ZSTD: {
        unsigned long long size = src_n ? ZSTD_getFrameContentSize(src, src_n) : 0;
        ok = size == ZSTD_CONTENTSIZE_UNKNOWN || (size != ZSTD_CONTENTSIZE_ERROR && size <= dst_n);
        break;
    }
    default: break;
    }
    if (ok)
        return TSF_OK;
    return tsf_fail(err, TSF_ERR_FORMAT, "%s page of %zu bytes cannot hold the %zu bytes that its header says",
                    parquet_codec_name(codec), src_n, dst_n);
}

/* ---- compression ------------------------------------------------------------------------------------------ */

static enum tsf_err compress_zstd(struct parquet_codec_state *s, int level, const void *src, size_t n, struct tsf_buf *out,
                                  struct tsf_error *err)
{
    size_t bound = ZSTD_compressBound(n);
    if (!s->zstd_c && !(s->zstd_c = ZSTD_createCCtx()))
        return tsf_fail_nomem(err);
    enum tsf_err rc = tsf_buf_reserve(out, bound, err);
    if (rc != TSF_OK)
        return rc;
    size_t got = ZSTD_compressCCtx(s->zstd_c, out->data + out->len, bound, src, n, level ? level : 3);
    if (ZSTD_isError(got))
        return tsf_fail(err, TSF_ERR_NOMEM, "zstd: %s", ZSTD_getErrorName(got));
    out->len += got;
    return TSF_OK;
}

static enum tsf_err compress_gzip(int level, const void *src, size_t n, struct tsf_buf *out, struct tsf_error *err)
{
    z_stream z = { .next_in = (Bytef *)src, .avail_in = (uInt)n };
    if (n > UINT32_MAX / 2)
        return tsf_fail(err, TSF_ERR_INVALID, "gzip: page too large");
    if (deflateInit2(&z, level ? level : 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return tsf_fail_nomem(err);
    size_t bound = deflateBound(&z, n);
    enum tsf_err rc = tsf_buf_reserve(out, bound, err);
    if (rc == TSF_OK) {
        z.next_out = out->data + out->len;
        z.avail_out = (uInt)bound;
        if (deflate(&z, Z_FINISH) == Z_STREAM_END)
            out->len += z.total_out;
        else
            rc = tsf_fail(err, TSF_ERR_INVALID, "gzip: compression failed");
    }
    deflateEnd(&z);
    return rc;
}

enum tsf_err parquet_compress(struct parquet_codec_state *s, int codec, int level, const void *src, size_t n,
                              struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;
    size_t bound;
    switch (codec) {
    case PARQUET_UNCOMPRESSED: return n ? tsf_buf_append(out, src, n, err) : TSF_OK;
    case PARQUET_ZSTD: return compress_zstd(s, level, src, n, out, err);
    case PARQUET_GZIP: return compress_gzip(level, src, n, out, err);
    case PARQUET_SNAPPY:
        bound = snappy_max_compressed_length(n);
        if ((rc = tsf_buf_reserve(out, bound, err)) != TSF_OK)
            return rc;
        if (snappy_compress(src, n, (char *)out->data + out->len, &bound) != SNAPPY_OK)
            return tsf_fail(err, TSF_ERR_INVALID, "snappy: compression failed");
        out->len += bound;
        return TSF_OK;
    case PARQUET_LZ4_RAW: {
        if (n > LZ4_MAX_INPUT_SIZE)
            return tsf_fail(err, TSF_ERR_INVALID, "lz4: page too large");
        bound = (size_t)LZ4_compressBound((int)n);
        if ((rc = tsf_buf_reserve(out, bound, err)) != TSF_OK)
            return rc;
        int got = LZ4_compress_default(src, (char *)out->data + out->len, (int)n, (int)bound);
        if (got <= 0)
            return tsf_fail(err, TSF_ERR_INVALID, "lz4: compression failed");
        out->len += (size_t)got;
        return TSF_OK;
    }
    default: return tsf_fail(err, TSF_ERR_UNSUPPORTED, "cannot write codec %d (%s)", codec, parquet_codec_name(codec));
    }
}
