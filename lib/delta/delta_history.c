#include "delta/delta_internal.h"

#include <stdlib.h>

#define DEFAULT_LOG_RETENTION_US (30 * TSF_US_PER_DAY)
#define DEFAULT_FILE_RETENTION_US (7 * TSF_US_PER_DAY)

/* ---- history ------------------------------------------------------------------------------------------------ */

struct tally {
    struct delta_commit_info info;
    struct tsf_arena keep; /* the line's arena is reset with each line */
};

static struct tsf_str keep(struct tally *t, struct tsf_str s)
{
    char *copy = s.len > 0 ? tsf_arena_strndup(&t->keep, s.data, s.len) : NULL;

    return copy != NULL ? tsf_str_n(copy, s.len) : (struct tsf_str){ NULL, 0 };
}

static enum tsf_err tally_action(void *ctx, const struct delta_action *act, struct tsf_error *err)
{
    struct tally *t = ctx;

    (void)err;
    t->info.n_adds += act->kind == DELTA_ACTION_ADD;
    t->info.n_removes += act->kind == DELTA_ACTION_REMOVE;
    if (act->kind != DELTA_ACTION_COMMIT_INFO)
        return TSF_OK;
    if (act->info.in_commit_ms >= 0 || act->info.timestamp_ms >= 0)
        t->info.timestamp_ms = act->info.in_commit_ms >= 0 ? act->info.in_commit_ms : act->info.timestamp_ms;
    t->info.operation = keep(t, act->info.operation);
    t->info.operation_params = keep(t, act->info.operation_params);
    t->info.operation_metrics = keep(t, act->info.operation_metrics);
    t->info.engine = keep(t, act->info.engine);
    t->info.blind_append = act->info.blind_append;
    return TSF_OK;
}

enum tsf_err delta_history(struct store *store, int64_t limit,
                           enum tsf_err (*fn)(void *ctx, const struct delta_commit_info *info, struct tsf_error *err), void *ctx,
                           struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(DELTA_COMMIT_MAX + 16);
    struct delta_log_list l = { 0 };
    struct tsf_arena scratch = TSF_ARENA_INIT;
    struct tally t = { .keep = TSF_ARENA_INIT };
    enum tsf_err rc = delta_log_list_read(store, 0, &l, err);

    for (size_t i = l.n_commits; rc == TSF_OK && i > 0 && (limit == 0 || (int64_t)(l.n_commits - i) < limit); i--) {
        const struct delta_log_commit *c = &l.commits[i - 1];
        char key[DELTA_KEY_MAX];

        tsf_arena_reset(&t.keep);
        t.info = (struct delta_commit_info){ .version = c->version, .timestamp_ms = c->modified_us / 1000 };
        delta_log_commit_key(c->version, key);
        if ((rc = store_get(store, key, DELTA_COMMIT_MAX, &text, err)) == TSF_OK &&
            (rc = delta_lines_each(tsf_buf_str(&text), key, &scratch, tally_action, &t, err)) == TSF_OK)
            rc = fn(ctx, &t.info, err);
    }
    tsf_arena_release(&t.keep);
    tsf_arena_release(&scratch);
    delta_log_list_release(&l);
    tsf_buf_release(&text);
    return rc == TSF_END ? TSF_OK : rc;
}

/* ---- log cleanup ------------------------------------------------------------------------------------------------ */

struct expired {
    struct tsf_arena *a;
    char **keys;
    size_t n, cap;
};

static enum tsf_err expired_push(struct expired *e, const char *key, struct tsf_error *err)
{
    if (!tsf_arena_grow(e->a, (void **)&e->keys, &e->cap, e->n + 1, sizeof *e->keys) ||
        (e->keys[e->n] = tsf_arena_strdup(e->a, key)) == NULL)
        return tsf_fail_nomem(err);
    e->n++;
    return TSF_OK;
}

