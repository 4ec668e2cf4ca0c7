/* check.c -- see check.h. What is more than a key or two is in check_*.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/check.h"

#include <lauxlib.h>

#include <stdarg.h>
#include <stdio.h>

/* ---- complaints ---- */

void check_complain(struct check *check, struct place at, const char *format, ...)
{
    char words[400], where[200];
    va_list args;

    if (check->count == MAX_COMPLAINTS)
        return;
    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    if (at.line == 0)
        snprintf(where, sizeof(where), "%s", at.label);
    else
        snprintf(where, sizeof(where), "%s:%u", at.label, at.line);
    check->complaints[check->count++] = (struct complaint){
        .line = policy_format(&check->arena, "%s: %s", where, words), .at = at.line};
}

struct slice check_text(lua_State *lua, int index)
{
    struct slice text = {0};

    if (lua_type(lua, index) == LUA_TSTRING)
        text.data = lua_tolstring(lua, index, &text.len);
    return text;
}

const char *check_found(struct check *check, int index)
{
    lua_State *lua = check->lua;

    switch (lua_type(lua, index)) {
    case LUA_TSTRING:
        return policy_format(&check->arena, "\"%.60s\"", lua_tostring(lua, index));
    case LUA_TNUMBER:
        return lua_isinteger(lua, index)
                   ? policy_format(&check->arena, "%lld", lua_tointeger(lua, index))
                   : policy_format(&check->arena, "%g", lua_tonumber(lua, index));
    case LUA_TBOOLEAN:
        return lua_toboolean(lua, index) ? "true" : "false";
    case LUA_TNIL:
        return "nothing";
    default:
        return policy_format(&check->arena, "a %s", luaL_typename(lua, index));
    }
}

struct place check_place(struct check *check, int index, struct slice key)
{
    lua_State *lua = check->lua;
    lua_Debug function;

    if (lua_type(lua, index) == LUA_TFUNCTION && !lua_iscfunction(lua, index)) {
        lua_pushvalue(lua, index);
        lua_getinfo(lua, ">S", &function);
        if (*function.source == '@')
            return (struct place){policy_format(&check->arena, "%s", function.source + 1),
                                  (unsigned)function.linedefined};
    }
    return places_key(check->places, key);
}

static struct place entry_place(const struct check *check)
{
    return (struct place){source_entry(check->policy->source)->label, 0};
}

/* ---- api ---- */

static void read_api(struct check *check, int index)
{
    struct place at = check_place(check, index, SLICE("api"));

    if (lua_isnil(check->lua, index))
        check_complain(check, entry_place(check), "policy.api is missing; this router knows 1");
    else if (!lua_isinteger(check->lua, index) || lua_tointeger(check->lua, index) != 1)
        check_complain(check, at, "policy.api: found %s; this router knows 1",
                       check_found(check, index));
}

/* ---- attributes ---- */

static const char *const type_names[ATTRIBUTE_TYPE_COUNT] = {"string", "integer", "boolean",
                                                             "list"};

/* What a session has of its own. */
static bool is_taken(struct slice name)
{
    static const char *const names[] = {
        "id",    "session", "authid",     "authrole", "authmethod", "authprovider",
        "realm", "joined",  "trustlevel", "roles",    "transport",  "hello",
        "has",   "set",     "kill",       "open",     "vars"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq(name, slice_of(names[i])))
            return true;
    }
    return false;
}

static bool is_identifier(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (c != '_' && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(c >= '0' && c <= '9'))
            return false;
    }
    return name.len != 0 && name.len <= 100;
}

static void add_attribute(struct check *check, struct slice name, enum attribute_type type)
{
    struct policy *policy = check->policy;

    policy->attributes[policy->attribute_count++] =
        (struct attribute){arena_copy(&policy->arena, name), type};
}

