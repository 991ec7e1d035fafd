/* Types and schemas, and their Delta JSON. See column.h. */
#include "column/column.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define SCHEMA_DEPTH_MAX 32

const struct tsf_type tsf_types[TSF_TYPE_COUNT] = {
    [TSF_TYPE_NULL] = { .id = TSF_TYPE_NULL },
    [TSF_TYPE_BOOL] = { .id = TSF_TYPE_BOOL },
    [TSF_TYPE_INT8] = { .id = TSF_TYPE_INT8 },
    [TSF_TYPE_INT16] = { .id = TSF_TYPE_INT16 },
    [TSF_TYPE_INT32] = { .id = TSF_TYPE_INT32 },
    [TSF_TYPE_INT64] = { .id = TSF_TYPE_INT64 },
    [TSF_TYPE_FLOAT] = { .id = TSF_TYPE_FLOAT },
    [TSF_TYPE_DOUBLE] = { .id = TSF_TYPE_DOUBLE },
    [TSF_TYPE_DECIMAL] = { .id = TSF_TYPE_DECIMAL, .precision = 38, .scale = 0 },
    [TSF_TYPE_DATE] = { .id = TSF_TYPE_DATE },
    [TSF_TYPE_TIMESTAMP] = { .id = TSF_TYPE_TIMESTAMP },
    [TSF_TYPE_TIMESTAMP_NTZ] = { .id = TSF_TYPE_TIMESTAMP_NTZ },
    [TSF_TYPE_STRING] = { .id = TSF_TYPE_STRING },
    [TSF_TYPE_BINARY] = { .id = TSF_TYPE_BINARY },
    [TSF_TYPE_INTERVAL] = { .id = TSF_TYPE_INTERVAL },
    [TSF_TYPE_TIME] = { .id = TSF_TYPE_TIME },
    [TSF_TYPE_UUID] = { .id = TSF_TYPE_UUID },
    [TSF_TYPE_LIST] = { .id = TSF_TYPE_LIST },
    [TSF_TYPE_STRUCT] = { .id = TSF_TYPE_STRUCT },
    [TSF_TYPE_MAP] = { .id = TSF_TYPE_MAP },
};
const struct tsf_type tsf_type_json = { .id = TSF_TYPE_STRING, .json = true };

/* A table in read-only data, so that decimal types need neither an arena nor a lock. */
#define DEC(p, s) { .id = TSF_TYPE_DECIMAL, .precision = (p), .scale = (s) }
#define DEC10(p, s) DEC(p, s), DEC(p, s + 1), DEC(p, s + 2), DEC(p, s + 3), DEC(p, s + 4), \
                    DEC(p, s + 5), DEC(p, s + 6), DEC(p, s + 7), DEC(p, s + 8), DEC(p, s + 9)
#define DEC_ROW(p) { DEC10(p, 0), DEC10(p, 10), DEC10(p, 20), DEC10(p, 30) }
static const struct tsf_type decimal_types[38][40] = {
    DEC_ROW(1), DEC_ROW(2), DEC_ROW(3), DEC_ROW(4), DEC_ROW(5), DEC_ROW(6), DEC_ROW(7), DEC_ROW(8),
    DEC_ROW(9), DEC_ROW(10), DEC_ROW(11), DEC_ROW(12), DEC_ROW(13), DEC_ROW(14), DEC_ROW(15), DEC_ROW(16),
    DEC_ROW(17), DEC_ROW(18), DEC_ROW(19), DEC_ROW(20), DEC_ROW(21), DEC_ROW(22), DEC_ROW(23), DEC_ROW(24),
    DEC_ROW(25), DEC_ROW(26), DEC_ROW(27), DEC_ROW(28), DEC_ROW(29), DEC_ROW(30), DEC_ROW(31), DEC_ROW(32),
    DEC_ROW(33), DEC_ROW(34), DEC_ROW(35), DEC_ROW(36), DEC_ROW(37), DEC_ROW(38),
};

const struct tsf_type *tsf_type_decimal(int precision, int scale)
{
    if (precision < 1 || precision > 38 || scale < 0 || scale > precision)
        return NULL;
    return &decimal_types[precision - 1][scale];
}

