/* calls_priv.h -- what a call is made of: for calls.c, invoke.c, answer.c, cancel.c, look.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_CALLS_PRIV_H
#define NEXUS_CORE_CALLS_PRIV_H

#include "core/calls.h"
#include "core/core_priv.h"

/* A CALL that is needed again: for its next chunk, its next callee, or when it had to wait. */
struct kept_call {
    struct msg msg; /* its slices point into `bytes` */
    char bytes[];
};

/* More input of a progressive call, for the callee that it waits for. */
struct kept_chunk {
    struct list in_call; /* call->chunks */
    bool more_follows;
    struct msg msg; /* its slices point into `bytes` */
    char bytes[];
};

struct call {
    struct call *next_spare;  /* in dealer->spare; else unused */
    struct session *caller;   /* borrowed */
    struct session *callee;   /* borrowed; NULL: waiting */
    struct callee *answerer;  /* borrowed; NULL: waiting, or detached meanwhile */
    uint64_t request;         /* of the caller's CALL */
    uint64_t invocation;      /* of our INVOCATION */
    uint64_t registration_id; /* where it was matched */
    uint64_t procedure;       /* of a progressive call: hash of the URI that the caller named */
    struct list in_caller;    /* caller->calls */
    struct list in_callee;    /* callee->invocations */
    struct list in_waiting;   /* registration->waiting */
    struct list chunks;       /* owned: struct kept_chunk, while it waits */
    struct list reviews;      /* owned: struct review, answers that are judged */
    uint32_t chunk_count;
    size_t chunks_len;                             /* bytes of their messages */
    struct timer timer;                            /* the earliest of the three instants */
    uint64_t timeout_at, queue_until, grace_until; /* NEVER: none */
    uint64_t timeout_ms;                           /* 0: none; what restarts the clock */
    bool is_pattern;                               /* the registration is no exact one */
    bool is_disclosed;                             /* the callee is told who calls */
    bool is_forwarded;                             /* the timeout is the callee's business */
    bool receive_progress;                         /* the caller takes progressive results */
    bool is_progressive;                           /* the first CALL said that more chunks follow */
    bool inputs_done;                              /* the last chunk has come */
    bool has_progressed;                           /* a progressive result was forwarded */
    bool has_more_chunks;                          /* more than the first was forwarded */
    bool is_answered;       /* its last answer is judged; it is no callee's any more */
    bool is_cancelled;      /* by CANCEL in mode kill: the callee's answer still counts */
    struct grant grant;     /* of the CALL */
    struct kept_call *kept; /* owned; NULL: not needed again */
    uint64_t *tried;        /* owned; session ids of callees that refused it */
    size_t tried_count;
};

/* calls.c */
struct call *call_new(struct core *core, struct session *caller, uint64_t request,
                      const struct registration *registration);

/* A URI as calls remember it. */
uint64_t call_hash(const struct core *core, struct slice procedure);

/* A progressive call is over: its late chunks must not be taken for new calls. */
void call_remember(const struct core *core, struct session *caller, uint64_t request,
                   uint64_t procedure);

/* Gives the call to a callee under a new invocation id; and takes it back. */
void call_assign(struct core *core, struct call *call, struct callee *callee);
void call_unassign(struct core *core, struct call *call);

/* The callee has done its part: takes the call back, which goes on, and lets the next one that waits
 * for its callee go on. */
void call_release(struct core *core, struct call *call);

/* The reverse of call_new, from any state. Does not serve who waits: see call_end. */
void call_free(struct core *core, struct call *call);

/* The call is over: frees it, and lets the next one that waits for its callee go on. */
void call_end(struct core *core, struct call *call);

/* ERROR(CALL) to a caller; and the same as the end of a call. */
void call_send_error(struct core *core, const struct session *caller, uint64_t request,
                     const char *uri, const char *words);
void call_end_with_error(struct core *core, struct call *call, const char *uri, const char *words);

/* Starts or restarts the clock of the call, and sets its deadline to what comes first. */
void call_restart_clock(struct core *core, struct call *call);
void call_set_deadline(struct core *core, struct call *call);

/* Tells the callee that nobody waits any more, if it understands that. */
void call_interrupt(struct core *core, const struct call *call, enum cancel_mode mode,
                    const char *reason);

/* Keeps a copy of the message, with or without its payload. */
void call_keep(struct call *call, const struct msg *msg, bool with_payload);

static inline bool session_can(const struct session *session, uint32_t features)
{
    return (session->features & features) == features;
}

/* answer.c: the YIELD or ERROR goes to the caller, and ends the call unless it is a progressive
 * result. */
void call_deliver(struct core *core, struct call *call, const struct msg *msg,
                  const struct options *options);

/* invoke.c: looks for another callee after a refusal; the call ends when there is none. */
void call_reroute(struct core *core, struct call *call);

#endif
