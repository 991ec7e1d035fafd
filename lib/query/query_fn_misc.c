/* Functions of no other theme: greatest, least, nullif, sketches, facts about the session. */
#include "query/query_fn_internal.h"
#include "query/query_fn_misc.h"

#include <stdio.h>

/* ---- greatest, least -------------------------------------------------------------------------------------------- */

static void slot_copy(struct query_call *c, int k, int64_t i)
{
    size_t width = (size_t)tsf_type_width(c->expr->type);
    memcpy((char *)c->values_out + (size_t)i * width, (const char *)c->args[k].values + (size_t)(i * fn_step(&c->args[k])) * width, width);
}

/* NULLs are passed over; all NULL is NULL. */
static enum tsf_err extreme(struct query_call *c, int sign, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++) {
        int best = -1;
        struct tsf_value top = { 0 }, v;
        for (int k = 0; k < c->n_args; k++) {
            enum tsf_err rc;
            if (c->args[k].type->id == TSF_TYPE_NULL || !fn_present(c, k, i))
                continue;
            if ((rc = tsf_vector_get(&c->args[k], i, c->ev->arena, &v, err)) != TSF_OK)
                return rc;
            if (best < 0 || sign * tsf_value_cmp(&v, &top) > 0) {
                best = k;
                top = v;
            }
        }
        if (best >= 0)
            slot_copy(c, best, i);
        else if (query_call_null(c, i, err) != TSF_OK)
            return TSF_ERR_NOMEM;
    }
    return TSF_OK;
}

static enum tsf_err greatest(struct query_call *c, struct tsf_error *err)
{
    return extreme(c, 1, err);
}

static enum tsf_err least(struct query_call *c, struct tsf_error *err)
{
    return extreme(c, -1, err);
}

static const struct tsf_type *first_type(const struct query_expr *const *args, int n, struct tsf_arena *a)
{
    return args[0]->type->n_children ? NULL : args[0]->type;
}

/* nullif(a, b): the binder has brought both to one type. */
static enum tsf_err nullif(struct query_call *c, struct tsf_error *err)
{
    uint8_t *equal = tsf_arena_alloc(c->ev->arena, (size_t)c->n + TSF_PAD);

    if (!equal)
        return tsf_fail_nomem(err);
    query_compare_bytes(QUERY_CMP_EQ, &c->args[0], &c->args[1], c->n, equal);
    for (int64_t i = 0; i < c->n; i++) {
        bool null = !fn_present(c, 0, i) || (equal[i] && fn_present(c, 1, i));
        if (!null)
            slot_copy(c, 0, i);
        else if (query_call_null(c, i, err) != TSF_OK)
            return TSF_ERR_NOMEM;
    }
    return TSF_OK;
}

/* ---- facts ----------------------------------------------------------------------------------------------------------- */

static enum tsf_err all_rows(struct query_call *c, const char *z, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    for (int64_t i = 0; rc == TSF_OK && i < c->n; i++)
        rc = query_call_put_copy(c, i, z, strlen(z), err);
    return rc;
}

static enum tsf_err version(struct query_call *c, struct tsf_error *err)
{
    return all_rows(c, "PostgreSQL 15.0 compatible (tsf " TSF_VERSION ")", err);
}

static enum tsf_err type_of(struct query_call *c, struct tsf_error *err)
{
    const struct tsf_type *t = c->expr->args[0]->type;
    const char *name = t->id == TSF_TYPE_DECIMAL ? "numeric" : tsf_type_sql_name(t, c->ev->arena);
    return name ? all_rows(c, name, err) : tsf_fail_nomem(err);
}

static enum tsf_err user_name(struct query_call *c, struct tsf_error *err)
{
    return all_rows(c, "tsf", err);
}

static enum tsf_err schema_name(struct query_call *c, struct tsf_error *err)
{
    return all_rows(c, "public", err);
}

static enum tsf_err random_uuid(struct query_call *c, struct tsf_error *err)
{
    for (int64_t i = 0; i < c->n; i++) {
        uint8_t *p = (uint8_t *)c->values_out + 16 * i;
        tsf_random(p, 16);
        p[6] = (uint8_t)((p[6] & 0x0f) | 0x40);
        p[8] = (uint8_t)((p[8] & 0x3f) | 0x80);
    }
    return TSF_OK;
}

static enum tsf_err num_nulls_rows(struct query_call *c, bool count_null)
{
    for (int64_t i = 0; i < c->n; i++) {
        int32_t n = 0;
        for (int k = 0; k < c->n_args; k++)
            n += (c->args[k].type->id == TSF_TYPE_NULL || !fn_present(c, k, i)) == count_null;
        FN_OUT(c, int32_t)[i] = n;
    }
    return TSF_OK;
}

static enum tsf_err num_nulls(struct query_call *c, struct tsf_error *err)
{
    return num_nulls_rows(c, true);
}

static enum tsf_err num_nonnulls(struct query_call *c, struct tsf_error *err)
{
    return num_nulls_rows(c, false);
}

#define S QUERY_FN_STRICT
#define SS (QUERY_FN_STRICT | QUERY_FN_SAFE)
#define TXT TSF_T(STRING)
const struct query_function query_fn_misc[] = {
    { "greatest", NULL, first_type, 1, { NULL }, QUERY_FN_VARIADIC | QUERY_FN_SAFE, greatest },
    { "least", NULL, first_type, 1, { NULL }, QUERY_FN_VARIADIC | QUERY_FN_SAFE, least },
    { "nullif", NULL, first_type, 2, { NULL, NULL }, QUERY_FN_SAFE, nullif },
    { "version", TXT, NULL, 0, { 0 }, SS, version },
    { "pg_typeof", TXT, NULL, 1, { NULL }, QUERY_FN_SAFE, type_of },
    { "current_user", TXT, NULL, 0, { 0 }, SS, user_name },
    { "session_user", TXT, NULL, 0, { 0 }, SS, user_name },
    { "current_database", TXT, NULL, 0, { 0 }, SS, user_name },
    { "current_schema", TXT, NULL, 0, { 0 }, SS, schema_name },
    { "gen_random_uuid", TSF_T(UUID), NULL, 0, { 0 }, SS | QUERY_FN_VOLATILE, random_uuid },
    { "num_nulls", TSF_T(INT32), NULL, 1, { NULL }, QUERY_FN_VARIADIC | QUERY_FN_SAFE, num_nulls },
    { "num_nonnulls", TSF_T(INT32), NULL, 1, { NULL }, QUERY_FN_VARIADIC | QUERY_FN_SAFE, num_nonnulls },
    { "approx_percentile", TSF_T(DOUBLE), NULL, 2, { TSF_T(DOUBLE), TSF_T(BINARY) }, S, query_sketch_percentile },
    { "num_vals", TSF_T(DOUBLE), NULL, 1, { TSF_T(BINARY) }, S, query_sketch_count },
    { 0 },
};
