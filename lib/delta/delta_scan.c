/*
 * A pull scanner for JSON. The log's lines are small objects with known fields around long strings (statistics), so this
 * goes through the text once, builds nothing, and copies a string only when it has escapes. Nesting that is skipped is
 * counted, not recursed into.
 */
#include "delta/delta_internal.h"

static bool fail(struct delta_scan *s)
{
    s->bad = true;
    return false;
}

static inline void blanks(struct delta_scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

void delta_scan_init(struct delta_scan *s, struct tsf_str text, struct tsf_arena *a)
{
    *s = (struct delta_scan){ .p = text.data != NULL ? text.data : "", .arena = a };
    s->end = s->p + text.len;
}

char delta_scan_peek(struct delta_scan *s)
{
    if (s->bad)
        return 0;
    blanks(s);
    return s->p < s->end ? *s->p : 0;
}

bool delta_scan_end(struct delta_scan *s)
{
    return !s->bad && delta_scan_peek(s) == 0 && s->p == s->end;
}

static bool open_bracket(struct delta_scan *s, char c)
{
    if (delta_scan_peek(s) != c)
        return fail(s);
    s->p++;
    s->after = false;
    return true;
}

bool delta_scan_object(struct delta_scan *s)
{
    return open_bracket(s, '{');
}

bool delta_scan_array(struct delta_scan *s)
{
    return open_bracket(s, '[');
}

/* To the next member or element: false when the bracket closes here. */
static bool next_item(struct delta_scan *s, char close)
{
    char c = delta_scan_peek(s);

    if (c == close) {
        s->p++;
        s->after = true;
        return false;
    }
    if (s->after) {
        if (c != ',')
            return fail(s);
        s->p++;
        s->after = false;
        c = delta_scan_peek(s);
    }
    return c != 0 && c != close && c != ',' ? true : fail(s);
}

bool delta_scan_element(struct delta_scan *s)
{
    return !s->bad && next_item(s, ']');
}

bool delta_scan_key(struct delta_scan *s, struct tsf_str *key_out)
{
    if (s->bad || !next_item(s, '}') || !delta_scan_string(s, key_out))
        return false;
    if (delta_scan_peek(s) != ':')
        return fail(s);
    s->p++;
    s->after = false;
    return true;
}

static bool word(struct delta_scan *s, const char *w, size_t n)
{
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
        return false;
    s->p += n;
    s->after = true;
    return true;
}

bool delta_scan_null(struct delta_scan *s)
{
    return delta_scan_peek(s) == 'n' && word(s, "null", 4);
}

bool delta_scan_bool(struct delta_scan *s, bool *out)
{
    char c = delta_scan_peek(s);

    if (c == 't' && word(s, "true", 4)) {
        *out = true;
        return true;
    }
    if (c == 'f' && word(s, "false", 5)) {
        *out = false;
        return true;
    }
    return fail(s);
}

/* ---- strings ---------------------------------------------------------------------------------------------- */

/* Length up to a quote, a backslash or the end; eight bytes at a time. */
static size_t plain_length(const char *p, const char *end)
{
    const char *start = p;

    while (end - p >= 8) {
        uint64_t w = tsf_le64_get(p), quote = w ^ 0x2222222222222222ULL, slash = w ^ 0x5c5c5c5c5c5c5c5cULL;
        uint64_t hit = ((quote - 0x0101010101010101ULL) & ~quote) | ((slash - 0x0101010101010101ULL) & ~slash);

        hit &= 0x8080808080808080ULL;
        if (hit != 0)
            return (size_t)(p - start) + (size_t)__builtin_ctzll(hit) / 8;
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return (size_t)(p - start);
}

static int hex4(const char *p)
{
    int v = 0;

    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

static char *put_utf8(char *o, uint32_t c)
{
    if (c < 0x80) {
        *o++ = (char)c;
    } else if (c < 0x800) {
        *o++ = (char)(0xc0 | c >> 6);
        *o++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *o++ = (char)(0xe0 | c >> 12);
        *o++ = (char)(0x80 | (c >> 6 & 63));
        *o++ = (char)(0x80 | (c & 63));
    } else {
        *o++ = (char)(0xf0 | c >> 18);
        *o++ = (char)(0x80 | (c >> 12 & 63));
        *o++ = (char)(0x80 | (c >> 6 & 63));
        *o++ = (char)(0x80 | (c & 63));
    }
    return o;
}

/* One escape at *pp (on the backslash) to o; NULL when it is none. Never writes more bytes than it reads. */
static char *escape(const char **pp, const char *end, char *o)
{
    const char *p = *pp + 1;
    int32_t c;

    if (p >= end)
        return NULL;
    switch (*p) {
    case '"': case '\\': case '/': *o++ = *p; break;
    case 'b': *o++ = '\b'; break;
    case 'f': *o++ = '\f'; break;
    case 'n': *o++ = '\n'; break;
    case 'r': *o++ = '\r'; break;
    case 't': *o++ = '\t'; break;
    case 'u':
        if (end - p < 5 || (c = hex4(p + 1)) < 0)
            return NULL;
        p += 4;
        if (c >= 0xd800 && c < 0xdc00 && end - p >= 7 && p[1] == '\\' && p[2] == 'u') {
            int32_t low = hex4(p + 3);

            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                p += 6;
            }
        }
        o = put_utf8(o, c >= 0xd800 && c < 0xe000 ? 0xfffd : (uint32_t)c);
        break;
    default:
        return NULL;
    }
    *pp = p + 1;
    return o;
}

/* Find the closing quote: s->p is behind the opening one. */
static bool string_end(struct delta_scan *s, const char **end_out, bool *escaped_out)
{
    const char *p = s->p;

    *escaped_out = false;
    for (;;) {
        p += plain_length(p, s->end);
        if (p >= s->end)
            return fail(s);
        if (*p == '"') {
            *end_out = p;
            return true;
        }
        *escaped_out = true;
        p += 2;
        if (p > s->end)
            return fail(s);
    }
}

bool delta_scan_string(struct delta_scan *s, struct tsf_str *out)
{
    const char *end, *p;
    bool escaped;
    char *copy, *o;

    if (delta_scan_peek(s) != '"')
        return fail(s);
    s->p++;
    if (!string_end(s, &end, &escaped))
        return false;
    if (!escaped) {
        *out = tsf_str_n(s->p, (size_t)(end - s->p));
    } else {
        if ((o = copy = tsf_arena_alloc(s->arena, (size_t)(end - s->p))) == NULL)
            return fail(s);
        for (p = s->p; p < end;) {
            size_t n = plain_length(p, end);

            memcpy(o, p, n);
            o += n;
            p += n;
            if (p < end && (o = escape(&p, end, o)) == NULL)
                return fail(s);
        }
        *out = tsf_str_n(copy, (size_t)(o - copy));
    }
    s->p = end + 1;
    s->after = true;
    return true;
}

/* ---- numbers and whole values ---------------------------------------------------------------------------------- */

static bool is_number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

bool delta_scan_int(struct delta_scan *s, int64_t *out)
{
    char c = delta_scan_peek(s);
    struct tsf_str text;
    const char *start;
    double d;

    if (c == '"') {
        if (!delta_scan_string(s, &text))
            return false;
    } else {
        for (start = s->p; s->p < s->end && is_number_char(*s->p);)
            s->p++;
        text = tsf_str_n(start, (size_t)(s->p - start));
        s->after = true;
    }
    if (text.len == 0)
        return fail(s);
    if (tsf_int64_parse(text, out))
        return true;
    if (!tsf_double_parse(text, &d) || !(d >= -9e18 && d <= 9e18) || (double)(int64_t)d != d)
        return fail(s);
    *out = (int64_t)d;
    return true;
}

static bool skip_scalar(struct delta_scan *s)
{
    const char *end;
    bool escaped;

    switch (delta_scan_peek(s)) {
    case '"':
        s->p++;
        if (!string_end(s, &end, &escaped))
            return false;
        s->p = end + 1;
        return true;
    case 't': return word(s, "true", 4) || fail(s);
    case 'f': return word(s, "false", 5) || fail(s);
    case 'n': return word(s, "null", 4) || fail(s);
    default:
        if (s->p >= s->end || !is_number_char(*s->p))
            return fail(s);
        while (s->p < s->end && is_number_char(*s->p))
            s->p++;
        return true;
    }
}

/* Brackets must pair up; commas and colons inside are not looked at: nobody reads what is in there from here. */
bool delta_scan_skip(struct delta_scan *s)
{
    char stack[DELTA_JSON_DEPTH];
    int depth = 0;

    do {
        char c = delta_scan_peek(s);

        if (c == '{' || c == '[') {
            if (depth == DELTA_JSON_DEPTH)
                return fail(s);
            stack[depth++] = c == '{' ? '}' : ']';
            s->p++;
        } else if (depth > 0 && c == stack[depth - 1]) {
            depth--;
            s->p++;
        } else if (depth > 0 && (c == ',' || c == ':')) {
            s->p++;
        } else if (!skip_scalar(s)) {
            return false;
        }
    } while (depth > 0);
    s->after = true;
    return true;
}

bool delta_scan_raw(struct delta_scan *s, struct tsf_str *out)
{
    const char *start;

    if (delta_scan_peek(s) == 0)
        return fail(s);
    start = s->p;
    if (!delta_scan_skip(s))
        return false;
    *out = tsf_str_n(start, (size_t)(s->p - start));
    return true;
}
