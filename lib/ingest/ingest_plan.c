/* What the schema asks for: where values go, what must be there, who the rows belong to. */
#include "ingest/ingest_internal.h"

#include <stdlib.h>

#define SEP "___"
#define SEP_LEN 3
#define PATH_LONGEST 1024

/* path: dots of s become separators. False when it is too long to be any column's. */
static bool path_add(char *path, size_t *len, struct tsf_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (*len + SEP_LEN > PATH_LONGEST)
            return false;
        if (s.data[i] == '.') {
            memcpy(path + *len, SEP, SEP_LEN);
            *len += SEP_LEN;
        } else {
            path[(*len)++] = s.data[i];
        }
    }
    return true;
}

static size_t slot_find(const struct ingest_plan *p, struct tsf_str path)
{
    size_t at = tsf_hash(path.data, path.len, 0) & p->mask;

    while (p->table[at] && !tsf_str_eq(p->nodes[p->table[at] - 1].path, path))
        at = (at + 1) & p->mask;
    return at;
}

const struct ingest_node *ingest_plan_find(const struct ingest_plan *p, const struct ingest_node *at, struct tsf_str key)
{
    char path[PATH_LONGEST + SEP_LEN];
    size_t len = 0, slot;

    if (at->id != 0) {
        memcpy(path, at->path.data, at->path.len);
        memcpy(path + at->path.len, SEP, SEP_LEN);
        len = at->path.len + SEP_LEN;
    }
    if (key.len == 0 || !path_add(path, &len, key))
        return NULL;
    slot = slot_find(p, tsf_str_n(path, len));
    return p->table[slot] ? &p->nodes[p->table[slot] - 1] : NULL;
}

/* "attributes.http." as the content of a JSON string. */
static const char *dotted_name(struct ingest_plan *p, struct tsf_str path)
{
    struct tsf_buf raw = TSF_BUF_INIT(0), json = TSF_BUF_INIT(0);
    const char *name = NULL;
    bool ok = true;

    for (size_t i = 0; ok && i < path.len;) {
        bool sep = path.len - i >= SEP_LEN && memcmp(path.data + i, SEP, SEP_LEN) == 0;
        ok = tsf_buf_append(&raw, sep ? "." : path.data + i, 1, NULL) == TSF_OK;
        i += sep ? SEP_LEN : 1;
    }
    if (ok && (path.len == 0 || tsf_buf_append_u8(&raw, '.', NULL) == TSF_OK) &&
        tsf_buf_append_json(&json, raw.len ? tsf_buf_str(&raw) : TSF_STR(""), NULL) == TSF_OK)
        name = tsf_arena_strndup(&p->arena, (const char *)json.data + 1, json.len - 2);
    tsf_buf_release(&raw);
    tsf_buf_release(&json);
    return name;
}

static struct ingest_node *node_get(struct ingest_plan *p, struct tsf_str path)
{
    size_t slot = slot_find(p, path);
    struct ingest_node *n;

    if (p->table[slot])
        return &p->nodes[p->table[slot] - 1];
    n = &p->nodes[p->n_nodes];
    *n = (struct ingest_node){ .id = p->n_nodes, .column = -1, .path = { tsf_arena_strndup(&p->arena, path.data, path.len), path.len } };
    n->dotted = dotted_name(p, path);
    if (!n->path.data || !n->dotted)
        return NULL;
    p->table[slot] = (uint32_t)++p->n_nodes;
    return n;
}

/* The column's node, and one for each object that it may lie in. */
static enum tsf_err column_add(struct ingest_plan *p, int c, struct tsf_error *err)
{
    char path[PATH_LONGEST + SEP_LEN];
    struct ingest_node *n;
    size_t len = 0;

    if (!path_add(path, &len, tsf_str(p->schema->fields[c].name)) || len == 0)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "column %s: the name is too long", p->schema->fields[c].name);
    for (size_t i = 1; i + SEP_LEN < len; i++) {
        if (memcmp(path + i, SEP, SEP_LEN) != 0)
            continue;
        if (!(n = node_get(p, tsf_str_n(path, i))))
            return tsf_fail_nomem(err);
        n->deeper = true;
        i += SEP_LEN - 1;
    }
    if (!(n = node_get(p, tsf_str_n(path, len))))
        return tsf_fail_nomem(err);
    n->column = c;
    return TSF_OK;
}

static size_t nodes_most(const struct tsf_schema *s)
{
    size_t n = 1;

    for (int c = 0; c < s->n_fields; c++) {
        n++;
        for (const char *z = s->fields[c].name; *z; z++)
            n += *z == '.' || strncmp(z, SEP, SEP_LEN) == 0;
    }
    return n;
}

static enum tsf_err nodes_make(struct ingest_plan *p, struct tsf_error *err)
{
    size_t most = nodes_most(p->schema), slots = 64;
    enum tsf_err rc;

    while (slots < most * 4)
        slots *= 2;
    p->mask = slots - 1;
    p->nodes = tsf_arena_calloc(&p->arena, most, sizeof *p->nodes);
    p->table = tsf_arena_calloc(&p->arena, slots, sizeof *p->table);
    if (!p->nodes || !p->table || !node_get(p, TSF_STR("")))
        return tsf_fail_nomem(err);
    p->nodes[0].deeper = true;
    for (int c = 0; c < p->schema->n_fields; c++)
        if ((rc = column_add(p, c, err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

static void columns_classify(struct ingest_plan *p, const struct table *t)
{
    const struct table_props *props = &t->props;

    p->attributes = -1;
    p->tenant = props->tenant_field;
    p->version = props->version_field;
    p->time = props->time_field;
    p->date = props->date_field;
    for (int c = 0; c < p->schema->n_fields; c++) {
        const struct tsf_field *f = &p->schema->fields[c];
        if (strcmp(f->name, "attributes") == 0 && f->type->id == TSF_TYPE_STRING && f->type->json)
            p->attributes = c;
        if (!f->nullable)
            tsf_bit_set(p->required, c);
    }
    /* A day comes from the time when it is absent. */
    if (p->date >= 0 && p->time >= 0) {
        p->date_required = tsf_bit_get(p->required, p->date);
        tsf_bit_clear(p->required, p->date);
    }
}

enum tsf_err ingest_plan_init(struct ingest_plan *p, const struct table *t, const struct ingest_options *opts, struct tsf_error *err)
{
    enum tsf_err rc;

    *p = (struct ingest_plan){ .schema = t->schema, .now_us = tsf_now_us(), .n_words = tsf_bit_words(t->schema->n_fields) };
    p->max_row_bytes = opts->max_row_bytes > 0 ? TSF_MIN(opts->max_row_bytes, INGEST_ROW_CEILING) : INGEST_ROW_MAX;
    p->max_rejects = opts->max_rejects;
    if (!(p->required = tsf_arena_calloc(&p->arena, p->n_words + 1, sizeof *p->required)))
        return tsf_fail_nomem(err);
    if ((rc = nodes_make(p, err)) != TSF_OK)
        return rc;
    columns_classify(p, t);
    if (opts->project) {
        if (p->tenant < 0)
            return tsf_fail(err, TSF_ERR_INVALID, "%s has no tenant column, so rows cannot be bound to project %s", t->name,
                            opts->project);
        p->project = tsf_str(opts->project);
    }
    return TSF_OK;
}

void ingest_plan_release(struct ingest_plan *p)
{
    tsf_arena_release(&p->arena);
}
