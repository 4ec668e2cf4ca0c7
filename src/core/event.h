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

struct core_options;

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
    EV_RULES,       /* the rules of the realm are others: renewal */
    EV_RECHECK,     /* what a session holds is to be judged again: session; 0: of all */
    EV_SET,         /* attributes of a session are others: change */
    EV_FORGET,      /* kept answers are to be forgotten: forget */
    EV_END,         /* a session is to end: ending */
    EV_ADMIN,       /* what an administrator wanted (ACT_ADMIN) is done, or not: done */
};

/* EV_ADMIN; passed over when the session has ended. */
struct admin_done {
    uint64_t session, request;
    uint64_t count;    /* the result */
    const char *error; /* URI; NULL: there is none */
    char words[512];   /* of the error */
};

/* EV_RULES. Of the options those count that a policy makes: rules (borrowed from now on; the old
 * ones are not needed after the step), intercepts, limits, expose, asks_filter and filterable. */
struct renewal {
    const struct core_options *options;
    const struct slice
        *declared; /* attributes that a policy gives: what clients said of them goes */
    size_t declared_count;
    bool rechecks; /* what sessions hold is judged again */
};

/* EV_SET: null takes an attribute away, any other value sets it. */
struct change {
    uint64_t session; /* id */
    enum codec codec;
    struct slice attributes; /* encoded dict */
    struct fault *fault;     /* filled in: err 0 when it is done; else nothing has changed */
};

/* EV_END; passed over when there is no such session, or it is the router's own code. */
struct ending {
    uint64_t session; /* id */
    const char *reason;
    const char *words; /* or NULL */
    bool is_abort;     /* ABORT and the end of the connection, instead of GOODBYE */
};

/* EV_FORGET: what was decided for sessions with that value of an attribute, because of it or because
 * of who they are. */
struct forget {
    struct slice name; /* len 0: everything is forgotten */
    struct token value;
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
        const struct renewal *renewal;
        const struct change *change;
        const struct ending *ending;
        const struct admin_done *done;
        const struct forget *forget;
        uint64_t session;
    };
    const struct transport *transport; /* EV_HELLO; borrowed for the step */
};

#endif
