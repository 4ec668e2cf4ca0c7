/* check_handlers.c -- policy.procedures, policy.subscriptions, policy.tasks. See check.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/check.h"
#include "policy/facts.h"
#include "policy/handlers.h"
#include "policy/objects.h"
#include "wire/errors.h"

#include <lauxlib.h>

#include <stdarg.h>
#include <stdio.h>

#define MAX_TIMEOUT_S 86400.0

/* What is wrong with a key or an option; words. */
struct trouble {
    char words[400];
};

static bool wrong(struct trouble *trouble, const char *format, ...) PRINTF_LIKE(2, 3);

static bool wrong(struct trouble *trouble, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(trouble->words, sizeof(trouble->words), format, args);
    va_end(args);
    return false;
}

/* ---- the pattern ---- */

/* The URI to register: "com.acme.user..get" for a wildcard, "com.acme" for com.acme.**. */
static struct slice wire_uri(struct arena *arena, const struct rules_pattern *pattern)
{
    char *text = arena_alloc(arena, pattern->text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < pattern->count; i++) {
        const struct rules_component *component = &pattern->at[i];

        if (i != 0)
            text[len++] = '.';
        if (component->kind != RULES_LITERAL)
            continue;
        memcpy(text + len, component->text.data, component->text.len);
        len += component->text.len;
    }
    return slice_make(text, len);
}

static bool read_pattern(struct handler *handler, struct arena *arena, struct slice key,
                         bool is_topic, struct trouble *trouble)
{
    struct rules_error error;
    size_t wild = 0;

    if (rules_pattern_parse(&handler->pattern, arena, arena_copy(arena, key), &error) != 0)
        return wrong(trouble, "%s", error.words);
    for (size_t i = 0; i < handler->pattern.count; i++) {
        if (handler->pattern.at[i].kind == RULES_SESSION)
            return wrong(trouble, "{session.%.*s} is for rules: a handler belongs to no session",
                         SLICE_ARG(handler->pattern.at[i].text));
        wild += handler->pattern.at[i].kind != RULES_LITERAL;
    }
    if (wild != 0 && handler->pattern.has_rest)
        return wrong(trouble, "a registration is a prefix (a final **) or a wildcard (* and "
                              "{name}), not both");
    if (handler->pattern.has_rest && handler->pattern.count == 0)
        return wrong(trouble, "a pattern that matches everything");
    handler->match = handler->pattern.has_rest ? MATCH_PREFIX
                     : wild != 0               ? MATCH_WILDCARD
                                               : MATCH_EXACT;
    handler->uri = wire_uri(arena, &handler->pattern);
    if (!uri_is_valid(handler->uri, handler->match, false))
        return wrong(trouble, "\"%.*s\" is no URI", SLICE_ARG(key));
    if (!is_topic && uri_is_within(handler->uri, SLICE("wamp")))
        return wrong(trouble, "wamp. is for the router itself");
    return true;
}

/* ---- options ---- */

/* The value at the top, in words; asks no metamethods, as nothing may raise where memory is held. */
static const char *found(lua_State *lua, char words[80])
{
    if (lua_type(lua, -1) == LUA_TSTRING)
        snprintf(words, 80, "\"%.70s\"", lua_tostring(lua, -1));
    else if (lua_isinteger(lua, -1))
        snprintf(words, 80, "%lld", lua_tointeger(lua, -1));
    else if (lua_type(lua, -1) == LUA_TNUMBER)
        snprintf(words, 80, "%.14g", lua_tonumber(lua, -1));
    else if (lua_isboolean(lua, -1))
        return lua_toboolean(lua, -1) ? "true" : "false";
    else
        snprintf(words, 80, "a %s", luaL_typename(lua, -1));
    return words;
}

static bool read_count(lua_State *lua, const char *option, unsigned max, unsigned *value,
                       struct trouble *trouble)
{
    lua_Integer count = lua_tointeger(lua, -1);
    char words[80];

    if (!lua_isinteger(lua, -1) || count < 1 || count > (lua_Integer)max)
        return wrong(trouble, "%s: found %s; allowed: an integer from 1 to %u", option,
                     found(lua, words), max);
    *value = (unsigned)count;
    return true;
}

static bool read_seconds(lua_State *lua, const char *option, uint64_t *ms, struct trouble *trouble)
{
    double seconds = lua_tonumber(lua, -1);
    char words[80];

    if (lua_type(lua, -1) != LUA_TNUMBER || !(seconds >= 0.001) || seconds > MAX_TIMEOUT_S)
        return wrong(trouble, "%s: found %s; allowed: seconds, from 0.001 to 86400", option,
                     found(lua, words));
    *ms = (uint64_t)(seconds * 1000);
    return true;
}

