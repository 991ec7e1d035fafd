#ifndef TSF_DELTA_H
#define TSF_DELTA_H
/*
 * delta: Delta Lake tables: what a version holds, and how the next one comes to be.
 *
 *   delta_scan.c        JSON scanner for log lines
 *   delta_action.c      log lines -> actions
 *   delta_path.c        URL coding of paths, Hive folder names, partition values as text
 *   delta_files.c       the file list of a snapshot: columns and string heap
 *   delta_replay.c      newest action wins
 *   delta_log.c         listing _delta_log, picking checkpoint and commits
 *   delta_snapshot.c    load, refresh, lookups
 *   delta_checkpoint.c  reading checkpoints (classic, multi-part, V2)
 *   delta_checkpoint_write.c  writing them
 *   delta_features.c    protocol: what we may read and write
 *   delta_stats.c       statistics JSON -> columns of bounds
 *   delta_stats_json.c  statistics JSON of files that we write
 *   delta_dv.c          deletion vectors
 *   delta_blob.c        decoded snapshots as bytes, for the cache
 *   delta_render.c      actions -> log lines
 *   delta_commit.c      commits, conflict rules, retries
 *   delta_history.c     history, log cleanup
 *
 * Spec: delta-io/delta PROTOCOL.md.
 *
 * Threads: a snapshot belongs to one thread until its lazy parts are there (functions that take a non-const snapshot);
 * const functions may then be called by many.
 */
#include "cache/cache.h"
#include "column/column.h"
#include "parquet/parquet.h"
#include "store/store.h"

#define DELTA_ENGINE_INFO "tsf/" TSF_VERSION
#define DELTA_TAG_FOOTER "tsf.footer"         /* add.tags: "offset,length" of the Thrift footer */
#define DELTA_TAG_CLUSTERING "tsf.clustering" /* add.tags: what a compaction made of the file */

/* ---- what a version holds ---------------------------------------------------------------------------- */

struct delta_protocol {
    int min_reader, min_writer;
    int n_reader_features, n_writer_features; /* -1: the lists are absent (legacy protocol) */
    const char **reader_features, **writer_features;
};

struct delta_metadata {
    const char *id, *name, *description; /* name, description may be NULL */
    int64_t created_ms;                  /* -1 not said */
    struct tsf_schema schema;            /* logical names; tsf_field.physical under column mapping */
    const char *schema_json;
    int n_partition;
    int *partition_fields;               /* positions in schema, in partition order */
    int n_config;
    const char **config_keys, **config_values; /* sorted by key */
};
/* Value of a table property, or NULL. */
const char *delta_config_get(const struct delta_metadata *m, const char *key);
/* "interval 7 days", "7 days", "168h" ...: microseconds; false when it is none. */
bool delta_interval_parse(const char *z, int64_t *us_out);

struct delta_txn {
    const char *app_id;
    int64_t version, updated_ms; /* updated_ms -1: not said */
};
struct delta_domain {
    const char *domain, *configuration;
};

/* Where a deletion vector is, as in the log. Strings are NULL when a file has none. */
struct delta_dv {
    char storage; /* 'u' relative file, 'i' inline, 'p' absolute; 0: none */
    struct tsf_str path_or_inline;
    int64_t offset; /* -1 not said */
    int64_t size, cardinality;
};

/* A live file, or a removed one. Strings borrow from the snapshot, partition values from the arena. */
struct delta_file {
    struct tsf_str path;     /* decoded; relative to the table unless is_absolute */
    struct tsf_str raw_path; /* as in the log */
    bool is_absolute, data_change;
    int64_t size, modified_ms;
    int64_t n_rows;          /* physical rows (deletion vectors not taken off); -1 unknown */
    int64_t footer_offset, footer_length; /* from DELTA_TAG_FOOTER; -1 not said */
    const struct tsf_value *partition;    /* n_partition values by partition order */
    struct tsf_str stats;      /* JSON text, may be empty */
    struct tsf_str clustering; /* DELTA_TAG_CLUSTERING, may be empty */
    struct tsf_str tags;       /* raw JSON object, may be empty */
    struct delta_dv dv;
};

