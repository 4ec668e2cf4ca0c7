/* merge.c -- nexus.merge: two policies as one.
 *
 * Tables are put together by their keys, rules of a role one behind the other. Both functions of
 * on_join and its like run; both of admit must say true. What both say and neither may overrule, such as
 * two authorizers, is an error: a policy must not become weaker because of what is beside it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/merge.h"

#include "base/slice.h"

#include <lauxlib.h>

#define BASE   1
#define EXTRA  2
#define MERGED 3

/* ---- both of two functions ---- */

static int return_second(lua_State *lua, int status, lua_KContext ctx)
{
    (void)status;
    return lua_gettop(lua) - (int)ctx;
}

static void call_second(lua_State *lua)
{
    int count = lua_gettop(lua);

    lua_pushvalue(lua, lua_upvalueindex(2));
    for (int i = 1; i <= count; i++)
        lua_pushvalue(lua, i);
    lua_callk(lua, count, LUA_MULTRET, (lua_KContext)count, return_second);
}

/* What admit says has to be true for the second one to be asked. */
static int after_first(lua_State *lua, int status, lua_KContext ctx)
{
    int count = (int)ctx;

    (void)status;
    if (lua_toboolean(lua, lua_upvalueindex(3)) &&
        !(lua_isboolean(lua, -1) && lua_toboolean(lua, -1)))
        return 1;
    lua_settop(lua, count);
    call_second(lua);
    return lua_gettop(lua) - count;
}

static int l_both(lua_State *lua)
{
    int count = lua_gettop(lua);

    lua_pushvalue(lua, lua_upvalueindex(1));
    for (int i = 1; i <= count; i++)
        lua_pushvalue(lua, i);
    lua_callk(lua, count, 1, (lua_KContext)count, after_first);
    return after_first(lua, LUA_OK, (lua_KContext)count);
}

/* ---- tables ---- */

static bool is_one_of(const char *key, const char *const *all)
{
    for (; *all != NULL; all++) {
        if (strcmp(*all, key) == 0)
            return true;
    }
    return false;
}

/* The table at `from` into that at `to`; `what` names them. Keys that both have are an error unless the
 * values are the same. */
static void add_all(lua_State *lua, int to, int from, const char *what)
{
    for (lua_pushnil(lua); lua_next(lua, from) != 0; lua_pop(lua, 1)) {
        lua_pushvalue(lua, -2);
        if (lua_rawget(lua, to) != LUA_TNIL && !lua_rawequal(lua, -1, -2))
            luaL_error(lua, "nexus.merge: both policies have %s[\"%s\"]", what,
                       luaL_tolstring(lua, -3, NULL));
        lua_pop(lua, 1);
        lua_pushvalue(lua, -2);
        lua_pushvalue(lua, -2);
        lua_rawset(lua, to);
    }
}

/* The list at `from` behind that at `to`. */
static void append(lua_State *lua, int to, int from)
{
    lua_Integer count = (lua_Integer)lua_rawlen(lua, to);

    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(lua, from); i++) {
        lua_rawgeti(lua, from, i);
        lua_rawseti(lua, to, count + i);
    }
}

/* Pushes a copy of the role in both, or in one of them. */
static void merge_role(lua_State *lua, int base, int extra)
{
    lua_newtable(lua);
    append(lua, lua_gettop(lua), base);
    append(lua, lua_gettop(lua), extra);
    for (int i = 0; i < 2; i++) {
        for (lua_pushnil(lua); lua_next(lua, i == 0 ? base : extra) != 0; lua_pop(lua, 1)) {
            if (lua_type(lua, -2) != LUA_TSTRING)
                continue;
            lua_pushvalue(lua, -2);
            if (lua_rawget(lua, -4) != LUA_TNIL && !lua_rawequal(lua, -1, -2))
                luaL_error(lua, "nexus.merge: both policies have \"%s\" in a role of one name",
                           lua_tostring(lua, -3));
            lua_pop(lua, 1);
            lua_pushvalue(lua, -2);
            lua_pushvalue(lua, -2);
            lua_rawset(lua, -5);
        }
    }
}

