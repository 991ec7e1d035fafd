/* Segment headers, record headers and schemas as bytes. The layout is in wal_internal.h. */
#include "wal/wal_internal.h"

#include <stdlib.h>

#define HEADER_FIXED 88
#define SCHEMA_MAX_DEPTH 16

uint64_t wal_seed(const uint8_t id[16])
{
    return tsf_le64_get(id);
}

enum tsf_err wal_header_encode(const struct wal_segment_header *h, struct tsf_buf *out, struct tsf_error *err)
{
    size_t len = (HEADER_FIXED + h->warehouse.len + h->table.len + 7) / 8 * 8 + 8;
    enum tsf_err rc;

    if (h->warehouse.len > WAL_HEADER_MAX / 4 || h->table.len > WAL_HEADER_MAX / 4)
        return tsf_fail(err, TSF_ERR_INVALID, "table name is too long for the WAL");
    if ((rc = tsf_buf_reserve(out, len, err)) != TSF_OK)
        return rc;
    uint8_t *p = out->data + out->len;
    memset(p, 0, len);
    memcpy(p, WAL_MAGIC, 8);
    tsf_le32_put(p + 8, WAL_FORMAT_VERSION);
    tsf_le32_put(p + 12, (uint32_t)len);
    memcpy(p + 16, h->id, 16);
    memcpy(p + 32, h->topic, 16);
    tsf_le64_put(p + 48, (uint64_t)h->base_lsn);
    tsf_le64_put(p + 56, (uint64_t)h->created_us);
    tsf_le64_put(p + 64, (uint64_t)h->n_records);
    tsf_le64_put(p + 72, (uint64_t)h->data_end);
    tsf_le32_put(p + 80, (uint32_t)h->warehouse.len);
    tsf_le32_put(p + 84, (uint32_t)h->table.len);
    memcpy(p + HEADER_FIXED, h->warehouse.data, h->warehouse.len);
    memcpy(p + HEADER_FIXED + h->warehouse.len, h->table.data, h->table.len);
    tsf_le64_put(p + len - 8, tsf_hash(p, len - 8, 0));
    out->len += len;
    return TSF_OK;
}

enum tsf_err wal_header_decode(const uint8_t *p, size_t n, struct wal_segment_header *out, struct tsf_error *err)
{
    if (n < HEADER_FIXED + 8)
        return tsf_fail_at(err, 0, "WAL segment is shorter than its header (%zu bytes)", n);
    if (memcmp(p, WAL_MAGIC, 8) != 0)
        return tsf_fail_at(err, 0, "not a WAL segment: wrong magic");
    uint32_t version = tsf_le32_get(p + 8), len = tsf_le32_get(p + 12);
    if (version != WAL_FORMAT_VERSION) {
        tsf_hint(err, "it is kept as it is; read it with the version of tsf that wrote it");
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "WAL segment has format version %u, this build knows %d", version,
                        WAL_FORMAT_VERSION);
    }
    if (len < HEADER_FIXED + 8 || len > WAL_HEADER_MAX || len % 8 != 0 || len > n)
        return tsf_fail_at(err, 12, "WAL segment header has length %u", len);
    if (tsf_le64_get(p + len - 8) != tsf_hash(p, len - 8, 0))
        return tsf_fail_at(err, 0, "WAL segment header fails its checksum");
    uint32_t wlen = tsf_le32_get(p + 80), tlen = tsf_le32_get(p + 84);
    if ((uint64_t)wlen + tlen + HEADER_FIXED + 8 > len)
        return tsf_fail_at(err, 80, "WAL segment header has names past its end");
    out->version = version;
    out->header_len = len;
    memcpy(out->id, p + 16, 16);
    memcpy(out->topic, p + 32, 16);
    out->base_lsn = (int64_t)tsf_le64_get(p + 48);
    out->created_us = (int64_t)tsf_le64_get(p + 56);
    out->n_records = (int64_t)tsf_le64_get(p + 64);
    out->data_end = (int64_t)tsf_le64_get(p + 72);
    out->warehouse = tsf_str_n(p + HEADER_FIXED, wlen);
    out->table = tsf_str_n(p + HEADER_FIXED + wlen, tlen);
    if (out->base_lsn < 1 || out->base_lsn > INT64_MAX / 2 || out->n_records < 0 || out->data_end < 0 || out->base_lsn > INT64_MAX - out->n_records)
        return tsf_fail_at(err, 48, "WAL segment header has impossible numbers");
    return TSF_OK;
}

