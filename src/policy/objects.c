/* objects.c -- see objects.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/objects.h"

#include "base/guess.h"
#include "base/utf8.h"
#include "policy/facts.h"

#include <lauxlib.h>

static int l_read_only(lua_State *lua)
{
    return luaL_error(lua, "%s", lua_tostring(lua, lua_upvalueindex(1)));
}

void l_object_open(lua_State *lua, lua_CFunction index, const char *words)
{
    lua_getfield(lua, -1, "__index");
    lua_pushcclosure(lua, index, 1);
    lua_setfield(lua, -2, "__index");
    lua_pushstring(lua, words);
    lua_pushcclosure(lua, l_read_only, 1);
    lua_setfield(lua, -2, "__newindex");
}

struct slice l_object_check_text(lua_State *lua, int index)
{
    struct slice uri;

    luaL_checktype(lua, index, LUA_TSTRING); /* a number would be a string on the stack alone */
    uri.data = lua_tolstring(lua, index, &uri.len);
    return uri;
}

bool object_is_said(struct slice text)
{
    return memchr(text.data, '\0', text.len) == NULL && utf8_is_valid(text);
}

const char *l_object_check_said(lua_State *lua, int index, const char *what)
{
    struct slice text = l_object_check_text(lua, index);

    if (!object_is_said(text))
        luaL_error(lua, "%s: found octets that are no text; allowed: UTF-8 without U+0000", what);
    return text.data;
}

void l_object_open_holder(lua_State *lua, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(lua, name);
    lua_pushcfunction(lua, gc);
    lua_setfield(lua, -2, "__gc");
    lua_pop(lua, 1);
}

int l_object_method(lua_State *lua, const struct module_table *table, const char *what)
{
    struct slice name = {0};
    struct guess guess;
    char words[128];

    lua_pushvalue(lua, 2);
    if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    if (lua_type(lua, 2) == LUA_TSTRING)
        name.data = lua_tolstring(lua, 2, &name.len);
    guess = guess_begin(name);
    for (const struct module_row *row = table->rows; row->name != NULL; row++)
        guess_offer(&guess, slice_of(row->name));
    return luaL_error(lua, "no field \"%s\" of %s%s", name.data == NULL ? "?" : name.data, what,
                      guess_words(&guess, words));
}

static struct slice no_attribute(void *ctx, struct slice name)
{
    (void)ctx;
    (void)name;
    return (struct slice){0};
}

bool object_matches(const struct rules_pattern *pattern, struct slice uri)
{
    struct rules_point point;

    return rules_point_split(&point, uri) &&
           rules_pattern_matches(pattern, &point, no_attribute, NULL);
}

void l_object_push_captures(lua_State *lua, const struct rules_pattern *pattern, struct slice uri)
{
    struct rules_point point;

    l_facts_push_empty(lua, VALUES_DICT);
    if (pattern->captures == 0 || !rules_point_split(&point, uri))
        return;
    for (size_t i = 0; i < pattern->count && i < point.count; i++) {
        const struct rules_component *component = &pattern->at[i];

        if (component->kind != RULES_ANY || component->text.len == 0 || point.at[i].data == NULL)
            continue;
        lua_pushlstring(lua, component->text.data, component->text.len);
        lua_pushlstring(lua, point.at[i].data, point.at[i].len);
        lua_rawset(lua, -3);
    }
}

/* One after the other, from number i on; an error of one is raised when all were called. */
static int call_from(lua_State *lua, lua_Integer i);

/* What was raised is kept; nil would look like no error. */
static void keep_error(lua_State *lua)
{
    if (lua_isnil(lua, -1))
        lua_pushliteral(lua, "an error that is no text but a nil");
    lua_replace(lua, 2);
}

static int on_called(lua_State *lua, int status, lua_KContext ctx)
{
    if (status != LUA_OK && status != LUA_YIELD)
        keep_error(lua);
    lua_settop(lua, 2);
    return call_from(lua, (lua_Integer)ctx + 1);
}

static int call_from(lua_State *lua, lua_Integer i)
{
    for (;; i++) {
        int status;

        if (lua_rawgeti(lua, 1, i) != LUA_TFUNCTION)
            break;
        status = lua_pcallk(lua, 0, 0, 0, (lua_KContext)i, on_called);
        if (status != LUA_OK)
            keep_error(lua);
        lua_settop(lua, 2);
    }
    lua_settop(lua, 2);
    return lua_isnil(lua, 2) ? 0 : lua_error(lua);
}

int l_object_call_each(lua_State *lua)
{
    lua_settop(lua, 2);
    return call_from(lua, 1);
}
