#ifndef TSF_PARQUET_H
#define TSF_PARQUET_H
/*
 * parquet: Parquet files, read into vectors and written from batches.
 *
 *   parquet_thrift.c    Thrift compact protocol, reading and writing
 *   parquet_meta*.c     footer (row groups, schema) and page headers: bytes -> the structs below
 *   parquet_schema.c    Parquet schema tree <-> tsf_schema, logical and converted types
 *   parquet_codec.c     zstd, snappy, gzip, lz4_raw, none; brotli and Hadoop's lz4 on reading
 *   parquet_crc.c       page checksums
 *   parquet_rle.c       decoder of the RLE / bit-packed hybrid
 *   parquet_delta.c     decoder of DELTA_BINARY_PACKED
 *   parquet_encoding.c  values of a page in every encoding
 *   parquet_unpack*.c   bit unpacking kernels
 *   parquet_convert.c   physical values -> tsf types
 *   parquet_page.c      column chunk: pages, dictionary, skipping
 *   parquet_column.c    columns: flat vectors, selections
 *   parquet_nested.c    lists, maps and structs from levels
 *   parquet_stats.c     statistics: reading (trust rules), merging, truncation
 *   parquet_bloom.c     split-block bloom filters
 *   parquet_encode.c    a column chunk: choice of encoding, dictionary pages, fixed-width pages
 *   parquet_encode_append.c  rows into leaves
 *   parquet_encode_levels.c  definition and repetition levels of nested columns
 *   parquet_encode_raw.c     pages of strings without a dictionary
 *   parquet_encode_page.c    page layout, compression, index entries
 *   parquet_encode_dict.c    dictionaries
 *   parquet_encode_bits.c    RLE / bit-packed, DELTA_BINARY_PACKED, BYTE_STREAM_SPLIT
 *   parquet_encode_stats.c   ranges and their bytes, cut to 64
 *   parquet_writer.c    files: row groups, pages, index, footer
 *   parquet_writer_schema.c  tsf_schema -> schema elements
 *   parquet_writer_meta.c    page index and footer
 *
 * Spec: parquet-format (thrift definitions, Encodings.md, LogicalTypes.md, PageIndex.md, BloomFilter.md).
 * Threads: a parquet_file is immutable once open and may be shared; a parquet_column belongs to one thread;
 * a parquet_writer belongs to one thread and uses the pool inside.
 */
#include "column/column.h"

/* ---- metadata ------------------------------------------------------------------------------------ */

enum parquet_physical {
    PARQUET_BOOLEAN, PARQUET_INT32, PARQUET_INT64, PARQUET_INT96, PARQUET_FLOAT, PARQUET_DOUBLE,
    PARQUET_BYTE_ARRAY, PARQUET_FIXED_LEN_BYTE_ARRAY,
};
enum parquet_encoding {
    PARQUET_PLAIN = 0, PARQUET_PLAIN_DICTIONARY = 2, PARQUET_RLE = 3, PARQUET_BIT_PACKED = 4,
    PARQUET_DELTA_BINARY_PACKED = 5, PARQUET_DELTA_LENGTH_BYTE_ARRAY = 6, PARQUET_DELTA_BYTE_ARRAY = 7,
    PARQUET_RLE_DICTIONARY = 8, PARQUET_BYTE_STREAM_SPLIT = 9,
};
enum parquet_codec {
    PARQUET_UNCOMPRESSED = 0, PARQUET_SNAPPY = 1, PARQUET_GZIP = 2, PARQUET_LZO = 3, PARQUET_BROTLI = 4,
    PARQUET_LZ4 = 5, PARQUET_ZSTD = 6, PARQUET_LZ4_RAW = 7,
};
const char *parquet_codec_name(int codec);       /* "ZSTD"; "codec 42" unknown ones as "?" */
const char *parquet_encoding_name(int encoding);
const char *parquet_physical_name(int physical);

