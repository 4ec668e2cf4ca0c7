/* module.c -- see module.h: the opening.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/module.h"

#include "base/guess.h"
#include "module/jwt_key.h"
#include "module/module_priv.h"

#include <stdio.h>

static const struct module_table *const tables[] = {
    &module_values,        &module_json,    &module_msgpack,     &module_cbor,
    &module_log,           &module_time,    &module_matcher,     &module_uri,
    &module_config_class,  &module_config,  &module_crypto,      &module_derive,
    &module_jwt_key,       &module_jwt,     &module_kv_class,    &module_kv,
    &module_limiter_class, &module_limiter, &module_counter,     &module_gauge,
    &module_histogram,     &module_metrics, &module_transaction, &module_rows_class,
    &module_database,      &module_sqlite,  &module_http,        NULL,
};

const struct module_table *const *module_tables(void)
{
    return tables;
}

static bool is_class(const struct module_table *table)
{
    const char *field = strchr(table->name, '.');

    return field != NULL && field[1] >= 'A' && field[1] <= 'Z';
}

static bool has_functions(const struct module_table *table)
{
    for (const struct module_row *row = table->rows; row->name != NULL; row++) {
        if (row->fn != NULL)
            return true;
    }
    return table->open != NULL;
}

static void set_rows(lua_State *lua, const struct module_row *from)
{
    for (; from->name != NULL; from++) {
        if (from->fn == NULL)
            continue;
        lua_pushcfunction(lua, from->fn);
        lua_setfield(lua, -2, from->name);
    }
}

void l_module_push_class(lua_State *lua, const struct module_table *table)
{
    if (luaL_newmetatable(lua, table->name) == 0)
        return;
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_newtable(lua);
    lua_setfield(lua, -2, "__index");
}

/* Fields "__x" are of the metatable, all others are methods. */
static void open_class(lua_State *lua, const struct module_table *table)
{
    l_module_push_class(lua, table);
    lua_getfield(lua, -1, "__index");
    for (const struct module_row *row = table->rows; row->name != NULL; row++) {
        if (row->fn == NULL)
            continue;
        lua_pushcfunction(lua, row->fn);
        lua_setfield(lua, strncmp(row->name, "__", 2) == 0 ? -3 : -2, row->name);
    }
    lua_pop(lua, 1);
    if (table->open != NULL)
        table->open(lua);
    lua_pop(lua, 1);
}

/* The module is at the top, and so are the tables within that several may add to. */
static void open_table(lua_State *lua, const struct module_table *table)
{
    const char *field = strchr(table->name, '.');
    int top = lua_gettop(lua);

    if (is_class(table)) {
        open_class(lua, table);
        return;
    }
    if (!has_functions(table))
        return;
    if (field != NULL && lua_getfield(lua, -1, field + 1) == LUA_TNIL) {
        lua_newtable(lua);
        lua_pushvalue(lua, -1);
        lua_setfield(lua, top, field + 1);
    }
    set_rows(lua, table->rows);
    if (table->open != NULL)
        table->open(lua);
    lua_settop(lua, top);
}

static void freeze_fields(lua_State *lua, const struct module_table *const *from)
{
    for (; *from != NULL; from++) {
        const char *field = strchr((*from)->name, '.');

        if (field == NULL || is_class(*from) || !has_functions(*from))
            continue;
        lua_getfield(lua, -1, field + 1);
        if (lua_getmetatable(lua, -1) == 0) {
            vm_freeze(lua, (*from)->name);
            lua_setfield(lua, -2, field + 1);
        } else { /* frozen already, as several tables are of this name */
            lua_pop(lua, 2);
        }
    }
}

int l_module_open(lua_State *lua, const struct module_table *const *more)
{
    l_open_values(lua);
    for (size_t i = 0; tables[i] != NULL; i++)
        open_table(lua, tables[i]);
    for (size_t i = 0; more[i] != NULL; i++)
        open_table(lua, more[i]);
    freeze_fields(lua, tables);
    freeze_fields(lua, more);
    return 1;
}

void l_module_check_keys(lua_State *lua, int index, const char *function, const char *const *known)
{
    char words[128];

    luaL_checktype(lua, index, LUA_TTABLE);
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
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
            luaL_error(lua, "%s: %s: no such option%s", function,
                       key.data == NULL ? luaL_typename(lua, -2) : key.data,
                       guess_words(&guess, words));
    }
}
