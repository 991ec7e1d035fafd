#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

#define BUF_MAX_DEFAULT ((size_t)1 << 30)
#define BUF_CAP_MIN 64

int tsf_str_cmp(struct tsf_str a, struct tsf_str b)
{
    size_t n = TSF_MIN(a.len, b.len);
    int c = n == 0 ? 0 : memcmp(a.data, b.data, n);

    if (c != 0)
        return c;
    return (a.len > b.len) - (a.len < b.len);
}

bool tsf_str_starts(struct tsf_str s, struct tsf_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}

void tsf_buf_init(struct tsf_buf *b, size_t max)
{
    *b = (struct tsf_buf){ .max = max };
}

void tsf_buf_release(struct tsf_buf *b)
{
    free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

void tsf_buf_move(struct tsf_buf *dst, struct tsf_buf *src)
{
    tsf_buf_release(dst);
    *dst = *src;
    src->data = NULL;
    src->len = src->cap = 0;
}

enum tsf_err tsf_buf_reserve(struct tsf_buf *b, size_t n, struct tsf_error *err)
{
    size_t max = b->max != 0 ? b->max : BUF_MAX_DEFAULT;
    size_t need, cap;
    uint8_t *data;

    if (TSF_LIKELY(n <= b->cap - b->len && b->data != NULL))
        return TSF_OK;
    if (!tsf_add_size(b->len, n, &need) || need > max)
        return tsf_fail(err, TSF_ERR_NOMEM, "buffer of %zu bytes cannot take %zu more: its ceiling is %zu", b->len, n,
                        max);
    cap = b->cap < BUF_CAP_MIN / 2 ? BUF_CAP_MIN : b->cap > max / 2 ? max : b->cap * 2;
    cap = TSF_MAX(TSF_MIN(cap, max), TSF_MAX(need, 1));
    data = realloc(b->data, cap);
    if (data == NULL)
        return tsf_fail_nomem(err);
    b->data = data;
    b->cap = cap;
    return TSF_OK;
}

enum tsf_err tsf_buf_append(struct tsf_buf *b, const void *p, size_t n, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = tsf_buf_reserve(b, n, err)) != TSF_OK)
        return rc;
    if (n != 0)
        memcpy(b->data + b->len, p, n);
    b->len += n;
    return TSF_OK;
}

enum tsf_err tsf_buf_append_z(struct tsf_buf *b, const char *z, struct tsf_error *err)
{
    return tsf_buf_append(b, z, strlen(z), err);
}

enum tsf_err tsf_buf_append_u8(struct tsf_buf *b, uint8_t v, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = tsf_buf_reserve(b, 1, err)) != TSF_OK)
        return rc;
    b->data[b->len++] = v;
    return TSF_OK;
}

enum tsf_err tsf_buf_append_le32(struct tsf_buf *b, uint32_t v, struct tsf_error *err)
{
    uint8_t bytes[4];

    tsf_le32_put(bytes, v);
    return tsf_buf_append(b, bytes, sizeof(bytes), err);
}

enum tsf_err tsf_buf_append_le64(struct tsf_buf *b, uint64_t v, struct tsf_error *err)
{
    uint8_t bytes[8];

    tsf_le64_put(bytes, v);
    return tsf_buf_append(b, bytes, sizeof(bytes), err);
}

/* Room for n bytes and a NUL. The NUL may lie beyond the ceiling; then cap does not count it, so len cannot get there. */
static bool buf_room_for_nul(struct tsf_buf *b, size_t n)
{
    uint8_t *data;

    if (b->data != NULL && b->cap - b->len > n)
        return true;
    data = realloc(b->data, b->len + n + 1);
    if (data == NULL)
        return false;
    b->data = data;
    b->cap = TSF_MIN(b->len + n + 1, TSF_MAX(b->max != 0 ? b->max : BUF_MAX_DEFAULT, b->len + n));
    return true;
}

enum tsf_err tsf_buf_printf(struct tsf_buf *b, struct tsf_error *err, const char *fmt, ...)
{
    char small[256];
    enum tsf_err rc;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0)
        return tsf_fail_errno(err, "cannot format");
    if ((size_t)n < sizeof(small))
        return tsf_buf_append(b, small, (size_t)n, err);
    if ((rc = tsf_buf_reserve(b, (size_t)n, err)) != TSF_OK)
        return rc;
    if (!buf_room_for_nul(b, (size_t)n))
        return tsf_fail_nomem(err);
    va_start(ap, fmt);
    vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return TSF_OK;
}

