/* console.c -- see console.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/console.h"

#include "base/mem.h"
#include "policy/eval.h"

#include <lauxlib.h>

#include <stdio.h>

#define NS_PER_S  UINT64_C(1000000000)
#define LINE_CPU  (2 * NS_PER_S)
#define LINE_WALL (30 * NS_PER_S)

static const char globals_key = 0;

struct console {
    struct policy *policy; /* owned */
};

/* One text. */
struct line {
    const struct console *console;
    struct slice text;
    struct writer *out;
    bool is_incomplete;
    char caught[400]; /* an error object as text */
};

static void l_push_globals(lua_State *lua, const struct console *console)
{
    if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &globals_key) != LUA_TNIL)
        return;
    lua_pop(lua, 1);
    l_eval_push_globals(lua);
    gate_tester()->l_push(lua, console->policy);
    lua_setfield(lua, -2, "t");
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &globals_key);
}

static void push(lua_State *lua, void *ctx)
{
    struct line *line = ctx;

    l_push_globals(lua, line->console);
    l_eval_compile(lua, -1, line->text, &line->is_incomplete);
    lua_remove(lua, -2);
}

static void show(lua_State *lua, int count, struct writer *out)
{
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &globals_key);
    if (lua_istable(lua, -1))
        l_eval_show(lua, -1, 1, count, out);
    lua_pop(lua, 1);
}

static void take(lua_State *lua, int count, void *ctx)
{
    struct line *line = ctx;

    show(lua, count, line->out);
}

/* What it printed before it failed, and the words of an error that is an object. */
static void see_error(lua_State *lua, int count, void *ctx)
{
    struct line *line = ctx;

    if (count != 0 && luaL_getmetafield(lua, 1, "__tostring") != LUA_TNIL)
        snprintf(line->caught, sizeof(line->caught), "%s", luaL_tolstring(lua, 1, NULL));
    show(lua, 0, line->out);
}

enum console_outcome console_run(struct console *console, struct slice text, struct writer *out)
{
    struct line line = {.console = console, .text = text, .out = out};
    struct door_call call = {.push = push,
                             .take = take,
                             .caught = see_error,
                             .ctx = &line,
                             .no_wait = "nothing waits at the prompt; its router has a clock: "
                                        "t:advance(seconds)",
                             .budget = {.cpu_ns = LINE_CPU, .wall_ns = LINE_WALL}};
    struct door_answer answer;
    const char *words;

    door_enter(console->policy->vm, &call, &answer);
    if (answer.outcome == DOOR_RETURNED)
        return CONSOLE_DONE;
    if (line.is_incomplete)
        return CONSOLE_MORE;
    words = *line.caught == '\0' ? answer.message : line.caught;
    writer_write(out, words, strlen(words));
    writer_put(out, '\n');
    return CONSOLE_FAILED;
}

struct console *console_open(const char *path, policy_say_fn *say, void *ctx)
{
    char words[SOURCE_WORDS_LEN];
    struct source *source = source_read(path, words);
    struct console *console;
    struct policy *policy;

    if (source == NULL || !source_compiles(source, words)) {
        say(ctx, words);
        source_drop(source);
        return NULL;
    }
    policy = policy_instance(source, NULL, NULL, NULL, say, ctx);
    source_drop(source);
    if (policy == NULL)
        return NULL;
    if (!gate_tester()->prepare(policy->vm)) {
        say(ctx, "there is not enough memory for a router");
        policy_free(policy);
        return NULL;
    }
    policy->host.is_loading = true;
    policy->host.refusal = "nothing acts at the prompt but in t";
    console = mem_zero(1, sizeof(*console));
    console->policy = policy;
    return console;
}

void console_close(struct console *console)
{
    policy_free(console->policy);
    mem_free(console);
}
