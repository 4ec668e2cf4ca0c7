/* check_budgets.c -- policy.budgets, policy.cache_decisions. See check.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/check.h"

#include <lauxlib.h>

#define MAX_KEEP_S 86400.0
#define NS_PER_S   1e9

/* ---- cache_decisions ---- */

void check_cache_decisions(struct check *check, int index)
{
    lua_State *lua = check->lua;
    double seconds = lua_tonumber(lua, index);

    if (lua_isnil(lua, index))
        return;
    if (lua_type(lua, index) != LUA_TNUMBER || !(seconds >= 0) || seconds > MAX_KEEP_S)
        check_complain(check, check_place(check, index, SLICE("cache_decisions")),
                       "policy.cache_decisions: found %s; allowed: seconds, from 0 to 86400",
                       check_found(check, index));
    else
        check->policy->keep_ms = (uint32_t)(seconds * 1000);
}

/* ---- budgets ---- */

static const char *const budget_fields[] = {"stretch", "cpu", "wall"};

static uint64_t *field_of(struct door_budget *budget, size_t field)
{
    return field == 0 ? &budget->stretch_ns : field == 1 ? &budget->cpu_ns : &budget->wall_ns;
}

static void read_budget_field(struct check *check, enum budget_kind kind, int key, int value)
{
    lua_State *lua = check->lua;
    struct slice name = check_text(lua, key);
    struct place at = places_key(check->places, SLICE("budgets"));
    struct guess guess = guess_begin(name);
    double seconds = lua_tonumber(lua, value);
    char words[128];

    for (size_t i = 0; i < ARRAY_LEN(budget_fields); i++) {
        uint64_t *ns = field_of(&check->policy->budgets[kind], i);

        guess_offer(&guess, slice_of(budget_fields[i]));
        if (!slice_eq(name, slice_of(budget_fields[i])))
            continue;
        if (lua_type(lua, value) != LUA_TNUMBER || !(seconds > 0) ||
            seconds * NS_PER_S > (double)*ns)
            check_complain(
                check, at,
                "policy.budgets.%s.%s: found %s; allowed: seconds, above 0 and at most %g",
                budget_names[kind], budget_fields[i], check_found(check, value),
                (double)*ns / NS_PER_S);
        else
            *ns = (uint64_t)(seconds * NS_PER_S);
        return;
    }
    check_complain(check, at, "policy.budgets.%s%s: no such option%s", budget_names[kind],
                   check_key_words(check, key), guess_words(&guess, words));
}

static void read_budget(struct check *check, int key, int value)
{
    lua_State *lua = check->lua;
    struct slice name = check_text(lua, key);
    struct place at = places_key(check->places, SLICE("budgets"));
    struct guess guess = guess_begin(name);
    char words[128];

    for (unsigned i = 0; i < BUDGET_COUNT; i++) {
        guess_offer(&guess, slice_of(budget_names[i]));
        if (!slice_eq(name, slice_of(budget_names[i])))
            continue;
        if (!lua_istable(lua, value)) {
            check_complain(check, at,
                           "policy.budgets.%s: found %s; allowed: a table as { wall = 2 }",
                           budget_names[i], check_found(check, value));
            return;
        }
        for (lua_pushnil(lua); lua_next(lua, value) != 0; lua_pop(lua, 1))
            read_budget_field(check, (enum budget_kind)i, lua_gettop(lua) - 1, lua_gettop(lua));
        return;
    }
    check_complain(check, at, "policy.budgets%s: no such budget%s", check_key_words(check, key),
                   guess_words(&guess, words));
}

void check_budgets(struct check *check, int index)
{
    lua_State *lua = check->lua;

    if (!check_is_table(check, index, "budgets", "a table as { authorize = { wall = 2 } }"))
        return;
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1))
        read_budget(check, lua_gettop(lua) - 1, lua_gettop(lua));
}
