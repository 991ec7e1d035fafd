/*
 * Levels of nested columns (the Dremel encoding).
 *
 * One walk per leaf and row goes down the path from the top-level field to the leaf. Each optional step that is present
 * adds one to the definition level, each element of a list or map adds one more; the repetition level says at which
 * list an entry continues. An entry ends early, without a value, at the first null or empty list.
 */
#include "parquet/parquet_encode_internal.h"

struct shred {
    struct parquet_leaf *leaf;
    struct parquet_scratch *scratch;
    const struct tsf_vector *values; /* leaf vector, once an entry reached it */
    int64_t n_levels, n_values;      /* added in this call */
    struct tsf_error *err;
};

static enum tsf_err push(struct shred *sh, int rep, int def)
{
    struct parquet_leaf *l = sh->leaf;
    size_t at = (size_t)(l->n_levels + sh->n_levels);
    if (!tsf_realloc_array((void **)&l->def, &l->def_cap, at + 1, 1) ||
        !tsf_realloc_array((void **)&l->rep, &l->rep_cap, at + 1, 1))
        return tsf_fail_nomem(sh->err);
    l->def[at] = (uint8_t)def;
    l->rep[at] = (uint8_t)rep;
    sh->n_levels++;
    return TSF_OK;
}

static enum tsf_err push_value(struct shred *sh, const struct tsf_vector *v, int64_t row, int rep, int def)
{
    struct parquet_scratch *s = sh->scratch;
    enum tsf_err rc;
    if ((rc = push(sh, rep, def)) != TSF_OK)
        return rc;
    if (!tsf_realloc_array((void **)&s->idx, &s->idx_cap, (size_t)sh->n_values + 1, sizeof *s->idx))
        return tsf_fail_nomem(sh->err);
    s->idx[sh->n_values++] = (uint32_t)row;
    sh->values = v;
    return TSF_OK;
}

static enum tsf_err walk(struct shred *sh, const struct tsf_vector *v, bool nullable, int64_t row, int step, int rep, int def,
                         int lists)
{
    const struct tsf_type *t = v->type;
    enum tsf_err rc;
    if (nullable) {
        if (!tsf_vector_present(v, row))
            return push(sh, rep, def);
        def++;
    } else if (!tsf_vector_present(v, row)) {
        return tsf_fail(sh->err, TSF_ERR_INVALID, "null inside a nested column that is declared not null");
    }
    if (t->n_children == 0)
        return push_value(sh, v, row, rep, def);

    int child = sh->leaf->path[step];
    int64_t at = tsf_vector_at(v, row);
    const struct tsf_vector *base = v->shape == TSF_DICTIONARY ? v->dict : v;
    bool child_nullable = t->children[child].nullable;
    if (t->id == TSF_TYPE_STRUCT)
        return walk(sh, &base->children[child], child_nullable, at, step + 1, rep, def, lists);
    const int32_t *offsets = base->values;
    if (t->id == TSF_TYPE_MAP && child == 0)
        child_nullable = false;
    if (offsets[at] == offsets[at + 1])
        return push(sh, rep, def);
    for (int32_t k = offsets[at]; k < offsets[at + 1]; k++) {
        rc = walk(sh, &base->children[child], child_nullable, k, step + 1, k == offsets[at] ? rep : lists + 1, def + 1,
                  lists + 1);
        if (rc != TSF_OK)
            return rc;
    }
    return TSF_OK;
}

/* Lists of primitive values, the usual case: all is known from the offsets. */
static enum tsf_err shred_list(struct shred *sh, const struct tsf_vector *v, const uint32_t *sel, int64_t first, int64_t n)
{
    struct parquet_leaf *l = sh->leaf;
    struct parquet_scratch *s = sh->scratch;
    const int32_t *offsets = v->values;
    const struct tsf_vector *e = &v->children[0];
    bool e_nullable = v->type->children[0].nullable;
    int base = l->nullable ? 1 : 0;
    size_t n_elements = 0;
    for (int64_t i = first; i < first + n; i++) {
        int64_t row = sel ? sel[i] : i;
        n_elements += (size_t)(offsets[row + 1] - offsets[row]);
    }
    size_t levels = (size_t)l->n_levels, need = levels + n_elements + (size_t)n + 1;
    if (!tsf_realloc_array((void **)&l->def, &l->def_cap, need, 1) ||
        !tsf_realloc_array((void **)&l->rep, &l->rep_cap, need, 1) ||
        !tsf_realloc_array((void **)&s->idx, &s->idx_cap, n_elements + 1, sizeof *s->idx))
        return tsf_fail_nomem(sh->err);
    uint8_t *def = l->def + levels, *rep = l->rep + levels;
    uint32_t *idx = s->idx;
    for (int64_t i = first; i < first + n; i++) {
        int64_t row = sel ? sel[i] : i;
        bool present = !v->validity || tsf_bit_get(v->validity, row);
        int32_t k = offsets[row], end = offsets[row + 1];
        if (!present || k == end) {
            if (!present && !l->nullable)
                return tsf_fail(sh->err, TSF_ERR_INVALID, "null in a column that is declared not null");
            *def++ = (uint8_t)(present ? base : 0);
            *rep++ = 0;
            continue;
        }
        for (uint8_t r = 0; k < end; k++, r = 1) {
            bool here = !e->validity || tsf_bit_get(e->validity, k);
            if (!here && !e_nullable)
                return tsf_fail(sh->err, TSF_ERR_INVALID, "null inside a nested column that is declared not null");
            *def++ = (uint8_t)(base + 1 + (here && e_nullable));
            *rep++ = r;
            *idx = (uint32_t)k;
            idx += here;
        }
    }
    sh->n_levels = def - (l->def + levels);
    sh->n_values = idx - s->idx;
    sh->values = e;
    return TSF_OK;
}

enum tsf_err parquet_leaf_shred(struct parquet_leaf *l, const struct tsf_vector *v, const uint32_t *sel, int64_t first,
                                int64_t n, struct parquet_scratch *s, struct tsf_error *err)
{
    struct shred sh = { .leaf = l, .scratch = s, .err = err };
    enum tsf_err rc = TSF_OK;
    if (v->type->id == TSF_TYPE_LIST && l->depth == 1 && v->shape == TSF_FLAT && v->children[0].shape != TSF_CONSTANT)
        rc = shred_list(&sh, v, sel, first, n);
    else
        for (int64_t i = first; i < first + n && rc == TSF_OK; i++)
            rc = walk(&sh, v, l->nullable, sel ? sel[i] : i, 0, 0, 0, 0);
    if (rc != TSF_OK)
        return rc;
    if (sh.n_values && (rc = parquet_leaf_values(l, sh.values, s->idx, 0, sh.n_values, s, err)) != TSF_OK)
        return rc;
    l->n_rows += n;
    l->n_levels += sh.n_levels;
    l->n_values += sh.n_values;
    return TSF_OK;
}
