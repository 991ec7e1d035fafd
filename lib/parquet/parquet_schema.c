/*
 * The schema tree as tsf types. Lists and maps by the compatibility rules of parquet-format LogicalTypes.md:
 *
 *   LIST group, one repeated child R:   R a leaf, with several children, with one repeated child, or named "array" or
 *                                       "<list>_tuple": R is the element; else R's only child is
 *   MAP group, one repeated child R:    R's first child is the key, its second the value
 *   repeated field elsewhere:           a required list of required elements
 */
#include "parquet/parquet_read_internal.h"

struct planner {
    const struct parquet_meta *m;
    struct tsf_arena *a;
    struct tsf_error *err;
};

static enum tsf_err plan_node(struct planner *p, int node, bool as_element, const struct tsf_type *as,
                              struct parquet_plan *out);

static bool name_is_tuple_of(struct tsf_str name, struct tsf_str list)
{
    return name.len == list.len + 6 && memcmp(name.data, list.data, list.len) == 0 &&
           memcmp(name.data + list.len, "_tuple", 6) == 0;
}

/* Is the repeated child itself the element of the list? */
static bool repeated_is_element(const struct parquet_meta *m, const struct parquet_node *list, const struct parquet_node *r)
{
    if (r->leaf >= 0 || r->n_children != 1)
        return true;
    return m->nodes[r->first_child].repetition == 2 || tsf_str_eqz(r->name, "array") || name_is_tuple_of(r->name, list->name);
}

static struct parquet_plan *children_new(struct planner *p, struct parquet_plan *out, int n)
{
    out->children = tsf_arena_calloc(p->a, (size_t)n + 1, sizeof *out->children);
    out->n_children = n;
    return out->children;
}

static enum tsf_err type_new(struct planner *p, struct parquet_plan *out, enum tsf_type_id id, const struct tsf_str *names)
{
    struct tsf_type *t = tsf_arena_calloc(p->a, 1, sizeof *t);
    struct tsf_field *f = tsf_arena_calloc(p->a, (size_t)out->n_children + 1, sizeof *f);
    if (!t || !f)
        return tsf_fail_nomem(p->err);
    for (int i = 0; i < out->n_children; i++) {
        f[i] = (struct tsf_field){ .type = out->children[i].type, .nullable = out->children[i].nullable, .field_id = -1 };
        f[i].name = tsf_arena_strndup(p->a, names[i].data, names[i].len);
        if (!f[i].name)
            return tsf_fail_nomem(p->err);
    }
    *t = (struct tsf_type){ .id = id, .n_children = out->n_children, .children = f };
    out->type = t;
    return TSF_OK;
}

/* The wanted type of a child when the whole has the wanted shape; else none, and the caller notices by comparing. */
static const struct tsf_type *child_as(const struct tsf_type *as, enum tsf_type_id id, int i, int n)
{
    return as && as->id == id && as->n_children == n ? as->children[i].type : NULL;
}

static enum tsf_err plan_struct(struct planner *p, int node, const struct tsf_type *as, struct parquet_plan *out)
{
    const struct parquet_node *n = &p->m->nodes[node];
    struct tsf_str *names = tsf_arena_calloc(p->a, (size_t)n->n_children + 1, sizeof *names);
    int i = 0;
    out->shape = PARQUET_SHAPE_STRUCT;
    if (!names || !children_new(p, out, n->n_children))
        return tsf_fail_nomem(p->err);
    if (n->n_children == 0)
        return tsf_fail(p->err, TSF_ERR_UNSUPPORTED, "group %.*s has no fields", (int)TSF_MIN(n->name.len, 100), n->name.data);
    for (int c = n->first_child; c >= 0; c = p->m->nodes[c].next_sibling, i++) {
        enum tsf_err rc = plan_node(p, c, false, child_as(as, TSF_TYPE_STRUCT, i, n->n_children), &out->children[i]);
        if (rc != TSF_OK)
            return rc;
        names[i] = p->m->nodes[c].name;
    }
    return type_new(p, out, TSF_TYPE_STRUCT, names);
}

/* A list whose elements are node `element`; as_element: its repetition is the list's, not its own. */
static enum tsf_err plan_list(struct planner *p, int element, bool as_element, int16_t elem_def, const struct tsf_type *as,
                              struct parquet_plan *out)
{
    static const struct tsf_str names[] = { { "element", 7 } };
    out->shape = PARQUET_SHAPE_LIST;
    out->elem_def = elem_def;
    if (!children_new(p, out, 1))
        return tsf_fail_nomem(p->err);
    enum tsf_err rc = plan_node(p, element, as_element, child_as(as, TSF_TYPE_LIST, 0, 1), &out->children[0]);
    return rc != TSF_OK ? rc : type_new(p, out, TSF_TYPE_LIST, names);
}

static enum tsf_err plan_map(struct planner *p, const struct parquet_node *r, const struct tsf_type *as,
                             struct parquet_plan *out)
{
    static const struct tsf_str names[] = { { "key", 3 }, { "value", 5 } };
    int key = r->first_child, value = p->m->nodes[key].next_sibling;
    enum tsf_err rc;

