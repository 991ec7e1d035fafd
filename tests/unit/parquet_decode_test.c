/* Decoders on the examples of the Parquet specification, and on bytes that are not what they should be. */
#include "test_util.h"

#include "parquet/parquet_read_internal.h"

/* Decoders may look past the end of their bytes: give them room. */
static const uint8_t *padded(const void *p, size_t n)
{
    static uint8_t buf[4096];
    memset(buf, 0xee, sizeof buf);
    memcpy(buf, p, n);
    return buf;
}

static void test_rle__packed_example(void **state)
{
    static const uint8_t bytes[] = { 0x03, 0x88, 0xc6, 0xfa }; /* one group of 8: 0..7 in 3 bits */
    struct parquet_hybrid h;
    struct tsf_error err = TSF_ERROR_INIT;
    uint32_t v[8];
    (void)state;
    CHECK_OK(parquet_hybrid_init(&h, padded(bytes, sizeof bytes), sizeof bytes, 3, &err), &err);
    CHECK_OK(parquet_hybrid_read(&h, 3, v, &err), &err);
    CHECK_OK(parquet_hybrid_skip(&h, 2, &err), &err);
    CHECK_OK(parquet_hybrid_read(&h, 3, v + 3, &err), &err);
    CHECK(v[0] == 0 && v[1] == 1 && v[2] == 2 && v[3] == 5 && v[4] == 6 && v[5] == 7);
    CHECK_ERR(parquet_hybrid_read(&h, 1, v, NULL), TSF_ERR_FORMAT);
}

static void test_rle__runs_and_bits(void **state)
{
    static const uint8_t bytes[] = { 0xc8, 0x01, 1, 0x03, 0x0f, 20, 0 }; /* 100 x 1; 1 1 1 1 0 0 0 0; 10 x 0 */
    struct parquet_hybrid h;
    struct tsf_error err = TSF_ERROR_INIT;
    uint64_t bits[4];
    int64_t ones;
    (void)state;
    for (int first = 0; first < 64; first += 7)
        for (int cut = 0; cut <= 118; cut++) {
            int64_t more;
            CHECK_OK(parquet_hybrid_init(&h, padded(bytes, sizeof bytes), sizeof bytes, 1, &err), &err);
            CHECK_OK(parquet_hybrid_bits(&h, cut, bits, first, &ones, &err), &err);
            CHECK_OK(parquet_hybrid_bits(&h, 118 - cut, bits, first + cut, &more, &err), &err);
            CHECK_INT(ones + more, 104);
            for (int i = 0; i < 118; i++)
                CHECK_INT(tsf_bit_get(bits, first + i), i < 104);
        }
}

static void test_rle__bad_runs(void **state)
{
    static const struct { uint8_t bytes[6]; size_t n; } bad[] = {
        { { 0x00, 1 }, 2 }, { { 0x01 }, 1 }, { { 0x03 }, 1 }, { { 0x10 }, 1 }, { { 0x80, 0x80 }, 2 }, { { 0 }, 0 },
        { { 0x10, 0x02 }, 2 },
    };
    struct parquet_hybrid h;
    uint64_t bits[2];
    int64_t ones;
    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(bad); i++) {
        CHECK_OK(parquet_hybrid_init(&h, padded(bad[i].bytes, bad[i].n), bad[i].n, 1, NULL), NULL);
        CHECK_ERR(parquet_hybrid_bits(&h, 8, bits, 0, &ones, NULL), TSF_ERR_FORMAT);
    }
    CHECK_ERR(parquet_hybrid_init(&h, bad[0].bytes, 2, 33, NULL), TSF_ERR_FORMAT);
}

