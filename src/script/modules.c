/* modules.c -- `require`: modules of the policy, of the router, and allowed ones in C.
 *
 * A module of the policy is looked up in the files that were read when the policy
 * was; no path is ever opened here, so there is nothing to climb out of. C modules
 * come from the system's folders, never from the working directory or from what
 * the environment says.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/err.h"
#include "script/source.h"
#include "script/values.h"
#include "script/vm_priv.h"

#include <lauxlib.h>
#include <lualib.h>

static const char loaded_key = 0;    /* name -> module, or `loading` */
static const char providers_key = 0; /* name -> function that opens it */
static const char loading = 0;

static bool is_allowed_c(const struct vm *vm, const char *name)
{
    for (const char *const *at = vm->options.c_modules; at != NULL && *at != NULL; at++) {
        if (strcmp(*at, name) == 0)
            return true;
    }
    return false;
}

/* ---- C modules ---- */

/* Only absolute folders: the last one by default is the working directory. */
static void set_search_path(lua_State *lua)
{
    const char *at;
    luaL_Buffer kept;

    lua_getfield(lua, -1, "cpath");
    at = lua_tostring(lua, -1);
    luaL_buffinit(lua, &kept);
    while (at != NULL && *at != '\0') {
        size_t len = strcspn(at, ";");

        if (*at == '/') {
            luaL_addlstring(&kept, at, len);
            luaL_addchar(&kept, ';');
        }
        at += len + (at[len] == ';');
    }
    luaL_pushresult(&kept);
    lua_setfield(lua, -3, "cpath");
    lua_pop(lua, 1);
    lua_pushliteral(lua, "");
    lua_setfield(lua, -2, "path");
}

static void open_c_loader(lua_State *lua)
{
    lua_pushboolean(lua, 1);
    lua_setfield(lua, LUA_REGISTRYINDEX, "LUA_NOENV");
    luaL_requiref(lua, LUA_LOADLIBNAME, luaopen_package, 0);
    set_search_path(lua);
    lua_pop(lua, 1);
}

/* Leaves the module. */
static void load_c(lua_State *lua, const char *name)
{
    lua_getglobal(lua, "require"); /* of Lua itself; no policy sees this table of globals */
    lua_pushstring(lua, name);
    lua_call(lua, 1, 1);
    if (strcmp(name, "cjson") == 0 || strcmp(name, "cjson.safe") == 0)
        cjson_guard(lua);
    if (lua_type(lua, -1) == LUA_TTABLE)
        vm_freeze(lua, name);
}

/* ---- modules of the policy ---- */

static bool is_module_name(const char *name)
{
    if (*name == '\0' || *name == '.' || strstr(name, "..") != NULL ||
        name[strlen(name) - 1] == '.')
        return false;
    for (; *name != '\0'; name++) {
        if (!(*name >= 'a' && *name <= 'z') && !(*name >= 'A' && *name <= 'Z') &&
            !(*name >= '0' && *name <= '9') && *name != '_' && *name != '.')
            return false;
    }
    return true;
}

static int l_not_found(lua_State *lua, const char *name)
{
    const struct source *source = vm_of(lua)->options.source;
    const char *path = luaL_gsub(lua, name, ".", "/");

    if (source == NULL)
        return luaL_error(lua, "no module \"%s\": there is no folder to look in", name);
    return luaL_error(lua,
                      "no module \"%s\": there is no file %s/%s.lua, and no C module of that name "
                      "is allowed by the configuration",
                      name, source_label(source), path);
}

/* Arguments: the name, and the function that opens it or nil. */
static int l_load(lua_State *lua)
{
    const char *name = lua_tostring(lua, 1);
    const struct source_file *file;

    if (lua_type(lua, 2) == LUA_TFUNCTION) {
        lua_call(lua, 0, 1);
        if (lua_type(lua, -1) == LUA_TTABLE)
            vm_freeze(lua, name);
        return 1;
    }
    if (is_allowed_c(vm_of(lua), name)) {
        load_c(lua, name);
        return 1;
    }
    file = source_module(vm_of(lua)->options.source, name);
    if (!vm_load(lua, file->text, file->label))
        return lua_error(lua);
    lua_pushvalue(lua, 1);
    lua_call(lua, 1, 1);
    return 1;
}

/* Sets what the module at 1 is known as, to the value at the top. */
static void set_loaded(lua_State *lua)
{
    lua_pushvalue(lua, 1);
    lua_insert(lua, -2);
    lua_rawset(lua, 2);
}

int l_require(lua_State *lua)
{
    const char *name = luaL_checkstring(lua, 1);
    int status;

    lua_settop(lua, 1);
    if (strlen(name) != lua_rawlen(lua, 1) || !is_module_name(name))
        return luaL_error(lua,
                          "a module's name is letters, digits and _, with dots in between; "
                          "\"%s\" is not",
                          name);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &loaded_key);
    lua_pushvalue(lua, 1);
    lua_rawget(lua, 2);
    if (lua_touserdata(lua, -1) == (const void *)&loading)
        return luaL_error(lua, "module \"%s\" is required while it is being loaded", name);
    if (!lua_isnil(lua, -1))
        return 1;
    lua_pushcfunction(lua, l_load);
    lua_pushvalue(lua, 1);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &providers_key);
    lua_pushvalue(lua, 1);
    lua_rawget(lua, -2);
    lua_remove(lua, -2);
    if (lua_isnil(lua, -1) && !is_allowed_c(vm_of(lua), name) &&
        source_module(vm_of(lua)->options.source, name) == NULL)
        return l_not_found(lua, name);
    lua_pushlightuserdata(lua, (void *)(uintptr_t)&loading); // NOLINT(performance-no-int-to-ptr)
    set_loaded(lua);
    status = lua_pcall(lua, 2, 1, 0);
    if (status != LUA_OK) {
        lua_pushnil(lua);
        set_loaded(lua);
        return lua_error(lua);
    }
    if (lua_isnil(lua, -1)) {
        lua_pushboolean(lua, 1);
        lua_replace(lua, -2);
    }
    lua_pushvalue(lua, -1);
    set_loaded(lua);
    return 1;
}

/* ---- modules of the router ---- */

struct provider {
    const char *name;
    lua_CFunction open;
};

static int l_provide(lua_State *lua)
{
    const struct provider *provider = lua_touserdata(lua, 1);

    lua_rawgetp(lua, LUA_REGISTRYINDEX, &providers_key);
    lua_pushcfunction(lua, provider->open);
    lua_setfield(lua, -2, provider->name);
    return 0;
}

int vm_provide(struct vm *vm, const char *name, lua_CFunction open)
{
    struct provider provider = {name, open};

    CHECK(is_module_name(name));
    return vm_try(vm, l_provide, &provider, NULL, 0);
}

void modules_open(lua_State *lua)
{
    lua_newtable(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &loaded_key);
    lua_newtable(lua);
    lua_pushcfunction(lua, l_open_values);
    lua_setfield(lua, -2, "nexus");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &providers_key);
    if (vm_of(lua)->options.c_modules != NULL)
        open_c_loader(lua);
}
