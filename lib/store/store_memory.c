/* A few objects in memory, sorted by key: for tests and fuzzing, where a disk would be in the way. */
#include "store/store_internal.h"

#include <stdlib.h>

struct object {
    char *key;
    uint8_t *data;
    size_t size;
    int64_t modified_us;
};
struct memory {
    struct store base;
    struct object *objects;
    size_t n, cap;
};

static struct memory *memory_of(struct store *s)
{
    return (struct memory *)s;
}

/* Position of key, or where it belongs. */
static size_t object_find(const struct memory *m, const char *key, bool *found_out)
{
    size_t lo = 0, hi = m->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (strcmp(m->objects[mid].key, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found_out = lo < m->n && strcmp(m->objects[lo].key, key) == 0;
    return lo;
}

static enum tsf_err object_get(struct store *s, const char *key, const struct object **out, struct tsf_error *err)
{
    bool found;
    size_t i = object_find(memory_of(s), key, &found);

    if (!found)
        return tsf_fail(err, TSF_ERR_NOT_FOUND, "no object %s", key);
    *out = &memory_of(s)->objects[i];
    return TSF_OK;
}

static enum tsf_err memory_source_open(struct store *s, const char *key, int64_t size_hint, struct tsf_source *out,
                                       struct tsf_error *err)
{
    const struct object *o = NULL;
    enum tsf_err rc;

    (void)size_hint;
    if ((rc = object_get(s, key, &o, err)) == TSF_OK)
        tsf_source_memory(out, o->data, o->size, o->key);
    store_count(s, STORE_GET, rc == TSF_OK ? out->size : 0);
    return rc;
}

static enum tsf_err memory_get(struct store *s, const char *key, size_t max, struct tsf_buf *out, struct tsf_error *err)
{
    const struct object *o = NULL;
    enum tsf_err rc;

    if ((rc = object_get(s, key, &o, err)) != TSF_OK)
        return rc;
    if (o->size > max)
        return tsf_fail(err, TSF_ERR_NOMEM, "%s is larger than %zu bytes", key, max);
    return tsf_buf_append(out, o->data, o->size, err);
}

static enum tsf_err memory_stat(struct store *s, const char *key, struct store_stat *out, struct tsf_error *err)
{
    const struct object *o = NULL;
    enum tsf_err rc;

    if ((rc = object_get(s, key, &o, err)) == TSF_OK)
        *out = (struct store_stat){ .size = (int64_t)o->size, .modified_us = o->modified_us };
    return rc;
}

static enum tsf_err memory_put(struct store *s, const char *key, const void *p, size_t n, bool if_none_match, struct tsf_error *err)
{
    struct memory *m = memory_of(s);
    struct object o = { .size = n, .modified_us = tsf_now_us() };
    bool found;
    size_t i = object_find(m, key, &found);

    if (found && if_none_match)
        return tsf_fail(err, TSF_ERR_CONFLICT, "%s exists already", key);
    if ((o.data = malloc(n + 1)) == NULL || (o.key = strdup(key)) == NULL ||
        (!found && !tsf_realloc_array((void **)&m->objects, &m->cap, m->n + 1, sizeof *m->objects))) {
        free(o.data);
        free(o.key);
        return tsf_fail_nomem(err);
    }
    if (n > 0)
        memcpy(o.data, p, n);
    if (found) {
        free(m->objects[i].key);
        free(m->objects[i].data);
    } else {
        memmove(m->objects + i + 1, m->objects + i, (m->n - i) * sizeof *m->objects);
        m->n++;
    }
    m->objects[i] = o;
    return TSF_OK;
}

struct memory_writer {
    struct store_writer base;
    struct tsf_buf buf;
};

static enum tsf_err memory_writer_write(struct store_writer *w, const void *p, size_t n, struct tsf_error *err)
{
    return tsf_buf_append(&((struct memory_writer *)w)->buf, p, n, err);
}

static enum tsf_err memory_writer_finish(struct store_writer *w, struct tsf_error *err)
{
    struct memory_writer *mw = (struct memory_writer *)w;

    return memory_put(w->store, w->key, mw->buf.data, mw->buf.len, true, err);
}

static void memory_writer_free(struct store_writer *w)
{
    tsf_buf_release(&((struct memory_writer *)w)->buf);
    free(w->key);
    free(w);
}

static const struct store_writer_ops memory_writer_ops = { memory_writer_write, memory_writer_finish, memory_writer_free };

static enum tsf_err memory_writer_new(struct store *s, const char *key, struct store_writer **out, struct tsf_error *err)
{
    struct memory_writer *w = calloc(1, sizeof *w);

    if (w == NULL || (w->base.key = strdup(key)) == NULL) {
        free(w);
        return tsf_fail_nomem(err);
    }
    w->base.ops = &memory_writer_ops;
    w->base.store = s;
    *out = &w->base;
    return TSF_OK;
}

static enum tsf_err memory_list(struct store *s, const char *prefix, const char *start_after, int flags, store_list_fn *fn,
                                void *ctx, struct tsf_error *err)
{
    struct memory *m = memory_of(s);
    size_t pn = strlen(prefix);
    char *folder = NULL; /* last folder reported by a flat listing */
    enum tsf_err rc = TSF_OK;

    for (size_t i = 0; i < m->n && rc == TSF_OK; i++) {
        const struct object *o = &m->objects[i];
        struct store_item item = { .key = o->key, .size = (int64_t)o->size, .modified_us = o->modified_us };
        const char *slash;

        if (strncmp(o->key, prefix, pn) != 0 || (start_after != NULL && strcmp(o->key, start_after) <= 0))
            continue;
        if ((flags & STORE_LIST_FLAT) && (slash = strchr(o->key + pn, '/')) != NULL) {
            size_t n = (size_t)(slash - o->key) + 1;

            if (folder != NULL && strncmp(folder, o->key, n) == 0 && folder[n] == '\0')
                continue;
            free(folder);
            if ((folder = strndup(o->key, n)) == NULL)
                return tsf_fail_nomem(err);
            item = (struct store_item){ .key = folder, .is_prefix = true };
        }
        rc = fn(ctx, &item, err);
    }
    free(folder);
    return rc;
}

static enum tsf_err memory_remove(struct store *s, const char *const *keys, int64_t n, struct tsf_error *err)
{
    struct memory *m = memory_of(s);

    (void)err;
    for (int64_t i = 0; i < n; i++) {
        bool found;
        size_t at = object_find(m, keys[i], &found);

        if (!found)
            continue;
        free(m->objects[at].key);
        free(m->objects[at].data);
        m->n--;
        memmove(m->objects + at, m->objects + at + 1, (m->n - at) * sizeof *m->objects);
    }
    return TSF_OK;
}

static void memory_free(struct store *s)
{
    struct memory *m = memory_of(s);

    for (size_t i = 0; i < m->n; i++) {
        free(m->objects[i].key);
        free(m->objects[i].data);
    }
    free(m->objects);
    free(s->uri);
    free(m);
}

static const struct store_ops memory_ops = {
    .name = "memory",
    .source_open = memory_source_open,
    .get = memory_get,
    .stat = memory_stat,
    .put = memory_put,
    .writer = memory_writer_new,
    .list = memory_list,
    .remove = memory_remove,
    .free = memory_free,
};

enum tsf_err store_memory_new(struct store **out, struct tsf_error *err)
{
    struct memory *m = calloc(1, sizeof *m);

    if (m == NULL || (m->base.uri = strdup("memory:")) == NULL) {
        free(m);
        return tsf_fail_nomem(err);
    }
    m->base.ops = &memory_ops;
    *out = &m->base;
    return TSF_OK;
}
