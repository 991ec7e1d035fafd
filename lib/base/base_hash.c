/* The only file that sees xxhash.h: it is large, and inlining it elsewhere buys nothing for keys of a few bytes. */
#include "base/base.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t tsf_hash(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, n, seed);
}

void tsf_hash128(const void *p, size_t n, uint8_t out[16])
{
    XXH128_canonical_t canon;

    XXH128_canonicalFromHash(&canon, XXH3_128bits(p, n));
    memcpy(out, canon.digest, sizeof(canon.digest));
}
