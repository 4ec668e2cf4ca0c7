/* select.h -- which callee of a registration answers a call.
 *
 * WAMP: "Shared Registration", "Sharded Registration", "Call Re-Routing".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_SELECT_H
#define NEXUS_CORE_SELECT_H

#include "core/dealer.h"

/* What a callee must be to get the call. */
struct selection {
    struct slice rkey;     /* sharded call: its key; data NULL: the policy chooses */
    const uint64_t *tried; /* session ids that have refused the call; the last one just now */
    size_t tried_count;
    uint32_t features; /* re-routing: what the callee must have announced */
};

/* The callee whose turn it is and who is not busy, or NULL. */
struct callee *select_callee(struct core *core, struct registration *registration,
                             const struct selection *selection);

#endif
