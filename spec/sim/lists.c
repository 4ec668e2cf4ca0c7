/* lists.c -- see lists.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lists.h"

#include "base/check.h"
#include "base/mem.h"

void numbers_add(struct numbers *n, uint64_t number)
{
    if (n->count == n->cap) {
        n->cap = n->cap * 2 + 8;
        n->at = mem_grow(n->at, n->cap * sizeof(*n->at));
    }
    n->at[n->count++] = number;
}

bool numbers_remove(struct numbers *n, uint64_t number)
{
    for (size_t i = 0; i < n->count; i++) {
        if (n->at[i] == number) {
            n->at[i] = n->at[--n->count];
            return true;
        }
    }
    return false;
}

bool numbers_have(const struct numbers *n, uint64_t number)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->at[i] == number)
            return true;
    return false;
}

struct held *held_find(const struct held_list *list, uint64_t id)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i].id == id)
            return &list->at[i];
    return NULL;
}

void held_add(struct held_list *list, uint64_t id, enum match match, struct slice uri)
{
    struct held *held = held_find(list, id);

    if (held != NULL) { /* asked for twice: the same again */
        CHECK(held->match == match && slice_eq(held->uri, uri));
        return;
    }
    if (list->count == list->cap) {
        list->cap = list->cap * 2 + 8;
        list->at = mem_grow(list->at, list->cap * sizeof(*list->at));
    }
    list->at[list->count++] =
        (struct held){id, match, slice_make(mem_copy(uri.data, uri.len), uri.len)};
}

void held_remove(struct held_list *list, uint64_t id)
{
    struct held *held = held_find(list, id);

    CHECK(held != NULL);
    mem_free((void *)(uintptr_t)held->uri.data);
    *held = list->at[--list->count];
}

void held_clear(struct held_list *list)
{
    while (list->count != 0)
        held_remove(list, list->at[0].id);
    mem_free(list->at);
    *list = (struct held_list){0};
}
