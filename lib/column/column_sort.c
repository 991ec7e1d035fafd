/*
 * Sort permutations and row comparison. See column.h.
 *
 * Keys are turned into unsigned numbers that order as the rows do, cut to the bits their range needs, and packed into
 * one 64-bit word, first key highest, until the word is full or a key is not wholly in it (long strings). The words, with
 * the row's position in their spare bits when it fits, go through a radix sort. Runs of equal words that did not decide
 * are sorted again by the keys from the first undecided one on: within a run ranges are narrower and common prefixes
 * longer, so each round decides more. Small or stubborn runs are merged by tsf_row_cmp.
 */
#include "column/column_internal.h"

#include <math.h>
#include <stdlib.h>

#define SMALL_RUN 32
#define DEPTH_MAX 24
#define SIGN (1ULL << 63)

/* ---- comparison --------------------------------------------------------------------------------------------- */

#define CMP(a, b) (((a) > (b)) - ((a) < (b)))
#define CMP_AS(T) CMP(((const T *)x)[i], ((const T *)y)[j])

static int double_cmp(double a, double b)
{
    if (TSF_UNLIKELY(isnan(a) || isnan(b)))
        return isnan(a) - isnan(b);
    return CMP(a, b);
}

static int nested_cmp(const struct tsf_vector *a, int64_t i, const struct tsf_vector *b, int64_t j)
{
    struct tsf_arena scratch = TSF_ARENA_INIT;
    struct tsf_value u, v;
    int c = 0;

    if (tsf_vector_get(a, i, &scratch, &u, NULL) == TSF_OK && tsf_vector_get(b, j, &scratch, &v, NULL) == TSF_OK)
        c = tsf_value_cmp(&u, &v);
    tsf_arena_release(&scratch);
    return c;
}

/* Two present cells of one type. */
static int cell_cmp(const struct tsf_vector *a, int64_t i, const struct tsf_vector *b, int64_t j)
{
    const void *x = tsf_vector_flat_values(a), *y = tsf_vector_flat_values(b);

    if (a->type->n_children)
        return nested_cmp(a, i, b, j);
    i = tsf_vector_at(a, i);
    j = tsf_vector_at(b, j);
    switch (a->type->id) {
    case TSF_TYPE_BOOL: return CMP_AS(uint8_t);
    case TSF_TYPE_INT8: return CMP_AS(int8_t);
    case TSF_TYPE_INT16: return CMP_AS(int16_t);
    case TSF_TYPE_INT32:
    case TSF_TYPE_DATE: return CMP_AS(int32_t);
    case TSF_TYPE_INT64:
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ:
    case TSF_TYPE_TIME: return CMP_AS(int64_t);
    case TSF_TYPE_FLOAT: return double_cmp((double)((const float *)x)[i], (double)((const float *)y)[j]);
    case TSF_TYPE_DOUBLE: return double_cmp(((const double *)x)[i], ((const double *)y)[j]);
    case TSF_TYPE_DECIMAL: return CMP_AS(tsf_int128);
    case TSF_TYPE_UUID: return memcmp((const tsf_int128 *)x + i, (const tsf_int128 *)y + j, 16);
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY: return tsf_sview_cmp((const struct tsf_sview *)x + i, (const struct tsf_sview *)y + j);
    case TSF_TYPE_INTERVAL: {
        struct tsf_value u = { .type = a->type, .u.iv = ((const struct tsf_interval *)x)[i] };
        struct tsf_value v = { .type = a->type, .u.iv = ((const struct tsf_interval *)y)[j] };
        return tsf_value_cmp(&u, &v);
    }
    default: return 0;
    }
}

static int key_cmp(const struct tsf_vector *a, int64_t i, const struct tsf_vector *b, int64_t j, const struct tsf_sort_key *key)
{
    bool pa, pb;
    int c;

    if (a->type->id == TSF_TYPE_NULL)
        return 0;
    pa = tsf_vector_present(a, i);
    pb = tsf_vector_present(b, j);
    if (pa && pb) {
        c = cell_cmp(a, i, b, j);
        return key->descending ? -(c > 0) + (c < 0) : c;
    }
    return pa == pb ? 0 : pa == key->nulls_first ? 1 : -1;
}

