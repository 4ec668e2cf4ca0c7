/* waiting.h -- functions of the module that wait for time, or for each other.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_WAITING_H
#define NEXUS_POLICY_WAITING_H

#include "module/module.h"

struct version;

/* Its timers end: it is not the current version any more, or about to go. */
void waiting_forget(struct version *version);

/* nexus.sleep, breathe, spawn, parallel, timeout, after; and what after returns. */
extern const struct module_table policy_waiting, policy_timers;

#endif
