/* census.h -- who is there and holds what, and the meta events that tell of it.
 *
 * During a step the changes are noted, and what peers hear of the router itself.
 * At the end of the step both must agree: each such event tells of a change of
 * this step, in an order that makes sense; and who listened all the time has heard
 * of every change, once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_CENSUS_H
#define NEXUS_SPEC_CENSUS_H

#include "wire/msg.h"
#include "wire/uri.h"

struct world;
struct peer;

/* What a session may hold. */
enum holding { SUBSCRIPTION, REGISTRATION };

/* An event that must be, and what it tells. */
struct tiding {
    const char *topic;
    uint64_t session, id; /* id 0: it is about the session alone */
    enum match match;
    struct slice uri; /* of the subscription or registration */
    uint64_t order;   /* among those about the same session */
    bool is_for_all;  /* also for the session that it is about */
};

/* An event of the router that a peer got. */
struct heard {
    struct peer *peer;
    uint64_t session; /* of the peer then */
    uint64_t via;     /* subscription */
    struct slice topic;
    enum codec codec;
    struct slice args; /* encoded */
};

struct census {
    struct tiding *tidings; /* owned; of the step at hand */
    size_t tiding_count, tiding_cap;
    struct heard *heard; /* owned; of the step at hand */
    size_t heard_count, heard_cap;
    size_t place; /* of the tiding that was found last */
};

void census_join(struct world *world, struct peer *peer);

/* The session ends, and with it all that it holds. */
void census_leave(struct world *world, struct peer *peer);

/* What the peer holds now, and no more. */
struct held *census_gain(struct world *world, struct peer *peer, enum holding holding, uint64_t id,
                         enum match match, struct slice uri);
void census_lose(struct world *world, struct peer *peer, enum holding holding, uint64_t id);

/* The realm is told of dropped events in this step. */
void census_losses(struct world *world);

/* An EVENT of a reserved topic. */
void census_hear(struct world *world, struct peer *peer, const struct msg *event,
                 struct slice topic);

/* The end of the step: compares, and forgets. */
void census_settle(struct world *world, unsigned realm);

void census_fini(struct census *census);

#endif
