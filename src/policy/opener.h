/* opener.h -- router.lua opens realms; see router.h, decider.requested.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_OPENER_H
#define NEXUS_POLICY_OPENER_H

#include "policy/mind.h"

void opener_requested(void *mind, struct realm_request *opening);
void opener_opened(void *mind, const char *realm);
void opener_closed(void *mind, const char *realm);

/* When the mind that it was made for is gone; others stay as they are. NULL is fine. */
void opener_drop_use(const struct policy_use *use);

#endif
