/* utf8_test.c -- the validator against a decoder that follows the definition word for word.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/rng.h"
#include "base/utf8.h"
#include "unit.h"

/* Decodes by arithmetic and then refuses numbers that are too small for their length,
 * surrogates, and what lies above U+10FFFF. Returns the length, or 0. */
static size_t naive_decode(const unsigned char *at, size_t left, uint32_t *code_point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = (at[0] & 0x80) == 0x00   ? 1
                 : (at[0] & 0xe0) == 0xc0 ? 2
                 : (at[0] & 0xf0) == 0xe0 ? 3
                 : (at[0] & 0xf8) == 0xf0 ? 4
                                          : 0;

    if (len == 0 || len > left)
        return 0;
    *code_point = len == 1 ? at[0] : at[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *code_point = *code_point * 64 + (at[i] & 0x3f);
    }
    if (*code_point < smallest[len] || *code_point > 0x10ffff)
        return 0;
    return *code_point >= 0xd800 && *code_point <= 0xdfff ? 0 : len;
}

static bool naive_is_valid(const unsigned char *at, size_t left)
{
    uint32_t code_point;

    while (left != 0) {
        size_t len = naive_decode(at, left, &code_point);
        if (len == 0)
            return false;
        at += len;
        left -= len;
    }
    return true;
}

static void compare(const unsigned char *bytes, size_t len)
{
    bool expected = naive_is_valid(bytes, len);

    if (utf8_is_valid(slice_make(bytes, len)) != expected)
        UNIT_FAIL("%zu bytes %02x %02x %02x %02x: expected %d", len, bytes[0], bytes[1], bytes[2],
                  bytes[3], expected);
}

TEST(all_sequences_of_up_to_three_bytes)
{
    unsigned char bytes[4] = {0};

    EXPECT(utf8_is_valid(slice_make(NULL, 0)));
    for (unsigned i = 0; i < 0x1000000; i++) {
        bytes[0] = (unsigned char)(i >> 16);
        bytes[1] = (unsigned char)(i >> 8);
        bytes[2] = (unsigned char)i;
        compare(bytes, 3);
        if (bytes[2] == 0)
            compare(bytes, 2);
        if (bytes[1] == 0 && bytes[2] == 0)
            compare(bytes, 1);
    }
}

TEST(sequences_of_four_bytes_at_and_around_every_border)
{
    static const unsigned char edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
                                          0xa0, 0xbf, 0xc0, 0xc2, 0xf0, 0xff};
    unsigned char bytes[4];

    for (unsigned lead = 0xc0; lead <= 0xff; lead++) {
        for (unsigned second = 0; second <= 0xff; second++) {
            for (size_t k = 0; k < ARRAY_LEN(edges) * ARRAY_LEN(edges); k++) {
                bytes[0] = (unsigned char)lead;
                bytes[1] = (unsigned char)second;
                bytes[2] = edges[k / ARRAY_LEN(edges)];
                bytes[3] = edges[k % ARRAY_LEN(edges)];
                compare(bytes, 4);
            }
        }
    }
}

TEST(random_sequences_of_four_bytes)
{
    struct rng rng;
    uint64_t state = 4;
    unsigned char bytes[4];

    rng_init(&rng, rng_fill_seeded, &state);
    for (int i = 0; i < 1000000; i++) {
        rng_bytes(&rng, bytes, sizeof(bytes));
        bytes[0] |= 0xf0;
        for (size_t k = 1; k < 4 && i % 2 == 0; k++)
            bytes[k] = (unsigned char)(0x80 | (bytes[k] & 0x3f));
        compare(bytes, 4);
    }
}

TEST(a_bad_byte_is_found_at_any_place_of_any_length)
{
    for (size_t len = 1; len <= 70; len++) {
        for (size_t at = 0; at < len; at++) {
            unsigned char *bytes = malloc(len); /* exact, so that reading past it shows */
            memset(bytes, 'a', len);
            EXPECT(utf8_is_valid(slice_make(bytes, len)));
            bytes[at] = 0xff;
            EXPECT(!utf8_is_valid(slice_make(bytes, len)));
            bytes[at] = 0xe2; /* cut short, or followed by ASCII */
            EXPECT(!utf8_is_valid(slice_make(bytes, len)));
            if (at + 3 <= len) {
                memcpy(bytes + at, "\xe2\x82\xac", 3);
                EXPECT(utf8_is_valid(slice_make(bytes, len)));
            }
            free(bytes);
        }
    }
}

TEST(put_and_next_agree_on_every_code_point)
{
    for (uint32_t code_point = 0; code_point <= 0x110000; code_point++) {
        char out[4];
        uint32_t expected = code_point;
        if ((code_point >= 0xd800 && code_point <= 0xdfff) || code_point > 0x10ffff)
            expected = 0xfffd;

        struct slice text = slice_make(out, utf8_put(out, code_point));
        uint32_t decoded = 0;
        EXPECT(utf8_is_valid(text));
        EXPECT_EQ(naive_decode((const unsigned char *)out, text.len, &decoded), text.len);
        EXPECT_EQ(decoded, expected);
        EXPECT_EQ(utf8_next(&text), expected);
        EXPECT_EQ(text.len, 0);
    }
}

TEST(next_walks_a_text)
{
    struct slice text = SLICE("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z");

    EXPECT_EQ(utf8_next(&text), 'a');
    EXPECT_EQ(utf8_next(&text), 0xe4);
    EXPECT_EQ(utf8_next(&text), 0x20ac);
    EXPECT_EQ(utf8_next(&text), 0x1f600);
    EXPECT_SLICE(text, SLICE("z"));
    EXPECT_EQ(utf8_next(&text), 'z');
    EXPECT_ABORT(utf8_next(&text));
}
