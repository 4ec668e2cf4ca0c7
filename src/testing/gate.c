/* gate.c -- see gate.h: nexus.testing inside of the state of a policy.
 *
 * There it has no functions that read files or take the log: its one router is made here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "testing/gate.h"

#include "script/vm.h"
#include "testing/embedded.h"
#include "testing/stage.h"
#include "testing/testing.h"

#include <lauxlib.h>

#include <string.h>

#define FACE  "nexus.testing"
#define REALM "policy.check"

static void l_run(lua_State *lua, const char *module)
{
    const struct embedded *file = embedded_files;

    while (strcmp(file->module, module) != 0)
        file++;
    if (!vm_load(lua, slice_make((const char *)file->text, file->len), module))
        lua_error(lua);
    lua_call(lua, 0, 1);
}

static int l_open_words(lua_State *lua)
{
    l_run(lua, FACE ".words");
    return 1;
}

static int l_open_inbox(lua_State *lua)
{
    l_run(lua, FACE ".inbox");
    return 1;
}

static int l_open_session(lua_State *lua)
{
    l_run(lua, FACE ".session");
    return 1;
}

static int l_open_login(lua_State *lua)
{
    l_run(lua, FACE ".login");
    return 1;
}

static bool prepare(struct vm *vm)
{
    return vm_provide(vm, FACE "_core", l_testing_open_within) == 0 &&
           vm_provide(vm, FACE ".words", l_open_words) == 0 &&
           vm_provide(vm, FACE ".inbox", l_open_inbox) == 0 &&
           vm_provide(vm, FACE ".session", l_open_session) == 0 &&
           vm_provide(vm, FACE ".login", l_open_login) == 0;
}

static struct stage *open_stage(const struct policy *policy, policy_say_fn *say, void *ctx)
{
    return stage_of_policy(policy, REALM, say, ctx);
}

static struct realm *realm_of(const struct stage *stage)
{
    return stage->realm;
}

static void l_push(lua_State *lua, struct stage *stage)
{
    l_run(lua, FACE);
    lua_getfield(lua, -1, "adopt");
    lua_remove(lua, -2);
    l_stage_lend(lua, stage);
    lua_pushliteral(lua, REALM);
    lua_call(lua, 2, 1);
}

const struct policy_tester testing_gate = {.open = open_stage,
                                           .realm = realm_of,
                                           .prepare = prepare,
                                           .l_push = l_push,
                                           .close = stage_free};
