/*
 * duckdb_run: SQL through DuckDB's C library as one short process, the peer that tsf-query is timed against.
 *
 * The library is loaded at run time ($DUCKDB_LIB, else build/peers/libduckdb.so) and the few functions used
 * are declared here, so that neither headers nor the library are needed to build.
 *
 *   duckdb_run [--threads N] [--memory SIZE] [--csv] [--timing] [-f FILE] [SQL...]
 *
 * All statements run in order. Of the last one the rows are counted, or printed with --csv. --timing says
 * on stderr how long loading the library, opening the database and running took, in milliseconds.
 */
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* As in duckdb.h; the result is passed by value, so its size matters. */
typedef struct {
    uint64_t deprecated[3];
    void *deprecated_pointers[2];
    void *internal_data;
} duckdb_result;

typedef struct { /* a string of 12 bytes or less stands in place */
    uint32_t length;
    char prefix[4];
    union {
        const char *pointer;
        char rest[8];
    } u;
} duckdb_string;

static struct {
    int (*create_config)(void **config);
    int (*set_config)(void *config, const char *name, const char *value);
    int (*open_ext)(const char *path, void **db, void *config, char **error);
    void (*close)(void **db);
    int (*connect)(void *db, void **con);
    void (*disconnect)(void **con);
    int (*query)(void *con, const char *sql, duckdb_result *result);
    const char *(*result_error)(duckdb_result *result);
    void (*destroy_result)(duckdb_result *result);
    uint64_t (*column_count)(duckdb_result *result);
    const char *(*column_name)(duckdb_result *result, uint64_t col);
    void *(*fetch_chunk)(duckdb_result result);
    uint64_t (*chunk_size)(void *chunk);
    void *(*chunk_vector)(void *chunk, uint64_t col);
    void (*destroy_chunk)(void **chunk);
    void *(*vector_data)(void *vector);
    uint64_t *(*vector_validity)(void *vector);
    const char *(*version)(void);
} duck;

static int load(void)
{
    static const struct {
        const char *name;
        void *slot;
    } table[] = {
        {"duckdb_create_config", &duck.create_config}, {"duckdb_set_config", &duck.set_config},
        {"duckdb_open_ext", &duck.open_ext}, {"duckdb_close", &duck.close},
        {"duckdb_connect", &duck.connect}, {"duckdb_disconnect", &duck.disconnect},
        {"duckdb_query", &duck.query}, {"duckdb_result_error", &duck.result_error},
        {"duckdb_destroy_result", &duck.destroy_result}, {"duckdb_column_count", &duck.column_count},
        {"duckdb_column_name", &duck.column_name}, {"duckdb_fetch_chunk", &duck.fetch_chunk},
        {"duckdb_data_chunk_get_size", &duck.chunk_size}, {"duckdb_data_chunk_get_vector", &duck.chunk_vector},
        {"duckdb_destroy_data_chunk", &duck.destroy_chunk}, {"duckdb_vector_get_data", &duck.vector_data},
        {"duckdb_vector_get_validity", &duck.vector_validity}, {"duckdb_library_version", &duck.version},
    };
    const char *path = getenv("DUCKDB_LIB");
    void *lib = dlopen(path && *path ? path : "build/peers/libduckdb.so", RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        fprintf(stderr, "duckdb_run: %s\n", dlerror());
        return -1;
    }
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        void *sym = dlsym(lib, table[i].name);
        if (!sym) {
            fprintf(stderr, "duckdb_run: no %s in the library\n", table[i].name);
            return -1;
        }
        memcpy(table[i].slot, &sym, sizeof sym);
    }
    return 0;
}

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void print_field(const char *s, size_t n)
{
    bool quote = n == 0 || memchr(s, ',', n) || memchr(s, '"', n) || memchr(s, '\n', n) || memchr(s, '\r', n);
    if (!quote) {
        fwrite(s, 1, n, stdout);
        return;
    }
    putchar('"');
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"')
            putchar('"');
        putchar(s[i]);
    }
    putchar('"');
}