/* What the values of a leaf mean; the Delta-like type is in tsf_type, this keeps what that cannot say. */
enum parquet_logical {
    PARQUET_LOGICAL_NONE, PARQUET_LOGICAL_STRING, PARQUET_LOGICAL_ENUM, PARQUET_LOGICAL_JSON, PARQUET_LOGICAL_BSON,
    PARQUET_LOGICAL_UUID, PARQUET_LOGICAL_DECIMAL, PARQUET_LOGICAL_DATE, PARQUET_LOGICAL_TIME,
    PARQUET_LOGICAL_TIMESTAMP, PARQUET_LOGICAL_INT, PARQUET_LOGICAL_FLOAT16, PARQUET_LOGICAL_INTERVAL,
    PARQUET_LOGICAL_UNKNOWN_NULL, PARQUET_LOGICAL_LIST, PARQUET_LOGICAL_MAP, PARQUET_LOGICAL_OTHER,
};
enum parquet_unit { PARQUET_MILLIS, PARQUET_MICROS, PARQUET_NANOS };

/* One node of the schema tree, depth first; node 0 is the root. */
struct parquet_node {
    struct tsf_str name;
    int parent, n_children, first_child; /* node numbers; children follow in order but not adjacent: use next_sibling */
    int next_sibling;                    /* -1 last */
    int8_t repetition;                   /* 0 required, 1 optional, 2 repeated */
    int8_t physical;                     /* -1 for groups */
    int8_t logical, unit;                /* enum parquet_logical, parquet_unit */
    int8_t int_bits;                     /* LOGICAL_INT: 8..64 */
    bool int_signed, utc;                /* LOGICAL_INT; TIME, TIMESTAMP */
    int32_t type_length, precision, scale, field_id; /* field_id -1: none */
    int16_t max_def, max_rep;
    int32_t leaf;                        /* number of the leaf column, -1 for groups */
};

/* min and max as stored; missing = data NULL. Use parquet_stats_range for values that may be trusted. */
struct parquet_stats {
    struct tsf_str min, max;
    int64_t null_count, distinct_count; /* -1 unknown */
    int64_t nan_count;                  /* floats; -1 unknown */
    bool min_exact, max_exact;          /* false also when not said */
    bool min_cut, max_cut;              /* said not to be exact */
    bool deprecated;                    /* came from the old min/max fields: signed compare */
};

struct parquet_chunk {
    int32_t leaf;
    int8_t physical;
    int16_t codec;
    uint32_t encodings;                 /* bit per enum parquet_encoding */
    int64_t n_values;                   /* level entries */
    int64_t uncompressed_size, compressed_size;
    int64_t data_page_offset, dictionary_page_offset; /* dictionary -1: none */
    int64_t start, length;              /* byte range of the whole chunk in the file */
    int64_t column_index_offset, offset_index_offset, bloom_offset; /* -1: none */
    int32_t column_index_length, offset_index_length, bloom_length; /* bloom_length -1: not said */
    bool dictionary_only;               /* all data pages are dictionary-coded, as far as the metadata tells */
    struct parquet_stats stats;
};

struct parquet_row_group {
    int64_t n_rows, first_row;          /* first_row: number of the first row in the file */
    int64_t total_byte_size;
    struct parquet_chunk *chunks;       /* one per leaf */
};

struct parquet_sorting {
    int32_t leaf;
    bool descending, nulls_first;
};

struct parquet_meta {
    int64_t n_rows;
    int n_nodes, n_leaves, n_row_groups, n_sorting;
    struct parquet_node *nodes;
    int32_t *leaf_nodes;                /* node number of each leaf */
    struct parquet_row_group *row_groups;
    struct parquet_sorting *sorting;    /* of the first row group; all agree or n_sorting = 0 */
    int8_t *column_orders;              /* per leaf: 1 TypeDefinedOrder, 0 unknown */
    struct tsf_str created_by;
    int n_key_values;
    struct tsf_str *keys, *values;
};

