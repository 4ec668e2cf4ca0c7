/* rng_test.c -- bounds, blocks, repeatability. Quality is the business of the filler.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/rng.h"
#include "unit.h"

static void fill_constant(void *ctx, void *buf, size_t len)
{
    memset(buf, *(const int *)ctx, len);
}

/* Numbers all bytes 0, 1, 2 ... so that it shows which ones were used. */
static void fill_counting(void *ctx, void *buf, size_t len)
{
    unsigned char *next = ctx, *out = buf;

    for (size_t i = 0; i < len; i++)
        out[i] = (*next)++;
}

TEST(wamp_ids_stay_in_their_range)
{
    struct rng rng;
    int zeros = 0, ones = 0xff;
    uint64_t state = 1, low = UINT64_MAX, high = 0;

    rng_init(&rng, fill_constant, &zeros);
    EXPECT_EQ(rng_wamp_id(&rng), 1);
    rng_init(&rng, fill_constant, &ones);
    EXPECT_EQ(rng_wamp_id(&rng), WAMP_ID_MAX);

    rng_init(&rng, rng_fill_seeded, &state);
    for (int i = 0; i < 100000; i++) {
        uint64_t id = rng_wamp_id(&rng);
        low = id < low ? id : low;
        high = id > high ? id : high;
    }
    EXPECT(low >= 1 && low < WAMP_ID_MAX / 1000);
    EXPECT(high <= WAMP_ID_MAX && high > WAMP_ID_MAX / 1000 * 999);
}

TEST(below_reaches_all_and_only_what_is_below)
{
    struct rng rng;
    uint64_t state = 2;

    rng_init(&rng, rng_fill_seeded, &state);
    for (uint64_t bound = 1; bound <= 20; bound++) {
        unsigned seen[20] = {0};
        for (int i = 0; i < 4000; i++) {
            uint64_t value = rng_below(&rng, bound);
            EXPECT(value < bound);
            if (value < bound)
                seen[value]++;
        }
        for (uint64_t i = 0; i < bound; i++)
            EXPECT(seen[i] > 4000 / bound / 2);
    }
    uint64_t bound = (UINT64_C(1) << 63) + 1; /* nearly every second draw is repeated */
    for (int i = 0; i < 1000; i++)
        EXPECT(rng_below(&rng, bound) < bound);
    EXPECT_ABORT(rng_below(&rng, 0));
}

TEST(the_same_seed_gives_the_same_numbers)
{
    struct rng one, two, other;
    uint64_t state1 = 42, state2 = 42, state3 = 43;
    unsigned different = 0;

    rng_init(&one, rng_fill_seeded, &state1);
    rng_init(&two, rng_fill_seeded, &state2);
    rng_init(&other, rng_fill_seeded, &state3);
    for (int i = 0; i < 1000; i++) {
        uint64_t number = rng_u64(&one);
        EXPECT_EQ(number, rng_u64(&two));
        different += number != rng_u64(&other);
    }
    EXPECT_EQ(different, 1000);
}

TEST(the_seeded_filler_is_splitmix64)
{
    uint64_t state = UINT64_C(1234567);
    unsigned char bytes[11];

    /* The first two numbers of the published generator from this seed. */
    rng_fill_seeded(&state, bytes, sizeof(bytes));
    uint64_t first = 0;
    for (size_t i = 8; i-- > 0;)
        first = first << 8 | bytes[i];
    EXPECT_EQ(first, UINT64_C(6457827717110365317));
    EXPECT_EQ(bytes[8], UINT64_C(3203168211198807973) & 0xff);
}

TEST(gives_every_byte_once)
{
    struct rng rng;
    unsigned char next = 0, expected = 0, bytes[100];

    rng_init(&rng, fill_counting, &next);
    for (size_t len = 0; len <= 51; len++) {
        rng_bytes(&rng, bytes, len);
        if (rng.left + len == sizeof(rng.block))
            expected = bytes[0]; /* a new block: what was left of the old one is dropped */
        for (size_t i = 0; i < len; i++)
            EXPECT_EQ(bytes[i], expected++);
    }
}

TEST(wipes_bytes_that_may_be_secret)
{
    struct rng rng;
    int ones = 0xff;
    unsigned char bytes[64];

    rng_init(&rng, fill_constant, &ones);
    rng_bytes(&rng, bytes, sizeof(bytes));
    EXPECT_EQ(bytes[0], 0xff);
    for (size_t i = 0; i < sizeof(bytes); i++)
        EXPECT_EQ(rng.block[i], 0);
    EXPECT_EQ(rng.block[sizeof(bytes)], 0xff);
}

TEST(fills_more_than_a_block)
{
    static unsigned char bytes[5000];
    struct rng rng;
    int fives = 5;
    unsigned wrong = 0;

    rng_init(&rng, fill_constant, &fives);
    rng_bytes(&rng, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        wrong += bytes[i] != 5;
    EXPECT_EQ(wrong, 0);
}
