#ifndef TSF_PARQUET_ENCODE_INTERNAL_H
#define TSF_PARQUET_ENCODE_INTERNAL_H
/*
 * Private to the writing half of lib/parquet and its tests.
 *
 * A leaf gathers the values of one leaf column for one row group:
 *
 *   fixed-width values      kept dense (nulls left out) in their stored width until the row group is full; then
 *                           dictionary, DELTA_BINARY_PACKED, BYTE_STREAM_SPLIT or PLAIN is chosen from all of them
 *   strings, dictionary     one code per value and the distinct strings in PLAIN form, which is the dictionary page
 *   strings, raw            when the dictionary does not pay: bytes of the current page only; each full page is
 *                           encoded and compressed at once, so memory holds encoded bytes
 *
 * Levels: flat optional leaves keep a bitmap, nested ones a definition and a repetition byte per entry.
 * Values and levels that are gathered but not yet in a page are "pending".
 */
#include "parquet/parquet_internal.h"

/* ---- bits and encodings (parquet_encode_bits.c) ---------------------------------------------------- */

int parquet_bit_width(uint64_t v); /* 0 for 0 */
/* Append n codes as RLE / bit-packed hybrid of bit width w (0..32), without a length or width byte. */
enum tsf_err parquet_encode_hybrid(const uint32_t *codes, int64_t n, int w, struct tsf_buf *out, struct tsf_error *err);
/* The same for width 1, from a bitmap. words NULL: n ones. */
enum tsf_err parquet_encode_hybrid_bitmap(const uint64_t *words, int64_t first, int64_t n, struct tsf_buf *out,
                                          struct tsf_error *err);
/* DELTA_BINARY_PACKED; blocks of 128 in 4 miniblocks. The 32-bit twin computes modulo 2^32. */
enum tsf_err parquet_encode_delta64(const int64_t *v, int64_t n, struct tsf_buf *out, struct tsf_error *err);
enum tsf_err parquet_encode_delta32(const int32_t *v, int64_t n, struct tsf_buf *out, struct tsf_error *err);
/* Bits per value that DELTA_BINARY_PACKED would take, from a sample of blocks. */
double parquet_delta_estimate(const void *v, int width, int64_t n);
enum tsf_err parquet_encode_stream_split(const void *v, int width, int64_t n, struct tsf_buf *out, struct tsf_error *err);
/* Bytes 0 or 1 as bits. */
enum tsf_err parquet_encode_bools(const uint8_t *v, int64_t n, struct tsf_buf *out, struct tsf_error *err);

/* ---- string dictionary (parquet_encode_dict.c) ------------------------------------------------------- */

struct parquet_dict_slot {  /* all that a lookup needs but the bytes, in one place */
    uint32_t tag;           /* upper half of the hash */
    uint32_t entry;         /* + 1; 0 = empty */
    uint32_t offset;        /* of the bytes in plain */
    uint32_t len;
};
struct parquet_dict {
    struct tsf_buf plain;   /* entries in PLAIN form: le32 length, bytes */
    uint32_t *offsets;      /* of each entry's bytes in plain (behind the length) */
    size_t offsets_cap;
    uint32_t n;             /* entries */
    struct parquet_dict_slot *slots; /* open addressing; their number is a power of two */
    uint32_t mask;
    bool full;              /* an entry was refused: the dictionary no longer pays */
    uint32_t next_check;    /* entries at which to look again whether it pays */
};
enum tsf_err parquet_dict_init(struct parquet_dict *d, struct tsf_error *err);
void parquet_dict_release(struct parquet_dict *d);
void parquet_dict_reset(struct parquet_dict *d);
/* Position of s, added when new; not when d->full is set afterwards. */
enum tsf_err parquet_dict_put(struct parquet_dict *d, const struct tsf_sview *s, uint32_t *code_out, struct tsf_error *err);
/*
 * Codes of n strings, base[idx[i]] or base[first + i]. Stops when the dictionary is full; *done_out of them have codes.
 * *bytes counts their bytes.
 */
enum tsf_err parquet_dict_put_many(struct parquet_dict *d, const struct tsf_sview *base, const uint32_t *idx, int64_t first,
                                   int64_t n, uint32_t *codes, int64_t *done_out, int64_t *bytes, struct tsf_error *err);
static inline struct tsf_str parquet_dict_get(const struct parquet_dict *d, uint32_t code)
{
    const uint8_t *p = d->plain.data + d->offsets[code];
    return tsf_str_n(p, tsf_le32_get(p - 4));
}
/*
 * Codes for fixed-width values (4, 8 or 16 bytes), in order of first appearance, or of value when the range is small.
 * first_out: for each code the index of one value that has it. *n_out = 0 when there are more than max_entries.
 * codes_out has room for n; first_out for max_entries.
 */
enum tsf_err parquet_dict_fixed(const void *v, int width, bool is_int, int64_t n, uint32_t max_entries, uint32_t *codes_out,
                                uint32_t *first_out, uint32_t *n_out, struct tsf_error *err);

