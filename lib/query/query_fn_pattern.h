#ifndef TSF_QUERY_FN_PATTERN_H
#define TSF_QUERY_FN_PATTERN_H
/* Kernels of query_fn_like.c, for the table in query_fn_pattern.c. */
#include "query/query_internal.h"

query_kernel query_like, query_ilike, query_like_escape;

#endif
