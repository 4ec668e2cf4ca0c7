/* calls.h -- calls in flight: from CALL to the last RESULT or ERROR.
 *
 * A call is new when its caller is known, assigned when a callee works on it, and
 * may wait in between when every callee is busy (knob call_queue_len). It is
 * answered when its last answer is judged before the caller sees it (review.h).
 *
 * Invariant, verified by calls_check(): a call is in its caller's list and under
 * (caller, request); exactly when it is assigned it is in its callee's list and
 * under (callee, invocation), and otherwise it waits at its registration or is answered. When it
 * is over nothing is kept of it but, for progressive calls, the request id.
 *
 * WAMP: "Calling and Invocations", "Progressive Call Results", "Progressive Call
 * Invocations", "Call Timeouts", "Call Canceling", "Call Re-Routing".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_CALLS_H
#define NEXUS_CORE_CALLS_H

#include "core/dealer.h"

struct core;

/* What a CALL with this request id is. */
enum call_id {
    CALL_ID_NEW,
    CALL_ID_CHUNK,     /* more input for a pending progressive call */
    CALL_ID_LATE,      /* input for a call that is over: discard */
    CALL_ID_VIOLATION, /* fault says what is wrong */
};

enum call_id calls_judge_id(const struct core *core, const struct session *session,
                            const struct msg *msg, struct fault *fault);

/* Whether a call of this session is pending under that id. */
bool calls_is_pending(const struct core *core, const struct session *caller, uint64_t request);

/* Whether that CALL, which came at that instant, is more input for a call that is over. */
bool calls_is_over(const struct core *core, const struct session *caller, const struct msg *msg,
                   uint64_t came_at);

/* A CALL came to nothing before it was a call: when it was progressive, more input for it is
 * late. */
void calls_expect_late(const struct core *core, struct session *caller, const struct msg *msg,
                       bool is_progressive);

/* CALL (invoke.c): a new call, or the next chunk of one. */
void calls_call(struct core *core, struct session *caller, const struct msg *msg,
                const struct options *options);
void calls_chunk(struct core *core, struct session *caller, const struct msg *msg,
                 const struct options *options);

/* More input was refused: the call ends, and its callee need not go on. The caller is told by whoever
 * refused it. */
void calls_drop(struct core *core, struct session *caller, uint64_t request);

/* YIELD and ERROR(INVOCATION) (answer.c). Return 0, or an ERR_* with a fault. */
int calls_yield(struct core *core, struct session *callee, const struct msg *msg,
                const struct options *options, struct fault *fault) MUST_CHECK;
int calls_error(struct core *core, struct session *callee, const struct msg *msg,
                const struct options *options, struct fault *fault) MUST_CHECK;

/* CANCEL, and the deadline of a call (cancel.c). */
void calls_cancel(struct core *core, struct session *caller, const struct msg *msg,
                  const struct options *options);
void calls_on_timer(struct core *core, struct timer *timer);

/* An INVOCATION could not be queued for the callee: the caller is told at once. */
void calls_unsent(struct core *core, struct session *callee, uint64_t invocation);

/* Calls that wait at the registration get callees that are not busy any more. */
void calls_serve_waiting(struct core *core, struct registration *registration);

/* The registration goes away: calls that wait at it end. */
void calls_end_waiting(struct core *core, struct registration *registration);

/* A callee is detached from its registration; its calls in flight go on without it. */
void calls_forget_callee(struct callee *callee);

/* The session ends, before it leaves its registrations: its calls that no other session works on
 * end without a word. */
void calls_withdraw(struct core *core, struct session *session);

/* The session ends: callers of calls it worked on get ERROR, callees of calls it waited for are
 * interrupted where they can be. */
void calls_leave(struct core *core, struct session *session);

/* Callers and callees go in the same instant, all but `staying` (NULL: nobody stays). So the calls
 * that the session waits for end without a word to anybody, unless `staying` works on them. */
void calls_forget(struct core *core, struct session *session, const struct session *staying);

/* Frees what is kept for calls to come; there are none any more. */
void calls_fini(struct core *core);

/* CHECKs all calls; returns how many deadlines they have set. */
size_t calls_check(const struct core *core);

#endif
