/*
 * Aggregates against themselves: what many groups, shapes, filters and two workers give is what each group's rows give when
 * they come alone, flat and in one piece. And the accuracy of those that are only about right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/query_agg_internal.h"
#include "query/query_fn_misc.h"
#include "query_fake.h"

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

static void value_append(struct tsf_builder *b, const struct tsf_type *t)
{
    static const char *const words[] = { "", "a", "api", "checkout", "a name longer than twelve bytes", "another name of that kind" };
    const char *w = words[rng() % TSF_ARRAY_LEN(words)];

    switch (t->id) {
    case TSF_TYPE_STRING: CHECK_OK(tsf_builder_str(b, w, strlen(w), &err)); break;
    case TSF_TYPE_DECIMAL: CHECK_OK(tsf_builder_i128(b, (tsf_int128)(rng() % 1000) - 500, &err)); break;
    case TSF_TYPE_FLOAT:
    case TSF_TYPE_DOUBLE: CHECK_OK(tsf_builder_f64(b, (double)(rng() % 1000) / 8 - 20, &err)); break;
    case TSF_TYPE_BOOL: CHECK_OK(tsf_builder_i64(b, rng() % 2, &err)); break;
    case TSF_TYPE_LIST: CHECK_OK(tsf_builder_list_end(b, &err)); break;
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ: CHECK_OK(tsf_builder_i64(b, (int64_t)(rng() % 10000000000000ULL), &err)); break;
    default: CHECK_OK(tsf_builder_i64(b, (int64_t)(rng() % 100) - 50, &err)); break;
    }
}

static void column_make(const struct tsf_type *t, int64_t n, bool dictionary, bool nulls, struct tsf_arena *a, struct tsf_vector *out)
{
    struct tsf_builder b = { 0 };
    struct tsf_vector tmp, *dict = tsf_arena_calloc(a, 1, sizeof *dict);
    int64_t entries = dictionary ? 12 : n;
    int32_t *codes = tsf_arena_calloc(a, (size_t)n + 64, 4);
    uint64_t *valid = tsf_arena_calloc(a, tsf_bit_words(n) + 1, 8);

    CHECK_OK(tsf_builder_init(&b, t, &err));
    for (int64_t i = 0; i < entries; i++)
        value_append(&b, t);
    CHECK_OK(tsf_builder_vector(&b, a, &tmp, &err));
    CHECK_OK(tsf_vector_copy(&tmp, a, dict, &err));
    tsf_builder_release(&b);
    for (int64_t i = 0; i < n; i++) {
        bool present = !nulls || rng() % 4;
        tsf_bit_put(valid, i, present);
        codes[i] = present && dictionary ? (int32_t)(rng() % 12) : 0;
    }
    *out = *dict;
    if (dictionary)
        *out = (struct tsf_vector){ .type = t, .shape = TSF_DICTIONARY, .length = n, .values = codes, .dict = dict, .dict_id = tsf_dict_id_new() };
    if (nulls)
        tsf_vector_set_validity(out, valid);
}

struct bound {
    struct query_session *s;
    struct tsf_arena tree;
    struct query_plan plan;
    const struct query_agg_call *call;
};

static void bind(struct bound *b, const char *agg)
{
    struct query_options options = { 0 };
    struct query_parsed parsed;
    const struct query_node *n;
    char sql[500];

    fake_init();
    snprintf(sql, sizeof sql, "SELECT %s FROM t", agg);
    tsf_error_reset(&err);
    CHECK_OK(query_session_new(&options, &b->s, &err));
    b->s->lookup = fake_lookup;
    CHECK_OK(query_parse(&b->s->opts, sql, &b->tree, &parsed, &err));
    if (query_bind(b->s, parsed.tree->stmts[0]->stmt->select_stmt, 0, &b->plan, &err) != TSF_OK)
        fail_msg("%s: %s %s", agg, err.sqlstate, err.msg);
    for (n = b->plan.root; n && n->kind != QUERY_NODE_AGGREGATE;)
        n = n->input;
    assert_non_null(n);
    b->call = &n->u.aggregate.aggs[0];
}

static void bound_release(struct bound *b)
{
    query_session_free(b->s);
    tsf_arena_release(&b->tree);
}

static void update(struct query_eval *ev, const struct query_agg_call *c, const struct tsf_batch *b, const uint64_t *filter,
                   const uint32_t *groups, uint8_t *states, struct tsf_arena *mem)
{
    struct tsf_vector args[8];

    for (int k = 0; k < c->n_args; k++)
        CHECK_OK(query_eval(ev, c->args[k], b, &args[k], &err));
    CHECK_OK(c->agg->update(c, mem, states, c->agg->state_size, groups, args, b->length, filter, &err));
}

static void row_text(const struct tsf_vector *v, int64_t i, struct tsf_buf *out)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_value x;

    tsf_buf_reset(out);
    CHECK_OK(tsf_vector_get(v, i, &a, &x, &err));
    CHECK_OK(x.is_null ? tsf_buf_append_z(out, "NULL", &err) : tsf_value_text(&x, out, &err));
    (void)tsf_buf_cstr(out);
    tsf_arena_release(&a);
}

#define GROUPS 5
#define ROWS 300

static const char *const aggs[] = {
    "count(*)", "count(name)", "count(DISTINCT name)", "count(DISTINCT duration)", "count(DISTINCT amount)", "count(DISTINCT score)", "sum(duration)",
    "sum(status)", "sum(level)", "sum(amount)", "sum(score)", "sum(ratio)", "avg(duration)", "avg(status)", "avg(amount)", "avg(score)", "min(duration)",
    "max(duration)", "min(status)", "max(level)", "min(name)", "max(name)", "min(timestamp)", "max(date)", "min(amount)", "max(score)", "min(ratio)",
    "bool_and(ok)", "bool_or(ok)", "every(ok)", "string_agg(name, ',')", "array_agg(duration)", "array_agg(name)", "first(name, timestamp)",
    "last(duration, timestamp)", "last(name, name)", "percentile_cont(0.3) WITHIN GROUP (ORDER BY duration)", "percentile_cont(0.9) WITHIN GROUP (ORDER BY score DESC)",
    "percentile_cont(ARRAY[0.1, 0.5]) WITHIN GROUP (ORDER BY status)", "percentile_disc(0.5) WITHIN GROUP (ORDER BY name)",
    "percentile_disc(0.25) WITHIN GROUP (ORDER BY duration)", "percentile_disc(0.25) WITHIN GROUP (ORDER BY amount)", "mode() WITHIN GROUP (ORDER BY name)",
    "mode() WITHIN GROUP (ORDER BY duration)", "median(score)", "approx_count_distinct(name)", "approx_count_distinct(duration)", "percentile_agg(duration)",
    "histogram(score, 0, 100, 10)", "count(duration + 1)", "sum(CASE WHEN ok THEN 1 ELSE 0 END)", "sum(duration::numeric)", "min(seen - timestamp)", "sum(seen - timestamp)",
};

/* The rows of one group by themselves. */
static void group_alone(struct query_eval *ev, const struct query_agg_call *c, const struct tsf_batch *b, const uint64_t *filter,
                        const uint32_t *groups, uint32_t group, struct tsf_arena *a, struct tsf_vector *out)
{
    struct tsf_batch part = *b;
    uint32_t *sel = tsf_arena_alloc(a, 4 * ROWS + 64);
    uint8_t *state = tsf_arena_calloc(a, 1, c->agg->state_size);

    part.length = 0;
    for (uint32_t i = 0; i < b->length; i++)
        if (groups[i] == group && tsf_bit_get(filter, i))
            sel[part.length++] = i;
    part.columns = tsf_arena_calloc(a, (size_t)b->n_columns, sizeof *part.columns);
    for (int k = 0; k < b->n_columns; k++) {
        CHECK_OK(tsf_vector_gather(&b->columns[k], sel, part.length, a, &part.columns[k], &err));
        CHECK_OK(tsf_vector_flatten(&part.columns[k], a, &part.columns[k], &err));
    }
    if (part.length)
        update(ev, c, &part, NULL, NULL, state, a);
    CHECK_OK(c->agg->finish(c, state, c->agg->state_size, 1, a, out, &err));
}

