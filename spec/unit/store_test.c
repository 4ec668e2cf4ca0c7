/* store_test.c -- the store in memory: by hand, and at random against lists that are searched.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "base/rng.h"
#include "core/store.h"
#include "unit.h"

#define MAX_FOUND 256

/* ---- the store, with shorter words ---- */

static struct store store;

static void open_store(uint32_t max_topics, uint64_t max_bytes)
{
    store = store_memory(&(struct retained_limits){max_topics, max_bytes}, 1, 2);
}

static void close_store(void)
{
    store.ops->check(store.store);
    store.ops->free(store.store);
}

static struct record *make(const char *topic, uint64_t publication, uint64_t wall)
{
    struct msg msg = {.type = MSG_PUBLISH, .text = slice_of(topic)};
    struct record facts = {.publication = publication, .wall = wall};

    return record_new(&msg, &facts);
}

static size_t size_of(const char *topic)
{
    return sizeof(struct record) + strlen(topic);
}

static struct store_log *open_log(enum match match, const char *uri, struct log_limits limits)
{
    char *room = mem_copy(uri, strlen(uri));
    struct store_log *log =
        store.ops->log_open(store.store, match, slice_make(room, strlen(uri)), &limits);

    mem_free(room);
    return log;
}

static void append(struct store_log *log, const char *topic, uint64_t publication, uint64_t now)
{
    struct record *record = make(topic, publication, now);

    store.ops->log_append(store.store, log, record, now);
    record_drop(record);
    store.ops->check(store.store);
}

static struct store_counts counts(void)
{
    struct store_counts result;

    store.ops->count(store.store, &result);
    return result;
}

/* The publications that a query or look-up has found, in order. */
static struct {
    uint64_t publications[MAX_FOUND];
    size_t count;
    size_t topics;
} found;

static void add_found(void *ctx, struct record *record)
{
    (void)ctx;
    if (found.count < MAX_FOUND)
        found.publications[found.count] = record->publication;
    found.count++;
}

static bool is_even(void *ctx, struct record *record)
{
    (void)ctx;
    return record->publication % 2 == 0;
}

static struct log_answer ask(struct store_log *log, struct log_query query, uint64_t now)
{
    struct log_answer answer;

    found.count = 0;
    query.found = add_found;
    store.ops->log_query(store.store, log, &query, now, &answer);
    store.ops->check(store.store);
    return answer;
}

static void expect_found(const uint64_t *expected, size_t count)
{
    EXPECT_EQ(found.count, count);
    for (size_t i = 0; i < count && i < found.count; i++)
        EXPECT_EQ(found.publications[i], expected[i]);
}

