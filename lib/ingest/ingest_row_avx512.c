/* Rows, 64 bytes at a time. */
#include "ingest/ingest_row.h"

const char *ingest_row_avx512(struct ingest_parser *ps, const char *p)
{
    return row_parse(ps, p);
}
