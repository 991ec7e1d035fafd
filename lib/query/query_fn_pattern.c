/*
 * Regular expressions through PCRE2, in JIT code where many rows are to be matched. PostgreSQL's advanced regular
 * expressions and Perl's agree on all but corner cases. Matching has a limit, so that no pattern takes for ever.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "query/query_fn_internal.h"
#include "query/query_fn_pattern.h"
#include "query/query_fn_utf8.h"

#include <pcre2.h>
#include <stdlib.h>

#define MATCH_LIMIT 1000000
#define GROUPS_MAX 100

struct regex {
    struct tsf_buf source, flags;
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    bool literal;        /* no metacharacters: a search for bytes */
    bool global;         /* flag g */
    bool fold;
    int64_t rows;        /* matched so far; enough of them pay for the JIT */
    bool jit;
};

static void regex_clear(struct regex *r)
{
    pcre2_match_data_free(r->data);
    pcre2_code_free(r->code);
    r->data = NULL;
    r->code = NULL;
    r->rows = 0;
    r->jit = false;
}

static void regex_free(void *p)
{
    struct regex *r = p;
    regex_clear(r);
    pcre2_match_context_free(r->context);
    tsf_buf_release(&r->source);
    tsf_buf_release(&r->flags);
    free(r);
}

static bool is_literal(struct tsf_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (strchr("\\^$.|?*+()[]{}", s.data[i]) || !s.data[i])
            return false;
    return s.len > 0;
}

static enum tsf_err flags_parse(struct tsf_str flags, bool fold, uint32_t *options, bool *global, struct tsf_error *err)
{
    *options = PCRE2_MATCH_INVALID_UTF | PCRE2_UTF | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | (fold ? PCRE2_CASELESS : 0);
    *global = false;
    for (size_t i = 0; i < flags.len; i++)
        switch (flags.data[i]) {
        case 'g': *global = true; break;
        case 'i': *options |= PCRE2_CASELESS; break;
        case 'c': *options &= ~(uint32_t)PCRE2_CASELESS; break;
        case 'n':
        case 'm':
            *options &= ~(uint32_t)(PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY);
            *options |= PCRE2_MULTILINE;
            break;
        case 'p': *options &= ~(uint32_t)PCRE2_DOTALL; break;
        case 'w': *options |= PCRE2_MULTILINE; break;
        case 's': *options |= PCRE2_DOTALL; break;
        case 'x': *options |= PCRE2_EXTENDED; break;
        case 'q': *options |= PCRE2_LITERAL; break;
        case 't': break;
        default:
            return tsf_fail_sql(err, "22023", -1, "invalid regular expression option: \"%c\"", flags.data[i]);
        }
    if (*options & PCRE2_LITERAL)
        *options &= (uint32_t)(PCRE2_LITERAL | PCRE2_CASELESS | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF);
    return TSF_OK;
}

static enum tsf_err regex_compile(struct regex *r, struct tsf_str pattern, struct tsf_str flags, struct tsf_error *err)
{
    uint32_t options;
    int code;
    PCRE2_SIZE at;
    unsigned char text[200];
    enum tsf_err rc;

    regex_clear(r);
    tsf_buf_reset(&r->source);
    tsf_buf_reset(&r->flags);
    if ((rc = tsf_buf_append(&r->source, pattern.data, pattern.len, err)) != TSF_OK ||
        (rc = tsf_buf_append(&r->flags, flags.data, flags.len, err)) != TSF_OK ||
        (rc = flags_parse(flags, r->fold, &options, &r->global, err)) != TSF_OK)
        return rc;
    r->literal = is_literal(pattern) && flags.len == 0 && !r->fold;
    if (pattern.len > 65536)
        return tsf_fail_sql(err, "2201B", -1, "invalid regular expression: too long");
    r->code = pcre2_compile((PCRE2_SPTR)(pattern.data ? pattern.data : ""), pattern.len, options, &code, &at, NULL);
    if (!r->code) {
        pcre2_get_error_message(code, text, sizeof text);
        return tsf_fail_sql(err, "2201B", -1, "invalid regular expression: %s", (char *)text);
    }
    if (!r->context && (r->context = pcre2_match_context_create(NULL)))
        pcre2_set_match_limit(r->context, MATCH_LIMIT);
    r->data = pcre2_match_data_create(GROUPS_MAX, NULL);
    return r->context && r->data ? TSF_OK : tsf_fail_nomem(err);
}

