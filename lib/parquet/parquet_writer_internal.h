#ifndef TSF_PARQUET_WRITER_INTERNAL_H
#define TSF_PARQUET_WRITER_INTERNAL_H
/*
 * Private to parquet_writer*.c: what is remembered of written row groups until the footer.
 *
 *   "PAR1" | row groups: column chunks (dictionary page, data pages), then their bloom filters | column and offset
 *   indexes of all chunks | footer | le32 footer length | "PAR1"
 */
#include "parquet/parquet_encode_internal.h"

struct parquet_chunk_out {
    int codec;
    uint32_t encodings;
    int page_encoding;
    int64_t n_dict_pages, n_other_pages;
    int64_t n_values, uncompressed_size, compressed_size;
    int64_t dictionary_offset, data_offset; /* dictionary -1: none */
    int64_t n_nulls, distinct;
    bool has_min, has_max, min_exact, max_exact;
    uint8_t min_len, max_len;
    uint8_t min[PARQUET_STAT_MAX], max[PARQUET_STAT_MAX];
    int64_t bloom_offset;                   /* -1: none */
    int32_t bloom_length;
    int64_t column_index, offset_index;     /* place in writer->index; column_index -1: none */
    int32_t column_index_length, offset_index_length;
};

struct parquet_group_out {
    int64_t offset, n_rows, uncompressed_size, compressed_size;
    struct parquet_chunk_out *chunks;
};

struct parquet_writer {
    struct tsf_sink sink;
    struct tsf_arena arena;           /* schema, options, chunks */
    struct tsf_schema schema;
    struct parquet_encode_config cfg;
    int64_t group_rows, group_bytes;
    struct tsf_pool *pool;
    struct parquet_sorting *sorting;  /* leaf = leaf number */
    int n_sorting, n_key_values;
    const char **keys, **values;

    int n_leaves;
    struct parquet_leaf *leaves;
    int32_t *order;                   /* leaves, most costly first */
    int n_scratch;
    struct parquet_scratch *scratch;

    int64_t offset, n_rows, rows;     /* written bytes; rows in all and in the open row group */
    struct parquet_group_out *groups;
    size_t n_groups, groups_cap;
    struct tsf_buf index;             /* column and offset indexes so far */
    struct parquet_field_stats *stats;
    struct parquet_minmax *ranges;    /* per field, over the file; strings in range_bytes */
    struct tsf_buf *range_bytes;      /* per field: min, max */
    struct tsf_buf footer;
    enum tsf_err failed;              /* nothing more is written after an error */
    bool finished;
};

/* parquet_writer_schema.c: how a primitive type is stored. False: it is not (intervals). */
bool parquet_leaf_type(const struct tsf_type *t, struct parquet_leaf *l);
/* Leaves of the schema, depth first; w->schema is set. */
enum tsf_err parquet_writer_leaves(struct parquet_writer *w, struct tsf_error *err);
/* The schema list of the footer (field 2 of FileMetaData). */
void parquet_writer_put_schema(const struct parquet_writer *w, struct parquet_twrite *tw);

/* parquet_writer_meta.c */
enum tsf_err parquet_writer_put_index(struct parquet_writer *w, const struct parquet_leaf *l, int64_t pages_offset,
                                      struct parquet_chunk_out *c, struct tsf_error *err);
/* Footer into w->footer. index_offset: where w->index went. */
enum tsf_err parquet_writer_put_footer(struct parquet_writer *w, int64_t index_offset, struct tsf_error *err);

#endif
