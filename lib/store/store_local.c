/*
 * A directory as a store. A key is a path under it. Objects appear by link(2) or rename(2) of a synced temporary beside
 * them (struct tsf_newfile), so readers and crashes never see half of one; a crash leaves at most a ".tmp-..." file,
 * which listings hide and vacuum deletes.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "store/store_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct local {
    struct store base;
    char *root;
};

static struct local *local_of(struct store *s)
{
    return (struct local *)s;
}

/* root/key, to be freed. */
static char *local_join(struct store *s, const char *key, struct tsf_error *err)
{
    const char *root = local_of(s)->root;
    size_t a = strlen(root), b = strlen(key);
    char *path = malloc(a + b + 2);

    if (path == NULL) {
        tsf_fail_nomem(err);
        return NULL;
    }
    memcpy(path, root, a);
    if (a > 0 && path[a - 1] != '/' && b > 0)
        path[a++] = '/';
    memcpy(path + a, key, b + 1);
    return path;
}

static int64_t stat_us(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * TSF_US_PER_SEC + st->st_mtim.tv_nsec / 1000;
}

static enum tsf_err local_source_open(struct store *s, const char *key, int64_t size_hint, struct tsf_source *out,
                                      struct tsf_error *err)
{
    char *path = local_join(s, key, err);
    enum tsf_err rc;

    (void)size_hint;
    if (path == NULL)
        return TSF_ERR_NOMEM;
    rc = tsf_source_file(out, path, err);
    store_count(s, STORE_GET, rc == TSF_OK ? out->size : 0);
    free(path);
    return rc;
}

static enum tsf_err local_get(struct store *s, const char *key, size_t max, struct tsf_buf *out, struct tsf_error *err)
{
    char *path = local_join(s, key, err);
    enum tsf_err rc;

    if (path == NULL)
        return TSF_ERR_NOMEM;
    rc = tsf_file_read(path, max, out, err);
    free(path);
    return rc;
}

static enum tsf_err local_stat(struct store *s, const char *key, struct store_stat *out, struct tsf_error *err)
{
    char *path = local_join(s, key, err);
    struct stat st;
    enum tsf_err rc = TSF_OK;

    if (path == NULL)
        return TSF_ERR_NOMEM;
    if (stat(path, &st) != 0)
        rc = errno == ENOTDIR ? tsf_fail(err, TSF_ERR_NOT_FOUND, "no file %s", path) : tsf_fail_errno(err, "cannot look at %s", path);
    else if (!S_ISREG(st.st_mode))
        rc = tsf_fail(err, TSF_ERR_NOT_FOUND, "%s is not a file", path);
    else
        *out = (struct store_stat){ .size = st.st_size, .modified_us = stat_us(&st) };
    free(path);
    return rc;
}

static enum tsf_err local_put(struct store *s, const char *key, const void *p, size_t n, bool if_none_match, struct tsf_error *err)
{
    char *path = local_join(s, key, err);
    enum tsf_err rc;

    if (path == NULL)
        return TSF_ERR_NOMEM;
    struct tsf_newfile file = TSF_NEWFILE_INIT;
    if ((rc = tsf_newfile_open_shared(&file, path, err)) == TSF_OK && (rc = tsf_newfile_write(&file, p, n, err)) == TSF_OK)
        rc = tsf_newfile_publish(&file, if_none_match ? TSF_PUBLISH_NEW : TSF_PUBLISH_REPLACE, err);
    tsf_newfile_abort(&file);
    free(path);
    return rc;
}

/* ---- writer ----------------------------------------------------------------------------------------- */

struct local_writer {
    struct store_writer base;
    struct tsf_newfile file;
};

static enum tsf_err local_writer_write(struct store_writer *w, const void *p, size_t n, struct tsf_error *err)
{
    return tsf_newfile_write(&((struct local_writer *)w)->file, p, n, err);
}

