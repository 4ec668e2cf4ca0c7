/* park.h -- a session whose request is being judged: what it sends meanwhile waits, in order.
 *
 * PUBLISH, SUBSCRIBE, CALL, REGISTER, UNSUBSCRIBE and UNREGISTER wait; all else goes
 * on, so that a callee may answer the very call that its own authorizer makes, and
 * CANCEL finds a CALL that is still waiting. Other sessions are not held up.
 *
 * WAMP: "Authorization".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_PARK_H
#define NEXUS_CORE_PARK_H

#include "core/ask.h"
#include "core/session.h"

/* Puts a question about the message, which is copied: `about` says its needs, action and match,
 * what the rules gave, and whether it is a chunk. */
void park_ask(struct core *core, struct session *session, const struct msg *msg,
              const struct question *about);

/* The message waits for so long, and all after it behind it; then it is taken as if it had just come.
 * It is copied. */
void park_pause(struct core *core, struct session *session, const struct msg *msg,
                uint64_t delay_ms);

/* That time is over. */
void park_resume(struct core *core, struct session *session);

/* True when the message has to wait behind a question; it is kept then. */
bool park_message(struct core *core, struct session *session, const struct msg *msg);

/* The answer. */
void park_decide(struct core *core, struct session *session, const struct decision *decision);

/* CANCEL: takes a CALL that is judged or waits out; false: there is none. */
bool park_cancel(struct core *core, struct session *session, uint64_t request);

/* The session ends: nothing of it is of interest any more. */
void park_forget(struct core *core, struct session *session);

/* The question that is open, or NULL. */
const struct question *park_question(const struct session *session);

void park_check(const struct core *core, const struct session *session);

#endif
