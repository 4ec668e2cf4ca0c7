/* results.c -- see results.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/results.h"

#include "script/values.h"

#include <lauxlib.h>

#define RESULT_NAME "nexus.Result"

void l_results_push(lua_State *lua)
{
    lua_createtable(lua, 0, 2);
    lua_insert(lua, -3);
    lua_setfield(lua, -3, "kwargs");
    lua_setfield(lua, -2, "args");
    luaL_setmetatable(lua, RESULT_NAME);
}

static bool is_result(lua_State *lua, int index)
{
    bool is_one;

    if (lua_type(lua, index) != LUA_TTABLE || lua_getmetatable(lua, index) == 0)
        return false;
    luaL_getmetatable(lua, RESULT_NAME);
    is_one = lua_rawequal(lua, -1, -2) != 0;
    lua_pop(lua, 2);
    return is_one;
}

/* Returns how many octets of what was written are the positional ones. */
static size_t put(lua_State *lua, int first)
{
    const struct encoder *e = l_values_encoder(lua);
    int last = lua_gettop(lua);
    size_t len;

    luaL_checkstack(lua, 10, NULL);
    if (first == last && is_result(lua, first)) {
        lua_getfield(lua, first, "args");
        l_values_put(lua, lua_gettop(lua), VALUES_LIST, "args");
        len = e->out.len;
        lua_getfield(lua, first, "kwargs");
        l_values_put(lua, lua_gettop(lua), VALUES_DICT, "kwargs");
        lua_settop(lua, last);
        return len;
    }
    while (last >= first && lua_isnil(lua, last)) /* nil is what is not there */
        last--;
    if (last >= first)
        l_values_put_items(lua, first, last, "args");
    return e->out.len;
}

void l_results_put(lua_State *lua, int first)
{
    (void)put(lua, first);
}

/* An empty list or dict is one octet of MessagePack, and absent in a payload. */
static struct slice unless_empty(const char *data, size_t len)
{
    return slice_make(data, len == 1 ? 0 : len);
}

struct blob *l_results_payload(lua_State *lua, int first, struct payload *payload)
{
    struct blob *blob;
    size_t len;

    (void)l_values_begin(lua, CODEC_MSGPACK);
    len = put(lua, first);
    blob = l_values_end(lua);
    *payload = (struct payload){.codec = CODEC_MSGPACK,
                                .args = unless_empty(blob->data, len),
                                .kwargs = unless_empty(blob->data + len, blob->len - len)};
    if (payload->args.len != 0 || payload->kwargs.len != 0)
        payload->kind = PAYLOAD_ARGS;
    return blob;
}

static int l_result(lua_State *lua)
{
    lua_settop(lua, 2);
    for (int i = 1; i <= 2; i++) {
        if (lua_isnil(lua, i)) {
            lua_newtable(lua);
            l_values_mark(lua, i == 1 ? VALUES_LIST : VALUES_DICT);
            lua_replace(lua, i);
        }
        luaL_checktype(lua, i, LUA_TTABLE);
    }
    l_results_push(lua);
    return 1;
}

static const struct module_row rows[] = {
    {"result", l_result, "fun(args?: any[], kwargs?: table): nexus.Result",
     "What a procedure returns when it has named results too.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void open(lua_State *lua)
{
    luaL_newmetatable(lua, RESULT_NAME);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

const struct module_table policy_results = {"nexus", rows, open};
