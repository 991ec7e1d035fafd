#ifndef INGEST_INTERNAL_H
#define INGEST_INTERNAL_H
/*
 * ingest, between its files. Bytes flow so:
 *
 *   ingest_input -> blocks of whole lines -> ingest_parser (one per thread) -> builders -> WAL record
 *                                                        \-> rejects, written in block order
 *
 * A block ends in '\n', if need be one that is not of the input, and INGEST_PAD bytes after it may be read. No token of JSON
 * holds a newline, so the parser needs no other bound. String columns borrow from the block until its record is encoded.
 */
#include "ingest/ingest.h"

#define INGEST_PAD 128                 /* readable bytes after a block's last newline, and after a key's text */
#define INGEST_BLOCK ((int64_t)4 << 20)
#define INGEST_DEPTH_MAX 512           /* of JSON nesting */
#define INGEST_ROW_MAX ((int64_t)16 << 20)
#define INGEST_ROW_CEILING ((int64_t)1 << 30)

/* ---- input (ingest_input.c, ingest_archive.c) ------------------------------------------------------------ */

struct ingest_block {
    char *data;          /* own memory */
    size_t len, cap;     /* len bytes of input, then '\n' unless they end in one */
    const char *name;    /* file, or file:member; lives as long as the input */
    int64_t offset;      /* of data[0] in the decoded stream */
    int64_t ticket;      /* 0, 1, 2 ... over the whole run */
    bool first;          /* begins its stream: line 1 */
    int64_t oversize;    /* not 0: data is the beginning of one row of so many bytes, which is over the limit */
};
void ingest_block_release(struct ingest_block *b);

struct ingest_input;
/* paths: borrowed. block_bytes: size of a block, unless one row is larger; below 512 packed input is not recognised. */
enum tsf_err ingest_input_open(const char *const *paths, int n_paths, int64_t block_bytes, int64_t max_row_bytes,
                               struct ingest_input **out, struct tsf_error *err);
/* The next block, TSF_END after the last. Not thread-safe: callers take turns. */
enum tsf_err ingest_input_next(struct ingest_input *in, struct ingest_block *blk, struct tsf_error *err);
/* False: nothing comes after what was given; true: perhaps. */
bool ingest_input_more(const struct ingest_input *in);
struct ingest_input_counts {
    int64_t bytes_in, bytes_decoded, files;
    int64_t bytes_total; /* -1: unknown */
};
void ingest_input_counts(const struct ingest_input *in, struct ingest_input_counts *out);
void ingest_input_close(struct ingest_input *in);

/* Does it begin a compressed or archived stream, or anything else that is not text? */
bool ingest_is_packed(const void *p, size_t n);
struct ingest_archive;
/*
 * Decode a stream whose first bytes were read already: of fd, or of the member that parent is at. A file that can seek is
 * read from its start. Members follow one another: read gives 0 at the end of each, next goes to the following one.
 */
enum tsf_err ingest_archive_open(int fd, struct ingest_archive *parent, const void *head, size_t n_head, const char *name,
                                 struct ingest_archive **out, struct tsf_error *err);
enum tsf_err ingest_archive_next(struct ingest_archive *a, const char **member_out, struct tsf_error *err); /* TSF_END; NULL: raw */
enum tsf_err ingest_archive_read(struct ingest_archive *a, void *p, size_t n, size_t *n_out, struct tsf_error *err);
const char *ingest_archive_name(const struct ingest_archive *a);
int64_t ingest_archive_bytes_in(const struct ingest_archive *a); /* of the file */
struct ingest_archive *ingest_archive_close(struct ingest_archive *a); /* gives the parent back; NULL is fine */

/* ---- what the schema asks for (ingest_plan.c) -------------------------------------------------------------- */

/* A place in the input's objects that columns have: a column, an object that holds columns, or both. Node 0 is the row. */
struct ingest_node {
    int id, column;       /* column -1: none */
    bool deeper;          /* columns lie below */
    struct tsf_str path;  /* "attributes___http"; "" for the row */
    const char *dotted;   /* "attributes.http." as JSON string content: what names an unknown key below */
};
struct ingest_plan {
    const struct tsf_schema *schema;
    int n_nodes;
    struct ingest_node *nodes;
    uint32_t *table;      /* hash of path -> node number */
    size_t mask;
    size_t n_words;       /* of a bit per column */
    uint64_t *required;   /* NOT NULL columns that the input must have */
    int attributes;       /* JSON column for unknown keys, or -1 */
    int tenant, version, time, date; /* columns, or -1 */
    bool date_required;   /* NOT NULL date: needs a time */
    struct tsf_str project;          /* what the tenant column holds; data NULL: anything */
    int64_t now_us, max_row_bytes, max_rejects;
    struct tsf_arena arena;
};
enum tsf_err ingest_plan_init(struct ingest_plan *p, const struct table *t, const struct ingest_options *opts, struct tsf_error *err);
void ingest_plan_release(struct ingest_plan *p);
/* The node of a key below a node; dots in the key are steps too. NULL: unknown. */
const struct ingest_node *ingest_plan_find(const struct ingest_plan *p, const struct ingest_node *at, struct tsf_str key);

/* ---- rows (ingest_row.h and its three builds) ---------------------------------------------------------------- */

/* A key that was seen below some node: input mostly repeats the order of the row before. */
struct ingest_key {
    const char *text;                /* with its quotes, as in the input; padded with zeros */
    uint32_t len;
    int node_id;                     /* where it stands */
    const struct ingest_node *target; /* NULL: unknown */
    struct ingest_key *next[2];      /* what followed it last time, and the time before */
    struct ingest_key *chain;
};
struct ingest_unknown {
    const struct ingest_node *node;  /* where it stands */
    struct tsf_str key, value;       /* key without quotes, as in the input; value as in the input */
};
struct ingest_reject {
    uint32_t line, start, len; /* in the block, from 0; the raw text */
    uint32_t reason;           /* in ingest_parser.reasons, NUL-terminated */
};

