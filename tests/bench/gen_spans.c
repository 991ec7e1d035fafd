/*
 * gen_spans: OpenTelemetry-like spans and logs as NDJSON, for the benchmark, the demo and the tests.
 *
 * The output depends on the options only: the same seed and number of rows give the same bytes on any
 * machine. Hence no libm (its last digit differs between versions): the log-normal durations come from
 * a sum of uniform numbers and a table of powers of two made with plain multiplications.
 *
 * The shape, in short:
 *   - traces of 1 to 30 rows share a trace id; every span but the root has a parent inside the trace,
 *     starts within it and does not outlive it; about one row in seven is a log line of a span;
 *   - a trace belongs to one tenant (shares 1 : 1/2 : 1/3 ...), its spans to a few services;
 *   - the rate follows the hour and the day of the week; 2 % of spans fail, and 30 % in a burst, which is
 *     a five-minute window of one service;
 *   - rows come out in the order in which a collector would see them: at their end plus a delay, so
 *     nearly sorted by time (or, with --order random, in any order);
 *   - a few names, messages and users hold quotes, backslashes, control characters and non-ASCII text.
 *
 * Speed: a row is put together from fragments made once (service, operation) and digits from tables.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SERVICES 64
#define MAX_TENANTS 64
#define MAX_TRACE 30
#define OPS 10           /* operations of one service */
#define ROW_MAX 8192     /* no row is longer */
#define OUT_SIZE (1 << 20)
#define N_USERS 100000
#define USEC 1000000LL
#define HOUR (3600 * USEC)

enum kind { SERVER, INTERNAL, CLIENT_DB, CLIENT_HTTP, CONSUMER, LOG };

/* A piece of output, padded so that a copy of fixed size is always inside. */
struct frag {
    uint32_t len;
    char s[252];
};

struct op {
    enum kind kind;
    const char *method;
    uint32_t median_us;
    struct frag name;  /* "name":"...","kind":"..." */
    struct frag path;  /* text before the id in the URL path, escaped */
    struct frag tail;  /* text after it */
    struct frag route; /* the attributes of this operation, without braces */
    struct frag label; /* for the summary */
};

struct service {
    struct frag resource; /* "resource___service___name":"..","resource___service___version":".." */
    struct frag nested;   /* the same, nested */
    struct frag name;
    struct op ops[OPS];
};

/* One row that waits for its time to come out. */
struct span {
    int64_t start_us, end_us, duration_ns;
    uint64_t trace_hi, trace_lo, id, parent, rnd, user_rnd;
    uint16_t service, op, tenant, log;
    bool failed, has_user, has_parent, is_log;
};

struct heap_entry {
    int64_t due_us;
    uint32_t slot;
    uint32_t serial; /* breaks ties, so that the order never depends on the heap */
};

struct gen {
    /* options */
    int64_t rows, files, start_us;
    uint64_t seed;
    int days, tenants, services;
    bool nested, shuffled;
    const char *prefix;

    struct service svc[MAX_SERVICES];
    uint64_t tenant_cut[MAX_TENANTS], service_cut[MAX_SERVICES]; /* cumulative shares of 2^64 */
    struct frag project[MAX_TENANTS];
    double *hour_cum; /* rows due before hour h, as a share of 1; days * 24 + 1 entries */
    int hour_at;
    double pow2[1025];

    uint64_t rng;
    struct span *pool;
    uint32_t *spare;
    struct heap_entry *heap;
    uint32_t n_pool, n_spare, n_heap, serial;

    int64_t day_cached;
    char day_text[12];

    int fd;
    int64_t file_at, rows_out, rows_in_file;
    char *out;
    size_t out_len;
};

static const struct {
    const char *name, *noun, *db, *table;
} service_words[] = {
    {"frontend", "pages", "redis", "sessions"},          {"api-gateway", "gateway", "redis", "rate_limits"},
    {"checkout", "orders", "postgresql", "orders"},      {"cart", "carts", "redis", "carts"},
    {"payment", "payments", "postgresql", "payments"},   {"catalog", "products", "elasticsearch", "products"},
    {"search", "queries", "elasticsearch", "documents"}, {"recommendation", "suggestions", "mongodb", "affinities"},
    {"inventory", "stock", "postgresql", "stock_levels"},{"shipping", "shipments", "mysql", "shipments"},
    {"email", "messages", "postgresql", "outbox"},       {"notification", "devices", "mongodb", "devices"},
    {"auth", "tokens", "redis", "tokens"},               {"user-profile", "profiles", "postgresql", "profiles"},
    {"billing", "invoices", "postgresql", "invoices"},   {"currency", "rates", "redis", "rates"},
    {"ad", "campaigns", "mysql", "campaigns"},           {"fraud-detection", "scores", "cassandra", "scores"},
    {"analytics", "events", "clickhouse", "events"},     {"review", "ratings", "mysql", "ratings"},
};
#define N_WORDS (sizeof service_words / sizeof *service_words)

/* Message templates of log lines: level, weight out of 1000, text as it stands inside JSON quotes. */
static const struct {
    const char *level;
    int weight;
    const char *text;
} log_words[] = {
    {"INFO", 330, "request completed"},
    {"INFO", 200, "handler started"},
    {"DEBUG", 160, "cache lookup"},
    {"DEBUG", 110, "acquired connection from pool"},
    {"INFO", 60, "published message to topic"},
    {"WARN", 50, "slow query detected"},
    {"WARN", 30, "retrying request after backoff"},
    {"INFO", 20, "configuration reloaded"},
    {"WARN", 12, "cache miss ratio above threshold"},
    {"ERROR", 8, "upstream timeout while reading response header"},
    {"ERROR", 6, "connection reset by peer"},
    {"INFO", 5, "user said \\\"hello\\\" \\ud83d\\udc4b and left"},
    {"WARN", 4, "path C:\\\\temp\\\\cache not writable"},
    {"INFO", 3, "обработка заказа завершена"},
    {"INFO", 1, "注文を確認しました ✓"},
    {"ERROR", 1, "panic: index out of range\\n\\tat main.go:42\\n\\tat server.go:7"},
};
#define N_LOGS (sizeof log_words / sizeof *log_words)

