/* results.h -- positional and named values together: what nexus.result makes, and calls return.
 *
 * Private to the room.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_POLICY_RESULTS_H
#define NEXUS_POLICY_RESULTS_H

#include "module/module.h"
#include "wire/msg.h"

/* Makes one of a list and a dict at the top of the stack (args, kwargs), and pops them. */
void l_results_push(lua_State *lua);

/* Writes what is on the stack from `first` on as Arguments and ArgumentsKw of a message: all of it
 * is positional, unless it is one result. */
void l_results_put(lua_State *lua, int first);

/* The same as a payload of its own, whose slices are borrowed from the blob; held by the caller. */
struct blob *l_results_payload(lua_State *lua, int first, struct payload *payload) MUST_CHECK;

/* nexus.result, and its class. */
extern const struct module_table policy_results;

#endif
