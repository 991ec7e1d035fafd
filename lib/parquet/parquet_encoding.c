/*
 * Decoders of one page's values. See parquet_read_internal.h for the shapes, parquet-format Encodings.md for the bytes.
 *
 * Everything checks against the page's end before it reads; only the unpacking kernels read (never use) up to
 * PARQUET_SLACK bytes past it.
 */
#include "parquet/parquet_read_internal.h"

#define DELTA_BLOCK_MAX 65536

/* False when the bytes end or it is longer than 64 bits. */
static bool varint_get(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t b = *(*p)++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return shift < 63 || b <= 1;
        }
    }
    return false;
}

/* ---- RLE / bit-packed hybrid ---------------------------------------------------------------------------- */

enum tsf_err parquet_hybrid_init(struct parquet_hybrid *h, const uint8_t *p, size_t n, int w, struct tsf_error *err)
{
    if (w < 0 || w > 32)
        return tsf_fail(err, TSF_ERR_FORMAT, "RLE: bit width %d", w);
    *h = (struct parquet_hybrid){ .p = p, .end = p + n, .w = w };
    return TSF_OK;
}

static enum tsf_err hybrid_run(struct parquet_hybrid *h, struct tsf_error *err)
{
    uint64_t head;
    if (h->w == 0 && h->p == h->end) {
        h->rle_left = INT64_MAX;
        h->value = 0;
        return TSF_OK;
    }
    if (!varint_get(&h->p, h->end, &head))
        return tsf_fail(err, TSF_ERR_FORMAT, "RLE: the page ends before its values");
    uint64_t count = head >> 1;
    if (count == 0 || count > INT32_MAX)
        return tsf_fail(err, TSF_ERR_FORMAT, "RLE: run of %llu", (unsigned long long)count);
    if (head & 1) {
        uint64_t bytes = count * (uint64_t)h->w, have = (uint64_t)(h->end - h->p);
        h->packed = h->p;
        h->packed_at = 0;
        h->packed_left = (int64_t)count * 8;
        if (bytes > have) { /* some writers leave the padding of the last run away */
            h->packed_left = (int64_t)(have * 8 / (uint64_t)h->w);
            bytes = have;
        }
        if (h->packed_left == 0)
            return tsf_fail(err, TSF_ERR_FORMAT, "RLE: packed run ends past the page");
        h->p += bytes;
    } else {
        int bytes = (h->w + 7) / 8;
        if (bytes > h->end - h->p)
            return tsf_fail(err, TSF_ERR_FORMAT, "RLE: run ends past the page");
        h->value = 0;
        for (int i = 0; i < bytes; i++)
            h->value |= (uint32_t)h->p[i] << 8 * i;
        h->p += bytes;
        h->rle_left = (int64_t)count;
    }
    return TSF_OK;
}

static inline uint32_t packed_get(const struct parquet_hybrid *h, int64_t i)
{
    uint64_t bit = (uint64_t)i * (uint64_t)h->w;
    return (uint32_t)(tsf_le64_get(h->packed + (bit >> 3)) >> (bit & 7) & ((1ULL << h->w) - 1));
}

static void packed_read(struct parquet_hybrid *h, int64_t n, uint32_t *out)
{
    int64_t i = 0;
    while (i < n && (h->packed_at & 7))
        out[i++] = packed_get(h, h->packed_at++);
    parquet_kernels()->unpack32(h->packed + (h->packed_at >> 3) * h->w, h->w, n - i, out + i);
    h->packed_at += n - i;
    h->packed_left -= n;
}

enum tsf_err parquet_hybrid_read(struct parquet_hybrid *h, int64_t n, uint32_t *out, struct tsf_error *err)
{
    while (n > 0) {
        int64_t m;
        if (h->rle_left > 0) {
            m = TSF_MIN(n, h->rle_left);
            for (int64_t i = 0; i < m; i++)
                out[i] = h->value;
            h->rle_left -= m;
        } else if (h->packed_left > 0) {
            m = TSF_MIN(n, h->packed_left);
            packed_read(h, m, out);
        } else {
            enum tsf_err rc = hybrid_run(h, err);
            if (rc != TSF_OK)
                return rc;
            continue;
        }
        n -= m;
        out += m;
    }
    return TSF_OK;
}