static enum tsf_err local_writer_finish(struct store_writer *w, struct tsf_error *err)
{
    return tsf_newfile_publish(&((struct local_writer *)w)->file, TSF_PUBLISH_NEW, err);
}

static void local_writer_free(struct store_writer *w)
{
    tsf_newfile_abort(&((struct local_writer *)w)->file);
    free(w->key);
    free(w);
}

static const struct store_writer_ops local_writer_ops = {
    .write = local_writer_write,
    .finish = local_writer_finish,
    .free = local_writer_free,
};

static enum tsf_err local_writer_new(struct store *s, const char *key, struct store_writer **out, struct tsf_error *err)
{
    struct local_writer *w = calloc(1, sizeof *w);
    char *path = local_join(s, key, err);
    enum tsf_err rc = TSF_ERR_NOMEM;

    if (w == NULL || path == NULL) {
        tsf_fail_nomem(err);
        goto fail;
    }
    w->base = (struct store_writer){ .ops = &local_writer_ops, .store = s, .key = strdup(key) };
    if (w->base.key == NULL) {
        tsf_fail_nomem(err);
        goto fail;
    }
    if ((rc = tsf_newfile_open_shared(&w->file, path, err)) != TSF_OK)
        goto fail;
    free(path);
    *out = &w->base;
    return TSF_OK;
fail:
    free(path);
    if (w != NULL)
        free(w->base.key);
    free(w);
    return rc;
}

/* ---- listing ------------------------------------------------------------------------------------------- */

/*
 * Keys come in byte order of the whole key, which is the order of names when a folder counts as its name and '/':
 * "a-b" < "a/x" < "ab". So each folder's entries are read, sorted that way, and folders entered in their turn. Memory
 * is one folder's names per level.
 */
struct lister {
    struct store *s;
    const char *prefix, *start_after;
    int flags, depth;
    store_list_fn *fn;
    void *ctx;
    char key[PATH_MAX];
};

struct names {
    struct tsf_arena arena;
    char **name; /* folders end in '/' */
    size_t n, cap;
};

static int name_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* May any key that begins with key (a folder "x/") or equals it (a file) be wanted? */
static bool key_wanted(const struct lister *l, const char *key, bool is_dir)
{
    size_t n = strlen(key), pn = strlen(l->prefix);

    if (strncmp(key, l->prefix, TSF_MIN(n, pn)) != 0 || (n < pn && !is_dir))
        return false;
    if (l->start_after == NULL || strcmp(key, l->start_after) > 0)
        return true;
    return is_dir && strncmp(l->start_after, key, n) == 0;
}

