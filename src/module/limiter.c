/* limiter.c -- nexus.limiter: how often something may happen.
 *
 * SPDX-License-Identifier: MIT
 */
#include "state/limiter.h"

#include "module/kv.h"

#define CLASS    "nexus.Limiter"
#define MAX_NAME 200

static double number_of(lua_State *lua, const char *name, double least, double most,
                        double otherwise)
{
    double number = otherwise;

    if (lua_getfield(lua, 1, name) != LUA_TNIL || otherwise < 0) {
        number = lua_tonumber(lua, -1);
        if (lua_type(lua, -1) != LUA_TNUMBER || !(number >= least && number <= most))
            luaL_error(lua, "nexus.limiter: %s: found %s; allowed: a number from %f to %f", name,
                       lua_type(lua, -1) == LUA_TNUMBER ? lua_tostring(lua, -1)
                                                        : luaL_typename(lua, -1),
                       least, most);
    }
    lua_pop(lua, 1);
    return number;
}

/* On the stack: the name, or where the limiter is made. */
static struct slice name_of(lua_State *lua)
{
    if (lua_getfield(lua, 1, "name") == LUA_TNIL)
        luaL_where(lua, 1);
    else if (lua_type(lua, -1) != LUA_TSTRING || lua_rawlen(lua, -1) == 0 ||
             lua_rawlen(lua, -1) > MAX_NAME)
        luaL_error(lua, "nexus.limiter: name: found a %s; allowed: a text of 1 to %d octets",
                   luaL_typename(lua, -1), MAX_NAME);
    return check_slice(lua, -1);
}

static int l_limiter(lua_State *lua)
{
    static const char *const known[] = {"rate", "burst", "name", NULL};
    const struct host *host = host_of(lua);
    struct limiter **limiter;
    double rate, burst;
    struct slice name;

    lua_settop(lua, 1);
    l_module_check_keys(lua, 1, "nexus.limiter", known);
    rate = number_of(lua, "rate", LIMITER_MIN_RATE, LIMITER_MAX_RATE, -1);
    burst = number_of(lua, "burst", 1, LIMITER_MAX_RATE, rate > 1 ? rate : 1);
    name = name_of(lua);
    limiter = lua_newuserdatauv(lua, sizeof(struct limiter *), 0);
    *limiter = NULL;
    luaL_setmetatable(lua, CLASS);
    if (host->limiters == NULL)
        return 1;
    *limiter = limiter_open(host->limiters, name, rate, burst);
    if (*limiter == NULL)
        return luaL_error(lua, "nexus.limiter: no room for \"%s\": %d of them are allowed",
                          name.data, LIMITERS_MAX);
    return 1;
}

static int l_take(lua_State *lua)
{
    struct limiter *const *limiter = luaL_checkudata(lua, 1, CLASS);
    const struct host *host = l_host_changes(lua);
    struct slice key = l_kv_key(lua, 2);
    double n = luaL_optnumber(lua, 3, 1), burst, retry_after;

    if (*limiter == NULL)
        return luaL_error(lua, "nexus.limiter: there are no limiters here");
    luaL_argcheck(lua, key.len <= LIMITER_MAX_KEY, 2, "a key of up to 256 octets");
    burst = limiter_burst(*limiter);
    if (!(n >= 0 && n <= burst))
        return luaL_error(lua, "limiter:take: found %f; allowed: a number from 0 to %f, the burst",
                          n, burst);
    vm_charge(lua, 10);
    if (limiter_take(*limiter, key, n, host->now(host), &retry_after)) {
        lua_pushboolean(lua, 1);
        return 1;
    }
    lua_pushboolean(lua, 0);
    lua_pushnumber(lua, retry_after);
    return 2;
}

static const struct module_row rows[] = {
    {"limiter", l_limiter,
     "fun(options: { rate: number, burst?: number, name?: string }): nexus.Limiter",
     "Token buckets, one for each key: rate tokens a second come in, up to burst. Levels belong to "
     "the name and outlive reloads; without a name, to the place in the file.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_limiter = {"nexus", rows, NULL};

static const struct module_row methods[] = {
    {"take", l_take, "fun(self, key: string|integer, n?: number): boolean, number?",
     "Takes n tokens (1) of the key and says true; or takes nothing, and says false and in how "
     "many "
     "seconds they will be there.",
     "n is more than the burst"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_limiter_class = {CLASS, methods, NULL};
