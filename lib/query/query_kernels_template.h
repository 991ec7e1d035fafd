/* Included by query_kernels.c and query_kernels_avx2.c; KERNELS names the table that comes out. No include guard. */
#include "query/query_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* 64 bytes of 0/1 to 64 bits. */
static inline uint64_t pack64(const uint8_t *b)
{
#if defined(__AVX2__)
    __m256i x = _mm256_slli_epi16(_mm256_loadu_si256((const __m256i *)b), 7);
    __m256i y = _mm256_slli_epi16(_mm256_loadu_si256((const __m256i *)(b + 32)), 7);
    return (uint32_t)_mm256_movemask_epi8(x) | (uint64_t)(uint32_t)_mm256_movemask_epi8(y) << 32;
#elif defined(__x86_64__)
    uint64_t r = 0;
    for (int k = 0; k < 4; k++) {
        __m128i x = _mm_slli_epi16(_mm_loadu_si128((const __m128i *)(b + 16 * k)), 7);
        r |= (uint64_t)(uint32_t)_mm_movemask_epi8(x) << (16 * k);
    }
    return r;
#else
    uint64_t r = 0, w;
    for (int k = 0; k < 8; k++) {
        memcpy(&w, b + 8 * k, 8);
        r |= ((w * 0x0102040810204080ULL) >> 56) << (8 * k);
    }
    return r;
#endif
}

/*
 * NaN is equal to itself and above all other numbers. For integers the extra terms fold away.
 */
#define EQ_I(a, b) ((a) == (b))
#define LT_I(a, b) ((a) < (b))
#define EQ_F(a, b) (((a) == (b)) | (((a) != (a)) & ((b) != (b))))
#define LT_F(a, b) (((a) < (b)) | (((a) == (a)) & ((b) != (b))))
#define OP_EQ(K, a, b) EQ_##K(a, b)
#define OP_NE(K, a, b) !EQ_##K(a, b)
#define OP_LT(K, a, b) LT_##K(a, b)
#define OP_LE(K, a, b) !LT_##K(b, a)
#define OP_GT(K, a, b) LT_##K(b, a)
#define OP_GE(K, a, b) !LT_##K(a, b)

