#ifndef TSF_PARQUET_READ_INTERNAL_H
#define TSF_PARQUET_READ_INTERNAL_H
/*
 * Private to the reading half of lib/parquet and its tests.
 *
 *   bytes -> page (parquet_page.c) -> levels and dense values (parquet_encoding.c, parquet_unpack*.c)
 *         -> tsf types (parquet_convert.c) -> vectors: flat (parquet_column.c), nested (parquet_nested.c)
 *
 * "Dense" values are those of a page without the nulls. Page bytes may be read up to PARQUET_SLACK bytes past their
 * end (never beyond what is mapped), so that kernels need no tail loops.
 */
#include "parquet/parquet_internal.h"

#define PARQUET_MAX_DEPTH 128 /* groups within groups */
#define PARQUET_SLACK 64

/* ---- metadata (parquet_meta_schema.c, parquet_meta_page.c) -------------------------------------------------------------------- */

enum parquet_page_type { PARQUET_PAGE_DATA, PARQUET_PAGE_INDEX, PARQUET_PAGE_DICTIONARY, PARQUET_PAGE_DATA_V2 };

struct parquet_page_header {
    int32_t type, compressed_size, uncompressed_size;
    uint32_t crc;
    bool has_crc, has_header, is_compressed;
    int32_t n_values, encoding;         /* data and dictionary pages */
    int32_t def_encoding, rep_encoding; /* v1 */
    int32_t n_nulls, n_rows, def_length, rep_length; /* v2; -1 elsewhere */
};
/* The list of schema elements: nodes, n_nodes, leaf_nodes, n_leaves of m. */
enum tsf_err parquet_meta_schema(struct parquet_tread *r, int type, struct tsf_arena *a, struct parquet_meta *m,
                                 struct tsf_error *err);
/* used_out: bytes of the header itself. */
enum tsf_err parquet_page_header_parse(const void *p, size_t n, struct parquet_page_header *out, size_t *used_out,
                                       struct tsf_error *err);

/* ---- kernels (parquet_unpack*.c) ------------------------------------------------------------------------ */

struct parquet_kernels {
    /* n values of w bits (32: 0..32, 64: 0..64), packed low bit first; reads up to PARQUET_SLACK bytes too far. */
    void (*unpack32)(const uint8_t *p, int w, int64_t n, uint32_t *out);
    void (*unpack64)(const uint8_t *p, int w, int64_t n, uint64_t *out);
    uint32_t (*max32)(const uint32_t *v, int64_t n); /* 0 for none */
    /*
     * values[0..n_dense) to those of values[0..n) whose bit first + i of validity is set (n_dense of them), in place;
     * the others become zero. The bitmap and the values are padded by TSF_PAD bytes.
     */
    void (*expand)(void *values, int width, const uint64_t *validity, int64_t first, int64_t n, int64_t n_dense);
    /* BYTE_STREAM_SPLIT of 4 and 8 bytes: byte j of value i is p[j * stride + i]. */
    void (*unsplit4)(const uint8_t *p, int64_t stride, int64_t n, uint32_t *out);
    void (*unsplit8)(const uint8_t *p, int64_t stride, int64_t n, uint64_t *out);
};
const struct parquet_kernels *parquet_kernels(void);
const struct parquet_kernels *parquet_kernels_at(enum tsf_simd level);

void parquet_expand_scalar(void *values, int width, const uint64_t *validity, int64_t first, int64_t n, int64_t n_dense);
void parquet_unpack32_avx2(const uint8_t *p, int w, int64_t n, uint32_t *out);
uint32_t parquet_max32_avx2(const uint32_t *v, int64_t n);
void parquet_expand_avx2(void *values, int width, const uint64_t *validity, int64_t first, int64_t n, int64_t n_dense);
void parquet_unsplit4_avx2(const uint8_t *p, int64_t stride, int64_t n, uint32_t *out);
void parquet_unsplit8_avx2(const uint8_t *p, int64_t stride, int64_t n, uint64_t *out);
void parquet_unpack32_avx512(const uint8_t *p, int w, int64_t n, uint32_t *out);
void parquet_unpack64_avx512(const uint8_t *p, int w, int64_t n, uint64_t *out);
void parquet_expand_avx512(void *values, int width, const uint64_t *validity, int64_t first, int64_t n, int64_t n_dense);

/* ---- decoders (parquet_rle.c, parquet_delta.c, parquet_encoding.c) -------------------------------------------- */

/* Moves *p; false when the bytes end or it is longer than 64 bits. */
bool parquet_varint_get(const uint8_t **p, const uint8_t *end, uint64_t *out);

