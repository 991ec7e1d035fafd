#ifndef TSF_INGEST_H
#define TSF_INGEST_H
/*
 * ingest: bytes in any wrapping -> rows of a table -> WAL.
 *
 *   ingest_input.c    files, pipes, compression and archives (libarchive, loaded when needed)
 *   ingest_json*.c    NDJSON: structural scan, schema-directed parsing
 *   ingest_convert.c  text and numbers to column types, times in all forms
 *   ingest_reject.c   bad rows, with where and why
 *   ingest_run.c      parser threads, batches in order, WAL run
 */
#include "table/table.h"

struct ingest_options {
    const char *format;        /* NULL or "auto", "ndjson" */
    const char *reject_path;   /* NULL: rejected rows are only counted and the first few reported */
    int64_t max_rejects;       /* more bad rows than this make the run nothing; -1 = any number */
    int64_t max_row_bytes;     /* 0 = 16 MiB */
    int threads;               /* 0 = all CPUs */
    int64_t memory_limit;      /* 0 = 256 MiB */
    const char *project;       /* tenant binding: fills the tenant column, other values are rejected */
    void (*progress)(void *ctx, int64_t bytes_in, int64_t bytes_total, int64_t rows, int64_t rejects); /* total -1 unknown */
    void *progress_ctx;
};
struct ingest_receipt {
    int64_t rows, rejects, bytes_in, bytes_decoded, unknown_keys, files;
    struct wal_receipt wal;
    double seconds;
};
/* paths: files, "-" = stdin; all of them are one run: all or nothing. */
enum tsf_err ingest_run(struct table *t, const char *const *paths, int n_paths, const struct ingest_options *opts,
                        struct ingest_receipt *out, struct tsf_error *err);

#endif
