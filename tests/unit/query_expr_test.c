/*
 * The evaluator against itself: an expression over dictionaries, constants and slices gives what it gives row by row, a
 * filter chooses the rows for which its expression is true, and both builds of the array loops agree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/query_fn_internal.h"
#include "query_fake.h"

#define NOW 1795176000000000
#define CHECK_OK(call)                                                                                                 \
    do {                                                                                                               \
        if ((call) != TSF_OK)                                                                                          \
            fail_msg("%s: %s %s", #call, err.sqlstate, err.msg);                                                       \
    } while (0)

static struct tsf_error err = TSF_ERROR_INIT;
static uint64_t seed = 88172645463325252ULL;

static uint64_t rng(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* ---- batches ------------------------------------------------------------------------------------------------ */

static void string_random(char *out, size_t cap)
{
    static const char *const words[] = { "", "a", "api", "checkout", "GET /v1/users", "error: timeout while calling the backend",
                                         "\xc3\xa4\xc3\xb6\xc3\xbc", "INFO", "warn", "100", "x_y%z", "{\"a\": {\"b\": 5}, \"c\": \"d\"}" };
    snprintf(out, cap, "%s%s", words[rng() % TSF_ARRAY_LEN(words)], rng() % 4 ? "" : words[rng() % TSF_ARRAY_LEN(words)]);
}

static void value_append(struct tsf_builder *b, const struct tsf_type *t)
{
    char text[200];

    switch (t->id) {
    case TSF_TYPE_STRING:
        string_random(text, sizeof text);
        CHECK_OK(tsf_builder_str(b, text, strlen(text), &err));
        break;
    case TSF_TYPE_DECIMAL: CHECK_OK(tsf_builder_i128(b, (tsf_int128)(rng() % 100000) - 50000, &err)); break;
    case TSF_TYPE_FLOAT:
    case TSF_TYPE_DOUBLE: CHECK_OK(tsf_builder_f64(b, rng() % 16 ? (double)(rng() % 1000) / 8 - 20 : NAN, &err)); break;
    case TSF_TYPE_BOOL: CHECK_OK(tsf_builder_i64(b, rng() % 2, &err)); break;
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ: CHECK_OK(tsf_builder_i64(b, NOW - (int64_t)(rng() % (400 * TSF_US_PER_DAY)), &err)); break;
    case TSF_TYPE_DATE: CHECK_OK(tsf_builder_i64(b, 20000 + (int64_t)(rng() % 800), &err)); break;
    case TSF_TYPE_LIST:
        for (uint64_t k = rng() % 4; k > 0; k--)
            value_append(&b->children[0], t->children[0].type);
        CHECK_OK(tsf_builder_list_end(b, &err));
        break;
    default: CHECK_OK(tsf_builder_i64(b, (int64_t)(rng() % 200) - 100, &err)); break;
    }
}

/* A dictionary of a few values (some twice, one that no row has) and codes into it. */
static void column_dictionary(const struct tsf_type *t, int64_t n, bool nulls, struct tsf_arena *a, struct tsf_vector *out)
{
    struct tsf_builder b = { 0 };
    struct tsf_vector tmp, *dict = tsf_arena_calloc(a, 1, sizeof *dict);
    int64_t entries = 1 + (int64_t)(rng() % 20);
    int32_t *codes = tsf_arena_calloc(a, (size_t)n + 64, 4);
    uint64_t *valid = tsf_arena_calloc(a, tsf_bit_words(n) + 1, 8);

    CHECK_OK(tsf_builder_init(&b, t, &err));
    for (int64_t i = 0; i < entries; i++)
        value_append(&b, t);
    CHECK_OK(tsf_builder_vector(&b, a, &tmp, &err));
    CHECK_OK(tsf_vector_copy(&tmp, a, dict, &err));
    tsf_builder_release(&b);
    for (int64_t i = 0; i < n; i++) {
        bool present = !nulls || rng() % 5;
        tsf_bit_put(valid, i, present);
        codes[i] = present ? (int32_t)(rng() % (uint64_t)TSF_MAX(entries - 1, 1)) : 0;
    }
    *out = (struct tsf_vector){ .type = t, .shape = TSF_DICTIONARY, .length = n, .values = codes, .dict = dict, .dict_id = tsf_dict_id_new() };
    if (nulls)
        tsf_vector_set_validity(out, valid);
}

