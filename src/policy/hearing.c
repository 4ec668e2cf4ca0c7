/* hearing.c -- what a hook is called with, and what it may say. See mind.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/mind.h"
#include "policy/module.h"
#include "script/values.h"

#include <lauxlib.h>

#define NS_PER_MS UINT64_C(1000000)
#define GROWTH    ((size_t)16 * 1024 * 1024)

/* ---- what is asked ---- */

struct door_budget hearing_budget(enum subject subject)
{
    bool is_request = subject == SUBJECT_REQUEST;

    return (struct door_budget){.stretch_ns = 20 * NS_PER_MS,
                                .cpu_ns = (is_request ? 20 : 100) * NS_PER_MS,
                                .wall_ns = (is_request ? 5000 : 10000) * NS_PER_MS,
                                .slice_ns = 2 * NS_PER_MS,
                                .growth = GROWTH};
}

const char *hearing_hook(const struct hearing *hearing)
{
    switch (hearing->subject) {
    case SUBJECT_REQUEST:
        return "authorize";
    case SUBJECT_ADMIT:
        return "admit";
    case SUBJECT_LOOKUP:
    case SUBJECT_CHALLENGE:
    case SUBJECT_VERIFY:
        break;
    }
    return "authenticate";
}

static void push_text_value(lua_State *lua, struct slice text)
{
    lua_pushlstring(lua, text.len == 0 ? "" : text.data, text.len);
}

void hearing_push(lua_State *lua, void *ctx)
{
    struct hearing *hearing = ctx;
    const struct msg *msg = hearing->question->msg;

    l_policy_push_hook(lua, hearing->hook);
    if (hearing->subject == SUBJECT_REQUEST) {
        l_views_push_request(lua, hearing);
    } else if (hearing->subject == SUBJECT_ADMIT) {
        l_views_push_session(lua, hearing);
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

void hearing_hear(lua_State *lua, int count, void *ctx)
{
    struct hearing *hearing = ctx;
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
        luaL_error(lua, "policy.%s returned %s%s; allowed: %s", hearing_hook(hearing),
                   ruling != NULL ? "nexus.allow" : "a ",
                   ruling != NULL ? "" : luaL_typename(lua, 1), allowed_words(hearing->subject));
}
