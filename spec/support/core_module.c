/* core_module.c -- a realm's core for Lua specs: bytes in, actions out, virtual time.
 *
 *   local core = require "core_module"
 *   local router = core.new { realm = "realm1", seed = 1 }
 *   local peer = router:open { codec = "json", send_max = 512, default_realm = "realm1" }
 *   for _, action in ipairs(router:send(peer, "[1,null,...]")) do ... end
 *
 * Does what the router does around a core, without threads and connections: a peer without a
 * session is in the lobby, its HELLO goes to the realm. core_check() runs after every step. What
 * the messages say is spec/support/core.lua's business.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "core/core.h"
#include "core/lobby.h"
#include "core/options.h"
#include "core_ask.h"
#include "core_audience.h"
#include "core_govern.h"
#include "wire/errors.h"

#include <lauxlib.h>
#include <lua.h>

#define ROUTER "nexus.core"

enum place { IN_LOBBY, IN_REALM, IS_CLOSING };

struct peer {
    enum place place;
    struct transport transport; /* default_realm and cookie owned */
};

struct router {
    struct core *core;   /* owned; NULL after free */
    struct arena arena;  /* of the message at hand */
    struct outbox out;   /* actions of the step at hand */
    struct map peers;    /* id -> struct peer, owned */
    struct map sessions; /* ids that the core has claimed; the value is the router itself */
    struct slice realm;  /* owned */
    struct rules *rules; /* owned; NULL: everybody may do everything */
    bool strict_uris, ppt_compat;
    uint64_t last_peer, now, wall;
    uint64_t seed;          /* state of the random numbers */
    lua_Integer taken_ids;  /* so many claims will be refused */
    lua_Integer refused_id; /* the last one refused */
};

/* ---- fields of option tables ---- */

static const char *text_field(lua_State *L, int table, const char *key, const char *otherwise)
{
    const char *text;

    lua_getfield(L, table, key);
    text = luaL_optstring(L, -1, otherwise); /* the table keeps it alive */
    lua_pop(L, 1);
    return text;
}

static uint32_t number_field(lua_State *L, int table, const char *key, uint32_t otherwise)
{
    uint32_t number;

    lua_getfield(L, table, key);
    number = (uint32_t)luaL_optinteger(L, -1, otherwise);
    lua_pop(L, 1);
    return number;
}