static void round_run(const char *name, const struct bound *b, bool dictionary, bool nulls)
{
    const struct query_agg_call *c = b->call;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_batch batch = { .length = ROWS, .n_columns = fake_schema.n_fields };
    uint32_t groups[ROWS], swapped[ROWS], map[GROUPS] = { 3, 4, 0, 2, 1 };
    uint64_t filter[ROWS / 64 + 2];
    size_t size = c->agg->state_size;
    uint8_t *one = tsf_arena_calloc(&a, GROUPS, size), *two = tsf_arena_calloc(&a, GROUPS, size);
    struct tsf_buf x = TSF_BUF_INIT(0), y = TSF_BUF_INIT(0);
    struct tsf_vector got;
    struct query_eval ev;

    CHECK_OK(query_eval_init(&ev, &a, b->plan.n_exprs, 0, b->s, &err));
    batch.columns = tsf_arena_calloc(&a, (size_t)batch.n_columns, sizeof *batch.columns);
    for (int k = 0; k < batch.n_columns; k++)
        column_make(fake_schema.fields[k].type, ROWS, dictionary && !fake_schema.fields[k].type->n_children, nulls, &a, &batch.columns[k]);
    for (int i = 0; i < ROWS; i++) {
        groups[i] = (uint32_t)(rng() % (GROUPS - 1)); /* the last one stays empty */
        for (uint32_t k = 0; k < GROUPS; k++)
            if (map[k] == groups[i])
                swapped[i] = k;
    }
    for (size_t w = 0; w < TSF_ARRAY_LEN(filter); w++)
        filter[w] = rng() | rng();
    for (int part = 0; part < 4; part++) { /* two batches for each of two workers, who number the groups in their own way */
        struct tsf_batch sub = batch;
        int64_t first = part * 64, n = part == 3 ? ROWS - 192 : 64;
        sub.length = n;
        sub.columns = tsf_arena_calloc(&a, (size_t)batch.n_columns, sizeof *sub.columns);
        for (int k = 0; k < batch.n_columns; k++)
            CHECK_OK(tsf_vector_slice(&batch.columns[k], first, n, &a, &sub.columns[k], &err));
        update(&ev, c, &sub, filter + part, part < 2 ? groups + first : swapped + first, part < 2 ? one : two, &a);
    }
    CHECK_OK(c->agg->combine(c, &a, one, two, size, map, GROUPS, &err));
    CHECK_OK(c->agg->finish(c, one, size, GROUPS, &a, &got, &err));
    assert_true(tsf_type_eq(got.type, c->type));
    for (uint32_t g = 0; g < GROUPS; g++) {
        struct tsf_vector want;
        group_alone(&ev, c, &batch, filter, groups, g, &a, &want);
        row_text(&got, g, &x);
        row_text(&want, 0, &y);
        if (strcmp(tsf_buf_cstr(&x), tsf_buf_cstr(&y)) != 0)
            fail_msg("%s (%s%s) group %u: %s, alone %s", name, dictionary ? "dictionary" : "flat", nulls ? ", nulls" : "", g, (char *)x.data,
                     (char *)y.data);
    }
    tsf_buf_release(&x);
    tsf_buf_release(&y);
    query_eval_release(&ev);
    tsf_arena_release(&a);
}

