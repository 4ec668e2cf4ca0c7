/* explain.h -- `nexusd explain`: which rule of a policy decides, and why.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_EXPLAIN_H
#define NEXUS_DAEMON_EXPLAIN_H

#include "daemon/commands.h"

extern const struct command_flag explain_flags[];
extern const char explain_more[];

int explain_run(const struct command_line *line);

#endif
