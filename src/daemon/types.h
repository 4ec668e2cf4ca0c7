/* types.h -- `nexusd types`: what policies may be made of, for editors and people.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_TYPES_H
#define NEXUS_DAEMON_TYPES_H

#include "daemon/commands.h"

extern const struct command_flag types_flags[];

int types_run(const struct command_line *line);

#endif
