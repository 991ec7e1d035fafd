#ifndef TSF_CLI_CACHE_H
#define TSF_CLI_CACHE_H
/*
 * What tsf-warm and tsf-evict share: they differ in one function of lib/maintain, their words and --since.
 *
 *   cli_cache.c   by table or by manifest
 */
#include "common/cli.h"
#include "maintain/maintain.h"

struct cli_cache_options {
    struct cli_common common;
    const char *partition;
    int64_t since_us;    /* age; 0: any */
    bool dry_run, strict;
};
typedef enum tsf_err cli_cache_fn(struct table_env *env, const char *table, struct table_manifest *m,
                                  const struct maintain_cache_options *opts, struct maintain_cache_result *out, struct tsf_error *err);
/* The whole program; returns its exit status. op: its name in manifests, doing: in progress lines. */
int cli_cache_main(int argc, char **argv, const struct cli_program *program, const char *op, const char *doing, cli_cache_fn *fn);

#endif
