/* hearing.c -- what a hook is called with, and what it may say. See mind.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "policy/filters.h"
#include "policy/mind.h"
#include "policy/module.h"
#include "policy/objects.h"
#include "policy/rulings.h"
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

static void push_login(lua_State *lua, struct hearing *hearing)
{
    const struct msg *msg = hearing->question->msg;

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

static void push(lua_State *lua, void *ctx)
{
    struct hearing *hearing = hearing_of(ctx);

    l_policy_push_hook(lua, hearing->hook);
    switch (hearing->subject) {
    case SUBJECT_REQUEST:
        l_views_push_request(lua, hearing);
        break;
    case SUBJECT_INTERCEPT:
        l_views_push_message(lua, hearing);
        break;
    case SUBJECT_FILTER:
        l_views_push_event(lua, hearing);
        break;
    case SUBJECT_ADMIT:
        l_views_push_admitted(lua, hearing);
        break;
    case SUBJECT_LOOKUP:
    case SUBJECT_CHALLENGE:
    case SUBJECT_VERIFY:
        push_login(lua, hearing);
        break;
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
    host_mask(&hearing->fiber.version->policy->host,
              copy); /* the client and the audit log get it */
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

static struct slice keep_slice(struct hearing *hearing, struct slice from)
{
    return from.data == NULL ? from : arena_copy(&hearing->arena, from);
}

/* What a hook has put in the place of the client's; over what a hook before has. */
static void take_changes(struct hearing *hearing, const struct grant *changes)
{
    struct grant *grant = &hearing->grant;

    grant->codec = CODEC_MSGPACK;
    if (changes->uri.data != NULL)
        grant->uri = keep_slice(hearing, changes->uri);
    if (changes->args.data != NULL)
        grant->args = keep_slice(hearing, changes->args);
    if (changes->kwargs.data != NULL)
        grant->kwargs = keep_slice(hearing, changes->kwargs);
    if (changes->options.data != NULL)
        grant->options = keep_slice(hearing, changes->options);
}

static void take_ruling(struct hearing *hearing, const struct ruling *ruling)
{
    const struct grant *from = &ruling->grant;

    hearing->said = ruling->is_allowed ? SAID_YES : SAID_NO;
    if (ruling->has_keep)
        hearing->keep_ms = ruling->keep_ms;
    if (!ruling->is_allowed) {
        hearing->uri = keep_words(hearing, slice_of(ruling->uri == NULL ? "" : ruling->uri));
        hearing->words = keep_words(hearing, slice_of(ruling->words == NULL ? "" : ruling->words));
        hearing->closes = ruling->closes;
        if (ruling->kwargs != NULL)
            hearing->deny_kwargs = keep_slice(hearing, blob_slice(ruling->kwargs));
        return;
    }
    hearing->grant = *from;
    hearing->grant.audience = NULL;
    hearing->grant.uri = hearing->grant.args = hearing->grant.kwargs = hearing->grant.options =
        (struct slice){0};
    take_changes(hearing, from);
    if (from->audience != NULL)
        hearing->grant.audience = hearing->allowed = audience_hold(from->audience);
}

static void take_boolean(lua_State *lua, struct hearing *hearing)
{
    struct slice words = {0};

    hearing->said = lua_toboolean(lua, 1) ? SAID_YES : SAID_NO;
    if (hearing->said == SAID_NO && lua_type(lua, 2) == LUA_TSTRING) {
        words.data = lua_tolstring(lua, 2, &words.len);
        if (!object_is_said(words))
            luaL_error(lua,
                       "policy.%s returned false, and octets that are no text; allowed: "
                       "UTF-8 without U+0000",
                       hearing->fiber.kind->hook);
        hearing->words = keep_words(hearing, words);
    }
}

/* A table of changed fields. */
static void take_rewrite(lua_State *lua, struct hearing *hearing)
{
    static const char *const known[] = {"uri", "args", "kwargs", "options", NULL};
    struct ruling *ruling;

    l_module_check_keys(lua, 1, hearing->fiber.kind->hook, known);
    ruling = l_rulings_new(lua); /* holds what was encoded when a later part raises */
    l_rulings_changes(lua, "policy.intercept", 1, &ruling->grant, ruling->parts);
    take_changes(hearing, &ruling->grant);
    hearing->said = SAID_YES;
}