static bool entry_is_link(int dir_fd, const char *name)
{
    struct stat st;

    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

static bool entry_is_dir(int dir_fd, const struct dirent *e, bool *file_out)
{
    struct stat st;

    *file_out = e->d_type == DT_REG;
    if (e->d_type != DT_UNKNOWN && e->d_type != DT_LNK)
        return e->d_type == DT_DIR;
    if (fstatat(dir_fd, e->d_name, &st, 0) != 0)
        return false;
    *file_out = S_ISREG(st.st_mode);
    return S_ISDIR(st.st_mode);
}

/* Names of a folder that may be wanted. l->key[0..base) is the folder's key, with '/' at its end. */
static enum tsf_err names_read(struct lister *l, size_t base, int dir_fd, DIR *dir, struct names *out, struct tsf_error *err)
{
    for (;;) {
        struct dirent *e;
        size_t n;
        bool is_dir, is_file;
        char *name;

        errno = 0;
        if ((e = readdir(dir)) == NULL)
            return errno == 0 ? TSF_OK : tsf_fail_errno(err, "cannot list %s/%.*s", l->s->uri, (int)base, l->key);
        n = strlen(e->d_name);
        if ((e->d_name[0] == '.' && (n == 1 || (n == 2 && e->d_name[1] == '.'))) ||
            (store_is_temp(e->d_name) && !(l->flags & STORE_LIST_TEMP)))
            continue;
        if (base + n + 2 > sizeof l->key)
            return tsf_fail(err, TSF_ERR_UNSUPPORTED, "%s/%.*s: path too long", l->s->uri, (int)TSF_MIN(base, (size_t)200), l->key);
        memcpy(l->key + base, e->d_name, n + 1);
        if (e->d_type == DT_REG && !key_wanted(l, l->key, false))
            continue;
        is_dir = entry_is_dir(dir_fd, e, &is_file);
        /* What a listing finds may be deleted: it does not leave the root through a link. Opening by key still may. */
        if (is_dir && e->d_type != DT_DIR && !(l->flags & STORE_LIST_FLAT) && entry_is_link(dir_fd, e->d_name))
            continue;
        if (is_dir)
            memcpy(l->key + base + n, "/", 2);
        if ((!is_dir && !is_file) || !key_wanted(l, l->key, is_dir))
            continue;
        if ((name = tsf_arena_strndup(&out->arena, l->key + base, n + is_dir)) == NULL ||
            !tsf_arena_grow(&out->arena, (void **)&out->name, &out->cap, out->n + 1, sizeof *out->name))
            return tsf_fail_nomem(err);
        out->name[out->n++] = name;
    }
}

static enum tsf_err list_dir(struct lister *l, size_t base, struct tsf_error *err);

static enum tsf_err list_entry(struct lister *l, size_t base, int dir_fd, const char *name, struct tsf_error *err)
{
    struct store_item item = { .key = l->key };
    size_t n = strlen(name);
    struct stat st;

    memcpy(l->key + base, name, n + 1);
    if (name[n - 1] == '/') {
        /* A prefix that names something deeper leads through this folder also in a flat listing. */
        if (!(l->flags & STORE_LIST_FLAT) || base + n <= strlen(l->prefix))
            return list_dir(l, base + n, err);
        item.is_prefix = true;
        return l->fn(l->ctx, &item, err);
    }
    if (!(l->flags & STORE_LIST_NO_STAT)) {
        if (fstatat(dir_fd, name, &st, 0) != 0)
            return errno == ENOENT ? TSF_OK : tsf_fail_errno(err, "cannot look at %s/%s", l->s->uri, l->key);
        item.size = st.st_size;
        item.modified_us = stat_us(&st);
    }
    return l->fn(l->ctx, &item, err);
}

static enum tsf_err list_dir(struct lister *l, size_t base, struct tsf_error *err)
{
    struct names names = { .arena = TSF_ARENA_INIT };
    enum tsf_err rc = TSF_OK;
    char *path;
    DIR *dir;

    if (l->depth >= STORE_DEPTH_MAX)
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "%s: more than %d folders in one another", l->s->uri, STORE_DEPTH_MAX);
    l->key[base] = '\0';
    if ((path = local_join(l->s, l->key, err)) == NULL)
        return TSF_ERR_NOMEM;
    dir = opendir(path);
    if (dir == NULL) {
        if (errno != ENOENT && errno != ENOTDIR)
            rc = tsf_fail_errno(err, "cannot open directory %s", path);
        free(path);
        return rc;
    }
    free(path);
    l->depth++;
    if ((rc = names_read(l, base, dirfd(dir), dir, &names, err)) == TSF_OK && names.n > 1)
        qsort(names.name, names.n, sizeof *names.name, name_cmp);
    for (size_t i = 0; i < names.n && rc == TSF_OK; i++)
        rc = list_entry(l, base, dirfd(dir), names.name[i], err);
    l->depth--;
    closedir(dir);
    tsf_arena_release(&names.arena);
    return rc;
}

static enum tsf_err local_list(struct store *s, const char *prefix, const char *start_after, int flags, store_list_fn *fn, void *ctx,
                               struct tsf_error *err)
{
    struct lister l = { .s = s, .prefix = prefix, .start_after = start_after, .flags = flags, .fn = fn, .ctx = ctx };
    const char *slash = strrchr(prefix, '/');
    size_t base = slash == NULL ? 0 : (size_t)(slash - prefix) + 1;

