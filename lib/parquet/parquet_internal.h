#ifndef TSF_PARQUET_INTERNAL_H
#define TSF_PARQUET_INTERNAL_H
/*
 * Private to lib/parquet and its tests: what the reading and the writing half share.
 */
#include "parquet/parquet.h"

/* ---- Thrift compact protocol (parquet_thrift.c) ---------------------------------------------------- */

enum parquet_ttype {
    PARQUET_T_STOP = 0, PARQUET_T_TRUE = 1, PARQUET_T_FALSE = 2, PARQUET_T_BYTE = 3, PARQUET_T_I16 = 4,
    PARQUET_T_I32 = 5, PARQUET_T_I64 = 6, PARQUET_T_DOUBLE = 7, PARQUET_T_BINARY = 8, PARQUET_T_LIST = 9,
    PARQUET_T_SET = 10, PARQUET_T_MAP = 11, PARQUET_T_STRUCT = 12, PARQUET_T_UUID = 13,
};
#define PARQUET_THRIFT_DEPTH 32

/*
 * Reader over borrowed bytes. Failure is sticky: after the first bad byte every call returns zero, fields end, and
 * parquet_tread_check says where it was. So callers read a whole structure and check once.
 */
struct parquet_tread {
    const uint8_t *base, *p, *end;
    const char *what; /* first failure; NULL = fine */
    int64_t at;       /* its offset */
    int depth;
};
void parquet_tread_init(struct parquet_tread *r, const void *p, size_t n);
void parquet_tread_fail(struct parquet_tread *r, const char *what);
enum tsf_err parquet_tread_check(const struct parquet_tread *r, const char *thing, struct tsf_error *err);
/*
 * Fields of a structure: *id = 0 before the first; true while there is one. Its value must be read or skipped (a bool
 * is all in the type).
 *     int16_t id = 0; int type;
 *     while (parquet_tread_field(r, &id, &type)) switch (id) { case 1: x = parquet_tread_i32(r, type); ... }
 * The typed readers take the wire type and fail when it is another one, except that integers of all widths are alike.
 */
bool parquet_tread_field(struct parquet_tread *r, int16_t *id, int *type);
bool parquet_tread_bool(struct parquet_tread *r, int type);
int64_t parquet_tread_i64(struct parquet_tread *r, int type);
int32_t parquet_tread_i32(struct parquet_tread *r, int type); /* fails when it does not fit */
struct tsf_str parquet_tread_binary(struct parquet_tread *r, int type);
/* Number of elements (0 on failure); never more than bytes remain. An element that is a bool takes one byte. */
uint32_t parquet_tread_list(struct parquet_tread *r, int type, int *elem_type);
bool parquet_tread_elem_bool(struct parquet_tread *r, int elem_type);
/* True when type is a structure; counts depth. After its fields ended the depth is counted down by field(). */
bool parquet_tread_struct(struct parquet_tread *r, int type);
void parquet_tread_skip(struct parquet_tread *r, int type);

/*
 * Writer into a buffer. Errors are sticky in rc. Nesting is tracked inside, to PARQUET_THRIFT_DEPTH.
 *     parquet_twrite_begin(w);  fields ascending  parquet_twrite_end(w);
 * A list of structures: parquet_twrite_list(w, id, PARQUET_T_STRUCT, n), then n times begin..end.
 */
struct parquet_twrite {
    struct tsf_buf *out;
    struct tsf_error *err;
    enum tsf_err rc;
    int depth;
    int16_t last[PARQUET_THRIFT_DEPTH];
};
void parquet_twrite_init(struct parquet_twrite *w, struct tsf_buf *out, struct tsf_error *err);
void parquet_twrite_begin(struct parquet_twrite *w);  /* top level or list element */
void parquet_twrite_end(struct parquet_twrite *w);
void parquet_twrite_struct(struct parquet_twrite *w, int16_t id); /* a field that is a structure; then end() */
void parquet_twrite_bool(struct parquet_twrite *w, int16_t id, bool v);
void parquet_twrite_byte(struct parquet_twrite *w, int16_t id, int8_t v);
void parquet_twrite_i16(struct parquet_twrite *w, int16_t id, int16_t v);
void parquet_twrite_i32(struct parquet_twrite *w, int16_t id, int32_t v);
void parquet_twrite_i64(struct parquet_twrite *w, int16_t id, int64_t v);
void parquet_twrite_binary(struct parquet_twrite *w, int16_t id, const void *p, size_t n);
void parquet_twrite_list(struct parquet_twrite *w, int16_t id, int elem_type, uint32_t n);
/* Bare list elements. */
void parquet_twrite_elem_bool(struct parquet_twrite *w, bool v);
void parquet_twrite_elem_int(struct parquet_twrite *w, int64_t v); /* i16, i32, i64 */
void parquet_twrite_elem_binary(struct parquet_twrite *w, const void *p, size_t n);

/* ---- codecs (parquet_codec.c) ----------------------------------------------------------------------- */

/* Contexts kept between pages; belongs to one thread. A zeroed one is valid. */
struct parquet_codec_state {
    void *zstd_d, *zstd_c;
    int zstd_level;
};
void parquet_codec_release(struct parquet_codec_state *s);
/* dst[0..dst_n) must come out exactly full, else TSF_ERR_FORMAT. */
enum tsf_err parquet_decompress(struct parquet_codec_state *s, int codec, const void *src, size_t src_n, void *dst,
                                size_t dst_n, struct tsf_error *err);
/* Before dst_n bytes are allocated: can src decompress to that much at all? */
enum tsf_err parquet_codec_plausible(int codec, const void *src, size_t src_n, size_t dst_n, struct tsf_error *err);
/* Appends to out. zstd, snappy, gzip, lz4_raw, uncompressed; level 0 = the codec's default. */
enum tsf_err parquet_compress(struct parquet_codec_state *s, int codec, int level, const void *src, size_t n,
                              struct tsf_buf *out, struct tsf_error *err);
/* parquet_crc.c: the checksum that page headers have */
uint32_t parquet_crc32(const void *p, size_t n);

/* ---- split-block bloom filters (parquet_bloom.c) ------------------------------------------------------ */

#define PARQUET_BLOOM_MAX (128 << 20)
/* Bytes (a power of two, at least 32) for n distinct values at this false positive rate. */
size_t parquet_bloom_size(int64_t n_distinct, double fpp);
uint64_t parquet_bloom_hash(const void *plain, size_t n); /* XXH64, seed 0, of the PLAIN bytes without a length */
size_t parquet_bloom_block(size_t n_bytes, uint64_t hash); /* offset of the hash's block of 32 bytes */
void parquet_bloom_insert(uint8_t *bits, size_t n_bytes, uint64_t hash);
bool parquet_bloom_test(const uint8_t *bits, size_t n_bytes, uint64_t hash);
/* Header and bits, as they stand in the file. */
enum tsf_err parquet_bloom_write(const uint8_t *bits, size_t n_bytes, struct tsf_buf *out, struct tsf_error *err);

#endif
