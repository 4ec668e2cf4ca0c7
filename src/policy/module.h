/* module.h -- what of the module `nexus` needs a core, a router or a mind.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_MODULE_H
#define NEXUS_POLICY_MODULE_H

#include "core/grant.h"
#include "module/module.h"
#include "policy/policy_priv.h"

int l_policy_open_module(lua_State *lua);

/* What nexus.allow and nexus.deny make. */
struct ruling {
    bool is_allowed;
    struct grant grant;      /* allowed */
    struct slice uri, words; /* denied; len 0: none. They end with NUL */
};

/* The one at the index, or NULL. */
const struct ruling *module_ruling(lua_State *lua, int index);

/* The tables of this room, which go with those of the room module; NULL at the end. */
const struct module_table *const *policy_tables(void);

#endif
