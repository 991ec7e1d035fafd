#ifndef TSF_DELTA_INTERNAL_H
#define TSF_DELTA_INTERNAL_H
/* Shared by the files, tests and fuzz targets of lib/delta only. */
#include "delta/delta.h"

#define DELTA_COMMIT_MAX ((size_t)1 << 30)     /* bytes of one commit or JSON checkpoint */
#define DELTA_SMALL_MAX ((size_t)1 << 20)      /* bytes of _last_checkpoint */
#define DELTA_JSON_DEPTH 64                    /* brackets in one another */
#define DELTA_LOG_DIR "_delta_log/"

/* ---- JSON scanner (delta_scan.c) ------------------------------------------------------------------- */

/*
 * Pulls values out of one JSON text in order. Every function returns false at the end or when the text is broken; then
 * bad is set and p tells where. Strings borrow from the text, or live in the arena when they have escapes.
 */
struct delta_scan {
    const char *p, *end;
    struct tsf_arena *arena;
    bool after; /* a value was just read: a comma or a closing bracket comes next */
    bool bad;
};
void delta_scan_init(struct delta_scan *s, struct tsf_str text, struct tsf_arena *a);
bool delta_scan_object(struct delta_scan *s); /* the next value is an object: enter it */
bool delta_scan_key(struct delta_scan *s, struct tsf_str *key_out); /* next member; false: object ended */
bool delta_scan_array(struct delta_scan *s);
bool delta_scan_element(struct delta_scan *s); /* another element; false: array ended */
bool delta_scan_null(struct delta_scan *s);    /* consumes null when it is next */
bool delta_scan_string(struct delta_scan *s, struct tsf_str *out);
bool delta_scan_int(struct delta_scan *s, int64_t *out); /* also "1.0e3"-like and quoted integers; others are bad */
bool delta_scan_bool(struct delta_scan *s, bool *out);
bool delta_scan_raw(struct delta_scan *s, struct tsf_str *out); /* any value, as its text */
bool delta_scan_skip(struct delta_scan *s);
/* First byte of the next value: { [ " t f n digit or '-'; 0 at the end. */
char delta_scan_peek(struct delta_scan *s);
bool delta_scan_end(struct delta_scan *s); /* nothing but blanks is left */

/* ---- actions (delta_action.c) ------------------------------------------------------------------------- */

enum delta_action_kind {
    DELTA_ACTION_NONE, /* one we pass over: cdc, unknown ones */
    DELTA_ACTION_ADD, DELTA_ACTION_REMOVE, DELTA_ACTION_METADATA, DELTA_ACTION_PROTOCOL, DELTA_ACTION_TXN,
    DELTA_ACTION_COMMIT_INFO, DELTA_ACTION_DOMAIN, DELTA_ACTION_SIDECAR, DELTA_ACTION_CHECKPOINT_METADATA,
};
struct delta_pair {
    struct tsf_str key, value; /* value.data NULL: null */
};
/* Fields of an add or remove as in the log. */
struct delta_file_action {
    struct tsf_str raw_path, stats, tags; /* stats: decoded text; tags: raw JSON object */
    struct tsf_str dv;                    /* raw JSON object of deletionVector */
    int n_partition;                      /* -1: no partitionValues */
    struct delta_pair *partition;
    int64_t size, time_ms;                /* modificationTime or deletionTimestamp */
    int64_t n_rows;                       /* -1: look into stats */
    bool data_change;
};
struct delta_commit_line {
    int64_t timestamp_ms, in_commit_ms; /* -1 not said */
    struct tsf_str txn_id, operation, operation_params, operation_metrics, engine;
    bool blind_append;
};
struct delta_action {
    enum delta_action_kind kind;
    struct tsf_str raw; /* the action's object */
    struct delta_file_action file;       /* ADD, REMOVE */
    struct delta_txn txn;                /* TXN; strings in the arena */
    struct { const char *name, *configuration; bool removed; } domain;
    struct delta_commit_line info;       /* COMMIT_INFO */
    struct { struct tsf_str path; int64_t size; } sidecar;
};
/* Parse one line. Strings borrow from it or live in the arena. */
enum tsf_err delta_action_parse(struct tsf_str line, struct tsf_arena *a, struct delta_action *out, struct tsf_error *err);
/* Calls fn for each line of a commit or JSON checkpoint; blank lines are passed over. name is for messages. */
enum tsf_err delta_lines_each(struct tsf_str text, const char *name, struct tsf_arena *a,
                              enum tsf_err (*fn)(void *ctx, const struct delta_action *act, struct tsf_error *err), void *ctx,
                              struct tsf_error *err);
