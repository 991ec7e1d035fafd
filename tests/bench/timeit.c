/*
 * timeit: run commands in turn, several times, and print what each cost.
 *
 *   timeit [-n TIMES] [-w WARMUPS] [-o FILE] [-i FILE] -- COMMAND ARG... [:: COMMAND ARG...]...
 *
 * The commands take turns (A B A B ...), so that a slow moment of the machine meets all of them. One line
 * per command on stdout, tab-separated: median, least and greatest wall milliseconds, median CPU milliseconds
 * (user and system, with children that were waited for), peak resident KiB of the largest process, and how
 * many runs failed. The commands' stdout goes to FILE.1, FILE.2, ... of the last run, or to /dev/null.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMMANDS 16
#define MAX_TIMES 1000

struct command {
    char **argv;
    double wall[MAX_TIMES], cpu[MAX_TIMES];
    long rss_kib;
    int failed;
};

static struct command commands[MAX_COMMANDS];

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void child(char **argv, const char *in, const char *out)
{
    int fd_in = open(in ? in : "/dev/null", O_RDONLY);
    int fd_out = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd_in >= 0 && fd_out >= 0 && dup2(fd_in, 0) == 0 && dup2(fd_out, 1) == 1) {
        close(fd_in);
        close(fd_out);
        execvp(argv[0], argv);
    }
    fprintf(stderr, "timeit: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static int run(struct command *cmd, int number, const char *in, const char *out_prefix, int at)
{
    char out[4096] = "/dev/null";
    struct rusage ru;
    int status;
    if (out_prefix)
        snprintf(out, sizeof out, "%s.%d", out_prefix, number);
    double start = now_ms();
    pid_t pid = vfork();
    if (pid < 0) {
        perror("timeit: fork");
        return -1;
    }
    if (pid == 0)
        child(cmd->argv, in, out);
    while (wait4(pid, &status, 0, &ru) < 0)
        if (errno != EINTR)
            return -1;
    double wall = now_ms() - start;
    if (status != 0)
        cmd->failed++;
    if (at < 0)
        return 0;
    cmd->wall[at] = wall;
    cmd->cpu[at] = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e3 + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e3;
    if (ru.ru_maxrss > cmd->rss_kib)
        cmd->rss_kib = ru.ru_maxrss;
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

int main(int argc, char **argv)
{
    int c, times = 1, warmups = 0, n_commands = 0, failed = 0;
    const char *in = NULL, *out = NULL;
    while ((c = getopt(argc, argv, "+n:w:o:i:")) != -1) {
        switch (c) {
        case 'n': times = atoi(optarg); break;
        case 'w': warmups = atoi(optarg); break;
        case 'o': out = optarg; break;
        case 'i': in = optarg; break;
        default: return 2;
        }
    }
    for (int i = optind, fresh = 1; i < argc; i++) {
        if (strcmp(argv[i], "::") == 0) {
            argv[i] = NULL;
            fresh = 1;
        } else if (fresh && n_commands < MAX_COMMANDS) {
            commands[n_commands++].argv = &argv[i];
            fresh = 0;
        }
    }
    if (n_commands == 0 || times < 1 || times > MAX_TIMES) {
        fprintf(stderr, "usage: timeit [-n TIMES] [-w WARMUPS] [-o FILE] [-i FILE] -- COMMAND ARG... [:: COMMAND ARG...]...\n");
        return 2;
    }
    for (int at = -warmups; at < times; at++)
        for (int i = 0; i < n_commands; i++)
            if (run(&commands[i], i + 1, in, out, at))
                return 1;
    for (int i = 0; i < n_commands; i++) {
        struct command *cmd = &commands[i];
        double wall = median(cmd->wall, times), cpu = median(cmd->cpu, times);
        printf("%.3f\t%.3f\t%.3f\t%.3f\t%ld\t%d\n", wall, cmd->wall[0], cmd->wall[times - 1], cpu, cmd->rss_kib, cmd->failed);
        failed += cmd->failed;
    }
    return failed ? 1 : 0;
}
