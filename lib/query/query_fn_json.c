/*
 * Operators on JSON text: -> ->> #> #>> and what goes with them.
 *
 * A scanner walks the text to the member that is asked for and takes the piece as it stands; nothing is built. Only
 * strings taken as text are unescaped, and only when they have escapes. Text that is not JSON gives NULL where the
 * scanner notices.
 */
#include "query/query_fn_internal.h"
#include "query/query_fn_utf8.h"

#include <ctype.h>

#define DEPTH_MAX 512

struct json {
    const char *p, *end;
};

static void blanks(struct json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r'))
        j->p++;
}

/* Past a string whose opening quote is at p. */
static bool string_skip(struct json *j)
{
    for (j->p++; j->p < j->end; j->p++) {
        if (*j->p == '"') {
            j->p++;
            return true;
        }
        if (*j->p == '\\')
            j->p++;
    }
    return false;
}

/* Past any value. Brackets are counted, strings skipped. */
static bool value_skip(struct json *j)
{
    int depth = 0;

    blanks(j);
    if (j->p == j->end)
        return false;
    if (*j->p == '"')
        return string_skip(j);
    if (*j->p != '{' && *j->p != '[') {
        const char *first = j->p;
        while (j->p < j->end && *j->p != ',' && *j->p != '}' && *j->p != ']' && !isspace((unsigned char)*j->p))
            j->p++;
        return j->p > first;
    }
    while (j->p < j->end) {
        char x = *j->p;
        if (x == '"') {
            if (!string_skip(j))
                return false;
            continue;
        }
        j->p++;
        if (x == '{' || x == '[')
            depth++;
        else if ((x == '}' || x == ']') && --depth == 0)
            return true;
    }
    return false;
}

static unsigned hex4(const char *p)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (d < 0)
            return 0x10000;
        v = v << 4 | (unsigned)d;
    }
    return v;
}

/* The characters of the string s (without its quotes); out has room for s.len bytes. */
static size_t unescape(struct tsf_str s, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        uint32_t u;
        if (s.data[i] != '\\' || i + 1 >= s.len) {
            out[n++] = s.data[i];
            continue;
        }
        switch (s.data[++i]) {
        case 'b': out[n++] = '\b'; break;
        case 'f': out[n++] = '\f'; break;
        case 'n': out[n++] = '\n'; break;
        case 'r': out[n++] = '\r'; break;
        case 't': out[n++] = '\t'; break;
        case 'u':
            if (i + 4 >= s.len || (u = hex4(s.data + i + 1)) > 0xffff)
                break;
            i += 4;
            if (u >= 0xd800 && u < 0xdc00 && i + 6 < s.len && s.data[i + 1] == '\\' && s.data[i + 2] == 'u') {
                uint32_t low = hex4(s.data + i + 3);
                if (low >= 0xdc00 && low < 0xe000) {
                    u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
                    i += 6;
                }
            }
            if (u >= 0xd800 && u < 0xe000)
                u = 0xfffd;
            n += utf8_put(u, out + n);
            break;
        default: out[n++] = s.data[i]; break;
        }
    }
    return n;
}

/* Does the string token (without quotes) spell key? */
static bool key_is(struct tsf_str token, struct tsf_str key)
{
    char small[256];

    if (token.len == key.len && memcmp(token.data, key.data, key.len) == 0)
        return !memchr(token.data, '\\', token.len);
    if (token.len <= key.len || token.len > sizeof small || !memchr(token.data, '\\', token.len))
        return false;
    return unescape(token, small) == key.len && memcmp(small, key.data, key.len) == 0;
}

/* The value of a member. Of several with the same key the last counts, as for jsonb; most objects have one. */
static bool member_find(struct tsf_str s, struct tsf_str key, struct tsf_str *out)
{
    struct json j = { s.data, s.data + s.len };
    bool found = false;

    blanks(&j);
    if (j.p == j.end || *j.p != '{')
        return false;
    for (j.p++;;) {
        const char *first;
        struct tsf_str token;
        blanks(&j);
        if (j.p == j.end || *j.p != '"')
            return found;
        first = j.p + 1;
        if (!string_skip(&j))
            return found;
        token = tsf_str_n(first, (size_t)(j.p - first - 1));
        blanks(&j);
        if (j.p == j.end || *j.p++ != ':')
            return found;
        blanks(&j);
        first = j.p;
        if (!value_skip(&j))
            return found;
        if (key_is(token, key)) {
            *out = tsf_str_n(first, (size_t)(j.p - first));
            found = true;
        }
        blanks(&j);
        if (j.p == j.end || *j.p++ != ',')
            return found;
    }
}

