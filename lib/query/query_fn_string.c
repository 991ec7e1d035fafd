/* Functions on text: lengths, pieces, case, padding. Patterns are in query_fn_pattern.c, encodings in query_fn_text.c. */
#include "query/query_fn_internal.h"
#include "query/query_fn_utf8.h"

#include <ctype.h>
#include <stdlib.h>
#include <utf8proc.h>

#define STRING_MAX (1LL << 28)

static enum tsf_err too_long(struct tsf_error *err)
{
    return tsf_fail_sql(err, "54000", -1, "requested length too large");
}

/* Where to write n bytes of a row: small when they fit inline, else the arena. fn_put afterwards. */
static char *room(struct query_call *c, size_t n, char *small, struct tsf_error *err)
{
    char *p = n <= TSF_SVIEW_INLINE ? small : tsf_arena_alloc(c->ev->arena, n);
    if (!p)
        tsf_fail_nomem(err);
    return p;
}

/* ---- lengths --------------------------------------------------------------------------------------------------- */

static enum tsf_err char_length(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i)
        FN_OUT(c, int32_t)[i] = (int32_t)utf8_length(fn_str(c, 0, i));
    return TSF_OK;
}

static enum tsf_err octet_length(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++)
        FN_OUT(c, int32_t)[i] = (int32_t)fn_view(c, 0, i)->len;
    return TSF_OK;
}

static enum tsf_err bit_length(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++)
        FN_OUT(c, int32_t)[i] = (int32_t)(fn_view(c, 0, i)->len * 8);
    return TSF_OK;
}

/* ---- case -------------------------------------------------------------------------------------------------------- */

static void ascii_case(const char *restrict p, size_t n, bool upper, char *restrict out)
{
    unsigned char first = upper ? 'a' : 'A';
    for (size_t i = 0; i < n; i++) {
        unsigned char b = (unsigned char)p[i];
        out[i] = (char)(b ^ (((unsigned char)(b - first) < 26) << 5));
    }
}

static size_t full_case(struct tsf_str s, bool upper, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len;) {
        uint32_t x = utf8_next(s, &i);
        if (x == 0xdf) /* sharp s: its one capital letter is for titles; libc and PostgreSQL leave it */
            n += utf8_put(x, out + n);
        else if (x < 0x80)
            out[n++] = (char)(upper ? toupper((int)x) : tolower((int)x));
        else
            n += utf8_put((uint32_t)(upper ? utf8proc_toupper((utf8proc_int32_t)x) : utf8proc_tolower((utf8proc_int32_t)x)), out + n);
    }
    return n;
}

static enum tsf_err change_case(struct query_call *c, bool upper, struct tsf_error *err)
{
    char small[16], *p;

    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        if (utf8_is_ascii(s)) {
            if (!(p = room(c, s.len, small, err)))
                return TSF_ERR_NOMEM;
            ascii_case(s.data, s.len, upper, p);
            fn_put(c, i, p, s.len);
        } else { /* a letter may take more bytes in the other case, a broken byte two */
            size_t n;
            if (!(p = tsf_arena_alloc(c->ev->arena, s.len * 3)))
                return tsf_fail_nomem(err);
            n = full_case(s, upper, p);
            fn_put(c, i, p, n);
        }
    }
    return TSF_OK;
}

static enum tsf_err lower(struct query_call *c, struct tsf_error *err)
{
    return change_case(c, false, err);
}

static enum tsf_err upper(struct query_call *c, struct tsf_error *err)
{
    return change_case(c, true, err);
}

static bool is_word(uint32_t x)
{
    if (x < 0x80)
        return isalnum((int)x);
    switch (utf8proc_category((utf8proc_int32_t)x)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND: return true;
    default: return false;
    }
}

static enum tsf_err initcap(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        char *p = tsf_arena_alloc(c->ev->arena, s.len * 3);
        size_t n = 0;
        bool inside = false;
        if (!p)
            return tsf_fail_nomem(err);
        for (size_t k = 0; k < s.len;) {
            uint32_t x = utf8_next(s, &k);
            n += utf8_put((uint32_t)(inside ? utf8proc_tolower((utf8proc_int32_t)x) : utf8proc_toupper((utf8proc_int32_t)x)), p + n);
            inside = is_word(x);
        }
        fn_put(c, i, p, n);
    }
    return TSF_OK;
}

