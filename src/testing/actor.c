/* actor.c -- a peer that says what it is told, and keeps what it hears.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "script/values.h"
#include "testing/stage.h"

#include <lauxlib.h>

#define ACTOR "nexus.testing.actor"

struct heard {
    struct heard *next;
    struct blob *blob; /* held */
};

struct actor {
    struct stage *stage;      /* kept alive by the user value */
    struct local_peer *local; /* owned; NULL: closed by us, or with the stage */
    struct list of_stage;
    enum codec codec;
    bool is_closed; /* by the router */
    struct heard *first, **end;
};

/* ---- what the router says ---- */

static void receive(void *ctx, struct slice message)
{
    struct actor *actor = ctx;
    struct heard *heard = mem_alloc(sizeof(*heard));

    *heard = (struct heard){.blob = blob_copy(message)};
    *actor->end = heard;
    actor->end = &heard->next;
}

static void on_close(void *ctx)
{
    ((struct actor *)ctx)->is_closed = true;
}

static void drop_first(struct actor *actor)
{
    struct heard *heard = actor->first;

    actor->first = heard->next;
    if (actor->first == NULL)
        actor->end = &actor->first;
    blob_drop(heard->blob);
    mem_free(heard);
}

static void hang_up(struct actor *actor)
{
    if (actor->local == NULL)
        return;
    local_close(actor->local);
    actor->local = NULL;
    list_remove(&actor->of_stage);
}

void actors_close(struct stage *stage)
{
    list_each (&stage->actors, node, after) {
        hang_up(container_of(node, struct actor, of_stage));
    }
}

/* ---- methods ---- */

static struct actor *check_actor(lua_State *lua)
{
    return luaL_checkudata(lua, 1, ACTOR);
}

static struct slice text_field(lua_State *lua, int index, const char *key)
{
    struct slice text = {0};

    if (lua_getfield(lua, index, key) != LUA_TNIL)
        text.data = luaL_checklstring(lua, -1, &text.len);
    lua_pop(lua, 1); /* the table holds it */
    return text;
}

/* The identity in the table at the index, for a HELLO that nobody judges. */
static void l_read_given(lua_State *lua, int index, struct decision *decision,
                         struct blob **attributes)
{
    *decision = (struct decision){.verdict = VERDICT_ACCEPT,
                                  .codec = CODEC_MSGPACK,
                                  .authid = text_field(lua, index, "authid"),
                                  .authrole = text_field(lua, index, "authrole"),
                                  .authmethod = text_field(lua, index, "authmethod"),
                                  .authprovider = text_field(lua, index, "authprovider")};
    lua_getfield(lua, index, "trustlevel");
    decision->trustlevel = luaL_optinteger(lua, -1, -1);
    if (lua_getfield(lua, index, "attributes") != LUA_TNIL) {
        (void)l_values_begin(lua, CODEC_MSGPACK);
        l_values_put(lua, -1, VALUES_DICT, "attributes");
        *attributes = l_values_end(lua);
        decision->attributes = blob_slice(*attributes);
    }
    lua_pop(lua, 2);
}

/* send(message [, given]) */
static int l_send(lua_State *lua)
{
    struct actor *actor = check_actor(lua);
    struct blob *blob, *attributes = NULL;
    struct decision given;

    luaL_argcheck(lua, actor->local != NULL, 1, "the session is closed");
    l_stage_expect_rest(lua, actor->stage);
    l_vm_guest(lua);
    (void)l_values_begin(lua, actor->codec);
    l_values_put(lua, 2, VALUES_LIST, "message");
    blob = l_values_end(lua);
    lua_pushlstring(lua, blob->data, blob->len); /* what follows may raise */
    blob_drop(blob);
    if (!lua_isnoneornil(lua, 3) && lua_istable(lua, 3)) {
        l_read_given(lua, 3, &given, &attributes);
        realm_give(actor->stage->realm, &given);
    }
    struct slice message;
    message.data = lua_tolstring(lua, -1, &message.len);
    actor->stage->lua = lua;
    local_send(actor->local, message);
    actor->stage->lua = NULL;
    realm_give(actor->stage->realm, NULL);
    if (attributes != NULL)
        blob_drop(attributes);
    return 0;
}

/* The next message, or nothing. */
static int l_receive(lua_State *lua)
{
    struct actor *actor = check_actor(lua);
    struct slice message;

    if (actor->first == NULL)
        return 0;
    l_vm_guest(lua);
    message = blob_slice(actor->first->blob);
    lua_pushlstring(lua, message.data, message.len);
    drop_first(actor);
    message.data = lua_tolstring(lua, -1, &message.len);
    l_values_push(lua, actor->codec, message, "message");
    return 1;
}

static int l_is_closed(lua_State *lua)
{
    struct actor *actor = check_actor(lua);

    lua_pushboolean(lua, actor->is_closed || actor->local == NULL);
    return 1;
}

static int l_close(lua_State *lua)
{
    struct actor *actor = check_actor(lua);

    l_stage_expect_rest(lua, actor->stage);
    hang_up(actor);
    return 0;
}

static int l_free(lua_State *lua)
{
    struct actor *actor = check_actor(lua);

    hang_up(actor);
    while (actor->first != NULL)
        drop_first(actor);
    return 0;
}

/* ---- opening ---- */

static enum codec codec_field(lua_State *lua)
{
    const char *name = "msgpack";
    enum codec codec = CODEC_JSON;

