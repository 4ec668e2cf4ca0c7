/* ws_test.c -- WebSocket and HTTP as a client sees them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peer.h"
#include "server.h"
#include "unit.h"

static struct server server;
static struct peer peer;
static struct frame frame;
static char head[4096];

static void start(void)
{
    struct server_options options = server_defaults();

    server_start(&server, &options);
    EXPECT_EQ(server.err, 0);
}

static unsigned opens_before;

static bool is_opened(struct server *with)
{
    return with->opens > opens_before;
}

static int upgrade(const char *path, const char *protocols, const char *headers)
{
    int status = 0;

    opens_before = server.opens;
    if (peer_open(&peer, "127.0.0.1", server.port, false))
        status = peer_upgrade(&peer, path, protocols, headers, head, sizeof head);
    if (status == 101)
        EXPECT(server_wait(&server, is_opened)); /* the answer is written before on_open */
    peer_close(&peer);
    return status;
}

TEST(echoes_messages_of_all_lengths)
{
    static const size_t lens[] = {0, 1, 125, 126, 127, 1000, 65535, 65536, 70000, 131000};
    char *payload = malloc(131072);

    memset(payload, 'x', 131072);
    start();
    EXPECT(peer_open_ws(&peer, "127.0.0.1", server.port, false, "wamp.2.msgpack"));
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        EXPECT(ws_send(&peer, 2, true, slice_make(payload, lens[i])));
        EXPECT(ws_read(&peer, &frame));
        EXPECT_EQ(frame.opcode, 2);
        EXPECT_SLICE(frame_slice(&frame), slice_make(payload, lens[i]));
    }
    EXPECT_STR(server.last_protocol, "wamp.2.msgpack");
    EXPECT(strncmp(server.last_peer, "tcp4:127.0.0.1:", 15) == 0);
    peer_close(&peer);
    server_stop(&server);
    free(payload);
}

TEST(joins_fragments_and_answers_pings_between_them)
{
    start();
    EXPECT(peer_open_ws(&peer, "127.0.0.1", server.port, false, "wamp.2.json"));
    EXPECT(ws_send(&peer, 1, false, SLICE("a")));
    EXPECT(ws_send(&peer, 9, true, SLICE("ping")));
    EXPECT(ws_send(&peer, 0, false, SLICE("")));
    EXPECT(ws_send(&peer, 0, false, SLICE("b")));
    EXPECT(ws_send(&peer, 0, true, SLICE("c")));
    for (unsigned i = 0; i < 2; i++) {
        EXPECT(ws_read(&peer, &frame));
        EXPECT(frame.opcode == 1 || frame.opcode == 10);
        if (frame.opcode == 1)
            EXPECT_SLICE(frame_slice(&frame), SLICE("abc"));
        else
            EXPECT_SLICE(frame_slice(&frame), SLICE("ping"));
    }
    peer_close(&peer);
    server_stop(&server);
}

TEST(takes_the_first_subprotocol_of_the_client_that_it_speaks)
{
    static const struct {
        const char *offer, *chosen;
    } cases[] = {
        {"wamp.2.json", "wamp.2.json"},
        {"wamp.2.msgpack,wamp.2.json", "wamp.2.msgpack"},
        {"wamp.2.json, wamp.2.msgpack", "wamp.2.json"},
        {"chat , wamp.2.cbor", "wamp.2.cbor"},
        {"wamp.2.ubjson,wamp.2.flatbuffers,wamp.2.cbor,wamp.2.json", "wamp.2.cbor"},
        {"plain http, wamp.2.json", NULL}, /* a space inside a token is not HTTP */
        {"wamp.2.JSON", NULL},
        {"wamp.2.json.batched", NULL},
        {"chat", NULL},
        {NULL, NULL},
        {"wamp.2.cbor.batched,wamp.2.cbor,wamp.2.msgpack.batched,wamp.2.msgpack,"
         "wamp.2.ubjson.batched,wamp.2.ubjson,wamp.2.json.batched,wamp.2.json",
         "wamp.2.cbor"},
    };

    start();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char want[64] = "";
        int status = upgrade("/ws", cases[i].offer, NULL);

        if (cases[i].chosen == NULL) {
            EXPECT(status == 400 || i == 5);
            continue;
        }
        EXPECT_EQ(status, 101);
        snprintf(want, sizeof want, "\r\nSec-WebSocket-Protocol: %s\r\n", cases[i].chosen);
        EXPECT(strstr(head, want) != NULL);
        EXPECT_STR(server.last_protocol, cases[i].chosen);
    }
    server_stop(&server);
}

