/* Encoders against plain decoders written from the specification, bounds of statistics, string dictionaries. */
#include "test_util.h"

#include "parquet/parquet_encode_internal.h"

static uint64_t rng = 12345;
static uint64_t rnd(void)
{
    rng += 0x9e3779b97f4a7c15ULL;
    return tsf_hash_u64(rng);
}

static uint64_t varint(const uint8_t **p)
{
    uint64_t v = 0;
    for (int shift = 0;; shift += 7) {
        uint8_t b = *(*p)++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
}

static uint64_t bits_at(const uint8_t *p, int64_t bit, int w)
{
    uint64_t v = 0;
    for (int i = 0; i < w; i++)
        v |= (uint64_t)(p[(bit + i) / 8] >> ((bit + i) % 8) & 1) << i;
    return v;
}

/* ---- RLE / bit-packed hybrid ------------------------------------------------------------------------------ */

static void check_hybrid(const struct tsf_buf *b, const uint32_t *want, int64_t n, int w)
{
    const uint8_t *p = b->data, *end = b->data + b->len;
    int64_t at = 0;
    while (p < end) {
        uint64_t head = varint(&p);
        int64_t run = (int64_t)(head >> 1);
        if (head & 1) {
            for (int64_t i = 0; i < run * 8; i++, at++)
                if (at < n)
                    CHECK_INT(bits_at(p, i * w, w), want[at]);
            p += run * w;
        } else {
            uint32_t v = 0;
            for (int i = 0; i < (w + 7) / 8; i++)
                v |= (uint32_t)*p++ << (8 * i);
            CHECK(run > 0 && at + run <= n);
            for (int64_t i = 0; i < run; i++, at++)
                CHECK_INT(v, want[at]);
        }
    }
    CHECK(p == end);
    CHECK(at >= n && at < n + 8);
}

static void test_parquet_encode_hybrid__any_width_and_length_reads_back(void **state)
{
    uint32_t v[1200];
    struct tsf_error err = TSF_ERROR_INIT;
    (void)state;
    for (int round = 0; round < 4000; round++) {
        struct tsf_buf b = TSF_BUF_INIT(0);
        int w = round % 33;
        int64_t n = round < 2000 ? round % 131 : (int64_t)(rnd() % TSF_ARRAY_LEN(v));
        uint64_t stay = rnd() % 4 == 0 ? 1 : rnd() % 60;
        for (int64_t i = 0; i < n; i++)
            v[i] = i && stay && rnd() % (stay + 1) ? v[i - 1] : (uint32_t)(w ? rnd() >> (64 - w) : 0);
        CHECK_OK(parquet_encode_hybrid(v, n, w, &b, &err), &err);
        check_hybrid(&b, v, n, w);
        tsf_buf_release(&b);
    }
}

static void test_parquet_encode_hybrid__bitmaps_at_any_offset_read_back(void **state)
{
    uint64_t words[40];
    uint32_t want[2000];
    struct tsf_error err = TSF_ERROR_INIT;
    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct tsf_buf b = TSF_BUF_INIT(0);
        int64_t first = (int64_t)(rnd() % 130), n = round < 1000 ? round % 200 : (int64_t)(rnd() % 2000);
        bool bit = false;
        for (int64_t i = 0; i < first + n; i++) {
            bit = rnd() % (round % 3 ? 100 : 2) == 0 ? !bit : bit;
            tsf_bit_put(words, i, bit);
            if (i >= first)
                want[i - first] = bit;
        }
        CHECK_OK(parquet_encode_hybrid_bitmap(words, first, n, &b, &err), &err);
        check_hybrid(&b, want, n, 1);
        tsf_buf_reset(&b);
        for (int64_t i = 0; i < n; i++)
            want[i] = 1;
        CHECK_OK(parquet_encode_hybrid_bitmap(NULL, first, n, &b, &err), &err);
        check_hybrid(&b, want, n, 1);
        tsf_buf_release(&b);
    }
}

/* ---- DELTA_BINARY_PACKED -------------------------------------------------------------------------------------- */

