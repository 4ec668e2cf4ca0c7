/* reply.c -- see reply.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/reply.h"

#include "core/features.h"

/* Room for the head of a message: a code, two ids and the Details that are usual. */
#define HEAD_LEN 64

static void start(struct encoder *e, enum codec codec, enum msg_type type, size_t count,
                  size_t hint)
{
    encode_start(e, codec, hint);
    encode_list(e, count);
    encode_uint(e, (uint64_t)type);
}

static void put_true(struct encoder *e, const char *key)
{
    encode_text(e, slice_of(key));
    encode_bool(e, true);
}

static struct blob *finish(struct encoder *e)
{
    encode_end(e);
    return encode_finish(e);
}

struct blob *reply_abort(enum codec codec, const char *reason, const char *words)
{
    return reply_refusal(codec, reason, words, NULL);
}

struct blob *reply_refusal(enum codec codec, const char *reason, const char *words,
                           const char *scram)
{
    struct encoder e;

    start(&e, codec, MSG_ABORT, 3, 256);
    encode_map(&e, (words == NULL ? 0u : 1u) + (scram == NULL ? 0u : 1u));
    if (words != NULL)
        encode_text_pair(&e, "message", slice_of(words));
    if (scram != NULL)
        encode_text_pair(&e, "scram", slice_of(scram));
    encode_end(&e);
    encode_text(&e, slice_of(reason));
    return finish(&e);
}

struct blob *reply_goodbye(enum codec codec, const char *reason, struct slice words)
{
    struct encoder e;

    start(&e, codec, MSG_GOODBYE, 3, HEAD_LEN + words.len);
    encode_map(&e, words.data == NULL ? 0 : 1);
    if (words.data != NULL)
        encode_text_pair(&e, "message", words);
    encode_end(&e);
    encode_text(&e, slice_of(reason));
    return finish(&e);
}

struct blob *reply_error(enum codec codec, enum msg_type request_type, uint64_t request,
                         const char *uri, const char *words)
{
    struct encoder e;

    start(&e, codec, MSG_ERROR, words == NULL ? 5 : 6, 192);
    encode_uint(&e, (uint64_t)request_type);
    encode_uint(&e, request);
    encode_map(&e, 0);
    encode_end(&e);
    encode_text(&e, slice_of(uri));
    if (words != NULL) {
        encode_list(&e, 1);
        encode_text(&e, slice_of(words));
        encode_end(&e);
    }
    return finish(&e);
}

struct blob *reply_denial(enum codec codec, enum msg_type request_type, uint64_t request,
                          const char *uri, const char *words, enum codec from, struct slice kwargs)
{
    struct encoder e;

    if (kwargs.len == 0)
        return reply_error(codec, request_type, request, uri, words);
    start(&e, codec, MSG_ERROR, 7, 192 + kwargs.len);
    encode_uint(&e, (uint64_t)request_type);
    encode_uint(&e, request);
    encode_map(&e, 0);
    encode_end(&e);
    encode_text(&e, slice_of(uri));
    encode_list(&e, words == NULL ? 0 : 1);
    if (words != NULL)
        encode_text(&e, slice_of(words));
    encode_end(&e);
    encode_value(&e, from, kwargs);
    return finish(&e);
}

struct blob *reply_done(enum codec codec, enum msg_type type, uint64_t request, uint64_t id)
{
    struct encoder e;

    start(&e, codec, type, id == 0 ? 2 : 3, HEAD_LEN);
    encode_uint(&e, request);
    if (id != 0)
        encode_uint(&e, id);
    return finish(&e);
}

/* One role of the router with its features; reflection stands next to them as well. */
static void encode_role(struct encoder *e, enum router_role role, unsigned when)
{
    static const struct {
        enum router_role role;
        unsigned when;
        const char *name;
    } features[] = {
#define FEATURE_ROW(role, name, when) {role, when, name},
        FEATURES_GIVEN(FEATURE_ROW)
#undef FEATURE_ROW
    };

    encode_map(e, (when & WHEN_META) != 0 ? 2 : 1);
    encode_text(e, SLICE("features"));
    encode_map(e, COUNT_UNKNOWN);
    for (size_t i = 0; i < ARRAY_LEN(features); i++)
        if (features[i].role == role && (features[i].when & when) != 0)
            put_true(e, features[i].name);
    encode_end(e);
    if ((when & WHEN_META) != 0)
        put_true(e, "reflection");
    encode_end(e);
}

