/* lines.h -- in which line of a Lua text a key stands.
 *
 * A Lua value does not know where it was written, so the text is read a second
 * time, only for the shape of its table constructors. For tables written down
 * literally the answer is exact; for computed ones it is the nearest key of
 * that name, or nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_LINES_H
#define NEXUS_DAEMON_LINES_H

#include "base/arena.h"

/* A key or list item in the text. */
struct spot {
    const struct spot *parent; /* NULL: outside of all tables */
    struct slice key;          /* data NULL: a list item, with `index` */
    int64_t index;
    unsigned line;
    struct spot *next; /* in the order of the text */
};

struct lines {
    struct spot *first; /* owned by the arena */
    struct spot *root;  /* the last table that is returned at top level; NULL: none */
};

/* Reads a Lua text. Any text will do. */
void lines_read(struct lines *lines, struct slice text, struct arena *arena);

/* Where a child of the table at `parent` (NULL: not known) stands. `key` data NULL: the item
 * `index`. NULL when there is no such place. */
const struct spot *lines_find(const struct lines *lines, const struct spot *parent,
                              struct slice key, int64_t index);

#endif
