/* judge.h -- what the judge of asks.h answers, by chance.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_JUDGE_H
#define NEXUS_SPEC_JUDGE_H

#include "choice.h"
#include "core/ask.h"

/* Fills in a decision about the question, in JSON. `wall` is the clock of those who expire. */
void judge_decide(struct choices *c, uint64_t wall, const struct question *question,
                  struct decision *decision);

#endif
