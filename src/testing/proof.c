/* proof.c -- the client's side of logins: what is answered to a CHALLENGE.
 *
 * WAMP: "Authentication".
 * SPDX-License-Identifier: MIT
 */
#include "auth/auth_job.h"
#include "auth/digest.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/mem.h"
#include "script/values.h"
#include "testing/stage.h"

#include <lauxlib.h>

#include <errno.h>
#include <sys/random.h>

static void push_base64(lua_State *lua, const void *bytes, size_t len)
{
    luaL_Buffer buffer;
    size_t text_len = base64_encoded_len(len);

    base64_encode(slice_make(bytes, len), luaL_buffinitsize(lua, &buffer, text_len));
    luaL_pushresultsize(&buffer, text_len);
}

static struct slice check_text(lua_State *lua, int index)
{
    struct slice text;

    text.data = luaL_checklstring(lua, index, &text.len);
    return text;
}

/* Derives `len` octets, or raises. */
static void l_derive(lua_State *lua, const struct kdf *kdf, struct slice password,
                     struct slice salt, unsigned char *key, size_t len)
{
    struct auth_job *job;
    const char *trouble;
    struct fault fault;

    if (kdf_check(kdf, &fault) != 0)
        luaL_error(lua, "the challenge: %s", fault.words);
    luaL_argcheck(lua, salt.len >= MIN_SALT_LEN && salt.len <= MAX_SALT_LEN, 1,
                  "the challenge: a salt of 8 to 64 octets");
    job = auth_job_new(kdf, password, salt, len);
    auth_job_run(job);
    trouble = job->is_done ? NULL : job->trouble == NULL ? "it failed" : job->trouble;
    if (job->is_done)
        memcpy(key, job->key, len);
    auth_job_free(job);
    if (trouble != NULL)
        luaL_error(lua, "cannot derive the key: %s", trouble);
}

/* cra(secret, challenge [, salt, iterations, keylen]) -> signature */
int l_proof_cra(lua_State *lua)
{
    struct slice secret = check_text(lua, 1), challenge = check_text(lua, 2);
    unsigned char key[MAX_DERIVED_LEN], mac[DIGEST_LEN];
    lua_Integer len = luaL_optinteger(lua, 5, DIGEST_LEN);
    struct kdf kdf = {.kind = KDF_PBKDF2, .iterations = (uint32_t)luaL_optinteger(lua, 4, 1000)};

    if (!lua_isnoneornil(lua, 3)) {
        luaL_argcheck(lua, len >= MIN_DERIVED_LEN && len <= MAX_DERIVED_LEN, 5, "16 to 64");
        l_derive(lua, &kdf, secret, check_text(lua, 3), key, (size_t)len);
        push_base64(lua, key, (size_t)len);
        secret = check_text(lua, -1);
    }
    digest_hmac(secret, challenge, mac);
    push_base64(lua, mac, sizeof(mac));
    return 1;
}

/* A seed: 32 octets, or 64 hexadecimal digits. */
static void check_seed(lua_State *lua, int index, unsigned char seed[DIGEST_LEN])
{
    struct slice text = l_values_check_octets(lua, index);

    if (text.len == DIGEST_LEN)
        memcpy(seed, text.data, DIGEST_LEN);
    else if (!digest_unhex(text, seed, DIGEST_LEN))
        luaL_argerror(lua, index, "a key is 32 octets, or 64 hexadecimal digits");
}

static void push_hex(lua_State *lua, const void *bytes, size_t len)
{
    luaL_Buffer buffer;

    digest_hex(bytes, len, luaL_buffinitsize(lua, &buffer, 2 * len));
    luaL_pushresultsize(&buffer, 2 * len);
}

/* public_key(seed) -> hex */
int l_proof_public_key(lua_State *lua)
{
    unsigned char seed[DIGEST_LEN], key[DIGEST_LEN];

    check_seed(lua, 1, seed);
    digest_public_key(seed, key);
    push_hex(lua, key, sizeof(key));
    return 1;
}

/* sign(seed, challenge in hex) -> signature and challenge in hex */
int l_proof_sign(lua_State *lua)
{
    unsigned char seed[DIGEST_LEN], both[SIGNATURE_LEN + DIGEST_LEN];
    unsigned char *challenge = both + SIGNATURE_LEN;

    check_seed(lua, 1, seed);
    luaL_argcheck(lua, digest_unhex(check_text(lua, 2), challenge, DIGEST_LEN), 2,
                  "64 hexadecimal digits");
    digest_sign(seed, slice_make(challenge, DIGEST_LEN), both);
    push_hex(lua, both, sizeof(both));
    return 1;
}

static struct kdf check_kdf(lua_State *lua, int index)
{
    static const char *const names[] = {"pbkdf2", "argon2id13", NULL};
    bool is_argon2 = luaL_checkoption(lua, index, NULL, names) == 1;

    return (struct kdf){.kind = is_argon2 ? KDF_ARGON2ID : KDF_PBKDF2,
                        .iterations = (uint32_t)luaL_checkinteger(lua, index + 1),
                        .memory = is_argon2 ? (uint32_t)luaL_checkinteger(lua, index + 2) : 0,
                        .lanes = is_argon2};
}

/* scram(password, message, salt in base64, kdf, iterations, memory) -> proof, server signature */
int l_proof_scram(lua_State *lua)
{
    struct slice message = check_text(lua, 2), salt_text = check_text(lua, 3), salted;
    unsigned char salt[MAX_SALT_LEN], key[DIGEST_LEN], client[DIGEST_LEN], mac[DIGEST_LEN];
    struct kdf kdf = check_kdf(lua, 4);
    size_t salt_len = 0;

    luaL_argcheck(lua, digest_unbase64(salt_text, salt, sizeof(salt), &salt_len), 3, "base64");
    l_derive(lua, &kdf, check_text(lua, 1), slice_make(salt, salt_len), key, sizeof(key));
    salted = slice_make(key, sizeof(key));
    digest_hmac(salted, SLICE("Client Key"), client);
    digest_sha256(slice_make(client, sizeof(client)), mac);
    digest_hmac(slice_make(mac, sizeof(mac)), message, mac);
    for (size_t i = 0; i < sizeof(client); i++)
        client[i] ^= mac[i];
    push_base64(lua, client, sizeof(client));
    digest_hmac(salted, SLICE("Server Key"), mac);
    digest_hmac(slice_make(mac, sizeof(mac)), message, mac);
    push_base64(lua, mac, sizeof(mac));
    return 2;
}

/* random(n) -> n octets in base64 */
int l_proof_random(lua_State *lua)
{
    unsigned char bytes[64];
    lua_Integer len = luaL_checkinteger(lua, 1);
    ssize_t got;

    luaL_argcheck(lua, len >= 1 && len <= (lua_Integer)sizeof(bytes), 1, "1 to 64");
    do
        got = getrandom(bytes, (size_t)len, 0);
    while (got < 0 && errno == EINTR);
    CHECK(got == len);
    push_base64(lua, bytes, (size_t)len);
    return 1;
}