static void test_bit_packed__example(void **state)
{
    static const uint8_t bytes[] = { 0x05, 0x39, 0x77 }; /* 0..7 in 3 bits, high bit first */
    struct tsf_buf out = TSF_BUF_INIT(1 << 20);
    struct tsf_error err = TSF_ERROR_INIT;
    struct parquet_hybrid h;
    uint8_t v[8];
    (void)state;
    CHECK_OK(parquet_bit_packed_convert(bytes, sizeof bytes, 3, 8, &out, &err), &err);
    CHECK_OK(parquet_hybrid_init(&h, out.data, out.len, 3, &err), &err);
    CHECK_OK(parquet_hybrid_read8(&h, 8, v, &err), &err);
    for (int i = 0; i < 8; i++)
        CHECK_INT(v[i], i);
    CHECK_ERR(parquet_bit_packed_convert(bytes, 2, 3, 8, &out, NULL), TSF_ERR_FORMAT);
    tsf_buf_release(&out);
}

static void test_delta__examples(void **state)
{
    /* blocks of 128 in 4 miniblocks; 5 values from 1, deltas of 1; 8 values from 7: -2 -2 -2 1 1 1 1, least -2 */
    static const uint8_t one[] = { 0x80, 0x01, 0x04, 0x05, 0x02, 0x02, 0, 0, 0, 0 };
    static const uint8_t two[] = { 0x80, 0x01, 0x04, 0x08, 0x0e, 0x03, 2, 0, 0, 0, 0xc0, 0x3f, 0, 0, 0, 0, 0, 0 };
    static const int64_t want[] = { 7, 5, 3, 1, 2, 3, 4, 5 };
    struct tsf_buf out = TSF_BUF_INIT(1 << 20);
    struct tsf_error err = TSF_ERROR_INIT;
    int64_t n;
    size_t used;
    (void)state;
    CHECK_OK(parquet_delta_decode(padded(one, sizeof one), sizeof one, 8, 5, &out, &n, &used, &err), &err);
    CHECK_INT(n, 5);
    CHECK_INT(used, sizeof one);
    for (int i = 0; i < 5; i++)
        CHECK_INT(((int64_t *)out.data)[i], i + 1);
    CHECK_OK(parquet_delta_decode(padded(two, sizeof two), sizeof two, 8, 100, &out, &n, &used, &err), &err);
    CHECK_INT(used, sizeof two);
    CHECK_MEM(out.data, n * 8, want, sizeof want);
    CHECK_OK(parquet_delta_decode(padded(two, sizeof two), sizeof two, 4, 8, &out, &n, &used, &err), &err);
    for (int i = 0; i < 8; i++)
        CHECK_INT(((int32_t *)out.data)[i], want[i]);
    CHECK_ERR(parquet_delta_decode(padded(two, sizeof two), sizeof two, 8, 7, &out, &n, &used, NULL), TSF_ERR_FORMAT);
    for (size_t cut = 0; cut < 12; cut++)
        CHECK_ERR(parquet_delta_decode(padded(two, cut), cut, 8, 8, &out, &n, &used, NULL), TSF_ERR_FORMAT);
    tsf_buf_release(&out);
}

static void expect_strings(struct parquet_values *v, int encoding, const void *bytes, size_t n, const char *const *want, int n_want)
{
    static const uint32_t second[] = { 1 };
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_sview views[8], one;
    const void *p;
    const uint8_t *padded_bytes = padded(bytes, n);
    CHECK_OK(parquet_values_begin(v, encoding, PARQUET_BYTE_ARRAY, 0, padded_bytes, n, n_want, &err), &err);
    CHECK_OK(parquet_values_read(v, n_want, views, &p, &err), &err);
    for (int i = 0; i < n_want; i++) {
        const struct tsf_sview *s = (const struct tsf_sview *)p + i;
        CHECK_MEM(tsf_sview_data(s), s->len, want[i], strlen(want[i]));
        struct tsf_sview same = tsf_sview_make(want[i], strlen(want[i]));
        CHECK(tsf_sview_eq(s, &same));
    }
    CHECK_ERR(parquet_values_read(v, 1, views, &p, NULL), TSF_ERR_FORMAT);
    CHECK_OK(parquet_values_begin(v, encoding, PARQUET_BYTE_ARRAY, 0, padded_bytes, n, n_want, &err), &err);
    CHECK_OK(parquet_values_pick(v, n_want, second, 1, &one, &err), &err);
    CHECK_MEM(tsf_sview_data(&one), one.len, want[1], strlen(want[1]));
    CHECK_ERR(parquet_values_skip(v, 1, NULL), TSF_ERR_FORMAT);
    for (size_t cut = 0; cut < n; cut++) {
        enum tsf_err rc = parquet_values_begin(v, encoding, PARQUET_BYTE_ARRAY, 0, padded(bytes, cut), cut, n_want, NULL);
        if (rc == TSF_OK)
            rc = parquet_values_read(v, n_want, views, &p, NULL);
        CHECK_INT(rc, TSF_ERR_FORMAT);
    }
}

