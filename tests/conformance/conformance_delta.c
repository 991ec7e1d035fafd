/*
 * Other projects' Delta tables against our reader: conformance_delta DIR [filter]
 *
 * DIR/delta/manifest.tsv names the cases, DIR/README.md says what they mean. Each case runs in a child of its own with
 * 1 GiB and 10 s, two at a time. Compared are the facts of the log, the versions that can be rebuilt, and the rows:
 * read through lib/parquet, with partition values, deletion vectors and column mapping.
 *
 * Lines: "ok", "FAIL" or "SKIP", "delta/<id>", reason. SKIP: refused as unsupported though a good reader would read it.
 */
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "delta/delta_internal.h"

#define BATCH_ROWS 1500
#define PASS 0
#define FAIL 1
#define SKIP 2

static const char *corpus;

struct outcome {
    int result;
    char why[520];
};

static void fail(struct outcome *o, const char *fmt, ...) TSF_PRINTF(2, 3);
static void fail(struct outcome *o, const char *fmt, ...)
{
    va_list ap;
    if (o->result == FAIL)
        return;
    o->result = FAIL;
    va_start(ap, fmt);
    vsnprintf(o->why, sizeof o->why, fmt, ap);
    va_end(ap);
}

static uint64_t fnv(const void *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const uint8_t *)p)[i]) * 0x100000001b3ULL;
    return h;
}

/* ---- values as text ------------------------------------------------------------------------------------------- */

static void put(struct tsf_buf *b, const char *fmt, ...) TSF_PRINTF(2, 3);
static void put(struct tsf_buf *b, const char *fmt, ...)
{
    char s[128];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(s, sizeof s, fmt, ap);
    va_end(ap);
    if (tsf_buf_append(b, s, (size_t)n, NULL) != TSF_OK)
        exit(FAIL);
}

