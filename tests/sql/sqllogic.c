/*
 * Runs sqllogictest files: sqllogic FILE... . Each file runs twice in folders of its own: once with all rows in the WAL, once
 * flushed after every INSERT. Prints "FAIL file:line why" per failure and ends with "N passed, N failed, N skipped", counting
 * statements and queries of both runs.
 *
 *   statement ok | statement error [text] | statement count N
 *   query TYPES [nosort|rowsort|valuesort] [label]   then SQL, "----", and the answer
 *   query error [text]
 *   skipif NAME, onlyif NAME   (we are tsf, postgresql and postgres)
 *   hash-threshold N, halt, # comment
 *
 * Answers: one value per line, or one row per line with values set apart by tabs or blanks, or "N values hashing to MD5".
 * NULL is NULL, an empty text (empty). R compares as a number. t and true are the same, f and false too.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maintain/maintain.h"
#include "query/query.h"

struct answer {
    char **values;        /* row by row */
    size_t n, cap;
    int n_columns;
    char tag[64];
};

struct suite {
    const char *file;
    char **lines;
    size_t n_lines, at;
    struct query_session *session;
    struct table_env *env;
    bool flushed;
    int64_t passed, failed, skipped, threshold;
    struct answer got;
};

/* ---- answers -------------------------------------------------------------------------------------------------------- */

static void answer_reset(struct answer *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->values[i]);
    a->n = 0;
    a->n_columns = 0;
    a->tag[0] = 0;
}

static enum tsf_err on_begin(void *ctx, const struct query_column_info *columns, int n, struct tsf_error *err)
{
    struct answer *a = ctx;

    (void)columns;
    (void)err;
    answer_reset(a);
    a->n_columns = n;
    return TSF_OK;
}

static enum tsf_err on_batch(void *ctx, const struct tsf_batch *b, struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(0);
    struct tsf_arena arena = TSF_ARENA_INIT;
    struct answer *a = ctx;
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; rc == TSF_OK && i < tsf_batch_rows(b); i++)
        for (int c = 0; rc == TSF_OK && c < a->n_columns; c++) {
            struct tsf_value v;
            tsf_buf_reset(&text);
            if ((rc = tsf_vector_get(&b->columns[c], b->sel ? b->sel[i] : i, &arena, &v, err)) != TSF_OK)
                break;
            if (v.is_null)
                rc = tsf_buf_append_z(&text, "NULL", err);
            else if ((rc = tsf_value_text(&v, &text, err)) == TSF_OK && !text.len)
                rc = tsf_buf_append_z(&text, "(empty)", err);
            if (rc != TSF_OK)
                break;
            if (!tsf_realloc_array((void **)&a->values, &a->cap, a->n + 1, sizeof *a->values) ||
                !(a->values[a->n] = strndup((const char *)text.data, text.len))) {
                rc = tsf_fail_nomem(err);
                break;
            }
            a->n++;
        }
    tsf_buf_release(&text);
    tsf_arena_release(&arena);
    return rc;
}

static enum tsf_err on_end(void *ctx, const char *tag, struct tsf_error *err)
{
    struct answer *a = ctx;

    (void)err;
    snprintf(a->tag, sizeof a->tag, "%s", tag);
    return TSF_OK;
}

/* ---- running ------------------------------------------------------------------------------------------------------------ */

static enum tsf_err ignore_manifest(void *ctx, struct table_manifest *m, struct tsf_error *err)
{
    (void)ctx;
    (void)m;
    (void)err;
    return TSF_OK;
}

static enum tsf_err flush_one(void *ctx, const char *name, struct tsf_error *err)
{
    struct maintain_flush_options opts = { .threads = 1 };

    return maintain_flush(ctx, name, &opts, ignore_manifest, NULL, err);
}

static bool begins_with_word(const char *sql, const char *word)
{
    while (isspace((unsigned char)*sql))
        sql++;
    return strncasecmp(sql, word, strlen(word)) == 0;
}

static enum tsf_err run_sql(struct suite *s, const char *sql, struct tsf_error *err)
{
    struct query_consumer consumer = { .ctx = &s->got, .begin = on_begin, .batch = on_batch, .end = on_end };
    enum tsf_err rc;

    answer_reset(&s->got);
    rc = query_run(s->session, sql, &consumer, err);
    if (rc == TSF_OK && s->flushed && begins_with_word(sql, "insert"))
        rc = table_list(s->env, flush_one, s->env, err);
    return rc;
}

