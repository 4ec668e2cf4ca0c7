/* review.h -- a RESULT or ERROR that goes on to its caller only when somebody has seen it.
 *
 * The answers of one call are judged one after the other, so progressive results stay in
 * order; other calls are not held up by them. With its last answer the callee is done, and
 * may leave. A call that ends meanwhile, by CANCEL, timeout or the end of its caller,
 * takes its question back.
 *
 * Private to the room.
 *
 * WAMP: "Calling and Invocations", "Progressive Call Results", "Authorization".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_REVIEW_H
#define NEXUS_CORE_REVIEW_H

#include "core/calls_priv.h"

/* Whether an answer waits behind others. */
static inline bool review_is_behind(const struct call *call)
{
    return UNLIKELY(!list_is_empty(&call->reviews));
}

/* A YIELD or ERROR for the call, by its callee; it is copied. One that is not `judged` only waits for
 * those before it. The last one takes the call from the callee. */
void review_add(struct core *core, struct call *call, const struct msg *msg, bool judged,
                bool is_last);

/* The answer; false when this is no question of ours. */
bool review_decide(struct core *core, const struct decision *decision);

/* The question with this id, or NULL. */
const struct question *review_question(const struct core *core, uint64_t id);

/* The call is over. */
void review_forget(struct core *core, struct call *call);

/* The session ends: what it said at last still goes to the callers. */
void review_leave(struct core *core, struct session *callee);

/* CHECKs those of a session. */
void review_check(const struct core *core, const struct session *callee);

/* CHECKs those of a call; returns how many questions it has. */
size_t review_check_call(const struct core *core, const struct call *call);

#endif