/* ---- numbers -------------------------------------------------------------------------------- */

static inline uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline uint64_t rnd(struct gen *g)
{
    return mix(g->rng += 0x9e3779b97f4a7c15u);
}

/* A number below n, taken from the upper half of r; n < 2^32. */
static inline uint32_t below(uint64_t r, uint32_t n)
{
    return (uint32_t)(((r >> 32) * n) >> 32);
}

static inline bool chance(uint64_t r, uint32_t per_million)
{
    return below(r, 1000000) < per_million;
}

static void pow2_init(struct gen *g)
{
    double root = 2.0; /* 2^(1/1024) by ten square roots, each by Newton's method */
    for (int i = 0; i < 10; i++) {
        double x = root;
        for (int k = 0; k < 60; k++)
            x = 0.5 * (x + root / x);
        root = x;
    }
    g->pow2[0] = 1.0;
    for (int i = 1; i <= 1024; i++)
        g->pow2[i] = g->pow2[i - 1] * root;
}

/* A factor with median 1 whose logarithm (base 2) is near normal with deviation 1.4. */
static double log_normal(const struct gen *g, uint64_t r)
{
    /* eight bytes, mean 127.5 and deviation 73.9 each: the sum has mean 1020 and deviation 209 */
    uint64_t pairs = (r & 0x00ff00ff00ff00ffu) + ((r >> 8) & 0x00ff00ff00ff00ffu);
    int sum = (int)((pairs * 0x0001000100010001u) >> 48);
    int e = (sum - 1020) * 7 + (int)(mix(r) & 7); /* in 1/1024: 209 * 7 / 1024 = 1.43 */
    int whole = (e + 10240) / 1024 - 10;
    double f = g->pow2[e - whole * 1024];
    return whole >= 0 ? f * (double)(1u << whole) : f / (double)(1u << -whole);
}

/* Where in the period the given share of all rows has come out: follows hour and weekday. */
static int64_t time_at(struct gen *g, double share)
{
    int h = g->hour_at, last = g->days * 24 - 1;
    if (share < g->hour_cum[h])
        h = 0;
    if (g->shuffled) {
        int hi = last;
        h = 0;
        while (h < hi) {
            int mid = (h + hi + 1) / 2;
            if (g->hour_cum[mid] <= share)
                h = mid;
            else
                hi = mid - 1;
        }
    }
    while (h < last && g->hour_cum[h + 1] <= share)
        h++;
    g->hour_at = h;
    double in = (share - g->hour_cum[h]) / (g->hour_cum[h + 1] - g->hour_cum[h]);
    /* the last hour ends early, so that its longest trace still ends in the period */
    return g->start_us + h * HOUR + (int64_t)(in * (double)(h < last ? HOUR : HOUR - 120 * USEC));
}

static int64_t days_from_civil(int y, int m, int d)
{
    y -= m <= 2;
    int era = (y >= 0 ? y : y - 399) / 400;
    int yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return (int64_t)era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t z, int *y, int *m, int *d)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int doe = (int)(z - era * 146097);
    int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp + (mp < 10 ? 3 : -9);
    *y = (int)(yoe + era * 400) + (*m <= 2);
}

