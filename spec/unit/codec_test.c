/* codec_test.c -- the conformance suite of serializers, and what is special to each.
 *
 * The suite is a function of the serializer; a new one joins by its row in the registry.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"
#include "wire_kit.h"

#include <math.h>

#define EACH_CODEC(name) for (enum codec name = 0; (name) < CODEC_COUNT; (name)++)

struct sample {
    enum codec codec;
    const char *bytes; /* JSON as it is, the others in hex */
    const char *shown; /* see wire_kit.h */
};

static struct slice sample_bytes(enum codec codec, const char *bytes)
{
    return codec == CODEC_JSON ? slice_of(bytes) : unhex(bytes);
}

static void expect_shown(enum codec codec, struct slice bytes, bool bare, const char *expected)
{
    struct text shown = show(codec, bytes, bare);

    if (strncmp(shown.data, expected, expected[0] == '!' ? strlen(expected) : SIZE_MAX) != 0)
        UNIT_FAIL("%s: found %s, expected %s", codec_name(codec), shown.data, expected);
    if (!skip_agrees(codec, bytes, bare))
        UNIT_FAIL("%s: skipping disagrees about %s", codec_name(codec), shown.data);
    text_free(&shown);
}

static void expect_samples(const struct sample *samples, size_t count, bool bare)
{
    for (size_t i = 0; i < count; i++)
        expect_shown(samples[i].codec, sample_bytes(samples[i].codec, samples[i].bytes), bare,
                     samples[i].shown);
}

/* ---- the suite ---- */

/* One value of every kind; returns the bytes. */
static struct blob *everything(enum codec codec, bool is_counted)
{
    struct encoder e;

    encode_start(&e, codec, 0);
    encode_list(&e, is_counted ? 12 : COUNT_UNKNOWN);
    encode_null(&e);
    encode_bool(&e, true);
    encode_bool(&e, false);
    encode_int(&e, -77);
    encode_int(&e, 77);
    encode_uint(&e, UINT64_MAX);
    encode_float(&e, 2.5);
    encode_text(&e, SLICE("text \"\\/\n \xe2\x82\xac"));
    encode_bytes(&e, slice_make("\x00\xff", 2));
    encode_list(&e, is_counted ? 0 : COUNT_UNKNOWN);
    encode_end(&e);
    encode_map(&e, is_counted ? 0 : COUNT_UNKNOWN);
    encode_end(&e);
    encode_map(&e, is_counted ? 2 : COUNT_UNKNOWN);
    encode_text(&e, SLICE("k"));
    encode_list(&e, is_counted ? 1 : COUNT_UNKNOWN);
    encode_text(&e, SLICE(""));
    encode_end(&e);
    encode_text(&e, SLICE("l"));
    encode_bytes(&e, SLICE(""));
    encode_end(&e);
    encode_end(&e);
    return encode_finish(&e);
}

#define EVERYTHING                                                                               \
    "[null true false -77 77 18446744073709551615 f:2.5 \"text \\x22\\x5c/\\x0a \xe2\x82\xac\" " \
    "h'00ff' [] {} {\"k\" [\"\"] \"l\" h''}]"

TEST(every_kind_of_value_is_written_and_read)
{
    EACH_CODEC(codec)
    {
        for (int is_counted = 0; is_counted < 2; is_counted++) {
            struct blob *blob = everything(codec, is_counted);

            expect_shown(codec, blob_slice(blob), false, EVERYTHING);
            expect_shown(codec, blob_slice(blob), true, EVERYTHING);
            blob_drop(blob);
        }
    }
}

TEST(a_value_cut_short_is_refused_at_every_byte)
{
    EACH_CODEC(codec)
    {
        struct blob *blob = everything(codec, true);

        for (size_t len = 0; len < blob->len; len++) {
            /* A copy of exactly this length, so that a sanitizer sees every byte read too many. */
            struct blob *cut = blob_copy(slice_make(blob->data, len));

            expect_shown(codec, blob_slice(cut), false, "!ERR_MALFORMED");
            expect_shown(codec, blob_slice(cut), true, "!ERR_MALFORMED");
            blob_drop(cut);
        }
        blob_drop(blob);
    }
}

