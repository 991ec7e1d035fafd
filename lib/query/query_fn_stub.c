#include "query/query_fn_internal.h"
const struct query_function query_fn_time[] = { { 0 } };
const struct query_function query_fn_json[] = { { 0 } };
const struct query_function query_fn_array[] = { { 0 } };
const struct query_function query_fn_text[] = { { 0 } };