void wal_record_header_encode(const struct wal_record_header *h, uint64_t seed, uint8_t out[WAL_RECORD_HEADER])
{
    tsf_le32_put(out, WAL_RECORD_MAGIC);
    out[4] = h->kind;
    out[5] = h->codec;
    tsf_le16_put(out + 6, 0);
    tsf_le64_put(out + 8, (uint64_t)h->number);
    tsf_le64_put(out + 16, (uint64_t)h->time_us);
    tsf_le32_put(out + 24, h->rows);
    tsf_le32_put(out + 28, h->schema_len);
    tsf_le64_put(out + 32, h->schema_hash);
    tsf_le64_put(out + 40, (uint64_t)h->stored_len);
    tsf_le64_put(out + 48, (uint64_t)h->raw_len);
    tsf_le64_put(out + 56, h->body_sum);
    tsf_le64_put(out + 64, tsf_hash(out, 64, seed));
}

bool wal_record_header_decode(const uint8_t *p, uint64_t seed, struct wal_record_header *out)
{
    if (tsf_le32_get(p) != WAL_RECORD_MAGIC || tsf_le64_get(p + 64) != tsf_hash(p, 64, seed))
        return false;
    out->kind = p[4];
    out->codec = p[5];
    out->number = (int64_t)tsf_le64_get(p + 8);
    out->time_us = (int64_t)tsf_le64_get(p + 16);
    out->rows = tsf_le32_get(p + 24);
    out->schema_len = tsf_le32_get(p + 28);
    out->schema_hash = tsf_le64_get(p + 32);
    out->stored_len = (int64_t)tsf_le64_get(p + 40);
    out->raw_len = (int64_t)tsf_le64_get(p + 48);
    out->body_sum = tsf_le64_get(p + 56);
    return out->kind >= WAL_INSERT && out->kind <= WAL_UPDATE && out->codec <= 1 && out->number >= 0 &&
           out->schema_len <= (1u << 24) && out->stored_len >= 0 && out->stored_len <= WAL_RECORD_MAX &&
           out->raw_len >= 0 && out->raw_len <= WAL_RAW_MAX;
}

bool wal_body_ok(const uint8_t *record, const struct wal_record_header *h, uint64_t seed)
{
    return tsf_hash(record + WAL_RECORD_HEADER, h->schema_len + (size_t)h->stored_len, seed) == h->body_sum;
}

/* ---- schemas: type id, precision, scale, flags, then name; lists, maps and structs are followed by their children ---- */

enum { FIELD_NULLABLE = 1, FIELD_JSON = 2 };

static enum tsf_err field_encode(const struct tsf_field *f, int depth, struct tsf_buf *out, struct tsf_error *err)
{
    size_t name_len = f->name ? strlen(f->name) : 0;
    const struct tsf_type *t = f->type;
    uint8_t head[8];
    enum tsf_err rc;

