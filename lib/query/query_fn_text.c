/* Text in other shapes: md5, hex, encodings, quoting, format(), numbers by a format. */
#include "query/query_fn_internal.h"
#include "query/query_fn_utf8.h"

#include <ctype.h>
#include <stdio.h>

/* ---- MD5 (RFC 1321): a fingerprint, not a protection ------------------------------------------------------------- */

static uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static void md5_block(uint32_t s[4], const uint8_t *p)
{
    static const uint32_t k[64] = {
        0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1,
        0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453,
        0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942,
        0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
        0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d,
        0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
    };
    static const uint8_t shift[4][4] = { { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } };
    uint32_t a = s[0], b = s[1], c = s[2], d = s[3];

    for (int i = 0; i < 64; i++) {
        uint32_t f;
        int g;
        if (i < 16)
            f = (b & c) | (~b & d), g = i;
        else if (i < 32)
            f = (d & b) | (~d & c), g = (5 * i + 1) % 16;
        else if (i < 48)
            f = b ^ c ^ d, g = (3 * i + 5) % 16;
        else
            f = c ^ (b | ~d), g = 7 * i % 16;
        f += a + k[i] + tsf_le32_get(p + 4 * g);
        a = d, d = c, c = b;
        b += rotate(f, shift[i / 16][i % 4]);
    }
    s[0] += a, s[1] += b, s[2] += c, s[3] += d;
}

static void md5_of(struct tsf_str s, uint8_t out[16])
{
    uint32_t state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
    uint8_t tail[128] = { 0 };
    size_t whole = s.len / 64 * 64, rest = s.len - whole, end = rest < 56 ? 64 : 128;

    for (size_t i = 0; i < whole; i += 64)
        md5_block(state, (const uint8_t *)s.data + i);
    if (rest)
        memcpy(tail, s.data + whole, rest);
    tail[rest] = 0x80;
    tsf_le64_put(tail + end - 8, (uint64_t)s.len * 8);
    for (size_t i = 0; i < end; i += 64)
        md5_block(state, tail + i);
    memcpy(out, state, 16);
}

static enum tsf_err md5(struct query_call *c, struct tsf_error *err)
{
    uint8_t sum[16];
    char hex[33];
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        md5_of(fn_str(c, 0, i), sum);
        tsf_hex(sum, 16, hex);
        if ((rc = query_call_put_copy(c, i, hex, 32, err)) != TSF_OK)
            return rc;
    }
    return rc;
}

static enum tsf_err to_hex(struct query_call *c, struct tsf_error *err)
{
    char text[24];
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        int64_t v = fn_int(c, 0, i);
        int n = c->args[0].type->id == TSF_TYPE_INT32 ? snprintf(text, sizeof text, "%x", (unsigned)v)
                                                      : snprintf(text, sizeof text, "%llx", (unsigned long long)v);
        if ((rc = query_call_put_copy(c, i, text, (size_t)n, err)) != TSF_OK)
            return rc;
    }
    return rc;
}

/* ---- encode, decode --------------------------------------------------------------------------------------------------- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Lines of 76 characters, as RFC 2045 and PostgreSQL have them. */
static enum tsf_err base64_encode(struct tsf_str s, struct tsf_buf *b, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    int column = 0;

    for (size_t i = 0; rc == TSF_OK && i < s.len; i += 3) {
        size_t left = s.len - i;
        uint32_t v = (uint32_t)(uint8_t)s.data[i] << 16 | (left > 1 ? (uint32_t)(uint8_t)s.data[i + 1] << 8 : 0) | (left > 2 ? (uint8_t)s.data[i + 2] : 0);
        char quad[4] = { base64_digits[v >> 18], base64_digits[v >> 12 & 63], left > 1 ? base64_digits[v >> 6 & 63] : '=',
                         left > 2 ? base64_digits[v & 63] : '=' };
        if (column == 76) {
            rc = tsf_buf_append_u8(b, '\n', err);
            column = 0;
        }
        if (rc == TSF_OK)
            rc = tsf_buf_append(b, quad, 4, err);
        column += 4;
    }
    return rc;
}