/* ---- ranges (parquet_encode_stats.c) ------------------------------------------------------------------- */

enum parquet_kind { PARQUET_KIND_BOOL, PARQUET_KIND_I32, PARQUET_KIND_I64, PARQUET_KIND_F32, PARQUET_KIND_F64,
                    PARQUET_KIND_I128, PARQUET_KIND_UUID, PARQUET_KIND_STR };

struct parquet_bound {
    union {
        int64_t i;
        double f;
        tsf_int128 w;         /* I128; UUID: the 16 bytes */
        struct tsf_str s;     /* borrowed */
    } u;
};
struct parquet_minmax {
    bool has, nan;            /* has: some value that is not NaN */
    struct parquet_bound min, max;
};
void parquet_minmax_fixed(struct parquet_minmax *m, enum parquet_kind k, const void *v, int64_t n);
void parquet_minmax_str(struct parquet_minmax *m, struct tsf_str s);
/* n strings of these lengths, one behind the other at p. */
void parquet_minmax_strs(struct parquet_minmax *m, const uint32_t *lens, const uint8_t *p, int64_t n);
void parquet_minmax_merge(struct parquet_minmax *m, enum parquet_kind k, const struct parquet_minmax *other);
int parquet_bound_cmp(enum parquet_kind k, const struct parquet_bound *a, const struct parquet_bound *b);

#define PARQUET_STAT_MAX 64
/*
 * Bytes of a bound as statistics hold them (PLAIN, no length): at most 64 for strings, a lower bound for min, an upper
 * one for max, cut between characters for text. false: no such upper bound exists. out: PARQUET_STAT_MAX bytes.
 */
bool parquet_bound_bytes(enum parquet_kind k, const struct tsf_type *t, int type_length, const struct parquet_bound *b,
                         bool is_max, uint8_t *out, size_t *len_out, bool *exact_out);
/* tsf_value of a bound; strings borrow. */
void parquet_bound_value(enum parquet_kind k, const struct tsf_type *t, const struct parquet_bound *b, struct tsf_value *out);

/* ---- leaves ---------------------------------------------------------------------------------------------- */

struct parquet_page_entry {          /* for the page index */
    int64_t offset;                  /* within the leaf's pages */
    int64_t first_row, n_nulls;
    int32_t size;                    /* with header */
    bool all_null, has_range;
    uint32_t min_off, min_len, max_off, max_len; /* in leaf->stat_bytes */
};

struct parquet_encode_config {
    int zstd_level;
    bool uncompressed, page_v2, no_stats;
    int32_t page_rows;
    int force_encoding, force_codec;
};

/* Per worker: what encoders need and can be used again. */
struct parquet_scratch {
    struct parquet_codec_state codec;
    struct tsf_buf body, packed;     /* a page before and after compression */
    size_t rep_len, def_len;         /* levels at the front of body, with their length words (v1) */
    struct tsf_buf alt, dict;        /* another encoding of the page; dictionary in PLAIN form */
    uint32_t *idx, *map, *codes, *first, *lens;
    size_t idx_cap, map_cap, codes_cap, first_cap, lens_cap;
};
void parquet_scratch_release(struct parquet_scratch *s);

enum parquet_mode { PARQUET_MODE_FIXED, PARQUET_MODE_DICT, PARQUET_MODE_RAW };

struct parquet_leaf {
    /* what it is */
    const struct tsf_type *type;
    const struct parquet_encode_config *cfg;
    enum parquet_kind kind;
    int8_t physical;
    int16_t max_def, max_rep;
    int32_t type_length, field;
    bool flat;                       /* top-level and primitive */
    bool nullable;                   /* the top-level field is optional */
    bool want_bloom;
    int width;                       /* bytes of a pending fixed value */
    int depth;                       /* steps below the top field; 0 for flat */
    int16_t path[32];                /* child number at each step */
    uint64_t cost;                   /* of the last row group, to start with the largest */

    /* pending */
    int64_t n_rows, n_levels, n_values;
    uint64_t *validity;              /* flat optional: NULL while all are present */
    size_t validity_cap;
    uint8_t *def, *rep;              /* nested */
    size_t def_cap, rep_cap;
    uint8_t *values;                 /* fixed */
    size_t values_cap;
    enum parquet_mode mode;
    uint32_t *codes;                 /* string dictionary */
    size_t codes_cap;
    struct parquet_dict dict;
    uint64_t dict_id;                /* of the input dictionary that map is for */
    int32_t *map;
    size_t map_cap;
    struct tsf_buf raw;              /* strings, raw */
    uint32_t *lens;
    size_t lens_cap;
    int64_t str_bytes;               /* string bytes seen in this row group */

