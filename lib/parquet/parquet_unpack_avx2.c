/*
 * AVX2 twins of the kernels in parquet_unpack.c.
 */
#include <immintrin.h>

#include "parquet/parquet_read_internal.h"

/* Lane l of a group of 8 values of width w starts at bit l * w; lanes 4..7 are taken from a second load, at byte w / 2. */
#define LANE(w, l) ((l) < 4 ? ((l) * (w)) >> 3 : (((l) * (w)) >> 3) - ((w) >> 1))
#define BYTES(w, l) LANE(w, l), LANE(w, l) + 1, LANE(w, l) + 2, LANE(w, l) + 3
#define SHUFFLE(w)                                                                                           \
    { BYTES(w, 0), BYTES(w, 1), BYTES(w, 2), BYTES(w, 3), BYTES(w, 4), BYTES(w, 5), BYTES(w, 6), BYTES(w, 7) }
#define SHIFTS(w)                                                                                            \
    { 0, (w) & 7, (2 * (w)) & 7, (3 * (w)) & 7, (4 * (w)) & 7, (5 * (w)) & 7, (6 * (w)) & 7, (7 * (w)) & 7 }

#define W_MAX 25 /* wider values do not fit 4 bytes at every shift */
#define FOR_WIDTHS(X)                                                                                        \
    X(0), X(1), X(2), X(3), X(4), X(5), X(6), X(7), X(8), X(9), X(10), X(11), X(12), X(13), X(14), X(15), X(16), X(17), \
        X(18), X(19), X(20), X(21), X(22), X(23), X(24), X(25)
static const uint8_t shuffles[W_MAX + 1][32] __attribute__((aligned(32))) = { FOR_WIDTHS(SHUFFLE) };
static const uint32_t shifts[W_MAX + 1][8] __attribute__((aligned(32))) = { FOR_WIDTHS(SHIFTS) };

void parquet_unpack32_avx2(const uint8_t *p, int w, int64_t n, uint32_t *out)
{
    int64_t i = 0;
    if (w > 0 && w <= W_MAX) {
        const __m256i shuffle = _mm256_load_si256((const __m256i *)shuffles[w]);
        const __m256i shift = _mm256_load_si256((const __m256i *)shifts[w]);
        const __m256i mask = _mm256_set1_epi32((int)((1U << w) - 1));
        const int half = w >> 1;
        for (; i + 8 <= n; i += 8, p += w) {
            __m256i x = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p));
            x = _mm256_inserti128_si256(x, _mm_loadu_si128((const __m128i *)(p + half)), 1);
            x = _mm256_shuffle_epi8(x, shuffle);
            x = _mm256_and_si256(_mm256_srlv_epi32(x, shift), mask);
            _mm256_storeu_si256((__m256i *)(out + i), x);
        }
    } else if (w == 32) {
        memcpy(out, p, (size_t)n * 4);
        return;
    }
    parquet_kernels_at(TSF_SIMD_SCALAR)->unpack32(p, w, n - i, out + i);
}

uint32_t parquet_max32_avx2(const uint32_t *v, int64_t n)
{
    __m256i m0 = _mm256_setzero_si256(), m1 = m0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        m0 = _mm256_max_epu32(m0, _mm256_loadu_si256((const __m256i *)(v + i)));
        m1 = _mm256_max_epu32(m1, _mm256_loadu_si256((const __m256i *)(v + i + 8)));
    }
    m0 = _mm256_max_epu32(m0, m1);
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(m0), _mm256_extracti128_si256(m0, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    uint32_t max = (uint32_t)_mm_cvtsi128_si32(m);
    for (; i < n; i++)
        max = v[i] > max ? v[i] : max;
    return max;
}

/* 8 bits of a bitmap from any position; bitmaps are padded. */
static inline uint32_t bits8(const uint64_t *w, int64_t at)
{
    uint16_t x;
    memcpy(&x, (const uint8_t *)w + (at >> 3), 2);
    return (uint32_t)(x >> (at & 7)) & 0xff;
}

static inline __m256i lane_masks(uint32_t bits, __m256i *index)
{
    uint64_t bytes = _pdep_u64(bits, 0x0101010101010101ULL) * 0xff;
    *index = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)_pdep_u64(0x0706050403020100ULL, bytes)));
    return _mm256_cvtepi8_epi32(_mm_cvtsi64_si128((long long)bytes));
}

static void expand4(uint32_t *v, const uint64_t *validity, int64_t first, int64_t n, int64_t s)
{
    int64_t i = n;
    for (; i >= 8 && s < i; i -= 8) {
        uint32_t bits = bits8(validity, first + i - 8);
        __m256i index, mask = lane_masks(bits, &index);
        s -= __builtin_popcount(bits);
        __m256i x = _mm256_permutevar8x32_epi32(_mm256_loadu_si256((const __m256i *)(v + s)), index);
        _mm256_storeu_si256((__m256i *)(v + i - 8), _mm256_and_si256(x, mask));
    }
    if (s < i)
        parquet_expand_scalar(v, 4, validity, first, i, s);
}

