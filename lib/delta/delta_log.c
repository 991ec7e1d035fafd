/*
 * Names in _delta_log/ (<v> has 20 digits):
 *
 *     <v>.json                               commit
 *     <v>.checkpoint.parquet                 classic checkpoint
 *     <v>.checkpoint.<part>.<parts>.parquet  one part of it, 10 digits each
 *     <v>.checkpoint.<uuid>.parquet|json     V2 checkpoint
 *     _last_checkpoint                       JSON, names a checkpoint; may be stale or missing
 *
 * All else (.crc, compacted logs, temporaries) is passed over.
 */
#include "delta/delta_internal.h"

#include <stdio.h>
#include <stdlib.h>

void delta_log_commit_key(int64_t version, char out[DELTA_KEY_MAX])
{
    snprintf(out, DELTA_KEY_MAX, DELTA_LOG_DIR "%020lld.json", (long long)version);
}

void delta_log_list_release(struct delta_log_list *l)
{
    tsf_arena_release(&l->arena);
    *l = (struct delta_log_list){ 0 };
}

/* n decimal digits; -1 when they are not or the number is too large. */
static int64_t digits(const char *p, int n)
{
    int64_t v = 0;

    for (int i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9' || __builtin_mul_overflow(v, (int64_t)10, &v) || __builtin_add_overflow(v, (int64_t)(p[i] - '0'), &v))
            return -1;
    }
    return v;
}

static bool is_uuid(const char *p, size_t n)
{
    if (n != 36)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash != (p[i] == '-') || (!dash && strchr("0123456789abcdefABCDEF", p[i]) == NULL))
            return false;
    }
    return true;
}

/* rest: behind "<v>.checkpoint." */
static bool checkpoint_name(const char *rest, struct delta_checkpoint_file *out)
{
    size_t n = strlen(rest);

    out->part = out->n_parts = 1;
    if (strcmp(rest, "parquet") == 0)
        return true;
    if (n == 29 && rest[10] == '.' && strcmp(rest + 21, ".parquet") == 0) {
        int64_t part = digits(rest, 10), parts = digits(rest + 11, 10);

        out->part = (int)part;
        out->n_parts = (int)parts;
        return part >= 1 && parts >= part && parts <= INT32_MAX;
    }
    out->v2 = true;
    out->json = n == 41 && strcmp(rest + 36, ".json") == 0;
    return (out->json || (n == 44 && strcmp(rest + 36, ".parquet") == 0)) && is_uuid(rest, 36);
}

static enum tsf_err list_checkpoint(struct delta_log_list *l, int64_t version, const char *rest, const struct store_item *item,
                                    struct tsf_error *err)
{
    struct delta_checkpoint_file c = { .version = version, .size = item->size, .modified_us = item->modified_us };

    if (!checkpoint_name(rest, &c))
        return TSF_OK;
    if ((c.key = tsf_arena_strdup(&l->arena, item->key)) == NULL ||
        !tsf_arena_grow(&l->arena, (void **)&l->checkpoints, &l->cap_checkpoints, l->n_checkpoints + 1, sizeof *l->checkpoints))
        return tsf_fail_nomem(err);
    l->checkpoints[l->n_checkpoints++] = c;
    return TSF_OK;
}

static enum tsf_err list_commit(struct delta_log_list *l, int64_t version, const struct store_item *item, struct tsf_error *err)
{
    if (!tsf_arena_grow(&l->arena, (void **)&l->commits, &l->cap_commits, l->n_commits + 1, sizeof *l->commits))
        return tsf_fail_nomem(err);
    l->commits[l->n_commits++] = (struct delta_log_commit){ version, item->size, item->modified_us };
    return TSF_OK;
}

static enum tsf_err list_item(void *ctx, const struct store_item *item, struct tsf_error *err)
{
    const char *name = item->key + sizeof DELTA_LOG_DIR - 1;
    int64_t version;

    if (item->is_prefix || strnlen(name, 21) < 21 || name[20] != '.' || (version = digits(name, 20)) < 0)
        return TSF_OK;
    if (strcmp(name + 21, "json") == 0)
        return list_commit(ctx, version, item, err);
    if (strncmp(name + 21, "checkpoint.", 11) == 0)
        return list_checkpoint(ctx, version, name + 32, item, err);
    return TSF_OK;
}

enum tsf_err delta_log_list_read(struct store *store, int64_t from, struct delta_log_list *out, struct tsf_error *err)
{
    char after[DELTA_KEY_MAX];

