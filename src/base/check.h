/* check.h -- CHECK(): an assertion that stays in release builds.
 *
 * For what only a programming error can break. What a peer or the machine can
 * do wrong is never checked with this.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_CHECK_H
#define NEXUS_BASE_CHECK_H

#include "base/base.h"

#define CHECK(cond)                                            \
    do {                                                       \
        if (UNLIKELY(!(cond)))                                 \
            check_failed(#cond, __FILE__, __LINE__, __func__); \
    } while (0)

/* Marks a place that cannot be reached. */
#define UNREACHABLE(words) check_failed(words, __FILE__, __LINE__, __func__)

/* Prints the condition and its place on stderr, and aborts. */
NO_RETURN void check_failed(const char *cond, const char *file, int line, const char *func);

#endif