enum tsf_err parquet_hybrid_read8(struct parquet_hybrid *h, int64_t n, uint8_t *out, struct tsf_error *err)
{
    uint32_t block[512];
    while (n > 0) {
        int64_t m;
        if (h->rle_left > 0) {
            m = TSF_MIN(n, h->rle_left);
            memset(out, (int)(h->value & 0xff), (size_t)m);
            h->rle_left -= m;
        } else if (h->packed_left > 0) {
            m = TSF_MIN(TSF_MIN(n, h->packed_left), (int64_t)TSF_ARRAY_LEN(block));
            packed_read(h, m, block);
            for (int64_t i = 0; i < m; i++)
                out[i] = (uint8_t)block[i];
        } else {
            enum tsf_err rc = hybrid_run(h, err);
            if (rc != TSF_OK)
                return rc;
            continue;
        }
        n -= m;
        out += m;
    }
    return TSF_OK;
}

enum tsf_err parquet_hybrid_skip(struct parquet_hybrid *h, int64_t n, struct tsf_error *err)
{
    while (n > 0) {
        int64_t m;
        if (h->rle_left > 0) {
            m = TSF_MIN(n, h->rle_left);
            h->rle_left -= m;
        } else if (h->packed_left > 0) {
            m = TSF_MIN(n, h->packed_left);
            h->packed_left -= m;
            h->packed_at += m;
        } else {
            enum tsf_err rc = hybrid_run(h, err);
            if (rc != TSF_OK)
                return rc;
            continue;
        }
        n -= m;
    }
    return TSF_OK;
}

/* Put the low m bits of x (m 1..64, the rest zero) at bit `at`; bits after are undefined to the end of their words. */
static inline void bits_put(uint64_t *bits, int64_t at, int m, uint64_t x)
{
    int s = (int)(at & 63);
    uint64_t *w = bits + (at >> 6);
    w[0] = (w[0] & ((1ULL << s) - 1)) | x << s;
    if (s + m > 64)
        w[1] = x >> (64 - s);
}

/* Bits from a byte-aligned run. */
static int64_t bits_from_packed(const uint8_t *p, int64_t from, int64_t n, uint64_t *bits, int64_t first)
{
    int64_t ones = 0;
    for (int64_t i = 0; i < n;) {
        int m = (int)TSF_MIN(n - i, 56);
        uint64_t x = tsf_le64_get(p + ((from + i) >> 3)) >> ((from + i) & 7);
        x &= (1ULL << m) - 1;
        ones += __builtin_popcountll(x);
        bits_put(bits, first + i, m, x);
        i += m;
    }
    return ones;
}

enum tsf_err parquet_hybrid_bits(struct parquet_hybrid *h, int64_t n, uint64_t *bits, int64_t first, int64_t *ones_out,
                                 struct tsf_error *err)
{
    int64_t ones = 0;
    while (n > 0) {
        int64_t m;
        if (h->rle_left > 0) {
            m = TSF_MIN(n, h->rle_left);
            if (h->value > 1)
                return tsf_fail(err, TSF_ERR_FORMAT, "RLE: value %u of width 1", h->value);
            for (int64_t i = 0; i < m; i += 64) /* each word is written whole, later bits are overwritten later */
                bits_put(bits, first + i, (int)TSF_MIN(m - i, 64),
                         h->value ? ~0ULL >> (64 - TSF_MIN(m - i, 64)) : 0);
            ones += h->value ? m : 0;
            h->rle_left -= m;
        } else if (h->packed_left > 0) {
            m = TSF_MIN(n, h->packed_left);
            ones += bits_from_packed(h->packed, h->packed_at, m, bits, first);
            h->packed_at += m;
            h->packed_left -= m;
        } else {
            enum tsf_err rc = hybrid_run(h, err);
            if (rc != TSF_OK)
                return rc;
            continue;
        }
        n -= m;
        first += m;
    }
    *ones_out = ones;
    return TSF_OK;
}

enum tsf_err parquet_bit_packed_convert(const uint8_t *p, size_t n, int w, int64_t n_values, struct tsf_buf *out,
                                        struct tsf_error *err)
{
    int64_t groups = (n_values + 7) / 8;
    size_t bytes = (size_t)groups * (size_t)w;
    uint8_t head[10];
    size_t n_head = 0;
    enum tsf_err rc;

