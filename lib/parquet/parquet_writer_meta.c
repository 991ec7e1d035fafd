/*
 * What follows the data: page indexes and the footer.
 */
#include "parquet/parquet_writer_internal.h"

/* ---- page index -------------------------------------------------------------------------------------------- */

/* A bound back from the bytes that statistics hold. */
static struct parquet_bound bound_from(const struct parquet_leaf *l, uint32_t off, uint32_t len)
{
    const uint8_t *p = l->stat_bytes.data + off;
    struct parquet_bound b = { 0 };
    float f;
    switch (l->kind) {
    case PARQUET_KIND_BOOL:
        b.u.i = p[0];
        break;
    case PARQUET_KIND_I32:
        b.u.i = (int32_t)tsf_le32_get(p);
        break;
    case PARQUET_KIND_I64:
        b.u.i = (int64_t)tsf_le64_get(p);
        break;
    case PARQUET_KIND_F32:
        memcpy(&f, p, 4);
        b.u.f = f;
        break;
    case PARQUET_KIND_F64:
        memcpy(&b.u.f, p, 8);
        break;
    case PARQUET_KIND_I128:
        b.u.w = (int8_t)p[0] < 0 ? -1 : 0;
        for (uint32_t i = 0; i < len; i++)
            b.u.w = (tsf_int128)((tsf_uint128)b.u.w << 8 | p[i]);
        break;
    case PARQUET_KIND_UUID:
        memcpy(&b.u.w, p, 16);
        break;
    case PARQUET_KIND_STR:
        b.u.s = tsf_str_n(p, len);
        break;
    }
    return b;
}

/* 1 ascending, 2 descending, 0 neither: how the bounds of pages with values follow one another. */
static int boundary_order(const struct parquet_leaf *l)
{
    bool up = true, down = true, any = false;
    struct parquet_bound last_min = { 0 }, last_max = { 0 };
    for (size_t i = 0; i < l->n_entries && (up || down); i++) {
        const struct parquet_page_entry *e = &l->entries[i];
        if (!e->has_range)
            continue;
        struct parquet_bound min = bound_from(l, e->min_off, e->min_len), max = bound_from(l, e->max_off, e->max_len);
        if (any) {
            int a = parquet_bound_cmp(l->kind, &last_min, &min), b = parquet_bound_cmp(l->kind, &last_max, &max);
            up = up && a <= 0 && b <= 0;
            down = down && a >= 0 && b >= 0;
        }
        any = true;
        last_min = min;
        last_max = max;
    }
    return up ? 1 : down ? 2 : 0;
}

static enum tsf_err put_column_index(const struct parquet_leaf *l, struct tsf_buf *out, struct tsf_error *err)
{
    struct parquet_twrite tw;
    uint32_t n = (uint32_t)l->n_entries;
    const struct parquet_page_entry *e = l->entries;
    const uint8_t *bytes = l->stat_bytes.data ? l->stat_bytes.data : (const uint8_t *)"";
    parquet_twrite_init(&tw, out, err);
    parquet_twrite_begin(&tw);
    parquet_twrite_list(&tw, 1, PARQUET_T_TRUE, n);
    for (uint32_t i = 0; i < n; i++)
        parquet_twrite_elem_bool(&tw, e[i].all_null);
    parquet_twrite_list(&tw, 2, PARQUET_T_BINARY, n);
    for (uint32_t i = 0; i < n; i++) /* pages of nulls have empty bounds */
        parquet_twrite_elem_binary(&tw, bytes + e[i].min_off, e[i].min_len);
    parquet_twrite_list(&tw, 3, PARQUET_T_BINARY, n);
    for (uint32_t i = 0; i < n; i++)
        parquet_twrite_elem_binary(&tw, bytes + e[i].max_off, e[i].max_len);
    parquet_twrite_i32(&tw, 4, boundary_order(l));
    parquet_twrite_list(&tw, 5, PARQUET_T_I64, n);
    for (uint32_t i = 0; i < n; i++)
        parquet_twrite_elem_int(&tw, e[i].n_nulls);
    parquet_twrite_end(&tw);
    return tw.rc;
}

static enum tsf_err put_offset_index(const struct parquet_leaf *l, int64_t pages_offset, struct tsf_buf *out, struct tsf_error *err)
{
    struct parquet_twrite tw;
    parquet_twrite_init(&tw, out, err);
    parquet_twrite_begin(&tw);
    parquet_twrite_list(&tw, 1, PARQUET_T_STRUCT, (uint32_t)l->n_entries);
    for (size_t i = 0; i < l->n_entries; i++) {
        const struct parquet_page_entry *e = &l->entries[i];
        parquet_twrite_begin(&tw);
        parquet_twrite_i64(&tw, 1, pages_offset + e->offset);
        parquet_twrite_i32(&tw, 2, e->size);
        parquet_twrite_i64(&tw, 3, e->first_row);
        parquet_twrite_end(&tw);
    }
    parquet_twrite_end(&tw);
    return tw.rc;
}

