/* console.c -- see console.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/console.h"

#include "base/mem.h"
#include "policy/eval.h"
#include "policy/rehearsal.h"

#include <lauxlib.h>

#include <stdio.h>

#define NS_PER_S  UINT64_C(1000000000)
#define LINE_CPU  (2 * NS_PER_S)
#define LINE_WALL (30 * NS_PER_S)

static const char globals_key = 0;

struct console {
    struct policy *policy; /* owned */
    struct rehearsal rehearsal;
};

/* One text. */
struct line {
    struct fiber fiber;
    const struct console *console;
    enum console_outcome outcome;
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
    l_rehearsal_push(lua, &console->rehearsal);
    lua_setfield(lua, -2, "t");
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &globals_key);
}

static struct line *line_of(void *fiber)
{
    return container_of((struct fiber *)fiber, struct line, fiber);
}

static void push(lua_State *lua, void *ctx)
{
    struct line *line = line_of(ctx);

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
    struct line *line = line_of(ctx);

    show(lua, count, line->out);
}

/* What it printed before it failed, and the words of an error that is an object. */
static void see_error(lua_State *lua, int count, void *ctx)
{
    struct line *line = line_of(ctx);

    if (count != 0 && luaL_getmetafield(lua, 1, "__tostring") != LUA_TNIL)
        snprintf(line->caught, sizeof(line->caught), "%s", luaL_tolstring(lua, 1, NULL));
    show(lua, 0, line->out);
}

static void end(struct fiber *fiber, enum fiber_end how, const struct door_answer *answer)
{
    struct line *line = line_of(fiber);
    const char *words;

    line->outcome = how == FIBER_RETURNED ? CONSOLE_DONE
                    : line->is_incomplete ? CONSOLE_MORE
                                          : CONSOLE_FAILED;
    if (line->outcome != CONSOLE_FAILED)
        return;
    words = *line->caught == '\0' ? answer->message : line->caught;
    writer_write(line->out, words, strlen(words));
    writer_put(line->out, '\n');
}

static const struct fiber_kind typed = {"prompt", BUDGET_TASK, push, take, see_error, end, true};

enum console_outcome console_run(struct console *console, struct slice text, struct writer *out)
{
    struct line line = {.console = console, .text = text, .out = out};

    rehearsal_run(&console->rehearsal, &line.fiber, &typed, LINE_WALL);
    return line.outcome;
}

struct console *console_open(const char *path, policy_say_fn *say, void *ctx)
{
    char words[SOURCE_WORDS_LEN];
    struct source *source = source_read(path, words);
    struct console *console = mem_zero(1, sizeof(*console));
    bool is_ready = false;

    if (source == NULL || !source_compiles(source, words))
        say(ctx, words);
    else
        console->policy = policy_instance(source, NULL, NULL, NULL, say, ctx);
    source_drop(source);
    if (console->policy != NULL)
        is_ready = rehearsal_open(&console->rehearsal, console->policy, LINE_CPU, say, ctx);
    if (is_ready)
        return console;
    policy_free(console->policy);
    mem_free(console);
    return NULL;
}

void console_close(struct console *console)
{
    rehearsal_close(&console->rehearsal);
    policy_free(console->policy);
    mem_free(console);
}
