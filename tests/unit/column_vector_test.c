/* Vectors, builders and hashes: every operation against row-by-row reading. */
#include "column_random.h"

static void test_vector__operations_keep_rows(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    (void)state;

    for (int round = 0; round < 600; round++) {
        const struct tsf_type *t = random_type(&a, round % N_RANDOM_TYPES);
        int64_t n = 1 + (int64_t)(rng() % 200), first, m;
        struct tsf_vector v, r;
        uint32_t sel[300];

        random_vector(&a, t, n, &v);
        REQUIRE(tsf_vector_flatten(&v, &a, &r, err));
        assert_int_equal(r.shape, TSF_FLAT);
        expect_same(&r, &v);
        REQUIRE(tsf_vector_copy(&v, &a, &r, err));
        expect_same(&r, &v);

        first = (int64_t)(rng() % (uint64_t)n);
        m = (int64_t)(rng() % (uint64_t)(n - first + 1));
        REQUIRE(tsf_vector_slice(&v, first, m, &a, &r, err));
        assert_int_equal(r.length, m);
        for (int64_t i = 0; i < m; i++)
            expect_rows_same(&r, i, &v, first + i);

        for (int64_t i = 0; i < 300; i++)
            sel[i] = (uint32_t)(rng() % (uint64_t)n);
        REQUIRE(tsf_vector_gather(&v, sel, 300, &a, &r, err));
        assert_int_equal(r.length, 300);
        for (int64_t i = 0; i < 300; i++)
            expect_rows_same(&r, i, &v, sel[i]);
        tsf_arena_reset(&a);
    }
    tsf_arena_release(&a);
}

static void test_vector__concat(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    (void)state;

    for (int round = 0; round < 200; round++) {
        const struct tsf_type *t = random_type(&a, round % N_RANDOM_TYPES);
        struct tsf_vector v[4], r, *p[4] = { &v[0], &v[1], &v[2], &v[3] };
        int64_t at = 0;

        for (int i = 0; i < 4; i++) {
            random_vector(&a, t, (int64_t)(rng() % 90), &v[i]);
            if (i && round % 5 == 0)
                v[i] = v[0];
        }
        REQUIRE(tsf_vector_concat((const struct tsf_vector *const *)p, 4, &a, &r, err));
        for (int i = 0; i < 4; i++)
            for (int64_t j = 0; j < v[i].length; j++)
                expect_rows_same(&r, at++, &v[i], j);
        assert_int_equal(at, r.length);
        tsf_arena_reset(&a);
    }
    tsf_arena_release(&a);
}

static void test_builder__append_truncate_append(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    (void)state;

    for (int round = 0; round < 300; round++) {
        const struct tsf_type *t = random_type(&a, round % N_RANDOM_TYPES);
        struct tsf_builder b = { 0 };
        struct tsf_vector v, w, r;
        int64_t n = 1 + (int64_t)(rng() % 150), keep, n_sel = 0;
        uint32_t sel[150];

        random_vector(&a, t, n, &v);
        random_vector(&a, t, n, &w);
        REQUIRE(tsf_builder_init(&b, t, err));
        REQUIRE(tsf_builder_append(&b, &v, 0, NULL, n, err));
        keep = (int64_t)(rng() % (uint64_t)(n + 1));
        tsf_builder_truncate(&b, keep);
        for (int64_t i = 0; i < n; i++)
            if (rng() & 1)
                sel[n_sel++] = (uint32_t)i;
        REQUIRE(tsf_builder_append(&b, &w, 0, sel, n_sel, err));
        for (int64_t i = 0; i < n; i++) { /* value by value */
            struct tsf_value x;
            REQUIRE(tsf_vector_get(&v, i, &a, &x, err));
            REQUIRE(tsf_builder_value(&b, &x, err));
        }
        REQUIRE(tsf_builder_vector(&b, &a, &r, err));
        assert_int_equal(r.length, keep + n_sel + n);
        for (int64_t i = 0; i < keep; i++)
            expect_rows_same(&r, i, &v, i);
        for (int64_t i = 0; i < n_sel; i++)
            expect_rows_same(&r, keep + i, &w, sel[i]);
        for (int64_t i = 0; i < n; i++)
            expect_rows_same(&r, keep + n_sel + i, &v, i);
        assert_int_equal(tsf_vector_null_count(&r), r.null_count);
        tsf_builder_reset(&b);
        REQUIRE(tsf_builder_append(&b, &w, 0, NULL, n, err));
        REQUIRE(tsf_builder_vector(&b, &a, &r, err));
        expect_same(&r, &w);
        tsf_builder_release(&b);
        tsf_arena_reset(&a);
    }
    tsf_arena_release(&a);
}