/* ---- pieces ------------------------------------------------------------------------------------------------------- */

/* Characters [start, start + count) counted from 1; parts before 1 count but are not there. */
static struct tsf_str cut(struct tsf_str s, int64_t start, int64_t count)
{
    int64_t end;
    size_t a, b;

    if (__builtin_add_overflow(start, count, &end))
        end = INT64_MAX;
    start = TSF_MAX(start, 1);
    if (end <= start)
        return tsf_str_n(s.data, 0);
    if (utf8_is_ascii(s)) {
        a = (size_t)TSF_MIN((int64_t)s.len, start - 1);
        b = (size_t)TSF_MIN((int64_t)s.len, end - 1);
    } else {
        a = utf8_skip(s, 0, start - 1);
        b = utf8_skip(s, a, end - start);
    }
    return tsf_str_n(s.data + a, b - a);
}

static enum tsf_err substring(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        int64_t count = c->n_args > 2 ? fn_int(c, 2, i) : INT64_MAX;
        struct tsf_str r;
        if (count < 0)
            return tsf_fail_sql(err, "22011", -1, "negative substring length not allowed");
        r = cut(fn_str(c, 0, i), fn_int(c, 1, i), count);
        fn_put(c, i, r.data, r.len);
    }
    return TSF_OK;
}

static enum tsf_err bytea_substring(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        int64_t start = fn_int(c, 1, i), end = INT64_MAX;
        if (c->n_args > 2 && fn_int(c, 2, i) < 0)
            return tsf_fail_sql(err, "22011", -1, "negative substring length not allowed");
        if (c->n_args > 2)
            end = start + fn_int(c, 2, i);
        start = TSF_MAX(1, TSF_MIN(start, (int64_t)s.len + 1));
        end = TSF_MAX(start, TSF_MIN(end, (int64_t)s.len + 1));
        fn_put(c, i, s.data + start - 1, (size_t)(end - start));
    }
    return TSF_OK;
}

static enum tsf_err left(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        int64_t n = fn_int(c, 1, i);
        if (n < 0)
            n += utf8_length(s);
        fn_put(c, i, s.data, utf8_prefix(s, n));
    }
    return TSF_OK;
}

static enum tsf_err right(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        int64_t n = fn_int(c, 1, i), skip = n < 0 ? -n : utf8_length(s) - n;
        size_t at = utf8_prefix(s, skip);
        fn_put(c, i, s.data + at, s.len - at);
    }
    return TSF_OK;
}

static enum tsf_err strpos(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i), x = fn_str(c, 1, i);
        const char *at = x.len ? memmem(s.data, s.len, x.data, x.len) : s.data;
        FN_OUT(c, int32_t)[i] = at ? (int32_t)utf8_length(tsf_str_n(s.data, (size_t)(at - s.data))) + 1 : 0;
    }
    return TSF_OK;
}

static enum tsf_err starts_with(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i)
        FN_OUT(c, uint8_t)[i] = tsf_str_starts(fn_str(c, 0, i), fn_str(c, 1, i));
    return TSF_OK;
}

static struct tsf_str split_piece(struct tsf_str s, struct tsf_str by, int64_t n)
{
    const char *end = s.data + s.len, *p = s.data, *q;

    if (by.len == 0)
        return n == 1 || n == -1 ? s : tsf_str_n(s.data, 0);
    if (n < 0) {
        int64_t pieces = 1;
        for (q = p; (q = memmem(q, (size_t)(end - q), by.data, by.len)); q += by.len)
            pieces++;
        n += pieces + 1;
        if (n <= 0)
            return tsf_str_n(s.data, 0);
    }
    for (; n > 1; n--) {
        if (!(q = memmem(p, (size_t)(end - p), by.data, by.len)))
            return tsf_str_n(s.data, 0);
        p = q + by.len;
    }
    q = memmem(p, (size_t)(end - p), by.data, by.len);
    return tsf_str_n(p, (size_t)((q ? q : end) - p));
}