    if (w > 8 || ((uint64_t)n_values * (uint64_t)w + 7) / 8 > n)
        return tsf_fail(err, TSF_ERR_FORMAT, "BIT_PACKED: levels end past the page");
    for (uint64_t x = (uint64_t)groups << 1 | 1; ; x >>= 7) {
        head[n_head++] = (uint8_t)(x & 0x7f) | (x > 0x7f ? 0x80 : 0);
        if (x <= 0x7f)
            break;
    }
    tsf_buf_reset(out);
    if ((rc = tsf_buf_append(out, head, n_head, err)) != TSF_OK ||
        (rc = tsf_buf_reserve(out, bytes + PARQUET_SLACK, err)) != TSF_OK)
        return rc;
    uint8_t *q = out->data + out->len;
    memset(q, 0, bytes + PARQUET_SLACK);
    for (int64_t i = 0, bit = 0; i < n_values; i++)
        for (int j = w - 1; j >= 0; j--, bit++)
            if (p[bit >> 3] >> (7 - (bit & 7)) & 1)
                q[(i * w + j) >> 3] |= (uint8_t)(1 << ((i * w + j) & 7));
    out->len += bytes;
    return TSF_OK;
}

/* ---- DELTA_BINARY_PACKED ------------------------------------------------------------------------------------ */

struct delta {
    const uint8_t *p, *end;
    uint64_t block, minis, total, per_mini, value;
};

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static enum tsf_err delta_head(struct delta *d, int64_t max, struct tsf_error *err)
{
    if (!varint_get(&d->p, d->end, &d->block) || !varint_get(&d->p, d->end, &d->minis) ||
        !varint_get(&d->p, d->end, &d->total) || !varint_get(&d->p, d->end, &d->value))
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: truncated header");
    if (d->block == 0 || d->block > DELTA_BLOCK_MAX || d->minis == 0 || d->minis > d->block || d->block % d->minis ||
        d->block / d->minis % 8)
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: blocks of %llu in %llu miniblocks",
                        (unsigned long long)d->block, (unsigned long long)d->minis);
    if (d->total > (uint64_t)max)
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: %llu values, the page has %lld",
                        (unsigned long long)d->total, (long long)max);
    d->per_mini = d->block / d->minis;
    /* before anything is allocated: each block has a byte of delta and one per miniblock in use */
    if (d->total > 1 && (d->total - 2) / d->block + 1 > (uint64_t)(d->end - d->p) / 2)
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: the page ends before its %llu values",
                        (unsigned long long)d->total);
    d->value = (uint64_t)unzigzag(d->value);
    return TSF_OK;
}

/* Running sums; the kernels unpack, the chain of additions is one cycle a value. */
static uint64_t delta_sum64(uint64_t acc, uint64_t min, int w, const uint8_t *p, int64_t n, uint64_t *out)
{
    if (w == 0) {
        for (int64_t i = 0; i < n; i++)
            out[i] = acc + min * (uint64_t)(i + 1);
        return acc + min * (uint64_t)n;
    }
    parquet_kernels()->unpack64(p, w, n, out);
    for (int64_t i = 0; i < n; i++)
        out[i] = acc += min + out[i];
    return acc;
}

static uint64_t delta_sum32(uint64_t acc64, uint64_t min64, int w, const uint8_t *p, int64_t n, uint32_t *out)
{
    uint32_t acc = (uint32_t)acc64, min = (uint32_t)min64;
    if (w == 0) {
        for (int64_t i = 0; i < n; i++)
            out[i] = acc + min * (uint32_t)(i + 1);
        return acc + min * (uint32_t)n;
    }
    if (w <= 32) {
        parquet_kernels()->unpack32(p, w, n, out);
        for (int64_t i = 0; i < n; i++)
            out[i] = acc += min + out[i];
        return acc;
    }
    for (int64_t i = 0; i < n; i += 64) { /* legal though wasteful */
        uint64_t tmp[64];
        int64_t m = TSF_MIN(n - i, 64);
        parquet_kernels()->unpack64(p + i * w / 8, w, m, tmp);
        for (int64_t j = 0; j < m; j++)
            out[i + j] = acc += min + (uint32_t)tmp[j];
    }
    return acc;
}