/* Shortest digits that read back, in Python's form. */
static void put_float(struct tsf_buf *b, double v, bool single)
{
    char s[64], digits[32];
    int exp, n = 0;
    if (isnan(v) || isinf(v)) {
        put(b, "%s", isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    for (int p = 0; p < 17; p++) {
        snprintf(s, sizeof s, "%.*e", p, v);
        if (single ? strtof(s, NULL) == (float)v : strtod(s, NULL) == v)
            break;
    }
    exp = atoi(strchr(s, 'e') + 1);
    for (char *c = s; *c != 'e'; c++)
        if (*c >= '0' && *c <= '9')
            digits[n++] = *c;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    if (signbit(v))
        put(b, "-");
    if (exp < -4 || exp >= 16) {
        put(b, "%c%s%.*s", digits[0], n > 1 ? "." : "", n - 1, digits + 1);
        put(b, "e%c%02d", exp < 0 ? '-' : '+', abs(exp));
    } else if (exp < 0) {
        put(b, "0.%.*s%.*s", -exp - 1, "0000", n, digits);
    } else {
        for (int i = 0; i <= exp; i++)
            put(b, "%c", i < n ? digits[i] : '0');
        put(b, ".%.*s", n > exp + 1 ? n - exp - 1 : 1, n > exp + 1 ? digits + exp + 1 : "0");
    }
}

static void put_date(struct tsf_buf *b, int64_t days)
{
    int64_t y;
    int m, d;
    tsf_civil_from_days(days, &y, &m, &d);
    put(b, y < 0 || y > 9999 ? "%+05lld-%02d-%02d" : "%04lld-%02d-%02d", (long long)y, m, d);
}

static void put_time(struct tsf_buf *b, int64_t us, bool utc)
{
    int64_t days = us / TSF_US_PER_DAY - (us % TSF_US_PER_DAY < 0), in_day = us - days * TSF_US_PER_DAY;
    put_date(b, days);
    put(b, "T%02d:%02d:%02d.%06d%s", (int)(in_day / 3600000000), (int)(in_day / 60000000 % 60), (int)(in_day / 1000000 % 60),
        (int)(in_day % 1000000), utc ? "Z" : "");
}

static void put_string(struct tsf_buf *b, struct tsf_str s)
{
    put(b, "\"");
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        const char *esc = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : c == '\b' ? "\\b" : c == '\f' ? "\\f"
                        : c == '"' ? "\\\"" : c == '\\' ? "\\\\" : NULL;
        if (esc)
            put(b, "%s", esc);
        else if (c < 0x20)
            put(b, "\\u%04x", c);
        else
            put(b, "%c", c);
    }
    put(b, "\"");
}

static void put_scalar(struct tsf_buf *b, const struct tsf_value *v)
{
    char s[64];
    switch (v->type->id) {
    case TSF_TYPE_BOOL: put(b, "%s", v->u.b ? "true" : "false"); break;
    case TSF_TYPE_INT8: case TSF_TYPE_INT16: case TSF_TYPE_INT32: case TSF_TYPE_INT64: put(b, "%lld", (long long)v->u.i64); break;
    case TSF_TYPE_FLOAT: put_float(b, (double)v->u.f32, true); break;
    case TSF_TYPE_DOUBLE: put_float(b, v->u.f64, false); break;
    case TSF_TYPE_DECIMAL:
        s[tsf_decimal_format(v->u.i128, v->type->scale, s)] = '\0';
        put(b, "\"%s\"", s);
        break;
    case TSF_TYPE_DATE: put(b, "\""), put_date(b, v->u.i64), put(b, "\""); break;
    case TSF_TYPE_TIMESTAMP: case TSF_TYPE_TIMESTAMP_NTZ:
        put(b, "\""), put_time(b, v->u.i64, v->type->id == TSF_TYPE_TIMESTAMP), put(b, "\"");
        break;
    case TSF_TYPE_STRING: put_string(b, v->u.s); break;
    case TSF_TYPE_BINARY:
        put(b, "\"0x");
        for (size_t i = 0; i < v->u.s.len; i++)
            put(b, "%02x", (unsigned)(uint8_t)v->u.s.data[i]);
        put(b, "\"");
        break;
    default: put(b, "\"?\"");
    }
}

/* The field of a file that is field f of the table: by id under id mapping, else by physical name. */
static int file_field(const struct tsf_field *fields, int n, const struct tsf_field *f, bool by_id)
{
    const char *name = f->physical ? f->physical : f->name;
    for (int i = 0; by_id && i < n; i++)
        if (f->field_id >= 0 && fields[i].field_id == f->field_id)
            return i;
    for (int i = 0; !by_id && i < n; i++)
        if (strcmp(fields[i].name, name) == 0)
            return i;
    for (int i = 0; !by_id && i < n; i++)
        if (strcasecmp(fields[i].name, name) == 0)
            return i;
    return -1;
}

/* Widening of what a file has to what the table says, for values inside of nested columns. */
static void adapt(struct tsf_value *v, const struct tsf_type *t)
{
    if (v->type->id == t->id)
        return;
    if (tsf_type_is_integer(v->type) && t->id == TSF_TYPE_DOUBLE)
        v->u.f64 = (double)v->u.i64;
    else if (v->type->id == TSF_TYPE_FLOAT && t->id == TSF_TYPE_DOUBLE)
        v->u.f64 = (double)v->u.f32;
    v->type = t;
}

static void put_value(struct tsf_buf *b, const struct tsf_type *t, const struct tsf_vector *v, int64_t row, bool by_id)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_value value;

    if (v == NULL || !tsf_vector_present(v, row)) {
        put(b, "null");
    } else if (t->id == TSF_TYPE_STRUCT) {
        for (int i = 0; i < t->n_children; i++) {
            int at = file_field(v->type->children, v->type->n_children, &t->children[i], by_id);
            put(b, i ? "," : "{");
            put_string(b, tsf_str(t->children[i].name));
            put(b, ":");
            put_value(b, t->children[i].type, at < 0 ? NULL : &v->children[at], row, by_id);
        }
        put(b, "%s", t->n_children ? "}" : "{}");
    } else if (t->id == TSF_TYPE_LIST || t->id == TSF_TYPE_MAP) {
        const int32_t *off = v->values;
        put(b, "[");
        for (int32_t e = off[row]; e < off[row + 1]; e++) {
            put(b, "%s%s", e > off[row] ? "," : "", t->id == TSF_TYPE_MAP ? "{\"key\":" : "");
            put_value(b, t->children[0].type, &v->children[0], e, by_id);
            if (t->id == TSF_TYPE_MAP) {
                put(b, ",\"value\":");
                put_value(b, t->children[1].type, &v->children[1], e, by_id);
                put(b, "}");
            }
        }
        put(b, "]");
    } else if (tsf_vector_get(v, row, &a, &value, NULL) == TSF_OK) {
        adapt(&value, t);
        put_scalar(b, &value);
    }
    tsf_arena_release(&a);
}