TEST(offers_only_the_serializers_of_the_listener)
{
    struct server_options options = server_defaults();

    options.listener.codecs = 1u << CODEC_CBOR;
    server_start(&server, &options);
    EXPECT_EQ(upgrade("/", "wamp.2.json,wamp.2.cbor", NULL), 101);
    EXPECT(strstr(head, "Protocol: wamp.2.cbor\r\n") != NULL);
    EXPECT_EQ(upgrade("/", "wamp.2.json", NULL), 400);
    server_stop(&server);
}

TEST(judges_path_version_and_origin)
{
    static const char *const origins[] = {"https://good.example", NULL};
    struct server_options options = server_defaults();

    options.listener.origins = origins;
    server_start(&server, &options);
    EXPECT_EQ(upgrade("/", "wamp.2.json", NULL), 101);
    EXPECT_EQ(upgrade("/ws?x=1", "wamp.2.json", NULL), 101);
    EXPECT_EQ(upgrade("/other", "wamp.2.json", NULL), 404);
    EXPECT_EQ(upgrade("/", "wamp.2.json", "Sec-WebSocket-Version: 8\r\n"), 426);
    EXPECT(strstr(head, "Sec-WebSocket-Version: 13\r\n") != NULL);
    EXPECT_EQ(upgrade("/", "wamp.2.json",
                      "Sec-WebSocket-Version: 13\r\nOrigin: https://good.example\r\n"),
              101);
    EXPECT_EQ(upgrade("/", "wamp.2.json",
                      "Sec-WebSocket-Version: 13\r\nOrigin: https://evil.example\r\n"),
              403);
    server_stop(&server);
}

TEST(sets_a_cookie_once)
{
    struct server_options options = server_defaults();
    const char *cookie;
    char value[44] = "", header[128];

    options.listener.cookie_name = "cbtid";
    options.listener.cookie_max_age_s = 600;
    server_start(&server, &options);
    EXPECT_EQ(upgrade("/", "wamp.2.json", NULL), 101);
    cookie = strstr(head, "\r\nSet-Cookie: cbtid=");
    EXPECT(cookie != NULL);
    if (cookie != NULL) {
        memcpy(value, cookie + 20, 43);
        EXPECT(strncmp(cookie + 63, "; Max-Age=600; Path=/; HttpOnly; SameSite=Lax\r\n", 47) == 0);
    }
    EXPECT_EQ(strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              43);
    EXPECT_STR(server.last_cookie, value);
    EXPECT(server.is_last_cookie_new);
    snprintf(header, sizeof header, "Sec-WebSocket-Version: 13\r\nCookie: a=b; cbtid=%s; c=d\r\n",
             value);
    server.knows_cookies = true;
    EXPECT_EQ(upgrade("/", "wamp.2.json", header), 101);
    EXPECT(strstr(head, "Set-Cookie") == NULL);
    EXPECT_STR(server.last_cookie, value);
    EXPECT(!server.is_last_cookie_new);
    server.knows_cookies = false; /* it stands for nobody (any more) */
    EXPECT_EQ(upgrade("/", "wamp.2.json", header), 101);
    EXPECT(strstr(head, "Set-Cookie") != NULL && strcmp(server.last_cookie, value) != 0);
    EXPECT(server.is_last_cookie_new);
    server.knows_cookies = true;
    EXPECT_EQ(upgrade("/", "wamp.2.json", "Sec-WebSocket-Version: 13\r\nCookie: cbtid=forged\r\n"),
              101);
    EXPECT(strstr(head, "Set-Cookie") != NULL);
    server_stop(&server);
}