TEST(anything_after_the_value_is_refused)
{
    EACH_CODEC(codec)
    {
        struct blob *blob = everything(codec, true);
        char *more = mem_alloc(blob->len + 1);

        memcpy(more, blob->data, blob->len);
        more[blob->len] = '0';
        expect_shown(codec, slice_make(more, blob->len + 1), false, "!ERR_MALFORMED");
        mem_free(more);
        blob_drop(blob);
    }
}

TEST(all_nine_pairs_keep_every_value)
{
    EACH_CODEC(from)
    {
        struct blob *blob = everything(from, true);

        EACH_CODEC(to)
        {
            struct blob *there = transcode(from, blob_slice(blob), to);
            struct blob *back = transcode(to, blob_slice(there), from);

            expect_shown(to, blob_slice(there), false, EVERYTHING);
            EXPECT_SLICE(blob_slice(back), blob_slice(blob));
            blob_drop(there);
            blob_drop(back);
        }
        blob_drop(blob);
    }
}

/* The value through every pair, and what it must be on the other side. */
static void expect_number(void (*put)(struct encoder *e, const void *value), const void *value,
                          const char *shown)
{
    EACH_CODEC(from)
    {
        struct encoder e;
        struct blob *blob;

        encode_start(&e, from, 0);
        put(&e, value);
        blob = encode_finish(&e);
        EACH_CODEC(to)
        {
            struct blob *there = transcode(from, blob_slice(blob), to);

            expect_shown(to, blob_slice(there), false, shown);
            blob_drop(there);
        }
        blob_drop(blob);
    }
}

static void put_int(struct encoder *e, const void *value)
{
    encode_int(e, *(const int64_t *)value);
}

static void put_uint(struct encoder *e, const void *value)
{
    encode_uint(e, *(const uint64_t *)value);
}

static void put_real(struct encoder *e, const void *value)
{
    encode_float(e, *(const double *)value);
}

TEST(integers_of_every_width_go_everywhere)
{
    char shown[32];

    for (unsigned bits = 0; bits <= 64; bits++) {
        for (int64_t around = -2; around <= 2; around++) {
            uint64_t natural = (bits == 64 ? 0 : UINT64_C(1) << bits) + (uint64_t)around;
            int64_t integer = -(int64_t)(natural >> 1) - 1;

            snprintf(shown, sizeof(shown), "%llu", (unsigned long long)natural);
            expect_number(put_uint, &natural, shown);
            snprintf(shown, sizeof(shown), "%lld", (long long)integer);
            expect_number(put_int, &integer, shown);
        }
    }
    for (int64_t small = -300; small <= 300; small++) {
        snprintf(shown, sizeof(shown), "%lld", (long long)small);
        expect_number(put_int, &small, shown);
    }
}

TEST(floats_stay_floats)
{
    static const double reals[] = {
        0.0,
        -0.0,
        1.0,
        -1.0,
        1e15,
        1e16,
        123456789012345678.0,
        1e22,
        1e23,
        0.1,
        0.3,
        1.0 / 3,
        1e-7,
        5e-324,
        2.2250738585072014e-308,
        1.7976931348623157e308,
        3.14159,
        100,
        1e100,
        9007199254740993.0,
        0.000001,
        123456.789,
        999999999999999.9,
    };
    char shown[64];

    for (size_t i = 0; i < ARRAY_LEN(reals); i++) {
        snprintf(shown, sizeof(shown), "f:%.17g", reals[i]);
        expect_number(put_real, &reals[i], shown);
    }
}

TEST(depth_is_bounded_and_the_bound_is_reached)
{
    EACH_CODEC(codec)
    {
        for (unsigned depth = MAX_DEPTH; depth <= MAX_DEPTH + 1; depth++) {
            for (int is_map = 0; is_map < 2; is_map++) {
                struct encoder e;
                struct blob *blob;
                struct text shown;

                encode_start(&e, codec, 0);
                for (unsigned i = 0; i < depth; i++) {
                    if (is_map)
                        encode_map(&e, i + 1 == depth ? 0 : 1);
                    else
                        encode_list(&e, COUNT_UNKNOWN);
                    if (is_map && i + 1 != depth)
                        encode_text(&e, SLICE("k"));
                }
                for (unsigned i = 0; i < depth; i++)
                    encode_end(&e);
                blob = encode_finish(&e);
                shown = show(codec, blob_slice(blob), true);
                EXPECT_EQ(strncmp(shown.data, "!ERR_TOO_DEEP", 13) == 0, depth > MAX_DEPTH);
                EXPECT(skip_agrees(codec, blob_slice(blob), true));
                EXPECT(skip_agrees(codec, blob_slice(blob), false));
                text_free(&shown);
                blob_drop(blob);
            }
        }
    }
}

