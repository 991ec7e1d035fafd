/*
 * Decoders of one page's values. See parquet_read_internal.h for the shapes, parquet-format Encodings.md for the bytes.
 *
 * Everything checks against the page's end before it reads; only the unpacking kernels read (never use) up to
 * PARQUET_SLACK bytes past it.
 */
#include "parquet/parquet_read_internal.h"

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

/* A view of n bytes at p. Reads 12 bytes. */
static inline void bytes_view(const uint8_t *p, uint32_t len, struct tsf_sview *out)
{
    uint64_t a = len | (uint64_t)tsf_le32_get(p) << 32, b = tsf_le64_get(p + 4);
    if (len <= TSF_SVIEW_INLINE) {
        a &= inline_masks[len][0];
        b &= inline_masks[len][1];
    } else {
        b = (uint64_t)(uintptr_t)p;
    }
    memcpy(out, &a, 8);
    memcpy((char *)out + 8, &b, 8);
}

/* DELTA_LENGTH_BYTE_ARRAY: lengths (into fixed), then all bytes (from p on). */
static enum tsf_err delta_length_begin(struct parquet_values *v, int64_t max, struct tsf_error *err)
{
    int64_t n;
    size_t used;
    enum tsf_err rc = parquet_delta_decode(v->p, (size_t)(v->end - v->p), 4, max, &v->fixed, &n, &used, err);
    if (rc != TSF_OK)
        return rc;
    const int32_t *lens = (const int32_t *)v->fixed.data;
    int64_t total = 0, negative = 0;
    for (int64_t i = 0; i < n; i++) {
        total += lens[i];
        negative |= lens[i];
    }
    v->p += used;
    if (negative < 0 || total > v->end - v->p)
        return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_LENGTH_BYTE_ARRAY: strings of %lld bytes, %lld are left",
                        (long long)total, (long long)(v->end - v->p));
    v->left = n;
    v->at = 0;
    return TSF_OK;
}

static void delta_length_read(struct parquet_values *v, int64_t n, struct tsf_sview *out)
{
    const int32_t *lens = (const int32_t *)v->fixed.data + v->at;
    const uint8_t *p = v->p;
    for (int64_t i = 0; i < n; i++) {
        bytes_view(p, (uint32_t)lens[i], &out[i]);
        p += lens[i];
    }
    v->p = p;
    v->at += n;
}

static void delta_length_pick(struct parquet_values *v, int64_t n, const uint32_t *idx, int64_t k, struct tsf_sview *out)
{
    const int32_t *lens = (const int32_t *)v->fixed.data + v->at;
    const uint8_t *p = v->p;
    for (int64_t i = 0, j = 0; i < n; i++) {
        if (j < k && idx[j] == i)
            bytes_view(p, (uint32_t)lens[i], &out[j++]);
        p += lens[i];
    }
    v->p = p;
    v->at += n;
}

/* Views of the values of a page; those that share nothing with the one before stay where they are. */
static enum tsf_err delta_strings_join(struct parquet_values *v, const int32_t *prefix, int64_t n, struct tsf_error *err)
{
    const int32_t *lens = (const int32_t *)v->fixed.data;
    uint64_t last = 0;
    size_t total = 0;
    enum tsf_err rc;
    for (int64_t i = 0; i < n; i++) {
        if (prefix[i] < 0 || (uint64_t)prefix[i] > last)
            return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BYTE_ARRAY: prefix of %d bytes of a string of %llu", prefix[i],
                            (unsigned long long)last);
        last = (uint64_t)prefix[i] + (uint64_t)lens[i];
        if (last > UINT32_MAX || (prefix[i] && !tsf_add_size(total, (size_t)last, &total)))
            return tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BYTE_ARRAY: string too long");
    }
    tsf_buf_reset(&v->bytes);
    tsf_buf_reset(&v->views);
    if ((rc = tsf_buf_reserve(&v->bytes, total + PARQUET_SLACK, err)) != TSF_OK ||
        (rc = tsf_buf_reserve(&v->views, (size_t)n * sizeof(struct tsf_sview) + TSF_PAD, err)) != TSF_OK)
        return rc;
    struct tsf_sview *view = (struct tsf_sview *)v->views.data;
    const uint8_t *p = v->p, *before = p;
    uint8_t *o = v->bytes.data;
    for (int64_t i = 0; i < n; p += lens[i], i++) {
        const size_t len = (size_t)prefix[i] + (size_t)lens[i];
        if (prefix[i]) {
            memcpy(o, before, (size_t)prefix[i]);
            memcpy(o + prefix[i], p, (size_t)lens[i]);
            before = o;
            o += len;
        } else {
            before = p;
        }
        bytes_view(before, (uint32_t)len, &view[i]);
    }
    v->p = p;
    return TSF_OK;
}

/* DELTA_BYTE_ARRAY: lengths of the prefix shared with the value before, then the suffixes as above. */
static enum tsf_err delta_strings_begin(struct parquet_values *v, int64_t max, struct tsf_error *err)
{
    struct tsf_buf prefixes = TSF_BUF_INIT((size_t)1 << 36);
    int64_t n;
    size_t used;
    enum tsf_err rc = parquet_delta_decode(v->p, (size_t)(v->end - v->p), 4, max, &prefixes, &n, &used, err);
    if (rc == TSF_OK) {
        v->p += used;
        rc = delta_length_begin(v, n, err);
    }
    if (rc == TSF_OK && v->left != n)
        rc = tsf_fail(err, TSF_ERR_FORMAT, "DELTA_BYTE_ARRAY: %lld prefixes, %lld suffixes", (long long)n, (long long)v->left);
    if (rc == TSF_OK)
        rc = delta_strings_join(v, (const int32_t *)prefixes.data, n, err);
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
    case PARQUET_DELTA_LENGTH_BYTE_ARRAY: delta_length_read(v, n, out); return TSF_OK;
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
        delta_length_pick(v, n, idx, k, out);
        v->left -= n;
        return TSF_OK;
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
    case PARQUET_DELTA_LENGTH_BYTE_ARRAY: delta_length_pick(v, n, NULL, 0, NULL); return TSF_OK;
    default: v->at += n; return TSF_OK;
    }
}
