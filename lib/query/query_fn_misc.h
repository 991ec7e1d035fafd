#ifndef TSF_QUERY_FN_MISC_H
#define TSF_QUERY_FN_MISC_H
/* Scalar functions over the sketches of query_agg_sketch.c, for the table in query_fn_misc.c. */
#include "query/query_internal.h"

query_kernel query_sketch_percentile, query_sketch_count;

#endif