/* {"a":"x","b":null} -> pairs; false when it is not that. */
bool delta_pairs_parse(struct delta_scan *s, struct delta_pair **out, int *n_out);
enum tsf_err delta_protocol_parse(struct tsf_str raw, struct tsf_arena *a, struct delta_protocol *out, struct tsf_error *err);
enum tsf_err delta_metadata_parse(struct tsf_str raw, struct tsf_arena *a, struct delta_metadata *out, struct tsf_error *err);
enum tsf_err delta_dv_parse(struct tsf_str raw, struct tsf_arena *a, struct delta_dv *out, struct tsf_error *err);

/* ---- rendering (delta_render.c): one line with its newline ---------------------------------------------------- */

enum tsf_err delta_render_add(const struct delta_metadata *m, const struct delta_add *a, struct tsf_buf *out, struct tsf_error *err);
enum tsf_err delta_render_remove(const struct delta_metadata *m, const struct delta_remove *r, int64_t now_ms, struct tsf_buf *out,
                                 struct tsf_error *err);
enum tsf_err delta_render_txn(const char *app_id, int64_t version, int64_t now_ms, struct tsf_buf *out, struct tsf_error *err);
enum tsf_err delta_render_protocol(const struct delta_protocol *p, struct tsf_buf *out, struct tsf_error *err);
enum tsf_err delta_render_metadata(const struct delta_create_options *o, const char *id, int64_t created_ms, struct tsf_buf *out,
                                   struct tsf_error *err);
enum tsf_err delta_render_info(const struct delta_change *c, const char *txn_id, int64_t now_ms, int64_t read_version, struct tsf_buf *out,
                               struct tsf_error *err);

/* ---- file list (delta_files.c) ------------------------------------------------------------------------------ */

/* Bytes in the string heap: offset 40 bits, length 24 bits. 0 length: absent or empty. */
struct delta_ref {
    uint64_t off : 40, len : 24;
};
enum delta_row_flags { DELTA_ROW_LIVE = 1, DELTA_ROW_DATA_CHANGE = 2, DELTA_ROW_ABSOLUTE = 4, DELTA_ROW_PARTITION = 8 };
/* A live file or tombstone; position-independent, so that an array of them can be mapped. */
struct delta_row {
    struct delta_ref path, raw_path; /* raw_path len 0: same as path */
    struct delta_ref partition;      /* see delta_partition_pack */
    struct delta_ref stats, tags, dv;
    int64_t size, time_ms, n_rows, footer_offset;
    int32_t footer_length;
    uint32_t hash;                   /* of path and deletion vector id: the identity of a logical file */
    uint32_t flags;
    uint32_t blob_row;               /* 1 + row of the blob whose columns hold this file's bounds; 0: none does */
};
_Static_assert(sizeof(struct delta_row) == 96, "rows are stored as they are");

/* Strings of one or more snapshots: first those of a cached blob, then what commits brought. Only grows. */
struct delta_heap {
    int refs;
    struct cache_view view;   /* keeps blob and base alive, when they are from the cache */
    struct tsf_str blob;      /* whole decoded blob, for its columns (delta_blob_column) */
    struct tsf_str base;
    struct tsf_buf more;
};
struct delta_heap *delta_heap_new(void);
void delta_heap_unref(struct delta_heap *h);
/* Empty when the reference lies outside (a damaged blob). */
struct tsf_str delta_heap_get(const struct delta_heap *h, struct delta_ref r);
enum tsf_err delta_heap_put(struct delta_heap *h, struct tsf_str s, struct delta_ref *out, struct tsf_error *err);