static bool bool_field(lua_State *L, int table, const char *key, bool otherwise)
{
    bool value;

    lua_getfield(L, table, key);
    value = lua_isnil(L, -1) ? otherwise : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

static enum codec codec_of(lua_State *L, const char *name)
{
    for (int codec = 0; codec < CODEC_COUNT; codec++)
        if (strcmp(name, codec_name((enum codec)codec)) == 0)
            return (enum codec)codec;
    luaL_error(L, "codec '%s': expected json, msgpack or cbor", name);
    return CODEC_JSON;
}

/* ---- session ids ---- */

static bool claim_id(void *ctx, uint64_t session)
{
    struct router *r = ctx;

    if (r->taken_ids > 0) {
        r->taken_ids--;
        r->refused_id = (lua_Integer)session;
        return false;
    }
    return map_put(&r->sessions, session, 0, r) == NULL;
}

static void give_back_id(void *ctx, uint64_t session)
{
    struct router *r = ctx;

    CHECK(map_remove(&r->sessions, session, 0) == r);
}

/* ---- a router ---- */

static struct router *router_arg(lua_State *L)
{
    struct router *r = luaL_checkudata(L, 1, ROUTER);

    luaL_argcheck(L, r->core != NULL, 1, "the core is freed");
    return r;
}

/* Index into the choices. */
static int choice_field(lua_State *L, int table, const char *key, const char *otherwise,
                        const char *const *choices)
{
    int which;

    lua_getfield(L, table, key);
    which = luaL_checkoption(L, -1, otherwise, choices);
    lua_pop(L, 1);
    return which;
}

static void read_call_options(lua_State *L, struct core_options *options)
{
    static const char *const disclosures[] = {"never", "request", "always", NULL};
    static const char *const modes[] = {"killnowait", "kill", "skip", NULL};

    options->disclose_caller =
        (enum disclosure)choice_field(L, 1, "disclose_caller", "request", disclosures);
    options->disclose_publisher =
        (enum disclosure)choice_field(L, 1, "disclose_publisher", "request", disclosures);
    options->disclose_callee_request =
        bool_field(L, 1, "disclose_callee_request", options->disclose_callee_request);
    options->progress_requires_cancel =
        bool_field(L, 1, "progress_requires_cancel", options->progress_requires_cancel);
    options->allow_force_reregister =
        bool_field(L, 1, "allow_force_reregister", options->allow_force_reregister);
    options->reinterrupt = bool_field(L, 1, "reinterrupt", options->reinterrupt);
    options->invoke_unknown_fallback =
        bool_field(L, 1, "invoke_unknown_fallback", options->invoke_unknown_fallback);
    options->cancel_default_mode =
        (enum cancel_mode)choice_field(L, 1, "cancel_default_mode", "killnowait", modes);
    options->trustlevel = number_field(L, 1, "trustlevel", UINT32_MAX) + 1;
    options->call_default_timeout_ms = number_field(L, 1, "call_default_timeout_ms", 0);
    options->call_max_timeout_ms = number_field(L, 1, "call_max_timeout_ms", 0);
    options->kill_grace_ms = number_field(L, 1, "kill_grace_ms", 0);
    options->callee_max_pending = number_field(L, 1, "callee_max_pending", 0);
    options->call_queue_len = number_field(L, 1, "call_queue_len", 0);
    options->call_queue_timeout_ms =
        number_field(L, 1, "call_queue_timeout_ms", options->call_queue_timeout_ms);
}

static void read_meta_options(lua_State *L, struct core_options *options)
{
    static const char *const misses[] = {"null", "zero", NULL};
    static const char *const reasons[] = {"killed", "normal", NULL};
    static const char *const results[] = {"standard", "count", "list", NULL};

    options->anonymous_admin = bool_field(L, 1, "anonymous_admin", options->anonymous_admin);
    options->meta_strict = bool_field(L, 1, "meta_strict", options->meta_strict);
    options->meta_skips_causer = bool_field(L, 1, "meta_skips_causer", options->meta_skips_causer);
    options->enable_modify_details =
        bool_field(L, 1, "enable_modify_details", options->enable_modify_details);
    options->lookup_miss_is_zero = choice_field(L, 1, "lookup_miss", "null", misses) == 1;
    options->kill_reason_is_normal = choice_field(L, 1, "kill_reason", "killed", reasons) == 1;
    options->kill_results =
        (enum kill_results)choice_field(L, 1, "kill_results", "standard", results);
}

/* roles = { "broker" } */
static unsigned read_roles(lua_State *L, unsigned otherwise)
{
    static const char *const names[] = {"broker", "dealer", NULL};
    unsigned roles = 0;

    if (lua_getfield(L, 1, "roles") == LUA_TNIL)
        roles = otherwise;
    else
        for (lua_Integer i = 1, count = luaL_len(L, -1); i <= count; i++) {
            lua_geti(L, -1, i);
            roles |= luaL_checkoption(L, -1, NULL, names) == 0 ? ROUTER_BROKER : ROUTER_DEALER;
            lua_pop(L, 1);
        }
    lua_pop(L, 1);
    return roles;
}

/* reserved_prefixes = { "wamp" }. Leaves the memory of the list on the stack. */
static void read_prefixes(lua_State *L, struct core_options *options)
{
    const char **prefixes;
    lua_Integer count;

    if (lua_getfield(L, 1, "reserved_prefixes") == LUA_TNIL)
        return;
    count = luaL_len(L, -1);
    prefixes = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *prefixes, 0);
    for (lua_Integer i = 0; i < count; i++) {
        lua_geti(L, -2, i + 1);
        prefixes[i] = luaL_checkstring(L, -1); /* the table keeps it alive */
        lua_pop(L, 1);
    }
    prefixes[count] = NULL;
    options->reserved_prefixes = prefixes;
}

static void read_history(lua_State *L, int table, struct history_options *history)
{
    static const char *const matches[] = {"exact", "prefix", "wildcard", NULL};
    static const enum match values[] = {MATCH_EXACT, MATCH_PREFIX, MATCH_WILDCARD};

    luaL_checktype(L, table, LUA_TTABLE);
    *history =
        (struct history_options){.uri = text_field(L, table, "uri", NULL),
                                 .match = values[choice_field(L, table, "match", "exact", matches)],
                                 .limits = {.max_events = number_field(L, table, "limit", 1000),
                                            .max_age_s = number_field(L, table, "max_age", 0),
                                            .max_bytes = number_field(L, table, "max_bytes", 0)}};
    luaL_argcheck(L, history->uri != NULL, 1, "event_history: an entry needs a uri");
}

