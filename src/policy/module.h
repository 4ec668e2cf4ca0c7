/* module.h -- what of the module `nexus` needs a core, a router or a mind.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_MODULE_H
#define NEXUS_POLICY_MODULE_H

#include "module/module.h"
#include "policy/policy_priv.h"

int l_policy_open_module(lua_State *lua);

/* The tables of this room, which go with those of the room module; NULL at the end. */
const struct module_table *const *policy_tables(void);

#endif