/* Protocol and metadata of one or more snapshots. */
struct delta_head {
    int refs;
    struct tsf_arena arena;
    struct tsf_str protocol_raw, metadata_raw;
    struct delta_protocol protocol;
    struct delta_metadata metadata;
};
void delta_head_unref(struct delta_head *h);

/* Rows with an index by identity. */
struct delta_files {
    struct delta_heap *heap;
    struct delta_row *rows;
    int64_t n;
    size_t cap;
    bool borrowed;   /* rows lie in the heap's view */
    uint32_t *index; /* open addressing, row + 1; NULL until needed */
    size_t n_slots;
};
void delta_files_release(struct delta_files *f);
enum tsf_err delta_files_add(struct delta_files *f, const struct delta_file_action *act, struct tsf_arena *scratch, struct tsf_error *err);
enum tsf_err delta_files_remove(struct delta_files *f, const struct delta_file_action *act, struct tsf_arena *scratch,
                                struct tsf_error *err);
/* Live rows first, tombstones after them; the index goes. Returns the number of live rows. */
int64_t delta_files_compact(struct delta_files *f);
int64_t delta_files_live(const struct delta_files *f); /* the same number when they are in that order */
/* Any live row with this decoded path; -1. */
int64_t delta_files_find_path(struct delta_files *f, struct tsf_str path, struct tsf_error *err);
/* Pairs of a row; false when damaged. */
bool delta_partition_unpack(struct tsf_str packed, struct tsf_arena *a, struct delta_pair **out, int *n_out);
/* Identity of a deletion vector: storage, path, offset. Empty without one. */
enum tsf_err delta_dv_id(struct tsf_str dv_raw, struct tsf_arena *a, struct tsf_str *out, struct tsf_error *err);

/* ---- replay (delta_replay.c) ------------------------------------------------------------------------------------ */

/* A snapshot in the making. Feed the checkpoint, then commits in ascending order. */
struct delta_replay {
    struct delta_files files;
    struct tsf_arena arena;   /* txns, domains, raw head */
    struct tsf_arena scratch; /* reset per action */
    struct delta_head *head;  /* of the snapshot we began from; NULL or stale when the raws changed */
    struct tsf_str protocol_raw, metadata_raw; /* newest, in the arena; empty: as in head */
    struct delta_txn *txns;
    int n_txns;
    size_t cap_txns;
    struct delta_domain *domains;
    int n_domains;
    size_t cap_domains;
    int64_t in_commit_ms;     /* of the newest commit; -1 */
    int64_t info_ms;
};
void delta_replay_init(struct delta_replay *r);
void delta_replay_release(struct delta_replay *r);
enum tsf_err delta_replay_action(struct delta_replay *r, const struct delta_action *act, struct tsf_error *err);
enum tsf_err delta_replay_text(struct delta_replay *r, struct tsf_str text, const char *name, struct tsf_error *err);

/* ---- snapshot (delta_snapshot.c) ----------------------------------------------------------------------------------- */

/* Identity of the newest commit file that a snapshot includes: tells a table from one made anew under the same name. */
struct delta_mark {
    int64_t version, size, modified_us;
};
struct delta_state {
    struct delta_snapshot snap;
    struct store *store;
    struct cache *cache;
    struct delta_files files;
    struct delta_head *head;
    struct tsf_arena arena;
    struct delta_mark mark;
    int64_t cached_version;    /* newest version known to be in the cache; -1 */
    const int64_t *arrays;     /* size, modified, n_rows; the blob's own when files.borrowed */
    struct tsf_vector *partition; /* per partition column; type NULL: not made yet */
    struct delta_bounds *bounds;  /* per field; null_count NULL: not made yet */
    struct tsf_arena lazy;     /* what the lazy parts live in */
};
/* Takes what is in r (also on failure). */
enum tsf_err delta_snapshot_build(struct store *store, struct cache *cache, struct delta_replay *r, int64_t version,
                                  const struct delta_mark *mark, struct delta_snapshot **out, struct tsf_error *err);
