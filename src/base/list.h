/* list.h -- an intrusive doubly linked list.
 *
 * A list head and its members are all struct list nodes in a ring. A node that
 * is in no list points at itself or is all zero.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_LIST_H
#define NEXUS_BASE_LIST_H

#include "base/base.h"

struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *head)
{
    head->prev = head->next = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline bool list_is_linked(const struct list *node)
{
    return node->next != NULL && node->next != node;
}

/* Appends node at the end of the list. */
static inline void list_append(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* The same at the beginning. */
static inline void list_prepend(struct list *head, struct list *node)
{
    list_append(head->next, node);
}

/* Takes node out of its list. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->prev = node->next = node;
}

/* The first node, or NULL. */
static inline struct list *list_first(const struct list *head)
{
    return head->next == head ? NULL : head->next;
}

/* Walks the list; the body may remove the current node, and no other. */
#define list_each(head, node, after)                                            \
    for (struct list *node = (head)->next, *after = node->next; node != (head); \
         node = after, after = node->next)

#endif