static int64_t array_count(struct tsf_str s)
{
    struct json j = { s.data, s.data + s.len };
    int64_t n = 0;

    blanks(&j);
    if (j.p == j.end || *j.p != '[')
        return -1;
    j.p++;
    blanks(&j);
    if (j.p < j.end && *j.p == ']')
        return 0;
    for (;;) {
        if (!value_skip(&j))
            return -1;
        n++;
        blanks(&j);
        if (j.p == j.end || *j.p++ != ',')
            return n;
    }
}

static bool element_find(struct tsf_str s, int64_t at, struct tsf_str *out)
{
    struct json j = { s.data, s.data + s.len };

    if (at < 0 && (at += array_count(s)) < 0)
        return false;
    blanks(&j);
    if (j.p == j.end || *j.p != '[')
        return false;
    for (j.p++;; at--) {
        const char *first;
        blanks(&j);
        first = j.p;
        if (j.p == j.end || *j.p == ']' || !value_skip(&j))
            return false;
        if (at == 0) {
            *out = tsf_str_n(first, (size_t)(j.p - first));
            return true;
        }
        blanks(&j);
        if (j.p == j.end || *j.p++ != ',')
            return false;
    }
}

/* A step of a path: member of an object, or element of an array when the key is a number. */
static bool step(struct tsf_str s, struct tsf_str key, struct tsf_str *out)
{
    struct json j = { s.data, s.data + s.len };
    int64_t at;

    blanks(&j);
    if (j.p < j.end && *j.p == '[')
        return tsf_int64_parse(key, &at) && element_find(s, at, out);
    return member_find(s, key, out);
}

/* Row i of the result: the piece as JSON, or as text (strings without quotes, null as NULL). */
static enum tsf_err piece_put(struct query_call *c, int64_t i, bool found, struct tsf_str s, bool text, struct tsf_error *err)
{
    char small[16], *p;

    if (!found || (text && tsf_str_eqz(s, "null")))
        return query_call_null(c, i, err);
    if (!text || s.len < 2 || s.data[0] != '"') {
        fn_put(c, i, s.data, s.len);
        return TSF_OK;
    }
    s = tsf_str_n(s.data + 1, s.len - 2);
    if (!memchr(s.data, '\\', s.len)) {
        fn_put(c, i, s.data, s.len);
        return TSF_OK;
    }
    if (!(p = s.len <= TSF_SVIEW_INLINE ? small : tsf_arena_alloc(c->ev->arena, s.len)))
        return tsf_fail_nomem(err);
    fn_put(c, i, p, unescape(s, p));
    return TSF_OK;
}

/*
 * Pieces of an inline view would point into the argument, which may be a temporary; they are short and so become inline
 * views themselves: tsf_sview_make copies them.
 */
static enum tsf_err get_rows(struct query_call *c, bool text, struct tsf_error *err)
{
    bool by_number = tsf_type_is_integer(c->args[1].type);
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i), r = { 0 };
        bool found = by_number ? element_find(s, fn_int(c, 1, i), &r) : member_find(s, fn_str(c, 1, i), &r);
        if ((rc = piece_put(c, i, found, r, text, err)) != TSF_OK)
            return rc;
    }
    return rc;
}

static enum tsf_err get(struct query_call *c, struct tsf_error *err)
{
    return get_rows(c, false, err);
}

static enum tsf_err get_text(struct query_call *c, struct tsf_error *err)
{
    return get_rows(c, true, err);
}

/* #> and #>> with a text[]. */
static enum tsf_err path_rows(struct query_call *c, bool text, struct tsf_error *err)
{
    const int32_t *offsets = c->args[1].values;
    const struct tsf_vector *keys = &c->args[1].children[0];
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        int64_t at = i * fn_step(&c->args[1]);
        bool found = true;
        while (s.len && isspace((unsigned char)s.data[0]))
            s.data++, s.len--;
        for (int32_t k = offsets[at]; found && k < offsets[at + 1]; k++) {
            const struct tsf_sview *v = (const struct tsf_sview *)tsf_vector_flat_values(keys) + tsf_vector_at(keys, k);
            found = tsf_vector_present(keys, k) && step(s, tsf_sview_str(v), &s);
        }
        if ((rc = piece_put(c, i, found, s, text, err)) != TSF_OK)
            return rc;
    }
    return rc;
}

