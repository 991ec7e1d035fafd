/* Writing batches as bytes. The format stands in column_internal.h. */
#include "column/column_internal.h"

#include <stdlib.h>

#define DICT_SAMPLE 256
#define DICT_MAX 65536

/* One call's state: the output, and scratch memory that dies with the call. */
struct writer {
    struct tsf_buf *out;
    struct tsf_arena scratch;
    struct tsf_error *err;
};

static enum tsf_err vector_write(struct writer *w, const struct tsf_vector *v);

static enum tsf_err varint_write(struct writer *w, uint64_t v)
{
    uint8_t b[10];
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        b[n++] = (uint8_t)(v | 0x80);
    b[n++] = (uint8_t)v;
    return tsf_buf_append(w->out, b, n, w->err);
}

static enum tsf_err u8_write(struct writer *w, int v)
{
    return tsf_buf_append_u8(w->out, (uint8_t)v, w->err);
}

/* Room for n more bytes and slack after them, so that kernels may store whole words. */
static enum tsf_err room(struct writer *w, size_t n, uint8_t **p_out)
{
    enum tsf_err rc = tsf_buf_reserve(w->out, n + 16, w->err);

    if (rc == TSF_OK)
        *p_out = w->out->data + w->out->len;
    return rc;
}

static int width_for(uint64_t range)
{
    return range <= UINT8_MAX ? 1 : range <= UINT16_MAX ? 2 : range <= UINT32_MAX ? 4 : 8;
}

/* ---- types ----------------------------------------------------------------------------------------------- */

static enum tsf_err type_write(struct writer *w, const struct tsf_type *t, int depth)
{
    enum tsf_err rc;

