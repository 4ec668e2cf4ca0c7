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
#include "policy/realm_kept.h"
#include "policy/results.h"
#include "wire/errors.h"

#include <lauxlib.h>

#include <stdlib.h>

#define MAX_TIMEOUT_S    86400.0
#define MAX_ARRIVALS     1000 /* progressive results that were not taken yet */
#define MAX_ARRIVALS_LEN ((size_t)16 * 1024 * 1024)

static const char glue_key = 0;

static struct mind *mind_of(lua_State *lua)
{
    l_policy_may_act(lua);
    return policy_of(lua)->version->mind;
}

static struct service *service_of(lua_State *lua)
{
    struct service *service = mind_of(lua)->service;

    l_host_changes(lua);
    if (service == NULL || service->session == 0)
        luaL_error(lua, "the realm is not open");
    return service;
}

/* ---- requests that somebody waits for ---- */

/* A message that came and was not taken yet. */
struct arrival {
    struct arrival *next;
    struct msg msg;
    char bytes[];
};

struct outcall {
    struct wait wait; /* while Lua waits for the next arrival */
    struct service_request request;
    struct service *service; /* NULL: the answer has come, or never will */
    struct realm *realm;
    struct arrival *first, **last;
    size_t count, len; /* of the arrivals */
    struct realm_timer farewell;
    bool is_lost;     /* the session is over */
    bool is_flooded;  /* the call was canceled, as more came than was taken */
    bool is_long;     /* a result object, else the values alone */
    bool is_forsaken; /* the object of Lua that held it is gone: it ends by itself */
    bool is_taken;    /* what it waited for was pushed */
    bool is_waiting, is_call;
};

/* Nobody wants its answer any more: a call is canceled. */
static void give_up(struct outcall *out)
{
    if (out->service == NULL)
        return;
    service_forget(out->service, &out->request);
    if (out->is_call)
        service_cancel(out->service, out->request.id);
    out->service = NULL;
}

/* True when there is no room for another one. */
static bool is_flooded(struct outcall *out, const struct msg *msg)
{
    if (out->count < MAX_ARRIVALS && out->len + msg_len(msg) <= MAX_ARRIVALS_LEN)
        return false;
    out->is_flooded = true;
    give_up(out);
    return true;
}

static void outcall_free(struct outcall *out);

static void on_answer(struct service_request *request, const struct msg *msg)
{
    struct outcall *out = container_of(request, struct outcall, request);
    struct arrival *arrival;

    if (msg == NULL) {
        out->is_lost = true;
        out->service = NULL;
    } else if (out->count == 0 || !is_flooded(out, msg)) {
        if (msg->type != MSG_RESULT || !facts_has_true(msg, SLICE("progress")))
            out->service = NULL;
        arrival = mem_zero(1, sizeof(*arrival) + msg_len(msg));
        msg_copy(&arrival->msg, msg, arrival->bytes);
        *out->last = arrival;
        out->last = &arrival->next;
        out->count++;
        out->len += msg_len(msg);
    }
    if (out->is_forsaken && out->service == NULL)
        outcall_free(out);
    else if (out->is_waiting)
        wait_done(&out->wait);
}

static void take_arrival(struct outcall *out)
{
    struct arrival *arrival = out->first;

    out->first = arrival->next;
    out->count--;
    out->len -= msg_len(&arrival->msg);
    if (out->first == NULL)
        out->last = &out->first;
    mem_free(arrival);
}

static void outcall_free(struct outcall *out)
{
    give_up(out);
    if (out->is_forsaken)
        realm_clear_timer(out->realm, &out->farewell);
    while (out->first != NULL)
        take_arrival(out);
    mem_free(out);
}

/* Pushes the arrival, or raises what it says. Returns true when it was a progressive one. */
static bool push_arrival(lua_State *lua, struct outcall *out)
{
    const struct msg *msg;

    if (out->first == NULL) {
        if (out->is_flooded)
            luaL_error(lua, "more progressive results came than were taken (%d)", MAX_ARRIVALS);
        luaL_error(lua, "the realm is closing");
        return false;
    }
    msg = &out->first->msg;
    if (msg->type == MSG_ERROR) {
        l_facts_push_payload(lua, msg, true);
        l_facts_push_payload(lua, msg, false);
        l_errors_push(lua, msg->text);
        lua_error(lua);
    }
    if (msg->type == MSG_PUBLISHED) {
        lua_pushinteger(lua, (lua_Integer)msg->second);
        return false;
    }
    l_facts_push_payload(lua, msg, true);
    l_facts_push_payload(lua, msg, false);
    if (lua_isnil(lua, -2))
        luaL_error(lua, "the result is encrypted end to end");
    l_results_push(lua);
    return facts_has_true(msg, SLICE("progress"));
}

