/* proxy_test.c -- the PROXY protocol: headers by the octet, and connections behind a proxy.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cert.h"
#include "net/proxy.h"
#include "peer.h"
#include "server.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#define MARK "\r\n\r\n\0\r\nQUIT\n"
#define V4   "\xc0\x00\x02\x07\xc0\x00\x02\x01\x12\x34\x01\xbb"
#define V6                                                                                         \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x34" \
    "\x01\xbb"

#define HEADER(text, peer)             \
    {                                  \
        {text, sizeof(text) - 1}, peer \
    }

#define BYTES(text)            \
    {                          \
        text, sizeof(text) - 1 \
    }

static struct server server;
static struct frame frame;

static const struct {
    struct slice octets;
    const char *peer; /* NULL: that of the socket */
} good[] = {
    HEADER("PROXY TCP4 192.0.2.7 192.0.2.1 4660 443\r\n", "tcp4:192.0.2.7:4660"),
    HEADER("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "tcp4:0.0.0.0:0"),
    HEADER("PROXY TCP6 2001:db8::7 2001:db8::1 65535 443\r\n", "tcp6:[2001:db8::7]:65535"),
    HEADER("PROXY UNKNOWN\r\n", NULL),
    HEADER("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
           NULL),
    HEADER(MARK "\x21\x11\0\x0c" V4, "tcp4:192.0.2.7:4660"),
    HEADER(MARK "\x21\x11\0\x10" V4 "\x04\0\x01\0", "tcp4:192.0.2.7:4660"),
    HEADER(MARK "\x21\x21\0\x24" V6, "tcp6:[2001:db8::7]:4660"),
    HEADER(MARK "\x21\0\0\0", NULL),
    HEADER(MARK "\x20\0\0\0", NULL),
    HEADER(MARK "\x20\x11\0\x0c" V4, NULL),
};

static const struct slice bad[] = {
    BYTES("GET / HTTP/1.1\r\n\r\n"),
    BYTES("\x7f\xf2\0\0"),
    BYTES("PROXY TCP4 192.0.2.7 192.0.2.1 4660 443\n"),
    BYTES("PROXY TCP4  192.0.2.7 192.0.2.1 4660 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.7 192.0.2.1 4660 443 \r\n"),
    BYTES("PROXY TCP4 192.0.2.7 192.0.2.1 4660\r\n"),
    BYTES("PROXY TCP4 192.0.2.7 192.0.2.1 65536 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.7 192.0.2.1 -1 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.7 192.0.2.1 01 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.7 192.0.2.1  443\r\n"),
    BYTES("PROXY TCP4 192.0.2.256 192.0.2.1 1 443\r\n"),
    BYTES("PROXY TCP4 2001:db8::7 2001:db8::1 1 443\r\n"),
    BYTES("PROXY TCP6 192.0.2.7 192.0.2.1 1 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.7\0 192.0.2.1 1 443\r\n"),
    BYTES("PROXY UDP4 192.0.2.7 192.0.2.1 1 443\r\n"),
    BYTES("PROXY UNKNOWNS\r\n"),
    BYTES("PROXY \r\n"),
    BYTES("PROXY UNKNOWN ........................................................................."
          "......................................................................\r\n"),
    BYTES(MARK "\x11\x11\0\x0c" V4),
    BYTES(MARK "\x22\x11\0\x0c" V4),
    BYTES(MARK "\x21\x11\0\x0b" V4),
    BYTES(MARK "\x21\x21\0\x0c" V4),
    BYTES(MARK "\x21\x12\0\x0c" V4),
    BYTES(MARK "\x21\x31\0\0"),
    BYTES(MARK "\x21\x11\xff\xff" V4),
};

TEST(every_header_is_read_and_every_part_of_it_is_not_enough)
{
    for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
        const unsigned char *data = (const unsigned char *)good[i].octets.data;
        struct sockaddr_storage from;
        size_t len = 0;

        for (size_t part = 1; part < good[i].octets.len; part++)
            EXPECT_EQ(proxy_read(data, part, &from, &len), PROXY_MORE);
        EXPECT_EQ(proxy_read(data, good[i].octets.len, &from, &len), PROXY_DONE);
        EXPECT_EQ(len, good[i].octets.len);
        EXPECT_EQ(from.ss_family == AF_UNSPEC, good[i].peer == NULL);
    }
}