static int64_t zagzig(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

static void check_delta(const struct tsf_buf *b, const int64_t *want, int64_t n, int width)
{
    const uint8_t *p = b->data;
    uint64_t block = varint(&p), minis = varint(&p), v;
    CHECK_INT(block % 128, 0);
    CHECK_INT(varint(&p), n);
    v = (uint64_t)zagzig(varint(&p));
    if (n)
        CHECK_INT((int64_t)v, want[0]);
    for (int64_t at = 1; at < n;) {
        uint64_t min = (uint64_t)zagzig(varint(&p));
        const uint8_t *widths = p;
        p += minis;
        for (uint64_t m = 0; m < minis && at < n; m++) {
            for (uint64_t i = 0; i < block / minis; i++, at++) {
                v += min + bits_at(p, (int64_t)i * widths[m], widths[m]);
                if (width == 4)
                    v = (uint64_t)(int32_t)v;
                if (at < n)
                    CHECK_INT((int64_t)v, want[at]);
            }
            p += block / minis * widths[m] / 8;
        }
    }
    CHECK(p == b->data + b->len);
}

static void test_parquet_encode_delta__extremes_and_all_lengths_read_back(void **state)
{
    int64_t v[700];
    int32_t v32[700];
    struct tsf_error err = TSF_ERROR_INIT;
    (void)state;
    for (int round = 0; round < 1500; round++) {
        struct tsf_buf b = TSF_BUF_INIT(0);
        int64_t n = round < 700 ? round : (int64_t)(rnd() % 700);
        int shift = (int)(rnd() % 64);
        for (int64_t i = 0; i < n; i++) {
            v[i] = round % 3 == 0 ? (rnd() & 1 ? INT64_MIN : INT64_MAX)
                 : round % 3 == 1 ? (int64_t)rnd() >> shift
                                  : (i ? v[i - 1] : 0) + (int64_t)(rnd() % 1000);
        }
        CHECK_OK(parquet_encode_delta64(v, n, &b, &err), &err);
        check_delta(&b, v, n, 8);
        tsf_buf_reset(&b);
        for (int64_t i = 0; i < n; i++)
            v[i] = v32[i] = (int32_t)(v[i] ^ v[i] >> 32);
        CHECK_OK(parquet_encode_delta32(v32, n, &b, &err), &err);
        check_delta(&b, v, n, 4);
        tsf_buf_release(&b);
    }
}

static void test_parquet_encode_delta__a_rising_column_takes_few_bits(void **state)
{
    int64_t v[10000];
    struct tsf_error err = TSF_ERROR_INIT;
    struct tsf_buf b = TSF_BUF_INIT(0);
    (void)state;
    for (int i = 0; i < 10000; i++)
        v[i] = 1760000000000000 + i * 1000;
    CHECK_OK(parquet_encode_delta64(v, 10000, &b, &err), &err);
    CHECK(b.len < 1000);
    CHECK(parquet_delta_estimate(v, 8, 10000) < 1);
    tsf_buf_release(&b);
}

static void test_parquet_encode_bools__bits_in_order(void **state)
{
    uint8_t v[100];
    struct tsf_error err = TSF_ERROR_INIT;
    (void)state;
    for (int64_t n = 0; n <= 100; n++) {
        struct tsf_buf b = TSF_BUF_INIT(0);
        for (int64_t i = 0; i < n; i++)
            v[i] = rnd() & 1;
        CHECK_OK(parquet_encode_bools(v, n, &b, &err), &err);
        CHECK_INT(b.len, (n + 7) / 8);
        for (int64_t i = 0; i < n; i++)
            CHECK_INT(bits_at(b.data, i, 1), v[i]);
        tsf_buf_release(&b);
    }
}

/* ---- bounds ------------------------------------------------------------------------------------------------------- */

static struct tsf_str bound(const struct tsf_type *t, struct tsf_str s, bool is_max, uint8_t *out, bool *exact)
{
    struct parquet_bound b = { .u.s = s };
    size_t n;
    if (!parquet_bound_bytes(PARQUET_KIND_STR, t, 0, &b, is_max, out, &n, exact))
        return (struct tsf_str){ 0 };
    return tsf_str_n(out, n);
}

static void test_parquet_bound__short_strings_are_whole(void **state)
{
    uint8_t out[PARQUET_STAT_MAX];
    char text[PARQUET_STAT_MAX];
    bool exact;
    (void)state;
    memset(text, 'x', sizeof text);
    struct tsf_str s = bound(TSF_T(STRING), tsf_str_n(text, sizeof text), true, out, &exact);
    CHECK(exact);
    CHECK(tsf_str_eq(s, tsf_str_n(text, sizeof text)));
    s = bound(TSF_T(STRING), TSF_STR(""), false, out, &exact);
    CHECK(exact && s.data && s.len == 0);
}

static void test_parquet_bound__long_text_is_cut_between_characters(void **state)
{
    uint8_t out[PARQUET_STAT_MAX];
    char text[200];
    bool exact;
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text + 62, "\xe2\x82\xac", 3); /* the euro sign lies across the cut */
    struct tsf_str s = bound(TSF_T(STRING), tsf_str_n(text, sizeof text), false, out, &exact);
    CHECK_INT(s.len, 62);
    CHECK(!exact);
    s = bound(TSF_T(STRING), tsf_str_n(text, sizeof text), true, out, &exact);
    CHECK_INT(s.len, 62);
    CHECK_INT(s.data[61], 'b');
    CHECK(tsf_str_cmp(s, tsf_str_n(text, sizeof text)) > 0);
}

