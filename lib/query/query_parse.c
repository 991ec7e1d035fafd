/*
 * Text to libpg_query's tree.
 *
 * The grammar's tree comes as Protocol Buffers bytes, whose packing and unpacking recurse over it (and pack takes time
 * square to the depth), so a cheap scan of the tokens bounds the depth first. The same scan finds :name parameters, which
 * the grammar does not know, and writes them as $n, padded to the same length where they fit, so that positions in
 * messages stay those of the user's text.
 */
#include <ctype.h>
#include <pg_query.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "query/query_bind.h"

#define NEST_MAX 512 /* open brackets */

struct scan {
    const struct query_options *opts;
    const char *p, *sql;
    struct tsf_buf *out;
    struct query_shift *shifts;
    size_t n_shifts, cap_shifts;
    struct tsf_arena *a;
    struct tsf_error *err;
    /*
     * Depth of the tree at this point is at most the sum over open brackets of chain + held. chain: operators since the last
     * separator (they nest to the left or right); held: what separators do not end (CASE, set operations, joins).
     */
    int nest;
    int chain[NEST_MAX], held[NEST_MAX];
    int depth; /* the sum */
    bool ended; /* behind a semicolon outside of brackets */
    enum tsf_err rc;
};

static bool word_start(unsigned char c) { return isalpha(c) || c == '_' || c >= 0x80; }
static bool word_char(unsigned char c) { return isalnum(c) || c == '_' || c == '$' || c >= 0x80; }

static void emit(struct scan *s, const char *from, const char *to)
{
    if (s->rc == TSF_OK && s->out && to > from)
        s->rc = tsf_buf_append(s->out, from, (size_t)(to - from), s->err);
}

static void too_deep(struct scan *s)
{
    if (s->rc == TSF_OK)
        s->rc = tsf_fail_sql(s->err, "54001", s->p - s->sql, "the statement is nested too deeply");
}

static void deeper(struct scan *s, int *count)
{
    (*count)++;
    if (++s->depth > QUERY_DEPTH_MAX)
        too_deep(s);
}

static void chain_end(struct scan *s)
{
    s->depth -= s->chain[s->nest];
    s->chain[s->nest] = 0;
}

static void bracket_open(struct scan *s)
{
    if (s->nest + 1 >= NEST_MAX) {
        too_deep(s);
        return;
    }
    s->nest++;
    s->chain[s->nest] = s->held[s->nest] = 0;
    deeper(s, &s->held[s->nest]);
}

static void bracket_close(struct scan *s)
{
    if (s->nest == 0)
        return; /* a syntax error, which the grammar words better */
    s->depth -= s->chain[s->nest] + s->held[s->nest];
    s->nest--;
}

/* After the opening quote of 'x', "x" or E'x'; an E string goes on behind a line break. */
static const char *quoted_end(const char *p, char quote, bool escapes)
{
    for (;;) {
        while (*p && *p != quote)
            p += escapes && *p == '\\' && p[1] ? 2 : 1;
        if (!*p)
            return p;
        p++;
        if (*p == quote) {
            p++;
            continue;
        }
        if (quote != '\'' || !escapes)
            return p;
        const char *q = p;
        bool newline = false;
        while (isspace((unsigned char)*q) || (q[0] == '-' && q[1] == '-')) {
            if (*q == '-') {
                while (*q && *q != '\n')
                    q++;
                continue;
            }
            newline |= *q == '\n' || *q == '\r';
            q++;
        }
        if (!newline || *q != quote)
            return p;
        p = q + 1;
    }
}

static const char *comment_end(const char *p) /* behind the opening; comments nest */
{
    for (int level = 1; *p && level; ) {
        if (p[0] == '*' && p[1] == '/')
            level--, p += 2;
        else if (p[0] == '/' && p[1] == '*')
            level++, p += 2;
        else
            p++;
    }
    return p;
}

/* p at '$': the end of $tag$...$tag$, or NULL when it is no such quote. */
static const char *dollar_end(const char *p)
{
    const char *q = p + 1;
    if (word_start((unsigned char)*q))
        while (word_char((unsigned char)*q) && *q != '$')
            q++;
    if (*q != '$')
        return NULL;
    size_t n = (size_t)(q + 1 - p);
    for (q++; *q; q++)
        if (*q == '$' && strncmp(q, p, n) == 0)
            return q + n;
    return q;
}

