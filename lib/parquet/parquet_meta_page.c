/*
 * Page headers: what stands before each page of a column chunk.
 */
#include "parquet/parquet_internal.h"
#include "parquet/parquet_read_internal.h"

static void read_data_header(struct parquet_tread *r, int type, struct parquet_page_header *h)
{
    int16_t id = 0;
    if (!parquet_tread_struct(r, type))
        return;
    h->has_header = true;
    while (parquet_tread_field(r, &id, &type)) {
        switch (id) {
        case 1: h->n_values = parquet_tread_i32(r, type); break;
        case 2: h->encoding = parquet_tread_i32(r, type); break;
        case 3: h->def_encoding = parquet_tread_i32(r, type); break;
        case 4: h->rep_encoding = parquet_tread_i32(r, type); break;
        default: parquet_tread_skip(r, type);
        }
    }
}

static void read_dictionary_header(struct parquet_tread *r, int type, struct parquet_page_header *h)
{
    int16_t id = 0;
    if (!parquet_tread_struct(r, type))
        return;
    h->has_header = true;
    while (parquet_tread_field(r, &id, &type)) {
        switch (id) {
        case 1: h->n_values = parquet_tread_i32(r, type); break;
        case 2: h->encoding = parquet_tread_i32(r, type); break;
        default: parquet_tread_skip(r, type);
        }
    }
}

static void read_data_header_v2(struct parquet_tread *r, int type, struct parquet_page_header *h)
{
    int16_t id = 0;
    if (!parquet_tread_struct(r, type))
        return;
    h->has_header = true;
    while (parquet_tread_field(r, &id, &type)) {
        switch (id) {
        case 1: h->n_values = parquet_tread_i32(r, type); break;
        case 2: h->n_nulls = parquet_tread_i32(r, type); break;
        case 3: h->n_rows = parquet_tread_i32(r, type); break;
        case 4: h->encoding = parquet_tread_i32(r, type); break;
        case 5: h->def_length = parquet_tread_i32(r, type); break;
        case 6: h->rep_length = parquet_tread_i32(r, type); break;
        case 7: h->is_compressed = parquet_tread_bool(r, type); break;
        default: parquet_tread_skip(r, type);
        }
    }
}

enum tsf_err parquet_page_header_parse(const void *p, size_t n, struct parquet_page_header *out, size_t *used_out,
                                       struct tsf_error *err)
{
    struct parquet_page_header h = { .type = -1, .n_values = -1, .n_nulls = -1, .n_rows = -1, .encoding = -1,
                                     .compressed_size = -1, .uncompressed_size = -1, .def_encoding = PARQUET_RLE,
                                     .rep_encoding = PARQUET_RLE, .is_compressed = true };
    struct parquet_tread r;
    int16_t id = 0;
    int type;
    enum tsf_err rc;

    parquet_tread_init(&r, p, n);
    while (parquet_tread_field(&r, &id, &type)) {
        switch (id) {
        case 1: h.type = parquet_tread_i32(&r, type); break;
        case 2: h.uncompressed_size = parquet_tread_i32(&r, type); break;
        case 3: h.compressed_size = parquet_tread_i32(&r, type); break;
        case 4:
            h.crc = (uint32_t)parquet_tread_i32(&r, type);
            h.has_crc = true;
            break;
        case 5:
            if (h.type == PARQUET_PAGE_DATA)
                read_data_header(&r, type, &h);
            else
                parquet_tread_skip(&r, type);
            break;
        case 7:
            if (h.type == PARQUET_PAGE_DICTIONARY)
                read_dictionary_header(&r, type, &h);
            else
                parquet_tread_skip(&r, type);
            break;
        case 8:
            if (h.type == PARQUET_PAGE_DATA_V2)
                read_data_header_v2(&r, type, &h);
            else
                parquet_tread_skip(&r, type);
            break;
        default: parquet_tread_skip(&r, type);
        }
    }
    if ((rc = parquet_tread_check(&r, "page header", err)) != TSF_OK)
        return rc;
    if (h.uncompressed_size < 0 || h.compressed_size < 0)
        return tsf_fail(err, TSF_ERR_FORMAT, "page header: bad sizes %d and %d", h.compressed_size, h.uncompressed_size);
    if (h.type < 0 || h.type > PARQUET_PAGE_DATA_V2)
        return tsf_fail(err, TSF_ERR_FORMAT, "page header: unknown page type %d", h.type);
    if (h.type != PARQUET_PAGE_INDEX && (!h.has_header || h.n_values < 0))
        return tsf_fail(err, TSF_ERR_FORMAT, "page header: no header for page type %d, or a bad number of values", h.type);
    if (h.type == PARQUET_PAGE_DATA_V2 &&
        (h.def_length < 0 || h.rep_length < 0 || h.n_nulls < 0 || h.n_nulls > h.n_values || h.n_rows < 0 ||
         h.n_rows > h.n_values || (int64_t)h.def_length + h.rep_length > TSF_MIN(h.compressed_size, h.uncompressed_size)))
        return tsf_fail(err, TSF_ERR_FORMAT, "page header: level lengths or counts do not fit");
    *out = h;
    *used_out = (size_t)(r.p - r.base);
    return TSF_OK;
}
