/* gate.h -- the router that policy.check is given.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_TESTING_GATE_H
#define NEXUS_TESTING_GATE_H

#include "policy/policy.h"

/* For policy_set_tester. */
extern const struct policy_tester testing_gate;

#endif
