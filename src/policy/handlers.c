/* handlers.c -- see handlers.h: endpoints begin, change hands, and end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/handlers.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "policy/admin.h"
#include "policy/errors.h"
#include "policy/facts.h"

#include <lauxlib.h>

/* Somebody in Lua waits until an endpoint is open. */
struct opening {
    struct wait wait;
    struct mind *mind;
    struct endpoint *endpoint; /* NULL: the answer has come */
    uint64_t serial;
    struct blob *error; /* counted; ERROR's URI, or NULL */
    bool is_open, is_taken;
};

/* ---- handlers at run time ---- */

struct texts *texts_hold(struct texts *texts)
{
    if (texts != NULL)
        texts->refs++;
    return texts;
}

void texts_drop(struct texts *texts)
{
    if (texts == NULL || --texts->refs != 0)
        return;
    luaL_unref(vm_lua(texts->vm), LUA_REGISTRYINDEX, texts->ref);
    arena_fini(&texts->arena);
    mem_free(texts);
}

#define TEXTS_NAME "nexus.texts"

static int l_texts_gc(lua_State *lua)
{
    struct texts **box = lua_touserdata(lua, 1), *texts = *box;

    *box = NULL;
    texts_drop(texts);
    return 0;
}

/* In an object of Lua, at the top of the stack, as long as something may raise. */
static struct texts **texts_new(lua_State *lua)
{
    struct texts **box = lua_newuserdatauv(lua, sizeof(*box), 0);

    *box = NULL;
    luaL_setmetatable(lua, TEXTS_NAME);
    *box = mem_zero(1, sizeof(**box));
    **box = (struct texts){.refs = 1, .vm = policy_of(lua)->vm, .ref = LUA_NOREF};
    arena_init(&(*box)->arena);
    return box;
}

/* ---- the requests ---- */

static void put_options(struct encoder *e, struct slice options)
{
    struct arena arena;
    struct dict_walk walk;

    arena_init(&arena);
    dict_walk(&walk, CODEC_MSGPACK, options, &arena);
    while (dict_next(&walk)) {
        encode_text(e, walk.key);
        encode_value(e, CODEC_MSGPACK, walk.value);
    }
    arena_fini(&arena);
}

static struct blob *make_options(const struct handler *handler)
{
    struct encoder e;

    encode_start(&e, CODEC_MSGPACK, 64 + handler->options.len);
    encode_map(&e, COUNT_UNKNOWN);
    put_options(&e, handler->options);
    if (handler->match != MATCH_EXACT)
        encode_text_pair(&e, "match", slice_of(match_name(handler->match)));
    encode_end(&e);
    return encode_finish(&e);
}

/* [REGISTER, request, options, uri], or [UNREGISTER, request, registration]. */
static void send_request(struct endpoint *endpoint, enum msg_type type)
{
    struct service *service = endpoint->mind->service;
    bool is_end = type == MSG_UNREGISTER || type == MSG_UNSUBSCRIBE;
    struct encoder e;

    service->last_request++;
    encode_start(&e, CODEC_MSGPACK, 128 + endpoint->uri.len);
    encode_list(&e, is_end ? 3 : 4);
    encode_uint(&e, type);
    encode_uint(&e, service->last_request);
    if (is_end) {
        encode_uint(&e, endpoint->id);
    } else {
        encode_value(&e, CODEC_MSGPACK, blob_slice(endpoint->options));
        encode_text(&e, endpoint->uri);
    }
    encode_end(&e);
    service_expect(service, &endpoint->request, service->last_request);
    service_send_blob(service, encode_finish(&e));
}

/* ---- the life of an endpoint ---- */

static struct map *open_map(const struct endpoint *endpoint)
{
    return &endpoint->mind->open[endpoint->is_topic];
}

/* Puts it under its id; those of one topic share that. */
static void publish(struct endpoint *endpoint)
{
    endpoint->same = map_get(open_map(endpoint), endpoint->id, 0);
    map_put(open_map(endpoint), endpoint->id, 0, endpoint);
    endpoint->state = ENDPOINT_OPEN;
}

/* True when another one is about to get the same subscription, and so its id. */
static bool is_shared_soon(const struct endpoint *endpoint)
{
    if (!endpoint->is_topic)
        return false;
    list_each (&endpoint->mind->endpoints, node, after) {
        const struct endpoint *other = container_of(node, struct endpoint, link);

        if (other->is_topic && other->state == ENDPOINT_ASKED && !other->is_unwanted &&
            other->match == endpoint->match && slice_eq(other->uri, endpoint->uri))
            return true;
    }
    return false;
}