/* RLE / bit-packed hybrid: runs of (varint: count << 1, value) or (varint: groups of 8 << 1 | 1, packed values). */
struct parquet_hybrid {
    const uint8_t *p, *end;
    int w;                     /* bits per value; 0: all zero, no bytes needed */
    int64_t rle_left, packed_left;
    uint32_t value;
    const uint8_t *packed;     /* start of the run, and how far it was read */
    int64_t packed_at;
};
enum tsf_err parquet_hybrid_init(struct parquet_hybrid *h, const uint8_t *p, size_t n, int w, struct tsf_error *err);
enum tsf_err parquet_hybrid_read(struct parquet_hybrid *h, int64_t n, uint32_t *out, struct tsf_error *err);
enum tsf_err parquet_hybrid_read8(struct parquet_hybrid *h, int64_t n, uint8_t *out, struct tsf_error *err); /* w <= 8 */
enum tsf_err parquet_hybrid_skip(struct parquet_hybrid *h, int64_t n, struct tsf_error *err);
/* Width 1: bits [first, first + n) of bits; those after are undefined up to the end of their word. */
enum tsf_err parquet_hybrid_bits(struct parquet_hybrid *h, int64_t n, uint64_t *bits, int64_t first, int64_t *ones_out,
                                 struct tsf_error *err);
/* The deprecated BIT_PACKED levels (high bit first) rewritten as one hybrid run. */
enum tsf_err parquet_bit_packed_convert(const uint8_t *p, size_t n, int w, int64_t n_values, struct tsf_buf *out,
                                        struct tsf_error *err);

/*
 * DELTA_BINARY_PACKED, whole. width 4 or 8: of the output (arithmetic modulo that). the values replace what is in out;
 * *used_out: bytes taken. More than max values are an error.
 */
enum tsf_err parquet_delta_decode(const uint8_t *p, size_t n, int width, int64_t max, struct tsf_buf *out,
                                  int64_t *n_out, size_t *used_out, struct tsf_error *err);

int parquet_physical_width(int physical, int type_length);
/* Dense values of a data or dictionary page, front to back. */
struct parquet_values {
    int encoding, physical;
    int width;                  /* of a physical value; strings: sizeof(struct tsf_sview) */
    int type_length;
    int64_t left;               /* values left where the encoding says so, else INT64_MAX */
    const uint8_t *p, *end;     /* PLAIN; BYTE_STREAM_SPLIT: the first stream */
    int64_t at, stride;         /* bit of a PLAIN bool; value of a decoded or split page */
    struct parquet_hybrid codes;/* dictionary codes, RLE booleans */
    struct tsf_buf fixed;       /* DELTA_BINARY_PACKED and lengths, decoded */
    struct tsf_buf views;       /* DELTA_*BYTE_ARRAY: struct tsf_sview */
    struct tsf_buf bytes;       /* DELTA_BYTE_ARRAY: what the views point to */
};
void parquet_values_release(struct parquet_values *v);
bool parquet_values_is_dictionary(const struct parquet_values *v);
/* Start a page of at most n_max values. Buffers are used again. */
enum tsf_err parquet_values_begin(struct parquet_values *v, int encoding, int physical, int type_length, const uint8_t *p,
                                  size_t n, int64_t n_max, struct tsf_error *err);
/* The next n values. *out_ptr: out, or where they stand already. Dictionary pages give codes. */
enum tsf_err parquet_values_read(struct parquet_values *v, int64_t n, void *out, const void **out_ptr, struct tsf_error *err);
/* Of the next n values those at idx[0..k) (ascending). Not for dictionary pages. */
enum tsf_err parquet_values_pick(struct parquet_values *v, int64_t n, const uint32_t *idx, int64_t k, void *out,
                                 struct tsf_error *err);
enum tsf_err parquet_values_skip(struct parquet_values *v, int64_t n, struct tsf_error *err);

/* ---- conversion (parquet_convert.c) ------------------------------------------------------------------------- */

struct parquet_conv {
    const struct tsf_type *type;  /* the result */
    bool same;                    /* physical values are the result's bytes */
    bool borrows;                 /* the result points to the source's bytes */
    int src_width, dst_width;
    int64_t mul;
    enum tsf_err (*fn)(const struct parquet_conv *c, const void *src, int64_t n, void *dst, struct tsf_error *err);
};
/* The file's own type of a leaf. */
enum tsf_err parquet_node_type(const struct parquet_node *n, const struct tsf_type **out, struct tsf_error *err);
/* as NULL: the file's own type. */
enum tsf_err parquet_conv_init(struct parquet_conv *c, const struct parquet_node *n, const struct tsf_type *as,
                               struct tsf_error *err);

/* ---- schema (parquet_schema.c) --------------------------------------------------------------------------------- */

/* What a node of the schema is made into. */
enum parquet_shape { PARQUET_SHAPE_LEAF, PARQUET_SHAPE_STRUCT, PARQUET_SHAPE_LIST, PARQUET_SHAPE_MAP };
struct parquet_plan {
    enum parquet_shape shape;
    const struct tsf_type *type;
    bool nullable;
    int16_t def;                  /* present: definition level >= def */
    int16_t elem_def;             /* LIST, MAP: an element exists: level >= elem_def */
    int node;                     /* LEAF: its schema node */
    int n_children;               /* LIST 1, MAP 2, STRUCT n */
    struct parquet_plan *children;
};
/* Plan of a top-level field; lives in the arena. as NULL: the file's own types. */
enum tsf_err parquet_plan_make(const struct parquet_meta *m, int node, const struct tsf_type *as, struct tsf_arena *a,
                               struct parquet_plan *out, struct tsf_error *err);