#define DEFINE_CMP(T, N, K, OP)                                                                                        \
    static void cmp_const_##N##_##OP(const void *va, const void *vb, int64_t n, uint8_t *restrict out)                 \
    {                                                                                                                  \
        const T *restrict a = va;                                                                                      \
        const T c = *(const T *)vb;                                                                                    \
        for (int64_t i = 0; i < n; i++)                                                                                \
            out[i] = (uint8_t)(OP_##OP(K, a[i], c));                                                                   \
    }                                                                                                                  \
    static void cmp_array_##N##_##OP(const void *va, const void *vb, int64_t n, uint8_t *restrict out)                 \
    {                                                                                                                  \
        const T *restrict a = va, *restrict b = vb;                                                                    \
        for (int64_t i = 0; i < n; i++)                                                                                \
            out[i] = (uint8_t)(OP_##OP(K, a[i], b[i]));                                                                \
    }                                                                                                                  \
    static void cmp_mask_##N##_##OP(const void *va, const void *vb, int64_t n, uint64_t *restrict bits)                \
    {                                                                                                                  \
        const T *restrict a = va;                                                                                      \
        const T c = *(const T *)vb;                                                                                    \
        uint8_t t[64];                                                                                                 \
        int64_t i = 0;                                                                                                 \
        for (; i + 64 <= n; i += 64) {                                                                                 \
            for (int k = 0; k < 64; k++)                                                                               \
                t[k] = (uint8_t)(OP_##OP(K, a[i + k], c));                                                             \
            bits[i >> 6] = pack64(t);                                                                                  \
        }                                                                                                              \
        if (i < n) {                                                                                                   \
            memset(t, 0, sizeof t);                                                                                    \
            for (int k = 0; i + k < n; k++)                                                                            \
                t[k] = (uint8_t)(OP_##OP(K, a[i + k], c));                                                             \
            bits[i >> 6] = pack64(t);                                                                                  \
        }                                                                                                              \
    }
#define DEFINE_CMPS(T, N, K)                                                                                           \
    DEFINE_CMP(T, N, K, EQ) DEFINE_CMP(T, N, K, NE) DEFINE_CMP(T, N, K, LT)                                            \
    DEFINE_CMP(T, N, K, LE) DEFINE_CMP(T, N, K, GT) DEFINE_CMP(T, N, K, GE)
DEFINE_CMPS(int8_t, i8, I)
DEFINE_CMPS(int16_t, i16, I)
DEFINE_CMPS(int32_t, i32, I)
DEFINE_CMPS(int64_t, i64, I)
DEFINE_CMPS(float, f32, F)
DEFINE_CMPS(double, f64, F)
DEFINE_CMPS(uint8_t, u8, I)
#define CMP_ROW(form, N) { form##_##N##_EQ, form##_##N##_NE, form##_##N##_LT, form##_##N##_LE, form##_##N##_GT, form##_##N##_GE }
#define CMP_TABLE(form)                                                                                                \
    { CMP_ROW(form, i8), CMP_ROW(form, i16), CMP_ROW(form, i32), CMP_ROW(form, i64), CMP_ROW(form, f32),               \
      CMP_ROW(form, f64), CMP_ROW(form, u8) }

static void bytes_mask(const uint8_t *b, int64_t n, uint64_t *bits)
{
    uint8_t t[64] = { 0 };
    int64_t i = 0;

    for (; i + 64 <= n; i += 64)
        bits[i >> 6] = pack64(b + i);
    if (i < n) {
        memcpy(t, b + i, (size_t)(n - i));
        bits[i >> 6] = pack64(t);
    }
}

static inline bool view_eq(const struct tsf_sview *v, uint64_t c0, uint64_t c1, const char *ptr, uint32_t len)
{
    uint64_t w0, w1;
    memcpy(&w0, v, 8), memcpy(&w1, (const char *)v + 8, 8);
    if (len <= TSF_SVIEW_INLINE)
        return (w0 == c0) & (w1 == c1);
    return w0 == c0 && (w1 == c1 || memcmp(v->u.ref.ptr, ptr, len) == 0);
}

static void view_eq_mask(const struct tsf_sview *v, const struct tsf_sview *c, int64_t n, uint64_t *bits)
{
    uint64_t c0, c1;
    const char *ptr = tsf_sview_data(c);

    memcpy(&c0, c, 8), memcpy(&c1, (const char *)c + 8, 8);
    for (int64_t i = 0; i < n; i += 64) {
        int m = (int)TSF_MIN(n - i, 64);
        uint64_t r = 0;
        for (int k = 0; k < m; k++)
            r |= (uint64_t)view_eq(&v[i + k], c0, c1, ptr, c->len) << k;
        bits[i >> 6] = r;
    }
}

static void table_mask(const uint8_t *table, const int32_t *codes, int64_t n, uint64_t *bits)
{
    uint8_t t[64];
    int64_t i = 0;

    for (; i + 64 <= n; i += 64) {
        for (int k = 0; k < 64; k++)
            t[k] = table[codes[i + k]];
        bits[i >> 6] = pack64(t);
    }
    if (i < n) {
        memset(t, 0, sizeof t);
        for (int k = 0; i + k < n; k++)
            t[k] = table[codes[i + k]];
        bits[i >> 6] = pack64(t);
    }
}

static void table_bytes(const uint8_t *table, const int32_t *codes, int64_t n, uint8_t *restrict out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = table[codes[i]];
}

#if defined(__AVX2__)
/* The positions of the set bits of a byte, one to a byte. */
static inline uint64_t bit_positions(uint64_t byte)
{
    return _pext_u64(0x0706050403020100ULL, _pdep_u64(byte, 0x0101010101010101ULL) * 0xff);
}
#endif

static int64_t mask_sel(const uint64_t *bits, int64_t n, uint32_t *sel)
{
    int64_t m = 0, words = (n + 63) / 64;

    for (int64_t w = 0; w < words; w++) {
        uint64_t x = bits[w];
        uint32_t base = (uint32_t)(w * 64);
        if (x == UINT64_MAX) {
            for (uint32_t k = 0; k < 64; k++)
                sel[m + k] = base + k;
            m += 64;
            continue;
        }
#if defined(__AVX2__)
        /* Eight positions are written for each byte, and as many kept as are set: not at the end of sel. */
        if (w + 1 < words && (x & (x - 1) & 0xff00ff00ff00ff00ULL)) {
            for (uint32_t k = 0; k < 64; k += 8) {
                unsigned b = (unsigned)(x >> k) & 0xff;
                __m256i at = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bit_positions(b)));
                _mm256_storeu_si256((__m256i *)(sel + m), _mm256_add_epi32(at, _mm256_set1_epi32((int)(base + k))));
                m += __builtin_popcount(b);
            }
            continue;
        }
#endif
        for (; x; x &= x - 1)
            sel[m++] = base + (uint32_t)__builtin_ctzll(x);
    }
    return m;
}

/* The sign bit of ov is set when some row overflowed. A step of 0 or 1 is made a constant, so that loops vectorize. */
#define DEFINE_ARITH(NAME, T, U, EXPR, OVER)                                                                           \
    static inline __attribute__((always_inline)) T NAME##_loop(const T *restrict a, int64_t sa, const T *restrict b,   \
                                                               int64_t sb, int64_t n, T *restrict r)                   \
    {                                                                                                                  \
        T ov = 0;                                                                                                      \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            T x = a[i * sa], y = b[i * sb], z = (T)((U)x EXPR (U)y);                                                   \
            ov |= OVER;                                                                                                \
            r[i] = z;                                                                                                  \
        }                                                                                                              \
        return ov;                                                                                                     \
    }                                                                                                                  \
    static bool NAME(const T *a, int64_t sa, const T *b, int64_t sb, int64_t n, T *r)                                  \
    {                                                                                                                  \
        T ov = sa && sb ? NAME##_loop(a, 1, b, 1, n, r) : sa ? NAME##_loop(a, 1, b, 0, n, r) : sb                      \
             ? NAME##_loop(a, 0, b, 1, n, r) : NAME##_loop(a, 0, b, 0, n, r);                                          \
        return ov >= 0;                                                                                                \
    }
