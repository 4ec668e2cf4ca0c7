/* check_roles.c -- policy.roles becomes rules. See check.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/options.h"
#include "policy/check.h"
#include "policy/filters.h"
#include "script/values.h"

#include <lauxlib.h>

#include <stdio.h>

#define MAX_TIMEOUT_S 86400

/* One rule being read. */
struct reading {
    struct check *check;
    int index; /* of its table */
    struct slice role;
    lua_Integer number;
    struct place at;
    struct rule rule;
    struct slice actions;
    unsigned effects; /* how many of allow, deny, ask */
};

#define RULE_FORMAT  "policy.roles.%.*s[%lld]"
#define RULE_ARGS(r) SLICE_ARG((r)->role), (r)->number

static const char *at_words(struct check *check, struct place at)
{
    return at.line == 0 ? policy_format(&check->arena, "%s", at.label)
                        : policy_format(&check->arena, "%s:%u", at.label, at.line);
}

/* A line that has its place in it already. */
static void complain_whole(struct check *check, struct place at, const char *words)
{
    if (check->count < MAX_COMPLAINTS)
        check->complaints[check->count++] =
            (struct complaint){policy_format(&check->arena, "%s", words), at.line};
}

static void wrong(struct reading *r, const char *key, int value, const char *allowed)
{
    check_complain(r->check, r->at, RULE_FORMAT ".%s: found %s; allowed: %s", RULE_ARGS(r), key,
                   check_found(r->check, value), allowed);
}

/* ---- keys of a rule ---- */

static void read_effect(struct reading *r, enum rule_effect effect, int value)
{
    struct rules_error error;

    r->effects++;
    r->rule.effect = effect;
    r->actions = check_text(r->check->lua, value);
    if (r->actions.data == NULL)
        wrong(r, rules_effect_name(effect), value,
              "\"call\", \"register\", \"publish\", \"subscribe\", several of them, \"*\"");
    else if (rules_parse_actions(r->actions, &r->rule.actions, &error) != 0)
        check_complain(r->check, r->at, RULE_FORMAT ".%s: %s", RULE_ARGS(r),
                       rules_effect_name(effect), error.words);
}

static void read_allow(struct reading *r, int value)
{
    read_effect(r, RULE_ALLOW, value);
}

static void read_deny(struct reading *r, int value)
{
    read_effect(r, RULE_DENY, value);
}

static void read_ask(struct reading *r, int value)
{
    read_effect(r, RULE_ASK, value);
    if (!r->check->policy->has_authorize)
        check_complain(r->check, r->at, RULE_FORMAT ".ask: there is no policy.authorize to ask",
                       RULE_ARGS(r));
}

static void read_uri(struct reading *r, int value)
{
    r->rule.uri = check_text(r->check->lua, value);
    if (r->rule.uri.data == NULL)
        wrong(r, "uri", value, "a pattern as \"com.acme.**\"");
}

static void read_disclose(struct reading *r, int value)
{
    if (!lua_isboolean(r->check->lua, value))
        wrong(r, "disclose", value, "true, false");
    else
        r->rule.disclose =
            lua_toboolean(r->check->lua, value) ? RULE_DISCLOSE_ALWAYS : RULE_DISCLOSE_NEVER;
}

static void read_trustlevel(struct reading *r, int value)
{
    lua_Integer level = lua_tointeger(r->check->lua, value);

    if (!lua_isinteger(r->check->lua, value) || level < 0 || level > INT64_C(1) << 31)
        wrong(r, "trustlevel", value, "an integer from 0 to 2147483648");
    else
        r->rule.trustlevel = level;
}

static void read_timeout(struct reading *r, int value)
{
    double seconds = lua_tonumber(r->check->lua, value);

    if (lua_type(r->check->lua, value) != LUA_TNUMBER || !(seconds >= 0.001) ||
        seconds > MAX_TIMEOUT_S)
        wrong(r, "timeout", value, "seconds, from 0.001 to 86400");
    else
        r->rule.timeout_ms = (uint64_t)(seconds * 1000);
}

/* (reading, table): they are encoded into the arena. */
static int l_encode_options(lua_State *lua)
{
    struct reading *r = lua_touserdata(lua, 1);
    struct blob *blob;

    (void)l_values_begin(lua, CODEC_MSGPACK);
    l_values_put(lua, 2, VALUES_DICT, "options");
    blob = l_values_end(lua);
    r->rule.options = arena_copy(&r->check->arena, blob_slice(blob));
    blob_drop(blob);
    return 0;
}

