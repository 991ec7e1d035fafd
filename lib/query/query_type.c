/* Type names, casts between types, common types. Overloads are in query_type_resolve.c. */
#include "query/query_fn_internal.h"
#include "query/query_type_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

const struct tsf_type query_unknown = { .id = TSF_TYPE_NULL };
const struct tsf_type query_any_array = { .id = TSF_TYPE_LIST };

bool query_type_is_unknown(const struct tsf_type *t)
{
    return t->id == TSF_TYPE_NULL;
}

bool query_type_is_numeric(const struct tsf_type *t)
{
    return t->id >= TSF_TYPE_INT8 && t->id <= TSF_TYPE_DECIMAL;
}

/* ---- names ------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum tsf_type_id id;
} type_names[] = {
    { "bool", TSF_TYPE_BOOL },       { "boolean", TSF_TYPE_BOOL },       { "int2", TSF_TYPE_INT16 },
    { "smallint", TSF_TYPE_INT16 },  { "int4", TSF_TYPE_INT32 },         { "int", TSF_TYPE_INT32 },
    { "integer", TSF_TYPE_INT32 },   { "int8", TSF_TYPE_INT64 },         { "bigint", TSF_TYPE_INT64 },
    { "long", TSF_TYPE_INT64 },      { "tinyint", TSF_TYPE_INT8 },       { "byte", TSF_TYPE_INT8 },
    { "float4", TSF_TYPE_FLOAT },    { "real", TSF_TYPE_FLOAT },         { "float8", TSF_TYPE_DOUBLE },
    { "double", TSF_TYPE_DOUBLE },   { "numeric", TSF_TYPE_DECIMAL },    { "decimal", TSF_TYPE_DECIMAL },
    { "text", TSF_TYPE_STRING },     { "varchar", TSF_TYPE_STRING },     { "bpchar", TSF_TYPE_STRING },
    { "char", TSF_TYPE_STRING },     { "name", TSF_TYPE_STRING },        { "string", TSF_TYPE_STRING },
    { "bytea", TSF_TYPE_BINARY },    { "binary", TSF_TYPE_BINARY },      { "blob", TSF_TYPE_BINARY },
    { "date", TSF_TYPE_DATE },       { "time", TSF_TYPE_TIME },          { "timestamptz", TSF_TYPE_TIMESTAMP },
    { "timestamp", TSF_TYPE_TIMESTAMP_NTZ }, { "timestamp_ntz", TSF_TYPE_TIMESTAMP_NTZ },
    { "interval", TSF_TYPE_INTERVAL }, { "uuid", TSF_TYPE_UUID },
};

static enum tsf_err numeric_by_typmods(const int *typmods, int n, const struct tsf_type **out, struct tsf_error *err)
{
    int p = typmods[0], s = n > 1 ? typmods[1] : 0;

    if (n > 2)
        return tsf_fail_sql(err, "22023", -1, "invalid numeric type modifier");
    if (p < 1 || p > 1000)
        return tsf_fail_sql(err, "22023", -1, "NUMERIC precision %d must be between 1 and 1000", p);
    if (!(*out = tsf_type_decimal(p, s)))
        return tsf_fail_sql(err, "0A000", -1, "numeric(%d,%d) is not supported: precision is at most 38, scale between 0 and "
                            "the precision", p, s);
    return TSF_OK;
}

enum tsf_err query_type_by_name(const char *name, const int *typmods, int n_typmods, bool array, const struct tsf_type **out,
                                struct tsf_arena *a, struct tsf_error *err)
{
    const struct tsf_type *t = NULL;
    enum tsf_err rc;

    if (strcasecmp(name, "json") == 0 || strcasecmp(name, "jsonb") == 0)
        t = &tsf_type_json;
    for (size_t i = 0; !t && i < TSF_ARRAY_LEN(type_names); i++)
        if (strcasecmp(name, type_names[i].name) == 0)
            t = &tsf_types[type_names[i].id];
    if (!t)
        return tsf_fail_sql(err, "42704", -1, "type \"%s\" does not exist", name);
    if (t->id == TSF_TYPE_DECIMAL && n_typmods > 0 && (rc = numeric_by_typmods(typmods, n_typmods, &t, err)) != TSF_OK)
        return rc;
    if (array && !(t = tsf_type_list(a, t, true)))
        return tsf_fail_nomem(err);
    *out = t;
    return TSF_OK;
}

/* ---- decimals ------------------------------------------------------------------------------------------- */

