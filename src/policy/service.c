/* service.c -- see service.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/service.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/options.h"
#include "policy/facts.h"
#include "policy/handlers.h"
#include "policy/mind.h"

#include <lauxlib.h>

#include <stdio.h>

/* ---- sending ---- */

static uint64_t next_request(struct service *service)
{
    service->last_request = service->last_request == WAMP_ID_MAX ? 1 : service->last_request + 1;
    return service->last_request;
}

struct encoder *l_service_begin(lua_State *lua, struct service *service, enum msg_type type,
                                uint64_t *id)
{
    struct encoder *e = l_values_begin(lua, CODEC_MSGPACK);

    encode_list(e, COUNT_UNKNOWN);
    encode_uint(e, type);
    if (id != NULL)
        encode_uint(e, *id = next_request(service));
    return e;
}

/* What the realm would take for a violation of the protocol would end the session, and with it all
 * procedures of the policy. */
static int judge(struct slice message, struct fault *fault)
{
    static const struct msg_limits limits = {.raw_payload = true};
    struct options options;
    struct arena arena;
    struct msg msg;
    int err;

    arena_init(&arena);
    err = msg_decode(&msg, CODEC_MSGPACK, message, &limits, &arena, fault);
    if (err == 0)
        err = options_read(&options, &msg, &arena, fault);
    arena_fini(&arena);
    return err;
}

struct blob *l_service_end(lua_State *lua)
{
    struct fault fault;
    struct blob *blob;

    encode_end(l_values_encoder(lua));
    blob = l_values_end(lua);
    if (judge(blob_slice(blob), &fault) == 0)
        return blob;
    blob_drop(blob);
    luaL_error(lua, "%s", fault.words);
    return NULL;
}

void service_send_blob(struct service *service, struct blob *blob)
{
    if (service->peer != NULL)
        local_send(service->peer, blob_slice(blob));
    blob_drop(blob);
}

void service_yield(struct service *service, uint64_t invocation, const struct payload *payload,
                   bool is_progress)
{
    struct msg msg = {
        .type = MSG_YIELD, .codec = CODEC_MSGPACK, .id = invocation, .payload = *payload};

    if (is_progress)
        msg.dict = SLICE("\x81\xa8progress\xc3"); /* {"progress": true} */
    if (service->peer != NULL)
        local_say(service->peer, &msg);
}

void service_expect(struct service *service, struct service_request *request, uint64_t id)
{
    request->id = id;
    map_put(&service->requests, id, 0, request);
}

void service_forget(struct service *service, struct service_request *request)
{
    if (map_get(&service->requests, request->id, 0) == request)
        map_remove(&service->requests, request->id, 0);
}

void service_cancel(struct service *service, uint64_t request)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 64);
    encode_list(&e, 3);
    encode_uint(&e, MSG_CANCEL);
    encode_uint(&e, request);
    encode_map(&e, 1);
    encode_text_pair(&e, "mode", SLICE("killnowait"));
    encode_end(&e);
    encode_end(&e);
    service_send_blob(service, encode_finish(&e));
}

static void put_roles(struct encoder *e)
{
    static const char *const roles[] = {"caller", "callee", "publisher", "subscriber"};
    static const char *const features[][8] = {
        {"progressive_call_results", "progressive_call_invocations", "call_canceling",
         "call_timeout", "payload_passthru_mode", NULL},
        {"progressive_call_results", "progressive_call_invocations", "call_canceling",
         "call_timeout", "call_trustlevels", "payload_passthru_mode", "registration_revocation",
         NULL},
        {"payload_passthru_mode", NULL},
        {"publication_trustlevels", "payload_passthru_mode", "subscription_revocation", NULL},
    };

    encode_text(e, SLICE("roles"));
    encode_map(e, ARRAY_LEN(roles));
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        encode_text(e, slice_of(roles[i]));
        encode_map(e, 1);
        encode_text(e, SLICE("features"));
        encode_map(e, COUNT_UNKNOWN);
        for (size_t k = 0; features[i][k] != NULL; k++) {
            encode_text(e, slice_of(features[i][k]));
            encode_bool(e, true);
        }
        encode_end(e);
        encode_end(e);
    }
    encode_end(e);
}

/* Whoever sees it in another realm sees whose it is. */
static void put_name(struct encoder *e, const struct service *service)
{
    char name[256];

    snprintf(name, sizeof(name), "policy@%s", realm_name(service->mind->realm));
    encode_text_pair(e, "authid", service->other == NULL ? SLICE("policy") : slice_of(name));
}

