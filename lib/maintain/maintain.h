#ifndef TSF_MAINTAIN_H
#define TSF_MAINTAIN_H
/*
 * maintain: what cron runs. Each takes a table and options and hands manifests to a callback, one per commit.
 *
 *   maintain_rows.c      batches -> sorted rows -> files, for flush and compaction
 *   maintain_dedup.c     the last write of a key wins, across the chunks of a flush
 *   maintain_filter.c    choosing partitions
 *   maintain_flush.c     WAL -> sorted, partitioned Parquet -> one commit
 *   maintain_compact.c   planning and committing of light, full and recompress
 *   maintain_merge.c     streaming k-way merge of sorted files
 *   maintain_warm.c      footers and snapshot into the cache
 *   maintain_evict.c     what a commit removed, out of the cache
 *   maintain_vacuum.c    unreferenced files, expired log entries
 */
#include "table/table.h"

typedef enum tsf_err maintain_manifest_fn(void *ctx, struct table_manifest *m, struct tsf_error *err);

struct maintain_flush_options {
    int zstd_level;           /* 0 = 3 */
    int64_t memory_limit;     /* 0 = 512 MiB: rows sorted at once */
    int threads, wait_ms;     /* wait for another flusher */
    bool salvage;             /* go on past WAL_DAMAGE_LIMIT damaged records */
};
/* TSF_OK without a manifest when there was nothing to flush. */
enum tsf_err maintain_flush(struct table_env *env, const char *table, const struct maintain_flush_options *opts,
                            maintain_manifest_fn *emit, void *ctx, struct tsf_error *err);

enum maintain_compact_mode { MAINTAIN_LIGHT, MAINTAIN_FULL, MAINTAIN_RECOMPRESS };
struct maintain_compact_options {
    enum maintain_compact_mode mode;
    int64_t window_us;        /* 0 = mode's default (light: today's partitions, full: 48 h); -1 = all */
    int64_t target_bytes;     /* 0 = 16 MiB light, 128 MiB full */
    int64_t cold_after_us;    /* recompress; 0 = 14 days */
    int min_files;            /* 0 = 2 */
    int zstd_level;           /* 0 = by mode: 3, 9, 19 */
    int64_t memory_limit;     /* 0 = 512 MiB */
    int threads;
    bool dry_run;
    const char *partition;    /* "key=value/key=value" filter, NULL = all */
};
enum tsf_err maintain_compact(struct table_env *env, const char *table, const struct maintain_compact_options *opts,
                              maintain_manifest_fn *emit, void *ctx, struct tsf_error *err);

struct maintain_cache_options {
    const char *partition;    /* as above */
    int64_t since_us;         /* only files of partitions (date) or commits since; 0 = all */
    bool dry_run;
};
struct maintain_cache_result {
    int64_t files, hits, bytes, failed, foreign; /* foreign: paths that do not belong to the table */
};
/* By manifest (m annotated under "warm" / "evict") or, with m NULL, by table and filter. */
enum tsf_err maintain_warm(struct table_env *env, const char *table, struct table_manifest *m,
                           const struct maintain_cache_options *opts, struct maintain_cache_result *out, struct tsf_error *err);
enum tsf_err maintain_evict(struct table_env *env, const char *table, struct table_manifest *m,
                            const struct maintain_cache_options *opts, struct maintain_cache_result *out, struct tsf_error *err);

struct maintain_vacuum_options {
    int64_t retention_us;     /* 0 = the table's, default 7 days; -1 = none at all */
    bool force;               /* allow less than 24 h */
    bool dry_run;             /* the manifest's removed list says what would go */
};
enum tsf_err maintain_vacuum(struct table_env *env, const char *table, const struct maintain_vacuum_options *opts,
                             maintain_manifest_fn *emit, void *ctx, struct tsf_error *err);

#endif