static void test_strings__examples(void **state)
{
    static const char *const words[] = { "Hello", "World", "Foobar", "ABCDEF" };
    static const char *const shared[] = { "axis", "axle", "babble", "babyhood" };
    static const char *const plain_words[] = { "ab", "a string of more than 12" };
    static const uint8_t plain[] = "\2\0\0\0ab\30\0\0\0a string of more than 12";
    /* lengths 5 5 6 6, then the bytes */
    static const uint8_t lengths[] = "\x80\1\4\4\xa\0\1\0\0\0\2\0\0\0HelloWorldFoobarABCDEF";
    /* prefixes 0 2 0 3: deltas 2 -2 3, least -2: 4 0 5 in 3 bits; suffixes axis le babble yhood: 4 2 6 5: -2 4 -1, least -2 */
    static const uint8_t prefixes[] = "\x80\1\4\4\0\3\3\0\0\0\x44\1\0\0\0\0\0\0\0\0\0\0"
                                      "\x80\1\4\4\x8\3\3\0\0\0\x70\0\0\0\0\0\0\0\0\0\0\0axislebabbleyhood";
    struct parquet_values v = { 0 };
    (void)state;
    expect_strings(&v, PARQUET_PLAIN, plain, sizeof plain - 1, plain_words, 2);
    expect_strings(&v, PARQUET_DELTA_LENGTH_BYTE_ARRAY, lengths, sizeof lengths - 1, words, 4);
    expect_strings(&v, PARQUET_DELTA_BYTE_ARRAY, prefixes, sizeof prefixes - 1, shared, 4);
    parquet_values_release(&v);
}

static void test_booleans__plain_at_every_offset(void **state)
{
    static const uint8_t bytes[] = { 0xa5, 0x0f, 0x33, 0xff, 0x80, 0x01 };
    struct tsf_error err = TSF_ERROR_INIT;
    struct parquet_values v = { 0 };
    uint8_t out[48];
    const void *p;
    (void)state;
    for (int from = 0; from < 48; from++)
        for (int n = 0; n <= 48 - from; n++) {
            CHECK_OK(parquet_values_begin(&v, PARQUET_PLAIN, PARQUET_BOOLEAN, 0, padded(bytes, 6), 6, 48, &err), &err);
            CHECK_OK(parquet_values_skip(&v, from, &err), &err);
            CHECK_OK(parquet_values_read(&v, n, out, &p, &err), &err);
            for (int i = 0; i < n; i++)
                CHECK_INT(out[i], bytes[(from + i) / 8] >> (from + i) % 8 & 1);
        }
    CHECK_ERR(parquet_values_skip(&v, 49, NULL), TSF_ERR_FORMAT);
    parquet_values_release(&v);
}

/* One physical value of a node as the type it has, or that is asked for. */
static void convert(const struct parquet_node *n, const struct tsf_type *as, const void *src, void *dst)
{
    struct tsf_error err = TSF_ERROR_INIT;
    struct parquet_conv c;
    CHECK_OK(parquet_conv_init(&c, n, as, &err), &err);
    if (c.same)
        memcpy(dst, src, (size_t)c.dst_width);
    else
        CHECK_OK(c.fn(&c, src, 1, dst, &err), &err);
}

