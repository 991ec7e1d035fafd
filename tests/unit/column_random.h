#ifndef COLUMN_RANDOM_H
#define COLUMN_RANDOM_H
/* Random vectors of every type and shape, for property tests. Deterministic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "column/column.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t rng_state = 88172645463325252ULL;
static inline uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

#define REQUIRE(call)                                                                                        \
    do {                                                                                                     \
        struct tsf_error err_ = TSF_ERROR_INIT, *err = &err_;                                                \
        if ((call) != TSF_OK)                                                                                \
            fail_msg("%s: %s", #call, err_.msg);                                                             \
    } while (0)

#define N_RANDOM_TYPES 24
static inline const struct tsf_type *random_type(struct tsf_arena *a, int which)
{
    static const struct tsf_field pair[2] = {
        { .name = "x", .type = TSF_T(INT64), .nullable = true, .field_id = -1 },
        { .name = "y", .type = TSF_T(STRING), .nullable = true, .field_id = -1 },
    };
    static const struct tsf_type pair_type = { .id = TSF_TYPE_STRUCT, .n_children = 2, .children = pair };
    static const struct tsf_field entry[2] = {
        { .name = "key", .type = TSF_T(STRING), .field_id = -1 },
        { .name = "value", .type = TSF_T(DOUBLE), .nullable = true, .field_id = -1 },
    };
    static const struct tsf_type map_type = { .id = TSF_TYPE_MAP, .n_children = 2, .children = entry };

    switch (which) {
    case 16: return tsf_type_decimal(38, 5);
    case 17: return tsf_type_list(a, TSF_T(STRING), true);
    case 18: return tsf_type_list(a, tsf_type_list(a, TSF_T(INT32), true), true);
    case 19: return &pair_type;
    case 20: return &map_type;
    case 21: return tsf_type_list(a, &pair_type, true);
    case 22: return &tsf_type_json;
    case 23: return tsf_type_decimal(7, 2);
    default: return which == TSF_TYPE_DECIMAL ? tsf_type_decimal(18, 3) : &tsf_types[which + (which >= TSF_TYPE_UUID)];
    }
}

/* What a column's values look like: few distinct ones, a narrow range, ascending, anything. */
static inline int64_t random_int(int mode, int64_t row)
{
    switch (mode) {
    case 0: return (int64_t)(rng() % 3);
    case 1: return 1000000 + (int64_t)(rng() % 1000);
    case 2: return 1790000000000000 + row * 1000 + (int64_t)(rng() % 200);
    case 3: return (int64_t)rng() >> (rng() & 63);
    default: return (int64_t)rng();
    }
}

static inline void random_append(struct tsf_builder *b, int mode, int64_t row, int null_percent)
{
    enum tsf_type_id id = b->type->id;
    char text[64];
    size_t n;

    if (id == TSF_TYPE_NULL || (int)(rng() % 100) < null_percent) {
        REQUIRE(tsf_builder_null(b, err));
        return;
    }
    switch (id) {
    case TSF_TYPE_BOOL: REQUIRE(tsf_builder_i64(b, (int64_t)(rng() & 1), err)); break;
    case TSF_TYPE_FLOAT:
    case TSF_TYPE_DOUBLE: {
        static const double special[] = { 0.0, -0.0, 1.5, -INFINITY, INFINITY, 1e300, 5e-324 };
        double v = rng() % 4 == 0 ? special[rng() % 7] : rng() % 16 == 0 ? (double)NAN : (double)random_int(mode, row) / 8;
        REQUIRE(tsf_builder_f64(b, v, err));
        break;
    }
    case TSF_TYPE_DECIMAL: {
        tsf_int128 v = random_int(mode, row);
        if (b->type->precision == 38 && mode > 2)
            v = v * (int64_t)(rng() >> 8);
        REQUIRE(tsf_builder_i128(b, b->type->precision < 18 ? v % 10000000 : v, err));
        break;
    }
    case TSF_TYPE_UUID: REQUIRE(tsf_builder_i128(b, (tsf_int128)((tsf_uint128)random_int(mode, row) << 17), err)); break;
    case TSF_TYPE_INTERVAL: {
        struct tsf_value v = { .type = b->type, .u.iv = { (int32_t)(rng() % 3), (int32_t)(rng() % 90), random_int(mode % 3, row) } };
        REQUIRE(tsf_builder_value(b, &v, err));
        break;
    }
    case TSF_TYPE_TIME: REQUIRE(tsf_builder_i64(b, (int64_t)(rng() % 86400000000ULL), err)); break;
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ: REQUIRE(tsf_builder_i64(b, random_int(mode, row) % 250000000000000000LL, err)); break;
    case TSF_TYPE_DATE: REQUIRE(tsf_builder_i64(b, random_int(mode, row) % 2000000, err)); break;
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY:
        if (b->type->json)
            n = (size_t)snprintf(text, sizeof text, "{\"k\": %lld}", (long long)random_int(mode, row));
        else if (rng() % 8 == 0)
            n = 0;
        else
            n = (size_t)snprintf(text, sizeof text, "%s%lld", mode & 1 ? "a-long-common-prefix/" : "",
                                 (long long)random_int(mode, row));
        if (!b->type->json && rng() % 16 == 0 && n)
            text[rng() % n] = 0;
        REQUIRE(tsf_builder_str(b, text, n, err));
        break;
    case TSF_TYPE_LIST:
    case TSF_TYPE_MAP:
        n = rng() % 4;
        for (size_t i = 0; i < n; i++)
            for (int c = 0; c < b->type->n_children; c++)
                random_append(&b->children[c], mode, row, id == TSF_TYPE_MAP && c == 0 ? 0 : null_percent);
        REQUIRE(tsf_builder_list_end(b, err));
        break;
    case TSF_TYPE_STRUCT:
        for (int c = 0; c < b->type->n_children; c++)
            random_append(&b->children[c], mode, row, null_percent);
        REQUIRE(tsf_builder_list_end(b, err));
        break;
    default: REQUIRE(tsf_builder_i64(b, random_int(mode, row), err)); break;
    }
}

