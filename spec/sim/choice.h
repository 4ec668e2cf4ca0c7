/* choice.h -- where decisions come from: a seed, or the bytes of a fuzzer.
 *
 * A schedule asks for small numbers. From a seed it is a simulation; from bytes,
 * one for each choice, it is a fuzz target; and a simulation can record its
 * choices as the bytes that lead a fuzzer the same way.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_CHOICE_H
#define NEXUS_SPEC_CHOICE_H

#include "base/check.h"
#include "base/rng.h"

#include <stdio.h>

struct choices {
    struct rng *rng;         /* borrowed; NULL: take bytes */
    const uint8_t *at, *end; /* bytes to take, borrowed */
    FILE *record;            /* borrowed; NULL: not recorded */
};

/* A number below `bound`, which is 1 to 256. Always 0 when the bytes have run out. */
static inline unsigned choose(struct choices *c, unsigned bound)
{
    unsigned chosen = 0;

    CHECK(bound >= 1 && bound <= 256);
    if (c->rng != NULL)
        chosen = (unsigned)rng_below(c->rng, bound);
    else if (c->at != c->end)
        chosen = *c->at++ % bound;
    if (c->record != NULL)
        (void)fputc((int)chosen, c->record);
    return chosen;
}

/* True one time in `n`; never when the bytes have run out. */
static inline bool choose_rarely(struct choices *c, unsigned n)
{
    return choose(c, n) == n - 1;
}

static inline bool choices_are_left(const struct choices *c)
{
    return c->rng != NULL || c->at != c->end;
}

#endif
