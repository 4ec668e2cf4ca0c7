/* store_memory.c -- the store in memory: rings of records, and topics with theirs. See store.h.
 *
 * A record that several logs keep counts in each of them. Bytes are those of the records; what
 * a log or a topic takes itself is bounded by the number of its records, or of topics.
 *
 * Invariants, verified by check(): a log is within its bounds by count and bytes; the instants
 * that its events are aged by do not fall; a topic has a record, its newest ones first, at most
 * MAX_RESTRICTED that are restricted, and behind them at most one that is not; counts are exact.
 *
 * WAMP: "Event History", "Event Retention".
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "core/store.h"

#define FIRST_SLOTS 8

struct slot {
    struct record *record; /* counted */
    /* When it was received, to age it by: the earliest time in it and all that came later. So
     * when the clock is set back, what came before is not younger than what comes after. */
    uint64_t aged_from;
};

struct store_log {
    struct list in_store;
    struct log_limits limits;
    struct slot *slots; /* owned; a ring, grows up to max_events */
    size_t cap;
    size_t first; /* index of the oldest */
    size_t count;
    uint64_t bytes;
    bool has_dropped;
    enum match match;
    size_t uri_len;
    char uri[];
};

struct topic {
    struct list in_order;
    struct record *records[MAX_RESTRICTED + 1]; /* counted; the newest first */
    size_t count;
    size_t uri_len;
    char uri[];
};

struct memory {
    struct list logs;     /* owned */
    struct strmap topics; /* URI -> topic; owned */
    struct list in_order; /* of topics: the one that was updated longest ago first */
    struct retained_limits limits;
    struct store_counts counts; /* but for retained_topics */
};

/* ---- logs ---- */

static struct store_log *open_log(void *store, enum match match, struct slice uri,
                                  const struct log_limits *limits)
{
    struct memory *memory = store;
    struct store_log *log = mem_zero(1, sizeof *log + uri.len);

    CHECK(limits->max_events != 0);
    log->limits = *limits;
    log->match = match;
    log->uri_len = uri.len;
    if (uri.len != 0)
        memcpy(log->uri, uri.data, uri.len);
    list_append(&memory->logs, &log->in_store);
    return log;
}

/* The slot at a position: 0 is the oldest. */
static struct slot *slot_at(const struct store_log *log, size_t position)
{
    size_t i = log->first + position;

    return &log->slots[i < log->cap ? i : i - log->cap];
}

static void drop_oldest(struct memory *memory, struct store_log *log)
{
    struct record *record = slot_at(log, 0)->record;

    log->first = log->first + 1 == log->cap ? 0 : log->first + 1;
    log->count--;
    log->bytes -= record->size;
    log->has_dropped = true;
    memory->counts.logged--;
    memory->counts.logged_bytes -= record->size;
    record_drop(record);
}

static void drop_aged(struct memory *memory, struct store_log *log, uint64_t now)
{
    uint64_t max_age_ms = log->limits.max_age_s * UINT64_C(1000);

    if (max_age_ms == 0)
        return;
    while (log->count != 0) {
        uint64_t from = slot_at(log, 0)->aged_from;

        if (now < from || now - from <= max_age_ms)
            return;
        drop_oldest(memory, log);
    }
}

static void close_log(void *store, struct store_log *log)
{
    while (log->count != 0)
        drop_oldest(store, log);
    list_remove(&log->in_store);
    mem_free(log->slots);
    mem_free(log);
}

/* Twice as many slots, or as many as there may ever be. */
static void grow(struct store_log *log)
{
    size_t cap = log->cap == 0 ? FIRST_SLOTS : log->cap * 2;
    struct slot *slots;

    if (cap > log->limits.max_events)
        cap = log->limits.max_events;
    slots = mem_zero(cap, sizeof *slots);
    for (size_t i = 0; i < log->count; i++)
        slots[i] = *slot_at(log, i);
    mem_free(log->slots);
    log->slots = slots;
    log->cap = cap;
    log->first = 0;
}

static bool has_room(const struct store_log *log, const struct record *record)
{
    uint64_t max_bytes = log->limits.max_bytes;

    return log->count < log->limits.max_events &&
           (max_bytes == 0 || log->bytes <= max_bytes - record->size);
}

static void append_to_log(void *store, struct store_log *log, struct record *record, uint64_t now)
{
    struct memory *memory = store;

    /* One event that can never fit shall not cost all the others. */
    if (log->limits.max_bytes != 0 && record->size > log->limits.max_bytes) {
        log->has_dropped = true;
        drop_aged(memory, log, now);
        return;
    }
    while (!has_room(log, record))
        drop_oldest(memory, log);
    if (log->count == log->cap)
        grow(log);
    for (size_t i = log->count; i-- > 0 && slot_at(log, i)->aged_from > record->wall;)
        slot_at(log, i)->aged_from = record->wall;
    *slot_at(log, log->count) = (struct slot){record_hold(record), record->wall};
    log->count++;
    log->bytes += record->size;
    memory->counts.logged++;
    memory->counts.logged_bytes += record->size;
    drop_aged(memory, log, now);
}

