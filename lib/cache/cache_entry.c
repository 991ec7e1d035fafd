#include "cache/cache_internal.h"

static void put_be64(uint8_t *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        p[i] = (uint8_t)v;
}

void cache_key_prefix(struct cache_key *k, char kind, const char *table_uri, struct tsf_str path)
{
    k->bytes[0] = (uint8_t)kind;
    k->len = 1;
    if (table_uri == NULL)
        return;
    tsf_hash128(table_uri, strlen(table_uri), k->bytes + 1);
    k->len = 17;
    if (path.data == NULL)
        return;
    tsf_hash128(path.data, path.len, k->bytes + 17);
    k->len = 33;
}

void cache_key_footer(struct cache_key *k, const char *table_uri, struct tsf_str path, int64_t file_size)
{
    cache_key_prefix(k, 'F', table_uri, path);
    put_be64(k->bytes + k->len, (uint64_t)file_size);
    k->len += 8;
}

void cache_key_snapshot(struct cache_key *k, const char *table_uri, int64_t version)
{
    cache_key_prefix(k, 'S', table_uri, (struct tsf_str){ NULL, 0 });
    put_be64(k->bytes + k->len, (uint64_t)version);
    k->len += 8;
}

void cache_key_used(struct cache_key *k, const void *key, size_t len)
{
    k->bytes[0] = 'U';
    k->len = TSF_MIN(len, sizeof k->bytes - 1);
    memcpy(k->bytes + 1, key, k->len);
    k->len++;
}

int64_t cache_key_version(const void *key)
{
    const uint8_t *p = (const uint8_t *)key + 17;
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

static size_t names_size(size_t uri_len, size_t path_len)
{
    return (uri_len + path_len + 7) & ~(size_t)7;
}

size_t cache_entry_size(const struct cache_entry *e)
{
    return CACHE_HEADER + names_size(e->uri.len, e->path.len) + e->data.len;
}

void cache_entry_write(const struct cache_entry *e, void *out)
{
    uint8_t *p = out;
    size_t names = names_size(e->uri.len, e->path.len), total = cache_entry_size(e);

    tsf_le32_put(p + 8, CACHE_MAGIC);
    tsf_le32_put(p + 12, e->put_s);
    tsf_le32_put(p + 16, (uint32_t)e->uri.len);
    tsf_le32_put(p + 20, (uint32_t)e->path.len);
    tsf_le64_put(p + 24, e->data.len);
    memset(p + CACHE_HEADER, 0, names);
    memcpy(p + CACHE_HEADER, e->uri.data, e->uri.len);
    if (e->path.len > 0)
        memcpy(p + CACHE_HEADER + e->uri.len, e->path.data, e->path.len);
    if (e->data.len > 0)
        memcpy(p + CACHE_HEADER + names, e->data.data, e->data.len);
    tsf_le64_put(p, tsf_hash(p + 8, total - 8, CACHE_MAGIC));
}

bool cache_entry_read(const void *bytes, size_t n, bool verify, struct cache_entry *out)
{
    const uint8_t *p = bytes;
    uint64_t data_len;
    size_t uri_len, path_len, names;

    if (n < CACHE_HEADER || tsf_le32_get(p + 8) != CACHE_MAGIC)
        return false;
    uri_len = tsf_le32_get(p + 16);
    path_len = tsf_le32_get(p + 20);
    data_len = tsf_le64_get(p + 24);
    if (uri_len > n || path_len > n || data_len > n)
        return false;
    names = names_size(uri_len, path_len);
    if (names > n - CACHE_HEADER || data_len != n - CACHE_HEADER - names)
        return false;
    if (verify && tsf_le64_get(p) != tsf_hash(p + 8, n - 8, CACHE_MAGIC))
        return false;
    *out = (struct cache_entry){
        .uri = tsf_str_n(p + CACHE_HEADER, uri_len),
        .path = tsf_str_n(p + CACHE_HEADER + uri_len, path_len),
        .data = tsf_str_n(p + CACHE_HEADER + names, data_len),
        .put_s = tsf_le32_get(p + 12),
    };
    return true;
}
