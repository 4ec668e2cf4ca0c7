/* index.h -- a hash table of intrusive nodes that grows a little at each change.
 *
 * The maps of base are rebuilt in one go when they are full, which takes
 * milliseconds where there are hundred thousands of entries. Here the old table
 * stays beside the new one and each change moves a few of its chains.
 *
 * The caller hashes (with a secret seed), compares, and owns the nodes.
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_STATE_INDEX_H
#define NEXUS_STATE_INDEX_H

#include "base/base.h"

/* Nodes are allocated with this many octets at least: smaller pieces are not put together again
 * when they are freed, but all at once at some later time, which takes milliseconds where they
 * are hundred thousands. */
#define INDEX_NODE_MIN 136

struct index_node {
    struct index_node *next;
    uint64_t hash;
};

struct index {
    struct index_node **slots, **old; /* owned; old NULL: nothing is being moved */
    size_t mask, old_mask, moved;     /* the chains of old before `moved` are empty */
    size_t count;
};

/* The length to allocate for a node of so many octets. */
static inline size_t index_node_room(size_t len)
{
    return len < INDEX_NODE_MIN ? INDEX_NODE_MIN : len;
}

void index_init(struct index *index);

/* The nodes are not touched. */
void index_fini(struct index *index);

/* The chain in which nodes with that hash are, others too; NULL: there is none. */
struct index_node *index_chain(const struct index *index, uint64_t hash);

/* Puts in a node whose hash is set; takes out one that is in. */
void index_put(struct index *index, struct index_node *node);
void index_remove(struct index *index, struct index_node *node);

/* Walks all nodes: start with *at = 0 and next NULL, then give the `next` of the node before, which
 * may be freed by then. NULL at the end. Nothing else may change. */
struct index_node *index_next(const struct index *index, size_t *at, struct index_node *next);

#endif
