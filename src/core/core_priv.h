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
#include "core/kept.h"
#include "core/late.h"
#include "core/losses.h"
#include "core/recheck.h"
#include "core/reflection.h"
#include "core/session.h"
#include "core/throttle.h"

struct core {
    struct core_options options; /* strings owned */
    struct rng rng;
    struct intern intern;
    struct map by_peer;   /* peer -> session, owned */
    struct session *last; /* borrowed; who spoke last, since messages come in bursts; or NULL */
    struct map by_id;     /* session id -> session, borrowed */
    struct broker broker;
    struct dealer dealer;
    struct store store; /* owned */
    struct reflection reflection;
    struct losses losses;
    struct late_asks late;
    struct recheck recheck;
    struct kept kept;
    struct throttle throttle;
    struct slice *reserved; /* owned array; the strings are those of options */
    size_t reserved_count;
    uint64_t reserved_first[4]; /* bit set of the octets that they begin with */
    bool is_role_checked;       /* some messages are not for this realm, or not for every session */
    struct deadlines deadlines; /* borrowed nodes: session->deadline */
    struct map questions;       /* question id -> session, borrowed */
    struct map reviews;         /* question id -> struct review, of a call */
    uint64_t last_question;
    uint32_t joining_count;
    struct list challenged; /* those of them that have to answer, the oldest first */
    uint32_t trusted_count; /* sessions of the router's own code */
    uint64_t last_id;       /* last subscription or registration id */
    struct core_counters counters;
    struct arena scratch; /* of one step */

    /* Of the step at hand: */
    uint64_t now, wall;
    uint64_t came_at; /* when the message at hand came: before `now` if it had to wait */
    struct outbox *out;
    const struct session *leaving; /* it is being detached: nothing more is sent to it; or NULL */
    bool is_quiet;                 /* sessions end all at once: no testaments, no meta events */
};

/* True for what only the router itself may publish or register: "wamp", "wamp.x", and the same for
 * the other prefixes of the configuration. A pattern counts by its own literal beginning. */
bool core_looks_up_reserved(const struct core *core, struct slice uri);

static inline bool core_reserves(const struct core *core, struct slice uri)
{
    unsigned char first = uri.len == 0 ? 0 : (unsigned char)uri.data[0];

    return UNLIKELY((core->reserved_first[first / 64] >> (first % 64) & 1) != 0) &&
           core_looks_up_reserved(core, uri);
}

/* True for what this session may not publish or register. The router's own code may speak under
 * reserved names, but not under those of the protocol. */
static inline bool core_reserves_from(const struct core *core, const struct session *session,
                                      struct slice uri)
{
    return core_reserves(core, uri) && (!session->is_trusted || uri_is_within(uri, SLICE("wamp")));
}

/* Text, or its beginning, that a note may keep until the next step. */
const char *core_remember(struct core *core, struct slice text);

#endif
