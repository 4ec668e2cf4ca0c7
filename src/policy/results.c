/* results.c -- see results.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/results.h"

#include "script/values.h"

#include <lauxlib.h>

#include <stdio.h>

#define RESULT_NAME "nexus.Result"

void l_results_push(lua_State *lua)
{
    lua_createtable(lua, 0, 2);
    lua_insert(lua, -3);
    lua_setfield(lua, -3, "kwargs");
    lua_setfield(lua, -2, "args");
    luaL_setmetatable(lua, RESULT_NAME);
}

static bool is_result(lua_State *lua, int index)
{
    bool is_one;

    if (lua_type(lua, index) != LUA_TTABLE || lua_getmetatable(lua, index) == 0)
        return false;
    luaL_getmetatable(lua, RESULT_NAME);
    is_one = lua_rawequal(lua, -1, -2) != 0;
    lua_pop(lua, 2);
    return is_one;
}

void l_results_put(lua_State *lua, struct encoder *e, int first)
{
    int last = lua_gettop(lua);
    char path[24];

    luaL_checkstack(lua, 10, NULL);
    if (first == last && is_result(lua, first)) {
        lua_getfield(lua, first, "args");
        l_values_put(lua, lua_gettop(lua), VALUES_LIST, "args");
        lua_getfield(lua, first, "kwargs");
        l_values_put(lua, lua_gettop(lua), VALUES_DICT, "kwargs");
        lua_settop(lua, last);
        return;
    }
    while (last >= first && lua_isnil(lua, last)) /* nil is what is not there */
        last--;
    if (last < first)
        return;
    encode_list(e, (size_t)(last - first) + 1);
    for (int i = first; i <= last; i++) {
        snprintf(path, sizeof(path), "args[%d]", i - first + 1);
        l_values_put(lua, i, VALUES_ANY, path);
    }
    encode_end(e);
}

static int l_result(lua_State *lua)
{
    lua_settop(lua, 2);
    for (int i = 1; i <= 2; i++) {
        if (lua_isnil(lua, i)) {
            lua_newtable(lua);
            l_values_mark(lua, i == 1 ? VALUES_LIST : VALUES_DICT);
            lua_replace(lua, i);
        }
        luaL_checktype(lua, i, LUA_TTABLE);
    }
    l_results_push(lua);
    return 1;
}

static const struct module_row rows[] = {
    {"result", l_result, "fun(args?: any[], kwargs?: table): nexus.Result",
     "What a procedure returns when it has named results too.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void open(lua_State *lua)
{
    luaL_newmetatable(lua, RESULT_NAME);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

const struct module_table policy_results = {"nexus", rows, open};
