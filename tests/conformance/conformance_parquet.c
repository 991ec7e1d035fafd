/*
 * Other projects' Parquet files against our reader: conformance_parquet DIR [filter]
 *
 * DIR/parquet/manifest.tsv names the cases, DIR/README.md says what they mean. Each case runs in a child of its own with
 * 1 GiB and 10 s, two at a time. Two things are compared where they are given:
 *
 *   facts   per leaf, from levels and physical values: entries, nulls, digest
 *   rows    as text, from the vectors that parquet_column_read gives (times are cut to microseconds)
 *
 * Lines: "ok", "FAIL" or "SKIP", "parquet/<id>", reason. SKIP: refused as unsupported though a good reader would read it.
 */
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parquet/parquet_read_internal.h"

#define BATCH_ROWS 1500
#define PASS 0
#define FAIL 1
#define SKIP 2

static const char *corpus;

/* ---- digests -------------------------------------------------------------------------------------------------- */

static uint64_t fnv(const void *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const uint8_t *)p)[i]) * 0x100000001b3ULL;
    return h;
}

struct facts {
    int64_t entries, nulls;
    uint64_t digest;
};

static void digest_values(const struct parquet_leaf_reader *l, const uint8_t *p, int64_t n, struct facts *f)
{
    const int width = parquet_physical_width(l->node->physical, l->node->type_length);
    for (int64_t i = 0; i < n; i++, p += width) {
        if (l->node->physical != PARQUET_BYTE_ARRAY) {
            f->digest += fnv(p, (size_t)width);
            continue;
        }
        struct tsf_sview v;
        memcpy(&v, p, sizeof v);
        f->digest += fnv(tsf_sview_data(&v), v.len);
    }
}

/* All pages of one chunk. */
static enum tsf_err leaf_facts(const struct parquet_file *file, int group, int node, struct facts *f, struct tsf_error *err)
{
    struct parquet_leaf_reader l;
    enum tsf_err rc = parquet_leaf_reader_init(&l, file, group, node, NULL, false, err);
    const int width = parquet_physical_width(file->meta->nodes[node].physical, file->meta->nodes[node].type_length);
    uint8_t *buf = NULL;
    size_t cap = 0;

    l.raw = true;
    while (rc == TSF_OK && (rc = parquet_leaf_page(&l, err)) == TSF_OK) {
        if ((rc = parquet_leaf_load(&l, err)) != TSF_OK)
            break;
        f->entries += l.page_n;
        for (int64_t at = 0; at < l.page_n && rc == TSF_OK; at += 4096) {
            int64_t m = TSF_MIN(4096, l.page_n - at), present = 0;
            for (int64_t i = 0; i < m; i++)
                present += l.defs[at + i] == l.node->max_def;
            if (!tsf_realloc_array((void **)&buf, &cap, (size_t)present * (size_t)width + TSF_PAD, 1))
                rc = tsf_fail_nomem(err);
            if (rc == TSF_OK && (rc = parquet_leaf_read(&l, present, NULL, present, buf, NULL, err)) == TSF_OK)
                digest_values(&l, buf, present, f);
            f->nulls += m - present;
        }
        l.page_at = l.page_n;
        parquet_leaf_recycle(&l);
    }
    free(buf);
    parquet_leaf_reader_release(&l);
    return rc == TSF_END ? TSF_OK : rc;
}

/* ---- rows as text ----------------------------------------------------------------------------------------------- */

struct text {
    struct tsf_buf b;
    const struct parquet_meta *meta;
};

static void put(struct text *t, const char *fmt, ...) TSF_PRINTF(2, 3);
static void put(struct text *t, const char *fmt, ...)
{
    char s[128];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(s, sizeof s, fmt, ap);
    va_end(ap);
    if (tsf_buf_append(&t->b, s, (size_t)n, NULL) != TSF_OK)
        exit(FAIL);
}

