/* sandbox.c -- what a policy finds as its globals, and nothing else.
 *
 * The environment of every chunk is a table without entries that looks into the
 * table of allowed names; reading or writing any other name is an error at its
 * line. Libraries are shown read-only in the same way.
 *
 * Left out: load, loadfile, dofile, io, debug, package, string.dump, finalizers.
 * Our own: what could run for ever in C, or where hooks are off (a handler of
 * xpcall, __gc, patterns, table functions, coroutines).
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/vm_priv.h"

#include <lauxlib.h>
#include <lualib.h>

/* Their addresses are keys in the registry. */
static const char env_key = 0;     /* the environment */
static const char allowed_key = 0; /* the names behind it */

/* ---- read-only tables ---- */

static int l_read_only(lua_State *lua)
{
    return luaL_error(lua, "%s is read-only", lua_tostring(lua, lua_upvalueindex(1)));
}

static int l_next(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 2);
    if (lua_next(lua, 1) != 0)
        return 2;
    lua_pushnil(lua);
    return 1;
}

/* pairs() over a copy, so that the table itself is not handed out. */
static int l_copy_pairs(lua_State *lua)
{
    lua_settop(lua, 0);
    lua_pushcfunction(lua, l_next);
    lua_newtable(lua);
    lua_pushnil(lua);
    while (lua_next(lua, lua_upvalueindex(1)) != 0) {
        lua_pushvalue(lua, -2);
        lua_insert(lua, -2);
        lua_rawset(lua, 2);
    }
    lua_pushnil(lua);
    return 3;
}

/* A table in front of the one at the top, which stays reachable by name only. */
static void hide(lua_State *lua, lua_CFunction refuse, const char *name)
{
    int real = lua_gettop(lua);

    lua_newtable(lua);
    lua_createtable(lua, 0, 4);
    lua_pushvalue(lua, real);
    lua_setfield(lua, -2, "__index");
    lua_pushstring(lua, name);
    lua_pushcclosure(lua, refuse, 1);
    lua_setfield(lua, -2, "__newindex");
    lua_pushvalue(lua, real);
    lua_pushcclosure(lua, l_copy_pairs, 1);
    lua_setfield(lua, -2, "__pairs");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -2);
    lua_remove(lua, real);
}

void vm_freeze(lua_State *lua, const char *name)
{
    hide(lua, l_read_only, name);
}

/* ---- globals ---- */

static int l_undeclared_read(lua_State *lua)
{
    luaL_tolstring(lua, 2, NULL);
    return luaL_error(lua, "there is no global \"%s\"; declare it with local",
                      lua_tostring(lua, -1));
}

static int l_undeclared_write(lua_State *lua)
{
    luaL_tolstring(lua, 2, NULL);
    return luaL_error(lua, "cannot set the global \"%s\"; declare it with local",
                      lua_tostring(lua, -1));
}

/* ---- base functions of our own ---- */

/* Says text of all arguments, with where it was said. */
static int say(lua_State *lua, enum vm_level level, const char *between)
{
    const struct vm_options *options = &vm_of(lua)->options;
    int count = lua_gettop(lua);
    luaL_Buffer buffer;
    struct slice text;
    char where[100];
    size_t len;

    luaL_buffinit(lua, &buffer);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addstring(&buffer, between);
        luaL_tolstring(lua, i, NULL);
        luaL_addvalue(&buffer);
    }
    luaL_pushresult(&buffer);
    text.data = lua_tolstring(lua, -1, &text.len);
    luaL_where(lua, 1);
    len = strlen(lua_tostring(lua, -1));
    len = len < 2 ? 0 : len - 2; /* without ": " */
    len = len < sizeof(where) ? len : sizeof(where) - 1;
    memcpy(where, lua_tostring(lua, -1), len);
    where[len] = '\0';
    if (options->say != NULL)
        options->say(lua, level, text, where);
    return 0;
}

static int l_print(lua_State *lua)
{
    return say(lua, VM_INFO, "\t");
}

static int l_warn(lua_State *lua)
{
    luaL_checkstring(lua, 1);
    return say(lua, VM_WARN, "");
}

int l_tostring(lua_State *lua)
{
    luaL_checkany(lua, 1);
    luaL_tolstring(lua, 1, NULL);
    return 1;
}

