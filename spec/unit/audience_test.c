/* audience_test.c -- audiences as values: what they are made of, what they take, who holds them.
 *
 * Whom they let in is tested with sessions, in spec/core/53_audience_*.
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "core/audience.h"
#include "core/limits.h"
#include "core/record.h"
#include "unit.h"
#include "wire/errors.h"

#include <pthread.h>

static struct audience_value text(const char *words)
{
    return (struct audience_value){.token = {.type = TOKEN_TEXT, .text = slice_of(words)}};
}

static struct audience *only(const char *attribute, const char *value)
{
    struct audience_value values[] = {text(value)};
    struct fault fault;

    return audience_only(slice_of(attribute), values, 1, &fault);
}

TEST(a_placeholder_names_an_attribute)
{
    static const char *const others[] = {
        "",           "{session.}",   "{session.org", "session.org}",
        "{session}",  "{ session.x}", "x{session.x}", "{session.x} ",
        "{Session.x}"};

    EXPECT_SLICE(audience_placeholder(SLICE("{session.org}")), SLICE("org"));
    EXPECT_SLICE(audience_placeholder(SLICE("{session.x}")), SLICE("x"));
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        EXPECT(audience_placeholder(slice_of(others[i])).data == NULL);
}

TEST(everything_is_copied)
{
    char *attribute = mem_copy("org", 3), *value = mem_copy("acme", 4);
    struct audience_value values[] = {
        {.token = {.type = TOKEN_TEXT, .text = slice_make(value, 4)}},
        {.is_publishers = true, .token = {.type = TOKEN_TEXT, .text = slice_make(attribute, 3)}}};
    struct fault fault;
    struct audience *audience = audience_only(slice_make(attribute, 3), values, 2, &fault);

    memset(attribute, 0x5a, 3);
    memset(value, 0x5a, 4);
    mem_free(attribute);
    mem_free(value);
    EXPECT(audience != NULL && !audience_is_nobody(audience) && !audience_is_bound(audience));
    EXPECT(!audience_has_tree(audience) && audience_per_session(audience) == 0);
    audience_drop(audience);
}

TEST(nobody_is_known_as_such)
{
    struct fault fault;
    struct audience *nobody = audience_nobody(), *some = only("org", "acme");
    struct audience *none = audience_only(SLICE("org"), NULL, 0, &fault);
    struct audience *all = audience_except(SLICE("org"), NULL, 0, &fault);
    struct audience *both = audience_both(some, none, &fault);
    struct audience *either = audience_either(some, none, &fault);
    struct audience *neither = audience_either(nobody, none, &fault);

    EXPECT(audience_is_nobody(nobody) && audience_is_nobody(none) && audience_is_nobody(both) &&
           audience_is_nobody(neither));
    EXPECT(!audience_is_nobody(some) && !audience_is_nobody(all) && !audience_is_nobody(either));
    EXPECT(audience_size(both) > audience_size(some) + audience_size(none));
    audience_drop(nobody);
    audience_drop(some);
    audience_drop(none);
    audience_drop(all);
    audience_drop(both);
    audience_drop(either);
    audience_drop(neither);
    audience_drop(NULL);
}

TEST(what_is_wrong_is_said)
{
    static struct audience_value many[MAX_FILTER_VALUES + 1];
    struct audience_value list = {.token = {.type = TOKEN_LIST}};
    struct fault fault;

    EXPECT(audience_only(SLICE("org"), &list, 1, &fault) == NULL);
    EXPECT_STR(fault.uri, WAMP_INVALID_ARGUMENT);
    EXPECT_STR(fault.words, "org: value 1: expected a string, a number or a boolean");
    EXPECT(audience_except(SLICE("org"), many, ARRAY_LEN(many), &fault) == NULL);
    EXPECT_STR(fault.words, "org: found 10001 values, at most 10000 are allowed");
}

TEST(a_record_holds_its_audience_and_counts_its_bytes)
{
    struct audience *audience = only("org", "acme");
    const struct msg msg = {.type = MSG_PUBLISH, .text = SLICE("com.x")};
    struct record *plain = record_new(&msg, &(struct record){.publication = 1});
    struct record *record = record_new(&msg, &(struct record){.publication = 1,
                                                              .audience = audience,
                                                              .asks_again = true,
                                                              .details = SLICE("dict")});
    size_t size = audience_size(audience);

    audience_drop(audience);
    EXPECT_EQ(record->size, plain->size + size + 4);
    EXPECT_EQ(record->size, record_size(&record->msg, record));
    EXPECT(record->asks_again && !audience_is_nobody(record->audience));
    EXPECT_SLICE(record->details, SLICE("dict"));
    record_drop(record);
    record_drop(plain);
}

static void *hold_and_drop(void *ctx)
{
    for (unsigned i = 0; i < 20000; i++)
        audience_drop(audience_hold(ctx));
    audience_drop(ctx);
    return NULL;
}

TEST(threads_may_share_one)
{
    struct audience *audience = only("org", "acme");
    pthread_t threads[3];

    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        (void)audience_hold(audience);
        EXPECT_EQ(pthread_create(&threads[i], NULL, hold_and_drop, audience), 0);
    }
    audience_drop(audience);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
}