static void test_builder__unfinished_row_leaves_no_trace(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_builder b = { 0 };
    struct tsf_vector v;
    (void)state;

    REQUIRE(tsf_builder_init(&b, tsf_type_list(&a, TSF_T(STRING), true), err));
    REQUIRE(tsf_builder_str(&b.children[0], "one", 3, err));
    REQUIRE(tsf_builder_list_end(&b, err));
    REQUIRE(tsf_builder_str(&b.children[0], "torn", 4, err));
    tsf_builder_truncate(&b, 1);
    REQUIRE(tsf_builder_list_end(&b, err));
    REQUIRE(tsf_builder_vector(&b, &a, &v, err));
    assert_int_equal(v.length, 2);
    assert_int_equal(((const int32_t *)v.values)[2], 1);
    tsf_builder_release(&b);
    tsf_arena_release(&a);
}

static void test_hash__same_in_every_shape(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    (void)state;

    for (int round = 0; round < 400; round++) {
        const struct tsf_type *t = random_type(&a, round % N_RANDOM_TYPES);
        int64_t n = 1 + (int64_t)(rng() % (round % 20 ? 100 : 3000));
        uint64_t *h = tsf_arena_alloc(&a, (size_t)n * 8), *g = tsf_arena_alloc(&a, (size_t)n * 8);
        uint32_t *sel = tsf_arena_alloc(&a, (size_t)n * 4);
        struct tsf_vector v, flat;

        random_vector(&a, t, n, &v);
        REQUIRE(tsf_vector_flatten(&v, &a, &flat, err));
        REQUIRE(tsf_hash_vector(&v, NULL, n, false, h, &a, err));
        REQUIRE(tsf_hash_vector(&flat, NULL, n, false, g, &a, err));
        assert_memory_equal(h, g, (size_t)n * 8);
        for (int64_t i = 0; i < n; i++) {
            int64_t j = (int64_t)(rng() % (uint64_t)n);
            assert_int_equal(tsf_vector_rows_equal(&v, i, &flat, j), h[i] == g[j]);
            sel[i] = (uint32_t)j;
        }
        REQUIRE(tsf_hash_vector(&v, sel, n, false, g, &a, err));
        for (int64_t i = 0; i < n; i++)
            assert_true(g[i] == h[sel[i]]);
        memcpy(g, h, (size_t)n * 8);
        REQUIRE(tsf_hash_vector(&v, NULL, n, true, g, &a, err));
        memcpy(h, g, (size_t)n * 8);
        REQUIRE(tsf_hash_vector(&flat, NULL, n, false, g, &a, err));
        REQUIRE(tsf_hash_vector(&flat, NULL, n, true, g, &a, err));
        assert_memory_equal(h, g, (size_t)n * 8);
        tsf_arena_reset(&a);
    }
    tsf_arena_release(&a);
}

static void test_sview__order_is_byte_order(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char x[20], y[20];
        size_t n = rng() % 20, m = rng() % 20;
        struct tsf_sview u, v;
        int want;
        for (int k = 0; k < 20; k++) {
            x[k] = (char)(rng() % 3 * 127);
            y[k] = rng() % 4 ? x[k] : (char)(rng() % 256);
        }
        u = tsf_sview_make(x, n);
        v = tsf_sview_make(y, m);
        want = tsf_str_cmp(tsf_str_n(x, n), tsf_str_n(y, m));
        assert_int_equal((tsf_sview_cmp(&u, &v) > 0) - (tsf_sview_cmp(&u, &v) < 0), (want > 0) - (want < 0));
        assert_int_equal(tsf_sview_eq(&u, &v), want == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector__operations_keep_rows), cmocka_unit_test(test_vector__concat),
        cmocka_unit_test(test_builder__append_truncate_append),
        cmocka_unit_test(test_builder__unfinished_row_leaves_no_trace),
        cmocka_unit_test(test_hash__same_in_every_shape),    cmocka_unit_test(test_sview__order_is_byte_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
