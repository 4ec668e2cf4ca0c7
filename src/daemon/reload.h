/* reload.h -- `nexusd reload`: a router that runs reads its policies again, and says what came of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_RELOAD_H
#define NEXUS_DAEMON_RELOAD_H

#include "daemon/commands.h"

extern const struct command_flag reload_flags[];
extern const char reload_more[];

int reload_run(const struct command_line *line);

#endif