/* which: per column 0 flat, 1 dictionary, 2 constant; flat gets the same rows. */
static void batches_make(const struct tsf_schema *s, int64_t n, bool nulls, struct tsf_arena *a, struct tsf_batch *shaped, struct tsf_batch *flat)
{
    *shaped = *flat = (struct tsf_batch){ .length = n, .n_columns = s->n_fields };
    shaped->columns = tsf_arena_calloc(a, (size_t)s->n_fields, sizeof *shaped->columns);
    flat->columns = tsf_arena_calloc(a, (size_t)s->n_fields, sizeof *flat->columns);
    for (int c = 0; c < s->n_fields; c++) {
        const struct tsf_type *t = s->fields[c].type;
        uint64_t shape = rng() % 3;
        column_dictionary(t, shape == 2 ? 1 : n, nulls, a, &shaped->columns[c]);
        if (shape == 2) {
            struct tsf_value v;
            CHECK_OK(tsf_vector_get(&shaped->columns[c], 0, a, &v, &err));
            CHECK_OK(tsf_vector_constant(&v, n, a, &shaped->columns[c], &err));
        } else if (shape == 0 || t->n_children) {
            CHECK_OK(tsf_vector_flatten(&shaped->columns[c], a, &shaped->columns[c], &err));
        }
        CHECK_OK(tsf_vector_flatten(&shaped->columns[c], a, &flat->columns[c], &err));
    }
}

/* ---- expressions ---------------------------------------------------------------------------------------------- */

struct bound {
    struct query_session *s;
    struct tsf_arena tree; /* literals of the plan live there */
    struct query_plan plan;
    struct query_expr *e;
};

static void bound_release(struct bound *b)
{
    query_session_free(b->s);
    tsf_arena_release(&b->tree);
}

static void bind(struct bound *b, const char *expr)
{
    struct query_options options = { 0 };
    struct query_parsed parsed;
    char sql[1000];

    fake_init();
    snprintf(sql, sizeof sql, "SELECT %s FROM t", expr);
    tsf_error_reset(&err);
    CHECK_OK(query_session_new(&options, &b->s, &err));
    b->s->lookup = fake_lookup;
    CHECK_OK(query_parse(&b->s->opts, sql, &b->tree, &parsed, &err));
    if (query_bind(b->s, parsed.tree->stmts[0]->stmt->select_stmt, NOW, &b->plan, &err) != TSF_OK)
        fail_msg("%s: %s %s", expr, err.sqlstate, err.msg);
    assert_int_equal(b->plan.root->kind, QUERY_NODE_PROJECT);
    assert_int_equal(b->plan.root->input->n_columns, fake_schema.n_fields);
    b->e = b->plan.root->u.project.exprs[0];
}

static void row_text(const struct tsf_vector *v, int64_t i, struct tsf_buf *out)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_value x;

    tsf_buf_reset(out);
    CHECK_OK(tsf_vector_get(v, i, &a, &x, &err));
    if (x.is_null || v->type->id == TSF_TYPE_NULL)
        CHECK_OK(tsf_buf_append_z(out, "NULL", &err));
    else
        CHECK_OK(tsf_value_text(&x, out, &err));
    (void)tsf_buf_cstr(out);
    tsf_arena_release(&a);
}

static void same_rows(const char *expr, const struct tsf_vector *a, const struct tsf_vector *b, int64_t n)
{
    struct tsf_buf x = TSF_BUF_INIT(0), y = TSF_BUF_INIT(0);

    for (int64_t i = 0; i < n; i++) {
        row_text(a, i, &x);
        row_text(b, i, &y);
        if (strcmp(tsf_buf_cstr(&x), tsf_buf_cstr(&y)) != 0)
            fail_msg("%s: row %lld of %lld: %s and %s", expr, (long long)i, (long long)n, (char *)x.data, (char *)y.data);
    }
    tsf_buf_release(&x);
    tsf_buf_release(&y);
}