/* delta_snapshot_cache, when enough is new since the cached version. */
void delta_snapshot_cache_soon(struct delta_snapshot *s);
/* Begin a replay from a snapshot (rows are copied, heap and head shared). */
enum tsf_err delta_snapshot_reopen(const struct delta_snapshot *s, struct delta_replay *r, struct tsf_error *err);
/* Build the next snapshot from s and the text of its commit. s is left alone. */
enum tsf_err delta_snapshot_apply(const struct delta_snapshot *s, struct tsf_str commit, int64_t version, const struct delta_mark *mark,
                                  struct delta_snapshot **out, struct tsf_error *err);

/* ---- log (delta_log.c) ------------------------------------------------------------------------------------------------ */

struct delta_checkpoint_file {
    int64_t version;
    int part, n_parts;  /* 1, 1 for a single file */
    bool v2, json;      /* UUID-named; JSON text */
    char *key;
    int64_t size, modified_us;
};
struct delta_log_commit {
    int64_t version, size, modified_us;
};
struct delta_log_list {
    struct tsf_arena arena;
    struct delta_checkpoint_file *checkpoints; /* ascending by version */
    size_t n_checkpoints, cap_checkpoints;
    struct delta_log_commit *commits;          /* ascending */
    size_t n_commits, cap_commits;
};
void delta_log_list_release(struct delta_log_list *l);
/* Files of versions >= from. */
enum tsf_err delta_log_list_read(struct store *store, int64_t from, struct delta_log_list *out, struct tsf_error *err);
/* Newest complete checkpoint at or below version (-1 = any): its files first..first+n in the list. False: none. */
bool delta_log_checkpoint_pick(const struct delta_log_list *l, int64_t version, size_t *first_out, size_t *n_out);
/* Version that _last_checkpoint names, -1 when it is missing or unreadable: it is a hint. */
int64_t delta_log_last_checkpoint(struct store *store);
#define DELTA_KEY_MAX 64
void delta_log_commit_key(int64_t version, char out[DELTA_KEY_MAX]);
/* Newest commit there is above *mark, by asking for one version after the other (cheap locally) or listing. */
enum tsf_err delta_log_commits_after(struct store *store, const struct delta_mark *mark, bool *same_table_out, struct delta_log_list *out,
                                     struct tsf_error *err);

/* ---- checkpoints, features, statistics, blobs --------------------------------------------------------------------------- */

enum tsf_err delta_checkpoint_read(struct store *store, struct delta_replay *r, const struct delta_checkpoint_file *files, size_t n,
                                   struct tsf_error *err);
enum tsf_err delta_features_readable(const struct delta_protocol *p, struct tsf_error *err);
enum tsf_err delta_features_writable(const struct delta_protocol *p, const struct delta_metadata *m, struct tsf_error *err);
/* numRecords of a stats text, -1. */
int64_t delta_stats_rows(struct tsf_str stats, struct tsf_arena *scratch);
enum tsf_err delta_blob_encode(struct delta_snapshot *s, struct tsf_buf *out, struct tsf_error *err);
/* Columns of bounds of a field as they stand in a blob (rows: blob_row); false: not there, or damaged. */
bool delta_blob_bounds(struct tsf_str blob, int field, const struct tsf_type *t, struct tsf_arena *a, struct delta_bounds *out,
                       int64_t *n_out);
/* The three arrays of live files in a blob. */
const int64_t *delta_blob_arrays(struct tsf_str blob);
/* Make the bounds of all fields that are not there yet, in one pass over the statistics. */
enum tsf_err delta_bounds_all(struct delta_snapshot *s, struct tsf_error *err);
/* view: becomes the snapshot's on success. */
enum tsf_err delta_blob_decode(struct store *store, struct cache *cache, struct cache_view *view, struct delta_snapshot **out,
                               struct tsf_error *err);
/* Roaring bitmap array in the portable 64-bit format: rows ascending into the arena. */
enum tsf_err delta_dv_decode(const void *p, size_t n, int64_t cardinality, struct tsf_arena *a, int64_t **rows_out, int64_t *n_out,
                             struct tsf_error *err);

#endif
