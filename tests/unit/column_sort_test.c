/* Sorting: the permutation is the stable one, for every type, shape, direction and place of NULLs. */
#include "column_random.h"

/* The order by way of single values, which shares no code with the sort. */
static int slow_cmp(const struct tsf_batch *b, int64_t i, int64_t j, const struct tsf_sort_key *keys, int n_keys)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    int c = 0;

    for (int k = 0; c == 0 && k < n_keys; k++) {
        struct tsf_value x, y;
        REQUIRE(tsf_vector_get(&b->columns[keys[k].column], i, &a, &x, err));
        REQUIRE(tsf_vector_get(&b->columns[keys[k].column], j, &a, &y, err));
        if (x.is_null || y.is_null) {
            c = x.is_null - y.is_null;
            c = keys[k].nulls_first ? -c : c;
        } else {
            c = tsf_value_cmp(&x, &y);
            c = keys[k].descending ? (c < 0) - (c > 0) : c;
        }
    }
    tsf_arena_release(&a);
    return c;
}

static void expect_sorted(const struct tsf_batch *b, const uint32_t *perm, const struct tsf_sort_key *keys, int n_keys, bool slow)
{
    uint8_t *seen = calloc((size_t)b->length + 1, 1);

    assert_non_null(seen);
    for (int64_t i = 0; i < b->length; i++) {
        assert_true(perm[i] < b->length);
        assert_false(seen[perm[i]]);
        seen[perm[i]] = 1;
        if (i) {
            int c = slow ? slow_cmp(b, perm[i - 1], perm[i], keys, n_keys) : tsf_row_cmp(b, perm[i - 1], b, perm[i], keys, n_keys);
            if (c > 0 || (c == 0 && perm[i - 1] > perm[i]))
                fail_msg("rows %u and %u are out of order at %lld", perm[i - 1], perm[i], (long long)i);
        }
    }
    free(seen);
}

static void test_sort__random_keys(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    (void)state;

    for (int round = 0; round < 700; round++) {
        struct tsf_vector columns[4];
        struct tsf_batch b = { .n_columns = 4, .columns = columns };
        struct tsf_sort_key keys[4];
        int n_keys = 1 + (int)(rng() % 4);
        uint32_t *perm;

        b.length = (int64_t)(rng() % (round % 20 == 0 ? 5000 : 200));
        for (int c = 0; c < 4; c++) {
            int which = (round + c * 7) % N_RANDOM_TYPES;
            if (which == 20) /* maps have no order */
                which = 12;
            random_vector(&a, random_type(&a, which), b.length, &columns[c]);
            keys[c] = (struct tsf_sort_key){ c, rng() & 1, rng() & 1 };
        }
        REQUIRE(tsf_sort(&b, keys, n_keys, NULL, &a, &perm, err));
        expect_sorted(&b, perm, keys, n_keys, true);
        for (int i = 0; i < 20 && b.length; i++) {
            int64_t x = (int64_t)(rng() % (uint64_t)b.length), y = (int64_t)(rng() % (uint64_t)b.length);
            int c = tsf_row_cmp(&b, x, &b, y, keys, n_keys), d = slow_cmp(&b, x, y, keys, n_keys);
            assert_int_equal((c > 0) - (c < 0), (d > 0) - (d < 0));
        }
        tsf_arena_reset(&a);
    }
    tsf_arena_release(&a);
}

static void test_sort__prefix_agrees_with_order(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    (void)state;

    for (int round = 0; round < 300; round++) {
        struct tsf_vector v;
        struct tsf_batch b = { .length = 100, .n_columns = 1, .columns = &v };
        struct tsf_sort_key key = { 0, rng() & 1, rng() & 1 };
        uint64_t prefix[100];

        if (round % N_RANDOM_TYPES == 20)
            continue;
        random_vector(&a, random_type(&a, round % N_RANDOM_TYPES), b.length, &v);
        REQUIRE(tsf_sort_prefix(&v, &key, prefix, err));
        for (int i = 0; i < 100; i++)
            for (int j = 0; j < 100; j++)
                if (prefix[i] < prefix[j])
                    assert_true(slow_cmp(&b, i, j, &key, 1) < 0);
        tsf_arena_reset(&a);
    }
    tsf_arena_release(&a);
}

static void test_sort__large_and_parallel(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_pool *pool;
    (void)state;

    REQUIRE(tsf_pool_new(3, &pool, err));
    for (int round = 0; round < 8; round++) {
        struct tsf_vector columns[3];
        struct tsf_batch b = { .length = 120001, .n_columns = 3, .columns = columns };
        struct tsf_sort_key keys[3] = { { 0, true, false }, { 1, false, true }, { 2, false, false } };
        uint32_t *perm;

        random_flat(&a, TSF_T(TIMESTAMP), b.length, 2 + round % 3, round & 1 ? 10 : 0, &columns[0]);
        random_flat(&a, TSF_T(STRING), b.length, round % 5, 5, &columns[1]);
        random_flat(&a, TSF_T(INT32), b.length, 0, 0, &columns[2]);
        if (round >= 4) { /* a string first */
            keys[0].column = 1;
            keys[1].column = 2;
            keys[2].column = 0;
        }
        REQUIRE(tsf_sort(&b, keys, 3, pool, &a, &perm, err));
        expect_sorted(&b, perm, keys, 3, false);
        tsf_arena_reset(&a);
    }
    tsf_pool_free(pool);
    tsf_arena_release(&a);
}

static void test_sort__sorted_and_reversed_input(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    (void)state;

    for (int down = 0; down < 2; down++) {
        int64_t ts[1000];
        struct tsf_vector v = { .type = TSF_T(TIMESTAMP), .length = 1000, .values = ts };
        struct tsf_batch b = { .length = 1000, .n_columns = 1, .columns = &v };
        struct tsf_sort_key key = { 0, down, false };
        uint32_t *perm;
        for (int i = 0; i < 1000; i++)
            ts[i] = i / 3; /* equal runs stay in order when the rest turns round */
        REQUIRE(tsf_sort(&b, &key, 1, NULL, &a, &perm, err));
        expect_sorted(&b, perm, &key, 1, true);
    }
    tsf_arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sort__random_keys), cmocka_unit_test(test_sort__prefix_agrees_with_order),
        cmocka_unit_test(test_sort__large_and_parallel), cmocka_unit_test(test_sort__sorted_and_reversed_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
