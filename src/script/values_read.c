/* values_read.c -- wire values to Lua: one pass over the tokens.
 *
 * Open containers are on the stack of Lua, a dict with its current key above it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/values_priv.h"

#include <lauxlib.h>

#include <stdio.h>

struct level {
    bool is_map, has_key;
    lua_Integer count; /* items of a list so far */
};

struct reading {
    lua_State *lua;
    struct reader reader;
    struct fault fault;
    const char *path;
    unsigned depth;
    unsigned values;
    int base; /* stack below the outermost container */
    struct level levels[MAX_DEPTH];
};

static int table_index(const struct reading *reading, unsigned level)
{
    int index = reading->base + 1;

    for (unsigned i = 0; i < level; i++)
        index += 1 + reading->levels[i].has_key;
    return index;
}

static const char *type_words(enum token_type type)
{
    switch (type) {
    case TOKEN_NULL:
        return "null";
    case TOKEN_FLOAT:
        return "a float";
    case TOKEN_BYTES:
    case TOKEN_EXT:
        return "binary";
    case TOKEN_LIST:
        return "a list";
    case TOKEN_MAP:
        return "a dict";
    case TOKEN_UINT:
    case TOKEN_BIGNUM:
        return "an integer beyond 64 bits";
    case TOKEN_BOOL:
    case TOKEN_INT:
    case TOKEN_TEXT:
    case TOKEN_END:
    case TOKEN_DONE:
        break;
    }
    return "nothing";
}

/* "kwargs.items[3]": where the current value is. */
static void l_push_path(struct reading *reading)
{
    lua_State *lua = reading->lua;
    luaL_Buffer path;
    int indexes[MAX_DEPTH];

    for (unsigned i = 0; i < reading->depth; i++)
        indexes[i] = table_index(reading, i);
    luaL_buffinit(lua, &path);
    luaL_addstring(&path, reading->path);
    for (unsigned i = 0; i < reading->depth; i++) {
        const struct level *level = &reading->levels[i];

        if (level->is_map && !level->has_key)
            break;
        if (level->is_map) {
            luaL_addchar(&path, '.');
            luaL_tolstring(lua, indexes[i] + 1, NULL);
        } else {
            lua_pushfstring(lua, "[%d]", (int)level->count + 1);
        }
        luaL_addvalue(&path);
    }
    luaL_pushresult(&path);
}

static void l_refuse_key(struct reading *reading, const struct token *token)
{
    l_push_path(reading);
    luaL_error(reading->lua, "%s: a key that is %s cannot be given to Lua",
               lua_tostring(reading->lua, -1), type_words(token->type));
}

static void push_key(struct reading *reading, const struct token *token)
{
    lua_State *lua = reading->lua;

    if (token->type == TOKEN_TEXT)
        lua_pushlstring(lua, token->text.data, token->text.len);
    else if (token->type == TOKEN_BOOL)
        lua_pushboolean(lua, token->boolean);
    else if (token->type == TOKEN_INT)
        lua_pushinteger(lua, token->integer);
    else if (token->type == TOKEN_UINT && token->natural <= INT64_MAX)
        lua_pushinteger(lua, (lua_Integer)token->natural);
    else
        l_refuse_key(reading, token);
}

static void push_natural(lua_State *lua, uint64_t natural)
{
    char digits[24];
    int len;

    if (natural <= INT64_MAX) {
        lua_pushinteger(lua, (lua_Integer)natural);
        return;
    }
    len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)natural);
    l_values_push_big(lua, slice_make(digits, (size_t)len));
}

static void open_table(struct reading *reading, const struct token *token)
{
    struct level *level = &reading->levels[reading->depth++];
    size_t rest = (size_t)(reading->reader.end - reading->reader.at);
    /* A head may announce more than there is. */
    size_t count = token->count == COUNT_UNKNOWN ? 0 : token->count < rest ? token->count : rest;
    int room = count < INT32_MAX ? (int)count : INT32_MAX;

    level->is_map = token->type == TOKEN_MAP;
    level->has_key = false;
    level->count = 0;
    lua_createtable(reading->lua, level->is_map ? 0 : room, level->is_map ? room : 0);
    l_values_mark(reading->lua, level->is_map ? VALUES_DICT : VALUES_LIST);
}

/* Pushes a value that is whole; false when a container was begun instead. */
static bool push_value(struct reading *reading, const struct token *token)
{
    lua_State *lua = reading->lua;

    switch (token->type) {
    case TOKEN_NULL:
        l_values_push_null(lua);
        break;
    case TOKEN_BOOL:
        lua_pushboolean(lua, token->boolean);
        break;
    case TOKEN_INT:
        lua_pushinteger(lua, token->integer);
        break;
    case TOKEN_UINT:
        push_natural(lua, token->natural);
        break;
    case TOKEN_FLOAT:
        lua_pushnumber(lua, token->real);
        break;
    case TOKEN_BIGNUM:
        l_values_push_big(lua, token->text);
        break;
    case TOKEN_TEXT:
        lua_pushlstring(lua, token->text.data, token->text.len);
        break;
    case TOKEN_BYTES:
        l_values_push_bytes(lua, token->text);
        break;
    case TOKEN_EXT:
        l_values_push_ext(lua, token->text, token->ext_type);
        break;
    case TOKEN_LIST:
    case TOKEN_MAP:
        open_table(reading, token);
        return false;
    case TOKEN_END:
        reading->depth--;
        break;
    case TOKEN_DONE:
        break;
    }
    return true;
}

/* Puts the value at the top into the innermost container. */
static void attach(struct reading *reading)
{
    struct level *level;

    if (reading->depth == 0)
        return;
    level = &reading->levels[reading->depth - 1];
    if (level->is_map) {
        lua_rawset(reading->lua, -3);
        level->has_key = false;
    } else {
        lua_rawseti(reading->lua, -2, ++level->count);
    }
}

static void l_next_token(struct reading *reading, struct token *token)
{
    if (++reading->values % VALUES_CHECK_EACH == 0)
        door_check(reading->lua);
    if (reader_next(&reading->reader, token) != 0)
        luaL_error(reading->lua, "%s: %s", reading->path, reading->fault.words);
}

void l_values_push(lua_State *lua, enum codec codec, struct slice bytes, const char *path)
{
    struct vm *vm = vm_of(lua);
    struct reading reading;
    struct token token = {.type = TOKEN_NULL};

    reading.lua = lua;
    reading.path = path;
    reading.depth = reading.values = 0;
    reading.base = lua_gettop(lua);
    arena_reset(&vm->scratch);
    reader_init(&reading.reader, codec, bytes, &vm->scratch, &reading.fault);
    reading.reader.bare_keys = true;
    luaL_checkstack(lua, 2 * MAX_DEPTH + LUA_MINSTACK, NULL);
    vm_charge(lua, bytes.len / VM_CHARGE_UNIT);
    do {
        struct level *level = reading.depth == 0 ? NULL : &reading.levels[reading.depth - 1];

        l_next_token(&reading, &token);
        if (level != NULL && level->is_map && !level->has_key && token.type != TOKEN_END) {
            push_key(&reading, &token);
            level->has_key = true;
        } else if (push_value(&reading, &token)) {
            attach(&reading);
        }
    } while (reading.depth != 0);
    l_next_token(&reading, &token); /* the end, or an error about what is behind */
    arena_reset(&vm->scratch);
}