static bool is_utf8(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        int more = p[i] < 0x80 ? 0 : p[i] >= 0xc2 && p[i] < 0xe0 ? 1 : (p[i] & 0xf0) == 0xe0 ? 2 : p[i] >= 0xf0 && p[i] < 0xf5 ? 3 : -1;
        if (more < 0 || i + (size_t)more >= n)
            return false;
        if ((p[i] == 0xe0 && p[i + 1] < 0xa0) || (p[i] == 0xed && p[i + 1] > 0x9f) || (p[i] == 0xf0 && p[i + 1] < 0x90) ||
            (p[i] == 0xf4 && p[i + 1] > 0x8f))
            return false;
        for (int j = 1; j <= more; j++)
            if ((p[i + (size_t)j] & 0xc0) != 0x80)
                return false;
        i += (size_t)more + 1;
    }
    return true;
}

static void put_hex(struct text *t, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(t, "%02x", (unsigned)(uint8_t)p[i]);
}

static void put_string(struct text *t, struct tsf_str s)
{
    if (!is_utf8((const uint8_t *)s.data, s.len)) {
        put(t, "{\"$hex\":\"");
        put_hex(t, s.data, s.len);
        put(t, "\"}");
        return;
    }
    put(t, "\"");
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        const char *esc = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : c == '\b' ? "\\b" : c == '\f' ? "\\f"
                        : c == '"' ? "\\\"" : c == '\\' ? "\\\\" : NULL;
        if (esc)
            put(t, "%s", esc);
        else if (c < 0x20)
            put(t, "\\u%04x", c);
        else
            put(t, "%c", c);
    }
    put(t, "\"");
}

