/* trusted_test.c -- a decider's own session: at the home of its realm, bound by no rule.
 *
 * It registers a procedure under a reserved name as soon as its realm runs, and a peer on the
 * first worker, which is asked about, calls it until it is there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actor_kit.h"
#include "router/router.h"
#include "unit.h"

#include <pthread.h>

#define PROCEDURE "nexus.test.answer"
#define MAX_TRIES 100000

/* Who decides for a realm; with a session of its own. */
struct mind {
    struct realm *realm;
    struct local_peer *peer;
    pthread_t home;
    unsigned asked, registered, invoked;
    unsigned joined, left; /* sessions of others */
    uint64_t guest;        /* the last one */
};

struct caller {
    struct router *router;
    struct local_peer *peer;
    const char *realm;
    uint64_t tries;
    unsigned results;
};

/* Encodes [type, id, {}, uri?, [number]?]. */
static void say(struct local_peer *peer, enum msg_type type, uint64_t id, const char *uri,
                int number)
{
    struct encoder e;
    struct blob *blob;

    encode_start(&e, CODEC_MSGPACK, 0);
    encode_list(&e, 2U + (id != 0) + (uri != NULL) + (number >= 0));
    encode_uint(&e, (uint64_t)type);
    if (id != 0)
        encode_uint(&e, id);
    encode_map(&e, 0);
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
    local_send(peer, blob_slice(blob));
    blob_drop(blob);
}

static void say_hello(struct local_peer *peer, const char *realm)
{
    static const char *const roles[] = {"caller", "callee"};
    struct encoder e;
    struct blob *blob;

    encode_start(&e, CODEC_MSGPACK, 0);
    encode_list(&e, 3);
    encode_uint(&e, MSG_HELLO);
    encode_text(&e, slice_of(realm));
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
    local_send(peer, blob_slice(blob));
    blob_drop(blob);
}

/* ---- the decider ---- */

static struct mind minds[2];

static void on_message(void *ctx, const struct msg *msg)
{
    struct mind *mind = ctx;

    EXPECT(pthread_equal(mind->home, pthread_self()));
    switch ((unsigned)msg->type) {
    case MSG_WELCOME:
        say(mind->peer, MSG_REGISTER, 1, PROCEDURE, -1);
        break;
    case MSG_REGISTERED:
        mind->registered++;
        break;
    case MSG_ABORT: /* the other realm began when the router was at its end already */
        EXPECT_SLICE(msg->text, SLICE("wamp.close.system_shutdown"));
        EXPECT_EQ(mind->registered, 0U);
        break;
    case MSG_INVOCATION:
        mind->invoked++;
        say(mind->peer, MSG_YIELD, msg->id, NULL, 43);
        break;
    case MSG_GOODBYE:
        say(mind->peer, MSG_GOODBYE, 0, "wamp.close.goodbye_and_out", -1);
        break;
    default:
        UNIT_FAIL("not expected: %s", msg_name(msg->type));
    }
}

static void receive(void *ctx, struct slice message)
{
    kit_decode(ctx, message, on_message);
}

static void *open_mind(void *ctx, struct realm *realm)
{
    struct mind *mind = &minds[strcmp(realm_name(realm), "com.first") == 0 ? 0 : 1];

    (void)ctx;
    *mind = (struct mind){.realm = realm};
    return mind;
}

static void start_mind(void *ctx)
{
    struct mind *mind = ctx;

    mind->home = pthread_self();
    mind->peer = realm_open_peer(mind->realm, receive, NULL, mind);
    say_hello(mind->peer, realm_name(mind->realm));
}

static void stop_mind(void *ctx)
{
    local_close(((struct mind *)ctx)->peer);
}

static void close_mind(void *ctx)
{
    (void)ctx;
}

static void on_ask(void *ctx, const struct question *question)
{
    struct mind *mind = ctx;
    struct decision decision = {.question = question->id,
                                .verdict = VERDICT_ACCEPT,
                                .is_admin = true,
                                .authrole = SLICE("user"),
                                .authmethod = SLICE("ticket"),
                                .authprovider = SLICE("test"),
                                .trustlevel = -1};

    mind->asked++;
    realm_decide(mind->realm, &decision);
}

static void on_unask(void *ctx, uint64_t question)
{
    (void)ctx;
    UNIT_FAIL("question %llu is taken back", (unsigned long long)question);
}