static void test_convert__times_and_numbers(void **state)
{
    const struct parquet_node ms = { .physical = PARQUET_INT64, .logical = PARQUET_LOGICAL_TIMESTAMP, .unit = PARQUET_MILLIS };
    const struct parquet_node ns = { .physical = PARQUET_INT64, .logical = PARQUET_LOGICAL_TIMESTAMP, .unit = PARQUET_NANOS };
    const struct parquet_node i96 = { .physical = PARQUET_INT96 };
    const struct parquet_node half = { .physical = PARQUET_FIXED_LEN_BYTE_ARRAY, .type_length = 2, .logical = PARQUET_LOGICAL_FLOAT16 };
    const struct parquet_node u32 = { .physical = PARQUET_INT32, .logical = PARQUET_LOGICAL_INT, .int_bits = 32 };
    const struct parquet_node u64 = { .physical = PARQUET_INT64, .logical = PARQUET_LOGICAL_INT, .int_bits = 64 };
    const struct parquet_node dec = { .physical = PARQUET_FIXED_LEN_BYTE_ARRAY, .type_length = 20, .logical = PARQUET_LOGICAL_DECIMAL,
                                      .precision = 38, .scale = 2 };
    static const struct { uint16_t half; float want; } halves[] = {
        { 0x3c00, 1 }, { 0xc000, -2 }, { 0x7bff, 65504 }, { 0x0001, 0x1p-24f }, { 0x8000, -0.0f }, { 0x7c00, INFINITY }, { 0x03ff, 0x1.ff8p-15f },
    };
    uint8_t b[20];
    int64_t i, out;
    float f;
    tsf_int128 d;
    struct parquet_conv c;
    (void)state;
    i = -1;
    convert(&ms, NULL, &i, &out);
    CHECK_INT(out, -1000);
    convert(&ns, NULL, &i, &out);
    CHECK_INT(out, -1);
    convert(&u64, NULL, &i, &d);
    CHECK(d == (tsf_int128)UINT64_MAX);
    convert(&u32, NULL, &i, &out);
    CHECK_INT(out, 0xffffffffLL);
    i = 1999;
    convert(&ns, NULL, &i, &out);
    CHECK_INT(out, 1);
    tsf_le64_put(b, 1500);
    tsf_le32_put(b + 8, 2440589);
    convert(&i96, NULL, b, &out);
    CHECK_INT(out, TSF_US_PER_DAY + 1);
    for (size_t k = 0; k < TSF_ARRAY_LEN(halves); k++) {
        convert(&half, NULL, &halves[k].half, &f);
        CHECK_MEM(&f, 4, &halves[k].want, 4);
    }
    memset(b, 0xff, 20);
    b[19] = 0x9c;
    convert(&dec, NULL, b, &d);
    CHECK(d == -100);
    convert(&dec, tsf_type_decimal(38, 4), b, &d);
    CHECK(d == -10000);
    b[0] = 1;
    CHECK_OK(parquet_conv_init(&c, &dec, NULL, NULL), NULL);
    CHECK_ERR(c.fn(&c, b, 1, &d, NULL), TSF_ERR_FORMAT);
    CHECK_OK(parquet_conv_init(&c, &ms, NULL, NULL), NULL);
    i = INT64_MAX / 999;
    CHECK_ERR(c.fn(&c, &i, 1, &out, NULL), TSF_ERR_UNSUPPORTED);
    CHECK_ERR(parquet_conv_init(&c, &ms, TSF_T(BOOL), NULL), TSF_ERR_UNSUPPORTED);
}

