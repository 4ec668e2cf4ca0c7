/* json_number_test.c -- numbers there and back, against the C library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/rng.h"
#include "unit.h"
#include "wire/json_number.h"

#include <math.h>

static bool is_same(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static void expect_text(double value, const char *expected)
{
    char out[JSON_NUMBER_MAX];
    size_t len = json_number_put_real(out, value);

    EXPECT_SLICE(slice_make(out, len), slice_of(expected));
}

TEST(reals_are_short)
{
    expect_text(0.0, "0.0");
    expect_text(-0.0, "-0.0");
    expect_text(1, "1.0");
    expect_text(-2.5, "-2.5");
    expect_text(0.1, "0.1");
    expect_text(0.1 + 0.2, "0.30000000000000004");
    expect_text(100, "100.0");
    expect_text(19.99, "19.99");
    expect_text(1e14, "100000000000000.0");
    expect_text(1e15, "1e+15");
    expect_text(1e-7, "1e-07");
    expect_text(5e-324, "5e-324");
    expect_text(1.7976931348623157e308, "1.7976931348623157e+308");
}

/* Every text is read as the library reads it, and every double survives. */
static void expect_round_trip(double value, struct arena *arena)
{
    char out[JSON_NUMBER_MAX + 1];
    size_t len = json_number_put_real(out, value);
    struct json_number number;

    out[len] = '\0';
    EXPECT(json_number_scan(out, out + len, &number) == out + len);
    EXPECT(number.is_real);
    EXPECT(is_same(json_number_real(slice_make(out, len), arena), value));
    EXPECT(is_same(strtod(out, NULL), value));
}

TEST(random_reals_survive)
{
    uint64_t state = 7;
    struct arena arena;
    struct rng rng;
    double value;

    rng_init(&rng, rng_fill_seeded, &state);
    arena_init(&arena);
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = rng_u64(&rng);

        memcpy(&value, &bits, sizeof(value));
        if (isfinite(value))
            expect_round_trip(value, &arena);
        expect_round_trip((double)(int64_t)bits / 1e6, &arena);
        expect_round_trip((double)(bits % 1000000) / 1000, &arena);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

TEST(random_texts_are_read_as_the_library_reads_them)
{
    uint64_t state = 8;
    struct arena arena;
    struct rng rng;

    rng_init(&rng, rng_fill_seeded, &state);
    arena_init(&arena);
    for (int i = 0; i < 100000; i++) {
        char text[64];
        size_t whole = 1 + rng_below(&rng, 12), fraction = 1 + rng_below(&rng, 12), len = 0;

        if (rng_below(&rng, 2) == 0)
            text[len++] = '-';
        text[len++] = (char)('1' + rng_below(&rng, 9));
        while (--whole > 0)
            text[len++] = (char)('0' + rng_below(&rng, 10));
        text[len++] = '.';
        while (fraction-- > 0)
            text[len++] = (char)('0' + rng_below(&rng, 10));
        if (rng_below(&rng, 2) == 0)
            len += (size_t)snprintf(text + len, 16, "e%+d", (int)rng_below(&rng, 60) - 30);
        text[len] = '\0';
        EXPECT(is_same(json_number_real(slice_make(text, len), &arena), strtod(text, NULL)));
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

TEST(integers_are_written_digit_by_digit)
{
    char out[JSON_NUMBER_MAX], expected[32];

    for (unsigned bits = 0; bits < 64; bits++) {
        for (uint64_t around = 0; around < 3; around++) {
            uint64_t value = (UINT64_C(1) << bits) + around - 1;

            snprintf(expected, sizeof(expected), "%llu", (unsigned long long)value);
            EXPECT_SLICE(slice_make(out, json_number_put_uint(out, value)), slice_of(expected));
        }
    }
}

TEST(what_a_scan_finds)
{
    static const char text[] = "-9223372036854775808,";
    struct json_number number;

    EXPECT(json_number_scan(text, text + sizeof(text) - 1, &number) == text + 20);
    EXPECT(number.is_negative && !number.is_real && !number.is_big);
    EXPECT_EQ(number.magnitude, UINT64_C(1) << 63);
    EXPECT(json_number_scan(text, text + 1, &number) == NULL);
}