const struct tsf_type *query_type_decimal_of(const struct tsf_type *t)
{
    switch (t->id) {
    case TSF_TYPE_INT8: return tsf_type_decimal(3, 0);
    case TSF_TYPE_INT16: return tsf_type_decimal(5, 0);
    case TSF_TYPE_INT32: return tsf_type_decimal(10, 0);
    case TSF_TYPE_INT64: return tsf_type_decimal(19, 0);
    case TSF_TYPE_DECIMAL: return t;
    default: return tsf_type_decimal(38, 16);
    }
}

/* Holds every value of both, unless that needs more than 38 digits. */
static const struct tsf_type *decimal_union(const struct tsf_type *a, const struct tsf_type *b)
{
    int s = TSF_MAX(a->scale, b->scale), ip = TSF_MAX(a->precision - a->scale, b->precision - b->scale);
    return tsf_type_decimal(TSF_MIN(38, TSF_MAX(ip + s, 1)), s);
}

/* The type of a decimal written as text: as many digits as it shows. */
static const struct tsf_type *decimal_of_text(struct tsf_str s)
{
    int before = 0, after = 0;
    int64_t e = 0;
    bool point = false, zeros = true;
    size_t i = 0;

    while (i < s.len && isspace((unsigned char)s.data[i]))
        i++;
    if (i < s.len && (s.data[i] == '-' || s.data[i] == '+'))
        i++;
    for (; i < s.len && (isdigit((unsigned char)s.data[i]) || (s.data[i] == '.' && !point)); i++) {
        if (s.data[i] == '.') {
            point = true;
            continue;
        }
        zeros = zeros && s.data[i] == '0';
        if (point)
            after = TSF_MIN(after + 1, 100);
        else if (!zeros)
            before = TSF_MIN(before + 1, 100);
    }
    if (i < s.len && (s.data[i] == 'e' || s.data[i] == 'E')) {
        bool neg = ++i < s.len && s.data[i] == '-';
        i += i < s.len && (s.data[i] == '-' || s.data[i] == '+');
        for (; i < s.len && isdigit((unsigned char)s.data[i]) && e < 1000; i++)
            e = e * 10 + (s.data[i] - '0');
        e = neg ? -e : e;
    }
    after = (int)TSF_MAX(0, TSF_MIN(38, after - e));
    before = (int)TSF_MAX(0, TSF_MIN(38, before + e));
    return tsf_type_decimal(TSF_MIN(38, TSF_MAX(1, before + after)), after);
}

/* 15 significant digits, as PostgreSQL prints a double for numeric; the scale is that of the value. */
static const struct tsf_type *decimal_of_double(double v, char text[48])
{
    double back;
    int n = snprintf(text, 48, "%.15g", v);

    if (n <= 0 || !tsf_double_parse(tsf_str(text), &back) || back != back || back - back != 0)
        return tsf_type_decimal(38, 16);
    return decimal_of_text(tsf_str(text));
}

/* ---- common types ----------------------------------------------------------------------------------------- */

char query_type_category(const struct tsf_type *t)
{
    switch (t->id) {
    case TSF_TYPE_NULL: return 'X';
    case TSF_TYPE_BOOL: return 'B';
    case TSF_TYPE_INT8:
    case TSF_TYPE_INT16:
    case TSF_TYPE_INT32:
    case TSF_TYPE_INT64:
    case TSF_TYPE_FLOAT:
    case TSF_TYPE_DOUBLE:
    case TSF_TYPE_DECIMAL: return 'N';
    case TSF_TYPE_DATE:
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ:
    case TSF_TYPE_TIME: return 'D';
    case TSF_TYPE_STRING: return t->json ? 'U' : 'S';
    case TSF_TYPE_INTERVAL: return 'T';
    case TSF_TYPE_LIST: return 'A';
    default: return 'U';
    }
}

bool query_type_is_preferred(const struct tsf_type *t)
{
    return t->id == TSF_TYPE_DOUBLE || t->id == TSF_TYPE_BOOL || t->id == TSF_TYPE_TIMESTAMP || t->id == TSF_TYPE_INTERVAL ||
           (t->id == TSF_TYPE_STRING && !t->json);
}

