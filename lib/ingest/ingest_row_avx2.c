/* Rows, 32 bytes at a time. */
#include "ingest/ingest_row.h"

const char *ingest_row_avx2(struct ingest_parser *ps, const char *p)
{
    return row_parse(ps, p);
}
