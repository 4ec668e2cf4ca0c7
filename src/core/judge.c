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

static void turn_down(struct core *core, struct session *session, const struct msg *msg,
                      const struct options *options, const char *reason, const char *words)
{
    if (msg->type == MSG_CALL)
        calls_expect_late(core, session, msg, options->progress);
    if (msg->type != MSG_PUBLISH || options->acknowledge)
        send_error(core, session, msg->type, msg->id, reason, words);
}

/* Without an answer that is kept it is the rules' word. */
static void deny(struct core *core, struct session *session, const struct msg *msg,
                 const struct options *options, const struct kept_answer *kept)
{
    const char *reason = kept == NULL ? WAMP_NOT_AUTHORIZED : kept->reason;
    const char *words = kept == NULL ? "the role of the session does not allow this" : kept->words;

    notice_denied(core, session, action_of(msg->type), options->match, msg->text, reason,
                  kept == NULL ? NULL : words, NULL);
    turn_down(core, session, msg, options, reason, words);
}

/* The rule that allows it has options that stand before those of the client. */
static void perform_forced(struct core *core, struct session *session, const struct msg *msg,
                           const struct options *options)
{
    static const struct grant nothing = {0};
    struct amended amended;
    const char *cause = amend_request(core, session, msg, &options->grant, &nothing, &amended);

    if (cause == NULL) {
        session_perform(core, session, &amended.msg, &amended.options);
        return;
    }
    notice_denied(core, session, action_of(msg->type), options->match, msg->text,
                  WAMP_AUTHORIZATION_FAILED, NULL, cause);
    turn_down(core, session, msg, options, WAMP_AUTHORIZATION_FAILED, NULL);
}

/* When it may be done again is an argument of the ERROR. */
static void deny_for_now(struct core *core, struct session *session, const struct msg *msg,
                         const struct options *options, uint64_t delay_ms)
{
    struct decision decision = {.reason = NEXUS_RATE_LIMITED,
                                .words = "too many requests of this kind",
                                .codec = CODEC_MSGPACK};
    struct encoder e;
    struct blob *kwargs;

    notice_denied(core, session, action_of(msg->type), options->match, msg->text, decision.reason,
                  decision.words, NULL);
    if (msg->type == MSG_CALL)
        calls_expect_late(core, session, msg, options->progress);
    if (msg->type == MSG_PUBLISH && !options->acknowledge)
        return;
    encode_start(&e, decision.codec, 32);
    encode_map(&e, 1);
    encode_text(&e, SLICE("retry_after"));
    encode_float(&e, (double)delay_ms / 1000);
    encode_end(&e);
    kwargs = encode_finish(&e);
    decision.kwargs = blob_slice(kwargs);
    send_denial(core, session, msg->type, msg->id, &decision);
    blob_drop(kwargs);
}

/* True when a limit stops it, for now or for good. */
static bool is_stopped(struct core *core, struct session *session, const struct msg *msg,
                       const struct options *options)
{
    enum limit_action action = (enum limit_action)action_of(msg->type);
    struct throttled throttled;

    if (LIKELY(!throttle_is_for(&core->throttle, action)) ||
        throttle_request(core, session, action, msg->text, &throttled))
        return false;
    switch (throttled.over) {
    case LIMIT_WAIT:
        park_pause(core, session, msg, throttled.delay_ms);
        break;
    case LIMIT_DENY:
        deny_for_now(core, session, msg, options, throttled.delay_ms);
        break;
    case LIMIT_CLOSE:
    case LIMIT_REPLACE_OLDEST: /* not for requests */
        notice_killed(core, session, NULL, (struct slice){0}, NEXUS_RATE_LIMITED);
        session_shut_down(core, session, NEXUS_RATE_LIMITED, SLICE("too many requests"));
        break;
    }
    return true;
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
    if (is_stopped(core, session, msg, options))
        return false;
    if (!needs_are_possible(core, session))
        return true;
    effect = permit_judge(core, session, action, options->match, msg->text, &options->grant);
    if (effect == RULE_ASK)
        kept = kept_find(core, session, action, options->match, msg->text);
    if (kept != NULL) {
        options->grant = kept->grant;
        effect = kept->verdict == VERDICT_ALLOW ? RULE_ALLOW : RULE_DENY;
    }
    if (effect == RULE_DENY) {
        deny(core, session, msg, options, kept);
        return false;
    }
    needs = needs_of_request(core, session, msg, options, effect);
    if (needs == 0 && LIKELY(options->grant.options.len == 0))
        return true;
    if (needs == 0) {
        perform_forced(core, session, msg, options);
        return false;
    }
    park_ask(
        core, session, msg,
        &(struct question){
            .needs = needs, .action = action, .match = options->match, .given = options->grant});
    return false;
}

const char *judge_testament(struct core *core, const struct session *session, const struct msg *msg,
                            struct amended *amended)
{
    static const struct grant nothing = {0};
    struct options options;
    struct fault fault;
    struct grant given;

    if (permit_judge(core, session, RULE_PUBLISH, MATCH_EXACT, msg->text, &given) != RULE_ALLOW)
        return "the role of the session does not allow to publish this";
    if (options_read(&options, msg, &core->scratch, &fault) < 0)
        return "its options are not those of a publication";
    if ((needs_of_request(core, session, msg, &options, RULE_ALLOW) & NEEDS_INTERCEPT) != 0)
        return "each publication is seen before it goes on, which a testament cannot wait for";
    return amend_request(core, session, msg, &given, &nothing, amended);
}
