/*
 * Unflushed rows in the shape of the table. A record holds the columns that its writer knew; the table may have gained
 * columns or widened types since.
 */
#include "table/table_internal.h"

static enum tsf_err null_column(const struct tsf_type *type, int64_t n, struct tsf_arena *a, struct tsf_vector *out,
                                struct tsf_error *err)
{
    struct tsf_value null = { .type = type, .is_null = true };

    return tsf_vector_constant(&null, n, a, out, err);
}

static enum tsf_err widen_ints(const struct tsf_vector *v, const struct tsf_type *to, struct tsf_arena *a, struct tsf_vector *out,
                               struct tsf_error *err)
{
    struct tsf_vector flat;
    enum tsf_err rc;
    void *values;

    if ((rc = tsf_vector_flatten(v, a, &flat, err)) != TSF_OK || (rc = tsf_vector_alloc(to, v->length, a, out, &values, err)) != TSF_OK)
        return rc;
    for (int64_t i = 0; i < v->length; i++) {
        int64_t x = flat.type->id == TSF_TYPE_INT8    ? ((const int8_t *)flat.values)[i]
                    : flat.type->id == TSF_TYPE_INT16 ? ((const int16_t *)flat.values)[i]
                                                      : ((const int32_t *)flat.values)[i];
        if (to->id == TSF_TYPE_INT16)
            ((int16_t *)values)[i] = (int16_t)x;
        else if (to->id == TSF_TYPE_INT32)
            ((int32_t *)values)[i] = (int32_t)x;
        else
            ((int64_t *)values)[i] = x;
    }
    out->validity = flat.validity;
    out->null_count = flat.null_count;
    return TSF_OK;
}

static enum tsf_err adapt(const struct tsf_vector *v, const struct tsf_field *f, struct tsf_arena *a, struct tsf_vector *out,
                          struct tsf_error *err)
{
    if (tsf_type_eq(v->type, f->type)) {
        *out = *v;
        out->type = f->type; /* the table says whether text is JSON */
        return TSF_OK;
    }
    if (v->type->id == f->type->id && tsf_type_is_string(f->type)) {
        *out = *v;
        out->type = f->type;
        return TSF_OK;
    }
    if (tsf_type_is_integer(v->type) && tsf_type_is_integer(f->type) && v->type->id < f->type->id)
        return widen_ints(v, f->type, a, out, err);
    if (v->type->id == TSF_TYPE_FLOAT && f->type->id == TSF_TYPE_DOUBLE) {
        struct tsf_vector flat;
        void *values;
        enum tsf_err rc;
        if ((rc = tsf_vector_flatten(v, a, &flat, err)) != TSF_OK ||
            (rc = tsf_vector_alloc(f->type, v->length, a, out, &values, err)) != TSF_OK)
            return rc;
        for (int64_t i = 0; i < v->length; i++)
            ((double *)values)[i] = (double)((const float *)flat.values)[i];
        out->validity = flat.validity;
        out->null_count = flat.null_count;
        return TSF_OK;
    }
    return tsf_fail(err, TSF_ERR_INVALID, "unflushed rows have another type in column %s than the table has now", f->name);
}

enum tsf_err table_tail_read(struct table *t, int64_t i, struct tsf_arena *a, struct tsf_batch *out, struct tsf_error *err)
{
    struct wal_record r;
    enum tsf_err rc;

    if ((rc = wal_view_read(t->tail, i, a, &r, err)) != TSF_OK)
        return rc;
    if (r.kind != WAL_INSERT)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "WAL LSN %lld is a record of kind %d, which this build does not know",
                        (long long)r.lsn, r.kind);
    struct tsf_vector *columns = tsf_arena_calloc(a, (size_t)t->schema->n_fields + 1, sizeof *columns);
    if (!columns)
        return tsf_fail_nomem(err);
    for (int f = 0; f < t->schema->n_fields; f++) {
        const struct tsf_field *field = &t->schema->fields[f];
        /* Nearly always the record has the table's own columns in order. */
        int c = f < r.schema->n_fields && strcmp(r.schema->fields[f].name, field->name) == 0
                    ? f
                    : tsf_schema_find(r.schema, tsf_str(field->name));
        rc = c < 0 ? null_column(field->type, r.rows, a, &columns[f], err)
                   : adapt(&r.batch.columns[c], field, a, &columns[f], err);
        if (rc != TSF_OK)
            return rc;
    }
    *out = (struct tsf_batch){ .length = r.rows, .n_columns = t->schema->n_fields, .columns = columns };
    return table_derive(t, out, a, err);
}
