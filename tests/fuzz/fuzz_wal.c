/*
 * WAL bytes: a segment as it is, and a segment whose checksums are put right first, so that what lies behind them is reached:
 * lengths, numbers, schemas.
 */
#include <stdlib.h>

#include "wal/wal_internal.h"

static void scan(const uint8_t *p, size_t n)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_arena a = TSF_ARENA_INIT;
    struct wal_segment_header h;
    struct wal_scan s;

    if (wal_header_decode(p, n, &h, &err) != TSF_OK)
        return;
    for (int check = 0; check < 2; check++) {
        if (wal_scan_segment(p, (int64_t)n, &h, (int64_t)n, check, false, &s, &err) != TSF_OK)
            continue;
        int64_t last = -1;
        for (size_t i = 0; i < s.n; i++) {
            struct tsf_schema schema;
            if (s.found[i].h.number <= last || s.found[i].offset + wal_record_size(&s.found[i].h) > (int64_t)n)
                abort(); /* what a scan gives is in order and within the file */
            last = s.found[i].h.number;
            (void)wal_schema_decode(p + s.found[i].offset + WAL_RECORD_HEADER, s.found[i].h.schema_len, &a, &schema, NULL);
        }
        wal_scan_release(&s);
    }
    tsf_arena_release(&a);
}

/* Wherever a record could begin, give it the magic and the sums that its lengths ask for. */
static void repair(uint8_t *p, size_t n)
{
    uint32_t len = tsf_le32_get(p + 12) % 512 / 8 * 8;

    if (len < 96 || len > n)
        len = 96;
    memcpy(p, WAL_MAGIC, 8);
    tsf_le32_put(p + 8, WAL_FORMAT_VERSION);
    tsf_le32_put(p + 12, len);
    tsf_le64_put(p + 48, tsf_le64_get(p + 48) % 1000 + 1);
    tsf_le64_put(p + 64, tsf_le64_get(p + 64) % 8);
    tsf_le64_put(p + 72, tsf_le64_get(p + 72) % (2 * n));
    tsf_le32_put(p + 80, tsf_le32_get(p + 80) % 64);
    tsf_le32_put(p + 84, tsf_le32_get(p + 84) % 64);
    tsf_le64_put(p + len - 8, tsf_hash(p, len - 8, 0));
    uint64_t seed = tsf_le64_get(p + 16);
    for (size_t at = len; at + WAL_RECORD_HEADER <= n;) {
        uint8_t *r = p + at;
        size_t left = n - at - WAL_RECORD_HEADER, schema = tsf_le32_get(r + 28) % (left + 9), stored = tsf_le64_get(r + 40) % (left + 9);
        tsf_le32_put(r, WAL_RECORD_MAGIC);
        r[4] = (uint8_t)(r[4] % 4);
        r[5] = (uint8_t)(r[5] % 3);
        tsf_le64_put(r + 8, tsf_le64_get(r + 8) % 16);
        tsf_le32_put(r + 28, (uint32_t)schema);
        tsf_le64_put(r + 40, stored);
        if (schema + stored <= left)
            tsf_le64_put(r + 56, tsf_hash(r + WAL_RECORD_HEADER, schema + stored, seed));
        tsf_le64_put(r + 64, tsf_hash(r, 64, seed));
        at += (WAL_RECORD_HEADER + schema + stored + 7) & ~(size_t)7;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsf_arena a = TSF_ARENA_INIT;
    struct tsf_schema schema;

    scan(data, size);
    if (wal_schema_decode(data, size, &a, &schema, NULL) == TSF_OK) {
        /* What can be read can be written, and reads the same. */
        struct tsf_buf again = TSF_BUF_INIT(1 << 24);
        if (wal_schema_encode(&schema, &again, NULL) == TSF_OK && wal_schema_decode(again.data, again.len, &a, &schema, NULL) != TSF_OK)
            abort();
        tsf_buf_release(&again);
    }
    tsf_arena_release(&a);
    if (size >= 96 && size <= 1 << 16) {
        uint8_t *copy = malloc(size);
        if (!copy)
            return 0;
        memcpy(copy, data, size);
        repair(copy, size);
        scan(copy, size);
        free(copy);
    }
    return 0;
}
