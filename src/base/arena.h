/* arena.h -- allocate many, free once.
 *
 * Scratch memory of one step, or memory that dies together with its owner.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_ARENA_H
#define NEXUS_BASE_ARENA_H

#include "base/slice.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* owned; newest first */
    size_t used;                /* bytes used of the newest chunk; 0: nothing was allocated */
};

void arena_init(struct arena *arena);
void arena_fini(struct arena *arena);

/* The slow path of arena_reset. */
void arena_rewind(struct arena *arena);

/* Forgets everything allocated; keeps one chunk for next time. Cheap when nothing was. */
static inline void arena_reset(struct arena *arena)
{
    if (arena->used != 0)
        arena_rewind(arena);
}

/* len bytes aligned for any type, valid until arena_reset or arena_fini; never NULL. */
void *arena_alloc(struct arena *arena, size_t len);

/* A copy of the slice in the arena. */
struct slice arena_copy(struct arena *arena, struct slice from);

#endif