enum tsf_err parquet_writer_put_index(struct parquet_writer *w, const struct parquet_leaf *l, int64_t pages_offset,
                                      struct parquet_chunk_out *c, struct tsf_error *err)
{
    enum tsf_err rc;
    c->column_index = -1;
    if (l->has_column_index) {
        c->column_index = (int64_t)w->index.len;
        if ((rc = put_column_index(l, &w->index, err)) != TSF_OK)
            return rc;
        c->column_index_length = (int32_t)((int64_t)w->index.len - c->column_index);
    }
    c->offset_index = (int64_t)w->index.len;
    if ((rc = put_offset_index(l, pages_offset, &w->index, err)) != TSF_OK)
        return rc;
    c->offset_index_length = (int32_t)((int64_t)w->index.len - c->offset_index);
    return TSF_OK;
}

/* ---- footer --------------------------------------------------------------------------------------------------- */

static void put_path(const struct parquet_writer *w, const struct parquet_leaf *l, struct parquet_twrite *tw)
{
    const struct tsf_field *f = &w->schema.fields[l->field];
    const struct tsf_type *t = f->type;
    uint32_t n = 1;
    for (int d = 0; d < l->depth; d++) {
        n += t->id == TSF_TYPE_STRUCT ? 1 : 2;
        t = t->children[l->path[d]].type;
    }
    parquet_twrite_list(tw, 3, PARQUET_T_BINARY, n);
    const char *name = f->physical ? f->physical : f->name;
    parquet_twrite_elem_binary(tw, name, strlen(name));
    t = f->type;
    for (int d = 0; d < l->depth; d++) {
        const struct tsf_field *child = &t->children[l->path[d]];
        if (t->id == TSF_TYPE_LIST) {
            parquet_twrite_elem_binary(tw, "list", 4);
            name = "element";
        } else if (t->id == TSF_TYPE_MAP) {
            parquet_twrite_elem_binary(tw, "key_value", 9);
            name = l->path[d] == 0 ? "key" : "value";
        } else {
            name = child->physical ? child->physical : child->name;
        }
        parquet_twrite_elem_binary(tw, name, strlen(name));
        t = child->type;
    }
}

static void put_statistics(const struct parquet_chunk_out *c, struct parquet_twrite *tw)
{
    parquet_twrite_struct(tw, 12);
    parquet_twrite_i64(tw, 3, c->n_nulls);
    if (c->distinct >= 0)
        parquet_twrite_i64(tw, 4, c->distinct);
    if (c->has_max)
        parquet_twrite_binary(tw, 5, c->max, c->max_len);
    if (c->has_min)
        parquet_twrite_binary(tw, 6, c->min, c->min_len);
    if (c->has_max)
        parquet_twrite_bool(tw, 7, c->max_exact);
    if (c->has_min)
        parquet_twrite_bool(tw, 8, c->min_exact);
    parquet_twrite_end(tw);
}

static void put_page_count(struct parquet_twrite *tw, int type, int encoding, int64_t n)
{
    parquet_twrite_begin(tw);
    parquet_twrite_i32(tw, 1, type);
    parquet_twrite_i32(tw, 2, encoding);
    parquet_twrite_i32(tw, 3, (int32_t)n);
    parquet_twrite_end(tw);
}

static void put_encodings(const struct parquet_writer *w, const struct parquet_chunk_out *c, struct parquet_twrite *tw)
{
    (void)w;
    parquet_twrite_list(tw, 2, PARQUET_T_I32, (uint32_t)__builtin_popcount(c->encodings));
    for (int e = 0; e < 32; e++)
        if (c->encodings >> e & 1)
            parquet_twrite_elem_int(tw, e);
}

static void put_encoding_stats(const struct parquet_writer *w, const struct parquet_chunk_out *c, struct parquet_twrite *tw)
{
    int data = w->cfg.page_v2 ? 3 : 0;
    parquet_twrite_list(tw, 13, PARQUET_T_STRUCT,
                        (uint32_t)((c->dictionary_offset >= 0) + (c->n_dict_pages > 0) + (c->n_other_pages > 0)));
    if (c->dictionary_offset >= 0)
        put_page_count(tw, 2, PARQUET_PLAIN, 1);
    if (c->n_dict_pages)
        put_page_count(tw, data, PARQUET_RLE_DICTIONARY, c->n_dict_pages);
    if (c->n_other_pages)
        put_page_count(tw, data, c->page_encoding, c->n_other_pages);
}

