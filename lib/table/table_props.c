/*
 * Table properties of tsf, kept in the Delta configuration:
 *
 *   tsf.sortOrder        "timestamp DESC, service NULLS FIRST, id": order of rows in files
 *   tsf.dedupKeys        "timestamp, id": the last write of equal keys wins
 *   tsf.versionColumn    orders the writes of equal keys
 *   tsf.tombstoneColumn  boolean: the newest version of a key that is deleted
 *   tsf.bloomColumns     "id, trace_id": bloom filters
 *   tsf.timeColumn       the time of a row (default: timestamp)
 *   tsf.tenantColumn     who a row belongs to (default: project_id)
 *   tsf.targetFileSize   "128M": what a full compaction aims at
 *
 * Column names may be quoted as in SQL.
 */
#include "table/table_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

static const char *const known_keys[] = {
    "tsf.sortOrder", "tsf.dedupKeys", "tsf.versionColumn", "tsf.tombstoneColumn", "tsf.bloomColumns",
    "tsf.timeColumn", "tsf.tenantColumn", "tsf.targetFileSize",
};

struct props_source {
    const struct tsf_schema *schema;
    int n_config;
    const char *const *keys, *const *values;
    int n_partition;
    const int *partition;
};

static const char *config_get(const struct props_source *s, const char *key)
{
    for (int i = 0; i < s->n_config; i++)
        if (strcmp(s->keys[i], key) == 0)
            return s->values[i];
    return NULL;
}

static void skip_space(const char **p)
{
    while (isspace((unsigned char)**p))
        (*p)++;
}

/* A name, bare or in double quotes, into out. */
static enum tsf_err parse_name(const char **p, const char *key, char *out, size_t cap, struct tsf_error *err)
{
    size_t n = 0;

    skip_space(p);
    bool quoted = **p == '"';
    if (quoted)
        (*p)++;
    while (**p) {
        if (quoted && **p == '"') {
            if ((*p)[1] != '"')
                break;
            (*p)++;
        } else if (!quoted && (isspace((unsigned char)**p) || **p == ',')) {
            break;
        }
        if (n + 1 >= cap)
            return tsf_fail(err, TSF_ERR_INVALID, "%s: a column name is too long", key);
        out[n++] = *(*p)++;
    }
    if (quoted && *(*p)++ != '"')
        return tsf_fail(err, TSF_ERR_INVALID, "%s: a quoted name has no end", key);
    out[n] = 0;
    if (!n)
        return tsf_fail(err, TSF_ERR_INVALID, "%s: a column name is missing", key);
    return TSF_OK;
}

static bool take_word(const char **p, const char *word)
{
    size_t n = strlen(word);

    skip_space(p);
    if (strncasecmp(*p, word, n) != 0 || isalnum((unsigned char)(*p)[n]))
        return false;
    *p += n;
    return true;
}

/* "name [ASC|DESC] [NULLS FIRST|LAST], ..." ; order false: only names. Keys go to out, at most one per field. */
static enum tsf_err parse_list(const struct props_source *s, const char *key, const char *text, bool order,
                               struct table_sort_key *out, int *n_out, struct tsf_error *err)
{
    char name[1024];
    enum tsf_err rc;
    int n = 0;

    for (const char *p = text;;) {
        if ((rc = parse_name(&p, key, name, sizeof name, err)) != TSF_OK)
            return rc;
        int f = tsf_schema_find(s->schema, tsf_str(name));
        if (f < 0)
            return tsf_fail(err, TSF_ERR_INVALID, "%s: the table has no column %s", key, name);
        for (int i = 0; i < n; i++)
            if (out[i].field == f)
                return tsf_fail(err, TSF_ERR_INVALID, "%s: column %s is named twice", key, name);
        out[n] = (struct table_sort_key){ .field = f };
        if (order) {
            if (!take_word(&p, "asc"))
                out[n].descending = take_word(&p, "desc");
            out[n].nulls_first = out[n].descending; /* as PostgreSQL orders */
            if (take_word(&p, "nulls")) {
                if (take_word(&p, "first"))
                    out[n].nulls_first = true;
                else if (take_word(&p, "last"))
                    out[n].nulls_first = false;
                else
                    return tsf_fail(err, TSF_ERR_INVALID, "%s: expected FIRST or LAST after NULLS", key);
            }
        }
        n++;
        skip_space(&p);
        if (!*p)
            break;
        if (*p++ != ',')
            return tsf_fail(err, TSF_ERR_INVALID, "%s: expected a comma before \"%.20s\"", key, p - 1);
    }
    *n_out = n;
    return TSF_OK;
}

static enum tsf_err one_column(const struct props_source *s, const char *key, const char *fallback, uint32_t type_mask,
                               int *out, struct tsf_error *err)
{
    const char *text = config_get(s, key);
    struct table_sort_key *k;
    enum tsf_err rc = TSF_OK;
    int n;

    *out = -1;
    if (!text) {
        for (int i = 0; fallback && i < s->schema->n_fields; i++)
            if (strcmp(s->schema->fields[i].name, fallback) == 0 && (type_mask >> s->schema->fields[i].type->id) & 1)
                *out = i;
        return TSF_OK;
    }
    if (!(k = tsf_malloc_array((size_t)s->schema->n_fields + 1, sizeof *k)))
        return tsf_fail_nomem(err);
    if ((rc = parse_list(s, key, text, false, k, &n, err)) == TSF_OK) {
        if (n != 1)
            rc = tsf_fail(err, TSF_ERR_INVALID, "%s names %d columns, it takes one", key, n);
        else if (!((type_mask >> s->schema->fields[k[0].field].type->id) & 1))
            rc = tsf_fail(err, TSF_ERR_INVALID, "%s: column %s has the wrong type for it", key,
                          s->schema->fields[k[0].field].name);
        else
            *out = k[0].field;
    }
    free(k);
    return rc;
}