static enum tsf_err base64_decode(struct tsf_str s, struct tsf_buf *b, struct tsf_error *err)
{
    uint32_t v = 0;
    int n = 0, pad = 0;
    enum tsf_err rc = TSF_OK;

    for (size_t i = 0; rc == TSF_OK && i < s.len; i++) {
        const char *at;
        if (isspace((unsigned char)s.data[i]))
            continue;
        at = s.data[i] ? strchr(base64_digits, s.data[i]) : NULL;
        if (s.data[i] == '=' && n >= 2)
            pad++;
        else if (!at || pad)
            return tsf_fail_sql(err, "22023", -1, "invalid symbol \"%c\" found while decoding base64 sequence", s.data[i]);
        v = v << 6 | (at && !pad ? (uint32_t)(at - base64_digits) : 0);
        if (++n == 4) {
            uint8_t out[3] = { (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
            rc = tsf_buf_append(b, out, (size_t)TSF_MAX(0, 3 - pad), err);
            n = 0;
            v = 0;
        }
    }
    if (rc == TSF_OK && n)
        return tsf_fail_sql(err, "22023", -1, "invalid base64 end sequence");
    return rc;
}

static enum tsf_err hex_decode(struct tsf_str s, struct tsf_buf *b, struct tsf_error *err)
{
    uint8_t high = 0;
    bool half = false;
    enum tsf_err rc = TSF_OK;

    for (size_t i = 0; rc == TSF_OK && i < s.len; i++) {
        char x = s.data[i];
        if (isspace((unsigned char)x))
            continue;
        if (!isxdigit((unsigned char)x))
            return tsf_fail_sql(err, "22023", -1, "invalid hexadecimal digit: \"%c\"", x);
        x = (char)(isdigit((unsigned char)x) ? x - '0' : (x | 32) - 'a' + 10);
        if (half)
            rc = tsf_buf_append_u8(b, (uint8_t)(high << 4 | x), err);
        else
            high = (uint8_t)x;
        half = !half;
    }
    return rc == TSF_OK && half ? tsf_fail_sql(err, "22023", -1, "invalid hexadecimal data: odd number of digits") : rc;
}

static enum tsf_err coded(struct query_call *c, int64_t i, bool encode, struct tsf_buf *b, struct tsf_error *err)
{
    struct tsf_str s = fn_str(c, 0, i), how = fn_str(c, 1, i);
    enum tsf_err rc;

    tsf_buf_reset(b);
    if (tsf_str_eqz(how, "hex")) {
        if (!encode)
            return hex_decode(s, b, err);
        if ((rc = tsf_buf_reserve(b, 2 * s.len + 1, err)) != TSF_OK)
            return rc;
        tsf_hex(s.data, s.len, (char *)b->data + b->len);
        b->len += 2 * s.len;
        return TSF_OK;
    }
    if (tsf_str_eqz(how, "base64"))
        return encode ? base64_encode(s, b, err) : base64_decode(s, b, err);
    return tsf_fail_sql(err, "22023", -1, "unrecognized encoding: \"%.*s\"", (int)TSF_MIN(how.len, 40), how.data);
}

static enum tsf_err code_rows(struct query_call *c, bool encode, struct tsf_error *err)
{
    struct tsf_buf b = TSF_BUF_INIT(1 << 29);
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i)
        if ((rc = coded(c, i, encode, &b, err)) != TSF_OK || (rc = query_call_put_copy(c, i, (const char *)b.data, b.len, err)) != TSF_OK)
            break;
    tsf_buf_release(&b);
    return rc;
}

static enum tsf_err encode(struct query_call *c, struct tsf_error *err)
{
    return code_rows(c, true, err);
}

static enum tsf_err decode(struct query_call *c, struct tsf_error *err)
{
    return code_rows(c, false, err);
}

/* ---- quoting and format() ------------------------------------------------------------------------------------------------ */

static enum tsf_err quote_append(struct tsf_str s, char q, struct tsf_buf *b, struct tsf_error *err)
{
    bool escape = q == '\'' && memchr(s.data, '\\', s.len);
    enum tsf_err rc = escape ? tsf_buf_append_u8(b, 'E', err) : TSF_OK;

