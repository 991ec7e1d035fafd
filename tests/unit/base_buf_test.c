#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

/* ---- errors ---- */

static void test_fail__first_cause_wins(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;

    (void)state;
    assert_int_equal(tsf_fail_at(&err, 17, "bad %s", "byte"), TSF_ERR_FORMAT);
    assert_int_equal(tsf_fail(&err, TSF_ERR_IO, "later"), TSF_ERR_IO);
    assert_int_equal(err.code, TSF_ERR_FORMAT);
    assert_int_equal(err.offset, 17);
    assert_string_equal(err.msg, "bad byte");
    assert_int_equal(tsf_prepend(&err, TSF_ERR_FORMAT, "part-%d", 3), TSF_ERR_FORMAT);
    assert_string_equal(err.msg, "part-3: bad byte");
    tsf_hint(&err, "one");
    tsf_hint(&err, "two");
    assert_string_equal(err.hint, "one");
    tsf_error_reset(&err);
    assert_int_equal(err.code, TSF_OK);
    assert_int_equal(err.offset, -1);
    assert_string_equal(err.msg, "");
}

static void test_fail__null_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(tsf_fail(NULL, TSF_ERR_CONFLICT, "x"), TSF_ERR_CONFLICT);
    errno = ENOENT;
    assert_int_equal(tsf_fail_errno(NULL, "x"), TSF_ERR_NOT_FOUND);
    assert_int_equal(tsf_fail_at(NULL, 1, "x"), TSF_ERR_FORMAT);
    assert_int_equal(tsf_fail_sql(NULL, "0A000", -1, "x"), TSF_ERR_UNSUPPORTED);
    assert_int_equal(tsf_fail_nomem(NULL), TSF_ERR_NOMEM);
    assert_int_equal(tsf_prepend(NULL, TSF_ERR_IO, "x"), TSF_ERR_IO);
    tsf_hint(NULL, "x");
    tsf_error_reset(NULL);
}

static void test_fail_errno__maps_and_names(void **state)
{
    static const struct {
        int e;
        enum tsf_err code;
    } cases[] = { { ENOENT, TSF_ERR_NOT_FOUND }, { ENOMEM, TSF_ERR_NOMEM }, { ENOSPC, TSF_ERR_IO } };

    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(cases); i++) {
        struct tsf_error err = TSF_ERROR_INIT;
        char want[128];

        errno = cases[i].e;
        assert_int_equal(tsf_fail_errno(&err, "cannot %s", "do"), cases[i].code);
        assert_int_equal(err.sys_errno, cases[i].e);
        snprintf(want, sizeof(want), "cannot do: %s", strerror(cases[i].e));
        assert_string_equal(err.msg, want);
    }
}

static void test_fail_sql__state_decides_code(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;

    (void)state;
    assert_int_equal(tsf_fail_sql(&err, "42703", 7, "column \"%s\" does not exist", "x"), TSF_ERR_INVALID);
    assert_string_equal(err.sqlstate, "42703");
    assert_int_equal(err.offset, 7);
    tsf_error_reset(&err);
    assert_int_equal(tsf_fail_sql(&err, "0A000", -1, "no"), TSF_ERR_UNSUPPORTED);
}

