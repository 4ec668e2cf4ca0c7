/* forwarded_test.c -- X-Forwarded-For and Forwarded: the lists, and connections behind a proxy.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/forwarded.h"
#include "peer.h"
#include "server.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static struct server server;
static char head[4096];
static struct frame frame;

/* Ours: 10.0.0.0/8 and 2001:db8:1::/48. */
static struct proxy_range ours[2];

static void find_ours(void)
{
    EXPECT(proxy_range_read(&ours[0], "10.0.0.0/8"));
    EXPECT(proxy_range_read(&ours[1], "2001:db8:1::/48"));
}

/* "192.0.2.7:0", "nobody" or "bad". */
static const char *who(enum forwarded_header header, struct slice text)
{
    static char words[96];
    char host[INET6_ADDRSTRLEN] = "";
    struct sockaddr_storage from = {0};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    char *copy = malloc(text.len + 1); /* memory that ends where the text does */
    enum forwarded_result result;

    memcpy(copy, text.data, text.len);
    result = forwarded_read(header, slice_make(copy, text.len), ours, 2, &from);
    free(copy);
    if (result != FORWARDED_FOUND)
        return result == FORWARDED_BAD ? "bad" : "nobody";
    if (from.ss_family == AF_INET) {
        memcpy(&v4, &from, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
        (void)snprintf(words, sizeof words, "%s:%u", host, ntohs(v4.sin_port));
        return words;
    }
    memcpy(&v6, &from, sizeof v6);
    inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
    (void)snprintf(words, sizeof words, "[%s]:%u", host, ntohs(v6.sin6_port));
    return words;
}

struct list_case {
    const char *text, *who;
};

static void check(enum forwarded_header header, const struct list_case *cases, size_t count)
{
    find_ours();
    for (size_t i = 0; i < count; i++) {
        const char *found = who(header, slice_of(cases[i].text));

        if (strcmp(found, cases[i].who) != 0)
            UNIT_FAIL("%s: expected %s, found %s", cases[i].text, cases[i].who, found);
    }
}

TEST(x_forwarded_for)
{
    static const struct list_case cases[] = {
        {"", "nobody"},
        {"192.0.2.7", "192.0.2.7:0"},
        {" 192.0.2.7\t", "192.0.2.7:0"},
        {"192.0.2.7:4711", "192.0.2.7:4711"},
        {"2001:db8::7", "[2001:db8::7]:0"},
        {"[2001:db8::7]", "[2001:db8::7]:0"},
        {"[2001:db8::7]:4711", "[2001:db8::7]:4711"},
        {"::ffff:192.0.2.7", "[::ffff:192.0.2.7]:0"},
        /* What stands left of the last one that is not ours, anybody may have written. */
        {"127.0.0.1, 192.0.2.7", "192.0.2.7:0"},
        {"garbage \xff,192.0.2.7", "192.0.2.7:0"},
        {"192.0.2.9, 192.0.2.7, 10.1.2.3", "192.0.2.7:0"},
        {"192.0.2.9,192.0.2.7,10.1.2.3,2001:db8:1::5,10.0.0.1", "192.0.2.7:0"},
        {"192.0.2.9, ::ffff:10.1.2.3", "192.0.2.9:0"},
        /* All are ours: the client is within our house. */
        {"10.0.0.5", "10.0.0.5:0"},
        {"10.0.0.5, 10.0.0.6", "10.0.0.5:0"},
        /* Nobody is named. */
        {"unknown", "nobody"},
        {"Unknown:123", "nobody"},
        {"192.0.2.7, unknown", "nobody"},
        {"192.0.2.7, ", "nobody"},
        {",", "nobody"},
        {"_hidden", "nobody"},
        {"unknown, 10.0.0.5", "10.0.0.5:0"},
        {"unknown, 192.0.2.7", "192.0.2.7:0"},
        /* Ours wrote what is no address. */
        {"example.com", "bad"},
        {"192.0.2.7, example.com", "bad"},
        {"192.0.2.7, bad, 10.0.0.1", "bad"},
        {"192.0.2.256", "bad"},
        {"192.0.2.7:", "bad"},
        {"192.0.2.7:65536", "bad"},
        {"192.0.2.7:-1", "bad"},
        {"192.0.2.7:000001", "bad"},
        {"[2001:db8::7", "bad"},
        {"2001:db8::7]", "bad"},
        {"[2001:db8::7]4711", "bad"},
        {"[2001:db8::7]:", "bad"},
        {"[192.0.2.7]", "bad"},
        {"2001:db8:::7", "bad"},
        {"192.0.2.7 192.0.2.8", "bad"},
        {"fe80::1%eth0", "bad"},
        {"\"192.0.2.7\"", "bad"},
        {"unknowns", "bad"},
        {"[]", "bad"},
        {":", "bad"},
    };

    check(FORWARDED_X_FOR, cases, ARRAY_LEN(cases));
    EXPECT_STR(who(FORWARDED_X_FOR, SLICE("192.0.2.7\0")), "bad");
}

TEST(forwarded)
{
    static const struct list_case cases[] = {
        {"", "nobody"},
        {"for=192.0.2.7", "192.0.2.7:0"},
        {"For=192.0.2.7;proto=https;by=203.0.113.43", "192.0.2.7:0"},
        {"proto=https; for=\"192.0.2.7:4711\"", "192.0.2.7:4711"},
        {"for=\"[2001:db8::7]\"", "[2001:db8::7]:0"},
        {"for=\"[2001:DB8::7]:4711\";host=example.com", "[2001:db8::7]:4711"},
        {"for=\"19\\2.0.2.7\"", "192.0.2.7:0"},
        {"for=192.0.2.7:80", "192.0.2.7:80"}, /* should have quotes, and often has not */
        {"for=1.1.1.1, for=192.0.2.7 , for=10.0.0.1", "192.0.2.7:0"},
        {"for=\"a, for=1.1.1.1\", for=192.0.2.7", "192.0.2.7:0"},
        {"for=;, for=192.0.2.7", "bad"},
        {"for=\"1.1.1.1, for=192.0.2.7", "bad"},
        {"for=unknown", "nobody"},
        {"for=_SEVKISEK", "nobody"},
        {"for=\"_gazonk\"", "nobody"},
        {"for=\"unknown:_x\"", "nobody"},
        {"for=192.0.2.7, proto=https", "nobody"}, /* a hop that does not say whom it saw */
        {"for=192.0.2.7,", "nobody"},
        {"for=192.0.2.7, for=\"\"", "nobody"},
        {"secret=\"\\\"\"; for=192.0.2.7", "192.0.2.7:0"},
        {"for=example.com", "bad"},
        {"for", "bad"},
        {"for=", "bad"},
        {"=192.0.2.7", "bad"},
        {"for 192.0.2.7", "bad"},
        {"for = 192.0.2.7", "bad"},
        {"for=192.0.2.7 for=192.0.2.8", "bad"},
        {"for=192.0.2.7;for=192.0.2.8", "bad"},
        {"for=\"192.0.2.7\"x", "bad"},
        {"for=\"192.0.2.7\\", "bad"},
        {"192.0.2.7", "bad"},
        {"for=(192.0.2.7)", "bad"},
    };
    char text[300];

    check(FORWARDED_7239, cases, ARRAY_LEN(cases));
    (void)snprintf(text, sizeof text, "for=\"%0200d\"", 1);
    EXPECT_STR(who(FORWARDED_7239, slice_of(text)), "bad");
    (void)snprintf(text, sizeof text, "x%0200d=1;for=192.0.2.7", 1);
    EXPECT_STR(who(FORWARDED_7239, slice_of(text)), "192.0.2.7:0");
}

/* ---- connections ---- */

static const char *const local[] = {"10.0.0.0/8", "127.0.0.0/8", NULL};
static const char *const elsewhere[] = {"10.0.0.0/8", NULL};

static void start(const char *const *trusted, enum forwarded_header header, uint32_t per_address)
{
    struct server_options options = server_defaults();

    options.listener.trusted_proxies = trusted;
    options.listener.forwarded_header = header;
    options.limits.max_connections_per_address = per_address;
    server_start(&server, &options);
    EXPECT_EQ(server.err, 0);
    server.last_peer[0] = '\0';
}

/* The status of the answer; the connection stays open. */
static int upgrade(struct peer *peer, const char *headers)
{
    static char all[8000];

    if (!peer_open(peer, "127.0.0.1", server.port, false))
        return 0;
    (void)snprintf(all, sizeof all, "Sec-WebSocket-Version: 13\r\n%s", headers);
    return peer_upgrade(peer, "/", "wamp.2.json", all, head, sizeof head);
}

static void expect_peer(const char *headers, const char *expected)
{
    struct peer peer;

    EXPECT_EQ(upgrade(&peer, headers), 101);
    EXPECT(ws_send(&peer, 1, true, SLICE("hello")) && ws_read(&peer, &frame)); /* it is open */
    if (strncmp(server.last_peer, expected, strlen(expected)) != 0)
        UNIT_FAIL("%s: expected %s, found %s", headers, expected, server.last_peer);
    peer_close(&peer);
}

TEST(who_is_behind_the_proxy_is_the_peer)
{
    struct peer peer;

    start(local, FORWARDED_X_FOR, 0);
    expect_peer("X-Forwarded-For: 192.0.2.7\r\n", "tcp4:192.0.2.7:0");
    expect_peer("x-forwarded-for: 1.1.1.1, 2001:db8::7, 10.0.0.1\r\n", "tcp6:[2001:db8::7]:0");
    /* Lines with the same name are one list. */
    expect_peer("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 192.0.2.7\r\n", "tcp4:192.0.2.7:0");
    expect_peer("Forwarded: for=1.1.1.1\r\n", "tcp4:127.0.0.1:");
    expect_peer("", "tcp4:127.0.0.1:");
    expect_peer("X-Forwarded-For: unknown\r\n", "tcp4:127.0.0.1:");
    EXPECT_EQ(upgrade(&peer, "X-Forwarded-For: somebody\r\n"), 400);
    peer_close(&peer);
    server_stop(&server);

    start(local, FORWARDED_7239, 0);
    expect_peer("Forwarded: for=1.1.1.1, for=\"[2001:db8::7]:80\"\r\n", "tcp6:[2001:db8::7]:80");
    expect_peer("X-Forwarded-For: 1.1.1.1\r\n", "tcp4:127.0.0.1:");
    EXPECT_EQ(upgrade(&peer, "Forwarded: 192.0.2.7\r\n"), 400);
    peer_close(&peer);
    server_stop(&server);
}

/* A client cannot put its own line before that of the proxy. */
TEST(several_lines_are_one_list)
{
    static const char *const pieces[] = {"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n",
                                         "Connection: Upgrade\r\nSec-WebSocket-Key: ",
                                         "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r",
                                         "\nSec-WebSocket-Protocol: wamp.2.json\r\nForwar",
                                         "ded: for=1.1.1.1\r\nforwarded:for=192.0.2.7",
                                         "\r\n\r",
                                         "\n"};
    struct peer peer;

    start(local, FORWARDED_7239, 0);
    expect_peer("Forwarded: for=1.1.1.1\r\nFORWARDED:for=192.0.2.7\r\n", "tcp4:192.0.2.7:0");
    expect_peer("Forwarded: for=192.0.2.7\r\nX: y\r\nForwarded: for=10.0.0.1\r\n",
                "tcp4:192.0.2.7:0");
    expect_peer("Forwarded: for=192.0.2.7\r\nForwarded:\r\n", "tcp4:127.0.0.1:");
    expect_peer("Forwarded-For: 192.0.2.7\r\n", "tcp4:127.0.0.1:");
    EXPECT_EQ(upgrade(&peer, "Forwarded: for=192.0.2.7\r\nForwarded : for=1.1.1.1\r\n"), 400);
    peer_close(&peer);

    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        EXPECT(peer_write(&peer, pieces[i], strlen(pieces[i])));
        usleep(2000); /* so that they come one by one, mostly */
    }
    EXPECT_EQ(peer_http(&peer, "", head, sizeof head), 101);
    EXPECT(ws_send(&peer, 1, true, SLICE("hello")) && ws_read(&peer, &frame));
    EXPECT(strncmp(server.last_peer, "tcp4:192.0.2.7:0", 16) == 0);
    peer_close(&peer);
    server_stop(&server);
}

