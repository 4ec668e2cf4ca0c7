/* jwt_key.c -- see jwt_key.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module/jwt_key.h"

#include "auth/digest.h"
#include "base/base64.h"

#define KEY_NAME     "nexus.TokenKey"
#define MAX_TEXT_LEN 65536
#define MAX_KEYS     32 /* of a set */

struct holder {
    struct token_key *key; /* owned */
};

static int l_gc(lua_State *lua)
{
    struct holder *holder = luaL_checkudata(lua, 1, KEY_NAME);

    token_key_free(holder->key);
    holder->key = NULL;
    return 0;
}

/* Pushes what will own a key, before there is one, so that no error loses it. */
static struct holder *push_holder(lua_State *lua)
{
    struct holder *holder = lua_newuserdatauv(lua, sizeof(*holder), 0);

    holder->key = NULL;
    luaL_setmetatable(lua, KEY_NAME);
    return holder;
}

/* ---- JWK ---- */

static bool has(lua_State *lua, int jwk, const char *name)
{
    bool is_there = lua_getfield(lua, jwk, name) != LUA_TNIL;

    lua_pop(lua, 1);
    return is_there;
}

static bool is(lua_State *lua, int jwk, const char *name, const char *value)
{
    bool is_equal =
        lua_getfield(lua, jwk, name) == LUA_TSTRING && strcmp(lua_tostring(lua, -1), value) == 0;

    lua_pop(lua, 1);
    return is_equal;
}

/* A member in base64url; its octets stay on the stack. */
static struct slice octets_of(lua_State *lua, int jwk, const char *name)
{
    struct slice text = {NULL, 0};
    luaL_Buffer out;
    char *room;
    long len;

    if (lua_getfield(lua, jwk, name) == LUA_TSTRING)
        text.data = lua_tolstring(lua, -1, &text.len);
    if (text.data == NULL || text.len > MAX_TEXT_LEN)
        luaL_error(lua, JWT_FUNCTION ".key.%s: found a %s; allowed: a text in base64url", name,
                   luaL_typename(lua, -1));
    room = luaL_buffinitsize(lua, &out, text.len + 1);
    len = base64url_decode(text, room);
    if (len < 0)
        luaL_error(lua, JWT_FUNCTION ".key.%s: found a text that is not base64url", name);
    luaL_pushresultsize(&out, (size_t)len);
    return check_slice(lua, -1);
}

static struct token_key *of_jwk(lua_State *lua, int jwk, const char **words)
{
    struct slice first;

    *words = "its kty and crv are none of: oct; RSA; EC with P-256; OKP with Ed25519";
    if (is(lua, jwk, "kty", "oct"))
        return token_key_secret(octets_of(lua, jwk, "k"), words);
    if (is(lua, jwk, "kty", "RSA")) {
        first = octets_of(lua, jwk, "n");
        return token_key_rsa(first, octets_of(lua, jwk, "e"), words);
    }
    if (is(lua, jwk, "kty", "EC") && is(lua, jwk, "crv", "P-256")) {
        first = octets_of(lua, jwk, "x");
        return token_key_p256(first, octets_of(lua, jwk, "y"), words);
    }
    if (is(lua, jwk, "kty", "OKP") && is(lua, jwk, "crv", "Ed25519"))
        return token_key_ed25519(octets_of(lua, jwk, "x"), words);
    return NULL;
}

/* Whether a JWK is meant for such tokens. */
static bool is_meant(lua_State *lua, int jwk, enum token_alg alg)
{
    return (!has(lua, jwk, "use") || is(lua, jwk, "use", "sig")) &&
           (!has(lua, jwk, "alg") || is(lua, jwk, "alg", token_alg_name(alg)));
}

