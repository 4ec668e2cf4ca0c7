/* login_config.h -- how logins are in all realms, out of the configuration and what it names.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_LOGIN_CONFIG_H
#define NEXUS_DAEMON_LOGIN_CONFIG_H

#include "daemon/config.h"

/* Reads secrets from files and environment, and makes all of it count. False when something
 * cannot be used, which was written to standard error. */
bool login_config_use(const struct config *config);

#endif