/* Nothing more comes, and that is not for want of patience. */
static bool is_over(struct peer *peer)
{
    char rest[1000];

    while (peer_read(peer, rest, sizeof rest) == sizeof rest)
        ;
    return peer->error != EAGAIN;
}

TEST(the_first_request_is_the_last_where_its_head_is_read)
{
    static const char one[] = "GET /status.json HTTP/1.1\r\nHost: x\r\n\r\n";
    struct peer peer;

    start(local, FORWARDED_7239, 0);
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    EXPECT_EQ(peer_http(&peer, one, head, sizeof head), 200);
    EXPECT(strstr(head, "Connection: close\r\n") != NULL);
    EXPECT(is_over(&peer));
    peer_close(&peer);
    server_stop(&server);
}

TEST(heads_that_never_end)
{
    static char much[9000];
    struct peer peer, raw;

    start(local, FORWARDED_7239, 0);
    EXPECT(peer_open_raw(&raw, "127.0.0.1", server.port, false)); /* is no request */
    peer_close(&raw);
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    EXPECT(peer_write(&peer, "GET / HTTP/1.1\r\nForwarded: ", 27));
    EXPECT_EQ(shutdown(peer.fd, SHUT_WR), 0); /* half a head, and no more */
    EXPECT(is_over(&peer));
    peer_close(&peer);
    memset(much, 'x', sizeof much);
    memcpy(much, "GET / HTTP/1.1\r\nX: ", 19);
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    (void)peer_write(&peer, much, sizeof much);
    EXPECT(is_over(&peer));
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    server_stop(&server);
}

