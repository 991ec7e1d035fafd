/*
 * Statistics that a reader may trust.
 *
 *   order      min_value and max_value count only under TypeDefinedOrder; the deprecated min and max compare as signed, so
 *              only for types whose order that is; INT96, INTERVAL and unknown annotations have no order
 *   floats     a NaN bound says nothing; zero bounds cover both zeros; NaN sorts above all in SQL but is not in the
 *              statistics, so an upper bound counts only when there are surely no NaNs
 *   strings    may be cut: bounds, not values, unless said to be exact
 *   nonsense   wrong length, min above max: as if absent
 */
#include <math.h>
#include <stdlib.h>

#include "parquet/parquet_read_internal.h"

struct stat_leaf {
    const struct parquet_node *node;
    struct parquet_conv conv;
    bool ordered;     /* TypeDefinedOrder and a type that has one */
    bool old_ordered; /* the deprecated fields may be used */
    bool no_nan_files;/* written by us: no statistics at all where there are NaNs */
};

static const struct parquet_node *flat_leaf(const struct parquet_file *f, int field)
{
    const struct parquet_node *n = &f->meta->nodes[f->field_nodes[field]];
    return n->leaf >= 0 && n->max_rep == 0 && n->max_def <= 1 ? n : NULL;
}

static bool stat_leaf_init(struct stat_leaf *s, const struct parquet_file *f, int field)
{
    *s = (struct stat_leaf){ .node = flat_leaf(f, field) };
    if (!s->node || parquet_conv_init(&s->conv, s->node, NULL, NULL) != TSF_OK)
        return false;
    const struct parquet_node *n = s->node;
    const bool orderless = n->physical == PARQUET_INT96 || n->logical == PARQUET_LOGICAL_INTERVAL ||
                           n->logical == PARQUET_LOGICAL_OTHER || n->logical == PARQUET_LOGICAL_UNKNOWN_NULL;
    const bool bytes = n->physical == PARQUET_BYTE_ARRAY || n->physical == PARQUET_FIXED_LEN_BYTE_ARRAY;
    s->ordered = !orderless && f->meta->column_orders[n->leaf] == 1;
    s->old_ordered = !orderless && !bytes && !(n->logical == PARQUET_LOGICAL_INT && !n->int_signed);
    s->no_nan_files = tsf_str_starts(f->meta->created_by, TSF_STR("tsf "));
    return true;
}

static bool is_float(const struct stat_leaf *s)
{
    return s->conv.type->id == TSF_TYPE_FLOAT || s->conv.type->id == TSF_TYPE_DOUBLE;
}

/* A value from converted bytes. */
static void value_from(const struct tsf_type *t, const void *p, struct tsf_value *out)
{
    *out = (struct tsf_value){ .type = t };
    switch (t->id) {
    case TSF_TYPE_BOOL: out->u.b = *(const uint8_t *)p != 0; break;
    case TSF_TYPE_INT8: out->u.i64 = *(const int8_t *)p; break;
    case TSF_TYPE_INT16: out->u.i64 = *(const int16_t *)p; break;
    case TSF_TYPE_INT32:
    case TSF_TYPE_DATE: out->u.i64 = *(const int32_t *)p; break;
    case TSF_TYPE_FLOAT: out->u.f32 = *(const float *)p; break;
    case TSF_TYPE_DOUBLE: out->u.f64 = *(const double *)p; break;
    case TSF_TYPE_DECIMAL:
    case TSF_TYPE_UUID: out->u.i128 = *(const tsf_int128 *)p; break;
    default: out->u.i64 = *(const int64_t *)p;
    }
}

/* Bytes of a bound (PLAIN, without a length) as a value; false when they cannot be one. */
static bool bound_value(const struct stat_leaf *s, struct tsf_str b, struct tsf_value *out)
{
    _Alignas(16) uint8_t phys[16] = { 0 }, conv[16];
    const void *src = phys;
    struct tsf_sview view;

    if (!b.data)
        return false;
    if (tsf_type_is_string(s->conv.type)) {
        *out = (struct tsf_value){ .type = s->conv.type, .u.s = b };
        return true;
    }
    if (s->node->physical == PARQUET_BYTE_ARRAY) {
        view = tsf_sview_make(b.data, b.len);
        src = &view;
    } else if (b.len != (size_t)s->conv.src_width) {
        return false;
    } else if (b.len <= sizeof phys) {
        memcpy(phys, b.data, b.len);
    } else {
        src = b.data;
    }
    if (s->conv.same)
        memcpy(conv, src, TSF_MIN((size_t)s->conv.dst_width, sizeof conv));
    else if (s->conv.fn(&s->conv, src, 1, conv, NULL) != TSF_OK)
        return false;
    value_from(s->conv.type, conv, out);
    return true;
}

