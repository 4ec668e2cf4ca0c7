/* topics.c -- events for subscriptions that a policy has. See handlers.h.
 *
 * A delivery is one event for one handler. They reach it in order, one at a time unless it says
 * otherwise; those that wait are bounded.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "base/mem.h"
#include "policy/facts.h"
#include "policy/handlers.h"
#include "policy/objects.h"

#include <lauxlib.h>

#include <stdio.h>

struct delivery {
    struct fiber fiber;
    struct list of_mind; /* mind->deliveries */
    struct list link;    /* endpoint->waiting or ->busy, mind->idle_deliveries, or none */
    struct mind *mind;
    struct endpoint *endpoint; /* NULL: it is gone */
    uint32_t generation;
    struct handler handler;
    struct texts *texts; /* held: the handler's, while it runs */
    struct msg msg;      /* the EVENT; its slices are in the arena */
    struct arena arena;
};

struct event_view {
    struct delivery *delivery;
    uint32_t generation;
};

static struct delivery *delivery_of(void *ctx)
{
    return container_of((struct fiber *)ctx, struct delivery, fiber);
}

/* ---- its life ---- */

static struct delivery *delivery_take(struct mind *mind)
{
    struct list *node = list_first(&mind->idle_deliveries);
    struct delivery *delivery;

    if (node != NULL) {
        list_remove(node);
        return container_of(node, struct delivery, link);
    }
    delivery = mem_zero(1, sizeof(*delivery));
    delivery->mind = mind;
    list_append(&mind->deliveries, &delivery->of_mind);
    list_init(&delivery->link);
    arena_init(&delivery->arena);
    return delivery;
}

static void delivery_give(struct delivery *delivery)
{
    delivery->generation++;
    delivery->endpoint = NULL;
    texts_drop(delivery->texts);
    delivery->texts = NULL;
    arena_reset(&delivery->arena);
    list_remove(&delivery->link);
    list_prepend(&delivery->mind->idle_deliveries, &delivery->link);
}

void topics_free(struct mind *mind)
{
    list_each (&mind->deliveries, node, after) {
        struct delivery *delivery = container_of(node, struct delivery, of_mind);

        arena_fini(&delivery->arena);
        list_remove(node);
        mem_free(delivery);
    }
}

/* ---- its fiber ---- */

static void push_view(lua_State *lua, struct delivery *delivery)
{
    struct event_view *view = lua_newuserdatauv(lua, sizeof(*view), 4);

    *view = (struct event_view){delivery, delivery->generation};
    luaL_setmetatable(lua, policy_events.name);
}

static void push(lua_State *lua, void *ctx)
{
    struct delivery *delivery = delivery_of(ctx);

    if (delivery->handler.hook != 0)
        l_policy_push_hook(lua, delivery->handler.hook);
    else
        lua_rawgeti(lua, LUA_REGISTRYINDEX, delivery->handler.ref);
    push_view(lua, delivery);
}

static void begin_next(struct endpoint *endpoint);

static void end(struct fiber *fiber, enum fiber_end how, const struct door_answer *failure)
{
    struct delivery *delivery = delivery_of(fiber);
    struct endpoint *endpoint = delivery->endpoint;

    (void)how;
    (void)failure;
    if (endpoint != NULL)
        endpoint->running--;
    delivery_give(delivery);
    if (endpoint != NULL && !endpoint->mind->is_stopped)
        begin_next(endpoint);
}

static const struct fiber_kind kind = {"subscription", BUDGET_SUBSCRIPTION, push, NULL, NULL, end,
                                       false};

/* ---- events ---- */

static struct delivery *first_waiting(struct endpoint *endpoint)
{
    struct list *node = list_first(&endpoint->waiting);

    return node == NULL ? NULL : container_of(node, struct delivery, link);
}

static void begin_next(struct endpoint *endpoint)
{
    struct delivery *delivery;

    while (endpoint->running < endpoint->handler.concurrency &&
           (delivery = first_waiting(endpoint)) != NULL) {
        list_remove(&delivery->link);
        list_append(&endpoint->busy, &delivery->link);
        endpoint->waiting_count--;
        endpoint->waiting_len -= msg_len(&delivery->msg);
        endpoint->running++;
        delivery->handler = endpoint->handler;
        delivery->texts = texts_hold(endpoint->texts);
        delivery->fiber.parent = NULL;
        delivery->fiber.session = facts_number(&delivery->msg, SLICE("publisher"));
        fiber_start(&delivery->fiber, endpoint->version, &kind, endpoint->handler.timeout_ms);
    }
}

static bool has_room(const struct endpoint *endpoint, size_t len)
{
    return endpoint->waiting_count < endpoint->handler.queue &&
           (endpoint->waiting_count == 0 || endpoint->waiting_len + len <= MAX_WAITING_LEN);
}