static bool word_is(const char *p, size_t n, const char *z) { return strlen(z) == n && strncasecmp(p, z, n) == 0; }

static void word(struct scan *s, const char *p, size_t n)
{
    static const char *const nests[] = { "not", "is", "isnull", "notnull", "collate", "at", "like", "ilike", "similar", "operator" };
    static const char *const holds[] = { "case", "union", "intersect", "except", "join" };
    static const char *const ends[] = { "and", "or", "select", "from", "where", "group", "having", "order", "when", "then", "else", "limit" };
    for (size_t i = 0; i < TSF_ARRAY_LEN(nests); i++)
        if (word_is(p, n, nests[i])) {
            deeper(s, &s->chain[s->nest]);
            return;
        }
    for (size_t i = 0; i < TSF_ARRAY_LEN(holds); i++)
        if (word_is(p, n, holds[i])) {
            deeper(s, &s->held[s->nest]);
            return;
        }
    for (size_t i = 0; i < TSF_ARRAY_LEN(ends); i++)
        if (word_is(p, n, ends[i])) {
            chain_end(s);
            return;
        }
    if (word_is(p, n, "end") && s->held[s->nest] > (s->nest > 0))
        s->held[s->nest]--, s->depth--;
}

/* :name -> $n. False when no parameter has that name. */
static bool named_parameter(struct scan *s)
{
    const char *name = s->p + 1, *end = name;
    while (word_char((unsigned char)*end))
        end++;
    size_t n = (size_t)(end - name);
    for (int i = 0; i < s->opts->n_params; i++) {
        const char *have = s->opts->param_names ? s->opts->param_names[i] : NULL;
        if (!have || strlen(have) != n || memcmp(have, name, n) != 0)
            continue;
        char text[16];
        size_t len = (size_t)snprintf(text, sizeof text, "$%d", i + 1);
        if (s->rc == TSF_OK)
            s->rc = tsf_buf_append(s->out, text, len, s->err);
        for (; len < n + 1; len++)
            emit(s, " ", &" "[1]);
        if (len > n + 1) {
            void *grown = s->shifts;
            if (!tsf_arena_grow(s->a, &grown, &s->cap_shifts, s->n_shifts + 1, sizeof *s->shifts)) {
                s->rc = tsf_fail_nomem(s->err);
                return true;
            }
            s->shifts = grown;
            int64_t before = s->n_shifts ? s->shifts[s->n_shifts - 1].by : 0;
            s->shifts[s->n_shifts++] = (struct query_shift){ (int64_t)s->out->len, before + (int64_t)(len - n - 1) };
        }
        s->p = end;
        return true;
    }
    return false;
}

static void scan_token(struct scan *s)
{
    static const char operators[] = "+-*/<>=~!@#%^&|`?";
    const char *from = s->p, *p = s->p;
    unsigned char c = (unsigned char)*p;
    if (c == '-' && p[1] == '-') {
        while (*p && *p != '\n')
            p++;
    } else if (c == '/' && p[1] == '*') {
        p = comment_end(p + 2);
    } else if (c == '\'' || c == '"') {
        p = quoted_end(p + 1, (char)c, false);
    } else if (c == '$' && dollar_end(p)) {
        p = dollar_end(p);
    } else if ((c == 'e' || c == 'E') && p[1] == '\'') {
        p = quoted_end(p + 2, '\'', true);
    } else if (word_start(c)) {
        while (word_char((unsigned char)*p))
            p++;
        word(s, from, (size_t)(p - from));
    } else if (isdigit(c)) {
        while (isalnum((unsigned char)*p) || *p == '.' || *p == '_')
            p++;
    } else if (c == ':' && p[1] == ':') {
        p += 2;
        deeper(s, &s->chain[s->nest]);
    } else if (c == ':' && word_start((unsigned char)p[1]) && named_parameter(s)) {
        return;
    } else if (strchr(operators, c)) {
        /* Signs may follow one another without blanks and still be tokens of their own; a comment may begin behind one. */
        p++;
        deeper(s, &s->chain[s->nest]);
    } else {
        p++;
        if (c == '(' || c == '[')
            bracket_open(s);
        else if (c == ')' || c == ']')
            bracket_close(s);
        else if (c == ',')
            chain_end(s);
        else if (c == ';')
            chain_end(s), s->depth -= s->held[s->nest], s->held[s->nest] = 0, s->ended = s->nest == 0;
    }
    emit(s, from, p);
    s->p = p;
}