static double float_of(const struct tsf_value *v)
{
    return v->type->id == TSF_TYPE_FLOAT ? (double)v->u.f32 : v->u.f64;
}

static void float_set(struct tsf_value *v, double x)
{
    if (v->type->id == TSF_TYPE_FLOAT)
        v->u.f32 = (float)x;
    else
        v->u.f64 = x;
}

static void float_rules(const struct stat_leaf *s, int64_t nan_count, struct parquet_range *r)
{
    if ((r->has_min && isnan(float_of(&r->min))) || (r->has_max && isnan(float_of(&r->max)))) {
        r->has_min = r->has_max = false;
        return;
    }
    if (r->has_min && float_of(&r->min) == 0) {
        float_set(&r->min, -0.0);
        r->min_exact = false;
    }
    if (r->has_max && float_of(&r->max) == 0) {
        float_set(&r->max, 0.0);
        r->max_exact = false;
    }
    if (nan_count != 0 && !s->no_nan_files)
        r->has_max = false;
}

static void range_set(const struct stat_leaf *s, struct tsf_str min, struct tsf_str max, int64_t nan_count,
                      struct parquet_range *r)
{
    r->has_min = bound_value(s, min, &r->min);
    r->has_max = bound_value(s, max, &r->max);
    if (is_float(s))
        float_rules(s, nan_count, r);
    if (r->has_min && r->has_max && tsf_value_cmp(&r->min, &r->max) > 0)
        r->has_min = r->has_max = false;
}

enum tsf_err parquet_chunk_range(const struct parquet_file *f, int row_group, int field, struct parquet_range *out,
                                 struct tsf_error *err)
{
    struct stat_leaf s;
    (void)err;
    *out = (struct parquet_range){ .null_count = -1, .n_values = -1 };
    if (!stat_leaf_init(&s, f, field))
        return TSF_OK;
    const struct parquet_chunk *c = &f->meta->row_groups[row_group].chunks[s.node->leaf];
    out->n_values = c->n_values;
    out->null_count = s.node->max_def == 0 ? 0 : c->stats.null_count <= c->n_values ? c->stats.null_count : -1;
    if (c->stats.deprecated ? !s.old_ordered : !s.ordered)
        return TSF_OK;
    const bool fixed = !tsf_type_is_string(s.conv.type) && !c->stats.deprecated; /* numbers are never cut */
    out->min_exact = c->stats.min_exact || (fixed && !c->stats.min_cut);
    out->max_exact = c->stats.max_exact || (fixed && !c->stats.max_cut);
    range_set(&s, c->stats.min, c->stats.max, c->stats.nan_count, out);
    return TSF_OK;
}

/* ---- page index ------------------------------------------------------------------------------------------------- */

static enum tsf_err index_bytes(const struct parquet_file *f, int64_t off, int64_t len, struct tsf_arena *a,
                                const uint8_t **out, struct tsf_error *err)
{
    if ((*out = tsf_source_view(f->src, off, (size_t)len)))
        return TSF_OK;
    uint8_t *p = tsf_arena_alloc(a, (size_t)len);
    if (!p)
        return tsf_fail_nomem(err);
    *out = p;
    return tsf_source_read(f->src, off, (size_t)len, p, err);
}

