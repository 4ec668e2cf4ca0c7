/* recheck.h -- what sessions hold already, judged again when the rules are others.
 *
 * Subscriptions and registrations are judged a few thousand per millisecond, session by
 * session. One that is not allowed any more is revoked. What the rules hand over is asked
 * about (ASK_RECHECK), so many at a time; meanwhile it stays. Sessions of the router's own
 * code are left alone, and so are subscriptions that exist for their history.
 *
 * WAMP: "Authorization", "Subscription Revocation", "Registration Revocation".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_RECHECK_H
#define NEXUS_CORE_RECHECK_H

#include "base/map.h"
#include "core/ask.h"
#include "core/session.h"

struct recheck {
    struct list sessions;  /* session->rechecking: those that hold what is not judged yet */
    struct map asks;       /* question id -> struct recheck_ask, owned */
    struct map by_holding; /* (session id, subscription or registration id) -> the same, borrowed */
    struct timer timer;    /* the next portion of work; set while there is some to do at once */
};

void recheck_init(struct core *core);
void recheck_fini(struct core *core);

/* Everything that the session holds is to be judged again. */
void recheck_session(struct core *core, struct session *session);

/* The same for all sessions. */
void recheck_all(struct core *core);

/* The session ends: there is nothing to judge any more. What it still holds it lets go of next. */
void recheck_leave(struct core *core, struct session *session);

void recheck_on_timer(struct core *core);

/* A subscription or registration of the session is gone. */
void recheck_forget(struct core *core, const struct session *session, uint64_t holding);

/* The answer; false when this is no question of ours. */
bool recheck_decide(struct core *core, const struct decision *decision);

/* The question with this id, or NULL. */
const struct question *recheck_question(const struct core *core, uint64_t id);

/* Returns how many deadlines are set. */
size_t recheck_check(const struct core *core);

#endif
