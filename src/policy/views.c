/* views.c -- request, hello and session, as hooks see them.
 *
 * A view of a request or a HELLO is a hearing and its generation at that time: when the hearing has
 * ended the numbers differ, and reading raises. That of a session is its number, or the hearing of
 * policy.admit as long as it is none. Nothing is decoded before it is read; what was decoded stays
 * in the view.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/guess.h"
#include "policy/facts.h"
#include "policy/mind.h"
#include "script/values.h"
#include "wire/uri.h"

#include <lauxlib.h>

struct view {
    struct hearing *hearing;
    uint32_t generation;
};

enum field {
    FIELD_ACTION = 1,
    FIELD_URI,
    FIELD_MATCH,
    FIELD_SESSION,
    FIELD_OPTIONS,
    FIELD_ARGS,
    FIELD_KWARGS,
    FIELD_PARAMS,
    FIELD_ID,
    FIELD_REALM,
    FIELD_TRUSTLEVEL,
    FIELD_TRANSPORT,
    FIELD_METHOD,
    FIELD_DETAIL, /* a key of the details by that name */
    FIELD_HELLO,  /* a key of HELLO.Details */
    FIELD_AGENT,
    FIELD_COOKIE,
};

struct field_row {
    const char *name;
    enum field field;
};

#define CACHED 5 /* user values of a view of a request: fields from SESSION to PARAMS */

/* ---- checking ---- */

static struct hearing *hearing_of(lua_State *lua, const char *words)
{
    const struct view *view = lua_touserdata(lua, 1);

    if (UNLIKELY(view->generation != view->hearing->generation || view->hearing->question == NULL))
        luaL_error(lua, "%s is over", words);
    return view->hearing;
}

/* The number of the field whose name is at 2, by the table in the first upvalue; 0: none. */
static enum field field_at(lua_State *lua)
{
    enum field field;

    lua_pushvalue(lua, 2);
    lua_rawget(lua, lua_upvalueindex(1));
    field = (enum field)lua_tointeger(lua, -1);
    lua_pop(lua, 1);
    return field;
}

static int unknown_field(lua_State *lua, const struct field_row *rows, const char *what)
{
    struct guess guess;
    struct slice name = {0};
    char words[128];

    if (lua_type(lua, 2) == LUA_TSTRING)
        name.data = lua_tolstring(lua, 2, &name.len);
    guess = guess_begin(name);
    for (; rows->name != NULL; rows++)
        guess_offer(&guess, slice_of(rows->name));
    return luaL_error(lua, "no %s \"%s\"%s", what, name.data == NULL ? "?" : name.data,
                      guess_words(&guess, words));
}

static void push_slice(lua_State *lua, struct slice text)
{
    lua_pushlstring(lua, text.len == 0 ? "" : text.data, text.len);
}

/* ---- session ---- */

static const struct field_row session_rows[] = {
    {"id", FIELD_ID},
    {"authid", FIELD_DETAIL},
    {"authrole", FIELD_DETAIL},
    {"authmethod", FIELD_DETAIL},
    {"authprovider", FIELD_DETAIL},
    {"realm", FIELD_DETAIL},
    {"trustlevel", FIELD_TRUSTLEVEL},
    {"transport", FIELD_TRANSPORT},
    {NULL, FIELD_ID},
};

struct session_view {
    struct view admitted; /* hearing NULL: it is open, or was */
    const struct mind *mind;
    uint64_t id;
    uint64_t leaving; /* serial of what it was when it left; 0: it had not */
};

static const struct session_view *look_at(lua_State *lua, struct look *look)
{
    const struct session_view *view = lua_touserdata(lua, 1);

    const struct leaving *leaving =
        view->leaving == 0 ? NULL : map_get(&view->mind->leaving, view->leaving, 0);

    if (view->admitted.hearing != NULL)
        login_look(hearing_of(lua, "session")->login, look);
    else if (leaving != NULL)
        *look = leaving->left->look;
    else if (!core_look(realm_core(view->mind->realm), view->id, look))
        luaL_error(lua, "session is over");
    return view;
}

