/* mischief.h -- what whoever decides for the realm of asks.h does to it meanwhile, by chance.
 *
 * Other rules and limits, judged again or not; attributes; ends; answers forgotten.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_MISCHIEF_H
#define NEXUS_SPEC_MISCHIEF_H

#include "choice.h"
#include "core/core.h"
#include "lists.h"

#define MISCHIEF_LIMITS 3

/* What an event points at. */
struct mischief {
    struct core_options options;
    struct limit_options limits[MISCHIEF_LIMITS];
    struct renewal renewal;
    struct change change;
    struct ending ending;
    struct forget forget;
    struct fault fault;
    bool has_waits; /* there is a limit with which requests wait */
};

/* Rules of one kind or another; "anonymous" and "staff" are mostly there. */
struct rules *mischief_rules(struct choices *c);

/* Limits into the options. */
void mischief_limits(struct choices *c, struct mischief *m, struct core_options *options);

/* Fills in an event about these sessions; of EV_RULES the rules are new. */
void mischief_choose(struct choices *c, const struct numbers *sessions, struct mischief *m,
                     struct event *ev);

#endif
