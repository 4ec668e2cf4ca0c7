/* core_audience.c -- see core_audience.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core_audience.h"

#include "core/candidates.h"

#include <lauxlib.h>

#define MAX_VALUES 20000
#define MAX_LOOKS  100

/* ---- values ---- */

static struct token token_at(lua_State *L, int at)
{
    struct token token = {.type = TOKEN_NULL};

    switch (lua_type(L, at)) {
    case LUA_TBOOLEAN:
        token.type = TOKEN_BOOL;
        token.boolean = lua_toboolean(L, at);
        break;
    case LUA_TNUMBER:
        if (!lua_isinteger(L, at)) {
            token.type = TOKEN_FLOAT;
            token.real = lua_tonumber(L, at);
        } else if (lua_tointeger(L, at) < 0) {
            token.type = TOKEN_INT;
            token.integer = lua_tointeger(L, at);
        } else {
            token.type = TOKEN_UINT;
            token.natural = (uint64_t)lua_tointeger(L, at);
        }
        break;
    case LUA_TSTRING:
        token.type = TOKEN_TEXT;
        token.text.data = lua_tolstring(L, at, &token.text.len); /* its table keeps it alive */
        break;
    default:
        break;
    }
    return token;
}

/* The value on top of the stack. */
static struct audience_value value_of(lua_State *L)
{
    struct audience_value value = {.is_publishers = lua_type(L, -1) == LUA_TTABLE};

    if (!value.is_publishers) {
        value.token = token_at(L, -1);
        return value;
    }
    lua_getfield(L, -1, "publisher");
    value.token = token_at(L, -1);
    lua_pop(L, 1);
    return value;
}

static const struct audience *checked(lua_State *L, const struct audience *made,
                                      const struct fault *fault)
{
    if (made == NULL)
        luaL_error(L, "%s: %s", fault->uri, fault->words);
    return made;
}

/* ---- conditions ---- */

static const struct audience *read_condition(lua_State *L, int table, bool is_only)
{
    struct audience_value *values;
    const struct audience *made;
    struct slice attribute;
    struct fault fault;
    size_t count;

    attribute.data = luaL_checklstring(L, -1, &attribute.len);
    lua_getfield(L, table, "values");
    count = (size_t)luaL_len(L, -1);
    luaL_argcheck(L, count <= MAX_VALUES, 1, "too many values");
    values = lua_newuserdatauv(L, (count + 1) * sizeof *values, 0);
    for (size_t i = 0; i < count; i++) {
        lua_geti(L, -2, (lua_Integer)i + 1);
        values[i] = value_of(L);
        lua_pop(L, 1);
    }
    made = is_only ? audience_only(attribute, values, count, &fault)
                   : audience_except(attribute, values, count, &fault);
    return checked(L, made, &fault);
}

/* The pair on top of the stack. */
static const struct audience *read_pair(lua_State *L, struct core *core,
                                        const struct question *question, const struct grant *grant,
                                        bool is_both)
{
    const struct audience *pair[2], *made;
    struct fault fault;

    for (int i = 0; i < 2; i++) {
        lua_geti(L, -1, i + 1);
        pair[i] = core_audience_read(L, core, question, grant);
        lua_pop(L, 1);
    }
    made = is_both ? audience_both(pair[0], pair[1], &fault)
                   : audience_either(pair[0], pair[1], &fault);
    audience_drop(pair[0]);
    audience_drop(pair[1]);
    return checked(L, made, &fault);
}

/* ---- predicates ---- */

struct run {
    lua_State *L;
    int function; /* its place */
    struct audience_tree *tree;
};

/* The look on top of the stack. */
static struct audience_look look_of(lua_State *L)
{
    static const char *const kinds[] = {
        [LOOK_VALUE] = "value", [LOOK_HAS] = "has", [LOOK_SELF] = "self", NULL};
    struct audience_look look;

    lua_geti(L, -1, 1);
    look.kind = (enum audience_look_kind)luaL_checkoption(L, -1, NULL, kinds);
    lua_geti(L, -2, 2);
    look.attribute = token_at(L, -1).text;
    lua_geti(L, -3, 3);
    look.value = token_at(L, -1);
    lua_pop(L, 3);
    return look;
}

static bool run(void *ctx, const struct session *session)
{
    struct run *run = ctx;
    lua_State *L = run->L;
    struct audience_look looks[MAX_LOOKS];
    size_t count;
    int top = lua_gettop(L);

    if (audience_tree_ask(run->tree, session) != AUDIENCE_UNKNOWN)
        return true;
    lua_pushvalue(L, run->function);
    lua_pushinteger(L, (lua_Integer)core_candidate_id(session));
    lua_call(L, 1, 2);
    count = (size_t)luaL_len(L, -1);
    luaL_argcheck(L, count <= MAX_LOOKS, 1, "too many looks");
    for (size_t i = 0; i < count; i++) {
        lua_geti(L, -1, (lua_Integer)i + 1);
        looks[i] = look_of(L);
        lua_pop(L, 1);
    }
    audience_tree_add(run->tree, session, looks, count, lua_toboolean(L, -2));
    lua_settop(L, top);
    return true;
}

/* The function on top of the stack. */
static const struct audience *read_predicate(lua_State *L, struct core *core,
                                             const struct question *question,
                                             const struct grant *grant)
{
    struct run about = {L, lua_gettop(L), NULL};

    luaL_argcheck(L, core != NULL && question != NULL, 1, "a predicate needs a question");
    about.tree = audience_tree_new(core);
    core_each_candidate(core, question, grant, run, &about);
    return audience_of_tree(about.tree);
}

const struct audience *core_audience_read(lua_State *L, struct core *core,
                                          const struct question *question,
                                          const struct grant *grant)
{
    int table = lua_gettop(L);
    const struct audience *made = NULL;

    luaL_checkstack(L, 20, "an audience is too deep");
    if (lua_type(L, table) == LUA_TSTRING)
        return audience_nobody();
    luaL_checktype(L, table, LUA_TTABLE);
    if (lua_getfield(L, table, "only") != LUA_TNIL)
        made = read_condition(L, table, true);
    else if (lua_getfield(L, table, "except") != LUA_TNIL)
        made = read_condition(L, table, false);
    else if (lua_getfield(L, table, "both") != LUA_TNIL)
        made = read_pair(L, core, question, grant, true);
    else if (lua_getfield(L, table, "either") != LUA_TNIL)
        made = read_pair(L, core, question, grant, false);
    else if (lua_getfield(L, table, "predicate") != LUA_TNIL)
        made = read_predicate(L, core, question, grant);
    else
        luaL_error(L, "an audience is only, except, both, either or predicate");
    lua_settop(L, table);
    return made;
}
