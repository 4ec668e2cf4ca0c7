/* check_login.c -- policy.authenticate and policy.authmethods.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/check.h"
#include "policy/login_settings.h"

#include <lauxlib.h>

/* ---- authenticate ---- */

/* False, and it was said: there can be no such method. */
static bool is_possible(struct check *check, struct place at, struct slice key)
{
    static const struct {
        const char *key, *words;
    } refused[] = {
        {"wamp-scram", "its key is \"scram\", for both names that it has on the wire"},
    };

    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (!slice_eq(key, slice_of(refused[i].key)))
            continue;
        check_complain(check, at, "policy.authenticate[\"%s\"]: %s", refused[i].key,
                       refused[i].words);
        return false;
    }
    return true;
}

/* Takes a function out of the table at the index. True: it is there. */
static bool take_function(struct check *check, int index, struct slice method, const char *key,
                          size_t hook)
{
    lua_State *lua = check->lua;

    lua_pushstring(lua, key);
    lua_rawget(lua, index);
    if (lua_isfunction(lua, -1)) {
        l_policy_set_hook(lua, hook);
        return true;
    }
    if (!lua_isnil(lua, -1))
        check_complain(check, places_key(check->places, slice_of(key)),
                       "policy.authenticate.%.*s.%s: found %s; allowed: a function",
                       SLICE_ARG(method), key, check_found(check, -1));
    lua_pop(lua, 1);
    return false;
}

static void check_own_keys(struct check *check, int index, struct slice method)
{
    lua_State *lua = check->lua;
    char words[128];

    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        struct slice key = check_text(lua, -2);
        struct guess guess = guess_begin(key);

        if (slice_eq(key, SLICE("verify")) || slice_eq(key, SLICE("challenge")))
            continue;
        guess_offer(&guess, SLICE("verify"));
        guess_offer(&guess, SLICE("challenge"));
        check_complain(check, check_place(check, -1, key),
                       "policy.authenticate.%.*s%s: no such option%s", SLICE_ARG(method),
                       check_key_words(check, lua_gettop(lua) - 1), guess_words(&guess, words));
    }
}

/* { verify = , challenge = } */
static void read_own(struct check *check, struct method *method, int index, size_t hook)
{
    bool is_known = auth_method_find(method->key) != NULL;
    struct place at = check_place(check, index, method->key);

    check_own_keys(check, index, method->key);
    method->is_own = true;
    if (!take_function(check, index, method->key, "verify", hook))
        check_complain(check, at, "policy.authenticate.%.*s.verify is missing",
                       SLICE_ARG(method->key));
    method->has_challenge = take_function(check, index, method->key, "challenge", hook + 1);
    if (is_known && (method->has_challenge || !slice_eq(method->key, SLICE("ticket"))))
        check_complain(check, at,
                       "policy.authenticate.%.*s: found a table; allowed: a function that looks "
                       "up, as the router verifies; of the known methods only ticket may have "
                       "{ verify = }",
                       SLICE_ARG(method->key));
}

static void read_method(struct check *check, int key, int value)
{
    struct policy *policy = check->policy;
    struct slice name = check_text(check->lua, key);
    struct place at = check_place(check, value, name);
    struct method *method = &policy->methods[policy->method_count];
    size_t hook = HOOK_METHODS + policy->method_count * 2;

    if (name.len == 0 || name.len > 100) {
        check_complain(check, at,
                       "policy.authenticate: found the key %s; allowed: names of methods",
                       check_found(check, key));
        return;
    }
    if (!is_possible(check, at, name))
        return;
    *method = (struct method){.key = arena_copy(&policy->arena, name)};
    policy->has_cookie |= slice_eq(name, SLICE("cookie"));
    if (lua_istable(check->lua, value)) {
        read_own(check, method, value, hook);
    } else if (slice_eq(name, SLICE("cookie")) && lua_isboolean(check->lua, value) &&
               lua_toboolean(check->lua, value)) {
        method->is_remembered = true;
    } else if (!lua_isfunction(check->lua, value)) {
        check_complain(check, at,
                       "policy.authenticate.%.*s: found %s; allowed: a function, or a table with "
                       "verify",
                       SLICE_ARG(name), check_found(check, value));
    } else if (auth_method_find(name) == NULL) {
        check_complain(check, at,
                       "policy.authenticate.%.*s: the router cannot verify that method; allowed: "
                       "{ challenge = function, verify = function }",
                       SLICE_ARG(name));
    } else {
        lua_pushvalue(check->lua, value);
        l_policy_set_hook(check->lua, hook);
    }
    policy->method_count++;
}

