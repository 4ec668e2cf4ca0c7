/* virtual_test.c -- a router that stands still: only what it is told to happens, at the time it is told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actor_kit.h"
#include "router/router.h"

#include <uv.h>

#include <time.h>
#include <unistd.h>

#define WALL UINT64_C(1700000000000)
#define WAIT 5000

/* Somebody in a realm with a clock, an idle handle and a job. */
struct mind {
    struct realm *realm;
    struct realm_timer timer;
    uint64_t first, every; /* when it fires, and how often */
    uint64_t fired[8];
    uint64_t walls[8];
    unsigned count;
    bool is_endless;
    uv_idle_t idle;
    unsigned turns, wanted_turns;
    uv_work_t job;
    bool has_worked;
};

static void on_timer(struct realm_timer *timer)
{
    struct mind *mind = container_of(timer, struct mind, timer);
    uint64_t now = realm_now(mind->realm);

    if (mind->count < ARRAY_LEN(mind->fired)) {
        mind->fired[mind->count] = now;
        mind->walls[mind->count++] = realm_wall(mind->realm);
    }
    if (mind->every != 0 || mind->is_endless)
        realm_set_timer(mind->realm, timer, now + mind->every);
}

static void *open_mind(void *ctx, struct realm *realm)
{
    struct mind *mind = ctx;

    mind->realm = realm;
    mind->timer.fire = on_timer;
    return mind;
}

static void on_idle(uv_idle_t *idle)
{
    struct mind *mind = container_of(idle, struct mind, idle);

    if (++mind->turns == mind->wanted_turns)
        uv_idle_stop(idle);
}

static void work(uv_work_t *job)
{
    (void)job;
    usleep(50000);
}

static void after_work(uv_work_t *job, int status)
{
    EXPECT_EQ(status, 0);
    container_of(job, struct mind, job)->has_worked = true;
}

static void start_mind(void *ctx)
{
    struct mind *mind = ctx;

    uv_idle_init(realm_loop(mind->realm), &mind->idle);
    if (mind->first != 0)
        realm_set_timer(mind->realm, &mind->timer, mind->first);
}

static void stop_mind(void *ctx)
{
    uv_close((uv_handle_t *)&((struct mind *)ctx)->idle, NULL);
}

static void close_mind(void *ctx)
{
    (void)ctx;
}

static void ask(void *ctx, const struct question *question)
{
    (void)ctx;
    (void)question;
}

static void unask(void *ctx, uint64_t question)
{
    (void)ctx;
    (void)question;
}

static struct router *make(struct mind *mind)
{
    static const struct decider decider = {.open = open_mind,
                                           .start = start_mind,
                                           .stop = stop_mind,
                                           .close = close_mind,
                                           .ask = ask,
                                           .unask = unask};
    struct realm_options realm = {.decider = mind == NULL ? NULL : &decider, .decider_ctx = mind};
    char words[200] = "";
    struct router_options options = {
        .workers = 1, .realms = &realm, .realm_count = 1, .is_virtual = true, .virtual_wall = WALL};

    core_defaults(&realm.core);
    realm.core.realm = "realm1";

    struct router *router = router_new(&options, words, sizeof words);

    EXPECT_STR(words, "");
    return router;
}

TEST(deadlines_come_one_after_the_other_when_the_clock_moves)
{
    struct mind mind = {.first = 1500, .every = 1000};
    struct router *router = make(&mind);
    uint64_t start = router_now(router);

    EXPECT_EQ(start, UINT64_C(1000));
    EXPECT(router_turn(router, WAIT));
    EXPECT_EQ(mind.count, 0U);
    EXPECT_EQ(router_now(router), start);
    EXPECT_EQ(router_next(router), UINT64_C(1500));
    EXPECT(router_advance(router, 499, WAIT));
    EXPECT_EQ(mind.count, 0U);
    EXPECT(router_advance(router, 1, WAIT));
    EXPECT_EQ(mind.count, 1U);
    EXPECT(router_advance(router, 2600, WAIT));
    EXPECT_EQ(mind.count, 3U);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_EQ(mind.fired[i], 1500 + 1000 * (uint64_t)i);
        EXPECT_EQ(mind.walls[i], WALL + 500 + 1000 * (uint64_t)i);
    }
    EXPECT_EQ(router_now(router), UINT64_C(4100));
    EXPECT_EQ(router_wall(router), WALL + 3100);
    EXPECT_EQ(router_next(router), UINT64_C(4500));
    router_free(router);
}

