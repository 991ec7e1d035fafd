/* tsf-vacuum: files that nothing refers to any more. The work is maintain_vacuum(). */
#include "common/cli.h"
#include "maintain/maintain.h"

struct options {
    struct cli_common common;
    int64_t retention;
    bool force, dry_run;
};

static const struct cli_option option_table[] = {
    { 0, "retention", CLI_DURATION, offsetof(struct options, retention), "TIME", "keep what was removed since (the table's, or 7d)" },
    { 0, "force", CLI_FLAG, offsetof(struct options, force), NULL, "allow a retention below 24h" },
    { 'n', "dry-run", CLI_FLAG, offsetof(struct options, dry_run), NULL, "list what would go, delete nothing" },
    CLI_COMMON(struct options, common),
    { 0 },
};
static const char *const synopsis[] = { "[options] TABLE ...", NULL };
static const char *const notes[] = {
    "Prints one manifest per table; its \"removed\" names the files.",
    "Exit status: 0 done, 1 failed, 2 usage.", NULL,
};
static const struct cli_program program = {
    "tsf-vacuum", synopsis, "Delete files that no version within the retention needs.", option_table, notes,
};

int main(int argc, char **argv)
{
    struct options o = { 0 };
    struct tsf_error err = TSF_ERROR_INIT;
    struct table_env *env = NULL;
    char **operands;
    enum tsf_err rc;
    int n;

    cli_parse(argc, argv, &program, &o, &o.common, &operands, &n);
    if (!n)
        cli_usage_error(&program, "which table?");
    struct maintain_vacuum_options mopts = { .retention_us = o.retention, .force = o.force, .dry_run = o.dry_run };
    rc = cli_env_open(&o.common, &env, &err);
    for (int i = 0; rc == TSF_OK && i < n; i++) {
        cli_progress("vacuuming %s", operands[i]);
        rc = maintain_vacuum(env, operands[i], &mopts, cli_print_manifest, NULL, &err);
    }
    table_env_free(env);
    return cli_exit_status(rc, &err);
}
