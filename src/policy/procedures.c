/* procedures.c -- calls of procedures that a policy has: which one is next, and its life. See
 * handlers.h.
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
#include "policy/invocation.h"
#include "policy/objects.h"
#include "policy/results.h"
#include "wire/errors.h"

#include <lauxlib.h>

#include <stdio.h>

#define MAX_CHUNKS     1000
#define MAX_CHUNKS_LEN ((size_t)16 * 1024 * 1024)

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

/* True when it may be answered now; it is, then. */
static bool settle(struct invocation *invocation)
{
    if (invocation->is_answered || invocation->mind->is_stopped)
        return false;
    invocation->is_answered = true;
    map_remove(&invocation->mind->invoked, invocation->id, 0);
    return true;
}

static void answer(struct invocation *invocation, struct blob *blob)
{
    if (settle(invocation))
        service_send_blob(invocation->mind->service, blob);
    else
        blob_drop(blob);
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

struct chunk *invocation_chunk(struct invocation *invocation)
{
    struct list *node = list_first(&invocation->chunks);

    return node == NULL ? NULL : container_of(node, struct chunk, link);
}

void invocation_drop_chunk(struct invocation *invocation, struct chunk *chunk)
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
    while ((chunk = invocation_chunk(invocation)) != NULL)
        invocation_drop_chunk(invocation, chunk);
    call_view_close(invocation);
    invocation->generation++;
    invocation->endpoint = NULL;
    texts_drop(invocation->texts);
    invocation->texts = NULL;
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

static void push(lua_State *lua, void *ctx)
{
    struct invocation *invocation = invocation_of(ctx);

    if (invocation->handler.hook != 0)
        l_policy_push_hook(lua, invocation->handler.hook);
    else
        lua_rawgeti(lua, LUA_REGISTRYINDEX, invocation->handler.ref);
    l_call_push(lua, invocation);
}

static void take(lua_State *lua, int count, void *ctx)
{
    struct invocation *invocation = invocation_of(ctx);

    (void)count;
    invocation->result = l_results_payload(lua, 1, &invocation->payload);
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
    invocation->error = l_values_end(lua);
}

static void begin_next(struct endpoint *endpoint);

/* What its coroutine had to say: a result, an error, or nothing. */
static void answer_with_what_it_said(struct invocation *invocation)
{
    if (invocation->error != NULL)
        answer(invocation, blob_hold(invocation->error));
    else if (invocation->result != NULL && settle(invocation))
        service_yield(invocation->mind->service, invocation->id, &invocation->payload, false);
}

static void drop_what_it_said(struct invocation *invocation)
{
    blob_drop(invocation->result);
    blob_drop(invocation->error);
    invocation->result = invocation->error = NULL;
}

static void end(struct fiber *fiber, enum fiber_end how, const struct door_answer *failure)
{
    struct invocation *invocation = invocation_of(fiber);
    struct endpoint *endpoint = invocation->endpoint;

    if (how != FIBER_CANCELED)
        answer_with_what_it_said(invocation);
    drop_what_it_said(invocation);
    if (invocation->is_answered || invocation->mind->is_stopped)
        ;
    else if (how == FIBER_CANCELED) /* without a reason: its version has had its time */
        answer_error(invocation, invocation->cancel == NULL ? WAMP_CANCELED : invocation->cancel,
                     (struct slice){0});
    else if (fiber->is_late)
        answer_late(invocation, failure);
    else
        answer_incident(invocation, failure);
    call_view_end(invocation, fiber->is_late);
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
    invocation->fiber.session = invocation->caller;
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
static bool is_meant(const struct endpoint *endpoint, const struct facts *facts)
{
    return endpoint->match == MATCH_EXACT ||
           object_matches(&endpoint->handler.pattern, facts->procedure);
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

static void add_chunk(struct invocation *invocation, const struct msg *msg, bool has_more)
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
    invocation->has_more = has_more;
    call_view_more(invocation);
}

static bool has_room(const struct endpoint *endpoint, const struct msg *msg)
{
    return endpoint->waiting_count < MAX_WAITING_CALLS &&
           endpoint->mind->fibers.count < MAX_FIBERS &&
           (endpoint->waiting_count == 0 ||
            endpoint->waiting_len + msg_len(msg) <= MAX_WAITING_LEN);
}

static void add_invocation(struct endpoint *endpoint, const struct msg *msg,
                           const struct facts *facts)
{
    struct mind *mind = endpoint->mind;
    struct invocation *invocation = invocation_take(mind);

    invocation->endpoint = endpoint;
    invocation->id = msg->id;
    invocation->caller = facts->caller;
    invocation->wants_progress = facts->receive_progress;
    invocation->is_sealed = facts->is_sealed;
    invocation->has_more = facts->progress;
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
    struct facts facts = facts_read(msg);

    if (invocation != NULL) {
        add_chunk(invocation, msg, facts.progress);
        return;
    }
    if ((endpoint == NULL && admin_invoke(mind, msg)) || !is_awaited(mind, msg->id))
        return; /* also more input of a call that was answered meanwhile */
    if (endpoint == NULL || !is_meant(endpoint, &facts)) {
        refuse(mind, msg, WAMP_NO_SUCH_PROCEDURE, SLICE("the policy has no such procedure"));
        return;
    }
    if (!has_room(endpoint, msg)) {
        refuse(mind, msg, WAMP_UNAVAILABLE, SLICE("too many calls of the procedure wait"));
        return;
    }
    add_invocation(endpoint, msg, &facts);
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
    call_view_cancel(invocation);
    fiber_cancel(&invocation->fiber, "the call was canceled");
}