/* Row i of the flat batch by itself, so that nothing but plain kernels on one row is involved. */
static void row_by_row(const struct query_expr *e, const struct tsf_batch *flat, struct tsf_arena *a, uint32_t n_exprs, struct tsf_vector *out)
{
    struct tsf_builder b = { 0 };
    struct tsf_vector tmp;

    CHECK_OK(tsf_builder_init(&b, e->type, &err));
    for (int64_t i = 0; i < flat->length; i++) {
        struct query_eval ev;
        struct tsf_batch one = *flat;
        struct tsf_vector v;
        struct tsf_value x;
        uint32_t sel = (uint32_t)i;
        one.length = 1;
        one.columns = tsf_arena_calloc(a, (size_t)flat->n_columns, sizeof *one.columns);
        for (int c = 0; c < flat->n_columns; c++)
            CHECK_OK(tsf_vector_gather(&flat->columns[c], &sel, 1, a, &one.columns[c], &err));
        CHECK_OK(query_eval_init(&ev, a, n_exprs, NOW, NULL, &err));
        CHECK_OK(query_eval(&ev, e, &one, &v, &err));
        CHECK_OK(tsf_vector_get(&v, 0, a, &x, &err));
        x.type = e->type;
        CHECK_OK(tsf_builder_value(&b, &x, &err));
        query_eval_release(&ev);
    }
    CHECK_OK(tsf_builder_vector(&b, a, &tmp, &err));
    CHECK_OK(tsf_vector_copy(&tmp, a, out, &err));
    tsf_builder_release(&b);
}

static void filter_agrees(const char *expr, struct query_eval *ev, const struct query_expr *e, const struct tsf_batch *b, const struct tsf_vector *want)
{
    uint32_t *sel = tsf_arena_alloc(ev->arena, 4 * (size_t)b->length + 64);
    int64_t n, at = 0;

    CHECK_OK(query_eval_filter(ev, e, b, sel, &n, &err));
    for (int64_t i = 0; i < b->length; i++) {
        bool is_true = tsf_vector_present(want, i) && ((const uint8_t *)want->values)[i];
        if (is_true != (at < n && sel[at] == i))
            fail_msg("%s: filter and value disagree in row %lld of %lld", expr, (long long)i, (long long)b->length);
        at += is_true;
    }
    assert_int_equal(at, n);
}

static const char *const exprs[] = {
    "duration + 1", "duration * 2 - status", "status + level", "score * 2", "score + ratio", "amount + 1.5", "amount * amount", "-duration",
    "amount / 7", "round(amount, 1)", "abs(status)", "duration % 7", "status / 3", "score > 10", "score = score", "ratio >= 1",
    "duration > 10", "10 < duration", "status = 7", "status <> 7", "level <= 3", "level = 100000", "amount > 3.5", "amount = 2", "duration = status",
    "name = 'api'", "name <> 'api'", "name < 'b'", "name >= 'error'", "name = id", "name = 'error: timeout while calling the backend'",
    "name LIKE '%o%'", "name LIKE 'e%'", "name LIKE '%t'", "name LIKE '_p%'", "name ILIKE '%INFO%'", "name NOT LIKE '%a%'", "name ~ '[0-9]+'",
    "name ~* 'ERR'", "name LIKE id", "lower(name)", "upper(name)", "length(name)", "name || '!'", "name || id", "substr(name, 2, 3)", "md5(name)",
    "coalesce(name, 'none')", "coalesce(name, id, 'x')", "coalesce(duration, 0)", "coalesce(status::bigint, duration)", "nullif(name, 'api')",
    "lower(name) = 'api' OR upper(id) = 'INFO'", "name IS NULL", "name IS NOT NULL", "duration IS NULL OR duration > 5",
    "name IN ('api', 'checkout', 'INFO')", "name NOT IN ('api', 'x')", "name IN ('api', NULL)", "status IN (1, 2, 3)", "duration IN (1,2,3,4,5,6,7,8,9,10)",
    "duration NOT IN (1, NULL)", "score IN (1.5, 2.5)", "amount IN (1.5, 2.5, 3)",
    "duration > 0 AND status > 0", "duration > 0 OR status > 0 AND ok", "NOT (duration > 0 AND name = 'api')", "ok AND name LIKE '%a%' AND duration > 0",
    "ok", "NOT ok", "ok IS TRUE", "ok IS NOT FALSE", "ok IS UNKNOWN", "(duration > 5) IS NOT TRUE",
    "status <> 0 AND 100 / status > 5", "status = 0 OR 100 / status > 5", "CASE WHEN status <> 0 THEN 100 / status ELSE -1 END",
    "CASE WHEN name = 'api' THEN 'a' WHEN duration > 0 THEN 'b' END", "CASE WHEN ok THEN name ELSE id END", "CASE name WHEN 'api' THEN 1 WHEN 'INFO' THEN 2 ELSE 0 END",
    "CASE WHEN ok THEN duration WHEN status > 0 THEN status END", "CASE WHEN duration > 0 THEN 'x' ELSE NULL END",
    "name IS DISTINCT FROM id", "status IS NOT DISTINCT FROM 5", "duration BETWEEN -5 AND 5", "greatest(duration, status)", "least(name, id)",
    "date_trunc('hour', timestamp)", "date_trunc('month', timestamp)", "time_bucket('5 minutes', timestamp)", "time_bucket('1 month', seen)",
    "extract(dow FROM timestamp)", "extract(epoch FROM seen)", "timestamp - interval '1 hour'", "timestamp + interval '1 month'", "timestamp::date",
    "date = timestamp::date", "timestamp > now() - interval '100 days'", "seen - interval '1 day' < timestamp", "date + 5", "to_char(timestamp, 'YYYY-MM-DD HH24')",
    "body ->> 'c'", "body -> 'a' ->> 'b'", "(body #>> '{a,b}') = '5'", "body IS NULL", "duration::text", "score::text", "amount::double precision", "status::bool",
    "score::numeric(20,3) ", "'api' = ANY (tags)", "tags[1]", "array_length(tags, 1)", "cardinality(tags) > 1", "array_to_string(tags, ',')", "ARRAY[name, id]",
    "concat(name, duration, ok)", "concat_ws('-', name, id)", "split_part(name, ' ', 2)", "replace(name, 'o', '00')", "left(name, -1)", "regexp_replace(name, 'a', 'b')",
    "starts_with(name, 'ch')", "position('i' in name)", "lpad(name, 5)", "initcap(name)", "num_nulls(name, duration)", "pg_typeof(amount)", "now()", "1 + 1", "NULL",
};