/* ---- the words, made once ------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) frag_set(struct frag *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(f->s, sizeof f->s, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof f->s) {
        fprintf(stderr, "gen_spans: a fragment is too long: %s\n", f->s);
        exit(1);
    }
    f->len = (uint32_t)n;
}

static const char *const kind_names[] = {"SERVER", "INTERNAL", "CLIENT", "CLIENT", "CONSUMER", "LOG"};

static void op_set(struct op *op, enum kind kind, const char *method, uint32_t median_us, const char *name)
{
    op->kind = kind;
    op->method = method;
    op->median_us = median_us;
    frag_set(&op->name, "\"name\":\"%s\",\"kind\":\"%s\"", name, kind_names[kind]);
    frag_set(&op->label, "%s", name);
}

static void ops_init(struct service *s, int i)
{
    const char *noun = service_words[(size_t)i % N_WORDS].noun, *db = service_words[(size_t)i % N_WORDS].db;
    const char *table = service_words[(size_t)i % N_WORDS].table;
    const char *next = service_words[((size_t)i * 7 + 3) % N_WORDS].name;
    static const struct {
        const char *method, *tail;
        uint32_t us;
    } routes[4] = {{"GET", "", 9000}, {"GET", "/items", 25000}, {"POST", "/confirm", 48000}, {"DELETE", "", 14000}};
    char name[160];
    for (int k = 0; k < 4; k++) {
        const char *tail = routes[k].tail;
        snprintf(name, sizeof name, "%s /api/v1/%s/{id}%s", routes[k].method, noun, tail);
        op_set(&s->ops[k], SERVER, routes[k].method, routes[k].us, name);
        frag_set(&s->ops[k].path, "/api/v1/%s/", noun);
        frag_set(&s->ops[k].tail, "%s", tail);
        frag_set(&s->ops[k].route, "\"http.route\":\"/api/v1/%s/{id}%s\",\"url.scheme\":\"https\",\"server.port\":8443", noun,
                 tail);
    }
    /* one service has names that need escapes or more than ASCII */
    snprintf(name, sizeof name, i == 6 ? "%s.parse \\\"%s\\\"" : "%s.validate_%s", s->name.s, noun);
    op_set(&s->ops[4], INTERNAL, NULL, 1800, name);
    snprintf(name, sizeof name, i == 15 ? "%s.formatter_€_£" : "%s.load_%s", s->name.s, noun);
    op_set(&s->ops[5], INTERNAL, NULL, 3600, name);
    snprintf(name, sizeof name, "consume %s.%s", s->name.s, noun);
    op_set(&s->ops[6], CONSUMER, NULL, 22000, name);
    for (int k = 4; k < 7; k++)
        frag_set(&s->ops[k].route, "\"code.namespace\":\"com.example.%s\",\"code.lineno\":%d", noun, 40 + 13 * k + i);
    snprintf(name, sizeof name, "SELECT %s", table);
    op_set(&s->ops[7], CLIENT_DB, NULL, 2200, name);
    frag_set(&s->ops[7].route, "\"db.collection.name\":\"%s\",\"db.query.text\":\"SELECT * FROM %s WHERE id = $1\"",
             table, table);
    snprintf(name, sizeof name, "UPDATE %s", table);
    op_set(&s->ops[8], CLIENT_DB, NULL, 5200, name);
    frag_set(&s->ops[8].route, "\"db.collection.name\":\"%s\",\"db.query.text\":\"UPDATE %s SET state = $2 WHERE id = $1\"", table,
             table);
    for (int k = 7; k < 9; k++)
        frag_set(&s->ops[k].tail, "%s", db);
    snprintf(name, sizeof name, "POST %s", next);
    op_set(&s->ops[9], CLIENT_HTTP, "POST", 18000, name);
    frag_set(&s->ops[9].path, "/internal/%s/", next);
    frag_set(&s->ops[9].route, "\"server.address\":\"%s.default.svc.cluster.local\",\"server.port\":8080", next);
}

/* Shares that fall like 1/k, cumulative over 2^64. */
static void zipf_init(uint64_t *cut, int n)
{
    double total = 0, sum = 0;
    for (int i = 0; i < n; i++)
        total += 1.0 / (i + 1);
    for (int i = 0; i < n; i++) {
        sum += 1.0 / (i + 1);
        cut[i] = i == n - 1 ? UINT64_MAX : (uint64_t)(sum / total * 18446744073709500000.0);
    }
}

static void words_init(struct gen *g)
{
    for (int i = 0; i < g->services; i++) {
        struct service *s = &g->svc[i];
        int round = i / (int)N_WORDS;
        const char *word = service_words[(size_t)i % N_WORDS].name;
        if (round)
            frag_set(&s->name, "%s-%d", word, round + 1);
        else
            frag_set(&s->name, "%s", word);
        uint64_t v = mix(g->seed + (uint64_t)i * 77);
        unsigned major = 1 + below(v, 4), minor = below(mix(v), 30), patch = below(mix(v + 1), 12);
        frag_set(&s->resource, "\"resource___service___name\":\"%s\",\"resource___service___version\":\"%u.%u.%u\"", s->name.s, major,
                 minor, patch);
        frag_set(&s->nested, "\"resource\":{\"service\":{\"name\":\"%s\",\"version\":\"%u.%u.%u\"}}", s->name.s, major, minor, patch);
        ops_init(s, i);
    }
    zipf_init(g->service_cut, g->services);
    zipf_init(g->tenant_cut, g->tenants);
    for (int i = 0; i < g->tenants; i++)
        frag_set(&g->project[i], "\"project_id\":\"p%d\"", i + 1);
}

static int rate_init(struct gen *g)
{
    static const int by_hour[24] = {42, 34, 30, 28, 30, 38, 55, 80, 112, 136, 148, 152, 146, 150, 156, 154, 146, 138, 130, 124, 112, 92, 70, 54};
    static const int by_day[7] = {100, 104, 106, 104, 98, 62, 58}; /* from Monday */
    int n = g->days * 24;
    g->hour_cum = malloc(((size_t)n + 1) * sizeof *g->hour_cum);
    if (!g->hour_cum)
        return -1;
    double total = 0, sum = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int h = 0; h < n; h++) {
            int64_t hour = g->start_us / HOUR + h;
            double w = (double)by_hour[((hour % 24) + 24) % 24] * by_day[(((hour / 24 + 3) % 7) + 7) % 7];
            if (pass == 0) {
                total += w;
            } else {
                g->hour_cum[h] = sum / total;
                sum += w;
            }
        }
    }
    g->hour_cum[n] = 1.0;
    return 0;
}

/* ---- output --------------------------------------------------------------------------------- */

static int flush_out(struct gen *g)
{
    for (size_t at = 0; at < g->out_len;) {
        ssize_t n = write(g->fd, g->out + at, g->out_len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno != EPIPE)
                fprintf(stderr, "gen_spans: write: %s\n", strerror(errno));
            return -1;
        }
        at += (size_t)n;
    }
    g->out_len = 0;
    return 0;
}

static int close_file(struct gen *g)
{
    if (flush_out(g))
        return -1;
    if (g->prefix && g->fd >= 0) {
        int rc = close(g->fd);
        g->fd = -1;
        if (rc) {
            fprintf(stderr, "gen_spans: close: %s\n", strerror(errno));
            return -1;
        }
    }
    return 0;
}