static uint64_t scalar_digest(const struct tsf_value *v)
{
    int32_t i32 = (int32_t)v->u.i64;
    char s[64];
    switch (v->type->id) {
    case TSF_TYPE_BOOL: return fnv(&(uint8_t){ v->u.b }, 1);
    case TSF_TYPE_INT8: case TSF_TYPE_INT16: case TSF_TYPE_INT32: case TSF_TYPE_DATE: return fnv(&i32, 4);
    case TSF_TYPE_FLOAT: return fnv(&v->u.f32, 4);
    case TSF_TYPE_DOUBLE: return fnv(&v->u.f64, 8);
    case TSF_TYPE_DECIMAL: return fnv(s, tsf_decimal_format(v->u.i128, v->type->scale, s));
    case TSF_TYPE_STRING: case TSF_TYPE_BINARY: return fnv(v->u.s.data, v->u.s.len);
    default: return fnv(&v->u.i64, 8);
    }
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

struct column_facts {
    int64_t nulls;
    uint64_t digest;
};
struct rows {
    char **lines;
    size_t n, cap;
    uint64_t digest;
    int64_t deleted;
    struct column_facts *columns;
};

static bool nested(const struct tsf_type *t)
{
    return t->n_children > 0 || t->id == TSF_TYPE_STRUCT;
}

static void add_row(struct rows *r, const struct tsf_schema *s, const struct tsf_vector **v, int64_t row, bool by_id, struct tsf_buf *b)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    tsf_buf_reset(b);
    for (int i = 0; i < s->n_fields; i++) {
        struct tsf_value value;
        put(b, i ? "," : "{");
        put_string(b, tsf_str(s->fields[i].name));
        put(b, ":");
        put_value(b, s->fields[i].type, v[i], row, by_id);
        if (v[i] == NULL || !tsf_vector_present(v[i], row))
            r->columns[i].nulls++;
        else if (!nested(s->fields[i].type) && tsf_vector_get(v[i], row, &a, &value, NULL) == TSF_OK)
            r->columns[i].digest += scalar_digest(&value);
    }
    put(b, "}");
    r->digest += fnv(b->data, b->len);
    if (!tsf_realloc_array((void **)&r->lines, &r->cap, r->n + 1, sizeof *r->lines))
        exit(FAIL);
    r->lines[r->n++] = strndup((const char *)b->data, b->len);
    tsf_arena_release(&a);
}

struct scan {
    const struct delta_snapshot *s;
    struct store *store;
    struct rows *rows;
    struct delta_file file;
    int64_t *deleted, n_deleted, at_deleted, row;
    struct tsf_buf text;
};

static enum tsf_err scan_group(struct scan *sc, const struct parquet_file *f, int group, bool by_id, struct tsf_error *err)
{
    const struct tsf_schema *schema = &sc->s->metadata.schema;
    const int n = schema->n_fields;
    struct parquet_column **cols = calloc((size_t)n + 1, sizeof *cols);
    struct tsf_vector *v = calloc((size_t)n + 1, sizeof *v);
    const struct tsf_vector **present = calloc((size_t)n + 1, sizeof *present);
    const struct tsf_value **constant = calloc((size_t)n + 1, sizeof *constant);
    struct tsf_arena a = TSF_ARENA_INIT;
    enum tsf_err rc = TSF_OK;