/* event_history = { { uri = "com.x", match = "prefix", limit = 10, max_age = 60,
 * max_bytes = 4096 } }, ages in seconds. Leaves the memory of the list on the stack. */
static void read_store_options(lua_State *L, struct core_options *options)
{
    static const char *const forms[] = {"flat", "list", NULL};
    struct history_options *histories;

    options->history_result_is_list = choice_field(L, 1, "history_result", "flat", forms) == 1;
    options->history_max_result =
        number_field(L, 1, "history_max_result", options->history_max_result);
    options->retained.max_topics =
        number_field(L, 1, "retained_max_topics", options->retained.max_topics);
    options->retained.max_bytes =
        number_field(L, 1, "retained_max_bytes", (uint32_t)options->retained.max_bytes);
    if (lua_getfield(L, 1, "event_history") == LUA_TNIL)
        return;
    options->history_count = (size_t)luaL_len(L, -1);
    histories = lua_newuserdatauv(L, (options->history_count + 1) * sizeof *histories, 0);
    for (size_t i = 0; i < options->history_count; i++) {
        lua_geti(L, -2, (lua_Integer)i + 1);
        read_history(L, lua_gettop(L), &histories[i]);
        lua_pop(L, 1);
    }
    options->histories = histories;
}

static void read_options(lua_State *L, struct core_options *options)
{
    static const char *const checks[] = {"lenient", "sequential", "strict", NULL};

    core_defaults(options);
    options->realm = text_field(L, 1, "realm", "realm1");
    options->agent = text_field(L, 1, "agent", NULL);
    options->anonymous_role = text_field(L, 1, "anonymous_role", options->anonymous_role);
    options->strict_uris = bool_field(L, 1, "strict_uris", options->strict_uris);
    options->ppt_compat = bool_field(L, 1, "ppt_compat", options->ppt_compat);
    options->empty_eligible_is_absent = bool_field(L, 1, "empty_eligible_is_absent", false);
    options->max_sessions = number_field(L, 1, "max_sessions", options->max_sessions);
    options->max_subscriptions =
        number_field(L, 1, "max_subscriptions", options->max_subscriptions);
    options->max_registrations =
        number_field(L, 1, "max_registrations", options->max_registrations);
    options->max_pending_calls =
        number_field(L, 1, "max_pending_calls", options->max_pending_calls);
    options->goodbye_timeout_ms =
        number_field(L, 1, "goodbye_timeout_ms", options->goodbye_timeout_ms);
    options->request_id_check =
        (enum request_id_check)choice_field(L, 1, "request_id_check", "lenient", checks);
    options->asks_join = bool_field(L, 1, "asks_join", options->asks_join);
    options->auth_timeout_ms = number_field(L, 1, "auth_timeout_ms", options->auth_timeout_ms);
    options->max_joining = number_field(L, 1, "max_joining", options->max_joining);
    options->roles = read_roles(L, options->roles);
    options->role_check = bool_field(L, 1, "role_check", options->role_check);
    options->max_kept_nodes = number_field(L, 1, "max_kept_nodes", options->max_kept_nodes);
    options->max_buckets = number_field(L, 1, "max_buckets", options->max_buckets);
    options->tells_left = bool_field(L, 1, "tells_left", false);
    read_call_options(L, options);
    read_meta_options(L, options);
    core_govern_read(L, 1, options);
    read_prefixes(L, options);
    read_store_options(L, options);
}

/* wall = milliseconds since 1970 at the start */
static uint64_t wall_field(lua_State *L)
{
    lua_Integer wall;

    lua_getfield(L, 1, "wall");
    wall = luaL_optinteger(L, -1, INT64_C(1700000000000));
    lua_pop(L, 1);
    return (uint64_t)wall;
}

static int router_new(lua_State *L)
{
    struct core_options options;
    struct router *r;

    luaL_checktype(L, 1, LUA_TTABLE);
    read_options(L, &options);
    r = lua_newuserdatauv(L, sizeof *r, 0);
    *r = (struct router){.strict_uris = options.strict_uris,
                         .ppt_compat = options.ppt_compat,
                         .now = 1000,
                         .wall = wall_field(L),
                         .seed = number_field(L, 1, "seed", 1),
                         .taken_ids = number_field(L, 1, "taken_ids", 0)};
    luaL_setmetatable(L, ROUTER);
    arena_init(&r->arena);
    outbox_init(&r->out);
    map_init(&r->peers, 1);
    map_init(&r->sessions, 2);
    r->rules = core_ask_rules(L, 1);
    options.rules = r->rules;
    r->realm.data = mem_copy(options.realm, strlen(options.realm));
    r->realm.len = strlen(options.realm);
    options.random = rng_fill_seeded;
    options.random_ctx = &r->seed;
    options.wall = r->wall;
    options.ids = (struct id_keeper){claim_id, give_back_id, r};
    r->core = core_new(&options);
    return 1;
}

