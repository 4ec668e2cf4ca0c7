/* lib_coroutine.c -- the coroutines of policies, on top of those of the door.
 *
 * What yields in a coroutine of a policy may be the policy itself, or the router
 * that makes it wait, cuts a slice, or ends the whole run. The latter are passed
 * on to whom resumed it, up to the bottom, and back again: a function that waits
 * inside of a generator waits for the whole hook.
 *
 * A coroutine that waits for the router, or was killed, can be neither resumed
 * nor closed by anybody else; nor can a coroutine of the door.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/vm_priv.h"

#include <lauxlib.h>

#define RESUME_CHARGE 20 /* steps: instructions of a short-lived coroutine are not seen */
#define CLOSING_MAX   32 /* close within __close within close: each takes C stack */

static lua_State *check_thread(lua_State *lua)
{
    lua_State *co = lua_tothread(lua, 1);

    luaL_argexpected(lua, co != NULL, 1, "thread");
    return co;
}

/* ---- resuming ---- */

static const char *status_of(lua_State *lua, lua_State *co)
{
    lua_Debug frame;

    if (lua == co)
        return "running";
    if (lua_status(co) == LUA_YIELD)
        return "suspended";
    if (lua_status(co) != LUA_OK)
        return "dead";
    if (lua_getstack(co, 0, &frame) != 0)
        return "normal";
    return lua_gettop(co) == 0 ? "dead" : "suspended";
}

/* Why the coroutine cannot be resumed or closed; NULL when it can. */
static const char *refusal(lua_State *co, const char *what)
{
    if (vm_has_tag(co, TAG_POOLED))
        return what;
    if (vm_has_tag(co, TAG_HELD))
        return "the coroutine waits for the router";
    return NULL;
}

/* Moves an error or refusal where the caller wants it: -1. */
static int fail(lua_State *lua, const char *words)
{
    lua_pushstring(lua, words);
    return -1;
}

/* Resumes once; what yields is left in the state, for go_on. */
static int resume(lua_State *lua, lua_State *co, int given, int *count)
{
    struct vm *vm = vm_of(lua);
    bool is_pinned = !lua_isyieldable(lua);
    int status;

    vm->pinned += is_pinned;
    vm->running = co;
    vm->yielding = YIELD_POLICY;
    status = lua_resume(co, lua, given, count);
    vm->running = lua;
    vm->pinned -= is_pinned;
    vm_charge(lua, RESUME_CHARGE);
    return status;
}

/* Resumes, and passes on what the router wants. Returns how many results were moved over, or -1
 * with the error value on top. */
static int go_on(lua_State *lua, lua_State *co, int given, lua_KContext ctx, lua_KFunction then)
{
    struct vm *vm = vm_of(lua);
    int count = 0;
    int status = resume(lua, co, given, &count);
    enum yielder yielder = vm->yielding;

    vm->yielding = YIELD_POLICY;
    if (door_is_ending(vm)) {
        vm_set_tag(co, TAG_HELD);
        return door_end(lua);
    }
    if (status == LUA_YIELD && yielder != YIELD_POLICY) {
        vm_set_tag(co, TAG_HELD);
        vm->yielding = yielder;
        return lua_yieldk(lua, 0, ctx, then);
    }
    if (status == LUA_OK || status == LUA_YIELD) {
        if (!lua_checkstack(lua, count + 1)) {
            lua_pop(co, count);
            return fail(lua, "too many results to resume");
        }
        lua_xmove(co, lua, count);
        return count;
    }
    lua_xmove(co, lua, 1);
    return -1;
}

/* Moves `given` arguments and starts; returns as go_on. */
static int start(lua_State *lua, lua_State *co, int given, lua_KContext ctx, lua_KFunction then)
{
    const char *no = refusal(co, "cannot resume a coroutine of the router");
    const char *status = status_of(lua, co);

    if (no != NULL)
        return fail(lua, no);
    /* lua_resume would say the same, but needs memory for it where nothing is protected. */
    if (*status != 's')
        return fail(lua, *status == 'd' ? "cannot resume dead coroutine"
                                        : "cannot resume non-suspended coroutine");
    if (!lua_checkstack(co, given))
        return fail(lua, "too many arguments to resume");
    lua_xmove(lua, co, given);
    return go_on(lua, co, given, ctx, then);
}

static int resume_results(lua_State *lua, int count)
{
    if (count < 0) {
        lua_pushboolean(lua, 0);
        lua_insert(lua, -2);
        return 2;
    }
    lua_pushboolean(lua, 1);
    lua_insert(lua, -(count + 1));
    return count + 1;
}

static int l_resumed(lua_State *lua, int status, lua_KContext ctx)
{
    lua_State *co = lua_tothread(lua, 1);

    (void)status;
    vm_clear_tag(co, TAG_HELD);
    return resume_results(lua, go_on(lua, co, 0, ctx, l_resumed));
}

