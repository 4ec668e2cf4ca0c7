/* core_govern.h -- what a policy does to a core, and what it sees in it, for Lua.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_CORE_GOVERN_H
#define NEXUS_SPEC_CORE_GOVERN_H

#include "core/look.h"

#include <lua.h>

/* The fields `expose`, a list of names, and `limits`, a list of
 *   { action = "call", per = "authid", rate = 0.5, burst = 2, over = "wait", role = , uri = , max = }
 * into the options. Leaves their memory on the stack. */
void core_govern_read(lua_State *L, int table, struct core_options *options);

/* Pushes a table of what is seen of a session; details and vars are encoded texts in it. */
void core_govern_push_look(lua_State *L, const struct look *look);

/* The value on top of the stack, which must stay alive. */
struct token core_govern_token(lua_State *L);

/* Pushes lists: of the ids of sessions with all of {name = value, ...} at `table`; of {session, id,
 * match, uri} for subscribers and callees; of {publication, publisher, args} for retained events. */
void core_govern_push_sessions(lua_State *L, const struct core *core, int table);
void core_govern_push_subscribers(lua_State *L, const struct core *core, struct slice topic);
void core_govern_push_callees(lua_State *L, const struct core *core, struct slice uri);
void core_govern_push_retained(lua_State *L, const struct core *core, struct slice topic);

#endif
