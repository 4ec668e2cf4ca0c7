/* renewal.h -- the configuration, read again while the router runs.
 *
 * What realms give their policies is changed in the router; of what else has another value it is said
 * that it needs a restart. A file that is wrong changes nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_RENEWAL_H
#define NEXUS_DAEMON_RENEWAL_H

#include "daemon/flags.h"
#include "daemon/policies.h"

struct renewals;

/* All is borrowed: how the program was called, the tree that the router was started with, and what was
 * made of it. Freed after the router. */
struct renewals *renewals_new(const struct flags *flags, const struct node *root,
                              struct policies *policies);
void renewals_free(struct renewals *renewals);

/* Reads the file again, if there is one, and has all policies read again, by SIGHUP. What comes of it is
 * logged. Not from a thread of the router, since it waits for another process. */
void renewals_read(struct renewals *renewals, struct router *router);

#endif
