#ifndef TSF_TABLE_H
#define TSF_TABLE_H
/*
 * table: a Delta table with its WAL tail, seen as one; names, properties, partitions, manifests.
 *
 *   table_env.c        warehouse, data directory, cache: what the environment says
 *   table_open.c       opening (WAL view first, snapshot second), creating, dropping, listing
 *   table_props.c      sort order, dedup keys, bloom columns and so on from the Delta configuration
 *   table_partition.c  partition values of rows, derived columns (date from timestamp), splitting batches
 *   table_tail.c       unflushed rows as batches of the table's schema
 *   table_write.c      rows of one partition -> Parquet files -> add actions
 *   table_publish.c    finished files become visible together
 *   table_manifest.c   JSON manifests, read and written
 */
#include "wal/wal.h"

/* ---- environment ------------------------------------------------------------------------------------- */

struct table_env_options {
    const char *warehouse;  /* NULL: TSF_WAREHOUSE, else <data dir>/tables */
    const char *data_dir;   /* NULL: TSF_DATA_DIR, else XDG_DATA_HOME/tsf, else ~/.local/share/tsf */
    bool no_cache;
};
struct table_env {
    char *warehouse, *data_dir; /* absolute path or URI, no trailing slash */
    struct cache *cache;        /* NULL: none */
};
enum tsf_err table_env_open(const struct table_env_options *opts, struct table_env **out, struct tsf_error *err);
void table_env_free(struct table_env *env);

/* ---- opening ------------------------------------------------------------------------------------------ */

struct table_sort_key {
    int field;
    bool descending, nulls_first;
};
struct table_props {
    int n_sort;
    struct table_sort_key *sort;    /* physical order of rows in files */
    int n_dedup;
    int *dedup;                     /* fields; 0 = no dedup */
    int version_field, tombstone_field, time_field, date_field, tenant_field; /* -1 none */
    uint8_t *bloom;                 /* per field, 1 = filter */
    int64_t target_file_size;       /* 0 = defaults */
};
struct table {
    struct table_env *env;
    char *name, *uri;
    struct store *store;
    struct delta_snapshot *snapshot;
    const struct tsf_schema *schema; /* of the snapshot */
    int n_partition;
    int *partition_fields;
    struct table_props props;
    struct wal_topic *wal;           /* NULL: no topic yet */
    struct wal_view *tail;           /* opened before the snapshot */
    int64_t n_tail;                  /* records after flushed_lsn, for wal_view_read */
    int64_t flushed_lsn;             /* from the txn action */
    struct wal_damage damage;
    struct tsf_arena arena;
};
enum table_open_flags {
    TABLE_TAIL = 1,        /* with unflushed rows (readers, flush) */
    TABLE_WAL_CREATE = 2,  /* make the topic (writers) */
};
/* name: table of the warehouse, or a path or URI with a slash. version -1 = latest (others exclude TABLE_TAIL). */
enum tsf_err table_open(struct table_env *env, const char *name, int flags, int64_t version, struct table **out, struct tsf_error *err);
void table_close(struct table *t);
/* Latest snapshot again (commits by others). */
enum tsf_err table_refresh(struct table *t, struct tsf_error *err);
struct table_create_options {
    const struct tsf_schema *schema;
    int n_partition;
    const int *partition_fields;
    int n_config;
    const char *const *config_keys, *const *config_values;
    bool if_not_exists;
};
/* Checks properties (unknown tsf.* keys, columns that are not there) before anything is written. */
enum tsf_err table_create(struct table_env *env, const char *name, const struct table_create_options *opts, bool *created_out,
                          struct tsf_error *err);
enum tsf_err table_drop(struct table_env *env, const char *name, struct tsf_error *err);
enum tsf_err table_list(struct table_env *env, enum tsf_err (*fn)(void *ctx, const char *name, struct tsf_error *err), void *ctx,
                        struct tsf_error *err);

/* ---- tail ------------------------------------------------------------------------------------------------ */

/* Tail record i as a batch with the table's fields in schema order (missing columns NULL, derived date filled). */
enum tsf_err table_tail_read(struct table *t, int64_t i, struct tsf_arena *a, struct tsf_batch *out, struct tsf_error *err);

/* ---- partitions --------------------------------------------------------------------------------------------- */

