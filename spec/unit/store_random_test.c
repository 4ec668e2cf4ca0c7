/* store_random_test.c -- the store in memory against lists that are searched from end to end.
 *
 * The model keeps everything in plain arrays, oldest first, and goes by the words of store.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "base/rng.h"
#include "core/store.h"
#include "unit.h"

#define MAX_EVENTS 64 /* in a log or topic of the model */
#define LOGS       4
#define TOPICS     12

static struct store store;
static struct rng rng;
static uint64_t now; /* a clock that goes on, and now and then jumps */

static uint64_t below(uint64_t bound)
{
    return rng_below(&rng, bound);
}

static bool one_in(uint64_t n)
{
    return below(n) == 0;
}

static struct slice topic_at(size_t i)
{
    static const char *const topics[TOPICS] = {"a.b",   "a.bb",  "a.b.c", "a.c.c",  "b.b.c", "a",
                                               "b.c.c", "a.a.a", "c.b.c", "a.bc.c", "b",     "b.b"};

    return slice_of(topics[i]);
}

static struct slice random_topic(void)
{
    return topic_at(below(TOPICS));
}

/* With a reference of the caller, and a payload of any length up to 300. */
static struct record *random_record(struct slice topic)
{
    static uint64_t last_publication;
    static const char zeros[300];
    struct msg msg = {.type = MSG_PUBLISH,
                      .text = topic,
                      .payload = {.kind = PAYLOAD_ARGS, .args = {zeros, below(300)}}};
    struct record facts = {
        .wall = now, .publication = ++last_publication, .is_restricted = one_in(2)};

    return record_new(&msg, &facts);
}

static void move_clock(void)
{
    if (one_in(200))
        now = below(200000);
    else if (one_in(20))
        now -= now < 3000 ? 0 : below(3000);
    else
        now += below(1000);
}

/* ---- the model ---- */

struct events {
    struct record *records[MAX_EVENTS + 1]; /* counted; the oldest first */
    size_t count;
};

static uint64_t bytes_of(const struct events *events)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < events->count; i++)
        bytes += events->records[i]->size;
    return bytes;
}

static void take_out(struct events *events, size_t at)
{
    record_drop(events->records[at]);
    events->count--;
    for (size_t i = at; i < events->count; i++)
        events->records[i] = events->records[i + 1];
}

static void add(struct events *events, struct record *record)
{
    events->records[events->count++] = record_hold(record);
}

static void clear(struct events *events)
{
    while (events->count != 0)
        take_out(events, 0);
}

/* ---- logs ---- */

struct model_log {
    struct store_log *log; /* NULL: closed */
    struct log_limits limits;
    enum match match;
    struct slice uri;
    struct events events;
    bool has_dropped;
};

static struct model_log logs[LOGS];

static void open_model_log(struct model_log *log, size_t i)
{
    static const struct {
        enum match match;
        const char *uri;
    } patterns[LOGS] = {
        {MATCH_EXACT, "a.b"}, {MATCH_PREFIX, "a."}, {MATCH_WILDCARD, "..c"}, {MATCH_PREFIX, ""}};

    *log = (struct model_log){.match = patterns[i].match, .uri = slice_of(patterns[i].uri)};
    log->limits.max_events = (uint32_t)(1 + below(one_in(3) ? 4 : MAX_EVENTS));
    log->limits.max_age_s = (uint32_t)(one_in(2) ? 0 : 1 + below(20));
    log->limits.max_bytes = one_in(2) ? 0 : 1 + below(20 * (sizeof(struct record) + 300));
    log->log = store.ops->log_open(store.store, log->match, log->uri, &log->limits);
}

static void close_model_log(struct model_log *log)
{
    store.ops->log_close(store.store, log->log);
    log->log = NULL;
    clear(&log->events);
}

static void drop_model_oldest(struct model_log *log)
{
    take_out(&log->events, 0);
    log->has_dropped = true;
}

/* What is too old goes, and all that came before it. */
static void drop_model_aged(struct model_log *log)
{
    size_t gone = 0;

    for (size_t i = 0; i < log->events.count; i++) {
        uint64_t wall = log->events.records[i]->wall;

        if (log->limits.max_age_s != 0 && now > wall && now - wall > log->limits.max_age_s * 1000)
            gone = i + 1;
    }
    while (gone-- > 0)
        drop_model_oldest(log);
}

static void append_to_model(struct model_log *log, struct record *record)
{
    uint64_t max_bytes = log->limits.max_bytes;

    if (max_bytes != 0 && record->size > max_bytes) {
        log->has_dropped = true;
    } else {
        add(&log->events, record);
        while (log->events.count > log->limits.max_events ||
               (max_bytes != 0 && bytes_of(&log->events) > max_bytes))
            drop_model_oldest(log);
    }
    drop_model_aged(log);
}

static void random_append(void)
{
    struct record *record = random_record(random_topic());

    for (size_t i = 0; i < LOGS; i++) {
        if (logs[i].log == NULL || !uri_matches(logs[i].uri, logs[i].match, record->msg.text))
            continue;
        store.ops->log_append(store.store, logs[i].log, record, now);
        append_to_model(&logs[i], record);
    }
    record_drop(record);
}

