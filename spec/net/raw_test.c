/* raw_test.c -- RawSocket as a client sees it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peer.h"
#include "server.h"
#include "unit.h"

static struct server server;
static struct peer peer;
static struct frame frame;

static void start(uint32_t max_message_len, uint32_t min_peer_len, unsigned codecs)
{
    struct server_options options = server_defaults();

    options.limits.max_message_len = max_message_len;
    options.listener.rawsocket_min_len = min_peer_len;
    options.listener.codecs = codecs;
    server_start(&server, &options);
    EXPECT_EQ(server.err, 0);
}

/* Sends four octets and returns the four that come back, 0 when the stream just ends. */
static uint32_t shake(uint32_t octets)
{
    unsigned char bytes[4] = {(unsigned char)(octets >> 24), (unsigned char)(octets >> 16),
                              (unsigned char)(octets >> 8), (unsigned char)octets};
    size_t got;

    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    EXPECT(peer_write(&peer, bytes, 4));
    got = peer_read(&peer, bytes, 4);
    EXPECT(got == 4 || (got == 0 && peer.error == 0));
    return got == 0 ? 0
                    : (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                          (uint32_t)bytes[2] << 8 | bytes[3];
}

static void expect_shake(uint32_t octets, uint32_t answer)
{
    EXPECT_EQ(shake(octets), answer);
    if ((answer & 0x000f0000) == 0)
        EXPECT(peer_is_at_end(&peer));
    peer_close(&peer);
}

TEST(shakes_hands)
{
    start(1 << 24, 0, 7);
    expect_shake(0x7ff10000, 0x7ff10000);
    expect_shake(0x7f020000, 0x7ff20000);
    expect_shake(0x7ff30000, 0x7ff30000);
    expect_shake(0x7f040000, 0x7f100000); /* serializer */
    expect_shake(0x7fff0000, 0x7f100000);
    expect_shake(0x7ff10001, 0x7f300000); /* reserved bits */
    expect_shake(0x7ff41000, 0x7f300000); /* reserved bits before serializer */
    expect_shake(0x7ff00000, 0);          /* serializer 0: not a word */
    expect_shake(0x7ff00001, 0);
    expect_shake(0x7ef10000, 0); /* neither HTTP nor RawSocket */
    server_stop(&server);
}

TEST(announces_a_power_of_two_and_refuses_short_peers)
{
    start(5000, 1024, 1u << CODEC_JSON);
    expect_shake(0x7ff10000, 0x7f310000); /* 4096 */
    expect_shake(0x7f010000, 0x7f200000); /* takes 512 only */
    expect_shake(0x7f110000, 0x7f310000);
    expect_shake(0x7f020000, 0x7f100000); /* serializer before length */
    server_stop(&server);
}

TEST(says_when_it_is_full)
{
    struct server_options options = server_defaults();
    static struct peer first;
    static char head[2048];

    options.limits.max_connections = 1;
    server_start(&server, &options);
    EXPECT(peer_open_raw(&first, "127.0.0.1", server.port, false));
    expect_shake(0x7ff10000, 0x7f400000);
    expect_shake(0x7ff40000, 0x7f400000); /* before serializer */
    expect_shake(0x7ff10001, 0x7f300000); /* after reserved bits */
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    EXPECT_EQ(peer_upgrade(&peer, "/", "wamp.2.json", NULL, head, sizeof head), 503);
    peer_close(&peer);
    EXPECT_EQ(server_counters(&server).refused_full, 4);
    peer_close(&first);
    EXPECT(server_wait(&server, server_has_no_connection));
    expect_shake(0x7ff10000, 0x7fb10000);
    server_stop(&server);
}

TEST(counts_connections_of_one_address)
{
    struct server_options options = server_defaults();
    static struct peer others[2];

    options.limits.max_connections_per_address = 2;
    server_start(&server, &options);
    EXPECT(peer_open_raw(&others[0], "127.0.0.1", server.port, false));
    EXPECT(peer_open_raw(&others[1], "127.0.0.1", server.port, false));
    EXPECT(!peer_open_raw(&peer, "127.0.0.1", server.port, false));
    peer_close(&peer);
    EXPECT_EQ(server_counters(&server).refused_address, 1);
    peer_close(&others[0]);
    peer_close(&others[1]);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT(peer_open_raw(&peer, "127.0.0.1", server.port, false));
    peer_close(&peer);
    server_stop(&server);
}

TEST(takes_pipelined_input_octet_by_octet)
{
    static const char input[] = "\x7f\xf2\0\0"
                                "\0\0\0\5hello"
                                "\1\0\0\2\xde\xad"
                                "\0\0\0\1x";
    char answer[4];

    start(1 << 20, 0, 7);
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    for (size_t i = 0; i < sizeof input - 1; i++)
        EXPECT(peer_write(&peer, input + i, 1));
    EXPECT_EQ(peer_read(&peer, answer, 4), 4);
    EXPECT(raw_read(&peer, &frame));
    EXPECT_SLICE(frame_slice(&frame), SLICE("hello"));
    EXPECT(raw_read(&peer, &frame));
    EXPECT_EQ(frame.opcode, 2);
    EXPECT_SLICE(frame_slice(&frame), SLICE("\xde\xad"));
    EXPECT(raw_read(&peer, &frame));
    EXPECT_SLICE(frame_slice(&frame), SLICE("x"));
    peer_close(&peer);
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    EXPECT(peer_write(&peer, input, sizeof input - 1)); /* and all at once */
    EXPECT_EQ(peer_read(&peer, answer, 4), 4);
    for (unsigned i = 0; i < 3; i++)
        EXPECT(raw_read(&peer, &frame));
    EXPECT_SLICE(frame_slice(&frame), SLICE("x"));
    peer_close(&peer);
    server_stop(&server);
}

TEST(echoes_long_messages)
{
    char *payload = malloc(131072);

    for (size_t i = 0; i < 131072; i++)
        payload[i] = (char)(i * 7 + i / 251);
    start(1 << 20, 0, 7);
    EXPECT(peer_open_raw(&peer, "127.0.0.1", server.port, false));
    for (size_t len = 65000; len < 131072; len += 6007) {
        EXPECT(raw_send(&peer, 0, slice_make(payload, len)));
        EXPECT(raw_send(&peer, 0, SLICE("after")));
        EXPECT(raw_read(&peer, &frame));
        EXPECT_SLICE(frame_slice(&frame), slice_make(payload, len));
        EXPECT(raw_read(&peer, &frame));
        EXPECT_SLICE(frame_slice(&frame), SLICE("after"));
    }
    peer_close(&peer);
    server_stop(&server);
    free(payload);
}

TEST(echoes_json_of_every_length)
{
    static char text[12000];

    memset(text, 'x', sizeof text);
    memcpy(text, "[\"", 2);
    start(1 << 20, 0, 1u << CODEC_JSON);
    EXPECT_EQ(shake(0x7ff10000), 0x7fb10000);
    for (size_t len = 900; len <= sizeof text; len++) {
        bool is_fine;

        memcpy(text + len - 2, "\"]", 2);
        is_fine = raw_send(&peer, 0, slice_make(text, len)) && raw_read(&peer, &frame) &&
                  frame.opcode == 0 && slice_eq(frame_slice(&frame), slice_make(text, len));
        EXPECT(is_fine);
        if (!is_fine)
            break;
        memcpy(text + len - 2, "xx", 2);
    }
    peer_close(&peer);
    server_stop(&server);
}

static void expect_end(struct slice input)
{
    EXPECT(peer_open_raw(&peer, "127.0.0.1", server.port, false));
    EXPECT(peer_write(&peer, input.data, input.len));
    EXPECT(peer_is_at_end(&peer));
    peer_close(&peer);
}

TEST(fails_bad_frames)
{
    start(4096, 0, 7);
    expect_end(SLICE("\x10\0\0\1x")); /* reserved bits */
    expect_end(SLICE("\3\0\0\1x"));   /* reserved type */
    expect_end(SLICE("\x08\0\0\1x")); /* 2^24 and a length */
    expect_end(SLICE("\0\0\x10\1"));  /* 4097 */
    expect_end(SLICE("\1\0\x10\1"));  /* a PING of that length */
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT_EQ(server_counters(&server).too_big, 2);
    EXPECT_EQ(server_counters(&server).bad_frames, 3);
    EXPECT_EQ(server.messages, 0);
    EXPECT_EQ(server.closes, 5);
    server_stop(&server);
}

TEST(ends_floods_of_pings)
{
    struct server_options options = server_defaults();
    bool is_open = true;

    options.limits.max_pings_per_s = 10;
    server_start(&server, &options);
    EXPECT(peer_open_raw(&peer, "127.0.0.1", server.port, false));
    for (unsigned i = 0; i < 50 && is_open; i++)
        is_open = raw_send(&peer, 1, SLICE("x"));
    while (raw_read(&peer, &frame))
        EXPECT_EQ(frame.opcode, 2);
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT_EQ(server.closes, 1);
    server_stop(&server);
}

TEST(gives_an_empty_message_to_the_handler)
{
    start(4096, 0, 7);
    EXPECT(peer_open_raw(&peer, "127.0.0.1", server.port, false));
    EXPECT(raw_send(&peer, 0, SLICE("")));
    EXPECT(raw_read(&peer, &frame));
    EXPECT_EQ(frame.len, 0);
    peer_close(&peer);
    server_stop(&server);
}
