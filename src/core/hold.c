/* hold.c -- see hold.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/hold.h"

#include "core/core_priv.h"

void hold_set(struct core *core, struct session *session, enum hold reason, bool holds)
{
    unsigned before = session->holds;

    session->holds = (uint8_t)(holds ? before | reason : before & ~(unsigned)reason);
    if ((before == 0) != (session->holds == 0))
        outbox_hold(core->out, session->peer, holds);
}
