/* crypto.c -- nexus.crypto: what is quick. Octets are strings; arguments may be nexus.bytes as well.
 *
 * What is slow on purpose is in derive.c, tokens are in jwt.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/digest.h"
#include "base/base64.h"
#include "module/module_priv.h"

#include <stdio.h>

#define MAX_RANDOM 65536
#define MAX_TOKEN  1024

static void charge(lua_State *lua, size_t len)
{
    vm_charge(lua, 20 + len / 64);
}

static int push_octets(lua_State *lua, const unsigned char *octets, size_t len)
{
    lua_pushlstring(lua, (const char *)octets, len);
    return 1;
}

/* ---- digests ---- */

static int l_sha256(lua_State *lua)
{
    struct slice octets = l_values_check_octets(lua, 1);
    unsigned char out[DIGEST_LEN];

    charge(lua, octets.len);
    digest_sha256(octets, out);
    return push_octets(lua, out, sizeof(out));
}

static int l_sha512(lua_State *lua)
{
    struct slice octets = l_values_check_octets(lua, 1);
    unsigned char out[SHA512_LEN];

    charge(lua, octets.len);
    digest_sha512(octets, out);
    return push_octets(lua, out, sizeof(out));
}

static int l_hmac(lua_State *lua)
{
    static const char *const kinds[] = {"sha256", "sha384", "sha512", NULL};
    struct slice key = l_values_check_octets(lua, 1), octets = l_values_check_octets(lua, 2);
    enum digest_kind kind = (enum digest_kind)luaL_checkoption(lua, 3, "sha256", kinds);
    unsigned char out[SHA512_LEN];

    charge(lua, octets.len + key.len);
    return push_octets(lua, out, digest_hmac_of(kind, key, octets, out));
}

static int l_equals(lua_State *lua)
{
    struct slice a = l_values_check_octets(lua, 1), b = l_values_check_octets(lua, 2);

    charge(lua, a.len);
    lua_pushboolean(lua, a.len == b.len && digest_is_equal(a.data, b.data, a.len));
    return 1;
}

/* ---- signatures ---- */

/* Octets as they are or in hexadecimal, of a length that is known. */
static void check_fixed(lua_State *lua, int index, unsigned char *out, size_t len, const char *what)
{
    struct slice octets = l_values_check_octets(lua, index);

    if (octets.len == len)
        memcpy(out, octets.data, len);
    else if (!digest_unhex(octets, out, len))
        luaL_error(lua,
                   "nexus.crypto.ed25519_verify: %s: found %d octets; allowed: %d, or %d "
                   "hexadecimal digits",
                   what, (int)octets.len, (int)len, (int)(2 * len));
}

static int l_ed25519_verify(lua_State *lua)
{
    unsigned char key[DIGEST_LEN], signature[SIGNATURE_LEN];
    struct slice octets = l_values_check_octets(lua, 2);

    check_fixed(lua, 1, key, sizeof(key), "key");
    check_fixed(lua, 3, signature, sizeof(signature), "signature");
    vm_charge(lua, 5000);
    lua_pushboolean(lua, digest_verify(key, octets, signature));
    return 1;
}

/* ---- random ---- */

static size_t check_count(lua_State *lua, const char *function, lua_Integer fallback, int most)
{
    lua_Integer count =
        fallback == 0 ? luaL_checkinteger(lua, 1) : luaL_optinteger(lua, 1, fallback);

    if (count < 1 || count > most)
        luaL_error(lua, "nexus.crypto.%s: found %I; allowed: 1 to %d octets", function, count,
                   most);
    return (size_t)count;
}

static int l_random(lua_State *lua)
{
    const struct host *host = host_of(lua);
    size_t count = check_count(lua, "random", 0, MAX_RANDOM);
    luaL_Buffer out;

    charge(lua, count);
    host->random(host, luaL_buffinitsize(lua, &out, count), count);
    luaL_pushresultsize(&out, count);
    return 1;
}

static int l_token(lua_State *lua)
{
    const struct host *host = host_of(lua);
    size_t count = check_count(lua, "token", 32, MAX_TOKEN);
    char octets[MAX_TOKEN], text[MAX_TOKEN / 3 * 4 + 8];

    charge(lua, count);
    host->random(host, octets, count);
    lua_pushlstring(lua, text, base64url_encode(slice_make(octets, count), text));
    digest_wipe(octets, sizeof(octets));
    digest_wipe(text, sizeof(text));
    return 1;
}