/*
 * Fill a NULL date column from the time column (NOT NULL date, rows with date absent); empty texts in partition
 * columns become NULL, as Delta has them. In place on the batch's columns. */
enum tsf_err table_derive(const struct table *t, struct tsf_batch *b, struct tsf_arena *a, struct tsf_error *err);
bool table_is_partition_field(const struct table *t, int field);
/* Group rows by partition: order[] = row numbers grouped; group g has rows order[starts[g]..starts[g+1]). */
struct table_groups {
    int64_t n_groups;
    uint32_t *order;
    int64_t *starts;
};
enum tsf_err table_partition_split(const struct table *t, const struct tsf_batch *b, struct tsf_arena *a, struct table_groups *out,
                                   struct tsf_error *err);

/* ---- writing files --------------------------------------------------------------------------------------------- */

/*
 * Finished files on their way to the disk. A sync waits for the disk's journal, and many at once wait hardly longer than
 * one, so files that become visible together are published together. Used by several threads at once.
 */
struct table_publisher;
enum tsf_err table_publisher_new(struct table_publisher **out, struct tsf_error *err);
/* Every file handed over so far gets its final name, durably. Call before the commit that names them. */
enum tsf_err table_publisher_flush(struct table_publisher *p, struct tsf_error *err);
void table_publisher_free(struct table_publisher *p); /* what was not published goes away */

/* Writes one partition's rows, which come in sort order, as one or more files of about target bytes. */
struct table_writer;
struct table_writer_options {
    int zstd_level;           /* 0 = 3 */
    int64_t target_bytes;     /* 0 = one file */
    struct tsf_pool *pool;
    bool data_change;         /* add.dataChange */
    const char *clustering;   /* tag value, NULL = none */
    bool cache_footer;        /* put the footer into the cache (inline capture) */
    struct table_publisher *publisher; /* takes finished files; NULL: each is published when it ends */
};
/* partition: n_partition values. */
enum tsf_err table_writer_new(struct table *t, const struct tsf_value *partition, const struct table_writer_options *opts,
                              struct table_writer **out, struct tsf_error *err);
/* All fields of the schema (partition columns are dropped on the way). */
enum tsf_err table_writer_write(struct table_writer *w, const struct tsf_batch *b, struct tsf_error *err);
/* Encodes and writes all that is left; finish then only adds the actions. May be left out. */
enum tsf_err table_writer_close(struct table_writer *w, struct tsf_error *err);
/*
 * Adds one action per file to change (arena a). Files have their final names once published, but no commit names them yet.
 */
enum tsf_err table_writer_finish(struct table_writer *w, struct delta_change *change, struct tsf_arena *a, struct tsf_error *err);
void table_writer_free(struct table_writer *w); /* unfinished files go away */

/* ---- manifests: tsf-manifest(5) ------------------------------------------------------------------------------------ */

struct table_manifest_file {
    const char *path;            /* relative to the table, decoded */
    int64_t size, rows;          /* rows -1: not said */
    int n_partition;
    const char **partition_keys, **partition_values; /* value NULL = null */
    int64_t footer_offset, footer_length;            /* -1: not said */
    bool cached;
};
struct table_manifest {
    struct tsf_arena arena;
    const char *op, *table;      /* table: URI */
    int64_t version, timestamp_ms;
    int n_added, n_removed;
    struct table_manifest_file *added, *removed;
    struct json_t *json;         /* whole object, so that unknown keys are passed on */
};
#define TABLE_MANIFEST_INIT { .version = -1 }
/* Parse one line; TSF_ERR_FORMAT names what is wrong. Paths that leave the table are refused. */
enum tsf_err table_manifest_parse(struct table_manifest *m, struct tsf_str line, struct tsf_error *err);
/* From a commit that just happened. metrics: JSON object text or NULL. */
enum tsf_err table_manifest_from_change(struct table_manifest *m, const struct table *t, const char *op, int64_t version,
                                        const struct delta_change *change, const char *metrics, struct tsf_error *err);
/* Put object text under a key of the program's own ("warm", "evict"). */
enum tsf_err table_manifest_annotate(struct table_manifest *m, const char *key, const char *object, struct tsf_error *err);
enum tsf_err table_manifest_print(const struct table_manifest *m, struct tsf_buf *out, struct tsf_error *err); /* one line with \n */
void table_manifest_release(struct table_manifest *m);

#endif
