/* script_kit.h -- what the tests of the room `script` share: a state, and policies in one text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_SCRIPT_KIT_H
#define NEXUS_SPEC_SCRIPT_KIT_H

#include "base/mem.h"
#include "script/door.h"
#include "script/source.h"
#include "unit.h"

#include <lauxlib.h>

#include <time.h>

#if defined(__SANITIZE_ADDRESS__)
#    define KIT_SLOW 10
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define KIT_SLOW 10
#    endif
#endif
#ifndef KIT_SLOW
#    define KIT_SLOW 1
#endif

#define KIT_MS ((uint64_t)1000000)

struct kit {
    struct vm *vm;
    struct door_call call;
    struct door_answer answer;
    const char *code;
    char results[8000]; /* of the last run: each as tostring has it, tabs in between */
    char said[4000];    /* by print and warn */
    double ms;          /* CPU time of the last run */
};

static struct kit kit;

/* CPU time: other load on the machine makes nothing slow. */
static inline double kit_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static inline void kit_push_code(lua_State *lua, void *ctx)
{
    (void)ctx;
    if (!vm_load(lua, slice_of(kit.code), "policy.lua"))
        lua_error(lua);
}

static inline void kit_take(lua_State *lua, int count, void *ctx)
{
    size_t at = 0;

    (void)ctx;
    kit.results[0] = '\0';
    for (int i = 1; i <= count && at < sizeof(kit.results); i++) {
        at += (size_t)snprintf(kit.results + at, sizeof(kit.results) - at, "%s%s",
                               i == 1 ? "" : "\t", luaL_tolstring(lua, i, NULL));
        lua_pop(lua, 1);
    }
}

static inline void kit_say(lua_State *lua, enum vm_level level, struct slice text,
                           const char *where)
{
    size_t at = strlen(kit.said);

    (void)lua;
    snprintf(kit.said + at, sizeof(kit.said) - at, "%s %s: %.*s\n",
             level == VM_WARN ? "warn" : "info", where, SLICE_ARG(text));
}

/* The module "kept": one value that outlives entries. */
static inline int kit_l_set(lua_State *lua)
{
    lua_settop(lua, 1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &kit);
    return 0;
}

static inline int kit_l_get(lua_State *lua)
{
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &kit);
    return 1;
}

static inline int kit_l_open_kept(lua_State *lua)
{
    static const luaL_Reg functions[] = {{"set", kit_l_set}, {"get", kit_l_get}, {NULL, NULL}};

    lua_pushliteral(lua, "");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &kit);
    luaL_newlib(lua, functions);
    return 1;
}

static inline void kit_open_with(struct vm_options options)
{
    memset(&kit, 0, sizeof(kit));
    options.say = kit_say;
    kit.vm = vm_new(&options);
    kit.call = (struct door_call){
        .push = kit_push_code,
        .take = kit_take,
        .budget = {.stretch_ns = 50 * KIT_MS, .growth = (size_t)16 * 1024 * 1024},
    };
    EXPECT(kit.vm != NULL && vm_provide(kit.vm, "kept", kit_l_open_kept) == 0);
}

static inline void kit_open(void)
{
    kit_open_with((struct vm_options){.memory = 0});
}

static inline void kit_close(void)
{
    vm_free(kit.vm);
    kit.vm = NULL;
}

/* Runs a chunk; everything about it is in kit.answer and kit.results. */
static inline enum door_outcome kit_run(const char *code)
{
    double began = kit_now_ms();

    kit.code = code;
    kit.results[0] = '\0';
    door_enter(kit.vm, &kit.call, &kit.answer);
    kit.ms = kit_now_ms() - began;
    return kit.answer.outcome;
}

#define EXPECT_RESULT(code, expected)                                                     \
    do {                                                                                  \
        if (kit_run(code) != DOOR_RETURNED)                                               \
            UNIT_FAIL("%s\n  outcome %d: %s\n%s", code, (int)kit.answer.outcome,          \
                      kit.answer.message, kit.answer.trace);                              \
        else if (strcmp(kit.results, expected) != 0)                                      \
            UNIT_FAIL("%s\n  gave \"%s\", expected \"%s\"", code, kit.results, expected); \
    } while (0)

#define EXPECT_FAILS(code, words)                                                                \
    do {                                                                                         \
        if (kit_run(code) != DOOR_FAILED)                                                        \
            UNIT_FAIL("%s\n  did not fail: outcome %d \"%s\" %s", code, (int)kit.answer.outcome, \
                      kit.results, kit.answer.message);                                          \
        else if (strcmp(kit.answer.message, words) != 0)                                         \
            UNIT_FAIL("%s\n  said \"%s\", expected \"%s\"", code, kit.answer.message, words);    \
    } while (0)

#endif
