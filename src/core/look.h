/* look.h -- what a session is, for those who decide about it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_LOOK_H
#define NEXUS_CORE_LOOK_H

#include "core/core.h"

/* Borrowed until the next step. */
struct look {
    struct slice authid, authrole;
    enum codec codec;     /* of the details */
    struct slice details; /* the dict of the meta API: identity, transport, attributes */
    int64_t trustlevel;   /* negative: none */
};

/* False when there is no such session (any more). */
bool core_look(const struct core *core, uint64_t session, struct look *look);

/* How long a session that is being opened may take for its next step, ms. */
uint32_t core_auth_timeout(const struct core *core);

#endif