/* Pattern in argument k, flags in argument f (-1 = none), for row i. */
static enum tsf_err regex_get(struct query_call *c, int k, int f, bool fold, int64_t i, struct regex **out, struct tsf_error *err)
{
    struct query_slot *slot = query_slot_get(c->ev, c->expr->id, err);
    struct tsf_str pattern = fn_str(c, k, i), flags = f >= 0 ? fn_str(c, f, i) : TSF_STR("");
    struct regex *r;

    if (!slot)
        return TSF_ERR_NOMEM;
    if (!(r = slot->state)) {
        if (!(r = calloc(1, sizeof *r)))
            return tsf_fail_nomem(err);
        r->fold = fold;
        slot->state = r;
        slot->state_free = regex_free;
    }
    *out = r;
    if (r->code && tsf_str_eq(pattern, tsf_buf_str(&r->source)) && tsf_str_eq(flags, tsf_buf_str(&r->flags)))
        return TSF_OK;
    return regex_compile(r, pattern, flags, err);
}

/* *n_out groups (0 = no match); offsets in pcre2_get_ovector_pointer(r->data). */
static enum tsf_err regex_match(struct regex *r, struct tsf_str s, size_t from, uint32_t options, int *n_out, struct tsf_error *err)
{
    int n;

    if (!r->jit && ++r->rows == 2000) {
        (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* where it cannot, the interpreter goes on */
        r->jit = true;
    }
    n = pcre2_match(r->code, (PCRE2_SPTR)(s.data ? s.data : ""), s.len, from, options, r->data, r->context);
    if (n == PCRE2_ERROR_NOMATCH)
        n = 0;
    if (n < 0)
        return tsf_fail_sql(err, "2201B", -1, "regular expression failed: %s",
                            n == PCRE2_ERROR_MATCHLIMIT || n == PCRE2_ERROR_JIT_STACKLIMIT || n == PCRE2_ERROR_HEAPLIMIT
                                ? "match limit exceeded" : "internal error of the matcher");
    *n_out = n;
    return TSF_OK;
}

static enum tsf_err match_rows(struct query_call *c, int f, bool fold, struct tsf_error *err)
{
    struct regex *r = NULL;
    int n;
    enum tsf_err rc;

    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        if ((!r || c->args[1].shape != TSF_CONSTANT || (f >= 0 && c->args[f].shape != TSF_CONSTANT)) &&
            (rc = regex_get(c, 1, f, fold, i, &r, err)) != TSF_OK)
            return rc;
        if (r->literal) {
            FN_OUT(c, uint8_t)[i] = query_kernels()->contains(s.data, s.len, (const char *)r->source.data, r->source.len);
            continue;
        }
        if ((rc = regex_match(r, s, 0, 0, &n, err)) != TSF_OK)
            return rc;
        FN_OUT(c, uint8_t)[i] = n > 0;
    }
    return TSF_OK;
}

static enum tsf_err match(struct query_call *c, struct tsf_error *err)
{
    return match_rows(c, -1, false, err);
}

static enum tsf_err match_fold(struct query_call *c, struct tsf_error *err)
{
    return match_rows(c, -1, true, err);
}

static enum tsf_err regexp_like(struct query_call *c, struct tsf_error *err)
{
    return match_rows(c, c->n_args > 2 ? 2 : -1, false, err);
}

/* ---- pieces --------------------------------------------------------------------------------------------------- */