/* The positional results of the result at the top instead of it. */
static void unpack_result(lua_State *lua)
{
    int result = lua_gettop(lua), args;
    lua_Integer count;

    lua_getfield(lua, result, "args");
    args = lua_gettop(lua);
    count = (lua_Integer)lua_rawlen(lua, args);
    luaL_checkstack(lua, (int)count + 2, NULL);
    for (lua_Integer i = 1; i <= count; i++)
        lua_rawgeti(lua, args, i);
    lua_remove(lua, args);
    lua_remove(lua, result);
}

static void push_outcall(lua_State *lua, struct wait *wait)
{
    struct outcall *out = container_of(wait, struct outcall, wait);

    (void)push_arrival(lua, out);
    if (out->first->msg.type == MSG_RESULT && !out->is_long)
        unpack_result(lua);
}

static void drop_outcall(struct wait *wait)
{
    outcall_free(container_of(wait, struct outcall, wait));
}

static struct outcall *outcall_new(struct service *service, bool is_call)
{
    struct outcall *out = mem_zero(1, sizeof(*out));

    out->service = service;
    out->realm = service->mind->realm;
    out->is_call = is_call;
    out->last = &out->first;
    out->request.answer = on_answer;
    out->wait = (struct wait){.push = push_outcall, .drop = drop_outcall};
    return out;
}

static int await(lua_State *lua, struct outcall *out)
{
    out->is_waiting = true;
    if (out->first != NULL || out->service == NULL)
        wait_done(&out->wait);
    return l_wait(lua, &out->wait);
}

/* ---- call ---- */

/* The options of a call in the long form, which is at 2. */
static void put_call_options(lua_State *lua, struct encoder *e)
{
    double seconds;

    encode_map(e, COUNT_UNKNOWN);
    if (lua_istable(lua, 2)) {
        if (lua_getfield(lua, 2, "timeout") != LUA_TNIL) {
            seconds = luaL_checknumber(lua, -1);
            if (!(seconds >= 0.001) || seconds > MAX_TIMEOUT_S)
                luaL_error(lua, "timeout: found %f; allowed: seconds, from 0.001 to 86400",
                           seconds);
            encode_text(e, SLICE("timeout"));
            encode_uint(e, (uint64_t)(seconds * 1000));
        }
        if (lua_getfield(lua, 2, "on_progress") != LUA_TNIL) {
            encode_text(e, SLICE("receive_progress"));
            encode_bool(e, true);
        }
        lua_pop(lua, 2);
    }
    encode_end(e);
}

static struct slice check_uri(lua_State *lua, int index)
{
    struct slice uri;

    luaL_checktype(lua, index, LUA_TSTRING); /* a number would be a string on the stack alone */
    uri.data = lua_tolstring(lua, index, &uri.len);
    return uri;
}

static void put_part(lua_State *lua, struct encoder *e, const char *key, enum values_shape shape)
{
    if (lua_getfield(lua, 2, key) == LUA_TNIL) {
        if (shape == VALUES_LIST)
            encode_list(e, 0);
        else
            encode_map(e, 0);
        encode_end(e);
    } else {
        l_values_put(lua, lua_gettop(lua), shape, key);
    }
    lua_pop(lua, 1);
}

/* Sends CALL for what is on the stack from 2 on. */
static struct outcall *send_call(lua_State *lua, struct service *service, bool is_long)
{
    struct outcall *out;
    struct encoder *e;
    struct slice uri;
    struct blob *blob;
    uint64_t id;