const struct tsf_type *tsf_type_list(struct tsf_arena *a, const struct tsf_type *element, bool contains_null)
{
    struct tsf_type *t = tsf_arena_calloc(a, 1, sizeof *t);
    struct tsf_field *f = tsf_arena_calloc(a, 1, sizeof *f);

    if (!t || !f)
        return NULL;
    *f = (struct tsf_field){ .name = "element", .type = element, .nullable = contains_null, .field_id = -1 };
    *t = (struct tsf_type){ .id = TSF_TYPE_LIST, .n_children = 1, .children = f };
    return t;
}

bool tsf_type_eq(const struct tsf_type *a, const struct tsf_type *b)
{
    if (a == b)
        return true;
    if (a->id != b->id || a->json != b->json || a->n_children != b->n_children)
        return false;
    if (a->id == TSF_TYPE_DECIMAL)
        return a->precision == b->precision && a->scale == b->scale;
    for (int i = 0; i < a->n_children; i++) {
        if (a->id == TSF_TYPE_STRUCT && strcmp(a->children[i].name, b->children[i].name) != 0)
            return false;
        if (!tsf_type_eq(a->children[i].type, b->children[i].type))
            return false;
    }
    return true;
}

int tsf_type_width(const struct tsf_type *t)
{
    static const uint8_t width[TSF_TYPE_COUNT] = {
        [TSF_TYPE_BOOL] = 1, [TSF_TYPE_INT8] = 1, [TSF_TYPE_INT16] = 2, [TSF_TYPE_INT32] = 4,
        [TSF_TYPE_INT64] = 8, [TSF_TYPE_FLOAT] = 4, [TSF_TYPE_DOUBLE] = 8, [TSF_TYPE_DECIMAL] = 16,
        [TSF_TYPE_DATE] = 4, [TSF_TYPE_TIMESTAMP] = 8, [TSF_TYPE_TIMESTAMP_NTZ] = 8, [TSF_TYPE_STRING] = 16,
        [TSF_TYPE_BINARY] = 16, [TSF_TYPE_INTERVAL] = 16, [TSF_TYPE_TIME] = 8, [TSF_TYPE_UUID] = 16,
        [TSF_TYPE_LIST] = 4, [TSF_TYPE_MAP] = 4,
    };
    return width[t->id];
}

bool tsf_type_is_integer(const struct tsf_type *t)
{
    return t->id >= TSF_TYPE_INT8 && t->id <= TSF_TYPE_INT64;
}

bool tsf_type_is_string(const struct tsf_type *t)
{
    return t->id == TSF_TYPE_STRING || t->id == TSF_TYPE_BINARY;
}

static const char *const sql_names[TSF_TYPE_COUNT] = {
    [TSF_TYPE_NULL] = "unknown", [TSF_TYPE_BOOL] = "boolean", [TSF_TYPE_INT8] = "tinyint",
    [TSF_TYPE_INT16] = "smallint", [TSF_TYPE_INT32] = "integer", [TSF_TYPE_INT64] = "bigint",
    [TSF_TYPE_FLOAT] = "real", [TSF_TYPE_DOUBLE] = "double precision", [TSF_TYPE_DATE] = "date",
    [TSF_TYPE_TIMESTAMP] = "timestamp with time zone",
    [TSF_TYPE_TIMESTAMP_NTZ] = "timestamp without time zone", [TSF_TYPE_STRING] = "text",
    [TSF_TYPE_BINARY] = "bytea", [TSF_TYPE_INTERVAL] = "interval",
    [TSF_TYPE_TIME] = "time without time zone", [TSF_TYPE_UUID] = "uuid", [TSF_TYPE_STRUCT] = "record",
    [TSF_TYPE_MAP] = "map",
};

const char *tsf_type_sql_name(const struct tsf_type *t, struct tsf_arena *a)
{
    const char *s;

    if (t->json)
        return "jsonb";
    if (t->id == TSF_TYPE_DECIMAL)
        s = tsf_arena_printf(a, "numeric(%d,%d)", t->precision, t->scale);
    else if (t->id == TSF_TYPE_LIST)
        s = t->n_children ? tsf_arena_printf(a, "%s[]", tsf_type_sql_name(t->children[0].type, a)) : "anyarray";
    else
        s = sql_names[t->id];
    return s ? s : "?";
}

