/* module.c -- see module.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/module.h"

#include "base/log.h"
#include "core/rules_pattern.h"
#include "policy/guess.h"
#include "policy/mind.h"
#include "script/values.h"
#include "wire/uri.h"

#include <lauxlib.h>

#include <stdio.h>
#include <time.h>

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

static int l_policy(lua_State *lua)
{
    lua_settop(lua, 1);
    luaL_checktype(lua, 1, LUA_TTABLE);
    ensure_table(lua, "roles");
    ensure_table(lua, "authenticate");
    return 1;
}

/* ---- allow, deny ---- */

/* Keys of the table at 1 that are none of these. */
static void check_keys(lua_State *lua, const char *function, const char *const *known)
{
    char words[128];

    luaL_checktype(lua, 1, LUA_TTABLE);
    for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
        struct slice key = {0};
        struct guess guess;
        bool is_known = false;

        if (lua_type(lua, -2) == LUA_TSTRING)
            key.data = lua_tolstring(lua, -2, &key.len);
        guess = guess_begin(key);
        for (size_t i = 0; known[i] != NULL; i++) {
            is_known |= slice_eq(key, slice_of(known[i]));
            guess_offer(&guess, slice_of(known[i]));
        }
        if (!is_known)
            luaL_error(lua, "nexus.%s: %s: no such option%s", function,
                       key.data == NULL ? luaL_typename(lua, -2) : key.data,
                       guess_words(&guess, words));
    }
}

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
    check_keys(lua, "allow", known);
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
    check_keys(lua, "deny", known);
    uri = text_option(lua, "error", "a URI");
    words = text_option(lua, "message", "a string");
    if (uri.data != NULL && !uri_is_valid(uri, MATCH_EXACT, false))
        return luaL_error(lua, "nexus.deny.error: found \"%s\"; allowed: a URI", uri.data);
    ruling = new_ruling(lua, uri.len + words.len + 2);
    ruling->uri = keep((char *)(ruling + 1), uri);
    ruling->words = keep((char *)(ruling + 1) + uri.len + 1, words);
    return 1;
}

/* ---- time ---- */

static double seconds_of(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int l_now(lua_State *lua)
{
    lua_pushnumber(lua, seconds_of(CLOCK_REALTIME));
    return 1;
}

static int l_monotonic(lua_State *lua)
{
    lua_pushnumber(lua, seconds_of(CLOCK_MONOTONIC));
    return 1;
}

/* ---- log ---- */

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
    log_line(level, "policy-says", words, "realm", policy_of(lua)->realm, "at", where, "with",
             fields, NULL);
    return 0;
}

static void set_log(lua_State *lua)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};

    lua_createtable(lua, 0, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        lua_pushinteger(lua, (lua_Integer)i);
        lua_pushcclosure(lua, l_log, 1);
        lua_setfield(lua, -2, names[i]);
    }
    vm_freeze(lua, "nexus.log");
    lua_setfield(lua, -2, "log");
}

_Static_assert(LOG_DEBUG == 0 && LOG_ERROR == 3, "names of levels");

/* ---- uri ---- */

static struct slice check_slice(lua_State *lua, int index)
{
    struct slice text;

    text.data = luaL_checklstring(lua, index, &text.len);
    return text;
}

static int l_uri_valid(lua_State *lua)
{
    static const char *const grammars[] = {"loose", "strict", NULL};
    struct slice uri = check_slice(lua, 1);
    bool is_strict = luaL_checkoption(lua, 2, "loose", grammars) == 1;

    lua_pushboolean(lua, uri_is_valid(uri, MATCH_EXACT, is_strict));
    return 1;
}

static struct slice no_attribute(void *ctx, struct slice name)
{
    (void)ctx;
    (void)name;
    return (struct slice){0};
}