static enum tsf_err split_part(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        int64_t n = fn_int(c, 2, i);
        struct tsf_str r;
        if (n == 0)
            return tsf_fail_sql(err, "22023", -1, "field position must not be zero");
        r = split_piece(fn_str(c, 0, i), fn_str(c, 1, i), n);
        fn_put(c, i, r.data, r.len);
    }
    return TSF_OK;
}

/* ---- trimming --------------------------------------------------------------------------------------------------------- */

/* Is the character of s at byte i, n bytes long, one of set? */
static bool in_set(struct tsf_str set, const char *p, size_t n)
{
    if (n == 1)
        return memchr(set.data, *p, set.len) != NULL;
    return memmem(set.data, set.len, p, n) != NULL;
}

static struct tsf_str trim(struct tsf_str s, struct tsf_str set, bool front, bool back)
{
    size_t a = 0, b = s.len;

    if (set.len == 0)
        return s;
    while (front && a < b) {
        size_t n = utf8_skip(s, a, 1) - a;
        if (!in_set(set, s.data + a, n))
            break;
        a += n;
    }
    while (back && b > a) {
        size_t at = b - 1;
        while (at > a && !utf8_is_start(s.data[at]))
            at--;
        if (!in_set(set, s.data + at, b - at))
            break;
        b = at;
    }
    return tsf_str_n(s.data + a, b - a);
}

static enum tsf_err trim_rows(struct query_call *c, bool front, bool back)
{
    FN_EACH(c, i) {
        struct tsf_str r = trim(fn_str(c, 0, i), c->n_args > 1 ? fn_str(c, 1, i) : TSF_STR(" "), front, back);
        fn_put(c, i, r.data, r.len);
    }
    return TSF_OK;
}

static enum tsf_err btrim(struct query_call *c, struct tsf_error *err)
{
    return trim_rows(c, true, true);
}

static enum tsf_err ltrim(struct query_call *c, struct tsf_error *err)
{
    return trim_rows(c, true, false);
}

static enum tsf_err rtrim(struct query_call *c, struct tsf_error *err)
{
    return trim_rows(c, false, true);
}

/* ---- building ----------------------------------------------------------------------------------------------------------- */

static enum tsf_err pad(struct query_call *c, bool front, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i), fill = c->n_args > 2 ? fn_str(c, 2, i) : TSF_STR(" ");
        int64_t want = TSF_MAX(fn_int(c, 1, i), 0), have = utf8_length(s), more = want - have;
        size_t n_fill = 0, at = 0;
        char *p;
        if (want > STRING_MAX / 4)
            return too_long(err);
        if (more <= 0 || fill.len == 0) {
            fn_put(c, i, s.data, utf8_prefix(s, want));
            continue;
        }
        if (!(p = tsf_arena_alloc(c->ev->arena, s.len + (size_t)more * 4 + 4)))
            return tsf_fail_nomem(err);
        if (!front) {
            memcpy(p, s.data, s.len);
            n_fill = s.len;
        }
        for (; more > 0; more--) {
            size_t n = utf8_skip(fill, at, 1) - at;
            memcpy(p + n_fill, fill.data + at, TSF_MIN(n, (size_t)4));
            n_fill += TSF_MIN(n, (size_t)4);
            at = at + n < fill.len ? at + n : 0;
        }
        if (front) {
            memcpy(p + n_fill, s.data, s.len);
            n_fill += s.len;
        }
        fn_put(c, i, p, n_fill);
    }
    return TSF_OK;
}

static enum tsf_err lpad(struct query_call *c, struct tsf_error *err)
{
    return pad(c, true, err);
}

static enum tsf_err rpad(struct query_call *c, struct tsf_error *err)
{
    return pad(c, false, err);
}

static enum tsf_err repeat(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        int64_t n = s.len ? TSF_MAX(fn_int(c, 1, i), 0) : 0;
        char *p, small[16];
        if (s.len && n > STRING_MAX / (int64_t)s.len)
            return too_long(err);
        if (!(p = room(c, s.len * (size_t)n, small, err)))
            return TSF_ERR_NOMEM;
        for (int64_t k = 0; k < n; k++)
            memcpy(p + (size_t)k * s.len, s.data, s.len);
        fn_put(c, i, p, s.len * (size_t)n);
    }
    return TSF_OK;
}