static void put_chunk(const struct parquet_writer *w, const struct parquet_leaf *l, const struct parquet_chunk_out *c,
                      int64_t index_offset, struct parquet_twrite *tw)
{
    parquet_twrite_begin(tw);
    parquet_twrite_i64(tw, 2, 0);
    parquet_twrite_struct(tw, 3);
    parquet_twrite_i32(tw, 1, l->physical);
    put_encodings(w, c, tw);
    put_path(w, l, tw);
    parquet_twrite_i32(tw, 4, c->codec);
    parquet_twrite_i64(tw, 5, c->n_values);
    parquet_twrite_i64(tw, 6, c->uncompressed_size);
    parquet_twrite_i64(tw, 7, c->compressed_size);
    parquet_twrite_i64(tw, 9, c->data_offset);
    if (c->dictionary_offset >= 0)
        parquet_twrite_i64(tw, 11, c->dictionary_offset);
    if (!w->cfg.no_stats)
        put_statistics(c, tw);
    put_encoding_stats(w, c, tw);
    if (c->bloom_offset >= 0) {
        parquet_twrite_i64(tw, 14, c->bloom_offset);
        parquet_twrite_i32(tw, 15, c->bloom_length);
    }
    parquet_twrite_end(tw);
    parquet_twrite_i64(tw, 4, index_offset + c->offset_index);
    parquet_twrite_i32(tw, 5, c->offset_index_length);
    if (c->column_index >= 0) {
        parquet_twrite_i64(tw, 6, index_offset + c->column_index);
        parquet_twrite_i32(tw, 7, c->column_index_length);
    }
    parquet_twrite_end(tw);
}

static void put_group(const struct parquet_writer *w, size_t g, int64_t index_offset, struct parquet_twrite *tw)
{
    const struct parquet_group_out *group = &w->groups[g];
    parquet_twrite_begin(tw);
    parquet_twrite_list(tw, 1, PARQUET_T_STRUCT, (uint32_t)w->n_leaves);
    for (int i = 0; i < w->n_leaves; i++)
        put_chunk(w, &w->leaves[i], &group->chunks[i], index_offset, tw);
    parquet_twrite_i64(tw, 2, group->uncompressed_size);
    parquet_twrite_i64(tw, 3, group->n_rows);
    if (w->n_sorting) {
        parquet_twrite_list(tw, 4, PARQUET_T_STRUCT, (uint32_t)w->n_sorting);
        for (int i = 0; i < w->n_sorting; i++) {
            parquet_twrite_begin(tw);
            parquet_twrite_i32(tw, 1, w->sorting[i].leaf);
            parquet_twrite_bool(tw, 2, w->sorting[i].descending);
            parquet_twrite_bool(tw, 3, w->sorting[i].nulls_first);
            parquet_twrite_end(tw);
        }
    }
    parquet_twrite_i64(tw, 5, group->offset);
    parquet_twrite_i64(tw, 6, group->compressed_size);
    if (g <= INT16_MAX)
        parquet_twrite_i16(tw, 7, (int16_t)g);
    parquet_twrite_end(tw);
}

enum tsf_err parquet_writer_put_footer(struct parquet_writer *w, int64_t index_offset, struct tsf_error *err)
{
    static const char created_by[] = "tsf version " TSF_VERSION;
    struct parquet_twrite tw;
    tsf_buf_reset(&w->footer);
    parquet_twrite_init(&tw, &w->footer, err);
    parquet_twrite_begin(&tw);
    parquet_twrite_i32(&tw, 1, 2);
    parquet_writer_put_schema(w, &tw);
    parquet_twrite_i64(&tw, 3, w->n_rows);
    parquet_twrite_list(&tw, 4, PARQUET_T_STRUCT, (uint32_t)w->n_groups);
    for (size_t g = 0; g < w->n_groups; g++)
        put_group(w, g, index_offset, &tw);
    if (w->n_key_values) {
        parquet_twrite_list(&tw, 5, PARQUET_T_STRUCT, (uint32_t)w->n_key_values);
        for (int i = 0; i < w->n_key_values; i++) {
            parquet_twrite_begin(&tw);
            parquet_twrite_binary(&tw, 1, w->keys[i], strlen(w->keys[i]));
            if (w->values[i])
                parquet_twrite_binary(&tw, 2, w->values[i], strlen(w->values[i]));
            parquet_twrite_end(&tw);
        }
    }
    parquet_twrite_binary(&tw, 6, created_by, sizeof created_by - 1);
    parquet_twrite_list(&tw, 7, PARQUET_T_STRUCT, (uint32_t)w->n_leaves);
    for (int i = 0; i < w->n_leaves; i++) { /* TypeDefinedOrder: an empty structure in field 1 of a union */
        parquet_twrite_begin(&tw);
        parquet_twrite_struct(&tw, 1);
        parquet_twrite_end(&tw);
        parquet_twrite_end(&tw);
    }
    parquet_twrite_end(&tw);
    return tw.rc;
}
