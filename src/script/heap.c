/* heap.c -- see heap.h.
 *
 * A slab is aligned to its length, so a block finds its slab by its address.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/heap.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#    define EVERY_BLOCK_WATCHED 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define EVERY_BLOCK_WATCHED 1
#    endif
#endif
#ifndef EVERY_BLOCK_WATCHED
#    define EVERY_BLOCK_WATCHED 0
#endif

#define SLAB_LEN 8192

struct cell {
    struct cell *next;
};

struct heap_slab {
    _Alignas(HEAP_CLASS_LEN) struct heap_slab *prev;
    struct heap_slab *next;
    struct cell *free;  /* cells given back */
    unsigned live;      /* cells in use */
    unsigned untouched; /* cells at the end never used yet */
    unsigned class;
};

_Static_assert(sizeof(struct heap_slab) % HEAP_CLASS_LEN == 0, "blocks are aligned to 16");

void heap_init(struct heap *heap, size_t limit)
{
    *heap = (struct heap){.limit = limit, .block_max = SIZE_MAX};
}

static void free_slabs(struct heap_slab *slab)
{
    while (slab != NULL) {
        struct heap_slab *next = slab->next;

        free(slab);
        slab = next;
    }
}

void heap_fini(struct heap *heap)
{
    for (size_t i = 0; i < HEAP_CLASSES; i++) {
        free_slabs(heap->with_room[i]);
        free_slabs(heap->full[i]);
    }
    *heap = (struct heap){0};
}

static bool is_small(size_t len)
{
    return !EVERY_BLOCK_WATCHED && len <= HEAP_SMALL_MAX;
}

static unsigned class_of(size_t len)
{
    return (unsigned)((len + HEAP_CLASS_LEN - 1) / HEAP_CLASS_LEN);
}

/* ---- slabs ---- */

static void slab_link(struct heap_slab **list, struct heap_slab *slab)
{
    slab->prev = NULL;
    slab->next = *list;
    if (*list != NULL)
        (*list)->prev = slab;
    *list = slab;
}

static void slab_unlink(struct heap_slab **list, struct heap_slab *slab)
{
    if (slab->prev != NULL)
        slab->prev->next = slab->next;
    else
        *list = slab->next;
    if (slab->next != NULL)
        slab->next->prev = slab->prev;
}

static struct heap_slab *slab_new(struct heap *heap, unsigned class)
{
    struct heap_slab *slab;

    if (heap->held + SLAB_LEN > heap->limit)
        return NULL;
    slab = aligned_alloc(SLAB_LEN, SLAB_LEN);
    if (slab == NULL)
        return NULL;
    *slab = (struct heap_slab){
        .class = class,
        .untouched = (unsigned)((SLAB_LEN - sizeof(*slab)) / ((size_t) class * HEAP_CLASS_LEN)),
    };
    heap->held += SLAB_LEN;
    slab_link(&heap->with_room[class], slab);
    return slab;
}

static void *small_take(struct heap *heap, size_t len)
{
    unsigned class = class_of(len);
    struct heap_slab *slab = heap->with_room[class];
    void *block;

    if (UNLIKELY(slab == NULL)) {
        slab = slab_new(heap, class);
        if (slab == NULL)
            return NULL;
    }
    if (slab->free != NULL) {
        block = slab->free;
        slab->free = slab->free->next;
    } else {
        slab->untouched--;
        block = (char *)(slab + 1) + (size_t)slab->untouched * class * HEAP_CLASS_LEN;
    }
    slab->live++;
    if (slab->free == NULL && slab->untouched == 0) {
        slab_unlink(&heap->with_room[class], slab);
        slab_link(&heap->full[class], slab);
    }
    return block;
}

static void small_give(struct heap *heap, void *block)
{
    struct heap_slab *slab = (void *)((uintptr_t)block & ~(uintptr_t)(SLAB_LEN - 1));
    struct cell *cell = block;

    if (slab->free == NULL && slab->untouched == 0) {
        slab_unlink(&heap->full[slab->class], slab);
        slab_link(&heap->with_room[slab->class], slab);
    }
    cell->next = slab->free;
    slab->free = cell;
    slab->live--;
    /* The only slab with room stays: a block that comes and goes costs no malloc. */
    if (slab->live == 0 && (slab->prev != NULL || slab->next != NULL)) {
        slab_unlink(&heap->with_room[slab->class], slab);
        heap->held -= SLAB_LEN;
        free(slab);
    }
}

/* ---- big blocks ---- */

static void *big_change(struct heap *heap, void *block, size_t old_len, size_t len)
{
    void *moved;

    if (len > old_len && (len > heap->block_max || len - old_len > heap->limit ||
                          heap->held > heap->limit - (len - old_len)))
        return NULL;
    moved = realloc(block, len);
    if (moved == NULL)
        return NULL;
    heap->held = heap->held - old_len + len;
    return moved;
}

static void big_give(struct heap *heap, void *block, size_t len)
{
    heap->held -= len;
    free(block);
}

/* ---- all blocks ---- */

static void *take(struct heap *heap, size_t len)
{
    return is_small(len) ? small_take(heap, len) : big_change(heap, NULL, 0, len);
}

static void give(struct heap *heap, void *block, size_t len)
{
    if (is_small(len))
        small_give(heap, block);
    else
        big_give(heap, block, len);
}

static void *move(struct heap *heap, void *block, size_t old_len, size_t len)
{
    void *moved;

    if (is_small(len) && is_small(old_len) && class_of(len) == class_of(old_len))
        return block;
    if (!is_small(len) && !is_small(old_len))
        return big_change(heap, block, old_len, len);
    moved = take(heap, len);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, len < old_len ? len : old_len);
    give(heap, block, old_len);
    return moved;
}

/* Lua relies on it that a block can be made shorter, so no limit has a say. */
static void *shorten(struct heap *heap, void *block, size_t old_len, size_t len)
{
    size_t limit = heap->limit;
    void *after;

    heap->limit = SIZE_MAX;
    after = move(heap, block, old_len, len);
    heap->limit = limit;
    CHECK(after != NULL);
    return after;
}

void *heap_change(struct heap *heap, void *block, size_t old_len, size_t len)
{
    size_t before = block == NULL ? 0 : old_len;
    void *after;

    if (len == 0) {
        if (block != NULL && old_len != 0)
            give(heap, block, old_len);
        heap->used -= before;
        heap->large -= before >= HEAP_LARGE;
        return NULL;
    }
    if (len < before) {
        after = shorten(heap, block, before, len);
    } else {
        after = before == 0 ? take(heap, len) : move(heap, block, before, len);
        if (after == NULL) {
            heap->refused++;
            return NULL;
        }
    }
    if (len > before) {
        heap->refused = 0;
        if (len > HEAP_SMALL_MAX)
            heap->grown += len;
    }
    heap->used = heap->used - before + len;
    heap->large = heap->large + (len >= HEAP_LARGE) - (before >= HEAP_LARGE);
    return after;
}
