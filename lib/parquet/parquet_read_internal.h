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

/* ---- page headers (parquet_meta.c) -------------------------------------------------------------------- */

enum parquet_page_type { PARQUET_PAGE_DATA, PARQUET_PAGE_INDEX, PARQUET_PAGE_DICTIONARY, PARQUET_PAGE_DATA_V2 };

struct parquet_page_header {
    int32_t type, compressed_size, uncompressed_size;
    uint32_t crc;
    bool has_crc, has_header, is_compressed;
    int32_t n_values, encoding;         /* data and dictionary pages */
    int32_t def_encoding, rep_encoding; /* v1 */
    int32_t n_nulls, n_rows, def_length, rep_length; /* v2; -1 elsewhere */
};
/* used_out: bytes of the header itself. */
enum tsf_err parquet_page_header_parse(const void *p, size_t n, struct parquet_page_header *out, size_t *used_out,
                                       struct tsf_error *err);

#endif
