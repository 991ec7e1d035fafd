/* What the environment says: where tables are, where the WAL and the cache are. */
#include "table/table_internal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_uri(const char *s)
{
    return strstr(s, "://") != NULL;
}

/* Drop empty and "." parts of an absolute path, in place. */
static void squeeze(char *path)
{
    char *to = path;

    for (const char *p = path; *p;) {
        size_t n = strcspn(p + 1, "/");
        if (n > 0 && !(n == 1 && p[1] == '.')) {
            memmove(to, p, n + 1);
            to += n + 1;
        }
        p += n + 1;
    }
    if (to == path)
        *to++ = '/';
    *to = 0;
}

/* The path without symbolic links and "..", as far as it exists. */
static char *without_links(char *path)
{
    size_t n = strlen(path);

    for (;;) {
        char saved = path[n];
        path[n] = 0;
        char *real = realpath(n ? path : "/", NULL);
        path[n] = saved;
        if (real) {
            size_t len = strcmp(real, "/") == 0 ? 0 : strlen(real);
            char *out = malloc(len + strlen(path + n) + 2);
            if (out)
                snprintf(out, len + strlen(path + n) + 2, "%.*s%s", (int)len, real, len || path[n] ? path + n : "/");
            free(real);
            free(path);
            return out;
        }
        if (!n)
            return path;
        while (n > 0 && path[--n] != '/')
            ;
    }
}

/* One spelling for one folder, because the WAL of a table is found by its path. URIs stay as they are. */
static char *canonical(const char *path)
{
    char cwd[PATH_MAX];
    char *out = NULL;

    if (strncmp(path, "file://", 7) == 0)
        path += 7;
    if (is_uri(path)) {
        out = strdup(path);
        for (size_t n = out ? strlen(out) : 0; n > 1 && out[n - 1] == '/'; n--)
            out[n - 1] = 0;
        return out;
    }
    if (path[0] == '/') {
        out = strdup(path);
    } else {
        if (!getcwd(cwd, sizeof cwd))
            return NULL;
        size_t n = strlen(cwd) + strlen(path) + 2;
        if ((out = malloc(n)))
            snprintf(out, n, "%s/%s", cwd, path);
    }
    if (!out)
        return NULL;
    squeeze(out);
    return without_links(out);
}

char *table_canonical_path(const char *path)
{
    return canonical(path);
}

static enum tsf_err default_data_dir(struct tsf_buf *out, struct tsf_error *err)
{
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    enum tsf_err rc;

    if (xdg && xdg[0] == '/')
        rc = tsf_buf_printf(out, err, "%s/tsf", xdg);
    else if (home && home[0])
        rc = tsf_buf_printf(out, err, "%s/.local/share/tsf", home);
    else {
        tsf_hint(err, "set TSF_DATA_DIR");
        return tsf_fail(err, TSF_ERR_INVALID, "no data directory: neither TSF_DATA_DIR nor HOME is set");
    }
    return rc == TSF_OK && !tsf_buf_cstr(out) ? tsf_fail_nomem(err) : rc;
}

static const char *first_of(const char *a, const char *b)
{
    return a && a[0] ? a : b && b[0] ? b : NULL;
}

enum tsf_err table_env_open(const struct table_env_options *opts, struct table_env **out, struct tsf_error *err)
{
    struct table_env *env = calloc(1, sizeof *env);
    struct tsf_buf buf = TSF_BUF_INIT(8192);
    enum tsf_err rc = TSF_OK;

    if (!env)
        return tsf_fail_nomem(err);
    const char *data = first_of(opts ? opts->data_dir : NULL, getenv("TSF_DATA_DIR"));
    const char *warehouse = first_of(opts ? opts->warehouse : NULL, getenv("TSF_WAREHOUSE"));
    if (!data) {
        if ((rc = default_data_dir(&buf, err)) != TSF_OK)
            goto done;
        data = (const char *)buf.data;
    }
    if (!(env->data_dir = canonical(data))) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    tsf_buf_reset(&buf);
    if (!warehouse) {
        if ((rc = tsf_buf_printf(&buf, err, "%s/tables", env->data_dir)) != TSF_OK)
            goto done;
        if (!(warehouse = tsf_buf_cstr(&buf))) {
            rc = tsf_fail_nomem(err);
            goto done;
        }
    }
    if (!(env->warehouse = canonical(warehouse))) {
        rc = tsf_fail_nomem(err);
        goto done;
    }
    const char *cache = getenv("TSF_CACHE");
    if (!(opts && opts->no_cache) && !(cache && strcmp(cache, "off") == 0)) {
        struct tsf_buf dir = TSF_BUF_INIT(8192);
        if (tsf_buf_printf(&dir, NULL, "%s/cache", env->data_dir) == TSF_OK && tsf_buf_cstr(&dir))
            env->cache = cache_open((const char *)dir.data);
        tsf_buf_release(&dir);
    }
    *out = env;
    env = NULL;
done:
    tsf_buf_release(&buf);
    table_env_free(env);
    return rc;
}

void table_env_free(struct table_env *env)
{
    if (!env)
        return;
    cache_free(env->cache);
    free(env->warehouse);
    free(env->data_dir);
    free(env);
}