int tsf_row_cmp(const struct tsf_batch *a, int64_t i, const struct tsf_batch *b, int64_t j,
                const struct tsf_sort_key *keys, int n_keys)
{
    int c = 0;

    for (int k = 0; c == 0 && k < n_keys; k++)
        c = key_cmp(&a->columns[keys[k].column], i, &b->columns[keys[k].column], j, &keys[k]);
    return c;
}

/* ---- cells as ordered words ------------------------------------------------------------------------------------ */

static inline uint64_t word_double(double d)
{
    uint64_t bits;

    d = d == 0 ? 0 : d; /* -0.0 */
    memcpy(&bits, &d, 8);
    bits = isnan(d) ? 0x7ff8000000000000ULL : bits;
    return bits & SIGN ? ~bits : bits | SIGN;
}

/* Decimals and intervals beyond 64 bits saturate: ties then. */
static inline uint64_t word_i128(tsf_int128 v)
{
    int64_t x = v > INT64_MAX ? INT64_MAX : v < INT64_MIN ? INT64_MIN : (int64_t)v;
    return (uint64_t)x ^ SIGN;
}

static inline uint64_t word_bytes(const void *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
    return __builtin_bswap64(x);
}

static inline uint64_t word_interval(const struct tsf_interval *iv)
{
    return word_i128(((tsf_int128)iv->months * 30 + iv->days) * TSF_US_PER_DAY + iv->us);
}

/* Seven bytes after the first `skip`, then how many bytes there were (8: more than seven, undecided). */
static inline uint64_t word_string(const struct tsf_sview *s, uint32_t skip)
{
    uint32_t left = s->len > skip ? s->len - skip : 0; /* an absent string is empty, whatever the others share */
    uint64_t x = 0;

    if (left == 0)
        return 0;
    if (left >= 8 || (skip == 0 && s->len <= TSF_SVIEW_INLINE))
        memcpy(&x, tsf_sview_data(s) + skip, 8);
    else
        memcpy(&x, tsf_sview_data(s) + skip, left);
    return (__builtin_bswap64(x) & ~0xffULL) | TSF_MIN(left, 8u);
}

#define WORDS(T, EXPR)                                                                                       \
    do {                                                                                                     \
        const T *v_ = values;                                                                                \
        if (rows)                                                                                            \
            for (int64_t i = 0; i < n; i++) {                                                                \
                const T *x = v_ + rows[i];                                                                   \
                out[i] = (EXPR);                                                                             \
            }                                                                                                \
        else                                                                                                 \
            for (int64_t i = 0; i < n; i++) {                                                                \
                const T *x = v_ + i;                                                                         \
                out[i] = (EXPR);                                                                             \
            }                                                                                                \
    } while (0)

/* Words of flat values that ascend as the values do; equal words of unequal values only for the types after DOUBLE. */
static void words_fill(enum tsf_type_id id, const void *values, const uint32_t *rows, int64_t n, uint32_t skip, uint64_t *out)
{
    switch (id) {
    case TSF_TYPE_BOOL: WORDS(uint8_t, *x); break;
    case TSF_TYPE_INT8: WORDS(int8_t, (uint64_t)(int64_t)*x ^ SIGN); break;
    case TSF_TYPE_INT16: WORDS(int16_t, (uint64_t)(int64_t)*x ^ SIGN); break;
    case TSF_TYPE_INT32:
    case TSF_TYPE_DATE: WORDS(int32_t, (uint64_t)(int64_t)*x ^ SIGN); break;
    case TSF_TYPE_INT64:
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ:
    case TSF_TYPE_TIME: WORDS(uint64_t, *x ^ SIGN); break;
    case TSF_TYPE_FLOAT: WORDS(float, word_double((double)*x)); break;
    case TSF_TYPE_DOUBLE: WORDS(double, word_double(*x)); break;
    case TSF_TYPE_DECIMAL: WORDS(tsf_int128, word_i128(*x)); break;
    case TSF_TYPE_UUID: WORDS(tsf_int128, word_bytes(x)); break;
    case TSF_TYPE_STRING:
    case TSF_TYPE_BINARY: WORDS(struct tsf_sview, word_string(x, skip)); break;
    case TSF_TYPE_INTERVAL: WORDS(struct tsf_interval, word_interval(x)); break;
    default: memset(out, 0, (size_t)n * 8);
    }
}