static int next_file(struct gen *g)
{
    char path[4096];
    if (g->fd >= 0 && close_file(g))
        return -1;
    int n = snprintf(path, sizeof path, "%s-%04lld.ndjson", g->prefix, (long long)g->file_at);
    if (n < 0 || (size_t)n >= sizeof path) {
        fprintf(stderr, "gen_spans: prefix too long\n");
        return -1;
    }
    g->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (g->fd < 0) {
        fprintf(stderr, "gen_spans: %s: %s\n", path, strerror(errno));
        return -1;
    }
    /* the first rows % files files hold one more */
    g->rows_in_file = g->rows / g->files + (g->file_at < g->rows % g->files);
    g->file_at++;
    return 0;
}

#define PUT(p, lit) ((p) = (char *)memcpy((p), (lit), sizeof(lit) - 1) + sizeof(lit) - 1)

static inline char *put_frag(char *p, const struct frag *f)
{
    memcpy(p, f->s, 64);
    if (f->len > 64)
        memcpy(p + 64, f->s + 64, sizeof f->s - 64);
    return p + f->len;
}

static inline char *put_text(char *p, const char *s)
{
    size_t n = strlen(s);
    memcpy(p, s, n);
    return p + n;
}

static const char two_digits[201] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static inline char *put2(char *p, uint32_t v)
{
    memcpy(p, two_digits + v * 2, 2);
    return p + 2;
}