TEST(a_day_costs_no_time)
{
    struct mind mind = {.first = 60000, .every = 60000};
    struct router *router = make(&mind);
    time_t began = time(NULL);

    EXPECT(router_advance(router, UINT64_C(86400000), WAIT));
    EXPECT_EQ(router_wall(router), WALL + UINT64_C(86400000));
    EXPECT(time(NULL) - began < 5);
    router_free(router);
}

TEST(a_clock_that_never_ends_is_given_up)
{
    struct mind mind = {.first = 1001, .is_endless = true};
    struct router *router = make(&mind);

    EXPECT(!router_advance(router, 10, 100));
    EXPECT_EQ(router_now(router), UINT64_C(1001));
    router_free(router);
}

TEST(idle_handles_and_work_of_other_threads_are_waited_for)
{
    struct mind mind = {.wanted_turns = 20};
    struct router *router = make(&mind);

    EXPECT(router_turn(router, WAIT));
    uv_idle_start(&mind.idle, on_idle);
    EXPECT_EQ(uv_queue_work(realm_loop(mind.realm), &mind.job, work, after_work), 0);
    EXPECT(!router_turn(router, 1));
    EXPECT(router_turn(router, WAIT));
    EXPECT_EQ(mind.turns, 20U);
    EXPECT(mind.has_worked);
    EXPECT_EQ(router_now(router), UINT64_C(1000));
    router_free(router);
}

/* ---- peers ---- */

struct peer {
    struct local_peer *local;
    enum codec codec;
    uint64_t welcomes, errors, invocations;
    bool is_closed;
};

static void on_peer_message(void *ctx, struct slice message)
{
    const struct msg_limits limits = {.raw_payload = true};
    struct peer *peer = ctx;
    struct arena arena;
    struct fault fault;
    struct msg msg;

    arena_init(&arena);
    EXPECT_EQ(msg_decode(&msg, peer->codec, message, &limits, &arena, &fault), 0);
    peer->welcomes += msg.type == MSG_WELCOME;
    peer->invocations += msg.type == MSG_INVOCATION;
    if (msg.type == MSG_ERROR) {
        EXPECT_SLICE(msg.text, SLICE("wamp.error.timeout"));
        peer->errors++;
    }
    arena_fini(&arena);
}

static void on_peer_close(void *ctx)
{
    ((struct peer *)ctx)->is_closed = true;
}

static struct peer *join(struct router *router, struct peer *peer)
{
    struct transport transport = {.type = TRANSPORT_WEBSOCKET,
                                  .codec = CODEC_JSON,
                                  .send_max = UINT32_MAX,
                                  .protocol = "wamp.2.json",
                                  .peer = "tcp4:192.0.2.1:4711"};

    *peer = (struct peer){.codec = CODEC_JSON};
    peer->local = local_open_as(router, &transport, on_peer_message, on_peer_close, peer);
    local_send(peer->local,
               SLICE("[1,\"realm1\",{\"roles\":{\"caller\":{},\"callee\":{\"features\":"
                     "{\"call_canceling\":true}}}}]"));
    return peer;
}

TEST(peers_look_like_the_connections_they_are_opened_as)
{
    struct router *router = make(NULL);
    struct peer callee, caller;

    join(router, &callee);
    join(router, &caller);
    EXPECT_EQ(caller.welcomes, UINT64_C(0)); /* it stands still */
    EXPECT(router_turn(router, WAIT));
    EXPECT_EQ(caller.welcomes + callee.welcomes, UINT64_C(2));

    local_send(callee.local, SLICE("[64,1,{},\"com.slow\"]"));
    local_send(caller.local, SLICE("[48,1,{\"timeout\":5000},\"com.slow\"]"));
    EXPECT(router_turn(router, WAIT));
    EXPECT_EQ(callee.invocations, UINT64_C(1));
    EXPECT(router_advance(router, 4999, WAIT));
    EXPECT_EQ(caller.errors, UINT64_C(0));
    EXPECT(router_advance(router, 1, WAIT));
    EXPECT_EQ(caller.errors, UINT64_C(1));
    local_send(caller.local, SLICE("[48,1]"));
    EXPECT(router_turn(router, WAIT));
    EXPECT(caller.is_closed && !callee.is_closed);
    EXPECT(router_realm(router, "realm1") != NULL);
    EXPECT(router_realm(router, "realm2") == NULL);
    local_close(callee.local);
    local_close(caller.local);
    router_free(router);
}
