/* filter_test.c -- sets of eligible and excluded sessions against their definition.
 *
 * Options are made here without a message: the lists are encoded in the three serializers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/arena.h"
#include "base/rng.h"
#include "core/filter.h"
#include "core/limits.h"
#include "unit.h"
#include "wire/errors.h"

#define MAX_LIST 200

/* One option as numbers: session ids, or values of an attribute. */
struct list_option {
    bool is_eligible, by_session;
    unsigned key;
    uint64_t values[MAX_LIST];
    size_t count;
};

static const char *const key_names[] = {"team", "level", "org", "nobody_has_it"};

struct kit {
    struct intern intern;
    struct arena arena;
    struct rng rng;
    uint64_t seed;
};

static void kit_init(struct kit *kit, uint64_t seed)
{
    kit->seed = seed;
    rng_init(&kit->rng, rng_fill_seeded, &kit->seed);
    intern_init(&kit->intern, 1, 2);
    arena_init(&kit->arena);
}

static void kit_fini(struct kit *kit)
{
    intern_fini(&kit->intern);
    arena_fini(&kit->arena);
}

static struct slice encode_values(struct kit *kit, enum codec codec, const uint64_t *values,
                                  size_t count)
{
    struct encoder e;
    struct blob *blob;
    struct slice copy;

    encode_start(&e, codec, 64);
    encode_list(&e, count);
    for (size_t i = 0; i < count; i++)
        encode_uint(&e, values[i]);
    encode_end(&e);
    blob = encode_finish(&e);
    copy = arena_copy(&kit->arena, blob_slice(blob));
    blob_drop(blob);
    return copy;
}

/* ---- by definition ---- */

static bool is_in(const struct list_option *option, uint64_t value)
{
    for (size_t i = 0; i < option->count; i++)
        if (option->values[i] == value)
            return true;
    return false;
}

/* `tags` has one bit for each value of each of the three attributes. */
static bool is_listed(const struct list_option *option, uint64_t session, const uint32_t *tags)
{
    if (option->by_session)
        return is_in(option, session);
    if (option->key == 3)
        return false;
    for (unsigned value = 0; value < 32; value++)
        if ((tags[option->key] >> value & 1) != 0 && is_in(option, value))
            return true;
    return false;
}

/* ---- random options and sessions ---- */

static void random_option(struct rng *rng, struct list_option *option)
{
    static const size_t lengths[] = {0, 1, 7, 8, 9, 17, MAX_LIST};
    size_t most = lengths[rng_below(rng, ARRAY_LEN(lengths))];

    option->is_eligible = rng_below(rng, 2) == 0;
    option->by_session = rng_below(rng, 3) == 0;
    option->key = (unsigned)rng_below(rng, ARRAY_LEN(key_names));
    option->count = most;
    for (size_t i = 0; i < most; i++)
        option->values[i] = option->by_session ? 1 + rng_below(rng, 64) : rng_below(rng, 48);
}

static void fill(struct kit *kit, enum codec codec, const struct list_option *from,
                 struct filter_option *to)
{
    *to = (struct filter_option){.is_eligible = from->is_eligible,
                                 .by_session = from->by_session,
                                 .attribute = from->by_session ? (struct slice){0}
                                                               : slice_of(key_names[from->key]),
                                 .values = encode_values(kit, codec, from->values, from->count)};
}

static void random_session(struct kit *kit, struct session *session, struct tag *room,
                           uint32_t *tags)
{
    *session = (struct session){.id = 1 + rng_below(&kit->rng, 64), .tags = room};
    for (unsigned key = 0; key < 3; key++) {
        tags[key] = (uint32_t)(rng_u64(&kit->rng) & rng_u64(&kit->rng) & rng_u64(&kit->rng));
        for (unsigned value = 0; value < 32; value++) {
            struct token token = {.type = TOKEN_UINT, .natural = value};

            if ((tags[key] >> value & 1) != 0)
                room[session->tag_count++] =
                    (struct tag){intern_text(&kit->intern, slice_of(key_names[key])),
                                 intern_token(&kit->intern, &token)};
        }
    }
}

static void forget_session(struct kit *kit, const struct session *session)
{
    for (uint32_t i = 0; i < session->tag_count; i++) {
        intern_drop(&kit->intern, session->tags[i].key);
        intern_drop(&kit->intern, session->tags[i].value);
    }
}

