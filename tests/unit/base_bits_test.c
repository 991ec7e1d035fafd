#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/base.h"

#define WORDS 6

static void random_words(uint64_t *w, int n, uint64_t seed)
{
    for (int i = 0; i < n; i++)
        w[i] = tsf_hash_u64(seed * 1000 + (uint64_t)i + 1);
}

static void test_bits_copy__equals_bit_by_bit_at_every_offset(void **state)
{
    static const int64_t lengths[] = { 0, 1, 2, 7, 31, 63, 64, 65, 66, 100, 127, 128, 129, 191, 192, 200, 256 };
    uint64_t src[WORDS], dst[WORDS], want[WORDS];

    (void)state;
    random_words(src, WORDS, 1);
    for (int64_t from = 0; from < 66; from++)
        for (int64_t to = 0; to < 66; to++)
            for (size_t l = 0; l < TSF_ARRAY_LEN(lengths); l++) {
                int64_t n = lengths[l];

                random_words(dst, WORDS, 2);
                memcpy(want, dst, sizeof(want));
                for (int64_t i = 0; i < n; i++)
                    tsf_bit_put(want, to + i, tsf_bit_get(src, from + i));
                tsf_bits_copy(dst, to, src, from, n);
                if (memcmp(dst, want, sizeof(want)) != 0)
                    fail_msg("%d bits from %d to %d", (int)n, (int)from, (int)to);
            }
}

/* Exact heap blocks, so that a sanitizer sees a word too many. */
static void test_bits_copy__touches_no_word_outside(void **state)
{
    (void)state;
    for (int64_t from = 0; from < 64; from++)
        for (int64_t n = 1; n <= 130; n++) {
            uint64_t *src = calloc(tsf_bit_words(from + n), 8), *dst = calloc(tsf_bit_words(n), 8);

            assert_non_null(src);
            assert_non_null(dst);
            tsf_bits_fill(src, from, n, true);
            tsf_bits_copy(dst, 0, src, from, n);
            assert_int_equal(tsf_bits_count(dst, 0, n), n);
            free(src);
            free(dst);
        }
}

static void test_bits_fill_and_count__equal_bit_by_bit(void **state)
{
    uint64_t w[WORDS], want[WORDS];

    (void)state;
    for (int64_t first = 0; first < 130; first += 1)
        for (int64_t n = 0; n <= 200; n += n < 70 ? 1 : 13)
            for (int v = 0; v < 2; v++) {
                int64_t count = 0;

                random_words(w, WORDS, 3);
                for (int64_t i = 0; i < n; i++)
                    count += tsf_bit_get(w, first + i);
                assert_int_equal(tsf_bits_count(w, first, n), count);
                memcpy(want, w, sizeof(want));
                for (int64_t i = 0; i < n; i++)
                    tsf_bit_put(want, first + i, v);
                tsf_bits_fill(w, first, n, v);
                assert_memory_equal(w, want, sizeof(want));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_copy__equals_bit_by_bit_at_every_offset),
        cmocka_unit_test(test_bits_copy__touches_no_word_outside),
        cmocka_unit_test(test_bits_fill_and_count__equal_bit_by_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
