/* load.c -- a policy is read, run once in its sandbox, and checked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "module/module.h"
#include "policy/check.h"
#include "policy/errors.h"
#include "policy/eval.h"
#include "policy/mind.h"
#include "policy/module.h"
#include "policy/prompt.h"
#include "policy/reload.h"

#include <lauxlib.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NS_PER_S  UINT64_C(1000000000)
#define LOAD_CPU  (2 * NS_PER_S)
#define LOAD_WALL (5 * NS_PER_S)

static const char policy_key = 0, hooks_key = 0, module_key = 0;

const char *policy_format(struct arena *arena, const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(len >= 0);
    text = arena_alloc(arena, (size_t)len + 1);
    va_start(args, format);
    (void)vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

/* ---- the state ---- */

struct policy *policy_of(lua_State *lua)
{
    struct policy *policy;

    lua_rawgetp(lua, LUA_REGISTRYINDEX, &policy_key);
    policy = lua_touserdata(lua, -1);
    lua_pop(lua, 1);
    return policy;
}

void l_policy_push_hook(lua_State *lua, size_t hook)
{
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &hooks_key);
    lua_rawgeti(lua, -1, (lua_Integer)hook);
    lua_remove(lua, -2);
}

void l_policy_set_hook(lua_State *lua, size_t hook)
{
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &hooks_key);
    lua_insert(lua, -2);
    lua_rawseti(lua, -2, (lua_Integer)hook);
    lua_pop(lua, 1);
}

static int l_get_module(lua_State *lua)
{
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &module_key);
    return 1;
}

static int l_prepare(lua_State *lua)
{
    struct policy *policy = lua_touserdata(lua, -1);

    lua_rawsetp(lua, LUA_REGISTRYINDEX, &policy_key);
    lua_newtable(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &hooks_key);
    l_host_set(lua, &policy->host);
    l_views_open(lua);
    /* Now, not when it is required: sessions, calls and events are given to policies that never do. */
    l_policy_open_module(lua);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &module_key);
    return 0;
}

static void say_line(lua_State *lua, enum vm_level level, struct slice text, const char *where)
{
    const struct host *host = host_of(lua);
    char *copy = mem_copy(text.data, text.len);

    host_mask(host, copy);
    module_say(lua, host, level == VM_WARN ? LOG_WARN : LOG_INFO, copy, where, NULL);
    mem_free(copy);
}

static void mask(void *ctx, char *text)
{
    const struct policy *policy = ctx;

    host_mask(&policy->host, text);
}

static double wall_of(void *ctx)
{
    return host_time(ctx);
}

static double now_of(void *ctx)
{
    return host_monotonic(ctx);
}

/* ---- running it ---- */

static void push_entry(lua_State *lua, void *ctx)
{
    const struct check *check = ctx;
    const struct source_file *file = source_entry(check->policy->source);

    if (!vm_load(lua, file->text, file->label))
        lua_error(lua);
}

static void take_table(lua_State *lua, int count, void *ctx)
{
    struct check *check = ctx;

    lua_settop(lua, count == 0 ? 0 : 1);
    check->lua = lua;
    check_table(check, 1);
    l_eval_keep(lua, 1);
}

static int by_line(const void *a, const void *b)
{
    const struct complaint *left = a, *right = b;

    if (left->at != right->at)
        return left->at < right->at ? -1 : 1;
    return strcmp(left->line, right->line);
}

static bool run(struct check *check, policy_say_fn *say, void *ctx)
{
    struct door_call call = {.push = push_entry,
                             .take = take_table,
                             .ctx = check,
                             .no_wait = "not while loading; use policy.on_load",
                             .budget = {.cpu_ns = LOAD_CPU, .wall_ns = LOAD_WALL}};
    struct door_answer answer;

    door_enter(check->policy->vm, &call, &answer);
    if (answer.outcome != DOOR_RETURNED)
        say(ctx, answer.message);
    qsort(check->complaints, check->count, sizeof(*check->complaints), by_line);
    for (size_t i = 0; i < check->count; i++)
        say(ctx, check->complaints[i].line);
    return answer.outcome == DOOR_RETURNED && check->count == 0;
}

static bool is_sound(struct policy *policy, policy_say_fn *say, void *ctx)
{
    struct check *check = mem_zero(1, sizeof(*check));
    bool is_right;

    check->policy = policy;
    check->places = places_new(policy->source);
    arena_init(&check->arena);
    is_right = run(check, say, ctx);
    arena_fini(&check->arena);
    places_free(check->places);
    mem_free(check);
    return is_right;
}

/* place(key): where the settings' file gives that key a value: "etc/users.lua:14", or the file. */
static int l_place(lua_State *lua)
{
    const struct policy *policy = policy_of(lua);
    const struct source_file *file = source_data(policy->source);
    struct slice key = {.data = luaL_checklstring(lua, 1, &key.len)};
    struct places *places;
    struct place place;

    if (file == NULL)
        return luaL_error(lua, "there is no file in the settings");
    places = places_new_of(policy->source, file);
    place = places_key(places, key);
    places_free(places); /* labels are the source's */
    if (place.line == 0)
        lua_pushstring(lua, file->label);
    else
        lua_pushfstring(lua, "%s:%d", place.label, (int)place.line);
    return 1;
}

