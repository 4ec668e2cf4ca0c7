/* govern.h -- what whoever decides for a realm does to it while it runs.
 *
 * Other rules, other attributes of a session, the end of a session: at the will of a policy,
 * not of a peer. See event.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_GOVERN_H
#define NEXUS_CORE_GOVERN_H

#include "core/look.h"
#include "core/session.h"

/* EV_RULES */
void govern_renew(struct core *core, const struct renewal *renewal);

/* EV_SET */
void govern_set(struct core *core, const struct change *change);

/* EV_END */
void govern_end(struct core *core, const struct ending *ending);

/* Fills in a look at a session that may be ending. */
void look_at(const struct core *core, const struct session *session, struct look *look);

/* What is told of a session that ends; the caller frees it. */
struct left *govern_leave(const struct core *core, const struct session *session,
                          const char *reason);

/* Names of attributes, NULL-terminated, or NULL for all: a copy in one allocation. */
const char *const *govern_copy_names(const char *const *names);

#endif
