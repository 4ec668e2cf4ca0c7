/* notice.h -- who did what: facts for the log and the audit log, as actions.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_NOTICE_H
#define NEXUS_CORE_NOTICE_H

#include "core/session.h"
#include "wire/msg.h"

void notice_joined(struct core *core, const struct session *session);
void notice_left(struct core *core, const struct session *session, const char *reason);
void notice_violation(struct core *core, const struct session *session, const char *words);

/* Somebody was turned down: what was said (words may be NULL), and the cause for the log alone
 * (or NULL). The HELLO says as whom he came. */
void notice_refused(struct core *core, uint64_t peer, const struct transport *transport,
                    const struct msg *hello, const char *reason, const char *words,
                    const char *cause);

/* A session is about to be ended by another one (NULL: by what decides for the realm), which
 * called that procedure. */
void notice_killed(struct core *core, const struct session *session, const struct session *by,
                   struct slice procedure, const char *reason);

/* A session may not do what it wanted to; with a cause for the log alone, or NULL: what was decided
 * about it does not fit. */
void notice_denied(struct core *core, const struct session *session, enum rule_action action,
                   enum match match, struct slice uri, const char *reason, const char *words,
                   const char *cause);

/* Who asks for what only the router can do. */
const struct notice *notice_admin(struct core *core, const struct session *session);

#endif
