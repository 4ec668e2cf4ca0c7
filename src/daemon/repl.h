/* repl.h -- `nexusd repl`: a prompt with a policy, and a router that it is in.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_REPL_H
#define NEXUS_DAEMON_REPL_H

#include "daemon/commands.h"

extern const struct command_flag repl_flags[];
extern const char repl_more[];

int repl_run(const struct command_line *line);

#endif
