/* realm.c -- see realm.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/realm.h"

#include "base/mem.h"
#include "policy/errors.h"
#include "policy/facts.h"
#include "policy/handlers.h"
#include "policy/objects.h"
#include "policy/others.h"
#include "policy/realm_calls.h"
#include "policy/realm_kept.h"
#include "wire/errors.h"

#include <lauxlib.h>

#include <stdlib.h>

static struct mind *mind_of(lua_State *lua)
{
    l_policy_may_act(lua);
    return policy_of(lua)->version->mind;
}

static int l_register(lua_State *lua)
{
    luaL_checkudata(lua, 1, policy_realm.name);
    return l_handlers_open(lua, false);
}

static int l_subscribe(lua_State *lua)
{
    luaL_checkudata(lua, 1, policy_realm.name);
    return l_handlers_open(lua, true);
}

/* ---- sessions ---- */

static bool is_one_of(struct slice key, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (slice_eq(key, slice_of(*words)))
            return true;
    }
    return false;
}

static void read_want(lua_State *lua, struct look_want *want)
{
    want->name.data = lua_tolstring(lua, -2, &want->name.len);
    switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
        want->value.type = TOKEN_TEXT;
        want->value.text.data = lua_tolstring(lua, -1, &want->value.text.len);
        break;
    case LUA_TBOOLEAN:
        want->value.type = TOKEN_BOOL;
        want->value.boolean = lua_toboolean(lua, -1) != 0;
        break;
    case LUA_TNUMBER:
        if (!lua_isinteger(lua, -1)) {
            want->value.type = TOKEN_FLOAT;
            want->value.real = lua_tonumber(lua, -1);
        } else if (lua_tointeger(lua, -1) < 0) {
            want->value.type = TOKEN_INT;
            want->value.integer = lua_tointeger(lua, -1);
        } else {
            want->value.type = TOKEN_UINT;
            want->value.natural = (uint64_t)lua_tointeger(lua, -1);
        }
        break;
    default:
        luaL_error(lua, "%s: found a %s; allowed: a text, a number, a boolean", want->name.data,
                   luaL_typename(lua, -1));
    }
}

size_t l_realm_wants(lua_State *lua, int index, const char *const *others,
                     struct look_want wants[MAX_WANTS])
{
    size_t count = 0;

    if (lua_isnoneornil(lua, index))
        return 0;
    luaL_checktype(lua, index, LUA_TTABLE);
    for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
        struct slice key = {0};

        if (lua_type(lua, -2) == LUA_TSTRING)
            key.data = lua_tolstring(lua, -2, &key.len);
        if (key.data == NULL)
            return (size_t)luaL_error(lua, "found a key that is a %s; allowed: names of attributes",
                                      luaL_typename(lua, -2));
        if (is_one_of(key, others))
            continue;
        if (count == MAX_WANTS)
            luaL_error(lua, "more than %d attributes", MAX_WANTS);
        wants[count] = (struct look_want){0};
        read_want(lua, &wants[count++]);
    }
    return count;
}

#define IDS_NAME "nexus.ids"

static int l_ids_gc(lua_State *lua)
{
    struct realm_ids *ids = lua_touserdata(lua, 1);

    mem_free(ids->of);
    *ids = (struct realm_ids){0};
    return 0;
}

static struct realm_ids *ids_new(lua_State *lua)
{
    struct realm_ids *ids = lua_newuserdatauv(lua, sizeof(*ids), 0);

    *ids = (struct realm_ids){0};
    luaL_setmetatable(lua, IDS_NAME);
    return ids;
}

static bool note_id(void *ctx, const struct look *look)
{
    struct realm_ids *ids = ctx;

    if (look->is_trusted && !ids->with_trusted)
        return true;
    if (ids->count == ids->cap) {
        ids->cap = ids->cap == 0 ? 16 : ids->cap * 2;
        ids->of = mem_grow(ids->of, ids->cap * sizeof(*ids->of));
    }
    ids->of[ids->count++] = look->id;
    return true;
}

static const char *const no_others[] = {NULL};

struct realm_ids *l_realm_find(lua_State *lua, const struct mind *mind,
                               const struct look_want *wants, size_t count)
{
    struct realm_ids *ids = ids_new(lua);

    core_each_session(realm_core(mind->realm), wants, count, note_id, ids);
    return ids;
}

static int l_count(lua_State *lua)
{
    struct mind *mind = mind_of(lua);
    struct look_want wants[MAX_WANTS];
    size_t count = l_realm_wants(lua, 2, no_others, wants);
    lua_pushinteger(lua, (lua_Integer)l_realm_find(lua, mind, wants, count)->count);
    return 1;
}

