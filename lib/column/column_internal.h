#ifndef TSF_COLUMN_INTERNAL_H
#define TSF_COLUMN_INTERNAL_H
/* Shared by the files of lib/column and their tests only. */
#include "column/column.h"

/*
 * Batches as bytes: written by column_codec.c, read by column_decode.c. All numbers little-endian; varint is LEB128.
 *
 *   u8 version (1)   varint columns   varint rows (<= CODEC_ROWS_MAX)   columns...
 *   column: type, vector
 *   type:   u8 tsf_type_id; DECIMAL: u8 precision, u8 scale; STRING: u8 is_json; LIST: u8 nullable, type;
 *           MAP: type (key), u8 nullable, type (value); STRUCT: varint fields, then each: varint n, name, u8 nullable, type
 *   vector: u8 tag; with CODEC_NULLS set: (rows + 7) / 8 bytes of validity, bit i of byte i / 8; then by tag
 *
 *   CODEC_NONE    -                                    all rows NULL
 *   CODEC_CONST   one value, raw; strings: varint n, bytes
 *   CODEC_PLAIN   rows * width bytes                   floats, wide decimals, UUIDs
 *   CODEC_BITS    (rows + 7) / 8 bytes                 booleans
 *   CODEC_FOR     i64 min, u8 w, rows * w bytes        value = min + delta; integers and narrow decimals
 *   CODEC_DELTA   i64 first, i64 min, u8 w, (rows - 1) * w bytes: value = previous + min + delta
 *   CODEC_STRINGS varint bytes, u8 w, rows * w lengths, bytes
 *   CODEC_DICT    varint entries, u8 w, rows * w codes, entries as the body of CODEC_STRINGS
 *   CODEC_LIST    u8 w, rows * w lengths, then per child one vector of as many rows as the lengths sum up to
 *   CODEC_STRUCT  per child one vector
 *
 * w is 1, 2, 4 or 8. What stands under a NULL row does not matter; the reader makes it zero.
 */
#define CODEC_VERSION 1
#define CODEC_ROWS_MAX (1 << 26)
#define CODEC_DEPTH_MAX 32
#define CODEC_NULLS 0x80
enum {
    CODEC_NONE,
    CODEC_CONST,
    CODEC_PLAIN,
    CODEC_BITS,
    CODEC_FOR,
    CODEC_DELTA,
    CODEC_STRINGS,
    CODEC_DICT,
    CODEC_LIST,
    CODEC_STRUCT,
};

/* Types whose values CODEC_FOR and CODEC_DELTA hold. */
static inline bool codec_is_integer(enum tsf_type_id id)
{
    return (id >= TSF_TYPE_INT8 && id <= TSF_TYPE_INT64) || id == TSF_TYPE_DATE || id == TSF_TYPE_TIMESTAMP ||
           id == TSF_TYPE_TIMESTAMP_NTZ || id == TSF_TYPE_TIME || id == TSF_TYPE_DECIMAL;
}

/* ---- column_radix.c -------------------------------------------------------------------------------------------- */

/* A sort key with the position it came from. */
struct tsf_keyed {
    uint64_t key;
    uint32_t pos;
};
/*
 * Stable sorts of a[0..n) by its key: bits [low, low + bits) of a word; tmp has room for n. The result is in a.
 * Words are compared whole when runs of several threads are merged, so bits below low must ascend with the place.
 */
enum tsf_err tsf_radix_words(uint64_t *a, uint64_t *tmp, int64_t n, int low, int bits, struct tsf_pool *pool, struct tsf_error *err);
enum tsf_err tsf_radix_keyed(struct tsf_keyed *a, struct tsf_keyed *tmp, int64_t n, int bits, struct tsf_pool *pool,
                             struct tsf_error *err);

#endif