static bool read_boolean(lua_State *lua, const char *option, bool *value, struct trouble *trouble)
{
    char words[80];

    if (!lua_isboolean(lua, -1))
        return wrong(trouble, "%s: found %s; allowed: true, false", option, found(lua, words));
    *value = lua_toboolean(lua, -1);
    return true;
}

static bool read_word(lua_State *lua, const char *option, const char *const *allowed,
                      struct trouble *trouble)
{
    char list[160] = "", words[80];

    for (size_t i = 0; allowed[i] != NULL; i++) {
        if (lua_type(lua, -1) == LUA_TSTRING && strcmp(lua_tostring(lua, -1), allowed[i]) == 0)
            return true;
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s\"%s\"", i == 0 ? "" : ", ",
                 allowed[i]);
    }
    return wrong(trouble, "%s: found %s; allowed: %s", option, found(lua, words), list);
}

static const char *const invoke_words[] = {"single", "roundrobin", "random", "first", "last", NULL};
static const char *const overflow_words[] = {"drop_oldest", "drop_newest", NULL};

static const char *const procedure_options[] = {
    "handler",         "concurrency", "ordered",          "timeout", "invoke",
    "disclose_caller", "describe",    "force_reregister", "nkey",    NULL};
static const char *const topic_options[] = {"handler",  "concurrency",  "timeout",  "queue",
                                            "overflow", "get_retained", "describe", NULL};

/* One option that is there, its value at the top. */
static bool read_option(lua_State *lua, struct handler *handler, const char *option,
                        struct encoder *wire, struct trouble *trouble)
{
    uint64_t ms = 0;
    bool flag = false;

    if (strcmp(option, "handler") == 0)
        return true;
    if (strcmp(option, "concurrency") == 0)
        return read_count(lua, option, MAX_CONCURRENCY, &handler->concurrency, trouble);
    if (strcmp(option, "queue") == 0)
        return read_count(lua, option, 100000, &handler->queue, trouble);
    if (strcmp(option, "ordered") == 0)
        return read_boolean(lua, option, &handler->is_ordered, trouble);
    if (strcmp(option, "timeout") == 0) {
        if (!read_seconds(lua, option, &ms, trouble))
            return false;
        handler->timeout_ms = (uint32_t)ms;
        return true;
    }
    if (strcmp(option, "invoke") == 0) {
        if (!read_word(lua, option, invoke_words, trouble))
            return false;
        encode_text_pair(wire, "invoke", check_text(lua, -1));
        return true;
    }
    if (strcmp(option, "overflow") == 0) {
        if (!read_word(lua, option, overflow_words, trouble))
            return false;
        handler->drops_newest = strcmp(lua_tostring(lua, -1), "drop_newest") == 0;
        return true;
    }
    if (strcmp(option, "describe") != 0 && strcmp(option, "nkey") != 0) {
        if (!read_boolean(lua, option, &flag, trouble))
            return false;
        handler->is_forced |= flag && strcmp(option, "force_reregister") == 0;
        encode_text(wire, slice_of(option));
        encode_bool(wire, flag);
        return true;
    }
    if (lua_type(lua, -1) != LUA_TSTRING)
        return wrong(trouble, "%s: found a %s; allowed: a text", option, luaL_typename(lua, -1));
    if (!object_is_said(check_text(lua, -1)))
        return wrong(trouble, "%s: found octets that are no text; allowed: UTF-8", option);
    if (strcmp(option, "nkey") == 0)
        encode_text_pair(wire, option, check_text(lua, -1));
    else
        handler->describe = check_text(lua, -1);
    return true;
}

static bool unknown_option(lua_State *lua, const char *const *known, struct trouble *trouble)
{
    struct slice key = check_text(lua, -2);
    struct guess guess = guess_begin(key);
    char words[128];

    for (size_t i = 0; known[i] != NULL; i++) {
        if (slice_eq(key, slice_of(known[i])))
            return false;
        guess_offer(&guess, slice_of(known[i]));
    }
    (void)wrong(trouble, ".%.*s: no such option%s", (int)(key.len < 60 ? key.len : 60),
                key.data == NULL ? "?" : key.data, guess_words(&guess, words));
    return true;
}

