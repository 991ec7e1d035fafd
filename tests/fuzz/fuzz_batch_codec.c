/* tsf_batch_decode on any bytes: an error, or a batch that can be read row by row and encoded again. */
#include "column/column.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void columns_read(const struct tsf_batch *b, struct tsf_arena *a)
{
    struct tsf_buf text = TSF_BUF_INIT(1 << 20);
    struct tsf_value v;

    for (int c = 0; c < b->n_columns && c < 64; c++)
        for (int64_t i = 0; i < b->length; i += 1 + b->length / 16) {
            tsf_buf_reset(&text);
            if (tsf_vector_get(&b->columns[c], i, a, &v, NULL) == TSF_OK && tsf_value_text(&v, &text, NULL) == TSF_OK)
                (void)tsf_value_json(&v, &text, NULL);
        }
    tsf_buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsf_arena a = { .max = 256 << 20 };
    struct tsf_buf out = TSF_BUF_INIT(64 << 20);
    struct tsf_batch b, again;

    if (tsf_batch_decode(data, size, &a, &b, NULL) == TSF_OK) {
        columns_read(&b, &a);
        /* The second encoding is ours, so it must decode, to as many rows and columns. */
        if (b.length <= 65536 && tsf_batch_encode(&b, &out, NULL) == TSF_OK) {
            if (tsf_batch_decode(out.data, out.len, &a, &again, NULL) != TSF_OK) {
                if (a.used < a.max / 2)
                    abort();
            } else if (again.length != b.length || again.n_columns != b.n_columns) {
                abort();
            }
        }
    }
    tsf_buf_release(&out);
    tsf_arena_release(&a);
    return 0;
}
