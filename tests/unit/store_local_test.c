#include "test_util.h"

#include "store/store.h"

static struct store *open_store(void)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct store *s = NULL;

    CHECK_OK(store_open(test_dir(), &s, &err), &err);
    return s;
}

static void put(struct store *s, const char *key, const char *text)
{
    struct tsf_error err = TSF_ERROR_INIT;

    CHECK_OK(store_put(s, key, text, strlen(text), true, &err), &err);
}

struct listing {
    char text[1024];
    int stop_after, n;
};

static enum tsf_err collect(void *ctx, const struct store_item *item, struct tsf_error *err)
{
    struct listing *l = ctx;

    (void)err;
    strcat(l->text, item->key);
    strcat(l->text, " ");
    return ++l->n == l->stop_after ? TSF_END : TSF_OK;
}

static const char *list(struct store *s, const char *prefix, const char *after, int flags, int stop_after)
{
    static struct listing l;
    struct tsf_error err = TSF_ERROR_INIT;

    l = (struct listing){ .stop_after = stop_after };
    CHECK_OK(store_list(s, prefix, after, flags, collect, &l, &err), &err);
    return l.text;
}

static void test_store_open__schemes(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct store *s = NULL;
    char uri[1024];

    (void)state;
    CHECK_ERR(store_open("s3://bucket/x", &s, &err), TSF_ERR_UNSUPPORTED);
    CHECK_HAS(err.msg, "not yet");
    tsf_error_reset(&err);
    CHECK_ERR(store_open("", &s, &err), TSF_ERR_INVALID);
    CHECK_ERR(store_open("gopher://x", &s, NULL), TSF_ERR_UNSUPPORTED);
    CHECK_ERR(store_open("file://relative", &s, NULL), TSF_ERR_INVALID);
    snprintf(uri, sizeof uri, "file://%s//a/./b/", test_dir());
    CHECK_OK(store_open(uri, &s, &err), &err);
    snprintf(uri, sizeof uri, "%s/a/b", test_dir());
    CHECK_STR(s->uri, uri);
    store_free(s);
    CHECK_OK(store_open("a/b", &s, &err), &err);
    CHECK_STR(s->uri, uri);
    store_free(s);
}

static void test_store_key__what_leaves_the_root_is_refused(void **state)
{
    static const char *const bad[] = { "", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b" };
    static const char *const good[] = { "a", "a/b", "a..b", "...", "a=%2F/b c" };
    struct store *s = open_store();

    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(bad); i++) {
        CHECK(!store_key_ok(bad[i]));
        CHECK_ERR(store_put(s, bad[i], "x", 1, false, NULL), TSF_ERR_INVALID);
        CHECK_ERR(store_delete(s, &bad[i], 1, NULL), TSF_ERR_INVALID);
    }
    for (size_t i = 0; i < TSF_ARRAY_LEN(good); i++)
        CHECK(store_key_ok(good[i]));
    store_free(s);
}

static void test_store_put__if_none_match_is_a_conflict(void **state)
{
    struct store *s = open_store();
    struct tsf_buf out = TSF_BUF_INIT(0);
    struct tsf_error err = TSF_ERROR_INIT;

    (void)state;
    put(s, "dir/a", "one");
    CHECK_ERR(store_put(s, "dir/a", "two", 3, true, NULL), TSF_ERR_CONFLICT);
    CHECK_OK(store_get(s, "dir/a", 100, &out, &err), &err);
    CHECK_MEM(out.data, out.len, "one", 3);
    CHECK_OK(store_put(s, "dir/a", "three", 5, false, &err), &err);
    CHECK_OK(store_get(s, "dir/a", 100, &out, &err), &err);
    CHECK_MEM(out.data, out.len, "three", 5);
    CHECK_ERR(store_get(s, "dir/a", 4, &out, NULL), TSF_ERR_NOMEM);
    CHECK_ERR(store_get(s, "dir/b", 4, &out, NULL), TSF_ERR_NOT_FOUND);
    CHECK_STR(list(s, "", NULL, STORE_LIST_TEMP, 0), "dir/a ");
    CHECK_INT(store_counts_get(s).requests[STORE_GET], 4);
    CHECK_INT(store_counts_get(s).bytes_written, 8);
    tsf_buf_release(&out);
    store_free(s);
}

static void test_store_list__byte_order_of_whole_keys(void **state)
{
    struct store *s = open_store();

    (void)state;
    put(s, "b", "");
    put(s, "a/x", "");
    put(s, "a-b", "");
    put(s, "ab", "");
    put(s, "a/c/d", "");
    put(s, "a/c-", "");
    put(s, "c/.tmp-1", "");
    CHECK_STR(list(s, "", NULL, 0, 0), "a-b a/c- a/c/d a/x ab b ");
    CHECK_STR(list(s, "", "a/c-", 0, 0), "a/c/d a/x ab b ");
    CHECK_STR(list(s, "", "a/c/d", 0, 0), "a/x ab b ");
    CHECK_STR(list(s, "a/", NULL, 0, 0), "a/c- a/c/d a/x ");
    CHECK_STR(list(s, "a/c", NULL, 0, 0), "a/c- a/c/d ");
    CHECK_STR(list(s, "a/c/", NULL, 0, 0), "a/c/d ");
    CHECK_STR(list(s, "", NULL, STORE_LIST_FLAT, 0), "a-b a/ ab b c/ ");
    CHECK_STR(list(s, "a/", NULL, STORE_LIST_FLAT, 0), "a/c- a/c/ a/x ");
    CHECK_STR(list(s, "", NULL, 0, 2), "a-b a/c- ");
    CHECK_STR(list(s, "c/", NULL, STORE_LIST_TEMP, 0), "c/.tmp-1 ");
    CHECK_STR(list(s, "nothing/", NULL, 0, 0), "");
    store_free(s);
}

