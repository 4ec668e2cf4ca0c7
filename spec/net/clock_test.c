/* clock_test.c -- every clock of a connection, with short times.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peer.h"
#include "server.h"
#include "unit.h"

#define SHORT_MS 60

static struct server server;
static struct peer peer;
static struct frame frame;

/* The server must end the connection, and not before the time is over. */
static void expect_end(uint64_t since)
{
    EXPECT(peer_is_at_end(&peer));
    EXPECT(clock_ms() - since >= SHORT_MS - 5);
    EXPECT(clock_ms() - since < 5000);
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
}

TEST(handshake)
{
    static const struct {
        const char *start;
        size_t len;
    } cases[] = {{"", 0}, {"\x7f", 1}, {"G", 1}, {"GET / HTTP/1.1\r\nHost: a\r\n", 25}};
    struct server_options options = server_defaults();

    options.limits.handshake_timeout_ms = SHORT_MS;
    server_start(&server, &options);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t since = clock_ms();

        EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
        EXPECT(peer_write(&peer, cases[i].start, cases[i].len));
        expect_end(since);
    }
    EXPECT_EQ(server_counters(&server).timeouts_handshake, 4);
    EXPECT_EQ(server_counters(&server).handshake_failed, 4);
    server_stop(&server);
}

/* Octet by octet is no way around. */
TEST(slow_handshake)
{
    static const char start[] = "GET / HTTP/1.1\r\nX-Slow: ";
    struct server_options options = server_defaults();
    uint64_t since = clock_ms();
    bool is_open = true;

    options.limits.handshake_timeout_ms = SHORT_MS;
    server_start(&server, &options);
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    for (size_t i = 0; is_open && clock_ms() - since < 5000; i++) {
        is_open = peer_write(&peer, i < sizeof start - 1 ? start + i : "x", 1);
        usleep(2000);
    }
    EXPECT(!is_open);
    EXPECT_EQ(server_counters(&server).timeouts_handshake, 1);
    peer_close(&peer);
    server_stop(&server);
}