/* Shortest digits that read back, in Python's form. */
static void put_float(struct text *t, double v, bool single)
{
    char s[64], digits[32];
    int exp, n = 0;
    if (isnan(v) || isinf(v)) {
        put(t, "%s", isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
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
        put(t, "-");
    if (exp < -4 || exp >= 16) {
        put(t, "%c%s%.*s", digits[0], n > 1 ? "." : "", n - 1, digits + 1);
        put(t, "e%c%02d", exp < 0 ? '-' : '+', abs(exp));
    } else if (exp < 0) {
        put(t, "0.%.*s%.*s", -exp - 1, "0000", n, digits);
    } else {
        for (int i = 0; i <= exp; i++)
            put(t, "%c", i < n ? digits[i] : '0');
        put(t, ".%.*s", n > exp + 1 ? n - exp - 1 : 1, n > exp + 1 ? digits + exp + 1 : "0");
    }
}

static void put_date(struct text *t, int64_t days)
{
    int64_t y;
    int m, d;
    tsf_civil_from_days(days, &y, &m, &d);
    put(t, y < 0 || y > 9999 ? "%+05lld-%02d-%02d" : "%04lld-%02d-%02d", (long long)y, m, d);
}

static void put_clock(struct text *t, int64_t us, bool millis)
{
    put(t, "%02d:%02d:%02d.", (int)(us / 3600000000), (int)(us / 60000000 % 60), (int)(us / 1000000 % 60));
    put(t, millis ? "%03d" : "%06d", (int)(millis ? us % 1000000 / 1000 : us % 1000000));
}

static void put_leaf(struct text *t, const struct parquet_plan *p, const struct tsf_vector *v, int64_t row)
{
    const struct parquet_node *n = &t->meta->nodes[p->node];
    const int64_t i = tsf_vector_at(v, row);
    const void *values = tsf_vector_flat_values(v);
    const bool millis = n->unit == PARQUET_MILLIS && n->physical != PARQUET_INT96;
    char s[64];
    switch (p->type->id) {
    case TSF_TYPE_BOOL: put(t, "%s", ((const uint8_t *)values)[i] ? "true" : "false"); break;
    case TSF_TYPE_INT8: put(t, "%d", ((const int8_t *)values)[i]); break;
    case TSF_TYPE_INT16: put(t, "%d", ((const int16_t *)values)[i]); break;
    case TSF_TYPE_INT32: put(t, "%d", ((const int32_t *)values)[i]); break;
    case TSF_TYPE_INT64: put(t, "%lld", (long long)((const int64_t *)values)[i]); break;
    case TSF_TYPE_FLOAT: put_float(t, (double)((const float *)values)[i], true); break;
    case TSF_TYPE_DOUBLE: put_float(t, ((const double *)values)[i], false); break;
    case TSF_TYPE_DECIMAL:
        s[tsf_decimal_format(((const tsf_int128 *)values)[i], p->type->scale, s)] = '\0';
        put(t, n->logical == PARQUET_LOGICAL_INT ? "%s" : "\"%s\"", s);
        break;
    case TSF_TYPE_DATE:
        put(t, "\"");
        put_date(t, ((const int32_t *)values)[i]);
        put(t, "\"");
        break;
    case TSF_TYPE_TIME:
        put(t, "\"");
        put_clock(t, ((const int64_t *)values)[i], millis);
        put(t, "\"");
        break;
    case TSF_TYPE_TIMESTAMP:
    case TSF_TYPE_TIMESTAMP_NTZ: {
        int64_t us = ((const int64_t *)values)[i], days = us / TSF_US_PER_DAY - (us % TSF_US_PER_DAY < 0);
        put(t, "\"");
        put_date(t, days);
        put(t, "T");
        put_clock(t, (int64_t)((uint64_t)us - (uint64_t)days * (uint64_t)TSF_US_PER_DAY), millis);
        put(t, p->type->id == TSF_TYPE_TIMESTAMP && n->physical != PARQUET_INT96 ? "Z\"" : "\"");
        break;
    }
    case TSF_TYPE_STRING: put_string(t, tsf_sview_str(&((const struct tsf_sview *)values)[i])); break;
    case TSF_TYPE_BINARY: {
        const struct tsf_sview *b = &((const struct tsf_sview *)values)[i];
        put(t, "\"0x");
        put_hex(t, tsf_sview_data(b), b->len);
        put(t, "\"");
        break;
    }
    case TSF_TYPE_UUID:
        tsf_hex((const char *)values + 16 * i, 16, s);
        put(t, "\"%.8s-%.4s-%.4s-%.4s-%.12s\"", s, s + 8, s + 12, s + 16, s + 20);
        break;
    case TSF_TYPE_INTERVAL: {
        const struct tsf_interval *iv = &((const struct tsf_interval *)values)[i];
        put(t, "{\"months\":%u,\"days\":%u,\"millis\":%lld}", (unsigned)iv->months, (unsigned)iv->days, (long long)(iv->us / 1000));
        break;
    }
    default: put(t, "?");
    }
}

static void put_value(struct text *t, const struct parquet_plan *p, const struct tsf_vector *v, int64_t row)
{
    if (!tsf_vector_present(v, row)) {
        put(t, "null");
        return;
    }
    if (p->shape == PARQUET_SHAPE_LEAF) {
        put_leaf(t, p, v, row);
        return;
    }
    if (p->shape == PARQUET_SHAPE_STRUCT) {
        for (int i = 0; i < p->n_children; i++) {
            put(t, i ? "," : "{");
            put_string(t, tsf_str(p->type->children[i].name));
            put(t, ":");
            put_value(t, &p->children[i], &v->children[i], row);
        }
        put(t, "}");
        return;
    }
    const int32_t *off = v->values;
    put(t, "[");
    for (int32_t e = off[row]; e < off[row + 1]; e++) {
        if (e > off[row])
            put(t, ",");
        for (int i = 0; i < p->n_children; i++) {
            if (p->shape == PARQUET_SHAPE_MAP)
                put(t, i ? ",\"value\":" : "{\"key\":");
            put_value(t, &p->children[i], &v->children[i], e);
        }
        if (p->shape == PARQUET_SHAPE_MAP)
            put(t, "}");
    }
    put(t, "]");
}

/* ---- comparing ---------------------------------------------------------------------------------------------------- */

/* "…:05.123456789…" -> six digits, in place. */
static void cut_nanos(char *s)
{
    char *o = s;
    for (char *p = s; *p;) {
        if (*p == '.' && p - s >= 6 && p[-3] == ':' && p[-6] == ':' && strspn(p + 1, "0123456789") == 9) {
            memmove(o, p, 7);
            o += 7;
            p += 10;
        } else {
            *o++ = *p++;
        }
    }
    *o = '\0';
}

static bool same_json(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        double x = json_number_value(a), y = json_number_value(b);
        return x == y || fabs(x - y) <= fabs(x) * 5e-4; /* float16 has three digits; the digest is exact */
    }
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_string(a))
        return strcmp(json_string_value(a), json_string_value(b)) == 0;
    if (json_is_array(a)) {
        bool same = json_array_size(a) == json_array_size(b);
        for (size_t i = 0; same && i < json_array_size(a); i++)
            same = same_json(json_array_get(a, i), json_array_get(b, i));
        return same;
    }
    if (json_is_object(a)) {
        bool same = json_object_size(a) == json_object_size(b);
        const char *key;
        json_t *v;
        json_object_foreach((json_t *)a, key, v)
            same = same && json_object_get(b, key) && same_json(v, json_object_get(b, key));
        return same;
    }
    return true;
}