static void encode_roles(struct encoder *e, const struct welcome *welcome)
{
    encode_text(e, SLICE("roles"));
    encode_map(e, COUNT_UNKNOWN);
    if ((welcome->roles & ROUTER_BROKER) != 0) {
        encode_text(e, SLICE("broker"));
        encode_role(e, ROUTER_BROKER, welcome->when);
    }
    if ((welcome->roles & ROUTER_DEALER) != 0) {
        encode_text(e, SLICE("dealer"));
        encode_role(e, ROUTER_DEALER, welcome->when);
    }
    encode_end(e);
}

struct blob *reply_welcome(enum codec codec, const struct welcome *welcome)
{
    struct encoder e;

    start(&e, codec, MSG_WELCOME, 3, 640);
    encode_uint(&e, welcome->session);
    encode_map(&e, 6U + (welcome->agent.len != 0) + (welcome->authextra.len != 0));
    encode_text_pair(&e, "realm", welcome->realm);
    encode_text_pair(&e, "authid", welcome->authid);
    encode_text_pair(&e, "authrole", welcome->authrole);
    encode_text_pair(&e, "authmethod", welcome->authmethod);
    encode_text_pair(&e, "authprovider", welcome->authprovider);
    if (welcome->agent.len != 0)
        encode_text_pair(&e, "agent", welcome->agent);
    if (welcome->authextra.len != 0) {
        encode_text(&e, SLICE("authextra"));
        encode_value(&e, welcome->extra_codec, welcome->authextra);
    }
    encode_roles(&e, welcome);
    encode_end(&e);
    return finish(&e);
}

static size_t forward_hint(const struct forward *f)
{
    return HEAD_LEN + f->uri.len + (f->options->passed == 0 ? 0 : 128) +
           (f->identity == NULL ? 0 : 128) + payload_len(f->payload);
}

/* "caller", "caller_authid", "caller_authrole", or the same of the publisher. */
static void encode_identity(struct encoder *e, const struct forward *f)
{
    char key[32];
    size_t len = strlen(f->identity_key);

    memcpy(key, f->identity_key, len);
    encode_text(e, slice_make(key, len));
    encode_uint(e, f->identity->session);
    memcpy(key + len, "_authid", sizeof "_authid");
    encode_text_pair(e, key, f->identity->authid);
    memcpy(key + len, "_authrole", sizeof "_authrole");
    encode_text_pair(e, key, f->identity->authrole);
}

static void put_number(struct encoder *e, const char *key, uint64_t value)
{
    encode_text(e, slice_of(key));
    encode_uint(e, value);
}

struct blob *reply_challenge(enum codec codec, struct slice method, enum codec from,
                             struct slice extra)
{
    struct encoder e;

    start(&e, codec, MSG_CHALLENGE, 3, HEAD_LEN + extra.len);
    encode_text(&e, method);
    if (extra.len != 0) {
        encode_value(&e, from, extra);
    } else {
        encode_map(&e, 0);
        encode_end(&e);
    }
    return finish(&e);
}

static inline void encode_details(struct encoder *e, const struct forward *f)
{
    unsigned passed = options_passed_count(f->options);
    size_t count = passed + (f->uri_key != NULL) + f->progress + f->receive_progress +
                   (f->timeout != 0) + (f->trustlevel >= 0) + f->is_retained +
                   (f->identity == NULL ? 0U : 3U);

    encode_map(e, count);
    if (UNLIKELY(count != 0)) {
        if (f->uri_key != NULL)
            encode_text_pair(e, f->uri_key, f->uri);
        if (f->progress)
            put_true(e, "progress");
        if (f->receive_progress)
            put_true(e, "receive_progress");
        if (f->timeout != 0)
            put_number(e, "timeout", f->timeout);
        if (f->trustlevel >= 0)
            put_number(e, "trustlevel", (uint64_t)f->trustlevel);
        if (f->is_retained)
            put_true(e, "retained");
        if (f->identity != NULL)
            encode_identity(e, f);
        if (passed != 0)
            options_encode_passed(e, f->options);
    }
    encode_end(e);
}

