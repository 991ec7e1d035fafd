/* tsf-compact: fewer, larger, sorted files. The work is maintain_compact(). */
#include "common/cli.h"
#include "maintain/maintain.h"

struct options {
    struct cli_common common;
    bool light, full, recompress, dry_run;
    const char *window, *partition;
    int64_t target, cold_after, min_files, level, memory, threads;
};

static const struct cli_option option_table[] = {
    { 0, "light", CLI_FLAG, offsetof(struct options, light), NULL, "bin-pack small files of today (to 16M)" },
    { 0, "full", CLI_FLAG, offsetof(struct options, full), NULL, "merge the last 48h in sort order (to 128M)" },
    { 0, "recompress", CLI_FLAG, offsetof(struct options, recompress), NULL, "rewrite cold partitions at zstd 19" },
    { 0, "window", CLI_STRING, offsetof(struct options, window), "TIME", "partitions younger than this; \"all\"" },
    { 0, "cold-after", CLI_DURATION, offsetof(struct options, cold_after), "TIME", "what counts as cold (14d)" },
    { 0, "partition", CLI_STRING, offsetof(struct options, partition), "K=V/K=V", "only these partitions" },
    { 0, "target", CLI_SIZE, offsetof(struct options, target), "SIZE", "size of the files to make" },
    { 0, "min-files", CLI_INT, offsetof(struct options, min_files), "N", "leave partitions with fewer (2)" },
    { 0, "level", CLI_INT, offsetof(struct options, level), "N", "zstd level (light 3, full 9)" },
    { 0, "memory-limit", CLI_SIZE, offsetof(struct options, memory), "SIZE", "for rows being merged (512M)" },
    { 'j', "threads", CLI_INT, offsetof(struct options, threads), "N", "threads (all cores)" },
    { 'n', "dry-run", CLI_FLAG, offsetof(struct options, dry_run), NULL, "print the plan as manifests" },
    CLI_COMMON(struct options, common),
    { 0 },
};
static const char *const synopsis[] = { "--light | --full | --recompress [options] TABLE ...", NULL };
static const char *const notes[] = {
    "Commits partition by partition and prints one manifest per commit.",
    "Exit status: 0 done, 1 failed, 2 usage, 75 lost to other writers, try again.", NULL,
};
static const struct cli_program program = {
    "tsf-compact", synopsis, "Merge a table's files into fewer, larger, sorted ones.", option_table, notes,
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
    if (o.light + o.full + o.recompress != 1)
        cli_usage_error(&program, "one of --light, --full and --recompress is needed");
    if (!n)
        cli_usage_error(&program, "which table?");
    struct maintain_compact_options mopts = {
        .mode = o.light ? MAINTAIN_LIGHT : o.full ? MAINTAIN_FULL : MAINTAIN_RECOMPRESS, .target_bytes = o.target,
        .cold_after_us = o.cold_after, .min_files = (int)o.min_files, .zstd_level = (int)o.level, .memory_limit = o.memory,
        .threads = (int)o.threads, .dry_run = o.dry_run, .partition = o.partition };
    if (o.window && strcmp(o.window, "all") == 0)
        mopts.window_us = -1;
    else if (o.window && (!tsf_duration_parse(o.window, &mopts.window_us) || !mopts.window_us))
        cli_usage_error(&program, "--window takes a duration such as 48h, or all");
    rc = cli_env_open(&o.common, &env, &err);
    for (int i = 0; rc == TSF_OK && i < n; i++) {
        cli_progress("compacting %s", operands[i]);
        rc = maintain_compact(env, operands[i], &mopts, cli_print_manifest, NULL, &err);
    }
    table_env_free(env);
    return cli_exit_status(rc, &err);
}
