/* rawsocket_test.c -- handshakes and frame headers, octet by octet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/err.h"
#include "unit.h"
#include "wire/rawsocket.h"

#define ALL_CODECS ((1U << CODEC_COUNT) - 1)

static const struct rawsocket_offer generous = {
    .max_len = RAWSOCKET_MAX_LEN,
    .codecs = ALL_CODECS,
};

static uint32_t number(const unsigned char octets[4])
{
    return (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 | (uint32_t)octets[2] << 8 |
           octets[3];
}

static enum rawsocket_error shake(uint32_t hands, const struct rawsocket_offer *offer,
                                  struct rawsocket_deal *deal, uint32_t *answer)
{
    unsigned char in[4] = {(unsigned char)(hands >> 24), (unsigned char)(hands >> 16),
                           (unsigned char)(hands >> 8), (unsigned char)hands};
    unsigned char out[4] = {0};
    enum rawsocket_error error = rawsocket_accept(in, offer, deal, out);

    *answer = number(out);
    return error;
}

TEST(handshakes_that_succeed)
{
    static const uint32_t numbers[] = {1, 2, 3};
    struct rawsocket_deal deal;
    uint32_t answer;

    for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
        for (uint32_t exponent = 0; exponent < 16; exponent++) {
            uint32_t hands = 0x7f000000 | exponent << 20 | numbers[i] << 16;

            EXPECT_EQ(shake(hands, &generous, &deal, &answer), RAWSOCKET_OK);
            EXPECT_EQ(answer, 0x7ff00000 | numbers[i] << 16);
            EXPECT_EQ(deal.codec, i);
            EXPECT_EQ(deal.send_max, 512U << exponent);
            EXPECT_EQ(deal.recv_max, RAWSOCKET_MAX_LEN);
        }
    }
}

TEST(our_length_is_rounded_down)
{
    static const uint32_t lens[][2] = {
        {512, 512},
        {1023, 512},
        {1024, 1024},
        {100000, 65536},
        {65536, 65536},
        {65535, 32768},
        {RAWSOCKET_MAX_LEN - 1, RAWSOCKET_MAX_LEN / 2},
        {UINT32_MAX, RAWSOCKET_MAX_LEN},
    };
    struct rawsocket_deal deal;
    uint32_t answer;

    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        struct rawsocket_offer offer = {.max_len = lens[i][0], .codecs = ALL_CODECS};

        EXPECT_EQ(shake(0x7f010000, &offer, &deal, &answer), RAWSOCKET_OK);
        EXPECT_EQ(deal.recv_max, lens[i][1]);
        EXPECT_EQ(512U << (answer >> 20 & 15), lens[i][1]);
    }
}

TEST(handshakes_that_fail)
{
    struct rawsocket_offer json_only = {.max_len = 65536, .codecs = 1U << CODEC_JSON};
    struct rawsocket_offer full = {.max_len = 65536, .codecs = ALL_CODECS, .is_full = true};
    struct rawsocket_offer picky = {.max_len = 65536, .codecs = ALL_CODECS, .min_peer_len = 1024};
    struct rawsocket_deal deal;
    uint32_t answer;

    EXPECT_EQ(shake(0x47455420, &generous, &deal, &answer), RAWSOCKET_SILENT); /* "GET " */
    EXPECT_EQ(answer, 0);
    EXPECT_EQ(shake(0x7ff00000, &generous, &deal, &answer), RAWSOCKET_SILENT);
    EXPECT_EQ(shake(0x7ff00001, &generous, &deal, &answer), RAWSOCKET_SILENT);
    EXPECT_EQ(shake(0x7ff10001, &generous, &deal, &answer), RAWSOCKET_RESERVED_BITS);
    EXPECT_EQ(answer, 0x7f300000);
    EXPECT_EQ(shake(0x7ff10100, &full, &deal, &answer), RAWSOCKET_RESERVED_BITS);
    EXPECT_EQ(shake(0x7ff40000, &full, &deal, &answer), RAWSOCKET_TOO_MANY);
    EXPECT_EQ(answer, 0x7f400000);
    for (uint32_t codec = 4; codec < 16; codec++) {
        EXPECT_EQ(shake(0x7f000000 | codec << 16, &generous, &deal, &answer),
                  RAWSOCKET_BAD_SERIALIZER);
        EXPECT_EQ(answer, 0x7f100000);
    }
    EXPECT_EQ(shake(0x7ff20000, &json_only, &deal, &answer), RAWSOCKET_BAD_SERIALIZER);
    EXPECT_EQ(shake(0x7f010000, &picky, &deal, &answer), RAWSOCKET_BAD_LENGTH);
    EXPECT_EQ(answer, 0x7f200000);
    EXPECT_EQ(shake(0x7f110000, &picky, &deal, &answer), RAWSOCKET_OK);
    EXPECT_EQ(shake(0x7f040000, &picky, &deal, &answer), RAWSOCKET_BAD_SERIALIZER);
}

static int read_frame(uint32_t octets, uint32_t recv_max, enum rawsocket_frame *type, uint32_t *len)
{
    unsigned char in[4] = {(unsigned char)(octets >> 24), (unsigned char)(octets >> 16),
                           (unsigned char)(octets >> 8), (unsigned char)octets};

    return rawsocket_read_header(in, recv_max, type, len);
}

TEST(headers_go_there_and_back)
{
    static const uint32_t lens[] = {0, 1, 255, 256, 65535, 65536, 0xffffff, RAWSOCKET_MAX_LEN};

    for (enum rawsocket_frame type = 0; type <= RAWSOCKET_PONG; type++) {
        for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
            enum rawsocket_frame found = RAWSOCKET_MESSAGE;
            unsigned char out[4];
            uint32_t len = 0;

            rawsocket_write_header(out, type, lens[i]);
            EXPECT_EQ(rawsocket_read_header(out, RAWSOCKET_MAX_LEN, &found, &len), 0);
            EXPECT_EQ(found, type);
            EXPECT_EQ(len, lens[i]);
        }
    }
}

TEST(headers_octet_by_octet)
{
    enum rawsocket_frame type = RAWSOCKET_MESSAGE;
    unsigned char out[4];
    uint32_t len = 0;

    rawsocket_write_header(out, RAWSOCKET_MESSAGE, 35);
    EXPECT_EQ(number(out), 35);
    rawsocket_write_header(out, RAWSOCKET_PONG, 2);
    EXPECT_EQ(number(out), 0x02000002);
    rawsocket_write_header(out, RAWSOCKET_MESSAGE, RAWSOCKET_MAX_LEN);
    EXPECT_EQ(number(out), 0x08000000);
    EXPECT_EQ(read_frame(0x08000001, RAWSOCKET_MAX_LEN, &type, &len), ERR_MALFORMED);
    for (uint32_t first = 0; first < 256; first++)
        if ((first & 0xf0) != 0 || (first & 7) > 2)
            EXPECT_EQ(read_frame(first << 24, RAWSOCKET_MAX_LEN, &type, &len), ERR_MALFORMED);
    EXPECT_EQ(read_frame(512, 512, &type, &len), 0);
    EXPECT_EQ(read_frame(513, 512, &type, &len), ERR_TOO_LONG);
    EXPECT_EQ(read_frame(0x01000201, 512, &type, &len), ERR_TOO_LONG);
    EXPECT_EQ(read_frame(0x08000000, 512, &type, &len), ERR_TOO_LONG);
}
