#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

static int home_fd;
static char fresh_dir[64];

static int enter_fresh_dir(void **state)
{
    (void)state;
    snprintf(fresh_dir, sizeof(fresh_dir), "/tmp/tsf-base-XXXXXX");
    return mkdtemp(fresh_dir) == NULL || chdir(fresh_dir) != 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int leave_fresh_dir(void **state)
{
    (void)state;
    return fchdir(home_fd) != 0 || nftw(fresh_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0;
}

static int count_entries(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;

    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static void assert_content(const char *path, const char *want)
{
    struct tsf_buf b = TSF_BUF_INIT(0);

    assert_int_equal(tsf_file_read(path, 0, &b, NULL), TSF_OK);
    assert_string_equal(tsf_buf_cstr(&b), want);
    tsf_buf_release(&b);
}

/* ---- new files ---- */

static void test_newfile__appears_whole_at_publish(void **state)
{
    struct tsf_newfile f;
    struct stat st;

    (void)state;
    assert_int_equal(tsf_newfile_open(&f, "a/b/c.txt", NULL), TSF_OK);
    assert_int_equal(tsf_newfile_write(&f, "hello ", 6, NULL), TSF_OK);
    assert_int_equal(tsf_newfile_write(&f, "world", 5, NULL), TSF_OK);
    assert_int_equal(f.size, 11);
    assert_int_equal(stat("a/b/c.txt", &st), -1);
    assert_int_equal(count_entries("a/b"), 1); /* the temporary, beside its target */
    assert_memory_equal(f.tmp_path, "a/b/.tmp-", 9);
    assert_int_equal(tsf_newfile_publish(&f, TSF_PUBLISH_NEW, NULL), TSF_OK);
    tsf_newfile_abort(&f);
    tsf_newfile_abort(&f);
    assert_int_equal(count_entries("a/b"), 1);
    assert_content("a/b/c.txt", "hello world");
    assert_int_equal(stat("a/b/c.txt", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(stat("a", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void test_newfile__abort_leaves_nothing(void **state)
{
    struct tsf_newfile f = TSF_NEWFILE_INIT, zeroed = { 0 };

    (void)state;
    tsf_newfile_abort(&f); /* never opened */
    tsf_newfile_abort(&zeroed);
    assert_int_equal(tsf_newfile_open(&f, "x", NULL), TSF_OK);
    assert_int_equal(tsf_newfile_write(&f, "1", 1, NULL), TSF_OK);
    tsf_newfile_abort(&f);
    assert_int_equal(f.fd, -1);
    assert_int_equal(count_entries("."), 0);
}

static void test_newfile__new_conflicts_and_replace_replaces(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;

    (void)state;
    assert_int_equal(tsf_file_write("x", "one", 3, TSF_PUBLISH_NEW, NULL), TSF_OK);
    assert_int_equal(tsf_file_write("x", "two", 3, TSF_PUBLISH_NEW, &err), TSF_ERR_CONFLICT);
    assert_int_equal(err.code, TSF_ERR_CONFLICT);
    assert_content("x", "one");
    assert_int_equal(tsf_file_write("x", "three", 5, TSF_PUBLISH_REPLACE, NULL), TSF_OK);
    assert_content("x", "three");
    assert_int_equal(count_entries("."), 1);
}

static void test_newfile__one_of_many_processes_wins(void **state)
{
    enum { N = 8 };
    int gate[2], winners = 0;
    pid_t pids[N];

    (void)state;
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < N; i++) {
        assert_true((pids[i] = fork()) >= 0);
        if (pids[i] == 0) {
            struct tsf_error err = TSF_ERROR_INIT;
            enum tsf_err rc;
            char c;

            close(gate[1]);
            if (read(gate[0], &c, 1) != 0) /* all start when the parent closes the pipe */
                _exit(9);
            rc = tsf_file_write("d/x", &(char){ (char)('0' + i) }, 1, TSF_PUBLISH_NEW, &err);
            if (rc != TSF_OK && rc != TSF_ERR_CONFLICT)
                fprintf(stderr, "%s\n", err.msg);
            _exit(rc == TSF_OK ? 0 : rc == TSF_ERR_CONFLICT ? 1 : 9);
        }
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < N; i++) {
        int status;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
            fail_msg("wait status %#x", (unsigned)status);
        if (WEXITSTATUS(status) == 0) {
            winners++;
            assert_content("d/x", (char[]){ (char)('0' + i), '\0' });
        }
    }
    assert_int_equal(winners, 1);
    assert_int_equal(count_entries("d"), 1);
}

static void test_newfile__bad_names_and_places(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_newfile f;

    (void)state;
    assert_int_equal(tsf_newfile_open(&f, "", NULL), TSF_ERR_INVALID);
    assert_int_equal(tsf_newfile_open(&f, "a/", NULL), TSF_ERR_INVALID);
    assert_int_equal(tsf_file_write("file", "x", 1, TSF_PUBLISH_NEW, NULL), TSF_OK);
    assert_int_equal(tsf_newfile_open(&f, "file/x", &err), TSF_ERR_IO);
    assert_int_equal(err.sys_errno, ENOTDIR);
    tsf_newfile_abort(&f);
    assert_int_equal(mkdir("dir", 0700), 0);
    assert_int_equal(tsf_file_write("dir", "x", 1, TSF_PUBLISH_REPLACE, NULL), TSF_ERR_IO);
    assert_int_equal(tsf_file_write("dir", "x", 1, TSF_PUBLISH_NEW, NULL), TSF_ERR_CONFLICT);
    assert_int_equal(count_entries("."), 2);
}

/* ---- reading, directories, paths ---- */

static void test_file_read__ceilings_and_absence(void **state)
{
    struct tsf_buf b = TSF_BUF_INIT(0), small = TSF_BUF_INIT(4);
    struct tsf_error err = TSF_ERROR_INIT;

    (void)state;
    assert_int_equal(tsf_file_read("none", 0, &b, &err), TSF_ERR_NOT_FOUND);
    tsf_error_reset(&err);
    assert_int_equal(tsf_file_read(".", 0, &b, &err), TSF_ERR_IO);
    assert_int_equal(tsf_file_write("x", "12345", 5, TSF_PUBLISH_NEW, NULL), TSF_OK);
    assert_int_equal(tsf_file_read("x", 5, &b, NULL), TSF_OK);
    assert_int_equal(b.len, 5);
    assert_int_equal(tsf_file_read("x", 5, &b, NULL), TSF_OK); /* replaces */
    assert_int_equal(b.len, 5);
    assert_int_equal(tsf_file_read("x", 4, &b, NULL), TSF_ERR_NOMEM);
    assert_int_equal(tsf_file_read("x", 0, &small, NULL), TSF_ERR_NOMEM);
    assert_int_equal(tsf_file_write("empty", NULL, 0, TSF_PUBLISH_NEW, NULL), TSF_OK);
    assert_int_equal(tsf_file_read("empty", 0, &b, NULL), TSF_OK);
    assert_int_equal(b.len, 0);
    assert_int_equal(tsf_file_read("/proc/self/stat", 0, &b, NULL), TSF_OK); /* its size is said to be 0 */
    assert_true(b.len > 0);
    tsf_buf_release(&b);
    tsf_buf_release(&small);
}

static void test_mkdirs__makes_parents_and_repeats(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;
    char path[128];

    (void)state;
    assert_int_equal(tsf_mkdirs("a/b//c/d/", NULL), TSF_OK);
    assert_int_equal(count_entries("a/b/c/d"), 0);
    assert_int_equal(tsf_mkdirs("a/b/c/d", NULL), TSF_OK);
    snprintf(path, sizeof(path), "%s/e/f", fresh_dir);
    assert_int_equal(tsf_mkdirs(path, NULL), TSF_OK);
    assert_int_equal(count_entries("e/f"), 0);
    assert_int_equal(tsf_mkdirs("/", NULL), TSF_OK);
    assert_int_equal(tsf_file_write("x", "1", 1, TSF_PUBLISH_NEW, NULL), TSF_OK);
    assert_int_equal(tsf_mkdirs("x", &err), TSF_ERR_IO);
    assert_int_equal(err.sys_errno, ENOTDIR);
    assert_int_equal(tsf_mkdirs("x/y", NULL), TSF_ERR_IO);
    assert_int_equal(tsf_dir_sync("a", NULL), TSF_OK);
    assert_int_equal(tsf_dir_sync("none", NULL), TSF_ERR_NOT_FOUND);
}

static void assert_joined(const char *dir, const char *rel, const char *want)
{
    struct tsf_buf b = TSF_BUF_INIT(0);

    assert_int_equal(tsf_path_join(&b, dir, rel, NULL), TSF_OK);
    assert_string_equal((char *)b.data, want);
    assert_int_equal(b.len, strlen(want));
    tsf_buf_release(&b);
}

static void test_path_join__one_slash(void **state)
{
    (void)state;
    assert_joined("a", "b", "a/b");
    assert_joined("a/", "b", "a/b");
    assert_joined("a/", "//b/c", "a/b/c");
    assert_joined("", "b", "b");
    assert_joined("", "/b", "/b");
    assert_joined("/", "b", "/b");
    assert_joined("a", "", "a/");
}

static void test_write_all__goes_through_a_full_pipe(void **state)
{
    enum { N = 300000 };
    uint8_t *out = calloc(1, N);
    int ends[2], status;
    pid_t pid;

    (void)state;
    assert_non_null(out);
    assert_int_equal(pipe(ends), 0);
    assert_true((pid = fork()) >= 0);
    if (pid == 0) {
        close(ends[0]);
        _exit(tsf_write_all(ends[1], out, N, "pipe", NULL) != TSF_OK);
    }
    close(ends[1]);
    for (size_t got = 0; got < N;) {
        ssize_t n = read(ends[0], out, 777);

        assert_true(n > 0);
        got += (size_t)n;
    }
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(tsf_write_all(-1, "x", 1, "nowhere", NULL), TSF_ERR_IO);
    assert_int_equal(tsf_pwrite_all(-1, "x", 1, 0, "nowhere", NULL), TSF_ERR_IO);
    free(out);
}

/* ---- sources ---- */

static void test_source_file__reads_views_and_stops_at_the_end(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_source src = { 0 };
    const uint8_t *view;
    char got[8] = "";

    (void)state;
    assert_int_equal(tsf_file_write("x", "0123456789", 10, TSF_PUBLISH_NEW, NULL), TSF_OK);
    assert_int_equal(tsf_source_file(&src, "x", NULL), TSF_OK);
    assert_int_equal(src.size, 10);
    assert_string_equal(src.name, "x");
    assert_int_equal(tsf_source_read(&src, 3, 4, got, NULL), TSF_OK);
    assert_string_equal(got, "3456");
    assert_int_equal(tsf_source_read(&src, 10, 0, got, NULL), TSF_OK);
    assert_non_null(view = tsf_source_view(&src, 8, 2));
    assert_memory_equal(view, "89", 2);
    src.ops->prefetch(src.ctx, (int64_t[]){ 0, 5, 5 }, (int64_t[]){ 10, 5, 6 }, 3);
    assert_int_equal(unlink("x"), 0); /* the bytes stay while the source is open */
    assert_int_equal(tsf_source_read(&src, 0, 1, got, NULL), TSF_OK);
    assert_int_equal(tsf_source_read(&src, 8, 3, got, &err), TSF_ERR_FORMAT);
    assert_int_equal(err.offset, 8);
    assert_non_null(strstr(err.msg, "truncated"));
    assert_int_equal(tsf_source_read(&src, -1, 1, got, NULL), TSF_ERR_FORMAT);
    assert_int_equal(tsf_source_read(&src, 11, 0, got, NULL), TSF_ERR_FORMAT);
    assert_int_equal(tsf_source_read(&src, INT64_MAX, 1, got, NULL), TSF_ERR_FORMAT);
    assert_int_equal(tsf_source_read(&src, 1, SIZE_MAX, got, NULL), TSF_ERR_FORMAT);
    assert_null(tsf_source_view(&src, 8, 3));
    assert_null(tsf_source_view(&src, 1, SIZE_MAX));
    tsf_source_close(&src);
    tsf_source_close(&src);
}

static void test_source_file__empty_absent_and_odd(void **state)
{
    struct tsf_source src = { 0 };

    (void)state;
    assert_int_equal(tsf_source_file(&src, "none", NULL), TSF_ERR_NOT_FOUND);
    assert_int_equal(tsf_source_file(&src, ".", NULL), TSF_ERR_INVALID);
    assert_int_equal(tsf_file_write("empty", NULL, 0, TSF_PUBLISH_NEW, NULL), TSF_OK);
    assert_int_equal(tsf_source_file(&src, "empty", NULL), TSF_OK);
    assert_int_equal(src.size, 0);
    assert_int_equal(tsf_source_read(&src, 0, 1, &(char){ 0 }, NULL), TSF_ERR_FORMAT);
    tsf_source_close(&src);
}

static void test_source_memory__borrows(void **state)
{
    struct tsf_source src;
    char got[4] = "";

    (void)state;
    tsf_source_memory(&src, "abcdef", 6, "mem");
    assert_int_equal(tsf_source_read(&src, 1, 3, got, NULL), TSF_OK);
    assert_string_equal(got, "bcd");
    assert_int_equal(tsf_source_read(&src, 5, 2, got, NULL), TSF_ERR_FORMAT);
    assert_memory_equal(tsf_source_view(&src, 5, 1), "f", 1);
    tsf_source_close(&src);
    tsf_source_memory(&src, NULL, 0, "nothing");
    assert_int_equal(tsf_source_read(&src, 0, 0, got, NULL), TSF_OK);
    tsf_source_close(&src);
}

/* ---- locks ---- */

/* Another process tries; returns what it got. */
static int lock_in_child(bool shared, int wait_ms)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct tsf_lock l = TSF_LOCK_INIT;

        _exit((int)tsf_lock_take(&l, "lock", shared, wait_ms, NULL));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_lock__excludes_other_processes(void **state)
{
    struct tsf_lock l = TSF_LOCK_INIT, again = TSF_LOCK_INIT;

    (void)state;
    tsf_lock_release(&l);
    assert_int_equal(tsf_lock_take(&l, "lock", false, 0, NULL), TSF_OK);
    assert_int_equal(lock_in_child(false, 0), TSF_ERR_CONFLICT);
    assert_int_equal(lock_in_child(true, 5), TSF_ERR_CONFLICT);
    assert_int_equal(tsf_lock_take(&again, "lock", false, 0, NULL), TSF_ERR_CONFLICT); /* within a process too */
    assert_int_equal(again.fd, -1);
    tsf_lock_release(&l);
    tsf_lock_release(&l);
    assert_int_equal(lock_in_child(false, 0), TSF_OK);
    assert_int_equal(tsf_lock_take(&l, "lock", true, -1, NULL), TSF_OK);
    assert_int_equal(lock_in_child(true, 0), TSF_OK);
    assert_int_equal(lock_in_child(false, 0), TSF_ERR_CONFLICT);
    tsf_lock_release(&l);
}

static void test_lock__waits_for_its_turn(void **state)
{
    struct tsf_lock l = TSF_LOCK_INIT;
    pid_t pids[2];
    int status;

    (void)state;
    assert_int_equal(tsf_lock_take(&l, "lock", false, 0, NULL), TSF_OK);
    for (int i = 0; i < 2; i++) { /* one polls, one sleeps in the kernel */
        assert_true((pids[i] = fork()) >= 0);
        if (pids[i] == 0) {
            struct tsf_lock mine = TSF_LOCK_INIT;

            close(l.fd); /* a fork shares the description, and so the lock; the parent still holds it */
            _exit((int)tsf_lock_take(&mine, "lock", false, i == 0 ? 60000 : -1, NULL));
        }
    }
    tsf_lock_release(&l);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
}

static void test_lock__follows_the_name_when_the_file_is_replaced(void **state)
{
    struct tsf_lock old = TSF_LOCK_INIT, l = TSF_LOCK_INIT;

    (void)state;
    assert_int_equal(tsf_lock_take(&old, "lock", false, 0, NULL), TSF_OK);
    assert_int_equal(unlink("lock"), 0);
    assert_int_equal(tsf_lock_take(&l, "lock", false, 0, NULL), TSF_OK);
    tsf_lock_release(&old);
    tsf_lock_release(&l);
    assert_int_equal(tsf_lock_take(&l, "none/lock", false, 0, NULL), TSF_ERR_NOT_FOUND);
    assert_int_equal(l.fd, -1);
}

#define IN_FRESH_DIR(test) cmocka_unit_test_setup_teardown(test, enter_fresh_dir, leave_fresh_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FRESH_DIR(test_newfile__appears_whole_at_publish),
        IN_FRESH_DIR(test_newfile__abort_leaves_nothing),
        IN_FRESH_DIR(test_newfile__new_conflicts_and_replace_replaces),
        IN_FRESH_DIR(test_newfile__one_of_many_processes_wins),
        IN_FRESH_DIR(test_newfile__bad_names_and_places),
        IN_FRESH_DIR(test_file_read__ceilings_and_absence),
        IN_FRESH_DIR(test_mkdirs__makes_parents_and_repeats),
        IN_FRESH_DIR(test_path_join__one_slash),
        IN_FRESH_DIR(test_write_all__goes_through_a_full_pipe),
        IN_FRESH_DIR(test_source_file__reads_views_and_stops_at_the_end),
        IN_FRESH_DIR(test_source_file__empty_absent_and_odd),
        IN_FRESH_DIR(test_source_memory__borrows),
        IN_FRESH_DIR(test_lock__excludes_other_processes),
        IN_FRESH_DIR(test_lock__waits_for_its_turn),
        IN_FRESH_DIR(test_lock__follows_the_name_when_the_file_is_replaced),
    };
    int rc;

    home_fd = open(".", O_RDONLY | O_DIRECTORY);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    close(home_fd);
    return rc;
}
