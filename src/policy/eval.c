/* eval.c -- see eval.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/eval.h"

#include <lauxlib.h>

#include <stdio.h>

#define LABEL       "line"
#define MAX_LEVELS  4
#define MAX_ENTRIES 100

static const char table_key = 0;

void l_eval_keep(lua_State *lua, int index)
{
    lua_pushvalue(lua, index);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &table_key);
}

/* ---- globals ---- */

/* print: adds a line to the list in the upvalue. */
static int l_print(lua_State *lua)
{
    int count = lua_gettop(lua);
    luaL_Buffer line;

    luaL_buffinit(lua, &line);
    for (int i = 1; i <= count; i++) {
        if (i != 1)
            luaL_addchar(&line, '\t');
        luaL_tolstring(lua, i, NULL);
        luaL_addvalue(&line);
    }
    luaL_pushresult(&line);
    lua_rawseti(lua, lua_upvalueindex(1), (lua_Integer)lua_rawlen(lua, lua_upvalueindex(1)) + 1);
    return 0;
}

/* Pushes the globals of policies. */
static void l_push_sandbox(lua_State *lua)
{
    if (!vm_load(lua, SLICE("return _ENV"), LABEL))
        lua_error(lua);
    lua_getupvalue(lua, -1, 1);
    lua_remove(lua, -2);
}

void l_eval_push_globals(lua_State *lua)
{
    int globals, lines;

    lua_newtable(lua);
    globals = lua_gettop(lua);
    lua_newtable(lua); /* metatable */
    lua_newtable(lua);
    lines = lua_gettop(lua);
    lua_pushvalue(lua, lines);
    lua_setfield(lua, -3, "lines");
    lua_pushvalue(lua, lines);
    lua_pushcclosure(lua, l_print, 1);
    lua_setfield(lua, globals, "print");
    lua_pop(lua, 1);
    l_push_sandbox(lua);
    lua_getfield(lua, -1, "require");
    lua_pushliteral(lua, "nexus");
    lua_call(lua, 1, 1);
    lua_setfield(lua, globals, "nexus");
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, globals);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &table_key);
    lua_setfield(lua, globals, "policy");
}

/* ---- texts ---- */

static bool ends_early(lua_State *lua)
{
    static const char end[] = "near <eof>";
    struct slice words;

    words.data = lua_tolstring(lua, -1, &words.len);
    return words.len >= sizeof(end) - 1 &&
           memcmp(words.data + words.len - (sizeof(end) - 1), end, sizeof(end) - 1) == 0;
}

void l_eval_compile(lua_State *lua, int globals, struct slice text, bool *is_incomplete)
{
    struct slice expression;

    globals = lua_absindex(lua, globals);
    *is_incomplete = false;
    if (text.len > MAX_EVAL_LEN)
        luaL_error(lua, "the text is longer than %d octets", MAX_EVAL_LEN);
    lua_pushliteral(lua, "return ");
    lua_pushlstring(lua, text.data, text.len);
    lua_concat(lua, 2);
    expression.data = lua_tolstring(lua, -1, &expression.len);
    if (!vm_load(lua, expression, LABEL)) {
        *is_incomplete = ends_early(lua);
        lua_pop(lua, 1);
        if (!vm_load(lua, text, LABEL)) {
            *is_incomplete |= ends_early(lua);
            lua_error(lua);
        }
        *is_incomplete = false;
    }
    lua_remove(lua, -2);
    lua_pushvalue(lua, globals);
    if (lua_setupvalue(lua, -2, 1) == NULL)
        lua_pop(lua, 1);
}

/* ---- values ---- */

static void put(struct writer *out, const char *text, size_t len)
{
    if (out->len + len <= MAX_SHOWN_LEN)
        writer_write(out, text, len);
}

static void put_word(struct writer *out, const char *text)
{
    put(out, text, strlen(text));
}

static void l_show(lua_State *lua, int index, struct writer *out, int level);

static void l_show_other(lua_State *lua, int index, struct writer *out)
{
    size_t len;
    const char *text = luaL_tolstring(lua, index, &len);

    put(out, text, len);
    lua_pop(lua, 1);
}

/* As Lua has it, or lines as they stand; what would do something to a terminal is escaped in both. */
static void show_string(lua_State *lua, int index, struct writer *out, bool are_lines)
{
    const char *quote = are_lines ? "" : "\"";
    size_t len;
    const char *text = lua_tolstring(lua, index, &len);

    put_word(out, quote);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        char escaped[8];

        if (!are_lines && (c == '"' || c == '\\'))
            put_word(out, "\\");
        if (c == '\n')
            put_word(out, are_lines ? "\n" : "\\n");
        else if (c < 32 || c == 127)
            put(out, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\x%02x", c));
        else
            put(out, text + i, 1);
    }
    put_word(out, quote);
}

/* The key at -2: nothing for those of a list. */
static void l_show_key(lua_State *lua, lua_Integer *expected, struct writer *out, int level)
{
    if (lua_isinteger(lua, -2) && lua_tointeger(lua, -2) == *expected) {
        ++*expected;
        return;
    }
    put_word(out, "[");
    l_show(lua, lua_gettop(lua) - 1, out, level);
    put_word(out, "] = ");
}

static void l_show_table(lua_State *lua, int index, struct writer *out, int level)
{
    lua_Integer expected = 1;
    unsigned count = 0;

    put_word(out, "{");
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        put_word(out, count == 0 ? " " : ", ");
        if (++count > MAX_ENTRIES) {
            put_word(out, "...");
            lua_pop(lua, 2);
            break;
        }
        l_show_key(lua, &expected, out, level);
        l_show(lua, lua_gettop(lua), out, level);
    }
    put_word(out, count == 0 ? "}" : " }");
}

static void l_show(lua_State *lua, int index, struct writer *out, int level)
{
    int top = lua_gettop(lua);

    luaL_checkstack(lua, 8, NULL);
    vm_charge(lua, 10);
    if (lua_type(lua, index) == LUA_TSTRING)
        show_string(lua, index, out, false);
    else if (!lua_istable(lua, index) || level == MAX_LEVELS ||
             luaL_getmetafield(lua, index, "__tostring") != LUA_TNIL)
        l_show_other(lua, index, out);
    else
        l_show_table(lua, index, out, level + 1);
    lua_settop(lua, top);
}

/* One text of several lines, such as what t:explain says. */
static bool is_page(lua_State *lua, int first, int last)
{
    return first == last && lua_type(lua, first) == LUA_TSTRING &&
           strchr(lua_tostring(lua, first), '\n') != NULL;
}

void l_eval_show(lua_State *lua, int globals, int first, int last, struct writer *out)
{
    lua_Integer count;

    globals = lua_absindex(lua, globals);
    if (luaL_getmetafield(lua, globals, "lines") != LUA_TNIL) {
        count = (lua_Integer)lua_rawlen(lua, -1);
        for (lua_Integer i = 1; i <= count; i++) {
            size_t len;
            const char *text;

            lua_rawgeti(lua, -1, i);
            text = lua_tolstring(lua, -1, &len);
            put(out, text, len);
            put_word(out, "\n");
            lua_pop(lua, 1);
            lua_pushnil(lua);
            lua_rawseti(lua, -2, i);
        }
        lua_pop(lua, 1);
    }
    for (int i = first; i <= last; i++) {
        if (is_page(lua, first, last))
            show_string(lua, i, out, true);
        else
            l_show(lua, i, out, 0);
        put_word(out, i == last ? "\n" : "\t");
    }
}
