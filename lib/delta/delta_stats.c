/*
 * add.stats: {"numRecords":n,"minValues":{..},"maxValues":{..},"nullCount":{..},"tightBounds":b}, by physical column names.
 *
 * What others write is believed only as far as it holds for all of them: times that end in milliseconds may have been cut
 * (so the maximum is widened and neither bound is exact), strings of 32 characters may have been cut, and the maximum of
 * a float column may leave out NaN, which sorts above all numbers: it is believed from our own files only.
 */
#include "delta/delta_internal.h"

#include <stdlib.h>

#define STRING_CHARS_MAX 32

int64_t delta_stats_rows(struct tsf_str stats, struct tsf_arena *scratch)
{
    struct delta_scan s;
    struct tsf_str key;
    int64_t n = -1;

    if (stats.len == 0)
        return -1;
    delta_scan_init(&s, stats, scratch);
    if (!delta_scan_object(&s))
        return -1;
    while (delta_scan_key(&s, &key)) {
        if (!tsf_str_eqz(key, "numRecords")) {
            delta_scan_skip(&s);
            continue;
        }
        return delta_scan_peek(&s) != 'n' && delta_scan_int(&s, &n) && n >= 0 ? n : -1;
    }
    return -1;
}

/* ---- reading: columns of bounds ----------------------------------------------------------------------------- */

enum bound_side { BOUND_MIN, BOUND_MAX };

struct bound_column {
    const struct tsf_field *field;
    const char *name;
    struct tsf_builder side[2];
    int64_t *null_count;
    uint8_t *exact;
    bool typed, any;
    struct delta_bounds old; /* from the blob, n_old rows */
    int64_t n_old;
    /* of the current file */
    struct tsf_value value[2];
    uint8_t bits;
};

static bool has_bounds(const struct tsf_type *t)
{
    switch (t->id) {
    case TSF_TYPE_INT8: case TSF_TYPE_INT16: case TSF_TYPE_INT32: case TSF_TYPE_INT64: case TSF_TYPE_BOOL: case TSF_TYPE_FLOAT:
    case TSF_TYPE_DOUBLE: case TSF_TYPE_DECIMAL: case TSF_TYPE_DATE: case TSF_TYPE_TIMESTAMP: case TSF_TYPE_TIMESTAMP_NTZ:
    case TSF_TYPE_STRING:
        return true;
    default:
        return false;
    }
}

static size_t utf8_chars(struct tsf_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += (s.data[i] & 0xc0) != 0x80;
    return n;
}

static bool time_bound(struct tsf_str text, enum bound_side side, struct tsf_value *v, bool *exact)
{
    const char *dot = memchr(text.data, '.', text.len);
    size_t digits = 0;

    if (!tsf_time_parse(text, &v->u.i64, NULL))
        return false;
    for (const char *p = dot != NULL ? dot + 1 : NULL; p != NULL && p < text.data + text.len && *p >= '0' && *p <= '9'; p++)
        digits++;
    *exact = digits >= 6;
    if (!*exact && side == BOUND_MAX && __builtin_add_overflow(v->u.i64, digits <= 3 ? 999 : 99, &v->u.i64))
        return false;
    return true;
}

static bool decimal_bound(struct tsf_str text, const struct tsf_type *t, struct tsf_value *v)
{
    const char *dot = memchr(text.data, '.', text.len);

    if (memchr(text.data, 'e', text.len) != NULL || memchr(text.data, 'E', text.len) != NULL ||
        (dot != NULL && text.data + text.len - dot - 1 > t->scale))
        return false;
    return tsf_decimal_parse(text, t->scale, &v->u.i128) && tsf_decimal_fits(v->u.i128, t->precision);
}

/* False: nothing to believe on this side. */
static bool bound_parse(struct tsf_str text, bool quoted, const struct tsf_type *t, enum bound_side side, bool ours,
                        struct tsf_value *v, bool *exact)
{
    int32_t days;
    double d;
    int bits;

