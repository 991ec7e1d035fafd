#ifndef TSF_COLUMN_H
#define TSF_COLUMN_H
/*
 * column: types, schemas, vectors, batches, builders, and the kernels on them that several rooms need.
 *
 *   column_type.c     types and schemas, their Delta JSON names
 *   column_vector.c   vectors: slices, gathers, flattening
 *   column_value.c    single values: compare, print
 *   column_parse.c    single values: parse
 *   column_number.c   integers and floating point as text
 *   column_builder.c  appending rows
 *   column_sort.c     sort permutations and row comparison
 *   column_radix.c    radix sorts of 64-bit keys, parallel
 *   column_hash.c     hashes of vectors
 *   column_decimal.c  128-bit decimals
 *   column_codec.c    batches to bytes (WAL records, spill files)
 *   column_decode.c   and back
 *
 * Layout is near Arrow's. A vector borrows all that it points to; an arena or a builder owns it.
 */
#include "base/base.h"

#define TSF_BATCH_ROWS 4096 /* rows in a batch that an operator makes; a vector may be longer */

/* ---- types -------------------------------------------------------------------------------------- */

enum tsf_type_id {
    TSF_TYPE_NULL,      /* untyped NULL; no values */
    TSF_TYPE_BOOL,      /* uint8_t 0 or 1 */
    TSF_TYPE_INT8,      /* Delta byte */
    TSF_TYPE_INT16,     /* short */
    TSF_TYPE_INT32,     /* integer */
    TSF_TYPE_INT64,     /* long */
    TSF_TYPE_FLOAT,
    TSF_TYPE_DOUBLE,
    TSF_TYPE_DECIMAL,   /* tsf_int128, unscaled; precision 1..38, scale 0..precision */
    TSF_TYPE_DATE,      /* int32_t days since 1970-01-01 */
    TSF_TYPE_TIMESTAMP, /* int64_t microseconds since 1970 UTC (Delta timestamp, SQL timestamptz) */
    TSF_TYPE_TIMESTAMP_NTZ, /* int64_t microseconds, no zone (SQL timestamp) */
    TSF_TYPE_STRING,    /* struct tsf_sview, UTF-8 */
    TSF_TYPE_BINARY,    /* struct tsf_sview */
    TSF_TYPE_INTERVAL,  /* struct tsf_interval; SQL only, never stored */
    TSF_TYPE_TIME,      /* int64_t microseconds since midnight; SQL and foreign Parquet */
    TSF_TYPE_UUID,      /* 16 bytes, tsf_int128-sized, big-endian text order; SQL and foreign Parquet */
    TSF_TYPE_LIST,      /* int32_t offsets[length + 1] into children[0] */
    TSF_TYPE_STRUCT,    /* children by field */
    TSF_TYPE_MAP,       /* offsets as LIST; children[0] keys, children[1] values */
};
#define TSF_TYPE_COUNT (TSF_TYPE_MAP + 1)

typedef __int128 tsf_int128;
typedef unsigned __int128 tsf_uint128;

struct tsf_interval {
    int32_t months, days;
    int64_t us;
};

struct tsf_field;
struct tsf_type {
    enum tsf_type_id id;
    uint8_t precision, scale;        /* DECIMAL */
    bool json;                       /* STRING that holds JSON text (SQL shows jsonb operators on it) */
    int n_children;                  /* LIST 1 (element), MAP 2 (key, value), STRUCT n */
    const struct tsf_field *children;
};

/* The primitive types (decimals through tsf_type_decimal). Static storage, compare by tsf_type_eq. */
extern const struct tsf_type tsf_types[TSF_TYPE_COUNT];
#define TSF_T(NAME) (&tsf_types[TSF_TYPE_##NAME])
extern const struct tsf_type tsf_type_json;
const struct tsf_type *tsf_type_decimal(int precision, int scale); /* static; NULL when out of range */
const struct tsf_type *tsf_type_list(struct tsf_arena *a, const struct tsf_type *element, bool contains_null);
/* JSON text is a type of its own here; kernels take it and STRING for one another. */
bool tsf_type_eq(const struct tsf_type *a, const struct tsf_type *b);
/* Bytes of one value in tsf_vector.values: 1, 2, 4, 8 or 16; 0 for NULL and STRUCT; LIST and MAP 4 (offsets). */
int tsf_type_width(const struct tsf_type *t);
bool tsf_type_is_integer(const struct tsf_type *t); /* INT8..INT64 */
bool tsf_type_is_string(const struct tsf_type *t);  /* STRING, BINARY */
/* "bigint", "timestamp with time zone", "numeric(10,2)", "text[]": PostgreSQL's word for it, into the arena. */
const char *tsf_type_sql_name(const struct tsf_type *t, struct tsf_arena *a);

