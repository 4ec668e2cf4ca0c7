/* rng.h -- random numbers behind one function pointer.
 *
 * The daemon fills from the kernel, tests from a seed. Bytes are fetched in
 * blocks, so drawing an id costs no system call.
 *
 * WAMP: "IDs", global scope.
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_RNG_H
#define NEXUS_BASE_RNG_H

#include "base/base.h"

#include <string.h>

#define WAMP_ID_MAX (UINT64_C(1) << 53)

typedef void rng_fill_fn(void *ctx, void *buf, size_t len);

struct rng {
    rng_fill_fn *fill;
    void *ctx;   /* borrowed */
    size_t left; /* bytes of the block not yet given out; they are its end */
    unsigned char block[2048];
};

void rng_init(struct rng *rng, rng_fill_fn *fill, void *ctx);

/* Any number of bytes. They are wiped from the block: they may become a secret. */
void rng_bytes(struct rng *rng, void *buf, size_t len);

/* Fetches a new block; slow path of the others. */
void rng_refill(struct rng *rng);

static inline uint64_t rng_u64(struct rng *rng)
{
    uint64_t value;

    if (UNLIKELY(rng->left < sizeof(value)))
        rng_refill(rng);
    memcpy(&value, rng->block + (sizeof(rng->block) - rng->left), sizeof(value));
    rng->left -= sizeof(value);
    return value;
}

/* Uniform in [0, bound); bound is not 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

/* Uniform in [1, 2^53]: a WAMP id of global scope. */
static inline uint64_t rng_wamp_id(struct rng *rng)
{
    return (rng_u64(rng) >> 11) + 1;
}

/* A filler that derives its bytes from a uint64_t state behind ctx: for tests and replays. */
void rng_fill_seeded(void *state, void *buf, size_t len);

#endif