static int no_attribute(lua_State *lua, const struct policy *policy, struct slice name)
{
    struct guess guess = guess_begin(name);
    char words[128];

    for (size_t i = 0; i < policy->attribute_count; i++)
        guess_offer(&guess, policy->attributes[i].name);
    for (const struct field_row *row = session_rows; row->name != NULL; row++)
        guess_offer(&guess, slice_of(row->name));
    return luaL_error(lua, "no attribute \"%s\"%s", name.data == NULL ? "?" : name.data,
                      guess_words(&guess, words));
}

static struct slice name_at(lua_State *lua, int index)
{
    struct slice name = {0};

    if (lua_type(lua, index) == LUA_TSTRING)
        name.data = lua_tolstring(lua, index, &name.len);
    return name;
}

/* Of a session that is not open yet everything is known that its connection has told. */
static void push_transport(lua_State *lua, const struct session_view *view, const struct look *look)
{
    const struct hearing *hearing = view->admitted.hearing;

    if (hearing != NULL)
        l_facts_push_transport(lua, hearing->question->transport);
    else
        l_facts_push_session_transport(lua, look);
}

static int l_session_index(lua_State *lua)
{
    struct look look;
    const struct session_view *view = look_at(lua, &look);
    const struct policy *policy = policy_of(lua);
    struct slice name = name_at(lua, 2);
    enum field field = field_at(lua);

    if (field == FIELD_ID)
        lua_pushinteger(lua, (lua_Integer)view->id);
    else if (field == FIELD_TRUSTLEVEL && look.trustlevel >= 0)
        lua_pushinteger(lua, look.trustlevel);
    else if (field == FIELD_TRUSTLEVEL)
        lua_pushnil(lua);
    else if (field == FIELD_TRANSPORT)
        push_transport(lua, view, &look);
    else if (slice_eq(name, SLICE("authid")))
        push_slice(lua, look.authid);
    else if (slice_eq(name, SLICE("authrole")))
        push_slice(lua, look.authrole);
    else if (slice_eq(name, SLICE("has")))
        lua_pushvalue(lua, lua_upvalueindex(2));
    else if (field == FIELD_DETAIL || policy_attribute(policy, name) != NULL)
        l_facts_push_entry(lua, look.codec, look.details, name, name.data);
    else
        return no_attribute(lua, policy, name);
    return 1;
}

/* session:has(name, value) */
static int l_session_has(lua_State *lua)
{
    const struct policy *policy = policy_of(lua);
    struct look look;
    struct slice name;
    bool has = false;

    luaL_checkudata(lua, 1, "session");
    look_at(lua, &look);
    name.data = luaL_checklstring(lua, 2, &name.len);
    lua_settop(lua, 3);
    if (policy_attribute(policy, name) == NULL)
        return no_attribute(lua, policy, name);
    l_facts_push_entry(lua, look.codec, look.details, name, name.data);
    if (!lua_isnil(lua, 3) && lua_istable(lua, 4)) {
        for (lua_Integer i = 1; !has && lua_rawgeti(lua, 4, i) != LUA_TNIL; i++) {
            has = lua_rawequal(lua, 3, -1) != 0;
            lua_pop(lua, 1);
        }
    } else if (!lua_isnil(lua, 3)) {
        has = lua_rawequal(lua, 3, 4) != 0;
    }
    lua_pushboolean(lua, has);
    return 1;
}

/* ---- hello ---- */

static const struct field_row hello_rows[] = {
    {"realm", FIELD_REALM},       {"authid", FIELD_HELLO},    {"authrole", FIELD_HELLO},
    {"authmethods", FIELD_HELLO}, {"authextra", FIELD_HELLO}, {"roles", FIELD_HELLO},
    {"agent", FIELD_AGENT},       {"method", FIELD_METHOD},   {"transport", FIELD_TRANSPORT},
    {"cookie", FIELD_COOKIE},     {NULL, FIELD_ID},
};

static void push_identity(lua_State *lua, const struct login *login)
{
    struct slice identity = login_identity(login);

    if (identity.len == 0)
        lua_pushnil(lua);
    else
        l_values_push(lua, CODEC_MSGPACK, identity, "cookie");
}

