/* auth_own.c -- methods that are judged elsewhere: by the code of a policy.
 *
 * Here is only the order of their steps, and the bound of their rounds. Anonymous and cookie are
 * here too: a record is all that they take.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_priv.h"
#include "base/check.h"

static enum auth_step begin_anonymous(struct auth_exchange *x, const struct auth_settings *settings,
                                      const struct auth_request *request)
{
    (void)settings;
    (void)request;
    auth_rename(x, (struct slice){0}); /* what the client claims counts for nothing */
    return auth_judge(x, true, NULL, NULL);
}

const struct auth_method auth_anonymous = {
    .name = "anonymous",
    .credential = CREDENTIAL_NONE,
    .begin = begin_anonymous,
};

/* That the cookie stands for somebody is known by whoever says so; so is the authid. */
static enum auth_step begin_cookie(struct auth_exchange *x, const struct auth_settings *settings,
                                   const struct auth_request *request)
{
    (void)settings;
    (void)request;
    return auth_judge(x, true, NULL, NULL);
}

const struct auth_method auth_cookie = {
    .name = "cookie",
    .credential = CREDENTIAL_NONE,
    .needs_cookie = true,
    .begin = begin_cookie,
};

static enum auth_step send(struct auth_exchange *x, enum codec codec, struct slice extra)
{
    struct encoder e;

    encode_start(&e, x->codec, extra.len);
    if (extra.len == 0) {
        encode_map(&e, 0);
        encode_end(&e);
    } else {
        encode_value(&e, codec, extra);
    }
    return auth_send(x, &e);
}

static enum auth_step ask(struct auth_exchange *x, struct slice signature, struct slice extra)
{
    (void)x;
    (void)signature;
    (void)extra;
    return AUTH_ASK;
}

const struct auth_method auth_own = {
    .name = "own",
    .credential = CREDENTIAL_NONE,
    .check = ask,
};

enum auth_step auth_begin_own(struct auth_exchange **exchange, struct slice name,
                              const struct auth_request *request, enum codec codec,
                              struct slice extra)
{
    struct auth_exchange *x = auth_new(&auth_own, name, request);

    *exchange = x;
    if (request->authid.len > MAX_AUTHID_LEN)
        return auth_refuse(x, WAMP_AUTHENTICATION_FAILED, NULL, "the authid is too long",
                           "authid: longer than %d octets", MAX_AUTHID_LEN);
    return send(x, codec, extra);
}

enum auth_step auth_answer_record(struct auth_exchange *x, struct auth_record *record)
{
    CHECK(x->state == STATE_ASKING);
    if (record != NULL)
        x->record = auth_record_hold(record);
    return auth_judge(x, true, NULL, NULL);
}

enum auth_step auth_answer_refusal(struct auth_exchange *x, const char *uri, const char *words)
{
    CHECK(x->state == STATE_ASKING);
    return auth_refuse(x, uri, NULL, "the policy refused", "%s", words);
}

enum auth_step auth_answer_challenge(struct auth_exchange *x, enum codec codec, struct slice extra)
{
    CHECK(x->state == STATE_ASKING);
    if (x->rounds >= MAX_AUTH_ROUNDS)
        return auth_refuse(x, WAMP_AUTHENTICATION_FAILED, NULL, "too many rounds",
                           "%.*s: more than %d challenges", SLICE_ARG(x->name), MAX_AUTH_ROUNDS);
    return send(x, codec, extra);
}
