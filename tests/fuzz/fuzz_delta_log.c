/*
 * A log from outside: the input is up to 8 commits, parted by NUL bytes. Whatever loads is looked at from all sides,
 * sent through its blob and compared, and its newest commit is replayed on top of itself.
 */
#include <assert.h>

#include "delta/delta_internal.h"

static void look(struct delta_snapshot *s)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    const struct delta_bounds *b;
    const struct tsf_vector *v;
    struct delta_file f;
    int64_t ms, *rows, n;

    for (int64_t i = 0; i < s->n_files; i++) {
        struct tsf_str path = delta_snapshot_path(s, i);

        assert(path.len > 0);
        assert(delta_snapshot_find(s, path) >= 0);
        if (delta_snapshot_file(s, i, &a, &f, NULL) == TSF_OK && f.dv.storage == 'i')
            (void)delta_dv_read(s->state->store, &f.dv, &a, &rows, &n, NULL);
    }
    for (int64_t i = 0; i < s->n_removed; i++)
        (void)delta_snapshot_removed(s, i, &a, &f, &ms, NULL);
    for (int k = 0; k < s->metadata.n_partition; k++)
        (void)delta_snapshot_partition(s, k, &v, NULL);
    for (int i = 0; i < s->metadata.schema.n_fields; i++)
        (void)delta_snapshot_bounds(s, i, &b, NULL);
    (void)delta_snapshot_writable(s, NULL);
    tsf_arena_release(&a);
}

static void through_blob(struct delta_snapshot *s)
{
    struct tsf_buf blob = TSF_BUF_INIT(1 << 26);
    struct cache_view view = CACHE_VIEW_INIT;
    struct delta_snapshot *again = NULL;

    if (delta_blob_encode(s, &blob, NULL) == TSF_OK) {
        view.data = tsf_buf_str(&blob);
        assert(delta_blob_decode(s->state->store, NULL, &view, &again, NULL) == TSF_OK);
        assert(again->version == s->version && again->n_files == s->n_files && again->n_removed == s->n_removed);
        look(again);
        delta_snapshot_free(again);
    }
    tsf_buf_release(&blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store *store = NULL;
    struct delta_snapshot *s = NULL;
    const uint8_t *p = data, *end = data + size;
    char key[DELTA_KEY_MAX];

    if (store_memory_new(&store, NULL) != TSF_OK)
        return 0;
    for (int version = 0; version < 8 && p <= end; version++) {
        const uint8_t *stop = size > 0 && p < end ? memchr(p, 0, (size_t)(end - p)) : NULL;
        size_t n = (size_t)((stop != NULL ? stop : end) - p);

        delta_log_commit_key(version, key);
        if (store_put(store, key, p, n, true, NULL) != TSF_OK)
            break;
        p += n + 1;
    }
    if (delta_snapshot_load(store, NULL, -1, &s, NULL) == TSF_OK) {
        look(s);
        through_blob(s);
        (void)delta_snapshot_refresh(&s, NULL);
        delta_snapshot_free(s);
    }
    store_free(store);
    return 0;
}
