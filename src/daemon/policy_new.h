/* policy_new.h -- `nexusd policy new DIR`: a policy to begin with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_POLICY_NEW_H
#define NEXUS_DAEMON_POLICY_NEW_H

#include "daemon/commands.h"

extern const char policy_new_more[];

int policy_new_run(const struct command_line *line);

#endif