static enum tsf_err delta_block(struct delta *d, int width, uint64_t *left, uint8_t **out, struct tsf_error *err)
{
    uint64_t min;
    if (!varint_get(&d->p, d->end, &min) || d->minis > (uint64_t)(d->end - d->p))
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: truncated block");
    const uint8_t *widths = d->p;
    min = (uint64_t)unzigzag(min);
    d->p += d->minis;
    for (uint64_t m = 0; m < d->minis && *left > 0; m++) {
        int w = widths[m];
        uint64_t n = TSF_MIN(*left, d->per_mini), bytes = d->per_mini / 8 * (uint64_t)w;
        if (w > 64)
            return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: bit width %d", w);
        if (bytes > (uint64_t)(d->end - d->p)) {
            bytes = (n * (uint64_t)w + 7) / 8; /* some writers cut the last miniblock short */
            if (n < *left || bytes > (uint64_t)(d->end - d->p))
                return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED: the page ends before its values");
        }
        d->value = width == 8 ? delta_sum64(d->value, min, w, d->p, (int64_t)n, (uint64_t *)*out)
                              : delta_sum32(d->value, min, w, d->p, (int64_t)n, (uint32_t *)*out);
        *out += n * (uint64_t)width;
        *left -= n;
        d->p += bytes;
    }
    return TSF_OK;
}

enum tsf_err parquet_delta_decode(const uint8_t *p, size_t n, int width, int64_t max, struct tsf_buf *out,
                                  int64_t *n_out, size_t *used_out, struct tsf_error *err)
{
    struct delta d = { .p = p, .end = p + n };
    enum tsf_err rc;

    if ((rc = delta_head(&d, max, err)) != TSF_OK)
        return rc;
    tsf_buf_reset(out);
    if ((rc = tsf_buf_reserve(out, d.total * (uint64_t)width + PARQUET_SLACK, err)) != TSF_OK)
        return rc;
    uint8_t *o = out->data;
    uint64_t left = d.total;
    if (left > 0) {
        memcpy(o, &d.value, (size_t)width);
        o += width;
        left--;
    }
    while (left > 0)
        if ((rc = delta_block(&d, width, &left, &o, err)) != TSF_OK)
            return rc;
    out->len = d.total * (uint64_t)width;
    *n_out = (int64_t)d.total;
    *used_out = (size_t)(d.p - p);
    return TSF_OK;
}

/* ---- byte arrays ----------------------------------------------------------------------------------------------- */

static const uint64_t inline_masks[TSF_SVIEW_INLINE + 1][2] = { /* keep the length and this many bytes */
    { 0x00000000ffffffff, 0 }, { 0x000000ffffffffff, 0 }, { 0x0000ffffffffffff, 0 }, { 0x00ffffffffffffff, 0 },
    { 0xffffffffffffffff, 0 }, { 0xffffffffffffffff, 0xff }, { 0xffffffffffffffff, 0xffff },
    { 0xffffffffffffffff, 0xffffff }, { 0xffffffffffffffff, 0xffffffff }, { 0xffffffffffffffff, 0xffffffffff },
    { 0xffffffffffffffff, 0xffffffffffff }, { 0xffffffffffffffff, 0xffffffffffffff },
    { 0xffffffffffffffff, 0xffffffffffffffff },
};

/* The view of a PLAIN value (length, then bytes): a short one has just this layout. Reads 16 bytes. */
static inline void plain_view(const uint8_t *p, uint32_t len, struct tsf_sview *out)
{
    uint64_t a = tsf_le64_get(p), b = tsf_le64_get(p + 8);
    if (len <= TSF_SVIEW_INLINE) {
        a &= inline_masks[len][0];
        b &= inline_masks[len][1];
    } else {
        b = (uint64_t)(uintptr_t)(p + 4);
    }
    memcpy(out, &a, 8);
    memcpy((char *)out + 8, &b, 8);
}

static enum tsf_err plain_bad(struct tsf_error *err)
{
    return tsf_fail(err, TSF_ERR_FORMAT, "PLAIN: the page ends before its values");
}

static enum tsf_err plain_strings(struct parquet_values *v, int64_t n, struct tsf_sview *out, struct tsf_error *err)
{
    const uint8_t *p = v->p, *end = v->end;
    for (int64_t i = 0; i < n; i++) {
        if (end - p < 4)
            return plain_bad(err);
        uint32_t len = tsf_le32_get(p);
        if (len > (uint64_t)(end - p - 4))
            return plain_bad(err);
        plain_view(p, len, &out[i]);
        p += 4 + (size_t)len;
    }
    v->p = p;
    return TSF_OK;
}

