/* tsf-query: SQL over tables. The work is query_run(). */
#include "common/cli.h"
#include "query/query.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SQL_MAX (16 << 20)

struct options {
    struct cli_common common;
    struct cli_list files, params;
    const char *format, *output, *null_text, *project;
    bool no_header, timing, explain;
    int64_t threads, memory;
};

static const struct cli_option option_table[] = {
    { 'f', "file", CLI_LIST, offsetof(struct options, files), "FILE", "read SQL from FILE (- is standard input)" },
    { 'F', "format", CLI_STRING, offsetof(struct options, format), "NAME", "table csv tsv json ndjson markdown" },
    { 'o', "output", CLI_STRING, offsetof(struct options, output), "FILE", "write there instead of standard output" },
    { 'p', "param", CLI_LIST, offsetof(struct options, params), "NAME=VALUE", "value of :name; without NAME= of $1, $2.." },
    { 't', "no-header", CLI_FLAG, offsetof(struct options, no_header), NULL, "rows only" },
    { 0, "null", CLI_STRING, offsetof(struct options, null_text), "TEXT", "how NULL is shown" },
    { 0, "timing", CLI_FLAG, offsetof(struct options, timing), NULL, "say how long each run took" },
    { 0, "explain", CLI_FLAG, offsetof(struct options, explain), NULL, "run and show EXPLAIN ANALYZE instead" },
    { 0, "project", CLI_STRING, offsetof(struct options, project), "ID", "see only this tenant (TSF_PROJECT)" },
    { 'j', "threads", CLI_INT, offsetof(struct options, threads), "N", "threads (all cores)" },
    { 0, "memory-limit", CLI_SIZE, offsetof(struct options, memory), "SIZE", "for the query" },
    { 0, "no-cache", CLI_FLAG, offsetof(struct options, common.no_cache), NULL, "do without the local cache" },
    CLI_COMMON(struct options, common),
    { 0 },
};
static const char *const synopsis[] = { "[options] SQL ...", "[options] -f FILE", NULL };
static const char *const notes[] = {
    "Without SQL and -f: reads SQL from standard input. Exit status: 0 done,",
    "1 failed, 2 usage. Example: tsf-query \"SELECT count(*) FROM logs\"", NULL,
};
static const struct cli_program program = {
    "tsf-query", synopsis, "Answer SQL (PostgreSQL's dialect) over tables.", option_table, notes,
};

static bool format_by_name(const char *name, enum query_format *out)
{
    static const char *const names[] = { "table", "csv", "tsv", "json", "ndjson", "markdown" };

    for (size_t i = 0; i < TSF_ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum query_format)i;
            return true;
        }
    return false;
}

/* ---- SQL text ----------------------------------------------------------------------------------------------------- */

static enum tsf_err read_stream(FILE *in, const char *name, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;
    size_t n;

    do {
        if (out->len >= SQL_MAX)
            return tsf_fail(err, TSF_ERR_INVALID, "%s: more than %d MB of SQL", name, SQL_MAX >> 20);
        if ((rc = tsf_buf_reserve(out, 64 << 10, err)) != TSF_OK)
            return rc;
        n = fread(out->data + out->len, 1, 64 << 10, in);
        out->len += n;
    } while (n);
    return ferror(in) ? tsf_fail_errno(err, "%s", name) : TSF_OK;
}

static enum tsf_err read_sql_file(const char *name, struct tsf_buf *out, struct tsf_error *err)
{
    FILE *in = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    enum tsf_err rc;

    if (!in)
        return tsf_fail_errno(err, "%s", name);
    rc = read_stream(in, name, out, err);
    if (in != stdin)
        fclose(in);
    return rc;
}

/* The line with the mistake and a caret below it. */
static void show_place(const char *sql, int64_t offset)
{
    int64_t n = (int64_t)strlen(sql);

    if (offset < 0 || offset > n)
        return;
    const char *line = sql + offset, *end = sql + offset;
    int number = 1;
    while (line > sql && line[-1] != '\n')
        line--;
    end += strcspn(end, "\n");
    for (const char *p = sql; p < line; p++)
        number += *p == '\n';
    int column = 0;
    for (const char *p = line; p < sql + offset; p++)
        column += ((unsigned char)*p & 0xc0) != 0x80;
    int left = fprintf(stderr, "LINE %d: ", number);
    fprintf(stderr, "%.*s\n%*s^\n", (int)(end - line), line, left + column, "");
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

static enum tsf_err write_file(void *ctx, const void *p, size_t n, struct tsf_error *err)
{
    return tsf_newfile_write(ctx, p, n, err);
}

static enum tsf_err write_stdout(void *ctx, const void *p, size_t n, struct tsf_error *err)
{
    (void)ctx;
    return cli_write(p, n, err);
}

static enum tsf_err run_text(struct query_session *s, const struct options *o, const char *sql, const struct query_consumer *consumer,
                             struct tsf_error *err)
{
    int64_t t0 = tsf_monotonic_ns();
    struct tsf_buf explained = TSF_BUF_INIT(SQL_MAX + 64);
    enum tsf_err rc = TSF_OK;

    if (o->explain) {
        if ((rc = tsf_buf_printf(&explained, err, "EXPLAIN ANALYZE %s", sql)) == TSF_OK && !tsf_buf_cstr(&explained))
            rc = tsf_fail_nomem(err);
        sql = (const char *)explained.data;
    }
    if (rc == TSF_OK)
        rc = query_run(s, sql, consumer, err);
    if (rc != TSF_OK && err->sqlstate[0]) {
        char msg[sizeof err->msg];
        memcpy(msg, err->msg, sizeof msg);
        snprintf(err->msg, sizeof err->msg, "error %s: %.480s", err->sqlstate, msg);
    }
    if (rc == TSF_OK && o->timing)
        cli_say("%.3f ms", (double)(tsf_monotonic_ns() - t0) / 1e6);
    if (rc != TSF_OK && err->offset >= 0 && err->sqlstate[0] && !o->common.quiet)
        show_place(sql, err->offset);
    tsf_buf_release(&explained);
    return rc;
}

static enum tsf_err run_all(struct query_session *s, const struct options *o, char **operands, int n,
                            const struct query_consumer *consumer, struct tsf_error *err)
{
    struct tsf_buf sql = TSF_BUF_INIT(SQL_MAX + (128 << 10));
    int n_files = o->files.n + (o->files.n == 0 && n == 0);
    enum tsf_err rc = TSF_OK;

    for (int i = 0; rc == TSF_OK && i < n_files; i++) {
        tsf_buf_reset(&sql);
        if ((rc = read_sql_file(o->files.n ? o->files.items[i] : "-", &sql, err)) != TSF_OK)
            break;
        if (memchr(sql.data ? sql.data : (uint8_t *)"", 0, sql.len))
            rc = tsf_fail(err, TSF_ERR_INVALID, "%s: a NUL byte in SQL", o->files.n ? o->files.items[i] : "standard input");
        else if (!tsf_buf_cstr(&sql))
            rc = tsf_fail_nomem(err);
        else
            rc = run_text(s, o, (const char *)sql.data, consumer, err);
    }
    for (int i = 0; rc == TSF_OK && i < n; i++)
        rc = run_text(s, o, operands[i], consumer, err);
    tsf_buf_release(&sql);
    return rc;
}

static bool is_name(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || s[i] == '_' || (i && s[i] >= '0' && s[i] <= '9')))
            return false;
    return n > 0;
}