/* Pushes the key of the set that the token names; the only one needs no name. False: none. */
static bool choose(lua_State *lua, int keys, const char *kid)
{
    lua_Integer count = luaL_len(lua, keys);

    if (count > MAX_KEYS)
        luaL_error(lua, JWT_FUNCTION ".key.keys: found %I keys; allowed: at most %d", count,
                   MAX_KEYS);
    for (lua_Integer i = 1; i <= count; i++) {
        if (lua_geti(lua, keys, i) == LUA_TTABLE &&
            (kid == NULL ? count == 1 : is(lua, lua_gettop(lua), "kid", kid)))
            return true;
        lua_pop(lua, 1);
    }
    return false;
}

/* The table at the top is a JWK or a set. */
static const struct token_key *of_table(lua_State *lua, enum token_alg alg, const char *kid)
{
    int jwk = lua_gettop(lua), at;
    const char *words = NULL;
    struct holder *holder;

    luaL_checkstack(lua, LUA_MINSTACK, NULL);
    if (lua_getfield(lua, jwk, "keys") == LUA_TTABLE) {
        if (!choose(lua, jwk + 1, kid))
            return NULL;
        jwk = lua_gettop(lua);
    }
    if (!is_meant(lua, jwk, alg))
        return NULL;
    holder = push_holder(lua);
    at = lua_gettop(lua);
    holder->key = of_jwk(lua, jwk, &words);
    if (holder->key == NULL)
        luaL_error(lua, JWT_FUNCTION ".key: %s", words);
    lua_pushvalue(lua, at);
    return holder->key;
}

/* ---- texts ---- */

static bool begins_with(struct slice text, const char *what)
{
    while (text.len != 0 && strchr(" \t\r\n", *text.data) != NULL)
        text = slice_make(text.data + 1, text.len - 1);
    return slice_starts_with(text, slice_of(what));
}

/* Of Ed25519: 32 octets as they are, in hexadecimal or in base64. */
static struct token_key *of_octets(struct slice text, const char **words)
{
    unsigned char octets[DIGEST_LEN];
    char room[48];
    long len = -1;

    if (text.len == DIGEST_LEN)
        return token_key_ed25519(text, words);
    if (text.len == (size_t)2 * DIGEST_LEN && digest_unhex(text, octets, DIGEST_LEN))
        return token_key_ed25519(slice_make(octets, DIGEST_LEN), words);
    if (text.len <= sizeof(room) && (len = base64_decode(text, room)) < 0)
        len = base64url_decode(text, room);
    if (len == DIGEST_LEN)
        return token_key_ed25519(slice_make(room, DIGEST_LEN), words);
    *words = "it is none of: PEM; a JWK; the 32 octets of an Ed25519 key, also in hexadecimal or "
             "base64";
    return NULL;
}

static struct token_key *of_text(struct slice text, enum token_alg alg, const char **words)
{
    if (begins_with(text, "-----BEGIN"))
        return token_key_pem(text, words);
    return alg <= TOKEN_HS512 ? token_key_secret(text, words) : of_octets(text, words);
}

const struct token_key *l_jwt_key(lua_State *lua, enum token_alg alg, const char *kid)
{
    const char *words = NULL;
    struct holder *holder;
    struct slice text;

    if (lua_type(lua, -1) == LUA_TTABLE)
        return of_table(lua, alg, kid);
    text = l_values_check_octets(lua, lua_gettop(lua));
    if (text.len > MAX_TEXT_LEN)
        luaL_error(lua, JWT_FUNCTION ".key: found %d octets; allowed: at most %d", (int)text.len,
                   MAX_TEXT_LEN);
    if (begins_with(text, "{")) {
        l_values_push(lua, CODEC_JSON, text, JWT_FUNCTION ".key");
        return of_table(lua, alg, kid);
    }
    holder = push_holder(lua);
    holder->key = of_text(text, alg, &words);
    if (holder->key == NULL)
        luaL_error(lua, JWT_FUNCTION ".key: %s", words);
    return holder->key;
}

static const struct module_row rows[] = {
    {"__gc", l_gc, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_jwt_key = {KEY_NAME, rows, NULL};