static void peer_free(struct peer *peer)
{
    mem_free((void *)(uintptr_t)peer->transport.default_realm);
    mem_free((void *)(uintptr_t)peer->transport.peer);
    mem_free((void *)(uintptr_t)peer->transport.cookie);
    mem_free(peer);
}

/* Also __gc. */
static int router_free(lua_State *L)
{
    struct router *r = luaL_checkudata(L, 1, ROUTER);
    const struct map_entry *at;
    size_t i = 0;

    if (r->core == NULL)
        return 0;
    core_free(r->core);
    r->core = NULL;
    rules_free(r->rules);
    CHECK(r->sessions.count == 0);
    while ((at = map_next(&r->peers, &i)) != NULL)
        peer_free(at->value);
    map_fini(&r->peers);
    map_fini(&r->sessions);
    outbox_fini(&r->out);
    arena_fini(&r->arena);
    mem_free((void *)(uintptr_t)r->realm.data);
    return 0;
}

static int router_open(lua_State *L)
{
    struct router *r = router_arg(L);
    struct peer *peer;
    const char *realm, *cookie, *address;
    bool is_trusted;
    enum codec codec;

    luaL_checktype(L, 2, LUA_TTABLE);
    codec = codec_of(L, text_field(L, 2, "codec", "json"));
    realm = text_field(L, 2, "default_realm", NULL);
    cookie = text_field(L, 2, "cookie", NULL);
    address = text_field(L, 2, "address", "local");
    is_trusted = bool_field(L, 2, "is_trusted", false);
    peer = mem_zero(1, sizeof *peer);
    peer->transport.type = TRANSPORT_LOCAL;
    peer->transport.codec = codec;
    peer->transport.is_trusted = is_trusted;
    peer->transport.send_max = number_field(L, 2, "send_max", UINT32_MAX);
    peer->transport.protocol = "wamp.2.local";
    peer->transport.peer = mem_copy(address, strlen(address));
    if (realm != NULL)
        peer->transport.default_realm = mem_copy(realm, strlen(realm));
    if (cookie != NULL)
        peer->transport.cookie = mem_copy(cookie, strlen(cookie));
    map_put(&r->peers, ++r->last_peer, 0, peer);
    lua_pushinteger(L, (lua_Integer)r->last_peer);
    return 1;
}

/* ---- actions ---- */

static void set_text(lua_State *L, const char *key, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, uint64_t number)
{
    lua_pushinteger(L, (lua_Integer)number);
    lua_setfield(L, -2, key);
}

static void push_send(lua_State *L, const struct action *action)
{
    static const char *const kinds[] = {
        [SEND_REPLY] = "reply", [SEND_EVENT] = "event", [SEND_INVOCATION] = "invocation"};

    set_text(L, "kind", kinds[action->kind]);
    set_number(L, "key", action->key);
    lua_pushlstring(L, action->blob->data, action->blob->len);
    lua_setfield(L, -2, "bytes");
}

static void set_slice(lua_State *L, const char *key, struct slice text)
{
    if (text.len == 0)
        return;
    lua_pushlstring(L, text.data, text.len);
    lua_setfield(L, -2, key);
}

static void push_notice(lua_State *L, const struct notice *notice)
{
    set_text(L, "words", notice->words);
    set_text(L, "text", notice->text);
    set_text(L, "cause", notice->cause);
    set_text(L, "address", notice->address);
    set_slice(L, "authid", notice->authid);
    set_slice(L, "authrole", notice->authrole);
    set_slice(L, "uri", notice->uri);
    set_slice(L, "by_authid", notice->by_authid);
    set_slice(L, "by_authrole", notice->by_authrole);
    set_number(L, "by", notice->by);
    set_text(L, "action", rules_action_name((enum rule_action)notice->action));
    set_text(L, "match", match_name((enum match)notice->match));
}

