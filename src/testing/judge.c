/* judge.c -- what a session may do: what the rules say, and what policy.authorize would.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "base/writer.h"
#include "core/look.h"
#include "policy/explain.h"
#include "script/values.h"
#include "testing/stage.h"
#include "wire/errors.h"

#include <lauxlib.h>

#include <stdio.h>

#define MAX_PROBE_MS 60000 /* longer than any hook may take */

struct inquiry {
    struct realm_probe probe;
    struct msg msg;
    struct arena arena;
    struct blob *bytes;
    bool is_allowed;
    char words[300];
};

static void on_answer(struct realm_probe *probe, const struct decision *decision)
{
    struct inquiry *inquiry = container_of(probe, struct inquiry, probe);

    inquiry->is_allowed = decision->verdict == VERDICT_ALLOW;
    snprintf(inquiry->words, sizeof(inquiry->words), "%s%s%s",
             decision->reason == NULL ? WAMP_NOT_AUTHORIZED : decision->reason,
             decision->words == NULL ? "" : ": ", decision->words == NULL ? "" : decision->words);
}

static enum rule_action check_action(lua_State *lua, int index)
{
    static const char *const names[] = {"call", "register", "publish", "subscribe", NULL};

    return (enum rule_action)luaL_checkoption(lua, index, NULL, names);
}

static enum match check_match(lua_State *lua, int index)
{
    static const char *const names[] = {"exact", "prefix", "wildcard", NULL};
    static const enum match matches[] = {MATCH_EXACT, MATCH_PREFIX, MATCH_WILDCARD};

    return matches[luaL_checkoption(lua, index, "exact", names)];
}

/* Arguments of the functions here: stage, session, action, uri, match, and then a message. */
static enum rule_effect l_explain_rules(lua_State *lua, struct stage *stage,
                                        struct rules_explanation *explanation)
{
    struct slice uri;

    uri.data = luaL_checklstring(lua, 4, &uri.len);
    if (!core_explain(realm_core(stage->realm), (uint64_t)luaL_checkinteger(lua, 2),
                      check_action(lua, 3), check_match(lua, 5), uri, explanation))
        luaL_argerror(lua, 2, "there is no such session");
    return explanation->verdict.effect;
}

/* The message at index 6, as the session would send it. */
static void l_read_message(lua_State *lua, struct inquiry *inquiry)
{
    const struct msg_limits limits = {.raw_payload = true};
    struct fault fault;

    (void)l_values_begin(lua, CODEC_MSGPACK);
    l_values_put(lua, 6, VALUES_LIST, "message");
    inquiry->bytes = l_values_end(lua);
    if (msg_decode(&inquiry->msg, CODEC_MSGPACK, blob_slice(inquiry->bytes), &limits,
                   &inquiry->arena, &fault) != 0)
        luaL_error(lua, "%s", fault.words);
}

/* Runs the router until there is an answer, moving its clock when it must. */
static bool await(struct stage *stage, const struct realm_probe *probe)
{
    uint64_t end = router_now(stage->router) + MAX_PROBE_MS;

    if (!router_turn(stage->router, stage->patience_ms))
        return false;
    while (!probe->is_answered && router_next(stage->router) <= end) {
        uint64_t now = router_now(stage->router), next = router_next(stage->router);

        if (!router_advance(stage->router, next > now ? next - now : 0, stage->patience_ms))
            return false;
    }
    return probe->is_answered;
}

static int l_inquire(lua_State *lua)
{
    struct stage *stage = l_stage_check(lua, 1);
    struct inquiry *inquiry = lua_touserdata(lua, 7);
    struct look look;
    bool is_done;

    l_read_message(lua, inquiry);
    if (!core_look(realm_core(stage->realm), (uint64_t)lua_tointeger(lua, 2), &look))
        return luaL_argerror(lua, 2, "there is no such session");
    inquiry->probe.answer = on_answer;
    inquiry->probe.question = (struct question){.ask = ASK_AUTHORIZE,
                                                .peer = look.peer,
                                                .session = look.id,
                                                .msg = &inquiry->msg,
                                                .needs = NEEDS_AUTHORIZE,
                                                .action = check_action(lua, 3),
                                                .match = check_match(lua, 5)};
    stage->lua = lua;
    realm_probe_begin(stage->realm, &inquiry->probe);
    is_done = await(stage, &inquiry->probe);
    realm_probe_end(stage->realm, &inquiry->probe);
    stage->lua = NULL;
    if (!is_done)
        return luaL_error(lua, "policy.authorize does not answer");
    return 0;
}

/* Asks policy.authorize; fills in the inquiry, or raises. */
static void l_ask_policy(lua_State *lua, struct inquiry *inquiry)
{
    int status;

    *inquiry = (struct inquiry){.is_allowed = false};
    arena_init(&inquiry->arena);
    lua_pushcfunction(lua, l_inquire);
    for (int i = 1; i <= 6; i++)
        lua_pushvalue(lua, i);
    lua_pushlightuserdata(lua, inquiry);
    status = lua_pcall(lua, 7, 0, 0);
    arena_fini(&inquiry->arena);
    if (inquiry->bytes != NULL)
        blob_drop(inquiry->bytes);
    if (status != LUA_OK)
        lua_error(lua);
}

/* stage:allows(session, action, uri, match, message) -> allowed, words when it is not */
int l_judge_allows(lua_State *lua)
{
    struct stage *stage = l_stage_rest(lua, 1);
    struct rules_explanation explanation;
    enum rule_effect effect;
    struct inquiry inquiry;

    l_vm_guest(lua);
    lua_settop(lua, 6);
    effect = l_explain_rules(lua, stage, &explanation);
    if (effect == RULE_ASK) {
        l_ask_policy(lua, &inquiry);
        lua_pushboolean(lua, inquiry.is_allowed);
        lua_pushstring(lua, inquiry.is_allowed ? NULL : inquiry.words);
        return 2;
    }
    lua_pushboolean(lua, effect == RULE_ALLOW);
    lua_pushstring(lua, effect == RULE_ALLOW ? NULL : WAMP_NOT_AUTHORIZED);
    return 2;
}

/* stage:explain(session, action, uri, match, message) -> text */
int l_judge_explain(lua_State *lua)
{
    struct stage *stage = l_stage_rest(lua, 1);
    struct rules_explanation explanation;
    struct inquiry inquiry;
    struct writer w;

    l_vm_guest(lua);
    lua_settop(lua, 6);
    if (l_explain_rules(lua, stage, &explanation) == RULE_ASK)
        l_ask_policy(lua, &inquiry);
    writer_init(&w, 0);
    explain_write(&w, stage->policy, &explanation);
    lua_pushlstring(lua, writer_slice(&w).data, w.len);
    writer_fini(&w);
    if (explanation.verdict.effect == RULE_ASK) {
        lua_pushstring(lua, inquiry.is_allowed ? ": allowed" : ": denied  ");
        lua_pushstring(lua, inquiry.is_allowed ? "" : inquiry.words);
        lua_concat(lua, 3);
    }
    return 1;
}