static void merge_roles(lua_State *lua, int to, int from)
{
    for (lua_pushnil(lua); lua_next(lua, from) != 0; lua_pop(lua, 1)) {
        int top = lua_gettop(lua);

        lua_pushvalue(lua, -2);
        lua_pushvalue(lua, -1);
        if (lua_rawget(lua, to) == LUA_TTABLE && lua_istable(lua, top)) {
            merge_role(lua, top + 2, top);
            lua_remove(lua, -2);
        } else {
            lua_pop(lua, 1);
            lua_pushvalue(lua, top);
        }
        lua_rawset(lua, to);
        lua_settop(lua, top);
    }
}

/* ---- the whole ---- */

static const char *const by_key[] = {"attributes",    "authenticate", "intercept", "procedures",
                                     "subscriptions", "tasks",        "budgets",   NULL};
static const char *const both_run[] = {"admit",     "on_join", "on_leave", "on_load",
                                       "on_unload", "check",   NULL};

/* The value at the top is extra's, that below it is merged's. Leaves merged's new one. */
static void merge_value(lua_State *lua, const char *key)
{
    int mine = lua_gettop(lua) - 1, others = mine + 1;
    bool has_tables = lua_istable(lua, mine) && lua_istable(lua, others);

    if (has_tables && (is_one_of(key, by_key) || strcmp(key, "roles") == 0)) {
        lua_newtable(lua);
        add_all(lua, others + 1, mine, key);
        if (strcmp(key, "roles") == 0)
            merge_roles(lua, others + 1, others);
        else
            add_all(lua, others + 1, others, key);
    } else if (has_tables && strcmp(key, "limits") == 0) {
        lua_newtable(lua);
        append(lua, others + 1, mine);
        append(lua, others + 1, others);
    } else if (is_one_of(key, both_run)) {
        lua_pushvalue(lua, mine);
        lua_pushvalue(lua, others);
        lua_pushboolean(lua, strcmp(key, "admit") == 0);
        lua_pushcclosure(lua, l_both, 3);
    } else if (lua_rawequal(lua, mine, others)) {
        lua_pushvalue(lua, mine);
    } else {
        luaL_error(lua, "nexus.merge: both policies have %s", key);
    }
    lua_replace(lua, mine);
    lua_settop(lua, mine);
}

/* merge(base, extra) */
static int l_merge(lua_State *lua)
{
    lua_settop(lua, 2);
    luaL_checktype(lua, BASE, LUA_TTABLE);
    luaL_checktype(lua, EXTRA, LUA_TTABLE);
    lua_newtable(lua);
    add_all(lua, MERGED, BASE, "policy");
    for (lua_pushnil(lua); lua_next(lua, EXTRA) != 0; lua_pop(lua, 1)) {
        int top = lua_gettop(lua);

        if (lua_type(lua, -2) != LUA_TSTRING)
            return luaL_error(lua, "nexus.merge: a policy's keys are strings");
        lua_pushvalue(lua, top - 1);
        lua_pushvalue(lua, top - 1);
        if (lua_rawget(lua, MERGED) == LUA_TNIL) {
            lua_pop(lua, 1);
            lua_pushvalue(lua, top);
        } else {
            lua_pushvalue(lua, top);
            merge_value(lua, lua_tostring(lua, top - 1));
        }
        lua_rawset(lua, MERGED);
    }
    return 1;
}

static const struct module_row rows[] = {
    {"merge", l_merge, "fun(base: nexus.Policy, extra: nexus.Policy): nexus.Policy",
     "Two policies as one. Tables are put together by their keys, the rules of a role one behind "
     "the "
     "other; both of on_join, on_leave, on_load, on_unload and check run; both of admit must say "
     "true.",
     "what both have otherwise: two authorizers, a procedure twice"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table policy_merge = {"nexus", rows, NULL};
