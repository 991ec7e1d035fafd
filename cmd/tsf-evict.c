/* tsf-evict: what manifests on stdin removed, or a table's files. The work is maintain_evict(). */
#include "common/cli_cache.h"

static const struct cli_option option_table[] = {
    { 0, "partition", CLI_STRING, offsetof(struct cli_cache_options, partition), "K=V/K=V", "only these partitions of the table" },
    { 'n', "dry-run", CLI_FLAG, offsetof(struct cli_cache_options, dry_run), NULL, "count, change nothing" },
    { 0, "strict", CLI_FLAG, offsetof(struct cli_cache_options, strict), NULL, "exit 1 when a file could not be done" },
    CLI_COMMON(struct cli_cache_options, common),
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

int main(int argc, char **argv)
{
    return cli_cache_main(argc, argv, &program, "evict", "evicting", maintain_evict);
}
