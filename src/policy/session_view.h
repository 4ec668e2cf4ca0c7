/* session_view.h -- a session, as hooks and handlers see it.
 *
 * Private to the room. Functions that push one are in mind.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_SESSION_VIEW_H
#define NEXUS_POLICY_SESSION_VIEW_H

#include "module/module.h"

extern const struct module_table policy_sessions;

#endif