static int l_hello_index(lua_State *lua)
{
    const struct hearing *hearing = hearing_of(lua, "hello");
    const struct msg *hello = hearing->question->hello;

    switch ((unsigned)field_at(lua)) {
    case FIELD_REALM:
        lua_pushstring(lua, realm_name(hearing->mind->realm));
        break;
    case FIELD_METHOD:
        push_slice(lua, login_method(hearing->login));
        break;
    case FIELD_TRANSPORT:
        l_facts_push_transport(lua, hearing->question->transport);
        break;
    case FIELD_COOKIE:
        push_identity(lua, hearing->login);
        break;
    case FIELD_HELLO:
    case FIELD_AGENT:
        l_facts_push_entry(lua, hello->codec, hello->dict, name_at(lua, 2), lua_tostring(lua, 2));
        break;
    default:
        return unknown_field(lua, hello_rows, "field of hello");
    }
    return 1;
}

/* ---- request ---- */

static const struct field_row request_rows[] = {
    {"action", FIELD_ACTION},   {"uri", FIELD_URI},         {"match", FIELD_MATCH},
    {"session", FIELD_SESSION}, {"options", FIELD_OPTIONS}, {"args", FIELD_ARGS},
    {"kwargs", FIELD_KWARGS},   {"params", FIELD_PARAMS},   {NULL, FIELD_ID},
};

/* For rules: the attributes of a session, as the core sees them. */
struct attributes {
    const struct look *look;
    struct arena *arena;
};

static struct slice attribute(void *ctx, struct slice name)
{
    const struct attributes *attributes = ctx;
    struct dict_walk walk, item;
    struct slice found = {0};
    unsigned count = 0;

    dict_walk(&walk, attributes->look->codec, attributes->look->details, attributes->arena);
    while (dict_next(&walk)) {
        if (!slice_eq(walk.key, name))
            continue;
        if (walk.token.type == TOKEN_TEXT)
            return walk.token.text;
        if (walk.token.type != TOKEN_LIST)
            continue;
        list_walk(&item, attributes->look->codec, walk.value, attributes->arena);
        for (; list_next(&item); count++)
            found = item.token.type == TOKEN_TEXT ? item.token.text : (struct slice){0};
    }
    return count == 1 ? found : (struct slice){0};
}

/* What the pattern of the rule that asked has captured. */
static void push_params(lua_State *lua, const struct hearing *hearing)
{
    const struct question *question = hearing->question;
    const struct rules *rules = hearing->fiber.version->policy->rules;
    struct rules_verdict verdict = {0};
    struct arena arena;
    struct look look;

    if (!core_look(realm_core(hearing->mind->realm), question->session, &look))
        luaL_error(lua, "request is over");
    arena_init(&arena);
    struct attributes attributes = {&look, &arena};
    struct rules_question asked = {.role = rules_find_role(rules, look.authrole),
                                   .action = question->action,
                                   .match = question->match,
                                   .uri = question->msg->text,
                                   .attribute = attribute,
                                   .ctx = &attributes};
    if (asked.role == RULE_NO_ROLE)
        asked.role = rules_find_role(rules, SLICE("*"));
    if (asked.role != RULE_NO_ROLE)
        rules_decide(rules, &asked, &verdict);
    arena_fini(&arena); /* captures are parts of the URI */
    l_facts_push_empty(lua, VALUES_DICT);
    for (size_t i = 0; i < verdict.capture_count; i++) {
        const struct rules_capture *capture = &verdict.captures[i];

        if (capture->value.data == NULL)
            continue;
        push_slice(lua, capture->name);
        push_slice(lua, capture->value);
        lua_rawset(lua, -3);
    }
}

static void push_cached(lua_State *lua, struct hearing *hearing, enum field field)
{
    const struct msg *msg = hearing->question->msg;

    switch ((unsigned)field) {
    case FIELD_SESSION:
        l_views_push_session(lua, hearing->mind, hearing->question->session);
        break;
    case FIELD_OPTIONS:
        l_facts_push_dict(lua, msg, "options");
        break;
    case FIELD_ARGS:
    case FIELD_KWARGS:
        l_facts_push_payload(lua, msg, field == FIELD_ARGS);
        break;
    default:
        push_params(lua, hearing);
        break;
    }
}

