/* Arrays: making, taking apart, searching. One dimension. */
#include "query/query_fn_internal.h"

#define DIMENSION_ONE 1

/* Elements of row i of list argument k: [*first, *end) of the child. */
static const struct tsf_vector *elements(const struct query_call *c, int k, int64_t i, int64_t *first, int64_t *end)
{
    const int32_t *offsets = (const int32_t *)c->args[k].values + i * fn_step(&c->args[k]);
    *first = offsets[0];
    *end = offsets[1];
    return &c->args[k].children[0];
}

static enum tsf_err element_value(const struct query_call *c, const struct tsf_vector *child, int64_t at, struct tsf_value *v,
                                  struct tsf_error *err)
{
    return tsf_vector_get(child, at, c->ev->arena, v, err);
}

/* ---- making lists ---------------------------------------------------------------------------------------------- */

static enum tsf_err list_put(struct query_call *c, struct tsf_builder *b, struct tsf_error *err)
{
    struct tsf_vector all, own;
    enum tsf_err rc;

    if ((rc = tsf_builder_vector(b, c->ev->arena, &all, err)) != TSF_OK || (rc = tsf_vector_copy(&all, c->ev->arena, &own, err)) != TSF_OK)
        return rc;
    memcpy(c->values_out, own.values, 4 * (size_t)(c->n + 1));
    c->out->children = own.children;
    return TSF_OK;
}

static const struct tsf_type *array_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return args[0]->type->n_children || args[0]->type->id == TSF_TYPE_NULL ? NULL : tsf_type_list(a, args[0]->type, true);
}



static const struct tsf_type *element_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return args[0]->type->n_children ? args[0]->type->children[0].type : NULL;
}

static enum tsf_err value_append(struct query_call *c, int k, int64_t i, struct tsf_builder *child, struct tsf_error *err)
{
    struct tsf_value v;
    enum tsf_err rc;

    if (c->args[k].type->id == TSF_TYPE_NULL || !fn_present(c, k, i))
        return tsf_builder_null(child, err);
    if ((rc = tsf_vector_get(&c->args[k], i, c->ev->arena, &v, err)) != TSF_OK)
        return rc;
    return tsf_builder_value(child, &v, err);
}

static enum tsf_err elements_append(struct query_call *c, int k, int64_t i, struct tsf_builder *child, struct tsf_error *err)
{
    int64_t first, end;
    const struct tsf_vector *v = elements(c, k, i, &first, &end);
    return tsf_builder_append(child, v, first, NULL, end - first, err);
}

/* ARRAY[a, b, ...] */
static enum tsf_err array_make(struct query_call *c, struct tsf_error *err)
{
    struct tsf_builder b = { 0 };
    enum tsf_err rc = tsf_builder_init(&b, c->expr->type, err);

    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++) {
        for (int k = 0; rc == TSF_OK && k < c->n_args; k++)
            rc = value_append(c, k, i, &b.children[0], err);
        if (rc == TSF_OK)
            rc = tsf_builder_list_end(&b, err);
    }
    if (rc == TSF_OK)
        rc = list_put(c, &b, err);
    tsf_builder_release(&b);
    return rc;
}

/* array || array, array || element, element || array: which arguments are lists says what to do; NULL arrays are empty. */
static enum tsf_err array_concat(struct query_call *c, struct tsf_error *err)
{
    struct tsf_builder b = { 0 };
    enum tsf_err rc = tsf_builder_init(&b, c->expr->type, err);

    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++) {
        bool any = false;
        for (int k = 0; rc == TSF_OK && k < 2; k++) {
            bool list = c->args[k].type->id == TSF_TYPE_LIST;
            if (list && !fn_present(c, k, i))
                continue;
            any = true;
            rc = list ? elements_append(c, k, i, &b.children[0], err) : value_append(c, k, i, &b.children[0], err);
        }
        if (rc != TSF_OK)
            break;
        if (any)
            rc = tsf_builder_list_end(&b, err);
        else if ((rc = query_call_null(c, i, err)) == TSF_OK)
            rc = tsf_builder_null(&b, err);
    }
    if (rc == TSF_OK)
        rc = list_put(c, &b, err);
    tsf_builder_release(&b);
    return rc;
}