static bool same_line(char *ours, char *want)
{
    if (strcmp(ours, want) == 0)
        return true;
    cut_nanos(want);
    if (strcmp(ours, want) == 0)
        return true;
    json_t *a = json_loads(ours, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL), *b = json_loads(want, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool same = a && b && same_json(a, b);
    json_decref(a);
    json_decref(b);
    return same;
}

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

/* ---- a case ----------------------------------------------------------------------------------------------------------- */

struct rows {
    FILE *want;       /* NULL: none given */
    char *line;
    size_t line_cap;
    int64_t n;
    uint64_t digest;
};

static void check_row(struct rows *r, struct text *t, struct outcome *o)
{
    char *s = tsf_buf_cstr(&t->b);
    r->digest += fnv(s, t->b.len);
    r->n++;
    if (!r->want)
        return;
    ssize_t len = getline(&r->line, &r->line_cap, r->want);
    if (len <= 0) {
        fail(o, "row %lld is one too many", (long long)r->n);
        return;
    }
    r->line[len - (r->line[len - 1] == '\n')] = '\0';
    if (!same_line(s, r->line))
        fail(o, "row %lld is %.150s, not %.150s", (long long)r->n, s, r->line);
}

/* Rows of one row group through the vectors. */
static enum tsf_err read_group(const struct parquet_file *f, const struct parquet_plan *plans, int group, struct rows *rows,
                               struct text *t, struct outcome *o, struct tsf_error *err)
{
    const int n = f->schema.n_fields;
    struct parquet_column **cols = calloc((size_t)n + 1, sizeof *cols);
    struct tsf_vector *v = calloc((size_t)n + 1, sizeof *v);
    struct tsf_arena a = TSF_ARENA_INIT;
    enum tsf_err rc = TSF_OK;

    for (int i = 0; i < n && rc == TSF_OK; i++) {
        const struct parquet_column_options opts = { .no_dictionary = i % 2 };
        rc = parquet_column_open(f, group, i, &opts, &cols[i], err);
    }
    for (int64_t left = f->meta->row_groups[group].n_rows; left > 0 && rc == TSF_OK;) {
        int64_t m = TSF_MIN(left, BATCH_ROWS);
        tsf_arena_reset(&a);
        for (int i = 0; i < n && rc == TSF_OK; i++) {
            parquet_column_recycle(cols[i]);
            rc = parquet_column_read(cols[i], m, &a, &v[i], err);
        }
        for (int64_t row = 0; row < m && rc == TSF_OK; row++) {
            tsf_buf_reset(&t->b);
            put(t, "{");
            for (int i = 0; i < n; i++) {
                put(t, i ? "," : "");
                put_string(t, tsf_str(f->schema.fields[i].name));
                put(t, ":");
                put_value(t, &plans[i], &v[i], row);
            }
            put(t, "}");
            check_row(rows, t, o);
        }
        left -= m;
    }
    for (int i = 0; i < n; i++)
        parquet_column_close(cols[i]);
    tsf_arena_release(&a);
    free(cols);
    free(v);
    return rc;
}

static enum tsf_err check_rows(struct parquet_file *f, const json_t *want, const char *dir, bool cut, struct outcome *o,
                               struct tsf_error *err)
{
    struct text t = { .b = TSF_BUF_INIT(64 << 20), .meta = f->meta };
    struct parquet_plan *plans = calloc((size_t)f->schema.n_fields + 1, sizeof *plans);
    struct rows rows = { 0 };
    char path[16384];
    const char *name = json_string_value(json_object_get(want, "rows"));
    enum tsf_err rc = TSF_OK;

    if (name) {
        snprintf(path, sizeof path, "%s/%s", dir, name);
        if (!(rows.want = fopen(path, "r")))
            fail(o, "cannot open %s", path);
    }
    for (int i = 0; i < f->schema.n_fields && rc == TSF_OK; i++)
        rc = parquet_plan_make(f->meta, f->field_nodes[i], NULL, &f->arena, &plans[i], err);
    for (int g = 0; g < f->meta->n_row_groups && rc == TSF_OK; g++)
        rc = read_group(f, plans, g, &rows, &t, o, err);
    const char *digest = json_string_value(json_object_get(want, "rows_digest"));
    if (rc == TSF_OK && want) {
        if (rows.want && getline(&rows.line, &rows.line_cap, rows.want) > 0)
            fail(o, "only %lld rows", (long long)rows.n);
        if (!name && digest && !cut && rows.digest != strtoull(digest, NULL, 16))
            fail(o, "rows_digest is %016llx, not %s", (unsigned long long)rows.digest, digest);
    }
    if (rows.want)
        fclose(rows.want);
    free(rows.line);
    free(plans);
    tsf_buf_release(&t.b);
    return rc;
}

static enum tsf_err check_facts(const struct parquet_file *f, const json_t *want, bool *cut, struct outcome *o,
                                struct tsf_error *err)
{
    const json_t *columns = json_object_get(want, "columns");
    if (want && (int)json_array_size(columns) != f->meta->n_leaves)
        fail(o, "%d leaves, not %zu", f->meta->n_leaves, json_array_size(columns));
    if (want && (int64_t)json_number_value(json_object_get(want, "num_rows")) != f->meta->n_rows)
        fail(o, "%lld rows", (long long)f->meta->n_rows);
    for (int i = 0; i < f->meta->n_leaves; i++) {
        const struct parquet_node *n = &f->meta->nodes[f->meta->leaf_nodes[i]];
        struct facts facts = { 0 };
        char digest[17];
        *cut |= n->physical == PARQUET_INT96 || n->unit == PARQUET_NANOS || n->logical == PARQUET_LOGICAL_FLOAT16;
        for (int g = 0; g < f->meta->n_row_groups; g++) {
            enum tsf_err rc = leaf_facts(f, g, f->meta->leaf_nodes[i], &facts, err);
            if (rc != TSF_OK)
                return tsf_prepend(err, rc, "row group %d: leaf %d", g, i);
        }
        if (!want || o->result == FAIL)
            continue;
        const json_t *c = json_array_get(columns, (size_t)i);
        const char *d = json_string_value(json_object_get(c, "digest"));
        snprintf(digest, sizeof digest, "%016llx", (unsigned long long)facts.digest);
        if ((int64_t)json_number_value(json_object_get(c, "entries")) != facts.entries ||
            (int64_t)json_number_value(json_object_get(c, "nulls")) != facts.nulls || (d && strcmp(d, digest)))
            fail(o, "leaf %d: %lld entries, %lld nulls, digest %s; not %lld, %lld, %s", i, (long long)facts.entries,
                 (long long)facts.nulls, digest, (long long)json_number_value(json_object_get(c, "entries")),
                 (long long)json_number_value(json_object_get(c, "nulls")), d);
        if ((int64_t)json_number_value(json_object_get(c, "max_def")) != n->max_def ||
            (int64_t)json_number_value(json_object_get(c, "max_rep")) != n->max_rep)
            fail(o, "leaf %d: levels %d and %d", i, n->max_def, n->max_rep);
    }
    return TSF_OK;
}

static void run_case(const char *id, const char *expect, struct outcome *o)
{
    char path[8192], json_path[8192], dir[8192];
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_source src = { 0 };
    struct parquet_file f = { 0 };
    bool cut = false;
    enum tsf_err rc;

    snprintf(path, sizeof path, "%s/parquet/files/%s", corpus, id);
    snprintf(json_path, sizeof json_path, "%s/parquet/expected/%s.json", corpus, id);
    snprintf(dir, sizeof dir, "%s/parquet/expected/%.*s", corpus, (int)(strrchr(id, '/') - id), id);
    const bool reads = strncmp(expect, "read", 4) == 0;
    json_t *want = reads ? json_load_file(json_path, JSON_DECODE_INT_AS_REAL, NULL) : NULL;
    if (reads && !want) {
        fail(o, "cannot read %s", json_path);
        return;
    }
    if ((rc = tsf_source_file(&src, path, &err)) == TSF_OK && (rc = parquet_file_open(&f, &src, NULL, &err)) == TSF_OK &&
        (rc = check_facts(&f, want, &cut, o, &err)) == TSF_OK &&
        (!want || json_object_get(want, "rows_digest") || !json_object_get(want, "note")))
        rc = check_rows(&f, want, dir, cut, o, &err);
    parquet_file_release(&f);
    tsf_source_close(&src);
    json_decref(want);
    if (rc == TSF_OK) {
        if (strcmp(expect, "error") == 0)
            fail(o, "read without an error");
        return;
    }
    if (o->result == FAIL)
        return;
    snprintf(o->why, sizeof o->why, "%s", err.msg);
    if (strcmp(expect, "read") == 0)
        o->result = rc == TSF_ERR_UNSUPPORTED ? SKIP : FAIL;
    if (err.code != rc || !err.msg[0])
        fail(o, "error %d without words", (int)rc);
}

/* ---- the bloom filter -------------------------------------------------------------------------------------------------- */

static void run_bloom(struct outcome *o)
{
    char path[16384];
    struct tsf_buf b = TSF_BUF_INIT(1 << 20);
    snprintf(path, sizeof path, "%s/parquet/bloom/bloom_filter.xxhash.json", corpus);
    json_t *want = json_load_file(path, 0, NULL), *v;
    size_t i, n = (size_t)json_number_value(json_object_get(want, "num_bytes"));
    snprintf(path, sizeof path, "%s/parquet/bloom/bloom_filter.xxhash.bin", corpus);
    if (!want || tsf_file_read(path, 1 << 20, &b, NULL) != TSF_OK || b.len < n) {
        fail(o, "cannot read %s", path);
    } else {
        const uint8_t *bits = b.data + b.len - n;
        json_array_foreach(json_object_get(want, "present"), i, v)
            if (!parquet_bloom_test(bits, n, parquet_bloom_hash(json_string_value(v), json_string_length(v))))
                fail(o, "%s is not found", json_string_value(v));
        json_array_foreach(json_object_get(want, "absent"), i, v)
            if (parquet_bloom_test(bits, n, parquet_bloom_hash(json_string_value(v), json_string_length(v))))
                fail(o, "%s is found", json_string_value(v));
    }
    json_decref(want);
    tsf_buf_release(&b);
}

/* ---- all cases ---------------------------------------------------------------------------------------------------------- */

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
        perror("conformance_parquet");
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
        alarm(10);
        close(fds[0]);
        if (strcmp(expect, "bloom") == 0)
            run_bloom(&o);
        else
            run_case(id, expect, &o);
        dprintf(fds[1], "%s", o.why);
        _exit(o.result);
    }
    close(fds[1]);
    c->fd = fds[0];
}

