#ifndef TSF_WAL_INTERNAL_H
#define TSF_WAL_INTERNAL_H
/*
 * The WAL on disk.
 *
 *   <topic>/topic         identity: one line of JSON, written once
 *   <topic>/floor         "<lsn>\n": every record up to it has been flushed and may be gone
 *   <topic>/state         two checked slots with the end of the shared segment; a hint, valid for one boot
 *   <topic>/lock          flock: whoever appends, publishes, rotates or truncates
 *   <topic>/sync.lock     flock: whoever syncs for all (group commit)
 *   <topic>/flush.lock    flock: the one flusher
 *   <topic>/<base lsn, 16 hex>-<8 hex>.wal   segments
 *   <topic>/.tmp-*        staged segments, not yet anything
 *
 * Segment header (little-endian), header_len bytes, a multiple of 8:
 *
 *   offset size
 *        0    8  magic "TSFWAL\r\n"
 *        8    4  format version (1)
 *       12    4  header_len
 *       16   16  segment id, random
 *       32   16  topic id
 *       48    8  base LSN: record n of the segment has LSN base + n
 *       56    8  creation time, microseconds
 *       64    8  number of records, 0 = not sealed
 *       72    8  end of the last record, 0 = not sealed
 *       80    4  length of the warehouse name
 *       84    4  length of the table name
 *       88       the two names, zero padding
 *      end-8  8  XXH3 of all before, seed 0
 *
 * Record, at a multiple of 8:
 *
 *        0    4  magic "TWR1"
 *        4    1  kind: 1 insert, 2 delete, 3 update
 *        5    1  codec of the batch: 0 none, 1 LZ4 block
 *        6    2  zero
 *        8    8  number within the segment
 *       16    8  time, microseconds
 *       24    4  rows
 *       28    4  schema bytes
 *       32    8  XXH3 of the schema bytes
 *       40    8  stored batch bytes
 *       48    8  batch bytes when decoded
 *       56    8  XXH3 of schema and batch bytes, seeded with the segment id
 *       64    8  XXH3 of bytes 0..63, seeded with the segment id
 *       72       schema bytes, batch bytes, zero padding to 8
 *
 * The seed keeps a stale block of another segment from passing for a record of this one. A record counts when both
 * checksums hold. A shared segment grows by one write per record under the lock and may end in a torn record after a crash;
 * the next appender cuts it off. A staged segment is complete and synced before it has a name, and its header says where it
 * ends. Bytes that do not check in front of a record that does are damage.
 */
#include "wal/wal.h"

#define WAL_MAGIC "TSFWAL\r\n"
#define WAL_FORMAT_VERSION 1
#define WAL_RECORD_MAGIC 0x31525754u /* "TWR1" */
#define WAL_RECORD_HEADER 72
#define WAL_HEADER_MAX (64 << 10)
#define WAL_RECORD_MAX (1LL << 30)          /* stored bytes of one record */
#define WAL_RAW_MAX (2LL << 30)             /* decoded bytes of one record */
#define WAL_SEGMENT_TARGET (64LL << 20)     /* a shared segment past this is rotated */
#define WAL_SMALL_RUN (1 << 20)

struct wal_segment_header {
    uint32_t version, header_len;
    uint8_t id[16], topic[16];
    int64_t base_lsn, created_us, n_records, data_end;
    struct tsf_str warehouse, table;        /* borrow from the bytes */
};
struct wal_record_header {
    uint8_t kind, codec;
    int64_t number, time_us;
    uint32_t rows, schema_len;
    uint64_t schema_hash;
    int64_t stored_len, raw_len;
    uint64_t body_sum;
};