static void test_store_list__memory_agrees_with_local(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct store *local = open_store(), *memory = NULL;
    uint64_t seed = 7;
    static const char names[] = "ab-/.";

    (void)state;
    CHECK_OK(store_memory_new(&memory, &err), &err);
    for (int i = 0; i < 200; i++) {
        char key[16], copy[1100];
        size_t n = 1 + test_random(&seed) % 6;

        for (size_t k = 0; k < n; k++)
            key[k] = names[test_random(&seed) % 5];
        key[n] = 0;
        if (!store_key_ok(key) || store_put(local, key, key, n, true, NULL) != TSF_OK)
            continue; /* a name cannot be a file and a folder here */
        put(memory, key, key);
        snprintf(copy, sizeof copy, "%s", list(local, "", key, 0, 5));
        CHECK_STR(list(memory, "", key, 0, 5), copy);
        snprintf(copy, sizeof copy, "%s", list(local, "a", NULL, STORE_LIST_FLAT, 9));
        CHECK_STR(list(memory, "a", NULL, STORE_LIST_FLAT, 9), copy);
    }
    store_free(memory);
    store_free(local);
}

static void test_store_writer__nothing_shows_before_finish(void **state)
{
    struct store *s = open_store();
    struct store_writer *w = NULL;
    struct tsf_error err = TSF_ERROR_INIT;
    struct store_stat st;

    (void)state;
    CHECK_OK(store_writer_new(s, "d/part", &w, &err), &err);
    CHECK_OK(store_writer_write(w, "hello ", 6, &err), &err);
    CHECK_OK(store_writer_write(w, "world", 5, &err), &err);
    CHECK_ERR(store_stat(s, "d/part", &st, NULL), TSF_ERR_NOT_FOUND);
    CHECK_OK(store_writer_finish(w, &err), &err);
    store_writer_free(w);
    CHECK_OK(store_stat(s, "d/part", &st, &err), &err);
    CHECK_INT(st.size, 11);
    CHECK_OK(store_writer_new(s, "d/part", &w, &err), &err);
    CHECK_ERR(store_writer_finish(w, NULL), TSF_ERR_CONFLICT);
    store_writer_free(w);
    CHECK_OK(store_writer_new(s, "d/other", &w, &err), &err);
    store_writer_free(w);
    CHECK_STR(list(s, "", NULL, STORE_LIST_TEMP, 0), "d/part ");
    store_free(s);
}

static void test_store_delete__missing_is_fine_and_folders_go(void **state)
{
    struct store *s = open_store();
    struct tsf_error err = TSF_ERROR_INIT;
    const char *keys[] = { "x/y/z", "x/nothing", "x/y/nothing" };
    struct tsf_buf path = TSF_BUF_INIT(0);

    (void)state;
    put(s, "x/y/z", "1");
    put(s, "keep", "1");
    CHECK_OK(store_delete(s, keys, 3, &err), &err);
    CHECK_STR(list(s, "", NULL, STORE_LIST_FLAT, 0), "keep ");
    CHECK(store_is_local(s));
    CHECK_OK(store_local_path(s, "keep", &path, &err), &err);
    CHECK_STR((const char *)path.data, test_path("keep"));
    tsf_buf_release(&path);
    store_free(s);
}

static void test_store_source__reads_at_any_place(void **state)
{
    struct store *s = open_store();
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_source src = { 0 };
    char three[3];

    (void)state;
    put(s, "k", "abcdef");
    CHECK_OK(store_source_open(s, "k", -1, &src, &err), &err);
    CHECK_INT(src.size, 6);
    CHECK_OK(tsf_source_read(&src, 2, 3, three, &err), &err);
    CHECK_MEM(three, 3, "cde", 3);
    tsf_source_close(&src);
    CHECK_ERR(store_source_open(s, "nothing", -1, &src, NULL), TSF_ERR_NOT_FOUND);
    store_free(s);
}

TEST_MAIN(TEST(test_store_open__schemes), TEST(test_store_key__what_leaves_the_root_is_refused),
          TEST(test_store_put__if_none_match_is_a_conflict), TEST(test_store_list__byte_order_of_whole_keys),
          TEST(test_store_list__memory_agrees_with_local), TEST(test_store_writer__nothing_shows_before_finish),
          TEST(test_store_delete__missing_is_fine_and_folders_go), TEST(test_store_source__reads_at_any_place))