    if (depth > CODEC_DEPTH_MAX)
        return tsf_fail(w->err, TSF_ERR_UNSUPPORTED, "types nested deeper than %d", CODEC_DEPTH_MAX);
    if ((rc = u8_write(w, (int)t->id)) != TSF_OK)
        return rc;
    switch (t->id) {
    case TSF_TYPE_DECIMAL: return (rc = u8_write(w, t->precision)) != TSF_OK ? rc : u8_write(w, t->scale);
    case TSF_TYPE_STRING: return u8_write(w, t->json);
    case TSF_TYPE_STRUCT:
        if ((rc = varint_write(w, (uint64_t)t->n_children)) != TSF_OK)
            return rc;
        break;
    default: break;
    }
    for (int i = 0; i < t->n_children; i++) {
        const struct tsf_field *f = &t->children[i];
        size_t n = f->name ? strlen(f->name) : 0;
        if (t->id == TSF_TYPE_STRUCT && ((rc = varint_write(w, n)) != TSF_OK ||
                                         (rc = tsf_buf_append(w->out, f->name, n, w->err)) != TSF_OK))
            return rc;
        if (!(t->id == TSF_TYPE_MAP && i == 0) && (rc = u8_write(w, f->nullable)) != TSF_OK)
            return rc;
        if ((rc = type_write(w, f->type, depth + 1)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

/* ---- integers ---------------------------------------------------------------------------------------------- */

#define WIDEN(T)                                                                                             \
    do {                                                                                                     \
        const T *s_ = v->values;                                                                             \
        for (int64_t i = 0; i < n; i++)                                                                      \
            tmp[i] = (int64_t)s_[i];                                                                         \
    } while (0)

/* The values as int64, absent rows filled with their neighbour so that they do not widen the range. NULL: no memory. */
static const int64_t *ints_widen(struct writer *w, const struct tsf_vector *v, bool nulls)
{
    int64_t n = v->length, *tmp, last = 0;

    if (!nulls && tsf_type_width(v->type) == 8)
        return v->values;
    if (!(tmp = tsf_arena_alloc(&w->scratch, (size_t)n * 8)))
        return NULL;
    switch (tsf_type_width(v->type)) {
    case 1: WIDEN(int8_t); break;
    case 2: WIDEN(int16_t); break;
    case 4: WIDEN(int32_t); break;
    case 8: memcpy(tmp, v->values, (size_t)n * 8); break;
    default: WIDEN(tsf_int128); break;
    }
    if (nulls) {
        for (int64_t i = 0; i < n; i++)
            if (tsf_bit_get(v->validity, i)) {
                last = tmp[i];
                break;
            }
        for (int64_t i = 0; i < n; i++)
            last = tmp[i] = tsf_bit_get(v->validity, i) ? tmp[i] : last;
    }
    return tmp;
}

#define NARROW(T, EXPR)                                                                                      \
    do {                                                                                                     \
        uint8_t *d_ = p;                                                                                     \
        for (int64_t i = first; i < n; i++) {                                                                \
            T x_ = (T)(EXPR);                                                                                \
            memcpy(d_ + (i - first) * (int64_t)sizeof(T), &x_, sizeof x_);                                   \
        }                                                                                                    \
    } while (0)

static void for_pack(const int64_t *v, int64_t n, uint64_t min, int width, uint8_t *p)
{
    const int64_t first = 0;

    switch (width) {
    case 1: NARROW(uint8_t, (uint64_t)v[i] - min); break;
    case 2: NARROW(uint16_t, (uint64_t)v[i] - min); break;
    case 4: NARROW(uint32_t, (uint64_t)v[i] - min); break;
    default: NARROW(uint64_t, (uint64_t)v[i] - min); break;
    }
}

static void delta_pack(const int64_t *v, int64_t n, uint64_t min, int width, uint8_t *p)
{
    const int64_t first = 1;

    switch (width) {
    case 1: NARROW(uint8_t, (uint64_t)v[i] - (uint64_t)v[i - 1] - min); break;
    case 2: NARROW(uint16_t, (uint64_t)v[i] - (uint64_t)v[i - 1] - min); break;
    default: NARROW(uint32_t, (uint64_t)v[i] - (uint64_t)v[i - 1] - min); break;
    }
}

/* Smallest and largest of v[i] - v[i - 1]; false when a difference could overflow. */
static bool delta_range(const int64_t *v, int64_t n, uint64_t range, int64_t *min_out, uint64_t *range_out)
{
    int64_t min = INT64_MAX, max = INT64_MIN;

    if (n < 2 || range >> 62)
        return false;
    for (int64_t i = 1; i < n; i++) {
        int64_t d = v[i] - v[i - 1];
        min = d < min ? d : min;
        max = d > max ? d : max;
    }
    *min_out = min;
    *range_out = (uint64_t)max - (uint64_t)min;
    return true;
}

static enum tsf_err ints_write(struct writer *w, const struct tsf_vector *v, bool nulls, size_t tag_at)
{
    int64_t n = v->length, min = INT64_MAX, max = INT64_MIN, dmin;
    const int64_t *x = ints_widen(w, v, nulls);
    uint64_t range, drange;
    int width, dwidth;
    uint8_t *p;
    enum tsf_err rc;

    if (!x)
        return tsf_fail_nomem(w->err);
    for (int64_t i = 0; i < n; i++) {
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
    }
    range = (uint64_t)max - (uint64_t)min;
    width = width_for(range);
    if ((rc = room(w, (size_t)n * (size_t)width + 32, &p)) != TSF_OK)
        return rc;
    if (width > 1 && delta_range(x, n, range, &dmin, &drange) && (dwidth = width_for(drange)) < width) {
        w->out->data[tag_at] = (uint8_t)(CODEC_DELTA | (nulls ? CODEC_NULLS : 0));
        tsf_le64_put(p, (uint64_t)x[0]);
        tsf_le64_put(p + 8, (uint64_t)dmin);
        p[16] = (uint8_t)dwidth;
        delta_pack(x, n, (uint64_t)dmin, dwidth, p + 17);
        w->out->len += 17 + (size_t)(n - 1) * (size_t)dwidth;
    } else {
        tsf_le64_put(p, (uint64_t)min);
        p[8] = (uint8_t)width;
        for_pack(x, n, (uint64_t)min, width, p + 9);
        w->out->len += 9 + (size_t)n * (size_t)width;
    }
    return TSF_OK;
}

static bool decimals_narrow(const struct tsf_vector *v)
{
    const tsf_int128 *x = v->values;
    bool ok = true;

    for (int64_t i = 0; i < v->length; i++)
        ok &= x[i] == (int64_t)x[i];
    return ok;
}

/* ---- strings ---------------------------------------------------------------------------------------------------- */

#define LENGTHS(T)                                                                                           \
    for (int64_t i = 0; i < n; i++) {                                                                        \
        T x_ = (T)s[i].len;                                                                                  \
        memcpy(p + i * (int64_t)sizeof(T), &x_, sizeof x_);                                                  \
    }

static enum tsf_err strings_write(struct writer *w, const struct tsf_sview *s, int64_t n)
{
    uint64_t total = 0;
    uint32_t max = 0;
    int width;
    uint8_t *p;
    enum tsf_err rc;

    for (int64_t i = 0; i < n; i++) {
        total += s[i].len;
        max = s[i].len > max ? s[i].len : max;
    }
    width = width_for(max);
    if ((rc = varint_write(w, total)) != TSF_OK || (rc = u8_write(w, width)) != TSF_OK ||
        (rc = room(w, (size_t)n * (size_t)width + total, &p)) != TSF_OK)
        return rc;
    switch (width) {
    case 1: LENGTHS(uint8_t); break;
    case 2: LENGTHS(uint16_t); break;
    default: LENGTHS(uint32_t); break;
    }
    p += n * width;
    for (int64_t i = 0; i < n; i++) {
        if (s[i].len <= TSF_SVIEW_INLINE)
            memcpy(p, s[i].u.inl, TSF_SVIEW_INLINE); /* room() left slack for the excess */
        else
            memcpy(p, s[i].u.ref.ptr, s[i].len);
        p += s[i].len;
    }
    w->out->len += (size_t)n * (size_t)width + total;
    return TSF_OK;
}

static enum tsf_err dict_write(struct writer *w, const struct tsf_sview *entries, int64_t n_entries, const int32_t *codes,
                               int64_t n)
{
    int width = width_for((uint64_t)n_entries - 1);
    const int64_t first = 0;
    uint8_t *p;
    enum tsf_err rc;

    if ((rc = varint_write(w, (uint64_t)n_entries)) != TSF_OK || (rc = u8_write(w, width)) != TSF_OK ||
        (rc = room(w, (size_t)n * (size_t)width, &p)) != TSF_OK)
        return rc;
    switch (width) {
    case 1: NARROW(uint8_t, codes[i]); break;
    case 2: NARROW(uint16_t, codes[i]); break;
    default: NARROW(uint32_t, codes[i]); break;
    }
    w->out->len += (size_t)n * (size_t)width;
    return strings_write(w, entries, n_entries);
}

static inline uint64_t sview_hash(const struct tsf_sview *v)
{
    uint64_t a, b;

    if (v->len > TSF_SVIEW_INLINE)
        return tsf_hash(v->u.ref.ptr, v->len, 0);
    memcpy(&a, v, 8);
    memcpy(&b, (const char *)v + 8, 8);
    a = (a ^ 0xa0761d6478bd642fULL) * 0x9e3779b97f4a7c15ULL;
    a = (a ^ (a >> 32) ^ b) * 0xd6e8feb86659fd93ULL;
    return a ^ (a >> 32);
}

/* Open addressing; slot = code + 1, 0 when free. It doubles as entries come, so a small dictionary stays in L1. */
struct dict {
    uint32_t *slots;
    uint64_t *hashes; /* by code */
    struct tsf_sview *entries;
    uint32_t mask;
    int32_t n;
};

static bool dict_grow(struct dict *d, uint32_t n_slots)
{
    uint32_t *slots = calloc(n_slots, sizeof *slots);

    if (!slots)
        return false;
    d->mask = n_slots - 1;
    for (int32_t c = 0; c < d->n; c++) {
        uint32_t at = (uint32_t)d->hashes[c] & d->mask;
        while (slots[at])
            at = (at + 1) & d->mask;
        slots[at] = (uint32_t)c + 1;
    }
    free(d->slots);
    d->slots = slots;
    return true;
}

static inline int32_t dict_code(struct dict *d, const struct tsf_sview *s)
{
    uint64_t h = sview_hash(s);
    uint32_t at = (uint32_t)h & d->mask;

    for (; d->slots[at]; at = (at + 1) & d->mask) {
        int32_t c = (int32_t)d->slots[at] - 1;
        if (d->hashes[c] == h && tsf_sview_eq(&d->entries[c], s))
            return c;
    }
    d->slots[at] = (uint32_t)d->n + 1;
    d->hashes[d->n] = h;
    d->entries[d->n] = *s;
    return d->n++;
}

/* Give every row a code; false when there turn out to be too many distinct strings (or no memory): do without. */
static bool dict_build(struct dict *d, struct tsf_arena *scratch, const struct tsf_sview *s, int64_t n, const int64_t *pick,
                       int32_t max, int32_t *codes)
{
    if (!(d->hashes = tsf_arena_alloc(scratch, (size_t)max * 8 + 8)) ||
        !(d->entries = tsf_arena_alloc(scratch, ((size_t)max + 1) * sizeof *d->entries)) || !dict_grow(d, 512))
        return false;
    for (int64_t i = 0; i < n; i++) {
        int32_t c = dict_code(d, &s[pick ? pick[i] : i]);
        if (codes)
            codes[i] = c;
        if (d->n >= max || (d->n * 2 > (int32_t)d->mask && !dict_grow(d, (d->mask + 1) * 4)))
            return false;
    }
    return true;
}

/* A look at evenly spaced rows tells whether a dictionary is worth building. */
static bool dict_promising(struct tsf_arena *scratch, const struct tsf_sview *s, int64_t n)
{
    int64_t pick[DICT_SAMPLE];
    struct dict d = { 0 };
    bool ok;

    if (n < DICT_SAMPLE)
        return false;
    for (int i = 0; i < DICT_SAMPLE; i++)
        pick[i] = n * i / DICT_SAMPLE;
    ok = dict_build(&d, scratch, s, DICT_SAMPLE, pick, DICT_SAMPLE / 2, NULL);
    free(d.slots);
    return ok;
}

static enum tsf_err text_write(struct writer *w, const struct tsf_vector *v, size_t tag_at)
{
    const struct tsf_sview *s = v->values;
    struct dict d = { 0 };
    int64_t n = v->length;
    int32_t *codes;
    enum tsf_err rc;

    if (dict_promising(&w->scratch, s, n)) {
        if (!(codes = tsf_arena_alloc(&w->scratch, (size_t)n * 4)))
            return tsf_fail_nomem(w->err);
        if (dict_build(&d, &w->scratch, s, n, NULL, (int32_t)TSF_MIN(n / 4 + 1, DICT_MAX), codes)) {
            w->out->data[tag_at] = (uint8_t)((w->out->data[tag_at] & CODEC_NULLS) | CODEC_DICT);
            rc = dict_write(w, d.entries, d.n, codes, n);
            free(d.slots);
            return rc;
        }
        free(d.slots);
    }
    return strings_write(w, s, n);
}

/* ---- nested ---------------------------------------------------------------------------------------------------------- */

static enum tsf_err list_write(struct writer *w, const struct tsf_vector *v)
{
    const int32_t *off = v->values;
    int64_t n = v->length, total = 0;
    uint32_t *len = tsf_arena_alloc(&w->scratch, (size_t)n * 4 + 4), max = 0;
    const int64_t first = 0;
    struct tsf_vector part;
    bool tight = true;
    uint32_t *pick;
    uint8_t *p;
    int width;
    enum tsf_err rc;

    if (!len)
        return tsf_fail_nomem(w->err);
    for (int64_t i = 0; i < n; i++) {
        bool here = tsf_vector_present(v, i);
        len[i] = here ? (uint32_t)(off[i + 1] - off[i]) : 0;
        tight &= here || off[i + 1] == off[i];
        total += len[i];
        max = TSF_MAX(max, len[i]);
    }
    if (total > CODEC_ROWS_MAX)
        return tsf_fail(w->err, TSF_ERR_UNSUPPORTED, "lists of more than %d elements in one batch", CODEC_ROWS_MAX);
    width = width_for(max);
    if ((rc = u8_write(w, width)) != TSF_OK || (rc = room(w, (size_t)n * (size_t)width, &p)) != TSF_OK)
        return rc;
    switch (width) {
    case 1: NARROW(uint8_t, len[i]); break;
    case 2: NARROW(uint16_t, len[i]); break;
    default: NARROW(uint32_t, len[i]); break;
    }
    w->out->len += (size_t)n * (size_t)width;
    if (!(pick = tsf_arena_alloc(&w->scratch, tight ? 4 : (size_t)total * 4 + 4)))
        return tsf_fail_nomem(w->err);
    if (!tight)
        for (int64_t i = 0, k = 0; i < n; i++)
            for (uint32_t e = 0; e < len[i]; e++)
                pick[k++] = (uint32_t)off[i] + e;
    for (int c = 0; c < v->type->n_children; c++) {
        rc = tight ? tsf_vector_slice(&v->children[c], n ? off[0] : 0, total, &w->scratch, &part, w->err)
                   : tsf_vector_gather(&v->children[c], pick, total, &w->scratch, &part, w->err);
        if (rc != TSF_OK || (rc = vector_write(w, &part)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static enum tsf_err struct_write(struct writer *w, const struct tsf_vector *v)
{
    enum tsf_err rc;

    for (int c = 0; c < v->type->n_children; c++)
        if ((rc = vector_write(w, &v->children[c])) != TSF_OK)
            return rc;
    return TSF_OK;
}

/* ---- one vector -------------------------------------------------------------------------------------------------------- */

static bool all_equal(const struct tsf_vector *v)
{
    size_t width = (size_t)tsf_type_width(v->type);
    const struct tsf_sview *s = v->values;

    if (v->length < 2)
        return true;
    if (!tsf_type_is_string(v->type))
        return memcmp(v->values, (const char *)v->values + width, (size_t)(v->length - 1) * width) == 0;
    for (int64_t i = 1; i < v->length; i++)
        if (!tsf_sview_eq(&s[0], &s[i]))
            return false;
    return true;
}

static enum tsf_err constant_write(struct writer *w, const struct tsf_vector *v, int64_t at)
{
    int width = tsf_type_width(v->type);
    const struct tsf_sview *s;
    enum tsf_err rc;

    if ((rc = u8_write(w, CODEC_CONST)) != TSF_OK)
        return rc;
    if (!tsf_type_is_string(v->type))
        return tsf_buf_append(w->out, (const char *)v->values + at * width, (size_t)width, w->err);
    s = (const struct tsf_sview *)v->values + at;
    if ((rc = varint_write(w, s->len)) != TSF_OK)
        return rc;
    return tsf_buf_append(w->out, tsf_sview_data(s), s->len, w->err);
}

static enum tsf_err bits_write(struct writer *w, const struct tsf_vector *v)
{
    const uint8_t *x = v->values;
    uint8_t *p;
    enum tsf_err rc = room(w, (size_t)(v->length + 7) / 8, &p);

    if (rc != TSF_OK)
        return rc;
    for (int64_t at = 0; at < v->length; at += 8) {
        int64_t m = TSF_MIN(v->length - at, 8);
        uint8_t byte = 0;
        for (int64_t i = 0; i < m; i++)
            byte |= (uint8_t)((x[at + i] != 0) << i);
        p[at / 8] = byte;
    }
    w->out->len += (size_t)(v->length + 7) / 8;
    return TSF_OK;
}

static enum tsf_err head_write(struct writer *w, int tag, const struct tsf_vector *v, bool nulls)
{
    enum tsf_err rc = u8_write(w, tag | (nulls ? CODEC_NULLS : 0));

    if (rc != TSF_OK || !nulls)
        return rc;
    return tsf_buf_append(w->out, v->validity, (size_t)(v->length + 7) / 8, w->err);
}

static enum tsf_err dictionary_write(struct writer *w, const struct tsf_vector *v, bool nulls)
{
    const int32_t *codes = v->values;
    enum tsf_err rc = head_write(w, CODEC_DICT, v, nulls);

    return rc != TSF_OK ? rc : dict_write(w, v->dict->values, v->dict->length, codes, v->length);
}

static enum tsf_err flat_write(struct writer *w, const struct tsf_vector *v, bool nulls)
{
    enum tsf_type_id id = v->type->id;
    size_t tag_at;
    int tag = CODEC_PLAIN;
    enum tsf_err rc;

    if (!nulls && !v->type->n_children && all_equal(v))
        return constant_write(w, v, 0);
    if (id == TSF_TYPE_BOOL)
        tag = CODEC_BITS;
    else if (tsf_type_is_string(v->type))
        tag = CODEC_STRINGS;
    else if (id == TSF_TYPE_LIST || id == TSF_TYPE_MAP)
        tag = CODEC_LIST;
    else if (id == TSF_TYPE_STRUCT)
        tag = CODEC_STRUCT;
    else if (codec_is_integer(id) && (id != TSF_TYPE_DECIMAL || decimals_narrow(v)))
        tag = CODEC_FOR;
    tag_at = w->out->len;
    if ((rc = head_write(w, tag, v, nulls)) != TSF_OK)
        return rc;
    switch (tag) {
    case CODEC_BITS: return bits_write(w, v);
    case CODEC_STRINGS: return text_write(w, v, tag_at);
    case CODEC_LIST: return list_write(w, v);
    case CODEC_STRUCT: return struct_write(w, v);
    case CODEC_FOR: return ints_write(w, v, nulls, tag_at);
    default: return tsf_buf_append(w->out, v->values, (size_t)v->length * (size_t)tsf_type_width(v->type), w->err);
    }
}

static enum tsf_err vector_write(struct writer *w, const struct tsf_vector *v)
{
    int64_t n_nulls = tsf_vector_null_count(v);
    struct tsf_vector flat;
    enum tsf_err rc;

    if (n_nulls == v->length) /* also no rows at all */
        return u8_write(w, CODEC_NONE);
    if (v->shape == TSF_CONSTANT && !v->type->n_children)
        return constant_write(w, v, 0);
    if (v->shape == TSF_DICTIONARY && tsf_type_is_string(v->type) && v->dict->length <= v->length)
        return dictionary_write(w, v, n_nulls > 0);
    if ((rc = tsf_vector_flatten(v, &w->scratch, &flat, w->err)) != TSF_OK)
        return rc;
    return flat_write(w, &flat, n_nulls > 0);
}

/* ---- batches -------------------------------------------------------------------------------------------------------------- */

enum tsf_err tsf_batch_encode(const struct tsf_batch *b, struct tsf_buf *out, struct tsf_error *err)
{
    struct writer w = { .out = out, .err = err };
    size_t start = out->len;
    int64_t n = tsf_batch_rows(b);
    struct tsf_vector part;
    enum tsf_err rc = TSF_OK;

    if (n > CODEC_ROWS_MAX)
        return tsf_fail(err, TSF_ERR_INVALID, "a batch of %lld rows; the limit is %d", (long long)n, CODEC_ROWS_MAX);
    if ((rc = u8_write(&w, CODEC_VERSION)) != TSF_OK || (rc = varint_write(&w, (uint64_t)b->n_columns)) != TSF_OK ||
        (rc = varint_write(&w, (uint64_t)n)) != TSF_OK)
        goto done;
    for (int c = 0; c < b->n_columns; c++) {
        const struct tsf_vector *v = &b->columns[c];
        tsf_arena_reset(&w.scratch);
        if ((rc = type_write(&w, v->type, 0)) != TSF_OK)
            goto done;
        if (b->sel) {
            if ((rc = tsf_vector_gather(v, b->sel, n, &w.scratch, &part, err)) != TSF_OK)
                goto done;
            v = &part;
        }
        if ((rc = vector_write(&w, v)) != TSF_OK)
            goto done;
    }
done:
    tsf_arena_release(&w.scratch);
    if (rc != TSF_OK)
        out->len = start;
    return rc;
}
