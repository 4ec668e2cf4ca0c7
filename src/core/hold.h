/* hold.h -- a connection that is not read, for one reason or several.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_HOLD_H
#define NEXUS_CORE_HOLD_H

#include "core/session.h"

/* Bits of session->holds. */
enum hold {
    HOLD_PARKED = 1,   /* too much waits behind a question */
    HOLD_REVIEWED = 2, /* too many of its answers are being judged */
};

/* The reason holds, or does not any more. The socket is told of the first and after the last. */
void hold_set(struct core *core, struct session *session, enum hold reason, bool holds);

#endif
