/*
 * tsf_schema to Parquet's schema, with logical types and the converted types that older readers know.
 *
 *   list     optional group name (LIST) { repeated group list { optional T element } }
 *   map      optional group name (MAP) { repeated group key_value { required K key; optional V value } }
 *   struct   optional group name { fields }
 *
 * JSON text is written as plain UTF8, so that other Delta engines see the string column that the table declares.
 */
#include "parquet/parquet_writer_internal.h"

enum { CONVERTED_UTF8 = 0, CONVERTED_MAP = 1, CONVERTED_LIST = 3, CONVERTED_DECIMAL = 5, CONVERTED_DATE = 6,
       CONVERTED_TIME_MICROS = 8, CONVERTED_TIMESTAMP_MICROS = 10, CONVERTED_INT_8 = 15, CONVERTED_INT_16 = 16 };
/* fields of the LogicalType union */
enum { LOGICAL_STRING = 1, LOGICAL_MAP = 2, LOGICAL_LIST = 3, LOGICAL_DECIMAL = 5, LOGICAL_DATE = 6, LOGICAL_TIME = 7,
       LOGICAL_TIMESTAMP = 8, LOGICAL_INTEGER = 10, LOGICAL_UNKNOWN = 11, LOGICAL_UUID = 14 };
enum { REQUIRED, OPTIONAL, REPEATED };

/* Bytes of the smallest two's complement number that holds the precision. */
static int decimal_bytes(int precision)
{
    tsf_uint128 max = (tsf_uint128)tsf_pow10(precision) - 1;
    int n = 1;
    while (n < 16 && max >> (8 * n - 1))
        n++;
    return n;
}

static void store_as(struct parquet_leaf *l, int physical, enum parquet_kind kind, int width, int type_length)
{
    l->physical = (int8_t)physical;
    l->kind = kind;
    l->width = width;
    l->type_length = type_length;
}

bool parquet_leaf_type(const struct tsf_type *t, struct parquet_leaf *l)
{
    switch (t->id) {
    case TSF_TYPE_BOOL:
        store_as(l, PARQUET_BOOLEAN, PARQUET_KIND_BOOL, 1, 0);
        return true;
    case TSF_TYPE_NULL: case TSF_TYPE_INT8: case TSF_TYPE_INT16: case TSF_TYPE_INT32: case TSF_TYPE_DATE:
        store_as(l, PARQUET_INT32, PARQUET_KIND_I32, 4, 0);
        return true;
    case TSF_TYPE_INT64: case TSF_TYPE_TIMESTAMP: case TSF_TYPE_TIMESTAMP_NTZ: case TSF_TYPE_TIME:
        store_as(l, PARQUET_INT64, PARQUET_KIND_I64, 8, 0);
        return true;
    case TSF_TYPE_FLOAT:
        store_as(l, PARQUET_FLOAT, PARQUET_KIND_F32, 4, 0);
        return true;
    case TSF_TYPE_DOUBLE:
        store_as(l, PARQUET_DOUBLE, PARQUET_KIND_F64, 8, 0);
        return true;
    case TSF_TYPE_DECIMAL:
        if (t->precision <= 9)
            store_as(l, PARQUET_INT32, PARQUET_KIND_I32, 4, 0);
        else if (t->precision <= 18)
            store_as(l, PARQUET_INT64, PARQUET_KIND_I64, 8, 0);
        else
            store_as(l, PARQUET_FIXED_LEN_BYTE_ARRAY, PARQUET_KIND_I128, 16, decimal_bytes(t->precision));
        return true;
    case TSF_TYPE_UUID:
        store_as(l, PARQUET_FIXED_LEN_BYTE_ARRAY, PARQUET_KIND_UUID, 16, 16);
        return true;
    case TSF_TYPE_STRING: case TSF_TYPE_BINARY:
        store_as(l, PARQUET_BYTE_ARRAY, PARQUET_KIND_STR, 0, 0);
        return true;
    default:
        return false;
    }
}

/* ---- leaves ------------------------------------------------------------------------------------------------- */

struct walk {
    struct parquet_writer *w;
    int field;
    bool nullable;
    int16_t path[TSF_ARRAY_LEN(((struct parquet_leaf *)0)->path)];
    size_t leaves_cap;
    struct tsf_error *err;
};

