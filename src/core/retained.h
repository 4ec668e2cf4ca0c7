/* retained.h -- the latest event of a topic, for those who come late.
 *
 * WAMP: "Event Retention".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_RETAINED_H
#define NEXUS_CORE_RETAINED_H

#include "core/publish.h"

/* A publication with the option `retain`: kept for its topic, or, without any payload, the end of
 * what was kept. */
void retained_keep(struct publication *pub);

/* Sends the member what is retained for its subscription. */
void retained_deliver(struct core *core, const struct member *member);

#endif