static enum tsf_err path_get(struct query_call *c, struct tsf_error *err)
{
    return path_rows(c, false, err);
}

static enum tsf_err path_get_text(struct query_call *c, struct tsf_error *err)
{
    return path_rows(c, true, err);
}

/* jsonb_extract_path(json, 'a', 'b', ...) */
static enum tsf_err extract_rows(struct query_call *c, bool text, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        bool found = true;
        for (int k = 1; found && k < c->n_args; k++)
            found = step(s, fn_str(c, k, i), &s);
        if ((rc = piece_put(c, i, found, s, text, err)) != TSF_OK)
            return rc;
    }
    return rc;
}

static enum tsf_err extract_path(struct query_call *c, struct tsf_error *err)
{
    return extract_rows(c, false, err);
}

static enum tsf_err extract_path_text(struct query_call *c, struct tsf_error *err)
{
    return extract_rows(c, true, err);
}

static enum tsf_err type_name(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        struct json j = { s.data, s.data + s.len };
        const char *name;
        blanks(&j);
        switch (j.p < j.end ? *j.p : 0) {
        case '{': name = "object"; break;
        case '[': name = "array"; break;
        case '"': name = "string"; break;
        case 't':
        case 'f': name = "boolean"; break;
        case 'n': name = "null"; break;
        default: name = "number"; break;
        }
        fn_put(c, i, name, strlen(name));
    }
    return TSF_OK;
}

static enum tsf_err array_length(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        int64_t n = array_count(fn_str(c, 0, i));
        if (n < 0)
            return tsf_fail_sql(err, "22023", -1, "cannot get array length of a non-array");
        FN_OUT(c, int32_t)[i] = (int32_t)n;
    }
    return TSF_OK;
}

/* json ? key: a member's name, or a string in an array */
static enum tsf_err has_key(struct query_call *c, struct tsf_error *err)
{
    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i), key = fn_str(c, 1, i), r;
        bool found = member_find(s, key, &r);
        for (int64_t k = 0; !found && element_find(s, k, &r); k++)
            found = r.len >= 2 && *r.data == '"' && key_is(tsf_str_n(r.data + 1, r.len - 2), key);
        FN_OUT(c, uint8_t)[i] = found;
    }
    return TSF_OK;
}

/* ---- making JSON -------------------------------------------------------------------------------------------------- */

static enum tsf_err to_json(struct query_call *c, struct tsf_error *err)
{
    struct tsf_buf b = TSF_BUF_INIT(1 << 28);
    struct tsf_value v;
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        tsf_buf_reset(&b);
        if ((rc = tsf_vector_get(&c->args[0], i, c->ev->arena, &v, err)) != TSF_OK || (rc = tsf_value_json(&v, &b, err)) != TSF_OK ||
            (rc = query_call_put_copy(c, i, (const char *)b.data, b.len, err)) != TSF_OK)
            break;
    }
    tsf_buf_release(&b);
    return rc;
}

static enum tsf_err value_append(struct query_call *c, int k, int64_t i, struct tsf_buf *b, struct tsf_error *err)
{
    struct tsf_value v;
    enum tsf_err rc;

    if (c->args[k].type->id == TSF_TYPE_NULL || !fn_present(c, k, i))
        return tsf_buf_append_z(b, "null", err);
    if ((rc = tsf_vector_get(&c->args[k], i, c->ev->arena, &v, err)) != TSF_OK)
        return rc;
    return tsf_value_json(&v, b, err);
}

/* json_build_object(k, v, ...), json_build_array(...) */
static enum tsf_err build(struct query_call *c, struct tsf_error *err)
{
    bool object = strstr(c->expr->fn->name, "object") != NULL, binary = strncmp(c->expr->fn->name, "jsonb", 5) == 0;
    const char *colon = binary ? ": " : " : "; /* as PostgreSQL prints the two */
    struct tsf_buf b = TSF_BUF_INIT(1 << 28);
    enum tsf_err rc = TSF_OK;

