/* throttle.c -- see throttle.h. The buckets; sessions are counted in seats.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/throttle.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/core_priv.h"
#include "core/limit.h"
#include "core/limits.h"

#include <stdlib.h>

#define NS_PER_MS 1000000

struct bucket {
    const struct limit *limit; /* borrowed */
    uint64_t value;
    uint64_t full_at;   /* ns of the monotonic clock */
    struct list by_use; /* throttle->by_use */
};

void throttle_init(struct core *core)
{
    map_init(&core->throttle.buckets, rng_u64(&core->rng));
    map_init(&core->throttle.counters, rng_u64(&core->rng));
    list_init(&core->throttle.by_use);
}

void throttle_fini(struct core *core)
{
    throttle_renew(core, NULL, 0);
    CHECK(core->throttle.buckets.count == 0 && core->throttle.counters.count == 0);
    map_fini(&core->throttle.buckets);
    map_fini(&core->throttle.counters);
}

/* ---- buckets ---- */

static void bucket_free(struct core *core, struct bucket *bucket)
{
    map_remove(&core->throttle.buckets, bucket->limit->serial, bucket->value);
    list_remove(&bucket->by_use);
    limit_drop_value(core, bucket->limit, bucket->value);
    mem_free(bucket);
}

static bool is_full(const struct core *core, const struct bucket *bucket)
{
    return bucket->full_at <= core->now * NS_PER_MS;
}

/* The one that was not used for longest, or NULL. */
static struct bucket *oldest_of(const struct throttle *throttle)
{
    struct list *node = list_first(&throttle->by_use);

    return node == NULL ? NULL : container_of(node, struct bucket, by_use);
}

/* Full buckets say nothing. Those that were not used for longest are looked at, a few at a time;
 * when there are too many the oldest goes, full or not. */
static void make_room(struct core *core)
{
    const struct throttle *throttle = &core->throttle;
    struct bucket *oldest = oldest_of(throttle);

    for (unsigned i = 0; i < 2 && oldest != NULL && is_full(core, oldest); i++) {
        bucket_free(core, oldest);
        oldest = oldest_of(throttle);
    }
    if (oldest != NULL && throttle->buckets.count >= core->options.max_buckets)
        bucket_free(core, oldest);
}

static struct bucket *bucket_new(struct core *core, const struct limit *limit, uint64_t value)
{
    struct bucket *bucket;

    make_room(core);
    bucket = mem_alloc(sizeof *bucket);
    *bucket = (struct bucket){.limit = limit, .value = value};
    limit_hold_value(core, limit, value);
    list_append(&core->throttle.by_use, &bucket->by_use);
    map_put(&core->throttle.buckets, limit->serial, value, bucket);
    return bucket;
}

/* How long, in ns, until there is a token; 0: there is one. */
static uint64_t delay_of(const struct core *core, const struct limit *limit, uint64_t value)
{
    const struct bucket *bucket = map_get(&core->throttle.buckets, limit->serial, value);
    uint64_t now = core->now * NS_PER_MS;
    uint64_t used = bucket == NULL || bucket->full_at <= now ? 0 : bucket->full_at - now;

    return used + limit->interval <= limit->capacity ? 0 : used + limit->interval - limit->capacity;
}

static void take(struct core *core, const struct limit *limit, uint64_t value)
{
    struct bucket *bucket = map_get(&core->throttle.buckets, limit->serial, value);
    uint64_t now = core->now * NS_PER_MS;

    if (bucket == NULL)
        bucket = bucket_new(core, limit, value);
    bucket->full_at = (bucket->full_at > now ? bucket->full_at : now) + limit->interval;
    list_remove(&bucket->by_use);
    list_append(&core->throttle.by_use, &bucket->by_use);
}

/* Adds what one limit says. What does not wait comes first; of those that do, the longest. */
static void note(struct throttled *throttled, const struct limit *limit, uint64_t delay)
{
    uint64_t ms = (delay + NS_PER_MS - 1) / NS_PER_MS;
    bool is_first = throttled->delay_ms == 0;

    if (!is_first && throttled->over != LIMIT_WAIT)
        return;
    if (is_first || limit->over != LIMIT_WAIT || ms > throttled->delay_ms)
        *throttled = (struct throttled){limit->over, ms};
}

/* ---- requests ---- */

static bool take_all(struct core *core, struct session *session, enum limit_action action,
                     struct slice uri, struct throttled *throttled)
{
    const struct limit *first = core->throttle.by_action[action];

    *throttled = (struct throttled){0};
    for (const struct limit *limit = first; limit != NULL; limit = limit->next) {
        uint64_t delay;

        if ((action == LIMIT_JOIN && limit_knows_at_hello(limit)) ||
            !limit_is_for(core, limit, session, uri))
            continue;
        delay = delay_of(core, limit, limit_value(core, limit, session));
        if (delay != 0)
            note(throttled, limit, delay);
    }
    if (throttled->delay_ms != 0) {
        core->counters.limited++;
        return false;
    }
    for (const struct limit *limit = first; limit != NULL; limit = limit->next)
        if (!(action == LIMIT_JOIN && limit_knows_at_hello(limit)) &&
            limit_is_for(core, limit, session, uri))
            take(core, limit, limit_value(core, limit, session));
    return true;
}

/* No limit is for it. */
static bool is_free(const struct session *session)
{
    return session->is_trusted || session->is_operator;
}

bool throttle_request(struct core *core, struct session *session, enum limit_action action,
                      struct slice uri, struct throttled *throttled)
{
    return is_free(session) || take_all(core, session, action, uri, throttled);
}

/* ---- sessions ---- */

