/* Blocks of whole lines from files, pipes, compressed streams and archives. */
#include "ingest_test.h"

#include <sys/wait.h>

/* All blocks as "name@offset:text|", a row over the limit as "name@offset:text(bytes)|". */
static enum tsf_err input_text(const char *const *paths, int n, int64_t block, int64_t max_row, struct tsf_buf *out, struct tsf_error *err)
{
    struct ingest_block blk = { 0 };
    struct ingest_input *in;
    int64_t ticket = 0;
    enum tsf_err rc;

    CHECK_OK(ingest_input_open(paths, n, block, max_row, &in, err), err);
    while ((rc = ingest_input_next(in, &blk, err)) == TSF_OK) {
        CHECK_INT(blk.ticket, ticket++);
        CHECK_INT(blk.first, blk.offset == 0);
        CHECK_INT(blk.data[blk.len], '\n');
        CHECK_OK(tsf_buf_printf(out, NULL, "%s@%lld:%.*s", blk.name, (long long)blk.offset, (int)blk.len, blk.data), NULL);
        if (blk.oversize)
            CHECK_OK(tsf_buf_printf(out, NULL, "(%lld)", (long long)blk.oversize), NULL);
        CHECK_OK(tsf_buf_append_z(out, "|", NULL), NULL);
    }
    if (rc == TSF_END)
        CHECK(!ingest_input_more(in));
    ingest_input_close(in);
    ingest_block_release(&blk);
    return rc == TSF_END ? TSF_OK : rc;
}

static void check_input(const char *const *paths, int n, int64_t block, int64_t max_row, const char *want)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_buf out = TSF_BUF_INIT(0);

    CHECK_OK(input_text(paths, n, block, max_row, &out, &err), &err);
    CHECK_STR(tsf_buf_cstr(&out), want);
    tsf_buf_release(&out);
}

static void file_put(const char *name, const char *text)
{
    test_write_file(name, text, strlen(text));
}

static void test_ingest_input__blocks_end_at_line_ends(void **state)
{
    const char *paths[] = { "a", "empty", "b" };

    (void)state;
    file_put("a", "{1}\n{22}\n{333}\n");
    file_put("empty", "");
    file_put("b", "{4}\n{5}");
    check_input(paths, 3, 1 << 20, 1 << 20, "a@0:{1}\n{22}\n{333}\n|b@0:{4}\n{5}|");
    check_input(paths, 3, 10, 1 << 20, "a@0:{1}\n{22}\n|a@9:{333}\n|b@0:{4}\n{5}|");
    check_input(paths, 3, 6, 1 << 20, "a@0:{1}\n|a@4:{22}\n|a@9:{333}\n|b@0:{4}\n|b@4:{5}|");
    check_input(paths, 3, 1, 1 << 20, "a@0:{1}\n|a@4:{22}\n|a@9:{333}\n|b@0:{4}\n|b@4:{5}|");
}

static void test_ingest_input__a_row_over_the_limit_is_cut_out(void **state)
{
    const char *paths[] = { "a" };
    char text[300];

    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "{1}\n{", 5);
    memcpy(text + 250, "}\n{2}\n", 7);
    file_put("a", text);
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;
    CHECK_OK(input_text(paths, 1, 16, 100, &out, &err), &err);
    CHECK_HAS(tsf_buf_cstr(&out), "a@0:{1}\n|a@4:{xxx");
    CHECK_HAS(tsf_buf_cstr(&out), "(247)|a@252:{2}\n|");
    tsf_buf_release(&out);
}

