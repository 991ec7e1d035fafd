/* Option tables. One table makes parsing, --help and what the completions ask for. */
#include "common/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cli_internal.h"

#define HELP_COLUMN 28

static void print_help(const struct cli_program *p, FILE *out)
{
    for (int i = 0; p->synopsis[i]; i++)
        fprintf(out, "%s %s%s%s\n", i ? "      " : "usage:", p->name, p->synopsis[i][0] ? " " : "", p->synopsis[i]);
    fprintf(out, "\n%s\n\n", p->purpose);
    for (const struct cli_option *o = p->options; o->name; o++) {
        char left[64];
        if (!o->help)
            continue;
        int n = snprintf(left, sizeof left, "  %c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                         o->letter ? "," : " ", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        fprintf(out, "%-*s%s%s\n", HELP_COLUMN, left, n >= HELP_COLUMN ? "  " : "", o->help);
    }
    fprintf(out, "%-*s%s\n", HELP_COLUMN, "  -h, --help", "this text");
    fprintf(out, "%-*s%s\n", HELP_COLUMN, "      --version", "the version");
    for (int i = 0; p->notes && p->notes[i]; i++)
        fprintf(out, "%s%s\n", i ? "" : "\n", p->notes[i]);
}

/* For the completions: name, argument, help, separated by tabs. */
static void print_options(const struct cli_program *p)
{
    for (const struct cli_option *o = p->options; o->name; o++)
        if (o->help)
            printf("--%s\t%s\t%s\n", o->name, o->arg ? o->arg : "", o->help);
    printf("--help\t\tthis text\n--version\t\tthe version\n");
}

_Noreturn static void finish(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        status = 1;
    exit(status);
}

_Noreturn void cli_usage_error(const struct cli_program *prog, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s: ", prog->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    for (int i = 0; prog->synopsis[i]; i++)
        fprintf(stderr, "%s %s%s%s\n", i ? "      " : "usage:", prog->name, prog->synopsis[i][0] ? " " : "", prog->synopsis[i]);
    fprintf(stderr, "%s --help says more.\n", prog->name);
    exit(2);
}

static int distance(const char *a, const char *b)
{
    int n = (int)strlen(b), row[65];

    if (strlen(a) > 64 || n > 64)
        return 99;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diag = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int up = row[j];
            row[j] = TSF_MIN(TSF_MIN(row[j] + 1, row[j - 1] + 1), diag + (a[i - 1] != b[j - 1]));
            diag = up;
        }
    }
    return row[n];
}

_Noreturn static void unknown_option(const struct cli_program *prog, const char *name)
{
    const char *best = NULL;
    int best_d = 4;

    for (const struct cli_option *o = prog->options; o->name; o++)
        if (o->help && distance(name, o->name) < best_d) {
            best_d = distance(name, o->name);
            best = o->name;
        }
    if (best)
        cli_usage_error(prog, "unknown option --%s; did you mean --%s?", name, best);
    cli_usage_error(prog, "unknown option --%s", name);
}

static void store_value(const struct cli_program *prog, const struct cli_option *o, const char *arg, void *opts)
{
    void *field = (char *)opts + o->offset;
    struct cli_list *list = field;
    int64_t v;

    switch (o->type) {
    case CLI_FLAG:
        *(bool *)field = true;
        break;
    case CLI_VERBOSE:
        ++*(int *)field;
        break;
    case CLI_STRING:
        *(const char **)field = arg;
        break;
    case CLI_INT:
        if (!tsf_int64_parse(tsf_str(arg), &v) || v < -1)
            cli_usage_error(prog, "--%s takes a whole number, not \"%s\"", o->name, arg);
        *(int64_t *)field = v;
        break;
    case CLI_SIZE:
        if (!tsf_size_parse(arg, &v) || v < 1)
            cli_usage_error(prog, "--%s takes a size such as 16M, not \"%s\"", o->name, arg);
        *(int64_t *)field = v;
        break;
    case CLI_DURATION:
        if (!tsf_duration_parse(arg, &v))
            cli_usage_error(prog, "--%s takes a duration such as 48h or 7d, not \"%s\"", o->name, arg);
        *(int64_t *)field = v ? v : -1;
        break;
    case CLI_LIST:
        if (list->n == (int)TSF_ARRAY_LEN(list->items))
            cli_usage_error(prog, "--%s is given too often", o->name);
        list->items[list->n++] = arg;
        break;
    }
}

static bool takes_value(const struct cli_option *o)
{
    return o->type != CLI_FLAG && o->type != CLI_VERBOSE;
}

/* Returns how many further words of argv were used. */
static int parse_long(const struct cli_program *prog, char **argv, int left, void *opts)
{
    const char *name = argv[0] + 2, *eq = strchr(name, '=');
    char bare[64];
    size_t n = eq ? (size_t)(eq - name) : strlen(name);

    if (n >= sizeof bare)
        cli_usage_error(prog, "unknown option %s", argv[0]);
    memcpy(bare, name, n);
    bare[n] = 0;
    if (strcmp(bare, "help") == 0) {
        print_help(prog, stdout);
        finish(0);
    }
    if (strcmp(bare, "version") == 0) {
        printf("%s %s\n", prog->name, TSF_VERSION);
        finish(0);
    }
    if (strcmp(bare, "complete-options") == 0) {
        print_options(prog);
        finish(0);
    }
    for (const struct cli_option *o = prog->options; o->name; o++) {
        if (strcmp(o->name, bare) != 0)
            continue;
        if (!takes_value(o)) {
            if (eq)
                cli_usage_error(prog, "--%s takes no value", bare);
            store_value(prog, o, NULL, opts);
            return 0;
        }
        if (!eq && left < 2)
            cli_usage_error(prog, "--%s needs a value", bare);
        store_value(prog, o, eq ? eq + 1 : argv[1], opts);
        return eq ? 0 : 1;
    }
    unknown_option(prog, bare);
}

static int parse_short(const struct cli_program *prog, char **argv, int left, void *opts)
{
    for (const char *c = argv[0] + 1; *c; c++) {
        const struct cli_option *o = prog->options;
        if (*c == 'h') {
            print_help(prog, stdout);
            finish(0);
        }
        while (o->name && o->letter != *c)
            o++;
        if (!o->name)
            cli_usage_error(prog, "unknown option -%c", *c);
        if (!takes_value(o)) {
            store_value(prog, o, NULL, opts);
            continue;
        }
        if (!c[1] && left < 2)
            cli_usage_error(prog, "-%c needs a value", *c);
        store_value(prog, o, c[1] ? c + 1 : argv[1], opts);
        return c[1] ? 0 : 1;
    }
    return 0;
}

/* "-- a comment" followed by SQL, not an option: no option's name holds a blank. */
static bool is_text(const char *arg)
{
    return strcspn(arg, " \t\n") < strcspn(arg, "=");
}

void cli_parse(int argc, char **argv, const struct cli_program *prog, void *opts, struct cli_common *common,
               char ***operands_out, int *n_operands_out)
{
    int n = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            while (++i < argc)
                argv[1 + n++] = argv[i];
            break;
        }
        if (argv[i][0] != '-' || !argv[i][1] || is_text(argv[i]))
            argv[1 + n++] = argv[i];
        else if (argv[i][1] == '-')
            i += parse_long(prog, argv + i, argc - i, opts);
        else
            i += parse_short(prog, argv + i, argc - i, opts);
    }
    if (argc > 0)
        argv[1 + n] = NULL;
    *operands_out = argv + 1;
    *n_operands_out = n;
    cli_setup(prog->name, common->verbose, common->quiet);
}
