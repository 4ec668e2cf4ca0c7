/* facts.c -- see facts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/facts.h"

#include "auth/digest.h"

#include <stdlib.h>

/* ---- dicts ---- */

/* Pushes the value under a key (the last one wins), or nil. Nothing raises while the arena holds
 * memory. */
void l_facts_push_entry(lua_State *lua, enum codec codec, struct slice dict, struct slice key,
                        const char *path)
{
    struct arena arena;
    struct dict_walk walk;
    struct slice found = {0};

    arena_init(&arena);
    dict_walk(&walk, codec, dict, &arena);
    while (dict_next(&walk)) {
        if (slice_eq(walk.key, key))
            found = walk.value;
    }
    arena_fini(&arena);
    if (found.data == NULL)
        lua_pushnil(lua);
    else
        l_values_push(lua, codec, found, path);
}

static bool find(const struct msg *msg, struct slice key, struct token *token)
{
    struct arena arena;
    struct dict_walk walk;
    bool is_found = false;

    arena_init(&arena);
    dict_walk(&walk, msg->codec, msg->dict, &arena);
    while (dict_next(&walk)) {
        if (!slice_eq(walk.key, key))
            continue;
        *token = walk.token;
        is_found = true;
    }
    arena_fini(&arena);
    return is_found;
}

static bool is_true(const struct token *token)
{
    return token->type == TOKEN_BOOL && token->boolean;
}

static bool is_seal(struct slice key)
{
    return slice_eq(key, SLICE("ppt_scheme")) || slice_eq(key, SLICE("enc_algo"));
}

struct facts facts_read(const struct msg *msg)
{
    struct facts facts = {.is_sealed = msg->payload.kind == PAYLOAD_RAW};
    struct arena arena;
    struct dict_walk walk;

    arena_init(&arena);
    dict_walk(&walk, msg->codec, msg->dict, &arena);
    while (dict_next(&walk)) {
        if (slice_eq(walk.key, SLICE("caller")))
            (void)token_is_natural(&walk.token, &facts.caller);
        else if (slice_eq(walk.key, SLICE("procedure")) && walk.token.type == TOKEN_TEXT)
            facts.procedure = walk.token.text;
        else if (slice_eq(walk.key, SLICE("receive_progress")))
            facts.receive_progress = is_true(&walk.token);
        else if (slice_eq(walk.key, SLICE("progress")))
            facts.progress = is_true(&walk.token);
        else
            facts.is_sealed |= is_seal(walk.key);
    }
    arena_fini(&arena);
    return facts;
}

bool facts_has_true(const struct msg *msg, struct slice key)
{
    struct token token;

    return find(msg, key, &token) && is_true(&token);
}

uint64_t facts_number(const struct msg *msg, struct slice key)
{
    struct token token;
    uint64_t number = 0;

    return find(msg, key, &token) && token_is_natural(&token, &number) ? number : 0;
}

void l_facts_push_empty(lua_State *lua, enum values_shape shape)
{
    lua_newtable(lua);
    l_values_mark(lua, shape);
}

struct slice facts_text(const struct msg *msg, struct slice key)
{
    struct token token;

    return find(msg, key, &token) && token.type == TOKEN_TEXT ? token.text : (struct slice){0};
}

void l_facts_push_dict(lua_State *lua, const struct msg *msg, const char *path)
{
    if (msg->dict.len == 0)
        l_facts_push_empty(lua, VALUES_DICT);
    else
        l_values_push(lua, msg->codec, msg->dict, path);
}

/* Nobody but the ends can read it. */
static bool is_sealed(const struct msg *msg)
{
    struct arena arena;
    struct dict_walk walk;
    bool is_found = msg->payload.kind == PAYLOAD_RAW;

    arena_init(&arena);
    dict_walk(&walk, msg->codec, msg->dict, &arena);
    while (!is_found && dict_next(&walk))
        is_found = is_seal(walk.key);
    arena_fini(&arena);
    return is_found;
}

void l_facts_push_open_payload(lua_State *lua, const struct payload *payload, bool is_args)
{
    struct slice part = is_args ? payload->args : payload->kwargs;

    if (part.len == 0)
        l_facts_push_empty(lua, is_args ? VALUES_LIST : VALUES_DICT);
    else
        l_values_push(lua, payload->codec, part, is_args ? "args" : "kwargs");
}

void l_facts_push_payload(lua_State *lua, const struct msg *msg, bool is_args)
{
    if (is_sealed(msg))
        lua_pushnil(lua);
    else
        l_facts_push_open_payload(lua, &msg->payload, is_args);
}

/* ---- transport ---- */

static void set_text(lua_State *lua, const char *key, const char *text, size_t len)
{
    lua_pushlstring(lua, text, len);
    lua_setfield(lua, -2, key);
}

/* "tcp4:192.0.2.1:5678", "tcp6:[2001:db8::1]:5678", "unix:/path" */
static void set_peer(lua_State *lua, const char *peer)
{
    const char *ip = strchr(peer, ':'), *port = strrchr(peer, ':');

    set_text(lua, "peer", peer, strlen(peer));
    if (strncmp(peer, "tcp", 3) != 0 || ip == NULL || port <= ip)
        return;
    ip++;
    lua_pushinteger(lua, (lua_Integer)strtol(port + 1, NULL, 10));
    lua_setfield(lua, -2, "port");
    if (*ip == '[' && port[-1] == ']')
        set_text(lua, "ip", ip + 1, (size_t)(port - ip) - 2);
    else
        set_text(lua, "ip", ip, (size_t)(port - ip));
}

