/* judge.c -- see judge.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/judge.h"

#include "core/calls.h"
#include "core/notice.h"
#include "core/park.h"
#include "core/permit.h"
#include "core/send.h"
#include "wire/errors.h"

static enum rule_action action_of(enum msg_type type)
{
    return type == MSG_CALL        ? RULE_CALL
           : type == MSG_PUBLISH   ? RULE_PUBLISH
           : type == MSG_SUBSCRIBE ? RULE_SUBSCRIBE
                                   : RULE_REGISTER;
}

/* What the operation refuses anyway is no question of rights. */
static bool is_judged(const struct core *core, enum rule_action action, const struct msg *msg,
                      const struct options *options)
{
    bool may_be_reserved = action == RULE_CALL || action == RULE_SUBSCRIBE;

    return uri_is_valid(msg->text, options->match, core->options.strict_uris) &&
           (may_be_reserved || !core_reserves(core, msg->text));
}

/* Without an answer that is kept it is the rules' word. */
static void turn_down(struct core *core, struct session *session, const struct msg *msg,
                      const struct options *options, const struct kept_answer *kept)
{
    const char *reason = kept == NULL ? WAMP_NOT_AUTHORIZED : kept->reason;
    const char *words = kept == NULL ? "the role of the session does not allow this" : kept->words;

    notice_denied(core, session, action_of(msg->type), options->match, msg->text, reason,
                  kept == NULL ? NULL : words, NULL);
    if (msg->type == MSG_CALL)
        calls_expect_late(core, session, msg, options->progress);
    if (msg->type != MSG_PUBLISH || options->acknowledge)
        send_error(core, session, msg->type, msg->id, reason, words);
}

bool judge_request(struct core *core, struct session *session, const struct msg *msg,
                   struct options *options)
{
    enum rule_action action = action_of(msg->type);
    const struct kept_answer *kept = NULL;
    enum rule_effect effect;
    unsigned needs;

    if (!is_judged(core, action, msg, options))
        return true;
    effect = permit_judge(core, session, action, options->match, msg->text, &options->grant);
    if (effect == RULE_ASK)
        kept = kept_find(core, session, action, options->match, msg->text);
    if (kept != NULL) {
        options->grant = kept->grant;
        effect = kept->verdict == VERDICT_ALLOW ? RULE_ALLOW : RULE_DENY;
    }
    if (effect == RULE_DENY) {
        turn_down(core, session, msg, options, kept);
        return false;
    }
    needs = needs_of_request(core, session, msg, options, effect);
    if (needs == 0)
        return true;
    park_ask(
        core, session, msg,
        &(struct question){
            .needs = needs, .action = action, .match = options->match, .given = options->grant});
    return false;
}
