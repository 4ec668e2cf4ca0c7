/* queue_test.c -- bounds and overflow policies against a client that does not read.
 *
 * What was queued, dropped and received must add up exactly.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peer.h"
#include "server.h"
#include "unit.h"

#define MESSAGE_LEN 1000

static struct server server;
static struct peer peer;
static struct frame frame;

struct burst {
    unsigned count, keys;
    enum send_kind kind;
    unsigned results[4]; /* by enum send_result */
};

/* Messages begin with their number, so that the receiver sees what is missing. */
static void send_burst(struct server *with, void *arg)
{
    struct burst *burst = arg;

    for (unsigned i = 0; i < burst->count; i++) {
        struct blob *blob = blob_new(MESSAGE_LEN);

        memset(blob->data, 'x', MESSAGE_LEN);
        memcpy(blob->data, &i, sizeof i);
        burst->results[net_send(with->net, with->last_id, blob, burst->kind, i % burst->keys)]++;
    }
}

static void start(bool is_raw, enum overflow overflow, uint32_t max_messages, uint32_t max_bytes)
{
    struct server_options options = server_defaults();

    options.limits.queue = (struct queue_limits){max_messages, max_bytes, 4 * max_bytes, overflow};
    server_start(&server, &options);
    if (is_raw)
        EXPECT(peer_open_raw(&peer, "127.0.0.1", server.port, false));
    else
        EXPECT(peer_open_ws(&peer, "127.0.0.1", server.port, false, "wamp.2.msgpack"));
    EXPECT(peer_send(&peer, is_raw, SLICE("ready")));
    EXPECT(peer_read_frame(&peer, is_raw, &frame));
}

static unsigned number_of(const struct frame *from)
{
    unsigned number = 0;

    if (from->len >= sizeof number)
        memcpy(&number, from->data, sizeof number);
    return number;
}

static void expect_exact(bool is_raw, enum overflow overflow)
{
    struct burst burst = {.count = 20000, .keys = 7, .kind = SEND_EVENT};
    unsigned received = 0, last = 0;
    struct net_counters counters;
    bool is_ordered = true;
    unsigned seen[7] = {0};

    start(is_raw, overflow, 100, 1 << 20);
    server_do(&server, send_burst, &burst);
    EXPECT(peer_send(&peer, is_raw, SLICE("end")));
    while (peer_read_frame(&peer, is_raw, &frame) && frame.len == MESSAGE_LEN) {
        received++;
        is_ordered = is_ordered && (received == 1 || number_of(&frame) > last);
        last = number_of(&frame);
        seen[last % 7] = last;
    }
    counters = server_counters(&server);
    EXPECT(is_ordered);
    EXPECT_SLICE(frame_slice(&frame), SLICE("end"));
    EXPECT_EQ(burst.results[SEND_QUEUED] + burst.results[SEND_DROPPED], 20000);
    EXPECT_EQ(counters.dropped_newest, burst.results[SEND_DROPPED]);
    EXPECT_EQ(received + counters.dropped_newest + counters.dropped_oldest + counters.conflated,
              20000);
    if (overflow == OVERFLOW_DROP_NEWEST)
        EXPECT(counters.dropped_newest > 0 && counters.dropped_oldest == 0 && last < 19999);
    if (overflow == OVERFLOW_DROP_OLDEST)
        EXPECT(counters.dropped_oldest > 0 && counters.dropped_newest == 0 && last == 19999);
    if (overflow == OVERFLOW_CONFLATE) {
        EXPECT(counters.conflated > 0 && counters.dropped_newest == 0);
        for (unsigned key = 0; key < 7; key++)
            EXPECT(seen[key] >= 20000 - 7); /* the latest of each key came through */
    }
    peer_close(&peer);
    server_stop(&server);
}

TEST(drop_newest_ws)
{
    expect_exact(false, OVERFLOW_DROP_NEWEST);
}

TEST(drop_newest_raw)
{
    expect_exact(true, OVERFLOW_DROP_NEWEST);
}

TEST(drop_oldest)
{
    expect_exact(false, OVERFLOW_DROP_OLDEST);
}

TEST(conflate)
{
    expect_exact(true, OVERFLOW_CONFLATE);
}

/* Many turns against a full socket: the bound holds with what lws keeps, too. */
TEST(counts_what_lws_holds)
{
    unsigned queued = 0, received = 0;
    struct net_counters counters;

    start(true, OVERFLOW_DROP_NEWEST, 1000000, 256 << 10);
    for (unsigned i = 0; i < 200; i++) {
        struct burst burst = {.count = 500, .keys = 1, .kind = SEND_EVENT};

        server_do(&server, send_burst, &burst);
        queued += burst.results[SEND_QUEUED];
    }
    EXPECT(queued < 100000);
    EXPECT(peer_send(&peer, true, SLICE("end")));
    while (peer_read_frame(&peer, true, &frame) && frame.len == MESSAGE_LEN)
        received++;
    counters = server_counters(&server);
    EXPECT_EQ(received, queued);
    EXPECT_EQ(queued + counters.dropped_newest, 100000);
    peer_close(&peer);
    server_stop(&server);
}