/*
 * Parse footer bytes (the Thrift structure without length and magic). Everything lives in the arena and borrows from
 * p, which must live as long. Sizes and offsets are checked against file_size.
 */
enum tsf_err parquet_meta_parse(const void *p, size_t n, int64_t file_size, struct tsf_arena *a,
                                struct parquet_meta *out, struct tsf_error *err);
/* Read the footer of a file. footer_length > 0 (from an add action's tag) makes it one exact read. raw_out: the bytes. */
enum tsf_err parquet_footer_read(const struct tsf_source *src, int64_t footer_length, struct tsf_arena *a,
                                 struct tsf_str *raw_out, struct tsf_error *err);

/* ---- reading ---------------------------------------------------------------------------------------- */

struct parquet_file {
    const struct tsf_source *src; /* borrowed */
    const struct parquet_meta *meta;
    struct tsf_schema schema;     /* top-level fields as tsf types */
    int32_t *field_nodes;         /* node of each top-level field */
    struct tsf_arena arena;
};
/* meta NULL: read and parse the footer; else borrowed (the cached footer). */
enum tsf_err parquet_file_open(struct parquet_file *f, const struct tsf_source *src, const struct parquet_meta *meta,
                               struct tsf_error *err);
void parquet_file_release(struct parquet_file *f);

/* Reader of one top-level column within one row group, front to back. */
struct parquet_column;
struct parquet_column_options {
    bool no_dictionary;   /* always FLAT output; default gives DICTIONARY vectors while pages are dictionary-coded */
    bool no_crc;          /* do not verify page checksums */
    const struct tsf_type *as; /* wanted type (widening: int32 -> int64, ms -> us ...); NULL = the file's own */
};
enum tsf_err parquet_column_open(const struct parquet_file *f, int row_group, int field,
                                 const struct parquet_column_options *opts, struct parquet_column **out,
                                 struct tsf_error *err);
void parquet_column_close(struct parquet_column *c);
/* Rows not yet read or skipped. */
int64_t parquet_column_left(const struct parquet_column *c);
/*
 * Decode the next n rows (all at once, n <= left). Output lives in the arena or borrows from the column (dictionary,
 * page bytes) until parquet_column_close. One call may span pages; when some are dictionary-coded and some are not
 * the result is FLAT.
 */
enum tsf_err parquet_column_read(struct parquet_column *c, int64_t n, struct tsf_arena *a, struct tsf_vector *out,
                                 struct tsf_error *err);
/*
 * All vectors read so far are dead: buffers they borrowed (string bytes of pages; not the dictionary) may go. For long
 * scans with bounded memory.
 */
void parquet_column_recycle(struct parquet_column *c);
/* Pass over n rows; whole pages are not even decompressed (offset index when present). */
enum tsf_err parquet_column_skip(struct parquet_column *c, int64_t n, struct tsf_error *err);
/*
 * Of the next n rows decode only sel[0..n_sel) (ascending, < n); the result has n_sel rows. Late materialization:
 * pages without a selected row are not decompressed.
 */
enum tsf_err parquet_column_read_sel(struct parquet_column *c, int64_t n, const uint32_t *sel, int64_t n_sel,
                                     struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err);
/* The chunk's dictionary when its pages are all dictionary-coded so far as metadata tells; NULL else. For pruning. */
enum tsf_err parquet_column_dictionary(struct parquet_column *c, const struct tsf_vector **dict_out, struct tsf_error *err);

/* ---- pruning ------------------------------------------------------------------------------------------- */

