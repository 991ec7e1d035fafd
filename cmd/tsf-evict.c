/* tsf-evict: what manifests on stdin removed, or a table's files. The work is maintain_evict(). */
#include "common/cli.h"
#include "maintain/maintain.h"

#include <stdio.h>

struct options {
    struct cli_common common;
    const char *partition;
    bool dry_run, strict;
    struct table_env *env;
    int64_t bad; /* files that failed */
};

static const struct cli_option option_table[] = {
    { 0, "partition", CLI_STRING, offsetof(struct options, partition), "K=V/K=V", "only these partitions of the table" },
    { 'n', "dry-run", CLI_FLAG, offsetof(struct options, dry_run), NULL, "count, change nothing" },
    { 0, "strict", CLI_FLAG, offsetof(struct options, strict), NULL, "exit 1 when a file could not be done" },
    CLI_COMMON(struct options, common),
    { 0 },
};
static const char *const synopsis[] = { "[options] TABLE ...", "[options] < MANIFESTS > MANIFESTS", NULL };
static const char *const notes[] = {
    "Without TABLE: reads manifests from stdin, one per line, and passes each on",
    "with what was done under \"evict\". The cache is a hint: answers never change.", NULL,
};
static const struct cli_program program = {
    "tsf-evict", synopsis, "Drop what is no longer wanted from the local cache.", option_table, notes,
};

static enum tsf_err one(void *ctx, struct table_manifest *m, struct tsf_error *err)
{
    struct options *o = ctx;
    struct maintain_cache_options mopts = { .dry_run = o->dry_run };
    struct maintain_cache_result res;
    enum tsf_err rc = maintain_evict(o->env, NULL, m, &mopts, &res, err);

    if (rc == TSF_OK)
        o->bad += res.failed + res.foreign;
    return rc;
}

static enum tsf_err by_table(struct options *o, const char *table, struct tsf_error *err)
{
    struct maintain_cache_options mopts = { .partition = o->partition, .dry_run = o->dry_run };
    struct maintain_cache_result res;
    struct tsf_buf line = TSF_BUF_INIT(1 << 16);
    enum tsf_err rc;

    if ((rc = maintain_evict(o->env, table, NULL, &mopts, &res, err)) != TSF_OK)
        return rc;
    o->bad += res.failed;
    if ((rc = tsf_buf_append_z(&line, "{\"tsf\":1,\"op\":\"evict\",\"table\":", err)) == TSF_OK &&
        (rc = tsf_buf_append_json(&line, tsf_str(table), err)) == TSF_OK &&
        (rc = tsf_buf_printf(&line, err, ",\"evict\":{\"files\":%lld,\"hits\":%lld,\"bytes\":%lld,\"failed\":%lld}}\n",
                             (long long)res.files, (long long)res.hits, (long long)res.bytes, (long long)res.failed)) == TSF_OK)
        rc = cli_write(line.data, line.len, err);
    tsf_buf_release(&line);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = { 0 };
    struct tsf_error err = TSF_ERROR_INIT;
    char **operands;
    enum tsf_err rc;
    int n;

    cli_parse(argc, argv, &program, &o, &o.common, &operands, &n);
    if (!n && o.partition)
        cli_usage_error(&program, "--partition goes with a TABLE");
    rc = cli_env_open(&o.common, &o.env, &err);
    for (int i = 0; rc == TSF_OK && i < n; i++) {
        cli_progress("evicting %s", operands[i]);
        rc = by_table(&o, operands[i], &err);
    }
    if (rc == TSF_OK && !n)
        rc = cli_each_manifest(one, &o, &err);
    if (rc == TSF_OK && o.strict && o.bad)
        rc = tsf_fail(&err, TSF_ERR_IO, "%lld files could not be done", (long long)o.bad);
    table_env_free(o.env);
    return cli_exit_status(rc, &err);
}
