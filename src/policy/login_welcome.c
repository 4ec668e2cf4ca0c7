/* login_welcome.c -- who a login has proved to be: for policy.admit, for WELCOME, and for the cookie.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "policy/login_priv.h"
#include "policy/records.h"
#include "wire/errors.h"

/* "XXXX-XXXX-XXXX-XXXX-XXXX-XXXX" */
static void make_authid(struct login *login)
{
    static const char letters[] = "345679ACEFGHJKLMNPQRSTUVWXY";

    for (size_t i = 0; i < AUTHID_LEN; i++)
        login->authid[i] =
            (char)(i % 5 == 4 ? '-' : letters[rng_below(&login->mind->rng, sizeof(letters) - 1)]);
}

static struct slice authid_of(struct login *login, const struct auth_identity *identity)
{
    if (identity->authid.len != 0)
        return identity->authid;
    if (login->authid[0] == '\0')
        make_authid(login);
    return slice_make(login->authid, AUTHID_LEN);
}

bool login_is_by_cookie(const struct login *login)
{
    return slice_eq(login->offer->name, SLICE("cookie"));
}

static struct slice provider_of(const struct login *login, const struct auth_record *record)
{
    if (record->authprovider.len != 0)
        return record->authprovider;
    return login_is_by_cookie(login) ? SLICE("cookie") : SLICE("policy");
}

/* What a version that came meanwhile declares is not for the client to say either. */
static void put_nulls(struct encoder *e, const struct login *login)
{
    const struct version *current = login->mind->current;

    for (size_t i = 0; current != NULL && i < current->policy->attribute_count; i++) {
        struct slice name = current->policy->attributes[i].name;

        if (policy_attribute(login->version->policy, name) != NULL)
            continue;
        encode_text(e, name);
        encode_null(e);
    }
}

static struct blob *attributes_of(const struct login *login, const struct auth_record *record)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, record->attributes.len + 64);
    encode_map(&e, COUNT_UNKNOWN);
    records_encode_attributes(&e, login->version->policy, record, true);
    put_nulls(&e, login);
    encode_end(&e);
    return encode_finish(&e);
}

/* Extra for WELCOME in the same serializer, or NULL. */
static struct blob *extra_of(const struct login *login)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 256);
    if (auth_encode_extra(login->x, &e))
        return encode_finish(&e);
    encode_discard(&e);
    return NULL;
}

/* The cookie that is to be kept when this succeeds; for mem_free, or NULL. */
static char *take_cookie(const struct login *login, bool *is_new)
{
    const char *cookie = login->question->transport->cookie;

    *is_new = login->question->transport->is_cookie_new;

    if (cookie == NULL || !login->version->policy->has_cookie ||
        !(login->was_challenged || login_is_by_cookie(login)))
        return NULL;
    return mem_copy(cookie, strlen(cookie));
}

/* Who has answered a CHALLENGE is known by the cookie from now on. */
static void keep_cookie(struct login *login, const char *cookie, bool is_new,
                        const struct proof *proof)
{
    struct mind *mind = login->mind;
    struct look look;

    if (cookie == NULL || !core_look(realm_core(mind->realm), login->session, &look))
        return; /* or the core had a reason to refuse it all the same */
    if (login_is_by_cookie(login))
        cookies_use(mind->cookies, cookie, login->session);
    else
        cookies_bind(mind->cookies, cookie, is_new, proof);
}

static uint64_t cookie_end(const struct login *login)
{
    return realm_wall(login->mind->realm) +
           (uint64_t)login->question->transport->cookie_max_age_s * 1000;
}

void login_welcome(struct login *login)
{
    struct auth_identity identity = auth_identity(login->x);
    const struct auth_record *record = identity.record;
    struct blob *attributes = attributes_of(login, record), *extra = extra_of(login);
    bool is_cookie_new;
    char *cookie = take_cookie(login, &is_cookie_new);
    struct proof proof = {.record = record,
                          .authid = authid_of(login, &identity),
                          .authmethod = identity.method,
                          .authprovider = provider_of(login, record),
                          .session = login->session,
                          .until = cookie_end(login)};
    struct decision decision = {
        .question = login_take_question(login)->id,
        .verdict = VERDICT_ACCEPT,
        .codec = CODEC_MSGPACK,
        .authmethod = identity.method,
        .authid = proof.authid,
        .authrole = record->authrole,
        .authprovider = proof.authprovider,
        .attributes = blob_slice(attributes),
        .trustlevel = record->has_trustlevel ? (int64_t)record->trustlevel : -1,
        .expires = record->expires_at * 1000,
    };

    if (extra != NULL)
        decision.extra = blob_slice(extra);
    guard_succeed(login->mind->guard, auth_claim(login->x));
    realm_decide(login->mind->realm, &decision);
    keep_cookie(login, cookie, is_cookie_new, &proof);
    mem_free(cookie);
    blob_drop(attributes);
    blob_drop(extra);
    login_end(login);
}

/* ---- policy.admit ---- */

static void put(struct encoder *e, const char *key, struct slice value)
{
    encode_text(e, slice_of(key));
    encode_text(e, value);
}

static void put_transport(struct encoder *e, const struct transport *transport)
{
    encode_text(e, SLICE("transport"));
    encode_map(e, COUNT_UNKNOWN);
    put(e, "type", slice_of(transport_name(transport->type)));
    put(e, "protocol", slice_of(transport->protocol));
    if (transport->peer != NULL)
        put(e, "peer", slice_of(transport->peer));
    encode_text(e, SLICE("secure"));
    encode_bool(e, transport->is_secure);
    encode_end(e);
}

void login_make_details(struct login *login)
{
    struct auth_identity identity = auth_identity(login->x);
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 512);
    encode_map(&e, COUNT_UNKNOWN);
    put(&e, "authid", authid_of(login, &identity));
    put(&e, "authrole", identity.record->authrole);
    put(&e, "authmethod", identity.method);
    put(&e, "authprovider", provider_of(login, identity.record));
    put(&e, "realm", slice_of(realm_name(login->mind->realm)));
    put_transport(&e, login->question->transport);
    records_encode_attributes(&e, login->version->policy, identity.record, false);
    encode_end(&e);
    login->details = encode_finish(&e);
}

void login_look(const struct login *login, struct look *look)
{
    struct auth_identity identity = auth_identity(login->x);

    *look = (struct look){
        .authid =
            identity.authid.len != 0 ? identity.authid : slice_make(login->authid, AUTHID_LEN),
        .authrole = identity.record->authrole,
        .codec = CODEC_MSGPACK,
        .details = blob_slice(login->details),
        .trustlevel = identity.record->has_trustlevel ? (int64_t)identity.record->trustlevel : -1};
}

/* ---- sessions that end ---- */

static void end_other(void *ctx, uint64_t session)
{
    struct mind *mind = ctx;
    struct ending ending = {.session = session, .reason = WAMP_CLOSE_LOGOUT};

    realm_step(mind->realm, &(struct event){.type = EV_END, .ending = &ending});
}

void login_left(struct mind *mind, uint64_t session, const char *reason)
{
    cookies_left(mind->cookies, session, strcmp(reason, WAMP_CLOSE_LOGOUT) == 0, end_other, mind);
}
