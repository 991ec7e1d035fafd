#ifndef TSF_WAL_H
#define TSF_WAL_H
/*
 * wal: rows are durable here before anything else happens to them.
 *
 *   wal_format.c    segment headers and records as bytes
 *   wal_topic.c     topics: folder per (warehouse, table), identity, registry
 *   wal_append.c    runs: shared segment with group commit, or a staged segment of its own
 *   wal_read.c      views: a stable set of segments, records in LSN order
 *   wal_recover.c   torn tails, damaged records, salvage
 *
 * A topic is $TSF_DATA_DIR/wal/<hash>/. LSNs number records from 1, without gaps between committed records. What a
 * reader finds in a topic is committed: a small run is one record appended under the lock; a larger run is written to a
 * staged file, synced, and takes its LSNs and its name under the lock. So every prefix of the LSNs is whole runs.
 *
 * Threads and processes: any number of processes append, one flushes, any number read.
 */
#include "delta/delta.h"

enum wal_kind { WAL_INSERT = 1, WAL_DELETE = 2, WAL_UPDATE = 3 };

#define WAL_DAMAGE_LIMIT 10

struct wal_topic;
struct wal_options {
    bool create;             /* make the topic when missing (writers); else TSF_ERR_NOT_FOUND */
    int lock_wait_ms;        /* 0 = 60,000 */
};
/* warehouse and table: full names; both stand in every segment header. */
enum tsf_err wal_topic_open(const char *data_dir, const char *warehouse, const char *table, const struct wal_options *opts,
                            struct wal_topic **out, struct tsf_error *err);
void wal_topic_free(struct wal_topic *t);
/* appId of the txn action that says how far this WAL is flushed: "tsf-wal-<uuid>". */
const char *wal_topic_app_id(const struct wal_topic *t);
const char *wal_topic_table(const struct wal_topic *t);
const char *wal_topic_warehouse(const struct wal_topic *t);
/* Every topic of a data directory: names for tsf-flush without arguments. Stops when fn returns non-OK. */
enum tsf_err wal_topics_each(const char *data_dir, enum tsf_err (*fn)(void *ctx, const char *warehouse, const char *table,
                             struct tsf_error *err), void *ctx, struct tsf_error *err);
/* Remove a dropped table's topic. CONFLICT while in use. */
enum tsf_err wal_topic_drop(const char *data_dir, const char *warehouse, const char *table, struct tsf_error *err);

/* ---- appending ------------------------------------------------------------------------------------ */

struct wal_run;
struct wal_receipt {
    int64_t first_lsn, last_lsn, rows, bytes;
};
/* schema: of every batch of the run (names and types are stored with the records). Borrowed until the end. */
enum tsf_err wal_run_begin(struct wal_topic *t, const struct tsf_schema *schema, struct wal_run **out, struct tsf_error *err);
/*
 * Encode and keep one record. Thread-safe: several encoder threads may append; ticket orders them (0, 1, 2 ... each once;
 * -1: order of the calls). One record of up to 1 MiB stays in memory, more goes to the staged segment: memory is bounded.
 */
enum tsf_err wal_run_append(struct wal_run *r, enum wal_kind kind, int64_t ticket, const struct tsf_batch *b, struct tsf_error *err);
/* The run cannot succeed any more (a parser failed): wakes every thread that waits for its ticket. */
void wal_run_fail(struct wal_run *r);
/* Durable and visible when this returns TSF_OK; nothing at all happened when it fails. Frees r. Empty runs give LSNs 0. */
enum tsf_err wal_run_commit(struct wal_run *r, struct wal_receipt *out, struct tsf_error *err);
void wal_run_abort(struct wal_run *r); /* frees */

/* ---- reading ----------------------------------------------------------------------------------------- */

struct wal_record {
    int64_t lsn;
    enum wal_kind kind;
    int64_t time_us;                /* when it was appended */
    int64_t rows;
    const struct tsf_schema *schema; /* lives as long as the view */
    struct tsf_batch batch;          /* in the caller's arena, or borrowing from the view */
};
struct wal_damage {
    int64_t records, bytes;          /* lost in the middle */
    int64_t first_lsn, last_lsn;     /* range in which they lie */
    bool torn_tail;                  /* an unfinished append at the very end: normal after a crash */
};
/* All segments as they are now; they stay readable while the view lives, whatever a flush deletes. */
struct wal_view;
enum tsf_err wal_view_open(struct wal_topic *t, struct wal_view **out, struct tsf_error *err);
void wal_view_free(struct wal_view *v);
int64_t wal_view_last_lsn(const struct wal_view *v);  /* 0 when empty; of the index, so after wal_view_index */
/*
 * Records with lsn > after, numbered 0..n-1 in LSN order. verify: check every body now (flush); else only headers, which is
 * cheap, and a damaged body is TSF_ERR_FORMAT from wal_view_read.
 */
enum tsf_err wal_view_index(struct wal_view *v, int64_t after_lsn, bool verify, int64_t *n_out, struct wal_damage *damage,
                            struct tsf_error *err);
int64_t wal_view_lsn(const struct wal_view *v, int64_t i);
/* Rows and encoded bytes of record i of the index, without decoding. */
int64_t wal_view_rows(const struct wal_view *v, int64_t i);
int64_t wal_view_bytes(const struct wal_view *v, int64_t i);
/* Give mapped pages back; they come again when touched. Keeps a flush of a long WAL within its memory. */
void wal_view_unload(const struct wal_view *v);
/* Verify the checksum and decode. Thread-safe for different arenas. */
enum tsf_err wal_view_read(const struct wal_view *v, int64_t i, struct tsf_arena *a, struct wal_record *out, struct tsf_error *err);

/* Records [first, first + n) of the index will not be read again soon: their pages need not stay in memory. */
void wal_view_forget(const struct wal_view *v, int64_t first, int64_t n);

/* ---- flushing ------------------------------------------------------------------------------------------ */

/* One flusher per topic. CONFLICT when another holds it past wait_ms. */
enum tsf_err wal_flush_lock(struct wal_topic *t, int wait_ms, struct tsf_lock *lock, struct tsf_error *err);
/* What the table's txn action says is flushed: no record gets such an LSN again. Before appending; cheap when in order. */
enum tsf_err wal_topic_advance(struct wal_topic *t, int64_t flushed_lsn, struct tsf_error *err);
/* Close the shared segment so that a flush covers whole segments; syncs it. */
enum tsf_err wal_rotate(struct wal_topic *t, struct tsf_error *err);
/* Delete segments all of whose records have lsn <= through, and staged files of writers that were killed. */
enum tsf_err wal_truncate(struct wal_topic *t, int64_t through_lsn, int64_t *segments_out, int64_t *bytes_out, struct tsf_error *err);
struct wal_status {
    int64_t segments, bytes, records, rows, first_lsn, last_lsn, oldest_us;
    struct wal_damage damage;
};
enum tsf_err wal_topic_status(struct wal_topic *t, int64_t after_lsn, struct wal_status *out, struct tsf_error *err);

#endif
