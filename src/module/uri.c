/* uri.c -- nexus.uri.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wire/uri.h"

#include "base/utf8.h"
#include "core/rules_pattern.h"
#include "module/module_priv.h"

static bool is_uri(struct slice text, bool is_strict)
{
    return utf8_is_valid(text) && uri_is_valid(text, MATCH_EXACT, is_strict);
}

static int l_valid(lua_State *lua)
{
    static const char *const grammars[] = {"loose", "strict", NULL};
    struct slice uri = check_slice(lua, 1);
    bool is_strict = luaL_checkoption(lua, 2, "loose", grammars) == 1;

    lua_pushboolean(lua, is_uri(uri, is_strict));
    return 1;
}

static struct slice no_attribute(void *ctx, struct slice name)
{
    (void)ctx;
    (void)name;
    return (struct slice){0};
}

/* Nothing is raised while the arena holds memory. */
static int l_matches(lua_State *lua)
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
    if (err == 0 && is_uri(uri, false) && rules_point_split(&point, uri))
        matches = rules_pattern_matches(&pattern, &point, no_attribute, NULL);
    arena_fini(&arena);
    vm_charge(lua, 20);
    if (err != 0)
        return luaL_error(lua, "nexus.uri.matches: \"%s\": %s", text.data, error.words);
    lua_pushboolean(lua, matches);
    return 1;
}

/* ---- split, join ---- */

static int l_split(lua_State *lua)
{
    struct slice uri = check_slice(lua, 1);
    bool more = true;

    if (!utf8_is_valid(uri) || !uri_is_valid(uri, MATCH_WILDCARD, false))
        return luaL_error(lua, "nexus.uri.split: found \"%s\"; allowed: a URI", uri.data);
    vm_charge(lua, uri.len / 16);
    lua_newtable(lua);
    for (lua_Integer i = 1; more; i++) {
        struct slice component = uri_component(&uri, &more);

        lua_pushlstring(lua, component.data, component.len);
        lua_rawseti(lua, -2, i);
    }
    l_values_mark(lua, VALUES_LIST);
    return 1;
}

/* Adds the component at the top, and pops it. What would become two, or none, is an error: it may
 * come from a client. */
static void add_component(lua_State *lua, luaL_Buffer *to, lua_Integer i)
{
    struct slice text = {NULL, 0};

    if (lua_type(lua, -1) == LUA_TSTRING || lua_isinteger(lua, -1))
        text.data = lua_tolstring(lua, -1, &text.len);
    if (text.data == NULL) {
        luaL_error(lua, "nexus.uri.join: component %I is a %s; allowed: a string or an integer", i,
                   luaL_typename(lua, -1));
        return;
    }
    if (memchr(text.data, '.', text.len) != NULL || !is_uri(text, false))
        luaL_error(lua,
                   "nexus.uri.join: component %I is \"%s\"; allowed: a component of a URI, "
                   "without points, white space and #",
                   i, text.data);
    luaL_addvalue(to);
}

static int l_join(lua_State *lua)
{
    lua_Integer count = lua_gettop(lua);
    bool is_list = lua_type(lua, 1) == LUA_TTABLE;
    luaL_Buffer to;

    if (is_list) {
        lua_settop(lua, 1);
        count = luaL_len(lua, 1);
    }
    if (count < 1 || count > MAX_URI_COMPONENTS)
        return luaL_error(lua, "nexus.uri.join: found %I components; allowed: 1 to %d", count,
                          MAX_URI_COMPONENTS);
    lua_newtable(lua); /* all at one place, so that the buffer may be at the top */
    for (lua_Integer i = 1; i <= count; i++) {
        if (is_list)
            lua_geti(lua, 1, i);
        else
            lua_pushvalue(lua, (int)i);
        lua_rawseti(lua, -2, i);
    }
    lua_replace(lua, 1);
    lua_settop(lua, 1);
    luaL_buffinit(lua, &to);
    for (lua_Integer i = 1; i <= count; i++) {
        if (i != 1)
            luaL_addchar(&to, '.');
        lua_rawgeti(lua, 1, i);
        add_component(lua, &to, i);
    }
    luaL_pushresult(&to);
    if (!uri_is_valid(check_slice(lua, -1), MATCH_EXACT, false))
        return luaL_error(lua, "nexus.uri.join: the URI gets longer than %d octets", MAX_URI_LEN);
    return 1;
}

