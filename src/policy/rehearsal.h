/* rehearsal.h -- code of a policy that tries the policy out, in a router that stands still.
 *
 * Whoever set the tester (policy.h) makes the router. The code runs in a state of its own, which is a
 * version of the policy in that router that nobody asks: so it may do all that a policy may, and
 * wait. While it waits the router goes on, and its clock when nothing else can happen.
 *
 * Its fibers never run while the router is in the middle of a turn, as it turns the router itself.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_REHEARSAL_H
#define NEXUS_POLICY_REHEARSAL_H

#include "policy/fiber.h"

struct rehearsal {
    struct stage *stage;     /* owned */
    struct version *version; /* owned */
    struct fibers fibers;    /* of the code */
    uint64_t ends_ns;        /* uv_hrtime: when the call at hand is over */
    char words[400];         /* why it was ended */
};

/* One of a policy that was loaded; no call may take more CPU than that. False: it could not be made, and
 * that was said. */
bool rehearsal_open(struct rehearsal *rehearsal, const struct policy *policy, uint64_t cpu_ns,
                    policy_say_fn *say, void *ctx) MUST_CHECK;
void rehearsal_close(struct rehearsal *rehearsal);

/* Runs a fiber until it has ended, for so long by the machine's clock. */
void rehearsal_run(struct rehearsal *rehearsal, struct fiber *fiber, const struct fiber_kind *kind,
                   uint64_t wall_ns);

/* Pushes the router, always the same object; or raises. */
void l_rehearsal_push(lua_State *lua, const struct rehearsal *rehearsal);

#endif
