/* state_limiter_test.c -- token buckets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/rng.h"
#include "state/limiter.h"
#include "unit.h"

#include <math.h>

static double retry;

static bool take(struct limiter *limiter, const char *key, double n, uint64_t now)
{
    return limiter_take(limiter, slice_of(key), n, now, &retry);
}

TEST(a_bucket_gives_what_is_in_it)
{
    struct limiters *set = limiters_new(0);
    struct limiter *limiter = limiter_open(set, SLICE("a"), 2, 10);

    EXPECT(take(limiter, "joe", 10, 1000));
    EXPECT(!take(limiter, "joe", 1, 1000));
    EXPECT(fabs(retry - 0.5) < 1e-9);
    EXPECT(!take(limiter, "joe", 1, 1499));
    EXPECT(take(limiter, "joe", 1, 1500));
    EXPECT(take(limiter, "ann", 10, 1500)); /* a bucket of her own */
    EXPECT(!take(limiter, "joe", 10, 6499));
    EXPECT(take(limiter, "joe", 10, 6500));
    EXPECT(!take(limiter, "joe", 1, 6000)); /* a clock that goes back gives nothing */
    limiters_free(set);
}

TEST(limiters_with_one_name_are_one)
{
    struct limiters *set = limiters_new(0);
    struct limiter *limiter = limiter_open(set, SLICE("a"), 1, 10);
    char name[20];

    EXPECT(take(limiter, "joe", 8, 0));
    EXPECT(limiter_open(set, SLICE("a"), 1, 5) == limiter); /* as after a reload */
    EXPECT(take(limiter, "joe", 2, 0));
    EXPECT(!take(limiter, "joe", 1, 0));
    EXPECT(take(limiter, "joe", 5, 60000));
    EXPECT(!take(limiter, "joe", 1, 60000));
    EXPECT(take(limiter_open(set, SLICE("b"), 1, 1), "joe", 1, 60000));
    for (unsigned i = 2; i < LIMITERS_MAX; i++) {
        snprintf(name, sizeof name, "n%u", i);
        EXPECT(limiter_open(set, slice_of(name), 1, 1) != NULL);
    }
    EXPECT(limiter_open(set, SLICE("more"), 1, 1) == NULL);
    limiters_free(set);
}

TEST(full_buckets_are_forgotten)
{
    struct limiters *set = limiters_new(0);
    struct limiter *limiter = limiter_open(set, SLICE("a"), 1, 10);
    char key[20];

    for (unsigned i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "k%u", i);
        EXPECT(take(limiter, key, 1, i));
    }
    EXPECT(limiters_count(set) >= 990);
    for (unsigned i = 0; i < 600; i++)
        EXPECT(take(limiter, "joe", 0, 10000));
    EXPECT(limiters_count(set) <= 1);
    limiters_free(set);
}

TEST(buckets_are_bounded_and_an_empty_one_outlives_a_flood_of_keys)
{
    struct limiters *set = limiters_new(100);
    struct limiter *limiter = limiter_open(set, SLICE("a"), 0.001, 10);
    unsigned let_through = 0;
    char key[20];

    EXPECT(take(limiter, "joe", 10, 0));
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(key, sizeof key, "k%u", i);
        EXPECT(take(limiter, key, 1, 0));
        let_through += take(limiter, "joe", 1, 0);
    }
    EXPECT_EQ(let_through, 0);
    EXPECT_EQ(limiters_count(set), 100);
    limiters_free(set);
}

/* However takes are spread, no more than burst + rate * time come through, and what is refused
 * goes through when retry_after says so. */
TEST(random_takes_keep_the_rate)
{
    struct limiters *set = limiters_new(50);
    struct limiter *limiter = limiter_open(set, SLICE("a"), 7, 20);
    double taken = 0;
    uint64_t now = 0, seed = 5;
    struct rng rng;

    rng_init(&rng, rng_fill_seeded, &seed);
    for (unsigned i = 0; i < 20000; i++) {
        double n = (double)rng_below(&rng, 200) / 10;

        now += rng_below(&rng, 300);
        if (take(limiter, "joe", n, now)) {
            taken += n;
        } else if (rng_below(&rng, 2) == 0) {
            EXPECT(retry > 0);
            now += (uint64_t)ceil(retry * 1000);
            EXPECT(take(limiter, "joe", n, now));
            taken += n;
        }
        EXPECT(taken <= 20 + 7 * (double)now / 1000 + 1e-3);
    }
    EXPECT(taken > 6.9 * (double)now / 1000 * 0.5);
    limiters_free(set);
}