static bool read_options(lua_State *lua, int index, struct handler *handler, struct arena *arena,
                         bool is_topic, struct trouble *trouble)
{
    const char *const *known = is_topic ? topic_options : procedure_options;
    struct encoder wire;
    struct blob *blob;
    bool is_right = true;
    int top = lua_gettop(lua);

    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        if (unknown_option(lua, known, trouble)) {
            lua_settop(lua, top);
            return false;
        }
    }
    encode_start(&wire, CODEC_MSGPACK, 64);
    encode_map(&wire, COUNT_UNKNOWN);
    for (size_t i = 0; is_right && known[i] != NULL; i++) {
        lua_pushstring(lua, known[i]);
        lua_rawget(lua, index);
        if (!lua_isnil(lua, -1))
            is_right = read_option(lua, handler, known[i], &wire, trouble);
        lua_settop(lua, top);
    }
    encode_end(&wire);
    blob = encode_finish(&wire);
    handler->options = arena_copy(arena, blob_slice(blob));
    if (handler->describe.len != 0)
        handler->describe = arena_copy(arena, handler->describe);
    blob_drop(blob);
    return is_right;
}

static void set_defaults(struct handler *handler, bool is_topic)
{
    *handler = (struct handler){.concurrency = is_topic ? 1 : DEFAULT_CONCURRENCY,
                                .queue = MAX_WAITING_EVENTS,
                                .ref = LUA_NOREF};
}

/* ---- policy.procedures, policy.subscriptions ---- */

static const char *group_of(bool is_topic)
{
    return is_topic ? "subscriptions" : "procedures";
}

/* Takes the function out of the value at the index: itself, or its field `handler`. */
static bool take_function(struct check *check, int value, struct handler *handler,
                          struct trouble *trouble)
{
    lua_State *lua = check->lua;

    if (lua_istable(lua, value)) {
        lua_pushliteral(lua, "handler");
        lua_rawget(lua, value);
    } else {
        lua_pushvalue(lua, value);
    }
    if (!lua_isfunction(lua, -1)) {
        lua_pop(lua, 1);
        return lua_istable(lua, value)
                   ? wrong(trouble, ".handler is missing, or no function")
                   : wrong(trouble, ": found %s; allowed: a function, or a table with handler",
                           check_found(check, value));
    }
    handler->hook = ++check->policy->last_hook;
    l_policy_set_hook(lua, handler->hook);
    return true;
}

static struct place place_of(struct check *check, int value, struct slice key)
{
    lua_State *lua = check->lua;
    struct place place;

    if (!lua_istable(lua, value))
        return check_place(check, value, key);
    place = places_key(check->places, key);
    return place;
}

static bool has_twin(const struct handler *handlers, size_t count, const struct handler *handler)
{
    for (size_t i = 0; i < count; i++) {
        if (handlers[i].match == handler->match && slice_eq(handlers[i].uri, handler->uri))
            return true;
    }
    return false;
}

static void read_handler(struct check *check, int key, int value, bool is_topic,
                         struct handler *handlers, size_t *count)
{
    struct slice name = check_text(check->lua, key);
    struct place at = place_of(check, value, name);
    struct handler *handler = &handlers[*count];
    struct trouble trouble = {""};

    set_defaults(handler, is_topic);
    if (name.data == NULL) {
        check_complain(check, at, "policy.%s: found the key %s; allowed: URIs and patterns",
                       group_of(is_topic), check_found(check, key));
    } else if (!read_pattern(handler, &check->policy->arena, name, is_topic, &trouble)) {
        check_complain(check, at, "policy.%s[\"%.*s\"]: %s", group_of(is_topic), SLICE_ARG(name),
                       trouble.words);
    } else if (!take_function(check, value, handler, &trouble) ||
               (lua_istable(check->lua, value) &&
                !read_options(check->lua, value, handler, &check->policy->arena, is_topic,
                              &trouble))) {
        check_complain(check, at, "policy.%s[\"%.*s\"]%s%s", group_of(is_topic), SLICE_ARG(name),
                       *trouble.words == '.' || *trouble.words == ':' ? "" : ".", trouble.words);
    } else if (!is_topic && has_twin(handlers, *count, handler)) {
        check_complain(check, at, "policy.%s[\"%.*s\"]: there are two for the same URI",
                       group_of(is_topic), SLICE_ARG(name));
    } else {
        ++*count;
    }
}

static size_t count_entries(lua_State *lua, int index)
{
    size_t count = 0;

    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1))
        count++;
    return count;
}

static struct handler *read_handlers(struct check *check, int index, bool is_topic, size_t *count)
{
    lua_State *lua = check->lua;
    struct handler *handlers;

    *count = 0;
    if (!check_is_table(check, index, group_of(is_topic), "a table of functions by URI"))
        return NULL;
    handlers =
        arena_alloc(&check->policy->arena, (count_entries(lua, index) + 1) * sizeof(*handlers));
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1))
        read_handler(check, lua_gettop(lua) - 1, lua_gettop(lua), is_topic, handlers, count);
    return handlers;
}

