/* lib_table.c -- the table library, for plain tables and bounded.
 *
 * A table that answers by metamethods could make these functions loop for ever
 * in C, so such tables are refused; a mark of nexus.list does not hinder. What
 * moves items is charged for them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/vm_priv.h"

#include <lauxlib.h>

#include <limits.h>

#define MOVE_MAX   10000000 /* items moved by one call */
#define CHECK_EACH 1024     /* comparisons between two looks at the budgets */
#define PIECE_MAX  16       /* so short lists are sorted by insertion */

static bool has_field(lua_State *lua, int index, const char *name)
{
    bool has;

    lua_pushstring(lua, name);
    has = lua_rawget(lua, index) != LUA_TNIL;
    lua_pop(lua, 1);
    return has;
}

static lua_Integer check_plain(lua_State *lua, int index)
{
    luaL_checktype(lua, index, LUA_TTABLE);
    if (lua_getmetatable(lua, index)) {
        int meta = lua_gettop(lua);

        if (has_field(lua, meta, "__index") || has_field(lua, meta, "__newindex") ||
            has_field(lua, meta, "__len"))
            luaL_argerror(lua, index,
                          "a plain table is wanted, this one has __index, __newindex "
                          "or __len");
        lua_pop(lua, 1);
    }
    return (lua_Integer)lua_rawlen(lua, index);
}

static int l_insert(lua_State *lua)
{
    lua_Integer len = check_plain(lua, 1);
    lua_Integer at = len + 1;

    switch (lua_gettop(lua)) {
    case 2:
        break;
    case 3:
        at = luaL_checkinteger(lua, 2);
        luaL_argcheck(lua, at >= 1 && at <= len + 1, 2, "position out of bounds");
        vm_charge(lua, (size_t)(len + 1 - at));
        for (lua_Integer i = len; i >= at; i--) {
            lua_rawgeti(lua, 1, i);
            lua_rawseti(lua, 1, i + 1);
        }
        break;
    default:
        return luaL_error(lua, "wrong number of arguments to 'insert'");
    }
    lua_rawseti(lua, 1, at);
    return 0;
}

static int l_remove(lua_State *lua)
{
    lua_Integer len = check_plain(lua, 1);
    lua_Integer at = luaL_optinteger(lua, 2, len);

    if (lua_gettop(lua) > 1)
        luaL_argcheck(lua, (at >= 1 && at <= len + 1) || (len == 0 && at == 0), 2,
                      "position out of bounds");
    lua_rawgeti(lua, 1, at);
    if (at < len)
        vm_charge(lua, (size_t)(len - at));
    for (; at < len; at++) {
        lua_rawgeti(lua, 1, at + 1);
        lua_rawseti(lua, 1, at);
    }
    lua_pushnil(lua);
    lua_rawseti(lua, 1, at);
    return 1;
}

static int l_move(lua_State *lua)
{
    lua_Integer from = luaL_checkinteger(lua, 2);
    lua_Integer last = luaL_checkinteger(lua, 3);
    lua_Integer to = luaL_checkinteger(lua, 4);
    int target = lua_isnoneornil(lua, 5) ? 1 : 5;

    check_plain(lua, 1);
    check_plain(lua, target);
    if (last >= from) {
        lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)from + 1;
        bool is_upwards = to > from && to <= last && target == 1;

        luaL_argcheck(lua, count != 0 && count <= MOVE_MAX, 3, "too many items to move");
        luaL_argcheck(lua, to <= LUA_MAXINTEGER - (lua_Integer)count + 1, 4,
                      "destination wrap around");
        vm_charge(lua, count);
        for (lua_Unsigned i = 0; i < count; i++) {
            lua_Integer at = (lua_Integer)(is_upwards ? count - 1 - i : i);

            lua_rawgeti(lua, 1, from + at);
            lua_rawseti(lua, target, to + at);
        }
    }
    lua_pushvalue(lua, target);
    return 1;
}

static void add_item(lua_State *lua, luaL_Buffer *buffer, lua_Integer i)
{
    lua_rawgeti(lua, 1, i);
    if (!lua_isstring(lua, -1))
        luaL_error(lua, "invalid value (%s) at index %I in table for 'concat'",
                   luaL_typename(lua, -1), (LUAI_UACINT)i);
    luaL_addvalue(buffer);
}

static int l_concat(lua_State *lua)
{
    lua_Integer len = check_plain(lua, 1);
    size_t between_len;
    const char *between = luaL_optlstring(lua, 2, "", &between_len);
    lua_Integer i = luaL_optinteger(lua, 3, 1);
    lua_Integer last = luaL_optinteger(lua, 4, len);
    luaL_Buffer buffer;

    if (i <= last)
        vm_charge(lua, (size_t)(last < len ? last : len));
    luaL_buffinit(lua, &buffer);
    for (; i < last; i++) {
        add_item(lua, &buffer, i);
        luaL_addlstring(&buffer, between, between_len);
    }
    if (i == last)
        add_item(lua, &buffer, i);
    luaL_pushresult(&buffer);
    return 1;
}

