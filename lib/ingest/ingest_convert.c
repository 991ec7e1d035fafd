/* Text and numbers into the types of columns. */
#include "ingest/ingest_internal.h"

#include <math.h>

/* ---- text ------------------------------------------------------------------------------------------------------ */

bool ingest_utf8_valid(const char *z, size_t n)
{
    const uint8_t *p = (const uint8_t *)z, *end = p + n;

    while (p < end) {
        while (end - p >= 8 && !(tsf_le64_get(p) & 0x8080808080808080ULL))
            p += 8;
        if (p == end)
            break;
        if (*p < 0x80) {
            p++;
            continue;
        }
        size_t more = *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
        /* Lead bytes that could only begin overlong forms, surrogates and what is past U+10FFFF. */
        if (*p < 0xc2 || *p > 0xf4 || (size_t)(end - p) <= more || (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
            (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
            return false;
        for (size_t i = 1; i <= more; i++)
            if ((p[i] & 0xc0) != 0x80)
                return false;
        p += more + 1;
    }
    return true;
}

static int hex4(const char *p, const char *end)
{
    int v = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        unsigned d = (unsigned char)p[i];
        int x = d - '0' <= 9 ? (int)(d - '0') : (d | 0x20) - 'a' <= 5 ? (int)((d | 0x20) - 'a' + 10) : -1;
        if (x < 0)
            return -1;
        v = v * 16 + x;
    }
    return v;
}

static char *utf8_put(char *o, int cp)
{
    if (cp < 0x80) {
        *o++ = (char)cp;
    } else if (cp < 0x800) {
        *o++ = (char)(0xc0 | cp >> 6);
        *o++ = (char)(0x80 | (cp & 0x3f));
    } else if (cp < 0x10000) {
        *o++ = (char)(0xe0 | cp >> 12);
        *o++ = (char)(0x80 | (cp >> 6 & 0x3f));
        *o++ = (char)(0x80 | (cp & 0x3f));
    } else {
        *o++ = (char)(0xf0 | cp >> 18);
        *o++ = (char)(0x80 | (cp >> 12 & 0x3f));
        *o++ = (char)(0x80 | (cp >> 6 & 0x3f));
        *o++ = (char)(0x80 | (cp & 0x3f));
    }
    return o;
}

/* \uXXXX at p (on the u), perhaps the first of a pair. Returns the end, NULL when it is bad. */
static const char *unicode_take(struct ingest_parser *ps, const char *p, const char *end, char **o)
{
    int cp = hex4(p + 1, end), low;

    if (cp < 0)
        return ingest_bad(ps, "\\u without four hexadecimal digits");
    p += 5;
    if (cp >= 0xd800 && cp <= 0xdfff) {
        low = cp < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2, end) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return ingest_bad(ps, "half a surrogate pair: \\u%04x", (unsigned)cp);
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    }
    *o = utf8_put(*o, cp);
    return p;
}

bool ingest_unescape(struct ingest_parser *ps, const char *p, size_t n, char *out, size_t *n_out)
{
    const char *end = p + n, *slash;
    char *o = out;

    while ((slash = memchr(p, '\\', (size_t)(end - p)))) {
        o = mempcpy(o, p, (size_t)(slash - p));
        p = slash + 1;
        switch (p < end ? *p : 0) {
        case '"': case '\\': case '/': *o++ = *p++; break;
        case 'b': *o++ = '\b', p++; break;
        case 'f': *o++ = '\f', p++; break;
        case 'n': *o++ = '\n', p++; break;
        case 'r': *o++ = '\r', p++; break;
        case 't': *o++ = '\t', p++; break;
        case 'u':
            if (!(p = unicode_take(ps, p, end, &o)))
                return false;
            break;
        default: return ingest_bad(ps, "an unknown escape in a string") != NULL;
        }
    }
    o = mempcpy(o, p, (size_t)(end - p));
    *n_out = (size_t)(o - out);
    return true;
}

bool ingest_json_container(struct ingest_parser *ps, struct tsf_str *text)
{
    struct tsf_str s = *text;
    bool quoted = false, json;
    char reason[sizeof ps->reason], *copy;
    const char *end;
    int col = ps->col;

    while (s.len && strchr(" \t\r\n", s.data[0]) && s.data[0])
        s.data++, s.len--;
    while (s.len && strchr(" \t\r\n", s.data[s.len - 1]) && s.data[s.len - 1])
        s.len--;
    if (s.len < 2 || !((s.data[0] == '{' && s.data[s.len - 1] == '}') || (s.data[0] == '[' && s.data[s.len - 1] == ']')))
        return false;
    /* A copy that ends as the parser wants it, and on one line. */
    if (!(copy = tsf_arena_alloc(&ps->arena, s.len + INGEST_PAD)))
        return ingest_nomem(ps) != NULL;
    memcpy(copy, s.data, s.len);
    memset(copy + s.len, '\n', INGEST_PAD);
    for (size_t i = 0; i < s.len; i++) {
        if (copy[i] == '"')
            quoted = !quoted;
        else if (copy[i] == '\\')
            i++;
        else if (copy[i] == '\n' && !quoted)
            copy[i] = ' ';
    }
    memcpy(reason, ps->reason, sizeof reason);
    end = ingest_skip(ps, copy);
    json = end == copy + s.len;
    memcpy(ps->reason, reason, sizeof reason);
    ps->col = col;
    if (json)
        *text = tsf_str_n(copy, s.len);
    return json;
}

/* ---- numbers ------------------------------------------------------------------------------------------------------- */

static bool bad_value(struct ingest_parser *ps, const char *what, struct tsf_str s)
{
    (void)ingest_bad(ps, "\"%.*s\" is not %s", (int)TSF_MIN(s.len, 64u), s.data, what);
    return false;
}

static bool is_word(enum ingest_token kind)
{
    return kind == INGEST_TRUE || kind == INGEST_FALSE;
}

/* Whole numbers in any notation: "200", "200.0", "2e2". */
static bool int_parse(struct tsf_str s, int64_t *out)
{
    tsf_int128 d, one = tsf_pow10(18);

    if (tsf_int64_parse(s, out))
        return true;
    if (!tsf_decimal_parse(s, 18, &d) || d % one != 0 || d / one > INT64_MAX || d / one < INT64_MIN)
        return false;
    *out = (int64_t)(d / one);
    return true;
}

static bool put_int(struct ingest_parser *ps, struct tsf_builder *b, struct tsf_str s)
{
    int bits = tsf_type_width(b->type) * 8;
    int64_t v;

    if (!int_parse(s, &v))
        return bad_value(ps, "an integer of the column's range", s);
    if (bits < 64 && (v >= (int64_t)1 << (bits - 1) || v < -((int64_t)1 << (bits - 1))))
        return bad_value(ps, "within the column's range", s);
    ps->rc = tsf_builder_i64(b, v, ps->err);
    return ps->rc == TSF_OK;
}

/* Up to 15 digits and a small power of ten: both are exact in a double, so one operation rounds once. */
static bool double_fast(struct tsf_str s, double *out)
{
    static const double power[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    const char *p = s.data, *end = p + s.len;
    bool negative = p < end && *p == '-';
    uint64_t m = 0;
    int digits = 0, fraction = -1;

    for (p += negative; p < end; p++) {
        if ((unsigned char)(*p - '0') <= 9) {
            if (++digits > 15)
                return false;
            m = m * 10 + (unsigned char)(*p - '0');
            fraction += fraction >= 0;
        } else if (*p == '.' && fraction < 0) {
            fraction = 0;
        } else {
            return false;
        }
    }
    if (digits == 0)
        return false;
    *out = (double)m / power[fraction > 0 ? fraction : 0];
    *out = negative ? -*out : *out;
    return true;
}

static bool put_double(struct ingest_parser *ps, struct tsf_builder *b, enum ingest_token kind, struct tsf_str s)
{
    double v;

    if (!double_fast(s, &v) && !tsf_double_parse(s, &v))
        return bad_value(ps, "a number", s);
    if (kind == INGEST_NUMBER && isinf(v))
        return bad_value(ps, "within the column's range", s);
    if (b->type->id == TSF_TYPE_FLOAT && isfinite(v) && isinf((float)v))
        return bad_value(ps, "within the column's range", s);
    ps->rc = tsf_builder_f64(b, v, ps->err);
    return ps->rc == TSF_OK;
}

static bool put_decimal(struct ingest_parser *ps, struct tsf_builder *b, struct tsf_str s)
{
    tsf_int128 v;

    if (!tsf_decimal_parse(s, b->type->scale, &v))
        return bad_value(ps, "a decimal", s);
    if (!tsf_decimal_fits(v, b->type->precision))
        return bad_value(ps, "within the column's range", s);
    ps->rc = tsf_builder_i128(b, v, ps->err);
    return ps->rc == TSF_OK;
}

/* ---- times --------------------------------------------------------------------------------------------------------------- */

/*
 * Seconds, milliseconds, microseconds or nanoseconds since 1970, by magnitude: each unit from the year 1973 of its own to
 * the year 5138, where the next finer one takes over.
 */
static bool epoch_us(struct tsf_str s, int64_t *out)
{
    tsf_int128 d, one = tsf_pow10(18), whole, us;

    if (!tsf_decimal_parse(s, 18, &d))
        return false;
    whole = d / one;
    if (whole < 0)
        whole = -whole;
    if (whole < 100000000000LL)
        us = d / tsf_pow10(12);
    else if (whole < 100000000000000LL)
        us = d / tsf_pow10(15);
    else if (whole < 100000000000000000LL)
        us = d / one;
    else
        us = d / tsf_pow10(21);
    if (us > INT64_MAX || us < INT64_MIN)
        return false;
    *out = (int64_t)us;
    return true;
}

static bool time_of(enum ingest_token kind, struct tsf_str s, int64_t *us)
{
    if (kind == INGEST_NUMBER)
        return epoch_us(s, us);
    return tsf_time_parse(s, us, NULL) || epoch_us(s, us);
}

static bool put_date(struct ingest_parser *ps, struct tsf_builder *b, enum ingest_token kind, struct tsf_str s)
{
    int64_t us, day;
    int32_t days;

    if (kind == INGEST_STRING && tsf_date_parse(s, &days)) {
        day = days;
    } else if (tsf_int64_parse(s, &day) && day > -1000000 && day < 1000000) {
        ; /* days since 1970 */
    } else if (time_of(kind, s, &us)) {
        day = us / TSF_US_PER_DAY - (us % TSF_US_PER_DAY < 0);
    } else {
        return bad_value(ps, "a date", s);
    }
    ps->rc = tsf_builder_i64(b, day, ps->err);
    return ps->rc == TSF_OK;
}

/* ---- the rest ------------------------------------------------------------------------------------------------------------ */

static bool put_bool(struct ingest_parser *ps, struct tsf_builder *b, enum ingest_token kind, struct tsf_str s)
{
    struct tsf_value v;
    bool value = kind == INGEST_TRUE;

    if (!is_word(kind)) {
        if (tsf_value_parse(s, TSF_T(BOOL), &ps->arena, &v, NULL) != TSF_OK || v.is_null)
            return bad_value(ps, "a boolean", s);
        value = v.u.b;
    }
    ps->rc = tsf_builder_i64(b, value, ps->err);
    return ps->rc == TSF_OK;
}

static int base64_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Standard alphabet, padded. out has room for 3/4 of the text. */
static bool base64_decode(struct tsf_str s, uint8_t *out, size_t *n_out)
{
    size_t n = 0, pad;

    if (s.len % 4 != 0)
        return false;
    pad = s.len && s.data[s.len - 1] == '=' ? 1 + (s.data[s.len - 2] == '=') : 0;
    for (size_t i = 0; i < s.len; i += 4) {
        uint32_t w = 0;
        size_t m = i + 4 == s.len ? 4 - pad : 4;
        for (size_t j = 0; j < 4; j++) {
            int d = j < m ? base64_digit((unsigned char)s.data[i + j]) : 0;
            if (d < 0)
                return false;
            w = w << 6 | (uint32_t)d;
        }
        if ((m == 3 && (w & 0xff)) || (m == 2 && (w & 0xffff)))
            return false; /* bits that no encoder leaves */
        out[n++] = (uint8_t)(w >> 16);
        if (m > 2)
            out[n++] = (uint8_t)(w >> 8);
        if (m > 3)
            out[n++] = (uint8_t)w;
    }
    *n_out = n;
    return true;
}

static bool put_binary(struct ingest_parser *ps, struct tsf_builder *b, struct tsf_str s)
{
    uint8_t *bytes = tsf_arena_alloc(&ps->arena, s.len + 4);
    size_t n;

    if (!bytes)
        return ingest_nomem(ps) != NULL;
    if (base64_decode(s, bytes, &n))
        s = tsf_str_n(bytes, n);
    ps->rc = tsf_builder_str(b, s.data, s.len, ps->err);
    return ps->rc == TSF_OK;
}

bool ingest_convert(struct ingest_parser *ps, struct tsf_builder *b, enum ingest_token kind, struct tsf_str s)
{
    int64_t v;

    if (b->type->id == TSF_TYPE_BOOL)
        return put_bool(ps, b, kind, s);
    if (is_word(kind))
        return ingest_bad(ps, "a boolean where %s is wanted", tsf_type_sql_name(b->type, &ps->arena)) != NULL;
    switch (b->type->id) {
    case TSF_TYPE_INT8:
    case TSF_TYPE_INT16:
    case TSF_TYPE_INT32:
    case TSF_TYPE_INT64: return put_int(ps, b, s);
    case TSF_TYPE_FLOAT:
    case TSF_TYPE_DOUBLE: return put_double(ps, b, kind, s);
    case TSF_TYPE_DECIMAL: return put_decimal(ps, b, s);
    case TSF_TYPE_DATE: return put_date(ps, b, kind, s);
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ:
        if (!time_of(kind, s, &v))
            return bad_value(ps, "a time", s);
        ps->rc = tsf_builder_i64(b, v, ps->err);
        return ps->rc == TSF_OK;
    case TSF_TYPE_BINARY: return put_binary(ps, b, s);
    default: return ingest_bad(ps, "columns of type %s cannot be ingested", tsf_type_sql_name(b->type, &ps->arena)) != NULL;
    }
}
