/* losses.h -- events that did not reach slow subscribers, told once a second.
 *
 * Not of WAMP: nexus.session.on_drops, with one argument, a list of
 * {"session": id, "dropped": events since the last time}.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_LOSSES_H
#define NEXUS_CORE_LOSSES_H

#include "core/session.h"

struct loss {
    uint64_t session; /* id; it may have ended meanwhile */
    uint64_t dropped;
};

struct losses {
    struct loss *of; /* owned array: those that lost something since the last event */
    size_t count, cap;
    struct timer timer; /* the next event; set when there is something to tell */
};

void losses_init(struct core *core);
void losses_fini(struct core *core);

/* The peer of this session lost so many events. */
void losses_add(struct core *core, struct session *session, uint64_t count);

void losses_on_timer(struct core *core);

#endif
