/* login_guard_test.c -- how late answers become, for whom, and that the table has an end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/login_guard.h"
#include "policy/login_settings.h"
#include "unit.h"
#include "wire/transport.h"

static struct rng rng;

static struct guard *make(uint32_t free_failures, uint32_t max_delay_ms, uint32_t max_joining)
{
    struct guard_limits limits = {free_failures, max_delay_ms, max_joining};

    rng_init(&rng, login_fill_random, NULL);
    return guard_new(&limits, NULL, &rng);
}

TEST(answers_become_late_and_later)
{
    static const uint32_t delays[] = {0, 0, 0, 250, 500, 1000, 2000, 4000, 8000, 10000, 10000};
    struct guard *guard = make(3, 10000, 100);
    uint64_t now = 1000000;

    for (size_t i = 0; i < ARRAY_LEN(delays); i++, now += 20000)
        EXPECT_EQ(guard_fail(guard, "192.0.2.1", SLICE(""), now), delays[i]);
    EXPECT_EQ(guard_fail(guard, "192.0.2.2", SLICE(""), now), 0);
    /* what is quiet is forgotten */
    now += GUARD_FORGET_MS;
    EXPECT_EQ(guard_fail(guard, "192.0.2.1", SLICE(""), now), 0);
    for (unsigned i = 0; i < 100; i++)
        EXPECT(guard_fail(guard, "192.0.2.1", SLICE(""), now) <= 10000);
    guard_free(guard);
}

TEST(authids_count_from_all_addresses_until_they_succeed)
{
    struct guard *guard = make(2, 10000, 100);
    char address[TRANSPORT_NETWORK_LEN];

    for (unsigned i = 0; i < 4; i++) {
        snprintf(address, sizeof(address), "192.0.2.%u", i);
        EXPECT_EQ(guard_fail(guard, address, SLICE("alice"), 1000), i < 2 ? 0 : 250u << (i - 2));
    }
    EXPECT_EQ(guard_fail(guard, "192.0.2.77", SLICE("bob"), 1000), 0);
    guard_succeed(guard, SLICE("alice"));
    EXPECT_EQ(guard_fail(guard, "192.0.2.99", SLICE("alice"), 1000), 0);
    guard_free(guard);
}

TEST(many_at_once_gain_nothing)
{
    struct guard *guard = make(1, 10000, 100);

    EXPECT_EQ(guard_fail(guard, "192.0.2.1", SLICE(""), 1000), 0);
    for (unsigned i = 0; i < GUARD_MAX_LATE; i++) {
        EXPECT(guard_judge(guard, "192.0.2.1", 1000) == NULL);
        EXPECT(guard_fail(guard, "192.0.2.1", SLICE(""), 1000) != 0);
    }
    EXPECT(guard_judge(guard, "192.0.2.1", 1000) != NULL);
    EXPECT(guard_judge(guard, "192.0.2.2", 1000) == NULL);
    EXPECT(guard_judge(guard, "192.0.2.1", 1249) != NULL);
    EXPECT(guard_judge(guard, "192.0.2.1", 1250) == NULL);
    guard_free(guard);
}

TEST(nothing_is_late_when_it_may_not_be)
{
    struct guard *guard = make(1, 0, 100);

    for (unsigned i = 0; i < 50; i++)
        EXPECT_EQ(guard_fail(guard, "192.0.2.1", SLICE("alice"), 1000), 0);
    EXPECT(guard_judge(guard, "192.0.2.1", 1000) == NULL);
    guard_free(guard);
}

TEST(an_address_opens_so_many_at_a_time)
{
    struct guard *guard = make(1, 0, 2);

    EXPECT(guard_enter(guard, "192.0.2.1") == NULL);
    EXPECT(guard_enter(guard, "192.0.2.1") == NULL);
    EXPECT(guard_enter(guard, "192.0.2.1") != NULL);
    EXPECT(guard_enter(guard, "192.0.2.2") == NULL);
    guard_leave(guard, "192.0.2.1");
    EXPECT(guard_enter(guard, "192.0.2.1") == NULL);
    for (unsigned i = 0; i < 10; i++)
        EXPECT(guard_enter(guard, "") == NULL);
    guard_free(guard);
}

TEST(addresses_are_counted_in_all_realms)
{
    struct guard_limits limits = {1, 10000, 1};
    struct guard_board *board;
    struct guard *one, *two;

    rng_init(&rng, login_fill_random, NULL);
    board = guard_board_new(&rng);
    one = guard_new(&limits, board, &rng);
    two = guard_new(&limits, board, &rng);
    EXPECT_EQ(guard_fail(one, "192.0.2.1", SLICE("alice"), 1000), 0);
    EXPECT_EQ(guard_fail(two, "192.0.2.1", SLICE(""), 1000), 250);
    /* a clock that is a little behind forgets nothing */
    EXPECT_EQ(guard_fail(one, "192.0.2.1", SLICE(""), 999), 500);
    for (unsigned i = 0; i < GUARD_MAX_LATE; i++)
        EXPECT(guard_fail(two, "192.0.2.1", SLICE(""), 1000) != 0);
    EXPECT(guard_judge(one, "192.0.2.1", 1000) != NULL);
    /* an authid, and what is under way, is of one realm */
    EXPECT_EQ(guard_fail(two, "192.0.2.2", SLICE("alice"), 1000), 0);
    EXPECT_EQ(guard_fail(one, "192.0.2.3", SLICE("alice"), 1000), 250);
    EXPECT(guard_enter(one, "192.0.2.4") == NULL);
    EXPECT(guard_enter(two, "192.0.2.4") == NULL);
    EXPECT(guard_enter(two, "192.0.2.4") != NULL);
    guard_free(one);
    guard_free(two);
    guard_board_free(board);
}

/* The tables forget the oldest, and never those with logins under way. */
TEST(the_table_has_an_end)
{
    struct guard *guard = make(1, 10000, 1);
    char address[TRANSPORT_NETWORK_LEN], authid[16];

    EXPECT(guard_enter(guard, "192.0.2.1") == NULL);
    EXPECT_EQ(guard_fail(guard, "192.0.2.1", SLICE("first"), 1000), 0);
    for (unsigned i = 0; i < GUARD_MAX_ENTRIES + 100; i++) {
        snprintf(address, sizeof(address), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        snprintf(authid, sizeof(authid), "user%u", i);
        EXPECT_EQ(guard_fail(guard, address, slice_of(authid), 1000), 0);
        EXPECT(guard_enter(guard, address) == NULL);
        guard_leave(guard, address);
    }
    EXPECT_EQ(guard_fail(guard, "192.0.2.1", SLICE(""), 1000), 0);
    EXPECT(guard_enter(guard, "192.0.2.1") != NULL);
    EXPECT_EQ(guard_fail(guard, "192.0.2.9", SLICE("first"), 1000), 0);
    EXPECT(guard_fail(guard, "192.0.2.10", slice_of(authid), 1000) != 0);
    guard_free(guard);
}