static enum tsf_err offset_index_read(struct parquet_tread *r, const struct parquet_chunk *c, int64_t n_rows,
                                      struct tsf_arena *a, struct parquet_page_index *out, struct tsf_error *err)
{
    int16_t id = 0;
    int type, et;
    while (parquet_tread_field(r, &id, &type)) {
        if (id != 1) {
            parquet_tread_skip(r, type);
            continue;
        }
        uint32_t n = parquet_tread_list(r, type, &et);
        out->first_row = tsf_arena_calloc(a, n + (size_t)1, sizeof(int64_t));
        out->offset = tsf_arena_calloc(a, n + (size_t)1, sizeof(int64_t));
        out->size = tsf_arena_calloc(a, n + (size_t)1, sizeof(int32_t));
        if (!out->first_row || !out->offset || !out->size)
            return tsf_fail_nomem(err);
        for (uint32_t i = 0; i < n && parquet_tread_struct(r, et); i++) {
            int16_t fid = 0;
            int ft;
            while (parquet_tread_field(r, &fid, &ft)) {
                switch (fid) {
                case 1: out->offset[i] = parquet_tread_i64(r, ft); break;
                case 2: out->size[i] = parquet_tread_i32(r, ft); break;
                case 3: out->first_row[i] = parquet_tread_i64(r, ft); break;
                default: parquet_tread_skip(r, ft);
                }
            }
        }
        out->n_pages = (int)n;
    }
    if (r->what || !out->first_row)
        out->n_pages = 0;
    /* An index that cannot be true is no index. */
    for (int i = 0; i < out->n_pages; i++) {
        int64_t before = i ? out->first_row[i - 1] : -1, offset = out->offset[i];
        if (out->first_row[i] <= before || out->first_row[i] >= n_rows || (i == 0 && out->first_row[0] != 0) ||
            offset < c->start || out->size[i] <= 0 || offset > c->start + c->length - out->size[i])
            out->n_pages = 0;
    }
    if (out->n_pages)
        out->first_row[out->n_pages] = n_rows;
    return TSF_OK;
}

struct column_index {
    bool *null_pages;
    struct tsf_str *min, *max;
    int64_t *null_counts, *nan_counts;
    uint32_t n_null_pages, n_min, n_max, n_null_counts, n_nan_counts;
};

#define INDEX_LIST(FIELD, COUNT, READ)                                                                       \
    do {                                                                                                     \
        x->COUNT = parquet_tread_list(r, type, &et);                                                         \
        if (!(x->FIELD = tsf_arena_calloc(a, x->COUNT + (size_t)1, sizeof *x->FIELD)))                       \
            return tsf_fail_nomem(err);                                                                      \
        for (uint32_t i = 0; i < x->COUNT; i++)                                                              \
            x->FIELD[i] = READ;                                                                              \
    } while (0)

static enum tsf_err column_index_read(struct parquet_tread *r, struct tsf_arena *a, struct column_index *x, struct tsf_error *err)
{
    int16_t id = 0;
    int type, et;
    while (parquet_tread_field(r, &id, &type)) {
        switch (id) {
        case 1: INDEX_LIST(null_pages, n_null_pages, parquet_tread_elem_bool(r, et)); break;
        case 2: INDEX_LIST(min, n_min, parquet_tread_binary(r, et)); break;
        case 3: INDEX_LIST(max, n_max, parquet_tread_binary(r, et)); break;
        case 5: INDEX_LIST(null_counts, n_null_counts, parquet_tread_i64(r, et)); break;
        case 8: INDEX_LIST(nan_counts, n_nan_counts, parquet_tread_i64(r, et)); break;
        default: parquet_tread_skip(r, type);
        }
    }
    return TSF_OK;
}

static enum tsf_err page_ranges(const struct stat_leaf *s, const struct column_index *x, struct tsf_arena *a,
                                struct parquet_page_index *out, struct tsf_error *err)
{
    const uint32_t n = (uint32_t)out->n_pages;
    if (x->n_null_pages != n || x->n_min != n || x->n_max != n)
        return TSF_OK;
    out->ranges = tsf_arena_calloc(a, n + (size_t)1, sizeof *out->ranges);
    out->all_null = tsf_arena_calloc(a, n + (size_t)1, sizeof *out->all_null);
    if (!out->ranges || !out->all_null)
        return tsf_fail_nomem(err);
    for (uint32_t i = 0; i < n; i++) {
        struct parquet_range *r = &out->ranges[i];
        *r = (struct parquet_range){ .null_count = -1, .n_values = out->first_row[i + 1] - out->first_row[i] };
        if (x->n_null_counts == n && x->null_counts[i] >= 0 && x->null_counts[i] <= r->n_values)
            r->null_count = x->null_counts[i];
        out->all_null[i] = x->null_pages[i];
        if (s->ordered && !x->null_pages[i])
            range_set(s, x->min[i], x->max[i], x->n_nan_counts == n ? x->nan_counts[i] : -1, r);
    }
    return TSF_OK;
}