TEST(what_is_no_header_is_refused)
{
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct sockaddr_storage from;
        size_t len = 0;

        EXPECT_EQ(proxy_read((const unsigned char *)bad[i].data, bad[i].len, &from, &len),
                  PROXY_BAD);
    }
}

/* Headers with octets changed and cut off, in memory that ends where they do. */
TEST(damaged_headers_do_no_harm)
{
    unsigned seed = 1;

    for (unsigned i = 0; i < 50000; i++) {
        struct slice header = good[i % ARRAY_LEN(good)].octets;
        size_t len = 1 + (size_t)rand_r(&seed) % header.len, header_len = 0;
        unsigned char *data = malloc(len);
        struct sockaddr_storage from;

        memcpy(data, header.data, len);
        for (unsigned j = 0; j < i % 4; j++)
            data[(size_t)rand_r(&seed) % len] = (unsigned char)rand_r(&seed);
        if (proxy_read(data, len, &from, &header_len) == PROXY_DONE)
            EXPECT(header_len <= len);
        free(data);
    }
}

static bool has(const char *text, const char *address)
{
    unsigned char octets[16] = {[10] = 0xff, [11] = 0xff};
    struct proxy_range range;

    EXPECT(proxy_range_read(&range, text));
    if (inet_pton(AF_INET, address, octets + 12) != 1)
        EXPECT_EQ(inet_pton(AF_INET6, address, octets), 1);
    return proxy_range_has(&range, octets);
}

TEST(ranges)
{
    static const char *const wrong[] = {"",
                                        "a",
                                        "10.0.0",
                                        "10.0.0.0/",
                                        "10.0.0.0/33",
                                        "::/129",
                                        "10.0.0.0/8x",
                                        "10.0.0.0/-1",
                                        "10.0.0.0/0008",
                                        "/8",
                                        "10.0.0.0/8/8",
                                        " 10.0.0.1"};
    struct proxy_range range;

    EXPECT(has("10.0.0.0/8", "10.255.1.2") && !has("10.0.0.0/8", "11.0.0.0"));
    EXPECT(has("192.0.2.128/25", "192.0.2.129") && !has("192.0.2.128/25", "192.0.2.127"));
    EXPECT(has("127.0.0.1", "127.0.0.1") && !has("127.0.0.1", "127.0.0.2"));
    EXPECT(has("0.0.0.0/0", "1.2.3.4") && !has("0.0.0.0/0", "2001:db8::1"));
    EXPECT(has("2001:db8::/33", "2001:db8:7fff::") && !has("2001:db8::/33", "2001:db8:8000::"));
    EXPECT(has("::/0", "2001:db8::1") && has("::/0", "1.2.3.4"));
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++)
        EXPECT(!proxy_range_read(&range, wrong[i]));
}

static struct server_options behind(const char *const *proxies)
{
    struct server_options options = server_defaults();

    options.listener.proxies = proxies;
    return options;
}

static const char *const local[] = {"10.0.0.0/8", "127.0.0.0/8", NULL};

/* Sends a header, then a RawSocket handshake; true when a message is echoed. */
static bool talks(struct peer *peer, struct slice header, bool in_parts)
{
    unsigned char answer[4];

    if (!peer_open(peer, "127.0.0.1", server.port, false))
        return false;
    for (size_t i = 0; in_parts && i < header.len; i++) {
        if (!peer_write(peer, header.data + i, 1))
            return false;
        usleep(200);
    }
    if (!in_parts && !peer_write(peer, header.data, header.len))
        return false;
    return peer_write(peer, "\x7f\xf2\0\0", 4) && peer_read(peer, answer, 4) == 4 &&
           raw_send(peer, 0, SLICE("hello")) && raw_read(peer, &frame);
}

TEST(the_address_in_the_header_is_the_peer)
{
    struct server_options options = behind(local);
    struct peer peer;

    server_start(&server, &options);
    EXPECT_EQ(server.err, 0);
    for (unsigned i = 0; i < 2 * ARRAY_LEN(good); i++) {
        EXPECT(talks(&peer, good[i / 2].octets, i % 2 == 1));
        if (good[i / 2].peer != NULL)
            EXPECT_STR(server.last_peer, good[i / 2].peer);
        else
            EXPECT(strncmp(server.last_peer, "tcp4:127.0.0.1:", 15) == 0);
        peer_close(&peer);
    }
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        EXPECT(!talks(&peer, bad[i], false));
        peer_close(&peer);
    }
    EXPECT(!talks(&peer, SLICE(""), false)); /* without a header */
    peer_close(&peer);
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    EXPECT(peer_write(&peer, "PROXY T", 7));
    server_stop(&server); /* with half a header */
    peer_close(&peer);
}

