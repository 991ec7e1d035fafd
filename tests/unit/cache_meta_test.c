#include "test_util.h"

#include "cache/cache_internal.h"

#include <signal.h>
#include <sys/wait.h>

#define URI "/warehouse/t"

static void put_footer(struct cache *c, const char *path, int64_t size, const char *footer)
{
    CHECK(cache_footer_put(c, URI, tsf_str(path), size, tsf_str(footer)));
}

static bool has(struct cache *c, const char *path, int64_t size, const char *want)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_str got;
    bool hit = cache_footer_get(c, URI, tsf_str(path), size, &a, &got);

    if (hit)
        CHECK_MEM(got.data, got.len, want, strlen(want));
    CHECK(!hit || cache_footer_has(c, URI, tsf_str(path), size));
    tsf_arena_release(&a);
    return hit;
}

static void test_cache_null__is_all_misses(void **state)
{
    struct cache_view view = CACHE_VIEW_INIT;
    struct cache_stats st;
    int64_t version;

    (void)state;
    CHECK(!has(NULL, "a", 1, ""));
    CHECK(!cache_footer_put(NULL, URI, TSF_STR("a"), 1, TSF_STR("x")));
    CHECK(!cache_snapshot_get(NULL, URI, -1, &view, &version));
    CHECK(!cache_snapshot_put(NULL, URI, 1, TSF_STR("x")));
    CHECK_INT(cache_evict_table(NULL, URI, NULL), 0);
    CHECK_INT(cache_trim(NULL, INT64_MAX, 0, NULL), 0);
    cache_stats_get(NULL, &st);
    CHECK(!st.usable);
    cache_view_release(&view);
    cache_free(NULL);
}

static void test_cache_get__makes_nothing_on_disk(void **state)
{
    struct cache *c = cache_open(test_path("cache"));

    (void)state;
    CHECK(!has(c, "a", 1, ""));
    CHECK(access(test_path("cache"), F_OK) != 0);
    cache_free(c);
}