static void push_action(lua_State *L, const struct action *action)
{
    static const char *const types[] = {
        [ACT_SEND] = "send",   [ACT_JOINED] = "joined", [ACT_RELEASE] = "release",
        [ACT_CLOSE] = "close", [ACT_ASK] = "ask",       [ACT_UNASK] = "unask",
        [ACT_HOLD] = "hold",   [ACT_NOTE] = "note",     [ACT_LEFT] = "left",
        [ACT_ADMIN] = "admin"};
    static const char *const notes[] = {
        [NOTE_JOINED] = "joined",       [NOTE_LEFT] = "left",     [NOTE_REFUSED] = "refused",
        [NOTE_VIOLATION] = "violation", [NOTE_KILLED] = "killed", [NOTE_DENIED] = "denied"};

    lua_createtable(L, 0, 6);
    set_text(L, "type", types[action->type]);
    set_number(L, "peer", action->peer);
    if (action->type == ACT_SEND) {
        push_send(L, action);
        return;
    }
    if (action->type == ACT_CLOSE)
        set_number(L, "close_code", action->close_code);
    if (action->type == ACT_ADMIN)
        push_notice(L, action->notice);
    if (action->type == ACT_NOTE) {
        set_text(L, "kind", notes[action->kind]);
        push_notice(L, action->notice);
    }
    if (action->type == ACT_HOLD)
        set_number(L, "kind", action->kind);
    if (action->type == ACT_LEFT) {
        set_text(L, "reason", action->left->reason);
        core_govern_push_look(L, &action->left->look);
        lua_setfield(L, -2, "look");
    }
    if (action->type == ACT_CLOSE)
        set_text(L, "words", action->words);
    set_number(L, "key", action->key);
}

static void carry_out(struct router *r, const struct action *action)
{
    struct peer *peer = map_get(&r->peers, action->peer, 0);

    if (peer == NULL)
        return;
    if (action->type == ACT_RELEASE)
        peer->place = IN_LOBBY;
    else if (action->type == ACT_CLOSE)
        peer->place = IS_CLOSING;
}

/* Turns the outbox into a list and empties it. */
static int push_actions(lua_State *L, struct router *r)
{
    lua_createtable(L, (int)r->out.count, 0);
    for (size_t i = 0; i < r->out.count; i++) {
        carry_out(r, &r->out.actions[i]);
        push_action(L, &r->out.actions[i]);
        lua_seti(L, -2, (lua_Integer)i + 1);
    }
    outbox_clear(&r->out);
    core_check(r->core);
    return 1;
}

/* ---- events ---- */

static void step(struct router *r, struct event *ev)
{
    ev->now = r->now;
    ev->wall = r->wall;
    core_step(r->core, ev, &r->out);
}

static struct peer *peer_arg(lua_State *L, struct router *r, uint64_t *id)
{
    struct peer *peer;

    *id = (uint64_t)luaL_checkinteger(L, 2);
    peer = map_get(&r->peers, *id, 0);
    luaL_argcheck(L, peer != NULL, 2, "no such peer");
    return peer;
}

static void from_lobby(struct router *r, struct peer *peer, uint64_t id, const struct msg *msg,
                       const struct fault *fault)
{
    struct slice realm;

    if (!lobby_receive(id, &peer->transport, msg, fault, r->strict_uris, &realm, &r->out))
        return;
    if (!slice_eq(realm, r->realm)) {
        lobby_refuse(id, peer->transport.codec, WAMP_NO_SUCH_REALM, "no such realm", &r->out);
        return;
    }
    peer->place = IN_REALM;
    step(r,
         &(struct event){.type = EV_HELLO, .peer = id, .msg = msg, .transport = &peer->transport});
}

static void receive(struct router *r, struct peer *peer, uint64_t id, struct slice bytes)
{
    const struct msg_limits limits = {.raw_payload = peer->place == IN_LOBBY || r->ppt_compat};
    struct fault fault;
    struct msg msg;
    bool is_msg;

    arena_reset(&r->arena);
    is_msg = msg_decode(&msg, peer->transport.codec, bytes, &limits, &r->arena, &fault) == 0;
    if (peer->place == IN_LOBBY)
        from_lobby(r, peer, id, is_msg ? &msg : NULL, &fault);
    else if (is_msg)
        step(r, &(struct event){.type = EV_MESSAGE, .peer = id, .msg = &msg});
    else
        step(r, &(struct event){.type = EV_FAULT, .peer = id, .fault = &fault});
}

