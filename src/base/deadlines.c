/* deadlines.c -- a binary heap of pointers to intrusive nodes.
 *
 * Invariant: no node is earlier than the one at (i - 1) / 2, and the node at i
 * has place i + 1.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/deadlines.h"

#include "base/check.h"
#include "base/mem.h"

#define FIRST_CAP 16

static bool is_earlier(const struct deadline *a, const struct deadline *b)
{
    return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

static void put(struct deadlines *d, size_t i, struct deadline *node)
{
    d->heap[i] = node;
    node->place = i + 1;
}

/* Lets node, whose place is i, rise to where it belongs. */
static void rise(struct deadlines *d, size_t i, struct deadline *node)
{
    while (i > 0) {
        size_t above = (i - 1) / 2;
        if (!is_earlier(node, d->heap[above]))
            break;
        put(d, i, d->heap[above]);
        i = above;
    }
    put(d, i, node);
}

static void sink(struct deadlines *d, size_t i, struct deadline *node)
{
    for (;;) {
        size_t below = 2 * i + 1;
        if (below >= d->count)
            break;
        if (below + 1 < d->count && is_earlier(d->heap[below + 1], d->heap[below]))
            below++;
        if (!is_earlier(d->heap[below], node))
            break;
        put(d, i, d->heap[below]);
        i = below;
    }
    put(d, i, node);
}

static void settle(struct deadlines *d, size_t i, struct deadline *node)
{
    if (i > 0 && is_earlier(node, d->heap[(i - 1) / 2]))
        rise(d, i, node);
    else
        sink(d, i, node);
}

void deadlines_init(struct deadlines *d)
{
    *d = (struct deadlines){0};
}

void deadlines_fini(struct deadlines *d)
{
    mem_free(d->heap);
    deadlines_init(d);
}

void deadlines_set(struct deadlines *d, struct deadline *node, uint64_t at)
{
    node->at = at;
    node->seq = d->seq++;
    if (node->place != 0) {
        CHECK(node->place <= d->count && d->heap[node->place - 1] == node);
        settle(d, node->place - 1, node);
        return;
    }

    if (d->count == d->cap) {
        d->cap = d->cap == 0 ? FIRST_CAP : d->cap * 2;
        d->heap = mem_grow(d->heap, d->cap * sizeof(*d->heap));
    }
    d->count++;
    rise(d, d->count - 1, node);
}

void deadlines_cancel(struct deadlines *d, struct deadline *node)
{
    if (node->place == 0)
        return;

    size_t i = node->place - 1;
    CHECK(i < d->count && d->heap[i] == node);
    node->place = 0;
    d->count--;
    if (i < d->count)
        settle(d, i, d->heap[d->count]);
    if (d->cap > FIRST_CAP && d->count < d->cap / 8) {
        d->cap /= 2;
        d->heap = mem_grow(d->heap, d->cap * sizeof(*d->heap));
    }
}

uint64_t deadlines_next(const struct deadlines *d)
{
    return d->count == 0 ? NEVER : d->heap[0]->at;
}

struct deadline *deadlines_due(struct deadlines *d, uint64_t now)
{
    if (d->count == 0 || d->heap[0]->at > now)
        return NULL;

    struct deadline *node = d->heap[0];
    deadlines_cancel(d, node);
    return node;
}

/* What is below one that is not due is not due either, so only the due ones and their neighbours are
 * looked at. */
static size_t count_due(const struct deadlines *d, size_t i, uint64_t now)
{
    if (i >= d->count || d->heap[i]->at > now)
        return 0;
    return 1 + count_due(d, 2 * i + 1, now) + count_due(d, 2 * i + 2, now);
}

size_t deadlines_count_due(const struct deadlines *d, uint64_t now)
{
    return count_due(d, 0, now);
}
