/* module.c -- see module.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/module.h"

#include "base/log.h"
#include "core/rules_pattern.h"
#include "policy/errors.h"
#include "policy/handlers.h"
#include "policy/realm.h"
#include "policy/results.h"
#include "policy/waiting.h"
#include "script/values.h"
#include "wire/uri.h"

#include <lauxlib.h>

#include <stdio.h>

#define RULING_NAME   "decision"
#define MAX_TIMEOUT_S 86400

/* ---- policy ---- */

static void ensure_table(lua_State *lua, const char *key)
{
    lua_pushstring(lua, key);
    if (lua_rawget(lua, 1) == LUA_TNIL) {
        lua_pushstring(lua, key);
        lua_newtable(lua);
        lua_rawset(lua, 1);
    }
    lua_pop(lua, 1);
}

static const char *const tables_of_policy[] = {"roles",      "authenticate",  "intercept",
                                               "procedures", "subscriptions", "tasks"};

static int l_policy(lua_State *lua)
{
    lua_settop(lua, 1);
    luaL_checktype(lua, 1, LUA_TTABLE);
    for (size_t i = 0; i < ARRAY_LEN(tables_of_policy); i++)
        ensure_table(lua, tables_of_policy[i]);
    return 1;
}

/* ---- allow, deny ---- */

static struct ruling *new_ruling(lua_State *lua, size_t room)
{
    struct ruling *ruling = lua_newuserdatauv(lua, sizeof(*ruling) + room, 0);

    *ruling = (struct ruling){0};
    luaL_setmetatable(lua, RULING_NAME);
    return ruling;
}

const struct ruling *module_ruling(lua_State *lua, int index)
{
    return luaL_testudata(lua, index, RULING_NAME);
}

static int wrong(lua_State *lua, const char *option, const char *allowed)
{
    return luaL_error(lua, "nexus.%s: found a %s; allowed: %s", option, luaL_typename(lua, -1),
                      allowed);
}

static int l_allow(lua_State *lua)
{
    static const char *const known[] = {"disclose", "trustlevel", "timeout", NULL};
    struct ruling *ruling;
    struct grant *grant;

    lua_settop(lua, 1);
    if (lua_isnil(lua, 1)) {
        new_ruling(lua, 0)->is_allowed = true;
        return 1;
    }
    l_module_check_keys(lua, 1, "nexus.allow", known);
    ruling = new_ruling(lua, 0);
    grant = &ruling->grant;
    ruling->is_allowed = true;
    if (lua_getfield(lua, 1, "disclose") == LUA_TBOOLEAN)
        *(lua_toboolean(lua, -1) ? &grant->discloses : &grant->hides) = true;
    else if (!lua_isnil(lua, -1))
        return wrong(lua, "allow.disclose", "true, false");
    if (lua_getfield(lua, 1, "trustlevel") != LUA_TNIL) {
        grant->has_trustlevel = true;
        grant->trustlevel = lua_tointeger(lua, -1);
        if (!lua_isinteger(lua, -1) || grant->trustlevel < 0 ||
            grant->trustlevel > INT64_C(1) << 31)
            return wrong(lua, "allow.trustlevel", "an integer from 0 to 2147483648");
    }
    if (lua_getfield(lua, 1, "timeout") != LUA_TNIL) {
        double seconds = lua_tonumber(lua, -1);

        if (lua_type(lua, -1) != LUA_TNUMBER || !(seconds >= 0.001) || seconds > MAX_TIMEOUT_S)
            return wrong(lua, "allow.timeout", "seconds, from 0.001 to 86400");
        grant->timeout_ms = (uint64_t)(seconds * 1000);
    }
    lua_settop(lua, 2);
    return 1;
}

/* The string under the key of the table at 1; it stays on the stack. */
static struct slice text_option(lua_State *lua, const char *key, const char *allowed)
{
    struct slice text = {0};

    if (lua_getfield(lua, 1, key) == LUA_TSTRING)
        text.data = lua_tolstring(lua, -1, &text.len);
    else if (!lua_isnil(lua, -1))
        wrong(lua, key, allowed);
    return text;
}

static struct slice keep(char *at, struct slice text)
{
    if (text.data != NULL)
        memcpy(at, text.data, text.len);
    at[text.len] = '\0';
    return slice_make(at, text.len);
}

static int l_deny(lua_State *lua)
{
    static const char *const known[] = {"error", "message", NULL};
    struct slice uri, words;
    struct ruling *ruling;

    lua_settop(lua, 1);
    if (lua_isnil(lua, 1)) {
        lua_newtable(lua);
        lua_replace(lua, 1);
    }
    l_module_check_keys(lua, 1, "nexus.deny", known);
    uri = text_option(lua, "error", "a URI");
    words = text_option(lua, "message", "a string");
    if (uri.data != NULL && !uri_is_valid(uri, MATCH_EXACT, false))
        return luaL_error(lua, "nexus.deny.error: found \"%s\"; allowed: a URI", uri.data);
    ruling = new_ruling(lua, uri.len + words.len + 2);
    ruling->uri = keep((char *)(ruling + 1), uri);
    ruling->words = keep((char *)(ruling + 1) + uri.len + 1, words);
    return 1;
}

/* ---- the table ---- */

static void set_meta(lua_State *lua)
{
    luaL_newmetatable(lua, RULING_NAME);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

static const struct module_row rows[] = {
    {"policy", l_policy, "fun(policy: nexus.Policy): nexus.Policy",
     "Makes a policy of a table: roles, authenticate, intercept, procedures, subscriptions and "
     "tasks "
     "are there afterwards, as empty tables. It has no other effect.",
     NULL},
    {"allow", l_allow,
     "fun(options?: { disclose?: boolean, trustlevel?: integer, timeout?: number }): "
     "nexus.Decision",
     "An answer of policy.authorize: allowed, with changes. timeout is in seconds, an upper bound "
     "for calls.",
     "Options that do not exist, and values that they cannot have"},
    {"deny", l_deny, "fun(options?: { error?: string, message?: string }): nexus.Decision",
     "An answer: refused, with the URI and the text that the client is told.",
     "Options that do not exist, and values that they cannot have"},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct module_table answers = {"nexus", rows, set_meta};
static const struct module_table *const tables[] = {&answers,
                                                    &policy_waiting,
                                                    &policy_timers,
                                                    &policy_results,
                                                    &policy_calls,
                                                    &policy_events,
                                                    &policy_endpoints,
                                                    &policy_realm,
                                                    &policy_realm_field,
                                                    &policy_errors,
                                                    NULL};

const struct module_table *const *policy_tables(void)
{
    return tables;
}

int l_policy_open_module(lua_State *lua)
{
    return l_module_open(lua, tables);
}
