/* seats.c -- how many sessions there are of one kind, for limits that count them. See limit.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/mem.h"
#include "core/core_priv.h"
#include "core/limit.h"
#include "core/notice.h"
#include "wire/errors.h"

/* The sessions that one limit counts together. */
struct counter {
    const struct limit *limit; /* borrowed */
    uint64_t value;
    size_t count;
    struct list seats; /* struct seat; who came first is first */
};

/* One session among them. */
struct seat {
    struct session *session; /* borrowed */
    struct counter *counter; /* borrowed */
    struct list in_counter;
    struct list in_session; /* session->seats, owned */
};

static struct counter *find(struct core *core, const struct limit *limit, struct session *session)
{
    return map_get(&core->throttle.counters, limit->serial, limit_value(core, limit, session));
}

#define limits_each(core, limit)                                                               \
    for (const struct limit *limit = (core)->throttle.by_action[LIMIT_SESSION]; limit != NULL; \
         limit = limit->next)

bool seats_are_free(struct core *core, struct session *session, struct throttled *throttled)
{
    static const struct slice no_uri = {0};

    limits_each(core, limit)
    {
        const struct counter *counter = find(core, limit, session);

        if (counter == NULL || counter->count < limit->max || limit->over == LIMIT_REPLACE_OLDEST ||
            !limit_is_for(core, limit, session, no_uri))
            continue;
        *throttled = (struct throttled){.over = limit->over};
        return false;
    }
    return true;
}

static void end_oldest(struct core *core, const struct counter *counter)
{
    struct session *oldest = container_of(counter->seats.next, struct seat, in_counter)->session;

    notice_killed(core, oldest, NULL, (struct slice){0}, WAMP_CLOSE_KILLED);
    session_shut_down(core, oldest, WAMP_CLOSE_KILLED,
                      SLICE("a newer session takes the place of this one"));
}

void seats_clear(struct core *core, struct session *session)
{
    static const struct slice no_uri = {0};

    limits_each(core, limit)
    {
        const struct counter *counter;

        if (!limit_is_for(core, limit, session, no_uri))
            continue;
        while ((counter = find(core, limit, session)) != NULL && counter->count >= limit->max)
            end_oldest(core, counter); /* the last one frees the counter */
    }
}

/* Behind all who came before: mostly the last of the list. */
static void add_seat(struct counter *counter, struct seat *seat)
{
    struct list *behind = counter->seats.prev;

    while (behind != &counter->seats &&
           container_of(behind, struct seat, in_counter)->session->number > seat->session->number)
        behind = behind->prev;
    list_prepend(behind, &seat->in_counter); /* the next one after it */
    counter->count++;
}

void seats_take(struct core *core, struct session *session)
{
    static const struct slice no_uri = {0};

    limits_each(core, limit)
    {
        struct counter *counter;
        struct seat *seat;

        if (!limit_is_for(core, limit, session, no_uri))
            continue;
        counter = find(core, limit, session);
        if (counter == NULL) {
            counter = mem_alloc(sizeof *counter);
            *counter = (struct counter){.limit = limit, .value = limit_value(core, limit, session)};
            list_init(&counter->seats);
            limit_hold_value(core, limit, counter->value);
            map_put(&core->throttle.counters, limit->serial, counter->value, counter);
        }
        seat = mem_alloc(sizeof *seat);
        *seat = (struct seat){.session = session, .counter = counter};
        add_seat(counter, seat);
        list_append(&session->seats, &seat->in_session);
    }
}

void seats_leave(struct core *core, struct session *session)
{
    list_each (&session->seats, node, after) {
        struct seat *seat = container_of(node, struct seat, in_session);
        struct counter *counter = seat->counter;

        list_remove(&seat->in_counter);
        list_remove(&seat->in_session);
        mem_free(seat);
        if (--counter->count > 0)
            continue;
        map_remove(&core->throttle.counters, counter->limit->serial, counter->value);
        limit_drop_value(core, counter->limit, counter->value);
        mem_free(counter);
    }
}

void seats_check(const struct core *core)
{
    const struct map_entry *at;
    size_t i = 0;

    while ((at = map_next(&core->throttle.counters, &i)) != NULL) {
        const struct counter *counter = at->value;
        size_t count = 0;
        uint64_t last = 0;

        CHECK(counter->limit->serial == at->a && counter->value == at->b && counter->count > 0);
        list_each (&counter->seats, node, after) {
            const struct seat *seat = container_of(node, struct seat, in_counter);

            CHECK(seat->counter == counter && seat->session->state == SESSION_ESTABLISHED);
            CHECK(seat->session->number > last);
            last = seat->session->number;
            count++;
        }
        CHECK(count == counter->count);
    }
}