    *v = (struct tsf_value){ .type = t };
    *exact = true;
    switch (t->id) {
    case TSF_TYPE_BOOL:
        v->u.b = tsf_str_eqz(text, "true");
        return v->u.b || tsf_str_eqz(text, "false");
    case TSF_TYPE_FLOAT:
    case TSF_TYPE_DOUBLE:
        if (!tsf_double_parse(text, &d) || d != d || (side == BOUND_MAX && !ours))
            return false;
        if (t->id == TSF_TYPE_DOUBLE)
            v->u.f64 = d;
        else
            v->u.f32 = (float)d;
        *exact = ours;
        return t->id == TSF_TYPE_DOUBLE || (double)v->u.f32 == d || ours;
    case TSF_TYPE_DECIMAL:
        return decimal_bound(text, t, v);
    case TSF_TYPE_DATE:
        if (!quoted || !tsf_date_parse(text, &days))
            return false;
        v->u.i64 = days;
        return true;
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ:
        return quoted && time_bound(text, side, v, exact);
    case TSF_TYPE_STRING:
        v->u.s = text;
        *exact = utf8_chars(text) < STRING_CHARS_MAX;
        return quoted;
    default:
        bits = 8 * tsf_type_width(t);
        return tsf_int64_parse(text, &v->u.i64) &&
               (bits == 64 || (v->u.i64 >= -(1LL << (bits - 1)) && v->u.i64 < 1LL << (bits - 1)));
    }
}

/* Members of a statistics object come in the schema's order: the next one is nearly always the column after the last. */
static int column_find(const struct bound_column *c, int n, int *hint, struct tsf_str name)
{
    for (int i = 0; i < n; i++) {
        int at = *hint + i < n ? *hint + i : *hint + i - n;

        if (tsf_str_eqz(name, c[at].name)) {
            *hint = at + 1 < n ? at + 1 : 0;
            return at;
        }
    }
    return -1;
}

static void side_scan(struct delta_scan *s, struct bound_column *c, int n, enum bound_side side, bool ours)
{
    struct tsf_str key, text;
    int hint = 0, at;

    if (delta_scan_peek(s) != '{') {
        delta_scan_skip(s);
        return;
    }
    delta_scan_object(s);
    while (delta_scan_key(s, &key)) {
        char first = delta_scan_peek(s);
        struct tsf_value v;
        bool exact;

        at = column_find(c, n, &hint, key);
        if (at < 0 || !c[at].typed || first == '{' || first == '[' || first == 'n') {
            delta_scan_skip(s);
            continue;
        }
        if (first == '"' ? !delta_scan_string(s, &text) : !delta_scan_raw(s, &text))
            return;
        if (!bound_parse(text, first == '"', c[at].field->type, side, ours, &v, &exact))
            continue;
        c[at].value[side] = v;
        c[at].bits |= exact ? 1 << side : 0;
    }
}

static void nulls_scan(struct delta_scan *s, struct bound_column *c, int n, int64_t row)
{
    struct tsf_str key;
    int hint = 0, at;
    int64_t count;

    if (delta_scan_peek(s) != '{') {
        delta_scan_skip(s);
        return;
    }
    delta_scan_object(s);
    while (delta_scan_key(s, &key)) {
        char first = delta_scan_peek(s);

        if ((at = column_find(c, n, &hint, key)) < 0 || first == '{' || first == '[' || first == 'n')
            delta_scan_skip(s);
        else if (delta_scan_int(s, &count) && count >= 0)
            c[at].null_count[row] = count;
    }
}