static enum tsf_err props_parse(const struct props_source *s, struct tsf_arena *a, struct table_props *out, struct tsf_error *err)
{
    size_t n = (size_t)s->schema->n_fields + 1;
    struct table_sort_key *list = tsf_arena_calloc(a, n, sizeof *list);
    struct table_props p = { .date_field = -1 };
    const char *text;
    enum tsf_err rc;
    int count;

    p.sort = tsf_arena_calloc(a, n, sizeof *p.sort);
    p.dedup = tsf_arena_calloc(a, n, sizeof *p.dedup);
    p.bloom = tsf_arena_calloc(a, n, 1);
    if (!list || !p.sort || !p.dedup || !p.bloom)
        return tsf_fail_nomem(err);
    uint32_t times = 1u << TSF_TYPE_TIMESTAMP | 1u << TSF_TYPE_TIMESTAMP_NTZ;
    if ((rc = one_column(s, "tsf.timeColumn", "timestamp", times, &p.time_field, err)) != TSF_OK ||
        (rc = one_column(s, "tsf.tenantColumn", "project_id", 1u << TSF_TYPE_STRING, &p.tenant_field, err)) != TSF_OK ||
        (rc = one_column(s, "tsf.tombstoneColumn", NULL, 1u << TSF_TYPE_BOOL, &p.tombstone_field, err)) != TSF_OK ||
        (rc = one_column(s, "tsf.versionColumn", NULL, times | 1u << TSF_TYPE_INT64 | 1u << TSF_TYPE_INT32, &p.version_field,
                         err)) != TSF_OK)
        return rc;
    if ((text = config_get(s, "tsf.sortOrder"))) {
        if ((rc = parse_list(s, "tsf.sortOrder", text, true, p.sort, &p.n_sort, err)) != TSF_OK)
            return rc;
    } else if (p.time_field >= 0) {
        p.sort[p.n_sort++] = (struct table_sort_key){ .field = p.time_field, .descending = true, .nulls_first = true };
    }
    if ((text = config_get(s, "tsf.dedupKeys"))) {
        if ((rc = parse_list(s, "tsf.dedupKeys", text, false, list, &p.n_dedup, err)) != TSF_OK)
            return rc;
        for (int i = 0; i < p.n_dedup; i++)
            p.dedup[i] = list[i].field;
    }
    if ((text = config_get(s, "tsf.bloomColumns"))) {
        if ((rc = parse_list(s, "tsf.bloomColumns", text, false, list, &count, err)) != TSF_OK)
            return rc;
        for (int i = 0; i < count; i++)
            p.bloom[list[i].field] = 1;
    }
    if ((text = config_get(s, "tsf.targetFileSize")) && (!tsf_size_parse(text, &p.target_file_size) || p.target_file_size < 1))
        return tsf_fail(err, TSF_ERR_INVALID, "tsf.targetFileSize: \"%s\" is no size such as 128M", text);
    for (int i = 0; i < s->n_partition; i++) {
        const struct tsf_field *f = &s->schema->fields[s->partition[i]];
        if (f->type->id == TSF_TYPE_DATE && strcmp(f->name, "date") == 0 && p.time_field >= 0)
            p.date_field = s->partition[i];
    }
    for (int i = 0; i < p.n_sort; i++)
        if (s->schema->fields[p.sort[i].field].type->n_children)
            return tsf_fail(err, TSF_ERR_INVALID, "tsf.sortOrder: column %s is nested, rows have no order by it",
                            s->schema->fields[p.sort[i].field].name);
    *out = p;
    return TSF_OK;
}

enum tsf_err table_props_load(struct table *t, struct tsf_error *err)
{
    const struct delta_metadata *m = &t->snapshot->metadata;
    struct props_source s = { .schema = &m->schema, .n_config = m->n_config, .keys = (const char *const *)m->config_keys,
                              .values = (const char *const *)m->config_values, .n_partition = m->n_partition,
                              .partition = m->partition_fields };

    return props_parse(&s, &t->arena, &t->props, err);
}

enum tsf_err table_props_check(const struct table_create_options *o, struct tsf_error *err)
{
    struct props_source s = { .schema = o->schema, .n_config = o->n_config, .keys = o->config_keys, .values = o->config_values,
                              .n_partition = o->n_partition, .partition = o->partition_fields };
    struct tsf_arena a = TSF_ARENA_INIT;
    struct table_props p;

    for (int i = 0; i < o->n_config; i++) {
        bool known = strncmp(o->config_keys[i], "tsf.", 4) != 0;
        for (size_t k = 0; !known && k < TSF_ARRAY_LEN(known_keys); k++)
            known = strcmp(o->config_keys[i], known_keys[k]) == 0;
        if (!known) {
            tsf_hint(err, "tsf-schema(5) lists the properties");
            return tsf_fail(err, TSF_ERR_INVALID, "unknown table property %s", o->config_keys[i]);
        }
    }
    enum tsf_err rc = props_parse(&s, &a, &p, err);
    tsf_arena_release(&a);
    return rc;
}

bool table_is_partition_field(const struct table *t, int field)
{
    for (int i = 0; i < t->n_partition; i++)
        if (t->partition_fields[i] == field)
            return true;
    return false;
}