static int l_pack(lua_State *lua)
{
    int count = lua_gettop(lua);

    lua_createtable(lua, count, 1);
    lua_insert(lua, 1);
    for (int i = count; i >= 1; i--)
        lua_rawseti(lua, 1, i);
    lua_pushinteger(lua, count);
    lua_setfield(lua, 1, "n");
    return 1;
}

static int l_unpack(lua_State *lua)
{
    lua_Integer i = luaL_optinteger(lua, 2, 1);
    lua_Integer last;
    lua_Unsigned count;

    last = luaL_opt(lua, luaL_checkinteger, 3, check_plain(lua, 1));
    check_plain(lua, 1);
    if (i > last)
        return 0;
    count = (lua_Unsigned)last - (lua_Unsigned)i;
    if (count >= (lua_Unsigned)INT_MAX || !lua_checkstack(lua, (int)++count))
        return luaL_error(lua, "too many results to unpack");
    vm_charge(lua, count);
    for (lua_Unsigned n = 0; n < count; n++)
        lua_rawgeti(lua, 1, (lua_Integer)((lua_Unsigned)i + n));
    return (int)count;
}

/* ---- sort: a merge sort, so that no comparator can make it take longer ---- */

/* The list is at 1, the comparator or nil at 2, a list of the same length for merging at 3. */
struct sort {
    lua_State *lua;
    unsigned compared;
};

/* Whether the value at index a comes before that at index b. */
static bool is_before(struct sort *sort, int a, int b)
{
    lua_State *lua = sort->lua;
    bool answer;

    if (++sort->compared % CHECK_EACH == 0)
        door_check(lua);
    if (lua_isnil(lua, 2))
        return lua_compare(lua, a, b, LUA_OPLT) != 0;
    lua_pushvalue(lua, 2);
    lua_pushvalue(lua, a);
    lua_pushvalue(lua, b);
    lua_call(lua, 2, 1);
    answer = lua_toboolean(lua, -1) != 0;
    lua_pop(lua, 1);
    return answer;
}

static void sort_piece(struct sort *sort, lua_Integer first, lua_Integer last)
{
    lua_State *lua = sort->lua;

    for (lua_Integer i = first + 1; i <= last; i++) {
        lua_Integer at = i;
        int value = lua_gettop(lua) + 1;

        lua_rawgeti(lua, 1, i);
        while (at > first) {
            lua_rawgeti(lua, 1, at - 1);
            if (!is_before(sort, value, value + 1))
                break;
            lua_rawseti(lua, 1, at--);
        }
        lua_settop(lua, value);
        lua_rawseti(lua, 1, at);
    }
}

/* Merges first..middle and middle+1..last of one list into the other. */
static void merge(struct sort *sort, int from, int to, lua_Integer first, lua_Integer middle,
                  lua_Integer last)
{
    lua_State *lua = sort->lua;
    lua_Integer left = first, right = middle + 1;
    int top = lua_gettop(lua);

    for (lua_Integer at = first; at <= last; at++) {
        bool takes_right = left > middle;

        if (left <= middle && right <= last) {
            lua_rawgeti(lua, from, left);
            lua_rawgeti(lua, from, right);
            takes_right = is_before(sort, top + 2, top + 1);
            lua_settop(lua, top);
        }
        lua_rawgeti(lua, from, takes_right ? right++ : left++);
        lua_rawseti(lua, to, at);
    }
}

static lua_Integer least(lua_Integer a, lua_Integer b)
{
    return a < b ? a : b;
}

int l_table_sort(lua_State *lua)
{
    lua_Integer len = check_plain(lua, 1);
    struct sort sort = {.lua = lua};
    int from = 1;

    luaL_argcheck(lua, len < MOVE_MAX, 1, "too many items to sort");
    if (!lua_isnoneornil(lua, 2))
        luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_settop(lua, 2);
    luaL_checkstack(lua, 20, NULL);
    vm_charge(lua, (size_t)len);
    for (lua_Integer i = 1; i <= len; i += PIECE_MAX)
        sort_piece(&sort, i, least(i + PIECE_MAX - 1, len));
    if (len <= PIECE_MAX)
        return 0;
    lua_createtable(lua, (int)len, 0);
    for (lua_Integer width = PIECE_MAX; width < len; width *= 2) {
        for (lua_Integer i = 1; i <= len; i += 2 * width)
            merge(&sort, from, 4 - from, i, least(i + width - 1, len),
                  least(i + 2 * width - 1, len));
        from = 4 - from;
    }
    for (lua_Integer i = 1; from == 3 && i <= len; i++) {
        lua_rawgeti(lua, 3, i);
        lua_rawseti(lua, 1, i);
    }
    return 0;
}

int l_open_table(lua_State *lua)
{
    static const luaL_Reg functions[] = {
        {"insert", l_insert}, {"remove", l_remove}, {"move", l_move},       {"concat", l_concat},
        {"pack", l_pack},     {"unpack", l_unpack}, {"sort", l_table_sort}, {NULL, NULL},
    };

    luaL_newlib(lua, functions);
    return 1;
}
