/* Rows, in plain C. */
#include "ingest/ingest_row.h"

const char *ingest_row_scalar(struct ingest_parser *ps, const char *p)
{
    return row_parse(ps, p);
}

const char *ingest_skip(struct ingest_parser *ps, const char *p)
{
    return value_skip(ps, p);
}
