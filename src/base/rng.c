/* rng.c -- a block of random bytes, given out piece by piece.
 *
 * Where the bytes come from is the business of the filler; this file opens no
 * device.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/rng.h"

#include "base/check.h"

void rng_init(struct rng *rng, rng_fill_fn *fill, void *ctx)
{
    rng->fill = fill;
    rng->ctx = ctx;
    rng->left = 0;
}

void rng_refill(struct rng *rng)
{
    rng->fill(rng->ctx, rng->block, sizeof(rng->block));
    rng->left = sizeof(rng->block);
}

void rng_bytes(struct rng *rng, void *buf, size_t len)
{
    if (len > sizeof(rng->block)) {
        rng->fill(rng->ctx, buf, len);
        return;
    }
    if (rng->left < len)
        rng_refill(rng);
    if (len == 0)
        return;

    unsigned char *from = rng->block + (sizeof(rng->block) - rng->left);
    memcpy(buf, from, len);
    memset(from, 0, len);
    rng->left -= len;
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    CHECK(bound != 0);
    /* 2^64 is seldom a multiple of bound: the first 2^64 % bound values would
     * make small results more frequent, so they are drawn again. */
    uint64_t skip = (0 - bound) % bound;
    uint64_t value = rng_u64(rng);

    while (value < skip)
        value = rng_u64(rng);
    return value % bound;
}

/* SplitMix64 (Steele, Lea, Flood 2014), least significant byte first. */
void rng_fill_seeded(void *state, void *buf, size_t len)
{
    uint64_t *seed = state;
    unsigned char *out = buf;
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++) {
        if (i % sizeof(word) == 0) {
            *seed += UINT64_C(0x9e3779b97f4a7c15);
            word = *seed;
            word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
            word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
            word ^= word >> 31;
        }
        out[i] = (unsigned char)word;
        word >>= 8;
    }
}