static enum tsf_err add_leaf(struct walk *k, const struct tsf_type *t, int depth, int def, int rep)
{
    struct parquet_writer *w = k->w;
    struct parquet_leaf *l;
    struct tsf_arena scratch = TSF_ARENA_INIT;
    enum tsf_err rc;
    if (!tsf_realloc_array((void **)&w->leaves, &k->leaves_cap, (size_t)w->n_leaves + 1, sizeof *l))
        return tsf_fail_nomem(k->err);
    l = &w->leaves[w->n_leaves];
    memset(l, 0, sizeof *l);
    if (!parquet_leaf_type(t, l)) {
        const char *name = tsf_type_sql_name(t, &scratch);
        rc = tsf_fail(k->err, TSF_ERR_UNSUPPORTED, "column \"%s\": type %s cannot be stored", w->schema.fields[k->field].name,
                      name ? name : "?");
        tsf_arena_release(&scratch);
        return rc;
    }
    l->type = t;
    l->cfg = &w->cfg;
    l->field = k->field;
    l->nullable = k->nullable;
    l->flat = depth == 0;
    l->depth = depth;
    l->max_def = (int16_t)def;
    l->max_rep = (int16_t)rep;
    memcpy(l->path, k->path, sizeof l->path);
    l->mode = l->kind == PARQUET_KIND_STR ? PARQUET_MODE_DICT : PARQUET_MODE_FIXED;
    l->raw_encoding = -1;
    l->distinct = -1;
    w->n_leaves++; /* from here on parquet_writer_free() releases it */
    tsf_buf_init(&l->raw, (size_t)4 << 30);
    tsf_buf_init(&l->pages, (size_t)8 << 30);
    tsf_buf_init(&l->dict_page, (size_t)2 << 30);
    tsf_buf_init(&l->stat_bytes, (size_t)2 << 30);
    tsf_buf_init(&l->range_min, (size_t)2 << 30);
    tsf_buf_init(&l->range_max, (size_t)2 << 30);
    tsf_buf_init(&l->bloom, PARQUET_BLOOM_MAX + 1024);
    return l->kind == PARQUET_KIND_STR ? parquet_dict_init(&l->dict, k->err) : TSF_OK;
}