    out->elem_def = r->max_def;
    if (value < 0) { /* a set: list of {key} */
        struct parquet_plan *e = children_new(p, out, 1);
        out->shape = PARQUET_SHAPE_LIST;
        if (!e || !children_new(p, e, 1))
            return tsf_fail_nomem(p->err);
        e->shape = PARQUET_SHAPE_STRUCT;
        e->def = r->max_def;
        if ((rc = plan_node(p, key, false, NULL, &e->children[0])) != TSF_OK ||
            (rc = type_new(p, e, TSF_TYPE_STRUCT, names)) != TSF_OK)
            return rc;
        return type_new(p, out, TSF_TYPE_LIST, (const struct tsf_str[]){ { "element", 7 } });
    }
    out->shape = PARQUET_SHAPE_MAP;
    if (!children_new(p, out, 2))
        return tsf_fail_nomem(p->err);
    if ((rc = plan_node(p, key, false, child_as(as, TSF_TYPE_MAP, 0, 2), &out->children[0])) != TSF_OK ||
        (rc = plan_node(p, value, false, child_as(as, TSF_TYPE_MAP, 1, 2), &out->children[1])) != TSF_OK)
        return rc;
    return type_new(p, out, TSF_TYPE_MAP, names);
}

/* Recursion is bounded: parquet_meta_parse refuses schemas deeper than PARQUET_MAX_DEPTH. */
static enum tsf_err plan_node(struct planner *p, int node, bool as_element, const struct tsf_type *as,
                              struct parquet_plan *out)
{
    const struct parquet_node *n = &p->m->nodes[node];
    out->def = n->max_def;
    out->node = node;
    out->nullable = !as_element && n->repetition == 1;
    if (!as_element && n->repetition == 2) { /* a bare repeated field */
        out->def = (int16_t)(n->max_def - 1);
        return plan_list(p, node, true, n->max_def, as, out);
    }
    if (n->leaf >= 0) {
        struct parquet_conv c;
        enum tsf_err rc = parquet_conv_init(&c, n, as, p->err);
        out->shape = PARQUET_SHAPE_LEAF;
        out->type = c.type;
        return rc;
    }
    const struct parquet_node *r = n->n_children == 1 ? &p->m->nodes[n->first_child] : NULL;
    if (r && r->repetition == 2 && n->logical == PARQUET_LOGICAL_LIST) {
        if (repeated_is_element(p->m, n, r))
            return plan_list(p, n->first_child, true, r->max_def, as, out);
        return plan_list(p, r->first_child, false, r->max_def, as, out);
    }
    if (r && r->repetition == 2 && n->logical == PARQUET_LOGICAL_MAP && (r->n_children == 1 || r->n_children == 2))
        return plan_map(p, r, as, out);
    return plan_struct(p, node, as, out);
}

enum tsf_err parquet_plan_make(const struct parquet_meta *m, int node, const struct tsf_type *as, struct tsf_arena *a,
                               struct parquet_plan *out, struct tsf_error *err)
{
    struct planner p = { .m = m, .a = a, .err = err };
    *out = (struct parquet_plan){ 0 };
    enum tsf_err rc = plan_node(&p, node, false, as, out);
    if (rc == TSF_OK && as && !tsf_type_eq(as, out->type)) {
        const char *want = tsf_type_sql_name(as, a), *have = tsf_type_sql_name(out->type, a);
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "column %.*s is of type %s and cannot be read as %s",
                        (int)TSF_MIN(m->nodes[node].name.len, 100), m->nodes[node].name.data, have ? have : "?",
                        want ? want : "?");
    }
    return rc;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static enum tsf_err file_schema(struct parquet_file *f, struct tsf_error *err)
{
    const struct parquet_meta *m = f->meta;
    int n = m->nodes[0].n_children, i = 0;
    f->schema.fields = tsf_arena_calloc(&f->arena, (size_t)n + 1, sizeof *f->schema.fields);
    f->field_nodes = tsf_arena_calloc(&f->arena, (size_t)n + 1, sizeof *f->field_nodes);
    if (!f->schema.fields || !f->field_nodes)
        return tsf_fail_nomem(err);
    for (int c = m->nodes[0].first_child; c >= 0; c = m->nodes[c].next_sibling, i++) {
        struct tsf_field *field = &f->schema.fields[i];
        struct parquet_plan plan;
        enum tsf_err rc = parquet_plan_make(m, c, NULL, &f->arena, &plan, err);
        if (rc != TSF_OK)
            return rc;
        f->field_nodes[i] = c;
        *field = (struct tsf_field){ .type = plan.type, .nullable = plan.nullable, .field_id = m->nodes[c].field_id };
        field->name = tsf_arena_strndup(&f->arena, m->nodes[c].name.data, m->nodes[c].name.len);
        if (!field->name)
            return tsf_fail_nomem(err);
    }
    f->schema.n_fields = n;
    return TSF_OK;
}

enum tsf_err parquet_file_open(struct parquet_file *f, const struct tsf_source *src, const struct parquet_meta *meta,
                               struct tsf_error *err)
{
    struct parquet_file file = { .src = src, .meta = meta };
    enum tsf_err rc = TSF_OK;
    if (!meta) {
        struct parquet_meta *m = tsf_arena_calloc(&file.arena, 1, sizeof *m);
        struct tsf_str raw;
        file.meta = m;
        if (!m)
            rc = tsf_fail_nomem(err);
        if (rc == TSF_OK && (rc = parquet_footer_read(src, 0, &file.arena, &raw, err)) == TSF_OK)
            rc = parquet_meta_parse(raw.data, raw.len, src->size, &file.arena, m, err);
    }
    if (rc == TSF_OK)
        rc = file_schema(&file, err);
    if (rc != TSF_OK) {
        tsf_arena_release(&file.arena);
        return src->name ? tsf_prepend(err, rc, "%s", src->name) : rc;
    }
    *f = file;
    return TSF_OK;
}

void parquet_file_release(struct parquet_file *f)
{
    tsf_arena_release(&f->arena);
    *f = (struct parquet_file){ 0 };
}