char *tsf_buf_cstr(struct tsf_buf *b)
{
    if (!buf_room_for_nul(b, 0))
        return NULL;
    b->data[b->len] = '\0';
    return (char *)b->data;
}

/* ---- JSON strings ------------------------------------------------------------------------------ */

#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

/* Length of the prefix that a JSON string takes as it is: ASCII but controls, quote and backslash. Eight at a time. */
static size_t json_plain_len(const uint8_t *p, size_t n)
{
    size_t i = 0;

    while (n - i >= 8) {
        uint64_t w = tsf_le64_get(p + i);
        uint64_t quote = w ^ (ONES * '"'), slash = w ^ (ONES * '\\');
        uint64_t odd = (w | (w - ONES * 0x20) | (quote - ONES) | (slash - ONES)) & HIGHS;

        /* Borrows only run upwards, so the lowest flag is exact. */
        if (odd != 0)
            return i + (size_t)(__builtin_ctzll(odd) >> 3);
        i += 8;
    }
    while (i < n && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

/*
 * Bytes of the character at p when it is well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF), else
 * minus the bytes that one U+FFFD stands for: the longest prefix that could have begun a character.
 */
static int utf8_char_len(const uint8_t *p, size_t n)
{
    uint8_t lo = 0x80, hi = 0xbf;
    int need;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        need = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        need = 3;
        if (p[0] == 0xe0)
            lo = 0xa0;
        else if (p[0] == 0xed)
            hi = 0x9f;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        need = 4;
        if (p[0] == 0xf0)
            lo = 0x90;
        else if (p[0] == 0xf4)
            hi = 0x8f;
    } else {
        return -1;
    }
    for (int i = 1; i < need; i++) {
        if ((size_t)i >= n || p[i] < lo || p[i] > hi)
            return -i;
        lo = 0x80;
        hi = 0xbf;
    }
    return need;
}

/* Append the character at p in JSON form and return how many input bytes it was; there is room for 6 bytes. */
static size_t json_append_char(struct tsf_buf *b, const uint8_t *p, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_form[32] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
    uint8_t *out = b->data + b->len;
    int len;

    if (*p == '"' || *p == '\\' || (*p < 0x20 && short_form[*p] != 0)) {
        out[0] = '\\';
        out[1] = *p < 0x20 ? (uint8_t)short_form[*p] : *p;
        b->len += 2;
        return 1;
    }
    if (*p < 0x20) {
        memcpy(out, "\\u00", 4);
        out[4] = (uint8_t)hex[*p >> 4];
        out[5] = (uint8_t)hex[*p & 15];
        b->len += 6;
        return 1;
    }
    len = utf8_char_len(p, n);
    if (len > 0) {
        memcpy(out, p, (size_t)len);
        b->len += (size_t)len;
        return (size_t)len;
    }
    memcpy(out, "\xef\xbf\xbd", 3);
    b->len += 3;
    return (size_t)-len;
}

enum tsf_err tsf_buf_append_json(struct tsf_buf *b, struct tsf_str s, struct tsf_error *err)
{
    const uint8_t *p = s.len ? (const uint8_t *)s.data : (const uint8_t *)""; /* NULL is a legal empty text */
    size_t start = b->len, i = 0, room;
    enum tsf_err rc;

    if (!tsf_add_size(s.len, 2, &room))
        return tsf_fail_nomem(err);
    if ((rc = tsf_buf_reserve(b, room, err)) != TSF_OK)
        return rc;
    b->data[b->len++] = '"';
    for (;;) {
        size_t run = json_plain_len(p + i, s.len - i);

        if ((rc = tsf_buf_append(b, p + i, run, err)) != TSF_OK)
            goto fail;
        i += run;
        if (i == s.len)
            break;
        if ((rc = tsf_buf_reserve(b, 6, err)) != TSF_OK)
            goto fail;
        i += json_append_char(b, p + i, s.len - i);
    }
    if ((rc = tsf_buf_append_u8(b, '"', err)) != TSF_OK)
        goto fail;
    return TSF_OK;
fail:
    b->len = start; /* all or nothing */
    return rc;
}