/* router:send(peer, bytes): the peer says something. A list of actions. */
static int router_send(lua_State *L)
{
    struct router *r = router_arg(L);
    struct slice bytes, copy;
    struct peer *peer;
    uint64_t id;

    bytes.data = luaL_checklstring(L, 3, &bytes.len);
    peer = peer_arg(L, r, &id);
    if (peer->place != IS_CLOSING) {
        /* Without the zero that Lua puts behind its strings: a sanitizer sees what goes there. */
        copy = slice_make(mem_alloc(bytes.len == 0 ? 1 : bytes.len), bytes.len);
        if (bytes.len != 0)
            memcpy((char *)(uintptr_t)copy.data, bytes.data, bytes.len);
        receive(r, peer, id, copy);
        mem_free((char *)(uintptr_t)copy.data);
    }
    return push_actions(L, r);
}

/* router:drop(peer): its connection is gone. */
static int router_drop(lua_State *L)
{
    struct router *r = router_arg(L);
    uint64_t id;
    struct peer *peer = peer_arg(L, r, &id);

    map_remove(&r->peers, id, 0);
    peer_free(peer);
    step(r, &(struct event){.type = EV_CLOSED, .peer = id});
    return push_actions(L, r);
}

/* router:unsent(peer, invocation): its queue did not take the INVOCATION. */
static int router_unsent(lua_State *L)
{
    struct router *r = router_arg(L);
    uint64_t invocation = (uint64_t)luaL_checkinteger(L, 3), id;

    (void)peer_arg(L, r, &id);
    step(r, &(struct event){.type = EV_UNSENT, .peer = id, .invocation = invocation});
    return push_actions(L, r);
}

/* router:dropped(peer, count): so many EVENTs did not fit into its queue. */
static int router_dropped(lua_State *L)
{
    struct router *r = router_arg(L);
    uint64_t count = (uint64_t)luaL_checkinteger(L, 3), id;

    (void)peer_arg(L, r, &id);
    step(r, &(struct event){.type = EV_DROPPED, .peer = id, .dropped = count});
    return push_actions(L, r);
}

/* audience = ..., granted_audience = ...; see core_audience.h. */
static const struct audience *read_audience(lua_State *L, const char *key, struct router *r,
                                            const struct decision *decision)
{
    const struct audience *audience = NULL;

    if (lua_getfield(L, 2, key) != LUA_TNIL)
        audience = core_audience_read(L, r->core, core_question(r->core, decision->question),
                                      &decision->grant);
    lua_pop(L, 1);
    return audience;
}

/* router:decide(table): somebody answers a question; see core_ask.h. */
static int router_decide(lua_State *L)
{
    struct router *r = router_arg(L);
    struct slice reads[CORE_ASK_READS];
    struct decision decision;

    luaL_checktype(L, 2, LUA_TTABLE);
    core_ask_read(L, 2, &decision, reads);
    decision.audience = read_audience(L, "audience", r, &decision);
    decision.grant.audience = read_audience(L, "granted_audience", r, &decision);
    step(r, &(struct event){.type = EV_DECISION, .decision = &decision});
    audience_drop(decision.audience);
    audience_drop(decision.grant.audience);
    return push_actions(L, r);
}

/* router:renew { rules = ..., expose = ..., intercepts = ..., recheck = true }: its policy is another one. */
static int router_renew(lua_State *L)
{
    struct router *r = router_arg(L);
    struct core_options options;
    struct rules *old = r->rules;

    luaL_checktype(L, 2, LUA_TTABLE);
    core_defaults(&options);
    core_govern_read(L, 2, &options);
    r->rules = core_ask_rules(L, 2);
    options.rules = r->rules;
    step(r,
         &(struct event){.type = EV_RULES,
                         .renewal = &(struct renewal){
                             .options = &options, .rechecks = bool_field(L, 2, "recheck", false)}});
    rules_free(old);
    return push_actions(L, r);
}

/* router:recheck(session): what it holds is judged again; of all with 0. */
static int router_recheck(lua_State *L)
{
    struct router *r = router_arg(L);

    step(r, &(struct event){.type = EV_RECHECK, .session = (uint64_t)luaL_checkinteger(L, 2)});
    return push_actions(L, r);
}

static struct slice octets_arg(lua_State *L, int arg)
{
    struct slice octets;

    octets.data = luaL_checklstring(L, arg, &octets.len);
    return octets;
}

