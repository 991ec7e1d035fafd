/* CREATE TABLE and DROP TABLE. */
#include <ctype.h>
#include <strings.h>

#include "query/query_bind.h"
#include "table/table.h"

/* Properties by their name in the Delta configuration. SQL may write sort_order or sortorder for sortOrder. */
static const char *const known_properties[] = {
    "tsf.sortOrder", "tsf.dedupKeys", "tsf.versionColumn", "tsf.tombstoneColumn", "tsf.bloomColumns", "tsf.timeColumn",
    "tsf.tenantColumn", "tsf.targetFileSize",
    "delta.appendOnly", "delta.checkpointInterval", "delta.checkpointPolicy", "delta.columnMapping.mode",
    "delta.dataSkippingNumIndexedCols", "delta.dataSkippingStatsColumns", "delta.deletedFileRetentionDuration",
    "delta.enableChangeDataFeed", "delta.enableDeletionVectors", "delta.enableInCommitTimestamps", "delta.isolationLevel",
    "delta.logRetentionDuration", "delta.minReaderVersion", "delta.minWriterVersion", "delta.randomizeFilePrefixes",
    "delta.setTransactionRetentionDuration", "delta.targetFileSize", "delta.tuneFileSizesForRewrites",
    "delta.autoOptimize.autoCompact", "delta.autoOptimize.optimizeWrite",
};

struct create {
    struct query_binder b;
    const PgQuery__CreateStmt *stmt;
    struct tsf_schema schema;
    int n_partition;
    int *partition;
    int n_config;
    const char **keys, **values;
};

/* Same letters, whatever the case and the underscores. */
static bool same_property(const char *known, const char *space, const char *name)
{
    size_t n = strlen(space);
    if (strncasecmp(known, space, n) != 0 || known[n] != '.')
        return false;
    for (known += n + 1; *known || *name; known++, name++) {
        while (*name == '_')
            name++;
        if (tolower((unsigned char)*known) != tolower((unsigned char)*name))
            return false;
    }
    return true;
}

static const char *option_text(struct query_binder *b, const PgQuery__DefElem *d)
{
    char *text = NULL;
    if (!d->arg)
        return "true";
    switch (d->arg->node_case) {
    case PG_QUERY__NODE__NODE_STRING: return d->arg->string->sval;
    case PG_QUERY__NODE__NODE_FLOAT: return d->arg->float_->fval;
    case PG_QUERY__NODE__NODE_INTEGER: text = tsf_arena_printf(b->a, "%d", d->arg->integer->ival); break;
    case PG_QUERY__NODE__NODE_BOOLEAN: return d->arg->boolean->boolval ? "true" : "false";
    case PG_QUERY__NODE__NODE_TYPE_NAME: { /* a bare word */
        const PgQuery__TypeName *t = d->arg->type_name;
        return t->n_names ? query_bind_name(t->names[t->n_names - 1]) : NULL;
    }
    default: return query_bind_unsupported(b, d->location, "values of this form for a property are");
    }
    return text ? text : query_bind_nomem(b);
}

static bool properties(struct create *c)
{
    struct query_binder *b = &c->b;
    size_t n = c->stmt->n_options;
    if (!(c->keys = query_bind_alloc(b, n + 1, sizeof *c->keys)) || !(c->values = query_bind_alloc(b, n + 1, sizeof *c->values)))
        return false;
    for (size_t i = 0; i < n; i++) {
        const PgQuery__DefElem *d = c->stmt->options[i]->node_case == PG_QUERY__NODE__NODE_DEF_ELEM ? c->stmt->options[i]->def_elem : NULL;
        const char *key = NULL;
        for (size_t k = 0; d && d->defnamespace && k < TSF_ARRAY_LEN(known_properties); k++)
            if (same_property(known_properties[k], d->defnamespace, d->defname))
                key = known_properties[k];
        if (!key)
            return query_bind_fail(b, "22023", d ? d->location : -1, "unrecognized parameter \"%s%s%s\"",
                                   d && d->defnamespace ? d->defnamespace : "", d && d->defnamespace && *d->defnamespace ? "." : "",
                                   d ? d->defname : "?");
        for (int k = 0; k < c->n_config; k++)
            if (strcmp(c->keys[k], key) == 0)
                return query_bind_fail(b, "42601", d->location, "parameter \"%s\" specified more than once", key);
        c->keys[c->n_config] = key;
        if (!(c->values[c->n_config] = option_text(b, d)))
            return false;
        c->n_config++;
    }
    return true;
}

