/* Footers and page headers: any bytes give metadata or an error. */
#include "parquet/parquet_read_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct parquet_meta m;
    struct parquet_page_header h;
    size_t used;

    (void)parquet_meta_parse(data, size, 1 << 20, &a, &m, NULL);
    (void)parquet_page_header_parse(data, size, &h, &used, NULL);
    tsf_arena_release(&a);
    return 0;
}
