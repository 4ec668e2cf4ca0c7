/* hearing.c -- what a hook is called with, and what it may say. See mind.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "policy/mind.h"
#include "policy/module.h"
#include "script/values.h"
#include "wire/errors.h"

#include <lauxlib.h>

static const char over_words[] = "nobody waits for the answer any more";

/* ---- what is asked ---- */

static struct hearing *hearing_of(void *ctx)
{
    return container_of((struct fiber *)ctx, struct hearing, fiber);
}

static void push_text_value(lua_State *lua, struct slice text)
{
    lua_pushlstring(lua, text.len == 0 ? "" : text.data, text.len);
}

static void push(lua_State *lua, void *ctx)
{
    struct hearing *hearing = hearing_of(ctx);
    const struct msg *msg = hearing->question->msg;

    l_policy_push_hook(lua, hearing->hook);
    if (hearing->subject == SUBJECT_REQUEST) {
        l_views_push_request(lua, hearing);
    } else if (hearing->subject == SUBJECT_ADMIT) {
        l_views_push_admitted(lua, hearing);
    } else {
        l_views_push_hello(lua, hearing);
        if (hearing->subject != SUBJECT_VERIFY)
            return;
        push_text_value(lua, msg->text);
        if (msg->dict.len != 0) {
            l_values_push(lua, msg->codec, msg->dict, "extra");
        } else {
            lua_newtable(lua);
            l_values_mark(lua, VALUES_DICT);
        }
    }
}

/* ---- what is said ---- */

static const char *keep_words(struct hearing *hearing, struct slice text)
{
    char *copy;

    if (text.len == 0)
        return NULL;
    copy = arena_alloc(&hearing->arena, text.len + 1);
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}

static void take_dict(lua_State *lua, struct hearing *hearing)
{
    struct blob *blob;

    (void)l_values_begin(lua, CODEC_MSGPACK);
    l_values_put(lua, 1, VALUES_DICT, hearing->subject == SUBJECT_CHALLENGE ? "extra" : "record");
    blob = l_values_end(lua);
    hearing->dict = arena_copy(&hearing->arena, blob_slice(blob));
    explicit_bzero(blob->data, blob->len); /* there may be a secret in it */
    blob_drop(blob);
    hearing->said = SAID_DICT;
}

static void take_ruling(struct hearing *hearing, const struct ruling *ruling)
{
    hearing->said = ruling->is_allowed ? SAID_YES : SAID_NO;
    hearing->grant = ruling->grant;
    hearing->uri = keep_words(hearing, ruling->uri);
    hearing->words = keep_words(hearing, ruling->words);
}

static void take_boolean(lua_State *lua, struct hearing *hearing)
{
    struct slice words = {0};

    hearing->said = lua_toboolean(lua, 1) ? SAID_YES : SAID_NO;
    if (hearing->said == SAID_NO && lua_type(lua, 2) == LUA_TSTRING) {
        words.data = lua_tolstring(lua, 2, &words.len);
        hearing->words = keep_words(hearing, words);
    }
}

static const char *allowed_words(enum subject subject)
{
    switch (subject) {
    case SUBJECT_REQUEST:
        return "true, false, nexus.allow{}, nexus.deny{}";
    case SUBJECT_ADMIT:
        return "true, false, nexus.deny{}";
    case SUBJECT_CHALLENGE:
        return "a table, nil, nexus.deny{}";
    case SUBJECT_LOOKUP:
    case SUBJECT_VERIFY:
        break;
    }
    return "a record, nil, nexus.deny{}";
}

static void take(lua_State *lua, int count, void *ctx)
{
    struct hearing *hearing = hearing_of(ctx);
    bool is_judged = hearing->subject == SUBJECT_REQUEST || hearing->subject == SUBJECT_ADMIT;
    const struct ruling *ruling = count == 0 ? NULL : module_ruling(lua, 1);

    hearing->said = SAID_NOTHING;
    if (count == 0 || lua_isnil(lua, 1))
        return;
    if (ruling != NULL && (!ruling->is_allowed || hearing->subject == SUBJECT_REQUEST))
        take_ruling(hearing, ruling);
    else if (is_judged && lua_isboolean(lua, 1))
        take_boolean(lua, hearing);
    else if (!is_judged && lua_istable(lua, 1))
        take_dict(lua, hearing);
    else if (is_judged || !lua_isboolean(lua, 1) || lua_toboolean(lua, 1))
        luaL_error(lua, "policy.%s returned %s%s; allowed: %s", hearing->fiber.kind->hook,
                   ruling != NULL ? "nexus.allow" : "a ",
                   ruling != NULL ? "" : luaL_typename(lua, 1), allowed_words(hearing->subject));
}