    /* "<v>." sorts before every name of version v and behind all of v - 1. */
    snprintf(after, sizeof after, DELTA_LOG_DIR "%020lld.", (long long)from);
    return store_list(store, DELTA_LOG_DIR, from > 0 ? after : NULL, STORE_LIST_FLAT, list_item, out, err);
}

/* Are the files first..end, all of one version and of one kind, a whole checkpoint? */
static bool parts_complete(const struct delta_log_list *l, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        if (l->checkpoints[i].part != (int)(i - first) + 1)
            return false;
    return (size_t)l->checkpoints[first].n_parts == end - first;
}

bool delta_log_checkpoint_pick(const struct delta_log_list *l, int64_t version, size_t *first_out, size_t *n_out)
{
    /* Names sort parts together and in order; V2 files and single files stand alone. */
    for (size_t end = l->n_checkpoints; end > 0;) {
        const struct delta_checkpoint_file *last = &l->checkpoints[end - 1];
        size_t first = end - 1;

        while (first > 0 && last->n_parts > 1 && l->checkpoints[first - 1].version == last->version &&
               l->checkpoints[first - 1].n_parts == last->n_parts && l->checkpoints[first - 1].part < l->checkpoints[first].part)
            first--;
        if ((version < 0 || last->version <= version) && parts_complete(l, first, end)) {
            *first_out = first;
            *n_out = end - first;
            return true;
        }
        end = first;
    }
    return false;
}

int64_t delta_log_last_checkpoint(struct store *store)
{
    struct tsf_buf text = TSF_BUF_INIT(DELTA_SMALL_MAX + 16);
    struct tsf_arena a = TSF_ARENA_INIT;
    int64_t version = -1;
    struct delta_scan s;
    struct tsf_str key;

    if (store_get(store, DELTA_LOG_DIR "_last_checkpoint", DELTA_SMALL_MAX, &text, NULL) == TSF_OK) {
        delta_scan_init(&s, tsf_buf_str(&text), &a);
        if (delta_scan_object(&s))
            while (delta_scan_key(&s, &key))
                (void)(tsf_str_eqz(key, "version") ? delta_scan_int(&s, &version) : delta_scan_skip(&s));
        if (s.bad || version < 0)
            version = -1;
    }
    tsf_arena_release(&a);
    tsf_buf_release(&text);
    return version;
}

static bool mark_matches(const struct delta_mark *mark, int64_t size, int64_t modified_us)
{
    return mark->size == size && mark->modified_us == modified_us;
}

/*
 * Locally a look at one name costs a microsecond and a listing grows with the log: ask for version + 1, + 2 ... Log
 * cleanup deletes from the old end and never the newest commit, so while ours is there nothing behind it was cut off.
 */
static enum tsf_err commits_after_local(struct store *store, const struct delta_mark *mark, bool *same_out, struct delta_log_list *out,
                                        struct tsf_error *err)
{
    char key[DELTA_KEY_MAX];
    struct store_stat st;
    enum tsf_err rc;

    for (int64_t v = mark->version;; v++) {
        struct store_item item = { .key = key };

        delta_log_commit_key(v, key);
        rc = store_stat(store, key, &st, NULL);
        if (rc == TSF_ERR_NOT_FOUND) {
            *same_out = v > mark->version;
            return TSF_OK;
        }
        if (rc != TSF_OK)
            return store_stat(store, key, &st, err);
        if (v == mark->version) {
            if (mark_matches(mark, st.size, st.modified_us))
                continue;
            *same_out = false;
            return TSF_OK;
        }
        item.size = st.size;
        item.modified_us = st.modified_us;
        if ((rc = list_commit(out, v, &item, err)) != TSF_OK)
            return rc;
    }
}

enum tsf_err delta_log_commits_after(struct store *store, const struct delta_mark *mark, bool *same_table_out, struct delta_log_list *out,
                                     struct tsf_error *err)
{
    enum tsf_err rc;

    *same_table_out = false;
    if (store_is_local(store))
        return commits_after_local(store, mark, same_table_out, out, err);
    if ((rc = delta_log_list_read(store, mark->version, out, err)) != TSF_OK)
        return rc;
    if (out->n_commits == 0 || out->commits[0].version != mark->version ||
        !mark_matches(mark, out->commits[0].size, out->commits[0].modified_us))
        return TSF_OK;
    out->n_commits--;
    memmove(out->commits, out->commits + 1, out->n_commits * sizeof *out->commits);
    *same_table_out = true;
    return TSF_OK;
}
