/* gate.c -- policy.check: the tests that a policy brings along, before it goes live.
 *
 * It runs where the policy was loaded, on whatever thread that is, in the state that was made for
 * checking. Its router is of another room.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "policy/policy_priv.h"

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
    const struct policy *policy;
    char caught[400]; /* an error object as text */
};

static void push(lua_State *lua, void *ctx)
{
    const struct gate *gate = ctx;

    l_policy_push_hook(lua, HOOK_CHECK);
    used->l_push(lua, gate->policy);
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
    struct gate *gate = ctx;

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

static void complain(const struct gate *gate, const struct door_answer *answer, policy_say_fn *say,
                     void *ctx)
{
    const char *label = source_entry(gate->policy->source)->label;
    const char *place = place_len(answer->message) != 0 ? answer->message : place_in(answer->trace);
    const char *words = *gate->caught != '\0' ? gate->caught : behind_place(answer->message);
    char line[1000];

    snprintf(line, sizeof(line), "%.*s: policy.check: %s",
             place == NULL ? (int)strlen(label) : place_len(place), place == NULL ? label : place,
             words);
    say(ctx, line);
}

bool gate_passes(struct policy *policy, policy_say_fn *say, void *ctx)
{
    struct gate gate = {.policy = policy};
    struct door_call call = {.push = push,
                             .take = take,
                             .caught = see_error,
                             .ctx = &gate,
                             .no_wait = "nothing waits in policy.check; its router has a clock: "
                                        "t:advance(seconds)",
                             .budget = {.cpu_ns = CHECK_CPU, .wall_ns = CHECK_WALL}};
    struct door_answer answer;

    if (!policy->has_check || used == NULL)
        return true;
    if (!used->prepare(policy->vm)) {
        say(ctx, "there is not enough memory for policy.check");
        return false;
    }
    policy->host.is_loading = true; /* nothing acts but in t */
    door_enter(policy->vm, &call, &answer);
    if (answer.outcome == DOOR_RETURNED)
        return true;
    complain(&gate, &answer, say, ctx);
    return false;
}
