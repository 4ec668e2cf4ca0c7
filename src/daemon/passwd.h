/* passwd.h -- `nexusd passwd` and `nexusd keygen`: what a user needs to log in, and what is stored.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_PASSWD_H
#define NEXUS_DAEMON_PASSWD_H

#include "daemon/commands.h"

extern const struct command_flag passwd_flags[];
extern const char passwd_more[];
int passwd_run(const struct command_line *line);

extern const struct command_flag keygen_flags[];
extern const char keygen_more[];
int keygen_run(const struct command_line *line);

#endif