static void test_query_agg__groups_and_workers_agree_with_a_group_alone(void **state)
{
    (void)state;
    for (size_t k = 0; k < TSF_ARRAY_LEN(aggs); k++) {
        struct bound b = { 0 };
        bind(&b, aggs[k]);
        for (int round = 0; round < 8; round++)
            round_run(aggs[k], &b, round & 1, round & 2);
        bound_release(&b);
    }
}

/* Distinct counts from 10 to 300,000 within 3%, exact while small. */
static void test_query_agg__approx_count_distinct_is_close(void **state)
{
    static const int64_t sizes[] = { 10, 1000, 5000, 50000, 300000 };
    struct bound b = { 0 };

    (void)state;
    bind(&b, "approx_count_distinct(duration)");
    for (size_t k = 0; k < TSF_ARRAY_LEN(sizes); k++) {
        struct tsf_arena a = TSF_ARENA_INIT;
        uint8_t *s = tsf_arena_calloc(&a, 1, b.call->agg->state_size);
        struct tsf_vector v, out;
        int64_t *values;
        CHECK_OK(tsf_vector_alloc(TSF_T(INT64), sizes[k], &a, &v, (void **)&values, &err));
        for (int64_t i = 0; i < sizes[k]; i++)
            values[i] = i * 1000;
        for (int pass = 0; pass < 2; pass++)
            CHECK_OK(b.call->agg->update(b.call, &a, s, b.call->agg->state_size, NULL, &v, sizes[k], NULL, &err));
        CHECK_OK(b.call->agg->finish(b.call, s, b.call->agg->state_size, 1, &a, &out, &err));
        double got = (double)*(const int64_t *)out.values;
        if (fabs(got - (double)sizes[k]) > (sizes[k] <= 1000 ? 0 : 0.03 * (double)sizes[k]))
            fail_msg("%g of %lld", got, (long long)sizes[k]);
        tsf_arena_release(&a);
    }
    bound_release(&b);
}