/* True when nobody else has the id. */
static bool withdraw(struct endpoint *endpoint)
{
    struct map *map = open_map(endpoint);
    struct endpoint *first = map_get(map, endpoint->id, 0), **at = &first;

    while (*at != endpoint)
        at = &(*at)->same;
    *at = endpoint->same;
    endpoint->same = NULL;
    if (first == NULL)
        map_remove(map, endpoint->id, 0);
    else
        map_put(map, endpoint->id, 0, first);
    return first == NULL;
}

static void endpoint_free(struct endpoint *endpoint)
{
    service_forget(endpoint->mind->service, &endpoint->request);
    texts_drop(endpoint->texts);
    version_drop(endpoint->version);
    list_remove(&endpoint->link);
    endpoint->mind->endpoint_count--;
    blob_drop(endpoint->options);
    mem_free((void *)(uintptr_t)endpoint->uri.data);
    mem_free(endpoint);
}

static void drop_waiting(struct endpoint *endpoint)
{
    if (endpoint->is_topic)
        topics_drop_waiting(endpoint);
    else
        procedures_drop_waiting(endpoint);
}

/* What runs in it goes on, and finds it gone. */
static void detach_running(struct endpoint *endpoint)
{
    if (endpoint->is_topic)
        topics_detach(endpoint);
    else
        procedures_detach(endpoint);
}

static void end(struct endpoint *endpoint)
{
    if (endpoint->state == ENDPOINT_OPEN)
        (void)withdraw(endpoint);
    drop_waiting(endpoint);
    detach_running(endpoint);
    endpoint_free(endpoint);
}

static void on_end(struct service_request *request, const struct msg *msg)
{
    (void)msg;
    end(container_of(request, struct endpoint, request));
}

/* Gives it back: UNREGISTER or UNSUBSCRIBE, unless others share it. */
static void begin_end(struct endpoint *endpoint)
{
    if (endpoint->state != ENDPOINT_OPEN) {
        endpoint->is_unwanted = true; /* when its answer is there */
        return;
    }
    if (!withdraw(endpoint) || is_shared_soon(endpoint) || endpoint->mind->service->session == 0) {
        endpoint->state = ENDPOINT_ENDING;
        end(endpoint);
        return;
    }
    endpoint->state = ENDPOINT_ENDING;
    endpoint->request.answer = on_end;
    send_request(endpoint, endpoint->is_topic ? MSG_UNSUBSCRIBE : MSG_UNREGISTER);
}

/* The endpoint may be gone when its opening is looked at again: from here on it has the serial. */
static void tell_opening(struct endpoint *endpoint, bool is_open, const struct msg *error)
{
    struct opening *opening = endpoint->opening;

    endpoint->opening = NULL;
    if (opening == NULL)
        return;
    if (error != NULL)
        opening->error = blob_copy(error->text);
    opening->is_open = is_open;
    opening->endpoint = NULL;
    wait_done(&opening->wait);
}

static void on_begin(struct service_request *request, const struct msg *msg)
{
    struct endpoint *endpoint = container_of(request, struct endpoint, request);
    bool is_refused = msg == NULL || msg->type == MSG_ERROR;

    if (is_refused && msg != NULL && endpoint->opening == NULL) {
        char *uri = mem_copy(endpoint->uri.data, endpoint->uri.len);
        char *reason = mem_copy(msg->text.data, msg->text.len);

        log_line(LOG_ERROR, "policy-not-served",
                 endpoint->is_topic ? "a topic of the policy cannot be subscribed to"
                                    : "a procedure of the policy cannot be registered",
                 "realm", realm_name(endpoint->mind->realm), "uri", uri, "reason", reason, NULL);
        mem_free(uri);
        mem_free(reason);
    }
    if (is_refused) {
        tell_opening(endpoint, false, msg);
        end(endpoint);
        return;
    }
    endpoint->id = msg->second;
    publish(endpoint);
    tell_opening(endpoint, !endpoint->is_unwanted, NULL);
    if (endpoint->is_unwanted)
        begin_end(endpoint);
}

