/* module.h -- the module `nexus`, as policies require it.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_MODULE_H
#define NEXUS_POLICY_MODULE_H

#include "core/grant.h"
#include "policy/policy_priv.h"

int l_module_open(lua_State *lua);

/* What nexus.allow and nexus.deny make. */
struct ruling {
    bool is_allowed;
    struct grant grant;      /* allowed */
    struct slice uri, words; /* denied; len 0: none. They end with NUL */
};

/* The one at the index, or NULL. */
const struct ruling *module_ruling(lua_State *lua, int index);

/* A function of the module: what it is called by, and what documentation is made from. */
struct module_row {
    const char *name;
    lua_CFunction fn; /* NULL: it comes from the room of Lua, or is no function */
    const char *arguments;
    const char *words;
};

/* All of them; the last has no name. */
const struct module_row *module_rows(void);

#endif
