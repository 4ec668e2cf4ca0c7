/* history.h -- events that were published before: kept in logs, and asked for.
 *
 * WAMP: "Event History".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_HISTORY_H
#define NEXUS_CORE_HISTORY_H

#include "core/publish.h"

/* Adds the publication to the log of a subscription that has one, unless its filters name
 * sessions or attributes that nobody could check later, or rules or a policy keep it from some. */
void history_keep(struct publication *pub, const struct subscription *sub);

#endif