/* \1..\9, \& and \\ of a replacement. */
static enum tsf_err replacement_append(struct tsf_str to, struct tsf_str s, const PCRE2_SIZE *ov, int n, struct tsf_buf *out,
                                       struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (size_t i = 0; rc == TSF_OK && i < to.len; i++) {
        int g = -1;
        if (to.data[i] != '\\' || i + 1 == to.len) {
            rc = tsf_buf_append_u8(out, (uint8_t)to.data[i], err);
            continue;
        }
        i++;
        if (to.data[i] >= '1' && to.data[i] <= '9')
            g = to.data[i] - '0';
        else if (to.data[i] == '&')
            g = 0;
        else if (to.data[i] == '\\')
            rc = tsf_buf_append_u8(out, '\\', err);
        else if ((rc = tsf_buf_append_u8(out, '\\', err)) == TSF_OK)
            rc = tsf_buf_append_u8(out, (uint8_t)to.data[i], err);
        if (g >= 0 && g < n && ov[2 * g] != PCRE2_UNSET)
            rc = tsf_buf_append(out, s.data + ov[2 * g], ov[2 * g + 1] - ov[2 * g], err);
    }
    return rc;
}

/* After an empty match: the position to go on from, one character later. */
static size_t after_match(struct tsf_str s, const PCRE2_SIZE *ov)
{
    return ov[1] > ov[0] ? ov[1] : ov[1] < s.len ? utf8_skip(s, ov[1], 1) : s.len + 1;
}

static enum tsf_err replace_row(struct regex *r, struct tsf_str s, struct tsf_str to, struct tsf_buf *out, struct tsf_error *err)
{
    size_t from = 0, copied = 0;
    enum tsf_err rc;

    tsf_buf_reset(out);
    while (from <= s.len) {
        const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(r->data);
        int n;
        if ((rc = regex_match(r, s, from, 0, &n, err)) != TSF_OK)
            return rc;
        if (n == 0)
            break;
        if ((rc = tsf_buf_append(out, s.data + copied, ov[0] - copied, err)) != TSF_OK ||
            (rc = replacement_append(to, s, ov, n, out, err)) != TSF_OK)
            return rc;
        copied = ov[1];
        from = after_match(s, ov);
        if (!r->global)
            break;
    }
    return tsf_buf_append(out, s.data + copied, s.len - copied, err);
}

static enum tsf_err regexp_replace(struct query_call *c, struct tsf_error *err)
{
    struct tsf_buf out = TSF_BUF_INIT(1 << 28);
    struct regex *r;
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        if ((rc = regex_get(c, 1, c->n_args > 3 ? 3 : -1, false, i, &r, err)) != TSF_OK ||
            (rc = replace_row(r, fn_str(c, 0, i), fn_str(c, 2, i), &out, err)) != TSF_OK ||
            (rc = query_call_put_copy(c, i, (const char *)out.data, out.len, err)) != TSF_OK)
            break;
    }
    tsf_buf_release(&out);
    return rc;
}

static enum tsf_err regexp_count(struct query_call *c, struct tsf_error *err)
{
    struct regex *r;
    enum tsf_err rc;

    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        size_t from = 0;
        int n, hits = 0;
        if ((rc = regex_get(c, 1, -1, false, i, &r, err)) != TSF_OK)
            return rc;
        while (from <= s.len) {
            if ((rc = regex_match(r, s, from, 0, &n, err)) != TSF_OK)
                return rc;
            if (n == 0)
                break;
            hits++;
            from = after_match(s, pcre2_get_ovector_pointer(r->data));
        }
        FN_OUT(c, int32_t)[i] = hits;
    }
    return TSF_OK;
}

/* substring(text from pattern): the first group, or all of the match when there is none. */
static enum tsf_err regexp_substring(struct query_call *c, struct tsf_error *err)
{
    struct regex *r;
    uint32_t groups = 0;
    int n;
    enum tsf_err rc;

    FN_EACH(c, i) {
        struct tsf_str s = fn_str(c, 0, i);
        const PCRE2_SIZE *ov;
        if ((rc = regex_get(c, 1, -1, false, i, &r, err)) != TSF_OK || (rc = regex_match(r, s, 0, 0, &n, err)) != TSF_OK)
            return rc;
        ov = pcre2_get_ovector_pointer(r->data);
        pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &groups);
        if (groups && strcmp(c->expr->fn->name, "substring") == 0)
            ov += 2;
        if (n == 0 || (ov[0] == PCRE2_UNSET) || (groups && n < 2 && strcmp(c->expr->fn->name, "substring") == 0)) {
            if ((rc = query_call_null(c, i, err)) != TSF_OK)
                return rc;
            continue;
        }
        fn_put(c, i, s.data + ov[0], ov[1] - ov[0]);
    }
    return TSF_OK;
}

