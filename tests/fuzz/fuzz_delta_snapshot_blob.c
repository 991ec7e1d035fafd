/* A cached snapshot that is not what we wrote: decoding and every look at it must stay inside of the bytes. */
#include <stdlib.h>

#include "delta/delta_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cache_view view = CACHE_VIEW_INIT;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct delta_snapshot *s = NULL;
    struct store *store = NULL;
    uint8_t *copy = malloc(size > 0 ? size : 1); /* aligned, as the cache gives it */

    if (copy == NULL || store_memory_new(&store, NULL) != TSF_OK) {
        free(copy);
        return 0;
    }
    if (size > 0)
        memcpy(copy, data, size);
    view.data = tsf_str_n(copy, size);
    if (delta_blob_decode(store, NULL, &view, &s, NULL) == TSF_OK) {
        const struct delta_bounds *b;
        const struct tsf_vector *v;
        struct delta_file f;
        int64_t ms;

        for (int64_t i = 0; i < s->n_files; i++) {
            (void)delta_snapshot_find(s, delta_snapshot_path(s, i));
            (void)delta_snapshot_file(s, i, &a, &f, NULL);
        }
        for (int64_t i = 0; i < s->n_removed; i++)
            (void)delta_snapshot_removed(s, i, &a, &f, &ms, NULL);
        for (int k = 0; k < s->metadata.n_partition; k++)
            (void)delta_snapshot_partition(s, k, &v, NULL);
        for (int i = 0; i < s->metadata.schema.n_fields; i++)
            if (delta_snapshot_bounds(s, i, &b, NULL) == TSF_OK && b->any && s->n_files > 0) {
                struct tsf_value value;

                (void)tsf_vector_get(&b->min, s->n_files - 1, &a, &value, NULL);
                (void)tsf_vector_get(&b->max, s->n_files - 1, &a, &value, NULL);
            }
        delta_snapshot_free(s);
    }
    tsf_arena_release(&a);
    store_free(store);
    free(copy);
    return 0;
}
