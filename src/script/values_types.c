/* values_types.c -- the values that Lua has no word for, and the module `nexus` as far as
 * values go: null, list, dict, bytes, type, json, msgpack, cbor.
 *
 * Lists and dicts are ordinary tables with a mark, their metatable. null is one light
 * userdata, the same in every state.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/values_priv.h"

#include <lauxlib.h>

#include <stdio.h>
#include <stdlib.h>

static const char null_mark = 0;
static const char list_key = 0, dict_key = 0, octets_key = 0, big_key = 0;

/* ---- null ---- */

void l_values_push_null(lua_State *lua)
{
    lua_pushlightuserdata(lua, (void *)(uintptr_t)&null_mark); // NOLINT(performance-no-int-to-ptr)
}

/* That of lua-cjson counts as well. */
bool values_is_null(lua_State *lua, int index)
{
    const void *mark = lua_touserdata(lua, index);

    return lua_islightuserdata(lua, index) && (mark == &null_mark || mark == NULL);
}

static int l_null_tostring(lua_State *lua)
{
    lua_pushstring(lua, values_is_null(lua, 1) ? "null" : "userdata");
    return 1;
}

/* ---- marks ---- */

static void push_meta(lua_State *lua, const char *key)
{
    lua_rawgetp(lua, LUA_REGISTRYINDEX, key);
}

static bool has_meta(lua_State *lua, int index, const char *key)
{
    bool is_same;

    if (!lua_getmetatable(lua, index))
        return false;
    push_meta(lua, key);
    is_same = lua_rawequal(lua, -1, -2) != 0;
    lua_pop(lua, 2);
    return is_same;
}

void l_values_mark(lua_State *lua, enum values_shape shape)
{
    push_meta(lua, shape == VALUES_LIST ? &list_key : &dict_key);
    lua_setmetatable(lua, -2);
}

enum mark values_mark_of(lua_State *lua, int index)
{
    enum mark mark = MARK_NONE;

    if (!lua_getmetatable(lua, index))
        return MARK_NONE;
    push_meta(lua, &list_key);
    push_meta(lua, &dict_key);
    if (lua_rawequal(lua, -2, -3))
        mark = MARK_LIST;
    else if (lua_rawequal(lua, -1, -3))
        mark = MARK_DICT;
    lua_pop(lua, 3);
    return mark;
}

static int mark_argument(lua_State *lua, enum values_shape shape)
{
    lua_settop(lua, 1);
    if (lua_isnil(lua, 1)) {
        lua_newtable(lua);
    } else {
        luaL_checktype(lua, 1, LUA_TTABLE);
        if (lua_getmetatable(lua, 1) && values_mark_of(lua, 1) == MARK_NONE)
            return luaL_argerror(lua, 1, "the table has a metatable already");
        lua_settop(lua, 1);
    }
    l_values_mark(lua, shape);
    return 1;
}

static int l_list(lua_State *lua)
{
    return mark_argument(lua, VALUES_LIST);
}

static int l_dict(lua_State *lua)
{
    return mark_argument(lua, VALUES_DICT);
}

/* ---- binary ---- */

static struct octets *new_octets(lua_State *lua, struct slice bytes)
{
    struct octets *octets = lua_newuserdatauv(lua, sizeof(*octets) + bytes.len, 0);

    octets->len = bytes.len;
    octets->ext_type = 0;
    octets->is_ext = false;
    if (bytes.len != 0)
        memcpy(octets->data, bytes.data, bytes.len);
    push_meta(lua, &octets_key);
    lua_setmetatable(lua, -2);
    return octets;
}

void l_values_push_bytes(lua_State *lua, struct slice bytes)
{
    new_octets(lua, bytes);
}

void l_values_push_ext(lua_State *lua, struct slice bytes, int8_t ext_type)
{
    struct octets *octets = new_octets(lua, bytes);

    octets->is_ext = true;
    octets->ext_type = ext_type;
}

const struct octets *values_octets_of(lua_State *lua, int index)
{
    if (lua_type(lua, index) != LUA_TUSERDATA || !has_meta(lua, index, &octets_key))
        return NULL;
    return lua_touserdata(lua, index);
}

bool values_is_octets(lua_State *lua, int index)
{
    return values_octets_of(lua, index) != NULL;
}

struct slice l_values_check_octets(lua_State *lua, int index)
{
    const struct octets *octets = values_octets_of(lua, index);
    struct slice text;

    if (octets != NULL)
        return slice_make(octets->data, octets->len);
    luaL_argexpected(lua, lua_type(lua, index) == LUA_TSTRING, index, "string or nexus.bytes");
    text.data = lua_tolstring(lua, index, &text.len);
    return text;
}

