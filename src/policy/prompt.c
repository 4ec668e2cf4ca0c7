/* prompt.c -- see prompt.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/prompt.h"

#include "base/audit.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/eval.h"
#include "policy/facts.h"
#include "wire/errors.h"

#include <lauxlib.h>

#include <stdio.h>

struct prompt {
    struct fiber fiber;
    struct mind *mind;
    const struct prompt_answer *answer;
    uint64_t invocation;
    char *text; /* owned */
    size_t len;
    bool is_incomplete, acts;
    struct writer out;
    char caught[400]; /* an error object as text */
};

static struct prompt *prompt_of(void *ctx)
{
    return container_of((struct fiber *)ctx, struct prompt, fiber);
}

/* ---- in Lua ---- */

/* The globals stay under the address of the prompt until it is over. */
static void push(lua_State *lua, void *ctx)
{
    struct prompt *prompt = prompt_of(ctx);

    l_eval_push_globals(lua);
    lua_pushvalue(lua, -1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, prompt);
    l_eval_compile(lua, -1, slice_make(prompt->text, prompt->len), &prompt->is_incomplete);
    lua_remove(lua, -2);
}

static void show(lua_State *lua, int count, struct prompt *prompt)
{
    if (lua_rawgetp(lua, LUA_REGISTRYINDEX, prompt) == LUA_TTABLE)
        l_eval_show(lua, -1, 1, count, &prompt->out);
    lua_pop(lua, 1);
}

static void take(lua_State *lua, int count, void *ctx)
{
    show(lua, count, prompt_of(ctx));
}

static void see_error(lua_State *lua, int count, void *ctx)
{
    struct prompt *prompt = prompt_of(ctx);

    if (count != 0 && luaL_getmetafield(lua, 1, "__tostring") != LUA_TNIL)
        snprintf(prompt->caught, sizeof(prompt->caught), "%s", luaL_tolstring(lua, 1, NULL));
    show(lua, 0, prompt);
}

/* ---- the fiber ---- */

static void prompt_free(struct prompt *prompt)
{
    writer_fini(&prompt->out);
    mem_free(prompt->text);
    mem_free(prompt);
}

static void put_line(struct writer *out, const char *text)
{
    writer_write(out, text, strlen(text));
    writer_put(out, '\n');
}

static void forget_globals(struct prompt *prompt)
{
    const struct version *version = prompt->mind->current;

    if (version == NULL || version->policy->vm == NULL)
        return;
    lua_pushnil(vm_lua(version->policy->vm));
    lua_rawsetp(vm_lua(version->policy->vm), LUA_REGISTRYINDEX, prompt);
}

static void end(struct fiber *fiber, enum fiber_end how, const struct door_answer *failure)
{
    struct prompt *prompt = prompt_of(fiber);
    const char *outcome = how == FIBER_RETURNED   ? "done"
                          : prompt->is_incomplete ? "more"
                                                  : "failed";

    if (how == FIBER_CANCELED)
        put_line(&prompt->out, "it was ended");
    else if (how == FIBER_FAILED && !prompt->is_incomplete)
        put_line(&prompt->out, *prompt->caught == '\0' ? failure->message : prompt->caught);
    if (!prompt->mind->is_stopped) {
        forget_globals(prompt);
        prompt->answer->done(prompt->mind, prompt->invocation, outcome, writer_slice(&prompt->out));
    }
    prompt_free(prompt);
}

static const struct fiber_kind reading = {"prompt", BUDGET_TASK, push, take, see_error, end, true};
static const struct fiber_kind acting = {"prompt", BUDGET_TASK, push, take, see_error, end, true};

const char *prompt_forbids(lua_State *lua)
{
    const struct fiber *fiber = fiber_of(lua);

    return fiber != NULL && fiber->kind == &reading ? "the prompt only reads; use --live" : NULL;
}

/* ---- asking ---- */

/* NULL, or what is wrong with the arguments: text, and whether it may act. */
static const char *read_arguments(struct prompt *prompt, const struct msg *msg, struct arena *arena)
{
    struct dict_walk item;

    if (msg->payload.kind != PAYLOAD_ARGS || msg->payload.args.len == 0)
        return "arguments are: a text, and whether it may act";
    list_walk(&item, msg->payload.codec, msg->payload.args, arena);
    if (!list_next(&item) || item.token.type != TOKEN_TEXT)
        return "the first argument must be a text of Lua";
    if (item.token.text.len > MAX_EVAL_LEN)
        return "the text is longer than 65536 octets";
    prompt->text = mem_copy(item.token.text.data, item.token.text.len);
    prompt->len = item.token.text.len;
    if (!list_next(&item))
        return NULL;
    if (item.token.type != TOKEN_BOOL)
        return "the second argument must be true or false: whether it may act";
    prompt->acts = item.token.boolean;
    return NULL;
}

/* What acts is written down, before it does. */
static void note(const struct prompt *prompt, uint64_t caller)
{
    struct audit_line line;
    char by[64];

    snprintf(by, sizeof(by), "session %llu", (unsigned long long)caller);
    log_line(LOG_WARN, "policy-prompt-acts", prompt->text, "realm", realm_name(prompt->mind->realm),
             "by", by, NULL);
    if (!audit_is_on())
        return;
    audit_begin(&line, "prompt");
    audit_text(&line, "realm", slice_of(realm_name(prompt->mind->realm)));
    audit_text(&line, "by", slice_of(by));
    audit_text(&line, "text", slice_make(prompt->text, prompt->len));
    audit_end(&line);
}

static bool is_operator(const struct mind *mind, uint64_t session)
{
    struct look look;

    return core_look(realm_core(mind->realm), session, &look) && look.is_operator;
}

void prompt_eval(struct mind *mind, const struct msg *msg, const struct prompt_answer *answer)
{
    uint64_t caller = facts_number(msg, SLICE("caller"));
    struct prompt *prompt;
    struct arena arena;
    const char *wrong;

    if (!is_operator(mind, caller)) {
        answer->refused(mind, msg->id, WAMP_NOT_AUTHORIZED,
                        "that is for those who come by admin_socket");
        return;
    }
    prompt = mem_zero(1, sizeof(*prompt));
    prompt->mind = mind;
    prompt->answer = answer;
    prompt->invocation = msg->id;
    writer_init(&prompt->out, 0);
    arena_init(&arena);
    wrong = mind->current == NULL ? "there is no policy that runs"
                                  : read_arguments(prompt, msg, &arena);
    arena_fini(&arena);
    if (wrong != NULL) {
        answer->refused(mind, msg->id, WAMP_INVALID_ARGUMENT, wrong);
        prompt_free(prompt);
        return;
    }
    if (prompt->acts)
        note(prompt, caller);
    fiber_start(&prompt->fiber, mind->current, prompt->acts ? &acting : &reading, 0);
}
