/* tree.h -- a configuration as it was written, before anybody knows what it means.
 *
 * Lua files, nexus's JSON files and command lines all become such a tree; one
 * checker (config.c) reads it. Every node remembers where it stood.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_TREE_H
#define NEXUS_DAEMON_TREE_H

#include "base/arena.h"

/* Tables within tables; the deepest option is at 4. */
#define MAX_TREE_DEPTH 16

enum node_type {
    NODE_BOOL,  /* boolean */
    NODE_INT,   /* integer */
    NODE_REAL,  /* real */
    NODE_TEXT,  /* text */
    NODE_TABLE, /* children */
    NODE_OTHER, /* text: the name of a type that no option has */
};

struct node {
    enum node_type type;
    bool boolean;
    int64_t integer;
    double real;
    const char *text;
    const char *key;                  /* NULL: an item of a list, with `index` */
    int64_t index;                    /* from 1 */
    const char *name;                 /* where it is, for people: limits.max_connections */
    unsigned line;                    /* 0: not known */
    struct node *first, *last, *next; /* children, and the next child of the parent */
};

/* All nodes and texts live in the arena. */
struct node *node_new(struct arena *arena, enum node_type type);
struct node *node_text(struct arena *arena, const char *text);
struct node *node_int(struct arena *arena, int64_t integer);
struct node *node_bool(struct arena *arena, bool boolean);

/* Appends a child under a key, or as the next item of a list (key NULL). A node without a name
 * gets one; a name that it has already stays (where it was in another file). */
void node_add(struct arena *arena, struct node *table, const char *key, struct node *child);

/* The child with that key, or NULL. */
struct node *node_find(const struct node *table, const char *key);

/* The child with that key; made (a table) when there is none. */
struct node *node_open(struct arena *arena, struct node *table, const char *key);

/* Takes the child with that key out, if there is one. */
void node_remove(struct node *table, const char *key);

/* What stands there, for people: `the number 5`, `the string "x"`, `a table`. */
const char *node_words(struct arena *arena, const struct node *node);

/* printf into the arena. */
char *arena_format(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