void check_authenticate(struct check *check, int index)
{
    lua_State *lua = check->lua;
    struct policy *policy = check->policy;

    if (!check_is_table(check, index, "authenticate", "a table of methods"))
        return;
    policy->methods =
        arena_alloc(&policy->arena, (check_entries(lua, index) + 1) * sizeof(*policy->methods));
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1))
        read_method(check, lua_gettop(lua) - 1, lua_gettop(lua));
    policy->last_hook = HOOK_METHODS + policy->method_count * 2;
}

/* ---- authmethods, and what is offered ---- */

static void add_offer(struct policy *policy, struct slice wire, size_t method)
{
    const struct method *from = &policy->methods[method];

    policy->offer_methods[policy->offer_count] = method;
    policy->offers[policy->offer_count++] =
        (struct auth_offer){.name = wire,
                            .method = from->is_own ? NULL : auth_method_find(wire),
                            .is_ready = from->is_own};
}

static void add_offers(struct policy *policy, size_t method)
{
    bool is_scram = slice_eq(policy->methods[method].key, SLICE("scram"));

    if (is_scram)
        add_offer(policy, SLICE("wamp-scram"), method);
    if (!is_scram || logins_used()->scram_compat)
        add_offer(policy, policy->methods[method].key, method);
}

static size_t find_method(const struct policy *policy, struct slice key)
{
    size_t i = 0;

    while (i < policy->method_count && !slice_eq(policy->methods[i].key, key))
        i++;
    return i;
}

static bool is_offered(const struct policy *policy, size_t method)
{
    for (size_t i = 0; i < policy->offer_count; i++) {
        if (policy->offer_methods[i] == method)
            return true;
    }
    return false;
}

static void read_preference(struct check *check, int index, lua_Integer number)
{
    struct policy *policy = check->policy;
    struct slice key = check_text(check->lua, index);
    size_t method = find_method(policy, key);
    struct guess guess = guess_begin(key);
    char words[128];

    if (method != policy->method_count) {
        if (!is_offered(policy, method))
            add_offers(policy, method);
        return;
    }
    for (size_t i = 0; i < policy->method_count; i++)
        guess_offer(&guess, policy->methods[i].key);
    check_complain(check, places_key(check->places, SLICE("authmethods")),
                   "policy.authmethods[%lld]: found %s; there is no policy.authenticate for it%s",
                   number, check_found(check, index), guess_words(&guess, words));
}

void check_authmethods(struct check *check, int index)
{
    lua_State *lua = check->lua;
    struct policy *policy = check->policy;
    size_t room = policy->method_count * 2 + 1;

    policy->offers = arena_alloc(&policy->arena, room * sizeof(*policy->offers));
    policy->offer_methods = arena_alloc(&policy->arena, room * sizeof(*policy->offer_methods));
    if (check_is_table(check, index, "authmethods", "a list as { \"ticket\", \"anonymous\" }")) {
        check_list(check, places_key(check->places, SLICE("authmethods")), index, "authmethods");
        for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(lua, index); i++) {
            lua_rawgeti(lua, index, i);
            read_preference(check, lua_gettop(lua), i);
            lua_pop(lua, 1);
        }
        policy->preferred = policy->offer_count;
    }
    for (size_t i = 0; i < policy->method_count; i++) {
        if (!is_offered(policy, i))
            add_offers(policy, i);
    }
}
