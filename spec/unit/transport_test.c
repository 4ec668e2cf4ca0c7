/* transport_test.c -- what of a peer counts as one address.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"
#include "wire/transport.h"

TEST(addresses_are_networks)
{
    static const struct {
        const char *peer, *network;
    } rows[] = {
        {"tcp4:192.0.2.1:5678", "192.0.2.1"},
        {"tcp4:192.0.2.1:1", "192.0.2.1"},
        {"tcp4:255.255.255.255:65535", "255.255.255.255"},
        {"tcp6:[2001:db8:1:2:3:4:5:6]:5678", "2001:db8:1:2"},
        {"tcp6:[2001:db8:1:2:ffff::]:80", "2001:db8:1:2"},
        {"tcp6:[2001:db8::7]:80", "2001:db8:0:0"},
        {"tcp6:[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "ffff:ffff:ffff:ffff"},
        {"tcp6:[::1]:80", "0:0:0:0"},
        {"tcp6:[fe80::1%eth0]:80", "fe80:0:0:0"},
        {"tcp6:[nonsense]:80", NULL},
        {"tcp6:[::ffff:255.255.255.255.255.255.255.255.255.255]:80", NULL},
        {"tcp6:2001:db8::7", NULL},
        {"tcp4:nonsense:80", NULL},
        {"tcp4:", NULL},
        {":", NULL},
        {"unix:/tmp/x.sock", NULL},
        {"local", NULL},
        {"", NULL},
    };
    char network[TRANSPORT_NETWORK_LEN];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool is_there = transport_network(slice_of(rows[i].peer), network);

        EXPECT_EQ(is_there, rows[i].network != NULL);
        if (is_there)
            EXPECT_STR(network, rows[i].network);
    }
}