static const struct octets *check_octets(lua_State *lua, int index)
{
    const struct octets *octets = values_octets_of(lua, index);

    luaL_argexpected(lua, octets != NULL, index, "nexus.bytes");
    return octets;
}

static int l_bytes(lua_State *lua)
{
    new_octets(lua, l_values_check_octets(lua, 1));
    return 1;
}

static int l_bytes_len(lua_State *lua)
{
    lua_pushinteger(lua, (lua_Integer)check_octets(lua, 1)->len);
    return 1;
}

static int l_bytes_tostring(lua_State *lua)
{
    const struct octets *octets = check_octets(lua, 1);

    lua_pushlstring(lua, octets->data, octets->len);
    return 1;
}

static int l_bytes_eq(lua_State *lua)
{
    const struct octets *a = values_octets_of(lua, 1), *b = values_octets_of(lua, 2);

    lua_pushboolean(lua, a != NULL && b != NULL && a->is_ext == b->is_ext &&
                             a->ext_type == b->ext_type && a->len == b->len &&
                             memcmp(a->data, b->data, a->len) == 0);
    return 1;
}

/* As string.sub: places are counted from 1, and from the end when negative. */
static int l_bytes_sub(lua_State *lua)
{
    const struct octets *octets = check_octets(lua, 1);
    lua_Integer len = (lua_Integer)octets->len;
    lua_Integer from = luaL_optinteger(lua, 2, 1);
    lua_Integer last = luaL_optinteger(lua, 3, -1);

    from = from > 0 ? from : from == 0 || from < -len ? 1 : len + from + 1;
    last = last > len ? len : last >= 0 ? last : last < -len ? 0 : len + last + 1;
    if (from > last)
        l_values_push_bytes(lua, slice_make("", 0));
    else
        l_values_push_bytes(lua, slice_make(octets->data + from - 1, (size_t)(last - from + 1)));
    return 1;
}

/* ---- integers beyond 64 bits ---- */

void l_values_push_big(lua_State *lua, struct slice digits)
{
    struct big *big = lua_newuserdatauv(lua, sizeof(*big) + digits.len + 1, 0);

    big->len = digits.len;
    memcpy(big->digits, digits.data, digits.len);
    big->digits[digits.len] = '\0';
    push_meta(lua, &big_key);
    lua_setmetatable(lua, -2);
}

const struct big *values_big_of(lua_State *lua, int index)
{
    if (lua_type(lua, index) != LUA_TUSERDATA || !has_meta(lua, index, &big_key))
        return NULL;
    return lua_touserdata(lua, index);
}

static int compare_digits(struct slice a, struct slice b)
{
    bool a_negative = *a.data == '-', b_negative = *b.data == '-';
    int order;

    if (a_negative != b_negative)
        return a_negative ? -1 : 1;
    order = a.len != b.len ? (a.len < b.len ? -1 : 1) : memcmp(a.data, b.data, a.len);
    return a_negative ? -order : order;
}

/* Digits of a big integer or of an integer of Lua; what is no integer raises. */
static struct slice digits_of(lua_State *lua, int index, char room[24])
{
    const struct big *big = values_big_of(lua, index);

    if (big != NULL)
        return slice_make(big->digits, big->len);
    return slice_make(room, (size_t)snprintf(room, 24, "%lld", luaL_checkinteger(lua, index)));
}

static double double_of(lua_State *lua, int index)
{
    const struct big *big = values_big_of(lua, index);

    return big != NULL ? strtod(big->digits, NULL) : luaL_checknumber(lua, index);
}

static int compare_big(lua_State *lua)
{
    char a[24], b[24];

    if (lua_type(lua, 1) == LUA_TNUMBER || lua_type(lua, 2) == LUA_TNUMBER) {
        double left = double_of(lua, 1), right = double_of(lua, 2);

        if (left < right || left > right)
            return left < right ? -1 : 1;
        if (!lua_isinteger(lua, 1) && !lua_isinteger(lua, 2))
            return 0;
    }
    return compare_digits(digits_of(lua, 1, a), digits_of(lua, 2, b));
}

static int l_big_eq(lua_State *lua)
{
    lua_pushboolean(lua, values_big_of(lua, 1) != NULL && values_big_of(lua, 2) != NULL &&
                             compare_big(lua) == 0);
    return 1;
}

static int l_big_lt(lua_State *lua)
{
    lua_pushboolean(lua, compare_big(lua) < 0);
    return 1;
}

static int l_big_le(lua_State *lua)
{
    lua_pushboolean(lua, compare_big(lua) <= 0);
    return 1;
}

