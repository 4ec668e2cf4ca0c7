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

/* How a realm uses its policy by a configuration that was read again; has_changed: it says something
 * else about that than the last one. *use is NULL when it is as it was at first, or there is no such
 * realm with a policy. Returns 1 when something is new: then the configuration must outlive the
 * policies; 0 when nothing is; ERR_CONFIG: a secret cannot be read, and that was written to standard
 * error. */
int policies_renew(struct policies *policies, const struct realm_config *config, bool has_changed,
                   const struct policy_use **use);

/* `nexusd check PATH...`: says what is wrong with policies; returns an exit code. */
int policies_check(const struct command_line *line);

/* When no realm is left; NULL is fine. */
void policies_free(struct policies *policies);

#endif