static enum tsf_err reverse(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        char *p, small[16];
        if (!(p = room(c, s.len, small, err)))
            return TSF_ERR_NOMEM;
        for (size_t k = 0; k < s.len;) {
            size_t next = utf8_skip(s, k, 1);
            memcpy(p + s.len - next, s.data + k, next - k);
            k = next;
        }
        fn_put(c, i, p, s.len);
    }
    return TSF_OK;
}

static enum tsf_err replace(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i), from = fn_str(c, 1, i), to = fn_str(c, 2, i);
        const char *p = s.data, *end = s.data + s.len, *q;
        size_t hits = 0, n;
        char *out, small[16];
        if (from.len)
            for (q = p; (q = memmem(q, (size_t)(end - q), from.data, from.len)); q += from.len)
                hits++;
        if (!hits) {
            fn_put(c, i, s.data, s.len);
            continue;
        }
        if (to.len && hits > (size_t)STRING_MAX / to.len)
            return too_long(err);
        n = s.len - hits * from.len + hits * to.len;
        if (!(out = room(c, n, small, err)))
            return TSF_ERR_NOMEM;
        n = 0;
        while ((q = memmem(p, (size_t)(end - p), from.data, from.len))) {
            memcpy(out + n, p, (size_t)(q - p));
            n += (size_t)(q - p);
            memcpy(out + n, to.data, to.len);
            n += to.len;
            p = q + from.len;
        }
        memcpy(out + n, p, (size_t)(end - p));
        fn_put(c, i, out, n + (size_t)(end - p));
    }
    return TSF_OK;
}

static enum tsf_err translate(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i), from = fn_str(c, 1, i), to = fn_str(c, 2, i);
        char *p = tsf_arena_alloc(c->ev->arena, s.len * 4 + 4);
        size_t n = 0;
        if (!p)
            return tsf_fail_nomem(err);
        for (size_t k = 0; k < s.len;) {
            size_t next = utf8_skip(s, k, 1), f = 0;
            int64_t index = 0;
            for (; f < from.len; index++) {
                size_t after = utf8_skip(from, f, 1);
                if (after - f == next - k && memcmp(from.data + f, s.data + k, next - k) == 0)
                    break;
                f = after;
            }
            if (f >= from.len) {
                memcpy(p + n, s.data + k, next - k);
                n += next - k;
            } else {
                size_t t = utf8_skip(to, 0, index), len = TSF_MIN(utf8_skip(to, t, 1) - t, (size_t)4);
                memcpy(p + n, to.data + t, len);
                n += len;
            }
            k = next;
        }
        fn_put(c, i, p, n);
    }
    return TSF_OK;
}

/* overlay(string, new, start [, count]) */
static enum tsf_err overlay(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i), x = fn_str(c, 1, i), a, b;
        int64_t start = fn_int(c, 2, i), count = c->n_args > 3 ? fn_int(c, 3, i) : utf8_length(x);
        char *p, small[16];
        if (start <= 0)
            return tsf_fail_sql(err, "22011", -1, "negative substring length not allowed");
        a = cut(s, 1, start - 1);
        b = cut(s, start + count, INT64_MAX);
        if (!(p = room(c, a.len + x.len + b.len, small, err)))
            return TSF_ERR_NOMEM;
        memcpy(p, a.data, a.len);
        memcpy(p + a.len, x.data, x.len);
        memcpy(p + a.len + x.len, b.data, b.len);
        fn_put(c, i, p, a.len + x.len + b.len);
    }
    return TSF_OK;
}

static enum tsf_err concat2(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        const struct tsf_sview *a = fn_view(c, 0, i), *b = fn_view(c, 1, i);
        size_t n = (size_t)a->len + b->len;
        char *p, small[16];
        if (n > STRING_MAX)
            return too_long(err);
        if (!(p = room(c, n, small, err)))
            return TSF_ERR_NOMEM;
        memcpy(p, tsf_sview_data(a), a->len);
        memcpy(p + a->len, tsf_sview_data(b), b->len);
        fn_put(c, i, p, n);
    }
    return TSF_OK;
}