/* A broken text gives no bounds for that file; it is a hint and not worth refusing the table for. */
static void stats_scan(struct tsf_str stats, struct tsf_arena *scratch, struct bound_column *c, int n, int64_t row, bool ours,
                       bool loose)
{
    struct delta_scan s;
    struct tsf_str key;
    bool tight = true;

    for (int i = 0; i < n; i++) {
        c[i].value[0] = c[i].value[1] = (struct tsf_value){ .type = c[i].field->type, .is_null = true };
        c[i].bits = 0;
        c[i].null_count[row] = -1;
    }
    delta_scan_init(&s, stats, scratch);
    if (stats.len > 0 && delta_scan_object(&s))
        while (delta_scan_key(&s, &key)) {
            if (tsf_str_eqz(key, "minValues"))
                side_scan(&s, c, n, BOUND_MIN, ours);
            else if (tsf_str_eqz(key, "maxValues"))
                side_scan(&s, c, n, BOUND_MAX, ours);
            else if (tsf_str_eqz(key, "nullCount"))
                nulls_scan(&s, c, n, row);
            else if (tsf_str_eqz(key, "tightBounds") && delta_scan_peek(&s) != 'n')
                delta_scan_bool(&s, &tight);
            else
                delta_scan_skip(&s);
        }
    for (int i = 0; i < n; i++) {
        if (s.bad) {
            c[i].value[0].is_null = c[i].value[1].is_null = true;
            c[i].null_count[row] = -1;
        }
        c[i].exact[row] = s.bad || loose || !tight ? 0 : c[i].bits;
    }
}

static enum tsf_err column_push(struct bound_column *c, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (int side = 0; c->typed && side < 2 && rc == TSF_OK; side++) {
        rc = c->value[side].is_null ? tsf_builder_null(&c->side[side], err) : tsf_builder_value(&c->side[side], &c->value[side], err);
        c->any |= !c->value[side].is_null;
    }
    return rc;
}

/* Take a file's bounds from the blob's columns. False: its statistics have to be parsed. */
static bool column_take(struct bound_column *c, int64_t row, uint32_t blob_row, struct tsf_arena *scratch)
{
    int64_t at = (int64_t)blob_row - 1;

    if (at < 0 || at >= c->n_old)
        return false;
    c->value[0] = c->value[1] = (struct tsf_value){ .type = c->field->type, .is_null = true };
    for (int side = 0; c->old.any && side < 2; side++)
        if (tsf_vector_get(side == BOUND_MIN ? &c->old.min : &c->old.max, at, scratch, &c->value[side], NULL) != TSF_OK)
            return false;
    c->null_count[row] = c->old.null_count[at];
    c->exact[row] = c->old.exact[at];
    return true;
}

static enum tsf_err column_init(struct delta_state *st, int field, struct bound_column *c, struct tsf_arena *keep, struct tsf_error *err)
{
    const struct tsf_field *f = &st->head->metadata.schema.fields[field];
    size_t n = (size_t)st->snap.n_files;
    enum tsf_err rc = TSF_OK;

    *c = (struct bound_column){ .field = f, .name = f->physical != NULL ? f->physical : f->name, .typed = has_bounds(f->type) };
    c->null_count = tsf_arena_alloc(&st->lazy, (n + 1) * sizeof *c->null_count);
    c->exact = tsf_arena_alloc(&st->lazy, n + 1);
    if (c->null_count == NULL || c->exact == NULL)
        return tsf_fail_nomem(err);
    if (st->files.heap->blob.len == 0 || !delta_blob_bounds(st->files.heap->blob, field, f->type, keep, &c->old, &c->n_old))
        c->n_old = 0;
    for (int side = 0; c->typed && side < 2 && rc == TSF_OK; side++)
        if ((rc = tsf_builder_init(&c->side[side], f->type, err)) == TSF_OK)
            rc = tsf_builder_reserve(&c->side[side], st->snap.n_files, err);
    return rc;
}

static enum tsf_err column_finish(struct delta_state *st, struct bound_column *c, struct delta_bounds *out, struct tsf_error *err)
{
    struct delta_bounds b = { .null_count = c->null_count, .exact = c->exact, .any = c->any };
    struct tsf_value null = { .type = c->field->type, .is_null = true };
    struct tsf_vector v;
    enum tsf_err rc = TSF_OK;

    for (int side = 0; side < 2 && rc == TSF_OK; side++) {
        struct tsf_vector *to = side == BOUND_MIN ? &b.min : &b.max;

        if (!c->any)
            rc = c->typed ? tsf_vector_constant(&null, st->snap.n_files, &st->lazy, to, err) : TSF_OK;
        else if ((rc = tsf_builder_vector(&c->side[side], &st->lazy, &v, err)) == TSF_OK)
            rc = tsf_vector_copy(&v, &st->lazy, to, err);
    }
    if (rc == TSF_OK)
        *out = b;
    return rc;
}