TEST(disconnect)
{
    struct burst burst = {.count = 20000, .keys = 1, .kind = SEND_EVENT};

    start(false, OVERFLOW_DISCONNECT, 100, 1 << 20);
    server_do(&server, send_burst, &burst);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT_EQ(server_counters(&server).slow_closed, 1);
    EXPECT_EQ(server.closes, 1);
    peer_close(&peer);
    server_stop(&server);
}

TEST(invocations_are_refused)
{
    struct burst burst = {.count = 20000, .keys = 1, .kind = SEND_INVOCATION};
    unsigned received = 0;

    start(false, OVERFLOW_DROP_OLDEST, 100, 1 << 20);
    server_do(&server, send_burst, &burst);
    EXPECT(peer_send(&peer, false, SLICE("end")));
    while (peer_read_frame(&peer, false, &frame) && frame.len == MESSAGE_LEN)
        received++;
    EXPECT_EQ(received, burst.results[SEND_QUEUED]);
    EXPECT_EQ(burst.results[SEND_QUEUED] + burst.results[SEND_REFUSED], 20000);
    EXPECT_EQ(server_counters(&server).refused_invocations, burst.results[SEND_REFUSED]);
    peer_close(&peer);
    server_stop(&server);
}

TEST(replies_are_kept_up_to_the_hard_bound)
{
    struct burst burst = {.count = 3000, .keys = 1, .kind = SEND_REPLY};
    unsigned received = 0;

    start(true, OVERFLOW_DROP_NEWEST, 10, 1 << 20); /* hard: 4 MiB */
    server_do(&server, send_burst, &burst);
    EXPECT_EQ(burst.results[SEND_QUEUED], 3000);
    for (; received < 3000 && raw_read(&peer, &frame); received++)
        EXPECT_EQ(number_of(&frame), received);
    EXPECT_EQ(received, 3000);
    burst = (struct burst){.count = 20000, .keys = 1, .kind = SEND_REPLY};
    server_do(&server, send_burst, &burst);
    EXPECT(burst.results[SEND_REFUSED] > 0);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT_EQ(server_counters(&server).slow_closed, 1);
    peer_close(&peer);
    server_stop(&server);
}

static void send_to_old_id(struct server *with, void *arg)
{
    *(enum send_result *)arg =
        net_send(with->net, with->last_id, blob_copy(SLICE("late")), SEND_REPLY, 0);
}

TEST(old_ids_find_nothing)
{
    enum send_result result = SEND_QUEUED;
    unsigned long long first;

    start(true, OVERFLOW_DROP_NEWEST, 10, 1 << 20);
    first = server.last_id;
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    server_do(&server, send_to_old_id, &result);
    EXPECT_EQ(result, SEND_GONE);
    EXPECT(peer_open_raw(&peer, "127.0.0.1", server.port, false));
    EXPECT(raw_send(&peer, 0, SLICE("x")));
    EXPECT(raw_read(&peer, &frame));
    EXPECT(server.last_id != first);
    EXPECT_EQ((uint32_t)server.last_id, (uint32_t)first); /* the same slot */
    peer_close(&peer);
    server_stop(&server);
}

static void resume(struct server *with, void *arg)
{
    (void)arg;
    net_pause(with->net, with->last_id, false);
}

static void pause_and_resume(bool is_raw)
{
    unsigned number = 0;

    start(is_raw, OVERFLOW_DROP_NEWEST, 100000, 1 << 20);
    EXPECT(peer_send(&peer, is_raw, SLICE("hold")));
    for (unsigned i = 0; i < 1000; i++)
        EXPECT(peer_send(&peer, is_raw, slice_make(&i, sizeof i)));
    EXPECT_EQ(server_counters(&server).messages_in, 2);
    EXPECT_EQ(server.messages, 2);
    server_do(&server, resume, NULL);
    for (unsigned i = 0; i < 1000; i++) {
        if (!peer_read_frame(&peer, is_raw, &frame))
            break;
        number += number_of(&frame) == i;
    }
    EXPECT_EQ(number, 1000);
    peer_close(&peer);
    server_stop(&server);
}

TEST(pause_keeps_back_what_was_read_ws)
{
    pause_and_resume(false);
}

TEST(pause_keeps_back_what_was_read_raw)
{
    pause_and_resume(true);
}
