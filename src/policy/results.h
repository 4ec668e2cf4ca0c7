/* results.h -- positional and named values together: what nexus.result makes, and calls return.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_RESULTS_H
#define NEXUS_POLICY_RESULTS_H

#include "module/module.h"
#include "wire/codec.h"

/* Makes one of a list and a dict at the top of the stack (args, kwargs), and pops them. */
void l_results_push(lua_State *lua);

/* Writes what is on the stack from `first` on as Arguments and ArgumentsKw of a message: all of it
 * is positional, unless it is one result. */
void l_results_put(lua_State *lua, struct encoder *e, int first);

/* nexus.result, and its class. */
extern const struct module_table policy_results;

#endif