static void read_options(struct reading *r, int value)
{
    lua_State *lua = r->check->lua;

    if (!lua_istable(lua, value)) {
        wrong(r, "options", value, "a table of options");
        return;
    }
    lua_pushcfunction(lua, l_encode_options);
    lua_pushlightuserdata(lua, r);
    lua_pushvalue(lua, value);
    if (lua_pcall(lua, 2, 0, 0) == LUA_OK)
        return;
    check_complain(r->check, r->at, RULE_FORMAT ".options: %s", RULE_ARGS(r),
                   lua_isstring(lua, -1) ? lua_tostring(lua, -1) : "it cannot be encoded");
    lua_pop(lua, 1);
}

/* What no rule can say for a client: how many messages it sends, whether it is answered, and what
 * its payload is. */
static bool is_clients_own(struct slice key)
{
    return slice_eq(key, SLICE("acknowledge")) || slice_eq(key, SLICE("progress")) ||
           slice_starts_with(key, SLICE("ppt_")) || slice_starts_with(key, SLICE("enc_"));
}

/* The options are such that every message of those actions could have them. */
static void check_options(struct reading *r)
{
    static const enum msg_type types[RULE_ACTION_COUNT] = {[RULE_CALL] = MSG_CALL,
                                                           [RULE_REGISTER] = MSG_REGISTER,
                                                           [RULE_PUBLISH] = MSG_PUBLISH,
                                                           [RULE_SUBSCRIBE] = MSG_SUBSCRIBE};
    struct arena *arena = &r->check->arena;
    struct msg msg = {.codec = CODEC_MSGPACK, .dict = r->rule.options};
    struct options options;
    struct dict_walk entry;
    struct fault fault;

    dict_walk(&entry, CODEC_MSGPACK, r->rule.options, arena);
    while (dict_next(&entry))
        if (is_clients_own(entry.key))
            check_complain(r->check, r->at, RULE_FORMAT ".options.%.*s: only a client can say that",
                           RULE_ARGS(r), SLICE_ARG(entry.key));
    for (unsigned action = 0; action < RULE_ACTION_COUNT; action++) {
        msg.type = types[action];
        if ((r->rule.actions & RULE_BIT(action)) == 0 ||
            options_read(&options, &msg, arena, &fault) == 0)
            continue;
        check_complain(r->check, r->at, RULE_FORMAT ".options: %s", RULE_ARGS(r), fault.words);
        break;
    }
}

/* The object of Lua holds it until the rule was added. */
static void read_filter(struct reading *r, int value)
{
    r->rule.filter = filters_at(r->check->lua, value);
    if (r->rule.filter == NULL)
        wrong(r, "filter", value, "nexus.only(...), nexus.except(...) and what is made of them");
}

static const struct {
    const char *name;
    void (*read)(struct reading *r, int value);
} keys[] = {
    {"allow", read_allow},     {"deny", read_deny},         {"ask", read_ask},
    {"uri", read_uri},         {"disclose", read_disclose}, {"trustlevel", read_trustlevel},
    {"timeout", read_timeout}, {"options", read_options},   {"filter", read_filter},
};

static void unknown_option(struct reading *r, int key)
{
    struct slice name = check_text(r->check->lua, key);
    struct guess guess = guess_begin(name);
    char words[128];

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        guess_offer(&guess, slice_of(keys[i].name));
    if (name.data == NULL)
        check_complain(r->check, r->at, RULE_FORMAT "[%s]: no such option", RULE_ARGS(r),
                       check_found(r->check, key));
    else
        check_complain(r->check, r->at, RULE_FORMAT ".%.*s: no such option%s", RULE_ARGS(r),
                       (int)(name.len < 80 ? name.len : 80), name.data, guess_words(&guess, words));
}

/* ---- a rule ---- */

static struct slice field(lua_State *lua, int table, const char *key)
{
    struct slice text;

    lua_pushstring(lua, key);
    lua_rawget(lua, table);
    text = check_text(lua, -1);
    lua_pop(lua, 1); /* it stays in the table */
    return text;
}

