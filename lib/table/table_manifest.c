/*
 * Manifests: one JSON object per commit, one line each. The parsed object is kept whole, so keys that this version does
 * not know travel on unchanged.
 */
#include "table/table_internal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

void table_manifest_release(struct table_manifest *m)
{
    json_decref(m->json);
    tsf_arena_release(&m->arena);
    *m = (struct table_manifest)TABLE_MANIFEST_INIT;
}

/* ---- parsing ---------------------------------------------------------------------------------------------------- */

/* Relative, decoded, within the table. */
static bool path_ok(const char *p, size_t len)
{
    if (!len || p[0] == '/' || memchr(p, 0, len) || strstr(p, "://"))
        return false;
    for (const char *s = p;;) {
        const char *e = strchr(s, '/');
        size_t n = e ? (size_t)(e - s) : strlen(s);
        if (n == 0 || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
            return false;
        if (!e)
            return true;
        s = e + 1;
    }
}

static enum tsf_err want_count(const json_t *o, const char *key, int64_t fallback, int64_t *out, struct tsf_error *err)
{
    json_t *v = json_object_get(o, key);

    if (!v || json_is_null(v)) {
        *out = fallback;
        return TSF_OK;
    }
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "manifest: \"%s\" is no count", key);
    *out = json_integer_value(v);
    return TSF_OK;
}

static enum tsf_err parse_partition(struct table_manifest *m, json_t *o, struct table_manifest_file *f, struct tsf_error *err)
{
    size_t n = json_object_size(o);
    const char *key;
    json_t *v;

    if (o && !json_is_object(o))
        return tsf_fail(err, TSF_ERR_FORMAT, "manifest: \"partition\" is no object");
    f->partition_keys = tsf_arena_calloc(&m->arena, n + 1, sizeof *f->partition_keys);
    f->partition_values = tsf_arena_calloc(&m->arena, n + 1, sizeof *f->partition_values);
    if (!f->partition_keys || !f->partition_values)
        return tsf_fail_nomem(err);
    json_object_foreach(o, key, v) {
        if (!json_is_string(v) && !json_is_null(v))
            return tsf_fail(err, TSF_ERR_FORMAT, "manifest: partition value of %s is neither text nor null", key);
        f->partition_keys[f->n_partition] = key;
        f->partition_values[f->n_partition++] = json_string_value(v);
    }
    return TSF_OK;
}

static enum tsf_err parse_file(struct table_manifest *m, json_t *o, struct table_manifest_file *f, struct tsf_error *err)
{
    json_t *path = json_object_get(o, "path"), *footer = json_object_get(o, "footer");
    enum tsf_err rc;

    if (!json_is_object(o) || !json_is_string(path))
        return tsf_fail(err, TSF_ERR_FORMAT, "manifest: a file without a path");
    f->path = json_string_value(path);
    if (!path_ok(f->path, json_string_length(path)))
        return tsf_fail(err, TSF_ERR_INVALID, "manifest: path \"%.200s\" is not within the table", f->path);
    f->footer_offset = f->footer_length = -1;
    if (footer) {
        json_t *a = json_array_get(footer, 0), *b = json_array_get(footer, 1);
        if (!json_is_integer(a) || !json_is_integer(b) || json_integer_value(a) < 0 || json_integer_value(b) < 0)
            return tsf_fail(err, TSF_ERR_FORMAT, "manifest: \"footer\" of %s is not [offset, length]", f->path);
        f->footer_offset = json_integer_value(a);
        f->footer_length = json_integer_value(b);
    }
    f->cached = json_is_true(json_object_get(o, "cached"));
    if ((rc = want_count(o, "size", -1, &f->size, err)) != TSF_OK || (rc = want_count(o, "rows", -1, &f->rows, err)) != TSF_OK)
        return rc;
    return parse_partition(m, json_object_get(o, "partition"), f, err);
}

static enum tsf_err parse_files(struct table_manifest *m, const char *key, struct table_manifest_file **out, int *n_out,
                                struct tsf_error *err)
{
    json_t *list = json_object_get(m->json, key);
    size_t n = json_array_size(list);
    enum tsf_err rc;

