/* ask.h -- what a core asks of whoever decides for it, and what the answer may be.
 *
 * Who may come in is not the core's business: it puts the question (ACT_ASK), goes
 * on with everything else, and acts on the answer when that comes (EV_DECISION).
 * A question that is no longer of interest is taken back (ACT_UNASK).
 *
 * WAMP: "Authentication".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_ASK_H
#define NEXUS_CORE_ASK_H

#include "wire/msg.h"
#include "wire/transport.h"

enum ask {
    ASK_JOIN,         /* HELLO: ACCEPT, CHALLENGE or REFUSE */
    ASK_AUTHENTICATE, /* AUTHENTICATE, the answer to a CHALLENGE: the same three */
};

/* Valid until it is answered or taken back. */
struct question {
    uint64_t id;
    enum ask ask;
    unsigned round;   /* how many CHALLENGEs were sent so far */
    uint64_t peer;    /* who */
    uint64_t session; /* the id that its session will have */
    const struct msg *hello;
    const struct msg *msg; /* the message that is judged: HELLO or AUTHENTICATE */
    const struct transport *transport;
};

enum verdict { VERDICT_ACCEPT, VERDICT_CHALLENGE, VERDICT_REFUSE };

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

    /* REFUSE: */
    const char *reason, *words; /* URI, and text or NULL */
};

#endif
