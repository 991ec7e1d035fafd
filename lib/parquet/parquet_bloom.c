/*
 * Split-block bloom filters: blocks of eight 32-bit words, one bit set in each word per value.
 *
 *   block   high half of the hash, scaled to the number of blocks
 *   word i  bit (low half * salt[i]) >> 27
 *
 * In the file: BloomFilterHeader (Thrift), then the words, little-endian. Spec: parquet-format BloomFilter.md.
 */
#include <math.h>
#include <xxhash.h>

#include "parquet/parquet_internal.h"

static const uint32_t bloom_salt[8] = { 0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                        0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U };

size_t parquet_bloom_size(int64_t n_distinct, double fpp)
{
    double n = n_distinct < 1 ? 1 : (double)n_distinct;
    if (!(fpp > 0 && fpp < 1))
        fpp = 0.01;
    double bits = -8.0 * n / log(1 - pow(fpp, 1.0 / 8));
    size_t bytes = 32;
    while (bytes < PARQUET_BLOOM_MAX && (double)bytes * 8 < bits)
        bytes *= 2;
    return bytes;
}

uint64_t parquet_bloom_hash(const void *plain, size_t n)
{
    return XXH64(plain, n, 0);
}

size_t parquet_bloom_block(size_t n_bytes, uint64_t hash)
{
    return (size_t)(((hash >> 32) * (uint64_t)(n_bytes / 32)) >> 32) * 32;
}

void parquet_bloom_insert(uint8_t *bits, size_t n_bytes, uint64_t hash)
{
    uint8_t *block = bits + parquet_bloom_block(n_bytes, hash);
    for (int i = 0; i < 8; i++) {
        uint32_t w = tsf_le32_get(block + 4 * i);
        tsf_le32_put(block + 4 * i, w | 1U << (((uint32_t)hash * bloom_salt[i]) >> 27));
    }
}

bool parquet_bloom_test(const uint8_t *bits, size_t n_bytes, uint64_t hash)
{
    const uint8_t *block = bits + parquet_bloom_block(n_bytes, hash);
    uint32_t missing = 0;
    for (int i = 0; i < 8; i++)
        missing |= ~tsf_le32_get(block + 4 * i) & 1U << (((uint32_t)hash * bloom_salt[i]) >> 27);
    return missing == 0;
}

enum tsf_err parquet_bloom_write(const uint8_t *bits, size_t n_bytes, struct tsf_buf *out, struct tsf_error *err)
{
    struct parquet_twrite w;
    parquet_twrite_init(&w, out, err);
    parquet_twrite_begin(&w);
    parquet_twrite_i32(&w, 1, (int32_t)n_bytes);
    for (int16_t id = 2; id <= 4; id++) { /* BLOCK, XXHASH, UNCOMPRESSED: each a union of empty structures */
        parquet_twrite_struct(&w, id);
        parquet_twrite_struct(&w, 1);
        parquet_twrite_end(&w);
        parquet_twrite_end(&w);
    }
    parquet_twrite_end(&w);
    if (w.rc != TSF_OK)
        return w.rc;
    return tsf_buf_append(out, bits, n_bytes, err);
}