static void hello(struct service *service)
{
    const char *own = realm_name(service->mind->realm);
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 1024);
    encode_list(&e, 3);
    encode_uint(&e, MSG_HELLO);
    encode_text(&e, slice_of(service->other == NULL ? own : service->other));
    encode_map(&e, COUNT_UNKNOWN);
    put_name(&e, service);
    encode_text_pair(&e, "authrole", SLICE("trusted"));
    encode_text_pair(&e, "agent", SLICE("nexusd/" NEXUS_VERSION));
    put_roles(&e);
    encode_end(&e);
    encode_end(&e);
    service_send_blob(service, encode_finish(&e));
}

/* ---- receiving ---- */

/* An answer to a request; the id is that of the request in all of them. */
static void on_answer(struct service *service, const struct msg *msg)
{
    struct service_request *request = map_get(&service->requests, msg->id, 0);

    if (request == NULL)
        return; /* nobody waits for it any more */
    if (msg->type != MSG_RESULT || !facts_has_true(msg, SLICE("progress")))
        map_remove(&service->requests, msg->id, 0);
    request->answer(request, msg);
}

/* All sessions of the realm end. */
static void on_goodbye(struct service *service)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 64);
    encode_list(&e, 3);
    encode_uint(&e, MSG_GOODBYE);
    encode_map(&e, 0);
    encode_end(&e);
    encode_text(&e, SLICE("wamp.close.goodbye_and_out"));
    encode_end(&e);
    service->session = 0;
    service->is_over = true;
    service_send_blob(service, encode_finish(&e));
}

/* Every request gets the answer, or none; it is not expected any more. */
static void answer_all(struct service *service, const struct msg *msg)
{
    for (;;) {
        size_t at = 0;
        const struct map_entry *entry = map_next(&service->requests, &at);
        struct service_request *request;

        if (entry == NULL)
            return;
        request = entry->value;
        map_remove(&service->requests, request->id, 0);
        request->answer(request, msg);
    }
}

/* The realm does not let it in, or ends it: that is why what it asked for is refused. */
static void on_abort(struct service *service, const struct msg *msg)
{
    struct msg refusal = {.type = MSG_ERROR, .codec = CODEC_MSGPACK, .text = msg->text};

    service->session = 0;
    service->is_over = true;
    answer_all(service, &refusal);
}

static void take(struct service *service, const struct msg *msg)
{
    struct mind *mind = service->mind;

    switch ((unsigned)msg->type) {
    case MSG_WELCOME:
        service->session = msg->id;
        if (service->other == NULL)
            handlers_join(mind);
        break;
    case MSG_INVOCATION:
        procedures_invoke(mind, msg);
        break;
    case MSG_INTERRUPT:
        procedures_interrupt(mind, msg);
        break;
    case MSG_EVENT:
        topics_receive(mind, msg);
        break;
    case MSG_GOODBYE:
        on_goodbye(service);
        break;
    case MSG_ABORT:
        on_abort(service, msg);
        break;
    case MSG_UNREGISTERED:
    case MSG_UNSUBSCRIBED:
        if (msg->id == 0) { /* an administrator took it away */
            handlers_revoked(mind, msg);
            break;
        }
        on_answer(service, msg);
        break;
    default:
        on_answer(service, msg);
        break;
    }
}

static void receive(void *ctx, struct slice bytes)
{
    static const struct msg_limits limits = {.raw_payload = true};
    struct service *service = ctx;
    struct fault fault;
    struct msg msg;
    bool was_held;

    if (service->mind->is_stopped)
        return;
    arena_reset(&service->scratch);
    CHECK(msg_decode(&msg, CODEC_MSGPACK, bytes, &limits, &service->scratch, &fault) == 0);
    /* What is taken walks lists of endpoints, which the code that it starts may end. */
    was_held = fibers_hold(&service->mind->fibers);
    take(service, &msg);
    fibers_release(&service->mind->fibers, was_held);
}

/* ---- its life ---- */

static void on_close(void *ctx)
{
    struct service *service = ctx;
    bool was_held = fibers_hold(&service->mind->fibers);

    service->session = 0;
    service->is_over = true;
    answer_all(service, NULL);
    fibers_release(&service->mind->fibers, was_held);
}

struct service *service_open(struct mind *mind, const char *other)
{
    struct service *service = mem_zero(1, sizeof(*service));

    service->mind = mind;
    service->other = other;
    map_init(&service->requests, rng_u64(&mind->rng));
    arena_init(&service->scratch);
    service->peer = other == NULL ? realm_open_peer(mind->realm, receive, on_close, service)
                                  : realm_open_guest(mind->realm, receive, on_close, service);
    hello(service);
    return service;
}

void service_close(struct service *service)
{
    if (service == NULL)
        return;
    if (service->peer != NULL)
        local_close(service->peer);
    service->peer = NULL;
    answer_all(service, NULL); /* objects of Lua may hold some, and outlive it */
    map_fini(&service->requests);
    arena_fini(&service->scratch);
    mem_free(service);
}
