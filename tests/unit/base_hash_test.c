#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

/* The values that xxHash publishes for XXH3 of nothing. */
static void test_hash__known_answers(void **state)
{
    static const uint8_t empty128[16] = { 0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8,
                                          0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f };
    uint8_t h[16];

    (void)state;
    assert_true(tsf_hash("", 0, 0) == 0x2d06800538d394c2ULL);
    tsf_hash128("", 0, h);
    assert_memory_equal(h, empty128, 16);
}

static void test_hash__depends_on_bytes_length_and_seed(void **state)
{
    char text[300] = { 0 };
    uint64_t seen[301];

    (void)state;
    for (size_t n = 0; n <= 300; n++) {
        seen[n] = tsf_hash(text, n, 0);
        assert_true(seen[n] == tsf_hash(text, n, 0));
        assert_true(seen[n] != tsf_hash(text, n, 1));
        for (size_t k = 0; k < n; k++)
            assert_true(seen[k] != seen[n]);
    }
}

static void test_hash_u64__is_one_to_one_near_zero(void **state)
{
    (void)state;
    assert_true(tsf_hash_u64(1) != tsf_hash_u64(2));
    for (uint64_t i = 1; i < 1000; i++) /* flips about half of the bits */
        assert_in_range(__builtin_popcountll(tsf_hash_u64(i) ^ tsf_hash_u64(i + 1)), 8, 56);
}

static void test_hex__both_ways(void **state)
{
    uint8_t in[256], out[256];
    char text[513];

    (void)state;
    for (int i = 0; i < 256; i++)
        in[i] = (uint8_t)i;
    tsf_hex(in, 256, text);
    assert_int_equal(strlen(text), 512);
    assert_memory_equal(text, "000102", 6);
    assert_true(tsf_unhex(tsf_str(text), out));
    assert_memory_equal(in, out, 256);
    assert_true(tsf_unhex(TSF_STR("aAfF"), out));
    assert_int_equal(out[0], 0xaa);
    assert_int_equal(out[1], 0xff);
    assert_false(tsf_unhex(TSF_STR("abc"), out));
    assert_false(tsf_unhex(TSF_STR("0g"), out));
    assert_false(tsf_unhex(TSF_STR("00 1"), out));
    assert_int_equal(out[0], 0xaa); /* untouched when refused */
}

static void test_unhex__takes_only_hex_digits(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[2] = { '0', (char)c };
        uint8_t out;
        bool want = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

        assert_int_equal(tsf_unhex(tsf_str_n(text, 2), &out), want);
    }
}

static void test_uuid4__has_its_form(void **state)
{
    char a[37], b[37];

    (void)state;
    for (int i = 0; i < 100; i++) {
        tsf_uuid4(a);
        tsf_uuid4(b);
        assert_int_equal(strlen(a), 36);
        assert_string_not_equal(a, b);
        assert_true(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-');
        assert_int_equal(a[14], '4');
        assert_non_null(strchr("89ab", a[19]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash__known_answers),
        cmocka_unit_test(test_hash__depends_on_bytes_length_and_seed),
        cmocka_unit_test(test_hash_u64__is_one_to_one_near_zero),
        cmocka_unit_test(test_hex__both_ways),
        cmocka_unit_test(test_unhex__takes_only_hex_digits),
        cmocka_unit_test(test_uuid4__has_its_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
