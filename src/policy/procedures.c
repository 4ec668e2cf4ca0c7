/* procedures.c -- calls of procedures that a policy has. See handlers.h.
 *
 * An invocation is one call: of a handler, in a fiber of its own. It is answered once, and may have
 * sent progressive results before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "base/mem.h"
#include "policy/admin.h"
#include "policy/errors.h"
#include "policy/facts.h"
#include "policy/handlers.h"
#include "policy/objects.h"
#include "policy/results.h"
#include "wire/errors.h"

#include <lauxlib.h>

#include <stdio.h>

#define MAX_CHUNKS     1000
#define MAX_CHUNKS_LEN ((size_t)16 * 1024 * 1024)
#define ROOM_MS        5 /* between two looks at the queue of a caller */

/* More input of a progressive call. */
struct chunk {
    struct list link;
    struct msg msg;
    char bytes[];
};

struct invocation {
    struct fiber fiber;
    struct list of_mind; /* mind->invocations */
    struct list link;    /* endpoint->waiting or ->busy, mind->idle_invocations, or none */
    struct mind *mind;
    struct endpoint *endpoint; /* NULL: it is gone */
    uint32_t generation;       /* of the views of it */
    uint64_t id, caller;
    struct handler handler;
    struct texts *texts;     /* held: the handler's, while it runs */
    struct version *version; /* the fiber's, as long as that lives */
    struct msg msg;          /* the INVOCATION; its slices are in the arena */
    struct arena arena;
    bool wants_progress, has_more, has_begun;
    struct list chunks; /* owned */
    size_t chunk_count, chunks_len;
    struct input *input; /* it waits for a chunk */
    struct blob *reply;  /* owned; made while its coroutine was there */
    int on_cancel;       /* reference to a list of functions; LUA_NOREF: there is none */
    bool is_answered;
    const char *cancel; /* static: why it is canceled; NULL: it is not */
};

struct call_view {
    struct invocation *invocation;
    uint32_t generation;
};

/* call:chunks() waits for the next one. */
struct input {
    struct wait wait;
    struct invocation *invocation; /* NULL: it is over */
};

static struct invocation *invocation_of(void *ctx)
{
    return container_of((struct fiber *)ctx, struct invocation, fiber);
}

/* ---- answers ---- */

static struct blob *encode_error(uint64_t id, const char *uri, const char *key, struct slice value,
                                 struct slice words)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 128);
    encode_list(&e, COUNT_UNKNOWN);
    encode_uint(&e, MSG_ERROR);
    encode_uint(&e, MSG_INVOCATION);
    encode_uint(&e, id);
    encode_map(&e, 0);
    encode_end(&e);
    encode_text(&e, slice_of(uri));
    encode_list(&e, words.len == 0 ? 0 : 1);
    if (words.len != 0)
        encode_text(&e, words);
    encode_end(&e);
    if (key != NULL) {
        encode_map(&e, 1);
        encode_text_pair(&e, key, value);
        encode_end(&e);
    }
    encode_end(&e);
    return encode_finish(&e);
}

static void answer(struct invocation *invocation, struct blob *blob)
{
    if (invocation->is_answered || invocation->mind->is_stopped) {
        blob_drop(blob);
        return;
    }
    invocation->is_answered = true;
    map_remove(&invocation->mind->invoked, invocation->id, 0);
    service_send_blob(invocation->mind->service, blob);
}

static void answer_error(struct invocation *invocation, const char *uri, struct slice words)
{
    answer(invocation, encode_error(invocation->id, uri, NULL, (struct slice){0}, words));
}

/* An error that is no WAMP error: the caller gets a number, and the log has the words. */
static void answer_incident(struct invocation *invocation, const struct door_answer *failure)
{
    const struct handler *handler = &invocation->handler;
    char hook[80];
    const char *incident;

    snprintf(hook, sizeof(hook), "procedure %.*s", SLICE_ARG(handler->pattern.text));
    incident = mind_complain(invocation->mind, invocation->version, hook, failure->message,
                             failure->trace);
    answer(invocation, encode_error(invocation->id, WAMP_RUNTIME_ERROR, "incident",
                                    slice_of(incident), (struct slice){0}));
}

