/* testament.h -- what a session wants to have published when it is gone.
 *
 * WAMP: "Testaments".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_TESTAMENT_H
#define NEXUS_CORE_TESTAMENT_H

#include "core/session.h"

/* When it is published: there is no resumption of sessions, so both are the end of the session,
 * one after the other. */
enum testament_scope { SCOPE_DETACHED, SCOPE_DESTROYED, SCOPE_COUNT };

/* Publishes all of them; the session is still there, and hears nothing of it. */
void testament_publish(struct core *core, struct session *session);

/* Throws them away. */
void testament_forget(struct session *session);

#endif