static void test_query_expr__shapes_agree_with_rows_one_by_one(void **state)
{
    static const int64_t sizes[] = { 0, 1, 63, 64, 65, 200 };

    (void)state;
    for (size_t k = 0; k < TSF_ARRAY_LEN(exprs); k++) {
        struct bound b = { 0 };
        struct query_eval ev;
        struct tsf_arena arena = TSF_ARENA_INIT;
        bind(&b, exprs[k]);
        CHECK_OK(query_eval_init(&ev, &arena, b.plan.n_exprs, NOW, b.s, &err));
        for (int round = 0; round < 6; round++) {
            struct tsf_batch shaped, flat;
            struct tsf_vector got, again, plain, want;
            bool nulls = round % 3 != 0 || strstr(exprs[k], "IS NOT DISTINCT") != NULL;
            batches_make(&fake_schema, sizes[(size_t)round % TSF_ARRAY_LEN(sizes)], nulls, &arena, &shaped, &flat);
            row_by_row(b.e, &flat, &arena, b.plan.n_exprs, &want);
            for (int pass = 0; pass < 2; pass++) { /* the second meets what the first left in the slots */
                if (query_eval(&ev, b.e, &shaped, &got, &err) != TSF_OK)
                    fail_msg("%s: %s", exprs[k], err.msg);
                same_rows(exprs[k], &got, &want, flat.length);
            }
            CHECK_OK(query_eval(&ev, b.e, &flat, &plain, &err));
            same_rows(exprs[k], &plain, &want, flat.length);
            CHECK_OK(query_eval(&ev, b.e, &shaped, &again, &err));
            same_rows(exprs[k], &again, &want, flat.length);
            if (b.e->type->id == TSF_TYPE_BOOL) {
                filter_agrees(exprs[k], &ev, b.e, &shaped, &want);
                filter_agrees(exprs[k], &ev, b.e, &flat, &want);
            }
        }
        query_eval_release(&ev);
        tsf_arena_release(&arena);
        bound_release(&b);
    }
}

static void test_query_expr__an_entry_that_fails_fails_only_rows_that_have_it(void **state)
{
    struct bound b = { 0 };
    struct query_eval ev;
    struct tsf_arena arena = TSF_ARENA_INIT;
    struct tsf_batch shaped, flat;
    struct tsf_vector got, *name, *dict;
    struct tsf_sview *entries;
    int32_t codes[64] = { 0 };

    (void)state;
    bind(&b, "name::int");
    CHECK_OK(query_eval_init(&ev, &arena, b.plan.n_exprs, NOW, b.s, &err));
    batches_make(&fake_schema, 10, false, &arena, &shaped, &flat);
    name = &shaped.columns[5];
    dict = tsf_arena_calloc(&arena, 1, sizeof *dict);
    CHECK_OK(tsf_vector_alloc(TSF_T(STRING), 2, &arena, dict, (void **)&entries, &err));
    entries[0] = tsf_sview_make("12", 2);
    entries[1] = tsf_sview_make("oops", 4);
    *name = (struct tsf_vector){ .type = TSF_T(STRING), .shape = TSF_DICTIONARY, .length = 10, .values = codes, .dict = dict,
                                 .dict_id = tsf_dict_id_new() };
    CHECK_OK(query_eval(&ev, b.e, &shaped, &got, &err));
    assert_int_equal(((const int32_t *)tsf_vector_flat_values(&got))[tsf_vector_at(&got, 3)], 12);
    codes[9] = 1;
    assert_int_equal(query_eval(&ev, b.e, &shaped, &got, &err), TSF_ERR_INVALID);
    assert_string_equal(err.sqlstate, "22P02");
    query_eval_release(&ev);
    tsf_arena_release(&arena);
    bound_release(&b);
}