enum tsf_err tsf_sort_prefix(const struct tsf_vector *v, const struct tsf_sort_key *key, uint64_t *out, struct tsf_error *err)
{
    int64_t n = v->length;
    uint64_t flip = key->descending ? UINT64_MAX : 0;
    (void)err;

    if (v->type->id == TSF_TYPE_NULL) {
        memset(out, 0, (size_t)n * 8);
        return TSF_OK;
    }
    if (v->shape == TSF_FLAT) {
        words_fill(v->type->id, v->values, NULL, n, 0, out);
    } else if (v->shape == TSF_CONSTANT) {
        for (int64_t i = 0; i < n; i++)
            words_fill(v->type->id, v->values, NULL, 1, 0, &out[i]);
    } else if (v->dict->length == 0) {
        memset(out, 0, (size_t)n * 8);
    } else {
        /* codes are never negative, so they serve as row numbers */
        words_fill(v->type->id, v->dict->values, v->values, n, 0, out);
    }
    for (int64_t i = 0; i < n; i++)
        out[i] ^= flip;
    if (!v->validity || v->null_count == 0)
        return TSF_OK;
    /* Present rows never get the word of NULL. */
    for (int64_t i = 0; i < n; i++) {
        bool here = tsf_vector_present(v, i);
        if (key->nulls_first)
            out[i] = here ? TSF_MAX(out[i], 1) : 0;
        else
            out[i] = here ? TSF_MIN(out[i], UINT64_MAX - 1) : UINT64_MAX;
    }
    return TSF_OK;
}

/* ---- the sorter --------------------------------------------------------------------------------------------------- */

struct sort_column {
    struct tsf_vector v;   /* FLAT, or DICTIONARY with ranks */
    uint32_t *ranks;       /* by dictionary code */
    struct tsf_sort_key key; /* column is the position among the sorter's columns */
};

struct sorter {
    struct tsf_arena scratch;
    struct tsf_pool *pool;
    struct sort_column *columns;
    struct tsf_sort_key *keys; /* for tsf_row_cmp on cmp_batch */
    struct tsf_batch cmp_batch;
    int n_keys;
    uint64_t *words, *raw;
    uint32_t *rows_tmp;
    struct tsf_keyed *keyed; /* two halves, made when first needed */
    int64_t n_keyed;
};

/* Equal dictionary entries get equal ranks. */
static enum tsf_err ranks_make(struct sorter *s, struct sort_column *c, struct tsf_error *err)
{
    struct tsf_vector dict = *c->v.dict;
    struct tsf_batch b = { .length = dict.length, .n_columns = 1, .columns = &dict };
    struct tsf_sort_key key = { 0 };
    uint32_t *perm, rank = 0;
    enum tsf_err rc;