    if (rc == TSF_OK)
        rc = tsf_buf_append_u8(b, (uint8_t)q, err);
    for (size_t i = 0; rc == TSF_OK && i < s.len; i++) {
        if (s.data[i] == q || (escape && s.data[i] == '\\'))
            rc = tsf_buf_append_u8(b, (uint8_t)s.data[i], err);
        if (rc == TSF_OK)
            rc = tsf_buf_append_u8(b, (uint8_t)s.data[i], err);
    }
    return rc == TSF_OK ? tsf_buf_append_u8(b, (uint8_t)q, err) : rc;
}

static enum tsf_err ident_append(struct tsf_str s, struct tsf_buf *b, struct tsf_error *err)
{
    bool plain = s.len && (islower((unsigned char)s.data[0]) || s.data[0] == '_');
    for (size_t i = 0; plain && i < s.len; i++)
        plain = islower((unsigned char)s.data[i]) || isdigit((unsigned char)s.data[i]) || s.data[i] == '_';
    return plain ? tsf_buf_append(b, s.data, s.len, err) : quote_append(s, '"', b, err);
}

static enum tsf_err quote_rows(struct query_call *c, bool literal, struct tsf_error *err)
{
    struct tsf_buf b = TSF_BUF_INIT(1 << 28);
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        tsf_buf_reset(&b);
        rc = literal ? quote_append(fn_str(c, 0, i), '\'', &b, err) : ident_append(fn_str(c, 0, i), &b, err);
        if (rc != TSF_OK || (rc = query_call_put_copy(c, i, (const char *)b.data, b.len, err)) != TSF_OK)
            break;
    }
    tsf_buf_release(&b);
    return rc;
}

static enum tsf_err quote_literal(struct query_call *c, struct tsf_error *err)
{
    return quote_rows(c, true, err);
}

static enum tsf_err quote_ident(struct query_call *c, struct tsf_error *err)
{
    return quote_rows(c, false, err);
}

/* Argument k as text into b; *null when it is NULL. */
static enum tsf_err arg_text(struct query_call *c, int k, int64_t i, struct tsf_buf *b, bool *null, struct tsf_error *err)
{
    struct tsf_value v;
    enum tsf_err rc;

    tsf_buf_reset(b);
    *null = c->args[k].type->id == TSF_TYPE_NULL || !fn_present(c, k, i);
    if (*null)
        return TSF_OK;
    if ((rc = tsf_vector_get(&c->args[k], i, c->ev->arena, &v, err)) != TSF_OK)
        return rc;
    return tsf_value_text(&v, b, err);
}

struct directive {
    int position, width;
    bool left, star;
    char kind;
};

/* %[position$][-][width]type after the percent sign. */
static bool directive_read(struct tsf_str f, size_t *at, struct directive *d)
{
    size_t i = *at;
    int64_t n = 0;
    size_t first = i;

    *d = (struct directive){ 0 };
    while (i < f.len && isdigit((unsigned char)f.data[i]) && n < 100000)
        n = n * 10 + (f.data[i++] - '0');
    if (i > first && i < f.len && f.data[i] == '$') {
        if (n == 0)
            return false;
        d->position = (int)n;
        i++;
        first = i;
        n = 0;
    } else {
        i = first;
        n = 0;
    }
    if (i < f.len && f.data[i] == '-') {
        d->left = true;
        i++;
    }
    if (i < f.len && f.data[i] == '*') {
        d->star = true;
        i++;
    }
    while (i < f.len && isdigit((unsigned char)f.data[i]) && n < 100000)
        n = n * 10 + (f.data[i++] - '0');
    d->width = (int)n;
    if (i == f.len)
        return false;
    d->kind = f.data[i++];
    *at = i;
    return true;
}

