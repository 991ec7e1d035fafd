#include "base/base.h"

/* n low bits set, 1 <= n <= 64. */
static inline uint64_t low_mask(int64_t n)
{
    return ~0ULL >> (64 - n);
}

static inline void put_masked(uint64_t *w, uint64_t mask, uint64_t v)
{
    *w = (*w & ~mask) | (v & mask);
}

void tsf_bits_fill(uint64_t *w, int64_t first, int64_t n, bool v)
{
    uint64_t all = v ? ~0ULL : 0;
    int64_t at = first & 63;

    if (n <= 0)
        return;
    w += first >> 6;
    if (at != 0) {
        int64_t k = TSF_MIN(64 - at, n);

        put_masked(w++, low_mask(k) << at, all);
        n -= k;
    }
    if (n >= 64) {
        memset(w, v ? 0xff : 0, (size_t)(n >> 6) * 8);
        w += n >> 6;
        n &= 63;
    }
    if (n > 0)
        put_masked(w, low_mask(n), all);
}

int64_t tsf_bits_count(const uint64_t *w, int64_t first, int64_t n)
{
    int64_t at = first & 63, count = 0;

    if (n <= 0)
        return 0;
    w += first >> 6;
    if (at != 0) {
        int64_t k = TSF_MIN(64 - at, n);

        count = __builtin_popcountll((*w++ >> at) & low_mask(k));
        n -= k;
    }
    for (; n >= 64; n -= 64)
        count += __builtin_popcountll(*w++);
    if (n > 0)
        count += __builtin_popcountll(*w & low_mask(n));
    return count;
}

/* n bits (1..64) from bit `first`; touches no word that holds none of them. Bits above n are garbage. */
static inline uint64_t load_bits(const uint64_t *src, int64_t first, int64_t n)
{
    int64_t at = first & 63;
    uint64_t v = src[first >> 6] >> at;

    if (at + n > 64)
        v |= src[(first >> 6) + 1] << (64 - at);
    return v;
}

void tsf_bits_copy(uint64_t *dst, int64_t dst_first, const uint64_t *src, int64_t src_first, int64_t n)
{
    int64_t at = dst_first & 63, words;

    if (n <= 0)
        return;
    dst += dst_first >> 6;
    if (at != 0) {
        int64_t k = TSF_MIN(64 - at, n);

        put_masked(dst++, low_mask(k) << at, load_bits(src, src_first, k) << at);
        src_first += k;
        n -= k;
    }
    words = n >> 6;
    if (words > 0) {
        const uint64_t *s = src + (src_first >> 6);
        int64_t shift = src_first & 63;

        if (shift == 0)
            memcpy(dst, s, (size_t)words * 8);
        else
            for (int64_t i = 0; i < words; i++)
                dst[i] = (s[i] >> shift) | (s[i + 1] << (64 - shift));
        dst += words;
        src_first += words * 64;
        n &= 63;
    }
    if (n > 0)
        put_masked(dst, low_mask(n), load_bits(src, src_first, n));
}
