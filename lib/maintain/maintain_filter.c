/* Choosing partitions by hand, and what the programs share about them. */
#include "maintain/maintain_internal.h"

#include <stdlib.h>

static int partition_key(const struct table *t, struct tsf_str name)
{
    for (int k = 0; k < t->n_partition; k++)
        if (tsf_str_eqz(name, t->schema->fields[t->partition_fields[k]].name))
            return k;
    return -1;
}

enum tsf_err maintain_filter_parse(const struct table *t, const char *text, struct tsf_arena *a, struct maintain_filter *out,
                                   struct tsf_error *err)
{
    struct maintain_filter f = { 0 };
    enum tsf_err rc;

    f.keys = tsf_arena_calloc(a, (size_t)t->n_partition + 1, sizeof *f.keys);
    f.values = tsf_arena_calloc(a, (size_t)t->n_partition + 1, sizeof *f.values);
    if (!f.keys || !f.values)
        return tsf_fail_nomem(err);
    for (const char *p = text; p && *p;) {
        size_t len = strcspn(p, "/");
        const char *eq = memchr(p, '=', len);
        if (!eq)
            return tsf_fail(err, TSF_ERR_INVALID, "--partition: expected key=value, found \"%.*s\"", (int)len, p);
        int k = partition_key(t, tsf_str_n(p, (size_t)(eq - p)));
        if (k < 0)
            return tsf_fail(err, TSF_ERR_INVALID, "--partition: table %s is not partitioned by %.*s", t->name, (int)(eq - p), p);
        if (f.n == t->n_partition)
            return tsf_fail(err, TSF_ERR_INVALID, "--partition: too many keys");
        /* The folder name as a file listing shows it, or the plain value: both are decoded the same way. */
        struct tsf_str raw = tsf_str_n(eq + 1, (size_t)(p + len - eq - 1)), plain;
        bool absolute;
        if (memchr(raw.data, '%', raw.len)) {
            if ((rc = delta_path_decode(raw, a, &plain, &absolute, err)) != TSF_OK)
                return rc;
        } else {
            char *copy = tsf_arena_strndup(a, raw.data, raw.len);
            if (!copy)
                return tsf_fail_nomem(err);
            plain = tsf_str_n(copy, raw.len);
        }
        if (tsf_str_eqz(plain, "__HIVE_DEFAULT_PARTITION__"))
            plain.len = 0;
        f.keys[f.n] = k;
        if ((rc = delta_partition_parse(plain, t->schema->fields[t->partition_fields[k]].type, a, &f.values[f.n], err)) != TSF_OK)
            return tsf_prepend(err, rc, "--partition");
        f.n++;
        p += len;
        while (*p == '/')
            p++;
    }
    *out = f;
    return TSF_OK;
}

bool maintain_filter_match(const struct maintain_filter *f, const struct tsf_value *partition)
{
    for (int i = 0; i < f->n; i++) {
        const struct tsf_value *have = &partition[f->keys[i]], *want = &f->values[i];
        if (have->is_null != want->is_null || (!have->is_null && tsf_value_cmp(have, want) != 0))
            return false;
    }
    return true;
}

int64_t maintain_partition_us(const struct table *t, const struct tsf_value *partition, int64_t fallback)
{
    for (int k = 0; k < t->n_partition; k++)
        if (t->partition_fields[k] == t->props.date_field && !partition[k].is_null)
            return partition[k].u.i64 * TSF_US_PER_DAY;
    return fallback;
}

void maintain_discard(struct table *t, const struct delta_change *change)
{
    for (int64_t i = 0; i < change->n_adds; i++) {
        const char *key = change->adds[i].path.data;
        struct tsf_error quiet = TSF_ERROR_INIT;
        if (store_delete(t->store, &key, 1, &quiet) != TSF_OK)
            tsf_log(TSF_LOG_WARN, "cannot delete %s, which no commit names: %s; tsf-vacuum will", key, quiet.msg);
    }
}
