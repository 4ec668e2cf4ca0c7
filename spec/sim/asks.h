/* asks.h -- a realm that asks about everything, guests who do not wait, and a judge who is slow.
 *
 * Whether guests come in, and whether they may do what they want, is decided by a
 * judge at some other time, in any order. After every step core_check() must hold,
 * and: each question can be looked at until it is answered or taken back, and no
 * longer; each request is answered once, whatever it was changed to, requests but CALLs in
 * their order; nobody is asked about the router's own code; nothing
 * waits without a question; nobody is held back who has no room to wait for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_ASKS_H
#define NEXUS_SPEC_ASKS_H

#include "choice.h"

struct asks_totals {
    uint64_t questions, answered, taken_back, waited, held, joins, reviewed, rewritten;
    uint64_t revoked, limited, kept;
    uint64_t filtered, retained;
};

/* So many steps, or as many as there are choices; then all end, and nothing may be left. */
void asks_run(struct choices *c, uint64_t steps, struct asks_totals *totals);

#endif
