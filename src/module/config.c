/* config.c -- nexus.config and nexus.secret: what the configuration says to a policy.
 *
 * Lists and dicts within the settings are handed out as copies, so that nothing that is done to
 * them is seen by the next reader.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/guess.h"
#include "module/module_priv.h"

#define CONFIG_NAME "nexus.Config"

/* Pushes what a reader gets for the value at the top, instead of it. */
static void copy_value(lua_State *lua)
{
    const struct encoder *e;

    if (lua_type(lua, -1) != LUA_TTABLE)
        return;
    e = l_values_begin(lua, CODEC_MSGPACK);
    l_values_put(lua, lua_gettop(lua), VALUES_ANY, "config");
    lua_pushlstring(lua, writer_slice(&e->out).data, writer_slice(&e->out).len);
    blob_drop(l_values_end(lua));
    l_values_push(lua, CODEC_MSGPACK, check_slice(lua, -1), "config");
    lua_replace(lua, -3);
    lua_pop(lua, 1);
}

static int l_index(lua_State *lua)
{
    luaL_checkudata(lua, 1, CONFIG_NAME);
    lua_settop(lua, 2);
    lua_getiuservalue(lua, 1, 1);
    lua_pushvalue(lua, 2);
    lua_rawget(lua, 3);
    copy_value(lua);
    return 1;
}

static int l_newindex(lua_State *lua)
{
    return luaL_error(lua, "nexus.config is read-only");
}

static int l_next(lua_State *lua)
{
    lua_settop(lua, 2);
    luaL_checktype(lua, 1, LUA_TTABLE);
    if (lua_next(lua, 1) != 0)
        return 2;
    lua_pushnil(lua);
    return 1;
}

static int l_pairs(lua_State *lua)
{
    luaL_checkudata(lua, 1, CONFIG_NAME);
    lua_settop(lua, 1);
    lua_pushcfunction(lua, l_next);
    lua_getiuservalue(lua, 1, 1);
    copy_value(lua);
    return 2;
}

static int l_secret(lua_State *lua)
{
    const struct host_config *config = host_of(lua)->config;
    struct slice name = check_slice(lua, 1);
    struct guess guess = guess_begin(name);
    char words[128];

    for (size_t i = 0; i < config->secret_count; i++) {
        const struct secret *secret = &config->secrets[i];

        if (slice_eq(slice_of(secret->name), name)) {
            lua_pushlstring(lua, secret->value.data, secret->value.len);
            return 1;
        }
        guess_offer(&guess, slice_of(secret->name));
    }
    return luaL_error(lua,
                      "nexus.secret: found \"%s\"; the configuration of the realm has no such "
                      "secret%s",
                      name.data, guess_words(&guess, words));
}

static void set_config(lua_State *lua)
{
    struct slice settings = host_of(lua)->config->settings;

    lua_newuserdatauv(lua, 0, 1);
    if (settings.len == 0)
        lua_newtable(lua);
    else
        l_values_push(lua, CODEC_MSGPACK, settings, "settings");
    lua_setiuservalue(lua, -2, 1);
    luaL_setmetatable(lua, CONFIG_NAME);
    lua_setfield(lua, -2, "config");
}

static const struct module_row class_rows[] = {
    {"__newindex", l_newindex, NULL, NULL, NULL},
    {"__pairs", l_pairs, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void set_index(lua_State *lua)
{
    lua_pushcfunction(lua, l_index);
    lua_setfield(lua, -2, "__index");
}

static const struct module_row rows[] = {
    {"config", NULL, "table<string, any>",
     "The settings of the realm, read-only. What is not set is nil.", "Writing to it"},
    {"secret", l_secret, "fun(name: string): string",
     "A secret of the configuration. It is never printed: log lines and tracebacks show ***.",
     "A name that the configuration does not have"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_config_class = {CONFIG_NAME, class_rows, set_index};
const struct module_table module_config = {"nexus", rows, set_config};