/* Over n strings, keeping those at idx. */
static enum tsf_err plain_strings_pick(struct parquet_values *v, int64_t n, const uint32_t *idx, int64_t k,
                                       struct tsf_sview *out, struct tsf_error *err)
{
    const uint8_t *p = v->p, *end = v->end;
    for (int64_t i = 0, j = 0; i < n; i++) {
        if (end - p < 4)
            return plain_bad(err);
        uint32_t len = tsf_le32_get(p);
        if (len > (uint64_t)(end - p - 4))
            return plain_bad(err);
        if (j < k && idx[j] == i)
            plain_view(p, len, &out[j++]);
        p += 4 + (size_t)len;
    }
    v->p = p;
    return TSF_OK;
}

/* DELTA_LENGTH_BYTE_ARRAY: lengths, then all bytes. Views of the whole page. */
static enum tsf_err delta_length_begin(struct parquet_values *v, int64_t max, struct tsf_error *err)
{
    int64_t n;
    size_t used;
    enum tsf_err rc = parquet_delta_decode(v->p, (size_t)(v->end - v->p), 4, max, &v->fixed, &n, &used, err);
    if (rc != TSF_OK)
        return rc;
    const int32_t *lens = (const int32_t *)v->fixed.data;
    const char *p = (const char *)v->p + used, *end = (const char *)v->end;
    tsf_buf_reset(&v->views);
    if ((rc = tsf_buf_reserve(&v->views, (size_t)n * sizeof(struct tsf_sview) + TSF_PAD, err)) != TSF_OK)
        return rc;
    struct tsf_sview *out = (struct tsf_sview *)v->views.data;
    for (int64_t i = 0; i < n; i++) {
        if (lens[i] < 0 || lens[i] > end - p)
            return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_LENGTH_BYTE_ARRAY: string of %d bytes, %lld are left", lens[i],
                            (long long)(end - p));
        out[i] = tsf_sview_make(p, (size_t)lens[i]);
        p += lens[i];
    }
    v->left = n;
    v->at = 0;
    return TSF_OK;
}

/* DELTA_BYTE_ARRAY: lengths of the prefix shared with the value before, then the suffixes as above. */
static enum tsf_err delta_strings_begin(struct parquet_values *v, int64_t max, struct tsf_error *err)
{
    struct tsf_buf prefixes = TSF_BUF_INIT((size_t)1 << 36);
    int64_t n;
    size_t used, total = 0;
    enum tsf_err rc;

    if ((rc = parquet_delta_decode(v->p, (size_t)(v->end - v->p), 4, max, &prefixes, &n, &used, err)) != TSF_OK)
        goto done;
    v->p += used;
    if ((rc = delta_length_begin(v, n, err)) != TSF_OK)
        goto done;
    if (v->left != n) {
        rc = tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BYTE_ARRAY: %lld prefixes, %lld suffixes", (long long)n, (long long)v->left);
        goto done;
    }
    const int32_t *prefix = (const int32_t *)prefixes.data;
    struct tsf_sview *view = (struct tsf_sview *)v->views.data;
    uint64_t last = 0;
    for (int64_t i = 0; i < n; i++) {
        if (prefix[i] < 0 || (uint64_t)prefix[i] > last) {
            rc = tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BYTE_ARRAY: prefix of %d bytes of a string of %llu", prefix[i],
                          (unsigned long long)last);
            goto done;
        }
        last = (uint64_t)prefix[i] + view[i].len;
        if (last > UINT32_MAX || !tsf_add_size(total, (size_t)last, &total)) {
            rc = tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BYTE_ARRAY: string too long");
            goto done;
        }
    }
    tsf_buf_reset(&v->bytes);
    if ((rc = tsf_buf_reserve(&v->bytes, total + PARQUET_SLACK, err)) != TSF_OK)
        goto done;
    char *o = (char *)v->bytes.data, *before = o;
    for (int64_t i = 0; i < n; i++) {
        uint32_t len = view[i].len;
        memcpy(o, before, (size_t)prefix[i]);
        memcpy(o + prefix[i], tsf_sview_data(&view[i]), len);
        view[i] = tsf_sview_make(o, (size_t)prefix[i] + len);
        before = o;
        o += (size_t)prefix[i] + len;
    }
done:
    tsf_buf_release(&prefixes);
    return rc;
}

/* ---- a page's values --------------------------------------------------------------------------------------------- */

void parquet_values_release(struct parquet_values *v)
{
    tsf_buf_release(&v->fixed);
    tsf_buf_release(&v->views);
    tsf_buf_release(&v->bytes);
    *v = (struct parquet_values){ 0 };
}

bool parquet_values_is_dictionary(const struct parquet_values *v)
{
    return v->encoding == PARQUET_RLE_DICTIONARY || v->encoding == PARQUET_PLAIN_DICTIONARY;
}