/* Upvalue: the ids. */
static int l_next_session(lua_State *lua)
{
    struct realm_ids *ids = lua_touserdata(lua, lua_upvalueindex(1));
    struct mind *mind = policy_of(lua)->version->mind;
    struct look look;

    while (ids->next < ids->count && !core_look(realm_core(mind->realm), ids->of[ids->next], &look))
        ids->next++; /* it has left meanwhile */
    if (ids->next == ids->count)
        return 0;
    l_views_push_session(lua, mind, ids->of[ids->next++]);
    return 1;
}

static int l_sessions(lua_State *lua)
{
    struct mind *mind = mind_of(lua);
    struct look_want wants[MAX_WANTS];
    size_t count = l_realm_wants(lua, 2, no_others, wants);
    (void)l_realm_find(lua, mind, wants, count);
    lua_pushcclosure(lua, l_next_session, 1);
    return 1;
}

static int l_session(lua_State *lua)
{
    struct mind *mind = mind_of(lua);
    lua_Integer id = luaL_checkinteger(lua, 2);
    struct look look;

    if (id <= 0 || !core_look(realm_core(mind->realm), (uint64_t)id, &look))
        lua_pushnil(lua);
    else
        l_views_push_session(lua, mind, (uint64_t)id);
    return 1;
}

bool realm_end_session(struct mind *mind, uint64_t session, const char *reason, const char *words)
{
    struct ending ending = {.session = session, .reason = reason, .words = words};
    struct event ev = {.type = EV_END, .ending = &ending};
    struct look look;

    if (!core_look(realm_core(mind->realm), session, &look) || look.is_trusted)
        return false;
    realm_step(mind->realm, &ev);
    return true;
}

static const char *option_text(lua_State *lua, int index, const char *key, const char *fallback)
{
    if (lua_getfield(lua, index, key) == LUA_TNIL)
        return fallback;
    if (lua_type(lua, -1) != LUA_TSTRING)
        luaL_error(lua, "%s: found a %s; allowed: a text", key, luaL_typename(lua, -1));
    return l_object_check_said(lua, -1, key); /* the table keeps it */
}

/* realm:kill{ authid = , reason = , message = } */
static int l_kill(lua_State *lua)
{
    static const char *const others[] = {"id", "reason", "message", NULL};
    struct mind *mind = mind_of(lua);
    struct look_want wants[MAX_WANTS];
    const char *reason, *words;
    lua_Integer id = 0, killed = 0;
    const struct realm_ids *ids;
    size_t count;

    l_host_changes(lua);
    luaL_checktype(lua, 2, LUA_TTABLE);
    reason = option_text(lua, 2, "reason", WAMP_CLOSE_KILLED);
    words = option_text(lua, 2, "message", NULL);
    if (!uri_is_valid(slice_of(reason), MATCH_EXACT, false))
        return luaL_error(lua, "kill: reason: found \"%s\"; allowed: a URI", reason);
    if (lua_getfield(lua, 2, "id") != LUA_TNIL)
        id = luaL_checkinteger(lua, -1);
    count = l_realm_wants(lua, 2, others, wants);
    if (count == 0 && id == 0)
        return luaL_error(lua, "kill needs a selector, as { authid = \"bob\" } or { id = 17 }");
    if (id != 0 && count == 0) {
        killed = realm_end_session(mind, (uint64_t)id, reason, words);
    } else {
        ids = l_realm_find(lua, mind, wants, count);
        for (size_t i = 0; i < ids->count; i++)
            if (id == 0 || ids->of[i] == (uint64_t)id)
                killed += realm_end_session(mind, ids->of[i], reason, words);
    }
    lua_pushinteger(lua, killed);
    return 1;
}

/* ---- subscriptions, registrations ---- */

