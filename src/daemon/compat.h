/* compat.h -- the habits of other routers, as defaults of a realm.
 *
 * The option `compat` of a realm names a preset. It changes what the realm's
 * other options are when the file does not say; what the file says wins.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_COMPAT_H
#define NEXUS_DAEMON_COMPAT_H

#include "daemon/config.h"

enum compat { COMPAT_NONE, COMPAT_NEXUS, COMPAT_CROSSBAR };

extern const char *const compat_names[]; /* NULL-terminated */

/* Sets what the preset realm->compat sets. The realm holds the defaults. */
void compat_apply(struct realm_config *realm, struct arena *arena);

#endif