TEST(others_are_not_believed)
{
    static const char *const elsewhere[] = {"10.0.0.0/8", "::1", NULL};
    struct server_options options = behind(elsewhere);
    struct peer peer;

    server_start(&server, &options);
    /* Whether lws passes a first line on that is neither HTTP nor RawSocket depends on how its octets
     * arrive; whose address counts does not. */
    server.last_peer[0] = '\0';
    (void)talks(&peer, good[0].octets, false);
    peer_close(&peer);
    EXPECT(strncmp(server.last_peer, "tcp4:127.0.0.1:", 15) == 0 || server.last_peer[0] == '\0');
    EXPECT(talks(&peer, SLICE(""), false));
    EXPECT(strncmp(server.last_peer, "tcp4:127.0.0.1:", 15) == 0);
    peer_close(&peer);
    server_stop(&server);
}

TEST(bounds_are_for_those_behind_the_proxy)
{
    struct server_options options = behind(local);
    static struct peer one, same, other, next;
    uint64_t began;

    options.limits.max_connections_per_address = 1;
    options.limits.handshake_timeout_ms = 300;
    server_start(&server, &options);
    EXPECT(talks(&one, good[0].octets, false));
    EXPECT(!talks(&same, good[5].octets, false)); /* the same address, in version 2 */
    EXPECT(talks(&other, good[2].octets, false));
    EXPECT_EQ(server_counters(&server).refused_address, 1);
    peer_close(&same);
    /* who has one address of a network has them all */
    EXPECT(!talks(&same, SLICE("PROXY TCP6 2001:db8::dead:8 2001:db8::1 1 443\r\n"), false));
    EXPECT_EQ(server_counters(&server).refused_address, 2);
    EXPECT(talks(&next, SLICE("PROXY TCP6 2001:db8:0:1::7 2001:db8::1 1 443\r\n"), false));
    peer_close(&one);
    peer_close(&same);
    peer_close(&other);
    peer_close(&next);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT(talks(&one, good[0].octets, false));
    peer_close(&one);
    began = clock_ms();
    EXPECT(peer_open(&one, "127.0.0.1", server.port, false));
    EXPECT(peer_write(&one, "PROXY T", 7));
    EXPECT(peer_read(&one, frame.data, 1) == 0 && clock_ms() - began < 5000);
    peer_close(&one);
    server_stop(&server);
}

TEST(tls_comes_after_the_header)
{
    char dir[] = "/tmp/nexus-net-proxy-XXXXXX", cert[64], key[64];
    const enum tls_mode modes[] = {TLS_ON, TLS_AUTO};

    EXPECT(mkdtemp(dir) != NULL);
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    cert_write(cert, key);
    for (unsigned i = 0; i < 3; i++) {
        struct server_options options = behind(local);
        struct peer peer;

        options.listener.tls = modes[i != 0];
        options.listener.tls_cert = cert;
        options.listener.tls_key = key;
        server_start(&server, &options);
        if (i == 2) {
            EXPECT(talks(&peer, good[0].octets, false));
        } else {
            unsigned char answer[4];

            EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
            EXPECT(peer_write(&peer, good[0].octets.data, good[0].octets.len));
            EXPECT(peer_start_tls(&peer) && peer_write(&peer, "\x7f\xf2\0\0", 4));
            EXPECT_EQ(peer_read(&peer, answer, 4), 4);
            EXPECT(raw_send(&peer, 0, SLICE("hello")) && raw_read(&peer, &frame));
        }
        EXPECT_STR(server.last_peer, good[0].peer);
        EXPECT_EQ(server.is_secure, i != 2);
        peer_close(&peer);
        server_stop(&server);
    }
    unlink(cert);
    unlink(key);
    rmdir(dir);
}

TEST(says_which_range_is_none)
{
    static const char *const wrong[] = {"127.0.0.1", "10.0.0.0/40", NULL};
    struct server_options options = behind(wrong);

    server_start(&server, &options);
    EXPECT_EQ(server.err, ERR_INVALID);
    EXPECT(strstr(server.words, "found \"10.0.0.0/40\"; allowed: addresses") != NULL);
    server_stop(&server);
}