struct tsf_field {
    const char *name;
    const struct tsf_type *type;
    bool nullable;
    int32_t field_id;       /* Parquet / Delta column mapping id; -1 when none */
    const char *physical;   /* physical name under column mapping; NULL = name */
    const char *metadata;   /* Delta field metadata as JSON object text; NULL = {} */
};

struct tsf_schema {
    int n_fields;
    struct tsf_field *fields;
};
int tsf_schema_find(const struct tsf_schema *s, struct tsf_str name); /* exact, then case-insensitive; -1 */
/* Delta schemaString (JSON) both ways. */
enum tsf_err tsf_schema_from_delta(struct tsf_str json, struct tsf_arena *a, struct tsf_schema *out, struct tsf_error *err);
enum tsf_err tsf_schema_to_delta(const struct tsf_schema *s, struct tsf_buf *out, struct tsf_error *err);
/* "decimal(10,2)", "timestamp_ntz"... Delta's name of a primitive type. */
enum tsf_err tsf_type_from_delta(struct tsf_str name, const struct tsf_type **out, struct tsf_error *err);
enum tsf_err tsf_schema_copy(const struct tsf_schema *s, struct tsf_arena *a, struct tsf_schema *out, struct tsf_error *err);

/* ---- strings: 16-byte views ---------------------------------------------------------------------- */

/* Up to 12 bytes inline (rest zero, so that equal strings have equal 16 bytes); longer: 4-byte prefix and pointer. */
struct tsf_sview {
    uint32_t len;
    union {
        char inl[12];
        struct {
            char prefix[4];
            const char *ptr __attribute__((packed, aligned(4))); /* offset 8, so it is in fact aligned */
        } ref;
    } u;
};
_Static_assert(sizeof(struct tsf_sview) == 16, "string view is 16 bytes");
#define TSF_SVIEW_INLINE 12
static inline const char *tsf_sview_data(const struct tsf_sview *v)
{
    return v->len <= TSF_SVIEW_INLINE ? v->u.inl : v->u.ref.ptr;
}
/* Borrowed; for an inline view it points into *v. */
static inline struct tsf_str tsf_sview_str(const struct tsf_sview *v)
{
    return (struct tsf_str){ tsf_sview_data(v), v->len };
}
static inline struct tsf_sview tsf_sview_make(const char *p, size_t n) /* n <= UINT32_MAX; borrows p when n > 12 */
{
    struct tsf_sview v = { .len = (uint32_t)n };
    memset(v.u.inl, 0, sizeof v.u.inl);
    if (n <= TSF_SVIEW_INLINE) {
        if (n)
            memcpy(v.u.inl, p, n);
    } else {
        memcpy(v.u.ref.prefix, p, 4);
        v.u.ref.ptr = p;
    }
    return v;
}
static inline bool tsf_sview_eq(const struct tsf_sview *a, const struct tsf_sview *b)
{
    uint64_t a0, b0;
    memcpy(&a0, a, 8), memcpy(&b0, b, 8);
    if (a0 != b0)
        return false;
    memcpy(&a0, (const char *)a + 8, 8), memcpy(&b0, (const char *)b + 8, 8);
    if (a0 == b0)
        return true;
    return a->len > TSF_SVIEW_INLINE && memcmp(a->u.ref.ptr, b->u.ref.ptr, a->len) == 0;
}
int tsf_sview_cmp(const struct tsf_sview *a, const struct tsf_sview *b); /* byte order */

/* ---- vectors ---------------------------------------------------------------------------------------- */

enum tsf_shape {
    TSF_FLAT,
    TSF_CONSTANT,   /* one value (or NULL: validity bit 0) for all rows, at values[0] */
    TSF_DICTIONARY, /* values are int32_t positions in dict; dict is FLAT and has no NULLs; NULL rows have code 0 */
};

