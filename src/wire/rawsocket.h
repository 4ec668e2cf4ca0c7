/* rawsocket.h -- RawSocket handshake and frame header: bytes in, decisions out.
 *
 * WAMP: "RawSocket Transport".
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_WIRE_RAWSOCKET_H
#define NEXUS_WIRE_RAWSOCKET_H

#include "wire/codec.h"

#define RAWSOCKET_MAGIC         0x7f
#define RAWSOCKET_HANDSHAKE_LEN 4
#define RAWSOCKET_HEADER_LEN    4
#define RAWSOCKET_MAX_LEN       (UINT32_C(1) << 24)

enum rawsocket_error {
    RAWSOCKET_OK = 0,
    RAWSOCKET_BAD_SERIALIZER = 1,
    RAWSOCKET_BAD_LENGTH = 2,
    RAWSOCKET_RESERVED_BITS = 3,
    RAWSOCKET_TOO_MANY = 4,
    RAWSOCKET_SILENT = -1, /* close without a word */
};

struct rawsocket_offer {
    uint32_t max_len;      /* what we accept; rounded down to a power of two */
    uint32_t min_peer_len; /* knob rawsocket.min_length; 0: any */
    unsigned codecs;       /* bit set of 1 << enum codec */
    bool is_full;          /* the listener has no room left */
};

struct rawsocket_deal {
    enum codec codec;
    uint32_t send_max; /* the longest message the peer accepts */
    uint32_t recv_max; /* the longest that we announced */
};

/* Judges the four octets of a client and writes our four (not for RAWSOCKET_SILENT). */
enum rawsocket_error rawsocket_accept(const unsigned char in[4],
                                      const struct rawsocket_offer *offer,
                                      struct rawsocket_deal *deal, unsigned char out[4]);

enum rawsocket_frame { RAWSOCKET_MESSAGE = 0, RAWSOCKET_PING = 1, RAWSOCKET_PONG = 2 };

/* Reads a frame header. Returns 0, or ERR_MALFORMED / ERR_TOO_LONG: fail the connection. */
int rawsocket_read_header(const unsigned char in[4], uint32_t recv_max, enum rawsocket_frame *type,
                          uint32_t *len) MUST_CHECK;

/* Writes a frame header for len (at most RAWSOCKET_MAX_LEN) octets. */
void rawsocket_write_header(unsigned char out[4], enum rawsocket_frame type, uint32_t len);

#endif
