#ifndef TSF_QUERY_KERNELS_H
#define TSF_QUERY_KERNELS_H
/*
 * Loops over plain arrays, compiled once for the baseline and once for AVX2 (query_kernels_template.h), picked at run time.
 */
#include "column/column.h"

enum query_cmp { QUERY_CMP_EQ, QUERY_CMP_NE, QUERY_CMP_LT, QUERY_CMP_LE, QUERY_CMP_GT, QUERY_CMP_GE, QUERY_CMP_COUNT };
enum query_num { QUERY_I8, QUERY_I16, QUERY_I32, QUERY_I64, QUERY_F32, QUERY_F64, QUERY_U8, QUERY_NUM_COUNT };

/* bits of a mask past n are left 0 by the mask functions. */
typedef void query_cmp_mask_fn(const void *v, const void *c, int64_t n, uint64_t *bits); /* bits = v[i] op c */
typedef void query_cmp_bytes_fn(const void *a, const void *b, int64_t n, uint8_t *out);

struct query_kernels {
    query_cmp_mask_fn *cmp_mask[QUERY_NUM_COUNT][QUERY_CMP_COUNT];   /* array with one value */
    query_cmp_bytes_fn *cmp_const[QUERY_NUM_COUNT][QUERY_CMP_COUNT]; /* array with one value */
    query_cmp_bytes_fn *cmp_array[QUERY_NUM_COUNT][QUERY_CMP_COUNT]; /* array with array */
    void (*bytes_mask)(const uint8_t *b, int64_t n, uint64_t *bits); /* b[i] != 0 */
    void (*view_eq_mask)(const struct tsf_sview *v, const struct tsf_sview *c, int64_t n, uint64_t *bits);
    void (*table_mask)(const uint8_t *table, const int32_t *codes, int64_t n, uint64_t *bits);
    void (*table_bytes)(const uint8_t *table, const int32_t *codes, int64_t n, uint8_t *out);
    int64_t (*mask_sel)(const uint64_t *bits, int64_t n, uint32_t *sel); /* positions of the set bits; sel has room for n */
    bool (*map_codes)(const uint32_t *map, const int32_t *codes, const uint64_t *valid, int64_t n, uint32_t *ids);
    const char *(*find)(const char *s, size_t len, const char *x, size_t n); /* first place, NULL: none */
    bool (*contains)(const char *s, size_t len, const char *x, size_t n);
    /* r = a op b with b an array or (step 0) one value; false when some row overflows (r is then wrapped). */
    bool (*add_i64)(const int64_t *a, int64_t sa, const int64_t *b, int64_t sb, int64_t n, int64_t *r);
    bool (*sub_i64)(const int64_t *a, int64_t sa, const int64_t *b, int64_t sb, int64_t n, int64_t *r);
    bool (*add_i32)(const int32_t *a, int64_t sa, const int32_t *b, int64_t sb, int64_t n, int32_t *r);
    bool (*sub_i32)(const int32_t *a, int64_t sa, const int32_t *b, int64_t sb, int64_t n, int32_t *r);
    /* false when a result is not finite, or zero for no good reason. */
    bool (*add_f64)(const double *a, int64_t sa, const double *b, int64_t sb, int64_t n, double *r);
    bool (*sub_f64)(const double *a, int64_t sa, const double *b, int64_t sb, int64_t n, double *r);
    bool (*mul_f64)(const double *a, int64_t sa, const double *b, int64_t sb, int64_t n, double *r);
    /* Whole arrays without nulls. Sums of integers are exact. */
    tsf_int128 (*sum_i64)(const int64_t *v, int64_t n);
    int64_t (*sum_i32)(const int32_t *v, int64_t n);
    double (*sum_f64)(const double *v, int64_t n);
    void (*minmax_i64)(const int64_t *v, int64_t n, int64_t *min, int64_t *max); /* n > 0 */
    void (*minmax_i32)(const int32_t *v, int64_t n, int32_t *min, int32_t *max);
    /* floor(v / width) * width, for width > 0 */
    void (*floor_i64)(const int64_t *v, int64_t n, int64_t offset, int64_t width, int64_t *r);
};
extern const struct query_kernels query_kernels_base, query_kernels_avx2;
const struct query_kernels *query_kernels(void);
/* Which array type a column type compares as; -1 for decimals, strings, lists, ... */
int query_num_of(const struct tsf_type *t);

#endif
