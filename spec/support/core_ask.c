/* core_ask.c -- see core_ask.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core_ask.h"

#include "core_audience.h"
#include "core_govern.h"

#include <lauxlib.h>

/* ---- fields ---- */

static const char *text_or_null(lua_State *L, int table, const char *key)
{
    const char *text;

    lua_getfield(L, table, key);
    text = luaL_optstring(L, -1, NULL); /* the table keeps it alive */
    lua_pop(L, 1);
    return text;
}

static struct slice octets_of(lua_State *L, int table, const char *key)
{
    struct slice octets = {0};

    lua_getfield(L, table, key);
    if (!lua_isnil(L, -1))
        octets.data = luaL_checklstring(L, -1, &octets.len);
    lua_pop(L, 1);
    return octets;
}

static int64_t integer_of(lua_State *L, int table, const char *key, int64_t otherwise)
{
    int64_t value;

    lua_getfield(L, table, key);
    value = luaL_optinteger(L, -1, otherwise);
    lua_pop(L, 1);
    return value;
}

static bool bool_of(lua_State *L, int table, const char *key)
{
    bool value;

    lua_getfield(L, table, key);
    value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

static int choice_of(lua_State *L, int table, const char *key, const char *const *choices)
{
    int which;

    lua_getfield(L, table, key);
    which = luaL_checkoption(L, -1, NULL, choices);
    lua_pop(L, 1);
    return which;
}

/* ---- rules ---- */

static enum rule_disclose disclose_of(lua_State *L, int table)
{
    enum rule_disclose disclose = RULE_DISCLOSE_AS_ASKED;

    if (lua_getfield(L, table, "disclose") != LUA_TNIL)
        disclose = lua_toboolean(L, -1) ? RULE_DISCLOSE_ALWAYS : RULE_DISCLOSE_NEVER;
    lua_pop(L, 1);
    return disclose;
}

/* The rule on top of the stack. */
static int add_rule(lua_State *L, struct rules *rules, uint32_t role, struct rules_error *error)
{
    static const char *const effects[] = {
        [RULE_DENY] = "deny", [RULE_ASK] = "ask", [RULE_ALLOW] = "allow", NULL};
    int table = lua_gettop(L);
    struct rule rule = {.effect = (enum rule_effect)choice_of(L, table, "effect", effects),
                        .uri = octets_of(L, table, "uri"),
                        .where = SLICE("the spec"),
                        .disclose = disclose_of(L, table),
                        .trustlevel = integer_of(L, table, "trustlevel", -1),
                        .timeout_ms = (uint64_t)integer_of(L, table, "timeout", 0),
                        .options = octets_of(L, table, "options")};

    if (lua_getfield(L, table, "filter") != LUA_TNIL)
        rule.filter = core_audience_read(L, NULL, NULL, NULL);
    int err = rules_parse_actions(octets_of(L, table, "actions"), &rule.actions, error);
    if (err == 0)
        err = rules_add(rules, role, &rule, error);
    audience_drop(rule.filter);
    return err;
}

/* The role on top of the stack. */
static int add_role(lua_State *L, struct rules *rules, struct rules_error *error)
{
    int table = lua_gettop(L), err;
    uint32_t role;

    err = rules_add_role(rules, octets_of(L, table, "name"), octets_of(L, table, "inherit"),
                         SLICE("the spec"), &role, error);
    lua_getfield(L, table, "rules");
    for (lua_Integer i = 1; err == 0 && lua_geti(L, table + 1, i) != LUA_TNIL; i++) {
        err = add_rule(L, rules, role, error);
        lua_settop(L, table + 1);
    }
    lua_settop(L, table);
    return err;
}

struct rules *core_ask_rules(lua_State *L, int table)
{
    struct rules_error error;
    struct rules *rules;
    int list = lua_gettop(L) + 1, err = 0;

    if (lua_getfield(L, table, "rules") == LUA_TNIL) {
        lua_pop(L, 1);
        return NULL;
    }
    rules = rules_new();
    for (lua_Integer i = 1; err == 0 && lua_geti(L, list, i) != LUA_TNIL; i++) {
        err = add_role(L, rules, &error);
        lua_settop(L, list);
    }
    if (err == 0)
        err = rules_freeze(rules, &error);
    lua_settop(L, list - 1);
    if (err == 0)
        return rules;
    rules_free(rules);
    luaL_error(L, "rules: %s", error.words);
    return NULL;
}

/* ---- questions ---- */

static void set_octets(lua_State *L, const char *key, struct slice octets)
{
    if (octets.data == NULL)
        return;
    lua_pushlstring(L, octets.data, octets.len);
    lua_setfield(L, -2, key);
}

static void set_integer(lua_State *L, const char *key, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

static void set_msg(lua_State *L, const char *key, const struct msg *msg)
{
    if (msg == NULL)
        return;
    lua_createtable(L, 0, 8);
    set_integer(L, "type", (uint64_t)msg->type);
    set_octets(L, "codec", slice_of(codec_name(msg->codec)));
    set_integer(L, "id", msg->id);
    set_octets(L, "text", msg->text);
    if (msg->dict.len != 0)
        set_octets(L, "dict", msg->dict);
    if (msg->payload.args.len != 0)
        set_octets(L, "args", msg->payload.args);
    if (msg->payload.kwargs.len != 0)
        set_octets(L, "kwargs", msg->payload.kwargs);
    lua_setfield(L, -2, key);
}

static void set_transport(lua_State *L, const struct transport *transport)
{
    if (transport == NULL)
        return;
    lua_createtable(L, 0, 6);
    set_octets(L, "type", slice_of(transport_name(transport->type)));
    set_octets(L, "codec", slice_of(codec_name(transport->codec)));
    set_octets(L, "protocol", slice_of(transport->protocol));
    set_octets(L, "peer", slice_of(transport->peer));
    if (transport->cookie != NULL)
        set_octets(L, "cookie", slice_of(transport->cookie));
    set_integer(L, "send_max", transport->send_max);
    lua_setfield(L, -2, "transport");
}

/* needs = "authorize intercept" */
static void set_needs(lua_State *L, unsigned needs)
{
    static const char *const names[] = {"authorize", "intercept", "filter"};
    luaL_Buffer words;

    luaL_buffinit(L, &words);
    for (unsigned i = 0; i < 3; i++) {
        if ((needs & (1U << i)) == 0)
            continue;
        if (luaL_bufflen(&words) != 0)
            luaL_addchar(&words, ' ');
        luaL_addstring(&words, names[i]);
    }
    luaL_pushresult(&words);
    lua_setfield(L, -2, "needs");
}

/* given = { disclose = true, trustlevel = 3, timeout = 100 }, as far as the rules gave it */
static void set_given(lua_State *L, const struct grant *given)
{
    lua_createtable(L, 0, 3);
    if (given->discloses || given->hides) {
        lua_pushboolean(L, given->discloses);
        lua_setfield(L, -2, "disclose");
    }
    if (given->has_trustlevel)
        set_integer(L, "trustlevel", (uint64_t)given->trustlevel);
    if (given->timeout_ms != 0)
        set_integer(L, "timeout", given->timeout_ms);
    lua_setfield(L, -2, "given");
}

void core_ask_push(lua_State *L, const struct question *question)
{
    static const char *const asks[] = {[ASK_JOIN] = "join",
                                       [ASK_RETAINED] = "retained",
                                       [ASK_AUTHENTICATE] = "authenticate",
                                       [ASK_AUTHORIZE] = "authorize",
                                       [ASK_ANSWER] = "answer",
                                       [ASK_RECHECK] = "recheck"};
    static const char *const matches[] = {
        [MATCH_EXACT] = "exact", [MATCH_PREFIX] = "prefix", [MATCH_WILDCARD] = "wildcard"};

    lua_createtable(L, 0, 12);
    set_integer(L, "id", question->id);
    set_octets(L, "ask", slice_of(asks[question->ask]));
    set_integer(L, "round", question->round);
    set_integer(L, "peer", question->peer);
    set_integer(L, "session", question->session);
    set_msg(L, "message", question->msg);
    set_msg(L, "hello", question->hello);
    set_transport(L, question->transport);
    if (question->ask == ASK_ANSWER) {
        set_integer(L, "caller", question->caller);
        set_octets(L, "procedure", question->procedure);
    }
    if (question->publisher != NULL) {
        core_govern_push_look(L, question->publisher);
        lua_setfield(L, -2, "publisher");
    }
    if (question->ask == ASK_RETAINED) {
        set_needs(L, question->needs);
        set_integer(L, "publication", question->publication);
    }
    if (question->ask != ASK_AUTHORIZE && question->ask != ASK_RECHECK)
        return;
    set_octets(L, "action", slice_of(rules_action_name(question->action)));
    set_octets(L, "match", slice_of(matches[question->match]));
    set_needs(L, question->needs);
    if (question->publication != 0)
        set_integer(L, "publication", question->publication);
    if (question->is_chunk) {
        lua_pushboolean(L, true);
        lua_setfield(L, -2, "is_chunk");
    }
    set_given(L, &question->given);
}

/* ---- decisions ---- */

/* grant = { disclose = true, trustlevel = 3, timeout = 100, is_explicit = true, uri = "..." }, and
 * args, kwargs and options, encoded. */
static void read_grant(lua_State *L, int table, enum codec codec, struct grant *grant)
{
    *grant = (struct grant){.codec = codec};
    if (lua_getfield(L, table, "grant") != LUA_TNIL) {
        int at = lua_gettop(L);
        enum rule_disclose disclose = disclose_of(L, at);

        grant->discloses = disclose == RULE_DISCLOSE_ALWAYS;
        grant->hides = disclose == RULE_DISCLOSE_NEVER;
        grant->trustlevel = integer_of(L, at, "trustlevel", -1);
        grant->has_trustlevel = grant->trustlevel >= 0;
        grant->timeout_ms = (uint64_t)integer_of(L, at, "timeout", 0);
        grant->is_explicit = bool_of(L, at, "is_explicit");
        grant->uri = octets_of(L, at, "uri");
        grant->args = octets_of(L, at, "args");
        grant->kwargs = octets_of(L, at, "kwargs");
        grant->options = octets_of(L, at, "options");
    }
    lua_pop(L, 1);
}

static void read_reads(lua_State *L, int table, struct decision *decision, struct slice *reads)
{
    decision->reads = reads;
    if (lua_getfield(L, table, "reads") != LUA_TNIL) {
        decision->read_count = (size_t)luaL_len(L, -1);
        luaL_argcheck(L, decision->read_count <= CORE_ASK_READS, table, "too many reads");
        for (size_t i = 0; i < decision->read_count; i++) {
            lua_geti(L, -1, (lua_Integer)i + 1);
            reads[i].data = luaL_checklstring(L, -1, &reads[i].len); /* the table keeps it alive */
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

void core_ask_read(lua_State *L, int table, struct decision *decision, struct slice *reads)
{
    static const char *const verdicts[] = {
        [VERDICT_ACCEPT] = "accept", [VERDICT_CHALLENGE] = "challenge", [VERDICT_REFUSE] = "refuse",
        [VERDICT_ALLOW] = "allow",   [VERDICT_DENY] = "deny",           NULL};
    static const char *const codecs[] = {
        [CODEC_JSON] = "json", [CODEC_MSGPACK] = "msgpack", [CODEC_CBOR] = "cbor", NULL};

    *decision = (struct decision){.question = (uint64_t)integer_of(L, table, "question", 0),
                                  .verdict = (enum verdict)choice_of(L, table, "verdict", verdicts),
                                  .codec = (enum codec)choice_of(L, table, "codec", codecs),
                                  .authmethod = octets_of(L, table, "authmethod"),
                                  .extra = octets_of(L, table, "extra"),
                                  .authid = octets_of(L, table, "authid"),
                                  .authrole = octets_of(L, table, "authrole"),
                                  .authprovider = octets_of(L, table, "authprovider"),
                                  .attributes = octets_of(L, table, "attributes"),
                                  .trustlevel = integer_of(L, table, "trustlevel", -1),
                                  .is_admin = bool_of(L, table, "is_admin"),
                                  .expires = (uint64_t)integer_of(L, table, "expires", 0),
                                  .reason = text_or_null(L, table, "reason"),
                                  .words = text_or_null(L, table, "words"),
                                  .cause = text_or_null(L, table, "cause"),
                                  .kwargs = octets_of(L, table, "kwargs"),
                                  .closes = bool_of(L, table, "closes")};
    decision->keep_ms = (uint32_t)integer_of(L, table, "keep", 0);
    read_reads(L, table, decision, reads);
    read_grant(L, table, decision->codec, &decision->grant);
}
