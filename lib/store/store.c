#include "store/store_internal.h"

#include <stdlib.h>

/* ---- opening -------------------------------------------------------------------------------------- */

/* "scheme" of "scheme://rest", or an empty string when the URI is a plain path. */
static struct tsf_str uri_scheme(const char *uri)
{
    const char *colon = strstr(uri, "://");

    if (colon == NULL || colon == uri)
        return (struct tsf_str){ uri, 0 };
    for (const char *p = uri; p < colon; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (p > uri && *p >= '0' && *p <= '9') ||
              (p > uri && (*p == '+' || *p == '-' || *p == '.'))))
            return (struct tsf_str){ uri, 0 };
    return tsf_str_n(uri, (size_t)(colon - uri));
}

enum tsf_err store_open(const char *uri, struct store **out, struct tsf_error *err)
{
    struct tsf_str scheme = uri_scheme(uri);

    if (uri[0] == '\0')
        return tsf_fail(err, TSF_ERR_INVALID, "empty table or warehouse location");
    if (scheme.len == 0)
        return store_local_new(uri, out, err);
    if (tsf_str_eqz(scheme, "file")) {
        const char *path = uri + strlen("file://");

        if (strncmp(path, "localhost/", 10) == 0)
            path += 9;
        if (path[0] != '/')
            return tsf_fail(err, TSF_ERR_INVALID, "%s: a file URI needs an absolute path: file:///dir", uri);
        return store_local_new(path, out, err);
    }
    if (tsf_str_eqz(scheme, "s3") || tsf_str_eqz(scheme, "s3a"))
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "%s: S3 is not yet supported, only local directories", uri);
    return tsf_fail(err, TSF_ERR_UNSUPPORTED, "%s: no store for scheme \"%.*s\"", uri, (int)TSF_MIN(scheme.len, (size_t)32),
                    scheme.data);
}

void store_free(struct store *s)
{
    if (s != NULL)
        s->ops->free(s);
}

/* ---- keys ------------------------------------------------------------------------------------------- */

bool store_key_ok(const char *key)
{
    const char *part = key;

    for (;;) {
        size_t n = strcspn(part, "/");

        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        if (part[n] == '\0')
            return true;
        part += n + 1;
    }
}

static enum tsf_err key_check(const struct store *s, const char *key, struct tsf_error *err)
{
    if (store_key_ok(key))
        return TSF_OK;
    return tsf_fail(err, TSF_ERR_INVALID, "%s: not an object key: \"%.200s\"", s->uri, key);
}

/* A prefix may end in '/' or in the middle of a name, and may be empty. */
static bool prefix_ok(const char *prefix)
{
    size_t n = strlen(prefix);
    char *key;
    bool ok;

    if (n == 0)
        return true;
    if (prefix[n - 1] != '/')
        return store_key_ok(prefix);
    if ((key = strndup(prefix, n - 1)) == NULL)
        return false;
    ok = store_key_ok(key);
    free(key);
    return ok;
}

/* ---- requests ----------------------------------------------------------------------------------------- */

enum tsf_err store_source_open(struct store *s, const char *key, int64_t size_hint, struct tsf_source *out, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = key_check(s, key, err)) != TSF_OK)
        return rc;
    return s->ops->source_open(s, key, size_hint, out, err);
}

enum tsf_err store_get(struct store *s, const char *key, size_t max, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;

    tsf_buf_reset(out);
    if ((rc = key_check(s, key, err)) != TSF_OK)
        return rc;
    rc = s->ops->get(s, key, max, out, err);
    store_count(s, STORE_GET, rc == TSF_OK ? (int64_t)out->len : 0);
    return rc;
}

enum tsf_err store_stat(struct store *s, const char *key, struct store_stat *out, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = key_check(s, key, err)) != TSF_OK)
        return rc;
    store_count(s, STORE_HEAD, 0);
    return s->ops->stat(s, key, out, err);
}