static enum tsf_err append_text(struct query_call *c, int k, int64_t i, bool words, struct tsf_buf *b, struct tsf_error *err)
{
    struct tsf_value v;
    enum tsf_err rc;

    if (tsf_type_is_string(c->args[k].type) && c->args[k].type->id == TSF_TYPE_STRING) {
        struct tsf_str s = fn_str(c, k, i);
        return tsf_buf_append(b, s.data, s.len, err);
    }
    if ((rc = tsf_vector_get(&c->args[k], i, c->ev->arena, &v, err)) != TSF_OK)
        return rc;
    if (words && v.type->id == TSF_TYPE_BOOL)
        return tsf_buf_append_z(b, v.u.b ? "true" : "false", err);
    return tsf_value_text(&v, b, err);
}

/* text || anything, anything || text */
static enum tsf_err concat_any(struct query_call *c, struct tsf_error *err)
{
    struct tsf_buf b = TSF_BUF_INIT(STRING_MAX);
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        tsf_buf_reset(&b);
        if ((rc = append_text(c, 0, i, true, &b, err)) != TSF_OK || (rc = append_text(c, 1, i, true, &b, err)) != TSF_OK ||
            (rc = query_call_put_copy(c, i, (const char *)b.data, b.len, err)) != TSF_OK)
            break;
    }
    tsf_buf_release(&b);
    return rc;
}

/* concat(...) takes NULL for nothing; concat_ws(separator, ...) too, but not as separator. */
static enum tsf_err concat_list(struct query_call *c, bool separator, struct tsf_error *err)
{
    struct tsf_buf b = TSF_BUF_INIT(STRING_MAX);
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++) {
        bool any = false;
        tsf_buf_reset(&b);
        if (separator && !fn_present(c, 0, i)) {
            rc = query_call_null(c, i, err);
            continue;
        }
        for (int k = separator; rc == TSF_OK && k < c->n_args; k++) {
            if (!fn_present(c, k, i) || c->args[k].type->id == TSF_TYPE_NULL)
                continue;
            if (any && separator)
                rc = append_text(c, 0, i, false, &b, err);
            if (rc == TSF_OK)
                rc = append_text(c, k, i, false, &b, err);
            any = true;
        }
        if (rc == TSF_OK)
            rc = query_call_put_copy(c, i, (const char *)b.data, b.len, err);
    }
    tsf_buf_release(&b);
    return rc;
}

static enum tsf_err concat(struct query_call *c, struct tsf_error *err)
{
    return concat_list(c, false, err);
}

static enum tsf_err concat_ws(struct query_call *c, struct tsf_error *err)
{
    return concat_list(c, true, err);
}

static enum tsf_err ascii(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        size_t at = 0;
        FN_OUT(c, int32_t)[i] = s.len ? (int32_t)utf8_next(s, &at) : 0;
    }
    return TSF_OK;
}

static enum tsf_err chr(struct query_call *c, struct tsf_error *err)
{
    char p[4];

    FN_EACH(c, i) {
        int64_t x = fn_int(c, 0, i);
        if (x == 0)
            return tsf_fail_sql(err, "54000", -1, "null character not permitted");
        if (x < 0 || x > 0x10ffff || (x >= 0xd800 && x < 0xe000))
            return tsf_fail_sql(err, "54000", -1, "requested character not valid for encoding: %lld", (long long)x);
        fn_put(c, i, p, utf8_put((uint32_t)x, p));
    }
    return TSF_OK;
}

