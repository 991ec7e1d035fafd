#ifndef TSF_QUERY_FN_UTF8_H
#define TSF_QUERY_FN_UTF8_H
/* Characters in UTF-8 bytes. Bytes that are not UTF-8 count as characters of their own, and nothing reads past the end. */
#include "base/base.h"

static inline bool utf8_is_start(char b)
{
    return ((unsigned char)b & 0xc0) != 0x80;
}

static inline int64_t utf8_length(struct tsf_str s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += utf8_is_start(s.data[i]);
    return n;
}

static inline bool utf8_is_ascii(struct tsf_str s)
{
    unsigned char x = 0;
    for (size_t i = 0; i < s.len; i++)
        x |= (unsigned char)s.data[i];
    return x < 0x80;
}

/* Byte position after n more characters from byte i. */
static inline size_t utf8_skip(struct tsf_str s, size_t i, int64_t n)
{
    for (; n > 0 && i < s.len; n--)
        for (i++; i < s.len && !utf8_is_start(s.data[i]);)
            i++;
    return i;
}

/* The first n characters, in bytes; the whole string when there are fewer. */
static inline size_t utf8_prefix(struct tsf_str s, int64_t n)
{
    return n <= 0 ? 0 : utf8_skip(s, 0, n);
}

/* Decode the character at s.data[*i] and move on; a broken one gives its first byte. */
static inline uint32_t utf8_next(struct tsf_str s, size_t *i)
{
    unsigned char b = (unsigned char)s.data[*i];
    int more = b >= 0xf8 ? 0 : b >= 0xf0 ? 3 : b >= 0xe0 ? 2 : b >= 0xc0 ? 1 : 0;
    uint32_t c = more == 3 ? b & 7 : more == 2 ? b & 15 : more == 1 ? b & 31 : b;

    if (more == 0 || *i + (size_t)more >= s.len) {
        (*i)++;
        return b;
    }
    for (int k = 1; k <= more; k++) {
        unsigned char x = (unsigned char)s.data[*i + (size_t)k];
        if ((x & 0xc0) != 0x80) {
            (*i)++;
            return b;
        }
        c = c << 6 | (x & 63);
    }
    *i += (size_t)more + 1;
    return c;
}

/* Up to 4 bytes; returns how many. */
static inline size_t utf8_put(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6), out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12), out[1] = (char)(0x80 | (c >> 6 & 63)), out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18), out[1] = (char)(0x80 | (c >> 12 & 63)), out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

#endif
