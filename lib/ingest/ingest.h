#ifndef TSF_INGEST_H
#define TSF_INGEST_H
/*
 * ingest: bytes in any wrapping -> rows of a table -> WAL.
 *
 *   ingest_input.c       files and pipes into blocks of whole lines
 *   ingest_archive.c     compression and archives (libarchive, loaded when needed)
 *   ingest_plan.c        what the schema asks for: nested names, NOT NULL, tenant, attributes
 *   ingest_row.c         one row of NDJSON, parsed as the schema directs: plain C,
 *   ingest_row_avx2.c    the same, 32 bytes at a time,
 *   ingest_row_avx512.c  and 64
 *   ingest_parse.c       blocks of rows into builders, keys seen before, what a row lacks
 *   ingest_convert.c     text and numbers to column types, times in all forms, escapes
 *   ingest_reject.c      bad rows, with where and why
 *   ingest_run.c         parser threads, batches in order, WAL run
 *
 * Keys: a column a___b takes "a___b", "a.b" and the member "b" of an object "a", at any depth. An object or array for a text
 * or JSON column keeps its text, and what lies in it still goes to the columns below that name. A later value of the same
 * column wins; null is as good as absent. Unknown keys go into the JSON column "attributes", if there is one.
 *
 * Values: numbers in strings are numbers; times are RFC 3339 or seconds, milli-, micro- or nanoseconds since 1970, told
 * apart by magnitude (1e11, 1e14, 1e17); a bare integer below a million for a date is days since 1970; binary is base64
 * when it is valid base64, else the text's bytes; one value for a list is a list of one; text columns keep numbers and
 * booleans as they were written.
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