    if (list && !json_is_array(list))
        return tsf_fail(err, TSF_ERR_FORMAT, "manifest: \"%s\" is no list", key);
    if (n > INT32_MAX)
        return tsf_fail(err, TSF_ERR_FORMAT, "manifest: \"%s\" is too long", key);
    if (!(*out = tsf_arena_calloc(&m->arena, n + 1, sizeof **out)))
        return tsf_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        if ((rc = parse_file(m, json_array_get(list, i), &(*out)[i], err)) != TSF_OK)
            return rc;
    *n_out = (int)n;
    return TSF_OK;
}

static enum tsf_err parse_object(struct table_manifest *m, struct tsf_error *err)
{
    json_t *tsf = json_object_get(m->json, "tsf"), *v;
    enum tsf_err rc;

    if (!json_is_object(m->json) || !json_is_integer(tsf))
        return tsf_fail(err, TSF_ERR_FORMAT, "not a manifest: no \"tsf\" version in it");
    if (json_integer_value(tsf) != 1)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "manifest of version %lld, this build knows 1", (long long)json_integer_value(tsf));
    m->op = json_string_value(json_object_get(m->json, "op"));
    m->table = json_string_value(json_object_get(m->json, "table"));
    if (!m->op || !m->table)
        return tsf_fail(err, TSF_ERR_FORMAT, "manifest: \"op\" or \"table\" is missing");
    v = json_object_get(m->json, "version");
    m->version = json_is_integer(v) ? json_integer_value(v) : -1;
    v = json_object_get(m->json, "timestamp");
    m->timestamp_ms = json_is_integer(v) ? json_integer_value(v) : 0;
    if ((rc = parse_files(m, "added", &m->added, &m->n_added, err)) != TSF_OK)
        return rc;
    return parse_files(m, "removed", &m->removed, &m->n_removed, err);
}

enum tsf_err table_manifest_parse(struct table_manifest *m, struct tsf_str line, struct tsf_error *err)
{
    json_error_t je;
    enum tsf_err rc;

    table_manifest_release(m);
    /* jansson bounds nesting (2048 levels) and refuses NUL and bytes that are not UTF-8. */
    m->json = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, &je);
    if (!m->json)
        rc = tsf_fail_at(err, je.position, "not a manifest: %s", je.text);
    else
        rc = parse_object(m, err);
    if (rc != TSF_OK)
        table_manifest_release(m);
    return rc;
}

/* ---- making ---------------------------------------------------------------------------------------------------------- */

static json_t *text_or_null(struct tsf_str s)
{
    return s.data ? json_stringn(s.data, s.len) : json_null();
}

static enum tsf_err partition_json(const struct table *t, const struct tsf_value *values, json_t **out, struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(1 << 20);
    json_t *o = json_object();
    enum tsf_err rc = o ? TSF_OK : tsf_fail_nomem(err);

    for (int k = 0; rc == TSF_OK && values && k < t->n_partition; k++) {
        tsf_buf_reset(&text);
        if ((rc = delta_partition_text(&values[k], &text, err)) != TSF_OK)
            break;
        struct tsf_str s = { NULL, 0 };
        if (!values[k].is_null)
            s = tsf_str_n(text.data ? (const char *)text.data : "", text.len);
        if (json_object_set_new(o, t->schema->fields[t->partition_fields[k]].name, text_or_null(s)) != 0)
            rc = tsf_fail(err, TSF_ERR_INVALID, "partition value is not UTF-8");
    }
    tsf_buf_release(&text);
    if (rc != TSF_OK)
        json_decref(o);
    else
        *out = o;
    return rc;
}

static enum tsf_err added_json(const struct table *t, const struct delta_add *a, json_t *list, struct tsf_error *err)
{
    json_t *o = json_object(), *partition = NULL;
    enum tsf_err rc;

    if (!o)
        return tsf_fail_nomem(err);
    int bad = json_object_set_new(o, "path", json_stringn(a->path.data, a->path.len));
    bad |= json_object_set_new(o, "size", json_integer(a->size));
    if (a->n_rows >= 0)
        bad |= json_object_set_new(o, "rows", json_integer(a->n_rows));
    if ((rc = partition_json(t, a->partition, &partition, err)) != TSF_OK) {
        json_decref(o);
        return rc;
    }
    bad |= json_object_set_new(o, "partition", partition);
    if (a->footer_length > 0)
        bad |= json_object_set_new(o, "footer", json_pack("[I,I]", (json_int_t)a->footer_offset, (json_int_t)a->footer_length));
    bad |= json_object_set_new(o, "cached", json_boolean(cache_footer_has(t->env->cache, t->store->uri, a->path, a->size)));
    bad |= json_array_append_new(list, o);
    return bad ? tsf_fail_nomem(err) : TSF_OK;
}