static int returned_wrong(lua_State *lua, const struct hearing *hearing)
{
    static const char *const allowed[] = {
        [SUBJECT_REQUEST] = "true, false, nexus.allow{}, nexus.deny{}",
        [SUBJECT_INTERCEPT] = "nil, a table of changed fields, nexus.deny{}",
        [SUBJECT_FILTER] = "nil, true, false, a filter, a function",
        [SUBJECT_LOOKUP] = "a record, nil, nexus.deny{}",
        [SUBJECT_CHALLENGE] = "a table, nil, nexus.deny{}",
        [SUBJECT_VERIFY] = "a record, nil, nexus.deny{}",
        [SUBJECT_ADMIT] = "true, false, nexus.deny{}",
    };
    bool is_ruling = rulings_at(lua, 1) != NULL;

    return luaL_error(lua, "policy.%s returned %s%s; allowed: %s", hearing->fiber.kind->hook,
                      is_ruling ? "nexus.allow" : "a ", is_ruling ? "" : luaL_typename(lua, 1),
                      allowed[hearing->subject]);
}

static void take_filter(lua_State *lua, struct hearing *hearing)
{
    const struct audience *audience = filters_at(lua, 1);

    hearing->said = SAID_YES;
    if (audience != NULL)
        hearing->filtered = audience_hold(audience);
    else if (lua_isfunction(lua, 1))
        hearing->filtered = l_filters_judge(lua, 1, hearing);
    else if (!lua_isboolean(lua, 1))
        returned_wrong(lua, hearing);
    else if (!lua_toboolean(lua, 1))
        hearing->filtered = audience_nobody();
}

static void take(lua_State *lua, int count, void *ctx)
{
    struct hearing *hearing = hearing_of(ctx);
    enum subject subject = hearing->subject;
    bool is_judged = subject == SUBJECT_REQUEST || subject == SUBJECT_ADMIT;
    const struct ruling *ruling = count == 0 ? NULL : rulings_at(lua, 1);

    hearing->said = SAID_NOTHING;
    if (count == 0 || lua_isnil(lua, 1) || hearing->question == NULL)
        return; /* without a question: its session ended while the hook ran */
    if (ruling != NULL && subject != SUBJECT_FILTER &&
        (!ruling->is_allowed || subject == SUBJECT_REQUEST))
        take_ruling(hearing, ruling);
    else if (subject == SUBJECT_FILTER)
        take_filter(lua, hearing);
    else if (subject == SUBJECT_INTERCEPT && lua_istable(lua, 1))
        take_rewrite(lua, hearing);
    else if (is_judged && lua_isboolean(lua, 1))
        take_boolean(lua, hearing);
    else if (!is_judged && subject != SUBJECT_INTERCEPT && lua_istable(lua, 1))
        take_dict(lua, hearing);
    else if (is_judged || subject == SUBJECT_INTERCEPT || !lua_isboolean(lua, 1) ||
             lua_toboolean(lua, 1))
        returned_wrong(lua, hearing);
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
    reads_init(&hearing->reads);
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
    audience_drop(hearing->allowed);
    audience_drop(hearing->filtered);
    hearing->allowed = hearing->filtered = NULL;
    arena_reset(&hearing->arena);
    list_prepend(&hearing->mind->idle, &hearing->link);
}

void hearings_free(struct mind *mind)
{
    list_each (&mind->hearings, node, after) {
        struct hearing *hearing = container_of(node, struct hearing, of_mind);

        wipe(hearing);
        arena_fini(&hearing->arena);
        reads_fini(&hearing->reads);
        audience_drop(hearing->allowed);
        audience_drop(hearing->filtered);
        list_remove(node);
        mem_free(hearing);
    }
}