TEST(a_wrong_count_or_a_lost_end_is_our_own_error)
{
    struct encoder e;

    encode_start(&e, CODEC_JSON, 0);
    encode_list(&e, 1);
    EXPECT_ABORT(encode_end(&e));
    EXPECT_ABORT((void)encode_finish(&e));
    encode_discard(&e);
    encode_start(&e, CODEC_CBOR, 0);
    encode_map(&e, COUNT_UNKNOWN);
    encode_text(&e, SLICE("key"));
    EXPECT_ABORT(encode_end(&e));
    encode_discard(&e);
}

/* A list of count naturals below 128, written without saying how many. */
static struct blob *long_list(enum codec codec, size_t count)
{
    struct encoder e;

    encode_start(&e, codec, 0);
    encode_list(&e, COUNT_UNKNOWN);
    for (size_t i = 0; i < count; i++)
        encode_uint(&e, i % 10);
    encode_end(&e);
    return encode_finish(&e);
}

TEST(lists_of_any_length_can_be_written_without_their_count)
{
    static const size_t counts[] = {0,   1,    15,   16,   23,    24,    255,
                                    256, 4095, 4096, 4097, 65535, 65536, 100000};

    EACH_CODEC(codec)
    {
        for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
            struct blob *blob = long_list(codec, counts[i]);
            struct dict_walk walk;
            struct arena arena;
            size_t count = 0;

            arena_init(&arena);
            list_walk(&walk, codec, blob_slice(blob), &arena);
            for (; list_next(&walk); count++)
                EXPECT_EQ(walk.token.natural, count % 10);
            EXPECT_EQ(count, counts[i]);
            EXPECT(skip_agrees(codec, blob_slice(blob), false));
            arena_fini(&arena);
            blob_drop(blob);
        }
    }
}

TEST(short_lists_without_a_count_get_the_shortest_head)
{
    struct blob *blob = long_list(CODEC_MSGPACK, 3);

    EXPECT_SLICE(blob_slice(blob), unhex("93 00 01 02"));
    blob_drop(blob);
    blob = long_list(CODEC_CBOR, 3);
    EXPECT_SLICE(blob_slice(blob), unhex("83 00 01 02"));
    blob_drop(blob);
}

TEST(names_and_frames)
{
    EXPECT_STR(codec_name(CODEC_JSON), "json");
    EXPECT_STR(codec_name(CODEC_MSGPACK), "msgpack");
    EXPECT_STR(codec_name(CODEC_CBOR), "cbor");
    EXPECT(codec_is_text(CODEC_JSON));
    EXPECT(!codec_is_text(CODEC_MSGPACK));
    EXPECT(!codec_is_text(CODEC_CBOR));
}

/* ---- random values and random damage ---- */

TEST(random_values_are_the_same_everywhere)
{
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct blob *json = random_value(CODEC_JSON, seed, true);
        struct text expected = show(CODEC_JSON, blob_slice(json), false);

        EACH_CODEC(codec)
        {
            struct blob *counted = random_value(codec, seed, true);
            struct blob *uncounted = random_value(codec, seed, false);

            expect_shown(codec, blob_slice(counted), false, expected.data);
            expect_shown(codec, blob_slice(uncounted), false, expected.data);
            if (counted->len < 4000) /* longer ones may have wide heads */
                EXPECT_SLICE(blob_slice(uncounted), blob_slice(counted));
            EACH_CODEC(to)
            {
                struct blob *there = transcode(codec, blob_slice(counted), to);

                expect_shown(to, blob_slice(there), false, expected.data);
                blob_drop(there);
            }
            blob_drop(counted);
            blob_drop(uncounted);
        }
        text_free(&expected);
        blob_drop(json);
    }
}

