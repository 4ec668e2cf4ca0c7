/* script_bench.c -- nanoseconds per entry into Lua, and per value that crosses over.
 *
 * Prints the best of many short rounds, so that other load on the machine shows little.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/door.h"
#include "script/values.h"

#include <lauxlib.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 300
#define STEPS  2000

static const char policy[] =
    "local wait = require('bench').wait\n"
    "return { empty = function() end,\n"
    "  role = function(s, uri, o) return s.role == 'admin' or o.x == uri end,\n"
    "  loop = function() for i = 1, 1000 do end end,\n"
    "  loops = function() local n = 0 for i = 1, 1000 do n = n + i * 2 end return n end,\n"
    "  pcalls = function() for i = 1, 20 do pcall(rawlen, '') end end,\n"
    "  wait = function() wait() end }";

static struct vm *vm;
static const char *name; /* of the function that is entered */
static struct slice payload;
static enum codec codec;
static char value_text[] = "[\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab\"]";

static int l_wait(lua_State *lua)
{
    return door_wait(lua, (struct door_wait){.kind = 1});
}

static int l_open_bench(lua_State *lua)
{
    lua_newtable(lua);
    lua_pushcfunction(lua, l_wait);
    lua_setfield(lua, -2, "wait");
    return 1;
}

static void push_policy(lua_State *lua, void *ctx)
{
    (void)ctx;
    if (!vm_load(lua, slice_of(policy), "bench.lua"))
        lua_error(lua);
}

static void take_policy(lua_State *lua, int count, void *ctx)
{
    (void)count;
    (void)ctx;
    lua_pushnil(lua);
    while (lua_next(lua, 1) != 0)
        lua_setfield(lua, LUA_REGISTRYINDEX, lua_tostring(lua, -2));
    lua_createtable(lua, 0, 1);
    lua_pushliteral(lua, "user");
    lua_setfield(lua, -2, "role");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &vm);
}

static int l_choose(lua_State *lua)
{
    lua_getfield(lua, LUA_REGISTRYINDEX, name);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &name);
    return 0;
}

static void push_call(lua_State *lua, void *ctx)
{
    (void)ctx;
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &name);
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &vm);
    lua_pushliteral(lua, "com.example.topic");
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &vm);
}

static void take_answer(lua_State *lua, int count, void *ctx)
{
    *(bool *)ctx = count > 0 && lua_toboolean(lua, 1);
}

static void die(const char *words)
{
    fprintf(stderr, "script_bench: %s\n", words);
    exit(EXIT_FAILURE);
}

static void enter(void)
{
    static bool answer_is;
    struct door_call call = {.push = push_call,
                             .take = take_answer,
                             .ctx = &answer_is,
                             .budget = {.stretch_ns = 20000000,
                                        .cpu_ns = 100000000,
                                        .growth = (size_t)16 * 1024 * 1024}};
    struct door_answer answer;

    door_enter(vm, &call, &answer);
    if (answer.run != NULL)
        door_resume(answer.run, NULL, NULL, &answer);
    if (answer.outcome != DOOR_RETURNED)
        die(answer.message);
}

static int l_read(lua_State *lua)
{
    for (int i = 0; i < STEPS; i++) {
        l_values_push(lua, codec, payload, "args");
        lua_pop(lua, 1);
    }
    return 0;
}

static int l_write(lua_State *lua)
{
    l_values_push(lua, codec, payload, "args");
    for (int i = 0; i < STEPS; i++) {
        l_values_begin(lua, codec);
        l_values_put(lua, -1, VALUES_LIST, "args");
        blob_drop(l_values_end(lua));
    }
    return 0;
}

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void enter_many(void)
{
    for (int i = 0; i < STEPS; i++)
        enter();
}

static void read_many(void)
{
    if (vm_try(vm, l_read, NULL, NULL, 0) != 0)
        die("cannot read");
}

static void write_many(void)
{
    if (vm_try(vm, l_write, NULL, NULL, 0) != 0)
        die("cannot write");
}

static void measure(const char *what, const char *of, void (*run)(void))
{
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        double began = now_ns();

        run();
        if (now_ns() - began < best)
            best = now_ns() - began;
    }
    printf("%-8s %-10s %8.1f ns\n", what, of, best / STEPS);
}

int main(void)
{
    static const char *const functions[] = {"empty", "role", "loop", "loops", "pcalls", "wait"};
    struct door_call load = {.push = push_policy, .take = take_policy};
    struct door_answer answer;

    vm = vm_new(&(struct vm_options){.memory = 0});
    if (vm == NULL || vm_provide(vm, "bench", l_open_bench) != 0)
        die("no memory");
    door_enter(vm, &load, &answer);
    if (answer.outcome != DOOR_RETURNED)
        die(answer.message);
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        name = functions[i];
        if (vm_try(vm, l_choose, NULL, NULL, 0) != 0)
            die("no memory");
        measure("enter", name, enter_many);
    }
    for (codec = 0; codec < CODEC_COUNT; codec++) {
        struct blob *blob = transcode(CODEC_JSON, slice_of(value_text), codec);

        payload = blob_slice(blob);
        measure("read", codec_name(codec), read_many);
        measure("write", codec_name(codec), write_many);
        blob_drop(blob);
    }
    vm_free(vm);
    return EXIT_SUCCESS;
}
