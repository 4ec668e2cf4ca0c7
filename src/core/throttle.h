/* throttle.h -- how often a session may do something, and how many sessions there may be.
 *
 * A limit on a rate has a bucket for each session, authid, address, value of an attribute, or
 * one for the realm; a token comes so often, and a request takes one. A request that several limits are
 * for takes one of each, or none. A limit on sessions counts those that are open.
 *
 * A bucket is one instant: when it will be full. Those that are full are forgotten, so
 * there are as many as there is activity, and never more than a number.
 *
 * The router's own code is not limited. Without limits nothing is looked at.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_THROTTLE_H
#define NEXUS_CORE_THROTTLE_H

#include "base/list.h"
#include "base/map.h"
#include "core/core.h"

struct session;
struct limit; /* one of struct limit_options, compiled */

struct throttle {
    struct limit *by_action[LIMIT_ACTION_COUNT]; /* owned; in the order in which they were given */
    struct map buckets;                          /* (serial of the limit, value) -> bucket, owned */
    struct list by_use;  /* struct bucket; the one that was of use last at the end */
    struct map counters; /* (serial of the limit, value) -> sessions, owned */
    uint64_t last_serial;
    bool limits_requests; /* there are limits for them */
};

/* Returns 0, or ERR_CONFIG with the error filled in. What it accepts core_new and EV_RULES take. */
int limit_check(const struct limit_options *options, struct rules_error *error) MUST_CHECK;

void throttle_init(struct core *core);
void throttle_fini(struct core *core);

/* These limits are in force from now on. A limit that was there before goes on where it is. */
void throttle_renew(struct core *core, const struct limit_options *limits, size_t count);

/* Who stops something, and for how long. */
struct throttled {
    enum limit_over over;
    uint64_t delay_ms; /* until it might be let through; 0 where time does not help */
};

/* Takes a token for a request of the session; false: it is stopped. */
bool throttle_request(struct core *core, struct session *session, enum limit_action action,
                      struct slice uri, struct throttled *throttled) MUST_CHECK;

/* The same for a HELLO, by what is known of the connection. */
bool throttle_hello(struct core *core, const struct transport *transport,
                    struct throttled *throttled) MUST_CHECK;

/* And for a session that is about to be open, and has its details. Others may have to make room
 * for it: they are ended. */
bool throttle_admit(struct core *core, struct session *session,
                    struct throttled *throttled) MUST_CHECK;

/* The session is open, and counts from now on; or its attributes have changed. */
void throttle_count(struct core *core, struct session *session);

/* It ends, and counts no more. */
void throttle_leave(struct core *core, struct session *session);

static inline bool throttle_is_for(const struct throttle *throttle, enum limit_action action)
{
    return throttle->by_action[action] != NULL;
}

void throttle_check(const struct core *core);

#endif
