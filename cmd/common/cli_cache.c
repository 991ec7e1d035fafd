/* tsf-warm and tsf-evict, but for what they do. */
#include "common/cli_cache.h"

struct run {
    struct cli_cache_options o;
    struct table_env *env;
    const char *op;
    cli_cache_fn *fn;
    int64_t bad; /* files that could not be done */
};

static enum tsf_err one_manifest(void *ctx, struct table_manifest *m, struct tsf_error *err)
{
    struct run *r = ctx;
    struct maintain_cache_options opts = { .dry_run = r->o.dry_run };
    struct maintain_cache_result res;
    enum tsf_err rc = r->fn(r->env, NULL, m, &opts, &res, err);

    if (rc == TSF_OK)
        r->bad += res.failed + res.foreign;
    return rc;
}

static enum tsf_err one_table(struct run *r, const char *table, struct tsf_error *err)
{
    struct maintain_cache_options opts = { .partition = r->o.partition, .dry_run = r->o.dry_run,
                                           .since_us = r->o.since_us > 0 ? tsf_now_us() - r->o.since_us : 0 };
    struct maintain_cache_result res;
    struct tsf_buf line = TSF_BUF_INIT(1 << 16);
    enum tsf_err rc;

    if ((rc = r->fn(r->env, table, NULL, &opts, &res, err)) != TSF_OK)
        return rc;
    r->bad += res.failed;
    if ((rc = tsf_buf_printf(&line, err, "{\"tsf\":1,\"op\":\"%s\",\"table\":", r->op)) == TSF_OK &&
        (rc = tsf_buf_append_json(&line, tsf_str(table), err)) == TSF_OK &&
        (rc = tsf_buf_printf(&line, err, ",\"%s\":{\"files\":%lld,\"hits\":%lld,\"bytes\":%lld,\"failed\":%lld}}\n", r->op,
                             (long long)res.files, (long long)res.hits, (long long)res.bytes, (long long)res.failed)) == TSF_OK)
        rc = cli_write(line.data, line.len, err);
    tsf_buf_release(&line);
    return rc;
}

int cli_cache_main(int argc, char **argv, const struct cli_program *program, const char *op, const char *doing, cli_cache_fn *fn)
{
    struct run r = { .op = op, .fn = fn };
    struct tsf_error err = TSF_ERROR_INIT;
    char **operands;
    enum tsf_err rc;
    int n;

    cli_parse(argc, argv, program, &r.o, &r.o.common, &operands, &n);
    if (!n && (r.o.partition || r.o.since_us))
        cli_usage_error(program, "%s goes with a TABLE", r.o.partition ? "--partition" : "--since");
    rc = cli_env_open(&r.o.common, &r.env, &err);
    for (int i = 0; rc == TSF_OK && i < n; i++) {
        cli_progress("%s %s", doing, operands[i]);
        rc = one_table(&r, operands[i], &err);
    }
    if (rc == TSF_OK && !n)
        rc = cli_each_manifest(one_manifest, &r, &err);
    if (rc == TSF_OK && r.o.strict && r.bad)
        rc = tsf_fail(&err, TSF_ERR_IO, "%lld files could not be done", (long long)r.bad);
    table_env_free(r.env);
    return cli_exit_status(rc, &err);
}
