/* broker.h -- who hears what: subscriptions, and the fan-out of events.
 *
 * The broker owns every subscription of one realm. It knows topics, patterns and
 * sessions; it does not know connections or clocks.
 *
 * Invariant, verified by broker_check(): a session is among the members of a
 * subscription exactly when the subscription is in the session's list; a
 * subscription without members does not exist.
 *
 * WAMP: "Publish and Subscribe", "Pattern-based Subscriptions", "Publisher
 * Exclusion", "Subscriber Black- and Whitelisting".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_BROKER_H
#define NEXUS_CORE_BROKER_H

#include "core/match.h"
#include "core/options.h"
#include "core/session.h"

struct core;

struct broker {
    struct match_index index; /* of struct subscription, by URI */
    struct map by_id;         /* subscription id -> subscription, owned */
    struct map members;       /* (session id, subscription id) -> member, owned */
};

void broker_init(struct core *core);
void broker_fini(struct core *core);

/* The three requests, with their checks from the grammar of the URI on, and their answers. */
void broker_subscribe(struct core *core, struct session *session, const struct msg *msg,
                      const struct options *options);
void broker_unsubscribe(struct core *core, struct session *session, const struct msg *msg);
void broker_publish(struct core *core, struct session *session, const struct msg *msg,
                    const struct options *options);

/* The session ends: it leaves all subscriptions. */
void broker_leave(struct core *core, struct session *session);

void broker_check(const struct core *core);

#endif
