#ifndef TSF_STORE_H
#define TSF_STORE_H
/*
 * store: objects under one root, behind a table of functions.
 *
 *   store.c           opening by URI, key rules, counters; every call goes through here
 *   store_local.c     a directory
 *   store_memory.c    a few objects in memory (tests, fuzzing)
 *   store_internal.h  how store.c makes the back ends
 *
 * The S3 back end, the data cache and the fault injector implement struct store_ops too and wrap one another.
 *
 * Keys are decoded object names relative to the root, parts separated by '/': "date=2026-11-20/part-1.parquet". Empty
 * keys and parts, ".", "..", a leading '/' and NUL bytes are TSF_ERR_INVALID before a back end sees them.
 * Objects are whole or absent: a reader never sees half of one.
 *
 * Threads: a store may be used by several threads at once; a store_writer belongs to one.
 */
#include "base/base.h"

enum store_request { STORE_GET, STORE_HEAD, STORE_PUT, STORE_LIST, STORE_DELETE, STORE_REQUEST_KINDS };
struct store_counts {
    int64_t requests[STORE_REQUEST_KINDS];
    int64_t bytes_read, bytes_written, retries;
};

struct store_stat {
    int64_t size, modified_us;
    char etag[40]; /* "" when the store has none */
};

/* What a listing says of one object. key lives until the callback returns. */
struct store_item {
    const char *key;
    bool is_prefix; /* with STORE_LIST_FLAT: a folder, key ends in '/' and the rest is not set */
    int64_t size, modified_us;
};
/* TSF_END stops the listing, which then returns TSF_OK; other errors are passed up. */
typedef enum tsf_err store_list_fn(void *ctx, const struct store_item *item, struct tsf_error *err);
enum store_list_flags {
    STORE_LIST_FLAT = 1,    /* one level: folders are reported, not entered */
    STORE_LIST_NO_STAT = 2, /* size and modified_us may be left 0 (saves a call per file locally) */
    STORE_LIST_TEMP = 4,    /* also unfinished temporaries (".tmp-..."), which are otherwise hidden; for vacuum */
};

struct store;
struct store_writer {
    const struct store_writer_ops *ops;
    struct store *store;
    char *key;
    int64_t size; /* bytes written so far */
};
struct store_writer_ops {
    enum tsf_err (*write)(struct store_writer *w, const void *p, size_t n, struct tsf_error *err);
    enum tsf_err (*finish)(struct store_writer *w, struct tsf_error *err);
    void (*free)(struct store_writer *w); /* drops what finish did not publish */
};

/* A back end. Functions mean what the store_* functions below say; keys are already checked. */
struct store_ops {
    const char *name;
    enum tsf_err (*source_open)(struct store *s, const char *key, int64_t size_hint, struct tsf_source *out, struct tsf_error *err);
    enum tsf_err (*get)(struct store *s, const char *key, size_t max, struct tsf_buf *out, struct tsf_error *err);
    enum tsf_err (*stat)(struct store *s, const char *key, struct store_stat *out, struct tsf_error *err);
    enum tsf_err (*put)(struct store *s, const char *key, const void *p, size_t n, bool if_none_match, struct tsf_error *err);
    enum tsf_err (*writer)(struct store *s, const char *key, struct store_writer **out, struct tsf_error *err);
    enum tsf_err (*list)(struct store *s, const char *prefix, const char *start_after, int flags, store_list_fn *fn, void *ctx,
                         struct tsf_error *err);
    enum tsf_err (*remove)(struct store *s, const char *const *keys, int64_t n, struct tsf_error *err);
    enum tsf_err (*local_path)(struct store *s, const char *key, struct tsf_buf *out, struct tsf_error *err); /* may be NULL */
    void (*free)(struct store *s);
};
struct store {
    const struct store_ops *ops;
    char *uri;                  /* canonical, no trailing slash: identity of the root in caches and manifests */
    struct store_counts counts; /* add through store_count */
};

/*
 * Open a root: "/dir", "dir", "file:///dir". The root need not exist: it is made by the first put. "s3://..." is
 * TSF_ERR_UNSUPPORTED.
 */
enum tsf_err store_open(const char *uri, struct store **out, struct tsf_error *err);
/* An empty store in memory, private to the process. */
enum tsf_err store_memory_new(struct store **out, struct tsf_error *err);
void store_free(struct store *s);

bool store_key_ok(const char *key); /* by the rules above */

/* Open an immutable object for reading at any place. size_hint: its size when known (saves a request), else -1. */
enum tsf_err store_source_open(struct store *s, const char *key, int64_t size_hint, struct tsf_source *out, struct tsf_error *err);
/* The whole object into out, which is reset first. Larger than max: TSF_ERR_NOMEM. Absent: TSF_ERR_NOT_FOUND. */
enum tsf_err store_get(struct store *s, const char *key, size_t max, struct tsf_buf *out, struct tsf_error *err);
enum tsf_err store_stat(struct store *s, const char *key, struct store_stat *out, struct tsf_error *err);
/* Durable when it returns. if_none_match: TSF_ERR_CONFLICT when the object exists, atomically; else replaces it. */
enum tsf_err store_put(struct store *s, const char *key, const void *p, size_t n, bool if_none_match, struct tsf_error *err);

/*
 * Write a new object piece by piece. Nothing is visible before finish; finish never overwrites (TSF_ERR_CONFLICT).
 * store_writer_free ends it in any state and drops an unfinished object.
 */
enum tsf_err store_writer_new(struct store *s, const char *key, struct store_writer **out, struct tsf_error *err);
enum tsf_err store_writer_write(struct store_writer *w, const void *p, size_t n, struct tsf_error *err);
enum tsf_err store_writer_finish(struct store_writer *w, struct tsf_error *err);
void store_writer_free(struct store_writer *w);
/* The writer as a sink for parquet_writer_new; lives as long as w. */
struct tsf_sink store_writer_sink(struct store_writer *w);

/*
 * Objects whose key begins with prefix ("" = all) and is greater than start_after (NULL = from the first), in bytewise
 * order of keys. A missing root or folder is an empty listing.
 */
enum tsf_err store_list(struct store *s, const char *prefix, const char *start_after, int flags, store_list_fn *fn, void *ctx,
                        struct tsf_error *err);
/* Delete objects; those that are not there count as deleted. Local folders that become empty go too. */
enum tsf_err store_delete(struct store *s, const char *const *keys, int64_t n, struct tsf_error *err);

/* The file behind a key when the store is a local directory (NUL-terminated in out), else TSF_ERR_UNSUPPORTED. key "" = root. */
enum tsf_err store_local_path(struct store *s, const char *key, struct tsf_buf *out, struct tsf_error *err);
bool store_is_local(const struct store *s);

/* For back ends: count a request and its bytes (atomic). */
void store_count(struct store *s, enum store_request kind, int64_t bytes);
struct store_counts store_counts_get(const struct store *s);

#endif