static void test_parquet_bound__max_raises_characters_and_skips_surrogates(void **state)
{
    static const struct { const char *last, *raised; } cases[] = {
        { "\xed\x9f\xbf", "\xee\x80\x80" },         /* U+D7FF -> U+E000 */
        { "\xc3\xbf", "\xc4\x80" },                 /* U+00FF -> U+0100 */
        { "\xf0\x9f\xbf\xbf", "\xf0\xa0\x80\x80" }, /* U+1FFFF -> U+20000 */
        { "\x7f", NULL }, { "\xdf\xbf", NULL }, { "\xf4\x8f\xbf\xbf", NULL }, /* none of the same length: go one back */
    };
    uint8_t out[PARQUET_STAT_MAX];
    bool exact;
    (void)state;
    for (size_t i = 0; i < TSF_ARRAY_LEN(cases); i++) {
        size_t n = strlen(cases[i].last);
        char text[100];
        memset(text, 'k', sizeof text);
        memcpy(text + 64 - n, cases[i].last, n);
        struct tsf_str s = bound(TSF_T(STRING), tsf_str_n(text, sizeof text), true, out, &exact);
        CHECK(!exact);
        if (cases[i].raised) {
            CHECK_INT(s.len, 64);
            CHECK(memcmp(s.data + 64 - n, cases[i].raised, n) == 0);
        } else {
            CHECK_INT(s.len, 64 - n);
            CHECK_INT(s.data[s.len - 1], 'l');
        }
    }
}

static void test_parquet_bound__no_upper_bound_when_all_bytes_are_the_highest(void **state)
{
    uint8_t out[PARQUET_STAT_MAX];
    char bytes[100];
    bool exact;
    (void)state;
    memset(bytes, 0xff, sizeof bytes);
    CHECK(bound(TSF_T(BINARY), tsf_str_n(bytes, sizeof bytes), true, out, &exact).data == NULL);
    CHECK_INT(bound(TSF_T(BINARY), tsf_str_n(bytes, sizeof bytes), false, out, &exact).len, 64);
    bytes[3] = 0;
    struct tsf_str s = bound(TSF_T(BINARY), tsf_str_n(bytes, sizeof bytes), true, out, &exact);
    CHECK_INT(s.len, 4);
    CHECK_INT(s.data[3], 1);
}

static void test_parquet_bound__zeros_have_the_sign_that_includes_both(void **state)
{
    const double zeros[2] = { 0.0, -0.0 };
    uint8_t out[PARQUET_STAT_MAX];
    size_t n;
    bool exact;
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct parquet_bound b = { .u.f = zeros[i] };
        CHECK(parquet_bound_bytes(PARQUET_KIND_F64, TSF_T(DOUBLE), 0, &b, false, out, &n, &exact));
        CHECK_INT(out[7], 0x80);
        CHECK(parquet_bound_bytes(PARQUET_KIND_F64, TSF_T(DOUBLE), 0, &b, true, out, &n, &exact));
        CHECK_INT(out[7], 0);
    }
}

static void test_parquet_minmax__nan_is_noted_and_takes_no_part(void **state)
{
    const double v[4] = { __builtin_nan(""), 3, -1, __builtin_nan("") };
    struct parquet_minmax m = { 0 };
    (void)state;
    parquet_minmax_fixed(&m, PARQUET_KIND_F64, v, 4);
    CHECK(m.has && m.nan && m.min.u.f == -1 && m.max.u.f == 3);
    m = (struct parquet_minmax){ 0 };
    parquet_minmax_fixed(&m, PARQUET_KIND_F64, v, 1);
    CHECK(!m.has && m.nan);
}

static void test_parquet_minmax__strings_in_a_row_as_one_by_one(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint8_t bytes[600];
        uint32_t lens[40];
        size_t at = 0;
        int64_t n = 1 + (int64_t)(rnd() % 40);
        struct parquet_minmax a = { 0 }, b = { 0 };
        for (int64_t i = 0; i < n; i++) {
            lens[i] = (uint32_t)(rnd() % 14);
            for (uint32_t k = 0; k < lens[i]; k++)
                bytes[at + k] = rnd() % 3 ? 'a' : (uint8_t)(rnd() % 3 * 127);
            parquet_minmax_str(&a, tsf_str_n(bytes + at, lens[i]));
            at += lens[i];
        }
        parquet_minmax_strs(&b, lens, bytes, n);
        CHECK(tsf_str_eq(a.min.u.s, b.min.u.s));
        CHECK(tsf_str_eq(a.max.u.s, b.max.u.s));
    }
}

