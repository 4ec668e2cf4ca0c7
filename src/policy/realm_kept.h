/* realm_kept.h -- of nexus.realm: answers that are kept, what was allowed before, retained events.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_REALM_KEPT_H
#define NEXUS_POLICY_REALM_KEPT_H

#include <lua.h>

/* realm:forget_decisions(selector) */
int l_realm_forget(lua_State *lua);

/* realm:recheck(selector) */
int l_realm_recheck(lua_State *lua);

/* realm:retained(topic) */
int l_realm_retained(lua_State *lua);

/* What these need: once for each state. */
void l_realm_kept_open(lua_State *lua);

#endif