static bool column_constraints(struct query_binder *b, const PgQuery__ColumnDef *d, struct tsf_field *f)
{
    for (size_t i = 0; i < d->n_constraints; i++) {
        const PgQuery__Constraint *k = d->constraints[i]->node_case == PG_QUERY__NODE__NODE_CONSTRAINT ? d->constraints[i]->constraint : NULL;
        const char *what;
        switch (k ? k->contype : PG_QUERY__CONSTR_TYPE__CONSTR_TYPE_UNDEFINED) {
        case PG_QUERY__CONSTR_TYPE__CONSTR_NULL: continue;
        case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL: f->nullable = false; continue;
        case PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT: what = "default values are"; break;
        case PG_QUERY__CONSTR_TYPE__CONSTR_GENERATED: what = "generated columns are"; break;
        case PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY: what = "identity columns are"; break;
        case PG_QUERY__CONSTR_TYPE__CONSTR_CHECK: what = "check constraints are"; break;
        case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
        case PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE: what = "primary keys and unique constraints are"; break;
        case PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN: what = "foreign keys are"; break;
        default: what = "constraints of this kind are"; break;
        }
        query_bind_unsupported(b, k ? k->location : d->location, what);
        if (k && (k->contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY || k->contype == PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE))
            tsf_hint(b->err, "WITH (tsf.dedup_keys = '...') keeps the last row of each key.");
        return false;
    }
    return true;
}

static bool storable(const struct tsf_type *t)
{
    switch (t->id) {
    case TSF_TYPE_NULL:
    case TSF_TYPE_INTERVAL:
    case TSF_TYPE_TIME:
    case TSF_TYPE_UUID: return false;
    case TSF_TYPE_LIST: return storable(t->children[0].type) && t->children[0].type->id != TSF_TYPE_LIST;
    default: return true;
    }
}

static bool columns(struct create *c)
{
    struct query_binder *b = &c->b;
    size_t n = c->stmt->n_table_elts;
    if (!(c->schema.fields = query_bind_alloc(b, n + 1, sizeof *c->schema.fields)))
        return false;
    for (size_t i = 0; i < n; i++) {
        const PgQuery__Node *e = c->stmt->table_elts[i];
        if (e->node_case == PG_QUERY__NODE__NODE_CONSTRAINT) {
            query_bind_unsupported(b, e->constraint->location, "table constraints are");
            if (e->constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY)
                tsf_hint(b->err, "WITH (tsf.dedup_keys = '...') keeps the last row of each key.");
            return false;
        }
        if (e->node_case != PG_QUERY__NODE__NODE_COLUMN_DEF)
            return query_bind_unsupported(b, -1, "this kind of table element is");
        const PgQuery__ColumnDef *d = e->column_def;
        struct tsf_field *f = &c->schema.fields[c->schema.n_fields];
        for (int k = 0; k < c->schema.n_fields; k++)
            if (strcasecmp(c->schema.fields[k].name, d->colname) == 0) /* Delta's names differ by more than case */
                return query_bind_fail(b, "42701", d->location, "column \"%s\" specified more than once", d->colname);
        *f = (struct tsf_field){ .name = d->colname, .type = query_bind_type(b, d->type_name), .nullable = true, .field_id = -1 };
        if (!f->type || !column_constraints(b, d, f))
            return false;
        if (!storable(f->type))
            return query_bind_unsupported(b, d->location, tsf_arena_printf(b->a, "columns of type %s are", tsf_type_sql_name(f->type, b->a)));
        c->schema.n_fields++;
    }
    if (c->schema.n_fields == 0)
        return query_bind_fail(b, "42601", -1, "a table needs at least one column");
    return true;
}

static bool partitions(struct create *c)
{
    struct query_binder *b = &c->b;
    const PgQuery__PartitionSpec *p = c->stmt->partspec;
    if (!p)
        return true;
    if (strcasecmp(p->strategy, "list") != 0)
        return query_bind_unsupported(b, p->location, "partitioning other than BY LIST (column, ...) is");
    if (!(c->partition = query_bind_alloc(b, p->n_part_params + 1, sizeof *c->partition)))
        return false;
    for (size_t i = 0; i < p->n_part_params; i++) {
        const PgQuery__PartitionElem *e = p->part_params[i]->node_case == PG_QUERY__NODE__NODE_PARTITION_ELEM ? p->part_params[i]->partition_elem : NULL;
        if (!e || e->expr || !e->name || !*e->name)
            return query_bind_unsupported(b, e ? e->location : p->location, "partitioning by expressions is");
        int f = tsf_schema_find(&c->schema, tsf_str(e->name));
        if (f < 0)
            return query_bind_fail(b, "42703", e->location, "column \"%s\" named in partition key does not exist", e->name);
        for (int k = 0; k < c->n_partition; k++)
            if (c->partition[k] == f)
                return query_bind_fail(b, "42701", e->location, "column \"%s\" appears twice in partition key", e->name);
        if (c->schema.fields[f].type->n_children)
            return query_bind_fail(b, "42P16", e->location, "column \"%s\" of type %s cannot be a partition key", e->name,
                                   tsf_type_sql_name(c->schema.fields[f].type, b->a));
        c->partition[c->n_partition++] = f;
    }
    if (c->n_partition == c->schema.n_fields)
        return query_bind_fail(b, "42P16", p->location, "a table needs a column that is not a partition key");
    return true;
}

