/* check_options.c -- policy.limits, .expose and .filterable become options of the core. See check.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/throttle.h"
#include "policy/check.h"
#include "policy/objects.h"

#include <lauxlib.h>

/* More than that would be looked at for each request. */
#define MAX_LIMITS 64

/* More attributes no session has. */
#define MAX_NAMES 256

/* A copy that is a C string. */
static const char *keep(struct check *check, struct slice text)
{
    return policy_format(&check->policy->arena, "%.*s", SLICE_ARG(text));
}

/* ---- limits ---- */

/* One limit being read. */
struct limiting {
    struct check *check;
    struct place at;
    lua_Integer number;
    struct limit_options limit;
    size_t complaints; /* before */
};

static void wrong(struct limiting *l, const char *key, int value, const char *allowed)
{
    check_complain(l->check, l->at, "policy.limits[%lld].%s: found %s; allowed: %s", l->number, key,
                   check_found(l->check, value), allowed);
}

/* Which of the names is at the index; says so when none is. */
static unsigned read_name(struct limiting *l, const char *key, int value, const char *const *names,
                          const char *allowed)
{
    struct slice text = check_text(l->check->lua, value);

    for (unsigned i = 0; names[i] != NULL; i++)
        if (text.data != NULL && slice_eq(text, slice_of(names[i])))
            return i;
    wrong(l, key, value, allowed);
    return 0;
}

static void read_action(struct limiting *l, int value)
{
    static const char *const names[] = {
        [LIMIT_CALL] = "call",           [LIMIT_REGISTER] = "register", [LIMIT_PUBLISH] = "publish",
        [LIMIT_SUBSCRIBE] = "subscribe", [LIMIT_JOIN] = "join",         [LIMIT_SESSION] = "session",
        [LIMIT_ACTION_COUNT] = NULL};

    l->limit.action = (enum limit_action)read_name(
        l, "action", value, names,
        "\"call\", \"register\", \"publish\", \"subscribe\", \"join\", \"session\"");
}

static void read_over(struct limiting *l, int value)
{
    static const char *const names[] = {[LIMIT_DENY] = "deny",
                                        [LIMIT_WAIT] = "wait",
                                        [LIMIT_CLOSE] = "close",
                                        [LIMIT_REPLACE_OLDEST] = "replace_oldest",
                                        NULL};

    l->limit.over =
        (enum limit_over)read_name(l, "over", value, names,
                                   "\"deny\", \"wait\", \"close\"; of sessions \"deny\", "
                                   "\"replace_oldest\"");
}

static const char *read_text(struct limiting *l, const char *key, int value, const char *allowed)
{
    struct slice text = check_text(l->check->lua, value);

    if (text.data != NULL && text.len != 0 && object_is_said(text))
        return keep(l->check, text);
    wrong(l, key, value, allowed);
    return NULL;
}

static void read_role(struct limiting *l, int value)
{
    const struct rules *rules = l->check->policy->rules;

    l->limit.role = read_text(l, "role", value, "the name of a role");
    if (l->limit.role == NULL || rules == NULL ||
        rules_find_role(rules, SLICE("*")) != RULE_NO_ROLE ||
        rules_find_role(rules, slice_of(l->limit.role)) != RULE_NO_ROLE)
        return;
    check_complain(l->check, l->at, "policy.limits[%lld].role: there is no role \"%s\"", l->number,
                   l->limit.role);
}

static void read_uri(struct limiting *l, int value)
{
    l->limit.uri = read_text(l, "uri", value, "a pattern as \"com.acme.**\"");
}

static void read_per(struct limiting *l, int value)
{
    l->limit.per = read_text(l, "per", value,
                             "\"session\", \"authid\", \"authrole\", \"ip\", \"realm\", the name "
                             "of an attribute");
}

static void read_rate(struct limiting *l, int value)
{
    if (lua_type(l->check->lua, value) == LUA_TNUMBER)
        l->limit.rate = lua_tonumber(l->check->lua, value);
    else
        wrong(l, "rate", value, "a number, a second");
}

static uint32_t read_count(struct limiting *l, const char *key, int value)
{
    lua_Integer count = lua_tointeger(l->check->lua, value);

    if (lua_isinteger(l->check->lua, value) && count >= 1 && count <= 1000000000)
        return (uint32_t)count;
    wrong(l, key, value, "an integer from 1 to 1000000000");
    return 1;
}

static void read_burst(struct limiting *l, int value)
{
    l->limit.burst = read_count(l, "burst", value);
}

static void read_max(struct limiting *l, int value)
{
    l->limit.max = read_count(l, "max", value);
}

static const struct {
    const char *name;
    void (*read)(struct limiting *l, int value);
} keys[] = {
    {"action", read_action}, {"over", read_over}, {"role", read_role},   {"uri", read_uri},
    {"per", read_per},       {"rate", read_rate}, {"burst", read_burst}, {"max", read_max},
};

