/* module.c -- see module.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/module.h"

#include "policy/errors.h"
#include "policy/filters.h"
#include "policy/handlers.h"
#include "policy/merge.h"
#include "policy/others.h"
#include "policy/realm.h"
#include "policy/results.h"
#include "policy/rulings.h"
#include "policy/session_view.h"
#include "policy/waiting.h"

#include <lauxlib.h>

/* ---- policy ---- */

static void ensure_table(lua_State *lua, const char *key)
{
    lua_pushstring(lua, key);
    if (lua_rawget(lua, 1) == LUA_TNIL) {
        lua_pushstring(lua, key);
        lua_newtable(lua);
        lua_rawset(lua, 1);
    }
    lua_pop(lua, 1);
}

static const char *const tables_of_policy[] = {"roles",      "authenticate",  "intercept",
                                               "procedures", "subscriptions", "tasks"};

static int l_policy(lua_State *lua)
{
    lua_settop(lua, 1);
    luaL_checktype(lua, 1, LUA_TTABLE);
    for (size_t i = 0; i < ARRAY_LEN(tables_of_policy); i++)
        ensure_table(lua, tables_of_policy[i]);
    return 1;
}

/* ---- the table ---- */

static const struct module_row rows[] = {
    {"policy", l_policy, "fun(policy: nexus.Policy): nexus.Policy",
     "Makes a policy of a table: roles, authenticate, intercept, procedures, subscriptions and "
     "tasks "
     "are there afterwards, as empty tables. It has no other effect.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct module_table answers = {"nexus", rows, NULL};
static const struct module_table *const tables[] = {&answers,
                                                    &policy_rulings,
                                                    &policy_filters,
                                                    &policy_filter_class,
                                                    &policy_waiting,
                                                    &policy_timers,
                                                    &policy_errors,
                                                    &policy_results,
                                                    &policy_calls,
                                                    &policy_events,
                                                    &policy_endpoints,
                                                    &policy_sessions,
                                                    &policy_realm,
                                                    &policy_other,
                                                    &policy_realm_field,
                                                    &policy_merge,
                                                    NULL};

const struct module_table *const *policy_tables(void)
{
    return tables;
}

int l_policy_open_module(lua_State *lua)
{
    return l_module_open(lua, tables);
}