/* The position of a publication; false: the log does not have it. */
static bool find_position(const struct store_log *log, uint64_t publication, size_t *position)
{
    for (size_t i = 0; i < log->count; i++) {
        if (slot_at(log, i)->record->publication == publication) {
            *position = i;
            return true;
        }
    }
    return false;
}

/* Cuts [*low, *high) to what the publications of the query allow; false: nothing. */
static bool cut_range(const struct store_log *log, const struct log_query *query, size_t *low,
                      size_t *high)
{
    size_t at = 0;

    *low = 0;
    *high = log->count;
    if (query->from_publication != 0) {
        if (!find_position(log, query->from_publication, &at))
            return false;
        *low = at;
    }
    if (query->after_publication != 0) {
        if (!find_position(log, query->after_publication, &at))
            return false;
        *low = at + 1 > *low ? at + 1 : *low;
    }
    if (query->until_publication != 0 && find_position(log, query->until_publication, &at))
        *high = at + 1;
    if (query->before_publication != 0 && find_position(log, query->before_publication, &at))
        *high = at < *high ? at : *high;
    return *low < *high;
}

static bool is_wanted(const struct log_query *query, struct record *record)
{
    if (record->wall < query->from_wall || record->wall > query->until_wall)
        return false;
    if (query->topic.data != NULL && !slice_eq(query->topic, record->msg.text))
        return false;
    return query->wants == NULL || query->wants(query->ctx, record);
}

static void query_log(void *store, struct store_log *log, const struct log_query *query,
                      uint64_t now, struct log_answer *answer)
{
    size_t low, high;
    uint64_t found = 0;

    drop_aged(store, log, now);
    *answer = (struct log_answer){.is_full = log->has_dropped};
    if (!cut_range(log, query, &low, &high))
        return;
    while (low < high && !answer->is_more) {
        struct record *record = slot_at(log, query->is_reverse ? --high : low++)->record;

        if (!is_wanted(query, record))
            continue;
        if (found == query->limit) {
            answer->is_more = true;
        } else {
            found++;
            query->found(query->ctx, record);
        }
    }
}

/* ---- retained events ---- */

static struct slice uri_of(const struct topic *topic)
{
    return slice_make(topic->uri, topic->uri_len);
}

static struct topic *add_topic(struct memory *memory, struct slice uri)
{
    struct topic *topic = mem_zero(1, sizeof *topic + uri.len);

    topic->uri_len = uri.len;
    if (uri.len != 0)
        memcpy(topic->uri, uri.data, uri.len);
    list_append(&memory->in_order, &topic->in_order);
    CHECK(strmap_put(&memory->topics, uri_of(topic), topic) == NULL);
    return topic;
}

/* The records of a topic that go when this one comes: [*from, *until). */
static void find_replaced(const struct topic *topic, const struct record *record, size_t *from,
                          size_t *until)
{
    size_t restricted = topic->count;

    *from = 0;
    *until = topic->count;
    if (!record->is_restricted)
        return;
    if (restricted != 0 && !topic->records[restricted - 1]->is_restricted)
        restricted--;
    *from = restricted < MAX_RESTRICTED ? restricted : restricted - 1;
    *until = restricted;
}

static void remove_records(struct memory *memory, struct topic *topic, size_t from, size_t until)
{
    for (size_t i = from; i < until; i++) {
        memory->counts.retained--;
        memory->counts.retained_bytes -= topic->records[i]->size;
        record_drop(topic->records[i]);
    }
    memmove(topic->records + from, topic->records + until,
            (topic->count - until) * sizeof(struct record *));
    topic->count -= until - from;
}

/* True when the record can be added after records [from, until) of the topic are gone. */
static bool fits(const struct memory *memory, const struct topic *topic,
                 const struct record *record, size_t from, size_t until)
{
    uint64_t bytes = memory->counts.retained_bytes;

    for (size_t i = from; i < until; i++)
        bytes -= topic->records[i]->size;
    return record->size <= memory->limits.max_bytes &&
           bytes <= memory->limits.max_bytes - record->size;
}

static bool retain(void *store, struct record *record)
{
    struct memory *memory = store;
    struct topic *topic = strmap_get(&memory->topics, record->msg.text);
    size_t from = 0, until = 0;

    if (topic == NULL && memory->topics.count >= memory->limits.max_topics)
        return false;
    if (topic != NULL)
        find_replaced(topic, record, &from, &until);
    if (!fits(memory, topic, record, from, until))
        return false;
    record_hold(record); /* before others go: it may be one of them */
    if (topic == NULL)
        topic = add_topic(memory, record->msg.text);
    remove_records(memory, topic, from, until);
    memmove(topic->records + 1, topic->records, topic->count * sizeof(struct record *));
    topic->records[0] = record;
    topic->count++;
    memory->counts.retained++;
    memory->counts.retained_bytes += record->size;
    list_remove(&topic->in_order);
    list_append(&memory->in_order, &topic->in_order);
    return true;
}

