#include "delta/delta_internal.h"

#include <stdlib.h>

void delta_replay_init(struct delta_replay *r)
{
    *r = (struct delta_replay){ .in_commit_ms = -1, .info_ms = -1 };
}

void delta_replay_release(struct delta_replay *r)
{
    delta_files_release(&r->files);
    tsf_arena_release(&r->arena);
    tsf_arena_release(&r->scratch);
    delta_head_unref(r->head);
    delta_replay_init(r);
}

static enum tsf_err keep_raw(struct delta_replay *r, struct tsf_str raw, struct tsf_str *out, struct tsf_error *err)
{
    char *copy = tsf_arena_strndup(&r->arena, raw.data, raw.len);

    if (copy == NULL)
        return tsf_fail_nomem(err);
    *out = tsf_str_n(copy, raw.len);
    return TSF_OK;
}

static enum tsf_err txn_set(struct delta_replay *r, const struct delta_txn *txn, struct tsf_error *err)
{
    struct delta_txn *t = NULL;

    for (int i = 0; i < r->n_txns && t == NULL; i++)
        if (strcmp(r->txns[i].app_id, txn->app_id) == 0)
            t = &r->txns[i];
    if (t == NULL) {
        if (!tsf_arena_grow(&r->arena, (void **)&r->txns, &r->cap_txns, (size_t)r->n_txns + 1, sizeof *r->txns))
            return tsf_fail_nomem(err);
        t = &r->txns[r->n_txns];
        if ((t->app_id = tsf_arena_strdup(&r->arena, txn->app_id)) == NULL)
            return tsf_fail_nomem(err);
        r->n_txns++;
    }
    t->version = txn->version;
    t->updated_ms = txn->updated_ms;
    return TSF_OK;
}

static enum tsf_err domain_set(struct delta_replay *r, const struct delta_action *act, struct tsf_error *err)
{
    struct delta_domain d = { NULL, NULL };
    int i = 0;

    while (i < r->n_domains && strcmp(r->domains[i].domain, act->domain.name) != 0)
        i++;
    if (act->domain.removed) {
        if (i < r->n_domains)
            r->domains[i] = r->domains[--r->n_domains];
        return TSF_OK;
    }
    if (i == r->n_domains && !tsf_arena_grow(&r->arena, (void **)&r->domains, &r->cap_domains, (size_t)i + 1, sizeof *r->domains))
        return tsf_fail_nomem(err);
    d.domain = tsf_arena_strdup(&r->arena, act->domain.name);
    d.configuration = tsf_arena_strdup(&r->arena, act->domain.configuration);
    if (d.domain == NULL || d.configuration == NULL)
        return tsf_fail_nomem(err);
    r->domains[i] = d;
    r->n_domains += i == r->n_domains;
    return TSF_OK;
}

enum tsf_err delta_replay_action(struct delta_replay *r, const struct delta_action *act, struct tsf_error *err)
{
    if (r->files.heap == NULL && (r->files.heap = delta_heap_new()) == NULL)
        return tsf_fail_nomem(err);
    switch (act->kind) {
    case DELTA_ACTION_ADD: return delta_files_add(&r->files, &act->file, &r->scratch, err);
    case DELTA_ACTION_REMOVE: return delta_files_remove(&r->files, &act->file, &r->scratch, err);
    case DELTA_ACTION_PROTOCOL: return keep_raw(r, act->raw, &r->protocol_raw, err);
    case DELTA_ACTION_METADATA: return keep_raw(r, act->raw, &r->metadata_raw, err);
    case DELTA_ACTION_TXN: return txn_set(r, &act->txn, err);
    case DELTA_ACTION_DOMAIN: return domain_set(r, act, err);
    case DELTA_ACTION_COMMIT_INFO:
        r->in_commit_ms = act->info.in_commit_ms;
        r->info_ms = act->info.timestamp_ms;
        return TSF_OK;
    default: return TSF_OK;
    }
}

static enum tsf_err replay_line(void *ctx, const struct delta_action *act, struct tsf_error *err)
{
    return delta_replay_action(ctx, act, err);
}

enum tsf_err delta_replay_text(struct delta_replay *r, struct tsf_str text, const char *name, struct tsf_error *err)
{
    r->in_commit_ms = r->info_ms = -1;
    return delta_lines_each(text, name, &r->scratch, replay_line, r, err);
}
