/* lifecycle.c -- policy.on_join, on_leave, on_load, on_unload.
 *
 * None of them can refuse anything; what goes wrong in them is logged. The first two are for those who
 * come from outside: sessions of the router's own code, such as the policy's, are not told of.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "policy/facts.h"
#include "policy/handlers.h"

struct moment {
    struct fiber fiber;
    struct mind *mind;
    size_t hook;
    uint64_t session;
    struct leaving *leaving;                                             /* on_leave; owned */
    char version[SOURCE_VERSION_LEN + 1], other[SOURCE_VERSION_LEN + 1]; /* empty: there is none */
};

static struct moment *moment_of(void *ctx)
{
    return container_of((struct fiber *)ctx, struct moment, fiber);
}

static void set_version(lua_State *lua, const char *key, const char *version)
{
    if (*version == '\0')
        return;
    lua_pushstring(lua, version);
    lua_setfield(lua, -2, key);
}

static void push_info(lua_State *lua, const struct moment *moment)
{
    l_facts_push_empty(lua, VALUES_DICT);
    set_version(lua, "version", moment->version);
    set_version(lua, moment->hook == HOOK_ON_LOAD ? "previous" : "next", moment->other);
    if (moment->hook != HOOK_ON_LOAD)
        return;
    lua_pushboolean(lua, *moment->other == '\0');
    lua_setfield(lua, -2, "first");
}

static void push(lua_State *lua, void *ctx)
{
    const struct moment *moment = moment_of(ctx);

    l_policy_push_hook(lua, moment->hook);
    if (moment->hook == HOOK_ON_JOIN) {
        l_views_push_session(lua, moment->mind, moment->session);
    } else if (moment->hook == HOOK_ON_LEAVE) {
        l_views_push_left(lua, moment->mind, moment->leaving);
        lua_pushstring(lua, moment->leaving->left->reason);
    } else {
        push_info(lua, moment);
    }
}

static void end(struct fiber *fiber, enum fiber_end how, const struct door_answer *failure)
{
    struct moment *moment = moment_of(fiber);

    (void)how;
    (void)failure;
    if (moment->leaving != NULL) {
        map_remove(&moment->mind->leaving, moment->leaving->serial, 0);
        left_free(moment->leaving->left);
        mem_free(moment->leaving);
    }
    mem_free(moment);
}

static const struct fiber_kind join_kind = {"on_join", BUDGET_LIFECYCLE, push, NULL, NULL, end,
                                            false};
static const struct fiber_kind leave_kind = {"on_leave", BUDGET_LIFECYCLE, push, NULL, NULL, end,
                                             false};
static const struct fiber_kind load_kind = {"on_load", BUDGET_LIFECYCLE, push, NULL, NULL, end,
                                            false};
static const struct fiber_kind unload_kind = {"on_unload", BUDGET_LIFECYCLE, push, NULL, NULL, end,
                                              false};

static struct moment *moment_new(struct mind *mind, enum hook hook)
{
    struct moment *moment = mem_zero(1, sizeof(*moment));

    moment->mind = mind;
    moment->hook = hook;
    return moment;
}

void lifecycle_joined(struct mind *mind, uint64_t session)
{
    struct moment *moment;
    struct look look;

    if (mind->current == NULL || !mind->current->policy->has_on_join ||
        (core_look(realm_core(mind->realm), session, &look) && look.is_trusted))
        return;
    moment = moment_new(mind, HOOK_ON_JOIN);
    moment->session = session;
    moment->fiber.session = session;
    fiber_start(&moment->fiber, mind->current, &join_kind, 0);
}

void lifecycle_left(struct mind *mind, const struct left *left)
{
    struct moment *moment;

    if (mind->current == NULL || mind->is_stopped || left->look.is_trusted ||
        !mind->current->policy->has_on_leave)
        return;
    moment = moment_new(mind, HOOK_ON_LEAVE);
    moment->leaving = mem_zero(1, sizeof(*moment->leaving));
    moment->leaving->left = left_new(&left->look, left->reason);
    moment->leaving->serial = ++mind->last_leaving;
    map_put(&mind->leaving, moment->leaving->serial, 0, moment->leaving);
    moment->fiber.session = left->look.id;
    fiber_start(&moment->fiber, mind->current, &leave_kind, 0);
}

static void copy_version(char *to, const struct version *version)
{
    if (version != NULL)
        memcpy(to, policy_version(version->policy), SOURCE_VERSION_LEN + 1);
}

void lifecycle_loaded(struct mind *mind, struct version *previous)
{
    struct moment *moment;

    tasks_start(mind->current);
    if (!mind->current->policy->has_on_load)
        return;
    moment = moment_new(mind, HOOK_ON_LOAD);
    copy_version(moment->version, mind->current);
    copy_version(moment->other, previous);
    fiber_start(&moment->fiber, mind->current, &load_kind, 0);
}

void lifecycle_unloaded(struct mind *mind, struct version *from)
{
    struct moment *moment;

    if (!from->policy->has_on_unload)
        return;
    moment = moment_new(mind, HOOK_ON_UNLOAD);
    copy_version(moment->version, from);
    copy_version(moment->other, mind->current);
    fiber_start(&moment->fiber, from, &unload_kind, 0);
}
