/* lists.h -- short lists that a peer keeps of what it has and waits for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_LISTS_H
#define NEXUS_SPEC_LISTS_H

#include "wire/uri.h"

/* A subscription or registration that a peer holds. */
struct held {
    uint64_t id;
    enum match match;
    struct slice uri; /* owned */
};

struct held_list {
    struct held *at; /* owned */
    size_t count, cap;
};

struct numbers {
    uint64_t *at; /* owned */
    size_t count, cap;
};

void numbers_add(struct numbers *n, uint64_t number);

/* False when it is not there. */
bool numbers_remove(struct numbers *n, uint64_t number);
bool numbers_have(const struct numbers *n, uint64_t number);

/* NULL when it is not there. */
struct held *held_find(const struct held_list *list, uint64_t id);

/* Keeps a copy of the URI. What is there already must be the same. */
void held_add(struct held_list *list, uint64_t id, enum match match, struct slice uri);

/* It must be there. */
void held_remove(struct held_list *list, uint64_t id);
void held_clear(struct held_list *list);

#endif