/* What the lines `Forwarded` of a head say; read from the heap, where every byte too far is seen. */
static const char *lines_of(struct slice text)
{
    static char list[64 + 1];
    char *copy = malloc(text.len);
    size_t list_len = 0;
    bool is_good;

    memcpy(copy, text.data, text.len);
    is_good = forwarded_collect(slice_make(copy, text.len), list, 64, &list_len);
    list[list_len] = '\0';
    free(copy);
    return is_good ? list : "bad";
}

TEST(lines_of_a_head)
{
    char longest[200];

    EXPECT_EQ(forwarded_head_len(SLICE("")), 0);
    EXPECT_EQ(forwarded_head_len(SLICE("GET / HTTP/1.1\r\nX: y\r\n")), 0);
    EXPECT_EQ(forwarded_head_len(SLICE("GET / HTTP/1.1\r\nX: y\r\n\r")), 0);
    EXPECT_EQ(forwarded_head_len(SLICE("GET / HTTP/1.1\r\nX: y\r\n\r\nmore")), 24);
    EXPECT_EQ(forwarded_head_len(SLICE("GET /\n\nmore")), 7); /* as some write it */
    EXPECT_STR(lines_of(SLICE("GET /\r\n\r\n")), "");
    EXPECT_STR(lines_of(SLICE("GET /\r\nForwarded:a\r\nforwarded: b\n\r\n")), "a, b");
    EXPECT_STR(lines_of(SLICE("GET /\r\nX: Forwarded: a\r\n\r\n")), "");
    EXPECT_STR(lines_of(SLICE("GET /\r\nForwarded\r\n\r\n")), "");
    EXPECT_STR(lines_of(SLICE("GET /\r\nForwarded\t:a\r\n\r\n")), "bad");
    EXPECT_STR(lines_of(SLICE("GET /\r\nForwarded: a\r\n\tb\r\n\r\n")), "bad");
    EXPECT_STR(lines_of(SLICE("Forwarded: for=1\0\r\n\r\n")), "bad");
    (void)snprintf(longest, sizeof longest, "Forwarded:%063d\r\n\r\n", 1);
    EXPECT_EQ(strlen(lines_of(slice_of(longest))), 63);
    (void)snprintf(longest, sizeof longest, "Forwarded:%064d\r\n\r\n", 1);
    EXPECT_STR(lines_of(slice_of(longest)), "bad");
}