static void answer_late(struct invocation *invocation, const struct door_answer *failure)
{
    char hook[200];

    snprintf(hook, sizeof(hook), "%.*s", SLICE_ARG(invocation->handler.pattern.text));
    mind_complain(invocation->mind, invocation->version, hook, failure->message, failure->trace);
    answer_error(invocation, WAMP_TIMEOUT, SLICE("the procedure was not done in time"));
}

/* ---- the life of an invocation ---- */

static struct invocation *invocation_take(struct mind *mind)
{
    struct list *node = list_first(&mind->idle_invocations);
    struct invocation *invocation;

    if (node != NULL) {
        list_remove(node);
        return container_of(node, struct invocation, link);
    }
    invocation = mem_zero(1, sizeof(*invocation));
    invocation->mind = mind;
    list_append(&mind->invocations, &invocation->of_mind);
    list_init(&invocation->link);
    list_init(&invocation->chunks);
    arena_init(&invocation->arena);
    return invocation;
}

static struct chunk *first_chunk(struct invocation *invocation)
{
    struct list *node = list_first(&invocation->chunks);

    return node == NULL ? NULL : container_of(node, struct chunk, link);
}

static void chunk_free(struct invocation *invocation, struct chunk *chunk)
{
    invocation->chunk_count--;
    invocation->chunks_len -= msg_len(&chunk->msg);
    list_remove(&chunk->link);
    mem_free(chunk);
}

static void invocation_give(struct invocation *invocation)
{
    struct chunk *chunk;

    map_remove(&invocation->mind->invoked, invocation->id, 0);
    while ((chunk = first_chunk(invocation)) != NULL)
        chunk_free(invocation, chunk);
    if (invocation->input != NULL)
        invocation->input->invocation = NULL;
    invocation->input = NULL;
    invocation->generation++;
    invocation->endpoint = NULL;
    texts_drop(invocation->texts);
    invocation->texts = NULL;
    blob_drop(invocation->reply);
    invocation->reply = NULL;
    arena_reset(&invocation->arena);
    list_remove(&invocation->link);
    list_prepend(&invocation->mind->idle_invocations, &invocation->link);
}

void procedures_free(struct mind *mind)
{
    list_each (&mind->invocations, node, after) {
        struct invocation *invocation = container_of(node, struct invocation, of_mind);

        arena_fini(&invocation->arena);
        list_remove(node);
        mem_free(invocation);
    }
}

/* ---- its fiber ---- */

static void push_view(lua_State *lua, struct invocation *invocation);

static void push(lua_State *lua, void *ctx)
{
    struct invocation *invocation = invocation_of(ctx);

    if (invocation->handler.hook != 0)
        l_policy_push_hook(lua, invocation->handler.hook);
    else
        lua_rawgeti(lua, LUA_REGISTRYINDEX, invocation->handler.ref);
    push_view(lua, invocation);
}

static struct encoder *begin_yield(lua_State *lua, const struct invocation *invocation,
                                   bool is_progress)
{
    struct encoder *e = l_values_begin(lua, CODEC_MSGPACK);

    encode_list(e, COUNT_UNKNOWN);
    encode_uint(e, MSG_YIELD);
    encode_uint(e, invocation->id);
    encode_map(e, is_progress ? 1 : 0);
    if (is_progress) {
        encode_text(e, SLICE("progress"));
        encode_bool(e, true);
    }
    encode_end(e);
    return e;
}

static struct blob *encode_yield(lua_State *lua, const struct invocation *invocation, int first,
                                 bool is_progress)
{
    struct encoder *e = begin_yield(lua, invocation, is_progress);

    l_results_put(lua, e, first);
    encode_end(e);
    return l_values_end(lua);
}

static void take(lua_State *lua, int count, void *ctx)
{
    struct invocation *invocation = invocation_of(ctx);

    (void)count;
    invocation->reply = encode_yield(lua, invocation, 1, false);
}