int parquet_physical_width(int physical, int type_length)
{
    switch (physical) {
    case PARQUET_BOOLEAN: return 1;
    case PARQUET_INT32:
    case PARQUET_FLOAT: return 4;
    case PARQUET_INT64:
    case PARQUET_DOUBLE: return 8;
    case PARQUET_INT96: return 12;
    case PARQUET_FIXED_LEN_BYTE_ARRAY: return type_length;
    default: return (int)sizeof(struct tsf_sview);
    }
}

static enum tsf_err begin_dictionary(struct parquet_values *v, struct tsf_error *err)
{
    if (v->p == v->end) { /* no values: all null */
        v->left = 0;
        return TSF_OK;
    }
    int w = *v->p++;
    if (w > 32)
        return tsf_fail(err, TSF_ERR_FORMAT, "dictionary codes of %d bits", w);
    return parquet_hybrid_init(&v->codes, v->p, (size_t)(v->end - v->p), w, err);
}

static enum tsf_err begin_rle(struct parquet_values *v, struct tsf_error *err)
{
    if (v->physical != PARQUET_BOOLEAN)
        return tsf_fail(err, TSF_ERR_FORMAT, "RLE values of type %s", parquet_physical_name(v->physical));
    if (v->end == v->p) {
        v->left = 0;
        return TSF_OK;
    }
    if (v->end - v->p < 4 || tsf_le32_get(v->p) > (uint64_t)(v->end - v->p - 4))
        return tsf_fail(err, TSF_ERR_FORMAT, "RLE: values end past the page");
    return parquet_hybrid_init(&v->codes, v->p + 4, tsf_le32_get(v->p), 1, err);
}

static enum tsf_err begin_delta(struct parquet_values *v, int64_t max, struct tsf_error *err)
{
    size_t used;
    if (v->physical != PARQUET_INT32 && v->physical != PARQUET_INT64)
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BINARY_PACKED values of type %s", parquet_physical_name(v->physical));
    if (v->p == v->end) {
        v->left = 0;
        return TSF_OK;
    }
    v->at = 0;
    return parquet_delta_decode(v->p, (size_t)(v->end - v->p), v->width, max, &v->fixed, &v->left, &used, err);
}

static enum tsf_err begin_strings(struct parquet_values *v, int64_t max, struct tsf_error *err)
{
    if (v->physical != PARQUET_BYTE_ARRAY &&
        !(v->physical == PARQUET_FIXED_LEN_BYTE_ARRAY && v->encoding == PARQUET_DELTA_BYTE_ARRAY))
        return tsf_fail(err, TSF_ERR_FORMAT, "%s values of type %s", parquet_encoding_name(v->encoding),
                        parquet_physical_name(v->physical));
    if (v->p == v->end) {
        v->left = 0;
        return TSF_OK;
    }
    return v->encoding == PARQUET_DELTA_BYTE_ARRAY ? delta_strings_begin(v, max, err) : delta_length_begin(v, max, err);
}

enum tsf_err parquet_values_begin(struct parquet_values *v, int encoding, int physical, int type_length, const uint8_t *p,
                                  size_t n, int64_t n_max, struct tsf_error *err)
{
    v->encoding = encoding;
    v->physical = physical;
    v->type_length = type_length;
    v->width = parquet_physical_width(physical, type_length);
    v->p = p;
    v->end = p + n;
    v->at = 0;
    v->left = INT64_MAX;
    v->fixed.max = v->views.max = v->bytes.max = (size_t)1 << 36;
    switch (encoding) {
    case PARQUET_PLAIN:
        if (physical == PARQUET_BOOLEAN)
            v->left = (int64_t)n * 8;
        else if (physical != PARQUET_BYTE_ARRAY)
            v->left = (int64_t)(n / (size_t)v->width);
        return TSF_OK;
    case PARQUET_PLAIN_DICTIONARY:
    case PARQUET_RLE_DICTIONARY: return begin_dictionary(v, err);
    case PARQUET_RLE: return begin_rle(v, err);
    case PARQUET_DELTA_BINARY_PACKED: return begin_delta(v, n_max, err);
    case PARQUET_DELTA_LENGTH_BYTE_ARRAY:
    case PARQUET_DELTA_BYTE_ARRAY: return begin_strings(v, n_max, err);
    case PARQUET_BYTE_STREAM_SPLIT:
        if (physical == PARQUET_BOOLEAN || physical == PARQUET_BYTE_ARRAY || physical == PARQUET_INT96)
            return tsf_fail(err, TSF_ERR_FORMAT, "BYTE_STREAM_SPLIT values of type %s", parquet_physical_name(physical));
        if (n % (size_t)v->width)
            return tsf_fail(err, TSF_ERR_FORMAT, "BYTE_STREAM_SPLIT: %zu bytes are no whole values of %d", n, v->width);
        v->left = v->stride = (int64_t)(n / (size_t)v->width);
        return TSF_OK;
    default:
        return tsf_fail(err, TSF_ERR_UNSUPPORTED, "encoding %d (%s) is not supported", encoding,
                        parquet_encoding_name(encoding));
    }
}

