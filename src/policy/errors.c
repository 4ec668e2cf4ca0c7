/* errors.c -- see errors.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/errors.h"

#include "script/values.h"
#include "wire/errors.h"
#include "wire/uri.h"

#include <lauxlib.h>

#include <stdio.h>

#define ERROR_NAME "nexus.Error"

static int l_index(lua_State *lua)
{
    const char *key = lua_tostring(lua, 2);

    lua_settop(lua, 1);
    if (key == NULL || strcmp(key, "message") != 0 || lua_getfield(lua, 1, "args") != LUA_TTABLE)
        return 0;
    return lua_rawgeti(lua, -1, 1) == LUA_TSTRING ? 1 : 0;
}

static int l_tostring(lua_State *lua)
{
    char words[300];

    if (!errors_describe(lua, 1, words, sizeof(words)))
        return luaL_error(lua, "no error");
    lua_pushstring(lua, words);
    return 1;
}

static void open(lua_State *lua)
{
    luaL_newmetatable(lua, ERROR_NAME);
    lua_pushcfunction(lua, l_index);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, l_tostring);
    lua_setfield(lua, -2, "__tostring");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

void l_errors_push(lua_State *lua, struct slice uri)
{
    lua_createtable(lua, 0, 3);
    lua_insert(lua, -3);
    lua_setfield(lua, -3, "kwargs");
    lua_setfield(lua, -2, "args");
    lua_pushlstring(lua, uri.data, uri.len);
    lua_setfield(lua, -2, "uri");
    luaL_setmetatable(lua, ERROR_NAME);
}

int l_errors_raise_words(lua_State *lua, const char *uri, const char *words)
{
    lua_createtable(lua, 1, 0);
    lua_pushstring(lua, words);
    lua_rawseti(lua, -2, 1);
    l_values_mark(lua, VALUES_LIST);
    lua_newtable(lua);
    l_values_mark(lua, VALUES_DICT);
    l_errors_push(lua, slice_of(uri));
    return lua_error(lua);
}

bool l_errors_is(lua_State *lua, int index)
{
    bool is_one;

    if (lua_type(lua, index) != LUA_TTABLE || lua_getmetatable(lua, index) == 0)
        return false;
    luaL_getmetatable(lua, ERROR_NAME);
    is_one = lua_rawequal(lua, -1, -2) != 0;
    lua_pop(lua, 2);
    return is_one;
}

void l_errors_put(lua_State *lua, struct encoder *e, int index)
{
    int top = lua_gettop(lua);
    struct slice uri = SLICE(WAMP_RUNTIME_ERROR);

    if (lua_getfield(lua, index, "uri") == LUA_TSTRING)
        uri.data = lua_tolstring(lua, -1, &uri.len);
    if (!uri_is_valid(uri, MATCH_EXACT, false)) /* the policy has it, and may write into it */
        luaL_error(lua, "error: found \"%s\"; allowed: a URI", uri.data);
    encode_text(e, uri);
    lua_getfield(lua, index, "args");
    l_values_put(lua, lua_gettop(lua), VALUES_LIST, "args");
    lua_getfield(lua, index, "kwargs");
    l_values_put(lua, lua_gettop(lua), VALUES_DICT, "kwargs");
    lua_settop(lua, top);
}

bool errors_describe(lua_State *lua, int index, char *out, size_t len)
{
    const char *uri = "?", *message = NULL;
    int top = lua_gettop(lua);

    index = lua_absindex(lua, index);
    if (!l_errors_is(lua, index))
        return false;
    lua_pushliteral(lua, "uri");
    if (lua_rawget(lua, index) == LUA_TSTRING)
        uri = lua_tostring(lua, -1);
    lua_pushliteral(lua, "args");
    if (lua_rawget(lua, index) == LUA_TTABLE && lua_rawgeti(lua, -1, 1) == LUA_TSTRING)
        message = lua_tostring(lua, -1);
    snprintf(out, len, "%s%s%s", uri, message == NULL ? "" : ": ", message == NULL ? "" : message);
    lua_settop(lua, top);
    return true;
}

/* The list or dict at the index; an empty one where there is nothing. */
static void push_part(lua_State *lua, int index, enum values_shape shape, const char *name)
{
    if (lua_isnoneornil(lua, index)) {
        lua_newtable(lua);
        l_values_mark(lua, shape);
        return;
    }
    if (!lua_istable(lua, index))
        luaL_error(lua, "%s: found a %s; allowed: a %s", name, luaL_typename(lua, index),
                   shape == VALUES_LIST ? "list" : "table with names");
    lua_pushvalue(lua, index);
}

static int l_new(lua_State *lua)
{
    struct slice uri;

    uri.data = luaL_checklstring(lua, 1, &uri.len);
    lua_settop(lua, 3);
    if (!uri_is_valid(uri, MATCH_EXACT, false))
        return luaL_error(lua, "error: found \"%s\"; allowed: a URI", uri.data);
    push_part(lua, 2, VALUES_LIST, "args");
    push_part(lua, 3, VALUES_DICT, "kwargs");
    l_errors_push(lua, uri);
    return 1;
}

static int l_raise(lua_State *lua)
{
    l_new(lua);
    return lua_error(lua);
}

static const struct module_row rows[] = {
    {"error", l_new, "fun(uri: string, args?: any[], kwargs?: table): nexus.Error",
     "A WAMP error as a value, with the fields uri, args, kwargs and message.", "What is no URI"},
    {"raise", l_raise, "fun(uri: string, args?: any[], kwargs?: table)",
     "Ends what is under way with that WAMP error: a caller gets it as it is.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table policy_errors = {"nexus", rows, open};