static void set_protocol(lua_State *lua, const char *protocol)
{
    const char *serializer = strrchr(protocol, '.');

    set_text(lua, "protocol", protocol, strlen(protocol));
    if (serializer != NULL)
        set_text(lua, "serializer", serializer + 1, strlen(serializer + 1));
}

static void set_hex(lua_State *lua, const char *key, const void *bytes, size_t len)
{
    char hex[2 * sizeof(((struct binding *)NULL)->octets)];

    if (len == 0)
        return;
    digest_hex(bytes, len, hex);
    set_text(lua, key, hex, 2 * len);
}

static void set_certificate(lua_State *lua, const struct transport_tls *tls)
{
    unsigned char sha256[DIGEST_LEN], sha1[SHA1_LEN];

    digest_sha256(tls->certificate, sha256);
    digest_sha1(tls->certificate, sha1);
    set_hex(lua, "fingerprint", sha256, sizeof(sha256));
    set_hex(lua, "fingerprint_sha1", sha1, sizeof(sha1));
    lua_pushboolean(lua, tls->is_verified);
    lua_setfield(lua, -2, "verified");
    lua_pushstring(lua, tls->common_name); /* NULL gives nil */
    lua_setfield(lua, -2, "common_name");
    lua_pushstring(lua, tls->subject);
    lua_setfield(lua, -2, "subject");
    lua_pushstring(lua, tls->issuer);
    lua_setfield(lua, -2, "issuer");
}

static void set_tls(lua_State *lua, const struct transport_tls *tls)
{
    lua_createtable(lua, 0, 9);
    lua_pushstring(lua, tls->version);
    lua_setfield(lua, -2, "version");
    lua_pushstring(lua, tls->cipher);
    lua_setfield(lua, -2, "cipher");
    if (tls->certificate.len != 0)
        set_certificate(lua, tls);
    lua_createtable(lua, 0, 3);
    if (strcmp(tls->version, "TLSv1.3") != 0) /* it has no such binding by any standard */
        set_hex(lua, "tls-unique", tls->unique.octets, tls->unique.len);
    set_hex(lua, "tls-server-end-point", tls->server_end_point.octets, tls->server_end_point.len);
    set_hex(lua, "tls-exporter", tls->exporter.octets, tls->exporter.len);
    vm_freeze(lua, "channel_id");
    lua_setfield(lua, -2, "channel_id");
    vm_freeze(lua, "tls");
    lua_setfield(lua, -2, "tls");
}

/* A dict of `count` pairs; what comes first with a name is it. Returns what is behind them. */
static const char *set_pairs(lua_State *lua, const char *key, const char *at, uint32_t count)
{
    lua_createtable(lua, 0, (int)count);
    for (uint32_t i = 0; i < count; i++) {
        const char *value = at + strlen(at) + 1;

        if (lua_getfield(lua, -1, at) == LUA_TNIL) {
            lua_pushstring(lua, value);
            lua_setfield(lua, -3, at);
        }
        lua_pop(lua, 1);
        at = value + strlen(value) + 1;
    }
    vm_freeze(lua, key);
    lua_setfield(lua, -2, key);
    return at;
}

static void set_http(lua_State *lua, const struct transport_http *http)
{
    const char *at = http == NULL ? NULL : http->bytes;

    at = set_pairs(lua, "headers", at, http == NULL ? 0 : http->header_count);
    (void)set_pairs(lua, "cookies", at, http == NULL ? 0 : http->cookie_count);
}

void l_facts_push_transport(lua_State *lua, const struct transport *transport)
{
    lua_createtable(lua, 0, 10);
    lua_pushstring(lua, transport_name(transport->type));
    lua_setfield(lua, -2, "type");
    lua_pushboolean(lua, transport->is_secure);
    lua_setfield(lua, -2, "secure");
    set_protocol(lua, transport->protocol);
    if (transport->peer != NULL)
        set_peer(lua, transport->peer);
    if (transport->tls != NULL)
        set_tls(lua, transport->tls);
    set_http(lua, transport->http);
    vm_freeze(lua, "transport");
}

/* The same out of the details of a session. */
void l_facts_push_session_transport(lua_State *lua, const struct look *look)
{
    l_facts_push_entry(lua, look->codec, look->details, SLICE("transport"), "transport");
    if (!lua_istable(lua, -1))
        return;
    if (lua_getfield(lua, -1, "peer") == LUA_TSTRING) {
        lua_insert(lua, -2);
        set_peer(lua, lua_tostring(lua, -2));
        lua_insert(lua, -2);
    }
    lua_pop(lua, 1);
    if (lua_getfield(lua, -1, "protocol") == LUA_TSTRING) {
        lua_insert(lua, -2);
        set_protocol(lua, lua_tostring(lua, -2));
        lua_insert(lua, -2);
    }
    lua_pop(lua, 1);
    lua_pushnil(lua); /* for the meta API; all that is kept is in `headers` */
    lua_setfield(lua, -2, "http_headers_received");
    if (look->tls != NULL)
        set_tls(lua, look->tls);
    set_http(lua, look->http);
    vm_freeze(lua, "transport");
}
