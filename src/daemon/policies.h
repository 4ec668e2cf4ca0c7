/* policies.h -- the policies that realms name: read and checked before anything is opened.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_POLICIES_H
#define NEXUS_DAEMON_POLICIES_H

#include "daemon/commands.h"
#include "daemon/config.h"

struct policies;

/* Loads the policy of each realm, and puts it into the realm's options; opens what they share. NULL when one is not sound;
 * what is wrong was written to standard error. */
struct policies *policies_load(struct config *config);

/* `nexusd check PATH...`: says what is wrong with policies; returns an exit code. */
int policies_check(const struct command_line *line);

/* When no realm is left; NULL is fine. */
void policies_free(struct policies *policies);

#endif