DEFINE_ARITH(add_i64, int64_t, uint64_t, +, (x ^ z) & (y ^ z))
DEFINE_ARITH(sub_i64, int64_t, uint64_t, -, (x ^ y) & (x ^ z))
DEFINE_ARITH(add_i32, int32_t, uint32_t, +, (x ^ z) & (y ^ z))
DEFINE_ARITH(sub_i32, int32_t, uint32_t, -, (x ^ y) & (x ^ z))

/* False when a result is not finite, or ZERO: an underflow. */
#define DEFINE_FLOAT(NAME, EXPR, ZERO)                                                                                       \
    static inline __attribute__((always_inline)) bool NAME##_loop(const double *restrict a, int64_t sa,                \
        const double *restrict b, int64_t sb, int64_t n, double *restrict r)                                           \
    {                                                                                                                  \
        int64_t bad = 0;                                                                                               \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            double p = a[i * sa], q = b[i * sb], z = p EXPR q;                                                         \
            bad |= (int64_t)-((z - z != 0) | (ZERO));                                                                  \
            r[i] = z;                                                                                                  \
        }                                                                                                              \
        return bad == 0;                                                                                               \
    }                                                                                                                  \
    static bool NAME(const double *a, int64_t sa, const double *b, int64_t sb, int64_t n, double *r)                   \
    {                                                                                                                  \
        return sa && sb ? NAME##_loop(a, 1, b, 1, n, r) : sa ? NAME##_loop(a, 1, b, 0, n, r) : sb                      \
             ? NAME##_loop(a, 0, b, 1, n, r) : NAME##_loop(a, 0, b, 0, n, r);                                          \
    }
DEFINE_FLOAT(add_f64, +, 0)
DEFINE_FLOAT(sub_f64, -, 0)
DEFINE_FLOAT(mul_f64, *, (z == 0) & (p != 0) & (q != 0))

/* Halves of 32 bits cannot overflow 64 before 2^31 rows. */
static tsf_int128 sum_i64(const int64_t *v, int64_t n)
{
    uint64_t lo = 0;
    int64_t hi = 0;

    for (int64_t i = 0; i < n; i++) {
        lo += (uint32_t)v[i];
        hi += v[i] >> 32;
    }
    return (tsf_int128)hi * ((tsf_int128)1 << 32) + lo;
}

static int64_t sum_i32(const int32_t *v, int64_t n)
{
    int64_t s = 0;
    for (int64_t i = 0; i < n; i++)
        s += v[i];
    return s;
}

static double sum_f64(const double *v, int64_t n)
{
    double s[8] = { 0 };
    int64_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++)
            s[k] += v[i + k];
    for (; i < n; i++)
        s[0] += v[i];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

#define DEFINE_MINMAX(NAME, T)                                                                                         \
    static void NAME(const T *v, int64_t n, T *min, T *max)                                                            \
    {                                                                                                                  \
        T lo = v[0], hi = v[0];                                                                                        \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            lo = v[i] < lo ? v[i] : lo;                                                                                \
            hi = v[i] > hi ? v[i] : hi;                                                                                \
        }                                                                                                              \
        *min = lo, *max = hi;                                                                                          \
    }
DEFINE_MINMAX(minmax_i64, int64_t)
DEFINE_MINMAX(minmax_i32, int32_t)

