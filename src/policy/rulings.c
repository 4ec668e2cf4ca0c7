/* rulings.c -- see rulings.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/rulings.h"

#include "policy/filters.h"
#include "policy/objects.h"
#include "script/values.h"
#include "wire/uri.h"

#include <lauxlib.h>

#include <stdio.h>

#define RULING_NAME   "nexus.Decision"
#define RULING_TEXTS  2 /* user values: the strings that it points into */
#define MAX_TIMEOUT_S 86400
#define MAX_KEEP_S    86400

static const char allow_name[] = "nexus.allow", deny_name[] = "nexus.deny";

struct ruling *l_rulings_new(lua_State *lua)
{
    struct ruling *ruling = lua_newuserdatauv(lua, sizeof(*ruling), RULING_TEXTS);

    *ruling = (struct ruling){0};
    luaL_setmetatable(lua, RULING_NAME);
    return ruling;
}

const struct ruling *rulings_at(lua_State *lua, int index)
{
    return luaL_testudata(lua, index, RULING_NAME);
}

static int l_gc(lua_State *lua)
{
    struct ruling *ruling = lua_touserdata(lua, 1);

    for (size_t i = 0; i < ARRAY_LEN(ruling->parts); i++)
        blob_drop(ruling->parts[i]);
    blob_drop(ruling->kwargs);
    audience_drop(ruling->grant.audience);
    *ruling = (struct ruling){0};
    return 0;
}

static int wrong(lua_State *lua, const char *of, const char *option, const char *allowed)
{
    return luaL_error(lua, "%s.%s: found a %s; allowed: %s", of, option, luaL_typename(lua, -1),
                      allowed);
}

/* ---- parts of messages ---- */

static struct blob *encode(lua_State *lua, enum values_shape shape, const char *path)
{
    (void)l_values_begin(lua, CODEC_MSGPACK);
    l_values_put(lua, lua_gettop(lua), shape, path);
    return l_values_end(lua);
}

static void take_part(lua_State *lua, const char *of, int index, const char *key,
                      enum values_shape shape, struct blob **part, struct slice *slice)
{
    if (lua_getfield(lua, index, key) != LUA_TNIL) {
        if (!lua_istable(lua, -1))
            wrong(lua, of, key, shape == VALUES_LIST ? "a list" : "a table with names");
        *part = encode(lua, shape, key);
        *slice = blob_slice(*part);
    }
    lua_pop(lua, 1);
}

void l_rulings_changes(lua_State *lua, const char *of, int index, struct grant *grant,
                       struct blob *parts[4])
{
    struct slice uri;

    grant->codec = CODEC_MSGPACK;
    if (lua_getfield(lua, index, "uri") != LUA_TNIL) {
        if (lua_type(lua, -1) != LUA_TSTRING)
            wrong(lua, of, "uri", "a URI");
        uri.data = lua_tolstring(lua, -1, &uri.len);
        if (!uri_is_valid(uri, MATCH_EXACT, false))
            wrong(lua, of, "uri", "a URI");
        parts[0] = blob_copy(uri);
        grant->uri = blob_slice(parts[0]);
    }
    lua_pop(lua, 1);
    take_part(lua, of, index, "args", VALUES_LIST, &parts[1], &grant->args);
    take_part(lua, of, index, "kwargs", VALUES_DICT, &parts[2], &grant->kwargs);
    take_part(lua, of, index, "options", VALUES_DICT, &parts[3], &grant->options);
}

/* ---- what both have ---- */

static void take_cache(lua_State *lua, const char *of, struct ruling *ruling)
{
    double seconds;

    if (lua_getfield(lua, 1, "cache") != LUA_TNIL) {
        seconds = lua_tonumber(lua, -1);
        if (lua_type(lua, -1) != LUA_TNUMBER || !(seconds >= 0) || seconds > MAX_KEEP_S)
            wrong(lua, of, "cache", "seconds, from 0 to 86400");
        ruling->has_keep = true;
        ruling->keep_ms = (uint32_t)(seconds * 1000);
    }
    lua_pop(lua, 1);
}

static void ensure_table(lua_State *lua)
{
    lua_settop(lua, 1);
    if (!lua_isnil(lua, 1))
        return;
    lua_newtable(lua);
    lua_replace(lua, 1);
}

/* ---- allow ---- */

static void take_disclose(lua_State *lua, struct grant *grant)
{
    if (lua_getfield(lua, 1, "disclose") == LUA_TBOOLEAN)
        *(lua_toboolean(lua, -1) ? &grant->discloses : &grant->hides) = true;
    else if (!lua_isnil(lua, -1))
        wrong(lua, allow_name, "disclose", "true, false");
    lua_pop(lua, 1);
}

static void take_trustlevel(lua_State *lua, struct grant *grant)
{
    if (lua_getfield(lua, 1, "trustlevel") != LUA_TNIL) {
        grant->has_trustlevel = true;
        grant->trustlevel = lua_tointeger(lua, -1);
        if (!lua_isinteger(lua, -1) || grant->trustlevel < 0 ||
            grant->trustlevel > INT64_C(1) << 31)
            wrong(lua, allow_name, "trustlevel", "an integer from 0 to 2147483648");
    }
    lua_pop(lua, 1);
}

