/* judge.h -- whether a request of a session goes on at once, is turned down, or is asked about.
 *
 * Limits come first (throttle.h), for they keep work from what follows: the rules (permit.h), then what is kept of earlier answers (kept.h), then whoever
 * is asked (park.h), for what these left open and for all that else is needed (needs.h).
 *
 * WAMP: "Authorization".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_JUDGE_H
#define NEXUS_CORE_JUDGE_H

#include "core/amend.h"
#include "core/needs.h"

/* True: the request goes on, with what options->grant says. If not it has been answered, or is
 * judged by somebody else. PUBLISH, SUBSCRIBE, CALL or REGISTER. */
bool judge_request(struct core *core, struct session *session, const struct msg *msg,
                   struct options *options) MUST_CHECK;

/* A PUBLISH that is left behind, which can wait for nobody: what would be asked about is denied.
 * *amended is what will be published. Returns NULL, or in words why it is not. */
const char *judge_testament(struct core *core, const struct session *session, const struct msg *msg,
                            struct amended *amended) MUST_CHECK;

/* judge_request, cheap where nothing is judged. */
static inline bool judge_permits(struct core *core, struct session *session, const struct msg *msg,
                                 struct options *options)
{
    return (!needs_are_possible(core, session) && !core->throttle.limits_requests) ||
           judge_request(core, session, msg, options);
}

#endif
