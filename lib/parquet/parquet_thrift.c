/*
 * Thrift compact protocol, as far as Parquet needs it.
 *
 *   varint    7 bits a byte, low first, top bit = more
 *   integer   zigzag varint; byte: one byte; double: 8 bytes little-endian
 *   binary    varint length, bytes
 *   field     (delta << 4 | type), or (type) and zigzag id when the delta is not 1..15; 0 ends the structure
 *   bool      in a field: the type itself (1 true, 2 false); in a list: one byte
 *   list      (n << 4 | type), or (0xf0 | type) and varint n
 *   map       varint n; if not 0, (key type << 4 | value type), then pairs
 */
#include "parquet/parquet_internal.h"

void parquet_tread_init(struct parquet_tread *r, const void *p, size_t n)
{
    *r = (struct parquet_tread){ .base = p, .p = p, .end = (const uint8_t *)p + n };
}

void parquet_tread_fail(struct parquet_tread *r, const char *what)
{
    if (!r->what) {
        r->what = what;
        r->at = r->p - r->base;
    }
    r->p = r->end;
}

enum tsf_err parquet_tread_check(const struct parquet_tread *r, const char *thing, struct tsf_error *err)
{
    if (!r->what)
        return TSF_OK;
    return tsf_fail_at(err, r->at, "%s: %s (byte %lld of the structure)", thing, r->what, (long long)r->at);
}

static uint64_t tread_varint(struct parquet_tread *r)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (r->p == r->end) {
            parquet_tread_fail(r, "truncated");
            return 0;
        }
        uint8_t b = *r->p++;
        if (shift == 63 && (b & 0xfe))
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    parquet_tread_fail(r, "varint too long");
    return 0;
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

bool parquet_tread_field(struct parquet_tread *r, int16_t *id, int *type)
{
    if (r->p == r->end) {
        parquet_tread_fail(r, "truncated");
        return false;
    }
    uint8_t b = *r->p++;
    *type = b & 0x0f;
    if (*type == PARQUET_T_STOP) {
        if (r->depth > 0)
            r->depth--;
        return false;
    }
    int64_t next = b >> 4 ? *id + (b >> 4) : unzigzag(tread_varint(r));
    if (next < INT16_MIN || next > INT16_MAX) {
        parquet_tread_fail(r, "field number out of range");
        return false;
    }
    *id = (int16_t)next;
    return !r->what;
}

bool parquet_tread_bool(struct parquet_tread *r, int type)
{
    if (type != PARQUET_T_TRUE && type != PARQUET_T_FALSE)
        parquet_tread_fail(r, "a boolean was expected");
    return type == PARQUET_T_TRUE;
}

bool parquet_tread_elem_bool(struct parquet_tread *r, int elem_type)
{
    if (elem_type != PARQUET_T_TRUE && elem_type != PARQUET_T_FALSE)
        parquet_tread_fail(r, "a boolean was expected");
    if (r->p == r->end) {
        parquet_tread_fail(r, "truncated");
        return false;
    }
    return *r->p++ == PARQUET_T_TRUE;
}

int64_t parquet_tread_i64(struct parquet_tread *r, int type)
{
    if (type == PARQUET_T_BYTE) {
        if (r->p == r->end) {
            parquet_tread_fail(r, "truncated");
            return 0;
        }
        return (int8_t)*r->p++;
    }
    if (type != PARQUET_T_I16 && type != PARQUET_T_I32 && type != PARQUET_T_I64) {
        parquet_tread_fail(r, "an integer was expected");
        return 0;
    }
    return unzigzag(tread_varint(r));
}

int32_t parquet_tread_i32(struct parquet_tread *r, int type)
{
    int64_t v = parquet_tread_i64(r, type);
    if (v < INT32_MIN || v > INT32_MAX) {
        parquet_tread_fail(r, "a 32-bit integer was expected");
        return 0;
    }
    return (int32_t)v;
}

struct tsf_str parquet_tread_binary(struct parquet_tread *r, int type)
{
    if (type != PARQUET_T_BINARY) {
        parquet_tread_fail(r, "a string was expected");
        return tsf_str_n("", 0);
    }
    uint64_t n = tread_varint(r);
    if (n > (uint64_t)(r->end - r->p)) {
        parquet_tread_fail(r, "string longer than what remains");
        return tsf_str_n("", 0);
    }
    struct tsf_str s = tsf_str_n(r->p, (size_t)n);
    r->p += n;
    return s;
}