static void test_cache_footer__is_there_for_the_next_process(void **state)
{
    struct cache *c = cache_open(test_path("cache"));
    struct cache_stats st;
    pid_t pid;
    int status;

    (void)state;
    put_footer(c, "p/a", 10, "footer a");
    put_footer(c, "p/b", 20, "footer b");
    put_footer(c, "p/a", 10, "footer A");
    CHECK(has(c, "p/a", 10, "footer A"));
    CHECK(!has(c, "p/a", 11, ""));
    cache_stats_get(c, &st);
    CHECK(st.usable);
    CHECK_INT(st.entries, 2);
    CHECK_INT(st.footer_hits, 1);
    CHECK_INT(st.footer_misses, 1);
    cache_free(c);
    if ((pid = fork()) == 0) {
        c = cache_open(test_path("cache"));
        _exit(c != NULL && has(c, "p/b", 20, "footer b") ? 0 : 1);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
}

static void test_cache_snapshot__newest_at_or_below(void **state)
{
    struct cache *c = cache_open(test_path("cache"));
    struct cache_view view = CACHE_VIEW_INIT, old = CACHE_VIEW_INIT;
    size_t big = 3 << 20;
    char *blob = calloc(1, big);
    int64_t version = -1;

    (void)state;
    CHECK(cache_snapshot_put(c, URI "2", 9, TSF_STR("of another table")));
    CHECK(!cache_snapshot_get(c, URI, -1, &view, &version));
    CHECK(cache_snapshot_put(c, URI, 7, TSF_STR("seven")));
    CHECK(!cache_snapshot_get(c, URI, 6, &view, &version));
    CHECK(cache_snapshot_get(c, URI, 7, &old, &version));
    CHECK_INT(version, 7);
    CHECK_INT((uintptr_t)old.data.data & 7, 0);
    memset(blob, 'x', big);
    CHECK(cache_snapshot_put(c, URI, 8, tsf_str_n(blob, big)));
    CHECK(cache_snapshot_get(c, URI, -1, &view, &version));
    CHECK_INT(version, 8);
    CHECK_MEM(view.data.data, view.data.len, blob, big);
    CHECK_INT((uintptr_t)view.data.data & 7, 0);
    CHECK_MEM(old.data.data, old.data.len, "seven", 5); /* a view outlives its entry */
    cache_view_release(&view);
    cache_view_release(&old);
    CHECK(!cache_snapshot_put(c, URI, 7, TSF_STR("late")));
    CHECK_INT(cache_evict_table(c, URI, NULL), 1);
    CHECK(!cache_snapshot_get(c, URI, -1, &view, &version));
    CHECK(cache_snapshot_get(c, URI "2", -1, &view, &version));
    cache_view_release(&view);
    free(blob);
    cache_free(c);
}

static void test_cache_evict__files_of_any_size(void **state)
{
    struct cache *c = cache_open(test_path("cache"));
    struct tsf_str paths[] = { TSF_STR("a"), TSF_STR("nothing"), TSF_STR("b") };
    int64_t bytes = 0;

    (void)state;
    put_footer(c, "a", 1, "one");
    put_footer(c, "a", 2, "two");
    put_footer(c, "b", 1, "three");
    put_footer(c, "c", 1, "four");
    CHECK_INT(cache_evict_files(c, URI, paths, 3, &bytes), 3);
    CHECK(bytes > 11);
    CHECK(!has(c, "a", 1, "") && !has(c, "a", 2, "") && !has(c, "b", 1, ""));
    CHECK(has(c, "c", 1, "four"));
    CHECK_INT(cache_trim(c, 0, -1, NULL), 0);
    CHECK_INT(cache_trim(c, 0, 0, NULL), 1);
    CHECK(!has(c, "c", 1, ""));
    cache_free(c);
}

static void test_cache_damage__is_a_miss(void **state)
{
    char path[1100], garbage[8192];
    struct cache *c = cache_open(test_path("cache"));
    size_t n;
    char *bytes;

    (void)state;
    put_footer(c, "a", 1, "a footer that will lose a bit");
    cache_free(c);
    snprintf(path, sizeof path, "%s/" CACHE_FORMAT_DIR "/data.mdb", test_path("cache"));
    bytes = test_read_file(path, &n);
    for (size_t i = 0; i + 8 < n; i++)
        if (memcmp(bytes + i, "footer t", 8) == 0)
            bytes[i] ^= 1;
    test_write_file(path, bytes, n);
    c = cache_open(test_path("cache"));
    CHECK(!has(c, "a", 1, ""));
    put_footer(c, "a", 1, "mended");
    CHECK(has(c, "a", 1, "mended"));
    cache_free(c);

    test_write_file(path, bytes, 5000); /* lost its end */
    c = cache_open(test_path("cache"));
    (void)has(c, "a", 1, "mended");
    put_footer(c, "a", 1, "again");
    CHECK(has(c, "a", 1, "again"));
    cache_free(c);

    memset(garbage, 0x5a, sizeof garbage);
    test_write_file(path, garbage, sizeof garbage);
    c = cache_open(test_path("cache"));
    CHECK(!has(c, "a", 1, ""));
    put_footer(c, "a", 1, "afresh");
    CHECK(has(c, "a", 1, "afresh"));
    cache_free(c);
    free(bytes);
}

static void test_cache_entry__every_flipped_bit_is_noticed(void **state)
{
    struct cache_entry e = { TSF_STR("/w/t"), TSF_STR("p=1/f"), TSF_STR("bytes of a footer"), 77 }, got;
    size_t n = cache_entry_size(&e);
    uint8_t *p = malloc(n);

    (void)state;
    cache_entry_write(&e, p);
    CHECK(cache_entry_read(p, n, true, &got));
    CHECK(tsf_str_eq(got.data, e.data) && tsf_str_eq(got.path, e.path) && tsf_str_eq(got.uri, e.uri));
    CHECK_INT(got.put_s, 77);
    for (size_t i = 0; i < n * 8; i++) {
        p[i / 8] ^= (uint8_t)(1 << i % 8);
        CHECK(!cache_entry_read(p, n, true, &got));
        p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t i = 0; i < n; i++)
        CHECK(!cache_entry_read(p, i, true, &got));
    free(p);
}

/* Writers and readers of many processes, some killed in the middle: what is found is always right. */
static void test_cache_processes__kill_leaves_it_usable(void **state)
{
    pid_t pids[6];
    struct cache *c;
    int status;

    (void)state;
    for (int w = 0; w < 6; w++)
        if ((pids[w] = fork()) == 0) {
            c = cache_open(test_path("cache"));
            for (int i = 0; i < (w < 2 ? 1000000 : 40); i++) {
                char path[32], footer[64];

                snprintf(path, sizeof path, "f%d", i % 50);
                snprintf(footer, sizeof footer, "footer of f%d", i % 50);
                put_footer(c, path, i % 50, footer);
                (void)has(c, path, i % 50, footer);
            }
            cache_free(c);
            _exit(0);
        }
    for (int w = 2; w < 6; w++) {
        CHECK(waitpid(pids[w], &status, 0) == pids[w]);
        CHECK_INT(status, 0);
    }
    for (int w = 0; w < 2; w++) {
        kill(pids[w], SIGKILL);
        waitpid(pids[w], &status, 0);
    }
    c = cache_open(test_path("cache"));
    put_footer(c, "f1", 1, "footer of f1");
    for (int i = 0; i < 40; i++) {
        char path[32], footer[64];

        snprintf(path, sizeof path, "f%d", i);
        snprintf(footer, sizeof footer, "footer of f%d", i);
        CHECK(has(c, path, i, footer));
    }
    cache_free(c);
}

TEST_MAIN(TEST(test_cache_null__is_all_misses), TEST(test_cache_get__makes_nothing_on_disk),
          TEST(test_cache_footer__is_there_for_the_next_process), TEST(test_cache_snapshot__newest_at_or_below),
          TEST(test_cache_evict__files_of_any_size), TEST(test_cache_damage__is_a_miss),
          TEST(test_cache_entry__every_flipped_bit_is_noticed), TEST(test_cache_processes__kill_leaves_it_usable))
