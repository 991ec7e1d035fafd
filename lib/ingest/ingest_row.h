#ifndef INGEST_ROW_H
#define INGEST_ROW_H
/*
 * One row of NDJSON into the builders: a single pass that the schema directs. This file is built once per instruction set
 * (ingest_row.c, ingest_row_avx2.c, ingest_row_avx512.c); only the search for the end of a string differs.
 *
 * Keys are guessed: each remembers what followed it, so that a known row costs one comparison per key.
 *
 * No token holds a newline and every block ends in one, followed by INGEST_PAD readable bytes, so nothing here looks for
 * the end of the input.
 */
#include "ingest/ingest_internal.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

static inline const char *blanks_skip(const char *p)
{
    while (TSF_UNLIKELY(*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

/* ---- strings ------------------------------------------------------------------------------------------------ */

#define STR_ESCAPES 1u
#define STR_HIGH 2u /* bytes beyond ASCII */

/* The first quote, backslash or control character from p on. */
#if defined(__AVX512BW__)
static inline const char *string_stop(const char *p, unsigned *flags)
{
    const __m512i quote = _mm512_set1_epi8('"'), slash = _mm512_set1_epi8('\\'), blank = _mm512_set1_epi8(0x20);

    for (;; p += 64) {
        __m512i v = _mm512_loadu_si512(p);
        uint64_t stop = _mm512_cmpeq_epi8_mask(v, quote) | _mm512_cmpeq_epi8_mask(v, slash) | _mm512_cmplt_epu8_mask(v, blank);
        uint64_t high = _mm512_movepi8_mask(v);
        if (TSF_LIKELY(stop != 0)) {
            *flags |= (high & _blsmsk_u64(stop)) ? STR_HIGH : 0;
            return p + _tzcnt_u64(stop);
        }
        *flags |= high ? STR_HIGH : 0;
    }
}
#elif defined(__AVX2__)
static inline const char *string_stop(const char *p, unsigned *flags)
{
    const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\'), last = _mm256_set1_epi8(0x1f);

    for (;; p += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)p);
        __m256i ctrl = _mm256_cmpeq_epi8(_mm256_min_epu8(v, last), v);
        __m256i any = _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, slash)), ctrl);
        uint32_t stop = (uint32_t)_mm256_movemask_epi8(any), high = (uint32_t)_mm256_movemask_epi8(v);
        if (TSF_LIKELY(stop != 0)) {
            *flags |= (high & _blsmsk_u32(stop)) ? STR_HIGH : 0;
            return p + _tzcnt_u32(stop);
        }
        *flags |= high ? STR_HIGH : 0;
    }
}
#else
static inline const char *string_stop(const char *p, unsigned *flags)
{
    unsigned char high = 0;

    while (*p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        high |= (unsigned char)*p++;
    *flags |= high & 0x80 ? STR_HIGH : 0;
    return p;
}
#endif

/* From behind the opening quote to the closing one. Escapes are only stepped over. */
static inline const char *string_end(struct ingest_parser *ps, const char *p, unsigned *flags)
{
    const char *start = p;

    *flags = 0;
    for (;;) {
        p = string_stop(p, flags);
        if (TSF_LIKELY(*p == '"'))
            break;
        if (*p != '\\' || (unsigned char)p[1] < 0x20)
            return ingest_bad(ps, *p == '\n' || p[1] == '\n' ? "the string has no end" : "a control character in a string");
        *flags |= STR_ESCAPES;
        p += 2;
    }
    if (TSF_UNLIKELY(*flags & STR_HIGH) && !ingest_utf8_valid(start, (size_t)(p - start)))
        return ingest_bad(ps, "invalid UTF-8");
    return p;
}

/* A string that is only checked. */
static const char *string_skip(struct ingest_parser *ps, const char *p)
{
    unsigned flags;
    const char *end = string_end(ps, p + 1, &flags);
    size_t n;

    if (!end)
        return NULL;
    if (TSF_UNLIKELY(flags & STR_ESCAPES)) {
        ps->scratch.len = 0;
        if (tsf_buf_reserve(&ps->scratch, (size_t)(end - p), ps->err) != TSF_OK)
            return ingest_nomem(ps);
        if (!ingest_unescape(ps, p + 1, (size_t)(end - p - 1), (char *)ps->scratch.data, &n))
            return NULL;
    }
    return end + 1;
}

/* ---- numbers and words --------------------------------------------------------------------------------------- */

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* JSON's grammar of numbers. */
static inline const char *number_skip(struct ingest_parser *ps, const char *p)
{
    p += *p == '-';
    if (!is_digit(*p))
        return ingest_bad(ps, "not a JSON value");
    if (*p == '0' && is_digit(p[1]))
        return ingest_bad(ps, "a number with a leading zero");
    while (is_digit(*p))
        p++;
    if (*p == '.') {
        if (!is_digit(*++p))
            return ingest_bad(ps, "a number without digits behind the point");
        while (is_digit(*p))
            p++;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        if (!is_digit(*p))
            return ingest_bad(ps, "a number without digits in the exponent");
        while (is_digit(*p))
            p++;
    }
    return p;
}

static inline bool word_at(const char *p, const char *word, size_t n)
{
    return memcmp(p, word, n) == 0;
}

/* true, false, null or a number. */
static inline const char *scalar_skip(struct ingest_parser *ps, const char *p)
{
    if (*p == 't' && word_at(p, "true", 4))
        return p + 4;
    if (*p == 'f' && word_at(p, "false", 5))
        return p + 5;
    if (*p == 'n' && word_at(p, "null", 4))
        return p + 4;
    return number_skip(ps, p);
}

/* ---- values that are only checked ------------------------------------------------------------------------------ */

/* The key and colon of a member: where its value begins. */
static inline const char *member_skip(struct ingest_parser *ps, const char *p)
{
    if (*p != '"')
        return ingest_bad(ps, "a key must be a string");
    if (!(p = string_skip(ps, p)))
        return NULL;
    p = blanks_skip(p);
    if (*p != ':')
        return ingest_bad(ps, "no colon after a key");
    return blanks_skip(p + 1);
}

/* Any value. A bit per level says whether it is an object, so that depth costs no stack. */
static const char *value_skip(struct ingest_parser *ps, const char *p)
{
    uint64_t object[INGEST_DEPTH_MAX / 64];
    int depth = 0;

    for (;;) {
        if (*p == '"') {
            p = string_skip(ps, p);
        } else if (*p == '{' || *p == '[') {
            bool is_object = *p == '{';
            p = blanks_skip(p + 1);
            if (*p != (is_object ? '}' : ']')) {
                if (depth == INGEST_DEPTH_MAX)
                    return ingest_bad(ps, "nested deeper than %d", INGEST_DEPTH_MAX);
                tsf_bit_put(object, depth++, is_object);
                if (is_object && !(p = member_skip(ps, p)))
                    return NULL;
                continue;
            }
            p++;
        } else {
            p = scalar_skip(ps, p);
        }
        /* A value has ended, and perhaps what it lies in. */
        for (;; p++) {
            if (!p || depth == 0)
                return p;
            bool is_object = tsf_bit_get(object, depth - 1);
            p = blanks_skip(p);
            if (*p == ',') {
                p = blanks_skip(p + 1);
                if (is_object && !(p = member_skip(ps, p)))
                    return NULL;
                break;
            }
            if (*p != (is_object ? '}' : ']'))
                return ingest_bad(ps, is_object ? "no comma or brace after a member" : "no comma or bracket after an element");
            depth--;
        }
    }
}

/* ---- values into builders -------------------------------------------------------------------------------------- */

static inline bool builder_room(struct ingest_parser *ps, struct tsf_builder *b)
{
    if (TSF_LIKELY(b->length < b->cap))
        return true;
    ps->rc = tsf_builder_reserve(b, 1, ps->err);
    return ps->rc == TSF_OK;
}

/* A view of the block's bytes: the record is encoded before the block goes. */
static inline bool view_put(struct ingest_parser *ps, struct tsf_builder *b, const char *p, size_t n)
{
    struct tsf_sview v = { .len = (uint32_t)n };

    if (TSF_UNLIKELY(!builder_room(ps, b)))
        return false;
    if (n <= TSF_SVIEW_INLINE) {
        uint64_t w[2]; /* 16 readable bytes follow any string of a block; what is not ours is masked away */
        memcpy(w, p, 16);
        w[0] = n >= 8 ? w[0] : w[0] & ((1ULL << (8 * n)) - 1);
        w[1] = n <= 8 ? 0 : w[1] & ((1ULL << (8 * (n - 8))) - 1);
        memcpy(v.u.inl, w, 12);
    } else {
        memcpy(v.u.ref.prefix, p, 4);
        v.u.ref.ptr = p;
    }
    ((struct tsf_sview *)b->values)[b->length++] = v;
    b->n_bytes += n;
    return true;
}

/* Content of a string without escapes; memory of the block's arena when it has any. */
static inline bool string_text(struct ingest_parser *ps, const char *p, const char *end, unsigned flags, struct tsf_str *out)
{
    char *copy;

    *out = tsf_str_n(p, (size_t)(end - p));
    if (TSF_LIKELY(!(flags & STR_ESCAPES)))
        return true;
    if (!(copy = tsf_arena_alloc(&ps->arena, out->len + 16))) {
        (void)ingest_nomem(ps);
        return false;
    }
    if (!ingest_unescape(ps, p, out->len, copy, &out->len))
        return false;
    out->data = copy;
    return true;
}

static inline const char *text_put(struct ingest_parser *ps, struct tsf_builder *b, const char *p)
{
    const char *end;
    struct tsf_str s;
    unsigned flags;

    if (TSF_LIKELY(*p == '"')) {
        if (!(end = string_end(ps, p + 1, &flags)) || !string_text(ps, p + 1, end, flags, &s))
            return NULL;
        if (b->type->json && !ingest_json_container(ps, &s)) {
            if (ps->rc != TSF_OK)
                return NULL;
            s = tsf_str_n(p, (size_t)(end + 1 - p)); /* a JSON string is JSON */
        }
        return view_put(ps, b, s.data, s.len) ? end + 1 : NULL;
    }
    end = value_skip(ps, p);
    return end && view_put(ps, b, p, (size_t)(end - p)) ? end : NULL;
}

/* Up to 18 digits without fraction or exponent, which is what integers mostly are; false: look closer. */
static inline bool int_fast(const char **p, int64_t *out)
{
    const char *q = *p, *start;
    bool negative = *q == '-';
    int64_t v = 0;

    start = q += negative;
    while (is_digit(*q))
        v = (int64_t)((uint64_t)v * 10 + (uint64_t)(*q++ - '0'));
    if (q == start || q - start > 18 || *q == '.' || (*q | 0x20) == 'e' || (*start == '0' && q - start > 1))
        return false;
    *out = negative ? -v : v;
    *p = q;
    return true;
}

static inline const char *scalar_put(struct ingest_parser *ps, struct tsf_builder *b, const char *p)
{
    enum ingest_token kind;
    struct tsf_str s;
    const char *end;
    unsigned flags;
    int64_t v;

    switch (*p) {
    case '"':
        if (!(end = string_end(ps, p + 1, &flags)))
            return NULL;
        if (TSF_LIKELY(b->type->id == TSF_TYPE_TIMESTAMP && !(flags & STR_ESCAPES) && builder_room(ps, b) &&
                       tsf_time_parse(tsf_str_n(p + 1, (size_t)(end - p - 1)), &v, NULL))) {
            ((int64_t *)b->values)[b->length++] = v;
            return end + 1;
        }
        if (ps->rc != TSF_OK || !string_text(ps, p + 1, end, flags, &s))
            return NULL;
        return ingest_convert(ps, b, INGEST_STRING, s) ? end + 1 : NULL;
    case '{': return ingest_bad(ps, "an object where a single value is wanted");
    case '[': return ingest_bad(ps, "an array where a single value is wanted");
    case 't': kind = INGEST_TRUE; break;
    case 'f': kind = INGEST_FALSE; break;
    default:
        kind = INGEST_NUMBER;
        end = p;
        if ((b->type->id == TSF_TYPE_INT64 || b->type->id == TSF_TYPE_INT32) && int_fast(&end, &v)) {
            if (TSF_UNLIKELY(!builder_room(ps, b)))
                return NULL;
            if (b->type->id == TSF_TYPE_INT64) {
                ((int64_t *)b->values)[b->length++] = v;
                return end;
            }
            if (v == (int32_t)v) {
                ((int32_t *)b->values)[b->length++] = (int32_t)v;
                return end;
            }
        }
        break;
    }
    if (!(end = scalar_skip(ps, p)))
        return NULL;
    return ingest_convert(ps, b, kind, tsf_str_n(p, (size_t)(end - p))) ? end : NULL;
}

static inline bool null_at(const char *p)
{
    return *p == 'n' && word_at(p, "null", 4);
}

/* One element of a list; it has no row of its own, so nulls are appended. */
static const char *element_put(struct ingest_parser *ps, struct tsf_builder *b, const struct tsf_field *f, const char *p)
{
    if (null_at(p)) {
        if (!f->nullable)
            return ingest_bad(ps, "a null element");
        ps->rc = tsf_builder_null(b, ps->err);
        return ps->rc == TSF_OK ? p + 4 : NULL;
    }
    return b->type->id == TSF_TYPE_STRING ? text_put(ps, b, p) : scalar_put(ps, b, p);
}

static const char *list_put(struct ingest_parser *ps, struct tsf_builder *b, const char *p)
{
    struct tsf_builder *kid = &b->children[0];
    const struct tsf_field *f = &b->type->children[0];

    if (f->type->n_children)
        return ingest_bad(ps, "nested lists are not supported");
    if (*p != '[') { /* one value is a list of one */
        p = element_put(ps, kid, f, p);
    } else {
        p = blanks_skip(p + 1);
        if (*p == ']') {
            p++;
        } else {
            for (;;) {
                if (!(p = element_put(ps, kid, f, p)))
                    return NULL;
                p = blanks_skip(p);
                if (*p == ']')
                    break;
                if (*p != ',')
                    return ingest_bad(ps, "no comma or bracket after an element");
                p = blanks_skip(p + 1);
            }
            p++;
        }
    }
    if (!p || (ps->rc = tsf_builder_list_end(b, ps->err)) != TSF_OK)
        return NULL;
    return p;
}

/* A value that is not null into the column; the row has it from here on, also when it turns out bad half-way. */
static inline const char *column_put(struct ingest_parser *ps, int c, const char *p)
{
    struct tsf_builder *b = &ps->cols[c];

    ps->col = c;
    if (TSF_UNLIKELY(b->length != ps->row) && !ingest_column_ready(ps, c))
        return NULL;
    tsf_bit_set(ps->seen, c);
    switch (b->type->id) {
    case TSF_TYPE_STRING: p = text_put(ps, b, p); break;
    case TSF_TYPE_LIST: p = list_put(ps, b, p); break;
    case TSF_TYPE_STRUCT:
    case TSF_TYPE_MAP: return ingest_bad(ps, "columns of this type cannot be ingested");
    default: p = scalar_put(ps, b, p); break;
    }
    if (p)
        ps->col = -1;
    return p;
}

/* null: as if the key were not there, and away with what an earlier one of the same name gave. */
static inline const char *column_null(struct ingest_parser *ps, int c, const char *p)
{
    if (TSF_UNLIKELY(tsf_bit_get(ps->seen, c))) {
        if (!ingest_column_ready(ps, c))
            return NULL;
        tsf_bit_clear(ps->seen, c);
    }
    return p + 4;
}

/* ---- objects ------------------------------------------------------------------------------------------------------ */

static const char *object_parse(struct ingest_parser *ps, const struct ingest_node *node, const char *p);

/* A key without a column: kept in an object that is kept whole, or for the attributes, or counted. */
static const char *unknown_take(struct ingest_parser *ps, const struct ingest_node *node, const struct ingest_key *k, const char *key,
                                const char *p)
{
    const char *end = value_skip(ps, p);

    if (!end || ps->kept)
        return end;
    if (!ingest_unknown_add(ps, node, tsf_str_n(key + 1, k->len - 2), tsf_str_n(p, (size_t)(end - p))))
        return NULL;
    return end;
}

/* An object below which columns lie; its own column, when it has one, gets the text. */
static const char *nested_take(struct ingest_parser *ps, const struct ingest_node *t, const char *p)
{
    bool whole = t->column >= 0;
    const char *end;

    if (whole && ps->cols[t->column].type->id != TSF_TYPE_STRING)
        return column_put(ps, t->column, p); /* says what is wrong */
    ps->kept += whole;
    end = object_parse(ps, t, p + 1);
    ps->kept -= whole;
    if (!end || !whole)
        return end;
    ps->col = t->column;
    if (ps->cols[t->column].length != ps->row && !ingest_column_ready(ps, t->column))
        return NULL;
    tsf_bit_set(ps->seen, t->column);
    if (!view_put(ps, &ps->cols[t->column], p, (size_t)(end - p)))
        return NULL;
    ps->col = -1;
    return end;
}

static inline const char *member_take(struct ingest_parser *ps, const struct ingest_node *node, const struct ingest_key *k,
                                      const char *key, const char *p)
{
    const struct ingest_node *t = k->target;

    if (TSF_UNLIKELY(!t))
        return unknown_take(ps, node, k, key, p);
    if (*p == '{' && t->deeper)
        return nested_take(ps, t, p);
    if (t->column < 0)
        return null_at(p) ? p + 4 : unknown_take(ps, node, k, key, p);
    return null_at(p) ? column_null(ps, t->column, p) : column_put(ps, t->column, p);
}

static inline bool key_at(const struct ingest_key *k, const char *p)
{
    uint32_t i = 0;

    for (; i + 8 <= k->len; i += 8)
        if (tsf_le64_get(k->text + i) != tsf_le64_get(p + i))
            return false;
    /* Text and input are padded; bytes behind the key do not count. */
    return i == k->len || ((tsf_le64_get(k->text + i) ^ tsf_le64_get(p + i)) << (64 - 8 * (k->len - i))) == 0;
}

static struct ingest_key *key_slow(struct ingest_parser *ps, const struct ingest_node *node, struct ingest_key *prev, const char *p)
{
    const char *end;
    unsigned flags;

    ps->col = -1;
    if (*p != '"') {
        (void)ingest_bad(ps, "a key must be a string");
        return NULL;
    }
    if (!(end = string_end(ps, p + 1, &flags)))
        return NULL;
    return ingest_key_find(ps, node, prev, p, (size_t)(end + 1 - p), flags & STR_ESCAPES);
}

/* Members of an object from behind its brace. Recursion is as deep as column names have steps. */
static const char *object_parse(struct ingest_parser *ps, const struct ingest_node *node, const char *p)
{
    struct ingest_key *k = &ps->heads[node->id], *prev;
    const char *key;

    p = blanks_skip(p);
    if (*p == '}')
        return p + 1;
    for (;;) {
        prev = k;
        k = prev->next[0];
        if (TSF_UNLIKELY(!k || !key_at(k, p))) {
            k = prev->next[1];
            if (k && key_at(k, p)) {
                prev->next[1] = prev->next[0];
                prev->next[0] = k;
            } else if (!(k = key_slow(ps, node, prev, p))) {
                return NULL;
            }
        }
        key = p;
        p = blanks_skip(p + k->len);
        if (TSF_UNLIKELY(*p != ':'))
            return ingest_bad(ps, "no colon after a key");
        if (!(p = member_take(ps, node, k, key, blanks_skip(p + 1))))
            return NULL;
        p = blanks_skip(p);
        if (TSF_LIKELY(*p == ','))
            p = blanks_skip(p + 1);
        else if (*p == '}')
            return p + 1;
        else
            return ingest_bad(ps, "no comma or brace after a member");
    }
}

static inline const char *row_parse(struct ingest_parser *ps, const char *p)
{
    return object_parse(ps, &ps->plan->nodes[0], p + 1);
}

#endif