/* ---- results that are arrays -------------------------------------------------------------------------------------- */

static const struct tsf_type *text_array(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return tsf_type_list(a, TSF_T(STRING), true);
}

/* Move what a builder of lists holds into the result. */
static enum tsf_err lists_put(struct query_call *c, struct tsf_builder *b, struct tsf_error *err)
{
    struct tsf_vector all, own;
    enum tsf_err rc;

    if ((rc = tsf_builder_vector(b, c->ev->arena, &all, err)) != TSF_OK || (rc = tsf_vector_copy(&all, c->ev->arena, &own, err)) != TSF_OK)
        return rc;
    memcpy(c->values_out, own.values, 4 * (size_t)(c->n + 1));
    c->out->children = own.children;
    return TSF_OK;
}

static enum tsf_err groups_append(const struct regex *r, struct tsf_str s, int n, struct tsf_builder *b, struct tsf_error *err)
{
    const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(r->data);
    uint32_t groups = 0;
    enum tsf_err rc;

    pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    for (uint32_t g = groups ? 1 : 0; g <= groups; g++) {
        bool set = (int)g < n && ov[2 * g] != PCRE2_UNSET;
        rc = set ? tsf_builder_str(&b->children[0], s.data + ov[2 * g], ov[2 * g + 1] - ov[2 * g], err)
                 : tsf_builder_null(&b->children[0], err);
        if (rc != TSF_OK)
            return rc;
    }
    return tsf_builder_list_end(b, err);
}

static enum tsf_err regexp_match(struct query_call *c, struct tsf_error *err)
{
    struct tsf_builder b = { 0 };
    struct regex *r;
    int n;
    enum tsf_err rc = tsf_builder_init(&b, c->expr->type, err);

    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++) {
        if (!fn_valid(c, i)) {
            rc = tsf_builder_null(&b, err);
            continue;
        }
        if ((rc = regex_get(c, 1, c->n_args > 2 ? 2 : -1, false, i, &r, err)) != TSF_OK ||
            (rc = regex_match(r, fn_str(c, 0, i), 0, 0, &n, err)) != TSF_OK)
            break;
        if (n > 0)
            rc = groups_append(r, fn_str(c, 0, i), n, &b, err);
        else if ((rc = query_call_null(c, i, err)) == TSF_OK)
            rc = tsf_builder_null(&b, err);
    }
    if (rc == TSF_OK)
        rc = lists_put(c, &b, err);
    tsf_builder_release(&b);
    return rc;
}

static enum tsf_err split_row(struct regex *r, struct tsf_str s, struct tsf_builder *b, struct tsf_error *err)
{
    size_t from = 0, copied = 0;
    enum tsf_err rc;

    while (from <= s.len) {
        const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(r->data);
        int n;
        if ((rc = regex_match(r, s, from, 0, &n, err)) != TSF_OK)
            return rc;
        if (n == 0)
            break;
        from = after_match(s, ov);
        if (ov[1] == ov[0] && (ov[0] == copied || ov[0] == s.len)) /* an empty match beside a cut cuts nothing */
            continue;
        if ((rc = tsf_builder_str(&b->children[0], s.data + copied, ov[0] - copied, err)) != TSF_OK)
            return rc;
        copied = ov[1];
    }
    if ((rc = tsf_builder_str(&b->children[0], s.data + copied, s.len - copied, err)) != TSF_OK)
        return rc;
    return tsf_builder_list_end(b, err);
}

static enum tsf_err regexp_split(struct query_call *c, struct tsf_error *err)
{
    struct tsf_builder b = { 0 };
    struct regex *r;
    enum tsf_err rc = tsf_builder_init(&b, c->expr->type, err);

    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++) {
        if (!fn_valid(c, i))
            rc = tsf_builder_null(&b, err);
        else if ((rc = regex_get(c, 1, c->n_args > 2 ? 2 : -1, false, i, &r, err)) == TSF_OK)
            rc = split_row(r, fn_str(c, 0, i), &b, err);
    }
    if (rc == TSF_OK)
        rc = lists_put(c, &b, err);
    tsf_builder_release(&b);
    return rc;
}

