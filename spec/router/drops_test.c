/* drops_test.c -- realms hear of every event that their sessions lost, wherever it was lost.
 *
 * The sums on the status page tell: what queues and mailboxes dropped must be what
 * realms were told of, with the home of a realm on the connection's worker or not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "thread_kit.h"

#include <sys/socket.h>
#include <unistd.h>

#define DEAF_COUNT 6
#define BATCH      100
#define WAIT_MS    10000

static char block[1001];

static void make(unsigned workers)
{
    static struct realm_options realms[2];
    struct router_options options = {.workers = workers,
                                     .listeners = &any_port,
                                     .listener_count = 1,
                                     .realms = realms,
                                     .realm_count = ARRAY_LEN(realms),
                                     .limits = {.max_connections = 100,
                                                .max_message_len = 1 << 20,
                                                .handshake_timeout_ms = 10000,
                                                .close_timeout_ms = 100,
                                                .queue = {50, 1 << 20, 4 << 20, 0}},
                                     .shutdown_grace_ms = 2000};

    for (size_t i = 0; i < ARRAY_LEN(realms); i++) {
        core_defaults(&realms[i].core);
        realms[i].core.realm = i == 0 ? "com.first" : "com.second";
        realms[i].queue = options.limits.queue;
    }
    kit_make(&options);
    memset(block, 'x', sizeof block - 1);
}

static void start(unsigned workers)
{
    make(workers);
    kit_run();
}

/* A number of the status page. */
static uint64_t status(const char *name)
{
    static char head[1000], body[4000];
    struct peer peer;
    char key[64];
    const char *at;

    EXPECT(peer_open(&peer, "127.0.0.1", port, false));
    EXPECT_EQ(peer_http(&peer, "GET /status.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                        head, sizeof head),
              200);
    body[peer_read(&peer, body, sizeof body - 1)] = '\0';
    peer_close(&peer);
    (void)snprintf(key, sizeof key, "\"%s\":", name);
    at = strstr(body, key);
    EXPECT(at != NULL);
    return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10);
}

/* Waits until realms know of that many lost events, but not of one more. */
static void expect_known(uint64_t lost)
{
    for (unsigned ms = 0; ms < WAIT_MS && status("dropped") < lost; ms += 20)
        usleep(20000);
    EXPECT_EQ(status("dropped"), lost);
}

static void join(struct peer *peer, const char *realm)
{
    char hello[200];

    (void)snprintf(hello, sizeof hello,
                   "[1,\"%s\",{\"roles\":{\"publisher\":{},\"subscriber\":{}}}]", realm);
    EXPECT(peer_open_ws(peer, "127.0.0.1", port, false, "wamp.2.json"));
    say(peer, hello);
    hear(peer, "[2,");
}

static void join_deaf(struct peer *peer, const char *realm)
{
    int small = 4096;

    join(peer, realm);
    setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(peer, "[32,1,{},\"com.topic\"]");
    hear(peer, "[33,1,");
}

/* Publishes until that many events were lost; returns how many it really were. */
static uint64_t flood(const char *realm, uint64_t enough)
{
    struct peer publisher;
    char message[1200];
    unsigned id = 0;

    join(&publisher, realm);
    for (unsigned round = 0; round < 1000 && status("dropped_newest") < enough; round++) {
        for (unsigned i = 0; i < BATCH; i++) {
            (void)snprintf(message, sizeof message,
                           "[16,%u,{\"acknowledge\":true},\"com.topic\",[\"%s\"]]", ++id, block);
            say(&publisher, message);
        }
        for (unsigned i = 0; i < BATCH; i++)
            hear(&publisher, "[17,");
    }
    peer_close(&publisher);
    usleep(100000); /* what is on its way to another worker arrives */
    EXPECT(status("dropped_newest") >= enough);
    return status("dropped_newest");
}

static void lose(unsigned workers)
{
    static struct peer deaf[DEAF_COUNT];
    uint64_t lost;

    start(workers);
    for (unsigned i = 0; i < DEAF_COUNT; i++)
        join_deaf(&deaf[i], i % 2 == 0 ? "com.first" : "com.second");
    lost = flood("com.first", 1000);
    lost = flood("com.second", lost + 1000);
    expect_known(lost);
    lost = flood("com.first", lost + 1);
    expect_known(lost);
    for (unsigned i = 0; i < DEAF_COUNT; i++)
        peer_close(&deaf[i]);
    stop();
}

TEST(realms_are_told_with_one_worker)
{
    lose(1);
}

TEST(realms_are_told_with_two_workers)
{
    lose(2);
}

/* Nobody waits for the report: the sessions end within the second, in one way or another. */
static void lose_and_leave(unsigned workers)
{
    static struct peer deaf[DEAF_COUNT];
    uint64_t lost;

    start(workers);
    for (unsigned i = 0; i < DEAF_COUNT; i++)
        join_deaf(&deaf[i], i % 2 == 0 ? "com.first" : "com.second");
    (void)flood("com.first", 500);
    lost = flood("com.second", 1000);
    for (unsigned i = 0; i < DEAF_COUNT; i++) {
        if (i < DEAF_COUNT / 2)
            say(&deaf[i], "[6,{},\"wamp.close.close_realm\"]");
        else
            peer_close(&deaf[i]);
    }
    expect_known(lost);
    for (unsigned i = 0; i < DEAF_COUNT / 2; i++)
        peer_close(&deaf[i]);
    stop();
}

