/* Vector kernels equal the plain ones, at every length, width and alignment; and the plain ones are right. */
#include "test_util.h"

#include "parquet/parquet_read_internal.h"

#define N 130

static void fill(uint8_t *p, size_t n, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)test_random(seed);
}

static uint64_t slow_bits(const uint8_t *p, int64_t at, int w)
{
    uint64_t v = 0;
    for (int i = 0; i < w; i++)
        v |= (uint64_t)(p[(at + i) >> 3] >> ((at + i) & 7) & 1) << i;
    return v;
}

static void test_unpack__all_widths_and_lengths(void **state)
{
    static uint8_t bytes[N * 8 + 8 + PARQUET_SLACK];
    uint32_t out32[N + 1];
    uint64_t out64[N + 1], seed = 7;
    (void)state;
    fill(bytes, sizeof bytes, &seed);
    for (int level = TSF_SIMD_SCALAR; level <= (int)tsf_simd_level(); level++) {
        const struct parquet_kernels *k = parquet_kernels_at((enum tsf_simd)level);
        for (int w = 0; w <= 64; w++)
            for (int n = 0; n < N; n++) {
                const uint8_t *p = bytes + n % 8;
                out64[n] = 42;
                k->unpack64(p, w, n, out64);
                CHECK_INT(out64[n], 42);
                for (int i = 0; i < n; i++)
                    CHECK_HEX(out64[i], slow_bits(p, (int64_t)i * w, w));
                if (w > 32)
                    continue;
                out32[n] = 42;
                k->unpack32(p, w, n, out32);
                CHECK_INT(out32[n], 42);
                for (int i = 0; i < n; i++)
                    CHECK_HEX(out32[i], slow_bits(p, (int64_t)i * w, w));
            }
    }
}

static void test_expand__all_widths_and_lengths(void **state)
{
    static const int widths[] = { 1, 2, 4, 8, 16 };
    static uint8_t got[N * 16 + TSF_PAD] __attribute__((aligned(64))), want[N * 16];
    uint8_t dense[N * 16];
    uint64_t bits[8], seed = 9;
    (void)state;
    for (int level = TSF_SIMD_SCALAR; level <= (int)tsf_simd_level(); level++)
        for (size_t wi = 0; wi < TSF_ARRAY_LEN(widths); wi++)
            for (int n = 0; n < N; n++)
                for (int kind = 0; kind < 4; kind++) {
                    const int w = widths[wi], first = (int)(test_random(&seed) % 70);
                    int64_t present = 0;
                    for (int i = 0; i < 8; i++)
                        bits[i] = kind == 0 ? test_random(&seed) : kind == 1 ? ~0ULL : kind == 2 ? 0
                                : test_random(&seed) & test_random(&seed) & test_random(&seed);
                    fill(dense, sizeof dense, &seed);
                    memset(want, 0, sizeof want);
                    for (int i = 0; i < n; i++)
                        if (tsf_bit_get(bits, first + i))
                            memcpy(want + i * w, dense + present++ * w, (size_t)w);
                    memset(got, 0xaa, sizeof got);
                    memcpy(got, dense, (size_t)(present * w));
                    parquet_kernels_at((enum tsf_simd)level)->expand(got, w, bits, first, n, present);
                    CHECK_MEM(got, n * w, want, n * w);
                    CHECK_HEX(got[n * w], 0xaa);
                }
}

static void test_kernels__max_and_stream_split(void **state)
{
    static uint8_t bytes[N * 8 + PARQUET_SLACK];
    uint32_t v[N], out4[N + 1];
    uint64_t out8[N + 1], seed = 11;
    (void)state;
    for (int level = TSF_SIMD_SCALAR; level <= (int)tsf_simd_level(); level++) {
        const struct parquet_kernels *k = parquet_kernels_at((enum tsf_simd)level);
        for (int n = 0; n < N; n++) {
            uint32_t max = 0;
            for (int i = 0; i < n; i++) {
                v[i] = (uint32_t)test_random(&seed);
                max = TSF_MAX(max, v[i]);
            }
            CHECK_INT(k->max32(v, n), max);
            fill(bytes, sizeof bytes, &seed);
            out4[n] = 1, out8[n] = 1;
            k->unsplit4(bytes, n, n, out4);
            k->unsplit8(bytes, n, n, out8);
            for (int i = 0; i < n; i++)
                for (int j = 0; j < 8; j++) {
                    CHECK_INT(out8[i] >> 8 * j & 0xff, bytes[j * n + i]);
                    if (j < 4)
                        CHECK_INT(out4[i] >> 8 * j & 0xff, bytes[j * n + i]);
                }
            CHECK_INT(out4[n], 1);
            CHECK_INT(out8[n], 1);
        }
    }
}

static void test_crc32__known_value_and_every_length(void **state)
{
    uint8_t bytes[400];
    uint64_t seed = 13;
    (void)state;
    CHECK_HEX(parquet_crc32("123456789", 9), 0xcbf43926);
    fill(bytes, sizeof bytes, &seed);
    for (size_t n = 0; n < sizeof bytes - 8; n++) {
        const uint8_t *p = bytes + n % 8;
        uint32_t crc = ~0U;
        for (size_t i = 0; i < n; i++) {
            crc ^= p[i];
            for (int b = 0; b < 8; b++)
                crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
        }
        CHECK_HEX(parquet_crc32(p, n), ~crc);
    }
}

TEST_MAIN(TEST(test_unpack__all_widths_and_lengths), TEST(test_expand__all_widths_and_lengths),
          TEST(test_kernels__max_and_stream_split), TEST(test_crc32__known_value_and_every_length))