/* There is no room: the oldest go, or the new one does. */
static bool make_room(struct endpoint *endpoint, size_t len)
{
    struct delivery *oldest;
    char words[300];

    if (has_room(endpoint, len))
        return true;
    snprintf(words, sizeof(words), "%.*s: events are dropped, as %u of them wait",
             SLICE_ARG(endpoint->handler.pattern.text), endpoint->waiting_count);
    mind_complain(endpoint->mind, endpoint->version, "subscription", words, NULL);
    if (endpoint->handler.drops_newest)
        return false;
    while (!has_room(endpoint, len) && (oldest = first_waiting(endpoint)) != NULL) {
        endpoint->waiting_count--;
        endpoint->waiting_len -= msg_len(&oldest->msg);
        delivery_give(oldest);
    }
    return true;
}

static void deliver(struct endpoint *endpoint, const struct msg *msg)
{
    struct delivery *delivery;

    if (endpoint->match == MATCH_PREFIX &&
        !object_matches(&endpoint->handler.pattern, facts_text(msg, SLICE("topic"))))
        return; /* a prefix is one of text: com.acme is one of com.acmex */
    if (!make_room(endpoint, msg_len(msg)))
        return;
    delivery = delivery_take(endpoint->mind);
    delivery->endpoint = endpoint;
    msg_copy(&delivery->msg, msg, arena_alloc(&delivery->arena, msg_len(msg) + 1));
    list_append(&endpoint->waiting, &delivery->link);
    endpoint->waiting_count++;
    endpoint->waiting_len += msg_len(msg);
    begin_next(endpoint);
}

void topics_receive(struct mind *mind, const struct msg *msg)
{
    struct endpoint *endpoint = map_get(&mind->open[true], msg->id, 0);

    while (endpoint != NULL) {
        struct endpoint *next = endpoint->same;

        deliver(endpoint, msg);
        endpoint = next;
    }
}

void topics_drop_waiting(struct endpoint *endpoint)
{
    list_each (&endpoint->waiting, node, after)
        delivery_give(container_of(node, struct delivery, link));
    endpoint->waiting_count = 0;
    endpoint->waiting_len = 0;
}

void topics_detach(struct endpoint *endpoint)
{
    list_each (&endpoint->busy, node, after) {
        container_of(node, struct delivery, link)->endpoint = NULL;
        list_remove(node);
    }
}

/* ---- event, as handlers see it ---- */

static struct slice topic_of(const struct delivery *delivery)
{
    struct slice topic = facts_text(&delivery->msg, SLICE("topic"));

    return topic.len == 0 ? delivery->handler.uri : topic;
}

static int cached(lua_State *lua, const struct delivery *delivery, int place)
{
    const struct msg *msg = &delivery->msg;

    if (lua_getiuservalue(lua, 1, place) != LUA_TNIL)
        return 1;
    lua_pop(lua, 1);
    if (place <= 2)
        l_facts_push_payload(lua, msg, place == 1);
    else if (place == 3)
        l_facts_push_dict(lua, msg, "details");
    else
        l_object_push_captures(lua, &delivery->handler.pattern, topic_of(delivery));
    lua_pushvalue(lua, -1);
    lua_setiuservalue(lua, 1, place);
    return 1;
}

static int l_index(lua_State *lua)
{
    const struct event_view *view = luaL_checkudata(lua, 1, policy_events.name);
    const struct delivery *delivery = view->delivery;
    const char *key = luaL_checkstring(lua, 2);
    uint64_t publisher;

    if (view->generation != delivery->generation)
        return luaL_error(lua, "event is over");
    if (strcmp(key, "args") == 0)
        return cached(lua, delivery, 1);
    if (strcmp(key, "kwargs") == 0)
        return cached(lua, delivery, 2);
    if (strcmp(key, "details") == 0)
        return cached(lua, delivery, 3);
    if (strcmp(key, "params") == 0)
        return cached(lua, delivery, 4);
    if (strcmp(key, "topic") == 0) {
        struct slice topic = topic_of(delivery);

        lua_pushlstring(lua, topic.data, topic.len);
    } else if (strcmp(key, "publication") == 0) {
        lua_pushinteger(lua, (lua_Integer)delivery->msg.second);
    } else if (strcmp(key, "retained") == 0) {
        lua_pushboolean(lua, facts_has_true(&delivery->msg, SLICE("retained")));
    } else if (strcmp(key, "publisher") == 0) {
        publisher = facts_number(&delivery->msg, SLICE("publisher"));
        if (publisher == 0)
            lua_pushnil(lua);
        else
            l_views_push_session(lua, delivery->mind, publisher);
    } else {
        return l_object_method(lua, &policy_events, "an event");
    }
    return 1;
}

static const struct module_row rows[] = {
    {"topic", NULL, "string", "What it was published to.", NULL},
    {"publication", NULL, "integer", "The id of the publication.", NULL},
    {"publisher", NULL, "nexus.Session?", "Who published it; nil: the router itself.", NULL},
    {"args", NULL, "any[]", "Positional arguments.", NULL},
    {"kwargs", NULL, "table", "Named arguments.", NULL},
    {"details", NULL, "table", "EVENT.Details.", NULL},
    {"retained", NULL, "boolean", "Whether it was kept from before.", NULL},
    {"params", NULL, "table<string, string>", "What the pattern of the subscription captured.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void open_class(lua_State *lua)
{
    l_object_open(lua, l_index, "event is read-only");
}

const struct module_table policy_events = {"nexus.Event", rows, open_class};
