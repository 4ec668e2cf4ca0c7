/* late.h -- retained events that nobody said yet who gets: asked about for late subscribers.
 *
 * What a predicate said when an event was published is of no use for who comes later,
 * and an event that nobody heard was never asked about. So such an event is kept with
 * its publisher's details, and for each late subscriber somebody is asked
 * (ASK_RETAINED). What a SUBSCRIBE with get_retained brings stays in order: topics
 * behind one that is asked about wait. A topic of which the subscriber gets a live event
 * meanwhile has no retained one for it any more.
 *
 * WAMP: "Event Retention".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_LATE_H
#define NEXUS_CORE_LATE_H

#include "core/broker.h"

struct late_asks {
    struct map asks; /* question id -> struct late, owned */
};

void late_init(struct core *core);
void late_fini(struct core *core);

/* Sends the member what is retained for its subscription, once it is known that it may have it. */
void late_begin(struct core *core, struct member *member);

/* A live event of the topic goes to the member. */
void late_overtake(struct core *core, struct member *member, struct slice topic);

/* The session loses the subscription. */
void late_forget(struct core *core, struct member *member);

/* The answer; false when this is no question of ours. */
bool late_decide(struct core *core, const struct decision *decision);

/* The question with this id, or NULL. */
const struct question *late_question(const struct core *core, uint64_t id);

/* CHECKs the invariants of one session's. Returns how many questions it has. */
size_t late_check(const struct core *core, const struct session *session);

#endif