/* ---- the life of a hearing ---- */

static struct hearing *hearing_take(struct mind *mind)
{
    struct list *node = list_first(&mind->idle);
    struct hearing *hearing;

    if (node != NULL) {
        list_remove(node);
        return container_of(node, struct hearing, link);
    }
    hearing = mem_zero(1, sizeof(*hearing));
    hearing->mind = mind;
    list_append(&mind->hearings, &hearing->of_mind);
    list_init(&hearing->link);
    arena_init(&hearing->arena);
    return hearing;
}

static void wipe(const struct hearing *hearing)
{
    if (hearing->dict.len != 0)
        explicit_bzero((void *)(uintptr_t)hearing->dict.data, hearing->dict.len);
}

/* Views point to it, so it stays as long as the mind. */
static void hearing_give(struct hearing *hearing)
{
    hearing->generation++;
    hearing->question = NULL;
    hearing->login = NULL;
    wipe(hearing);
    hearing->dict = (struct slice){0};
    hearing->uri = hearing->words = NULL;
    arena_reset(&hearing->arena);
    list_prepend(&hearing->mind->idle, &hearing->link);
}

void hearings_free(struct mind *mind)
{
    list_each (&mind->hearings, node, after) {
        struct hearing *hearing = container_of(node, struct hearing, of_mind);

        wipe(hearing);
        arena_fini(&hearing->arena);
        list_remove(node);
        mem_free(hearing);
    }
}

static void decide_request(struct hearing *hearing, bool is_sound)
{
    struct decision decision = {.question = hearing->question->id, .verdict = VERDICT_DENY};

    if (!is_sound) {
        decision.reason = WAMP_AUTHORIZATION_FAILED;
    } else if (hearing->said == SAID_YES) {
        decision.verdict = VERDICT_ALLOW;
        decision.grant = hearing->grant;
    } else {
        decision.reason = hearing->uri;
        decision.words = hearing->words;
    }
    realm_decide(hearing->mind->realm, &decision);
}

static void end(struct fiber *fiber, enum fiber_end how, const struct door_answer *answer)
{
    struct hearing *hearing = hearing_of(fiber);

    (void)answer;
    if (hearing->question != NULL) {
        map_remove(&hearing->mind->hearing_questions, hearing->question->id, 0);
        if (hearing->mind->is_stopped)
            ; /* nobody hears it any more */
        else if (hearing->subject == SUBJECT_REQUEST)
            decide_request(hearing, how == FIBER_RETURNED);
        else
            login_heard(hearing->login, hearing, how == FIBER_RETURNED);
    }
    hearing_give(hearing);
}

#define KIND(name, which)                         \
    {                                             \
        name, which, push, take, NULL, end, false \
    }

static const struct fiber_kind kinds[] = {
    [SUBJECT_REQUEST] = KIND("authorize", BUDGET_AUTHORIZE),
    [SUBJECT_LOOKUP] = KIND("authenticate", BUDGET_AUTHENTICATE),
    [SUBJECT_CHALLENGE] = KIND("authenticate", BUDGET_AUTHENTICATE),
    [SUBJECT_VERIFY] = KIND("authenticate", BUDGET_AUTHENTICATE),
    [SUBJECT_ADMIT] = KIND("admit", BUDGET_ADMIT),
};

void mind_hear(struct mind *mind, struct version *version, enum subject subject, size_t hook,
               const struct question *question, struct login *login)
{
    struct hearing *hearing = hearing_take(mind);

    hearing->subject = subject;
    hearing->hook = hook;
    hearing->question = question;
    hearing->login = login;
    hearing->said = SAID_NOTHING;
    hearing->grant = (struct grant){0};
    hearing->fiber.parent = NULL;
    map_put(&mind->hearing_questions, question->id, 0, hearing);
    fiber_start(&hearing->fiber, version, &kinds[subject], 0);
}

void mind_dismiss(struct hearing *hearing)
{
    hearing->question = NULL;
    hearing->login = NULL;
    hearing->generation++;
    fiber_cancel(&hearing->fiber, over_words);
}
