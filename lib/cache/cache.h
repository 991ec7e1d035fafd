#ifndef TSF_CACHE_H
#define TSF_CACHE_H
/*
 * cache: what was once decoded or fetched, kept for the next process.
 *
 *   cache_meta.c      metadata tier: footers and decoded snapshots in LMDB under <dir>/meta-v<N>
 *   cache_entry.c     keys and values as bytes
 *   cache_guard.c     a fault inside of LMDB becomes a miss
 *   cache_internal.h  what the files share
 *
 * Only ever a hint: a cache that is missing, read-only, damaged, full or of another version answers "miss" and takes
 * nothing; no function here fails. Values carry a checksum, so damage is a miss. A NULL cache is legal everywhere.
 * Opening costs nothing: LMDB is opened on first use.
 *
 * Threads and processes: any number of both. After fork the child's cache is empty-handed (all misses).
 */
#include "base/base.h"

struct cache;
/* dir: $TSF_DATA_DIR/cache. NULL only when memory is out, which callers may ignore. */
struct cache *cache_open(const char *dir);
void cache_free(struct cache *c);

/* Borrowed bytes of the cache; they stay as they are until released, also when others replace or evict the entry. */
struct cache_view {
    struct tsf_str data; /* 8-byte aligned */
    void *txn, *copy;    /* private */
};
#define CACHE_VIEW_INIT { { NULL, 0 }, NULL, NULL }
void cache_view_release(struct cache_view *v); /* safe to repeat; before cache_free */

/* ---- footers ------------------------------------------------------------------------------------------ */

/* Raw footer bytes (Thrift, without length and magic) of a table's data file. Copied to the arena. False: miss. */
bool cache_footer_get(struct cache *c, const char *table_uri, struct tsf_str path, int64_t file_size, struct tsf_arena *a,
                      struct tsf_str *footer_out);
/* Is it there? Neither copies nor counts. */
bool cache_footer_has(struct cache *c, const char *table_uri, struct tsf_str path, int64_t file_size);
struct cache_footer {
    struct tsf_str path, footer;
    int64_t file_size;
};
/* Many at once: one transaction, one sync. Returns how many are in the cache now. */
int64_t cache_footers_put(struct cache *c, const char *table_uri, const struct cache_footer *footers, int64_t n);
static inline bool cache_footer_put(struct cache *c, const char *table_uri, struct tsf_str path, int64_t file_size,
                                    struct tsf_str footer)
{
    struct cache_footer f = { path, footer, file_size };
    return cache_footers_put(c, table_uri, &f, 1) == 1;
}

/* ---- decoded snapshots ----------------------------------------------------------------------------------- */

/* The newest blob of a table with version <= max_version (-1: any). Several versions may be kept. */
bool cache_snapshot_get(struct cache *c, const char *table_uri, int64_t max_version, struct cache_view *view_out,
                        int64_t *version_out);
/* Keeps this version, drops older ones of the table. A newer one that is there already stays, and false is returned. */
bool cache_snapshot_put(struct cache *c, const char *table_uri, int64_t version, struct tsf_str blob);

/* ---- eviction ------------------------------------------------------------------------------------------------ */

/* Footers of these paths, whatever their file size. Returns entries dropped; bytes_out may be NULL. */
int64_t cache_evict_files(struct cache *c, const char *table_uri, const struct tsf_str *paths, int64_t n, int64_t *bytes_out);
/* Everything of a table: footers and snapshots. */
int64_t cache_evict_table(struct cache *c, const char *table_uri, int64_t *bytes_out);
/* Entries not used since before_us, then the oldest down to max_bytes (-1 = no ceiling). */
int64_t cache_trim(struct cache *c, int64_t before_us, int64_t max_bytes, int64_t *bytes_out);

/* ---- statistics ------------------------------------------------------------------------------------------------- */

struct cache_stats {
    bool usable;
    int64_t entries, bytes;                   /* in the metadata tier, all tables */
    int64_t footer_hits, footer_misses;       /* of this process */
    int64_t snapshot_hits, snapshot_misses;
    int64_t puts, evictions, damaged;
};
void cache_stats_get(struct cache *c, struct cache_stats *out);
/* Called with each entry; kind "footer" or "snapshot"; stops when fn returns false. */
void cache_entries_each(struct cache *c, const char *table_uri /* NULL = all */,
                        bool (*fn)(void *ctx, const char *kind, struct tsf_str table_uri, struct tsf_str path, int64_t bytes,
                                   int64_t used_us),
                        void *ctx);

#endif
