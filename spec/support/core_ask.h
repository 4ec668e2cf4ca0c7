/* core_ask.h -- questions, decisions and rules of a core, as Lua tables.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_CORE_ASK_H
#define NEXUS_SPEC_CORE_ASK_H

#include "core/ask.h"

#include <lua.h>

/* The field `rules` of the table: a list of roles
 *   { name = "guest", inherit = "everybody", rules = {
 *     { effect = "allow", actions = "call publish", uri = "com.**", disclose = true,
 *       trustlevel = 3, timeout = 100,
 *       options = a dict in MessagePack } } }
 * Compiled and owned by the caller; NULL when there is no such field. What is wrong with them is a
 * Lua error. */
struct rules *core_ask_rules(lua_State *L, int table);

/* Pushes a table of what a question says; dicts and payloads are encoded texts in it. */
void core_ask_push(lua_State *L, const struct question *question);

/* Reads a decision out of a table that keeps its texts alive; `extra`, `attributes`, `kwargs` and
 * what a grant replaces are encoded in `codec`, a name. `reads`, a list of names, goes into the
 * array, which has room for CORE_ASK_READS. */
#define CORE_ASK_READS 20

void core_ask_read(lua_State *L, int table, struct decision *decision, struct slice *reads);

#endif