static void test_codec__round_trips_and_damage(void **state)
{
    static const int codecs[] = { PARQUET_UNCOMPRESSED, PARQUET_ZSTD, PARQUET_SNAPPY, PARQUET_GZIP, PARQUET_LZ4_RAW };
    struct parquet_codec_state s = { 0 };
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_buf out = TSF_BUF_INIT(1 << 20);
    static uint8_t in[10000], back[10001];
    uint64_t seed = 3;
    (void)state;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(test_random(&seed) % 5);
    for (size_t c = 0; c < TSF_ARRAY_LEN(codecs); c++) {
        for (size_t n = 0; n <= sizeof in; n = n * 3 + 1) {
            tsf_buf_reset(&out);
            CHECK_OK(parquet_compress(&s, codecs[c], 0, in, n, &out, &err), &err);
            CHECK_OK(parquet_codec_plausible(codecs[c], out.data, out.len, n, &err), &err);
            CHECK_OK(parquet_decompress(&s, codecs[c], out.data, out.len, back, n, &err), &err);
            CHECK_MEM(back, n, in, n);
            CHECK_ERR(parquet_decompress(&s, codecs[c], out.data, out.len, back, n + 1, NULL), TSF_ERR_FORMAT);
            if (n > 0)
                CHECK_ERR(parquet_decompress(&s, codecs[c], out.data, out.len, back, n - 1, NULL), TSF_ERR_FORMAT);
            if (n > 0)
                CHECK_ERR(parquet_decompress(&s, codecs[c], out.data, out.len - 1, back, n, NULL), TSF_ERR_FORMAT);
        }
    }
    CHECK_ERR(parquet_decompress(&s, PARQUET_LZO, in, 10, back, 10, NULL), TSF_ERR_UNSUPPORTED);
    tsf_buf_release(&out);
    parquet_codec_release(&s);
}

static void test_thrift__round_trip_and_skipping(void **state)
{
    struct tsf_buf out = TSF_BUF_INIT(1 << 20);
    struct tsf_error err = TSF_ERROR_INIT;
    struct parquet_twrite w;
    struct parquet_tread r;
    int16_t id = 0, last = 0;
    int type, et, fields = 0;
    (void)state;
    parquet_twrite_init(&w, &out, &err);
    parquet_twrite_begin(&w);
    parquet_twrite_i32(&w, 1, -5);
    parquet_twrite_i64(&w, 20, INT64_MIN);
    parquet_twrite_bool(&w, 21, true);
    parquet_twrite_struct(&w, 22);
    parquet_twrite_binary(&w, 1, "inner", 5);
    parquet_twrite_end(&w);
    parquet_twrite_list(&w, 23, PARQUET_T_TRUE, 20);
    for (int i = 0; i < 20; i++)
        parquet_twrite_elem_bool(&w, i % 3 == 0);
    parquet_twrite_byte(&w, 24, -1);
    parquet_twrite_i16(&w, 300, 7);
    parquet_twrite_end(&w);
    CHECK_OK(w.rc, &err);
    for (int skip = 0; skip < 2; skip++, id = last = 0) {
        parquet_tread_init(&r, out.data, out.len);
        while (parquet_tread_field(&r, &id, &type)) {
            CHECK(id > last);
            last = id;
            fields++;
            if (skip || id == 22) {
                parquet_tread_skip(&r, type);
            } else if (id == 23) {
                CHECK_INT(parquet_tread_list(&r, type, &et), 20);
                for (int i = 0; i < 20; i++)
                    CHECK_INT(parquet_tread_elem_bool(&r, et), i % 3 == 0);
            } else if (id == 21) {
                CHECK(parquet_tread_bool(&r, type));
            } else {
                CHECK_INT(parquet_tread_i64(&r, type), id == 1 ? -5 : id == 20 ? INT64_MIN : id == 24 ? -1 : 7);
            }
        }
        CHECK_OK(parquet_tread_check(&r, "test", &err), &err);
        CHECK_INT(last, 300);
        CHECK(r.p == r.end);
    }
    CHECK_INT(fields, 14);
    for (size_t cut = 0; cut < out.len; cut++) { /* every truncation is noticed */
        parquet_tread_init(&r, out.data, cut);
        for (id = 0; parquet_tread_field(&r, &id, &type);)
            parquet_tread_skip(&r, type);
        CHECK_ERR(parquet_tread_check(&r, "test", NULL), TSF_ERR_FORMAT);
    }
    tsf_buf_release(&out);
}

TEST_MAIN(TEST(test_rle__packed_example), TEST(test_rle__runs_and_bits), TEST(test_rle__bad_runs), TEST(test_bit_packed__example),
          TEST(test_delta__examples), TEST(test_strings__examples), TEST(test_booleans__plain_at_every_offset),
          TEST(test_convert__times_and_numbers), TEST(test_codec__round_trips_and_damage),
          TEST(test_thrift__round_trip_and_skipping))