    if (!(c->ranks = tsf_arena_alloc(&s->scratch, (size_t)dict.length * 4 + 4)))
        return tsf_fail_nomem(err);
    c->ranks[0] = 0; /* an empty dictionary means that all rows are NULL */
    if ((rc = tsf_sort(&b, &key, 1, NULL, &s->scratch, &perm, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < dict.length; i++) {
        if (i && !tsf_vector_rows_equal(&dict, perm[i - 1], &dict, perm[i]))
            rank++;
        c->ranks[perm[i]] = rank;
    }
    return TSF_OK;
}

static enum tsf_err sorter_init(struct sorter *s, const struct tsf_batch *b, const struct tsf_sort_key *keys, int n_keys,
                                struct tsf_error *err)
{
    size_t n = (size_t)b->length;
    struct tsf_vector *columns = tsf_arena_calloc(&s->scratch, (size_t)n_keys + 1, sizeof *columns);
    enum tsf_err rc;

    s->columns = tsf_arena_calloc(&s->scratch, (size_t)n_keys + 1, sizeof *s->columns);
    s->keys = tsf_arena_calloc(&s->scratch, (size_t)n_keys + 1, sizeof *s->keys);
    s->words = tsf_arena_alloc(&s->scratch, n * 8);
    s->raw = tsf_arena_alloc(&s->scratch, n * 8);
    s->rows_tmp = tsf_arena_alloc(&s->scratch, n * 4);
    if (!columns || !s->columns || !s->keys || !s->words || !s->raw || !s->rows_tmp)
        return tsf_fail_nomem(err);
    for (int k = 0; k < n_keys; k++) {
        const struct tsf_vector *v = &b->columns[keys[k].column];
        struct sort_column *c = &s->columns[s->n_keys];
        if (v->shape == TSF_CONSTANT || v->type->id == TSF_TYPE_NULL)
            continue;
        c->v = *v;
        c->key = keys[k];
        c->key.column = s->n_keys;
        if (v->shape == TSF_DICTIONARY) {
            if (v->dict->length <= b->length && !v->type->n_children)
                rc = ranks_make(s, c, err);
            else
                rc = tsf_vector_flatten(v, &s->scratch, &c->v, err);
            if (rc != TSF_OK)
                return rc;
        }
        columns[s->n_keys] = c->v;
        s->keys[s->n_keys++] = c->key;
    }
    s->cmp_batch = (struct tsf_batch){ .length = b->length, .n_columns = s->n_keys, .columns = columns };
    return TSF_OK;
}

/* Merge sort of row numbers by comparison, from key k on. */
static void rows_merge(struct sorter *s, uint32_t *rows, int64_t n, int k)
{
    const struct tsf_batch *b = &s->cmp_batch;
    uint32_t *from = rows, *to = s->rows_tmp, *swap;

    for (int64_t at = 0; at < n; at += 8) /* insertion sort in eights */
        for (int64_t i = at + 1; i < TSF_MIN(at + 8, n); i++) {
            uint32_t row = rows[i];
            int64_t j = i;
            for (; j > at && tsf_row_cmp(b, rows[j - 1], b, row, s->keys + k, s->n_keys - k) > 0; j--)
                rows[j] = rows[j - 1];
            rows[j] = row;
        }
    for (int64_t w = 8; w < n; w *= 2) {
        for (int64_t at = 0; at < n; at += 2 * w) {
            int64_t i = at, mid = TSF_MIN(at + w, n), j = mid, end = TSF_MIN(at + 2 * w, n);
            for (int64_t o = at; o < end; o++) {
                bool left = j >= end || (i < mid && tsf_row_cmp(b, from[i], b, from[j], s->keys + k, s->n_keys - k) <= 0);
                to[o] = left ? from[i++] : from[j++];
            }
        }
        swap = from;
        from = to;
        to = swap;
    }
    if (from != rows)
        memcpy(rows, from, (size_t)n * 4);
}

/* Bytes that all present strings of these rows begin with, and the length of the longest. */
static uint32_t common_prefix(const struct tsf_vector *v, const uint32_t *rows, int64_t n, uint32_t *longest_out)
{
    const struct tsf_sview *s = v->values, *first = NULL;
    uint32_t len = 0, longest = 0;

    for (int64_t i = 0; i < n; i++) {
        int64_t row = rows ? rows[i] : i;
        const char *p, *q;
        uint32_t k = 0;
        if (!tsf_vector_present(v, row))
            continue;
        longest = TSF_MAX(longest, s[row].len);
        if (!first) {
            first = &s[row];
            len = first->len;
        }
        if (len == 0)
            continue;
        p = tsf_sview_data(first);
        q = tsf_sview_data(&s[row]);
        len = TSF_MIN(len, s[row].len);
        while (k < len && p[k] == q[k])
            k++;
        len = k;
    }
    *longest_out = longest;
    return len;
}

/* Ascending words of key k into s->raw; *exact_out: equal words mean equal values. */
static void key_words(struct sorter *s, const struct sort_column *c, const uint32_t *rows, int64_t n, bool *exact_out)
{
    enum tsf_type_id id = c->v.type->id;
    uint32_t skip = 0, longest = 0;
    bool exact = true;

    if (c->ranks) {
        const int32_t *code = c->v.values;
        for (int64_t i = 0; i < n; i++)
            s->raw[i] = c->ranks[code[rows ? rows[i] : i]];
        *exact_out = true;
        return;
    }
    if (tsf_type_is_string(c->v.type))
        skip = common_prefix(&c->v, rows, n, &longest);
    words_fill(id, c->v.values, rows, n, skip, s->raw);
    if (tsf_type_is_string(c->v.type)) {
        exact = longest - skip < 8;
        if (exact) /* close the gap between the bytes that occur and the count */
            for (int64_t i = 0, gap = 8 * (8 - (longest - skip)); i < n; i++)
                s->raw[i] = gap < 64 ? s->raw[i] >> gap << 3 | (s->raw[i] & 7) : 0;
    } else if (id == TSF_TYPE_DECIMAL || id == TSF_TYPE_INTERVAL) {
        for (int64_t i = 0; i < n; i++)
            exact &= s->raw[i] != 0 && s->raw[i] != UINT64_MAX;
    } else {
        exact = id <= TSF_TYPE_DOUBLE || (id != TSF_TYPE_UUID && !c->v.type->n_children);
    }
    *exact_out = exact;
}

/* Bits that are zero in all words (doubles that are round numbers) take no part. */
static uint64_t trailing_cut(uint64_t *raw, int64_t n, uint64_t range)
{
    uint64_t any = range;
    int shift;

    for (int64_t i = 0; i < n; i++)
        any |= raw[i];
    shift = any ? __builtin_ctzll(any) : 0;
    if (shift)
        for (int64_t i = 0; i < n; i++)
            raw[i] >>= shift;
    return range >> shift;
}

/* s->raw from words of any range to 0..range in the key's direction, NULL at its end. Returns the range. */
static uint64_t key_normalize(struct sorter *s, const struct sort_column *c, const uint32_t *rows, int64_t n, bool *exact)
{
    const uint64_t *bits = c->v.null_count ? c->v.validity : NULL;
    uint64_t *raw = s->raw, min = UINT64_MAX, max = 0, range, null_word, base;
    bool nulls = false;

    for (int64_t i = 0; i < n; i++) {
        if (bits && !tsf_bit_get(bits, rows ? rows[i] : i)) {
            nulls = true;
            continue;
        }
        min = raw[i] < min ? raw[i] : min;
        max = raw[i] > max ? raw[i] : max;
    }
    if (min > max) /* all NULL */
        return 0;
    range = max - min;
    if (!nulls) {
        if (c->key.descending)
            for (int64_t i = 0; i < n; i++)
                raw[i] = max - raw[i];
        else
            for (int64_t i = 0; i < n; i++)
                raw[i] -= min;
        return trailing_cut(raw, n, range);
    }
    if (range == UINT64_MAX) { /* no word left for NULL: give up the last bit */
        for (int64_t i = 0; i < n; i++)
            raw[i] >>= 1;
        min >>= 1;
        max >>= 1;
        range >>= 1;
        *exact = false;
    }
    base = c->key.nulls_first;
    null_word = base ? 0 : range + 1;
    for (int64_t i = 0; i < n; i++)
        raw[i] = !tsf_bit_get(bits, rows ? rows[i] : i) ? null_word
                                                        : base + (c->key.descending ? max - raw[i] : raw[i] - min);
    return range + 1;
}

/*
 * Pack keys k.. into s->words; returns the bits used. *tie_out: first key that the words do not decide. While the word has
 * room for the row's position the sort moves half the bytes, so keys whose range is far wider than the number of rows
 * stay alone: few ties are left to the others.
 */
static int words_pack(struct sorter *s, const uint32_t *rows, int64_t n, int k, int pos_bits, int *tie_out)
{
    int used = 0;

    memset(s->words, 0, (size_t)n * 8);
    for (; k < s->n_keys; k++) {
        bool exact;
        uint64_t range;
        int bits, drop;
        key_words(s, &s->columns[k], rows, n, &exact);
        range = key_normalize(s, &s->columns[k], rows, n, &exact);
        bits = range ? 64 - __builtin_clzll(range) : 0;
        if (used >= pos_bits + 4 && used + bits > 64 - pos_bits)
            break;
        drop = TSF_MAX(bits - (64 - used), 0);
        bits -= drop;
        if (bits == 64)
            memcpy(s->words, s->raw, (size_t)n * 8);
        else if (bits)
            for (int64_t i = 0; i < n; i++)
                s->words[i] = s->words[i] << bits | s->raw[i] >> drop;
        used += bits;
        if (drop || !exact)
            break;
    }
    *tie_out = k;
    return used;
}

enum order { ORDER_NONE, ORDER_SORTED, ORDER_REVERSED };

static enum order words_order(const uint64_t *w, int64_t n)
{
    int64_t i = 1;

    if (w[0] <= w[n - 1]) {
        while (i < n && w[i - 1] <= w[i])
            i++;
        return i == n ? ORDER_SORTED : ORDER_NONE;
    }
    while (i < n && w[i - 1] >= w[i])
        i++;
    return i == n ? ORDER_REVERSED : ORDER_NONE;
}

/* Turn descending words into ascending positions; runs of equal words keep their order. */
static void positions_reverse(uint64_t *w, int64_t n, uint32_t *pos)
{
    for (int64_t end = n, o = 0; end > 0;) {
        int64_t at = end - 1;
        while (at > 0 && w[at - 1] == w[at])
            at--;
        for (int64_t i = at; i < end; i++)
            pos[o++] = (uint32_t)i;
        end = at;
    }
    for (int64_t i = 0, j = n - 1; i < j; i++, j--) {
        uint64_t t = w[i];
        w[i] = w[j];
        w[j] = t;
    }
}

static enum tsf_err keyed_order(struct sorter *s, int64_t n, int bits, uint32_t *pos, struct tsf_error *err)
{
    enum tsf_err rc;

    if (s->n_keyed < n) {
        if (!(s->keyed = tsf_arena_alloc(&s->scratch, (size_t)n * 2 * sizeof *s->keyed)))
            return tsf_fail_nomem(err);
        s->n_keyed = n;
    }
    for (int64_t i = 0; i < n; i++)
        s->keyed[i] = (struct tsf_keyed){ s->words[i], (uint32_t)i };
    if ((rc = tsf_radix_keyed(s->keyed, s->keyed + n, n, bits, s->pool, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < n; i++) {
        s->words[i] = s->keyed[i].key;
        pos[i] = s->keyed[i].pos;
    }
    return TSF_OK;
}

/* Sort s->words[0..n) and tell where each came from. */
static enum tsf_err words_sort(struct sorter *s, int64_t n, int bits, int pos_bits, uint32_t *pos, struct tsf_error *err)
{
    enum order order = words_order(s->words, n);
    uint64_t mask = (1ULL << pos_bits) - 1;
    enum tsf_err rc;

    if (order == ORDER_REVERSED) {
        positions_reverse(s->words, n, pos);
        return TSF_OK;
    }
    if (order == ORDER_SORTED) {
        for (int64_t i = 0; i < n; i++)
            pos[i] = (uint32_t)i;
        return TSF_OK;
    }
    if (bits + pos_bits > 64)
        return keyed_order(s, n, bits, pos, err);
    for (int64_t i = 0; i < n; i++)
        s->words[i] = s->words[i] << pos_bits | (uint64_t)i;
    if ((rc = tsf_radix_words(s->words, s->raw, n, pos_bits, bits, s->pool, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < n; i++) {
        pos[i] = (uint32_t)(s->words[i] & mask);
        s->words[i] >>= pos_bits;
    }
    return TSF_OK;
}

static enum tsf_err rows_sort(struct sorter *s, uint32_t *rows, int64_t n, int k, int depth, struct tsf_error *err);

/* Runs of equal words go through the keys from tie on. same: bit i = word i equals word i - 1. */
static enum tsf_err ties_sort(struct sorter *s, uint32_t *rows, int64_t n, const uint64_t *same, int tie, int depth,
                              struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (int64_t at = 0, end; rc == TSF_OK && at < n; at = end) {
        for (end = at + 1; end < n && tsf_bit_get(same, end);)
            end++;
        if (end - at > 1)
            rc = rows_sort(s, rows + at, end - at, tie, depth + 1, err);
    }
    return rc;
}

/* rows ascend within equal keys when we come, and do so when we leave: that is what makes the sort stable. */
static enum tsf_err rows_sort(struct sorter *s, uint32_t *rows, int64_t n, int k, int depth, struct tsf_error *err)
{
    bool identity = depth == 0;
    int tie, bits, pos_bits = 64 - __builtin_clzll((uint64_t)n | 1);
    uint64_t *same = NULL;
    enum tsf_err rc;

    if (n < 2 || k >= s->n_keys)
        return TSF_OK;
    if (n <= SMALL_RUN || depth > DEPTH_MAX) {
        rows_merge(s, rows, n, k);
        return TSF_OK;
    }
    bits = words_pack(s, identity ? NULL : rows, n, k, pos_bits, &tie);
    if (bits == 0) {
        if (tie < s->n_keys)
            rows_merge(s, rows, n, tie);
        return TSF_OK;
    }
    if ((rc = words_sort(s, n, bits, pos_bits, s->rows_tmp, err)) != TSF_OK)
        return rc;
    if (tie < s->n_keys) {
        if (!(same = tsf_arena_calloc(&s->scratch, tsf_bit_words(n), 8)))
            return tsf_fail_nomem(err);
        for (int64_t i = 1; i < n; i++)
            same[i >> 6] |= (uint64_t)(s->words[i] == s->words[i - 1]) << (i & 63);
    }
    if (identity) {
        memcpy(rows, s->rows_tmp, (size_t)n * 4);
    } else {
        uint32_t *old = (uint32_t *)s->raw; /* free by now */
        memcpy(old, rows, (size_t)n * 4);
        for (int64_t i = 0; i < n; i++)
            rows[i] = old[s->rows_tmp[i]];
    }
    return same ? ties_sort(s, rows, n, same, tie, depth, err) : TSF_OK;
}

enum tsf_err tsf_sort(const struct tsf_batch *b, const struct tsf_sort_key *keys, int n_keys, struct tsf_pool *pool,
                      struct tsf_arena *a, uint32_t **perm_out, struct tsf_error *err)
{
    struct sorter s = { .pool = pool };
    int64_t n = b->length;
    uint32_t *perm;
    enum tsf_err rc;

    if (n > UINT32_MAX / 2)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "a sort of %lld rows at once", (long long)n);
    if (!(perm = tsf_arena_alloc(a, (size_t)n * 4 + 4)))
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++)
        perm[i] = (uint32_t)i;
    if ((rc = sorter_init(&s, b, keys, n_keys, err)) == TSF_OK)
        rc = rows_sort(&s, perm, n, 0, 0, err);
    tsf_arena_release(&s.scratch);
    if (rc == TSF_OK)
        *perm_out = perm;
    return rc;
}