static int double_cmp(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double sketch_ask(const struct tsf_sview *sketch, double p, struct tsf_arena *a)
{
    struct query_eval ev;
    struct query_expr e = { .kind = QUERY_CALL, .type = TSF_T(DOUBLE) };
    struct tsf_vector args[2] = { { .type = TSF_T(DOUBLE), .length = 1, .values = &p }, { .type = TSF_T(BINARY), .length = 1, .values = sketch } };
    double r = NAN;
    struct query_call c = { .ev = &ev, .expr = &e, .args = args, .n_args = 2, .n = 1, .values_out = &r };

    CHECK_OK(query_eval_init(&ev, a, 0, 0, NULL, &err));
    CHECK_OK(query_sketch_percentile(&c, &err));
    query_eval_release(&ev);
    return r;
}

/* Within 1% of the exact percentile, over ten decades, negative numbers, and few values. */
static void test_query_agg__sketch_is_within_one_percent(void **state)
{
    static const double fractions[] = { 0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1 };
    struct bound b = { 0 };

    (void)state;
    bind(&b, "percentile_agg(score)");
    for (int kind = 0; kind < 4; kind++) {
        int64_t n = kind == 3 ? 20 : 50000;
        struct tsf_arena a = TSF_ARENA_INIT;
        uint8_t *s = tsf_arena_calloc(&a, 1, b.call->agg->state_size);
        struct tsf_vector v, out;
        double *values;
        CHECK_OK(tsf_vector_alloc(TSF_T(DOUBLE), n, &a, &v, (void **)&values, &err));
        for (int64_t i = 0; i < n; i++) {
            double u = (double)(rng() >> 11) * 0x1p-53;
            values[i] = kind == 0 ? exp(u * 23) : kind == 1 ? -exp(u * 10) : kind == 2 ? floor(u * 1000) : u;
        }
        CHECK_OK(b.call->agg->update(b.call, &a, s, b.call->agg->state_size, NULL, &v, n, NULL, &err));
        CHECK_OK(b.call->agg->finish(b.call, s, b.call->agg->state_size, 1, &a, &out, &err));
        qsort(values, (size_t)n, 8, double_cmp);
        for (size_t k = 0; k < TSF_ARRAY_LEN(fractions); k++) {
            double want = values[(int64_t)(fractions[k] * (double)(n - 1))], got = sketch_ask(out.values, fractions[k], &a);
            if (!(fabs(got - want) <= 0.01 * fabs(want) + (kind >= 2 ? 1.0 : 1e-12)))
                fail_msg("kind %d p %g: %g, exactly %g", kind, fractions[k], got, want);
        }
        tsf_arena_release(&a);
    }
    bound_release(&b);
}

/* Bytes that are no sketch give an error, never anything worse. */
static void test_query_agg__damaged_sketches_are_refused(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct bound b = { 0 };
    struct tsf_vector v, out;
    struct tsf_sview view;
    double *values;
    uint8_t *s, *bytes;

    (void)state;
    bind(&b, "percentile_agg(score)");
    s = tsf_arena_calloc(&a, 1, b.call->agg->state_size);
    CHECK_OK(tsf_vector_alloc(TSF_T(DOUBLE), 1000, &a, &v, (void **)&values, &err));
    for (int i = 0; i < 1000; i++)
        values[i] = (double)i;
    CHECK_OK(b.call->agg->update(b.call, &a, s, b.call->agg->state_size, NULL, &v, 1000, NULL, &err));
    CHECK_OK(b.call->agg->finish(b.call, s, b.call->agg->state_size, 1, &a, &out, &err));
    view = *(const struct tsf_sview *)out.values;
    for (int round = 0; round < 20000; round++) {
        size_t len = round % 2 ? rng() % (view.len + 1) : view.len;
        double p = 0.5, r = 0;
        struct query_eval ev;
        struct query_expr e = { .kind = QUERY_CALL, .type = TSF_T(DOUBLE) };
        struct tsf_sview damaged;
        struct tsf_vector args[2] = { { .type = TSF_T(DOUBLE), .length = 1, .values = &p }, { .type = TSF_T(BINARY), .length = 1, .values = &damaged } };
        struct query_call c = { .ev = &ev, .expr = &e, .args = args, .n_args = 2, .n = 1, .values_out = &r };
        bytes = malloc(len + 1);
        assert_non_null(bytes);
        memcpy(bytes, view.u.ref.ptr, len);
        for (int k = 0; len && k < 3; k++)
            bytes[rng() % len] = (uint8_t)rng();
        damaged = tsf_sview_make((const char *)bytes, len);
        CHECK_OK(query_eval_init(&ev, &a, 0, 0, NULL, &err));
        tsf_error_reset(&err);
        (void)query_sketch_percentile(&c, &err);
        query_eval_release(&ev);
        free(bytes);
    }
    bound_release(&b);
    tsf_arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_agg__groups_and_workers_agree_with_a_group_alone),
        cmocka_unit_test(test_query_agg__approx_count_distinct_is_close),
        cmocka_unit_test(test_query_agg__sketch_is_within_one_percent),
        cmocka_unit_test(test_query_agg__damaged_sketches_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
