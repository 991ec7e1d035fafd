/*
 * LIKE and ILIKE.
 *
 * A pattern is compiled once, into the shape that its wildcards have: equal, prefix, suffix, contains, or general. ILIKE
 * folds both sides to lower case first.
 */
#include "query/query_fn_internal.h"
#include "query/query_fn_pattern.h"
#include "query/query_fn_utf8.h"

#include <ctype.h>
#include <stdlib.h>
#include <utf8proc.h>

enum like_shape { LIKE_EQUAL, LIKE_PREFIX, LIKE_SUFFIX, LIKE_CONTAINS, LIKE_ANY, LIKE_GENERAL };

struct like {
    struct tsf_buf source;   /* the pattern as given */
    struct tsf_buf text;     /* without escapes; for the simple shapes without wildcards */
    struct tsf_buf kinds;    /* GENERAL: for each byte of text 0 literal, '%' or '_' */
    enum like_shape shape;
    bool fold;
    struct tsf_buf scratch;  /* folded subject */
};

static void like_free(void *p)
{
    struct like *l = p;
    tsf_buf_release(&l->source);
    tsf_buf_release(&l->text);
    tsf_buf_release(&l->kinds);
    tsf_buf_release(&l->scratch);
    free(l);
}

static enum tsf_err fold_into(struct tsf_str s, struct tsf_buf *b, struct tsf_error *err)
{
    enum tsf_err rc;

    tsf_buf_reset(b);
    if ((rc = tsf_buf_reserve(b, s.len * 3 + 1, err)) != TSF_OK)
        return rc;
    if (utf8_is_ascii(s)) {
        unsigned char *restrict out = b->data;
        for (size_t i = 0; i < s.len; i++) {
            unsigned char x = (unsigned char)s.data[i];
            out[i] = (unsigned char)(x ^ (((unsigned char)(x - 'A') < 26) << 5));
        }
        b->len = s.len;
        return TSF_OK;
    }
    for (size_t i = 0; i < s.len;) {
        uint32_t x = utf8_next(s, &i);
        b->len += utf8_put(x < 0x80 ? (uint32_t)tolower((int)x) : (uint32_t)utf8proc_tolower((utf8proc_int32_t)x), (char *)b->data + b->len);
    }
    return TSF_OK;
}

static enum like_shape shape_of(const struct like *l, size_t *first, size_t *last)
{
    const uint8_t *k = l->kinds.data;
    size_t n = l->kinds.len, a = 0, b = n;

    while (a < n && k[a] == '%')
        a++;
    while (b > a && k[b - 1] == '%')
        b--;
    *first = a, *last = b;
    for (size_t i = a; i < b; i++)
        if (k[i])
            return LIKE_GENERAL;
    if (a == b)
        return n ? LIKE_ANY : LIKE_EQUAL;
    return a && b < n ? LIKE_CONTAINS : a ? LIKE_SUFFIX : b < n ? LIKE_PREFIX : LIKE_EQUAL;
}

static enum tsf_err like_compile(struct like *l, struct tsf_str pattern, struct tsf_error *err)
{
    size_t first, last;
    enum tsf_err rc;

    tsf_buf_reset(&l->source);
    tsf_buf_reset(&l->text);
    tsf_buf_reset(&l->kinds);
    if ((rc = tsf_buf_append(&l->source, pattern.data, pattern.len, err)) != TSF_OK)
        return rc;
    if (l->fold) {
        if ((rc = fold_into(pattern, &l->scratch, err)) != TSF_OK)
            return rc;
        pattern = tsf_buf_str(&l->scratch);
    }
    for (size_t i = 0; i < pattern.len; i++) {
        uint8_t x = (uint8_t)pattern.data[i], kind = x == '%' || x == '_' ? x : 0;
        if (x == '\\') {
            if (++i == pattern.len)
                return tsf_fail_sql(err, "22025", -1, "LIKE pattern must not end with escape character");
            x = (uint8_t)pattern.data[i];
        }
        if ((rc = tsf_buf_append_u8(&l->text, x, err)) != TSF_OK || (rc = tsf_buf_append_u8(&l->kinds, kind, err)) != TSF_OK)
            return rc;
    }
    l->shape = shape_of(l, &first, &last);
    if (l->shape != LIKE_GENERAL && l->text.len) {
        memmove(l->text.data, l->text.data + first, last - first);
        l->text.len = last - first;
    }
    return TSF_OK;
}