/* ---- matcher ---- */

#define MATCHER_NAME "nexus.Matcher"

struct matcher {
    struct arena arena;
    struct rules_pattern pattern;
};

static int l_matcher_gc(lua_State *lua)
{
    struct matcher *matcher = luaL_checkudata(lua, 1, MATCHER_NAME);

    arena_fini(&matcher->arena);
    return 0;
}

static int l_match(lua_State *lua)
{
    const struct matcher *matcher = lua_touserdata(lua, lua_upvalueindex(1));
    const struct rules_pattern *pattern = &matcher->pattern;
    struct slice uri = check_slice(lua, 1);
    struct rules_point point;

    vm_charge(lua, 1 + uri.len / 64);
    if (!is_uri(uri, false) || !rules_point_split(&point, uri) ||
        !rules_pattern_matches(pattern, &point, no_attribute, NULL)) {
        lua_pushnil(lua);
        return 1;
    }
    lua_createtable(lua, 0, (int)pattern->captures);
    for (size_t i = 0; i < pattern->count; i++) {
        const struct rules_component *component = &pattern->at[i];

        if (component->kind != RULES_ANY || component->text.len == 0)
            continue;
        lua_pushlstring(lua, component->text.data, component->text.len);
        lua_pushlstring(lua, point.at[i].data, point.at[i].len);
        lua_rawset(lua, -3);
    }
    return 1;
}

static int l_matcher(lua_State *lua)
{
    struct slice text = check_slice(lua, 1);
    struct matcher *matcher = lua_newuserdatauv(lua, sizeof(*matcher), 0);
    struct rules_error error;

    arena_init(&matcher->arena);
    luaL_setmetatable(lua, MATCHER_NAME);
    if (text.len <= MAX_URI_LEN)
        text = arena_copy(&matcher->arena, text);
    if (rules_pattern_parse(&matcher->pattern, &matcher->arena, text, &error) != 0)
        return luaL_error(lua, "nexus.uri.matcher: \"%s\": %s", lua_tostring(lua, 1), error.words);
    for (size_t i = 0; i < matcher->pattern.count; i++) {
        if (matcher->pattern.at[i].kind == RULES_SESSION)
            return luaL_error(lua,
                              "nexus.uri.matcher: \"%s\": there is no session here; allowed: "
                              "literals, *, {name} and a final **",
                              lua_tostring(lua, 1));
    }
    lua_pushcclosure(lua, l_match, 1);
    return 1;
}

static const struct module_row matcher_rows[] = {
    {"__gc", l_matcher_gc, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_matcher = {MATCHER_NAME, matcher_rows, NULL};

static const struct module_row rows[] = {
    {"valid", l_valid, "fun(uri: string, grammar?: \"loose\"|\"strict\"): boolean",
     "Whether a text is a URI, by the loose grammar unless said otherwise.", NULL},
    {"matches", l_matches, "fun(pattern: string, uri: string): boolean",
     "Whether a pattern as in rules matches a URI. {session.x} matches nothing here.",
     "What is wrong with the pattern"},
    {"split", l_split, "fun(uri: string): string[]",
     "The components. Those that are empty, as in patterns of the protocol, stay.",
     "What is no URI"},
    {"join", l_join, "fun(components: string[]|string, ...: string): string",
     "A URI of components, a list or one by one.",
     "What cannot be one component, such as a text with a point"},
    {"matcher", l_matcher, "fun(pattern: string): fun(uri: string): table<string, string>?",
     "A function that gives the captures of a URI by their names, or nil when it does not match. "
     "Faster than matches, as the pattern is read once.",
     "What is wrong with the pattern"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_uri = {"nexus.uri", rows, NULL};
