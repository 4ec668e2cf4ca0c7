/* audiences.h -- who gets an event, by chance: conditions, and trees as predicates make them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_AUDIENCES_H
#define NEXUS_SPEC_AUDIENCES_H

#include "choice.h"
#include "core/audience.h"
#include "core/core.h"

/* An answer to the question, made before anything else happens; held by the caller, or NULL:
 * everybody. Without a question it is a filter of a rule. */
const struct audience *audience_by_chance(struct choices *c, struct core *core,
                                          const struct question *question,
                                          const struct grant *grant);

#endif
