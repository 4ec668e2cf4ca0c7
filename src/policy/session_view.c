/* session_view.c -- a session, as hooks and handlers see it.
 *
 * It is a number, and stays valid as long as the session is open. In policy.admit it is the session
 * that a login will be, in policy.on_leave the one that was.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/session_view.h"

#include "base/check.h"
#include "base/guess.h"
#include "core/hello.h"
#include "policy/facts.h"
#include "policy/handlers.h"
#include "policy/objects.h"
#include "policy/reads.h"
#include "policy/realm.h"
#include "wire/errors.h"

#include <lauxlib.h>

struct session_view {
    struct hearing *admitted; /* of policy.admit, or of a kept event; NULL: it is open, or was */
    uint32_t generation;
    const struct mind *mind;
    uint64_t id;
    uint64_t leaving; /* serial of what it was when it left; 0: it had not */
};

struct vars_view {
    struct session_view session;
};

#define VARS_NAME "nexus.Vars"

static const struct session_view *check_view(lua_State *lua)
{
    return luaL_checkudata(lua, 1, policy_sessions.name);
}

/* False: it is over. */
static bool look_at(const struct session_view *view, struct look *look)
{
    const struct leaving *leaving =
        view->leaving == 0 ? NULL : map_get(&view->mind->leaving, view->leaving, 0);

    if (view->admitted != NULL) {
        if (view->generation != view->admitted->generation || view->admitted->question == NULL)
            return false;
        if (view->admitted->login != NULL)
            login_look(view->admitted->login, look);
        else
            *look = *view->admitted->question->publisher;
        return true;
    }
    if (leaving != NULL) {
        *look = leaving->left->look;
        return true;
    }
    return core_look(realm_core(view->mind->realm), view->id, look);
}

static const struct session_view *l_look(lua_State *lua, struct look *look)
{
    const struct session_view *view = check_view(lua);

    if (!look_at(view, look))
        luaL_error(lua, "session is over");
    return view;
}

static struct reads *reads_of(lua_State *lua)
{
    const struct fiber *fiber = fiber_of(lua);

    while (fiber != NULL && fiber->reads == NULL)
        fiber = fiber->parent; /* what a function beside it sees is seen for it */
    return fiber == NULL ? NULL : fiber->reads;
}

/* ---- fields ---- */

static void push_slice(lua_State *lua, struct slice text)
{
    lua_pushlstring(lua, text.len == 0 ? "" : text.data, text.len);
}

static void push_features(lua_State *lua, uint32_t features, enum role role)
{
#define FEATURE_ROW(role_name, name, wire) {ROLE_##role_name, role_name##_##name, wire},
    static const struct {
        enum role role;
        uint32_t bit;
        const char *wire;
    } rows[] = {FEATURES_ASKED(FEATURE_ROW)};
#undef FEATURE_ROW

    lua_newtable(lua);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].role != role || (features & rows[i].bit) == 0)
            continue;
        lua_pushboolean(lua, true);
        lua_setfield(lua, -2, rows[i].wire);
    }
    vm_freeze(lua, "features");
}

static void push_roles(lua_State *lua, const struct look *look)
{
    static const char *const names[ROLE_COUNT] = {"publisher", "subscriber", "caller", "callee"};

    lua_newtable(lua);
    for (unsigned i = 0; i < ROLE_COUNT; i++) {
        if ((look->roles & 1U << i) == 0)
            continue;
        push_features(lua, look->features, (enum role)i);
        lua_setfield(lua, -2, names[i]);
    }
    vm_freeze(lua, "roles");
}

/* Of details, and of HELLO: what has a meaning of its own. */
static bool is_standard(struct slice key)
{
    static const char *const names[] = {"session",       "authid", "authrole",  "authmethod",
                                        "authprovider",  "realm",  "transport", "authmethods",
                                        "authextra",     "roles",  "resumable", "resume-token",
                                        "resume-session"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq(key, slice_of(names[i])))
            return true;
    }
    return false;
}

/* What is in the details, or in HELLO itself, and comes from nobody but the client. */
static void push_hello(lua_State *lua, const struct policy *policy, enum codec codec,
                       struct slice details)
{
    l_values_push(lua, codec, details, "hello");
    lua_newtable(lua);
    for (lua_pushnil(lua); lua_next(lua, -3) != 0; lua_pop(lua, 1)) {
        struct slice key = {0};

        if (lua_type(lua, -2) == LUA_TSTRING)
            key.data = lua_tolstring(lua, -2, &key.len);
        if (key.data == NULL || is_standard(key) || policy_attribute(policy, key) != NULL)
            continue;
        lua_pushvalue(lua, -2);
        lua_pushvalue(lua, -2);
        lua_rawset(lua, -5);
    }
    lua_remove(lua, -2);
    vm_freeze(lua, "hello");
}

