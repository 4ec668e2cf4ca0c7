/* rawsocket.c -- RawSocket handshake and frame header.
 *
 * WAMP: "RawSocket Transport".
 * SPDX-License-Identifier: MIT
 */
#include "wire/rawsocket.h"

#include "base/err.h"

/* The lengths that a handshake can name: 2^(9 + exponent). */
#define EXPONENT_BASE 9
#define EXPONENT_MAX  15

static unsigned exponent_below(uint32_t len)
{
    unsigned exponent = 0;

    while (exponent < EXPONENT_MAX && (UINT32_C(1) << (EXPONENT_BASE + exponent + 1)) <= len)
        exponent++;
    return exponent;
}

/* The serializer behind the number on the wire; CODEC_COUNT when we have none. */
static enum codec codec_of(unsigned number)
{
    switch (number) {
    case 1:
        return CODEC_JSON;
    case 2:
        return CODEC_MSGPACK;
    case 3:
        return CODEC_CBOR;
    default:
        return CODEC_COUNT;
    }
}

/* What is wrong with the four octets, in the order of precedence. */
static enum rawsocket_error judge(const unsigned char in[4], const struct rawsocket_offer *offer)
{
    unsigned number = in[1] & 0x0f;
    enum codec codec = codec_of(number);

    if (in[0] != RAWSOCKET_MAGIC || number == 0)
        return RAWSOCKET_SILENT;
    if (in[2] != 0 || in[3] != 0)
        return RAWSOCKET_RESERVED_BITS;
    if (offer->is_full)
        return RAWSOCKET_TOO_MANY;
    if (codec == CODEC_COUNT || (offer->codecs & (1U << codec)) == 0)
        return RAWSOCKET_BAD_SERIALIZER;
    if ((UINT32_C(1) << (EXPONENT_BASE + (in[1] >> 4))) < offer->min_peer_len)
        return RAWSOCKET_BAD_LENGTH;
    return RAWSOCKET_OK;
}

enum rawsocket_error rawsocket_accept(const unsigned char in[4],
                                      const struct rawsocket_offer *offer,
                                      struct rawsocket_deal *deal, unsigned char out[4])
{
    enum rawsocket_error error = judge(in, offer);
    unsigned exponent = exponent_below(offer->max_len);

    if (error == RAWSOCKET_SILENT)
        return error;
    out[0] = RAWSOCKET_MAGIC;
    out[2] = out[3] = 0;
    if (error != RAWSOCKET_OK) {
        out[1] = (unsigned char)((unsigned)error << 4);
        return error;
    }
    out[1] = (unsigned char)(exponent << 4 | (in[1] & 0x0f));
    deal->codec = codec_of(in[1] & 0x0f);
    deal->send_max = UINT32_C(1) << (EXPONENT_BASE + (in[1] >> 4));
    deal->recv_max = UINT32_C(1) << (EXPONENT_BASE + exponent);
    return RAWSOCKET_OK;
}

int rawsocket_read_header(const unsigned char in[4], uint32_t recv_max, enum rawsocket_frame *type,
                          uint32_t *len)
{
    uint32_t low = (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
    bool is_longest = (in[0] & 0x08) != 0; /* the one length that does not fit in 24 bits */

    if ((in[0] & 0xf0) != 0 || (in[0] & 0x07) > RAWSOCKET_PONG || (is_longest && low != 0))
        return ERR_MALFORMED;
    *type = (enum rawsocket_frame)(in[0] & 0x07);
    *len = is_longest ? RAWSOCKET_MAX_LEN : low;
    return *len > recv_max ? ERR_TOO_LONG : 0;
}

void rawsocket_write_header(unsigned char out[4], enum rawsocket_frame type, uint32_t len)
{
    out[0] = (unsigned char)((unsigned)type | (len == RAWSOCKET_MAX_LEN ? 0x08U : 0));
    out[1] = (unsigned char)(len >> 16);
    out[2] = (unsigned char)(len >> 8);
    out[3] = (unsigned char)len;
    if (len == RAWSOCKET_MAX_LEN)
        out[1] = 0;
}
