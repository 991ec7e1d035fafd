#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/base.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* ---- vector units -------------------------------------------------------------------------------- */

#if defined(__x86_64__)
/* By hand: clang does not know "lzcnt" in __builtin_cpu_supports. */
static bool cpu_has_lzcnt(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(0x80000001u, &a, &b, &c, &d) != 0 && (c & (1u << 5)) != 0;
}

static enum tsf_simd simd_of_machine(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2") ||
        !__builtin_cpu_supports("popcnt") || !cpu_has_lzcnt())
        return TSF_SIMD_SCALAR;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vbmi"))
        return TSF_SIMD_AVX2;
    return TSF_SIMD_AVX512;
}
#else
static enum tsf_simd simd_of_machine(void)
{
    return TSF_SIMD_SCALAR;
}
#endif

static enum tsf_simd simd_detect(void)
{
    const char *env = getenv("TSF_SIMD");
    enum tsf_simd have = simd_of_machine(), want = TSF_SIMD_AVX512;

    if (env != NULL && strcmp(env, "scalar") == 0)
        want = TSF_SIMD_SCALAR;
    else if (env != NULL && strcmp(env, "avx2") == 0)
        want = TSF_SIMD_AVX2;
    return TSF_MIN(have, want);
}

enum tsf_simd tsf_simd_level(void)
{
    static atomic_int cache; /* level + 1; racing threads find the same answer */
    int level = atomic_load_explicit(&cache, memory_order_relaxed);

    if (TSF_UNLIKELY(level == 0)) {
        level = (int)simd_detect() + 1;
        atomic_store_explicit(&cache, level, memory_order_relaxed);
    }
    return (enum tsf_simd)(level - 1);
}

/* ---- how many CPUs ------------------------------------------------------------------------------- */

#define THREADS_MAX 1024

static int cpus_by_affinity(void)
{
    for (int n = 1024; n <= 1 << 16; n *= 4) { /* the kernel refuses a set smaller than its own */
        cpu_set_t *set = CPU_ALLOC((size_t)n);
        size_t size = CPU_ALLOC_SIZE((size_t)n);
        int count = 0;

        if (set == NULL)
            break;
        if (sched_getaffinity(0, size, set) == 0)
            count = CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (count > 0)
            return count;
        if (errno != EINVAL)
            break;
    }
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* Text of a small file of /proc or /sys; false when there is none. */
static bool small_file_read(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, out, size - 1);
    close(fd);
    if (n <= 0)
        return false;
    out[n] = '\0';
    return true;
}

/* CPUs that one cpu.max file grants, rounded up; INT32_MAX when it sets no limit. */
static int cpus_of_quota(const char *path)
{
    char text[64];
    long long quota, period;

    if (!small_file_read(path, text, sizeof(text)) || sscanf(text, "%lld %lld", &quota, &period) != 2 || quota <= 0 ||
        period <= 0 || quota / period >= THREADS_MAX)
        return INT32_MAX;
    return (int)((quota + period - 1) / period);
}

/* The smallest quota of our cgroup (version 2) and all above it. */
static int cpus_by_cgroup(void)
{
    char text[1024], path[1200], *group, *end;
    int best = INT32_MAX;

    if (!small_file_read("/proc/self/cgroup", text, sizeof(text)))
        return best;
    group = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (group == NULL)
        return best;
    group = strchr(group, '/');
    if (group == NULL)
        return best;
    group[strcspn(group, "\n")] = '\0';
    for (;;) {
        int n;

        snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", strcmp(group, "/") == 0 ? "" : group);
        n = cpus_of_quota(path);
        best = TSF_MIN(best, n);
        if ((end = strrchr(group, '/')) == NULL)
            return best;
        *end = '\0';
    }
}

int tsf_cpu_count(void)
{
    static atomic_int cache;
    const char *env = getenv("TSF_THREADS");
    int n;

    if (env != NULL && *env != '\0') {
        char *end;
        long v = strtol(env, &end, 10);

        if (*end == '\0' && v >= 1)
            return (int)TSF_MIN(v, THREADS_MAX);
    }
    n = atomic_load_explicit(&cache, memory_order_relaxed);
    if (n == 0) {
        int quota = cpus_by_cgroup();

        n = cpus_by_affinity();
        n = TSF_MAX(TSF_MIN(TSF_MIN(n, quota), THREADS_MAX), 1);
        atomic_store_explicit(&cache, n, memory_order_relaxed);
    }
    return n;
}
