/* peer.c -- the other end for the tests: a blocking socket, by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peer.h"

#include "base/check.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

static int connect_tcp(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *to = NULL;
    int fd;

    CHECK(getaddrinfo(host, port, &hints, &to) == 0);
    fd = socket(to->ai_family, SOCK_STREAM, 0);
    if (connect(fd, to->ai_addr, to->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(to);
    return fd;
}

static SSL_CTX *tls_ctx;
static SSL_SESSION *tls_session;

void peer_tls_with(SSL_CTX *ctx, SSL_SESSION *session)
{
    tls_ctx = ctx;
    tls_session = session;
}

bool peer_start_tls(struct peer *peer)
{
    SSL_CTX *ctx = tls_ctx != NULL ? tls_ctx : SSL_CTX_new(TLS_client_method());

    peer->ssl = SSL_new(ctx);
    if (ctx != tls_ctx)
        SSL_CTX_free(ctx);
    if (tls_session != NULL)
        SSL_set_session(peer->ssl, tls_session);
    SSL_set_fd(peer->ssl, peer->fd);
    return SSL_connect(peer->ssl) == 1;
}

bool peer_open(struct peer *peer, const char *host, const char *port, bool use_tls)
{
    struct timeval limit = {.tv_sec = 10};
    int on = 1;

    peer->ssl = NULL;
    peer->in_len = peer->in_at = 0;
    peer->error = 0;
    peer->fd = strcmp(host, "unix") == 0 ? connect_unix(port) : connect_tcp(host, port);
    if (peer->fd < 0)
        return false;
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* no matter on a unix socket */
    setsockopt(peer->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(peer->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return !use_tls || peer_start_tls(peer);
}

void peer_close(struct peer *peer)
{
    if (peer->ssl != NULL)
        SSL_free(peer->ssl);
    if (peer->fd >= 0)
        close(peer->fd);
    peer->ssl = NULL;
    peer->fd = -1;
}

bool peer_write(struct peer *peer, const void *data, size_t len)
{
    const char *from = data;

    while (len != 0) {
        ssize_t n = peer->ssl != NULL ? SSL_write(peer->ssl, from, (int)len)
                                      : send(peer->fd, from, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        from += n;
        len -= (size_t)n;
    }
    return true;
}

static bool fill(struct peer *peer)
{
    ssize_t n;

    errno = 0;
    n = peer->ssl != NULL ? SSL_read(peer->ssl, peer->in, sizeof peer->in)
                          : recv(peer->fd, peer->in, sizeof peer->in, 0);
    peer->error = n < 0 ? (errno == 0 ? EPROTO : errno) : 0;
    peer->in_at = 0;
    peer->in_len = n > 0 ? (size_t)n : 0;
    return n > 0;
}

size_t peer_read(struct peer *peer, void *data, size_t len)
{
    size_t got = 0;

    while (got < len) {
        size_t part = peer->in_len - peer->in_at;

        if (part == 0 && !fill(peer))
            break;
        part = peer->in_len - peer->in_at;
        if (part > len - got)
            part = len - got;
        memcpy((char *)data + got, peer->in + peer->in_at, part);
        peer->in_at += part;
        got += part;
    }
    return got;
}

bool peer_is_at_end(struct peer *peer)
{
    char byte;

    return peer_read(peer, &byte, 1) == 0 && peer->error == 0;
}

int peer_http(struct peer *peer, const char *request, char *head, size_t head_len)
{
    size_t len = 0;
    int status = 0;

    head[0] = '\0';
    if (!peer_write(peer, request, strlen(request)))
        return 0;
    while (len + 1 < head_len && peer_read(peer, head + len, 1) == 1) {
        head[++len] = '\0';
        if (len >= 4 && strcmp(head + len - 4, "\r\n\r\n") == 0)
            break;
    }
    if (len > 12)
        status = atoi(head + 9);
    return status;
}

int peer_upgrade(struct peer *peer, const char *path, const char *protocols, const char *headers,
                 char *head, size_t head_len)
{
    char request[9000];

    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s%s%s\r\n",
             path, protocols == NULL ? "" : "Sec-WebSocket-Protocol: ",
             protocols == NULL ? "" : protocols, protocols == NULL ? "" : "\r\n",
             headers == NULL ? "Sec-WebSocket-Version: 13\r\n" : headers);
    return peer_http(peer, request, head, head_len);
}

bool peer_open_ws(struct peer *peer, const char *host, const char *port, bool use_tls,
                  const char *protocol)
{
    char head[2048];

    return peer_open(peer, host, port, use_tls) &&
           peer_upgrade(peer, "/ws", protocol, NULL, head, sizeof head) == 101;
}

bool peer_open_raw(struct peer *peer, const char *host, const char *port, bool use_tls)
{
    unsigned char answer[4];

    return peer_open(peer, host, port, use_tls) && peer_write(peer, "\x7f\xf2\0\0", 4) &&
           peer_read(peer, answer, 4) == 4 && (answer[1] & 0x0f) == 2;
}

bool ws_send(struct peer *peer, unsigned opcode, bool is_final, struct slice payload)
{
    static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
    size_t len = payload.len, at = 2;
    char *frame = malloc(len + 14);
    bool is_sent;

    frame[0] = (char)(opcode | (is_final ? 0x80u : 0));
    if (len < 126) {
        frame[1] = (char)(0x80u | len);
    } else {
        unsigned octets = len < 65536 ? 2 : 8;

        frame[1] = (char)(octets == 2 ? 0xfe : 0xff);
        for (unsigned i = 0; i < octets; i++)
            frame[at++] = (char)(len >> 8 * (octets - 1 - i));
    }
    memcpy(frame + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < len; i++)
        frame[at + i] = (char)(payload.data[i] ^ mask[i & 3]);
    is_sent = peer_write(peer, frame, at + len);
    free(frame);
    return is_sent;
}

bool ws_read(struct peer *peer, struct frame *frame)
{
    unsigned char head[8];
    unsigned octets;

    if (peer_read(peer, head, 2) != 2)
        return false;
    frame->opcode = head[0] & 0x0f;
    frame->is_final = (head[0] & 0x80) != 0;
    frame->len = head[1] & 0x7f;
    octets = frame->len == 126 ? 2 : frame->len == 127 ? 8 : 0;
    if (octets != 0) {
        if (peer_read(peer, head, octets) != octets)
            return false;
        frame->len = 0;
        for (unsigned i = 0; i < octets; i++)
            frame->len = frame->len << 8 | head[i];
    }
    return frame->len <= sizeof frame->data &&
           peer_read(peer, frame->data, frame->len) == frame->len;
}

bool raw_send(struct peer *peer, unsigned type, struct slice payload)
{
    char *frame = malloc(payload.len + 4);
    bool is_sent;

    frame[0] = (char)type;
    frame[1] = (char)(payload.len >> 16);
    frame[2] = (char)(payload.len >> 8);
    frame[3] = (char)payload.len;
    if (payload.len != 0)
        memcpy(frame + 4, payload.data, payload.len);
    is_sent = peer_write(peer, frame, payload.len + 4);
    free(frame);
    return is_sent;
}

bool raw_read(struct peer *peer, struct frame *frame)
{
    unsigned char head[4];

    if (peer_read(peer, head, 4) != 4)
        return false;
    frame->opcode = head[0];
    frame->is_final = true;
    frame->len = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    return frame->len <= sizeof frame->data &&
           peer_read(peer, frame->data, frame->len) == frame->len;
}

bool peer_send(struct peer *peer, bool is_raw, struct slice payload)
{
    return is_raw ? raw_send(peer, 0, payload) : ws_send(peer, 2, true, payload);
}

bool peer_read_frame(struct peer *peer, bool is_raw, struct frame *frame)
{
    return is_raw ? raw_read(peer, frame) : ws_read(peer, frame);
}