    if (depth > SCHEMA_MAX_DEPTH || name_len > UINT16_MAX || t->n_children > UINT16_MAX)
        return tsf_fail(err, TSF_ERR_INVALID, "column %s is nested too deep or its name is too long",
                        f->name ? f->name : "");
    head[0] = (uint8_t)t->id;
    head[1] = t->precision;
    head[2] = t->scale;
    head[3] = (uint8_t)((f->nullable ? FIELD_NULLABLE : 0) | (t->json ? FIELD_JSON : 0));
    tsf_le16_put(head + 4, (uint16_t)name_len);
    tsf_le16_put(head + 6, (uint16_t)t->n_children);
    if ((rc = tsf_buf_append(out, head, sizeof head, err)) != TSF_OK ||
        (rc = tsf_buf_append(out, f->name, name_len, err)) != TSF_OK)
        return rc;
    for (int i = 0; i < t->n_children; i++)
        if ((rc = field_encode(&t->children[i], depth + 1, out, err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

enum tsf_err wal_schema_encode(const struct tsf_schema *s, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc = tsf_buf_append_le32(out, (uint32_t)s->n_fields, err);
    for (int i = 0; rc == TSF_OK && i < s->n_fields; i++)
        rc = field_encode(&s->fields[i], 0, out, err);
    return rc;
}

static enum tsf_err field_decode(const uint8_t **p, const uint8_t *end, int depth, struct tsf_arena *a,
                                 struct tsf_field *f, struct tsf_error *err)
{
    enum tsf_err rc;

    if (end - *p < 8 || depth > SCHEMA_MAX_DEPTH)
        return tsf_fail(err, TSF_ERR_FORMAT, "WAL record: schema is cut short");
    const uint8_t *h = *p;
    size_t name_len = tsf_le16_get(h + 4);
    int n_children = tsf_le16_get(h + 6);
    *p += 8;
    if ((size_t)(end - *p) < name_len)
        return tsf_fail(err, TSF_ERR_FORMAT, "WAL record: schema is cut short");
    *f = (struct tsf_field){ .nullable = h[3] & FIELD_NULLABLE, .field_id = -1 };
    if (!(f->name = tsf_arena_strndup(a, (const char *)*p, name_len)))
        return tsf_fail_nomem(err);
    *p += name_len;
    int want = h[0] == TSF_TYPE_LIST ? 1 : h[0] == TSF_TYPE_MAP ? 2 : h[0] == TSF_TYPE_STRUCT ? n_children : 0;
    if (h[0] >= TSF_TYPE_COUNT || n_children != want)
        return tsf_fail(err, TSF_ERR_FORMAT, "WAL record: column %s has unknown type %d", f->name, h[0]);
    if (h[0] == TSF_TYPE_DECIMAL) {
        if (!(f->type = tsf_type_decimal(h[1], h[2])))
            return tsf_fail(err, TSF_ERR_FORMAT, "WAL record: column %s is decimal(%d,%d)", f->name, h[1], h[2]);
        return TSF_OK;
    }
    if (n_children == 0 && h[0] != TSF_TYPE_STRUCT) {
        f->type = h[3] & FIELD_JSON ? &tsf_type_json : &tsf_types[h[0]];
        return TSF_OK;
    }
    if ((size_t)(end - *p) / 8 < (size_t)n_children)
        return tsf_fail(err, TSF_ERR_FORMAT, "WAL record: schema is cut short");
    struct tsf_type *t = tsf_arena_calloc(a, 1, sizeof *t);
    struct tsf_field *children = tsf_arena_calloc(a, (size_t)n_children, sizeof *children);
    if (!t || !children)
        return tsf_fail_nomem(err);
    for (int i = 0; i < n_children; i++)
        if ((rc = field_decode(p, end, depth + 1, a, &children[i], err)) != TSF_OK)
            return rc;
    t->id = (enum tsf_type_id)h[0];
    t->n_children = n_children;
    t->children = children;
    f->type = t;
    return TSF_OK;
}

enum tsf_err wal_schema_decode(const uint8_t *p, size_t n, struct tsf_arena *a, struct tsf_schema *out, struct tsf_error *err)
{
    const uint8_t *end = p + n;
    enum tsf_err rc;

    if (n < 4 || tsf_le32_get(p) > (n - 4) / 8)
        return tsf_fail(err, TSF_ERR_FORMAT, "WAL record: schema is cut short");
    int n_fields = (int)tsf_le32_get(p);
    struct tsf_field *fields = tsf_arena_calloc(a, (size_t)n_fields, sizeof *fields);
    if (!fields)
        return tsf_fail_nomem(err);
    p += 4;
    for (int i = 0; i < n_fields; i++)
        if ((rc = field_decode(&p, end, 0, a, &fields[i], err)) != TSF_OK)
            return rc;
    *out = (struct tsf_schema){ .n_fields = n_fields, .fields = fields };
    return TSF_OK;
}