/*
 * validity: bit i set = row i present; NULL pointer = no nulls. Values under a null are defined bytes (zero), so
 * kernels may compute on them. values is padded so that reading a whole 64-byte line past the end is legal for
 * vectors that our arenas, builders and readers make (TSF_PAD); kernels must not write there.
 */
struct tsf_vector {
    const struct tsf_type *type;
    enum tsf_shape shape;
    int64_t length;
    int64_t null_count;             /* -1 until counted */
    const uint64_t *validity;
    const void *values;
    const struct tsf_vector *dict;      /* DICTIONARY */
    const struct tsf_vector *children;  /* LIST, MAP, STRUCT: type->n_children vectors */
    /* DICTIONARY: identifies the dictionary (never 0 there; equal ids = same dict), so per-dictionary work is cached. */
    uint64_t dict_id;
};
#define TSF_PAD 64

static inline bool tsf_vector_present(const struct tsf_vector *v, int64_t row)
{
    return !v->validity || tsf_bit_get(v->validity, v->shape == TSF_CONSTANT ? 0 : row);
}
static inline int64_t tsf_vector_at(const struct tsf_vector *v, int64_t row) /* index into flat values of v or v->dict */
{
    return v->shape == TSF_FLAT ? row : v->shape == TSF_CONSTANT ? 0 : ((const int32_t *)v->values)[row];
}
static inline const void *tsf_vector_flat_values(const struct tsf_vector *v)
{
    return v->shape == TSF_DICTIONARY ? v->dict->values : v->values;
}
uint64_t tsf_dict_id_new(void); /* a dict_id that no other dictionary of this process has; any thread */
/* Number of nulls, counted now when unknown (not stored: v is const). */
int64_t tsf_vector_null_count(const struct tsf_vector *v);
/* Rows [first, first + n); borrows. validity that starts off a word boundary is copied to the arena. */
enum tsf_err tsf_vector_slice(const struct tsf_vector *v, int64_t first, int64_t n, struct tsf_arena *a,
                              struct tsf_vector *out, struct tsf_error *err);
/* Rows sel[0..n); DICTIONARY and CONSTANT keep their shape. String bytes are borrowed. */
enum tsf_err tsf_vector_gather(const struct tsf_vector *v, const uint32_t *sel, int64_t n, struct tsf_arena *a,
                               struct tsf_vector *out, struct tsf_error *err);
/* FLAT twin. String bytes are borrowed. */
enum tsf_err tsf_vector_flatten(const struct tsf_vector *v, struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err);
/* Deep copy: owns nothing outside the arena (strings longer than 12 bytes copied too). */
enum tsf_err tsf_vector_copy(const struct tsf_vector *v, struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err);
/* Several vectors of one type after one another, FLAT (or DICTIONARY when all share one dict_id). Deep copies. */
enum tsf_err tsf_vector_concat(const struct tsf_vector *const *v, int n, struct tsf_arena *a, struct tsf_vector *out,
                               struct tsf_error *err);
/* Flat vector with room for n values (and TSF_PAD), uninitialised; validity NULL. values_out is where to write. */
enum tsf_err tsf_vector_alloc(const struct tsf_type *t, int64_t n, struct tsf_arena *a, struct tsf_vector *out,
                              void **values_out, struct tsf_error *err);
/* Set validity and null_count from a byte or bitmap scan: words has tsf_bit_words(length) words; kept only when it has nulls. */
void tsf_vector_set_validity(struct tsf_vector *v, const uint64_t *words);

/* Rows of several columns. sel: the rows that count, ascending; NULL = all of length. */
struct tsf_batch {
    int64_t length;
    int n_columns;
    struct tsf_vector *columns;
    const uint32_t *sel;
    int64_t n_sel;
};
static inline int64_t tsf_batch_rows(const struct tsf_batch *b) { return b->sel ? b->n_sel : b->length; }

/* ---- single values -------------------------------------------------------------------------------------- */