#define EXPECT_FOUND(...)                         \
    expect_found((const uint64_t[]){__VA_ARGS__}, \
                 sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

#define EVER .until_wall = UINT64_MAX
#define ANY  EVER, .limit = 1000

/* ---- logs by hand ---- */

TEST(a_log_drops_the_oldest_events_by_count)
{
    struct store_log *log;

    open_store(1, 1);
    log = open_log(MATCH_PREFIX, "com.", (struct log_limits){.max_events = 3});
    append(log, "com.a", 11, 1);
    append(log, "com.b", 12, 2);
    append(log, "com.c", 13, 3);
    EXPECT(!ask(log, (struct log_query){ANY}, 3).is_full);
    EXPECT_FOUND(11, 12, 13);
    append(log, "com.d", 14, 4);
    EXPECT(ask(log, (struct log_query){ANY}, 4).is_full);
    EXPECT_FOUND(12, 13, 14);
    EXPECT_EQ(counts().logged, 3);
    EXPECT_EQ(counts().logged_bytes, 3 * size_of("com.a"));
    store.ops->log_close(store.store, log);
    EXPECT_EQ(counts().logged, 0);
    EXPECT_EQ(counts().logged_bytes, 0);
    close_store();
}

TEST(a_log_of_one_event)
{
    struct store_log *log;

    open_store(1, 1);
    log = open_log(MATCH_EXACT, "com.a", (struct log_limits){.max_events = 1});
    ask(log, (struct log_query){ANY}, 0);
    EXPECT_EQ(found.count, 0);
    append(log, "com.a", 11, 1);
    append(log, "com.a", 12, 1);
    EXPECT(ask(log, (struct log_query){ANY}, 1).is_full);
    EXPECT_FOUND(12);
    close_store();
}

TEST(a_log_drops_by_bytes_but_not_for_what_never_fits)
{
    char longer[] = "com.a_topic_that_takes_as_many_bytes_as_it_takes_not_to_fit_next_to_another";
    struct store_log *log;

    open_store(1, 1);
    log = open_log(MATCH_PREFIX, "com.",
                   (struct log_limits){.max_events = 9, .max_bytes = 2 * size_of("com.a")});
    append(log, "com.a", 11, 1);
    append(log, "com.b", 12, 2);
    append(log, "com.c", 13, 3);
    ask(log, (struct log_query){ANY}, 3);
    EXPECT_FOUND(12, 13);
    append(log, longer, 14, 4);
    ask(log, (struct log_query){ANY}, 4);
    EXPECT_FOUND(14);
    store.ops->log_close(store.store, log);

    log = open_log(MATCH_PREFIX, "com.",
                   (struct log_limits){.max_events = 9, .max_bytes = size_of("com.a")});
    append(log, "com.a", 11, 1);
    append(log, longer, 12, 2);
    EXPECT(ask(log, (struct log_query){ANY}, 2).is_full);
    EXPECT_FOUND(11);
    close_store();
}

TEST(events_grow_too_old_while_nothing_is_appended)
{
    struct store_log *log;

    open_store(1, 1);
    log = open_log(MATCH_EXACT, "com.a", (struct log_limits){.max_events = 9, .max_age_s = 10});
    append(log, "com.a", 11, 1000);
    append(log, "com.a", 12, 2000);
    EXPECT(!ask(log, (struct log_query){ANY}, 11000).is_full);
    EXPECT_FOUND(11, 12);
    EXPECT(ask(log, (struct log_query){ANY}, 11001).is_full);
    EXPECT_FOUND(12);
    EXPECT(ask(log, (struct log_query){ANY}, UINT64_MAX).is_full);
    EXPECT_EQ(found.count, 0);
    close_store();
}

TEST(a_clock_that_is_set_back_does_not_keep_events_for_ever)
{
    struct store_log *log;

    open_store(1, 1);
    log = open_log(MATCH_EXACT, "com.a", (struct log_limits){.max_events = 9, .max_age_s = 10});
    append(log, "com.a", 11, 1000);
    append(log, "com.a", 12, UINT64_C(99000000));
    ask(log, (struct log_query){ANY}, 99000000);
    EXPECT_FOUND(12);
    append(log, "com.a", 13, 2000);
    append(log, "com.a", 14, 9000);
    ask(log, (struct log_query){ANY}, 9000);
    EXPECT_FOUND(12, 13, 14);
    ask(log, (struct log_query){ANY}, 12000);
    EXPECT_FOUND(12, 13, 14);
    ask(log, (struct log_query){ANY}, 12001);
    EXPECT_FOUND(14);
    ask(log, (struct log_query){ANY}, 0);
    EXPECT_FOUND(14);
    close_store();
}

static struct store_log *open_log_of_five(void)
{
    struct store_log *log;

    open_store(1, 1);
    log = open_log(MATCH_PREFIX, "com.", (struct log_limits){.max_events = 5});
    append(log, "com.gone", 98, 1);
    append(log, "com.gone", 99, 2);
    append(log, "com.a", 15, 100);
    append(log, "com.b", 12, 200);
    append(log, "com.a", 14, 300);
    append(log, "com.b", 11, 400);
    append(log, "com.a", 13, 500);
    return log;
}

TEST(times_are_included_on_both_sides)
{
    struct store_log *log = open_log_of_five();

    ask(log, (struct log_query){.limit = 9, .from_wall = 200, .until_wall = 400}, 500);
    EXPECT_FOUND(12, 14, 11);
    ask(log, (struct log_query){.limit = 9, .from_wall = 201, .until_wall = 399}, 500);
    EXPECT_FOUND(14);
    ask(log, (struct log_query){.limit = 9, .from_wall = 501, .until_wall = UINT64_MAX}, 500);
    EXPECT_EQ(found.count, 0);
    ask(log, (struct log_query){.limit = 9, .from_wall = 400, .until_wall = 200}, 500);
    EXPECT_EQ(found.count, 0);
    close_store();
}

TEST(publications_are_positions)
{
    struct store_log *log = open_log_of_five();

    ask(log, (struct log_query){ANY, .from_publication = 14}, 500);
    EXPECT_FOUND(14, 11, 13);
    ask(log, (struct log_query){ANY, .after_publication = 14}, 500);
    EXPECT_FOUND(11, 13);
    ask(log, (struct log_query){ANY, .until_publication = 14}, 500);
    EXPECT_FOUND(15, 12, 14);
    ask(log, (struct log_query){ANY, .before_publication = 14}, 500);
    EXPECT_FOUND(15, 12);
    ask(log, (struct log_query){ANY, .before_publication = 14, .is_reverse = true}, 500);
    EXPECT_FOUND(12, 15);
    ask(log, (struct log_query){ANY, .from_publication = 12, .after_publication = 15}, 500);
    EXPECT_FOUND(12, 14, 11, 13);
    ask(log, (struct log_query){ANY, .until_publication = 12, .before_publication = 13}, 500);
    EXPECT_FOUND(15, 12);
    ask(log, (struct log_query){ANY, .from_publication = 14, .before_publication = 14}, 500);
    EXPECT_EQ(found.count, 0);
    ask(log, (struct log_query){ANY, .after_publication = 13}, 500);
    EXPECT_EQ(found.count, 0);
    ask(log, (struct log_query){ANY, .before_publication = 15}, 500);
    EXPECT_EQ(found.count, 0);
    close_store();
}

TEST(publications_that_the_log_does_not_have)
{
    struct store_log *log = open_log_of_five();

    ask(log, (struct log_query){ANY, .from_publication = 99}, 500);
    EXPECT_EQ(found.count, 0);
    EXPECT(ask(log, (struct log_query){ANY, .after_publication = 99}, 500).is_full);
    EXPECT_EQ(found.count, 0);
    ask(log, (struct log_query){ANY, .until_publication = 99}, 500);
    EXPECT_FOUND(15, 12, 14, 11, 13);
    ask(log, (struct log_query){ANY, .before_publication = 99}, 500);
    EXPECT_FOUND(15, 12, 14, 11, 13);
    close_store();
}

TEST(conditions_come_before_the_order_and_the_order_before_the_limit)
{
    struct store_log *log = open_log_of_five();

    EXPECT(ask(log, (struct log_query){EVER, .limit = 2, .topic = SLICE("com.a")}, 500).is_more);
    EXPECT_FOUND(15, 14);
    EXPECT(!ask(log, (struct log_query){EVER, .limit = 3, .topic = SLICE("com.a")}, 500).is_more);
    EXPECT_FOUND(15, 14, 13);
    EXPECT(ask(log, (struct log_query){EVER, .limit = 2, .is_reverse = true}, 500).is_more);
    EXPECT_FOUND(13, 11);
    EXPECT(ask(log, (struct log_query){EVER, .limit = 1, .wants = is_even}, 500).is_more);
    EXPECT_FOUND(12);
    EXPECT(!ask(log, (struct log_query){EVER, .limit = 2, .wants = is_even}, 500).is_more);
    EXPECT_FOUND(12, 14);
    EXPECT(ask(log, (struct log_query){EVER, .limit = 0}, 500).is_more);
    EXPECT_EQ(found.count, 0);
    ask(log, (struct log_query){ANY, .topic = SLICE("com.")}, 500);
    EXPECT_EQ(found.count, 0);
    close_store();
}

TEST(a_log_without_room_for_any_event_is_a_mistake_of_ours)
{
    open_store(1, 1);
    EXPECT_ABORT(open_log(MATCH_EXACT, "com.a", (struct log_limits){0}));
    close_store();
}

TEST(an_event_of_another_topic_is_a_mistake_of_ours)
{
    struct store_log *log;

    open_store(1, 1);
    log = open_log(MATCH_WILDCARD, "com..x", (struct log_limits){.max_events = 1});
    EXPECT_ABORT(append(log, "com.a.y", 1, 1));
    close_store();
}

/* ---- retained events by hand ---- */

static bool retain(const char *topic, uint64_t publication, bool is_restricted)
{
    struct record *record = make(topic, publication, 1);
    bool is_kept;

    record->is_restricted = is_restricted;
    is_kept = store.ops->retain(store.store, record);
    record_drop(record);
    store.ops->check(store.store);
    return is_kept;
}

static void add_topic(void *ctx, struct slice topic, struct record *const *newest_first,
                      size_t count)
{
    found.topics++;
    EXPECT(count != 0);
    for (size_t i = 0; i < count; i++) {
        EXPECT_SLICE(newest_first[i]->msg.text, topic);
        add_found(ctx, newest_first[i]);
    }
}

static void look(enum match match, struct slice uri, size_t limit)
{
    found.count = found.topics = 0;
    store.ops->retained(store.store, match, uri, limit, add_topic, NULL);
}

TEST(an_event_for_everybody_replaces_all_of_its_topic)
{
    open_store(10, 1000000);
    EXPECT(retain("com.a", 11, false));
    EXPECT(retain("com.a", 12, true));
    EXPECT(retain("com.a", 13, true));
    look(MATCH_EXACT, SLICE("com.a"), 1);
    EXPECT_FOUND(13, 12, 11);
    EXPECT(retain("com.a", 14, false));
    look(MATCH_EXACT, SLICE("com.a"), 1);
    EXPECT_FOUND(14);
    EXPECT_EQ(counts().retained, 1);
    look(MATCH_EXACT, SLICE("com.b"), 1);
    EXPECT_EQ(found.count, 0);
    look(MATCH_EXACT, SLICE("com.a"), 0);
    EXPECT_EQ(found.count, 0);
    close_store();
}

TEST(the_newest_restricted_events_are_kept)
{
    for (int with_universal = 0; with_universal < 2; with_universal++) {
        open_store(10, 1000000);
        if (with_universal)
            EXPECT(retain("com.a", 1000, false));
        for (uint64_t i = 0; i < 3 * MAX_RESTRICTED; i++)
            EXPECT(retain("com.a", i, true));
        look(MATCH_EXACT, SLICE("com.a"), 1);
        EXPECT_EQ(found.count, MAX_RESTRICTED + with_universal);
        for (size_t i = 0; i < MAX_RESTRICTED; i++)
            EXPECT_EQ(found.publications[i], 3 * MAX_RESTRICTED - 1 - i);
        if (with_universal)
            EXPECT_EQ(found.publications[MAX_RESTRICTED], 1000);
        close_store();
    }
}

TEST(patterns_find_topics_in_the_order_of_their_updates)
{
    open_store(10, 1000000);
    EXPECT(retain("com.a.x", 11, false));
    EXPECT(retain("com.b.x", 12, false));
    EXPECT(retain("com.c.y", 13, false));
    EXPECT(retain("com.a.x", 14, true));
    look(MATCH_PREFIX, SLICE("com."), 10);
    EXPECT_FOUND(12, 13, 14, 11);
    EXPECT_EQ(found.topics, 3);
    look(MATCH_WILDCARD, SLICE("com..x"), 10);
    EXPECT_FOUND(12, 14, 11);
    look(MATCH_PREFIX, SLICE("com."), 2);
    EXPECT_FOUND(12, 13);
    look(MATCH_PREFIX, SLICE(""), 0);
    EXPECT_EQ(found.count, 0);
    store.ops->forget(store.store, SLICE("com.b.x"));
    store.ops->forget(store.store, SLICE("com.nobody"));
    look(MATCH_PREFIX, SLICE("com."), 10);
    EXPECT_FOUND(13, 14, 11);
    EXPECT_EQ(counts().retained_topics, 2);
    EXPECT_EQ(counts().retained_bytes, 3 * size_of("com.a.x"));
    close_store();
}

TEST(what_does_not_fit_changes_nothing)
{
    open_store(2, 3 * size_of("com.a"));
    EXPECT(retain("com.a", 11, false));
    EXPECT(retain("com.b", 12, false));
    EXPECT(!retain("com.c", 13, false)); /* topics */
    EXPECT(retain("com.a", 14, true));
    EXPECT(!retain("com.b", 15, true)); /* bytes */
    look(MATCH_PREFIX, SLICE("com."), 10);
    EXPECT_FOUND(12, 14, 11);
    EXPECT(retain("com.b", 16, false));
    EXPECT(retain("com.a", 17, false));
    EXPECT_EQ(counts().retained, 2);
    store.ops->forget(store.store, SLICE("com.b"));
    EXPECT(retain("com.c", 18, false));
    look(MATCH_PREFIX, SLICE("com."), 10);
    EXPECT_FOUND(17, 18);
    close_store();
}

TEST(an_event_that_is_retained_again)
{
    struct record *record = make("com.a", 11, 1);

    open_store(1, size_of("com.a"));
    for (int i = 0; i < 3; i++)
        EXPECT(store.ops->retain(store.store, record));
    EXPECT_EQ(record->refs, 2);
    close_store();
    EXPECT_EQ(record->refs, 1);
    record_drop(record);
}

TEST(limits_of_zero_retain_nothing)
{
    open_store(0, 1000000);
    EXPECT(!retain("com.a", 11, false));
    close_store();
    open_store(10, 0);
    EXPECT(!retain("com.a", 11, false));
    close_store();
}

TEST(a_record_lives_as_long_as_anything_keeps_it)
{
    struct store_log *one, *two;
    struct record *record = make("com.a", 11, 1);

    open_store(10, 1000000);
    one = open_log(MATCH_EXACT, "com.a", (struct log_limits){.max_events = 1});
    two = open_log(MATCH_PREFIX, "com", (struct log_limits){.max_events = 1});
    store.ops->log_append(store.store, one, record, 1);
    store.ops->log_append(store.store, two, record, 1);
    EXPECT(store.ops->retain(store.store, record));
    EXPECT_EQ(record->refs, 4);
    EXPECT_EQ(counts().logged_bytes, 2 * record->size);
    append(one, "com.a", 12, 2);
    EXPECT_EQ(record->refs, 3);
    store.ops->forget(store.store, SLICE("com.a"));
    store.ops->log_close(store.store, two);
    EXPECT_EQ(record->refs, 1);
    record_drop(record);
    close_store();
}
