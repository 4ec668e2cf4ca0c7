/* limit.h -- a limit of a policy, compiled: what it is for, and whom it counts together.
 *
 * Private to throttle.c, seats.c and limit.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_CORE_LIMIT_H
#define NEXUS_CORE_LIMIT_H

#include "core/rules_pattern.h"
#include "core/session.h"
#include "core/throttle.h"

/* What one bucket is for. */
enum limit_per { PER_REALM, PER_SESSION, PER_IP, PER_ATTRIBUTE };

struct limit {
    struct limit *next; /* for the same action */
    uint64_t serial;    /* of its buckets; the same as long as the definition is */
    struct slice name;  /* owned: the definition as text, without what is done when it is over */
    enum limit_per per;
    uint32_t key;  /* PER_ATTRIBUTE: interned, counted */
    uint32_t role; /* interned, counted; INTERN_NONE: any */
    enum limit_over over;
    uint64_t interval; /* ns from token to token */
    uint64_t capacity; /* ns that it takes to fill the bucket */
    uint32_t max;      /* sessions */
    bool has_pattern;
    struct rules_pattern pattern; /* its text is in the arena */
    struct arena arena;
};

/* Values that are no number of the intern table. */
#define VALUE_IS_SESSION (UINT64_C(1) << 63)

struct limit *limit_new(struct core *core, const struct limit_options *options);
void limit_free(struct core *core, struct limit *limit);

/* Whether it is for the session, and for the URI when there is one. */
bool limit_is_for(const struct core *core, const struct limit *limit, const struct session *session,
                  struct slice uri);

/* What the session counts under. A number of the intern table is pinned as long as somebody holds
 * it. */
uint64_t limit_value(struct core *core, const struct limit *limit, struct session *session);
void limit_hold_value(struct core *core, const struct limit *limit, uint64_t value);
void limit_drop_value(struct core *core, const struct limit *limit, uint64_t value);

/* True when HELLO is enough to know what it counts under. */
bool limit_knows_at_hello(const struct limit *limit);

/* The network of a peer, or all that is said of one that has none: interned, counted. */
uint32_t limit_address(struct core *core, struct slice peer);

/* seats.c: the sessions that a limit counts. */
bool seats_are_free(struct core *core, struct session *session, struct throttled *throttled);
void seats_clear(struct core *core, struct session *session); /* ends those that must make room */
void seats_take(struct core *core, struct session *session);
void seats_leave(struct core *core, struct session *session);
void seats_check(const struct core *core);

#endif