int tsf_schema_find(const struct tsf_schema *s, struct tsf_str name)
{
    for (int i = 0; i < s->n_fields; i++)
        if (tsf_str_eqz(name, s->fields[i].name))
            return i;
    for (int i = 0; i < s->n_fields; i++)
        if (strlen(s->fields[i].name) == name.len && strncasecmp(s->fields[i].name, name.data, name.len) == 0)
            return i;
    return -1;
}

/* ---- Delta names ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum tsf_type_id id;
} delta_names[] = {
    { "string", TSF_TYPE_STRING },       { "long", TSF_TYPE_INT64 },     { "integer", TSF_TYPE_INT32 },
    { "short", TSF_TYPE_INT16 },         { "byte", TSF_TYPE_INT8 },      { "float", TSF_TYPE_FLOAT },
    { "double", TSF_TYPE_DOUBLE },       { "boolean", TSF_TYPE_BOOL },   { "binary", TSF_TYPE_BINARY },
    { "date", TSF_TYPE_DATE },           { "timestamp", TSF_TYPE_TIMESTAMP },
    { "timestamp_ntz", TSF_TYPE_TIMESTAMP_NTZ },
};

/* "decimal", "decimal(p)", "decimal(p,s)", blanks allowed inside. */
static const struct tsf_type *decimal_from_delta(struct tsf_str name)
{
    char text[32];
    int p = 10, s = 0, used = 0;

    if (name.len >= sizeof text || memcmp(name.data, "decimal", 7) != 0)
        return NULL;
    memcpy(text, name.data, name.len);
    text[name.len] = 0;
    if (text[7] == 0)
        return tsf_type_decimal(10, 0);
    if (sscanf(text + 7, " ( %3d , %3d )%n", &p, &s, &used) == 2 && used && text[7 + used] == 0)
        return tsf_type_decimal(p, s);
    used = 0;
    if (sscanf(text + 7, " ( %3d )%n", &p, &used) == 1 && used && text[7 + used] == 0)
        return tsf_type_decimal(p, 0);
    return NULL;
}

enum tsf_err tsf_type_from_delta(struct tsf_str name, const struct tsf_type **out, struct tsf_error *err)
{
    for (size_t i = 0; i < TSF_ARRAY_LEN(delta_names); i++)
        if (tsf_str_eqz(name, delta_names[i].name)) {
            *out = &tsf_types[delta_names[i].id];
            return TSF_OK;
        }
    if (tsf_str_starts(name, TSF_STR("decimal"))) {
        if ((*out = decimal_from_delta(name)))
            return TSF_OK;
        return tsf_fail(err, TSF_ERR_FORMAT, "bad decimal type \"%.*s\"", (int)TSF_MIN(name.len, 64), name.data);
    }
    return tsf_fail(err, TSF_ERR_UNSUPPORTED, "type \"%.*s\" is not supported", (int)TSF_MIN(name.len, 64), name.data);
}

/* ---- from JSON ----------------------------------------------------------------------------------------- */

static enum tsf_err fields_parse(const json_t *array, int depth, struct tsf_arena *a, struct tsf_field **fields_out,
                                 int *n_out, struct tsf_error *err);

static enum tsf_err nested_parse(const json_t *node, int depth, struct tsf_arena *a, const struct tsf_type **out,
                                 struct tsf_error *err);

static enum tsf_err type_parse(const json_t *node, int depth, struct tsf_arena *a, const struct tsf_type **out,
                               struct tsf_error *err)
{
    if (depth > SCHEMA_DEPTH_MAX)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "types nested deeper than %d", SCHEMA_DEPTH_MAX);
    if (json_is_string(node))
        return tsf_type_from_delta(tsf_str_n(json_string_value(node), json_string_length(node)), out, err);
    if (json_is_object(node))
        return nested_parse(node, depth, a, out, err);
    return tsf_fail(err, TSF_ERR_FORMAT, "type is neither a name nor an object");
}

static enum tsf_err nested_parse(const json_t *node, int depth, struct tsf_arena *a, const struct tsf_type **out,
                                 struct tsf_error *err)
{
    const char *kind = json_string_value(json_object_get(node, "type"));
    struct tsf_type *t = tsf_arena_calloc(a, 1, sizeof *t);
    struct tsf_field *f = tsf_arena_calloc(a, 2, sizeof *f);
    enum tsf_err rc;

