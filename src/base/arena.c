/* arena.c -- a list of chunks, the newest of which is being used up.
 *
 * Chunks have one length, except those made for an allocation that does not
 * fit into one; these are never kept, so that a single large step does not
 * cost memory for ever.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/arena.h"

#include "base/check.h"
#include "base/mem.h"

#define ALIGNMENT _Alignof(max_align_t)
#define CHUNK_LEN 16384

struct arena_chunk {
    struct arena_chunk *next; /* owned; older */
    size_t cap;
    _Alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t len)
{
    size_t cap = len > CHUNK_LEN ? len : CHUNK_LEN;
    struct arena_chunk *chunk = mem_alloc(sizeof(*chunk) + cap);

    chunk->next = arena->chunks;
    chunk->cap = cap;
    arena->chunks = chunk;
    arena->used = 0;
    return chunk;
}

void arena_fini(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;

    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        mem_free(chunk);
        chunk = next;
    }
    arena_init(arena);
}

void arena_rewind(struct arena *arena)
{
    struct arena_chunk *kept = NULL;
    struct arena_chunk *chunk = arena->chunks;

    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        if (kept == NULL && chunk->cap == CHUNK_LEN)
            kept = chunk;
        else
            mem_free(chunk);
        chunk = next;
    }
    if (kept != NULL)
        kept->next = NULL;
    arena->chunks = kept;
    arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t len)
{
    CHECK(len <= SIZE_MAX / 2);
    /* Never 0: `used` being 0 means that nothing was allocated. */
    size_t need = len == 0 ? ALIGNMENT : (len + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    struct arena_chunk *chunk = arena->chunks;

    if (UNLIKELY(chunk == NULL || chunk->cap - arena->used < need))
        chunk = add_chunk(arena, need);
    char *bytes = chunk->data + arena->used;
    arena->used += need;
    return bytes;
}

struct slice arena_copy(struct arena *arena, struct slice from)
{
    char *bytes = arena_alloc(arena, from.len);

    if (from.len != 0)
        memcpy(bytes, from.data, from.len);
    return slice_make(bytes, from.len);
}
