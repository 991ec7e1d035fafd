#ifndef TSF_BASE_H
#define TSF_BASE_H
/*
 * base: what every other room stands on. No room below this one.
 *
 *   base_error.c   errors as values
 *   base_buf.c     growing buffers with a ceiling
 *   base_arena.c   arenas: what dies together lives together
 *   base_hash.c    hashing of bytes
 *   base_bits.c    bitmaps
 *   base_time.c    clocks, calendar, RFC 3339, durations and sizes
 *   base_thread.c  worker pool
 *   base_source.c  random-access input: memory, local files
 *   base_file.c    files with fsync discipline, locks, directories
 *   base_log.c     talk to the user through a hook; cancellation
 *   base_uuid.c    random bytes, UUIDs, hex
 *   base_cpu.c     vector units, usable CPUs
 *
 * Thread rules: nothing here has global state but the log hook, the cancel flag and the CPU dispatch
 * cache; objects belong to one thread unless a comment says otherwise.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include <string.h>

#define TSF_VERSION "0.1.0"
#define TSF_PRINTF(a, b) __attribute__((format(printf, a, b)))
#define TSF_LIKELY(x) __builtin_expect(!!(x), 1)
#define TSF_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define TSF_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define TSF_MIN(a, b) ((a) < (b) ? (a) : (b))
#define TSF_MAX(a, b) ((a) > (b) ? (a) : (b))

/* ---- errors (base_error.c) ------------------------------------------------------------------ */

enum tsf_err {
    TSF_OK = 0,
    TSF_END,             /* an iterator has no more: an answer, err stays as it was */
    TSF_ERR_IO,          /* the system refused; sys_errno says why */
    TSF_ERR_NOMEM,       /* or the memory limit is reached */
    TSF_ERR_FORMAT,      /* bytes break their spec; offset says where */
    TSF_ERR_UNSUPPORTED, /* legal bytes or SQL that this build does not know */
    TSF_ERR_INVALID,     /* the request is wrong; sqlstate when it is SQL */
    TSF_ERR_NOT_FOUND,
    TSF_ERR_CONFLICT,    /* another writer was first, or holds the lock; retry */
    TSF_ERR_REMOTE,      /* the store answered; http_status says what */
    TSF_ERR_CANCELLED,   /* SIGINT or SIGTERM asked us to stop */
};

struct tsf_error {
    enum tsf_err code;
    int sys_errno, http_status;
    int64_t offset;      /* byte in the input, -1 when not about bytes */
    char sqlstate[6], msg[512], hint[128]; /* hint: what the user can do, or "" */
};
#define TSF_ERROR_INIT { .offset = -1 }

/* Record a first cause and return its code. A cause already in *err stays (first cause wins). err may be NULL. */
enum tsf_err tsf_fail(struct tsf_error *err, enum tsf_err code, const char *fmt, ...) TSF_PRINTF(3, 4);
/* The same with TSF_ERR_IO (NOT_FOUND for ENOENT, NOMEM for ENOMEM) and ": strerror(errno)" appended. */
enum tsf_err tsf_fail_errno(struct tsf_error *err, const char *fmt, ...) TSF_PRINTF(2, 3);
/* TSF_ERR_FORMAT at a byte offset. */
enum tsf_err tsf_fail_at(struct tsf_error *err, int64_t offset, const char *fmt, ...) TSF_PRINTF(3, 4);
/* TSF_ERR_INVALID or _UNSUPPORTED with an SQLSTATE; offset = byte in the SQL text or -1. */
enum tsf_err tsf_fail_sql(struct tsf_error *err, const char *sqlstate, int64_t offset, const char *fmt, ...)
    TSF_PRINTF(4, 5);
enum tsf_err tsf_fail_nomem(struct tsf_error *err);
/* Put "where: " before the message; returns err's code, or code when err is NULL. */
enum tsf_err tsf_prepend(struct tsf_error *err, enum tsf_err code, const char *fmt, ...) TSF_PRINTF(3, 4);
/* Set the hint when there is none yet. */
void tsf_hint(struct tsf_error *err, const char *fmt, ...) TSF_PRINTF(2, 3);
void tsf_error_reset(struct tsf_error *err);

