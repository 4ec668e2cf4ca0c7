/* asks_test.c -- realms that ask who comes in: the clocks of connections while somebody decides.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "thread_kit.h"

#include <uv.h>

#include <unistd.h>

#define HELLO_TIMEOUT_MS 100
#define SLOW_MS          300

/* Decides a while after it was asked: HELLO is challenged, AUTHENTICATE accepted. */
struct mind {
    struct realm *realm;
    uv_timer_t timer;
    uint64_t question;
    enum ask ask;
};

static void *open_mind(void *ctx, struct realm *realm)
{
    struct mind *mind = mem_zero(1, sizeof *mind);

    (void)ctx;
    mind->realm = realm;
    mind->timer.data = mind;
    uv_timer_init(realm_loop(realm), &mind->timer);
    return mind;
}

static void stop_mind(void *ctx)
{
    struct mind *mind = ctx;

    uv_close((uv_handle_t *)&mind->timer, NULL);
}

static void on_time(uv_timer_t *timer)
{
    const struct mind *mind = timer->data;
    bool is_join = mind->ask == ASK_JOIN;

    realm_decide(mind->realm,
                 &(struct decision){.question = mind->question,
                                    .verdict = is_join ? VERDICT_CHALLENGE : VERDICT_ACCEPT,
                                    .codec = CODEC_JSON,
                                    .authmethod = SLICE("ticket"),
                                    .authid = SLICE("alice"),
                                    .authrole = SLICE("user"),
                                    .authprovider = SLICE("static"),
                                    .trustlevel = -1});
}

static void ask(void *ctx, const struct question *question)
{
    struct mind *mind = ctx;

    mind->question = question->id;
    mind->ask = question->ask;
    uv_timer_start(&mind->timer, on_time, SLOW_MS, 0);
}

static void unask(void *ctx, uint64_t question)
{
    (void)ctx;
    (void)question;
}

static void start(void)
{
    static const struct decider decider = {
        .open = open_mind, .stop = stop_mind, .close = mem_free, .ask = ask, .unask = unask};
    static const char *const names[] = {"com.first", "com.second"};
    static struct realm_options realms[ARRAY_LEN(names)];
    struct router_options options = {.workers = 2,
                                     .listeners = &any_port,
                                     .listener_count = 1,
                                     .realms = realms,
                                     .realm_count = ARRAY_LEN(realms),
                                     .limits = {.max_connections = 100,
                                                .max_message_len = 1 << 20,
                                                .handshake_timeout_ms = 10000,
                                                .hello_timeout_ms = HELLO_TIMEOUT_MS,
                                                .rejoin_timeout_ms = HELLO_TIMEOUT_MS,
                                                .close_timeout_ms = 100,
                                                .queue = {50, 1 << 20, 4 << 20, 0}},
                                     .shutdown_grace_ms = 2000};

    for (size_t i = 0; i < ARRAY_LEN(realms); i++) {
        core_defaults(&realms[i].core);
        realms[i].core.realm = names[i];
        realms[i].core.asks_join = true;
        realms[i].queue = options.limits.queue;
        realms[i].decider = &decider;
    }
    kit_make(&options);
    kit_run();
}

/* The clock of HELLO stops with HELLO: from then on those who decide, and the peer, have the time
 * that the realm gives them. One of the two realms is at home with the worker of the connection. */
static void join_slowly(struct peer *peer, const char *realm)
{
    char hello[200];

    (void)snprintf(hello, sizeof hello,
                   "[1,\"%s\",{\"roles\":{\"caller\":{}},\"authmethods\":[\"ticket\"]}]", realm);
    say(peer, hello);
    hear(peer, "[4,\"ticket\",");
    usleep(SLOW_MS * 1000);
    say(peer, "[5,\"secret\",{}]");
    hear(peer, "[2,");
}

TEST(a_slow_decision_costs_no_connection)
{
    static const char *const realms[] = {"com.first", "com.second"};
    struct peer peer;

    start();
    for (size_t i = 0; i < ARRAY_LEN(realms); i++) {
        EXPECT(peer_open_ws(&peer, "127.0.0.1", port, false, "wamp.2.json"));
        join_slowly(&peer, realms[i]);
        say(&peer, "[6,{},\"wamp.close.close_realm\"]");
        hear(&peer, "[6,");
        join_slowly(&peer, realms[1 - i]);
        peer_close(&peer);
    }
    stop();
}

TEST(without_hello_a_connection_ends)
{
    struct peer peer;

    start();
    EXPECT(peer_open_ws(&peer, "127.0.0.1", port, false, "wamp.2.json"));
    EXPECT(ws_read(&peer, &frame));
    EXPECT_EQ(frame.opcode, 8);
    peer_close(&peer);
    stop();
}
