/* views.c -- what is judged, as hooks see it: hello, request, message, event.
 *
 * A view is a hearing and its generation at that time: when the hearing has ended the numbers
 * differ, and reading raises. Nothing is decoded before it is read; what was decoded stays in the
 * view. Sessions are in session_view.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/guess.h"
#include "policy/facts.h"
#include "policy/mind.h"
#include "policy/reads.h"
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
    FIELD_RETAINED,
    FIELD_PUBLICATION,
    FIELD_PROCEDURE,
    FIELD_CALLER,
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

static struct slice name_at(lua_State *lua, int index)
{
    struct slice name = {0};

    if (lua_type(lua, index) == LUA_TSTRING)
        name.data = lua_tolstring(lua, index, &name.len);
    return name;
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

/* ---- request, message, event: what is judged, as each hook calls it ---- */

static const struct field_row request_rows[] = {
    {"action", FIELD_ACTION},   {"uri", FIELD_URI},         {"match", FIELD_MATCH},
    {"session", FIELD_SESSION}, {"options", FIELD_OPTIONS}, {"args", FIELD_ARGS},
    {"kwargs", FIELD_KWARGS},   {"params", FIELD_PARAMS},   {NULL, FIELD_ID},
};

static const struct field_row message_rows[] = {
    {"uri", FIELD_URI},       {"session", FIELD_SESSION}, {"options", FIELD_OPTIONS},
    {"args", FIELD_ARGS},     {"kwargs", FIELD_KWARGS},   {"procedure", FIELD_PROCEDURE},
    {"caller", FIELD_CALLER}, {NULL, FIELD_ID},
};

static const struct field_row event_rows[] = {
    {"topic", FIELD_URI},         {"publisher", FIELD_SESSION}, {"publication", FIELD_PUBLICATION},
    {"options", FIELD_OPTIONS},   {"args", FIELD_ARGS},         {"kwargs", FIELD_KWARGS},
    {"retained", FIELD_RETAINED}, {"params", FIELD_PARAMS},     {NULL, FIELD_ID},
};

/* For rules: the attributes of a session, as the core sees them. */
struct attributes {
    const struct look *look;
    struct arena *arena;
    struct reads *reads; /* which rule asks depends on them; or NULL */
};

static struct slice attribute(void *ctx, struct slice name)
{
    const struct attributes *attributes = ctx;
    struct dict_walk walk, item;
    struct slice found = {0};
    unsigned count = 0;

    reads_note_value(attributes->reads, attributes->look->id, name);
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
    struct attributes attributes = {&look, &arena, hearing->fiber.reads};
    struct rules_question asked = {.role = rules_find_role(rules, look.authrole),
                                   .action = question->action,
                                   .match = question->match,
                                   .uri = question->msg->text,
                                   .attribute = attribute,
                                   .ctx = &attributes};
    reads_note_value(hearing->fiber.reads, look.id, SLICE("authrole"));
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

/* What the hooks before have put in the place of the client's. */
static void push_changed(lua_State *lua, const struct hearing *hearing, struct slice value,
                         const char *path)
{
    l_values_push(lua, hearing->grant.codec, value, path);
}

/* The client's options, and over them what a hook before has said. */
static void push_options(lua_State *lua, const struct hearing *hearing)
{
    l_facts_push_dict(lua, hearing->question->msg, "options");
    if (hearing->grant.options.len == 0)
        return;
    push_changed(lua, hearing, hearing->grant.options, "options");
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
        lua_pushvalue(lua, -2);
        lua_pushvalue(lua, -2);
        lua_rawset(lua, -6);
    }
    lua_pop(lua, 1);
}

static void push_arguments(lua_State *lua, const struct hearing *hearing, bool is_args)
{
    struct slice changed = is_args ? hearing->grant.args : hearing->grant.kwargs;

    if (changed.data != NULL)
        push_changed(lua, hearing, changed, is_args ? "args" : "kwargs");
    else
        l_facts_push_payload(lua, hearing->question->msg, is_args);
}