struct tsf_value {
    const struct tsf_type *type;
    bool is_null;
    union {
        bool b;
        int64_t i64;      /* all integers, DATE, TIMESTAMP*, TIME */
        float f32;
        double f64;
        tsf_int128 i128;  /* DECIMAL, UUID */
        struct tsf_str s; /* STRING, BINARY: borrowed */
        struct tsf_interval iv;
        /* LIST: a vector of the elements; STRUCT and MAP: a vector of this one row. Borrowed. */
        const struct tsf_vector *list;
    } u;
};
/* Value of a row; strings borrow from the vector. LIST needs the arena. */
enum tsf_err tsf_vector_get(const struct tsf_vector *v, int64_t row, struct tsf_arena *a, struct tsf_value *out,
                            struct tsf_error *err);
/* CONSTANT vector of length n. */
enum tsf_err tsf_vector_constant(const struct tsf_value *val, int64_t n, struct tsf_arena *a, struct tsf_vector *out,
                                 struct tsf_error *err);
/* Same type, both non-null: total order of SQL; NaN above all numbers and equal to itself, -0.0 = 0.0. */
int tsf_value_cmp(const struct tsf_value *a, const struct tsf_value *b);
/* PostgreSQL's text form (bool t/f, float shortest, timestamptz "2026-11-20 10:11:12.5+00", arrays {a,b}); NULL appends nothing. */
enum tsf_err tsf_value_text(const struct tsf_value *v, struct tsf_buf *out, struct tsf_error *err);
/* JSON form: numbers bare, NaN and infinities as strings, times RFC 3339 UTC, binary hex, lists arrays, JSON text as is. */
enum tsf_err tsf_value_json(const struct tsf_value *v, struct tsf_buf *out, struct tsf_error *err);
/* Parse text as type (PostgreSQL input syntax; dates, times, numbers, booleans, hex bytea). Strings borrow s. */
enum tsf_err tsf_value_parse(struct tsf_str s, const struct tsf_type *t, struct tsf_arena *a, struct tsf_value *out,
                             struct tsf_error *err);
/* Shortest digits that read back ("1.5", "1e-05" in PostgreSQL's form); returns length. */
size_t tsf_double_format(double v, char out[32]);
size_t tsf_float_format(float v, char out[32]);
size_t tsf_int64_format(int64_t v, char out[24]);
bool tsf_double_parse(struct tsf_str s, double *out); /* whole text; inf/nan words too; locale-free */
bool tsf_int64_parse(struct tsf_str s, int64_t *out); /* whole text; false on overflow */

/* ---- decimals (column_decimal.c) --------------------------------------------------------------------------- */

tsf_int128 tsf_pow10(int n);                                           /* 0..38 */
bool tsf_decimal_parse(struct tsf_str s, int scale, tsf_int128 *out);  /* rounds half away from zero; false: syntax or > 38 digits */
size_t tsf_decimal_format(tsf_int128 v, int scale, char out[48]);
bool tsf_decimal_rescale(tsf_int128 v, int from, int to, tsf_int128 *out); /* rounds half away from zero; false on overflow */
bool tsf_decimal_fits(tsf_int128 v, int precision);
double tsf_decimal_double(tsf_int128 v, int scale);

/* ---- builders (column_builder.c) ----------------------------------------------------------------------------- */

/*
 * Grows one column. Fields are open so that parsers can write without a call: check length < cap (or call
 * tsf_builder_reserve), write values[length], set validity through the null calls only.
 * String bytes are copied into blocks owned by the builder; a view stays valid until reset.
 */
