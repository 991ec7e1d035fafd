#ifndef TSF_QUERY_SESSION_H
#define TSF_QUERY_SESSION_H
/* What query_session.c and query_insert.c share. */
#include "query/query_internal.h"

struct query_insert;
/* Optimize has run; executes with the session's pool and memory limit. */
enum tsf_err query_session_exec(struct query_session *s, const struct query_plan *plan, bool analyze,
                                const struct query_consumer *consumer, struct tsf_error *err);
enum tsf_err query_insert_run(struct query_session *s, struct query_insert *stmt, int64_t *rows_out, struct tsf_error *err);

#endif
