/* filters.c -- see filters.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/filters.h"

#include "core/candidates.h"
#include "policy/mind.h"

#include <lauxlib.h>

#include <stdio.h>

#define MAX_VALUES 1000

/* ---- sets ---- */

const struct audience *filters_at(lua_State *lua, int index)
{
    const struct audience **audience = luaL_testudata(lua, index, policy_filter_class.name);

    return audience == NULL ? NULL : *audience;
}

/* An object without an audience yet: what raises then is harmless. */
static const struct audience **new_filter(lua_State *lua)
{
    const struct audience **audience = lua_newuserdatauv(lua, sizeof(struct audience *), 0);

    *audience = NULL;
    luaL_setmetatable(lua, policy_filter_class.name);
    return audience;
}

static int l_gc(lua_State *lua)
{
    const struct audience **audience = lua_touserdata(lua, 1);

    audience_drop(*audience);
    *audience = NULL;
    return 0;
}

static void read_value(lua_State *lua, const char *name, struct audience_value *value)
{
    struct token *token = &value->token;
    struct slice placeholder;

    *value = (struct audience_value){0};
    switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
        token->type = TOKEN_TEXT;
        token->text.data = lua_tolstring(lua, -1, &token->text.len);
        placeholder = audience_placeholder(token->text);
        if (placeholder.data != NULL) {
            value->is_publishers = true;
            token->text = placeholder;
        }
        break;
    case LUA_TBOOLEAN:
        token->type = TOKEN_BOOL;
        token->boolean = lua_toboolean(lua, -1) != 0;
        break;
    case LUA_TNUMBER:
        if (!lua_isinteger(lua, -1)) {
            token->type = TOKEN_FLOAT;
            token->real = lua_tonumber(lua, -1);
        } else if (lua_tointeger(lua, -1) < 0) {
            token->type = TOKEN_INT;
            token->integer = lua_tointeger(lua, -1);
        } else {
            token->type = TOKEN_UINT;
            token->natural = (uint64_t)lua_tointeger(lua, -1);
        }
        break;
    default:
        luaL_error(lua, "%s: found %s; allowed: a text, a number, a boolean, or a list of them",
                   name, lua_isnil(lua, -1) ? "nil" : luaL_typename(lua, -1));
    }
}

/* How many items the list at the index has; anything else in it would be overlooked. */
static size_t list_len(lua_State *lua, int index, const char *name)
{
    size_t len = lua_rawlen(lua, index), count = 0;

    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1))
        count++;
    if (count != len)
        luaL_error(lua,
                   "%s: found a table that is no list; allowed: a text, a number, a boolean, "
                   "or a list of them",
                   name);
    return len;
}

/* The values at 2 to `last`; a list stands for its items. */
static size_t read_values(lua_State *lua, int last, const char *name, struct audience_value *values)
{
    size_t count = 0;

    for (int i = 2; i <= last; i++) {
        size_t items = lua_istable(lua, i) ? list_len(lua, i, name) : 1;

        for (size_t k = 1; k <= items; k++) {
            if (count == MAX_VALUES)
                luaL_error(lua, "%s: more than %d values", name, MAX_VALUES);
            if (lua_istable(lua, i))
                lua_rawgeti(lua, i, (lua_Integer)k); /* the list keeps it */
            else
                lua_pushvalue(lua, i);
            read_value(lua, name, &values[count++]);
            lua_pop(lua, 1);
        }
    }
    return count;
}

static int make(lua_State *lua, const char *name, bool is_only)
{
    int last = lua_gettop(lua);
    struct slice attribute;
    struct audience_value *values;
    const struct audience **audience;
    struct fault fault;
    size_t count;

    attribute.data = luaL_checklstring(lua, 1, &attribute.len);
    if (last < 2)
        return luaL_error(lua, "%s: no value for \"%s\"", name, attribute.data);
    luaL_checkstack(lua, 6, NULL);
    values = lua_newuserdatauv(lua, MAX_VALUES * sizeof(*values), 0);
    count = read_values(lua, last, name, values);
    audience = new_filter(lua);
    *audience = is_only ? audience_only(attribute, values, count, &fault)
                        : audience_except(attribute, values, count, &fault);
    if (*audience == NULL)
        return luaL_error(lua, "%s: %s", name, fault.words);
    return 1;
}

static int l_only(lua_State *lua)
{
    return make(lua, "nexus.only", true);
}

static int l_except(lua_State *lua)
{
    return make(lua, "nexus.except", false);
}

static int join(lua_State *lua, bool is_both)
{
    const struct audience *a = filters_at(lua, 1), *b = filters_at(lua, 2);
    const struct audience **audience;
    struct fault fault;

    if (a == NULL || b == NULL)
        return luaL_error(lua, "a filter can be joined with a filter only; found a %s",
                          luaL_typename(lua, a == NULL ? 1 : 2));
    audience = new_filter(lua);
    *audience = is_both ? audience_both(a, b, &fault) : audience_either(a, b, &fault);
    return *audience == NULL ? luaL_error(lua, "%s", fault.words) : 1;
}