static void test_prepend__long_texts_stay_inside_and_keep_the_cause(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;
    char word[600];

    (void)state;
    memset(word, 'w', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    tsf_fail(&err, TSF_ERR_IO, "cause%s", word);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    for (int i = 0; i < 3; i++)
        tsf_prepend(&err, TSF_ERR_IO, "%s", word);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    tsf_error_reset(&err);
    tsf_fail(&err, TSF_ERR_IO, "cause");
    tsf_prepend(&err, TSF_ERR_IO, "%s", word);
    assert_non_null(strstr(err.msg, ": cause"));
}

static void test_prepend__quiet_code_becomes_an_error_and_end_does_not(void **state)
{
    struct tsf_error err = TSF_ERROR_INIT;

    (void)state;
    assert_int_equal(tsf_prepend(&err, TSF_END, "x"), TSF_END);
    assert_int_equal(err.code, TSF_OK);
    assert_int_equal(tsf_prepend(&err, TSF_ERR_NOT_FOUND, "x"), TSF_ERR_NOT_FOUND);
    assert_int_equal(err.code, TSF_ERR_NOT_FOUND);
}

/* ---- strings ---- */

static void test_str__compare(void **state)
{
    (void)state;
    assert_true(tsf_str_cmp(TSF_STR("a"), TSF_STR("b")) < 0);
    assert_true(tsf_str_cmp(TSF_STR("a"), TSF_STR("aa")) < 0);
    assert_true(tsf_str_cmp(TSF_STR("\xff"), TSF_STR("a")) > 0);
    assert_int_equal(tsf_str_cmp((struct tsf_str){ NULL, 0 }, TSF_STR("")), 0);
    assert_true(tsf_str_cmp((struct tsf_str){ NULL, 0 }, TSF_STR("x")) < 0);
    assert_true(tsf_str_starts(TSF_STR("abc"), TSF_STR("ab")));
    assert_true(tsf_str_starts(TSF_STR("abc"), (struct tsf_str){ NULL, 0 }));
    assert_false(tsf_str_starts(TSF_STR("ab"), TSF_STR("abc")));
}

/* ---- buffers ---- */

static void test_buf__ceiling_holds(void **state)
{
    struct tsf_buf b = TSF_BUF_INIT(10);
    struct tsf_error err = TSF_ERROR_INIT;

    (void)state;
    assert_int_equal(tsf_buf_append(&b, "0123456789", 10, &err), TSF_OK);
    assert_int_equal(tsf_buf_append_u8(&b, 'x', &err), TSF_ERR_NOMEM);
    assert_int_equal(b.len, 10);
    assert_string_equal(tsf_buf_cstr(&b), "0123456789"); /* the NUL is not counted */
    assert_int_equal(tsf_buf_append(&b, "x", 1, NULL), TSF_ERR_NOMEM);
    assert_int_equal(tsf_buf_reserve(&b, SIZE_MAX, NULL), TSF_ERR_NOMEM);
    tsf_buf_reset(&b);
    assert_int_equal(tsf_buf_printf(&b, NULL, "%s", "0123456789"), TSF_OK);
    assert_int_equal(tsf_buf_printf(&b, NULL, "%s", ""), TSF_OK);
    assert_int_equal(tsf_buf_printf(&b, NULL, "%s", "a"), TSF_ERR_NOMEM);
    tsf_buf_release(&b);
    tsf_buf_release(&b);
}

static void test_buf__grows_and_moves(void **state)
{
    struct tsf_buf a = TSF_BUF_INIT(0), b = TSF_BUF_INIT(0);

    (void)state;
    assert_int_equal(tsf_buf_append(&a, NULL, 0, NULL), TSF_OK);
    for (uint32_t i = 0; i < 10000; i++) {
        assert_int_equal(tsf_buf_append_le32(&a, i, NULL), TSF_OK);
        assert_int_equal(tsf_buf_append_le64(&a, i, NULL), TSF_OK);
    }
    assert_int_equal(a.len, 120000);
    assert_int_equal(tsf_le32_get(a.data + 12 * 777), 777);
    assert_int_equal(tsf_buf_append_z(&b, "old", NULL), TSF_OK);
    tsf_buf_move(&b, &a);
    assert_null(a.data);
    assert_int_equal(b.len, 120000);
    tsf_buf_release(&a);
    tsf_buf_release(&b);
}

static void test_buf_printf__long_text(void **state)
{
    struct tsf_buf b = TSF_BUF_INIT(5000);
    char word[5001];

    (void)state;
    memset(word, 'x', sizeof(word));
    word[5000] = '\0';
    assert_int_equal(tsf_buf_printf(&b, NULL, "%s", word), TSF_OK);
    assert_int_equal(b.len, 5000);
    assert_string_equal(tsf_buf_cstr(&b), word);
    tsf_buf_release(&b);
}

static void assert_json(struct tsf_str in, const char *want)
{
    struct tsf_buf b = TSF_BUF_INIT(0);

    assert_int_equal(tsf_buf_append_json(&b, in, NULL), TSF_OK);
    assert_string_equal(tsf_buf_cstr(&b), want);
    tsf_buf_release(&b);
}

static void test_buf_append_json__escapes(void **state)
{
    (void)state;
    assert_json(TSF_STR(""), "\"\"");
    assert_json((struct tsf_str){ NULL, 0 }, "\"\"");
    assert_json(TSF_STR("plain ascii text, longer than a word"), "\"plain ascii text, longer than a word\"");
    assert_json(TSF_STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    assert_json(TSF_STR("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"");
    assert_json(TSF_STR("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"");
    assert_json(TSF_STR("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

#define FFFD "\xef\xbf\xbd"
static void test_buf_append_json__replaces_what_is_not_utf8(void **state)
{
    (void)state;
    assert_json(TSF_STR("\x80"), "\"" FFFD "\"");
    assert_json(TSF_STR("\xff\xfe"), "\"" FFFD FFFD "\"");
    assert_json(TSF_STR("\xc0\xaf"), "\"" FFFD FFFD "\"");         /* overlong */
    assert_json(TSF_STR("\xe0\x80\xaf"), "\"" FFFD FFFD FFFD "\""); /* overlong */
    assert_json(TSF_STR("\xed\xa0\x80"), "\"" FFFD FFFD FFFD "\""); /* surrogate */
    assert_json(TSF_STR("\xf4\x90\x80\x80"), "\"" FFFD FFFD FFFD FFFD "\"");
    assert_json(TSF_STR("a\xe2\x82"), "\"a" FFFD "\""); /* cut short: one */
    assert_json(TSF_STR("\xf0\x9f\x98z"), "\"" FFFD "z\"");
}

/* Each special byte at each place of a word, against the byte-wise definition. */
static void test_buf_append_json__every_byte_at_every_place(void **state)
{
    (void)state;
    for (int c = 0; c < 0x80; c++)
        for (size_t at = 0; at < 17; at++) {
            char in[17], want[64], esc[8];

            memset(in, 'a', sizeof(in));
            in[at] = (char)c;
            if (c == '"' || c == '\\')
                snprintf(esc, sizeof(esc), "\\%c", c);
            else if (c == '\n' || c == '\t' || c == '\r' || c == '\b' || c == '\f')
                snprintf(esc, sizeof(esc), "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : c == '\b' ? 'b' : 'f');
            else if (c < 0x20)
                snprintf(esc, sizeof(esc), "\\u%04x", (unsigned)c);
            else
                snprintf(esc, sizeof(esc), "%c", c);
            snprintf(want, sizeof(want), "\"%.*s%s%.*s\"", (int)at, "aaaaaaaaaaaaaaaaa", esc, (int)(16 - at),
                     "aaaaaaaaaaaaaaaaa");
            assert_json(tsf_str_n(in, sizeof(in)), want);
        }
}

static void test_buf_append_json__all_or_nothing_at_the_ceiling(void **state)
{
    struct tsf_buf b = TSF_BUF_INIT(12);

    (void)state;
    assert_int_equal(tsf_buf_append_z(&b, "ab", NULL), TSF_OK);
    assert_int_equal(tsf_buf_append_json(&b, TSF_STR("\1\2\3"), NULL), TSF_ERR_NOMEM);
    assert_int_equal(b.len, 2);
    assert_int_equal(tsf_buf_append_json(&b, TSF_STR("12345678"), NULL), TSF_OK);
    tsf_buf_release(&b);
}

/* ---- arenas ---- */

static void test_arena__pieces_are_aligned_and_apart(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    enum { N = 2000 };
    uint8_t *p[N];

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < N; i++) {
            p[i] = tsf_arena_alloc(&a, i);
            assert_non_null(p[i]);
            assert_int_equal((uintptr_t)p[i] % 16, 0);
            memset(p[i], (int)(i & 0xff), i);
        }
        for (size_t i = 0; i < N; i++)
            for (size_t k = 0; k < i; k++)
                if (p[i][k] != (i & 0xff))
                    fail_msg("piece %d byte %d", (int)i, (int)k);
        tsf_arena_reset(&a);
    }
    tsf_arena_release(&a);
    tsf_arena_release(&a);
}

static void test_arena__ceiling_and_overflow(void **state)
{
    struct tsf_arena a = { .max = 10000 };

    (void)state;
    assert_null(tsf_arena_alloc(&a, 20000));
    assert_non_null(tsf_arena_alloc(&a, 5000));
    assert_null(tsf_arena_alloc(&a, 6000));
    assert_non_null(tsf_arena_alloc(&a, 100));
    assert_true(a.used <= 10000);
    assert_null(tsf_arena_alloc(&a, SIZE_MAX));
    assert_null(tsf_arena_alloc(&a, SIZE_MAX - 20));
    assert_null(tsf_arena_calloc(&a, SIZE_MAX / 2, 3));
    assert_null(tsf_arena_strndup(&a, "x", SIZE_MAX));
    tsf_arena_release(&a);
    a = (struct tsf_arena){ .max = 200 }; /* less than a usual chunk */
    assert_non_null(tsf_arena_alloc(&a, 60));
    tsf_arena_release(&a);
}

static void test_arena__strings_and_arrays(void **state)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    int *array = NULL;
    size_t cap = 0;
    char *long_text;

    (void)state;
    assert_string_equal(tsf_arena_strdup(&a, "abc"), "abc");
    assert_string_equal(tsf_arena_strndup(&a, "abc", 2), "ab");
    assert_string_equal(tsf_arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    long_text = tsf_arena_printf(&a, "%0500d", 1);
    assert_int_equal(strlen(long_text), 500);
    assert_memory_equal(tsf_arena_memdup(&a, "xyz", 3), "xyz", 3);
    for (int i = 0; i < 1000; i++) {
        assert_true(tsf_arena_grow(&a, (void **)&array, &cap, (size_t)i + 1, sizeof(*array)));
        array[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(array[i], i);
    assert_false(tsf_arena_grow(&a, (void **)&array, &cap, SIZE_MAX / 2, sizeof(*array)));
    assert_true(cap >= 1000);
    tsf_arena_release(&a);
}

static void test_realloc_array__grows_and_refuses_overflow(void **state)
{
    int64_t *array = NULL;
    size_t cap = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(tsf_realloc_array((void **)&array, &cap, (size_t)i + 1, sizeof(*array)));
        array[i] = i;
    }
    assert_int_equal(array[999], 999);
    assert_false(tsf_realloc_array((void **)&array, &cap, SIZE_MAX / 4, sizeof(*array)));
    free(array);
    assert_null(tsf_malloc_array(SIZE_MAX / 4, 8));
    array = tsf_malloc_array(0, 8);
    assert_non_null(array);
    free(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail__first_cause_wins),
        cmocka_unit_test(test_fail__null_is_allowed),
        cmocka_unit_test(test_fail_errno__maps_and_names),
        cmocka_unit_test(test_fail_sql__state_decides_code),
        cmocka_unit_test(test_prepend__long_texts_stay_inside_and_keep_the_cause),
        cmocka_unit_test(test_prepend__quiet_code_becomes_an_error_and_end_does_not),
        cmocka_unit_test(test_str__compare),
        cmocka_unit_test(test_buf__ceiling_holds),
        cmocka_unit_test(test_buf__grows_and_moves),
        cmocka_unit_test(test_buf_printf__long_text),
        cmocka_unit_test(test_buf_append_json__escapes),
        cmocka_unit_test(test_buf_append_json__replaces_what_is_not_utf8),
        cmocka_unit_test(test_buf_append_json__every_byte_at_every_place),
        cmocka_unit_test(test_buf_append_json__all_or_nothing_at_the_ceiling),
        cmocka_unit_test(test_arena__pieces_are_aligned_and_apart),
        cmocka_unit_test(test_arena__ceiling_and_overflow),
        cmocka_unit_test(test_arena__strings_and_arrays),
        cmocka_unit_test(test_realloc_array__grows_and_refuses_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
