/* session.h -- the sessions of a realm: how they begin, what they may send, how they end.
 *
 *   state          HELLO   GOODBYE            ABORT          requests, YIELD, ERROR   anything else
 *   (no session)   lobby.c: HELLO leads here, ABORT closes, all else is a violation
 *   AUTHENTICATING PV      PV                 end, close     PV                       AUTHENTICATE
 *   ESTABLISHED    PV      GOODBYE back, end  end, close     handled                  PV
 *   SHUTTING_DOWN  ignore  close              close          ignore                   ignore
 *
 * PV is a protocol violation: ABORT, end, close. Session ids and peers both lead
 * to the session; a session that is SHUTTING_DOWN holds nothing any more.
 *
 * WAMP: "Sessions", "Session Closing".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_SESSION_H
#define NEXUS_CORE_SESSION_H

#include "base/deadlines.h"
#include "base/list.h"
#include "core/core.h"
#include "core/features.h"

struct core;
struct options;

enum session_state { SESSION_AUTHENTICATING, SESSION_ESTABLISHED, SESSION_SHUTTING_DOWN };

/* A deadline of the core, and what it belongs to. */
enum timer_kind { TIMER_SESSION, TIMER_CALL, TIMER_LOSSES, TIMER_RECHECK, TIMER_PAUSE };

struct timer {
    struct deadline deadline;
    enum timer_kind kind;
};

/* A progressive call that is over: its late chunks are not new calls. */
struct finished_call {
    uint64_t request;
    uint64_t at;        /* instant */
    uint64_t procedure; /* hash of its URI */
};

/* One value of one attribute, both interned. An attribute that is a list has several tags. */
struct tag {
    uint32_t key, value;
};

struct session {
    uint64_t id;
    uint64_t peer;
    enum session_state state;
    enum codec codec;
    uint32_t features;         /* bit set of enum feature */
    uint8_t roles;             /* bit set of 1 << enum role, as in HELLO */
    bool is_admin;             /* it may end, remove and change what belongs to others */
    bool is_trusted;           /* the router's own code: no rule and no limit is for it */
    bool is_operator;          /* it came in by an address for administrators: the same, but seen */
    uint32_t send_max;         /* longest message the peer accepts */
    uint64_t watermark;        /* last new request id; 0: none yet */
    uint64_t last_invocation;  /* last INVOCATION id issued */
    bool has_wrapped;          /* it has issued 2^53 ids */
    uint32_t authid, authrole; /* interned; counted */
    uint32_t tag_count;
    struct tag *tags; /* owned; counted */
    uint32_t compound_count;
    uint32_t *compounds; /* owned; counted: attributes that are lists or nothing plain */
    uint32_t claim_count;
    uint32_t *claims;        /* owned; counted: attributes that its client has given in HELLO */
    struct list late;        /* retained events that are asked about: struct late; see late.h */
    struct slice details;    /* owned; see details.h */
    struct slice vars;       /* owned; an encoded dict that its policy keeps here, or none */
    uint64_t joined;         /* wall clock, ms */
    struct list members;     /* its subscriptions: struct member, owned by the broker */
    struct list callees;     /* its registrations: struct callee, owned by the dealer */
    struct list calls;       /* calls it waits for: struct call, owned by the dealer */
    struct list invocations; /* calls it works on: the same */
    uint32_t subscription_count, registration_count, call_count, invocation_count;
    struct list testaments; /* owned: struct testament */
    uint32_t testament_count;
    size_t testaments_len;          /* bytes of their messages */
    size_t loss;                    /* its entry in core->losses, if that is its own */
    int64_t trustlevel;             /* negative: none */
    uint64_t reinterrupted_at;      /* last INTERRUPT for a call that was over */
    struct finished_call *finished; /* owned ring of MAX_FINISHED_CALLS; NULL: none yet */
    uint32_t finished_count;        /* ever put into the ring */
    uint32_t rule_role;             /* index of its role in the rules */
    struct list parked;             /* owned: struct parked; see park.h */
    uint32_t parked_count;
    size_t parked_len;   /* bytes of their messages */
    struct list reviews; /* answers of it that are judged: struct review, of the calls */
    uint32_t review_count;
    size_t review_len;           /* bytes of their messages */
    uint8_t holds;               /* why its connection is not read: bit set of enum hold */
    bool is_draining;            /* what was parked is being handled */
    uint64_t changed_at;         /* last question put before its attributes were changed */
    uint64_t self;               /* stands for it in the keys of kept decisions; 0: in none */
    struct timer pause;          /* until then the first that is parked waits */
    struct list seats;           /* owned; see seats.c */
    uint64_t number;             /* of all that were ever opened: who came first has the lowest */
    struct transport_tls *tls;   /* held; NULL: no TLS */
    struct transport_http *http; /* held; NULL: nothing is kept of its request */
    uint32_t address;            /* of its peer: interned, counted; INTERN_NONE: not needed yet */
    struct list rechecking;      /* core->recheck.sessions */
    uint32_t turn;               /* what it holds and bears another one is to be judged again */
    struct joining *joining;     /* owned; while AUTHENTICATING, else NULL */
    struct timer timer;          /* auth_timeout, the end of its time, or goodbye_timeout */
    enum close_code close_code;  /* when SHUTTING_DOWN: how its connection will be closed */
};

/* Events of one session, from core_step. */
void session_on_message(struct core *core, struct session *session, const struct msg *msg);
void session_on_fault(struct core *core, struct session *session, const struct fault *fault);
void session_on_closed(struct core *core, struct session *session);
void session_on_timer(struct core *core, struct session *session);

/* Ends a session with GOODBYE: it lets go of everything at once, and its connection is closed
 * when the peer answers or goodbye_timeout is over. */
void session_shut_down(struct core *core, struct session *session, const char *reason,
                       struct slice words);

/* The same with ABORT, after which the connection is closed. The session is gone. */
void session_abort(struct core *core, struct session *session, const char *reason,
                   const char *words);

/* A message of an ESTABLISHED session that waited. May end the session. */
void session_take(struct core *core, struct session *session, const struct msg *msg);

/* Does what the message asks for; that is allowed by now. */
void session_perform(struct core *core, struct session *session, const struct msg *msg,
                     const struct options *options);

void session_free(struct core *core, struct session *session);

#endif
