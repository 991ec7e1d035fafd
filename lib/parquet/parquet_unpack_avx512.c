/*
 * AVX-512 (with VBMI) twins of the kernels in parquet_unpack.c: 64 bytes hold 16 values of up to 25 bits, or 8 of up to
 * 57, and one byte permutation brings the bytes of each into its lane.
 */
#include <immintrin.h>

#include "parquet/parquet_read_internal.h"

#define W32_MAX 25
#define W64_MAX 57

/* Byte numbers of the lanes of width w (from bit l * w of the 64 bytes on), and how far to shift each. */
#define B4(w, l) ((l) * (w) >> 3), ((l) * (w) >> 3) + 1, ((l) * (w) >> 3) + 2, ((l) * (w) >> 3) + 3
#define B8(w, l) B4(w, l), ((l) * (w) >> 3) + 4, ((l) * (w) >> 3) + 5, ((l) * (w) >> 3) + 6, ((l) * (w) >> 3) + 7
#define PERMUTE32(w)                                                                                         \
    { B4(w, 0), B4(w, 1), B4(w, 2), B4(w, 3), B4(w, 4), B4(w, 5), B4(w, 6), B4(w, 7),                        \
      B4(w, 8), B4(w, 9), B4(w, 10), B4(w, 11), B4(w, 12), B4(w, 13), B4(w, 14), B4(w, 15) }
#define PERMUTE64(w) { B8(w, 0), B8(w, 1), B8(w, 2), B8(w, 3), B8(w, 4), B8(w, 5), B8(w, 6), B8(w, 7) }
#define S(w, l) ((l) * (w)) & 7
#define SHIFTS8(w) { S(w, 0), S(w, 1), S(w, 2), S(w, 3), S(w, 4), S(w, 5), S(w, 6), S(w, 7) } /* repeats after 8 lanes */
#define TEN(X, t) X(t), X(t + 1), X(t + 2), X(t + 3), X(t + 4), X(t + 5), X(t + 6), X(t + 7), X(t + 8), X(t + 9)
#define WIDTHS32(X) TEN(X, 0), TEN(X, 10), X(20), X(21), X(22), X(23), X(24), X(25)
#define WIDTHS64(X)                                                                                          \
    TEN(X, 0), TEN(X, 10), TEN(X, 20), TEN(X, 30), TEN(X, 40), X(50), X(51), X(52), X(53), X(54), X(55), X(56), X(57)
static const uint8_t permutes32[W32_MAX + 1][64] __attribute__((aligned(64))) = { WIDTHS32(PERMUTE32) };
static const uint8_t permutes64[W64_MAX + 1][64] __attribute__((aligned(64))) = { WIDTHS64(PERMUTE64) };
static const uint8_t shifts[W64_MAX + 1][8] __attribute__((aligned(8))) = { WIDTHS64(SHIFTS8) };

static inline __m128i shifts_of(int w)
{
    long long x;
    memcpy(&x, shifts[w], 8);
    return _mm_set_epi64x(x, x);
}

void parquet_unpack32_avx512(const uint8_t *p, int w, int64_t n, uint32_t *out)
{
    if (w == 0 || w > W32_MAX) {
        parquet_unpack32_avx2(p, w, n, out);
        return;
    }
    const __m512i permute = _mm512_load_si512(permutes32[w]), shift = _mm512_cvtepu8_epi32(shifts_of(w));
    const __m512i mask = _mm512_set1_epi32((int)((1U << w) - 1));
    int64_t i = 0;
    for (; i + 16 <= n; i += 16, p += 2 * w) {
        __m512i x = _mm512_permutexvar_epi8(permute, _mm512_loadu_si512(p));
        _mm512_storeu_si512(out + i, _mm512_and_si512(_mm512_srlv_epi32(x, shift), mask));
    }
    parquet_kernels_at(TSF_SIMD_SCALAR)->unpack32(p, w, n - i, out + i);
}

void parquet_unpack64_avx512(const uint8_t *p, int w, int64_t n, uint64_t *out)
{
    int64_t i = 0;
    if (w > 0 && w <= W64_MAX) {
        const __m512i permute = _mm512_load_si512(permutes64[w]), shift = _mm512_cvtepu8_epi64(shifts_of(w));
        const __m512i mask = _mm512_set1_epi64((long long)((1ULL << w) - 1));
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
    } else if (width == 1) {
        parquet_expand_avx2(values, width, validity, first, n, n_dense);
        return;
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