static void caught(lua_State *lua, int count, void *ctx)
{
    struct invocation *invocation = invocation_of(ctx);
    struct encoder *e;

    (void)count;
    if (!l_errors_is(lua, 1))
        return;
    e = l_values_begin(lua, CODEC_MSGPACK);
    encode_list(e, COUNT_UNKNOWN);
    encode_uint(e, MSG_ERROR);
    encode_uint(e, MSG_INVOCATION);
    encode_uint(e, invocation->id);
    encode_map(e, 0);
    encode_end(e);
    l_errors_put(lua, e, 1);
    encode_end(e);
    invocation->reply = l_values_end(lua);
}

static void begin_next(struct endpoint *endpoint);

static void run_on_cancel(struct invocation *invocation);
static void end_on_cancel(struct invocation *invocation, bool is_late);

static void end(struct fiber *fiber, enum fiber_end how, const struct door_answer *failure)
{
    struct invocation *invocation = invocation_of(fiber);
    struct endpoint *endpoint = invocation->endpoint;
    struct blob *reply = invocation->reply;

    invocation->reply = NULL;
    if (how != FIBER_CANCELED && reply != NULL)
        answer(invocation, reply);
    else
        blob_drop(reply);
    if (invocation->is_answered || invocation->mind->is_stopped)
        ;
    else if (how == FIBER_CANCELED) /* without a reason: its version has had its time */
        answer_error(invocation, invocation->cancel == NULL ? WAMP_CANCELED : invocation->cancel,
                     (struct slice){0});
    else if (fiber->is_late)
        answer_late(invocation, failure);
    else
        answer_incident(invocation, failure);
    end_on_cancel(invocation, fiber->is_late);
    if (endpoint != NULL)
        endpoint->running--;
    invocation_give(invocation);
    if (endpoint != NULL && !endpoint->mind->is_stopped)
        begin_next(endpoint);
}

static const struct fiber_kind kind = {"procedure", BUDGET_PROCEDURE, push, take, caught, end,
                                       true};

/* ---- which one is next ---- */

static bool has_running(const struct endpoint *endpoint, uint64_t caller)
{
    list_each (&endpoint->busy, node, after) {
        if (container_of(node, struct invocation, link)->caller == caller)
            return true;
    }
    return false;
}

/* Else it was canceled, and its INTERRUPT is on the way: begun all the same, a procedure that calls
 * itself would do so for ever, each call canceled by the end of the one before. */
static bool is_awaited(const struct mind *mind, uint64_t id)
{
    return core_awaits_yield(realm_core(mind->realm), mind->service->session, id);
}

static bool may_begin(const struct endpoint *endpoint, const struct invocation *invocation)
{
    return endpoint->running < endpoint->handler.concurrency &&
           (!endpoint->handler.is_ordered || !has_running(endpoint, invocation->caller));
}

static void begin(struct endpoint *endpoint, struct invocation *invocation)
{
    list_remove(&invocation->link);
    list_append(&endpoint->busy, &invocation->link);
    endpoint->running++;
    invocation->handler = endpoint->handler;
    invocation->texts = texts_hold(endpoint->texts);
    invocation->version = endpoint->version;
    invocation->has_begun = true;
    invocation->fiber.parent = NULL;
    fiber_start(&invocation->fiber, endpoint->version, &kind, endpoint->handler.timeout_ms);
}

/* It does not wait for its turn any more. */
static void leave_line(struct invocation *invocation)
{
    invocation->endpoint->waiting_count--;
    invocation->endpoint->waiting_len -= msg_len(&invocation->msg);
    list_remove(&invocation->link);
}

static struct invocation *next_waiting(struct endpoint *endpoint)
{
    list_each (&endpoint->waiting, node, after) {
        struct invocation *invocation = container_of(node, struct invocation, link);

        if (!is_awaited(endpoint->mind, invocation->id))
            continue;
        if (may_begin(endpoint, invocation))
            return invocation;
        if (!endpoint->handler.is_ordered)
            break;
    }
    return NULL;
}