static struct endpoint *endpoint_new(struct mind *mind, struct version *version,
                                     const struct handler *handler, bool is_topic, bool is_kept)
{
    struct endpoint *endpoint = mem_zero(1, sizeof(*endpoint));

    endpoint->mind = mind;
    endpoint->is_topic = is_topic;
    endpoint->is_kept = is_kept;
    endpoint->uri = slice_make(mem_copy(handler->uri.data, handler->uri.len), handler->uri.len);
    endpoint->match = handler->match;
    endpoint->options = make_options(handler);
    endpoint->handler = *handler;
    endpoint->version = version;
    version->refs++;
    list_init(&endpoint->waiting);
    list_init(&endpoint->busy);
    endpoint->serial = ++mind->last_endpoint;
    list_append(&mind->endpoints, &endpoint->link);
    mind->endpoint_count++;
    endpoint->request.answer = on_begin;
    send_request(endpoint, is_topic ? MSG_SUBSCRIBE : MSG_REGISTER);
    return endpoint;
}

/* ---- versions ---- */

/* The endpoint that a handler of a new version can go on with. */
static struct endpoint *find(struct mind *mind, const struct handler *handler, bool is_topic)
{
    struct endpoint *found = NULL;
    struct blob *options = make_options(handler);

    list_each (&mind->endpoints, node, after) {
        struct endpoint *endpoint = container_of(node, struct endpoint, link);

        if (endpoint->is_kept && endpoint->is_topic == is_topic && !endpoint->is_unwanted &&
            endpoint->state != ENDPOINT_ENDING && endpoint->match == handler->match &&
            slice_eq(endpoint->uri, handler->uri) &&
            slice_eq(blob_slice(endpoint->options), blob_slice(options)))
            found = endpoint;
    }
    blob_drop(options);
    return found;
}

static void adopt(struct endpoint *endpoint, struct version *version, const struct handler *handler)
{
    struct version *before = endpoint->version;

    endpoint->handler = *handler;
    endpoint->version = version;
    version->refs++;
    version_drop(before);
}

static void adopt_what_stays(struct mind *mind, const struct handler *handlers, size_t count,
                             bool is_topic)
{
    for (size_t i = 0; i < count; i++) {
        struct endpoint *endpoint = find(mind, &handlers[i], is_topic);

        if (endpoint != NULL)
            adopt(endpoint, mind->current, &handlers[i]);
    }
}

static void add_what_is_new(struct mind *mind, const struct handler *handlers, size_t count,
                            bool is_topic)
{
    for (size_t i = 0; i < count; i++) {
        if (find(mind, &handlers[i], is_topic) == NULL)
            (void)endpoint_new(mind, mind->current, &handlers[i], is_topic, true);
    }
}

static void serve_all(struct mind *mind)
{
    const struct policy *policy = mind->current->policy;

    add_what_is_new(mind, policy->procedures, policy->procedure_count, false);
    add_what_is_new(mind, policy->subscriptions, policy->subscription_count, true);
}

void handlers_join(struct mind *mind)
{
    admin_join(mind);
    if (mind->current == NULL)
        return;
    serve_all(mind);
    lifecycle_loaded(mind, NULL);
}

void handlers_swap(struct mind *mind, struct version *from)
{
    const struct policy *policy = mind->current->policy;

    adopt_what_stays(mind, policy->procedures, policy->procedure_count, false);
    adopt_what_stays(mind, policy->subscriptions, policy->subscription_count, true);
    list_each (&mind->endpoints, node, after) {
        struct endpoint *endpoint = container_of(node, struct endpoint, link);

        if (endpoint->version == from && endpoint->state != ENDPOINT_ENDING)
            begin_end(endpoint);
    }
    serve_all(mind); /* after that: what has other options now has ended first */
}

bool handlers_conflict(struct mind *mind, const struct policy *policy, struct slice *uri)
{
    for (size_t i = 0; i < policy->procedure_count; i++) {
        const struct handler *handler = &policy->procedures[i];

        if (handler->is_forced || find(mind, handler, false) != NULL)
            continue;
        *uri = handler->uri;
        if (core_has_callee(realm_core(mind->realm), handler->uri, handler->match))
            return true;
    }
    return false;
}

void handlers_revoked(struct mind *mind, const struct msg *msg)
{
    bool is_topic = msg->type == MSG_UNSUBSCRIBED;
    uint64_t id = facts_number(msg, is_topic ? SLICE("subscription") : SLICE("registration"));
    struct endpoint *endpoint;

    while ((endpoint = map_get(&mind->open[is_topic], id, 0)) != NULL) {
        char *uri = mem_copy(endpoint->uri.data, endpoint->uri.len);

        log_line(LOG_WARN, "policy-revoked", "somebody took away what the policy serves", "realm",
                 realm_name(mind->realm), "uri", uri, NULL);
        mem_free(uri);
        end(endpoint);
    }
}

