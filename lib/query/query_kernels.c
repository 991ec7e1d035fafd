/* The baseline build of the array loops, and the choice between builds. */
#define KERNELS query_kernels_base
#include "query/query_kernels_template.h"

const struct query_kernels *query_kernels(void)
{
#if defined(__x86_64__)
    if (tsf_simd_level() >= TSF_SIMD_AVX2)
        return &query_kernels_avx2;
#endif
    return &query_kernels_base;
}

int query_num_of(const struct tsf_type *t)
{
    switch (t->id) {
    case TSF_TYPE_BOOL: return QUERY_U8;
    case TSF_TYPE_INT8: return QUERY_I8;
    case TSF_TYPE_INT16: return QUERY_I16;
    case TSF_TYPE_INT32:
    case TSF_TYPE_DATE: return QUERY_I32;
    case TSF_TYPE_INT64:
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ:
    case TSF_TYPE_TIME: return QUERY_I64;
    case TSF_TYPE_FLOAT: return QUERY_F32;
    case TSF_TYPE_DOUBLE: return QUERY_F64;
    default: return -1;
    }
}
