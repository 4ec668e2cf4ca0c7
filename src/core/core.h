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
#include "core/features.h"
#include "core/options.h"
#include "core/store.h"

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

/* What kill_by_authid and kill_by_authrole answer: a list and a count; both counts; both lists. */
enum kill_results { KILL_RESULTS_STANDARD, KILL_RESULTS_COUNT, KILL_RESULTS_LIST };

/* What a limit is for; the first four are those of rules. */
enum limit_action {
    LIMIT_CALL = RULE_CALL,
    LIMIT_REGISTER = RULE_REGISTER,
    LIMIT_PUBLISH = RULE_PUBLISH,
    LIMIT_SUBSCRIBE = RULE_SUBSCRIBE,
    LIMIT_JOIN,    /* a HELLO, or when it is not known before, a session that is let in */
    LIMIT_SESSION, /* how many there are */
    LIMIT_ACTION_COUNT
};

/* What happens to what is too much. */
enum limit_over {
    LIMIT_DENY,           /* ERROR, or ABORT: nexus.error.rate_limited */
    LIMIT_WAIT,           /* the request and all after it wait until it is time */
    LIMIT_CLOSE,          /* the session is ended */
    LIMIT_REPLACE_OLDEST, /* LIMIT_SESSION: the one that has been there longest is ended */
};

/* A limit of a policy; see throttle.h, and limit_check there for what goes with what. */
struct limit_options {
    enum limit_action action;
    const char *role; /* authrole of those it is for; NULL: all */
    const char *uri;  /* a pattern as in rules, for the URI or pattern of a request; NULL: all */
    const char *per;  /* "session", "authid", "authrole", "ip", "realm" or an attribute: who is
                         equal in that is counted together, and so are those who have none */
    double rate;      /* tokens a second */
    uint32_t burst;   /* that a bucket has room for; 0: those of a second, at least one */
    uint32_t max;     /* LIMIT_SESSION */
    enum limit_over over;
};

/* Event history of one pattern: its subscription exists as long as the realm does. */
struct history_options {
    const char *uri; /* copied */
    enum match match;
    struct log_limits limits;
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
    const struct rules *rules;      /* who may do what; borrowed; NULL: everybody everything */
    const char *const *expose;      /* attributes that the meta API shows besides the standard
                                       ones; NULL-terminated; NULL: all; copied */
    bool tells_left;                /* ACT_LEFT for each session that ends */
    const struct limit_options *limits; /* limit_count of them; used up by core_new */
    size_t limit_count;
    uint32_t max_buckets;          /* of limits; 0: 100,000 */
    uint32_t max_kept_nodes;       /* of the trees of kept decisions (kept.h); 0: 50,000 */
    bool asks_filter;              /* who gets an event that somebody hears is asked about */
    const char *const *filterable; /* attributes that clients may filter by, besides authid and
                                       authrole; NULL-terminated; NULL: all; copied */
    bool asks_join;                /* who comes in is decided by answers to ACT_ASK */
    unsigned intercepts;           /* bit set of enum intercept: these messages are asked about */
    uint32_t auth_timeout_ms;      /* HELLO -> CHALLENGE, CHALLENGE -> AUTHENTICATE -> WELCOME */
    uint32_t max_joining;          /* sessions that are being opened at one time */
    unsigned roles;                /* bit set of enum router_role */
    bool role_check;               /* requests of a role that HELLO did not name: violations */
    const char *const *reserved_prefixes; /* NULL-terminated, without dot; copied */
    bool anonymous_admin;            /* anonymous sessions may kill, remove and modify others */
    const char *const *http_headers; /* headers of their HTTP requests that session details show,
                                        in lower case; NULL-terminated; NULL: none; copied */
    bool meta_strict;                /* session details: the standard attributes only */
    bool meta_skips_causer;          /* subscription events are not for who caused them */
    bool enable_modify_details;      /* wamp.session.modify_details */
    bool lookup_miss_is_zero;        /* lookup and match answer 0, not null, for nothing */
    bool kill_reason_is_normal;      /* default reason: wamp.close.normal, not wamp.close.killed */
    enum kill_results kill_results;
    const struct history_options *histories; /* history_count of them; copied */
    size_t history_count;
    bool history_result_is_list;     /* get_events answers one list, not one argument an event */
    uint64_t wall;                   /* when the realm begins, ms since 1970 */
    uint32_t history_max_result;     /* events in one answer */
    struct retained_limits retained; /* of the realm */
    rng_fill_fn *random;             /* source of ids and seeds */
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

/* The question that an ACT_ASK is about, until it is answered or taken back; else NULL. */
const struct question *core_question(const struct core *core, uint64_t id);

/* What a policy keeps with a session, instead of what it kept there before: an encoded dict. It is
 * shown to nobody, and gone with the session. Returns 0, ERR_CLOSED when there is no such session,
 * or ERR_TOO_LONG. */
int core_set_vars(struct core *core, uint64_t session, enum codec codec,
                  struct slice vars) MUST_CHECK;

struct core_counters {
    uint64_t sessions, subscriptions, registrations, pending_calls; /* now */
    uint64_t joins, refusals, violations;                           /* since the start */
    uint64_t publications, events, calls, results, errors;
    uint64_t filtered; /* events that were kept from a subscriber by lists or an audience */
    uint64_t filter_per_session; /* answers of predicates that were of use for one session only */
    struct store_counts store;   /* now */
    uint64_t unretained;         /* events with the option retain for which there was no room */
    uint64_t dropped;   /* events that did not fit into a subscriber's queue, as EV_DROPPED says */
    uint64_t oversized; /* messages longer than their receiver accepts */
    uint64_t limited;   /* what was too much for a limit; what waits counts each time */
    uint64_t decisions_kept, decisions_reused; /* answers that are kept, now; uses of them */
    uint64_t revoked; /* what sessions held and other rules did not allow */
};

/* Valid until the next step. */
const struct core_counters *core_counters(struct core *core);

/* Walks everything the core holds and CHECKs it: both directions of each link, no call without
 * caller and callee, deadlines with owners, counts that add up. For tests; O(everything). */
void core_check(const struct core *core);

#endif