/* Bounds per live file of one top-level primitive column. NULL row = unknown. */
struct delta_bounds {
    struct tsf_vector min, max; /* FLAT or CONSTANT, of the column's type, n_files rows; strings may be cut, never wrong */
    const int64_t *null_count;  /* n_files entries, -1 unknown */
    /* n_files entries; bit 0: min is attained by a row, bit 1: max is. Clear for cut strings, millisecond times, files with DVs. */
    const uint8_t *exact;
    bool any; /* false: min and max are known for no file (and are not set for types that have no bounds) */
};

struct delta_snapshot {
    int64_t version;
    int64_t timestamp_ms; /* of the commit: inCommitTimestamp, else the log file's modification time */
    struct delta_protocol protocol;
    struct delta_metadata metadata;
    int n_txns;
    const struct delta_txn *txns;
    int n_domains;
    const struct delta_domain *domains;

    /* Live files as columns, in no useful order; constant until the next refresh. */
    int64_t n_files;
    const int64_t *size, *modified_ms;
    const int64_t *n_rows; /* -1 unknown */
    int64_t n_removed;     /* tombstones, see delta_snapshot_removed */

    int64_t checkpoint_version; /* newest complete checkpoint that was seen, -1 none */
    bool from_cache;            /* loaded from a cached blob (and commits after it) */
    int n_commits_read;         /* commits replayed by the last load or refresh */
    struct delta_state *state;  /* private */
};

/*
 * Load a version (-1 = latest). cache may be NULL; store and cache are borrowed until delta_snapshot_free.
 * Errors: NOT_FOUND: no table there ("is not a Delta table") or no such version;
 *         FORMAT: gap in the log, no protocol or metaData, broken lines or checkpoints (the file is named);
 *         UNSUPPORTED: reader features this build does not know (they are named).
 */
enum tsf_err delta_snapshot_load(struct store *store, struct cache *cache, int64_t version, struct delta_snapshot **out,
                                 struct tsf_error *err);
/* The newest version committed at or before a time (ms). */
enum tsf_err delta_snapshot_load_at(struct store *store, struct cache *cache, int64_t timestamp_ms, struct delta_snapshot **out,
                                    struct tsf_error *err);
/*
 * Advance to the latest version by reading new commits only. On TSF_OK *s is replaced when there was something new
 * (the old one is freed). On failure *s stays as it is.
 */
enum tsf_err delta_snapshot_refresh(struct delta_snapshot **s, struct tsf_error *err);
void delta_snapshot_free(struct delta_snapshot *s);
/* Put the decoded snapshot into its cache (no-op without one, or when that version is there). Load does it by itself. */
void delta_snapshot_cache(struct delta_snapshot *s);

/* Is there a Delta table at this root? */
enum tsf_err delta_table_exists(struct store *store, bool *exists_out, struct tsf_error *err);

/* Path of file i: decoded, borrowed from the snapshot. */
struct tsf_str delta_snapshot_path(const struct delta_snapshot *s, int64_t i);
bool delta_snapshot_has_dv(const struct delta_snapshot *s, int64_t i);
/* All of file i (0 <= i < n_files); partition values into the arena. */
enum tsf_err delta_snapshot_file(const struct delta_snapshot *s, int64_t i, struct tsf_arena *a, struct delta_file *out,
                                 struct tsf_error *err);
/* Position of a decoded path among the live files, -1. First call builds an index. */
int64_t delta_snapshot_find(struct delta_snapshot *s, struct tsf_str path);
/* Tombstone i (0 <= i < n_removed) with its time; partition values only when the log has them (else NULL). */
enum tsf_err delta_snapshot_removed(const struct delta_snapshot *s, int64_t i, struct tsf_arena *a, struct delta_file *out,
                                    int64_t *deleted_ms_out, struct tsf_error *err);