    for (int k = 0; k < sc->s->metadata.n_partition; k++)
        constant[sc->s->metadata.partition_fields[k]] = &sc->file.partition[k];
    for (int i = 0; i < n && rc == TSF_OK; i++) {
        int at = constant[i] ? -1 : file_field(f->schema.fields, f->schema.n_fields, &schema->fields[i], by_id);
        const struct parquet_column_options opts = { .as = nested(schema->fields[i].type) ? NULL : schema->fields[i].type };
        if (at >= 0)
            rc = parquet_column_open(f, group, at, &opts, &cols[i], err);
    }
    for (int64_t left = f->meta->row_groups[group].n_rows; left > 0 && rc == TSF_OK;) {
        int64_t m = TSF_MIN(left, BATCH_ROWS);
        tsf_arena_reset(&a);
        for (int i = 0; i < n && rc == TSF_OK; i++) {
            present[i] = cols[i] || constant[i] ? &v[i] : NULL;
            if (cols[i])
                rc = parquet_column_read(cols[i], m, &a, &v[i], err);
            else if (constant[i])
                rc = tsf_vector_constant(constant[i], m, &a, &v[i], err);
        }
        for (int64_t row = 0; row < m && rc == TSF_OK; row++, sc->row++) {
            if (sc->at_deleted < sc->n_deleted && sc->deleted[sc->at_deleted] == sc->row) {
                sc->at_deleted++;
                sc->rows->deleted++;
                continue;
            }
            add_row(sc->rows, schema, present, row, by_id, &sc->text);
        }
        left -= m;
    }
    for (int i = 0; i < n; i++)
        parquet_column_close(cols[i]);
    tsf_arena_release(&a);
    free(cols);
    free(v);
    free(present);
    free(constant);
    return rc;
}

static enum tsf_err scan_file(struct scan *sc, int64_t i, struct tsf_error *err)
{
    const char *mode = delta_config_get(&sc->s->metadata, "delta.columnMapping.mode");
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_source src = { 0 };
    struct parquet_file f = { 0 };
    char *key;
    enum tsf_err rc;

    sc->row = sc->at_deleted = sc->n_deleted = 0;
    if ((rc = delta_snapshot_file(sc->s, i, &a, &sc->file, err)) != TSF_OK)
        goto done;
    key = tsf_arena_strndup(&a, sc->file.path.data, sc->file.path.len);
    if (sc->file.is_absolute)
        rc = tsf_fail(err, TSF_ERR_UNSUPPORTED, "absolute path %s", key);
    else if ((rc = delta_dv_read(sc->store, &sc->file.dv, &a, &sc->deleted, &sc->n_deleted, err)) == TSF_OK &&
             (rc = store_source_open(sc->store, key, sc->file.size, &src, err)) == TSF_OK &&
             (rc = parquet_file_open(&f, &src, NULL, err)) == TSF_OK)
        for (int g = 0; g < f.meta->n_row_groups && rc == TSF_OK; g++)
            rc = scan_group(sc, &f, g, mode && strcmp(mode, "id") == 0, err);
    if (rc != TSF_OK)
        tsf_prepend(err, rc, "%.*s", (int)sc->file.path.len, sc->file.path.data);
done:
    parquet_file_release(&f);
    tsf_source_close(&src);
    tsf_arena_release(&a);
    return rc;
}

/* ---- comparing ------------------------------------------------------------------------------------------------------ */

static int64_t number(const json_t *o, const char *key)
{
    return (int64_t)json_number_value(json_object_get(o, key));
}

static void check_names(const char *what, const json_t *want, const char *const *got, int n, struct outcome *o)
{
    if (!json_is_array(want)) {
        if (n > 0)
            fail(o, "%s: %d, none expected", what, n);
        return;
    }
    if ((int)json_array_size(want) != n)
        fail(o, "%s: %d, not %zu", what, n, json_array_size(want));
    for (size_t i = 0; i < json_array_size(want) && o->result != FAIL; i++) {
        bool found = false;
        for (int k = 0; k < n; k++)
            found |= strcmp(got[k], json_string_value(json_array_get(want, i))) == 0;
        if (!found)
            fail(o, "%s: no %s", what, json_string_value(json_array_get(want, i)));
    }
}

static bool same_number(const json_t *a, const json_t *b)
{
    return json_number_value(a) == json_number_value(b);
}