static int no_attribute(lua_State *lua, const struct policy *policy, struct slice name)
{
    struct guess guess = guess_begin(name);
    char words[128];

    for (const struct module_row *row = policy_sessions.rows; row->name != NULL; row++)
        if (name.data != NULL &&
            slice_eq(name, slice_of(row->name))) /* session.x has it, has and set do not */
            return luaL_error(
                lua, "\"%s\" is none of the attributes that policy.attributes declares", row->name);
    for (size_t i = 0; i < policy->attribute_count; i++)
        guess_offer(&guess, policy->attributes[i].name);
    for (const struct module_row *row = policy_sessions.rows; row->name != NULL; row++)
        guess_offer(&guess, slice_of(row->name));
    return luaL_error(lua, "no attribute \"%s\"%s", name.data == NULL ? "?" : name.data,
                      guess_words(&guess, words));
}

static void push_vars(lua_State *lua, const struct session_view *view)
{
    struct vars_view *vars = lua_newuserdatauv(lua, sizeof(*vars), 0);

    vars->session = *view;
    luaL_setmetatable(lua, VARS_NAME);
}

/* Of a session that a login will be: what its HELLO says. False: it is another field. */
static bool push_coming(lua_State *lua, const struct question *question, const char *name)
{
    const struct msg *msg = question->hello;
    struct look look = {0};
    struct hello hello;
    struct arena arena;
    struct fault fault;

    if (strcmp(name, "transport") == 0) {
        l_facts_push_transport(lua, question->transport);
    } else if (strcmp(name, "hello") == 0) {
        push_hello(lua, policy_of(lua), msg->codec, msg->dict);
    } else if (strcmp(name, "roles") == 0) {
        arena_init(&arena);
        CHECK(hello_read(&hello, msg, &arena, &fault) == 0); /* or nobody had been asked */
        look.roles = hello.roles;
        look.features = hello.features;
        arena_fini(&arena);
        push_roles(lua, &look);
    } else {
        return false;
    }
    return true;
}

/* Fields that are the same for nobody else; false: it is none of them. */
static bool push_own(lua_State *lua, const struct session_view *view, const struct look *look,
                     const char *name)
{
    bool is_coming = view->admitted != NULL && view->admitted->login != NULL;

    if (is_coming && push_coming(lua, view->admitted->question, name))
        return true;
    if (strcmp(name, "transport") == 0)
        l_facts_push_session_transport(lua, look);
    else if (strcmp(name, "joined") == 0 && look->joined == 0)
        lua_pushnil(lua);
    else if (strcmp(name, "joined") == 0)
        lua_pushnumber(lua, (double)look->joined / 1000);
    else if (strcmp(name, "hello") == 0)
        push_hello(lua, policy_of(lua), look->codec, look->details);
    else if (strcmp(name, "roles") == 0)
        push_roles(lua, look);
    else if (strcmp(name, "vars") == 0)
        push_vars(lua, view);
    else
        return false;
    reads_note_own(reads_of(lua));
    return true;
}

/* What every session has, and what the policy declares. */
static bool push_attribute(lua_State *lua, const struct session_view *view, const struct look *look,
                           struct slice name)
{
    if (slice_eq(name, SLICE("authid")))
        push_slice(lua, look->authid);
    else if (slice_eq(name, SLICE("authrole")))
        push_slice(lua, look->authrole);
    else if (slice_eq(name, SLICE("authmethod")) || slice_eq(name, SLICE("authprovider")) ||
             policy_attribute(policy_of(lua), name) != NULL)
        l_facts_push_entry(lua, look->codec, look->details, name, name.data);
    else
        return false;
    reads_note_value(reads_of(lua), view->id, name);
    return true;
}

static int l_index(lua_State *lua)
{
    const struct session_view *view = check_view(lua);
    struct slice name = {0};
    struct look look = {0};

    if (lua_type(lua, 2) == LUA_TSTRING)
        name.data = lua_tolstring(lua, 2, &name.len);
    if (name.data == NULL)
        return no_attribute(lua, policy_of(lua), name);
    lua_pushvalue(lua, 2);
    if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    if (slice_eq(name, SLICE("id"))) {
        reads_note_value(reads_of(lua), view->id, SLICE("session")); /* its name in the core */
        lua_pushinteger(lua, (lua_Integer)view->id);
        return 1;
    }
    if (slice_eq(name, SLICE("open"))) {
        lua_pushboolean(lua, view->admitted == NULL && view->leaving == 0 && look_at(view, &look));
        return 1;
    }
    l_look(lua, &look);
    if (push_attribute(lua, view, &look, name) || push_own(lua, view, &look, name.data))
        return 1;
    if (slice_eq(name, SLICE("realm"))) {
        lua_pushstring(lua, realm_name(view->mind->realm));
    } else if (slice_eq(name, SLICE("trustlevel"))) {
        reads_note_own(reads_of(lua));
        if (look.trustlevel >= 0)
            lua_pushinteger(lua, look.trustlevel);
        else
            lua_pushnil(lua);
    } else {
        return no_attribute(lua, policy_of(lua), name);
    }
    return 1;
}

