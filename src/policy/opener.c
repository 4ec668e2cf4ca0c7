/* opener.c -- router.lua opens realms: what it is asked, and what becomes of its answers.
 *
 * It has the mind of a realm that nobody can join. An error in it means that there is no such realm.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/opener.h"

#include "base/check.h"
#include "base/guess.h"
#include "base/mem.h"
#include "module/module.h"
#include "policy/facts.h"

#include <lauxlib.h>

#define MAX_IDLE_S 2592000.0

/* A call of policy.realm_requested. */
struct request {
    struct fiber fiber;
    struct mind *mind;
    struct realm_request *opening;
    const struct policy_template *template; /* NULL: there is no such realm */
    struct blob *settings;                  /* counted; MessagePack dict; NULL: the template's */
    uint32_t idle_ms;
};

/* A call of policy.realm_opened or realm_closed. */
struct tiding {
    struct fiber fiber;
    size_t hook;
    char realm[];
};

/* The use of a policy by one realm. */
struct dynamic_use {
    struct policy_use use;
    struct blob *settings; /* counted; NULL: the template's */
};

static struct request *request_of(void *ctx)
{
    return container_of((struct fiber *)ctx, struct request, fiber);
}

/* ---- what it is asked ---- */

static void push_request(lua_State *lua, void *ctx)
{
    const struct realm_request *opening = request_of(ctx)->opening;

    l_policy_push_hook(lua, HOOK_REALM_REQUESTED);
    l_values_push(lua, opening->codec, opening->details, "hello");
    lua_pushstring(lua, opening->realm);
    lua_setfield(lua, -2, "realm");
    l_facts_push_transport(lua, opening->transport);
    lua_setfield(lua, -2, "transport");
}

/* ---- what it says ---- */

static const struct policy_template *find(const struct policy_use *use, const char *name)
{
    for (size_t i = 0; i < use->template_count; i++) {
        if (strcmp(use->templates[i].name, name) == 0)
            return &use->templates[i];
    }
    return NULL;
}

static void l_refuse(lua_State *lua, const char *key, const char *allowed)
{
    luaL_error(lua, "realm_requested: %s: found %s; allowed: %s", key,
               lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : luaL_typename(lua, -1),
               allowed);
}

static void l_take_template(lua_State *lua, struct request *request)
{
    const struct policy_use *use = request->mind->use;
    struct guess guess;
    char words[128];

    lua_getfield(lua, 1, "template");
    if (lua_type(lua, -1) != LUA_TSTRING)
        l_refuse(lua, "template", "the name of one of the templates of the configuration");
    request->template = find(use, lua_tostring(lua, -1));
    guess = guess_begin(slice_of(lua_tostring(lua, -1)));
    for (size_t i = 0; i < use->template_count; i++)
        guess_offer(&guess, slice_of(use->templates[i].name));
    if (request->template == NULL)
        luaL_error(lua, "realm_requested: the configuration has no template \"%s\"%s",
                   lua_tostring(lua, -1), guess_words(&guess, words));
    lua_pop(lua, 1);
}

/* Those of the template, and above them what the answer says. */
static void l_take_settings(lua_State *lua, struct request *request)
{
    const struct policy_use *use;

    CHECK(request->template != NULL);
    use = request->template->use;
    if (lua_getfield(lua, 1, "settings") == LUA_TNIL) {
        lua_pop(lua, 1);
        return;
    }
    if (!lua_istable(lua, -1))
        l_refuse(lua, "settings", "a table");
    if (use == NULL)
        luaL_error(lua,
                   "realm_requested: settings: nobody reads them, as the template \"%s\" has "
                   "the policy \"open\"",
                   request->template->name);
    CHECK(use != NULL);
    if (use->config.settings.len == 0)
        lua_newtable(lua);
    else
        l_values_push(lua, CODEC_MSGPACK, use->config.settings, "settings");
    for (lua_pushnil(lua); lua_next(lua, -3) != 0;) {
        lua_pushvalue(lua, -2);
        lua_insert(lua, -2);
        lua_rawset(lua, -4);
    }
    l_values_begin(lua, CODEC_MSGPACK);
    l_values_put(lua, lua_gettop(lua), VALUES_DICT, "settings");
    request->settings = l_values_end(lua);
    lua_pop(lua, 2);
}

static void l_take_idle(lua_State *lua, struct request *request)
{
    double seconds;

    lua_getfield(lua, 1, "close_when_idle");
    seconds = lua_tonumber(lua, -1);
    if (!lua_isnil(lua, -1) &&
        (lua_type(lua, -1) != LUA_TNUMBER || !(seconds >= 0.001) || seconds > MAX_IDLE_S))
        l_refuse(lua, "close_when_idle", "seconds, from 0.001 to 2592000");
    request->idle_ms = (uint32_t)(seconds * 1000);
    lua_pop(lua, 1);
}

