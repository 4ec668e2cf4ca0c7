/* gate.c -- policy.check: the tests that a policy brings along, before it goes live.
 *
 * It runs where the policy was loaded, on whatever thread that is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/rehearsal.h"

#include <lauxlib.h>

#include <stdio.h>

#define NS_PER_S   UINT64_C(1000000000)
#define CHECK_CPU  (2 * NS_PER_S)
#define CHECK_WALL (5 * NS_PER_S)

static const struct policy_tester *used;

void policy_set_tester(const struct policy_tester *tester)
{
    used = tester;
}

const struct policy_tester *gate_tester(void)
{
    return used;
}

struct gate {
    struct fiber fiber;
    struct rehearsal rehearsal;
    const struct policy *policy;
    policy_say_fn *say;
    void *ctx;        /* of say */
    char caught[400]; /* an error object as text */
    bool has_passed;
};

static struct gate *gate_of(void *fiber)
{
    return container_of((struct fiber *)fiber, struct gate, fiber);
}

static void push(lua_State *lua, void *ctx)
{
    l_policy_push_hook(lua, HOOK_CHECK);
    l_rehearsal_push(lua, &gate_of(ctx)->rehearsal);
}

/* What it returns is no verdict, but who returns false means one. */
static void take(lua_State *lua, int count, void *ctx)
{
    (void)ctx;
    if (count != 0 && lua_isboolean(lua, 1) && !lua_toboolean(lua, 1))
        luaL_error(lua, "it returned false");
}

/* The errors of calls in t are objects that know their text. */
static void see_error(lua_State *lua, int count, void *ctx)
{
    struct gate *gate = gate_of(ctx);

    if (count != 0 && luaL_getmetafield(lua, 1, "__tostring") != LUA_TNIL)
        snprintf(gate->caught, sizeof(gate->caught), "%s", luaL_tolstring(lua, 1, NULL));
}

/* The length of "acme/policy.lua:7" at the beginning; 0 when there is no place of a policy. */
static int place_len(const char *text)
{
    int len = 0;

    (void)sscanf(text, "%*[^: \n]:%*u%n", &len);
    return strncmp(text, "nexus.", 6) == 0 ? 0 : len;
}

/* The first line of a trace that is one of the policy's. */
static const char *place_in(const char *trace)
{
    while (*trace != '\0') {
        trace += strspn(trace, " \t\n");
        if (place_len(trace) != 0)
            return trace;
        trace += strcspn(trace, "\n");
    }
    return NULL;
}

/* Behind "file:line: ", if the text begins so. */
static const char *behind_place(const char *text)
{
    int len = 0;

    (void)sscanf(text, "%*[^: \n]:%*u: %n", &len);
    return text + len;
}

static void complain(const struct gate *gate, const struct door_answer *answer)
{
    const char *label = source_entry(gate->policy->source)->label;
    const char *place = place_len(answer->message) != 0 ? answer->message : place_in(answer->trace);
    const char *words = *gate->caught != '\0' ? gate->caught : behind_place(answer->message);
    char line[1000];

    snprintf(line, sizeof(line), "%.*s: policy.check: %s",
             place == NULL ? (int)strlen(label) : place_len(place), place == NULL ? label : place,
             words);
    gate->say(gate->ctx, line);
}

static void end(struct fiber *fiber, enum fiber_end how, const struct door_answer *answer)
{
    struct gate *gate = gate_of(fiber);

    gate->has_passed = how == FIBER_RETURNED;
    if (!gate->has_passed)
        complain(gate, answer);
}

static const struct fiber_kind checking = {"check", BUDGET_TASK, push, take, see_error, end, true};

bool gate_passes(const struct policy *policy, policy_say_fn *say, void *ctx)
{
    struct gate gate = {.policy = policy, .say = say, .ctx = ctx};

    if (!policy->has_check || used == NULL)
        return true;
    if (!rehearsal_open(&gate.rehearsal, policy, CHECK_CPU, say, ctx))
        return false;
    rehearsal_run(&gate.rehearsal, &gate.fiber, &checking, CHECK_WALL);
    rehearsal_close(&gate.rehearsal);
    return gate.has_passed;
}