/* ---- has, set, kill ---- */

static bool read_token(lua_State *lua, int index, struct token *token)
{
    *token = (struct token){.type = TOKEN_NULL};
    if (lua_type(lua, index) == LUA_TSTRING) {
        token->type = TOKEN_TEXT;
        token->text.data = lua_tolstring(lua, index, &token->text.len);
    } else if (lua_isboolean(lua, index)) {
        token->type = TOKEN_BOOL;
        token->boolean = lua_toboolean(lua, index) != 0;
    } else if (lua_isinteger(lua, index) && lua_tointeger(lua, index) >= 0) {
        token->type = TOKEN_UINT;
        token->natural = (uint64_t)lua_tointeger(lua, index);
    } else if (lua_isinteger(lua, index)) {
        token->type = TOKEN_INT;
        token->integer = lua_tointeger(lua, index);
    } else if (lua_type(lua, index) == LUA_TNUMBER) {
        token->type = TOKEN_FLOAT;
        token->real = lua_tonumber(lua, index);
    } else {
        return false;
    }
    return true;
}

/* Equal as filters see it: 3 is neither "3" nor 3.0. */
static bool is_same(lua_State *lua, int a, int b)
{
    struct token x, y; /* as the tree of a predicate compares them: by their octets */

    if (lua_type(lua, a) != LUA_TNUMBER || lua_type(lua, b) != LUA_TNUMBER ||
        (lua_isinteger(lua, a) && lua_isinteger(lua, b)))
        return lua_rawequal(lua, a, b) != 0;
    x.real = lua_tonumber(lua, a);
    y.real = lua_tonumber(lua, b);
    return !lua_isinteger(lua, a) && !lua_isinteger(lua, b) && x.natural == y.natural;
}

/* session:has(name, value) */
static int l_has(lua_State *lua)
{
    struct look look = {0};
    const struct session_view *view = l_look(lua, &look);
    struct slice name;
    struct token token;
    bool has = false;

    name.data = luaL_checklstring(lua, 2, &name.len);
    lua_settop(lua, 3);
    if (!policy_has_attribute(policy_of(lua), name))
        return no_attribute(lua, policy_of(lua), name);
    if (read_token(lua, 3, &token))
        reads_note_has(reads_of(lua), view->id, name, &token);
    else
        reads_note_value(reads_of(lua), view->id, name);
    l_facts_push_entry(lua, look.codec, look.details, name, name.data);
    if (!lua_isnil(lua, 3) && lua_istable(lua, 4)) {
        for (lua_Integer i = 1; !has && lua_rawgeti(lua, 4, i) != LUA_TNIL; i++) {
            has = is_same(lua, 3, -1);
            lua_pop(lua, 1);
        }
    } else if (!lua_isnil(lua, 3)) {
        has = is_same(lua, 3, 4);
    }
    lua_pushboolean(lua, has);
    return 1;
}

static bool is_of_type(lua_State *lua, enum attribute_type type)
{
    switch (type) {
    case ATTRIBUTE_STRING:
        return lua_type(lua, -1) == LUA_TSTRING;
    case ATTRIBUTE_INTEGER:
        return lua_isinteger(lua, -1);
    case ATTRIBUTE_BOOLEAN:
        return lua_isboolean(lua, -1);
    case ATTRIBUTE_LIST:
        return lua_istable(lua, -1); /* which sort of table is seen when it is encoded */
    case ATTRIBUTE_TYPE_COUNT:
        break;
    }
    UNREACHABLE("a type of attribute");
}