    if (!t || !f)
        return tsf_fail_nomem(err);
    if (!kind)
        return tsf_fail(err, TSF_ERR_FORMAT, "nested type has no \"type\"");
    t->children = f;
    if (strcmp(kind, "struct") == 0) {
        t->id = TSF_TYPE_STRUCT;
        if ((rc = fields_parse(json_object_get(node, "fields"), depth + 1, a, &f, &t->n_children, err)) != TSF_OK)
            return rc;
        t->children = f;
    } else if (strcmp(kind, "array") == 0) {
        t->id = TSF_TYPE_LIST;
        t->n_children = 1;
        f[0] = (struct tsf_field){ .name = "element", .field_id = -1,
                                   .nullable = !json_is_false(json_object_get(node, "containsNull")) };
        if ((rc = type_parse(json_object_get(node, "elementType"), depth + 1, a, &f[0].type, err)) != TSF_OK)
            return rc;
    } else if (strcmp(kind, "map") == 0) {
        t->id = TSF_TYPE_MAP;
        t->n_children = 2;
        f[0] = (struct tsf_field){ .name = "key", .field_id = -1 };
        f[1] = (struct tsf_field){ .name = "value", .field_id = -1,
                                   .nullable = !json_is_false(json_object_get(node, "valueContainsNull")) };
        if ((rc = type_parse(json_object_get(node, "keyType"), depth + 1, a, &f[0].type, err)) != TSF_OK ||
            (rc = type_parse(json_object_get(node, "valueType"), depth + 1, a, &f[1].type, err)) != TSF_OK)
            return rc;
    } else {
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "type \"%.64s\" is not supported", kind);
    }
    *out = t;
    return TSF_OK;
}

/* Keep the metadata as text and draw from it what the other rooms ask for. */
static enum tsf_err metadata_parse(const json_t *meta, struct tsf_arena *a, struct tsf_field *f, struct tsf_error *err)
{
    const json_t *id = json_object_get(meta, "delta.columnMapping.id");
    const char *physical = json_string_value(json_object_get(meta, "delta.columnMapping.physicalName"));
    const char *kind = json_string_value(json_object_get(meta, "tsf.type"));
    char *text;

    if (!json_is_object(meta) || json_object_size(meta) == 0)
        return TSF_OK;
    if (json_is_integer(id) && json_integer_value(id) >= 0 && json_integer_value(id) <= INT32_MAX)
        f->field_id = (int32_t)json_integer_value(id);
    if (physical && !(f->physical = tsf_arena_strdup(a, physical)))
        return tsf_fail_nomem(err);
    if (kind && strcmp(kind, "json") == 0 && f->type->id == TSF_TYPE_STRING)
        f->type = &tsf_type_json;
    if (!(text = json_dumps(meta, JSON_COMPACT)))
        return tsf_fail_nomem(err);
    f->metadata = tsf_arena_strdup(a, text);
    free(text);
    return f->metadata ? TSF_OK : tsf_fail_nomem(err);
}

static enum tsf_err field_parse(const json_t *node, int depth, struct tsf_arena *a, struct tsf_field *out,
                                struct tsf_error *err)
{
    const char *name = json_string_value(json_object_get(node, "name"));
    enum tsf_err rc;

    if (!name)
        return tsf_fail(err, TSF_ERR_FORMAT, "schema field has no name");
    *out = (struct tsf_field){ .field_id = -1, .nullable = !json_is_false(json_object_get(node, "nullable")) };
    if (!(out->name = tsf_arena_strdup(a, name)))
        return tsf_fail_nomem(err);
    if ((rc = type_parse(json_object_get(node, "type"), depth, a, &out->type, err)) != TSF_OK ||
        (rc = metadata_parse(json_object_get(node, "metadata"), a, out, err)) != TSF_OK)
        return tsf_prepend(err, rc, "column \"%.100s\"", name);
    return TSF_OK;
}

