/* meta_events.h -- what the router itself publishes: who came and went, and where.
 *
 * Cheap when nobody listens: then no event is made.
 *
 * WAMP: "Session Meta API", "Registration Meta API", "Subscription Meta API".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_META_EVENTS_H
#define NEXUS_CORE_META_EVENTS_H

#include "core/dealer.h"

struct subscription;

/* The session that did or suffered it, and the id of the subscription or registration. */
struct meta_subject {
    const struct session *session;
    uint64_t id;
    bool is_silent; /* its URI is reserved: no events about it */
};

/* True when the realm has these events, and a subscription may match their topics. */
bool meta_is_heard(const struct core *core);

void meta_on_join(struct core *core, const struct session *session);
void meta_on_leave(struct core *core, const struct session *session);

/* on_subscribe, on_unsubscribe, on_delete: [session, subscription]. */
void meta_on_subscription(struct core *core, const char *topic, const struct meta_subject *subject);
void meta_on_subscription_create(struct core *core, const struct subscription *sub,
                                 const struct meta_subject *subject);

/* on_register, on_unregister, on_delete: [session, registration]. */
void meta_on_registration(struct core *core, const char *topic, const struct session *session,
                          uint64_t id);
void meta_on_registration_create(struct core *core, const struct registration *reg,
                                 const struct session *session);

/* Details of a subscription or registration, as in these events and in `get`. */
void meta_encode_subscription(struct encoder *e, const struct subscription *sub);
void meta_encode_registration(struct encoder *e, const struct registration *reg);

/* An event with arguments that the caller has written into `e`, a list that is still open. */
void meta_publish(struct core *core, const char *topic, struct encoder *e,
                  const struct session *excluded);

/* Starts the list for meta_publish. */
void meta_start(struct encoder *e);

#endif
