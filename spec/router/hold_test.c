/* hold_test.c -- a connection is not read while a request of its session is judged.
 *
 * A writer sends more than the sockets' buffers hold. It gets stuck while the answer is
 * out, and once that is there everything is done, in order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "thread_kit.h"

#include <uv.h>

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT 5000 /* messages, of SIZE octets and a little each */
#define SIZE  4000

/* ---- who decides, when the test says so ---- */

struct mind {
    struct realm *realm;
    uv_timer_t timer;
    bool has_timer;
    uint64_t question;
};

static atomic_bool may_answer;

static void *open_mind(void *ctx, struct realm *realm)
{
    struct mind *mind = calloc(1, sizeof *mind);

    (void)ctx;
    mind->realm = realm;
    return mind;
}

static void stop_mind(void *ctx)
{
    struct mind *mind = ctx;

    if (mind->has_timer)
        uv_close((uv_handle_t *)&mind->timer, NULL);
}

static void look(uv_timer_t *timer)
{
    struct mind *mind = timer->data;
    struct decision decision = {.question = mind->question, .verdict = VERDICT_ALLOW};

    if (!atomic_load(&may_answer))
        return;
    uv_timer_stop(timer);
    realm_decide(mind->realm, &decision);
}

static void on_ask(void *ctx, const struct question *question)
{
    struct mind *mind = ctx;

    EXPECT_EQ(mind->question, UINT64_C(0));
    EXPECT_EQ(question->ask, ASK_AUTHORIZE);
    mind->question = question->id;
    mind->has_timer = true;
    mind->timer.data = mind;
    EXPECT_EQ(uv_timer_init(realm_loop(mind->realm), &mind->timer), 0);
    EXPECT_EQ(uv_timer_start(&mind->timer, look, 5, 5), 0);
}

static void on_unask(void *ctx, uint64_t question)
{
    (void)ctx;
    UNIT_FAIL("question %llu is taken back", (unsigned long long)question);
}

static const struct decider decider = {
    .open = open_mind, .stop = stop_mind, .close = free, .ask = on_ask, .unask = on_unask};

/* ---- the router ---- */

static struct rules *make_rules(void)
{
    struct rules *rules = rules_new();
    struct rules_error error = {.words = ""};
    uint32_t role;
    struct rule rule = {.effect = RULE_ALLOW,
                        .actions = RULE_ALL_ACTIONS,
                        .uri = SLICE("**"),
                        .where = SLICE("the test"),
                        .trustlevel = -1};

    EXPECT_EQ(rules_add_role(rules, SLICE("anonymous"), SLICE(""), rule.where, &role, &error), 0);
    EXPECT_EQ(rules_add(rules, role, &rule, &error), 0);
    rule.effect = RULE_ASK;
    rule.uri = SLICE("ask.**");
    EXPECT_EQ(rules_add(rules, role, &rule, &error), 0);
    EXPECT_EQ(rules_freeze(rules, &error), 0);
    EXPECT_STR(error.words, "");
    return rules;
}

static void start(unsigned workers, const struct rules *rules)
{
    static const struct queue_limits queue = {1000, 1 << 20, 4 << 20, OVERFLOW_DROP_NEWEST};
    struct realm_options realms[2] = {0};
    struct router_options options = {.workers = workers,
                                     .listeners = &any_port,
                                     .listener_count = 1,
                                     .realms = realms,
                                     .realm_count = ARRAY_LEN(realms),
                                     .limits = {.max_connections = 10,
                                                .max_message_len = 1 << 20,
                                                .handshake_timeout_ms = 10000,
                                                .close_timeout_ms = 100,
                                                .queue = queue},
                                     .shutdown_grace_ms = 2000};

    for (size_t i = 0; i < ARRAY_LEN(realms); i++) {
        core_defaults(&realms[i].core);
        realms[i].core.realm = i == 0 ? "com.first" : "com.second";
        realms[i].core.rules = rules;
        realms[i].queue = queue;
        realms[i].decider = &decider;
    }
    kit_make(&options);
    kit_run();
}

/* ---- who is judged ---- */

static atomic_uint written;

static void *write_all(void *arg)
{
    static char message[SIZE + 200];
    struct peer *peer = arg;
    int len;

    for (unsigned i = 0; i < COUNT; i++) {
        len = snprintf(message, sizeof message,
                       "[16,%u,{\"acknowledge\":true},\"com.x\",[\"%0*d\"]]", i + 2, SIZE, 0);
        if (!ws_send(peer, 1, true, slice_make(message, (size_t)len)))
            break;
        atomic_fetch_add(&written, 1);
    }
    return NULL;
}

/* Waits until the writer gets no further. */
static unsigned wait_until_stuck(void)
{
    unsigned before = 0, now = 0, quiet = 0;

    while (quiet < 10 && now < COUNT) {
        usleep(30000);
        now = atomic_load(&written);
        quiet = now == before ? quiet + 1 : 0;
        before = now;
    }
    return now;
}

static void play(unsigned workers, const char *realm)
{
    struct rules *rules = make_rules();
    struct peer peer;
    pthread_t writer;
    char text[100];
    int small = 1 << 16;

    atomic_store(&may_answer, false);
    atomic_store(&written, 0);
    start(workers, rules);
    EXPECT(peer_open_ws(&peer, "127.0.0.1", port, false, "wamp.2.json"));
    setsockopt(peer.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    (void)snprintf(text, sizeof text, "[1,\"%s\",{\"roles\":{\"publisher\":{}}}]", realm);
    EXPECT(ws_send(&peer, 1, true, slice_of(text)));
    hear(&peer, "[2,");
    EXPECT(ws_send(&peer, 1, true, SLICE("[32,1,{},\"ask.x\"]")));
    EXPECT_EQ(pthread_create(&writer, NULL, write_all, &peer), 0);
    EXPECT(wait_until_stuck() < COUNT);
    atomic_store(&may_answer, true);
    hear(&peer, "[33,1,");
    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof text, "[17,%u,", i + 2);
        hear(&peer, text);
    }
    pthread_join(writer, NULL);
    EXPECT_EQ(atomic_load(&written), (unsigned)COUNT);
    peer_close(&peer);
    stop();
    rules_free(rules);
}

TEST(a_connection_is_not_read_while_its_session_is_judged)
{
    play(1, "com.first");
}

TEST(nor_when_the_realm_lives_with_another_worker)
{
    play(2, "com.first");
    play(2, "com.second");
}
