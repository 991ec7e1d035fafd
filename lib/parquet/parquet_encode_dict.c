/*
 * Dictionaries: which values a chunk has, and a code for each.
 *
 * Strings are looked up as they arrive, in an open-addressing table of entry numbers; the entries lie in PLAIN form, so
 * they are the dictionary page. The dictionary gives up when it stops paying. Because a column of 100,000 user ids
 * looks unique in its first rows, the number of distinct values is extrapolated from the repeats seen so far (n draws
 * out of D give about n * n / 2D repeats) before a small sample may condemn it.
 */
#include "parquet/parquet_encode_internal.h"
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define DICT_BYTES_MAX (8u << 20)
#define DICT_ENTRIES_MAX (1u << 18)
#define DICT_SLOTS_MIN 1024u

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 m = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15ULL) * (b ^ 0xd6e8feb86659fd93ULL);
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t hash_sview(const struct tsf_sview *s)
{
    uint64_t a, b;
    if (s->len > TSF_SVIEW_INLINE)
        return XXH3_64bits(s->u.ref.ptr, s->len);
    memcpy(&a, s, 8);
    memcpy(&b, (const char *)s + 8, 8);
    return mix(a, b);
}

enum tsf_err parquet_dict_init(struct parquet_dict *d, struct tsf_error *err)
{
    memset(d, 0, sizeof *d);
    tsf_buf_init(&d->plain, 2 * DICT_BYTES_MAX + (64u << 20));
    d->slots = calloc(DICT_SLOTS_MIN, sizeof *d->slots);
    if (!d->slots)
        return tsf_fail_nomem(err);
    d->mask = DICT_SLOTS_MIN - 1;
    d->next_check = 4096;
    return TSF_OK;
}

void parquet_dict_release(struct parquet_dict *d)
{
    tsf_buf_release(&d->plain);
    free(d->offsets);
    free(d->slots);
    memset(d, 0, sizeof *d);
}

void parquet_dict_reset(struct parquet_dict *d)
{
    if (d->n)
        memset(d->slots, 0, ((size_t)d->mask + 1) * sizeof *d->slots);
    tsf_buf_reset(&d->plain);
    d->n = 0;
    d->full = false;
    d->next_check = 4096;
}

/* The slots do not keep the lower half of the hash, so it is made again. */
static enum tsf_err dict_grow(struct parquet_dict *d, struct tsf_error *err)
{
    uint32_t mask = d->mask * 4 + 3;
    struct parquet_dict_slot *slots = calloc((size_t)mask + 1, sizeof *slots);
    if (!slots)
        return tsf_fail_nomem(err);
    for (uint32_t i = 0; i <= d->mask; i++) {
        const struct parquet_dict_slot *from = &d->slots[i];
        if (!from->entry)
            continue;
        struct tsf_sview s = tsf_sview_make((const char *)d->plain.data + from->offset, from->len);
        uint32_t at = (uint32_t)hash_sview(&s) & mask;
        while (slots[at].entry)
            at = (at + 1) & mask;
        slots[at] = *from;
    }
    free(d->slots);
    d->slots = slots;
    d->mask = mask;
    return TSF_OK;
}

static enum tsf_err dict_add(struct parquet_dict *d, struct tsf_str s, uint64_t h, uint32_t at, struct tsf_error *err)
{
    enum tsf_err rc;
    if (d->n >= DICT_ENTRIES_MAX || d->plain.len + s.len + 4 > DICT_BYTES_MAX) {
        d->full = true;
        return TSF_OK;
    }
    if (!tsf_realloc_array((void **)&d->offsets, &d->offsets_cap, (size_t)d->n + 1, sizeof *d->offsets))
        return tsf_fail_nomem(err);
    if ((rc = tsf_buf_reserve(&d->plain, s.len + 4, err)) != TSF_OK)
        return rc;
    tsf_le32_put(d->plain.data + d->plain.len, (uint32_t)s.len);
    if (s.len)
        memcpy(d->plain.data + d->plain.len + 4, s.data, s.len);
    d->offsets[d->n] = (uint32_t)d->plain.len + 4;
    d->plain.len += s.len + 4;
    d->slots[at] = (struct parquet_dict_slot){ (uint32_t)(h >> 32), ++d->n, d->offsets[d->n - 1], (uint32_t)s.len };
    if (d->n * 2 > d->mask)
        return dict_grow(d, err);
    return TSF_OK;
}

static inline bool slot_holds(const struct parquet_dict *d, const struct parquet_dict_slot *slot, const struct tsf_sview *s,
                              uint64_t h)
{
    return slot->tag == (uint32_t)(h >> 32) && slot->len == s->len &&
           memcmp(d->plain.data + slot->offset, tsf_sview_data(s), s->len) == 0;
}

static inline enum tsf_err dict_find(struct parquet_dict *d, const struct tsf_sview *s, uint64_t h, uint32_t *code_out,
                                     struct tsf_error *err)
{
    uint32_t at = (uint32_t)h & d->mask;
    while (d->slots[at].entry) {
        if (slot_holds(d, &d->slots[at], s, h)) {
            *code_out = d->slots[at].entry - 1;
            return TSF_OK;
        }
        at = (at + 1) & d->mask;
    }
    *code_out = d->n;
    return dict_add(d, tsf_sview_str(s), h, at, err);
}

