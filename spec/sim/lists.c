/* lists.c -- see lists.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lists.h"

#include "base/check.h"
#include "base/mem.h"
#include "core/limits.h"

void losses_list_add(struct losses_list *list, uint64_t session, uint64_t count)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->at[i].session == session) {
            list->at[i].count += count;
            return;
        }
    }
    if (list->count == list->cap) {
        list->cap = list->cap * 2 + 8;
        list->at = mem_grow(list->at, list->cap * sizeof(*list->at));
    }
    list->at[list->count++] = (struct lost){session, count};
}

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

struct held *held_add(struct held_list *list, uint64_t id, enum match match, struct slice uri)
{
    CHECK(held_find(list, id) == NULL);
    if (list->count == list->cap) {
        list->cap = list->cap * 2 + 8;
        list->at = mem_grow(list->at, list->cap * sizeof(*list->at));
    }
    list->at[list->count] = (struct held){
        .id = id, .match = match, .uri = slice_make(mem_copy(uri.data, uri.len), uri.len)};
    return &list->at[list->count++];
}

void held_set_nkey(struct held *held, struct slice nkey)
{
    char *copy = NULL;

    if (nkey.data != NULL) {
        copy = mem_alloc(nkey.len + 1);
        memcpy(copy, nkey.data, nkey.len);
    }
    mem_free((void *)(uintptr_t)held->nkey.data);
    held->nkey = slice_make(copy, nkey.len);
}

void held_remove(struct held_list *list, uint64_t id)
{
    struct held *held = held_find(list, id);

    CHECK(held != NULL);
    mem_free((void *)(uintptr_t)held->uri.data);
    mem_free((void *)(uintptr_t)held->nkey.data);
    *held = list->at[--list->count];
}

void held_clear(struct held_list *list)
{
    while (list->count != 0)
        held_remove(list, list->at[0].id);
    mem_free(list->at);
    *list = (struct held_list){0};
}

void streams_add(struct streams *streams, uint64_t request, struct slice uri)
{
    if (streams->count == streams->cap) {
        streams->cap = streams->cap * 2 + 8;
        streams->at = mem_grow(streams->at, streams->cap * sizeof(*streams->at));
    }
    streams->at[streams->count++] = (struct stream){
        .request = request, .uri = slice_make(mem_copy(uri.data, uri.len), uri.len)};
}

struct stream *streams_find(const struct streams *streams, uint64_t request)
{
    for (size_t i = 0; i < streams->count; i++)
        if (streams->at[i].request == request && streams->at[i].over_at == 0)
            return &streams->at[i];
    return NULL;
}

void streams_end(struct streams *streams, uint64_t request, uint64_t now)
{
    struct stream *stream = streams_find(streams, request);

    if (stream == NULL)
        return;
    stream->over_at = now;
    stream->over_as = streams->over++;
}

bool streams_remember(const struct streams *streams, uint64_t request, uint64_t now)
{
    for (size_t i = 0; i < streams->count; i++) {
        const struct stream *stream = &streams->at[i];

        if (stream->request == request && stream->over_at != 0 &&
            now - stream->over_at <= FINISHED_CALL_MS &&
            streams->over - stream->over_as <= MAX_FINISHED_CALLS)
            return true;
    }
    return false;
}

void streams_clear(struct streams *streams)
{
    for (size_t i = 0; i < streams->count; i++)
        mem_free((void *)(uintptr_t)streams->at[i].uri.data);
    mem_free(streams->at);
    *streams = (struct streams){0};
}
