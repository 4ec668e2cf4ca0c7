/* number_set.c -- see number_set.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/number_set.h"

#define SHORT_SET 8

void number_set_init(struct number_set *set, const uint64_t *numbers, uint32_t count,
                     struct arena *arena)
{
    *set = (struct number_set){.slots = numbers, .count = count};
    if (count <= SHORT_SET)
        return;

    uint32_t cap = 16;

    while (cap < 2 * count)
        cap *= 2;

    uint64_t *slots = arena_alloc(arena, cap * sizeof *slots);

    memset(slots, 0, cap * sizeof *slots);
    set->mask = cap - 1;
    set->slots = slots;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = number_set_spread(numbers[i]);

        while (slots[at & set->mask] != 0 && slots[at & set->mask] != numbers[i])
            at++;
        slots[at & set->mask] = numbers[i];
    }
}