static void report(struct suite *s, size_t line, bool ok, const char *fmt, ...) TSF_PRINTF(4, 5);
static void report(struct suite *s, size_t line, bool ok, const char *fmt, ...)
{
    va_list ap;

    if (ok) {
        s->passed++;
        return;
    }
    s->failed++;
    printf("FAIL %s:%zu (%s) ", s->file, line + 1, s->flushed ? "flushed" : "wal");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

/* ---- comparing ------------------------------------------------------------------------------------------------------------ */

static int text_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t row_width;
static int row_cmp(const void *a, const void *b)
{
    char *const *x = a, *const *y = b;

    for (size_t i = 0; i < row_width; i++) {
        int d = strcmp(x[i], y[i]);
        if (d)
            return d;
    }
    return 0;
}

static bool same_value(const char *got, const char *want, char type)
{
    char *e1, *e2;

    if (strcmp(got, want) == 0)
        return true;
    if ((strcmp(got, "t") == 0 && (strcasecmp(want, "true") == 0 || (type == 'I' && strcmp(want, "1") == 0))) ||
        (strcmp(got, "f") == 0 && (strcasecmp(want, "false") == 0 || (type == 'I' && strcmp(want, "0") == 0))))
        return true;
    if (type != 'R' && type != 'I')
        return false;
    double x = strtod(got, &e1), y = strtod(want, &e2);
    if (*e1 || *e2 || !*got || !*want)
        return false;
    if (type == 'I')
        return trunc(x) == y;
    /* Three digits is what the classic form writes. */
    const char *dot = strchr(want, '.');
    if (dot && strlen(dot) == 4 && fabs(x - y) <= 0.0005000001)
        return true;
    return x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= 1e-9 * fmax(fabs(x), fabs(y));
}

/* "3 values hashing to <md5>": the md5 of every value and a newline. Our own SQL computes it. */
static bool same_hash(struct suite *s, const char *line, char **values, size_t n, const char *types)
{
    char want[64], *text = NULL;
    unsigned long count;
    size_t len = 0;
    bool same = false;
    FILE *m;

    if (sscanf(line, "%lu values hashing to %63s", &count, want) != 2 || count != n || !(m = open_memstream(&text, &len)))
        return false;
    fputs("SELECT md5('", m);
    for (size_t i = 0; i < n; i++) {
        char type = types[i % strlen(types)];
        char *end, number[64];
        const char *v = values[i];
        double d = strtod(v, &end);
        if (type == 'R' && *v && !*end) {
            snprintf(number, sizeof number, "%.3f", d);
            v = number;
        }
        for (; *v; v++) {
            if (*v == '\'')
                fputc('\'', m);
            fputc(*v, m);
        }
        fputc('\n', m);
    }
    fputs("')", m);
    fclose(m);
    struct answer keep = s->got;
    struct tsf_error err = TSF_ERROR_INIT;
    s->got = (struct answer){ 0 };
    if (run_sql(s, text, &err) == TSF_OK && s->got.n == 1)
        same = strcmp(s->got.values[0], want) == 0;
    answer_reset(&s->got);
    free(s->got.values);
    s->got = keep;
    free(text);
    return same;
}

static void join_row(char **values, int n, char *out, size_t cap)
{
    size_t at = 0;

    out[0] = 0;
    for (int i = 0; i < n && at < cap; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s%s", i ? " " : "", values[i]);
}

/* Runs of blanks are one blank. */
static void squeeze(char *s)
{
    char *out = s;

    for (char *p = s; *p; p++) {
        if (isspace((unsigned char)*p)) {
            if (out > s && out[-1] != ' ')
                *out++ = ' ';
        } else {
            *out++ = *p;
        }
    }
    while (out > s && out[-1] == ' ')
        out--;
    *out = 0;
}

static bool same_row(char **got, int n, const char *line, const char *types)
{
    /* Tabs set values apart exactly; blanks only when no value holds one. */
    char *copy = strdup(line), *save = NULL, *tok;
    bool same = true;
    int i = 0;

    if (strchr(line, '\t') || n == 1) {
        for (tok = n == 1 ? copy : strtok_r(copy, "\t", &save); tok; tok = n == 1 ? NULL : strtok_r(NULL, "\t", &save), i++)
            same = same && i < n && same_value(got[i], tok, types[i]);
        same = same && i == n;
        free(copy);
        return same;
    }
    char mine[8192];
    squeeze(copy);
    join_row(got, n, mine, sizeof mine);
    squeeze(mine);
    same = strcmp(mine, copy) == 0;
    if (!same) {
        same = true;
        for (tok = strtok_r(copy, " ", &save); tok; tok = strtok_r(NULL, " ", &save), i++)
            same = same && i < n && same_value(got[i], tok, types[i]);
        same = same && i == n;
    }
    free(copy);
    return same;
}

static bool compare(struct suite *s, const char *types, const char *sort, char **want, size_t n_want, char *why, size_t cap)
{
    struct answer *g = &s->got;
    int cols = g->n_columns;
    size_t rows = cols ? g->n / (size_t)cols : 0;

    snprintf(why, cap, "%s", "");
    if ((int)strlen(types) != cols) {
        snprintf(why, cap, "%d columns, want %zu", cols, strlen(types));
        return false;
    }
    if (strcmp(sort, "rowsort") == 0 && cols) {
        row_width = (size_t)cols;
        qsort(g->values, rows, sizeof *g->values * (size_t)cols, row_cmp);
    } else if (strcmp(sort, "valuesort") == 0) {
        qsort(g->values, g->n, sizeof *g->values, text_cmp);
    }
    if (n_want == 1 && strstr(want[0], " values hashing to ")) {
        bool ok = same_hash(s, want[0], g->values, g->n, types);
        if (!ok)
            snprintf(why, cap, "%zu values, which do not hash to what is wanted", g->n);
        return ok;
    }
    bool by_value = n_want == g->n && (cols != 1 || rows == n_want) && cols != 1;
    if (by_value && rows == n_want && cols > 1)
        by_value = false;
    if (!by_value && n_want != rows) {
        snprintf(why, cap, "%zu rows, want %zu lines", rows, n_want);
        return false;
    }
    for (size_t i = 0; i < n_want; i++) {
        bool ok = by_value ? same_value(g->values[i], want[i], types[i % (size_t)cols])
                           : same_row(g->values + i * (size_t)cols, cols, want[i], types);
        if (!ok) {
            char mine[512];
            join_row(by_value ? &g->values[i] : g->values + i * (size_t)cols, by_value ? 1 : cols, mine, sizeof mine);
            snprintf(why, cap, "line %zu of the answer is \"%.300s\", want \"%.300s\"", i + 1, mine, want[i]);
            return false;
        }
    }
    return true;
}

/* ---- the file --------------------------------------------------------------------------------------------------------------- */

static bool load(struct suite *s)
{
    FILE *in = fopen(s->file, "r");
    char *line = NULL;
    size_t cap = 0, room = 0;
    ssize_t n;

    if (!in)
        return false;
    while ((n = getline(&line, &cap, in)) >= 0) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            line[--n] = 0;
        if (!tsf_realloc_array((void **)&s->lines, &room, s->n_lines + 1, sizeof *s->lines) ||
            !(s->lines[s->n_lines] = strdup(line)))
            abort();
        s->n_lines++;
    }
    free(line);
    fclose(in);
    return true;
}

static bool blank(const char *line)
{
    while (isspace((unsigned char)*line))
        line++;
    return !*line;
}

/* SQL up to an empty line or "----"; malloc'ed. */
static char *take_sql(struct suite *s)
{
    char *text = NULL;
    size_t len;
    FILE *m = open_memstream(&text, &len);

    for (; s->at < s->n_lines && !blank(s->lines[s->at]) && strcmp(s->lines[s->at], "----") != 0; s->at++)
        fprintf(m, "%s\n", s->lines[s->at]);
    fclose(m);
    return text;
}

static bool error_matches(const struct tsf_error *e, const char *want)
{
    while (isspace((unsigned char)*want))
        want++;
    return !*want || strstr(e->msg, want) || strcmp(e->sqlstate, want) == 0;
}

static void do_statement(struct suite *s, size_t line, const char *kind, const char *rest)
{
    struct tsf_error err = TSF_ERROR_INIT;
    char *sql = take_sql(s);
    enum tsf_err rc = run_sql(s, sql, &err);

    if (strcmp(kind, "ok") == 0)
        report(s, line, rc == TSF_OK, "%s %s", err.sqlstate, err.msg);
    else if (strcmp(kind, "error") == 0)
        report(s, line, rc != TSF_OK && error_matches(&err, rest), rc == TSF_OK ? "no error" : "another error: %s %s", err.sqlstate, err.msg);
    else if (strcmp(kind, "count") == 0) {
        const char *space = strrchr(s->got.tag, ' ');
        report(s, line, rc == TSF_OK && space && atoll(space + 1) == atoll(rest), "%s, want %s %s", s->got.tag, rest, err.msg);
    } else
        report(s, line, false, "unknown kind of statement: %s", kind);
    free(sql);
}

static void do_query(struct suite *s, size_t line, const char *types, const char *sort, const char *rest)
{
    struct tsf_error err = TSF_ERROR_INIT;
    char *sql = take_sql(s), why[1024];
    size_t first, n = 0;

    if (s->at < s->n_lines && strcmp(s->lines[s->at], "----") == 0) {
        first = ++s->at;
        while (s->at < s->n_lines && !blank(s->lines[s->at]))
            s->at++;
        n = s->at - first;
    } else {
        first = s->at;
    }
    enum tsf_err rc = run_sql(s, sql, &err);
    if (strcmp(types, "error") == 0)
        report(s, line, rc != TSF_OK && error_matches(&err, rest), rc == TSF_OK ? "no error" : "another error: %s", err.msg);
    else if (rc != TSF_OK)
        report(s, line, false, "%s %s", err.sqlstate, err.msg);
    else
        report(s, line, compare(s, types, sort, s->lines + first, n, why, sizeof why), "%s", why);
    free(sql);
}

static bool is_us(const char *name)
{
    return strcmp(name, "tsf") == 0 || strcmp(name, "postgresql") == 0 || strcmp(name, "postgres") == 0;
}

static void skip_record(struct suite *s)
{
    while (s->at < s->n_lines && !blank(s->lines[s->at]))
        s->at++;
    s->skipped++;
}

static void run_records(struct suite *s)
{
    bool skip = false;

    for (s->at = 0; s->at < s->n_lines;) {
        char word[32] = "", a[128] = "", b[128] = "";
        size_t line = s->at;
        const char *text = s->lines[s->at++];
        int used = 0;

        if (blank(text) || text[0] == '#')
            continue;
        sscanf(text, "%31s %127s %127s%n", word, a, b, &used);
        if (strcmp(word, "halt") == 0)
            break;
        if (strcmp(word, "skipif") == 0 || strcmp(word, "onlyif") == 0) {
            skip |= is_us(a) == (word[0] == 's');
            continue;
        }
        if (strcmp(word, "hash-threshold") == 0 || strcmp(word, "control") == 0)
            continue;
        const char *rest = strstr(text, a);
        rest = rest && a[0] ? rest + strlen(a) : "";
        if (skip && (strcmp(word, "statement") == 0 || strcmp(word, "query") == 0))
            skip_record(s);
        else if (strcmp(word, "statement") == 0)
            do_statement(s, line, a, rest);
        else if (strcmp(word, "query") == 0)
            do_query(s, line, a, b, rest);
        else
            report(s, line, false, "unknown record: %s", text);
        skip = false;
    }
}

static enum tsf_err run_file(struct suite *s, const char *dir, struct tsf_error *err)
{
    char data[4096], tables[4096];
    enum tsf_err rc;

    snprintf(data, sizeof data, "%s/%s/data", dir, s->flushed ? "flushed" : "wal");
    snprintf(tables, sizeof tables, "%s/%s/tables", dir, s->flushed ? "flushed" : "wal");
    struct query_options opts = { .warehouse = tables, .data_dir = data };
    struct table_env_options eopts = { .warehouse = tables, .data_dir = data };
    if ((rc = tsf_mkdirs(data, err)) != TSF_OK || (rc = tsf_mkdirs(tables, err)) != TSF_OK ||
        (rc = query_session_new(&opts, &s->session, err)) != TSF_OK || (rc = table_env_open(&eopts, &s->env, err)) != TSF_OK)
        goto done;
    run_records(s);
done:
    query_session_free(s->session);
    table_env_free(s->env);
    s->session = NULL;
    s->env = NULL;
    return rc;
}

int main(int argc, char **argv)
{
    struct suite total = { 0 };
    char dir[] = "/tmp/tsf-sql.XXXXXX", cmd[200];

    if (!mkdtemp(dir)) {
        perror("mkdtemp");
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        struct suite s = { .file = argv[i] };
        struct tsf_error err = TSF_ERROR_INIT;
        if (!load(&s)) {
            printf("FAIL %s: cannot be read\n", argv[i]);
            total.failed++;
            continue;
        }
        for (int mode = 0; mode < 2; mode++) {
            s.flushed = mode == 1;
            if (run_file(&s, dir, &err) != TSF_OK) {
                printf("FAIL %s: %s\n", argv[i], err.msg);
                s.failed++;
                break;
            }
        }
        total.passed += s.passed;
        total.failed += s.failed;
        total.skipped += s.skipped;
        answer_reset(&s.got);
        free(s.got.values);
        for (size_t k = 0; k < s.n_lines; k++)
            free(s.lines[k]);
        free(s.lines);
        snprintf(cmd, sizeof cmd, "rm -rf '%s/wal' '%s/flushed'", dir, dir);
        if (system(cmd) != 0)
            return 1;
    }
    rmdir(dir);
    printf("%lld passed, %lld failed, %lld skipped\n", (long long)total.passed, (long long)total.failed, (long long)total.skipped);
    return total.failed ? 1 : 0;
}
