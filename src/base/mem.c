/* mem.c -- malloc that aborts with a message instead of returning NULL.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

NO_RETURN static void out_of_memory(size_t len)
{
    fprintf(stderr, "out of memory: cannot allocate %zu bytes\n", len);
    abort();
}

void *mem_alloc(size_t len)
{
    void *ptr = malloc(len == 0 ? 1 : len);

    if (UNLIKELY(ptr == NULL))
        out_of_memory(len);
    return ptr;
}

void *mem_zero(size_t count, size_t len)
{
    size_t product;

    CHECK(!__builtin_mul_overflow(count, len, &product));
    void *ptr = calloc(1, product == 0 ? 1 : product);
    if (UNLIKELY(ptr == NULL))
        out_of_memory(product);
    return ptr;
}

void *mem_grow(void *ptr, size_t len)
{
    void *grown = realloc(ptr, len == 0 ? 1 : len);

    if (UNLIKELY(grown == NULL))
        out_of_memory(len);
    return grown;
}

char *mem_copy(const void *from, size_t len)
{
    CHECK(len < SIZE_MAX);
    char *copy = mem_alloc(len + 1);

    if (len != 0)
        memcpy(copy, from, len);
    copy[len] = '\0';
    return copy;
}

void mem_free(void *ptr)
{
    free(ptr);
}