static enum tsf_err values_short(const struct parquet_values *v, struct tsf_error *err)
{
    return tsf_fail(err, TSF_ERR_FORMAT, "%s: the page ends before its values", parquet_encoding_name(v->encoding));
}

static void bools_get(const uint8_t *p, int64_t at, int64_t n, uint8_t *out)
{
    int64_t i = 0;
    for (; i < n && ((at + i) & 7); i++)
        out[i] = p[(at + i) >> 3] >> ((at + i) & 7) & 1;
    for (; i + 8 <= n; i += 8) { /* spread 8 bits over 8 bytes */
        uint64_t x = p[(at + i) >> 3] * 0x0101010101010101ULL & 0x8040201008040201ULL;
        x = ((x + 0x7f7f7f7f7f7f7f7fULL) | x) >> 7 & 0x0101010101010101ULL;
        memcpy(out + i, &x, 8);
    }
    for (; i < n; i++)
        out[i] = p[(at + i) >> 3] >> ((at + i) & 7) & 1;
}

static void split_get(const struct parquet_values *v, int64_t at, int64_t n, uint8_t *out)
{
    if (v->width == 4)
        parquet_kernels()->unsplit4(v->p + at, v->stride, n, (uint32_t *)out);
    else if (v->width == 8)
        parquet_kernels()->unsplit8(v->p + at, v->stride, n, (uint64_t *)out);
    else
        for (int j = 0; j < v->width; j++)
            for (int64_t i = 0; i < n; i++)
                out[i * v->width + j] = v->p[j * v->stride + at + i];
}

/* Views of a FIXED_LEN_BYTE_ARRAY page to contiguous values. */
static enum tsf_err fixed_from_view(const struct parquet_values *v, const struct tsf_sview *s, uint8_t *out,
                                    struct tsf_error *err)
{
    if ((int64_t)s->len != v->type_length)
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BYTE_ARRAY: value of %u bytes, the type has %d", s->len, v->type_length);
    memcpy(out, tsf_sview_data(s), s->len);
    return TSF_OK;
}

enum tsf_err parquet_values_read(struct parquet_values *v, int64_t n, void *out, const void **out_ptr, struct tsf_error *err)
{
    *out_ptr = out;
    if (n == 0)
        return TSF_OK;
    if (n > v->left)
        return values_short(v, err);
    if (v->left != INT64_MAX)
        v->left -= n;
    switch (v->encoding) {
    case PARQUET_PLAIN:
        if (v->physical == PARQUET_BYTE_ARRAY)
            return plain_strings(v, n, out, err);
        if (v->physical == PARQUET_BOOLEAN) {
            bools_get(v->p, v->at, n, out);
            v->at += n;
            return TSF_OK;
        }
        *out_ptr = v->p;
        v->p += n * v->width;
        return TSF_OK;
    case PARQUET_PLAIN_DICTIONARY:
    case PARQUET_RLE_DICTIONARY: return parquet_hybrid_read(&v->codes, n, out, err);
    case PARQUET_RLE: return parquet_hybrid_read8(&v->codes, n, out, err);
    case PARQUET_DELTA_BINARY_PACKED:
        *out_ptr = v->fixed.data + v->at * v->width;
        v->at += n;
        return TSF_OK;
    case PARQUET_DELTA_LENGTH_BYTE_ARRAY:
    case PARQUET_DELTA_BYTE_ARRAY: {
        const struct tsf_sview *s = (const struct tsf_sview *)v->views.data + v->at;
        v->at += n;
        if (v->physical == PARQUET_BYTE_ARRAY) {
            *out_ptr = s;
            return TSF_OK;
        }
        for (int64_t i = 0; i < n; i++) {
            enum tsf_err rc = fixed_from_view(v, &s[i], (uint8_t *)out + i * v->width, err);
            if (rc != TSF_OK)
                return rc;
        }
        return TSF_OK;
    }
    default: /* BYTE_STREAM_SPLIT */
        split_get(v, v->at, n, out);
        v->at += n;
        return TSF_OK;
    }
}