static void expand8(uint64_t *v, const uint64_t *validity, int64_t first, int64_t n, int64_t s)
{
    int64_t i = n;
    for (; i >= 4 && s < i; i -= 4) {
        uint32_t bits = bits8(validity, first + i - 4) & 15, twice = (uint32_t)_pdep_u32(bits, 0x55) * 3;
        __m256i index, mask = lane_masks(twice, &index);
        s -= __builtin_popcount(bits);
        __m256i x = _mm256_permutevar8x32_epi32(_mm256_loadu_si256((const __m256i *)(v + s)), index);
        _mm256_storeu_si256((__m256i *)(v + i - 4), _mm256_and_si256(x, mask));
    }
    if (s < i)
        parquet_expand_scalar(v, 8, validity, first, i, s);
}

static void expand1(uint8_t *v, const uint64_t *validity, int64_t first, int64_t n, int64_t s)
{
    int64_t i = n;
    for (; i >= 8 && s < i; i -= 8) {
        uint32_t bits = bits8(validity, first + i - 8);
        uint64_t x, mask = _pdep_u64(bits, 0x0101010101010101ULL) * 0xff;
        s -= __builtin_popcount(bits);
        memcpy(&x, v + s, 8);
        x = _pdep_u64(x, mask);
        memcpy(v + i - 8, &x, 8);
    }
    if (s < i)
        parquet_expand_scalar(v, 1, validity, first, i, s);
}

/* The loads may take lanes beyond the dense values: they stay below the end of the expanded ones, or in the padding. */
void parquet_expand_avx2(void *values, int width, const uint64_t *validity, int64_t first, int64_t n, int64_t n_dense)
{
    if (width == 4)
        expand4(values, validity, first, n, n_dense);
    else if (width == 8)
        expand8(values, validity, first, n, n_dense);
    else if (width == 1)
        expand1(values, validity, first, n, n_dense);
    else
        parquet_expand_scalar(values, width, validity, first, n, n_dense);
}

void parquet_unsplit4_avx2(const uint8_t *p, int64_t stride, int64_t n, uint32_t *out)
{
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m128i a = _mm_loadu_si128((const __m128i *)(p + i));
        __m128i b = _mm_loadu_si128((const __m128i *)(p + stride + i));
        __m128i c = _mm_loadu_si128((const __m128i *)(p + 2 * stride + i));
        __m128i d = _mm_loadu_si128((const __m128i *)(p + 3 * stride + i));
        __m128i ab0 = _mm_unpacklo_epi8(a, b), ab1 = _mm_unpackhi_epi8(a, b);
        __m128i cd0 = _mm_unpacklo_epi8(c, d), cd1 = _mm_unpackhi_epi8(c, d);
        __m128i *o = (__m128i *)(out + i);
        _mm_storeu_si128(o, _mm_unpacklo_epi16(ab0, cd0));
        _mm_storeu_si128(o + 1, _mm_unpackhi_epi16(ab0, cd0));
        _mm_storeu_si128(o + 2, _mm_unpacklo_epi16(ab1, cd1));
        _mm_storeu_si128(o + 3, _mm_unpackhi_epi16(ab1, cd1));
    }
    parquet_kernels_at(TSF_SIMD_SCALAR)->unsplit4(p + i, stride, n - i, out + i);
}

void parquet_unsplit8_avx2(const uint8_t *p, int64_t stride, int64_t n, uint64_t *out)
{
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m128i s[8], t[8], u[8];
        for (int j = 0; j < 8; j++)
            s[j] = _mm_loadu_si128((const __m128i *)(p + j * stride + i));
        for (int j = 0; j < 4; j++) { /* pairs of bytes: streams 2j, 2j + 1 */
            t[j] = _mm_unpacklo_epi8(s[2 * j], s[2 * j + 1]);
            t[j + 4] = _mm_unpackhi_epi8(s[2 * j], s[2 * j + 1]);
        }
        for (int h = 0; h < 2; h++) { /* fours */
            u[4 * h] = _mm_unpacklo_epi16(t[4 * h], t[4 * h + 1]);
            u[4 * h + 1] = _mm_unpackhi_epi16(t[4 * h], t[4 * h + 1]);
            u[4 * h + 2] = _mm_unpacklo_epi16(t[4 * h + 2], t[4 * h + 3]);
            u[4 * h + 3] = _mm_unpackhi_epi16(t[4 * h + 2], t[4 * h + 3]);
        }
        __m128i *o = (__m128i *)(out + i);
        for (int h = 0; h < 2; h++)
            for (int q = 0; q < 2; q++) {
                _mm_storeu_si128(o++, _mm_unpacklo_epi32(u[4 * h + q], u[4 * h + q + 2]));
                _mm_storeu_si128(o++, _mm_unpackhi_epi32(u[4 * h + q], u[4 * h + q + 2]));
            }
    }
    parquet_kernels_at(TSF_SIMD_SCALAR)->unsplit8(p + i, stride, n - i, out + i);
}
