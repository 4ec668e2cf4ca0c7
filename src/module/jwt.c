/* jwt.c -- nexus.crypto.jwt: tokens that others signed (RFC 7515, 7519, 8037).
 *
 * The caller names the algorithms. The token's own must be one of them, and the key one that it is
 * for. Nothing of the claims is read before the signature was found right.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/base64.h"
#include "module/jwt_key.h"

#include <math.h>

#define MAX_TOKEN_LEN 16384
#define MAX_LEEWAY    3600
#define MAX_NAMES     32 /* of algorithms or audiences */

/* Where things are on the stack. */
enum { AT_TOKEN = 1, AT_OPTIONS, AT_HEADER, AT_CLAIMS };

static int refuse(lua_State *lua, const char *format, const char *detail)
{
    lua_pushnil(lua);
    lua_pushfstring(lua, format, detail);
    return 2;
}

/* ---- options ---- */

/* Whether the text at the top is the option, or in the list that the option is. */
static bool is_among(lua_State *lua, const char *name)
{
    int text = lua_gettop(lua);
    bool is_found;

    lua_getfield(lua, AT_OPTIONS, name);
    is_found = lua_rawequal(lua, -1, text) != 0;
    if (lua_type(lua, -1) == LUA_TTABLE) {
        for (lua_Integer i = 1; !is_found && i <= MAX_NAMES; i++) {
            if (lua_geti(lua, text + 1, i) == LUA_TNIL)
                break;
            is_found = lua_rawequal(lua, -1, text) != 0;
            lua_pop(lua, 1);
        }
    }
    lua_settop(lua, text);
    return is_found;
}

/* The value at the top must be a name of an algorithm. */
static void check_alg(lua_State *lua)
{
    struct slice name = {NULL, 0};

    if (lua_type(lua, -1) == LUA_TSTRING)
        name.data = lua_tolstring(lua, -1, &name.len);
    if (token_alg_of(name) == TOKEN_ALG_COUNT)
        luaL_error(lua,
                   JWT_FUNCTION ".alg: found %s; allowed: HS256, HS384, HS512, RS256, RS384, "
                                "RS512, ES256, EdDSA",
                   luaL_tolstring(lua, -1, NULL));
}

static void check_algs(lua_State *lua)
{
    lua_Integer count;

    if (lua_getfield(lua, AT_OPTIONS, "alg") != LUA_TTABLE) {
        check_alg(lua);
        lua_pop(lua, 1);
        return;
    }
    count = luaL_len(lua, -1);
    if (count < 1 || count > TOKEN_ALG_COUNT)
        luaL_error(lua, JWT_FUNCTION ".alg: found %I names; allowed: 1 to %d", count,
                   TOKEN_ALG_COUNT);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(lua, -1, i);
        check_alg(lua);
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
}

/* A text, or where lists are allowed a list of texts. What is there restricts: nil does not. */
static void check_text(lua_State *lua, const char *name, bool or_list)
{
    int type = lua_getfield(lua, AT_OPTIONS, name);
    bool is_right = type == LUA_TNIL || type == LUA_TSTRING;

    if (type == LUA_TTABLE && or_list) {
        lua_Integer count = luaL_len(lua, -1);

        is_right = count >= 1 && count <= MAX_NAMES;
        for (lua_Integer i = 1; is_right && i <= count; i++) {
            is_right = lua_geti(lua, -1, i) == LUA_TSTRING;
            lua_pop(lua, 1);
        }
    }
    if (!is_right)
        luaL_error(lua, JWT_FUNCTION ".%s: found a %s; allowed: %s", name, luaL_typename(lua, -1),
                   or_list ? "a text, or a list of 1 to 32 texts" : "a text");
    lua_pop(lua, 1);
}

static double leeway_of(lua_State *lua)
{
    double leeway = 0;

    if (lua_getfield(lua, AT_OPTIONS, "leeway") != LUA_TNIL) {
        leeway = lua_tonumber(lua, -1);
        if (lua_type(lua, -1) != LUA_TNUMBER || !(leeway >= 0) || leeway > MAX_LEEWAY)
            luaL_error(lua, JWT_FUNCTION ".leeway: found %s; allowed: seconds, from 0 to %d",
                       luaL_tolstring(lua, -1, NULL), MAX_LEEWAY);
    }
    lua_pop(lua, 1);
    return leeway;
}