/* Two pointers; on a mismatch the last % takes one character more. */
static bool general_match(const struct like *l, struct tsf_str s)
{
    const uint8_t *p = l->text.data, *k = l->kinds.data;
    size_t n = l->kinds.len, i = 0, j = 0, star_i = 0, star_j = SIZE_MAX;

    while (i < s.len) {
        if (j < n && k[j] == '%') {
            star_j = ++j;
            star_i = i;
            if (j < n && k[j] == 0) { /* jump to where the next literal can begin */
                const char *at = memchr(s.data + i, p[j], s.len - i);
                if (!at)
                    return false;
                i = star_i = (size_t)(at - s.data);
            }
            continue;
        }
        if (j < n && k[j] == '_') {
            i = utf8_skip(s, i, 1);
            j++;
            continue;
        }
        if (j < n && k[j] == 0 && p[j] == (uint8_t)s.data[i]) {
            i++;
            j++;
            continue;
        }
        if (star_j == SIZE_MAX)
            return false;
        i = star_i = utf8_skip(s, star_i, 1);
        j = star_j;
    }
    while (j < n && k[j] == '%')
        j++;
    return j == n;
}

static bool like_match(const struct like *l, struct tsf_str s)
{
    const uint8_t *p = l->text.data;
    size_t n = l->text.len;

    switch (l->shape) {
    case LIKE_EQUAL: return s.len == n && (n == 0 || memcmp(s.data, p, n) == 0);
    case LIKE_PREFIX: return s.len >= n && memcmp(s.data, p, n) == 0;
    case LIKE_SUFFIX: return s.len >= n && memcmp(s.data + s.len - n, p, n) == 0;
    case LIKE_CONTAINS: return query_kernels()->contains(s.data, s.len, (const char *)p, n);
    case LIKE_ANY: return true;
    default: return general_match(l, s);
    }
}

/* The longest piece without wildcards: no string without it matches. */
static struct tsf_str like_anchor(const struct like *l)
{
    struct tsf_str best = { 0 };

    if (l->shape == LIKE_CONTAINS)
        return tsf_buf_str(&l->text);
    for (size_t i = 0, k; i < l->kinds.len; i = k + 1) {
        for (k = i; k < l->kinds.len && !l->kinds.data[k]; k++)
            ;
        if (k - i > best.len)
            best = tsf_str_n(l->text.data + i, k - i);
    }
    return best;
}

/*
 * Strings of a page lie one after another, at most a length apart, so the anchor is looked for in all of them at once, and
 * only where it is found are rows looked at.
 */
static void anchor_rows(struct query_call *c, const struct like *l, struct tsf_str anchor)
{
    const char *(*find)(const char *, size_t, const char *, size_t) = query_kernels()->find;
    const struct tsf_sview *v = c->args[0].values;
    uint8_t *r = c->values_out;
    int64_t i = 0, k, end_row;

    memset(r, 0, (size_t)c->n);
    for (; i < c->n; i = end_row) {
        end_row = i + 1;
        if (v[i].len <= TSF_SVIEW_INLINE) {
            r[i] = v[i].len >= anchor.len && like_match(l, tsf_sview_str(&v[i]));
            continue;
        }
        const char *p = v[i].u.ref.ptr, *end = p + v[i].len;
        while (end_row < c->n && v[end_row].len > TSF_SVIEW_INLINE && (uintptr_t)v[end_row].u.ref.ptr - (uintptr_t)end <= 4) {
            end = v[end_row].u.ref.ptr + v[end_row].len;
            end_row++;
        }
        for (k = i; k < end_row && (p = find(p, (size_t)(end - p), anchor.data, anchor.len)) != NULL;) {
            while (v[k].u.ref.ptr + v[k].len <= p)
                k++;
            if (p < v[k].u.ref.ptr || p + anchor.len > v[k].u.ref.ptr + v[k].len) {
                p++; /* across two strings */
                continue;
            }
            r[k] = l->shape == LIKE_CONTAINS || like_match(l, tsf_sview_str(&v[k]));
            p = v[k].u.ref.ptr + v[k].len;
            k++;
        }
    }
}