/* wal_format.c */
uint64_t wal_seed(const uint8_t id[16]);
enum tsf_err wal_header_encode(const struct wal_segment_header *h, struct tsf_buf *out, struct tsf_error *err);
/* TSF_ERR_FORMAT: not a header, or cut short; UNSUPPORTED: a version from the future. */
enum tsf_err wal_header_decode(const uint8_t *p, size_t n, struct wal_segment_header *out, struct tsf_error *err);
void wal_record_header_encode(const struct wal_record_header *h, uint64_t seed, uint8_t out[WAL_RECORD_HEADER]);
/* False when the bytes are no record header. Lengths are within the caps, not yet within the file. */
bool wal_record_header_decode(const uint8_t *p, uint64_t seed, struct wal_record_header *out);
static inline int64_t wal_record_size(const struct wal_record_header *h)
{
    return (WAL_RECORD_HEADER + (int64_t)h->schema_len + h->stored_len + 7) & ~7LL;
}
enum tsf_err wal_schema_encode(const struct tsf_schema *s, struct tsf_buf *out, struct tsf_error *err);
enum tsf_err wal_schema_decode(const uint8_t *p, size_t n, struct tsf_arena *a, struct tsf_schema *out, struct tsf_error *err);
bool wal_body_ok(const uint8_t *record, const struct wal_record_header *h, uint64_t seed);

/* ---- topic -------------------------------------------------------------------------------------------- */

struct wal_state {
    uint64_t boot;              /* of the boot that wrote it */
    uint8_t segment[16];        /* open shared segment; zero = none */
    int64_t base_lsn, n_records, valid_end, next_lsn;
};
struct wal_state_file;          /* mapped */

struct wal_topic {
    char *dir, *warehouse, *table, *app_id;
    uint8_t id[16];
    int lock_wait_ms;
    struct wal_state_file *state;
};

enum tsf_err wal_topic_path(const struct wal_topic *t, const char *name, struct tsf_buf *out, struct tsf_error *err);
enum tsf_err wal_topic_lock(const struct wal_topic *t, struct tsf_lock *l, struct tsf_error *err);
enum tsf_err wal_floor_get(const struct wal_topic *t, int64_t *out, struct tsf_error *err);
enum tsf_err wal_floor_put(const struct wal_topic *t, int64_t lsn, struct tsf_error *err);
/* State slots. get: false when there is none that may be believed. put: under the append lock. */
bool wal_state_get(const struct wal_topic *t, struct wal_state *out);
enum tsf_err wal_state_put(const struct wal_topic *t, const struct wal_state *s, struct tsf_error *err);
/* Group commit: how far which segment is synced. */
bool wal_state_synced(const struct wal_topic *t, const uint8_t segment[16], int64_t end);
void wal_state_set_synced(const struct wal_topic *t, const uint8_t segment[16], int64_t end);

/* ---- segments on disk ------------------------------------------------------------------------------------ */

struct wal_segment_file {
    char *name;
    int64_t base_lsn;
};
struct wal_segment_list {
    struct wal_segment_file *files; /* by base LSN, then name */
    int n;
};
enum tsf_err wal_segments_list(const struct wal_topic *t, struct wal_segment_list *out, struct tsf_error *err);
void wal_segments_release(struct wal_segment_list *l);
void wal_segment_name(int64_t base_lsn, const uint8_t id[16], char out[32]);

/* One record found by a scan. */
struct wal_found {
    int64_t offset;
    struct wal_record_header h;
};
struct wal_scan {
    struct wal_found *found;
    size_t n, cap;
    int64_t end;               /* just past the last good record */
    struct wal_damage damage;
};
/*
 * forget: p is a mapping of a file whose pages need not stay in memory once they are checked.
 *
 * Records of a mapped segment from offset header_len to limit. check_all: verify every body; else only headers (a body that
 * fails is then found by its reader). Bytes after the last good record are a torn tail unless the header sealed them.
 */
enum tsf_err wal_scan_segment(const uint8_t *p, int64_t size, const struct wal_segment_header *h, int64_t limit, bool check_all,
                              bool forget, struct wal_scan *out, struct tsf_error *err);
/* No file of this size has more records than this, whatever its damaged header hides. */
int64_t wal_records_most(int64_t size);
void wal_scan_release(struct wal_scan *s);
void wal_pages_forget(const uint8_t *from, const uint8_t *to);
/* Under the append lock: establish the state after a crash or on first use. Cuts a torn tail off the newest shared segment. */
enum tsf_err wal_recover(struct wal_topic *t, struct wal_state *out, struct tsf_error *err);

#endif