    if (base + 2 > sizeof l.key)
        return tsf_fail(err, TSF_ERR_INVALID, "%s: prefix too long", s->uri);
    memcpy(l.key, prefix, base); /* begin in the deepest folder that the prefix names whole */
    return list_dir(&l, base, err);
}

/* ---- deleting ------------------------------------------------------------------------------------------- */

/* Folders between the object and the root that are empty now. Ends at the first that is not. */
static void prune_dirs(char *path, size_t root_len)
{
    for (;;) {
        char *slash = strrchr(path, '/');

        if (slash == NULL || (size_t)(slash - path) <= root_len)
            return;
        *slash = '\0';
        if (rmdir(path) != 0)
            return;
    }
}

static enum tsf_err local_remove(struct store *s, const char *const *keys, int64_t n, struct tsf_error *err)
{
    size_t root_len = strlen(local_of(s)->root);
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; i < n && rc == TSF_OK; i++) {
        char *path = local_join(s, keys[i], err);

        if (path == NULL)
            return TSF_ERR_NOMEM;
        if (unlink(path) == 0)
            prune_dirs(path, root_len);
        else if (errno != ENOENT && errno != ENOTDIR)
            rc = tsf_fail_errno(err, "cannot delete %s", path);
        free(path);
    }
    return rc;
}

static enum tsf_err local_local_path(struct store *s, const char *key, struct tsf_buf *out, struct tsf_error *err)
{
    char *path = local_join(s, key, err);
    enum tsf_err rc;

    if (path == NULL)
        return TSF_ERR_NOMEM;
    tsf_buf_reset(out);
    if ((rc = tsf_buf_append_z(out, path, err)) == TSF_OK && tsf_buf_cstr(out) == NULL)
        rc = tsf_fail_nomem(err);
    free(path);
    return rc;
}

static void local_free(struct store *s)
{
    free(local_of(s)->root);
    free(s->uri);
    free(s);
}

static const struct store_ops local_ops = {
    .name = "local",
    .source_open = local_source_open,
    .get = local_get,
    .stat = local_stat,
    .put = local_put,
    .writer = local_writer_new,
    .list = local_list,
    .remove = local_remove,
    .local_path = local_local_path,
    .free = local_free,
};

/* Absolute, without "." parts, doubled or trailing slashes, so that one directory is one URI. Links stay as they are. */
static char *absolute_path(const char *path)
{
    char *cwd = path[0] == '/' ? strdup("") : getcwd(NULL, 0);
    size_t n = 0;
    char *out;

    if (cwd == NULL || (out = malloc(strlen(cwd) + strlen(path) + 3)) == NULL) {
        free(cwd);
        return NULL;
    }
    for (int part = 0; part < 2; part++) {
        const char *p = part == 0 ? cwd : path;

        while (*p != '\0') {
            size_t len;

            p += strspn(p, "/");
            len = strcspn(p, "/");
            if (len > 0 && !(len == 1 && p[0] == '.')) {
                out[n++] = '/';
                memcpy(out + n, p, len);
                n += len;
            }
            p += len;
        }
    }
    if (n == 0)
        out[n++] = '/';
    out[n] = '\0';
    free(cwd);
    return out;
}

enum tsf_err store_local_new(const char *path, struct store **out, struct tsf_error *err)
{
    struct local *l = calloc(1, sizeof *l);

    if (l == NULL)
        return tsf_fail_nomem(err);
    l->base.ops = &local_ops;
    l->root = absolute_path(path);
    l->base.uri = l->root != NULL ? strdup(l->root) : NULL;
    if (l->base.uri == NULL) {
        local_free(&l->base);
        return tsf_fail_nomem(err);
    }
    *out = &l->base;
    return TSF_OK;
}
