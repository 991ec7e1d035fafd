#ifndef TSF_QUERY_TYPE_INTERNAL_H
#define TSF_QUERY_TYPE_INTERNAL_H
/* What query_type.c and query_type_resolve.c share. */
#include "query/query_internal.h"

bool query_type_is_unknown(const struct tsf_type *t); /* a literal not yet typed, or NULL */
bool query_type_is_numeric(const struct tsf_type *t);
/* PostgreSQL's category letters: B, N, S, D(ate and time), T(imespan), A(rray), U(ser), X (unknown). */
char query_type_category(const struct tsf_type *t);
bool query_type_is_preferred(const struct tsf_type *t);
/* The decimal that holds all values of an integer type; numeric(38,16) for floating point. */
const struct tsf_type *query_type_decimal_of(const struct tsf_type *t);
/* Of two numeric types. arithmetic: real beside another type becomes double precision, as operators do. */
const struct tsf_type *query_type_promote(const struct tsf_type *a, const struct tsf_type *b, bool arithmetic);
/* NULL when there is none. */
const struct tsf_type *query_type_common(const struct tsf_type *a, const struct tsf_type *b, bool arithmetic);

#endif
