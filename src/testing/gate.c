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

#define FACE "nexus.testing"

static bool prepare(struct vm *vm)
{
    return vm_provide(vm, "nexus.testing_core", l_testing_open_within) == 0;
}

static void l_push_face(lua_State *lua)
{
    const struct embedded *file = embedded_files;

    while (strcmp(file->module, FACE) != 0)
        file++;
    if (!vm_load(lua, slice_make((const char *)file->text, file->len), FACE))
        lua_error(lua);
    lua_call(lua, 0, 1);
}

static void l_push(lua_State *lua, const struct policy *policy)
{
    l_push_face(lua);
    lua_getfield(lua, -1, "adopt");
    lua_remove(lua, -2);
    l_stage_of_policy(lua, policy, STAGE_CHECK_REALM);
    lua_pushliteral(lua, STAGE_CHECK_REALM);
    lua_call(lua, 2, 1);
}

const struct policy_tester testing_gate = {.prepare = prepare, .l_push = l_push};