/* Which position a publication has; `absent` when the log does not have it. */
static size_t position_of(const struct events *events, uint64_t publication, size_t absent)
{
    for (size_t i = 0; i < events->count; i++)
        if (events->records[i]->publication == publication)
            return i;
    return absent;
}

static bool is_in_range(const struct events *events, const struct log_query *q, size_t at)
{
    size_t from = position_of(events, q->from_publication, SIZE_MAX);
    size_t after = position_of(events, q->after_publication, SIZE_MAX);
    size_t until = position_of(events, q->until_publication, SIZE_MAX);
    size_t before = position_of(events, q->before_publication, SIZE_MAX);

    return (q->from_publication == 0 || at >= from) && (q->after_publication == 0 || at > after) &&
           at <= until && at < before;
}

static bool matches(const struct events *events, const struct log_query *q, size_t at)
{
    struct record *record = events->records[at];

    return is_in_range(events, q, at) && record->wall >= q->from_wall &&
           record->wall <= q->until_wall &&
           (q->topic.data == NULL || slice_eq(q->topic, record->msg.text)) &&
           (q->wants == NULL || q->wants(q->ctx, record));
}

static void add_found(void *ctx, struct record *record)
{
    struct events *found = ctx;

    if (found->count < MAX_EVENTS)
        found->records[found->count] = record;
    found->count++;
}

static bool wants_some(void *ctx, struct record *record)
{
    (void)ctx;
    return record->publication % 3 != 0;
}

static uint64_t random_publication(const struct events *events)
{
    if (!one_in(4) || events->count == 0)
        return 0;
    return one_in(8) ? UINT64_C(1) << 50 : events->records[below(events->count)]->publication;
}

static struct log_query random_query(const struct events *events, struct events *found)
{
    struct log_query q = {.is_reverse = one_in(2),
                          .limit = one_in(2) ? 1000 : below(10),
                          .from_wall = one_in(3) ? now - below(now + 1) : 0,
                          .until_wall = one_in(3) ? now - below(5000) % (now + 1) : UINT64_MAX,
                          .wants = one_in(3) ? wants_some : NULL,
                          .found = add_found,
                          .ctx = found};

    if (one_in(3))
        q.topic = random_topic();
    q.from_publication = random_publication(events);
    q.after_publication = random_publication(events);
    q.until_publication = random_publication(events);
    q.before_publication = random_publication(events);
    return q;
}

static void random_log_query(struct model_log *log)
{
    struct events found = {.count = 0};
    struct log_query q = random_query(&log->events, &found);
    struct log_answer answer;
    size_t count = 0;

    store.ops->log_query(store.store, log->log, &q, now, &answer);
    drop_model_aged(log);
    for (size_t i = 0; i < log->events.count; i++) {
        size_t at = q.is_reverse ? log->events.count - 1 - i : i;

        if (!matches(&log->events, &q, at))
            continue;
        if (count < q.limit)
            EXPECT(count < found.count && found.records[count] == log->events.records[at]);
        count++;
    }
    EXPECT_EQ(found.count, count < q.limit ? count : q.limit);
    EXPECT_EQ(answer.is_more, count > q.limit);
    EXPECT_EQ(answer.is_full, log->has_dropped);
}

/* ---- retained events ---- */

static struct {
    struct retained_limits limits;
    struct events events[TOPICS];
    uint64_t updated[TOPICS]; /* when, in steps */
} kept;

static uint64_t kept_bytes(void)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < TOPICS; i++)
        bytes += bytes_of(&kept.events[i]);
    return bytes;
}

static size_t kept_topics(void)
{
    size_t count = 0;

    for (size_t i = 0; i < TOPICS; i++)
        count += kept.events[i].count != 0;
    return count;
}

/* What a topic would hold with this record. */
static struct events with_record(const struct events *events, struct record *record)
{
    struct events result = {.count = 0};
    size_t restricted = 0;

    for (size_t i = 0; i < events->count && record->is_restricted; i++)
        add(&result, events->records[i]);
    add(&result, record);
    for (size_t i = 0; i < result.count; i++)
        restricted += result.records[i]->is_restricted;
    if (restricted > MAX_RESTRICTED)
        take_out(&result, result.records[0]->is_restricted ? 0 : 1);
    return result;
}

static void random_retain(uint64_t step)
{
    size_t i = one_in(2) ? below(2) : below(TOPICS);
    struct record *record = random_record(topic_at(i));
    struct events after;
    bool fits;

    record->is_restricted = !one_in(12);
    after = with_record(&kept.events[i], record);
    fits = kept_bytes() - bytes_of(&kept.events[i]) + bytes_of(&after) <= kept.limits.max_bytes &&
           (kept.events[i].count != 0 || kept_topics() < kept.limits.max_topics);
    EXPECT_EQ(store.ops->retain(store.store, record), fits);
    if (fits) {
        clear(&kept.events[i]);
        kept.events[i] = after;
        kept.updated[i] = step;
    } else {
        clear(&after);
    }
    record_drop(record);
}

