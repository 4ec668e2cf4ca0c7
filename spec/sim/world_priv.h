/* world_priv.h -- the parts of the world, for each other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_WORLD_PRIV_H
#define NEXUS_SPEC_WORLD_PRIV_H

#include "world.h"

/* One event of a core, all that follows from it, and the laws. */
void world_step(struct world *world, unsigned realm, struct event *ev);

/* The peer has no session any more. */
void world_end_session(struct world *world, struct peer *peer, enum place place);

/* hear.c: what the core sends to a peer. */
void hear_message(struct world *world, struct peer *peer, const struct action *action);

/* expect.c: a message of a peer with a session, and what it must lead to. */
void expect_message(struct world *world, struct peer *peer, const struct msg *msg);

/* asked.c: calls of meta procedures. A CALL that begins; a RESULT, whatever of; whether the peer is
 * to lose this by the procedure that is called; and the end of the step, which made so many
 * publications. */
void asked_begin(struct world *world, struct peer *peer, const struct msg *msg);
void asked_result(struct world *world, struct peer *peer, const struct msg *msg);
bool asked_removes(const struct world *world, const struct peer *peer, enum holding holding,
                   uint64_t id);
void asked_settle(struct world *world, uint64_t publications, const struct event *ev);

/* The testaments of a peer whose session ends will be published. */
void asked_testaments(struct world *world, struct peer *peer);

/* knobs.c: realms as they may be configured; the rest of the options is as it was. */
void knobs_choose(struct core_options *options, struct choices *c);

#endif
