/*
 * AVX-512 (with VBMI) twins of the kernels in parquet_unpack.c: 64 bytes hold 16 values of up to 25 bits, or 8 of up to
 * 57, and one byte permutation brings the bytes of each into its lane.
 */
#include <immintrin.h>

#include "parquet/parquet_read_internal.h"

#define W32_MAX 25
#define W64_MAX 57

/* Byte numbers and shifts for lanes of `lane` bytes. */
static inline void lanes_of(int w, int lane, __m512i *permute, __m512i *shift)
{
    uint8_t bytes[64] __attribute__((aligned(64)));
    uint8_t shifts[64] __attribute__((aligned(64)));
    memset(shifts, 0, sizeof shifts);
    for (int l = 0; l < 64 / lane; l++) {
        for (int j = 0; j < lane; j++)
            bytes[l * lane + j] = (uint8_t)(((l * w) >> 3) + j);
        shifts[l * lane] = (uint8_t)((l * w) & 7);
    }
    *permute = _mm512_load_si512(bytes);
    *shift = _mm512_load_si512(shifts);
}

void parquet_unpack32_avx512(const uint8_t *p, int w, int64_t n, uint32_t *out)
{
    if (w == 0 || w > W32_MAX || n < 64) {
        parquet_unpack32_avx2(p, w, n, out);
        return;
    }
    __m512i permute, shift;
    const __m512i mask = _mm512_set1_epi32((int)((1U << w) - 1));
    int64_t i = 0;
    lanes_of(w, 4, &permute, &shift);
    for (; i + 16 <= n; i += 16, p += 2 * w) {
        __m512i x = _mm512_permutexvar_epi8(permute, _mm512_loadu_si512(p));
        _mm512_storeu_si512(out + i, _mm512_and_si512(_mm512_srlv_epi32(x, shift), mask));
    }
    parquet_kernels_at(TSF_SIMD_SCALAR)->unpack32(p, w, n - i, out + i);
}

void parquet_unpack64_avx512(const uint8_t *p, int w, int64_t n, uint64_t *out)
{
    int64_t i = 0;
    if (w > 0 && w <= W64_MAX && n >= 32) {
        __m512i permute, shift;
        const __m512i mask = _mm512_set1_epi64((long long)((1ULL << w) - 1));
        lanes_of(w, 8, &permute, &shift);
        for (; i + 8 <= n; i += 8, p += w) {
            __m512i x = _mm512_permutexvar_epi8(permute, _mm512_loadu_si512(p));
            _mm512_storeu_si512(out + i, _mm512_and_si512(_mm512_srlv_epi64(x, shift), mask));
        }
    }
    parquet_kernels_at(TSF_SIMD_SCALAR)->unpack64(p, w, n - i, out + i);
}

/* 16 bits of a bitmap from any position; bitmaps are padded. */
static inline uint32_t bits16(const uint64_t *w, int64_t at)
{
    uint32_t x;
    memcpy(&x, (const uint8_t *)w + (at >> 3), 4);
    return (x >> (at & 7)) & 0xffff;
}

void parquet_expand_avx512(void *values, int width, const uint64_t *validity, int64_t first, int64_t n, int64_t n_dense)
{
    int64_t i = n, s = n_dense;
    if (width == 4) {
        uint32_t *v = values;
        for (; i >= 16 && s < i; i -= 16) {
            uint32_t bits = bits16(validity, first + i - 16);
            s -= __builtin_popcount(bits);
            __m512i x = _mm512_loadu_si512(v + s);
            _mm512_storeu_si512(v + i - 16, _mm512_maskz_expand_epi32((__mmask16)bits, x));
        }
    } else if (width == 8) {
        uint64_t *v = values;
        for (; i >= 8 && s < i; i -= 8) {
            uint32_t bits = bits16(validity, first + i - 8) & 0xff;
            s -= __builtin_popcount(bits);
            __m512i x = _mm512_loadu_si512(v + s);
            _mm512_storeu_si512(v + i - 8, _mm512_maskz_expand_epi64((__mmask8)bits, x));
        }
    } else if (width == 16) {
        uint64_t *v = values; /* two words a value */
        for (; i >= 4 && s < i; i -= 4) {
            uint32_t bits = bits16(validity, first + i - 4) & 0xf;
            s -= __builtin_popcount(bits);
            __m512i x = _mm512_loadu_si512(v + 2 * s);
            _mm512_storeu_si512(v + 2 * (i - 4), _mm512_maskz_expand_epi64((__mmask8)(_pdep_u32(bits, 0x55) * 3), x));
        }
    }
    if (s < i)
        parquet_expand_scalar(values, width, validity, first, i, s);
}