    if (lua_getfield(lua, 2, "serializer") != LUA_TNIL)
        name = luaL_checkstring(lua, -1);
    while (codec < CODEC_COUNT && strcmp(codec_name(codec), name) != 0)
        codec++;
    lua_pop(lua, 1);
    if (codec != CODEC_COUNT)
        return codec;
    luaL_error(lua, "serializer: found \"%s\"; allowed: json, msgpack, cbor", name);
    return CODEC_JSON;
}

/* "CN=alice,O=Acme" or just "alice". */
static struct slice common_name_of(struct slice name)
{
    const char *at = memmem(name.data, name.len, "CN=", 3);
    struct slice found = name;

    if (at != NULL) {
        at += 3;
        found = slice_make(at, (size_t)(name.data + name.len - at));
        found.len = strcspn(found.data, ",+");
    }
    return found;
}

static struct slice full_name_of(struct arena *arena, struct slice name)
{
    char *text;

    if (memchr(name.data, '=', name.len) != NULL)
        return name;
    text = arena_alloc(arena, name.len + 3);
    memcpy(text, "CN=", 3);
    memcpy(text + 3, name.data, name.len);
    return slice_make(text, name.len + 3);
}

static struct transport_tls *new_tls(struct slice subject, struct slice issuer)
{
    struct transport_certificate facts = {0};
    struct transport_tls *tls;
    struct arena arena;

    arena_init(&arena);
    if (subject.len != 0) {
        facts.common_name = common_name_of(subject);
        facts.subject = full_name_of(&arena, subject);
        facts.issuer = full_name_of(&arena, issuer);
        facts.der = certificate_make(&arena, facts.common_name, common_name_of(issuer));
    }
    tls = transport_tls_new(&facts);
    arena_fini(&arena);
    tls->version = "TLSv1.3";
    tls->cipher = "TLS_AES_256_GCM_SHA384";
    return tls;
}

static void l_check_name(lua_State *lua, const char *key, struct slice *name)
{
    *name = text_field(lua, -1, key);
    if (name->data == NULL)
        return;
    struct slice common = common_name_of(*name);
    if (common.len == 0 || common.len > 64 || strlen(name->data) != name->len)
        luaL_error(lua, "tls.%s: a name of 1 to 64 octets, or \"CN=name,O=...\"", key);
}

/* tls = { subject = , issuer = , verified = } */
static struct transport_tls *l_read_tls(lua_State *lua)
{
    struct slice subject, issuer;
    struct transport_tls *tls;
    bool is_verified = true;

    if (lua_getfield(lua, 2, "tls") == LUA_TNIL)
        return NULL;
    luaL_checktype(lua, -1, LUA_TTABLE);
    l_check_name(lua, "subject", &subject);
    l_check_name(lua, "issuer", &issuer);
    if (lua_getfield(lua, -1, "verified") != LUA_TNIL)
        is_verified = lua_toboolean(lua, -1);
    tls = new_tls(subject, issuer.data == NULL ? SLICE("nexus.testing") : issuer);
    tls->is_verified = subject.len != 0 && is_verified;
    return tls;
}

/* stage:open{ serializer = , peer = "tcp4:192.0.2.1:4711", cookie = , tls = {...} } */
int l_actor_new(lua_State *lua)
{
    static const char *const protocols[] = {[CODEC_JSON] = "wamp.2.json",
                                            [CODEC_MSGPACK] = "wamp.2.msgpack",
                                            [CODEC_CBOR] = "wamp.2.cbor"};
    struct stage *stage = l_stage_check(lua, 1);
    struct transport transport = {.type = TRANSPORT_WEBSOCKET, .send_max = UINT32_MAX};
    struct actor *actor;

    luaL_checktype(lua, 2, LUA_TTABLE);
    lua_settop(lua, 2);
    transport.codec = codec_field(lua);
    transport.protocol = protocols[transport.codec];
    transport.peer = text_field(lua, 2, "peer").data;
    transport.cookie = text_field(lua, 2, "cookie").data;
    if (transport.peer == NULL)
        transport.peer = "tcp4:192.0.2.1:4711";
    actor = lua_newuserdatauv(lua, sizeof(*actor), 1);
    *actor = (struct actor){.stage = stage, .codec = transport.codec};
    actor->end = &actor->first;
    list_init(&actor->of_stage);
    luaL_setmetatable(lua, ACTOR);
    lua_pushvalue(lua, 1);
    lua_setiuservalue(lua, -2, 1);
    transport.tls = l_read_tls(lua);
    lua_settop(lua, 3);
    transport.is_secure = transport.tls != NULL;
    actor->local = local_open_as(stage->router, &transport, receive, on_close, actor);
    transport_tls_drop(transport.tls);
    list_append(&stage->actors, &actor->of_stage);
    return 1;
}

void l_actors_open(lua_State *lua)
{
    static const luaL_Reg methods[] = {{"send", l_send},
                                       {"receive", l_receive},
                                       {"is_closed", l_is_closed},
                                       {"close", l_close},
                                       {NULL, NULL}};

    luaL_newmetatable(lua, ACTOR);
    lua_pushcfunction(lua, l_free);
    lua_setfield(lua, -2, "__gc");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    luaL_newlib(lua, methods);
    lua_setfield(lua, -2, "__index");
    lua_pop(lua, 1);
}
