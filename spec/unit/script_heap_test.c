/* script_heap_test.c -- blocks keep their bytes, limits hold, memory comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "base/rng.h"
#include "script/heap.h"
#include "unit.h"

#define BLOCKS 2000
#define LIMIT  ((size_t)4 * 1024 * 1024)

struct block {
    unsigned char *at;
    size_t len;
    unsigned char fill;
};

static bool is_filled(const struct block *block, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (block->at[i] != block->fill)
            return false;
    }
    return true;
}

static size_t random_len(struct rng *rng)
{
    switch (rng_below(rng, 10)) {
    case 0:
        return 1 + rng_below(rng, 20000);
    case 1:
        return HEAP_SMALL_MAX - 2 + rng_below(rng, 5);
    default:
        return 1 + rng_below(rng, 600);
    }
}

/* Makes a block another length; what was in it must be there still. */
static void change(struct heap *heap, struct block *block, size_t len)
{
    void *after = heap_change(heap, block->at, block->len, len);
    size_t same = len < block->len ? len : block->len;

    if (after == NULL && len != 0) {
        EXPECT(len > block->len); /* shorter always works */
        return;
    }
    block->at = after;
    EXPECT(same == 0 || is_filled(block, same));
    EXPECT(((uintptr_t)after & 15) == 0);
    if (len != 0)
        memset(after, block->fill, len);
    block->len = len;
}

TEST(blocks_keep_their_bytes)
{
    static struct block blocks[BLOCKS];
    uint64_t seed = 1;
    struct rng rng;
    struct heap heap;
    size_t used = 0;

    rng_init(&rng, rng_fill_seeded, &seed);
    heap_init(&heap, LIMIT);
    for (int i = 0; i < 300000; i++) {
        struct block *block = &blocks[rng_below(&rng, BLOCKS)];

        used -= block->len;
        block->fill = block->at == NULL ? (unsigned char)i : block->fill;
        change(&heap, block, rng_below(&rng, 3) == 0 ? 0 : random_len(&rng));
        used += block->len;
        if (i % 1000 == 0)
            EXPECT(heap.used == used && heap.held <= heap.limit);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        change(&heap, &blocks[i], 0);
    EXPECT_EQ(heap.used, 0);
    EXPECT(heap.held <= HEAP_CLASSES * (size_t)8192); /* one slab of a class may stay */
    heap_fini(&heap);
}

TEST(the_limit_holds_and_shortening_is_always_possible)
{
    struct block blocks[64] = {{0}};
    struct heap heap;
    size_t count = 0;

    heap_init(&heap, (size_t)256 * 1024);
    for (; count < ARRAY_LEN(blocks); count++) {
        change(&heap, &blocks[count], 10000);
        if (blocks[count].at == NULL)
            break;
    }
    EXPECT(count > 20 && count < 27);
    EXPECT(heap.refused == 1);
    heap.limit = 0;
    for (size_t i = 0; i < count; i++)
        change(&heap, &blocks[i], 1 + i * 13);
    EXPECT(heap_change(&heap, NULL, 0, 10000) == NULL && heap.refused == 2);
    for (size_t i = 0; i < count; i++)
        change(&heap, &blocks[i], 0);
    heap_fini(&heap);
}

TEST(large_blocks_are_known)
{
    struct block block = {0};
    struct heap heap;

    heap_init(&heap, SIZE_MAX);
    heap.block_max = 4 * HEAP_LARGE;
    change(&heap, &block, HEAP_LARGE - 1);
    EXPECT_EQ(heap.large, 0);
    change(&heap, &block, HEAP_LARGE);
    EXPECT_EQ(heap.large, 1);
    change(&heap, &block, 2 * HEAP_LARGE);
    EXPECT_EQ(heap.large, 1);
    EXPECT(heap_change(&heap, block.at, block.len, 5 * HEAP_LARGE) == NULL);
    change(&heap, &block, 10);
    EXPECT_EQ(heap.large, 0);
    change(&heap, &block, 0);
    heap_fini(&heap);
}
