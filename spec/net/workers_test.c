/* workers_test.c -- two nets on two threads share a port.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peer.h"
#include "server.h"
#include "unit.h"

static struct server servers[2];
static struct frame frame;

static bool echoes(bool is_raw)
{
    struct peer peer;
    bool is_well = is_raw ? peer_open_raw(&peer, "127.0.0.1", servers[0].port, false)
                          : peer_open_ws(&peer, "127.0.0.1", servers[0].port, false, "wamp.2.cbor");

    is_well = is_well && peer_send(&peer, is_raw, SLICE("hello")) &&
              peer_read_frame(&peer, is_raw, &frame) &&
              slice_eq(frame_slice(&frame), SLICE("hello"));
    peer_close(&peer);
    return is_well;
}

TEST(both_accept)
{
    struct server_options options = server_defaults();
    char port[16];

    server_start(&servers[0], &options);
    EXPECT_EQ(servers[0].err, 0);
    snprintf(port, sizeof port, "%s", servers[0].port);
    options.listener.port = port;
    options.worker = 201;
    server_start(&servers[1], &options);
    EXPECT_EQ(servers[1].err, 0);
    for (unsigned i = 0; i < 200; i++)
        EXPECT(echoes(i % 2 == 0));
    EXPECT_EQ(servers[0].opens + servers[1].opens, 200);
    EXPECT(servers[0].opens > 0 && servers[1].opens > 0);
    EXPECT_EQ(net_worker_of(servers[0].last_id), 0);
    EXPECT_EQ(net_worker_of(servers[1].last_id), 201);
    server_stop(&servers[0]);
    for (unsigned i = 0; i < 20; i++)
        EXPECT(peer_open_raw(&(struct peer){0}, "127.0.0.1", port, false));
    server_stop(&servers[1]);
}