void handlers_free(struct mind *mind)
{
    list_each (&mind->endpoints, node, after) {
        struct endpoint *endpoint = container_of(node, struct endpoint, link);

        endpoint->opening = NULL;
        drop_waiting(endpoint);
        detach_running(endpoint);
        endpoint_free(endpoint);
    }
}

/* ---- at run time ---- */

static struct endpoint *find_serial(struct mind *mind, uint64_t serial)
{
    list_each (&mind->endpoints, node, after) {
        struct endpoint *endpoint = container_of(node, struct endpoint, link);

        if (endpoint->serial == serial)
            return endpoint;
    }
    return NULL;
}

static void push_opened(lua_State *lua, struct wait *wait)
{
    struct opening *opening = container_of(wait, struct opening, wait);
    uint64_t *serial;

    if (opening->error != NULL) {
        lua_newtable(lua);
        l_values_mark(lua, VALUES_LIST);
        lua_newtable(lua);
        l_values_mark(lua, VALUES_DICT);
        l_errors_push(lua, blob_slice(opening->error));
        lua_error(lua);
    }
    if (!opening->is_open)
        luaL_error(lua, "the realm is closing, or another version of the policy has taken over");
    serial = lua_newuserdatauv(lua, sizeof(*serial), 0);
    *serial = opening->serial;
    luaL_setmetatable(lua, policy_endpoints.name);
    opening->is_taken = true;
}

static void drop_opening(struct wait *wait)
{
    struct opening *opening = container_of(wait, struct opening, wait);
    struct mind *mind = opening->mind;
    struct endpoint *unseen = NULL; /* open, and nobody has the object that ends it */

    if (opening->endpoint != NULL) {
        opening->endpoint->opening = NULL;
        opening->endpoint->is_unwanted = true;
    }
    if (opening->is_open && !opening->is_taken && !mind->is_stopped)
        unseen = find_serial(mind, opening->serial);
    if (unseen != NULL && unseen->state == ENDPOINT_OPEN)
        begin_end(unseen);
    blob_drop(opening->error);
    mem_free(opening);
}

int l_handlers_open(lua_State *lua, bool is_topic)
{
    struct version *version = policy_of(lua)->version;
    struct handler handler;
    struct opening *opening;
    struct texts **box;

    l_host_changes(lua);
    l_wait_allowed(lua);
    if (version->turns != &version->mind->fibers)
        return luaL_error(lua, "not here; register and subscribe with a session of t");
    if (version->mind->current != version)
        return luaL_error(lua, "this version of the policy is not the current one any more");
    if (version->mind->service->session == 0)
        return luaL_error(lua, "the realm is closing");
    if (version->mind->endpoint_count >= MAX_ENDPOINTS)
        return luaL_error(lua, "a realm may have %d registrations and subscriptions of its policy",
                          MAX_ENDPOINTS);
    lua_settop(lua, 4);
    box = texts_new(lua);
    lua_replace(lua, 1);
    l_handler_read(lua, *box, &handler, is_topic); /* keeps the function */
    opening = mem_zero(1, sizeof(*opening));
    opening->mind = version->mind;
    opening->wait = (struct wait){.push = push_opened, .drop = drop_opening};
    opening->endpoint = endpoint_new(version->mind, version, &handler, is_topic, false);
    opening->endpoint->texts = *box;
    *box = NULL;
    opening->endpoint->opening = opening;
    opening->serial = opening->endpoint->serial;
    return l_wait(lua, &opening->wait);
}

static int l_remove(lua_State *lua)
{
    const uint64_t *serial = luaL_checkudata(lua, 1, policy_endpoints.name);
    struct endpoint *endpoint = find_serial(policy_of(lua)->version->mind, *serial);
    bool is_there = endpoint != NULL && endpoint->state == ENDPOINT_OPEN;

    l_host_changes(lua);
    if (is_there)
        begin_end(endpoint);
    lua_pushboolean(lua, is_there);
    return 1;
}

static const struct module_row rows[] = {
    {"remove", l_remove, "fun(self: nexus.Endpoint): boolean",
     "Ends the registration or subscription; false: it is over already.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void open_class(lua_State *lua)
{
    luaL_newmetatable(lua, TEXTS_NAME);
    lua_pushcfunction(lua, l_texts_gc);
    lua_setfield(lua, -2, "__gc");
    lua_pop(lua, 1);
}

const struct module_table policy_endpoints = {"nexus.Endpoint", rows, open_class};