static int l_resume(lua_State *lua)
{
    lua_State *co = check_thread(lua);

    return resume_results(lua, start(lua, co, lua_gettop(lua) - 1, 0, l_resumed));
}

/* ---- wrap ---- */

static int close_thread(lua_State *lua, lua_State *co);

/* An error in a generator is one where it is called; text gets the place in front. */
static int wrap_results(lua_State *lua, lua_State *co, int count)
{
    int status;

    if (count >= 0)
        return count;
    status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD && !vm_has_tag(co, TAG_HELD)) {
        close_thread(lua, co);
        lua_pop(lua, 1);
    }
    if (lua_type(lua, -1) == LUA_TSTRING && status != LUA_ERRMEM) {
        luaL_where(lua, 1);
        lua_insert(lua, -2);
        lua_concat(lua, 2);
    }
    return lua_error(lua);
}

static int l_wrap_resumed(lua_State *lua, int status, lua_KContext ctx)
{
    lua_State *co = lua_tothread(lua, lua_upvalueindex(1));

    (void)status;
    vm_clear_tag(co, TAG_HELD);
    return wrap_results(lua, co, go_on(lua, co, 0, ctx, l_wrap_resumed));
}

static int l_wrap_call(lua_State *lua)
{
    lua_State *co = lua_tothread(lua, lua_upvalueindex(1));

    return wrap_results(lua, co, start(lua, co, lua_gettop(lua), 0, l_wrap_resumed));
}

static int l_create(lua_State *lua)
{
    lua_State *co;

    luaL_checktype(lua, 1, LUA_TFUNCTION);
    co = lua_newthread(lua);
    lua_sethook(co, door_on_count, vm_hook_mask, VM_STEP);
    lua_pushvalue(lua, 1);
    lua_xmove(lua, co, 1);
    return 1;
}

static int l_wrap(lua_State *lua)
{
    l_create(lua);
    lua_pushcclosure(lua, l_wrap_call, 1);
    return 1;
}

/* ---- the rest ---- */

static int l_yield(lua_State *lua)
{
    if (vm_has_tag(lua, TAG_POOLED))
        return luaL_error(lua, "attempt to yield from outside a coroutine");
    vm_of(lua)->yielding = YIELD_POLICY;
    return lua_yield(lua, lua_gettop(lua));
}

static int l_status(lua_State *lua)
{
    lua_pushstring(lua, status_of(lua, check_thread(lua)));
    return 1;
}

static int l_isyieldable(lua_State *lua)
{
    lua_State *co = lua_isthread(lua, 1) ? lua_tothread(lua, 1) : lua;

    lua_pushboolean(lua, lua_isyieldable(co) && !vm_has_tag(co, TAG_POOLED));
    return 1;
}

static int l_running(lua_State *lua)
{
    lua_pushthread(lua);
    lua_pushboolean(lua, vm_has_tag(lua, TAG_POOLED));
    return 2;
}

/* Leaves one value: nil, or the error of a __close. Returns whether it went well. */
static int close_thread(lua_State *lua, lua_State *co)
{
    struct vm *vm = vm_of(lua);
    int status;

    if (vm->closing >= CLOSING_MAX)
        return luaL_error(lua, "coroutines that close coroutines are nested too deeply");
    vm->closing++;
    vm->pinned++;
    vm->running = co;
    status = lua_resetthread(co);
    vm->running = lua;
    vm->pinned--;
    vm->closing--;
    if (door_is_ending(vm)) {
        vm_set_tag(co, TAG_HELD);
        return door_end(lua);
    }
    if (status == LUA_OK)
        lua_pushnil(lua);
    else
        lua_xmove(co, lua, 1);
    return status == LUA_OK;
}

static int l_close(lua_State *lua)
{
    lua_State *co = check_thread(lua);
    const char *no = refusal(co, "cannot close a coroutine of the router");
    const char *status = status_of(lua, co);

    if (no != NULL)
        return luaL_error(lua, "%s", no);
    if (*status == 'n' || *status == 'r')
        return luaL_error(lua, "cannot close a %s coroutine", status);
    if (close_thread(lua, co)) {
        lua_pushboolean(lua, 1);
        return 1;
    }
    lua_pushboolean(lua, 0);
    lua_insert(lua, -2);
    return 2;
}

int l_open_coroutine(lua_State *lua)
{
    static const luaL_Reg functions[] = {
        {"create", l_create},   {"resume", l_resume}, {"yield", l_yield},
        {"wrap", l_wrap},       {"status", l_status}, {"isyieldable", l_isyieldable},
        {"running", l_running}, {"close", l_close},   {NULL, NULL},
    };

    luaL_newlib(lua, functions);
    return 1;
}