static void check_random(struct kit *kit, bool empty_is_absent)
{
    enum codec codec = (enum codec)rng_below(&kit->rng, CODEC_COUNT);
    struct list_option lists[3];
    struct filter_option filters[3];
    struct options options = {.filters = filters,
                              .filter_count = (unsigned)rng_below(&kit->rng, 4)};
    struct session session;
    struct tag room[96];
    uint32_t tags[3];
    struct filter_set set;
    struct fault fault;
    bool expected = true;

    random_session(kit, &session, room, tags);
    for (unsigned i = 0; i < options.filter_count; i++) {
        random_option(&kit->rng, &lists[i]);
        fill(kit, codec, &lists[i], &filters[i]);
        if (lists[i].count != 0 || (lists[i].is_eligible && !empty_is_absent))
            expected = expected && is_listed(&lists[i], session.id, tags) == lists[i].is_eligible;
    }
    EXPECT_EQ(
        filters_build(&set, &options, codec, &kit->intern, empty_is_absent, &kit->arena, &fault),
        0);
    EXPECT_EQ(filters_pass(&set, &session), expected);
    forget_session(kit, &session);
    arena_reset(&kit->arena);
}

TEST(random_filters_do_what_they_are_defined_to)
{
    struct kit kit;

    kit_init(&kit, 11);
    for (unsigned i = 0; i < 20000; i++)
        check_random(&kit, i % 2 == 0);
    kit_fini(&kit);
}

/* ---- bounds ---- */

static int build(struct kit *kit, const char *attribute, size_t count, struct fault *fault)
{
    struct filter_option filter = {.by_session = attribute == NULL,
                                   .attribute = slice_of(attribute)};
    struct options options = {.filters = &filter, .filter_count = 1};
    static uint64_t values[MAX_FILTER_VALUES + 1];
    struct filter_set set;

    for (size_t i = 0; i < count; i++)
        values[i] = i + 1;
    filter.values = encode_values(kit, CODEC_CBOR, values, count);
    return filters_build(&set, &options, CODEC_CBOR, &kit->intern, false, &kit->arena, fault);
}

TEST(a_list_has_at_most_ten_thousand_values)
{
    struct kit kit;
    struct fault fault;

    kit_init(&kit, 1);
    EXPECT_EQ(build(&kit, NULL, MAX_FILTER_VALUES, &fault), 0);
    EXPECT_EQ(build(&kit, "team", MAX_FILTER_VALUES, &fault), 0);
    EXPECT_EQ(build(&kit, "team", MAX_FILTER_VALUES + 1, &fault), ERR_TOO_LONG);
    EXPECT_STR(fault.uri, WAMP_OPTION_NOT_ALLOWED);
    EXPECT(strstr(fault.words, "exclude_team") != NULL);
    EXPECT_EQ(build(&kit, NULL, MAX_FILTER_VALUES + 1, &fault), ERR_TOO_LONG);
    EXPECT(strstr(fault.words, "exclude:") != NULL);
    kit_fini(&kit);
}

TEST(there_are_at_most_thirty_two_filters)
{
    struct kit kit;
    struct fault fault;
    struct filter_set set;
    struct filter_option filters[MAX_FILTERS];
    struct options options = {.filters = filters, .filter_count = MAX_FILTERS};

    kit_init(&kit, 1);
    for (size_t i = 0; i < MAX_FILTERS; i++)
        filters[i] = (struct filter_option){.attribute = SLICE("x"),
                                            .values = encode_values(&kit, CODEC_JSON, NULL, 0)};
    EXPECT_EQ(filters_build(&set, &options, CODEC_JSON, &kit.intern, false, &kit.arena, &fault), 0);
    for (options.filter_count = MAX_FILTERS + 1; options.filter_count < 100;
         options.filter_count += 30) {
        EXPECT_EQ(filters_build(&set, &options, CODEC_JSON, &kit.intern, false, &kit.arena, &fault),
                  ERR_TOO_LONG);
        EXPECT_STR(fault.uri, WAMP_OPTION_NOT_ALLOWED);
    }
    kit_fini(&kit);
}

/* Ids that fall onto one another in the table, and the largest there are. */
TEST(large_ids_are_told_apart)
{
    struct kit kit;
    uint64_t values[64];
    struct filter_option filter = {.is_eligible = true, .by_session = true};
    struct options options = {.filters = &filter, .filter_count = 1};
    struct session session = {0};
    struct filter_set set;
    struct fault fault;

    kit_init(&kit, 1);
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        values[i] = WAMP_ID_MAX - i * 32;
    filter.values = encode_values(&kit, CODEC_MSGPACK, values, ARRAY_LEN(values));
    EXPECT_EQ(filters_build(&set, &options, CODEC_MSGPACK, &kit.intern, false, &kit.arena, &fault),
              0);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        session.id = values[i];
        EXPECT(filters_pass(&set, &session));
        session.id = values[i] - 1;
        EXPECT(!filters_pass(&set, &session));
    }
    kit_fini(&kit);
}