static struct place place_of(struct check *check, int table)
{
    static const char *const effects[] = {"allow", "deny", "ask"};
    struct slice uri = field(check->lua, table, "uri");

    for (size_t i = 0; i < ARRAY_LEN(effects); i++) {
        struct slice actions = field(check->lua, table, effects[i]);

        if (actions.data != NULL)
            return places_rule(check->places, slice_of(effects[i]), actions, uri);
    }
    return places_key(check->places, SLICE("roles"));
}

static void read_keys(struct reading *r)
{
    lua_State *lua = r->check->lua;

    for (lua_pushnil(lua); lua_next(lua, r->index) != 0; lua_pop(lua, 1)) {
        struct slice key = check_text(lua, -2);
        size_t i = 0;

        while (i < ARRAY_LEN(keys) && !slice_eq(key, slice_of(keys[i].name)))
            i++;
        if (i == ARRAY_LEN(keys))
            unknown_option(r, lua_gettop(lua) - 1);
        else
            keys[i].read(r, lua_gettop(lua));
    }
}

static size_t count_attributes(const struct rules *rules)
{
    size_t count = 0;

    while (rules_attribute_name(rules, count).data != NULL)
        count++;
    return count;
}

/* Those that no rule before has named. */
static void check_attributes(const struct reading *r, size_t from)
{
    const struct policy *policy = r->check->policy;
    struct guess guess;
    struct slice name;
    char words[128];

    for (size_t i = from; (name = rules_attribute_name(policy->rules, i)).data != NULL; i++) {
        if (!policy_knows_attribute(policy, name, &guess))
            check_complain(
                r->check, r->at, RULE_FORMAT ".uri has {session.%.*s}: no attribute \"%.*s\"%s",
                RULE_ARGS(r), SLICE_ARG(name), SLICE_ARG(name), guess_words(&guess, words));
    }
}

static void read_rule(struct check *check, int index, struct slice role, lua_Integer number,
                      uint32_t role_index)
{
    struct rules_error error;
    struct reading r = {.check = check,
                        .index = index,
                        .role = role,
                        .number = number,
                        .at = place_of(check, index),
                        .rule = {.disclose = RULE_DISCLOSE_AS_ASKED, .trustlevel = -1}};
    size_t before = check->count, attributes = count_attributes(check->policy->rules);

    read_keys(&r);
    if (r.effects != 1)
        check_complain(check, r.at, RULE_FORMAT ": %s; a rule has one of allow, deny, ask",
                       RULE_ARGS(&r), r.effects == 0 ? "no effect" : "more than one effect");
    lua_pushliteral(check->lua, "uri");
    if (lua_rawget(check->lua, index) == LUA_TNIL)
        check_complain(check, r.at, RULE_FORMAT ".uri is missing", RULE_ARGS(&r));
    lua_pop(check->lua, 1);
    if (check->count == before && r.rule.options.len != 0)
        check_options(&r);
    if (check->count != before)
        return;
    r.rule.where = slice_of(at_words(check, r.at));
    if (rules_add(check->policy->rules, role_index, &r.rule, &error) != 0)
        check_complain(check, r.at, RULE_FORMAT ": %s", RULE_ARGS(&r),
                       error.words + r.rule.where.len + strlen(": "));
    check_attributes(&r, attributes);
}

/* ---- a role ---- */

static void read_inherit(struct check *check, int index, struct slice role, struct slice *inherit)
{
    lua_State *lua = check->lua;

    lua_pushliteral(lua, "inherit");
    if (lua_rawget(lua, index) == LUA_TSTRING && lua_rawlen(lua, -1) != 0)
        *inherit = check_text(lua, -1);
    else if (!lua_isnil(lua, -1))
        check_complain(check, places_key(check->places, SLICE("inherit")),
                       "policy.roles.%.*s.inherit: found %s; allowed: the name of a role",
                       SLICE_ARG(role), check_found(check, -1));
    lua_pop(lua, 1);
}