/* Whatever is accepted can be transcoded, and the result is accepted. */
static void expect_sound(enum codec codec, struct slice bytes)
{
    struct text shown = show(codec, bytes, true);

    EXPECT(skip_agrees(codec, bytes, true));
    EXPECT(skip_agrees(codec, bytes, false));
    EACH_CODEC(to)
    {
        if (shown.data[0] != '!') {
            struct blob *there = transcode(codec, bytes, to);
            struct text result = show(to, blob_slice(there), true);

            if (result.data[0] == '!')
                UNIT_FAIL("%s became %s in %s", shown.data, result.data, codec_name(to));
            text_free(&result);
            blob_drop(there);
        }
    }
    text_free(&shown);
}

TEST(damaged_values_are_judged_the_same_by_every_way_of_reading)
{
    uint64_t state = 4711;
    struct rng rng;

    rng_init(&rng, rng_fill_seeded, &state);
    EACH_CODEC(codec)
    {
        for (uint64_t seed = 1; seed <= 300; seed++) {
            struct blob *value = random_value(codec, seed, true);

            for (int i = 0; i < 20; i++) {
                struct blob *damaged = blob_copy(blob_slice(value));
                uint64_t hits = 1 + rng_below(&rng, 3);

                while (hits-- > 0)
                    damaged->data[rng_below(&rng, damaged->len)] = (char)rng_below(&rng, 256);
                expect_sound(codec, blob_slice(damaged));
                blob_drop(damaged);
            }
            blob_drop(value);
        }
    }
}

TEST(random_octets_do_no_harm)
{
    uint64_t state = 1;
    struct rng rng;

    rng_init(&rng, rng_fill_seeded, &state);
    EACH_CODEC(codec)
    {
        for (int i = 0; i < 5000; i++) {
            struct blob *noise = blob_new(1 + rng_below(&rng, 24));

            rng_bytes(&rng, noise->data, noise->len);
            expect_sound(codec, blob_slice(noise));
            blob_drop(noise);
        }
    }
}

/* ---- JSON ---- */

