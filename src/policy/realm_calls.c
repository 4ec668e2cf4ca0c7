/* realm_calls.c -- calls and events of a policy, in its realm and in others. See realm_calls.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/realm_calls.h"

#include "base/mem.h"
#include "policy/errors.h"
#include "policy/facts.h"
#include "policy/mind.h"
#include "policy/objects.h"
#include "policy/others.h"
#include "policy/realm.h"
#include "policy/results.h"

#include <lauxlib.h>

#define MAX_TIMEOUT_S    86400.0
#define MAX_ARRIVALS     1000 /* progressive results that were not taken yet */
#define MAX_ARRIVALS_LEN ((size_t)16 * 1024 * 1024)

static const char glue_key = 0;

/* That of the realm at 1, to do something in it. */
static struct service *service_of(lua_State *lua)
{
    struct service *service;

    l_policy_may_act(lua);
    l_host_changes(lua);
    if (luaL_testudata(lua, 1, policy_other.name) != NULL)
        return l_others_service(lua);
    luaL_checkudata(lua, 1, policy_realm.name);
    service = policy_of(lua)->version->mind->service;
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

/* The keys of a call in the long form, but for the URI. */
static void check_call(lua_State *lua)
{
    static const char *const known[] = {"args", "kwargs", "timeout", "on_progress", NULL};

    lua_newtable(lua);
    for (lua_pushnil(lua); lua_next(lua, 2) != 0; lua_pop(lua, 1)) {
        if (lua_isinteger(lua, -2) && lua_tointeger(lua, -2) == 1)
            continue;
        lua_pushvalue(lua, -2);
        lua_pushvalue(lua, -2);
        lua_rawset(lua, -5);
    }
    l_module_check_keys(lua, lua_gettop(lua), "nexus.realm:call", known);
    lua_pop(lua, 1);
}

/* Sends CALL for what is on the stack from 2 on. */
static struct outcall *send_call(lua_State *lua, struct service *service, bool is_long)
{
    static const char uri_words[] = "nexus.realm:call: the URI";
    struct outcall *out;
    struct encoder *e;
    struct slice uri;
    struct blob *blob;
    uint64_t id;

    if (is_long) {
        check_call(lua);
        lua_rawgeti(lua, 2, 1);
        uri = slice_of(l_object_check_said(lua, -1, uri_words)); /* the table keeps it */
        lua_pop(lua, 1);
    } else {
        uri = slice_of(l_object_check_said(lua, 2, uri_words));
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

int l_realm_call(lua_State *lua)
{
    struct service *service = service_of(lua);
    bool is_long = lua_istable(lua, 2);

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

int l_realm_publish(lua_State *lua)
{
    struct service *service = service_of(lua);
    struct outcall *out = NULL;
    struct encoder *e;
    struct slice topic;
    struct blob *blob;
    uint64_t id;
    bool is_acknowledged;

    lua_settop(lua, 5);
    topic = l_object_check_text(lua, 2);
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

/* ---- what comes with it ---- */

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

void l_realm_calls_open(lua_State *lua)
{
    l_object_open_holder(lua, "nexus.pending", l_pending_gc);
    if (luaL_loadbufferx(lua, glue, sizeof(glue) - 1, "=nexus.realm:call", "t") != LUA_OK)
        lua_error(lua);
    lua_pushcfunction(lua, l_next);
    lua_pushcfunction(lua, l_unpack);
    lua_call(lua, 2, 1);
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &glue_key);
}
