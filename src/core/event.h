/* event.h -- what can happen to a core.
 *
 * One of the two doors of the room (the other is action.h). A peer is whatever
 * holds a session: a connection, or code in this process; the core only knows
 * its id, which is never reused.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_EVENT_H
#define NEXUS_CORE_EVENT_H

#include "core/ask.h"

enum event_type {
    EV_HELLO,       /* a peer without a session sent HELLO for this realm: msg, transport */
    EV_MESSAGE,     /* a peer with a session sent a message: msg */
    EV_FAULT,       /* a peer with a session sent what is no message: fault */
    EV_CLOSED,      /* the peer is gone */
    EV_UNSENT,      /* an INVOCATION could not be queued to the peer: invocation */
    EV_DROPPED,     /* EVENTs did not fit into the peer's queue: dropped */
    EV_DECISION,    /* the answer to a question: decision */
    EV_TICK,        /* nothing but time has passed */
    EV_CLOSE_REALM, /* every session is to end: reason */
};

struct event {
    enum event_type type;
    uint64_t now;  /* monotonic clock, ms */
    uint64_t wall; /* since 1970, UTC, ms */
    uint64_t peer;
    union {
        const struct msg *msg; /* borrowed for the step */
        const struct fault *fault;
        uint64_t invocation;
        uint64_t dropped;                /* how many, since the last EV_DROPPED of that peer */
        const char *reason;              /* URI */
        const struct decision *decision; /* borrowed for the step */
    };
    const struct transport *transport; /* EV_HELLO; borrowed for the step */
};

#endif