TEST(json_samples)
{
    static const struct sample samples[] = {
        {CODEC_JSON, " [ 1 , { \"a\" : [ ] } ] \n", "[1 {\"a\" []}]"},
        {CODEC_JSON, "0", "0"},
        {CODEC_JSON, "-0", "0"},
        {CODEC_JSON, "-0.0", "f:-0"},
        {CODEC_JSON, "1e3", "f:1000"},
        {CODEC_JSON, "1.25E-2", "f:0.012500000000000001"},
        {CODEC_JSON, "1e400", "f:inf"},
        {CODEC_JSON, "18446744073709551615", "18446744073709551615"},
        {CODEC_JSON, "18446744073709551616", "big:18446744073709551616"},
        {CODEC_JSON, "-9223372036854775808", "-9223372036854775808"},
        {CODEC_JSON, "-9223372036854775809", "big:-9223372036854775809"},
        {CODEC_JSON, "\"\\u0041\\n\\/\\\"\"", "\"A\\x0a/\\x22\""},
        {CODEC_JSON, "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
        {CODEC_JSON, "\"\\ud800\"", "\"\xef\xbf\xbd\""},
        {CODEC_JSON, "\"\\ud800\\ud83d\\ude00x\"", "\"\xef\xbf\xbd\xf0\x9f\x98\x80x\""},
        {CODEC_JSON, "\"\\ude00\\ud800\\n\"", "\"\xef\xbf\xbd\xef\xbf\xbd\\x0a\""},
        {CODEC_JSON, "\"\\u0000\"", "h''"},
        {CODEC_JSON, "\"\\u0000AP8=\"", "h'00ff'"},
        {CODEC_JSON, "\"\\u0000AP8\"", "h'00ff'"},
        {CODEC_JSON, "\"\\u0000\\/\\/8=\"", "h'ffff'"},
        {CODEC_JSON, "\"\\u0000no base64!\"", "\"\\x00no base64!\""},
        {CODEC_JSON, "\"\\u0001AP8=\"", "\"\\x01AP8=\""},
        {CODEC_JSON, "{\"\\u0000AP8=\":1}", "{\"\\x00AP8=\" 1}"},
        {CODEC_JSON, "{\"a\":1,\"a\":2}", "{\"a\" 1 \"a\" 2}"},
        {CODEC_JSON, "\"0123456789abcdef0123456789abcdef\\n\"",
         "\"0123456789abcdef0123456789abcdef\\x0a\""},
    };

    expect_samples(samples, ARRAY_LEN(samples), false);
}

TEST(json_that_is_refused)
{
    static const char *const texts[] = {
        "",
        " ",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "True",
        "'a'",
        "\"a",
        "\"\\x41\"",
        "\"\\u12g4\"",
        "\"\\u12\"",
        "\"\t\"",
        "\"\n\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[",
        "]",
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{1:2}",
        "{a:1}",
        "[1}",
        "{\"a\":1]",
        "{,}",
        "[1]]",
        "1 2",
        "// c\n1",
        "[1]/**/",
        "\xef\xbb\xbf[]",
        "{\"a\":1 \"b\":2}",
        "{\"a\" 1}",
        "\"a\"b",
        "-a",
        "1.e5",
        "--1",
        "\"\\",
        "\"\\u",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        expect_shown(CODEC_JSON, slice_of(texts[i]), false, "!ERR_MALFORMED");
    expect_shown(CODEC_JSON, SLICE("[\"\xff\"]"), true, "!ERR_UTF8");
    expect_shown(CODEC_JSON, SLICE("[\"\xed\xa0\x80\"]"), true, "!ERR_UTF8");
    expect_shown(CODEC_JSON, SLICE("{\"\xc0\xaf\":1}"), true, "!ERR_UTF8");
    expect_shown(CODEC_JSON, SLICE("[\"abcdefghijklmnopqrstuvwxyz\x80\"]"), true, "!ERR_UTF8");
    expect_shown(CODEC_JSON, slice_make("[1]\0", 4), true, "!ERR_MALFORMED");
}

TEST(json_faults_say_what_and_where)
{
    expect_shown(CODEC_JSON, SLICE("[1,]"), false,
                 "!ERR_MALFORMED: json: expected a value, found ']' at byte 3");
    expect_shown(CODEC_JSON, SLICE("{\"a\" 1}"), false,
                 "!ERR_MALFORMED: json: expected ':', found '1' at byte 5");
    expect_shown(CODEC_JSON, SLICE("[\x01]"), false,
                 "!ERR_MALFORMED: json: expected a value, found octet 0x01 at byte 1");
}

/* What a value looks like in JSON. */
static void expect_json(enum codec from, const char *hex, const char *json)
{
    struct blob *blob = transcode(from, unhex(hex), CODEC_JSON);

    EXPECT_SLICE(blob_slice(blob), slice_of(json));
    blob_drop(blob);
}

TEST(json_is_written_compactly_and_exactly)
{
    expect_json(CODEC_MSGPACK, "93 a5 2f 5c 22 7f 08 cb 3ff0000000000000 c4 02 00ff",
                "[\"/\\\\\\\"\x7f\\b\",1.0,\"\\u0000AP8=\"]");
    expect_json(CODEC_MSGPACK, "a6 09 0a 0c 0d 0b 1f", "\"\\t\\n\\f\\r\\u000b\\u001f\"");
    expect_json(CODEC_MSGPACK, "93 cb 7ff0000000000000 cb fff0000000000000 cb 7ff8000000000000",
                "[null,null,null]");
    expect_json(CODEC_MSGPACK, "cb 4341c37937e08000", "1e+16");
    expect_json(CODEC_MSGPACK, "cb 3fb999999999999a", "0.1");
    expect_json(CODEC_MSGPACK, "cb 8000000000000000", "-0.0");
    expect_json(CODEC_CBOR, "fb 3fd3333333333334", "0.30000000000000004");
    expect_json(CODEC_MSGPACK, "a3 00 61 62", "\"\\u0000ab\""); /* text that only looks binary */
}

/* ---- MessagePack ---- */

TEST(msgpack_samples)
{
    static const struct sample samples[] = {
        {CODEC_MSGPACK, "00", "0"},
        {CODEC_MSGPACK, "7f", "127"},
        {CODEC_MSGPACK, "ff", "-1"},
        {CODEC_MSGPACK, "e0", "-32"},
        {CODEC_MSGPACK, "cc 01", "1"},
        {CODEC_MSGPACK, "cf ffffffffffffffff", "18446744073709551615"},
        {CODEC_MSGPACK, "d0 05", "5"},
        {CODEC_MSGPACK, "d0 80", "-128"},
        {CODEC_MSGPACK, "d1 8000", "-32768"},
        {CODEC_MSGPACK, "d2 00000001", "1"},
        {CODEC_MSGPACK, "d3 8000000000000000", "-9223372036854775808"},
        {CODEC_MSGPACK, "ca 3fc00000", "f:1.5"},
        {CODEC_MSGPACK, "d9 01 61", "\"a\""},
        {CODEC_MSGPACK, "da 0001 61", "\"a\""},
        {CODEC_MSGPACK, "db 00000001 61", "\"a\""},
        {CODEC_MSGPACK, "c5 0001 61", "h'61'"},
        {CODEC_MSGPACK, "c6 00000001 61", "h'61'"},
        {CODEC_MSGPACK, "dc 0001 c0", "[null]"},
        {CODEC_MSGPACK, "dd 00000001 c0", "[null]"},
        {CODEC_MSGPACK, "de 0001 a1 61 c2", "{\"a\" false}"},
        {CODEC_MSGPACK, "df 00000001 a1 61 c3", "{\"a\" true}"},
        {CODEC_MSGPACK, "d4 05 aa", "ext(5)h'aa'"},
        {CODEC_MSGPACK, "d5 80 aabb", "ext(-128)h'aabb'"},
        {CODEC_MSGPACK, "c7 03 07 010203", "ext(7)h'010203'"},
        {CODEC_MSGPACK, "c8 0000 07", "ext(7)h''"},
        {CODEC_MSGPACK, "c9 00000001 07 01", "ext(7)h'01'"},
        {CODEC_MSGPACK, "d6 ff 00000000", "ts\"1970-01-01T00:00:00Z\""},
        {CODEC_MSGPACK, "d6 ff 5e0be100", "ts\"2020-01-01T00:00:00Z\""},
        {CODEC_MSGPACK, "d7 ff 77359400 5e0be100", "ts\"2020-01-01T00:00:00.5Z\""},
        {CODEC_MSGPACK, "c7 0c ff 00000001 ffffffffffffffff",
         "ts\"1969-12-31T23:59:59.000000001Z\""},
        {CODEC_MSGPACK, "c7 0c ff 00000000 ffffffff7c558180", "ts\"1900-01-01T00:00:00Z\""},
        {CODEC_MSGPACK, "d6 ff 56d4e37f", "ts\"2016-03-01T00:34:07Z\""},
        {CODEC_MSGPACK, "c7 0c ff 00000000 7fffffffffffffff", "h'000000007fffffffffffffff'"},
        {CODEC_MSGPACK, "c7 0c ff 3b9aca00 0000000000000000", "h'3b9aca000000000000000000'"},
        {CODEC_MSGPACK, "d4 ff aa", "h'aa'"},
    };

    expect_samples(samples, ARRAY_LEN(samples), false);
}

TEST(msgpack_that_is_refused)
{
    static const char *const samples[] = {
        "c1",
        "91 c1",
        "92 00",
        "81 a1 61",
        "dd ffffffff",
        "df 7fffffff",
        "dc 0002 00",
        "c6 ffffffff",
        "c9 ffffffff 00",
        "a5 61",
        "d9",
        "c7 01",
        "82 01 02",
        "81 01 02",
        "81 c0 c0",
        "81 c4 01 61 00",
    };

    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        expect_shown(CODEC_MSGPACK, unhex(samples[i]), false, "!ERR_MALFORMED");
    expect_shown(CODEC_MSGPACK, unhex("dd ffffffff 00"), true,
                 "!ERR_MALFORMED: msgpack: 4294967295 announced, 1 bytes left at byte 0");
}

TEST(msgpack_text_that_is_no_utf8_is_binary_in_payload_only)
{
    expect_shown(CODEC_MSGPACK, unhex("91 a2 c3 28"), true, "[h'c328']");
    expect_shown(CODEC_MSGPACK, unhex("91 a2 c3 28"), false, "!ERR_UTF8");
    expect_shown(CODEC_MSGPACK, unhex("81 a2 c3 28 01"), true, "{h'c328' 1}");
    expect_shown(CODEC_MSGPACK, unhex("81 a2 c3 28 01"), false, "!ERR_UTF8");
    expect_json(CODEC_MSGPACK, "91 a2 c3 28", "[\"\\u0000wyg=\"]");
}

/* ---- keys that are no strings ---- */

TEST(bare_keys_pass_between_binary_serializers)
{
    struct blob *blob = transcode(
        CODEC_MSGPACK, unhex("84 01 02 c0 03 92 01 02 04 cb 3ff8000000000000 05"), CODEC_CBOR);

    expect_shown(CODEC_CBOR, blob_slice(blob), true, "{1 2 null 3 [1 2] 4 f:1.5 5}");
    expect_shown(CODEC_CBOR, blob_slice(blob), false, "!ERR_MALFORMED");
    blob_drop(blob);
}

TEST(a_timestamp_is_no_key_of_a_dict)
{
    expect_shown(CODEC_MSGPACK, unhex("81 d6 ff 00000001 01"), true,
                 "{ts\"1970-01-01T00:00:01Z\" 1}");
    expect_shown(CODEC_MSGPACK, unhex("81 d6 ff 00000001 01"), false, "!ERR_MALFORMED");
}

TEST(bare_keys_become_text_in_json_or_are_dropped)
{
    expect_json(CODEC_MSGPACK, "87 01 01 ff 02 c0 03 c3 04 c2 05 a1 61 06 cf ffffffffffffffff 07",
                "{\"1\":1,\"-1\":2,\"null\":3,\"true\":4,\"false\":5,\"a\":6,"
                "\"18446744073709551615\":7}");
    expect_json(CODEC_MSGPACK,
                "85 92 01 81 02 03 04 81 01 02 05 c4 01 00 06 cb 3ff8000000000000 07 "
                "a1 61 91 08",
                "{\"a\":[8]}");
    expect_json(CODEC_CBOR, "a2 c2 49 010000000000000000 01 81 00 02",
                "{\"18446744073709551616\":1}");
    expect_json(CODEC_CBOR, "bf 82 01 02 03 61 61 04 ff", "{\"a\":4}");
}

TEST(extensions_leave_msgpack_as_binary_and_time_as_text)
{
    struct blob *blob;

    expect_json(CODEC_MSGPACK, "92 d4 05 aa d6 ff 00000000",
                "[\"\\u0000qg==\",\"1970-01-01T00:00:00Z\"]");
    blob = transcode(CODEC_MSGPACK, unhex("92 d4 05 aa d6 ff 00000000"), CODEC_CBOR);
    EXPECT_SLICE(blob_slice(blob),
                 unhex("82 41 aa c0 74 313937302d30312d30315430303a30303a30305a"));
    blob_drop(blob);
    blob = transcode(CODEC_MSGPACK, unhex("92 d4 05 aa d6 ff 00000000"), CODEC_MSGPACK);
    EXPECT_SLICE(blob_slice(blob), unhex("92 d4 05 aa d6 ff 00000000"));
    blob_drop(blob);
}

/* ---- CBOR ---- */

TEST(cbor_samples)
{
    static const struct sample samples[] = {
        {CODEC_CBOR, "17", "23"},
        {CODEC_CBOR, "18 18", "24"},
        {CODEC_CBOR, "1b 0000000000000001", "1"},
        {CODEC_CBOR, "20", "-1"},
        {CODEC_CBOR, "3b 7fffffffffffffff", "-9223372036854775808"},
        {CODEC_CBOR, "3b 8000000000000000", "big:-9223372036854775809"},
        {CODEC_CBOR, "3b ffffffffffffffff", "big:-18446744073709551616"},
        {CODEC_CBOR, "c2 49 010000000000000000", "big:18446744073709551616"},
        {CODEC_CBOR, "c3 49 010000000000000000", "big:-18446744073709551617"},
        {CODEC_CBOR, "c2 43 000001", "1"},
        {CODEC_CBOR, "c2 40", "0"},
        {CODEC_CBOR, "c3 40", "-1"},
        {CODEC_CBOR, "c3 48 7fffffffffffffff", "-9223372036854775808"},
        {CODEC_CBOR, "c2 5f 41 01 48 0000000000000000 ff", "big:18446744073709551616"},
        {CODEC_CBOR, "c2 4d 0c9f2c9cd04674edea40000000", "big:1000000000000000000000000000000"},
        {CODEC_CBOR, "c2 61 61", "\"a\""},
        {CODEC_CBOR, "f9 3e00", "f:1.5"},
        {CODEC_CBOR, "f9 0001", "f:5.9604644775390625e-08"},
        {CODEC_CBOR, "f9 7bff", "f:65504"},
        {CODEC_CBOR, "f9 fc00", "f:-inf"},
        {CODEC_CBOR, "f9 8000", "f:-0"},
        {CODEC_CBOR, "fa 3fc00000", "f:1.5"},
        {CODEC_CBOR, "fb 3ff8000000000000", "f:1.5"},
        {CODEC_CBOR, "f4", "false"},
        {CODEC_CBOR, "f5", "true"},
        {CODEC_CBOR, "f6", "null"},
        {CODEC_CBOR, "f7", "null"},
        {CODEC_CBOR, "f0", "null"},
        {CODEC_CBOR, "f8 20", "null"},
        {CODEC_CBOR, "5f 41 01 40 42 0203 ff", "h'010203'"},
        {CODEC_CBOR, "7f 61 61 62 c3a9 ff", "\"a\xc3\xa9\""},
        {CODEC_CBOR, "7f ff", "\"\""},
        {CODEC_CBOR, "9f 01 9f ff bf ff ff", "[1 [] {}]"},
        {CODEC_CBOR, "bf 61 61 01 7f 61 62 ff 02 ff", "{\"a\" 1 \"b\" 2}"},
        {CODEC_CBOR, "d9 d9f7 82 c1 1a 00000001 c0 61 74", "[1 \"t\"]"},
        {CODEC_CBOR, "a1 c0 61 61 d9 d9f7 d9 d9f7 80", "{\"a\" []}"},
        {CODEC_CBOR, "9a 00000001 00", "[0]"},
    };

    expect_samples(samples, ARRAY_LEN(samples), false);
}

TEST(cbor_that_is_refused)
{
    static const char *const samples[] = {
        "1c",
        "1f",
        "3f",
        "fc",
        "ff",
        "9f",
        "81 ff",
        "bf 61 61 ff",
        "a1 61 61 ff",
        "5f 61 61 ff",
        "5f 5f 41 01 ff ff",
        "7f 41 01 ff",
        "7f 01 ff",
        "5f 41 01",
        "f8 00",
        "f8 1f",
        "c0",
        "c1 ff",
        "df 00",
        "9b ffffffffffffffff",
        "bb 7fffffffffffffff",
        "5b ffffffffffffffff",
        "9a 7fffffff 00",
        "a1 01 02",
        "bf 01 02 ff",
        "81 c2",
        "9e",
        "78",
        "62 61",
        "a1 f6 00",
        "bf 61 61 01 61 62 ff",
    };

    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        expect_shown(CODEC_CBOR, unhex(samples[i]), false, "!ERR_MALFORMED");
    expect_shown(CODEC_CBOR, unhex("62 c3 28"), true, "!ERR_UTF8");
    expect_shown(CODEC_CBOR, unhex("7f 61 c3 61 a9 ff"), true, "!ERR_UTF8");
}

TEST(big_integers_become_doubles_elsewhere)
{
    struct blob *blob =
        transcode(CODEC_JSON, SLICE("[123456789012345678901234567890]"), CODEC_CBOR);

    expect_shown(CODEC_CBOR, blob_slice(blob), false, "[f:1.2345678901234568e+29]");
    blob_drop(blob);
    expect_json(CODEC_CBOR, "c2 49 010000000000000000", "1.8446744073709552e+19");
    blob = transcode(CODEC_JSON, SLICE("[123456789012345678901234567890]"), CODEC_JSON);
    EXPECT_SLICE(blob_slice(blob), SLICE("[123456789012345678901234567890]"));
    blob_drop(blob);
}

TEST(a_big_integer_beyond_doubles_is_infinite_and_cheap)
{
    struct blob *blob = blob_new(60000 + 4);

    memset(blob->data, 0x11, blob->len);
    memcpy(blob->data, "\xc3\x59\xea\x60", 4); /* negative, 60000 octets */
    expect_shown(CODEC_CBOR, blob_slice(blob), false, "f:-inf");
    blob_drop(blob);
}

TEST(keys_are_told_apart_by_level)
{
    struct reader r;
    struct fault fault = {0};
    struct arena arena;
    struct slice extent;

    arena_init(&arena);
    reader_init(&r, CODEC_CBOR, unhex("82 a0 01"), &arena, &fault);
    EXPECT_EQ(reader_skip(&r, &extent, NULL), 0);
    EXPECT_EQ(extent.len, 3);
    EXPECT_EQ(reader_skip(&r, &extent, NULL), ERR_MALFORMED);
    EXPECT(strstr(fault.words, "missing") != NULL);
    arena_fini(&arena);
}