/* router:set(session, codec, dict): actions; and when it is refused the words and the URI. */
static int router_set(lua_State *L)
{
    struct router *r = router_arg(L);
    struct fault fault = {.err = 1};
    struct change change = {.session = (uint64_t)luaL_checkinteger(L, 2),
                            .codec = codec_of(L, luaL_checkstring(L, 3)),
                            .attributes = octets_arg(L, 4),
                            .fault = &fault};

    step(r, &(struct event){.type = EV_SET, .change = &change});
    push_actions(L, r);
    if (fault.err == 0)
        return 1;
    lua_pushstring(L, fault.words);
    lua_pushstring(L, fault.uri);
    return 3;
}

/* router:set_vars(session, codec, dict): true, or false and why. */
static int router_set_vars(lua_State *L)
{
    struct router *r = router_arg(L);
    int err = core_set_vars(r->core, (uint64_t)luaL_checkinteger(L, 2),
                            codec_of(L, luaL_checkstring(L, 3)), octets_arg(L, 4));

    lua_pushboolean(L, err == 0);
    lua_pushstring(L, err == 0 ? "" : err_words(err));
    return 2;
}

/* router:forget(name, value), or of all. */
static int router_forget(lua_State *L)
{
    struct router *r = router_arg(L);
    struct forget forget = {0};

    if (!lua_isnoneornil(L, 2)) {
        forget.name = octets_arg(L, 2);
        lua_settop(L, 3);
        forget.value = core_govern_token(L);
    }
    step(r, &(struct event){.type = EV_FORGET, .forget = &forget});
    return push_actions(L, r);
}

/* router:finish(session, reason, words, is_abort) */
static int router_finish(lua_State *L)
{
    struct router *r = router_arg(L);
    struct ending ending = {.session = (uint64_t)luaL_checkinteger(L, 2),
                            .reason = luaL_checkstring(L, 3),
                            .words = luaL_optstring(L, 4, NULL),
                            .is_abort = lua_toboolean(L, 5)};

    step(r, &(struct event){.type = EV_END, .ending = &ending});
    return push_actions(L, r);
}

/* router:admin_done(peer, session, request, count, error, words): what ACT_ADMIN wanted is done. */
static int router_admin_done(lua_State *L)
{
    struct router *r = router_arg(L);
    struct admin_done done = {.session = (uint64_t)luaL_checkinteger(L, 3),
                              .request = (uint64_t)luaL_checkinteger(L, 4),
                              .count = (uint64_t)luaL_checkinteger(L, 5),
                              .error = luaL_optstring(L, 6, NULL)};

    snprintf(done.words, sizeof done.words, "%s", luaL_optstring(L, 7, ""));
    step(r, &(struct event){
                .type = EV_ADMIN, .peer = (uint64_t)luaL_checkinteger(L, 2), .done = &done});
    return push_actions(L, r);
}

/* router:look(session), or nil. */
static int router_look(lua_State *L)
{
    struct look look;

    if (core_look(router_arg(L)->core, (uint64_t)luaL_checkinteger(L, 2), &look))
        core_govern_push_look(L, &look);
    else
        lua_pushnil(L);
    return 1;
}

/* router:find(what, ...): see core_govern.h. */
static int router_find(lua_State *L)
{
    static const char *const kinds[] = {"sessions", "subscribers", "callees", "retained", NULL};
    const struct core *core = router_arg(L)->core;

    switch (luaL_checkoption(L, 2, NULL, kinds)) {
    case 0:
        luaL_checktype(L, 3, LUA_TTABLE);
        core_govern_push_sessions(L, core, 3);
        break;
    case 1:
        core_govern_push_subscribers(L, core, octets_arg(L, 3));
        break;
    case 2:
        core_govern_push_callees(L, core, octets_arg(L, 3));
        break;
    default:
        core_govern_push_retained(L, core, octets_arg(L, 3));
        break;
    }
    return 1;
}

/* router:set_wall(ms): somebody sets the wall clock, forwards or back. */
static int router_set_wall(lua_State *L)
{
    router_arg(L)->wall = (uint64_t)luaL_checkinteger(L, 2);
    return 0;
}

/* router:close_realm(reason) */
static int router_close_realm(lua_State *L)
{
    struct router *r = router_arg(L);
    const char *reason = luaL_checkstring(L, 2);

    step(r, &(struct event){.type = EV_CLOSE_REALM, .reason = reason});
    return push_actions(L, r);
}

