/* look.h -- what there is in a realm, for those who decide about it: to look at, not to change.
 *
 * Everything is borrowed until the next step. A visitor is called for one thing after the
 * other, and returns false when it has seen enough; it must not step the core.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_LOOK_H
#define NEXUS_CORE_LOOK_H

#include "core/core.h"

/* ---- sessions ---- */

struct look {
    uint64_t id, peer;
    struct slice authid, authrole;
    struct slice authmethod, authprovider;
    enum codec codec;            /* of the details and vars */
    struct slice details;        /* the dict of the meta API: identity, transport, all attributes */
    struct transport_tls *tls;   /* NULL: no TLS */
    struct transport_http *http; /* NULL: nothing is kept of its request */
    struct slice vars;           /* what core_set_vars has put there; len 0: nothing */
    int64_t trustlevel;          /* negative: none */
    uint64_t joined;             /* wall clock, ms */
    unsigned roles;              /* bit set of 1 << enum role, as in HELLO */
    uint32_t features;           /* bit set of enum feature */
    bool is_trusted;             /* the router's own code */
    bool is_operator;            /* it came in by an address for administrators */
};

/* False when there is no such session (any more). */
bool core_look(const struct core *core, uint64_t session, struct look *look);

/* A session that has ended: what it was, and why it did. One allocation. */
struct left {
    struct look look;
    const char *reason; /* URI */
    char bytes[];
};

/* Everything is copied, and the facts of TLS and HTTP held. NULL is fine for left_free. */
struct left *left_new(const struct look *look, const char *reason);
void left_free(struct left *left);

/* A value that an attribute must have; of a list, one of its items. authid, authrole, authmethod
 * and authprovider are attributes as well. */
struct look_want {
    struct slice name;
    struct token value; /* text, boolean or number; anything else is not to be found */
};

typedef bool look_session_fn(void *ctx, const struct look *look);

/* The sessions that have all that is wanted, in no particular order. */
void core_each_session(const struct core *core, const struct look_want *wants, size_t count,
                       look_session_fn *fn, void *ctx);

/* What the rules say to a request of a session, and why. explanation->verdict.rule is NULL, and there
 * is nothing else in it, where no rule was looked at. False: there is no such session. */
struct rules_explanation;
bool core_explain(const struct core *core, uint64_t session, enum rule_action action,
                  enum match match, struct slice uri, struct rules_explanation *explanation);

/* ---- subscriptions, registrations, retained events ---- */

/* A session that would get an event of the topic, through this subscription: the same session may
 * come again with another one. For callees it is the registration that a call of the URI goes to,
 * and those who may answer it. */
typedef bool look_holder_fn(void *ctx, uint64_t session, uint64_t id, enum match match,
                            struct slice uri);

void core_each_subscriber(const struct core *core, struct slice topic, look_holder_fn *fn,
                          void *ctx);
void core_each_callee(const struct core *core, struct slice uri, look_holder_fn *fn, void *ctx);

/* Whether somebody waits for what a callee makes of that invocation. */
bool core_awaits_yield(const struct core *core, uint64_t callee, uint64_t invocation);

/* The instant at which its caller, or who allowed the call, wants it to be over; NEVER: there is none. */
uint64_t core_call_deadline(const struct core *core, uint64_t callee, uint64_t invocation);

/* True when there is a registration of exactly that pattern, by somebody who is not trusted. */
bool core_has_callee(const struct core *core, struct slice uri, enum match match);

/* Retained events of the topic, newest first. One with filters is not for everybody. */
struct record;
typedef bool look_record_fn(void *ctx, const struct record *record);
void core_each_retained(const struct core *core, struct slice topic, look_record_fn *fn, void *ctx);

/* ---- the realm ---- */

/* How long a session that is being opened may take for its next step, ms. */
uint32_t core_auth_timeout(const struct core *core);

/* How many sessions may be opened at one time. */
uint32_t core_max_joining(const struct core *core);

#endif