/*
 * A device or a pipe is written to. Only a file is replaced when the answer is whole: a rename over /dev/null would take it
 * from everybody.
 */
static enum tsf_err open_output(const char *path, struct tsf_newfile *file, struct tsf_sink *sink, struct tsf_error *err)
{
    struct stat st;
    int fd;

    if (stat(path, &st) != 0 || S_ISREG(st.st_mode)) {
        *sink = (struct tsf_sink){ .write = write_file, .ctx = file };
        return tsf_newfile_open_shared(file, path, err);
    }
    if ((fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
        return tsf_fail_errno(err, "cannot open %s", path);
    if (dup2(fd, STDOUT_FILENO) < 0) {
        close(fd);
        return tsf_fail_errno(err, "cannot write to %s", path);
    }
    close(fd);
    return TSF_OK;
}

/* "name=value" or a bare value. */
static void split_params(struct options *o, const char **names, const char **values)
{
    for (int i = 0; i < o->params.n; i++) {
        char *item = (char *)o->params.items[i], *eq = strchr(item, '=');
        names[i] = NULL;
        values[i] = item;
        if (eq && is_name(item, (size_t)(eq - item))) {
            *eq = 0; /* argv is ours */
            names[i] = item;
            values[i] = eq + 1;
        }
    }
}

/* Pages come and go by the megabyte. Memory that went back to the kernel each time would be zeroed again each time. */
static void keep_memory(void)
{
#if defined(__GLIBC__)
    mallopt(M_MMAP_THRESHOLD, 1 << 28);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_TOP_PAD, 1 << 22);
#endif
}

int main(int argc, char **argv)
{
    const char *bound = getenv("TSF_PROJECT");
    struct options o = { .project = bound && bound[0] ? bound : NULL };
    const char *names[TSF_ARRAY_LEN(o.params.items)], *values[TSF_ARRAY_LEN(o.params.items)];
    struct query_format_options fopts = { 0 };
    struct tsf_newfile file = TSF_NEWFILE_INIT;
    struct tsf_sink sink = { .write = write_stdout };
    struct tsf_error err = TSF_ERROR_INIT;
    struct query_formatter *fmt = NULL;
    struct query_session *s = NULL;
    char **operands;
    enum tsf_err rc;
    int n;

    keep_memory();
    cli_parse(argc, argv, &program, &o, &o.common, &operands, &n);
    if (o.format && !format_by_name(o.format, &fopts.format))
        cli_usage_error(&program, "unknown format \"%s\"", o.format);
    if (o.project && !o.project[0]) /* a variable that was not set must not mean everybody's rows */
        cli_usage_error(&program, "--project is empty");
    split_params(&o, names, values);
    struct query_options qopts = { .warehouse = o.common.warehouse, .data_dir = o.common.data_dir,
                                   .project = o.project, .threads = (int)o.threads,
                                   .memory_limit = o.memory, .n_params = o.params.n, .param_names = names, .param_values = values,
                                   .no_cache = o.common.no_cache };
    fopts.no_header = o.no_header;
    fopts.null_text = o.null_text;
    fopts.unicode = !o.output && isatty(1);
    if (o.output && (rc = open_output(o.output, &file, &sink, &err)) != TSF_OK)
        goto done;
    if ((rc = query_formatter_new(&fopts, &sink, &fmt, &err)) != TSF_OK || (rc = query_session_new(&qopts, &s, &err)) != TSF_OK)
        goto done;
    struct query_consumer consumer = query_formatter_consumer(fmt);
    rc = run_all(s, &o, operands, n, &consumer, &err);
    if (rc == TSF_OK && sink.ctx == &file)
        rc = tsf_newfile_publish(&file, TSF_PUBLISH_REPLACE, &err);
done:
    tsf_newfile_abort(&file);
    query_formatter_free(fmt);
    query_session_free(s);
    return cli_exit_status(rc, &err);
}