TEST(realms_are_told_before_a_session_ends_with_one_worker)
{
    lose_and_leave(1);
}

TEST(realms_are_told_before_a_session_ends_with_two_workers)
{
    lose_and_leave(2);
}

TEST(a_router_ends_with_drops_that_nobody_knows)
{
    struct peer deaf;

    for (unsigned workers = 1; workers <= 2; workers++) {
        start(workers);
        join_deaf(&deaf, "com.first");
        (void)flood("com.first", 100);
        stop();
        peer_close(&deaf);
    }
}

/* ---- a mailbox that is full ---- */

#define SUBSCRIPTIONS 60
#define PUBLICATIONS  5000 /* times SUBSCRIPTIONS: more than a mailbox takes */

struct actor {
    struct local_peer *peer;
    unsigned subscribed;
    atomic_ulong events, acknowledged;
};

static void say_here(struct actor *actor, struct encoder *e)
{
    struct blob *blob;

    encode_end(e);
    blob = encode_finish(e);
    local_send(actor->peer, blob_slice(blob));
    blob_drop(blob);
}

static void begin_here(struct encoder *e, enum msg_type type, uint64_t id, size_t len)
{
    encode_start(e, CODEC_MSGPACK, 0);
    encode_list(e, len);
    encode_uint(e, (uint64_t)type);
    if (id != 0)
        encode_uint(e, id);
}

static void hello_here(struct actor *actor)
{
    struct encoder e;

    begin_here(&e, MSG_HELLO, 0, 3);
    encode_text(&e, SLICE("com.second"));
    encode_map(&e, 1);
    encode_text(&e, SLICE("roles"));
    encode_map(&e, 2);
    encode_text(&e, SLICE("publisher"));
    encode_map(&e, 0);
    encode_end(&e);
    encode_text(&e, SLICE("subscriber"));
    encode_map(&e, 0);
    encode_end(&e);
    encode_end(&e);
    encode_end(&e);
    say_here(actor, &e);
}

/* Prefixes of one topic, each longer by a character: an event for each of them. */
static void subscribe_here(struct actor *actor, unsigned number)
{
    struct encoder e;

    begin_here(&e, MSG_SUBSCRIBE, number, 4);
    encode_map(&e, 1);
    encode_text(&e, SLICE("match"));
    encode_text(&e, SLICE("prefix"));
    encode_end(&e);
    encode_text(&e, slice_make(block, number));
    say_here(actor, &e);
}

static void publish_here(struct actor *actor, unsigned number, bool acknowledge)
{
    struct encoder e;

    begin_here(&e, MSG_PUBLISH, number, 4);
    encode_map(&e, 2);
    encode_text(&e, SLICE("acknowledge"));
    encode_bool(&e, acknowledge);
    encode_text(&e, SLICE("exclude_me"));
    encode_bool(&e, false);
    encode_end(&e);
    encode_text(&e, slice_make(block, SUBSCRIPTIONS));
    say_here(actor, &e);
}

/* In one turn of this worker, so that the realm's worker answers all of it in one turn, too. */
static void flood_here(struct actor *actor)
{
    for (unsigned i = 1; i <= PUBLICATIONS; i++)
        publish_here(actor, SUBSCRIPTIONS + i, i == PUBLICATIONS);
}

static void receive(void *ctx, struct slice message)
{
    struct actor *actor = ctx;

    switch ((unsigned char)message.data[1]) {
    case MSG_WELCOME:
        for (unsigned i = 1; i <= SUBSCRIPTIONS; i++)
            subscribe_here(actor, i);
        break;
    case MSG_SUBSCRIBED:
        if (++actor->subscribed == SUBSCRIPTIONS)
            flood_here(actor);
        break;
    case MSG_EVENT:
        actor->events++;
        break;
    case MSG_PUBLISHED:
        actor->acknowledged++;
        break;
    default:
        break; /* GOODBYE at the end */
    }
}

TEST(realms_are_told_of_what_a_mailbox_did_not_take)
{
    struct actor actor = {.subscribed = 0};
    uint64_t lost;

    make(2);
    actor.peer = local_open(router, receive, NULL, &actor);
    hello_here(&actor);
    kit_run();
    for (unsigned ms = 0; ms < WAIT_MS && actor.acknowledged == 0; ms += 10)
        usleep(10000);
    EXPECT_EQ(actor.acknowledged, 1);
    lost = (uint64_t)PUBLICATIONS * SUBSCRIPTIONS - actor.events;
    EXPECT(lost > 0);
    EXPECT_EQ(status("mail_dropped"), lost);
    expect_known(lost);
    router_stop(router);
    pthread_join(thread, NULL);
    local_close(actor.peer);
    router_free(router);
}