static void push_cached(lua_State *lua, struct hearing *hearing, enum field field)
{
    const struct question *question = hearing->question;

    switch ((unsigned)field) {
    case FIELD_SESSION:
        if (question->ask == ASK_RETAINED)
            l_views_push_publisher(lua, hearing);
        else
            l_views_push_session(lua, hearing->mind, question->session);
        break;
    case FIELD_OPTIONS:
        push_options(lua, hearing);
        break;
    case FIELD_ARGS:
    case FIELD_KWARGS:
        push_arguments(lua, hearing, field == FIELD_ARGS);
        break;
    default:
        push_params(lua, hearing);
        break;
    }
}

static struct slice uri_of(const struct hearing *hearing)
{
    const struct question *question = hearing->question;

    if (hearing->grant.uri.data != NULL)
        return hearing->grant.uri;
    return question->ask == ASK_ANSWER && question->msg->type == MSG_YIELD ? question->procedure
                                                                           : question->msg->text;
}

/* Fields that take no time; false: it is none of them. */
static bool push_plain(lua_State *lua, const struct hearing *hearing, enum field field)
{
    const struct question *question = hearing->question;

    switch ((unsigned)field) {
    case FIELD_ACTION:
        lua_pushstring(lua, rules_action_name(question->action));
        return true;
    case FIELD_URI:
        push_slice(lua, uri_of(hearing));
        return true;
    case FIELD_MATCH:
        lua_pushstring(lua, match_name(question->match));
        return true;
    case FIELD_RETAINED:
        lua_pushboolean(lua, question->ask == ASK_RETAINED);
        return true;
    case FIELD_PUBLICATION:
        lua_pushinteger(lua, (lua_Integer)question->publication);
        return true;
    case FIELD_PROCEDURE:
        push_slice(lua, question->ask == ASK_ANSWER ? question->procedure : uri_of(hearing));
        return true;
    case FIELD_CALLER:
        if (question->ask == ASK_ANSWER)
            l_views_push_session(lua, hearing->mind, question->caller);
        else
            lua_pushnil(lua);
        return true;
    default:
        return false;
    }
}

static int index_judged(lua_State *lua, const struct field_row *rows, const char *name,
                        const char *what)
{
    struct hearing *hearing = hearing_of(lua, name);
    enum field field = field_at(lua);

    if (field == 0)
        return unknown_field(lua, rows, what);
    if (push_plain(lua, hearing, field))
        return 1;
    if (hearing->subject == SUBJECT_REQUEST && field != FIELD_SESSION && field != FIELD_PARAMS)
        reads_note_own(hearing->fiber.reads);
    if (lua_getiuservalue(lua, 1, (int)(field - FIELD_SESSION) + 1) != LUA_TNIL)
        return 1;
    push_cached(lua, hearing, field);
    lua_pushvalue(lua, -1);
    lua_setiuservalue(lua, 1, (int)(field - FIELD_SESSION) + 1);
    return 1;
}

static int l_request_index(lua_State *lua)
{
    return index_judged(lua, request_rows, "request", "field of a request");
}

static int l_message_index(lua_State *lua)
{
    return index_judged(lua, message_rows, "message", "field of a message");
}

static int l_event_index(lua_State *lua)
{
    return index_judged(lua, event_rows, "event", "field of an event");
}

_Static_assert(FIELD_PARAMS - FIELD_SESSION + 1 == CACHED, "user values of what is judged");

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

void l_views_push_message(lua_State *lua, struct hearing *hearing)
{
    push_view(lua, hearing, "message", CACHED);
}

void l_views_push_event(lua_State *lua, struct hearing *hearing)
{
    push_view(lua, hearing, "event", CACHED);
}

void l_views_push_hello(lua_State *lua, struct hearing *hearing)
{
    push_view(lua, hearing, "hello", 0);
}

static int l_read_only(lua_State *lua)
{
    return luaL_error(lua, "%s is read-only", lua_tostring(lua, lua_upvalueindex(1)));
}

static void open_one(lua_State *lua, const char *name, const struct field_row *rows,
                     lua_CFunction index)
{
    luaL_newmetatable(lua, name);
    lua_newtable(lua);
    for (; rows->name != NULL; rows++) {
        lua_pushinteger(lua, rows->field);
        lua_setfield(lua, -2, rows->name);
    }
    lua_pushcclosure(lua, index, 1);
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
    open_one(lua, "request", request_rows, l_request_index);
    open_one(lua, "message", message_rows, l_message_index);
    open_one(lua, "event", event_rows, l_event_index);
    open_one(lua, "hello", hello_rows, l_hello_index);
}