struct tsf_builder {
    const struct tsf_type *type;
    int64_t length, cap;
    int64_t null_count;
    void *values;             /* width * cap, plus TSF_PAD; LIST: int32_t offsets cap + 1 */
    uint64_t *validity;       /* NULL until the first null */
    struct tsf_arena bytes;   /* long strings */
    size_t n_bytes;           /* total string bytes appended (also inline ones): memory accounting */
    struct tsf_builder *children; /* LIST 1, MAP 2, STRUCT n */
};
enum tsf_err tsf_builder_init(struct tsf_builder *b, const struct tsf_type *t, struct tsf_error *err);
void tsf_builder_release(struct tsf_builder *b);
void tsf_builder_reset(struct tsf_builder *b);
enum tsf_err tsf_builder_reserve(struct tsf_builder *b, int64_t n, struct tsf_error *err);
enum tsf_err tsf_builder_null(struct tsf_builder *b, struct tsf_error *err);
enum tsf_err tsf_builder_nulls(struct tsf_builder *b, int64_t n, struct tsf_error *err);
enum tsf_err tsf_builder_i64(struct tsf_builder *b, int64_t v, struct tsf_error *err); /* any integer, DATE, TIMESTAMP, BOOL; narrows */
enum tsf_err tsf_builder_f64(struct tsf_builder *b, double v, struct tsf_error *err);  /* FLAT, DOUBLE, FLOAT */
enum tsf_err tsf_builder_i128(struct tsf_builder *b, tsf_int128 v, struct tsf_error *err);
enum tsf_err tsf_builder_str(struct tsf_builder *b, const char *p, size_t n, struct tsf_error *err); /* copies */
enum tsf_err tsf_builder_list_end(struct tsf_builder *b, struct tsf_error *err); /* close a LIST, MAP or STRUCT row whose children were appended */
enum tsf_err tsf_builder_value(struct tsf_builder *b, const struct tsf_value *v, struct tsf_error *err);
/* Rows of a vector of the same type: sel[0..n) or, with sel NULL, [first, first + n). Copies string bytes. */
enum tsf_err tsf_builder_append(struct tsf_builder *b, const struct tsf_vector *v, int64_t first, const uint32_t *sel, int64_t n,
                                struct tsf_error *err);
/* Remove rows from the end, so that a bad row leaves no trace in any column. */
void tsf_builder_truncate(struct tsf_builder *b, int64_t length);
/* Borrowed view of everything appended; valid until the next append, reset or release. children from the arena. */
enum tsf_err tsf_builder_vector(const struct tsf_builder *b, struct tsf_arena *a, struct tsf_vector *out, struct tsf_error *err);

/* ---- sorting (column_sort.c) ------------------------------------------------------------------------------------ */

struct tsf_sort_key {
    int column;
    bool descending;
    bool nulls_first;
};
/*
 * Stable permutation that sorts the batch's rows [0, length) (sel is ignored). perm_out: length entries from arena.
 * Radix on normalized 8-byte prefixes, then comparison; uses the pool when given and the batch is large.
 */
enum tsf_err tsf_sort(const struct tsf_batch *b, const struct tsf_sort_key *keys, int n_keys, struct tsf_pool *pool,
                      struct tsf_arena *a, uint32_t **perm_out, struct tsf_error *err);
/* Compare row i of a with row j of b under keys. */
int tsf_row_cmp(const struct tsf_batch *a, int64_t i, const struct tsf_batch *b, int64_t j,
                const struct tsf_sort_key *keys, int n_keys);
/* Order-preserving 64-bit prefix of each row's first key: a < b in prefix implies a before b; ties need tsf_row_cmp. */
enum tsf_err tsf_sort_prefix(const struct tsf_vector *v, const struct tsf_sort_key *key, uint64_t *out, struct tsf_error *err);

/* ---- hashing (column_hash.c) -------------------------------------------------------------------------------------- */

/*
 * out[i] = hash of row i (or of row sel[i]) ; combine: mix into what is there. NULL hashes to a constant. Equal values
 * of equal type hash alike in every shape; -0.0 as 0.0, every NaN alike.
 */
enum tsf_err tsf_hash_vector(const struct tsf_vector *v, const uint32_t *sel, int64_t n, bool combine, uint64_t *out,
                             struct tsf_arena *scratch, struct tsf_error *err);
bool tsf_vector_rows_equal(const struct tsf_vector *a, int64_t i, const struct tsf_vector *b, int64_t j); /* NULL = NULL */

/* ---- batches as bytes (column_codec.c) ------------------------------------------------------------------------------ */

/*
 * Self-contained, fast columnar encoding for WAL records and spill files: per column a tag, validity, values (byte widths cut
 * to the range; dictionary when it pays; strings as lengths and bytes). Not compressed: the caller may compress.
 * Format version is the first byte. Decoding checks everything and never trusts a length. Only the rows of sel are written.
 * A batch may have at most 64 Mi rows.
 */
enum tsf_err tsf_batch_encode(const struct tsf_batch *b, struct tsf_buf *out, struct tsf_error *err);
/* Types come from the bytes: compare them with what you expect. Vectors live in the arena; long strings borrow from p. */
enum tsf_err tsf_batch_decode(const void *p, size_t n, struct tsf_arena *a, struct tsf_batch *out, struct tsf_error *err);

#endif