static enum tsf_err padded_append(struct tsf_buf *b, struct tsf_str s, int width, bool left, struct tsf_error *err)
{
    int64_t fill = width - utf8_length(s);
    enum tsf_err rc = TSF_OK;

    for (int64_t k = 0; rc == TSF_OK && !left && k < fill; k++)
        rc = tsf_buf_append_u8(b, ' ', err);
    if (rc == TSF_OK)
        rc = tsf_buf_append(b, s.data, s.len, err);
    for (int64_t k = 0; rc == TSF_OK && left && k < fill; k++)
        rc = tsf_buf_append_u8(b, ' ', err);
    return rc;
}

static enum tsf_err directive_put(struct query_call *c, const struct directive *d, int k, int64_t i, struct tsf_buf *b, struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(1 << 28), out = TSF_BUF_INIT(1 << 28);
    bool null;
    enum tsf_err rc = arg_text(c, k, i, &text, &null, err);

    if (rc == TSF_OK && d->kind == 'I')
        rc = null ? tsf_fail_sql(err, "22004", -1, "null values cannot be formatted as an SQL identifier") : ident_append(tsf_buf_str(&text), &out, err);
    else if (rc == TSF_OK && d->kind == 'L')
        rc = null ? tsf_buf_append_z(&out, "NULL", err) : quote_append(tsf_buf_str(&text), '\'', &out, err);
    else if (rc == TSF_OK)
        rc = tsf_buf_append(&out, text.data, text.len, err);
    if (rc == TSF_OK)
        rc = padded_append(b, tsf_buf_str(&out), d->width, d->left, err);
    tsf_buf_release(&text);
    tsf_buf_release(&out);
    return rc;
}

static enum tsf_err format_row(struct query_call *c, int64_t i, struct tsf_buf *b, struct tsf_error *err)
{
    struct tsf_str f = fn_str(c, 0, i);
    int next = 1;
    enum tsf_err rc = TSF_OK;

    for (size_t at = 0; rc == TSF_OK && at < f.len;) {
        struct directive d;
        if (f.data[at] != '%') {
            rc = tsf_buf_append_u8(b, (uint8_t)f.data[at++], err);
            continue;
        }
        at++;
        if (at < f.len && f.data[at] == '%') {
            at++;
            rc = tsf_buf_append_u8(b, '%', err);
            continue;
        }
        if (!directive_read(f, &at, &d))
            return tsf_fail_sql(err, "22023", -1, "unterminated format() type specifier");
        if (d.kind != 's' && d.kind != 'I' && d.kind != 'L')
            return tsf_fail_sql(err, "22023", -1, "unrecognized format() type specifier \"%c\"", d.kind);
        if (d.star)
            return tsf_fail_sql(err, "0A000", -1, "format() width from an argument is not supported");
        if (d.position)
            next = d.position;
        if (next >= c->n_args)
            return tsf_fail_sql(err, "22023", -1, "too few arguments for format()");
        rc = directive_put(c, &d, next++, i, b, err);
    }
    return rc;
}

static enum tsf_err format(struct query_call *c, struct tsf_error *err)
{
    struct tsf_buf b = TSF_BUF_INIT(1 << 28);
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++) {
        tsf_buf_reset(&b);
        if (!fn_present(c, 0, i))
            rc = query_call_null(c, i, err);
        else if ((rc = format_row(c, i, &b, err)) == TSF_OK)
            rc = query_call_put_copy(c, i, (const char *)b.data, b.len, err);
    }
    tsf_buf_release(&b);
    return rc;
}