/* What policy.authorize has read, for the core; in the arena, since others may read after it. */
static void keep_reads(struct hearing *hearing)
{
    const struct reads *reads = &hearing->reads;
    struct slice *names;

    hearing->names = NULL;
    if (hearing->keep_ms == 0 || reads->is_unkept)
        return;
    names = arena_alloc(&hearing->arena, (reads->count + 1) * sizeof(*names));
    for (size_t i = 0; i < reads->count; i++)
        names[i] = arena_copy(&hearing->arena, reads->looks[i].attribute);
    hearing->names = names;
    hearing->name_count = reads->count;
}

static void decide(struct hearing *hearing, bool is_sound)
{
    struct decision decision = {.question = hearing->question->id, .verdict = VERDICT_DENY};

    decision.codec = CODEC_MSGPACK;
    if (!is_sound) {
        decision.reason = WAMP_AUTHORIZATION_FAILED;
    } else if (hearing->said == SAID_YES) {
        decision.verdict = VERDICT_ALLOW;
        decision.grant = hearing->grant;
        decision.audience = hearing->filtered;
    } else {
        decision.reason = hearing->uri;
        decision.words = hearing->words;
        decision.kwargs = hearing->deny_kwargs;
        decision.closes = hearing->closes;
    }
    if (is_sound && hearing->names != NULL &&
        (decision.verdict == VERDICT_ALLOW || hearing->subject == SUBJECT_REQUEST)) {
        decision.keep_ms = hearing->keep_ms;
        decision.reads = hearing->names;
        decision.read_count = hearing->name_count;
    }
    realm_decide(hearing->mind->realm, &decision);
}

/* ---- one function after the other ---- */

static const struct fiber_kind kinds[SUBJECT_ADMIT + 1];

static size_t intercept_hook(const struct question *question)
{
    if (question->ask == ASK_ANSWER)
        return question->msg->type == MSG_YIELD ? HOOK_INTERCEPT_RESULT : HOOK_INTERCEPT_ERROR;
    return question->action == RULE_CALL ? HOOK_INTERCEPT_CALL : HOOK_INTERCEPT_PUBLISH;
}

/* Puts the question to the next function that has a say. */
static void ask_next(struct hearing *hearing, struct version *version)
{
    if ((hearing->needs & NEEDS_AUTHORIZE) != 0) {
        hearing->needs &= ~(unsigned)NEEDS_AUTHORIZE;
        hearing->subject = SUBJECT_REQUEST;
        hearing->hook = HOOK_AUTHORIZE;
    } else if ((hearing->needs & NEEDS_INTERCEPT) != 0) {
        hearing->needs &= ~(unsigned)NEEDS_INTERCEPT;
        hearing->subject = SUBJECT_INTERCEPT;
        hearing->hook = intercept_hook(hearing->question);
    } else {
        hearing->needs &= ~(unsigned)NEEDS_FILTER;
        hearing->subject = SUBJECT_FILTER;
        hearing->hook = HOOK_FILTER;
    }
    hearing->fiber.parent = NULL;
    hearing->fiber.reads = hearing->subject == SUBJECT_INTERCEPT ? NULL : &hearing->reads;
    reads_reset(&hearing->reads, hearing->question->session);
    fiber_start(&hearing->fiber, version, &kinds[hearing->subject], 0);
}

/* An answer that lets it pass; nothing said is one, but for policy.authorize. */
static bool is_passed(struct hearing *hearing)
{
    if (hearing->said == SAID_NOTHING && hearing->subject != SUBJECT_REQUEST)
        hearing->said = SAID_YES;
    return hearing->said == SAID_YES;
}

static void end(struct fiber *fiber, enum fiber_end how, const struct door_answer *answer)
{
    struct hearing *hearing = hearing_of(fiber);
    struct mind *mind = hearing->mind;
    bool is_sound = how == FIBER_RETURNED;

    (void)answer;
    if (hearing->question == NULL || mind->is_stopped) {
        hearing_give(hearing); /* nobody hears it any more */
        return;
    }
    if (hearing->subject == SUBJECT_REQUEST && is_sound)
        keep_reads(hearing);
    if (hearing->subject == SUBJECT_REQUEST && is_sound && hearing->said == SAID_NOTHING)
        counts_error(&mind->counts, fiber->kind->hook, "undecided");
    if (hearing->login == NULL && is_sound && is_passed(hearing) && hearing->needs != 0 &&
        mind->current != NULL) {
        ask_next(hearing, mind->current);
        return;
    }
    map_remove(&mind->hearing_questions, hearing->question->id, 0);
    if (hearing->login == NULL)
        decide(hearing, is_sound);
    else
        login_heard(hearing->login, hearing, is_sound);
    hearing_give(hearing);
}