static void read_attribute(struct check *check, int key, int value)
{
    struct slice name = check_text(check->lua, key), type = check_text(check->lua, value);
    struct place at = check_place(check, value, name);
    unsigned i = 0;

    if (!is_identifier(name)) {
        check_complain(check, at,
                       "policy.attributes: found the key %s; allowed: names of letters, "
                       "digits and _",
                       check_found(check, key));
        return;
    }
    if (is_taken(name)) {
        check_complain(check, at, "policy.attributes.%.*s: every session has that of its own",
                       SLICE_ARG(name));
        return;
    }
    while (i < ATTRIBUTE_TYPE_COUNT && !slice_eq(type, slice_of(type_names[i])))
        i++;
    if (i == ATTRIBUTE_TYPE_COUNT)
        check_complain(check, at,
                       "policy.attributes.%.*s: found %s; allowed: \"string\", \"integer\", "
                       "\"boolean\", \"list\"",
                       SLICE_ARG(name), check_found(check, value));
    else
        add_attribute(check, name, (enum attribute_type)i);
}

size_t check_entries(lua_State *lua, int index)
{
    size_t count = 0;

    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1))
        count++;
    return count;
}

const char *check_key_words(struct check *check, int key)
{
    struct slice name = check_text(check->lua, key);

    return name.data == NULL ? policy_format(&check->arena, "[%s]", check_found(check, key))
                             : policy_format(&check->arena, ".%.*s",
                                             (int)(name.len < 80 ? name.len : 80), name.data);
}

void check_list(struct check *check, struct place at, int index, const char *key)
{
    lua_State *lua = check->lua;
    lua_Integer len = (lua_Integer)lua_rawlen(lua, index);

    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        bool is_item =
            lua_isinteger(lua, -2) && lua_tointeger(lua, -2) >= 1 && lua_tointeger(lua, -2) <= len;

        if (!is_item)
            check_complain(check, at, "policy.%s%s: no such option; it is a list", key,
                           check_key_words(check, lua_gettop(lua) - 1));
    }
}

bool check_is_table(struct check *check, int index, const char *key, const char *allowed)
{
    if (lua_istable(check->lua, index))
        return true;
    if (!lua_isnil(check->lua, index))
        check_complain(check, check_place(check, index, slice_of(key)),
                       "policy.%s: found %s; allowed: %s", key, check_found(check, index), allowed);
    return false;
}

static void read_attributes(struct check *check, int index)
{
    lua_State *lua = check->lua;
    struct policy *policy = check->policy;

    if (!check_is_table(check, index, "attributes", "a table as { org = \"string\" }"))
        return;
    policy->attributes =
        arena_alloc(&policy->arena, (check_entries(lua, index) + 1) * sizeof(*policy->attributes));
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1))
        read_attribute(check, lua_gettop(lua) - 1, lua_gettop(lua));
}

/* ---- functions ---- */

static bool read_function(struct check *check, int index, const char *key, size_t hook)
{
    lua_State *lua = check->lua;

    if (lua_isnil(lua, index))
        return false;
    if (!lua_isfunction(lua, index)) {
        check_complain(check, check_place(check, index, slice_of(key)),
                       "policy.%s: found %s; allowed: a function", key, check_found(check, index));
        return false;
    }
    lua_pushvalue(lua, index);
    l_policy_set_hook(lua, hook);
    return true;
}

static void read_authorize(struct check *check, int index)
{
    struct policy *policy = check->policy;
    struct place at;

    policy->has_authorize = read_function(check, index, "authorize", HOOK_AUTHORIZE);
    if (!policy->has_authorize)
        return;
    at = check_place(check, index, SLICE("authorize"));
    policy->authorize_at = policy_format(&policy->arena, "%s:%u", at.label, at.line);
}

static void read_admit(struct check *check, int index)
{
    check->policy->has_admit = read_function(check, index, "admit", HOOK_ADMIT);
}

static void read_filter(struct check *check, int index)
{
    check->policy->has_filter = read_function(check, index, "filter", HOOK_FILTER);
}

static void read_on_join(struct check *check, int index)
{
    check->policy->has_on_join = read_function(check, index, "on_join", HOOK_ON_JOIN);
}

static void read_on_leave(struct check *check, int index)
{
    check->policy->has_on_leave = read_function(check, index, "on_leave", HOOK_ON_LEAVE);
}

static void read_check(struct check *check, int index)
{
    check->policy->has_check = read_function(check, index, "check", HOOK_CHECK);
}

static void read_on_load(struct check *check, int index)
{
    check->policy->has_on_load = read_function(check, index, "on_load", HOOK_ON_LOAD);
}