/* Raises unless the attribute with the name at -2 may get the value at -1. Whether that is a list. */
static bool check_attribute(lua_State *lua)
{
    static const char *const types[] = {"a string", "an integer", "a boolean", "a list"};
    const struct policy *policy = policy_of(lua);
    const struct attribute *attribute;
    size_t len = 0;
    const char *text = lua_type(lua, -2) == LUA_TSTRING ? lua_tolstring(lua, -2, &len) : NULL;
    struct slice key = text == NULL ? SLICE("") : slice_make(text, len);

    attribute = policy_attribute(policy, key);
    if (attribute == NULL)
        return no_attribute(lua, policy, key);
    if (values_is_null(lua, -1))
        return false;
    if (!is_of_type(lua, attribute->type))
        luaL_error(lua, "session:set: %s: found a %s; allowed: %s, nexus.null", key.data,
                   luaL_typename(lua, -1), types[attribute->type]);
    return attribute->type == ATTRIBUTE_LIST;
}

/* Writes the table at 2 as a dict of attributes. */
static void put_attributes(lua_State *lua)
{
    struct encoder *e = l_values_begin(lua, CODEC_MSGPACK);

    encode_map(e, COUNT_UNKNOWN);
    for (lua_pushnil(lua); lua_next(lua, 2) != 0; lua_pop(lua, 1)) {
        enum values_shape shape = check_attribute(lua) ? VALUES_LIST : VALUES_ANY;
        struct slice name = l_object_check_text(lua, -2);

        encode_text(e, name);
        l_values_put(lua, -1, shape, name.data);
    }
    encode_end(e);
}

static struct mind *acting_mind(lua_State *lua)
{
    l_policy_may_act(lua);
    l_host_changes(lua);
    return policy_of(lua)->version->mind;
}

/* session:set{ org = "acme" } */
static int l_set(lua_State *lua)
{
    const struct session_view *view = check_view(lua);
    struct mind *mind = acting_mind(lua);
    struct fault fault = {0};
    struct blob *blob;

    luaL_checktype(lua, 2, LUA_TTABLE);
    if (view->admitted != NULL || view->leaving != 0)
        return luaL_error(lua, "session:set is for sessions that are open");
    put_attributes(lua);
    blob = l_values_end(lua);
    realm_step(mind->realm,
               &(struct event){.type = EV_SET,
                               .change = &(struct change){.session = view->id,
                                                          .codec = CODEC_MSGPACK,
                                                          .attributes = blob_slice(blob),
                                                          .fault = &fault}});
    blob_drop(blob);
    if (fault.err < 0)
        return luaL_error(lua, "session:set: %s", fault.words);
    return 0;
}

/* session:kill(reason, message) */
static int l_kill(lua_State *lua)
{
    const struct session_view *view = check_view(lua);
    struct mind *mind = acting_mind(lua);
    struct look look;
    const char *reason = lua_isnoneornil(lua, 2)
                             ? WAMP_CLOSE_KILLED
                             : l_object_check_said(lua, 2, "session:kill: the reason");
    const char *words =
        lua_isnoneornil(lua, 3) ? NULL : l_object_check_said(lua, 3, "session:kill: the message");

    if (!uri_is_valid(slice_of(reason), MATCH_EXACT, false))
        return luaL_error(lua, "session:kill: found \"%s\"; allowed: a URI", reason);
    if (view->admitted != NULL && look_at(view, &look))
        return luaL_error(lua, "session:kill: it is not open yet; policy.admit may refuse it");
    if (view->admitted != NULL)
        return luaL_error(lua, "session is over");
    lua_pushboolean(lua, realm_end_session(mind, view->id, reason, words));
    return 1;
}

/* ---- vars ---- */

/* All of them, as a table at the top. */
static void push_all_vars(lua_State *lua, const struct vars_view *vars)
{
    struct look look = {0};

    if (!look_at(&vars->session, &look))
        luaL_error(lua, "session is over");
    if (look.vars.len == 0)
        l_facts_push_empty(lua, VALUES_DICT);
    else
        l_values_push(lua, look.codec, look.vars, "vars");
}

static int l_vars_index(lua_State *lua)
{
    push_all_vars(lua, luaL_checkudata(lua, 1, VARS_NAME));
    lua_pushvalue(lua, 2);
    lua_rawget(lua, -2);
    return 1;
}

static int l_vars_newindex(lua_State *lua)
{
    const struct vars_view *vars = luaL_checkudata(lua, 1, VARS_NAME);
    struct mind *mind;
    struct blob *blob;
    int err;

    luaL_checkstring(lua, 2);
    mind = acting_mind(lua);
    if (vars->session.admitted != NULL || vars->session.leaving != 0)
        return luaL_error(lua, "session.vars: only those of sessions that are open can be set");
    push_all_vars(lua, vars);
    lua_pushvalue(lua, 2);
    lua_pushvalue(lua, 3);
    lua_rawset(lua, -3);
    (void)l_values_begin(lua, CODEC_MSGPACK);
    l_values_put(lua, lua_gettop(lua), VALUES_DICT, "vars");
    blob = l_values_end(lua);
    err = realm_set_vars(mind->realm, vars->session.id, CODEC_MSGPACK, blob_slice(blob));
    blob_drop(blob);
    if (err == ERR_TOO_LONG)
        return luaL_error(lua, "session.vars: more than a session may keep (16 KiB)");
    return err < 0 ? luaL_error(lua, "session is over") : 0;
}