static bool same_json(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *v;
    bool same;
    if (json_is_number(a) && json_is_number(b))
        return same_number(a, b);
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_string(a))
        return strcmp(json_string_value(a), json_string_value(b)) == 0;
    if (json_is_array(a)) {
        same = json_array_size(a) == json_array_size(b);
        for (size_t i = 0; same && i < json_array_size(a); i++)
            same = same_json(json_array_get(a, i), json_array_get(b, i));
        return same;
    }
    if (json_is_object(a)) {
        same = json_object_size(a) == json_object_size(b);
        json_object_foreach((json_t *)a, key, v)
            same = same && json_object_get(b, key) && same_json(v, json_object_get(b, key));
        return same;
    }
    return true;
}

/* Live files as the json lists them: path and partition values as in the log. */
static void check_files(const struct delta_snapshot *s, const json_t *want, struct outcome *o)
{
    const json_t *files = json_object_get(want, "files");
    struct tsf_arena a = TSF_ARENA_INIT;
    int64_t total = 0, deleted = 0;

    for (int64_t i = 0; i < s->n_files && o->result != FAIL; i++) {
        const struct delta_row *row = &s->state->files.rows[i];
        const struct delta_heap *h = s->state->files.heap;
        struct tsf_str raw = delta_heap_get(h, row->raw_path.len ? row->raw_path : row->path);
        struct delta_pair *pairs = NULL;
        struct delta_dv dv;
        json_t *got = json_object(), *file;
        bool found = !files;
        size_t k;
        int n = 0;

        tsf_arena_reset(&a);
        delta_partition_unpack(delta_heap_get(h, row->partition), &a, &pairs, &n);
        for (int p = 0; p < n; p++)
            json_object_setn_new(got, pairs[p].key.data, pairs[p].key.len,
                                 pairs[p].value.data ? json_stringn(pairs[p].value.data, pairs[p].value.len) : json_null());
        if (delta_dv_parse(delta_heap_get(h, row->dv), &a, &dv, NULL) != TSF_OK)
            fail(o, "broken deletion vector");
        total += row->size;
        deleted += dv.cardinality;
        json_array_foreach(files, k, file)
            if (tsf_str_eqz(raw, json_string_value(json_object_get(file, "path"))) && number(file, "dv_cardinality") == dv.cardinality) {
                found = true;
                if (number(file, "size") != row->size || !same_json(got, json_object_get(file, "partition_values")))
                    fail(o, "file %.*s: size %lld or partition values differ", (int)raw.len, raw.data, (long long)row->size);
            }
        if (!found)
            fail(o, "file %.*s is not expected", (int)raw.len, raw.data);
        json_decref(got);
    }
    tsf_arena_release(&a);
    if (s->n_files != number(want, "active_files") || total != number(want, "total_bytes") || deleted != number(want, "deleted_by_dv"))
        fail(o, "%lld files, %lld bytes, %lld rows deleted by vectors; not %lld, %lld, %lld", (long long)s->n_files, (long long)total,
             (long long)deleted, (long long)number(want, "active_files"), (long long)number(want, "total_bytes"),
             (long long)number(want, "deleted_by_dv"));
}

static void check_schema(const struct delta_snapshot *s, const json_t *want, struct outcome *o)
{
    const json_t *fields = json_object_get(want, "schema");
    if ((int)json_array_size(fields) != s->metadata.schema.n_fields)
        fail(o, "%d fields, not %zu", s->metadata.schema.n_fields, json_array_size(fields));
    for (int i = 0; i < s->metadata.schema.n_fields && o->result != FAIL; i++) {
        const struct tsf_field *f = &s->metadata.schema.fields[i];
        const json_t *w = json_array_get(fields, (size_t)i);
        const char *type = json_string_value(json_array_get(w, 1));
        const struct tsf_type *t = NULL;
        if (strcmp(f->name, json_string_value(json_array_get(w, 0))) != 0 || f->nullable != json_is_true(json_array_get(w, 2)))
            fail(o, "field %d is %s%s", i, f->name, f->nullable ? "" : " not null");
        else if (strchr(type, '<') == NULL && (tsf_type_from_delta(tsf_str(type), &t, NULL) != TSF_OK || !tsf_type_eq(t, f->type)))
            fail(o, "field %s is not of type %s", f->name, type);
    }
}

