/* tsf-warm: what manifests on stdin added, or a table's live files. The work is maintain_warm(). */
#include "common/cli_cache.h"

static const struct cli_option option_table[] = {
    { 0, "partition", CLI_STRING, offsetof(struct cli_cache_options, partition), "K=V/K=V", "only these partitions of the table" },
    { 0, "since", CLI_DURATION, offsetof(struct cli_cache_options, since_us), "TIME", "only partitions younger than this" },
    { 'n', "dry-run", CLI_FLAG, offsetof(struct cli_cache_options, dry_run), NULL, "count, change nothing" },
    { 0, "strict", CLI_FLAG, offsetof(struct cli_cache_options, strict), NULL, "exit 1 when a file could not be done" },
    CLI_COMMON(struct cli_cache_options, common),
    { 0 },
};
static const char *const synopsis[] = { "[options] TABLE ...", "[options] < MANIFESTS > MANIFESTS", NULL };
static const char *const notes[] = {
    "Without TABLE: reads manifests from stdin, one per line, and passes each on",
    "with what was done under \"warm\". The cache is a hint: answers never change.", NULL,
};
static const struct cli_program program = {
    "tsf-warm", synopsis, "Put footers and snapshots into the local cache.", option_table, notes,
};

int main(int argc, char **argv)
{
    return cli_cache_main(argc, argv, &program, "warm", "warming", maintain_warm);
}