/* All columns are strings here, see run_last(). NULL is an empty field, "" an empty string. */
static void print_chunk(void *chunk, uint64_t n_cols)
{
    uint64_t n = duck.chunk_size(chunk);
    for (uint64_t row = 0; row < n; row++) {
        for (uint64_t col = 0; col < n_cols; col++) {
            void *vec = duck.chunk_vector(chunk, col);
            const uint64_t *valid = duck.vector_validity(vec);
            const duckdb_string *s = (const duckdb_string *)duck.vector_data(vec) + row;
            if (col)
                putchar(',');
            if (!valid || (valid[row / 64] >> (row % 64) & 1))
                print_field(s->length <= 12 ? s->prefix : s->u.pointer, s->length);
        }
        putchar('\n');
    }
}

static int run(void *con, const char *sql, bool csv, bool last)
{
    duckdb_result res;
    char *text = NULL;
    int rc = -1;
    if (csv) { /* let DuckDB turn every type into text */
        size_t n = strlen(sql);
        while (n && strchr("; \n\t", sql[n - 1]))
            n--;
        if (asprintf(&text, "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (%.*s\n)", (int)n, sql) < 0)
            return -1;
    }
    if (duck.query(con, text ? text : sql, &res)) {
        fprintf(stderr, "duckdb_run: %s\n", duck.result_error(&res));
        goto done;
    }
    if (last) {
        uint64_t n_cols = duck.column_count(&res), rows = 0;
        void *chunk;
        for (uint64_t i = 0; csv && i < n_cols; i++) {
            const char *name = duck.column_name(&res, i);
            if (i)
                putchar(',');
            print_field(name, strlen(name));
        }
        if (csv)
            putchar('\n');
        while ((chunk = duck.fetch_chunk(res)) != NULL) {
            rows += duck.chunk_size(chunk);
            if (csv)
                print_chunk(chunk, n_cols);
            duck.destroy_chunk(&chunk);
        }
        if (!csv)
            printf("%llu rows\n", (unsigned long long)rows);
    }
    rc = 0;
done:
    duck.destroy_result(&res);
    free(text);
    return rc;
}

static char *read_all(const char *path)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    char *text = NULL;
    size_t size = 0;
    if (!f || getdelim(&text, &size, '\0', f) < 0) {
        fprintf(stderr, "duckdb_run: %s: %s\n", path, f ? "nothing to read" : strerror(errno));
        exit(1);
    }
    if (f != stdin)
        fclose(f);
    return text;
}

int main(int argc, char **argv)
{
    static const struct option table[] = {
        {"threads", 1, 0, 't'}, {"memory", 1, 0, 'm'}, {"csv", 0, 0, 'c'},
        {"timing", 0, 0, 'T'},  {"file", 1, 0, 'f'},   {0, 0, 0, 0},
    };
    const char *threads = "2", *memory = NULL, *sql[64];
    bool csv = false, timing = false;
    int c, n_sql = 0, rc = 1;
    while ((c = getopt_long(argc, argv, "t:m:cTf:", table, NULL)) != -1) {
        switch (c) {
        case 't': threads = optarg; break;
        case 'm': memory = optarg; break;
        case 'c': csv = true; break;
        case 'T': timing = true; break;
        case 'f': if (n_sql < 64) sql[n_sql++] = read_all(optarg); break;
        default: return 2;
        }
    }
    while (optind < argc && n_sql < 64)
        sql[n_sql++] = argv[optind++];
    setenv("TZ", "UTC", 1);
    double t0 = now_ms();
    if (load())
        return 1;
    double t1 = now_ms();
    void *config = NULL, *db = NULL, *con = NULL;
    char *error = NULL;
    if (duck.create_config(&config) || duck.set_config(config, "threads", threads) ||
        (memory && duck.set_config(config, "memory_limit", memory)) || duck.open_ext(NULL, &db, config, &error) ||
        duck.connect(db, &con)) {
        fprintf(stderr, "duckdb_run: cannot open a database: %s\n", error ? error : "");
        return 1;
    }
    double t2 = now_ms();
    for (int i = 0; i < n_sql; i++)
        if (run(con, sql[i], csv && i == n_sql - 1, i == n_sql - 1))
            goto done;
    rc = fflush(stdout) ? 1 : 0;
done:
    if (timing)
        fprintf(stderr, "load %.2f ms, open %.2f ms, run %.2f ms, DuckDB %s\n", t1 - t0, t2 - t1, now_ms() - t2, duck.version());
    duck.disconnect(&con);
    duck.close(&db);
    return rc;
}
