/* core_govern.c -- see core_govern.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core_govern.h"

#include "core/record.h"
#include "core/throttle.h"

#include <lauxlib.h>

/* intercepts = { "publish", "call", "result", "error" } */
static unsigned read_intercepts(lua_State *L, int table)
{
    static const char *const names[] = {"publish", "call", "result", "error", NULL};
    unsigned intercepts = 0;

    if (lua_getfield(L, table, "intercepts") != LUA_TNIL)
        for (lua_Integer i = 1, count = luaL_len(L, -1); i <= count; i++) {
            lua_geti(L, -1, i);
            intercepts |= 1U << luaL_checkoption(L, -1, NULL, names);
            lua_pop(L, 1);
        }
    lua_pop(L, 1);
    return intercepts;
}

/* A list of names, or NULL. Leaves its memory on the stack. */
static const char *const *read_names(lua_State *L, int table, const char *key)
{
    const char **names;
    lua_Integer count;

    if (lua_getfield(L, table, key) == LUA_TNIL)
        return NULL;
    count = luaL_len(L, -1);
    names = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *names, 0);
    for (lua_Integer i = 0; i < count; i++) {
        lua_geti(L, -2, i + 1);
        names[i] = luaL_checkstring(L, -1); /* the table keeps it alive */
        lua_pop(L, 1);
    }
    names[count] = NULL;
    return names;
}

static const char *text_field(lua_State *L, const char *key, const char *otherwise)
{
    const char *text;

    lua_getfield(L, -1, key);
    text = luaL_optstring(L, -1, otherwise); /* the table keeps it alive */
    lua_pop(L, 1);
    return text;
}

static double number_field(lua_State *L, const char *key)
{
    double number;

    lua_getfield(L, -1, key);
    number = luaL_optnumber(L, -1, 0);
    lua_pop(L, 1);
    return number;
}

static int choice_field(lua_State *L, const char *key, const char *const *choices)
{
    int which;

    lua_getfield(L, -1, key);
    which = luaL_checkoption(L, -1, choices[0], choices);
    lua_pop(L, 1);
    return which;
}

/* The limit on top of the stack. */
static void read_limit(lua_State *L, struct limit_options *limit)
{
    static const char *const actions[] = {
        [LIMIT_CALL] = "call",           [LIMIT_REGISTER] = "register", [LIMIT_PUBLISH] = "publish",
        [LIMIT_SUBSCRIBE] = "subscribe", [LIMIT_JOIN] = "join",         [LIMIT_SESSION] = "session",
        [LIMIT_ACTION_COUNT] = NULL};
    static const char *const overs[] = {[LIMIT_DENY] = "deny",
                                        [LIMIT_WAIT] = "wait",
                                        [LIMIT_CLOSE] = "close",
                                        [LIMIT_REPLACE_OLDEST] = "replace_oldest",
                                        NULL};
    struct rules_error error;

    *limit = (struct limit_options){.action = (enum limit_action)choice_field(L, "action", actions),
                                    .role = text_field(L, "role", NULL),
                                    .uri = text_field(L, "uri", NULL),
                                    .per = text_field(L, "per", NULL),
                                    .rate = number_field(L, "rate"),
                                    .burst = (uint32_t)number_field(L, "burst"),
                                    .max = (uint32_t)number_field(L, "max"),
                                    .over = (enum limit_over)choice_field(L, "over", overs)};
    if (limit_check(limit, &error) < 0)
        luaL_error(L, "limits: %s", error.words);
}

/* Leaves its memory on the stack. */
static void read_limits(lua_State *L, int table, struct core_options *options)
{
    struct limit_options *limits;

    if (lua_getfield(L, table, "limits") == LUA_TNIL)
        return;
    options->limit_count = (size_t)luaL_len(L, -1);
    limits = lua_newuserdatauv(L, (options->limit_count + 1) * sizeof *limits, 0);
    for (size_t i = 0; i < options->limit_count; i++) {
        lua_geti(L, -2, (lua_Integer)i + 1);
        read_limit(L, &limits[i]);
        lua_pop(L, 1);
    }
    options->limits = limits;
}

void core_govern_read(lua_State *L, int table, struct core_options *options)
{
    options->intercepts = read_intercepts(L, table);
    options->expose = read_names(L, table, "expose");
    options->filterable = read_names(L, table, "filterable");
    lua_getfield(L, table, "asks_filter");
    options->asks_filter = lua_toboolean(L, -1);
    lua_pop(L, 1);
    read_limits(L, table, options);
}

