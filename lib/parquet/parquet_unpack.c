/*
 * Kernels under the decoders, plain C, and the choice among them and their vector twins.
 */
#include "parquet/parquet_read_internal.h"

static inline uint64_t mask_of(int w)
{
    return w >= 64 ? ~0ULL : (1ULL << w) - 1;
}

static void unpack32_scalar(const uint8_t *p, int w, int64_t n, uint32_t *out)
{
    const uint64_t mask = mask_of(w);
    if (w == 0) {
        memset(out, 0, (size_t)n * 4);
        return;
    }
    for (int64_t i = 0, bit = 0; i < n; i++, bit += w)
        out[i] = (uint32_t)(tsf_le64_get(p + (bit >> 3)) >> (bit & 7) & mask);
}

static void unpack64_scalar(const uint8_t *p, int w, int64_t n, uint64_t *out)
{
    const uint64_t mask = mask_of(w);
    if (w == 0) {
        memset(out, 0, (size_t)n * 8);
        return;
    }
    if (w <= 57) {
        for (int64_t i = 0, bit = 0; i < n; i++, bit += w)
            out[i] = tsf_le64_get(p + (bit >> 3)) >> (bit & 7) & mask;
        return;
    }
    for (int64_t i = 0, bit = 0; i < n; i++, bit += w) {
        const uint8_t *q = p + (bit >> 3);
        uint64_t hi = (uint64_t)q[8] << 1 << (63 - (bit & 7)); /* nothing when aligned */
        out[i] = (tsf_le64_get(q) >> (bit & 7) | hi) & mask;
    }
}

static uint32_t max32_scalar(const uint32_t *v, int64_t n)
{
    uint32_t m = 0;
    for (int64_t i = 0; i < n; i++)
        m = v[i] > m ? v[i] : m;
    return m;
}

typedef struct { uint64_t w[2]; } word16;

/* Backwards, so that it can be done in place: a value never moves down. Branch-free within a word. */
#define EXPAND(T, AND)                                                                                       \
    do {                                                                                                     \
        T *v_ = values;                                                                                      \
        int64_t s_ = n_dense;                                                                                \
        for (int64_t i_ = n - 1; i_ >= 0; i_--) {                                                            \
            if (s_ == i_ + 1)                                                                                \
                break; /* all before are present and in place */                                             \
            uint64_t bit_ = validity[(first + i_) >> 6] >> ((first + i_) & 63) & 1;                          \
            s_ -= (int64_t)bit_;                                                                             \
            T x_ = v_[s_];                                                                                   \
            AND;                                                                                             \
            v_[i_] = x_;                                                                                     \
        }                                                                                                    \
    } while (0)

void parquet_expand_scalar(void *values, int width, const uint64_t *validity, int64_t first, int64_t n, int64_t n_dense)
{
    switch (width) {
    case 1: EXPAND(uint8_t, x_ &= (uint8_t)-bit_); break;
    case 2: EXPAND(uint16_t, x_ &= (uint16_t)-bit_); break;
    case 4: EXPAND(uint32_t, x_ &= (uint32_t)-bit_); break;
    case 8: EXPAND(uint64_t, x_ &= -bit_); break;
    case 16: EXPAND(word16, (x_.w[0] &= -bit_, x_.w[1] &= -bit_)); break;
    default: break;
    }
}

static void unsplit4_scalar(const uint8_t *p, int64_t stride, int64_t n, uint32_t *out)
{
    const uint8_t *a = p, *b = p + stride, *c = p + 2 * stride, *d = p + 3 * stride;
    for (int64_t i = 0; i < n; i++)
        out[i] = (uint32_t)a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24;
}

static void unsplit8_scalar(const uint8_t *p, int64_t stride, int64_t n, uint64_t *out)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t x = 0;
        for (int j = 0; j < 8; j++)
            x |= (uint64_t)p[j * stride + i] << 8 * j;
        out[i] = x;
    }
}

static const struct parquet_kernels kernels_scalar = {
    .unpack32 = unpack32_scalar, .unpack64 = unpack64_scalar, .max32 = max32_scalar, .expand = parquet_expand_scalar,
    .unsplit4 = unsplit4_scalar, .unsplit8 = unsplit8_scalar,
};

const struct parquet_kernels *parquet_kernels_at(enum tsf_simd level)
{
#if defined(__x86_64__)
    static const struct parquet_kernels avx2 = {
        .unpack32 = parquet_unpack32_avx2, .unpack64 = unpack64_scalar, .max32 = parquet_max32_avx2,
        .expand = parquet_expand_avx2, .unsplit4 = parquet_unsplit4_avx2, .unsplit8 = parquet_unsplit8_avx2,
    };
    static const struct parquet_kernels avx512 = {
        .unpack32 = parquet_unpack32_avx512, .unpack64 = parquet_unpack64_avx512, .max32 = parquet_max32_avx2,
        .expand = parquet_expand_avx512, .unsplit4 = parquet_unsplit4_avx2, .unsplit8 = parquet_unsplit8_avx2,
    };
    if (level == TSF_SIMD_AVX512)
        return &avx512;
    if (level == TSF_SIMD_AVX2)
        return &avx2;
#endif
    (void)level;
    return &kernels_scalar;
}

const struct parquet_kernels *parquet_kernels(void)
{
    return parquet_kernels_at(tsf_simd_level());
}
