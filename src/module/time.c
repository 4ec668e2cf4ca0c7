/* time.c -- clocks: the host's, which in tests are the test's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/module_priv.h"

#include <lualib.h>

#include <math.h>

#define MIN_TIME (-62167219200.0)
#define MAX_TIME 253402300799.0

static int l_now(lua_State *lua)
{
    lua_pushnumber(lua, host_time(host_of(lua)));
    return 1;
}

static int l_monotonic(lua_State *lua)
{
    lua_pushnumber(lua, host_monotonic(host_of(lua)));
    return 1;
}

/* nexus.date: os.date of Lua in UTC, with the host's clock. The upvalue is that function. */
static int l_date(lua_State *lua)
{
    const char *format = luaL_optstring(lua, 1, "%Y-%m-%dT%H:%M:%SZ");
    lua_Number seconds = luaL_optnumber(lua, 2, host_time(host_of(lua)));

    luaL_argcheck(lua, seconds >= MIN_TIME && seconds <= MAX_TIME, 2,
                  "seconds since 1970, of the years 0 to 9999");
    lua_settop(lua, 2);
    lua_pushfstring(lua, *format == '!' ? "%s" : "!%s", format);
    lua_replace(lua, 1);
    lua_pushinteger(lua, (lua_Integer)floor(seconds));
    lua_replace(lua, 2);
    return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

static void set_date(lua_State *lua)
{
    lua_pushcfunction(lua, luaopen_os);
    lua_call(lua, 0, 1);
    lua_getfield(lua, -1, "date");
    lua_pushcclosure(lua, l_date, 1);
    lua_setfield(lua, -3, "date");
    lua_pop(lua, 1);
}

static void set_others(lua_State *lua)
{
    const char *version = host_of(lua)->version;

    set_date(lua);
    lua_pushliteral(lua, NEXUS_VERSION);
    lua_setfield(lua, -2, "version");
    lua_pushstring(lua, version == NULL ? "" : version);
    lua_setfield(lua, -2, "realm_version");
}

static const struct module_row rows[] = {
    {"now", l_now, "fun(): number", "Seconds since 1970, UTC.", NULL},
    {"monotonic", l_monotonic, "fun(): number", "Seconds of a clock that never jumps.", NULL},
    {"date", NULL, "fun(format?: string, time?: number): string|table",
     "As os.date, but always in UTC; without a format as in 2026-01-31T12:00:00Z.",
     "A conversion that does not exist"},
    {"version", NULL, "string", "Of the router.", NULL},
    {"realm_version", NULL, "string", "Of the running policy: a hash of its files.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_time = {"nexus", rows, set_others};
