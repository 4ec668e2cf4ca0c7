/* trace.h -- where a coroutine is, in words.
 *
 * Private to the room. Nothing is allocated in Lua, as it is needed where memory has run out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_TRACE_H
#define NEXUS_SCRIPT_TRACE_H

#include <lua.h>

#include <stddef.h>

/* "file:line: " of the innermost Lua function at `level` or above; nothing when there is none. */
void trace_place(lua_State *lua, int level, char *out, size_t len);

/* A line for each Lua function from `level` on, the innermost first. */
void trace_all(lua_State *lua, int level, char *out, size_t len);

#endif