/* ---- both builds of the loops ------------------------------------------------------------------------------------- */

static void test_query_kernels__builds_agree(void **state)
{
    static double f64[256], g64[256];
    static int64_t a[256], b[256], ra[256], rb[256];
    const struct query_kernels *x = &query_kernels_base, *y = query_kernels();

    (void)state;
    for (int64_t n = 0; n < 130; n++)
        for (int shift = 0; shift < 4; shift++) {
            uint64_t m1[4] = { 0 }, m2[4] = { 0 };
            uint8_t o1[256], o2[256];
            uint32_t s1[256], s2[256];
            for (int i = 0; i < 256; i++) {
                a[i] = (int64_t)(rng() % 7) - 3;
                b[i] = rng() % 9 ? (int64_t)(rng() % 7) - 3 : INT64_MAX;
                f64[i] = rng() % 5 ? (double)a[i] : NAN;
                g64[i] = rng() % 5 ? (double)a[i] : INFINITY;
            }
            for (int num = 0; num < QUERY_NUM_COUNT; num++)
                for (int op = 0; op < QUERY_CMP_COUNT; op++) {
                    const void *v = num == QUERY_F32 || num == QUERY_F64 ? (const void *)(f64 + shift) : (const void *)(a + shift);
                    x->cmp_mask[num][op](v, v, n, m1);
                    y->cmp_mask[num][op](v, v, n, m2);
                    assert_memory_equal(m1, m2, tsf_bit_words(n) * 8);
                    x->cmp_const[num][op](v, v, n, o1);
                    y->cmp_const[num][op](v, v, n, o2);
                    assert_memory_equal(o1, o2, (size_t)n);
                    for (int64_t i = 0; i < n; i++)
                        assert_int_equal(o1[i], tsf_bit_get(m1, i));
                    x->cmp_array[num][op](v, f64, n, o1);
                    y->cmp_array[num][op](v, f64, n, o2);
                    assert_memory_equal(o1, o2, (size_t)n);
                }
            assert_int_equal(x->mask_sel(m1, n, s1), y->mask_sel(m1, n, s2));
            assert_int_equal(x->add_i64(a + shift, 1, b, 1, n, ra), y->add_i64(a + shift, 1, b, 1, n, rb));
            assert_memory_equal(ra, rb, (size_t)n * 8);
            assert_int_equal(x->sub_i64(a + shift, 1, b, 0, n, ra), y->sub_i64(a + shift, 1, b, 0, n, rb));
            assert_memory_equal(ra, rb, (size_t)n * 8);
            assert_int_equal(x->add_f64(g64, 1, g64 + shift, 1, n, f64), y->add_f64(g64, 1, g64 + shift, 1, n, f64));
            assert_true(x->sum_i64(b + shift, n) == y->sum_i64(b + shift, n));
            x->floor_i64(b + shift, n, 1, 3, ra);
            y->floor_i64(b + shift, n, 1, 3, rb);
            assert_memory_equal(ra, rb, (size_t)n * 8);
        }
}

static void test_query_kernels__contains_is_memmem(void **state)
{
    char s[200];
    const struct query_kernels *y = query_kernels();

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t len = rng() % 120, n = rng() % 6, at = rng() % 40;
        char x[8];
        for (size_t i = 0; i < sizeof s; i++)
            s[i] = (char)('a' + rng() % 3);
        for (size_t i = 0; i < n; i++)
            x[i] = (char)('a' + rng() % 3);
        assert_int_equal(y->contains(s + at, len, x, n), n == 0 || memmem(s + at, len, x, n) != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_expr__shapes_agree_with_rows_one_by_one),
        cmocka_unit_test(test_query_expr__an_entry_that_fails_fails_only_rows_that_have_it),
        cmocka_unit_test(test_query_kernels__builds_agree),
        cmocka_unit_test(test_query_kernels__contains_is_memmem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
