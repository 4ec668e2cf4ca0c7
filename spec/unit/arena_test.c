/* arena_test.c -- allocations are apart, aligned, and forgotten together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/arena.h"
#include "unit.h"

#define COUNT 2000

TEST(gives_aligned_pieces_that_do_not_overlap)
{
    static unsigned char *pieces[COUNT];
    struct arena arena;
    size_t wrong = 0;

    arena_init(&arena);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            pieces[i] = arena_alloc(&arena, i % 97);
            EXPECT_EQ((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
            memset(pieces[i], (int)(i & 0xff), i % 97);
        }
        for (size_t i = 0; i < COUNT; i++) {
            for (size_t k = 0; k < i % 97; k++)
                wrong += pieces[i][k] != (i & 0xff);
        }
        arena_reset(&arena);
    }
    EXPECT_EQ(wrong, 0);
    arena_fini(&arena);
}

TEST(copies_slices)
{
    struct arena arena;
    char bytes[] = "com.example";

    arena_init(&arena);
    struct slice copy = arena_copy(&arena, slice_of(bytes));
    bytes[0] = 'X';
    EXPECT_SLICE(copy, SLICE("com.example"));
    EXPECT_EQ(arena_copy(&arena, slice_make(NULL, 0)).len, 0);
    arena_fini(&arena);
}

TEST(holds_large_pieces_and_lets_them_go)
{
    struct arena arena;

    arena_init(&arena);
    memset(arena_alloc(&arena, 1000000), 1, 1000000);
    char *small = arena_alloc(&arena, 8);
    memset(arena_alloc(&arena, 500000), 2, 500000);
    memcpy(small, "survives", 8);
    EXPECT_SLICE(slice_make(small, 8), SLICE("survives"));
    arena_reset(&arena);
    EXPECT_EQ(arena.used, 0);
    memset(arena_alloc(&arena, 100), 3, 100);
    arena_fini(&arena);
}

TEST(reuses_its_chunk_after_a_reset)
{
    struct arena arena;

    arena_init(&arena);
    void *first = arena_alloc(&arena, 0);
    EXPECT(arena.used != 0);
    arena_reset(&arena);
    EXPECT(arena_alloc(&arena, 32) == first);
    arena_fini(&arena);
}

TEST(resets_and_ends_when_nothing_was_allocated)
{
    struct arena arena;

    arena_init(&arena);
    arena_reset(&arena);
    EXPECT(arena.chunks == NULL);
    arena_fini(&arena);
    arena_fini(&arena);
}
