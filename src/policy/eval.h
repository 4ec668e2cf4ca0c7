/* eval.h -- a text of Lua that somebody has typed, in the state of a policy.
 *
 * It is an expression or statements. Its globals are those of a policy, and `nexus`, `policy` (the
 * table that the policy returned), `print` (its lines are part of what comes out), and what is
 * assigned.
 *
 * Private to the room. All functions here may raise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_EVAL_H
#define NEXUS_POLICY_EVAL_H

#include "base/writer.h"
#include "policy/policy_priv.h"

#define MAX_EVAL_LEN  65536     /* of a text */
#define MAX_SHOWN_LEN (1 << 20) /* of what comes out; more is cut */

/* Remembers the table at the index as that of the policy. */
void l_eval_keep(lua_State *lua, int index);

/* Pushes globals. */
void l_eval_push_globals(lua_State *lua);

/* Pushes the function of a text, whose globals are at the index. What cannot be compiled is raised;
 * *is_incomplete: more text could make it right. */
void l_eval_compile(lua_State *lua, int globals, struct slice text, bool *is_incomplete);

/* Writes what was printed, which is forgotten, and the values from `first` to `last`; with a line end
 * if there is anything. */
void l_eval_show(lua_State *lua, int globals, int first, int last, struct writer *out);

#endif