    if (is_long) {
        static const char *const known[] = {"args", "kwargs", "timeout", "on_progress", NULL};

        lua_rawgeti(lua, 2, 1);
        uri = check_uri(lua, -1); /* the table keeps it */
        lua_pop(lua, 1);
        lua_pushnil(lua);
        lua_rawseti(lua, 2, 1);
        l_module_check_keys(lua, 2, "nexus.realm:call", known);
        lua_pushlstring(lua, uri.data, uri.len);
        lua_rawseti(lua, 2, 1);
    } else {
        uri = check_uri(lua, 2);
    }
    e = l_service_begin(lua, service, MSG_CALL, &id);
    put_call_options(lua, e);
    encode_text(e, uri);
    if (is_long) {
        put_part(lua, e, "args", VALUES_LIST);
        put_part(lua, e, "kwargs", VALUES_DICT);
    } else {
        l_results_put(lua, 3);
    }
    blob = l_service_end(lua);
    out = outcall_new(service, true);
    out->is_long = is_long;
    service_expect(service, &out->request, id);
    service_send_blob(service, blob);
    return out;
}

/* With on_progress: an object that gives one arrival at a time. */
struct pending {
    struct outcall *out;
};

static void on_farewell(struct realm_timer *timer)
{
    outcall_free(container_of(timer, struct outcall, farewell));
}

/* Garbage is collected at any moment, also while the core is being looked at: so a CANCEL is sent
 * later. */
static int l_pending_gc(lua_State *lua)
{
    struct pending *pending = lua_touserdata(lua, 1);
    struct outcall *out = pending->out;

    pending->out = NULL;
    if (out == NULL)
        return 0;
    if (out->service == NULL) {
        outcall_free(out);
        return 0;
    }
    out->is_forsaken = true;
    out->farewell.fire = on_farewell;
    realm_set_timer(out->realm, &out->farewell, realm_now(out->realm));
    return 0;
}

static void push_next(lua_State *lua, struct wait *wait)
{
    struct outcall *out = container_of(wait, struct outcall, wait);
    bool is_progress;

    out->is_taken = true;
    is_progress = push_arrival(lua, out);
    lua_pushboolean(lua, is_progress);
    lua_insert(lua, -2);
}

/* The run has ended, or has taken what came: the object goes on. */
static void drop_next(struct wait *wait)
{
    struct outcall *out = container_of(wait, struct outcall, wait);

    out->is_waiting = false;
    if (!out->is_taken)
        give_up(out);
    else if (out->first != NULL)
        take_arrival(out);
}

/* Of an object: whether it is progress, and the result. */
static int l_next(lua_State *lua)
{
    struct pending *pending = lua_touserdata(lua, 1);
    struct outcall *out = pending->out;

    l_wait_allowed(lua);
    out->is_taken = false;
    out->wait = (struct wait){.push = push_next, .drop = drop_next};
    return await(lua, out);
}

static int on_glue(lua_State *lua, int status, lua_KContext ctx)
{
    (void)lua;
    (void)status;
    (void)ctx;
    return 1;
}

static int call_with_progress(lua_State *lua, struct service *service)
{
    struct pending *pending;

    lua_settop(lua, 2);
    if (lua_getfield(lua, 2, "on_progress") != LUA_TFUNCTION)
        return luaL_error(lua, "on_progress: found a %s; allowed: a function",
                          luaL_typename(lua, -1));
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &glue_key);
    pending = lua_newuserdatauv(lua, sizeof(*pending), 0);
    pending->out = NULL;
    luaL_setmetatable(lua, "nexus.pending");
    pending->out = send_call(lua, service, true);
    lua_pushvalue(lua, 3);
    lua_callk(lua, 2, 1, 0, on_glue);
    return on_glue(lua, LUA_OK, 0);
}

static int l_call(lua_State *lua)
{
    struct service *service = service_of(lua);
    bool is_long = lua_istable(lua, 2);

    luaL_checkudata(lua, 1, policy_realm.name);
    l_wait_allowed(lua);
    if (is_long && lua_getfield(lua, 2, "on_progress") != LUA_TNIL)
        return call_with_progress(lua, service);
    if (is_long)
        lua_settop(lua, 2);
    return await(lua, send_call(lua, service, is_long));
}

/* ---- publish ---- */

/* The options at the index, but for those of the client's side. */
static bool put_publish_options(lua_State *lua, struct encoder *e, int index)
{
    bool is_acknowledged = false;

    if (lua_isnoneornil(lua, index)) {
        encode_map(e, 0);
        encode_end(e);
        return false;
    }
    luaL_checktype(lua, index, LUA_TTABLE);
    is_acknowledged =
        lua_getfield(lua, index, "acknowledge") == LUA_TBOOLEAN && lua_toboolean(lua, -1) != 0;
    lua_pop(lua, 1);
    l_values_put(lua, index, VALUES_DICT, "options");
    return is_acknowledged;
}