static void check_log(const struct delta_snapshot *s, const json_t *want, struct outcome *o)
{
    const json_t *p = json_object_get(want, "protocol"), *config = json_object_get(want, "configuration");
    const char **names = calloc((size_t)s->metadata.n_partition + 1, sizeof *names), *key;
    json_t *v;

    if (s->version != number(want, "version"))
        fail(o, "version %lld, not %lld", (long long)s->version, (long long)number(want, "version"));
    if (s->protocol.min_reader != number(p, "minReaderVersion") || s->protocol.min_writer != number(p, "minWriterVersion"))
        fail(o, "protocol %d, %d", s->protocol.min_reader, s->protocol.min_writer);
    check_names("readerFeatures", json_object_get(p, "readerFeatures"), s->protocol.reader_features, s->protocol.n_reader_features, o);
    check_names("writerFeatures", json_object_get(p, "writerFeatures"), s->protocol.writer_features, s->protocol.n_writer_features, o);
    if (json_is_string(json_object_get(want, "table_id")) && strcmp(s->metadata.id, json_string_value(json_object_get(want, "table_id"))) != 0)
        fail(o, "id %s", s->metadata.id);
    for (int k = 0; k < s->metadata.n_partition; k++)
        names[k] = s->metadata.schema.fields[s->metadata.partition_fields[k]].name;
    check_names("partition columns", json_object_get(want, "partition_columns"), names, s->metadata.n_partition, o);
    free(names);
    if ((int)json_object_size(config) != s->metadata.n_config)
        fail(o, "%d properties, not %zu", s->metadata.n_config, json_object_size(config));
    json_object_foreach((json_t *)config, key, v) {
        const char *got = delta_config_get(&s->metadata, key);
        if (!got || strcmp(got, json_string_value(v)) != 0)
            fail(o, "property %s is %s", key, got ? got : "missing");
    }
    json_object_foreach(json_object_get(want, "app_transactions"), key, v)
        if (delta_snapshot_txn(s, key) != (int64_t)json_number_value(v))
            fail(o, "txn %s is at %lld", key, (long long)delta_snapshot_txn(s, key));
    json_object_foreach(json_object_get(want, "domain_metadata"), key, v) {
        bool found = false;
        for (int i = 0; i < s->n_domains; i++)
            found |= strcmp(s->domains[i].domain, key) == 0 && strcmp(s->domains[i].configuration, json_string_value(v)) == 0;
        if (!found)
            fail(o, "domain %s differs", key);
    }
    check_schema(s, want, o);
    check_files(s, want, o);
}

static void check_versions(struct store *store, const json_t *want, struct outcome *o)
{
    json_t *v;
    size_t i;

    json_array_foreach(json_object_get(want, "versions"), i, v) {
        struct tsf_error err = TSF_ERROR_INIT;
        struct delta_snapshot *s = NULL;
        int64_t version = (int64_t)json_number_value(json_array_get(v, 0)), rows = 0;
        bool known = true;

        if (delta_snapshot_load(store, NULL, version, &s, &err) != TSF_OK) {
            fail(o, "version %lld: %s", (long long)version, err.msg);
            return;
        }
        if (s->n_files != (int64_t)json_number_value(json_array_get(v, 1)))
            fail(o, "version %lld: %lld files", (long long)version, (long long)s->n_files);
        for (int64_t f = 0; f < s->n_files; f++) {
            known &= s->n_rows[f] >= 0 && !delta_snapshot_has_dv(s, f);
            rows += s->n_rows[f];
        }
        if (known && json_is_number(json_array_get(v, 2)) && rows != (int64_t)json_number_value(json_array_get(v, 2)))
            fail(o, "version %lld: %lld rows by statistics", (long long)version, (long long)rows);
        delta_snapshot_free(s);
    }
}