static int l_request_index(lua_State *lua)
{
    struct hearing *hearing = hearing_of(lua, "request");
    const struct question *question = hearing->question;
    enum field field = field_at(lua);

    switch ((unsigned)field) {
    case FIELD_ACTION:
        lua_pushstring(lua, rules_action_name(question->action));
        return 1;
    case FIELD_URI:
        push_slice(lua, question->msg->text);
        return 1;
    case FIELD_MATCH:
        lua_pushstring(lua, match_name(question->match));
        return 1;
    case 0:
        return unknown_field(lua, request_rows, "field of a request");
    default:
        break;
    }
    if (lua_getiuservalue(lua, 1, (int)(field - FIELD_SESSION) + 1) != LUA_TNIL)
        return 1;
    push_cached(lua, hearing, field);
    lua_pushvalue(lua, -1);
    lua_setiuservalue(lua, 1, (int)(field - FIELD_SESSION) + 1);
    return 1;
}

_Static_assert(FIELD_PARAMS - FIELD_SESSION + 1 == CACHED, "user values of a request");

/* ---- making them ---- */

static void push_view(lua_State *lua, struct hearing *hearing, const char *name, int values)
{
    struct view *view = lua_newuserdatauv(lua, sizeof(*view), values);

    *view = (struct view){hearing, hearing->generation};
    luaL_setmetatable(lua, name);
}

void l_views_push_request(lua_State *lua, struct hearing *hearing)
{
    push_view(lua, hearing, "request", CACHED);
}

void l_views_push_hello(lua_State *lua, struct hearing *hearing)
{
    push_view(lua, hearing, "hello", 0);
}

static struct session_view *push_session(lua_State *lua)
{
    struct session_view *view = lua_newuserdatauv(lua, sizeof(*view), 0);

    *view = (struct session_view){.id = 0};
    luaL_setmetatable(lua, "session");
    return view;
}

void l_views_push_session(lua_State *lua, const struct mind *mind, uint64_t session)
{
    struct session_view *view = push_session(lua);

    view->mind = mind;
    view->id = session;
}

void l_views_push_left(lua_State *lua, const struct mind *mind, const struct leaving *leaving)
{
    struct session_view *view = push_session(lua);

    view->mind = mind;
    view->id = leaving->left->look.id;
    view->leaving = leaving->serial;
}

void l_views_push_admitted(lua_State *lua, struct hearing *hearing)
{
    struct session_view *view = push_session(lua);

    view->admitted = (struct view){hearing, hearing->generation};
    view->mind = hearing->mind;
    view->id = hearing->question->session;
}

static int l_read_only(lua_State *lua)
{
    return luaL_error(
        lua, "%s is read-only%s", lua_tostring(lua, lua_upvalueindex(1)),
        strcmp(lua_tostring(lua, lua_upvalueindex(1)), "session") == 0 ? "; use session:set" : "");
}

static void open_one(lua_State *lua, const char *name, const struct field_row *rows,
                     lua_CFunction index, lua_CFunction method)
{
    luaL_newmetatable(lua, name);
    lua_newtable(lua);
    for (; rows->name != NULL; rows++) {
        lua_pushinteger(lua, rows->field);
        lua_setfield(lua, -2, rows->name);
    }
    if (method == NULL)
        lua_pushnil(lua);
    else
        lua_pushcfunction(lua, method);
    lua_pushcclosure(lua, index, 2);
    lua_setfield(lua, -2, "__index");
    lua_pushstring(lua, name);
    lua_pushcclosure(lua, l_read_only, 1);
    lua_setfield(lua, -2, "__newindex");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

void l_views_open(lua_State *lua)
{
    open_one(lua, "request", request_rows, l_request_index, NULL);
    open_one(lua, "hello", hello_rows, l_hello_index, NULL);
    open_one(lua, "session", session_rows, l_session_index, l_session_has);
}