/* router:advance(ms): time passes; the core is woken when it asked to be, as often as that is. */
static int router_advance(lua_State *L)
{
    struct router *r = router_arg(L);
    uint64_t end = r->now + (uint64_t)luaL_checkinteger(L, 2), at;

    while ((at = core_wake_at(r->core)) <= end) {
        r->wall += at > r->now ? at - r->now : 0;
        r->now = at > r->now ? at : r->now;
        step(r, &(struct event){.type = EV_TICK});
        CHECK(core_wake_at(r->core) > r->now);
    }
    r->wall += end - r->now;
    r->now = end;
    return push_actions(L, r);
}

/* ---- questions ---- */

/* Milliseconds until the core wants to be woken, or nil. */
static int router_wakes_in(lua_State *L)
{
    struct router *r = router_arg(L);
    uint64_t at = core_wake_at(r->core);

    if (at == NEVER)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)(at > r->now ? at - r->now : 0));
    return 1;
}

/* router:question(id): what it says, or nil when it is not open. */
static int router_question(lua_State *L)
{
    const struct question *question =
        core_question(router_arg(L)->core, (uint64_t)luaL_checkinteger(L, 2));

    if (question == NULL)
        lua_pushnil(L);
    else
        core_ask_push(L, question);
    return 1;
}

static int router_counters(lua_State *L)
{
    const struct core_counters *c = core_counters(router_arg(L)->core);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"sessions", c->sessions},
        {"subscriptions", c->subscriptions},
        {"registrations", c->registrations},
        {"pending_calls", c->pending_calls},
        {"joins", c->joins},
        {"refusals", c->refusals},
        {"violations", c->violations},
        {"publications", c->publications},
        {"events", c->events},
        {"calls", c->calls},
        {"results", c->results},
        {"errors", c->errors},
        {"filtered", c->filtered},
        {"filter_per_session", c->filter_per_session},
        {"unretained", c->unretained},
        {"dropped", c->dropped},
        {"oversized", c->oversized},
        {"revoked", c->revoked},
        {"limited", c->limited},
        {"decisions_kept", c->decisions_kept},
        {"decisions_reused", c->decisions_reused},
    };

    lua_createtable(L, 0, (int)ARRAY_LEN(rows));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        set_number(L, rows[i].name, rows[i].value);
    return 1;
}

/* How many session ids are claimed, and the last one that was refused to the core. */
static int router_claimed_ids(lua_State *L)
{
    struct router *r = router_arg(L);

    lua_pushinteger(L, (lua_Integer)r->sessions.count);
    lua_pushinteger(L, r->refused_id);
    return 2;
}

/* core.check_message(codec, bytes): true, or nil, the words and the URI of what is wrong. Any
 * message in any direction, its options included. */
static int check_message(lua_State *L)
{
    const struct msg_limits limits = {.raw_payload = true};
    enum codec codec = codec_of(L, luaL_checkstring(L, 1));
    struct options options;
    struct arena arena;
    struct fault fault = {0};
    struct slice bytes;
    struct msg msg;
    int err;

    bytes.data = luaL_checklstring(L, 2, &bytes.len);
    arena_init(&arena);
    err = msg_decode(&msg, codec, bytes, &limits, &arena, &fault);
    if (err == 0)
        err = options_read(&options, &msg, &arena, &fault);
    arena_fini(&arena);
    if (err == 0) {
        lua_pushboolean(L, true);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, fault.words);
    lua_pushstring(L, fault.uri);
    return 3;
}

int luaopen_core_module(lua_State *L);

int luaopen_core_module(lua_State *L)
{
    static const luaL_Reg methods[] = {{"open", router_open},
                                       {"send", router_send},
                                       {"drop", router_drop},
                                       {"unsent", router_unsent},
                                       {"dropped", router_dropped},
                                       {"decide", router_decide},
                                       {"question", router_question},
                                       {"renew", router_renew},
                                       {"recheck", router_recheck},
                                       {"set", router_set},
                                       {"set_vars", router_set_vars},
                                       {"forget", router_forget},
                                       {"admin_done", router_admin_done},
                                       {"finish", router_finish},
                                       {"look", router_look},
                                       {"find", router_find},
                                       {"set_wall", router_set_wall},
                                       {"close_realm", router_close_realm},
                                       {"advance", router_advance},
                                       {"wakes_in", router_wakes_in},
                                       {"counters", router_counters},
                                       {"claimed_ids", router_claimed_ids},
                                       {"free", router_free},
                                       {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"new", router_new}, {"check_message", check_message}, {NULL, NULL}};

    luaL_newmetatable(L, ROUTER);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, router_free);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, functions);
    return 1;
}
