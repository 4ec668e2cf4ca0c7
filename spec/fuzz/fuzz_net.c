/* fuzz_net.c -- the octets of strangers, sent to a real listener on 127.0.0.1.
 *
 * Input: an octet that says what goes before (nothing, or a handshake, so that
 * frames are reached), one for the length of the pieces it is sent in, then the
 * octets. The server echoes. Afterwards the connection must be gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz.h"
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20 /* how long a silent server is listened to */

static struct server server;

#define UPGRADE(protocol)                                                          \
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" \
    "Sec-WebSocket-Protocol: " protocol "\r\n\r\n"

static const struct slice preludes[] = {
    {"", 0},
    {UPGRADE("wamp.2.json"), sizeof(UPGRADE("wamp.2.json")) - 1},
    {UPGRADE("wamp.2.cbor"), sizeof(UPGRADE("wamp.2.cbor")) - 1},
    {"\x7f\xf2\0\0", 4},
};

static void stop(void)
{
    server_stop(&server);
}

/* One server for all inputs, with short times. */
static void start_once(void)
{
    struct server_options options = server_defaults();

    if (server.net != NULL)
        return;
    options.limits.max_message_len = 4096;
    options.limits.handshake_timeout_ms = options.limits.hello_timeout_ms = 500;
    options.limits.ping_interval_ms = options.limits.ping_timeout_ms = 300;
    options.limits.close_timeout_ms = 300;
    server_start(&server, &options);
    CHECK(server.err == 0);
    CHECK(atexit(stop) == 0);
}

/* From ever another loopback address: those that were left wait for a minute with their port.
 * Returns -1 when it was interrupted: the fuzzer has an alarm clock. */
static int try_connection(void)
{
    static uint32_t turn;
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK + ++turn % 200)};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(server.port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0);
    CHECK(bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    CHECK(errno == EINTR);
    (void)close(fd);
    return -1;
}

static int open_connection(void)
{
    int fd;

    do
        fd = try_connection();
    while (fd < 0);
    return fd;
}

/* False when the server does not listen any more. */
static bool write_all(int fd, struct slice bytes)
{
    while (bytes.len != 0) {
        ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes = slice_make(bytes.data + sent, bytes.len - (size_t)sent);
    }
    return true;
}

static bool write_pieces(int fd, struct slice bytes, size_t piece)
{
    while (bytes.len != 0) {
        size_t len = piece == 0 || piece > bytes.len ? bytes.len : piece;

        if (!write_all(fd, slice_make(bytes.data, len)))
            return false;
        bytes = slice_make(bytes.data + len, bytes.len - len);
    }
    return true;
}

/* Reads until the end, or until nothing comes any more. Returns the first octet, or -1. */
static int read_rest(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    unsigned char octets[4096];
    int first = -1;

    while (poll(&ready, 1, PATIENCE_MS) == 1) {
        ssize_t got = recv(fd, octets, sizeof(octets), 0);

        if (got <= 0)
            break;
        if (first < 0)
            first = octets[0];
    }
    return first;
}

/* The server stops reading when it is told "hold", and then does not notice who leaves. */
static void resume(struct server *of, void *arg)
{
    (void)arg;
    net_pause(of->net, of->last_id, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2 || len > 8192)
        return 0;
    start_once();

    size_t which = data[0] % ARRAY_LEN(preludes);
    size_t piece = data[1] % 64;
    int fd = open_connection(), first;

    /* Few pieces only: each is a segment of its own. */
    if (piece != 0 && len / piece > 16)
        piece = len / 16;
    if (write_all(fd, preludes[which]) && write_pieces(fd, slice_make(data + 2, len - 2), piece))
        (void)shutdown(fd, SHUT_WR);
    first = read_rest(fd);
    /* An answer may be lost when the server resets; when there is one, it is in the language of
     * the question. */
    if (which == 3)
        CHECK(first == -1 || first == 0x7f);
    else if (which != 0)
        CHECK(first == -1 || first == 'H');
    (void)close(fd);
    server_do(&server, resume, NULL);
    CHECK(server_wait(&server, server_has_no_connection));
    CHECK(server.opens == server.closes);
    return 0;
}
