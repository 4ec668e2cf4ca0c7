/* base64_test.c -- round trips, and what is not base64.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/base64.h"
#include "base/err.h"
#include "base/rng.h"
#include "unit.h"

static const struct {
    const char *plain, *encoded;
} examples[] = {
    {"", ""},
    {"n", "bg=="},
    {"ne", "bmU="},
    {"nex", "bmV4"},
    {"nexu", "bmV4dQ=="},
    {"nexus", "bmV4dXM="},
    {"nexusd", "bmV4dXNk"},
    {"\xff\xef\xbe", "/+++"},
};

static long decode(struct slice from, char out[64])
{
    return base64_decode(from, out);
}

TEST(examples_in_both_directions)
{
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        char out[64];
        struct slice plain = slice_of(examples[i].plain);
        struct slice encoded = slice_of(examples[i].encoded);

        EXPECT_EQ(base64_encoded_len(plain.len), encoded.len);
        base64_encode(plain, out);
        EXPECT_SLICE(slice_make(out, encoded.len), encoded);
        EXPECT_EQ(decode(encoded, out), plain.len);
        EXPECT_SLICE(slice_make(out, plain.len), plain);
    }
}

TEST(padding_may_be_missing)
{
    char out[64];

    EXPECT_EQ(decode(SLICE("bg"), out), 1);
    EXPECT_EQ(decode(SLICE("bmU"), out), 2);
    EXPECT_EQ(decode(SLICE("bmV4dXM"), out), 5);
    EXPECT_SLICE(slice_make(out, 5), SLICE("nexus"));
}

TEST(random_bytes_come_back)
{
    struct rng rng;
    uint64_t state = 3;

    rng_init(&rng, rng_fill_seeded, &state);
    for (size_t len = 0; len < 400; len++) {
        /* Exact lengths, so that the sanitizer sees one byte too many. */
        char *plain = malloc(len + 1);
        size_t encoded_len = base64_encoded_len(len);
        char *encoded = malloc(encoded_len + 1);
        char *back = malloc(encoded_len + 1);

        rng_bytes(&rng, plain, len);
        base64_encode(slice_make(plain, len), encoded);
        EXPECT_EQ(base64_decode(slice_make(encoded, encoded_len), back), len);
        EXPECT_SLICE(slice_make(back, len), slice_make(plain, len));
        free(plain);
        free(encoded);
        free(back);
    }
}

TEST(refuses_what_is_not_base64)
{
    static const char *const bad[] = {
        "b",         "bmV4d", "bm U",    "bmU=\n", "bm\nU=", "=",        "==",    "===",  "====",
        "b===",      "bg=",   "bg===",   "b=g=",   "bmU==",  "bg==bmU=", "bmV4=", "-_-_", "bmV4dQ=",
        "bmV4dXM==", "bmU.",  "b\x80g=", "bh==",   "bmV=",   "bh",       "bmV",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char out[64];
        long len = decode(slice_of(bad[i]), out);
        if (len != ERR_MALFORMED)
            UNIT_FAIL("\"%s\" gives %ld", bad[i], len);
    }
}

TEST(each_character_has_its_value_and_the_others_none)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (int byte = 0; byte < 256; byte++) {
        char group[4] = {'A', 'A', 'A', (char)byte}, out[4] = {0};
        const char *found = byte == 0 ? NULL : strchr(alphabet, byte);
        long len = base64_decode(slice_make(group, 4), out);
        if (byte == '=') {
            EXPECT_EQ(len, 2);
        } else if (found == NULL) {
            EXPECT_EQ(len, ERR_MALFORMED);
        } else {
            EXPECT_EQ(len, 3);
            EXPECT_EQ(out[2], found - alphabet);
        }
    }
}