static bool note_holder(void *ctx, uint64_t session, uint64_t id, enum match match,
                        struct slice uri)
{
    (void)id;
    (void)match;
    (void)uri;
    return note_id(ctx, &(struct look){.id = session});
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* A list of sessions: each one once, also with several subscriptions. */
static int push_holders(lua_State *lua, const struct mind *mind, const struct realm_ids *ids)
{
    lua_Integer count = 0;

    if (ids->count != 0)
        qsort(ids->of, ids->count, sizeof(*ids->of), compare_ids);
    lua_createtable(lua, (int)ids->count, 0);
    for (size_t i = 0; i < ids->count; i++) {
        if (i != 0 && ids->of[i] == ids->of[i - 1])
            continue;
        l_views_push_session(lua, mind, ids->of[i]);
        lua_rawseti(lua, -2, ++count);
    }
    vm_charge(lua, ids->count);
    return 1;
}

static int l_subscribers(lua_State *lua)
{
    struct mind *mind = mind_of(lua);
    struct slice topic = l_object_check_text(lua, 2);
    struct realm_ids *ids = ids_new(lua);

    ids->with_trusted = true;
    core_each_subscriber(realm_core(mind->realm), topic, note_holder, ids);
    return push_holders(lua, mind, ids);
}

static int l_callees(lua_State *lua)
{
    struct mind *mind = mind_of(lua);
    struct slice uri = l_object_check_text(lua, 2);
    struct realm_ids *ids = ids_new(lua);

    ids->with_trusted = true;
    core_each_callee(realm_core(mind->realm), uri, note_holder, ids);
    return push_holders(lua, mind, ids);
}

/* ---- the object ---- */

static int l_index(lua_State *lua)
{
    luaL_checkudata(lua, 1, policy_realm.name);
    if (lua_type(lua, 2) == LUA_TSTRING && strcmp(lua_tostring(lua, 2), "uri") == 0) {
        lua_pushstring(lua, host_of(lua)->realm);
        return 1;
    }
    return l_object_method(lua, &policy_realm, "nexus.realm");
}

static const struct module_row rows[] = {
    {"uri", NULL, "string", "The name of the realm.", NULL},
    {"call", l_realm_call,
     "fun(self: nexus.Realm, uri: string|{ [1]: string, args?: any[], kwargs?: table, timeout?: "
     "number, on_progress?: function }, ...: any): ...",
     "Calls a procedure and waits. In the short form it returns the positional results; with a "
     "table a nexus.Result. timeout is in seconds; on_progress is called with each progressive "
     "result.",
     "The WAMP error of the call; where nothing can wait"},
    {"publish", l_realm_publish,
     "fun(self: nexus.Realm, topic: string, args?: any[], kwargs?: table, options?: table): "
     "integer?",
     "Publishes an event. With acknowledge = true it waits and returns the id of the publication.",
     "What cannot be sent; with acknowledge the WAMP error"},
    {"register", l_register,
     "fun(self: nexus.Realm, uri: string, fn: function, options?: table): nexus.Endpoint",
     "Registers a procedure, with the options of policy.procedures. A reload ends it.",
     "The WAMP error; where nothing can wait"},
    {"subscribe", l_subscribe,
     "fun(self: nexus.Realm, topic: string, fn: function, options?: table): nexus.Endpoint",
     "Subscribes to a topic, with the options of policy.subscriptions. A reload ends it.",
     "The WAMP error; where nothing can wait"},
    {"session", l_session, "fun(self: nexus.Realm, id: integer): nexus.Session?",
     "The session with that id; nil: there is none.", NULL},
    {"sessions", l_sessions, "fun(self: nexus.Realm, selector?: table): fun(): nexus.Session?",
     "An iterator over the sessions whose attributes have these values.", NULL},
    {"count", l_count, "fun(self: nexus.Realm, selector?: table): integer",
     "How many sessions have these values.", NULL},
    {"kill", l_kill, "fun(self: nexus.Realm, selector: table): integer",
     "Ends the sessions whose attributes have these values (or with that id), for a reason (a URI) "
     "and with a message; how many.",
     "A selector without any attribute"},
    {"forget_decisions", l_realm_forget, "fun(self: nexus.Realm, selector?: table)",
     "Forgets kept answers of policy.authorize that depend on these values of attributes; without "
     "a selector all.",
     NULL},
    {"recheck", l_realm_recheck, "fun(self: nexus.Realm, selector?: table): integer",
     "Judges again what the sessions with these values have subscribed to and registered, and "
     "takes away what is not allowed any more; how many sessions there are.",
     NULL},
    {"retained", l_realm_retained,
     "fun(self: nexus.Realm, topic: string): { args: any[], kwargs: table, publication: integer, "
     "publisher?: integer, at: number, restricted: boolean }[]",
     "The retained events of a topic, the newest first; restricted: not everybody may have it.",
     "What is no URI"},
    {"subscribers", l_subscribers, "fun(self: nexus.Realm, topic: string): nexus.Session[]",
     "Who would get an event of the topic, filters aside.", NULL},
    {"callees", l_callees, "fun(self: nexus.Realm, uri: string): nexus.Session[]",
     "Who may answer a call of the procedure.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void open_class(lua_State *lua)
{
    l_object_open(lua, l_index, "nexus.realm is read-only");
    l_object_open_holder(lua, IDS_NAME, l_ids_gc);
    l_realm_kept_open(lua);
    l_realm_calls_open(lua);
}

const struct module_table policy_realm = {"nexus.Realm", rows, open_class};

static void open_field(lua_State *lua)
{
    (void)lua_newuserdatauv(lua, 0, 0);
    luaL_setmetatable(lua, policy_realm.name);
    lua_setfield(lua, -2, "realm");
}

static const struct module_row field_rows[] = {
    {"realm", NULL, "nexus.Realm", "The realm that the policy is for.", NULL},
    {"realm_named", l_others_named, "fun(uri: string): nexus.OtherRealm",
     "Another realm, where the configuration permits it (other_realms). The session there is "
     "opened "
     "by the first call or event.",
     "What is no name of a realm"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table policy_realm_field = {"nexus", field_rows, open_field};
