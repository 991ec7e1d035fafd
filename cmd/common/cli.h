#ifndef TSF_CLI_H
#define TSF_CLI_H
/*
 * What the programs share: options from one table, messages, exit status, signals, progress, manifests on stdout.
 *
 *   cli_options.c   option tables: parsing, --help, --version, completions
 *   cli_internal.h  between the two
 *   cli_run.c       messages, exit status, signals, progress, manifests
 */
#include "table/table.h"

enum cli_type {
    CLI_FLAG,     /* bool: true */
    CLI_STRING,   /* const char * */
    CLI_INT,      /* int64_t, not negative unless min says so */
    CLI_SIZE,     /* int64_t bytes: "16M" */
    CLI_DURATION, /* int64_t microseconds: "48h"; "0" is -1, so that zero can mean default */
    CLI_VERBOSE,  /* int: counts */
    CLI_LIST,     /* struct cli_list: may be given several times */
};
struct cli_list {
    int n;
    const char *items[64];
};
struct cli_option {
    char letter;         /* 0: long form only */
    const char *name;    /* NULL ends the table */
    enum cli_type type;
    size_t offset;       /* of the field in the program's options */
    const char *arg;     /* "SIZE"; NULL for flags */
    const char *help;    /* one line; NULL hides the option */
};
/* Every program's options begin with these. */
struct cli_common {
    int verbose;
    bool quiet;
    const char *warehouse, *data_dir;
    bool no_cache;
};
#define CLI_COMMON(type, field)                                                                                       \
    { 0, "warehouse", CLI_STRING, offsetof(type, field.warehouse), "DIR", "where tables are (TSF_WAREHOUSE)" },       \
    { 0, "data-dir", CLI_STRING, offsetof(type, field.data_dir), "DIR", "where WAL and cache are (TSF_DATA_DIR)" },   \
    { 'q', "quiet", CLI_FLAG, offsetof(type, field.quiet), NULL, "errors only" },                                     \
    { 'v', "verbose", CLI_VERBOSE, offsetof(type, field.verbose), NULL, "say more; twice: for debugging" }

struct cli_program {
    const char *name;
    const char *const *synopsis;  /* after the name; NULL-terminated */
    const char *purpose;          /* one sentence */
    const struct cli_option *options;
    const char *const *notes;     /* lines after the options, NULL-terminated; may be NULL */
};
/*
 * Fill opts; operands end up in *operands_out (into argv, NULL-terminated). Answers --help and --version and bad usage by
 * itself (exit 0, 0 and 2). Also sets up signals and messages.
 */
void cli_parse(int argc, char **argv, const struct cli_program *prog, void *opts, struct cli_common *common,
               char ***operands_out, int *n_operands_out);
/* "tsf-x: why" and the usage, exit 2. */
_Noreturn void cli_usage_error(const struct cli_program *prog, const char *fmt, ...) TSF_PRINTF(2, 3);

enum tsf_err cli_env_open(const struct cli_common *common, struct table_env **out, struct tsf_error *err);
/* One line on stderr and the hint; 0, 1, 2 (invalid request), 75 (conflict), 130/143 after a signal. TSF_END is success. */
int cli_exit_status(enum tsf_err rc, const struct tsf_error *err);
void cli_say(const char *fmt, ...) TSF_PRINTF(1, 2); /* stderr, unless --quiet */
/* A line that overwrites itself on a terminal; shown from half a second on; "" clears it. */
void cli_progress(const char *fmt, ...) TSF_PRINTF(1, 2);
bool cli_progress_wanted(void);
/* maintain_manifest_fn that prints the line on stdout, flushed and checked. */
enum tsf_err cli_print_manifest(void *ctx, struct table_manifest *m, struct tsf_error *err);
/* Write to stdout and check. EPIPE ends quietly. */
enum tsf_err cli_write(const void *p, size_t n, struct tsf_error *err);
/* Each line of stdin as a manifest through fn, then on stdout. */
enum tsf_err cli_each_manifest(enum tsf_err (*fn)(void *ctx, struct table_manifest *m, struct tsf_error *err), void *ctx,
                               struct tsf_error *err);

#endif
