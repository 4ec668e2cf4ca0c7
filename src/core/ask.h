/* ask.h -- what a core asks of whoever decides for it, and what the answer may be.
 *
 * Who may come in and do what is not the core's business: it puts the question (ACT_ASK), goes
 * on with everything else, and acts on the answer when that comes (EV_DECISION).
 * A question that is no longer of interest is taken back (ACT_UNASK).
 *
 * WAMP: "Authentication", "Authorization".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_ASK_H
#define NEXUS_CORE_ASK_H

#include "core/grant.h"
#include "core/rules.h"
#include "wire/msg.h"
#include "wire/transport.h"

enum ask {
    ASK_JOIN,         /* HELLO: ACCEPT, CHALLENGE or REFUSE */
    ASK_AUTHENTICATE, /* AUTHENTICATE, the answer to a CHALLENGE: the same three */
    ASK_AUTHORIZE,    /* a request of a session, for what `needs` says: ALLOW or DENY */
    ASK_ANSWER,       /* a RESULT or ERROR on its way to a caller: ALLOW (changed) or DENY */
    ASK_RETAINED,     /* a retained event, for a session that has just subscribed: the same two */
    ASK_RECHECK,      /* something a session holds, when the rules have changed: the same two */
};

struct look;

/* What has to be said about a request, one after the other. */
enum {
    NEEDS_AUTHORIZE = 1, /* whether it is allowed at all */
    NEEDS_INTERCEPT = 2, /* whether it is changed or stopped */
    NEEDS_FILTER = 4,    /* who gets the event */
};

/* What goes on only when somebody has seen it (core_options.intercepts). */
enum intercept {
    INTERCEPT_PUBLISH = 1,
    INTERCEPT_CALL = 2,   /* and more input of a call; not what the router answers itself */
    INTERCEPT_RESULT = 4, /* YIELD */
    INTERCEPT_ERROR = 8,  /* of a callee */
};

/* Valid until it is answered or taken back. */
struct question {
    uint64_t id;
    enum ask ask;
    unsigned round;        /* how many CHALLENGEs were sent so far */
    uint64_t peer;         /* who */
    uint64_t session;      /* the id that its session will have */
    const struct msg *msg; /* the message that is judged */

    /* JOIN, AUTHENTICATE: */
    const struct msg *hello;
    const struct transport *transport;

    /* AUTHORIZE, RECHECK: */
    unsigned needs; /* bit set of NEEDS_ */
    enum rule_action action;
    enum match match;     /* of a SUBSCRIBE or REGISTER */
    bool is_chunk;        /* a CALL that is more input for one that was let through */
    uint64_t publication; /* with NEEDS_FILTER, and of RETAINED: its id */
    struct grant given;   /* AUTHORIZE without NEEDS_AUTHORIZE: what the rules gave. It holds unless
                           the decision says otherwise; its audience always does. */

    /* ANSWER; peer and session are the callee's, which may be gone already: */
    uint64_t caller;        /* session id */
    struct slice procedure; /* that was called */

    /* RETAINED: `session` is who would get it; who published it, as it was then. */
    const struct look *publisher;
};

enum verdict {
    VERDICT_ACCEPT,
    VERDICT_CHALLENGE,
    VERDICT_REFUSE,
    VERDICT_ALLOW,
    VERDICT_DENY,
};

/* An answer; everything is borrowed for the step. Encoded values are in `codec`. */
struct decision {
    uint64_t question; /* id; one that is unknown by now is passed over */
    enum verdict verdict;
    enum codec codec;
    struct slice authmethod; /* ACCEPT, CHALLENGE */
    struct slice extra;      /* encoded dict, or none: WELCOME.Details.authextra, CHALLENGE.Extra */

    /* ACCEPT: */
    struct slice authid, authrole, authprovider; /* authid empty: one is made up */
    struct slice attributes; /* encoded dict, or none: they stand before those of HELLO */
    int64_t trustlevel;      /* negative: none */
    bool is_admin;
    uint64_t expires; /* wall clock, ms: when the session is ended; 0: never */

    /* ALLOW: */
    struct grant grant;
    const struct audience
        *audience; /* with NEEDS_FILTER: who gets the event, besides what the grant
                                        says. It is for this event and never kept. */

    /* REFUSE: */
    const char *scram; /* Details.scram of the ABORT, or NULL */

    /* REFUSE, DENY: */
    const char *reason, *words; /* URI (DENY: NULL is not_authorized), and text or NULL */
    const char *cause;          /* REFUSE, DENY: what nobody but the log may know, or NULL */
    struct slice kwargs;        /* DENY: encoded dict for the ERROR, or none */
    bool closes;                /* DENY: `session` of the question is ended as well */

    /* ALLOW, DENY of an AUTHORIZE question: the answer is kept for those who are equal in the
     * attributes that were read for it. */
    uint32_t keep_ms;          /* 0: not at all */
    const struct slice *reads; /* their names, in the order in which they were read */
    size_t read_count;
};

#endif