static int line_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool same_line(const char *ours, const char *want)
{
    if (strcmp(ours, want) == 0)
        return true;
    json_t *a = json_loads(ours, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL), *b = json_loads(want, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool same = a && b && same_json(a, b);
    json_decref(a);
    json_decref(b);
    return same;
}

static void check_rows(const struct delta_snapshot *s, struct rows *r, const json_t *want, const char *dir, struct outcome *o)
{
    const char *name = json_string_value(json_object_get(want, "rows")), *digest = json_string_value(json_object_get(want, "rows_digest"));
    const json_t *columns = json_object_get(want, "columns");
    char path[16384], *line = NULL;
    size_t cap = 0, n = 0;
    json_t *c;
    FILE *f;

    if ((int64_t)r->n != number(want, "num_rows"))
        fail(o, "%zu rows, not %lld", r->n, (long long)number(want, "num_rows"));
    json_array_foreach(columns, n, c) {
        int at = tsf_schema_find(&s->metadata.schema, tsf_str(json_string_value(json_object_get(c, "name"))));
        const char *d = json_string_value(json_object_get(c, "digest"));
        if (at < 0 || r->columns[at].nulls != number(c, "nulls") || (d && r->columns[at].digest != strtoull(d, NULL, 16)))
            fail(o, "column %s: %lld nulls, digest %016llx", json_string_value(json_object_get(c, "name")),
                 at < 0 ? -1LL : (long long)r->columns[at].nulls, at < 0 ? 0ULL : (unsigned long long)r->columns[at].digest);
    }
    if (r->n > 1)
        qsort(r->lines, r->n, sizeof *r->lines, line_cmp);
    if (!name && digest && r->digest != strtoull(digest, NULL, 16))
        fail(o, "rows_digest is %016llx, not %s", (unsigned long long)r->digest, digest);
    if (!name)
        return;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (!(f = fopen(path, "r"))) {
        fail(o, "cannot open %s", path);
        return;
    }
    for (size_t i = 0; i < r->n && o->result != FAIL; i++) {
        ssize_t len = getline(&line, &cap, f);
        if (len <= 0)
            fail(o, "row %zu is one too many", i + 1);
        else {
            line[len - (line[len - 1] == '\n')] = '\0';
            if (!same_line(r->lines[i], line))
                fail(o, "row %zu is %.200s, not %.200s", i + 1, r->lines[i], line);
        }
    }
    free(line);
    fclose(f);
}

/* ---- a case --------------------------------------------------------------------------------------------------------- */

static enum tsf_err read_table(struct store *store, const json_t *want, const char *dir, bool *log_ok, struct outcome *o,
                               struct tsf_error *err)
{
    struct delta_snapshot *s = NULL;
    struct rows rows = { 0 };
    struct scan sc = { .store = store, .rows = &rows, .text = TSF_BUF_INIT(64 << 20) };
    enum tsf_err rc;

    if ((rc = delta_snapshot_load(store, NULL, -1, &s, err)) != TSF_OK)
        return rc;
    *log_ok = true;
    if (want) {
        check_log(s, want, o);
        check_versions(store, want, o);
    }
    sc.s = s;
    rows.columns = calloc((size_t)s->metadata.schema.n_fields + 1, sizeof *rows.columns);
    for (int64_t i = 0; i < s->n_files && rc == TSF_OK; i++)
        rc = scan_file(&sc, i, err);
    if (rc == TSF_OK && want && json_object_get(want, "columns"))
        check_rows(s, &rows, want, dir, o);
    for (size_t i = 0; i < rows.n; i++)
        free(rows.lines[i]);
    free(rows.lines);
    free(rows.columns);
    tsf_buf_release(&sc.text);
    delta_snapshot_free(s);
    return rc;
}

static void run_case(const char *id, const char *expect, struct outcome *o)
{
    char path[8192], json_path[8192], dir[8192];
    struct tsf_error err = TSF_ERROR_INIT;
    struct store *store = NULL;
    bool log_ok = false;
    enum tsf_err rc;

    snprintf(path, sizeof path, "%s/delta/tables/%s", corpus, id);
    snprintf(json_path, sizeof json_path, "%s/delta/expected/%s.json", corpus, id);
    snprintf(dir, sizeof dir, "%s/delta/expected/%.*s", corpus, (int)(strrchr(id, '/') - id), id);
    const bool reads = strncmp(expect, "read", 4) == 0;
    json_t *want = reads ? json_load_file(json_path, 0, NULL) : NULL;
    if (reads && !want) {
        fail(o, "cannot read %s", json_path);
        return;
    }
    if ((rc = store_open(path, &store, &err)) == TSF_OK)
        rc = read_table(store, want, dir, &log_ok, o, &err);
    store_free(store);
    const char *rows_expect = json_string_value(json_object_get(want, "rows_expect"));
    const bool rows_fail = rows_expect && strcmp(rows_expect, "error") == 0;
    json_decref(want);
    if (rc == TSF_OK) {
        if (strcmp(expect, "error") == 0 || rows_fail)
            fail(o, "read without an error");
        return;
    }
    if (o->result == FAIL)
        return;
    snprintf(o->why, sizeof o->why, "%s", err.msg);
    if (strcmp(expect, "read") == 0 && !(rows_fail && log_ok))
        o->result = rc == TSF_ERR_UNSUPPORTED ? SKIP : FAIL;
    if (err.code != rc || !err.msg[0])
        fail(o, "error %d without words", (int)rc);
}

/* ---- all cases -------------------------------------------------------------------------------------------------------- */

struct child {
    pid_t pid;
    int fd;
    char id[512];
};

static void child_start(struct child *c, const char *id, const char *expect)
{
    int fds[2];
    snprintf(c->id, sizeof c->id, "%s", id);
    fflush(stdout);
    if (pipe(fds) != 0 || (c->pid = fork()) < 0) {
        perror("conformance_delta");
        exit(1);
    }
    if (c->pid == 0) {
        struct outcome o = { PASS, "" };
        const struct rlimit as = { 1UL << 30, 1UL << 30 }, core = { 0, 0 };
#if !defined(TSF_ASAN) && !defined(TSF_TSAN)
        setrlimit(RLIMIT_AS, &as);
#endif
        (void)as;
        setrlimit(RLIMIT_CORE, &core);
        alarm(strncmp(expect, "read", 4) == 0 ? 60 : 10); /* a million rows as text take their time */
        close(fds[0]);
        run_case(id, expect, &o);
        dprintf(fds[1], "%s", o.why);
        _exit(o.result);
    }
    close(fds[1]);
    c->fd = fds[0];
}

static void child_end(struct child *c, int totals[3])
{
    static const char *const words[] = { "ok", "FAIL", "SKIP" };
    char why[600] = "";
    int status, result;
    ssize_t n = read(c->fd, why, sizeof why - 1);
    close(c->fd);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    why[n > 0 ? n : 0] = '\0';
    for (char *p = why; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    if (WIFSIGNALED(status)) {
        snprintf(why, sizeof why, "killed by signal %d", WTERMSIG(status));
        result = FAIL;
    } else {
        result = WEXITSTATUS(status) <= SKIP ? WEXITSTATUS(status) : FAIL;
    }
    printf("%s delta/%s %s%s\n", words[result], c->id, result == SKIP ? "not yet: " : "", why);
    totals[result]++;
    c->pid = 0;
}

int main(int argc, char **argv)
{
    struct child running[2] = { 0 };
    int next = 0, totals[3] = { 0 };
    char path[4096], *line = NULL;
    size_t cap = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: conformance_delta DIR [filter]\n");
        return 2;
    }
    corpus = argv[1];
    snprintf(path, sizeof path, "%s/delta/manifest.tsv", corpus);
    FILE *in = fopen(path, "r");
    if (!in) {
        printf("SKIP delta no cases at %s\n0 passed, 0 failed, 1 skipped\n", path);
        return 0;
    }
    while (getline(&line, &cap, in) > 0) {
        char *save = NULL, *id = strtok_r(line, "\t\n", &save), *expect = strtok_r(NULL, "\t\n", &save);
        if (!id || !expect || id[0] == '#' || (argc > 2 && !strstr(id, argv[2])))
            continue;
        if (running[next].pid)
            child_end(&running[next], totals);
        child_start(&running[next], id, expect);
        next = !next;
    }
    for (int i = 0; i < 2; i++, next = !next)
        if (running[next].pid)
            child_end(&running[next], totals);
    fclose(in);
    free(line);
    printf("%d passed, %d failed, %d skipped\n", totals[PASS], totals[FAIL], totals[SKIP]);
    return totals[FAIL] > 0;
}