static void read_on_unload(struct check *check, int index)
{
    check->policy->has_on_unload = read_function(check, index, "on_unload", HOOK_ON_UNLOAD);
}

static void read_intercept(struct check *check, int index)
{
    static const char *const names[] = {"publish", "call", "result", "error"};
    lua_State *lua = check->lua;
    char words[128];

    if (!check_is_table(check, index, "intercept", "a table of functions"))
        return;
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        struct slice key = check_text(lua, -2);
        struct guess guess = guess_begin(key);
        size_t i = 0;

        for (size_t k = 0; k < ARRAY_LEN(names); k++)
            guess_offer(&guess, slice_of(names[k]));
        while (i < ARRAY_LEN(names) && !slice_eq(key, slice_of(names[i])))
            i++;
        if (i == ARRAY_LEN(names)) {
            check_complain(check, check_place(check, -1, key), "policy.intercept%s: no such key%s",
                           check_key_words(check, lua_gettop(lua) - 1), guess_words(&guess, words));
        } else if (!lua_isfunction(lua, -1)) {
            check_complain(check, check_place(check, -1, key),
                           "policy.intercept.%s: found %s; allowed: a function", names[i],
                           check_found(check, -1));
        } else {
            lua_pushvalue(lua, -1);
            l_policy_set_hook(lua, HOOK_INTERCEPT_PUBLISH + i);
            check->policy->intercepts[i] = true;
        }
    }
}

/* ---- the router's own ---- */

static void read_requested(struct check *check, int index)
{
    check->policy->has_requested =
        read_function(check, index, "realm_requested", HOOK_REALM_REQUESTED);
}

static void read_opened(struct check *check, int index)
{
    check->policy->has_opened = read_function(check, index, "realm_opened", HOOK_REALM_OPENED);
}

static void read_closed(struct check *check, int index)
{
    check->policy->has_closed = read_function(check, index, "realm_closed", HOOK_REALM_CLOSED);
}

/* ---- the table ---- */

/* Later rows look at what earlier ones have read. */
const struct check_key check_keys[] = {
    {"api", "1", "The version of all this; needed.", read_api},
    {"attributes", "table<string, \"string\"|\"integer\"|\"boolean\"|\"list\">",
     "Attributes of sessions that the policy gives out, and their types.", read_attributes},
    {"authenticate",
     "table<string, boolean|nexus.Method|fun(hello: nexus.Hello): "
     "nexus.Principal|nexus.Decision|nil>",
     "For each method what is known of a principal: nil, there is none. The router does the "
     "challenge "
     "and the comparison.",
     check_authenticate},
    {"authmethods", "string[]", "Methods, the preferred one first; without it the client prefers.",
     check_authmethods},
    {"admit", "fun(session: nexus.Session): boolean|nexus.Decision|nil, string?",
     "The last word before WELCOME, for every method: only true admits.", read_admit},
    {"authorize", "fun(request: nexus.Request): boolean|nexus.Decision|nil, string?",
     "What the rules marked ask, and everything if there are no rules. Nothing is no.",
     read_authorize},
    {"roles", "table<string, nexus.Rule[]|{ inherit?: string }>",
     "For each role its rules. The most specific pattern wins; what no rule matches is denied. "
     "inherit = role takes the rules of another one.",
     check_roles},
    {"filter",
     "fun(event: nexus.Publication): "
     "boolean|nexus.Filter|(fun(session: nexus.Session): boolean?)|nil",
     "Who gets an event: nil or true, no further restriction; false, nobody.", read_filter},
    {"cache_decisions", "number",
     "Seconds for which answers of authorize are kept that do not say so themselves.",
     check_cache_decisions},
    {"budgets", "table<string, nexus.Budget>",
     "For hooks by name, less than the router gives: authenticate, admit, authorize, intercept, "
     "filter, predicate, procedure, subscription, lifecycle, task.",
     check_budgets},
    {"intercept",
     "table<\"publish\"|\"call\"|\"result\"|\"error\", fun(message: nexus.Message): "
     "table|nexus.Decision|nil>",
     "Sees a message once, after it was allowed: nil leaves it, a table of changed fields rewrites "
     "it, nexus.deny{} stops it.",
     read_intercept},
    {"on_join", "fun(session: nexus.Session)", "A session of a client has begun.", read_on_join},
    {"on_leave", "fun(session: nexus.Session, reason: string)", "A session of a client has ended.",
     read_on_leave},
    {"check", "fun(t: table): boolean?",
     "Tests that run before the policy goes live; t is a router with it, as in nexus.testing.",
     read_check},
    {"on_load", "fun(info: nexus.Version)", "This version runs from now on.", read_on_load},
    {"on_unload", "fun(info: nexus.Version)", "It does not any more.", read_on_unload},
    {"procedures", "table<string, nexus.Procedure|fun(call: nexus.Call): ...>",
     "By URI or pattern, what is called in the router.", check_procedures},
    {"subscriptions", "table<string, nexus.Subscription|fun(event: nexus.Event)>",
     "By URI or pattern, what hears events.", check_subscriptions},
    {"tasks", "table<string, nexus.Task>", "By name, what is done at times.", check_tasks},
    {"limits", "nexus.Limit[]", "Rates and counts of requests and sessions.", check_limits},
    {"expose", "\"*\"|string[]", "Attributes that the meta API shows.", check_expose},
    {"filterable", "\"*\"|string[]",
     "Attributes that clients may name in eligible_x and exclude_x.", check_filterable},
    {NULL, NULL, NULL, NULL},
};

