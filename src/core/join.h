/* join.h -- from HELLO to WELCOME: who comes in, and as whom.
 *
 * The router's own code comes in at once, as who it says it is.
 * A realm that is open to all answers by itself. One with the knob asks_join asks,
 * and the session is AUTHENTICATING meanwhile: it has an id, and nothing else.
 *
 * WAMP: "Session Establishment", "Authentication".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_JOIN_H
#define NEXUS_CORE_JOIN_H

#include "core/ask.h"
#include "core/session.h"

struct joining;

/* HELLO of a peer without a session. */
void join_begin(struct core *core, const struct event *ev);

/* A message while AUTHENTICATING. Returns 0, or an ERR_* with a fault: a protocol violation. */
int join_receive(struct core *core, struct session *session, const struct msg *msg,
                 struct fault *fault) MUST_CHECK;

/* The answer to a question. */
void join_decide(struct core *core, struct session *session, const struct decision *decision);

/* auth_timeout is over. */
void join_on_timer(struct core *core, struct session *session);

/* The router is closing: ABORT. Frees the session. */
void join_abort(struct core *core, struct session *session, const char *reason, const char *words);

/* The session will not come to be: its question is taken back, its id is free again. */
void join_abandon(struct core *core, struct session *session);

/* The question that is open, or was last. */
const struct question *join_question(const struct session *session);

void join_check(const struct core *core, const struct session *session);

#endif