const struct tsf_type *query_type_promote(const struct tsf_type *a, const struct tsf_type *b, bool arithmetic)
{
    if (a->id == TSF_TYPE_DOUBLE || b->id == TSF_TYPE_DOUBLE)
        return TSF_T(DOUBLE);
    if (a->id == TSF_TYPE_FLOAT || b->id == TSF_TYPE_FLOAT)
        return a->id == b->id || !arithmetic ? TSF_T(FLOAT) : TSF_T(DOUBLE);
    if (a->id == TSF_TYPE_DECIMAL || b->id == TSF_TYPE_DECIMAL)
        return decimal_union(query_type_decimal_of(a), query_type_decimal_of(b));
    return a->id >= b->id ? a : b; /* integer ids ascend with width */
}

const struct tsf_type *query_type_common(const struct tsf_type *a, const struct tsf_type *b, bool arithmetic)
{
    const struct query_function *f;

    if (query_type_is_unknown(a) || tsf_type_eq(a, b))
        return b;
    if (query_type_is_unknown(b))
        return a;
    if (query_type_is_numeric(a) && query_type_is_numeric(b))
        return query_type_promote(a, b, arithmetic);
    if (a->id == TSF_TYPE_STRING && b->id == TSF_TYPE_STRING)
        return TSF_T(STRING); /* json beside text */
    if (query_type_category(a) != query_type_category(b) || a->id == TSF_TYPE_LIST)
        return NULL;
    if ((f = query_cast_find(b, a)) && (f->flags & QUERY_FN_IMPLICIT))
        return a;
    if ((f = query_cast_find(a, b)) && (f->flags & QUERY_FN_IMPLICIT))
        return b;
    return NULL;
}

enum tsf_err query_common_type(struct query_expr *const *e, int n, const struct tsf_type **out, struct tsf_error *err)
{
    const struct tsf_type *t = &query_unknown;

    for (int i = 0; i < n; i++) {
        const struct tsf_type *u = query_type_common(t, e[i]->type, false);
        if (!u) {
            struct tsf_arena a = TSF_ARENA_INIT;
            tsf_fail_sql(err, "42804", e[i]->location, "types %s and %s cannot be matched", tsf_type_sql_name(t, &a),
                         tsf_type_sql_name(e[i]->type, &a));
            tsf_arena_release(&a);
            return TSF_ERR_INVALID;
        }
        t = u;
    }
    *out = query_type_is_unknown(t) ? TSF_T(STRING) : t;
    return TSF_OK;
}

/* ---- coercion -------------------------------------------------------------------------------------------- */

struct query_expr *query_type_node(enum query_expr_kind kind, const struct tsf_type *t, int n_args, struct query_expr **args,
                                   int location, uint32_t *next_id, struct tsf_arena *a)
{
    struct query_expr *e = tsf_arena_calloc(a, 1, sizeof *e);
    struct query_expr **copy = tsf_arena_alloc(a, sizeof(void *) * (size_t)(n_args + 1));

    if (!e || !copy)
        return NULL;
    if (n_args)
        memcpy(copy, args, sizeof(void *) * (size_t)n_args);
    e->kind = kind;
    e->type = t;
    e->n_args = n_args;
    e->args = copy;
    e->location = location;
    e->id = (*next_id)++;
    return e;
}

static enum tsf_err const_node(const struct tsf_value *v, int location, uint32_t *next_id, struct tsf_arena *a,
                               struct query_expr **out, struct tsf_error *err)
{
    struct query_expr *e = query_type_node(QUERY_CONST, v->type, 0, NULL, location, next_id, a);

    if (!e)
        return tsf_fail_nomem(err);
    e->value = *v;
    *out = e;
    return TSF_OK;
}

