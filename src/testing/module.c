/* module.c -- the table of nexus.testing_core. See testing.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/values.h"
#include "testing/stage.h"
#include "testing/testing.h"

#include <lauxlib.h>

int l_testing_open_within(lua_State *lua)
{
    static const luaL_Reg functions[] = {
        {"cra", l_proof_cra},     {"public_key", l_proof_public_key}, {"sign", l_proof_sign},
        {"scram", l_proof_scram}, {"random", l_proof_random},         {NULL, NULL}};

    l_stage_open(lua);
    l_actors_open(lua);
    l_data_open(lua);
    luaL_newlib(lua, functions);
    l_open_values(lua);
    lua_setfield(lua, -2, "values");
    return 1;
}

int l_testing_open(lua_State *lua)
{
    static const luaL_Reg functions[] = {
        {"new", l_stage_new}, {"capture_log", l_lines_capture}, {NULL, NULL}};

    l_vm_guest(lua);
    l_testing_open_within(lua);
    luaL_setfuncs(lua, functions, 0);
    return 1;
}
