/*
 * Radix sorts of 64-bit keys, least significant digit first. Large inputs are cut into one chunk per thread; sorted
 * chunks are merged pairwise, each merge cut into pieces of equal output (merge path), so all threads work to the end.
 */
#include "column/column_internal.h"

#define PARALLEL_MIN 100000
#define DIGIT_MAX 10
#define CHUNKS_MAX 16

static int digit_width(int64_t n, int bits, int *n_digits_out)
{
    int max = n < 4096 ? 8 : DIGIT_MAX, digits = (bits + max - 1) / max;

    *n_digits_out = digits;
    return (bits + digits - 1) / digits;
}

/*
 * One template for both element types. KEY(x) is the key moved down to bit 0 (bits above are masked off by the last
 * digit's width). Digits that all elements share are skipped. Returns where the result is.
 */
#define RADIX_TEMPLATE(NAME, T, KEY)                                                                         \
    static T *NAME(T *a, T *tmp, int64_t n, int low, int bits)                                               \
    {                                                                                                        \
        uint32_t hist[8][1 << DIGIT_MAX];                                                                    \
        int n_digits, width = digit_width(n, bits, &n_digits);                                               \
        uint64_t mask = (1ULL << width) - 1;                                                                 \
        (void)low;                                                                                           \
        for (int d = 0; d < n_digits; d++)                                                                   \
            memset(hist[d], 0, sizeof hist[0][0] << width);                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            uint64_t k = KEY(a[i]);                                                                          \
            for (int d = 0; d < n_digits; d++, k >>= width)                                                  \
                hist[d][k & mask]++;                                                                         \
        }                                                                                                    \
        for (int d = 0; d < n_digits; d++) {                                                                 \
            int shift = d * width;                                                                           \
            uint32_t *h = hist[d], sum = 0;                                                                  \
            T *swap = a;                                                                                     \
            if (h[(KEY(a[0]) >> shift) & mask] == (uint32_t)n)                                               \
                continue;                                                                                    \
            for (uint64_t i = 0; i <= mask; i++) {                                                           \
                uint32_t c = h[i];                                                                           \
                h[i] = sum;                                                                                  \
                sum += c;                                                                                    \
            }                                                                                                \
            for (int64_t i = 0; i < n; i++)                                                                  \
                tmp[h[(KEY(a[i]) >> shift) & mask]++] = a[i];                                                \
            a = tmp;                                                                                         \
            tmp = swap;                                                                                      \
        }                                                                                                    \
        return a;                                                                                            \
    }

#define WORD_KEY(x) ((x) >> low)
#define KEYED_KEY(x) ((x).key)
RADIX_TEMPLATE(words_sort, uint64_t, WORD_KEY)
RADIX_TEMPLATE(keyed_sort, struct tsf_keyed, KEYED_KEY)

/* ---- several threads ------------------------------------------------------------------------------------- */

struct job {
    void *a, *tmp;
    bool keyed;
    int low, bits;
    int64_t n;
    int n_chunks;
    int64_t bounds[CHUNKS_MAX + 1]; /* chunk c is [bounds[c], bounds[c + 1]) */
    int pieces;                     /* of one merge */
};

static enum tsf_err chunk_task(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    struct job *j = ctx;
    int64_t at = j->bounds[task], n = j->bounds[task + 1] - at;
    (void)worker;
    (void)err;

    if (j->keyed) {
        struct tsf_keyed *a = (struct tsf_keyed *)j->a + at, *r = keyed_sort(a, (struct tsf_keyed *)j->tmp + at, n, 0, j->bits);
        if (r != a)
            memcpy(a, r, (size_t)n * sizeof *a);
    } else {
        uint64_t *a = (uint64_t *)j->a + at, *r = words_sort(a, (uint64_t *)j->tmp + at, n, j->low, j->bits);
        if (r != a)
            memcpy(a, r, (size_t)n * sizeof *a);
    }
    return TSF_OK;
}

/* How many of the first `out` merged elements come from x; ties take from x first. */
#define MERGE_TEMPLATE(NAME, T, K)                                                                           \
    static int64_t NAME##_split(const T *x, int64_t nx, const T *y, int64_t ny, int64_t out)                 \
    {                                                                                                        \
        int64_t lo = out > ny ? out - ny : 0, hi = out < nx ? out : nx;                                      \
        while (lo < hi) {                                                                                    \
            int64_t mid = (lo + hi) / 2;                                                                     \
            if (K(x[mid]) <= K(y[out - mid - 1]))                                                            \
                lo = mid + 1;                                                                                \
            else                                                                                             \
                hi = mid;                                                                                    \
        }                                                                                                    \
        return lo;                                                                                           \
    }                                                                                                        \
    static void NAME(const T *x, int64_t nx, const T *y, int64_t ny, int64_t from, int64_t to, T *dst)       \
    {                                                                                                        \
        int64_t i = NAME##_split(x, nx, y, ny, from), j = from - i;                                          \
        for (int64_t o = from; o < to; o++) {                                                                \
            bool left = j >= ny || (i < nx && K(x[i]) <= K(y[j]));                                           \
            dst[o] = left ? x[i] : y[j];                                                                     \
            i += left;                                                                                       \
            j += !left;                                                                                      \
        }                                                                                                    \
    }

