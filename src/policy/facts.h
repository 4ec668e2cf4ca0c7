/* facts.h -- parts of messages and connections as values of Lua.
 *
 * Private to the room. All functions push one value, and may raise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_FACTS_H
#define NEXUS_POLICY_FACTS_H

#include "core/look.h"
#include "script/values.h"

/* The value under a key of an encoded dict (the last one of that name), or nil. */
void l_facts_push_entry(lua_State *lua, enum codec codec, struct slice dict, struct slice key,
                        const char *path);

/* An empty list or dict. */
void l_facts_push_empty(lua_State *lua, enum values_shape shape);

/* How a client is connected: of one that says HELLO, and of a session. */
void l_facts_push_transport(lua_State *lua, const struct transport *transport);
void l_facts_push_session_transport(lua_State *lua, const struct look *look);

#endif
