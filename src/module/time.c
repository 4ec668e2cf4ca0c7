/* time.c -- clocks: the host's, which in tests are the test's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/module_priv.h"

static int l_now(lua_State *lua)
{
    const struct host *host = host_of(lua);

    lua_pushnumber(lua, (double)host->wall(host) / 1e3);
    return 1;
}

static int l_monotonic(lua_State *lua)
{
    const struct host *host = host_of(lua);

    lua_pushnumber(lua, (double)host->now(host) / 1e3);
    return 1;
}

static void set_version(lua_State *lua)
{
    const char *version = host_of(lua)->version;

    lua_pushliteral(lua, NEXUS_VERSION);
    lua_setfield(lua, -2, "version");
    lua_pushstring(lua, version == NULL ? "" : version);
    lua_setfield(lua, -2, "realm_version");
}

static const struct module_row rows[] = {
    {"now", l_now, "fun(): number", "Seconds since 1970, UTC.", NULL},
    {"monotonic", l_monotonic, "fun(): number", "Seconds of a clock that never jumps.", NULL},
    {"version", NULL, "string", "Of the router.", NULL},
    {"realm_version", NULL, "string", "Of the running policy: a hash of its files.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_time = {"nexus", rows, set_version};