enum tsf_err parquet_page_index_read(const struct parquet_file *f, int row_group, int field, struct tsf_arena *a,
                                     struct parquet_page_index *out, struct tsf_error *err)
{
    const struct parquet_row_group *g = &f->meta->row_groups[row_group];
    struct parquet_page_index index = { 0 };
    struct column_index columns = { 0 };
    struct stat_leaf s;
    struct parquet_tread r;
    const uint8_t *p;
    enum tsf_err rc;

    *out = index;
    if (!stat_leaf_init(&s, f, field))
        return TSF_OK;
    const struct parquet_chunk *c = &g->chunks[s.node->leaf];
    if (c->offset_index_offset < 0)
        return TSF_OK;
    if ((rc = index_bytes(f, c->offset_index_offset, c->offset_index_length, a, &p, err)) != TSF_OK)
        return rc;
    parquet_tread_init(&r, p, (size_t)c->offset_index_length);
    if ((rc = offset_index_read(&r, c, g->n_rows, a, &index, err)) != TSF_OK)
        return rc;
    if (index.n_pages > 0 && c->column_index_offset >= 0) {
        if ((rc = index_bytes(f, c->column_index_offset, c->column_index_length, a, &p, err)) != TSF_OK)
            return rc;
        parquet_tread_init(&r, p, (size_t)c->column_index_length);
        if ((rc = column_index_read(&r, a, &columns, err)) != TSF_OK ||
            (!r.what && (rc = page_ranges(&s, &columns, a, &index, err)) != TSF_OK))
            return rc;
    }
    *out = index;
    return TSF_OK;
}

/* ---- bloom filters ------------------------------------------------------------------------------------------------- */

static bool i64_of(const struct tsf_value *v, int64_t *out)
{
    if (tsf_type_is_integer(v->type) || v->type->id == TSF_TYPE_DATE || v->type->id == TSF_TYPE_TIME ||
        v->type->id == TSF_TYPE_TIMESTAMP || v->type->id == TSF_TYPE_TIMESTAMP_NTZ) {
        *out = v->u.i64;
        return true;
    }
    if (v->type->id == TSF_TYPE_DECIMAL) {
        *out = (int64_t)v->u.i128;
        return *out == v->u.i128;
    }
    return false;
}

/*
 * PLAIN bytes that the value has in this column. -1: several or none can be told (do not ask the filter); 0: no value of
 * this column equals it; else the length.
 */
static int64_t plain_bytes(const struct stat_leaf *s, const struct tsf_value *v, uint8_t out[16], const void **p)
{
    const struct parquet_node *n = s->node;
    const struct tsf_type *t = s->conv.type;
    int64_t i = 0;
    *p = out;
    if (v->is_null || (v->type->id != t->id && !(tsf_type_is_string(v->type) && tsf_type_is_string(t)) &&
                       !(tsf_type_is_integer(v->type) && tsf_type_is_integer(t))))
        return -1;
    if (t->id == TSF_TYPE_DECIMAL && (v->type->scale != t->scale || n->physical == PARQUET_BYTE_ARRAY))
        return -1;
    switch (n->physical) {
    case PARQUET_INT32:
    case PARQUET_INT64:
        if (t->id == TSF_TYPE_DECIMAL && n->logical == PARQUET_LOGICAL_INT) {
            memcpy(out, &v->u.i128, 8); /* unsigned 64 bits */
            return v->u.i128 >> 64 ? 0 : 8;
        }
        if (!i64_of(v, &i))
            return t->id == TSF_TYPE_DECIMAL ? 0 : -1;
        if (t->id == TSF_TYPE_TIME || t->id == TSF_TYPE_TIMESTAMP || t->id == TSF_TYPE_TIMESTAMP_NTZ) {
            if (n->unit == PARQUET_NANOS)
                return -1;
            if (n->unit == PARQUET_MILLIS) {
                if (i % 1000)
                    return 0;
                i /= 1000;
            }
        }
        tsf_le64_put(out, (uint64_t)i);
        return n->physical == PARQUET_INT32 ? 4 : 8;
    case PARQUET_FLOAT: memcpy(out, &v->u.f32, 4); return isnan(v->u.f32) || v->u.f32 == 0 ? -1 : 4;
    case PARQUET_DOUBLE: memcpy(out, &v->u.f64, 8); return isnan(v->u.f64) || v->u.f64 == 0 ? -1 : 8;
    case PARQUET_BYTE_ARRAY: *p = v->u.s.data; return v->u.s.len ? (int64_t)v->u.s.len : -1;
    case PARQUET_FIXED_LEN_BYTE_ARRAY:
        if (t->id == TSF_TYPE_BINARY) {
            *p = v->u.s.data;
            return v->u.s.len == (size_t)n->type_length ? n->type_length : 0;
        }
        if (t->id == TSF_TYPE_UUID) {
            memcpy(out, &v->u.i128, 16);
            return 16;
        }
        if (t->id != TSF_TYPE_DECIMAL || n->type_length > 16)
            return -1;
        for (int b = 0; b < n->type_length; b++)
            out[n->type_length - 1 - b] = (uint8_t)(v->u.i128 >> 8 * b);
        return n->type_length;
    default: return -1;
    }
}