static void remove_topic(struct memory *memory, struct topic *topic)
{
    remove_records(memory, topic, 0, topic->count);
    list_remove(&topic->in_order);
    CHECK(strmap_remove(&memory->topics, uri_of(topic)) == topic);
    mem_free(topic);
}

static void forget(void *store, struct slice uri)
{
    struct memory *memory = store;
    struct topic *topic = strmap_get(&memory->topics, uri);

    if (topic != NULL)
        remove_topic(memory, topic);
}

static void find_retained(void *store, enum match match, struct slice uri, size_t limit,
                          retained_found_fn *found, void *ctx)
{
    struct memory *memory = store;

    if (match == MATCH_EXACT) {
        const struct topic *topic = strmap_get(&memory->topics, uri);

        if (topic != NULL && limit != 0)
            found(ctx, uri_of(topic), topic->records, topic->count);
        return;
    }
    list_each (&memory->in_order, node, after) {
        const struct topic *topic = container_of(node, struct topic, in_order);

        if (limit == 0)
            return;
        if (!uri_matches(uri, match, uri_of(topic)))
            continue;
        found(ctx, uri_of(topic), topic->records, topic->count);
        limit--;
    }
}

/* ---- the whole ---- */

static void count(const void *store, struct store_counts *counts)
{
    const struct memory *memory = store;

    *counts = memory->counts;
    counts->retained_topics = memory->topics.count;
}

static void check_record(const struct record *record)
{
    CHECK(record->refs != 0);
    CHECK(record->size == record_size(&record->msg, record));
}

static void check_log(const struct store_log *log)
{
    uint64_t bytes = 0, aged_from = 0;

    CHECK(log->count <= log->cap && log->cap <= log->limits.max_events);
    CHECK(log->first < log->cap || log->cap == 0);
    for (size_t i = 0; i < log->count; i++) {
        const struct slot *slot = slot_at(log, i);

        check_record(slot->record);
        CHECK(slot->aged_from <= slot->record->wall && slot->aged_from >= aged_from);
        CHECK(uri_matches(slice_make(log->uri, log->uri_len), log->match, slot->record->msg.text));
        aged_from = slot->aged_from;
        bytes += slot->record->size;
    }
    CHECK(log->bytes == bytes);
    CHECK(log->limits.max_bytes == 0 || bytes <= log->limits.max_bytes);
}

static uint64_t check_topic(const struct memory *memory, const struct topic *topic)
{
    uint64_t bytes = 0;

    CHECK(strmap_get(&memory->topics, uri_of(topic)) == topic);
    CHECK(topic->count != 0 && topic->count <= MAX_RESTRICTED + 1);
    for (size_t i = 0; i < topic->count; i++) {
        const struct record *record = topic->records[i];

        check_record(record);
        CHECK(slice_eq(record->msg.text, uri_of(topic)));
        CHECK(record->is_restricted ? i < MAX_RESTRICTED : i == topic->count - 1);
        bytes += record->size;
    }
    return bytes;
}

static void check(const void *store)
{
    const struct memory *memory = store;
    struct store_counts sum = {0};

    list_each (&memory->logs, node, after) {
        const struct store_log *log = container_of(node, struct store_log, in_store);

        check_log(log);
        sum.logged += log->count;
        sum.logged_bytes += log->bytes;
    }
    list_each (&memory->in_order, node, after) {
        const struct topic *topic = container_of(node, struct topic, in_order);

        sum.retained_bytes += check_topic(memory, topic);
        sum.retained += topic->count;
        sum.retained_topics++;
    }
    CHECK(sum.logged == memory->counts.logged);
    CHECK(sum.logged_bytes == memory->counts.logged_bytes);
    CHECK(sum.retained == memory->counts.retained);
    CHECK(sum.retained_bytes == memory->counts.retained_bytes);
    CHECK(sum.retained_topics == memory->topics.count);
    CHECK(sum.retained_topics <= memory->limits.max_topics);
    CHECK(sum.retained_bytes <= memory->limits.max_bytes);
}

static void free_store(void *store)
{
    struct memory *memory = store;

    list_each (&memory->logs, node, after)
        close_log(memory, container_of(node, struct store_log, in_store));
    list_each (&memory->in_order, node, after)
        remove_topic(memory, container_of(node, struct topic, in_order));
    strmap_fini(&memory->topics);
    mem_free(memory);
}

struct store store_memory(const struct retained_limits *limits, uint64_t seed0, uint64_t seed1)
{
    static const struct store_ops ops = {
        .log_open = open_log,
        .log_close = close_log,
        .log_append = append_to_log,
        .log_query = query_log,
        .retain = retain,
        .forget = forget,
        .retained = find_retained,
        .count = count,
        .check = check,
        .free = free_store,
    };
    struct memory *memory = mem_zero(1, sizeof *memory);

    memory->limits = *limits;
    list_init(&memory->logs);
    list_init(&memory->in_order);
    strmap_init(&memory->topics, seed0, seed1);
    return (struct store){&ops, memory};
}
