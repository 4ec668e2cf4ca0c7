/* log.c -- nexus.log: lines of the router's log.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"

#include "module/module_priv.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_FIELDS 64

/* Sorts the texts 1..count of the table at 3; there are few. */
static void sort(lua_State *lua, lua_Integer count)
{
    for (lua_Integer i = 2; i <= count; i++) {
        lua_Integer at = i;

        lua_rawgeti(lua, 3, i);
        for (; at > 1; at--) {
            lua_rawgeti(lua, 3, at - 1);
            if (strcmp(lua_tostring(lua, -1), lua_tostring(lua, -2)) <= 0) {
                lua_pop(lua, 1);
                break;
            }
            lua_rawseti(lua, 3, at);
        }
        lua_rawseti(lua, 3, at);
    }
}

/* Pushes "key=value, ..." of the table at 2, in the order of the keys; nil without one. */
static void fields_of(lua_State *lua)
{
    lua_Integer count = 0;
    luaL_Buffer text;

    if (lua_isnil(lua, 2)) {
        lua_pushnil(lua);
        return;
    }
    lua_newtable(lua);
    for (lua_pushnil(lua); lua_next(lua, 2) != 0; lua_pop(lua, 1)) {
        luaL_tolstring(lua, -2, NULL);
        luaL_tolstring(lua, -2, NULL);
        lua_pushfstring(lua, "%s=%s", lua_tostring(lua, -2), lua_tostring(lua, -1));
        lua_rawseti(lua, 3, ++count);
        lua_pop(lua, 2);
        if (count > MAX_FIELDS)
            luaL_error(lua, "nexus.log: more than %d fields", MAX_FIELDS);
    }
    sort(lua, count);
    luaL_buffinit(lua, &text);
    for (lua_Integer i = 1; i <= count; i++) {
        if (i != 1)
            luaL_addstring(&text, ", ");
        lua_rawgeti(lua, 3, i);
        luaL_addvalue(&text);
    }
    luaL_pushresult(&text);
}

/* A copy of the text at the index without secrets; NULL for nil. Left on the stack. */
static const char *masked(lua_State *lua, int index)
{
    size_t len;
    const char *text = lua_tolstring(lua, index, &len);
    char *copy;

    if (text == NULL)
        return NULL;
    copy = lua_newuserdatauv(lua, len + 1, 0);
    memcpy(copy, text, len + 1);
    host_mask(host_of(lua), copy);
    return copy;
}

void module_say(lua_State *lua, const struct host *host, enum log_level level, const char *words,
                const char *where, const char *fields)
{
    struct host_run run = {0};
    char session[24];

    if (host->run != NULL) {
        run = host->run(lua);
    }
    snprintf(session, sizeof(session), "%" PRIu64, run.session);
    log_line(level, "policy-says", words, "realm", host->realm, "hook", run.hook, "session",
             run.session == 0 ? NULL : session, "version", host->version, "at", where, "with",
             fields, NULL);
}

static int l_log(lua_State *lua)
{
    enum log_level level = (enum log_level)lua_tointeger(lua, lua_upvalueindex(1));
    const struct host *host = host_of(lua);
    const char *words, *fields, *where;
    size_t len;

    luaL_checklstring(lua, 1, &len);
    lua_settop(lua, 2);
    if (!lua_isnil(lua, 2))
        luaL_checktype(lua, 2, LUA_TTABLE);
    vm_charge(lua, 20 + len / 64);
    if (!log_is_on(level))
        return 0;
    words = masked(lua, 1);
    lua_replace(lua, 1);
    fields_of(lua);
    fields = masked(lua, -1);
    luaL_where(lua, 1);
    lua_pushlstring(lua, lua_tostring(lua, -1),
                    lua_rawlen(lua, -1) < 2 ? 0 : lua_rawlen(lua, -1) - 2);
    where = lua_tostring(lua, -1);
    module_say(lua, host, level, words, where, fields);
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
