/* talk.h -- what peers do: one choice after another.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_TALK_H
#define NEXUS_SPEC_TALK_H

#include "world.h"

/* Some peer does something, or time goes by. */
void talk_step(struct world *world, struct choices *c);

#endif