/* What browsers and other clients offer. None is taken up, and messages pass as they are. */
TEST(takes_up_no_extension)
{
    static const char *const offers[] = {
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
        ("permessage-deflate; server_max_window_bits=10; client_max_window_bits=10, "
         "permessage-deflate"),
        "x-webkit-deflate-frame, permessage-bzip2, deflate-stream",
    };
    char headers[256];

    start();
    for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
        snprintf(headers, sizeof headers,
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: %s\r\n", offers[i]);
        EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
        EXPECT_EQ(peer_upgrade(&peer, "/", "wamp.2.json", headers, head, sizeof head), 101);
        EXPECT(strcasestr(head, "Sec-WebSocket-Extensions") == NULL);
        EXPECT(ws_send(&peer, 1, true, SLICE("[\"plain\"]")));
        EXPECT(ws_read(&peer, &frame));
        EXPECT_EQ(frame.opcode, 1);
        EXPECT_SLICE(frame_slice(&frame), SLICE("[\"plain\"]"));
        peer_close(&peer);
    }
    server_stop(&server);
}

/* Lengths around those of buffers, ours and those of lws, are not special. */
TEST(echoes_json_of_every_length)
{
    static char text[12000];

    memset(text, 'x', sizeof text);
    memcpy(text, "[\"", 2);
    start();
    EXPECT(peer_open_ws(&peer, "127.0.0.1", server.port, false, "wamp.2.json"));
    for (size_t len = 900; len <= sizeof text; len++) {
        bool is_fine;

        memcpy(text + len - 2, "\"]", 2);
        is_fine = ws_send(&peer, 1, true, slice_make(text, len)) && ws_read(&peer, &frame) &&
                  frame.opcode == 1 && slice_eq(frame_slice(&frame), slice_make(text, len));
        EXPECT(is_fine);
        if (!is_fine)
            break;
        memcpy(text + len - 2, "xx", 2);
    }
    peer_close(&peer);
    server_stop(&server);
}

static void expect_failure(const char *protocol, unsigned opcode, struct slice payload,
                           unsigned code)
{
    EXPECT(peer_open_ws(&peer, "127.0.0.1", server.port, false, protocol));
    EXPECT(ws_send(&peer, opcode, true, payload));
    EXPECT(ws_read(&peer, &frame));
    EXPECT_EQ(frame_close_code(&frame), code);
    EXPECT(ws_send(&peer, 8, true, slice_make(frame.data, 2)));
    EXPECT(peer_is_at_end(&peer));
    peer_close(&peer);
}

TEST(fails_connections_with_the_right_code)
{
    struct server_options options = server_defaults();
    char *big = malloc(4097);

    memset(big, 'x', 4097);
    options.limits.max_message_len = 4096;
    server_start(&server, &options);
    expect_failure("wamp.2.json", 2, SLICE("[]"), 1003);
    expect_failure("wamp.2.cbor", 1, SLICE("x"), 1003);
    expect_failure("wamp.2.json", 1, SLICE("\xff\xfe"), 1007);
    expect_failure("wamp.2.json", 1, SLICE("ab\xc3"), 1007);
    expect_failure("wamp.2.json", 1, slice_make(big, 4097), 1009);
    expect_failure("wamp.2.json", 3, SLICE(""), 1002);
    EXPECT_EQ(server.messages, 0);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT_EQ(server_counters(&server).too_big, 1);
    server_stop(&server);
    free(big);
}

/* RSV1 marks what is compressed. After its close frame lws takes its time to hang up. */
TEST(fails_connections_that_use_reserved_bits)
{
    static const struct {
        const char *protocol;
        unsigned first;
    } cases[] = {
        {"wamp.2.json", 0x41}, {"wamp.2.cbor", 0x42}, {"wamp.2.json", 0x21},
        {"wamp.2.json", 0x11}, {"wamp.2.json", 0x71}, {"wamp.2.json", 0x49},
    };

    start();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        EXPECT(peer_open_ws(&peer, "127.0.0.1", server.port, false, cases[i].protocol));
        EXPECT(ws_send(&peer, cases[i].first, true, SLICE("\x8a\x56\x8a\x05")));
        EXPECT(ws_read(&peer, &frame));
        EXPECT_EQ(frame_close_code(&frame), 1002);
        peer_close(&peer);
    }
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT_EQ(server.messages, 0);
    server_stop(&server);
}