const struct check_key check_router_keys[] = {
    {"api", "1", "The version of all this; needed.", read_api},
    {"realm_requested",
     "fun(hello: table): { template: string, settings?: table, close_when_idle?: number }?",
     "A realm is asked for that is not there: how to open it; nil, there is no such realm.",
     read_requested},
    {"realm_opened", "fun(realm: { uri: string })", "It was opened.", read_opened},
    {"realm_closed", "fun(realm: { uri: string })", "It has closed for being idle.", read_closed},
    {NULL, NULL, NULL, NULL},
};

static bool is_key(const struct check_key *keys, struct slice key)
{
    for (; keys->name != NULL; keys++) {
        if (slice_eq(key, slice_of(keys->name)))
            return true;
    }
    return false;
}

static void unknown_key(struct check *check, const struct check_key *keys, int key, int value)
{
    const char *what = check->policy->is_router ? "router" : "policy";
    struct slice name = check_text(check->lua, key);
    struct guess guess = guess_begin(name);
    char words[128];

    if (name.data == NULL) {
        check_complain(check, check_place(check, value, name), "%s[%s]: no such key", what,
                       check_found(check, key));
        return;
    }
    for (; keys->name != NULL; keys++)
        guess_offer(&guess, slice_of(keys->name));
    check_complain(check, check_place(check, value, name), "%s.%.*s: no such key%s", what,
                   (int)(name.len < 80 ? name.len : 80), name.data, guess_words(&guess, words));
}

/* Keys of router.lua begin so, and none of a realm's policy. */
static bool has_router_keys(lua_State *lua, int index)
{
    bool has = false;

    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        struct slice key = check_text(lua, -2);

        has |= key.len > 6 && memcmp(key.data, "realm_", 6) == 0;
    }
    return has;
}

void check_table(struct check *check, int index)
{
    struct policy *policy = check->policy;
    lua_State *lua = check->lua;
    const struct check_key *keys;

    if (!lua_istable(lua, index)) {
        check_complain(check, entry_place(check),
                       "the file returns %s; allowed: the table of a policy",
                       lua_isnone(lua, index) ? "nothing" : check_found(check, index));
        return;
    }
    luaL_checkstack(lua, 40, NULL);
    policy->last_hook = HOOK_METHODS;
    policy->is_router =
        policy->host.config->is_router || (policy->is_loose && has_router_keys(lua, index));
    keys = policy->is_router ? check_router_keys : check_keys;
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        if (!is_key(keys, check_text(lua, -2)))
            unknown_key(check, keys, lua_gettop(lua) - 1, lua_gettop(lua));
    }
    for (; keys->name != NULL; keys++) {
        lua_pushstring(lua, keys->name);
        lua_rawget(lua, index);
        keys->read(check, lua_gettop(lua));
        lua_pop(lua, 1);
    }
    if (policy->is_router && !policy->has_requested && check->count == 0)
        check_complain(check, entry_place(check), "router.realm_requested is missing");
}