static enum tsf_err removed_json(const struct table *t, const struct delta_remove *r, json_t *list, struct tsf_error *err)
{
    json_t *o = json_object(), *partition = NULL;
    enum tsf_err rc;

    if (!o)
        return tsf_fail_nomem(err);
    int bad = json_object_set_new(o, "path", json_stringn(r->path.data, r->path.len));
    bad |= json_object_set_new(o, "size", json_integer(r->size));
    if (r->n_rows >= 0)
        bad |= json_object_set_new(o, "rows", json_integer(r->n_rows));
    if ((rc = partition_json(t, r->partition, &partition, err)) != TSF_OK) {
        json_decref(o);
        return rc;
    }
    bad |= json_object_set_new(o, "partition", partition);
    bad |= json_array_append_new(list, o);
    return bad ? tsf_fail_nomem(err) : TSF_OK;
}

enum tsf_err table_manifest_from_change(struct table_manifest *m, const struct table *t, const char *op, int64_t version,
                                        const struct delta_change *change, const char *metrics, struct tsf_error *err)
{
    json_t *added, *removed, *o = NULL;
    enum tsf_err rc = TSF_OK;

    table_manifest_release(m);
    added = json_array();
    removed = json_array();
    for (int64_t i = 0; rc == TSF_OK && change && i < change->n_adds; i++)
        rc = added_json(t, &change->adds[i], added, err);
    for (int64_t i = 0; rc == TSF_OK && change && i < change->n_removes; i++)
        rc = removed_json(t, &change->removes[i], removed, err);
    if (rc == TSF_OK) {
        o = json_pack("{s:i, s:s, s:s, s:I, s:I}", "tsf", 1, "op", op, "table", t->store->uri, "version", (json_int_t)version,
                      "timestamp", (json_int_t)(tsf_now_us() / 1000));
        json_t *mt = metrics ? json_loads(metrics, 0, NULL) : json_object();
        int bad = !o || json_object_set(o, "added", added) | json_object_set(o, "removed", removed) |
                            json_object_set_new(o, "metrics", mt);
        if (bad)
            rc = tsf_fail_nomem(err);
    }
    json_decref(added);
    json_decref(removed);
    m->json = o;
    if (rc == TSF_OK)
        rc = parse_object(m, err);
    if (rc != TSF_OK)
        table_manifest_release(m);
    return rc;
}

enum tsf_err table_manifest_annotate(struct table_manifest *m, const char *key, const char *object, struct tsf_error *err)
{
    json_t *o = json_loads(object, 0, NULL);

    if (!o)
        return tsf_fail(err, TSF_ERR_INVALID, "manifest: what %s adds is no JSON", key);
    return json_object_set_new(m->json, key, o) == 0 ? TSF_OK : tsf_fail_nomem(err);
}

static int append_chunk(const char *p, size_t n, void *ctx)
{
    return tsf_buf_append(ctx, p, n, NULL) == TSF_OK ? 0 : -1;
}

/* Do 15 digits say every number in v exactly? Then 0.005 need not be printed as 0.0050000000000000001. */
static bool short_reals(const json_t *v)
{
    const char *key;
    size_t i;
    json_t *child;
    char text[40];

    if (json_is_real(v)) {
        snprintf(text, sizeof text, "%.15g", json_real_value(v));
        return strtod(text, NULL) == json_real_value(v);
    }
    if (json_is_object(v)) {
        json_object_foreach((json_t *)v, key, child)
            if (!short_reals(child))
                return false;
    } else if (json_is_array(v)) {
        json_array_foreach(v, i, child)
            if (!short_reals(child))
                return false;
    }
    return true;
}

enum tsf_err table_manifest_print(const struct table_manifest *m, struct tsf_buf *out, struct tsf_error *err)
{
    size_t flags = JSON_COMPACT | (short_reals(m->json) ? JSON_REAL_PRECISION(15) : 0);

    if (json_dump_callback(m->json, append_chunk, out, flags) != 0)
        return tsf_fail_nomem(err);
    return tsf_buf_append_u8(out, '\n', err);
}