static void begin_next(struct endpoint *endpoint)
{
    struct invocation *invocation;

    while ((invocation = next_waiting(endpoint)) != NULL) {
        leave_line(invocation);
        begin(endpoint, invocation);
    }
}

void procedures_drop_waiting(struct endpoint *endpoint)
{
    list_each (&endpoint->waiting, node, after) {
        struct invocation *invocation = container_of(node, struct invocation, link);

        answer_error(invocation, WAMP_CANCELED, SLICE("the procedure is not there any more"));
        invocation_give(invocation);
    }
    endpoint->waiting_count = 0;
    endpoint->waiting_len = 0;
}

void procedures_detach(struct endpoint *endpoint)
{
    list_each (&endpoint->busy, node, after) {
        container_of(node, struct invocation, link)->endpoint = NULL;
        list_remove(node);
    }
}

/* ---- INVOCATION, INTERRUPT ---- */

/* Whether a pattern that ends in ** is for that URI: as a prefix it is one of text. */
static bool is_meant(const struct endpoint *endpoint, const struct msg *msg)
{
    struct slice uri = facts_text(msg, SLICE("procedure"));

    return endpoint->match == MATCH_EXACT || object_matches(&endpoint->handler.pattern, uri);
}

static void refuse(struct mind *mind, const struct msg *msg, const char *uri, struct slice words)
{
    service_send_blob(mind->service, encode_error(msg->id, uri, NULL, (struct slice){0}, words));
}

/* Ends one that has not begun. */
static void give_up(struct invocation *invocation, const char *uri, struct slice words)
{
    leave_line(invocation);
    answer_error(invocation, uri, words);
    invocation_give(invocation);
}

static void refuse_chunk(struct invocation *invocation)
{
    static const char words[] = "more input waits than the procedure may have";

    if (!invocation->has_begun) {
        give_up(invocation, WAMP_PAYLOAD_SIZE_EXCEEDED, slice_of(words));
        return;
    }
    answer_error(invocation, WAMP_PAYLOAD_SIZE_EXCEEDED, slice_of(words));
    invocation->cancel = WAMP_PAYLOAD_SIZE_EXCEEDED;
    fiber_cancel(&invocation->fiber, words);
}

static void add_chunk(struct invocation *invocation, const struct msg *msg)
{
    struct chunk *chunk;

    if (invocation->chunk_count >= MAX_CHUNKS ||
        invocation->chunks_len + msg_len(msg) > MAX_CHUNKS_LEN) {
        refuse_chunk(invocation);
        return;
    }
    chunk = mem_zero(1, sizeof(*chunk) + msg_len(msg));
    msg_copy(&chunk->msg, msg, chunk->bytes);
    list_append(&invocation->chunks, &chunk->link);
    invocation->chunk_count++;
    invocation->chunks_len += msg_len(msg);
    invocation->has_more = facts_has_true(msg, SLICE("progress"));
    if (invocation->input != NULL)
        wait_done(&invocation->input->wait);
}

static bool has_room(const struct endpoint *endpoint, const struct msg *msg)
{
    return endpoint->waiting_count < MAX_WAITING_CALLS &&
           endpoint->mind->fibers.count < MAX_FIBERS &&
           (endpoint->waiting_count == 0 ||
            endpoint->waiting_len + msg_len(msg) <= MAX_WAITING_LEN);
}

static void add_invocation(struct endpoint *endpoint, const struct msg *msg)
{
    struct mind *mind = endpoint->mind;
    struct invocation *invocation = invocation_take(mind);

    invocation->endpoint = endpoint;
    invocation->id = msg->id;
    invocation->caller = facts_number(msg, SLICE("caller"));
    invocation->wants_progress = facts_has_true(msg, SLICE("receive_progress"));
    invocation->has_more = facts_has_true(msg, SLICE("progress"));
    invocation->has_begun = invocation->is_answered = false;
    invocation->cancel = NULL;
    invocation->on_cancel = LUA_NOREF;
    msg_copy(&invocation->msg, msg, arena_alloc(&invocation->arena, msg_len(msg) + 1));
    map_put(&mind->invoked, invocation->id, 0, invocation);
    list_append(&endpoint->waiting, &invocation->link);
    endpoint->waiting_count++;
    endpoint->waiting_len += msg_len(msg);
    begin_next(endpoint);
}

