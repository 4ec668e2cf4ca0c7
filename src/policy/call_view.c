/* call_view.c -- `call`, as the handlers of procedures see it: arguments, progress, more input,
 * cancellation. See invocation.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "policy/invocation.h"
#include "policy/objects.h"
#include "policy/results.h"

#include <lauxlib.h>

#define ROOM_MS 5 /* between two looks at the queue of a caller */

struct call_view {
    struct invocation *invocation;
    uint32_t generation;
};

/* call:chunks() waits for the next one. */
struct input {
    struct wait wait;
    struct invocation *invocation; /* NULL: it is over */
};

/* ---- the view ---- */

static struct invocation *check_call(lua_State *lua)
{
    const struct call_view *view = luaL_checkudata(lua, 1, policy_calls.name);

    if (view->generation != view->invocation->generation)
        luaL_error(lua, "call is over");
    return view->invocation;
}

void l_call_push(lua_State *lua, struct invocation *invocation)
{
    struct call_view *view = lua_newuserdatauv(lua, sizeof(*view), 4);

    *view = (struct call_view){invocation, invocation->generation};
    luaL_setmetatable(lua, policy_calls.name);
}

/* What is decoded stays in the view: user values 1 to 4. */
static int cached(lua_State *lua, const struct invocation *invocation, int place)
{
    const struct msg *msg = &invocation->msg;

    if (lua_getiuservalue(lua, 1, place) != LUA_TNIL)
        return 1;
    lua_pop(lua, 1);
    if (place <= 2 && invocation->is_sealed)
        lua_pushnil(lua);
    else if (place <= 2)
        l_facts_push_open_payload(lua, &msg->payload, place == 1);
    else if (place == 3)
        l_facts_push_dict(lua, msg, "details");
    else
        l_object_push_captures(lua, &invocation->handler.pattern,
                               facts_text(msg, SLICE("procedure")));
    lua_pushvalue(lua, -1);
    lua_setiuservalue(lua, 1, place);
    return 1;
}

static int l_call_index(lua_State *lua)
{
    struct invocation *invocation = check_call(lua);
    const char *key = luaL_checkstring(lua, 2);

    if (strcmp(key, "args") == 0)
        return cached(lua, invocation, 1);
    if (strcmp(key, "kwargs") == 0)
        return cached(lua, invocation, 2);
    if (strcmp(key, "details") == 0)
        return cached(lua, invocation, 3);
    if (strcmp(key, "params") == 0)
        return cached(lua, invocation, 4);
    if (strcmp(key, "uri") == 0) {
        struct slice uri = facts_text(&invocation->msg, SLICE("procedure"));

        if (uri.len == 0)
            uri = invocation->handler.uri;
        lua_pushlstring(lua, uri.data, uri.len);
    } else if (strcmp(key, "caller") == 0) {
        l_views_push_session(lua, invocation->mind, invocation->caller);
    } else if (strcmp(key, "wants_progress") == 0) {
        lua_pushboolean(lua, invocation->wants_progress);
    } else if (strcmp(key, "canceled") == 0) {
        lua_pushboolean(lua, invocation->cancel != NULL);
    } else if (strcmp(key, "deadline") == 0) {
        const struct realm *realm = invocation->mind->realm;
        uint64_t at = core_call_deadline(realm_core(realm), invocation->mind->service->session,
                                         invocation->id);

        if (invocation->fiber.ends_at < at)
            at = invocation->fiber.ends_at;
        if (at == NEVER)
            lua_pushnil(lua);
        else
            lua_pushnumber(lua, (double)(realm_wall(realm) + at - realm_now(realm)) / 1000);
    } else {
        return l_object_method(lua, &policy_calls, "a call");
    }
    return 1;
}

/* ---- progress ---- */

/* A progressive result is out, and the caller's queue is full: looks at it now and then. */
struct room_wait {
    struct wait wait;
    struct realm_timer timer;
    struct mind *mind;
    uint64_t caller, ticket;
};

static enum room room_of(struct mind *mind, uint64_t caller, uint64_t ticket)
{
    struct look look;

    if (!core_look(realm_core(mind->realm), caller, &look))
        return ROOM_YES; /* nobody is there to be flooded */
    return realm_room(mind->realm, look.peer, ticket);
}