static enum tsf_err fields_parse(const json_t *array, int depth, struct tsf_arena *a, struct tsf_field **fields_out,
                                 int *n_out, struct tsf_error *err)
{
    size_t n = json_array_size(array);
    struct tsf_field *fields;
    enum tsf_err rc;

    if (!json_is_array(array))
        return tsf_fail(err, TSF_ERR_FORMAT, "struct has no \"fields\" array");
    if (n > INT32_MAX || !(fields = tsf_arena_calloc(a, n ? n : 1, sizeof *fields)))
        return tsf_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        if ((rc = field_parse(json_array_get(array, i), depth, a, &fields[i], err)) != TSF_OK)
            return rc;
    *fields_out = fields;
    *n_out = (int)n;
    return TSF_OK;
}

enum tsf_err tsf_schema_from_delta(struct tsf_str json, struct tsf_arena *a, struct tsf_schema *out, struct tsf_error *err)
{
    json_error_t jerr;
    json_t *root = json_loadb(json.data ? json.data : "", json.len, 0, &jerr);
    struct tsf_schema s = { 0 };
    const char *kind;
    enum tsf_err rc;

    if (!root)
        return tsf_fail_at(err, jerr.position, "schema: %s", jerr.text);
    kind = json_string_value(json_object_get(root, "type"));
    if (!kind || strcmp(kind, "struct") != 0)
        rc = tsf_fail(err, TSF_ERR_FORMAT, "schema is not a struct");
    else
        rc = fields_parse(json_object_get(root, "fields"), 1, a, &s.fields, &s.n_fields, err);
    json_decref(root);
    if (rc == TSF_OK)
        *out = s;
    return rc;
}

/* ---- to JSON ---------------------------------------------------------------------------------------------- */

static enum tsf_err fields_write(const struct tsf_field *f, int n, struct tsf_buf *out, struct tsf_error *err);

static enum tsf_err primitive_write(const struct tsf_type *t, struct tsf_buf *out, struct tsf_error *err)
{
    if (t->id == TSF_TYPE_DECIMAL)
        return tsf_buf_printf(out, err, "\"decimal(%d,%d)\"", t->precision, t->scale);
    for (size_t i = 0; i < TSF_ARRAY_LEN(delta_names); i++)
        if (delta_names[i].id == t->id)
            return tsf_buf_printf(out, err, "\"%s\"", delta_names[i].name);
    return tsf_fail(err, TSF_ERR_UNSUPPORTED, "type %s cannot be stored in a Delta table",
                    sql_names[t->id] ? sql_names[t->id] : "?");
}

static enum tsf_err type_write(const struct tsf_type *t, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;

    switch (t->id) {
    case TSF_TYPE_STRUCT:
        if ((rc = tsf_buf_append_z(out, "{\"type\":\"struct\",\"fields\":", err)) != TSF_OK ||
            (rc = fields_write(t->children, t->n_children, out, err)) != TSF_OK)
            return rc;
        return tsf_buf_append_u8(out, '}', err);
    case TSF_TYPE_LIST:
        if ((rc = tsf_buf_append_z(out, "{\"type\":\"array\",\"elementType\":", err)) != TSF_OK ||
            (rc = type_write(t->children[0].type, out, err)) != TSF_OK)
            return rc;
        return tsf_buf_printf(out, err, ",\"containsNull\":%s}", t->children[0].nullable ? "true" : "false");
    case TSF_TYPE_MAP:
        if ((rc = tsf_buf_append_z(out, "{\"type\":\"map\",\"keyType\":", err)) != TSF_OK ||
            (rc = type_write(t->children[0].type, out, err)) != TSF_OK ||
            (rc = tsf_buf_append_z(out, ",\"valueType\":", err)) != TSF_OK ||
            (rc = type_write(t->children[1].type, out, err)) != TSF_OK)
            return rc;
        return tsf_buf_printf(out, err, ",\"valueContainsNull\":%s}", t->children[1].nullable ? "true" : "false");
    default:
        return primitive_write(t, out, err);
    }
}

/* The metadata as it came; keys that the field's own members imply are added when they are missing. */
static enum tsf_err metadata_write(const struct tsf_field *f, struct tsf_buf *out, struct tsf_error *err)
{
    json_t *meta = NULL;
    char *text = NULL;
    enum tsf_err rc = TSF_OK;