static int l_big_tostring(lua_State *lua)
{
    const struct big *big = values_big_of(lua, 1);

    luaL_argexpected(lua, big != NULL, 1, "integer beyond 64 bits");
    lua_pushlstring(lua, big->digits, big->len);
    return 1;
}

/* ---- type ---- */

static const char *table_type(lua_State *lua, int index)
{
    enum mark mark = values_mark_of(lua, index);
    bool is_text;

    if (mark != MARK_NONE)
        return mark == MARK_LIST ? "list" : "dict";
    lua_pushnil(lua);
    if (lua_next(lua, index) == 0)
        return "dict";
    is_text = lua_type(lua, -2) == LUA_TSTRING;
    lua_pop(lua, 2);
    return !is_text && lua_rawlen(lua, index) != 0 ? "list" : "dict";
}

static int l_type(lua_State *lua)
{
    const char *type = luaL_typename(lua, 1);

    luaL_checkany(lua, 1);
    if (lua_type(lua, 1) == LUA_TNUMBER)
        type = lua_isinteger(lua, 1) ? "integer" : "float";
    else if (lua_type(lua, 1) == LUA_TTABLE)
        type = table_type(lua, 1);
    else if (values_is_null(lua, 1))
        type = "null";
    else if (values_octets_of(lua, 1) != NULL)
        type = "bytes";
    else if (values_big_of(lua, 1) != NULL)
        type = "integer";
    lua_pushstring(lua, type);
    return 1;
}

/* ---- the codecs; the upvalue says which ---- */

static enum codec codec_of(lua_State *lua)
{
    return (enum codec)lua_tointeger(lua, lua_upvalueindex(1));
}

static int l_encode(lua_State *lua)
{
    const struct encoder *e;
    struct slice text;

    luaL_checkany(lua, 1);
    lua_settop(lua, 1);
    e = l_values_begin(lua, codec_of(lua));
    l_values_put(lua, 1, VALUES_ANY, "value");
    text = writer_slice(&e->out);
    lua_pushlstring(lua, text.data, text.len);
    blob_drop(l_values_end(lua));
    return 1;
}

static int l_decode(lua_State *lua)
{
    struct slice bytes = l_values_check_octets(lua, 1);

    l_values_push(lua, codec_of(lua), bytes, "value");
    return 1;
}

static void set_codec(lua_State *lua, enum codec codec)
{
    static const luaL_Reg functions[] = {{"encode", l_encode}, {"decode", l_decode}, {NULL, NULL}};

    lua_createtable(lua, 0, 2);
    lua_pushinteger(lua, codec);
    luaL_setfuncs(lua, functions, 1);
    vm_freeze(lua, codec_name(codec));
    lua_setfield(lua, -2, codec_name(codec));
}

/* ---- opening ---- */

static void set_meta(lua_State *lua, const char *key, const char *name, const luaL_Reg *functions)
{
    lua_newtable(lua);
    luaL_setfuncs(lua, functions, 0);
    lua_pushstring(lua, name);
    lua_setfield(lua, -2, "__name");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, key);
}

void values_open(lua_State *lua)
{
    static const luaL_Reg none[] = {{NULL, NULL}};
    static const luaL_Reg octets[] = {{"__len", l_bytes_len},
                                      {"__tostring", l_bytes_tostring},
                                      {"__eq", l_bytes_eq},
                                      {NULL, NULL}};
    static const luaL_Reg big[] = {{"__eq", l_big_eq},
                                   {"__lt", l_big_lt},
                                   {"__le", l_big_le},
                                   {"__tostring", l_big_tostring},
                                   {NULL, NULL}};

    set_meta(lua, &list_key, "list", none);
    set_meta(lua, &dict_key, "dict", none);
    set_meta(lua, &octets_key, "nexus.bytes", octets);
    set_meta(lua, &big_key, "integer", big);
    push_meta(lua, &octets_key);
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, l_bytes_sub);
    lua_setfield(lua, -2, "sub");
    vm_freeze(lua, "nexus.bytes");
    lua_setfield(lua, -2, "__index");
    lua_pop(lua, 1);

    l_values_push_null(lua);
    lua_createtable(lua, 0, 2);
    lua_pushcfunction(lua, l_null_tostring);
    lua_setfield(lua, -2, "__tostring");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -2);
    lua_pop(lua, 1);
}

int l_open_values(lua_State *lua)
{
    static const luaL_Reg functions[] = {
        {"list", l_list}, {"dict", l_dict}, {"bytes", l_bytes}, {"type", l_type}, {NULL, NULL}};

    luaL_newlib(lua, functions);
    l_values_push_null(lua);
    lua_setfield(lua, -2, "null");
    for (enum codec codec = 0; codec < CODEC_COUNT; codec++)
        set_codec(lua, codec);
    return 1;
}