static inline void random_flat(struct tsf_arena *a, const struct tsf_type *t, int64_t n, int mode, int null_percent,
                               struct tsf_vector *out)
{
    struct tsf_builder b = { 0 };
    struct tsf_vector v;

    REQUIRE(tsf_builder_init(&b, t, err));
    for (int64_t i = 0; i < n; i++)
        random_append(&b, mode, i, null_percent);
    REQUIRE(tsf_builder_vector(&b, a, &v, err));
    REQUIRE(tsf_vector_copy(&v, a, out, err));
    tsf_builder_release(&b);
}

static inline void random_vector(struct tsf_arena *a, const struct tsf_type *t, int64_t n, struct tsf_vector *out)
{
    int mode = (int)(rng() % 5), nulls = rng() & 1 ? 0 : rng() % 8 == 0 ? 100 : (int)(rng() % 60);
    struct tsf_vector dict, codes;

    switch (t->id == TSF_TYPE_NULL ? 0 : rng() % 4) {
    case 1: /* CONSTANT */
        random_flat(a, t, 1, mode, nulls, out);
        out->shape = TSF_CONSTANT;
        out->length = n;
        out->null_count = -1;
        return;
    case 2: /* DICTIONARY */
        random_flat(a, t, 1 + (int64_t)(rng() % 20), mode, 0, &dict);
        random_flat(a, TSF_T(INT32), n, 1, nulls, &codes);
        for (int64_t i = 0; i < n; i++) {
            int32_t *c = (int32_t *)(uintptr_t)codes.values + i;
            *c = tsf_vector_present(&codes, i) ? *c % (int32_t)dict.length : 0;
        }
        *out = codes;
        out->type = t;
        out->shape = TSF_DICTIONARY;
        out->dict = tsf_arena_memdup(a, &dict, sizeof dict);
        out->dict_id = tsf_dict_id_new();
        return;
    default: random_flat(a, t, n, mode, nulls, out);
    }
}

/* The JSON text of a row: an independent witness of what the row holds. */
static inline void expect_rows_same(const struct tsf_vector *a, int64_t i, const struct tsf_vector *b, int64_t j)
{
    struct tsf_arena scratch = TSF_ARENA_INIT;
    struct tsf_buf x = TSF_BUF_INIT(0), y = TSF_BUF_INIT(0);
    struct tsf_value u, v;

    REQUIRE(tsf_vector_get(a, i, &scratch, &u, err));
    REQUIRE(tsf_vector_get(b, j, &scratch, &v, err));
    REQUIRE(tsf_value_json(&u, &x, err));
    REQUIRE(tsf_value_json(&v, &y, err));
    assert_string_equal(tsf_buf_cstr(&x), tsf_buf_cstr(&y));
    assert_true(tsf_vector_rows_equal(a, i, b, j));
    tsf_buf_release(&x);
    tsf_buf_release(&y);
    tsf_arena_release(&scratch);
}

static inline void expect_same(const struct tsf_vector *a, const struct tsf_vector *b)
{
    assert_int_equal(a->length, b->length);
    assert_int_equal(tsf_vector_null_count(a), tsf_vector_null_count(b));
    for (int64_t i = 0; i < a->length; i++)
        expect_rows_same(a, i, b, i);
}

#endif