/* Values of partition column k of all live files: a vector of n_files rows. Made on first call. */
enum tsf_err delta_snapshot_partition(struct delta_snapshot *s, int k, const struct tsf_vector **out, struct tsf_error *err);
/* Bounds of a top-level field of the schema (not of partition columns: any = false there). Made on first call. */
enum tsf_err delta_snapshot_bounds(struct delta_snapshot *s, int field, const struct delta_bounds **out, struct tsf_error *err);
/* Last version an application wrote with its txn action, -1 when none. */
int64_t delta_snapshot_txn(const struct delta_snapshot *s, const char *app_id);
/* UNSUPPORTED, naming the feature, when this build must not write to the table. */
enum tsf_err delta_snapshot_writable(const struct delta_snapshot *s, struct tsf_error *err);

/* Row numbers (ascending, in the physical file) that a deletion vector removes. */
enum tsf_err delta_dv_read(struct store *store, const struct delta_dv *dv, struct tsf_arena *a, int64_t **rows_out, int64_t *n_out,
                           struct tsf_error *err);

/* ---- paths and values ---------------------------------------------------------------------------------- */

/* "project_id=p%201/date=2026-11-20": Hive-style folder of partition values (NULL: __HIVE_DEFAULT_PARTITION__), decoded key form. */
enum tsf_err delta_partition_path(const struct delta_metadata *m, const struct tsf_value *values, struct tsf_buf *out,
                                  struct tsf_error *err);
/* Protocol text of a partition value; appends nothing for NULL. And back ("" = NULL). */
enum tsf_err delta_partition_text(const struct tsf_value *v, struct tsf_buf *out, struct tsf_error *err);
enum tsf_err delta_partition_parse(struct tsf_str text, const struct tsf_type *t, struct tsf_arena *a, struct tsf_value *out,
                                   struct tsf_error *err);
/* URL coding of add.path. Decode refuses bad escapes, NUL, and paths that leave the table (absolute URIs are told apart first). */
enum tsf_err delta_path_encode(struct tsf_str path, struct tsf_buf *out, struct tsf_error *err);
enum tsf_err delta_path_decode(struct tsf_str raw, struct tsf_arena *a, struct tsf_str *out, bool *absolute_out, struct tsf_error *err);

/*
 * add.stats of a file just written. schema: the file's (without partition columns), fields as in info->stats. Strings are
 * cut to 32 characters, the maximum rounded up.
 */
enum tsf_err delta_stats_json(const struct tsf_schema *schema, const struct parquet_file_info *info, struct tsf_buf *out,
                              struct tsf_error *err);

/* ---- changing a table -------------------------------------------------------------------------------------- */

struct delta_create_options {
    const struct tsf_schema *schema;
    int n_partition;
    const int *partition_fields;
    int n_config;
    const char *const *config_keys, *const *config_values;
    const char *name; /* NULL: none */
};
/* Version 0. CONFLICT when there is a table already. Protocol 1/2, or 3/7 with timestampNtz when the schema has such a column. */
enum tsf_err delta_create_table(struct store *store, const struct delta_create_options *opts, struct tsf_error *err);