uint32_t parquet_tread_list(struct parquet_tread *r, int type, int *elem_type)
{
    *elem_type = PARQUET_T_STOP;
    if (type != PARQUET_T_LIST && type != PARQUET_T_SET) {
        parquet_tread_fail(r, "a list was expected");
        return 0;
    }
    if (r->p == r->end) {
        parquet_tread_fail(r, "truncated");
        return 0;
    }
    uint8_t b = *r->p++;
    uint64_t n = b >> 4 == 15 ? tread_varint(r) : b >> 4;
    if (n > (uint64_t)(r->end - r->p)) { /* every element takes a byte at least */
        parquet_tread_fail(r, "list longer than what remains");
        return 0;
    }
    *elem_type = b & 0x0f;
    return r->what ? 0 : (uint32_t)n;
}

bool parquet_tread_struct(struct parquet_tread *r, int type)
{
    if (type != PARQUET_T_STRUCT) {
        parquet_tread_fail(r, "a structure was expected");
        return false;
    }
    if (r->depth >= PARQUET_THRIFT_DEPTH) {
        parquet_tread_fail(r, "nested too deep");
        return false;
    }
    r->depth++;
    return true;
}

/* What is still to be skipped, one frame per open container. */
struct skip_frame {
    uint64_t left; /* elements of a list or map (pairs counted as two); structures: unused */
    uint8_t a, b;  /* element types, taken in turns; a = STRUCT with left = UINT64_MAX marks a structure's fields */
    int16_t id;
};

static void tread_advance(struct parquet_tread *r, uint64_t n)
{
    if (n > (uint64_t)(r->end - r->p))
        parquet_tread_fail(r, "truncated");
    else
        r->p += n;
}

void parquet_tread_skip(struct parquet_tread *r, int type)
{
    struct skip_frame stack[PARQUET_THRIFT_DEPTH];
    int depth = 0;
    bool in_list = false; /* a bool inside a list or map has a byte of its own */

    for (;;) {
        struct skip_frame f = { 0 };
        bool push = false;
        switch (type) {
        case PARQUET_T_TRUE:
        case PARQUET_T_FALSE:
            if (in_list)
                tread_advance(r, 1);
            break;
        case PARQUET_T_BYTE: tread_advance(r, 1); break;
        case PARQUET_T_I16:
        case PARQUET_T_I32:
        case PARQUET_T_I64: tread_varint(r); break;
        case PARQUET_T_DOUBLE: tread_advance(r, 8); break;
        case PARQUET_T_UUID: tread_advance(r, 16); break;
        case PARQUET_T_BINARY: parquet_tread_binary(r, type); break;
        case PARQUET_T_LIST:
        case PARQUET_T_SET: {
            int et;
            f.left = parquet_tread_list(r, type, &et);
            f.a = f.b = (uint8_t)et;
            push = f.left > 0;
            break;
        }
        case PARQUET_T_MAP: {
            uint64_t n = tread_varint(r);
            if (n == 0)
                break;
            if (n > (uint64_t)(r->end - r->p)) {
                parquet_tread_fail(r, "map longer than what remains");
                break;
            }
            uint8_t kv = *r->p++;
            f.left = 2 * n;
            f.a = kv >> 4, f.b = kv & 0x0f;
            push = true;
            break;
        }
        case PARQUET_T_STRUCT:
            f.left = UINT64_MAX;
            push = true;
            break;
        default: parquet_tread_fail(r, "unknown field type");
        }
        if (push && depth == PARQUET_THRIFT_DEPTH)
            parquet_tread_fail(r, "nested too deep");
        else if (push)
            stack[depth++] = f;
        /* the next thing to skip */
        for (;;) {
            if (r->what || depth == 0)
                return;
            struct skip_frame *top = &stack[depth - 1];
            if (top->left == UINT64_MAX) {
                int saved = r->depth;
                bool more = parquet_tread_field(r, &top->id, &type);
                r->depth = saved;
                in_list = false;
                if (more)
                    break;
            } else if (top->left > 0) {
                type = top->left % 2 == 0 ? top->a : top->b;
                if (top->a == top->b)
                    type = top->a;
                top->left--;
                in_list = true;
                break;
            }
            depth--;
        }
    }
}