static void unknown_option(struct limiting *l, int key)
{
    struct slice name = check_text(l->check->lua, key);
    struct guess guess = guess_begin(name);
    char words[128];

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        guess_offer(&guess, slice_of(keys[i].name));
    if (name.data == NULL)
        check_complain(l->check, l->at, "policy.limits[%lld][%s]: no such option", l->number,
                       check_found(l->check, key));
    else
        check_complain(l->check, l->at, "policy.limits[%lld].%.*s: no such option%s", l->number,
                       (int)(name.len < 80 ? name.len : 80), name.data, guess_words(&guess, words));
}

static bool has_key(struct limiting *l, int index, const char *key)
{
    bool is_there;

    lua_pushstring(l->check->lua, key);
    is_there = lua_rawget(l->check->lua, index) != LUA_TNIL;
    lua_pop(l->check->lua, 1);
    return is_there;
}

static void read_limit(struct limiting *l, int index)
{
    lua_State *lua = l->check->lua;
    struct rules_error error;

    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        struct slice key = check_text(lua, -2);
        size_t i = 0;

        while (i < ARRAY_LEN(keys) && !slice_eq(key, slice_of(keys[i].name)))
            i++;
        if (i == ARRAY_LEN(keys))
            unknown_option(l, lua_gettop(lua) - 1);
        else
            keys[i].read(l, lua_gettop(lua));
    }
    if (!has_key(l, index, "action"))
        check_complain(l->check, l->at,
                       "policy.limits[%lld].action is missing; allowed: \"call\", \"register\", "
                       "\"publish\", \"subscribe\", \"join\", \"session\"",
                       l->number);
    else if (l->check->count == l->complaints && limit_check(&l->limit, &error) < 0)
        check_complain(l->check, l->at, "policy.limits[%lld].%s", l->number, error.words);
}

void check_limits(struct check *check, int index)
{
    lua_State *lua = check->lua;
    struct policy *policy = check->policy;
    struct place at = check_place(check, index, SLICE("limits"));
    lua_Integer count;

    if (!check_is_table(check, index, "limits", "a list of limits"))
        return;
    count = (lua_Integer)lua_rawlen(lua, index);
    if (count > MAX_LIMITS) {
        check_complain(check, at, "policy.limits: found %lld limits; allowed: %d", count,
                       MAX_LIMITS);
        return;
    }
    check_list(check, at, index, "limits");
    policy->limits = arena_alloc(&policy->arena, ((size_t)count + 1) * sizeof(*policy->limits));
    for (lua_Integer i = 1; i <= count; i++) {
        struct limiting limiting = {
            .check = check, .at = at, .number = i, .complaints = check->count};

        lua_rawgeti(lua, index, i);
        if (lua_istable(lua, -1))
            read_limit(&limiting, lua_gettop(lua));
        else
            check_complain(check, at, "policy.limits[%lld]: found %s; allowed: a table", i,
                           check_found(check, -1));
        lua_pop(lua, 1);
        policy->limits[policy->limit_count++] = limiting.limit;
    }
}

/* ---- names of attributes ---- */

/* NULL: all. */
static const char *const *read_names(struct check *check, int index, const char *key)
{
    lua_State *lua = check->lua;
    struct place at = check_place(check, index, slice_of(key));
    const char **names;
    size_t count;

    if (lua_isnil(lua, index) ||
        (lua_isstring(lua, index) && slice_eq(check_text(lua, index), SLICE("*"))))
        return NULL;
    count = lua_istable(lua, index) ? (size_t)lua_rawlen(lua, index) : MAX_NAMES + 1;
    if (count > MAX_NAMES) {
        check_complain(check, at, "policy.%s: found %s; allowed: \"*\", or a list of attributes",
                       key, check_found(check, index));
        return NULL;
    }
    check_list(check, at, index, key);
    names = arena_alloc(&check->policy->arena, (count + 1) * sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        struct slice name;

        lua_rawgeti(lua, index, (lua_Integer)i + 1);
        name = check_text(lua, -1);
        if (name.data == NULL || name.len == 0 || !object_is_said(name))
            check_complain(check, at, "policy.%s[%zu]: found %s; allowed: the name of an attribute",
                           key, i + 1, check_found(check, -1));
        names[i] = keep(check, name.data == NULL ? SLICE("?") : name);
        lua_pop(lua, 1);
    }
    names[count] = NULL;
    return names;
}

void check_expose(struct check *check, int index)
{
    check->policy->expose = read_names(check, index, "expose");
}

void check_filterable(struct check *check, int index)
{
    check->policy->filterable = read_names(check, index, "filterable");
}
