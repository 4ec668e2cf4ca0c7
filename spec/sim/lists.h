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
    struct slice uri;  /* owned */
    struct slice nkey; /* owned; data NULL: none */
    uint64_t since;    /* step in which it began */
    bool is_listener;  /* events of the router may come by it */
    /* Of one step: what was heard of the router itself by this subscription. */
    uint64_t heard_in, heard, heard_sum, last_session, last_order;
};

struct held_list {
    struct held *at; /* owned */
    size_t count, cap;
};

/* Events that sessions lost. */
struct losses_list {
    struct lost {
        uint64_t session, count;
    } * at; /* owned */
    size_t count, cap;
};

struct numbers {
    uint64_t *at; /* owned */
    size_t count, cap;
};

/* A call whose input comes in chunks. */
struct stream {
    uint64_t request;
    struct slice uri; /* owned */
    bool inputs_done; /* the last chunk was sent */
    uint64_t over_at; /* instant; 0: pending */
    uint64_t over_as; /* how many streams of the peer were over then */
};

struct streams {
    struct stream *at; /* owned */
    size_t count, cap;
    uint64_t over;
};

/* Keeps a copy of the URI. */
void streams_add(struct streams *streams, uint64_t request, struct slice uri);

/* The one that is pending under this request, or NULL. */
struct stream *streams_find(const struct streams *streams, uint64_t request);

/* The call is over, if it was a stream. */
void streams_end(struct streams *streams, uint64_t request, uint64_t now);

/* Whether a router still knows that this request was a stream which is over. */
bool streams_remember(const struct streams *streams, uint64_t request, uint64_t now);
void streams_clear(struct streams *streams);

/* So many more. */
void losses_list_add(struct losses_list *list, uint64_t session, uint64_t count);

void numbers_add(struct numbers *n, uint64_t number);

/* False when it is not there. */
bool numbers_remove(struct numbers *n, uint64_t number);
bool numbers_have(const struct numbers *n, uint64_t number);

/* NULL when it is not there. */
struct held *held_find(const struct held_list *list, uint64_t id);

/* Keeps a copy of the URI. */
struct held *held_add(struct held_list *list, uint64_t id, enum match match, struct slice uri);

/* Keeps a copy of the key instead of the old one. */
void held_set_nkey(struct held *held, struct slice nkey);

/* It must be there. */
void held_remove(struct held_list *list, uint64_t id);
void held_clear(struct held_list *list);

#endif