/* ---- dictionaries --------------------------------------------------------------------------------------------------- */

static void test_parquet_dict__codes_stand_for_their_strings(void **state)
{
    enum { N = 30000 };
    struct parquet_dict d;
    struct tsf_error err = TSF_ERROR_INIT;
    static struct tsf_sview views[N];
    static char text[N][40];
    static uint32_t codes[N];
    int64_t done = 0, bytes = 0, want = 0;
    (void)state;
    CHECK_OK(parquet_dict_init(&d, &err), &err);
    for (int i = 0; i < N; i++) {
        int len = snprintf(text[i], sizeof text[i], i % 3 ? "%d" : "a longer string, number %d", (int)(rnd() % 7000));
        views[i] = tsf_sview_make(text[i], (size_t)len);
        want += len;
    }
    CHECK_OK(parquet_dict_put_many(&d, views, NULL, 0, N, codes, &done, &bytes, &err), &err);
    CHECK_INT(done, N);
    CHECK_INT(bytes, want);
    CHECK(d.n < 14000);
    for (int i = 0; i < N; i++) {
        uint32_t again = 0;
        CHECK(tsf_str_eq(parquet_dict_get(&d, codes[i]), tsf_sview_str(&views[i])));
        CHECK_OK(parquet_dict_put(&d, &views[i], &again, &err), &err);
        CHECK_INT(again, codes[i]);
    }
    parquet_dict_release(&d);
}

static void test_parquet_dict__too_many_values_end_it(void **state)
{
    struct parquet_dict d;
    struct tsf_error err = TSF_ERROR_INIT;
    static char big[1 << 20];
    uint32_t code, n = 0;
    (void)state;
    CHECK_OK(parquet_dict_init(&d, &err), &err);
    while (!d.full && n < 100) {
        memcpy(big, &n, sizeof n);
        struct tsf_sview v = tsf_sview_make(big, sizeof big);
        CHECK_OK(parquet_dict_put(&d, &v, &code, &err), &err);
        n++;
    }
    CHECK(d.full);
    CHECK_INT(d.n, n - 1);
    parquet_dict_reset(&d);
    struct tsf_sview v = tsf_sview_make("x", 1);
    CHECK_OK(parquet_dict_put(&d, &v, &code, &err), &err);
    CHECK(!d.full && d.n == 1 && code == 0);
    parquet_dict_release(&d);
}

static void test_parquet_dict__numbers_of_any_width(void **state)
{
    enum { N = 5000 };
    static int64_t v[2 * N];
    static uint32_t codes[N], first[N];
    uint32_t n;
    struct tsf_error err = TSF_ERROR_INIT;
    (void)state;
    for (int width = 4; width <= 16; width *= 2) {
        for (int is_int = 0; is_int < (width < 16 ? 2 : 1); is_int++) {
            for (int i = 0; i < 2 * N; i++)
                v[i] = (int64_t)(rnd() % 900) - 450;
            CHECK_OK(parquet_dict_fixed(v, width, is_int, N, N, codes, first, &n, &err), &err);
            CHECK(n > 0);
            for (int i = 0; i < N; i++) {
                CHECK(codes[i] < n);
                CHECK(memcmp((char *)v + i * width, (char *)v + (int64_t)first[codes[i]] * width, (size_t)width) == 0);
            }
            CHECK_OK(parquet_dict_fixed(v, width, is_int, N, 10, codes, first, &n, &err), &err);
            CHECK_INT(n, 0);
        }
    }
}

TEST_MAIN(TEST(test_parquet_encode_hybrid__any_width_and_length_reads_back),
          TEST(test_parquet_encode_hybrid__bitmaps_at_any_offset_read_back),
          TEST(test_parquet_encode_delta__extremes_and_all_lengths_read_back),
          TEST(test_parquet_encode_delta__a_rising_column_takes_few_bits), TEST(test_parquet_encode_bools__bits_in_order),
          TEST(test_parquet_bound__short_strings_are_whole),
          TEST(test_parquet_bound__long_text_is_cut_between_characters),
          TEST(test_parquet_bound__max_raises_characters_and_skips_surrogates),
          TEST(test_parquet_bound__no_upper_bound_when_all_bytes_are_the_highest),
          TEST(test_parquet_bound__zeros_have_the_sign_that_includes_both),
          TEST(test_parquet_minmax__nan_is_noted_and_takes_no_part),
          TEST(test_parquet_minmax__strings_in_a_row_as_one_by_one),
          TEST(test_parquet_dict__codes_stand_for_their_strings), TEST(test_parquet_dict__too_many_values_end_it),
          TEST(test_parquet_dict__numbers_of_any_width))