/* SIMILAR TO as a regular expression that holds the whole text. */
static enum tsf_err similar_escape(struct query_call *c, struct tsf_error *err)
{
    struct tsf_buf b = TSF_BUF_INIT(1 << 20);
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        struct tsf_str p = fn_str(c, 0, i), e = c->n_args > 1 ? fn_str(c, 1, i) : TSF_STR("\\");
        bool set = false;
        tsf_buf_reset(&b);
        rc = tsf_buf_append_z(&b, "^(?:", err);
        for (size_t k = 0; rc == TSF_OK && k < p.len; k++) {
            char x = p.data[k];
            if (e.len && x == e.data[0] && k + 1 < p.len) {
                if ((rc = tsf_buf_append_u8(&b, '\\', err)) == TSF_OK)
                    rc = tsf_buf_append_u8(&b, (uint8_t)p.data[++k], err);
                continue;
            }
            set = x == '[' ? true : x == ']' ? false : set;
            if (x == '%' && !set)
                rc = tsf_buf_append_z(&b, ".*", err);
            else if (x == '_' && !set)
                rc = tsf_buf_append_u8(&b, '.', err);
            else if (strchr(".^$\\", x) && !set && x)
                rc = tsf_buf_printf(&b, err, "\\%c", x);
            else
                rc = tsf_buf_append_u8(&b, (uint8_t)x, err);
        }
        if (rc != TSF_OK || (rc = tsf_buf_append_z(&b, ")$", err)) != TSF_OK ||
            (rc = query_call_put_copy(c, i, (const char *)b.data, b.len, err)) != TSF_OK)
            break;
    }
    tsf_buf_release(&b);
    return rc;
}

#define S QUERY_FN_STRICT
#define SS (QUERY_FN_STRICT | QUERY_FN_SAFE)
#define TXT TSF_T(STRING)
const struct query_function query_fn_pattern[] = {
    { "~~", TSF_T(BOOL), NULL, 2, { TXT, TXT }, SS, query_like },
    { "~~*", TSF_T(BOOL), NULL, 2, { TXT, TXT }, SS, query_ilike },
    { "like_escape", TXT, NULL, 2, { TXT, TXT }, S, query_like_escape },
    { "similar_to_escape", TXT, NULL, 1, { TXT }, S, similar_escape },
    { "similar_to_escape", TXT, NULL, 2, { TXT, TXT }, S, similar_escape },
    { "~", TSF_T(BOOL), NULL, 2, { TXT, TXT }, S, match },
    { "~*", TSF_T(BOOL), NULL, 2, { TXT, TXT }, S, match_fold },
    { "regexp_like", TSF_T(BOOL), NULL, 2, { TXT, TXT }, S, regexp_like },
    { "regexp_like", TSF_T(BOOL), NULL, 3, { TXT, TXT, TXT }, S, regexp_like },
    { "regexp_replace", TXT, NULL, 3, { TXT, TXT, TXT }, S, regexp_replace },
    { "regexp_replace", TXT, NULL, 4, { TXT, TXT, TXT, TXT }, S, regexp_replace },
    { "regexp_count", TSF_T(INT32), NULL, 2, { TXT, TXT }, S, regexp_count },
    { "regexp_substr", TXT, NULL, 2, { TXT, TXT }, S, regexp_substring },
    { "substring", TXT, NULL, 2, { TXT, TXT }, S, regexp_substring },
    { "regexp_match", NULL, text_array, 2, { TXT, TXT }, S, regexp_match },
    { "regexp_match", NULL, text_array, 3, { TXT, TXT, TXT }, S, regexp_match },
    { "regexp_split_to_array", NULL, text_array, 2, { TXT, TXT }, S, regexp_split },
    { "regexp_split_to_array", NULL, text_array, 3, { TXT, TXT, TXT }, S, regexp_split },
    { 0 },
};