static void take_room(struct room_wait *room, enum room found)
{
    struct realm *realm = room->mind->realm;

    if (found == ROOM_YES)
        wait_done(&room->wait);
    else if (found == ROOM_NO)
        realm_set_timer(realm, &room->timer, realm_now(realm) + ROOM_MS);
}

static void on_room_timer(struct realm_timer *timer)
{
    struct room_wait *room = container_of(timer, struct room_wait, timer);

    take_room(room, room_of(room->mind, room->caller, room->ticket));
}

void procedures_room(struct mind *mind, uint64_t ticket, bool has_room)
{
    struct room_wait *room = map_get(&mind->rooms, ticket, 0);

    if (room != NULL)
        take_room(room, has_room ? ROOM_YES : ROOM_NO);
}

static void drop_room(struct wait *wait)
{
    struct room_wait *room = container_of(wait, struct room_wait, wait);

    realm_clear_timer(room->mind->realm, &room->timer);
    map_remove(&room->mind->rooms, room->ticket, 0);
    mem_free(room);
}

/* call:progress(...) */
static int l_progress(lua_State *lua)
{
    struct invocation *invocation = check_call(lua);
    struct mind *mind = invocation->mind;
    struct payload payload;
    struct blob *blob;
    struct room_wait *room;
    enum room found;

    if (!invocation->wants_progress || invocation->is_answered)
        return 0;
    l_wait_allowed(lua);
    blob = l_results_payload(lua, 2, &payload);
    service_yield(mind->service, invocation->id, &payload, true);
    blob_drop(blob);
    found = room_of(mind, invocation->caller, ++mind->last_room);
    if (found == ROOM_YES)
        return 0;
    room = mem_zero(1, sizeof(*room));
    room->wait.drop = drop_room;
    room->timer.fire = on_room_timer;
    room->mind = mind;
    room->caller = invocation->caller;
    room->ticket = mind->last_room;
    map_put(&mind->rooms, room->ticket, 0, room);
    take_room(room, found);
    return l_wait(lua, &room->wait);
}

/* ---- progressive input ---- */

/* The next chunk as args and kwargs; none: nothing. */
static int push_chunk(lua_State *lua, struct invocation *invocation)
{
    struct chunk *chunk = invocation_chunk(invocation);

    if (chunk == NULL)
        return 0;
    lua_pushvalue(lua, lua_upvalueindex(1));
    l_facts_push_payload(lua, &chunk->msg, true);
    l_facts_push_payload(lua, &chunk->msg, false);
    invocation_drop_chunk(invocation, chunk);
    return 2;
}

static void push_input(lua_State *lua, struct wait *wait)
{
    struct invocation *invocation = container_of(wait, struct input, wait)->invocation;
    struct chunk *chunk = invocation == NULL ? NULL : invocation_chunk(invocation);

    if (chunk == NULL)
        return;
    l_facts_push_payload(lua, &chunk->msg, true);
    l_facts_push_payload(lua, &chunk->msg, false);
    invocation_drop_chunk(invocation, chunk);
}

void call_view_more(struct invocation *invocation)
{
    if (invocation->input != NULL)
        wait_done(&invocation->input->wait);
}

void call_view_close(struct invocation *invocation)
{
    if (invocation->input != NULL)
        invocation->input->invocation = NULL;
    invocation->input = NULL;
}

static void drop_input(struct wait *wait)
{
    struct input *input = container_of(wait, struct input, wait);

    if (input->invocation != NULL)
        input->invocation->input = NULL;
    mem_free(input);
}

/* Upvalues: the call, and whether its own arguments were given out. */
static int l_next_chunk(lua_State *lua)
{
    struct invocation *invocation;
    struct input *input;

    lua_settop(lua, 0);
    lua_pushvalue(lua, lua_upvalueindex(1));
    invocation = check_call(lua);
    if (!lua_toboolean(lua, lua_upvalueindex(2))) {
        lua_pushboolean(lua, true);
        lua_replace(lua, lua_upvalueindex(2));
        (void)cached(lua, invocation, 1);
        (void)cached(lua, invocation, 2);
        return 2;
    }
    if (invocation_chunk(invocation) != NULL)
        return push_chunk(lua, invocation);
    if (!invocation->has_more)
        return 0;
    if (invocation->input != NULL)
        return luaL_error(lua, "another function waits for the next chunk already");
    l_wait_allowed(lua);
    input = mem_zero(1, sizeof(*input));
    input->wait = (struct wait){.push = push_input, .drop = drop_input};
    input->invocation = invocation;
    invocation->input = input;
    return l_wait(lua, &input->wait);
}

