/*
 * The schema of a footer: Thrift's flat list of elements as a tree of nodes with their levels.
 */
#include "parquet/parquet_internal.h"
#include "parquet/parquet_read_internal.h"

/* ConvertedType, the older annotation. */
enum converted {
    CONVERTED_UTF8 = 0, CONVERTED_MAP = 1, CONVERTED_MAP_KEY_VALUE = 2, CONVERTED_LIST = 3, CONVERTED_ENUM = 4,
    CONVERTED_DECIMAL = 5, CONVERTED_DATE = 6, CONVERTED_TIME_MILLIS = 7, CONVERTED_TIME_MICROS = 8,
    CONVERTED_TIMESTAMP_MILLIS = 9, CONVERTED_TIMESTAMP_MICROS = 10, CONVERTED_UINT_8 = 11, CONVERTED_INT_8 = 15,
    CONVERTED_INT_64 = 18, CONVERTED_JSON = 19, CONVERTED_BSON = 20, CONVERTED_INTERVAL = 21,
};

static void node_set_converted(struct parquet_node *n, int converted)
{
    static const int8_t simple[] = {
        [CONVERTED_UTF8] = PARQUET_LOGICAL_STRING, [CONVERTED_MAP] = PARQUET_LOGICAL_MAP,
        [CONVERTED_MAP_KEY_VALUE] = PARQUET_LOGICAL_MAP, [CONVERTED_LIST] = PARQUET_LOGICAL_LIST,
        [CONVERTED_ENUM] = PARQUET_LOGICAL_ENUM, [CONVERTED_DECIMAL] = PARQUET_LOGICAL_DECIMAL,
        [CONVERTED_DATE] = PARQUET_LOGICAL_DATE, [CONVERTED_TIME_MILLIS] = PARQUET_LOGICAL_TIME,
        [CONVERTED_TIME_MICROS] = PARQUET_LOGICAL_TIME, [CONVERTED_TIMESTAMP_MILLIS] = PARQUET_LOGICAL_TIMESTAMP,
        [CONVERTED_TIMESTAMP_MICROS] = PARQUET_LOGICAL_TIMESTAMP, [CONVERTED_JSON] = PARQUET_LOGICAL_JSON,
        [CONVERTED_BSON] = PARQUET_LOGICAL_BSON, [CONVERTED_INTERVAL] = PARQUET_LOGICAL_INTERVAL,
    };
    if (converted < 0 || converted > CONVERTED_INTERVAL)
        return;
    if (converted >= CONVERTED_UINT_8 && converted <= CONVERTED_INT_64) {
        n->logical = PARQUET_LOGICAL_INT;
        n->int_signed = converted >= CONVERTED_INT_8;
        n->int_bits = (int8_t)(8 << (converted - CONVERTED_UINT_8) % 4);
        return;
    }
    n->logical = simple[converted];
    n->utc = true;
    n->unit = converted == CONVERTED_TIME_MILLIS || converted == CONVERTED_TIMESTAMP_MILLIS ? PARQUET_MILLIS
                                                                                           : PARQUET_MICROS;
}

static void read_unit(struct parquet_tread *r, int type, struct parquet_node *n)
{
    int16_t id = 0;
    if (!parquet_tread_struct(r, type))
        return;
    while (parquet_tread_field(r, &id, &type)) {
        if (id >= 1 && id <= 3)
            n->unit = (int8_t)(PARQUET_MILLIS + id - 1);
        parquet_tread_skip(r, type);
    }
}

/* The fields of the member of the LogicalType union. */
static void read_logical_member(struct parquet_tread *r, int type, int member, struct parquet_node *n)
{
    int16_t id = 0;
    if (!parquet_tread_struct(r, type))
        return;
    while (parquet_tread_field(r, &id, &type)) {
        if (member == 5 && id == 1)
            n->scale = parquet_tread_i32(r, type);
        else if (member == 5 && id == 2)
            n->precision = parquet_tread_i32(r, type);
        else if ((member == 7 || member == 8) && id == 1)
            n->utc = parquet_tread_bool(r, type);
        else if ((member == 7 || member == 8) && id == 2)
            read_unit(r, type, n);
        else if (member == 10 && id == 1)
            n->int_bits = (int8_t)parquet_tread_i32(r, type);
        else if (member == 10 && id == 2)
            n->int_signed = parquet_tread_bool(r, type);
        else
            parquet_tread_skip(r, type);
    }
}

static void read_logical(struct parquet_tread *r, int type, struct parquet_node *n)
{
    static const int8_t members[] = {
        0, PARQUET_LOGICAL_STRING, PARQUET_LOGICAL_MAP, PARQUET_LOGICAL_LIST, PARQUET_LOGICAL_ENUM,
        PARQUET_LOGICAL_DECIMAL, PARQUET_LOGICAL_DATE, PARQUET_LOGICAL_TIME, PARQUET_LOGICAL_TIMESTAMP,
        PARQUET_LOGICAL_OTHER, PARQUET_LOGICAL_INT, PARQUET_LOGICAL_UNKNOWN_NULL, PARQUET_LOGICAL_JSON,
        PARQUET_LOGICAL_BSON, PARQUET_LOGICAL_UUID, PARQUET_LOGICAL_FLOAT16,
    };
    int16_t id = 0;
    if (!parquet_tread_struct(r, type))
        return;
    while (parquet_tread_field(r, &id, &type)) {
        n->logical = id > 0 && id < (int)TSF_ARRAY_LEN(members) ? members[id] : PARQUET_LOGICAL_OTHER;
        read_logical_member(r, type, id, n);
    }
}

