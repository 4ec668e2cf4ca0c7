/* log.c -- nexus.log: lines of the router's log.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"

#include "module/module_priv.h"

/* "key=value, ..." of the table at 2, in the order of the keys; left on the stack. */
static const char *fields_of(lua_State *lua)
{
    luaL_Buffer text;
    lua_Integer count = 0;

    if (lua_isnil(lua, 2))
        return NULL;
    luaL_checktype(lua, 2, LUA_TTABLE);
    lua_newtable(lua);
    for (lua_pushnil(lua); lua_next(lua, 2) != 0; lua_pop(lua, 1)) {
        luaL_tolstring(lua, -2, NULL);
        luaL_tolstring(lua, -2, NULL);
        lua_pushfstring(lua, "%s=%s", lua_tostring(lua, -2), lua_tostring(lua, -1));
        lua_rawseti(lua, 3, ++count);
        lua_pop(lua, 2);
    }
    luaL_buffinit(lua, &text);
    for (lua_Integer i = 1; i <= count; i++) {
        if (i != 1)
            luaL_addstring(&text, ", ");
        lua_rawgeti(lua, 3, i);
        luaL_addvalue(&text);
    }
    luaL_pushresult(&text);
    return lua_tostring(lua, -1);
}

static int l_log(lua_State *lua)
{
    enum log_level level = (enum log_level)lua_tointeger(lua, lua_upvalueindex(1));
    const char *words = luaL_checkstring(lua, 1);
    const char *fields, *where;

    lua_settop(lua, 2);
    fields = fields_of(lua);
    luaL_where(lua, 1);
    where = lua_tostring(lua, -1);
    log_line(level, "policy-says", words, "realm", host_of(lua)->realm, "at", where, "with", fields,
             NULL);
    return 0;
}

static void set_log(lua_State *lua)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        lua_pushinteger(lua, (lua_Integer)i);
        lua_pushcclosure(lua, l_log, 1);
        lua_setfield(lua, -2, names[i]);
    }
}

_Static_assert(LOG_DEBUG == 0 && LOG_ERROR == 3, "names of levels");

#define TYPE "fun(text: string, fields?: table<string, any>)"

static const struct module_row rows[] = {
    {"debug", NULL, TYPE, "Writes a line of the router's log, at level debug.", NULL},
    {"info", NULL, TYPE, "The same at level info; so does print.", NULL},
    {"warn", NULL, TYPE, "The same at level warn.", NULL},
    {"error", NULL, TYPE, "The same at level error. It raises nothing.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_log = {"nexus.log", rows, set_log};
