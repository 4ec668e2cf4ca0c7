/* mem_test.c -- allocation succeeds or aborts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "unit.h"

/* Not a constant, or the compiler warns about what is tested here. */
static volatile size_t huge = SIZE_MAX / 2;

TEST(zero_is_all_zero)
{
    unsigned char *bytes = mem_zero(100, 7);
    unsigned sum = 0;

    for (size_t i = 0; i < 700; i++)
        sum += bytes[i];
    EXPECT_EQ(sum, 0);
    mem_free(bytes);
}

TEST(nothing_is_something)
{
    void *ptr = mem_alloc(0);
    EXPECT(ptr != NULL);
    ptr = mem_grow(ptr, 0);
    EXPECT(ptr != NULL);
    mem_free(ptr);

    ptr = mem_zero(0, 8);
    EXPECT(ptr != NULL);
    mem_free(ptr);
    mem_free(NULL);
}

TEST(grow_keeps_the_bytes)
{
    char *bytes = mem_grow(NULL, 4);

    memcpy(bytes, "abcd", 4);
    bytes = mem_grow(bytes, 100000);
    EXPECT_SLICE(slice_make(bytes, 4), SLICE("abcd"));
    mem_free(bytes);
}

TEST(copy_adds_a_nul)
{
    char *copy = mem_copy("wamp", 3);
    EXPECT_STR(copy, "wam");
    mem_free(copy);

    copy = mem_copy(NULL, 0);
    EXPECT_STR(copy, "");
    mem_free(copy);
}

TEST(aborts_when_the_product_overflows)
{
    EXPECT_ABORT(mem_free(mem_zero(huge, 3)));
}

TEST(aborts_when_there_is_no_memory)
{
#if defined(__SANITIZE_ADDRESS__)
    return; /* the sanitizer ends the program in its own way first */
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
    return;
#    endif
#endif
    EXPECT_ABORT(mem_free(mem_alloc(huge)));
    EXPECT_ABORT(mem_free(mem_zero(1, huge)));
    EXPECT_ABORT(mem_free(mem_grow(NULL, huge)));
}