static int child_end(struct child *c, int totals[3])
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
    printf("%s parquet/%s %s%s\n", words[result], c->id, result == SKIP ? "not yet: " : "", why);
    totals[result]++;
    c->pid = 0;
    return result;
}

int main(int argc, char **argv)
{
    struct child running[2] = { 0 };
    int next = 0, totals[3] = { 0 };
    char path[16384], bloom_id[] = "bloom/bloom_filter.xxhash.bin", bloom[] = "bloom", *line = NULL;
    size_t cap = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: conformance_parquet DIR [filter]\n");
        return 2;
    }
    corpus = argv[1];
    snprintf(path, sizeof path, "%s/parquet/manifest.tsv", corpus);
    FILE *in = fopen(path, "r");
    if (!in) {
        printf("SKIP parquet no cases at %s\n0 passed, 0 failed, 1 skipped\n", path);
        return 0;
    }
    for (int i = 0; getline(&line, &cap, in) > 0; i++) {
        char *save = NULL, *id = strtok_r(line, "\t\n", &save), *expect = strtok_r(NULL, "\t\n", &save);
        if (i == 0) { /* the header's turn goes to the bloom filter */
            id = bloom_id;
            expect = bloom;
        }
        if (!id || !expect || (argc > 2 && !strstr(id, argv[2])))
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