static void take_timeout(lua_State *lua, struct grant *grant)
{
    if (lua_getfield(lua, 1, "timeout") != LUA_TNIL) {
        double seconds = lua_tonumber(lua, -1);

        if (lua_type(lua, -1) != LUA_TNUMBER || !(seconds >= 0.001) || seconds > MAX_TIMEOUT_S)
            wrong(lua, allow_name, "timeout", "seconds, from 0.001 to 86400");
        grant->timeout_ms = (uint64_t)(seconds * 1000);
    }
    lua_pop(lua, 1);
}

static void take_filter(lua_State *lua, struct grant *grant)
{
    const struct audience *audience;

    if (lua_getfield(lua, 1, "filter") != LUA_TNIL) {
        audience = filters_at(lua, -1);
        if (audience == NULL)
            wrong(lua, allow_name, "filter",
                  "nexus.only(...), nexus.except(...) and what is made of them");
        grant->audience = audience_hold(audience);
    }
    lua_pop(lua, 1);
}

static int l_allow(lua_State *lua)
{
    static const char *const known[] = {"disclose", "trustlevel", "timeout", "filter",  "cache",
                                        "uri",      "args",       "kwargs",  "options", NULL};
    struct ruling *ruling;

    ensure_table(lua);
    l_module_check_keys(lua, 1, "nexus.allow", known);
    ruling = l_rulings_new(lua);
    ruling->is_allowed = true;
    take_disclose(lua, &ruling->grant);
    take_trustlevel(lua, &ruling->grant);
    take_timeout(lua, &ruling->grant);
    take_filter(lua, &ruling->grant);
    take_cache(lua, allow_name, ruling);
    l_rulings_changes(lua, allow_name, 1, &ruling->grant, ruling->parts);
    return 1;
}

/* ---- deny ---- */

/* The string under a key of the table at 1, which the object at 2 holds from now on. */
static const char *keep_text(lua_State *lua, const char *key, int place, const char *allowed)
{
    const char *text = NULL;
    char name[40];

    snprintf(name, sizeof(name), "%s.%s", deny_name, key);
    if (lua_getfield(lua, 1, key) == LUA_TSTRING)
        text = l_object_check_said(lua, -1, name);
    else if (!lua_isnil(lua, -1))
        wrong(lua, deny_name, key, allowed);
    lua_setiuservalue(lua, 2, place);
    return text;
}

static int l_deny(lua_State *lua)
{
    static const char *const known[] = {"error", "message", "kwargs", "close", "cache", NULL};
    struct ruling *ruling;

    ensure_table(lua);
    l_module_check_keys(lua, 1, "nexus.deny", known);
    ruling = l_rulings_new(lua);
    ruling->uri = keep_text(lua, "error", 1, "a URI");
    ruling->words = keep_text(lua, "message", RULING_TEXTS, "a text");
    if (ruling->uri != NULL && !uri_is_valid(slice_of(ruling->uri), MATCH_EXACT, false))
        return luaL_error(lua, "nexus.deny.error: found \"%s\"; allowed: a URI", ruling->uri);
    if (lua_getfield(lua, 1, "kwargs") != LUA_TNIL) {
        if (!lua_istable(lua, -1))
            return wrong(lua, deny_name, "kwargs", "a table with names");
        ruling->kwargs = encode(lua, VALUES_DICT, "kwargs");
    }
    lua_pop(lua, 1);
    if (lua_getfield(lua, 1, "close") == LUA_TBOOLEAN)
        ruling->closes = lua_toboolean(lua, -1) != 0;
    else if (!lua_isnil(lua, -1))
        return wrong(lua, deny_name, "close", "true, false");
    lua_pop(lua, 1);
    take_cache(lua, deny_name, ruling);
    lua_settop(lua, 2);
    return 1;
}

static void open(lua_State *lua)
{
    luaL_newmetatable(lua, RULING_NAME);
    lua_pushcfunction(lua, l_gc);
    lua_setfield(lua, -2, "__gc");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

static const struct module_row rows[] = {
    {"allow", l_allow,
     "fun(options?: { disclose?: boolean, trustlevel?: integer, timeout?: number, filter?: "
     "nexus.Filter, cache?: number, uri?: string, args?: any[], kwargs?: table, options?: table "
     "}): "
     "nexus.Decision",
     "An answer of policy.authorize: allowed, with changes. timeout is in seconds, an upper bound "
     "for calls; cache is for how many seconds the answer is kept; options stand before the "
     "client's; uri, args and kwargs are in the place of the client's.",
     "Options that do not exist, and values that they cannot have"},
    {"deny", l_deny,
     "fun(options?: { error?: string, message?: string, kwargs?: table, close?: boolean, cache?: "
     "number }): nexus.Decision",
     "An answer: refused, with the URI, the text and the details that the client is told. close "
     "ends the session as well; cache is for how many seconds the answer is kept.",
     "Options that do not exist, and values that they cannot have"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table policy_rulings = {"nexus", rows, open};
