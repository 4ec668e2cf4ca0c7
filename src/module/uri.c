/* uri.c -- nexus.uri.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wire/uri.h"

#include "core/rules_pattern.h"
#include "module/module_priv.h"

static int l_valid(lua_State *lua)
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
    if (err == 0 && uri_is_valid(uri, MATCH_EXACT, false) && rules_point_split(&point, uri))
        matches = rules_pattern_matches(&pattern, &point, no_attribute, NULL);
    arena_fini(&arena);
    vm_charge(lua, 20);
    if (err != 0)
        return luaL_error(lua, "nexus.uri.matches: \"%s\": %s", text.data, error.words);
    lua_pushboolean(lua, matches);
    return 1;
}

static const struct module_row rows[] = {
    {"valid", l_valid, "fun(uri: string, grammar?: \"loose\"|\"strict\"): boolean",
     "Whether a text is a URI, by the loose grammar unless said otherwise.", NULL},
    {"matches", l_matches, "fun(pattern: string, uri: string): boolean",
     "Whether a pattern as in rules matches a URI. {session.x} matches nothing here.",
     "What is wrong with the pattern"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_uri = {"nexus.uri", rows, NULL};
