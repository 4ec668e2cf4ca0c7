/* needs.c -- see needs.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/needs.h"

#include "core/candidates.h"

/* A CALL of what the router answers itself: there is nobody that it could be changed for. */
static bool is_for_router(const struct core *core, struct slice uri)
{
    return core_reserves(core, uri) && dealer_match(core, uri) == NULL;
}

/* Who gets an event is asked only where there is somebody; or where it might be published to
 * somebody by the same answer. */
static bool needs_filter(const struct core *core, const struct session *session,
                         const struct msg *msg, const struct options *options, unsigned needs)
{
    const struct session *excluded = options->exclude_me ? session : NULL;

    return msg->type == MSG_PUBLISH && core->options.asks_filter &&
           (needs != 0 || candidates_exist(core, msg->text, excluded));
}

unsigned needs_of_request(const struct core *core, const struct session *session,
                          const struct msg *msg, const struct options *options,
                          enum rule_effect effect)
{
    unsigned intercepts = core->options.intercepts;
    unsigned needs = effect == RULE_ASK ? NEEDS_AUTHORIZE : 0;

    if (session->is_trusted)
        return 0;
    if (msg->type == MSG_PUBLISH && (intercepts & INTERCEPT_PUBLISH) != 0)
        needs |= NEEDS_INTERCEPT;
    if (msg->type == MSG_CALL && (intercepts & INTERCEPT_CALL) != 0 &&
        !is_for_router(core, msg->text))
        needs |= NEEDS_INTERCEPT;
    if (needs_filter(core, session, msg, options, needs))
        needs |= NEEDS_FILTER;
    return needs;
}