static char *put_u64(char *p, uint64_t v)
{
    char tmp[20];
    int at = 20;
    while (v >= 100) {
        memcpy(tmp + (at -= 2), two_digits + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10)
        memcpy(tmp + (at -= 2), two_digits + v * 2, 2);
    else
        tmp[--at] = (char)('0' + v);
    memcpy(p, tmp + at, (size_t)(20 - at));
    return p + (20 - at);
}

/* Sixteen hex digits without a branch or a table: spread the nibbles, then add '0' or 'a' - 10. */
static inline uint64_t hex8(uint32_t v)
{
    uint64_t x = __builtin_bswap32(v);
    x = (x | (x << 16)) & 0x0000ffff0000ffffu;
    x = (x | (x << 8)) & 0x00ff00ff00ff00ffu;
    x = ((x >> 4) | (x << 8)) & 0x0f0f0f0f0f0f0f0fu;
    uint64_t letters = ((x + 0x0606060606060606u) >> 4) & 0x0101010101010101u;
    return x + 0x3030303030303030u + letters * 39;
}

static inline char *put_hex16(char *p, uint64_t v)
{
    uint64_t a = hex8((uint32_t)(v >> 32)), b = hex8((uint32_t)v);
    memcpy(p, &a, 8);
    memcpy(p + 8, &b, 8);
    return p + 16;
}

static char *put_uuid(char *p, uint64_t hi, uint64_t lo)
{
    char h[32];
    put_hex16(h, (hi & ~UINT64_C(0xf000)) | 0x4000u);
    put_hex16(h + 16, (lo >> 2) | UINT64_C(1) << 63);
    memcpy(p, h, 8), p[8] = '-';
    memcpy(p + 9, h + 8, 4), p[13] = '-';
    memcpy(p + 14, h + 12, 4), p[18] = '-';
    memcpy(p + 19, h + 16, 4), p[23] = '-';
    memcpy(p + 24, h + 20, 12);
    return p + 36;
}

/* "2026-11-01T00:00:00.000000Z" with quotes */
static char *put_time(struct gen *g, char *p, int64_t us)
{
    int64_t day = us / (24 * HOUR);
    if (day != g->day_cached) {
        int y, m, d;
        civil_from_days(day, &y, &m, &d);
        snprintf(g->day_text, sizeof g->day_text, "%04u-%02u-%02u", (unsigned)y % 10000, (unsigned)m % 100, (unsigned)d % 100);
        g->day_cached = day;
    }
    uint64_t in = (uint64_t)(us - day * 24 * HOUR);
    uint32_t sec = (uint32_t)(in / 1000000), frac = (uint32_t)(in % 1000000);
    *p++ = '"';
    memcpy(p, g->day_text, 10);
    p[10] = 'T';
    p = put2(p + 11, sec / 3600), *p++ = ':';
    p = put2(p, sec / 60 % 60), *p++ = ':';
    p = put2(p, sec % 60), *p++ = '.';
    p = put2(p, frac / 10000);
    p = put2(p, frac / 100 % 100);
    p = put2(p, frac % 100);
    *p++ = 'Z';
    *p++ = '"';
    return p;
}

static char *put_ms(char *p, int64_t ns)
{
    p = put_u64(p, (uint64_t)ns / 1000000);
    *p++ = '.';
    p = put2(p, (uint32_t)((uint64_t)ns / 10000 % 100));
    PUT(p, "ms");
    return p;
}

/* ---- one row -------------------------------------------------------------------------------- */

static int http_status(const struct op *op, const struct span *sp)
{
    static const short bad[8] = {500, 500, 500, 503, 503, 504, 502, 429};
    uint64_t r = mix(sp->rnd + 11);
    if (sp->failed)
        return bad[r & 7];
    if (op->method[0] == 'P')
        return chance(r, 700000) ? 201 : 200;
    if (op->method[0] == 'D')
        return 204;
    uint32_t u = below(r, 1000);
    return u < 930 ? 200 : u < 960 ? 304 : u < 985 ? 404 : u < 995 ? 401 : 400;
}

static char *put_user(char *p, uint64_t user_rnd)
{
    uint32_t a = below(user_rnd, N_USERS), b = below(user_rnd << 32, N_USERS); /* the product favours low numbers */
    uint32_t user = (uint32_t)((uint64_t)a * b / N_USERS);
    if (user % 997 == 13) { /* some have chosen names of their own */
        PUT(p, "\"zoë.o'neil+");
    } else {
        PUT(p, "\"user-");
    }
    p = put_u64(p, user);
    *p++ = '"';
    return p;
}

static char *put_path(char *p, const struct op *op, const struct span *sp)
{
    *p++ = '"';
    p = put_frag(p, &op->path);
    uint64_t r = mix(sp->rnd + 21);
    /* a quarter goes to few hot things, the rest to many */
    p = put_u64(p, chance(r, 250000) ? 1 + below(mix(r), 40) : 1000 + below(mix(r), 200000));
    p = put_frag(p, &op->tail);
    *p++ = '"';
    return p;
}

/* The free attributes: what has no column of its own. */
static char *put_attributes(char *p, const struct gen *g, const struct span *sp, const struct op *op)
{
    uint64_t r = mix(sp->rnd + 31);
    const struct service *svc = &g->svc[sp->service];
    if (sp->is_log) {
        PUT(p, "\"log.message\":\"");
        p = put_text(p, log_words[sp->log].text);
        PUT(p, " in ");
        p = put_u64(p, below(r, 5000));
        PUT(p, " ms\",\"log.iostream\":\"stdout\",\"code.lineno\":");
        p = put_u64(p, 10 + below(mix(r), 900));
    } else {
        p = put_frag(p, &op->route);
    }
    PUT(p, ",\"host.name\":\"");
    p = put_frag(p, &svc->name);
    PUT(p, "-7f9c-");
    p = put_u64(p, r & 7);
    PUT(p, "\",\"thread.id\":");
    p = put_u64(p, 1 + ((r >> 3) & 63));
    if (sp->has_user) {
        PUT(p, ",\"client.address\":\"10.");
        p = put_u64(p, 8 + sp->service);
        *p++ = '.';
        p = put_u64(p, (r >> 9) & 15);
        *p++ = '.';
        p = put_u64(p, (r >> 13) & 255);
        *p++ = '"';
    }
    if (sp->failed && !sp->is_log) {
        static const char *const causes[4] = {
            "context deadline exceeded: timeout after 3000ms",
            "connection refused",
            "duplicate key value violates unique constraint \\\"pk\\\"",
            "unexpected EOF\\r\\n",
        };
        PUT(p, ",\"exception.message\":\"");
        p = put_text(p, causes[(r >> 24) & 3]);
        PUT(p, "\",\"exception.escaped\":false");
    }
    return p;
}

static char *put_summary(char *p, const struct gen *g, const struct span *sp, const struct op *op, int status)
{
    PUT(p, "\"summary\":[\"service:");
    p = put_frag(p, &g->svc[sp->service].name);
    PUT(p, "\",\"");
    if (sp->is_log) {
        PUT(p, "log⇒");
        p = put_text(p, log_words[sp->log].level);
        PUT(p, "\"]");
        return p;
    }
    if (sp->failed) {
        PUT(p, "failed⇒");
        p = put_frag(p, &op->label);
        PUT(p, "\",\"");
    }
    PUT(p, "duration;right⇒");
    p = put_ms(p, sp->duration_ns);
    if (status) {
        PUT(p, "\",\"status⇒");
        p = put_u64(p, (uint64_t)status);
    }
    PUT(p, "\"]");
    return p;
}

/* The columns that stand nested or flat: context, attributes, resource. */
static char *put_groups(char *p, const struct gen *g, const struct span *sp, const struct op *op, int status)
{
    bool http = !sp->is_log && op->method, db = !sp->is_log && op->kind == CLIENT_DB;
    uint64_t session = mix(sp->user_rnd + (uint64_t)(sp->start_us / HOUR));
    const bool n = g->nested;
#define KEY(flat, nest) do { if (n) PUT(p, nest); else PUT(p, flat); } while (0)
    KEY("\"context___trace_id\":\"", "\"context\":{\"trace_id\":\"");
    p = put_hex16(p, sp->trace_hi);
    p = put_hex16(p, sp->trace_lo);
    KEY("\",\"context___span_id\":\"", "\",\"span_id\":\"");
    p = put_hex16(p, sp->id);
    KEY("\",\"attributes\":{", "\"},\"attributes\":{");
    p = put_attributes(p, g, sp, op);
    if (!n)
        *p++ = '}';
    if (http) {
        KEY(",\"attributes___http___request___method\":\"", ",\"http\":{\"request\":{\"method\":\"");
        p = put_text(p, op->method);
        KEY("\",\"attributes___http___response___status_code\":", "\"},\"response\":{\"status_code\":");
        p = put_u64(p, (uint64_t)status);
        KEY(",\"attributes___url___path\":", "}},\"url\":{\"path\":");
        p = put_path(p, op, sp);
        if (n)
            *p++ = '}';
    }
    if (sp->has_user) {
        KEY(",\"attributes___user___id\":", ",\"user\":{\"id\":");
        p = put_user(p, sp->user_rnd);
        KEY(",\"attributes___session___id\":\"", "},\"session\":{\"id\":\"");
        p = put_hex16(p, session);
        KEY("\"", "\"}");
    }
    if (db) {
        KEY(",\"attributes___db___system___name\":\"", ",\"db\":{\"system\":{\"name\":\"");
        p = put_frag(p, &op->tail);
        KEY("\"", "\"}}");
    }
    if (n)
        *p++ = '}';
    *p++ = ',';
    p = put_frag(p, n ? &g->svc[sp->service].nested : &g->svc[sp->service].resource);
#undef KEY
    return p;
}

static char *put_row(struct gen *g, char *row, const struct span *sp)
{
    const struct op *op = &g->svc[sp->service].ops[sp->op];
    bool http = !sp->is_log && op->method;
    int status = http ? http_status(op, sp) : 0;
    char *p = row;
    PUT(p, "{\"timestamp\":");
    char *time = p;
    p = put_time(g, p, sp->start_us);
    size_t time_len = (size_t)(p - time);
    PUT(p, ",\"id\":\"");
    p = put_uuid(p, mix(sp->rnd), mix(sp->rnd + 1));
    if (sp->has_parent) {
        PUT(p, "\",\"parent_id\":\"");
        p = put_hex16(p, sp->parent);
        PUT(p, "\",");
    } else {
        PUT(p, "\",\"parent_id\":null,");
    }
    if (sp->is_log) {
        PUT(p, "\"name\":\"");
        p = put_text(p, log_words[sp->log].text);
        PUT(p, "\",\"kind\":\"LOG\",\"status_code\":null,\"level\":\"");
        p = put_text(p, log_words[sp->log].level);
        PUT(p, "\",\"duration\":null,\"start_time\":");
        p = (char *)memcpy(p, time, time_len) + time_len;
        PUT(p, ",\"end_time\":null,");
    } else {
        p = put_frag(p, &op->name);
        if (sp->failed)
            PUT(p, ",\"status_code\":\"ERROR\",\"level\":\"ERROR\",\"duration\":");
        else if (op->kind == INTERNAL)
            PUT(p, ",\"status_code\":\"UNSET\",\"level\":\"DEBUG\",\"duration\":");
        else
            PUT(p, ",\"status_code\":\"OK\",\"level\":\"INFO\",\"duration\":");
        p = put_u64(p, (uint64_t)sp->duration_ns);
        PUT(p, ",\"start_time\":");
        p = (char *)memcpy(p, time, time_len) + time_len;
        PUT(p, ",\"end_time\":");
        p = put_time(g, p, sp->end_us);
        *p++ = ',';
    }
    p = put_groups(p, g, sp, op, status);
    *p++ = ',';
    p = put_frag(p, &g->project[sp->tenant]);
    *p++ = ',';
    p = put_summary(p, g, sp, op, status);
    size_t size = (size_t)(p - row);
    PUT(p, ",\"message_size_bytes\":");
    p = put_u64(p, size);
    PUT(p, "}\n");
    return p;
}

static int emit(struct gen *g, const struct span *sp)
{
    if (g->prefix && g->rows_in_file == 0 && next_file(g))
        return -1;
    if (g->out_len + ROW_MAX > OUT_SIZE && flush_out(g))
        return -1;
    g->out_len = (size_t)(put_row(g, g->out + g->out_len, sp) - g->out);
    g->rows_in_file--;
    g->rows_out++;
    return 0;
}

/* ---- rows that wait: a heap by the time when the collector sees them ---------------------------- */

static inline bool due_before(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->serial < b->serial;
}

static int heap_push(struct gen *g, const struct span *sp, int64_t due_us)
{
    if (g->n_spare == 0) {
        uint32_t more = g->n_pool ? g->n_pool : 1024;
        if (more > UINT32_MAX / 2)
            return -1;
        size_t n = (size_t)g->n_pool + more;
        struct span *pool = realloc(g->pool, n * sizeof *pool);
        if (pool)
            g->pool = pool;
        uint32_t *spare = realloc(g->spare, n * sizeof *spare);
        if (spare)
            g->spare = spare;
        struct heap_entry *heap = realloc(g->heap, n * sizeof *heap);
        if (heap)
            g->heap = heap;
        if (!pool || !spare || !heap)
            return -1;
        for (uint32_t i = 0; i < more; i++)
            g->spare[g->n_spare++] = g->n_pool + more - 1 - i;
        g->n_pool += more;
    }
    struct heap_entry e = {due_us, g->spare[--g->n_spare], g->serial++};
    g->pool[e.slot] = *sp;
    uint32_t i = g->n_heap++;
    while (i > 0 && due_before(&e, &g->heap[(i - 1) / 2])) {
        g->heap[i] = g->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    g->heap[i] = e;
    return 0;
}

static uint32_t heap_pop(struct gen *g)
{
    uint32_t slot = g->heap[0].slot, n = --g->n_heap, i = 0;
    struct heap_entry e = g->heap[n];
    for (uint32_t c; (c = 2 * i + 1) < n; i = c) {
        if (c + 1 < n && due_before(&g->heap[c + 1], &g->heap[c]))
            c++;
        if (!due_before(&g->heap[c], &e))
            break;
        g->heap[i] = g->heap[c];
    }
    g->heap[i] = e;
    g->spare[g->n_spare++] = slot;
    return slot;
}

static int emit_due(struct gen *g, int64_t until_us)
{
    while (g->n_heap && g->heap[0].due_us < until_us)
        if (emit(g, &g->pool[heap_pop(g)]))
            return -1;
    return 0;
}

/* ---- traces --------------------------------------------------------------------------------- */

static uint16_t pick(const uint64_t *cut, int n, uint64_t r)
{
    int i = 0;
    while (i < n - 1 && r >= cut[i])
        i++;
    return (uint16_t)i;
}

static bool span_fails(const struct gen *g, const struct span *sp, uint64_t r)
{
    uint64_t window = mix(g->seed ^ mix((uint64_t)(sp->start_us / (300 * USEC)) * MAX_SERVICES + sp->service));
    return chance(r, window % 211 == 0 ? 300000 : 20000);
}

static uint16_t pick_log(uint64_t r)
{
    int u = (int)below(r, 1000);
    for (uint16_t i = 0; i < N_LOGS; i++)
        if ((u -= log_words[i].weight) < 0)
            return i;
    return 0;
}

/* Which operation a child of parent has, and in which service. */
static void pick_child(struct gen *g, struct span *sp, const struct span *parent)
{
    uint64_t r = rnd(g);
    enum kind pk = g->svc[parent->service].ops[parent->op].kind;
    sp->service = parent->service;
    if (pk == CLIENT_HTTP) { /* what it calls, in another service */
        sp->service = (uint16_t)((parent->service * 7 + 3) % g->services);
        sp->op = (uint16_t)(r & 3);
        return;
    }
    uint32_t u = below(r, 100);
    sp->is_log = u < 16;
    sp->op = u < 16 ? parent->op : u < 40 ? (uint16_t)(4 + (r & 1)) : u < 72 ? (uint16_t)(7 + (r & 1)) : 9;
    if (sp->is_log)
        sp->log = pick_log(rnd(g));
}

static void child_times(const struct gen *g, struct span *sp, const struct span *parent, uint64_t r)
{
    int64_t room_ns = parent->duration_ns;
    int64_t skip_ns = (int64_t)((double)room_ns * 0.9 * ((double)(r >> 11) / 9007199254740992.0));
    sp->start_us = parent->start_us + skip_ns / 1000;
    if (sp->is_log) {
        sp->end_us = sp->start_us;
        return;
    }
    int64_t left = room_ns - skip_ns - 1000;
    int64_t want = (int64_t)(log_normal(g, mix(r)) * (double)g->svc[sp->service].ops[sp->op].median_us * 1000.0);
    if (want > left)
        want = left;
    sp->duration_ns = want < 1000 ? 1000 : want;
    sp->end_us = sp->start_us + sp->duration_ns / 1000;
}

static int trace_size(uint64_t r)
{
    int n = 1;
    if (chance(r, 180000))
        return n;
    for (r = mix(r); n < MAX_TRACE && (r % 100) < 86; r = mix(r))
        n++;
    return n;
}

/* Make one trace of at most max rows in spans; returns how many. */
static int trace_make(struct gen *g, struct span *spans, int64_t max, int64_t base_us)
{
    int n = trace_size(rnd(g));
    if (n > max)
        n = (int)max;
    struct span *root = &spans[0];
    memset(root, 0, sizeof *root);
    root->trace_hi = rnd(g), root->trace_lo = rnd(g);
    root->tenant = pick(g->tenant_cut, g->tenants, rnd(g));
    root->service = pick(g->service_cut, g->services, rnd(g));
    uint64_t r = rnd(g);
    root->op = chance(r, 900000) ? (uint16_t)(r & 3) : 6;
    root->user_rnd = rnd(g);
    root->has_user = root->op != 6 && chance(mix(r), 800000);
    root->start_us = base_us;
    double ns = log_normal(g, rnd(g)) * (double)g->svc[root->service].ops[root->op].median_us * 1000.0 * (1 + n / 8.0);
    root->duration_ns = (int64_t)(ns < 60e9 ? ns : 60e9);
    root->end_us = base_us + root->duration_ns / 1000;
    root->id = rnd(g), root->rnd = rnd(g);
    root->failed = span_fails(g, root, rnd(g));
    int parents[MAX_TRACE], n_parents = 1; /* those that can have children */
    parents[0] = 0;
    for (int i = 1; i < n; i++) {
        struct span *sp = &spans[i];
        r = rnd(g);
        /* the parent is among the last few */
        const struct span *parent = &spans[parents[n_parents - 1 - (int)below(r, n_parents < 4 ? (uint32_t)n_parents : 4)]];
        *sp = (struct span){.trace_hi = root->trace_hi, .trace_lo = root->trace_lo, .tenant = root->tenant,
                            .user_rnd = root->user_rnd, .parent = parent->id, .has_parent = true};
        pick_child(g, sp, parent);
        child_times(g, sp, parent, rnd(g));
        sp->id = rnd(g), sp->rnd = rnd(g);
        sp->failed = !sp->is_log && span_fails(g, sp, rnd(g));
        sp->has_user = root->has_user && (sp->is_log ? r & 1 : sp->op < 4);
        if (sp->failed && chance(mix(r), 300000))
            root->failed = true;
        if (!sp->is_log && g->svc[sp->service].ops[sp->op].kind != CLIENT_DB)
            parents[n_parents++] = i;
    }
    return n;
}

static int generate(struct gen *g)
{
    struct span spans[MAX_TRACE];
    double rows = (double)g->rows;
    for (int64_t made = 0; made < g->rows;) {
        double share = g->shuffled ? (double)(rnd(g) >> 11) / 9007199254740992.0 : (double)made / rows;
        int64_t base_us = time_at(g, share);
        if (!g->shuffled && emit_due(g, base_us))
            return -1;
        int n = trace_make(g, spans, g->rows - made, base_us);
        for (int i = 0; i < n; i++) {
            uint64_t r = rnd(g);
            if (g->shuffled) {
                if (emit(g, &spans[i]))
                    return -1;
                continue;
            }
            /* most are seen within a second, one in a hundred within ten */
            int64_t delay = below(mix(r), chance(r, 10000) ? 10 * USEC : 1 * USEC);
            if (heap_push(g, &spans[i], spans[i].end_us + delay)) {
                fprintf(stderr, "gen_spans: out of memory\n");
                return -1;
            }
        }
        made += n;
    }
    if (emit_due(g, INT64_MAX))
        return -1;
    while (g->prefix && g->file_at < g->files) /* more files than rows */
        if (next_file(g))
            return -1;
    return close_file(g);
}

/* ---- options -------------------------------------------------------------------------------- */

static const char usage_text[] =
    "usage: gen_spans [--rows N] [--seed N] [--start TIME] [--days D] [--tenants T] [--services S]\n"
    "                 [--order time|random] [--nested] [--format ndjson] [--out-prefix P [--files K]]\n"
    "\n"
    "Print N OpenTelemetry-like spans and logs as NDJSON, the same bytes for the same options.\n"
    "\n"
    "  -n, --rows N         how many rows, also as 10K or 1M (default 100K)\n"
    "  -s, --seed N         another seed, other rows (default 1)\n"
    "      --start TIME     midnight at which they begin (default 2026-11-01T00:00:00Z)\n"
    "      --days D         over how many days they spread (default 30)\n"
    "      --tenants T      p1 to pT; p1 has most (default 4, at most 64)\n"
    "      --services S     how many services (default 20, at most 64)\n"
    "      --order O        time: as they arrive, nearly sorted; random: any (default time)\n"
    "      --nested         {\"resource\":{\"service\":...}} instead of \"resource___service___...\"\n"
    "      --out-prefix P   write P-0000.ndjson and so on instead of standard output\n"
    "      --files K        into so many files of equal rows (default 1)\n";

static int64_t number(const char *opt, const char *s, int64_t min, int64_t max)
{
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    int64_t unit = *end == 'K' ? 1000 : *end == 'M' ? 1000000 : *end == 'G' ? 1000000000 : 1;
    if (unit > 1)
        end++;
    if (errno || end == s || *end || v < min || v > max / unit) {
        fprintf(stderr, "gen_spans: --%s %s: a number from %lld to %lld is wanted\n", opt, s, (long long)min, (long long)max);
        exit(2);
    }
    return v * unit;
}

static int64_t start_time(const char *s)
{
    int y, m, d, used = 0;
    char rest[32];
    if (sscanf(s, "%4d-%2d-%2d%n", &y, &m, &d, &used) != 3 || used != 10 || y < 1971 || y > 2200 || m < 1 || m > 12 || d < 1 ||
        d > 31 || snprintf(rest, sizeof rest, "%s", s + used) < 0 || (rest[0] && strcmp(rest, "T00:00:00Z") != 0)) {
        fprintf(stderr, "gen_spans: --start %s: a day is wanted, as 2026-11-01 or 2026-11-01T00:00:00Z\n", s);
        exit(2);
    }
    return days_from_civil(y, m, d) * 24 * HOUR;
}

static void parse_options(struct gen *g, int argc, char **argv)
{
    static const struct option table[] = {
        {"rows", 1, 0, 'n'}, {"seed", 1, 0, 's'}, {"start", 1, 0, 'S'}, {"days", 1, 0, 'd'},
        {"tenants", 1, 0, 't'}, {"services", 1, 0, 'v'}, {"order", 1, 0, 'o'}, {"nested", 0, 0, 'N'},
        {"format", 1, 0, 'f'}, {"out-prefix", 1, 0, 'p'}, {"files", 1, 0, 'k'}, {"help", 0, 0, 'h'}, {0, 0, 0, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "n:s:h", table, NULL)) != -1) {
        switch (c) {
        case 'n': g->rows = number("rows", optarg, 0, 1000000000000); break;
        case 's': g->seed = (uint64_t)number("seed", optarg, 0, INT64_MAX); break;
        case 'S': g->start_us = start_time(optarg); break;
        case 'd': g->days = (int)number("days", optarg, 1, 3660); break;
        case 't': g->tenants = (int)number("tenants", optarg, 1, MAX_TENANTS); break;
        case 'v': g->services = (int)number("services", optarg, 1, MAX_SERVICES); break;
        case 'o':
            if (strcmp(optarg, "time") != 0 && strcmp(optarg, "random") != 0) {
                fprintf(stderr, "gen_spans: --order %s: time or random is wanted\n", optarg);
                exit(2);
            }
            g->shuffled = *optarg == 'r';
            break;
        case 'N': g->nested = true; break;
        case 'f':
            if (strcmp(optarg, "ndjson") != 0) {
                fprintf(stderr, "gen_spans: --format %s: only ndjson is known\n", optarg);
                exit(2);
            }
            break;
        case 'p': g->prefix = optarg; break;
        case 'k': g->files = number("files", optarg, 1, 1000000); break;
        case 'h': fputs(usage_text, stdout); exit(fflush(stdout) ? 1 : 0);
        default: fputs(usage_text, stderr); exit(2);
        }
    }
    if (optind < argc || (g->files > 1 && !g->prefix)) {
        fputs(optind < argc ? usage_text : "gen_spans: --files needs --out-prefix\n", stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct gen g = {.rows = 100000, .seed = 1, .files = 1, .days = 30, .tenants = 4, .services = 20, .day_cached = -1};
    g.start_us = days_from_civil(2026, 11, 1) * 24 * HOUR;
    parse_options(&g, argc, argv);
    g.rng = mix(g.seed * 0x9e3779b97f4a7c15u + 1);
    g.fd = g.prefix ? -1 : STDOUT_FILENO;
    g.out = malloc(OUT_SIZE);
    if (!g.out || rate_init(&g)) {
        fprintf(stderr, "gen_spans: out of memory\n");
        return 1;
    }
    pow2_init(&g);
    words_init(&g);
    int rc = generate(&g) ? 1 : 0;
    free(g.out);
    free(g.hour_cum);
    free(g.pool);
    free(g.spare);
    free(g.heap);
    return rc;
}