static void random_forget(void)
{
    size_t i = below(TOPICS);

    store.ops->forget(store.store, topic_at(i));
    clear(&kept.events[i]);
}

struct visit {
    enum match match;
    struct slice uri;
    uint64_t updated; /* of the topic before */
    size_t topics;
};

static void check_topic(void *ctx, struct slice topic, struct record *const *newest_first,
                        size_t count)
{
    struct visit *visit = ctx;
    size_t at = 0;

    while (at < TOPICS && !slice_eq(topic_at(at), topic))
        at++;
    EXPECT(at < TOPICS && count == kept.events[at].count);
    if (at == TOPICS || count != kept.events[at].count)
        return;
    EXPECT(uri_matches(visit->uri, visit->match, topic));
    EXPECT(kept.updated[at] > visit->updated);
    visit->updated = kept.updated[at];
    visit->topics++;
    for (size_t i = 0; i < count; i++)
        EXPECT(newest_first[i] == kept.events[at].records[count - 1 - i]);
}

static void random_look(void)
{
    static const char *const patterns[] = {"", "a", "a.b", "..c", "a..c", "b..", "a.b.c", "."};
    struct visit visit = {.match = (enum match)below(MATCH_COUNT),
                          .uri = slice_of(patterns[below(ARRAY_LEN(patterns))])};
    size_t limit = one_in(2) ? 1000 : below(5), count = 0;

    store.ops->retained(store.store, visit.match, visit.uri, limit, check_topic, &visit);
    for (size_t i = 0; i < TOPICS; i++)
        count += kept.events[i].count != 0 && uri_matches(visit.uri, visit.match, topic_at(i));
    EXPECT_EQ(visit.topics, count < limit ? count : limit);
}

/* ---- the whole ---- */

static void check_counts(void)
{
    uint64_t logged = 0, logged_bytes = 0, retained = 0;
    struct store_counts counts;

    for (size_t i = 0; i < LOGS; i++) {
        logged += logs[i].events.count;
        logged_bytes += bytes_of(&logs[i].events);
    }
    for (size_t i = 0; i < TOPICS; i++)
        retained += kept.events[i].count;
    store.ops->count(store.store, &counts);
    store.ops->check(store.store);
    EXPECT_EQ(counts.logged, logged);
    EXPECT_EQ(counts.logged_bytes, logged_bytes);
    EXPECT_EQ(counts.retained, retained);
    EXPECT_EQ(counts.retained_bytes, kept_bytes());
    EXPECT_EQ(counts.retained_topics, kept_topics());
}

static void random_step(uint64_t step)
{
    struct model_log *log = &logs[below(LOGS)];

    move_clock();
    if (log->log == NULL)
        open_model_log(log, (size_t)(log - logs));
    else if (one_in(500))
        close_model_log(log);
    else if (one_in(4))
        random_log_query(log);
    else
        random_append();

    if (one_in(30))
        random_forget();
    else if (one_in(3))
        random_look();
    else
        random_retain(step);
    check_counts();
}

/* The store is gone: only the logs and topics of the model hold the records now. */
static void clear_last(struct events *events)
{
    for (size_t at = 0; at < events->count; at++) {
        unsigned holders = 0;

        for (size_t i = 0; i < LOGS + TOPICS; i++) {
            const struct events *others = i < LOGS ? &logs[i].events : &kept.events[i - LOGS];

            holders += position_of(others, events->records[at]->publication, SIZE_MAX) != SIZE_MAX;
        }
        EXPECT_EQ(events->records[at]->refs, holders);
    }
    clear(events);
}

static void run_random(uint64_t seed, uint32_t max_topics, uint64_t max_bytes, uint64_t steps)
{
    rng_init(&rng, rng_fill_seeded, &seed);
    now = 100000;
    kept.limits = (struct retained_limits){max_topics, max_bytes};
    store = store_memory(&kept.limits, rng_u64(&rng), rng_u64(&rng));
    for (uint64_t step = 1; step <= steps && unit_failures == 0; step++)
        random_step(step);
    store.ops->free(store.store);
    for (size_t i = 0; i < LOGS; i++) {
        logs[i].log = NULL;
        clear_last(&logs[i].events);
    }
    for (size_t i = 0; i < TOPICS; i++)
        clear_last(&kept.events[i]);
}

TEST(room_for_everything)
{
    run_random(1, TOPICS, UINT64_MAX, 30000);
}

TEST(too_few_topics)
{
    run_random(2, 3, UINT64_MAX, 20000);
}

TEST(too_few_bytes)
{
    run_random(3, TOPICS, 30 * sizeof(struct record), 20000);
}

TEST(hardly_any_room)
{
    run_random(4, 2, 3 * sizeof(struct record), 20000);
}

TEST(many_short_lives)
{
    for (uint64_t seed = 10; seed < 60; seed++)
        run_random(seed, 5, 40 * sizeof(struct record), 500);
}