TEST(http_keep_alive)
{
    struct server_options options = server_defaults();
    char head[1024], body[16];
    uint64_t since;

    options.limits.handshake_timeout_ms = SHORT_MS;
    server_start(&server, &options);
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    EXPECT_EQ(peer_http(&peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", head, sizeof head), 200);
    since = clock_ms();
    EXPECT_EQ(peer_read(&peer, body, 9), 9);
    expect_end(since);
    server_stop(&server);
}

TEST(hello)
{
    struct server_options options = server_defaults();
    uint64_t since = clock_ms();

    options.limits.hello_timeout_ms = SHORT_MS;
    options.stays_unjoined = true;
    server_start(&server, &options);
    EXPECT(peer_open_ws(&peer, "127.0.0.1", server.port, false, "wamp.2.cbor"));
    EXPECT(ws_read(&peer, &frame));
    EXPECT_EQ(frame_close_code(&frame), 1008);
    EXPECT(ws_send(&peer, 8, true, SLICE("")));
    expect_end(since);
    since = clock_ms();
    EXPECT(peer_open_raw(&peer, "127.0.0.1", server.port, false));
    expect_end(since);
    EXPECT_EQ(server_counters(&server).timeouts_hello, 2);
    server_stop(&server);
}

static void leave(struct server *with, void *arg)
{
    (void)arg;
    net_set_joined(with->net, with->last_id, false);
}

TEST(rejoin)
{
    struct server_options options = server_defaults();
    uint64_t since;

    options.limits.rejoin_timeout_ms = SHORT_MS;
    server_start(&server, &options);
    EXPECT(peer_open_ws(&peer, "127.0.0.1", server.port, false, "wamp.2.cbor"));
    EXPECT(ws_send(&peer, 2, true, SLICE("x")));
    EXPECT(ws_read(&peer, &frame));
    since = clock_ms();
    server_do(&server, leave, NULL);
    EXPECT(ws_read(&peer, &frame));
    EXPECT_EQ(frame_close_code(&frame), 1000);
    EXPECT(ws_send(&peer, 8, true, SLICE("")));
    expect_end(since);
    server_stop(&server);
}

static void heartbeat(bool is_raw)
{
    struct server_options options = server_defaults();
    unsigned long long last = 0;
    uint64_t since;

    options.limits.ping_interval_ms = SHORT_MS;
    options.limits.ping_timeout_ms = SHORT_MS;
    server_start(&server, &options);
    EXPECT(is_raw ? peer_open_raw(&peer, "127.0.0.1", server.port, false)
                  : peer_open_ws(&peer, "127.0.0.1", server.port, false, "wamp.2.cbor"));
    for (unsigned i = 0; i < 3; i++) {
        unsigned long long counter = 0;

        EXPECT(peer_read_frame(&peer, is_raw, &frame));
        EXPECT_EQ(frame.opcode, is_raw ? 1 : 9);
        EXPECT_EQ(frame.len, 8);
        for (unsigned octet = 0; octet < 8; octet++)
            counter = counter << 8 | (unsigned char)frame.data[octet];
        EXPECT(counter > last);
        last = counter;
        if (is_raw)
            EXPECT(raw_send(&peer, 2, frame_slice(&frame)));
        else
            EXPECT(ws_send(&peer, 10, true, frame_slice(&frame)));
    }
    EXPECT(peer_read_frame(&peer, is_raw, &frame));
    since = clock_ms(); /* and this one is not answered */
    expect_end(since);
    EXPECT_EQ(server_counters(&server).timeouts_ping, 1);
    EXPECT_EQ(server.messages, 0);
    EXPECT_EQ(server.closes, 1);
    server_stop(&server);
}

TEST(heartbeat_ws)
{
    heartbeat(false);
}

TEST(heartbeat_raw)
{
    heartbeat(true);
}

/* A peer that neither answers the close nor ends the stream does not stay. */
TEST(close_of_a_stubborn_peer)
{
    struct server_options options = server_defaults();
    uint64_t since = clock_ms();

    options.limits.close_timeout_ms = SHORT_MS;
    server_start(&server, &options);
    EXPECT(peer_open_ws(&peer, "127.0.0.1", server.port, false, "wamp.2.cbor"));
    EXPECT(ws_send(&peer, 2, true, SLICE("bye")));
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT(clock_ms() - since >= SHORT_MS - 5);
    peer_close(&peer);
    server_stop(&server);
}

static bool is_flushed;

static void ask_flushed(struct server *with, void *arg)
{
    (void)arg;
    is_flushed = net_is_flushed(with->net);
}

/* Asks in the same turn: a slow machine may be past the timeout in the next one. */
static void flood_and_close(struct server *with, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 200; i++)
        net_send(with->net, with->last_id, blob_copy(slice_make(frame.data, 100000)), SEND_REPLY,
                 0);
    net_close(with->net, with->last_id, CLOSE_NORMAL, NULL);
    ask_flushed(with, arg);
}

static void close_unread(bool is_raw)
{
    struct server_options options = server_defaults();

    options.limits.close_timeout_ms = SHORT_MS;
    server_start(&server, &options);
    EXPECT(is_raw ? peer_open_raw(&peer, "127.0.0.1", server.port, false)
                  : peer_open_ws(&peer, "127.0.0.1", server.port, false, "wamp.2.cbor"));
    EXPECT(peer_send(&peer, is_raw, SLICE("x")));
    EXPECT(peer_read_frame(&peer, is_raw, &frame));
    server_do(&server, flood_and_close, NULL);
    EXPECT(!is_flushed);
    EXPECT(server_wait(&server, server_has_no_connection));
    server_do(&server, ask_flushed, NULL);
    EXPECT(is_flushed);
    EXPECT_EQ(server.closes, 1);
    peer_close(&peer);
    server_stop(&server);
}

TEST(close_of_a_peer_that_does_not_read_ws)
{
    close_unread(false);
}

TEST(close_of_a_peer_that_does_not_read_raw)
{
    close_unread(true);
}
