/* cjson_guard.c -- lua-cjson as policies get it.
 *
 * The module keeps its text outside of the state's memory, ends the process when
 * there is no more, and can be told to nest as deeply as the C stack is not. So
 * how long a text could get is found out before, and what configures the module
 * is left out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/vm_priv.h"

#include <lauxlib.h>

#define DEPTH_MAX   1000 /* the module's own default */
#define LEN_NUMBER  32
#define LEN_PUNCT   8
#define LEN_ESCAPED 6  /* octets that one may become */
#define LEN_HOLES   64 /* nulls written for each item that is there, at most */

/* Adds the most octets that the value at the top can take; pops it. */
static void measure(lua_State *lua, size_t *sum, int depth)
{
    size_t max = vm_of(lua)->options.encode_max;

    *sum += LEN_PUNCT;
    switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
        *sum += LEN_ESCAPED * lua_rawlen(lua, -1);
        break;
    case LUA_TNUMBER:
        *sum += LEN_NUMBER;
        break;
    case LUA_TTABLE:
        if (depth == 0)
            luaL_error(lua, "cjson: nested too deeply, or a table that contains itself");
        luaL_checkstack(lua, 3, NULL);
        lua_pushnil(lua);
        while (lua_next(lua, -2) != 0) {
            measure(lua, sum, depth - 1);
            *sum +=
                LEN_HOLES +
                (lua_type(lua, -1) == LUA_TSTRING ? LEN_ESCAPED * lua_rawlen(lua, -1) : LEN_NUMBER);
        }
        break;
    default:
        break;
    }
    if (*sum > max)
        luaL_error(lua, "cjson: the text could get longer than %d bytes", (int)max);
    lua_pop(lua, 1);
}

static int call_original(lua_State *lua)
{
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
    return lua_gettop(lua);
}

static int l_encode(lua_State *lua)
{
    size_t sum = 0;

    luaL_checkany(lua, 1);
    lua_pushvalue(lua, 1);
    measure(lua, &sum, DEPTH_MAX);
    vm_charge(lua, sum / VM_CHARGE_UNIT);
    return call_original(lua);
}

static int l_decode(lua_State *lua)
{
    size_t max = vm_of(lua)->options.encode_max;

    if (lua_type(lua, 1) == LUA_TSTRING) {
        if (lua_rawlen(lua, 1) > max)
            return luaL_error(lua, "cjson: the text is longer than %d bytes", (int)max);
        vm_charge(lua, lua_rawlen(lua, 1) / VM_CHARGE_UNIT);
    }
    return call_original(lua);
}

void cjson_guard(lua_State *lua)
{
    static const char *const kept[] = {"null", "_NAME", "_VERSION"};

    luaL_checktype(lua, -1, LUA_TTABLE);
    lua_newtable(lua);
    lua_getfield(lua, -2, "encode");
    lua_pushcclosure(lua, l_encode, 1);
    lua_setfield(lua, -2, "encode");
    lua_getfield(lua, -2, "decode");
    lua_pushcclosure(lua, l_decode, 1);
    lua_setfield(lua, -2, "decode");
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        lua_getfield(lua, -2, kept[i]);
        lua_setfield(lua, -2, kept[i]);
    }
    lua_remove(lua, -2);
}
