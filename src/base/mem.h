/* mem.h -- allocation that cannot fail quietly.
 *
 * A small allocation that fails ends the program with a message: no half-tested
 * error path at every line. What a peer can make large is bounded by a limit
 * before it is allocated.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_MEM_H
#define NEXUS_BASE_MEM_H

#include "base/base.h"

/* Allocates len bytes (at least one); never NULL. The caller frees with mem_free. */
void *mem_alloc(size_t len) __attribute__((malloc, returns_nonnull));

/* The same for count * len bytes, all zero. Aborts when the product overflows. */
void *mem_zero(size_t count, size_t len) __attribute__((malloc, returns_nonnull));

/* Changes the length of an allocation; ptr may be NULL. */
void *mem_grow(void *ptr, size_t len) __attribute__((returns_nonnull));

/* A copy of len bytes, with a NUL byte added behind them. */
char *mem_copy(const void *from, size_t len) __attribute__((malloc, returns_nonnull));

/* Frees; NULL is fine. */
void mem_free(void *ptr);

#endif
