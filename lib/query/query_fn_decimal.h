#ifndef TSF_QUERY_FN_DECIMAL_H
#define TSF_QUERY_FN_DECIMAL_H
/*
 * Decimal arithmetic. PostgreSQL's numeric carries a scale with each value; here the type has one, so that results
 * may show more or fewer digits than there: sums and products have PostgreSQL's scale, quotients at least 16 digits after
 * the point (PostgreSQL's own number when both sides are constants). What needs more than 38 digits is 22003.
 */
#include "query/query_internal.h"

typedef const struct tsf_type *query_decimal_type(const struct query_expr *const *args, int n, struct tsf_arena *a);
query_decimal_type query_decimal_add_type, query_decimal_mul_type, query_decimal_div_type, query_decimal_mod_type,
    query_decimal_int_type, query_decimal_same_type, query_decimal_round_type, query_decimal_pow_type,
    query_decimal_irrational_type, query_decimal_sqrt_type;
query_kernel query_decimal_add, query_decimal_sub, query_decimal_mul, query_decimal_div, query_decimal_mod, query_decimal_intdiv,
    query_decimal_neg, query_decimal_plus, query_decimal_abs, query_decimal_ceil, query_decimal_floor, query_decimal_round,
    query_decimal_trunc, query_decimal_sign, query_decimal_sqrt, query_decimal_exp, query_decimal_ln, query_decimal_log10,
    query_decimal_log, query_decimal_pow;
query_kernel query_decimal_plus_i16, query_decimal_plus_i32, query_decimal_plus_i64, query_decimal_plus_f64; /* unary + */

/* a / b at a scale, half away from zero; false when it needs more than 38 digits. b != 0. */
bool query_decimal_divide(tsf_int128 a, int scale_a, tsf_int128 b, int scale_b, int scale, tsf_int128 *out);

#endif