/* ---- writing ------------------------------------------------------------------------------------------ */

void parquet_twrite_init(struct parquet_twrite *w, struct tsf_buf *out, struct tsf_error *err)
{
    *w = (struct parquet_twrite){ .out = out, .err = err };
}

static void twrite_bytes(struct parquet_twrite *w, const void *p, size_t n)
{
    if (w->rc == TSF_OK && n)
        w->rc = tsf_buf_append(w->out, p, n, w->err);
}

static void twrite_u8(struct parquet_twrite *w, uint8_t v)
{
    twrite_bytes(w, &v, 1);
}

static void twrite_varint(struct parquet_twrite *w, uint64_t v)
{
    uint8_t b[10];
    size_t n = 0;
    while (v >= 0x80) {
        b[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    b[n++] = (uint8_t)v;
    twrite_bytes(w, b, n);
}

static void twrite_zigzag(struct parquet_twrite *w, int64_t v)
{
    twrite_varint(w, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static void twrite_field(struct parquet_twrite *w, int16_t id, int type)
{
    int16_t *last = &w->last[w->depth > 0 ? w->depth - 1 : 0];
    int delta = id - *last;
    if (delta > 0 && delta <= 15) {
        twrite_u8(w, (uint8_t)(delta << 4 | type));
    } else {
        twrite_u8(w, (uint8_t)type);
        twrite_zigzag(w, id);
    }
    *last = id;
}

void parquet_twrite_begin(struct parquet_twrite *w)
{
    if (w->depth == PARQUET_THRIFT_DEPTH) {
        if (w->rc == TSF_OK)
            w->rc = tsf_fail(w->err, TSF_ERR_INVALID, "metadata nested too deep");
        return;
    }
    w->last[w->depth++] = 0;
}

void parquet_twrite_end(struct parquet_twrite *w)
{
    twrite_u8(w, 0);
    if (w->depth > 0)
        w->depth--;
}

void parquet_twrite_struct(struct parquet_twrite *w, int16_t id)
{
    twrite_field(w, id, PARQUET_T_STRUCT);
    parquet_twrite_begin(w);
}

void parquet_twrite_bool(struct parquet_twrite *w, int16_t id, bool v)
{
    twrite_field(w, id, v ? PARQUET_T_TRUE : PARQUET_T_FALSE);
}

void parquet_twrite_byte(struct parquet_twrite *w, int16_t id, int8_t v)
{
    twrite_field(w, id, PARQUET_T_BYTE);
    twrite_u8(w, (uint8_t)v);
}

void parquet_twrite_i16(struct parquet_twrite *w, int16_t id, int16_t v)
{
    twrite_field(w, id, PARQUET_T_I16);
    twrite_zigzag(w, v);
}

void parquet_twrite_i32(struct parquet_twrite *w, int16_t id, int32_t v)
{
    twrite_field(w, id, PARQUET_T_I32);
    twrite_zigzag(w, v);
}

void parquet_twrite_i64(struct parquet_twrite *w, int16_t id, int64_t v)
{
    twrite_field(w, id, PARQUET_T_I64);
    twrite_zigzag(w, v);
}

void parquet_twrite_binary(struct parquet_twrite *w, int16_t id, const void *p, size_t n)
{
    twrite_field(w, id, PARQUET_T_BINARY);
    parquet_twrite_elem_binary(w, p, n);
}

void parquet_twrite_list(struct parquet_twrite *w, int16_t id, int elem_type, uint32_t n)
{
    twrite_field(w, id, PARQUET_T_LIST);
    if (n < 15) {
        twrite_u8(w, (uint8_t)(n << 4 | (uint32_t)elem_type));
    } else {
        twrite_u8(w, (uint8_t)(0xf0 | elem_type));
        twrite_varint(w, n);
    }
}

void parquet_twrite_elem_bool(struct parquet_twrite *w, bool v)
{
    twrite_u8(w, v ? PARQUET_T_TRUE : PARQUET_T_FALSE);
}

void parquet_twrite_elem_int(struct parquet_twrite *w, int64_t v)
{
    twrite_zigzag(w, v);
}

void parquet_twrite_elem_binary(struct parquet_twrite *w, const void *p, size_t n)
{
    twrite_varint(w, n);
    twrite_bytes(w, p, n);
}
