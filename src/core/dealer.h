/* dealer.h -- who answers what: registrations.
 *
 * The dealer owns every registration of one realm, and through calls.h every
 * call in flight. Which callee answers a call is decided in select.c.
 *
 * Invariants, verified by dealer_check(): a session is among the callees of a
 * registration exactly when the registration is in the session's list; a
 * registration without callees does not exist.
 *
 * WAMP: "Remote Procedure Calls", "Pattern-based Registrations", "Shared
 * Registration", "Registration Revocation".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_DEALER_H
#define NEXUS_CORE_DEALER_H

#include "core/match.h"
#include "core/options.h"
#include "core/session.h"

struct core;
struct registration;

/* One session that answers a registration. */
struct callee {
    struct session *session;           /* borrowed */
    struct registration *registration; /* borrowed */
    struct list in_session;            /* session->callees */
    bool disclose_caller, forward_timeout;
    uint32_t turn;        /* in which it was judged; see recheck.h */
    uint64_t concurrency; /* pending invocations at once; 0: no bound */
    uint64_t pending;     /* calls whose answerer this is */
    struct slice nkey;    /* owned; its key among shards, never empty */
};

struct registration {
    struct match_entry entry; /* entry.uri points at `uri` */
    uint64_t id;
    uint64_t created; /* wall clock, ms */
    enum invoke invoke;
    struct callee **callees; /* array owned; in the order of registration */
    size_t callee_count, callee_cap;
    size_t cursor;       /* roundrobin: who is next */
    struct list waiting; /* calls for which every callee is busy: struct call */
    uint32_t waiting_count;
    bool is_serving; /* waiting calls are being handed out */
    char uri[];
};

struct dealer {
    struct match_index index; /* of struct registration, by URI */
    struct map by_id;         /* registration id -> registration, owned */
    struct map callees;       /* (session id, registration id) -> callee, owned */
    struct map calls;         /* (caller's session id, request) -> call, owned */
    struct map invocations;   /* (callee's session id, invocation) -> call, borrowed */
    struct call *spare;       /* owned list: memory for calls to come */
    unsigned spare_count;
};

void dealer_init(struct core *core);
void dealer_fini(struct core *core);

/* The requests, with their checks from the grammar of the URI on, and their answers. */
void dealer_register(struct core *core, struct session *session, const struct msg *msg,
                     const struct options *options);
void dealer_unregister(struct core *core, struct session *session, const struct msg *msg);

/* The registration that a call of the URI goes to, or NULL. Those of
 * reserved URIs are of trusted sessions. */
struct registration *dealer_match(const struct core *core, struct slice uri);

/* A callee loses its registration without having asked: it is told if it announced
 * registration_revocation. Calls in flight go on. */
void dealer_revoke(struct core *core, struct callee *callee, const char *reason);

/* The session ends: it leaves all registrations. */
void dealer_leave(struct core *core, struct session *session);

void dealer_check(const struct core *core);

#endif