static enum tsf_err walk_type(struct walk *k, const struct tsf_type *t, bool nullable, int depth, int def, int rep)
{
    enum tsf_err rc;
    def += nullable;
    if (t->id != TSF_TYPE_LIST && t->id != TSF_TYPE_MAP && t->id != TSF_TYPE_STRUCT)
        return add_leaf(k, t, depth, def, rep);
    if ((size_t)depth == TSF_ARRAY_LEN(k->path))
        return tsf_fail(k->err, TSF_ERR_UNSUPPORTED, "column \"%s\" is nested more than %d levels deep",
                        k->w->schema.fields[k->field].name, depth);
    if (t->n_children == 0)
        return tsf_fail(k->err, TSF_ERR_UNSUPPORTED, "column \"%s\": a structure without fields cannot be stored",
                        k->w->schema.fields[k->field].name);
    bool list = t->id != TSF_TYPE_STRUCT;
    for (int i = 0; i < t->n_children; i++) {
        bool child_nullable = t->children[i].nullable && !(t->id == TSF_TYPE_MAP && i == 0);
        k->path[depth] = (int16_t)i;
        if ((rc = walk_type(k, t->children[i].type, child_nullable, depth + 1, def + list, rep + list)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

enum tsf_err parquet_writer_leaves(struct parquet_writer *w, struct tsf_error *err)
{
    struct walk k = { .w = w, .err = err };
    enum tsf_err rc;
    for (int i = 0; i < w->schema.n_fields; i++) {
        const struct tsf_field *f = &w->schema.fields[i];
        k.field = i;
        k.nullable = f->nullable || f->type->id == TSF_TYPE_NULL;
        if ((rc = walk_type(&k, f->type, k.nullable, 0, 0, 0)) != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

/* ---- schema elements ------------------------------------------------------------------------------------------- */

static int count_nodes(const struct tsf_type *t)
{
    int n = 1 + (t->id == TSF_TYPE_LIST || t->id == TSF_TYPE_MAP);
    for (int i = 0; i < t->n_children; i++)
        n += count_nodes(t->children[i].type);
    return n;
}

static void put_empty(struct parquet_twrite *tw, int16_t id)
{
    parquet_twrite_struct(tw, 10);
    parquet_twrite_struct(tw, id);
    parquet_twrite_end(tw);
    parquet_twrite_end(tw);
}

static void put_time(struct parquet_twrite *tw, int16_t id, bool utc)
{
    parquet_twrite_struct(tw, 10);
    parquet_twrite_struct(tw, id);
    parquet_twrite_bool(tw, 1, utc);
    parquet_twrite_struct(tw, 2); /* unit: a union, microseconds are its second */
    parquet_twrite_struct(tw, 2);
    parquet_twrite_end(tw);
    parquet_twrite_end(tw);
    parquet_twrite_end(tw);
    parquet_twrite_end(tw);
}

static void put_int(struct parquet_twrite *tw, int bits)
{
    parquet_twrite_struct(tw, 10);
    parquet_twrite_struct(tw, LOGICAL_INTEGER);
    parquet_twrite_byte(tw, 1, (int8_t)bits);
    parquet_twrite_bool(tw, 2, true);
    parquet_twrite_end(tw);
    parquet_twrite_end(tw);
}

static void put_decimal(struct parquet_twrite *tw, const struct tsf_type *t)
{
    parquet_twrite_struct(tw, 10);
    parquet_twrite_struct(tw, LOGICAL_DECIMAL);
    parquet_twrite_i32(tw, 1, t->scale);
    parquet_twrite_i32(tw, 2, t->precision);
    parquet_twrite_end(tw);
    parquet_twrite_end(tw);
}

static int converted_type(const struct tsf_type *t)
{
    switch (t->id) {
    case TSF_TYPE_STRING: return CONVERTED_UTF8;
    case TSF_TYPE_LIST: return CONVERTED_LIST;
    case TSF_TYPE_MAP: return CONVERTED_MAP;
    case TSF_TYPE_DECIMAL: return CONVERTED_DECIMAL;
    case TSF_TYPE_DATE: return CONVERTED_DATE;
    case TSF_TYPE_TIME: return CONVERTED_TIME_MICROS;
    case TSF_TYPE_TIMESTAMP: return CONVERTED_TIMESTAMP_MICROS;
    case TSF_TYPE_INT8: return CONVERTED_INT_8;
    case TSF_TYPE_INT16: return CONVERTED_INT_16;
    default: return -1; /* timestamp_ntz too: the converted type would say UTC */
    }
}

static void put_logical(struct parquet_twrite *tw, const struct tsf_type *t)
{
    switch (t->id) {
    case TSF_TYPE_STRING: put_empty(tw, LOGICAL_STRING); break;
    case TSF_TYPE_LIST: put_empty(tw, LOGICAL_LIST); break;
    case TSF_TYPE_MAP: put_empty(tw, LOGICAL_MAP); break;
    case TSF_TYPE_DECIMAL: put_decimal(tw, t); break;
    case TSF_TYPE_DATE: put_empty(tw, LOGICAL_DATE); break;
    case TSF_TYPE_TIME: put_time(tw, LOGICAL_TIME, false); break;
    case TSF_TYPE_TIMESTAMP: put_time(tw, LOGICAL_TIMESTAMP, true); break;
    case TSF_TYPE_TIMESTAMP_NTZ: put_time(tw, LOGICAL_TIMESTAMP, false); break;
    case TSF_TYPE_INT8: put_int(tw, 8); break;
    case TSF_TYPE_INT16: put_int(tw, 16); break;
    case TSF_TYPE_UUID: put_empty(tw, LOGICAL_UUID); break;
    case TSF_TYPE_NULL: put_empty(tw, LOGICAL_UNKNOWN); break;
    default: break;
    }
}

static void put_group(struct parquet_twrite *tw, const char *name, int repetition, int n_children)
{
    parquet_twrite_begin(tw);
    if (repetition >= 0)
        parquet_twrite_i32(tw, 3, repetition);
    parquet_twrite_binary(tw, 4, name, strlen(name));
    parquet_twrite_i32(tw, 5, n_children);
    parquet_twrite_end(tw);
}

static void put_element(struct parquet_twrite *tw, const char *name, const struct tsf_type *t, bool nullable, int32_t field_id)
{
    struct parquet_leaf l = { 0 };
    bool leaf = parquet_leaf_type(t, &l);
    int converted = converted_type(t);
    parquet_twrite_begin(tw);
    if (leaf) {
        parquet_twrite_i32(tw, 1, l.physical);
        if (l.type_length)
            parquet_twrite_i32(tw, 2, l.type_length);
    }
    parquet_twrite_i32(tw, 3, nullable ? OPTIONAL : REQUIRED);
    parquet_twrite_binary(tw, 4, name, strlen(name));
    if (!leaf)
        parquet_twrite_i32(tw, 5, t->id == TSF_TYPE_STRUCT ? t->n_children : 1);
    if (converted >= 0)
        parquet_twrite_i32(tw, 6, converted);
    if (t->id == TSF_TYPE_DECIMAL) {
        parquet_twrite_i32(tw, 7, t->scale);
        parquet_twrite_i32(tw, 8, t->precision);
    }
    if (field_id >= 0)
        parquet_twrite_i32(tw, 9, field_id);
    put_logical(tw, t);
    parquet_twrite_end(tw);
    if (t->id == TSF_TYPE_LIST) {
        put_group(tw, "list", REPEATED, 1);
        put_element(tw, "element", t->children[0].type, t->children[0].nullable, t->children[0].field_id);
    } else if (t->id == TSF_TYPE_MAP) {
        put_group(tw, "key_value", REPEATED, 2);
        put_element(tw, "key", t->children[0].type, false, t->children[0].field_id);
        put_element(tw, "value", t->children[1].type, t->children[1].nullable, t->children[1].field_id);
    } else if (t->id == TSF_TYPE_STRUCT) {
        for (int i = 0; i < t->n_children; i++) {
            const struct tsf_field *f = &t->children[i];
            put_element(tw, f->physical ? f->physical : f->name, f->type, f->nullable, f->field_id);
        }
    }
}

void parquet_writer_put_schema(const struct parquet_writer *w, struct parquet_twrite *tw)
{
    int n = 1;
    for (int i = 0; i < w->schema.n_fields; i++)
        n += count_nodes(w->schema.fields[i].type);
    parquet_twrite_list(tw, 2, PARQUET_T_STRUCT, (uint32_t)n);
    put_group(tw, "schema", -1, w->schema.n_fields);
    for (int i = 0; i < w->schema.n_fields; i++) {
        const struct tsf_field *f = &w->schema.fields[i];
        put_element(tw, f->physical ? f->physical : f->name, f->type, f->nullable || f->type->id == TSF_TYPE_NULL, f->field_id);
    }
}
