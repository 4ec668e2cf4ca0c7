/* runner.c -- a state of Lua with everything in it, the modules of lua/nexus, and the specs of a
 * folder. What a spec is and how it is run is lua/nexus/testing/runner.lua.
 *
 * SPDX-License-Identifier: MIT
 */
#include "testing/runner.h"

#include "base/err.h"
#include "base/mem.h"
#include "script/cover.h"
#include "testing/embedded.h"
#include "testing/testing.h"

#include <lauxlib.h>
#include <lualib.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_DEPTH    8
#define MAX_FILES    1000
#define MAX_PATH_LEN 1024

/* ---- files ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Adds the paths of all files below that end so to the table at the top. Hidden files and, with
 * no_specs, the folder spec are left out. */
static void l_add_files(lua_State *lua, const char *folder, const char *end, bool no_specs,
                        unsigned depth)
{
    DIR *dir = opendir(*folder == '\0' ? "." : folder);
    const struct dirent *entry;

    while (dir != NULL && lua_rawlen(lua, -1) < MAX_FILES && (entry = readdir(dir)) != NULL) {
        char path[MAX_PATH_LEN];
        struct stat stat_of;

        if (*entry->d_name == '.' ||
            (no_specs && depth == 0 && strcmp(entry->d_name, "spec") == 0) ||
            snprintf(path, sizeof(path), "%s%s%s", folder, *folder == '\0' ? "" : "/",
                     entry->d_name) >= (int)sizeof(path) ||
            stat(path, &stat_of) != 0)
            continue;
        if (S_ISDIR(stat_of.st_mode) && depth < MAX_DEPTH) {
            l_add_files(lua, path, end, no_specs, depth + 1);
        } else if (S_ISREG(stat_of.st_mode) && ends_with(path, end)) {
            lua_pushstring(lua, path);
            lua_rawseti(lua, -2, (lua_Integer)lua_rawlen(lua, -2) + 1);
        }
    }
    if (dir != NULL)
        closedir(dir);
}

/* ---- the state ---- */

static int l_load_embedded(lua_State *lua)
{
    const struct embedded *file = lua_touserdata(lua, lua_upvalueindex(1));
    const char *name = lua_pushfstring(lua, "=%s", file->module);

    if (luaL_loadbufferx(lua, (const char *)file->text, file->len, name, "t") != LUA_OK)
        return lua_error(lua);
    lua_call(lua, 0, 1);
    return 1;
}

static void l_preload(lua_State *lua)
{
    luaL_getsubtable(lua, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (const struct embedded *file = embedded_files; file->module != NULL; file++) {
        lua_pushlightuserdata(lua, (void *)(uintptr_t)file);
        lua_pushcclosure(lua, l_load_embedded, 1);
        lua_setfield(lua, -2, file->module);
    }
    lua_pushcfunction(lua, l_testing_open);
    lua_setfield(lua, -2, "nexus.testing_core");
    lua_pop(lua, 1);
}

static int l_clock(lua_State *lua)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    lua_pushnumber(lua, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
    return 1;
}

static int l_coverage(lua_State *lua)
{
    l_cover_push(lua);
    return 1;
}

/* What runner.main is told. */
static void l_push_task(lua_State *lua, const struct runner_options *options)
{
    char here[MAX_PATH_LEN];
    const char *label = getcwd(here, sizeof(here)) == NULL ? "" : strrchr(here, '/') + 1;

    lua_newtable(lua);
    lua_newtable(lua);
    l_add_files(lua, "spec", "_spec.lua", false, 1);
    lua_setfield(lua, -2, "specs");
    lua_pushstring(lua, label);
    lua_setfield(lua, -2, "label");
    lua_pushstring(lua, options->filter);
    lua_setfield(lua, -2, "filter");
    lua_pushcfunction(lua, l_clock);
    lua_setfield(lua, -2, "clock");
    if (!options->has_coverage)
        return;
    lua_newtable(lua);
    l_add_files(lua, "", ".lua", true, 0);
    lua_setfield(lua, -2, "files");
    lua_pushcfunction(lua, l_coverage);
    lua_setfield(lua, -2, "coverage");
}

static int l_run(lua_State *lua)
{
    const struct runner_options *options = lua_touserdata(lua, 1);

    luaL_openlibs(lua);
    l_preload(lua);
    lua_getglobal(lua, "require");
    lua_pushstring(lua, "nexus.testing.runner");
    lua_call(lua, 1, 1);
    lua_getfield(lua, -1, "main");
    l_push_task(lua, options);
    lua_call(lua, 1, 2);
    return 2;
}

static int on_error(lua_State *lua)
{
    luaL_traceback(lua, lua, luaL_tolstring(lua, 1, NULL), 1);
    return 1;
}

static enum runner_outcome run(lua_State *lua, const struct runner_options *options)
{
    lua_pushcfunction(lua, on_error);
    lua_pushcfunction(lua, l_run);
    lua_pushlightuserdata(lua, (void *)(uintptr_t)options);
    if (lua_pcall(lua, 1, 2, 1) != LUA_OK) {
        fprintf(stderr, "nexusd test: %s\n", lua_tostring(lua, -1));
        return RUNNER_FAILED;
    }
    if (lua_type(lua, -1) == LUA_TSTRING) {
        fprintf(stderr, "nexusd test: --filter: %s\n", lua_tostring(lua, -1));
        return RUNNER_NOT_RUN;
    }
    if (lua_tointeger(lua, -1) == 0) {
        if (options->filter == NULL)
            fprintf(stderr, "nexusd test: %s: no specs ran; they are files named spec/*_spec.lua\n",
                    options->folder);
        else
            fprintf(stderr, "nexusd test: %s: no specs ran; none has \"%s\" in its name\n",
                    options->folder, options->filter);
        return RUNNER_NOT_RUN;
    }
    return lua_toboolean(lua, -2) ? RUNNER_PASSED : RUNNER_FAILED;
}

/* Goes to the folder; that of the file, when it is the file of a policy. */
static bool enter(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');

    if (chdir(path) == 0)
        return true;
    if (errno != ENOTDIR || strlen(path) >= sizeof(folder))
        return false;
    snprintf(folder, sizeof(folder), "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
             slash == NULL ? "." : path);
    return chdir(folder) == 0;
}

enum runner_outcome runner_run(const struct runner_options *options)
{
    enum runner_outcome outcome;
    lua_State *lua;

    if (!enter(options->folder)) {
        fprintf(stderr, "nexusd test: %s: %s\n", options->folder, strerror(errno));
        return RUNNER_NOT_RUN;
    }
    if (options->has_coverage)
        cover_start();
    lua = luaL_newstate();
    if (lua == NULL) {
        fprintf(stderr, "nexusd test: there is not enough memory for a state of Lua\n");
        return RUNNER_FAILED;
    }
    outcome = run(lua, options);
    lua_close(lua);
    return outcome;
}