struct delta_add {
    struct tsf_str path;               /* decoded key */
    const struct tsf_value *partition; /* n_partition values */
    int64_t size, modified_ms, n_rows;
    struct tsf_str stats;              /* from delta_stats_json, or empty */
    int64_t footer_offset, footer_length; /* -1: no tag */
    const char *clustering;            /* NULL: no tag */
    bool data_change;
};
struct delta_remove {
    struct tsf_str path, raw_path;
    const struct tsf_value *partition;
    int64_t size, n_rows;
    struct tsf_str tags, stats;
    struct delta_dv dv;
    bool data_change;
};
/* What a commit read of the table, for the conflict rules. */
enum delta_read {
    DELTA_READ_NOTHING, /* blind append */
    DELTA_READ_FILES,   /* just the files it removes (compaction, a delete that saw all its files are in removes) */
    DELTA_READ_TABLE,   /* everything: any data change by others is a conflict */
};
struct delta_change {
    struct tsf_arena *arena; /* owns the arrays and what they point to */
    struct delta_add *adds;
    int64_t n_adds;
    size_t cap_adds;
    struct delta_remove *removes;
    int64_t n_removes;
    size_t cap_removes;
    enum delta_read read;
    /* Commit only if app_id's txn is still txn_from (-1: none yet), and set it to txn_version. app_id NULL: no txn. */
    const char *app_id;
    int64_t txn_from, txn_version;
    const char *operation;        /* "WRITE", "OPTIMIZE", "DELETE" ... */
    const char *operation_params; /* JSON object text of string values, NULL = {} */
    const char *operation_metrics; /* JSON object text of string values, NULL = made from adds and removes */
    /* NULL: unchanged. Replaces schema and configuration (ALTER TABLE). */
    const struct delta_create_options *metadata;
};
#define DELTA_CHANGE_INIT(arena_) { .arena = (arena_), .txn_from = -1 }
enum tsf_err delta_change_add(struct delta_change *c, const struct delta_add *add, struct tsf_error *err); /* shallow copy */
/* Remove live file i of the snapshot; what it borrows is copied to the change's arena. */
enum tsf_err delta_change_remove(struct delta_change *c, const struct delta_snapshot *s, int64_t i, bool data_change,
                                 struct tsf_error *err);

struct delta_commit_options {
    int max_retries;    /* 0 = 15 */
    bool no_checkpoint; /* leave checkpoints to others */
};
enum delta_commit_outcome {
    DELTA_COMMITTED,
    DELTA_TXN_SEEN, /* app_id's txn is already at or past txn_version: this change is in the table; nothing was written */
};
struct delta_commit_result {
    enum delta_commit_outcome outcome;
    int64_t version;  /* DELTA_TXN_SEEN: version of the newest snapshot */
    int64_t timestamp_ms;
    int retries;
};
/*
 * Commit a change that was made from *s. Lost races re-read what others committed; when that does not conflict, the commit
 * is tried again. On TSF_OK *s is the snapshot of the new version (old one freed), also put into the cache, and a
 * checkpoint is written when due (failing that is only a warning).
 * Errors: CONFLICT: the message names the rule (concurrent delete of a read or removed file, metadata, protocol or txn
 *         change), or retries are used up; nothing was committed then. UNSUPPORTED: writer features.
 *         *s may have advanced.
 */
enum tsf_err delta_commit(struct delta_snapshot **s, const struct delta_change *change, const struct delta_commit_options *opts,
                          struct delta_commit_result *out, struct tsf_error *err);

/* Write a checkpoint of the snapshot and _last_checkpoint. TSF_OK too when that version has one. */
enum tsf_err delta_checkpoint_write(struct delta_snapshot *s, struct tsf_error *err);

/* ---- history ------------------------------------------------------------------------------------------------- */

struct delta_commit_info {
    int64_t version, timestamp_ms;
    struct tsf_str operation, operation_params, operation_metrics, engine; /* raw JSON for params and metrics; may be empty */
    int64_t n_adds, n_removes;
    bool blind_append;
};
/* Newest first; stops when fn returns TSF_END. info lives until fn returns. limit 0 = all. */
enum tsf_err delta_history(struct store *store, int64_t limit,
                           enum tsf_err (*fn)(void *ctx, const struct delta_commit_info *info, struct tsf_error *err), void *ctx,
                           struct tsf_error *err);
/*
 * Log files that may go: commits and checkpoints older than before_ms and not needed by any version that stays
 * readable, so only what is before the newest checkpoint whose time is at or before before_ms. Keys ("_delta_log/...") into the arena.
 */
enum tsf_err delta_log_expired(struct store *store, int64_t before_ms, struct tsf_arena *a, char ***keys_out, int64_t *n_out,
                               struct tsf_error *err);
/* delta.logRetentionDuration (30 days) and delta.deletedFileRetentionDuration (7 days), microseconds. */
int64_t delta_log_retention_us(const struct delta_metadata *m);
int64_t delta_file_retention_us(const struct delta_metadata *m);

#endif
