/* actor_kit.h -- what peers in this process have in common: messages come decoded.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_ACTOR_KIT_H
#define NEXUS_SPEC_ACTOR_KIT_H

#include "unit.h"
#include "wire/msg.h"

/* Decodes a message of the router and hands it over. */
static inline void kit_decode(void *ctx, struct slice message,
                              void (*on_message)(void *ctx, const struct msg *msg))
{
    const struct msg_limits limits = {.raw_payload = true};
    struct arena arena;
    struct fault fault;
    struct msg msg;

    arena_init(&arena);
    if (msg_decode(&msg, CODEC_MSGPACK, message, &limits, &arena, &fault) == 0)
        on_message(ctx, &msg);
    else
        UNIT_FAIL("not a message: %s", fault.words);
    arena_fini(&arena);
}

#endif