static void take_request(lua_State *lua, int count, void *ctx)
{
    static const char *const known[] = {"template", "settings", "close_when_idle", NULL};
    struct request *request = request_of(ctx);

    if (count == 0 || !lua_toboolean(lua, 1))
        return;
    if (!lua_istable(lua, 1))
        luaL_error(lua, "realm_requested: returned a %s; allowed: { template = \"name\" }, or nil",
                   luaL_typename(lua, 1));
    l_module_check_keys(lua, 1, "realm_requested", known);
    l_take_template(lua, request);
    l_take_settings(lua, request);
    l_take_idle(lua, request);
}

/* ---- what becomes of it ---- */

void opener_drop_use(const struct policy_use *use)
{
    struct dynamic_use *dynamic;

    if (use == NULL || !use->is_dynamic)
        return;
    dynamic = container_of((struct policy_use *)(uintptr_t)use, struct dynamic_use, use);
    blob_drop(dynamic->settings);
    mem_free(dynamic);
}

/* Takes the settings. */
static struct policy_use *make_use(struct request *request)
{
    struct dynamic_use *dynamic = mem_zero(1, sizeof(*dynamic));

    dynamic->use = *request->template->use;
    dynamic->use.is_dynamic = true;
    dynamic->settings = request->settings;
    if (dynamic->settings != NULL)
        dynamic->use.config.settings = blob_slice(dynamic->settings);
    request->settings = NULL;
    return &dynamic->use;
}

static void open_realm(struct request *request)
{
    struct realm_options options = *request->template->options;
    struct policy_use *use = NULL;

    if (request->template->use != NULL) {
        use = make_use(request);
        options.decider_ctx = use;
    }
    if (!router_open(request->mind->realm, request->opening, &options, request->idle_ms))
        opener_drop_use(use);
}

static void end_request(struct fiber *fiber, enum fiber_end how, const struct door_answer *answer)
{
    struct request *request = request_of(fiber);

    (void)answer;
    if (request->mind->is_stopped) {
        request->opening = NULL; /* the router forgets it */
    } else if (how == FIBER_RETURNED && request->template != NULL) {
        open_realm(request);
    } else {
        (void)router_open(request->mind->realm, request->opening, NULL, 0);
    }
    blob_drop(request->settings);
    mem_free(request);
}

static const struct fiber_kind request_kind = {
    .hook = "realm_requested",
    .budget = BUDGET_AUTHENTICATE,
    .push = push_request,
    .take = take_request,
    .end = end_request,
};

void opener_requested(void *ctx, struct realm_request *opening)
{
    struct mind *mind = ctx;
    struct request *request;

    if (mind->current == NULL || mind->is_stopped) {
        (void)router_open(mind->realm, opening, NULL, 0);
        return;
    }
    request = mem_zero(1, sizeof(*request));
    request->mind = mind;
    request->opening = opening;
    fiber_start(&request->fiber, mind->current, &request_kind, 0);
}

/* ---- tidings ---- */

static void push_tiding(lua_State *lua, void *ctx)
{
    const struct tiding *tiding = container_of((struct fiber *)ctx, struct tiding, fiber);

    l_policy_push_hook(lua, tiding->hook);
    lua_createtable(lua, 0, 1);
    lua_pushstring(lua, tiding->realm);
    lua_setfield(lua, -2, "uri");
}

static void end_tiding(struct fiber *fiber, enum fiber_end how, const struct door_answer *answer)
{
    (void)how;
    (void)answer;
    mem_free(container_of(fiber, struct tiding, fiber));
}

static const struct fiber_kind opened_kind = {
    .hook = "realm_opened", .budget = BUDGET_LIFECYCLE, .push = push_tiding, .end = end_tiding};
static const struct fiber_kind closed_kind = {
    .hook = "realm_closed", .budget = BUDGET_LIFECYCLE, .push = push_tiding, .end = end_tiding};

static void tell(struct mind *mind, const char *realm, size_t hook, const struct fiber_kind *kind)
{
    struct tiding *tiding = mem_zero(1, sizeof(*tiding) + strlen(realm) + 1);

    tiding->hook = hook;
    memcpy(tiding->realm, realm, strlen(realm));
    fiber_start(&tiding->fiber, mind->current, kind, 0);
}

void opener_opened(void *ctx, const char *realm)
{
    struct mind *mind = ctx;

    if (mind->current != NULL && !mind->is_stopped && mind->current->policy->has_opened)
        tell(mind, realm, HOOK_REALM_OPENED, &opened_kind);
}

void opener_closed(void *ctx, const char *realm)
{
    struct mind *mind = ctx;

    if (mind->current != NULL && !mind->is_stopped && mind->current->policy->has_closed)
        tell(mind, realm, HOOK_REALM_CLOSED, &closed_kind);
}