/* ---- byte order ----------------------------------------------------------------------------- */

static inline uint16_t tsf_le16_get(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t tsf_le32_get(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t tsf_le64_get(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline void tsf_le16_put(void *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void tsf_le32_put(void *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void tsf_le64_put(void *p, uint64_t v) { memcpy(p, &v, 8); }
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tsf runs on little-endian machines only"
#endif

/* ---- views and checked arithmetic ------------------------------------------------------------ */

/* Borrowed bytes; whoever gave it keeps it alive. Not NUL-terminated. */
struct tsf_str {
    const char *data;
    size_t len;
};
#define TSF_STR(lit) ((struct tsf_str){ (lit), sizeof(lit) - 1 })
static inline struct tsf_str tsf_str(const char *z) { return (struct tsf_str){ z, z ? strlen(z) : 0 }; }
static inline struct tsf_str tsf_str_n(const void *p, size_t n) { return (struct tsf_str){ (const char *)p, n }; }
static inline bool tsf_str_eq(struct tsf_str a, struct tsf_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
static inline bool tsf_str_eqz(struct tsf_str a, const char *z) { return tsf_str_eq(a, tsf_str(z)); }
/* Byte order, shorter first on a tie: <0, 0, >0. */
int tsf_str_cmp(struct tsf_str a, struct tsf_str b);
bool tsf_str_starts(struct tsf_str s, struct tsf_str prefix);
/* False on overflow. */
static inline bool tsf_mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool tsf_add_size(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

/* ---- growing buffer (base_buf.c) -------------------------------------------------------------- */

/* data[0..len); grows to at most max bytes, then TSF_ERR_NOMEM. max 0 means 1 GiB. */
struct tsf_buf {
    uint8_t *data;
    size_t len, cap, max;
};
#define TSF_BUF_INIT(max_) { .max = (max_) }
void tsf_buf_init(struct tsf_buf *b, size_t max);
void tsf_buf_release(struct tsf_buf *b);
static inline void tsf_buf_reset(struct tsf_buf *b) { b->len = 0; }
void tsf_buf_move(struct tsf_buf *dst, struct tsf_buf *src);
/* Make room for n more bytes (len unchanged). */
enum tsf_err tsf_buf_reserve(struct tsf_buf *b, size_t n, struct tsf_error *err);
enum tsf_err tsf_buf_append(struct tsf_buf *b, const void *p, size_t n, struct tsf_error *err);
enum tsf_err tsf_buf_append_z(struct tsf_buf *b, const char *z, struct tsf_error *err);
enum tsf_err tsf_buf_append_u8(struct tsf_buf *b, uint8_t v, struct tsf_error *err);
enum tsf_err tsf_buf_append_le32(struct tsf_buf *b, uint32_t v, struct tsf_error *err);
enum tsf_err tsf_buf_append_le64(struct tsf_buf *b, uint64_t v, struct tsf_error *err);
enum tsf_err tsf_buf_printf(struct tsf_buf *b, struct tsf_error *err, const char *fmt, ...) TSF_PRINTF(3, 4);
/* Append s as a JSON string with quotes; bytes that are not UTF-8 become U+FFFD. */
enum tsf_err tsf_buf_append_json(struct tsf_buf *b, struct tsf_str s, struct tsf_error *err);
static inline struct tsf_str tsf_buf_str(const struct tsf_buf *b) { return tsf_str_n(b->data, b->len); }
/* NUL-terminate (not counted in len) and return data; NULL when memory is out. */
char *tsf_buf_cstr(struct tsf_buf *b);

/* ---- arena (base_arena.c) --------------------------------------------------------------------- */

/* Bump allocator. Memory is 16-byte aligned. Zeroed struct is valid; max 0 = no ceiling of its own. */
struct tsf_arena {
    struct tsf_arena_chunk *head;
    uint8_t *next, *end;
    size_t used, max; /* used: bytes taken from malloc */
};
#define TSF_ARENA_INIT { 0 }
void tsf_arena_release(struct tsf_arena *a);
void tsf_arena_reset(struct tsf_arena *a); /* keeps the largest chunk */
/* NULL when memory or the ceiling is out; n = 0 gives a valid pointer. */
void *tsf_arena_alloc(struct tsf_arena *a, size_t n) __attribute__((malloc));
void *tsf_arena_calloc(struct tsf_arena *a, size_t n, size_t size);
void *tsf_arena_memdup(struct tsf_arena *a, const void *p, size_t n);
/* NUL-terminated copies. */
char *tsf_arena_strdup(struct tsf_arena *a, const char *z);
char *tsf_arena_strndup(struct tsf_arena *a, const char *p, size_t n);
char *tsf_arena_printf(struct tsf_arena *a, const char *fmt, ...) TSF_PRINTF(2, 3);
/* Grow an array of *cap elements (0 at first) to hold n; copies. False when memory is out. */
bool tsf_arena_grow(struct tsf_arena *a, void **array, size_t *cap, size_t n, size_t elem_size);

/* malloc family with checks and overflow tests. Free with free(). */
void *tsf_malloc_array(size_t n, size_t size);
bool tsf_realloc_array(void **array, size_t *cap, size_t n, size_t elem_size); /* grows geometrically */

/* ---- hashing ---------------------------------------------------------------------------------- */

uint64_t tsf_hash(const void *p, size_t n, uint64_t seed); /* XXH3-64 */
void tsf_hash128(const void *p, size_t n, uint8_t out[16]); /* XXH3-128, canonical bytes */
/* Finalizer for integers (good avalanche, invertible). */
static inline uint64_t tsf_hash_u64(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 32;
    return x;
}

/* ---- bitmaps (base_bits.c): bit i of word i / 64 ------------------------------------------------ */

static inline size_t tsf_bit_words(int64_t n) { return (size_t)(n + 63) / 64; }
static inline bool tsf_bit_get(const uint64_t *w, int64_t i) { return (w[i >> 6] >> (i & 63)) & 1; }
static inline void tsf_bit_set(uint64_t *w, int64_t i) { w[i >> 6] |= 1ULL << (i & 63); }
static inline void tsf_bit_clear(uint64_t *w, int64_t i) { w[i >> 6] &= ~(1ULL << (i & 63)); }
static inline void tsf_bit_put(uint64_t *w, int64_t i, bool v)
{
    w[i >> 6] = (w[i >> 6] & ~(1ULL << (i & 63))) | ((uint64_t)v << (i & 63));
}
void tsf_bits_fill(uint64_t *w, int64_t first, int64_t n, bool v);
int64_t tsf_bits_count(const uint64_t *w, int64_t first, int64_t n);
/* dst bits [dst_first, +n) = src bits [src_first, +n). */
void tsf_bits_copy(uint64_t *dst, int64_t dst_first, const uint64_t *src, int64_t src_first, int64_t n);

/* ---- time (base_time.c) ------------------------------------------------------------------------ */

#define TSF_US_PER_SEC 1000000LL
#define TSF_US_PER_DAY 86400000000LL
int64_t tsf_now_us(void);       /* wall clock, microseconds since 1970 UTC; TSF_NOW (RFC 3339) fixes it for tests */
int64_t tsf_monotonic_ns(void);
/* Proleptic Gregorian. days since 1970-01-01, at most what int64_t holds. month 1..12. */
int64_t tsf_days_from_civil(int64_t year, int month, int day);
void tsf_civil_from_days(int64_t days, int64_t *year_out, int *month_out, int *day_out);
/*
 * Parse RFC 3339 / ISO 8601 / PostgreSQL-like times: "2026-11-20", "2026-11-20T10:11:12.123456789Z", blank for T,
 * "+02", "+0200", "+02:00", no zone = UTC. *has_zone_out may be NULL. Nanoseconds are truncated toward the past.
 * Whole text must be consumed. False when it is not a time (no tsf_error: callers have their own words).
 */
bool tsf_time_parse(struct tsf_str s, int64_t *us_out, bool *has_zone_out);
bool tsf_date_parse(struct tsf_str s, int32_t *days_out);
/* Write text and a NUL; out needs TSF_TIME_MAX bytes; returns length. digits: fraction digits 0, 3, 6, or -1 = as needed. */
#define TSF_TIME_MAX 40
size_t tsf_time_format(int64_t us, int digits, const char *zone_suffix, char sep, char *out);
size_t tsf_date_format(int32_t days, char *out);
/* "500ms", "30s", "5m", "48h", "7d", "2w"; a bare number is seconds. */
bool tsf_duration_parse(const char *z, int64_t *us_out);
/* "128M", "16MB", "1.5GiB", "4096": powers of 1024. */
bool tsf_size_parse(const char *z, int64_t *bytes_out);
size_t tsf_size_format(int64_t bytes, char out[16]); /* "12.3M" */

/* ---- threads (base_thread.c) -------------------------------------------------------------------- */

int tsf_cpu_count(void); /* usable CPUs (affinity, cgroup), at least 1; TSF_THREADS overrides */
struct tsf_pool;         /* fixed worker threads, made on first use; any thread may submit */
/* n_threads 0 = tsf_cpu_count(). One thread means all work runs in the caller. */
enum tsf_err tsf_pool_new(int n_threads, struct tsf_pool **out, struct tsf_error *err);
void tsf_pool_free(struct tsf_pool *p);
int tsf_pool_threads(const struct tsf_pool *p);
/*
 * Run fn(ctx, task, worker) for task = 0..n_tasks-1, tasks handed out in order; the caller works too.
 * worker is 0..threads-1 and unique among running calls, to index per-worker state. Returns the first code but
 * TSF_OK (by time; TSF_END too, to stop early); later tasks are then not begun. Nested calls run serially in the
 * caller and keep its worker number. p NULL: all runs in the caller.
 */
typedef enum tsf_err tsf_task_fn(void *ctx, int64_t task, int worker, struct tsf_error *err);
enum tsf_err tsf_parallel_for(struct tsf_pool *p, int64_t n_tasks, tsf_task_fn *fn, void *ctx, struct tsf_error *err);

/* ---- random-access input and sequential output ---------------------------------------------------- */

/*
 * Immutable bytes that can be read at any place by several threads at once: a local file, a cached object, memory.
 * store makes them; parquet reads them.
 */
struct tsf_source {
    const struct tsf_source_ops *ops;
    void *ctx;
    int64_t size;
    const char *name; /* for messages; lives as long as the source */
};
struct tsf_source_ops {
    /* Read exactly n bytes at off; short is TSF_ERR_FORMAT "truncated". */
    enum tsf_err (*read)(void *ctx, int64_t off, size_t n, void *dst, struct tsf_error *err);
    /* Optional (may be NULL): pointer to bytes [off, off + n), valid until close; NULL when it cannot. */
    const uint8_t *(*view)(void *ctx, int64_t off, size_t n);
    /* Optional: will read these ranges soon. */
    void (*prefetch)(void *ctx, const int64_t *offs, const int64_t *lens, int n);
    void (*close)(void *ctx);
};
/* Source over caller's memory (borrowed). */
void tsf_source_memory(struct tsf_source *src, const void *p, size_t n, const char *name);
/* Source over a local file: mmap when possible (view works). */
enum tsf_err tsf_source_file(struct tsf_source *src, const char *path, struct tsf_error *err);
void tsf_source_close(struct tsf_source *src); /* safe to repeat */
/* Both check the bounds; go through them, not through ops. View: NULL when out of bounds or there is no view. */
enum tsf_err tsf_source_read(const struct tsf_source *src, int64_t off, size_t n, void *dst, struct tsf_error *err);
const uint8_t *tsf_source_view(const struct tsf_source *src, int64_t off, size_t n);

struct tsf_sink {
    enum tsf_err (*write)(void *ctx, const void *p, size_t n, struct tsf_error *err);
    void *ctx;
};

/* ---- files (base_file.c) --------------------------------------------------------------------------- */

/* Replaces what out holds. A larger file is TSF_ERR_NOMEM; max 0 means 1 GiB. */
enum tsf_err tsf_file_read(const char *path, size_t max, struct tsf_buf *out, struct tsf_error *err);
enum tsf_err tsf_write_all(int fd, const void *p, size_t n, const char *what, struct tsf_error *err);
enum tsf_err tsf_pwrite_all(int fd, const void *p, size_t n, int64_t off, const char *what, struct tsf_error *err);
enum tsf_err tsf_mkdirs(const char *path, struct tsf_error *err); /* mode 0700, parents too */
enum tsf_err tsf_dir_sync(const char *path, struct tsf_error *err);
/* out = dir/rel with a NUL after it (out->data is a C string). Does not look for "..". */
enum tsf_err tsf_path_join(struct tsf_buf *out, const char *dir, const char *rel, struct tsf_error *err);

/*
 * A new file beside its target: open (O_EXCL, 0600, name ".tmp-<uuid>"), write, then publish: fsync, link or rename to
 * the final name, fsync the directory. Nothing else in tsf calls rename or link.
 */
struct tsf_newfile {
    int fd;              /* -1 when closed */
    int64_t size;        /* bytes written so far */
    int64_t pushed;      /* of those, on their way to the disk already */
    char *tmp_path, *path;
};
#define TSF_NEWFILE_INIT { .fd = -1 }
enum tsf_publish {
    TSF_PUBLISH_REPLACE, /* rename over */
    TSF_PUBLISH_NEW,     /* link(2): TSF_ERR_CONFLICT when the name exists */
};
enum tsf_err tsf_newfile_open(struct tsf_newfile *f, const char *path, struct tsf_error *err); /* makes parents */
/* The same with the modes that the umask gives, for what other programs read too: tables, results. */
enum tsf_err tsf_newfile_open_shared(struct tsf_newfile *f, const char *path, struct tsf_error *err);
enum tsf_err tsf_newfile_write(struct tsf_newfile *f, const void *p, size_t n, struct tsf_error *err);
enum tsf_err tsf_newfile_publish(struct tsf_newfile *f, enum tsf_publish how, struct tsf_error *err);
void tsf_newfile_abort(struct tsf_newfile *f); /* unlinks the temporary; after publish only frees; safe to repeat */
enum tsf_err tsf_file_write(const char *path, const void *p, size_t n, enum tsf_publish how, struct tsf_error *err);

/* Another name in the same folder, durably; replaces what has it. */
enum tsf_err tsf_file_move(const char *from, const char *to, struct tsf_error *err);

/* Advisory whole-file lock (flock on its own description). wait_ms 0: TSF_ERR_CONFLICT at once; -1: for ever. */
struct tsf_lock {
    int fd; /* -1: not held */
};
#define TSF_LOCK_INIT { .fd = -1 }
enum tsf_err tsf_lock_take(struct tsf_lock *l, const char *path, bool shared, int wait_ms, struct tsf_error *err);
void tsf_lock_release(struct tsf_lock *l);

/* ---- talk and cancellation (base_log.c) --------------------------------------------------------------- */

enum tsf_level { TSF_LOG_WARN, TSF_LOG_INFO, TSF_LOG_DEBUG };
typedef void tsf_log_fn(enum tsf_level level, const char *msg);
void tsf_log_set(tsf_log_fn *fn, enum tsf_level max_level); /* cmd/ sets it once; without it nothing is said */
bool tsf_log_on(enum tsf_level level);
void tsf_log(enum tsf_level level, const char *fmt, ...) TSF_PRINTF(2, 3);
void tsf_cancel(void);                       /* async-signal-safe */
bool tsf_cancelled(void);                    /* cheap: one relaxed load */
enum tsf_err tsf_cancel_check(struct tsf_error *err);

/* ---- random, UUID, hex, environment (base_uuid.c) -------------------------------------------------------- */

void tsf_random(void *p, size_t n);
void tsf_uuid4(char out[37]);
void tsf_hex(const void *p, size_t n, char *out /* 2n + 1 */);
bool tsf_unhex(struct tsf_str s, void *out /* s.len / 2 */);

/* ---- CPU ------------------------------------------------------------------------------------------------- */

/* Runtime dispatch. TSF_SIMD=scalar|avx2|avx512 in the environment lowers it (tests). */
enum tsf_simd { TSF_SIMD_SCALAR, TSF_SIMD_AVX2, TSF_SIMD_AVX512 };
enum tsf_simd tsf_simd_level(void);

#endif
