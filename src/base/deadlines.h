/* deadlines.h -- a heap of instants. It is told the time and never asks.
 *
 * Nodes are intrusive. Instants are milliseconds of any clock; two equal ones
 * come due in the order in which they were set.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_DEADLINES_H
#define NEXUS_BASE_DEADLINES_H

#include "base/base.h"

#define NEVER UINT64_MAX

struct deadline {
    uint64_t at;  /* instant, ms */
    uint64_t seq; /* breaks ties */
    size_t place; /* index in the heap plus one; 0: not set */
};

struct deadlines {
    struct deadline **heap; /* array owned, nodes borrowed */
    size_t count, cap;
    uint64_t seq;
};

void deadlines_init(struct deadlines *d);
void deadlines_fini(struct deadlines *d);

/* Sets or moves a deadline. */
void deadlines_set(struct deadlines *d, struct deadline *node, uint64_t at);

/* Takes it out; fine when it is not set. */
void deadlines_cancel(struct deadlines *d, struct deadline *node);

/* The earliest instant, or NEVER. */
uint64_t deadlines_next(const struct deadlines *d);

/* Takes out and returns the earliest deadline that is not after now, or NULL. */
struct deadline *deadlines_due(struct deadlines *d, uint64_t now);

/* How many are not after now; they stay in. */
size_t deadlines_count_due(const struct deadlines *d, uint64_t now);

static inline bool deadline_is_set(const struct deadline *node)
{
    return node->place != 0;
}

#endif