static int l_vars_next(lua_State *lua)
{
    luaL_checktype(lua, 1,
                   LUA_TTABLE); /* the policy has this function, and may call it with anything */
    lua_settop(lua, 2);
    return lua_next(lua, 1) == 0 ? 0 : 2;
}

static int l_vars_pairs(lua_State *lua)
{
    const struct vars_view *vars = luaL_checkudata(lua, 1, VARS_NAME);

    lua_pushcfunction(lua, l_vars_next);
    push_all_vars(lua, vars);
    lua_pushnil(lua);
    return 3;
}

static void open_vars(lua_State *lua)
{
    static const luaL_Reg functions[] = {{"__index", l_vars_index},
                                         {"__newindex", l_vars_newindex},
                                         {"__pairs", l_vars_pairs},
                                         {NULL, NULL}};

    luaL_newmetatable(lua, VARS_NAME);
    luaL_setfuncs(lua, functions, 0);
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

/* ---- making them ---- */

static struct session_view *push_view(lua_State *lua)
{
    struct session_view *view = lua_newuserdatauv(lua, sizeof(*view), 0);

    *view = (struct session_view){.id = 0};
    luaL_setmetatable(lua, policy_sessions.name);
    return view;
}

void l_views_push_session(lua_State *lua, const struct mind *mind, uint64_t session)
{
    struct session_view *view = push_view(lua);

    view->mind = mind;
    view->id = session;
}

void l_views_push_left(lua_State *lua, const struct mind *mind, const struct leaving *leaving)
{
    struct session_view *view = push_view(lua);

    view->mind = mind;
    view->id = leaving->left->look.id;
    view->leaving = leaving->serial;
}

void l_views_push_admitted(lua_State *lua, struct hearing *hearing)
{
    struct session_view *view = push_view(lua);

    view->admitted = hearing;
    view->generation = hearing->generation;
    view->mind = hearing->mind;
    view->id = hearing->question->session;
}

void l_views_push_publisher(lua_State *lua, struct hearing *hearing)
{
    struct session_view *view = push_view(lua);

    view->admitted = hearing;
    view->generation = hearing->generation;
    view->mind = hearing->mind;
    view->id = hearing->question->publisher->id;
}

static const struct module_row rows[] = {
    {"id", NULL, "integer", "Its number.", NULL},
    {"authid", NULL, "string", "Who it is.", NULL},
    {"authrole", NULL, "string", "Its role.", NULL},
    {"authmethod", NULL, "string", "How it came in.", NULL},
    {"authprovider", NULL, "string", "Who said so.", NULL},
    {"realm", NULL, "string", "The realm.", NULL},
    {"joined", NULL, "number?", "When, in seconds since 1970; nil: it is only being admitted.",
     NULL},
    {"trustlevel", NULL, "integer?", "Its trust level.", NULL},
    {"roles", NULL, "table<string, table<string, boolean>>",
     "Its roles, and the features that it announced for each.", NULL},
    {"transport", NULL, "nexus.Transport", "How it is connected.", NULL},
    {"hello", NULL, "table", "What the client said of itself: claims that nobody has checked.",
     NULL},
    {"open", NULL, "boolean", "Whether it is open.", NULL},
    {"vars", NULL, "table",
     "A small dict of the policy's own: it survives reloads and ends with the session.",
     "More than 16 KiB"},
    {"has", l_has, "fun(self: nexus.Session, attribute: string, value: any): boolean",
     "Whether a declared attribute is this value, or is a list that has it. nil is never one.",
     "An attribute that is not declared"},
    {"set", l_set, "fun(self: nexus.Session, attributes: table)",
     "Gives the session these attributes; nexus.null takes one away. Filters, rules and the meta "
     "API see it at once.",
     "Attributes that are not declared, values of another type"},
    {"kill", l_kill, "fun(self: nexus.Session, reason?: string, message?: string): boolean",
     "Ends the session with GOODBYE; false: it is over already.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void open_class(lua_State *lua)
{
    l_object_open(lua, l_index, "session is read-only; use session:set");
    open_vars(lua);
}

const struct module_table policy_sessions = {"nexus.Session", rows, open_class};