#define INGEST_KEYS_MAX 4096 /* remembered keys; more are looked up each time */
#define INGEST_KEY_BUCKETS 1024

struct ingest_parser {
    const struct ingest_plan *plan;
    struct tsf_builder *cols;
    int n_cols;
    int64_t row;                     /* rows that are whole; builders may lag (nulls to come) */
    uint64_t *seen;                  /* columns that this row has given a value */
    int col;                         /* where we are, for messages */
    int kept;                        /* > 0: inside an object whose text is kept whole */
    int64_t n_unknown_keys;          /* of whole rows that had no place for them */
    int64_t row_unknown;             /* of this row */
    struct ingest_unknown *unknown;
    size_t n_unknown, cap_unknown;
    struct ingest_key *heads;        /* per node: what came first */
    struct ingest_key *buckets[INGEST_KEY_BUCKETS];
    struct ingest_key odd;           /* a key past INGEST_KEYS_MAX */
    int n_keys;
    struct tsf_arena keys;           /* lives as long as the parser */
    struct tsf_arena arena;          /* of the block */
    struct tsf_buf scratch;
    char reason[256];                /* why the row is bad */
    enum tsf_err rc;                 /* not TSF_OK: stop, this is no matter of one row */
    struct tsf_error *err;
    struct ingest_reject *rejects;
    size_t n_rejects, cap_rejects;
    struct tsf_buf reasons;
    int64_t lines;                   /* of the block */
    const char *(*row_fn)(struct ingest_parser *ps, const char *p);
};
/* Which code parses: tests ask for each. */
enum tsf_err ingest_parser_init(struct ingest_parser *ps, const struct ingest_plan *plan, enum tsf_simd simd, struct tsf_error *err);
void ingest_parser_release(struct ingest_parser *ps);
/* All rows of a block into the builders, bad ones into rejects. Stops early when the rejects are too many already. */
enum tsf_err ingest_parser_block(struct ingest_parser *ps, const struct ingest_block *blk, struct tsf_error *err);
/* The rows as a batch; borrows from the builders and the block. */
enum tsf_err ingest_parser_batch(struct ingest_parser *ps, struct tsf_batch *out, struct tsf_error *err);
void ingest_parser_reset(struct ingest_parser *ps);

/* Parse one object; the end behind it, NULL with ps->reason when it is bad. Rows end at the newline. */
const char *ingest_row_scalar(struct ingest_parser *ps, const char *p);
const char *ingest_row_avx2(struct ingest_parser *ps, const char *p);
const char *ingest_row_avx512(struct ingest_parser *ps, const char *p);

/* ---- what rows need now and then (ingest_parse.c) --------------------------------------------------------------- */

/* Set the reason, with the column's name before it when ps->col says one; returns NULL. */
const char *ingest_bad(struct ingest_parser *ps, const char *fmt, ...) TSF_PRINTF(2, 3);
const char *ingest_nomem(struct ingest_parser *ps);
/* The key whose text [p, p + len), quotes included, follows prev below a node. */
struct ingest_key *ingest_key_find(struct ingest_parser *ps, const struct ingest_node *node, struct ingest_key *prev, const char *p,
                                   size_t len, bool escapes);
bool ingest_unknown_add(struct ingest_parser *ps, const struct ingest_node *node, struct tsf_str key, struct tsf_str value);
/* Make column c ready for this row's value: nulls that were put off, or away with an earlier value of the same key. */
bool ingest_column_ready(struct ingest_parser *ps, int c);

/* ---- conversions (ingest_convert.c) -------------------------------------------------------------------------------- */

enum ingest_token { INGEST_STRING, INGEST_NUMBER, INGEST_TRUE, INGEST_FALSE };
/* Append a scalar to a builder of any type but STRING and lists. text: without escapes. False: ps->reason or ps->rc. */
bool ingest_convert(struct ingest_parser *ps, struct tsf_builder *b, enum ingest_token kind, struct tsf_str text);
/* Content of a JSON string without its escapes: at most n bytes into out. False: ps->reason. */
bool ingest_unescape(struct ingest_parser *ps, const char *p, size_t n, char *out, size_t *n_out);
bool ingest_utf8_valid(const char *p, size_t n);
/* Is the content of a string a JSON object or array? Then text is that, without line ends. False also when ps->rc is set. */
bool ingest_json_container(struct ingest_parser *ps, struct tsf_str *text);
/* The end of a JSON value at p, checked; NULL with ps->reason. Text ends in '\n'. */
const char *ingest_skip(struct ingest_parser *ps, const char *p);

/* ---- bad rows (ingest_reject.c) ---------------------------------------------------------------------------------------- */

struct ingest_rejecter {
    int fd;              /* -1: no file */
    const char *path;
    const char *stream;  /* name of the stream we are in */
    int64_t lines;       /* of it, before the next block */
    int64_t count;
    char first[384];     /* where and why of the first */
    struct tsf_buf buf;
};
enum tsf_err ingest_rejecter_open(struct ingest_rejecter *r, const char *path, struct tsf_error *err);
/* Bad rows of the next block, in ticket order. */
enum tsf_err ingest_rejecter_take(struct ingest_rejecter *r, const struct ingest_parser *ps, const struct ingest_block *blk,
                                  struct tsf_error *err);
enum tsf_err ingest_rejecter_close(struct ingest_rejecter *r, struct tsf_error *err); /* safe to repeat */

#endif