TEST(a_list_that_is_too_long_is_refused)
{
    static char headers[6000];
    struct peer peer;
    size_t len = 0;

    start(local, FORWARDED_X_FOR, 0);
    len += (size_t)snprintf(headers, sizeof headers, "X-Forwarded-For: ");
    while (len < 5000)
        len += (size_t)snprintf(headers + len, sizeof headers - len, "192.0.2.7,");
    (void)snprintf(headers + len, sizeof headers - len, "192.0.2.7\r\n");
    EXPECT_EQ(upgrade(&peer, headers), 400);
    peer_close(&peer);
    server_stop(&server);
}

TEST(others_are_not_believed)
{
    start(elsewhere, FORWARDED_X_FOR, 0);
    expect_peer("X-Forwarded-For: 192.0.2.7\r\n", "tcp4:127.0.0.1:");
    expect_peer("X-Forwarded-For: somebody\r\n", "tcp4:127.0.0.1:");
    server_stop(&server);
    start(NULL, FORWARDED_7239, 0);
    expect_peer("Forwarded: for=192.0.2.7\r\n", "tcp4:127.0.0.1:");
    server_stop(&server);
}

TEST(bounds_are_for_those_behind_the_proxy)
{
    static struct peer peers[4];
    struct peer raw;

    start(local, FORWARDED_X_FOR, 1);
    EXPECT_EQ(upgrade(&peers[0], "X-Forwarded-For: 192.0.2.7\r\n"), 101);
    EXPECT_EQ(upgrade(&peers[1], "X-Forwarded-For: 192.0.2.8\r\n"), 101);
    EXPECT_EQ(upgrade(&peers[2], "X-Forwarded-For: 192.0.2.7\r\n"), 503);
    /* The proxy itself is one as well, by whatever it speaks. */
    EXPECT(peer_open_raw(&raw, "127.0.0.1", server.port, false));
    EXPECT_EQ(upgrade(&peers[3], ""), 503);
    EXPECT_EQ(server_counters(&server).refused_address, 2);
    for (unsigned i = 0; i < 4; i++)
        peer_close(&peers[i]);
    peer_close(&raw);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT_EQ(upgrade(&peers[0], "X-Forwarded-For: 192.0.2.7\r\n"), 101);
    peer_close(&peers[0]);
    server_stop(&server);
}
