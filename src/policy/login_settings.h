/* login_settings.h -- what logins.h was told, for the minds of realms.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_LOGIN_SETTINGS_H
#define NEXUS_POLICY_LOGIN_SETTINGS_H

#include "auth/auth.h"
#include "policy/logins.h"

const struct logins *logins_used(void);

/* Random octets of the kernel. */
void login_fill_random(void *ctx, void *buf, size_t len);

void logins_init_settings(struct auth_settings *settings, struct rng *rng);

#endif