/*
 * Times in a batch lie close together: the quotient of the row before is tried first, so that sorted input hardly divides.
 */
static void floor_i64(const int64_t *v, int64_t n, int64_t offset, int64_t width, int64_t *r)
{
    int64_t low = 0, high = 0; /* bucket [low, high) of the row before; empty at first */

    for (int64_t i = 0; i < n; i++) {
        int64_t x = v[i];
        if (TSF_UNLIKELY(x < low || x >= high)) {
            int64_t d = (int64_t)((uint64_t)x - (uint64_t)offset), q = d % width;
            low = (int64_t)((uint64_t)x - (uint64_t)(q < 0 ? q + width : q));
            high = (int64_t)((uint64_t)low + (uint64_t)width);
        }
        r[i] = low;
    }
}

/*
 * Where are the n bytes of x in s first? Where both the first and the last byte fit, the rest is compared.
 */
static const char *find(const char *s, size_t len, const char *x, size_t n)
{
    if (n == 0)
        return s;
    if (n > len)
        return NULL;
#if defined(__AVX2__)
    if (n >= 2 && len - n >= 31) {
        const __m256i a = _mm256_set1_epi8(x[0]), b = _mm256_set1_epi8(x[n - 1]);
        size_t last = len - n; /* the last place where x may begin */
        for (size_t i = 0;; i += 32) {
            uint32_t hit;
            if (i + 31 > last)
                i = last - 31; /* the end once more, so that no byte past it is read */
            hit = (uint32_t)_mm256_movemask_epi8(_mm256_and_si256(
                _mm256_cmpeq_epi8(a, _mm256_loadu_si256((const __m256i *)(s + i))),
                _mm256_cmpeq_epi8(b, _mm256_loadu_si256((const __m256i *)(s + i + n - 1)))));
            for (; hit; hit &= hit - 1)
                if (n <= 2 || memcmp(s + i + __builtin_ctz(hit) + 1, x + 1, n - 2) == 0)
                    return s + i + __builtin_ctz(hit);
            if (i == last - 31)
                return NULL;
        }
    }
#endif
    return memmem(s, len, x, n);
}

static bool contains(const char *s, size_t len, const char *x, size_t n)
{
    return find(s, len, x, n) != NULL;
}

/*
 * ids[i] = map[codes[i]], 0 where row i is not there; valid NULL: all are. True when some row that is there has 0 in the map.
 */
static bool map_codes(const uint32_t *map, const int32_t *codes, const uint64_t *valid, int64_t n, uint32_t *ids)
{
    uint32_t missing = 0;
    int64_t i = 0;

#if defined(__AVX2__)
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128), zero = _mm256_setzero_si256();
    __m256i none = zero;
    for (; i + 8 <= n; i += 8) {
        uint32_t here = valid ? (uint32_t)(valid[i >> 6] >> (i & 63)) & 255 : 255;
        __m256i rows = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)here), bit), bit);
        __m256i id = _mm256_i32gather_epi32((const int *)map, _mm256_loadu_si256((const __m256i *)(codes + i)), 4);
        none = _mm256_or_si256(none, _mm256_and_si256(_mm256_cmpeq_epi32(id, zero), rows));
        _mm256_storeu_si256((__m256i *)(ids + i), _mm256_and_si256(id, rows));
    }
    missing = (uint32_t)_mm256_movemask_epi8(none);
#endif
    for (; i < n; i++) {
        uint32_t here = valid ? (uint32_t)(valid[i >> 6] >> (i & 63)) & 1 : 1, id = map[codes[i]];
        missing |= (id == 0) & here;
        ids[i] = id & -here;
    }
    return missing != 0;
}

const struct query_kernels KERNELS = {
    .map_codes = map_codes,
    .find = find,
    .contains = contains,
    .cmp_mask = CMP_TABLE(cmp_mask),
    .cmp_const = CMP_TABLE(cmp_const),
    .cmp_array = CMP_TABLE(cmp_array),
    .bytes_mask = bytes_mask,
    .view_eq_mask = view_eq_mask,
    .table_mask = table_mask,
    .table_bytes = table_bytes,
    .mask_sel = mask_sel,
    .add_i64 = add_i64, .sub_i64 = sub_i64, .add_i32 = add_i32, .sub_i32 = sub_i32,
    .add_f64 = add_f64, .sub_f64 = sub_f64, .mul_f64 = mul_f64,
    .sum_i64 = sum_i64, .sum_i32 = sum_i32, .sum_f64 = sum_f64,
    .minmax_i64 = minmax_i64, .minmax_i32 = minmax_i32,
    .floor_i64 = floor_i64,
};