/* Nothing is raised while the arena holds memory. */
static int l_uri_matches(lua_State *lua)
{
    struct slice text = check_slice(lua, 1), uri = check_slice(lua, 2);
    struct rules_pattern pattern;
    struct rules_error error;
    struct rules_point point;
    struct arena arena;
    bool matches = false;
    int err;

    arena_init(&arena);
    err = rules_pattern_parse(&pattern, &arena, text, &error);
    if (err == 0 && uri_is_valid(uri, MATCH_EXACT, false) && rules_point_split(&point, uri))
        matches = rules_pattern_matches(&pattern, &point, no_attribute, NULL);
    arena_fini(&arena);
    vm_charge(lua, 20);
    if (err != 0)
        return luaL_error(lua, "nexus.uri.matches: \"%s\": %s", text.data, error.words);
    lua_pushboolean(lua, matches);
    return 1;
}

/* ---- the table ---- */

static const struct module_row rows[] = {
    {"policy", l_policy, "table: nexus.Policy -> nexus.Policy",
     "Makes a policy of a table: roles and authenticate are there afterwards, as empty tables. It "
     "has no other effect."},
    {"allow", l_allow,
     "options?: { disclose?: boolean, trustlevel?: integer, timeout?: number } "
     "-> nexus.Decision",
     "An answer of policy.authorize: allowed, with changes. timeout is in seconds, an upper bound "
     "for calls."},
    {"deny", l_deny, "options?: { error?: string, message?: string } -> nexus.Decision",
     "An answer: refused, with the URI and the text that the client is told."},
    {"now", l_now, "-> number", "Seconds since 1970, UTC."},
    {"monotonic", l_monotonic, "-> number", "Seconds of a clock that never jumps."},
    {"sleep", l_mind_sleep, "seconds: number",
     "Waits. Other messages of the session wait behind it; other sessions do not."},
    {"breathe", l_mind_breathe, "", "Lets everything else run for a moment; for long loops."},
    {"null", NULL, ": nexus.Null", "The value null of messages; nil is what is not there."},
    {"list", NULL, "items?: table -> table", "Marks a table as list, also when it is empty."},
    {"dict", NULL, "items?: table -> table", "Marks a table as dict."},
    {"bytes", NULL, "octets: string -> nexus.Bytes", "Binary, as opposed to text."},
    {"type", NULL, "value: any -> string",
     "As the function type, but tells null, list, dict, bytes, integer and float apart."},
    {"log", NULL, ": nexus.Log",
     "debug, info, warn, error (text, fields?): writes a line of the router's log."},
    {"uri", NULL, ": nexus.Uri", "Functions about URIs: valid, matches."},
    {"version", NULL, ": string", "Of the router."},
    {NULL, NULL, NULL, NULL},
};

static const struct module_row uri_rows[] = {
    {"valid", l_uri_valid, "uri: string, grammar?: \"loose\"|\"strict\" -> boolean",
     "Whether a text is a URI, by the loose grammar unless said otherwise."},
    {"matches", l_uri_matches, "pattern: string, uri: string -> boolean",
     "Whether a pattern as in rules matches a URI. {session.x} matches nothing here."},
    {NULL, NULL, NULL, NULL},
};

const struct module_row *module_rows(void)
{
    return rows;
}

static void set_rows(lua_State *lua, const struct module_row *from)
{
    for (; from->name != NULL; from++) {
        if (from->fn == NULL)
            continue; /* made elsewhere */
        lua_pushcfunction(lua, from->fn);
        lua_setfield(lua, -2, from->name);
    }
}

static void set_meta(lua_State *lua)
{
    luaL_newmetatable(lua, RULING_NAME);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

int l_module_open(lua_State *lua)
{
    set_meta(lua);
    l_open_values(lua);
    set_rows(lua, rows);
    set_log(lua);
    lua_newtable(lua);
    set_rows(lua, uri_rows);
    vm_freeze(lua, "nexus.uri");
    lua_setfield(lua, -2, "uri");
    lua_pushliteral(lua, NEXUS_VERSION);
    lua_setfield(lua, -2, "version");
    return 1;
}