static bool plain_relation(struct query_binder *b, const PgQuery__RangeVar *r)
{
    if (r->schemaname && *r->schemaname && strcmp(r->schemaname, "public") != 0)
        return query_bind_fail(b, "3F000", r->location, "schema \"%s\" does not exist", r->schemaname);
    if (r->relpersistence && strcmp(r->relpersistence, "t") == 0)
        return query_bind_unsupported(b, r->location, "temporary tables are");
    return true;
}

/* Who is bound to a tenant works inside of tables only. */
static bool unbound(struct query_binder *b)
{
    return !b->s->opts.project || query_bind_fail(b, "42501", -1, "under a project binding tables cannot be created or dropped");
}

enum tsf_err query_create_table(struct query_session *s, const PgQuery__CreateStmt *stmt, struct tsf_error *err)
{
    struct create c = { .b = { .s = s, .a = &s->stmt, .err = err }, .stmt = stmt };
    struct query_binder *b = &c.b;
    struct table_env *env;
    bool created;
    enum tsf_err rc;
    if (stmt->n_inh_relations || stmt->partbound || stmt->of_typename || stmt->n_constraints)
        query_bind_unsupported(b, stmt->relation->location, "this form of CREATE TABLE is");
    if (b->rc != TSF_OK || !unbound(b) || !plain_relation(b, stmt->relation) || !columns(&c) || !partitions(&c) || !properties(&c))
        return b->rc;
    struct table_create_options opts = { .schema = &c.schema, .n_partition = c.n_partition, .partition_fields = c.partition,
                                         .n_config = c.n_config, .config_keys = c.keys, .config_values = c.values,
                                         .if_not_exists = stmt->if_not_exists };
    if ((rc = query_session_env(s, &env, err)) != TSF_OK)
        return rc;
    rc = table_create(env, stmt->relation->relname, &opts, &created, err);
    if (rc == TSF_ERR_CONFLICT) {
        if (err)
            tsf_error_reset(err);
        query_bind_fail(b, "42P07", stmt->relation->location, "relation \"%s\" already exists", stmt->relation->relname);
        return b->rc;
    }
    return rc;
}

enum tsf_err query_drop(struct query_session *s, const PgQuery__DropStmt *stmt, struct tsf_error *err)
{
    struct query_binder b = { .s = s, .a = &s->stmt, .err = err };
    struct table_env *env;
    enum tsf_err rc = TSF_OK;
    if (stmt->remove_type != PG_QUERY__OBJECT_TYPE__OBJECT_TABLE)
        query_bind_unsupported(&b, -1, "dropping anything but tables is");
    if (b.rc != TSF_OK || !unbound(&b))
        return b.rc;
    if ((rc = query_session_env(s, &env, err)) != TSF_OK)
        return rc;
    for (size_t i = 0; i < stmt->n_objects && rc == TSF_OK; i++) {
        const PgQuery__List *l = stmt->objects[i]->node_case == PG_QUERY__NODE__NODE_LIST ? stmt->objects[i]->list : NULL;
        const char *name = l && l->n_items ? query_bind_name(l->items[l->n_items - 1]) : NULL;
        const char *schema = l && l->n_items > 1 ? query_bind_name(l->items[l->n_items - 2]) : NULL;
        if (!name || (schema && strcmp(schema, "public") != 0)) {
            query_bind_fail(&b, "3F000", -1, "schema \"%s\" does not exist", schema ? schema : "?");
            return b.rc;
        }
        rc = table_drop(env, name, err);
        if (rc == TSF_ERR_NOT_FOUND) {
            if (err)
                tsf_error_reset(err);
            if (stmt->missing_ok) {
                rc = TSF_OK;
                continue;
            }
            query_bind_fail(&b, "42P01", -1, "table \"%s\" does not exist", name);
            return b.rc;
        }
    }
    return rc;
}