/* Newest complete checkpoint all of whose files are that old. */
static int64_t old_checkpoint(const struct delta_log_list *l, int64_t before_ms)
{
    size_t first, n;

    for (int64_t version = -1; delta_log_checkpoint_pick(l, version, &first, &n); version = l->checkpoints[first].version - 1) {
        bool old = true;

        for (size_t i = first; i < first + n; i++)
            old &= l->checkpoints[i].modified_us / 1000 <= before_ms;
        if (old)
            return l->checkpoints[first].version;
        if (l->checkpoints[first].version == 0)
            break;
    }
    return -1;
}

enum tsf_err delta_log_expired(struct store *store, int64_t before_ms, struct tsf_arena *a, char ***keys_out, int64_t *n_out,
                               struct tsf_error *err)
{
    struct expired e = { .a = a };
    struct delta_log_list l = { 0 };
    enum tsf_err rc = delta_log_list_read(store, 0, &l, err);
    int64_t floor = rc == TSF_OK ? old_checkpoint(&l, before_ms) : -1;

    for (size_t i = 0; rc == TSF_OK && i < l.n_commits && l.commits[i].version < floor; i++) {
        char key[DELTA_KEY_MAX];

        if (l.commits[i].modified_us / 1000 > before_ms)
            break; /* from the old end only, so that no gap opens */
        delta_log_commit_key(l.commits[i].version, key);
        rc = expired_push(&e, key, err);
    }
    for (size_t i = 0; rc == TSF_OK && i < l.n_checkpoints && l.checkpoints[i].version < floor; i++)
        if (l.checkpoints[i].modified_us / 1000 <= before_ms)
            rc = expired_push(&e, l.checkpoints[i].key, err);
    delta_log_list_release(&l);
    if (rc != TSF_OK)
        return rc;
    *keys_out = e.keys;
    *n_out = (int64_t)e.n;
    return TSF_OK;
}

/* ---- retention ---------------------------------------------------------------------------------------------------- */

/* "interval 1 week 2 days" as Spark writes it, or a duration of ours. */
bool delta_interval_parse(const char *z, int64_t *us_out)
{
    static const struct { const char *name; int64_t us; } units[] = {
        { "week", 7 * TSF_US_PER_DAY }, { "day", TSF_US_PER_DAY }, { "hour", 3600 * TSF_US_PER_SEC }, { "minute", 60 * TSF_US_PER_SEC },
        { "second", TSF_US_PER_SEC }, { "millisecond", 1000 }, { "microsecond", 1 },
    };
    int64_t total = 0;
    bool any = false;

    z += strspn(z, " ");
    if (strncasecmp(z, "interval", 8) == 0)
        z += 8;
    else if (tsf_duration_parse(z, us_out))
        return true;
    for (z += strspn(z, " "); *z != '\0'; z += strspn(z, " ")) {
        char *end;
        long long n = strtoll(z, &end, 10);
        int64_t us = 0, part;
        size_t len;

        if (end == z || n < 0)
            return false;
        z = end + strspn(end, " ");
        len = strcspn(z, " ");
        for (size_t i = 0; i < TSF_ARRAY_LEN(units); i++) {
            size_t ul = strlen(units[i].name);

            if (strncasecmp(z, units[i].name, ul) == 0 && (len == ul || (len == ul + 1 && (z[ul] == 's' || z[ul] == 'S'))))
                us = units[i].us;
        }
        if (us == 0 || __builtin_mul_overflow((int64_t)n, us, &part) || __builtin_add_overflow(total, part, &total))
            return false;
        any = true;
        z += len;
    }
    *us_out = total;
    return any;
}

static int64_t retention(const struct delta_metadata *m, const char *key, int64_t fallback_us)
{
    const char *text = delta_config_get(m, key);
    int64_t us;

    return text != NULL && delta_interval_parse(text, &us) ? us : fallback_us;
}

int64_t delta_log_retention_us(const struct delta_metadata *m)
{
    return retention(m, "delta.logRetentionDuration", DEFAULT_LOG_RETENTION_US);
}

int64_t delta_file_retention_us(const struct delta_metadata *m)
{
    return retention(m, "delta.deletedFileRetentionDuration", DEFAULT_FILE_RETENTION_US);
}
