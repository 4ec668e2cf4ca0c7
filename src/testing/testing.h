/* testing.h -- the router as a module of Lua: the real core, codecs and policy, no sockets, and a
 * clock that moves when told.
 *
 * What is here is small: a stage (a virtual router with one realm and its policy) and actors (peers
 * that say what they are told). What tests are written with is lua/nexus/testing.lua.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_TESTING_TESTING_H
#define NEXUS_TESTING_TESTING_H

#include <lua.h>

/* Pushes the table of the module "nexus.testing_core"; for states of ours and of others. */
int l_testing_open(lua_State *lua);

/* The same for the state of a policy: without what reads files or takes the log. */
int l_testing_open_within(lua_State *lua);

#endif