/* ---- what is seen ---- */

static void set_octets(lua_State *L, const char *key, struct slice octets)
{
    lua_pushlstring(L, octets.data == NULL ? "" : octets.data, octets.len);
    lua_setfield(L, -2, key);
}

static void set_integer(lua_State *L, const char *key, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

void core_govern_push_look(lua_State *L, const struct look *look)
{
    lua_createtable(L, 0, 16);
    set_integer(L, "id", look->id);
    set_integer(L, "peer", look->peer);
    set_octets(L, "authid", look->authid);
    set_octets(L, "authrole", look->authrole);
    set_octets(L, "authmethod", look->authmethod);
    set_octets(L, "authprovider", look->authprovider);
    set_octets(L, "codec", slice_of(codec_name(look->codec)));
    set_octets(L, "details", look->details);
    if (look->vars.len != 0)
        set_octets(L, "vars", look->vars);
    set_integer(L, "trustlevel", (uint64_t)look->trustlevel);
    set_integer(L, "joined", look->joined);
    set_integer(L, "roles", look->roles);
    set_integer(L, "features", look->features);
    lua_pushboolean(L, look->is_trusted);
    lua_setfield(L, -2, "is_trusted");
}

/* Appends the value on top of the stack to the list below it. */
static void append(lua_State *L)
{
    lua_seti(L, -2, luaL_len(L, -2) + 1);
}

static bool see_session(void *ctx, const struct look *look)
{
    lua_State *L = ctx;

    lua_pushinteger(L, (lua_Integer)look->id);
    append(L);
    return true;
}

struct token core_govern_token(lua_State *L)
{
    struct token token = {.type = TOKEN_NULL};

    if (lua_isboolean(L, -1)) {
        token = (struct token){.type = TOKEN_BOOL, .boolean = lua_toboolean(L, -1)};
    } else if (lua_isinteger(L, -1)) {
        lua_Integer value = lua_tointeger(L, -1);

        token = value < 0 ? (struct token){.type = TOKEN_INT, .integer = value}
                          : (struct token){.type = TOKEN_UINT, .natural = (uint64_t)value};
    } else if (lua_type(L, -1) == LUA_TNUMBER) {
        token = (struct token){.type = TOKEN_FLOAT, .real = lua_tonumber(L, -1)};
    } else if (lua_type(L, -1) == LUA_TSTRING) {
        token.type = TOKEN_TEXT;
        token.text.data = lua_tolstring(L, -1, &token.text.len);
    }
    return token;
}

void core_govern_push_sessions(lua_State *L, const struct core *core, int table)
{
    struct look_want wants[8];
    size_t count = 0;

    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        luaL_argcheck(L, count < 8, table, "at most 8 attributes");
        wants[count].name.data = luaL_checklstring(L, -2, &wants[count].name.len);
        wants[count++].value = core_govern_token(L);
        lua_pop(L, 1);
    }
    lua_newtable(L);
    core_each_session(core, wants, count, see_session, L);
}

static bool see_holder(void *ctx, uint64_t session, uint64_t id, enum match match, struct slice uri)
{
    lua_State *L = ctx;

    lua_createtable(L, 0, 4);
    set_integer(L, "session", session);
    set_integer(L, "id", id);
    set_octets(L, "match", slice_of(match_name(match)));
    set_octets(L, "uri", uri);
    append(L);
    return true;
}

void core_govern_push_subscribers(lua_State *L, const struct core *core, struct slice topic)
{
    lua_newtable(L);
    core_each_subscriber(core, topic, see_holder, L);
}

void core_govern_push_callees(lua_State *L, const struct core *core, struct slice uri)
{
    lua_newtable(L);
    core_each_callee(core, uri, see_holder, L);
}

/* Two of them are enough to see that it stops. */
static bool see_record(void *ctx, const struct record *record)
{
    lua_State *L = ctx;

    lua_createtable(L, 0, 4);
    set_integer(L, "publication", record->publication);
    set_integer(L, "publisher", record->publisher);
    set_octets(L, "args", record->msg.payload.args);
    append(L);
    return luaL_len(L, -1) < 2;
}

void core_govern_push_retained(lua_State *L, const struct core *core, struct slice topic)
{
    lua_newtable(L);
    core_each_retained(core, topic, see_record, L);
}