#define WORD_WHOLE(x) (x)
MERGE_TEMPLATE(words_merge, uint64_t, WORD_WHOLE)
MERGE_TEMPLATE(keyed_merge, struct tsf_keyed, KEYED_KEY)

/* Task t: piece t % pieces of the merge of chunks 2m and 2m + 1 into tmp; a last odd chunk is copied. */
static enum tsf_err merge_task(void *ctx, int64_t task, int worker, struct tsf_error *err)
{
    struct job *j = ctx;
    int m = (int)(task / j->pieces) * 2, piece = (int)(task % j->pieces);
    int64_t at = j->bounds[m], mid = j->bounds[m + 1], end = j->bounds[m + 2 <= j->n_chunks ? m + 2 : m + 1];
    int64_t from = (end - at) * piece / j->pieces, to = (end - at) * (piece + 1) / j->pieces;
    (void)worker;
    (void)err;

    if (j->keyed) {
        const struct tsf_keyed *a = j->a;
        keyed_merge(a + at, mid - at, a + mid, end - mid, from, to, (struct tsf_keyed *)j->tmp + at);
    } else {
        const uint64_t *a = j->a;
        words_merge(a + at, mid - at, a + mid, end - mid, from, to, (uint64_t *)j->tmp + at);
    }
    return TSF_OK;
}

static enum tsf_err parallel_sort(struct job *j, struct tsf_pool *pool, struct tsf_error *err)
{
    void *home = j->a;
    enum tsf_err rc;

    j->n_chunks = TSF_MIN(tsf_pool_threads(pool), CHUNKS_MAX);
    for (int c = 0; c <= j->n_chunks; c++)
        j->bounds[c] = j->n * c / j->n_chunks;
    if ((rc = tsf_parallel_for(pool, j->n_chunks, chunk_task, j, err)) != TSF_OK)
        return rc;
    while (j->n_chunks > 1) {
        int merges = (j->n_chunks + 1) / 2;
        void *swap = j->a;
        j->pieces = (tsf_pool_threads(pool) + merges - 1) / merges;
        if ((rc = tsf_parallel_for(pool, (int64_t)merges * j->pieces, merge_task, j, err)) != TSF_OK)
            return rc;
        j->a = j->tmp;
        j->tmp = swap;
        for (int c = 1; c <= merges; c++)
            j->bounds[c] = j->bounds[TSF_MIN(2 * c, j->n_chunks)];
        j->n_chunks = merges;
    }
    if (j->a != home)
        memcpy(home, j->a, (size_t)j->n * (j->keyed ? sizeof(struct tsf_keyed) : sizeof(uint64_t)));
    return TSF_OK;
}

static bool worth_threads(int64_t n, const struct tsf_pool *pool)
{
    return pool && n >= PARALLEL_MIN && tsf_pool_threads(pool) > 1;
}

enum tsf_err tsf_radix_words(uint64_t *a, uint64_t *tmp, int64_t n, int low, int bits, struct tsf_pool *pool, struct tsf_error *err)
{
    struct job j = { .a = a, .tmp = tmp, .n = n, .low = low, .bits = bits };
    uint64_t *r;

    if (n < 2 || bits == 0)
        return TSF_OK;
    if (worth_threads(n, pool))
        return parallel_sort(&j, pool, err);
    if ((r = words_sort(a, tmp, n, low, bits)) != a)
        memcpy(a, r, (size_t)n * sizeof *a);
    return TSF_OK;
}

enum tsf_err tsf_radix_keyed(struct tsf_keyed *a, struct tsf_keyed *tmp, int64_t n, int bits, struct tsf_pool *pool,
                             struct tsf_error *err)
{
    struct job j = { .a = a, .tmp = tmp, .n = n, .keyed = true, .bits = bits };
    struct tsf_keyed *r;

    if (n < 2 || bits == 0)
        return TSF_OK;
    if (worth_threads(n, pool))
        return parallel_sort(&j, pool, err);
    if ((r = keyed_sort(a, tmp, n, 0, bits)) != a)
        memcpy(a, r, (size_t)n * sizeof *a);
    return TSF_OK;
}