void procedures_invoke(struct mind *mind, const struct msg *msg)
{
    struct endpoint *endpoint = map_get(&mind->open[false], msg->second, 0);
    struct invocation *invocation = map_get(&mind->invoked, msg->id, 0);

    if (invocation != NULL) {
        add_chunk(invocation, msg);
        return;
    }
    if ((endpoint == NULL && admin_invoke(mind, msg)) || !is_awaited(mind, msg->id))
        return; /* also more input of a call that was answered meanwhile */
    if (endpoint == NULL || !is_meant(endpoint, msg)) {
        refuse(mind, msg, WAMP_NO_SUCH_PROCEDURE, SLICE("the policy has no such procedure"));
        return;
    }
    if (!has_room(endpoint, msg)) {
        refuse(mind, msg, WAMP_UNAVAILABLE, SLICE("too many calls of the procedure wait"));
        return;
    }
    add_invocation(endpoint, msg);
}

void procedures_interrupt(struct mind *mind, const struct msg *msg)
{
    struct invocation *invocation = map_get(&mind->invoked, msg->id, 0);
    struct slice reason = facts_text(msg, SLICE("reason"));

    if (invocation == NULL)
        return;
    invocation->cancel = slice_eq(reason, SLICE(WAMP_TIMEOUT)) ? WAMP_TIMEOUT : WAMP_CANCELED;
    if (!invocation->has_begun) {
        give_up(invocation, invocation->cancel, (struct slice){0});
        return;
    }
    run_on_cancel(invocation);
    fiber_cancel(&invocation->fiber, "the call was canceled");
}

/* ---- call, as handlers see it ---- */

static struct invocation *check_call(lua_State *lua)
{
    const struct call_view *view = luaL_checkudata(lua, 1, policy_calls.name);

    if (view->generation != view->invocation->generation)
        luaL_error(lua, "call is over");
    return view->invocation;
}

static void push_view(lua_State *lua, struct invocation *invocation)
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
    if (place == 1)
        l_facts_push_payload(lua, msg, true);
    else if (place == 2)
        l_facts_push_payload(lua, msg, false);
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
        uint64_t at = invocation->fiber.ends_at;

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
    struct room_wait *room;
    enum room found;

    if (!invocation->wants_progress || invocation->is_answered)
        return 0;
    l_wait_allowed(lua);
    service_send_blob(mind->service, encode_yield(lua, invocation, 2, true));
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
    struct chunk *chunk = first_chunk(invocation);

    if (chunk == NULL)
        return 0;
    lua_pushvalue(lua, lua_upvalueindex(1));
    l_facts_push_payload(lua, &chunk->msg, true);
    l_facts_push_payload(lua, &chunk->msg, false);
    chunk_free(invocation, chunk);
    return 2;
}

static void push_input(lua_State *lua, struct wait *wait)
{
    struct invocation *invocation = container_of(wait, struct input, wait)->invocation;
    struct chunk *chunk = invocation == NULL ? NULL : first_chunk(invocation);

    if (chunk == NULL)
        return;
    l_facts_push_payload(lua, &chunk->msg, true);
    l_facts_push_payload(lua, &chunk->msg, false);
    chunk_free(invocation, chunk);
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
    if (first_chunk(invocation) != NULL)
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

static void run_on_cancel(struct invocation *invocation)
{
    struct cancellation *c;

    if (invocation->on_cancel == LUA_NOREF)
        return;
    c = mem_zero(1, sizeof(*c));
    c->vm = invocation->version->policy->vm;
    c->ref = invocation->on_cancel;
    invocation->on_cancel = LUA_NOREF;
    fiber_start(&c->fiber, invocation->version, &cancellation_kind, 0);
}

/* The call is over: what it wanted done when it is canceled is done when its time was over. */
static void end_on_cancel(struct invocation *invocation, bool is_late)
{
    if (is_late && !invocation->mind->is_stopped)
        run_on_cancel(invocation);
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
