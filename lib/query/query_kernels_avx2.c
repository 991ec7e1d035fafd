/* The array loops for AVX2 machines; the same text as the baseline. */
#define KERNELS query_kernels_avx2
#include "query/query_kernels_template.h"
