/* host.c -- see host.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/host.h"

#include <lauxlib.h>

#include <time.h>

static const char host_key = 0;

static uint64_t ms_of(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t machine_now(const struct host *host)
{
    (void)host;
    return ms_of(CLOCK_MONOTONIC);
}

static uint64_t machine_wall(const struct host *host)
{
    (void)host;
    return ms_of(CLOCK_REALTIME);
}

void host_init(struct host *host)
{
    static const struct host_config nothing;

    *host = (struct host){.config = &nothing, .now = machine_now, .wall = machine_wall};
}

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