/* A file whose bounds are in the blob for all columns is not parsed again. */
static bool row_take(struct bound_column *c, int n, int64_t row, uint32_t blob_row, struct tsf_arena *scratch)
{
    if (blob_row == 0)
        return false;
    for (int i = 0; i < n; i++)
        if (!column_take(&c[i], row, blob_row, scratch))
            return false;
    return true;
}

/* One pass over all files for some columns. */
static enum tsf_err bounds_make(struct delta_state *st, const int *fields, int n, struct tsf_error *err)
{
    struct tsf_arena scratch = TSF_ARENA_INIT, keep = TSF_ARENA_INIT;
    struct bound_column *c = tsf_arena_calloc(&st->lazy, (size_t)n + 1, sizeof *c);
    enum tsf_err rc = c == NULL ? tsf_fail_nomem(err) : TSF_OK;

    for (int i = 0; i < n && rc == TSF_OK; i++)
        rc = column_init(st, fields[i], &c[i], &keep, err);
    for (int64_t row = 0; row < st->snap.n_files && rc == TSF_OK; row++) {
        const struct delta_row *r = &st->files.rows[row];

        tsf_arena_reset(&scratch);
        if (!row_take(c, n, row, r->blob_row, &scratch))
            stats_scan(delta_heap_get(st->files.heap, r->stats), &scratch, c, n, row, r->footer_offset >= 0, r->dv.len > 0);
        for (int i = 0; i < n && rc == TSF_OK; i++)
            rc = column_push(&c[i], err);
    }
    for (int i = 0; i < n && rc == TSF_OK; i++)
        rc = column_finish(st, &c[i], &st->bounds[fields[i]], err);
    for (int i = 0; c != NULL && i < n; i++)
        for (int side = 0; side < 2; side++)
            if (c[i].typed)
                tsf_builder_release(&c[i].side[side]);
    tsf_arena_release(&keep);
    tsf_arena_release(&scratch);
    return rc;
}

/* The snapshot is the blob's own, row for row: its columns are the answer. */
static bool bounds_whole(struct delta_state *st, int field)
{
    const struct tsf_field *f = &st->head->metadata.schema.fields[field];
    struct tsf_value null = { .type = f->type, .is_null = true };
    struct delta_bounds b;
    int64_t n;

    if (!st->files.borrowed || !delta_blob_bounds(st->files.heap->blob, field, f->type, &st->lazy, &b, &n) || n != st->snap.n_files)
        return false;
    if (!b.any && has_bounds(f->type) &&
        (tsf_vector_constant(&null, n, &st->lazy, &b.min, NULL) != TSF_OK || tsf_vector_constant(&null, n, &st->lazy, &b.max, NULL) != TSF_OK))
        return false;
    st->bounds[field] = b;
    return true;
}

enum tsf_err delta_bounds_all(struct delta_snapshot *s, struct tsf_error *err)
{
    struct delta_state *st = s->state;
    const struct delta_metadata *m = &st->head->metadata;
    int *fields, n = 0;
    enum tsf_err rc;

    if ((fields = tsf_malloc_array((size_t)m->schema.n_fields + 1, sizeof *fields)) == NULL)
        return tsf_fail_nomem(err);
    for (int i = 0; i < m->schema.n_fields; i++)
        if (st->bounds[i].null_count == NULL)
            fields[n++] = i;
    rc = n > 0 ? bounds_make(st, fields, n, err) : TSF_OK;
    free(fields);
    return rc;
}

enum tsf_err delta_snapshot_bounds(struct delta_snapshot *s, int field, const struct delta_bounds **out, struct tsf_error *err)
{
    struct delta_state *st = s->state;
    enum tsf_err rc = TSF_OK;

    if (st->bounds[field].null_count == NULL && !bounds_whole(st, field))
        rc = bounds_make(st, &field, 1, err);
    if (rc == TSF_OK)
        *out = &st->bounds[field];
    return rc;
}
