/* heap.h -- the memory of one Lua state: counted, capped, in size classes.
 *
 * Small blocks live in slabs of their size class and big ones with malloc. What
 * counts is what was taken from the system, so that a policy cannot hide memory
 * in free cells; a slab without blocks is given back.
 *
 * Under AddressSanitizer every block comes from malloc, so that it is watched.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_HEAP_H
#define NEXUS_SCRIPT_HEAP_H

#include "base/base.h"

#define HEAP_CLASS_LEN 16                                    /* each class is so much longer */
#define HEAP_SMALL_MAX 512                                   /* the longest block in a slab */
#define HEAP_CLASSES   (HEAP_SMALL_MAX / HEAP_CLASS_LEN + 1) /* class 0 is not used */
#define HEAP_LARGE     ((size_t)1024 * 1024)                 /* blocks whose use takes time */

struct heap_slab;

struct heap {
    size_t held;      /* bytes taken from the system */
    size_t limit;     /* held stays at or below this */
    size_t used;      /* bytes that Lua asked for and has not given back */
    size_t large;     /* blocks of HEAP_LARGE bytes and more that live */
    size_t block_max; /* no single block is longer */
    uint64_t grown;   /* bytes of blocks beyond HEAP_SMALL_MAX ever given out: work, in a way */
    unsigned refused; /* requests refused since the last one that was not */
    struct heap_slab *with_room[HEAP_CLASSES]; /* owned; slabs with a free cell, linked */
    struct heap_slab *full[HEAP_CLASSES];      /* owned; the rest */
};

void heap_init(struct heap *heap, size_t limit);

/* Gives back all slabs; big blocks are gone already when the state was closed. */
void heap_fini(struct heap *heap);

/* lua_Alloc in all but the first argument: NULL when the request is refused. */
void *heap_change(struct heap *heap, void *block, size_t old_len, size_t len);

#endif