#define KIND(name, which)                         \
    {                                             \
        name, which, push, take, NULL, end, false \
    }

static const struct fiber_kind kinds[SUBJECT_ADMIT + 1] = {
    [SUBJECT_REQUEST] = KIND("authorize", BUDGET_AUTHORIZE),
    [SUBJECT_INTERCEPT] = KIND("intercept", BUDGET_INTERCEPT),
    [SUBJECT_FILTER] = KIND("filter", BUDGET_FILTER),
    [SUBJECT_LOOKUP] = KIND("authenticate", BUDGET_AUTHENTICATE),
    [SUBJECT_CHALLENGE] = KIND("authenticate", BUDGET_AUTHENTICATE),
    [SUBJECT_VERIFY] = KIND("authenticate", BUDGET_AUTHENTICATE),
    [SUBJECT_ADMIT] = KIND("admit", BUDGET_ADMIT),
};

static struct hearing *hearing_begin(struct mind *mind, const struct question *question)
{
    struct hearing *hearing = hearing_take(mind);

    hearing->question = question;
    hearing->login = NULL;
    hearing->said = SAID_NOTHING;
    hearing->grant = (struct grant){0};
    hearing->deny_kwargs = (struct slice){0};
    hearing->closes = false;
    hearing->keep_ms = 0;
    hearing->names = NULL;
    hearing->needs = 0;
    hearing->fiber.parent = NULL;
    hearing->fiber.reads = NULL;
    hearing->fiber.session = question->session;
    map_put(&mind->hearing_questions, question->id, 0, hearing);
    return hearing;
}

void mind_hear(struct mind *mind, struct version *version, enum subject subject, size_t hook,
               const struct question *question, struct login *login)
{
    struct hearing *hearing = hearing_begin(mind, question);

    hearing->subject = subject;
    hearing->hook = hook;
    hearing->login = login;
    fiber_start(&hearing->fiber, version, &kinds[subject], 0);
}

static unsigned needs_of(const struct question *question)
{
    switch (question->ask) {
    case ASK_AUTHORIZE:
        return question->needs;
    case ASK_ANSWER:
        return NEEDS_INTERCEPT;
    case ASK_RETAINED:
        return NEEDS_FILTER;
    case ASK_RECHECK:
    case ASK_JOIN:
    case ASK_AUTHENTICATE:
        break;
    }
    return NEEDS_AUTHORIZE;
}

/* What the policy that runs now has functions for: another one may have been asked before. */
static unsigned needs_here(const struct policy *policy, const struct question *question)
{
    unsigned needs = needs_of(question);

    if (!policy->intercepts[intercept_hook(question) - HOOK_INTERCEPT_PUBLISH])
        needs &= ~(unsigned)NEEDS_INTERCEPT;
    if (!policy->has_filter)
        needs &= ~(unsigned)NEEDS_FILTER;
    return needs;
}

void mind_judge(struct mind *mind, const struct question *question)
{
    const struct policy *policy = mind->current->policy;
    struct hearing *hearing = hearing_begin(mind, question);

    hearing->needs = needs_here(policy, question);
    hearing->keep_ms = policy->keep_ms;
    if (hearing->needs != 0) {
        ask_next(hearing, mind->current);
        return;
    }
    hearing->said = SAID_YES;
    map_remove(&mind->hearing_questions, question->id, 0);
    decide(hearing, true);
    hearing_give(hearing);
}

void mind_dismiss(struct hearing *hearing)
{
    hearing->question = NULL;
    hearing->login = NULL;
    hearing->generation++;
    fiber_cancel(&hearing->fiber, over_words);
}
