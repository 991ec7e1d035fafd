/* Batches as bytes: every type and shape comes back, and broken bytes are refused. */
#include "column_random.h"

static void test_codec__random_batches_come_back(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_buf bytes = TSF_BUF_INIT(0);
    (void)state;

    for (int round = 0; round < 60; round++) {
        struct tsf_vector columns[N_RANDOM_TYPES], picked;
        struct tsf_batch b = { .length = (int64_t)(rng() % (round % 10 == 0 ? 1500 : 130)), .n_columns = N_RANDOM_TYPES, .columns = columns };
        struct tsf_batch back;
        uint32_t *sel = NULL;
        char *copy;

        for (int c = 0; c < N_RANDOM_TYPES; c++)
            random_vector(&a, random_type(&a, c), b.length, &columns[c]);
        if (round % 3 == 0) {
            sel = tsf_arena_alloc(&a, (size_t)b.length * 4 + 4);
            for (int64_t i = 0; i < b.length; i++)
                if (rng() & 1)
                    sel[b.n_sel++] = (uint32_t)i;
            b.sel = sel;
        }
        tsf_buf_reset(&bytes);
        REQUIRE(tsf_batch_encode(&b, &bytes, err));
        copy = malloc(bytes.len); /* exact size, so that a read past the end is seen */
        assert_non_null(copy);
        memcpy(copy, bytes.data, bytes.len);
        REQUIRE(tsf_batch_decode(copy, bytes.len, &a, &back, err));
        assert_int_equal(back.n_columns, b.n_columns);
        assert_int_equal(back.length, tsf_batch_rows(&b));
        for (int c = 0; c < N_RANDOM_TYPES; c++) {
            assert_true(tsf_type_eq(back.columns[c].type, columns[c].type));
            picked = columns[c];
            if (sel)
                REQUIRE(tsf_vector_gather(&columns[c], sel, b.n_sel, &a, &picked, err));
            expect_same(&back.columns[c], &picked);
        }
        free(copy);
        tsf_arena_reset(&a);
    }
    tsf_buf_release(&bytes);
    tsf_arena_release(&a);
}

static void test_codec__broken_bytes_are_refused(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT, d = TSF_ARENA_INIT;
    struct tsf_buf bytes = TSF_BUF_INIT(0);
    struct tsf_vector columns[N_RANDOM_TYPES];
    struct tsf_batch b = { .length = 70, .n_columns = N_RANDOM_TYPES, .columns = columns }, back;
    struct tsf_error why = TSF_ERROR_INIT;
    (void)state;

    for (int c = 0; c < N_RANDOM_TYPES; c++)
        random_vector(&a, random_type(&a, c), b.length, &columns[c]);
    REQUIRE(tsf_batch_encode(&b, &bytes, err));
    for (size_t n = 0; n < bytes.len; n++) {
        char *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy, bytes.data, n);
        tsf_error_reset(&why);
        assert_int_not_equal(tsf_batch_decode(copy, n, &d, &back, &why), TSF_OK);
        assert_true(why.msg[0] != 0);
        free(copy);
        tsf_arena_reset(&d);
    }
    /* Any byte changed: an error or another batch, whose every row can be read. */
    for (int round = 0; round < 4000; round++) {
        size_t at = rng() % bytes.len;
        uint8_t old = bytes.data[at];
        struct tsf_value v;
        bytes.data[at] = (uint8_t)rng();
        if (tsf_batch_decode(bytes.data, bytes.len, &d, &back, NULL) == TSF_OK)
            for (int c = 0; c < back.n_columns; c++)
                for (int64_t i = 0; i < TSF_MIN(back.length, 100); i++) {
                    struct tsf_buf text = TSF_BUF_INIT(0);
                    REQUIRE(tsf_vector_get(&back.columns[c], i, &d, &v, err));
                    REQUIRE(tsf_value_text(&v, &text, err));
                    tsf_buf_release(&text);
                }
        bytes.data[at] = old;
        tsf_arena_reset(&d);
    }
    tsf_buf_release(&bytes);
    tsf_arena_release(&a);
    tsf_arena_release(&d);
}

static void test_codec__sizes(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_buf bytes = TSF_BUF_INIT(0);
    struct tsf_vector v;
    struct tsf_batch b = { .length = 1000, .n_columns = 1, .columns = &v };
    struct tsf_value one = { .type = TSF_T(STRING), .u.s = TSF_STR("a constant of some length") };
    (void)state;

    REQUIRE(tsf_vector_constant(&one, 1000, &a, &v, err));
    REQUIRE(tsf_batch_encode(&b, &bytes, err));
    assert_true(bytes.len < 40);
    tsf_buf_reset(&bytes);
    random_flat(&a, TSF_T(TIMESTAMP), 1000, 2, 0, &v); /* ascending by about 1000: two bytes each */
    REQUIRE(tsf_batch_encode(&b, &bytes, err));
    assert_true(bytes.len < 2040);
    tsf_buf_reset(&bytes);
    random_flat(&a, TSF_T(TIMESTAMP), 1000, 2, 30, &v); /* absent rows do not widen it */
    REQUIRE(tsf_batch_encode(&b, &bytes, err));
    assert_true(bytes.len < 2040 + 125 + 2000);
    tsf_buf_reset(&bytes);
    random_flat(&a, TSF_T(STRING), 1000, 0, 0, &v); /* few distinct: one byte each */
    REQUIRE(tsf_batch_encode(&b, &bytes, err));
    assert_true(bytes.len < 1100);
    tsf_buf_release(&bytes);
    tsf_arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec__random_batches_come_back),
        cmocka_unit_test(test_codec__broken_bytes_are_refused),
        cmocka_unit_test(test_codec__sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
