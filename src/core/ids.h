/* ids.h -- a growing array of ids in an arena: to walk what changes meanwhile, or to sort.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_IDS_H
#define NEXUS_CORE_IDS_H

#include "base/arena.h"

#include <stdlib.h>

struct ids {
    uint64_t *of; /* in the arena */
    size_t count;
};

/* Room for at most `cap` ids. */
static inline struct ids ids_new(struct arena *arena, size_t cap)
{
    return (struct ids){.of = arena_alloc(arena, (cap + 1) * sizeof(uint64_t))};
}

static inline void ids_add(struct ids *ids, uint64_t id)
{
    ids->of[ids->count++] = id;
}

static inline int ids_compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static inline void ids_sort(struct ids *ids)
{
    qsort(ids->of, ids->count, sizeof *ids->of, ids_compare);
}

#endif