static void check_options(lua_State *lua)
{
    static const char *const known[] = {"alg",     "key",    "audience", "issuer",
                                        "subject", "leeway", NULL};

    l_module_check_keys(lua, AT_OPTIONS, JWT_FUNCTION, known);
    check_algs(lua);
    check_text(lua, "audience", true);
    check_text(lua, "issuer", true);
    check_text(lua, "subject", false);
    if (lua_getfield(lua, AT_OPTIONS, "key") == LUA_TNIL)
        luaL_error(lua, JWT_FUNCTION ".key: found nil; allowed: a secret, PEM, a JWK");
    lua_pop(lua, 1);
}

/* ---- parts ---- */

/* Cuts off what is before the next point. False: there is none. */
static bool cut(struct slice *rest, struct slice *part)
{
    const char *point = rest->len == 0 ? NULL : memchr(rest->data, '.', rest->len);

    if (point == NULL)
        return false;
    *part = slice_make(rest->data, (size_t)(point - rest->data));
    *rest = slice_make(point + 1, rest->len - part->len - 1);
    return true;
}

/* Pushes the octets of a part; false: it is not base64url. */
static bool push_part(lua_State *lua, struct slice part)
{
    luaL_Buffer out;
    char *room = luaL_buffinitsize(lua, &out, part.len + 1);
    long len = base64url_decode(part, room);

    luaL_pushresultsize(&out, len < 0 ? 0 : (size_t)len);
    return len >= 0;
}

static int l_decode(lua_State *lua)
{
    l_values_push(lua, CODEC_JSON, check_slice(lua, 1), "token");
    return 1;
}

/* A list would be a table of Lua as well. */
static bool is_object(struct slice json)
{
    while (json.len != 0 && strchr(" \t\r\n", *json.data) != NULL)
        json = slice_make(json.data + 1, json.len - 1);
    return json.len != 0 && *json.data == '{';
}

/* Pushes the dict that a part is, or nil. */
static void push_dict(lua_State *lua, struct slice part)
{
    int top = lua_gettop(lua);

    lua_pushcfunction(lua, l_decode);
    if (!push_part(lua, part) || !is_object(check_slice(lua, -1)) ||
        lua_pcall(lua, 1, 1, 0) != LUA_OK) {
        lua_settop(lua, top);
        lua_pushnil(lua);
    }
}

/* ---- claims ---- */

/* The number of a claim into *number. False: there is another thing. */
static bool read_time(lua_State *lua, const char *name, double *number, bool *is_there)
{
    int type = lua_getfield(lua, AT_CLAIMS, name);

    *is_there = type != LUA_TNIL;
    *number = lua_tonumber(lua, -1);
    lua_pop(lua, 1);
    return type == LUA_TNIL || (type == LUA_TNUMBER && isfinite(*number));
}

/* NULL when the times are right. */
static const char *check_times(lua_State *lua, double leeway)
{
    const struct host *host = host_of(lua);
    double now = (double)host->wall(host) / 1e3, at;
    bool is_there;

    if (!read_time(lua, "exp", &at, &is_there))
        return "exp is no time";
    if (is_there && now >= at + leeway)
        return "expired";
    if (!read_time(lua, "nbf", &at, &is_there))
        return "nbf is no time";
    if (is_there && now < at - leeway)
        return "not valid yet";
    if (!read_time(lua, "iat", &at, &is_there))
        return "iat is no time";
    if (is_there && now < at - leeway)
        return "issued in the future";
    return NULL;
}

static bool is_wanted(lua_State *lua, const char *option)
{
    bool is_there = lua_getfield(lua, AT_OPTIONS, option) != LUA_TNIL;

    lua_pop(lua, 1);
    return is_there;
}