static const struct tsf_type *concat_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    const struct tsf_type *x = args[0]->type, *y = args[1]->type;

    if (x->id == TSF_TYPE_LIST && y->id == TSF_TYPE_LIST)
        return tsf_type_eq(x->children[0].type, y->children[0].type) ? x : NULL;
    if (x->id == TSF_TYPE_LIST)
        return tsf_type_eq(x->children[0].type, y) ? x : NULL;
    return y->id == TSF_TYPE_LIST && tsf_type_eq(y->children[0].type, x) ? y : NULL;
}

/* ---- sizes and places ------------------------------------------------------------------------------------------------ */

static enum tsf_err array_length(struct query_call *c, struct tsf_error *err)
{
    int64_t first, end;
    enum tsf_err rc;
    FN_EACH(c, i) {
        elements(c, 0, i, &first, &end);
        FN_OUT(c, int32_t)[i] = (int32_t)(end - first);
        if ((fn_int(c, 1, i) != DIMENSION_ONE || end == first) && (rc = query_call_null(c, i, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static enum tsf_err array_lower(struct query_call *c, struct tsf_error *err)
{
    int64_t first, end;
    enum tsf_err rc;
    FN_EACH(c, i) {
        elements(c, 0, i, &first, &end);
        FN_OUT(c, int32_t)[i] = 1;
        if ((fn_int(c, 1, i) != DIMENSION_ONE || end == first) && (rc = query_call_null(c, i, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static enum tsf_err cardinality(struct query_call *c, struct tsf_error *err)
{
    int64_t first, end;
    FN_EACH(c, i) {
        elements(c, 0, i, &first, &end);
        FN_OUT(c, int32_t)[i] = (int32_t)(end - first);
    }
    return TSF_OK;
}

static enum tsf_err subscript(struct query_call *c, struct tsf_error *err)
{
    size_t width = (size_t)tsf_type_width(c->expr->type);
    int64_t first, end;
    enum tsf_err rc;

    FN_EACH(c, i) {
        const struct tsf_vector *child = elements(c, 0, i, &first, &end);
        int64_t k = fn_int(c, 1, i), at = k < 1 || k > end - first ? end : first + k - 1;
        if (at >= end || !tsf_vector_present(child, at)) {
            if ((rc = query_call_null(c, i, err)) != TSF_OK)
                return rc;
            continue;
        }
        memcpy((char *)c->values_out + (size_t)i * width,
               (const char *)tsf_vector_flat_values(child) + (size_t)tsf_vector_at(child, at) * width, width);
    }
    return TSF_OK;
}

/* ---- searching ---------------------------------------------------------------------------------------------------------- */

/* Place of v in [first, end), -1 when it is not there; *null_out: a NULL was passed. */
static enum tsf_err find(const struct query_call *c, const struct tsf_vector *child, int64_t first, int64_t end,
                         const struct tsf_value *v, int64_t *at_out, bool *null_out, struct tsf_error *err)
{
    struct tsf_sview key = { 0 };
    bool string = tsf_type_is_string(child->type);
    enum tsf_err rc;

    if (string)
        key = tsf_sview_make(v->u.s.data, v->u.s.len);
    *null_out = false;
    for (int64_t k = first; k < end; k++) {
        struct tsf_value x;
        if (!tsf_vector_present(child, k)) {
            *null_out = true;
            continue;
        }
        if (string) {
            if (tsf_sview_eq((const struct tsf_sview *)tsf_vector_flat_values(child) + tsf_vector_at(child, k), &key)) {
                *at_out = k;
                return TSF_OK;
            }
            continue;
        }
        if ((rc = element_value(c, child, k, &x, err)) != TSF_OK)
            return rc;
        if (tsf_value_cmp(&x, v) == 0) {
            *at_out = k;
            return TSF_OK;
        }
    }
    *at_out = -1;
    return TSF_OK;
}

/* element = ANY (array) */
static enum tsf_err contains_element(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc;

    FN_EACH(c, i) {
        int64_t first, end, at;
        const struct tsf_vector *child = elements(c, 0, i, &first, &end);
        struct tsf_value v;
        bool null;
        if ((rc = tsf_vector_get(&c->args[1], i, c->ev->arena, &v, err)) != TSF_OK ||
            (rc = find(c, child, first, end, &v, &at, &null, err)) != TSF_OK)
            return rc;
        FN_OUT(c, uint8_t)[i] = at >= 0;
        if (at < 0 && null && (rc = query_call_null(c, i, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

static enum tsf_err array_position(struct query_call *c, struct tsf_error *err)
{
    enum tsf_err rc;

    FN_EACH(c, i) {
        int64_t first, end, at;
        const struct tsf_vector *child = elements(c, 0, i, &first, &end);
        struct tsf_value v;
        bool null;
        if ((rc = tsf_vector_get(&c->args[1], i, c->ev->arena, &v, err)) != TSF_OK ||
            (rc = find(c, child, first, end, &v, &at, &null, err)) != TSF_OK)
            return rc;
        FN_OUT(c, int32_t)[i] = (int32_t)(at - first + 1);
        if (at < 0 && (rc = query_call_null(c, i, err)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

/* How many elements of list b are in list a; NULLs never are. */
static enum tsf_err matches(struct query_call *c, int a, int b, int64_t i, int64_t *hits, int64_t *total, struct tsf_error *err)
{
    int64_t first, end, bfirst, bend, at;
    const struct tsf_vector *in = elements(c, a, i, &first, &end), *of = elements(c, b, i, &bfirst, &bend);
    struct tsf_value v;
    bool null;
    enum tsf_err rc;

    *hits = 0;
    *total = bend - bfirst;
    for (int64_t k = bfirst; k < bend; k++) {
        if (!tsf_vector_present(of, k))
            continue;
        if ((rc = element_value(c, of, k, &v, err)) != TSF_OK || (rc = find(c, in, first, end, &v, &at, &null, err)) != TSF_OK)
            return rc;
        *hits += at >= 0;
    }
    return TSF_OK;
}

static enum tsf_err contains_all(struct query_call *c, struct tsf_error *err)
{
    bool swapped = c->expr->fn->name[0] == '<';
    int64_t hits, total;
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        if ((rc = matches(c, swapped, !swapped, i, &hits, &total, err)) != TSF_OK)
            return rc;
        FN_OUT(c, uint8_t)[i] = hits == total;
    }
    return rc;
}

static enum tsf_err overlaps(struct query_call *c, struct tsf_error *err)
{
    int64_t hits, total;
    enum tsf_err rc = TSF_OK;

    FN_EACH(c, i) {
        if ((rc = matches(c, 0, 1, i, &hits, &total, err)) != TSF_OK)
            return rc;
        FN_OUT(c, uint8_t)[i] = hits > 0;
    }
    return rc;
}

/* ---- text ----------------------------------------------------------------------------------------------------------------- */

/* array_to_string(array, separator [, text for NULL]) */
static enum tsf_err to_string(struct query_call *c, struct tsf_error *err)
{
    struct tsf_buf b = TSF_BUF_INIT(1 << 28);
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++) {
        bool null_text = c->n_args > 2 && fn_present(c, 2, i), any = false;
        int64_t first, end;
        const struct tsf_vector *child;
        if (!fn_present(c, 0, i) || !fn_present(c, 1, i)) {
            rc = query_call_null(c, i, err);
            continue;
        }
        child = elements(c, 0, i, &first, &end);
        tsf_buf_reset(&b);
        for (int64_t k = first; rc == TSF_OK && k < end; k++) {
            struct tsf_str sep = fn_str(c, 1, i);
            bool present = tsf_vector_present(child, k);
            struct tsf_value v;
            if (!present && !null_text)
                continue;
            if (any)
                rc = tsf_buf_append(&b, sep.data, sep.len, err);
            any = true;
            if (rc != TSF_OK)
                break;
            if (!present)
                rc = tsf_buf_append(&b, fn_str(c, 2, i).data, fn_str(c, 2, i).len, err);
            else if ((rc = element_value(c, child, k, &v, err)) == TSF_OK)
                rc = tsf_value_text(&v, &b, err);
        }
        if (rc == TSF_OK)
            rc = query_call_put_copy(c, i, (const char *)b.data, b.len, err);
    }
    tsf_buf_release(&b);
    return rc;
}

static enum tsf_err piece_append(struct query_call *c, int64_t i, const char *p, size_t n, struct tsf_builder *child, struct tsf_error *err)
{
    if (c->n_args > 2 && fn_present(c, 2, i) && tsf_str_eq(fn_str(c, 2, i), tsf_str_n(p, n)))
        return tsf_builder_null(child, err);
    return tsf_builder_str(child, p, n, err);
}

static enum tsf_err string_split(struct query_call *c, int64_t i, struct tsf_builder *b, struct tsf_error *err)
{
    struct tsf_str s = fn_str(c, 0, i);
    bool by_char = !fn_present(c, 1, i);
    struct tsf_str by = by_char ? TSF_STR("") : fn_str(c, 1, i);
    const char *p = s.data, *end = s.data + s.len, *q;
    enum tsf_err rc = TSF_OK;

    while (rc == TSF_OK && s.len && by_char && p < end) {
        for (q = p + 1; q < end && ((unsigned char)*q & 0xc0) == 0x80;)
            q++;
        rc = piece_append(c, i, p, (size_t)(q - p), &b->children[0], err);
        p = q;
    }
    while (rc == TSF_OK && s.len && !by_char) {
        q = by.len ? memmem(p, (size_t)(end - p), by.data, by.len) : NULL;
        rc = piece_append(c, i, p, (size_t)((q ? q : end) - p), &b->children[0], err);
        if (!q)
            break;
        p = q + by.len;
    }
    return rc == TSF_OK ? tsf_builder_list_end(b, err) : rc;
}

/* string_to_array(text, separator [, text for NULL]); a NULL separator splits into characters */
static enum tsf_err string_to_array(struct query_call *c, struct tsf_error *err)
{
    struct tsf_builder b = { 0 };
    enum tsf_err rc = tsf_builder_init(&b, c->expr->type, err);

    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++) {
        if (fn_present(c, 0, i))
            rc = string_split(c, i, &b, err);
        else if ((rc = query_call_null(c, i, err)) == TSF_OK)
            rc = tsf_builder_null(&b, err);
    }
    if (rc == TSF_OK)
        rc = list_put(c, &b, err);
    tsf_builder_release(&b);
    return rc;
}

static const struct tsf_type *text_array(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return tsf_type_list(a, TSF_T(STRING), true);
}

#define S QUERY_FN_STRICT
#define SS (QUERY_FN_STRICT | QUERY_FN_SAFE)
#define AR &query_any_array
#define I4 TSF_T(INT32)
#define TXT TSF_T(STRING)
const struct query_function query_fn_array[] = {
    { "array", NULL, array_type, 1, { NULL }, QUERY_FN_VARIADIC | QUERY_FN_SAFE, array_make },
    { "||", NULL, concat_type, 2, { AR, AR }, QUERY_FN_SAFE, array_concat }, { "||", NULL, concat_type, 2, { AR, NULL }, QUERY_FN_SAFE, array_concat },
    { "||", NULL, concat_type, 2, { NULL, AR }, QUERY_FN_SAFE, array_concat }, { "array_cat", NULL, concat_type, 2, { AR, AR }, QUERY_FN_SAFE, array_concat },
    { "array_append", NULL, concat_type, 2, { AR, NULL }, QUERY_FN_SAFE, array_concat }, { "array_prepend", NULL, concat_type, 2, { NULL, AR }, QUERY_FN_SAFE, array_concat },
    { "array_length", I4, NULL, 2, { AR, I4 }, SS, array_length }, { "array_upper", I4, NULL, 2, { AR, I4 }, SS, array_length },
    { "array_lower", I4, NULL, 2, { AR, I4 }, SS, array_lower }, { "cardinality", I4, NULL, 1, { AR }, SS, cardinality },
    { "array_subscript", NULL, element_type, 2, { AR, TSF_T(INT64) }, SS, subscript },
    { "array_contains", TSF_T(BOOL), NULL, 2, { AR, NULL }, SS, contains_element },
    { "array_position", I4, NULL, 2, { AR, NULL }, SS, array_position },
    { "@>", TSF_T(BOOL), NULL, 2, { AR, AR }, SS, contains_all }, { "<@", TSF_T(BOOL), NULL, 2, { AR, AR }, SS, contains_all },
    { "&&", TSF_T(BOOL), NULL, 2, { AR, AR }, SS, overlaps },
    { "array_to_string", TXT, NULL, 2, { AR, TXT }, QUERY_FN_SAFE, to_string }, { "array_to_string", TXT, NULL, 3, { AR, TXT, TXT }, QUERY_FN_SAFE, to_string },
    { "string_to_array", NULL, text_array, 2, { TXT, TXT }, QUERY_FN_SAFE, string_to_array },
    { "string_to_array", NULL, text_array, 3, { TXT, TXT, TXT }, QUERY_FN_SAFE, string_to_array },
    { 0 },
};
