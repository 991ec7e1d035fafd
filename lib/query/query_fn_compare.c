/* = <> < <= > >= on every type. The arguments of one comparison are of one type: query_type_resolve.c saw to it. */
#include "query/query_fn_internal.h"

/* a, b as three-way result c: does op hold? */
static inline bool op_holds(int op, int c)
{
    switch (op) {
    case QUERY_CMP_EQ: return c == 0;
    case QUERY_CMP_NE: return c != 0;
    case QUERY_CMP_LT: return c < 0;
    case QUERY_CMP_LE: return c <= 0;
    case QUERY_CMP_GT: return c > 0;
    default: return c >= 0;
    }
}

static int op_mirrored(int op)
{
    static const uint8_t mirrored[] = { QUERY_CMP_EQ, QUERY_CMP_NE, QUERY_CMP_GT, QUERY_CMP_GE, QUERY_CMP_LT, QUERY_CMP_LE };
    return mirrored[op];
}

static void views_equal(const struct tsf_sview *a, int64_t sa, const struct tsf_sview *b, int64_t sb, int64_t n, bool not,
                        uint8_t *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = tsf_sview_eq(&a[i * sa], &b[i * sb]) != not;
}

static void views_ordered(int op, const struct tsf_sview *a, int64_t sa, const struct tsf_sview *b, int64_t sb, int64_t n,
                          uint8_t *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = op_holds(op, tsf_sview_cmp(&a[i * sa], &b[i * sb]));
}

#define LOOP_I128(EXPR)                                                                                                \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        tsf_int128 x = a[i * sa], y = b[i * sb];                                                                       \
        out[i] = (uint8_t)(EXPR);                                                                                      \
    }
static void decimals(int op, const tsf_int128 *a, int64_t sa, const tsf_int128 *b, int64_t sb, int64_t n, uint8_t *out)
{
    switch (op) {
    case QUERY_CMP_EQ: LOOP_I128(x == y) break;
    case QUERY_CMP_NE: LOOP_I128(x != y) break;
    case QUERY_CMP_LT: LOOP_I128(x < y) break;
    case QUERY_CMP_LE: LOOP_I128(x <= y) break;
    case QUERY_CMP_GT: LOOP_I128(x > y) break;
    default: LOOP_I128(x >= y) break;
    }
}

/* Bytes that memcmp orders. */
static void uuids(int op, const char *a, int64_t sa, const char *b, int64_t sb, int64_t n, uint8_t *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = op_holds(op, memcmp(a + 16 * i * sa, b + 16 * i * sb, 16));
}

static void intervals(int op, const struct tsf_interval *a, int64_t sa, const struct tsf_interval *b, int64_t sb, int64_t n,
                      uint8_t *out)
{
    for (int64_t i = 0; i < n; i++) {
        const struct tsf_interval *x = &a[i * sa], *y = &b[i * sb];
        tsf_int128 p = ((tsf_int128)x->months * 30 + x->days) * TSF_US_PER_DAY + x->us;
        tsf_int128 q = ((tsf_int128)y->months * 30 + y->days) * TSF_US_PER_DAY + y->us;
        out[i] = op_holds(op, (p > q) - (p < q));
    }
}

/* Lists, slowly. */
static void others(int op, const struct tsf_vector *a, const struct tsf_vector *b, int64_t n, uint8_t *out)
{
    struct tsf_arena scratch = TSF_ARENA_INIT;
    struct tsf_value x, y;

    memset(out, 0, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        if (!tsf_vector_present(a, i) || !tsf_vector_present(b, i))
            continue;
        tsf_arena_reset(&scratch);
        if (tsf_vector_get(a, i, &scratch, &x, NULL) == TSF_OK && tsf_vector_get(b, i, &scratch, &y, NULL) == TSF_OK)
            out[i] = op_holds(op, tsf_value_cmp(&x, &y));
    }
    tsf_arena_release(&scratch);
}

void query_compare_bytes(int op, const struct tsf_vector *a, const struct tsf_vector *b, int64_t n, uint8_t *out)
{
    const struct query_kernels *k = query_kernels();
    int num = query_num_of(a->type);
    int64_t sa, sb;

    if (a->shape == TSF_CONSTANT && b->shape == TSF_FLAT && num >= 0) {
        query_compare_bytes(op_mirrored(op), b, a, n, out);
        return;
    }
    sa = fn_step(a), sb = fn_step(b);
    if (num >= 0) {
        if (b->shape == TSF_CONSTANT && a->shape == TSF_FLAT)
            k->cmp_const[num][op](a->values, b->values, n, out);
        else if (a->shape == TSF_FLAT)
            k->cmp_array[num][op](a->values, b->values, n, out);
        else { /* two constants */
            k->cmp_array[num][op](a->values, b->values, TSF_MIN(n, 1), out);
            if (n > 1)
                memset(out, out[0], (size_t)n);
        }
        return;
    }
    switch (a->type->id) {
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY:
        if (op == QUERY_CMP_EQ || op == QUERY_CMP_NE)
            views_equal(a->values, sa, b->values, sb, n, op == QUERY_CMP_NE, out);
        else
            views_ordered(op, a->values, sa, b->values, sb, n, out);
        break;
    case TSF_TYPE_DECIMAL: decimals(op, a->values, sa, b->values, sb, n, out); break;
    case TSF_TYPE_UUID: uuids(op, a->values, sa, b->values, sb, n, out); break;
    case TSF_TYPE_INTERVAL: intervals(op, a->values, sa, b->values, sb, n, out); break;
    default: others(op, a, b, n, out); break;
    }
}

void query_compare_mask(int op, const struct tsf_vector *a, const struct tsf_vector *b, int64_t n, uint64_t *mask)
{
    const struct query_kernels *k = query_kernels();
    int num = query_num_of(a->type);

    if (num >= 0) {
        k->cmp_mask[num][op](a->values, b->values, n, mask);
        return;
    }
    k->view_eq_mask(a->values, b->values, n, mask);
    if (op == QUERY_CMP_NE) {
        for (size_t w = 0; w < tsf_bit_words(n); w++)
            mask[w] = ~mask[w];
        if (n & 63)
            mask[n >> 6] &= (1ULL << (n & 63)) - 1;
    }
}

static enum tsf_err compare_kernel(struct query_call *c, struct tsf_error *err)
{
    query_compare_bytes(query_compare_op(c->expr->fn), &c->args[0], &c->args[1], c->n, c->values_out);
    return TSF_OK;
}

#define COMPARE(NAME) { NAME, TSF_T(BOOL), NULL, 2, { NULL, NULL }, QUERY_FN_STRICT | QUERY_FN_SAFE, compare_kernel }
const struct query_function query_fn_compare[] = { /* in the order of enum query_cmp */
    COMPARE("="), COMPARE("<>"), COMPARE("<"), COMPARE("<="), COMPARE(">"), COMPARE(">="), { 0 },
};

int query_compare_op(const struct query_function *fn)
{
    return fn && fn->kernel == compare_kernel ? (int)(fn - query_fn_compare) : -1;
}
