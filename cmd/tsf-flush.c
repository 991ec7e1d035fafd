/* tsf-flush: the WAL's rows into the tables. The work is maintain_flush(). */
#include "common/cli.h"
#include "maintain/maintain.h"

struct options {
    struct cli_common common;
    int64_t memory, threads, level, wait_us;
    bool salvage;
};

static const struct cli_option option_table[] = {
    { 0, "salvage", CLI_FLAG, offsetof(struct options, salvage), NULL, "go on past damaged WAL records, dropping them" },
    { 0, "level", CLI_INT, offsetof(struct options, level), "N", "zstd level of the files (3)" },
    { 0, "memory-limit", CLI_SIZE, offsetof(struct options, memory), "SIZE", "rows sorted at once (512M)" },
    { 'j', "threads", CLI_INT, offsetof(struct options, threads), "N", "threads (all cores)" },
    { 0, "wait", CLI_DURATION, offsetof(struct options, wait_us), "TIME", "for another flush to end (0: exit 75)" },
    CLI_COMMON(struct options, common),
    { 0 },
};
static const char *const synopsis[] = { "[options] [TABLE ...]", NULL };
static const char *const notes[] = {
    "Without TABLE: every table that has unflushed rows. Prints one manifest per",
    "commit. Exit status: 0 done, 1 failed, 2 usage, 75 another flush is running.", NULL,
};
static const struct cli_program program = {
    "tsf-flush", synopsis, "Write unflushed rows to Parquet files and commit them.", option_table, notes,
};

struct names {
    struct tsf_arena arena;
    char **list;
    size_t n, cap;
    const char *warehouse;
};

static enum tsf_err collect(void *ctx, const char *warehouse, const char *table, struct tsf_error *err)
{
    struct names *names = ctx;

    if (!tsf_arena_grow(&names->arena, (void **)&names->list, &names->cap, names->n + 1, sizeof *names->list))
        return tsf_fail_nomem(err);
    /* A table outside of the warehouse is named by its path. */
    char *name = strcmp(warehouse, names->warehouse) == 0
                     ? tsf_arena_strdup(&names->arena, table)
                     : tsf_arena_printf(&names->arena, "%s/%s", warehouse, table);
    if (!name)
        return tsf_fail_nomem(err);
    names->list[names->n++] = name;
    return TSF_OK;
}

/* One table that fails does not keep the others from being flushed; the first error is what the run ends with. */
static enum tsf_err flush_all(struct table_env *env, char **tables, int n, const struct maintain_flush_options *mopts,
                              struct tsf_error *err)
{
    enum tsf_err first = TSF_OK;

    for (int i = 0; i < n && !tsf_cancelled(); i++) {
        struct tsf_error e = TSF_ERROR_INIT;
        enum tsf_err rc;
        cli_progress("flushing %s (%d of %d)", tables[i], i + 1, n);
        rc = maintain_flush(env, tables[i], mopts, cli_print_manifest, NULL, &e);
        if (rc == TSF_OK)
            continue;
        if (first == TSF_OK) {
            first = rc;
            *err = e;
        } else {
            cli_say("%s", e.msg);
        }
    }
    return first == TSF_OK ? tsf_cancel_check(err) : first;
}

int main(int argc, char **argv)
{
    struct options o = { 0 };
    struct tsf_error err = TSF_ERROR_INIT;
    struct table_env *env = NULL;
    struct names names = { 0 };
    char **operands;
    enum tsf_err rc;
    int n;

    cli_parse(argc, argv, &program, &o, &o.common, &operands, &n);
    struct maintain_flush_options mopts = { .zstd_level = (int)o.level, .memory_limit = o.memory, .threads = (int)o.threads,
                                            .wait_ms = o.wait_us > 0 ? (int)TSF_MIN(o.wait_us / 1000, INT32_MAX) : 0,
                                            .salvage = o.salvage };
    if ((rc = cli_env_open(&o.common, &env, &err)) != TSF_OK)
        goto done;
    if (!n) {
        names.warehouse = env->warehouse;
        if ((rc = wal_topics_each(env->data_dir, collect, &names, &err)) != TSF_OK)
            goto done;
    }
    rc = flush_all(env, n ? operands : names.list, n ? n : (int)names.n, &mopts, &err);
done:
    table_env_free(env);
    tsf_arena_release(&names.arena);
    return cli_exit_status(rc, &err);
}