static void prefix_rows(struct query_call *c, const struct like *l)
{
    const struct tsf_sview *v = c->args[0].values;
    uint32_t first = 0, mask = l->text.len >= 4 ? UINT32_MAX : (1U << (8 * l->text.len)) - 1, x;
    uint8_t *r = c->values_out;

    memcpy(&first, l->text.data, TSF_MIN(l->text.len, (size_t)4));
    for (int64_t i = 0; i < c->n; i++) {
        memcpy(&x, v[i].u.inl, 4);
        r[i] = (x & mask) == first && v[i].len >= l->text.len &&
               (l->text.len <= 4 || memcmp(tsf_sview_data(&v[i]), l->text.data, l->text.len) == 0);
    }
}

static enum tsf_err like_state(struct query_call *c, bool fold, struct like **out, struct tsf_error *err)
{
    struct query_slot *slot = query_slot_get(c->ev, c->expr->id, err);
    struct like *l;

    if (!slot)
        return TSF_ERR_NOMEM;
    if (!slot->state) {
        if (!(l = calloc(1, sizeof *l)))
            return tsf_fail_nomem(err);
        l->fold = fold;
        slot->state = l;
        slot->state_free = like_free;
        if (c->n == 0)
            return TSF_OK;
        *out = l;
        return like_compile(l, fn_str(c, 1, 0), err);
    }
    *out = slot->state;
    return TSF_OK;
}

static enum tsf_err like_rows(struct query_call *c, bool fold, struct tsf_error *err)
{
    struct like *l = NULL;
    enum tsf_err rc;

    if (c->n == 0)
        return TSF_OK;
    if ((rc = like_state(c, fold, &l, err)) != TSF_OK)
        return rc;
    if (c->args[1].shape == TSF_CONSTANT && c->args[0].shape == TSF_FLAT && !fold &&
        tsf_str_eq(fn_str(c, 1, 0), tsf_buf_str(&l->source))) {
        struct tsf_str anchor = l->shape == LIKE_CONTAINS || l->shape == LIKE_GENERAL ? like_anchor(l) : (struct tsf_str){ 0 };
        if (anchor.len >= 2) {
            anchor_rows(c, l, anchor);
            return TSF_OK;
        }
        if (l->shape == LIKE_PREFIX) {
            prefix_rows(c, l);
            return TSF_OK;
        }
    }
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i), pattern = fn_str(c, 1, i);
        if ((c->args[1].shape != TSF_CONSTANT || i == 0 || c->valid) && !tsf_str_eq(pattern, tsf_buf_str(&l->source)) &&
            (rc = like_compile(l, pattern, err)) != TSF_OK)
            return rc;
        if (fold) {
            if ((rc = fold_into(s, &l->scratch, err)) != TSF_OK)
                return rc;
            s = tsf_buf_str(&l->scratch);
        }
        FN_OUT(c, uint8_t)[i] = like_match(l, s);
    }
    return TSF_OK;
}

enum tsf_err query_like(struct query_call *c, struct tsf_error *err)
{
    return like_rows(c, false, err);
}

enum tsf_err query_ilike(struct query_call *c, struct tsf_error *err)
{
    return like_rows(c, true, err);
}

/* The pattern as if its escape character were a backslash. */
enum tsf_err query_like_escape(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str p = fn_str(c, 0, i), e = fn_str(c, 1, i);
        char *out = tsf_arena_alloc(c->ev->arena, p.len * 2 + 2);
        size_t n = 0;
        if (!out)
            return tsf_fail_nomem(err);
        if (utf8_length(e) > 1)
            return tsf_fail_sql(err, "22025", -1, "invalid escape string");
        for (size_t k = 0; k < p.len;) {
            if (e.len && k + e.len <= p.len && memcmp(p.data + k, e.data, e.len) == 0) {
                k += e.len;
                if (k == p.len)
                    return tsf_fail_sql(err, "22025", -1, "LIKE pattern must not end with escape character");
                out[n++] = '\\';
                out[n++] = p.data[k++];
                continue;
            }
            if (p.data[k] == '\\')
                out[n++] = '\\';
            out[n++] = p.data[k++];
        }
        fn_put(c, i, out, n);
    }
    return TSF_OK;
}
