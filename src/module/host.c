/* host.c -- see host.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/host.h"

#include <lauxlib.h>

static const char host_key = 0;

void l_host_set(lua_State *lua, struct host *host)
{
    lua_pushlightuserdata(lua, host);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &host_key);
}

struct host *host_of(lua_State *lua)
{
    struct host *host;

    lua_rawgetp(lua, LUA_REGISTRYINDEX, &host_key);
    host = lua_touserdata(lua, -1);
    lua_pop(lua, 1);
    return host;
}

struct host *l_host_acts(lua_State *lua)
{
    struct host *host = host_of(lua);

    if (host->is_loading)
        luaL_error(lua, "not while loading; use policy.on_load");
    return host;
}
