/* admin.h -- nexus.policy.*: what administrators may ask a realm about its policy, and do to it.
 *
 * They are procedures of the service session. The core lets only those call them who may
 * administrate: whoever a rule allows it by name, and administrators.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_ADMIN_H
#define NEXUS_POLICY_ADMIN_H

#include "policy/reload.h"

/* The service session is there. */
void admin_join(struct mind *mind);

/* True when the INVOCATION was for one of these procedures. */
bool admin_invoke(struct mind *mind, const struct msg *msg);

/* Publishes nexus.policy.on_reload. */
void admin_publish_reload(struct mind *mind, const char *by, const struct reload_report *report);

#endif
