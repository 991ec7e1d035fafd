#ifndef TSF_TEST_UTIL_H
#define TSF_TEST_UTIL_H
/*
 * What unit tests share, over cmocka.
 *
 *   static void test_wal_recover__torn_tail_is_dropped(void **state)
 *   {
 *       struct tsf_error err = TSF_ERROR_INIT;
 *       CHECK_OK(wal_topic_open(test_dir(), ..., &err), &err);
 *       CHECK_INT(wal_count(t), 3);
 *   }
 *   TEST_MAIN(TEST(test_wal_recover__torn_tail_is_dropped))
 *
 * Each TEST runs in an empty directory of its own, which is also the current one, and which is removed afterwards.
 * Checks never compile away, evaluate their arguments once, print both values, and end the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

#define TEST_UNUSED __attribute__((unused))
#define TEST_FAIL(...)                                                                                                 \
    do {                                                                                                               \
        print_error("%s:%d: ", __FILE__, __LINE__);                                                                    \
        print_error(__VA_ARGS__);                                                                                      \
        print_error("\n");                                                                                             \
        _fail(__FILE__, __LINE__);                                                                                     \
        abort(); /* never reached: cmocka jumps */                                                                     \
    } while (0)

/* ---- checks ---- */

#define CHECK(cond)                                                                                                    \
    do {                                                                                                               \
        if (!(cond))                                                                                                   \
            TEST_FAIL("not so: %s", #cond);                                                                            \
    } while (0)

/* The call returns TSF_OK; else its message is shown. */
#define CHECK_OK(call, errp)                                                                                           \
    do {                                                                                                               \
        enum tsf_err check_rc = (call);                                                                                \
        const struct tsf_error *check_err = (errp);                                                                    \
        if (check_rc != TSF_OK)                                                                                        \
            TEST_FAIL("%s: code %d: %s", #call, (int)check_rc, check_err ? check_err->msg : "(no message)");           \
    } while (0)

/* The call fails with that code. */
#define CHECK_ERR(call, code)                                                                                          \
    do {                                                                                                               \
        enum tsf_err check_rc = (call), check_want = (code);                                                           \
        if (check_rc != check_want)                                                                                    \
            TEST_FAIL("%s: code %d, want %s (%d)", #call, (int)check_rc, #code, (int)check_want);                      \
    } while (0)

#define CHECK_INT(got, want)                                                                                           \
    do {                                                                                                               \
        int64_t check_got = (int64_t)(got), check_want = (int64_t)(want);                                              \
        if (check_got != check_want)                                                                                   \
            TEST_FAIL("%s is %" PRId64 ", want %s = %" PRId64, #got, check_got, #want, check_want);                    \
    } while (0)

#define CHECK_HEX(got, want)                                                                                           \
    do {                                                                                                               \
        uint64_t check_got = (uint64_t)(got), check_want = (uint64_t)(want);                                           \
        if (check_got != check_want)                                                                                   \
            TEST_FAIL("%s is 0x%" PRIx64 ", want %s = 0x%" PRIx64, #got, check_got, #want, check_want);                \
    } while (0)

/* Equal to the last bit, NaN equal to NaN. */
#define CHECK_DOUBLE(got, want)                                                                                        \
    do {                                                                                                               \
        double check_got = (got), check_want = (want);                                                                 \
        if (memcmp(&check_got, &check_want, sizeof(check_got)) != 0 && !(isnan(check_got) && isnan(check_want)))       \
            TEST_FAIL("%s is %.17g, want %s = %.17g", #got, check_got, #want, check_want);                             \
    } while (0)

#define CHECK_NEAR(got, want, tolerance)                                                                               \
    do {                                                                                                               \
        double check_got = (got), check_want = (want);                                                                 \
        if (!(fabs(check_got - check_want) <= (tolerance)))                                                            \
            TEST_FAIL("%s is %.17g, want %.17g within %g", #got, check_got, check_want, (double)(tolerance));          \
    } while (0)

#define CHECK_STR(got, want)                                                                                           \
    do {                                                                                                               \
        const char *check_got = (got), *check_want = (want);                                                           \
        if (!check_got || !check_want ? check_got != check_want : strcmp(check_got, check_want) != 0)                  \
            TEST_FAIL("%s is \"%s\", want \"%s\"", #got, check_got ? check_got : "(null)",                             \
                      check_want ? check_want : "(null)");                                                             \
    } while (0)

/* The string got contains part. */
#define CHECK_HAS(got, part)                                                                                           \
    do {                                                                                                               \
        const char *check_got = (got), *check_part = (part);                                                           \
        if (!check_got || !strstr(check_got, check_part))                                                              \
            TEST_FAIL("%s is \"%s\", without \"%s\"", #got, check_got ? check_got : "(null)", check_part);             \
    } while (0)

#define CHECK_MEM(got, got_len, want, want_len)                                                                        \
    do {                                                                                                               \
        const unsigned char *check_got = (const void *)(got), *check_want = (const void *)(want);                      \
        size_t check_n = (size_t)(got_len), check_m = (size_t)(want_len), check_i = 0;                                 \
        while (check_i < check_n && check_i < check_m && check_got[check_i] == check_want[check_i])                    \
            check_i++;                                                                                                 \
        if (check_n != check_m || check_i < check_n)                                                                   \
            TEST_FAIL("%s: %zu bytes, want %zu; first difference at %zu: 0x%02x, want 0x%02x", #got, check_n, check_m, \
                      check_i, check_i < check_n ? check_got[check_i] : 0u,                                            \
                      check_i < check_m ? check_want[check_i] : 0u);                                                   \
    } while (0)

/* Leave the test as skipped, and say why. */
#define TEST_SKIP(...)                                                                                                 \
    do {                                                                                                               \
        print_message("# skipped: ");                                                                                  \
        print_message(__VA_ARGS__);                                                                                    \
        print_message("\n");                                                                                           \
        skip();                                                                                                        \
    } while (0)

/* ---- directories and files ---- */

static char test_dir_path[512], test_dir_before[4096];

TEST_UNUSED static const char *test_dir(void)
{
    return test_dir_path;
}

/* Path of a name in the test's directory; in one of eight buffers that take turns. */
TEST_UNUSED static const char *test_path(const char *name)
{
    static char paths[8][1024];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    int n = snprintf(path, sizeof(paths[0]), "%s/%s", test_dir_path, name);
    if (n < 0 || (size_t)n >= sizeof(paths[0]))
        TEST_FAIL("path too long: %s", name);
    return path;
}

static int test_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)ftw;
    if (flag == FTW_DNR)
        (void)chmod(path, 0700);
    return remove(path);
}

TEST_UNUSED static int test_dir_setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    if (!getcwd(test_dir_before, sizeof(test_dir_before)))
        return -1;
    snprintf(test_dir_path, sizeof(test_dir_path), "%s/tsf-unit.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(test_dir_path) && chdir(test_dir_path) == 0 ? 0 : -1;
}

TEST_UNUSED static int test_dir_teardown(void **state)
{
    (void)state;
    if (chdir(test_dir_before) != 0)
        return -1;
    return nftw(test_dir_path, test_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TEST_UNUSED static void test_write_file(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");
    if (!f || (len && fwrite(bytes, 1, len, f) != len) || fclose(f) != 0)
        TEST_FAIL("cannot write %s", path);
}

/* The whole file, with a NUL after it that is not counted; the caller frees it. */
TEST_UNUSED static char *test_read_file(const char *path, size_t *len_out)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    char *bytes;
    if (!f || fstat(fileno(f), &st) != 0 || !(bytes = malloc((size_t)st.st_size + 1)))
        TEST_FAIL("cannot open %s", path);
    if (fread(bytes, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
        TEST_FAIL("cannot read %s", path);
    fclose(f);
    bytes[st.st_size] = 0;
    if (len_out)
        *len_out = (size_t)st.st_size;
    return bytes;
}

/* Path of a file among the conformance corpora ($CONFORMANCE); the test is skipped where they are absent. */
TEST_UNUSED static const char *test_conformance(const char *rel)
{
    static char path[1024];
    const char *root = getenv("CONFORMANCE");
    snprintf(path, sizeof(path), "%s/%s", root ? root : "../shared/conformance", rel);
    if (access(path, R_OK) != 0)
        TEST_SKIP("%s is absent", path);
    return path;
}

/* A small deterministic generator for random tests; start from a seed of your choice, never from 0. */
TEST_UNUSED static uint64_t test_random(uint64_t *seed)
{
    uint64_t x = *seed;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *seed = x;
}

/* ---- main ---- */

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, test_dir_setup, test_dir_teardown)
#define TEST_MAIN(...)                                                                                                 \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        const struct CMUnitTest tests[] = { __VA_ARGS__ };                                                             \
        return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;                                                      \
    }

#endif
