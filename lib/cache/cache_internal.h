#ifndef TSF_CACHE_INTERNAL_H
#define TSF_CACHE_INTERNAL_H
/*
 * Entries of the metadata tier.
 *
 * Keys (one LMDB tree; numbers big-endian, so that they sort):
 *     'F' table:16 path:16 file_size:8      a footer
 *     'S' table:16 version:8                a decoded snapshot
 *     'U' key of either                     when it was used last, if later than it was put: seconds:4
 * table and path are XXH3-128 of the full names, which the value repeats: a collision is a miss.
 *
 * Value:
 *     0  checksum:8   XXH3-64 of all that follows
 *     8  magic:4      CACHE_MAGIC
 *    12  put:4        seconds since 1970
 *    16  uri_len:4  path_len:4  data_len:8
 *    32  uri, path, zero bytes to a multiple of 8, data
 */
#include "cache/cache.h"

#define CACHE_FORMAT_DIR "meta-v1"
#define CACHE_MAGIC 0x31435354u /* "TSC1" */
#define CACHE_HEADER 32
#define CACHE_KEY_MAX 48
#define CACHE_TTL_S (7 * 86400)

struct cache_key {
    uint8_t bytes[CACHE_KEY_MAX];
    size_t len;
};
void cache_key_footer(struct cache_key *k, const char *table_uri, struct tsf_str path, int64_t file_size);
void cache_key_snapshot(struct cache_key *k, const char *table_uri, int64_t version);
/* All keys of a kind, of a table, of a path: pass table_uri or path.data NULL for fewer parts. */
void cache_key_prefix(struct cache_key *k, char kind, const char *table_uri, struct tsf_str path);
void cache_key_used(struct cache_key *k, const void *key, size_t len);
int64_t cache_key_version(const void *key); /* of a snapshot key */

struct cache_entry {
    struct tsf_str uri, path, data;
    uint32_t put_s;
};
size_t cache_entry_size(const struct cache_entry *e);
void cache_entry_write(const struct cache_entry *e, void *out); /* cache_entry_size bytes */
/* False when the bytes are damaged. Without verify only the lengths are checked, not the checksum. */
bool cache_entry_read(const void *p, size_t n, bool verify, struct cache_entry *out);

#endif