static void put_or_none(lua_State *lua, struct encoder *e, int index, enum values_shape shape,
                        const char *path)
{
    if (!lua_isnoneornil(lua, index)) {
        luaL_checktype(lua, index, LUA_TTABLE);
        l_values_put(lua, index, shape, path);
    } else if (shape == VALUES_LIST) {
        encode_list(e, 0);
        encode_end(e);
    }
}

/* realm:publish(topic, args, kwargs, options) */
static int l_publish(lua_State *lua)
{
    struct service *service = service_of(lua);
    struct outcall *out = NULL;
    struct encoder *e;
    struct slice topic;
    struct blob *blob;
    uint64_t id;
    bool is_acknowledged;

    luaL_checkudata(lua, 1, policy_realm.name);
    lua_settop(lua, 5);
    topic = check_uri(lua, 2);
    if (!uri_is_valid(topic, MATCH_EXACT, false))
        return luaL_error(lua, "publish: found \"%s\"; allowed: a URI", topic.data);
    e = l_service_begin(lua, service, MSG_PUBLISH, &id);
    is_acknowledged = put_publish_options(lua, e, 5);
    if (is_acknowledged)
        l_wait_allowed(lua);
    encode_text(e, topic);
    put_or_none(lua, e, 3, VALUES_LIST, "args");
    put_or_none(lua, e, 4, VALUES_DICT, "kwargs");
    blob = l_service_end(lua);
    if (is_acknowledged) {
        out = outcall_new(service, false);
        service_expect(service, &out->request, id);
    }
    service_send_blob(service, blob);
    return out == NULL ? 0 : await(lua, out);
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
    return lua_tostring(lua, -1); /* the table keeps it */
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
    struct slice topic = check_uri(lua, 2);
    struct realm_ids *ids = ids_new(lua);

    ids->with_trusted = true;
    core_each_subscriber(realm_core(mind->realm), topic, note_holder, ids);
    return push_holders(lua, mind, ids);
}

static int l_callees(lua_State *lua)
{
    struct mind *mind = mind_of(lua);
    struct slice uri = check_uri(lua, 2);
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
    {"call", l_call,
     "fun(self: nexus.Realm, uri: string|{ [1]: string, args?: any[], kwargs?: table, timeout?: "
     "number, on_progress?: function }, ...: any): ...",
     "Calls a procedure and waits. In the short form it returns the positional results; with a "
     "table a nexus.Result. timeout is in seconds; on_progress is called with each progressive "
     "result.",
     "The WAMP error of the call; where nothing can wait"},
    {"publish", l_publish,
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

/* Gives one progressive result after the other to a function, and returns the last one. */
static const char glue[] = "local next, unpack = ...\n"
                           "return function(pending, fn)\n"
                           "  while true do\n"
                           "    local more, result = next(pending)\n"
                           "    if not more then return result end\n"
                           "    fn(unpack(result.args))\n"
                           "  end\n"
                           "end\n";

static int l_unpack(lua_State *lua)
{
    lua_Integer count = (lua_Integer)lua_rawlen(lua, 1);

    luaL_checkstack(lua, (int)count, NULL);
    for (lua_Integer i = 1; i <= count; i++)
        lua_rawgeti(lua, 1, i);
    return (int)count;
}

/* Objects that policies never see: they give back what they hold. */
static void open_holder(lua_State *lua, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(lua, name);
    lua_pushcfunction(lua, gc);
    lua_setfield(lua, -2, "__gc");
    lua_pop(lua, 1);
}

static void open_class(lua_State *lua)
{
    l_object_open(lua, l_index, "nexus.realm is read-only");
    open_holder(lua, "nexus.pending", l_pending_gc);
    open_holder(lua, IDS_NAME, l_ids_gc);
    l_realm_kept_open(lua);
    if (luaL_loadbufferx(lua, glue, sizeof(glue) - 1, "=nexus.realm:call", "t") != LUA_OK)
        lua_error(lua);
    lua_pushcfunction(lua, l_next);
    lua_pushcfunction(lua, l_unpack);
    lua_call(lua, 2, 1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &glue_key);
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
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table policy_realm_field = {"nexus", field_rows, open_field};
