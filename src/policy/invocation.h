/* invocation.h -- one call of a procedure that a policy has. See handlers.h.
 *
 * procedures.c begins and ends it; call_view.c is what its handler sees of it.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_INVOCATION_H
#define NEXUS_POLICY_INVOCATION_H

#include "policy/facts.h"
#include "policy/handlers.h"

/* More input of a progressive call. */
struct chunk {
    struct list link;
    struct msg msg;
    char bytes[];
};

struct invocation {
    struct fiber fiber;
    struct list of_mind; /* mind->invocations */
    struct list link;    /* endpoint->waiting or ->busy, mind->idle_invocations, or none */
    struct mind *mind;
    struct endpoint *endpoint; /* NULL: it is gone */
    uint32_t generation;       /* of the views of it */
    uint64_t id, caller;
    struct handler handler;
    struct texts *texts;     /* held: the handler's, while it runs */
    struct version *version; /* the fiber's, as long as that lives */
    struct msg msg;          /* the INVOCATION; its slices are in the arena */
    struct arena arena;
    bool wants_progress, is_sealed, has_more, has_begun;
    struct list chunks; /* owned */
    size_t chunk_count, chunks_len;
    struct input *input; /* it waits for a chunk */
    struct blob *result; /* owned; made while its coroutine was there: what `payload` points to */
    struct payload payload;
    struct blob *error; /* the same: an ERROR, whole */
    int on_cancel;      /* reference to a list of functions; LUA_NOREF: there is none */
    bool is_answered;
    const char *cancel; /* static: why it is canceled; NULL: it is not */
};

/* The next piece of input, which stays the invocation's; NULL: none is there. */
struct chunk *invocation_chunk(struct invocation *invocation);
void invocation_drop_chunk(struct invocation *invocation, struct chunk *chunk);

/* ---- call_view.c ---- */

/* Pushes `call`, what the handler gets. */
void l_call_push(lua_State *lua, struct invocation *invocation);

/* More input is there, or the call is over: the handler that waits for input is told. */
void call_view_more(struct invocation *invocation);
void call_view_close(struct invocation *invocation);

/* Runs what call:on_cancel was given; and does so when time is over, or forgets it. */
void call_view_cancel(struct invocation *invocation);
void call_view_end(struct invocation *invocation, bool is_late);

#endif
