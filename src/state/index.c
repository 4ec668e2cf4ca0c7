/* index.c -- see index.h.
 *
 * Invariant: while `old` is there, a node is in old when the chain of its hash there
 * was not moved yet, else in slots. A table is exchanged for one of twice or half
 * its size only when the last exchange is complete, and it always is in time: a
 * change moves MOVED_AT_ONCE chains, so a table of n slots is moved after n / 4
 * changes, and it takes more than that to want the next exchange.
 *
 * SPDX-License-Identifier: MIT
 */
#include "state/index.h"

#include "base/check.h"
#include "base/mem.h"

#include <sys/mman.h>

#define FIRST_SLOTS   16
#define MOVED_AT_ONCE 4
#define LARGE         65536 /* octets */

void index_init(struct index *index)
{
    *index = (struct index){0};
}

/* A large table comes from the kernel: for one malloc would first put all small pieces together that
 * were freed, which takes milliseconds where there are hundred thousands of them. */
static struct index_node **table_new(size_t slots)
{
    size_t len = slots * sizeof(struct index_node *);
    void *table;

    if (len < LARGE)
        return mem_zero(slots, sizeof(struct index_node *));
    table = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(table != MAP_FAILED);
    return table;
}

static void table_free(struct index_node **table, size_t slots)
{
    size_t len = slots * sizeof(struct index_node *);

    if (len < LARGE)
        mem_free(table);
    else
        munmap(table, len);
}

void index_fini(struct index *index)
{
    if (index->slots != NULL)
        table_free(index->slots, index->mask + 1);
    if (index->old != NULL)
        table_free(index->old, index->old_mask + 1);
    index_init(index);
}

static struct index_node **chain_of(const struct index *index, uint64_t hash)
{
    size_t at = (size_t)hash & index->old_mask;

    if (index->old != NULL && at >= index->moved)
        return &index->old[at];
    return &index->slots[(size_t)hash & index->mask];
}

struct index_node *index_chain(const struct index *index, uint64_t hash)
{
    return index->slots == NULL ? NULL : *chain_of(index, hash);
}

static void move_some(struct index *index)
{
    if (index->old == NULL)
        return;
    for (unsigned i = 0; i < MOVED_AT_ONCE && index->moved <= index->old_mask; i++) {
        struct index_node *node = index->old[index->moved], *next;

        for (; node != NULL; node = next) {
            struct index_node **to = &index->slots[(size_t)node->hash & index->mask];

            next = node->next;
            node->next = *to;
            *to = node;
        }
        index->old[index->moved++] = NULL;
    }
    if (index->moved <= index->old_mask)
        return;
    table_free(index->old, index->old_mask + 1);
    index->old = NULL;
}

static void exchange(struct index *index, size_t slots)
{
    index->old = index->slots;
    index->old_mask = index->mask;
    index->moved = 0;
    index->slots = table_new(slots);
    index->mask = slots - 1;
}

void index_put(struct index *index, struct index_node *node)
{
    struct index_node **chain;

    if (index->slots == NULL)
        exchange(index, FIRST_SLOTS);
    else if (index->old == NULL && index->count > index->mask)
        exchange(index, (index->mask + 1) * 2);
    move_some(index);
    chain = chain_of(index, node->hash);
    node->next = *chain;
    *chain = node;
    index->count++;
}

void index_remove(struct index *index, struct index_node *node)
{
    struct index_node **link = chain_of(index, node->hash);

    while (*link != node) {
        CHECK(*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    index->count--;
    if (index->old == NULL && index->mask >= FIRST_SLOTS && index->count < index->mask / 8)
        exchange(index, (index->mask + 1) / 2);
    move_some(index);
}

struct index_node *index_next(const struct index *index, size_t *at, struct index_node *next)
{
    size_t old_slots = index->old == NULL ? 0 : index->old_mask + 1;
    size_t slots = index->slots == NULL ? 0 : index->mask + 1;

    while (next == NULL && *at < old_slots + slots) {
        next = *at < old_slots ? index->old[*at] : index->slots[*at - old_slots];
        ++*at;
    }
    return next;
}