static int l_collectgarbage(lua_State *lua)
{
    static const char *const words[] = {"count", NULL};

    luaL_checkoption(lua, 1, "count", words);
    lua_pushnumber(lua, (lua_Number)vm_memory(vm_of(lua)) / 1024);
    return 1;
}

static void refuse_field(lua_State *lua, const char *name, const char *words)
{
    lua_pushstring(lua, name);
    if (lua_rawget(lua, 2) != LUA_TNIL)
        luaL_error(lua, "%s is not offered; %s", name, words);
    lua_pop(lua, 1);
}

/* A finalizer would run where no budget counts. It works only if it is there now. For weak
 * tables see vm.c. */
static int l_setmetatable(lua_State *lua)
{
    int type = lua_type(lua, 2);

    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_argexpected(lua, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    lua_settop(lua, 2);
    if (luaL_getmetafield(lua, 1, "__metatable") != LUA_TNIL)
        return luaL_error(lua, "cannot change a protected metatable");
    if (type == LUA_TTABLE) {
        refuse_field(lua, "__gc", "use <close> variables");
        refuse_field(lua, "__mode", "tables are never weak");
    }
    lua_setmetatable(lua, 1);
    return 1;
}

/* Behind a read-only table nothing is written. */
static int l_rawset(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_checkany(lua, 2);
    luaL_checkany(lua, 3);
    lua_settop(lua, 3);
    if (luaL_getmetafield(lua, 1, "__newindex") != LUA_TNIL) {
        lua_CFunction fn = lua_tocfunction(lua, -1);

        if (fn == l_read_only || fn == l_undeclared_write) {
            lua_settop(lua, 2); /* the closure of the table names it */
            return luaL_error(lua, "the table is read-only");
        }
        lua_pop(lua, 1);
    }
    lua_rawset(lua, 1);
    return 1;
}

/* The handler is called when all is unwound, so that hooks are on again. */
static int l_xpcall_handled(lua_State *lua, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(lua);
}

/* The handler is at 1; results or the error are behind it. */
static int xpcall_done(lua_State *lua, int status, lua_KContext ctx)
{
    bool is_fine = status == LUA_OK || status == LUA_YIELD;

    (void)ctx;
    lua_pushboolean(lua, is_fine);
    if (is_fine) {
        lua_replace(lua, 1);
        return lua_gettop(lua);
    }
    lua_insert(lua, 1);
    lua_callk(lua, 1, LUA_MULTRET, 0, l_xpcall_handled);
    return lua_gettop(lua);
}

static int l_xpcall(lua_State *lua)
{
    int status;

    luaL_checktype(lua, 2, LUA_TFUNCTION);
    lua_pushvalue(lua, 1);
    lua_copy(lua, 2, 1);
    lua_replace(lua, 2); /* handler, function, arguments */
    status = lua_pcallk(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0, 0, xpcall_done);
    return xpcall_done(lua, status, 0);
}

/* ---- functions that take time by the length of a text, which no instruction shows ---- */

static int l_charged(lua_State *lua)
{
    size_t len = lua_type(lua, 1) == LUA_TSTRING ? lua_rawlen(lua, 1) : 0;

    vm_charge(lua, len / VM_CHARGE_UNIT);
    return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

void sandbox_charge(lua_State *lua, const char *name)
{
    lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, l_charged, 1);
    lua_setfield(lua, -2, name);
}

static int l_open_utf8(lua_State *lua)
{
    luaL_requiref(lua, LUA_UTF8LIBNAME, luaopen_utf8, 0);
    sandbox_charge(lua, "len");
    sandbox_charge(lua, "offset");
    sandbox_charge(lua, "codepoint");
    return 1;
}

static int l_open_math(lua_State *lua)
{
    luaL_requiref(lua, LUA_MATHLIBNAME, luaopen_math, 0);
    return 1;
}

/* ---- os; the upvalue is Lua's own function, called as if it were called by the policy ---- */

static int l_os_own(lua_State *lua)
{
    return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

static int l_os_time(lua_State *lua)
{
    const struct vm_options *options = &vm_of(lua)->options;

    if (options->wall == NULL || !lua_isnoneornil(lua, 1))
        return l_os_own(lua);
    lua_pushinteger(lua, (lua_Integer)options->wall(options->clock_ctx));
    return 1;
}

static int l_os_date(lua_State *lua)
{
    const struct vm_options *options = &vm_of(lua)->options;

    lua_settop(lua, 2);
    if (lua_isnil(lua, 1)) {
        lua_pushliteral(lua, "%c");
        lua_replace(lua, 1);
    }
    if (lua_isnil(lua, 2) && options->wall != NULL) {
        lua_pushinteger(lua, (lua_Integer)options->wall(options->clock_ctx));
        lua_replace(lua, 2);
    } else if (lua_isnil(lua, 2)) {
        lua_settop(lua, 1);
    }
    return l_os_own(lua);
}

static int l_os_clock(lua_State *lua)
{
    const struct vm_options *options = &vm_of(lua)->options;

    if (options->now == NULL)
        return l_os_own(lua);
    lua_pushnumber(lua, options->now(options->clock_ctx));
    return 1;
}

static int l_open_os(lua_State *lua)
{
    static const luaL_Reg kept[] = {
        {"time", l_os_time}, {"date", l_os_date}, {"clock", l_os_clock}, {NULL, NULL}};

    luaL_requiref(lua, LUA_OSLIBNAME, luaopen_os, 0);
    lua_newtable(lua);
    for (size_t i = 0; kept[i].name != NULL; i++) {
        lua_getfield(lua, -2, kept[i].name);
        lua_pushcclosure(lua, kept[i].func, 1);
        lua_setfield(lua, -2, kept[i].name);
    }
    lua_remove(lua, -2);
    return 1;
}

/* ---- the environment ---- */

/* Copies base functions that are as Lua has them into the table below the top. */
static void open_base(lua_State *lua)
{
    static const char *const kept[] = {"assert", "error", "getmetatable", "ipairs",  "next",
                                       "pairs",  "pcall", "rawequal",     "rawget",  "rawlen",
                                       "select", "type",  "tonumber",     "_VERSION"};
    static const luaL_Reg own[] = {
        {"collectgarbage", l_collectgarbage},
        {"print", l_print},
        {"rawset", l_rawset},
        {"require", l_require},
        {"warn", l_warn},
        {"setmetatable", l_setmetatable},
        {"tostring", l_tostring},
        {"xpcall", l_xpcall},
        {NULL, NULL},
    };

    luaL_requiref(lua, LUA_GNAME, luaopen_base, 0);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        lua_getfield(lua, -1, kept[i]);
        lua_setfield(lua, -3, kept[i]);
    }
    lua_pop(lua, 1);
    sandbox_charge(lua, "tonumber");
    luaL_setfuncs(lua, own, 0);
}

static void open_library(lua_State *lua, const char *name, lua_CFunction open)
{
    lua_pushcfunction(lua, open);
    lua_call(lua, 0, 1);
    vm_freeze(lua, name);
    lua_setfield(lua, -2, name);
}

/* All strings share a metatable; a policy cannot get at it. */
static void close_string_metatable(lua_State *lua)
{
    lua_pushliteral(lua, "");
    lua_getmetatable(lua, -1);
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 2);
}

void sandbox_open(lua_State *lua)
{
    lua_newtable(lua);
    open_base(lua);
    open_library(lua, "string", l_open_string);
    open_library(lua, "table", l_open_table);
    open_library(lua, "coroutine", l_open_coroutine);
    open_library(lua, "math", l_open_math);
    open_library(lua, "utf8", l_open_utf8);
    open_library(lua, "os", l_open_os);
    close_string_metatable(lua);

    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, l_undeclared_read);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);

    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &allowed_key);
    lua_pushvalue(lua, -1);
    hide(lua, l_undeclared_write, "the environment");
    lua_pushvalue(lua, -1);
    lua_setfield(lua, -3, "_G");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &env_key);
    lua_pop(lua, 1);
}

void sandbox_push(lua_State *lua)
{
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &env_key);
}

bool sandbox_knows(lua_State *lua)
{
    bool is_known;

    lua_rawgetp(lua, LUA_REGISTRYINDEX, &allowed_key);
    lua_pushvalue(lua, -2);
    is_known = lua_rawget(lua, -2) != LUA_TNIL;
    lua_pop(lua, 2);
    return is_known;
}
