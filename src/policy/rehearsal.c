/* rehearsal.c -- see rehearsal.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/rehearsal.h"

#include "policy/mind.h"

#include <lauxlib.h>

#include <stdio.h>

static const char router_key = 0;

void l_rehearsal_push(lua_State *lua, const struct rehearsal *rehearsal)
{
    if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &router_key) != LUA_TNIL)
        return;
    lua_pop(lua, 1);
    gate_tester()->l_push(lua, rehearsal->stage);
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &router_key);
}

/* ---- the beginning and the end ---- */

/* The realm's clock stands still while code runs, so it is the machine's that counts. */
static void set_budgets(struct policy *policy, uint64_t cpu_ns)
{
    for (unsigned i = 0; i < BUDGET_COUNT; i++)
        policy->budgets[i] = (struct door_budget){.cpu_ns = cpu_ns};
}

bool rehearsal_open(struct rehearsal *rehearsal, const struct policy *policy, uint64_t cpu_ns,
                    policy_say_fn *say, void *ctx)
{
    const struct policy_tester *tester = gate_tester();
    struct policy *instance;
    struct realm *realm;
    struct mind *mind;

    *rehearsal = (struct rehearsal){.stage = tester->open(policy, say, ctx)};
    if (rehearsal->stage == NULL)
        return false;
    realm = tester->realm(rehearsal->stage);
    mind = realm_mind(realm);
    instance = policy_instance(policy->source, &mind->use->config, mind->state, realm_name(realm),
                               say, ctx);
    if (instance != NULL && !tester->prepare(instance->vm)) {
        say(ctx, "there is not enough memory for a router");
        policy_free(instance);
        instance = NULL;
    }
    if (instance == NULL) {
        tester->close(rehearsal->stage);
        return false;
    }
    set_budgets(instance, cpu_ns);
    fibers_init(&rehearsal->fibers, mind, realm);
    rehearsal->version = mind_version(mind, instance);
    rehearsal->version->turns = &rehearsal->fibers;
    return true;
}

void rehearsal_close(struct rehearsal *rehearsal)
{
    version_abandon(rehearsal->version);
    version_drop(rehearsal->version);
    gate_tester()->close(rehearsal->stage);
}

/* ---- running ---- */

static int l_is_ready(lua_State *lua)
{
    struct rehearsal *rehearsal = lua_touserdata(lua, lua_upvalueindex(1));

    lua_pushboolean(lua, list_first(&rehearsal->fibers.ready) != NULL);
    return 1;
}

/* router:idle(is_ready): also what sessions of tests have to answer is done there. */
static void push_idle(lua_State *lua, void *ctx)
{
    struct rehearsal *rehearsal = ctx;

    l_rehearsal_push(lua, rehearsal);
    lua_getfield(lua, -1, "idle");
    lua_insert(lua, -2);
    lua_pushlightuserdata(lua, rehearsal);
    lua_pushcclosure(lua, l_is_ready, 1);
}

/* False: nothing more will come, or not in time; rehearsal->words say so. */
static bool await(struct rehearsal *rehearsal)
{
    uint64_t now = uv_hrtime();
    struct door_call call = {.push = push_idle,
                             .ctx = rehearsal,
                             .no_wait = "nothing waits in what a session of a test does",
                             .budget = {.wall_ns = rehearsal->ends_ns - now}};
    struct door_answer answer = {.outcome = DOOR_KILLED, .limit = DOOR_WALL};

    if (now < rehearsal->ends_ns)
        door_enter(rehearsal->version->policy->vm, &call, &answer);
    if (answer.outcome == DOOR_RETURNED)
        return true;
    if (answer.outcome == DOOR_KILLED && answer.limit == DOOR_WALL)
        snprintf(rehearsal->words, sizeof(rehearsal->words), "not done after %g s",
                 (double)rehearsal->fibers.wall_ns / 1e9);
    else
        snprintf(rehearsal->words, sizeof(rehearsal->words), "%s", answer.message);
    return false;
}

void rehearsal_run(struct rehearsal *rehearsal, struct fiber *fiber, const struct fiber_kind *kind,
                   uint64_t wall_ns)
{
    rehearsal->ends_ns = uv_hrtime() + wall_ns;
    rehearsal->fibers.wall_ns = wall_ns;
    fiber_start(fiber, rehearsal->version, kind, 0);
    while (fiber_is_alive(fiber)) {
        bool was_held = fibers_hold(&rehearsal->fibers);
        bool goes_on = await(rehearsal);

        fibers_release(&rehearsal->fibers, was_held);
        if (!goes_on)
            fiber_cancel(fiber, rehearsal->words);
    }
}
