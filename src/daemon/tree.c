/* tree.c -- nodes, and what people call them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/tree.h"

#include "base/check.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(len >= 0);

    char *text = arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

struct node *node_new(struct arena *arena, enum node_type type)
{
    struct node *node = arena_alloc(arena, sizeof(*node));

    *node = (struct node){.type = type};
    return node;
}

struct node *node_text(struct arena *arena, const char *text)
{
    struct node *node = node_new(arena, NODE_TEXT);

    node->text = arena_format(arena, "%s", text);
    return node;
}

struct node *node_int(struct arena *arena, int64_t integer)
{
    struct node *node = node_new(arena, NODE_INT);

    node->integer = integer;
    return node;
}

struct node *node_bool(struct arena *arena, bool boolean)
{
    struct node *node = node_new(arena, NODE_BOOL);

    node->boolean = boolean;
    return node;
}

static bool is_word(const char *text)
{
    if (!isalpha((unsigned char)*text) && *text != '_')
        return false;
    for (; *text != '\0'; text++) {
        if (!isalnum((unsigned char)*text) && *text != '_')
            return false;
    }
    return true;
}

/* Names of realms are data, not options: they are shown as a key in brackets. */
static const char *child_name(struct arena *arena, const struct node *table, const char *key,
                              int64_t index)
{
    const char *parent = table->name == NULL ? "" : table->name;

    if (key == NULL)
        return arena_format(arena, "%s[%" PRId64 "]", parent, index);
    if (!is_word(key) || strcmp(parent, "realms") == 0)
        return arena_format(arena, "%s[\"%s\"]", parent, key);
    return arena_format(arena, "%s%s%s", parent, *parent == '\0' ? "" : ".", key);
}

void node_add(struct arena *arena, struct node *table, const char *key, struct node *child)
{
    CHECK(table->type == NODE_TABLE && child->next == NULL);
    if (key != NULL) {
        child->key = arena_format(arena, "%s", key);
    } else {
        child->key = NULL;
        if (child->index == 0)
            child->index = table->last == NULL ? 1 : table->last->index + 1;
    }
    if (child->name == NULL)
        child->name = child_name(arena, table, key, child->index);
    if (table->last == NULL)
        table->first = child;
    else
        table->last->next = child;
    table->last = child;
}

struct node *node_find(const struct node *table, const char *key)
{
    for (struct node *child = table->first; child != NULL; child = child->next) {
        if (child->key != NULL && strcmp(child->key, key) == 0)
            return child;
    }
    return NULL;
}

struct node *node_open(struct arena *arena, struct node *table, const char *key)
{
    struct node *child = node_find(table, key);

    if (child == NULL) {
        child = node_new(arena, NODE_TABLE);
        node_add(arena, table, key, child);
    }
    return child;
}

void node_remove(struct node *table, const char *key)
{
    struct node **link = &table->first, *previous = NULL;

    while (*link != NULL) {
        struct node *child = *link;
        if (child->key != NULL && strcmp(child->key, key) == 0) {
            *link = child->next;
            child->next = NULL;
            if (table->last == child)
                table->last = previous;
            return;
        }
        previous = child;
        link = &child->next;
    }
}

const char *node_words(struct arena *arena, const struct node *node)
{
    switch (node->type) {
    case NODE_BOOL:
        return node->boolean ? "true" : "false";
    case NODE_INT:
        return arena_format(arena, "the number %" PRId64, node->integer);
    case NODE_REAL:
        return arena_format(arena, "the number %.14g", node->real);
    case NODE_TEXT:
        return arena_format(arena, "the string \"%.200s\"", node->text);
    case NODE_TABLE:
        return node->first == NULL ? "an empty table" : "a table";
    case NODE_OTHER:
        return arena_format(arena, "a %s", node->text);
    }
    UNREACHABLE("node type");
}
