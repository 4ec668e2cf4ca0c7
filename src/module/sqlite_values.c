/* sqlite_values.c -- values between Lua and databases.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/sqlite_priv.h"

#define MAX_VALUES 200

/* ---- from Lua ---- */

void l_sqlite_check_values(lua_State *lua, const char *name, int from)
{
    int top = lua_gettop(lua);
    size_t len = 0;

    if (top - from + 1 > MAX_VALUES)
        luaL_error(lua, FUNCTION ": %s: found %d values; allowed: %d", name, top - from + 1,
                   MAX_VALUES);
    for (int i = from; i <= top; i++) {
        int type = lua_type(lua, i);

        if (type == LUA_TNIL)
            luaL_error(lua, FUNCTION ": %s: value %d is nil; allowed: nexus.null for NULL", name,
                       i - from + 1);
        if (values_is_octets(lua, i) || type == LUA_TSTRING)
            len += l_values_check_octets(lua, i).len;
        if (len > MAX_DB_VALUES)
            luaL_error(lua, FUNCTION ": %s: the values have more than %d octets", name,
                       MAX_DB_VALUES);
        if (values_is_null(lua, i) || values_is_octets(lua, i))
            continue;
        if (type != LUA_TBOOLEAN && type != LUA_TNUMBER && type != LUA_TSTRING)
            luaL_error(lua,
                       FUNCTION ": %s: value %d is a %s; allowed: nexus.null, boolean, number, "
                                "string, nexus.bytes",
                       name, i - from + 1, luaL_typename(lua, i));
    }
}

static void put_value(lua_State *lua, int index, struct writer *to)
{
    int64_t integer;
    double real;

    switch (lua_type(lua, index)) {
    case LUA_TBOOLEAN:
        integer = lua_toboolean(lua, index);
        db_put_number(to, DB_INTEGER, &integer);
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(lua, index)) {
            integer = lua_tointeger(lua, index);
            db_put_number(to, DB_INTEGER, &integer);
        } else {
            real = lua_tonumber(lua, index);
            db_put_number(to, DB_FLOAT, &real);
        }
        break;
    case LUA_TSTRING:
        db_put_text(to, DB_TEXT, check_slice(lua, index));
        break;
    default:
        if (values_is_null(lua, index))
            writer_put(to, DB_NULL);
        else
            db_put_text(to, DB_BLOB, l_values_check_octets(lua, index));
        break;
    }
}

unsigned sqlite_put_values(lua_State *lua, int from, struct writer *to)
{
    int top = lua_gettop(lua);

    for (int i = from; i <= top; i++)
        put_value(lua, i, to);
    return (unsigned)(top < from ? 0 : top - from + 1);
}

/* ---- to Lua ---- */

static void push_value(lua_State *lua, const struct db_value *value)
{
    switch (value->tag) {
    case DB_INTEGER:
        lua_pushinteger(lua, value->integer);
        break;
    case DB_FLOAT:
        lua_pushnumber(lua, value->real);
        break;
    case DB_TEXT:
        lua_pushlstring(lua, value->text.data, value->text.len);
        break;
    case DB_BLOB:
        l_values_push_bytes(lua, value->text);
        break;
    case DB_NULL:
    case DB_NAME:
    case DB_ROW_END:
        l_values_push_null(lua);
        break;
    }
}

void sqlite_push_names(lua_State *lua, struct slice *rest)
{
    struct db_value value;
    lua_Integer count = 0;

    lua_newtable(lua);
    while (db_take(rest, &value) && value.tag == DB_NAME) {
        lua_pushlstring(lua, value.text.data, value.text.len);
        lua_rawseti(lua, -2, ++count);
    }
}

void sqlite_push_row(lua_State *lua, int names, struct slice *rest)
{
    struct db_value value;

    lua_createtable(lua, 0, (int)lua_rawlen(lua, names));
    for (lua_Integer i = 1; db_take(rest, &value) && value.tag != DB_ROW_END; i++) {
        lua_rawgeti(lua, names, i);
        push_value(lua, &value);
        lua_rawset(lua, -3);
    }
    vm_charge(lua, 20);
}

void sqlite_push_list(lua_State *lua, int names, struct slice *rest, size_t count)
{
    lua_createtable(lua, (int)count, 0);
    for (size_t i = 1; i <= count; i++) {
        sqlite_push_row(lua, names, rest);
        lua_rawseti(lua, -2, (lua_Integer)i);
    }
    l_values_mark(lua, VALUES_LIST);
}