    if (!f->type->json && f->field_id < 0 && !f->physical)
        return tsf_buf_append_z(out, f->metadata ? f->metadata : "{}", err);
    meta = f->metadata ? json_loads(f->metadata, 0, NULL) : json_object();
    if (!json_is_object(meta)) {
        rc = tsf_fail(err, TSF_ERR_INVALID, "column \"%.100s\": metadata is not a JSON object", f->name);
        goto done;
    }
    if ((f->type->json && json_object_set_new(meta, "tsf.type", json_string("json")) != 0) ||
        (f->field_id >= 0 && json_object_set_new(meta, "delta.columnMapping.id", json_integer(f->field_id)) != 0) ||
        (f->physical &&
         json_object_set_new(meta, "delta.columnMapping.physicalName", json_string(f->physical)) != 0) ||
        !(text = json_dumps(meta, JSON_COMPACT)))
        rc = tsf_fail_nomem(err);
    else
        rc = tsf_buf_append_z(out, text, err);
done:
    free(text);
    json_decref(meta);
    return rc;
}

static enum tsf_err field_write(const struct tsf_field *f, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = tsf_buf_append_z(out, "{\"name\":", err)) != TSF_OK ||
        (rc = tsf_buf_append_json(out, tsf_str(f->name), err)) != TSF_OK ||
        (rc = tsf_buf_append_z(out, ",\"type\":", err)) != TSF_OK)
        return rc;
    if ((rc = type_write(f->type, out, err)) != TSF_OK)
        return tsf_prepend(err, rc, "column \"%.100s\"", f->name);
    if ((rc = tsf_buf_printf(out, err, ",\"nullable\":%s,\"metadata\":", f->nullable ? "true" : "false")) != TSF_OK ||
        (rc = metadata_write(f, out, err)) != TSF_OK)
        return rc;
    return tsf_buf_append_u8(out, '}', err);
}

static enum tsf_err fields_write(const struct tsf_field *f, int n, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = tsf_buf_append_u8(out, '[', err)) != TSF_OK)
        return rc;
    for (int i = 0; i < n; i++)
        if ((i && (rc = tsf_buf_append_u8(out, ',', err)) != TSF_OK) || (rc = field_write(&f[i], out, err)) != TSF_OK)
            return rc;
    return tsf_buf_append_u8(out, ']', err);
}

enum tsf_err tsf_schema_to_delta(const struct tsf_schema *s, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = tsf_buf_append_z(out, "{\"type\":\"struct\",\"fields\":", err)) != TSF_OK ||
        (rc = fields_write(s->fields, s->n_fields, out, err)) != TSF_OK)
        return rc;
    return tsf_buf_append_u8(out, '}', err);
}

/* ---- copies -------------------------------------------------------------------------------------------------- */

static struct tsf_field *fields_copy(const struct tsf_field *f, int n, struct tsf_arena *a);

static const struct tsf_type *type_copy(const struct tsf_type *t, struct tsf_arena *a)
{
    struct tsf_type *copy;

    if (t->n_children == 0) /* nearly always static; a copy is safe when it is not */
        return t->id == TSF_TYPE_DECIMAL ? tsf_type_decimal(t->precision, t->scale)
               : t->json                 ? &tsf_type_json
                                         : &tsf_types[t->id];
    if (!(copy = tsf_arena_memdup(a, t, sizeof *t)))
        return NULL;
    return (copy->children = fields_copy(t->children, t->n_children, a)) ? copy : NULL;
}

static struct tsf_field *fields_copy(const struct tsf_field *f, int n, struct tsf_arena *a)
{
    struct tsf_field *copy = tsf_arena_calloc(a, n ? (size_t)n : 1, sizeof *copy);

    for (int i = 0; copy && i < n; i++) {
        copy[i] = f[i];
        if (!(copy[i].name = tsf_arena_strdup(a, f[i].name)) || !(copy[i].type = type_copy(f[i].type, a)) ||
            (f[i].physical && !(copy[i].physical = tsf_arena_strdup(a, f[i].physical))) ||
            (f[i].metadata && !(copy[i].metadata = tsf_arena_strdup(a, f[i].metadata))))
            return NULL;
    }
    return copy;
}

enum tsf_err tsf_schema_copy(const struct tsf_schema *s, struct tsf_arena *a, struct tsf_schema *out, struct tsf_error *err)
{
    struct tsf_field *f = fields_copy(s->fields, s->n_fields, a);

    if (!f)
        return tsf_fail_nomem(err);
    *out = (struct tsf_schema){ .n_fields = s->n_fields, .fields = f };
    return TSF_OK;
}