static int l_open_place(lua_State *lua)
{
    lua_pushcfunction(lua, l_place);
    return 1;
}

static bool open_vm(struct policy *policy)
{
    policy->vm = vm_new(&(struct vm_options){.source = policy->source,
                                             .memory = policy->host.config->memory,
                                             .c_modules = policy->host.config->c_modules,
                                             .say = say_line,
                                             .mask = mask,
                                             .describe = errors_describe,
                                             .mask_ctx = policy,
                                             .wall = wall_of,
                                             .now = now_of,
                                             .clock_ctx = &policy->host});
    return policy->vm != NULL && vm_try(policy->vm, l_prepare, policy, NULL, 0) == 0 &&
           vm_provide(policy->vm, "nexus", l_get_module) == 0 &&
           vm_provide(policy->vm, "settings.place", l_open_place) == 0;
}

static struct host_run run_of(lua_State *lua)
{
    const struct fiber *fiber = fiber_of(lua);
    struct host_run run = {0};

    if (fiber != NULL) {
        run.hook = fiber->kind->hook;
        run.session = fiber->session;
    }
    return run;
}

struct policy *policy_instance(struct source *source, const struct host_config *config,
                               const struct state *state, const char *realm, policy_say_fn *say,
                               void *ctx)
{
    struct policy *policy = mem_zero(1, sizeof(*policy));

    arena_init(&policy->arena);
    policy->source = source_hold(source);
    policy->realm = realm;
    host_init(&policy->host);
    policy->host.realm = realm;
    policy->host.version = source_version(source);
    policy->host.is_loading = true;
    policy->host.run = run_of;
    policy->is_loose = config == NULL;
    policy->host.forbids = prompt_forbids;
    if (config != NULL)
        policy->host.config = config;
    policy->host.http_answer = policy->host.config->http_answer;
    if (state != NULL)
        host_set_state(&policy->host, state);
    budgets_fill(policy->budgets, policy->host.config->budgets);
    if (!open_vm(policy))
        say(ctx, "there is not enough memory for a state of Lua");
    else
        policy->is_loaded = is_sound(policy, say, ctx);
    policy->host.is_loading = !policy->is_loaded;
    if (policy->is_loaded)
        return policy;
    policy_free(policy);
    return NULL;
}

/* ---- the whole ---- */

struct policy *policy_of_source(struct source *source, const struct host_config *config,
                                policy_say_fn *say, void *ctx)
{
    struct policy *policy;
    char words[SOURCE_WORDS_LEN];

    if (!source_compiles(source, words)) {
        say(ctx, words);
        return NULL;
    }
    policy = policy_instance(source, config, NULL, NULL, say, ctx);
    if (policy == NULL)
        return NULL;
    if (!gate_passes(policy, say, ctx)) {
        policy_free(policy);
        return NULL;
    }
    policy_stop(policy); /* each realm has its own state */
    return policy;
}

struct policy *policy_again(const struct policy *policy, const struct host_config *config,
                            policy_say_fn *say, void *ctx)
{
    struct policy *again = policy_instance(policy->source, config, NULL, NULL, say, ctx);

    if (again != NULL)
        policy_stop(again);
    return again;
}

const struct host_config *policy_config(const struct policy *policy)
{
    return policy->host.config;
}

struct policy *policy_load(const char *path, const struct host_config *config, policy_say_fn *say,
                           void *ctx)
{
    char words[SOURCE_WORDS_LEN];
    struct source *source =
        source_read_with(path, config == NULL ? NULL : config->settings_file, words);
    struct policy *policy = NULL;

    if (source == NULL)
        say(ctx, words);
    else
        policy = policy_of_source(source, config, say, ctx);
    source_drop(source);
    return policy;
}

struct policy *policy_of_text(const char *label, struct slice text, policy_say_fn *say, void *ctx)
{
    struct source *source = source_of_text(label, text);
    struct policy *policy = policy_of_source(source, NULL, say, ctx);

    source_drop(source);
    return policy;
}

void policy_stop(struct policy *policy)
{
    vm_free(policy->vm);
    policy->vm = NULL;
    host_fini(&policy->host);
}

void policy_free(struct policy *policy)
{
    if (policy == NULL)
        return;
    policy_stop(policy);
    rules_free(policy->rules);
    arena_fini(&policy->arena);
    source_drop(policy->source);
    mem_free(policy);
}

const struct rules *policy_rules(const struct policy *policy)
{
    return policy->rules;
}

void policy_configure(const struct policy_use *use, struct realm_options *realm)
{
    reload_core_options(use->policy, &realm->core);
    realm->core.asks_join = true;
    realm->decider = &policy_decider;
    realm->decider_ctx = (void *)(uintptr_t)use; /* it is only read */
}

bool policy_offers(const struct policy *policy, const char *method)
{
    for (size_t i = 0; i < policy->method_count; i++) {
        if (slice_eq(policy->methods[i].key, slice_of(method)))
            return true;
    }
    return false;
}

const char *policy_version(const struct policy *policy)
{
    return source_version(policy->source);
}