TEST(bounds_fragments_together)
{
    struct server_options options = server_defaults();
    char *part = malloc(3000);

    memset(part, 'x', 3000);
    options.limits.max_message_len = 4096;
    server_start(&server, &options);
    EXPECT(peer_open_ws(&peer, "127.0.0.1", server.port, false, "wamp.2.cbor"));
    EXPECT(ws_send(&peer, 2, false, slice_make(part, 3000)));
    EXPECT(ws_send(&peer, 0, false, slice_make(part, 3000)));
    EXPECT(ws_read(&peer, &frame));
    EXPECT_EQ(frame_close_code(&frame), 1009);
    peer_close(&peer);
    server_stop(&server);
    free(part);
}

TEST(answers_the_close_of_the_peer)
{
    start();
    EXPECT(peer_open_ws(&peer, "127.0.0.1", server.port, false, "wamp.2.json"));
    EXPECT(ws_send(&peer, 1, true, SLICE("[1]")));
    EXPECT(ws_send(&peer, 8, true, SLICE("\x0b\xb8gone")));
    EXPECT(ws_read(&peer, &frame));
    EXPECT_SLICE(frame_slice(&frame), SLICE("[1]"));
    EXPECT(ws_read(&peer, &frame));
    EXPECT_EQ(frame_close_code(&frame), 3000);
    EXPECT(peer_is_at_end(&peer));
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    EXPECT_EQ(server.closes, 1);
    server_stop(&server);
}

static int http(const char *request)
{
    return peer_http(&peer, request, head, sizeof head);
}

TEST(serves_a_status_page_and_little_else)
{
    char body[64];

    start();
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    EXPECT_EQ(http("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    EXPECT(strstr(head, "Content-Type: text/html") != NULL);
    EXPECT_EQ(peer_read(&peer, body, 9), 9);
    EXPECT_SLICE(slice_make(body, 9), SLICE("<p>ok</p>"));
    EXPECT_EQ(http("GET /status.json?x=y HTTP/1.1\r\nHost: a\r\n\r\n"), 200); /* kept alive */
    EXPECT_EQ(peer_read(&peer, body, 11), 11);
    EXPECT_SLICE(slice_make(body, 11), SLICE("{\"ok\":true}"));
    EXPECT_EQ(http("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
    EXPECT_EQ(peer_read(&peer, body, 13), 13);
    EXPECT_EQ(http("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"), 404); /* where none are served */
    EXPECT_EQ(peer_read(&peer, body, 13), 13);
    EXPECT_EQ(http("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n"), 405);
    EXPECT(strstr(head, "Allow: GET\r\n") != NULL);
    peer_close(&peer);
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    EXPECT_EQ(http("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"), 405);
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    server_stop(&server);
}

/* lws would look for the body for ever. Two requests in one piece are what makes it do so. */
TEST(a_request_with_a_body_is_the_last)
{
    char body[9];

    start();
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    EXPECT_EQ(http("GET / HTTP/1.1\r\nHost: a\r\n\r\n"
                   "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
                   "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
              200);
    EXPECT_EQ(peer_read(&peer, body, 9), 9);
    EXPECT_EQ(http(""), 200);
    EXPECT(strstr(head, "Connection: close\r\n") != NULL);
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    server_stop(&server);
}

TEST(bounds_the_header)
{
    char *request = malloc(20000);

    start();
    EXPECT(peer_open(&peer, "127.0.0.1", server.port, false));
    memset(request, 'x', 19999);
    memcpy(request, "GET / HTTP/1.1\r\nCookie: ", 24);
    request[19999] = '\0';
    EXPECT_EQ(http(request), 0); /* hung up */
    peer_close(&peer);
    EXPECT(server_wait(&server, server_has_no_connection));
    server_stop(&server);
    free(request);
}
