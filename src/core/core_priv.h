/* core_priv.h -- what a core is made of. Never leaves this room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_CORE_PRIV_H
#define NEXUS_CORE_CORE_PRIV_H

#include "base/arena.h"
#include "core/broker.h"
#include "core/core.h"
#include "core/dealer.h"
#include "core/intern.h"
#include "core/session.h"

struct core {
    struct core_options options; /* strings owned */
    struct rng rng;
    struct intern intern;
    struct map by_peer;   /* peer -> session, owned */
    struct session *last; /* borrowed; who spoke last, since messages come in bursts; or NULL */
    struct map by_id;     /* session id -> session, borrowed */
    struct broker broker;
    struct dealer dealer;
    struct deadlines deadlines;        /* borrowed nodes: session->deadline */
    uint64_t last_id;                  /* last subscription or registration id */
    uint32_t key_authid, key_authrole; /* interned names of attributes */
    struct core_counters counters;
    struct arena scratch; /* of one step */

    /* Of the step at hand: */
    uint64_t now, wall;
    struct outbox *out;
};

#endif