/* ---- to_char of numbers: 9 0 . , D G S MI PL FM ------------------------------------------------------------------------------ */

struct picture {
    int before, after, zeros_from, zeros_to; /* digits on either side; the first and the last place with a 0 */
    bool fill, minus_end, sign_front;
};

static void picture_read(struct tsf_str f, struct picture *p)
{
    bool point = false;

    *p = (struct picture){ .fill = true, .zeros_from = -1 };
    for (size_t i = 0; i < f.len; i++) {
        char x = (char)toupper((unsigned char)f.data[i]);
        if (x == '9' || x == '0') {
            if (x == '0' && !point && p->zeros_from < 0)
                p->zeros_from = p->before;
            if (x == '0')
                p->zeros_to = p->before + p->after + 1;
            if (point)
                p->after++;
            else
                p->before++;
        } else if (x == '.' || x == 'D') {
            point = true;
        } else if (x == 'F' && i + 1 < f.len && toupper((unsigned char)f.data[i + 1]) == 'M') {
            p->fill = false;
        } else if (x == 'M' && i + 1 < f.len && toupper((unsigned char)f.data[i + 1]) == 'I') {
            p->minus_end = true;
        } else if (x == 'S') {
            p->sign_front = true;
        }
    }
}

/* digits: before + after of them, without point; first: index of the first that counts. */
static enum tsf_err picture_write(struct tsf_str f, const struct picture *p, const char *digits, int first, bool neg, bool fm_zero_end,
                                  struct tsf_buf *b, struct tsf_error *err)
{
    int at = 0, last = p->before + p->after;
    bool signed_yet = p->minus_end, started = false;
    enum tsf_err rc = TSF_OK;

    while (fm_zero_end && last > TSF_MAX(p->before, p->zeros_to) && digits[last - 1] == '0')
        last--;
    for (size_t i = 0; rc == TSF_OK && i < f.len; i++) {
        char x = (char)toupper((unsigned char)f.data[i]);
        if (x == 'F' || (x == 'M' && i && toupper((unsigned char)f.data[i - 1]) == 'F'))
            continue;
        if (x == '9' || x == '0') {
            bool shown = at >= first;
            if (shown && !started && !signed_yet) {
                if (neg || p->sign_front)
                    rc = tsf_buf_append_u8(b, neg ? '-' : '+', err);
                else if (p->fill)
                    rc = tsf_buf_append_u8(b, ' ', err);
                signed_yet = true;
            }
            started = started || shown;
            if (rc == TSF_OK && shown && at < last)
                rc = tsf_buf_append_u8(b, (uint8_t)digits[at], err);
            else if (rc == TSF_OK && !shown && p->fill)
                rc = tsf_buf_append_u8(b, ' ', err);
            at++;
        } else if (x == '.' || x == 'D') {
            if (!started && !signed_yet) {
                if (neg)
                    rc = tsf_buf_append_u8(b, '-', err);
                else if (p->fill)
                    rc = tsf_buf_append_u8(b, ' ', err);
                signed_yet = started = true;
            }
            if (rc == TSF_OK)
                rc = tsf_buf_append_u8(b, '.', err);
        } else if (x == ',' || x == 'G') {
            if (started)
                rc = tsf_buf_append_u8(b, ',', err);
            else if (p->fill)
                rc = tsf_buf_append_u8(b, ' ', err);
        } else if (x == 'M' && i + 1 < f.len && toupper((unsigned char)f.data[i + 1]) == 'I') {
            if (neg || p->fill)
                rc = tsf_buf_append_u8(b, neg ? '-' : ' ', err);
            i++;
        } else if (x != 'S' && x != '"') {
            rc = tsf_buf_append_u8(b, (uint8_t)f.data[i], err);
        }
    }
    return rc;
}