    /* this row group's output */
    bool codec_known;                /* chosen on the first page */
    bool pages_plain;                /* v2: compressing pages does not pay, though the chunk has a codec */
    int codec, level, dict_level;    /* levels 0: not chosen yet */
    int raw_encoding;                /* raw strings: -1 = choose on the first page */
    struct tsf_buf pages;
    struct tsf_buf dict_page;        /* with header */
    struct parquet_page_entry *entries;
    size_t n_entries, entries_cap;
    struct tsf_buf stat_bytes;
    bool has_column_index;
    int64_t rows_out, levels_out, nulls_out;
    int64_t uncompressed_size;
    uint32_t encodings;
    int64_t n_dict_pages, n_other_pages;
    int page_encoding;               /* of the other pages */
    int64_t distinct;                /* -1 unknown */
    struct parquet_minmax range;     /* of the row group; strings in range_min, range_max */
    struct tsf_buf range_min, range_max;
    uint64_t *bloom_hashes;
    size_t bloom_cap;
    int64_t n_bloom;
    struct tsf_buf bloom;            /* header and bits */
};

void parquet_leaf_release(struct parquet_leaf *l);
void parquet_leaf_reset(struct parquet_leaf *l); /* for the next row group */
/* Rows [first, first + n) of v, or sel[first..first + n) when sel is given. v is the top-level column. */
enum tsf_err parquet_leaf_append(struct parquet_leaf *l, const struct tsf_vector *v, const uint32_t *sel, int64_t first,
                                 int64_t n, struct parquet_scratch *s, struct tsf_error *err);
/* Encode what is pending; afterwards the output fields are complete. */
enum tsf_err parquet_leaf_finish(struct parquet_leaf *l, struct parquet_scratch *s, struct tsf_error *err);
/* Estimated bytes in the file of what this leaf holds. */
int64_t parquet_leaf_size(const struct parquet_leaf *l);

/* parquet_encode_raw.c: encode the pages of raw strings that are full, or all that is pending */
enum tsf_err parquet_leaf_raw_pages(struct parquet_leaf *l, bool all, struct parquet_scratch *s, struct tsf_error *err);
enum tsf_err parquet_leaf_full_pages(struct parquet_leaf *l, struct parquet_scratch *s, struct tsf_error *err);
/* parquet_encode_append.c: do n strings fill their dictionary well enough; from dictionary to raw */
bool parquet_leaf_dict_repeats(const struct parquet_leaf *l, int64_t n);
enum tsf_err parquet_leaf_give_up_dict(struct parquet_leaf *l, struct parquet_scratch *s, struct tsf_error *err);

/* parquet_encode_levels.c: levels and positions of a nested column's leaf */
enum tsf_err parquet_leaf_shred(struct parquet_leaf *l, const struct tsf_vector *v, const uint32_t *sel, int64_t first,
                                int64_t n, struct parquet_scratch *s, struct tsf_error *err);
/* parquet_encode_append.c: values at rows idx[0..n) (NULL: [first, first + n)) of a leaf vector, none of them null */
enum tsf_err parquet_leaf_values(struct parquet_leaf *l, const struct tsf_vector *v, const uint32_t *idx, int64_t first,
                                 int64_t n, struct parquet_scratch *s, struct tsf_error *err);

/* parquet_encode_page.c */
struct parquet_page_span {           /* what of the pending data goes into one page */
    int64_t row, n_rows, level, n_levels, value, n_values;
    int64_t byte, n_bytes;           /* raw strings: their bytes in l->raw */
};
/* The page behind *p (a zeroed one for the first). False: none left, or with all = false, not a full one. */
bool parquet_page_next(const struct parquet_leaf *l, bool all, struct parquet_page_span *p);
/* Empty s->body and write the page's levels there; the encoded values follow, then parquet_page_end(). */
enum tsf_err parquet_page_begin(struct parquet_leaf *l, const struct parquet_page_span *p, struct parquet_scratch *s,
                                struct tsf_error *err);
/* Append the data page to l->pages and its entry for the index. */
enum tsf_err parquet_page_end(struct parquet_leaf *l, const struct parquet_page_span *p, int encoding,
                              const struct parquet_minmax *m, struct parquet_scratch *s, struct tsf_error *err);
/* Make l->dict_page. */
enum tsf_err parquet_page_dictionary(struct parquet_leaf *l, const void *plain, size_t n, uint32_t n_entries,
                                     struct parquet_scratch *s, struct tsf_error *err);
/* Should pages of this encoding be compressed, given what that saves of so many bytes and rows? */
bool parquet_page_pays(int encoding, double n_rows, double bytes, double saved);
/* The zstd level for bytes like these. */
enum tsf_err parquet_page_level(const struct parquet_leaf *l, const void *p, size_t n, struct parquet_scratch *s, int *level_out,
                                struct tsf_error *err);
/* What b takes when compressed; never more than its length. */
enum tsf_err parquet_page_packed_size(const struct parquet_leaf *l, const struct tsf_buf *b, int level, struct parquet_scratch *s,
                                      size_t *out, struct tsf_error *err);
/* The codec that the options name; whether it pays is asked page by page. */
int parquet_page_codec(const struct parquet_encode_config *cfg);

#endif