static int l_both(lua_State *lua)
{
    return join(lua, true);
}

static int l_either(lua_State *lua)
{
    return join(lua, false);
}

/* ---- predicates ---- */

struct judgement {
    lua_State *lua;
    int predicate; /* index */
    struct hearing *hearing;
    struct audience_tree *tree;
    uint64_t session;  /* that is judged */
    const char *words; /* of the first error, in the arena of the hearing */
};

/* Of a judgement: calls the predicate for its session; the answer is left. */
static int l_judge_one(lua_State *lua)
{
    const struct judgement *judgement = lua_touserdata(lua, 1);

    lua_pushvalue(lua, 2);
    l_views_push_session(lua, judgement->hearing->mind, judgement->session);
    lua_call(lua, 1, 1);
    if (!lua_isboolean(lua, -1) && !lua_isnil(lua, -1))
        return luaL_error(lua, "a filter predicate returned a %s; allowed: true, false, nil",
                          luaL_typename(lua, -1));
    return 1;
}

static void note_error(struct judgement *judgement, int status)
{
    lua_State *lua = judgement->lua;
    bool is_text = lua_type(lua, -1) == LUA_TSTRING;
    const char *words = is_text ? lua_tostring(lua, -1) : "an error that is no text";
    struct arena *arena = &judgement->hearing->arena;
    lua_Debug function;

    if (judgement->words != NULL || door_is_over(lua)) /* the door names what it stops */
        return;
    if (is_text && status != LUA_ERRMEM) {
        judgement->words = arena_copy(arena, slice_make(words, strlen(words) + 1)).data;
        return;
    }
    lua_pushvalue(lua, judgement->predicate); /* these words have no place, so it gets its own */
    if (lua_getinfo(lua, ">S", &function) != 0)
        judgement->words =
            policy_format(arena, "%s:%d: %s", function.short_src, function.linedefined, words);
}

/* Nothing may raise here: functions of the core called it. */
static bool judge(void *ctx, const struct session *session)
{
    struct judgement *judgement = ctx;
    lua_State *lua = judgement->lua;
    struct reads *reads = &judgement->hearing->reads;
    int top = lua_gettop(lua);
    bool is_in = false;
    int status;

    if (audience_tree_ask(judgement->tree, session) != AUDIENCE_UNKNOWN)
        return true;
    judgement->session = core_candidate_id(session);
    reads_reset(reads, judgement->session);
    lua_pushcfunction(lua, l_judge_one);
    lua_pushlightuserdata(lua, judgement);
    lua_pushvalue(lua, judgement->predicate);
    status = lua_pcall(lua, 2, 1, 0);
    if (status != LUA_OK)
        note_error(judgement, status);
    is_in = status == LUA_OK && lua_toboolean(lua, -1) != 0;
    lua_settop(lua, top);
    if (reads->is_unkept) {
        reads->looks[0] = (struct audience_look){.kind = LOOK_SELF};
        reads->count = 1;
    }
    audience_tree_add(judgement->tree, session, reads->looks, reads->count, is_in);
    return !door_is_over(lua);
}

struct audience *l_filters_judge(lua_State *lua, int index, struct hearing *hearing)
{
    struct core *core = realm_own_core(hearing->mind->realm);
    struct judgement judgement = {
        .lua = lua, .predicate = lua_absindex(lua, index), .hearing = hearing, .tree = NULL};

    luaL_checkstack(lua, 20, NULL);
    judgement.tree = audience_tree_new(core);
    door_last_stretch(lua, &policy_of(lua)->budgets[BUDGET_PREDICATE],
                      "cannot wait in a filter predicate; look it up in policy.filter");
    hearing->fiber.is_judging = true;
    core_each_candidate(core, hearing->question, &hearing->grant, judge, &judgement);
    hearing->fiber.is_judging = false;
    if (judgement.words != NULL)
        mind_complain(hearing->mind, hearing->fiber.version, "predicate", judgement.words, NULL);
    return audience_of_tree(judgement.tree);
}

/* ---- the tables ---- */

static void open_class(lua_State *lua)
{
    lua_pushcfunction(lua, l_gc);
    lua_setfield(lua, -2, "__gc");
}

static const struct module_row class_rows[] = {
    {"__band", l_both, "fun(a: nexus.Filter, b: nexus.Filter): nexus.Filter",
     "a & b: those who pass both.", NULL},
    {"__bor", l_either, "fun(a: nexus.Filter, b: nexus.Filter): nexus.Filter",
     "a | b: those who pass one of them.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct module_row rows[] = {
    {"only", l_only, "fun(attribute: string, ...: any): nexus.Filter",
     "Those whose attribute is one of these values, or a list that has one of them. "
     "\"{session.x}\" is the publisher's attribute x.",
     "nil, and values that attributes cannot have"},
    {"except", l_except, "fun(attribute: string, ...: any): nexus.Filter",
     "All but those whose attribute is one of these values, or a list that has one of them.",
     "nil, and values that attributes cannot have"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table policy_filters = {"nexus", rows, NULL};
const struct module_table policy_filter_class = {"nexus.Filter", class_rows, open_class};
