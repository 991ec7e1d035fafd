#ifndef TSF_QUERY_FN_TIME_H
#define TSF_QUERY_FN_TIME_H
/* Kernels of the time files, for the table in query_fn_time.c, and what they share. */
#include "query/query_fn_internal.h"

static inline int64_t time_day_floor(int64_t us)
{
    return us / TSF_US_PER_DAY - (us % TSF_US_PER_DAY < 0);
}
enum tsf_err query_time_out_of_range(struct tsf_error *err);
/* us + iv by calendar: months first (the day of month is cut to the month), then days, then the rest. */
bool query_time_add(int64_t us, const struct tsf_interval *iv, int sign, int64_t *out);

/* query_fn_time_part.c */
query_kernel query_date_trunc, query_date_trunc_zone, query_date_trunc_interval, query_time_bucket, query_time_bucket_date,
    query_time_bucket_int, query_date_part, query_extract;
const struct tsf_type *query_extract_type(const struct query_expr *const *args, int n, struct tsf_arena *a);

/* query_fn_time_text.c */
query_kernel query_to_char_time, query_to_char_interval, query_to_timestamp_text, query_to_date;

/* query_fn_zone.c */
query_kernel query_zone_to_local, query_zone_to_utc;
/* Offset east of UTC in seconds at a UTC time, or of a local time. Found in the system's zone files. */
struct query_zone;
enum tsf_err query_zone_get(struct query_call *c, struct tsf_str name, const struct query_zone **out, struct tsf_error *err);
int32_t query_zone_offset(const struct query_zone *z, int64_t utc_us);
int64_t query_zone_from_local(const struct query_zone *z, int64_t local_us);

#endif