/* What is neither a rule nor `inherit`. */
static void check_role_keys(struct check *check, int index, struct slice role)
{
    lua_State *lua = check->lua;
    lua_Integer count = (lua_Integer)lua_rawlen(lua, index);
    char words[128];

    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        struct slice key = check_text(lua, -2);
        struct guess guess = guess_begin(key);

        if (slice_eq(key, SLICE("inherit")) ||
            (lua_isinteger(lua, -2) && lua_tointeger(lua, -2) >= 1 &&
             lua_tointeger(lua, -2) <= count))
            continue;
        guess_offer(&guess, SLICE("inherit"));
        check_complain(check, check_place(check, lua_gettop(lua), key),
                       "policy.roles.%.*s[%s]: no such option%s", SLICE_ARG(role),
                       check_found(check, lua_gettop(lua) - 1), guess_words(&guess, words));
    }
}

static void read_role(struct check *check, int key, int value)
{
    lua_State *lua = check->lua;
    struct slice role = check_text(lua, key), inherit = {0};
    struct place at = check_place(check, value, role);
    struct rules_error error;
    uint32_t index = 0;

    if (role.len == 0 || slice_eq(role, SLICE("*"))) {
        check_complain(check, places_key(check->places, SLICE("roles")),
                       "policy.roles: found the key %s; allowed: names of roles",
                       check_found(check, key));
        return;
    }
    if (!lua_istable(lua, value)) {
        check_complain(check, at, "policy.roles.%.*s: found %s; allowed: a list of rules",
                       SLICE_ARG(role), check_found(check, value));
        return;
    }
    check_role_keys(check, value, role);
    read_inherit(check, value, role, &inherit);
    if (rules_add_role(check->policy->rules, role, inherit, slice_of(at_words(check, at)), &index,
                       &error) != 0) {
        complain_whole(check, at, error.words);
        return;
    }
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(lua, value); i++) {
        lua_rawgeti(lua, value, i);
        if (lua_istable(lua, -1))
            read_rule(check, lua_gettop(lua), role, i, index);
        else
            check_complain(check, at,
                           "policy.roles.%.*s[%lld]: found %s; allowed: a rule as "
                           "{ allow = \"call\", uri = \"com.acme.**\" }",
                           SLICE_ARG(role), i, check_found(check, -1));
        lua_pop(lua, 1);
    }
}

/* ---- all of them ---- */

/* Roles were not declared: one for everybody, and authorize has the word, or nobody. */
static void add_default(struct check *check)
{
    struct rules *rules = check->policy->rules;
    struct rules_error error;
    struct rule rule = {.effect = RULE_ASK,
                        .actions = RULE_ALL_ACTIONS,
                        .uri = SLICE("**"),
                        .disclose = RULE_DISCLOSE_AS_ASKED,
                        .trustlevel = -1};
    uint32_t role;

    rule.where = slice_of(source_entry(check->policy->source)->label);
    if (rules_add_role(rules, SLICE("*"), (struct slice){0}, rule.where, &role, &error) != 0 ||
        (check->policy->has_authorize && rules_add(rules, role, &rule, &error) != 0))
        luaL_error(check->lua, "%s", error.words);
}

/* Every session has these. */
static const char *const own[] = {"authid", "authrole", "authmethod", "authprovider"};

bool policy_has_attribute(const struct policy *policy, struct slice name)
{
    bool has = policy_attribute(policy, name) != NULL;

    for (size_t i = 0; !has && i < ARRAY_LEN(own); i++)
        has = slice_eq(name, slice_of(own[i]));
    return has;
}

bool policy_knows_attribute(const struct policy *policy, struct slice name, struct guess *guess)
{
    *guess = guess_begin(name);
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        guess_offer(guess, slice_of(own[i]));
    for (size_t i = 0; i < policy->attribute_count; i++)
        guess_offer(guess, policy->attributes[i].name);
    return policy_has_attribute(policy, name);
}

void check_roles(struct check *check, int index)
{
    lua_State *lua = check->lua;
    struct rules_error error;
    bool has_roles = false;

    check->policy->rules = rules_new();
    if (!lua_isnil(lua, index) && !lua_istable(lua, index)) {
        check_complain(check, check_place(check, index, SLICE("roles")),
                       "policy.roles: found %s; allowed: a table of roles",
                       check_found(check, index));
        return;
    }
    if (lua_istable(lua, index)) {
        for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
            read_role(check, lua_gettop(lua) - 1, lua_gettop(lua));
            has_roles = true;
        }
    }
    if (!has_roles)
        add_default(check);
    if (check->count == 0 && rules_freeze(check->policy->rules, &error) != 0)
        complain_whole(check, (struct place){0}, error.words);
}
