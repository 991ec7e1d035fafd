/* Messages, exit status, signals, progress, manifests. */
#include "common/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cli_internal.h"

#define PROGRESS_FIRST_NS 500000000LL
#define PROGRESS_EVERY_NS 100000000LL

static const char *program = "tsf";
static bool be_quiet, progress_shown, stderr_tty;
static int64_t started_ns, progress_ns;
static volatile sig_atomic_t got_signal;

/* ---- messages --------------------------------------------------------------------------------------------------- */

void cli_progress(const char *fmt, ...)
{
    int64_t now = tsf_monotonic_ns();
    char line[256];
    va_list ap;

    if (!fmt[0]) {
        if (progress_shown)
            fputs("\r\033[K", stderr);
        progress_shown = false;
        return;
    }
    if (!cli_progress_wanted() || now - started_ns < PROGRESS_FIRST_NS || now - progress_ns < PROGRESS_EVERY_NS)
        return;
    progress_ns = now;
    progress_shown = true;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\r%s\033[K", line);
}

bool cli_progress_wanted(void)
{
    return stderr_tty && !be_quiet;
}

static void say_line(const char *what, const char *msg)
{
    cli_progress("%s", "");
    fprintf(stderr, "%s: %s%s\n", program, what, msg);
}

static void log_line(enum tsf_level level, const char *msg)
{
    if (level != TSF_LOG_WARN || !be_quiet)
        say_line(level == TSF_LOG_WARN ? "warning: " : "", msg);
}

void cli_say(const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    if (be_quiet)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    say_line("", line);
}

/* ---- signals -------------------------------------------------------------------------------------------------------- */

static void on_signal(int sig)
{
    if (got_signal) /* asked twice: do not wait for the clean end */
        _exit(128 + sig);
    got_signal = sig;
    tsf_cancel();
}

void cli_setup(const char *name, int verbose, _Bool quiet)
{
    struct sigaction sa = { .sa_handler = on_signal };

    program = name;
    be_quiet = quiet;
    stderr_tty = isatty(2);
    started_ns = tsf_monotonic_ns();
    tsf_log_set(log_line, verbose > 1 ? TSF_LOG_DEBUG : verbose ? TSF_LOG_INFO : TSF_LOG_WARN);
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write, which is checked */
}

/* ---- ending ------------------------------------------------------------------------------------------------------------ */

int cli_exit_status(enum tsf_err rc, const struct tsf_error *err)
{
    cli_progress("%s", "");
    if (rc == TSF_OK || rc == TSF_END)
        return 0;
    if (got_signal) {
        say_line("", "stopped by a signal; what was not committed never shows");
        return 128 + got_signal;
    }
    if (err->sys_errno == EPIPE)
        return 1;
    say_line("", err->msg[0] ? err->msg : "failed");
    if (err->hint[0])
        say_line("hint: ", err->hint);
    return rc == TSF_ERR_CONFLICT ? 75 : 1;
}

enum tsf_err cli_env_open(const struct cli_common *common, struct table_env **out, struct tsf_error *err)
{
    struct table_env_options opts = { .warehouse = common->warehouse, .data_dir = common->data_dir, .no_cache = common->no_cache };

    return table_env_open(&opts, out, err);
}

enum tsf_err cli_write(const void *p, size_t n, struct tsf_error *err)
{
    return tsf_write_all(STDOUT_FILENO, p, n, "standard output", err);
}

/* ---- manifests ------------------------------------------------------------------------------------------------------------ */

enum tsf_err cli_print_manifest(void *ctx, struct table_manifest *m, struct tsf_error *err)
{
    struct tsf_buf line = TSF_BUF_INIT(0);
    enum tsf_err rc;

    (void)ctx;
    cli_progress("%s", "");
    if ((rc = table_manifest_print(m, &line, err)) == TSF_OK)
        rc = cli_write(line.data, line.len, err);
    tsf_buf_release(&line);
    return rc;
}

enum tsf_err cli_each_manifest(enum tsf_err (*fn)(void *ctx, struct table_manifest *m, struct tsf_error *err), void *ctx,
                               struct tsf_error *err)
{
    struct table_manifest m = TABLE_MANIFEST_INIT;
    enum tsf_err rc = TSF_OK;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    for (int64_t number = 1; rc == TSF_OK && (n = getline(&line, &cap, stdin)) >= 0; number++) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            n--;
        if (n == 0)
            continue;
        if ((rc = table_manifest_parse(&m, tsf_str_n(line, (size_t)n), err)) != TSF_OK) {
            tsf_prepend(err, rc, "standard input line %lld", (long long)number);
            break;
        }
        if ((rc = fn(ctx, &m, err)) == TSF_OK)
            rc = cli_print_manifest(NULL, &m, err);
    }
    if (rc == TSF_OK && ferror(stdin))
        rc = tsf_fail_errno(err, "standard input");
    free(line);
    table_manifest_release(&m);
    return rc;
}
