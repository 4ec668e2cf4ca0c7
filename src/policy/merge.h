/* merge.h -- nexus.merge: two policies as one.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_MERGE_H
#define NEXUS_POLICY_MERGE_H

#include "module/module.h"

extern const struct module_table policy_merge;

#endif
