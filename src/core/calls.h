/* calls.h -- calls in flight: from CALL to the last RESULT or ERROR.
 *
 * Invariant, verified by calls_check(): a call has a caller and a callee that
 * are both in their sessions' lists, and is found under (caller, request) and
 * under (callee, invocation). When it is over nothing is kept of it.
 *
 * WAMP: "Calling and Invocations", "Callee and Caller Leaving".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_CALLS_H
#define NEXUS_CORE_CALLS_H

#include "core/options.h"
#include "core/session.h"

struct core;

/* True when the session waits for a call with this request id. */
bool calls_is_pending(const struct core *core, const struct session *session, uint64_t request);

/* CALL, YIELD, ERROR(INVOCATION). The last two return 0, or an ERR_* with a fault when they
 * violate the protocol. */
void calls_call(struct core *core, struct session *caller, const struct msg *msg,
                const struct options *options);
int calls_yield(struct core *core, struct session *callee, const struct msg *msg,
                const struct options *options, struct fault *fault) MUST_CHECK;
int calls_error(struct core *core, struct session *callee, const struct msg *msg,
                const struct options *options, struct fault *fault) MUST_CHECK;

/* An INVOCATION could not be queued for the callee: the caller is told at once. */
void calls_unsent(struct core *core, struct session *callee, uint64_t invocation);

/* The session ends: callers of calls it worked on get ERROR, callees of calls it waited for are
 * interrupted where they can be. */
void calls_leave(struct core *core, struct session *session);

/* The realm closes: callers and callees go in the same instant, so the calls that the session
 * waits for end without a word to anybody. */
void calls_forget(struct core *core, struct session *session);

void calls_check(const struct core *core);

#endif
