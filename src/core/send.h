/* send.h -- a message for one session, on its way out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_SEND_H
#define NEXUS_CORE_SEND_H

#include "core/session.h"

/* Sends a blob (the reference moves) to the session's peer. */
void send_reply(struct core *core, const struct session *session, struct blob *blob);

/* ERROR to the session for one of its requests. */
void send_error(struct core *core, const struct session *session, enum msg_type request_type,
                uint64_t request, const char *uri, const char *words);

/* ERROR as a decision says it: its reason, or wamp.error.not_authorized. */
void send_denial(struct core *core, const struct session *session, enum msg_type request_type,
                 uint64_t request, const struct decision *decision);

#endif
