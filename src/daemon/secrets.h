/* secrets.h -- the values of secrets, read from files and the environment.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_SECRETS_H
#define NEXUS_DAEMON_SECRETS_H

#include "daemon/realm_values.h"
#include "module/host.h"

#define MAX_SECRET_LEN 65536

/* Reads all; *secrets is owned by the caller, and NULL when there are none. False after words on
 * standard error: one cannot be read, is empty or too long. A line end behind it is no part of it. The
 * words say whose it is: kind[name], or kind alone when there is no name. */
bool secrets_load(const struct secret_sources *sources, const char *kind, const char *name,
                  struct secret **secrets);

/* Wipes and frees. */
void secrets_free(struct secret *secrets, size_t count);

#endif