/* Version 4 of RFC 9562. */
static int l_uuid(lua_State *lua)
{
    const struct host *host = host_of(lua);
    unsigned char octets[16];
    char hex[32], out[40];

    host->random(host, octets, sizeof(octets));
    octets[6] = (unsigned char)((octets[6] & 0x0f) | 0x40);
    octets[8] = (unsigned char)((octets[8] & 0x3f) | 0x80);
    digest_hex(octets, sizeof(octets), hex);
    snprintf(out, sizeof(out), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
    lua_pushstring(lua, out);
    return 1;
}

/* ---- spellings ---- */

static int l_hex(lua_State *lua)
{
    struct slice octets = l_values_check_octets(lua, 1);
    luaL_Buffer out;

    charge(lua, octets.len);
    digest_hex(octets.data, octets.len, luaL_buffinitsize(lua, &out, 2 * octets.len));
    luaL_pushresultsize(&out, 2 * octets.len);
    return 1;
}

static int l_unhex(lua_State *lua)
{
    struct slice text = check_slice(lua, 1);
    luaL_Buffer out;
    char *room;

    charge(lua, text.len);
    room = luaL_buffinitsize(lua, &out, text.len / 2 + 1);
    if (!digest_unhex(text, (unsigned char *)room, text.len / 2))
        return luaL_error(lua,
                          "nexus.crypto.unhex: found %d characters that are not all hexadecimal "
                          "digits; allowed: pairs of them",
                          (int)text.len);
    luaL_pushresultsize(&out, text.len / 2);
    return 1;
}

static bool is_url(lua_State *lua)
{
    static const char *const alphabets[] = {"standard", "url", NULL};

    return luaL_checkoption(lua, 2, "standard", alphabets) == 1;
}

static int l_base64(lua_State *lua)
{
    struct slice octets = l_values_check_octets(lua, 1);
    size_t len = base64_encoded_len(octets.len);
    bool as_url = is_url(lua);
    luaL_Buffer out;
    char *room;

    charge(lua, octets.len);
    room = luaL_buffinitsize(lua, &out, len + 1);
    if (as_url)
        len = base64url_encode(octets, room);
    else
        base64_encode(octets, room);
    luaL_pushresultsize(&out, len);
    return 1;
}

static int l_unbase64(lua_State *lua)
{
    struct slice text = check_slice(lua, 1);
    bool as_url = is_url(lua);
    luaL_Buffer out;
    char *room;
    long len;

    charge(lua, text.len);
    room = luaL_buffinitsize(lua, &out, text.len + 1);
    len = as_url ? base64url_decode(text, room) : base64_decode(text, room);
    if (len < 0)
        return luaL_error(lua,
                          "nexus.crypto.unbase64: found %d characters that are not base64; "
                          "allowed: A to Z, a to z, 0 to 9, %s",
                          (int)text.len, as_url ? "- and _" : "+, / and = at the end");
    luaL_pushresultsize(&out, (size_t)len);
    return 1;
}

#define OCTETS "string|nexus.Bytes"

static const struct module_row rows[] = {
    {"sha256", l_sha256, "fun(octets: " OCTETS "): string", "32 octets.", NULL},
    {"sha512", l_sha512, "fun(octets: " OCTETS "): string", "64 octets.", NULL},
    {"hmac", l_hmac,
     "fun(key: " OCTETS ", octets: " OCTETS ", hash?: \"sha256\"|\"sha384\"|\"sha512\"): string",
     "The octets of the HMAC, over SHA-256 unless said otherwise.", NULL},
    {"equals", l_equals, "fun(a: " OCTETS ", b: " OCTETS "): boolean",
     "Compares in a time that says nothing about where they differ.", NULL},
    {"ed25519_verify", l_ed25519_verify,
     "fun(key: " OCTETS ", octets: " OCTETS ", signature: " OCTETS "): boolean",
     "Whether a signature is right. Key and signature are octets or hexadecimal digits.",
     "A key or signature that has not the length of one"},
    {"random", l_random, "fun(count: integer): string", "Random octets, good for keys.",
     "Other than 1 to 65536"},
    {"token", l_token, "fun(count?: integer): string",
     "Text in letters, digits, - and _ that nobody can guess, of that many random octets (32).",
     "Other than 1 to 1024"},
    {"uuid", l_uuid, "fun(): string", "A random UUID, version 4.", NULL},
    {"hex", l_hex, "fun(octets: " OCTETS "): string", "Hexadecimal digits, in lower case.", NULL},
    {"unhex", l_unhex, "fun(text: string): string", "The octets of hexadecimal digits.",
     "What is none"},
    {"base64", l_base64, "fun(octets: " OCTETS ", alphabet?: \"standard\"|\"url\"): string",
     "Base64 with padding; with \"url\", the alphabet for URLs without.", NULL},
    {"unbase64", l_unbase64, "fun(text: string, alphabet?: \"standard\"|\"url\"): string",
     "The octets of base64; standard padding may be missing.", "What is none"},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct module_table module_crypto = {"nexus.crypto", rows, NULL};