/* Bounds that the specification lets a reader trust: a NULL flag means unknown on that side. */
struct parquet_range {
    bool has_min, has_max;         /* bounds, maybe not attained (truncated) */
    bool min_exact, max_exact;     /* attained by a row */
    struct tsf_value min, max;     /* as the column's tsf_type; strings borrow */
    int64_t null_count, n_values;  /* -1 unknown; n_values counts rows with nulls for flat columns */
};
/* Statistics of a flat top-level column in a row group. */
enum tsf_err parquet_chunk_range(const struct parquet_file *f, int row_group, int field, struct parquet_range *out,
                                 struct tsf_error *err);
/* Page index of a flat column. n_pages 0 when the file has none. */
struct parquet_page_index {
    int n_pages;
    int64_t *first_row;            /* within the row group, n_pages + 1 entries */
    int64_t *offset;               /* file offset of the page header */
    int32_t *size;                 /* compressed, with header */
    struct parquet_range *ranges;  /* NULL when there is no column index */
    bool *all_null;
};
enum tsf_err parquet_page_index_read(const struct parquet_file *f, int row_group, int field, struct tsf_arena *a,
                                     struct parquet_page_index *out, struct tsf_error *err);
/* May the column chunk hold this (non-null) value? true also when there is no filter. */
enum tsf_err parquet_bloom_check(const struct parquet_file *f, int row_group, int field, const struct tsf_value *v,
                                 bool *maybe_out, struct tsf_error *err);

/* ---- writing ---------------------------------------------------------------------------------------------- */

enum parquet_bloom_want { PARQUET_BLOOM_NONE, PARQUET_BLOOM_YES };
struct parquet_writer_options {
    int zstd_level;                /* 0 = 3 */
    bool uncompressed;
    int64_t row_group_rows;        /* 0 = 1 Mi */
    int64_t row_group_bytes;       /* 0 = 128 MiB encoded, estimated */
    int32_t page_rows;             /* 0 = 20,000 */
    const uint8_t *bloom;          /* per top-level field, enum parquet_bloom_want; NULL = none */
    const struct parquet_sorting *sorting; /* leaf = top-level field number; rows already are in this order */
    int n_sorting;
    struct tsf_pool *pool;         /* NULL = encode in the caller */
    int n_key_values;
    const char *const *keys, *const *values;
    bool page_v2;                  /* data pages v2 */
    bool no_stats;                 /* tests */
    int force_encoding;            /* 0 = choose; else 1 + enum parquet_encoding where the type allows it (tests) */
    int force_codec;               /* 0 = choose; else 1 + enum parquet_codec (tests) */
};
/* Per top-level flat field, over the whole file; what Delta's add.stats wants. Lives in the writer until free. */
struct parquet_field_stats {
    int64_t null_count;
    bool has_range;                /* false: all null, nested, NaN seen (floats), or binary */
    struct tsf_value min, max;     /* exact values; long strings are whole here, callers truncate */
};
struct parquet_file_info {
    int64_t size, n_rows;
    int64_t footer_offset, footer_length; /* Thrift bytes, without the 8 trailing bytes */
    int n_fields;
    const struct parquet_field_stats *stats;
    struct tsf_str footer;                /* raw footer bytes, for the cache */
};
struct parquet_writer;
/* Writes through sink from offset 0; the sink's owner publishes or aborts. The schema is copied. */
enum tsf_err parquet_writer_new(const struct tsf_sink *sink, const struct tsf_schema *schema,
                                const struct parquet_writer_options *opts, struct parquet_writer **out,
                                struct tsf_error *err);
/* Rows sel or all; the batch may go after the call. Any shape. */
enum tsf_err parquet_writer_write(struct parquet_writer *w, const struct tsf_batch *b, struct tsf_error *err);
/* Encoded and buffered bytes so far (to decide when to roll to the next file). */
int64_t parquet_writer_size(const struct parquet_writer *w);
/* Write what is buffered and the footer. *info borrows from the writer. */
enum tsf_err parquet_writer_finish(struct parquet_writer *w, struct parquet_file_info *info, struct tsf_error *err);
void parquet_writer_free(struct parquet_writer *w);

#endif
