/*
 * CRC-32 of pages (the polynomial of gzip). With carry-less multiplication 64 bytes are folded at a time: a block A at
 * distance d bits before B may be replaced by adding A * (x^d mod P) to B. Method: Intel, "Fast CRC Computation for Generic
 * Polynomials Using PCLMULQDQ"; bit-reflected constants for x^(512+64), x^512, x^(128+64), x^128, x^96 and P itself.
 */
#include <zlib.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "parquet/parquet_internal.h"

static uint32_t crc_plain(uint32_t crc, const uint8_t *p, size_t n)
{
    uLong c = crc;
    while (n > 0) {
        uInt part = n > (1u << 30) ? 1u << 30 : (uInt)n;
        c = crc32(c, p, part);
        p += part;
        n -= part;
    }
    return (uint32_t)c;
}

#if defined(__x86_64__)
#define CLMUL __attribute__((target("pclmul,sse4.1")))

CLMUL static inline __m128i fold(__m128i x, __m128i k, __m128i next)
{
    return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)), next);
}

CLMUL static inline __m128i load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

/* n: a multiple of 16, at least 64. crc: the register, not the (inverted) value. */
CLMUL static uint32_t crc_fold(uint32_t crc, const uint8_t *p, size_t n)
{
    const __m128i by512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4), by128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    const __m128i by64 = _mm_set_epi64x(0, 0x163cd6124), poly = _mm_set_epi64x(0x1f7011641, 0x1db710641);
    const __m128i low = _mm_set_epi32(0, 0, 0, -1);
    __m128i a = _mm_xor_si128(load(p), _mm_cvtsi32_si128((int)crc)), b = load(p + 16), c = load(p + 32), d = load(p + 48);

    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
        a = fold(a, by512, load(p));
        b = fold(b, by512, load(p + 16));
        c = fold(c, by512, load(p + 32));
        d = fold(d, by512, load(p + 48));
    }
    a = fold(a, by128, b);
    a = fold(a, by128, c);
    a = fold(a, by128, d);
    for (; n >= 16; p += 16, n -= 16)
        a = fold(a, by128, load(p));
    /* 128 bits to 64, then Barrett's reduction to 32 */
    a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, by128, 0x10));
    a = _mm_xor_si128(_mm_srli_si128(a, 4), _mm_clmulepi64_si128(_mm_and_si128(a, low), by64, 0x00));
    __m128i t = _mm_clmulepi64_si128(_mm_and_si128(a, low), poly, 0x10);
    t = _mm_clmulepi64_si128(_mm_and_si128(t, low), poly, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, t), 1);
}

static bool have_clmul(void)
{
    return tsf_simd_level() > TSF_SIMD_SCALAR && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}
#endif

uint32_t parquet_crc32(const void *p, size_t n)
{
    uint32_t crc = 0;
#if defined(__x86_64__)
    const size_t whole = n & ~(size_t)15;
    if (whole >= 64 && have_clmul()) {
        crc = ~crc_fold(~crc, p, whole);
        p = (const uint8_t *)p + whole;
        n -= whole;
    }
#endif
    return crc_plain(crc, p, n);
}