/* A claim that is a text must be what the option says; one that is a list must have one of it. */
static bool fits(lua_State *lua, const char *claim, const char *option, bool or_list)
{
    bool is_right = false;
    int type;

    if (!is_wanted(lua, option))
        return true;
    type = lua_getfield(lua, AT_CLAIMS, claim);
    if (type == LUA_TSTRING)
        is_right = is_among(lua, option);
    for (lua_Integer i = 1; type == LUA_TTABLE && or_list && !is_right && i <= MAX_NAMES; i++) {
        is_right = lua_geti(lua, -1, i) == LUA_TSTRING && is_among(lua, option);
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
    return is_right;
}

static const char *check_claims(lua_State *lua, double leeway)
{
    if (lua_isnil(lua, AT_CLAIMS))
        return "the claims are no dict in JSON";
    if (!fits(lua, "aud", "audience", true))
        return "for another audience";
    if (!fits(lua, "iss", "issuer", false))
        return "of another issuer";
    if (!fits(lua, "sub", "subject", false))
        return "of another subject";
    return check_times(lua, leeway);
}

/* ---- the function ---- */

/* What the header says of itself; NULL: all is right. */
static const char *check_header(lua_State *lua, enum token_alg *alg)
{
    if (lua_isnil(lua, AT_HEADER))
        return "the header is no dict in JSON";
    if (lua_getfield(lua, AT_HEADER, "crit") != LUA_TNIL)
        return "crit asks for what is not known";
    if (lua_getfield(lua, AT_HEADER, "alg") != LUA_TSTRING)
        return "the header names no alg";
    if (!is_among(lua, "alg"))
        return "its alg is not allowed";
    *alg = token_alg_of(check_slice(lua, -1));
    lua_settop(lua, AT_HEADER);
    return NULL;
}

/* NULL when the signature is right. */
static const char *check_signature(lua_State *lua, enum token_alg alg, struct slice bytes,
                                   struct slice signature)
{
    const struct token_key *key;
    const char *kid = NULL;

    if (!push_part(lua, signature))
        return "the signature is not base64url";
    signature = check_slice(lua, -1);
    if (lua_getfield(lua, AT_HEADER, "kid") == LUA_TSTRING)
        kid = lua_tostring(lua, -1);
    lua_getfield(lua, AT_OPTIONS, "key");
    key = l_jwt_key(lua, alg, kid);
    if (key == NULL)
        return "there is no key for it";
    if (!token_key_fits(key, alg))
        return "the key is none for its alg";
    vm_charge(lua, 5000);
    return token_key_verify(key, alg, bytes, signature) ? NULL : "the signature is wrong";
}

static int l_jwt(lua_State *lua)
{
    struct slice token = check_slice(lua, AT_TOKEN), rest = token, header, claims;
    enum token_alg alg = TOKEN_ALG_COUNT;
    const char *words;
    double leeway;

    lua_settop(lua, AT_OPTIONS);
    check_options(lua);
    leeway = leeway_of(lua);
    if (token.len > MAX_TOKEN_LEN)
        return refuse(lua, "longer than %s octets", "16384");
    if (!cut(&rest, &header) || !cut(&rest, &claims) || memchr(rest.data, '.', rest.len) != NULL)
        return refuse(lua, "%s", "not three parts with points in between");
    push_dict(lua, header);
    words = check_header(lua, &alg);
    if (words == NULL)
        words =
            check_signature(lua, alg, slice_make(token.data, header.len + 1 + claims.len), rest);
    if (words != NULL)
        return refuse(lua, "%s", words);
    lua_settop(lua, AT_HEADER);
    push_dict(lua, claims);
    words = check_claims(lua, leeway);
    if (words != NULL)
        return refuse(lua, "%s", words);
    return 1;
}

static const struct module_row rows[] = {
    {"jwt", l_jwt,
     "fun(token: string, options: { alg: string|string[], key: string|nexus.Bytes|table, "
     "audience?: string|string[], issuer?: string|string[], subject?: string, leeway?: number }): "
     "table?, string?",
     "The claims of a token whose signature, times, audience, issuer and subject are right, or "
     "nil and why not. The algorithms are yours to name, HS256 to EdDSA.",
     "An algorithm that does not exist, such as none; a key that is none"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_jwt = {"nexus.crypto", rows, NULL};