void check_procedures(struct check *check, int index)
{
    struct policy *policy = check->policy;

    policy->procedures = read_handlers(check, index, false, &policy->procedure_count);
}

void check_subscriptions(struct check *check, int index)
{
    struct policy *policy = check->policy;

    policy->subscriptions = read_handlers(check, index, true, &policy->subscription_count);
}

/* ---- policy.tasks ---- */

static const char *const task_options[] = {"every", "jitter", "cron", "run", NULL};

static bool read_task_options(struct check *check, int index, struct task_spec *task,
                              struct trouble *trouble)
{
    lua_State *lua = check->lua;
    char words[160];
    int top = lua_gettop(lua);

    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        if (unknown_option(lua, task_options, trouble)) {
            lua_settop(lua, top);
            return false;
        }
    }
    if (lua_getfield(lua, index, "every") != LUA_TNIL &&
        !read_seconds(lua, ".every", &task->every_ms, trouble))
        return false;
    if (lua_getfield(lua, index, "jitter") != LUA_TNIL &&
        !read_seconds(lua, ".jitter", &task->jitter_ms, trouble))
        return false;
    if (lua_getfield(lua, index, "cron") == LUA_TSTRING) {
        if (!cron_parse(&task->cron, check_text(lua, -1), words))
            return wrong(trouble, ".cron: %s", words);
        if (task->every_ms != 0)
            return wrong(trouble, " has both every and cron; allowed: one of them");
    } else if (!lua_isnil(lua, -1)) {
        return wrong(trouble, ".cron: found %s; allowed: a text as \"0 6 * * 1-5\"",
                     check_found(check, -1));
    } else if (task->every_ms == 0) {
        return wrong(trouble, " has no time; allowed: every = seconds, or cron = \"...\"");
    }
    if (lua_getfield(lua, index, "run") != LUA_TFUNCTION)
        return wrong(trouble, ".run: found %s; allowed: a function", check_found(check, -1));
    task->hook = ++check->policy->last_hook;
    l_policy_set_hook(lua, task->hook);
    return true;
}

static void read_task(struct check *check, int key, int value)
{
    struct policy *policy = check->policy;
    struct task_spec *task = &policy->tasks[policy->task_count];
    struct slice name = check_text(check->lua, key);
    struct place at = places_key(check->places, name);
    struct trouble trouble = {""};
    int top = lua_gettop(check->lua);

    *task = (struct task_spec){.name = arena_copy(&policy->arena, name)};
    if (name.data == NULL || !lua_istable(check->lua, value))
        check_complain(check, at,
                       "policy.tasks[%s]: found %s; allowed: a name, and a table as "
                       "{ every = 60, run = function }",
                       check_found(check, key), check_found(check, value));
    else if (!read_task_options(check, value, task, &trouble))
        check_complain(check, at, "policy.tasks.%.*s%s%s", SLICE_ARG(name),
                       *trouble.words == '.' || *trouble.words == ' ' ? "" : ".", trouble.words);
    else
        policy->task_count++;
    lua_settop(check->lua, top);
}

void check_tasks(struct check *check, int index)
{
    lua_State *lua = check->lua;
    struct policy *policy = check->policy;

    if (!check_is_table(check, index, "tasks", "a table of tasks by name"))
        return;
    policy->tasks =
        arena_alloc(&policy->arena, (count_entries(lua, index) + 1) * sizeof(*policy->tasks));
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1))
        read_task(check, lua_gettop(lua) - 1, lua_gettop(lua));
}

/* ---- at run time ---- */

void l_handler_read(lua_State *lua, struct texts *texts, struct handler *handler, bool is_topic)
{
    struct arena *arena = &texts->arena;
    struct slice key;
    struct trouble trouble = {""};

    key.data = luaL_checklstring(lua, 2, &key.len);
    luaL_checktype(lua, 3, LUA_TFUNCTION);
    lua_settop(lua, 4);
    if (!lua_isnil(lua, 4))
        luaL_checktype(lua, 4, LUA_TTABLE);
    set_defaults(handler, is_topic);
    if (!read_pattern(handler, arena, key, is_topic, &trouble) ||
        !(lua_isnil(lua, 4) || read_options(lua, 4, handler, arena, is_topic, &trouble)))
        luaL_error(lua, "%s: %s", is_topic ? "subscribe" : "register",
                   trouble.words + (*trouble.words == '.')); /* which is for behind a path */
    lua_settop(lua, 3);
    texts->ref = handler->ref = luaL_ref(lua, LUA_REGISTRYINDEX);
}