/* *n_children_out -1: a leaf. */
static void read_node(struct parquet_tread *r, int type, struct parquet_node *n, int64_t *n_children_out)
{
    int16_t id = 0;
    int converted = -1;
    bool has_logical = false, has_type = false;

    *n = (struct parquet_node){ .physical = -1, .repetition = -1, .field_id = -1, .leaf = -1, .first_child = -1,
                                .next_sibling = -1, .parent = -1 };
    *n_children_out = -1;
    if (!parquet_tread_struct(r, type))
        return;
    while (parquet_tread_field(r, &id, &type)) {
        switch (id) {
        case 1: {
            int32_t v = parquet_tread_i32(r, type);
            if (v < PARQUET_BOOLEAN || v > PARQUET_FIXED_LEN_BYTE_ARRAY)
                parquet_tread_fail(r, "unknown physical type");
            n->physical = (int8_t)v;
            has_type = true;
            break;
        }
        case 2: n->type_length = parquet_tread_i32(r, type); break;
        case 3: {
            int32_t v = parquet_tread_i32(r, type);
            if (v < 0 || v > 2)
                parquet_tread_fail(r, "unknown repetition type");
            n->repetition = (int8_t)v;
            break;
        }
        case 4: n->name = parquet_tread_binary(r, type); break;
        case 5:
            *n_children_out = parquet_tread_i32(r, type);
            if (*n_children_out < 0)
                parquet_tread_fail(r, "negative number of children");
            break;
        case 6: converted = parquet_tread_i32(r, type); break;
        case 7: {
            int32_t v = parquet_tread_i32(r, type);
            if (!has_logical)
                n->scale = v;
            break;
        }
        case 8: {
            int32_t v = parquet_tread_i32(r, type);
            if (!has_logical)
                n->precision = v;
            break;
        }
        case 9: n->field_id = parquet_tread_i32(r, type); break;
        case 10:
            read_logical(r, type, n);
            has_logical = n->logical != PARQUET_LOGICAL_NONE;
            break;
        default: parquet_tread_skip(r, type);
        }
    }
    if (!has_logical && converted >= 0)
        node_set_converted(n, converted);
    if (has_type) {
        if (*n_children_out > 0)
            parquet_tread_fail(r, "schema node with both a type and children");
        *n_children_out = -1;
    } else if (*n_children_out < 0) {
        *n_children_out = 0; /* an empty group */
    }
    if (n->physical == PARQUET_FIXED_LEN_BYTE_ARRAY && n->type_length <= 0)
        parquet_tread_fail(r, "FIXED_LEN_BYTE_ARRAY without a length");
}

/* Tie the flat list of elements together: parents, siblings, levels, leaf numbers. */
static enum tsf_err link_nodes(struct parquet_meta *m, const int64_t *n_children, struct tsf_arena *a, struct tsf_error *err)
{
    struct { int node, last; int64_t left; } stack[PARQUET_MAX_DEPTH + 1];
    int depth = 0;

    m->leaf_nodes = tsf_arena_calloc(a, (size_t)m->n_nodes, sizeof(int32_t));
    if (!m->leaf_nodes)
        return tsf_fail_nomem(err);
    for (int i = 0; i < m->n_nodes; i++) {
        struct parquet_node *n = &m->nodes[i];
        while (depth > 0 && stack[depth - 1].left == 0)
            depth--;
        if (depth == 0 && i > 0)
            return tsf_fail(err, TSF_ERR_FORMAT, "schema: %d elements belong to no group", m->n_nodes - i);
        if (depth > 0) {
            struct parquet_node *up = &m->nodes[stack[depth - 1].node];
            n->parent = stack[depth - 1].node;
            if (stack[depth - 1].last < 0)
                up->first_child = i;
            else
                m->nodes[stack[depth - 1].last].next_sibling = i;
            stack[depth - 1].last = i;
            stack[depth - 1].left--;
            if (n->repetition < 0)
                return tsf_fail(err, TSF_ERR_FORMAT, "schema: element %d has no repetition", i);
            n->max_def = (int16_t)(up->max_def + (n->repetition != 0));
            n->max_rep = (int16_t)(up->max_rep + (n->repetition == 2));
        }
        if (n_children[i] < 0 && i > 0) {
            n->leaf = m->n_leaves;
            m->leaf_nodes[m->n_leaves++] = i;
            continue;
        }
        n->physical = -1;
        n->n_children = (int)TSF_MAX(n_children[i], 0);
        if (depth > PARQUET_MAX_DEPTH)
            return tsf_fail(err, TSF_ERR_UNSUPPORTED, "schema nested deeper than %d", PARQUET_MAX_DEPTH);
        stack[depth].node = i;
        stack[depth].last = -1;
        stack[depth++].left = n_children[i];
    }
    while (depth > 0 && stack[depth - 1].left == 0)
        depth--;
    if (depth > 0 || m->n_nodes == 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "schema: elements are missing");
    return TSF_OK;
}

enum tsf_err parquet_meta_schema(struct parquet_tread *r, int type, struct tsf_arena *a, struct parquet_meta *m,
                                 struct tsf_error *err)
{
    int et;
    uint32_t n = parquet_tread_list(r, type, &et);
    if (n > INT32_MAX / 2)
        return tsf_fail(err, TSF_ERR_FORMAT, "schema too large");
    m->nodes = tsf_arena_calloc(a, n + 1, sizeof *m->nodes);
    int64_t *n_children = tsf_arena_calloc(a, n + 1, sizeof *n_children);
    if (!m->nodes || !n_children)
        return tsf_fail_nomem(err);
    m->n_nodes = (int)n;
    for (uint32_t i = 0; i < n && !r->what; i++)
        read_node(r, et, &m->nodes[i], &n_children[i]);
    enum tsf_err rc = parquet_tread_check(r, "schema", err);
    return rc != TSF_OK ? rc : link_nodes(m, n_children, a, err);
}
