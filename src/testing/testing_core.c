/* testing_core.c -- what an interpreter of Lua loads for `require "nexus.testing_core"`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "testing/testing.h"

__attribute__((visibility("default"))) int luaopen_nexus_testing_core(lua_State *lua);

int luaopen_nexus_testing_core(lua_State *lua)
{
    return l_testing_open(lua);
}