static bool tool_run(const char *cmd)
{
    int status = system(cmd);

    return status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_ingest_input__compressed_streams(void **state)
{
    static const char *const cmds[] = { "gzip -c a >z", "bzip2 -c a >z", "xz -c a >z", "zstd -qc a >z", "lz4 -qc a >z",
                                        "gzip -c a >z && gzip -c /dev/null >>z" };
    const char *paths[] = { "z", "a" };
    int n = 0;

    (void)state;
    file_put("a", "{1}\n{2}\n");
    for (size_t i = 0; i < TSF_ARRAY_LEN(cmds); i++) {
        char cmd[128];
        snprintf(cmd, sizeof cmd, "{ %s; } 2>/dev/null", cmds[i]);
        if (!tool_run(cmd))
            continue;
        check_input(paths, 2, 1 << 20, 1 << 20, "z@0:{1}\n{2}\n|a@0:{1}\n{2}\n|");
        n++;
    }
    if (n == 0)
        TEST_SKIP("no compressor is here");
}

static void test_ingest_input__archives(void **state)
{
    const char *tar[] = { "x.tar" }, *tgz[] = { "x.tgz" }, *nested[] = { "n.tar" }, *zip[] = { "x.zip" };

    (void)state;
    file_put("a", "{1}\n");
    file_put("b", "{2}");
    if (!tool_run("mkdir d && cp b d/ && tar cf x.tar a d && tar czf x.tgz a d/b && gzip -k a && tar cf n.tar b a.gz x.tgz"))
        TEST_SKIP("no tar or gzip is here");
    check_input(tar, 1, 1 << 20, 1 << 20, "x.tar:a@0:{1}\n|x.tar:d/b@0:{2}|");
    check_input(tgz, 1, 1 << 20, 1 << 20, "x.tgz:a@0:{1}\n|x.tgz:d/b@0:{2}|");
    check_input(nested, 1, 1 << 20, 1 << 20, "n.tar:b@0:{2}|n.tar:a.gz@0:{1}\n|n.tar:x.tgz:a@0:{1}\n|n.tar:x.tgz:d/b@0:{2}|");
    if (tool_run("python3 -m zipfile -c x.zip a b >/dev/null 2>&1"))
        check_input(zip, 1, 1 << 20, 1 << 20, "x.zip:a@0:{1}\n|x.zip:b@0:{2}|");
}

static void test_ingest_input__stdin_may_be_a_pipe(void **state)
{
    const char *paths[] = { "-" };
    int before = dup(0), p[2];

    (void)state;
    file_put("a", "{1}\n{2}\n");
    for (int packed = 0; packed < 2; packed++) {
        char *bytes;
        size_t len;
        if (packed && !tool_run("gzip -c a >z"))
            break;
        bytes = test_read_file(packed ? "z" : "a", &len);
        CHECK(pipe(p) == 0);
        CHECK(write(p[1], bytes, len) == (ssize_t)len);
        close(p[1]);
        CHECK(dup2(p[0], 0) == 0);
        close(p[0]);
        check_input(paths, 1, 1 << 20, 1 << 20, "stdin@0:{1}\n{2}\n|");
        free(bytes);
    }
    CHECK(dup2(before, 0) == 0);
    close(before);
}

static void test_ingest_input__what_cannot_be_read(void **state)
{
    static const struct {
        const char *path, *why;
        enum tsf_err code;
    } cases[] = { { "absent", "absent: No such file", TSF_ERR_NOT_FOUND }, { ".", ". is a directory", TSF_ERR_INVALID },
                  { "cut.gz", "cut.gz: ", TSF_ERR_FORMAT }, { "junk", "junk: ", TSF_ERR_FORMAT } };
    char *gz;
    size_t len;

    (void)state;
    test_write_file("junk", "\x01\x02\xff junk \0\0\0", 12);
    file_put("a", "{\"some\":\"text that compresses to a few bytes\"}\n{\"and\":\"more of it\"}\n");
    if (!tool_run("gzip -k a"))
        TEST_SKIP("no gzip is here");
    gz = test_read_file("a.gz", &len);
    test_write_file("cut.gz", gz, len / 2);
    free(gz);
    for (size_t i = 0; i < TSF_ARRAY_LEN(cases); i++) {
        struct tsf_error err = TSF_ERROR_INIT;
        struct tsf_buf out = TSF_BUF_INIT(0);
        enum tsf_err rc = input_text(&cases[i].path, 1, 1 << 20, 1 << 20, &out, &err);
        if (rc == TSF_OK || !strstr(err.msg, cases[i].why))
            TEST_FAIL("%s: code %d, %s", cases[i].path, (int)rc, err.msg);
        tsf_buf_release(&out);
    }
}

TEST_MAIN(TEST(test_ingest_input__blocks_end_at_line_ends), TEST(test_ingest_input__a_row_over_the_limit_is_cut_out),
          TEST(test_ingest_input__compressed_streams), TEST(test_ingest_input__archives), TEST(test_ingest_input__stdin_may_be_a_pipe),
          TEST(test_ingest_input__what_cannot_be_read))