#define S QUERY_FN_STRICT
#define SS (QUERY_FN_STRICT | QUERY_FN_SAFE)
#define T STRING
#define FN1(NAME, RET, A, FL, F) { NAME, TSF_T(RET), NULL, 1, { TSF_T(A) }, FL, F }
#define FN2(NAME, RET, A, B, FL, F) { NAME, TSF_T(RET), NULL, 2, { TSF_T(A), TSF_T(B) }, FL, F }
#define FN3(NAME, RET, A, B, C, FL, F) { NAME, TSF_T(RET), NULL, 3, { TSF_T(A), TSF_T(B), TSF_T(C) }, FL, F }
const struct query_function query_fn_string[] = {
    FN1("length", INT32, STRING, SS, char_length), FN1("char_length", INT32, STRING, SS, char_length),
    FN1("character_length", INT32, STRING, SS, char_length), FN1("length", INT32, BINARY, SS, octet_length),
    FN1("octet_length", INT32, STRING, SS, octet_length), FN1("octet_length", INT32, BINARY, SS, octet_length),
    FN1("bit_length", INT32, STRING, SS, bit_length), FN1("bit_length", INT32, BINARY, SS, bit_length),
    FN1("lower", STRING, STRING, SS, lower), FN1("upper", STRING, STRING, SS, upper), FN1("initcap", STRING, STRING, SS, initcap),
    FN2("substring", STRING, STRING, INT32, S, substring), FN3("substring", STRING, STRING, INT32, INT32, S, substring),
    FN2("substr", STRING, STRING, INT32, S, substring), FN3("substr", STRING, STRING, INT32, INT32, S, substring),
    FN2("substring", BINARY, BINARY, INT32, S, bytea_substring), FN3("substring", BINARY, BINARY, INT32, INT32, S, bytea_substring),
    FN2("substr", BINARY, BINARY, INT32, S, bytea_substring), FN3("substr", BINARY, BINARY, INT32, INT32, S, bytea_substring),
    FN2("left", STRING, STRING, INT32, SS, left), FN2("right", STRING, STRING, INT32, SS, right),
    FN2("strpos", INT32, STRING, STRING, SS, strpos), FN2("position", INT32, STRING, STRING, SS, strpos),
    FN2("starts_with", BOOL, STRING, STRING, SS, starts_with), FN2("^@", BOOL, STRING, STRING, SS, starts_with),
    FN3("split_part", STRING, STRING, STRING, INT32, S, split_part),
    FN1("btrim", STRING, STRING, SS, btrim), FN2("btrim", STRING, STRING, STRING, SS, btrim),
    FN1("trim", STRING, STRING, SS, btrim), FN2("trim", STRING, STRING, STRING, SS, btrim),
    FN1("ltrim", STRING, STRING, SS, ltrim), FN2("ltrim", STRING, STRING, STRING, SS, ltrim),
    FN1("rtrim", STRING, STRING, SS, rtrim), FN2("rtrim", STRING, STRING, STRING, SS, rtrim),
    FN2("lpad", STRING, STRING, INT32, S, lpad), FN3("lpad", STRING, STRING, INT32, STRING, S, lpad),
    FN2("rpad", STRING, STRING, INT32, S, rpad), FN3("rpad", STRING, STRING, INT32, STRING, S, rpad),
    FN2("repeat", STRING, STRING, INT32, S, repeat), FN1("reverse", STRING, STRING, SS, reverse),
    FN3("replace", STRING, STRING, STRING, STRING, S, replace), FN3("translate", STRING, STRING, STRING, STRING, SS, translate),
    FN3("overlay", STRING, STRING, STRING, INT32, S, overlay),
    { "overlay", TSF_T(STRING), NULL, 4, { TSF_T(STRING), TSF_T(STRING), TSF_T(INT32), TSF_T(INT32) }, S, overlay },
    FN2("||", STRING, STRING, STRING, S, concat2), FN2("||", BINARY, BINARY, BINARY, S, concat2),
    { "||", TSF_T(STRING), NULL, 2, { TSF_T(STRING), NULL }, S, concat_any },
    { "||", TSF_T(STRING), NULL, 2, { NULL, TSF_T(STRING) }, S, concat_any },
    { "concat", TSF_T(STRING), NULL, 1, { NULL }, QUERY_FN_VARIADIC, concat },
    { "concat_ws", TSF_T(STRING), NULL, 2, { TSF_T(STRING), NULL }, QUERY_FN_VARIADIC, concat_ws },
    FN1("ascii", INT32, STRING, SS, ascii), FN1("chr", STRING, INT32, S, chr),
    { 0 },
};
