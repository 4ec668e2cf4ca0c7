/* close_test.c -- nothing that was queued before net_close is lost, a thousand times.
 *
 * The client sends on after the command that makes the server close, so that there is input
 * which the server never takes: a careless close would reset the connection then and destroy
 * the last messages on their way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cert.h"
#include "peer.h"
#include "server.h"
#include "unit.h"

static struct server server;
static struct frame frame;
static char dir[] = "/tmp/nexus-net-close-XXXXXX", cert[64], key[64];

static bool closes_well(const char *host, const char *port, bool is_raw, bool use_tls)
{
    static char unread[3000];
    struct peer peer;
    bool is_well = is_raw ? peer_open_raw(&peer, host, port, use_tls)
                          : peer_open_ws(&peer, host, port, use_tls, "wamp.2.msgpack");

    for (unsigned i = 0; i < 3; i++)
        is_well = is_well && peer_send(&peer, is_raw, SLICE("message"));
    is_well = is_well && peer_send(&peer, is_raw, SLICE("bye"));
    for (unsigned i = 0; i < 20; i++)
        peer_send(&peer, is_raw, slice_make(unread, sizeof unread));
    for (unsigned i = 0; i < 3; i++)
        is_well = is_well && peer_read_frame(&peer, is_raw, &frame) &&
                  slice_eq(frame_slice(&frame), SLICE("message"));
    is_well = is_well && peer_read_frame(&peer, is_raw, &frame) &&
              slice_eq(frame_slice(&frame), SLICE("last"));
    if (!is_raw) {
        is_well = is_well && ws_read(&peer, &frame) && frame_close_code(&frame) == 1000;
        is_well = is_well && ws_send(&peer, 8, true, slice_make(frame.data, 2));
    }
    is_well = is_well && peer_is_at_end(&peer);
    peer_close(&peer);
    return is_well;
}

static void close_often(unsigned times, bool is_raw, bool use_tls, bool is_unix)
{
    struct server_options options = server_defaults();
    char path[64];
    unsigned well = 0;

    snprintf(path, sizeof path, "%s/socket", dir);
    if (use_tls) {
        options.listener.tls = TLS_ON;
        options.listener.tls_cert = cert;
        options.listener.tls_key = key;
    }
    if (is_unix)
        options.listener.unix_path = path;
    server_start(&server, &options);
    EXPECT_EQ(server.err, 0);
    for (unsigned i = 0; i < times; i++)
        well += closes_well(is_unix ? "unix" : "127.0.0.1", is_unix ? path : server.port, is_raw,
                            use_tls);
    EXPECT_EQ(well, times);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT_EQ(server.opens, times);
    EXPECT_EQ(server.closes, times);
    server_stop(&server);
}

static void make_dir(void)
{
    if (dir[sizeof dir - 2] == 'X' && mkdtemp(dir) != NULL) {
        snprintf(cert, sizeof cert, "%s/cert.pem", dir);
        snprintf(key, sizeof key, "%s/key.pem", dir);
        cert_write(cert, key);
    }
}

static void remove_dir(void)
{
    unlink(cert);
    unlink(key);
    rmdir(dir);
}

__attribute__((constructor)) static void prepare(void)
{
    make_dir();
    atexit(remove_dir);
}

TEST(websocket)
{
    close_often(1000, false, false, false);
}

TEST(rawsocket)
{
    close_often(1000, true, false, false);
}

TEST(websocket_tls)
{
    close_often(200, false, true, false);
}

TEST(rawsocket_tls)
{
    close_often(200, true, true, false);
}

TEST(rawsocket_unix)
{
    close_often(1000, true, false, true);
}

/* A megabyte that does not fit into the socket, then the close. */
static void send_much_and_close(struct server *with, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 100; i++)
        net_send(with->net, with->last_id, blob_new(100000), SEND_REPLY, 0);
    net_close(with->net, with->last_id, CLOSE_GOING_AWAY, NULL);
}

static void flush_much(bool is_raw, bool use_tls)
{
    struct server_options options = server_defaults();
    static struct peer peer;
    unsigned got = 0;

    if (use_tls) {
        options.listener.tls = TLS_ON;
        options.listener.tls_cert = cert;
        options.listener.tls_key = key;
    }
    server_start(&server, &options);
    EXPECT(is_raw ? peer_open_raw(&peer, "127.0.0.1", server.port, use_tls)
                  : peer_open_ws(&peer, "127.0.0.1", server.port, use_tls, "wamp.2.cbor"));
    EXPECT(peer_send(&peer, is_raw, SLICE("x")));
    EXPECT(peer_read_frame(&peer, is_raw, &frame));
    server_do(&server, send_much_and_close, NULL);
    while (got < 100 && peer_read_frame(&peer, is_raw, &frame))
        got += frame.len == 100000;
    EXPECT_EQ(got, 100);
    if (!is_raw) {
        EXPECT(ws_read(&peer, &frame));
        EXPECT_EQ(frame_close_code(&frame), 1001);
        EXPECT(ws_send(&peer, 8, true, SLICE("")));
    }
    EXPECT(peer_is_at_end(&peer));
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    server_stop(&server);
}

TEST(flushes_megabytes_websocket)
{
    flush_much(false, false);
}

TEST(flushes_megabytes_rawsocket)
{
    flush_much(true, false);
}

TEST(flushes_megabytes_websocket_tls)
{
    flush_much(false, true);
}

TEST(flushes_megabytes_rawsocket_tls)
{
    flush_much(true, true);
}