enum tsf_err parquet_dict_put(struct parquet_dict *d, const struct tsf_sview *s, uint32_t *code_out, struct tsf_error *err)
{
    return dict_find(d, s, hash_sview(s), code_out, err);
}

/* A small dictionary's slots are in the cache; a large one's are fetched a block ahead of their use. */
enum tsf_err parquet_dict_put_many(struct parquet_dict *d, const struct tsf_sview *base, const uint32_t *idx, int64_t first,
                                   int64_t n, uint32_t *codes, int64_t *done_out, int64_t *bytes, struct tsf_error *err)
{
    enum { BLOCK = 32 };
    uint64_t h[BLOCK];
    uint64_t last[2] = { UINT64_MAX, 0 }; /* no view: its length would be too large */
    uint32_t last_code = 0;
    enum tsf_err rc;
    for (int64_t at = 0; at < n; at += BLOCK) {
        int m = (int)TSF_MIN(n - at, BLOCK);
        for (int i = 0; i < m; i++) {
            h[i] = hash_sview(&base[idx ? idx[at + i] : first + at + i]);
            __builtin_prefetch(&d->slots[(uint32_t)h[i] & d->mask]);
        }
        for (int i = 0; i < m; i++) {
            const struct tsf_sview *s = &base[idx ? idx[at + i] : first + at + i];
            uint64_t now[2];
            memcpy(now, s, 16);
            if (now[0] != last[0] || now[1] != last[1]) {
                if ((rc = dict_find(d, s, h[i], &last_code, err)) != TSF_OK)
                    return rc;
                if (d->full) {
                    *done_out = at + i;
                    return TSF_OK;
                }
                memcpy(last, now, 16);
            }
            codes[at + i] = last_code;
            *bytes += s->len;
        }
    }
    *done_out = n;
    return TSF_OK;
}

/* ---- fixed-width values ------------------------------------------------------------------------------------ */

#define RANGE_MAX 65536 /* integers that span less are looked up directly */

static inline uint64_t fixed_key(const void *v, int width, int64_t i)
{
    if (width == 8)
        return ((const uint64_t *)v)[i];
    return ((const uint32_t *)v)[i];
}

/* Codes in order of value through a table over [min, min + span]. */
static enum tsf_err fixed_direct(const void *v, int width, int64_t n, int64_t min, uint32_t span, uint32_t max_entries,
                                 uint32_t *codes, uint32_t *first, uint32_t *n_out, struct tsf_error *err)
{
    uint32_t *table = calloc((size_t)span + 1, sizeof *table), n_codes = 0;
    const int32_t *v32 = v;
    const int64_t *v64 = v;
    if (!table)
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        uint32_t k = (uint32_t)((uint64_t)(width == 8 ? v64[i] : v32[i]) - (uint64_t)min);
        codes[i] = k;
        table[k] = (uint32_t)i + 1;
    }
    for (uint32_t k = 0; k <= span; k++) {
        if (!table[k])
            continue;
        if (n_codes == max_entries) {
            free(table);
            *n_out = 0;
            return TSF_OK;
        }
        first[n_codes] = table[k] - 1;
        table[k] = n_codes++;
    }
    for (int64_t i = 0; i < n; i++)
        codes[i] = table[codes[i]];
    free(table);
    *n_out = n_codes;
    return TSF_OK;
}

enum tsf_err parquet_dict_fixed(const void *v, int width, bool is_int, int64_t n, uint32_t max_entries, uint32_t *codes,
                                uint32_t *first, uint32_t *n_out, struct tsf_error *err)
{
    uint32_t mask = 1023, n_codes = 0, *slots;
    *n_out = 0;
    if (n == 0 || n >= UINT32_MAX)
        return TSF_OK;
    if (is_int) {
        struct parquet_minmax m = { 0 };
        parquet_minmax_fixed(&m, width == 8 ? PARQUET_KIND_I64 : PARQUET_KIND_I32, v, n);
        uint64_t span = (uint64_t)m.max.u.i - (uint64_t)m.min.u.i;
        if (span < RANGE_MAX && span < (uint64_t)n * 4)
            return fixed_direct(v, width, n, m.min.u.i, (uint32_t)span, max_entries, codes, first, n_out, err);
    }
    while (mask < max_entries * 2)
        mask = mask * 2 + 1;
    if (!(slots = calloc((size_t)mask + 1, sizeof *slots)))
        return tsf_fail_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        uint64_t a = width == 16 ? ((const uint64_t *)v)[2 * i] : fixed_key(v, width, i);
        uint64_t b = width == 16 ? ((const uint64_t *)v)[2 * i + 1] : 0;
        uint32_t at = (uint32_t)mix(a, b) & mask, e;
        while ((e = slots[at]) != 0) {
            int64_t f = first[e - 1];
            if (width == 16 ? ((const uint64_t *)v)[2 * f] == a && ((const uint64_t *)v)[2 * f + 1] == b
                            : fixed_key(v, width, f) == a)
                break;
            at = (at + 1) & mask;
        }
        if (!e) {
            if (n_codes == max_entries) {
                n_codes = 0;
                break;
            }
            first[n_codes] = (uint32_t)i;
            slots[at] = e = ++n_codes;
        }
        codes[i] = e - 1;
    }
    free(slots);
    *n_out = n_codes;
    return TSF_OK;
}
