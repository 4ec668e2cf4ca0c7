/* testing.h -- `nexusd test`: runs the specs of a policy.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_TESTING_H
#define NEXUS_DAEMON_TESTING_H

#include "daemon/commands.h"

extern const struct command_flag testing_flags[];

int testing_run(const struct command_line *line);

#endif
