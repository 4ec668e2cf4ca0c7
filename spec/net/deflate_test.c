/* deflate_test.c -- permessage-deflate both ways, and input that inflates without end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peer.h"
#include "server.h"
#include "unit.h"

#define ZLIB_CONST
#include <zlib.h>

#define MESSAGE_MAX 900000

static struct server server;
static struct peer peer;
static struct frame frame;
static z_stream deflater, inflater;
static char *plain, *packed, *got;

static void open_deflating(uint32_t max_message_len)
{
    struct server_options options = server_defaults();
    char head[1024];

    options.limits.max_message_len = max_message_len;
    options.listener.deflate = true;
    server_start(&server, &options);
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    EXPECT_EQ(peer_upgrade(&peer, "/", "wamp.2.json",
                           "Sec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Extensions: permessage-deflate\r\n",
                           head, sizeof head),
              101);
    EXPECT(strstr(head, "Sec-WebSocket-Extensions: permessage-deflate") != NULL);
    deflater = inflater = (z_stream){0};
    EXPECT(deflateInit2(&deflater, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    EXPECT(inflateInit2(&inflater, -15) == Z_OK);
    plain = malloc(2 * MESSAGE_MAX);
    packed = malloc(2 * MESSAGE_MAX);
    got = malloc(2 * MESSAGE_MAX);
}

static void finish(void)
{
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    server_stop(&server);
    deflateEnd(&deflater);
    inflateEnd(&inflater);
    free(plain);
    free(packed);
    free(got);
}

/* Compresses and leaves out the four octets that end each message (RFC 7692, 7.2.1). */
static size_t pack(size_t len)
{
    deflater.next_in = (unsigned char *)plain;
    deflater.avail_in = (unsigned)len;
    deflater.next_out = (unsigned char *)packed;
    deflater.avail_out = 2 * MESSAGE_MAX;
    EXPECT(deflate(&deflater, Z_SYNC_FLUSH) == Z_OK);
    return 2 * MESSAGE_MAX - deflater.avail_out - 4;
}

/* The first frame says with RSV1 that the message is compressed. */
static void send_packed(size_t len, bool in_fragments)
{
    size_t half = in_fragments ? len / 2 : len;

    EXPECT(ws_send(&peer, 0x41, !in_fragments, slice_make(packed, half)));
    if (in_fragments)
        EXPECT(ws_send(&peer, 0, true, slice_make(packed + half, len - half)));
}

static void feed(struct slice input)
{
    inflater.next_in = (const unsigned char *)input.data;
    inflater.avail_in = (unsigned)input.len;
    while (inflater.avail_in != 0 && inflate(&inflater, Z_SYNC_FLUSH) == Z_OK)
        continue;
}

static struct slice read_packed(void)
{
    inflater.next_out = (unsigned char *)got;
    inflater.avail_out = 2 * MESSAGE_MAX;
    do {
        if (!ws_read(&peer, &frame))
            return slice_make(NULL, 0);
        feed(slice_make(frame.data, frame.len));
    } while (!frame.is_final);
    feed(slice_make("\0\0\xff\xff", 4));
    return slice_make(got, 2 * MESSAGE_MAX - inflater.avail_out);
}

TEST(echoes_compressed_messages)
{
    static const size_t lens[] = {1, 10, 1000, 5000, 20000, 70000, 300000, MESSAGE_MAX};
    uint32_t seed = 1;

    open_deflating(1 << 20);
    for (size_t i = 0; i < MESSAGE_MAX; i++) {
        seed = seed * 1664525 + 1013904223;
        plain[i] = (char)('0' + (seed >> 24) % 10);
    }
    for (size_t i = 0; i < 2 * ARRAY_LEN(lens); i++) {
        send_packed(pack(lens[i / 2]), i % 2 != 0);
        EXPECT(slice_eq(read_packed(), slice_make(plain, lens[i / 2])));
    }
    for (unsigned i = 0; i < 300; i++)
        send_packed(pack(i + 1), false);
    for (unsigned i = 0; i < 300; i++)
        EXPECT(slice_eq(read_packed(), slice_make(plain, i + 1)));
    memcpy(plain, "bye", 3);
    send_packed(pack(3), false);
    EXPECT_SLICE(read_packed(), SLICE("last"));
    EXPECT(ws_read(&peer, &frame));
    EXPECT_EQ(frame_close_code(&frame), 1000);
    EXPECT(ws_send(&peer, 8, true, SLICE("")));
    EXPECT(peer_is_at_end(&peer));
    finish();
}

TEST(bounds_what_inflates)
{
    open_deflating(4096);
    memset(plain, 'x', MESSAGE_MAX);
    send_packed(pack(MESSAGE_MAX), false);
    EXPECT(ws_read(&peer, &frame));
    EXPECT_EQ(frame_close_code(&frame), 1009);
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT_EQ(server.messages, 0);
    EXPECT_EQ(server_counters(&server).too_big, 1);
    finish();
}