/* ---- one leaf's chunk, page by page (parquet_page.c) --------------------------------------------------------------- */

struct parquet_kept {             /* page buffers that views given out may point to */
    uint8_t **bufs;
    size_t n, cap;
};

/*
 * Pages come one after another. Of the current one, entries [0, page_at) are consumed; `lazy` of them only on paper:
 * they are passed over when the page is touched next, so a page that nobody reads is never decompressed.
 */
struct parquet_leaf_reader {
    const struct parquet_meta *meta;
    const struct parquet_chunk *chunk;
    const struct parquet_node *node;
    const struct tsf_source *src;
    struct parquet_conv conv;
    bool no_crc, raw;             /* raw: physical values, for tests: conv is not used */
    bool flat;                    /* levels are decoded as they are read, not whole pages at a time */

    const uint8_t *bytes;         /* the chunk; NULL until needed */
    size_t n_bytes, n_safe, pos;  /* n_safe: bytes that may be touched */
    uint8_t *owned;
    int64_t entries_left;         /* in pages not yet begun */
    struct parquet_codec_state codec;

    const uint8_t *dict_body;     /* dictionary page, compressed; NULL: none seen */
    struct parquet_page_header dict_header;
    bool dict_loaded;
    struct tsf_vector dict;       /* converted */
    struct tsf_arena dict_arena;
    struct tsf_buf dict_buf;

    struct parquet_page_header page;
    const uint8_t *page_body;
    int64_t page_n, page_at, lazy;
    bool page_loaded, page_dict;  /* page_dict: values are codes */
    struct parquet_hybrid page_def;
    struct parquet_values values;
    struct tsf_buf page_buf, levels_buf;
    uint8_t *defs, *reps;         /* nested: of the page's entries */
    struct tsf_buf defs_buf, reps_buf;
    struct parquet_kept kept;
    uint8_t *scratch;
    size_t scratch_cap;
};
enum tsf_err parquet_leaf_reader_init(struct parquet_leaf_reader *l, const struct parquet_file *f, int row_group, int node,
                                      const struct tsf_type *as, bool flat, struct tsf_error *err);
void parquet_leaf_reader_release(struct parquet_leaf_reader *l);
/* Go to the next page with entries when the current one is used up. TSF_END after the last. */
enum tsf_err parquet_leaf_page(struct parquet_leaf_reader *l, struct tsf_error *err);
/* Make the current page's values readable, and catch up with what was skipped. */
enum tsf_err parquet_leaf_load(struct parquet_leaf_reader *l, struct tsf_error *err);
/* Flat leaves: pass over n entries of the current page. */
void parquet_leaf_pass(struct parquet_leaf_reader *l, int64_t n);
enum tsf_err parquet_leaf_dictionary(struct parquet_leaf_reader *l, struct tsf_error *err);
/* At least n bytes of scratch; what was there is lost. */
enum tsf_err parquet_leaf_scratch(struct parquet_leaf_reader *l, size_t n, void **out, struct tsf_error *err);
/*
 * The next n dense values of a loaded page, converted, to dst; dictionary pages are looked up. idx: only those of the
 * next n (k of them). Borrowed bytes that are not in a page go to the arena.
 */
enum tsf_err parquet_leaf_read(struct parquet_leaf_reader *l, int64_t n, const uint32_t *idx, int64_t k, void *dst,
                                 struct tsf_arena *a, struct tsf_error *err);
/* Dictionary pages: codes instead, checked. */
enum tsf_err parquet_leaf_codes(struct parquet_leaf_reader *l, int64_t n, const uint32_t *idx, int64_t k, int32_t *dst,
                                struct tsf_error *err);
/* Buffers that views point to may be used again. */
void parquet_leaf_recycle(struct parquet_leaf_reader *l);
/* values[i] = dictionary value of code i of codes. */
void parquet_lookup(const struct tsf_vector *dict, const int32_t *codes, int64_t n, void *values);

/* ---- columns ----------------------------------------------------------------------------------------------------------- */

struct parquet_column {
    const struct parquet_file *file;
    struct tsf_arena arena;
    struct parquet_plan plan;
    bool flat, no_dictionary;
    int64_t left;                 /* rows */
    int n_leaves;
    struct parquet_leaf_reader *leaves; /* in the order of the plan */
    struct parquet_levels *levels;      /* nested: per leaf, what the current read gathered */
};
/* parquet_nested.c; these count c->left down themselves */
enum tsf_err parquet_nested_read(struct parquet_column *c, int64_t n, struct tsf_arena *a, struct tsf_vector *out,
                                 struct tsf_error *err);
enum tsf_err parquet_nested_skip(struct parquet_column *c, int64_t n, struct tsf_error *err);
void parquet_nested_release(struct parquet_column *c);

#endif
