/* wait.c -- see wait.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/wait.h"

#include "script/door_priv.h"

#include <lauxlib.h>

/* ---- where nothing can wait ---- */

static const char blocks_key = 0;

/* Pushes the table of functions of other rooms that stand in the way. */
static void push_blocks(lua_State *lua)
{
    if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &blocks_key) == LUA_TTABLE)
        return;
    lua_pop(lua, 1);
    lua_newtable(lua);
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &blocks_key);
}

void l_wait_blocks(lua_State *lua, lua_CFunction fn, const char *words)
{
    push_blocks(lua);
    lua_pushcfunction(lua, fn);
    lua_pushstring(lua, words);
    lua_rawset(lua, -3);
    lua_pop(lua, 1);
}

/* Raises when the function at the top is one of them. */
static void check_blocks(lua_State *lua)
{
    push_blocks(lua);
    lua_pushvalue(lua, -2);
    if (lua_rawget(lua, -2) == LUA_TSTRING)
        luaL_error(lua, "%s", lua_tostring(lua, -1));
    lua_pop(lua, 2);
}

/* Names the function of C that stands in the way. */
static int l_cannot_wait(lua_State *lua)
{
    static const struct {
        lua_CFunction fn;
        const char *words;
    } blockers[] = {
        {l_table_sort, "cannot wait in a comparator of table.sort"},
        {l_string_gsub, "cannot wait in a callback of string.gsub"},
        {l_tostring, "cannot wait in __tostring"},
        {l_require, "cannot wait while a module is loaded by require"},
    };
    lua_Debug frame;

    for (int level = 1; lua_getstack(lua, level, &frame) != 0; level++) {
        lua_CFunction fn;

        lua_getinfo(lua, "f", &frame);
        fn = lua_tocfunction(lua, -1);
        if (fn != NULL)
            check_blocks(lua);
        lua_pop(lua, 1);
        for (size_t i = 0; fn != NULL && i < ARRAY_LEN(blockers); i++) {
            if (fn == blockers[i].fn)
                return luaL_error(lua, "%s", blockers[i].words);
        }
    }
    return luaL_error(lua, "cannot wait here: a function of the router called this one and does "
                           "not wait");
}

void l_wait_allowed(lua_State *lua)
{
    const struct vm *vm = vm_of(lua);
    const struct door_run *run = vm->run;

    if (run == NULL)
        luaL_error(lua, "cannot wait outside of an entry");
    else if (run->call.no_wait != NULL)
        luaL_error(lua, "%s", run->call.no_wait);
    else if (run->canceled != DOOR_NO_LIMIT)
        luaL_error(lua, "%s", run->cancel_words);
    else if (vm->pinned != 0 || !lua_isyieldable(lua))
        l_cannot_wait(lua);
}

/* ---- waiting ---- */

static int l_woken(lua_State *lua, int status, lua_KContext ctx)
{
    struct door_run *run = vm_of(lua)->run;
    int before;

    (void)status;
    (void)ctx;
    if (run->canceled != DOOR_NO_LIMIT)
        return luaL_error(lua, "%s", run->cancel_words);
    if (run->wake == NULL)
        return 0;
    before = lua_gettop(lua);
    luaL_checkstack(lua, LUA_MINSTACK, NULL);
    run->wake(lua, run->wake_ctx);
    return lua_gettop(lua) - before;
}

int door_wait(lua_State *lua, struct door_wait wait)
{
    struct vm *vm = vm_of(lua);

    l_wait_allowed(lua);
    vm->run->wait = wait;
    vm->yielding = YIELD_WAIT;
    return lua_yieldk(lua, 0, 0, l_woken);
}

int l_wait(lua_State *lua, struct wait *wait)
{
    return door_wait(lua, (struct door_wait){.object = wait});
}

void wait_done(struct wait *wait)
{
    wait->is_done = true;
    if (wait->wake != NULL)
        wait->wake(wait);
}

struct wait *wait_of(const struct door_answer *answer)
{
    return answer->wait.object;
}

void wait_sleep(struct wait *wait, void (*wake)(struct wait *wait), void *sleeper)
{
    wait->sleeper = sleeper;
    wait->wake = wake;
    if (wait->is_done)
        wake(wait);
}