/* 'now', 'today', ...: words that stand for times when read as one. */
static bool time_word(struct tsf_str s, const struct tsf_type *t, struct tsf_value *out)
{
    static const struct {
        const char *word;
        int days;
        bool midnight, epoch;
    } words[] = {
        { "now", 0, false, false }, { "today", 0, true, false }, { "tomorrow", 1, true, false },
        { "yesterday", -1, true, false }, { "epoch", 0, false, true },
    };
    int64_t us;

    if (t->id != TSF_TYPE_DATE && t->id != TSF_TYPE_TIMESTAMP && t->id != TSF_TYPE_TIMESTAMP_NTZ)
        return false;
    while (s.len && isspace((unsigned char)s.data[0]))
        s.data++, s.len--;
    while (s.len && isspace((unsigned char)s.data[s.len - 1]))
        s.len--;
    for (size_t i = 0; i < TSF_ARRAY_LEN(words); i++) {
        if (s.len != strlen(words[i].word) || strncasecmp(s.data, words[i].word, s.len) != 0)
            continue;
        us = words[i].epoch ? 0 : tsf_now_us();
        if (words[i].midnight)
            us -= us % TSF_US_PER_DAY;
        us += words[i].days * TSF_US_PER_DAY;
        *out = (struct tsf_value){ .type = t, .u.i64 = t->id == TSF_TYPE_DATE ? us / TSF_US_PER_DAY : us };
        return true;
    }
    return false;
}

static enum tsf_err literal_coerce(struct query_expr **e, const struct tsf_type *t, uint32_t *next_id, struct tsf_arena *a,
                                   struct tsf_error *err)
{
    const struct query_expr *x = *e;
    struct tsf_value v = { .type = t, .is_null = true };
    enum tsf_err rc;

    if (!x->value.is_null) {
        if (t == TSF_T(DECIMAL))
            t = decimal_of_text(x->value.u.s);
        if (!time_word(x->value.u.s, t, &v) && (rc = tsf_value_parse(x->value.u.s, t, a, &v, err)) != TSF_OK) {
            if (err && err->offset < 0)
                err->offset = x->location;
            return rc;
        }
        v.type = t;
    }
    return const_node(&v, x->location, next_id, a, e, err);
}

static enum tsf_err no_cast(const struct query_expr *x, const struct tsf_type *t, struct tsf_error *err)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    enum tsf_err rc = tsf_fail_sql(err, "42846", x->location, "cannot cast type %s to %s", tsf_type_sql_name(x->type, &a),
                                   tsf_type_sql_name(t, &a));
    tsf_arena_release(&a);
    return rc;
}

/* The bare "numeric": a scale that suits what is cast. */
static const struct tsf_type *unconstrained(const struct query_expr *x)
{
    char text[48];

    if (x->kind == QUERY_CONST && !x->value.is_null) {
        if (x->type->id == TSF_TYPE_DOUBLE)
            return decimal_of_double(x->value.u.f64, text);
        if (x->type->id == TSF_TYPE_FLOAT) {
            snprintf(text, sizeof text, "%.6g", (double)x->value.u.f32);
            return decimal_of_text(tsf_str(text));
        }
        if (x->type->id == TSF_TYPE_STRING)
            return decimal_of_text(x->value.u.s);
    }
    return query_type_decimal_of(x->type);
}

static bool cast_allowed(const struct query_function *f, enum query_coercion how)
{
    return how == QUERY_EXPLICIT || (f->flags & QUERY_FN_IMPLICIT) || (how == QUERY_ASSIGNMENT && (f->flags & QUERY_FN_ASSIGN));
}

enum tsf_err query_coerce(struct query_expr **e, const struct tsf_type *t, enum query_coercion how, uint32_t *next_id,
                          struct tsf_arena *a, struct tsf_error *err)
{
    struct query_expr *x = *e, *call;
    const struct query_function *f;
    enum tsf_err rc;

    if (query_type_is_unknown(x->type) && x->kind == QUERY_CONST)
        return literal_coerce(e, t, next_id, a, err);
    if (tsf_type_eq(x->type, t) && (x->type == t || t != TSF_T(DECIMAL)))
        return TSF_OK;
    if (t == TSF_T(DECIMAL)) {
        if (x->type->id == TSF_TYPE_DECIMAL)
            return TSF_OK;
        t = unconstrained(x);
    }
    if (!(f = query_cast_find(x->type, t)) || !cast_allowed(f, how))
        return no_cast(x, t, err);
    if (!(call = query_type_node(QUERY_CALL, t, 1, &x, x->location, next_id, a)))
        return tsf_fail_nomem(err);
    call->fn = f;
    if (x->kind == QUERY_CONST) {
        struct tsf_value v;
        if ((rc = query_eval_const(call, 0, a, &v, err)) != TSF_OK) {
            if (err && err->offset < 0)
                err->offset = x->location;
            return rc;
        }
        v.type = t;
        return const_node(&v, x->location, next_id, a, e, err);
    }
    *e = call;
    return TSF_OK;
}
