/* Deletion vectors from outside; rows that come out are ascending and as many as promised. */
#include <assert.h>

#include "delta/delta_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    int64_t *rows = NULL, n = 0, want;

    if (size < 2)
        return 0;
    want = tsf_le16_get(data);
    if (delta_dv_decode(data + 2, size - 2, want, &a, &rows, &n, NULL) == TSF_OK) {
        assert(n == want);
        for (int64_t i = 1; i < n; i++)
            assert(rows[i] > rows[i - 1]);
    }
    tsf_arena_release(&a);
    return 0;
}
