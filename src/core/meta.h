/* meta.h -- procedures that the router itself answers.
 *
 * They are not registrations: nothing lists them, and no registration of a client
 * ever stands in front of them.
 *
 * WAMP: "Session Meta API", "Registration Meta API", "Subscription Meta API",
 * "Testaments", "Event History", "Procedure Reflection".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_META_H
#define NEXUS_CORE_META_H

#include "core/session.h"

/* A CALL of a reserved URI: does it, and answers at once with RESULT or ERROR. What is for
 * administrators needs a session that is one, or a right that names reserved URIs. */
void meta_call(struct core *core, struct session *caller, const struct msg *msg,
               const struct grant *grant);

/* What only the router could do is done; `session` is that of the peer which asked, by now. */
void meta_admin_done(struct core *core, struct session *session, const struct admin_done *done);

#endif
