/* core_audience.h -- audiences as Lua tables.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_CORE_AUDIENCE_H
#define NEXUS_SPEC_CORE_AUDIENCE_H

#include "core/audience.h"
#include "core/core.h"

#include <lua.h>

/* The value on top of the stack, which stays there:
 *   "nobody"
 *   { only = "org", values = { "acme", 3, true, { publisher = "org" } } }, { except = ... }
 *   { both = { one, other } }, { either = { one, other } }
 *   { predicate = function(session) return is_in, { { "value", "org" }, { "has", "teams", "x" },
 *     { "self" } } end }
 * A predicate gets the ids of candidates of the question, and returns what it looked at. `core` and
 * `question` may be NULL where there are none. Held once; what is wrong is a Lua error. */
const struct audience *core_audience_read(lua_State *L, struct core *core,
                                          const struct question *question,
                                          const struct grant *grant);

#endif