void reply_encode_details(struct encoder *e, const struct forward *f)
{
    encode_details(e, f);
}

void reply_encode_arguments(struct encoder *e, const struct payload *payload)
{
    if (payload->args.len != 0) {
        encode_text(e, SLICE("args"));
        if (payload->kind == PAYLOAD_RAW)
            encode_list(e, 1);
        encode_value(e, payload->codec, payload->args);
        if (payload->kind == PAYLOAD_RAW)
            encode_end(e);
    }
    if (payload->kwargs.len != 0) {
        encode_text(e, SLICE("kwargs"));
        encode_value(e, payload->codec, payload->kwargs);
    }
}

static struct blob *forward(const struct forward *f, enum msg_type type, bool has_second)
{
    struct encoder e;
    size_t count = (has_second ? 4U : 3U) + payload_elements(f->payload);

    start(&e, f->codec, type, count, forward_hint(f));
    encode_uint(&e, f->id);
    if (has_second)
        encode_uint(&e, f->second);
    encode_details(&e, f);
    encode_payload(&e, f->payload, f->wrap_raw);
    return finish(&e);
}

struct blob *reply_event(const struct forward *f)
{
    return forward(f, MSG_EVENT, true);
}

struct blob *reply_invocation(const struct forward *f)
{
    return forward(f, MSG_INVOCATION, true);
}

struct blob *reply_result(const struct forward *f)
{
    return forward(f, MSG_RESULT, false);
}

/* Custom keys (`_x...`, `x_...`) of a callee's ERROR.Details travel along. */
static void encode_custom(struct encoder *e, const struct forward *f, struct arena *arena)
{
    struct dict_walk entry;

    dict_walk(&entry, f->options->custom_codec, f->options->custom, arena);
    while (dict_next(&entry)) {
        if (entry.key.len < 3 ||
            (entry.key.data[0] != '_' && !slice_starts_with(entry.key, SLICE("x_"))))
            continue;
        encode_text(e, entry.key);
        encode_value(e, f->options->custom_codec, entry.value);
    }
}

struct blob *reply_call_error(const struct forward *f)
{
    struct encoder e;
    struct arena arena;

    start(&e, f->codec, MSG_ERROR, 5 + payload_elements(f->payload),
          forward_hint(f) + f->options->custom.len);
    encode_uint(&e, MSG_CALL);
    encode_uint(&e, f->id);
    encode_map(&e, f->options->custom.len == 0 ? options_passed_count(f->options) : COUNT_UNKNOWN);
    options_encode_passed(&e, f->options);
    if (f->options->custom.len != 0) {
        arena_init(&arena);
        encode_custom(&e, f, &arena);
        arena_fini(&arena);
    }
    encode_end(&e);
    encode_text(&e, f->uri);
    encode_payload(&e, f->payload, f->wrap_raw);
    return finish(&e);
}

struct blob *reply_revoked(enum codec codec, enum msg_type type, const char *key, uint64_t id,
                           const char *reason)
{
    struct encoder e;

    start(&e, codec, type, 3, HEAD_LEN);
    encode_uint(&e, 0);
    encode_map(&e, reason == NULL ? 1 : 2);
    put_number(&e, key, id);
    if (reason != NULL)
        encode_text_pair(&e, "reason", slice_of(reason));
    encode_end(&e);
    return finish(&e);
}

struct blob *reply_interrupt(enum codec codec, uint64_t invocation, const char *mode,
                             const char *reason)
{
    struct encoder e;

    start(&e, codec, MSG_INTERRUPT, 3, 128);
    encode_uint(&e, invocation);
    encode_map(&e, 2);
    encode_text_pair(&e, "mode", slice_of(mode));
    encode_text_pair(&e, "reason", slice_of(reason));
    encode_end(&e);
    return finish(&e);
}