static void on_joined(void *ctx, uint64_t session)
{
    struct mind *mind = ctx;
    struct look look;

    EXPECT(core_look(realm_core(mind->realm), session, &look));
    if (look.is_trusted)
        return;
    mind->joined++;
    mind->guest = session;
    EXPECT_EQ(realm_set_vars(mind->realm, session, CODEC_MSGPACK, SLICE("\x81\xa1x\x01")), 0);
}

static void on_left(void *ctx, const struct left *left)
{
    struct mind *mind = ctx;

    EXPECT_STR(left->reason, "wamp.close.system_shutdown");
    if (left->look.is_trusted)
        return;
    mind->left++;
    EXPECT_EQ(left->look.id, mind->guest);
    EXPECT_SLICE(left->look.authrole, SLICE("user"));
    EXPECT_SLICE(left->look.vars, SLICE("\x81\xa1x\x01"));
    EXPECT(!core_look(realm_core(mind->realm), left->look.id, &(struct look){0}));
}

static const struct decider decider = {.open = open_mind,
                                       .stop = stop_mind,
                                       .close = close_mind,
                                       .ask = on_ask,
                                       .unask = on_unask,
                                       .start = start_mind,
                                       .joined = on_joined,
                                       .left = on_left};

/* ---- the caller ---- */

static void on_answer(void *ctx, const struct msg *msg)
{
    struct caller *caller = ctx;

    switch ((unsigned)msg->type) {
    case MSG_ERROR:
        EXPECT_SLICE(msg->text, SLICE("wamp.error.no_such_procedure"));
        if (caller->tries == MAX_TRIES) {
            UNIT_FAIL("the procedure is not there");
            router_stop(caller->router);
            break;
        }
        say(caller->peer, MSG_CALL, ++caller->tries, PROCEDURE, 42);
        break;
    case MSG_WELCOME:
        say(caller->peer, MSG_CALL, ++caller->tries, PROCEDURE, 42);
        break;
    case MSG_RESULT:
        EXPECT_SLICE(msg->payload.args, SLICE("\x91\x2b"));
        caller->results++;
        router_stop(caller->router);
        break;
    case MSG_GOODBYE:
        say(caller->peer, MSG_GOODBYE, 0, "wamp.close.goodbye_and_out", -1);
        break;
    default:
        UNIT_FAIL("not expected: %s", msg_name(msg->type));
    }
}

static void receive_answer(void *ctx, struct slice message)
{
    kit_decode(ctx, message, on_answer);
}

static void play(unsigned workers, unsigned which)
{
    static const char *const names[] = {"com.first", "com.second"};
    struct realm_options realms[ARRAY_LEN(names)] = {0};
    char words[200] = "";
    struct router_options options = {.workers = workers,
                                     .realms = realms,
                                     .realm_count = ARRAY_LEN(realms),
                                     .limits = {.max_connections = 10, .close_timeout_ms = 100},
                                     .shutdown_grace_ms = 20000};
    struct caller caller = {.realm = names[which]};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        core_defaults(&realms[i].core);
        realms[i].core.realm = names[i];
        realms[i].core.asks_join = true;
        realms[i].core.max_sessions = 1;
        realms[i].decider = &decider;
    }
    caller.router = router_new(&options, words, sizeof words);
    EXPECT_STR(words, "");
    caller.peer = local_open(caller.router, receive_answer, NULL, &caller);
    say_hello(caller.peer, caller.realm);
    EXPECT_EQ(router_run(caller.router), 0);
    local_close(caller.peer);
    router_free(caller.router);
    EXPECT_EQ(caller.results, 1U);
    EXPECT_EQ(minds[which].invoked, 1U);
    EXPECT_EQ(minds[which].registered, 1U);
    EXPECT_EQ(minds[which].asked, 1U);
    EXPECT_EQ(minds[which].joined, 1U);
    EXPECT_EQ(minds[which].left, 1U);
    EXPECT_EQ(minds[1 - which].joined, 0U);
    EXPECT_EQ(minds[1 - which].asked, 0U);
}

TEST(a_decider_has_a_session_of_its_own)
{
    play(1, 0);
}

TEST(it_lives_at_the_home_of_its_realm)
{
    play(2, 0);
    play(2, 1);
}