    if (object && c->n_args % 2)
        return tsf_fail_sql(err, "22023", -1, "argument list must have even number of elements");
    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++) {
        tsf_buf_reset(&b);
        rc = tsf_buf_append_u8(&b, object ? '{' : '[', err);
        for (int k = 0; rc == TSF_OK && k < c->n_args; k++) {
            if (k)
                rc = tsf_buf_append_z(&b, object && k % 2 ? colon : ", ", err);
            if (rc == TSF_OK && object && k % 2 == 0) {
                struct tsf_value v;
                struct tsf_buf key = TSF_BUF_INIT(1 << 28);
                if (c->args[k].type->id == TSF_TYPE_NULL || !fn_present(c, k, i))
                    return tsf_buf_release(&b), tsf_fail_sql(err, "22023", -1, "argument %d: key must not be null", k + 1);
                if ((rc = tsf_vector_get(&c->args[k], i, c->ev->arena, &v, err)) == TSF_OK && (rc = tsf_value_text(&v, &key, err)) == TSF_OK)
                    rc = tsf_buf_append_json(&b, tsf_buf_str(&key), err);
                tsf_buf_release(&key);
            } else if (rc == TSF_OK) {
                rc = value_append(c, k, i, &b, err);
            }
        }
        if (rc == TSF_OK && (rc = tsf_buf_append_u8(&b, object ? '}' : ']', err)) == TSF_OK)
            rc = query_call_put_copy(c, i, (const char *)b.data, b.len, err);
    }
    tsf_buf_release(&b);
    return rc;
}

static const struct tsf_field text_element = { .name = "element", .type = TSF_T(STRING), .nullable = true, .field_id = -1 };
static const struct tsf_type text_list = { .id = TSF_TYPE_LIST, .n_children = 1, .children = &text_element };

#define S QUERY_FN_STRICT
#define SS (QUERY_FN_STRICT | QUERY_FN_SAFE)
#define JS &tsf_type_json
#define TXT TSF_T(STRING)
#define PAIR(NAME, RET, ARGS_N, ARG2, FL, F)                                                                           \
    { NAME, RET, NULL, ARGS_N, { JS, ARG2 }, FL, F }, { NAME, RET, NULL, ARGS_N, { TXT, ARG2 }, FL, F }
const struct query_function query_fn_json[] = {
    PAIR("->", JS, 2, TXT, SS, get), PAIR("->", JS, 2, TSF_T(INT32), SS, get), PAIR("->>", TXT, 2, TXT, SS, get_text),
    PAIR("->>", TXT, 2, TSF_T(INT32), SS, get_text), PAIR("#>", JS, 2, &text_list, SS, path_get), PAIR("#>>", TXT, 2, &text_list, SS, path_get_text),
    { "?", TSF_T(BOOL), NULL, 2, { JS, TXT }, SS, has_key },
    { "json_extract_path", JS, NULL, 2, { JS, TXT }, SS | QUERY_FN_VARIADIC, extract_path },
    { "jsonb_extract_path", JS, NULL, 2, { JS, TXT }, SS | QUERY_FN_VARIADIC, extract_path },
    { "json_extract_path_text", TXT, NULL, 2, { JS, TXT }, SS | QUERY_FN_VARIADIC, extract_path_text },
    { "jsonb_extract_path_text", TXT, NULL, 2, { JS, TXT }, SS | QUERY_FN_VARIADIC, extract_path_text },
    { "json_typeof", TXT, NULL, 1, { JS }, SS, type_name }, { "jsonb_typeof", TXT, NULL, 1, { JS }, SS, type_name },
    { "json_array_length", TSF_T(INT32), NULL, 1, { JS }, S, array_length }, { "jsonb_array_length", TSF_T(INT32), NULL, 1, { JS }, S, array_length },
    { "to_json", JS, NULL, 1, { NULL }, S, to_json }, { "to_jsonb", JS, NULL, 1, { NULL }, S, to_json },
    { "json_build_object", JS, NULL, 1, { NULL }, QUERY_FN_VARIADIC, build }, { "jsonb_build_object", JS, NULL, 1, { NULL }, QUERY_FN_VARIADIC, build },
    { "json_build_array", JS, NULL, 1, { NULL }, QUERY_FN_VARIADIC, build }, { "jsonb_build_array", JS, NULL, 1, { NULL }, QUERY_FN_VARIADIC, build },
    { 0 },
};
