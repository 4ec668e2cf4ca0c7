/* peer.h -- the other end for the tests: a blocking socket, by hand.
 *
 * Reads give up after ten seconds. Nothing here is strict: tests say what they expect.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_PEER_H
#define NEXUS_SPEC_PEER_H

#include "base/slice.h"

#include <openssl/ssl.h>

struct peer {
    int fd;
    SSL *ssl; /* NULL: plain */
    char in[4096];
    size_t in_len, in_at;
    int error; /* errno of a failed read; 0 at the end of the stream */
};

struct frame {
    unsigned opcode; /* or RawSocket type */
    bool is_final;
    size_t len;
    char data[1 << 17];
};

/* False when it cannot connect. The host "unix" takes the port for a path. */
bool peer_open(struct peer *peer, const char *host, const char *port, bool use_tls);

/* What connections over TLS are made with from now on, both borrowed; NULL: OpenSSL's defaults,
 * and no session to resume. */
void peer_tls_with(SSL_CTX *ctx, SSL_SESSION *session);
void peer_close(struct peer *peer);

/* For peers that have said something without TLS before. */
bool peer_start_tls(struct peer *peer);

/* False when the connection is broken. */
bool peer_write(struct peer *peer, const void *data, size_t len);

/* How many octets came before the end. */
size_t peer_read(struct peer *peer, void *data, size_t len);

/* True at an orderly end, false at a reset, a timeout, or more data. */
bool peer_is_at_end(struct peer *peer);

/* Sends an upgrade request and reads the response head into `head`; returns the status. */
int peer_upgrade(struct peer *peer, const char *path, const char *protocols, const char *headers,
                 char *head, size_t head_len);

/* Sends text and reads the head of an HTTP response; returns the status, 0 at the end. */
int peer_http(struct peer *peer, const char *request, char *head, size_t head_len);

bool peer_open_ws(struct peer *peer, const char *host, const char *port, bool use_tls,
                  const char *protocol);
bool peer_open_raw(struct peer *peer, const char *host, const char *port, bool use_tls);

bool ws_send(struct peer *peer, unsigned opcode, bool is_final, struct slice payload);
bool ws_read(struct peer *peer, struct frame *frame);
bool raw_send(struct peer *peer, unsigned type, struct slice payload);
bool raw_read(struct peer *peer, struct frame *frame);

/* A message in one frame, whatever the transport; binary on a WebSocket. */
bool peer_send(struct peer *peer, bool is_raw, struct slice payload);
bool peer_read_frame(struct peer *peer, bool is_raw, struct frame *frame);

static inline struct slice frame_slice(const struct frame *frame)
{
    return slice_make(frame->data, frame->len);
}

/* The code of a close frame, or 0. */
static inline unsigned frame_close_code(const struct frame *frame)
{
    return frame->opcode == 8 && frame->len >= 2
               ? (unsigned)(unsigned char)frame->data[0] << 8 | (unsigned char)frame->data[1]
               : 0;
}

#endif