enum tsf_err store_put(struct store *s, const char *key, const void *p, size_t n, bool if_none_match, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = key_check(s, key, err)) != TSF_OK)
        return rc;
    rc = s->ops->put(s, key, p, n, if_none_match, err);
    store_count(s, STORE_PUT, rc == TSF_OK ? (int64_t)n : 0);
    return rc;
}

enum tsf_err store_writer_new(struct store *s, const char *key, struct store_writer **out, struct tsf_error *err)
{
    enum tsf_err rc;

    if ((rc = key_check(s, key, err)) != TSF_OK)
        return rc;
    return s->ops->writer(s, key, out, err);
}

enum tsf_err store_writer_write(struct store_writer *w, const void *p, size_t n, struct tsf_error *err)
{
    enum tsf_err rc = w->ops->write(w, p, n, err);

    if (rc == TSF_OK)
        w->size += (int64_t)n;
    return rc;
}

enum tsf_err store_writer_finish(struct store_writer *w, struct tsf_error *err)
{
    enum tsf_err rc = w->ops->finish(w, err);

    store_count(w->store, STORE_PUT, rc == TSF_OK ? w->size : 0);
    return rc;
}

void store_writer_free(struct store_writer *w)
{
    if (w != NULL)
        w->ops->free(w);
}

static enum tsf_err writer_sink_write(void *ctx, const void *p, size_t n, struct tsf_error *err)
{
    return store_writer_write(ctx, p, n, err);
}

struct tsf_sink store_writer_sink(struct store_writer *w)
{
    return (struct tsf_sink){ .write = writer_sink_write, .ctx = w };
}

enum tsf_err store_list(struct store *s, const char *prefix, const char *start_after, int flags, store_list_fn *fn, void *ctx,
                        struct tsf_error *err)
{
    enum tsf_err rc;

    if (!prefix_ok(prefix))
        return tsf_fail(err, TSF_ERR_INVALID, "%s: not a key prefix: \"%.200s\"", s->uri, prefix);
    store_count(s, STORE_LIST, 0);
    rc = s->ops->list(s, prefix, start_after, flags, fn, ctx, err);
    return rc == TSF_END ? TSF_OK : rc;
}

enum tsf_err store_delete(struct store *s, const char *const *keys, int64_t n, struct tsf_error *err)
{
    enum tsf_err rc;

    /* All or nothing as far as we can tell before the first is gone. */
    for (int64_t i = 0; i < n; i++)
        if ((rc = key_check(s, keys[i], err)) != TSF_OK)
            return rc;
    store_count(s, STORE_DELETE, 0);
    return s->ops->remove(s, keys, n, err);
}

enum tsf_err store_local_path(struct store *s, const char *key, struct tsf_buf *out, struct tsf_error *err)
{
    enum tsf_err rc;

    if (s->ops->local_path == NULL)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "%s is not a local directory", s->uri);
    if (key[0] != '\0' && (rc = key_check(s, key, err)) != TSF_OK)
        return rc;
    return s->ops->local_path(s, key, out, err);
}

bool store_is_local(const struct store *s)
{
    return s->ops->local_path != NULL;
}

/* ---- counters --------------------------------------------------------------------------------------------- */

void store_count(struct store *s, enum store_request kind, int64_t bytes)
{
    __atomic_fetch_add(&s->counts.requests[kind], 1, __ATOMIC_RELAXED);
    if (bytes != 0)
        __atomic_fetch_add(kind == STORE_PUT ? &s->counts.bytes_written : &s->counts.bytes_read, bytes, __ATOMIC_RELAXED);
}

struct store_counts store_counts_get(const struct store *s)
{
    struct store_counts c;

    for (int i = 0; i < STORE_REQUEST_KINDS; i++)
        c.requests[i] = __atomic_load_n(&s->counts.requests[i], __ATOMIC_RELAXED);
    c.bytes_read = __atomic_load_n(&s->counts.bytes_read, __ATOMIC_RELAXED);
    c.bytes_written = __atomic_load_n(&s->counts.bytes_written, __ATOMIC_RELAXED);
    c.retries = __atomic_load_n(&s->counts.retries, __ATOMIC_RELAXED);
    return c;
}
