/* local_test.c -- peers in the router's own process: sessions without a connection.
 *
 * A script of answers: whatever a peer receives decides what it says next; the
 * router runs until the last of them stops it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actor_kit.h"
#include "router/router.h"
#include "unit.h"

struct actor {
    struct local_peer *peer;
    struct router *router;
    struct actor *other;
    const char *realm;
    uint64_t subscription, results, events;
    bool is_callee, has_closed, has_welcome;
};

/* Encodes [type, id?, dict, uri?, [number]?]. */
static void say(struct actor *actor, enum msg_type type, uint64_t id, const char *uri, int number)
{
    struct encoder e;
    size_t count = 2U + (id != 0) + (uri != NULL) + (number >= 0);
    struct blob *blob;

    encode_start(&e, CODEC_MSGPACK, 0);
    encode_list(&e, count);
    encode_uint(&e, (uint64_t)type);
    if (id != 0)
        encode_uint(&e, id);
    encode_map(&e, type == MSG_PUBLISH ? 1 : 0);
    if (type == MSG_PUBLISH) {
        encode_text(&e, SLICE("acknowledge"));
        encode_bool(&e, true);
    }
    encode_end(&e);
    if (uri != NULL)
        encode_text(&e, slice_of(uri));
    if (number >= 0) {
        encode_list(&e, 1);
        encode_uint(&e, (uint64_t)number);
        encode_end(&e);
    }
    encode_end(&e);
    blob = encode_finish(&e);
    local_send(actor->peer, blob_slice(blob));
    blob_drop(blob);
}

static void say_hello(struct actor *actor)
{
    static const char *const roles[] = {"publisher", "subscriber", "caller", "callee"};
    struct encoder e;
    struct blob *blob;

    encode_start(&e, CODEC_MSGPACK, 0);
    encode_list(&e, 3);
    encode_uint(&e, MSG_HELLO);
    encode_text(&e, slice_of(actor->realm));
    encode_map(&e, 1);
    encode_text(&e, SLICE("roles"));
    encode_map(&e, ARRAY_LEN(roles));
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        encode_text(&e, slice_of(roles[i]));
        encode_map(&e, 0);
        encode_end(&e);
    }
    encode_end(&e);
    encode_end(&e);
    encode_end(&e);
    blob = encode_finish(&e);
    local_send(actor->peer, blob_slice(blob));
    blob_drop(blob);
}

/* [6, {}, reason] */
static void say_goodbye(struct actor *actor)
{
    say(actor, MSG_GOODBYE, 0, "wamp.close.goodbye_and_out", -1);
}

static void on_registered(struct actor *callee)
{
    say_hello(callee->other);
}

/* One message leads to the next: SUBSCRIBE, PUBLISH by the other, CALL, YIELD, stop. */
static void on_message(void *ctx, const struct msg *msg)
{
    struct actor *actor = ctx;

    switch ((unsigned)msg->type) {
    case MSG_WELCOME:
        actor->has_welcome = true;
        if (actor->is_callee)
            say(actor, MSG_SUBSCRIBE, 1, "com.local.topic", -1);
        else
            say(actor, MSG_PUBLISH, 1, "com.local.topic", 7);
        break;
    case MSG_SUBSCRIBED:
        actor->subscription = msg->second;
        say(actor, MSG_REGISTER, 2, "com.local.procedure", -1);
        break;
    case MSG_REGISTERED:
        on_registered(actor);
        break;
    case MSG_EVENT:
        EXPECT_EQ(msg->id, actor->subscription);
        actor->events++;
        break;
    case MSG_PUBLISHED:
        say(actor, MSG_CALL, 2, "com.local.procedure", 42);
        break;
    case MSG_INVOCATION:
        say(actor, MSG_YIELD, msg->id, NULL, 43);
        break;
    case MSG_RESULT:
        EXPECT_EQ(msg->id, UINT64_C(2));
        EXPECT_SLICE(msg->payload.args, SLICE("\x91\x2b"));
        actor->results++;
        router_stop(actor->router);
        break;
    case MSG_GOODBYE:
        EXPECT_SLICE(msg->text, SLICE("wamp.close.system_shutdown"));
        say_goodbye(actor);
        break;
    default:
        UNIT_FAIL("not expected: %s", msg_name(msg->type));
    }
}

static void receive(void *ctx, struct slice message)
{
    kit_decode(ctx, message, on_message);
}

static void on_close(void *ctx)
{
    ((struct actor *)ctx)->has_closed = true;
}

static struct router *make(unsigned workers)
{
    static struct realm_options realms[2];
    char words[200] = "";
    struct router_options options = {.workers = workers,
                                     .realms = realms,
                                     .realm_count = ARRAY_LEN(realms),
                                     .limits = {.max_connections = 10, .close_timeout_ms = 100},
                                     .shutdown_grace_ms = 20000};

    for (size_t i = 0; i < ARRAY_LEN(realms); i++) {
        core_defaults(&realms[i].core);
        realms[i].core.realm = i == 0 ? "com.first" : "com.second";
    }

    struct router *router = router_new(&options, words, sizeof words);

    EXPECT_STR(words, "");
    return router;
}

static void play(unsigned workers, const char *realm)
{
    struct router *router = make(workers);
    struct actor callee = {.router = router, .realm = realm, .is_callee = true};
    struct actor caller = {.router = router, .realm = realm, .other = &callee};

    callee.other = &caller;
    callee.peer = local_open(router, receive, on_close, &callee);
    caller.peer = local_open(router, receive, on_close, &caller);
    say_hello(&callee);
    EXPECT_EQ(router_run(router), 0);
    EXPECT(callee.has_welcome && caller.has_welcome);
    EXPECT_EQ(callee.events, UINT64_C(1));
    EXPECT_EQ(caller.results, UINT64_C(1));
    EXPECT(callee.has_closed && caller.has_closed);
    local_close(callee.peer);
    local_close(caller.peer);
    router_free(router);
}

TEST(peers_in_one_process_publish_and_call)
{
    play(1, "com.first");
}

TEST(peers_reach_a_realm_at_home_on_another_worker)
{
    play(2, "com.first");
    play(2, "com.second");
}

static void stop_on_abort(void *ctx, struct slice message)
{
    struct actor *actor = ctx;

    EXPECT(message.len > 2 && message.data[1] == MSG_ABORT);
    actor->events++;
    router_stop(actor->router);
}

TEST(a_realm_that_does_not_exist_is_refused)
{
    struct router *router = make(1);
    struct actor actor = {.router = router, .realm = "com.third"};

    actor.peer = local_open(router, stop_on_abort, on_close, &actor);
    say_hello(&actor);
    EXPECT_EQ(router_run(router), 0);
    EXPECT_EQ(actor.events, UINT64_C(1));
    EXPECT(actor.has_closed);
    local_close(actor.peer);
    router_free(router);
}