bool throttle_hello(struct core *core, const struct transport *transport,
                    struct throttled *throttled)
{
    const struct limit *first = core->throttle.by_action[LIMIT_JOIN];
    uint32_t address;

    *throttled = (struct throttled){0};
    if (LIKELY(first == NULL))
        return true;
    address = limit_address(core, slice_of(transport->peer));
    for (const struct limit *limit = first; limit != NULL; limit = limit->next) {
        uint64_t delay;

        if (!limit_knows_at_hello(limit))
            continue;
        delay = delay_of(core, limit, limit->per == PER_IP ? address : 0);
        if (delay != 0)
            note(throttled, limit, delay);
    }
    for (const struct limit *limit = first; limit != NULL && throttled->delay_ms == 0;
         limit = limit->next)
        if (limit_knows_at_hello(limit))
            take(core, limit, limit->per == PER_IP ? address : 0);
    intern_drop(&core->intern, address);
    core->counters.limited += throttled->delay_ms != 0;
    return throttled->delay_ms == 0;
}

bool throttle_admit(struct core *core, struct session *session, struct throttled *throttled)
{
    static const struct slice no_uri = {0};

    if (is_free(session))
        return true;
    if (!seats_are_free(core, session, throttled)) {
        core->counters.limited++;
        return false;
    }
    if (!take_all(core, session, LIMIT_JOIN, no_uri, throttled))
        return false;
    seats_clear(core, session);
    return true;
}

void throttle_count(struct core *core, struct session *session)
{
    seats_leave(core, session);
    if (!is_free(session))
        seats_take(core, session);
}

void throttle_leave(struct core *core, struct session *session)
{
    seats_leave(core, session);
}

/* ---- other limits ---- */

static void sweep_buckets(struct core *core, const struct limit *gone)
{
    list_each (&core->throttle.by_use, node, after) {
        struct bucket *bucket = container_of(node, struct bucket, by_use);

        if (bucket->limit == gone)
            bucket_free(core, bucket);
    }
}

static void hand_over_buckets(struct core *core, const struct limit *from, const struct limit *to)
{
    list_each (&core->throttle.by_use, node, after) {
        struct bucket *bucket = container_of(node, struct bucket, by_use);

        if (bucket->limit == from)
            bucket->limit = to;
    }
}

/* The old limit with the same definition that nobody has taken over yet, out of its list. */
static struct limit *take_same(struct limit **list, const struct limit *limit)
{
    for (; *list != NULL; list = &(*list)->next) {
        struct limit *same = *list;

        if (!slice_eq(same->name, limit->name))
            continue;
        *list = same->next;
        return same;
    }
    return NULL;
}

static void add_limit(struct core *core, struct limit **olds, const struct limit_options *options)
{
    struct throttle *throttle = &core->throttle;
    struct limit *limit = limit_new(core, options), *same = take_same(olds, limit);
    struct limit **last = &throttle->by_action[options->action];

    limit->serial = same == NULL ? ++throttle->last_serial : same->serial;
    if (same != NULL) {
        hand_over_buckets(core, same, limit);
        limit_free(core, same);
    }
    while (*last != NULL)
        last = &(*last)->next;
    *last = limit;
}

static int compare(const void *a, const void *b)
{
    const struct session *const *x = a, *const *y = b;

    return (*x)->number < (*y)->number ? -1 : (*x)->number > (*y)->number;
}

/* In the order in which they came, so that each one goes to the end of its list. */
static void count_all(struct core *core)
{
    struct session **all =
        arena_alloc(&core->scratch, (core->by_id.count + 1) * sizeof(struct session *));
    const struct map_entry *at;
    size_t i = 0, count = 0;

    while ((at = map_next(&core->by_id, &i)) != NULL)
        all[count++] = at->value;
    qsort(all, count, sizeof(struct session *), compare);
    for (i = 0; i < count; i++)
        throttle_count(core, all[i]);
}

void throttle_renew(struct core *core, const struct limit_options *limits, size_t count)
{
    struct throttle *throttle = &core->throttle;
    struct limit *olds[LIMIT_ACTION_COUNT];
    const struct map_entry *at;
    size_t i = 0;

    while ((at = map_next(&core->by_id, &i)) != NULL)
        seats_leave(core, at->value);
    memcpy(olds, throttle->by_action, sizeof olds);
    memset(throttle->by_action, 0, sizeof throttle->by_action);
    for (i = 0; i < count; i++)
        add_limit(core, &olds[limits[i].action], &limits[i]);
    for (unsigned action = 0; action < LIMIT_ACTION_COUNT; action++) {
        while (olds[action] != NULL) {
            struct limit *gone = olds[action];

            olds[action] = gone->next;
            sweep_buckets(core, gone);
            limit_free(core, gone);
        }
    }
    throttle->limits_requests = false;
    for (unsigned action = 0; action < LIMIT_JOIN; action++)
        throttle->limits_requests |= throttle->by_action[action] != NULL;
    if (throttle_is_for(throttle, LIMIT_SESSION))
        count_all(core);
}

/* ---- for tests ---- */

void throttle_check(const struct core *core)
{
    const struct throttle *throttle = &core->throttle;
    size_t count = 0;

    list_each (&throttle->by_use, node, after) {
        const struct bucket *bucket = container_of(node, struct bucket, by_use);

        CHECK(map_get(&throttle->buckets, bucket->limit->serial, bucket->value) == bucket);
        CHECK(bucket->full_at <= core->now * NS_PER_MS + bucket->limit->capacity);
        count++;
    }
    CHECK(count == throttle->buckets.count && count <= core->options.max_buckets);
    seats_check(core);
}
