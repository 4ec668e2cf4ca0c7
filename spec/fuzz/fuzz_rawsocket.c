/* fuzz_rawsocket.c -- the four octets of a handshake, and frame headers after them.
 *
 * Input: one octet of what we offer, four of the handshake, then headers of four.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz.h"
#include "wire/rawsocket.h"

#define OFFER_LEN 1

static bool is_power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static void check_deal(const struct rawsocket_deal *deal, const struct rawsocket_offer *offer,
                       const unsigned char in[4], const unsigned char out[4])
{
    CHECK((offer->codecs & (1U << deal->codec)) != 0);
    CHECK((out[1] & 0x0f) == (in[1] & 0x0f));
    CHECK(is_power_of_two(deal->send_max) && deal->send_max >= offer->min_peer_len);
    CHECK(is_power_of_two(deal->recv_max) && deal->recv_max <= RAWSOCKET_MAX_LEN);
    CHECK(deal->recv_max <= offer->max_len || deal->recv_max == 512);
    CHECK(deal->recv_max == UINT32_C(512) << (out[1] >> 4));
    CHECK(!offer->is_full);
}

/* What can be read is written back as the same octets. */
static void check_header(const unsigned char in[4], uint32_t recv_max)
{
    enum rawsocket_frame type = RAWSOCKET_MESSAGE;
    uint32_t len = 0;
    unsigned char out[4];
    int err = rawsocket_read_header(in, recv_max, &type, &len);

    CHECK(err == 0 || err == ERR_MALFORMED || err == ERR_TOO_LONG);
    if (err != 0)
        return;
    CHECK(len <= recv_max && type <= RAWSOCKET_PONG);
    rawsocket_write_header(out, type, len);
    CHECK(memcmp(in, out, sizeof(out)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < OFFER_LEN + RAWSOCKET_HANDSHAKE_LEN)
        return 0;

    unsigned bits = data[0];
    struct rawsocket_offer offer = {.max_len = (UINT32_C(300) << (bits >> 4)),
                                    .min_peer_len = (bits & 8) != 0 ? 65536 : 0,
                                    .codecs = (bits & 7) == 0 ? 7 : bits & 7,
                                    .is_full = (bits & 0x88) == 0x88};
    struct rawsocket_deal deal = {.recv_max = RAWSOCKET_MAX_LEN};
    unsigned char out[4] = {0};
    enum rawsocket_error error = rawsocket_accept(data + OFFER_LEN, &offer, &deal, out);

    if (error == RAWSOCKET_SILENT) {
        CHECK(data[1] != RAWSOCKET_MAGIC || (data[2] & 0x0f) == 0);
    } else {
        CHECK(out[0] == RAWSOCKET_MAGIC && out[2] == 0 && out[3] == 0);
        if (error == RAWSOCKET_OK)
            check_deal(&deal, &offer, data + OFFER_LEN, out);
        else
            CHECK(out[1] == (unsigned)error << 4);
    }
    for (size_t at = OFFER_LEN + RAWSOCKET_HANDSHAKE_LEN; at + RAWSOCKET_HEADER_LEN <= len; at += 4)
        check_header(data + at, deal.recv_max);
    return 0;
}