static enum tsf_err number_format(struct tsf_str f, tsf_int128 v, int scale, struct tsf_buf *b, struct tsf_error *err)
{
    struct picture p;
    char text[64], digits[96];
    int len, want, first;
    bool neg = v < 0, over;

    picture_read(f, &p);
    want = p.before + p.after;
    if (want > 38 || !tsf_decimal_rescale(v, scale, p.after, &v))
        return tsf_fail_sql(err, "22023", -1, "number is too wide for its format");
    len = (int)tsf_decimal_format(neg ? -v : v, 0, text);
    over = len > want && !(v == 0);
    memset(digits, over ? '#' : '0', (size_t)want);
    if (!over && len <= want)
        memcpy(digits + want - len, text, (size_t)len);
    for (first = 0; first < p.before && digits[first] == '0' && !over; first++)
        ;
    if (p.zeros_from >= 0)
        first = TSF_MIN(first, p.zeros_from);
    if (first == p.before && p.after == 0 && p.before)
        first = p.before - 1;
    return picture_write(f, &p, digits, first, neg && v != 0, !p.fill, b, err);
}

static enum tsf_err to_char(struct query_call *c, struct tsf_error *err)
{
    struct tsf_buf b = TSF_BUF_INIT(1 << 16);
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        tsf_int128 v;
        int scale = c->args[0].type->id == TSF_TYPE_DECIMAL ? c->args[0].type->scale : 0;
        tsf_buf_reset(&b);
        if (c->args[0].type->id == TSF_TYPE_DOUBLE) {
            char text[64];
            int n = snprintf(text, sizeof text, "%.15g", fn_f64(c, 0, i));
            scale = 12;
            if (!tsf_decimal_parse(tsf_str_n(text, (size_t)n), scale, &v)) {
                rc = tsf_fail_sql(err, "22003", -1, "number is too large for to_char");
                break;
            }
        } else {
            v = c->args[0].type->id == TSF_TYPE_DECIMAL ? fn_i128(c, 0, i) : fn_int(c, 0, i);
        }
        if ((rc = number_format(fn_str(c, 1, i), v, scale, &b, err)) != TSF_OK ||
            (rc = query_call_put_copy(c, i, (const char *)b.data, b.len, err)) != TSF_OK)
            break;
    }
    tsf_buf_release(&b);
    return rc;
}

#define S QUERY_FN_STRICT
#define SS (QUERY_FN_STRICT | QUERY_FN_SAFE)
#define TXT TSF_T(STRING)
#define BIN TSF_T(BINARY)
const struct query_function query_fn_text[] = {
    { "md5", TXT, NULL, 1, { TXT }, SS, md5 }, { "md5", TXT, NULL, 1, { BIN }, SS, md5 },
    { "to_hex", TXT, NULL, 1, { TSF_T(INT32) }, SS, to_hex }, { "to_hex", TXT, NULL, 1, { TSF_T(INT64) }, SS, to_hex },
    { "encode", TXT, NULL, 2, { BIN, TXT }, S, encode }, { "decode", BIN, NULL, 2, { TXT, TXT }, S, decode },
    { "quote_literal", TXT, NULL, 1, { TXT }, SS, quote_literal }, { "quote_ident", TXT, NULL, 1, { TXT }, SS, quote_ident },
    { "format", TXT, NULL, 1, { TXT }, QUERY_FN_VARIADIC, format }, { "format", TXT, NULL, 2, { TXT, NULL }, QUERY_FN_VARIADIC, format },
    { "to_char", TXT, NULL, 2, { TSF_T(INT32), TXT }, S, to_char }, { "to_char", TXT, NULL, 2, { TSF_T(INT64), TXT }, S, to_char },
    { "to_char", TXT, NULL, 2, { TSF_T(DECIMAL), TXT }, S, to_char }, { "to_char", TXT, NULL, 2, { TSF_T(DOUBLE), TXT }, S, to_char },
    { 0 },
};
