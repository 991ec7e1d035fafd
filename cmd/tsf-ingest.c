/* tsf-ingest: rows into the WAL. Exit 0 means that they are durable. The work is ingest_run(). */
#include "common/cli.h"
#include "ingest/ingest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct options {
    struct cli_common common;
    const char *format, *reject_file, *project;
    int64_t max_rejects, max_row, threads, memory;
};

static const struct cli_option option_table[] = {
    { 'f', "format", CLI_STRING, offsetof(struct options, format), "NAME", "auto or ndjson (auto)" },
    { 'r', "reject-file", CLI_STRING, offsetof(struct options, reject_file), "FILE", "bad rows go here as JSON Lines" },
    { 0, "max-rejects", CLI_INT, offsetof(struct options, max_rejects), "N", "more bad rows undo the run (0; -1: any)" },
    { 0, "max-row-bytes", CLI_SIZE, offsetof(struct options, max_row), "SIZE", "a longer row is bad (16M)" },
    { 0, "project", CLI_STRING, offsetof(struct options, project), "ID", "tenant of all rows (TSF_PROJECT)" },
    { 0, "memory-limit", CLI_SIZE, offsetof(struct options, memory), "SIZE", "for parsing (256M)" },
    { 'j', "threads", CLI_INT, offsetof(struct options, threads), "N", "parser threads (all cores)" },
    CLI_COMMON(struct options, common),
    { 0 },
};
static const char *const synopsis[] = { "[options] TABLE [FILE ...]", NULL };
static const char *const notes[] = {
    "FILE - or none is standard input. Compressed files and archives are read as",
    "they are. All files are one run: all or nothing. Exit 0: the rows are durable.", NULL,
};
static const struct cli_program program = {
    "tsf-ingest", synopsis, "Append rows to a table.", option_table, notes,
};

static void progress(void *ctx, int64_t bytes_in, int64_t total, int64_t rows, int64_t rejects)
{
    char in[16], all[16];

    (void)ctx;
    tsf_size_format(bytes_in, in);
    if (total > 0) {
        tsf_size_format(total, all);
        cli_progress("%s of %s  %" PRId64 " rows  %" PRId64 " rejected", in, all, rows, rejects);
    } else {
        cli_progress("%s  %" PRId64 " rows  %" PRId64 " rejected", in, rows, rejects);
    }
}

static enum tsf_err print_receipt(const struct table *t, const struct ingest_receipt *r, struct tsf_error *err)
{
    struct tsf_buf line = TSF_BUF_INIT(1 << 20);
    enum tsf_err rc;

    if ((rc = tsf_buf_append_z(&line, "{\"tsf\":1,\"op\":\"ingest\",\"table\":", err)) == TSF_OK &&
        (rc = tsf_buf_append_json(&line, tsf_str(t->uri), err)) == TSF_OK &&
        (rc = tsf_buf_printf(&line, err,
                             ",\"rows\":%" PRId64 ",\"rejected\":%" PRId64 ",\"unknown_keys\":%" PRId64 ",\"files\":%" PRId64
                             ",\"bytes\":%" PRId64 ",\"wal_bytes\":%" PRId64 ",\"first_lsn\":%" PRId64 ",\"last_lsn\":%" PRId64
                             ",\"seconds\":%.3f}\n",
                             r->rows, r->rejects, r->unknown_keys, r->files, r->bytes_decoded, r->wal.bytes, r->wal.first_lsn,
                             r->wal.last_lsn, r->seconds)) == TSF_OK)
        rc = cli_write(line.data, line.len, err);
    tsf_buf_release(&line);
    return rc;
}

int main(int argc, char **argv)
{
    static const char *const from_stdin[] = { "-" };
    const char *bound = getenv("TSF_PROJECT");
    struct options o = { .project = bound && bound[0] ? bound : NULL };
    struct tsf_error err = TSF_ERROR_INIT;
    struct ingest_receipt receipt = { 0 };
    struct table_env *env = NULL;
    struct table *t = NULL;
    char **operands;
    enum tsf_err rc;
    int n;

    cli_parse(argc, argv, &program, &o, &o.common, &operands, &n);
    if (!n)
        cli_usage_error(&program, "which table?");
    if (o.project && !o.project[0])
        cli_usage_error(&program, "--project is empty");
    struct ingest_options iopts = { .format = o.format, .reject_path = o.reject_file, .max_rejects = o.max_rejects,
                                    .max_row_bytes = o.max_row, .threads = (int)o.threads, .memory_limit = o.memory,
                                    .project = o.project,
                                    .progress = cli_progress_wanted() ? progress : NULL };
    if ((rc = cli_env_open(&o.common, &env, &err)) != TSF_OK ||
        (rc = table_open(env, operands[0], TABLE_WAL_CREATE, -1, &t, &err)) != TSF_OK)
        goto done;
    rc = ingest_run(t, n > 1 ? (const char *const *)operands + 1 : from_stdin, n > 1 ? n - 1 : 1, &iopts, &receipt, &err);
    cli_progress("%s", "");
    if (rc == TSF_OK)
        rc = print_receipt(t, &receipt, &err);
done:
    table_close(t);
    table_env_free(env);
    return cli_exit_status(rc, &err);
}