static void fixed_pick(const uint8_t *p, int width, const uint32_t *idx, int64_t k, uint8_t *out)
{
    switch (width) {
    case 4:
        for (int64_t j = 0; j < k; j++)
            memcpy(out + 4 * j, p + 4 * (size_t)idx[j], 4);
        break;
    case 8:
        for (int64_t j = 0; j < k; j++)
            memcpy(out + 8 * j, p + 8 * (size_t)idx[j], 8);
        break;
    case 16:
        for (int64_t j = 0; j < k; j++)
            memcpy(out + 16 * j, p + 16 * (size_t)idx[j], 16);
        break;
    default:
        for (int64_t j = 0; j < k; j++)
            memcpy(out + (size_t)width * (size_t)j, p + (size_t)width * idx[j], (size_t)width);
    }
}

enum tsf_err parquet_values_pick(struct parquet_values *v, int64_t n, const uint32_t *idx, int64_t k, void *out,
                                 struct tsf_error *err)
{
    uint8_t *o = out;
    enum tsf_err rc;

    if (k == 0)
        return parquet_values_skip(v, n, err);
    if (n > v->left)
        return values_short(v, err);
    switch (v->encoding) {
    case PARQUET_PLAIN:
        if (v->physical == PARQUET_BYTE_ARRAY)
            return plain_strings_pick(v, n, idx, k, out, err);
        if (v->physical == PARQUET_BOOLEAN)
            for (int64_t j = 0; j < k; j++)
                o[j] = v->p[(v->at + idx[j]) >> 3] >> ((v->at + idx[j]) & 7) & 1;
        else
            fixed_pick(v->p, v->width, idx, k, o);
        break;
    case PARQUET_RLE: {
        int64_t at = 0;
        for (int64_t j = 0; j < k; j++, at++) {
            if ((rc = parquet_hybrid_skip(&v->codes, idx[j] - at, err)) != TSF_OK ||
                (rc = parquet_hybrid_read8(&v->codes, 1, &o[j], err)) != TSF_OK)
                return rc;
            at = idx[j];
        }
        return parquet_hybrid_skip(&v->codes, n - at, err);
    }
    case PARQUET_DELTA_BINARY_PACKED: fixed_pick(v->fixed.data + v->at * v->width, v->width, idx, k, o); break;
    case PARQUET_DELTA_LENGTH_BYTE_ARRAY:
    case PARQUET_DELTA_BYTE_ARRAY: {
        const struct tsf_sview *s = (const struct tsf_sview *)v->views.data + v->at;
        if (v->physical == PARQUET_BYTE_ARRAY) {
            fixed_pick((const uint8_t *)s, (int)sizeof *s, idx, k, o);
            break;
        }
        for (int64_t j = 0; j < k; j++)
            if ((rc = fixed_from_view(v, &s[idx[j]], o + j * v->width, err)) != TSF_OK)
                return rc;
        break;
    }
    case PARQUET_BYTE_STREAM_SPLIT:
        for (int64_t j = 0; j < k; j++)
            split_get(v, v->at + idx[j], 1, o + j * v->width);
        break;
    default: return tsf_fail(err, TSF_ERR_INVALID, "codes are not picked");
    }
    return parquet_values_skip(v, n, err);
}

enum tsf_err parquet_values_skip(struct parquet_values *v, int64_t n, struct tsf_error *err)
{
    if (n == 0)
        return TSF_OK;
    if (n > v->left)
        return values_short(v, err);
    if (v->left != INT64_MAX)
        v->left -= n;
    switch (v->encoding) {
    case PARQUET_PLAIN:
        if (v->physical == PARQUET_BYTE_ARRAY)
            return plain_strings_pick(v, n, NULL, 0, NULL, err);
        if (v->physical == PARQUET_BOOLEAN)
            v->at += n;
        else
            v->p += n * v->width;
        return TSF_OK;
    case PARQUET_PLAIN_DICTIONARY:
    case PARQUET_RLE_DICTIONARY:
    case PARQUET_RLE: return parquet_hybrid_skip(&v->codes, n, err);
    default: v->at += n; return TSF_OK;
    }
}
