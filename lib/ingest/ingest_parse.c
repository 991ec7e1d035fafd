/* Blocks into builders: the loop over rows, what a row lacks, keys seen before. */
#include "ingest/ingest_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define RAW_REASON_ROOM ((size_t)64 << 20)

const char *ingest_bad(struct ingest_parser *ps, const char *fmt, ...)
{
    size_t n = 0;
    va_list ap;

    if (ps->rc != TSF_OK)
        return NULL;
    if (ps->col >= 0)
        n = (size_t)snprintf(ps->reason, sizeof ps->reason, "column %.100s: ", ps->plan->schema->fields[ps->col].name);
    va_start(ap, fmt);
    vsnprintf(ps->reason + n, sizeof ps->reason - n, fmt, ap);
    va_end(ap);
    return NULL;
}

const char *ingest_nomem(struct ingest_parser *ps)
{
    ps->rc = tsf_fail_nomem(ps->err);
    return NULL;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

enum tsf_err ingest_parser_init(struct ingest_parser *ps, const struct ingest_plan *plan, enum tsf_simd simd, struct tsf_error *err)
{
    enum tsf_err rc;

    *ps = (struct ingest_parser){ .plan = plan, .col = -1, .row_fn = ingest_row_scalar };
#if defined(__x86_64__)
    if (simd != TSF_SIMD_SCALAR)
        ps->row_fn = simd == TSF_SIMD_AVX512 ? ingest_row_avx512 : ingest_row_avx2;
#endif
    tsf_buf_init(&ps->scratch, 0);
    tsf_buf_init(&ps->reasons, RAW_REASON_ROOM);
    ps->cols = calloc((size_t)plan->schema->n_fields + 1, sizeof *ps->cols);
    ps->seen = calloc(plan->n_words + 1, sizeof *ps->seen);
    ps->heads = calloc((size_t)plan->n_nodes, sizeof *ps->heads);
    if (!ps->cols || !ps->seen || !ps->heads)
        return tsf_fail_nomem(err);
    for (; ps->n_cols < plan->schema->n_fields; ps->n_cols++)
        if ((rc = tsf_builder_init(&ps->cols[ps->n_cols], plan->schema->fields[ps->n_cols].type, err)) != TSF_OK)
            return rc;
    return TSF_OK;
}

void ingest_parser_release(struct ingest_parser *ps)
{
    for (int c = 0; c < ps->n_cols; c++)
        tsf_builder_release(&ps->cols[c]);
    free(ps->cols);
    free(ps->seen);
    free(ps->heads);
    free(ps->unknown);
    free(ps->rejects);
    tsf_arena_release(&ps->keys);
    tsf_arena_release(&ps->arena);
    tsf_buf_release(&ps->scratch);
    tsf_buf_release(&ps->reasons);
    *ps = (struct ingest_parser){ .col = -1 };
}

void ingest_parser_reset(struct ingest_parser *ps)
{
    for (int c = 0; c < ps->n_cols; c++)
        tsf_builder_reset(&ps->cols[c]);
    tsf_arena_reset(&ps->arena);
    ps->reasons.len = 0;
    ps->n_rejects = 0;
    ps->row = ps->lines = ps->n_unknown_keys = 0;
}

/* ---- keys ----------------------------------------------------------------------------------------------------- */

static uint64_t key_hash(int node_id, const char *p, size_t len)
{
    return tsf_hash(p, len, (uint64_t)node_id);
}

static bool key_text_set(struct ingest_parser *ps, struct tsf_arena *a, struct ingest_key *k, const char *p, size_t len)
{
    char *text = tsf_arena_alloc(a, len + 16);

    if (!text) {
        (void)ingest_nomem(ps);
        return false;
    }
    memcpy(text, p, len);
    memset(text + len, 0, 16);
    k->text = text;
    k->len = (uint32_t)len;
    return true;
}

static bool key_target_set(struct ingest_parser *ps, const struct ingest_node *node, struct ingest_key *k, bool escapes)
{
    struct tsf_str name = tsf_str_n(k->text + 1, k->len - 2);
    size_t n = 0;

    if (escapes) {
        ps->scratch.len = 0;
        if (tsf_buf_reserve(&ps->scratch, name.len, ps->err) != TSF_OK) {
            (void)ingest_nomem(ps);
            return false;
        }
        if (!ingest_unescape(ps, name.data, name.len, (char *)ps->scratch.data, &n))
            return false;
        name = tsf_str_n(ps->scratch.data, n);
    }
    k->target = ingest_plan_find(ps->plan, node, name);
    k->node_id = node->id;
    return true;
}

struct ingest_key *ingest_key_find(struct ingest_parser *ps, const struct ingest_node *node, struct ingest_key *prev, const char *p,
                                   size_t len, bool escapes)
{
    struct ingest_key **bucket = &ps->buckets[key_hash(node->id, p, len) % INGEST_KEY_BUCKETS], *k;

    for (k = *bucket; k; k = k->chain)
        if (k->node_id == node->id && k->len == len && memcmp(k->text, p, len) == 0)
            break;
    if (!k && (ps->n_keys >= INGEST_KEYS_MAX || len > 1024)) {
        /* Keys that look like data: not remembered, and nothing follows them. */
        ps->odd = (struct ingest_key){ 0 };
        return key_text_set(ps, &ps->arena, &ps->odd, p, len) && key_target_set(ps, node, &ps->odd, escapes) ? &ps->odd : NULL;
    }
    if (!k) {
        if (!(k = tsf_arena_calloc(&ps->keys, 1, sizeof *k))) {
            (void)ingest_nomem(ps);
            return NULL;
        }
        if (!key_text_set(ps, &ps->keys, k, p, len) || !key_target_set(ps, node, k, escapes))
            return NULL;
        k->chain = *bucket;
        *bucket = k;
        ps->n_keys++;
    }
    prev->next[1] = prev->next[0];
    prev->next[0] = k;
    return k;
}

bool ingest_unknown_add(struct ingest_parser *ps, const struct ingest_node *node, struct tsf_str key, struct tsf_str value)
{
    ps->row_unknown++;
    if (ps->plan->attributes < 0)
        return true;
    if (!tsf_realloc_array((void **)&ps->unknown, &ps->cap_unknown, ps->n_unknown + 1, sizeof *ps->unknown)) {
        (void)ingest_nomem(ps);
        return false;
    }
    ps->unknown[ps->n_unknown++] = (struct ingest_unknown){ node, key, value };
    return true;
}

/* ---- the end of a row --------------------------------------------------------------------------------------------- */

bool ingest_column_ready(struct ingest_parser *ps, int c)
{
    struct tsf_builder *b = &ps->cols[c];

    if (b->length > ps->row)
        tsf_builder_truncate(b, ps->row);
    else if ((ps->rc = tsf_builder_nulls(b, ps->row - b->length, ps->err)) != TSF_OK)
        return false;
    return true;
}

/* Append a value to a column that this row lacks. */
static bool absent_str(struct ingest_parser *ps, int c, struct tsf_str s)
{
    if (!ingest_column_ready(ps, c))
        return false;
    tsf_bit_set(ps->seen, c);
    return (ps->rc = tsf_builder_str(&ps->cols[c], s.data, s.len, ps->err)) == TSF_OK;
}

/*
 * Unknown keys behind the members of the attributes object, in the order of the input. Attributes of another kind become a
 * member of their own name.
 */
static bool attributes_merge(struct ingest_parser *ps)
{
    int c = ps->plan->attributes;
    struct tsf_str old = { NULL, 0 };
    const char *sep = "{";
    char *out, *p;
    size_t room = 32;

    if (tsf_bit_get(ps->seen, c))
        old = tsf_sview_str(&((struct tsf_sview *)ps->cols[c].values)[ps->row]);
    for (size_t i = 0; i < ps->n_unknown; i++)
        room += strlen(ps->unknown[i].node->dotted) + ps->unknown[i].key.len + ps->unknown[i].value.len + 4;
    if (!(p = out = tsf_arena_alloc(&ps->arena, room + old.len + 16))) {
        (void)ingest_nomem(ps);
        return false;
    }
    if (old.len && old.data[0] == '{') {
        while (old.len && old.data[old.len - 1] != '}')
            old.len--;
        old.len--;
        while (old.len > 1 && (old.data[old.len - 1] == ' ' || old.data[old.len - 1] == '\t'))
            old.len--;
        memcpy(p, old.data, old.len);
        p += old.len;
        sep = old.len == 1 ? "" : ",";
    } else if (old.len) {
        p = stpcpy(p, "{\"attributes\":");
        memcpy(p, old.data, old.len);
        p += old.len;
        sep = ",";
    }
    for (size_t i = 0; i < ps->n_unknown; i++, sep = ",") {
        const struct ingest_unknown *u = &ps->unknown[i];
        p = stpcpy(p, sep);
        *p++ = '"';
        p = stpcpy(p, u->node->dotted);
        p = mempcpy(p, u->key.data, u->key.len);
        *p++ = '"';
        *p++ = ':';
        p = mempcpy(p, u->value.data, u->value.len);
    }
    *p++ = '}';
    if (!ingest_column_ready(ps, c))
        return false;
    return absent_str(ps, c, tsf_str_n(out, (size_t)(p - out)));
}

static bool tenant_bind(struct ingest_parser *ps)
{
    int c = ps->plan->tenant;

    if (!tsf_bit_get(ps->seen, c))
        return absent_str(ps, c, ps->plan->project);
    struct tsf_str s = tsf_sview_str(&((struct tsf_sview *)ps->cols[c].values)[ps->row]);
    if (tsf_str_eq(s, ps->plan->project))
        return true;
    ps->col = c;
    (void)ingest_bad(ps, "\"%.*s\" is not the project that this run is bound to", (int)TSF_MIN(s.len, 64u), s.data);
    return false;
}

static bool version_fill(struct ingest_parser *ps)
{
    int c = ps->plan->version;
    struct tsf_builder *b = &ps->cols[c];
    int64_t now = b->type->id == TSF_TYPE_INT32 ? ps->plan->now_us / TSF_US_PER_SEC : ps->plan->now_us;

    if (!ingest_column_ready(ps, c))
        return false;
    tsf_bit_set(ps->seen, c);
    return (ps->rc = tsf_builder_i64(b, now, ps->err)) == TSF_OK;
}

static bool absent_check(struct ingest_parser *ps)
{
    const struct ingest_plan *plan = ps->plan;

    for (size_t w = 0; w < plan->n_words; w++) {
        uint64_t missing = plan->required[w] & ~ps->seen[w];
        if (TSF_LIKELY(!missing))
            continue;
        ps->col = (int)(w * 64) + __builtin_ctzll(missing);
        (void)ingest_bad(ps, "no value, and it is NOT NULL");
        return false;
    }
    if (plan->date_required && !tsf_bit_get(ps->seen, plan->date) && !tsf_bit_get(ps->seen, plan->time)) {
        ps->col = plan->date;
        (void)ingest_bad(ps, "no value, and no time to take it from");
        return false;
    }
    return true;
}

/* What the input did not say. */
static bool row_complete(struct ingest_parser *ps)
{
    const struct ingest_plan *plan = ps->plan;

    if (ps->n_unknown && !attributes_merge(ps))
        return false;
    if (plan->project.data && !tenant_bind(ps))
        return false;
    if (plan->version >= 0 && !tsf_bit_get(ps->seen, plan->version) && !version_fill(ps))
        return false;
    return absent_check(ps);
}

static void row_undo(struct ingest_parser *ps)
{
    for (int c = 0; c < ps->n_cols; c++)
        if (tsf_bit_get(ps->seen, c))
            tsf_builder_truncate(&ps->cols[c], TSF_MIN(ps->row, ps->cols[c].length));
}

/* ---- the block --------------------------------------------------------------------------------------------------------- */

static const char *row_take(struct ingest_parser *ps, const char *p)
{
    const char *end;

    ps->col = -1;
    ps->kept = 0;
    ps->n_unknown = 0;
    ps->row_unknown = 0;
    memset(ps->seen, 0, ps->plan->n_words * sizeof *ps->seen);
    if (TSF_UNLIKELY(*p != '{'))
        return ingest_bad(ps, *p == '[' ? "an array; rows are JSON objects, one per line" : "not a JSON object");
    if (!(end = ps->row_fn(ps, p)))
        return NULL;
    ps->col = -1;
    while (*end == ' ' || *end == '\t' || *end == '\r')
        end++;
    if (*end != '\n')
        return ingest_bad(ps, "something follows the object");
    if (end - p > ps->plan->max_row_bytes)
        return ingest_bad(ps, "the row has %lld bytes, the limit is %lld", (long long)(end - p), (long long)ps->plan->max_row_bytes);
    return row_complete(ps) ? end : NULL;
}

/* Reasons mostly repeat, so the last one is shared. */
static bool reject_add(struct ingest_parser *ps, size_t start, size_t len)
{
    const struct ingest_reject *last = ps->n_rejects ? &ps->rejects[ps->n_rejects - 1] : NULL;
    struct ingest_reject r = { .line = (uint32_t)ps->lines, .start = (uint32_t)start, .len = (uint32_t)len };

    if (last && strcmp((const char *)ps->reasons.data + last->reason, ps->reason) == 0) {
        r.reason = last->reason;
    } else {
        r.reason = (uint32_t)ps->reasons.len;
        ps->rc = tsf_buf_append(&ps->reasons, ps->reason, strlen(ps->reason) + 1, ps->err);
    }
    if (!tsf_realloc_array((void **)&ps->rejects, &ps->cap_rejects, ps->n_rejects + 1, sizeof *ps->rejects))
        return ingest_nomem(ps) != NULL;
    ps->rejects[ps->n_rejects++] = r;
    return ps->rc == TSF_OK;
}

static enum tsf_err oversize_reject(struct ingest_parser *ps, const struct ingest_block *blk)
{
    ps->col = -1;
    (void)ingest_bad(ps, "the row has %lld bytes, the limit is %lld", (long long)blk->oversize, (long long)ps->plan->max_row_bytes);
    (void)reject_add(ps, 0, blk->len);
    ps->lines = 1;
    return ps->rc;
}

enum tsf_err ingest_parser_block(struct ingest_parser *ps, const struct ingest_block *blk, struct tsf_error *err)
{
    const char *data = blk->data, *p = data, *end = data + blk->len, *q, *stop;

    ps->rc = TSF_OK;
    ps->err = err;
    if (blk->oversize)
        return oversize_reject(ps, blk);
    if (blk->first && blk->len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    for (; p < end; p = stop + 1, ps->lines++) {
        for (q = p; *q == ' ' || *q == '\t' || *q == '\r';)
            q++;
        if (*q == '\n') {
            stop = q;
            continue;
        }
        if (TSF_LIKELY((stop = row_take(ps, q)) != NULL)) {
            ps->row++;
            ps->n_unknown_keys += ps->plan->attributes < 0 ? ps->row_unknown : 0;
            continue;
        }
        if (ps->rc != TSF_OK)
            return ps->rc;
        row_undo(ps);
        stop = memchr(p, '\n', (size_t)(end - p) + 1);
        size_t len = (size_t)(stop - p);
        len -= len && p[len - 1] == '\r';
        if (!reject_add(ps, (size_t)(p - data), len))
            return ps->rc;
        if (ps->plan->max_rejects >= 0 && (int64_t)ps->n_rejects > ps->plan->max_rejects)
            break;
    }
    return TSF_OK;
}

enum tsf_err ingest_parser_batch(struct ingest_parser *ps, struct tsf_batch *out, struct tsf_error *err)
{
    struct tsf_vector *v = tsf_arena_calloc(&ps->arena, (size_t)ps->n_cols + 1, sizeof *v);
    enum tsf_err rc;

    if (!v)
        return tsf_fail_nomem(err);
    for (int c = 0; c < ps->n_cols; c++)
        if ((rc = tsf_builder_nulls(&ps->cols[c], ps->row - ps->cols[c].length, err)) != TSF_OK ||
            (rc = tsf_builder_vector(&ps->cols[c], &ps->arena, &v[c], err)) != TSF_OK)
            return rc;
    *out = (struct tsf_batch){ .length = ps->row, .n_columns = ps->n_cols, .columns = v };
    return TSF_OK;
}
