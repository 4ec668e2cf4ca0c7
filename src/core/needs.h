/* needs.h -- what has to be said about a message before it goes on: the one place that knows.
 *
 * Rules decide most of it in the step itself (permit.h). What is left is asked, all
 * of it in one question. Whoever is trusted is not asked about.
 *
 * WAMP: "Authorization".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_NEEDS_H
#define NEXUS_CORE_NEEDS_H

#include "core/ask.h"
#include "core/core_priv.h"

/* Whether requests of this session can need anything. */
static inline bool needs_are_possible(const struct core *core, const struct session *session)
{
    return UNLIKELY(core->options.rules != NULL || core->options.intercepts != 0 ||
                    core->options.asks_filter) &&
           !session->is_trusted;
}

/* PUBLISH, CALL, SUBSCRIBE, REGISTER, of which the rules say `effect`, which is not RULE_DENY: bit
 * set of NEEDS_; 0: it goes on. Its URI is valid. */
unsigned needs_of_request(const struct core *core, const struct session *session,
                          const struct msg *msg, const struct options *options,
                          enum rule_effect effect);

/* More input for a call that is pending. */
static inline unsigned needs_of_chunk(const struct core *core, const struct session *caller)
{
    bool is_seen = UNLIKELY((core->options.intercepts & INTERCEPT_CALL) != 0);

    return is_seen && !caller->is_trusted ? NEEDS_INTERCEPT : 0;
}

/* Whether answers of this callee to this caller, of those kinds (bit set of enum intercept), are
 * asked about. */
static inline bool needs_of_answers(const struct core *core, const struct session *callee,
                                    const struct session *caller, unsigned kinds)
{
    return UNLIKELY((core->options.intercepts & kinds) != 0) && !callee->is_trusted &&
           !caller->is_trusted;
}

#endif
