/* number_set.h -- a set of numbers: a short list is searched, a long one hashed.
 *
 * Made once for a publication in scratch memory, then asked for each subscriber.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_NUMBER_SET_H
#define NEXUS_CORE_NUMBER_SET_H

#include "base/arena.h"

struct number_set {
    const uint64_t *slots; /* 0 is a free slot, and never a member */
    uint32_t count;        /* numbers given, equal ones included */
    uint32_t mask;         /* 0: not hashed */
};

/* Takes `count` numbers that are not 0; they live as long as the arena's memory. */
void number_set_init(struct number_set *set, const uint64_t *numbers, uint32_t count,
                     struct arena *arena);

/* Where the number is looked for first, before masking. */
static inline uint64_t number_set_spread(uint64_t number)
{
    number *= UINT64_C(0x9e3779b97f4a7c15);
    return number ^ (number >> 32);
}

static inline bool number_set_has(const struct number_set *set, uint64_t number)
{
    if (set->mask == 0) {
        for (uint32_t i = 0; i < set->count; i++)
            if (set->slots[i] == number)
                return true;
        return false;
    }
    for (uint64_t at = number_set_spread(number);; at++) {
        uint64_t slot = set->slots[at & set->mask];

        if (slot == number)
            return true;
        if (slot == 0)
            return false;
    }
}

#endif