static enum tsf_err prepare(const struct query_options *opts, const char *sql, struct tsf_buf *out, struct tsf_arena *a,
                            struct query_parsed *parsed, struct tsf_error *err)
{
    struct scan *s = tsf_arena_calloc(a, 1, sizeof *s);
    if (!s)
        return tsf_fail_nomem(err);
    s->opts = opts, s->p = s->sql = sql, s->out = out, s->a = a, s->err = err;
    while (s->rc == TSF_OK && *s->p)
        scan_token(s);
    parsed->shifts = s->shifts;
    parsed->n_shifts = (int)s->n_shifts;
    return s->rc;
}

size_t query_statement_length(const char *sql)
{
    static const struct query_options none;
    struct scan s = { .opts = &none, .p = sql, .sql = sql };
    while (s.rc == TSF_OK && *s.p && !s.ended)
        scan_token(&s);
    return s.rc == TSF_OK ? (size_t)(s.p - sql) : strlen(sql);
}

int64_t query_parsed_offset(const struct query_parsed *p, int64_t at)
{
    int64_t by = 0;
    for (int i = 0; i < p->n_shifts && p->shifts[i].at <= at; i++)
        by = p->shifts[i].by;
    return at - by;
}

static void *arena_alloc(void *ctx, size_t n) { return tsf_arena_alloc(ctx, n); }
static void arena_free(void *ctx, void *p) { (void)ctx, (void)p; }

static int64_t byte_of_char(const char *text, int64_t n) /* n characters in */
{
    const char *p = text;
    for (; *p && n > 0; n--)
        for (p++; ((unsigned char)*p & 0xC0) == 0x80; p++)
            ;
    return p - text;
}

int64_t query_utf8_bad(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p) {
        size_t more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
        /* Lead bytes that could only begin overlong forms, surrogates and what is past U+10FFFF. */
        bool bad = more && (*p < 0xc2 || *p > 0xf4 || (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
                            (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f));
        for (size_t i = 1; !bad && i <= more; i++) /* the NUL at the end is no continuation either */
            bad = (p[i] & 0xc0) != 0x80;
        if (bad)
            return (const char *)p - text;
        p += more + 1;
    }
    return -1;
}

enum tsf_err query_parse(const struct query_options *opts, const char *sql, struct tsf_arena *a, struct query_parsed *out,
                         struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(4 * QUERY_TEXT_MAX);
    struct query_parsed parsed = { 0 };
    PgQueryProtobufParseResult r = { { 0, NULL }, NULL, NULL };
    enum tsf_err rc;
    if (strlen(sql) > QUERY_TEXT_MAX)
        return tsf_fail_sql(err, "54000", -1, "the SQL text is longer than %d bytes", QUERY_TEXT_MAX);
    int64_t bad = query_utf8_bad(sql);
    if (bad >= 0)
        return tsf_fail_sql(err, "22021", -1, "invalid byte sequence for encoding \"UTF8\": 0x%02x, byte %lld of the text",
                            (unsigned)(unsigned char)sql[bad], (long long)bad);
    if ((rc = prepare(opts, sql, &text, a, &parsed, err)) != TSF_OK)
        goto done;
    parsed.text = tsf_arena_strndup(a, (const char *)text.data, text.len);
    if (!parsed.text) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    r = pg_query_parse_protobuf(parsed.text);
    if (r.error) {
        int64_t at = r.error->cursorpos > 0 ? query_parsed_offset(&parsed, byte_of_char(parsed.text, r.error->cursorpos - 1)) : -1;
        bool utf8 = strstr(r.error->message, "invalid byte sequence") != NULL;
        rc = tsf_fail_sql(err, utf8 ? "22021" : "42601", at, "%s", r.error->message);
        goto done;
    }
    ProtobufCAllocator allocator = { arena_alloc, arena_free, a };
    parsed.tree = pg_query__parse_result__unpack(&allocator, r.parse_tree.len, (const uint8_t *)r.parse_tree.data);
    if (!parsed.tree) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    *out = parsed;
done:
    pg_query_free_protobuf_parse_result(r);
    tsf_buf_release(&text);
    return rc;
}
