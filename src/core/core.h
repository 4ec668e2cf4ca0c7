/* core.h -- one realm as a pure state machine: events in, actions out.
 *
 * The core opens nothing, waits for nothing and never asks what time it is:
 * time is a field of the event, randomness one function pointer. So the same
 * events always lead to the same actions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_CORE_H
#define NEXUS_CORE_CORE_H

#include "base/deadlines.h"
#include "base/rng.h"
#include "core/action.h"
#include "core/event.h"
#include "core/options.h"

enum request_id_check { REQUEST_IDS_LENIENT, REQUEST_IDS_SEQUENTIAL, REQUEST_IDS_STRICT };

/* Who called or published: never told, told when either side asks, always told. */
enum disclosure { DISCLOSE_NEVER, DISCLOSE_REQUEST, DISCLOSE_ALWAYS };

/* Session ids are unique in a router, not only in a realm: whoever owns the realms says
 * whether an id is free. May be NULL when there is one realm. */
struct id_keeper {
    bool (*claim)(void *ctx, uint64_t session); /* true: it was free and is taken now */
    void (*give_back)(void *ctx, uint64_t session);
    void *ctx;
};

struct core_options {
    const char *realm;          /* name; copied */
    const char *agent;          /* WELCOME.Details.agent; NULL: not sent; copied */
    const char *anonymous_role; /* authrole of anonymous sessions; copied */
    bool strict_uris;           /* knob uri_check */
    bool ppt_compat;            /* accept and announce payload_transparency */
    enum request_id_check request_id_check;
    bool empty_eligible_is_absent; /* `eligible: []` restricts nothing (habit of others) */
    enum disclosure disclose_caller, disclose_publisher;
    bool disclose_callee_request;  /* REGISTER.Options.disclose_caller counts as asking */
    bool progress_requires_cancel; /* progressive results only with callees that can cancel */
    bool allow_force_reregister;   /* by the authid of all present callees */
    bool reinterrupt;              /* a progressive result of a finished call: INTERRUPT again */
    bool invoke_unknown_fallback;  /* an unknown REGISTER.Options.invoke means roundrobin */
    enum cancel_mode cancel_default_mode;
    uint32_t trustlevel; /* of anonymous sessions: the level plus one; 0: none */
    uint32_t call_default_timeout_ms, call_max_timeout_ms; /* 0: none */
    uint32_t kill_grace_ms;         /* CANCEL mode kill -> canceled all the same; 0: never */
    uint32_t callee_max_pending;    /* invocations of one callee session; 0: no bound */
    uint32_t call_queue_len;        /* calls that wait for a callee of a registration; 0: none */
    uint32_t call_queue_timeout_ms; /* how long they do */
    uint32_t max_sessions;          /* in this realm; 0: no bound */
    uint32_t max_subscriptions;     /* of one session */
    uint32_t max_registrations;     /* of one session */
    uint32_t max_pending_calls;     /* of one caller */
    uint32_t goodbye_timeout_ms;    /* our GOODBYE -> the peer's */
    rng_fill_fn *random;            /* source of ids and seeds */
    void *random_ctx;
    struct id_keeper ids;
};

struct core;

/* Fills in the defaults (realm and random stay NULL). */
void core_defaults(struct core_options *options);

struct core *core_new(const struct core_options *options);
void core_free(struct core *core);

/* Something happened at ev->now. Everything the router must do about it is appended to `out`.
 * Nothing else leaves this function. */
void core_step(struct core *core, const struct event *ev, struct outbox *out);

/* When to send EV_TICK at the latest, or NEVER. */
uint64_t core_wake_at(const struct core *core);

struct core_counters {
    uint64_t sessions, subscriptions, registrations, pending_calls; /* now */
    uint64_t joins, refusals, violations;                           /* since the start */
    uint64_t publications, events, calls, results, errors;
    uint64_t filtered;  /* events that a black- or whitelist kept from a subscriber */
    uint64_t oversized; /* messages longer than their receiver accepts */
};

const struct core_counters *core_counters(const struct core *core);

/* Walks everything the core holds and CHECKs it: both directions of each link, no call without
 * caller and callee, deadlines with owners, counts that add up. For tests; O(everything). */
void core_check(const struct core *core);

#endif