static int l_chunks(lua_State *lua)
{
    (void)check_call(lua);
    lua_settop(lua, 1);
    lua_pushboolean(lua, false);
    lua_pushcclosure(lua, l_next_chunk, 2);
    return 1;
}

/* ---- on_cancel ---- */

struct cancellation {
    struct fiber fiber;
    struct vm *vm;
    int ref; /* to the list of functions */
};

static void push_cancellation(lua_State *lua, void *ctx)
{
    const struct cancellation *c = container_of((struct fiber *)ctx, struct cancellation, fiber);

    lua_pushcfunction(lua, l_object_call_each);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, c->ref);
}

static void end_cancellation(struct fiber *fiber, enum fiber_end how,
                             const struct door_answer *failure)
{
    struct cancellation *c = container_of(fiber, struct cancellation, fiber);

    (void)how;
    (void)failure;
    luaL_unref(vm_lua(c->vm), LUA_REGISTRYINDEX, c->ref);
    mem_free(c);
}

static const struct fiber_kind cancellation_kind = {
    "on_cancel", BUDGET_PROCEDURE, push_cancellation, NULL, NULL, end_cancellation, false};

void call_view_cancel(struct invocation *invocation)
{
    struct cancellation *c;

    if (invocation->on_cancel == LUA_NOREF)
        return;
    c = mem_zero(1, sizeof(*c));
    c->vm = invocation->version->policy->vm;
    c->ref = invocation->on_cancel;
    invocation->on_cancel = LUA_NOREF;
    c->fiber.session = invocation->caller;
    fiber_start(&c->fiber, invocation->version, &cancellation_kind, 0);
}

/* The call is over: what it wanted done when it is canceled is done when its time was over. */
void call_view_end(struct invocation *invocation, bool is_late)
{
    if (is_late && !invocation->mind->is_stopped)
        call_view_cancel(invocation);
    if (invocation->on_cancel != LUA_NOREF)
        luaL_unref(vm_lua(invocation->version->policy->vm), LUA_REGISTRYINDEX,
                   invocation->on_cancel);
    invocation->on_cancel = LUA_NOREF;
}

/* call:on_cancel(fn) */
static int l_on_cancel(lua_State *lua)
{
    struct invocation *invocation = check_call(lua);

    luaL_checktype(lua, 2, LUA_TFUNCTION);
    if (invocation->on_cancel == LUA_NOREF) {
        lua_newtable(lua);
        invocation->on_cancel = luaL_ref(lua, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(lua, LUA_REGISTRYINDEX, invocation->on_cancel);
    lua_pushvalue(lua, 2);
    lua_rawseti(lua, -2, (lua_Integer)lua_rawlen(lua, -2) + 1);
    return 0;
}

static const struct module_row rows[] = {
    {"progress", l_progress, "fun(self: nexus.Call, ...: any)",
     "Sends a progressive result, and waits while the caller's queue is full. Does nothing when "
     "the "
     "caller did not ask for progress.",
     "What cannot be sent"},
    {"chunks", l_chunks, "fun(self: nexus.Call): fun(): any[], table",
     "The input of a progressive call, piece by piece, beginning with what the call came with: "
     "args "
     "and kwargs of each.",
     NULL},
    {"on_cancel", l_on_cancel, "fun(self: nexus.Call, fn: function)",
     "Calls a function when the call is canceled or its time is over.", NULL},
    {"args", NULL, "any[]", "Positional arguments.", NULL},
    {"kwargs", NULL, "table", "Named arguments.", NULL},
    {"uri", NULL, "string", "The procedure that was called.", NULL},
    {"caller", NULL, "nexus.Session", "Who calls.", NULL},
    {"details", NULL, "table", "INVOCATION.Details.", NULL},
    {"params", NULL, "table<string, string>", "What the pattern of the procedure captured.", NULL},
    {"deadline", NULL, "number?", "When the call must be done, seconds since 1970.", NULL},
    {"wants_progress", NULL, "boolean", "Whether the caller asked for progressive results.", NULL},
    {"canceled", NULL, "boolean", "Whether the call was canceled.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void open_class(lua_State *lua)
{
    l_object_open(lua, l_call_index, "call is read-only");
}

const struct module_table policy_calls = {"nexus.Call", rows, open_class};
