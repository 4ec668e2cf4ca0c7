/* filters.h -- who gets an event: nexus.only, nexus.except, and predicates.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_FILTERS_H
#define NEXUS_POLICY_FILTERS_H

#include "core/audience.h"
#include "module/module.h"

struct hearing;

/* The filter at the index, or NULL; borrowed from its object. */
const struct audience *filters_at(lua_State *lua, int index);

/* Asks the predicate at the index about all who could get the event of the hearing's question, and
 * makes an audience of what it says. Held by the caller. Within a protected call. */
struct audience *l_filters_judge(lua_State *lua, int index, struct hearing *hearing);

extern const struct module_table policy_filters, policy_filter_class;

#endif