/* *bits_out: where the bitset begins, 0 when this is a filter we do not know, or one whose lengths disagree. */
static enum tsf_err bloom_header(const struct parquet_file *f, const struct parquet_chunk *c, int64_t *bits_out, size_t *n_out,
                                 struct tsf_error *err)
{
    const int64_t off = c->bloom_offset;
    uint8_t buf[64];
    const size_t n = (size_t)TSF_MIN((int64_t)sizeof buf, f->src->size - off);
    const uint8_t *p = tsf_source_view(f->src, off, n);
    struct parquet_tread r;
    int32_t n_bytes = 0;
    int16_t id = 0;
    int type, known = 0;
    enum tsf_err rc;

    *bits_out = 0;
    if (!p && (rc = tsf_source_read(f->src, off, n, buf, err)) != TSF_OK)
        return rc;
    parquet_tread_init(&r, p ? p : buf, n);
    while (parquet_tread_field(&r, &id, &type)) {
        if (id == 1) {
            n_bytes = parquet_tread_i32(&r, type);
        } else if (id >= 2 && id <= 4 && parquet_tread_struct(&r, type)) {
            int16_t member = 0;
            while (parquet_tread_field(&r, &member, &type)) {
                known += member == 1;
                parquet_tread_skip(&r, type);
            }
        } else {
            parquet_tread_skip(&r, type);
        }
    }
    int64_t bits = off + (r.p - r.base);
    if (r.what || known != 3 || n_bytes < 32 || n_bytes % 32 || n_bytes > f->src->size - bits ||
        (c->bloom_length >= 0 && bits - off + n_bytes != c->bloom_length))
        return TSF_OK;
    *bits_out = bits;
    *n_out = (size_t)n_bytes;
    return TSF_OK;
}

enum tsf_err parquet_bloom_check(const struct parquet_file *f, int row_group, int field, const struct tsf_value *v,
                                 bool *maybe_out, struct tsf_error *err)
{
    struct stat_leaf s;
    uint8_t plain[16], block[32];
    const void *p;
    int64_t bits = 0;
    size_t n_bytes = 0;
    enum tsf_err rc;

    *maybe_out = true;
    if (!stat_leaf_init(&s, f, field))
        return TSF_OK;
    const struct parquet_chunk *c = &f->meta->row_groups[row_group].chunks[s.node->leaf];
    if (c->bloom_offset < 0)
        return TSF_OK;
    int64_t len = plain_bytes(&s, v, plain, &p);
    if (len <= 0) {
        *maybe_out = len < 0;
        return TSF_OK;
    }
    if ((rc = bloom_header(f, c, &bits, &n_bytes, err)) != TSF_OK || bits == 0)
        return rc;
    const uint64_t hash = parquet_bloom_hash(p, (size_t)len);
    const int64_t at = bits + (int64_t)parquet_bloom_block(n_bytes, hash);
    const uint8_t *b = tsf_source_view(f->src, at, sizeof block);
    if (!b && (rc = tsf_source_read(f->src, at, sizeof block, block, err)) != TSF_OK)
        return rc;
    *maybe_out = parquet_bloom_test(b ? b : block, 32, hash & 0xffffffff); /* the high half chose the block */
    return TSF_OK;
}
